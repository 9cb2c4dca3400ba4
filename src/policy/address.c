#include "policy/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "util/cleanup.h"

/* --- the table --- */

#define V4(a, b, c, d, length) .bytes = {a, b, c, d}, .prefix = (length)
#define V6(length, ...)        .bytes = {__VA_ARGS__}, .is_ipv6 = true, .prefix = (length)
#define PRIVATE(text)                                                                                        \
    .reach = REGLET__REACH_PRIVATE, .name = (text), .reason = "its address is special: " text
#define EXPLICIT(text)                                                                                       \
    .reach = REGLET__REACH_EXPLICIT, .name = (text), .reason = "its address is special: " text

/*
 * Special-purpose addresses: the IANA registries (RFC 6890), what RFC 4291 has besides, and where clouds hand out
 * credentials. The line with the longest prefix counts, so a line can be an exception to another.
 */
static const struct reglet__special_range special_ranges[] = {
    {V4(0, 0, 0, 0, 8), EXPLICIT("this network (RFC 791)")},
    {V4(10, 0, 0, 0, 8), PRIVATE("private (RFC 1918)")},
    {V4(100, 64, 0, 0, 10), PRIVATE("shared space (RFC 6598)")},
    {V4(100, 100, 100, 200, 32), EXPLICIT("cloud metadata (Alibaba Cloud)")},
    {V4(127, 0, 0, 0, 8), PRIVATE("loopback (RFC 1122)")},
    {V4(168, 63, 129, 16, 32), EXPLICIT("the cloud's host (Azure)")},
    {V4(169, 254, 0, 0, 16), EXPLICIT("link-local and cloud metadata (RFC 3927)")},
    {V4(172, 16, 0, 0, 12), PRIVATE("private (RFC 1918)")},
    {V4(192, 0, 0, 0, 24), EXPLICIT("protocol assignments (RFC 6890)")},
    {V4(192, 0, 2, 0, 24), EXPLICIT("documentation (RFC 5737)")},
    {V4(192, 88, 99, 0, 24), EXPLICIT("6to4 relays (RFC 7526)")},
    {V4(192, 168, 0, 0, 16), PRIVATE("private (RFC 1918)")},
    {V4(198, 18, 0, 0, 15), EXPLICIT("benchmarking (RFC 2544)")},
    {V4(198, 51, 100, 0, 24), EXPLICIT("documentation (RFC 5737)")},
    {V4(203, 0, 113, 0, 24), EXPLICIT("documentation (RFC 5737)")},
    {V4(224, 0, 0, 0, 4), EXPLICIT("multicast (RFC 5771)")},
    {V4(240, 0, 0, 0, 4), EXPLICIT("reserved (RFC 1112)")},
    {V4(255, 255, 255, 255, 32), EXPLICIT("broadcast (RFC 919)")},

    /* Everything but 2000::/3 is no global unicast address; what follows is more exact about some of it. */
    {V6(3, 0x00), EXPLICIT("not global unicast (RFC 4291)")},
    {V6(2, 0x40), EXPLICIT("not global unicast (RFC 4291)")},
    {V6(1, 0x80), EXPLICIT("not global unicast (RFC 4291)")},

    {V6(128, 0), EXPLICIT("unspecified (RFC 4291)")},
    {V6(128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), PRIVATE("loopback (RFC 4291)")},
    {V6(96, 0), .carries = REGLET__CARRIES_LAST, EXPLICIT("IPv4-compatible (RFC 4291)")},
    {V6(96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF), .carries = REGLET__CARRIES_LAST,
     EXPLICIT("IPv4-mapped (RFC 4291)")},
    {V6(96, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF), .carries = REGLET__CARRIES_LAST,
     EXPLICIT("IPv4-translated (RFC 2765)")},
    {V6(96, 0x00, 0x64, 0xFF, 0x9B), .carries = REGLET__CARRIES_LAST, EXPLICIT("NAT64 (RFC 6052)")},
    {V6(48, 0x00, 0x64, 0xFF, 0x9B, 0x00, 0x01), .carries = REGLET__CARRIES_ANY_NAT64,
     EXPLICIT("local NAT64 (RFC 8215)")},
    {V6(64, 0x01, 0x00), EXPLICIT("discard only (RFC 6666)")},
    {V6(64, 0x01, 0x00, 0, 0, 0, 0, 0, 0x01), EXPLICIT("dummy prefix (RFC 9780)")},

    {V6(23, 0x20, 0x01), EXPLICIT("protocol assignments (RFC 2928)")},
    {V6(32, 0x20, 0x01, 0, 0), .carries = REGLET__CARRIES_TEREDO, EXPLICIT("Teredo (RFC 4380)")},
    {V6(48, 0x20, 0x01, 0x00, 0x02), EXPLICIT("benchmarking (RFC 5180)")},
    {V6(28, 0x20, 0x01, 0x00, 0x10), EXPLICIT("ORCHID (RFC 4843)")},
    {V6(28, 0x20, 0x01, 0x00, 0x20), EXPLICIT("ORCHIDv2 (RFC 7343)")},
    {V6(32, 0x20, 0x01, 0x0D, 0xB8), EXPLICIT("documentation (RFC 3849)")},
    {V6(16, 0x20, 0x02), .carries = REGLET__CARRIES_6TO4, EXPLICIT("6to4 (RFC 3056)")},
    {V6(20, 0x3F, 0xFF), EXPLICIT("documentation (RFC 9637)")},
    {V6(16, 0x5F, 0x00), EXPLICIT("segment routing (RFC 9602)")},

    {V6(7, 0xFC), PRIVATE("unique local (RFC 4193)")},
    {V6(32, 0xFD, 0x00, 0x0E, 0xC2), EXPLICIT("cloud metadata (AWS)")},
    {V6(128, 0xFD, 0x20, 0x00, 0xCE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54),
     EXPLICIT("cloud metadata (Google Cloud)")},
    {V6(128, 0xFD, 0x00, 0x00, 0xC1, 0, 0, 0, 0, 0, 0, 0, 0, 0xA9, 0xFE, 0xA9, 0xFE),
     EXPLICIT("cloud metadata (Oracle Cloud)")},
    {V6(128, 0xFD, 0x00, 0x00, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x42),
     EXPLICIT("cloud metadata (Scaleway)")},
    {V6(128, 0xFD, 0x00, 0xA9, 0xFE, 0xA9, 0xFE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01),
     EXPLICIT("cloud metadata (Akamai)")},
    {V6(128, 0xFD, 0x00, 0x01, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x00, 0x02, 0x00),
     EXPLICIT("cloud metadata (Alibaba Cloud)")},
    {V6(10, 0xFE, 0x80), EXPLICIT("link-local (RFC 4291)")},
    {V6(10, 0xFE, 0xC0), EXPLICIT("site-local (RFC 3879)")},
    {V6(8, 0xFF), EXPLICIT("multicast (RFC 4291)")},
};

/* By its interface identifier, below any prefix: a rule must fix that identifier to be about nothing else. */
static const struct reglet__special_range isatap = {
    .is_ipv6 = true, .prefix = 96, .carries = REGLET__CARRIES_LAST, EXPLICIT("ISATAP (RFC 5214)")};

/* Which bytes carry an IPv4 address. A prefix of RFC 8215 may have any length of RFC 6052: which one only its translator
 * knows, so every reading counts. */
static const struct {
    size_t count;
    unsigned char at[4][4];
} carriers[] = {
    [REGLET__CARRIES_NOTHING] = {0, {{0}}},
    [REGLET__CARRIES_LAST] = {1, {{12, 13, 14, 15}}},
    [REGLET__CARRIES_6TO4] = {1, {{2, 3, 4, 5}}},
    [REGLET__CARRIES_TEREDO] = {2, {{4, 5, 6, 7}, {12, 13, 14, 15}}}, /* server; client, inverted */
    [REGLET__CARRIES_ANY_NAT64] = {4, {{12, 13, 14, 15}, {6, 7, 9, 10}, {7, 9, 10, 11}, {9, 10, 11, 12}}},
};

/* --- addresses --- */

struct reglet__address reglet__address_from_bytes(const void *bytes, bool is_ipv6) {
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    struct reglet__address address = {.is_ipv6 = is_ipv6};
    if (is_ipv6 && memcmp(bytes, mapped, sizeof mapped) == 0)
        return reglet__address_from_bytes((const char *)bytes + sizeof mapped, false);
    memcpy(address.bytes, bytes, is_ipv6 ? 16 : 4);
    return address;
}

const char *reglet__address_text(const struct reglet__address *address, char out[REGLET__ADDRESS_TEXT]) {
    inet_ntop(address->is_ipv6 ? AF_INET6 : AF_INET, address->bytes, out, REGLET__ADDRESS_TEXT);
    return out;
}

bool reglet__address_is_in(const struct reglet__address *address, const unsigned char *range, bool is_ipv6,
                           unsigned prefix) {
    size_t whole = prefix / 8;
    unsigned mask = 0xFF00u >> prefix % 8 & 0xFFu;
    return address->is_ipv6 == is_ipv6 && memcmp(address->bytes, range, whole) == 0 &&
           (mask == 0 || ((address->bytes[whole] ^ range[whole]) & mask) == 0);
}

/* --- what makes an address special --- */

static const struct reglet__special_range *find_range(const struct reglet__address *address) {
    const struct reglet__special_range *found = NULL;
    for (size_t i = 0; i < ARRAY_LEN(special_ranges); i++) {
        const struct reglet__special_range *range = &special_ranges[i];
        if (reglet__address_is_in(address, range->bytes, range->is_ipv6, range->prefix) &&
            (!found || range->prefix > found->prefix))
            found = range;
    }
    return found;
}

/* Whatever the bits for "universal" and "group" are. */
static bool is_isatap(const struct reglet__address *address) {
    const unsigned char *id = address->bytes + 8;
    return address->is_ipv6 && (id[0] & 0xFC) == 0 && id[1] == 0 && id[2] == 0x5E && id[3] == 0xFE;
}

static struct reglet__address carried_address(const struct reglet__address *address, const unsigned char *at,
                                              unsigned char flip) {
    struct reglet__address carried = {.is_ipv6 = false};
    for (size_t i = 0; i < 4; i++)
        carried.bytes[i] = address->bytes[at[i]] ^ flip;
    return carried;
}

/* Adds a range that the address is in, and those of the IPv4 addresses that it carries there. */
static size_t add_range(const struct reglet__address *address, const struct reglet__special_range *range,
                        struct reglet__special *out, size_t count) {
    out[count++] = (struct reglet__special){.range = range};
    for (size_t i = 0; i < carriers[range->carries].count; i++) {
        bool inverted = range->carries == REGLET__CARRIES_TEREDO && i == 1;
        struct reglet__special *special = &out[count];
        special->at = carriers[range->carries].at[i];
        special->carried = carried_address(address, special->at, inverted ? 0xFF : 0);
        special->range = find_range(&special->carried);
        if (special->range)
            count++;
    }
    return count;
}

size_t reglet__address_specials(const struct reglet__address *address,
                                struct reglet__special out[REGLET__MAX_SPECIALS]) {
    const struct reglet__special_range *range = find_range(address);
    size_t count = range ? add_range(address, range, out, 0) : 0;
    return is_isatap(address) ? add_range(address, &isatap, out, count) : count;
}

unsigned reglet__special_bits(const struct reglet__special *special, unsigned prefix) {
    if (!special->at)
        return prefix;
    unsigned bits = 0;
    for (size_t i = 0; i < 4; i++) {
        unsigned first = special->at[i] * 8u;
        bits += prefix <= first ? 0 : prefix - first > 8 ? 8 : prefix - first;
    }
    return bits;
}

const struct reglet__special_range *reglet__address_special(const struct reglet__address *address) {
    struct reglet__special specials[REGLET__MAX_SPECIALS];
    size_t count = reglet__address_specials(address, specials);
    const struct reglet__special_range *strictest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!strictest || specials[i].range->reach > strictest->reach)
            strictest = specials[i].range;
    }
    return strictest;
}
