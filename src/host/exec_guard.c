#define _GNU_SOURCE
#include "host/exec_guard.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/exec_script.h"
#include "host/keeper.h"
#include "util/fail.h"

enum { INTERPRETER_ARGS = 2 /* its optional argument, and the script */ };

void reglet__exec_run_close(struct reglet__exec_run *run) {
    reglet__exec_file_close(&run->program);
    reglet__exec_file_close(&run->script);
}

/* --- One command ------------------------------------------------------------------------------------------ */

/* A command that is judged: the plugin's, or the interpreter of `script`. */
struct candidate {
    struct reglet__command_request command;
    const char *script; /* or NULL */
};

static const char *say(struct reglet__host_request *request, const struct candidate *candidate) {
    const char *asked = candidate->command.asked, *script = candidate->script;
    size_t size = strlen(asked) + (script ? strlen(script) : 0) + 32;
    char *text = reglet__arena_alloc(&request->arena, size);
    if (text && script)
        snprintf(text, size, "run %s, the interpreter of %s", asked, script);
    else if (text)
        snprintf(text, size, "run %s", asked);
    return text ? text : "run a command";
}

/* The command as it was asked for, and the file that it is; as it was asked for alone without memory. */
static const char *name_file(struct reglet__host_request *request, const struct candidate *candidate) {
    const char *asked = candidate->command.asked, *file = candidate->command.file;
    if (!file || strcmp(asked, file) == 0)
        return asked;
    size_t size = strlen(asked) + strlen(file) + sizeof " ()";
    char *text = reglet__arena_alloc(&request->arena, size);
    if (text)
        snprintf(text, size, "%s (%s)", asked, file);
    return text ? text : asked;
}

/* The grant is the one for the command as it was asked for: what its file is, the plugin is not told. */
static reglet_status deny(struct reglet__host_request *request, const struct candidate *candidate,
                          const struct reglet__decision *decision) {
    const struct reglet__command_request asked = {.asked = candidate->command.asked};
    const struct reglet__host_asked what = {"exec", name_file(request, candidate), say(request, candidate)};
    _cleanup_free_ char *grant = reglet__policy_exec_suggest(&asked);
    return reglet__host_deny(request, decision, &what, grant);
}

/* What a script's interpreter writes is the script's. */
static void tell_allowed(struct reglet__host_request *request, const struct candidate *candidate,
                         const struct reglet__decision *decision) {
    struct reglet__decisions *decisions = request->host->decisions;
    if (!reglet__decisions_want(decisions, true))
        return;
    size_t serving = decisions->serving;
    const struct reglet__host_asked what = {"exec", name_file(request, candidate), NULL};
    reglet__host_tell(request, decision, &what, NULL);
    if (candidate->script)
        decisions->serving = serving;
}

/* Why a command that may be run cannot be. */
static reglet_status explain(struct reglet__host_request *request, const struct candidate *candidate,
                             int error) {
    const char *what = say(request, candidate);
    if (error == ENOENT || error == ENOTDIR)
        return reglet__host_fail_not_found(request, "exec", "ENOENT", "%s: there is no such program", what);
    if (error == EACCES)
        return reglet__host_fail(request, "exec", "EACCES", "%s: it is no file that may be executed", what);
    if (error == ENOSYS)
        return reglet__host_fail(request, "exec", "ENOSYS",
                                 "%s: programs cannot be judged without openat2 and /proc", what);
    return reglet__host_fail_errno(request, "exec", error, "%s", what);
}

struct reglet__decision reglet__exec_decide(const struct reglet__policy *policy,
                                            const char *const *environment, size_t count,
                                            struct reglet__command_request *command,
                                            struct reglet__exec_file *out, int *error) {
    struct reglet__decision decision = reglet__policy_exec_spelling(policy, command->asked);
    *error = 0;
    if (!decision.allowed)
        return decision;
    *error = reglet__exec_find(command->asked, environment, count, out);
    if (!out->place[0]) /* a bare name that is not found, and that spelling may be run */
        return decision;
    command->place = out->place;
    command->file = out->file;
    return reglet__policy_exec(policy, command);
}

/* Judges and finds one command. */
static reglet_status judge(struct reglet__host_request *request, struct candidate *candidate,
                           struct reglet__exec_file *out) {
    const struct reglet__host *host = request->host;
    int error = 0;
    struct reglet__decision decision = reglet__exec_decide(
        host->policy, host->environment, host->environment_count, &candidate->command, out, &error);
    if (!decision.allowed)
        return deny(request, candidate, &decision);
    tell_allowed(request, candidate, &decision);
    return error ? explain(request, candidate, error) : REGLET_OK;
}

/* Reads a file's first bytes, from the very file that was judged. */
static reglet_status read_head(struct reglet__host_request *request, const struct candidate *candidate,
                               const struct reglet__exec_file *file, char head[REGLET__EXEC_HEAD],
                               size_t *size) {
    _cleanup_fd_ int fd = reglet__exec_reopen(file->fd);
    ssize_t count = fd < 0 ? -1 : pread(fd, head, REGLET__EXEC_HEAD, 0);
    if (count < 0)
        return reglet__host_fail_errno(request, "exec", errno, "%s: it cannot be read, to be told what it is",
                                       say(request, candidate));
    *size = (size_t)count;
    return REGLET_OK;
}

static reglet_status refuse(struct reglet__host_request *request, const struct candidate *candidate,
                            const char *why) {
    return reglet__host_fail(request, "exec", "ENOEXEC", "%s: %s", say(request, candidate), why);
}

static reglet_status expect_program(struct reglet__host_request *request, const struct candidate *candidate,
                                    enum reglet__exec_kind kind) {
    switch (kind) {
    case REGLET__EXEC_PROGRAM: return REGLET_OK;
    case REGLET__EXEC_FOREIGN: return refuse(request, candidate, "it is no program of this machine");
    case REGLET__EXEC_SCRIPT: return refuse(request, candidate, "an interpreter cannot be a script itself");
    case REGLET__EXEC_OTHER: break;
    }
    return refuse(request, candidate, "it is neither a program nor a script that begins with #!");
}

/* --- Scripts ---------------------------------------------------------------------------------------------- */

/* A list of `first` (NULLs are left out), the arguments, and a NULL. */
static const char **join(struct reglet__host_request *request, const char *const *first, size_t first_count,
                         const struct reglet__command_request *command, size_t *count) {
    const char **list =
        reglet__arena_alloc(&request->arena, (first_count + command->arg_count + 1) * sizeof *list);
    size_t size = 0;
    for (size_t i = 0; list && i < first_count; i++)
        if (first[i])
            list[size++] = first[i];
    for (size_t i = 0; list && i < command->arg_count; i++)
        list[size++] = command->args[i];
    *count = size;
    return list;
}

/* Judges an interpreter with the arguments that it will get: `argument` (or NULL), the script, and the script's own. */
static reglet_status judge_interpreter(struct reglet__host_request *request, const struct candidate *script,
                                       const char *asked, const char *argument,
                                       struct reglet__exec_file *out) {
    const char *const first[INTERPRETER_ARGS] = {argument, script->command.file};
    struct candidate interpreter = {.command.asked = asked, .script = script->command.asked};
    interpreter.command.args =
        join(request, first, ARRAY_LEN(first), &script->command, &interpreter.command.arg_count);
    if (!interpreter.command.args)
        return REGLET_ERR_NO_MEMORY;
    reglet_status status = judge(request, &interpreter, out);
    char head[REGLET__EXEC_HEAD];
    size_t size = 0;
    if (status == REGLET_OK)
        status = read_head(request, &interpreter, out, head, &size);
    return status == REGLET_OK ? expect_program(request, &interpreter, reglet__exec_kind(head, size))
                               : status;
}

static bool is_env(const struct reglet__exec_file *file) {
    return strcmp(strrchr(file->place, '/'), "/env") == 0 || strcmp(strrchr(file->file, '/'), "/env") == 0;
}

/*
 * "#!/usr/bin/env NAME": env would look NAME up once more, on a PATH of its own. So once env was judged, NAME is judged as
 * a command, and run in its place.
 */
static reglet_status skip_env(struct reglet__host_request *request, const struct candidate *script,
                              struct reglet__exec_script *line, struct reglet__exec_file *program) {
    const char *name = line->argument;
    if (!name || name[0] == '-' || strpbrk(name, "= \t/"))
        return refuse(request, script,
                      "env in its first line may have the bare name of a program and no more");
    reglet__exec_file_close(program);
    line->interpreter = name;
    line->argument = NULL;
    return judge_interpreter(request, script, name, NULL, program);
}

static reglet_status guard_script(struct reglet__host_request *request, const struct candidate *script,
                                  const char *head, size_t size, struct reglet__exec_run *out) {
    struct reglet__exec_script line;
    const char *wrong = reglet__exec_script_parse(head, size, &line);
    if (wrong)
        return refuse(request, script, wrong);
    reglet_status status = judge_interpreter(request, script, line.interpreter, line.argument, &out->program);
    if (status == REGLET_OK && is_env(&out->program))
        status = skip_env(request, script, &line, &out->program);
    if (status != REGLET_OK)
        return status;
    char descriptor[32];
    snprintf(descriptor, sizeof descriptor, "/proc/self/fd/%d", REGLET__KEEPER_SCRIPT);
    const char *const texts[] = {line.interpreter, line.argument, descriptor};
    const char *first[ARRAY_LEN(texts)] = {NULL}; /* copies: `line` ends here */
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i] && !(first[i] = reglet__arena_copy(&request->arena, texts[i], strlen(texts[i]))))
            return REGLET_ERR_NO_MEMORY;
    size_t count;
    out->argv = join(request, first, ARRAY_LEN(first), &script->command, &count);
    return out->argv ? REGLET_OK : REGLET_ERR_NO_MEMORY;
}

/* --- All together ----------------------------------------------------------------------------------------- */

reglet_status reglet__exec_guard(struct reglet__host_request *request, const char *asked,
                                 const char *const *args, size_t arg_count, struct reglet__exec_run *out) {
    struct candidate candidate = {.command = {.asked = asked, .args = args, .arg_count = arg_count}};
    char head[REGLET__EXEC_HEAD];
    size_t size = 0, count;
    reglet_status status = judge(request, &candidate, &out->program);
    if (status == REGLET_OK)
        status = read_head(request, &candidate, &out->program, head, &size);
    if (status != REGLET_OK)
        return status;
    enum reglet__exec_kind kind = reglet__exec_kind(head, size);
    if (kind == REGLET__EXEC_SCRIPT) {
        out->script = out->program;
        out->program.fd = -1;
        candidate.command.place = out->script.place;
        candidate.command.file = out->script.file;
        return guard_script(request, &candidate, head, size, out);
    }
    out->argv = join(request, &asked, 1, &candidate.command, &count);
    return out->argv ? expect_program(request, &candidate, kind) : REGLET_ERR_NO_MEMORY;
}
