#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "redact/rule.h"
#include "tests/unit/test.h"
#include "util/cleanup.h"
#include "util/limits.h"

static struct reglet__rule_file parse(const char *text) {
    struct reglet__rule_file file;
    reglet_error *error = NULL;
    if (reglet__rule_file_parse("rules.toml", text, strlen(text), &file, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    return file;
}

static struct reglet__rule_file read_file(const char *path) {
    struct reglet__rule_file file;
    reglet_error *error = NULL;
    (void)chmod(path, 0644); /* a checkout may have been made with another umask */
    if (reglet__rule_file_read(path, &file, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    return file;
}

static const struct reglet__rule *rule_of(const struct reglet__rule_file *file, const char *id) {
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->rules[i].id, id) == 0)
            return &file->rules[i];
    return NULL;
}

static bool has(const char *const *list, const char *text) {
    for (; list && *list; list++)
        if (strcmp(*list, text) == 0)
            return true;
    return false;
}

static void assert_refused(const char *text, const char *message) {
    struct reglet__rule_file file = {.count = 77};
    reglet_error *error = NULL;
    assert_int_equal(reglet__rule_file_parse("rules.toml", text, strlen(text), &file, &error),
                     REGLET_ERR_INVALID_ARGUMENT);
    assert_string_equal(reglet_error_message(error), message);
    assert_int_equal(file.count, 77);
    reglet_error_free(error);
}

/* --- whose it is --- */

/* Whoever can write the rules decides what is shown: such a file is refused, and so is one that it extends. */
static void file__that_others_may_write_is_refused(void **state) {
    (void)state;
    char directory[] = "/tmp/reglet-rules-XXXXXX", base[64], top[64];
    static const char rules[] = "[[rules]]\nid = \"x\"\nregex = \"ex_[0-9]{4}\"\n",
                      extends[] = "[extend]\npath = \"base.toml\"\n";
    assert_non_null(mkdtemp(directory));
    snprintf(base, sizeof base, "%s/base.toml", directory);
    snprintf(top, sizeof top, "%s/top.toml", directory);
    const char *const texts[] = {rules, extends}, *const paths[] = {base, top};
    for (size_t i = 0; i < 2; i++) {
        FILE *out = fopen(paths[i], "w");
        assert_non_null(out);
        fputs(texts[i], out);
        fclose(out);
    }
    static const struct {
        mode_t base, top;
        const char *refused;
    } cases[] = {{0644, 0600, NULL}, {0666, 0600, "base"}, {0620, 0600, "base"}, {0600, 0602, "top"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reglet__rule_file file = {0};
        reglet_error *error = NULL;
        assert_int_equal(chmod(base, cases[i].base), 0);
        assert_int_equal(chmod(top, cases[i].top), 0);
        reglet_status status = reglet__rule_file_read(top, &file, &error);
        assert_int_equal(status, cases[i].refused ? REGLET_ERR_IO : REGLET_OK);
        if (cases[i].refused) {
            assert_non_null(strstr(reglet_error_message(error), cases[i].refused));
            assert_non_null(strstr(reglet_error_message(error), "can be written by others"));
        } else {
            assert_string_equal(file.files[0], top);
            assert_string_equal(file.files[1], base);
            assert_null(file.files[2]);
        }
        reglet_error_free(error);
        reglet__rule_file_clear(&file);
    }
    unlink(base);
    unlink(top);
    rmdir(directory);
}

/* --- what is read --- */

static void file__every_key_is_read(void **state) {
    (void)state;
    struct reglet__rule_file file = read_file(REGLET_RULES_DIR "/every-key.toml");
    const struct reglet__rule *rule = rule_of(&file, "example-token");
    assert_non_null(rule);
    assert_string_equal(rule->regex, "\\bex_([0-9a-z]{4})-([0-9a-z]{16})\\b");
    assert_int_equal(rule->group, 2);
    assert_true(rule->entropy > 3.19 && rule->entropy < 3.21);
    assert_true(has(rule->keywords, "ex_"));
    assert_int_equal(rule->exception_count, 1);
    assert_int_equal(rule->exceptions[0].target, REGLET__EXCEPT_MATCH);
    assert_false(rule->exceptions[0].all);
    assert_true(has(rule->exceptions[0].regexes, "^ex_demo") && has(rule->exceptions[0].words, "sample"));
    reglet__rule_file_clear(&file);
}

static void file__keys_are_read_without_regard_to_case(void **state) {
    (void)state;
    struct reglet__rule_file file = parse("[[Rules]]\nID = 'a'\nREGEX = 'b'\nSecretgroup = 0\n");
    assert_non_null(rule_of(&file, "a"));
    reglet__rule_file_clear(&file);
}

static void allowlist__of_places_alone_or_as_a_condition_lets_nothing_through(void **state) {
    (void)state;
    struct reglet__rule_file file = read_file(REGLET_RULES_DIR "/every-key.toml");
    const struct reglet__rule *rule = rule_of(&file, "example-line");
    assert_int_equal(rule->exception_count, 2); /* the second of three wants a path */
    assert_true(rule->exceptions[0].all);
    assert_int_equal(rule->exceptions[0].target, REGLET__EXCEPT_LINE);
    assert_int_equal(file.exception_count, 2); /* the one of node_modules is not there */
    assert_true(has(file.exceptions[0].regexes, "^x+$") && has(file.exceptions[1].words, "from-base"));
    reglet__rule_file_clear(&file);
}

static void allowlist__with_target_rules_is_theirs(void **state) {
    (void)state;
    struct reglet__rule_file file = read_file(REGLET_RULES_DIR "/every-key.toml");
    const struct reglet__rule *line = rule_of(&file, "example-line"), *base = rule_of(&file, "base-token");
    assert_true(has(line->exceptions[1].words, "dummy"));
    assert_int_equal(base->exception_count, 1);
    assert_true(has(base->exceptions[0].words, "dummy"));
    reglet__rule_file_clear(&file);
}

static void rules__that_look_at_paths_only_or_serve_others_are_left_out(void **state) {
    (void)state;
    struct reglet__rule_file file = read_file(REGLET_RULES_DIR "/every-key.toml");
    assert_null(rule_of(&file, "example-file"));
    assert_null(rule_of(&file, "example-user"));
    reglet__rule_file_clear(&file);
}

/* --- extending --- */

static void extend__a_file_beside_is_merged_by_identifier(void **state) {
    (void)state;
    struct reglet__rule_file file = read_file(REGLET_RULES_DIR "/every-key.toml");
    const struct reglet__rule *rule = rule_of(&file, "base-token");
    assert_string_equal(rule->regex, "base_[0-9a-f]{32}");
    assert_true(rule->entropy > 2.4);
    assert_true(has(rule->keywords, "BASE") && has(rule->keywords, "base_"));
    assert_non_null(rule_of(&file, "base-other"));
    assert_null(rule_of(&file, "base-disabled"));
    assert_null(file.disabled); /* the built-in rules are not extended */
    assert_int_equal(file.count, 4);
    reglet__rule_file_clear(&file);
}

static void extend__default_rules_are_the_built_in_ones(void **state) {
    (void)state;
    struct reglet__rule_file file =
        parse("[extend]\nuseDefault = true\ndisabledRules = ['password', 'not-ours']\n"
              "[[rules]]\nid = 'json-web-token'\n[rules.allowlist]\nregexes = ['^eyJ0ZXN0']\n"
              "[[rules]]\nid = 'generic-api-key'\n[rules.allowlist]\nstopwords = ['x']\n"
              "[[allowlists]]\ntargetRules = ['private-key', 'not-ours']\nstopwords = ['test']\n");
    assert_true(has(file.disabled, "password") && has(file.disabled, "json-web-token"));
    const struct reglet__rule *token = rule_of(&file, "json-web-token"), *key = rule_of(&file, "private-key");
    assert_true(token && strstr(token->regex, "eyJ") && token->exception_count == 1);
    assert_true(key && key->runs_on && has(file.disabled, "private-key"));
    assert_null(rule_of(&file, "generic-api-key")); /* has no regex, and extends a rule that is not ours */
    reglet__rule_file_clear(&file);
}

static void extend__endlessly_is_refused(void **state) {
    (void)state;
    struct reglet__rule_file file;
    reglet_error *error = NULL;
    assert_int_equal(reglet__rule_file_read(REGLET_RULES_DIR "/loop.toml", &file, &error),
                     REGLET_ERR_INVALID_ARGUMENT);
    assert_non_null(
        strstr(reglet_error_message(error), "/loop.toml:1: `extend` goes more than 2 files deep"));
    reglet_error_free(error);
}

/* --- what is refused --- */

static void file__mistakes_are_named_with_their_line(void **state) {
    (void)state;
    assert_refused("\n[[rules]]\nregex = 'a'\n", "rules.toml:2: a rule without an id");
    assert_refused("[[rules]]\nid = 'a'\n",
                   "rules.toml:1: rule `a` has neither a regex nor a path: give it a regex");
    assert_refused("[[rules]]\nid = 'a'\nregex = 'b'\nentropy = 'high'\n",
                   "rules.toml:4: `entropy` is no number from 0 to 8");
    assert_refused("[[rules]]\nid = 'a'\nregex = 'b'\nsecretGroup = -1\n",
                   "rules.toml:4: `secretGroup` is no number from 0 to 100");
    assert_refused("[[rules]]\nid = 'a'\nregex = 7\n",
                   "rules.toml:3: `regex` is no text: write it in quotes");
    assert_refused("[rules]\nid = 'a'\n", "rules.toml:1: `rules` is no list of tables: write [[rules]]");
    assert_refused("[[rules]]\nid = 'a'\nregex = 'b'\nkeywords = ['']\n",
                   "rules.toml:4: an empty text in `keywords`: leave it out");
    assert_refused("[extend]\nuseDefault = true\npath = 'x'\n",
                   "rules.toml:1: `extend` has useDefault and a path: only one can be extended");
}

static void allowlist__mistakes_are_named_with_their_line(void **state) {
    (void)state;
    assert_refused("[allowlist]\nregexes = ['']\n", "rules.toml:2: an empty text in `regexes`: leave it out");
    assert_refused(
        "[allowlist]\ndescription = 'x'\n",
        "rules.toml:1: the allowlist of all rules is empty: give it regexes, stopwords, paths or commits");
    assert_refused("[allowlist]\nregexes = ['a']\ncondition = 'XOR'\n",
                   "rules.toml:1: the allowlist of all rules has the condition \"XOR\": AND or OR");
    assert_refused(
        "[allowlist]\nregexes = ['a']\nregexTarget = 'file'\n",
        "rules.toml:1: the allowlist of all rules has the regexTarget \"file\": secret, match or line");
    assert_refused("[[allowlists]]\ntargetRules = ['x']\nregexes = ['a']\n",
                   "rules.toml:1: an allowlist is for the rule `x`, which is not there");
    assert_refused(
        "[[rules]]\nid = 'a'\nregex = 'b'\n[rules.allowlist]\nregexes = ['c']\n[[rules.allowlists]]\n"
        "regexes = ['d']\n",
        "rules.toml:4: rule `a` has an allowlist and allowlists: write allowlists only");
}

static void file__that_is_no_toml_is_refused_in_one_line(void **state) {
    (void)state;
    static const char *const texts[] = {"[[rules]]\nid = \n", "\x01", "a = \"\xff\"", "rules:\n  - id: a\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct reglet__rule_file file;
        reglet_error *error = NULL;
        assert_int_equal(reglet__rule_file_parse("rules.toml", texts[i], strlen(texts[i]), &file, &error),
                         REGLET_ERR_INVALID_ARGUMENT);
        assert_non_null(strstr(reglet_error_message(error), ": not TOML: "));
        assert_null(strchr(reglet_error_message(error), '\n'));
        reglet_error_free(error);
    }
}

static void file__that_cannot_be_read_says_why(void **state) {
    (void)state;
    struct reglet__rule_file file;
    reglet_error *error = NULL;
    assert_int_equal(reglet__rule_file_read("/nonexistent/rules.toml", &file, &error), REGLET_ERR_IO);
    assert_string_equal(reglet_error_message(error),
                        "the rule file /nonexistent/rules.toml cannot be read: No such file or directory");
    reglet_error_free(error);
    error = NULL;
    assert_int_equal(reglet__rule_file_read("/dev/zero", &file, &error), REGLET_ERR_IO);
    assert_string_equal(reglet_error_message(error),
                        "the rule file /dev/zero cannot be read: it is no regular file");
    reglet_error_free(error);
}

static void file__that_is_too_large_is_refused(void **state) {
    (void)state;
    size_t size = REGLET__MAX_RULE_FILE_BYTES + 1;
    _cleanup_free_ char *text = malloc(size);
    struct reglet__rule_file file;
    assert_non_null(text);
    memset(text, '\n', size);
    assert_int_equal(reglet__rule_file_parse("rules.toml", text, size, &file, NULL),
                     REGLET_ERR_INVALID_ARGUMENT);
    assert_int_equal(reglet__rule_file_parse("rules.toml", text, size - 1, &file, NULL), REGLET_OK);
    reglet__rule_file_clear(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file__that_others_may_write_is_refused),
        cmocka_unit_test(file__every_key_is_read),
        cmocka_unit_test(file__keys_are_read_without_regard_to_case),
        cmocka_unit_test(allowlist__of_places_alone_or_as_a_condition_lets_nothing_through),
        cmocka_unit_test(allowlist__with_target_rules_is_theirs),
        cmocka_unit_test(rules__that_look_at_paths_only_or_serve_others_are_left_out),
        cmocka_unit_test(extend__a_file_beside_is_merged_by_identifier),
        cmocka_unit_test(extend__default_rules_are_the_built_in_ones),
        cmocka_unit_test(extend__endlessly_is_refused),
        cmocka_unit_test(file__mistakes_are_named_with_their_line),
        cmocka_unit_test(allowlist__mistakes_are_named_with_their_line),
        cmocka_unit_test(file__that_is_no_toml_is_refused_in_one_line),
        cmocka_unit_test(file__that_cannot_be_read_says_why),
        cmocka_unit_test(file__that_is_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
