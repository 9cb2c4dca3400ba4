/* Every hostile component, what it tries, and how that has to end. tests/guests/README.md describes them. */
#define _GNU_SOURCE
#include "tests/integration/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct attack {
    const char *name;     /* of an attack of `attacks`, or of a guest */
    reglet_status status; /* REGLET_OK: evidence */
    const char *part;     /* of the message, or of the result's JSON */
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static reglet_runtime *cautious_runtime(void) {
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.default_timeout_ms = 20000;
    options.memory_limit_mib = 128;
    return new_runtime(&options);
}

static void check(const struct attack *attack, reglet_result *result) {
    const char *json = reglet_result_json(result, NULL);
    if (reglet_result_error_code(result) != attack->status || !strstr(json, attack->part))
        fail_msg("%s: expected %s with \"%s\", found %.300s", attack->name,
                 reglet_status_name(attack->status), attack->part, json);
    assert_null(strchr(json, '\n'));
    reglet_result_free(result);
}

/* Whatever it did, nothing is lost: the next call on another plugin is as ever. */
static void check_the_next(reglet_plugin *good) {
    expect_evidence(observe_json(good, "{\"do\":\"random_1000\"}", 0), "\"bytes\":1000");
}

static void attack_by_config(const struct attack *attacks, size_t count, int64_t timeout_ms) {
    reglet_runtime *runtime = cautious_runtime();
    reglet_plugin *plugin = load_guest(runtime, "attacks.component");
    for (size_t i = 0; i < count; i++) {
        char config[128];
        snprintf(config, sizeof config, "{\"do\":\"%s\"}", attacks[i].name);
        check(&attacks[i], observe_json(plugin, config, timeout_ms));
        check_the_next(plugin);
    }
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void attack_by_guest(const struct attack *attacks, size_t count, int64_t timeout_ms) {
    reglet_runtime *runtime = cautious_runtime();
    reglet_plugin *good = load_guest(runtime, "attacks.component");
    for (size_t i = 0; i < count; i++) {
        char guest[128];
        snprintf(guest, sizeof guest, "%s.component", attacks[i].name);
        reglet_plugin *plugin = load_guest(runtime, guest);
        check(&attacks[i], observe_json(plugin, "{\"a\":\"b\"}", timeout_ms));
        check_the_next(good);
        reglet_plugin_unref(plugin);
    }
    reglet_plugin_unref(good);
    reglet_runtime_free(runtime);
}

/* --- Time -------------------------------------------------------------------------------------------------- */

static void loops_and_sleeps__end_at_the_deadline(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"loop", REGLET_ERR_TIMEOUT, "deadline"},
        {"block", REGLET_ERR_TIMEOUT, "deadline"},
        {"poll_many", REGLET_ERR_TIMEOUT, "deadline"},
        {"sleep_through_libc", REGLET_ERR_TIMEOUT, "deadline"},
    };
    static const struct attack guests[] = {
        {"attacks_initializes_loop", REGLET_ERR_TIMEOUT, "deadline"},
        {"attacks_initializes_block", REGLET_ERR_TIMEOUT, "deadline"},
        {"by_hand_initialize_loops", REGLET_ERR_TIMEOUT, "deadline"},
        {"by_hand_start_loops", REGLET_ERR_TIMEOUT, "deadline"},
        {"by_hand_realloc_loops", REGLET_ERR_TIMEOUT, "deadline"},
        {"by_hand_post_loops", REGLET_ERR_TIMEOUT, "deadline"},
    };
    attack_by_config(attacks, COUNT(attacks), 50);
    attack_by_guest(guests, COUNT(guests), 50);
}

static void waits__that_end_are_waited_for(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"nap", REGLET_OK, "\"slept\":true,\"resolution\":true,\"dated\":true"},
        {"poll_ready", REGLET_OK, "\"count\":2,\"first\":0,\"second\":2,\"never\":false"},
        {"poll_nothing", REGLET_ERR_TRAP, "nothing is polled"},
    };
    attack_by_config(attacks, COUNT(attacks), 0);
}

/* --- Cancelling ---------------------------------------------------------------------------------------------- */

static reglet_status serve_slowly(void *user_data, reglet_host_call *call) {
    (void)user_data;
    return reglet_host_call_wait(call, -1, 0, 60000);
}

struct caller {
    reglet_plugin *plugin;
    const char *config;
    reglet_cancel_token *token;
    reglet_status status;
};

static void *call_in_thread(void *of) {
    struct caller *caller = of;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    reglet_config *config = NULL;
    reglet_result *result = NULL;
    call.cancel = caller->token;
    reglet_config_parse(caller->config, strlen(caller->config), &config, NULL);
    caller->status = reglet_plugin_observe(caller->plugin, config, &call, &result, NULL);
    if (caller->status == REGLET_OK)
        caller->status = reglet_result_error_code(result);
    reglet_result_free(result);
    reglet_config_free(config);
    return NULL;
}

/* Of two calls that do the same, one is cancelled; the other one goes on until it is cancelled too. */
static void cancel__stops_that_call_and_no_sibling(void **state) {
    (void)state;
    static const char *const configs[] = {"{\"do\":\"loop\"}", "{\"do\":\"block\"}", "{\"do\":\"poll_many\"}",
                                          "{\"do\":\"sleep_through_libc\"}", "{\"do\":\"ask_slowly\"}"};
    reglet_host_function slow = REGLET_HOST_FUNCTION_INIT;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    slow.name = "slow";
    slow.serve = serve_slowly;
    options.host_functions = &slow;
    options.host_function_count = 1;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "attacks.component");
    for (size_t i = 0; i < COUNT(configs); i++) {
        struct caller callers[2] = {{plugin, configs[i], NULL, REGLET_OK},
                                    {plugin, configs[i], NULL, REGLET_OK}};
        pthread_t threads[2];
        for (size_t c = 0; c < 2; c++) {
            assert_int_equal(reglet_cancel_token_new(&callers[c].token, NULL), REGLET_OK);
            assert_int_equal(pthread_create(&threads[c], NULL, call_in_thread, &callers[c]), 0);
        }
        usleep(30000);
        int64_t cancelled_ms = now_ms();
        reglet_cancel_token_cancel(callers[0].token);
        pthread_join(threads[0], NULL);
        assert_in_range(now_ms() - cancelled_ms, 0, 5000);
        assert_int_equal(callers[0].status, REGLET_ERR_CANCELLED);
        assert_int_equal(pthread_tryjoin_np(threads[1], NULL), EBUSY);
        reglet_cancel_token_cancel(callers[1].token);
        pthread_join(threads[1], NULL);
        assert_int_equal(callers[1].status, REGLET_ERR_CANCELLED);
        for (size_t c = 0; c < 2; c++)
            reglet_cancel_token_unref(callers[c].token);
    }
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* --- Space --------------------------------------------------------------------------------------------------- */

static void space__is_limited(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"grow", REGLET_ERR_MEMORY_LIMIT, "it may have 128 MiB"},
        {"grow_and_live", REGLET_OK, "\"refused\":true"},
        {"recurse", REGLET_ERR_STACK_LIMIT, "call stack"},
        {"pollables_2000", REGLET_ERR_TRAP, "more than 1024 pollables"},
        {"pollables_given_back", REGLET_OK, "\"status\":true"},
        {"streams_forever", REGLET_ERR_TRAP, "handle limit"},
        {"random_4_gib", REGLET_ERR_TRAP, "random bytes"},
        {"random_all", REGLET_ERR_TRAP, "random bytes"},
    };
    static const struct attack guests[] = {
        {"by_hand_memory_initial", REGLET_ERR_MEMORY_LIMIT, "wanted 4096 MiB of memory; it may have 128 MiB"},
        {"by_hand_realloc_grows_forever", REGLET_ERR_MEMORY_LIMIT, "it may have 128 MiB"},
        {"by_hand_table_initial", REGLET_ERR_TABLE_LIMIT,
         "wanted 10000000 table elements; it may have 1000000"},
        {"by_hand_table_grow", REGLET_ERR_TABLE_LIMIT, "it may have 1000000"},
        {"by_hand_globals_10000", REGLET_OK, "\"status\":true"},
        {"text_instances_9", REGLET_OK, "\"raw\":\"ab\""},
        {"text_memories_41", REGLET_ERR_MEMORY_LIMIT, "100 instances of modules, 16 memories or 100 tables"},
        {"text_nested", REGLET_OK, "\"raw\":\"ab\""},
    };
    attack_by_config(attacks, COUNT(attacks), 0);
    attack_by_guest(guests, COUNT(guests), 0);
}

/* --- Results ------------------------------------------------------------------------------------------------- */

#define NOT_PASSED_ON "observe answered what cannot be passed on: "

static void results__that_lie_are_refused(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"text_outside", REGLET_ERR_BAD_OUTPUT,
         NOT_PASSED_ON "string pointer/length out of bounds of memory"},
        {"text_past_end", REGLET_ERR_BAD_OUTPUT,
         NOT_PASSED_ON "string pointer/length out of bounds of memory"},
        {"text_wraps", REGLET_ERR_BAD_OUTPUT, NOT_PASSED_ON "string pointer/length out of bounds of memory"},
        {"text_of_4_gib", REGLET_ERR_BAD_OUTPUT,
         NOT_PASSED_ON "string pointer/length out of bounds of memory"},
        {"list_outside", REGLET_ERR_BAD_OUTPUT, NOT_PASSED_ON "list pointer/length out of bounds of memory"},
        {"list_wraps", REGLET_ERR_BAD_OUTPUT, NOT_PASSED_ON "list pointer/length out of bounds of memory"},
        {"list_of_4_gib", REGLET_ERR_BAD_OUTPUT, NOT_PASSED_ON "list pointer/length out of bounds of memory"},
        {"list_unaligned", REGLET_ERR_BAD_OUTPUT, NOT_PASSED_ON "list pointer is not aligned"},
        {"tag_of_no_case", REGLET_ERR_BAD_OUTPUT, NOT_PASSED_ON "unexpected discriminant: 99"},
        {"no_utf8", REGLET_ERR_BAD_OUTPUT, NOT_PASSED_ON "invalid utf-8"},
        {"no_utf8_name", REGLET_ERR_BAD_OUTPUT, NOT_PASSED_ON "invalid utf-8"},
        {"nan", REGLET_ERR_BAD_OUTPUT, "a float is NaN, which JSON has no number for"},
        {"infinity", REGLET_ERR_BAD_OUTPUT, "a float is inf, which JSON has no number for"},
        {"infinity_in_lists", REGLET_ERR_BAD_OUTPUT, "a float is -inf, which JSON has no number for"},
        {"json_text", REGLET_ERR_BAD_OUTPUT, "what should be JSON is not"},
        {"json_empty", REGLET_ERR_BAD_OUTPUT, "what should be JSON is not"},
        {"json_two", REGLET_ERR_BAD_OUTPUT, "what should be JSON is not: trailing characters"},
        {"json_breaks_out", REGLET_ERR_BAD_OUTPUT, "what should be JSON is not: trailing characters"},
        {"json_details", REGLET_ERR_BAD_OUTPUT, "what should be JSON is not"},
        {"json_nested", REGLET_ERR_BAD_OUTPUT, "nested deeper than the host takes"},
        {"json_big_numbers", REGLET_ERR_BAD_OUTPUT, "an integer that does not fit into 64 bits"},
        {"values_1500000", REGLET_ERR_BAD_OUTPUT, "more values than the host takes"},
    };
    static const struct attack guests[] = {
        {"by_hand_result_outside", REGLET_ERR_BAD_OUTPUT, NOT_PASSED_ON "pointer out of bounds of memory"},
        {"by_hand_result_unaligned", REGLET_ERR_BAD_OUTPUT, NOT_PASSED_ON "return pointer not aligned"},
        {"by_hand_result_no_case", REGLET_ERR_BAD_OUTPUT, NOT_PASSED_ON "invalid expected discriminant"},
        {"by_hand_result_no_option", REGLET_ERR_BAD_OUTPUT, NOT_PASSED_ON "invalid option discriminant"},
        {"text_utf16_surrogate", REGLET_ERR_BAD_OUTPUT, NOT_PASSED_ON "unpaired surrogate"},
    };
    attack_by_config(attacks, COUNT(attacks), 0);
    attack_by_guest(guests, COUNT(guests), 0);
}

static void results__that_amplify_are_cut_short(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"amplify_texts", REGLET_ERR_RESULT_LIMIT, "observe handed over more than 64 MiB at once"},
        {"amplify_lists", REGLET_ERR_RESULT_LIMIT, "observe handed over more than 64 MiB at once"},
        {"amplify_escapes", REGLET_ERR_RESULT_LIMIT, "observe handed over more than 64 MiB at once"},
    };
    attack_by_config(attacks, COUNT(attacks), 0);
}

static void results__that_are_odd_lose_nothing(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"hostile_names", REGLET_OK,
         "{\"\\u001b]52;c;aGk=\\u0007\\n\\u202e\":1,\"\\\"},\\\"status\\\":false,{\\\"\":2,\"\":3}"},
        {"same_names", REGLET_OK, "\"data\":{\"a\":2}"},
        {"json_line_breaks", REGLET_OK, "{\"many\":[1,{\"a\":\"\\u0000\xef\xbf\xbd\"}]}"},
        {"text_of_2_mib", REGLET_OK, "\"truncated\":true"},
    };
    static const struct attack guests[] = {
        {"text_utf8", REGLET_OK, "\"raw\":\"ab\""},
        {"text_utf16", REGLET_OK, "\"raw\":\"a\xe2\x82\xac\""},
        {"text_latin1", REGLET_OK, "\"raw\":\"a\xc3\xa9\""},
    };
    attack_by_config(attacks, COUNT(attacks), 0);
    attack_by_guest(guests, COUNT(guests), 0);
}

/* --- The guest's own allocator, and what it asks of the host ---------------------------------------------------- */

static void realloc__that_lies_is_caught(void **state) {
    (void)state;
    static const struct attack guests[] = {
        {"by_hand_good", REGLET_OK, "\"status\":true"},
        {"by_hand_realloc_traps", REGLET_ERR_TRAP, "unreachable"},
        {"by_hand_realloc_exits", REGLET_ERR_TRAP, "cannot leave component instance"},
        {"by_hand_realloc_calls_host", REGLET_ERR_TRAP, "cannot leave component instance"},
        {"by_hand_realloc_outside", REGLET_ERR_BAD_OUTPUT, "realloc return: beyond end of memory"},
        {"by_hand_realloc_past_end", REGLET_ERR_BAD_OUTPUT, "realloc return: beyond end of memory"},
        {"by_hand_realloc_unaligned", REGLET_ERR_BAD_OUTPUT, "realloc return: result not aligned"},
        {"by_hand_realloc_zero", REGLET_OK, "\"status\":true"}, /* it writes over what is its own */
        {"by_hand_realloc_same", REGLET_OK, "\"status\":true"},
        {"by_hand_realloc_grows", REGLET_OK, "\"status\":true"},
        {"by_hand_post_traps", REGLET_ERR_TRAP, "unreachable"},
        {"by_hand_post_calls_host", REGLET_ERR_TRAP, "cannot leave component instance"},
    };
    attack_by_guest(guests, COUNT(guests), 0);
}

static void requests__that_lie_end_the_call(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"request_outside", REGLET_ERR_TRAP, "string pointer/length out of bounds of memory"},
        {"request_wraps", REGLET_ERR_TRAP, "string pointer/length out of bounds of memory"},
        {"request_no_utf8", REGLET_ERR_TRAP, "invalid utf-8"},
        {"request_of_no_enum", REGLET_ERR_TRAP, "unexpected discriminant"},
        {"request_amplified", REGLET_ERR_RESULT_LIMIT, "handed over more than 64 MiB at once"},
        {"request_of_escapes", REGLET_OK, "\"status\":true"}, /* larger than a request may be */
        {"handle_of_nobody", REGLET_ERR_TRAP, "unknown handle index 12345"},
        {"handle_of_another_kind", REGLET_ERR_TRAP, "used with the wrong type"},
        {"handle_dropped_twice", REGLET_ERR_TRAP, "unknown handle index"},
    };
    static const struct attack guests[] = {
        {"by_hand_request_outside", REGLET_ERR_TRAP, "string pointer/length out of bounds of memory"},
        {"by_hand_request_list_wraps", REGLET_ERR_TRAP, "list pointer/length out of bounds of memory"},
    };
    attack_by_config(attacks, COUNT(attacks), 0);
    attack_by_guest(guests, COUNT(guests), 0);
}

/* --- Ends and floods --------------------------------------------------------------------------------------------- */

static void ends_and_floods__are_told_apart(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"trap", REGLET_ERR_TRAP, "unreachable code reached in trap"},
        {"exit_0", REGLET_ERR_EXIT, "code 0"},
        {"exit_1", REGLET_ERR_EXIT, "code 1"},
        {"flood_stdout", REGLET_ERR_OUTPUT_LIMIT, "more than 1048576 bytes written to stdout and stderr"},
        {"flood_stderr", REGLET_ERR_OUTPUT_LIMIT, "1048576"},
        {"flood_line", REGLET_ERR_OUTPUT_LIMIT, "1048576"},
        {"write_32_mib", REGLET_ERR_OUTPUT_LIMIT, "1048576"},
        {"write_zeroes", REGLET_ERR_TRAP, "more zeroes than check-write allows"},
        {"flood_log", REGLET_ERR_LOG_LIMIT, "more than 10000 messages logged"},
        {"flood_log_empty", REGLET_ERR_LOG_LIMIT, "more than 10000 messages logged"},
        {"flood_log_long", REGLET_ERR_LOG_LIMIT, "more than 1048576 bytes logged"},
    };
    static const struct attack guests[] = {
        {"attacks_initializes_trap", REGLET_ERR_TRAP, "unreachable"},
        {"attacks_initializes_exit_0", REGLET_ERR_EXIT, "code 0"},
        {"attacks_initializes_exit_1", REGLET_ERR_EXIT, "code 1"},
        {"attacks_initializes_flood_stdout", REGLET_ERR_OUTPUT_LIMIT, "1048576"},
        {"by_hand_start_traps", REGLET_ERR_TRAP, "unreachable"},
        {"world_same", REGLET_ERR_TRAP, "unreachable"},
    };
    attack_by_config(attacks, COUNT(attacks), 0);
    attack_by_guest(guests, COUNT(guests), 0);
}

/* Of the sandbox's outside there is nothing to be had by way of WASI. */
static void wasi__has_nothing_in_it(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"look_around", REGLET_OK,
         "{\"environment\":0,\"arguments\":0,\"directory\":false,\"stdin\":false,\"stdin_error\":1,\"skipped\":false,"
         "\"spliced\":false}"},
        {"open_socket", REGLET_OK, "{\"socket\":false,\"code\":1}"},
        {"open_file", REGLET_OK, "{\"file\":false,\"variable\":false}"},
    };
    attack_by_config(attacks, COUNT(attacks), 0);
    /* And nothing more with grants of everything: they are for the functions of the host. */
    static const reglet_grant grants[] = {{"attacks.component", "fs:read:/**"},
                                          {"attacks.component", "env:*"}};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = grants;
    options.grant_count = 2;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "attacks.component");
    expect_evidence(observe_json(plugin, "{\"do\":\"open_file\"}", 0), "{\"file\":false,\"variable\":false}");
    expect_evidence(observe_json(plugin, "{\"do\":\"look_around\"}", 0),
                    "{\"environment\":0,\"arguments\":0");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* --- The same from the exports that tell about a plugin ------------------------------------------------------------ */

static void describe_and_schema__attacks_end_the_same_way(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"loop", REGLET_ERR_TIMEOUT, "deadline"}, {"block", REGLET_ERR_TIMEOUT, "deadline"},
        {"exit_0", REGLET_ERR_EXIT, "code 0"},    {"exit_1", REGLET_ERR_EXIT, "code 1"},
        {"trap", REGLET_ERR_TRAP, "unreachable"}, {"flood_stdout", REGLET_ERR_OUTPUT_LIMIT, "1048576"},
    };
    reglet_runtime *runtime = cautious_runtime();
    for (size_t i = 0; i < COUNT(attacks); i++)
        for (int describes = 0; describes < 2; describes++) {
            char guest[128];
            snprintf(guest, sizeof guest, "attacks_%s_%s.component", describes ? "describes" : "schema",
                     attacks[i].name);
            reglet_plugin *plugin = load_guest(runtime, guest);
            const reglet_description *description = NULL;
            const reglet_schema *schema = NULL;
            reglet_error *error = NULL;
            reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
            call.timeout_ms = attacks[i].status == REGLET_ERR_TIMEOUT ? 50 : 20000;
            reglet_status status = describes ? reglet_plugin_describe(plugin, &call, &description, &error)
                                             : reglet_plugin_schema(plugin, &call, &schema, &error);
            if (status != attacks[i].status || !strstr(reglet_error_message(error), attacks[i].part))
                fail_msg("%s: expected %s with \"%s\", found %s: %s", guest,
                         reglet_status_name(attacks[i].status), attacks[i].part, reglet_status_name(status),
                         reglet_error_message(error));
            reglet_error_free(error);
            reglet_plugin_unref(plugin);
        }
    reglet_runtime_free(runtime);
}

/* --- Loading --------------------------------------------------------------------------------------------------------- */

static void expect_refused(reglet_runtime *runtime, const struct attack *attack, const void *bytes,
                           size_t size) {
    reglet_plugin *plugin = NULL;
    reglet_error *error = NULL;
    reglet_status status = reglet_runtime_load_plugin(runtime, "p", bytes, size, NULL, &plugin, &error);
    if (status != attack->status || !strstr(reglet_error_message(error), attack->part))
        fail_msg("%s: expected %s with \"%s\", found %s: %s", attack->name,
                 reglet_status_name(attack->status), attack->part, reglet_status_name(status),
                 reglet_error_message(error));
    assert_null(strchr(reglet_error_message(error), '\n'));
    assert_null(plugin);
    reglet_error_free(error);
}

/* What is wrong is said by the names of both: the interface and the function. */
static void load__components_of_another_world_are_refused_by_name(void **state) {
    (void)state;
    static const struct attack attacks[] = {
        {"world_unknown_function", REGLET_ERR_UNKNOWN_IMPORT,
         "imports the function \"format-disk\" of \"reglet:plugin/host@1.1.0\", which this host does not provide; `reglet "
         "wit` prints what it does"},
        {"world_function_of_world", REGLET_ERR_UNKNOWN_IMPORT,
         "imports \"reboot\", which this host does not provide"},
        {"world_other_version", REGLET_ERR_UNKNOWN_IMPORT,
         "imports \"reglet:plugin/host@1.2.0\", which this host does not provide"},
        {"world_http", REGLET_ERR_UNKNOWN_IMPORT,
         "imports \"wasi:http/outgoing-handler@0.2.3\", which this host does not provide; a plugin has http-request of "
         "reglet:plugin/host instead (componentize-js: --disable http"},
        {"world_import_parameter", REGLET_ERR_SIGNATURE,
         "`reglet:plugin/host@1.1.0`, but a matching implementation was not found in the linker; 0: instance export "
         "`env-get` has the wrong type; 1: type mismatch with parameters; 2: expected `string` found `u32`"},
        {"world_import_result", REGLET_ERR_SIGNATURE, "instance export `fs-write` has the wrong type"},
        {"world_import_record", REGLET_ERR_SIGNATURE,
         "type mismatch for field uid; 3: expected `u32` found `u64`"},
        {"world_clock_type", REGLET_ERR_SIGNATURE,
         "`wasi:clocks/monotonic-clock@0.2.3`, but a matching implementation was not found in the linker; 0: instance "
         "export `now` has the wrong type"},
        {"world_export_parameter", REGLET_ERR_SIGNATURE,
         "\"reglet:plugin/plugin@1.1.0\" has \"observe\" as func(config: string) -> result<record{status: bool"},
        {"world_export_result", REGLET_ERR_SIGNATURE,
         "\"reglet:plugin/plugin@1.1.0\" has \"describe\" as func() -> string, which is not as `reglet wit` has it"},
        {"world_export_record", REGLET_ERR_SIGNATURE, "expected `bool` found `u8`"},
        {"world_no_schema", REGLET_ERR_MISSING_EXPORT, "\"reglet:plugin/plugin@1.1.0\" has no \"schema\""},
        {"world_no_observe", REGLET_ERR_MISSING_EXPORT, "\"reglet:plugin/plugin@1.1.0\" has no \"observe\""},
        {"world_other_interface", REGLET_ERR_MISSING_EXPORT,
         "exports other; a plugin exports \"reglet:plugin/plugin@1.1.0\", or "},
        {"text_instances_2000", REGLET_ERR_INVALID_MODULE, "instances count exceeds limit of 1000"},
        {"text_types", REGLET_ERR_INVALID_MODULE, "effective type size exceeds the limit"},
    };
    reglet_runtime *runtime = cautious_runtime();
    for (size_t i = 0; i < COUNT(attacks); i++) {
        char guest[128];
        snprintf(guest, sizeof guest, "%s.component", attacks[i].name);
        struct bytes bytes = read_guest(guest);
        expect_refused(runtime, &attacks[i], bytes.data, bytes.size);
        free(bytes.data);
    }
    reglet_runtime_free(runtime);
}

static void load__components_that_are_cut_or_damaged_are_refused(void **state) {
    (void)state;
    static const struct attack cut = {"cut", REGLET_ERR_INVALID_MODULE, "component"};
    reglet_runtime *runtime = cautious_runtime();
    struct bytes bytes = read_guest("by_hand_good.component");
    for (size_t size = 9; size < bytes.size; size = size * 5 / 4 + 1) {
        reglet_plugin *plugin = NULL;
        reglet_error *error = NULL;
        /* Cut between two sections it is a component that exports nothing, or not all. */
        reglet_status status =
            reglet_runtime_load_plugin(runtime, "p", bytes.data, size, NULL, &plugin, &error);
        assert_true(status == REGLET_ERR_INVALID_MODULE || status == REGLET_ERR_MISSING_EXPORT);
        assert_non_null(strstr(reglet_error_message(error), "component"));
        reglet_error_free(error);
    }
    for (size_t i = 8; i < bytes.size; i += 331) { /* a component may live with it, and the host has to */
        reglet_plugin *plugin = NULL;
        bytes.data[i] = (char)~bytes.data[i];
        if (reglet_runtime_load_plugin(runtime, "p", bytes.data, bytes.size, NULL, &plugin, NULL) ==
            REGLET_OK) {
            reglet_result_free(observe_json(plugin, "{\"a\":\"b\"}", 1000));
            reglet_plugin_close(plugin);
            reglet_plugin_unref(plugin);
        }
        bytes.data[i] = (char)~bytes.data[i];
    }
    bytes.data[4] = 14; /* a version of the format that is not there yet */
    expect_refused(runtime, &(struct attack){"version", REGLET_ERR_INVALID_MODULE, ""}, bytes.data,
                   bytes.size);
    bytes.data[4] = 1; /* the header of a module */
    bytes.data[6] = 0;
    expect_refused(runtime, &(struct attack){"header", REGLET_ERR_INVALID_MODULE, "module"}, bytes.data,
                   bytes.size);
    free(bytes.data);
    bytes = read_guest("counter");
    bytes.data[4] = 13; /* and the reverse */
    bytes.data[6] = 1;
    expect_refused(runtime, &cut, bytes.data, bytes.size);
    free(bytes.data);
    reglet_runtime_free(runtime);
}

static void run__component_is_no_command(void **state) {
    (void)state;
    reglet_runtime *runtime = cautious_runtime();
    reglet_plugin *plugin = load_guest(runtime, "attacks.component");
    reglet_error *error = NULL;
    uint32_t exit_code = 77;
    reglet_status status = reglet_plugin_run_command(plugin, NULL, &exit_code, &error);
    assert_int_equal(status, REGLET_ERR_MISSING_EXPORT);
    assert_non_null(strstr(reglet_error_message(error), "a component, and no WASI command"));
    assert_int_equal(exit_code, 77);
    reglet_error_free(error);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_and_sleeps__end_at_the_deadline),
        cmocka_unit_test(waits__that_end_are_waited_for),
        cmocka_unit_test(cancel__stops_that_call_and_no_sibling),
        cmocka_unit_test(space__is_limited),
        cmocka_unit_test(results__that_lie_are_refused),
        cmocka_unit_test(results__that_amplify_are_cut_short),
        cmocka_unit_test(results__that_are_odd_lose_nothing),
        cmocka_unit_test(realloc__that_lies_is_caught),
        cmocka_unit_test(requests__that_lie_end_the_call),
        cmocka_unit_test(ends_and_floods__are_told_apart),
        cmocka_unit_test(wasi__has_nothing_in_it),
        cmocka_unit_test(describe_and_schema__attacks_end_the_same_way),
        cmocka_unit_test(load__components_of_another_world_are_refused_by_name),
        cmocka_unit_test(load__components_that_are_cut_or_damaged_are_refused),
        cmocka_unit_test(run__component_is_no_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
