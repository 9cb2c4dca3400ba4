/*
 * network.h - what a network rule names: a host or an address range, ports, or a URL.
 */
#ifndef REGLET_POLICY_NETWORK_H
#define REGLET_POLICY_NETWORK_H

#include "policy/parse.h"
#include "policy/spelling.h"

enum reglet__host_form {
    REGLET__HOST_ANY,     /* "*", and a rule of ports alone */
    REGLET__HOST_PRIVATE, /* "private": opens private addresses, names no host */
    REGLET__HOST_NAME,    /* `name` */
    REGLET__HOST_BELOW,   /* "*.name": one label or more before `name` */
    REGLET__HOST_ADDRESS  /* the `prefix` first bits of `address` */
};

enum reglet__scheme { REGLET__SCHEME_NONE, REGLET__SCHEME_HTTP, REGLET__SCHEME_HTTPS };

struct reglet__port_range {
    uint16_t low, high;
};

struct reglet__network_rule {
    enum reglet__host_form host;
    char name[REGLET__HOST_NAME_SIZE]; /* A-labels in lower case, without the trailing dot */
    unsigned char address[16];         /* network byte order; IPv4 in the first four bytes */
    bool is_ipv6; /* IPv4-mapped IPv6 (::ffff:0:0/96) is kept as the IPv4 it stands for */
    unsigned prefix;
    struct reglet__port_range *ports; /* in the order written */
    size_t port_count;                /* 0: every port */
    enum reglet__scheme scheme;       /* of a URL rule, which has one port */
    struct reglet__span path;         /* of a URL rule: "" or from its "/" on, in the capability's text */
};

/* Parses everything up to parse->end. REGLET_ERR_INVALID_GRANT, REGLET_ERR_NO_MEMORY. On failure `rule` is
 * to be cleared all the same. */
reglet_status reglet__network_parse(struct reglet__parse *parse, struct reglet__network_rule *rule);
void reglet__network_clear(struct reglet__network_rule *rule);

#endif
