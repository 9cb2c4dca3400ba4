#define _GNU_SOURCE
#include "batch_output.h"
#include "batch_plugins.h"
#include "batch_progress.h"
#include "batch_reader.h"
#include "batch_request.h"
#include "command.h"
#include "metrics_file.h"
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STACK_BYTES = 2 * 1024 * 1024, /* the library needs 768 KiB that are free */
    LINES_IN_HAND = 1024,          /* and some more for every job */
    LINES_PER_JOB = 4
};

struct batch {
    const struct options *options;
    struct session session;
    struct batch_queue queue;
    struct batch_plugins plugins;
    struct batch_output output;
    const char *input_name;
    int input_fd;
    int wake_fd; /* ends the reading */
    bool input_failed;
};

/* ---- one line ---- */

/* A line without an id, and one that is no request, is known by its number. */
static FILE *begin_result(const struct batch *batch, struct batch_line *line) {
    const struct batch_request *request = line->request;
    FILE *out = open_memstream(&line->result, &line->result_size);
    if (!out)
        out_of_memory();
    fputs("{\"id\":", out);
    if (!request->id)
        fputs("null", out);
    else if (batch->output.on_terminal)
        term_write_json_escaped(out, request->id, request->id_size);
    else
        fwrite(request->id, 1, request->id_size, out);
    if (!request->id || request->problem)
        fprintf(out, ",\"line\":%llu", (unsigned long long)line->number);
    return out;
}

static void end_result(FILE *out) {
    fputs("}\n", out);
    if (fclose(out) != 0)
        out_of_memory();
}

static void fail(const struct batch *batch, struct batch_line *line, reglet_status status,
                 const char *message) {
    FILE *out = begin_result(batch, line);
    fprintf(out, ",\"evidence\":null,\"error\":{\"code\":\"%s\",\"message\":", reglet_status_name(status));
    term_write_json_string(out, message);
    putc('}', out);
    end_result(out);
    line->failed = true;
}

/* The library's object, with the beginning that is ours. */
static void succeed(const struct batch *batch, struct batch_line *line, const reglet_result *result) {
    size_t size;
    const char *json = reglet_result_json(result, &size);
    FILE *out = begin_result(batch, line);
    putc(',', out);
    fwrite(json + 1, 1, size - 2, out);
    end_result(out);
    line->failed = !reglet_result_evidence(result);
}

static void observe(const struct batch *batch, struct batch_line *line, reglet_plugin *plugin) {
    _cleanup_error_ reglet_error *error = NULL;
    const struct batch_request *request = line->request;
    reglet_config *config = NULL;
    reglet_result *result = NULL;
    reglet_call_options call = batch->session.call;
    call.timeout_ms = request->timeout_ms;
    reglet_status status = request->values
                               ? reglet_config_parse(request->values, request->values_size, &config, &error)
                               : REGLET_OK;
    if (status != REGLET_OK) {
        _cleanup_free_ char *message = format_text("\"values\": %s", reglet_error_message(error));
        fail(batch, line, status, message);
        return;
    }
    status = reglet_plugin_observe(plugin, config, &call, &result, &error);
    if (status == REGLET_OK)
        succeed(batch, line, result);
    else
        fail(batch, line, status, reglet_error_message(error));
    reglet_result_free(result);
    reglet_config_free(config);
}

static void read_request(struct batch_line *line) {
    line->request = allocate(sizeof *line->request);
    if (line->text)
        batch_request_read(line->text, line->size, line->request);
    else
        line->request->problem = format_text("longer than %zu bytes", BATCH_MAX_LINE_BYTES);
}

/* Gives the line a result. False when that has to wait: then the queue has it again. */
static bool run_line(struct batch *batch, struct batch_line *line) {
    if (!line->request)
        read_request(line);
    if (line->request->problem) {
        fail(batch, line, REGLET_ERR_INVALID_ARGUMENT, line->request->problem);
        return true;
    }
    if (reglet_cancel_token_is_cancelled(batch->session.cancel)) {
        fail(batch, line, REGLET_ERR_CANCELLED, "cancelled");
        return true;
    }
    struct batch_plugin *plugin = NULL;
    struct batch_failure failure = {0};
    switch (batch_plugins_find(&batch->plugins, line, &plugin, &failure)) {
    case BATCH_PARKED: return false;
    case BATCH_FOUND:
        observe(batch, line, batch_plugin_handle(plugin));
        batch_plugins_release(&batch->plugins, plugin);
        break;
    case BATCH_NOT_LOADED: fail(batch, line, failure.status, failure.message); free(failure.message);
    }
    return true;
}

/* ---- threads ---- */

/* Ends everything soon: nobody will see results. */
static void give_up(struct batch *batch) {
    reglet_cancel_token_cancel(batch->session.cancel);
    (void)!write(batch->wake_fd, &(uint64_t){1}, sizeof(uint64_t)); /* full: it is readable already */
}

static void *work(void *user_data) {
    struct batch *batch = user_data;
    for (struct batch_line *line; (line = batch_queue_get(&batch->queue));)
        if (run_line(batch, line) && !batch_output_take(&batch->output, line))
            give_up(batch);
    return NULL;
}

/* As many as there may be; at least one is enough. */
static size_t start_workers(struct batch *batch, pthread_t *threads) {
    size_t count = 0, wanted = (size_t)batch->options->jobs;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int error = 0;
    while (count < wanted && (error = pthread_create(&threads[count], &attributes, work, batch)) == 0)
        count++;
    pthread_attr_destroy(&attributes);
    if (error && count == 0)
        complain("batch", "cannot start a thread: %s", strerror(error));
    else if (error && batch->session.verbosity != QUIET)
        complain(NULL, "warn: only %zu of %zu jobs run: %s", count, wanted, strerror(error));
    return count;
}

static void read_input(struct batch *batch) {
    struct batch_reader *reader = allocate(sizeof *reader);
    reader->fd = batch->input_fd;
    reader->wake_fd = batch->wake_fd;
    reader->output_fd = STDOUT_FILENO;
    struct batch_line *line;
    enum batch_read read;
    while ((read = batch_reader_next(reader, &line)) == BATCH_LINE)
        batch_queue_put(&batch->queue, line);
    if (read == BATCH_READ_FAILED) {
        complain("batch", "cannot read %s: %s", batch->input_name, strerror(errno));
        batch->input_failed = true;
    } else if (read == BATCH_OUTPUT_GONE) {
        batch->output.error = EPIPE;
        give_up(batch);
    }
    free(reader);
}

/* ---- the batch ---- */

/* 0 for what is no regular file. */
static uint64_t input_bytes(int fd) {
    struct stat file;
    off_t at = lseek(fd, 0, SEEK_CUR);
    bool known = fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && at >= 0 && file.st_size > at;
    return known ? (uint64_t)(file.st_size - at) : 0;
}

static void print_summary(const struct batch *batch, double seconds) {
    unsigned long long ran = batch->output.ran, failed = batch->output.failed, lines = ran + failed;
    bool cancelled = reglet_cancel_token_is_cancelled(batch->session.cancel);
    complain("batch", "%s%llu line%s: %llu ran, %llu failed, in %.1f s", cancelled ? "cancelled; " : "",
             lines, lines == 1 ? "" : "s", ran, failed, seconds);
}

/* A reader that went away knows it. */
static int conclude(const struct batch *batch, double seconds) {
    int error = batch->output.error;
    if (error && error != EPIPE)
        complain(NULL, "cannot write the output: %s", strerror(error));
    if (!error && batch->session.verbosity != QUIET)
        print_summary(batch, seconds);
    bool all_ran = batch->output.failed == 0 && !batch->input_failed && !error &&
                   !reglet_cancel_token_is_cancelled(batch->session.cancel);
    return all_ran ? EXIT_OK : EXIT_FAILED;
}

static int run_batch(struct batch *batch) {
    const struct options *options = batch->options;
    _cleanup_free_ pthread_t *threads = allocate((size_t)options->jobs * sizeof *threads);
    double started = batch_clock();
    batch_queue_init(&batch->queue, LINES_IN_HAND + LINES_PER_JOB * (size_t)options->jobs);
    batch_plugins_init(&batch->plugins, &batch->session, options, &batch->queue);
    batch_output_init(&batch->output, &batch->queue, options->ordered);
    if (options->verbosity != QUIET)
        batch_progress_start(&batch->output, input_bytes(batch->input_fd));
    int code = EXIT_FAILED;
    size_t count = start_workers(batch, threads);
    if (count > 0) {
        read_input(batch);
        batch_queue_close(&batch->queue);
        for (size_t i = 0; i < count; i++)
            pthread_join(threads[i], NULL);
    }
    batch_progress_stop();
    if (count > 0)
        code = conclude(batch, batch_clock() - started);
    batch_output_destroy(&batch->output);
    batch_plugins_destroy(&batch->plugins);
    batch_queue_destroy(&batch->queue);
    return code;
}

static int64_t processors(void) {
    cpu_set_t set;
    int64_t count =
        sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > MAX_JOBS ? MAX_JOBS : count;
}

static int open_input(struct batch *batch) {
    const char *path = batch->options->operands.count > 0 ? batch->options->operands.items[0] : "-";
    bool is_stdin = strcmp(path, "-") == 0;
    batch->input_name = is_stdin ? "standard input" : path;
    batch->input_fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (batch->input_fd >= 0)
        return EXIT_OK;
    complain("batch", "cannot read %s: %s", path, strerror(errno));
    return EXIT_BAD_USAGE;
}

/* The signals of a session end the reading as well. */
static int open_wake_fd(struct batch *batch) {
    batch->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (batch->wake_fd < 0) {
        complain("batch", "cannot make an eventfd: %s", strerror(errno));
        return EXIT_FAILED;
    }
    session_wake_on_signal(batch->wake_fd);
    return EXIT_OK;
}

static int run(const struct options *given) {
    _cleanup_error_ reglet_error *error = NULL;
    struct options options = *given;
    struct batch batch = {.options = &options, .wake_fd = -1};
    if (options.operands.count > 1)
        return bad_usage(options.command, "\"%s\" is one argument too many", options.operands.items[1]);
    if (options.metrics_path && !metrics_file_check("batch", options.metrics_path))
        return EXIT_BAD_USAGE;
    if (options.jobs == 0)
        options.jobs = processors();
    int code = open_input(&batch);
    if (code != EXIT_OK)
        return code;
    code = open_wake_fd(&batch);
    if (code == EXIT_OK) {
        code = session_begin(&batch.session, &options, &error);
        if (code == EXIT_OK)
            code = run_batch(&batch);
        session_wake_on_signal(-1);
        if (batch.session.metrics &&
            !metrics_file_write("batch", options.metrics_path, batch.session.metrics))
            code = EXIT_FAILED;
        code = session_close(&batch.session, code);
        close(batch.wake_fd);
    }
    if (batch.input_fd != STDIN_FILENO)
        close(batch.input_fd);
    return code;
}

const struct command command_batch = {
    .name = "batch",
    .bit = COMMAND_BATCH,
    .synopsis = "[FILE|-]",
    .summary = "run many observations, one for each line of JSON",
    .details = "Reads lines such as\n"
               "\n"
               "  {\"id\": 1, \"plugin\": \"file.wasm\", \"values\": {\"path\": \"/etc/hosts\"}}\n"
               "\n"
               "from FILE or standard input, and prints {\"id\", \"evidence\", \"error\"} for each as\n"
               "soon as it is there. \"timeout\" (2, \"500ms\") may stand in a line too; it wins\n"
               "over --timeout. Every plugin is loaded once; the other options hold for all\n"
               "lines. What goes wrong with a line is in its result, and the rest goes on.\n",
    .example = "  reglet batch --jobs 8 --grant 'fs:read:/etc/**' requests.jsonl > results.jsonl\n"
               "\n"
               "Exit codes: 0 all lines ran, whatever their evidence says; 2 usage or\n"
               "configuration; 3 a line did not run, the plugin did not answer properly, or the\n"
               "input or output failed.\n",
    .further_operands = true,
    .run = run,
};
