#include "policy/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/fail.h"
#include "util/limits.h"
#include "util/text.h"

enum {
    REASON_MAX = 512,
    QUOTE_MAX = 120 /* bytes of a long capability that a message repeats */
};

reglet_status reglet__parse_refuse(const struct reglet__parse *parse, size_t at, const char *format, ...) {
    char reason[REASON_MAX];
    va_list args;
    va_start(args, format);
    if (vsnprintf(reason, sizeof reason, format, args) < 0)
        reason[0] = '\0';
    va_end(args);
    const char *cut = strlen(parse->text) > QUOTE_MAX ? "…" : "";
    return reglet__fail_at(parse->err, REGLET_ERR_INVALID_GRANT, REGLET_DOMAIN_POLICY, at,
                           "%s \"%.*s%s\", character at byte %zu: %s",
                           parse->what ? parse->what : "capability", (int)QUOTE_MAX, parse->text, cut, at,
                           reason);
}

reglet_status reglet__parse_check_characters(const struct reglet__parse *parse) {
    for (size_t i = 0; i < parse->end;) {
        unsigned c = 0;
        size_t size = reglet__utf8_decode(parse->text + i, parse->end - i, &c);
        if (size == 0)
            return reglet__parse_refuse(parse, i, "the byte 0x%02X is not UTF-8",
                                        (unsigned char)parse->text[i]);
        if (c < 0x20 || (c >= 0x7F && c <= 0x9F))
            return reglet__parse_refuse(parse, i, "the control character U+%04X cannot stand in a %s", c,
                                        parse->what ? parse->what : "capability");
        i += size;
    }
    return REGLET_OK;
}

reglet_status reglet__parse_check_length(const struct reglet__parse *parse) {
    if (parse->at == parse->end)
        return reglet__parse_refuse(parse, parse->at, "the pattern is empty");
    if (parse->end - parse->at > REGLET__MAX_PATTERN)
        return reglet__parse_refuse(parse, parse->at + REGLET__MAX_PATTERN, "a pattern has at most %d bytes",
                                    REGLET__MAX_PATTERN);
    return REGLET_OK;
}

char reglet__parse_peek(const struct reglet__parse *parse) {
    if (parse->at == parse->end)
        return '\0';
    return parse->text[parse->at];
}

bool reglet__parse_take(struct reglet__parse *parse, const char *literal) {
    size_t size = strlen(literal);
    if (parse->end - parse->at < size || memcmp(parse->text + parse->at, literal, size) != 0)
        return false;
    parse->at += size;
    return true;
}

bool reglet__parse_rest_is(const struct reglet__parse *parse, const char *literal) {
    size_t size = strlen(literal);
    return parse->end - parse->at == size && memcmp(parse->text + parse->at, literal, size) == 0;
}

size_t reglet__parse_find(const struct reglet__parse *parse, char byte) {
    const char *found = memchr(parse->text + parse->at, byte, parse->end - parse->at);
    return found ? (size_t)(found - parse->text) : parse->end;
}

const char *reglet__parse_found(const struct reglet__parse *parse, size_t at, char out[REGLET__FOUND_SIZE]) {
    if (at >= parse->end)
        return "the end";
    unsigned code_point;
    size_t size = reglet__utf8_decode(parse->text + at, parse->end - at, &code_point);
    snprintf(out, REGLET__FOUND_SIZE, "'%.*s'", (int)(size ? size : 1), parse->text + at);
    return out;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

reglet_status reglet__parse_number(struct reglet__parse *parse, const char *what, unsigned low, unsigned high,
                                   unsigned *out) {
    char found[REGLET__FOUND_SIZE];
    size_t start = parse->at;
    if (!is_digit(reglet__parse_peek(parse)))
        return reglet__parse_refuse(parse, start, "%s is a number from %u to %u, found %s", what, low, high,
                                    reglet__parse_found(parse, start, found));
    unsigned value = 0;
    for (; is_digit(reglet__parse_peek(parse)); parse->at++) {
        value = value * 10 + (unsigned)(reglet__parse_peek(parse) - '0');
        if (value > high)
            return reglet__parse_refuse(parse, start, "%s is at most %u", what, high);
    }
    if (parse->text[start] == '0' && parse->at - start > 1)
        return reglet__parse_refuse(parse, start, "%s is written without leading zeros", what);
    if (value < low)
        return reglet__parse_refuse(parse, start, "%s is at least %u", what, low);
    *out = value;
    return REGLET_OK;
}
