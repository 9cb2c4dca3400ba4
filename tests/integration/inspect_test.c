#define _GNU_SOURCE
#include "src/util/variant.h"
#include "tests/integration/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void needs_images(void) {
    if (REGLET__NO_IMAGES)
        skip();
}

/* What the library tells of a module, and whether it says what calls then do: start from an image, or not and why. */

static const reglet_inspection *inspect(reglet_plugin *plugin) {
    const reglet_inspection *inspection = NULL;
    reglet_error *error = NULL;
    EXPECT(reglet_plugin_inspect(plugin, NULL, &inspection, &error), REGLET_OK, error);
    assert_int_equal(inspection->struct_size, sizeof *inspection);
    return inspection;
}

/* Loads, inspects, and gives everything else back first: an inspection outlives plugin and runtime. */
static const reglet_inspection *inspect_guest(const char *name) {
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, name);
    const reglet_inspection *inspection = inspect(plugin);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    return inspection;
}

static const reglet_inspected_import *find_import(const reglet_inspection *inspection, const char *name) {
    for (size_t i = 0; i < inspection->import_count; i++)
        if (strcmp(inspection->imports[i].name, name) == 0)
            return &inspection->imports[i];
    fail_msg("no import %s", name);
    return NULL;
}

static const reglet_inspected_export *find_export(const reglet_inspection *inspection, const char *name) {
    for (size_t i = 0; i < inspection->export_count; i++)
        if (strcmp(inspection->exports[i].name, name) == 0)
            return &inspection->exports[i];
    fail_msg("no export %s", name);
    return NULL;
}

/* NULL: there is an image. */
static void expect_reason(const char *guest, const char *reason) {
    const reglet_inspection *inspection = inspect_guest(guest);
    const char *found = inspection->no_image;
    if (inspection->starts_from_image != !reason || !found != !reason ||
        (reason && strcmp(found, reason) != 0))
        fail_msg("%s: expected \"%s\", not \"%s\"", guest, reason ? reason : "an image",
                 found ? found : "an image");
    reglet_inspection_free(inspection);
}

/* --- What it is made of ----------------------------------------------------------------------------------- */

static void inspect__tells_imports_exports_and_sizes_of_a_plugin(void **state) {
    (void)state;
    const reglet_inspection *inspection = inspect_guest("file");
    struct bytes wasm = read_guest("file");
    assert_string_equal(inspection->name, "file");
    assert_int_equal(strlen(inspection->sha256), 64);
    assert_int_equal(inspection->module_bytes, wasm.size);
    assert_int_equal(inspection->abi_generation, 1);
    const reglet_inspected_import *import = find_import(inspection, "path_open");
    assert_string_equal(import->module, "wasi_snapshot_preview1");
    assert_string_equal(import->provider, "wasi");
    assert_string_equal(import->type, "(i32, i32, i32, i32, i32, i64, i64, i32, i32) -> (i32)");
    assert_string_equal(find_import(inspection, "fs_stat")->provider, "host");
    assert_string_equal(find_export(inspection, "observe")->type, "(i32, i32) -> (i64)");
    assert_string_equal(find_export(inspection, "memory")->kind, "memory");
    assert_null(find_export(inspection, "memory")->type);
    assert_in_range(inspection->code_bytes, 1000, inspection->module_bytes);
    assert_in_range(inspection->data_bytes, 100, inspection->module_bytes);
    assert_in_range(inspection->custom_bytes, 1, inspection->module_bytes);
    assert_true(inspection->machine_code_bytes > 0);
    assert_true(strcmp(inspection->compiler, "fast") == 0 || strcmp(inspection->compiler, "optimizing") == 0);
    reglet_inspection_free(inspection);
    free(wasm.data);
}

/* As it stands in tests/guests/wat/image.wat.in; what rewriting adds for images is no part of it. */
static void inspect__counts_what_the_module_itself_has(void **state) {
    (void)state;
    needs_images();
    const reglet_inspection *inspection = inspect_guest("image_counter");
    assert_int_equal(inspection->import_count, 1);
    assert_int_equal(inspection->export_count, 4);
    assert_int_equal(inspection->function_count, 4);
    assert_int_equal(inspection->global_count, 1);
    assert_int_equal(inspection->mutable_global_count, 1);
    assert_int_equal(inspection->data_segment_count, 2);
    assert_true(inspection->has_memory);
    assert_int_equal(inspection->memory_bytes, 2 << 16);
    assert_int_equal(inspection->memory_max_bytes, 0);
    assert_int_equal(inspection->table_count, 0);
    const char *json = reglet_inspection_json(inspection);
    assert_non_null(strstr(json, "\"memory\":{\"pages\":2,\"bytes\":131072}"));
    assert_non_null(strstr(json, "\"globals\":{\"count\":1,\"mutable\":1},\"data\":{\"segments\":2,"));
    assert_non_null(strstr(json, "\"exports\":[{\"name\":\"memory\",\"kind\":\"memory\",\"type\":null},"));
    assert_non_null(strstr(json, "\"image\":{\"used\":true,\"reason\":null}}"));
    assert_null(strstr(json, "reglet:global"));
    reglet_inspection_free(inspection);
}

static reglet_status serve(void *user_data, reglet_host_call *call) {
    (void)user_data;
    return reglet_host_call_respond(call, "{}", 2);
}

static void inspect__names_the_embedder_as_who_provides_its_functions(void **state) {
    (void)state;
    reglet_host_function function = REGLET_HOST_FUNCTION_INIT;
    function.name = "echo";
    function.serve = serve;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.host_functions = &function;
    options.host_function_count = 1;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "custom_echo");
    const reglet_inspection *inspection = inspect(plugin);
    assert_string_equal(find_import(inspection, "echo")->provider, "embedder");
    assert_string_equal(find_import(inspection, "echo")->module, "reglet_host");
    reglet_inspection_free(inspection);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void inspect__of_a_command_says_that_it_is_no_plugin(void **state) {
    (void)state;
    const reglet_inspection *inspection = inspect_guest("cat");
    assert_int_equal(inspection->abi_generation, 0);
    assert_string_equal(inspection->no_image, "it does not export \"observe\"");
    assert_non_null(strstr(reglet_inspection_json(inspection), "\"abi\":null"));
    reglet_inspection_free(inspection);
}

#ifdef REGLET_HAVE_GO
static void inspect__of_go_plugins_of_both_generations(void **state) {
    (void)state;
    needs_images();
    const reglet_inspection *big = inspect_guest("go_big"), *second = inspect_guest("go_v2");
    assert_int_equal(big->abi_generation, 1);
    assert_true(big->starts_from_image);
    assert_true(big->data_segment_count > 1000);
    assert_int_equal(second->abi_generation, 2);
    assert_string_equal(find_export(second, "_observe")->type, "(i32, i32) -> (i64)");
    reglet_inspection_free(big);
    reglet_inspection_free(second);
}
#endif

/* --- Images ----------------------------------------------------------------------------------------------- */

static void inspect__says_why_calls_do_not_start_from_an_image(void **state) {
    (void)state;
    needs_images();
    expect_reason("image_counter", NULL);
    expect_reason("image_reads_clock", NULL);
    expect_reason("image_start_function", "it has a start function");
    expect_reason("image_changes_tables", "it has an instruction that changes a table");
    expect_reason("image_many_globals", "it has more mutable globals than an image may have");
    expect_reason("image_large_memory", "its memory is larger than an image may be");
    expect_reason("image_reaches_outside", "it called env_get while it initialised");
    expect_reason("image_opens_file", "it called path_open while it initialised");
    expect_reason("image_half_a_line", "it wrote half a line while it initialised");
    expect_reason("image_grows_large", "it takes more memory than there is, or than an image may have");
    expect_reason("exit_initialize_3", "it called proc_exit while it initialised");
    expect_reason("trap_initialize", "it did not initialise: the plugin trapped: unreachable code reached");
    expect_reason("trap_start", "it has a start function");
}

static size_t initialised(struct events *events) {
    size_t count = 0;
    pthread_mutex_lock(&events->lock);
    for (const char *at = events->text; at && (at = strstr(at, "initialised")); at++)
        count++;
    pthread_mutex_unlock(&events->lock);
    return count;
}

/* The guests log once while they initialise. Where there is an image, it is what inspecting says and calls do. */
static void inspect__says_what_calls_then_do(void **state) {
    (void)state;
    if (REGLET__PRIME)
        skip(); /* these guests count, and find the call that primed them */
    static const char *const guests[] = {
        "image_counter",         "image_reads_clock",    "image_opens_file",   "image_grows_large",
        "image_start_function",  "image_changes_tables", "image_many_globals", "image_large_memory",
        "image_reaches_outside", "image_half_a_line"};
    for (size_t i = 0; i < sizeof guests / sizeof *guests; i++) {
        struct events events;
        events_init(&events);
        reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
        options.log = events_collect;
        options.log_user_data = &events;
        reglet_runtime *runtime = new_runtime(&options);
        reglet_plugin *plugin = load_guest(runtime, guests[i]);
        const reglet_inspection *inspection = inspect(plugin);
        size_t before = initialised(&events);
        for (int call = 0; call < 4; call++)
            expect_evidence(observe_json(plugin, NULL, 0), "\"memory\":4");
        size_t expected = inspection->starts_from_image ? 1 : 4;
        if (initialised(&events) - before != expected)
            fail_msg("%s: said %s, and initialised %zu times", guests[i], reglet_inspection_json(inspection),
                     initialised(&events) - before);
        reglet_inspection_free(inspection);
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
        events_free(&events);
    }
}

static void inspect__where_images_are_turned_off_runs_nothing(void **state) {
    (void)state;
    struct events events;
    events_init(&events);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.image_max_calls = -1;
    options.log = events_collect;
    options.log_user_data = &events;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "image_counter");
    const reglet_inspection *inspection = inspect(plugin);
    assert_string_equal(inspection->no_image, "images are turned off");
    assert_int_equal(initialised(&events), 0);
    reglet_inspection_free(inspection);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    events_free(&events);
}

/* What it finds while it is inspected is what calls find: what the runtime grants, and no more. */
static void inspect__initialises_under_the_grants_of_calls(void **state) {
    (void)state;
    needs_images();
    assert_int_equal(setenv("IMAGE_A", "aaaa", 1), 0);
    for (int granted = 0; granted < 2; granted++) {
        reglet_runtime *runtime =
            new_runtime_granting("image_needs_variable", granted ? "env:IMAGE_A" : "env:IMAGE_B");
        reglet_plugin *plugin = load_guest(runtime, "image_needs_variable");
        const reglet_inspection *inspection = inspect(plugin);
        assert_int_equal(inspection->starts_from_image, granted);
        if (granted)
            expect_evidence(observe_json(plugin, NULL, 0), "\"memory\":4");
        else
            assert_non_null(strstr(inspection->no_image, "it did not initialise: "));
        reglet_inspection_free(inspection);
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
    }
}

static void inspect__refuses_what_is_not_granted(void **state) {
    (void)state;
    needs_images();
    struct events events;
    events_init(&events);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.log = events_collect;
    options.log_user_data = &events;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "image_opens_file");
    reglet_inspection_free(inspect(plugin));
    assert_true(events_contain(&events, "denial|image_opens_file||permission denied|"));
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    events_free(&events);
}

/* --- Attacks ---------------------------------------------------------------------------------------------- */

static void inspect__of_a_plugin_that_never_initialises_ends_with_the_deadline(void **state) {
    (void)state;
    needs_images();
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "loop_initialize");
    const reglet_inspection *inspection = NULL;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = 50;
    int64_t start = now_ms();
    EXPECT(reglet_plugin_inspect(plugin, &call, &inspection, NULL), REGLET_OK, NULL);
    assert_in_range(now_ms() - start, 0, 10000);
    assert_string_equal(inspection->no_image, "it did not initialise: the call's deadline passed");
    reglet_inspection_free(inspection);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void inspect__that_is_cancelled_fails(void **state) {
    (void)state;
    needs_images();
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "loop_initialize");
    const reglet_inspection *inspection = NULL;
    reglet_error *error = NULL;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    EXPECT(reglet_cancel_token_new(&call.cancel, NULL), REGLET_OK, NULL);
    reglet_cancel_token_cancel(call.cancel);
    assert_int_equal(reglet_plugin_inspect(plugin, &call, &inspection, &error), REGLET_ERR_CANCELLED);
    assert_int_equal(reglet_error_code(error), REGLET_ERR_CANCELLED);
    assert_null(inspection);
    EXPECT(reglet_plugin_inspect(plugin, &call, &inspection, NULL), REGLET_ERR_CANCELLED, NULL);
    reglet_error_free(error);
    reglet_cancel_token_unref(call.cancel);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* As they are in C, with the NUL as U+FFFD; as escapes in JSON. */
static void inspect__of_names_that_steer_a_terminal(void **state) {
    (void)state;
    const reglet_inspection *inspection = inspect_guest("export_names");
    const char *json = reglet_inspection_json(inspection);
    assert_string_equal(find_export(inspection, "\x1b]0;x\x07")->type, "(f32, f64, v128, funcref) -> ()");
    find_export(inspection, "a\r\nb");
    find_export(inspection, "\xE2\x80\xAEgnp");
    find_export(inspection, "observe\xEF\xBF\xBD");
    assert_string_equal(find_export(inspection, "observe")->type, "(i32, i32) -> (i64)");
    assert_non_null(strstr(json, "\"\\u001b]0;x\\u0007\""));
    assert_non_null(strstr(json, "\"\\u202egnp\""));
    for (const char *c = json; *c; c++)
        assert_true((unsigned char)*c >= ' ');
    reglet_inspection_free(inspection);
}

/* Many exports of a function with many results would be text without end. */
static void inspect__shortens_types_that_are_long(void **state) {
    (void)state;
    const reglet_inspection *inspection = inspect_guest("export_thousand_results");
    const char *type = find_export(inspection, "b")->type;
    assert_int_equal(strncmp(type, "() -> (i64, i64, ", 17), 0);
    assert_non_null(strstr(type, "i64, … 968 more)"));
    assert_in_range(strlen(type), 0, 300);
    reglet_inspection_free(inspection);
}

static void inspect__of_nothing_or_a_closed_plugin_fails(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "counter");
    const reglet_inspection *inspection = NULL;
    EXPECT(reglet_plugin_inspect(NULL, NULL, &inspection, NULL), REGLET_ERR_INVALID_ARGUMENT, NULL);
    EXPECT(reglet_plugin_inspect(plugin, NULL, NULL, NULL), REGLET_ERR_INVALID_ARGUMENT, NULL);
    reglet_plugin_close(plugin);
    EXPECT(reglet_plugin_inspect(plugin, NULL, &inspection, NULL), REGLET_ERR_CLOSED, NULL);
    assert_null(inspection);
    assert_null(reglet_inspection_json(NULL));
    reglet_inspection_free(NULL);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inspect__tells_imports_exports_and_sizes_of_a_plugin),
        cmocka_unit_test(inspect__counts_what_the_module_itself_has),
        cmocka_unit_test(inspect__names_the_embedder_as_who_provides_its_functions),
        cmocka_unit_test(inspect__of_a_command_says_that_it_is_no_plugin),
#ifdef REGLET_HAVE_GO
        cmocka_unit_test(inspect__of_go_plugins_of_both_generations),
#endif
        cmocka_unit_test(inspect__says_why_calls_do_not_start_from_an_image),
        cmocka_unit_test(inspect__says_what_calls_then_do),
        cmocka_unit_test(inspect__where_images_are_turned_off_runs_nothing),
        cmocka_unit_test(inspect__initialises_under_the_grants_of_calls),
        cmocka_unit_test(inspect__refuses_what_is_not_granted),
        cmocka_unit_test(inspect__of_a_plugin_that_never_initialises_ends_with_the_deadline),
        cmocka_unit_test(inspect__that_is_cancelled_fails),
        cmocka_unit_test(inspect__of_names_that_steer_a_terminal),
        cmocka_unit_test(inspect__shortens_types_that_are_long),
        cmocka_unit_test(inspect__of_nothing_or_a_closed_plugin_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
