/*
 * exec_guard.h - the guard of everything that runs a command.
 */
#ifndef REGLET_HOST_EXEC_GUARD_H
#define REGLET_HOST_EXEC_GUARD_H

#include "host/exec_find.h"
#include "host/request.h"

/* A command that may be run: each file of it was judged, and is held. */
struct reglet__exec_run {
    struct reglet__exec_file program; /* for a script, its interpreter */
    struct reglet__exec_file script;  /* fd -1: it is none */
    const char **argv;                /* NULL-terminated; lives as long as the request */
};

#define REGLET__EXEC_RUN_INIT                                                                                \
    { .program = REGLET__EXEC_FILE_INIT, .script = REGLET__EXEC_FILE_INIT }
void reglet__exec_run_close(struct reglet__exec_run *run);
#define _cleanup_exec_run_ _cleanup_(reglet__exec_run_close)

/*
 * Decides on a command by its spelling and, if that may be run, finds its file and decides on that; nothing is reported.
 * What is asked for has its spelling and arguments; place and file are filled in, and live as long as `out`. *error: why the
 * file cannot be run even if it may, as of reglet__exec_find().
 */
struct reglet__decision reglet__exec_decide(const struct reglet__policy *policy,
                                            const char *const *environment, size_t count,
                                            struct reglet__command_request *command,
                                            struct reglet__exec_file *out, int *error);

/*
 * Decides so on a command; for a script, on its interpreter in the same way. Answers by itself when it is denied, or cannot be run.
 */
reglet_status reglet__exec_guard(struct reglet__host_request *request, const char *asked,
                                 const char *const *args, size_t arg_count, struct reglet__exec_run *out);

#endif
