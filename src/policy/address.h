/*
 * address.h - IP addresses, and which of them are special: not to be reached unless that was opened.
 */
#ifndef REGLET_POLICY_ADDRESS_H
#define REGLET_POLICY_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/* One address in its one form: IPv4-mapped IPv6 (::ffff:0:0/96) is the IPv4 it stands for. */
struct reglet__address {
    unsigned char bytes[16]; /* network byte order; IPv4 in the first four, the others 0 */
    bool is_ipv6;
};

enum { REGLET__ADDRESS_TEXT = 46 }; /* INET6_ADDRSTRLEN */

/* From 4 or 16 bytes as sockets have them; unmaps. */
struct reglet__address reglet__address_from_bytes(const void *bytes, bool is_ipv6);

/* "10.0.0.1", "::1": as inet_ntop() has it, without brackets. Returns `out`. */
const char *reglet__address_text(const struct reglet__address *address, char out[REGLET__ADDRESS_TEXT]);

/* Whether the address has the `prefix` first bits of `range`, an address of that family. */
bool reglet__address_is_in(const struct reglet__address *address, const unsigned char *range, bool is_ipv6,
                           unsigned prefix);

/* What opens a special address. */
enum reglet__reach {
    REGLET__REACH_PUBLIC,   /* nothing needs to: any address that is not in the table */
    REGLET__REACH_PRIVATE,  /* `private`: loopback, RFC 1918, unique local, shared space */
    REGLET__REACH_EXPLICIT, /* only a rule that names that address, or a CIDR within its special range */
};

/* Where an IPv6 address carries IPv4 addresses; see address.c. */
enum reglet__carries {
    REGLET__CARRIES_NOTHING,
    REGLET__CARRIES_LAST,
    REGLET__CARRIES_6TO4,
    REGLET__CARRIES_TEREDO,
    REGLET__CARRIES_ANY_NAT64
};

/* One line of the table. */
struct reglet__special_range {
    unsigned char bytes[16];
    bool is_ipv6;
    unsigned prefix;
    enum reglet__reach reach;
    enum reglet__carries carries;
    const char *name;   /* for people, such as "loopback (RFC 1122)" */
    const char *reason; /* a decision's */
};

/*
 * The range that makes an address special, the strictest where several do (an IPv6 address that embeds an IPv4 address is
 * judged by both); NULL for a public one.
 */
const struct reglet__special_range *reglet__address_special(const struct reglet__address *address);

/*
 * One reason why an address is special. There are several where an IPv6 address carries IPv4 addresses: a relay takes the
 * packet to those, so each has to be opened.
 */
struct reglet__special {
    const struct reglet__special_range *range;
    struct reglet__address carried; /* the IPv4 address that `range` is about, when `at` is not NULL */
    const unsigned char *at;        /* which four bytes of the IPv6 address it was read from */
};

enum { REGLET__MAX_SPECIALS = 7 }; /* the address itself, ISATAP and its address, four readings of NAT64 */

/* All of them; 0 for a public address. */
size_t reglet__address_specials(const struct reglet__address *address,
                                struct reglet__special out[REGLET__MAX_SPECIALS]);

/* How many leading bits of what `special` is about are fixed by the `prefix` first bits of the whole address. */
unsigned reglet__special_bits(const struct reglet__special *special, unsigned prefix);

#endif
