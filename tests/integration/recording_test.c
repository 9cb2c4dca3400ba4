/* Recordings by the public header: one call each, several replays at once, functions of the embedding program. */
#include "support.h"

#include <string.h>

static unsigned served;

static reglet_status serve(void *user_data, reglet_host_call *call) {
    (void)user_data;
    served++;
    static const char answer[] = "{\"status\":true,\"data\":{\"answer\":[1,2.50,\"three\"]}}";
    return reglet_host_call_respond(call, answer, sizeof answer - 1);
}

static reglet_result *call_with(reglet_plugin *plugin, reglet_recording *record,
                                const reglet_recording *replay) {
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    call.record = record;
    call.replay = replay;
    EXPECT(reglet_plugin_observe(plugin, NULL, &call, &result, &error), REGLET_OK, error);
    return result;
}

static reglet_recording *new_recording(void) {
    reglet_recording *recording = NULL;
    EXPECT(reglet_recording_new(&recording, NULL), REGLET_OK, NULL);
    return recording;
}

static void functions_of_the_embedder_are_not_called_in_a_replay(void **state) {
    (void)state;
    reglet_host_function function = REGLET_HOST_FUNCTION_INIT;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    function.name = "echo";
    function.serve = serve;
    options.host_functions = &function;
    options.host_function_count = 1;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "custom_echo");
    reglet_recording *recording = new_recording();
    served = 0;
    reglet_result_free(call_with(plugin, recording, NULL));
    assert_int_equal(served, 1);
    assert_int_equal(reglet_recording_count(recording), 1);
    for (int i = 0; i < 2; i++) {
        reglet_result *result = call_with(plugin, NULL, recording);
        expect_evidence(result, "[1,2.50,\"three\"]");
    }
    assert_int_equal(served, 1);
    reglet_recording_free(recording);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void a_recording_takes_one_call(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "counter");
    reglet_recording *recording = new_recording();
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    reglet_result *result = NULL;
    char *text = NULL;
    EXPECT(reglet_recording_text(recording, NULL, &text, NULL, NULL), REGLET_ERR_INVALID_ARGUMENT, NULL);
    call.replay = recording;
    EXPECT(reglet_plugin_observe(plugin, NULL, &call, &result, NULL), REGLET_ERR_INVALID_ARGUMENT, NULL);
    reglet_result_free(call_with(plugin, recording, NULL));
    call.replay = NULL;
    call.record = recording;
    EXPECT(reglet_plugin_observe(plugin, NULL, &call, &result, NULL), REGLET_ERR_INVALID_ARGUMENT, NULL);
    call.replay = recording;
    EXPECT(reglet_plugin_observe(plugin, NULL, &call, &result, NULL), REGLET_ERR_INVALID_ARGUMENT, NULL);
    assert_null(result);
    reglet_recording_free(recording);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void text_reads_back_as_the_same(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "sleep_forever");
    reglet_recording *recording = new_recording(), *again = NULL;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    reglet_result *result = NULL;
    char *first = NULL, *second = NULL;
    size_t size = 0;
    call.record = recording;
    call.timeout_ms = 100;
    EXPECT(reglet_plugin_observe(plugin, NULL, &call, &result, NULL), REGLET_OK, NULL);
    reglet_result_free(result);
    EXPECT(reglet_recording_text(recording, NULL, &first, &size, NULL), REGLET_OK, NULL);
    EXPECT(reglet_recording_parse(first, size, &again, NULL), REGLET_OK, NULL);
    EXPECT(reglet_recording_text(again, NULL, &second, NULL, NULL), REGLET_OK, NULL);
    assert_string_equal(first, second);
    expect_plugin_error(call_with(plugin, NULL, again), REGLET_ERR_TIMEOUT, "");
    reglet_free(first);
    reglet_free(second);
    reglet_recording_free(recording);
    reglet_recording_free(again);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_the_embedder_are_not_called_in_a_replay),
        cmocka_unit_test(a_recording_takes_one_call),
        cmocka_unit_test(text_reads_back_as_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
