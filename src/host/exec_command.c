/* exec_command, exec_run: runs a command, and answers with what it wrote and how it ended. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "host/child.h"
#include "host/exec_environment.h"
#include "host/exec_guard.h"
#include "host/functions.h"
#include "util/buf.h"
#include "util/sys.h"

enum { CHUNK = 32768 /* bytes of one read */ };

/* What a plugin asks for. */
struct command {
    const char *name;
    const char **args;
    size_t arg_count;
    const char *directory;
    const char **variables;
    size_t variable_count;
};

/* What a command wrote to one stream, up to the limit. */
struct output {
    struct reglet__buf text;
    uint64_t cut; /* bytes beyond it */
};

/* --- The request ------------------------------------------------------------------------------------------ */

static reglet_status check_size(struct reglet__host_request *request, const char *key, const char **list,
                                size_t count, size_t max_count) {
    size_t size = 0;
    for (size_t i = 0; i < count && count <= max_count; i++)
        size += strlen(list[i]) + 1;
    if (count <= max_count && size <= REGLET__MAX_COMMAND_BYTES)
        return REGLET_OK;
    return reglet__host_fail(request, "validation", "E2BIG",
                             "%s: more than %zu of them, or more than %d bytes", key, max_count,
                             REGLET__MAX_COMMAND_BYTES);
}

static reglet_status check_variables(struct reglet__host_request *request, const struct command *command) {
    for (size_t i = 0; i < command->variable_count; i++)
        if (reglet__exec_name_size(command->variables[i]) == 0)
            return reglet__host_fail(request, "validation", "EINVAL",
                                     "env[%zu] must be NAME=VALUE with a name", i);
    return check_size(request, "env", command->variables, command->variable_count,
                      REGLET__MAX_COMMAND_VARIABLES);
}

static reglet_status read_request(struct reglet__host_request *request, struct command *out) {
    out->directory = "/";
    reglet_status status = reglet__host_get_string(request, "command", true, &out->name);
    if (status == REGLET_OK)
        status = reglet__host_get_strings(request, "args", &out->args, &out->arg_count);
    if (status == REGLET_OK)
        status = reglet__host_get_string(request, "dir", false, &out->directory);
    if (status == REGLET_OK)
        status = reglet__host_get_strings(request, "env", &out->variables, &out->variable_count);
    if (status == REGLET_OK)
        status = check_size(request, "args", out->args, out->arg_count, REGLET__MAX_COMMAND_ARGS);
    if (status == REGLET_OK)
        status = check_variables(request, out);
    if (!*out->directory) /* as plugins write it that set none */
        out->directory = "/";
    if (status == REGLET_OK && out->directory[0] != '/')
        status = reglet__host_fail(request, "validation", "EINVAL", "dir must be an absolute path");
    return status;
}

static void say_dropped(void *user_data, const char *name, size_t size) {
    reglet__host_say(
        user_data, REGLET_LOG_WARN,
        "the variable %.*s was left out of a command's environment: it can change what programs run",
        (int)(size < 128 ? size : 128), name);
}

static reglet_status open_directory(struct reglet__host_request *request, const char *path, int *out) {
    const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
    *out = reglet__sys_openat2(AT_FDCWD, path, &how);
    if (*out >= 0)
        return REGLET_OK;
    if (errno == ENOENT)
        return reglet__host_fail_not_found(request, "exec", "ENOENT", "dir %s: there is no such directory",
                                           path);
    return reglet__host_fail_errno(request, "exec", errno, "dir %s", path);
}

/* --- Running ---------------------------------------------------------------------------------------------- */

/* Reads once; what is beyond the limit is thrown away, so that the command does not block. Closes the pipe at its end.
 * *count: the bytes that were read. */
static reglet_status read_some(struct reglet__host_request *request, int *pipe, struct output *output,
                               size_t *count) {
    char chunk[CHUNK];
    ssize_t size = read(*pipe, chunk, sizeof chunk);
    *count = size > 0 ? (size_t)size : 0;
    reglet__decisions_moved(request->host->decisions, *count, 0);
    if (size == 0)
        close(take_fd(*pipe));
    if (size <= 0)
        return REGLET_OK;
    size_t room = output->text.max - output->text.size;
    output->cut += *count > room ? *count - room : 0;
    return reglet__buf_append(&output->text, chunk, *count < room ? *count : room);
}

/* Reads until everything has ended. */
static reglet_status follow(struct reglet__host_request *request, struct reglet__child *child,
                            struct output output[2]) {
    for (;;) {
        struct pollfd fds[3] = {{.fd = child->output[0], .events = POLLIN},
                                {.fd = child->output[1], .events = POLLIN},
                                {.fd = child->keeper, .events = POLLIN}};
        int ready;
        reglet_status status = reglet__host_wait(request, fds, ARRAY_LEN(fds), REGLET__NEVER, &ready);
        for (size_t i = 0, count; i < 2 && status == REGLET_OK; i++)
            if (fds[i].revents)
                status = read_some(request, &child->output[i], &output[i], &count);
        if (status != REGLET_OK || fds[2].revents)
            return status;
    }
}

/* Reads what is in the pipes now. Others may hold them still, and even go on writing. */
static reglet_status drain(struct reglet__host_request *request, struct reglet__child *child,
                           struct output output[2]) {
    reglet_status status = REGLET_OK;
    for (size_t i = 0; i < 2; i++) {
        size_t total = 0, count = 1;
        for (; status == REGLET_OK && child->output[i] >= 0 && count > 0 && total < REGLET__MAX_BODY_BYTES;
             total += count)
            status = read_some(request, &child->output[i], &output[i], &count);
    }
    return status;
}

/* --- The response ----------------------------------------------------------------------------------------- */

/* How it ended. */
struct end {
    struct reglet__keeper_report report;
    bool is_timeout;
    int64_t duration_ms;
};

static reglet_status put_output(struct reglet__host_request *request, const struct output output[2]) {
    reglet_status status = reglet__host_put_text(
        request, "stdout", output[0].text.data ? output[0].text.data : "", output[0].text.size);
    if (status == REGLET_OK)
        status = reglet__host_put_text(request, "stderr", output[1].text.data ? output[1].text.data : "",
                                       output[1].text.size);
    if (status == REGLET_OK)
        status = reglet__host_put_bool(request, "stdout_truncated", output[0].cut > 0);
    return status == REGLET_OK ? reglet__host_put_bool(request, "stderr_truncated", output[1].cut > 0)
                               : status;
}

static reglet_status put_signal(struct reglet__host_request *request, int number) {
    char name[32];
    const char *known = sigabbrev_np(number);
    if (known)
        snprintf(name, sizeof name, "SIG%s", known);
    else
        snprintf(name, sizeof name, "SIG%d", number);
    return reglet__host_put_string(request, "signal", name);
}

static reglet_status put_end(struct reglet__host_request *request, const struct end *end) {
    int status_word = end->report.value;
    bool exited = !end->is_timeout && WIFEXITED(status_word);
    reglet_status status = reglet__host_put_int(request, "exit_code", exited ? WEXITSTATUS(status_word) : -1);
    if (status == REGLET_OK)
        status = reglet__host_put_bool(request, "is_timeout", end->is_timeout);
    if (status == REGLET_OK)
        status = reglet__host_put_int(request, "duration_ms", end->duration_ms);
    if (status == REGLET_OK && !end->is_timeout && WIFSIGNALED(status_word))
        status = put_signal(request, WTERMSIG(status_word));
    return status;
}

static reglet_status respond(struct reglet__host_request *request, const struct command *command,
                             const struct end *end, const struct output output[2]) {
    int value = end->report.value;
    if (!end->is_timeout && end->report.event == REGLET__KEEPER_NO_PROCESS)
        return reglet__host_fail_errno(request, "exec", value, "run %s: no process can be started",
                                       command->name);
    if (!end->is_timeout && end->report.event == REGLET__KEEPER_NO_DIRECTORY)
        return reglet__host_fail_errno(request, "exec", value, "dir %s", command->directory);
    if (!end->is_timeout && end->report.event == REGLET__KEEPER_NO_EXEC)
        return reglet__host_fail_errno(request, "exec", value, "run %s", command->name);
    if (!end->is_timeout && value < 0)
        return reglet__host_fail(request, "exec", "EIO", "run %s: the process that keeps it was killed",
                                 command->name);
    reglet_status status = put_output(request, output);
    return status == REGLET_OK ? put_end(request, end) : status;
}

/* --- All together ----------------------------------------------------------------------------------------- */

/* A deadline of the request alone is an answer: what the command wrote until then, and no error. */
static bool is_answer(struct reglet__host_request *request, reglet_status status) {
    return status == REGLET_OK ||
           (status == REGLET_ERR_TIMEOUT &&
            reglet__interrupt_check(reglet__guest_interrupt(request->guest)) == REGLET_OK);
}

static void say_cut(const struct reglet__host_request *request, const struct output output[2]) {
    static const char *const names[] = {"stdout", "stderr"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (output[i].cut > 0)
            reglet__quota_cut(request->host->quotas, "%llu bytes written to %s by a command were cut off",
                              (unsigned long long)output[i].cut, names[i]);
}

static reglet_status run(struct reglet__host_request *request, const struct command *command,
                         const struct reglet__child_plan *plan, struct output output[2]) {
    _cleanup_child_ struct reglet__child child = REGLET__CHILD_INIT;
    int64_t started = reglet__now();
    int error = reglet__child_start(plan, &child);
    if (error)
        return reglet__host_fail_errno(request, "exec", error, "run %s: no process can be started",
                                       command->name);
    struct end end = {.is_timeout = false};
    reglet_status status = follow(request, &child, output);
    if (status != REGLET_OK)
        reglet__child_stop(&child);
    if (!reglet__child_end(&child, reglet__deadline_after_ms(REGLET__COMMAND_KILL_MS), &end.report))
        reglet__host_say(request, REGLET_LOG_WARN, "a process of %s was killed and does not end",
                         command->name);
    if (!is_answer(request, status))
        return status;
    end.is_timeout = status == REGLET_ERR_TIMEOUT;
    end.duration_ms = (reglet__now() - started) / REGLET__NS_PER_MS;
    status = drain(request, &child, output);
    say_cut(request, output);
    return status == REGLET_OK ? respond(request, command, &end, output) : status;
}

REGLET__HOST_FUNCTION(exec_command) {
    static const char *const none[] = {NULL};
    struct command command = {.name = NULL};
    _cleanup_exec_run_ struct reglet__exec_run allowed = REGLET__EXEC_RUN_INIT;
    _cleanup_fd_ int directory = -1;
    reglet_status status = read_request(request, &command);
    if (status == REGLET_OK)
        status = reglet__exec_guard(request, command.name, command.args, command.arg_count, &allowed);
    if (status == REGLET_OK)
        status = open_directory(request, command.directory, &directory);
    if (status == REGLET_OK)
        status = reglet__host_take(request, REGLET__QUOTA_COMMANDS, 1);
    if (status != REGLET_OK)
        return status;
    if (command.variables)
        reglet__exec_filter(command.variables, command.variable_count, say_dropped, request);
    struct output output[2] = {{.text = REGLET__BUF_INIT(REGLET__MAX_BODY_BYTES)},
                               {.text = REGLET__BUF_INIT(REGLET__MAX_BODY_BYTES)}};
    const struct reglet__child_plan plan = {.program = allowed.program.fd,
                                            .script = allowed.script.fd,
                                            .directory = directory,
                                            .argv = allowed.argv,
                                            .envp = command.variables ? command.variables : none};
    status = run(request, &command, &plan, output);
    reglet__buf_free(&output[0].text);
    reglet__buf_free(&output[1].text);
    return status;
}
