/*
 * Reads the first line as a host, as host:port and as a path, and asks for it as a request, of a policy that stays the
 * same; the second line is a port.
 *
 * Whatever the input is: an endpoint that is accepted and written is read as the same one; a name is no address in
 * anybody's spelling; no special address is reached without a rule for it; a path that a URL rule allows is below its own.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "policy/policy.h"
#include "util/cleanup.h"

static struct reglet__policy *make_policy(void) {
    static const char *const rules[] = {"network:outbound:443", "network:outbound:*.a.example:53",
                                        "network:outbound:10.1.0.0/16:5432",
                                        "network:outbound:0.0.0.0/0:1-79", "network:outbound:[::/0]:1-79"};
    struct reglet__policy *policy = NULL;
    REQUIRE(reglet__policy_new(&policy) == REGLET_OK);
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        struct reglet__capability *rule = NULL;
        REQUIRE(reglet__capability_parse(rules[i], &rule, NULL) == REGLET_OK);
        REQUIRE(reglet__policy_grant(policy, rule) == REGLET_OK);
    }
    return policy;
}

static void check_decision(struct reglet__decision decision) {
    REQUIRE(decision.allowed ? decision.rule && !decision.reason : !decision.rule && decision.reason);
}

static void check_address(const struct reglet__policy *policy, const struct reglet__endpoint *endpoint) {
    const struct reglet__special_range *range = reglet__address_special(&endpoint->address);
    struct reglet__decision decision = reglet__policy_address(policy, endpoint, &endpoint->address);
    check_decision(decision);
    bool granted =
        endpoint->port == 5432 && endpoint->address.bytes[0] == 10 && endpoint->address.bytes[1] == 1;
    REQUIRE(!range || !decision.allowed || granted);
    REQUIRE(range ? range->reach != REGLET__REACH_PUBLIC && strstr(range->reason, range->name) : true);
}

/* What a resolver of the C library takes for an IPv4 address. */
static void check_name(const char *name) {
    struct in_addr address;
    REQUIRE(inet_aton(name, &address) == 0 && !strchr(name, ':') && strlen(name) < REGLET__HOST_NAME_SIZE);
}

static void check_endpoint(const struct reglet__policy *policy, const struct reglet__endpoint *endpoint) {
    _cleanup_free_ char *text = reglet__endpoint_text(endpoint);
    REQUIRE(text);
    struct reglet__endpoint again = {.port = 0};
    REQUIRE(!reglet__endpoint_parse(text, strlen(text), &again));
    REQUIRE(again.port == endpoint->port && strcmp(again.name, endpoint->name) == 0);
    REQUIRE(endpoint->name[0] || memcmp(&again.address, &endpoint->address, sizeof again.address) == 0);
    check_decision(reglet__policy_connect(policy, endpoint));
    check_decision(reglet__policy_lookup(policy, endpoint));
    if (endpoint->name[0])
        check_name(endpoint->name);
    else
        check_address(policy, endpoint);
}

/* Whether a path means the same to everybody, in a way that only looks for what it should not have. */
static bool looks_harmless(const char *path) {
    static const char *const traps[] = {"//", "/./", "/../", "\\", "%2e", "%2f", "%5c", "%25", "%00"};
    for (size_t i = 0; i < ARRAY_LEN(traps); i++) {
        if (strcasestr(path, traps[i]))
            return false;
    }
    return true;
}

static void check_path(const struct reglet__policy *policy, const char *path) {
    struct reglet__endpoint endpoint = {
        .name = "b.example", .port = 443, .scheme = REGLET__SCHEME_HTTPS, .path = path};
    struct reglet__policy *one = NULL;
    struct reglet__capability *rule = NULL;
    REQUIRE(reglet__policy_new(&one) == REGLET_OK);
    REQUIRE(reglet__capability_parse("network:outbound:https://b.example/v1", &rule, NULL) == REGLET_OK);
    REQUIRE(reglet__policy_grant(one, rule) == REGLET_OK);
    REQUIRE(reglet__policy_connect(policy, &endpoint).allowed); /* by the port */
    REQUIRE(!reglet__policy_connect(one, &endpoint).allowed || (path[0] == '/' && looks_harmless(path)));
    reglet__policy_free(one);
}

static void check_request(const struct reglet__policy *policy, const char *text) {
    struct reglet__decision decision = {.allowed = false};
    reglet_error *error = NULL;
    reglet_status status = reglet__policy_ask(policy, text, &decision, &error);
    if (status == REGLET_OK) {
        check_decision(decision);
        return;
    }
    REQUIRE(status == REGLET_ERR_INVALID_GRANT);
    REQUIRE(reglet_error_offset(error) >= 0 && (size_t)reglet_error_offset(error) <= strlen(text));
    reglet_error_free(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data, *end = memchr(text, '\n', size);
    size_t first = end ? (size_t)(end - text) : size;
    struct reglet__policy *policy = make_policy();
    struct reglet__endpoint endpoint = {.port = 443};
    if (!reglet__endpoint_parse(text, first, &endpoint))
        check_endpoint(policy, &endpoint);
    endpoint.port = 443;
    if (end)
        (void)reglet__endpoint_port(end + 1, size - first - 1, &endpoint.port);
    if (!reglet__endpoint_host(text, first, &endpoint))
        check_endpoint(policy, &endpoint);
    _cleanup_free_ char *line = strndup(text, first);
    REQUIRE(line);
    check_path(policy, line);
    check_request(policy, line);
    reglet__policy_free(policy);
    return 0;
}
