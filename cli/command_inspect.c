#define _GNU_SOURCE
#include "command.h"
#include "session.h"
#include "table.h"
#include "term.h"

#include <inttypes.h>
#include <string.h>

enum { MOST_ROWS = 100 }; /* more are not read by people; --format json has them */

static char *count_text(uint64_t count, const char *one, const char *many) {
    return format_text("%" PRIu64 " %s", count, count == 1 ? one : many);
}

/* ---- what it is ---- */

static void add_kind(struct table *table, const reglet_inspection *inspection) {
    _cleanup_free_ char *abi = inspection->interface ? format_text("component, %s", inspection->interface)
                               : inspection->abi_generation == 0
                                   ? format_text("none: it is no plugin")
                                   : format_text("v%d", inspection->abi_generation);
    table_add_row(table, "abi", abi);
}

static void add_image(struct table *table, const reglet_inspection *inspection) {
    _cleanup_free_ char *text = inspection->starts_from_image
                                    ? format_text("yes: calls start where initialising ended")
                                    : format_text("no: %s", inspection->no_image);
    table_add_row(table, "image", text);
}

static void add_machine_code(struct table *table, const reglet_inspection *inspection) {
    _cleanup_free_ char *size = size_text(inspection->machine_code_bytes);
    _cleanup_free_ char *text =
        format_text("%s, by the %s compiler, %s", size, inspection->compiler,
                    inspection->from_disk ? "from the cache on disk" : "compiled by this process");
    table_add_row(table, "machine code", text);
}

/* ---- what it is made of ---- */

static void add_module(struct table *table, const reglet_inspection *inspection) {
    _cleanup_free_ char *size = size_text(inspection->module_bytes);
    _cleanup_free_ char *custom = size_text(inspection->custom_bytes);
    _cleanup_free_ char *text = format_text("%s, %s of it names and debug information", size, custom);
    table_add_row(table, "module", inspection->custom_bytes ? text : size);
}

static void add_memory(struct table *table, const reglet_inspection *inspection) {
    if (!inspection->has_memory) {
        table_add_row(table, "memory", "none");
        return;
    }
    _cleanup_free_ char *size = size_text(inspection->memory_bytes);
    _cleanup_free_ char *most = inspection->memory_max_bytes ? size_text(inspection->memory_max_bytes) : NULL;
    _cleanup_free_ char *pages = count_text(inspection->memory_bytes >> 16, "page", "pages");
    _cleanup_free_ char *text = format_text("%s at first (%s), %s%s", size, pages,
                                            most ? "at most " : "without a maximum", most ? most : "");
    table_add_row(table, "memory", text);
}

static void add_contents(struct table *table, const reglet_inspection *inspection) {
    _cleanup_free_ char *functions = count_text(inspection->function_count, "function", "functions");
    _cleanup_free_ char *code = size_text(inspection->code_bytes);
    _cleanup_free_ char *segments = count_text(inspection->data_segment_count, "segment", "segments");
    _cleanup_free_ char *data = size_text(inspection->data_bytes);
    _cleanup_free_ char *elements = count_text(inspection->table_elements, "element", "elements");
    _cleanup_free_ char *code_text = format_text("%s in %s", code, functions);
    _cleanup_free_ char *data_text = format_text("%s in %s", data, segments);
    _cleanup_free_ char *tables = format_text("%" PRIu64 ", with %s", inspection->table_count, elements);
    _cleanup_free_ char *globals = format_text("%" PRIu64 ", of which %" PRIu64 " can change",
                                               inspection->global_count, inspection->mutable_global_count);
    table_add_row(table, "code", code_text);
    table_add_row(table, "data", data_text);
    table_add_row(table, "tables", tables);
    table_add_row(table, "globals", globals);
}

static void print_summary(const reglet_inspection *inspection) {
    struct table table = {.columns = 2};
    table_add_row(&table, "name", inspection->name);
    table_add_row(&table, "sha256", inspection->sha256);
    add_kind(&table, inspection);
    add_image(&table, inspection);
    add_machine_code(&table, inspection);
    add_module(&table, inspection);
    add_contents(&table, inspection);
    add_memory(&table, inspection);
    table_print(&table, stdout);
    table_clear(&table);
}

/* ---- what it asks for and offers ---- */

static const char *provider_text(const char *provider) {
    return strcmp(provider, "wasi") == 0 ? "WASI" : strcmp(provider, "host") == 0 ? "reglet" : "the embedder";
}

static void print_rest(uint64_t count, size_t shown) {
    if (count > shown)
        printf("… %" PRIu64 " more; --format json lists more of them\n", count - shown);
}

/* Types of a component have all parts of their records in them. */
static void add_type(struct table *table, const char *type) {
    enum { MOST = 60 };
    size_t size = type ? strlen(type) : 0;
    if (size <= MOST) {
        table_add_text(table, type ? type : "");
        return;
    }
    _cleanup_free_ char *cut = format_text("%.*s…", MOST, type);
    table_add_text(table, cut);
}

static void print_imports(const reglet_inspection *inspection) {
    struct table table = {.columns = 4};
    static const char *const heads[] = {"IMPORT", "FROM", "PROVIDED BY", "TYPE"};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++)
        table_add_text(&table, heads[i]);
    size_t shown = inspection->import_count < MOST_ROWS ? inspection->import_count : (size_t)MOST_ROWS;
    for (size_t i = 0; i < shown; i++) {
        table_add_text(&table, inspection->imports[i].name);
        table_add_text(&table, inspection->imports[i].module);
        table_add_text(&table, provider_text(inspection->imports[i].provider));
        add_type(&table, inspection->imports[i].type);
    }
    putchar('\n');
    table_print(&table, stdout);
    print_rest(inspection->import_count + inspection->imports_left_out, shown);
    table_clear(&table);
}

static void print_exports(const reglet_inspection *inspection) {
    bool of_interface = inspection->interface != NULL;
    struct table table = {.columns = of_interface ? 4 : 3};
    static const char *const heads[] = {"EXPORT", "KIND", "TYPE", "OF"};
    for (size_t i = 0; i < table.columns; i++)
        table_add_text(&table, heads[i]);
    size_t shown = inspection->export_count < MOST_ROWS ? inspection->export_count : (size_t)MOST_ROWS;
    for (size_t i = 0; i < shown; i++) {
        table_add_text(&table, inspection->exports[i].name);
        table_add_text(&table, inspection->exports[i].kind);
        add_type(&table, inspection->exports[i].type);
        if (of_interface)
            table_add_text(&table, inspection->exports[i].interface ? inspection->exports[i].interface : "");
    }
    putchar('\n');
    table_print(&table, stdout);
    print_rest(inspection->export_count + inspection->exports_left_out, shown);
    table_clear(&table);
}

static int print_inspection(const struct session *session, const struct options *options) {
    _cleanup_error_ reglet_error *error = NULL;
    const reglet_inspection *inspection = NULL;
    if (reglet_plugin_inspect(session->plugin, &session->call, &inspection, &error) != REGLET_OK) {
        complain_error(options->command->name, error);
        return EXIT_FAILED;
    }
    if (options_format(options) == FORMAT_TABLE) {
        print_summary(inspection);
        print_imports(inspection);
        print_exports(inspection);
    } else {
        const char *json = reglet_inspection_json(inspection);
        term_write_json(stdout, json, strlen(json));
        putchar('\n');
    }
    reglet_inspection_free(inspection);
    return EXIT_OK;
}

static int run(const struct options *options) {
    return session_run(options, print_inspection);
}

const struct command command_inspect = {
    .name = "inspect",
    .bit = COMMAND_INSPECT,
    .synopsis = "PLUGIN.wasm",
    .summary = "what a plugin's module is made of, and how its calls start",
    .details = "Takes a plugin's module apart: ABI generation, sizes, imports and who provides\n"
               "them, exports; and says whether calls start from an image of what initialising\n"
               "left, or why not. To know that, one instance is initialised, with no grants at\n"
               "all; nothing else of it runs.\n",
    .example = "  reglet inspect file.wasm\n",
    .operand = "PLUGIN.wasm",
    .run = run,
};
