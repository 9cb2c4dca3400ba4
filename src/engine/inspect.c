#include "engine/inspect.h"

#include <string.h>

#include "engine/internal.h"
#include "util/buf.h"
#include "util/fail.h"
#include "util/limits.h"

/* --- Types ------------------------------------------------------------------------------------------------ */

static const char *type_word(const wasm_valtype_t *type) {
    wasmtime_valtype_t known;
    wasmtime_valtype_new(type, &known);
    const char *word = "reference";
    switch (known.kind) {
    case WASMTIME_VALTYPE_KIND_I32: word = "i32"; break;
    case WASMTIME_VALTYPE_KIND_I64: word = "i64"; break;
    case WASMTIME_VALTYPE_KIND_F32: word = "f32"; break;
    case WASMTIME_VALTYPE_KIND_F64: word = "f64"; break;
    case WASMTIME_VALTYPE_KIND_V128: word = "v128"; break;
    case WASMTIME_VALTYPE_KIND_REF:
        word = known.reftype.heaptype.kind == WASMTIME_HEAPTYPE_KIND_FUNC ? "funcref" : "reference";
        break;
    }
    wasmtime_valtype_delete(&known);
    return word;
}

/* A thousand exports may share one function of a thousand parameters. */
static void put_types(struct reglet__buf *text, const wasm_valtype_vec_t *types) {
    size_t shown =
        types->size < REGLET__MAX_INSPECTED_TYPES ? types->size : (size_t)REGLET__MAX_INSPECTED_TYPES;
    reglet__buf_append_text(text, "(");
    for (size_t i = 0; i < shown; i++)
        reglet__buf_appendf(text, "%s%s", i == 0 ? "" : ", ", type_word(types->data[i]));
    if (shown < types->size)
        reglet__buf_appendf(text, ", … %zu more", types->size - shown);
    reglet__buf_append_text(text, ")");
}

static const char *kind_word(const wasm_externtype_t *type) {
    switch (wasm_externtype_kind(type)) {
    case WASM_EXTERN_FUNC: return "function";
    case WASM_EXTERN_GLOBAL: return "global";
    case WASM_EXTERN_TABLE: return "table";
    case WASM_EXTERN_MEMORY: return "memory";
    default: return "tag";
    }
}

/* Fills in what both lists have. False without memory. */
static bool set_type(struct reglet__external *external, const wasm_name_t *name,
                     const wasm_externtype_t *type, struct reglet__buf *text) {
    external->name = name->data;
    external->name_size = name->size;
    external->kind = kind_word(type);
    if (wasm_externtype_kind(type) != WASM_EXTERN_FUNC)
        return true;
    const wasm_functype_t *function = wasm_externtype_as_functype_const(type);
    reglet__buf_clear(text);
    put_types(text, wasm_functype_params(function));
    reglet__buf_append_text(text, " -> ");
    put_types(text, wasm_functype_results(function));
    external->type = text->data;
    return text->status == REGLET_OK;
}

/* --- Components ------------------------------------------------------------------------------------------- */

/* A list of one side: first counted, then handed out. */
struct component_list {
    bool exports;
    size_t index, count;
    reglet__external_fn function; /* NULL: they are counted */
    void *user_data;
};

static bool list_item(void *user_data, bool is_export, const char *interface, const char *function,
                      const char *type) {
    struct component_list *list = user_data;
    if (is_export != list->exports)
        return true;
    if (!list->function)
        return ++list->count;
    const char *name = function ? function : "";
    const struct reglet__external external = {
        .index = list->index++,
        .count = list->count,
        .module = interface,
        .module_size = strlen(interface),
        .name = name,
        .name_size = strlen(name),
        .kind = function ? "function" : "interface",
        .type = type,
    };
    return list->function(list->user_data, &external);
}

static reglet_status each_of_component(const struct reglet__module *module, bool exports,
                                       reglet__external_fn function, void *user_data) {
    struct component_list list = {.exports = exports};
    reglet_engine_component_each(module->code.component, list_item, &list);
    list.function = function;
    list.user_data = user_data;
    return reglet_engine_component_each(module->code.component, list_item, &list) ? REGLET_OK
                                                                                  : REGLET_ERR_NO_MEMORY;
}

/* --- Lists ------------------------------------------------------------------------------------------------ */

static bool has_text(const char *text, const wasm_name_t *name) {
    return strlen(text) == name->size && memcmp(text, name->data, name->size) == 0;
}

static bool is_open(const struct reglet__engine *engine, const wasm_name_t *from, const wasm_name_t *name) {
    for (size_t t = 0; t < engine->table_count; t++) {
        const struct import_table *table = &engine->tables[t];
        for (size_t i = 0; i < table->count; i++) {
            const struct reglet__import *import = &table->imports[i];
            if (import->name && has_text(import->module, from) && has_text(import->name, name))
                return false;
        }
    }
    return true;
}

reglet_status reglet__module_each_import(const struct reglet__module *module, reglet__external_fn function,
                                         void *user_data) {
    if (module->code.component)
        return each_of_component(module, false, function, user_data);
    _cleanup_buf_ struct reglet__buf text = REGLET__BUF_INIT(SIZE_MAX);
    wasm_importtype_vec_t imports;
    wasmtime_module_imports(module->code.module, &imports);
    bool good = true;
    for (size_t i = 0; i < imports.size && good; i++) {
        const wasm_name_t *from = wasm_importtype_module(imports.data[i]),
                          *name = wasm_importtype_name(imports.data[i]);
        struct reglet__external external = {
            .index = i, .count = imports.size, .module = from->data, .module_size = from->size};
        external.open = is_open(module->engine, from, name);
        good = set_type(&external, name, wasm_importtype_type(imports.data[i]), &text) &&
               function(user_data, &external);
    }
    wasm_importtype_vec_delete(&imports);
    return good ? REGLET_OK : REGLET_ERR_NO_MEMORY;
}

reglet_status reglet__module_each_export(const struct reglet__module *module, reglet__external_fn function,
                                         void *user_data) {
    if (module->code.component)
        return each_of_component(module, true, function, user_data);
    _cleanup_buf_ struct reglet__buf text = REGLET__BUF_INIT(SIZE_MAX);
    wasm_exporttype_vec_t exports;
    wasmtime_module_exports(module->code.module, &exports);
    /* Rewriting puts the mutable globals after all others. */
    size_t own = exports.size - (module->code.rewritten ? (size_t)module->code.facts.mutable_globals : 0);
    bool good = true;
    for (size_t i = 0; i < own && good; i++) {
        struct reglet__external external = {.index = i, .count = own};
        good = set_type(&external, wasm_exporttype_name(exports.data[i]),
                        wasm_exporttype_type(exports.data[i]), &text) &&
               function(user_data, &external);
    }
    wasm_exporttype_vec_delete(&exports);
    return good ? REGLET_OK : REGLET_ERR_NO_MEMORY;
}

/* --- Numbers ---------------------------------------------------------------------------------------------- */

static uint64_t bytes_of(uint64_t pages) {
    return pages > UINT64_MAX >> 16 ? UINT64_MAX : pages << 16;
}

void reglet__module_facts(const struct reglet__module *module, struct reglet__module_facts *out) {
    const struct reglet_engine_facts *facts = &module->code.facts;
    *out = (struct reglet__module_facts){
        .module_bytes = facts->module_bytes,
        .custom_bytes = facts->custom_bytes,
        .has_memory = facts->memories > 0,
        .memory_bytes = bytes_of(facts->memory_pages),
        .memory_max_bytes = facts->memory_most_pages == UINT64_MAX ? 0 : bytes_of(facts->memory_most_pages),
        .tables = facts->tables,
        .table_elements = facts->table_elements,
        .functions = facts->functions,
        .code_bytes = facts->code_bytes,
        .globals = facts->globals,
        .mutable_globals = facts->mutable_globals,
        .data_segments = facts->segments,
        .data_bytes = facts->segment_bytes,
    };
}
