#include "abi/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

/* Reading what was read */

struct reglet__json *reglet__json_first(const struct reglet__json *parent) {
    bool holds = parent && (parent->type == REGLET__JSON_ARRAY || parent->type == REGLET__JSON_OBJECT);
    return holds ? parent->first : NULL;
}

bool reglet__json_text_is(const char *text, size_t size, const char *string) {
    return size == strlen(string) && memcmp(text, string, size) == 0;
}

struct reglet__json *reglet__json_get(const struct reglet__json *object, const char *key) {
    for (struct reglet__json *member = reglet__json_first(object); member; member = member->next)
        if (member->key && reglet__json_text_is(member->key, member->key_size, key))
            return member;
    return NULL;
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

const struct reglet__json *reglet__json_get_any_case(const struct reglet__json *object, const char *key) {
    const struct reglet__json *found = NULL;
    size_t size = strlen(key);
    REGLET__JSON_EACH (member, object) {
        size_t same = 0;
        while (member->key && member->key_size == size && same < size &&
               lower(member->key[same]) == lower(key[same]))
            same++;
        if (member->key && member->key_size == size && same == size)
            found = member;
    }
    return found;
}

bool reglet__json_int(const struct reglet__json *value, int64_t low, int64_t high, int64_t *out) {
    static const double exact = 9007199254740992.0; /* 2^53: beyond it a double skips integers */
    if (!value || value->type != REGLET__JSON_NUMBER)
        return false;
    int64_t number = 0;
    if (strspn(value->text, "-0123456789") == value->size) {
        errno = 0;
        number = strtoll(value->text, NULL, 10);
        if (errno != 0)
            return false;
    } else {
        double inexact = strtod(value->text, NULL);
        if (!(inexact >= -exact && inexact <= exact) || (double)(int64_t)inexact != inexact)
            return false;
        number = (int64_t)inexact;
    }
    if (number < low || number > high)
        return false;
    *out = number;
    return true;
}

const char *reglet__json_type_name(enum reglet__json_type type) {
    switch (type) {
    case REGLET__JSON_NULL: return "null";
    case REGLET__JSON_FALSE:
    case REGLET__JSON_TRUE: return "a boolean";
    case REGLET__JSON_NUMBER: return "a number";
    case REGLET__JSON_STRING: return "a string";
    case REGLET__JSON_ARRAY: return "an array";
    case REGLET__JSON_OBJECT: return "an object";
    case REGLET__JSON_PRINTED: break;
    }
    return "something else";
}

/* Building */

struct reglet__json *reglet__json_new_object(struct reglet__arena *arena) {
    struct reglet__json *object = reglet__arena_alloc(arena, sizeof *object);
    if (object)
        object->type = REGLET__JSON_OBJECT;
    return object;
}

struct reglet__json *reglet__json_add(struct reglet__arena *arena, struct reglet__json *object,
                                      const char *key, size_t key_size, const struct reglet__json *value) {
    struct reglet__json *member = reglet__arena_alloc(arena, sizeof *member);
    if (!member)
        return NULL;
    *member = *value;
    member->key = key;
    member->key_size = (uint32_t)key_size;
    member->next = NULL;
    struct reglet__json **link = &object->first;
    while (*link)
        link = &(*link)->next;
    return *link = member;
}

struct reglet__json *reglet__json_add_text(struct reglet__arena *arena, struct reglet__json *object,
                                           const char *key, const char *text) {
    struct reglet__json value = {.text = text, .size = (uint32_t)strlen(text), .type = REGLET__JSON_STRING};
    return reglet__json_add(arena, object, key, strlen(key), &value);
}

struct reglet__json *reglet__json_add_number(struct reglet__arena *arena, struct reglet__json *object,
                                             const char *key, uint64_t number) {
    char digits[REGLET__DECIMAL_SIZE];
    struct reglet__json value = {.size = (uint32_t)reglet__decimal_unsigned(number, digits),
                                 .type = REGLET__JSON_NUMBER};
    value.text = reglet__arena_copy(arena, digits, value.size);
    return value.text ? reglet__json_add(arena, object, key, strlen(key), &value) : NULL;
}

struct reglet__json *reglet__json_add_literal(struct reglet__arena *arena, struct reglet__json *object,
                                              const char *key, enum reglet__json_type literal) {
    struct reglet__json value = {.type = literal};
    return reglet__json_add(arena, object, key, strlen(key), &value);
}

/* Writing: the same walk counts (out is NULL) and then writes into memory of exactly that size. */

struct sink {
    char *out;
    size_t size;
};

static void put(struct sink *sink, const char *data, size_t size) {
    if (sink->out && size)
        memcpy(sink->out + sink->size, data, size);
    sink->size += size;
}

enum { ESCAPE_MAX = 8 };

static size_t escape_code_point(unsigned c, char out[ESCAPE_MAX]) {
    static const char letters[] = "\"\\bfnrt", meanings[] = "\"\\\b\f\n\r\t", hex[] = "0123456789abcdef";
    const char *found = c && c < 0x80 ? strchr(meanings, (int)c) : NULL;
    out[0] = '\\';
    if (found) {
        out[1] = letters[found - meanings];
        return 2;
    }
    out[1] = 'u';
    for (int i = 0; i < 4; i++)
        out[2 + i] = hex[c >> (12 - 4 * i) & 0xF];
    return 6;
}

/* Whether a byte is a character that stands for itself. */
static bool is_plain(char c) {
    return (unsigned char)(c - 0x20) < 0x5F && c != '"' && c != '\\';
}

/* The next character of valid UTF-8: its length, and how it is written when it cannot stand for itself. */
static size_t next_character(const char *text, size_t size, char out[ESCAPE_MAX], size_t *escaped) {
    unsigned c = 0;
    *escaped = 0;
    if (is_plain(*text))
        return 1;
    size_t length = reglet__utf8_decode(text, size, &c);
    if (length == 0) { /* nothing that was read has such bytes */
        *escaped = escape_code_point(0xFFFD, out);
        return 1;
    }
    if (c < 0x20 || c == '"' || c == '\\' || reglet__steers_a_terminal(c))
        *escaped = escape_code_point(c, out);
    return length;
}

static void put_string(struct sink *sink, const char *text, size_t size) {
    char escape[ESCAPE_MAX];
    size_t start = 0, escaped;
    put(sink, "\"", 1);
    for (size_t i = 0; i < size;) {
        if (is_plain(text[i])) { /* nearly always */
            i++;
            continue;
        }
        size_t length = next_character(text + i, size - i, escape, &escaped);
        if (escaped) {
            put(sink, text + start, i - start);
            put(sink, escape, escaped);
            start = i + length;
        }
        i += length;
    }
    put(sink, text + start, size - start);
    put(sink, "\"", 1);
}

static void put_value(struct sink *sink, const struct reglet__json *value) {
    bool object = value->type == REGLET__JSON_OBJECT;
    switch (value->type) {
    case REGLET__JSON_NULL: put(sink, "null", 4); return;
    case REGLET__JSON_FALSE: put(sink, "false", 5); return;
    case REGLET__JSON_TRUE: put(sink, "true", 4); return;
    case REGLET__JSON_NUMBER:
    case REGLET__JSON_PRINTED: put(sink, value->text, value->size); return;
    case REGLET__JSON_STRING: put_string(sink, value->text, value->size); return;
    case REGLET__JSON_ARRAY:
    case REGLET__JSON_OBJECT: break;
    }
    put(sink, object ? "{" : "[", 1);
    REGLET__JSON_EACH (item, value) {
        if (item != value->first)
            put(sink, ",", 1);
        if (object) {
            put_string(sink, item->key, item->key_size);
            put(sink, ":", 1);
        }
        put_value(sink, item);
    }
    put(sink, object ? "}" : "]", 1);
}

size_t reglet__json_printed_size(const struct reglet__json *value) {
    struct sink counter = {0};
    put_value(&counter, value);
    return counter.size;
}

char *reglet__json_print(struct reglet__arena *arena, const struct reglet__json *value, size_t *size) {
    size_t needed = reglet__json_printed_size(value);
    struct sink sink = {.out = reglet__arena_alloc(arena, needed + 1)};
    if (!sink.out)
        return NULL;
    put_value(&sink, value);
    if (size)
        *size = sink.size;
    return sink.out;
}

size_t reglet__json_prefix(const char *text, size_t size, size_t room) {
    char escape[ESCAPE_MAX];
    size_t i = 0, used = 0, escaped;
    while (i < size) {
        size_t length = next_character(text + i, size - i, escape, &escaped);
        used += escaped ? escaped : length;
        if (used > room)
            break;
        i += length;
    }
    return i;
}
