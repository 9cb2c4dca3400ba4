#include <inttypes.h>
#include <stdio.h>

#include "tests/unit/test.h"
#include "util/text.h"

static void clean_line__escape_sequences_become_visible(void **state) {
    (void)state;
    char out[64];
    reglet__clean_line("a\x1b]52;c;x\x07\n", 11, out, sizeof out);
    assert_string_equal(out, "a\\x1b]52;c;x\\x07\\n");
}

static void clean_line__bidi_marks_become_visible(void **state) {
    (void)state;
    char out[64];
    reglet__clean_line("gpj.\xE2\x80\xAE"
                       "exe",
                       10, out, sizeof out);
    assert_string_equal(out, "gpj.\\u202eexe");
}

static void clean_line__invalid_utf8_becomes_the_replacement(void **state) {
    (void)state;
    char out[64];
    reglet__clean_line("\xC0\xAF\xED\xA0\x80", 5, out, sizeof out);
    assert_string_equal(out, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

static void clean_line__never_writes_past_its_buffer(void **state) {
    (void)state;
    char out[6] = "zzzzz";
    assert_int_equal(reglet__clean_line("ab\n\n", 4, out, 5), 4);
    assert_string_equal(out, "ab\\n");
}

static void decimal__writes_what_printf_writes(void **state) {
    (void)state;
    static const int64_t values[] = {0, 1, 9, 10, -1, -10, 1234567890, INT64_MAX, INT64_MIN};
    char expected[32], text[REGLET__DECIMAL_SIZE];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        int length = snprintf(expected, sizeof expected, "%" PRId64, values[i]);
        assert_int_equal(reglet__decimal(values[i], text), length);
        assert_string_equal(text, expected);
    }
    assert_int_equal(reglet__decimal_unsigned(UINT64_MAX, text), 20);
    assert_string_equal(text, "18446744073709551615");
}

/* Of a word that does not fit nothing is left: half a secret is none that anybody would know. */
static void format_line__drops_the_word_that_does_not_fit(void **state) {
    (void)state;
    char out[16];
    reglet__format_line(out, sizeof out, "%s", "one two three f");
    assert_string_equal(out, "one two three f");
    reglet__format_line(out, sizeof out, "%s", "one two three fo");
    assert_string_equal(out, "one two three ");
    reglet__format_line(out, sizeof out, "%s", "onetwothreefourfive");
    assert_string_equal(out, "(the message is");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_line__drops_the_word_that_does_not_fit),
        cmocka_unit_test(clean_line__escape_sequences_become_visible),
        cmocka_unit_test(clean_line__bidi_marks_become_visible),
        cmocka_unit_test(clean_line__invalid_utf8_becomes_the_replacement),
        cmocka_unit_test(clean_line__never_writes_past_its_buffer),
        cmocka_unit_test(decimal__writes_what_printf_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
