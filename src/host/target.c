/* The guard of everything that connects: see network.h. Host and port are decided before any name is looked up, and every
 * address before anything connects to it. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "host/network.h"

static reglet_status put_address(struct reglet__host_request *request, const char *host, unsigned port) {
    size_t size = strlen(host) + sizeof "[]:65535";
    char *text = reglet__arena_alloc(&request->arena, size);
    if (!text)
        return REGLET_ERR_NO_MEMORY;
    snprintf(text, size, strchr(host, ':') && host[0] != '[' ? "[%s]:%u" : "%s:%u", host, port);
    return reglet__host_put_string(request, "address", text);
}

reglet_status reglet__host_get_endpoint(struct reglet__host_request *request, struct reglet__endpoint *out) {
    const char *host = NULL;
    uint16_t port = 0;
    reglet_status status = reglet__host_get_string(request, "host", true, &host);
    if (status == REGLET_OK)
        status = reglet__host_get_port(request, "port", &port);
    if (status != REGLET_OK)
        return status;
    struct reglet__endpoint endpoint = {0};
    const char *wrong = reglet__endpoint_host(host, strlen(host), &endpoint);
    if (wrong)
        return reglet__host_fail(request, "validation", "EINVAL", "host \"%.300s\": %s", host, wrong);
    endpoint.port = port;
    *out = endpoint;
    return put_address(request, host, port);
}

socklen_t reglet__address_sockaddr(const struct reglet__address *address, uint16_t port,
                                   struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    if (address->is_ipv6) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        memcpy(&in6.sin6_addr, address->bytes, 16);
        memcpy(out, &in6, sizeof in6);
        return sizeof in6;
    }
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&in.sin_addr, address->bytes, 4);
    memcpy(out, &in, sizeof in);
    return sizeof in;
}

static const char connect_to[] = "connect to ";

/* "a.example:443", or with an address "a.example:443 (10.0.0.1)". False without memory. */
static bool asked(struct reglet__host_request *request, const struct reglet__endpoint *endpoint,
                  const struct reglet__address *address, struct reglet__host_asked *out) {
    char ip[REGLET__ADDRESS_TEXT];
    _cleanup_free_ char *place = reglet__endpoint_text(endpoint);
    size_t size = place ? sizeof connect_to + strlen(place) + sizeof ip + sizeof " ()" : 0;
    char *text = place ? reglet__arena_alloc(&request->arena, size) : NULL;
    if (!text)
        return false;
    if (address && endpoint->name[0])
        snprintf(text, size, "%s%s (%s)", connect_to, place, reglet__address_text(address, ip));
    else
        snprintf(text, size, "%s%s", connect_to, place);
    *out = (struct reglet__host_asked){"network:outbound", text + sizeof connect_to - 1, text};
    return true;
}

static reglet_status deny_endpoint(struct reglet__host_request *request,
                                   const struct reglet__endpoint *endpoint,
                                   const struct reglet__decision *decision) {
    _cleanup_free_ char *grant = decision->for_good ? NULL : reglet__policy_connect_suggest(endpoint);
    struct reglet__host_asked what;
    if (!asked(request, endpoint, NULL, &what))
        return REGLET_ERR_NO_MEMORY;
    return reglet__host_deny(request, decision, &what, grant);
}

static reglet_status deny_address(struct reglet__host_request *request,
                                  const struct reglet__endpoint *endpoint,
                                  const struct reglet__address *address,
                                  const struct reglet__decision *decision, const char *prefix) {
    _cleanup_free_ char *grant =
        decision->for_good ? NULL : reglet__policy_address_suggest(endpoint, address);
    struct reglet__host_asked what;
    if (!asked(request, endpoint, address, &what))
        return REGLET_ERR_NO_MEMORY;
    return reglet__host_deny_address(request, decision, &what, grant, prefix);
}

/* All addresses of the endpoint; answers when there are none. */
static reglet_status find_addresses(struct reglet__host_request *request,
                                    const struct reglet__endpoint *endpoint,
                                    struct reglet__address found[REGLET__MAX_ADDRESSES], size_t *count) {
    if (endpoint->name[0])
        return reglet__resolve_addresses(request, endpoint->name, found, count);
    found[0] = endpoint->address;
    *count = 1;
    return REGLET_OK;
}

reglet_status reglet__host_judge(struct reglet__host_request *request,
                                 const struct reglet__endpoint *endpoint, struct reglet__judgement *out) {
    const struct reglet__policy *policy = request->host->policy;
    out->count = 0;
    out->endpoint = reglet__policy_connect(policy, endpoint);
    if (!out->endpoint.allowed)
        return REGLET_OK;
    reglet_status status = find_addresses(request, endpoint, out->addresses, &out->count);
    for (size_t i = 0; i < out->count && status == REGLET_OK; i++)
        out->decisions[i] = reglet__policy_address(policy, endpoint, &out->addresses[i]);
    return status;
}

reglet_status reglet__host_tell_address(struct reglet__host_request *request,
                                        const struct reglet__endpoint *endpoint,
                                        const struct reglet__address *address,
                                        const struct reglet__decision *decision) {
    _cleanup_free_ char *grant = NULL;
    struct reglet__host_asked what;
    if (!reglet__decisions_want(request->host->decisions, decision->allowed))
        return REGLET_OK;
    if (!decision->allowed)
        grant = address ? reglet__policy_address_suggest(endpoint, address)
                        : reglet__policy_connect_suggest(endpoint);
    if (!asked(request, endpoint, address, &what))
        return REGLET_ERR_NO_MEMORY;
    reglet__host_tell(request, decision, &what, grant);
    return REGLET_OK;
}

/* A name that keeps at least one address: those that were left out are told as refused, and are no error. */
static reglet_status tell_left_out(struct reglet__host_request *request,
                                   const struct reglet__endpoint *endpoint,
                                   const struct reglet__judgement *judgement) {
    reglet_status status = REGLET_OK;
    for (size_t i = 0; i < judgement->count && status == REGLET_OK; i++)
        if (!judgement->decisions[i].allowed)
            status = reglet__host_tell_address(request, endpoint, &judgement->addresses[i],
                                               &judgement->decisions[i]);
    return status;
}

/* Decides on host and port, and tells that it is allowed before it is found where that leads. */
static reglet_status judge(struct reglet__host_request *request, const struct reglet__endpoint *endpoint,
                           struct reglet__judgement *out) {
    reglet_status status = reglet__host_judge(request, endpoint, out);
    if (!out->endpoint.allowed)
        return status;
    reglet_status told = reglet__host_tell_address(request, endpoint, NULL, &out->endpoint);
    return status == REGLET_OK ? told : status;
}

reglet_status reglet__host_target(struct reglet__host_request *request,
                                  const struct reglet__endpoint *endpoint, const char *ssrf_prefix,
                                  struct reglet__target *out) {
    struct reglet__judgement judgement;
    reglet_status status = judge(request, endpoint, &judgement);
    if (status != REGLET_OK)
        return status;
    if (!judgement.endpoint.allowed)
        return deny_endpoint(request, endpoint, &judgement.endpoint);
    *out = (struct reglet__target){.endpoint = *endpoint, .rule = judgement.endpoint.rule};
    for (size_t i = 0; i < judgement.count; i++)
        if (judgement.decisions[i].allowed)
            out->addresses[out->address_count++] = judgement.addresses[i];
    if (out->address_count == 0)
        return deny_address(request, endpoint, &judgement.addresses[0], &judgement.decisions[0], ssrf_prefix);
    return tell_left_out(request, endpoint, &judgement);
}
