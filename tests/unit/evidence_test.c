/* Evidence of both generations, shortening, and results. */
#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/abi.h"
#include "abi/json.h"
#include "util/clock.h"
#include "util/fail.h"

#define TIME "\"timestamp\":\"2026-01-02T03:04:05.123456789Z\""

typedef reglet_status (*parser)(const char *, size_t, uint64_t, const struct reglet__screen *,
                                reglet_result **, reglet_error **);

static reglet_result *parsed(parser parse, const char *json, uint64_t max_bytes) {
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    if (parse(json, strlen(json), max_bytes, NULL, &result, &error) != REGLET_OK)
        fail_msg("%s: %s", json, reglet_error_message(error));
    return result;
}

static void assert_result(parser parse, const char *json, const char *expected) {
    reglet_result *result = parsed(parse, json, UINT64_MAX);
    size_t size = 0;
    assert_string_equal(reglet_result_json(result, &size), expected);
    assert_int_equal(size, strlen(expected));
    assert_int_equal(reglet_result_error_code(result), REGLET_OK);
    assert_null(reglet_result_error_message(result));
    assert_int_equal(reglet_result_exit_code(result), -1);
    reglet_result_free(result);
}

static void assert_refused(parser parse, const char *json, const char *message) {
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    assert_int_equal(parse(json, strlen(json), UINT64_MAX, NULL, &result, &error), REGLET_ERR_BAD_OUTPUT);
    assert_null(result);
    assert_string_equal(reglet_error_message(error), message);
    reglet_error_free(error);
}

static const parser v1 = reglet__result_from_evidence_v1, v2 = reglet__result_from_evidence_v2;

static void v1__keys_of_evidence_and_error_match_in_any_case_and_those_in_data_stay(void **state) {
    (void)state;
    assert_result(
        v1,
        "{\"Status\":false,\"Error\":{\"Message\":\"no\",\"TYPE\":\"network\",\"Code\":\"E\",\"Is_Timeout\":"
        "true,\"Details\":{\"Host\":\"x\"},\"Wrapped\":{\"MESSAGE\":\"in\",\"Junk\":1}},\"T"
        "imestamp\":\"2026-01-02T03:04:05Z\",\"Data\":{\"Status\":1,\"status\":2},\"Raw\":\"r\"}",
        "{\"evidence\":{\"status\":false,\"error\":{\"message\":\"no\",\"type\":\"network\",\"code\":\"E\","
        "\"is_timeout\":true,\"wrapped\":{\"message\":\"in\",\"type\":\"\",\"code\":\"\"},\"details\":{"
        "\"Host\":\"x\"}},\"timestamp\":\"2026-01-02T03:04:05Z\",\"data\":{\"Status\":1,\"status\":2},"
        "\"raw\":\"r\"},\"error\":null}");
}

static void v1__null_and_missing_are_the_same(void **state) {
    (void)state;
    const char *expected =
        "{\"evidence\":{\"status\":true,\"error\":null," TIME ",\"data\":null,\"raw\":null},\"error\":null}";
    assert_result(v1, "{\"status\":true," TIME "}", expected);
    assert_result(v1, "{\"status\":true,\"error\":null,\"data\":null,\"raw\":null,\"x\":[1]," TIME "}",
                  expected);
}

static void v1__a_status_may_be_missing_beside_an_error_only(void **state) {
    (void)state;
    assert_result(
        v1, "{\"error\":{\"message\":\"m\"}," TIME "}",
        "{\"evidence\":{\"status\":false,\"error\":{\"message\":\"m\",\"type\":\"\",\"code\":\"\"}," TIME
        ",\"data\":null,\"raw\":null},\"error\":null}");
    assert_refused(v1, "{}", "evidence: \"status\" is missing");
    assert_refused(v1, "{\"statusx\":true}", "evidence: \"status\" is missing");
}

static void v1__a_key_of_the_wrong_type_is_named(void **state) {
    (void)state;
    assert_refused(v1, "[]", "evidence: the answer must be an object, not an array");
    assert_refused(v1, "{\"status\":\"yes\"}", "evidence: \"status\" must be a boolean, not a string");
    assert_refused(v1, "{\"status\":true,\"data\":[]}", "evidence: \"data\" must be an object, not an array");
    assert_refused(v1, "{\"status\":true,\"RAW\":1}", "evidence: \"raw\" must be a string, not a number");
    assert_refused(v1, "{\"status\":true,\"timestamp\":1}",
                   "evidence: \"timestamp\" must be a string, not a number");
    assert_refused(v1, "{\"status\":true,\"error\":\"e\"}",
                   "evidence: \"error\" must be an object, not a string");
    assert_refused(v1, "{\"error\":{\"code\":404}}",
                   "evidence, error: \"code\" must be a string, not a number");
    assert_refused(v1, "{\"error\":{\"wrapped\":{\"details\":[]}}}",
                   "evidence, error: \"details\" must be an object, not an array");
    assert_refused(v1, "{\"status\":true,}",
                   "evidence: the answer is not acceptable JSON: unexpected character, at byte 15 of 16");
}

static void v1__an_answer_that_is_no_json_cannot_forge_the_message(void **state) {
    (void)state;
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    const char text[] = "\x1B[2J\nnot json";
    assert_int_equal(v1(text, strlen(text), UINT64_MAX, NULL, &result, &error), REGLET_ERR_BAD_OUTPUT);
    assert_null(strpbrk(reglet_error_message(error), "\x1B\n"));
    reglet_error_free(error);
}

static void v2__words_become_a_status_and_the_message_is_kept(void **state) {
    (void)state;
    assert_result(
        v2, "{\"status\":\"success\",\"message\":\"fine\",\"data\":{\"a\":0.10}," TIME ",\"metadata\":{}}",
        "{\"evidence\":{\"status\":true,\"error\":null," TIME
        ",\"data\":{\"a\":0.10},\"raw\":null,\"message\":\"fine\"},\"error\":null}");
    assert_result(v2, "{\"status\":\"failure\"," TIME "}",
                  "{\"evidence\":{\"status\":false,\"error\":null," TIME
                  ",\"data\":null,\"raw\":null},\"error\":null}");
    assert_result(
        v2, "{\"status\":\"error\",\"error\":{\"message\":\"x\"}," TIME "}",
        "{\"evidence\":{\"status\":false,\"error\":{\"message\":\"x\",\"type\":\"\",\"code\":\"\"}," TIME
        ",\"data\":null,\"raw\":null},\"error\":null}");
    assert_refused(v2, "{\"status\":\"ok\"}", "evidence: \"status\" must be success, failure or error");
    assert_refused(v2, "{\"status\":true}", "evidence: \"status\" must be a string, not a boolean");
}

static void timestamp__is_the_hosts_when_missing_zero_or_none(void **state) {
    (void)state;
    static const char *const json[] = {
        "{\"status\":true}",
        "{\"status\":true,\"timestamp\":null}",
        "{\"status\":true,\"timestamp\":\"0001-01-01T00:00:00Z\"}",
        "{\"status\":true,\"timestamp\":\"yesterday\"}",
        "{\"status\":true,\"timestamp\":\"2026-02-30T00:00:00Z\"}",
        "{\"status\":true,\"timestamp\":\"2026-01-02T03:04:05Z\\u0000\"}",
    };
    for (size_t i = 0; i < sizeof json / sizeof json[0]; i++) {
        reglet_result *result = parsed(v1, json[i], UINT64_MAX);
        char today[REGLET__RFC3339_SIZE];
        reglet__rfc3339_format(reglet__wall_clock(), today);
        const char *timestamp = reglet_evidence_timestamp(reglet_result_evidence(result));
        assert_true(reglet__rfc3339_parse(timestamp, strlen(timestamp), NULL));
        assert_memory_equal(timestamp, today, 4);
        reglet_result_free(result);
    }
}

static void evidence__is_read_field_by_field(void **state) {
    (void)state;
    reglet_result *result =
        parsed(v1,
               "{\"status\":false,\"error\":{\"message\":\"a\\u0000b\",\"type\":\"t\",\"code\":\"c\","
               "\"is_not_found\":true,\"stack\":\"QUJD\"},\"data\":{\"n\":18446744073709551615},"
               "\"raw\":\"x\\u0000y\"}",
               UINT64_MAX);
    const reglet_evidence *evidence = reglet_result_evidence(result);
    const reglet_evidence_error *error = reglet_evidence_get_error(evidence);
    size_t size = 0;
    assert_false(reglet_evidence_status(evidence));
    assert_string_equal(error->message, "a\xEF\xBF\xBD"
                                        "b");
    assert_string_equal(error->type, "t");
    assert_string_equal(error->code, "c");
    assert_false(error->is_timeout);
    assert_true(error->is_not_found);
    assert_string_equal(error->json,
                        "{\"message\":\"a\\u0000b\",\"type\":\"t\",\"code\":\"c\",\"is_not_found\":true,"
                        "\"stack\":\"QUJD\"}");
    assert_string_equal(reglet_evidence_data_json(evidence, &size), "{\"n\":18446744073709551615}");
    assert_int_equal(size, 26);
    assert_memory_equal(reglet_evidence_raw(evidence, &size), "x\0y", 4);
    assert_int_equal(size, 3);
    assert_null(reglet_evidence_message(evidence));
    assert_false(reglet_evidence_truncated(evidence));
    reglet_result_free(result);
}

static void getters__take_null(void **state) {
    (void)state;
    size_t size = 1;
    assert_null(reglet_result_evidence(NULL));
    assert_null(reglet_result_json(NULL, &size));
    assert_int_equal(size, 0);
    assert_false(reglet_evidence_status(NULL));
    assert_null(reglet_evidence_get_error(NULL));
    assert_null(reglet_evidence_raw(NULL, NULL));
    reglet_result_free(NULL);
}

/* Shortening */

/* What shortened evidence must always be: JSON, marked, within its limit. Returns its `data` and `raw` as JSON. */
static void assert_shortened(const char *json, uint64_t max_bytes, const char *reason, char **data,
                             char **raw) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__json_fault fault;
    struct reglet__json *root = NULL;
    reglet_result *whole = parsed(v1, json, UINT64_MAX), *result = parsed(v1, json, max_bytes);
    size_t whole_size, size;
    reglet_result_json(whole, &whole_size);
    const char *text = reglet_result_json(result, &size);
    assert_true(reglet_evidence_truncated(reglet_result_evidence(result)));
    assert_int_equal(reglet__json_read(&arena, text, size, &root, &fault), REGLET_OK);
    const struct reglet__json *evidence = reglet__json_get(root, "evidence");
    const struct reglet__json *meta = reglet__json_get(evidence, "evidence_meta");
    char expected[512];
    snprintf(expected, sizeof expected,
             "{\"truncated\":true,\"original_size_bytes\":%zu,\"truncated_at_bytes\":%llu,\"reason\":\"%s\"}",
             whole_size - strlen("{\"evidence\":,\"error\":null}"), (unsigned long long)max_bytes, reason);
    assert_non_null(meta);
    assert_string_equal(reglet__json_print(&arena, meta, NULL), expected);
    assert_in_range(reglet__json_printed_size(evidence), 0, max_bytes);
    *data = strdup(reglet__json_print(&arena, reglet__json_get(evidence, "data"), NULL));
    *raw = strdup(reglet__json_print(&arena, reglet__json_get(evidence, "raw"), NULL));
    reglet_result_free(whole);
    reglet_result_free(result);
}

/* A text with `count` times the byte `fill` in its middle. */
static char *filled(const char *head, int fill, size_t count, const char *tail) {
    size_t head_size = strlen(head);
    char *text = malloc(head_size + count + strlen(tail) + 1);
    assert_non_null(text);
    memcpy(text, head, head_size);
    memset(text + head_size, fill, count);
    strcpy(text + head_size + count, tail);
    return text;
}

#define REASON_CUT  "larger than the limit: the longest strings are cut"
#define REASON_DATA "larger than the limit: data is left out, and the longest strings are cut"

static void shorten__evidence_at_the_limit_is_left_alone(void **state) {
    (void)state;
    const char *json = "{\"status\":true,\"raw\":\"x\"," TIME "}";
    reglet_result *result = parsed(v1, json, UINT64_MAX);
    size_t size;
    reglet_result_json(result, &size);
    size -= strlen("{\"evidence\":,\"error\":null}");
    reglet_result_free(result);
    result = parsed(v1, json, size);
    assert_false(reglet_evidence_truncated(reglet_result_evidence(result)));
    reglet_result_free(result);
    result = parsed(v1, json, size - 1);
    assert_true(reglet_evidence_truncated(reglet_result_evidence(result)));
    reglet_result_free(result);
}

static void shorten__the_longest_string_is_cut_and_the_rest_stays(void **state) {
    (void)state;
    char *data, *raw,
        *json = filled("{\"status\":true,\"data\":{\"short\":\"stays\",\"n\":[1,2],\"long\":\"", 'x', 5000,
                       "\"},"
                       "\"raw\":\"kept as well\"}");
    assert_shortened(json, 1000, REASON_CUT, &data, &raw);
    assert_string_equal(raw, "\"kept as well\"");
    assert_non_null(strstr(data, "{\"short\":\"stays\",\"n\":[1,2],\"long\":\"xxxx"));
    assert_non_null(strstr(data, "xxxx…[truncated]\"}"));
    free(json);
    free(data);
    free(raw);
}

static void shorten__characters_and_escapes_are_not_torn(void **state) {
    (void)state;
    for (size_t limit = 400; limit < 420; limit++) {
        char *data, *raw;
        char *json = filled(
            "{\"status\":true,\"raw\":\"€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€\\u0001\\u0001\\u0001\\u0001",
            '\x7F', 500, "\"}");
        assert_shortened(json, limit, REASON_CUT, &data, &raw);
        assert_null(strstr(raw, "\\ufffd"));
        free(json);
        free(data);
        free(raw);
    }
}

static void shorten__data_without_strings_is_left_out_and_raw_stays(void **state) {
    (void)state;
    char *data, *raw, *json = malloc(40000);
    assert_non_null(json);
    char *at = stpcpy(json, "{\"status\":true,\"raw\":\"kept\",\"data\":{\"n\":[1");
    for (int i = 0; i < 10000; i++)
        at = stpcpy(at, ",1");
    strcpy(at, "]}}");
    assert_shortened(json, 1000, REASON_DATA, &data, &raw);
    assert_string_equal(data, "null");
    assert_string_equal(raw, "\"kept\"");
    free(json);
    free(data);
    free(raw);
}

static void shorten__a_limit_below_the_skeleton_leaves_the_skeleton(void **state) {
    (void)state;
    char *json = filled("{\"status\":true,\"data\":{\"a\":[[],[],1]},\"raw\":\"", 'r', 3000,
                        "\",\"error\":{\"message\":\"why\","
                        "\"details\":{\"x\":1},\"wrapped\":{}}}");
    reglet_result *result = parsed(v1, json, 0);
    const reglet_evidence *evidence = reglet_result_evidence(result);
    assert_true(reglet_evidence_status(evidence));
    assert_true(reglet_evidence_truncated(evidence));
    assert_null(reglet_evidence_data_json(evidence, NULL));
    assert_null(reglet_evidence_raw(evidence, NULL));
    assert_string_equal(reglet_evidence_get_error(evidence)->message, "why");
    size_t size;
    reglet_result_json(result, &size);
    assert_in_range(size, 0, 500);
    reglet_result_free(result);
    free(json);
}

static void shorten__an_error_is_cut_last_but_is_cut(void **state) {
    (void)state;
    char *data, *raw, *json = filled("{\"error\":{\"message\":\"", 'm', 3000, "\"},\"raw\":\"stays\"}");
    assert_shortened(json, 600, REASON_CUT, &data, &raw);
    assert_string_equal(raw, "\"stays\"");
    free(json);
    free(data);
    free(raw);
}

/* A megabyte of controls is six megabytes of JSON: the limit is about what leaves. */
static void shorten__the_limit_counts_what_is_handed_out(void **state) {
    (void)state;
    char *data, *raw, *json = filled("{\"status\":true,\"raw\":\"", '\x7F', 1 << 20, "\"}");
    assert_shortened(json, 2 << 20, REASON_CUT, &data, &raw);
    assert_in_range(strlen(raw), (2 << 20) - 400, 2 << 20);
    free(json);
    free(data);
    free(raw);
}

/* Results without evidence */

static void from_error__code_message_and_exit_code(void **state) {
    (void)state;
    reglet_error *error = NULL;
    reglet__fail(&error, REGLET_ERR_EXIT, REGLET_DOMAIN_WASI, "exited with code %u", 4294967295u);
    reglet_result *result = reglet__result_from_error(error, 4294967295u, 0);
    assert_null(reglet_result_evidence(result));
    assert_int_equal(reglet_result_error_code(result), REGLET_ERR_EXIT);
    assert_string_equal(reglet_result_error_message(result), "exited with code 4294967295");
    assert_true(reglet_result_exit_code(result) == 4294967295);
    assert_string_equal(reglet_result_json(result, NULL),
                        "{\"evidence\":null,\"error\":{\"code\":\"exit\",\"message\":"
                        "\"exited with code 4294967295\"}}");
    reglet_result_free(result);
    error = NULL;
    reglet__fail_memory(&error);
    result = reglet__result_from_error(error, 7, 0);
    assert_true(reglet_result_exit_code(result) == -1);
    assert_string_equal(
        reglet_result_json(result, NULL),
        "{\"evidence\":null,\"error\":{\"code\":\"no_memory\",\"message\":\"out of memory\"}}");
    reglet_result_free(result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v1__keys_of_evidence_and_error_match_in_any_case_and_those_in_data_stay),
        cmocka_unit_test(v1__null_and_missing_are_the_same),
        cmocka_unit_test(v1__a_status_may_be_missing_beside_an_error_only),
        cmocka_unit_test(v1__a_key_of_the_wrong_type_is_named),
        cmocka_unit_test(v1__an_answer_that_is_no_json_cannot_forge_the_message),
        cmocka_unit_test(v2__words_become_a_status_and_the_message_is_kept),
        cmocka_unit_test(timestamp__is_the_hosts_when_missing_zero_or_none),
        cmocka_unit_test(evidence__is_read_field_by_field),
        cmocka_unit_test(getters__take_null),
        cmocka_unit_test(shorten__evidence_at_the_limit_is_left_alone),
        cmocka_unit_test(shorten__the_longest_string_is_cut_and_the_rest_stays),
        cmocka_unit_test(shorten__characters_and_escapes_are_not_torn),
        cmocka_unit_test(shorten__data_without_strings_is_left_out_and_raw_stays),
        cmocka_unit_test(shorten__a_limit_below_the_skeleton_leaves_the_skeleton),
        cmocka_unit_test(shorten__an_error_is_cut_last_but_is_cut),
        cmocka_unit_test(shorten__the_limit_counts_what_is_handed_out),
        cmocka_unit_test(from_error__code_message_and_exit_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
