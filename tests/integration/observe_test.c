#define _GNU_SOURCE
#include "tests/integration/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- The file plugin: one grant, one file ---------------------------------------------------------------- */

static void file__grant_of_hosts_observes_hosts(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime_granting("file", "fs:read:/etc/hosts");
    reglet_plugin *plugin = load_guest(runtime, "file");
    reglet_result *result = observe_json(plugin, "{\"path\":\"/etc/hosts\",\"hash\":true}", 0);
    const reglet_evidence *evidence = reglet_result_evidence(result);
    assert_non_null(evidence);
    assert_true(reglet_evidence_status(evidence));
    assert_null(reglet_evidence_get_error(evidence));
    assert_null(reglet_evidence_raw(evidence, NULL));
    assert_null(reglet_evidence_message(evidence));
    assert_false(reglet_evidence_truncated(evidence));
    assert_int_equal(strlen(reglet_evidence_timestamp(evidence)), strlen("2026-01-02T03:04:05.123456789Z"));
    assert_non_null(strstr(reglet_evidence_data_json(evidence, NULL), "\"sha256\":\""));
    assert_int_equal(reglet_result_error_code(result), REGLET_OK);
    assert_null(reglet_result_error_message(result));
    reglet_result_free(result);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* The Go system opened /etc/shadow under a grant of /etc/hosts. */
static void file__grant_of_hosts_never_opens_its_neighbour(void **state) {
    (void)state;
    struct events events;
    events_init(&events);
    const reglet_grant grant = {"file", "fs:read:/etc/hosts"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = &grant;
    options.grant_count = 1;
    options.log = events_collect;
    options.log_user_data = &events;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "file");
    reglet_result *result = observe_json(plugin, "{\"path\":\"/etc/shadow\",\"read_content\":true}", 0);
    const reglet_evidence *evidence = reglet_result_evidence(result);
    assert_non_null(evidence);
    assert_false(reglet_evidence_status(evidence));
    assert_string_equal(reglet_evidence_get_error(evidence)->type, "capability");
    assert_null(strstr(reglet_result_json(result, NULL), "content_b64"));
    assert_true(events_contain(&events, "denial|file||permission denied|"));
    assert_true(events_contain(&events, "grant=fs:read:/etc/shadow"));
    reglet_result_free(result);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    events_free(&events);
}

static void file__grants_of_another_name_do_not_apply(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime_granting("other", "fs:read:/etc/hosts");
    reglet_plugin *plugin = load_guest(runtime, "file");
    expect_evidence(observe_json(plugin, "{\"path\":\"/etc/hosts\"}", 0), "\"status\":false");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void file__missing_file_is_evidence(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime_granting("file", "fs:read:/nonexistent/**");
    reglet_plugin *plugin = load_guest(runtime, "file");
    expect_evidence(observe_json(plugin, "{\"path\":\"/nonexistent/x\"}", 0), "\"status\":true");
    expect_evidence(observe_json(plugin, "{\"path\":\"/nonexistent/x\"}", 0), "\"exists\":false");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void file__content_hash_and_links_are_told(void **state) {
    (void)state;
    char dir[] = "/tmp/reglet-file-XXXXXX", file[64], link[64], grant[80], config[128];
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/f", dir);
    snprintf(link, sizeof link, "%s/l", dir);
    FILE *out = fopen(file, "w");
    fputs("abc", out);
    fclose(out);
    assert_int_equal(symlink("f", link), 0);
    snprintf(grant, sizeof grant, "fs:read:%s/**", dir);
    reglet_runtime *runtime = new_runtime_granting("file", grant);
    reglet_plugin *plugin = load_guest(runtime, "file");
    snprintf(config, sizeof config, "{\"path\":\"%s\",\"hash\":true,\"read_content\":true}", file);
    expect_evidence(observe_json(plugin, config, 0),
                    "\"sha256\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"");
    expect_evidence(observe_json(plugin, config, 0), "\"content_b64\":\"YWJj\"");
    expect_evidence(observe_json(plugin, config, 0), "\"encoding\":\"base64\"");
    snprintf(config, sizeof config, "{\"path\":\"%s\"}", link);
    expect_evidence(observe_json(plugin, config, 0), "\"is_symlink\":true");
    expect_evidence(observe_json(plugin, config, 0), "\"symlink_target\":\"f\"");
    snprintf(config, sizeof config, "{\"path\":\"%s\"}", dir);
    expect_evidence(observe_json(plugin, config, 0), "\"is_dir\":true");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    unlink(link);
    unlink(file);
    rmdir(dir);
}

static void file__config_without_a_path_is_told_by_the_plugin(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "file");
    expect_evidence(observe_json(plugin, NULL, 0), "\"type\":\"config\"");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* --- Plugins written in Go, both generations ------------------------------------------------------------- */

/* By its own clock at least as long as it asked for; how much longer is the machine's doing. */
static void expect_sleep(reglet_plugin *plugin, long millis) {
    static const char key[] = "\"slept_ms\":";
    char config[64];
    snprintf(config, sizeof config, "{\"op\":\"sleep\",\"millis\":%ld}", millis);
    reglet_result *result = observe_json(plugin, config, 0);
    const char *slept = strstr(reglet_result_json(result, NULL), key);
    assert_non_null(slept);
    assert_in_range(strtol(slept + strlen(key), NULL, 10), millis, 20000);
    reglet_result_free(result);
}

static void go__observes_under_a_grant(const char *guest) {
    reglet_runtime *runtime = new_runtime_granting(guest, "fs:read:/etc/hosts");
    reglet_plugin *plugin = load_guest(runtime, guest);
    expect_evidence(observe_json(plugin, "{\"op\":\"stat\",\"path\":\"/etc/hosts\"}", 0),
                    "\"name\":\"hosts\"");
    expect_evidence(observe_json(plugin, "{\"op\":\"read\",\"path\":\"/etc/hosts\"}", 0), "localhost");
    expect_evidence(observe_json(plugin, "{\"op\":\"read\",\"path\":\"/etc/passwd\"}", 0),
                    "\"code\":\"EACCES\"");
    expect_evidence(observe_json(plugin, "{\"op\":\"list\",\"path\":\"/etc\"}", 0), "\"names\":[\"hosts\"]");
    expect_evidence(observe_json(plugin, "{\"op\":\"list\",\"path\":\"/\"}", 0), "\"names\":[\"etc\"]");
    expect_evidence(observe_json(plugin, "{\"op\":\"hello\"}", 0), guest);
    expect_sleep(plugin, 20);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void go_v1__observes_under_a_grant(void **state) {
    (void)state;
    go__observes_under_a_grant("go_v1");
}

static void go_v2__observes_under_a_grant(void **state) {
    (void)state;
    go__observes_under_a_grant("go_v2");
}

static void go_v2__message_is_kept_beside_the_status(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "go_v2");
    reglet_result *result = observe_json(plugin, "{\"op\":\"hello\"}", 0);
    assert_true(reglet_evidence_status(reglet_result_evidence(result)));
    assert_string_equal(reglet_evidence_message(reglet_result_evidence(result)), "observed");
    reglet_result_free(result);
    result = observe_json(plugin, "{\"op\":\"read\",\"path\":\"/etc/hosts\"}", 0);
    assert_false(reglet_evidence_status(reglet_result_evidence(result)));
    assert_string_equal(reglet_evidence_message(reglet_result_evidence(result)),
                        reglet_evidence_get_error(reglet_result_evidence(result))->message);
    reglet_result_free(result);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void go_big__loads_and_observes(void **state) {
    (void)state;
    struct bytes bytes = read_guest("go_big");
    assert_true(bytes.size >= 10000000);
    free(bytes.data);
    reglet_runtime *runtime = new_runtime_granting("go_big", "fs:read:/etc/hosts");
    reglet_plugin *plugin = load_guest(runtime, "go_big");
    expect_evidence(observe_json(plugin, "{\"op\":\"stat\",\"path\":\"/etc/hosts\"}", 0), "\"status\":true");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void describe__generations_give_the_same_structure(void **state) {
    (void)state;
    static const char *const guests[] = {"go_v1", "go_v2"};
    for (int i = 0; i < 2; i++) {
        reglet_runtime *runtime = new_runtime(NULL);
        reglet_plugin *plugin = load_guest(runtime, guests[i]);
        const reglet_description *description = NULL;
        const reglet_schema *schema = NULL;
        reglet_error *error = NULL;
        EXPECT(reglet_plugin_describe(plugin, NULL, &description, &error), REGLET_OK, error);
        assert_string_equal(description->name, guests[i]);
        assert_int_equal(description->abi_generation, i + 1);
        assert_true(description->capability_count > 0);
        assert_string_equal(description->capabilities[0].kind, "fs");
        assert_string_equal(description->capabilities[0].pattern, i == 0 ? "read:**" : "read:/**");
        assert_int_equal(description->service_count, i);
        if (i == 1) {
            assert_string_equal(description->services[0].name, "files");
            assert_int_equal(description->services[0].operation_count, 2);
            assert_string_equal(description->services[0].operations[0].name, "stat");
            assert_non_null(
                strstr(description->services[0].operations[0].json, "\"input_fields\":[\"path\"]"));
        }
        error = NULL;
        EXPECT(reglet_plugin_schema(plugin, NULL, &schema, &error), REGLET_OK, error);
        assert_true(schema->field_count >= 2);
        reglet_schema_free(schema);
        reglet_description_free(description);
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
    }
}

/* --- Environment ----------------------------------------------------------------------------------------- */

static void environment__only_granted_variables_are_seen(void **state) {
    (void)state;
    setenv("REGLET_TEST_SEEN", "yes", 1);
    setenv("OTHER_TEST_VARIABLE", "no", 1);
    reglet_runtime *runtime = new_runtime_granting("go_v1", "env:REGLET_TEST_*");
    unsetenv("REGLET_TEST_SEEN"); /* the runtime has its own copy, as it was */
    setenv("REGLET_TEST_LATE", "no", 1);
    reglet_plugin *plugin = load_guest(runtime, "go_v1");
    expect_evidence(observe_json(plugin, "{\"op\":\"env\",\"name\":\"REGLET_TEST_SEEN\"}", 0),
                    "\"value\":\"yes\"");
    expect_evidence(observe_json(plugin, "{\"op\":\"env\",\"name\":\"REGLET_TEST_LATE\"}", 0),
                    "\"found\":false");
    expect_evidence(observe_json(plugin, "{\"op\":\"env\",\"name\":\"OTHER_TEST_VARIABLE\"}", 0),
                    "\"found\":false");
    expect_evidence(observe_json(plugin, "{\"op\":\"env\",\"name\":\"PATH\"}", 0), "\"count\":1");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* --- Shared grants --------------------------------------------------------------------------------------- */

static void shared_grant__applies_where_the_plugin_declared(void **state) {
    (void)state;
    setenv("REGLET_TEST_SHARED", "yes", 1);
    const char *const shared[] = {"fs:read:/etc/hosts", "env:REGLET_TEST_*"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.shared_grants = shared;
    options.shared_grant_count = 2;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *declares = load_guest(runtime, "go_v1"), *silent = load_guest(runtime, "go_v2");
    expect_evidence(observe_json(declares, "{\"op\":\"stat\",\"path\":\"/etc/hosts\"}", 0),
                    "\"status\":true");
    expect_evidence(observe_json(declares, "{\"op\":\"stat\",\"path\":\"/etc/passwd\"}", 0),
                    "\"code\":\"EACCES\"");
    expect_evidence(observe_json(declares, "{\"op\":\"env\",\"name\":\"REGLET_TEST_SHARED\"}", 0),
                    "\"value\":\"yes\"");
    expect_evidence(observe_json(silent, "{\"op\":\"stat\",\"path\":\"/etc/hosts\"}", 0), "\"status\":true");
    reglet_plugin_unref(declares);
    reglet_plugin_unref(silent);
    reglet_runtime_free(runtime);
}

/* --- Events ---------------------------------------------------------------------------------------------- */

static void log_message__reaches_the_callback_with_the_request_id(void **state) {
    (void)state;
    struct events events;
    events_init(&events);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.log = events_collect;
    options.log_user_data = &events;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "go_v1");
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.request_id = "request-7";
    reglet_result *result = NULL;
    assert_int_equal(reglet_plugin_observe(plugin, NULL, &call, &result, NULL), REGLET_OK);
    reglet_result_free(result);
    assert_true(events_contain(&events, "plugin|go_v1|request-7|initialising|home_set="));
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    events_free(&events);
}

static void stdout__comes_line_by_line_and_clean(void **state) {
    (void)state;
    struct events events;
    events_init(&events);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.log = events_collect;
    options.log_user_data = &events;
    options.max_output_bytes = 5000;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "flood_stdout");
    expect_plugin_error(observe_json(plugin, NULL, 0), REGLET_ERR_OUTPUT_LIMIT, "5000");
    assert_true(events_contain(&events, "stdout|flood_stdout||"));
    assert_true(events.size < 100000);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    events_free(&events);
}

/* --- Options --------------------------------------------------------------------------------------------- */

static void check_config__names_the_field(void **state) {
    (void)state;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.check_config = true;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "file");
    static const char *const configs[][2] = {
        {"{}", "path"}, {"{\"path\":5}", "path"}, {"{\"path\":\"/\",\"hash\":1}", "hash"}};
    for (size_t i = 0; i < 3; i++) {
        reglet_config *config = NULL;
        reglet_result *result = NULL;
        reglet_error *error = NULL;
        assert_int_equal(reglet_config_parse(configs[i][0], strlen(configs[i][0]), &config, NULL), REGLET_OK);
        reglet_status status = reglet_plugin_observe(plugin, config, NULL, &result, &error);
        assert_non_null(strstr(reglet_error_message(error), configs[i][1]));
        expect_status(status, REGLET_ERR_INVALID_CONFIG, error, configs[i][0]);
        assert_null(result);
        reglet_config_free(config);
    }
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void evidence__beyond_its_limit_is_shortened_and_marked(void **state) {
    (void)state;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.max_evidence_bytes = 2048;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "answer_2_mib");
    reglet_result *result = observe_json(plugin, NULL, 0);
    size_t size = 0;
    const char *json = reglet_result_json(result, &size);
    assert_true(reglet_evidence_truncated(reglet_result_evidence(result)));
    assert_non_null(strstr(json, "\"truncated_at_bytes\":2048"));
    assert_true(size < 4096);
    reglet_result_free(result);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    options.max_evidence_bytes = -1;
    runtime = new_runtime(&options);
    plugin = load_guest(runtime, "answer_2_mib");
    result = observe_json(plugin, NULL, 0);
    assert_false(reglet_evidence_truncated(reglet_result_evidence(result)));
    reglet_result_free(result);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void options__refuse(const reglet_runtime_options *options, reglet_status code, const char *part) {
    reglet_runtime *runtime = NULL;
    reglet_error *error = NULL;
    reglet_status status = reglet_runtime_new(options, &runtime, &error);
    if (status != code || !strstr(reglet_error_message(error), part))
        fail_msg("expected %s with \"%s\", found %s: %s", reglet_status_name(code), part,
                 reglet_status_name(status), reglet_error_message(error));
    assert_null(runtime);
    reglet_error_free(error);
}

static void options__that_make_no_sense_are_refused_by_name(void **state) {
    (void)state;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.memory_limit_mib = 4097;
    options__refuse(&options, REGLET_ERR_INVALID_ARGUMENT, "memory_limit_mib is 4097");
    options.memory_limit_mib = -2;
    options__refuse(&options, REGLET_ERR_INVALID_ARGUMENT, "memory_limit_mib is -2");
    options = (reglet_runtime_options)REGLET_RUNTIME_OPTIONS_INIT;
    options.max_result_bytes = (64 << 20) + 1;
    options__refuse(&options, REGLET_ERR_INVALID_ARGUMENT, "max_result_bytes");
    options = (reglet_runtime_options)REGLET_RUNTIME_OPTIONS_INIT;
    options.cache_mode = REGLET_CACHE_OWN;
    options__refuse(&options, REGLET_ERR_INVALID_ARGUMENT, "cache");
    options = (reglet_runtime_options)REGLET_RUNTIME_OPTIONS_INIT;
    options.working_directory = "relative";
    options__refuse(&options, REGLET_ERR_INVALID_ARGUMENT, "working_directory");
    options = (reglet_runtime_options)REGLET_RUNTIME_OPTIONS_INIT;
    options.struct_size = 3;
    options__refuse(&options, REGLET_ERR_INVALID_ARGUMENT, "REGLET_RUNTIME_OPTIONS_INIT");
    options.struct_size = sizeof options + 8;
    options__refuse(&options, REGLET_ERR_INVALID_ARGUMENT, "REGLET_RUNTIME_OPTIONS_INIT");
}

static void options__of_an_older_caller_are_taken(void **state) {
    (void)state;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.struct_size = offsetof(reglet_runtime_options, check_config);
    options.check_config = true; /* beyond what the caller says it has */
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "file");
    expect_evidence(observe_json(plugin, NULL, 0), "\"type\":\"config\"");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void grant__that_does_not_parse_refuses_the_runtime(void **state) {
    (void)state;
    reglet_grant grant = {"file", "fs:read:/etc/[z"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = &grant;
    options.grant_count = 1;
    options__refuse(&options, REGLET_ERR_INVALID_GRANT, "plugin \"file\"");
    grant.capability = "network:outbound:10.0.0.0/x";
    options__refuse(&options, REGLET_ERR_INVALID_GRANT, "plugin \"file\"");
    grant.capability = NULL;
    options__refuse(&options, REGLET_ERR_INVALID_ARGUMENT, "no capability");
    grant = (reglet_grant){"a/b", "fs:read:/x"};
    options__refuse(&options, REGLET_ERR_INVALID_ARGUMENT, "name");
}

static void memory_limit__is_256_unless_given_and_may_be_more(void **state) {
    (void)state;
    static const int64_t enough[] = {-1, 4096, 512};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "memory_initial");
    expect_plugin_error(observe_json(plugin, NULL, 0), REGLET_ERR_MEMORY_LIMIT, "it may have 256 MiB");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    for (size_t i = 0; i < sizeof enough / sizeof *enough; i++) {
        options.memory_limit_mib = enough[i];
        runtime = new_runtime(&options);
        plugin = load_guest(runtime, "memory_initial");
        expect_plugin_error(observe_json(plugin, NULL, 0), REGLET_ERR_TRAP, "unreachable"); /* it ran */
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
    }
}

static void working_directory__is_where_relative_grants_start(void **state) {
    (void)state;
    const reglet_grant grant = {"file", "fs:read:hosts"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = &grant;
    options.grant_count = 1;
    options.working_directory = "/etc";
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "file");
    expect_evidence(observe_json(plugin, "{\"path\":\"/etc/hosts\"}", 0), "\"exists\":true");
    expect_evidence(observe_json(plugin, "{\"path\":\"/etc/passwd\"}", 0), "\"status\":false");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void memory_limit__below_64_warns(void **state) {
    (void)state;
    struct events events;
    events_init(&events);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.memory_limit_mib = 16;
    options.log = events_collect;
    options.log_user_data = &events;
    reglet_runtime *runtime = new_runtime(&options);
    assert_true(events_contain(&events, "host|||memory_limit_mib is 16"));
    reglet_runtime_free(runtime);
    events_free(&events);
}

static void cache__of_the_callers_own_serves_two_runtimes(void **state) {
    (void)state;
    reglet_cache *cache = NULL;
    reglet_cache_options in_memory = REGLET_CACHE_OPTIONS_INIT;
    in_memory.memory_only = true; /* a file of an earlier run would be there as soon */
    assert_int_equal(reglet_cache_new(&in_memory, &cache, NULL), REGLET_OK);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.cache_mode = REGLET_CACHE_OWN;
    options.cache = cache;
    reglet_runtime *first = new_runtime(&options), *second = new_runtime(&options);
    assert_ptr_equal(reglet_cache_ref(cache), cache);
    reglet_cache_unref(cache);
    reglet_cache_unref(cache); /* the runtimes hold their own */
    int64_t begin = now_ms();
    reglet_plugin *one = load_guest(first, "go_v1");
    int64_t compiled = now_ms() - begin;
    begin = now_ms();
    reglet_plugin *two = load_guest(second, "go_v1");
    int64_t found = now_ms() - begin;
    if (found * 4 > compiled)
        fail_msg("the second load took %lld ms, the first %lld", (long long)found, (long long)compiled);
    reglet_runtime_free(first);
    expect_evidence(observe_json(two, "{\"op\":\"hello\"}", 0), "\"status\":true");
    reglet_plugin_unref(one);
    reglet_plugin_unref(two);
    reglet_runtime_free(second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file__grant_of_hosts_observes_hosts),
        cmocka_unit_test(file__grant_of_hosts_never_opens_its_neighbour),
        cmocka_unit_test(file__grants_of_another_name_do_not_apply),
        cmocka_unit_test(file__missing_file_is_evidence),
        cmocka_unit_test(file__content_hash_and_links_are_told),
        cmocka_unit_test(file__config_without_a_path_is_told_by_the_plugin),
        cmocka_unit_test(go_v1__observes_under_a_grant),
        cmocka_unit_test(go_v2__observes_under_a_grant),
        cmocka_unit_test(go_v2__message_is_kept_beside_the_status),
        cmocka_unit_test(go_big__loads_and_observes),
        cmocka_unit_test(describe__generations_give_the_same_structure),
        cmocka_unit_test(environment__only_granted_variables_are_seen),
        cmocka_unit_test(shared_grant__applies_where_the_plugin_declared),
        cmocka_unit_test(log_message__reaches_the_callback_with_the_request_id),
        cmocka_unit_test(stdout__comes_line_by_line_and_clean),
        cmocka_unit_test(check_config__names_the_field),
        cmocka_unit_test(evidence__beyond_its_limit_is_shortened_and_marked),
        cmocka_unit_test(options__that_make_no_sense_are_refused_by_name),
        cmocka_unit_test(options__of_an_older_caller_are_taken),
        cmocka_unit_test(grant__that_does_not_parse_refuses_the_runtime),
        cmocka_unit_test(working_directory__is_where_relative_grants_start),
        cmocka_unit_test(memory_limit__is_256_unless_given_and_may_be_more),
        cmocka_unit_test(memory_limit__below_64_warns),
        cmocka_unit_test(cache__of_the_callers_own_serves_two_runtimes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
