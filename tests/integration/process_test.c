/* What the head of reglet.h says the library does to its process, and what it says it never does. */
#define _GNU_SOURCE
#include "tests/integration/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static reglet_runtime *runtime;
static reglet_plugin *plugin; /* loaded, and called once */

static int set_up(void **state) {
    (void)state;
    runtime = new_runtime_granting("file", "fs:read:/etc/hosts");
    plugin = load_guest(runtime, "file");
    expect_evidence(observe_json(plugin, "{\"path\":\"/etc/hosts\"}", 0), "\"exists\":true");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    return 0;
}

static void *sleep_in_a_call(void *sleeper) {
    expect_plugin_error(observe_json(sleeper, NULL, 400), REGLET_ERR_TIMEOUT, "deadline");
    return NULL;
}

/* Calls `check` for each entry of a directory of /proc while a call is in flight. */
static void during_a_call(const char *directory, void (*check)(const char *entry)) {
    reglet_plugin *sleeper = load_guest(runtime, "sleep_forever");
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, sleep_in_a_call, sleeper), 0);
    usleep(100000);
    DIR *dir = opendir(directory);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.')
            check(entry->d_name);
    closedir(dir);
    pthread_join(thread, NULL);
    reglet_plugin_unref(sleeper);
}

/* --- Threads and signals ----------------------------------------------------------------------------------- */

static unsigned threads_of_the_library, other_threads;

/* The test's own two threads block nothing; every other one is the library's, and may end at any moment. */
static void count_or_expect_blocked(const char *thread) {
    char path[64], line[256];
    unsigned long long blocked = 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    bool known = false;
    while (fgets(line, sizeof line, file))
        known = known || sscanf(line, "SigBlk: %llx", &blocked) == 1;
    fclose(file);
    if (!known)
        return;
    const unsigned long long asynchronous =
        1ULL << (SIGINT - 1) | 1ULL << (SIGTERM - 1) | 1ULL << (SIGALRM - 1) | 1ULL << (SIGCHLD - 1);
    if ((blocked & asynchronous) == asynchronous)
        threads_of_the_library++;
    else
        other_threads++;
    if (blocked & asynchronous)
        assert_int_equal(blocked & asynchronous, asynchronous);
}

static void threads__of_the_library_block_signals(void **state) {
    (void)state;
    threads_of_the_library = other_threads = 0;
    during_a_call("/proc/self/task", count_or_expect_blocked);
    assert_true(threads_of_the_library > 0);
    if (!REGLET_SANITIZED) /* their runtimes have threads too */
        assert_int_equal(other_threads, 2);
}

static unsigned tickers;

static void count_ticker(const char *thread) {
    char path[300], name[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", thread);
    FILE *file = fopen(path, "r");
    if (!file)
        return; /* it has just ended */
    tickers += fgets(name, sizeof name, file) && strcmp(name, "reglet-tick\n") == 0;
    fclose(file);
}

/* The ticker belongs to the engine: as many as there are of one, there are of the other. */
static void threads__one_engine_ticks_however_many_caches_and_runtimes_there_are(void **state) {
    (void)state;
    enum { RUNTIMES = 6 };
    static const reglet_cache_mode modes[] = {REGLET_CACHE_SHARED, REGLET_CACHE_OWN, REGLET_CACHE_NONE};
    reglet_runtime *runtimes[RUNTIMES];
    for (int i = 0; i < RUNTIMES; i++) {
        reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
        reglet_cache_options cache = REGLET_CACHE_OPTIONS_INIT;
        cache.memory_only = true;
        options.cache_mode = modes[i % 3];
        if (options.cache_mode == REGLET_CACHE_OWN)
            assert_int_equal(reglet_cache_new(&cache, &options.cache, NULL), REGLET_OK);
        runtimes[i] = new_runtime(&options);
        reglet_cache_unref(options.cache);
        reglet_plugin *counter = load_guest(runtimes[i], "counter");
        expect_evidence(observe_json(counter, NULL, 0), "\"calls\":1");
        reglet_plugin_unref(counter);
    }
    tickers = 0;
    during_a_call("/proc/self/task", count_ticker);
    assert_int_equal(tickers, 1);
    for (int i = 0; i < RUNTIMES; i++)
        reglet_runtime_free(runtimes[i]);
}

static void signals__handlers_are_installed_for_faults_alone(void **state) {
    (void)state;
    for (int number = 1; number < SIGRTMIN; number++) {
        struct sigaction action;
        if (number == SIGSEGV || number == SIGILL || number == SIGFPE || REGLET_SANITIZED ||
            sigaction(number, NULL, &action) != 0)
            continue;
        bool cmockas = number == SIGBUS || number == SIGSYS;
        if (!cmockas && action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN)
            fail_msg("there is a handler for signal %d (%s)", number, strsignal(number));
    }
}

/* --- Descriptors ------------------------------------------------------------------------------------------- */

static int before[1024];
static size_t before_count;
static unsigned opened;

static void expect_close_on_exec(const char *name) {
    int fd = atoi(name);
    for (size_t i = 0; i < before_count; i++)
        if (before[i] == fd)
            return;
    int flags = fcntl(fd, F_GETFD);
    if (flags >= 0 && !(flags & FD_CLOEXEC))
        fail_msg("descriptor %d would be inherited by a program that is run", fd);
    opened++;
}

static void descriptors__are_all_close_on_exec(void **state) {
    (void)state;
    opened = 0;
    during_a_call("/proc/self/fd", expect_close_on_exec);
    assert_true(opened > 0);
}

/* --- What it never does ------------------------------------------------------------------------------------ */

static void stdio__nothing_is_printed_whatever_happens(void **state) {
    (void)state;
    static const char *const guests[] = {"trap", "recursion", "flood_stdout", "flood_stderr", "flood_log"};
    int saved[2] = {dup(1), dup(2)};
    FILE *printed = tmpfile();
    assert_non_null(printed);
    reglet_runtime *own = new_runtime(NULL); /* hands the signals of faults back to the engine */
    fflush(stdout);
    dup2(fileno(printed), 1);
    dup2(fileno(printed), 2);
    for (size_t i = 0; i < sizeof guests / sizeof *guests; i++) {
        reglet_plugin *hostile = load_guest(own, guests[i]);
        reglet_result_free(observe_json(hostile, NULL, 0));
        reglet_plugin_unref(hostile);
    }
    reglet_plugin *none = NULL;
    reglet_runtime_load_plugin(own, "junk", "junk", 4, NULL, &none, NULL);
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        dup2(saved[i], i + 1);
        close(saved[i]);
    }
    reglet_runtime_free(own);
    struct stat status;
    assert_int_equal(fstat(fileno(printed), &status), 0);
    fclose(printed);
    assert_int_equal(status.st_size, 0);
}

extern char **environ;

/* Everything of the process that a library could leave changed, as one text. */
static char *state_of_the_process(void) {
    char *text = NULL, directory[4096];
    size_t size = 0;
    sigset_t mask;
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    assert_non_null(getcwd(directory, sizeof directory));
    mode_t mode = umask(0);
    umask(mode);
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    fprintf(out, "%s|%o|%s|", directory, (unsigned)mode, setlocale(LC_ALL, NULL));
    for (int number = 1; number < SIGRTMIN; number++)
        fputc(sigismember(&mask, number) == 1 ? '1' : '0', out);
    for (char **variable = environ; *variable; variable++)
        fprintf(out, "|%s", *variable);
    fclose(out);
    return text;
}

static void process__is_left_as_it_was(void **state) {
    (void)state;
    char *was = state_of_the_process();
    reglet_runtime *another = new_runtime_granting("counter", "env:*");
    reglet_plugin *counter = load_guest(another, "counter");
    expect_evidence(observe_json(counter, NULL, 0), "\"calls\":1");
    char *is = state_of_the_process();
    assert_string_equal(is, was);
    reglet_plugin_unref(counter);
    reglet_runtime_free(another);
    free(was);
    free(is);
}

static void version__is_that_of_the_headers(void **state) {
    (void)state;
    assert_string_equal(reglet_version(), REGLET_VERSION_STRING);
    assert_memory_equal(reglet_engine_version(), "wasmtime 48.", 12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads__of_the_library_block_signals),
        cmocka_unit_test(threads__one_engine_ticks_however_many_caches_and_runtimes_there_are),
        cmocka_unit_test(signals__handlers_are_installed_for_faults_alone),
        cmocka_unit_test(descriptors__are_all_close_on_exec),
        cmocka_unit_test(stdio__nothing_is_printed_whatever_happens),
        cmocka_unit_test(process__is_left_as_it_was),
        cmocka_unit_test(version__is_that_of_the_headers),
    };
    for (int fd = 0; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            before[before_count++] = fd;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
