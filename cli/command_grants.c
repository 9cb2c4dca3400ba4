#include "ask.h"
#include "command.h"
#include "declared.h"
#include "suggest.h"
#include "table.h"
#include "term.h"

#include <string.h>

static const char *level_of(const struct session *session) {
    return security_level_name(session->config.level);
}

/* ---- a table ---- */

static void add_head(struct table *table, const char *const *heads) {
    for (size_t i = 0; i < table->columns; i++)
        table_add_text(table, heads[i]);
}

static void add_none(struct table *table) {
    table_add_text(table, "none");
    for (size_t i = 1; i < table->columns; i++)
        table_add_text(table, "");
}

static void print_and_clear(struct table *table) {
    table_print(table, stdout);
    table_clear(table);
}

static char *granted_words(const struct declared *declared) {
    switch (declared->covered) {
    case COVERED_YES: return format_text("by %s", declared->granted_by);
    case COVERED_UNKNOWN: return format_text("cannot be told");
    case COVERED_NO: break;
    }
    return format_text(declared->view->valid ? "not granted" : "never");
}

static const char *risk_words(const reglet_capability_view *view) {
    return !view->valid ? "-" : view->broad ? "high, broad" : reglet_risk_name(view->risk);
}

static void print_facts(const struct session *session, const struct declared_list *list) {
    struct table table = {.columns = 2};
    table_add_row(&table, "name", reglet_plugin_name(session->plugin));
    table_add_row(&table, "sha256", list->grants->sha256);
    table_add_row(
        &table, "pinned",
        session->pinned ? "yes" : "no: what is granted holds for any module that is loaded under this name");
    table_add_row(&table, "level", level_of(session));
    print_and_clear(&table);
}

static void print_declared(const struct declared_list *list) {
    static const char *const heads[] = {"DECLARED", "RISK", "GRANTED", "MEANING"};
    struct table table = {.columns = ARRAY_LEN(heads)};
    add_head(&table, heads);
    if (list->count == 0)
        add_none(&table);
    for (size_t i = 0; i < list->count; i++) {
        const struct declared *declared = &list->items[i];
        _cleanup_free_ char *granted = granted_words(declared);
        table_add_text(&table, declared->view->capability);
        table_add_text(&table, risk_words(declared->view));
        table_add_text(&table, granted);
        table_add_text(&table, declared->view->sentence);
    }
    print_and_clear(&table);
}

static void print_granted(const reglet_grants *grants) {
    static const char *const heads[] = {"GRANTED", "RISK", "TO", "MEANING"};
    struct table table = {.columns = ARRAY_LEN(heads)};
    add_head(&table, heads);
    if (grants->granted_count == 0)
        add_none(&table);
    for (size_t i = 0; i < grants->granted_count; i++) {
        const reglet_capability_view *view = &grants->granted[i];
        table_add_text(&table, view->capability);
        table_add_text(&table, risk_words(view));
        table_add_text(&table, view->shared ? "all plugins, where declared" : "this plugin");
        table_add_text(&table, view->sentence);
    }
    print_and_clear(&table);
}

static void print_table(const struct session *session, const struct declared_list *list) {
    print_facts(session, list);
    putchar('\n');
    print_declared(list);
    putchar('\n');
    print_granted(list->grants);
}

/* ---- JSON ---- */

static const char *json_bool(bool value) {
    return value ? "true" : "false";
}

static void print_view(const reglet_capability_view *view) {
    fputs("{\"capability\":", stdout);
    term_write_json_string(stdout, view->capability);
    printf(",\"risk\":\"%s\",\"broad\":%s", reglet_risk_name(view->risk), json_bool(view->broad));
    term_write_json_member(stdout, "sentence", view->sentence);
}

static void print_json_declared(const struct declared_list *list) {
    static const char *const words[] = {
        [COVERED_NO] = "false", [COVERED_YES] = "true", [COVERED_UNKNOWN] = "null"};
    for (size_t i = 0; i < list->count; i++) {
        const struct declared *declared = &list->items[i];
        fputs(i > 0 ? "," : "", stdout);
        print_view(declared->view);
        printf(",\"valid\":%s,\"granted\":%s", json_bool(declared->view->valid), words[declared->covered]);
        term_write_json_member(stdout, "granted_by", declared->granted_by);
        putchar('}');
    }
}

static void print_json(const struct session *session, const struct declared_list *list) {
    fputs("{\"plugin\":", stdout);
    term_write_json_string(stdout, reglet_plugin_name(session->plugin));
    printf(",\"sha256\":\"%s\",\"pinned\":%s,\"level\":\"%s\",\"declared\":[", list->grants->sha256,
           json_bool(session->pinned), level_of(session));
    print_json_declared(list);
    fputs("],\"granted\":[", stdout);
    for (size_t i = 0; i < list->grants->granted_count; i++) {
        fputs(i > 0 ? "," : "", stdout);
        print_view(&list->grants->granted[i]);
        printf(",\"shared\":%s}", json_bool(list->grants->granted[i].shared));
    }
    fputs("]}\n", stdout);
}

/* ---- --suggest ---- */

/* One that cannot be pasted becomes a comment that says why. */
static struct suggested suggestion_of(const struct declared *declared, bool strict, char **comment) {
    const reglet_capability_view *view = declared->view;
    const char *capability = declared->capability;
    if (!view->valid)
        *comment = format_text("No grant: %s", view->sentence);
    else if (!declared->grantable)
        *comment = format_text("No grant, grant what it needs of this: %s: %s", capability, view->sentence);
    else if (view->broad && strict)
        *comment = format_text("Broad, which level strict refuses: %s: %s", capability, view->sentence);
    else if (view->broad)
        *comment = format_text("Broad, risk %s: %s", reglet_risk_name(view->risk), view->sentence);
    else if (declared->covered == COVERED_UNKNOWN)
        *comment = format_text("Granted already in part, perhaps.");
    bool pasted = declared->grantable && !(view->broad && strict);
    return (struct suggested){pasted ? capability : NULL, *comment};
}

static void print_suggestion(const struct session *session, const struct declared_list *list) {
    struct suggested *items = allocate(list->count * sizeof *items);
    char **comments = allocate(list->count * sizeof *comments);
    bool strict = session->config.level == REGLET_SECURITY_STRICT;
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct declared *declared = &list->items[i];
        if (declared->covered == COVERED_YES)
            continue;
        items[count] = suggestion_of(declared, strict, &comments[count]);
        count++;
    }
    _cleanup_free_ char *yaml =
        suggest_yaml(reglet_plugin_name(session->plugin), list->grants->sha256, items, count);
    fputs(yaml, stdout);
    for (size_t i = 0; i < count; i++)
        free(comments[i]);
    free(comments);
    free(items);
}

/* ---- the command ---- */

static int show(const struct session *session, const struct options *options) {
    if (options->asks.count > 0)
        return ask_all(session, options);
    struct declared_list list;
    int code = declared_read(session, options, &list);
    if (code == EXIT_OK && options->suggest)
        print_suggestion(session, &list);
    else if (code == EXIT_OK && options_format(options) == FORMAT_TABLE)
        print_table(session, &list);
    else if (code == EXIT_OK)
        print_json(session, &list);
    declared_clear(&list);
    return code;
}

static int run(const struct options *options) {
    return session_run(options, show);
}

const struct command command_grants = {
    .name = "grants",
    .bit = COMMAND_GRANTS,
    .synopsis = "PLUGIN.wasm",
    .summary = "what a plugin declares, what it is granted, what would be decided",
    .details = "Lists the capabilities that a plugin declares, each with its risk and with the\n"
               "grant that covers it, and those that it is granted, by the configuration file\n"
               "and by --grant. Nothing of the plugin is run but its description, which has no\n"
               "grants at all.\n"
               "\n"
               "With --ask it says instead what would be decided on a request, and by which\n"
               "rule; with --suggest it prints lines for the configuration file.\n",
    .example = "  reglet grants http.wasm --ask network:outbound:example.org:443\n"
               "  reglet grants http.wasm --suggest\n"
               "\n"
               "Exit codes: 0 (with --ask: all would be allowed), 1 a request would be denied,\n"
               "2 usage or configuration, 3 the plugin could not be loaded or described.\n",
    .operand = "PLUGIN.wasm",
    .run = run,
};
