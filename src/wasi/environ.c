/* Arguments and environment: two lists of strings, handed over in the same way. */
#define _GNU_SOURCE
#include <stdio.h>

#include "wasi/state.h"

/* The length of a variable's name; 0 when the text is not "NAME=value". */
static size_t name_length(const char *variable) {
    const char *equals = strchr(variable, '=');
    return equals ? (size_t)(equals - variable) : 0;
}

/* Whether this call brings its own value for the variable. */
static bool is_replaced(const struct reglet__wasi_options *options, const char *variable, size_t length) {
    for (size_t i = 0; i < options->extra_environment_count; i++)
        if (strncmp(options->extra_environment[i], variable, length + 1) == 0)
            return true;
    return false;
}

/* *rule: the grant that shows it; NULL: none does. */
static int find_rule(const struct reglet__wasi_options *options, const char *variable, size_t length,
                     const char **rule) {
    char *name = strndup(variable, length);
    if (!name)
        return WASI_ENOMEM;
    *rule = options->policy ? reglet__policy_env(options->policy, name).rule : NULL;
    free(name);
    return WASI_SUCCESS;
}

/* One decision for the whole list, as for a directory's: it may be asked for, and shows what is granted. */
static void tell(const struct reglet__wasi_options *options, size_t shown, const char *rule) {
    char asked[64];
    const struct reglet__decided decided = {
        .kind = "env", .asked = asked, .decision = {.allowed = true, .rule = rule}};
    if (!reglet__decisions_want(options->decisions, true))
        return;
    snprintf(asked, sizeof asked, "%zu of %zu variables", shown, options->environment_count);
    reglet__decisions_add(options->decisions, &decided);
}

/* What the call brings, then what the policy lets through of the runtime's copy. */
static int make_environment(struct reglet__wasi *wasi) {
    const struct reglet__wasi_options *options = wasi->options;
    size_t most = options->extra_environment_count + options->environment_count, count = 0, shown = 0;
    const char *rule = NULL, *first = NULL; /* of one variable, and of the first that is shown */
    bool one_rule = true;
    _cleanup_free_ const char **list = calloc(most + 1, sizeof *list);
    if (!list)
        return WASI_ENOMEM;
    for (size_t i = 0; i < options->extra_environment_count; i++)
        if (name_length(options->extra_environment[i]))
            list[count++] = options->extra_environment[i];
    for (size_t i = 0; i < options->environment_count; i++) {
        const char *variable = options->environment[i];
        size_t length = name_length(variable);
        int error = length ? find_rule(options, variable, length, &rule) : WASI_SUCCESS;
        if (error)
            return error;
        if (!length || !rule || is_replaced(options, variable, length))
            continue;
        list[count++] = variable;
        first = shown++ ? first : rule;
        one_rule = one_rule && rule == first;
    }
    tell(options, shown, one_rule ? first : NULL);
    wasi->environment = take_ptr(list);
    wasi->environment_count = count;
    return WASI_SUCCESS;
}

static int put_sizes(struct reglet__wasi *wasi, const char *const *list, size_t count, uint32_t count_at,
                     uint32_t size_at) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += strlen(list[i]) + 1;
    if (count > UINT32_MAX || size > UINT32_MAX)
        return WASI_EOVERFLOW;
    bool written = reglet__guest_write_u32(wasi->guest, count_at, (uint32_t)count) &&
                   reglet__guest_write_u32(wasi->guest, size_at, (uint32_t)size);
    return written ? WASI_SUCCESS : WASI_EFAULT;
}

static int put_strings(struct reglet__wasi *wasi, const char *const *list, size_t count, uint32_t pointers,
                       uint32_t text) {
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(list[i]) + 1;
        /* In 64 bits: at the end of memory the addresses must not start over at 0. */
        uint64_t pointer = pointers + (uint64_t)i * 4;
        if (pointer > UINT32_MAX || size > UINT32_MAX - text ||
            !reglet__guest_write_u32(wasi->guest, (uint32_t)pointer, text) ||
            !reglet__guest_write(wasi->guest, text, list[i], (uint32_t)size))
            return WASI_EFAULT;
        text += (uint32_t)size;
    }
    return WASI_SUCCESS;
}

WASI_FUNCTION(args_sizes_get) {
    return put_sizes(wasi, wasi->options->args, wasi->options->arg_count, args[0].u32, args[1].u32);
}

WASI_FUNCTION(args_get) {
    return put_strings(wasi, wasi->options->args, wasi->options->arg_count, args[0].u32, args[1].u32);
}

WASI_FUNCTION(environ_sizes_get) {
    int error = wasi->environment ? WASI_SUCCESS : make_environment(wasi);
    return error ? error
                 : put_sizes(wasi, wasi->environment, wasi->environment_count, args[0].u32, args[1].u32);
}

WASI_FUNCTION(environ_get) {
    int error = wasi->environment ? WASI_SUCCESS : make_environment(wasi);
    return error ? error
                 : put_strings(wasi, wasi->environment, wasi->environment_count, args[0].u32, args[1].u32);
}
