/* Every allocation of parsing and of making a policy fails once. Leaks are AddressSanitizer's to find. */
#include <stdlib.h>

#include "policy/policy.h"
#include "tests/unit/failing_memory.h"
#include "tests/unit/test.h"

static reglet_status build_one(struct reglet__policy *policy, const char *text) {
    static const char *const links[] = {"/l/1", "/l/2"};
    reglet_error *error = NULL;
    struct reglet__capability *capability = NULL;
    reglet_status status = reglet__capability_parse(text, &capability, &error);
    assert_int_equal(reglet_error_code(error), status);
    reglet_error_free(error);
    if (status != REGLET_OK) {
        assert_null(capability);
        return status;
    }
    if (reglet__capability_kind(capability) == REGLET__KIND_FS)
        status = reglet__capability_fs_resolve(capability, "/d", links, 2);
    if (status == REGLET_OK)
        return reglet__policy_grant(policy, capability);
    reglet__capability_free(capability);
    return status;
}

static reglet_status pin_one(struct reglet__policy *policy) {
    static const char *const args[] = {"log", "*.[ch]"};
    reglet_error *error = NULL;
    struct reglet__command_pin *pin = NULL;
    reglet_status status = reglet__command_pin_parse("/usr/bin/git", args, 2, &pin, &error);
    assert_int_equal(reglet_error_code(error), status);
    reglet_error_free(error);
    if (status == REGLET_OK)
        status = reglet__command_pin_resolve(pin, "/usr/bin/git", "/usr/bin/git");
    if (status == REGLET_OK)
        return reglet__policy_pin_command(policy, pin);
    reglet__command_pin_free(pin);
    return status;
}

static reglet_status build(void) {
    static const char *const texts[] = {"fs:read:/d/*.{c,h}",
                                        "fs:write:/d",
                                        "kv:read:a/[bc]",
                                        "env:AWS_*",
                                        "network:outbound:10.0.0.0/8:80,443",
                                        "network:outbound:https://a.example/v1",
                                        "exec:/bin/*"};
    struct reglet__policy *policy = NULL;
    reglet_status status = reglet__policy_new(&policy);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && status == REGLET_OK; i++)
        status = build_one(policy, texts[i]);
    if (status == REGLET_OK)
        status = reglet__policy_protect(policy, "/own");
    if (status == REGLET_OK)
        status = pin_one(policy);
    char *suggested = status == REGLET_OK ? reglet__policy_fs_suggest(REGLET__FS_READ, "/d/*") : NULL;
    if (status == REGLET_OK && !suggested)
        status = REGLET_ERR_NO_MEMORY;
    free(suggested);
    reglet__policy_free(policy);
    return status;
}

static void memory__each_failing_allocation_is_reported_and_nothing_leaks(void **state) {
    (void)state;
    long count = 0;
    for (bool failed = true; failed; count++) {
        memory_fail_at(count);
        reglet_status status = build();
        failed = memory_has_failed();
        if (status != (failed ? REGLET_ERR_NO_MEMORY : REGLET_OK))
            fail_msg("allocation %ld %s, and the status is %s", count, failed ? "failed" : "was not needed",
                     reglet_status_name(status));
    }
    assert_in_range(count, 30, 200);
}

/* Deciding allocates nothing; saying what would help, and reading a request, do. */
static bool suggest_one(char *text) {
    free(text);
    return text != NULL;
}

static reglet_status suggest_and_ask(const struct reglet__policy *policy) {
    struct reglet__endpoint endpoint = {.name = "_x.a.example", .port = 443};
    struct reglet__address address = reglet__address_from_bytes("\x0a\x00\x00\x01", false);
    struct reglet__command_request command = {.asked = "/bin/df", .place = "/usr/bin/df"};
    char *sentence = NULL;
    struct reglet__decision decision = {.allowed = false};
    if (reglet_capability_explain("exec:/bin/df", NULL, &sentence, NULL) != REGLET_OK)
        return REGLET_ERR_NO_MEMORY;
    free(sentence);
    if (!suggest_one(reglet__endpoint_text(&endpoint)) ||
        !suggest_one(reglet__policy_connect_suggest(&endpoint)) ||
        !suggest_one(reglet__policy_lookup_suggest(&endpoint)) ||
        !suggest_one(reglet__policy_address_suggest(&endpoint, &address)) ||
        !suggest_one(reglet__policy_exec_suggest(&command)) ||
        !suggest_one(reglet__policy_env_suggest("HOME")) ||
        !suggest_one(reglet__policy_kv_suggest(true, "a*")))
        return REGLET_ERR_NO_MEMORY;
    return reglet__policy_ask(policy, "network:outbound:a.example:443", &decision, NULL);
}

static void memory__suggesting_and_asking_report_a_failing_allocation(void **state) {
    (void)state;
    struct reglet__policy *policy = NULL;
    assert_int_equal(reglet__policy_new(&policy), REGLET_OK);
    long count = 0;
    for (bool failed = true; failed; count++) {
        memory_fail_at(count);
        reglet_status status = suggest_and_ask(policy);
        failed = memory_has_failed();
        assert_int_equal(status, failed ? REGLET_ERR_NO_MEMORY : REGLET_OK);
    }
    assert_in_range(count, 8, 50);
    reglet__policy_free(policy);
}

static void memory__deciding_allocates_nothing(void **state) {
    (void)state;
    struct reglet__policy *policy = NULL;
    struct reglet__capability *capability = NULL;
    assert_int_equal(reglet__policy_new(&policy), REGLET_OK);
    assert_int_equal(reglet__capability_parse("network:outbound:https://a.example/v1", &capability, NULL),
                     REGLET_OK);
    assert_int_equal(reglet__policy_grant(policy, capability), REGLET_OK);
    struct reglet__endpoint endpoint = {.port = 443};
    struct reglet__address address = reglet__address_from_bytes("\x0a\x00\x00\x01", false);
    memory_fail_at(0);
    assert_null(reglet__endpoint_parse("a.example:443", 13, &endpoint));
    endpoint.scheme = REGLET__SCHEME_HTTPS;
    endpoint.path = "/v1/%c3%a9";
    assert_true(reglet__policy_connect(policy, &endpoint).allowed);
    assert_false(reglet__policy_address(policy, &endpoint, &address).allowed);
    assert_false(reglet__policy_lookup(policy, &endpoint).allowed);
    assert_false(reglet__policy_kv(policy, true, "a").allowed);
    assert_false(reglet__policy_exec_spelling(policy, "git").allowed);
    struct reglet__command_request command = {.asked = "/bin/sh", .place = "/bin/sh", .file = "/bin/dash"};
    assert_false(reglet__policy_exec(policy, &command).allowed);
    assert_false(memory_has_failed());
    reglet__policy_free(policy);
}

/* A capability whose resolving failed half-way is no grant. */
static void memory__a_grant_that_could_not_be_resolved_matches_nothing(void **state) {
    (void)state;
    struct reglet__capability *capability = NULL;
    struct reglet__policy *policy = NULL;
    assert_int_equal(reglet__policy_new(&policy), REGLET_OK);
    assert_int_equal(reglet__capability_parse("fs:read:/d/**", &capability, NULL), REGLET_OK);
    assert_int_equal(reglet__capability_fs_resolve(capability, "/d", NULL, 0), REGLET_OK);
    memory_fail_at(0);
    reglet_status status = reglet__capability_fs_resolve(capability, "/e", NULL, 0);
    assert_true(memory_has_failed());
    assert_int_equal(status, REGLET_ERR_NO_MEMORY);
    assert_int_equal(reglet__policy_grant(policy, capability), REGLET_OK);
    assert_false(reglet__policy_fs(policy, REGLET__FS_READ, "/d/x", false).allowed);
    assert_false(reglet__policy_fs(policy, REGLET__FS_READ, "/e/x", false).allowed);
    reglet__policy_free(policy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory__each_failing_allocation_is_reported_and_nothing_leaks),
        cmocka_unit_test(memory__suggesting_and_asking_report_a_failing_allocation),
        cmocka_unit_test(memory__deciding_allocates_nothing),
        cmocka_unit_test(memory__a_grant_that_could_not_be_resolved_matches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
