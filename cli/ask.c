#include "ask.h"

#include "command.h"
#include "table.h"
#include "term.h"

static int decide(const struct session *session, const struct options *options, const char *request,
                  const reglet_decision **out) {
    _cleanup_error_ reglet_error *error = NULL;
    reglet_status status = reglet_plugin_ask(session->plugin, request, &session->call, out, &error);
    if (status == REGLET_OK)
        return EXIT_OK;
    if (status == REGLET_ERR_INVALID_GRANT)
        return bad_usage(options->command, "--ask: %s", reglet_error_message(error));
    complain_error(options->command->name, error);
    return EXIT_FAILED;
}

static void add_row(struct table *table, const reglet_decision *decision) {
    table_add_text(table, decision->asked);
    table_add_text(table, decision->allowed ? "allowed" : "denied");
    if (decision->grant) {
        _cleanup_free_ char *word = shell_word(decision->grant);
        _cleanup_free_ char *text = format_text("%s (grant it with --grant %s)", decision->reason, word);
        table_add_text(table, text);
    } else {
        table_add_text(table, decision->reason);
    }
}

static void print_table(const reglet_decision *const *decisions, size_t count) {
    struct table table = {.columns = 3};
    for (size_t i = 0; i < count; i++)
        add_row(&table, decisions[i]);
    table_print(&table, stdout);
    table_clear(&table);
}

static void print_json(const struct session *session, const reglet_decision *const *decisions, size_t count) {
    fputs("{\"plugin\":", stdout);
    term_write_json_string(stdout, reglet_plugin_name(session->plugin));
    fputs(",\"decisions\":[", stdout);
    for (size_t i = 0; i < count; i++) {
        const reglet_decision *decision = decisions[i];
        printf("%s{\"asked\":", i > 0 ? "," : "");
        term_write_json_string(stdout, decision->asked);
        printf(",\"allowed\":%s", decision->allowed ? "true" : "false");
        term_write_json_member(stdout, "rule", decision->rule);
        term_write_json_member(stdout, "reason", decision->reason);
        term_write_json_member(stdout, "grant", decision->grant);
        putchar('}');
    }
    fputs("]}\n", stdout);
}

int ask_all(const struct session *session, const struct options *options) {
    size_t count = options->asks.count, decided = 0;
    const reglet_decision **decisions = allocate(count * sizeof *decisions);
    int code = EXIT_OK;
    bool denied = false;
    for (; decided < count && code == EXIT_OK; decided++) {
        code = decide(session, options, options->asks.items[decided], &decisions[decided]);
        denied = denied || (code == EXIT_OK && !decisions[decided]->allowed);
    }
    if (code == EXIT_OK && options_format(options) == FORMAT_TABLE)
        print_table(decisions, count);
    else if (code == EXIT_OK)
        print_json(session, decisions, count);
    for (size_t i = 0; i < decided; i++)
        reglet_decision_free(decisions[i]);
    free(decisions);
    return code == EXIT_OK && denied ? EXIT_STATUS : code;
}
