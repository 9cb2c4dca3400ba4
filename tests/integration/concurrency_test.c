#define _GNU_SOURCE
#include "tests/integration/support.h"

#include <dirent.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How many calls run at once, and what becomes of those that have to wait. */

/* --- A function of the embedding program that holds calls back -------------------------------------------- */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int tickets; /* calls that may still pass */
    int inside, most_inside, entered;
    char ids[256];        /* the request ids in the order in which they entered */
    reglet_plugin *other; /* observed from inside; or NULL */
    reglet_runtime *runtime;
};

enum { ALL = 1 << 20 };

static reglet_status pass(void *user_data, reglet_host_call *call) {
    struct gate *gate = user_data;
    const char *id = reglet_host_call_request_id(call);
    pthread_mutex_lock(&gate->lock);
    gate->entered++;
    if (++gate->inside > gate->most_inside)
        gate->most_inside = gate->inside;
    if (id && strlen(gate->ids) + strlen(id) < sizeof gate->ids)
        strcat(gate->ids, id);
    pthread_cond_broadcast(&gate->changed);
    while (gate->tickets == 0)
        pthread_cond_wait(&gate->changed, &gate->lock);
    gate->tickets--;
    gate->inside--;
    pthread_mutex_unlock(&gate->lock);
    if (gate->other)
        expect_evidence(observe_json(gate->other, NULL, 5000), "\"calls\":1");
    static const char evidence[] = "{\"status\":true}";
    return reglet_host_call_respond(call, evidence, sizeof evidence - 1);
}

static void let_pass(struct gate *gate, int calls) {
    pthread_mutex_lock(&gate->lock);
    gate->tickets += calls;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void wait_until_entered(struct gate *gate, int calls) {
    pthread_mutex_lock(&gate->lock);
    while (gate->entered < calls)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

/* A runtime with this limit in which the guest "custom_echo" asks the gate. */
static reglet_plugin *load_gated(struct gate *gate, int64_t limit) {
    *gate = (struct gate){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    reglet_host_function function = REGLET_HOST_FUNCTION_INIT;
    function.name = "echo";
    function.serve = pass;
    function.user_data = gate;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.host_functions = &function;
    options.host_function_count = 1;
    options.max_concurrent_calls = limit;
    gate->runtime = new_runtime(&options);
    return load_guest(gate->runtime, "custom_echo");
}

static void unload(struct gate *gate, reglet_plugin *plugin) {
    reglet_plugin_unref(plugin);
    reglet_runtime_free(gate->runtime);
    pthread_cond_destroy(&gate->changed);
    pthread_mutex_destroy(&gate->lock);
}

/* --- Callers ---------------------------------------------------------------------------------------------- */

enum { CALLERS = 200 };

struct caller {
    pthread_t thread;
    reglet_plugin *plugin;
    reglet_cancel_token *token; /* referenced */
    char id[16];
    reglet_status status;
    reglet_result *result;
    int64_t ended_ms;
};

static void *observe(void *argument) {
    struct caller *caller = argument;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = -1;
    call.cancel = caller->token;
    call.request_id = caller->id;
    caller->status = reglet_plugin_observe(caller->plugin, NULL, &call, &caller->result, NULL);
    caller->ended_ms = now_ms();
    return NULL;
}

/* Without a deadline. The token is a fresh one when it is NULL. */
static void start(struct caller *caller, reglet_plugin *plugin, const char *id, reglet_cancel_token *token) {
    *caller = (struct caller){.plugin = plugin, .token = reglet_cancel_token_ref(token)};
    snprintf(caller->id, sizeof caller->id, "%s", id);
    if (!token)
        assert_int_equal(reglet_cancel_token_new(&caller->token, NULL), REGLET_OK);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 2 << 20);
    assert_int_equal(pthread_create(&caller->thread, &attributes, observe, caller), 0);
    pthread_attr_destroy(&attributes);
}

static void join(struct caller *caller) {
    pthread_join(caller->thread, NULL);
    reglet_cancel_token_unref(caller->token);
}

static void expect_passed(struct caller *caller) {
    join(caller);
    assert_int_equal(caller->status, REGLET_OK);
    expect_evidence(caller->result, "\"status\":true");
}

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

/* A call that waits has an event for its permit, and then makes its token's. */
static void wait_until_events(int count) {
    while (open_events() < count)
        sched_yield();
}

static const char one_is_running[] =
    " while it waited: 1 call is running, which is all that max_concurrent_calls allows";

/* --- The limit -------------------------------------------------------------------------------------------- */

static void limit__no_more_run_at_once_and_all_finish(void **state) {
    (void)state;
    enum { COUNT = 5, LIMIT = 2 };
    struct gate gate;
    reglet_plugin *plugin = load_gated(&gate, LIMIT);
    struct caller callers[COUNT];
    int events = open_events();
    for (int i = 0; i < COUNT; i++)
        start(&callers[i], plugin, "", NULL);
    wait_until_events(events + 2 * (COUNT - LIMIT));
    wait_until_entered(&gate, LIMIT);
    for (int passed = 1; passed <= COUNT; passed++) {
        let_pass(&gate, 1);
        wait_until_entered(&gate, passed + LIMIT < COUNT ? passed + LIMIT : COUNT);
    }
    for (int i = 0; i < COUNT; i++)
        expect_passed(&callers[i]);
    assert_int_equal(gate.entered, COUNT);
    assert_int_equal(gate.most_inside, LIMIT);
    assert_int_equal(open_events(), events);
    unload(&gate, plugin);
}

static void limit__of_none_lets_all_run(void **state) {
    (void)state;
    enum { COUNT = 30 };
    struct gate gate;
    reglet_plugin *plugin = load_gated(&gate, -1);
    struct caller callers[COUNT];
    for (int i = 0; i < COUNT; i++)
        start(&callers[i], plugin, "", NULL);
    wait_until_entered(&gate, COUNT);
    assert_int_equal(gate.inside, COUNT);
    let_pass(&gate, COUNT);
    for (int i = 0; i < COUNT; i++)
        expect_passed(&callers[i]);
    unload(&gate, plugin);
}

static void limit__waiting_calls_run_in_the_order_of_arrival(void **state) {
    (void)state;
    static const char *const ids[] = {"a", "b", "c", "d", "e", "f"};
    enum { COUNT = sizeof ids / sizeof *ids };
    struct gate gate;
    reglet_plugin *plugin = load_gated(&gate, 1);
    struct caller callers[COUNT];
    int events = open_events();
    for (int i = 0; i < COUNT; i++) {
        start(&callers[i], plugin, ids[i], NULL);
        wait_until_entered(&gate, 1);
        wait_until_events(events + 2 * i);
    }
    let_pass(&gate, ALL);
    for (int i = 0; i < COUNT; i++)
        expect_passed(&callers[i]);
    assert_string_equal(gate.ids, "abcdef");
    assert_int_equal(gate.most_inside, 1);
    unload(&gate, plugin);
}

/* However a call ends, the next one can begin. */
static void limit__every_end_of_a_call_makes_room(void **state) {
    (void)state;
    static const struct {
        const char *guest;
        int64_t timeout_ms;
        reglet_status error;
    } ends[] = {{"trap", 0, REGLET_ERR_TRAP},
                {"exit_3", 0, REGLET_ERR_EXIT},
                {"loop_observe", 20, REGLET_ERR_TIMEOUT},
                {"sleep_forever", 20, REGLET_ERR_TIMEOUT},
                {"custom_echo", 0, REGLET_OK}};
    struct gate gate;
    reglet_plugin *plugin = load_gated(&gate, 1);
    let_pass(&gate, ALL);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        reglet_plugin *other = load_guest(gate.runtime, ends[i].guest);
        const reglet_description *description = NULL;
        reglet_plugin_describe(other, NULL, &description, NULL); /* however this ends */
        reglet_description_free(description);
        reglet_result *result = observe_json(other, NULL, ends[i].timeout_ms);
        assert_string_equal(reglet_status_name(reglet_result_error_code(result)),
                            reglet_status_name(ends[i].error));
        reglet_result_free(result);
        reglet_plugin_unref(other);
        expect_evidence(observe_json(plugin, NULL, 5000), "\"status\":true");
    }
    unload(&gate, plugin);
}

/* --- What ends a wait ------------------------------------------------------------------------------------- */

static void wait__deadline_ends_it_and_says_why(void **state) {
    (void)state;
    struct gate gate;
    reglet_plugin *plugin = load_gated(&gate, 2);
    struct caller running[2];
    for (int i = 0; i < 2; i++)
        start(&running[i], plugin, "", NULL);
    wait_until_entered(&gate, 2);
    expect_plugin_error(observe_json(plugin, NULL, 20), REGLET_ERR_TIMEOUT,
                        "the call's deadline passed while it waited: 2 calls are running, which is all that "
                        "max_concurrent_calls allows");
    let_pass(&gate, ALL);
    for (int i = 0; i < 2; i++)
        expect_passed(&running[i]);
    assert_int_equal(gate.entered, 2); /* nothing of it ran */
    expect_evidence(observe_json(plugin, NULL, 5000), "\"status\":true");
    unload(&gate, plugin);
}

static void expect_waited_in_vain(reglet_status status, reglet_error *error, const char *what) {
    if (!strstr(reglet_error_message(error), one_is_running))
        fail_msg("%s: %s", what, reglet_error_message(error));
    expect_status(status, REGLET_ERR_TIMEOUT, error, what);
}

static void wait__holds_for_all_that_runs_the_guest(void **state) {
    (void)state;
    struct gate gate;
    reglet_plugin *plugin = load_gated(&gate, 1), *counter = load_guest(gate.runtime, "counter");
    struct caller running;
    start(&running, plugin, "", NULL);
    wait_until_entered(&gate, 1);
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = 20;
    reglet_command_options options = REGLET_COMMAND_OPTIONS_INIT;
    options.call = &call;
    const reglet_description *description = NULL;
    uint32_t exit_code = 0;
    reglet_error *error = NULL;
    reglet_status status = reglet_plugin_describe(counter, &call, &description, &error);
    expect_waited_in_vain(status, error, "describe");
    error = NULL;
    status = reglet_plugin_run_command(counter, &options, &exit_code, &error);
    expect_waited_in_vain(status, error, "run_command");
    let_pass(&gate, ALL);
    expect_passed(&running);
    reglet_plugin_unref(counter);
    unload(&gate, plugin);
}

static void wait__is_not_needed_for_what_is_kept(void **state) {
    (void)state;
    struct gate gate;
    reglet_plugin *plugin = load_gated(&gate, 1), *counter = load_guest(gate.runtime, "counter");
    const reglet_description *first = NULL, *second = NULL;
    reglet_error *error = NULL;
    EXPECT(reglet_plugin_describe(counter, NULL, &first, &error), REGLET_OK, error);
    struct caller running;
    start(&running, plugin, "", NULL);
    wait_until_entered(&gate, 1);
    EXPECT(reglet_plugin_describe(counter, NULL, &second, &error), REGLET_OK, error);
    assert_string_equal(second->name, first->name);
    let_pass(&gate, ALL);
    expect_passed(&running);
    reglet_description_free(first);
    reglet_description_free(second);
    reglet_plugin_unref(counter);
    unload(&gate, plugin);
}

static void wait__cancel_ends_it_at_once(void **state) {
    (void)state;
    struct gate gate;
    reglet_plugin *plugin = load_gated(&gate, 1);
    struct caller running, waiting;
    int events = open_events();
    start(&running, plugin, "", NULL);
    wait_until_entered(&gate, 1);
    start(&waiting, plugin, "", NULL);
    wait_until_events(events + 2);
    int64_t cancelled_ms = now_ms();
    reglet_cancel_token_cancel(waiting.token);
    join(&waiting);
    assert_in_range(waiting.ended_ms - cancelled_ms, 0, 2000);
    assert_int_equal(waiting.status, REGLET_OK);
    char expected[128];
    snprintf(expected, sizeof expected, "the call was cancelled%s", one_is_running);
    expect_plugin_error(waiting.result, REGLET_ERR_CANCELLED, expected);
    let_pass(&gate, ALL);
    expect_passed(&running);
    assert_int_equal(gate.entered, 1);
    unload(&gate, plugin);
}

static void wait__many_are_cancelled_together_and_leave_nothing(void **state) {
    (void)state;
    struct gate gate;
    reglet_plugin *plugin = load_gated(&gate, 1);
    struct caller running, *waiting = calloc(CALLERS, sizeof *waiting);
    reglet_cancel_token *token = NULL;
    assert_non_null(waiting);
    assert_int_equal(reglet_cancel_token_new(&token, NULL), REGLET_OK);
    start(&running, plugin, "", NULL);
    wait_until_entered(&gate, 1);
    int events = open_events();
    for (int i = 0; i < CALLERS; i++)
        start(&waiting[i], plugin, "", token);
    wait_until_events(events + CALLERS + 1);
    int64_t cancelled_ms = now_ms();
    reglet_cancel_token_cancel(token);
    for (int i = 0; i < CALLERS; i++) {
        join(&waiting[i]);
        assert_in_range(waiting[i].ended_ms - cancelled_ms, 0, 5000);
        expect_plugin_error(waiting[i].result, REGLET_ERR_CANCELLED, one_is_running);
    }
    reglet_cancel_token_unref(token);
    let_pass(&gate, ALL);
    expect_passed(&running);
    expect_evidence(observe_json(plugin, NULL, 5000), "\"status\":true");
    assert_int_equal(gate.entered, 2);
    assert_int_equal(open_events(), events);
    free(waiting);
    unload(&gate, plugin);
}

/* --- Calls from inside a call ----------------------------------------------------------------------------- */

static void nested__call_of_a_host_function_never_waits(void **state) {
    (void)state;
    struct gate gate;
    reglet_plugin *plugin = load_gated(&gate, 1);
    gate.other = load_guest(gate.runtime, "counter");
    let_pass(&gate, ALL);
    expect_evidence(observe_json(plugin, NULL, 10000), "\"status\":true");
    expect_evidence(observe_json(plugin, NULL, 10000),
                    "\"status\":true"); /* its permit was not given back twice */
    reglet_plugin_unref(gate.other);
    unload(&gate, plugin);
}

/* Two runtimes whose calls call the other's: each would wait for what the other holds. */
static void nested__call_of_another_runtime_never_waits(void **state) {
    (void)state;
    struct gate outer, inner;
    reglet_plugin *calls_out = load_gated(&outer, 1), *blocks = load_gated(&inner, 1);
    outer.other = load_guest(inner.runtime, "counter");
    let_pass(&outer, ALL);
    struct caller running;
    start(&running, blocks, "", NULL);
    wait_until_entered(&inner, 1);
    expect_evidence(observe_json(calls_out, NULL, 10000), "\"status\":true");
    let_pass(&inner, ALL);
    expect_passed(&running);
    reglet_plugin_unref(outer.other);
    unload(&outer, calls_out);
    unload(&inner, blocks);
}

static void observe_from_log(void *user_data, const reglet_log_event *event) {
    reglet_plugin **plugin = user_data;
    (void)event;
    if (*plugin)
        expect_evidence(observe_json(*plugin, NULL, 5000), "\"calls\":1");
}

static void nested__call_of_a_log_callback_never_waits(void **state) {
    (void)state;
    reglet_plugin *counter = NULL;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.max_concurrent_calls = 1;
    options.log = observe_from_log;
    options.log_user_data = &counter;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *logging = load_guest(runtime, "log_requests");
    counter = load_guest(runtime, "counter");
    expect_evidence(observe_json(logging, NULL, 10000), "\"status\":true");
    reglet_plugin_unref(counter);
    reglet_plugin_unref(logging);
    reglet_runtime_free(runtime);
}

/* --- What changes while a call waits ---------------------------------------------------------------------- */

static void close__ends_waiting_calls_and_later_ones_do_not_wait(void **state) {
    (void)state;
    struct gate gate;
    reglet_plugin *plugin = load_gated(&gate, 1);
    struct caller running, waiting;
    int events = open_events();
    start(&running, plugin, "", NULL);
    wait_until_entered(&gate, 1);
    start(&waiting, plugin, "", NULL);
    wait_until_events(events + 2);
    reglet_plugin_close(plugin);
    reglet_result *result = NULL;
    assert_int_equal(reglet_plugin_observe(plugin, NULL, NULL, &result, NULL), REGLET_ERR_CLOSED);
    let_pass(&gate, ALL);
    expect_passed(&running);
    join(&waiting);
    assert_int_equal(waiting.status, REGLET_ERR_CLOSED);
    assert_null(waiting.result);
    assert_int_equal(gate.entered, 1);
    unload(&gate, plugin);
}

struct opener {
    reglet_plugin *plugin;
    struct gate *gate;
};

/* Each try waits in vain, until it is told that the plugin was closed. */
static void *let_pass_when_closed(void *argument) {
    const struct opener *opener = argument;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = 1;
    for (reglet_status status = REGLET_OK; status != REGLET_ERR_CLOSED;) {
        reglet_result *result = NULL;
        status = reglet_plugin_observe(opener->plugin, NULL, &call, &result, NULL);
        reglet_result_free(result);
    }
    let_pass(opener->gate, ALL);
    return NULL;
}

static void free__waits_for_calls_that_wait(void **state) {
    (void)state;
    struct gate gate;
    reglet_plugin *plugin = load_gated(&gate, 1);
    struct caller running, waiting[3];
    struct opener opener = {plugin, &gate};
    pthread_t thread;
    int events = open_events();
    start(&running, plugin, "", NULL);
    wait_until_entered(&gate, 1);
    for (int i = 0; i < 3; i++)
        start(&waiting[i], plugin, "", NULL);
    wait_until_events(events + 6);
    assert_int_equal(pthread_create(&thread, NULL, let_pass_when_closed, &opener), 0);
    reglet_runtime_free(gate.runtime);
    gate.runtime = NULL;
    expect_passed(&running);
    for (int i = 0; i < 3; i++) {
        join(&waiting[i]);
        assert_int_equal(waiting[i].status, REGLET_ERR_CLOSED);
    }
    pthread_join(thread, NULL);
    unload(&gate, plugin);
}

static void replace__call_that_waited_runs_on_the_new_module(void **state) {
    (void)state;
    struct gate gate;
    reglet_plugin *plugin = load_gated(&gate, 1);
    struct bytes bytes = read_guest("counter");
    struct caller running, waiting;
    reglet_error *error = NULL;
    int events = open_events();
    start(&running, plugin, "", NULL);
    wait_until_entered(&gate, 1);
    start(&waiting, plugin, "", NULL);
    wait_until_events(events + 2);
    EXPECT(reglet_runtime_replace_plugin(gate.runtime, "custom_echo", bytes.data, bytes.size, NULL, &error),
           REGLET_OK, error);
    let_pass(&gate, ALL);
    expect_passed(&running);
    join(&waiting);
    expect_evidence(waiting.result, "\"calls\":1");
    free(bytes.data);
    unload(&gate, plugin);
}

/* --- The option ------------------------------------------------------------------------------------------- */

static void option__is_checked(void **state) {
    (void)state;
    static const int64_t wrong[] = {-2, INT64_MIN}, right[] = {-1, 0, 1, INT64_MAX};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char expected[160];
        snprintf(expected, sizeof expected,
                 "runtime options: max_concurrent_calls is %lld; it may be 0 (1000), -1 (unlimited) or 1 to "
                 "9223372036854775807",
                 (long long)wrong[i]);
        options.max_concurrent_calls = wrong[i];
        reglet_runtime *runtime = NULL;
        reglet_error *error = NULL;
        reglet_status status = reglet_runtime_new(&options, &runtime, &error);
        assert_string_equal(reglet_error_message(error), expected);
        expect_status(status, REGLET_ERR_INVALID_ARGUMENT, error, "reglet_runtime_new");
        assert_null(runtime);
    }
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        options.max_concurrent_calls = right[i];
        reglet_runtime_free(new_runtime(&options));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limit__no_more_run_at_once_and_all_finish),
        cmocka_unit_test(limit__of_none_lets_all_run),
        cmocka_unit_test(limit__waiting_calls_run_in_the_order_of_arrival),
        cmocka_unit_test(limit__every_end_of_a_call_makes_room),
        cmocka_unit_test(wait__deadline_ends_it_and_says_why),
        cmocka_unit_test(wait__holds_for_all_that_runs_the_guest),
        cmocka_unit_test(wait__is_not_needed_for_what_is_kept),
        cmocka_unit_test(wait__cancel_ends_it_at_once),
        cmocka_unit_test(wait__many_are_cancelled_together_and_leave_nothing),
        cmocka_unit_test(nested__call_of_a_host_function_never_waits),
        cmocka_unit_test(nested__call_of_another_runtime_never_waits),
        cmocka_unit_test(nested__call_of_a_log_callback_never_waits),
        cmocka_unit_test(close__ends_waiting_calls_and_later_ones_do_not_wait),
        cmocka_unit_test(free__waits_for_calls_that_wait),
        cmocka_unit_test(replace__call_that_waited_runs_on_the_new_module),
        cmocka_unit_test(option__is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
