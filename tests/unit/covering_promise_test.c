/* What covering promises, and what sentences say, against the decisions on many requests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "tests/unit/test.h"

#define LIST(list) (list), sizeof(list) / sizeof *(list)

static struct reglet__capability *parse(const char *text) {
    struct reglet__capability *capability = NULL;
    reglet_error *error = NULL;
    if (reglet__capability_parse(text, &capability, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    bool whole = false;
    if (reglet__capability_kind(capability) == REGLET__KIND_FS) {
        const char *literal = reglet__capability_fs_literal(capability, &whole);
        assert_int_equal(reglet__capability_fs_resolve(capability, literal, NULL, 0), REGLET_OK);
    }
    return capability;
}

static struct reglet__policy *granting(const char *const *texts, size_t count) {
    struct reglet__policy *policy = NULL;
    assert_int_equal(reglet__policy_new(&policy), REGLET_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(reglet__policy_grant(policy, parse(texts[i])), REGLET_OK);
    assert_int_equal(reglet__policy_protect(policy, "/srv/own"), REGLET_OK);
    return policy;
}

/* A kind's capabilities, each granted and declared, and requests to tell them apart. */
struct family {
    const char *const *capabilities;
    size_t capability_count;
    const char *const *requests;
    size_t request_count;
    bool (*allows)(const struct reglet__policy *policy, const char *request);
};

static void expect_promise(const struct family *family, const struct reglet__policy *policy,
                           const char *grants, const char *declared) {
    struct reglet__capability *capability = parse(declared);
    const char *rule = reglet__policy_covering(policy, capability);
    reglet__capability_free(capability);
    if (!rule)
        return;
    struct reglet__policy *alone = granting(&declared, 1);
    for (size_t i = 0; i < family->request_count; i++)
        if (family->allows(alone, family->requests[i]) && !family->allows(policy, family->requests[i]))
            fail_msg("%s is said to cover %s, and %s is denied under %s", rule, declared, family->requests[i],
                     grants);
    reglet__policy_free(alone);
}

/* Under each two grants. */
static void expect_promises(const struct family *family) {
    for (size_t first = 0; first < family->capability_count; first++)
        for (size_t second = 0; second < family->capability_count; second++) {
            const char *const grants[] = {family->capabilities[first], family->capabilities[second]};
            char both[512];
            snprintf(both, sizeof both, "%s and %s", grants[0], grants[1]);
            struct reglet__policy *policy = granting(grants, 2);
            for (size_t i = 0; i < family->capability_count; i++)
                expect_promise(family, policy, both, family->capabilities[i]);
            reglet__policy_free(policy);
        }
}

/* --- network ---------------------------------------------------------------------------------------------- */

static const char *const rules[] = {"network:outbound:*",
                                    "network:outbound:private",
                                    "network:outbound:443",
                                    "network:outbound:80,443",
                                    "network:outbound:1-65535",
                                    "network:outbound:1-443,444-65535",
                                    "network:outbound:*:443",
                                    "network:outbound:0.0.0.0/0",
                                    "network:outbound:0.0.0.0/0:443",
                                    "network:outbound:[::/0]",
                                    "network:outbound:10.0.0.0/8",
                                    "network:outbound:10.0.0.0/7",
                                    "network:outbound:10.0.0.0/8:443",
                                    "network:outbound:10.1.2.3:443",
                                    "network:outbound:8.0.0.0/8",
                                    "network:outbound:8.8.8.8:443",
                                    "network:outbound:127.0.0.1",
                                    "network:outbound:169.254.0.0/16",
                                    "network:outbound:169.254.169.254:80",
                                    "network:outbound:168.63.129.0/24",
                                    "network:outbound:100.64.0.0/10",
                                    "network:outbound:100.100.100.200",
                                    "network:outbound:[::ffff:0:0/96]",
                                    "network:outbound:[::ffff:10.0.0.0/104]",
                                    "network:outbound:[::1]:443",
                                    "network:outbound:[64:ff9b::/96]",
                                    "network:outbound:[64:ff9b::a00:0/104]",
                                    "network:outbound:[2002::/16]",
                                    "network:outbound:[2002:a00::/24]",
                                    "network:outbound:[2002:a01:203::/48]",
                                    "network:outbound:[fc00::/7]",
                                    "network:outbound:[fd00::/8]",
                                    "network:outbound:[fe80::/10]:443",
                                    "network:outbound:[2001::/32]",
                                    "network:outbound:[2000::/3]",
                                    "network:outbound:[2606:4700::/32]",
                                    "network:outbound:[64:ff9b:1::/48]",
                                    "network:outbound:[2606:4700::5efe:a00:1]",
                                    "network:outbound:[2606:4700::5efe:0:0/96]",
                                    "network:outbound:a.example.org",
                                    "network:outbound:a.example.org:443",
                                    "network:outbound:*.example.org:443",
                                    "network:outbound:*.org:80-443",
                                    "network:outbound:*.a.example.org",
                                    "network:outbound:https://a.example.org",
                                    "network:outbound:https://a.example.org/v1",
                                    "network:outbound:https://a.example.org/v1/",
                                    "network:outbound:http://a.example.org:443/v1",
                                    "network:outbound:https://10.1.2.3/v1",
                                    "network:outbound:192.0.2.0/24:80-90",
                                    "network:outbound:198.18.0.0/16"};

static const char *const places[] = {"network:outbound:8.8.8.8:443",
                                     "network:outbound:8.8.8.8:80",
                                     "network:outbound:9.9.9.9:1",
                                     "network:outbound:10.1.2.3:443",
                                     "network:outbound:10.1.2.3:80",
                                     "network:outbound:11.1.2.3:443",
                                     "network:outbound:127.0.0.1:443",
                                     "network:outbound:127.0.0.1:65535",
                                     "network:outbound:169.254.169.254:80",
                                     "network:outbound:169.254.1.1:443",
                                     "network:outbound:168.63.129.16:443",
                                     "network:outbound:100.64.0.1:443",
                                     "network:outbound:100.100.100.200:443",
                                     "network:outbound:[::1]:443",
                                     "network:outbound:[::ffff:10.0.0.1]:443",
                                     "network:outbound:[64:ff9b::a00:1]:443",
                                     "network:outbound:[64:ff9b::808:808]:443",
                                     "network:outbound:[64:ff9b::7f00:1]:443",
                                     "network:outbound:[2002:a00:1::]:443",
                                     "network:outbound:[2002:a01:203::1]:443",
                                     "network:outbound:[2002:808:808::]:443",
                                     "network:outbound:[fd00::1]:443",
                                     "network:outbound:[fd00:ec2::254]:443",
                                     "network:outbound:[fe80::1]:443",
                                     "network:outbound:[2001:0:a00:1::]:443",
                                     "network:outbound:[2606:4700::1]:443",
                                     "network:outbound:[2606:4700::5efe:a00:1]:443",
                                     "network:outbound:[2606:4700::200:5efe:808:808]:443",
                                     "network:outbound:[64:ff9b:1::a00:1]:443",
                                     "network:outbound:[64:ff9b:1:a00:1::]:443",
                                     "network:outbound:a.example.org:443",
                                     "network:outbound:a.example.org:80",
                                     "network:outbound:a.example.org:53",
                                     "network:outbound:b.a.example.org:443",
                                     "network:outbound:example.org:443",
                                     "network:outbound:xexample.org:443",
                                     "network:outbound:https://a.example.org/v1",
                                     "network:outbound:https://a.example.org/v1/x",
                                     "network:outbound:https://a.example.org/v10",
                                     "network:outbound:https://a.example.org/",
                                     "network:outbound:http://a.example.org:443/v1",
                                     "network:outbound:https://10.1.2.3/v1/x",
                                     "network:outbound:192.0.2.1:85",
                                     "network:outbound:198.18.0.1:443",
                                     "network:outbound:224.0.0.1:443"};

static bool allows_request(const struct reglet__policy *policy, const char *request) {
    struct reglet__decision decision = {0};
    assert_int_equal(reglet__policy_ask(policy, request, &decision, NULL), REGLET_OK);
    return decision.allowed;
}

static void network__covered_is_allowed(void **state) {
    (void)state;
    const struct family family = {LIST(rules), LIST(places), allows_request};
    expect_promises(&family);
}

/* A rule that opens a special address does not say that it opens none. */
static void network__sentence_says_whether_private_addresses_are_opened(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct reglet__capability *capability = parse(rules[i]);
        char *sentence = reglet__capability_sentence(capability);
        reglet__capability_free(capability);
        assert_non_null(sentence);
        struct reglet__policy *policy = granting(&rules[i], 1);
        for (size_t j = 0; j < sizeof places / sizeof *places; j++) {
            struct reglet__endpoint endpoint = {0};
            const char *host = places[j] + strlen("network:outbound:");
            if (reglet__endpoint_parse(host, strlen(host), &endpoint) || endpoint.name[0])
                continue;
            if (reglet__address_special(&endpoint.address) && allows_request(policy, places[j]) &&
                strstr(sentence, "but not to private"))
                fail_msg("%s: \"%s\", and it opens %s", rules[i], sentence, places[j]);
        }
        reglet__policy_free(policy);
        free(sentence);
    }
}

/* --- files ------------------------------------------------------------------------------------------------ */

static const char *const patterns[] = {
    "fs:read:/**",           "fs:read:**",          "fs:read:/srv/**",
    "fs:read:/srv/*",        "fs:read:/srv/a",      "fs:read:/srv/own/*",
    "fs:read:/srv/own/a",    "fs:read:/srv/own/**", "fs:read:/proc/**",
    "fs:read:/proc/cpuinfo", "fs:read:/proc/1/*",   "fs:read:/proc/self/*",
    "fs:read:/dev/*",        "fs:read:/dev/null",   "fs:read:/",
    "fs:read:/srv/{a,b}/**", "fs:read:/sr?/**",     "fs:read:/**/a",
    "fs:read:**/a",          "fs:read:/s*",         "fs:read:/srv",
    "fs:read:/srvx/**",      "fs:write:/**",        "fs:write:/srv/**",
    "fs:write:/srv/a",       "fs:write:**",         "fs:write:/srv/own/**"};

static const char *const files[] = {
    "/",         "/srv",       "/srv/a",        "/srv/b",         "/srv/a/b",
    "/srv/own",  "/srv/own/a", "/proc/cpuinfo", "/proc/1/status", "/proc/self/mem",
    "/dev/null", "/dev/mem",   "/srvx",         "/srvx/a",        "/etc/passwd",
    "/a",        "/x/y/a"};

static bool allows_file(const struct reglet__policy *policy, const char *path) {
    return reglet__policy_fs(policy, REGLET__FS_READ, path, false).allowed;
}
static bool allows_writing(const struct reglet__policy *policy, const char *path) {
    return reglet__policy_fs(policy, REGLET__FS_WRITE, path, false).allowed;
}
static bool allows_looking(const struct reglet__policy *policy, const char *path) {
    return reglet__policy_fs(policy, REGLET__FS_LOOK, path, false).allowed;
}
static bool allows_link(const struct reglet__policy *policy, const char *path) {
    return reglet__policy_fs(policy, REGLET__FS_LOOK, path, true).allowed;
}
static bool allows_tree(const struct reglet__policy *policy, const char *path) {
    return reglet__policy_fs_tree(policy, path).allowed;
}

static void files__covered_are_allowed(void **state) {
    (void)state;
    bool (*const accesses[])(const struct reglet__policy *, const char *) = {
        allows_file, allows_writing, allows_looking, allows_link, allows_tree};
    for (size_t i = 0; i < sizeof accesses / sizeof *accesses; i++) {
        const struct family family = {LIST(patterns), LIST(files), accesses[i]};
        expect_promises(&family);
    }
}

/* What a wider grant seems to take in is left out of it all the same. */
static void files_of_the_host__are_covered_by_nothing(void **state) {
    (void)state;
    static const char *const everything = "fs:read:/**";
    static const char *const declared[] = {"fs:read:/srv/own/*", "fs:read:/srv/own/**", "fs:read:/srv/own/a",
                                           "fs:read:/proc/1/*"};
    struct reglet__policy *policy = granting(&everything, 1);
    for (size_t i = 0; i < sizeof declared / sizeof *declared; i++) {
        struct reglet__capability *capability = parse(declared[i]);
        assert_null(reglet__policy_covering(policy, capability));
        reglet__capability_free(capability);
    }
    reglet__policy_free(policy);
}

/* --- keys, variables and commands --------------------------------------------------------------------------- */

static void keys__covered_are_allowed(void **state) {
    (void)state;
    static const char *const keys[] = {
        "kv:read:**",    "kv:write:**",       "kv:read-write:**", "kv:read:a/**",
        "kv:read:/a/**", "kv:read:a/*",       "kv:read:a",        "kv:read-write:a/**",
        "kv:read:a/b",   "kv:read-write:a/b", "kv:read:/**",      "kv:read:*",
        "kv:read:**/b",  "kv:write:a/{b,c}",  "kv:read:/",        "kv:read:a/b/**"};
    static const char *const requests[] = {"kv:read:a",    "kv:read:a/b", "kv:write:a/b",
                                           "kv:read:/a/b", "kv:read:b",   "kv:read:a/b/c",
                                           "kv:write:c",   "kv:read:/a",  "kv:write:/x"};
    const struct family family = {LIST(keys), LIST(requests), allows_request};
    expect_promises(&family);
}

static void variables__covered_are_allowed(void **state) {
    (void)state;
    static const char *const variables[] = {"env:*", "env:A*",  "env:AB*", "env:AB",
                                            "env:A", "env:ABC", "env:_*"};
    static const char *const requests[] = {"env:A", "env:AB", "env:ABC", "env:ABCD",
                                           "env:_", "env:B",  "env:a"};
    const struct family family = {LIST(variables), LIST(requests), allows_request};
    expect_promises(&family);
}

static void commands__covered_are_allowed(void **state) {
    (void)state;
    static const char *const commands[] = {"exec:**",          "exec:/bin/*",      "exec:/bin/ls",
                                           "exec:ls",          "exec:/bin/sh",     "exec:sh",
                                           "exec:/usr/bin/*",  "exec:/usr/bin/ls", "exec:/*",
                                           "fs:write:/bin/**", "fs:write:/bin/ls", "fs:write:/**"};
    static const char *const requests[] = {"exec:/bin/ls",  "exec:/bin/sh",      "exec:ls",
                                           "exec:sh",       "exec:/usr/bin/ls",  "exec:/ls",
                                           "exec:/bin/cat", "exec:/usr/bin/env", "exec:cat"};
    const struct family family = {LIST(commands), LIST(requests), allows_request};
    expect_promises(&family);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(network__covered_is_allowed),
        cmocka_unit_test(network__sentence_says_whether_private_addresses_are_opened),
        cmocka_unit_test(files__covered_are_allowed),
        cmocka_unit_test(files_of_the_host__are_covered_by_nothing),
        cmocka_unit_test(keys__covered_are_allowed),
        cmocka_unit_test(variables__covered_are_allowed),
        cmocka_unit_test(commands__covered_are_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
