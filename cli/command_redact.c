#define _GNU_SOURCE
#include "batch_reader.h"
#include "command.h"
#include "redaction.h"
#include "table.h"
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { OUTPUT_BYTES = 64 * 1024, MOST_JSON_BYTES = 64 * 1024 * 1024 };

/* Standard output without stdio, which forgets why it failed. */
struct output {
    char data[OUTPUT_BYTES];
    size_t size;
    int failure; /* errno of what could not be written; nothing is after that */
};

struct redaction {
    const struct options *options;
    reglet_redactor *redactor;
    reglet_redact_stream *stream;
    struct output output;
};

/* ---- output ---- */

static bool write_all(struct output *output, const char *text, size_t size) {
    while (size > 0 && output->failure == 0) {
        ssize_t done = write(STDOUT_FILENO, text, size);
        if (done < 0 && errno != EINTR)
            output->failure = errno;
        if (done > 0) {
            text += done;
            size -= (size_t)done;
        }
    }
    return output->failure == 0;
}

static bool flush(struct output *output) {
    size_t size = output->size;
    output->size = 0;
    return write_all(output, output->data, size);
}

static bool put(struct output *output, const char *text, size_t size) {
    if (size > sizeof output->data - output->size && !flush(output))
        return false;
    if (size > sizeof output->data)
        return write_all(output, text, size);
    memcpy(output->data + output->size, text, size);
    output->size += size;
    return true;
}

static reglet_status put_text(void *user_data, const char *text, size_t size) {
    return put(user_data, text, size) ? REGLET_OK : REGLET_ERR_IO;
}

/* A reader that went away knows it: nothing to say. */
static int output_failed(const struct redaction *redaction) {
    int failure = redaction->output.failure;
    if (failure != EPIPE)
        complain(redaction->options->command->name, "cannot write the output: %s", strerror(failure));
    return EXIT_FAILED;
}

static int fail_status(const struct redaction *redaction, reglet_status status) {
    if (redaction->output.failure)
        return output_failed(redaction);
    complain_status(redaction->options->command->name, status, "the text could not be redacted");
    return EXIT_FAILED;
}

/* ---- text ---- */

static int read_failed(const struct redaction *redaction, const char *name, const char *what) {
    complain(redaction->options->command->name, "%s: %s: %s", name, what, strerror(errno));
    return EXIT_FAILED;
}

/* What could be let go is written before the next read, which may wait for somebody who types. */
static int redact_text(struct redaction *redaction, int fd, const char *name) {
    char text[OUTPUT_BYTES];
    int code = EXIT_OK;
    for (;;) {
        ssize_t got = read(fd, text, sizeof text);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            code = read_failed(redaction, name, "cannot read");
        if (got <= 0)
            break;
        reglet_status status = reglet_redact_stream_write(redaction->stream, text, (size_t)got);
        if (status != REGLET_OK || !flush(&redaction->output))
            return fail_status(redaction, status);
    }
    reglet_status status = reglet_redact_stream_end(redaction->stream);
    return status == REGLET_OK && flush(&redaction->output) ? code : fail_status(redaction, status);
}

/* ---- JSON ---- */

static bool put_json(struct redaction *redaction, const char *json, size_t size) {
    return put(&redaction->output, json, size) && put(&redaction->output, "\n", 1);
}

/* REGLET_OK once it is in the output. */
static reglet_status redact_value(struct redaction *redaction, const char *text, size_t size,
                                  reglet_error **err) {
    char *json = NULL;
    size_t json_size = 0;
    reglet_status status =
        reglet_redactor_redact_json(redaction->redactor, text, size, &json, &json_size, err);
    if (status == REGLET_OK && !put_json(redaction, json, json_size))
        status = REGLET_ERR_IO;
    reglet_free(json);
    return status;
}

static int fail_json(const struct redaction *redaction, const char *name, uint64_t line,
                     const reglet_error *error) {
    if (redaction->output.failure)
        return output_failed(redaction);
    if (line > 0)
        complain(redaction->options->command->name, "%s: line %" PRIu64 ": %s", name, line,
                 reglet_error_message(error));
    else
        complain(redaction->options->command->name, "%s: %s", name, reglet_error_message(error));
    return EXIT_FAILED;
}

static int fail_size(const struct redaction *redaction, const char *name, uint64_t line, int mebibytes) {
    complain(redaction->options->command->name, "%s: line %" PRIu64 ": more than %d MiB of JSON in one value",
             name, line, mebibytes);
    return EXIT_FAILED;
}

/* BATCH_END becomes EXIT_OK. */
static int end_of_json(const struct redaction *redaction, const char *name, enum batch_read read) {
    if (read == BATCH_READ_FAILED)
        return read_failed(redaction, name, "cannot read");
    return read == BATCH_END ? EXIT_OK : EXIT_FAILED;
}

/* Every line is a value, as the first was. A line that is none ends it: what comes after may be a part of something else. */
static int redact_lines(struct redaction *redaction, struct batch_reader *reader, const char *name) {
    for (;;) {
        _cleanup_error_ reglet_error *error = NULL;
        struct batch_line *line = NULL;
        if (reader->at == reader->end && !flush(&redaction->output))
            return output_failed(redaction);
        enum batch_read read = batch_reader_next(reader, &line);
        if (read != BATCH_LINE)
            return end_of_json(redaction, name, read);
        int code = EXIT_OK;
        if (!line->text)
            code = fail_size(redaction, name, line->number, BATCH_MAX_LINE_BYTES >> 20);
        else if (redact_value(redaction, line->text, line->size, &error) != REGLET_OK)
            code = fail_json(redaction, name, line->number, error);
        batch_line_free(line);
        if (code != EXIT_OK)
            return code;
    }
}

/* The text of one value over many lines. */
struct lines {
    char *text;
    size_t size;
    uint64_t number;
};

/* Takes the line. */
static bool append_line(struct lines *lines, struct batch_line *line) {
    size_t breaks = (size_t)(line->number - lines->number); /* blank lines were skipped */
    bool fits = line->text && line->size + breaks <= MOST_JSON_BYTES - lines->size;
    if (fits) {
        lines->text = grow(lines->text, lines->size + breaks + line->size, 1);
        memset(lines->text + lines->size, '\n', breaks);
        memcpy(lines->text + lines->size + breaks, line->text, line->size);
        lines->size += breaks + line->size;
        lines->number = line->number;
    }
    batch_line_free(line);
    return fits;
}

/* One value over all lines, of which `first` is taken. */
static int redact_document(struct redaction *redaction, struct batch_reader *reader, struct batch_line *first,
                           const char *name) {
    struct lines lines = {.number = 1};
    _cleanup_error_ reglet_error *error = NULL;
    enum batch_read read = BATCH_LINE;
    int code = EXIT_OK;
    for (struct batch_line *line = first; code == EXIT_OK && read == BATCH_LINE;
         read = code == EXIT_OK ? batch_reader_next(reader, &line) : read)
        if (!append_line(&lines, line))
            code = fail_size(redaction, name, reader->number, MOST_JSON_BYTES >> 20);
    if (code == EXIT_OK)
        code = end_of_json(redaction, name, read);
    if (code == EXIT_OK && redact_value(redaction, lines.text, lines.size, &error) != REGLET_OK)
        code = fail_json(redaction, name, 0, error);
    free_secret(lines.text, lines.size);
    return code;
}

static int redact_json(struct redaction *redaction, int fd, const char *name) {
    _cleanup_error_ reglet_error *error = NULL;
    _cleanup_free_ struct batch_reader *reader = allocate(sizeof *reader);
    *reader = (struct batch_reader){.fd = fd, .wake_fd = -1, .output_fd = STDOUT_FILENO};
    struct batch_line *first = NULL;
    enum batch_read read = batch_reader_next(reader, &first);
    if (read != BATCH_LINE)
        return end_of_json(redaction, name, read);
    reglet_status status =
        first->text ? redact_value(redaction, first->text, first->size, &error) : REGLET_ERR_INVALID_ARGUMENT;
    int code;
    if (status == REGLET_ERR_INVALID_ARGUMENT) {
        code = redact_document(redaction, reader, first, name);
    } else {
        batch_line_free(first);
        code = status == REGLET_OK ? redact_lines(redaction, reader, name)
                                   : fail_json(redaction, name, 1, error);
    }
    return flush(&redaction->output) || code != EXIT_OK ? code : output_failed(redaction);
}

/* ---- files ---- */

static int redact_file(struct redaction *redaction, const char *name) {
    bool is_stdin = strcmp(name, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    const char *shown = is_stdin ? "standard input" : name;
    if (fd < 0)
        return read_failed(redaction, shown, "cannot open");
    int code =
        redaction->options->json ? redact_json(redaction, fd, shown) : redact_text(redaction, fd, shown);
    if (!is_stdin)
        close(fd);
    return code;
}

/* As other tools do it: a file that cannot be read does not keep the rest from being. */
static int redact_files(struct redaction *redaction) {
    const struct string_list *files = &redaction->options->operands;
    if (files->count == 0)
        return redact_file(redaction, "-");
    int code = EXIT_OK;
    for (size_t i = 0; i < files->count && redaction->output.failure == 0; i++) {
        int one = redact_file(redaction, files->items[i]);
        code = one == EXIT_OK ? code : one;
    }
    return code;
}

/* ---- what was replaced ---- */

static void add_count(char **text, uint64_t *sum, const char *name, uint64_t count) {
    if (count == 0)
        return;
    char *longer = format_text("%s%s %s %" PRIu64, *text, *sum > 0 ? "," : ":", name, count);
    free(*text);
    *text = longer;
    *sum += count;
}

static void print_counts(const struct redaction *redaction) {
    char *text = copy_text("", 0);
    uint64_t sum = 0;
    size_t rules = reglet_redactor_rule_count(redaction->redactor);
    for (size_t i = 0; i < rules; i++)
        add_count(&text, &sum, reglet_redactor_rule_id(redaction->redactor, i),
                  reglet_redactor_replaced(redaction->redactor, i));
    add_count(&text, &sum, "paths", reglet_redactor_replaced(redaction->redactor, REGLET_REDACTOR_PATHS));
    add_count(&text, &sum, "known secrets",
              reglet_redactor_replaced(redaction->redactor, REGLET_REDACTOR_SECRETS));
    complain(redaction->options->command->name, "%" PRIu64 " replaced%s", sum, text);
    free(text);
}

static int list_rules(const struct redaction *redaction) {
    struct table table = {.columns = 1};
    bool json = options_format(redaction->options) == FORMAT_JSON;
    size_t count = reglet_redactor_rule_count(redaction->redactor);
    for (size_t i = 0; i < count; i++) {
        const char *id = reglet_redactor_rule_id(redaction->redactor, i);
        if (json) {
            fputs(i == 0 ? "[{\"id\":" : ",{\"id\":", stdout);
            term_write_json_string(stdout, id);
            putchar('}');
        } else {
            table_add_text(&table, id);
        }
    }
    if (json)
        puts(count == 0 ? "[]" : "]");
    else
        table_print(&table, stdout);
    table_clear(&table);
    return EXIT_OK;
}

/* ---- the command ---- */

static int make_redactor(struct redaction *redaction) {
    const struct options *options = redaction->options;
    _cleanup_free_ char *message = NULL;
    struct config_file config = {0};
    int code = config_file_find(options->config_path, &config, &message) ? EXIT_OK : EXIT_BAD_USAGE;
    for (size_t i = 0; i < config.warnings.count && options->verbosity != QUIET; i++)
        complain(NULL, "warn: %s", config.warnings.items[i]);
    if (code == EXIT_OK)
        code = redaction_make(&config, options, &redaction->redactor, NULL, &message);
    if (code != EXIT_OK)
        complain(options->command->name, "%s", message);
    config_file_clear(&config);
    return code;
}

static int redact(struct redaction *redaction) {
    _cleanup_error_ reglet_error *error = NULL;
    int code = make_redactor(redaction);
    if (code != EXIT_OK)
        return code;
    if ((!redaction->redactor && reglet_redactor_new(NULL, &redaction->redactor, &error) != REGLET_OK) ||
        reglet_redact_stream_new(redaction->redactor, put_text, &redaction->output, &redaction->stream,
                                 &error) != REGLET_OK) {
        complain_error(redaction->options->command->name, error);
        return EXIT_FAILED;
    }
    if (redaction->options->list_rules)
        return list_rules(redaction);
    code = redact_files(redaction);
    if (redaction->options->verbosity == VERBOSE)
        print_counts(redaction);
    return code;
}

static int run(const struct options *options) {
    struct redaction *redaction = allocate(sizeof *redaction);
    redaction->options = options;
    int code = redact(redaction);
    reglet_redact_stream_free(redaction->stream);
    reglet_redactor_unref(redaction->redactor);
    free(redaction);
    return code;
}

const struct command command_redact = {
    .name = "redact",
    .bit = COMMAND_REDACT,
    .synopsis = "[FILE|-]...",
    .summary = "replace secrets in a text, as in all that plugins give",
    .details = "Copies files or standard input to standard output, with secrets replaced as the\n"
               "configuration says, or by the built-in rules: the way to try a configuration.\n"
               "Any bytes may be in the text, and there is no limit to its length. The last 8\n"
               "to 16 KiB are held back until more comes or the input ends, because a secret\n"
               "may still go on: what is typed appears late.\n"
               "\n"
               "Known secrets (--secret-env, --secret-file, and those of the configuration) are\n"
               "found plain and encoded, and have 4 to 8192 bytes.\n",
    .example = "  journalctl -u app | reglet redact --secret-env APP_TOKEN > app.log\n"
               "  reglet redact --json --path password --path 'items[*].token' answer.json\n"
               "\n"
               "Exits with 0; with 3 when an input could not be read or, under --json, is none,\n"
               "or the output could not be written; with 2 for usage and the configuration.\n",
    .further_operands = true,
    .run = run,
};
