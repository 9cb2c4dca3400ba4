#include "policy/spelling.h"

#include <arpa/inet.h>
#include <string.h>

#include "util/text.h"

enum { LABEL_MAX = 63, PORT_MAX = 65535 };

static const struct reglet__misspelling nothing_wrong = {.what = NULL};

static struct reglet__misspelling wrong_at(size_t at, const char *what) {
    return (struct reglet__misspelling){.what = what, .at = at};
}

static struct reglet__misspelling wrong_character(size_t at, const char *what) {
    return (struct reglet__misspelling){.what = what, .at = at, .character = true};
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* --- names --- */

bool reglet__ends_in_a_number(const char *text, size_t size) {
    if (size > 0 && text[size - 1] == '.')
        size--;
    size_t start = size;
    while (start > 0 && text[start - 1] != '.')
        start--;
    const char *label = text + start;
    size_t length = size - start;
    bool hex = length >= 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X');
    for (size_t i = hex ? 2 : 0; i < length; i++) {
        if (hex ? !is_hex(label[i]) : !is_digit(label[i]))
            return false;
    }
    return length > 0;
}

static struct reglet__misspelling check_label(const char *text, size_t start, size_t end) {
    if (start == end)
        return wrong_at(start, "a label of the host name is empty");
    if (end - start > LABEL_MAX)
        return wrong_at(start, "a label of a host name has at most 63 characters");
    if (text[start] == '-' || text[end - 1] == '-')
        return wrong_at(text[start] == '-' ? start : end - 1,
                        "a label of a host name does not start or end with '-'");
    return nothing_wrong;
}

static struct reglet__misspelling check_name(const char *text, size_t size, bool underscores) {
    size_t label = 0;
    for (size_t i = 0; i <= size; i++) {
        char c = i < size ? text[i] : '.';
        if (c == '.') {
            struct reglet__misspelling wrong = check_label(text, label, i);
            if (wrong.what)
                return wrong;
            label = i + 1;
        } else if (!is_letter(c) && !is_digit(c) && c != '-' && !(underscores && c == '_')) {
            return wrong_character(
                i, "a host name is letters, digits and '-' between dots (xn--… for other scripts)");
        }
    }
    if (size >= REGLET__HOST_NAME_SIZE)
        return wrong_at(0, "a host name has at most 253 characters");
    if (reglet__ends_in_a_number(text, size))
        return wrong_at(0, "the last label of a host name is not a number");
    return nothing_wrong;
}

static struct reglet__misspelling spell(const char *text, size_t size, bool underscores, char *out) {
    if (size > 1 && text[size - 1] == '.')
        size--;
    struct reglet__misspelling wrong = check_name(text, size, underscores);
    if (wrong.what)
        return wrong;
    for (size_t i = 0; i < size; i++)
        out[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
    out[size] = '\0';
    return nothing_wrong;
}

struct reglet__misspelling reglet__spell_name(const char *text, size_t size,
                                              char out[REGLET__HOST_NAME_SIZE]) {
    return spell(text, size, false, out);
}

struct reglet__misspelling reglet__spell_query(const char *text, size_t size,
                                               char out[REGLET__HOST_NAME_SIZE]) {
    return spell(text, size, true, out);
}

/* --- addresses and ports --- */

const char *reglet__spell_address(const char *text, size_t size, bool is_ipv6, unsigned char out[16]) {
    char copy[INET6_ADDRSTRLEN] = "";
    if (size < sizeof copy && !memchr(text, '\0', size))
        memcpy(copy, text, size);
    if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, copy, out) == 1)
        return NULL;
    return is_ipv6 ? "no IPv6 address; write one as in [2001:db8::1], without a zone"
                   : "no IPv4 address; write four numbers from 0 to 255, decimal and without leading zeros";
}

const char *reglet__spell_port(const char *text, size_t size, uint16_t *out) {
    static const char what[] = "a port is a number from 1 to 65535, digits only, without leading zeros";
    unsigned value = 0;
    if (size == 0 || size > 5 || text[0] == '0')
        return what;
    for (size_t i = 0; i < size; i++) {
        if (!is_digit(text[i]))
            return what;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (value > PORT_MAX)
        return what;
    *out = (uint16_t)value;
    return NULL;
}

/* --- paths of URLs --- */

static int hex_value(char c) {
    return is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* The byte that an escape stands for, or -1 when there is none at `at`. */
static int escaped_byte(const char *text, size_t size, size_t at) {
    if (size - at < 3 || text[at] != '%' || !is_hex(text[at + 1]) || !is_hex(text[at + 2]))
        return -1;
    return hex_value(text[at + 1]) * 16 + hex_value(text[at + 2]);
}

/* Bytes from 0x80 on are UTF-8: some servers read an overlong "%C0%AE" as a dot. Returns how many escapes make up the
 * character, or 0. */
static size_t escaped_character(const char *text, size_t size, size_t at) {
    char bytes[4];
    size_t count = 0;
    for (int byte; count < sizeof bytes && at + 3 * count < size; count++) {
        byte = escaped_byte(text, size, at + 3 * count);
        if (byte < 0)
            break;
        bytes[count] = (char)byte;
    }
    unsigned code_point;
    return reglet__utf8_decode(bytes, count, &code_point);
}

/*
 * Dots and slashes that are escaped are dots and slashes to some servers and not to others, a semicolon may end what is
 * compared, and "%25" hides any of them from a server that decodes twice.
 */
static struct reglet__misspelling check_escape(const char *text, size_t size, size_t *at) {
    size_t start = *at;
    int byte = escaped_byte(text, size, start);
    if (byte < 0)
        return wrong_at(start, "'%' is followed by two hexadecimal digits");
    if (byte < 0x20 || byte == 0x7F || strchr("./\\;%", byte))
        return wrong_at(start, "dots, slashes, backslashes, semicolons, percent signs and control characters "
                               "cannot be escaped here");
    size_t escapes = byte < 0x80 ? 1 : escaped_character(text, size, start);
    if (escapes == 0)
        return wrong_at(start, "escaped bytes from %80 on are UTF-8");
    *at += 3 * escapes;
    return nothing_wrong;
}

static struct reglet__misspelling check_characters(const char *text, size_t size) {
    for (size_t i = 0; i < size;) {
        char c = text[i];
        if (c == '%') {
            struct reglet__misspelling wrong = check_escape(text, size, &i);
            if (wrong.what)
                return wrong;
        } else if (is_letter(c) || is_digit(c) || (c && strchr("/-._~!$&'()*+,;=:@", c))) {
            i++;
        } else {
            return wrong_character(i, "a character that cannot stand in a URL as it is; write it as %XX");
        }
    }
    return nothing_wrong;
}

/* `start` is behind a "/", `end` at the next one or at the path's end. */
static struct reglet__misspelling check_segment(const char *text, size_t size, size_t start, size_t end) {
    if (start == end && end < size)
        return wrong_at(end, "two slashes in a row in the URL's path; write one");
    const char *parameters = memchr(text + start, ';', end - start);
    size_t length = parameters ? (size_t)(parameters - text) - start : end - start;
    if ((length == 1 || length == 2) && memcmp(text + start, "..", length) == 0)
        return wrong_at(start,
                        "\".\" and \"..\" are no segments of a URL's path; write the path that is meant");
    return nothing_wrong;
}

struct reglet__misspelling reglet__spell_path(const char *text, size_t size) {
    if (size > 0 && text[0] != '/')
        return wrong_at(0, "the path of a URL starts with '/'");
    struct reglet__misspelling wrong = check_characters(text, size);
    for (size_t end = 0; !wrong.what && end < size;) {
        size_t start = end + 1;
        const char *slash = memchr(text + start, '/', size - start);
        end = slash ? (size_t)(slash - text) : size;
        wrong = check_segment(text, size, start, end);
    }
    return wrong;
}

/* The next character of a path that is spelled well; an escaped one that means something else when it is not escaped
 * differs from it. */
static int next_character(const char *text, size_t size, size_t *at) {
    int byte = escaped_byte(text, size, *at);
    if (byte < 0)
        return (unsigned char)text[(*at)++];
    *at += 3;
    bool unreserved =
        is_letter((char)byte) || is_digit((char)byte) || byte == '-' || byte == '_' || byte == '~';
    return unreserved ? byte : byte + 0x100;
}

bool reglet__path_is_below(const char *path, size_t path_size, const char *top, size_t top_size) {
    if (top_size == 0 || (top_size == 1 && top[0] == '/'))
        return true;
    if (reglet__spell_path(path, path_size).what)
        return false;
    size_t at = 0;
    for (size_t i = 0; i < top_size;) {
        if (at == path_size || next_character(path, path_size, &at) != next_character(top, top_size, &i))
            return false;
    }
    return at == path_size || path[at] == '/' || top[top_size - 1] == '/';
}
