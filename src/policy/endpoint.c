#define _GNU_SOURCE
#include "policy/endpoint.h"

#include <string.h>

#include "util/buf.h"

/* --- reading --- */

static const char *read_address(const char *text, size_t size, bool is_ipv6, struct reglet__endpoint *out) {
    unsigned char bytes[16];
    const char *wrong = reglet__spell_address(text, size, is_ipv6, bytes);
    if (wrong)
        return wrong;
    out->address = reglet__address_from_bytes(bytes, is_ipv6);
    out->name[0] = '\0';
    return NULL;
}

const char *reglet__endpoint_host(const char *text, size_t size, struct reglet__endpoint *out) {
    if (size == 0)
        return "the host is empty";
    if (text[0] == '[') {
        bool closed = text[size - 1] == ']';
        return closed ? read_address(text + 1, size - 2, true, out)
                      : "'[' needs a ']' behind the IPv6 address";
    }
    if (memchr(text, ':', size))
        return read_address(text, size, true, out);
    if (reglet__ends_in_a_number(text, size))
        return read_address(text, size, false, out);
    char name[REGLET__HOST_NAME_SIZE];
    struct reglet__misspelling wrong = reglet__spell_name(text, size, name);
    if (!wrong.what)
        memcpy(out->name, name, sizeof name);
    return wrong.what;
}

const char *reglet__endpoint_query(const char *text, size_t size, struct reglet__endpoint *out) {
    char name[REGLET__HOST_NAME_SIZE];
    struct reglet__misspelling wrong = reglet__spell_query(text, size, name);
    if (!wrong.what)
        memcpy(out->name, name, sizeof name);
    return wrong.what;
}

const char *reglet__endpoint_port(const char *text, size_t size, uint16_t *out) {
    return reglet__spell_port(text, size, out);
}

const char *reglet__endpoint_parse(const char *text, size_t size, struct reglet__endpoint *out) {
    const char *colon = memrchr(text, ':', size);
    if (!colon)
        return "write host:port";
    size_t host = (size_t)(colon - text);
    if (host > 0 && text[0] != '[' && memchr(text, ':', host))
        return "more than one ':'; an IPv6 address is written in brackets, as in [::1]:443";
    struct reglet__endpoint read = *out;
    const char *wrong = reglet__endpoint_host(text, host, &read);
    if (!wrong)
        wrong = reglet__endpoint_port(colon + 1, size - host - 1, &read.port);
    if (!wrong)
        *out = read;
    return wrong;
}

/* --- writing --- */

static void append_host(struct reglet__buf *buf, const struct reglet__endpoint *endpoint) {
    char address[REGLET__ADDRESS_TEXT];
    if (endpoint->name[0])
        reglet__buf_append_text(buf, endpoint->name);
    else
        reglet__buf_appendf(buf, endpoint->address.is_ipv6 ? "[%s]" : "%s",
                            reglet__address_text(&endpoint->address, address));
}

char *reglet__endpoint_text(const struct reglet__endpoint *endpoint) {
    static const struct {
        const char *prefix;
        uint16_t port;
    } schemes[] = {[REGLET__SCHEME_NONE] = {"", 0},
                   [REGLET__SCHEME_HTTP] = {"http://", 80},
                   [REGLET__SCHEME_HTTPS] = {"https://", 443}};
    const char *path = endpoint->scheme != REGLET__SCHEME_NONE && endpoint->path ? endpoint->path : "";
    _cleanup_buf_ struct reglet__buf buf = REGLET__BUF_INIT(REGLET__HOST_NAME_SIZE + 32 + strlen(path));
    reglet__buf_append_text(&buf, schemes[endpoint->scheme].prefix);
    append_host(&buf, endpoint);
    if (endpoint->port != schemes[endpoint->scheme].port)
        reglet__buf_appendf(&buf, ":%u", (unsigned)endpoint->port);
    reglet__buf_append_text(&buf, path);
    return reglet__buf_take(&buf, NULL);
}
