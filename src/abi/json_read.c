#include <json-c/json.h>
#include <string.h>

#include "abi/json.h"
#include "util/limits.h"
#include "util/text.h"

/*
 * json-c knows the grammar. This pass in front of it knows only tokens: it refuses what json-c takes, also when it
 * is told to be strict, and counts what json-c will have to build.
 */
struct scan {
    const char *start;
    const char *at;
    const char *end;
    struct reglet__json_fault *fault;
    unsigned depth;
    unsigned deepest;
    size_t values; /* also those that are containers */
    size_t containers;
    size_t members;
    size_t longest; /* bytes of one string or number */
};

/* Notes the fault. Always false, so that a scanning function ends with it. */
static bool wrong(const struct scan *s, const char *what, const char *at) {
    *s->fault = (struct reglet__json_fault){what, (size_t)(at - s->start), (size_t)(s->end - s->start)};
    return false;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What ends a word besides space. */
static bool is_mark(char c) {
    return c == ',' || c == '}' || c == ']' || c == ':' || c == '{' || c == '[' || c == '"';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static void skip_space(struct scan *s) {
    while (s->at < s->end && is_space(*s->at))
        s->at++;
}

static void note_length(struct scan *s, const char *start) {
    size_t length = (size_t)(s->at - start);
    s->longest = length > s->longest ? length : s->longest;
}

static bool count_value(struct scan *s, const char *at) {
    return ++s->values <= REGLET__JSON_VALUES || wrong(s, "more values than the host takes", at);
}

/* json-c takes raw control characters in strings, and cuts keys at a NUL. */
static bool scan_string(struct scan *s) {
    const char *start = s->at++, *nul = NULL;
    for (; s->at < s->end && *s->at != '"'; s->at++) {
        if (*s->at == '\\') {
            if (s->end - s->at >= 6 && memcmp(s->at, "\\u0000", 6) == 0)
                nul = s->at;
            if (++s->at == s->end)
                return true; /* json-c will miss the end */
        }
        if ((unsigned char)*s->at < 0x20)
            return wrong(s, "a raw control character in a string", s->at);
    }
    if (s->at < s->end)
        s->at++;
    note_length(s, start);
    skip_space(s);
    if (s->at == s->end || *s->at != ':')
        return count_value(s, start);
    s->members++;
    return !nul || wrong(s, "a NUL character in a key", nul);
}

/* json-c holds integers in 64 bits: one that does not fit would silently become another one. */
static bool integer_fits(const char *digits, size_t count, bool negative) {
    const char *most = negative ? "9223372036854775808" : "18446744073709551615";
    size_t most_count = strlen(most);
    return count < most_count || (count == most_count && memcmp(digits, most, count) <= 0);
}

/* json-c takes 00, -01, 1. and -Infinity, and a NUL for the end of the text. */
static bool scan_number(const struct scan *s, const char *start) {
    bool negative = *start == '-';
    const char *digits = start + negative, *rest = digits;
    while (rest < s->at && is_digit(*rest))
        rest++;
    size_t count = (size_t)(rest - digits);
    if (count == 0)
        return wrong(s, "expected a digit", digits);
    if (count > 1 && *digits == '0')
        return wrong(s, "a number with a leading zero", start);
    if (rest == s->at)
        return integer_fits(digits, count, negative) ||
               wrong(s, "an integer that does not fit into 64 bits", start);
    if (*rest == '.' && (rest + 1 == s->at || !is_digit(rest[1])))
        return wrong(s, "expected a digit behind the decimal point", rest + 1);
    for (; rest < s->at; rest++)
        if (!is_digit(*rest) && (!*rest || !strchr("+-.eE", *rest)))
            return wrong(s, "expected a digit", rest);
    return true;
}

/* Whatever is no string and no punctuation. json-c takes NaN, Infinity, and keys in single quotes. */
static bool scan_word(struct scan *s) {
    const char *start = s->at;
    while (s->at < s->end && !is_space(*s->at) && !is_mark(*s->at))
        s->at++;
    size_t size = (size_t)(s->at - start);
    note_length(s, start);
    if (!count_value(s, start))
        return false;
    if (*start == '-' || is_digit(*start))
        return scan_number(s, start);
    return reglet__json_text_is(start, size, "true") || reglet__json_text_is(start, size, "false") ||
           reglet__json_text_is(start, size, "null") || wrong(s, "expected a value", start);
}

static bool scan_open(struct scan *s) {
    if (++s->depth > REGLET__JSON_DEPTH)
        return wrong(s, "nested deeper than the host takes", s->at);
    s->deepest = s->depth > s->deepest ? s->depth : s->deepest;
    s->containers++;
    return count_value(s, s->at++);
}

static bool scan(struct scan *s) {
    for (skip_space(s); s->at < s->end; skip_space(s)) {
        bool good = true;
        switch (*s->at) {
        case '{':
        case '[': good = scan_open(s); break;
        case '}':
        case ']': s->depth -= s->depth > 0; /* fallthrough */
        case ':':
        case ',': s->at++; break;
        case '"': good = scan_string(s); break;
        default: good = scan_word(s);
        }
        if (!good)
            return false;
    }
    return true;
}

/* What json-c 0.16 allocates at most for all that was counted, with malloc's own share, rounded up. */
static size_t memory_for(const struct scan *s) {
    enum {
        PARSER = 16 << 10, /* with its stack of levels, and a locale */
        VALUE = 136,       /* one that holds its text, and its place in an array that is just growing */
        MEMBER = 224,      /* its key, and its place in a hash table that is just growing */
        CONTAINER = 864    /* an object without members has a table of 16 */
    };
    size_t text = (size_t)(s->end - s->start) + 3 * s->longest; /* a token is gathered in a growing buffer */
    return PARSER + VALUE * s->values + MEMBER * s->members + CONTAINER * s->containers + text;
}

/*
 * json-c answers a failed allocation with a crash or with another document. So what it will need is asked for in one
 * piece before it starts. Volatile, because compilers leave out a block that nobody uses.
 */
static bool memory_is_there(size_t size) {
    void *volatile block = malloc(size);
    bool there = block != NULL;
    free(block);
    return there;
}

/* From json-c's tree into ours */

static bool copy_value(struct reglet__arena *arena, struct json_object *from, struct reglet__json *to);

static bool copy_text(struct reglet__arena *arena, const char *text, size_t size, struct reglet__json *to) {
    to->text = reglet__arena_copy(arena, text, size);
    to->size = (uint32_t)size;
    return to->text;
}

static bool copy_integer(struct reglet__arena *arena, struct json_object *from, struct reglet__json *to) {
    char digits[REGLET__DECIMAL_SIZE];
    int64_t number = json_object_get_int64(from);
    size_t length = number < 0 ? reglet__decimal(number, digits)
                               : reglet__decimal_unsigned(json_object_get_uint64(from), digits);
    return copy_text(arena, digits, length, to);
}

static bool copy_array(struct reglet__arena *arena, struct json_object *from, struct reglet__json *to) {
    struct reglet__json **link = &to->first;
    for (size_t i = 0, count = json_object_array_length(from); i < count; i++, link = &(*link)->next) {
        *link = reglet__arena_alloc(arena, sizeof **link);
        if (!*link || !copy_value(arena, json_object_array_get_idx(from, i), *link))
            return false;
    }
    return true;
}

static bool copy_object(struct reglet__arena *arena, struct json_object *from, struct reglet__json *to) {
    struct reglet__json **link = &to->first;
    json_object_object_foreach(from, key, value) {
        struct reglet__json *member = *link = reglet__arena_alloc(arena, sizeof *member);
        if (!member)
            return false;
        member->key_size = (uint32_t)strlen(key);
        member->key = reglet__arena_copy(arena, key, member->key_size);
        if (!member->key || !copy_value(arena, value, member))
            return false;
        link = &member->next;
    }
    return true;
}

static bool copy_value(struct reglet__arena *arena, struct json_object *from, struct reglet__json *to) {
    switch (json_object_get_type(from)) {
    case json_type_null: to->type = REGLET__JSON_NULL; return true;
    case json_type_boolean:
        to->type = json_object_get_boolean(from) ? REGLET__JSON_TRUE : REGLET__JSON_FALSE;
        return true;
    case json_type_int: to->type = REGLET__JSON_NUMBER; return copy_integer(arena, from, to);
    case json_type_double: { /* the parser keeps its text where the serializer looks for it */
        const char *text = json_object_get_userdata(from);
        to->type = REGLET__JSON_NUMBER;
        return text && copy_text(arena, text, strlen(text), to);
    }
    case json_type_string:
        to->type = REGLET__JSON_STRING;
        return copy_text(arena, json_object_get_string(from), (size_t)json_object_get_string_len(from), to);
    case json_type_array: to->type = REGLET__JSON_ARRAY; return copy_array(arena, from, to);
    case json_type_object: to->type = REGLET__JSON_OBJECT; return copy_object(arena, from, to);
    }
    return false;
}

/* Reading */

REGLET_DEFINE_CLEANUP(struct json_object *, json_object_put);
REGLET_DEFINE_CLEANUP(struct json_tokener *, json_tokener_free);

static reglet_status parse(struct reglet__arena *arena, const struct scan *s, struct reglet__json *out) {
    _cleanup_(json_tokener_free_p)
    struct json_tokener *parser = json_tokener_new_ex((int)s->deepest + 1);
    if (!parser)
        return REGLET_ERR_NO_MEMORY;
    json_tokener_set_flags(parser, JSON_TOKENER_STRICT);
    size_t size = (size_t)(s->end - s->start), at = size;
    _cleanup_(json_object_put_p)
    struct json_object *root = json_tokener_parse_ex(parser, s->start, (int)size);
    if (json_tokener_get_error(parser) == json_tokener_continue)
        root = json_tokener_parse_ex(parser, "", 1); /* the NUL says that nothing more follows */
    else
        at = json_tokener_get_parse_end(parser);
    if (json_tokener_get_error(parser) != json_tokener_success) {
        wrong(s, json_tokener_error_desc(json_tokener_get_error(parser)), s->start + at);
        return REGLET_ERR_BAD_OUTPUT;
    }
    return copy_value(arena, root, out) ? REGLET_OK : REGLET_ERR_NO_MEMORY;
}

static reglet_status read_utf8(struct reglet__arena *arena, const char *text, size_t size,
                               struct reglet__json **out, struct reglet__json_fault *fault) {
    struct scan s = {.start = text, .at = text, .end = text + size, .fault = fault};
    if (size > REGLET__MAX_RESULT_BYTES) {
        wrong(&s, "larger than the host takes", text + REGLET__MAX_RESULT_BYTES);
        return REGLET_ERR_BAD_OUTPUT;
    }
    if (!scan(&s))
        return REGLET_ERR_BAD_OUTPUT;
    size_t needed = memory_for(&s);
    if (needed > REGLET__JSON_WORK_BYTES) {
        wrong(&s, "more objects and values than the host takes", s.end);
        return REGLET_ERR_BAD_OUTPUT;
    }
    struct reglet__json *root = reglet__arena_alloc(arena, sizeof *root);
    if (!root || !memory_is_there(needed))
        return REGLET_ERR_NO_MEMORY;
    reglet_status status = parse(arena, &s, root);
    if (status == REGLET_OK)
        *out = root;
    return status;
}

reglet_status reglet__json_read(struct reglet__arena *arena, const char *bytes, size_t size,
                                struct reglet__json **out, struct reglet__json_fault *fault) {
    *fault = (struct reglet__json_fault){0};
    if (size > REGLET__MAX_RESULT_BYTES || reglet__utf8_valid(bytes, size))
        return read_utf8(arena, bytes, size, out, fault);
    _cleanup_free_ char *repaired = malloc(reglet__utf8_repair_size(size));
    if (!repaired)
        return REGLET_ERR_NO_MEMORY;
    size = reglet__utf8_repair(bytes, size, repaired);
    return read_utf8(arena, repaired, size, out, fault);
}
