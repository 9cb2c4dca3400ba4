/*
 * reglet/inspect.h - what a plugin's module is made of, and how its calls start.
 */
#ifndef REGLET_INSPECT_H
#define REGLET_INSPECT_H

#include <reglet/plugin.h>

REGLET_BEGIN_DECLS

/** A function that the module imports. */
typedef struct reglet_inspected_import {
    const char *module; /**< of a component: the interface, such as "reglet:plugin/host@1.1.0" */
    const char *name;   /**< empty: of the interface only types */
    const char
        *type; /**< such as "(i32, i64) -> (i32)"; of a component, such as "func(name: string) -> bool" */
    const char *
        provider; /**< "wasi", "host" (the library) or "embedder" (a host function of the embedding program) */
} reglet_inspected_import;

/** Something that the module exports. */
typedef struct reglet_inspected_export {
    const char *name;
    const char
        *kind; /**< "function", "memory", "table", "global" or "tag"; of a component also "interface" */
    const char *type;      /**< of a function, as above; NULL of anything else */
    const char *interface; /**< of a component, where the name stands; else NULL */
} reglet_inspected_export;

/**
 * A module, taken apart. Names are as the module has them: they may hold what drives a terminal. A NUL in one is given as
 * U+FFFD. A type with more than 32 parameters or results says how many more there are.
 */
typedef struct reglet_inspection {
    size_t struct_size; /**< size of the structure that the library filled in */
    const char *name;   /**< under which it was loaded */
    const char *sha256; /**< of the module, 64 hexadecimal digits */
    uint64_t module_bytes;
    uint64_t custom_bytes; /**< of those, in custom sections: names, debug information */
    int abi_generation; /**< 1 or 2; 0: it is no plugin, having none of the exports of either; a component's is 1 */

    const reglet_inspected_import *imports; /**< in the module's order; the first 10,000 */
    size_t import_count;
    uint64_t imports_left_out;
    const reglet_inspected_export *exports; /**< the same */
    size_t export_count;
    uint64_t exports_left_out;

    /* What it is made of. */
    bool has_memory;
    uint64_t memory_bytes; /**< that its memory starts with */
    uint64_t
        memory_max_bytes; /**< that it may grow to by its own word, 0: without end; the runtime's limit holds besides */
    uint64_t table_count;
    uint64_t table_elements; /**< that all tables together start with */
    uint64_t function_count;
    uint64_t global_count;
    uint64_t mutable_global_count;
    uint64_t data_segment_count;
    uint64_t data_bytes; /**< in the data segments */
    uint64_t code_bytes; /**< of its functions, as WebAssembly */

    const char *compiler;        /**< whose machine code is in use: "fast" or "optimizing" */
    uint64_t machine_code_bytes; /**< of it */
    bool from_disk;              /**< it was mapped from a file of compiled code */

    bool starts_from_image; /**< calls start from an image of what initialising left behind */
    const char *no_image;   /**< why not, as in "it has a start function"; NULL where they do */

    const char
        *interface; /**< of a component, the one that it exports: "reglet:plugin/plugin@1.1.0"; else NULL */
} reglet_inspection;

/**
 * Takes a plugin's module apart. Whether calls start from an image can depend on what the plugin does while it initialises:
 * if so, one instance is initialised, under the grants that calls have, and thrown away. One that traps, exits, passes a limit or does
 * not end in time there has that as the reason. Nothing else of the plugin runs, but describe where grants "for all plugins" depend on
 * what it declares.
 *
 * @param call  for the case that it has to run; may be NULL
 * @param out   receives the inspection, to be freed with reglet_inspection_free(); it outlives plugin and runtime;
 *              untouched on failure
 * @return REGLET_OK; REGLET_ERR_CANCELLED; REGLET_ERR_TIMEOUT (its turn to run did not come in time); REGLET_ERR_CLOSED;
 *         REGLET_ERR_THREAD_STACK; REGLET_ERR_INVALID_ARGUMENT; REGLET_ERR_NO_MEMORY; REGLET_ERR_IO (no descriptor is left
 *         to wait for its turn with)
 *
 * Any thread.
 */
REGLET_API reglet_status reglet_plugin_inspect(reglet_plugin *plugin, const reglet_call_options *call,
                                               const reglet_inspection **out, reglet_error **err);

/** The inspection as one JSON object; `reglet inspect --format json` prints it. Borrowed from it. */
REGLET_API const char *reglet_inspection_json(const reglet_inspection *inspection);

/** Frees. NULL is allowed. Any thread. */
REGLET_API void reglet_inspection_free(const reglet_inspection *inspection);

REGLET_END_DECLS

#endif
