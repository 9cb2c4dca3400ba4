#define _GNU_SOURCE
#include "host/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * System calls are made by syscall() alone, and nothing is instrumented: what sanitizers put around functions of the C
 * library takes locks, which a thread that is not there any more may hold.
 */
#define QUIET __attribute__((no_sanitize("address", "thread", "undefined")))

enum {
    KERNEL_SIGNALS_SIZE = 8, /* bytes of the kernel's signal set */
    LAST_SIGNAL = 64,
    ABOVE_ALL_SLOTS = 16,
    COMMAND_STACK = 16384, /* until it is another program */
    KILL_AGAIN_MS = 5      /* how long to wait for the dead before looking for who is left */
};

struct keeper {
    const struct reglet__keeper_plan *plan;
    int control;
    int host;     /* pidfd */
    int signals;  /* signalfd of SIGCHLD */
    int children; /* the kernel's list of this thread's children */
    pid_t self;
    pid_t command;
    int status; /* of the command, once it was reaped */
};

/* --- Reporting -------------------------------------------------------------------------------------------- */

QUIET static void report(int control, enum reglet__keeper_event event, int value) {
    struct reglet__keeper_report message = {.event = (int32_t)event, .value = value};
    syscall(SYS_sendto, control, &message, sizeof message, MSG_NOSIGNAL, NULL, 0);
}

QUIET _Noreturn static void leave(void) {
    for (;;)
        syscall(SYS_exit_group, 0);
}

QUIET _Noreturn static void give_up(int control, enum reglet__keeper_event event) {
    report(control, event, errno);
    leave();
}

/* --- Becoming a keeper ------------------------------------------------------------------------------------ */

/* The host's handlers must run neither here nor, where it ignores signals, be ignored by the command. */
QUIET static void reset_signals(void) {
    static const char by_default[64]; /* the kernel's struct sigaction, all zero; it has at most 32 bytes */
    for (long number = 1; number <= LAST_SIGNAL; number++)
        syscall(SYS_rt_sigaction, number, by_default, NULL, (long)KERNEL_SIGNALS_SIZE);
}

/* First all above the slots, then each into its slot, so that none overwrites another. A slot that stays empty is taken all
 * the same, or else the next descriptor to be opened would lie there. */
QUIET static bool arrange_descriptors(const struct reglet__keeper_plan *plan) {
    int moved[REGLET__KEEPER_FDS];
    for (int i = 0; i < REGLET__KEEPER_FDS; i++) {
        int fd = plan->fds[i] >= 0 ? plan->fds[i] : plan->fds[REGLET__KEEPER_STDIN];
        moved[i] = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, (long)ABOVE_ALL_SLOTS);
        if (moved[i] < 0)
            return false;
    }
    for (int i = 0; i < REGLET__KEEPER_FDS; i++) {
        bool is_inherited = i <= REGLET__KEEPER_SCRIPT && plan->fds[i] >= 0;
        if (syscall(SYS_dup3, moved[i], i, is_inherited ? 0L : (long)O_CLOEXEC) < 0)
            return false;
    }
    return syscall(SYS_close_range, (long)REGLET__KEEPER_FDS, (long)~0U, 0L) == 0;
}

/* What the command inherits, and what makes this process the parent of all orphans among its descendants. The host's memory
 * is here too: it is not to be read or traced, though the command runs as the same user. */
QUIET static bool become_keeper(struct keeper *keeper) {
    const struct rlimit no_core = {0, 0};
    const unsigned long long child_signal = 1ULL << (SIGCHLD - 1);
    keeper->self = (pid_t)syscall(SYS_getpid);
    if (syscall(SYS_prctl, PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) != 0 || syscall(SYS_setsid) < 0 ||
        syscall(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) != 0 ||
        syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0 ||
        syscall(SYS_prlimit64, 0L, (long)RLIMIT_CORE, &no_core, NULL) != 0)
        return false;
    keeper->host = (int)syscall(SYS_pidfd_open, keeper->plan->host, 0L);
    keeper->signals = (int)syscall(SYS_signalfd4, -1L, &child_signal, (long)KERNEL_SIGNALS_SIZE,
                                   SFD_NONBLOCK | SFD_CLOEXEC);
    keeper->children =
        (int)syscall(SYS_openat, AT_FDCWD, "/proc/thread-self/children", O_RDONLY | O_CLOEXEC, 0L);
    return keeper->host >= 0 && keeper->signals >= 0 && keeper->children >= 0;
}

/* --- The command ------------------------------------------------------------------------------------------ */

QUIET static int run_command(void *argument) {
    const struct keeper *keeper = argument;
    const struct reglet__keeper_plan *plan = keeper->plan;
    const unsigned long long none = 0;
    /* A keeper that was killed cannot kill any more. */
    syscall(SYS_prctl, PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L);
    if (syscall(SYS_getppid) != keeper->self)
        leave();
    if (syscall(SYS_setpgid, 0L, 0L) != 0)
        give_up(keeper->control, REGLET__KEEPER_NO_PROCESS);
    if (syscall(SYS_fchdir, (long)REGLET__KEEPER_DIRECTORY) != 0)
        give_up(keeper->control, REGLET__KEEPER_NO_DIRECTORY);
    syscall(SYS_rt_sigprocmask, (long)SIG_SETMASK, &none, NULL, (long)KERNEL_SIGNALS_SIZE);
    /* The descriptor is closed on exec: the kernel then runs neither scripts nor what binfmt_misc has interpreters for,
     * even if the file was made into one after it was looked at. */
    syscall(SYS_execveat, (long)REGLET__KEEPER_PROGRAM, "", plan->argv, plan->envp, (long)AT_EMPTY_PATH);
    give_up(keeper->control, REGLET__KEEPER_NO_EXEC);
}

/* The C library's clone() by its other name: where ThreadSanitizer is, clone() is a function of its own that takes locks. */
extern int __clone(int (*run)(void *), void *stack, int flags, void *argument, ...);

/* The command's first steps are taken in the keeper's memory, while the keeper stands still: a second copy of the page
 * tables is not made. */
QUIET static bool start_command(struct keeper *keeper) {
    _Alignas(16) char stack[COMMAND_STACK];
    keeper->command = __clone(run_command, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, keeper);
    if (keeper->command < 0)
        return false;
    /* The pipes end with the command. */
    syscall(SYS_close_range, 0L, (long)(REGLET__KEEPER_CONTROL - 1), 0L);
    return true;
}

/* --- Watching --------------------------------------------------------------------------------------------- */

QUIET static bool poll_for(struct pollfd *fds, long count, long milliseconds) {
    const long limit[2] = {0, milliseconds * 1000000};
    return syscall(SYS_ppoll, fds, count, milliseconds < 0 ? NULL : limit, NULL, (long)KERNEL_SIGNALS_SIZE) >
           0;
}

QUIET static void forget_signals(const struct keeper *keeper) {
    struct signalfd_siginfo info;
    while (syscall(SYS_read, keeper->signals, &info, sizeof info) > 0)
        continue;
}

/* Takes note of one dead child, the first of `which`, if there is any; 0 when there is none, -1 when nobody is left. */
QUIET static pid_t next_dead(long which, pid_t pid, long options) {
    siginfo_t info;
    info.si_pid = 0;
    if (syscall(SYS_waitid, which, (long)pid, &info, WEXITED | WNOHANG | __WALL | options, NULL) != 0)
        return -1;
    return info.si_pid;
}

/* Whether the command has ended; it is left unreaped, so that its number, which is its group's, stays taken. Orphans are
 * reaped on the way. */
QUIET static bool has_ended(const struct keeper *keeper) {
    for (;;) {
        pid_t dead = next_dead(P_ALL, 0, WNOWAIT);
        if (dead == keeper->command)
            return true;
        if (dead <= 0)
            return false;
        next_dead(P_PID, dead, 0);
    }
}

/* Until the command has ended, the host says so, or there is no host any more. */
QUIET static void watch(const struct keeper *keeper) {
    for (;;) {
        struct pollfd fds[] = {{.fd = keeper->control, .events = POLLIN},
                               {.fd = keeper->host, .events = POLLIN},
                               {.fd = keeper->signals, .events = POLLIN}};
        if (!poll_for(fds, 3, -1))
            continue;
        forget_signals(keeper);
        if (fds[0].revents || fds[1].revents || has_ended(keeper))
            return;
    }
}

/* --- Killing ---------------------------------------------------------------------------------------------- */

/* Kills each child. None of the numbers can have become another process's: only we reap them. */
QUIET static void kill_children(const struct keeper *keeper) {
    char text[1024];
    long size, pid = 0;
    syscall(SYS_lseek, keeper->children, 0L, (long)SEEK_SET);
    while ((size = syscall(SYS_read, keeper->children, text, sizeof text)) > 0) {
        for (long i = 0; i < size; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + (text[i] - '0');
                continue;
            }
            if (pid > 1)
                syscall(SYS_kill, pid, (long)SIGKILL);
            pid = 0;
        }
    }
}

/* Reaps all that are dead. False when nobody is left. */
QUIET static bool reap(struct keeper *keeper) {
    for (;;) {
        pid_t dead = next_dead(P_ALL, 0, WNOWAIT);
        if (dead <= 0)
            return dead == 0;
        int status = 0;
        syscall(SYS_wait4, dead, &status, (long)(WNOHANG | __WALL), NULL);
        if (dead == keeper->command)
            keeper->status = status;
    }
}

/*
 * Kills the command's group, and then children until there are none: each that dies makes its own children ours. Goes on as
 * long as it takes; the host does not wait as long.
 */
QUIET static void kill_all(struct keeper *keeper) {
    syscall(SYS_kill, -(long)keeper->command, (long)SIGKILL);
    for (;;) {
        kill_children(keeper);
        if (!reap(keeper))
            return;
        struct pollfd death = {.fd = keeper->signals, .events = POLLIN};
        poll_for(&death, 1, KILL_AGAIN_MS);
        forget_signals(keeper);
    }
}

QUIET _Noreturn void reglet__keeper_run(const struct reglet__keeper_plan *plan) {
    struct keeper keeper = {.plan = plan, .control = plan->fds[REGLET__KEEPER_CONTROL]};
    reset_signals();
    if (!arrange_descriptors(plan))
        give_up(keeper.control, REGLET__KEEPER_NO_PROCESS);
    keeper.control = REGLET__KEEPER_CONTROL;
    if (!become_keeper(&keeper) || !start_command(&keeper))
        give_up(keeper.control, REGLET__KEEPER_NO_PROCESS);
    if (syscall(SYS_getppid) == plan->host)
        watch(&keeper);
    kill_all(&keeper);
    report(keeper.control, REGLET__KEEPER_ENDED, keeper.status);
    leave();
}
