#define _GNU_SOURCE
#include "tests/integration/support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Eight threads that load, describe, observe, cancel, replace, close and free, all at once, on runtimes and plugins that
 * they share. What they answer matters less than what the sanitizers say; still, only expected codes may come.
 */
enum { THREADS = 8, ROUNDS = 12 };

struct shared {
    reglet_runtime *runtime;
    struct bytes quick, endless;
    atomic_int turn;
};

static bool is_expected(reglet_status status) {
    return status == REGLET_OK || status == REGLET_ERR_CLOSED || status == REGLET_ERR_NAME_TAKEN ||
           status == REGLET_ERR_NOT_LOADED || status == REGLET_ERR_CANCELLED || status == REGLET_ERR_TIMEOUT;
}

static void expect_known(reglet_status status, const char *what) {
    if (!is_expected(status))
        fail_msg("%s answered %s", what, reglet_status_name(status));
}

static void observe_some(struct shared *shared, const char *name, const struct bytes *bytes,
                         reglet_cancel_token *token) {
    reglet_plugin *plugin = NULL;
    reglet_status status =
        reglet_runtime_load_plugin(shared->runtime, name, bytes->data, bytes->size, NULL, &plugin, NULL);
    expect_known(status, "load");
    if (status != REGLET_OK)
        return;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = 30;
    call.cancel = token;
    if (bytes == &shared->quick) {
        const reglet_description *description = NULL;
        expect_known(reglet_plugin_describe(plugin, NULL, &description, NULL), "describe");
        reglet_description_free(description);
    }
    reglet_result *result = NULL;
    status = reglet_plugin_observe(plugin, NULL, &call, &result, NULL);
    expect_known(status, "observe");
    if (status == REGLET_OK)
        expect_known(reglet_result_error_code(result), "observe's plugin error");
    reglet_result_free(result);
    reglet_plugin_unref(plugin);
}

static void *cancel_later(void *token) {
    usleep(3000);
    reglet_cancel_token_cancel(token);
    reglet_cancel_token_unref(token);
    return NULL;
}

static void observe_and_cancel(struct shared *shared) {
    reglet_cancel_token *token = NULL;
    assert_int_equal(reglet_cancel_token_new(&token, NULL), REGLET_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_later, reglet_cancel_token_ref(token)), 0);
    observe_some(shared, "endless", &shared->endless, token);
    reglet_cancel_token_unref(token);
    pthread_join(thread, NULL);
}

static void close_some(struct shared *shared, const char *name) {
    reglet_plugin *plugin = NULL;
    expect_known(reglet_runtime_get_plugin(shared->runtime, name, &plugin, NULL), "get_plugin");
    reglet_plugin_close(plugin);
    reglet_plugin_unref(plugin);
}

static void own_runtime(struct shared *shared) {
    reglet_runtime *runtime = new_runtime_granting("p", "fs:read:/etc/hosts");
    reglet_plugin *plugin = NULL;
    assert_int_equal(
        reglet_runtime_load_plugin(runtime, "p", shared->quick.data, shared->quick.size, NULL, &plugin, NULL),
        REGLET_OK);
    reglet_result *result = observe_json(plugin, NULL, 0);
    reglet_runtime_free(runtime);
    reglet_plugin_unref(plugin);
    reglet_result_free(result);
}

static void *work(void *argument) {
    struct shared *shared = argument;
    for (int i = 0; i < ROUNDS; i++) {
        char name[16];
        int turn = atomic_fetch_add(&shared->turn, 1);
        snprintf(name, sizeof name, "p%d", turn % 3);
        switch (turn % 7) {
        case 0:
        case 1:
        case 2: observe_some(shared, name, &shared->quick, NULL); break;
        case 3: observe_and_cancel(shared); break;
        case 4: close_some(shared, name); break;
        case 5:
            expect_known(reglet_runtime_replace_plugin(shared->runtime, name, shared->quick.data,
                                                       shared->quick.size, NULL, NULL),
                         "replace");
            break;
        case 6: own_runtime(shared); break;
        }
    }
    return NULL;
}

static void threads__mixing_everything_agree(void **state) {
    (void)state;
    struct events events;
    events_init(&events);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.log = events_collect;
    options.log_user_data = &events;
    struct shared shared = {.runtime = new_runtime(&options),
                            .quick = read_guest("counter"),
                            .endless = read_guest("loop_observe")};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &shared), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    reglet_runtime_free(shared.runtime);
    free(shared.quick.data);
    free(shared.endless.data);
    events_free(&events);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads__mixing_everything_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
