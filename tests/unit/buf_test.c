#include "tests/unit/test.h"

#include <string.h>

#include "util/buf.h"
#include "util/sha256.h"

static void append__past_the_maximum_sticks(void **state) {
    (void)state;
    struct reglet__buf buf = REGLET__BUF_INIT(4);
    assert_int_equal(reglet__buf_append(&buf, "abcd", 4), REGLET_OK);
    assert_int_equal(reglet__buf_append(&buf, "e", 1), REGLET_ERR_RESULT_LIMIT);
    assert_int_equal(reglet__buf_append(&buf, "", 0), REGLET_ERR_RESULT_LIMIT);
    assert_null(reglet__buf_take(&buf, NULL));
    assert_string_equal(buf.data, "abcd");
    reglet__buf_clear(&buf);
    assert_int_equal(reglet__buf_appendf(&buf, "%d", 42), REGLET_OK);
    assert_string_equal(buf.data, "42");
    reglet__buf_free(&buf);
}

static void take__empty_buffer_is_an_empty_string(void **state) {
    (void)state;
    struct reglet__buf buf = REGLET__BUF_INIT(4);
    size_t size = 9;
    char *text = reglet__buf_take(&buf, &size);
    assert_string_equal(text, "");
    assert_int_equal(size, 0);
    free(text);
}

static void sha256__is_the_standards(void **state) {
    (void)state;
    struct reglet__sha256 hash, again;
    char hex[65];
    assert_true(reglet__sha256("abc", 3, &hash));
    reglet__sha256_to_hex(&hash, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(
        reglet__sha256_from_hex("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", &again));
    assert_true(reglet__sha256_equal(&hash, &again));
    assert_false(reglet__sha256_from_hex("ba78", &again));
    hex[10] = 'g';
    assert_false(reglet__sha256_from_hex(hex, &again));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append__past_the_maximum_sticks),
        cmocka_unit_test(take__empty_buffer_is_an_empty_string),
        cmocka_unit_test(sha256__is_the_standards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
