#define _GNU_SOURCE
#include "host/setup.h"

#include <stdlib.h>
#include <string.h>

#include "host/host.h"
#include "util/cleanup.h"
#include "util/fail.h"
#include "util/options.h"

/* --- The embedder's functions ---------------------------------------------------------------------------- */

enum { NAME_MAX_SIZE = 64 };

static bool is_name(const char *name) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t size = name ? strlen(name) : 0;
    return size > 0 && size <= NAME_MAX_SIZE && strspn(name, letters) == size;
}

static bool is_ours(const char *name) {
    for (size_t i = 0; i < reglet__host_import_count; i++)
        if (reglet__host_imports[i].name && strcmp(reglet__host_imports[i].name, name) == 0)
            return true;
    return false;
}

static const char *const kinds[] = {"kv", "network", "env", "exec"};

static bool is_kind(const char *kind) {
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i], kind) == 0)
            return true;
    return false;
}

/* What is wrong with a function; NULL when nothing is. */
static const char *fault_of(const struct reglet__host_setup *setup, const reglet_host_function *function) {
    if (!is_name(function->name))
        return "its name must be 1 to 64 letters, digits and '_'";
    if (is_ours(function->name))
        return "the library has a function of that name itself";
    if (reglet__host_setup_has(setup, function->name))
        return "another function has that name";
    if (!function->serve)
        return "it has no serve callback";
    if (function->kind && !is_kind(function->kind))
        return "its kind must be kv, network, env or exec, or NULL for none";
    if (function->kind && !function->ask)
        return "it has a kind but no ask callback";
    if (!function->kind && function->ask)
        return "it has an ask callback but no kind";
    return NULL;
}

static reglet_status take_function(struct reglet__host_setup *setup, const reglet_host_function *given,
                                   reglet_error **err) {
    const char *fault = fault_of(setup, given);
    if (fault)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "runtime options: host function \"%s\": %s", given->name ? given->name : "",
                            fault);
    reglet_host_function *function = &setup->functions[setup->function_count];
    char *name = strdup(given->name), *kind = given->kind ? strdup(given->kind) : NULL;
    if (!name || (given->kind && !kind)) {
        free(name);
        free(kind);
        return reglet__fail_memory(err);
    }
    *function = *given;
    function->name = name;
    function->kind = kind;
    setup->function_count++;
    return REGLET_OK;
}

static void free_user_data(const reglet_host_function *function) {
    if (function->free_user_data)
        function->free_user_data(function->user_data);
}

/*
 * The function at `i`. An older embedder's structure is shorter, and so are the steps of its array; where the first one has no
 * size that is known, nobody can tell where the next one is.
 */
static bool get_given(const reglet_host_function *functions, size_t i, reglet_host_function *out) {
    size_t step = functions->struct_size;
    const char *given = (const char *)functions + i * step;
    return reglet__options_copy(out, sizeof *out, functions) && memcmp(given, &step, sizeof step) == 0 &&
           reglet__options_copy(out, sizeof *out, given);
}

void reglet__host_functions_free(const reglet_host_function *functions, size_t count) {
    reglet_host_function known;
    for (size_t i = 0; i < count; i++)
        if (get_given(functions, i, &known))
            free_user_data(&known);
}

/* Those that are not taken have their user data freed here, so that each is freed once. */
static reglet_status take_functions(struct reglet__host_setup *setup,
                                    const struct reglet__host_setup_options *options, reglet_error **err) {
    reglet_status status = REGLET_OK;
    for (size_t i = 0; i < options->function_count; i++) {
        reglet_host_function known;
        if (!get_given(options->functions, i, &known)) {
            if (status == REGLET_OK)
                status = reglet__fail_options(err, "host function", "REGLET_HOST_FUNCTION_INIT");
            continue;
        }
        if (status == REGLET_OK)
            status = take_function(setup, &known, err);
        if (status != REGLET_OK)
            free_user_data(&known);
    }
    return status;
}

bool reglet__host_setup_has(const struct reglet__host_setup *setup, const char *name) {
    return reglet__host_setup_find(setup, name) != NULL;
}

const reglet_host_function *reglet__host_setup_find(const struct reglet__host_setup *setup,
                                                    const char *name) {
    for (size_t i = 0; i < setup->function_count; i++)
        if (strcmp(setup->functions[i].name, name) == 0)
            return &setup->functions[i];
    return NULL;
}

/* --- The life of a setup --------------------------------------------------------------------------------- */

void reglet__host_setup_free(struct reglet__host_setup *setup) {
    if (!setup)
        return;
    for (size_t i = 0; i < setup->function_count; i++) {
        free_user_data(&setup->functions[i]);
        free((void *)(uintptr_t)setup->functions[i].name);
        free((void *)(uintptr_t)setup->functions[i].kind);
    }
    free(setup->functions);
    reglet__tls_free(setup->tls);
    reglet__nameservers_free(setup->nameservers);
    free(setup->host_version);
    free(setup);
}
REGLET_DEFINE_CLEANUP(struct reglet__host_setup *, reglet__host_setup_free);

reglet_status reglet__host_setup_new(const struct reglet__host_setup_options *options,
                                     struct reglet__host_setup **out, reglet_error **err) {
    _cleanup_(reglet__host_setup_free_p)
    struct reglet__host_setup *setup = calloc(1, sizeof *setup);
    if (setup)
        setup->functions = calloc(options->function_count + 1, sizeof *setup->functions);
    if (!setup || !setup->functions) {
        reglet__host_functions_free(options->functions, options->function_count);
        return reglet__fail_memory(err);
    }
    reglet_status status = take_functions(setup, options, err);
    setup->host_version = strdup(options->host_version);
    if (status == REGLET_OK && !setup->host_version)
        status = reglet__fail_memory(err);
    if (status == REGLET_OK)
        status = reglet__tls_new(options->ca_file, &setup->tls, err);
    if (status == REGLET_OK)
        status = reglet__nameservers_new(options->nameservers, &setup->nameservers, err);
    if (status == REGLET_OK)
        *out = take_ptr(setup);
    return status;
}
