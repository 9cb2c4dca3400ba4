#include "json_members.h"

#include "util.h"

#include <string.h>

static void skip(struct json_text *rest, const char *characters) {
    while (rest->size > 0 && memchr(characters, *rest->text, strlen(characters))) {
        rest->text++;
        rest->size--;
    }
}

/* The length of the value that the text starts with: up to the comma or bracket that ends it. */
static size_t value_size(struct json_text json) {
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < json.size; i++) {
        char c = json.text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (depth == 0 && (c == ',' || c == ':' || c == '}' || c == ']')) {
            return i;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return json.size;
}

static struct json_text take_value(struct json_text *rest) {
    struct json_text value = {rest->text, value_size(*rest)};
    rest->text += value.size;
    rest->size -= value.size;
    while (value.size > 0 && memchr(" \t\r\n", value.text[value.size - 1], 4))
        value.size--;
    return value;
}

bool json_next_member(struct json_text *rest, struct json_text *name, struct json_text *value) {
    skip(rest, " \t\r\n");
    if (rest->size > 0 && *rest->text == '{')
        skip(rest, "{ \t\r\n");
    skip(rest, ", \t\r\n");
    if (rest->size == 0 || *rest->text != '"')
        return false;
    *name = take_value(rest);
    skip(rest, ": \t\r\n");
    *value = take_value(rest);
    return true;
}

static unsigned hex4(const char *digits) {
    char copy[5] = {0};
    memcpy(copy, digits, 4);
    return (unsigned)strtoul(copy, NULL, 16);
}

static char *put_utf8(char *out, unsigned c) {
    if (c < 0x80) {
        *out++ = (char)c;
        return out;
    }
    if (c >= 0x10000) {
        *out++ = (char)(0xF0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3F));
    } else if (c >= 0x800) {
        *out++ = (char)(0xE0 | c >> 12);
    }
    *out++ = c >= 0x800 ? (char)(0x80 | (c >> 6 & 0x3F)) : (char)(0xC0 | c >> 6);
    *out++ = (char)(0x80 | (c & 0x3F));
    return out;
}

/* Reads \uXXXX, or two of them that make one character, from after the backslash; returns how many bytes. */
static size_t read_u(const char *text, size_t size, unsigned *out) {
    *out = hex4(text + 1);
    bool high = *out >= 0xD800 && *out <= 0xDBFF;
    if (high && size >= 11 && text[5] == '\\' && text[6] == 'u') {
        unsigned low = hex4(text + 7);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            *out = 0x10000 + ((*out - 0xD800) << 10) + (low - 0xDC00);
            return 11;
        }
    }
    if (*out >= 0xD800 && *out <= 0xDFFF)
        *out = 0xFFFD; /* half of a pair is no character */
    return 5;
}

char *json_readable(struct json_text value, size_t *out_size) {
    if (value.size < 2 || *value.text != '"') {
        *out_size = value.size;
        return copy_text(value.text, value.size);
    }
    char *text = allocate(value.size + 1), *out = text;
    const char *end = value.text + value.size - 1;
    for (const char *p = value.text + 1; p < end; p++) {
        if (*p != '\\' || p + 1 == end) {
            *out++ = *p;
            continue;
        }
        static const char names[] = "bfnrt", meanings[] = "\b\f\n\r\t";
        const char *name = strchr(names, *++p);
        if (*p == 'u' && end - p >= 5) {
            unsigned c;
            p += read_u(p, (size_t)(end - p), &c) - 1;
            out = put_utf8(out, c);
        } else {
            *out++ = name ? meanings[name - names] : *p;
        }
    }
    *out_size = (size_t)(out - text);
    return text;
}
