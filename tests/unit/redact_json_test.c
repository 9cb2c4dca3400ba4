/* Secrets in JSON values: where they are found, and what stands there then. */
#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redact/redact.h"
#include "util/clock.h"

static const char secret[] = "correct-horse-battery";
static const char *const paths[] = {"password", "db.credentials.*", "items[*].token"};

static reglet_redactor *new_redactor(bool builtin, const char *salt) {
    const reglet_secret known = {secret, strlen(secret)};
    reglet_redactor_options options = REGLET_REDACTOR_OPTIONS_INIT;
    options.secrets = &known;
    options.secret_count = 1;
    options.paths = paths;
    options.path_count = 3;
    options.no_builtin_rules = !builtin;
    options.hash_salt = salt;
    options.hash_salt_size = salt ? strlen(salt) : 0;
    reglet_redactor *redactor = NULL;
    reglet_error *error = NULL;
    if (reglet_redactor_new(&options, &redactor, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    return redactor;
}

static char *redacted(reglet_redactor *redactor, const char *json, uint64_t *count) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__json *value = NULL;
    struct reglet__json_fault fault;
    struct reglet__redact_tally tally = {0};
    if (reglet__json_read(&arena, json, strlen(json), &value, &fault) != REGLET_OK)
        fail_msg("%.200s: %s", json, fault.what);
    assert_int_equal(reglet__redact_json(redactor, &arena, value, true, &tally), REGLET_OK);
    char *out = strdup(reglet__json_print(&arena, value, NULL));
    assert_non_null(out);
    *count = tally.count;
    return out;
}

static void expect_by(reglet_redactor *redactor, const char *json, const char *expected, uint64_t count) {
    uint64_t found = 0;
    char *out = redacted(redactor, json, &found);
    assert_string_equal(out, expected);
    assert_int_equal(found, count);
    free(out);
    reglet_redactor_unref(redactor);
}

static void expect(const char *json, const char *expected, uint64_t count) {
    expect_by(new_redactor(false, NULL), json, expected, count);
}

static void nothing_secret__stays_as_it_is(void **state) {
    (void)state;
    static const char json[] =
        "{\"a\":[1,-2.5,true,null,\"x\"],\"\":{},\"b\":[[],\"[REDACTED]\"],\"c\":{\"a\":\"\"}}";
    expect(json, json, 0);
    expect("\"text\"", "\"text\"", 0);
    expect("[]", "[]", 0);
    expect("7", "7", 0);
}

static void secret__is_replaced_in_texts_wherever_they_are(void **state) {
    (void)state;
    expect("\"correct-horse-battery\"", "\"[REDACTED]\"", 1);
    expect("{\"a\":{\"b\":[1,[\"x correct-horse-battery y\"]]}}", "{\"a\":{\"b\":[1,[\"x [REDACTED] y\"]]}}",
           1);
    expect("[\"correct-horse-battery correct-horse-battery\",\"correct-horse-battery\"]",
           "[\"[REDACTED] [REDACTED]\",\"[REDACTED]\"]", 3);
}

static void secret__is_replaced_in_keys_which_stay_apart(void **state) {
    (void)state;
    expect("{\"correct-horse-battery\":1}", "{\"[REDACTED]\":1}", 1);
    expect("{\"correct-horse-battery\":{\"a\":2}}", "{\"[REDACTED]\":{\"a\":2}}", 1);
    expect("{\"a correct-horse-battery\":1,\"correct-horse-battery\":2,\"correct%2Dhorse%2Dbattery\":3,"
           "\"[REDACTED]\":4,\"[REDACTED] 2\":5}",
           "{\"a [REDACTED]\":1,\"[REDACTED] 3\":2,\"[REDACTED] 4\":3,\"[REDACTED]\":4,\"[REDACTED] 2\":5}",
           3);
}

static void path__replaces_whatever_stands_there(void **state) {
    (void)state;
    expect("{\"user\":{\"Password\":\"x\"}}", "{\"user\":{\"Password\":\"[REDACTED]\"}}", 1);
    expect("{\"password\":{\"a\":[1,2]}}", "{\"password\":\"[REDACTED]\"}", 1);
    expect("{\"password\":[1,2]}", "{\"password\":\"[REDACTED]\"}", 1);
    expect("{\"password\":17}", "{\"password\":\"[REDACTED]\"}", 1);
    expect("{\"password\":true}", "{\"password\":\"[REDACTED]\"}", 1);
    expect("{\"db\":{\"credentials\":{\"a\":1,\"b\":\"2\"},\"port\":3}}",
           "{\"db\":{\"credentials\":{\"a\":\"[REDACTED]\",\"b\":\"[REDACTED]\"},\"port\":3}}", 2);
    expect("{\"items\":[{\"token\":\"a\",\"id\":1},{\"token\":\"b\"}]}",
           "{\"items\":[{\"token\":\"[REDACTED]\",\"id\":1},{\"token\":\"[REDACTED]\"}]}", 2);
}

static void number__that_is_secret_becomes_a_string(void **state) {
    (void)state;
    reglet_redactor *redactor = new_redactor(false, NULL);
    assert_int_equal(reglet_redactor_add_secret(redactor, "4242424242", 10, NULL), REGLET_OK);
    expect_by(redactor, "{\"n\":4242424242,\"m\":42}", "{\"n\":\"[REDACTED]\",\"m\":42}", 1);
}

static void rule__finds_a_value_by_its_key(void **state) {
    (void)state;
    const char *const patterns[] = {"api_key=\"([a-z0-9]{12})\""};
    reglet_redactor_options options = REGLET_REDACTOR_OPTIONS_INIT;
    options.patterns = patterns;
    options.pattern_count = 1;
    options.no_builtin_rules = true;
    reglet_redactor *redactor = NULL;
    assert_int_equal(reglet_redactor_new(&options, &redactor, NULL), REGLET_OK);
    expect_by(reglet_redactor_ref(redactor), "{\"api_key\":\"abcdef123456\",\"id\":\"abcdef123456\"}",
              "{\"api_key\":\"[REDACTED]\",\"id\":\"abcdef123456\"}", 1);
    expect_by(redactor, "{\"api_key\":[\"x\",\"abcdef123456\"]}", "{\"api_key\":[\"x\",\"[REDACTED]\"]}", 1);
}

static void rule__that_matches_key_and_value_leaves_the_key(void **state) {
    (void)state;
    const char *const patterns[] = {"pin=\"[0-9]+"};
    reglet_redactor_options options = REGLET_REDACTOR_OPTIONS_INIT;
    options.patterns = patterns;
    options.pattern_count = 1;
    options.no_builtin_rules = true;
    reglet_redactor *redactor = NULL;
    assert_int_equal(reglet_redactor_new(&options, &redactor, NULL), REGLET_OK);
    expect_by(redactor, "{\"pin\":\"1234\"}", "{\"pin\":\"[REDACTED]\"}", 1);
}

static void private_key__in_lines_is_replaced_in_each(void **state) {
    (void)state;
    uint64_t count = 0;
    reglet_redactor *redactor = new_redactor(true, NULL);
    char *out = redacted(redactor,
                         "{\"lines\":[\"-----BEGIN RSA PRIVATE KEY-----\",\"MIIEowIBAAKCAQEAx0Fh1mVw\","
                         "\"q2Zk8sT1uYv7W3eR9aBcDeFgHiJkLmNo\",\"-----END RSA PRIVATE KEY-----\",\"after\"]}",
                         &count);
    assert_null(strstr(out, "MIIEow"));
    assert_null(strstr(out, "q2Zk8s"));
    assert_non_null(strstr(out, "\"after\""));
    free(out);
    reglet_redactor_unref(redactor);
}

static void base64__is_looked_into_by_rules_too(void **state) {
    (void)state;
    uint64_t count = 0;
    reglet_redactor *redactor = new_redactor(true, NULL);
    /* "aws_access_key_id = AKIAQYLPMN5HFIQR7XYA\nregion = eu-central-1\n" */
    char *out = redacted(
        redactor,
        "{\"content\":\"YXdzX2FjY2Vzc19rZXlfaWQgPSBBS0lBUVlMUE1ONUhGSVFSN1hZQQpyZWdpb24gPSBldS1jZW50cmFsLTEK\"}",
        &count);
    assert_int_equal(count, 1);
    assert_non_null(strstr(out, "[REDACTED]"));
    assert_null(strstr(out, "BBS0lBUVlMUE1ONUhGSVFSN1hZQQ"));
    assert_non_null(strstr(out, "{\"content\":\"YXdzX2FjY2Vzc19r"));
    free(out);
    reglet_redactor_unref(redactor);
}

static void hash_mode__keeps_equal_secrets_comparable(void **state) {
    (void)state;
    uint64_t count = 0;
    reglet_redactor *redactor = new_redactor(false, "0123456789abcdef");
    char *out = redacted(
        redactor,
        "[\"correct-horse-battery\",\"correct-horse-battery\",{\"password\":[1]},{\"password\":[2]}]",
        &count);
    assert_int_equal(count, 4);
    enum { HASH = 39 };
    assert_int_equal(strncmp(out, "[\"[hmac:", 8), 0);
    assert_memory_equal(out + 2, out + 2 + HASH + 3, HASH);
    char *first = strstr(out, "\"password\":\""), *second = strstr(first + 1, "\"password\":\"");
    assert_memory_not_equal(first, second, 12 + HASH);
    free(out);
    reglet_redactor_unref(redactor);
}

/* --- Hostile trees --------------------------------------------------------------------------------------- */

static void expect_quickly(const char *json, uint64_t least) {
    uint64_t count = 0;
    reglet_redactor *redactor = new_redactor(true, NULL);
    int64_t begun = reglet__now();
    char *out = redacted(redactor, json, &count);
    assert_true(count >= least);
    assert_true(reglet__now() - begun < 30 * REGLET__NS_PER_S); /* quadratic would be hours */
    assert_null(strstr(out, secret));
    free(out);
    reglet_redactor_unref(redactor);
}

static char *repeated(const char *head, const char *item, size_t times, const char *tail) {
    size_t size = strlen(item);
    char *json = malloc(strlen(head) + times * (size + 1) + strlen(tail) + 1);
    assert_non_null(json);
    char *at = stpcpy(json, head);
    for (size_t i = 0; i < times; i++) {
        at = stpcpy(at, item);
        *at++ = ',';
    }
    strcpy(at - 1, tail);
    return json;
}

static void long_key_of_a_long_list__is_not_repeated_as_a_whole(void **state) {
    (void)state;
    char *key = malloc(1000016);
    memset(key, 'k', 1000000);
    memcpy(key, "{\"", 2);
    strcpy(key + 1000000, "\":[");
    char *json = repeated(key, "\"v\"", 300000, ",\"correct-horse-battery\"]}");
    expect_quickly(json, 1);
    free(json);
    free(key);
}

static void hundred_thousand_secret_keys_of_one_object__stay_apart(void **state) {
    (void)state;
    enum { KEYS = 100000 };
    char *json = malloc(KEYS * 64), *at = json;
    assert_non_null(json);
    *at++ = '{';
    for (int i = 0; i < KEYS; i++) /* names that are taken already are in the way */
        at += sprintf(at, "%s\"[REDACTED] %d\":1,\"correct-horse-battery\\u%04x\":1", i ? "," : "", i + 2,
                      0x4E00 + i % 20000);
    strcpy(at, "}");
    expect_quickly(json, 20000);
    free(json);
}

static void flood_of_secrets__stays_linear(void **state) {
    (void)state;
    char *json = repeated("[", "\"correct-horse-battery\"", 200000, "]");
    expect_quickly(json, 200000);
    free(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_secret__stays_as_it_is),
        cmocka_unit_test(secret__is_replaced_in_texts_wherever_they_are),
        cmocka_unit_test(secret__is_replaced_in_keys_which_stay_apart),
        cmocka_unit_test(path__replaces_whatever_stands_there),
        cmocka_unit_test(number__that_is_secret_becomes_a_string),
        cmocka_unit_test(rule__finds_a_value_by_its_key),
        cmocka_unit_test(rule__that_matches_key_and_value_leaves_the_key),
        cmocka_unit_test(private_key__in_lines_is_replaced_in_each),
        cmocka_unit_test(base64__is_looked_into_by_rules_too),
        cmocka_unit_test(hash_mode__keeps_equal_secrets_comparable),
        cmocka_unit_test(long_key_of_a_long_list__is_not_repeated_as_a_whole),
        cmocka_unit_test(hundred_thousand_secret_keys_of_one_object__stay_apart),
        cmocka_unit_test(flood_of_secrets__stays_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
