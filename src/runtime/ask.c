/* What a plugin declares and is granted, and what would be decided: questions that run nothing but a description. */
#define _GNU_SOURCE
#include <reglet/grants.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/arena.h"
#include "host/exec_guard.h"
#include "runtime/internal.h"
#include "util/cleanup.h"
#include "util/fail.h"
#include "util/text.h"
#include "wasi/files.h"

static char *keep_clean(struct reglet__arena *arena, const char *text) {
    size_t size = strlen(text), room = reglet__clean_line_size(size);
    char *clean = reglet__arena_alloc(arena, room);
    if (clean)
        reglet__clean_line(text, size, clean, room);
    return clean;
}

/* --- Lists ------------------------------------------------------------------------------------------------ */

/* What reglet_grants_free() finds behind the public structure. */
struct listing {
    reglet_grants public;
    struct reglet__arena arena;
};

/* What one listing is made of. */
struct lister {
    const struct visit *visit;
    const struct reglet__policy *policy;
    struct reglet__arena *arena;
};

static bool view_capability(const struct lister *lister, const struct reglet__capability *capability,
                            reglet_capability_view *view) {
    const reglet_runtime *runtime = lister->visit->plugin->runtime;
    _cleanup_free_ char *sentence = reglet__capability_sentence(capability);
    view->valid = true;
    view->risk = reglet__capability_risk(capability);
    view->broad = reglet__capability_is_broad(capability, (const char *const *)runtime->broad_patterns,
                                              runtime->broad_pattern_count);
    if (view->broad)
        view->risk = REGLET_RISK_HIGH;
    view->capability = keep_clean(lister->arena, reglet__capability_text(capability));
    view->sentence = sentence ? keep_clean(lister->arena, sentence) : NULL;
    return view->capability && view->sentence;
}

/* A declaration that stands for everything of its kind, in words that are no capability. */
static bool view_all_of_kind(const struct lister *lister, const reglet_declared_capability *declared,
                             const char *text, reglet_capability_view *view) {
    _cleanup_free_ char *sentence = NULL;
    if (asprintf(&sentence, "Everything of the kind %s.", declared->kind) < 0)
        return false;
    *view = (reglet_capability_view){.valid = true, .broad = true, .risk = REGLET_RISK_HIGH};
    view->capability = keep_clean(lister->arena, text);
    view->sentence = keep_clean(lister->arena, sentence);
    return view->capability && view->sentence;
}

static bool view_invalid(const struct lister *lister, const char *text, const reglet_error *error,
                         reglet_capability_view *view) {
    view->capability = keep_clean(lister->arena, text);
    view->sentence = keep_clean(lister->arena, reglet_error_message(error));
    return view->capability && view->sentence;
}

static bool view_declared(const struct lister *lister, const reglet_declared_capability *declared,
                          reglet_capability_view *view) {
    const reglet_runtime *runtime = lister->visit->plugin->runtime;
    struct reglet__capability *capability = NULL;
    reglet_error *error = NULL;
    _cleanup_free_ char *text = NULL;
    if (asprintf(&text, "%s:%s", declared->kind, declared->pattern) < 0)
        return false;
    reglet_status status = reglet__capability_parse(text, &capability, &error);
    if (status == REGLET_OK)
        status = reglet__resolve_capability(capability, runtime->working_directory, NULL);
    bool done = false;
    if (status == REGLET_OK) {
        const char *rule = reglet__policy_covering(lister->policy, capability);
        done = view_capability(lister, capability, view);
        view->granted_by = done && rule ? keep_clean(lister->arena, rule) : NULL;
        done = done && (view->granted_by || !rule);
    } else if (status == REGLET_ERR_INVALID_GRANT) {
        done = reglet__declares_all(declared) ? view_all_of_kind(lister, declared, text, view)
                                              : view_invalid(lister, text, error, view);
    }
    reglet__capability_free(capability);
    reglet_error_free(error);
    return done;
}

static bool list_declared(const struct lister *lister, const reglet_description *description,
                          reglet_grants *out) {
    size_t count = description ? description->capability_count : 0;
    reglet_capability_view *views = reglet__arena_alloc(lister->arena, (count + 1) * sizeof *views);
    for (size_t i = 0; views && i < count; i++)
        if (!view_declared(lister, &description->capabilities[i], &views[i]))
            return false;
    out->declared = views;
    out->declared_count = count;
    return views;
}

static bool list_granted(const struct lister *lister, reglet_grants *out) {
    const reglet_plugin *plugin = lister->visit->plugin;
    const reglet_runtime *runtime = plugin->runtime;
    size_t most = runtime->grant_count + runtime->exec_pin_count + 1;
    reglet_capability_view *views = reglet__arena_alloc(lister->arena, most * sizeof *views);
    out->granted = views;
    for (size_t i = 0; views && i < runtime->grant_count; i++) {
        const struct grant *grant = &runtime->grants[i];
        if (grant->plugin && strcmp(grant->plugin, plugin->name) != 0)
            continue;
        views[out->granted_count].shared = grant->plugin == NULL;
        if (!view_capability(lister, grant->capability, &views[out->granted_count++]))
            return false;
    }
    for (size_t i = 0; views && i < runtime->exec_pin_count; i++) {
        const struct exec_pin *pin = &runtime->exec_pins[i];
        if (strcmp(pin->plugin, plugin->name) != 0)
            continue;
        reglet_capability_view *view = &views[out->granted_count++];
        *view = (reglet_capability_view){.valid = true, .risk = reglet__command_pin_risk(pin->pin)};
        view->broad = view->risk == REGLET_RISK_HIGH;
        view->capability = keep_clean(lister->arena, reglet__command_pin_text(pin->pin));
        view->sentence = view->broad
                             ? "Run it with these arguments and no others, and with them every other program."
                             : "Run it with these arguments and no others.";
        if (!view->capability)
            return false;
    }
    return views;
}

static reglet_status list(const struct visit *visit, struct listing *listing, reglet_error **err) {
    const struct reglet__policy *policy = NULL;
    const reglet_description *description = NULL;
    reglet_status status = reglet__visit_policy(visit, &policy, err);
    if (status == REGLET_OK && reglet__visit_describes(visit))
        status = reglet__visit_description(visit, &description, err);
    if (status != REGLET_OK)
        return status;
    const struct lister lister = {visit, policy, &listing->arena};
    char *hash = reglet__arena_alloc(&listing->arena, 65);
    if (!hash || !list_declared(&lister, description, &listing->public) ||
        !list_granted(&lister, &listing->public))
        return reglet__fail_memory(err);
    reglet__sha256_to_hex(&visit->version->hash, hash);
    listing->public.sha256 = hash;
    return REGLET_OK;
}

reglet_status reglet_plugin_grants(reglet_plugin *plugin, const reglet_call_options *call,
                                   const reglet_grants **out, reglet_error **err) {
    if (!plugin || !out)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "grants: plugin or out is NULL");
    struct visit visit;
    reglet_status status = reglet__visit_begin(plugin, call, VISIT_ASKS, &visit, err);
    if (status != REGLET_OK)
        return status;
    struct listing *listing = calloc(1, sizeof *listing);
    status = listing ? list(&visit, listing, err) : reglet__fail_memory(err);
    reglet__visit_end(&visit, status, err);
    if (status == REGLET_OK) {
        listing->public.struct_size = sizeof listing->public;
        *out = &listing->public;
    } else if (listing) {
        reglet_grants_free(&listing->public);
    }
    return status;
}

void reglet_grants_free(const reglet_grants *grants) {
    struct listing *listing = (struct listing *)(uintptr_t)grants;
    if (!listing)
        return;
    reglet__arena_free(&listing->arena);
    free(listing);
}

/* --- Decisions -------------------------------------------------------------------------------------------- */

struct verdict {
    reglet_decision public;
    struct reglet__arena arena;
};

/* "fs:read:/path": a file is judged by what is there, as a plugin's call would be. */
static reglet_status ask_file(const struct visit *visit, const struct reglet__policy *policy,
                              const char *request, struct reglet__decision *out, char **grant,
                              reglet_error **err) {
    static const char read[] = "fs:read:/", write[] = "fs:write:/";
    const reglet_runtime *runtime = visit->plugin->runtime;
    bool reads = strncmp(request, read, strlen(read)) == 0;
    if (!reads && strncmp(request, write, strlen(write)) != 0)
        return reglet__fail_at(
            err, REGLET_ERR_INVALID_GRANT, REGLET_DOMAIN_POLICY, strlen("fs:"),
            "capability \"%s\", character at byte %zu: ask for one file, as in fs:read:/etc/hosts", request,
            strlen("fs:"));
    if (!runtime->wasi_host)
        return reglet__fail(err, REGLET_ERR_UNSUPPORTED, REGLET_DOMAIN_WASI, "%s", runtime->wasi_missing);
    const char *path = request + strlen(reads ? read : write) - 1;
    return reglet__wasi_ask(runtime->wasi_host, policy, reads ? REGLET__FS_READ : REGLET__FS_WRITE, path, out,
                            grant, err);
}

/* "exec:/path" or "exec:name", known to be one command: judged by its file too, as a plugin's call would be. */
static struct reglet__decision ask_command(const reglet_runtime *runtime, const struct reglet__policy *policy,
                                           const char *request) {
    _cleanup_exec_file_ struct reglet__exec_file file = REGLET__EXEC_FILE_INIT;
    struct reglet__command_request command = {.asked = request + strlen("exec:")};
    int error = 0;
    return reglet__exec_decide(policy, (const char *const *)runtime->environment, runtime->environment_count,
                               &command, &file, &error);
}

/* What would have allowed it: what was asked for, but for an address, which may take another rule. */
static char *suggest(const char *request, const struct reglet__policy *policy) {
    static const char network[] = "network:outbound:";
    struct reglet__endpoint endpoint = {0};
    if (strncmp(request, network, strlen(network)) != 0)
        return strdup(request);
    const char *host = request + strlen(network);
    if (reglet__endpoint_parse(host, strlen(host), &endpoint))
        return strdup(request);
    struct reglet__decision first = reglet__policy_connect(policy, &endpoint);
    return first.allowed ? reglet__policy_address_suggest(&endpoint, &endpoint.address)
                         : reglet__policy_connect_suggest(&endpoint);
}

static reglet_status fill(struct verdict *answer, const char *request,
                          const struct reglet__decision *decision, const char *grant, reglet_error **err) {
    struct reglet__arena *arena = &answer->arena;
    _cleanup_free_ char *allowed = NULL;
    if (decision->allowed && asprintf(&allowed, "the grant %s covers it", decision->rule) < 0)
        return reglet__fail_memory(err);
    answer->public = (reglet_decision){
        .struct_size = sizeof answer->public,
        .allowed = decision->allowed,
        .asked = keep_clean(arena, request),
        .rule = decision->allowed ? keep_clean(arena, decision->rule) : NULL,
        .reason = keep_clean(arena, decision->allowed ? allowed : decision->reason),
        .grant = grant ? keep_clean(arena, grant) : NULL,
    };
    const reglet_decision *public = &answer->public;
    bool complete =
        public->asked && public->reason && (!grant || public->grant) && (!decision->allowed || public->rule);
    return complete ? REGLET_OK : reglet__fail_memory(err);
}

static reglet_status decide(const struct visit *visit, const char *request, struct verdict *answer,
                            reglet_error **err) {
    const struct reglet__policy *policy = NULL;
    struct reglet__decision decision = {0};
    _cleanup_free_ char *grant = NULL;
    reglet_status status = reglet__visit_policy(visit, &policy, err);
    if (status != REGLET_OK)
        return status;
    if (strncmp(request, "fs:", strlen("fs:")) == 0) {
        status = ask_file(visit, policy, request, &decision, &grant, err);
    } else {
        status = reglet__policy_ask(policy, request, &decision, err);
        if (status == REGLET_OK && strncmp(request, "exec:", strlen("exec:")) == 0)
            decision = ask_command(visit->plugin->runtime, policy, request);
        if (status == REGLET_OK && !decision.allowed && !decision.for_good)
            grant = suggest(request, policy);
    }
    return status == REGLET_OK ? fill(answer, request, &decision, grant, err) : status;
}

reglet_status reglet_plugin_ask(reglet_plugin *plugin, const char *request, const reglet_call_options *call,
                                const reglet_decision **out, reglet_error **err) {
    if (!plugin || !request || !out)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "ask: plugin, request or out is NULL");
    struct visit visit;
    reglet_status status = reglet__visit_begin(plugin, call, VISIT_ASKS, &visit, err);
    if (status != REGLET_OK)
        return status;
    struct verdict *answer = calloc(1, sizeof *answer);
    status = answer ? decide(&visit, request, answer, err) : reglet__fail_memory(err);
    reglet__visit_end(&visit, status, err);
    if (status == REGLET_OK)
        *out = &answer->public;
    else if (answer)
        reglet_decision_free(&answer->public);
    return status;
}

void reglet_decision_free(const reglet_decision *decision) {
    struct verdict *answer = (struct verdict *)(uintptr_t)decision;
    if (!answer)
        return;
    reglet__arena_free(&answer->arena);
    free(answer);
}
