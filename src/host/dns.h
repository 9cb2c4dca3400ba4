/*
 * dns.h - asking nameservers, on c-ares. A channel lives during one question, so nothing that was learned or opened for one
 * request is there for the next.
 *
 * What c-ares would take from its surroundings does not count: environment variables, search domains, options and aliases.
 * Of the system's configuration, nameservers in /etc/resolv.conf and addresses in /etc/hosts do.
 */
#ifndef REGLET_HOST_DNS_H
#define REGLET_HOST_DNS_H

#define CARES_NO_DEPRECATED /* newer versions would have some functions replaced by others that Debian 12 lacks */
#include <sys/select.h>     /* ares.h does not include what it needs */

#include <ares.h>
#include <arpa/nameser.h>

#include "host/network.h"

/* Whom to ask. */
struct reglet__nameservers {
    struct {
        struct reglet__address address;
        uint16_t port;
    } list[REGLET__MAX_NAMESERVERS];
    size_t count; /* 0: those that /etc/resolv.conf has now */
};

/* One question about a name, and what became of it. */
struct reglet__question {
    ns_type type;
    int status;                  /* c-ares's: ARES_SUCCESS, ARES_ENODATA, ARES_ENOTFOUND, … */
    const unsigned char *answer; /* the nameserver's message, in the request's arena; NULL when none came */
    int size;
    struct reglet__asking *asking; /* while it is open */
};

/*
 * Asks all questions about one name at once: over UDP, and over TCP what was truncated; each nameserver in turn, twice.
 * Asks for no decision: the caller holds one. REGLET_OK when each question has its status, REGLET_ERR_NO_MEMORY,
 * REGLET_ERR_IO (no descriptor left), or what a wait returned.
 */
reglet_status reglet__dns_ask(struct reglet__host_request *request, const struct reglet__nameservers *servers,
                              const char *name, struct reglet__question *questions, size_t count);

/* What a question came to, for plugins and people. */
struct reglet__dns_outcome {
    enum {
        REGLET__DNS_FOUND,     /* also without records: the name exists */
        REGLET__DNS_NOT_FOUND, /* NXDOMAIN */
        REGLET__DNS_TIMEOUT,   /* no nameserver answered in its own time */
        REGLET__DNS_FAILED     /* SERVFAIL, REFUSED, nonsense, no nameserver */
    } kind;
    const char *code; /* "ENOTFOUND", "ESERVFAIL", …; NULL when it was found */
    const char *what; /* a static sentence */
};
struct reglet__dns_outcome reglet__dns_outcome(int status);

/* Answers with an outcome, unless it is FOUND: REGLET_OK. */
reglet_status reglet__dns_fail(struct reglet__host_request *request, const char *name,
                               const struct reglet__dns_outcome *outcome);

/* The addresses in the answer to a question for A or AAAA, `room` at most: those of the name, or of the end of its aliases.
 * Returns c-ares's status: SUCCESS also when there are none. */
int reglet__dns_addresses(struct reglet__host_request *request, const struct reglet__question *question,
                          struct reglet__address *out, size_t room, size_t *count);

/*
 * The addresses of a name in the hosts file, in its order, `room` at most; none: the file does not have it. What is "localhost"
 * or below it is always there, on the loopback addresses unless the file says otherwise (RFC 6761). REGLET_OK,
 * REGLET_ERR_NO_MEMORY, REGLET_ERR_IO (no descriptor left).
 */
reglet_status reglet__dns_hosts(const char *name, struct reglet__address *out, size_t room, size_t *count);

/* Whether a name is "localhost" or below it: no nameserver is ever asked about it. */
bool reglet__dns_is_localhost(const char *name);

#endif
