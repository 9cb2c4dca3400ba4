/* ssrf_check: what would be decided on host:port, without connecting. A refusal is the answer and no error. */
#include <stdio.h>
#include <string.h>

#include "host/functions.h"
#include "host/network.h"

static reglet_status put_refusal(struct reglet__host_request *request,
                                 const struct reglet__decision *decision, const char *grant) {
    bool helps = grant && !decision->for_good;
    size_t size = strlen(decision->reason) + (helps ? strlen(grant) : 0) + 64;
    char *text = reglet__arena_alloc(&request->arena, size);
    if (!text)
        return REGLET_ERR_NO_MEMORY;
    snprintf(text, size, "%s%s%s", decision->reason, helps ? "; a grant that would allow it: " : "",
             helps ? grant : "");
    return reglet__host_put_string(request, "reason", text);
}

/* The first address that may be reached, or else the first one. */
static size_t choose(const struct reglet__judgement *judgement) {
    for (size_t i = 0; i < judgement->count; i++)
        if (judgement->decisions[i].allowed)
            return i;
    return 0;
}

/* The decision that is the answer. */
static reglet_status tell(struct reglet__host_request *request, const struct reglet__endpoint *endpoint,
                          const struct reglet__judgement *judgement) {
    if (!judgement->endpoint.allowed || judgement->count == 0)
        return reglet__host_tell_address(request, endpoint, NULL, &judgement->endpoint);
    size_t chosen = choose(judgement);
    bool reachable = judgement->decisions[chosen].allowed;
    return reglet__host_tell_address(request, endpoint, reachable ? NULL : &judgement->addresses[chosen],
                                     reachable ? &judgement->endpoint : &judgement->decisions[chosen]);
}

static reglet_status answer(struct reglet__host_request *request, const struct reglet__endpoint *endpoint,
                            const struct reglet__judgement *judgement) {
    char ip[REGLET__ADDRESS_TEXT];
    size_t chosen = choose(judgement);
    const struct reglet__address *address = &judgement->addresses[chosen];
    bool reachable = judgement->endpoint.allowed && judgement->decisions[chosen].allowed;
    reglet_status status = reglet__host_put_bool(request, "allowed", reachable);
    if (status == REGLET_OK && judgement->count > 0)
        status = reglet__host_put_string(request, "resolved_ip", reglet__address_text(address, ip));
    if (status != REGLET_OK || reachable)
        return status;
    if (!judgement->endpoint.allowed) {
        _cleanup_free_ char *grant = reglet__policy_connect_suggest(endpoint);
        return put_refusal(request, &judgement->endpoint, grant);
    }
    _cleanup_free_ char *grant = reglet__policy_address_suggest(endpoint, address);
    return put_refusal(request, &judgement->decisions[chosen], grant);
}

REGLET__HOST_FUNCTION(ssrf_check) {
    const char *text = NULL;
    struct reglet__endpoint endpoint = {0};
    struct reglet__judgement judgement;
    reglet_status status = reglet__host_get_string(request, "address", true, &text);
    if (status != REGLET_OK)
        return status;
    const char *wrong = reglet__endpoint_parse(text, strlen(text), &endpoint);
    if (wrong)
        return reglet__host_fail(request, "validation", "EINVAL", "address \"%.300s\": %s", text, wrong);
    request->is_question = true;
    status = reglet__host_judge(request, &endpoint, &judgement);
    reglet_status told = tell(request, &endpoint, &judgement);
    if (told != REGLET_OK)
        return told;
    return status == REGLET_OK ? answer(request, &endpoint, &judgement) : status;
}
