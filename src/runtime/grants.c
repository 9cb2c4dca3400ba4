/* What the options grant: capabilities, pins and the security level, checked and resolved once. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "host/exec_find.h"
#include "runtime/internal.h"
#include "util/cleanup.h"
#include "util/fail.h"

static reglet_status null_list(const char *name, reglet_error **err) {
    return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                        "runtime options: %s is NULL but its count is not 0", name);
}

/* --- Grants ---------------------------------------------------------------------------------------------- */

reglet_status reglet__resolve_capability(struct reglet__capability *capability, const char *working_directory,
                                         reglet_error **err) {
    switch (reglet__capability_kind(capability)) {
    case REGLET__KIND_FS: return reglet__wasi_resolve_grant(capability, working_directory, err);
    case REGLET__KIND_EXEC:
        return reglet__exec_resolve_grant(capability) == REGLET_OK ? REGLET_OK : reglet__fail_memory(err);
    default: return REGLET_OK;
    }
}

static reglet_status take_grant(reglet_runtime *runtime, const char *plugin, const char *text,
                                reglet_error **err) {
    struct grant *grant = &runtime->grants[runtime->grant_count];
    reglet_error *error = NULL;
    if (!text)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "runtime options: a grant has no capability");
    reglet_status status = reglet__capability_parse(text, &grant->capability, &error);
    if (status == REGLET_OK)
        status = reglet__resolve_capability(grant->capability, runtime->working_directory, &error);
    if (status != REGLET_OK) {
        ptrdiff_t offset = reglet_error_offset(error);
        reglet__fail_at(err, status, REGLET_DOMAIN_POLICY, offset < 0 ? 0 : (size_t)offset, "%s%s%s: %s",
                        plugin ? "grant for plugin \"" : "grant for all plugins", plugin ? plugin : "",
                        plugin ? "\"" : "", reglet_error_message(error));
        reglet_error_free(error);
        reglet__capability_free(take_ptr(grant->capability));
        return status;
    }
    runtime->grant_count++;
    if (plugin && !(grant->plugin = strdup(plugin)))
        return reglet__fail_memory(err);
    return REGLET_OK;
}

static reglet_status take_capabilities(const reglet_runtime_options *options, reglet_runtime *runtime,
                                       reglet_error **err) {
    size_t total = options->grant_count + options->shared_grant_count;
    if ((options->grant_count && !options->grants) || total < options->grant_count)
        return null_list("grants", err);
    if (options->shared_grant_count && !options->shared_grants)
        return null_list("shared_grants", err);
    runtime->grants = calloc(total ? total : 1, sizeof *runtime->grants);
    if (!runtime->grants)
        return reglet__fail_memory(err);
    reglet_status status = REGLET_OK;
    for (size_t i = 0; i < options->grant_count && status == REGLET_OK; i++) {
        status = reglet__check_name(options->grants[i].plugin, "runtime options: grant", err);
        if (status == REGLET_OK)
            status = take_grant(runtime, options->grants[i].plugin, options->grants[i].capability, err);
    }
    for (size_t i = 0; i < options->shared_grant_count && status == REGLET_OK; i++)
        status = take_grant(runtime, NULL, options->shared_grants[i], err);
    return status;
}

/* --- Pins ------------------------------------------------------------------------------------------------ */

static reglet_status take_pins(const reglet_runtime_options *options, reglet_runtime *runtime,
                               reglet_error **err) {
    if (options->pin_count && !options->pins)
        return null_list("pins", err);
    runtime->pins = calloc(options->pin_count ? options->pin_count : 1, sizeof *runtime->pins);
    if (!runtime->pins)
        return reglet__fail_memory(err);
    for (size_t i = 0; i < options->pin_count; i++) {
        const reglet_pin *given = &options->pins[i];
        struct pin *pin = &runtime->pins[i];
        reglet_status status = reglet__check_name(given->plugin, "runtime options: pin", err);
        if (status != REGLET_OK)
            return status;
        if (!given->sha256 || !reglet__sha256_from_hex(given->sha256, &pin->hash))
            return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                                "runtime options: the sha256 of plugin \"%s\" is not 64 hexadecimal digits",
                                given->plugin);
        if (!(pin->plugin = strdup(given->plugin)))
            return reglet__fail_memory(err);
        runtime->pin_count++;
    }
    return REGLET_OK;
}

/* One argument at a time: then the one that is wrong is known. */
reglet_status reglet_exec_pin_check(const reglet_exec_pin *pin, size_t *wrong_arg, reglet_error **err) {
    if (!pin || !pin->command)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_POLICY,
                            "exec pin: there is no command");
    if (pin->arg_count && !pin->args)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_POLICY,
                            "exec pin: args is NULL but arg_count is not 0");
    struct reglet__command_pin *parsed = NULL;
    size_t wrong = pin->arg_count;
    reglet_status status = reglet__command_pin_parse(pin->command, NULL, 0, &parsed, err);
    reglet__command_pin_free(parsed);
    for (size_t i = 0; i < pin->arg_count && status == REGLET_OK; i++) {
        if (!pin->args[i])
            return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_POLICY,
                                "exec pin: argument %zu is NULL", i);
        parsed = NULL;
        wrong = i;
        status = reglet__command_pin_parse(pin->command, &pin->args[i], 1, &parsed, err);
        reglet__command_pin_free(parsed);
    }
    if (status == REGLET_ERR_INVALID_GRANT && wrong_arg)
        *wrong_arg = wrong;
    return status;
}

static reglet_status take_exec_pin(reglet_runtime *runtime, const reglet_exec_pin *given,
                                   reglet_error **err) {
    struct exec_pin *pin = &runtime->exec_pins[runtime->exec_pin_count];
    reglet_status status = reglet__check_name(given->plugin, "runtime options: exec pin", err);
    if (status != REGLET_OK)
        return status;
    reglet_error *error = NULL;
    status = reglet_exec_pin_check(given, NULL, &error);
    if (status == REGLET_OK)
        status = reglet__command_pin_parse(given->command, given->args, given->arg_count, &pin->pin, &error);
    if (status == REGLET_OK)
        status = reglet__exec_resolve_pin(pin->pin);
    if (status == REGLET_OK && !(pin->plugin = strdup(given->plugin)))
        status = REGLET_ERR_NO_MEMORY;
    if (status == REGLET_OK) {
        runtime->exec_pin_count++;
        return REGLET_OK;
    }
    reglet__command_pin_free(take_ptr(pin->pin));
    if (status == REGLET_ERR_NO_MEMORY)
        reglet__fail_memory(err);
    else
        reglet__fail(err, status, REGLET_DOMAIN_POLICY, "exec pin of plugin \"%s\": %s", given->plugin,
                     reglet_error_message(error));
    reglet_error_free(error);
    return status;
}

static reglet_status take_exec_pins(const reglet_runtime_options *options, reglet_runtime *runtime,
                                    reglet_error **err) {
    size_t count = options->exec_pin_count;
    if (count && !options->exec_pins)
        return null_list("exec_pins", err);
    runtime->exec_pins = calloc(count ? count : 1, sizeof *runtime->exec_pins);
    reglet_status status = runtime->exec_pins ? REGLET_OK : reglet__fail_memory(err);
    for (size_t i = 0; i < count && status == REGLET_OK; i++)
        status = take_exec_pin(runtime, &options->exec_pins[i], err);
    return status;
}

/* --- Security levels ------------------------------------------------------------------------------------- */

/* One that is no capability would never be found, and what it was to warn of be granted without a word. */
static reglet_status take_broad_pattern(reglet_runtime *runtime, const char *text, reglet_error **err) {
    reglet_error *error = NULL;
    reglet_status status = reglet_capability_check(text, &error);
    if (status == REGLET_ERR_INVALID_GRANT)
        reglet__fail_at(err, status, REGLET_DOMAIN_POLICY, (size_t)reglet_error_offset(error),
                        "broad pattern: %s", reglet_error_message(error));
    reglet_error_free(error);
    if (status == REGLET_ERR_INVALID_GRANT)
        return status;
    char *copy = status == REGLET_OK ? strdup(text) : NULL;
    if (!copy)
        return reglet__fail_memory(err);
    runtime->broad_patterns[runtime->broad_pattern_count++] = copy;
    return REGLET_OK;
}

static reglet_status take_broad_patterns(const reglet_runtime_options *options, reglet_runtime *runtime,
                                         reglet_error **err) {
    size_t count = options->broad_pattern_count;
    if (count && !options->broad_patterns)
        return null_list("broad_patterns", err);
    runtime->broad_patterns = calloc(count ? count : 1, sizeof *runtime->broad_patterns);
    if (!runtime->broad_patterns)
        return reglet__fail_memory(err);
    reglet_status status = REGLET_OK;
    for (size_t i = 0; i < count && status == REGLET_OK; i++)
        status = options->broad_patterns[i] ? take_broad_pattern(runtime, options->broad_patterns[i], err)
                                            : null_list("one of broad_patterns", err);
    return status;
}

static bool is_broad(const reglet_runtime *runtime, const struct grant *grant) {
    return reglet__capability_is_broad(grant->capability, (const char *const *)runtime->broad_patterns,
                                       runtime->broad_pattern_count);
}

static bool is_pinned(const reglet_runtime *runtime, const char *plugin) {
    for (size_t i = 0; i < runtime->pin_count; i++)
        if (strcmp(runtime->pins[i].plugin, plugin) == 0)
            return true;
    return false;
}

static reglet_status refuse_unpinned(const char *plugin, reglet_error **err) {
    return reglet__fail(
        err, REGLET_ERR_INVALID_GRANT, REGLET_DOMAIN_POLICY,
        "plugin \"%s\" has grants but its module is not pinned by SHA-256, which level strict "
        "demands",
        plugin);
}

static reglet_status refuse_broad(const char *plugin, const char *text, reglet_error **err) {
    return reglet__fail(err, REGLET_ERR_INVALID_GRANT, REGLET_DOMAIN_POLICY,
                        "grant for %s%s%s: \"%s\" is broad, which level strict refuses",
                        plugin ? "plugin \"" : "all plugins", plugin ? plugin : "", plugin ? "\"" : "", text);
}

static reglet_status check_strict(const reglet_runtime *runtime, reglet_error **err) {
    for (size_t i = 0; i < runtime->grant_count; i++) {
        const struct grant *grant = &runtime->grants[i];
        if (is_broad(runtime, grant))
            return refuse_broad(grant->plugin, reglet__capability_text(grant->capability), err);
        if (grant->plugin && !is_pinned(runtime, grant->plugin))
            return refuse_unpinned(grant->plugin, err);
    }
    for (size_t i = 0; i < runtime->exec_pin_count; i++) {
        const struct exec_pin *pin = &runtime->exec_pins[i];
        if (reglet__command_pin_risk(pin->pin) == REGLET_RISK_HIGH)
            return refuse_broad(pin->plugin, reglet__command_pin_text(pin->pin), err);
        if (!is_pinned(runtime, pin->plugin))
            return refuse_unpinned(pin->plugin, err);
    }
    return REGLET_OK;
}

void reglet__warn_of_broad_grants(const reglet_runtime *runtime) {
    for (size_t i = 0; i < runtime->grant_count; i++) {
        const struct grant *grant = &runtime->grants[i];
        if (!is_broad(runtime, grant))
            continue;
        _cleanup_free_ char *sentence = reglet__capability_sentence(grant->capability);
        reglet__runtime_say(runtime, REGLET_LOG_WARN, grant->plugin, "the grant %s is broad: %s",
                            reglet__capability_text(grant->capability), sentence ? sentence : "");
    }
    for (size_t i = 0; i < runtime->exec_pin_count; i++) {
        const struct exec_pin *pin = &runtime->exec_pins[i];
        if (reglet__command_pin_risk(pin->pin) == REGLET_RISK_HIGH)
            reglet__runtime_say(runtime, REGLET_LOG_WARN, pin->plugin,
                                "the grant %s is broad: with these arguments it can run every other program",
                                reglet__command_pin_text(pin->pin));
    }
}

/* --- All of it ------------------------------------------------------------------------------------------- */

reglet_status reglet__take_grants(const reglet_runtime_options *options, reglet_runtime *runtime,
                                  reglet_error **err) {
    static reglet_status (*const steps[])(const reglet_runtime_options *, reglet_runtime *,
                                          reglet_error **) = {take_capabilities, take_pins, take_exec_pins,
                                                              take_broad_patterns};
    if (options->security_level < REGLET_SECURITY_STANDARD ||
        options->security_level > REGLET_SECURITY_PERMISSIVE)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "runtime options: security_level is %d, which is none of REGLET_SECURITY_…",
                            (int)options->security_level);
    runtime->security_level = options->security_level;
    reglet_status status = reglet__policy_new(&runtime->nothing);
    if (status != REGLET_OK)
        return reglet__fail_memory(err);
    for (size_t i = 0; i < ARRAY_LEN(steps) && status == REGLET_OK; i++)
        status = steps[i](options, runtime, err);
    if (status == REGLET_OK && runtime->security_level == REGLET_SECURITY_STRICT)
        status = check_strict(runtime, err);
    return status;
}

void reglet__free_grants(reglet_runtime *runtime) {
    for (size_t i = 0; i < runtime->grant_count; i++) {
        free(runtime->grants[i].plugin);
        reglet__capability_free(runtime->grants[i].capability);
    }
    for (size_t i = 0; i < runtime->pin_count; i++)
        free(runtime->pins[i].plugin);
    for (size_t i = 0; i < runtime->exec_pin_count; i++) {
        free(runtime->exec_pins[i].plugin);
        reglet__command_pin_free(runtime->exec_pins[i].pin);
    }
    for (size_t i = 0; i < runtime->broad_pattern_count; i++)
        free(runtime->broad_patterns[i]);
    reglet__policy_free(runtime->nothing);
    free(runtime->grants);
    free(runtime->pins);
    free(runtime->exec_pins);
    free(runtime->broad_patterns);
}
