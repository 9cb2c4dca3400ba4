/* What may be connected to: host and port, the address, and the two together. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/policy_fixture.h"

/* --- making policies --- */

static void add_rule(struct reglet__policy *policy, enum how how, const char *rule) {
    char text[1024];
    snprintf(text, sizeof text, "network:outbound:%s", rule);
    add(policy, how, text);
}

/* Grants of these rules, with spaces between. */
static struct reglet__policy *granted_rules(const char *rules) {
    struct reglet__policy *policy = policy_new();
    char copy[1024], *rest = copy;
    snprintf(copy, sizeof copy, "%s", rules);
    for (char *rule; (rule = strsep(&rest, " "));)
        add_rule(policy, GRANT, rule);
    return policy;
}

/* --- asking --- */

static struct reglet__address address_of(const char *text) {
    unsigned char bytes[16];
    bool is_ipv6 = strchr(text, ':') != NULL;
    if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, text, bytes) != 1)
        fail_msg("%s is no address", text);
    return reglet__address_from_bytes(bytes, is_ipv6);
}

/* "host:port", or a URL without a port for 80 and 443. */
static struct reglet__endpoint endpoint_of(const char *text) {
    struct reglet__endpoint endpoint = {.scheme = REGLET__SCHEME_NONE};
    size_t size = strlen(text);
    char with_port[512];
    if (strncmp(text, "http", 4) == 0) {
        bool tls = text[4] == 's';
        const char *host = text + (tls ? 8 : 7);
        endpoint.scheme = tls ? REGLET__SCHEME_HTTPS : REGLET__SCHEME_HTTP;
        endpoint.path = strchrnul(host, '/');
        size = (size_t)(endpoint.path - host);
        const char *colon = memrchr(host, ':', size);
        bool has_port = colon && !memchr(colon, ']', size - (size_t)(colon - host));
        snprintf(with_port, sizeof with_port, "%.*s%s", (int)size, host,
                 has_port ? ""
                 : tls    ? ":443"
                          : ":80");
        text = with_port;
        size = strlen(with_port);
    }
    const char *wrong = reglet__endpoint_parse(text, size, &endpoint);
    if (wrong)
        fail_msg("%s: %s", text, wrong);
    return endpoint;
}

static void check_form(const char *what, const struct reglet__decision *decision) {
    if (decision->allowed ? !decision->rule || decision->reason : decision->rule || !decision->reason)
        fail_msg("%s: a decision has a rule when allowed, else a reason", what);
}

/* The whole decision: host and port, and the address: that of the endpoint itself, or the one its name has. */
static bool decide(const struct reglet__policy *policy, const char *asked, const char *resolved) {
    struct reglet__endpoint endpoint = endpoint_of(asked);
    struct reglet__decision decision = reglet__policy_connect(policy, &endpoint);
    check_form(asked, &decision);
    struct reglet__address address = resolved ? address_of(resolved) : endpoint.address;
    struct reglet__decision second = reglet__policy_address(policy, &endpoint, &address);
    check_form(asked, &second);
    if (!decision.allowed && second.allowed)
        fail_msg("%s: no address may be reached of a host that may not", asked);
    return decision.allowed && second.allowed;
}

struct vector {
    const char *granted, *asked;
    bool allowed;
    const char *resolved; /* a name's address; NULL: a public one */
};

static void assert_vectors(const struct vector *vectors, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct vector *vector = &vectors[i];
        struct reglet__policy *policy = granted_rules(vector->granted);
        bool named = endpoint_of(vector->asked).name[0] != '\0';
        const char *resolved = vector->resolved ? vector->resolved : named ? "93.184.216.34" : NULL;
        if (decide(policy, vector->asked, resolved) != vector->allowed)
            fail_msg("%s (%s) under \"%s\": expected it to be %s", vector->asked,
                     resolved ? resolved : "itself", vector->granted, vector->allowed ? "allowed" : "denied");
        reglet__policy_free(policy);
    }
}
#define ASSERT_VECTORS(vectors) assert_vectors(vectors, sizeof(vectors) / sizeof((vectors)[0]))

/* --- host and port --- */

static void connect__nothing_is_granted_by_default(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    assert_false(decide(policy, "example.org:443", "93.184.216.34"));
    assert_false(decide(policy, "8.8.8.8:53", NULL));
    struct reglet__endpoint endpoint = endpoint_of("example.org:443");
    assert_false(reglet__policy_lookup(policy, &endpoint).allowed);
    assert_string_equal(reglet__policy_connect(policy, &endpoint).reason, "no grant covers it");
    reglet__policy_free(policy);
}

static void connect__the_vectors_of_the_policy(void **state) {
    (void)state;
    static const struct vector vectors[] = {
        {"443", "example.org:443", true, NULL},
        {"443", "example.org:80", false, NULL},
        {"443", "10.0.0.1:443", false, NULL},
        {"443 private", "10.0.0.1:443", true, NULL},
        {"443 private", "169.254.169.254:443", false, NULL},
        {"443 private", "[::1]:443", true, NULL},
        {"10.0.0.0/8:5432", "10.1.2.3:5432", true, NULL},
        {"10.0.0.0/8:5432", "10.1.2.3:22", false, NULL},
        {"10.0.0.0/8:5432", "11.0.0.1:5432", false, NULL},
        {"*.example.com:443", "a.example.com:443", true, NULL},
        {"*.example.com:443", "a.b.example.com:443", true, NULL},
        {"*.example.com:443", "example.com:443", false, NULL},
        {"*.example.com:443", "evilexample.com:443", false, NULL},
        {"https://a.example/v1", "https://a.example/v1/x", true, NULL},
        {"https://a.example/v1", "https://a.example/v10", false, NULL},
        {"https://a.example/v1", "http://a.example/v1", false, NULL},
        {"https://a.example/v1", "https://a.example:8443/v1", false, NULL},
        {"8000-9000", "a.example:8000", true, NULL},
        {"8000-9000", "a.example:9000", true, NULL},
        {"8000-9000", "a.example:7999", false, NULL},
    };
    ASSERT_VECTORS(vectors);
    uint16_t port = 7;
    assert_non_null(reglet__endpoint_port("80 ", 3, &port));
    assert_non_null(reglet__endpoint_port("+80", 3, &port));
    assert_int_equal(port, 7);
}

static void connect__a_host_is_matched_as_it_was_written(void **state) {
    (void)state;
    static const struct vector vectors[] = {
        {"api.example.com", "api.example.com:1", true, NULL},
        {"api.example.com", "API.Example.COM.:65535", true, NULL},
        {"api.example.com", "xapi.example.com:443", false, NULL},
        {"api.example.com", "api.example.com.evil.example:443", false, NULL},
        {"api.example.com:443", "api.example.com:444", false, NULL},
        {"api.example.com:80,8000-9000", "api.example.com:8443", true, NULL},
        {"*", "a.example:1", true, NULL},
        {"*", "8.8.8.8:53", true, NULL},
        {"*", "10.0.0.1:53", false, NULL},
        {"*:443", "a.example:443", true, NULL},
        {"*:443", "a.example:80", false, NULL},
        {"private", "10.0.0.1:443", false, NULL},
        {"private", "a.example:443", false, "10.0.0.1"},
        {"private", "a.example:443", false, NULL},
        /* A name is no address, even when it leads to one: whoever owns the name could make it so. */
        {"93.184.216.34:443", "a.example:443", false, "93.184.216.34"},
        {"0.0.0.0/0", "a.example:443", false, NULL},
        {"93.184.216.0/24", "93.184.216.34:443", true, NULL},
        {"0.0.0.0/0", "93.184.216.34:443", true, NULL},
        {"0.0.0.0/0", "[2606:4700::1]:443", false, NULL},
        {"[::/0]", "[2606:4700::1]:443", true, NULL},
        {"[::/0]", "93.184.216.34:443", false, NULL},
        {"[2606:4700::/32]:443", "[2606:4700:ffff::1]:443", true, NULL},
        {"[2606:4700::/32]:443", "[2606:4701::1]:443", false, NULL},
    };
    ASSERT_VECTORS(vectors);
}

static void connect__the_rule_that_decided_is_named(void **state) {
    (void)state;
    struct reglet__policy *policy = granted_rules("80 *.example.org:443 private");
    struct reglet__endpoint endpoint = endpoint_of("a.example.org:443");
    assert_string_equal(reglet__policy_connect(policy, &endpoint).rule, "network:outbound:*.example.org:443");
    struct reglet__address address = address_of("10.0.0.1");
    assert_string_equal(reglet__policy_address(policy, &endpoint, &address).rule, "network:outbound:private");
    address = address_of("8.8.8.8");
    assert_string_equal(reglet__policy_address(policy, &endpoint, &address).rule,
                        "network:outbound:*.example.org:443");
    reglet__policy_free(policy);
}

/* --- URLs --- */

static void url__a_rule_is_one_scheme_host_port_and_path(void **state) {
    (void)state;
    static const struct vector vectors[] = {
        {"https://a.example/v1", "https://a.example/v1", true, NULL},
        {"https://a.example/v1", "https://a.example/v1/", true, NULL},
        {"https://a.example/v1", "https://A.EXAMPLE./v1", true, NULL},
        {"https://a.example/v1", "https://a.example:443/v1", true, NULL},
        {"https://a.example/v1", "https://a.example/", false, NULL},
        {"https://a.example/v1", "https://a.example", false, NULL},
        {"https://a.example/v1", "https://a.example/V1", false, NULL},
        {"https://a.example/v1", "https://a.example/v1;x", false, NULL},
        {"https://a.example/v1", "https://b.example/v1", false, NULL},
        {"https://a.example/v1", "https://x.a.example/v1", false, NULL},
        {"https://a.example/v1", "http://a.example:443/v1", false, NULL},
        {"http://a.example:443/v1", "https://a.example/v1", false, NULL},
        {"https://a.example/v1/", "https://a.example/v1/x", true, NULL},
        {"https://a.example/v1/", "https://a.example/v1", false, NULL},
        {"https://a.example", "https://a.example/any/%2e%2e//x", true, NULL},
        {"https://a.example/", "https://a.example", true, NULL},
        {"https://a.example:8443", "https://a.example:8443/x", true, NULL},
        {"https://a.example:8443", "https://a.example/x", false, NULL},
        /* Nothing that does not say which URL it fetches. */
        {"https://a.example/v1", "a.example:443", false, NULL},
        {"https://a.example", "a.example:443", false, NULL},
        /* Rules of hosts and ports are about everything that connects. */
        {"443", "https://a.example/x", true, NULL},
        {"443", "https://a.example:8443/x", false, NULL},
        {"443", "http://a.example/x", false, NULL},
        {"a.example:80", "http://a.example/../x", true, NULL},
    };
    ASSERT_VECTORS(vectors);
}

/* Each is below /v1 to us, or to the server, and not to both. */
static void url__a_path_that_others_read_differently_is_denied(void **state) {
    (void)state;
    static const char *const paths[] = {
        "/v1/..",
        "/v1/../x",
        "/v1/.",
        "/v1/./x",
        "/v1//x",
        "//v1",
        "/v1/%2e%2e/x",
        "/v1/%2E%2E/x",
        "/v1/.%2e/x",
        "/v1/%2e",
        "/v1%2fx",
        "/v1%2Fx",
        "/v1/..%2fx",
        "/v1/..%5cx",
        "/v1/%5C..%5Cx",
        "/v1/..\\x",
        "/v1\\..\\x",
        "/v1/..;/x",
        "/v1/..;a=b/x",
        "/v1/.;/x",
        "/v1/..%3b/x",
        "/v1/%252e%252e/",
        "/v1/%25%32%65/x",
        "/v1/%00",
        "/v1/%0d%0aX",
        "/v1/%c0%ae%c0%ae",
        "/v1/%e0%80%ae",
        "/v1/%ff",
        "/v1/%c3",
        "/v1/%",
        "/v1/%2",
        "/v1/%zz",
        "/v1/%u002e",
        "/v1/a b",
        "/v1/\t",
        "/v1/\x7f",
        "/v1/\xC3\xA9",
        "/v1/x?q",
        "/v1/x#f",
        "v1",
        "",
        "/%76%31/../v1",
    };
    struct reglet__policy *policy = granted_rules("https://a.example/v1");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct reglet__endpoint endpoint = endpoint_of("https://a.example");
        endpoint.path = paths[i];
        if (reglet__policy_connect(policy, &endpoint).allowed)
            fail_msg("%s: expected it to be denied", paths[i]);
    }
    struct reglet__endpoint endpoint = endpoint_of("https://a.example");
    endpoint.path = NULL;
    assert_false(reglet__policy_connect(policy, &endpoint).allowed);
    reglet__policy_free(policy);
}

static void url__escapes_are_compared_by_what_they_stand_for(void **state) {
    (void)state;
    static const struct vector vectors[] = {
        {"https://a.example/v1", "https://a.example/%761", true, NULL},
        {"https://a.example/v1", "https://a.example/v1/%73ecret", true, NULL},
        {"https://a.example/v1/open", "https://a.example/v1/%73ecret", false, NULL},
        {"https://a.example/v1/secret", "https://a.example/v1/%73ecret", true, NULL},
        {"https://a.example/v%31", "https://a.example/v1/x", true, NULL},
        {"https://a.example/v1", "https://a.example/v1%30", false, NULL},
        {"https://a.example/a%20b", "https://a.example/a%20b", true, NULL},
        {"https://a.example/%c3%a9", "https://a.example/%C3%A9/x", true, NULL},
        {"https://a.example/a,b", "https://a.example/a%2cb", false, NULL},
        {"https://a.example/a%2Cb", "https://a.example/a%2cb", true, NULL},
        {"https://a.example/a%2Cb", "https://a.example/a,b", false, NULL},
        {"https://a.example/v1", "https://a.example/v1/%f0%9f%98%80", true, NULL},
    };
    ASSERT_VECTORS(vectors);
}

/* --- addresses --- */

/* The whole table once more, independently: first, last, one before, one after. */
static const struct {
    const char *first, *last, *before, *after; /* NULL: the neighbour is special too, or there is none */
    enum reglet__reach reach;
    const char *name;
} ranges[] = {
    {"0.0.0.0", "0.255.255.255", NULL, "1.0.0.0", REGLET__REACH_EXPLICIT, "RFC 791"},
    {"10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0", REGLET__REACH_PRIVATE, "RFC 1918"},
    {"100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0", REGLET__REACH_PRIVATE, "RFC 6598"},
    {"127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0", REGLET__REACH_PRIVATE, "loopback"},
    {"168.63.129.16", "168.63.129.16", "168.63.129.15", "168.63.129.17", REGLET__REACH_EXPLICIT, "Azure"},
    {"169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0", REGLET__REACH_EXPLICIT, "RFC 3927"},
    {"172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0", REGLET__REACH_PRIVATE, "RFC 1918"},
    {"192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0", REGLET__REACH_EXPLICIT, "RFC 6890"},
    {"192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0", REGLET__REACH_EXPLICIT, "RFC 5737"},
    {"192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0", REGLET__REACH_EXPLICIT, "6to4"},
    {"192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0", REGLET__REACH_PRIVATE, "RFC 1918"},
    {"198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0", REGLET__REACH_EXPLICIT, "RFC 2544"},
    {"198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0", REGLET__REACH_EXPLICIT, "RFC 5737"},
    {"203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0", REGLET__REACH_EXPLICIT, "RFC 5737"},
    {"224.0.0.0", "239.255.255.255", "223.255.255.255", NULL, REGLET__REACH_EXPLICIT, "multicast"},
    {"240.0.0.0", "255.255.255.254", NULL, NULL, REGLET__REACH_EXPLICIT, "RFC 1112"},
    {"255.255.255.255", "255.255.255.255", NULL, NULL, REGLET__REACH_EXPLICIT, "broadcast"},

    {"::", "::", NULL, NULL, REGLET__REACH_EXPLICIT, "unspecified"},
    {"::1", "::1", NULL, NULL, REGLET__REACH_PRIVATE, "loopback"},
    {"::2", "::ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT, "IPv4-compatible"},
    {"::1:0:0", "::fffe:ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT, "not global unicast"},
    {"::ffff:0:0:0", "::ffff:0:ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT, "RFC 2765"},
    {"64:ff9b::", "64:ff9b::ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT, "RFC 6052"},
    {"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT, "RFC 8215"},
    {"100::", "100::ffff:ffff:ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT, "RFC 6666"},
    {"100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT, "RFC 9780"},
    {"100:0:0:2::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "2000::", REGLET__REACH_EXPLICIT,
     "not global unicast"},
    {"2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL,
     REGLET__REACH_EXPLICIT, "Teredo"},
    {"2001:1::", "2001:1:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT, "RFC 2928"},
    {"2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT, "RFC 5180"},
    {"2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT, "RFC 4843"},
    {"2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT, "RFC 7343"},
    {"2001:30::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "2001:200::", REGLET__REACH_EXPLICIT,
     "RFC 2928"},
    {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:db9::", REGLET__REACH_EXPLICIT, "RFC 3849"},
    {"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2003::", REGLET__REACH_EXPLICIT, "6to4"},
    {"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "3fff:1000::", REGLET__REACH_EXPLICIT, "RFC 9637"},
    {"4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL,
     REGLET__REACH_EXPLICIT, "not global unicast"},
    {"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT, "RFC 9602"},
    {"5f01::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT,
     "not global unicast"},
    {"fc00::", "fd00:ec1:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL, REGLET__REACH_PRIVATE, "RFC 4193"},
    {"fd00:ec2::", "fd00:ec2:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT, "AWS"},
    {"fd00:ec3::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL, REGLET__REACH_PRIVATE, "RFC 4193"},
    {"fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT,
     "not global unicast"},
    {"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT, "link-local"},
    {"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT, "RFC 3879"},
    {"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL, REGLET__REACH_EXPLICIT, "multicast"},
};

static void assert_reach(const char *text, enum reglet__reach reach, const char *name) {
    struct reglet__address address = address_of(text);
    const struct reglet__special_range *range = reglet__address_special(&address);
    enum reglet__reach got = range ? range->reach : REGLET__REACH_PUBLIC;
    if (got != reach)
        fail_msg("%s: expected reach %d, got %d (%s)", text, reach, got, range ? range->name : "public");
    if (name && !strstr(range->name, name))
        fail_msg("%s: expected \"%s\", got \"%s\"", text, name, range->name);
    if (range && !strstr(range->reason, range->name))
        fail_msg("%s: the reason \"%s\" does not name the range", text, range->reason);
}

static void address__special_ranges_start_and_end_where_the_registries_say(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        assert_reach(ranges[i].first, ranges[i].reach, ranges[i].name);
        assert_reach(ranges[i].last, ranges[i].reach, ranges[i].name);
        if (ranges[i].before)
            assert_reach(ranges[i].before, REGLET__REACH_PUBLIC, NULL);
        if (ranges[i].after)
            assert_reach(ranges[i].after, REGLET__REACH_PUBLIC, NULL);
    }
}

static void address__cloud_metadata_is_explicit_wherever_it_is(void **state) {
    (void)state;
    static const char *const metadata[] = {
        "169.254.169.254", "169.254.170.2",      "100.100.100.200",   "168.63.129.16", "192.0.0.192",
        "fd00:ec2::254",   "fd00:ec2::23",       "fd20:ce::254",      "fd00:42::42",   "fd00:a9fe:a9fe::1",
        "fe80::a9fe:a9fe", "fd00:c1::a9fe:a9fe", "fd00:100::100:200",
    };
    for (size_t i = 0; i < sizeof metadata / sizeof metadata[0]; i++) {
        assert_reach(metadata[i], REGLET__REACH_EXPLICIT, NULL);
        char asked[80], rules[100];
        snprintf(asked, sizeof asked, strchr(metadata[i], ':') ? "[%s]:80" : "%s:80", metadata[i]);
        struct reglet__policy *policy = granted_rules("* private 100.64.0.0/10 [fc00::/7] 168.0.0.0/8");
        if (decide(policy, asked, NULL))
            fail_msg("%s: expected it to be denied", asked);
        reglet__policy_free(policy);
        snprintf(rules, sizeof rules, "80 %s", asked);
        policy = granted_rules(rules);
        if (!decide(policy, asked, NULL) || !decide(policy, "metadata.example:80", metadata[i]))
            fail_msg("%s: expected its own grant to allow it", asked);
        reglet__policy_free(policy);
    }
    assert_reach("100.100.100.199", REGLET__REACH_PRIVATE, NULL);
    assert_reach("100.100.100.201", REGLET__REACH_PRIVATE, NULL);
    assert_reach("fd20:ce::253", REGLET__REACH_PRIVATE, NULL);
    assert_reach("fd00:42::43", REGLET__REACH_PRIVATE, NULL);
}

static void address__private_opens_four_kinds_and_no_others(void **state) {
    (void)state;
    struct reglet__policy *policy = granted_rules("* private");
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        bool expected = ranges[i].reach == REGLET__REACH_PRIVATE;
        if (decide(policy, "a.example:443", ranges[i].first) != expected ||
            decide(policy, "a.example:443", ranges[i].last) != expected)
            fail_msg("%s to %s: expected %d", ranges[i].first, ranges[i].last, expected);
    }
    reglet__policy_free(policy);
}

static void address__without_private_or_its_own_rule_none_is_reached(void **state) {
    (void)state;
    static const char *const rules[] = {"*",
                                        "443",
                                        "*:443",
                                        "a.example",
                                        "a.example:443",
                                        "*.example",
                                        "0.0.0.0/0 * [::/0]",
                                        "https://a.example/"};
    for (size_t rule = 0; rule < sizeof rules / sizeof rules[0]; rule++) {
        struct reglet__policy *policy = granted_rules(rules[rule]);
        const char *asked = strncmp(rules[rule], "http", 4) == 0 ? "https://a.example/x" : "a.example:443";
        assert_true(decide(policy, asked, "93.184.216.34"));
        for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
            if (decide(policy, asked, ranges[i].first) || decide(policy, asked, ranges[i].last))
                fail_msg("%s under %s: expected it to be denied", ranges[i].first, rules[rule]);
        }
        reglet__policy_free(policy);
    }
}

static void address__only_a_rule_within_the_special_range_opens_it(void **state) {
    (void)state;
    static const struct vector vectors[] = {
        {"443 10.0.0.1", "a.example:443", true, "10.0.0.1"},
        {"443 10.0.0.1", "a.example:443", false, "10.0.0.2"},
        {"443 10.0.0.0/8", "a.example:443", true, "10.255.255.255"},
        {"443 10.2.0.0/16", "a.example:443", true, "10.2.3.4"},
        {"443 10.2.0.0/16", "a.example:443", false, "10.3.0.1"},
        {"443 10.0.0.0/7", "a.example:443", false, "10.0.0.1"},
        {"443 0.0.0.0/0", "a.example:443", false, "10.0.0.1"},
        {"0.0.0.0/0", "10.0.0.1:443", false, NULL},
        {"10.0.0.0/7", "10.0.0.1:443", false, NULL},
        {"10.0.0.0/7", "11.0.0.1:443", true, NULL},
        {"169.254.0.0/16:80", "169.254.169.254:80", true, NULL},
        {"169.254.169.254:80", "169.254.169.254:80", true, NULL},
        {"169.254.0.0/15", "169.254.169.254:80", false, NULL},
        {"100.64.0.0/10", "100.64.0.1:80", true, NULL},
        {"100.64.0.0/10", "100.100.100.200:80", false, NULL},
        {"[fc00::/7]:80", "[fd12::1]:80", true, NULL},
        {"[fc00::/6]:80", "[fd12::1]:80", false, NULL},
        {"[::/0]", "[::1]:80", false, NULL},
        {"[::1]:80", "[::1]:80", true, NULL},
        {"[fe80::1]:80", "[fe80::1]:80", true, NULL},
        {"[fe80::/10]", "[fe80::1]:80", true, NULL},
        {"240.0.0.0/4", "255.255.255.255:80", false, NULL},
        {"255.255.255.255", "255.255.255.255:80", true, NULL},
    };
    ASSERT_VECTORS(vectors);
}

static void address__the_rule_that_opens_must_allow_the_port_and_url(void **state) {
    (void)state;
    static const struct vector vectors[] = {
        {"* 10.0.0.1:5432", "a.example:5432", true, "10.0.0.1"},
        {"* 10.0.0.1:5432", "a.example:22", false, "10.0.0.1"},
        {"* 10.0.0.1:5432", "10.0.0.1:22", false, NULL},
        {"* http://10.0.0.1/v1", "http://10.0.0.1/v1/x", true, NULL},
        {"* http://10.0.0.1/v1", "http://a.example/v1/x", true, "10.0.0.1"},
        {"* http://10.0.0.1/v1", "http://10.0.0.1/v2", false, NULL},
        {"* http://10.0.0.1/v1", "http://10.0.0.1/v1/%2e%2e/v2", false, NULL},
        {"* http://10.0.0.1/v1", "https://10.0.0.1/v1", false, NULL},
        {"* http://10.0.0.1/v1", "http://10.0.0.1:8080/v1", false, NULL},
        {"* http://10.0.0.1", "10.0.0.1:80", false, NULL},
        {"* private", "10.0.0.1:1", true, NULL},
    };
    ASSERT_VECTORS(vectors);
}

static void address__ipv6_that_carries_ipv4_is_special_and_judged_by_both(void **state) {
    (void)state;
    static const char *const spellings[] = {
        "::127.0.0.1",
        "::10.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::10.0.0.1",
        "64:ff9b:1:a00:0:100::",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2002:808:808::1",
        "2001:0:a00:1::",
        "2001:0:808:808:0:0:f5ff:fffe",
        "2001:db9::5efe:10.0.0.1",
        "2001:db9::200:5efe:10.0.0.1",
        "2a00::5efe:8.8.8.8",
        "2a00::300:5efe:127.0.0.1",
        "fd12::5efe:10.0.0.1",
    };
    struct reglet__policy *policy = granted_rules("* private [::/0] 0.0.0.0/0");
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        assert_reach(spellings[i], REGLET__REACH_EXPLICIT, NULL);
        if (decide(policy, "a.example:443", spellings[i]))
            fail_msg("%s: expected it to be denied", spellings[i]);
    }
    reglet__policy_free(policy);
    assert_reach("2a00::5eff:10.0.0.1", REGLET__REACH_PUBLIC, NULL);
    assert_reach("2a00::1:5efe:10.0.0.1", REGLET__REACH_PUBLIC, NULL);
}

/* A relay or translator takes the packet to the IPv4 address: a grant of its range is no grant of what is behind it. */
static void address__what_a_translator_leads_to_must_be_open_too(void **state) {
    (void)state;
    static const struct vector vectors[] = {
        {"* [64:ff9b::/96]", "a.example:443", true, "64:ff9b::8.8.8.8"},
        {"* [64:ff9b::/96]", "a.example:443", false, "64:ff9b::10.0.0.1"},
        {"* [64:ff9b::/96]", "a.example:443", false, "64:ff9b::169.254.169.254"},
        {"* [64:ff9b::/96] private", "a.example:443", true, "64:ff9b::10.0.0.1"},
        {"* [64:ff9b::/96] private", "a.example:443", false, "64:ff9b::169.254.169.254"},
        {"* [64:ff9b::/96] 10.0.0.0/8", "a.example:443", true, "64:ff9b::10.0.0.1"},
        {"* [64:ff9b::/96] 10.0.0.0/7", "a.example:443", false, "64:ff9b::10.0.0.1"},
        {"* [64:ff9b::/96]:80 10.0.0.0/8", "a.example:443", false, "64:ff9b::10.0.0.1"},
        {"* [64:ff9b::a00:0/104]", "a.example:443", true, "64:ff9b::10.0.0.1"},
        {"* [64:ff9b::a00:0/103]", "a.example:443", false, "64:ff9b::10.0.0.1"},
        {"* [64:ff9b::a9fe:a9fe]", "a.example:443", true, "64:ff9b::169.254.169.254"},
        {"* [64:ff9b:1::/96]", "a.example:443", true, "64:ff9b:1::8.8.8.8"},
        {"* [64:ff9b:1::/96]", "a.example:443", false, "64:ff9b:1::10.0.0.1"},
        {"* [64:ff9b:1::/48]", "a.example:443", false, "64:ff9b:1:a9fe:a9:fe00:808:808"},
        {"* [2002::/16]", "a.example:443", true, "2002:808:808::1"},
        {"* [2002::/16]", "a.example:443", false, "2002:7f00:1::1"},
        {"* [2002:7f00::/24]", "a.example:443", true, "2002:7f00:1::1"},
        {"* [2002:7f00::/24]", "a.example:443", false, "2002:7e00:1::1"},
        {"* [2001::/32]", "a.example:443", true, "2001:0:808:808:0:0:f7f7:f7f7"},
        {"* [2001::/32]", "a.example:443", false, "2001:0:808:808:0:0:f5ff:fffe"},
        {"* [2001::/32]", "a.example:443", false, "2001:0:a00:1:0:0:f7f7:f7f7"},
        {"* [2a00::/64]", "a.example:443", false, "2a00::5efe:8.8.8.8"},
        {"* [2a00::5efe:0:0/96]", "a.example:443", true, "2a00::5efe:8.8.8.8"},
        {"* [2a00::5efe:0:0/96]", "a.example:443", false, "2a00::5efe:127.0.0.1"},
        {"* [2a00::5efe:7f00:1]", "a.example:443", true, "2a00::5efe:127.0.0.1"},
        {"* [fd12::5efe:0:0/96] private", "a.example:443", true, "fd12::5efe:10.0.0.1"},
        {"* 10.0.0.1", "a.example:443", false, "64:ff9b::10.0.0.1"},
    };
    ASSERT_VECTORS(vectors);
}

static void address__ipv4_mapped_is_the_ipv4_address(void **state) {
    (void)state;
    static const unsigned char mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1};
    struct reglet__address address = reglet__address_from_bytes(mapped, true);
    struct reglet__address plain = address_of("127.0.0.1");
    assert_memory_equal(&address, &plain, sizeof address);
    static const struct vector vectors[] = {
        {"443", "[::ffff:127.0.0.1]:443", false, NULL},
        {"443", "[::ffff:8.8.8.8]:443", true, NULL},
        {"127.0.0.1:443", "[::ffff:127.0.0.1]:443", true, NULL},
        {"[::ffff:7f00:1]:443", "127.0.0.1:443", true, NULL},
        {"443 private", "[0:0:0:0:0:ffff:7f00:1]:443", true, NULL},
        {"443 private", "[::ffff:169.254.169.254]:443", false, NULL},
    };
    ASSERT_VECTORS(vectors);
}

static void address__a_denial_names_the_range(void **state) {
    (void)state;
    struct reglet__policy *policy = granted_rules("443");
    struct reglet__endpoint endpoint = endpoint_of("a.example:443");
    struct reglet__address address = address_of("127.0.0.1");
    struct reglet__decision decision = reglet__policy_address(policy, &endpoint, &address);
    assert_string_equal(decision.reason, "its address is special: loopback (RFC 1122)");
    address = address_of("169.254.169.254");
    decision = reglet__policy_address(policy, &endpoint, &address);
    assert_string_equal(decision.reason, "its address is special: link-local and cloud metadata (RFC 3927)");
    assert_false(decision.for_good);
    endpoint.port = 80;
    decision = reglet__policy_address(policy, &endpoint, &address);
    assert_string_equal(decision.reason, "no grant covers it");
    reglet__policy_free(policy);
}

/* --- looking up --- */

static bool may_look_up(const char *rules, const char *name) {
    struct reglet__policy *policy = granted_rules(rules);
    struct reglet__endpoint endpoint = {.port = 0};
    assert_null(reglet__endpoint_query(name, strlen(name), &endpoint));
    struct reglet__decision decision = reglet__policy_lookup(policy, &endpoint);
    check_form(name, &decision);
    reglet__policy_free(policy);
    return decision.allowed;
}

static void lookup__needs_a_rule_for_the_name_at_port_53(void **state) {
    (void)state;
    assert_true(may_look_up("53", "a.example"));
    assert_true(may_look_up("*", "a.example"));
    assert_true(may_look_up("*:53", "a.example"));
    assert_true(may_look_up("a.example:53", "A.Example."));
    assert_true(may_look_up("a.example", "a.example"));
    assert_true(may_look_up("*.example:53", "a.example"));
    assert_true(may_look_up("*.example:53", "_dmarc.a.example"));
    assert_false(may_look_up("443", "a.example"));
    assert_false(may_look_up("a.example:443", "a.example"));
    assert_false(may_look_up("b.example:53", "a.example"));
    assert_false(may_look_up("private", "a.example"));
    assert_false(may_look_up("8.8.8.8:53", "a.example"));
    assert_false(may_look_up("0.0.0.0/0:53", "a.example"));
    assert_false(may_look_up("http://a.example:53/", "a.example"));
}

/* --- who is granted --- */

static void shared__the_declaration_must_cover_both_halves(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    add_rule(policy, SHARE, "443");
    add_rule(policy, SHARE, "private");
    assert_false(decide(policy, "a.example:443", "8.8.8.8"));
    add_rule(policy, DECLARE, "a.example:443");
    assert_true(decide(policy, "a.example:443", "8.8.8.8"));
    assert_false(decide(policy, "b.example:443", "8.8.8.8"));
    assert_false(decide(policy, "a.example:443", "10.0.0.1"));
    add_rule(policy, DECLARE, "10.0.0.0/8:443");
    assert_true(decide(policy, "a.example:443", "10.0.0.1"));
    assert_false(decide(policy, "a.example:443", "192.168.0.1"));
    add_rule(policy, DECLARE, "private");
    assert_true(decide(policy, "a.example:443", "192.168.0.1"));
    reglet__policy_free(policy);
}

static void shared__declaring_ports_alone_opens_no_private_address(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    add_rule(policy, SHARE, "10.0.0.0/8:5432");
    add_rule(policy, DECLARE, "5432");
    struct reglet__endpoint endpoint = endpoint_of("10.0.0.1:5432");
    struct reglet__decision decision = reglet__policy_address(policy, &endpoint, &endpoint.address);
    assert_false(decision.allowed);
    assert_non_null(strstr(decision.reason, "does not declare it"));
    add_rule(policy, DECLARE, "private");
    assert_true(decide(policy, "10.0.0.1:5432", NULL));
    reglet__policy_free(policy);
}

static void shared__a_bare_star_declares_private_addresses_too(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    add_rule(policy, SHARE, "443");
    add_rule(policy, SHARE, "private");
    assert_int_equal(reglet__policy_declare_all(policy, REGLET__KIND_NETWORK), REGLET_OK);
    assert_true(decide(policy, "a.example:443", "10.0.0.1"));
    assert_false(decide(policy, "a.example:80", "10.0.0.1"));
    reglet__policy_free(policy);
}

static void strict__a_grant_counts_only_where_it_is_declared(void **state) {
    (void)state;
    struct reglet__policy *policy = granted_rules("443 private");
    assert_true(decide(policy, "a.example:443", "10.0.0.1"));
    reglet__policy_set_strict(policy, true);
    assert_false(decide(policy, "a.example:443", "8.8.8.8"));
    struct reglet__endpoint endpoint = endpoint_of("a.example:443");
    assert_non_null(strstr(reglet__policy_connect(policy, &endpoint).reason, "strict"));
    add_rule(policy, DECLARE, "a.example:443");
    assert_true(decide(policy, "a.example:443", "8.8.8.8"));
    assert_false(decide(policy, "a.example:443", "10.0.0.1"));
    assert_false(decide(policy, "b.example:443", "8.8.8.8"));
    add_rule(policy, DECLARE, "private");
    assert_true(decide(policy, "a.example:443", "10.0.0.1"));
    reglet__policy_set_strict(policy, false);
    assert_true(decide(policy, "b.example:443", "10.0.0.1"));
    reglet__policy_free(policy);
}

static void strict__a_declaration_alone_grants_nothing(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    reglet__policy_set_strict(policy, true);
    assert_int_equal(reglet__policy_declare_all(policy, REGLET__KIND_NETWORK), REGLET_OK);
    assert_false(decide(policy, "a.example:443", "8.8.8.8"));
    reglet__policy_free(policy);
}

/* --- reading and writing endpoints --- */

static void endpoint__has_one_form(void **state) {
    (void)state;
    static const struct {
        const char *text, *form;
    } cases[] = {
        {"a.example:443", "a.example:443"},
        {"A.Example.:443", "a.example:443"},
        {"xn--mller-kva.de:80", "xn--mller-kva.de:80"},
        {"127.0.0.1:1", "127.0.0.1:1"},
        {"[::1]:65535", "[::1]:65535"},
        {"[0:0:0:0:0:0:0:1]:80", "[::1]:80"},
        {"[2001:DB8::A]:80", "[2001:db8::a]:80"},
        {"[::ffff:10.0.0.1]:80", "10.0.0.1:80"},
        {"[::ffff:a00:1]:80", "10.0.0.1:80"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reglet__endpoint endpoint = endpoint_of(cases[i].text);
        char *text = reglet__endpoint_text(&endpoint);
        assert_string_equal(text, cases[i].form);
        free(text);
    }
    struct reglet__endpoint endpoint = {.port = 5};
    assert_null(reglet__endpoint_host("::1", 3, &endpoint));
    char text[REGLET__ADDRESS_TEXT];
    assert_string_equal(reglet__address_text(&endpoint.address, text), "::1");
    assert_int_equal(endpoint.port, 5);
}

static void endpoint__text_of_a_url_is_that_of_a_rule(void **state) {
    (void)state;
    static const char *const urls[] = {"https://a.example/v1", "https://a.example:8443/v1",
                                       "http://[::1]:8080/a/b", "http://10.0.0.1", "https://a.example:80/"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct reglet__endpoint endpoint = endpoint_of(urls[i]);
        char *text = reglet__endpoint_text(&endpoint);
        assert_string_equal(text, urls[i]);
        free(text);
    }
}

/* What some resolver or URL parser takes for an address, or for another host, is no host. */
static void endpoint__other_spellings_are_refused(void **state) {
    (void)state;
    static const char *const hosts[] = {
        "0177.0.0.1",
        "2130706433",
        "0x7f.1",
        "127.1",
        "0x7f000001",
        "127.0.0.1.",
        "127.0.0.01",
        "0",
        "0x",
        "127.0.0.256",
        "1.2.3.4.5",
        "127.0.0.1 ",
        " 127.0.0.1",
        "127.0.0.1%00",
        "127.0.0.1/8",
        "127.0.0.1/32",
        "127.0.0.1:80",
        "[127.0.0.1]",
        "[::1",
        "::1]",
        "[]",
        "[",
        "]",
        ":",
        "::1%lo",
        "[fe80::1%25eth0]",
        "[::1]:",
        "[[::1]]",
        "[::1]x",
        "::ffff:127.0.0.1.",
        "::/0",
        "::1::",
        "user@host",
        "user:pw@host",
        "host/",
        "host\\x",
        "http://host",
        "a b",
        "a\tb",
        "a\nb",
        "müller.de",
        "１２７.0.0.1",
        "127。0。0。1",
        "a..b",
        ".a",
        ".",
        "-a",
        "a-",
        "a.-b",
        "a_b",
        "_dmarc.a.example",
        "*",
        "*.a",
        "a.1",
        "a.0x1f",
        "",
        "%6c%6fcalhost",
        "localhost%2e",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example",
    };
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct reglet__endpoint endpoint = {.name = "was", .port = 7};
        const char *wrong = reglet__endpoint_host(hosts[i], strlen(hosts[i]), &endpoint);
        if (!wrong)
            fail_msg("\"%s\": expected it to be refused", hosts[i]);
        assert_string_equal(endpoint.name, "was");
        assert_int_equal(endpoint.port, 7);
    }
    struct reglet__endpoint endpoint = {.port = 7};
    assert_non_null(reglet__endpoint_host("127.0.0.1\0.example", 18, &endpoint));
    assert_non_null(reglet__endpoint_host("[::1\0]", 6, &endpoint));
    assert_non_null(reglet__endpoint_host("a.example\0", 10, &endpoint));
}

static void endpoint__ports_are_digits_and_nothing_else(void **state) {
    (void)state;
    static const char *const ports[] = {"",           "0",    "00",   "080",  "65536", "99999", "100000",
                                        "4294967376", "-1",   "+1",   " 1",   "1 ",    "1\n",   "0x50",
                                        "8e1",        "80.0", "http", "８０", "*",     "1-2",   "80,443"};
    uint16_t port = 7;
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        if (!reglet__endpoint_port(ports[i], strlen(ports[i]), &port))
            fail_msg("\"%s\": expected it to be refused", ports[i]);
        assert_int_equal(port, 7);
    }
    assert_null(reglet__endpoint_port("1", 1, &port));
    assert_int_equal(port, 1);
    assert_null(reglet__endpoint_port("65535", 5, &port));
    assert_int_equal(port, 65535);
}

static void endpoint__host_and_port_are_split_in_one_way_only(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "a.example",
        "a.example:",
        ":80",
        "[::1]",
        "[::1]80",
        "::1:80",
        "2001:db8::1:443",
        "a:b:80",
        "a:80:80",
        "[::1]:80:80",
        "[::1]:80 ",
        "a.example :80",
        "a.example: 80",
        "u@a:80",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct reglet__endpoint endpoint = {.name = "was", .port = 7};
        if (!reglet__endpoint_parse(texts[i], strlen(texts[i]), &endpoint))
            fail_msg("\"%s\": expected it to be refused", texts[i]);
        assert_string_equal(endpoint.name, "was");
        assert_int_equal(endpoint.port, 7);
    }
}

static void endpoint__names_have_a_longest_length(void **state) {
    (void)state;
    char name[300] = "";
    for (size_t i = 0; i < 64; i++)
        strcat(name, "abc.");
    strcpy(name + 251, "de");
    struct reglet__endpoint endpoint = {.port = 1};
    assert_null(reglet__endpoint_host(name, 253, &endpoint));
    assert_null(reglet__endpoint_host(strcat(name, "."), 254, &endpoint));
    assert_int_equal(strlen(endpoint.name), 253);
    strcpy(name + 251, "def");
    assert_non_null(reglet__endpoint_host(name, 254, &endpoint));
}

/* --- suggestions --- */

/* What is suggested is what would have been enough. */
static void assert_suggested(char *suggested, const char *expected) {
    if (!expected)
        assert_null(suggested);
    else
        assert_string_equal(suggested, expected);
    if (expected)
        assert_int_equal(reglet_capability_check(suggested, NULL), REGLET_OK);
    free(suggested);
}

static void suggest__names_the_grant_that_would_help(void **state) {
    (void)state;
    struct reglet__endpoint endpoint = endpoint_of("api.example.com:443");
    assert_suggested(reglet__policy_connect_suggest(&endpoint), "network:outbound:api.example.com:443");
    assert_suggested(reglet__policy_lookup_suggest(&endpoint), "network:outbound:api.example.com:53");
    struct reglet__address address = address_of("8.8.8.8");
    assert_suggested(reglet__policy_address_suggest(&endpoint, &address), NULL);
    address = address_of("10.0.0.1");
    assert_suggested(reglet__policy_address_suggest(&endpoint, &address), "network:outbound:private");
    address = address_of("169.254.169.254");
    assert_suggested(reglet__policy_address_suggest(&endpoint, &address),
                     "network:outbound:169.254.169.254:443");
    address = address_of("64:ff9b::a00:1");
    assert_suggested(reglet__policy_address_suggest(&endpoint, &address),
                     "network:outbound:[64:ff9b::a00:1]:443");
    endpoint = endpoint_of("https://a.example:8443/x");
    assert_suggested(reglet__policy_connect_suggest(&endpoint), "network:outbound:a.example:8443");
    endpoint = endpoint_of("[::1]:80");
    assert_suggested(reglet__policy_connect_suggest(&endpoint), "network:outbound:[::1]:80");
    assert_null(reglet__endpoint_query("x._domainkey.a.example", 22, &endpoint));
    assert_suggested(reglet__policy_lookup_suggest(&endpoint), "network:outbound:*.a.example:53");
    assert_null(reglet__endpoint_query("_x", 2, &endpoint));
    assert_suggested(reglet__policy_lookup_suggest(&endpoint), "network:outbound:*:53");
}

static void suggest__the_grant_is_enough(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        struct reglet__endpoint endpoint = {.address = address_of(ranges[i].last), .port = 443};
        char *text = reglet__policy_connect_suggest(&endpoint);
        struct reglet__policy *policy = granted_rules(text + strlen("network:outbound:"));
        if (!reglet__policy_address(policy, &endpoint, &endpoint.address).allowed)
            fail_msg("%s is not enough", text);
        free(text);
        text = reglet__policy_address_suggest(&endpoint, &endpoint.address);
        reglet__policy_free(policy);
        policy = granted_rules("443");
        add_rule(policy, GRANT, text + strlen("network:outbound:"));
        if (!reglet__policy_address(policy, &endpoint, &endpoint.address).allowed)
            fail_msg("%s is not enough", text);
        free(text);
        reglet__policy_free(policy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect__nothing_is_granted_by_default),
        cmocka_unit_test(connect__the_vectors_of_the_policy),
        cmocka_unit_test(connect__a_host_is_matched_as_it_was_written),
        cmocka_unit_test(connect__the_rule_that_decided_is_named),
        cmocka_unit_test(url__a_rule_is_one_scheme_host_port_and_path),
        cmocka_unit_test(url__a_path_that_others_read_differently_is_denied),
        cmocka_unit_test(url__escapes_are_compared_by_what_they_stand_for),
        cmocka_unit_test(address__special_ranges_start_and_end_where_the_registries_say),
        cmocka_unit_test(address__cloud_metadata_is_explicit_wherever_it_is),
        cmocka_unit_test(address__private_opens_four_kinds_and_no_others),
        cmocka_unit_test(address__without_private_or_its_own_rule_none_is_reached),
        cmocka_unit_test(address__only_a_rule_within_the_special_range_opens_it),
        cmocka_unit_test(address__the_rule_that_opens_must_allow_the_port_and_url),
        cmocka_unit_test(address__ipv6_that_carries_ipv4_is_special_and_judged_by_both),
        cmocka_unit_test(address__what_a_translator_leads_to_must_be_open_too),
        cmocka_unit_test(address__ipv4_mapped_is_the_ipv4_address),
        cmocka_unit_test(address__a_denial_names_the_range),
        cmocka_unit_test(lookup__needs_a_rule_for_the_name_at_port_53),
        cmocka_unit_test(shared__the_declaration_must_cover_both_halves),
        cmocka_unit_test(shared__declaring_ports_alone_opens_no_private_address),
        cmocka_unit_test(shared__a_bare_star_declares_private_addresses_too),
        cmocka_unit_test(strict__a_grant_counts_only_where_it_is_declared),
        cmocka_unit_test(strict__a_declaration_alone_grants_nothing),
        cmocka_unit_test(endpoint__has_one_form),
        cmocka_unit_test(endpoint__text_of_a_url_is_that_of_a_rule),
        cmocka_unit_test(endpoint__other_spellings_are_refused),
        cmocka_unit_test(endpoint__ports_are_digits_and_nothing_else),
        cmocka_unit_test(endpoint__host_and_port_are_split_in_one_way_only),
        cmocka_unit_test(endpoint__names_have_a_longest_length),
        cmocka_unit_test(suggest__names_the_grant_that_would_help),
        cmocka_unit_test(suggest__the_grant_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
