#define _GNU_SOURCE
#include "tests/integration/servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a plugin declares and is granted, what would be decided, security levels and pinned arguments. */

/* --- Lists ------------------------------------------------------------------------------------------------ */

static const reglet_capability_view *view_of(const reglet_capability_view *views, size_t count,
                                             const char *capability) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(views[i].capability, capability) == 0)
            return &views[i];
    fail_msg("%s is not listed", capability);
    return NULL;
}

static const reglet_grants *grants_of(reglet_plugin *plugin) {
    const reglet_grants *grants = NULL;
    reglet_error *error = NULL;
    EXPECT(reglet_plugin_grants(plugin, NULL, &grants, &error), REGLET_OK, error);
    return grants;
}

static void grants__tell_what_is_declared_and_what_covers_it(void **state) {
    (void)state;
    static const reglet_grant given[] = {{"relay", "network:outbound:*"}, {"other", "env:OTHER"}};
    static const char *const shared[] = {"fs:read:/etc/**"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = given;
    options.grant_count = 2;
    options.shared_grants = shared;
    options.shared_grant_count = 1;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "relay");
    const reglet_grants *grants = grants_of(plugin);

    assert_int_equal(grants->declared_count, 6);
    const reglet_capability_view *network =
        view_of(grants->declared, grants->declared_count, "network:outbound:*");
    assert_true(network->valid && network->broad);
    assert_int_equal(network->risk, REGLET_RISK_HIGH);
    assert_string_equal(network->granted_by, "network:outbound:*");
    assert_non_null(strstr(network->sentence, "private"));
    assert_null(view_of(grants->declared, grants->declared_count, "exec:**")->granted_by);

    assert_int_equal(grants->granted_count, 2); /* not the other plugin's */
    assert_false(view_of(grants->granted, grants->granted_count, "network:outbound:*")->shared);
    assert_true(view_of(grants->granted, grants->granted_count, "fs:read:/etc/**")->shared);
    assert_int_equal(strlen(grants->sha256), 64);
    reglet_grants_free(grants);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void grants__outlive_plugin_and_runtime(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime_granting("relay", "env:HOME");
    reglet_plugin *plugin = load_guest(runtime, "relay");
    const reglet_grants *grants = grants_of(plugin);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    assert_string_equal(grants->granted[0].capability, "env:HOME");
    reglet_grants_free(grants);
    reglet_grants_free(NULL);
}

/* --- Questions -------------------------------------------------------------------------------------------- */

struct question {
    const char *asked;
    bool allowed;
    const char *rule;  /* or NULL */
    const char *grant; /* or NULL */
};

static void expect_decisions(reglet_plugin *plugin, const struct question *questions, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const reglet_decision *decision = NULL;
        reglet_error *error = NULL;
        EXPECT(reglet_plugin_ask(plugin, questions[i].asked, NULL, &decision, &error), REGLET_OK, error);
        const char *rule = decision->rule ? decision->rule : "(none)";
        const char *grant = decision->grant ? decision->grant : "(none)";
        if (decision->allowed != questions[i].allowed ||
            strcmp(rule, questions[i].rule ? questions[i].rule : "(none)") != 0 ||
            strcmp(grant, questions[i].grant ? questions[i].grant : "(none)") != 0)
            fail_msg("%s: allowed %d, rule %s, grant %s: %s", questions[i].asked, decision->allowed, rule,
                     grant, decision->reason);
        assert_string_equal(decision->asked, questions[i].asked);
        assert_non_null(decision->reason);
        reglet_decision_free(decision);
    }
}
#define EXPECT_DECISIONS(plugin, questions)                                                                  \
    expect_decisions(plugin, questions, sizeof(questions) / sizeof *(questions))

static void ask__says_what_would_be_decided_and_by_which_rule(void **state) {
    (void)state;
    static const reglet_grant given[] = {{"relay", "network:outbound:443"},
                                         {"relay", "network:outbound:https://a.example/v1"},
                                         {"relay", "env:AWS_*"},
                                         {"relay", "fs:read:/etc/passwd"},
                                         {"relay", "exec:/usr/bin/env"},
                                         {"relay", "kv:read:a/*"}};
    static const struct question questions[] = {
        {"network:outbound:example.org:443", true, "network:outbound:443", NULL},
        {"network:outbound:example.org:80", false, NULL, "network:outbound:example.org:80"},
        {"network:outbound:10.0.0.1:443", false, NULL, "network:outbound:private"},
        {"network:outbound:169.254.169.254:443", false, NULL, "network:outbound:169.254.169.254:443"},
        {"network:outbound:https://a.example/v1/x", true, "network:outbound:443", NULL},
        {"env:AWS_REGION", true, "env:AWS_*", NULL},
        {"env:HOME", false, NULL, "env:HOME"},
        {"fs:read:/etc/passwd", true, "fs:read:/etc/passwd", NULL},
        {"fs:read:/etc/../etc//passwd", true, "fs:read:/etc/passwd", NULL},
        {"fs:write:/etc/passwd", false, NULL, "fs:write:/etc/passwd"},
        {"fs:read:/etc/no-such-file", false, NULL, "fs:read:/etc/no-such-file"},
        {"fs:read:/proc/self/environ", false, NULL, NULL},
        {"exec:/usr/bin/env", true, "exec:/usr/bin/env", NULL},
        {"exec:git", false, NULL, "exec:git"},
        {"kv:read:a/b", true, "kv:read:a/*", NULL},
        {"kv:write:a/b", false, NULL, "kv:write:a/b"},
    };
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = given;
    options.grant_count = sizeof given / sizeof *given;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "relay");
    EXPECT_DECISIONS(plugin, questions);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void ask__for_no_single_thing_is_refused_at_the_character(void **state) {
    (void)state;
    static const char *const requests[] = {
        "",        "fs:read:relative", "fs:read",         "fs:look:/etc", "network:outbound:443",
        "env:A*",  "exec:/bin/*",      "network:inbound", "kv:read:*",    "network:outbound:*",
        "env:A B", "http://a.example/"};
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "relay");
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        const reglet_decision *decision = NULL;
        reglet_error *error = NULL;
        reglet_status status = reglet_plugin_ask(plugin, requests[i], NULL, &decision, &error);
        assert_true(reglet_error_offset(error) >= 0);
        expect_status(status, REGLET_ERR_INVALID_GRANT, error, requests[i]);
        assert_null(decision);
    }
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* --- Patterns ---------------------------------------------------------------------------------------------- */

/* Wherever it stands: no runtime, and whose it is and which character is wrong. */
static void pattern__that_is_malformed_refuses_the_runtime_at_its_character(void **state) {
    (void)state;
    static const struct {
        const char *capability;
        ptrdiff_t offset;
    } cases[] = {{"network:outbound:10.0.0.0/x", 26},
                 {"network:outbound:22:22", 17},
                 {"network:outbound:0", 17},
                 {"fs:read:/etc/../shadow", 13},
                 {"exec:git status", 8},
                 {"env:A-B", 5},
                 {"kv:delete:a", 3},
                 {"net:outbound:443", 0},
                 {"", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int list = 0; list < 3; list++) {
            static const char *const whose[] = {"plugin \"relay\"", "all plugins", "broad"};
            const reglet_grant grant = {"relay", cases[i].capability};
            reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
            options.grants = &grant;
            options.grant_count = list == 0;
            options.shared_grants = &cases[i].capability;
            options.shared_grant_count = list == 1;
            options.broad_patterns = &cases[i].capability;
            options.broad_pattern_count = list == 2;
            reglet_runtime *runtime = NULL;
            reglet_error *error = NULL;
            reglet_status status = reglet_runtime_new(&options, &runtime, &error);
            if (status != REGLET_ERR_INVALID_GRANT || reglet_error_offset(error) != cases[i].offset ||
                !strstr(reglet_error_message(error), whose[list]))
                fail_msg("\"%s\" of %s: %s at %td: %s", cases[i].capability, whose[list],
                         reglet_status_name(status), reglet_error_offset(error), reglet_error_message(error));
            assert_null(runtime);
            reglet_error_free(error);
        }
}

/* --- Levels ----------------------------------------------------------------------------------------------- */

/* A runtime that may not be possible: its error's message, or NULL. To be freed. */
static char *refusal(const reglet_runtime_options *options) {
    reglet_runtime *runtime = NULL;
    reglet_error *error = NULL;
    reglet_status status = reglet_runtime_new(options, &runtime, &error);
    char *message = status == REGLET_OK ? NULL : strdup(reglet_error_message(error));
    reglet_error_free(error);
    reglet_runtime_free(runtime);
    return message;
}

static reglet_runtime_options at_level(reglet_security_level level, const reglet_grant *grant) {
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.security_level = level;
    options.grants = grant;
    options.grant_count = grant != NULL;
    return options;
}

static void expect_part(char *message, const char *part) {
    if (!message || !strstr(message, part))
        fail_msg("expected \"%s\" in \"%s\"", part, message ? message : "(none)");
    free(message);
}

static void level_strict__refuses_broad_and_unpinned_grants(void **state) {
    (void)state;
    static const char *const broad[] = {"env:*", "exec:**", "network:outbound:*", "fs:read:/**", "exec:bash"};
    static const char any_hash[] = "0000000000000000000000000000000000000000000000000000000000000000";
    const reglet_pin pin = {"relay", any_hash};
    for (size_t i = 0; i < sizeof broad / sizeof *broad; i++) {
        const reglet_grant grant = {"relay", broad[i]};
        reglet_runtime_options options = at_level(REGLET_SECURITY_STRICT, &grant);
        options.pins = &pin;
        options.pin_count = 1;
        expect_part(refusal(&options), "is broad, which level strict refuses");
    }
    const reglet_grant narrow = {"relay", "env:HOME"};
    reglet_runtime_options options = at_level(REGLET_SECURITY_STRICT, &narrow);
    expect_part(refusal(&options), "its module is not pinned by SHA-256");
    options.pins = &pin;
    options.pin_count = 1;
    assert_null(refusal(&options));
    static const char *const shared[] = {"fs:read:/etc/**"};
    options.shared_grants = shared;
    options.shared_grant_count = 1;
    expect_part(refusal(&options), "grant for all plugins: \"fs:read:/etc/**\" is broad");
}

static void level_strict__wants_a_declaration_too(void **state) {
    (void)state;
    /* The file plugin declares files to read, and no variables. */
    reglet_runtime *first = new_runtime(NULL);
    reglet_plugin *probe = load_guest(first, "file");
    const reglet_grants *declared = grants_of(probe);
    const reglet_pin pin = {"file", declared->sha256};
    static const reglet_grant given[] = {{"file", "fs:read:/etc/passwd"}, {"file", "env:HOME"}};
    reglet_runtime_options options = at_level(REGLET_SECURITY_STRICT, NULL);
    options.grants = given;
    options.grant_count = 2;
    options.pins = &pin;
    options.pin_count = 1;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "file");
    static const struct question questions[] = {
        {"fs:read:/etc/passwd", true, "fs:read:/etc/passwd", NULL},
    };
    EXPECT_DECISIONS(plugin, questions);
    const reglet_decision *decision = NULL;
    EXPECT(reglet_plugin_ask(plugin, "env:HOME", NULL, &decision, NULL), REGLET_OK, NULL);
    assert_false(decision->allowed);
    assert_non_null(strstr(decision->reason, "declare"));
    reglet_decision_free(decision);
    reglet_grants_free(declared);
    reglet_plugin_unref(probe);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(first);
    reglet_runtime_free(runtime);
}

static void level__decides_whether_broad_grants_are_told(void **state) {
    (void)state;
    static const reglet_security_level levels[] = {REGLET_SECURITY_STANDARD, REGLET_SECURITY_PERMISSIVE};
    static const char *const own[] = {"env:HOME"};
    static const reglet_grant given[] = {{"relay", "env:*"}, {"relay", "env:HOME"}, {"relay", "env:LANG"}};
    for (size_t i = 0; i < 2; i++) {
        struct events events;
        events_init(&events);
        reglet_runtime_options options = at_level(levels[i], NULL);
        options.grants = given;
        options.grant_count = 3;
        options.broad_patterns = own;
        options.broad_pattern_count = 1;
        options.log = events_collect;
        options.log_user_data = &events;
        reglet_runtime_free(new_runtime(&options));
        bool told = levels[i] == REGLET_SECURITY_STANDARD;
        assert_int_equal(events_contain(&events, "the grant env:* is broad"), told);
        assert_int_equal(events_contain(&events, "the grant env:HOME is broad"), told);
        assert_false(events_contain(&events, "env:LANG"));
        events_free(&events);
    }
}

static void level__that_is_none_is_refused(void **state) {
    (void)state;
    reglet_runtime_options options = at_level((reglet_security_level)7, NULL);
    expect_part(refusal(&options), "security_level is 7");
}

/* --- Pinned arguments --------------------------------------------------------------------------------------- */

static void exec_pin__allows_these_arguments_and_no_others(void **state) {
    (void)state;
    static const char *const args[] = {"granted*"};
    static const reglet_exec_pin pin = {"relay", "/bin/echo", args, 1};
    static const reglet_grant wide = {"relay", "exec:/bin/echo"};
    for (int granted = 0; granted <= 1; granted++) { /* a grant beside it does not widen it */
        reglet_runtime_options options = at_level(REGLET_SECURITY_STANDARD, granted ? &wide : NULL);
        options.exec_pins = &pin;
        options.exec_pin_count = 1;
        reglet_runtime *runtime = new_runtime(&options);
        reglet_plugin *plugin = load_guest(runtime, "relay");
        char *answer = relay(plugin, "exec_command", "{'command':'/bin/echo','args':['granted/x']}");
        expect_member(answer, "/stdout", "granted/x\n");
        free(answer);
        static const char *const refused[] = {"{'command':'/bin/echo','args':['-n']}",
                                              "{'command':'/bin/echo'}",
                                              "{'command':'/bin/echo','args':['granted','x']}"};
        for (size_t i = 0; i < 3; i++) {
            answer = relay(plugin, "exec_command", "%s", refused[i]);
            expect_member(answer, "/error/type", "capability");
            expect_member_contains(answer, "/error/message", "argument");
            free(answer);
        }
        const reglet_grants *grants = grants_of(plugin);
        view_of(grants->granted, grants->granted_count, "exec:/bin/echo [granted*]");
        reglet_grants_free(grants);
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
    }
}

/* `bash -c *` is every command, however well the rest of it is pinned. */
static void exec_pin__of_a_shell_with_a_wildcard_is_broad(void **state) {
    (void)state;
    static const char any_hash[] = "0000000000000000000000000000000000000000000000000000000000000000";
    static const reglet_pin module = {"relay", any_hash};
    static const char *const open_args[] = {"-c", "*"}, *const exact_args[] = {"-c", "echo \\*"};
    static const struct {
        reglet_exec_pin pin;
        bool broad;
    } cases[] = {{{"relay", "/bin/sh", open_args, 2}, true},
                 {{"relay", "find", open_args, 2}, true},
                 {{"relay", "/bin/sh", exact_args, 2}, false},
                 {{"relay", "/bin/echo", open_args, 2}, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reglet_runtime_options options = at_level(REGLET_SECURITY_STANDARD, NULL);
        options.exec_pins = &cases[i].pin;
        options.exec_pin_count = 1;
        reglet_runtime *runtime = new_runtime(&options);
        reglet_plugin *plugin = load_guest(runtime, "relay");
        const reglet_grants *grants = grants_of(plugin);
        assert_int_equal(grants->granted_count, 1);
        assert_int_equal(grants->granted[0].broad, cases[i].broad);
        assert_int_equal(grants->granted[0].risk, cases[i].broad ? REGLET_RISK_HIGH : REGLET_RISK_MEDIUM);
        reglet_grants_free(grants);
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
        options.security_level = REGLET_SECURITY_STRICT;
        options.pins = &module;
        options.pin_count = 1;
        char *message = refusal(&options);
        if (cases[i].broad)
            expect_part(message, "is broad, which level strict refuses");
        else
            assert_null(message);
    }
}

static void exec_pin__that_makes_no_sense_is_refused(void **state) {
    (void)state;
    static const char *const bad_glob[] = {"[a"};
    const struct {
        reglet_exec_pin pin;
        const char *part;
    } cases[] = {
        {{"relay", NULL, NULL, 0}, "no command"},
        {{"relay", "/bin/echo", NULL, 1}, "args is NULL"},
        {{"relay", "/bin/*", NULL, 0}, "name one program"},
        {{"relay", "**", NULL, 0}, "name one program"},
        {{"relay", "bin/echo", NULL, 0}, "relative path"},
        {{"relay", "/bin/echo", bad_glob, 1}, "exec pin of plugin \"relay\""},
        {{"", "/bin/echo", NULL, 0}, "the plugin's name is empty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
        options.exec_pins = &cases[i].pin;
        options.exec_pin_count = 1;
        expect_part(refusal(&options), cases[i].part);
    }
}

/* --- Other options ------------------------------------------------------------------------------------------ */

static void options__that_name_nothing_usable_are_refused(void **state) {
    (void)state;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.ca_file = "/no/such/file.pem";
    expect_part(refusal(&options), "/no/such/file.pem");
    options.ca_file = "/etc/passwd";
    expect_part(refusal(&options), "/etc/passwd");
    options.ca_file = NULL;
    options.nameservers = "not an address";
    expect_part(refusal(&options), "nameserver");
    options.nameservers = "";
    expect_part(refusal(&options), "nameserver");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grants__tell_what_is_declared_and_what_covers_it),
        cmocka_unit_test(grants__outlive_plugin_and_runtime),
        cmocka_unit_test(ask__says_what_would_be_decided_and_by_which_rule),
        cmocka_unit_test(ask__for_no_single_thing_is_refused_at_the_character),
        cmocka_unit_test(pattern__that_is_malformed_refuses_the_runtime_at_its_character),
        cmocka_unit_test(level_strict__refuses_broad_and_unpinned_grants),
        cmocka_unit_test(level_strict__wants_a_declaration_too),
        cmocka_unit_test(level__decides_whether_broad_grants_are_told),
        cmocka_unit_test(level__that_is_none_is_refused),
        cmocka_unit_test(exec_pin__allows_these_arguments_and_no_others),
        cmocka_unit_test(exec_pin__of_a_shell_with_a_wildcard_is_broad),
        cmocka_unit_test(exec_pin__that_makes_no_sense_is_refused),
        cmocka_unit_test(options__that_name_nothing_usable_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
