/*
 * network.h - names, addresses, connections and TLS for the functions that reach the network.
 *
 * There is one way out: a target. It is made of host and port as the plugin wrote them, after the policy allowed both and
 * each address that is left in it. Nothing connects to anything but an address in a target.
 */
#ifndef REGLET_HOST_NETWORK_H
#define REGLET_HOST_NETWORK_H

#include <openssl/ssl.h>
#include <sys/socket.h>

#include "host/request.h"
#include "util/limits.h"

/* --- Targets (target.c) ----------------------------------------------------------------------------------- */

/* Where a plugin may connect to. Made by reglet__host_target() alone. */
struct reglet__target {
    struct reglet__endpoint endpoint;
    struct reglet__address
        addresses[REGLET__MAX_ADDRESSES]; /* judged; in the order to be tried; at least one */
    size_t address_count;
    const char *rule; /* the policy's: the grant that allowed host and port */
};

/*
 * The guard of everything that connects: decides on host and port, resolves a name (as the system's resolver, or
 * options.nameservers, has it), judges every address, and leaves out those that are refused. Answers by itself when it is
 * denied (also when no address is left), when the name does not exist (type network, code ENOTFOUND, is_not_found), or
 * cannot be resolved. What is left out is told as a denial. `endpoint->path` must outlive the target. `ssrf_prefix` as in
 * reglet__host_deny_address().
 */
reglet_status reglet__host_target(struct reglet__host_request *request,
                                  const struct reglet__endpoint *endpoint, const char *ssrf_prefix,
                                  struct reglet__target *out);

/* What there is to say of an endpoint: the decision on host and port and, when that allows, on each of its addresses. */
struct reglet__judgement {
    struct reglet__decision endpoint;
    struct reglet__address addresses[REGLET__MAX_ADDRESSES];
    struct reglet__decision decisions[REGLET__MAX_ADDRESSES];
    size_t count; /* at least one, when the endpoint is allowed */
};

/* The judging half of reglet__host_target(): tells nothing, and answers only when addresses were not found. */
reglet_status reglet__host_judge(struct reglet__host_request *request,
                                 const struct reglet__endpoint *endpoint, struct reglet__judgement *out);

/* Tells of the decision on an endpoint, or with an address on that one of it. NO_MEMORY. */
reglet_status reglet__host_tell_address(struct reglet__host_request *request,
                                        const struct reglet__endpoint *endpoint,
                                        const struct reglet__address *address,
                                        const struct reglet__decision *decision);

/* Reads the members `host` and `port` of the request into an endpoint and adds `address`, both as they were asked, to the
 * response; answers with an error of type validation. */
reglet_status reglet__host_get_endpoint(struct reglet__host_request *request, struct reglet__endpoint *out);

/* A judged address as a socket address; returns its size. */
socklen_t reglet__address_sockaddr(const struct reglet__address *address, uint16_t port,
                                   struct sockaddr_storage *out);

/* --- Names (resolve.c) ------------------------------------------------------------------------------------ */

/*
 * The addresses of a name: from the hosts file, or else by DNS (A and AAAA), IPv4 first. At least one, and at most
 * REGLET__MAX_ADDRESSES; more are left out. Asks for no decision: the caller holds one. Answers when the name does not exist
 * or has no address (ENOTFOUND), and when that cannot be found out.
 */
reglet_status reglet__resolve_addresses(struct reglet__host_request *request, const char *name,
                                        struct reglet__address out[REGLET__MAX_ADDRESSES], size_t *count);

/* --- Connections (connection.c, connection_tls.c, tls.c) --------------------------------------------------- */

/* A connection to one of a target's addresses. All zero but fd -1 is none. */
struct reglet__connection {
    int fd;                     /* non-blocking, close-on-exec */
    SSL *ssl;                   /* NULL: plain */
    char local[64], remote[64]; /* "10.0.0.1:80", "[::1]:80" */
};

/* Tries the addresses in order until one accepts, within the deadline. Answers with the last one's error: type network,
 * code ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT, … */
reglet_status reglet__connection_open(struct reglet__host_request *request,
                                      const struct reglet__target *target, struct reglet__connection *out);
void reglet__connection_close(struct reglet__connection *connection);
#define _cleanup_connection_ _cleanup_(reglet__connection_close)

/*
 * Shakes hands: TLS 1.2 or newer, verified against setup's certificates, for the host that the plugin named (SNI and name
 * check; an address is checked as an address). Answers type network, code ECERT for a certificate that is expired,
 * self-signed, for another name, … (with the reason), EPROTO for anything else.
 */
reglet_status reglet__connection_start_tls(struct reglet__host_request *request,
                                           const struct reglet__endpoint *endpoint,
                                           struct reglet__connection *connection);

/* Reads what is there, 1 to `size` bytes, waiting for the first; *count 0 at the end. Writes all. Answer with an error. */
reglet_status reglet__connection_read(struct reglet__host_request *request,
                                      struct reglet__connection *connection, void *out, size_t size,
                                      size_t *count);
reglet_status reglet__connection_write(struct reglet__host_request *request,
                                       struct reglet__connection *connection, const void *data, size_t size);

/* Adds tls and, if that is true, tls_version, tls_cipher_suite, tls_server_name, tls_cert_subject, tls_cert_issuer,
 * tls_cert_not_after and tls_cert_expiry. */
reglet_status reglet__connection_put_tls(struct reglet__host_request *request,
                                         const struct reglet__connection *connection,
                                         const struct reglet__endpoint *endpoint);

/* What TLS needs of a runtime: certificates read once. Part of the setup. */
struct reglet__tls;
/* `ca_file`: read now; NULL: the system's, read when they are first needed. INVALID_ARGUMENT, IO, NO_MEMORY. */
reglet_status reglet__tls_new(const char *ca_file, struct reglet__tls **out, reglet_error **err);
void reglet__tls_free(struct reglet__tls *tls);
/* The store to verify against: NULL when there is no system store, or no memory. Borrowed, may be used from any thread. */
X509_STORE *reglet__tls_store(struct reglet__tls *tls);
/* Puts onto a context what all of ours have: TLS 1.2, verification against that store, no sessions, no key log, no tickets
 * kept: also onto one that a library made from ambient settings. The bytes of its connections count for `request`, which has
 * to outlive them; once that is over, they are taken for ended. False without a store. */
bool reglet__tls_harden(struct reglet__tls *tls, SSL_CTX *context, struct reglet__host_request *request);
/* Whom the certificate must be for: the name, or the address, that the plugin wrote. The subject's common name does not
 * count (RFC 9525), and no wildcard matches a part of a label. False without memory. */
bool reglet__tls_expect(X509_VERIFY_PARAM *param, const struct reglet__endpoint *endpoint);

/* Where names are asked: part of the setup. */
struct reglet__nameservers;
/* NULL text: the system's, as /etc/resolv.conf has them when a name is looked up. */
reglet_status reglet__nameservers_new(const char *text, struct reglet__nameservers **out, reglet_error **err);
void reglet__nameservers_free(struct reglet__nameservers *nameservers);

#endif
