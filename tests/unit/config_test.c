/* A plugin's config: building, parsing, merging. */
#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "abi/abi.h"
#include "util/limits.h"

static reglet_config *parsed(const char *json) {
    reglet_config *config = NULL;
    reglet_error *error = NULL;
    if (reglet_config_parse(json, strlen(json), &config, &error) != REGLET_OK)
        fail_msg("%s: %s", json, reglet_error_message(error));
    return config;
}

static void assert_json(const reglet_config *config, const char *expected) {
    char *json = NULL;
    size_t size = 0;
    assert_int_equal(reglet_config_to_json(config, &json, &size, NULL), REGLET_OK);
    assert_string_equal(json, expected);
    assert_int_equal(size, strlen(expected));
    reglet_free(json);
}

static void set__builds_one_object(void **state) {
    (void)state;
    reglet_config *config = NULL;
    assert_int_equal(reglet_config_new(&config, NULL), REGLET_OK);
    assert_json(config, "{}");
    assert_int_equal(reglet_config_set_string(config, "s", "a\"\n", NULL), REGLET_OK);
    assert_int_equal(reglet_config_set_int(config, "min", INT64_MIN, NULL), REGLET_OK);
    assert_int_equal(reglet_config_set_double(config, "d", 0.1, NULL), REGLET_OK);
    assert_int_equal(reglet_config_set_bool(config, "b", true, NULL), REGLET_OK);
    assert_int_equal(reglet_config_set_json(config, "j", " [1.50, {}] ", 12, NULL), REGLET_OK);
    assert_json(config,
                "{\"s\":\"a\\\"\\n\",\"min\":-9223372036854775808,\"d\":0.1,\"b\":true,\"j\":[1.50,{}]}");
    reglet_config_free(config);
}

static void set__again_replaces(void **state) {
    (void)state;
    reglet_config *config = parsed("{\"a\":1,\"b\":2}");
    assert_int_equal(reglet_config_set_bool(config, "a", false, NULL), REGLET_OK);
    assert_json(config, "{\"a\":false,\"b\":2}");
    reglet_config_free(config);
}

/* A value is checked by itself: it cannot bring other fields along. */
static void set_json__a_value_cannot_smuggle_fields_in(void **state) {
    (void)state;
    reglet_config *config = parsed("{\"a\":1}");
    reglet_error *error = NULL;
    const char *json = "1,\"path\":\"/etc/shadow\"";
    assert_int_equal(reglet_config_set_json(config, "n", json, strlen(json), &error),
                     REGLET_ERR_INVALID_CONFIG);
    assert_string_equal(reglet_error_message(error),
                        "config: \"n\": not acceptable JSON: unexpected character, at byte 1 of 22");
    assert_json(config, "{\"a\":1}");
    reglet_error_free(error);
    assert_int_equal(reglet_config_set_string(config, "k\":1,\"x", "v", NULL), REGLET_OK);
    assert_json(config, "{\"a\":1,\"k\\\":1,\\\"x\":\"v\"}");
    reglet_config_free(config);
}

static void set__bad_arguments_leave_it_as_it_was(void **state) {
    (void)state;
    reglet_config *config = parsed("{\"a\":1}");
    assert_int_equal(reglet_config_set_string(config, "k", "\xFF", NULL), REGLET_ERR_INVALID_ARGUMENT);
    assert_int_equal(reglet_config_set_string(config, "\xFF", "v", NULL), REGLET_ERR_INVALID_ARGUMENT);
    assert_int_equal(reglet_config_set_string(config, "k", NULL, NULL), REGLET_ERR_INVALID_ARGUMENT);
    assert_int_equal(reglet_config_set_string(NULL, "k", "v", NULL), REGLET_ERR_INVALID_ARGUMENT);
    assert_int_equal(reglet_config_set_int(config, NULL, 1, NULL), REGLET_ERR_INVALID_ARGUMENT);
    assert_int_equal(reglet_config_set_double(config, "k", NAN, NULL), REGLET_ERR_INVALID_ARGUMENT);
    assert_int_equal(reglet_config_set_double(config, "k", INFINITY, NULL), REGLET_ERR_INVALID_ARGUMENT);
    assert_int_equal(reglet_config_set_json(config, "k", "NaN", 3, NULL), REGLET_ERR_INVALID_CONFIG);
    assert_int_equal(reglet_config_set_json(config, "k", "\"\xFF\"", 3, NULL), REGLET_ERR_INVALID_CONFIG);
    assert_json(config, "{\"a\":1}");
    reglet_config_free(config);
}

static void set_double__is_the_shortest_text_in_every_locale(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.1, "{\"d\":0.1}"},   {1.0 / 3, "{\"d\":0.3333333333333333}"},
                 {-2.5, "{\"d\":-2.5}"}, {1e300, "{\"d\":1e+300}"},
                 {3, "{\"d\":3}"},       {5e-324, "{\"d\":4.94065645841247e-324}"},
                 {-0.0, "{\"d\":0}"}};
    static const char *const locales[] = {"C", "de_DE.UTF-8", "fr_FR.UTF-8"}; /* those that are installed */
    for (size_t l = 0; l < sizeof locales / sizeof locales[0]; l++) {
        if (!setlocale(LC_NUMERIC, locales[l]))
            continue;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            reglet_config *config = parsed("{}");
            assert_int_equal(reglet_config_set_double(config, "d", cases[i].value, NULL), REGLET_OK);
            assert_json(config, cases[i].text);
            reglet_config_free(config);
        }
    }
    setlocale(LC_NUMERIC, "C");
}

static void assert_not_parsed(const char *json, const char *message) {
    reglet_config *config = NULL;
    reglet_error *error = NULL;
    assert_int_equal(reglet_config_parse(json, strlen(json), &config, &error), REGLET_ERR_INVALID_CONFIG);
    assert_null(config);
    assert_string_equal(reglet_error_message(error), message);
    reglet_error_free(error);
}

static void parse__numbers_keep_their_text_and_the_last_key_wins(void **state) {
    (void)state;
    reglet_config *config = parsed(" { \"n\" : 1.10, \"u\":18446744073709551615, \"n\" : 2.50 } ");
    assert_json(config, "{\"n\":2.50,\"u\":18446744073709551615}");
    reglet_config_free(config);
}

static void parse__says_where_it_stops_being_json(void **state) {
    (void)state;
    assert_not_parsed("{\"a\":1,}", "config: not acceptable JSON: unexpected character, at byte 7 of 8");
    assert_not_parsed("[]", "config: it must be a JSON object, not an array");
    assert_not_parsed("null", "config: it must be a JSON object, not null");
    assert_not_parsed("{\"a\":\"\xFF\"}", "config: the text is not UTF-8");
    assert_not_parsed(
        "{\"a\":99999999999999999999}",
        "config: not acceptable JSON: an integer that does not fit into 64 bits, at byte 5 of 26");
}

static void limit__a_config_that_would_be_too_large_stays_as_it_was(void **state) {
    (void)state;
    char *half = malloc(REGLET__MAX_CONFIG_BYTES / 2 + 1);
    assert_non_null(half);
    memset(half, 'x', REGLET__MAX_CONFIG_BYTES / 2);
    half[REGLET__MAX_CONFIG_BYTES / 2] = '\0';
    reglet_config *config = parsed("{}");
    reglet_error *error = NULL;
    assert_int_equal(reglet_config_set_string(config, "a", half, NULL), REGLET_OK);
    assert_int_equal(reglet_config_set_string(config, "b", half, &error), REGLET_ERR_INVALID_CONFIG);
    assert_non_null(strstr(reglet_error_message(error), "more than a config may have (16777216)"));
    reglet_error_free(error);
    assert_int_equal(reglet_config_set_string(config, "a", "small", NULL), REGLET_OK);
    assert_json(config, "{\"a\":\"small\"}");
    reglet_config_free(config);
    free(half);
}

static void merge__the_others_fields_win(void **state) {
    (void)state;
    reglet_config *config = parsed("{\"a\":1,\"b\":2}"), *other = parsed("{\"b\":3,\"c\":4.0}"),
                  *empty = parsed("{}");
    assert_int_equal(reglet_config_merge(config, other, NULL), REGLET_OK);
    assert_json(config, "{\"a\":1,\"b\":3,\"c\":4.0}");
    assert_int_equal(reglet_config_merge(config, empty, NULL), REGLET_OK);
    assert_int_equal(reglet_config_merge(config, config, NULL), REGLET_OK);
    assert_json(config, "{\"a\":1,\"b\":3,\"c\":4.0}");
    assert_int_equal(reglet_config_merge(empty, other, NULL), REGLET_OK);
    assert_json(empty, "{\"b\":3,\"c\":4.0}");
    assert_int_equal(reglet_config_merge(NULL, other, NULL), REGLET_ERR_INVALID_ARGUMENT);
    reglet_config_free(config);
    reglet_config_free(other);
    reglet_config_free(empty);
}

static void json__of_no_config_is_an_empty_object(void **state) {
    (void)state;
    const char *json = NULL;
    size_t size = 0;
    assert_int_equal(reglet__config_json(NULL, &json, &size), REGLET_OK);
    assert_string_equal(json, "{}");
    assert_int_equal(size, 2);
    reglet_config_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set__builds_one_object),
        cmocka_unit_test(set__again_replaces),
        cmocka_unit_test(set_json__a_value_cannot_smuggle_fields_in),
        cmocka_unit_test(set__bad_arguments_leave_it_as_it_was),
        cmocka_unit_test(set_double__is_the_shortest_text_in_every_locale),
        cmocka_unit_test(parse__numbers_keep_their_text_and_the_last_key_wins),
        cmocka_unit_test(parse__says_where_it_stops_being_json),
        cmocka_unit_test(limit__a_config_that_would_be_too_large_stays_as_it_was),
        cmocka_unit_test(merge__the_others_fields_win),
        cmocka_unit_test(json__of_no_config_is_an_empty_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
