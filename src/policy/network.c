#include "policy/network.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "util/fail.h"

enum { LABEL_MAX = 63, PORT_MAX = 65535, HTTP_PORT = 80, HTTPS_PORT = 443 };

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
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
    size_t start = parse->at, size = end - start;
    unsigned bits = rule->is_ipv6 ? 128 : 32;
    char text[INET6_ADDRSTRLEN] = "";
    if (size < sizeof text)
        memcpy(text, parse->text + start, size);
    if (inet_pton(rule->is_ipv6 ? AF_INET6 : AF_INET, text, rule->address) != 1)
        return reglet__parse_refuse(parse, start,
                                    rule->is_ipv6 ? "no IPv6 address between the brackets; write one as in "
                                                    "[2001:db8::1], without a zone"
                                                  : "no IPv4 address; write four numbers from 0 to 255, "
                                                    "decimal and without leading zeros");
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

/* --- names --- */

/* Whether the last label is a number in a spelling that some resolver would take for (part of) an address. */
static bool ends_in_a_number(const char *host, size_t size) {
    if (size > 0 && host[size - 1] == '.')
        size--;
    size_t start = size;
    while (start > 0 && host[start - 1] != '.')
        start--;
    const char *label = host + start;
    size_t length = size - start;
    bool hex = length >= 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X');
    for (size_t i = hex ? 2 : 0; i < length; i++) {
        if (hex ? !is_hex(label[i]) : !is_digit(label[i]))
            return false;
    }
    return length > 0;
}

static reglet_status check_label(const struct reglet__parse *parse, size_t start, size_t end) {
    if (start == end)
        return reglet__parse_refuse(parse, start, "a label of the host name is empty");
    if (end - start > LABEL_MAX)
        return reglet__parse_refuse(parse, start, "a label of a host name has at most %d characters",
                                    (int)LABEL_MAX);
    if (parse->text[start] == '-' || parse->text[end - 1] == '-')
        return reglet__parse_refuse(parse, parse->text[start] == '-' ? start : end - 1,
                                    "a label of a host name does not start or end with '-'");
    return REGLET_OK;
}

static reglet_status check_name(const struct reglet__parse *parse, size_t start, size_t end) {
    char found[REGLET__FOUND_SIZE];
    size_t label = start;
    for (size_t i = start; i <= end; i++) {
        char c = parse->text[i];
        if (i == end || c == '.') {
            reglet_status status = check_label(parse, label, i);
            if (status != REGLET_OK)
                return status;
            label = i + 1;
        } else if (!is_letter(c) && !is_digit(c) && c != '-') {
            return reglet__parse_refuse(
                parse, i,
                "a host name is letters, digits and '-' between dots (xn--… for other "
                "scripts), found %s",
                reglet__parse_found(parse, i, found));
        }
    }
    return REGLET_OK;
}

static reglet_status parse_name(struct reglet__parse *parse, size_t end, struct reglet__network_rule *rule) {
    size_t start = parse->at, name_end = end;
    if (name_end - start > 1 && parse->text[name_end - 1] == '.')
        name_end--;
    reglet_status status = check_name(parse, start, name_end);
    if (status != REGLET_OK)
        return status;
    if (name_end - start >= REGLET__HOST_NAME_SIZE)
        return reglet__parse_refuse(parse, start, "a host name has at most %d characters",
                                    REGLET__HOST_NAME_SIZE - 1);
    if (ends_in_a_number(parse->text + start, name_end - start))
        return reglet__parse_refuse(parse, start, "the last label of a host name is not a number");
    for (size_t i = start; i < name_end; i++) {
        char c = parse->text[i];
        rule->name[i - start] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    parse->at = end;
    return REGLET_OK;
}

/* --- hosts and URLs --- */

/* A name or an IPv4 address up to `end`. */
static reglet_status parse_plain_host(struct reglet__parse *parse, size_t end,
                                      struct reglet__network_rule *rule) {
    struct reglet__parse host = *parse;
    host.end = end;
    size_t mask = reglet__parse_find(&host, '/');
    reglet_status status;
    if (ends_in_a_number(parse->text + parse->at, mask - parse->at)) {
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

static int hex_value(char c) {
    return is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* "%2e", "%2f" and "%5c" are "." and "/" to some servers and not to others: a rule must not depend on which. */
static reglet_status check_escape(const struct reglet__parse *parse, size_t at) {
    if (at + 2 >= parse->end || !is_hex(parse->text[at + 1]) || !is_hex(parse->text[at + 2]))
        return reglet__parse_refuse(parse, at, "'%%' is followed by two hexadecimal digits");
    int byte = hex_value(parse->text[at + 1]) * 16 + hex_value(parse->text[at + 2]);
    if (byte < 0x20 || byte == 0x7F || byte == '.' || byte == '/' || byte == '\\')
        return reglet__parse_refuse(
            parse, at, "dots, slashes, backslashes and control characters cannot be escaped here");
    return REGLET_OK;
}

static reglet_status check_path_character(const struct reglet__parse *parse, size_t at) {
    char found[REGLET__FOUND_SIZE], c = parse->text[at];
    if (c == '%')
        return check_escape(parse, at);
    if (c == '*')
        return reglet__parse_refuse(parse, at,
                                    "a URL is no glob: its path stands for everything below it too");
    if (c == '?' || c == '#')
        return reglet__parse_refuse(parse, at, "a URL rule has no query and no fragment; end it before '%c'",
                                    c);
    if (is_letter(c) || is_digit(c) || strchr("/-._~!$&'()+,;=:@", c))
        return REGLET_OK;
    return reglet__parse_refuse(parse, at, "%s cannot stand in a URL as it is; write it as %%XX",
                                reglet__parse_found(parse, at, found));
}

static reglet_status check_path_segment(const struct reglet__parse *parse, size_t start, size_t end) {
    size_t size = end - start;
    if (size == 0 && end < parse->end)
        return reglet__parse_refuse(parse, end, "two slashes in a row in the URL's path; write one");
    if ((size == 1 || size == 2) && memcmp(parse->text + start, "..", size) == 0)
        return reglet__parse_refuse(parse, start,
                                    "\"%.*s\" is no segment of a URL rule's path; write the path "
                                    "that is meant",
                                    (int)size, parse->text + start);
    return REGLET_OK;
}

static reglet_status parse_url_path(struct reglet__parse *parse, struct reglet__network_rule *rule) {
    rule->path = (struct reglet__span){parse->text + parse->at, parse->end - parse->at};
    reglet_status status = REGLET_OK;
    for (size_t i = parse->at; i < parse->end && status == REGLET_OK; i++)
        status = check_path_character(parse, i);
    while (status == REGLET_OK && parse->at < parse->end) {
        size_t start = ++parse->at; /* behind the "/" */
        parse->at = reglet__parse_find(parse, '/');
        status = check_path_segment(parse, start, parse->at);
    }
    return status;
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
