#include "tests/integration/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every hostile guest, what it tries, and how that has to end. tests/guests/README.md describes them. */

struct attack {
    const char *guest;
    reglet_status status; /* REGLET_OK: evidence */
    const char *part;     /* of the message, or of the result's JSON */
};

static reglet_runtime *cautious_runtime(void) {
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.default_timeout_ms = 3000;
    options.memory_limit_mib = 128;
    return new_runtime(&options);
}

static void check_observe(const struct attack *attack, reglet_plugin *plugin, int64_t timeout_ms) {
    reglet_result *result = observe_json(plugin, "{\"a\":\"0123456789abcdef0123456789abcdef\"}", timeout_ms);
    const char *json = reglet_result_json(result, NULL);
    if (reglet_result_error_code(result) != attack->status || !strstr(json, attack->part))
        fail_msg("%s: expected %s with \"%s\", found %.300s", attack->guest,
                 reglet_status_name(attack->status), attack->part, json);
    assert_null(strchr(json, '\n'));
    reglet_result_free(result);
}

static void run_attacks(const struct attack *attacks, size_t count, int64_t timeout_ms) {
    reglet_runtime *runtime = cautious_runtime();
    reglet_plugin *good = load_guest(runtime, "counter");
    for (size_t i = 0; i < count; i++) {
        reglet_plugin *plugin = load_guest(runtime, attacks[i].guest);
        check_observe(&attacks[i], plugin, timeout_ms);
        reglet_plugin_unref(plugin);
        /* Whatever it did, nothing is lost: the next call on another plugin is as ever. */
        expect_evidence(observe_json(good, NULL, 0), "\"calls\":1");
    }
    reglet_plugin_unref(good);
    reglet_runtime_free(runtime);
}

#define RUN(attacks, timeout_ms) run_attacks(attacks, sizeof(attacks) / sizeof *(attacks), timeout_ms)

static void observe__loops_end_at_the_deadline(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"loop_observe", REGLET_ERR_TIMEOUT, "deadline"},
        {"loop_initialize", REGLET_ERR_TIMEOUT, "deadline"},
        {"loop_start_export", REGLET_ERR_TIMEOUT, "deadline"},
        {"loop_start", REGLET_ERR_TIMEOUT, "deadline"},
        {"loop_bulk", REGLET_ERR_TIMEOUT, "deadline"},
        {"sleep_forever", REGLET_ERR_TIMEOUT, "deadline"},
        {"allocate_loops", REGLET_ERR_TIMEOUT, "deadline"},
    };
    RUN(attacks, 50);
}

static void observe__memory_and_tables_are_limited(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"memory_grow_forever", REGLET_ERR_MEMORY_LIMIT, "it may have 128 MiB"},
        {"memory_grow_refused", REGLET_OK, "\"status\":true"},
        {"memory_initial", REGLET_ERR_MEMORY_LIMIT, "it may have 128 MiB"},
        {"memory_refused_then_deep", REGLET_ERR_STACK_LIMIT, "call stack"},
        {"memory_refused_then_divides", REGLET_ERR_TRAP, "division by zero"},
        {"table_grow_forever", REGLET_ERR_TABLE_LIMIT, "it may have 1000000"},
        {"table_initial", REGLET_ERR_TABLE_LIMIT, "it may have 1000000"},
        {"tables_together", REGLET_ERR_TABLE_LIMIT, "it may have 1000000"},
        {"recursion", REGLET_ERR_STACK_LIMIT, "call stack"},
        {"globals_100000", REGLET_OK, "\"status\":true"},
        {"segments_50000", REGLET_OK, "\"status\":true"},
    };
    RUN(attacks, 0);
}

static void observe__packed_results_stay_inside_memory(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"result_outside", REGLET_ERR_BAD_OUTPUT, "outside its memory"},
        {"result_past_end", REGLET_ERR_BAD_OUTPUT, "outside its memory"},
        {"result_wrapping", REGLET_ERR_BAD_OUTPUT, "outside its memory"},
        {"result_zero", REGLET_ERR_BAD_OUTPUT, "returned nothing"},
        {"result_zero_pointer", REGLET_ERR_BAD_OUTPUT, "returned nothing"},
        {"result_zero_length", REGLET_ERR_BAD_OUTPUT, "returned nothing"},
        {"result_over_64_mib", REGLET_ERR_RESULT_LIMIT, "at most 67108864 are read"},
        {"result_1_gib", REGLET_ERR_RESULT_LIMIT, "1073741824 bytes"},
        {"result_4_gib", REGLET_ERR_RESULT_LIMIT, "4294967295 bytes"},
        {"result_is_config", REGLET_ERR_BAD_OUTPUT, "status"},
    };
    RUN(attacks, 0);
}

static void observe__allocate_that_lies_is_caught(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"allocate_traps", REGLET_ERR_TRAP, "unreachable"},
        {"allocate_zero", REGLET_ERR_BAD_OUTPUT, "allocate returned 0"},
        {"allocate_outside", REGLET_ERR_BAD_OUTPUT, "lies outside its memory"},
        {"allocate_past_end", REGLET_ERR_BAD_OUTPUT, "lies outside its memory"},
        {"allocate_exits", REGLET_ERR_EXIT, "code 3"},
        {"allocate_calls_host", REGLET_OK, "\"status\":true"},
        {"allocate_grows", REGLET_OK, "\"status\":true"},
        {"deallocate_traps", REGLET_OK, "\"status\":true"},
        {"deallocate_loops", REGLET_OK, "\"status\":true"},
    };
    RUN(attacks, 0);
}

static void observe__answers_that_are_no_evidence_are_refused(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"answer_not_json", REGLET_ERR_BAD_OUTPUT, "JSON"},
        {"answer_empty", REGLET_ERR_BAD_OUTPUT, ""},
        {"answer_number", REGLET_ERR_BAD_OUTPUT, "object"},
        {"answer_array", REGLET_ERR_BAD_OUTPUT, "must be an object, not an array"},
        {"answer_cut", REGLET_ERR_BAD_OUTPUT, ""},
        {"answer_two", REGLET_ERR_BAD_OUTPUT, ""},
        {"answer_wrong_types", REGLET_ERR_BAD_OUTPUT, "status"},
        {"answer_nested", REGLET_ERR_BAD_OUTPUT, "nest"},
        {"answer_1500000_values", REGLET_ERR_BAD_OUTPUT, "values"},
        {"answer_big_numbers", REGLET_ERR_BAD_OUTPUT, "integer that does not fit"},
        {"answer_bytes_outside_strings", REGLET_ERR_BAD_OUTPUT, ""},
        {"answer_nul_byte", REGLET_ERR_BAD_OUTPUT, ""},
    };
    RUN(attacks, 0);
}

static void observe__answers_that_are_odd_lose_nothing(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"answer_not_utf8", REGLET_OK, "\xEF\xBF\xBD"},
        {"answer_nul_escape", REGLET_OK, "b\\u0000c"},
        {"answer_duplicate_keys", REGLET_OK, "\"status\":true,\"error\":null"},
        {"answer_terminal_escapes", REGLET_OK, "\\u001b[2J\\r\\n"},
        {"answer_plugin_error", REGLET_OK, "\"code\":\"E1\""},
        {"answer_2_mib", REGLET_OK, "\"truncated\":true"},
    };
    RUN(attacks, 0);
}

static void observe__exits_and_traps_are_told_apart(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"exit_0", REGLET_ERR_EXIT, "code 0"},
        {"exit_3", REGLET_ERR_EXIT, "code 3"},
        {"exit_initialize_0", REGLET_ERR_EXIT, "code 0"},
        {"exit_initialize_3", REGLET_ERR_EXIT, "code 3"},
        {"trap", REGLET_ERR_TRAP, "integer division by zero"},
        {"trap_initialize", REGLET_ERR_TRAP, "unreachable code"},
        {"trap_start", REGLET_ERR_TRAP, "unreachable code"},
    };
    RUN(attacks, 0);
}

static void observe__floods_of_output_are_limited(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"flood_stdout", REGLET_ERR_OUTPUT_LIMIT,
         "fd_write passed max_output_bytes: more than 1048576 bytes written to stdout and stderr"},
        {"flood_stderr", REGLET_ERR_OUTPUT_LIMIT, "1048576"},
        {"flood_line", REGLET_ERR_OUTPUT_LIMIT, "1048576"},
        {"flood_log", REGLET_ERR_LOG_LIMIT,
         "log_message passed max_log_messages: more than 10000 messages logged"},
        {"flood_log_empty", REGLET_ERR_LOG_LIMIT, "more than 10000 messages logged"},
        {"flood_log_long", REGLET_ERR_LOG_LIMIT,
         "log_message passed max_log_bytes: more than 1048576 bytes logged"},
        {"log_requests", REGLET_OK, "\"status\":true"},
    };
    RUN(attacks, 0);
}

static void observe__missing_exports_are_named(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"missing_allocate", REGLET_ERR_MISSING_EXPORT, "allocate"},
        {"missing_observe", REGLET_ERR_MISSING_EXPORT, "observe"},
        {"missing_memory", REGLET_ERR_BAD_OUTPUT, "outside its memory"},
    };
    RUN(attacks, 0);
}

static void observe__exit_code_is_in_the_result(void **state) {
    (void)state;
    reglet_runtime *runtime = cautious_runtime();
    reglet_plugin *plugin = load_guest(runtime, "exit_3");
    reglet_result *result = observe_json(plugin, NULL, 0);
    assert_int_equal(reglet_result_exit_code(result), 3);
    reglet_result_free(result);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* A plugin that exits after it got too little memory tells of that; a command may have gone on without. */
static void refused_memory__then_an_exit_is_the_end_of_a_command(void **state) {
    (void)state;
    reglet_runtime *runtime = cautious_runtime();
    reglet_plugin *plugin = load_guest(runtime, "memory_refused_then_exits");
    expect_plugin_error(observe_json(plugin, NULL, 0), REGLET_ERR_MEMORY_LIMIT, "it may have 128 MiB");
    uint32_t exit_code = 77;
    reglet_error *error = NULL;
    EXPECT(reglet_plugin_run_command(plugin, NULL, &exit_code, &error), REGLET_OK, error);
    assert_int_equal(exit_code, 5);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* With a grant for all plugins it is asked first what it declares, and exits there already. */
static void observe__exit_while_it_describes_itself_is_told_as_such(void **state) {
    (void)state;
    static const char *const shared[] = {"env:HOME"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.shared_grants = shared;
    options.shared_grant_count = 1;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "exit_3");
    reglet_result *result = observe_json(plugin, NULL, 0);
    assert_int_equal(reglet_result_exit_code(result), 3);
    expect_plugin_error(result, REGLET_ERR_EXIT, "code 3");
    uint32_t exit_code = 77;
    reglet_error *error = NULL;
    EXPECT(reglet_plugin_run_command(plugin, NULL, &exit_code, &error), REGLET_ERR_PLUGIN, error);
    assert_int_equal(exit_code, 77);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* The same attacks from the exports that tell about a plugin. */
static void describe__attacks_end_the_same_way(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"loop_describe", REGLET_ERR_TIMEOUT, "deadline"},
        {"missing_describe", REGLET_ERR_MISSING_EXPORT, "describe"},
        {"trap", REGLET_ERR_TRAP, "the plugin trapped"},
        {"exit_3", REGLET_ERR_EXIT, "code 3"},
        {"answer_not_json", REGLET_ERR_BAD_OUTPUT, "JSON"},
        {"answer_plugin_error", REGLET_ERR_PLUGIN, "no schema today"},
        {"answer_wrong_types", REGLET_ERR_BAD_OUTPUT, "name"},
        {"answer_not_utf8", REGLET_OK, ""},
        {"answer_terminal_escapes", REGLET_OK, ""},
    };
    reglet_runtime *runtime = cautious_runtime();
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = 100;
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        reglet_plugin *plugin = load_guest(runtime, attacks[i].guest);
        const reglet_description *description = NULL;
        reglet_error *error = NULL;
        reglet_status status = reglet_plugin_describe(plugin, &call, &description, &error);
        if (status != attacks[i].status || !strstr(reglet_error_message(error), attacks[i].part))
            fail_msg("%s: expected %s with \"%s\", found %s: %s", attacks[i].guest,
                     reglet_status_name(attacks[i].status), attacks[i].part, reglet_status_name(status),
                     reglet_error_message(error));
        reglet_error_free(error);
        reglet_description_free(description);
        reglet_plugin_unref(plugin);
    }
    reglet_runtime_free(runtime);
}

static void schema__attacks_end_the_same_way(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"loop_schema", REGLET_ERR_TIMEOUT, "deadline"},
        {"trap", REGLET_ERR_TRAP, "the plugin trapped"},
        {"answer_not_json", REGLET_ERR_BAD_OUTPUT, "JSON"},
        {"answer_plugin_error", REGLET_ERR_PLUGIN, "no schema today"},
    };
    reglet_runtime *runtime = cautious_runtime();
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = 100;
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        reglet_plugin *plugin = load_guest(runtime, attacks[i].guest);
        const reglet_schema *schema = NULL;
        reglet_error *error = NULL;
        reglet_status status = reglet_plugin_schema(plugin, &call, &schema, &error);
        if (status != attacks[i].status || !strstr(reglet_error_message(error), attacks[i].part))
            fail_msg("%s: expected %s with \"%s\", found %s: %s", attacks[i].guest,
                     reglet_status_name(attacks[i].status), attacks[i].part, reglet_status_name(status),
                     reglet_error_message(error));
        reglet_error_free(error);
        reglet_plugin_unref(plugin);
    }
    reglet_runtime_free(runtime);
}

/* A describe that answers differently each time gets one say. */
static void describe__first_answer_is_kept(void **state) {
    (void)state;
    reglet_runtime *runtime = cautious_runtime();
    reglet_plugin *plugin = load_guest(runtime, "describe_random");
    const reglet_description *first = NULL, *second = NULL;
    assert_int_equal(reglet_plugin_describe(plugin, NULL, &first, NULL), REGLET_OK);
    assert_int_equal(reglet_plugin_describe(plugin, NULL, &second, NULL), REGLET_OK);
    assert_string_equal(first->version, second->version);
    assert_string_equal(reglet_description_json(first), reglet_description_json(second));
    reglet_description_free(first);
    reglet_description_free(second);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void load__hostile_modules_are_refused(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"unknown_import", REGLET_ERR_UNKNOWN_IMPORT, "\"format_disk\" of \"reglet_host\""},
        {"unknown_import_module", REGLET_ERR_UNKNOWN_IMPORT, "\"abort\" of \"env\""},
        {"import_memory", REGLET_ERR_UNKNOWN_IMPORT, "memory"},
        {"import_table", REGLET_ERR_UNKNOWN_IMPORT, "table"},
        {"import_wrong_kind", REGLET_ERR_SIGNATURE, "a global"},
        {"import_wrong_signature", REGLET_ERR_SIGNATURE, "as (i32) -> (i32)"},
        {"import_wrong_signature_wasi", REGLET_ERR_SIGNATURE, "(i32, i32, i32, i32) -> (i32)"},
        {"import_vector", REGLET_ERR_SIGNATURE, "as (v128) -> ()"},
        {"export_vector", REGLET_ERR_SIGNATURE, "(v128, v128) -> (v128)"},
        {"export_decoy", REGLET_ERR_SIGNATURE, "as () -> (i64, i64, "},
        {"wrong_signature", REGLET_ERR_SIGNATURE, "observe"},
        {"wrong_signature_allocate", REGLET_ERR_SIGNATURE, "(i32) -> (i32)"},
        {"wrong_signature_describe", REGLET_ERR_SIGNATURE, "() -> (i64)"},
        {"export_wrong_kind", REGLET_ERR_SIGNATURE, "a global"},
        {"feature_shared_memory", REGLET_ERR_INVALID_MODULE, "no valid WebAssembly module"},
        {"feature_memory64", REGLET_ERR_INVALID_MODULE, "no valid WebAssembly module"},
        {"tables_1000", REGLET_ERR_INVALID_MODULE, "no valid WebAssembly module"},
        {"feature_memories", REGLET_ERR_INVALID_MODULE, "no valid WebAssembly module"},
    };
    reglet_runtime *runtime = cautious_runtime();
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        reglet_plugin *plugin = NULL;
        reglet_error *error = NULL;
        reglet_status status = reglet_runtime_load_plugin_file(
            runtime, attacks[i].guest, guest_path(attacks[i].guest), NULL, &plugin, &error);
        if (status != attacks[i].status || !strstr(reglet_error_message(error), attacks[i].part))
            fail_msg("%s: expected %s with \"%s\", found %s: %s", attacks[i].guest,
                     reglet_status_name(attacks[i].status), attacks[i].part, reglet_status_name(status),
                     reglet_error_message(error));
        assert_null(strchr(reglet_error_message(error), '\n'));
        reglet_error_free(error);
        assert_null(plugin);
    }
    reglet_runtime_free(runtime);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(observe__loops_end_at_the_deadline),
        cmocka_unit_test(observe__memory_and_tables_are_limited),
        cmocka_unit_test(observe__packed_results_stay_inside_memory),
        cmocka_unit_test(observe__allocate_that_lies_is_caught),
        cmocka_unit_test(observe__answers_that_are_no_evidence_are_refused),
        cmocka_unit_test(observe__answers_that_are_odd_lose_nothing),
        cmocka_unit_test(observe__exits_and_traps_are_told_apart),
        cmocka_unit_test(observe__floods_of_output_are_limited),
        cmocka_unit_test(observe__missing_exports_are_named),
        cmocka_unit_test(observe__exit_code_is_in_the_result),
        cmocka_unit_test(refused_memory__then_an_exit_is_the_end_of_a_command),
        cmocka_unit_test(observe__exit_while_it_describes_itself_is_told_as_such),
        cmocka_unit_test(describe__attacks_end_the_same_way),
        cmocka_unit_test(schema__attacks_end_the_same_way),
        cmocka_unit_test(describe__first_answer_is_kept),
        cmocka_unit_test(load__hostile_modules_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
