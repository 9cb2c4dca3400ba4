#define _GNU_SOURCE
#include <reglet/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/abi.h"
#include "runtime/internal.h"
#include "util/cleanup.h"
#include "util/fail.h"

/* --- Versions of a module -------------------------------------------------------------------------------- */

/* What the ABI says of the exports that it knows. */
static const struct {
    const char *name;
    const char *signature;
} abi_exports[] = {
    {"_start", "->"},    {"_initialize", "->"}, {"allocate", "i->i"}, {"deallocate", "ii->"},
    {"describe", "->I"}, {"schema", "->I"},     {"observe", "ii->I"}, {"_manifest", "->I"},
    {"_schema", "->I"},  {"_observe", "ii->I"}, {"memory", "memory"},
};

static reglet_status check_exports(const struct reglet__module *module, reglet_error **err) {
    for (size_t i = 0; i < ARRAY_LEN(abi_exports); i++) {
        const char *found = reglet__module_export(module, abi_exports[i].name);
        if (!found || strcmp(found, abi_exports[i].signature) == 0)
            continue;
        char theirs[256], ours[256];
        reglet__signature_text(found, theirs, sizeof theirs);
        reglet__signature_text(abi_exports[i].signature, ours, sizeof ours);
        return reglet__fail(err, REGLET_ERR_SIGNATURE, REGLET_DOMAIN_PLUGIN,
                            "the module exports \"%s\" as %s; the plugin ABI has %s", abi_exports[i].name,
                            theirs, ours);
    }
    return REGLET_OK;
}

/* What only the embedder can provide, by name. */
static reglet_status check_open_imports(const reglet_runtime *runtime, const struct reglet__module *module,
                                        reglet_error **err) {
    const char *name = NULL;
    for (size_t i = 0; (name = reglet__module_open_import(module, i)); i++)
        if (!reglet__host_setup_has(runtime->host_setup, name))
            return reglet__fail(
                err, REGLET_ERR_UNKNOWN_IMPORT, REGLET_DOMAIN_PLUGIN,
                "the module imports the function \"%s\" of \"reglet_host\", which this host does not provide",
                name);
    return REGLET_OK;
}

reglet_status reglet__version_new(const reglet_runtime *runtime, struct reglet__compilation *compilation,
                                  struct reglet__module *module, const struct reglet__sha256 *hash,
                                  struct version **out, reglet_error **err) {
    reglet_status status = check_open_imports(runtime, module, err);
    if (status == REGLET_OK)
        status = check_exports(module, err);
    struct version *version = status == REGLET_OK ? calloc(1, sizeof *version) : NULL;
    if (!version) {
        reglet__module_unref(module);
        reglet__compilation_leave(compilation);
        reglet__compilation_unref(compilation);
        return status == REGLET_OK ? reglet__fail_memory(err) : status;
    }
    atomic_init(&version->references, 1);
    version->compilation = compilation;
    version->module = module;
    version->hash = *hash;
    bool second = reglet__module_export(module, "_manifest") || reglet__module_export(module, "_observe");
    version->generation = second ? 2 : 1;
    *out = version;
    return REGLET_OK;
}

void reglet__version_leave(struct version *version) {
    if (!atomic_exchange(&version->left, true))
        reglet__compilation_leave(version->compilation);
}

void reglet__version_unref(struct version *version) {
    if (!version || atomic_fetch_sub_explicit(&version->references, 1, memory_order_acq_rel) != 1)
        return;
    reglet_description_free(atomic_load(&version->description));
    reglet_schema_free(atomic_load(&version->schema));
    reglet__policy_free(atomic_load(&version->policy));
    reglet__kept_image_clear(&version->kept);
    reglet__module_unref(version->module);
    reglet__version_leave(version);
    reglet__compilation_unref(version->compilation);
    free(version);
}

static const char *describe_export(const struct version *version) {
    return version->generation == 1 ? "describe" : "_manifest";
}

/* Runs one of the exports that tell about the plugin: without any grant. A visit that only asks needs its permit now. */
static reglet_status ask(const struct visit *visit, const char *name, struct answer *answer,
                         reglet_error **err) {
    const struct call_setup setup = {.visit = visit};
    bool taken = false;
    reglet_status status = visit->has_permit ? REGLET_OK : reglet__permit_take(visit, &taken, err);
    if (status == REGLET_OK)
        status = reglet__call_export(&setup, name, NULL, 0, answer, visit->exit_code, err);
    if (taken)
        reglet__permits_give(&visit->plugin->runtime->permits);
    if (status != REGLET_OK)
        return status;
    status = reglet__screen_answer(visit, answer);
    if (status == REGLET_OK)
        return status;
    free(take_ptr(answer->bytes));
    if (status == REGLET_ERR_NO_MEMORY)
        return reglet__fail_memory(err);
    return reglet__fail(
        err, status, REGLET_DOMAIN_PLUGIN, "%s while the plugin's %s was searched for secrets",
        status == REGLET_ERR_TIMEOUT ? "the call's deadline passed" : "the call was cancelled", name);
}

reglet_status reglet__visit_description(const struct visit *visit, const reglet_description **out,
                                        reglet_error **err) {
    struct version *version = visit->version;
    *out = atomic_load(&version->description);
    if (*out)
        return REGLET_OK;
    struct answer answer = {0};
    reglet_status status = ask(visit, describe_export(version), &answer, err);
    if (status != REGLET_OK)
        return status;
    const reglet_description *fresh = NULL, *known = NULL;
    status = version->generation == 1 ? reglet__description_parse_v1(answer.bytes, answer.size, &fresh, err)
                                      : reglet__description_parse_v2(answer.bytes, answer.size, &fresh, err);
    free(answer.bytes);
    if (status != REGLET_OK)
        return status;
    /* Two first calls at once may both have asked; the first answer stays, so that borrowed ones do. */
    if (!atomic_compare_exchange_strong(&version->description, &known, fresh))
        reglet_description_free(fresh);
    *out = known ? known : fresh;
    return REGLET_OK;
}

/* The second generation has the schema in its manifest, or in an export of its own under either name. */
static reglet_status ask_schema(const struct visit *visit, const reglet_schema **out, reglet_error **err) {
    const struct version *version = visit->version;
    struct answer answer = {0};
    reglet_status status = REGLET_OK;
    *out = NULL;
    if (version->generation == 2 && reglet__module_export(visit->module, "_manifest")) {
        status = ask(visit, "_manifest", &answer, err);
        if (status == REGLET_OK)
            status = reglet__schema_from_manifest(answer.bytes, answer.size, out, err);
        free(take_ptr(answer.bytes));
    }
    if (status != REGLET_OK || *out)
        return status;
    const char *name = reglet__module_export(visit->module, "_schema") ? "_schema" : "schema";
    status = ask(visit, name, &answer, err);
    if (status == REGLET_OK)
        status = reglet__module_interface(visit->module)
                     ? reglet__schema_from_fields(answer.bytes, answer.size, out, err)
                     : reglet__schema_parse(answer.bytes, answer.size, out, err);
    free(answer.bytes);
    return status;
}

reglet_status reglet__visit_schema(const struct visit *visit, const reglet_schema **out, reglet_error **err) {
    struct version *version = visit->version;
    *out = atomic_load(&version->schema);
    if (*out)
        return REGLET_OK;
    const reglet_schema *fresh = NULL, *known = NULL;
    reglet_status status = ask_schema(visit, &fresh, err);
    if (status != REGLET_OK)
        return status;
    if (!atomic_compare_exchange_strong(&version->schema, &known, fresh))
        reglet_schema_free(fresh);
    *out = known ? known : fresh;
    return REGLET_OK;
}

/* --- What a version may do ------------------------------------------------------------------------------- */

bool reglet__visit_describes(const struct visit *visit) {
    return reglet__module_export(visit->module, describe_export(visit->version)) != NULL;
}

bool reglet__declares_all(const reglet_declared_capability *declared) {
    return strcmp(declared->pattern, "*") == 0 || strcmp(declared->pattern, "**") == 0;
}

/* A declaration that does not parse grants nothing, and is no error; bare "*" and "**" stand for all of a kind. */
static reglet_status declare(struct reglet__policy *policy, const reglet_runtime *runtime,
                             const reglet_declared_capability *declared) {
    static const char *const kinds[] = {[REGLET__KIND_FS] = "fs",
                                        [REGLET__KIND_NETWORK] = "network",
                                        [REGLET__KIND_ENV] = "env",
                                        [REGLET__KIND_EXEC] = "exec",
                                        [REGLET__KIND_KV] = "kv"};
    if (reglet__declares_all(declared)) {
        for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++)
            if (strcmp(declared->kind, kinds[kind]) == 0)
                return reglet__policy_declare_all(policy, (enum reglet__kind)kind);
        return REGLET_OK;
    }
    _cleanup_free_ char *text = NULL;
    if (asprintf(&text, "%s:%s", declared->kind, declared->pattern) < 0) {
        text = NULL;
        return REGLET_ERR_NO_MEMORY;
    }
    struct reglet__capability *capability = NULL;
    reglet_status status = reglet__capability_parse(text, &capability, NULL);
    if (status == REGLET_OK)
        status = reglet__resolve_capability(capability, runtime->working_directory, NULL);
    if (status == REGLET_OK)
        return reglet__policy_declare(policy, capability);
    reglet__capability_free(capability);
    return status == REGLET_ERR_NO_MEMORY ? status : REGLET_OK;
}

static reglet_status add_grants(struct reglet__policy *policy, const reglet_plugin *plugin, bool *shared) {
    const reglet_runtime *runtime = plugin->runtime;
    reglet_status status = REGLET_OK;
    for (size_t i = 0; i < runtime->grant_count && status == REGLET_OK; i++) {
        const struct grant *grant = &runtime->grants[i];
        if (!grant->plugin) {
            *shared = true;
            status = reglet__policy_share(policy, reglet__capability_ref(grant->capability));
        } else if (strcmp(grant->plugin, plugin->name) == 0) {
            status = reglet__policy_grant(policy, reglet__capability_ref(grant->capability));
        }
    }
    for (size_t i = 0; i < runtime->exec_pin_count && status == REGLET_OK; i++)
        if (strcmp(runtime->exec_pins[i].plugin, plugin->name) == 0)
            status = reglet__policy_pin_command(policy, reglet__command_pin_ref(runtime->exec_pins[i].pin));
    return status;
}

/*
 * What the embedding program named; and the process, which must not be read through procfs, whatever is granted: the
 * kernel gives /proc/self as /proc/<pid>.
 */
static reglet_status protect(struct reglet__policy *policy, const reglet_runtime *runtime) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%ld", (long)getpid());
    reglet_status status = reglet__policy_protect(policy, path);
    for (size_t i = 0; i < runtime->protected_path_count && status == REGLET_OK; i++)
        status = reglet__policy_protect(policy, runtime->protected_paths[i]);
    return status;
}

static reglet_status given_up(const struct visit *visit, reglet_error **err) {
    reglet_status status = reglet__interrupt_check(&visit->interrupt);
    return reglet__fail(err, status, REGLET_DOMAIN_RUNTIME, "%s while the plugin's declaration was resolved",
                        status == REGLET_ERR_TIMEOUT ? "the call's deadline passed"
                                                     : "the call was cancelled");
}

static reglet_status make_policy(const struct visit *visit, struct reglet__policy *policy,
                                 reglet_error **err) {
    const reglet_plugin *plugin = visit->plugin;
    bool shared = false;
    if (protect(policy, plugin->runtime) != REGLET_OK || add_grants(policy, plugin, &shared) != REGLET_OK)
        return reglet__fail_memory(err);
    /* Grants by name apply as they are, unless the level is strict. What cannot say what it declares, a command, has
     * declared nothing. */
    bool strict = plugin->runtime->security_level == REGLET_SECURITY_STRICT;
    reglet__policy_set_strict(policy, strict);
    if ((!shared && !strict) || !reglet__visit_describes(visit))
        return REGLET_OK;
    const reglet_description *description = NULL;
    reglet_status status = reglet__visit_description(visit, &description, err);
    for (size_t i = 0; status == REGLET_OK && i < description->capability_count; i++) {
        if (declare(policy, plugin->runtime, &description->capabilities[i]) != REGLET_OK)
            return reglet__fail_memory(err);
        /* Each may cost a walk over links of the file system, along a path that the plugin chose. */
        if (reglet__interrupt_check(&visit->interrupt) != REGLET_OK)
            return given_up(visit, err);
    }
    return status;
}

reglet_status reglet__visit_policy(const struct visit *visit, const struct reglet__policy **out,
                                   reglet_error **err) {
    struct version *version = visit->version;
    *out = atomic_load(&version->policy);
    if (*out)
        return REGLET_OK;
    struct reglet__policy *fresh = NULL, *known = NULL;
    if (reglet__policy_new(&fresh) != REGLET_OK)
        return reglet__fail_memory(err);
    reglet_status status = make_policy(visit, fresh, err);
    if (status != REGLET_OK) {
        reglet__policy_free(fresh);
        return status;
    }
    if (!atomic_compare_exchange_strong(&version->policy, &known, fresh))
        reglet__policy_free(fresh);
    *out = known ? known : fresh;
    return REGLET_OK;
}
