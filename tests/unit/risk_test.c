#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "tests/unit/test.h"

static struct reglet__capability *parse(const char *text) {
    reglet_error *error = NULL;
    struct reglet__capability *capability = NULL;
    if (reglet__capability_parse(text, &capability, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    return capability;
}

/* --- risk --- */

static void assert_risks(int line, reglet_risk expected, const char *const *texts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct reglet__capability *capability = parse(texts[i]);
        reglet_risk risk = reglet__capability_risk(capability);
        if (risk != expected)
            fail_msg("line %d: %s: expected %s, got %s", line, texts[i], reglet_risk_name(expected),
                     reglet_risk_name(risk));
        bool broad = reglet__capability_is_broad(capability, NULL, 0);
        if (broad != (expected == REGLET_RISK_HIGH))
            fail_msg("line %d: %s: broad is what is of high risk", line, texts[i]);
        reglet__capability_free(capability);
    }
}
#define assert_all(expected, ...)                                                                            \
    do {                                                                                                     \
        static const char *const texts[] = {__VA_ARGS__};                                                    \
        assert_risks(__LINE__, expected, texts, sizeof texts / sizeof texts[0]);                             \
    } while (0)

static void files__that_take_in_a_whole_tree_of_the_system_are_high(void **state) {
    (void)state;
    assert_all(REGLET_RISK_HIGH, "fs:read:/**", "fs:read:**", "fs:write:/**", "fs:read:/etc/**",
               "fs:write:/etc/**", "fs:read:/root/**", "fs:read:/home/**");
}

static void files__that_take_it_in_in_another_way_are_high(void **state) {
    (void)state;
    assert_all(REGLET_RISK_HIGH, "fs:read:/*/**", "fs:read:/**/*", "fs:read:**/*", "fs:read:/**/**",
               "fs:read:/home/*/**", "fs:read:/home/*/*/**", "fs:read:/e*/**", "fs:read:/{etc,opt}/**",
               "fs:read:/[e]tc/**", "fs:read:/?tc/**", "fs:read:/{,x}etc/**", "fs:read:/etc/**/*",
               "fs:read:/etc/**/[!.]*", "fs:read:/\\etc/**", "fs:read:/[!x]*/**", "fs:read:/r*t/**",
               "fs:write:**/**/*");
}

static void files__below_etc_are_medium(void **state) {
    (void)state;
    assert_all(REGLET_RISK_MEDIUM, "fs:read:/etc/hosts", "fs:read:/etc/ssh/**", "fs:read:/etc/*.conf",
               "fs:read:/etc/**/*.conf", "fs:read:/**/*.conf", "fs:read:/{etc,srv}/*.conf",
               "fs:read:**/passwd", "fs:read:/e?c/passwd");
}

static void files__written_where_programs_are_is_medium(void **state) {
    (void)state;
    assert_all(REGLET_RISK_MEDIUM, "fs:write:/etc/hosts", "fs:write:/usr/local/bin/*", "fs:write:/bin/x",
               "fs:write:/lib/**", "fs:write:/boot/**", "fs:write:/root/.ssh/authorized_keys",
               "fs:write:/var/spool/cron/**");
}

static void files__elsewhere_are_low(void **state) {
    (void)state;
    assert_all(REGLET_RISK_LOW, "fs:read:/srv/**", "fs:write:/srv/**", "fs:read:/usr/share/**",
               "fs:read:/etcetera/x", "fs:read:/home/a/project/**", "fs:read:/var/log/*.log",
               "fs:read:data/**", "fs:read:*.csv", "fs:read:/proc/cpuinfo");
}

static void files__a_relative_pattern_is_judged_by_where_it_leads(void **state) {
    (void)state;
    struct reglet__capability *capability = parse("fs:read:etc/**");
    assert_int_equal(reglet__capability_risk(capability), REGLET_RISK_LOW);
    assert_int_equal(reglet__capability_fs_resolve(capability, "/etc", NULL, 0), REGLET_OK);
    assert_int_equal(reglet__capability_risk(capability), REGLET_RISK_HIGH);
    reglet__capability_free(capability);
    capability = parse("fs:read:/conf/**");
    assert_int_equal(reglet__capability_fs_resolve(capability, "/etc", NULL, 0), REGLET_OK);
    assert_int_equal(reglet__capability_risk(capability), REGLET_RISK_HIGH);
    reglet__capability_free(capability);
}

static void network__every_host_at_every_port_is_high(void **state) {
    (void)state;
    assert_all(REGLET_RISK_HIGH, "network:outbound:*", "network:outbound:*:*", "network:outbound:1-65535",
               "network:outbound:1-1000,1001-65535", "network:outbound:1001-65535,500-1001,1-700",
               "network:outbound:0.0.0.0/0", "network:outbound:[::/0]");
    assert_all(REGLET_RISK_MEDIUM, "network:outbound:443", "network:outbound:2-65535",
               "network:outbound:1-10,12-65535", "network:outbound:private", "network:outbound:*.example.com",
               "network:outbound:10.0.0.0/8", "network:outbound:https://api.example.com/v1",
               "network:outbound:0.0.0.0/0:443");
}

static void variables__all_or_those_of_a_cloud_are_high(void **state) {
    (void)state;
    assert_all(REGLET_RISK_HIGH, "env:*", "env:AWS_*", "env:AZURE_*", "env:GCP_*", "env:A*", "env:AWS*",
               "env:G*");
    assert_all(REGLET_RISK_LOW, "env:HOME", "env:AWS_REGION", "env:AB*", "env:LC_*", "env:aws_*");
}

static void commands__shells_by_any_spelling_are_high(void **state) {
    (void)state;
    assert_all(REGLET_RISK_HIGH, "exec:**", "exec:sh", "exec:/bin/sh", "exec:/opt/x/bash5", "exec:python3.11",
               "exec:/usr/bin/env", "exec:xargs", "exec:busybox", "exec:sudo",
               "exec:/lib64/ld-linux-x86-64.so.2");
    assert_all(REGLET_RISK_MEDIUM, "exec:/usr/bin/git", "exec:git", "exec:df", "exec:/usr/bin/*", "exec:/*");
}

static void commands__a_link_to_a_shell_is_high(void **state) {
    (void)state;
    struct reglet__capability *capability = parse("exec:/usr/bin/report");
    assert_int_equal(reglet__capability_risk(capability), REGLET_RISK_MEDIUM);
    assert_int_equal(reglet__capability_exec_resolve(capability, "/usr/bin/report", "/usr/bin/dash"),
                     REGLET_OK);
    assert_int_equal(reglet__capability_risk(capability), REGLET_RISK_HIGH);
    reglet__capability_free(capability);
}

static void keys__all_are_medium(void **state) {
    (void)state;
    assert_all(REGLET_RISK_MEDIUM, "kv:read:**", "kv:write:**", "kv:read-write:/**", "kv:read:**/*");
    assert_all(REGLET_RISK_LOW, "kv:read:settings/**", "kv:write:a", "kv:read:*");
}

static void broad__the_operators_patterns_are_compared_as_text(void **state) {
    (void)state;
    static const char *const patterns[] = {"fs:read:/srv/**", "exec:git"};
    struct reglet__capability *capability = parse("fs:read:/srv/**");
    assert_false(reglet__capability_is_broad(capability, NULL, 0));
    assert_true(reglet__capability_is_broad(capability, patterns, 2));
    reglet__capability_free(capability);
    capability = parse("fs:read:/srv/*");
    assert_false(reglet__capability_is_broad(capability, patterns, 2));
    reglet__capability_free(capability);
}

/* --- sentences --- */

static void assert_sentences(const char *const (*pairs)[2], size_t count) {
    for (size_t i = 0; i < count; i++) {
        char *sentence = NULL;
        reglet_error *error = NULL;
        if (reglet_capability_explain(pairs[i][0], NULL, &sentence, &error) != REGLET_OK)
            fail_msg("%s", reglet_error_message(error));
        assert_string_equal(sentence, pairs[i][1]);
        free(sentence);
    }
}
#define assert_all_say(pairs) assert_sentences(pairs, sizeof(pairs) / sizeof(pairs)[0])

static void sentence__files(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"fs:read:/etc/hosts", "Read the file /etc/hosts."},
        {"fs:write:/srv/x", "Create, change and remove the file /srv/x."},
        {"fs:read:/etc/ssh/**", "Read every file below /etc/ssh."},
        {"fs:read:/srv/*", "Read every file directly in /srv."},
        {"fs:read:/*", "Read every file directly in /."},
        {"fs:read:/**", "Read every file."},
        {"fs:write:**", "Create, change and remove every file."},
        {"fs:read:/srv/*.{yml,yaml}", "Read the files that match /srv/*.{yml,yaml}."},
        {"fs:read:**/*.txt", "Read the files that match **/*.txt."},
        {"fs:read:data/**", "Read every file below data in the working directory."},
        {"fs:read:*.csv", "Read the files that match *.csv in the working directory."},
        {"fs:read:*", "Read the files that match * in the working directory."},
        {"fs:read:/d/\\*", "Read the file /d/*."},
    };
    assert_all_say(pairs);
}

static void sentence__network(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"network:outbound:443", "Connect to any host at port 443, but not to private addresses."},
        {"network:outbound:*", "Connect to any host at any port, but not to private addresses."},
        {"network:outbound:80,443", "Connect to any host at ports 80 and 443, but not to private addresses."},
        {"network:outbound:*:80,443,8000-9000",
         "Connect to any host at ports 80, 443 and 8000 to 9000, but not to private addresses."},
        {"network:outbound:8000-9000",
         "Connect to any host at ports 8000 to 9000, but not to private addresses."},
        {"network:outbound:API.example.com:443",
         "Connect to api.example.com at port 443, but not to private addresses."},
        {"network:outbound:*.example.com",
         "Connect to every host below example.com at any port, but not to private addresses."},
        {"network:outbound:10.0.0.1:5432", "Connect to the address 10.0.0.1 at port 5432."},
        {"network:outbound:[::1]", "Connect to the address ::1 at any port."},
        {"network:outbound:10.0.0.0/8:5432", "Connect to every address in 10.0.0.0/8 at port 5432."},
        {"network:outbound:0.0.0.0/0:22",
         "Connect to every address in 0.0.0.0/0 at port 22, but not to private addresses."},
        {"network:outbound:private",
         "Connect to private addresses too, this machine's own among them, wherever another grant allows host and "
         "port."},
        {"network:outbound:https://api.example.com/v1",
         "Send HTTP requests to https://api.example.com/v1 and everything below it, but not to private addresses."},
        {"network:outbound:http://127.0.0.1:8080",
         "Send HTTP requests to http://127.0.0.1:8080 and everything below it."},
    };
    assert_all_say(pairs);
}

static void sentence__variables_commands_and_keys(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"env:HOME", "Read the environment variable HOME."},
        {"env:AWS_*", "Read the environment variables that start with AWS_."},
        {"env:*", "Read every environment variable."},
        {"exec:/usr/bin/git", "Run /usr/bin/git with any arguments."},
        {"exec:git", "Run git, as it is found on the PATH, with any arguments."},
        {"exec:/bin/sh", "Run /bin/sh with any arguments, and with it every other program."},
        {"exec:env",
         "Run env, as it is found on the PATH, with any arguments, and with it every other program."},
        {"exec:/opt/tools/*",
         "Run every program directly in /opt/tools with any arguments, except shells, interpreters and programs that "
         "run others."},
        {"exec:/*",
         "Run every program directly in / with any arguments, except shells, interpreters and programs that run "
         "others."},
        {"exec:**", "Run every command with any arguments, shells included."},
        {"kv:read:settings/*", "Read every key directly in settings of the store."},
        {"kv:write:settings/a", "Write the key settings/a of the store."},
        {"kv:read-write:**", "Read and write every key of the store."},
        {"kv:read:a*", "Read the keys that match a* of the store."},
    };
    assert_all_say(pairs);
}

static void sentence__shows_marks_that_turn_text_around(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"exec:/opt/\xe2\x80\xaegit", "Run /opt/\\u202egit with any arguments."},
        {"fs:read:/srv/a\xe2\x80\xa8"
         "b",
         "Read the file /srv/a\\u2028b."},
    };
    assert_all_say(pairs);
}

static void sentence__of_the_longest_list_of_ports_is_whole(void **state) {
    (void)state;
    char text[5000] = "network:outbound:1-2";
    while (strlen(text) < 4090)
        strcat(text, ",1-2");
    char *sentence = NULL;
    assert_int_equal(reglet_capability_explain(text, NULL, &sentence, NULL), REGLET_OK);
    assert_non_null(strstr(sentence, "1 to 2 and 1 to 2, but not to private addresses."));
    free(sentence);
}

/* --- the public functions --- */

static void explain__gives_both_and_leaves_outputs_alone_on_failure(void **state) {
    (void)state;
    reglet_risk risk = REGLET_RISK_LOW;
    char *sentence = NULL;
    assert_int_equal(reglet_capability_explain("exec:/bin/sh", &risk, NULL, NULL), REGLET_OK);
    assert_int_equal(risk, REGLET_RISK_HIGH);
    assert_int_equal(reglet_capability_explain("exec:a b", &risk, &sentence, NULL), REGLET_ERR_INVALID_GRANT);
    assert_int_equal(reglet_capability_explain(NULL, &risk, &sentence, NULL), REGLET_ERR_INVALID_ARGUMENT);
    assert_int_equal(risk, REGLET_RISK_HIGH);
    assert_null(sentence);
}

static void risk_name__of_each(void **state) {
    (void)state;
    assert_string_equal(reglet_risk_name(REGLET_RISK_LOW), "low");
    assert_string_equal(reglet_risk_name(REGLET_RISK_MEDIUM), "medium");
    assert_string_equal(reglet_risk_name(REGLET_RISK_HIGH), "high");
    assert_string_equal(reglet_risk_name((reglet_risk)99), "high");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files__that_take_in_a_whole_tree_of_the_system_are_high),
        cmocka_unit_test(files__that_take_it_in_in_another_way_are_high),
        cmocka_unit_test(files__below_etc_are_medium),
        cmocka_unit_test(files__written_where_programs_are_is_medium),
        cmocka_unit_test(files__elsewhere_are_low),
        cmocka_unit_test(files__a_relative_pattern_is_judged_by_where_it_leads),
        cmocka_unit_test(network__every_host_at_every_port_is_high),
        cmocka_unit_test(variables__all_or_those_of_a_cloud_are_high),
        cmocka_unit_test(commands__shells_by_any_spelling_are_high),
        cmocka_unit_test(commands__a_link_to_a_shell_is_high),
        cmocka_unit_test(keys__all_are_medium),
        cmocka_unit_test(broad__the_operators_patterns_are_compared_as_text),
        cmocka_unit_test(sentence__files),
        cmocka_unit_test(sentence__network),
        cmocka_unit_test(sentence__variables_commands_and_keys),
        cmocka_unit_test(sentence__shows_marks_that_turn_text_around),
        cmocka_unit_test(sentence__of_the_longest_list_of_ports_is_whole),
        cmocka_unit_test(explain__gives_both_and_leaves_outputs_alone_on_failure),
        cmocka_unit_test(risk_name__of_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
