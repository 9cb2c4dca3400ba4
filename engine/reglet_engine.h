/*
 * reglet_engine.h - what the engine crate adds to Wasmtime's C API. See engine/src/lib.rs.
 */
#ifndef REGLET_ENGINE_CRATE_H
#define REGLET_ENGINE_CRATE_H

#include <stdbool.h>
#include <wasmtime.h>

/* As wasm_engine_new_with_config(), but a failure is an error and not an abort. Takes `config` over. */
wasmtime_error_t *reglet_engine_new(wasm_config_t *config, wasm_engine_t **out);

/* As wasmtime_module_new(), but on threads of its own: no other compilation waits for this one. */
wasmtime_error_t *reglet_engine_module_new(wasm_engine_t *engine, const uint8_t *wasm, size_t size,
                                           wasmtime_module_t **out);

/* Makes the memory image that instances start from now, and not with the first of them. */
wasmtime_error_t *reglet_engine_module_prepare(const wasmtime_module_t *module);

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

/* A module without its active data, and with its mutable globals exported as "reglet:global:0" and so on. */
struct reglet_engine_rewritten {
    const char *reason; /* static: why it was left as it is, as in "it has a start function"; NULL: it was not */
    uint8_t *wasm;
    size_t wasm_size;
    struct reglet_engine_segment *segments;
    size_t segment_count;
    size_t global_count;
    uint64_t memory_pages;
};

/* Rewrites a module, so that its instances can start from an image of memory and globals. False: it is none. */
bool reglet_engine_rewrite(const uint8_t *wasm, size_t size, struct reglet_engine_rewritten *out);
void reglet_engine_rewritten_free(struct reglet_engine_rewritten *rewritten);

/* Such as "wasmtime 48.0.8". Static. */
const char *reglet_engine_crate_version(void);

#endif
