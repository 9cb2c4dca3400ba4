/* One record for every decision on what host functions are asked for, with exact fields. Files are in wasi_decisions_test.c. */
#define _GNU_SOURCE
#include "tests/integration/exec_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct records {
    char *text; /* "function|kind|asked|allowed or denied|rule or reason|grant|in|out\n" for each */
    size_t size;
    uint64_t call, number;
    bool wrong; /* a field that is the same for all was not as it should be */
    int64_t first_ns;
} records;

static const char *or_none(const char *text) {
    return text ? text : "-";
}

static void collect(void *user_data, const reglet_audit_record *record) {
    assert_ptr_equal(user_data, &records);
    char *line = NULL;
    int size = asprintf(&line, "%s|%s|%s|%s|%s|%s|%llu|%llu\n", record->function, record->kind, record->asked,
                        record->allowed ? "allowed" : "denied",
                        or_none(record->allowed ? record->rule : record->reason), or_none(record->grant),
                        (unsigned long long)record->bytes_in, (unsigned long long)record->bytes_out);
    assert_true(size > 0);
    bool next = record->call == records.call ? record->number == records.number + 1 : record->number == 1;
    records.wrong = records.wrong || !next || record->call < records.call ||
                    record->time_ns < records.first_ns || record->duration_ns <= 0 ||
                    strcmp(record->plugin, "relay") != 0 || record->struct_size != sizeof *record ||
                    !record->allowed != (record->reason != NULL);
    records.call = record->call;
    records.number = record->number;
    records.text = realloc(records.text, records.size + (size_t)size + 1);
    assert_non_null(records.text);
    memcpy(records.text + records.size, line, (size_t)size + 1);
    records.size += (size_t)size;
    free(line);
}

static int set_up(void **state) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    records = (struct records){.text = calloc(1, 1), .first_ns = (int64_t)now.tv_sec * 1000000000};
    return exec_set_up(state);
}

static int tear_down(void **state) {
    int status = exec_tear_down(state);
    assert_false(records.wrong);
    free(records.text);
    return status;
}

static reglet_runtime_options audited(void) {
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.audit = collect;
    options.audit_user_data = &records;
    return options;
}

#define GRANT(...)                                                                                           \
    do {                                                                                                     \
        reglet_runtime_options options = audited();                                                          \
        grant_with(&options, __VA_ARGS__, NULL);                                                             \
    } while (0)

/* Calls a function and fails unless these are the records of it. "@" stands for the directory. */
static void expect_records(const char *expected, char *response) {
    char text[8192] = "";
    free(response);
    for (const char *at = expected; *at; at++) {
        size_t size = strlen(text);
        snprintf(text + size, sizeof text - size, "%.*s", *at == '@' ? (int)strlen(in_dir("")) - 1 : 1,
                 *at == '@' ? in_dir("") : at);
    }
    assert_string_equal(records.text, text);
    records.text[records.size = 0] = '\0';
}

static void files__of_host_functions_are_recorded_with_their_bytes(void **state) {
    (void)state;
    put_file("file", 0644, "0123456789");
    GRANT("fs:read:@/**", "fs:write:@/out");
    expect_records("fs_read|fs:read|@/file|allowed|fs:read:@/**|-|10|0\n",
                   relay(plugin, "fs_read", "{'path':'%s'}", in_dir("file")));
    expect_records(
        "fs_write|fs:write|@/out|allowed|fs:write:@/out|-|0|3\n",
        relay(plugin, "fs_write", "{'path':'%s','content':'YWJj','mode':'create'}", in_dir("out")));
    expect_records("fs_stat|fs:look|@/file|allowed|fs:read:@/**|-|0|0\n"
                   "fs_stat|fs:read|@/file|allowed|fs:read:@/**|-|0|0\n",
                   relay(plugin, "fs_stat", "{'path':'%s','readable':true}", in_dir("file")));
    expect_records("fs_write|fs:write|@/file|denied|no grant covers it|fs:write:@/file|0|0\n",
                   relay(plugin, "fs_write", "{'path':'%s','content':'','mode':'append'}", in_dir("file")));
}

static void environment__is_recorded_by_name(void **state) {
    (void)state;
    setenv("REGLET_AUDIT_TEST", "12345", 1);
    GRANT("env:REGLET_AUDIT_*");
    expect_records("env_get|env|REGLET_AUDIT_TEST|allowed|env:REGLET_AUDIT_*|-|5|0\n",
                   relay(plugin, "env_get", "{'name':'REGLET_AUDIT_TEST'}"));
    expect_records("env_get|env|PATH|denied|no grant covers it|env:PATH|0|0\n",
                   relay(plugin, "env_get", "{'name':'PATH'}"));
}

static void commands__are_recorded_with_the_file_they_became(void **state) {
    (void)state;
    char *real = realpath("/bin/echo", NULL), expected[4096];
    assert_non_null(real);
    GRANT("exec:echo");
    snprintf(expected, sizeof expected, "exec_command|exec|echo (%s)|allowed|exec:echo|-|3|0\n", real);
    expect_records(expected, relay(plugin, "exec_command", "{'command':'echo','args':['hi']}"));
    expect_records("exec_run|exec|true|denied|no grant covers it|exec:true|0|0\n",
                   relay(plugin, "exec_run", "{'command':'true'}"));
    free(real);
}

static void connections__are_recorded_with_their_bytes_and_each_redirect(void **state) {
    (void)state;
    struct servers *servers = servers_start();
    int tcp = servers_port(servers, "tcp4"), http = servers_port(servers, "http");
    char rule[64], expected[1024], port[64];
    snprintf(port, sizeof port, "network:outbound:127.0.0.1:%d", tcp);
    snprintf(rule, sizeof rule, "network:outbound:http://127.0.0.1:%d", http);
    GRANT(port, rule);
    snprintf(expected, sizeof expected, "net_connect|network:outbound|127.0.0.1:%d|allowed|%s|-|3|3\n", tcp,
             port);
    expect_records(expected, relay(plugin, "net_connect",
                                   "{'host':'127.0.0.1','port':%d,'data':'YWJj','max_bytes':3}", tcp));
    free(relay(plugin, "http_request",
               "{'url':'http://127.0.0.1:%d/redirect?to=/redirect?to=http://10.0.0.1/x'}", http));
    snprintf(expected, sizeof expected,
             "http_request|network:outbound|http://127.0.0.1:%d/redirect|allowed|%s|-|", http, rule);
    char *first = strstr(records.text, expected);
    assert_non_null(first);
    assert_non_null(strstr(first + 1, expected));
    assert_null(strstr(records.text, "http://10.0.0.1/x|allowed"));
    assert_non_null(strstr(records.text, "http_request|network:outbound|http://10.0.0.1/x|denied|"));
    servers_stop(servers);
}

/* Whether a grant is missing or none would help, every function of the host tells of it; a malformed request is no decision. */
static void every_function__is_recorded_when_it_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *function, *request, *expected;
    } cases[] = {
        {"dns_lookup", "{'hostname':'a.example','type':'A'}",
         "dns_lookup|network:outbound|a.example|denied|"},
        {"env_get", "{'name':'HOME'}", "env_get|env|HOME|denied|"},
        {"exec_command", "{'command':'/bin/true'}", "exec_command|exec|/bin/true|denied|"},
        {"exec_run", "{'command':'/bin/true'}", "exec_run|exec|/bin/true|denied|"},
        {"fs_read", "{'path':'/etc/hosts'}", "fs_read|fs:read|/etc/hosts|denied|"},
        {"fs_stat", "{'path':'/etc/hosts'}", "fs_stat|fs:look|/etc/hosts|denied|"},
        {"fs_write", "{'path':'/x','content':'','mode':'create'}", "fs_write|fs:write|/x|denied|"},
        {"http_request", "{'url':'https://a.example/v1?token=x'}",
         "http_request|network:outbound|https://a.example/v1|denied|"},
        {"net_connect", "{'host':'a.example','port':1}", "net_connect|network:outbound|a.example:1|denied|"},
        {"smtp_connect", "{'host':'a.example','port':25}",
         "smtp_connect|network:outbound|a.example:25|denied|"},
        {"ssrf_check", "{'address':'a.example:443'}", "ssrf_check|network:outbound|a.example:443|denied|"},
        {"tcp_connect", "{'host':'10.0.0.1','port':1}", "tcp_connect|network:outbound|10.0.0.1:1|denied|"},
    };
    GRANT("env:NOTHING");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        free(relay(plugin, cases[i].function, "%s", cases[i].request));
        if (strncmp(records.text, cases[i].expected, strlen(cases[i].expected)) != 0 ||
            strchr(records.text, '\n') != records.text + records.size - 1)
            fail_msg("%s: expected one line %s…, found %s", cases[i].function, cases[i].expected,
                     records.text);
        records.text[records.size = 0] = '\0';
        expect_records("", relay(plugin, cases[i].function, "{'wrong':1}"));
    }
}

static void special_addresses__are_recorded_as_refused_for_their_range(void **state) {
    (void)state;
    GRANT("network:outbound:443");
    free(relay(plugin, "tcp_connect", "{'host':'169.254.169.254','port':443}"));
    assert_non_null(strstr(records.text, "tcp_connect|network:outbound|169.254.169.254:443|denied|"));
    assert_non_null(strstr(records.text, "network:outbound:169.254.169.254:443|"));
    records.text[records.size = 0] = '\0';
    free(relay(plugin, "ssrf_check", "{'address':'10.0.0.1:443'}"));
    assert_non_null(strstr(records.text, "ssrf_check|network:outbound|10.0.0.1:443|denied|"));
    assert_false(events_contain(&events, "denial|relay||permission denied|asked=connect to 10.0.0.1"));
}

static void texts__are_redacted_and_clean(void **state) {
    (void)state;
    static const char secret[] = "correct-horse-battery";
    reglet_redactor_options how = REGLET_REDACTOR_OPTIONS_INIT;
    reglet_redactor *redactor = NULL;
    const reglet_secret known = {secret, strlen(secret)};
    how.secrets = &known;
    how.secret_count = 1;
    assert_int_equal(reglet_redactor_new(&how, &redactor, NULL), REGLET_OK);
    reglet_runtime_options options = audited();
    options.redactor = redactor;
    grant_with(&options, "env:NOTHING", NULL);
    reglet_redactor_unref(redactor);
    expect_records("fs_read|fs:read|/x/[REDACTED]/y|denied|no grant covers it|fs:read:/x/[REDACTED]/y|0|0\n",
                   relay(plugin, "fs_read", "{'path':'/x/%s/y'}", secret));
    free(relay(plugin, "fs_read", "{'path':'/x/\\u001b[31m\\u202eb'}"));
    assert_non_null(strstr(records.text, "fs_read|fs:read|/x/\\x1b[31m\\u202eb|denied|"));
}

/* Has the guest ask for the same so often, in one call. */
static void ask_again_and_again(const char *name, unsigned times) {
    char json[128];
    reglet_config *config = NULL;
    reglet_result *result = NULL;
    int size = snprintf(json, sizeof json,
                        "{\"function\":\"env_get\",\"request\":{\"name\":\"%s\"},\"times\":%u}", name, times);
    assert_int_equal(reglet_config_parse(json, (size_t)size, &config, NULL), REGLET_OK);
    assert_int_equal(reglet_plugin_observe(plugin, config, NULL, &result, NULL), REGLET_OK);
    reglet_result_free(result);
    reglet_config_free(config);
}

static reglet_redactor *told; /* the redactor of the next test */

static void collect_and_tell(void *user_data, const reglet_audit_record *record) {
    collect(user_data, record);
    if (record->number == 2)
        assert_int_equal(reglet_redactor_add_secret(told, "BATTERY_STAPLE", 14, NULL), REGLET_OK);
}

static void secret__that_becomes_known_is_in_no_record_after_that(void **state) {
    (void)state;
    reglet_redactor_options how = REGLET_REDACTOR_OPTIONS_INIT;
    assert_int_equal(reglet_redactor_new(&how, &told, NULL), REGLET_OK);
    reglet_runtime_options options = audited();
    options.redactor = told;
    options.audit = collect_and_tell;
    grant_with(&options, "env:NOTHING", NULL);
    ask_again_and_again("BATTERY_STAPLE", 4);
    reglet_redactor_unref(told);
    expect_records("env_get|env|BATTERY_STAPLE|denied|no grant covers it|env:BATTERY_STAPLE|0|0\n"
                   "env_get|env|BATTERY_STAPLE|denied|no grant covers it|env:BATTERY_STAPLE|0|0\n"
                   "env_get|env|[REDACTED]|denied|no grant covers it|env:[REDACTED]|0|0\n"
                   "env_get|env|[REDACTED]|denied|no grant covers it|env:[REDACTED]|0|0\n",
                   NULL);
}

static void flood__is_recorded_without_a_gap_and_its_log_says_what_was_left_out(void **state) {
    (void)state;
    size_t lines = 0;
    GRANT("env:NOTHING");
    ask_again_and_again("HOME", 1200);
    for (const char *at = records.text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 1200);
    assert_true(events_contain(&events, "200 more requests were refused than are logged"));
}

static void record__becomes_one_line_of_json(void **state) {
    (void)state;
    char *text = NULL;
    size_t size = 0;
    const reglet_audit_record record = {.struct_size = sizeof record,
                                        .time_ns = 1500000000,
                                        .plugin = "p",
                                        .call = 1,
                                        .number = 2,
                                        .function = "fs_read",
                                        .kind = "fs:read",
                                        .asked = "/a \"b\"",
                                        .reason = "no grant covers it",
                                        .grant = "fs:read:/a",
                                        .duration_ns = 3,
                                        .bytes_in = 4,
                                        .bytes_out = 5};
    assert_int_equal(reglet_audit_record_json(&record, &text, &size, NULL), REGLET_OK);
    assert_string_equal(
        text, "{\"time\":\"1970-01-01T00:00:01.500000000Z\",\"plugin\":\"p\",\"request_id\":null,\"call\":1,"
              "\"number\":2,\"function\":\"fs_read\",\"kind\":\"fs:read\",\"asked\":\"/a \\\"b\\\"\","
              "\"decision\":\"denied\",\"rule\":null,\"reason\":\"no grant covers it\","
              "\"grant\":\"fs:read:/a\",\"duration_ns\":3,\"bytes_in\":4,\"bytes_out\":5}");
    assert_int_equal(size, strlen(text));
    reglet_free(text);
    const reglet_audit_record none = {0};
    assert_int_equal(reglet_audit_record_json(&none, &text, NULL, NULL), REGLET_ERR_INVALID_ARGUMENT);
    assert_int_equal(reglet_audit_record_json(NULL, &text, NULL, NULL), REGLET_ERR_INVALID_ARGUMENT);
    assert_int_equal(reglet_audit_record_json(&record, NULL, NULL, NULL), REGLET_ERR_INVALID_ARGUMENT);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(files__of_host_functions_are_recorded_with_their_bytes),
        test(environment__is_recorded_by_name),
        test(commands__are_recorded_with_the_file_they_became),
        test(connections__are_recorded_with_their_bytes_and_each_redirect),
        test(every_function__is_recorded_when_it_is_refused),
        test(special_addresses__are_recorded_as_refused_for_their_range),
        test(texts__are_redacted_and_clean),
        test(secret__that_becomes_known_is_in_no_record_after_that),
        test(flood__is_recorded_without_a_gap_and_its_log_says_what_was_left_out),
        cmocka_unit_test(record__becomes_one_line_of_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
