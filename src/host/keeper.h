/*
 * keeper.h - the process between the host and a command. It starts the command and, when that ends or the host says so, kills
 * whatever the command has started, wherever it went.
 *
 * A host that is a library cannot do this itself: it would have to become the reaper of orphans for the whole program.
 *
 * The keeper is a copy of the host that was made while other threads ran. It touches nothing but its stack and system calls:
 * no allocation, no lock, no function of the library's.
 */
#ifndef REGLET_HOST_KEEPER_H
#define REGLET_HOST_KEEPER_H

#include <stdint.h>
#include <sys/types.h>

/* Where the keeper puts the descriptors that it is given; all others are closed. The first four are the command's. */
enum {
    REGLET__KEEPER_STDIN,
    REGLET__KEEPER_STDOUT,
    REGLET__KEEPER_STDERR,
    REGLET__KEEPER_SCRIPT, /* what an interpreter reads; the number is known to whoever makes its arguments */
    REGLET__KEEPER_PROGRAM,
    REGLET__KEEPER_DIRECTORY,
    REGLET__KEEPER_CONTROL, /* SOCK_SEQPACKET: reports go out; its end means to kill everything */
    REGLET__KEEPER_FDS
};

struct reglet__keeper_plan {
    int fds[REGLET__KEEPER_FDS]; /* SCRIPT may be -1 */
    const char *const *argv;
    const char *const *envp;
    pid_t host;
};

/* What is reported. Only the first report counts: a command that could not be run ends as well. */
enum reglet__keeper_event {
    REGLET__KEEPER_ENDED,      /* value: the command's status, as of waitpid() */
    REGLET__KEEPER_NO_PROCESS, /* value: an errno, here and below */
    REGLET__KEEPER_NO_DIRECTORY,
    REGLET__KEEPER_NO_EXEC
};
struct reglet__keeper_report {
    int32_t event; /* enum reglet__keeper_event */
    int32_t value;
};

/* Runs in the new process, with all signals blocked. */
_Noreturn void reglet__keeper_run(const struct reglet__keeper_plan *plan);

#endif
