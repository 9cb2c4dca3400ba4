#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <string.h>
#include <time.h>

#include "util/clock.h"

static void rfc3339_format__writes_utc_and_nanoseconds(void **state) {
    (void)state;
    char text[REGLET__RFC3339_SIZE];
    reglet__rfc3339_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    reglet__rfc3339_format(INT64_C(1767322445123456789), text);
    assert_string_equal(text, "2026-01-02T02:54:05.123456789Z");
    reglet__rfc3339_format(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999999Z");
}

static void rfc3339_format__agrees_with_the_c_library_on_every_day(void **state) {
    (void)state;
    for (int64_t day = INT64_MIN / REGLET__NS_PER_S / 86400; day < INT64_MAX / REGLET__NS_PER_S / 86400;
         day++) {
        char expected[REGLET__RFC3339_SIZE], text[REGLET__RFC3339_SIZE];
        time_t time = day * 86400 + 3661;
        struct tm utc;
        assert_non_null(gmtime_r(&time, &utc));
        strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", &utc);
        assert_int_equal(reglet__rfc3339_format(time * REGLET__NS_PER_S, text), strlen(expected));
        assert_string_equal(text, expected);
    }
}

static void rfc3339_parse__takes_what_the_standard_has(void **state) {
    (void)state;
    static const char *const valid[] = {
        "2026-01-02T03:04:05Z",           "2026-01-02t03:04:05z",      "2024-02-29T23:59:60Z",
        "2026-01-02T03:04:05.123456789Z", "2026-01-02T03:04:05+05:30", "0001-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
        if (!reglet__rfc3339_parse(valid[i], strlen(valid[i]), NULL))
            fail_msg("%s was refused", valid[i]);
}

static void rfc3339_parse__refuses_everything_else(void **state) {
    (void)state;
    static const char *const invalid[] = {
        "",
        "2026-01-02",
        "2026-1-2T03:04:05Z",
        "2026-02-29T03:04:05Z",
        "2026-13-01T03:04:05Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:60:05Z",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05.1234567890Z",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05Z ",
        "2026-01-02 03:04:05Z",
        "+026-01-02T03:04:05Z",
    };
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
        if (reglet__rfc3339_parse(invalid[i], strlen(invalid[i]), NULL))
            fail_msg("%s was taken", invalid[i]);
    assert_false(reglet__rfc3339_parse("2026-01-02\0003:04:05Z", 20, NULL));
}

static int64_t parsed(const char *text) {
    int64_t time = 1;
    assert_true(reglet__rfc3339_parse(text, strlen(text), &time));
    return time;
}

static void rfc3339_parse__counts_from_1970_in_utc(void **state) {
    (void)state;
    assert_int_equal(parsed("1970-01-01T00:00:00Z"), 0);
    assert_int_equal(parsed("1969-12-31T23:59:59.5Z"), -REGLET__NS_PER_S / 2);
    assert_int_equal(parsed("2026-01-02T03:04:05.000000001Z"), INT64_C(1767323045000000001));
    assert_int_equal(parsed("2026-01-02T08:34:05+05:30"), parsed("2026-01-02T03:04:05Z"));
    assert_int_equal(parsed("2026-01-01T21:04:05-06:00"), parsed("2026-01-02T03:04:05Z"));
    assert_int_equal(parsed("0001-01-01T00:00:00Z"), INT64_MIN);
    assert_int_equal(parsed("9999-12-31T23:59:59Z"), INT64_MAX);
}

static void deadline_after__overflow_means_never(void **state) {
    (void)state;
    assert_int_equal(reglet__deadline_after_ms(-1), REGLET__NEVER);
    assert_int_equal(reglet__deadline_after_ms(INT64_MAX), REGLET__NEVER);
    assert_true(reglet__deadline_after_ms(1000) > reglet__now());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc3339_format__writes_utc_and_nanoseconds),
        cmocka_unit_test(rfc3339_format__agrees_with_the_c_library_on_every_day),
        cmocka_unit_test(rfc3339_parse__takes_what_the_standard_has),
        cmocka_unit_test(rfc3339_parse__refuses_everything_else),
        cmocka_unit_test(rfc3339_parse__counts_from_1970_in_utc),
        cmocka_unit_test(deadline_after__overflow_means_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
