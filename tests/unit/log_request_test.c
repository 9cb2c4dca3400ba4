/* log_message requests, as the field's SDK sends them and as an attacker does. */
#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/abi.h"
#include "util/limits.h"

static struct reglet__log_request parsed(const char *json) {
    struct reglet__log_request request;
    assert_int_equal(reglet__log_request_parse(json, strlen(json), &request), REGLET_OK);
    return request;
}

static void parse__everything_that_the_sdk_sends(void **state) {
    (void)state;
    struct reglet__log_request request = parsed(
        "{\"level\":\"WARN\",\"message\":\"disk is full\",\"timestamp\":\"2026-01-02T03:04:05Z\",\"attrs\":["
        "{\"key\":\"free\",\"type\":\"int64\",\"value\":0},{\"key\":\"path\",\"type\":\"string\",\"value\":\"/x\"},"
        "{\"key\":\"g\",\"type\":\"group\",\"value\":[{\"key\":\"a\"}]},{\"key\":\"n\",\"type\":\"any\",\"value\":null},"
        "{\"value\":true}],\"context\":{\"request_id\":\"r-1\",\"Canceled\":false,\"timeout_ms\":5}}");
    assert_int_equal(request.level, REGLET_LOG_WARN);
    assert_string_equal(request.message, "disk is full");
    assert_string_equal(request.request_id, "r-1");
    assert_int_equal(request.attr_count, 5);
    assert_string_equal(request.attrs[0].value, "0");
    assert_string_equal(request.attrs[1].key, "path");
    assert_string_equal(request.attrs[1].value, "/x");
    assert_string_equal(request.attrs[2].value, "[{\"key\":\"a\"}]");
    assert_string_equal(request.attrs[3].value, "");
    assert_string_equal(request.attrs[4].key, "");
    assert_string_equal(request.attrs[4].type, "any");
    assert_string_equal(request.attrs[4].value, "true");
    reglet__log_request_free(&request);
}

/* Types are handed on as they were sent, and the digits of numbers too. */
static void parse__attributes_keep_their_type(void **state) {
    (void)state;
    static const struct {
        const char *type, *json, *value;
    } cases[] = {{"string", "\"a b\"", "a b"},
                 {"int64", "-9223372036854775808", "-9223372036854775808"},
                 {"uint64", "18446744073709551615", "18446744073709551615"},
                 {"uint64", "\"18446744073709551615\"", "18446744073709551615"},
                 {"bool", "false", "false"},
                 {"float64", "1.10e-7", "1.10e-7"},
                 {"time", "\"2026-01-02T03:04:05.000000006Z\"", "2026-01-02T03:04:05.000000006Z"},
                 {"duration", "\"1m30s\"", "1m30s"},
                 {"error", "\"no such\\nthing\"", "no such\\nthing"},
                 {"json", "{\"a\":[1,null]}", "{\"a\":[1,null]}"},
                 {"group", "[{\"key\":\"k\",\"type\":\"int64\",\"value\":1}]",
                  "[{\"key\":\"k\",\"type\":\"int64\",\"value\":1}]"},
                 {"any", "null", ""},
                 {"of-tomorrow", "1", "1"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[256];
        snprintf(json, sizeof json, "{\"attrs\":[{\"key\":\"k\",\"type\":\"%s\",\"value\":%s}]}",
                 cases[i].type, cases[i].json);
        struct reglet__log_request request = parsed(json);
        assert_int_equal(request.attr_count, 1);
        assert_string_equal(request.attrs[0].type, cases[i].type);
        assert_string_equal(request.attrs[0].value, cases[i].value);
        reglet__log_request_free(&request);
    }
}

static void parse__levels(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int level;
    } cases[] = {
        {"\"DEBUG\"", -4},      {"\"INFO\"", 0},     {"\"WARN\"", 4},    {"\"ERROR\"", 8},
        {"\"INFO+2\"", 2},      {"\"DEBUG-1\"", -5}, {"\"info\"", 0},    {"\"ERROR+10\"", 18},
        {"\"WARN+\"", 4},       {"\"WARN+x\"", 4},   {"\"WARNING\"", 0}, {"\"\"", 0},
        {"\"INF\"", 0},         {"null", 0},         {"8", 0},           {"\"ERROR+1000000000000\"", 1008},
        {"\"DEBUG\\u0000\"", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[128];
        snprintf(json, sizeof json, "{\"level\":%s,\"message\":\"m\"}", cases[i].text);
        struct reglet__log_request request = parsed(json);
        if (request.level != cases[i].level)
            fail_msg("%s became %d, not %d", cases[i].text, request.level, cases[i].level);
        reglet__log_request_free(&request);
    }
}

static void parse__what_is_missing_is_empty(void **state) {
    (void)state;
    struct reglet__log_request request = parsed("{\"attrs\":null,\"context\":null}");
    assert_int_equal(request.level, REGLET_LOG_INFO);
    assert_string_equal(request.message, "");
    assert_null(request.request_id);
    assert_int_equal(request.attr_count, 0);
    reglet__log_request_free(&request);
}

/* Escape sequences, forged lines and bidirectional marks reach no terminal and no log file. */
static void parse__nothing_steers_a_terminal(void **state) {
    (void)state;
    struct reglet__log_request request = parsed(
        "{\"message\":\"\\u001b]52;c;aGk=\\u0007\\nforged line\\u202e\\u0000\",\"context\":{\"request_id\":\"\\r1\"},"
        "\"attrs\":[{\"key\":\"\\u009b2J\",\"type\":\"\\u007f\",\"value\":{\"\\u001b\":\"\\u2028\"}}]}");
    assert_string_equal(request.message, "\\x1b]52;c;aGk=\\x07\\nforged line\\u202e\\x00");
    assert_string_equal(request.request_id, "\\r1");
    assert_string_equal(request.attrs[0].key, "\\x9b2J");
    assert_string_equal(request.attrs[0].type, "\\x7f");
    assert_string_equal(request.attrs[0].value, "{\"\\u001b\":\"\\u2028\"}");
    reglet__log_request_free(&request);
}

static void parse__what_is_no_request_is_logged_as_it_is(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *message;
    } cases[] = {{"plain text", "plain text"},
                 {"{\"message\":", "{\"message\":"},
                 {"[1]", "[1]"},
                 {"\xFF\n", "\xEF\xBF\xBD\\n"},
                 {"", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reglet__log_request request = parsed(cases[i].bytes);
        assert_int_equal(request.level, REGLET_LOG_INFO);
        assert_string_equal(request.message, cases[i].message);
        assert_int_equal(request.attr_count, 0);
        reglet__log_request_free(&request);
    }
}

static void parse__a_flood_of_attributes_is_counted(void **state) {
    (void)state;
    char *json = malloc(400000), *at = json;
    assert_non_null(json);
    at = stpcpy(at, "{\"attrs\":[{}");
    for (int i = 1; i < 100000; i++)
        at = stpcpy(at, ",{}");
    strcpy(at, "]}");
    struct reglet__log_request request = parsed(json);
    assert_int_equal(request.attr_count, REGLET__MAX_LOG_ATTRS);
    assert_string_equal(request.attrs[REGLET__MAX_LOG_ATTRS - 1].key, "attributes_left_out");
    assert_string_equal(request.attrs[REGLET__MAX_LOG_ATTRS - 1].value, "99937");
    reglet__log_request_free(&request);
    assert_null(request.attrs);
    free(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__everything_that_the_sdk_sends),
        cmocka_unit_test(parse__attributes_keep_their_type),
        cmocka_unit_test(parse__levels),
        cmocka_unit_test(parse__what_is_missing_is_empty),
        cmocka_unit_test(parse__nothing_steers_a_terminal),
        cmocka_unit_test(parse__what_is_no_request_is_logged_as_it_is),
        cmocka_unit_test(parse__a_flood_of_attributes_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
