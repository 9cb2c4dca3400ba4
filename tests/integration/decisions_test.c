#define _GNU_SOURCE
#include "tests/integration/exec_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What reglet_plugin_ask() says is what the real call decides. */

enum { ROUNDS = 40, GRANTS = 3, REQUESTS = 12 };

/* The same numbers in every run. */
static unsigned next_random(unsigned *seed, unsigned below) {
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % below;
}

static bool is_allowed_by_ask(const char *request) {
    const reglet_decision *decision = NULL;
    reglet_error *error = NULL;
    EXPECT(reglet_plugin_ask(plugin, request, NULL, &decision, &error), REGLET_OK, error);
    bool allowed = decision->allowed;
    reglet_decision_free(decision);
    return allowed;
}

/* Whether a response is no refusal; one that failed later is none. */
static bool is_no_refusal(char *response) {
    char *type = json_member(response, "/error/type"), *verdict = json_member(response, "/allowed");
    bool allowed = !type || (strcmp(type, "capability") != 0 && strcmp(type, "ssrf_protection") != 0);
    allowed = allowed && (!verdict || strcmp(verdict, "true") == 0);
    free(type);
    free(verdict);
    free(response);
    return allowed;
}

/* One thing that is asked for, and how. */
struct kind {
    const char *prefix; /* of the question */
    const char *function;
    const char *format; /* of the request */
    const char *const *grants;
    unsigned grant_count;
    const char *const *things;
    unsigned thing_count;
};
#define LIST(list) (list), sizeof(list) / sizeof *(list)

/* "@" stands for the directory. */
static void put_in_place(char *out, size_t size, const char *text) {
    const char *at = strchr(text, '@');
    if (at)
        snprintf(out, size, "%.*s%s%s", (int)(at - text), text, in_dir(""), at + 1 + (at[1] == '/'));
    else
        snprintf(out, size, "%s", text);
}

static void expect_agreement(const struct kind *kind, const char *thing, const char *const given[GRANTS]) {
    char name[4096], question[4200];
    put_in_place(name, sizeof name, thing);
    snprintf(question, sizeof question, "%s%s", kind->prefix, name);
    bool asked = is_allowed_by_ask(question);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    bool done = is_no_refusal(relay(plugin, kind->function, kind->format, name));
#pragma GCC diagnostic pop
    if (asked != done)
        fail_msg("%s under %s, %s, %s: asked %s, done %s", question, given[0], given[1], given[2],
                 asked ? "allowed" : "denied", done ? "allowed" : "denied");
}

static void expect_agreements(const struct kind *kind) {
    unsigned seed = 1;
    for (int round = 0; round < ROUNDS; round++) {
        const char *given[GRANTS];
        for (int i = 0; i < GRANTS; i++)
            given[i] = kind->grants[next_random(&seed, kind->grant_count)];
        grant(given[0], given[1], given[2], NULL);
        for (int i = 0; i < REQUESTS; i++)
            expect_agreement(kind, kind->things[next_random(&seed, kind->thing_count)], given);
    }
}

static void commands__are_decided_as_asked(void **state) {
    (void)state;
    static const char *const grants[] = {
        "exec:@/probe",     "exec:@/link/probe", "exec:@/*",        "exec:@/link/*",      "exec:@/to-probe",
        "exec:/bin/true",   "exec:/bin/*",       "exec:/usr/bin/*", "exec:true",          "exec:**",
        "exec:@/none",      "fs:write:@/*",      "exec:env",        "fs:write:@/real/**", "exec:@/real/probe",
        "exec:/usr/bin/env"};
    static const char *const things[] = {
        "@/probe",   "@/link/probe",  "@/real/probe", "@/to-probe", "@/sh",     "@/none",
        "/bin/true", "/usr/bin/true", "true",         "none",       "/bin/awk", "/bin/env",
        "env",       "@/tool",        "@/to-true",    "/bin/sh",    "@/real",   "/nowhere/probe"};
    static const struct kind kind = {"exec:", "exec_command", "{'command':'%s','args':['exit','0']}",
                                     LIST(grants), LIST(things)};
    assert_int_equal(mkdir(in_dir("real"), 0755), 0);
    put_probe("real/probe");
    put_probe("sh");
    assert_int_equal(symlink("real", in_dir("link")), 0);
    assert_int_equal(symlink("probe", in_dir("to-probe")), 0);
    assert_int_equal(symlink("sh", in_dir("tool")), 0);
    assert_int_equal(symlink("/bin/true", in_dir("to-true")), 0);
    expect_agreements(&kind);
}

static void files__are_decided_as_asked(void **state) {
    (void)state;
    static const char *const grants[] = {"fs:read:@/probe", "fs:read:@/link/*",   "fs:read:@/*",
                                         "fs:read:@/**",    "fs:read:@/to-probe", "fs:read:/**",
                                         "fs:write:@/**",   "fs:read:**/probe",   "fs:read:@/real/{a,b}",
                                         "fs:read:@/none"};
    static const char *const things[] = {
        "@/probe",   "@/link/a",   "@/real/a",           "@/real/b",       "@/real/c",    "@/to-probe",
        "@/none",    "@/dangling", "@/real/../probe",    "@//real/./a",    "@/to-passwd", "/etc/passwd",
        "/dev/null", "/dev/mem",   "/proc/self/environ", "/proc/1/status", "/sys/kernel", "/etc/hostname"};
    static const struct kind kind = {"fs:read:", "fs_read", "{'path':'%s','max_bytes':1}", LIST(grants),
                                     LIST(things)};
    assert_int_equal(mkdir(in_dir("real"), 0755), 0);
    put_file("real/a", 0644, "a");
    put_file("real/b", 0644, "b");
    assert_int_equal(symlink("real", in_dir("link")), 0);
    assert_int_equal(symlink("probe", in_dir("to-probe")), 0);
    assert_int_equal(symlink("nothing", in_dir("dangling")), 0);
    assert_int_equal(symlink("/etc/passwd", in_dir("to-passwd")), 0);
    expect_agreements(&kind);
}

static void files_to_write__are_decided_as_asked(void **state) {
    (void)state;
    static const char *const grants[] = {"fs:write:@/probe",      "fs:write:@/link/*",   "fs:write:@/*",
                                         "fs:write:@/**",         "fs:write:@/to-probe", "fs:read:@/**",
                                         "fs:write:@/real/{a,b}", "fs:write:@/none"};
    static const char *const things[] = {"@/probe",     "@/link/a", "@/real/a",   "@/real/b",
                                         "@/to-probe",  "@/none",   "@/dangling", "@/real/../probe",
                                         "@/to-passwd", "/dev/null"};
    static const struct kind kind = {"fs:write:", "fs_write", "{'path':'%s','content':'','mode':'append'}",
                                     LIST(grants), LIST(things)};
    assert_int_equal(mkdir(in_dir("real"), 0755), 0);
    put_file("real/a", 0644, "a");
    put_file("real/b", 0644, "b");
    assert_int_equal(symlink("real", in_dir("link")), 0);
    assert_int_equal(symlink("probe", in_dir("to-probe")), 0);
    assert_int_equal(symlink("nothing", in_dir("dangling")), 0);
    assert_int_equal(symlink("/etc/passwd", in_dir("to-passwd")), 0);
    expect_agreements(&kind);
}

static void variables__are_decided_as_asked(void **state) {
    (void)state;
    static const char *const grants[] = {"env:HOME", "env:H*", "env:*", "env:_", "env:REGLET_*", "env:PATH"};
    static const char *const things[] = {"HOME",    "HOM",      "HOMER", "H",   "_",
                                         "REGLET_", "REGLET_X", "PATH",  "home"};
    static const struct kind kind = {"env:", "env_get", "{'name':'%s'}", LIST(grants), LIST(things)};
    expect_agreements(&kind);
}

static void addresses__are_decided_as_asked(void **state) {
    (void)state;
    static const char *const grants[] = {"network:outbound:*",
                                         "network:outbound:443",
                                         "network:outbound:private",
                                         "network:outbound:10.0.0.0/8",
                                         "network:outbound:0.0.0.0/0",
                                         "network:outbound:169.254.169.254:80",
                                         "network:outbound:[::/0]:443",
                                         "network:outbound:[fe80::/10]:80",
                                         "network:outbound:[64:ff9b::/96]:443",
                                         "network:outbound:8.8.8.8:443",
                                         "network:outbound:10.0.0.0/7:443",
                                         "network:outbound:[::ffff:0:0/96]:443",
                                         "network:outbound:80,443",
                                         "network:outbound:*:1-1024",
                                         "network:outbound:127.0.0.1"};
    static const char *const things[] = {"8.8.8.8:443",
                                         "8.8.8.8:53",
                                         "10.1.2.3:443",
                                         "10.1.2.3:80",
                                         "11.1.1.1:443",
                                         "127.0.0.1:443",
                                         "169.254.169.254:80",
                                         "169.254.169.254:443",
                                         "100.64.1.1:443",
                                         "0.0.0.0:80",
                                         "[::1]:443",
                                         "[fe80::1]:80",
                                         "[64:ff9b::a00:1]:443",
                                         "[64:ff9b::808:808]:443",
                                         "[::ffff:10.0.0.1]:443",
                                         "[2002:a00:1::]:443",
                                         "[2606:4700::1]:443",
                                         "[::ffff:8.8.8.8]:443",
                                         "255.255.255.255:80",
                                         "168.63.129.16:80",
                                         "[fd00:ec2::254]:80",
                                         "[fd12::1]:443",
                                         "224.0.0.1:443",
                                         "192.0.2.1:443"};
    static const struct kind kind = {"network:outbound:", "ssrf_check", "{'address':'%s'}", LIST(grants),
                                     LIST(things)};
    expect_agreements(&kind);
}

static void urls__are_decided_as_asked(void **state) {
    (void)state;
    static const char *const grants[] = {"network:outbound:http://127.0.0.1:1/v1",
                                         "network:outbound:http://127.0.0.1:1",
                                         "network:outbound:private",
                                         "network:outbound:*",
                                         "network:outbound:https://127.0.0.1:1/v1/",
                                         "network:outbound:127.0.0.1:1",
                                         "network:outbound:http://127.0.0.1:1/v1/a%20b"};
    static const char *const things[] = {
        "http://127.0.0.1:1/",    "http://127.0.0.1:1/v1",   "http://127.0.0.1:1/v10",
        "http://127.0.0.1:1/v1/", "http://127.0.0.1:1/v1/x", "http://127.0.0.1:1/v1/a%20b",
        "http://127.0.0.1:2/v1",  "https://127.0.0.1:1/v1",  "http://127.0.0.1:1/V1",
        "http://127.0.0.2:1/v1",  "http://127.0.0.1:1/v%31"};
    static const struct kind kind = {"network:outbound:", "http_request", "{'method':'GET','url':'%s'}",
                                     LIST(grants), LIST(things)};
    expect_agreements(&kind);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands__are_decided_as_asked, exec_set_up, exec_tear_down),
        cmocka_unit_test_setup_teardown(files__are_decided_as_asked, exec_set_up, exec_tear_down),
        cmocka_unit_test_setup_teardown(files_to_write__are_decided_as_asked, exec_set_up, exec_tear_down),
        cmocka_unit_test_setup_teardown(variables__are_decided_as_asked, exec_set_up, exec_tear_down),
        cmocka_unit_test_setup_teardown(addresses__are_decided_as_asked, exec_set_up, exec_tear_down),
        cmocka_unit_test_setup_teardown(urls__are_decided_as_asked, exec_set_up, exec_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
