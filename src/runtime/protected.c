#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "redact/redact.h"
#include "runtime/internal.h"
#include "util/cleanup.h"
#include "util/fail.h"

static reglet_status keep(void *user_data, const char *path) {
    reglet_runtime *runtime = user_data;
    size_t count = runtime->protected_path_count;
    char **grown = realloc(runtime->protected_paths, (count + 1) * sizeof *grown);
    if (!grown)
        return REGLET_ERR_NO_MEMORY;
    runtime->protected_paths = grown;
    if (!(grown[count] = strdup(path)))
        return REGLET_ERR_NO_MEMORY;
    runtime->protected_path_count++;
    return REGLET_OK;
}

/* Who writes compiled code can run it, in this process or in a later one of the same user. */
static reglet_status protect_caches(reglet_runtime *runtime) {
    _cleanup_free_ char *usual = NULL;
    const char *own = reglet_cache_directory(runtime->cache);
    reglet_status status = reglet__cache_default_directory(&usual);
    if (status == REGLET_OK && usual)
        status = reglet__wasi_resolve_path(usual, runtime->working_directory, keep, runtime);
    if (status != REGLET_ERR_NO_MEMORY && own)
        status = reglet__wasi_resolve_path(own, runtime->working_directory, keep, runtime);
    return status;
}

/* Who writes the rules of the redactor takes rules out of it, for the next time that it is made. */
static reglet_status protect_rules(const reglet_redactor *redactor, reglet_runtime *runtime) {
    const char *const *files = redactor ? reglet__redactor_files(redactor) : NULL;
    reglet_status status = REGLET_OK;
    for (; files && *files && status != REGLET_ERR_NO_MEMORY; files++)
        status = reglet__wasi_resolve_path(*files, runtime->working_directory, keep, runtime);
    return status;
}

/* The links on the way as well as what they lead to: a plugin must not put another in the place of one. */
reglet_status reglet__take_protected_paths(const reglet_runtime_options *options, reglet_runtime *runtime,
                                           reglet_error **err) {
    if (options->protected_path_count && !options->protected_paths)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "runtime options: protected_paths is NULL but its count is not 0");
    for (size_t i = 0; i < options->protected_path_count; i++) {
        const char *path = options->protected_paths[i];
        reglet_status status =
            path && *path ? reglet__wasi_resolve_path(path, runtime->working_directory, keep, runtime)
                          : REGLET_ERR_INVALID_ARGUMENT;
        if (status == REGLET_ERR_NO_MEMORY)
            return reglet__fail_memory(err);
        if (status != REGLET_OK)
            return reglet__fail(
                err, status, REGLET_DOMAIN_RUNTIME,
                "runtime options: protected path %zu (\"%s\") should name a file or a directory", i,
                path ? path : "");
    }
    if (protect_rules(options->redactor, runtime) == REGLET_ERR_NO_MEMORY)
        return reglet__fail_memory(err);
    return protect_caches(runtime) == REGLET_ERR_NO_MEMORY ? reglet__fail_memory(err) : REGLET_OK;
}
