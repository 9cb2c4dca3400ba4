/*
 * reglet_engine.h - what the engine crate adds to Wasmtime's C API. See engine/src/lib.rs.
 */
#ifndef REGLET_ENGINE_CRATE_H
#define REGLET_ENGINE_CRATE_H

#include <stdbool.h>
#include <wasmtime.h>

/* As wasm_engine_new_with_config(), but a failure is an error and not an abort. Takes `config` over. */
wasmtime_error_t *reglet_engine_new(wasm_config_t *config, wasm_engine_t **out);

/*
 * As wasmtime_module_new(), but on threads of its own: no other compilation waits for this one. `threads`: at most so many, 0 for
 * one per CPU. `nice`: of these threads.
 */
wasmtime_error_t *reglet_engine_module_new(wasm_engine_t *engine, const uint8_t *wasm, size_t size,
                                           size_t threads, int nice, wasmtime_module_t **out);

/* As wasmtime_module_deserialize_file(), of an open file; `fd` stays the caller's. */
wasmtime_error_t *reglet_engine_module_map(wasm_engine_t *engine, int fd, wasmtime_module_t **out);

/* Differs when serialized code of one engine is not for the other. */
uint64_t reglet_engine_compatibility(const wasm_engine_t *engine);

/* What the instances of one call may grow to together, and what was refused. */
struct reglet_engine_limits {
    uint64_t memory_bytes;
    uint64_t table_elements;
    uint32_t instances, memories, tables; /* how many: a component may have several of each */
    uint64_t handed_over_bytes; /* strings and lists that a component hands over in one call of either side */
    uint64_t refused_memory_bytes;   /* the first refused size, 0: none */
    uint64_t refused_table_elements; /* the same */
    uint64_t used_memory_bytes, last_growth_bytes;
    uint64_t used_table_elements;
};

/* Holds a store to `limits`, which must live as long as the store. */
void reglet_engine_store_limits(wasmtime_store_t *store, struct reglet_engine_limits *limits);

/* Bytes of the original module that belong at an address of its memory. */
struct reglet_engine_segment {
    uint64_t address;
    uint64_t offset;
    uint64_t size;
};

/* Why instances of a module cannot start from an image. */
enum reglet_engine_reason {
    REGLET_ENGINE_NO_REASON, /* they can */
    REGLET_ENGINE_START_FUNCTION,
    REGLET_ENGINE_MEMORY_IMPORTED,
    REGLET_ENGINE_TABLE_IMPORTED,
    REGLET_ENGINE_MEMORY_SHARED,
    REGLET_ENGINE_MEMORY_64,
    REGLET_ENGINE_MEMORY_SECOND,
    REGLET_ENGINE_TABLES_CHANGE,
    REGLET_ENGINE_SEGMENTS_COPIED, /* by the module itself, as it runs */
    REGLET_ENGINE_SEGMENT_PASSIVE,
    REGLET_ENGINE_SEGMENT_ADDRESS, /* is no constant */
    REGLET_ENGINE_SEGMENT_OUTSIDE,
    REGLET_ENGINE_NO_MEMORY,
    REGLET_ENGINE_NO_EXPORTS,
    REGLET_ENGINE_EXPORT_NAME, /* is one of the host's own */
    REGLET_ENGINE_GLOBAL_REFERENCE,
    REGLET_ENGINE_COMPONENT,
    REGLET_ENGINE_REASONS
};

/*
 * What a module is made of. Counts are of what it has itself, but for tables and memories: with those that it imports. Of a
 * component: what all modules in it have themselves.
 */
struct reglet_engine_facts {
    uint64_t module_bytes;
    uint64_t code_bytes;
    uint64_t custom_bytes;
    uint64_t functions;
    uint64_t globals, mutable_globals;
    uint64_t tables, table_elements;
    uint64_t memories;
    uint64_t memory_pages, memory_most_pages; /* of 64 KiB, of the first one; UINT64_MAX: no maximum */
    uint64_t segments, segment_bytes;
    uint64_t reason; /* enum reglet_engine_reason */
};

/*
 * A module that was looked at. Without a reason against images, also rewritten: without its active data, and with its mutable
 * globals exported as "reglet:global:0" and so on.
 */
struct reglet_engine_rewritten {
    struct reglet_engine_facts facts;
    uint8_t *wasm;
    size_t wasm_size;
    struct reglet_engine_segment *segments;
    size_t segment_count;
};

/* Looks at a module and rewrites it, so that its instances can start from an image of memory and globals. False: it is none. */
bool reglet_engine_rewrite(const uint8_t *wasm, size_t size, struct reglet_engine_rewritten *out);
void reglet_engine_rewritten_free(struct reglet_engine_rewritten *rewritten);

/* --- Components: see engine/src/component.rs --------------------------------------------------------------- */

/* As reglet_engine_module_new() and reglet_engine_module_map(). */
wasmtime_error_t *reglet_engine_component_new(wasm_engine_t *engine, const uint8_t *wasm, size_t size,
                                              size_t threads, int nice, wasmtime_component_t **out);
wasmtime_error_t *reglet_engine_component_map(wasm_engine_t *engine, int fd, wasmtime_component_t **out);

/* Bytes of its machine code. */
size_t reglet_engine_component_code_bytes(const wasmtime_component_t *component);

/* Where the bytes of a window lie among the addresses that C sees as guest memory. */
enum { REGLET_ENGINE_WINDOW = 65536 };

/*
 * What a component's imports call. `guest` is the data of the store. Of both functions the call ends after false, or a negative
 * number.
 */
struct reglet_engine_door {
    /* Serves a request in JSON by a function of reglet_host; `is_open`: by one of the embedding program. The response lives until
     * the next request. */
    bool (*request)(void *guest, const char *function, bool is_open, const uint8_t *request, size_t size,
                    const uint8_t **response, size_t *response_size);
    /* Calls a function of preview1, for which the window stands for memory; returns its error. */
    int (*wasi)(void *guest, const char *function, const uint64_t *arguments, size_t count, uint8_t *window,
                size_t size);
    /* Where the crate keeps what one call has, to be given to reglet_engine_component_state_delete(). */
    void **(*state)(void *guest);
};
void reglet_engine_component_state_delete(void *state); /* NULL is allowed */

/* What is wrong with a component, or why its code did not return, beside the message. */
enum reglet_engine_fault {
    REGLET_ENGINE_NO_FAULT,
    REGLET_ENGINE_UNKNOWN_IMPORT,
    REGLET_ENGINE_SIGNATURE,
    REGLET_ENGINE_MISSING_EXPORT,
    REGLET_ENGINE_BAD_OUTPUT, /* it answered what JSON cannot hold */
    REGLET_ENGINE_TOO_MUCH,   /* it handed over more than it may */
    REGLET_ENGINE_TOO_MANY,   /* it wants more instances, memories or tables than it may have */
    REGLET_ENGINE_BREACH,     /* it called the host as nothing may be called */
    REGLET_ENGINE_TRAP,       /* in *trap, and no error is returned */
    REGLET_ENGINE_OTHER
};

/* A component that imports what there is, and exports what a plugin exports. Immutable, thread safe. */
struct reglet_engine_linked;
wasmtime_error_t *reglet_engine_component_link(const wasmtime_component_t *component,
                                               const struct reglet_engine_door *door,
                                               struct reglet_engine_linked **out,
                                               enum reglet_engine_fault *fault);
void reglet_engine_linked_delete(struct reglet_engine_linked *linked); /* NULL is allowed */
/* Such as "reglet:plugin/plugin@1.1.0". Static. */
const char *reglet_engine_linked_interface(const struct reglet_engine_linked *linked);

/* Calls `item` for each function that it imports, then for each that it exports: by interface, name and type. Of an interface
 * without functions, and of what is no interface, both are NULL. False: `item` ended the list by returning false. */
bool reglet_engine_component_each(const wasmtime_component_t *component,
                                  bool (*item)(void *user_data, bool is_export, const char *interface,
                                               const char *function, const char *type),
                                  void *user_data);

wasmtime_error_t *reglet_engine_component_start(const struct reglet_engine_linked *linked,
                                                wasmtime_context_t *store, wasmtime_component_instance_t *out,
                                                enum reglet_engine_fault *fault, wasm_trap_t **trap);

enum reglet_engine_export { REGLET_ENGINE_DESCRIBE, REGLET_ENGINE_SCHEMA, REGLET_ENGINE_OBSERVE };

/*
 * Calls an export, which answers in JSON as that of a module would; schema: {"fields": [{name, type, required, description}]}.
 * `config` (observe): a JSON object.
 */
wasmtime_error_t *reglet_engine_component_call(const struct reglet_engine_linked *linked,
                                               wasmtime_context_t *store,
                                               const wasmtime_component_instance_t *instance,
                                               enum reglet_engine_export which, const char *config,
                                               size_t size, wasm_byte_vec_t *out,
                                               enum reglet_engine_fault *fault, wasm_trap_t **trap);

/* Such as "wasmtime 48.0.8". Static. */
const char *reglet_engine_crate_version(void);

#endif
