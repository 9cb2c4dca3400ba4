#include <reglet/runtime.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "tests/unit/test.h"

enum { ARGS_MAX = 8 };

/* --- policies --- */

static size_t count(const char *const *args) {
    size_t n = 0;
    while (args[n])
        n++;
    return n;
}

static struct reglet__command_pin *parse(const char *command, const char *const *args) {
    reglet_error *error = NULL;
    struct reglet__command_pin *pin = NULL;
    if (reglet__command_pin_parse(command, args, count(args), &pin, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    return pin;
}

#define ARGS(...) ((const char *const[ARGS_MAX]){__VA_ARGS__})
#define NO_ARGS   ARGS(NULL)

static void pin(struct reglet__policy *policy, const char *command, const char *const *args) {
    assert_int_equal(reglet__policy_pin_command(policy, parse(command, args)), REGLET_OK);
}

static struct reglet__capability *capability(const char *text) {
    struct reglet__capability *parsed = NULL;
    assert_int_equal(reglet__capability_parse(text, &parsed, NULL), REGLET_OK);
    return parsed;
}

static void grant(struct reglet__policy *policy, const char *text) {
    assert_int_equal(reglet__policy_grant(policy, capability(text)), REGLET_OK);
}

static struct reglet__policy *policy_new(void) {
    struct reglet__policy *policy = NULL;
    assert_int_equal(reglet__policy_new(&policy), REGLET_OK);
    return policy;
}

static struct reglet__policy *pinned(const char *command, const char *const *args) {
    struct reglet__policy *policy = policy_new();
    pin(policy, command, args);
    return policy;
}

/* --- asking --- */

static struct reglet__decision decide(const struct reglet__policy *policy, const char *asked,
                                      const char *place, const char *file, const char *const *args) {
    struct reglet__command_request request = {
        .asked = asked, .place = place, .file = file, .args = args, .arg_count = count(args)};
    return reglet__policy_exec(policy, &request);
}

static void assert_decision(int line, struct reglet__decision decision, bool expected) {
    if (decision.allowed != expected)
        fail_msg("line %d: expected %s, got %s (%s)", line, expected ? "allowed" : "denied",
                 decision.allowed ? "allowed" : "denied", decision.allowed ? decision.rule : decision.reason);
    if (decision.allowed ? !decision.rule || decision.reason : decision.rule || !decision.reason)
        fail_msg("line %d: a decision has a rule when allowed, else a reason", line);
}
#define assert_run(policy, asked, place, file, args, expected)                                               \
    assert_decision(__LINE__, decide(policy, asked, place, file, args), expected)
#define assert_git(policy, args, expected)                                                                   \
    assert_decision(__LINE__, decide(policy, "/usr/bin/git", "/usr/bin/git", "/usr/bin/git", args), expected)

static const char others[] = "its arguments are pinned, and no pin has the arguments that it would get";

/* --- what a pin grants --- */

static void pin__is_a_grant_of_exactly_these_arguments(void **state) {
    (void)state;
    struct reglet__policy *policy = pinned("/usr/bin/git", ARGS("log", "--oneline"));
    assert_true(reglet__policy_has(policy, REGLET__KIND_EXEC));
    assert_git(policy, ARGS("log", "--oneline"), true);
    assert_git(policy, NO_ARGS, false);
    assert_git(policy, ARGS("log"), false);
    assert_git(policy, ARGS("log", "--oneline", "-p"), false);
    assert_git(policy, ARGS("--oneline", "log"), false);
    assert_git(policy, ARGS("log", "--onelin"), false);
    assert_git(policy, ARGS("log", "--oneline2"), false);
    struct reglet__decision decision =
        decide(policy, "/usr/bin/git", "/usr/bin/git", "/usr/bin/git", ARGS("log", "--oneline"));
    assert_string_equal(decision.rule, "exec:/usr/bin/git [log, --oneline]");
    decision = decide(policy, "/usr/bin/git", "/usr/bin/git", "/usr/bin/git", NO_ARGS);
    assert_string_equal(decision.reason, others);
    assert_true(decision.for_good);
    reglet__policy_free(policy);
}

static void pin__without_arguments_is_the_command_alone(void **state) {
    (void)state;
    struct reglet__policy *policy = pinned("/usr/bin/git", NO_ARGS);
    assert_git(policy, NO_ARGS, true);
    assert_git(policy, ARGS(""), false);
    reglet__policy_free(policy);
}

static void pin__an_argument_is_a_glob_in_which_a_slash_is_nothing_special(void **state) {
    (void)state;
    struct reglet__policy *policy = pinned("/usr/bin/git", ARGS("show", "*.[ch]", "v?.{1,2}", ""));
    assert_git(policy, ARGS("show", "src/../a/b.c", "v1.2", ""), true);
    assert_git(policy, ARGS("show", ".h", "v\xc3\xa4.1", ""), true);
    assert_git(policy, ARGS("show", "/.c", "v/.1", ""), true);
    assert_git(policy, ARGS("show", "a.c ", "v1.2", ""), false);
    assert_git(policy, ARGS("show", "a.c", "v1.3", ""), false);
    assert_git(policy, ARGS("show", "a.c", "v1.2", " "), false);
    reglet__policy_free(policy);
}

static void pin__a_star_is_any_one_argument(void **state) {
    (void)state;
    struct reglet__policy *policy = pinned("/usr/bin/git", ARGS("*"));
    assert_git(policy, ARGS("--exec=sh -c 'a\nb'"), true);
    assert_git(policy, ARGS(""), true);
    assert_git(policy, ARGS("\xff/\xfe"), true);
    assert_git(policy, NO_ARGS, false);
    assert_git(policy, ARGS("a", "b"), false);
    reglet__policy_free(policy);
}

static void pin__a_backslash_takes_the_meaning_from_a_character(void **state) {
    (void)state;
    struct reglet__policy *policy = pinned("/usr/bin/git", ARGS("\\*", "a\\/b"));
    assert_git(policy, ARGS("*", "a/b"), true);
    assert_git(policy, ARGS("x", "a/b"), false);
    reglet__policy_free(policy);
}

static void pin__several_of_one_command_add_up(void **state) {
    (void)state;
    struct reglet__policy *policy = pinned("/usr/bin/git", ARGS("status"));
    pin(policy, "/usr/bin/git", ARGS("log", "*"));
    assert_git(policy, ARGS("status"), true);
    assert_git(policy, ARGS("log", "-1"), true);
    assert_git(policy, ARGS("status", "-1"), false);
    reglet__policy_free(policy);
}

static void pin__of_a_shell_grants_it_by_that_spelling_alone(void **state) {
    (void)state;
    struct reglet__policy *policy = pinned("/bin/sh", ARGS("-c", "date"));
    assert_run(policy, "/bin/sh", "/bin/sh", "/bin/sh", ARGS("-c", "date"), true);
    assert_run(policy, "/bin/sh", "/bin/sh", "/bin/sh", ARGS("-c", "date; id"), false);
    assert_run(policy, "sh", "/bin/sh", "/bin/sh", ARGS("-c", "date"), false);
    assert_run(policy, "/tmp/sh", "/tmp/sh", "/bin/sh", ARGS("-c", "date"), false);
    reglet__policy_free(policy);
}

static void pin__of_a_name_grants_that_name(void **state) {
    (void)state;
    struct reglet__policy *policy = pinned("git", ARGS("status"));
    assert_run(policy, "git", "/usr/bin/git", "/usr/bin/git", ARGS("status"), true);
    assert_run(policy, "git", "/usr/bin/git", "/usr/bin/git", ARGS("push"), false);
    assert_git(policy, ARGS("status"), false);
    reglet__policy_free(policy);
}

/* --- what a pin takes away --- */

static void pin__takes_every_other_arguments_away_whatever_is_granted(void **state) {
    (void)state;
    static const char *const grants[] = {"exec:/usr/bin/df", "exec:/usr/bin/*", "exec:**"};
    for (size_t i = 0; i < 3; i++) {
        struct reglet__policy *policy = pinned("/usr/bin/df", ARGS("-h"));
        grant(policy, grants[i]);
        assert_run(policy, "/usr/bin/df", "/usr/bin/df", "/usr/bin/df", ARGS("-h"), true);
        assert_run(policy, "/usr/bin/df", "/usr/bin/df", "/usr/bin/df", ARGS("-a"), false);
        reglet__policy_free(policy);
    }
}

static void pin__leaves_other_commands_alone(void **state) {
    (void)state;
    struct reglet__policy *policy = pinned("/usr/bin/df", ARGS("-h"));
    grant(policy, "exec:/usr/bin/*");
    assert_run(policy, "/usr/bin/du", "/usr/bin/du", "/usr/bin/du", ARGS("-h", "-x"), true);
    reglet__policy_free(policy);
}

static void pin__of_a_path_is_not_passed_by_the_bare_name(void **state) {
    (void)state;
    static const char *const grants[] = {"exec:git", "exec:**"};
    for (size_t i = 0; i < 2; i++) {
        struct reglet__policy *policy = pinned("/usr/bin/git", ARGS("status"));
        assert_run(policy, "git", "/usr/bin/git", "/usr/bin/git", ARGS("status"),
                   false); /* nobody granted the name */
        grant(policy, grants[i]);
        assert_run(policy, "git", "/usr/bin/git", "/usr/bin/git", ARGS("status"), true);
        struct reglet__decision decision =
            decide(policy, "git", "/usr/bin/git", "/usr/bin/git", ARGS("push"));
        assert_decision(__LINE__, decision, false);
        assert_string_equal(decision.reason, others);
        reglet__policy_free(policy);
    }
}

static void pin__of_a_path_is_not_passed_by_a_link_to_the_file(void **state) {
    (void)state;
    struct reglet__policy *policy = pinned("/usr/bin/git", ARGS("status"));
    grant(policy, "exec:**");
    assert_run(policy, "/tmp/x", "/tmp/x", "/usr/bin/git", ARGS("status"), true);
    assert_run(policy, "/tmp/x", "/tmp/x", "/usr/bin/git", ARGS("push"), false);
    assert_run(policy, "/usr/../usr/bin/git", "/usr/bin/git", "/usr/bin/git", ARGS("push"), false);
    reglet__policy_free(policy);
}

static void pin__of_a_link_is_not_passed_by_its_file(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    struct reglet__command_pin *linked = parse("/usr/bin/pager", ARGS("-R"));
    assert_string_equal(reglet__command_pin_path(linked), "/usr/bin/pager");
    assert_int_equal(reglet__command_pin_resolve(linked, "/usr/bin/pager", "/opt/page"), REGLET_OK);
    assert_int_equal(reglet__policy_pin_command(policy, linked), REGLET_OK);
    grant(policy, "exec:**");
    assert_run(policy, "/usr/bin/pager", "/usr/bin/pager", "/opt/page", ARGS("-R"), true);
    assert_run(policy, "/opt/page", "/opt/page", "/opt/page", NO_ARGS, false);
    assert_run(policy, "/usr/bin/pager", "/usr/bin/pager", "/tmp/moved", NO_ARGS, false);
    reglet__policy_free(policy);
}

static void pin__of_a_name_is_not_passed_by_a_path(void **state) {
    (void)state;
    struct reglet__policy *policy = pinned("df", ARGS("-h"));
    grant(policy, "exec:**");
    assert_run(policy, "/usr/bin/df", "/usr/bin/df", "/usr/bin/df", ARGS("-h"), true);
    assert_run(policy, "/usr/bin/df", "/usr/bin/df", "/usr/bin/df", ARGS("-a"), false);
    assert_run(policy, "/tmp/x", "/tmp/x", "/opt/df", ARGS("-a"), false);
    assert_run(policy, "/tmp/df", "/tmp/df", "/opt/x", ARGS("-a"), false);
    reglet__policy_free(policy);
}

static void pin__does_not_hold_a_program_that_the_plugin_may_write(void **state) {
    (void)state;
    struct reglet__policy *policy = pinned("/d/tool", ARGS("-h"));
    struct reglet__capability *files = capability("fs:write:/d/**");
    assert_int_equal(reglet__capability_fs_resolve(files, "/d", NULL, 0), REGLET_OK);
    assert_int_equal(reglet__policy_grant(policy, files), REGLET_OK);
    grant(policy, "exec:**");
    struct reglet__decision decision = decide(policy, "/d/tool", "/d/tool", "/d/tool", ARGS("-h"));
    assert_decision(__LINE__, decision, false);
    assert_string_equal(decision.reason,
                        "its arguments are pinned, and the plugin may write this program itself");
    reglet__policy_free(policy);
}

static void pin__at_level_strict_needs_a_declaration(void **state) {
    (void)state;
    struct reglet__policy *policy = pinned("/usr/bin/git", ARGS("status"));
    reglet__policy_set_strict(policy, true);
    assert_git(policy, ARGS("status"), false);
    assert_false(reglet__policy_exec_spelling(policy, "/usr/bin/git").allowed);
    assert_int_equal(reglet__policy_declare(policy, capability("exec:/usr/bin/git")), REGLET_OK);
    assert_git(policy, ARGS("status"), true);
    assert_git(policy, ARGS("push"), false);
    assert_true(reglet__policy_exec_spelling(policy, "/usr/bin/git").allowed);
    reglet__policy_free(policy);
}

static void pin__lets_its_spelling_be_looked_at(void **state) {
    (void)state;
    struct reglet__policy *policy = pinned("/usr/bin/git", ARGS("status"));
    pin(policy, "df", NO_ARGS);
    assert_true(reglet__policy_exec_spelling(policy, "/usr/bin/git").allowed);
    assert_true(reglet__policy_exec_spelling(policy, "/x/../usr/bin/git").allowed);
    assert_true(reglet__policy_exec_spelling(policy, "df").allowed);
    assert_false(reglet__policy_exec_spelling(policy, "git").allowed);
    assert_false(reglet__policy_exec_spelling(policy, "/usr/bin/df").allowed);
    reglet__policy_free(policy);
}

/* --- cost --- */

static void pin__an_argument_made_to_be_slow_takes_a_bounded_time(void **state) {
    (void)state;
    enum { SIZE = 8 << 20 };
    struct reglet__policy *policy = pinned("/usr/bin/git", ARGS("*a*a*a*a*a*a*a*a*a*a*b"));
    char *slow = malloc(SIZE + 1);
    memset(slow, 'a', SIZE);
    slow[SIZE] = '\0';
    assert_git(policy, ARGS(slow), false);
    reglet__policy_free(policy);
    policy = pinned("/usr/bin/git", ARGS("*"));
    assert_git(policy, ARGS(slow), true);
    free(slow);
    reglet__policy_free(policy);
}

/* --- parsing --- */

static void assert_refused(int line, const char *command, const char *const *args, const char *message) {
    reglet_error *error = NULL;
    struct reglet__command_pin *out = NULL;
    reglet_status status = reglet__command_pin_parse(command, args, count(args), &out, &error);
    if (status != REGLET_ERR_INVALID_GRANT || out)
        fail_msg("line %d: %s was not refused", line, command);
    if (!strstr(reglet_error_message(error), message))
        fail_msg("line %d: \"%s\" does not say \"%s\"", line, reglet_error_message(error), message);
    reglet_error_free(error);
}

static void parse__a_pin_is_of_one_program(void **state) {
    (void)state;
    assert_refused(__LINE__, "**", NO_ARGS, "arguments cannot be pinned for \"**\"");
    assert_refused(__LINE__, "/bin/*", NO_ARGS, "arguments cannot be pinned for \"/bin/*\"");
    assert_refused(__LINE__, "bin/git", NO_ARGS, "a relative path");
    assert_refused(__LINE__, "", NO_ARGS, "the pattern is empty");
    assert_refused(__LINE__, "git log", NO_ARGS, "arguments are no part of a command");
}

static void parse__a_malformed_argument_is_refused_at_its_character(void **state) {
    (void)state;
    assert_refused(__LINE__, "git", ARGS("ok", "a**"), "pinned argument \"a**\", character at byte 1");
    assert_refused(__LINE__, "git", ARGS("**"), "character at byte 0");
    assert_refused(__LINE__, "git", ARGS("[a"), "'[' needs a ']'");
    assert_refused(__LINE__, "git", ARGS("{a,b"), "'{' needs a '}'");
    assert_refused(__LINE__, "git", ARGS("a\\"), "a backslash escapes");
    assert_refused(__LINE__, "git", ARGS("a\nb"),
                   "the control character U+000A cannot stand in a pinned argument");
    assert_refused(__LINE__, "git", ARGS("\xff"), "is not UTF-8");
    char endless[5001];
    memset(endless, 'a', 5000);
    endless[5000] = '\0';
    assert_refused(__LINE__, "git", ARGS(endless), "at most 4096 bytes");
}

static void check__says_which_argument_is_wrong(void **state) {
    (void)state;
    const char *const args[] = {"ok", "a[b", "c[d"}, *const with_null[] = {"ok", NULL};
    reglet_exec_pin given = {.command = "git", .args = args, .arg_count = 1};
    size_t wrong = 77;
    reglet_error *error = NULL;
    assert_int_equal(reglet_exec_pin_check(&given, &wrong, NULL), REGLET_OK);
    assert_int_equal(wrong, 77);
    given.arg_count = 3;
    assert_int_equal(reglet_exec_pin_check(&given, &wrong, &error), REGLET_ERR_INVALID_GRANT);
    assert_int_equal(wrong, 1);
    assert_int_equal(reglet_error_offset(error), 1);
    reglet_error_free(error);
    given.command = "/usr/bin/*";
    assert_int_equal(reglet_exec_pin_check(&given, &wrong, NULL), REGLET_ERR_INVALID_GRANT);
    assert_int_equal(wrong, 3);
    given = (reglet_exec_pin){.plugin = "p", .command = "git", .args = with_null, .arg_count = 2};
    assert_int_equal(reglet_exec_pin_check(&given, &wrong, NULL), REGLET_ERR_INVALID_ARGUMENT);
    assert_int_equal(reglet_exec_pin_check(NULL, NULL, NULL), REGLET_ERR_INVALID_ARGUMENT);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    reglet_runtime *runtime = NULL;
    options.exec_pins = &given;
    options.exec_pin_count = 1;
    assert_int_equal(reglet_runtime_new(&options, &runtime, NULL), REGLET_ERR_INVALID_ARGUMENT);
}

static void references__a_pin_serves_several_policies(void **state) {
    (void)state;
    struct reglet__command_pin *shared = parse("/usr/bin/git", NO_ARGS);
    struct reglet__policy *one = policy_new(), *two = policy_new();
    assert_int_equal(reglet__policy_pin_command(one, reglet__command_pin_ref(shared)), REGLET_OK);
    assert_int_equal(reglet__policy_pin_command(two, shared), REGLET_OK);
    reglet__policy_free(one);
    assert_git(two, NO_ARGS, true);
    reglet__policy_free(two);
    reglet__command_pin_free(NULL);
}

static void text__shows_where_an_argument_ends(void **state) {
    (void)state;
    static const struct {
        const char *args[3];
        const char *text;
    } cases[] = {{{NULL}, "exec:/bin/x []"},
                 {{"", NULL}, "exec:/bin/x [\"\"]"},
                 {{"a", "b*", NULL}, "exec:/bin/x [a, b*]"},
                 {{"a, b", NULL}, "exec:/bin/x [\"a, b\"]"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reglet__command_pin *parsed = parse("/bin/x", cases[i].args);
        assert_string_equal(reglet__command_pin_text(parsed), cases[i].text);
        reglet__command_pin_free(parsed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pin__is_a_grant_of_exactly_these_arguments),
        cmocka_unit_test(pin__without_arguments_is_the_command_alone),
        cmocka_unit_test(pin__an_argument_is_a_glob_in_which_a_slash_is_nothing_special),
        cmocka_unit_test(pin__a_star_is_any_one_argument),
        cmocka_unit_test(pin__a_backslash_takes_the_meaning_from_a_character),
        cmocka_unit_test(pin__several_of_one_command_add_up),
        cmocka_unit_test(pin__of_a_shell_grants_it_by_that_spelling_alone),
        cmocka_unit_test(pin__of_a_name_grants_that_name),
        cmocka_unit_test(pin__takes_every_other_arguments_away_whatever_is_granted),
        cmocka_unit_test(pin__leaves_other_commands_alone),
        cmocka_unit_test(pin__of_a_path_is_not_passed_by_the_bare_name),
        cmocka_unit_test(pin__of_a_path_is_not_passed_by_a_link_to_the_file),
        cmocka_unit_test(pin__of_a_link_is_not_passed_by_its_file),
        cmocka_unit_test(pin__of_a_name_is_not_passed_by_a_path),
        cmocka_unit_test(pin__does_not_hold_a_program_that_the_plugin_may_write),
        cmocka_unit_test(pin__at_level_strict_needs_a_declaration),
        cmocka_unit_test(pin__lets_its_spelling_be_looked_at),
        cmocka_unit_test(pin__an_argument_made_to_be_slow_takes_a_bounded_time),
        cmocka_unit_test(parse__a_pin_is_of_one_program),
        cmocka_unit_test(parse__a_malformed_argument_is_refused_at_its_character),
        cmocka_unit_test(check__says_which_argument_is_wrong),
        cmocka_unit_test(references__a_pin_serves_several_policies),
        cmocka_unit_test(text__shows_where_an_argument_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
