/* Rules: which part of a match is the secret, and what lets one through. */
#include <stdio.h>
#include <string.h>

#include "redact/scan.h"
#include "tests/unit/test.h"

#define STRINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void name_rule(const struct reglet__rule *rule, size_t index, char *out, size_t size) {
    snprintf(out, size, "%s at %zu", rule->id, index);
}

static struct reglet__ruleset *make_set(const struct reglet__rule *rules, size_t count) {
    reglet_error *error = NULL;
    struct reglet__ruleset *set = NULL;
    if (reglet__ruleset_new(rules, count, NULL, name_rule, &set, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    return set;
}

/* The parts that the rules find, in brackets. */
static const char *found_by_all(const struct reglet__rule *rules, size_t count, const char *text,
                                size_t size) {
    static char shown[4096];
    struct reglet__scan_plan plan = {.rules = {{.set = make_set(rules, count)}}, .count = 1};
    struct reglet__redact_spans spans = {0};
    struct reglet__scan *scan = reglet__scan_new(&plan);
    assert_non_null(scan);
    size_t length = 0;
    for (int again = 0; again < 2; again++) { /* a scan leaves nothing behind */
        spans.count = 0;
        assert_int_equal(reglet__scan_text(scan, text, size, &spans, NULL), REGLET_OK);
    }
    reglet__redact_spans_settle(&spans);
    for (size_t i = 0; i < spans.count; i++)
        length +=
            (size_t)snprintf(shown + length, sizeof shown - length, "[%.*s]",
                             (int)(spans.items[i].end - spans.items[i].start), text + spans.items[i].start);
    shown[length] = '\0';
    reglet__redact_spans_clear(&spans);
    reglet__scan_free(scan);
    reglet__ruleset_free(plan.rules[0].set);
    return shown;
}

static const char *found(struct reglet__rule rule, const char *text) {
    rule.id = "r";
    return found_by_all(&rule, 1, text, strlen(text));
}

static void rule__without_a_group_the_match_is_the_secret(void **state) {
    (void)state;
    assert_string_equal(found((struct reglet__rule){.regex = "tok_[a-z]{4}"}, "a tok_abcd b"), "[tok_abcd]");
}

/* However much of the text is searched at first. */
static void rule__what_is_optional_at_the_end_is_never_left_behind(void **state) {
    (void)state;
    char text[1024], expected[1026];
    for (size_t before = 200; before < 300; before++) {
        memset(text, '-', sizeof text);
        snprintf(text + before, sizeof text - before, "tok_%0200d.%0200d", 7, 7);
        snprintf(expected, sizeof expected, "[%s]", text + before);
        assert_string_equal(
            found((struct reglet__rule){.regex = "tok_[0-9]{1,200}(?:\\.[0-9]{1,200})?"}, text), expected);
        assert_string_equal(found((struct reglet__rule){.regex = "tok_[0-9]+(?:\\.[0-9]+)?"}, text),
                            expected);
    }
}

static void rule__the_first_group_that_took_part_is_the_secret(void **state) {
    (void)state;
    struct reglet__rule rule = {.regex = "key=(?:\"([a-z]+)\"|([0-9]+))"};
    assert_string_equal(found(rule, "key=\"abc\" key=123"), "[abc][123]");
}

static void rule__a_group_can_be_named_as_the_secret(void **state) {
    (void)state;
    struct reglet__rule rule = {.regex = "(user)=([a-z]+)", .group = 2};
    assert_string_equal(found(rule, "user=alice"), "[alice]");
}

static void rule__a_group_that_there_is_not_is_refused(void **state) {
    (void)state;
    reglet_error *error = NULL;
    struct reglet__ruleset *set = NULL;
    struct reglet__rule rule = {.id = "r", .regex = "(a)b", .group = 2};
    assert_int_equal(reglet__ruleset_new(&rule, 1, NULL, name_rule, &set, &error),
                     REGLET_ERR_INVALID_ARGUMENT);
    assert_string_equal(reglet_error_message(error), "r at 0: group 2 is the secret, and it has 1");
    reglet_error_free(error);
}

static void rule__a_keyword_has_to_be_somewhere_in_the_text_in_any_case(void **state) {
    (void)state;
    struct reglet__rule rule = {.regex = "[0-9]{6}", .keywords = STRINGS("acme", "corp")};
    assert_string_equal(found(rule, "123456"), "");
    assert_string_equal(found(rule, "123456 of aCoRp 654321"), "[123456][654321]");
}

static void rule__too_little_entropy_is_no_secret(void **state) {
    (void)state;
    struct reglet__rule rule = {.regex = "k=([a-z0-9]{16})", .entropy = 3.0};
    assert_string_equal(found(rule, "k=aaaaaaaabbbbbbbb k=a8f3k2m9x7q1z5w0"), "[a8f3k2m9x7q1z5w0]");
}

static void rule__context_around_a_region_is_seen(void **state) {
    (void)state;
    struct reglet__rule word = {.regex = "\\bsk[0-9]{4}\\b"}, line = {.regex = "(?m)^pw (\\w+)$"};
    struct reglet__rule whole = {.regex = "^pw (\\w+)$"};
    assert_string_equal(found(word, "xsk1234 sk1234 sk12345 sk4321"), "[sk1234][sk4321]");
    assert_string_equal(found(line, "a pw no\npw yes\npw no no\npw end"), "[yes][end]");
    assert_string_equal(found(whole, "pw one\npw two"), "");
    assert_string_equal(found(whole, "pw one"), "[one]");
}

static void rule__what_ends_one_secret_may_begin_the_next(void **state) {
    (void)state;
    struct reglet__rule rule = {.regex = "(?:^|\\s)(sk_[a-z]{4})(?:\\s|$)"};
    assert_string_equal(found(rule, "sk_abcd sk_bcde sk_cdef sk_defg"),
                        "[sk_abcd][sk_bcde][sk_cdef][sk_defg]");
}

static void rule__bytes_of_any_value_are_matched(void **state) {
    (void)state;
    static const char text[] = "\xFF\0tok_ab\xFE\0\x80tok_cd";
    struct reglet__rule rules[] = {{.id = "r", .regex = "tok_[a-z]{2}"}, {.id = "s", .regex = "b\\xfe\\x00"}};
    assert_string_equal(found_by_all(rules, 1, text, sizeof text - 1), "[tok_ab][tok_cd]");
    assert_memory_equal(found_by_all(rules, 2, text, sizeof text - 1), "[tok_ab\xFE", 8);
}

static void rule__overlapping_secrets_of_two_rules_become_one(void **state) {
    (void)state;
    struct reglet__rule rules[] = {{.id = "r", .regex = "abcdef"}, {.id = "s", .regex = "defghi"}};
    assert_string_equal(found_by_all(rules, 2, "xabcdefghix", 11), "[abcdefghi]");
}

static void exception__words_in_the_secret_let_it_through(void **state) {
    (void)state;
    struct reglet__rule_exception except = {.words = STRINGS("example")};
    struct reglet__rule rule = {.regex = "k=(\\w+)", .exceptions = &except, .exception_count = 1};
    assert_string_equal(found(rule, "k=abcEXAMPLEdef k=other"), "[other]");
}

static void exception__regexes_look_at_secret_match_or_line(void **state) {
    (void)state;
    struct reglet__rule_exception except = {.regexes = STRINGS("^nothing$", "^test")};
    struct reglet__rule rule = {.regex = "key=(\\w+)", .exceptions = &except, .exception_count = 1};
    assert_string_equal(found(rule, "key=testing key=real"), "[real]");
    except.target = REGLET__EXCEPT_MATCH;
    assert_string_equal(found(rule, "key=testing"), "[testing]");
    except.regexes = STRINGS("^key=test");
    assert_string_equal(found(rule, "key=testing"), "");
    except.target = REGLET__EXCEPT_LINE;
    except.regexes = STRINGS("^demo:.*#$");
    assert_string_equal(found(rule, "demo: key=one #\nkey=two #\ndemo: key=three"), "[two][three]");
}

static void exception__one_of_all_is_not_enough(void **state) {
    (void)state;
    struct reglet__rule_exception except = {.regexes = STRINGS("^a"), .words = STRINGS("zz"), .all = true};
    struct reglet__rule rule = {.regex = "k=(\\w+)", .exceptions = &except, .exception_count = 1};
    assert_string_equal(found(rule, "k=ab k=bzz k=abzz"), "[ab][bzz]");
    except.all = false;
    assert_string_equal(found(rule, "k=ab k=bzz k=abzz k=cc"), "[cc]");
}

static const struct reglet__rule key_rule = {.regex = "-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----",
                                             .runs_on = true};

#define BEGIN "-----BEGIN RSA PRIVATE KEY-----"
#define END   "-----END RSA PRIVATE KEY-----"

static void key__all_lines_belong_to_it(void **state) {
    (void)state;
    static const struct {
        const char *text, *rest;
    } keys[] = {
        {"a " BEGIN "\nMIIE+/ab\nQ0Jc=\n" END " b", " b"},
        {"a " BEGIN "\\nMIIE\\nQ0Jc=\\n" END "\\n b", "\\n b"},
        {"a " BEGIN "\\\\nMIIE\\\\nQ0Jc=\\\\n" END " b", " b"},
        {"a " BEGIN "\r\n  MIIE\r\n  Q0Jc=\r\n  " END "\r\n b", "\r\n b"},
        {"a " BEGIN "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\nMIIE\n" END ". b", ". b"},
        {"a " BEGIN "\nMIIE\nQ0Jc", ""}, /* the end is cut off */
        {"a " BEGIN "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\nMIIE\nQ0", ""},
        {"a " BEGIN "\nMIIE\nQ0Jc\n\"}", "\n\"}"},
        {"a " BEGIN "\" + \"MIIE\" +\n \"Q0Jc\" + \"" END "\"", "\""},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char expected[512];
        snprintf(expected, sizeof expected, "[%.*s]", (int)(strlen(keys[i].text) - 2 - strlen(keys[i].rest)),
                 keys[i].text + 2);
        assert_string_equal(found(key_rule, keys[i].text), expected);
    }
}

static void key__the_next_one_is_another(void **state) {
    (void)state;
    assert_string_equal(found(key_rule, BEGIN "\nMIIE\n" END ", " BEGIN "\nMIIF\n" END),
                        "[" BEGIN "\nMIIE\n" END "][" BEGIN "\nMIIF\n" END "]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule__without_a_group_the_match_is_the_secret),
        cmocka_unit_test(rule__what_is_optional_at_the_end_is_never_left_behind),
        cmocka_unit_test(rule__the_first_group_that_took_part_is_the_secret),
        cmocka_unit_test(rule__a_group_can_be_named_as_the_secret),
        cmocka_unit_test(rule__a_group_that_there_is_not_is_refused),
        cmocka_unit_test(rule__a_keyword_has_to_be_somewhere_in_the_text_in_any_case),
        cmocka_unit_test(rule__too_little_entropy_is_no_secret),
        cmocka_unit_test(rule__context_around_a_region_is_seen),
        cmocka_unit_test(rule__what_ends_one_secret_may_begin_the_next),
        cmocka_unit_test(rule__bytes_of_any_value_are_matched),
        cmocka_unit_test(rule__overlapping_secrets_of_two_rules_become_one),
        cmocka_unit_test(exception__words_in_the_secret_let_it_through),
        cmocka_unit_test(exception__regexes_look_at_secret_match_or_line),
        cmocka_unit_test(exception__one_of_all_is_not_enough),
        cmocka_unit_test(key__all_lines_belong_to_it),
        cmocka_unit_test(key__the_next_one_is_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
