#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/internal.h"
#include "util/cleanup.h"

enum { DNS_PORT = 53 };

/* --- what a rule covers --- */

static bool has_port(const struct reglet__network_rule *rule, uint16_t port) {
    for (size_t i = 0; i < rule->port_count; i++) {
        if (port >= rule->ports[i].low && port <= rule->ports[i].high)
            return true;
    }
    return rule->port_count == 0 && port != 0;
}

static bool has_url(const struct reglet__network_rule *rule, const struct reglet__endpoint *endpoint) {
    if (rule->scheme == REGLET__SCHEME_NONE)
        return true;
    const char *path = endpoint->path ? endpoint->path : "";
    return rule->scheme == endpoint->scheme &&
           reglet__path_is_below(path, strlen(path), rule->path.text, rule->path.size);
}

static bool has_address(const struct reglet__network_rule *rule, const struct reglet__address *address) {
    return rule->host == REGLET__HOST_ADDRESS &&
           reglet__address_is_in(address, rule->address, rule->is_ipv6, rule->prefix);
}

static bool is_below(const char *name, const char *top) {
    size_t size = strlen(name), top_size = strlen(top);
    return size > top_size + 1 && name[size - top_size - 1] == '.' &&
           strcmp(name + size - top_size, top) == 0;
}

static bool has_host(const struct reglet__network_rule *rule, const struct reglet__endpoint *endpoint) {
    bool named = endpoint->name[0] != '\0';
    switch (rule->host) {
    case REGLET__HOST_ANY: return true;
    case REGLET__HOST_PRIVATE: return false;
    case REGLET__HOST_NAME: return named && strcmp(endpoint->name, rule->name) == 0;
    case REGLET__HOST_BELOW: return named && is_below(endpoint->name, rule->name);
    case REGLET__HOST_ADDRESS: return !named && has_address(rule, &endpoint->address);
    }
    return false;
}

static bool covers_endpoint(const struct reglet__capability *capability,
                            const struct reglet__capability *partner, const void *data) {
    (void)partner;
    const struct reglet__network_rule *rule = &capability->rule.network;
    const struct reglet__endpoint *endpoint = data;
    return has_port(rule, endpoint->port) && has_host(rule, endpoint) && has_url(rule, endpoint);
}

struct special_request {
    const struct reglet__endpoint *endpoint;
    const struct reglet__address *address;
    const struct reglet__special *special; /* one of what makes it special */
};

/* Whether an address rule names the address, or a range around it that lies in the special one: 0.0.0.0/0 is about every
 * host, and opens none that is special. */
static bool names_special(const struct reglet__network_rule *rule, const struct special_request *request) {
    const struct reglet__special *special = request->special;
    if (has_address(rule, request->address))
        return reglet__special_bits(special, rule->prefix) >= special->range->prefix;
    return special->at && has_address(rule, &special->carried) && rule->prefix >= special->range->prefix;
}

/*
 * A declaration opens what the same text would open as a grant: one of ports alone opens no special address, so that a
 * grant of `private` to all plugins is for those that said they want private addresses.
 */
static bool covers_special(const struct reglet__capability *capability,
                           const struct reglet__capability *partner, const void *data) {
    (void)partner;
    const struct reglet__network_rule *rule = &capability->rule.network;
    const struct special_request *request = data;
    if (rule->host == REGLET__HOST_PRIVATE)
        return request->special->range->reach == REGLET__REACH_PRIVATE;
    return has_port(rule, request->endpoint->port) && has_url(rule, request->endpoint) &&
           names_special(rule, request);
}

/* --- decisions --- */

struct reglet__decision reglet__policy_connect(const struct reglet__policy *policy,
                                               const struct reglet__endpoint *endpoint) {
    return reglet__policy_decide(policy, REGLET__KIND_NETWORK, covers_endpoint, endpoint);
}

struct reglet__decision reglet__policy_address(const struct reglet__policy *policy,
                                               const struct reglet__endpoint *endpoint,
                                               const struct reglet__address *address) {
    struct reglet__decision decision = reglet__policy_connect(policy, endpoint);
    struct reglet__special specials[REGLET__MAX_SPECIALS];
    size_t count = reglet__address_specials(address, specials);
    for (size_t i = count; i > 0 && decision.allowed; i--) {
        struct special_request request = {endpoint, address, &specials[i - 1]};
        decision = reglet__policy_decide(policy, REGLET__KIND_NETWORK, covers_special, &request);
        if (!decision.allowed && decision.reason == reglet__not_granted)
            decision.reason = specials[i - 1].range->reason;
    }
    return decision;
}

struct reglet__decision reglet__policy_lookup(const struct reglet__policy *policy,
                                              const struct reglet__endpoint *endpoint) {
    struct reglet__endpoint question = *endpoint;
    question.port = DNS_PORT;
    question.scheme = REGLET__SCHEME_NONE;
    question.path = NULL;
    return reglet__policy_connect(policy, &question);
}

/* --- suggestions --- */

/* `prefix`, an endpoint and nothing more. */
static char *suggest(const char *prefix, struct reglet__endpoint endpoint, uint16_t port) {
    endpoint.scheme = REGLET__SCHEME_NONE;
    endpoint.port = port;
    _cleanup_free_ char *host = reglet__endpoint_text(&endpoint);
    char *text = NULL;
    if (!host || asprintf(&text, "%s%s", prefix, host) < 0)
        return NULL;
    return text;
}

static const char outbound[] = "network:outbound:";

char *reglet__policy_connect_suggest(const struct reglet__endpoint *endpoint) {
    return suggest(outbound, *endpoint, endpoint->port);
}

char *reglet__policy_address_suggest(const struct reglet__endpoint *endpoint,
                                     const struct reglet__address *address) {
    const struct reglet__special_range *range = reglet__address_special(address);
    if (!range)
        return NULL;
    if (range->reach == REGLET__REACH_PRIVATE)
        return strdup("network:outbound:private");
    struct reglet__endpoint exact = {.address = *address};
    return suggest(outbound, exact, endpoint->port);
}

/* No rule can name a host with '_' in a label; one for what is below the other labels covers it. */
char *reglet__policy_lookup_suggest(const struct reglet__endpoint *endpoint) {
    const char *underscore = strrchr(endpoint->name, '_');
    const char *dot = underscore ? strchr(underscore, '.') : NULL;
    if (!underscore)
        return suggest(outbound, *endpoint, DNS_PORT);
    struct reglet__endpoint parent = {.name = ""};
    if (!dot)
        return strdup("network:outbound:*:53");
    memcpy(parent.name, dot + 1, strlen(dot + 1) + 1);
    return suggest("network:outbound:*.", parent, DNS_PORT);
}
