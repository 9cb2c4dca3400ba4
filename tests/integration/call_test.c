#define _GNU_SOURCE
#include "tests/integration/support.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A call in a thread, with what it needs and what came of it. */
struct caller {
    pthread_t thread;
    reglet_plugin *plugin;
    reglet_cancel_token *token;
    int64_t timeout_ms;
    reglet_result *result;
    reglet_status status;
    int64_t ended_ms;
};

static void *call_in_thread(void *argument) {
    struct caller *caller = argument;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = caller->timeout_ms;
    call.cancel = caller->token;
    caller->status = reglet_plugin_observe(caller->plugin, NULL, &call, &caller->result, NULL);
    caller->ended_ms = now_ms();
    return NULL;
}

static void start_call(struct caller *caller) {
    assert_int_equal(pthread_create(&caller->thread, NULL, call_in_thread, caller), 0);
}

static reglet_cancel_token *new_token(void) {
    reglet_cancel_token *token = NULL;
    assert_int_equal(reglet_cancel_token_new(&token, NULL), REGLET_OK);
    return token;
}

/* Slack for a loaded machine; what is measured is printed by `make bench`. */
enum { PROMISED_MS = 10, SLACK_MS = 150 };

/* --- Cancelling ------------------------------------------------------------------------------------------ */

static void cancel_stops(const char *guest) {
    reglet_runtime *runtime = new_runtime(NULL);
    struct caller caller = {.plugin = load_guest(runtime, guest), .token = new_token(), .timeout_ms = 20000};
    start_call(&caller);
    usleep(50000);
    int64_t cancelled_ms = now_ms();
    reglet_cancel_token_cancel(caller.token);
    pthread_join(caller.thread, NULL);
    assert_int_equal(caller.status, REGLET_OK);
    assert_true(caller.ended_ms - cancelled_ms < PROMISED_MS + SLACK_MS);
    expect_plugin_error(caller.result, REGLET_ERR_CANCELLED, "cancelled");
    reglet_cancel_token_unref(caller.token);
    reglet_plugin_unref(caller.plugin);
    reglet_runtime_free(runtime);
}

static void cancel__stops_an_endless_loop(void **state) {
    (void)state;
    cancel_stops("loop_observe");
}

static void cancel__stops_a_loop_in_the_start_function(void **state) {
    (void)state;
    cancel_stops("loop_start");
}

static void cancel__stops_a_sleep(void **state) {
    (void)state;
    cancel_stops("sleep_forever");
}

static void cancel__stops_that_call_and_no_sibling(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "loop_observe");
    struct caller doomed = {.plugin = plugin, .token = new_token(), .timeout_ms = 20000};
    struct caller sibling = {.plugin = plugin, .token = new_token(), .timeout_ms = 400};
    start_call(&doomed);
    start_call(&sibling);
    usleep(50000);
    reglet_cancel_token_cancel(doomed.token);
    pthread_join(doomed.thread, NULL);
    pthread_join(sibling.thread, NULL);
    expect_plugin_error(doomed.result, REGLET_ERR_CANCELLED, "cancelled");
    expect_plugin_error(sibling.result, REGLET_ERR_TIMEOUT, "deadline");
    reglet_cancel_token_unref(doomed.token);
    reglet_cancel_token_unref(sibling.token);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void cancel__before_the_call_runs_nothing(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    struct caller caller = {.plugin = load_guest(runtime, "counter"), .token = new_token()};
    reglet_cancel_token_cancel(caller.token);
    start_call(&caller);
    pthread_join(caller.thread, NULL);
    expect_plugin_error(caller.result, REGLET_ERR_CANCELLED, "cancelled");
    reglet_cancel_token_unref(caller.token);
    reglet_plugin_unref(caller.plugin);
    reglet_runtime_free(runtime);
}

static void cancel__token_given_back_during_the_call_lives_on(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_cancel_token *token = new_token();
    struct caller caller = {
        .plugin = load_guest(runtime, "sleep_forever"), .token = token, .timeout_ms = 20000};
    start_call(&caller);
    usleep(50000);
    reglet_cancel_token_ref(token);
    reglet_cancel_token_unref(token);
    reglet_cancel_token_cancel(token);
    reglet_cancel_token_unref(token); /* the call may still hold its own */
    pthread_join(caller.thread, NULL);
    expect_plugin_error(caller.result, REGLET_ERR_CANCELLED, "cancelled");
    reglet_plugin_unref(caller.plugin);
    reglet_runtime_free(runtime);
}

/* --- Deadlines ------------------------------------------------------------------------------------------- */

static void deadline__ends(const char *guest) {
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, guest);
    int64_t begin = now_ms();
    reglet_result *result = observe_json(plugin, NULL, 60);
    int64_t took = now_ms() - begin;
    if (took < 60 || took > 60 + PROMISED_MS + SLACK_MS)
        fail_msg("%s ended after %lld ms, expected 60 to %d", guest, (long long)took,
                 60 + PROMISED_MS + SLACK_MS);
    expect_plugin_error(result, REGLET_ERR_TIMEOUT, "deadline");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void deadline__ends_loops_wherever_they_are(void **state) {
    (void)state;
    static const char *const guests[] = {"loop_observe", "loop_initialize", "loop_start", "sleep_forever"};
    for (size_t i = 0; i < sizeof guests / sizeof *guests; i++)
        deadline__ends(guests[i]);
}

static void deadline__holds_for_describe_and_schema(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = 60;
    reglet_plugin *plugin = load_guest(runtime, "loop_describe");
    const reglet_description *description = NULL;
    const reglet_schema *schema = NULL;
    reglet_error *error = NULL;
    EXPECT(reglet_plugin_describe(plugin, &call, &description, &error), REGLET_ERR_TIMEOUT, error);
    reglet_plugin_unref(plugin);
    plugin = load_guest(runtime, "loop_schema");
    error = NULL;
    EXPECT(reglet_plugin_schema(plugin, &call, &schema, &error), REGLET_ERR_TIMEOUT, error);
    assert_null(description);
    assert_null(schema);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void deadline__of_the_runtime_holds_when_the_call_has_none(void **state) {
    (void)state;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.default_timeout_ms = 50;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "loop_observe");
    expect_plugin_error(observe_json(plugin, NULL, 0), REGLET_ERR_TIMEOUT, "deadline");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* --- Fresh instances ------------------------------------------------------------------------------------- */

static void *count_in_thread(void *plugin) {
    for (int i = 0; i < 20; i++)
        expect_evidence(observe_json(plugin, NULL, 0), "\"calls\":1");
    return NULL;
}

static void observe__state_never_passes_from_one_call_to_the_next(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "counter");
    pthread_t threads[8];
    count_in_thread(plugin);
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_in_thread, plugin), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* --- Lives ----------------------------------------------------------------------------------------------- */

static void close__later_calls_answer_closed(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "counter"), *again = NULL;
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    reglet_plugin_close(plugin);
    reglet_plugin_close(plugin);
    EXPECT(reglet_plugin_observe(plugin, NULL, NULL, &result, &error), REGLET_ERR_CLOSED, error);
    assert_null(result);
    again = load_guest(runtime, "counter"); /* the name is free */
    assert_ptr_not_equal(plugin, again);
    expect_evidence(observe_json(again, NULL, 0), "\"calls\":1");
    reglet_plugin_unref(plugin);
    reglet_plugin_unref(again);
    reglet_runtime_free(runtime);
}

static void free__results_and_handles_outlive_the_runtime(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "counter");
    const reglet_description *description = NULL;
    assert_int_equal(reglet_plugin_describe(plugin, NULL, &description, NULL), REGLET_OK);
    reglet_result *result = observe_json(plugin, NULL, 0), *none = NULL;
    reglet_runtime_free(runtime);
    reglet_error *error = NULL;
    EXPECT(reglet_plugin_observe(plugin, NULL, NULL, &none, &error), REGLET_ERR_CLOSED, error);
    assert_ptr_equal(reglet_plugin_ref(plugin), plugin);
    reglet_plugin_unref(plugin);
    assert_string_equal(reglet_plugin_name(plugin), "counter");
    reglet_plugin_unref(plugin);
    assert_string_equal(description->name, "counter");
    reglet_description_free(description);
    expect_evidence(result, "\"calls\":1");
}

static void free__waits_for_calls_in_flight(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    struct caller caller = {.plugin = load_guest(runtime, "loop_observe"), .timeout_ms = 300};
    start_call(&caller);
    usleep(50000);
    reglet_runtime_free(runtime);
    int64_t freed_ms = now_ms();
    pthread_join(caller.thread, NULL);
    assert_true(freed_ms + 5 >= caller.ended_ms);
    expect_plugin_error(caller.result, REGLET_ERR_TIMEOUT, "deadline");
    reglet_plugin_unref(caller.plugin);
}

/* --- Stacks ---------------------------------------------------------------------------------------------- */

static void refused_for_its_stack(reglet_plugin *plugin) {
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    EXPECT(reglet_plugin_observe(plugin, NULL, NULL, &result, &error), REGLET_ERR_THREAD_STACK, error);
    assert_null(result);
}

/* Uses its stack up but for 512 KiB: how large it is, the C library and the sanitizers decide. */
static void *call_on_a_small_stack(void *plugin) {
    enum { LEFT = 512 << 10 };
    pthread_attr_t attributes;
    void *low = NULL;
    size_t size = 0;
    assert_int_equal(pthread_getattr_np(pthread_self(), &attributes), 0);
    assert_int_equal(pthread_attr_getstack(&attributes, &low, &size), 0);
    pthread_attr_destroy(&attributes);
    size_t left = (size_t)((char *)__builtin_frame_address(0) - (char *)low);
    volatile char *used = __builtin_alloca(left > LEFT ? left - LEFT : 1);
    used[0] = 1;
    refused_for_its_stack(plugin);
    return NULL;
}

static void observe__thread_with_too_little_stack_is_refused(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "counter");
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, call_on_a_small_stack, plugin), 0);
    pthread_join(thread, NULL);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* --- Nothing left behind --------------------------------------------------------------------------------- */

static int open_descriptors(void) {
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static long resident_kib(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Of code that is compiled once and kept nowhere: no thread of the library has a module or a file of code open meanwhile. */
static reglet_runtime *new_runtime_without_background(void) {
    static const reglet_grant grant = {"file", "fs:read:/etc/hosts"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = &grant;
    options.grant_count = 1;
    options.compiler = REGLET_COMPILER_OPTIMIZING;
    options.cache_mode = REGLET_CACHE_NONE;
    return new_runtime(&options);
}

/* REGLET_SOAK=100000 in the environment makes it the long one. */
static void observe__many_calls_leave_nothing_behind(void **state) {
    (void)state;
    const char *soak = getenv("REGLET_SOAK");
    int total = soak ? atoi(soak) : 5000;
    reglet_runtime *runtime = new_runtime_without_background();
    reglet_plugin *plugin = load_guest(runtime, "file");
    int descriptors = 0;
    long kib = 0;
    for (int i = 0; i < total; i++) {
        if (i == 1000) {
            descriptors = open_descriptors();
            kib = resident_kib();
        }
        expect_evidence(observe_json(plugin, "{\"path\":\"/etc/hosts\"}", 0), "\"exists\":true");
    }
    assert_int_equal(open_descriptors(), descriptors);
    if (!REGLET_SANITIZED && resident_kib() > kib + 2048)
        fail_msg("grew from %ld to %ld KiB", kib, resident_kib());
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        /* first: later, a thread may still optimise a module of another test, and have it open */
        cmocka_unit_test(observe__many_calls_leave_nothing_behind),
        cmocka_unit_test(cancel__stops_an_endless_loop),
        cmocka_unit_test(cancel__stops_a_loop_in_the_start_function),
        cmocka_unit_test(cancel__stops_a_sleep),
        cmocka_unit_test(cancel__stops_that_call_and_no_sibling),
        cmocka_unit_test(cancel__before_the_call_runs_nothing),
        cmocka_unit_test(cancel__token_given_back_during_the_call_lives_on),
        cmocka_unit_test(deadline__ends_loops_wherever_they_are),
        cmocka_unit_test(deadline__holds_for_describe_and_schema),
        cmocka_unit_test(deadline__of_the_runtime_holds_when_the_call_has_none),
        cmocka_unit_test(observe__state_never_passes_from_one_call_to_the_next),
        cmocka_unit_test(close__later_calls_answer_closed),
        cmocka_unit_test(free__results_and_handles_outlive_the_runtime),
        cmocka_unit_test(free__waits_for_calls_in_flight),
        cmocka_unit_test(observe__thread_with_too_little_stack_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
