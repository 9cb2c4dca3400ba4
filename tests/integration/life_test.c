#define _GNU_SOURCE
#include "tests/integration/support.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

/* --- The end of a runtime -------------------------------------------------------------------------------- */

struct running {
    reglet_plugin *plugin;
    int64_t ended_ms;
};

static void *observe_for_300_ms(void *argument) {
    struct running *running = argument;
    expect_plugin_error(observe_json(running->plugin, NULL, 300), REGLET_ERR_TIMEOUT, "deadline");
    running->ended_ms = now_ms();
    return NULL;
}

/* What the log callback works on is the caller's to free once the runtime is gone: no call may still log then. */
static void free__waits_for_calls_on_plugins_that_were_closed(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    struct running running = {.plugin = load_guest(runtime, "loop_observe")};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, observe_for_300_ms, &running), 0);
    usleep(50000);
    reglet_plugin_close(running.plugin);
    reglet_runtime_free(runtime);
    int64_t freed_ms = now_ms();
    pthread_join(thread, NULL);
    assert_in_range(running.ended_ms, 0, freed_ms + 5);
    reglet_plugin_unref(running.plugin);
}

/* A call holds its plugin: the last reference may be given back while it runs. */
static void unref__during_a_call_leaves_the_call_its_plugin(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    struct running running = {.plugin = load_guest(runtime, "loop_observe")};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, observe_for_300_ms, &running), 0);
    usleep(50000);
    reglet_plugin_close(running.plugin);
    reglet_plugin_unref(running.plugin);
    pthread_join(thread, NULL);
    reglet_runtime_free(runtime);
}

/* --- What a process has too little of -------------------------------------------------------------------- */

static int open_events(void) {
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char target[256] = "";
        if (readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1) > 0 && strstr(target, "eventfd"))
            count++;
    }
    closedir(dir);
    return count;
}

/* What a compilation is waited for with goes with the last who waits; the image of the module's memory stays. */
static void load__plugins_keep_no_event_descriptor(void **state) {
    (void)state;
    static const char *const guests[] = {"counter", "trap", "recursion", "exit_0", "exit_3"};
    reglet_runtime *runtime = new_runtime(NULL);
    int before = open_events();
    for (size_t i = 0; i < sizeof guests / sizeof *guests; i++)
        reglet_plugin_unref(load_guest(runtime, guests[i]));
    assert_int_equal(open_events(), before);
    reglet_runtime_free(runtime);
}

static rlim_t address_space(void) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void observe__without_room_for_an_instance_says_so(void **state) {
    (void)state;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.cache_mode = REGLET_CACHE_NONE; /* or it may have room from before */
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "counter");
    struct rlimit whole, little;
    assert_int_equal(getrlimit(RLIMIT_AS, &whole), 0);
    little = (struct rlimit){address_space() + ((rlim_t)1 << 30), whole.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &little), 0);
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    reglet_status status = reglet_plugin_observe(plugin, NULL, NULL, &result, &error);
    assert_int_equal(setrlimit(RLIMIT_AS, &whole), 0);
    assert_non_null(strstr(reglet_error_message(error), "no room for an instance"));
    expect_status(status, REGLET_ERR_NO_MEMORY, error, "observe");
    assert_null(result);
    expect_evidence(observe_json(plugin, NULL, 0), "\"calls\":1");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* --- Where a call may come from -------------------------------------------------------------------------- */

static void observe_another(void *plugin, const reglet_log_event *event) {
    (void)event;
    expect_evidence(observe_json(plugin, NULL, 0), "\"calls\":1");
}

static void observe__inside_a_log_callback_works(void **state) {
    (void)state;
    reglet_runtime *inner = new_runtime(NULL);
    reglet_plugin *counter = load_guest(inner, "counter");
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.log = observe_another;
    options.log_user_data = counter;
    reglet_runtime *outer = new_runtime(&options);
    reglet_plugin *logging = load_guest(outer, "log_requests");
    expect_evidence(observe_json(logging, NULL, 0), "\"status\":true");
    reglet_plugin_unref(logging);
    reglet_plugin_unref(counter);
    reglet_runtime_free(outer);
    reglet_runtime_free(inner);
}

#if !REGLET_SANITIZED /* the sanitizers do not follow a change of stack */
static ucontext_t caller, coroutine;
static reglet_plugin *coroutine_plugin;
static reglet_status coroutine_status;

static void observe_in_coroutine(void) {
    reglet_result *result = NULL;
    coroutine_status = reglet_plugin_observe(coroutine_plugin, NULL, NULL, &result, NULL);
    reglet_result_free(result);
}

/* Nobody can tell how much of such a stack is left: what does not fit would overwrite what is below it. */
static void observe__on_a_coroutines_stack_is_refused(void **state) {
    (void)state;
    enum { SIZE = 4 << 20 };
    reglet_runtime *runtime = new_runtime(NULL);
    coroutine_plugin = load_guest(runtime, "counter");
    char *stack = malloc(SIZE);
    assert_non_null(stack);
    assert_int_equal(getcontext(&coroutine), 0);
    coroutine.uc_stack = (stack_t){.ss_sp = stack, .ss_size = SIZE};
    coroutine.uc_link = &caller;
    makecontext(&coroutine, observe_in_coroutine, 0);
    assert_int_equal(swapcontext(&caller, &coroutine), 0);
    assert_string_equal(reglet_status_name(coroutine_status), "thread_stack");
    free(stack);
    reglet_plugin_unref(coroutine_plugin);
    reglet_runtime_free(runtime);
}
#endif

static void ignore_signal(int number) {
    (void)number;
}

static void observe__under_a_storm_of_signals_is_the_same(void **state) {
    (void)state;
    const struct itimerval storm = {{0, 500}, {0, 500}}, calm = {0};
    const struct sigaction action = {.sa_handler = ignore_signal}; /* without SA_RESTART: calls see EINTR */
    struct sigaction before;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *sleeping = load_guest(runtime, "sleep_forever"),
                  *looping = load_guest(runtime, "loop_observe");
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &storm, NULL), 0);
    int64_t begin = now_ms();
    expect_plugin_error(observe_json(sleeping, NULL, 100), REGLET_ERR_TIMEOUT, "deadline");
    assert_true(now_ms() - begin >= 100);
    expect_plugin_error(observe_json(looping, NULL, 100), REGLET_ERR_TIMEOUT, "deadline");
    reglet_plugin_unref(load_guest(runtime, "counter"));
    assert_int_equal(setitimer(ITIMER_REAL, &calm, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    reglet_plugin_unref(sleeping);
    reglet_plugin_unref(looping);
    reglet_runtime_free(runtime);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        /* First: rooms that are idle later would be given back for it. */
        cmocka_unit_test(observe__without_room_for_an_instance_says_so),
        cmocka_unit_test(free__waits_for_calls_on_plugins_that_were_closed),
        cmocka_unit_test(unref__during_a_call_leaves_the_call_its_plugin),
        cmocka_unit_test(load__plugins_keep_no_event_descriptor),
        cmocka_unit_test(observe__inside_a_log_callback_works),
#if !REGLET_SANITIZED
        cmocka_unit_test(observe__on_a_coroutines_stack_is_refused),
#endif
        cmocka_unit_test(observe__under_a_storm_of_signals_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
