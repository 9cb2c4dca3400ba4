/* One request, written as a capability, decided; and keys of stores, which have no other way in. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "tests/unit/test.h"
#include "util/limits.h"

static void add(struct reglet__policy *policy, const char *text,
                reglet_status (*how)(struct reglet__policy *, struct reglet__capability *)) {
    reglet_error *error = NULL;
    struct reglet__capability *capability = NULL;
    if (reglet__capability_parse(text, &capability, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    assert_int_equal(how(policy, capability), REGLET_OK);
}

/* NULL grants nothing; several have spaces between. */
static struct reglet__policy *granted(const char *capabilities) {
    struct reglet__policy *policy = NULL;
    assert_int_equal(reglet__policy_new(&policy), REGLET_OK);
    char copy[2 * REGLET__MAX_PATTERN], *rest = capabilities ? copy : NULL;
    snprintf(copy, sizeof copy, "%s", capabilities ? capabilities : "");
    for (char *text; (text = strsep(&rest, " "));)
        add(policy, text, reglet__policy_grant);
    return policy;
}

/* --- keys --- */

struct vector {
    const char *granted;
    bool write;
    const char *key;
    bool allowed;
};

static void assert_vectors(const struct vector *vectors, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct vector *vector = &vectors[i];
        struct reglet__policy *policy = granted(vector->granted);
        struct reglet__decision decision = reglet__policy_kv(policy, vector->write, vector->key);
        if (decision.allowed != vector->allowed)
            fail_msg("%s \"%s\" under %s: expected %d", vector->write ? "write" : "read", vector->key,
                     vector->granted, vector->allowed);
        if (decision.allowed ? !decision.rule || decision.reason : decision.rule || !decision.reason)
            fail_msg("\"%s\": a decision has a rule when allowed, else a reason", vector->key);
        reglet__policy_free(policy);
    }
}
#define ASSERT_VECTORS(vectors) assert_vectors(vectors, sizeof(vectors) / sizeof((vectors)[0]))

static void kv__keys_are_matched_like_paths(void **state) {
    (void)state;
    static const struct vector vectors[] = {
        {NULL, false, "a", false},
        {"kv:read:a", false, "a", true},
        {"kv:read:a", false, "A", false},
        {"kv:read:a", false, "ab", false},
        {"kv:read:a", false, "a/b", false},
        {"kv:read:a", false, "/a", false},
        {"kv:read:/a", false, "/a", true},
        {"kv:read:/a", false, "a", false},
        {"kv:read:settings/*", false, "settings/a", true},
        {"kv:read:settings/*", false, "settings/.a", true},
        {"kv:read:settings/*", false, "settings/a/b", false},
        {"kv:read:settings/*", false, "settings", false},
        {"kv:read:settings/*", false, "settingsx/a", false},
        {"kv:read:settings/**", false, "settings", true},
        {"kv:read:settings/**", false, "settings/a/b", true},
        {"kv:read:settings/**", false, "settingsx", false},
        {"kv:read:settings/**", false, "/settings/a", false},
        {"kv:read:/**", false, "/a/b", true},
        {"kv:read:/**", false, "a/b", false},
        {"kv:read:/*", false, "/a", true},
        {"kv:read:*", false, "a", true},
        {"kv:read:*", false, "a/b", false},
        {"kv:read:*", false, "/a", false},
        {"kv:read:**", false, "a/b", true},
        {"kv:read:**", false, "/a/b", true},
        {"kv:read:**/id", false, "a/b/id", true},
        {"kv:read:**/id", false, "/id", true},
        {"kv:read:**/id", false, "a/b/idx", false},
        {"kv:read:a/{b,c}/[0-9]", false, "a/c/7", true},
        {"kv:read:a/{b,c}/[0-9]", false, "a/d/7", false},
        {"kv:read:a\\*", false, "a*", true},
        {"kv:read:a\\*", false, "ab", false},
        {"kv:read:user:*", false, "user:4711", true},
        {"fs:read:/a", false, "/a", false},
    };
    ASSERT_VECTORS(vectors);
}

static void kv__reading_and_writing_are_granted_apart(void **state) {
    (void)state;
    static const struct vector vectors[] = {
        {"kv:read:a", true, "a", false},       {"kv:write:a", false, "a", false},
        {"kv:write:a", true, "a", true},       {"kv:read-write:a", true, "a", true},
        {"kv:read-write:a", false, "a", true},
    };
    ASSERT_VECTORS(vectors);
}

/* A store that keeps its keys as files must not be led out of its directory. */
static void kv__what_could_be_another_path_is_no_key(void **state) {
    (void)state;
    static const char *const keys[] = {"",     "/",       "..",    "../a", "a/..",     "a/../b",
                                       ".",    "a/./b",   "a//b",  "//a",  "a/",       "/..",
                                       "a\nb", "a\x1b[m", "a\x7f", "\xFF", "\xC2\x9B", "a\xC0\xAF"};
    struct reglet__policy *policy = granted("kv:read-write:** kv:read:/**");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct reglet__decision decision = reglet__policy_kv(policy, false, keys[i]);
        if (decision.allowed || !decision.for_good)
            fail_msg("\"%s\": expected it to be denied for good", keys[i]);
        assert_null(reglet__policy_kv_suggest(false, keys[i]));
    }
    char key[REGLET__MAX_PATTERN + 2];
    memset(key, 'a', sizeof key);
    key[REGLET__MAX_PATTERN + 1] = '\0';
    assert_false(reglet__policy_kv(policy, false, key).allowed);
    key[REGLET__MAX_PATTERN] = '\0';
    assert_true(reglet__policy_kv(policy, false, key).allowed);
    reglet__policy_free(policy);
}

static void kv__a_shared_grant_needs_a_declaration(void **state) {
    (void)state;
    struct reglet__policy *policy = granted(NULL);
    add(policy, "kv:read-write:**", reglet__policy_share);
    add(policy, "kv:read:a/*", reglet__policy_declare);
    assert_true(reglet__policy_kv(policy, false, "a/b").allowed);
    assert_false(reglet__policy_kv(policy, true, "a/b").allowed);
    assert_false(reglet__policy_kv(policy, false, "b").allowed);
    reglet__policy_free(policy);
}

static void kv__matching_takes_a_bounded_number_of_steps(void **state) {
    (void)state;
    char pattern[sizeof "kv:read:" + REGLET__MAX_PATTERN] = "kv:read:", key[REGLET__MAX_PATTERN + 1];
    while (strlen(pattern) + 3 < sizeof pattern)
        strcat(pattern, "*a");
    strcat(pattern, "b");
    memset(key, 'a', sizeof key);
    key[REGLET__MAX_PATTERN] = '\0';
    struct reglet__policy *policy = granted(pattern);
    struct reglet__decision decision = reglet__policy_kv(policy, false, key);
    assert_false(decision.allowed);
    assert_non_null(strstr(decision.reason, "too long"));
    reglet__policy_free(policy);
}

static void suggest__a_key_and_a_variable_are_spelled_as_a_grant(void **state) {
    (void)state;
    static const char *const keys[] = {"a", "settings/a", "/a", "a*b?[c]{d}\\", "ü/x y", ":"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        for (int write = 0; write <= 1; write++) {
            char *text = reglet__policy_kv_suggest(write, keys[i]);
            struct reglet__policy *policy = granted(NULL);
            add(policy, text, reglet__policy_grant);
            assert_true(reglet__policy_kv(policy, write, keys[i]).allowed);
            assert_false(reglet__policy_kv(policy, !write, keys[i]).allowed);
            reglet__policy_free(policy);
            free(text);
        }
    }
    char *text = reglet__policy_env_suggest("HOME_2");
    assert_string_equal(text, "env:HOME_2");
    free(text);
    assert_null(reglet__policy_env_suggest(""));
    assert_null(reglet__policy_env_suggest("2A"));
    assert_null(reglet__policy_env_suggest("A*"));
    assert_null(reglet__policy_env_suggest("A=b"));
}

/* --- asking --- */

static void ask__one_thing_is_decided_as_the_call_would_be(void **state) {
    (void)state;
    static const struct {
        const char *granted, *request;
        const char *rule; /* NULL: denied */
    } cases[] = {
        {NULL, "network:outbound:example.org:443", NULL},
        {"network:outbound:443", "network:outbound:example.org:443", "network:outbound:443"},
        {"network:outbound:443", "network:outbound:Example.ORG.:443", "network:outbound:443"},
        {"network:outbound:443", "network:outbound:example.org:80", NULL},
        {"network:outbound:443", "network:outbound:10.0.0.1:443", NULL},
        {"network:outbound:443", "network:outbound:8.8.8.8:443", "network:outbound:443"},
        {"network:outbound:443", "network:outbound:8.8.8.8/32:443", "network:outbound:443"},
        {"network:outbound:443", "network:outbound:[::1]:443", NULL},
        {"network:outbound:443", "network:outbound:[::ffff:127.0.0.1]:443", NULL},
        {"network:outbound:443 network:outbound:private", "network:outbound:[::1]:443",
         "network:outbound:private"},
        {"network:outbound:443 network:outbound:private", "network:outbound:169.254.169.254:443", NULL},
        {"network:outbound:10.0.0.1:5432", "network:outbound:10.0.0.1:5432",
         "network:outbound:10.0.0.1:5432"},
        {"network:outbound:https://a.example/v1", "network:outbound:https://a.example/v1/x",
         "network:outbound:https://a.example/v1"},
        {"network:outbound:https://a.example/v1", "network:outbound:https://a.example:443/v1",
         "network:outbound:https://a.example/v1"},
        {"network:outbound:https://a.example/v1", "network:outbound:https://a.example/v2", NULL},
        {"network:outbound:https://a.example/v1", "network:outbound:https://a.example", NULL},
        {"network:outbound:https://a.example", "network:outbound:a.example:443", NULL},
        {"network:outbound:80", "network:outbound:http://10.0.0.1/", NULL},
        {"network:outbound:http://10.0.0.1/", "network:outbound:http://10.0.0.1/x",
         "network:outbound:http://10.0.0.1/"},
        {"env:AWS_*", "env:AWS_REGION", "env:AWS_*"},
        {"env:AWS_*", "env:HOME", NULL},
        {"kv:read:a/*", "kv:read:a/b", "kv:read:a/*"},
        {"kv:read:a/*", "kv:write:a/b", NULL},
        {"kv:read-write:a\\*", "kv:write:a\\*", "kv:read-write:a\\*"},
        {"exec:/usr/bin/git", "exec:/usr/bin/git", "exec:/usr/bin/git"},
        {"exec:/usr/bin/git", "exec:/usr/bin/hg", NULL},
        {"exec:/usr/bin/git", "exec:git", NULL},
        {"exec:git", "exec:git", "exec:git"},
        {"exec:/bin/*", "exec:/bin/ls", "exec:/bin/*"},
        {"exec:/bin/*", "exec:/bin/sh", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reglet__policy *policy = granted(cases[i].granted);
        struct reglet__decision decision = {.allowed = false};
        reglet_error *error = NULL;
        if (reglet__policy_ask(policy, cases[i].request, &decision, &error) != REGLET_OK)
            fail_msg("%s", reglet_error_message(error));
        if (decision.allowed != (cases[i].rule != NULL))
            fail_msg("%s under %s: expected %s", cases[i].request, cases[i].granted, cases[i].rule);
        if (cases[i].rule)
            assert_string_equal(decision.rule, cases[i].rule);
        else
            assert_non_null(decision.reason);
        reglet__policy_free(policy);
    }
}

static void ask__shared_grants_and_strictness_count(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("env:HOME");
    add(policy, "network:outbound:443", reglet__policy_share);
    struct reglet__decision decision = {.allowed = true};
    assert_int_equal(reglet__policy_ask(policy, "network:outbound:a.example:443", &decision, NULL),
                     REGLET_OK);
    assert_false(decision.allowed);
    add(policy, "network:outbound:a.example:443", reglet__policy_declare);
    assert_int_equal(reglet__policy_ask(policy, "network:outbound:a.example:443", &decision, NULL),
                     REGLET_OK);
    assert_true(decision.allowed);
    reglet__policy_set_strict(policy, true);
    assert_int_equal(reglet__policy_ask(policy, "env:HOME", &decision, NULL), REGLET_OK);
    assert_false(decision.allowed);
    assert_non_null(strstr(decision.reason, "strict"));
    add(policy, "env:HOME", reglet__policy_declare);
    assert_int_equal(reglet__policy_ask(policy, "env:HOME", &decision, NULL), REGLET_OK);
    assert_true(decision.allowed);
    reglet__policy_free(policy);
}

static void ask__what_names_no_single_thing_is_refused_at_the_character(void **state) {
    (void)state;
    static const struct {
        const char *request;
        ptrdiff_t offset;
        const char *words;
    } cases[] = {
        {"network:outbound:*", 17, "no host"},
        {"network:outbound:443", 17, "no host"},
        {"network:outbound:80,443", 17, "no host"},
        {"network:outbound:*:443", 17, "no host"},
        {"network:outbound:private", 17, "no host"},
        {"network:outbound:*.a.example:443", 17, "many hosts"},
        {"network:outbound:10.0.0.0/8:443", 25, "range"},
        {"network:outbound:0.0.0.0/0", 24, "range"},
        {"network:outbound:[fc00::/7]:443", 24, "range"},
        {"network:outbound:a.example", 26, "one port"},
        {"network:outbound:a.example:*", 27, "one port"},
        {"network:outbound:10.0.0.1", 25, "one port"},
        {"network:outbound:[::1]", 22, "one port"},
        {"network:outbound:a.example:80,443", 29, "several ports"},
        {"network:outbound:a.example:8000-9000", 31, "several ports"},
        {"network:outbound:a-b.example:80-81", 31, "several ports"},
        {"network:outbound:[::1]:80,443", 25, "several ports"},
        {"network:outbound:https://a.example/v1?q", 37, "query"},
        {"network:outbound:https://a.example/../x", 35, "\"..\""},
        {"network:outbound:https://u@a.example/", 26, "user"},
        {"network:outbound:127.1:80", 17, "IPv4"},
        {"network:outbound:a.example:0", 27, "at least 1"},
        {"network:outbound:::1:443", 17, "brackets"},
        {"env:AWS_*", 8, "many variables"},
        {"env:*", 4, "many variables"},
        {"kv:read-write:a", 3, "\"read:\""},
        {"kv:read:*", 8, "many keys"},
        {"kv:read:a\\*b?c", 12, "many keys"},
        {"kv:write:a/[bc]", 11, "many keys"},
        {"kv:write:a/{b,c}", 11, "many keys"},
        {"kv:read:a/**", 10, "many keys"},
        {"exec:**", 5, "many commands"},
        {"exec:/bin/*", 10, "many commands"},
        {"exec:./git", 5, "relative"},
        {"fs:read:/etc/hosts", 0, "real path"},
        {"https://a.example", 0, "starts with"},
        {"", 0, "starts with"},
    };
    struct reglet__policy *policy = granted("network:outbound:* exec:** env:* kv:read-write:**");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reglet__decision decision = {.reason = "was"};
        reglet_error *error = NULL;
        if (reglet__policy_ask(policy, cases[i].request, &decision, &error) != REGLET_ERR_INVALID_GRANT)
            fail_msg("%s: expected it to be refused", cases[i].request);
        if (reglet_error_offset(error) != cases[i].offset)
            fail_msg("%s: expected offset %td, got %td: %s", cases[i].request, cases[i].offset,
                     reglet_error_offset(error), reglet_error_message(error));
        if (!strstr(reglet_error_message(error), cases[i].words))
            fail_msg("%s: expected \"%s\" in: %s", cases[i].request, cases[i].words,
                     reglet_error_message(error));
        assert_string_equal(decision.reason, "was");
        reglet_error_free(error);
    }
    reglet__policy_free(policy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kv__keys_are_matched_like_paths),
        cmocka_unit_test(kv__reading_and_writing_are_granted_apart),
        cmocka_unit_test(kv__what_could_be_another_path_is_no_key),
        cmocka_unit_test(kv__a_shared_grant_needs_a_declaration),
        cmocka_unit_test(kv__matching_takes_a_bounded_number_of_steps),
        cmocka_unit_test(suggest__a_key_and_a_variable_are_spelled_as_a_grant),
        cmocka_unit_test(ask__one_thing_is_decided_as_the_call_would_be),
        cmocka_unit_test(ask__shared_grants_and_strictness_count),
        cmocka_unit_test(ask__what_names_no_single_thing_is_refused_at_the_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
