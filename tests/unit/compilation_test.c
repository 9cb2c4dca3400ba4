#define _GNU_SOURCE
/* Compilations, at the moments that only luck brings about otherwise. */
#include "tests/unit/test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <reglet.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "engine/internal.h"
#include "util/clock.h"
#include "util/limits.h"
#include "util/sys.h"
#include "util/variant.h"

/* --- A runtime with a cache of its own, without files ------------------------------------------------------ */

struct host {
    reglet_cache *cache;
    reglet_runtime *runtime;
    atomic_int warned; /* that there will be no optimised code */
};

static void heard(void *user_data, const reglet_log_event *event) {
    struct host *host = user_data;
    if (strstr(event->message, "no optimised code, calls stay as they are: "))
        atomic_fetch_add(&host->warned, 1);
}

static int open_host_with(void **state, reglet_compiler chosen) {
    static struct host host;
    reglet_cache_options cache = REGLET_CACHE_OPTIONS_INIT;
    cache.memory_only = true;
    assert_int_equal(reglet_cache_new(&cache, &host.cache, NULL), REGLET_OK);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.cache_mode = REGLET_CACHE_OWN;
    options.cache = host.cache;
    options.compiler = chosen;
    options.log = heard;
    options.log_user_data = &host;
    atomic_store(&host.warned, 0);
    assert_int_equal(reglet_runtime_new(&options, &host.runtime, NULL), REGLET_OK);
    *state = &host;
    return 0;
}

static int open_host(void **state) {
    return open_host_with(state, REGLET_COMPILER_AUTO);
}

static int open_optimising_host(void **state) {
    return open_host_with(state, REGLET_COMPILER_OPTIMIZING);
}

static int close_host(void **state) {
    struct host *host = *state;
    reglet_runtime_free(host->runtime);
    reglet_cache_unref(host->cache);
    return 0;
}

static reglet_status load(const struct host *host, reglet_plugin **out, reglet_error **error) {
    return reglet_runtime_load_plugin_file(host->runtime, "counter", REGLET_GUEST_DIR "/counter.wasm", NULL,
                                           out, error);
}

static void expect_ok(reglet_status status, reglet_error *error) {
    if (status != REGLET_OK)
        fail_msg("%s: %s", reglet_status_name(status), reglet_error_message(error));
}

/* --- The thread that makes optimised code, held up --------------------------------------------------------- */

static sem_t begun, closed, decided;
static _Atomic bool hold_up;
static _Thread_local enum { DOES_SOMETHING_ELSE, BEGINS, TAKES_ITS_WORK, LOOKS_FOR_USERS } stage;
static const struct host *next_user;

static void *(*improve)(void *);

static void *held_up(void *argument) {
    stage = BEGINS;
    return improve(argument);
}

int __real_reglet__thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *argument);
int __wrap_reglet__thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *argument);
int __wrap_reglet__thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *argument) {
    if (strcmp(name, "reglet-improve") != 0 || !atomic_exchange(&hold_up, false))
        return __real_reglet__thread_start(thread, name, run, argument);
    improve = run;
    return __real_reglet__thread_start(thread, name, held_up, argument);
}

/* It asks whether the time of its work has come: it has. */
int64_t __real_reglet__now(void);
int64_t __wrap_reglet__now(void);
int64_t __wrap_reglet__now(void) {
    if (stage != BEGINS)
        return __real_reglet__now();
    stage = TAKES_ITS_WORK;
    return INT64_MAX;
}

static void load_again_and_optimize(void) {
    reglet_error *error = NULL;
    reglet_plugin *plugin = NULL;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = 5000;
    expect_ok(load(next_user, &plugin, &error), error);
    expect_ok(reglet_plugin_optimize(plugin, &call, &error), error);
    reglet_plugin_unref(plugin);
}

/* The lock that it gives back after that is the one under which it took its work; the next one, under which it looked for users. */
int __real_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock) {
    int error = __real_pthread_mutex_unlock(lock);
    if (stage == TAKES_ITS_WORK) {
        stage = LOOKS_FOR_USERS;
        sem_post(&begun);
        sem_wait(&closed);
    } else if (stage == LOOKS_FOR_USERS) {
        stage = DOES_SOMETHING_ELSE;
        load_again_and_optimize();
        sem_post(&decided);
    }
    return error;
}

static void
optimize__plugin_loaded_again_while_its_compilation_is_given_up_does_not_wait_for_ever(void **state) {
    if (REGLET__FAST_COMPILER || REGLET__OPTIMIZING_COMPILER)
        skip(); /* no code is made better */
    const struct host *host = next_user = *state;
    reglet_error *error = NULL;
    reglet_plugin *plugin = NULL;
    reglet_result *result = NULL;
    sem_init(&begun, 0, 0);
    sem_init(&closed, 0, 0);
    sem_init(&decided, 0, 0);
    expect_ok(load(host, &plugin, &error), error);
    atomic_store(&hold_up, true);
    expect_ok(reglet_plugin_observe(plugin, NULL, NULL, &result, &error), error);
    reglet_result_free(result);
    sem_wait(&begun);
    reglet_plugin_close(plugin);
    reglet_plugin_unref(plugin);
    sem_post(&closed);
    sem_wait(&decided);
}

/* --- What it is waited for with ---------------------------------------------------------------------------- */

static _Atomic bool lose_descriptors;

int __real_reglet__sys_ppoll(struct pollfd *fds, size_t count, const struct timespec *timeout);
int __wrap_reglet__sys_ppoll(struct pollfd *fds, size_t count, const struct timespec *timeout);
int __wrap_reglet__sys_ppoll(struct pollfd *fds, size_t count, const struct timespec *timeout) {
    if (!atomic_exchange(&lose_descriptors, false))
        return __real_reglet__sys_ppoll(fds, count, timeout);
    fds[0].revents = POLLNVAL;
    return 1;
}

static void load__descriptor_that_somebody_else_closed_is_a_failure(void **state) {
    const struct host *host = *state;
    reglet_error *error = NULL;
    reglet_plugin *plugin = NULL;
    atomic_store(&lose_descriptors, true);
    assert_int_equal(load(host, &plugin, &error), REGLET_ERR_IO);
    assert_non_null(strstr(reglet_error_message(error), "no descriptor to wait for the compilation with"));
    reglet_error_free(error);
    error = NULL;
    expect_ok(load(host, &plugin, &error), error);
    reglet_plugin_unref(plugin);
}

/* --- A module that the rewriting does not understand -------------------------------------------------------- */

static _Atomic bool understand_nothing;

bool __real_reglet_engine_rewrite(const uint8_t *wasm, size_t size, struct reglet_engine_rewritten *out);
bool __wrap_reglet_engine_rewrite(const uint8_t *wasm, size_t size, struct reglet_engine_rewritten *out);
bool __wrap_reglet_engine_rewrite(const uint8_t *wasm, size_t size, struct reglet_engine_rewritten *out) {
    return !atomic_load(&understand_nothing) && __real_reglet_engine_rewrite(wasm, size, out);
}

/* A type section with a type that there is not. */
static const char not_valid[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 1, 2, 1, 0x7f};

static void load__module_that_cannot_be_rewritten_runs_as_it_came(void **state) {
    const struct host *host = *state;
    reglet_error *error = NULL;
    reglet_plugin *plugin = NULL;
    reglet_result *result = NULL;
    const reglet_inspection *inspection = NULL;
    atomic_store(&understand_nothing, true);
    expect_ok(load(host, &plugin, &error), error);
    for (int i = 0; i < 2; i++) {
        expect_ok(reglet_plugin_observe(plugin, NULL, NULL, &result, &error), error);
        assert_non_null(strstr(reglet_result_json(result, NULL), "\"calls\":1"));
        reglet_result_free(result);
    }
    expect_ok(reglet_plugin_inspect(plugin, NULL, &inspection, &error), error);
    assert_string_equal(inspection->no_image,
                        REGLET__NO_IMAGES ? "images are turned off" : "it cannot be rewritten");
    reglet_inspection_free(inspection);
    reglet_plugin_unref(plugin);
    assert_int_equal(
        reglet_runtime_load_plugin(host->runtime, "none", not_valid, sizeof not_valid, NULL, &plugin, &error),
        REGLET_ERR_INVALID_MODULE);
    assert_non_null(strstr(reglet_error_message(error), "no valid WebAssembly module"));
    reglet_error_free(error);
    atomic_store(&understand_nothing, false);
}

/* --- A compiler that fails ---------------------------------------------------------------------------------- */

static atomic_int compilers_that_fail; /* the next so many */

wasmtime_error_t *__real_reglet_engine_module_new(wasm_engine_t *engine, const uint8_t *wasm, size_t size,
                                                  size_t threads, int nice, wasmtime_module_t **out);
wasmtime_error_t *__wrap_reglet_engine_module_new(wasm_engine_t *engine, const uint8_t *wasm, size_t size,
                                                  size_t threads, int nice, wasmtime_module_t **out);
wasmtime_error_t *__wrap_reglet_engine_module_new(wasm_engine_t *engine, const uint8_t *wasm, size_t size,
                                                  size_t threads, int nice, wasmtime_module_t **out) {
    if (atomic_load(&compilers_that_fail) == 0)
        return __real_reglet_engine_module_new(engine, wasm, size, threads, nice, out);
    atomic_fetch_sub(&compilers_that_fail, 1);
    return wasmtime_error_new("it gave up");
}

static const char *code_of(reglet_plugin *plugin) {
    static char name[32];
    const reglet_inspection *inspection = NULL;
    assert_int_equal(reglet_plugin_inspect(plugin, NULL, &inspection, NULL), REGLET_OK);
    snprintf(name, sizeof name, "%s", inspection->compiler);
    reglet_inspection_free(inspection);
    return name;
}

static void observe_once(reglet_plugin *plugin) {
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    expect_ok(reglet_plugin_observe(plugin, NULL, NULL, &result, &error), error);
    assert_non_null(strstr(reglet_result_json(result, NULL), "\"calls\":1"));
    reglet_result_free(result);
}

static void optimize__failure_is_said_once_and_calls_stay_on_the_first_code(void **state) {
    if (REGLET__FAST_COMPILER || REGLET__OPTIMIZING_COMPILER)
        skip(); /* no code is made better */
    struct host *host = *state;
    reglet_error *error = NULL;
    reglet_plugin *plugin = NULL;
    expect_ok(load(host, &plugin, &error), error);
    atomic_store(&compilers_that_fail, 1);
    assert_int_equal(reglet_plugin_optimize(plugin, NULL, &error), REGLET_ERR_INVALID_MODULE);
    assert_non_null(strstr(reglet_error_message(error), "it gave up"));
    reglet_error_free(error);
    for (int i = 0; i < 3; i++)
        observe_once(plugin);
    assert_string_equal(code_of(plugin), "fast");
    assert_int_equal(atomic_load(&host->warned), 1);
    reglet_plugin_unref(plugin);
}

static void load__what_the_optimising_compiler_does_not_take_falls_to_the_fast_one(void **state) {
    if (REGLET__FAST_COMPILER || REGLET__OPTIMIZING_COMPILER)
        skip(); /* one compiler alone */
    struct host *host = *state;
    reglet_error *error = NULL;
    reglet_plugin *plugin = NULL;
    atomic_store(&compilers_that_fail, 1);
    expect_ok(load(host, &plugin, &error), error);
    observe_once(plugin);
    assert_string_equal(code_of(plugin), "fast");
    assert_int_equal(reglet_plugin_optimize(plugin, NULL, &error), REGLET_ERR_INVALID_MODULE);
    assert_string_equal(reglet_error_message(error), "the optimising compiler does not take the module");
    reglet_error_free(error);
    reglet_plugin_unref(plugin);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            optimize__plugin_loaded_again_while_its_compilation_is_given_up_does_not_wait_for_ever, open_host,
            close_host),
        cmocka_unit_test_setup_teardown(load__descriptor_that_somebody_else_closed_is_a_failure, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(optimize__failure_is_said_once_and_calls_stay_on_the_first_code,
                                        open_host, close_host),
        cmocka_unit_test_setup_teardown(
            load__what_the_optimising_compiler_does_not_take_falls_to_the_fast_one, open_optimising_host,
            close_host),
        cmocka_unit_test_setup_teardown(load__module_that_cannot_be_rewritten_runs_as_it_came, open_host,
                                        close_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
