/*
 * endpoint.h - where a plugin wants to connect to, as it wrote it, in the one form that rules are compared with.
 */
#ifndef REGLET_POLICY_ENDPOINT_H
#define REGLET_POLICY_ENDPOINT_H

#include <stdint.h>

#include "policy/address.h"
#include "policy/network.h"

struct reglet__endpoint {
    char name[REGLET__HOST_NAME_SIZE]; /* A-labels, lower-case, no trailing dot; "" for an address */
    struct reglet__address address;    /* when `name` is "" */
    uint16_t port;
    enum reglet__scheme scheme; /* of an http_request; otherwise NONE, which no URL rule allows */
    const char *path; /* with a scheme: from its "/" on, as it will be sent, without query; borrowed */
};

/*
 * Reads a host as strictly as a rule is read: a name of A-labels, an IPv4 address of four decimal numbers, or an IPv6
 * address with or without brackets (`[::1]`, `::1`), without zone. Whatever another parser might take for an address
 * (0177.0.0.1, 127.1, 0x7f.1, 2130706433) is refused. NULL, or a static sentence that says what was wrong; then `out`
 * is as it was.
 */
const char *reglet__endpoint_host(const char *text, size_t size, struct reglet__endpoint *out);

/* Reads a name that is to be looked up and not connected to: as above, never an address, and '_' is a letter
 * (_dmarc.example.com). */
const char *reglet__endpoint_query(const char *text, size_t size, struct reglet__endpoint *out);

/* Reads a port: digits only, no sign, space or leading zero, 1 to 65535. NULL, or what was wrong. */
const char *reglet__endpoint_port(const char *text, size_t size, uint16_t *out);

/* Splits "host:port" ("[::1]:443" for IPv6) and reads both. NULL, or what was wrong. */
const char *reglet__endpoint_parse(const char *text, size_t size, struct reglet__endpoint *out);

/* "host:port", IPv6 in brackets; a URL rule's spelling when there is a scheme ("https://host:8443/path"). NULL without
 * memory. To be freed with free(). */
char *reglet__endpoint_text(const struct reglet__endpoint *endpoint);

#endif
