#include <string.h>

#include "tests/unit/policy_fixture.h"

static void assert_covering(int line, const struct reglet__policy *policy, const char *declared,
                            const char *expected) {
    struct reglet__capability *capability = parse(declared);
    const char *rule = reglet__policy_covering(policy, capability);
    if (!rule != !expected || (rule && expected && strcmp(rule, expected) != 0))
        fail_msg("line %d: %s: expected %s, got %s", line, declared, expected ? expected : "none",
                 rule ? rule : "none");
    reglet__capability_free(capability);
}

/* Whether one grant covers each of the declarations, as named by "+" or "-" in front. */
static void assert_cases(int line, const char *grant, const char *const *declared, size_t count) {
    struct reglet__policy *policy = granted(grant);
    for (size_t i = 0; i < count; i++)
        assert_covering(line, policy, declared[i] + 1, declared[i][0] == '+' ? grant : NULL);
    reglet__policy_free(policy);
}
#define assert_grant(grant, ...)                                                                             \
    do {                                                                                                     \
        static const char *const declared[] = {__VA_ARGS__};                                                 \
        assert_cases(__LINE__, grant, declared, sizeof declared / sizeof declared[0]);                       \
    } while (0)

static void covering__without_grants_is_none(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    assert_covering(__LINE__, policy, "env:HOME", NULL);
    assert_covering(__LINE__, policy, "fs:read:/etc/hosts", NULL);
    assert_covering(__LINE__, policy, "exec:/bin/ls", NULL);
    reglet__policy_free(policy);
}

static void files__by_a_tree_above_them(void **state) {
    (void)state;
    assert_grant("fs:read:/etc/**", "+fs:read:/etc/**", "+fs:read:/etc/hosts", "+fs:read:/etc/ssh/**",
                 "+fs:read:/etc/*.conf", "-fs:write:/etc/hosts", "-fs:read:/etcetera/**", "-fs:read:/**",
                 "-fs:read:/*/ssh", "-env:HOME");
    assert_grant("fs:read:/**", "+fs:read:/etc/**", "+fs:read:**", "+fs:read:data/*.csv",
                 "-fs:read:/proc/cpuinfo", "-fs:read:/proc/self/environ", "-fs:read:/dev/mem",
                 "+fs:read:/dev/null");
}

static void files__one_by_any_pattern_that_matches_it(void **state) {
    (void)state;
    assert_grant("fs:read:/etc/*.conf", "+fs:read:/etc/a.conf", "-fs:read:/etc/a", "-fs:read:/etc/a*.conf",
                 "+fs:read:/etc/*.conf", "-fs:read:/etc/*.{conf,d}");
    assert_grant("fs:read:/proc/self/**", "-fs:read:/proc/self/**");
}

static void keys__by_the_same_rules_and_both_accesses(void **state) {
    (void)state;
    assert_grant("kv:read:a/**", "+kv:read:a/b", "+kv:read:a/*", "+kv:read:a/b/**", "-kv:write:a/b",
                 "-kv:read-write:a/b", "-kv:read:/a/b", "-kv:read:ab", "-kv:read:**", "-kv:read:*/b");
    assert_grant("kv:read-write:**", "+kv:read:a", "+kv:write:/a/*", "+kv:read-write:a/**");
    assert_grant("kv:read:/**", "+kv:read:/a/*", "-kv:read:a/*");
}

static void variables__by_a_shorter_prefix(void **state) {
    (void)state;
    assert_grant("env:AWS_*", "+env:AWS_REGION", "+env:AWS_S*", "+env:AWS_*", "+env:AWS_", "-env:AWS*",
                 "-env:*", "-env:AZURE_X");
    assert_grant("env:HOME", "+env:HOME", "-env:HOM", "-env:HOMES", "-env:HOME*");
    assert_grant("env:*", "+env:X*", "+env:HOME");
}

static void commands__by_a_directory_but_for_what_runs_programs(void **state) {
    (void)state;
    assert_grant("exec:/bin/*", "+exec:/bin/ls", "-exec:/bin/sh", "-exec:ls", "-exec:/bin/x/y",
                 "+exec:/bin/*", "-exec:**", "-exec:/*");
    assert_grant("exec:**", "+exec:/bin/sh", "+exec:git", "+exec:/bin/*");
    assert_grant("exec:git", "+exec:git", "-exec:/usr/bin/git");
    assert_grant("exec:/usr/bin/git", "+exec:/usr/bin/git", "-exec:git", "-exec:/usr/bin/*");
}

static void commands__by_none_where_arguments_are_pinned(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    add(policy, GRANT, "exec:**");
    struct reglet__command_pin *pin = NULL;
    assert_int_equal(reglet__command_pin_parse("/usr/bin/git", NULL, 0, &pin, NULL), REGLET_OK);
    assert_int_equal(reglet__policy_pin_command(policy, pin), REGLET_OK);
    assert_covering(__LINE__, policy, "exec:/usr/bin/git", NULL);
    assert_covering(__LINE__, policy, "exec:git", NULL);
    assert_covering(__LINE__, policy, "exec:**", NULL);
    assert_covering(__LINE__, policy, "exec:/bin/ls", "exec:**");
    reglet__policy_free(policy);
}

static void network__by_ports_of_any_host(void **state) {
    (void)state;
    assert_grant("network:outbound:443,8000-8010,8011-9000", "+network:outbound:443",
                 "+network:outbound:8005-8900", "+network:outbound:example.org:443",
                 "+network:outbound:*.example.org:443,8000", "+network:outbound:https://example.org/v1",
                 "-network:outbound:http://example.org/v1", "-network:outbound:example.org",
                 "-network:outbound:80", "-network:outbound:private", "-network:outbound:*");
}

static void network__any_host_opens_no_special_address(void **state) {
    (void)state;
    assert_grant("network:outbound:443", "-network:outbound:10.0.0.1:443", "-network:outbound:127.0.0.1:443",
                 "-network:outbound:169.254.169.254:443", "-network:outbound:[::1]:443",
                 "-network:outbound:8.0.0.0/5:443", "+network:outbound:9.9.9.9:443");
    assert_grant("network:outbound:0.0.0.0/0", "-network:outbound:10.0.0.1:443",
                 "+network:outbound:9.9.9.9:443", "+network:outbound:0.0.0.0/0:443",
                 "-network:outbound:[::1]:443");
    assert_grant("network:outbound:*", "-network:outbound:private", "+network:outbound:1-65535",
                 "+network:outbound:example.org");
}

static void network__by_a_range_around_it(void **state) {
    (void)state;
    assert_grant("network:outbound:10.0.0.0/8:5432", "+network:outbound:10.1.2.3:5432",
                 "+network:outbound:10.1.0.0/16:5432", "-network:outbound:10.1.2.3:22",
                 "-network:outbound:10.1.2.3", "-network:outbound:11.0.0.1:5432",
                 "-network:outbound:0.0.0.0/0:5432");
    assert_grant("network:outbound:private", "+network:outbound:private", "-network:outbound:10.0.0.1:443",
                 "-network:outbound:443");
}

static void network__by_a_domain_above_it(void **state) {
    (void)state;
    assert_grant("network:outbound:*.example.com", "+network:outbound:a.example.com:443",
                 "+network:outbound:*.a.example.com", "+network:outbound:*.example.com:22",
                 "-network:outbound:example.com", "-network:outbound:evilexample.com",
                 "-network:outbound:*.com");
    assert_grant("network:outbound:example.com:443", "+network:outbound:EXAMPLE.com.:443",
                 "-network:outbound:a.example.com:443", "-network:outbound:*.example.com:443",
                 "+network:outbound:https://example.com");
}

static void network__by_a_url_above_it(void **state) {
    (void)state;
    assert_grant("network:outbound:https://a.example/v1", "+network:outbound:https://a.example/v1/x",
                 "-network:outbound:https://a.example/v10", "-network:outbound:http://a.example/v1",
                 "-network:outbound:https://a.example:8443/v1", "-network:outbound:a.example:443",
                 "-network:outbound:https://a.example");
}

static void shared_grant__covers_what_is_declared(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    add(policy, SHARE, "fs:read:/etc/**");
    add(policy, SHARE, "env:LC_*");
    add(policy, DECLARE, "fs:read:/etc/hosts");
    add(policy, DECLARE, "env:LC_ALL");
    assert_covering(__LINE__, policy, "fs:read:/etc/hosts", "fs:read:/etc/**");
    assert_covering(__LINE__, policy, "env:LC_ALL", "env:LC_*");
    reglet__policy_free(policy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(covering__without_grants_is_none),
        cmocka_unit_test(files__by_a_tree_above_them),
        cmocka_unit_test(files__one_by_any_pattern_that_matches_it),
        cmocka_unit_test(keys__by_the_same_rules_and_both_accesses),
        cmocka_unit_test(variables__by_a_shorter_prefix),
        cmocka_unit_test(commands__by_a_directory_but_for_what_runs_programs),
        cmocka_unit_test(commands__by_none_where_arguments_are_pinned),
        cmocka_unit_test(network__by_ports_of_any_host),
        cmocka_unit_test(network__any_host_opens_no_special_address),
        cmocka_unit_test(network__by_a_range_around_it),
        cmocka_unit_test(network__by_a_domain_above_it),
        cmocka_unit_test(network__by_a_url_above_it),
        cmocka_unit_test(shared_grant__covers_what_is_declared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
