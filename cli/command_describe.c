#include "command.h"
#include "session.h"
#include "table.h"
#include "term.h"

#include <string.h>

static void print_capabilities(struct table *table, const reglet_description *description) {
    if (description->capability_count == 0)
        table_add_row(table, "capabilities", "none");
    for (size_t i = 0; i < description->capability_count; i++) {
        const reglet_declared_capability *capability = &description->capabilities[i];
        _cleanup_free_ char *text = format_text("%s:%s", capability->kind, capability->pattern);
        table_add_row(table, i == 0 ? "capabilities" : "", text);
    }
}

static void print_services(struct table *table, const reglet_description *description) {
    for (size_t i = 0; i < description->service_count; i++) {
        const reglet_service *service = &description->services[i];
        _cleanup_free_ char *text = format_text("%s  %s", service->name, service->description);
        table_add_row(table, i == 0 ? "services" : "", text);
        for (size_t j = 0; j < service->operation_count; j++) {
            const reglet_operation *operation = &service->operations[j];
            _cleanup_free_ char *line = format_text("  %s  %s", operation->name, operation->description);
            table_add_row(table, "", line);
        }
    }
}

static const char *or_dash(const char *text) {
    return *text ? text : "-";
}

static void print_table(const reglet_description *description) {
    struct table table = {.columns = 2};
    _cleanup_free_ char *generation = format_text("v%d", description->abi_generation);
    table_add_row(&table, "name", or_dash(description->name));
    table_add_row(&table, "version", or_dash(description->version));
    table_add_row(&table, "description", or_dash(description->description));
    table_add_row(&table, "abi", generation);
    table_add_row(&table, "sdk version", or_dash(description->sdk_version));
    print_capabilities(&table, description);
    print_services(&table, description);
    table_print(&table, stdout);
    table_clear(&table);
}

static int print_description(const struct session *session, const struct options *options) {
    _cleanup_error_ reglet_error *error = NULL;
    const reglet_description *description = NULL;
    if (reglet_plugin_describe(session->plugin, &session->call, &description, &error) != REGLET_OK) {
        complain_error(options->command->name, error);
        return EXIT_FAILED;
    }
    if (options_format(options) == FORMAT_TABLE) {
        print_table(description);
    } else {
        const char *json = reglet_description_json(description);
        term_write_json(stdout, json, strlen(json));
        putchar('\n');
    }
    reglet_description_free(description);
    return EXIT_OK;
}

static int run(const struct options *options) {
    return session_run(options, print_description);
}

const struct command command_describe = {
    .name = "describe",
    .bit = COMMAND_DESCRIBE,
    .synopsis = "PLUGIN.wasm",
    .summary = "what a plugin says of itself, and what it wants to reach",
    .details = "Asks a plugin for its name, its version and the capabilities that it declares.\n"
               "It runs with no grants at all. What it declares is what it wants, not what it\n"
               "gets: that is what you grant.\n",
    .example = "  reglet describe file.wasm\n",
    .operand = "PLUGIN.wasm",
    .run = run,
};
