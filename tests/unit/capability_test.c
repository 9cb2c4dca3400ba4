#define _GNU_SOURCE
#include <arpa/inet.h>
#include <reglet/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/internal.h"
#include "tests/unit/test.h"
#include "util/limits.h"

struct refused {
    const char *text;
    ptrdiff_t offset;
    const char *words; /* in the message */
};

static void assert_refused(const struct refused *expected) {
    reglet_error *error = NULL;
    reglet_status status = reglet_capability_check(expected->text, &error);
    if (status != REGLET_ERR_INVALID_GRANT)
        fail_msg("\"%s\": expected a refusal, got %s", expected->text, reglet_status_name(status));
    const char *message = reglet_error_message(error);
    if (reglet_error_offset(error) != expected->offset)
        fail_msg("\"%s\": expected offset %td, got %td: %s", expected->text, expected->offset,
                 reglet_error_offset(error), message);
    if (!strstr(message, expected->words))
        fail_msg("\"%s\": expected \"%s\" in: %s", expected->text, expected->words, message);
    assert_int_equal(reglet_error_domain(error), REGLET_DOMAIN_POLICY);
    assert_null(strchr(message, '\n'));
    reglet_error_free(error);
}

static void assert_all_refused(const struct refused *cases, size_t count) {
    for (size_t i = 0; i < count; i++)
        assert_refused(&cases[i]);
}
#define ASSERT_ALL_REFUSED(cases) assert_all_refused(cases, sizeof(cases) / sizeof((cases)[0]))

static struct reglet__capability *parse(const char *text) {
    reglet_error *error = NULL;
    struct reglet__capability *capability = NULL;
    if (reglet__capability_parse(text, &capability, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    assert_string_equal(reglet__capability_text(capability), text);
    return capability;
}

/* --- all kinds --- */

static void parse__patterns_in_the_field_load(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum reglet__kind kind;
    } cases[] = {
        {"network:outbound:443", REGLET__KIND_NETWORK},
        {"network:outbound:80,443", REGLET__KIND_NETWORK},
        {"network:outbound:api.example.com", REGLET__KIND_NETWORK},
        {"network:outbound:https://api.example.com/v1", REGLET__KIND_NETWORK},
        {"fs:read:**", REGLET__KIND_FS},
        {"fs:read:/etc/ssh/**", REGLET__KIND_FS},
        {"fs:write:/tmp/out", REGLET__KIND_FS},
        {"exec:**", REGLET__KIND_EXEC},
        {"exec:git", REGLET__KIND_EXEC},
        {"exec:/usr/bin/git", REGLET__KIND_EXEC},
        {"env:AWS_*", REGLET__KIND_ENV},
        {"kv:read-write:settings/*", REGLET__KIND_KV},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reglet__capability *capability = parse(cases[i].text);
        assert_int_equal(reglet__capability_kind(capability), cases[i].kind);
        reglet__capability_free(capability);
    }
}

static void parse__unknown_kinds_are_refused(void **state) {
    (void)state;
    static const struct refused cases[] = {
        {"", 0, "starts with fs:"},
        {"fs", 0, "starts with fs:"},
        {"file:/etc/hosts", 0, "fs:"},
        {"FS:read:/x", 0, "fs:"},
        {" fs:read:/x", 0, "fs:"},
        {"net:outbound:443", 0, "network:"},
        {"/etc/hosts", 0, "fs:"},
        {":read:/x", 0, "fs:"},
        {"env", 0, "env:"},
        {"fs:", 3, "\"read:\""},
        {"env:", 4, "empty"},
        {"exec:", 5, "empty"},
        {"network:", 8, "outbound:"},
        {"kv:", 3, "read-write:"},
        {"fs:read", 3, "\"read:\""},
        {"fs:/etc/hosts", 3, "\"read:\""},
        {"fs:read-write:/x", 3, "read:"},
        {"fs:READ:/x", 3, "read:"},
        {"fs:exec:/x", 3, "\"write:\""},
        {"kv:settings", 3, "read-write:"},
        {"network:dns", 8, "outbound:"},
        {"network:inbound:80", 8, "outbound:"},
        {"network:outbound:", 17, "pattern is empty"},
    };
    ASSERT_ALL_REFUSED(cases);
}

static void parse__what_cannot_be_shown_is_refused(void **state) {
    (void)state;
    static const struct refused cases[] = {
        {"fs:read:/a\nb", 10, "U+000A"},
        {"fs:read:/a\x1b[2J", 10, "U+001B"},
        {"env:A\tB", 5, "U+0009"},
        {"exec:git\x7f", 8, "U+007F"},
        {"fs:read:/\xC2\x9B", 9, "U+009B"},
        {"fs:read:/\xFF", 9, "0xFF"},
        {"fs:read:/\xC0\xAF", 9, "UTF-8"},
        {"fs:read:/a\xED\xA0\x80", 10, "UTF-8"},
        {"network:outbound:80\r\n", 19, "U+000D"},
    };
    ASSERT_ALL_REFUSED(cases);
}

static void parse__patterns_have_a_longest_length(void **state) {
    (void)state;
    char text[9 + REGLET__MAX_PATTERN + 1];
    snprintf(text, sizeof text, "fs:write:%0*d", REGLET__MAX_PATTERN, 0);
    assert_int_equal(reglet_capability_check(text, NULL), REGLET_OK);
    static const struct {
        const char *prefix;
        ptrdiff_t pattern; /* where it starts */
    } cases[] = {{"fs:read:", 8}, {"kv:read:", 8}, {"env:A", 4}, {"exec:/", 5}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text, "%s%0*d", cases[i].prefix, REGLET__MAX_PATTERN + 1, 0);
        assert_refused(&(struct refused){text, cases[i].pattern + REGLET__MAX_PATTERN, "4096 bytes"});
    }
}

static void check__null_is_an_invalid_argument(void **state) {
    (void)state;
    reglet_error *error = NULL;
    assert_int_equal(reglet_capability_check(NULL, &error), REGLET_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(reglet_error_message(error), "fs:read:"));
    assert_int_equal(reglet_error_offset(error), -1);
    reglet_error_free(error);
}

static void check__a_message_quotes_no_more_than_one_line_can_hold(void **state) {
    (void)state;
    char text[2001];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    reglet_error *error = NULL;
    assert_int_equal(reglet_capability_check(text, &error), REGLET_ERR_INVALID_GRANT);
    assert_in_range(strlen(reglet_error_message(error)), 1, 400);
    reglet_error_free(error);
}

/* --- fs and kv --- */

static void fs__malformed_globs_are_refused_at_the_character(void **state) {
    (void)state;
    static const struct refused cases[] = {
        {"fs:read:", 8, "pattern is empty"}, {"fs:read:/a/../b", 11, "\"..\" is no segment"},
        {"fs:read:/a//b", 11, "empty"},      {"fs:write:/a**", 11, "whole segment"},
        {"fs:read:/[b", 9, "']'"},           {"kv:read:a/", 10, "empty"},
        {"kv:write:{a", 9, "'}'"},
    };
    ASSERT_ALL_REFUSED(cases);
}

static void fs__literal_part_is_what_the_runtime_resolves(void **state) {
    (void)state;
    static const struct {
        const char *text, *literal;
        bool whole;
    } cases[] = {
        {"fs:read:/etc/hosts", "/etc/hosts", true},
        {"fs:read:/etc/**", "/etc", false},
        {"fs:read:**", "/", false},
        {"fs:read:**/*.txt", "/", false},
        {"fs:read:/**", "/", false},
        {"fs:read:/", "/", true},
        {"fs:read:data/*.csv", "data", false},
        {"fs:read:*.csv", "", false},
        {"fs:read:notes", "notes", true},
        {"fs:write:/a\\*/b", "/a*/b", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reglet__capability *capability = parse(cases[i].text);
        bool whole = !cases[i].whole;
        assert_string_equal(reglet__capability_fs_literal(capability, &whole), cases[i].literal);
        assert_int_equal(whole, cases[i].whole);
        reglet__capability_free(capability);
    }
}

static void kv__operations_are_read_write_and_both(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool read, write;
    } cases[] = {{"kv:read:a", true, false},
                 {"kv:write:a", false, true},
                 {"kv:read-write:a/**", true, true},
                 {"kv:read:write:a", true, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reglet__capability *capability = parse(cases[i].text);
        assert_int_equal(capability->rule.keys.read, cases[i].read);
        assert_int_equal(capability->rule.keys.write, cases[i].write);
        reglet__capability_free(capability);
    }
}

/* --- env --- */

static void env__is_a_name_a_prefix_or_all(void **state) {
    (void)state;
    static const struct {
        const char *text, *name;
        bool prefix;
    } cases[] = {{"env:HOME", "HOME", false},
                 {"env:AWS_*", "AWS_", true},
                 {"env:*", "", true},
                 {"env:_a1", "_a1", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reglet__capability *capability = parse(cases[i].text);
        const struct reglet__variable_rule *rule = &capability->rule.variable;
        assert_int_equal(rule->name.size, strlen(cases[i].name));
        assert_memory_equal(rule->name.text, cases[i].name, rule->name.size);
        assert_int_equal(rule->prefix, cases[i].prefix);
        reglet__capability_free(capability);
    }
}

static void env__malformed_names_are_refused(void **state) {
    (void)state;
    static const struct refused cases[] = {
        {"env:1A", 4, "found '1'"},  {"env:A-B", 5, "found '-'"},   {"env:*A", 5, "found 'A'"},
        {"env:A**", 6, "found '*'"}, {"env:**", 5, "found '*'"},    {"env:A*B", 6, "found 'B'"},
        {"env:A=b", 5, "found '='"}, {"env:$HOME", 4, "found '$'"}, {"env:é", 4, "found 'é'"},
        {"env:A?", 5, "found '?'"},  {"env:A B", 5, "found ' '"},
    };
    ASSERT_ALL_REFUSED(cases);
}

/* --- exec --- */

static void exec__is_a_file_a_directory_a_name_or_all(void **state) {
    (void)state;
    static const struct {
        const char *command, *text;
        enum reglet__command form;
    } cases[] = {
        {"exec:**", "", REGLET__COMMAND_ANY},
        {"exec:git", "git", REGLET__COMMAND_NAME},
        {"exec:g++-12.2", "g++-12.2", REGLET__COMMAND_NAME},
        {"exec:/usr/bin/git", "/usr/bin/git", REGLET__COMMAND_FILE},
        {"exec:/opt/My App/run", "/opt/My App/run", REGLET__COMMAND_FILE},
        {"exec:/usr/bin/*", "/usr/bin", REGLET__COMMAND_CHILDREN},
        {"exec:/*", "", REGLET__COMMAND_CHILDREN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reglet__capability *capability = parse(cases[i].command);
        const struct reglet__command_rule *rule = &capability->rule.command;
        assert_int_equal(rule->form, cases[i].form);
        assert_int_equal(rule->text.size, strlen(cases[i].text));
        if (rule->text.size)
            assert_memory_equal(rule->text.text, cases[i].text, rule->text.size);
        reglet__capability_free(capability);
    }
}

static void exec__malformed_commands_are_refused(void **state) {
    (void)state;
    static const struct refused cases[] = {
        {"exec:*", 5, "no glob"},
        {"exec:g*", 6, "no glob"},
        {"exec:/usr/*/git", 10, "no glob"},
        {"exec:/usr/bin/g*", 15, "no glob"},
        {"exec:/usr/bin/**", 14, "no glob"},
        {"exec:/bin/{a,b}", 10, "no glob"},
        {"exec:/bin/g?t", 11, "no glob"},
        {"exec:git\\x", 8, "no glob"},
        {"exec:./git", 5, "relative"},
        {"exec:../git", 5, "relative"},
        {"exec:bin/git", 5, "relative"},
        {"exec:git/*", 9, "no glob"},
        {"exec:.", 5, "no segment"},
        {"exec:..", 5, "no segment"},
        {"exec:/", 6, "empty"},
        {"exec:/bin//ls", 10, "empty"},
        {"exec:/bin/", 10, "empty"},
        {"exec:/usr/../bin/ls", 10, "no segment"},
        {"exec:/./ls", 6, "no segment"},
        {"exec:/bin//*", 10, "empty"},
        {"exec:git status", 8, "arguments"},
    };
    ASSERT_ALL_REFUSED(cases);
}

/* --- network --- */

static struct reglet__capability *parse_rule(const char *rule) {
    char text[512];
    snprintf(text, sizeof text, "network:outbound:%s", rule);
    return parse(text);
}

static void assert_ports(const struct reglet__network_rule *rule, const char *expected) {
    char got[256] = "";
    for (size_t i = 0; i < rule->port_count; i++) {
        char range[32];
        snprintf(range, sizeof range, "%s%u-%u", i ? "," : "", rule->ports[i].low, rule->ports[i].high);
        strcat(got, range);
    }
    assert_string_equal(got, expected);
}

static void network__hosts_and_ports_are_told_apart(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum reglet__host_form host;
        const char *name, *ports;
    } cases[] = {
        {"*", REGLET__HOST_ANY, "", ""},
        {"private", REGLET__HOST_PRIVATE, "", ""},
        {"443", REGLET__HOST_ANY, "", "443-443"},
        {"80,443", REGLET__HOST_ANY, "", "80-80,443-443"},
        {"1,8000-9000,65535", REGLET__HOST_ANY, "", "1-1,8000-9000,65535-65535"},
        {"5-5", REGLET__HOST_ANY, "", "5-5"},
        {"*:443", REGLET__HOST_ANY, "", "443-443"},
        {"*:*", REGLET__HOST_ANY, "", ""},
        {"example.com", REGLET__HOST_NAME, "example.com", ""},
        {"example.com:*", REGLET__HOST_NAME, "example.com", ""},
        {"example.com:80,8000-9000", REGLET__HOST_NAME, "example.com", "80-80,8000-9000"},
        {"API.Example.COM.:443", REGLET__HOST_NAME, "api.example.com", "443-443"},
        {"localhost:5432", REGLET__HOST_NAME, "localhost", "5432-5432"},
        {"xn--mller-kva.de", REGLET__HOST_NAME, "xn--mller-kva.de", ""},
        {"3com.com", REGLET__HOST_NAME, "3com.com", ""},
        {"443x", REGLET__HOST_NAME, "443x", ""},
        {"0xcafe.example", REGLET__HOST_NAME, "0xcafe.example", ""},
        {"*.example.com:443", REGLET__HOST_BELOW, "example.com", "443-443"},
        {"*.com.", REGLET__HOST_BELOW, "com", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reglet__capability *capability = parse_rule(cases[i].text);
        const struct reglet__network_rule *rule = &capability->rule.network;
        assert_int_equal(rule->host, cases[i].host);
        assert_string_equal(rule->name, cases[i].name);
        assert_ports(rule, cases[i].ports);
        assert_int_equal(rule->scheme, REGLET__SCHEME_NONE);
        reglet__capability_free(capability);
    }
}

static void network__addresses_are_kept_as_numbers(void **state) {
    (void)state;
    static const struct {
        const char *text, *address;
        unsigned prefix;
        const char *ports;
    } cases[] = {
        {"10.1.2.3", "10.1.2.3", 32, ""},
        {"10.0.0.0/8:5432", "10.0.0.0", 8, "5432-5432"},
        {"0.0.0.0/0:*", "0.0.0.0", 0, ""},
        {"192.168.1.128/25", "192.168.1.128", 25, ""},
        {"255.255.255.255/32", "255.255.255.255", 32, ""},
        {"[::1]", "::1", 128, ""},
        {"[::1]:443", "::1", 128, "443-443"},
        {"[FC00::/7]:80-81", "fc00::", 7, "80-81"},
        {"[::/0]", "::", 0, ""},
        {"[2001:db8::]", "2001:db8::", 128, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reglet__capability *capability = parse_rule(cases[i].text);
        const struct reglet__network_rule *rule = &capability->rule.network;
        char address[INET6_ADDRSTRLEN];
        inet_ntop(rule->is_ipv6 ? AF_INET6 : AF_INET, rule->address, address, sizeof address);
        assert_int_equal(rule->host, REGLET__HOST_ADDRESS);
        assert_string_equal(address, cases[i].address);
        assert_int_equal(rule->prefix, cases[i].prefix);
        assert_ports(rule, cases[i].ports);
        reglet__capability_free(capability);
    }
}

/* Otherwise a rule for ::ffff:10.0.0.1 would be about another host than one for 10.0.0.1. */
static void network__ipv4_mapped_addresses_become_the_ipv4_address(void **state) {
    (void)state;
    static const struct {
        const char *text, *address;
        unsigned prefix;
    } cases[] = {{"[::ffff:127.0.0.1]", "127.0.0.1", 32},
                 {"[::ffff:a00:0/104]", "10.0.0.0", 8},
                 {"[::ffff:0:0/96]", "0.0.0.0", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reglet__capability *capability = parse_rule(cases[i].text);
        const struct reglet__network_rule *rule = &capability->rule.network;
        char address[INET_ADDRSTRLEN];
        assert_false(rule->is_ipv6);
        inet_ntop(AF_INET, rule->address, address, sizeof address);
        assert_string_equal(address, cases[i].address);
        assert_int_equal(rule->prefix, cases[i].prefix);
        reglet__capability_free(capability);
    }
}

static void network__urls_name_one_scheme_host_port_and_path(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum reglet__scheme scheme;
        enum reglet__host_form host;
        const char *ports, *path;
    } cases[] = {
        {"https://api.example.com/v1", REGLET__SCHEME_HTTPS, REGLET__HOST_NAME, "443-443", "/v1"},
        {"http://API.example.com", REGLET__SCHEME_HTTP, REGLET__HOST_NAME, "80-80", ""},
        {"https://a.example:8443/", REGLET__SCHEME_HTTPS, REGLET__HOST_NAME, "8443-8443", "/"},
        {"http://10.0.0.1:8080/a/b/", REGLET__SCHEME_HTTP, REGLET__HOST_ADDRESS, "8080-8080", "/a/b/"},
        {"https://[::1]:1/a%20b;c=1,2/~x@y:z", REGLET__SCHEME_HTTPS, REGLET__HOST_ADDRESS, "1-1",
         "/a%20b;c=1,2/~x@y:z"},
        {"https://a.example/..a/.b/c..", REGLET__SCHEME_HTTPS, REGLET__HOST_NAME, "443-443", "/..a/.b/c.."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reglet__capability *capability = parse_rule(cases[i].text);
        const struct reglet__network_rule *rule = &capability->rule.network;
        assert_int_equal(rule->scheme, cases[i].scheme);
        assert_int_equal(rule->host, cases[i].host);
        assert_ports(rule, cases[i].ports);
        assert_int_equal(rule->path.size, strlen(cases[i].path));
        assert_memory_equal(rule->path.text, cases[i].path, rule->path.size);
        reglet__capability_free(capability);
    }
}

/* Offsets below count from the rule on. */
static void assert_rules_refused(const struct refused *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char text[1024];
        int prefix = snprintf(text, sizeof text, "network:outbound:");
        snprintf(text + prefix, sizeof text - (size_t)prefix, "%s", cases[i].text);
        assert_refused(&(struct refused){text, prefix + cases[i].offset, cases[i].words});
    }
}
#define ASSERT_RULES_REFUSED(cases) assert_rules_refused(cases, sizeof(cases) / sizeof((cases)[0]))

static void network__malformed_ports_are_refused(void **state) {
    (void)state;
    static const struct refused cases[] = {
        {"0", 0, "at least 1"},
        {"65536", 0, "at most 65535"},
        {"99999999999999999999", 0, "at most"},
        {"080", 0, "leading zeros"},
        {"00", 0, "leading zeros"},
        {"443-80", 0, "backwards; write 80-443"},
        {"80-", 3, "found the end"},
        {"80,", 3, "found the end"},
        {"80,,443", 3, "found ','"},
        {"80--90", 3, "found '-'"},
        {"80-90-100", 5, "found '-'"},
        {"80,0", 3, "at least 1"},
        {"1-65536", 2, "at most"},
        {"+80", 0, "found '+'"},
        {"80 ", 2, "found ' '"},
        {" 80", 0, "found ' '"},
        {"-80", 0, "'-'"},
        {",80", 0, "found ','"},
        {"80,http", 2, "found ','"},
        {"a.example:", 10, "found the end"},
        {"a.example:0", 10, "at least 1"},
        {"a.example:80x", 12, "found 'x'"},
        {"a.example:http", 10, "found 'h'"},
        {"*:0x50", 2, "at least 1"},
        {"a.example:*,80", 10, "found '*'"},
        {"a.example:80,*", 13, "found '*'"},
        {"22:22", 0, "IPv4"},
    };
    ASSERT_RULES_REFUSED(cases);
}

/* Each is an address to some resolver: as a name it would be judged by its letters and connected by its value. */
static void network__other_spellings_of_addresses_are_refused(void **state) {
    (void)state;
    static const struct refused cases[] = {
        {"0177.0.0.1", 0, "IPv4"},
        {"0x7f.1", 0, "IPv4"},
        {"127.1", 0, "IPv4"},
        {"127.0.0.1.", 0, "IPv4"},
        {"127.0.0.01", 0, "IPv4"},
        {"127.0.0.0x1", 0, "IPv4"},
        {"127.0.0.256", 0, "IPv4"},
        {"1.2.3.4.5", 0, "IPv4"},
        {"2130706433", 0, "at most 65535"},
        {"0x7f000001", 0, "IPv4"},
        {"0x", 0, "IPv4"},
        {"a.example.1", 0, "IPv4"},
        {"*.1", 2, "not a number"},
        {"*.0.0.1", 2, "not a number"},
        {"127.0.0.1 ", 9, "found ' '"},
        {"::1", 0, "brackets"},
        {"fe80::1", 4, "brackets"},
        {"2001:db8::1:443", 4, "brackets"},
        {"[::1", 0, "']'"},
        {"[]", 1, "IPv6"},
        {"[fe80::1%eth0]", 1, "IPv6"},
        {"[::1]443", 5, "found '4'"},
        {"[127.0.0.1]", 1, "IPv6"},
        {"[::1]:", 6, "found the end"},
        {"[:::1]", 1, "IPv6"},
        {"[g::1]", 1, "IPv6"},
        {"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]", 1, "IPv6"},
    };
    ASSERT_RULES_REFUSED(cases);
}

/* A mask that is not a number must not become 0. */
static void network__malformed_masks_are_refused(void **state) {
    (void)state;
    static const struct refused cases[] = {
        {"10.0.0.0/x", 9, "found 'x'"},          {"10.0.0.0/", 9, "found the end"},
        {"10.0.0.0/33", 9, "at most 32"},        {"10.0.0.0/08", 9, "leading"},
        {"10.0.0.0/-1", 9, "found '-'"},         {"10.0.0.0/8x", 10, "found 'x'"},
        {"10.0.0.0/ 8", 9, "found ' '"},         {"10.0.0.1/8", 0, "not all zero"},
        {"10.128.0.0/8", 0, "not all zero"},     {"1.2.3.4/0", 0, "not all zero"},
        {"10.0.0.0/255.0.0.0", 9, "at most 32"}, {"10.0.0.0/8/8", 10, "found '/'"},
        {"[fc00::/129]", 8, "at most 128"},      {"[fc00::/x]", 8, "found 'x'"},
        {"[fc00::1/7]", 1, "not all zero"},      {"[fc00::/7x]", 9, "found 'x'"},
        {"[fc00::]/7", 8, "found '/'"},          {"a.example/8", 9, "IP address only"},
        {"*/8", 1, "IP address only"},           {"*.a.example/8", 11, "found '/'"},
    };
    ASSERT_RULES_REFUSED(cases);
}

static void network__malformed_names_are_refused(void **state) {
    (void)state;
    static const struct refused cases[] = {
        {"user@a.example", 4, "found '@'"},
        {"müller.example", 1, "found 'ü'"},
        {"a..example", 2, "empty"},
        {".example", 0, "empty"},
        {"a.example..", 10, "empty"},
        {".", 0, "empty"},
        {"-a.example", 0, "'-'"},
        {"a-.example", 1, "'-'"},
        {"a_b.example", 1, "found '_'"},
        {"a.*.example", 2, "found '*'"},
        {"*a.example", 0, "found '*'"},
        {"*.", 2, "empty"},
        {"**", 0, "found '*'"},
        {"*.*.example", 2, "found '*'"},
        {"a b", 1, "found ' '"},
        {"a\\b", 1, "found '\\'"},
        {"１２７.0.0.1x", 0, "found '１'"},
        {"a.example:80:80", 9, "more than one ':'"},
        {":443", 0, "empty"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example", 0, "63"},
    };
    ASSERT_RULES_REFUSED(cases);
    char name[300] = "";
    for (size_t i = 0; i < 64; i++)
        strcat(name, "abc.");
    strcpy(name + 251, "de"); /* 253 characters */
    reglet__capability_free(parse_rule(name));
    strcpy(name + 251, "def");
    assert_rules_refused(&(struct refused){name, 0, "253"}, 1);
}

static void network__malformed_urls_are_refused(void **state) {
    (void)state;
    static const struct refused cases[] = {
        {"ftp://a.example/", 0, "http:// or https://"},
        {"file:///etc/passwd", 0, "http:// or https://"},
        {"HTTPS://a.example/", 0, "lower case"},
        {"://a.example", 0, "http:// or https://"},
        {"https://u@a.example/", 9, "user"},
        {"https://u:p@a.example/", 11, "user"},
        {"https://@a.example/", 8, "user"},
        {"https:///v1", 8, "empty"},
        {"https://a.example?q", 17, "query"},
        {"https://a.example/v1?q=1", 20, "query"},
        {"https://a.example#f", 17, "fragment"},
        {"https://a.example/v1#f", 20, "fragment"},
        {"https://a.example/../x", 18, "\"..\""},
        {"https://a.example/v1/..", 21, "\"..\""},
        {"https://a.example/./x", 18, "\".\""},
        {"https://a.example//x", 18, "two slashes"},
        {"https://a.example/%2e%2e/x", 18, "escaped"},
        {"https://a.example/a%2Fb", 19, "escaped"},
        {"https://a.example/a%5cb", 19, "escaped"},
        {"https://a.example/%00", 18, "escaped"},
        {"https://a.example/%0d%0a", 18, "escaped"},
        {"https://a.example/%", 18, "hexadecimal"},
        {"https://a.example/%4", 18, "hexadecimal"},
        {"https://a.example/%zz", 18, "hexadecimal"},
        {"https://a.example/v1/*", 21, "no glob"},
        {"https://a.example/a b", 19, "%XX"},
        {"https://a.example/a\\b", 19, "%XX"},
        {"https://a.example/é", 18, "%XX"},
        {"https://a.example\\@b.example/", 18, "user"},
        {"https://a.example\\b/", 17, "found '\\'"},
        {"https://a.example:/", 18, "a port"},
        {"https://a.example:0/", 18, "at least 1"},
        {"https://a.example:80,443/", 20, "one port"},
        {"https://a.example:80-90/", 20, "one port"},
        {"https://a.example:65536/", 18, "at most"},
        {"https://a.example:*/", 18, "a port"},
        {"https://*.a.example/", 8, "found '*'"},
        {"https://*/", 8, "found '*'"},
        {"https://[::1/", 8, "']'"},
        {"https://[fc00::/7]/", 8, "']'"},
        {"https://[::1]x/", 13, "one port"},
        {"https://0x7f.1/", 8, "IPv4"},
        {"https://[fe80::1%25eth0]/", 9, "IPv6"},
        {"https:/a.example", 6, "found '/'"},
    };
    ASSERT_RULES_REFUSED(cases);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__patterns_in_the_field_load),
        cmocka_unit_test(parse__unknown_kinds_are_refused),
        cmocka_unit_test(parse__what_cannot_be_shown_is_refused),
        cmocka_unit_test(parse__patterns_have_a_longest_length),
        cmocka_unit_test(check__null_is_an_invalid_argument),
        cmocka_unit_test(check__a_message_quotes_no_more_than_one_line_can_hold),
        cmocka_unit_test(fs__malformed_globs_are_refused_at_the_character),
        cmocka_unit_test(fs__literal_part_is_what_the_runtime_resolves),
        cmocka_unit_test(kv__operations_are_read_write_and_both),
        cmocka_unit_test(env__is_a_name_a_prefix_or_all),
        cmocka_unit_test(env__malformed_names_are_refused),
        cmocka_unit_test(exec__is_a_file_a_directory_a_name_or_all),
        cmocka_unit_test(exec__malformed_commands_are_refused),
        cmocka_unit_test(network__hosts_and_ports_are_told_apart),
        cmocka_unit_test(network__addresses_are_kept_as_numbers),
        cmocka_unit_test(network__ipv4_mapped_addresses_become_the_ipv4_address),
        cmocka_unit_test(network__urls_name_one_scheme_host_port_and_path),
        cmocka_unit_test(network__malformed_ports_are_refused),
        cmocka_unit_test(network__other_spellings_of_addresses_are_refused),
        cmocka_unit_test(network__malformed_masks_are_refused),
        cmocka_unit_test(network__malformed_names_are_refused),
        cmocka_unit_test(network__malformed_urls_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
