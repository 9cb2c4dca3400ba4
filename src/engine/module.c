#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "util/cleanup.h"
#include "util/fail.h"
#include "util/limits.h"

/* Not by wasm_valtype_kind(): that aborts the process on a type it has no name for, and a plugin chooses the type. */
static char letter_of(const wasm_valtype_t *type) {
    wasmtime_valtype_t known;
    wasmtime_valtype_new(type, &known);
    wasmtime_valtype_kind_t kind = known.kind;
    wasmtime_valtype_delete(&known);
    switch (kind) {
    case WASMTIME_VALTYPE_KIND_I32: return 'i';
    case WASMTIME_VALTYPE_KIND_I64: return 'I';
    case WASMTIME_VALTYPE_KIND_F32: return 'f';
    case WASMTIME_VALTYPE_KIND_F64: return 'F';
    case WASMTIME_VALTYPE_KIND_V128: return 'v';
    default: return 'r';
    }
}

/* No function that a host knows has as many parameters or results; a module may repeat a type a million times. */
enum { MOST_LETTERS = 32 };

static size_t letters(const wasm_valtype_vec_t *types, char *out) {
    size_t count = types->size < MOST_LETTERS ? types->size : MOST_LETTERS;
    for (size_t i = 0; i < count; i++)
        out[i] = letter_of(types->data[i]);
    return count;
}

/* What an import or export is: "ii->I" for a function, a word for anything else. NULL without memory. */
static char *describe_type(const wasm_externtype_t *type) {
    switch (wasm_externtype_kind(type)) {
    case WASM_EXTERN_FUNC: break;
    case WASM_EXTERN_MEMORY: return strdup("memory");
    case WASM_EXTERN_TABLE: return strdup("table");
    case WASM_EXTERN_GLOBAL: return strdup("global");
    default: return strdup("other");
    }
    const wasm_functype_t *function = wasm_externtype_as_functype_const(type);
    const wasm_valtype_vec_t *parameters = wasm_functype_params(function),
                             *results = wasm_functype_results(function);
    char text[2 * MOST_LETTERS + sizeof "->"];
    size_t length = letters(parameters, text);
    memcpy(text + length, "->", 2);
    length += 2;
    length += letters(results, text + length);
    text[length] = '\0';
    return strdup(text);
}

static const char *type_word(char letter) {
    switch (letter) {
    case 'i': return "i32";
    case 'I': return "i64";
    case 'f': return "f32";
    case 'F': return "f64";
    case 'v': return "v128";
    default: return "reference";
    }
}

void reglet__signature_text(const char *signature, char *out, size_t size) {
    const char *arrow = strstr(signature, "->");
    if (!arrow) {
        snprintf(out, size, "a %s", signature);
        return;
    }
    size_t length = (size_t)snprintf(out, size, "(");
    for (const char *at = signature; *at && length < size; at++) {
        if (at == arrow) {
            length += (size_t)snprintf(out + length, size - length, ") -> (");
            at++;
        } else {
            const char *comma = at == signature || at == arrow + 2 ? "" : ", ";
            length += (size_t)snprintf(out + length, size - length, "%s%s", comma, type_word(*at));
        }
    }
    if (length < size)
        snprintf(out + length, size - length, ")");
}

static bool text_is(const wasm_name_t *name, const char *text) {
    return strlen(text) == name->size && memcmp(text, name->data, name->size) == 0;
}

/* The import of that name; or the one that stands for every name of its module. */
static const struct reglet__import *find_import(const struct reglet__engine *engine,
                                                const wasm_name_t *module, const wasm_name_t *name) {
    const struct reglet__import *any = NULL;
    for (size_t t = 0; t < engine->table_count; t++) {
        const struct import_table *table = &engine->tables[t];
        for (size_t i = 0; i < table->count; i++) {
            const struct reglet__import *import = &table->imports[i];
            if (!text_is(module, import->module))
                continue;
            if (!import->name)
                any = import;
            else if (text_is(name, import->name))
                return import;
        }
    }
    return any;
}

static reglet_status unknown_import(const wasm_name_t *module, const wasm_name_t *name, const char *wanted,
                                    reglet_error **err) {
    return reglet__fail(err, REGLET_ERR_UNKNOWN_IMPORT, REGLET_DOMAIN_ENGINE,
                        "the module imports the %s \"%.*s\" of \"%.*s\", which this host does not provide",
                        strstr(wanted, "->") ? "function" : wanted, (int)name->size, name->data,
                        (int)module->size, module->data);
}

/* A name with a NUL in it would pass for another one, cut there. */
static reglet_status keep_open_import(struct reglet__module *module, const struct reglet__import *import,
                                      const wasm_name_t *name, reglet_error **err) {
    for (size_t i = 0; i < module->open_import_count; i++)
        if (text_is(name, module->open_imports[i].name))
            return REGLET_OK;
    if (module->open_import_count == REGLET__MAX_HOST_FUNCTIONS)
        return reglet__fail(err, REGLET_ERR_UNKNOWN_IMPORT, REGLET_DOMAIN_ENGINE,
                            "the module imports more functions of \"%s\" than any host provides",
                            import->module);
    char *copy = strndup(name->data, name->size);
    if (!copy)
        return reglet__fail_memory(err);
    module->open_imports[module->open_import_count] = *import;
    module->open_imports[module->open_import_count++].name = copy;
    return REGLET_OK;
}

static reglet_status check_import(struct reglet__module *module, const wasm_importtype_t *type,
                                  reglet_error **err) {
    const wasm_name_t *from = wasm_importtype_module(type), *name = wasm_importtype_name(type);
    _cleanup_free_ char *wanted = describe_type(wasm_importtype_type(type));
    if (!wanted)
        return reglet__fail_memory(err);
    const struct reglet__import *import = find_import(module->engine, from, name);
    bool same = import && strcmp(wanted, import->signature) == 0;
    if (!import || (!import->name && (!same || memchr(name->data, '\0', name->size))))
        return unknown_import(from, name, wanted, err);
    if (same)
        return import->name ? REGLET_OK : keep_open_import(module, import, name, err);
    char theirs[256], ours[256];
    reglet__signature_text(wanted, theirs, sizeof theirs);
    reglet__signature_text(import->signature, ours, sizeof ours);
    return reglet__fail(err, REGLET_ERR_SIGNATURE, REGLET_DOMAIN_ENGINE,
                        "the module imports \"%s\" of \"%s\" as %s; this host provides %s", import->name,
                        import->module, theirs, ours);
}

static reglet_status check_imports(struct reglet__module *module, const wasmtime_module_t *compiled,
                                   reglet_error **err) {
    wasm_importtype_vec_t imports;
    wasmtime_module_imports(compiled, &imports);
    size_t most = imports.size < REGLET__MAX_HOST_FUNCTIONS ? imports.size : REGLET__MAX_HOST_FUNCTIONS;
    module->open_imports = calloc(most ? most : 1, sizeof *module->open_imports);
    reglet_status status = module->open_imports ? REGLET_OK : reglet__fail_memory(err);
    for (size_t i = 0; i < imports.size && status == REGLET_OK; i++)
        status = check_import(module, imports.data[i], err);
    wasm_importtype_vec_delete(&imports);
    return status;
}

const char *reglet__module_open_import(const struct reglet__module *module, size_t index) {
    return index < module->open_import_count ? module->open_imports[index].name : NULL;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct export_entry *)a)->name, ((const struct export_entry *)b)->name);
}

static bool is_exported_global(const wasm_name_t *name) {
    static const char prefix[] = REGLET__GLOBAL_PREFIX;
    return name->size >= sizeof prefix - 1 && memcmp(name->data, prefix, sizeof prefix - 1) == 0;
}

/*
 * A name with a NUL in it is left out: no caller can ask for it, and cut at the NUL it would pass for another export,
 * whose signature is then checked in place of the one that is called.
 */
static reglet_status collect_exports(struct reglet__module *module, const wasmtime_module_t *compiled) {
    wasm_exporttype_vec_t exports;
    wasmtime_module_exports(compiled, &exports);
    module->exports = calloc(exports.size ? exports.size : 1, sizeof *module->exports);
    reglet_status status = module->exports ? REGLET_OK : REGLET_ERR_NO_MEMORY;
    for (size_t i = 0; i < exports.size && status == REGLET_OK; i++) {
        const wasm_name_t *name = wasm_exporttype_name(exports.data[i]);
        if (memchr(name->data, '\0', name->size) || is_exported_global(name))
            continue;
        struct export_entry *entry = &module->exports[module->export_count++];
        entry->name = strndup(name->data, name->size);
        entry->signature = describe_type(wasm_exporttype_type(exports.data[i]));
        if (!entry->name || !entry->signature)
            status = REGLET_ERR_NO_MEMORY;
    }
    wasm_exporttype_vec_delete(&exports);
    if (status == REGLET_OK)
        qsort(module->exports, module->export_count, sizeof *module->exports, by_name);
    return status;
}

const char *reglet__module_export(const struct reglet__module *module, const char *name) {
    size_t low = 0, high = module->export_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, module->exports[middle].name);
        if (order == 0)
            return module->exports[middle].signature;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* What the bytes are when they are no module and no component; NULL when they begin like one. */
static const char *other_file_type(const unsigned char *bytes, size_t size) {
    static const unsigned char module_header[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    if (size == 0)
        return "it is empty";
    if (size >= 4 && memcmp(bytes, "\177ELF", 4) == 0)
        return "it is native code (ELF); compile it for wasm32-wasi";
    if (reglet__is_component(bytes, size))
        return NULL;
    if (size >= 8 && memcmp(bytes, module_header, 4) == 0 && memcmp(bytes, module_header, 8) != 0)
        return "its WebAssembly version is not 1";
    size_t compared = size < sizeof module_header ? size : sizeof module_header;
    if (memcmp(bytes, module_header, compared) == 0)
        return size < sizeof module_header ? "it ends inside the header" : NULL;
    if (bytes[0] == '(')
        return "it is WebAssembly text; translate it with wat2wasm";
    return "it does not begin with the WebAssembly header";
}

static void module_free(struct reglet__module *module) {
    if (module->pre)
        wasmtime_instance_pre_delete(module->pre);
    reglet_engine_linked_delete(module->linked);
    reglet__code_clear(&module->code);
    for (size_t i = 0; i < module->export_count; i++) {
        free(module->exports[i].name);
        free(module->exports[i].signature);
    }
    free(module->exports);
    for (size_t i = 0; i < module->open_import_count; i++)
        free((void *)(uintptr_t)module->open_imports[i].name);
    free(module->open_imports);
    reglet__engine_unref(module->engine);
    free(module);
}
REGLET_DEFINE_CLEANUP(struct reglet__module *, module_free);

/* Only a module with open imports needs a linker of its own. */
static reglet_status link_imports(struct reglet__module *module, const wasmtime_module_t *compiled,
                                  reglet_error **err) {
    wasmtime_linker_t *own = NULL;
    reglet_status status = REGLET_OK;
    wasmtime_linker_t *shared = module->engine->compilers[module->code.compiler].linker;
    if (module->open_import_count > 0)
        own = wasmtime_linker_clone(shared);
    for (size_t i = 0; i < module->open_import_count && status == REGLET_OK; i++)
        status = reglet__linker_define(own, &module->open_imports[i], err);
    wasmtime_error_t *error = NULL;
    if (status == REGLET_OK)
        error = wasmtime_linker_instantiate_pre(own ? own : shared, compiled, &module->pre);
    if (own)
        wasmtime_linker_delete(own);
    return error ? reglet__engine_fail(error, REGLET_ERR_INVALID_MODULE, "the module cannot be linked", err)
                 : status;
}

/* Links what was compiled, and learns what it exports. */
static reglet_status learn(struct reglet__module *module, reglet_error **err) {
    const wasmtime_module_t *compiled = module->code.module;
    if (module->code.component)
        return reglet__component_link(module, err);
    reglet_status status = check_imports(module, compiled, err);
    if (status == REGLET_OK && collect_exports(module, compiled) != REGLET_OK)
        status = reglet__fail_memory(err);
    return status == REGLET_OK ? link_imports(module, compiled, err) : status;
}

/* A module around code that is there; takes the code over, also when it fails. */
static reglet_status module_new(struct reglet__engine *engine, const struct reglet__code *code,
                                struct reglet__module **out, reglet_error **err) {
    _cleanup_(module_free_p)
    struct reglet__module *module = calloc(1, sizeof *module);
    if (!module) {
        struct reglet__code lost = *code;
        reglet__code_clear(&lost);
        return reglet__fail_memory(err);
    }
    atomic_init(&module->references, 1);
    module->engine = reglet__engine_ref(engine);
    module->code = *code;
    reglet_status status = learn(module, err);
    if (status == REGLET_OK)
        *out = take_ptr(module);
    return status;
}

reglet_status reglet__module_compile(struct reglet__engine *engine, const void *wasm, size_t size,
                                     const struct reglet__compile_options *options,
                                     struct reglet__module **out, reglet_error **err) {
    const char *other = other_file_type(wasm, size);
    if (other)
        return reglet__fail(err, REGLET_ERR_INVALID_MODULE, REGLET_DOMAIN_ENGINE, "no WebAssembly module: %s",
                            other);
    struct reglet__code code = {0};
    reglet_status status = reglet__code_compile(engine, wasm, size, options, &code, err);
    if (status == REGLET_OK)
        return module_new(engine, &code, out, err);
    reglet__code_clear(&code);
    return status;
}

reglet_status reglet__module_map(struct reglet__engine *engine, enum reglet__compiler compiler,
                                 const struct reglet__code_file *file, const struct reglet__module *sibling,
                                 struct reglet__module **out, reglet_error **err) {
    struct reglet__code code = {0};
    reglet_status status =
        reglet__code_map(engine, compiler, file, sibling ? &sibling->code : NULL, &code, err);
    if (status != REGLET_OK) {
        reglet__code_clear(&code);
        return status;
    }
    return module_new(engine, &code, out, err);
}

reglet_status reglet__module_save(const struct reglet__module *module, struct reglet__store *store,
                                  const struct reglet__code_key *key, reglet_error **err) {
    return reglet__code_save(&module->code, store, key, err);
}

enum reglet__compiler reglet__module_compiler(const struct reglet__module *module) {
    return module->code.compiler;
}

bool reglet__module_is_from_file(const struct reglet__module *module) {
    return module->code.from_file;
}

size_t reglet__module_code_bytes(const struct reglet__module *module) {
    void *start = NULL, *end = NULL;
    if (module->code.component)
        return reglet_engine_component_code_bytes(module->code.component);
    wasmtime_module_image_range(module->code.module, &start, &end);
    return (size_t)((char *)end - (char *)start);
}

const char *reglet__module_no_image(const struct reglet__module *module) {
    return reglet__code_no_image(&module->code);
}

struct reglet__module *reglet__module_ref(struct reglet__module *module) {
    atomic_fetch_add_explicit(&module->references, 1, memory_order_relaxed);
    return module;
}

void reglet__module_unref(struct reglet__module *module) {
    if (module && atomic_fetch_sub_explicit(&module->references, 1, memory_order_acq_rel) == 1)
        module_free(module);
}
