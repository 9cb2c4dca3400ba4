#include "abi/inspection.h"

#include <string.h>

#include "abi/json.h"

struct reglet__inspected *reglet__inspected_new(void) {
    struct reglet__inspected *inspected = calloc(1, sizeof *inspected);
    if (inspected)
        inspected->public.struct_size = sizeof inspected->public;
    return inspected;
}

static struct reglet__inspected *whole(const reglet_inspection *inspection) {
    return (struct reglet__inspected *)(uintptr_t)inspection;
}

void reglet_inspection_free(const reglet_inspection *inspection) {
    if (!inspection)
        return;
    reglet__arena_free(&whole(inspection)->arena);
    free(whole(inspection));
}

const char *reglet_inspection_json(const reglet_inspection *inspection) {
    return inspection ? whole(inspection)->json : NULL;
}

/* --- Writing ---------------------------------------------------------------------------------------------- */

/* An object while it is built. The first failure sticks, so a row of members is checked once. */
struct builder {
    struct reglet__arena *arena;
    struct reglet__json *object; /* NULL: without memory */
};

static void add_text(struct builder *to, const char *key, const char *text) {
    const struct reglet__json null = {.type = REGLET__JSON_NULL};
    struct reglet__json *added = !to->object ? NULL
                                 : text      ? reglet__json_add_text(to->arena, to->object, key, text)
                                        : reglet__json_add(to->arena, to->object, key, strlen(key), &null);
    to->object = added ? to->object : NULL;
}

static void add_number(struct builder *to, const char *key, uint64_t number) {
    if (to->object && !reglet__json_add_number(to->arena, to->object, key, number))
        to->object = NULL;
}

static void add_flag(struct builder *to, const char *key, bool flag) {
    const enum reglet__json_type literal = flag ? REGLET__JSON_TRUE : REGLET__JSON_FALSE;
    if (to->object && !reglet__json_add_literal(to->arena, to->object, key, literal))
        to->object = NULL;
}

static void add(struct builder *to, const char *key, const struct reglet__json *value) {
    bool added =
        to->object && value && reglet__json_add(to->arena, to->object, key, strlen(key), value) != NULL;
    to->object = added ? to->object : NULL;
}

static struct builder begin(struct reglet__arena *arena) {
    return (struct builder){arena, reglet__json_new_object(arena)};
}

static struct reglet__json *import_object(struct reglet__arena *arena,
                                          const reglet_inspected_import *import) {
    struct builder item = begin(arena);
    add_text(&item, "module", import->module);
    add_text(&item, "name", import->name);
    add_text(&item, "type", import->type);
    add_text(&item, "provider", import->provider);
    return item.object;
}

static struct reglet__json *export_object(struct reglet__arena *arena,
                                          const reglet_inspected_export *export) {
    struct builder item = begin(arena);
    add_text(&item, "name", export->name);
    add_text(&item, "kind", export->kind);
    add_text(&item, "type", export->type);
    if (export->interface)
        add_text(&item, "interface", export->interface);
    return item.object;
}

static void add_imports(struct builder *to, const reglet_inspection *inspection) {
    struct reglet__json array = {.type = REGLET__JSON_ARRAY}, **link = &array.first;
    for (size_t i = 0; i < inspection->import_count && to->object; i++) {
        *link = import_object(to->arena, &inspection->imports[i]);
        if (*link)
            link = &(*link)->next;
        else
            to->object = NULL;
    }
    add(to, "imports", &array);
    if (inspection->imports_left_out)
        add_number(to, "imports_left_out", inspection->imports_left_out);
}

static void add_exports(struct builder *to, const reglet_inspection *inspection) {
    struct reglet__json array = {.type = REGLET__JSON_ARRAY}, **link = &array.first;
    for (size_t i = 0; i < inspection->export_count && to->object; i++) {
        *link = export_object(to->arena, &inspection->exports[i]);
        if (*link)
            link = &(*link)->next;
        else
            to->object = NULL;
    }
    add(to, "exports", &array);
    if (inspection->exports_left_out)
        add_number(to, "exports_left_out", inspection->exports_left_out);
}

/* Two numbers that belong together. */
static void add_pair(struct builder *to, const char *key, const char *first, uint64_t first_number,
                     const char *second, uint64_t second_number) {
    struct builder pair = begin(to->arena);
    add_number(&pair, first, first_number);
    add_number(&pair, second, second_number);
    add(to, key, pair.object);
}

static void add_memory(struct builder *to, const reglet_inspection *inspection) {
    if (!inspection->has_memory) {
        add_text(to, "memory", NULL);
        return;
    }
    struct builder memory = begin(to->arena);
    add_number(&memory, "pages", inspection->memory_bytes >> 16);
    add_number(&memory, "bytes", inspection->memory_bytes);
    if (inspection->memory_max_bytes) {
        add_number(&memory, "max_pages", inspection->memory_max_bytes >> 16);
        add_number(&memory, "max_bytes", inspection->memory_max_bytes);
    }
    add(to, "memory", memory.object);
}

static void add_ways(struct builder *to, const reglet_inspection *inspection) {
    struct builder code = begin(to->arena), image = begin(to->arena);
    add_text(&code, "compiler", inspection->compiler);
    add_number(&code, "bytes", inspection->machine_code_bytes);
    add_flag(&code, "from_disk", inspection->from_disk);
    add(to, "machine_code", code.object);
    add_flag(&image, "used", inspection->starts_from_image);
    add_text(&image, "reason", inspection->no_image);
    add(to, "image", image.object);
}

bool reglet__inspected_print(struct reglet__inspected *inspected) {
    const reglet_inspection *inspection = &inspected->public;
    _cleanup_arena_ struct reglet__arena scratch = {0};
    struct builder root = begin(&scratch);
    add_text(&root, "name", inspection->name);
    add_text(&root, "sha256", inspection->sha256);
    add_number(&root, "bytes", inspection->module_bytes);
    add_number(&root, "custom_bytes", inspection->custom_bytes);
    if (inspection->abi_generation)
        add_number(&root, "abi", (uint64_t)inspection->abi_generation);
    else
        add_text(&root, "abi", NULL);
    if (inspection->interface)
        add_text(&root, "interface", inspection->interface);
    add_imports(&root, inspection);
    add_exports(&root, inspection);
    add_memory(&root, inspection);
    add_pair(&root, "tables", "count", inspection->table_count, "elements", inspection->table_elements);
    add_pair(&root, "functions", "count", inspection->function_count, "bytes", inspection->code_bytes);
    add_pair(&root, "globals", "count", inspection->global_count, "mutable",
             inspection->mutable_global_count);
    add_pair(&root, "data", "segments", inspection->data_segment_count, "bytes", inspection->data_bytes);
    add_ways(&root, inspection);
    inspected->json = root.object ? reglet__json_print(&inspected->arena, root.object, NULL) : NULL;
    return inspected->json != NULL;
}
