/*
 * inspect.h - what a module is made of, for people.
 */
#ifndef REGLET_ENGINE_INSPECT_H
#define REGLET_ENGINE_INSPECT_H

#include "engine/engine.h"

/* One import or export. Everything is borrowed for the time of the call that hands it out. */
struct reglet__external {
    size_t index, count; /* which of how many */
    const char *
        module; /* of an import, and of a component's export: where from; not NUL-terminated, may hold NULs, is UTF-8 */
    size_t module_size;
    const char *name; /* the same */
    size_t name_size;
    const char *
        kind; /* "function", "memory", "table", "global" or "tag"; of a component also "interface", without a name */
    const char *type; /* of a function, such as "(i32) -> (i64)"; else NULL */
    bool open;        /* of an import: only one without a name provides it */
};

/* Returns false to end the list. */
typedef bool (*reglet__external_fn)(void *user_data, const struct reglet__external *external);

/* In the module's order. NO_MEMORY, which is also the answer when the function ended the list. */
reglet_status reglet__module_each_import(const struct reglet__module *module, reglet__external_fn function,
                                         void *user_data);
/* The same, without what was added when the module was rewritten. */
reglet_status reglet__module_each_export(const struct reglet__module *module, reglet__external_fn function,
                                         void *user_data);

/* What the module is made of. */
struct reglet__module_facts {
    uint64_t module_bytes, custom_bytes;
    bool has_memory;
    uint64_t memory_bytes, memory_max_bytes; /* 0: no maximum */
    uint64_t tables, table_elements;
    uint64_t functions, code_bytes;
    uint64_t globals, mutable_globals;
    uint64_t data_segments, data_bytes;
};
void reglet__module_facts(const struct reglet__module *module, struct reglet__module_facts *out);

#endif
