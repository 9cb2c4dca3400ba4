/*
 * child.h - a command while it runs, as the host sees it.
 *
 * Whatever it starts ends with it. The program that embeds the library notices nothing: its SIGCHLD handler is not called,
 * its waitpid(-1) does not return for it, and its signal dispositions, masks and descriptors are not the command's.
 */
#ifndef REGLET_HOST_CHILD_H
#define REGLET_HOST_CHILD_H

#include <stdbool.h>

#include "host/keeper.h"
#include "util/cleanup.h"

/* What is run. */
struct reglet__child_plan {
    int program;             /* the very file that was judged; may be O_PATH */
    int script;              /* inherited as descriptor REGLET__KEEPER_SCRIPT; or -1 */
    int directory;           /* to start in; may be O_PATH */
    const char *const *argv; /* NULL-terminated, like envp */
    const char *const *envp;
};

struct reglet__child {
    int keeper; /* pidfd, readable once everything has ended; -1: nothing runs */
    int control;
    int output[2]; /* non-blocking: what the command writes to stdout, and to stderr */
};

#define REGLET__CHILD_INIT                                                                                   \
    {                                                                                                        \
        .keeper = -1, .control = -1, .output = { -1, -1 }                                                    \
    }

/* 0, or an errno; whether the command could be run is told by its end. */
int reglet__child_start(const struct reglet__child_plan *plan, struct reglet__child *out);

/* Has everything killed that runs. Returns at once. */
void reglet__child_stop(struct reglet__child *child);

/*
 * Waits until nothing runs any more, `until` (reglet__now()) at most, and then says what the first report was: `value` is
 * -1 when there was none, because somebody killed the keeper. False when it takes longer: something is stuck in the kernel.
 */
bool reglet__child_end(struct reglet__child *child, int64_t until, struct reglet__keeper_report *out);

/* Closes everything, and stops what runs. */
void reglet__child_close(struct reglet__child *child);
#define _cleanup_child_ _cleanup_(reglet__child_close)

#endif
