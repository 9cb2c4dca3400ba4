#define _GNU_SOURCE
#include "command.h"
#include "explain.h"
#include "recording.h"
#include "session.h"
#include "table.h"
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A config is read by people and by plugins in one piece; more is a mistake. */
enum { MAX_VALUES_BYTES = 64 * 1024 * 1024 };

static void reglet_config_free_p(reglet_config **config) {
    reglet_config_free(*config);
}
#define _cleanup_config_ _cleanup_(reglet_config_free_p)

/* ---- the config ---- */

static bool read_file(const char *path, char **out, size_t *out_size) {
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return false;
    bool ok = read_all(fd, MAX_VALUES_BYTES, out, out_size);
    int saved = errno;
    if (!is_stdin)
        close(fd);
    errno = saved;
    return ok;
}

static int add_values_file(reglet_config *config, const char *path) {
    _cleanup_error_ reglet_error *error = NULL;
    _cleanup_config_ reglet_config *values = NULL;
    _cleanup_free_ char *json = NULL;
    size_t size;
    const char *shown = strcmp(path, "-") == 0 ? "standard input" : path;
    if (!read_file(path, &json, &size)) {
        complain("observe", "--values: cannot read %s: %s", shown, strerror(errno));
        return EXIT_BAD_USAGE;
    }
    if (reglet_config_parse(json, size, &values, &error) != REGLET_OK ||
        reglet_config_merge(config, values, &error) != REGLET_OK) {
        complain("observe", "--values %s: %s", shown, reglet_error_message(error));
        return EXIT_BAD_USAGE;
    }
    return EXIT_OK;
}

/* KEY=VALUE or KEY:=JSON; the first "=" divides them. */
static int add_value(reglet_config *config, const char *word) {
    _cleanup_error_ reglet_error *error = NULL;
    const char *equals = strchr(word, '=');
    bool is_json = equals && equals > word && equals[-1] == ':';
    size_t key_size = equals ? (size_t)(equals - word) - is_json : 0;
    if (key_size == 0)
        return bad_usage(&command_observe, "\"%s\" should be KEY=VALUE or KEY:=JSON", word);
    _cleanup_free_ char *key = copy_text(word, key_size);
    const char *value = equals + 1;
    reglet_status status = is_json ? reglet_config_set_json(config, key, value, strlen(value), &error)
                                   : reglet_config_set_string(config, key, value, &error);
    if (status == REGLET_OK)
        return EXIT_OK;
    complain("observe", "%s: %s", word, reglet_error_message(error));
    return EXIT_BAD_USAGE;
}

static int build_config(const struct options *options, reglet_config **out) {
    _cleanup_error_ reglet_error *error = NULL;
    if (reglet_config_new(out, &error) != REGLET_OK) {
        complain_error("observe", error);
        return EXIT_FAILED;
    }
    int code = EXIT_OK;
    for (size_t i = 0; code == EXIT_OK && i < options->values.count; i++)
        code = add_values_file(*out, options->values.items[i]);
    for (size_t i = 1; code == EXIT_OK && i < options->operands.count; i++)
        code = add_value(*out, options->operands.items[i]);
    return code;
}

/* ---- the result ---- */

static void add_error(struct table *table, const reglet_evidence_error *error) {
    if (!error)
        return;
    _cleanup_free_ char *text =
        format_text("%s%s%s%s%s%s", error->type, *error->type ? ": " : "", error->message,
                    *error->code ? " (" : "", error->code, *error->code ? ")" : "");
    table_add_row(table, "error", text);
}

static void print_evidence(const reglet_evidence *evidence) {
    struct table table = {.columns = 2};
    size_t raw_size = 0, data_size = 0;
    const char *raw = reglet_evidence_raw(evidence, &raw_size);
    table_add_row(&table, "status", reglet_evidence_status(evidence) ? "true" : "false");
    add_error(&table, reglet_evidence_get_error(evidence));
    table_add_row(&table, "message", reglet_evidence_message(evidence));
    table_add_row(&table, "timestamp", reglet_evidence_timestamp(evidence));
    if (reglet_evidence_truncated(evidence))
        table_add_row(&table, "shortened", "yes: the evidence was larger than its limit");
    const char *data = reglet_evidence_data_json(evidence, &data_size);
    if (data) {
        table_add_row(&table, "data", "");
        table_add_members(&table, data, data_size);
    }
    if (raw)
        table_add_lines(&table, "raw", raw, raw_size);
    table_print(&table, stdout);
    table_clear(&table);
}

static int print_result(const reglet_result *result, enum format format) {
    const reglet_evidence *evidence = reglet_result_evidence(result);
    if (format == FORMAT_JSON) {
        size_t size;
        const char *json = reglet_result_json(result, &size);
        term_write_json(stdout, json, size);
        putchar('\n');
    } else if (evidence) {
        print_evidence(evidence);
    }
    if (!evidence) {
        complain_status("observe", reglet_result_error_code(result), reglet_result_error_message(result));
        return EXIT_FAILED;
    }
    return reglet_evidence_status(evidence) ? EXIT_OK : EXIT_STATUS;
}

/* A reader of JSON gets the same object when there was no call at all. */
static void print_failure(const reglet_error *error) {
    printf("{\"evidence\":null,\"error\":{\"code\":\"%s\",\"message\":",
           reglet_status_name(reglet_error_code(error)));
    term_write_json_string(stdout, reglet_error_message(error));
    fputs("}}\n", stdout);
}

/* With --learn there is no evidence to show, but whether there was any. */
static int print_outcome(const reglet_result *result, const struct options *options) {
    if (!options->learn)
        return print_result(result, options_format(options));
    if (reglet_result_evidence(result))
        return EXIT_OK;
    complain_status("observe", reglet_result_error_code(result), reglet_result_error_message(result));
    return EXIT_FAILED;
}

/* Results are on standard output, where other programs read them: tables go elsewhere. */
static int print_decisions(const struct session *session, const struct options *options, int code) {
    if (options->explain)
        explain_decisions(session->audit, stderr);
    int learned = options->learn ? learn_grants(session) : EXIT_OK;
    return learned == EXIT_OK ? code : learned;
}

static int observe(const struct session *session, const struct options *options, const reglet_config *config,
                   reglet_error **err) {
    reglet_result *result = NULL;
    reglet_status status = reglet_plugin_observe(session->plugin, config, &session->call, &result, err);
    if (status != REGLET_OK) {
        complain_error("observe", *err);
        return status == REGLET_ERR_INVALID_CONFIG ? EXIT_BAD_USAGE : EXIT_FAILED;
    }
    int written = recording_write(options, session);
    int code = print_outcome(result, options);
    reglet_result_free(result);
    return print_decisions(session, options, written == EXIT_OK ? code : written);
}

/* A replay takes the config of its recording where none is given. */
static bool has_recorded_config(const struct options *options) {
    return options->replay_path && options->values.count == 0 && options->operands.count == 1;
}

static int run(const struct options *options) {
    _cleanup_error_ reglet_error *error = NULL;
    _cleanup_config_ reglet_config *config = NULL;
    int code = build_config(options, &config);
    if (code != EXIT_OK)
        return code;
    struct session session;
    code = session_open(&session, options, &error);
    if (code == EXIT_OK)
        code = recording_open(options, &session);
    if (code == EXIT_OK)
        code = observe(&session, options, has_recorded_config(options) ? NULL : config, &error);
    recording_close(&session);
    if (code == EXIT_FAILED && error && !options->learn && options_format(options) == FORMAT_JSON)
        print_failure(error);
    return session_close(&session, code);
}

const struct command command_observe = {
    .name = "observe",
    .bit = COMMAND_OBSERVE,
    .synopsis = "PLUGIN.wasm [KEY=VALUE | KEY:=JSON]...",
    .summary = "run one observation and print its evidence",
    .details = "Calls a plugin once, in a fresh instance, and prints the evidence that it gives.\n"
               "It reaches what you grant and nothing else; what it is refused is said on\n"
               "standard error, with the grant that would allow it.\n"
               "\n"
               "  KEY=VALUE    a field of its config, as a string\n"
               "  KEY:=JSON    the same as JSON: a number, true, a list, an object\n",
    .example = "  reglet observe file.wasm path=/etc/hosts hash:=true \\\n"
               "      --grant fs:read:/etc/hosts\n"
               "\n"
               "Exit codes: 0 evidence with status true (with --learn: any), 1 evidence with\n"
               "status false, 2 usage or configuration, 3 the plugin could not be loaded or did\n"
               "not answer properly, or the audit file could not be written.\n",
    .operand = "PLUGIN.wasm",
    .further_operands = true,
    .run = run,
};
