/* How a command runs and ends: what it is given, what is answered, and that nothing of it is left. */
#define _GNU_SOURCE
#include "tests/integration/exec_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- What it is given ------------------------------------------------------------------------------------- */

static void arguments__are_handed_over_as_they_are(void **state) {
    (void)state;
    grant("exec:@/probe", NULL);
    char *response = run("probe", "'args','; id','$(id)','*','','--','a\\nb','-e'", "");
    char expected[300];
    snprintf(expected, sizeof expected, "%s\nargs\n; id\n$(id)\n*\n\n--\na\nb\n-e\n", in_dir("probe"));
    expect_member(response, "/stdout", expected);
    free(response);
    response = relay(plugin, "exec_command", "{'command':'%s','args':null}", in_dir("probe"));
    expect_member(response, "/stdout", "good\n");
    free(response);
    response = relay(plugin, "exec_run", "{'command':'%s'}", in_dir("probe"));
    expect_member(response, "/stdout", "good\n");
    free(response);
}

static void too_many_or_too_large_arguments__are_refused(void **state) {
    (void)state;
    grant("exec:@/probe", NULL);
    char *args = malloc(4097 * 5 + 1), *at = args;
    for (int i = 0; i < 4097; i++)
        at += sprintf(at, "%s''", i ? "," : "");
    expect_run("probe", args, "/error/code", "E2BIG");
    free(args);
    args = malloc((1 << 20) + 3);
    memset(args, 'x', (1 << 20) + 2);
    args[0] = args[(1 << 20) + 1] = '\'';
    args[(1 << 20) + 2] = '\0';
    expect_run("probe", args, "/error/code", "E2BIG");
    strcpy(args + 200000, "'"); /* more than the kernel takes for one */
    expect_run("probe", args, "/error/code", "E2BIG");
    free(args);
}

static void directory__is_the_root_unless_it_is_given(void **state) {
    (void)state;
    grant("exec:@/probe", NULL);
    char *response = run("probe", "'state'", "");
    expect_member_contains(response, "/stdout", "cwd=/\n");
    free(response);
    response = run("probe", "'state'", "'dir':''");
    expect_member_contains(response, "/stdout", "cwd=/\n");
    free(response);
    response = run("probe", "'state'", "'dir':'/usr/bin/..'");
    expect_member_contains(response, "/stdout", "cwd=/usr\n");
    free(response);
    response = run("probe", "", "'dir':'usr'");
    expect_member(response, "/error/type", "validation");
    free(response);
    response = run("probe", "", "'dir':'/nonexistent'");
    expect_member(response, "/error/code", "ENOENT");
    expect_member(response, "/error/is_not_found", "true");
    free(response);
    response = run("probe", "", "'dir':'/etc/hosts'");
    expect_member(response, "/error/code", "ENOTDIR");
    free(response);
}

static void environment__is_what_was_asked_for_and_nothing_of_ours(void **state) {
    (void)state;
    setenv("REGLET_TEST_SECRET", "secret", 1);
    grant("exec:@/probe", NULL);
    expect_run("probe", "'environment'", "/stdout", "");
    char *response = run("probe", "'environment'", "'env':['A=1','B==','A=2','C=']");
    expect_member(response, "/stdout", "B==\nA=2\nC=\n");
    free(response);
    response = run("probe", "", "'env':['A']");
    expect_member(response, "/error/type", "validation");
    free(response);
    response = run("probe", "", "'env':['=A']");
    expect_member(response, "/error/type", "validation");
    free(response);
}

static void variables_that_change_what_runs__are_dropped_and_logged(void **state) {
    (void)state;
    grant("exec:@/probe", NULL);
    char *response = run(
        "probe", "'environment'",
        "'env':['LD_PRELOAD=/tmp/x.so','GLIBC_TUNABLES=x','BASH_FUNC_ls%%=() { id; }','GIT_SSH_COMMAND=id',"
        "'PATH=/tmp','IFS=/','HOME=/tmp','http_proxy=x','ld_preload=x','LANG=C.UTF-8','TZ=UTC']");
    expect_member(response, "/stdout", "LANG=C.UTF-8\nTZ=UTC\n");
    free(response);
    assert_true(events_contain(&events, "the variable LD_PRELOAD was left out"));
    assert_true(events_contain(&events, "the variable BASH_FUNC_ls%% was left out"));
    assert_true(events_contain(&events, "the variable http_proxy was left out"));
}

static void process__has_nothing_of_the_embedder_but_its_umask(void **state) {
    (void)state;
    char file[64];
    snprintf(file, sizeof file, "%s", in_dir("inherited"));
    int leaked = open(file, O_CREAT | O_RDWR, 0600); /* not close-on-exec */
    assert_true(leaked >= 0);
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    sigset_t usr2, old;
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &usr2, &old);
    mode_t mask = umask(027);
    grant("exec:@/probe", NULL);
    char *response = run("probe", "'state'", "");
    expect_member_contains(response, "/stdout", "umask=027\n");
    expect_member_contains(response, "/stdout", "core=0\n");
    expect_member_contains(response, "/stdout", "leads its group: yes\n");
    expect_member_contains(response, "/stdout", "terminal: ENXIO\n");
    expect_member_contains(response, "/stdout", "bytes on stdin: 0\n");
    expect_member_contains(response, "/stdout", "SigBlk:\t0000000000000000\n");
    expect_member_contains(response, "/stdout", "SigIgn:\t0000000000000000\n");
    expect_member_contains(response, "/stdout", "SigCgt:\t0000000000000000\n");
    expect_member_contains(response, "/stdout", "NoNewPrivs:\t1\n");
    free(response);
    response = run("probe", "'descriptors'", "");
    char *found = json_member(response, "/stdout");
    assert_true(strncmp(found, "0=/dev/null;1=pipe:[", strlen("0=/dev/null;1=pipe:[")) == 0);
    assert_non_null(strstr(found, ";2=pipe:["));
    assert_null(strstr(found, ";3="));
    free(found);
    free(response);
    umask(mask);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    signal(SIGPIPE, before);
    signal(SIGUSR1, SIG_DFL);
    close(leaked);
}

static void embedder_without_stdio__gives_the_command_its_own(void **state) {
    (void)state;
    int saved[3];
    for (int i = 0; i < 3; i++)
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
    grant("exec:@/probe", NULL);
    for (int i = 0; i < 3; i++)
        close(i);
    char *response = run("probe", "'descriptors'", "");
    char *good = run("probe", "", "");
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    expect_member_contains(response, "/stdout", "0=/dev/null;1=pipe:[");
    expect_member(good, "/stdout", "good\n");
    free(response);
    free(good);
}

static void setuid_bit__changes_nobody(void **state) {
    (void)state;
    if (getuid() != 0)
        skip();
    grant("exec:@/probe", NULL);
    assert_int_equal(chown(in_dir("probe"), 65534, 65534), 0);
    assert_int_equal(chmod(in_dir("probe"), 06755), 0);
    char *response = run("probe", "'state'", "");
    expect_member_contains(response, "/stdout", "Uid:\t0\t0\t0\t0\n");
    free(response);
}

/* --- What is answered ------------------------------------------------------------------------------------- */

static void end__is_told_by_code_or_signal(void **state) {
    (void)state;
    grant("exec:@/probe", NULL);
    expect_run("probe", "'exit','0'", "/exit_code", "0");
    expect_run("probe", "'exit','255'", "/exit_code", "255");
    expect_run("probe", "'exit','7'", "/error", NULL);
    expect_run("probe", "'exit','7'", "/signal", NULL);
    expect_run("probe", "'exit','7'", "/is_timeout", "false");
    expect_run("probe", "'die','9'", "/exit_code", "-1");
    expect_run("probe", "'die','9'", "/signal", "SIGKILL");
    expect_run("probe", "'die','11'", "/signal", "SIGSEGV");
    expect_run("probe", "'die','11'", "/error", NULL);
    expect_run("probe", "'die','40'", "/signal", "SIG40");
}

static void output__that_is_no_text_is_repaired(void **state) {
    (void)state;
    grant("exec:@/probe", NULL);
    expect_run("probe", "'bytes'", "/stdout",
               "a\xef\xbf\xbd"
               "b\xef\xbf\xbd");
}

static void both_streams__are_read_at_once_up_to_their_limit(void **state) {
    (void)state;
    needs_no_second_thread();
    static const size_t limit = 10 << 20;
    grant("exec:@/probe", NULL);
    char *response = run("probe", "'flood','12000000'", "");
    const char *const streams[] = {"/stdout", "/stderr"};
    for (int i = 0; i < 2; i++) {
        char *text = json_member(response, streams[i]);
        assert_int_equal(strlen(text), limit);
        free(text);
    }
    expect_member(response, "/stdout_truncated", "true");
    expect_member(response, "/stderr_truncated", "true");
    expect_member(response, "/exit_code", "0");
    free(response);
    response = run("probe", "'flood','1000000'", "");
    expect_member(response, "/stdout_truncated", "false");
    expect_member(response, "/stderr_truncated", "false");
    free(response);
}

/* --- Deadlines -------------------------------------------------------------------------------------------- */

static void deadline_of_the_request__answers_what_there_was_without_an_error(void **state) {
    (void)state;
    grant("exec:@/probe", NULL);
    char *response = run("probe", "'stay'", "'timeout_ms':1500");
    expect_member(response, "/is_timeout", "true");
    expect_member(response, "/exit_code", "-1");
    expect_member(response, "/error", NULL);
    expect_member(response, "/stdout", "ready\n");
    assert_in_range(json_number(response, "/duration_ms"), 1000, 10000);
    assert_int_equal(running(), 0);
    free(response);
    response = run("probe", "'flood','99999999999'", "'context':{'timeout_ms':300}");
    expect_member(response, "/is_timeout", "true");
    assert_int_equal(running(), 0);
    free(response);
}

/* A request for a tree that stays, and makes a file when it is complete. */
static const char *tree_request(void) {
    static _Thread_local char request[400];
    snprintf(request, sizeof request, "{\"command\":\"%s\",\"args\":[\"tree\",\"stay\",\"%s\"]}",
             in_dir("probe"), in_dir("ready"));
    return request;
}

static void observe_until(int64_t timeout_ms, reglet_status expected, const char *message) {
    expect_plugin_error(relay_observe(plugin, "exec_command", tree_request(), timeout_ms), expected, message);
    assert_int_equal(running(), 0);
}

static void deadline_of_the_call__ends_the_call_and_the_command(void **state) {
    (void)state;
    grant("exec:@/probe", NULL);
    observe_until(300, REGLET_ERR_TIMEOUT, "deadline");
}

/* Until a tree has told that it is complete. */
static void wait_for_tree(void) {
    int64_t until = now_ms() + 30000;
    while (access(in_dir("ready"), F_OK) != 0 && now_ms() < until)
        usleep(1000);
}

static void *cancel_when_it_runs(void *token) {
    wait_for_tree();
    reglet_cancel_token_cancel(token);
    return NULL;
}

static void cancel__ends_the_call_and_the_command(void **state) {
    (void)state;
    char config[500];
    reglet_cancel_token *token = NULL;
    reglet_config *values = NULL;
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    pthread_t thread;
    grant("exec:@/probe", NULL);
    snprintf(config, sizeof config, "{\"function\":\"exec_command\",\"request\":%s}", tree_request());
    EXPECT(reglet_config_parse(config, strlen(config), &values, &error), REGLET_OK, error);
    EXPECT(reglet_cancel_token_new(&token, &error), REGLET_OK, error);
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_it_runs, token), 0);
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.cancel = token;
    EXPECT(reglet_plugin_observe(plugin, values, &call, &result, &error), REGLET_OK, error);
    pthread_join(thread, NULL);
    expect_plugin_error(result, REGLET_ERR_CANCELLED, "");
    assert_int_equal(running(), 0);
    reglet_cancel_token_unref(token);
    reglet_config_free(values);
}

/* --- Nothing is left -------------------------------------------------------------------------------------- */

/* Processes that left the group, the session and their parent, ignore every signal and hold the pipes. */
static void what_a_command_leaves_behind__is_killed_when_it_ends(void **state) {
    (void)state;
    grant("exec:@/probe", NULL);
    int64_t started = now_ms();
    expect_run("probe", "'tree','leave'", "/stdout", "ready\n");
    assert_int_equal(running(), 0);
    assert_true(now_ms() - started < 5000);
}

static void what_a_command_starts__is_killed_at_the_deadline(void **state) {
    (void)state;
    grant("exec:@/probe", NULL);
    char *response = run("probe", "'tree','stay'", "'timeout_ms':2000");
    expect_member(response, "/stdout", "ready\n");
    expect_member(response, "/is_timeout", "true");
    assert_int_equal(running(), 0);
    free(response);
    free(run("probe", "'multiply'", "'timeout_ms':300"));
    assert_int_equal(running(), 0);
}

static void orphans__are_reaped_while_the_command_runs(void **state) {
    (void)state;
    grant("exec:@/probe", NULL);
    expect_run("probe", "'orphans','500'", "/exit_code", "0");
    assert_int_equal(running(), 0);
}

static void keeper_that_is_killed__takes_the_command_along(void **state) {
    (void)state;
    grant("exec:@/probe", NULL);
    expect_run("probe", "'keeper','9'", "/error/code", "EIO");
    int64_t until = now_ms() + 5000;
    while (running() > 0 && now_ms() < until)
        usleep(1000);
    assert_int_equal(running(), 0);
}

static void keeper_that_is_stopped__still_ends_at_the_deadline(void **state) {
    (void)state;
    grant("exec:@/probe", NULL);
    char *response = run("probe", "'keeper','19'", "'timeout_ms':300");
    expect_member(response, "/is_timeout", "true");
    assert_int_equal(running(), 0);
    free(response);
}

/* The embedding program dies in the middle: kill -9. */
static void host_that_is_killed__takes_its_commands_along(void **state) {
    (void)state;
    pid_t host = fork();
    if (host == 0) {
        grant("exec:@/probe", NULL);
        reglet_result_free(relay_observe(plugin, "exec_command", tree_request(), -1));
        _exit(0);
    }
    wait_for_tree();
    unsigned ran = running();
    kill(host, SIGKILL);
    waitpid(host, NULL, 0);
    assert_int_equal(ran, 5);
    int64_t until = now_ms() + 5000;
    while (running() > 0 && now_ms() < until)
        usleep(1000);
    assert_int_equal(running(), 0);
}

enum { PARALLEL = 50 };

static void *run_into_the_deadline(void *took) {
    int64_t started = now_ms();
    reglet_result_free(relay_observe(plugin, "exec_command", tree_request(), 300));
    *(int64_t *)took = now_ms() - started;
    return NULL;
}

static void fifty_at_once__leave_no_process_and_no_descriptor(void **state) {
    (void)state;
    pthread_t threads[PARALLEL];
    int64_t took[PARALLEL];
    grant("exec:@/probe", NULL);
    run_into_the_deadline(&took[0]);
    unsigned before = descriptors();
    for (int i = 0; i < PARALLEL; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_into_the_deadline, &took[i]), 0);
    for (int i = 0; i < PARALLEL; i++) {
        pthread_join(threads[i], NULL);
        assert_true(took[i] < 10000);
    }
    assert_int_equal(running(), 0);
    assert_int_equal(waitpid(-1, NULL, __WALL | WNOHANG), -1);
    assert_int_equal(descriptors(), before);
}

/* --- The embedding program notices nothing ---------------------------------------------------------------- */

static atomic_uint signals_seen;
static atomic_bool waiting;

static void count_signal(int number) {
    (void)number;
    atomic_fetch_add(&signals_seen, 1);
}

/* A program that reaps whatever ends, such as an init. */
static void *wait_for_any(void *stolen) {
    while (atomic_load(&waiting))
        if (waitpid(-1, NULL, 0) > 0)
            atomic_fetch_add((atomic_uint *)stolen, 1);
        else
            usleep(100);
    return NULL;
}

static void embedder__gets_no_signal_and_can_steal_no_status(void **state) {
    (void)state;
    atomic_uint stolen = 0;
    pthread_t thread;
    grant("exec:@/probe", NULL);
    atomic_store(&signals_seen, 0);
    void (*before)(int) = signal(SIGCHLD, count_signal);
    atomic_store(&waiting, true);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_any, &stolen), 0);
    for (int i = 0; i < 50; i++)
        expect_run("probe", "'exit','7'", "/exit_code", "7");
    atomic_store(&waiting, false);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&signals_seen), 0);
    assert_int_equal(atomic_load(&stolen), 0);
    signal(SIGCHLD, SIG_IGN);
    expect_run("probe", "'exit','7'", "/exit_code", "7");
    signal(SIGCHLD, before);
}

static void script__has_its_own_file_as_the_only_other_descriptor(void **state) {
    (void)state;
    put_file("script", 0755,
             "#!/bin/sh\nls -l /proc/self/fd | wc -l; readlink /proc/self/fd/3; echo \"$0\"\n");
    grant("exec:@/script", "exec:/bin/sh", NULL);
    char *response = run("script", "", "'env':['LANG=C']");
    expect_member_contains(response, "/stdout", in_dir("script"));
    expect_member_contains(response, "/stdout", "/proc/self/fd/3\n");
    free(response);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, exec_set_up, exec_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(host_that_is_killed__takes_its_commands_along), /* forks: before there are threads */
        TEST(arguments__are_handed_over_as_they_are),
        TEST(too_many_or_too_large_arguments__are_refused),
        TEST(directory__is_the_root_unless_it_is_given),
        TEST(environment__is_what_was_asked_for_and_nothing_of_ours),
        TEST(variables_that_change_what_runs__are_dropped_and_logged),
        TEST(process__has_nothing_of_the_embedder_but_its_umask),
        TEST(embedder_without_stdio__gives_the_command_its_own),
        TEST(setuid_bit__changes_nobody),
        TEST(end__is_told_by_code_or_signal),
        TEST(output__that_is_no_text_is_repaired),
        TEST(both_streams__are_read_at_once_up_to_their_limit),
        TEST(deadline_of_the_request__answers_what_there_was_without_an_error),
        TEST(deadline_of_the_call__ends_the_call_and_the_command),
        TEST(cancel__ends_the_call_and_the_command),
        TEST(what_a_command_leaves_behind__is_killed_when_it_ends),
        TEST(what_a_command_starts__is_killed_at_the_deadline),
        TEST(orphans__are_reaped_while_the_command_runs),
        TEST(keeper_that_is_killed__takes_the_command_along),
        TEST(keeper_that_is_stopped__still_ends_at_the_deadline),
        TEST(fifty_at_once__leave_no_process_and_no_descriptor),
        TEST(embedder__gets_no_signal_and_can_steal_no_status),
        TEST(script__has_its_own_file_as_the_only_other_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
