/* Starting a command where the system has nothing left to start it with: an errno, and nothing left open. */
#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/child.h"
#include "util/clock.h"
#include "util/sys.h"

/* --- Calls that fail -------------------------------------------------------------------------------------- */

static int fail_pipe; /* which one fails from here; 0: none */
static bool fail_socketpair, fail_fork, fail_open;

int __real_reglet__sys_pipe2(int ends[2], int flags);
int __wrap_reglet__sys_pipe2(int ends[2], int flags);
int __wrap_reglet__sys_pipe2(int ends[2], int flags) {
    if (fail_pipe > 0 && --fail_pipe == 0) {
        errno = EMFILE;
        return -1;
    }
    return __real_reglet__sys_pipe2(ends, flags);
}

int __real_reglet__sys_socketpair(int domain, int type, int ends[2]);
int __wrap_reglet__sys_socketpair(int domain, int type, int ends[2]);
int __wrap_reglet__sys_socketpair(int domain, int type, int ends[2]) {
    errno = ENFILE;
    return fail_socketpair ? -1 : __real_reglet__sys_socketpair(domain, type, ends);
}

pid_t __real_reglet__sys_fork_unseen(int *pidfd);
pid_t __wrap_reglet__sys_fork_unseen(int *pidfd);
pid_t __wrap_reglet__sys_fork_unseen(int *pidfd) {
    errno = EAGAIN;
    return fail_fork ? -1 : __real_reglet__sys_fork_unseen(pidfd);
}

int __real_reglet__sys_openat(int dir, const char *path, int flags, mode_t mode);
int __wrap_reglet__sys_openat(int dir, const char *path, int flags, mode_t mode);
int __wrap_reglet__sys_openat(int dir, const char *path, int flags, mode_t mode) {
    errno = ENOENT;
    return fail_open ? -1 : __real_reglet__sys_openat(dir, path, flags, mode);
}

/* --- Running `true` ---------------------------------------------------------------------------------------- */

static unsigned descriptors(void) {
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static const char *const no_more[] = {"true", NULL};

static int start_with(const char *program, const char *const *argv, struct reglet__child *child) {
    int fd = open(program, O_PATH | O_CLOEXEC), root = open("/", O_PATH | O_CLOEXEC);
    assert_true(fd >= 0 && root >= 0);
    const struct reglet__child_plan plan = {
        .program = fd, .script = -1, .directory = root, .argv = argv, .envp = no_more + 1};
    int error = reglet__child_start(&plan, child);
    close(fd);
    close(root);
    return error;
}

static int start(const char *program, struct reglet__child *child) {
    return start_with(program, no_more, child);
}

static struct reglet__keeper_report run_with(const char *program, const char *const *argv) {
    struct reglet__child child = REGLET__CHILD_INIT;
    struct reglet__keeper_report report;
    assert_int_equal(start_with(program, argv, &child), 0);
    assert_true(reglet__child_end(&child, reglet__deadline_after_ms(30000), &report));
    reglet__child_close(&child);
    return report;
}

static struct reglet__keeper_report run(const char *program) {
    return run_with(program, no_more);
}

static void expect_failure(int expected) {
    struct reglet__child child = REGLET__CHILD_INIT;
    unsigned before = descriptors();
    assert_int_equal(start("/bin/true", &child), expected);
    assert_int_equal(child.keeper, -1);
    assert_int_equal(descriptors(), before);
}

static void start__tells_what_is_missing_and_leaves_nothing_open(void **state) {
    (void)state;
    fail_open = true;
    expect_failure(ENOENT);
    fail_open = false;
    fail_socketpair = true;
    expect_failure(ENFILE);
    fail_socketpair = false;
    for (int which = 1; which <= 2; which++) {
        fail_pipe = which;
        expect_failure(EMFILE);
    }
    fail_fork = true;
    expect_failure(EAGAIN);
    fail_fork = false;
}

static void end__is_that_of_the_command(void **state) {
    (void)state;
    unsigned before = descriptors();
    struct reglet__keeper_report report = run("/bin/true");
    assert_int_equal(report.event, REGLET__KEEPER_ENDED);
    assert_int_equal(report.value, 0);
    report = run("/bin/false");
    assert_int_equal(report.event, REGLET__KEEPER_ENDED);
    assert_int_equal(WEXITSTATUS(report.value), 1);
    assert_int_equal(descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, __WALL | WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void exec__that_fails_is_told_with_its_errno(void **state) {
    (void)state;
    struct reglet__keeper_report report = run("/etc/passwd");
    assert_int_equal(report.event, REGLET__KEEPER_NO_EXEC);
    assert_int_equal(report.value, EACCES);
}

/* A file that became a script after it was looked at: its descriptor is closed on exec, so the kernel starts no interpreter. */
static void exec__of_a_script_by_descriptor_is_refused_by_the_kernel(void **state) {
    (void)state;
    char path[] = "/tmp/reglet-child-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "#!/bin/sh\n", 10), 10);
    assert_int_equal(fchmod(fd, 0755), 0);
    close(fd);
    struct reglet__keeper_report report = run(path);
    unlink(path);
    assert_int_equal(report.event, REGLET__KEEPER_NO_EXEC);
    assert_int_equal(report.value, ENOENT);
}

static void keeper__without_room_for_descriptors_says_so(void **state) {
    (void)state;
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 16; /* as many as the keeper's slots are moved above */
    setrlimit(RLIMIT_NOFILE, &few);
    struct reglet__child child = REGLET__CHILD_INIT;
    struct reglet__keeper_report report = {.value = 0};
    int error = start("/bin/true", &child);
    bool ended = error == 0 && reglet__child_end(&child, reglet__deadline_after_ms(30000), &report);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(error, 0);
    assert_true(ended);
    assert_int_equal(report.event, REGLET__KEEPER_NO_PROCESS);
    assert_int_equal(report.value, EINVAL);
    reglet__child_close(&child);
}

/* Whether the command, as a user without privileges, can read what the kernel guards like memory. */
static bool reads_the_keeper(void) {
    static const char *const argv[] = {"sh", "-c", "cat /proc/self/environ && ! cat /proc/$PPID/environ",
                                       NULL};
    return run_with("/bin/sh", argv).value != 0;
}

/* The keeper is a copy of this process, with all its secrets, and stays one when they are gone here. */
static void keeper__cannot_be_read_by_the_command(void **state) {
    (void)state;
    enum { NOBODY = 65534 };
    pid_t pid = fork(); /* root may read everything */
    assert_true(pid >= 0);
    if (pid == 0) {
        bool dropped = getuid() != 0 || (setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
        prctl(PR_SET_DUMPABLE, 1); /* as a process is that did not change its user */
        _exit(!dropped ? 2 : reads_the_keeper() ? 1 : 0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void close__stops_what_runs_and_leaves_no_zombie(void **state) {
    (void)state;
    unsigned before = descriptors();
    for (int i = 0; i < 20; i++) {
        struct reglet__child child = REGLET__CHILD_INIT;
        assert_int_equal(start("/usr/bin/yes", &child), 0);
        reglet__child_close(&child);
    }
    int64_t until = reglet__deadline_after_ms(30000);
    while ((waitpid(-1, NULL, __WALL | WNOHANG | WNOWAIT) == 0 || descriptors() != before) &&
           reglet__now() < until)
        usleep(1000);
    assert_int_equal(waitpid(-1, NULL, __WALL | WNOHANG), -1);
    assert_int_equal(descriptors(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start__tells_what_is_missing_and_leaves_nothing_open),
        cmocka_unit_test(end__is_that_of_the_command),
        cmocka_unit_test(exec__that_fails_is_told_with_its_errno),
        cmocka_unit_test(exec__of_a_script_by_descriptor_is_refused_by_the_kernel),
        cmocka_unit_test(keeper__without_room_for_descriptors_says_so),
        cmocka_unit_test(keeper__cannot_be_read_by_the_command),
        cmocka_unit_test(close__stops_what_runs_and_leaves_no_zombie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
