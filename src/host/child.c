#define _GNU_SOURCE
#include "host/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "util/interrupt.h"
#include "util/sys.h"
#include "util/thread.h"

/* --- Starting --------------------------------------------------------------------------------------------- */

/* All signals, also those that the C library keeps for itself: no handler may run in the copy of this process. */
static unsigned long long block_signals(void) {
    unsigned long long all = ~0ULL, before = 0;
    syscall(SYS_rt_sigprocmask, (long)SIG_SETMASK, &all, &before, (long)sizeof all);
    return before;
}

static void restore_signals(unsigned long long before) {
    syscall(SYS_rt_sigprocmask, (long)SIG_SETMASK, &before, NULL, (long)sizeof before);
}

/*
 * A fork, which copies page tables: it takes longer the more this process has resident. While the command runs, a page that
 * the program writes for the first time is copied.
 * Sharing the memory instead would cost nothing, and end with the keeper dead wherever the program dumps core.
 */
static int start_keeper(const struct reglet__keeper_plan *plan, int *out) {
    int pidfd = -1;
    unsigned long long before = block_signals();
    pid_t pid = reglet__sys_fork_unseen(&pidfd);
    int error = errno;
    if (pid == 0)
        reglet__keeper_run(plan);
    restore_signals(before);
    if (pid < 0)
        return error;
    *out = pidfd;
    return 0;
}

/* A pipe whose reading end does not block. */
static int open_pipe(int *read_end, int *write_end) {
    int ends[2];
    if (reglet__sys_pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    *read_end = ends[0];
    *write_end = ends[1];
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 ? 0 : errno;
}

static int open_control(int *ours, int *keepers) {
    int ends[2];
    if (reglet__sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, ends) != 0)
        return errno;
    *ours = ends[0];
    *keepers = ends[1];
    return 0;
}

int reglet__child_start(const struct reglet__child_plan *plan, struct reglet__child *out) {
    _cleanup_child_ struct reglet__child child = REGLET__CHILD_INIT;
    _cleanup_fd_ int control = -1;
    _cleanup_fd_ int output = -1;
    _cleanup_fd_ int errors = -1;
    _cleanup_fd_ int null = reglet__sys_openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY, 0);
    int error = null < 0 ? errno : open_control(&child.control, &control);
    if (!error)
        error = open_pipe(&child.output[0], &output);
    if (!error)
        error = open_pipe(&child.output[1], &errors);
    if (error)
        return error;
    const struct reglet__keeper_plan keeper = {
        .fds = {null, output, errors, plan->script, plan->program, plan->directory, control},
        .argv = plan->argv,
        .envp = plan->envp,
        .host = getpid()};
    error = start_keeper(&keeper, &child.keeper);
    if (!error) {
        *out = child;
        child = (struct reglet__child)REGLET__CHILD_INIT;
    }
    return error;
}

/* --- Ending ----------------------------------------------------------------------------------------------- */

/* By shutdown() and not by closing: another fork of this process may hold a copy of the descriptor. A command can have
 * stopped its keeper, which runs as the same user. */
void reglet__child_stop(struct reglet__child *child) {
    shutdown(child->control, SHUT_WR);
    syscall(SYS_pidfd_send_signal, child->keeper, (long)SIGCONT, NULL, 0L);
}

static void reap(int pidfd) {
    while (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &(siginfo_t){0}, WEXITED | __WALL) != 0 && errno == EINTR)
        continue;
}

bool reglet__child_end(struct reglet__child *child, int64_t until, struct reglet__keeper_report *out) {
    const struct reglet__interrupt uninterrupted = {.deadline = REGLET__NEVER};
    struct pollfd end = {.fd = child->keeper, .events = POLLIN};
    int ready = 0;
    if (reglet__interrupt_wait(&uninterrupted, &end, 1, until, &ready) != REGLET_OK || ready == 0)
        return false;
    reap(child->keeper);
    close(take_fd(child->keeper));
    if (recv(child->control, out, sizeof *out, MSG_DONTWAIT) != (ssize_t)sizeof *out)
        *out = (struct reglet__keeper_report){.event = REGLET__KEEPER_ENDED, .value = -1};
    return true;
}

static void *reap_later(void *pidfd) {
    int fd = (int)(intptr_t)pidfd;
    reap(fd);
    close(fd);
    return NULL;
}

void reglet__child_close(struct reglet__child *child) {
    if (child->keeper >= 0) {
        reglet__child_stop(child);
        if (reglet__thread_start(NULL, "reglet-reap", reap_later, (void *)(intptr_t)child->keeper) != 0)
            close(child->keeper);
        child->keeper = -1;
    }
    int *fds[] = {&child->control, &child->output[0], &child->output[1]};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (*fds[i] >= 0)
            close(take_fd(*fds[i]));
}
