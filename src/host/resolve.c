/* Names for connections: which nameservers a runtime asks, and the addresses of a name. */
#include <string.h>

#include "host/dns.h"
#include "host/setup.h"
#include "util/cleanup.h"
#include "util/fail.h"

/* --- The nameservers of a runtime ------------------------------------------------------------------------ */

enum { DNS_PORT = 53 };

/* One "address:port", or an address alone. Never a name: nobody could say where that is. */
static const char *read_server(const char *text, size_t size, struct reglet__endpoint *out) {
    const char *wrong = reglet__endpoint_parse(text, size, out);
    if (wrong && !reglet__endpoint_host(text, size, out)) {
        out->port = DNS_PORT;
        wrong = NULL;
    }
    return wrong || !out->name[0] ? wrong : "it must be an IP address, not a name";
}

static reglet_status read_servers(const char *text, struct reglet__nameservers *out, reglet_error **err) {
    for (const char *at = text;; at++) {
        struct reglet__endpoint server = {0};
        size_t size = strcspn(at, ",");
        const char *wrong = read_server(at, size, &server);
        if (!wrong && out->count == REGLET__MAX_NAMESERVERS)
            wrong = "there are too many; 3 is the most";
        if (wrong)
            return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                                "runtime options: nameserver \"%.*s\": %s", (int)size, at, wrong);
        out->list[out->count].address = server.address;
        out->list[out->count++].port = server.port;
        at += size;
        if (!*at)
            return REGLET_OK;
    }
}
_Static_assert(REGLET__MAX_NAMESERVERS == 3, "the message in read_servers() names the number");

reglet_status reglet__nameservers_new(const char *text, struct reglet__nameservers **out,
                                      reglet_error **err) {
    _cleanup_free_ struct reglet__nameservers *servers = calloc(1, sizeof *servers);
    if (!servers)
        return reglet__fail_memory(err);
    reglet_status status = text ? read_servers(text, servers, err) : REGLET_OK;
    if (status == REGLET_OK)
        *out = take_ptr(servers);
    return status;
}

void reglet__nameservers_free(struct reglet__nameservers *nameservers) {
    free(nameservers);
}

/* --- The addresses of a name ----------------------------------------------------------------------------- */

/* The hosts file's, IPv4 first. */
static reglet_status look_into_hosts(const char *name, struct reglet__address out[REGLET__MAX_ADDRESSES],
                                     size_t *count) {
    struct reglet__address found[REGLET__MAX_ADDRESSES];
    size_t total = 0;
    reglet_status status = reglet__dns_hosts(name, found, REGLET__MAX_ADDRESSES, &total);
    for (int is_ipv6 = 0; is_ipv6 <= 1; is_ipv6++)
        for (size_t i = 0; i < total; i++)
            if (found[i].is_ipv6 == is_ipv6)
                out[(*count)++] = found[i];
    return status;
}

/* Which of two outcomes tells more about a name without addresses: that it does not exist, which holds for every type, then
 * why it is not known whether it has any. */
static struct reglet__dns_outcome worse(struct reglet__dns_outcome a, struct reglet__dns_outcome b) {
    static const int rank[] = {[REGLET__DNS_FOUND] = 0,
                               [REGLET__DNS_FAILED] = 1,
                               [REGLET__DNS_TIMEOUT] = 2,
                               [REGLET__DNS_NOT_FOUND] = 3};
    return rank[b.kind] > rank[a.kind] ? b : a;
}

reglet_status reglet__resolve_addresses(struct reglet__host_request *request, const char *name,
                                        struct reglet__address out[REGLET__MAX_ADDRESSES], size_t *count) {
    *count = 0;
    reglet_status status = look_into_hosts(name, out, count);
    if (status != REGLET_OK || *count > 0)
        return status;

    struct reglet__question questions[] = {{.type = ns_t_a}, {.type = ns_t_aaaa}};
    status =
        reglet__dns_ask(request, request->host->setup->nameservers, name, questions, ARRAY_LEN(questions));
    if (status != REGLET_OK)
        return status;
    struct reglet__dns_outcome worst = reglet__dns_outcome(ARES_SUCCESS);
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        size_t more = 0;
        if (questions[i].status == ARES_SUCCESS)
            questions[i].status = reglet__dns_addresses(request, &questions[i], out + *count,
                                                        REGLET__MAX_ADDRESSES - *count, &more);
        if (questions[i].status == ARES_ENOMEM)
            return REGLET_ERR_NO_MEMORY;
        *count += more;
        worst = worse(worst, reglet__dns_outcome(questions[i].status));
    }
    if (*count > 0)
        return REGLET_OK;
    if (worst.kind == REGLET__DNS_FOUND)
        return reglet__host_fail_not_found(request, "network", "ENOTFOUND", "look up %s: it has no address",
                                           name);
    return reglet__dns_fail(request, name, &worst);
}
