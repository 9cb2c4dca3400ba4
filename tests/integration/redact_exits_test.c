/*
 * One known secret and one credential, sent down the exits of the library, and found at none.
 *
 * Exits with tests of their own: audit records (audit_test.c), recordings (recording_hide_test.c), and all that the command
 * writes (class Exits of cli_redact_test.py).
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/integration/support.h"

#define SECRET     "correct-horse-battery"
#define FIRST      "correct-ho"
#define SECOND     "rse-battery"
#define CREDENTIAL "AKIAQYLPMN5HFIQR7XYA"

static const char *const paths[] = {"attribute_path", "pin"};

/* A runtime that knows these secrets, and what it says. */
struct setting {
    reglet_runtime *runtime;
    struct events events;
};

static void set_up(struct setting *setting, const char *more) {
    const reglet_secret secrets[] = {{SECRET, strlen(SECRET)}, {more, more ? strlen(more) : 0}};
    reglet_redactor_options how = REGLET_REDACTOR_OPTIONS_INIT;
    how.secrets = secrets;
    how.secret_count = more ? 2 : 1;
    how.paths = paths;
    how.path_count = 2;
    reglet_redactor *redactor = NULL;
    reglet_error *error = NULL;
    EXPECT(reglet_redactor_new(&how, &redactor, &error), REGLET_OK, error);
    events_init(&setting->events);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.log = events_collect;
    options.log_user_data = &setting->events;
    options.redactor = redactor;
    setting->runtime = new_runtime(&options);
    reglet_redactor_unref(redactor);
}

static void tear_down(struct setting *setting) {
    reglet_runtime_free(setting->runtime);
    events_free(&setting->events);
}

/* Neither whole nor in halves, and [REDACTED] instead. */
static void expect_gone(const char *text) {
    static const char *const parts[] = {SECRET, FIRST, SECOND, CREDENTIAL, "QYLPMN5HFIQR7XYA"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(text, parts[i]))
            fail_msg("%s is in %s", parts[i], text);
    if (!strstr(text, "[REDACTED]"))
        fail_msg("no [REDACTED] in %s", text);
}

/* --- Evidence -------------------------------------------------------------------------------------------- */

static void expect_evidence_of(const char *guest, const char *config, uint64_t redactions, const char *part) {
    struct setting setting;
    set_up(&setting, NULL);
    reglet_plugin *plugin = load_guest(setting.runtime, guest);
    reglet_result *result = observe_json(plugin, config, 0);
    const char *json = reglet_result_json(result, NULL);
    expect_gone(json);
    if (!strstr(json, part))
        fail_msg("%s is not in %s", part, json);
    assert_int_equal(reglet_result_redactions(result), redactions);
    reglet_result_free(result);
    reglet_plugin_unref(plugin);
    tear_down(&setting);
}

static void evidence(const char *config, uint64_t redactions, const char *part) {
    expect_evidence_of("result_is_config", config, redactions, part);
}

static void evidence__data_keys_and_raw(void **state) {
    (void)state;
    evidence("{\"status\":true,\"data\":{\"a\":[\"x " SECRET "\"],\"b\":\"" CREDENTIAL "\"}}", 2,
             "\"data\":{\"a\":[\"x [REDACTED]\"],\"b\":\"[REDACTED]\"}");
    evidence("{\"status\":true,\"data\":{\"" SECRET "\":1,\"" CREDENTIAL "\":2}}", 2,
             "\"data\":{\"[REDACTED]\":1,\"[REDACTED] 2\":2}");
    evidence("{\"status\":true,\"raw\":\"a " SECRET "\\n" CREDENTIAL "\\n\"}", 2,
             "\"raw\":\"a [REDACTED]\\n[REDACTED]\\n\"");
}

static void evidence__every_part_of_its_error(void **state) {
    (void)state;
    evidence("{\"status\":false,\"error\":{\"message\":\"m " SECRET "\",\"type\":\"" SECRET
             "\",\"code\":\"" SECRET "\",\"details\":{\"" SECRET "\":\"" CREDENTIAL
             "\"},\"wrapped\":{\"message\":\"" CREDENTIAL "\"},\"stack\":\"Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5\"}}",
             7, "\"error\":{\"message\":\"m [REDACTED]\",\"type\":\"[REDACTED]\",\"code\":\"[REDACTED]\"");
}

static void evidence__message_of_the_second_generation(void **state) {
    (void)state;
    expect_evidence_of("result_is_config_v2", "{\"status\":\"success\",\"message\":\"is " SECRET "\"}", 1,
                       "\"message\":\"is [REDACTED]\"");
}

static void evidence__every_form_of_a_known_secret(void **state) {
    (void)state;
    static const char *const forms[] = {
        "correct%2Dhorse%2Dbattery",                  /* URL */
        "636f72726563742d686f7273652d62617474657279", /* hexadecimal */
        "636F72726563742D686F7273652D62617474657279",
        "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5", /* base64, at the three offsets */
        "eGNvcnJlY3QtaG9yc2UtYmF0dGVyeQ==",
        "eHhjb3JyZWN0LWhvcnNlLWJhdHRlcnk=",
        "c\\u0000o\\u0000r\\u0000r\\u0000e\\u0000c\\u0000t\\u0000-\\u0000h\\u0000o\\u0000r\\u0000s\\u0000e\\u0000"
        "-\\u0000b\\u0000a\\u0000t\\u0000t\\u0000e\\u0000r\\u0000y\\u0000", /* UTF-16 */
        "\\ufffd\\ufffd" SECRET "\\ufffd",
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char config[1024];
        snprintf(config, sizeof config, "{\"status\":true,\"data\":{\"a\":\"%s\"},\"raw\":\"%s\"}", forms[i],
                 forms[i]);
        evidence(config, 2, "[REDACTED]");
    }
}

static void evidence__its_own_form_stays(void **state) {
    (void)state;
    const char *const all[] = {"*", "status", "timestamp", "data", "error", "is_timeout"};
    reglet_redactor_options how = REGLET_REDACTOR_OPTIONS_INIT;
    how.paths = all;
    how.path_count = sizeof all / sizeof *all;
    reglet_redactor *redactor = NULL;
    reglet_error *error = NULL;
    EXPECT(reglet_redactor_new(&how, &redactor, &error), REGLET_OK, error);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.redactor = redactor;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_redactor_unref(redactor);
    reglet_plugin *plugin = load_guest(runtime, "result_is_config");
    reglet_result *result = observe_json(
        plugin,
        "{\"status\":false,\"timestamp\":\"2026-01-02T03:04:05Z\",\"error\":{\"message\":\"m\",\"is_timeout\":true},"
        "\"data\":{\"a\":{\"b\":1}},\"raw\":\"r\"}",
        0);
    assert_string_equal(
        reglet_result_json(result, NULL),
        "{\"evidence\":{\"status\":false,\"error\":{\"message\":\"[REDACTED]\",\"type\":\"[REDACTED]\","
        "\"code\":\"[REDACTED]\",\"is_timeout\":true},\"timestamp\":\"2026-01-02T03:04:05Z\","
        "\"data\":{\"a\":\"[REDACTED]\"},\"raw\":\"[REDACTED]\",\"evidence_meta\":{\"redactions\":5}},"
        "\"error\":null}");
    reglet_result_free(result);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* A plugin that writes "[REDACTED]" itself is told by the number. */
static void evidence__forged_marks_are_not_counted(void **state) {
    (void)state;
    evidence("{\"status\":true,\"data\":{\"a\":\"[REDACTED]\",\"b\":\"" SECRET "\"}}", 1,
             "\"evidence_meta\":{\"redactions\":1}");
}

static void evidence__shortened_after_it_was_redacted(void **state) {
    (void)state;
    enum { TIMES = 5000 };
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.max_evidence_bytes = 20000;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "result_is_config");
    char *config = malloc(TIMES * (strlen(CREDENTIAL) + 1) + 100);
    assert_non_null(config);
    char *at = stpcpy(config, "{\"status\":true,\"data\":{\"a\":\"");
    for (int i = 0; i < TIMES; i++)
        at = stpcpy(at, CREDENTIAL " ");
    strcpy(at, "\"}}");
    reglet_result *result = observe_json(plugin, config, 0);
    expect_gone(reglet_result_json(result, NULL));
    assert_int_equal(reglet_result_redactions(result), TIMES);
    assert_true(reglet_evidence_truncated(reglet_result_evidence(result)));
    assert_non_null(strstr(reglet_result_json(result, NULL),
                           "\"evidence_meta\":{\"redactions\":5000,\"truncated\":true"));
    reglet_result_free(result);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    free(config);
}

/* An answer that takes long to search ends with its call's deadline, not when all of it was searched. */
static void evidence__that_takes_long_to_search_is_a_timeout(void **state) {
    (void)state;
    struct setting setting;
    set_up(&setting, NULL);
    reglet_plugin *plugin = load_guest(setting.runtime, "answer_passwords");
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    reglet_result *result = observe_json(plugin, NULL, 300);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_int_equal(reglet_result_error_code(result), REGLET_ERR_TIMEOUT);
    if (ended.tv_sec - begun.tv_sec > 3) /* all of it takes 5 s and more */
        fail_msg("it took %ld seconds", (long)(ended.tv_sec - begun.tv_sec));
    reglet_result_free(result);
    reglet_error *error = NULL;
    const reglet_schema *schema = NULL;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = 300;
    EXPECT(reglet_plugin_schema(plugin, &call, &schema, &error), REGLET_ERR_TIMEOUT, error);
    reglet_plugin_unref(plugin);
    tear_down(&setting);
}

/* --- What a plugin says ---------------------------------------------------------------------------------- */

/* Has the guest say it, and expects the events to have these lines. */
static void expect_events(const char *config, const char *part) {
    struct setting setting;
    set_up(&setting, NULL);
    reglet_plugin *plugin = load_guest(setting.runtime, "teller");
    reglet_result_free(observe_json(plugin, config, 2000));
    expect_gone(setting.events.text ? setting.events.text : "");
    if (!strstr(setting.events.text, part))
        fail_msg("%s is not in %s", part, setting.events.text);
    reglet_plugin_unref(plugin);
    tear_down(&setting);
}

static void output__lines_of_both_streams(void **state) {
    (void)state;
    expect_events("{\"steps\":[{\"stdout\":\"a " SECRET "\\n\"},{\"stderr\":\"b " CREDENTIAL " c\\n\"}]}",
                  "stdout|teller||a [REDACTED]|\nstderr|teller||b [REDACTED] c|\n");
}

static void output__secret_split_over_writes_and_lines(void **state) {
    (void)state;
    expect_events("{\"steps\":[{\"stdout\":\"a " FIRST "\"},{\"stdout\":\"" SECOND " b\\n\"}]}",
                  "stdout|teller||a [REDACTED] b|\n");
    expect_events("{\"steps\":[{\"stdout\":\"a " FIRST "\\n\"},{\"stderr\":\"between\\n\"},"
                  "{\"stdout\":\"" SECOND " b\\n\"}]}",
                  "stdout|teller||a [REDACTED]|\nstderr|teller||between|\nstdout|teller||[REDACTED] b|\n");
    expect_events(
        "{\"steps\":[{\"stdout\":\"c\\no\\nr\\nr\\ne\\nc\\nt\\n-\\nh\\no\\nr\\ns\\ne\\n-\\nb\\na\\nt\\nt\\n"
        "e\\nr\\ny\\n" SECRET "\\n\"}]}",
        "stdout|teller||[REDACTED]|\nstdout|teller||[REDACTED]|\n");
}

static void output__invalid_utf8_around(void **state) {
    (void)state;
    /* \xff\xfe SECRET \x80 */
    expect_events("{\"steps\":[{\"stdout_base64\":\"//5jb3JyZWN0LWhvcnNlLWJhdHRlcnmACg==\"}]}", "[REDACTED]");
}

static void output__private_key_over_its_lines(void **state) {
    (void)state;
    struct setting setting;
    set_up(&setting, NULL);
    reglet_plugin *plugin = load_guest(setting.runtime, "teller");
    reglet_result_free(observe_json(
        plugin,
        "{\"steps\":[{\"stdout\":\"before\\n-----BEGIN RSA PRIVATE KEY-----\\nMIIEowIBAAKCAQEAx0Fh1mVw\\n\"},"
        "{\"stdout\":\"q2Zk8sT1uYv7W3eR9aBcDeFgHiJkLmNo\\n-----END RSA PRIVATE KEY-----\\nafter\\n\"}]}",
        0));
    assert_false(events_contain(&setting.events, "MIIEow"));
    assert_false(events_contain(&setting.events, "q2Zk8s"));
    assert_true(events_contain(&setting.events, "|before|"));
    assert_true(events_contain(&setting.events, "|after|"));
    reglet_plugin_unref(plugin);
    tear_down(&setting);
}

/* Each of the lines is a step; the first and the last one are no part of the key. */
static void expect_long_key(const char *before, const char *behind, size_t lines) {
    struct setting setting;
    set_up(&setting, NULL);
    reglet_plugin *plugin = load_guest(setting.runtime, "teller");
    char *config = malloc(lines * 256 + 1024), *at = config;
    assert_non_null(config);
    at = stpcpy(at, "{\"steps\":[");
    at = stpcpy(stpcpy(stpcpy(at, before), "before"), behind);
    *at++ = ',';
    at = stpcpy(stpcpy(stpcpy(at, before), "-----BEGIN RSA PRIVATE KEY-----"), behind);
    unsigned noise = 1;
    for (size_t i = 0; i < lines; i++) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        char line[65] = "LINE";
        for (size_t k = 4; k < 64; k++)
            line[k] = digits[(noise = noise * 1103515245u + 12345u) >> 16 & 63];
        *at++ = ',';
        at = stpcpy(stpcpy(stpcpy(at, before), line), behind);
    }
    *at++ = ',';
    at = stpcpy(stpcpy(stpcpy(at, before), "-----END RSA PRIVATE KEY-----"), behind);
    *at++ = ',';
    at = stpcpy(stpcpy(stpcpy(at, before), "after"), behind);
    strcpy(at, "]}");
    reglet_result_free(observe_json(plugin, config, 20000));
    free(config);
    assert_true(events_contain(&setting.events, "|before|"));
    assert_true(events_contain(&setting.events, "|after|"));
    size_t leaked = 0;
    for (const char *line = setting.events.text; (line = strstr(line, "|LINE")); line++)
        leaked++;
    assert_int_equal(leaked, 0);
    assert_int_equal(setting.events.count, lines + 4);
    reglet_plugin_unref(plugin);
    tear_down(&setting);
}

/* However much of a key is out when its end comes, and whatever forces it out. */
static void output__private_key_longer_than_what_is_held_back(void **state) {
    (void)state;
    static const char *const steps[][2] = {
        {"{\"stdout\":\"", "\\n\"}"}, {"{\"stderr\":\"", "\\n\"}"}, {"{\"log\":{\"message\":\"", "\"}}"}};
    static const size_t lines[] = {128, 129, 300, 1100};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        for (size_t k = 0; k < sizeof lines / sizeof *lines; k++)
            expect_long_key(steps[i][0], steps[i][1], lines[k]);
}

static void log__message_attributes_and_request_id(void **state) {
    (void)state;
    expect_events("{\"steps\":[{\"log\":{\"level\":\"INFO\",\"message\":\"m " SECRET
                  "\",\"attrs\":[{\"key\":\"" SECRET "\",\"type\":\"string\",\"value\":\"v " CREDENTIAL
                  "\"}],\"context\":{\"request_id\":\"" SECRET "\"}}}]}",
                  "plugin|teller|[REDACTED]|m [REDACTED]|[REDACTED]=v [REDACTED] \n");
}

static void log__attribute_that_a_path_names(void **state) {
    (void)state;
    expect_events(
        "{\"steps\":[{\"log\":{\"message\":\"m\",\"attrs\":[{\"key\":\"user.attribute_path\",\"value\":\"x\"},"
        "{\"key\":\"pin\",\"type\":\"int64\",\"value\":\"1234\"},{\"key\":\"a\",\"value\":\"y\"}]}}]}",
        "|m|user.attribute_path=[REDACTED] pin=[REDACTED] a=y \n");
}

/* A group, an object, and JSON in a string: paths and rules go by the names in them. */
static void log__what_is_nested_in_attributes(void **state) {
    (void)state;
    expect_events(
        "{\"steps\":[{\"log\":{\"message\":\"m\",\"attrs\":[{\"key\":\"db\",\"type\":\"group\",\"value\":[{"
        "\"key\":\"pin\",\"type\":\"string\",\"value\":\"hunter2!\"},{\"key\":\"user\",\"type\":\"string\","
        "\"value\":\"joe\"}]}]}}]}",
        "|m|db=[{\"key\":\"pin\",\"type\":\"string\",\"value\":\"[REDACTED]\"},{\"key\":\"user\","
        "\"type\":\"string\",\"value\":\"joe\"}] \n");
    expect_events(
        "{\"steps\":[{\"log\":{\"message\":\"m\",\"attrs\":[{\"key\":\"db\",\"type\":\"group\",\"value\":[{"
        "\"key\":\"password\",\"type\":\"string\",\"value\":\"kT9vQ2xLmP4wZ8\"}]}]}}]}",
        "|m|db=[{\"key\":\"password\",\"type\":\"string\",\"value\":\"[REDACTED]\"}] \n");
    expect_events(
        "{\"steps\":[{\"log\":{\"message\":\"m\",\"attrs\":[{\"key\":\"db\",\"value\":{\"pin\":1234}},"
        "{\"key\":\"text\",\"type\":\"json\",\"value\":\"{\\\"pin\\\":1234}\"}]}}]}",
        "|m|db={\"pin\":\"[REDACTED]\"} text={\"pin\":\"[REDACTED]\"} \n");
}

/* Neither a request that is too long nor one that is no JSON gets around the paths. */
static void log__what_has_no_structure_is_not_shown_with_paths(void **state) {
    (void)state;
    struct setting setting;
    set_up(&setting, NULL);
    reglet_plugin *plugin = load_guest(setting.runtime, "teller");
    enum { LONG = 70000 };
    char *config = malloc(LONG + 512);
    assert_non_null(config);
    int at = sprintf(
        config, "{\"steps\":[{\"log\":{\"attrs\":[{\"key\":\"pin\",\"value\":\"hunter2!\"}],\"message\":\"");
    memset(config + at, 'x', LONG);
    strcpy(config + at + LONG, "\"}},{\"log\":[\"pin\",\"hunter2!\"]}]}");
    reglet_result_free(observe_json(plugin, config, 0));
    free(config);
    assert_false(events_contain(&setting.events, "hunter2!"));
    assert_true(events_contain(&setting.events, "bytes is not shown: it may have 65536)|"));
    assert_true(events_contain(&setting.events, "|(a log request of 18 bytes that is no JSON object)|"));
    reglet_plugin_unref(plugin);
    tear_down(&setting);
}

static void log__secret_split_over_calls_and_attributes(void **state) {
    (void)state;
    expect_events("{\"steps\":[{\"log\":{\"message\":\"a " FIRST "\"}},{\"log\":{\"message\":\"" SECOND
                  " b\"}}]}",
                  "|a [REDACTED]|\nplugin|teller||[REDACTED] b|\n");
    expect_events("{\"steps\":[{\"log\":{\"message\":\"a " FIRST
                  "\",\"attrs\":[{\"key\":\"k\",\"value\":\"" SECOND "\"}]}}]}",
                  "|a [REDACTED]|k=[REDACTED] \n");
    expect_events("{\"steps\":[{\"log\":{\"message\":\"a\",\"attrs\":[{\"key\":\"k\",\"value\":\"" FIRST
                  "\"}]}},{\"log\":{\"message\":\"b\",\"attrs\":[{\"key\":\"k\",\"value\":\"" SECOND
                  "\"}]}}]}",
                  "|a|k=[REDACTED] \nplugin|teller||b|k=[REDACTED] \n");
    expect_events("{\"steps\":[{\"log\":{\"message\":\"" FIRST
                  "\",\"attrs\":[{\"key\":\"k\",\"value\":\"v\"}]}},"
                  "{\"log\":{\"message\":\"" SECOND "\",\"attrs\":[{\"key\":\"k\",\"value\":\"v\"}]}}]}",
                  "|[REDACTED]|k=v \nplugin|teller||[REDACTED]|k=v \n");
}

static void denial__path_and_host(void **state) {
    (void)state;
    expect_events("{\"steps\":[{\"open\":\"/data/" SECRET "/" CREDENTIAL "\"}]}",
                  "asked=read /data/[REDACTED]/[REDACTED] ");
    expect_events("{\"steps\":[{\"http\":{\"method\":\"GET\",\"url\":\"https://" SECRET
                  ".example.test/\"}}]}",
                  "[REDACTED].example.test");
}

static void events__go_out_whatever_ends_the_call(void **state) {
    (void)state;
    static const char *const ends[] = {"answer", "trap", "exit", "loop"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char config[256];
        snprintf(config, sizeof config,
                 "{\"steps\":[{\"stdout\":\"one\\n" FIRST "\"},{\"stderr\":\"two\\n\"},{\"stdout\":\"" SECOND
                 "\"}],\"then\":\"%s\"}",
                 ends[i]);
        expect_events(config, "stdout|teller||one|\nstderr|teller||two|\nstdout|teller||[REDACTED]|\n");
    }
}

/* The first half has gone out when the second one comes: too much waits in between. */
static void events__are_held_no_longer_than_a_bound(void **state) {
    (void)state;
    struct setting setting;
    set_up(&setting, NULL);
    reglet_plugin *plugin = load_guest(setting.runtime, "teller");
    reglet_result_free(observe_json(plugin,
                                    "{\"steps\":[{\"stderr\":\"" FIRST
                                    "\\n\"},{\"flood\":22000},{\"stderr\":\"" SECOND " rest\\n\"}]}",
                                    0));
    assert_true(events_contain(&setting.events, "stderr|teller||[REDACTED] rest|"));
    static const char first[] = "stderr|teller||" FIRST "|\n";
    assert_int_equal(strncmp(setting.events.text, first, strlen(first)), 0);
    assert_int_equal(setting.events.count, 2 + 22000 / 11);
    reglet_plugin_unref(plugin);
    tear_down(&setting);
}

/* --- Errors, and what a plugin says of itself ------------------------------------------------------------- */

static void error__of_the_plugin_quotes_no_secret(void **state) {
    (void)state;
    struct setting setting;
    set_up(&setting, "no schema today");
    reglet_plugin *plugin = load_guest(setting.runtime, "answer_plugin_error");
    const reglet_description *description = NULL;
    const reglet_schema *schema = NULL;
    reglet_error *error = NULL;
    assert_int_equal(reglet_plugin_describe(plugin, NULL, &description, &error), REGLET_ERR_PLUGIN);
    expect_gone(reglet_error_message(error));
    assert_null(strstr(reglet_error_message(error), "no schema today"));
    reglet_error_free(error);
    assert_int_equal(reglet_plugin_schema(plugin, NULL, &schema, &error), REGLET_ERR_PLUGIN);
    expect_gone(reglet_error_message(error));
    reglet_error_free(error);
    reglet_plugin_unref(plugin);
    tear_down(&setting);
}

static void error__of_a_call_quotes_no_secret(void **state) {
    (void)state;
    struct setting setting;
    set_up(&setting, "unreachable");
    reglet_plugin *plugin = load_guest(setting.runtime, "teller");
    reglet_result *result = observe_json(plugin, "{\"then\":\"trap\"}", 0);
    assert_int_equal(reglet_result_error_code(result), REGLET_ERR_TRAP);
    expect_gone(reglet_result_error_message(result));
    expect_gone(reglet_result_json(result, NULL));
    assert_int_equal(reglet_result_redactions(result), 1);
    reglet_result_free(result);
    reglet_plugin_unref(plugin);
    tear_down(&setting);
}

static void error__of_a_load_quotes_no_secret(void **state) {
    (void)state;
    struct setting setting;
    set_up(&setting, "format_disk");
    reglet_plugin *plugin = NULL;
    reglet_error *error = NULL;
    assert_int_equal(reglet_runtime_load_plugin_file(setting.runtime, "p", guest_path("unknown_import"), NULL,
                                                     &plugin, &error),
                     REGLET_ERR_UNKNOWN_IMPORT);
    expect_gone(reglet_error_message(error));
    reglet_error_free(error);
    tear_down(&setting);
}

static void description_and_schema__show_no_secret(void **state) {
    (void)state;
    struct setting setting;
    set_up(&setting, "what to say");
    reglet_plugin *plugin = load_guest(setting.runtime, "teller");
    const reglet_schema *schema = NULL;
    reglet_error *error = NULL;
    EXPECT(reglet_plugin_schema(plugin, NULL, &schema, &error), REGLET_OK, error);
    expect_gone(schema->raw);
    assert_string_equal(schema->fields[0].description, "[REDACTED]");
    reglet_schema_free(schema);
    reglet_plugin_unref(plugin);
    tear_down(&setting);

    set_up(&setting, "Says what");
    plugin = load_guest(setting.runtime, "teller");
    const reglet_description *description = NULL;
    EXPECT(reglet_plugin_describe(plugin, NULL, &description, &error), REGLET_OK, error);
    assert_string_equal(description->description, "[REDACTED] it is told");
    expect_gone(reglet_description_json(description));
    reglet_description_free(description);
    reglet_plugin_unref(plugin);
    tear_down(&setting);
}

static reglet_status serve(void *user_data, reglet_host_call *call) {
    (void)user_data;
    return reglet_host_call_respond(call, "{}", 2);
}

/* The names of a module's functions are whatever somebody chose. */
static void inspection__shows_no_secret(void **state) {
    (void)state;
    const reglet_secret secrets[] = {{SECRET, strlen(SECRET)}};
    reglet_redactor_options how = REGLET_REDACTOR_OPTIONS_INIT;
    how.secrets = secrets;
    how.secret_count = 1;
    reglet_host_function function = REGLET_HOST_FUNCTION_INIT;
    function.name = CREDENTIAL;
    function.serve = serve;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.host_functions = &function;
    options.host_function_count = 1;
    reglet_error *error = NULL;
    EXPECT(reglet_redactor_new(&how, &options.redactor, &error), REGLET_OK, error);
    reglet_runtime *runtime = new_runtime(&options);
    reglet_redactor_unref(options.redactor);
    reglet_plugin *plugin = load_guest(runtime, "secret_names");
    const reglet_inspection *inspection = NULL;
    EXPECT(reglet_plugin_inspect(plugin, NULL, &inspection, &error), REGLET_OK, error);
    expect_gone(reglet_inspection_json(inspection));
    expect_gone(inspection->imports[0].name);
    assert_non_null(inspection->no_image);
    assert_null(strstr(inspection->no_image, SECRET));
    reglet_inspection_free(inspection);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void schema__without_a_secret_stays_byte_for_byte(void **state) {
    (void)state;
    struct setting setting;
    set_up(&setting, NULL);
    reglet_plugin *plugin = load_guest(setting.runtime, "answer_duplicate_keys");
    const reglet_schema *schema = NULL;
    reglet_error *error = NULL;
    EXPECT(reglet_plugin_schema(plugin, NULL, &schema, &error), REGLET_OK, error);
    assert_string_equal(schema->raw,
                        "{\"status\":false,\"data\":{\"a\":1,\"a\":2},\"status\":true,\"STATUS\":true}");
    reglet_schema_free(schema);
    reglet_plugin_unref(plugin);
    tear_down(&setting);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evidence__data_keys_and_raw),
        cmocka_unit_test(evidence__every_part_of_its_error),
        cmocka_unit_test(evidence__message_of_the_second_generation),
        cmocka_unit_test(evidence__every_form_of_a_known_secret),
        cmocka_unit_test(evidence__its_own_form_stays),
        cmocka_unit_test(evidence__forged_marks_are_not_counted),
        cmocka_unit_test(evidence__shortened_after_it_was_redacted),
        cmocka_unit_test(evidence__that_takes_long_to_search_is_a_timeout),
        cmocka_unit_test(output__lines_of_both_streams),
        cmocka_unit_test(output__secret_split_over_writes_and_lines),
        cmocka_unit_test(output__invalid_utf8_around),
        cmocka_unit_test(output__private_key_over_its_lines),
        cmocka_unit_test(output__private_key_longer_than_what_is_held_back),
        cmocka_unit_test(log__message_attributes_and_request_id),
        cmocka_unit_test(log__attribute_that_a_path_names),
        cmocka_unit_test(log__what_is_nested_in_attributes),
        cmocka_unit_test(log__what_has_no_structure_is_not_shown_with_paths),
        cmocka_unit_test(log__secret_split_over_calls_and_attributes),
        cmocka_unit_test(denial__path_and_host),
        cmocka_unit_test(events__go_out_whatever_ends_the_call),
        cmocka_unit_test(events__are_held_no_longer_than_a_bound),
        cmocka_unit_test(error__of_the_plugin_quotes_no_secret),
        cmocka_unit_test(error__of_a_call_quotes_no_secret),
        cmocka_unit_test(error__of_a_load_quotes_no_secret),
        cmocka_unit_test(description_and_schema__show_no_secret),
        cmocka_unit_test(inspection__shows_no_secret),
        cmocka_unit_test(schema__without_a_secret_stays_byte_for_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
