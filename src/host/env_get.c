/* env_get: {name} -> {value?, found} */
#include <stdio.h>
#include <string.h>

#include "host/functions.h"
#include "host/request.h"
#include "util/cleanup.h"

static const char *find(const struct reglet__host *host, const char *name) {
    size_t size = strlen(name);
    for (size_t i = 0; i < host->environment_count; i++)
        if (strncmp(host->environment[i], name, size) == 0 && host->environment[i][size] == '=')
            return host->environment[i] + size + 1;
    return NULL;
}

static reglet_status deny(struct reglet__host_request *request, const struct reglet__decision *decision,
                          const char *name) {
    char phrase[512];
    _cleanup_free_ char *grant = reglet__policy_env_suggest(name);
    snprintf(phrase, sizeof phrase, "read the environment variable %s", name);
    return reglet__host_deny(request, decision, &(struct reglet__host_asked){"env", name, phrase}, grant);
}

REGLET__HOST_FUNCTION(env_get) {
    const char *name = NULL;
    reglet_status status = reglet__host_get_string(request, "name", true, &name);
    if (status != REGLET_OK)
        return status;
    if (!*name || strchr(name, '='))
        return reglet__host_fail(request, "validation", "EINVAL",
                                 "name must be that of a variable, not \"%s\"", name);
    struct reglet__decision decision = reglet__policy_env(request->host->policy, name);
    if (!decision.allowed)
        return deny(request, &decision, name);
    reglet__host_tell(request, &decision, &(struct reglet__host_asked){"env", name, NULL}, NULL);
    const char *value = find(request->host, name);
    reglet__decisions_moved(request->host->decisions, value ? strlen(value) : 0, 0);
    status = reglet__host_put_bool(request, "found", value != NULL);
    return status == REGLET_OK && value ? reglet__host_put_string(request, "value", value) : status;
}
