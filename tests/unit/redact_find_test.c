/* A redactor as a whole: what it refuses, what it replaces, and that no text takes it long. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "redact/redact.h"
#include "tests/unit/test.h"

#define OPTIONS(...)                                                                                         \
    (&(reglet_redactor_options){                                                                             \
        .struct_size = sizeof(reglet_redactor_options), .no_builtin_rules = true, __VA_ARGS__})

static reglet_redactor *make(const reglet_redactor_options *options) {
    reglet_redactor *redactor = NULL;
    reglet_error *error = NULL;
    if (reglet_redactor_new(options, &redactor, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    return redactor;
}

static reglet_redactor *make_patterns(const char *first, const char *second) {
    const char *const patterns[] = {first, second};
    return make(OPTIONS(.patterns = patterns, .pattern_count = second ? 2 : 1));
}

static void assert_redacted(reglet_redactor *redactor, const char *text, const char *expected) {
    char *out = NULL;
    size_t size = 0;
    assert_int_equal(reglet_redactor_redact(redactor, text, strlen(text), &out, &size, NULL), REGLET_OK);
    assert_string_equal(out, expected);
    assert_int_equal(size, strlen(expected));
    free(out);
}

static void assert_refused(const reglet_redactor_options *options, const char *message) {
    reglet_redactor *redactor = NULL;
    reglet_error *error = NULL;
    assert_int_equal(reglet_redactor_new(options, &redactor, &error), REGLET_ERR_INVALID_ARGUMENT);
    assert_null(redactor);
    assert_non_null(error);
    if (!strstr(reglet_error_message(error), message))
        fail_msg("\"%s\" does not say \"%s\"", reglet_error_message(error), message);
    reglet_error_free(error);
}

static void assert_pattern_refused(const char *pattern, const char *message) {
    const char *const patterns[] = {"fine", pattern};
    assert_refused(OPTIONS(.patterns = patterns, .pattern_count = 2), message);
}

static void pattern__one_that_a_matcher_does_not_take_is_refused_by_name(void **state) {
    (void)state;
    assert_pattern_refused("(?=x)", "pattern 2 `(?=x)`: invalid perl operator: (?=");
    assert_pattern_refused("(a)\\1", "pattern 2 `(a)\\1`: invalid escape sequence: \\1");
    assert_pattern_refused("a(b", "pattern 2 `a(b`: missing ): a(b");
    assert_pattern_refused("a++", "pattern 2 `a++`: ");
    assert_pattern_refused("a{1001}", "pattern 2 `a{1001}`: ");
    assert_pattern_refused(NULL, "pattern 2 is NULL");
}

static void pattern__one_that_matches_the_empty_text_is_refused(void **state) {
    (void)state;
    static const char *const patterns[] = {"", "a*", "x|", "\\b", "^", "$", "(a?)(b?)"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        assert_pattern_refused(patterns[i], "empty");
}

static void options__what_is_wrong_is_said(void **state) {
    (void)state;
    reglet_secret secret = {"abc", 3};
    assert_refused(OPTIONS(.secrets = &secret, .secret_count = 1), "secret 1 has 3 bytes; 4 are needed");
    assert_refused(OPTIONS(.hash_salt = "0123456789abcde", .hash_salt_size = 15), "15 bytes; 16 are needed");
    assert_refused(OPTIONS(.hash_salt_size = 16), "0 bytes; 16 are needed");
    assert_refused(OPTIONS(.pattern_count = 1), "patterns is NULL");
    assert_refused(OPTIONS(.secret_count = 1), "secrets is NULL");
    assert_refused(OPTIONS(.path_count = 1), "paths is NULL");
    assert_refused(&(reglet_redactor_options){0}, "struct_size");
}

static void rules__are_numbered_and_named(void **state) {
    (void)state;
    reglet_redactor *redactor = make_patterns("aaaa", "b(bb)b");
    assert_int_equal(reglet_redactor_rule_count(redactor), 2);
    assert_string_equal(reglet_redactor_rule_id(redactor, 0), "pattern-1");
    assert_string_equal(reglet_redactor_rule_id(redactor, 1), "pattern-2");
    assert_null(reglet_redactor_rule_id(redactor, 2));
    reglet_redactor_unref(redactor);
}

static void text__secrets_are_replaced_and_counted(void **state) {
    (void)state;
    reglet_redactor *redactor = make_patterns("tok_[a-z]+", "b(bb)b");
    assert_int_equal(reglet_redactor_add_secret(redactor, "hunter22", 8, NULL), REGLET_OK);
    assert_redacted(redactor, "", "");
    assert_redacted(redactor, "nothing here", "nothing here");
    assert_redacted(redactor, "tok_abc, bbbb, hunter22 and tok_d",
                    "[REDACTED], b[REDACTED]b, [REDACTED] and [REDACTED]");
    assert_int_equal(reglet__redact_counted(redactor, 0), 2);
    assert_int_equal(reglet__redact_counted(redactor, 1), 1);
    assert_int_equal(reglet__redact_counted(redactor, REGLET__REDACT_RULE_SECRET), 1);
    assert_int_equal(reglet__redact_counted(redactor, REGLET__REDACT_RULE_PATH), 0);
    assert_int_equal(reglet__redact_counted(redactor, 2), 0);
    reglet_redactor_unref(redactor);
}

static void text__a_forged_marker_stays_and_is_not_counted(void **state) {
    (void)state;
    static const char markers[] = "pw=[REDACTED] pw=[hmac:0123456789abcdef0123456789abcdef] x";
    reglet_redactor *redactor = make_patterns("pw=(\\S+)", "[0-9a-f]{32}|REDACT");
    struct reglet__redact_spans spans = {0};
    assert_int_equal(reglet__redact_find(redactor, markers, strlen(markers), &spans), REGLET_OK);
    assert_int_equal(spans.count, 0);
    assert_redacted(redactor, markers, markers);
    assert_int_equal(reglet__redact_counted(redactor, 0) + reglet__redact_counted(redactor, 1), 0);
    assert_redacted(redactor, "pw=[REDACTED", "pw=[REDACTED]");
    assert_redacted(redactor, "pw=[hmac:0123456789abcdeF0123456789abcdef]", "pw=[REDACTED]");
    /* A known value does not hide in one. */
    assert_int_equal(reglet_redactor_add_secret(redactor, "0123456789abcdef0123456789abcdef", 32, NULL),
                     REGLET_OK);
    assert_redacted(redactor, "pw=[hmac:0123456789abcdef0123456789abcdef]", "pw=[hmac:[REDACTED]]");
    reglet__redact_spans_clear(&spans);
    reglet_redactor_unref(redactor);
}

/* The value is what `printf hunter22 | openssl dgst -sha256 -mac HMAC -macopt key:0123456789abcdef` begins with. */
static void hash__equal_secrets_are_comparable_in_every_form(void **state) {
    (void)state;
    const char *const pattern = "tok_[a-z]+";
    reglet_secret secret = {"hunter22", 8};
    reglet_redactor *redactor =
        make(OPTIONS(.patterns = &pattern, .pattern_count = 1, .secrets = &secret, .secret_count = 1,
                     .hash_salt = "0123456789abcdef", .hash_salt_size = 16));
#define HUNTER "[hmac:9fcef8c939a52e7bb25f7fdbe2c6c129]"
    assert_redacted(redactor, "hunter22 68756E7465723232 aHVudGVyMjI= \\u0068unter22",
                    HUNTER " " HUNTER " " HUNTER "= " HUNTER);
    char *one = NULL, *two = NULL;
    size_t size = 0;
    assert_int_equal(reglet_redactor_redact(redactor, "tok_a", 5, &one, &size, NULL), REGLET_OK);
    assert_int_equal(reglet_redactor_redact(redactor, "tok_b", 5, &two, NULL, NULL), REGLET_OK);
    assert_int_equal(size, 39);
    assert_string_not_equal(one, two);
    free(one);
    free(two);
    reglet_redactor_unref(redactor);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static char *repeat(const char *piece, size_t size) {
    char *text = malloc(size + 1);
    size_t length = strlen(piece);
    for (size_t i = 0; i < size; i++)
        text[i] = piece[i % length];
    text[size] = '\0';
    return text;
}

/* What takes a backtracking matcher exponential, or one that begins anew at every place quadratic, time. */
static void pattern__none_takes_more_than_linear_time(void **state) {
    (void)state;
    needs_no_second_thread();
    static const struct {
        const char *pattern, *piece;
    } bombs[] = {
        {"(a+)+b", "a"},
        {"(a|aa)+c", "a"},
        {"(a|a?)+b", "a"},
        {"(x+x+)+y", "x"},
        {"([a-zA-Z]+)*=1", "abcXYZ"},
        {"a.*b.*c.*d", "abc"},
        {"a+b|a", "a"},
        {"(?s)BEGIN.*END|BEGIN", "BEGIN "},
        {"(?:key|token)[ =]{0,20}([a-z0-9]{10,60})", "key=token="},
        {"\\w+@\\w+\\.com", "aaaaaaaaaaaaaaa@"},
        {"(?i)[\\w.-]{0,50}?key[\\w .-]{0,20}=([0-9a-z]{32})", "key-"},
        {"[a-z]{20,}", "abc"},
        {"(ab)(ab){0,30}", "ab"},
        {"(a)a{63}", "a"},
    };
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        reglet_redactor *redactor = make_patterns(bombs[i].pattern, NULL);
        struct reglet__redact_spans spans = {0};
        char *text = repeat(bombs[i].piece, 1 << 20);
        double start = seconds();
        assert_int_equal(reglet__redact_find(redactor, text, 1 << 20, &spans), REGLET_OK);
        if (seconds() - start > 20)
            fail_msg("`%s` took %.1f seconds", bombs[i].pattern, seconds() - start);
        free(text);
        reglet__redact_spans_clear(&spans);
        reglet_redactor_unref(redactor);
    }
}

/* What was searched a moment ago is not searched again, and what is a secret since then is found in it nevertheless. */
static void find__text_without_a_secret_is_remembered_until_there_is_one(void **state) {
    (void)state;
    static const char *const texts[] = {"look at /etc/hunter22/x", "look at /etc/hosts", "password=", "x"};
    reglet_redactor *redactor = make(NULL);
    struct reglet__redact_spans spans = {0};
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            assert_int_equal(reglet__redact_find(redactor, texts[i], strlen(texts[i]), &spans), REGLET_OK);
            assert_int_equal(spans.count, 0);
        }
    assert_int_equal(reglet_redactor_add_secret(redactor, "hunter22", 8, NULL), REGLET_OK);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(reglet__redact_find(redactor, texts[0], strlen(texts[0]), &spans), REGLET_OK);
        assert_int_equal(spans.count, 1);
        assert_int_equal(spans.items[0].start, 13);
    }
    reglet__redact_spans_clear(&spans);
    reglet_redactor_unref(redactor);
}

/* A call that is over does not wait until all of a text was searched that takes long. */
static void find__ends_when_its_call_does(void **state) {
    (void)state;
    static const char *const pieces[] = {"password=", "-----BEGIN RSA PRIVATE KEY-----\n", "key: "};
    enum { SIZE = 16 << 20 };
    reglet_redactor *redactor = make(NULL);
    struct reglet__redact_spans spans = {0};
    struct reglet__interrupt late = {.deadline = 1}, cancelled = {.deadline = REGLET__NEVER};
    assert_int_equal(reglet_cancel_token_new(&cancelled.token, NULL), REGLET_OK);
    reglet_cancel_token_cancel(cancelled.token);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        char *text = repeat(pieces[i], SIZE);
        double start = seconds();
        assert_int_equal(reglet__redact_find_within(redactor, text, SIZE, &spans, &late), REGLET_ERR_TIMEOUT);
        assert_int_equal(spans.count, 0);
        assert_int_equal(reglet__redact_find_within(redactor, text, SIZE, &spans, &cancelled),
                         REGLET_ERR_CANCELLED);
        if (seconds() - start > 5)
            fail_msg("\"%s\" over and over was searched for %.1f seconds", pieces[i], seconds() - start);
        free(text);
    }
    reglet_cancel_token_unref(cancelled.token);
    reglet__redact_spans_clear(&spans);
    reglet_redactor_unref(redactor);
}

/* With the built-in rules: nothing, what begins like a secret everywhere, and what needs every exception to be judged. */
static void text__megabytes_without_a_line_break_take_bounded_time(void **state) {
    (void)state;
    needs_no_second_thread();
    static const struct {
        const char *piece;
        size_t size;
    } texts[] = {
        {"x", 10 << 20},     {"eyJ", 10 << 20},      {"-----BEGIN RSA PRIVATE KEY-----\\n", 10 << 20},
        {"key: ", 10 << 20}, {"password=", 1 << 20},
    };
    reglet_redactor *redactor = make(NULL);
    assert_int_equal(reglet_redactor_add_secret(redactor, "hunter22", 8, NULL), REGLET_OK);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct reglet__redact_spans spans = {0};
        char *text = repeat(texts[i].piece, texts[i].size);
        double start = seconds();
        assert_int_equal(reglet__redact_find(redactor, text, texts[i].size, &spans), REGLET_OK);
        if (seconds() - start > 20)
            fail_msg("\"%s\" over and over took %.1f seconds", texts[i].piece, seconds() - start);
        free(text);
        reglet__redact_spans_clear(&spans);
    }
    reglet_redactor_unref(redactor);
}

static void text__a_flood_of_matches_is_replaced_one_by_one(void **state) {
    (void)state;
    needs_no_second_thread();
    enum { COUNT = 200000 };
    reglet_redactor *redactor = make_patterns("tok_[a-z]{4}", NULL);
    char *text = repeat("tok_abcd,", 9 * COUNT), *out = NULL;
    size_t size = 0;
    assert_int_equal(reglet_redactor_redact(redactor, text, 9 * COUNT, &out, &size, NULL), REGLET_OK);
    assert_int_equal(size, 11 * COUNT);
    assert_null(strstr(out, "tok_"));
    assert_int_equal(reglet__redact_counted(redactor, 0), COUNT);
    free(out);
    free(text);
    reglet_redactor_unref(redactor);
}

/* One thread adds secrets, others look for them all the time: what was added is found by whoever asks afterwards. */
struct shared {
    reglet_redactor *redactor;
    atomic_int added;
};

static void *add_many(void *argument) {
    struct shared *shared = argument;
    for (int i = 0; i < 50; i++) {
        char value[16];
        snprintf(value, sizeof value, "secret-%04d", i);
        if (reglet_redactor_add_secret(shared->redactor, value, strlen(value), NULL) != REGLET_OK)
            abort();
        atomic_store(&shared->added, i + 1);
    }
    return NULL;
}

static void *look_for_them(void *argument) {
    struct shared *shared = argument;
    for (int added = 0; added < 50;) {
        added = atomic_load(&shared->added);
        char text[64];
        struct reglet__redact_spans spans = {0};
        int size = snprintf(text, sizeof text, "tok_ab secret-%04d", added - 1);
        if (reglet__redact_find(shared->redactor, text, (size_t)size, &spans) != REGLET_OK ||
            spans.count != (added > 0 ? 2 : 1))
            abort();
        reglet__redact_spans_clear(&spans);
    }
    return NULL;
}

static void secret__can_be_added_while_others_scan(void **state) {
    (void)state;
    struct shared shared = {.redactor = make_patterns("tok_[a-z]{2}", NULL)};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i == 0 ? add_many : look_for_them, &shared), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    reglet_redactor_unref(shared.redactor);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pattern__one_that_a_matcher_does_not_take_is_refused_by_name),
        cmocka_unit_test(pattern__one_that_matches_the_empty_text_is_refused),
        cmocka_unit_test(options__what_is_wrong_is_said),
        cmocka_unit_test(rules__are_numbered_and_named),
        cmocka_unit_test(text__secrets_are_replaced_and_counted),
        cmocka_unit_test(text__a_forged_marker_stays_and_is_not_counted),
        cmocka_unit_test(hash__equal_secrets_are_comparable_in_every_form),
        cmocka_unit_test(find__text_without_a_secret_is_remembered_until_there_is_one),
        cmocka_unit_test(find__ends_when_its_call_does),
        cmocka_unit_test(pattern__none_takes_more_than_linear_time),
        cmocka_unit_test(text__megabytes_without_a_line_break_take_bounded_time),
        cmocka_unit_test(text__a_flood_of_matches_is_replaced_one_by_one),
        cmocka_unit_test(secret__can_be_added_while_others_scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
