/* Known values: every form that they are found in, and where. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "redact/redact.h"
#include "redact/values.h"
#include "tests/unit/test.h"

static struct reglet__values *make(const char *const *values, size_t count) {
    reglet_secret secrets[16];
    struct reglet__values *set = NULL;
    reglet_error *error = NULL;
    for (size_t i = 0; i < count; i++)
        secrets[i] = (reglet_secret){values[i], strlen(values[i])};
    if (reglet__values_new(NULL, secrets, count, &set, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    return set;
}

static void find(const struct reglet__values *set, const char *text, size_t size,
                 struct reglet__redact_spans *spans) {
    spans->count = 0;
    assert_int_equal(reglet__values_find(set, text, size, spans), REGLET_OK);
    for (size_t i = 0; i < spans->count; i++) {
        assert_int_equal(spans->items[i].rule, REGLET__REDACT_RULE_SECRET);
        assert_true(spans->items[i].start < spans->items[i].end && spans->items[i].end <= size);
    }
}

/* Asserts that exactly one part of the text is found, and that it is [start, end). */
static void assert_found_at(const struct reglet__values *set, const char *text, size_t size, size_t start,
                            size_t end) {
    struct reglet__redact_spans spans = {0};
    find(set, text, size, &spans);
    size_t low = SIZE_MAX, high = 0;
    for (size_t i = 0; i < spans.count; i++) {
        low = spans.items[i].start < low ? spans.items[i].start : low;
        high = spans.items[i].end > high ? spans.items[i].end : high;
    }
    if (low != start || high != end)
        fail_msg("found [%zd, %zu), not [%zu, %zu), in %s", (ssize_t)low, high, start, end, text);
    reglet__redact_spans_clear(&spans);
}

static void assert_found(const char *value, const char *text, const char *part) {
    struct reglet__values *set = make(&value, 1);
    const char *at = strstr(text, part);
    assert_non_null(at);
    assert_found_at(set, text, strlen(text), (size_t)(at - text), (size_t)(at - text) + strlen(part));
    reglet__values_unref(set);
}

static size_t count_found(const struct reglet__values *set, const char *text, size_t size) {
    struct reglet__redact_spans spans = {0};
    find(set, text, size, &spans);
    size_t count = spans.count;
    reglet__redact_spans_clear(&spans);
    return count;
}

static void value__plain_is_found_wherever_it_stands(void **state) {
    (void)state;
    assert_found("hunter22", "hunter22", "hunter22");
    assert_found("hunter22", "a hunter22", "hunter22");
    assert_found("hunter22", "xhunter22x", "hunter22");
    assert_found("pass", "pass", "pass");
    const char *value = "hunter22";
    struct reglet__values *set = make(&value, 1);
    assert_int_equal(count_found(set, "hunter2 Hunter22 unter22 hunter2", 32), 0);
    assert_int_equal(count_found(set, "hun", 3), 0);
    reglet__values_unref(set);
}

static void value__escaped_for_json_is_found(void **state) {
    (void)state;
    static const char value[] = "p\"a\\s/s\xC3\xA9\n\xF0\x9F\x98\x80.";
    assert_found(value, "{\"k\":\"p\\\"a\\\\s/s\xC3\xA9\\n\xF0\x9F\x98\x80.\"}",
                 "p\\\"a\\\\s/s\xC3\xA9\\n\xF0\x9F\x98\x80.");
    assert_found(value, "x p\\\"a\\\\s\\/s\\u00e9\\n\\uD83D\\ude00. y",
                 "p\\\"a\\\\s\\/s\\u00e9\\n\\uD83D\\ude00.");
    assert_found(value, "\\u0070\\u0022a\\u005Cs\\u002fs\\u00E9\\u000a\\ud83d\\uDE00\\u002e",
                 "\\u0070\\u0022a\\u005Cs\\u002fs\\u00E9\\u000a\\ud83d\\uDE00\\u002e");
    assert_found("a/b/c", "xx\\\\\\\\ a\\/b/c", "a\\/b/c");
}

static void value__escaped_for_a_url_is_found(void **state) {
    (void)state;
    assert_found("p@ss w/rd", "http://u:p%40ss%20w%2Frd@h", "p%40ss%20w%2Frd");
    assert_found("p@ss w/rd", "q=p%40ss+w%2frd&x", "p%40ss+w%2frd");
    assert_found("pass word", "q=pass+word&x", "pass+word");
    assert_found("a+b%c", "x=a%2Bb%25c", "a%2Bb%25c");
    assert_found("a+b%c", "x=a+b%25c", "a+b%25c");
    assert_found("p\xC3\xA9ss", "%70%C3%a9%73%73", "%70%C3%a9%73%73");
}

static void value__in_hexadecimal_is_found_in_any_case(void **state) {
    (void)state;
    assert_found("hunter22", "x68756e7465723232x", "68756e7465723232");
    assert_found("hunter22", "68756E7465723232", "68756E7465723232");
    assert_found("lmno", "6C6d6E6f", "6C6d6E6f");
}

static void value__in_utf16_is_found_in_both_byte_orders(void **state) {
    (void)state;
    const char *value = "p\xC3\xA9ss\xF0\x9F\x98\x80";
    static const char little[] = "xxp\0\xE9\0s\0s\0\x3D\xD8\x00\xDE.",
                      big[] = "xx\0p\0\xE9\0s\0s\xD8\x3D\xDE\x00.";
    struct reglet__values *set = make(&value, 1);
    assert_found_at(set, little, sizeof little - 1, 2, 14);
    assert_found_at(set, big, sizeof big - 1, 2, 14);
    reglet__values_unref(set);
}

static size_t encode(const unsigned char *bytes, size_t size, const char *last, char *out) {
    char letters[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t count = 0;
    memcpy(letters + 62, last, 3);
    for (size_t bit = 0; bit < 8 * size; bit += 6) {
        unsigned pair = (unsigned)bytes[bit / 8] << 8 | (bit / 8 + 1 < size ? bytes[bit / 8 + 1] : 0u);
        out[count++] = letters[pair >> (10 - bit % 8) & 63];
    }
    out[count] = '\0';
    return count;
}

/* Whatever stands before and behind it: no character that depends on the value is left over. */
static void value__in_base64_is_found_at_every_offset_in_both_alphabets(void **state) {
    (void)state;
    static const char *const values[] = {"hunter22", "\xFB\xEF\xBE\xFF\xFF", "pass",
                                         "a longer one, of 25 bytes"};
    for (size_t v = 0; v < 4; v++) {
        struct reglet__values *set = make(&values[v], 1);
        size_t length = strlen(values[v]);
        for (size_t before = 0; before < 7; before++) {
            for (size_t behind = 0; behind < 4; behind++) {
                unsigned char bytes[64];
                char text[128];
                memset(bytes, 0x5A, sizeof bytes);
                memcpy(bytes + before, values[v], length);
                size_t size = encode(bytes, before + length + behind, behind % 2 ? "+/" : "-_", text);
                assert_found_at(set, text, size, before * 8 / 6, ((before + length) * 8 + 5) / 6);
            }
        }
        reglet__values_unref(set);
    }
}

static void values__overlapping_and_adjacent_ones_are_all_found(void **state) {
    (void)state;
    static const char *const values[] = {"abcd", "abcdef", "cdefgh", "xyzxyz", "abcdefghij"};
    struct reglet__values *set = make(values, 5);
    assert_found_at(set, "..abcdefgh..", 12, 2, 10);
    assert_found_at(set, "..abcdefghij..", 14, 2, 12);
    assert_found_at(set, "..abcde", 7, 2, 6);
    assert_found_at(set, "xyzxyzxyz", 9, 0, 9);
    reglet__values_unref(set);
}

static void values__one_that_is_known_is_not_added_again(void **state) {
    (void)state;
    reglet_secret secrets[] = {{"hunter22", 8}, {"hunter22", 8}};
    struct reglet__values *first = NULL, *second = NULL;
    reglet_secret found;
    assert_int_equal(reglet__values_new(NULL, secrets, 2, &first, NULL), REGLET_OK);
    assert_int_equal(reglet__values_new(first, secrets, 1, &second, NULL), REGLET_OK);
    assert_int_equal(count_found(second, "hunter22", 8), 1);
    assert_int_equal(reglet__values_identify(second, "hunter22", 8, &found), REGLET_OK);
    assert_int_equal(found.size, 8);
    reglet__values_unref(first);
    assert_memory_equal(found.bytes, "hunter22", 8);
    reglet__values_unref(second);
}

static void value__each_form_is_known_for_what_it_is(void **state) {
    (void)state;
    const char *value = "hunter22/x";
    static const char *const forms[] = {"hunter22/x",           "hunter22\\/x",   "hunter22%2fx",
                                        "68756E74657232322F78", "aHVudGVyMjIveA", "h\\u0075nter22/x"};
    struct reglet__values *set = make(&value, 1);
    reglet_secret found;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        assert_int_equal(reglet__values_identify(set, forms[i], strlen(forms[i]), &found), REGLET_OK);
        if (!found.bytes)
            fail_msg("%s is not identified", forms[i]);
        assert_int_equal(found.size, 10);
        assert_memory_equal(found.bytes, value, 10);
    }
    assert_int_equal(reglet__values_identify(set, "hunter22/", 9, &found), REGLET_OK);
    assert_null(found.bytes);
    assert_int_equal(reglet__values_identify(set, "hunter22/xx", 11, &found), REGLET_OK);
    assert_null(found.bytes);
    reglet__values_unref(set);
}

static void value__what_is_no_escape_is_taken_as_it_is(void **state) {
    (void)state;
    assert_found("pass word", "%pass word%", "pass word");
    assert_found("pass word", "%%pass%20word%4", "pass%20word");
    assert_found("pass%word", "pass%word\\", "pass%word");
    assert_found("pass word", "\\u12\\ud800pass\\u0020word\\ud800\\u", "pass\\u0020word");
    assert_found("a%zzb%", "x%20a%zzb%", "a%zzb%");
}

/* Escapes at every distance from each other and from the end of a piece: what a plain search in the decoded text finds. */
static void view__pieces_together_are_the_whole(void **state) {
    (void)state;
    enum { SIZE = 3 * 16384 };
    const char *value = "needle/in/the/hay";
    static const char escaped[] = "n\\u0065edle\\/in/the\\/hay";
    struct reglet__values *set = make(&value, 1);
    char *text = malloc(SIZE);
    for (size_t round = 0; round < 200; round++) {
        size_t at = 16384 - 100 + round, other = at < round * 7 ? 0 : at - round * 7 % 90;
        memset(text, 'x', SIZE);
        for (size_t i = 0; i < SIZE - 1; i += 3 + round * 11)
            memcpy(text + i, "\\n", 2);
        text[other] = '\\';
        memset(text + at - 2, ' ', 2);
        memcpy(text + at, escaped, sizeof escaped - 1);
        text[at + sizeof escaped - 1] = ' ';
        assert_found_at(set, text, SIZE, at, at + sizeof escaped - 1);
    }
    free(text);
    reglet__values_unref(set);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* 1,000 values that begin alike, and a text in which every place begins like them. */
static void values__many_that_begin_alike_cost_no_more(void **state) {
    (void)state;
    enum { COUNT = 1000, LENGTH = 40, SIZE = 1 << 20 };
    static char bytes[COUNT][LENGTH + 1];
    reglet_secret secrets[COUNT];
    struct reglet__values *set = NULL;
    for (size_t i = 0; i < COUNT; i++) {
        memset(bytes[i], 'a', LENGTH);
        snprintf(bytes[i] + LENGTH - 4, 5, "%04zu", i);
        secrets[i] = (reglet_secret){bytes[i], LENGTH};
    }
    assert_int_equal(reglet__values_new(NULL, secrets, COUNT, &set, NULL), REGLET_OK);
    char *text = malloc(SIZE);
    memset(text, 'a', SIZE);
    memcpy(text + SIZE - 4, "0999", 4);
    double start = seconds();
    assert_found_at(set, text, SIZE, SIZE - LENGTH, SIZE);
    assert_true(seconds() - start < 20);
    free(text);
    reglet__values_unref(set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value__plain_is_found_wherever_it_stands),
        cmocka_unit_test(value__escaped_for_json_is_found),
        cmocka_unit_test(value__escaped_for_a_url_is_found),
        cmocka_unit_test(value__in_hexadecimal_is_found_in_any_case),
        cmocka_unit_test(value__in_utf16_is_found_in_both_byte_orders),
        cmocka_unit_test(value__in_base64_is_found_at_every_offset_in_both_alphabets),
        cmocka_unit_test(values__overlapping_and_adjacent_ones_are_all_found),
        cmocka_unit_test(values__one_that_is_known_is_not_added_again),
        cmocka_unit_test(value__each_form_is_known_for_what_it_is),
        cmocka_unit_test(value__what_is_no_escape_is_taken_as_it_is),
        cmocka_unit_test(view__pieces_together_are_the_whole),
        cmocka_unit_test(values__many_that_begin_alike_cost_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
