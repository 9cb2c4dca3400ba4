#include "command.h"
#include "session.h"
#include "table.h"
#include "term.h"

#include <unistd.h>

static void print_table(const reglet_schema *schema) {
    struct table table = {.columns = 4};
    static const char *const heads[] = {"FIELD", "TYPE", "REQUIRED", "DESCRIPTION"};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++)
        table_add_text(&table, heads[i]);
    for (size_t i = 0; i < schema->field_count; i++) {
        const reglet_field *field = &schema->fields[i];
        table_add_text(&table, field->name);
        table_add_text(&table, field->type);
        table_add_text(&table, field->required ? "yes" : "no");
        table_add_text(&table, field->description);
    }
    table_print(&table, stdout);
    table_clear(&table);
}

/* Byte for byte, so that a file of it has the schema's own checksum; a terminal wants its line ended. */
static void print_raw(const reglet_schema *schema) {
    term_write_json(stdout, schema->raw, schema->raw_size);
    if (isatty(STDOUT_FILENO))
        putchar('\n');
}

static int print_schema(const struct session *session, const struct options *options) {
    _cleanup_error_ reglet_error *error = NULL;
    const reglet_schema *schema = NULL;
    if (reglet_plugin_schema(session->plugin, &session->call, &schema, &error) != REGLET_OK) {
        complain_error(options->command->name, error);
        return EXIT_FAILED;
    }
    if (options->format == FORMAT_TABLE)
        print_table(schema);
    else
        print_raw(schema);
    reglet_schema_free(schema);
    return EXIT_OK;
}

static int run(const struct options *options) {
    return session_run(options, print_schema);
}

const struct command command_schema = {
    .name = "schema",
    .bit = COMMAND_SCHEMA,
    .synopsis = "PLUGIN.wasm",
    .summary = "the JSON Schema of a plugin's config",
    .details = "Asks a plugin for the JSON Schema of its config and prints it as the plugin\n"
               "gave it; --format table lists its fields instead. It runs with no\n"
               "grants at all.\n",
    .example = "  reglet schema file.wasm --format table\n",
    .operand = "PLUGIN.wasm",
    .run = run,
};
