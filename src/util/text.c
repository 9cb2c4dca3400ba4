#include "util/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

size_t reglet__utf8_decode(const char *text, size_t size, unsigned *code_point) {
    const unsigned char *s = (const unsigned char *)text;
    if (size == 0)
        return 0;
    if (s[0] < 0x80) {
        *code_point = s[0];
        return 1;
    }
    size_t length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || size < length)
        return 0;
    unsigned value = s[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (s[i] & 0x3Fu);
    }
    static const unsigned lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < lowest[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 0;
    *code_point = value;
    return length;
}

bool reglet__utf8_valid(const char *text, size_t size) {
    unsigned ignored;
    for (size_t i = 0; i < size;) {
        bool ascii = (unsigned char)text[i] < 0x80; /* nearly always */
        size_t length = ascii ? 1 : reglet__utf8_decode(text + i, size - i, &ignored);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

size_t reglet__utf8_repair_size(size_t size) {
    return size * 3 + 1;
}

size_t reglet__utf8_repair(const char *text, size_t size, char *out) {
    size_t written = 0;
    unsigned ignored;
    for (size_t i = 0; i < size;) {
        size_t length = reglet__utf8_decode(text + i, size - i, &ignored);
        const char *from = length ? text + i : replacement;
        size_t count = length ? length : 3;
        memcpy(out + written, from, count);
        written += count;
        i += length ? length : 1;
    }
    out[written] = '\0';
    return written;
}

bool reglet__steers_a_terminal(unsigned c) {
    bool control = (c < 0x20 && c != '\t') || (c >= 0x7F && c <= 0x9F);
    bool bidi = c == 0x61C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
                (c >= 0x2066 && c <= 0x2069);
    bool separator = c == 0x2028 || c == 0x2029;
    return control || bidi || separator;
}

static size_t escape(unsigned c, char out[8]) {
    int length = c == '\n'   ? snprintf(out, 8, "\\n")
                 : c == '\r' ? snprintf(out, 8, "\\r")
                 : c < 0x100 ? snprintf(out, 8, "\\x%02x", c)
                             : snprintf(out, 8, "\\u%04x", c);
    return (size_t)length;
}

size_t reglet__clean_line_size(size_t size) {
    return size * 4 + 1; /* the worst is \x1b for one byte */
}

size_t reglet__clean_line(const char *text, size_t size, char *out, size_t out_size) {
    size_t written = 0;
    for (size_t i = 0; i < size;) {
        unsigned c = 0;
        char escaped[8];
        size_t length = reglet__utf8_decode(text + i, size - i, &c);
        const char *from = length ? text + i : replacement;
        size_t count = length ? length : 3;
        if (length && reglet__steers_a_terminal(c)) {
            count = escape(c, escaped);
            from = escaped;
        }
        if (written + count >= out_size)
            break;
        memcpy(out + written, from, count);
        written += count;
        i += length ? length : 1;
    }
    out[written] = '\0';
    return written;
}

char *reglet__clean_line_dup(const char *text, size_t size) {
    size_t room = reglet__clean_line_size(size);
    char *out = malloc(room);
    if (out)
        reglet__clean_line(text, size, out, room);
    return out;
}

static size_t put_digits(uint64_t value, char *out) {
    size_t length = 1;
    for (uint64_t rest = value; rest >= 10; rest /= 10)
        length++;
    out[length] = '\0';
    for (size_t i = length; i > 0; value /= 10)
        out[--i] = (char)('0' + value % 10);
    return length;
}

size_t reglet__decimal_unsigned(uint64_t value, char out[REGLET__DECIMAL_SIZE]) {
    return put_digits(value, out);
}

size_t reglet__decimal(int64_t value, char out[REGLET__DECIMAL_SIZE]) {
    if (value >= 0)
        return put_digits((uint64_t)value, out);
    out[0] = '-';
    return 1 + put_digits(-(uint64_t)value, out + 1);
}

void reglet__format_line_va(char *out, size_t size, const char *format, va_list args) {
    int length = vsnprintf(out, size, format, args);
    size_t kept = size - 1;
    if (length >= 0 && (size_t)length < size)
        return;
    while (length >= 0 && kept > 0 && out[kept - 1] != ' ')
        kept--;
    out[length >= 0 ? kept : 0] = '\0';
    if (!out[0])
        snprintf(out, size, "(the message is too long)");
}

void reglet__format_line(char *out, size_t size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    reglet__format_line_va(out, size, format, args);
    va_end(args);
}
