/*
 * dns_lookup {hostname, type, nameserver?} -> {records[], mx_records[{host, pref}]}
 *
 * The system's resolver may be asked where the policy allows that lookup. A nameserver that the plugin names is a connection
 * like any other, and then only that one is asked.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "host/dns.h"
#include "host/functions.h"
#include "host/setup.h"
#include "util/buf.h"
#include "util/cleanup.h"
#include "util/text.h"

enum { DNS_PORT = 53 };

struct lookup;

struct record_type {
    const char *name;
    ns_type asked; /* aliases come along with addresses, all of the chain */
    /* Adds what the answer has: c-ares's status; what ends the request goes into *status. */
    int (*read)(struct lookup *lookup, const struct reglet__question *question, reglet_status *status);
};

struct lookup {
    struct reglet__host_request *request;
    struct reglet__endpoint host; /* what is asked about, as an endpoint at port 53 */
    const struct record_type *type;
    struct reglet__nameservers servers; /* to be asked */
    bool hosts;                         /* the hosts file counts */
    struct reglet__json records, mx_records;
    struct reglet__json **last; /* where the next item goes; one of the lists is filled, front to back */
    size_t count, left_out;
};

/* --- Results --------------------------------------------------------------------------------------------- */

/* Adds an item at the end; what is beyond the limit is counted and left out. */
static reglet_status add_item(struct lookup *lookup, struct reglet__json *list,
                              const struct reglet__json *value) {
    if (lookup->count >= REGLET__MAX_DNS_RECORDS) {
        lookup->left_out++;
        return REGLET_OK;
    }
    struct reglet__json *item = reglet__arena_alloc(&lookup->request->arena, sizeof *item);
    if (!item)
        return REGLET_ERR_NO_MEMORY;
    *item = *value;
    *(lookup->last ? lookup->last : &list->first) = item;
    lookup->last = &item->next;
    lookup->count++;
    return REGLET_OK;
}

static reglet_status add_text(struct lookup *lookup, const char *text, size_t size) {
    char *copy = reglet__arena_alloc(&lookup->request->arena, reglet__utf8_repair_size(size));
    if (!copy)
        return REGLET_ERR_NO_MEMORY;
    struct reglet__json value = {.type = REGLET__JSON_STRING, .text = copy};
    value.size = (uint32_t)reglet__utf8_repair(text, size, copy);
    return add_item(lookup, &lookup->records, &value);
}

/* A name as plugins get it: with the dot at its end, which c-ares leaves out. */
static const char *with_dot(struct lookup *lookup, const char *name) {
    size_t size = strlen(name);
    char *text = reglet__arena_alloc(&lookup->request->arena, size + 2);
    if (text)
        snprintf(text, size + 2, "%s.", name);
    return text;
}

static reglet_status add_name(struct lookup *lookup, const char *name) {
    const char *text = with_dot(lookup, name);
    return text ? add_text(lookup, text, strlen(text)) : REGLET_ERR_NO_MEMORY;
}

static reglet_status add_addresses(struct lookup *lookup, const struct reglet__address *addresses,
                                   size_t count) {
    char text[REGLET__ADDRESS_TEXT];
    reglet_status status = REGLET_OK;
    for (size_t i = 0; i < count && status == REGLET_OK; i++) {
        reglet__address_text(&addresses[i], text);
        status = add_text(lookup, text, strlen(text));
    }
    return status;
}

/* --- One reader for each type ----------------------------------------------------------------------------- */

static int read_addresses(struct lookup *lookup, const struct reglet__question *question,
                          reglet_status *status) {
    struct reglet__address *found =
        reglet__arena_alloc(&lookup->request->arena, REGLET__MAX_DNS_RECORDS * sizeof *found);
    size_t count = 0;
    if (!found)
        return ARES_ENOMEM;
    int parsed = reglet__dns_addresses(lookup->request, question, found, REGLET__MAX_DNS_RECORDS, &count);
    *status = add_addresses(lookup, found, count);
    return parsed;
}

/*
 * The last name of the chain of aliases; the name itself when there is none. c-ares tells only the first alias, and none
 * where the chain ends in nothing, so the C library reads this one.
 */
static int read_cname(struct lookup *lookup, const struct reglet__question *question, reglet_status *status) {
    char end[NS_MAXDNAME];
    ns_msg message;
    ns_rr record;
    snprintf(end, sizeof end, "%s", lookup->host.name);
    if (ns_initparse(question->answer, question->size, &message) != 0)
        return ARES_EBADRESP;
    for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
        if (ns_parserr(&message, ns_s_an, i, &record) != 0)
            return ARES_EBADRESP;
        if (ns_rr_type(record) != ns_t_cname || strcasecmp(ns_rr_name(record), end) != 0)
            continue;
        if (ns_name_uncompress(ns_msg_base(message), ns_msg_end(message), ns_rr_rdata(record), end,
                               sizeof end) < 0)
            return ARES_EBADRESP;
    }
    bool dangles = question->status == ARES_ENOTFOUND;
    if (dangles && strcmp(end, lookup->host.name) == 0)
        return ARES_ENOTFOUND;
    *status = add_name(lookup, end);
    return ARES_SUCCESS;
}

static int read_ns(struct lookup *lookup, const struct reglet__question *question, reglet_status *status) {
    struct hostent *host = NULL;
    int parsed = ares_parse_ns_reply(question->answer, question->size, &host);
    for (char **name = host ? host->h_aliases : NULL; name && *name && *status == REGLET_OK; name++)
        *status = add_name(lookup, *name);
    if (host)
        ares_free_hostent(host);
    return parsed;
}

static reglet_status add_mx(struct lookup *lookup, const struct ares_mx_reply *mx) {
    struct reglet__arena *arena = &lookup->request->arena;
    const char *host = with_dot(lookup, mx->host);
    struct reglet__json *value = reglet__json_new_object(arena);
    if (!host || !value || !reglet__json_add_text(arena, value, "host", host) ||
        !reglet__json_add_number(arena, value, "pref", mx->priority))
        return REGLET_ERR_NO_MEMORY;
    return add_item(lookup, &lookup->mx_records, value);
}

/* Sorts by preference; those with the same stay in their order. */
static struct ares_mx_reply *sorted(struct ares_mx_reply *list) {
    struct ares_mx_reply *head = NULL;
    while (list) {
        struct ares_mx_reply *item = list, **link = &head;
        list = list->next;
        while (*link && (*link)->priority <= item->priority)
            link = &(*link)->next;
        item->next = *link;
        *link = item;
    }
    return head;
}

static int read_mx(struct lookup *lookup, const struct reglet__question *question, reglet_status *status) {
    struct ares_mx_reply *found = NULL;
    int parsed = ares_parse_mx_reply(question->answer, question->size, &found);
    found = sorted(found);
    for (struct ares_mx_reply *mx = found; mx && *status == REGLET_OK; mx = mx->next)
        *status = add_mx(lookup, mx);
    ares_free_data(found);
    return parsed;
}

/* The strings of each record, joined. */
static int read_txt(struct lookup *lookup, const struct reglet__question *question, reglet_status *status) {
    struct ares_txt_ext *found = NULL;
    int parsed = ares_parse_txt_reply_ext(question->answer, question->size, &found);
    _cleanup_buf_ struct reglet__buf record = REGLET__BUF_INIT(NS_MAXMSG);
    for (struct ares_txt_ext *part = found; part && *status == REGLET_OK; part = part->next) {
        *status = reglet__buf_append(&record, part->txt, part->length);
        if (*status == REGLET_OK && (!part->next || part->next->record_start)) {
            *status = add_text(lookup, record.data, record.size);
            reglet__buf_clear(&record);
        }
    }
    ares_free_data(found);
    return parsed;
}

/* --- The request ----------------------------------------------------------------------------------------- */

static const struct record_type types[] = {{"A", ns_t_a, read_addresses}, {"AAAA", ns_t_aaaa, read_addresses},
                                           {"CNAME", ns_t_a, read_cname}, {"MX", ns_t_mx, read_mx},
                                           {"TXT", ns_t_txt, read_txt},   {"NS", ns_t_ns, read_ns}};

static bool wants_addresses(const struct lookup *lookup) {
    return lookup->type->read == read_addresses;
}

static reglet_status read_type(struct lookup *lookup) {
    const char *type = NULL;
    reglet_status status = reglet__host_get_string(lookup->request, "type", true, &type);
    if (status != REGLET_OK)
        return status;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(types[i].name, type) == 0) {
            lookup->type = &types[i];
            return REGLET_OK;
        }
    return reglet__host_fail(lookup->request, "validation", "EINVAL",
                             "type must be A, AAAA, CNAME, MX, TXT or NS, not \"%.20s\"", type);
}

/* An address, or a name: in names that are looked up '_' is a letter, as in _dmarc.example.com. */
static reglet_status read_hostname(struct lookup *lookup) {
    const char *text = NULL;
    reglet_status status = reglet__host_get_string(lookup->request, "hostname", true, &text);
    if (status != REGLET_OK)
        return status;
    size_t size = strlen(text);
    const char *wrong = reglet__endpoint_host(text, size, &lookup->host);
    if (wrong && !reglet__endpoint_query(text, size, &lookup->host))
        wrong = NULL;
    if (wrong)
        return reglet__host_fail(lookup->request, "validation", "EINVAL", "hostname \"%.300s\": %s", text,
                                 wrong);
    if (!lookup->host.name[0] && !wants_addresses(lookup))
        return reglet__host_fail(lookup->request, "validation", "EINVAL",
                                 "hostname \"%.300s\": an address has records of the types A and AAAA only",
                                 text);
    lookup->host.port = DNS_PORT;
    return REGLET_OK;
}

/* --- The decision ---------------------------------------------------------------------------------------- */

static reglet_status deny(struct lookup *lookup, const struct reglet__decision *decision, const char *name) {
    char phrase[REGLET__HOST_NAME_SIZE + 16];
    _cleanup_free_ char *grant = reglet__policy_lookup_suggest(&lookup->host);
    snprintf(phrase, sizeof phrase, "look up %s", name);
    const struct reglet__host_asked asked = {"network:outbound", name, phrase};
    return reglet__host_deny(lookup->request, decision, &asked, grant);
}

/* Tells of the decision on asking the system. */
static reglet_status obey(struct lookup *lookup, const struct reglet__decision *decision) {
    char text[REGLET__ADDRESS_TEXT];
    const char *name =
        lookup->host.name[0] ? lookup->host.name : reglet__address_text(&lookup->host.address, text);
    if (!decision->allowed)
        return deny(lookup, decision, name);
    const struct reglet__host_asked asked = {"network:outbound", name, NULL};
    reglet__host_tell(lookup->request, decision, &asked, NULL);
    return REGLET_OK;
}

/* A nameserver of the plugin's own, "host:port" or a host alone. */
static reglet_status use_own_nameserver(struct lookup *lookup, const char *text) {
    struct reglet__endpoint endpoint = {.port = DNS_PORT};
    size_t size = strlen(text);
    const char *wrong = reglet__endpoint_parse(text, size, &endpoint);
    if (wrong && !reglet__endpoint_host(text, size, &endpoint))
        wrong = NULL;
    if (wrong)
        return reglet__host_fail(lookup->request, "validation", "EINVAL", "nameserver \"%.300s\": %s", text,
                                 wrong);
    struct reglet__target target;
    reglet_status status = reglet__host_target(lookup->request, &endpoint, "permission denied", &target);
    for (size_t i = 0; status == REGLET_OK && i < target.address_count && i < REGLET__MAX_NAMESERVERS; i++) {
        lookup->servers.list[i].address = target.addresses[i];
        lookup->servers.list[i].port = endpoint.port;
        lookup->servers.count++;
    }
    return status;
}

/*
 * The hosts file is the system's: with a nameserver of its own, a plugin sees it only where it may ask the system too. What
 * is below "localhost" is this machine either way, and never asked of a nameserver.
 */
static reglet_status decide(struct lookup *lookup) {
    struct reglet__host_request *request = lookup->request;
    const char *nameserver = "";
    reglet_status status = reglet__host_get_string(request, "nameserver", false, &nameserver);
    if (status != REGLET_OK)
        return status;
    struct reglet__decision decision = reglet__policy_lookup(request->host->policy, &lookup->host);
    lookup->hosts = decision.allowed || reglet__dns_is_localhost(lookup->host.name);
    if (nameserver[0])
        return use_own_nameserver(lookup, nameserver);
    lookup->servers = *request->host->setup->nameservers;
    return obey(lookup, &decision);
}

/* --- Answers --------------------------------------------------------------------------------------------- */

/* Those of the type that is asked for. */
static reglet_status answer_addresses(struct lookup *lookup, const struct reglet__address *found,
                                      size_t count) {
    reglet_status status = REGLET_OK;
    for (size_t i = 0; i < count && status == REGLET_OK; i++)
        if (found[i].is_ipv6 == (lookup->type->asked == ns_t_aaaa))
            status = add_addresses(lookup, &found[i], 1);
    return status;
}

/* Without a nameserver, where that is possible: *done. */
static reglet_status answer_locally(struct lookup *lookup, bool *done) {
    const char *name = lookup->host.name;
    *done = true;
    if (!name[0])
        return answer_addresses(lookup, &lookup->host.address, 1);
    if (wants_addresses(lookup) && lookup->hosts) {
        struct reglet__address found[REGLET__MAX_ADDRESSES];
        size_t count = 0;
        reglet_status status = reglet__dns_hosts(name, found, REGLET__MAX_ADDRESSES, &count);
        if (status != REGLET_OK || count > 0)
            return status == REGLET_OK ? answer_addresses(lookup, found, count) : status;
    }
    *done = reglet__dns_is_localhost(name);
    return *done && lookup->type->read == read_cname ? add_name(lookup, name) : REGLET_OK;
}

/* Whether there is something to read. A name that leads nowhere, or to one without addresses, is an alias all the same. */
static bool has_records(const struct lookup *lookup, const struct reglet__question *question) {
    bool lone_alias = lookup->type->read == read_cname &&
                      (question->status == ARES_ENODATA || question->status == ARES_ENOTFOUND) &&
                      question->answer;
    return question->status == ARES_SUCCESS || lone_alias;
}

static reglet_status answer_from_nameserver(struct lookup *lookup) {
    struct reglet__question question = {.type = lookup->type->asked};
    reglet_status status =
        reglet__dns_ask(lookup->request, &lookup->servers, lookup->host.name, &question, 1);
    if (status == REGLET_OK && has_records(lookup, &question))
        question.status = lookup->type->read(lookup, &question, &status);
    if (status != REGLET_OK)
        return status;
    if (question.status == ARES_ENOMEM)
        return REGLET_ERR_NO_MEMORY;
    struct reglet__dns_outcome outcome = reglet__dns_outcome(question.status);
    return reglet__dns_fail(lookup->request, lookup->host.name, &outcome);
}

static reglet_status put_list(struct reglet__host_request *request, const char *key,
                              const struct reglet__json *list) {
    return reglet__json_add(&request->arena, request->response, key, strlen(key), list)
               ? REGLET_OK
               : REGLET_ERR_NO_MEMORY;
}

REGLET__HOST_FUNCTION(dns_lookup) {
    struct lookup lookup = {.request = request,
                            .records = {.type = REGLET__JSON_ARRAY},
                            .mx_records = {.type = REGLET__JSON_ARRAY}};
    bool done = false;
    reglet_status status = read_type(&lookup);
    if (status == REGLET_OK)
        status = read_hostname(&lookup);
    if (status == REGLET_OK)
        status = decide(&lookup);
    if (status == REGLET_OK)
        status = answer_locally(&lookup, &done);
    if (status == REGLET_OK && !done)
        status = answer_from_nameserver(&lookup);
    if (status != REGLET_OK)
        return status;
    if (lookup.left_out > 0)
        reglet__host_say(request, REGLET_LOG_WARN,
                         "dns_lookup: %s has %zu more records than the %d that are handed on",
                         lookup.host.name, lookup.left_out, REGLET__MAX_DNS_RECORDS);
    status = put_list(request, "records", &lookup.records);
    return status == REGLET_OK ? put_list(request, "mx_records", &lookup.mx_records) : status;
}
