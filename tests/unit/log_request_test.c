/* log_message requests, as the field's SDK sends them and as an attacker does. */
#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/abi.h"
#include "abi/json.h"
#include "util/limits.h"

static struct reglet__log_request parsed(const char *json) {
    struct reglet__log_request request;
    assert_int_equal(reglet__log_request_parse(json, strlen(json), NULL, &request), REGLET_OK);
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

/* --- A screen -------------------------------------------------------------------------------------------- */

/* Prints what it is given, and replaces each value whose key is "pin". */
static char *shown_to_screen;

static void hide_pins(struct reglet__arena *arena, struct reglet__json *value) {
    for (struct reglet__json *item = reglet__json_first(value); item; item = item->next) {
        hide_pins(arena, item);
        if (!item->key || !reglet__json_text_is(item->key, item->key_size, "pin"))
            continue;
        item->type = REGLET__JSON_STRING;
        item->text = reglet__arena_copy(arena, "*", 1);
        item->size = 1;
    }
}

static reglet_status hide(void *user_data, struct reglet__arena *arena, struct reglet__json *value,
                          uint64_t *replaced) {
    (void)user_data;
    free(shown_to_screen);
    shown_to_screen = strdup(reglet__json_print(arena, value, NULL));
    hide_pins(arena, value);
    ++*replaced;
    return REGLET_OK;
}

/* The value of one attribute after the screen; `seen` is what the screen was given last. */
static void expect_screened(const char *key, const char *value, const char *seen, const char *expected) {
    const struct reglet__screen screen = {.replace = hide};
    char json[1024];
    snprintf(json, sizeof json, "{\"attrs\":[{\"key\":\"%s\",\"value\":%s}]}", key, value);
    struct reglet__log_request request;
    free(shown_to_screen);
    shown_to_screen = NULL;
    assert_int_equal(reglet__log_request_parse(json, strlen(json), &screen, &request), REGLET_OK);
    assert_int_equal(request.attr_count, 1);
    assert_string_equal(request.attrs[0].value, expected);
    assert_string_equal(shown_to_screen ? shown_to_screen : "", seen);
    reglet__log_request_free(&request);
}

static void screen__sees_what_is_nested_by_its_names(void **state) {
    (void)state;
    expect_screened("a", "\"pin\"", "", "pin");
    expect_screened("pin", "\"1\"", "", "1"); /* the log knows it */
    expect_screened("a", "{\"pin\":1,\"b\":[2]}", "{\"a\":{\"pin\":1,\"b\":[2]}}",
                    "{\"pin\":\"*\",\"b\":[2]}");
    expect_screened("a.b.c", "{\"d\":1}", "{\"a.b.c\":{\"d\":1},\"a\":{\"b\":{\"c\":{\"d\":1}}}}",
                    "{\"d\":1}");
}

static void screen__sees_a_group_as_what_it_means(void **state) {
    (void)state;
    expect_screened("a", "[{\"key\":\"pin\",\"type\":\"string\",\"value\":\"1\"},{\"key\":\"n\"}]",
                    "{\"a\":{\"pin\":\"1\"}}",
                    "[{\"key\":\"pin\",\"type\":\"string\",\"value\":\"*\"},{\"key\":\"n\"}]");
    expect_screened("a",
                    "[{\"key\":\"g\",\"type\":\"group\",\"value\":[{\"key\":\"pin\",\"value\":[1]},"
                    "{\"key\":\"b\",\"value\":{\"pin\":null}}]}]",
                    "{\"a\":{\"g\":{\"pin\":[1],\"b\":{\"pin\":\"*\"}}}}",
                    "[{\"key\":\"g\",\"type\":\"group\",\"value\":[{\"key\":\"pin\",\"value\":\"*\"},"
                    "{\"key\":\"b\",\"value\":{\"pin\":\"*\"}}]}]");
    expect_screened("a", "[{\"key\":1,\"value\":2}]", "{\"a\":[{\"key\":1,\"value\":2}]}",
                    "[{\"key\":1,\"value\":2}]");
}

static void screen__sees_json_in_strings(void **state) {
    (void)state;
    expect_screened("a", "\" {\\\"pin\\\": 1, \\\"b\\\": 2}\"", "{\"a\":{\"pin\":1,\"b\":2}}",
                    "{\"pin\":\"*\",\"b\":2}");
    expect_screened("a", "\"{\\\"b\\\": 2}\"", "{\"a\":{\"b\":2}}", "{\"b\": 2}"); /* as it was */
    expect_screened("a", "\"{\\\"b\\\": 2\"", "", "{\"b\": 2");
    expect_screened("a", "[{\"key\":\"b\",\"value\":\"{\\\"pin\\\":1}\"}]", "{\"a\":{\"b\":{\"pin\":\"*\"}}}",
                    "[{\"key\":\"b\",\"value\":\"{\\\"pin\\\":\\\"*\\\"}\"}]");
    free(shown_to_screen);
    shown_to_screen = NULL;
}

static void screen__by_paths_shows_no_request_without_structure(void **state) {
    (void)state;
    const struct reglet__screen screen = {.replace = hide, .paths = true};
    static const char *const cases[] = {"pin=1", "{\"attrs\":[{\"key\":\"pin\",", "[1234]"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reglet__log_request request;
        char expected[96];
        snprintf(expected, sizeof expected, "(a log request of %zu bytes that is no JSON object)",
                 strlen(cases[i]));
        assert_int_equal(reglet__log_request_parse(cases[i], strlen(cases[i]), &screen, &request), REGLET_OK);
        assert_string_equal(request.message, expected);
        assert_int_equal(request.attr_count, 0);
        reglet__log_request_free(&request);
    }
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
        cmocka_unit_test(screen__sees_what_is_nested_by_its_names),
        cmocka_unit_test(screen__sees_a_group_as_what_it_means),
        cmocka_unit_test(screen__sees_json_in_strings),
        cmocka_unit_test(screen__by_paths_shows_no_request_without_structure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
