#include "policy/network.h"

#include <stdlib.h>
#include <string.h>

#include "util/fail.h"

enum { PORT_MAX = 65535, HTTP_PORT = 80, HTTPS_PORT = 443 };

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Refuses what is misspelled in the text from `start` on. */
static reglet_status refuse(const struct reglet__parse *parse, size_t start,
                            const struct reglet__misspelling *wrong) {
    char found[REGLET__FOUND_SIZE];
    size_t at = start + wrong->at;
    if (!wrong->character)
        return reglet__parse_refuse(parse, at, "%s", wrong->what);
    return reglet__parse_refuse(parse, at, "%s, found %s", wrong->what,
                                reglet__parse_found(parse, at, found));
}

/* --- ports --- */

static reglet_status add_range(struct reglet__parse *parse, struct reglet__network_rule *rule) {
    size_t start = parse->at;
    unsigned low = 0, high = 0;
    reglet_status status = reglet__parse_number(parse, "a port", 1, PORT_MAX, &low);
    if (status != REGLET_OK)
        return status;
    high = low;
    if (reglet__parse_take(parse, "-"))
        status = reglet__parse_number(parse, "the end of a port range", 1, PORT_MAX, &high);
    if (status != REGLET_OK)
        return status;
    if (high < low)
        return reglet__parse_refuse(parse, start, "the port range runs backwards; write %u-%u", high, low);
    rule->ports[rule->port_count++] = (struct reglet__port_range){(uint16_t)low, (uint16_t)high};
    return REGLET_OK;
}

static reglet_status make_room(const struct reglet__parse *parse, struct reglet__network_rule *rule) {
    size_t count = 1;
    for (size_t i = parse->at; i < parse->end; i++)
        count += parse->text[i] == ',';
    rule->ports = calloc(count, sizeof *rule->ports);
    return rule->ports ? REGLET_OK : reglet__fail_memory(parse->err);
}

static reglet_status parse_ports(struct reglet__parse *parse, struct reglet__network_rule *rule) {
    char found[REGLET__FOUND_SIZE];
    reglet_status status = make_room(parse, rule);
    while (status == REGLET_OK) {
        status = add_range(parse, rule);
        if (status != REGLET_OK || parse->at == parse->end)
            return status;
        if (!reglet__parse_take(parse, ","))
            return reglet__parse_refuse(parse, parse->at, "after a port comes ',' or the end, found %s",
                                        reglet__parse_found(parse, parse->at, found));
    }
    return status;
}

/* Digits, hyphens and commas that start with a digit are ports, not a name. */
static bool looks_like_ports(const struct reglet__parse *parse) {
    if (!is_digit(reglet__parse_peek(parse)))
        return false;
    for (size_t i = parse->at; i < parse->end; i++) {
        char c = parse->text[i];
        if (!is_digit(c) && c != ',' && c != '-')
            return false;
    }
    return true;
}

/* --- addresses --- */

static bool host_bits_are_zero(const unsigned char *address, unsigned prefix, unsigned bits) {
    for (unsigned bit = prefix; bit < bits; bit++) {
        if (address[bit / 8] & (0x80u >> bit % 8))
            return false;
    }
    return true;
}

/* Every address has one form, so that a range of one family cannot be told from the other's by its spelling. */
static void unmap_ipv4(struct reglet__network_rule *rule) {
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    if (!rule->is_ipv6 || memcmp(rule->address, mapped, sizeof mapped) != 0)
        return;
    memmove(rule->address, rule->address + 12, 4);
    memset(rule->address + 4, 0, 12);
    rule->is_ipv6 = false;
    rule->prefix -= 96; /* not below 0: the bits behind a shorter prefix would not all be zero */
}

/* An address from parse->at to `end`, then "/" and a prefix length if there is a mask before parse->end. */
static reglet_status parse_address(struct reglet__parse *parse, size_t end,
                                   struct reglet__network_rule *rule) {
    size_t start = parse->at;
    unsigned bits = rule->is_ipv6 ? 128 : 32;
    const char *wrong = reglet__spell_address(parse->text + start, end - start, rule->is_ipv6, rule->address);
    if (wrong)
        return reglet__parse_refuse(parse, start, "%s", wrong);
    rule->host = REGLET__HOST_ADDRESS;
    rule->prefix = bits;
    parse->at = end;
    if (reglet__parse_take(parse, "/")) {
        reglet_status status = reglet__parse_number(parse, "a prefix length", 0, bits, &rule->prefix);
        if (status != REGLET_OK)
            return status;
    }
    if (!host_bits_are_zero(rule->address, rule->prefix, bits))
        return reglet__parse_refuse(parse, start,
                                    "the bits behind /%u are not all zero; write the first "
                                    "address of the range, or a longer prefix",
                                    rule->prefix);
    unmap_ipv4(rule);
    return REGLET_OK;
}

static reglet_status parse_bracketed(struct reglet__parse *parse, struct reglet__network_rule *rule) {
    char found[REGLET__FOUND_SIZE];
    size_t open = parse->at++, close = reglet__parse_find(parse, ']');
    if (close == parse->end)
        return reglet__parse_refuse(parse, open, "'[' needs a ']' behind the IPv6 address");
    struct reglet__parse inner = *parse;
    inner.end = close;
    size_t mask = reglet__parse_find(&inner, '/');
    rule->is_ipv6 = true;
    reglet_status status = parse_address(&inner, mask, rule);
    if (status != REGLET_OK)
        return status;
    if (inner.at != close)
        return reglet__parse_refuse(parse, inner.at, "after the prefix length comes ']', found %s",
                                    reglet__parse_found(parse, inner.at, found));
    parse->at = close + 1;
    return REGLET_OK;
}

/* --- hosts and URLs --- */

static reglet_status parse_name(struct reglet__parse *parse, size_t end, struct reglet__network_rule *rule) {
    struct reglet__misspelling wrong =
        reglet__spell_name(parse->text + parse->at, end - parse->at, rule->name);
    if (wrong.what)
        return refuse(parse, parse->at, &wrong);
    parse->at = end;
    return REGLET_OK;
}

/* A name or an IPv4 address up to `end`. */
static reglet_status parse_plain_host(struct reglet__parse *parse, size_t end,
                                      struct reglet__network_rule *rule) {
    struct reglet__parse host = *parse;
    host.end = end;
    size_t mask = reglet__parse_find(&host, '/');
    reglet_status status;
    if (reglet__ends_in_a_number(parse->text + parse->at, mask - parse->at)) {
        status = parse_address(&host, mask, rule);
    } else if (mask < end) {
        status = reglet__parse_refuse(
            parse, mask, "a mask follows an IP address only; a URL starts with http:// or https://");
    } else {
        rule->host = REGLET__HOST_NAME;
        status = parse_name(&host, end, rule);
    }
    parse->at = host.at;
    return status;
}

static reglet_status parse_host(struct reglet__parse *parse, struct reglet__network_rule *rule) {
    if (reglet__parse_peek(parse) == '[')
        return parse_bracketed(parse, rule);
    size_t end = reglet__parse_find(parse, ':');
    if (end + 1 < parse->end && memchr(parse->text + end + 1, ':', parse->end - end - 1))
        return reglet__parse_refuse(
            parse, end, "more than one ':'; an IPv6 address is written in brackets, as in [::1]:443");
    struct reglet__parse host = *parse;
    host.end = end;
    if (reglet__parse_rest_is(&host, "*")) {
        rule->host = REGLET__HOST_ANY;
        parse->at = end;
        return REGLET_OK;
    }
    if (!reglet__parse_take(parse, "*."))
        return parse_plain_host(parse, end, rule);
    rule->host = REGLET__HOST_BELOW;
    return parse_name(parse, end, rule);
}

static reglet_status parse_host_and_ports(struct reglet__parse *parse, struct reglet__network_rule *rule) {
    char found[REGLET__FOUND_SIZE];
    reglet_status status = parse_host(parse, rule);
    if (status != REGLET_OK || parse->at == parse->end)
        return status;
    if (!reglet__parse_take(parse, ":"))
        return reglet__parse_refuse(parse, parse->at, "after the host comes ':' or the end, found %s",
                                    reglet__parse_found(parse, parse->at, found));
    if (reglet__parse_rest_is(parse, "*"))
        return REGLET_OK;
    return parse_ports(parse, rule);
}

static reglet_status parse_url_path(struct reglet__parse *parse, struct reglet__network_rule *rule) {
    size_t start = parse->at;
    rule->path = (struct reglet__span){parse->text + start, parse->end - start};
    for (; parse->at < parse->end; parse->at++) {
        char c = reglet__parse_peek(parse);
        if (c == '*')
            return reglet__parse_refuse(parse, parse->at,
                                        "a URL is no glob: its path stands for everything below it too");
        if (c == '?' || c == '#')
            return reglet__parse_refuse(parse, parse->at,
                                        "a URL rule has no query and no fragment; end it before '%c'", c);
    }
    struct reglet__misspelling wrong = reglet__spell_path(rule->path.text, rule->path.size);
    return wrong.what ? refuse(parse, start, &wrong) : REGLET_OK;
}

static size_t authority_end(const struct reglet__parse *parse) {
    size_t at = parse->at;
    while (at < parse->end && !strchr("/?#", parse->text[at]))
        at++;
    return at;
}

static reglet_status parse_url_port(struct reglet__parse *parse, size_t end,
                                    struct reglet__network_rule *rule) {
    char found[REGLET__FOUND_SIZE];
    struct reglet__parse port = *parse;
    port.end = end;
    unsigned number = rule->scheme == REGLET__SCHEME_HTTPS ? HTTPS_PORT : HTTP_PORT;
    reglet_status status = make_room(&port, rule);
    if (status == REGLET_OK && reglet__parse_take(&port, ":"))
        status = reglet__parse_number(&port, "a port", 1, PORT_MAX, &number);
    if (status == REGLET_OK && port.at != end)
        status = reglet__parse_refuse(parse, port.at, "a URL has one port, then its path; found %s",
                                      reglet__parse_found(parse, port.at, found));
    if (status != REGLET_OK)
        return status;
    rule->ports[rule->port_count++] = (struct reglet__port_range){(uint16_t)number, (uint16_t)number};
    parse->at = end;
    return REGLET_OK;
}

static reglet_status parse_url(struct reglet__parse *parse, struct reglet__network_rule *rule) {
    if (reglet__parse_take(parse, "https://"))
        rule->scheme = REGLET__SCHEME_HTTPS;
    else if (reglet__parse_take(parse, "http://"))
        rule->scheme = REGLET__SCHEME_HTTP;
    else
        return reglet__parse_refuse(parse, parse->at, "a URL starts with http:// or https://, in lower case");
    size_t end = authority_end(parse);
    struct reglet__parse authority = *parse;
    authority.end = end;
    size_t user = reglet__parse_find(&authority, '@');
    if (user < end)
        return reglet__parse_refuse(parse, user,
                                    "a URL rule has no user and password; the host follows the //");
    reglet_status status;
    if (reglet__parse_peek(&authority) == '[')
        status = parse_bracketed(&authority, rule);
    else
        status = parse_plain_host(&authority, reglet__parse_find(&authority, ':'), rule);
    if (status == REGLET_OK) {
        parse->at = authority.at;
        status = parse_url_port(parse, end, rule);
    }
    return status == REGLET_OK ? parse_url_path(parse, rule) : status;
}

/* --- rules --- */

static bool is_url(const struct reglet__parse *parse) {
    size_t colon = reglet__parse_find(parse, ':');
    return parse->end - colon >= 3 && memcmp(parse->text + colon, "://", 3) == 0;
}

reglet_status reglet__network_parse(struct reglet__parse *parse, struct reglet__network_rule *rule) {
    *rule = (struct reglet__network_rule){.host = REGLET__HOST_ANY};
    reglet_status status = reglet__parse_check_length(parse);
    if (status != REGLET_OK || reglet__parse_rest_is(parse, "*"))
        return status;
    if (reglet__parse_rest_is(parse, "private")) {
        rule->host = REGLET__HOST_PRIVATE;
        return REGLET_OK;
    }
    if (looks_like_ports(parse))
        return parse_ports(parse, rule);
    if (is_url(parse))
        return parse_url(parse, rule);
    return parse_host_and_ports(parse, rule);
}

void reglet__network_clear(struct reglet__network_rule *rule) {
    free(rule->ports);
    rule->ports = NULL;
    rule->port_count = 0;
}
