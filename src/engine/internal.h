/*
 * internal.h - what the files of this room share.
 */
#ifndef REGLET_ENGINE_INTERNAL_H
#define REGLET_ENGINE_INTERNAL_H

#include <reglet_engine.h>
#include <stdatomic.h>

#include "engine/code.h"
#include "engine/engine.h"
#include "engine/memory.h"
#include "engine/ticker.h"

/* Only table of host functions: what a module may import. */
struct import_table {
    const struct reglet__import *imports;
    size_t count;
};

enum { MAX_IMPORT_TABLES = 4 };

struct compiler {
    wasm_engine_t *engine;     /* NULL: not for this machine */
    wasmtime_linker_t *linker; /* all host functions; read only once the engine is made */
    uint64_t compatibility;
};

struct reglet__engine {
    atomic_uint references;
    struct compiler compilers[REGLET__COMPILERS];
    size_t background_threads; /* that a compilation nobody waits for may have */
    struct import_table tables[MAX_IMPORT_TABLES];
    size_t table_count;
    struct reglet__ticker *ticker;
};

struct export_entry {
    char *name;
    char *signature; /* or the kind of what is exported */
};

/* A core module or a component: of those that say so, one has only one of two. */
struct reglet__module {
    atomic_uint references;
    struct reglet__engine *engine;
    wasmtime_instance_pre_t *pre;        /* imports linked and checked */
    struct reglet_engine_linked *linked; /* the same, of a component */
    struct export_entry *exports;        /* sorted by name */
    size_t export_count;
    struct reglet__import
        *open_imports; /* those of tables that have no name, with the names that were imported */
    size_t open_import_count;
    struct reglet__code code;
};

/* The name of an exported global, by its number; no plugin sees it. */
#define REGLET__GLOBAL_PREFIX "reglet:global:"
enum { REGLET__GLOBAL_NAME_SIZE = 40 };

/* Bytes of the host that a component's request or response is in, at addresses as if they were guest memory. */
struct window {
    unsigned char *bytes;
    size_t size;
};

struct reglet__guest {
    struct reglet__module *module;
    struct reglet__guest_options options;
    struct reglet_engine_limits limits; /* the engine notes here what it refused */
    wasmtime_store_t *store;
    wasmtime_context_t *context;
    wasmtime_instance_t instance;
    wasmtime_component_instance_t component; /* instead of it */
    struct window asked, answered;           /* of a component; `answered` is the guest's */
    void *component_state;                   /* the crate's, of this call */
    bool instantiated;
    wasmtime_caller_t *caller;           /* while a host function runs */
    const struct reglet__import *import; /* the function that runs */
    wasmtime_memory_t memory;
    bool has_memory;     /* memory is known: found on first use */
    const char *reached; /* the first import that was called and after which there is no image; NULL: none */
    struct reglet__stop stop;
};

/* The host function behind every import; `environment` is its struct reglet__import. */
wasm_trap_t *reglet__guest_trampoline(void *environment, wasmtime_caller_t *caller,
                                      wasmtime_val_raw_t *values, size_t count);

/* Calls a host function for the guest. False: it ended the call. */
bool reglet__guest_serve(struct reglet__guest *guest, wasmtime_caller_t *caller,
                         const struct reglet__import *import, union reglet__slot *slots);

/* Tells why guest code did not return. Takes error and trap over. */
reglet_status reglet__guest_ended(struct reglet__guest *guest, wasmtime_error_t *error, wasm_trap_t *trap,
                                  uint32_t *exit_code, reglet_error **err);

/* --- Components: component.c ------------------------------------------------------------------------------ */

/* Links it, and notes what it exports. */
reglet_status reglet__component_link(struct reglet__module *module, reglet_error **err);
/* Makes the instance of a guest. As reglet__guest_new(). */
reglet_status reglet__component_start(struct reglet__guest *guest, uint32_t *exit_code, reglet_error **err);
/* The part of reglet__guest_free() that is a component's. */
void reglet__component_end(struct reglet__guest *guest);
/* As reglet__guest_memory() and reglet__guest_give(), in a window. */
void *reglet__component_memory(struct reglet__guest *guest, uint32_t address, uint64_t size);
reglet_status reglet__component_give(struct reglet__guest *guest, const void *data, uint32_t size,
                                     uint32_t *address, reglet_error **err);

/* Makes a host function known to a linker. */
reglet_status reglet__linker_define(wasmtime_linker_t *linker, const struct reglet__import *import,
                                    reglet_error **err);

/* An engine's message as one line, without its indentation. Frees the error. */
reglet_status reglet__engine_fail(wasmtime_error_t *error, reglet_status code, const char *what,
                                  reglet_error **err);

#endif
