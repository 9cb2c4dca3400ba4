/*
 * code.h - from a module's bytes, or a file of an earlier process, to machine code.
 */
#ifndef REGLET_ENGINE_CODE_H
#define REGLET_ENGINE_CODE_H

#include <reglet_engine.h>

#include "engine/engine.h"
#include "engine/memory.h"

/* Of the files that code is kept in: a part of their key. */
enum { REGLET__CODE_FORMAT = 4 };

/* Machine code of a module or of a component, and what its instances start from. */
struct reglet__code {
    wasmtime_module_t *module;
    wasmtime_component_t *component; /* instead of it */
    enum reglet__compiler compiler;
    bool from_file;
    bool rewritten; /* without data segments, which `initial` has, and with its mutable globals exported */
    struct reglet_engine_facts facts;
    struct reglet__image
        *initial; /* what data segments write; zeroes where the engine writes them; NULL: no memory */
};

reglet_status reglet__code_compile(struct reglet__engine *engine, const void *wasm, size_t size,
                                   const struct reglet__compile_options *options, struct reglet__code *out,
                                   reglet_error **err);

/* Takes it from a file's content. IO: the content is not what this library writes. */
reglet_status reglet__code_map(struct reglet__engine *engine, enum reglet__compiler compiler,
                               const struct reglet__code_file *file, const struct reglet__code *sibling,
                               struct reglet__code *out, reglet_error **err);

reglet_status reglet__code_save(const struct reglet__code *code, struct reglet__store *store,
                                const struct reglet__code_key *key, reglet_error **err);

/* Whether the bytes begin as a component does. */
bool reglet__is_component(const void *bytes, size_t size);

void reglet__code_clear(struct reglet__code *code);

/* Why no image can be taken of its instances; NULL: one can. Static. */
const char *reglet__code_no_image(const struct reglet__code *code);

#endif
