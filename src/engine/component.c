/*
 * Components. The crate has their types (engine/src/component.rs); to this library they speak JSON, as modules do: what an export
 * answers, and what a host function is asked and answers. Requests and responses lie in windows, which stand for the memory of a
 * guest, so that the functions that serve modules serve components as they are.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "util/cleanup.h"
#include "util/fail.h"
#include "util/limits.h"

/* --- Windows ---------------------------------------------------------------------------------------------- */

/* What is asked lies from REGLET_ENGINE_WINDOW on, and is never as large as the distance to what is answered. */
enum { ANSWERED_AT = 1 << 30 };
_Static_assert(REGLET__MAX_HANDED_OVER_BYTES < ANSWERED_AT / 8,
               "a request, escaped, ends before the response begins");

static void *look(const struct window *window, uint32_t begins, uint32_t address, uint64_t size) {
    uint64_t offset = (uint64_t)address - begins;
    return address >= begins && offset <= window->size && size <= window->size - offset
               ? window->bytes + offset
               : NULL;
}

void *reglet__component_memory(struct reglet__guest *guest, uint32_t address, uint64_t size) {
    return address >= ANSWERED_AT ? look(&guest->answered, ANSWERED_AT, address, size)
                                  : look(&guest->asked, REGLET_ENGINE_WINDOW, address, size);
}

reglet_status reglet__component_give(struct reglet__guest *guest, const void *data, uint32_t size,
                                     uint32_t *address, reglet_error **err) {
    unsigned char *bytes = realloc(guest->answered.bytes, size ? size : 1);
    if (!bytes)
        return reglet__fail_memory(err);
    memcpy(bytes, data, size);
    guest->answered = (struct window){bytes, size};
    *address = ANSWERED_AT;
    return REGLET_OK;
}

/* --- The door --------------------------------------------------------------------------------------------- */

/* The import of that name; with name NULL the one that stands for every other name of its module. */
static const struct reglet__import *find(const struct reglet__engine *engine, const char *module,
                                         const char *name) {
    for (size_t t = 0; t < engine->table_count; t++) {
        const struct import_table *table = &engine->tables[t];
        for (size_t i = 0; i < table->count; i++) {
            const struct reglet__import *import = &table->imports[i];
            bool same = name && import->name ? strcmp(name, import->name) == 0 : name == import->name;
            if (same && strcmp(module, import->module) == 0)
                return import;
        }
    }
    return NULL;
}

/* Calls what a module would import by that name. False: the call ends. */
static bool serve(struct reglet__guest *guest, const struct reglet__import *import,
                  union reglet__slot *slots) {
    if (import)
        return reglet__guest_serve(guest, NULL, import, slots);
    reglet__guest_stop(guest, REGLET_ERR_INTERNAL, "%s", "there is no such function of the host");
    return false;
}

static bool serve_request(void *of, const char *function, bool is_open, const uint8_t *request, size_t size,
                          const uint8_t **response, size_t *response_size) {
    struct reglet__guest *guest = of;
    union reglet__slot slot = {.u64 = (uint64_t)REGLET_ENGINE_WINDOW << 32 | (uint32_t)size};
    const struct reglet__import *import =
        find(guest->module->engine, "reglet_host", is_open ? NULL : function);
    struct reglet__import named;
    if (import && is_open) {
        named = *import;
        named.name = function;
        import = &named;
    }
    guest->asked = (struct window){(unsigned char *)(uintptr_t)request, size};
    guest->answered.size = 0;
    bool goes_on = serve(guest, import, &slot);
    guest->asked = (struct window){0};
    *response = guest->answered.bytes;
    *response_size = guest->answered.size;
    return goes_on;
}

static int serve_wasi(void *of, const char *function, const uint64_t *arguments, size_t count,
                      uint8_t *window, size_t size) {
    enum { MOST_ARGUMENTS = 8 };
    struct reglet__guest *guest = of;
    union reglet__slot slots[MOST_ARGUMENTS] = {{0}};
    for (size_t i = 0; i < count && i < MOST_ARGUMENTS; i++)
        slots[i].u64 = arguments[i];
    guest->asked = (struct window){window, size};
    bool goes_on = serve(guest, find(guest->module->engine, "wasi_snapshot_preview1", function), slots);
    guest->asked = (struct window){0};
    return goes_on ? (int)slots[0].u32 : -1;
}

static void **state(void *of) {
    struct reglet__guest *guest = of;
    return &guest->component_state;
}

static const struct reglet_engine_door door = {serve_request, serve_wasi, state};

/* --- Linking ---------------------------------------------------------------------------------------------- */

static reglet_status refusal(enum reglet_engine_fault fault) {
    switch (fault) {
    case REGLET_ENGINE_UNKNOWN_IMPORT: return REGLET_ERR_UNKNOWN_IMPORT;
    case REGLET_ENGINE_SIGNATURE: return REGLET_ERR_SIGNATURE;
    case REGLET_ENGINE_MISSING_EXPORT: return REGLET_ERR_MISSING_EXPORT;
    default: return REGLET_ERR_INVALID_MODULE;
    }
}

/* What it exports, under the names and with the signatures by which the rooms above know the exports of a module. */
static reglet_status note_exports(struct reglet__module *module, reglet_error **err) {
    static const struct {
        const char *name, *signature;
    } exports[] = {{"describe", "->I"}, {"observe", "ii->I"}, {"schema", "->I"}}; /* sorted */
    module->exports = calloc(ARRAY_LEN(exports), sizeof *module->exports);
    for (size_t i = 0; module->exports && i < ARRAY_LEN(exports); i++) {
        struct export_entry *entry = &module->exports[module->export_count++];
        entry->name = strdup(exports[i].name);
        entry->signature = strdup(exports[i].signature);
        if (!entry->name || !entry->signature)
            return reglet__fail_memory(err);
    }
    return module->exports ? REGLET_OK : reglet__fail_memory(err);
}

reglet_status reglet__component_link(struct reglet__module *module, reglet_error **err) {
    enum reglet_engine_fault fault = REGLET_ENGINE_NO_FAULT;
    wasmtime_error_t *error =
        reglet_engine_component_link(module->code.component, &door, &module->linked, &fault);
    if (error)
        return reglet__engine_fail(error, refusal(fault), "no plugin", err);
    return note_exports(module, err);
}

const char *reglet__module_interface(const struct reglet__module *module) {
    return module->linked ? reglet_engine_linked_interface(module->linked) : NULL;
}

/* --- Calling ---------------------------------------------------------------------------------------------- */

/* Why a component's code did not return; `what` it did. Takes error and trap over. */
static reglet_status ended(struct reglet__guest *guest, wasmtime_error_t *error, wasm_trap_t *trap,
                           enum reglet_engine_fault fault, const char *what, uint32_t *exit_code,
                           reglet_error **err) {
    bool host_ended = guest->stop.status != REGLET_OK;
    bool refused = guest->limits.refused_memory_bytes || guest->limits.refused_table_elements;
    bool breach = fault == REGLET_ENGINE_BREACH && !refused; /* else that is what led there */
    if (host_ended || (!breach && fault != REGLET_ENGINE_BAD_OUTPUT && fault != REGLET_ENGINE_TOO_MUCH &&
                       fault != REGLET_ENGINE_TOO_MANY))
        return reglet__guest_ended(guest, error, trap, exit_code, err);
    if (breach)
        return reglet__engine_fail(error, REGLET_ERR_TRAP, "the plugin trapped", err);
    if (fault == REGLET_ENGINE_BAD_OUTPUT) {
        char begin[96];
        snprintf(begin, sizeof begin, "the plugin's %s answered what cannot be passed on", what);
        return reglet__engine_fail(error, REGLET_ERR_BAD_OUTPUT, begin, err);
    }
    wasmtime_error_delete(error);
    if (fault == REGLET_ENGINE_TOO_MUCH)
        return reglet__fail(err, REGLET_ERR_RESULT_LIMIT, REGLET_DOMAIN_PLUGIN,
                            "the plugin's %s handed over more than %llu MiB at once, as it is or as JSON",
                            what, (unsigned long long)(REGLET__MAX_HANDED_OVER_BYTES >> 20));
    return reglet__fail(err, REGLET_ERR_MEMORY_LIMIT, REGLET_DOMAIN_PLUGIN,
                        "the plugin wanted more than %d instances of modules, %d memories or %d tables",
                        REGLET__MAX_COMPONENT_INSTANCES, REGLET__MAX_COMPONENT_MEMORIES, REGLET__MAX_TABLES);
}

reglet_status reglet__component_start(struct reglet__guest *guest, uint32_t *exit_code, reglet_error **err) {
    enum reglet_engine_fault fault = REGLET_ENGINE_NO_FAULT;
    wasm_trap_t *trap = NULL;
    reglet__memory_wish(guest->module->code.initial);
    wasmtime_error_t *error = reglet_engine_component_start(guest->module->linked, guest->context,
                                                            &guest->component, &fault, &trap);
    reglet__memory_wish(NULL);
    if (error || trap)
        return ended(guest, error, trap, fault, "start", exit_code, err);
    guest->instantiated = true;
    return REGLET_OK;
}

reglet_status reglet__guest_ask(struct reglet__guest *guest, const char *name, const char *config,
                                size_t config_size, char **text, size_t *size, uint32_t *exit_code,
                                reglet_error **err) {
    enum reglet_engine_export which = strcmp(name, "describe") == 0 ? REGLET_ENGINE_DESCRIBE
                                      : strcmp(name, "schema") == 0 ? REGLET_ENGINE_SCHEMA
                                                                    : REGLET_ENGINE_OBSERVE;
    enum reglet_engine_fault fault = REGLET_ENGINE_NO_FAULT;
    wasm_trap_t *trap = NULL;
    wasm_byte_vec_t answer;
    wasmtime_error_t *error =
        reglet_engine_component_call(guest->module->linked, guest->context, &guest->component, which, config,
                                     config_size, &answer, &fault, &trap);
    if (error || trap)
        return ended(guest, error, trap, fault, name, exit_code, err);
    *size = answer.size;
    *text = malloc(answer.size ? answer.size : 1);
    if (*text)
        memcpy(*text, answer.data, answer.size);
    wasm_byte_vec_delete(&answer);
    return *text ? REGLET_OK : reglet__fail_memory(err);
}

void reglet__component_end(struct reglet__guest *guest) {
    reglet_engine_component_state_delete(guest->component_state);
    free(guest->answered.bytes);
}
