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

/* What one instance may grow to, and what was refused. */
struct reglet_engine_limits {
    uint64_t memory_bytes;
    uint64_t table_elements;
    uint64_t refused_memory_bytes;   /* the first refused size, 0: none */
    uint64_t refused_table_elements; /* the same */
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
    REGLET_ENGINE_REASONS
};

/* What a module is made of. Counts are of what it has itself, but for tables and memories: with those that it imports. */
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

/* Such as "wasmtime 48.0.8". Static. */
const char *reglet_engine_crate_version(void);

#endif
