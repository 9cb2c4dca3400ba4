#include <string.h>

#include "abi/json.h"
#include "util/limits.h"
#include "util/text.h"

/* Reads in place: strings are decoded over their own text, which never grows by it. */
struct reader {
    struct reglet__arena *arena;
    char *start;
    char *at;
    char *end; /* holds a NUL */
    unsigned depth;
    unsigned values;
    struct reglet__json_fault *fault;
};

/* Notes the first fault. Always false, so that a reading function ends with it. */
static bool wrong(struct reader *r, const char *what) {
    if (!r->fault->what) {
        r->fault->what = what;
        r->fault->at = (size_t)(r->at - r->start);
    }
    return false;
}

static void skip_space(struct reader *r) {
    while (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r')
        r->at++;
}

static bool skip(struct reader *r, char c) {
    if (*r->at != c)
        return false;
    r->at++;
    return true;
}

/* Strings */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Reads the four digits behind \u. The NUL at the end of the text is no digit, so this never passes it. */
static bool read_hex4(struct reader *r, unsigned *value) {
    *value = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        int digit = hex_digit(*r->at);
        if (digit < 0)
            return wrong(r, "expected four hexadecimal digits behind \\u");
        *value = *value << 4 | (unsigned)digit;
    }
    return true;
}

static char *put_utf8(char *out, unsigned c) {
    if (c < 0x80) {
        *out++ = (char)c;
        return out;
    }
    if (c < 0x800) {
        *out++ = (char)(0xC0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *out++ = (char)(0xE0 | c >> 12);
        } else {
            *out++ = (char)(0xF0 | c >> 18);
            *out++ = (char)(0x80 | (c >> 12 & 0x3F));
        }
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
    }
    *out++ = (char)(0x80 | (c & 0x3F));
    return out;
}

/* What stands behind "\u": one code point, by one escape or by a pair of surrogates. Half a pair becomes U+FFFD. */
static bool read_unicode_escape(struct reader *r, char **out) {
    unsigned c, low;
    if (!read_hex4(r, &c))
        return false;
    if (c >= 0xD800 && c <= 0xDBFF && r->at[0] == '\\' && r->at[1] == 'u') {
        char *before = r->at;
        r->at += 2;
        if (!read_hex4(r, &low))
            return false;
        if (low >= 0xDC00 && low <= 0xDFFF)
            c = 0x10000 + ((c - 0xD800) << 10 | (low - 0xDC00));
        else
            r->at = before;
    }
    *out = put_utf8(*out, c >= 0xD800 && c <= 0xDFFF ? 0xFFFD : c);
    return true;
}

static bool read_escape(struct reader *r, char **out) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (skip(r, 'u'))
        return read_unicode_escape(r, out);
    const char *found = *r->at ? strchr(letters, *r->at) : NULL;
    if (!found)
        return wrong(r, "expected an escape: one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u");
    *(*out)++ = meanings[found - letters];
    r->at++;
    return true;
}

/* Moves a run of characters that stand for themselves. */
static void read_plain(struct reader *r, char **out) {
    char *from = r->at;
    while ((unsigned char)*r->at >= 0x20 && *r->at != '"' && *r->at != '\\')
        r->at++;
    size_t size = (size_t)(r->at - from);
    if (*out != from)
        memmove(*out, from, size);
    *out += size;
}

static bool read_string(struct reader *r, const char **text, uint32_t *size, const char *expected) {
    if (!skip(r, '"'))
        return wrong(r, expected);
    char *start = r->at, *out = start;
    for (;;) {
        read_plain(r, &out);
        if (*r->at == '"')
            break;
        if (*r->at != '\\')
            return wrong(r, r->at == r->end ? "a string that does not end"
                                            : "a raw control character in a string");
        r->at++;
        if (!read_escape(r, &out))
            return false;
    }
    r->at++;
    *out = '\0'; /* at the latest over the closing quote */
    *text = start;
    *size = (uint32_t)(out - start);
    return true;
}

/* Numbers */

static size_t skip_digits(struct reader *r) {
    const char *start = r->at;
    while (*r->at >= '0' && *r->at <= '9')
        r->at++;
    return (size_t)(r->at - start);
}

/* Consumers hold integers in 64 bits: one that does not fit would silently become another number there. */
static bool integer_fits(const char *digits, size_t count, bool negative) {
    const char *most = negative ? "9223372036854775808" : "18446744073709551615";
    size_t most_count = strlen(most);
    return count < most_count || (count == most_count && memcmp(digits, most, count) <= 0);
}

static bool read_number(struct reader *r, struct reglet__json *value) {
    char *start = r->at;
    bool negative = skip(r, '-'), whole = true;
    const char *digits = r->at;
    size_t count = skip_digits(r);
    if (count == 0)
        return wrong(r, "expected a digit");
    if (count > 1 && digits[0] == '0')
        return wrong(r, "a number with a leading zero");
    if (skip(r, '.')) {
        whole = false;
        if (skip_digits(r) == 0)
            return wrong(r, "expected a digit behind the decimal point");
    }
    if (*r->at == 'e' || *r->at == 'E') {
        whole = false;
        r->at++;
        if (*r->at == '+' || *r->at == '-')
            r->at++;
        if (skip_digits(r) == 0)
            return wrong(r, "expected a digit in the exponent");
    }
    value->type = REGLET__JSON_NUMBER;
    value->text = start;
    value->size = (uint32_t)(r->at - start);
    if (whole && !integer_fits(digits, count, negative)) {
        r->at = start;
        return wrong(r, "an integer that does not fit into 64 bits");
    }
    return true;
}

/* Arrays and objects */

/* By key, and members with the same key in the order in which they were written. */
static int compare_members(const void *a, const void *b) {
    const struct reglet__json *left = *(struct reglet__json *const *)a,
                              *right = *(struct reglet__json *const *)b;
    if (left->key_size != right->key_size)
        return left->key_size < right->key_size ? -1 : 1;
    int order = memcmp(left->key, right->key, left->key_size);
    return order ? order : (left->at > right->at) - (left->at < right->at);
}

/* Of members with the same key the last one stays. Sorted, not hashed: a guest chooses the keys. */
static bool drop_duplicates(struct reader *r, struct reglet__json *object, size_t count) {
    if (count < 2)
        return true;
    struct reglet__json **sorted = reglet__arena_alloc(r->arena, count * sizeof(struct reglet__json *));
    if (!sorted)
        return false;
    size_t i = 0;
    for (struct reglet__json *member = object->first; member; member = member->next)
        sorted[i++] = member;
    qsort(sorted, count, sizeof(struct reglet__json *), compare_members);
    for (i = 0; i + 1 < count; i++)
        if (sorted[i]->key_size == sorted[i + 1]->key_size &&
            memcmp(sorted[i]->key, sorted[i + 1]->key, sorted[i]->key_size) == 0)
            sorted[i]->key = NULL; /* marks it */
    for (struct reglet__json **link = &object->first; *link;) {
        if ((*link)->key)
            link = &(*link)->next;
        else
            *link = (*link)->next;
    }
    return true;
}

static bool read_value(struct reader *r, struct reglet__json *value);

static struct reglet__json *new_value(struct reader *r) {
    if (++r->values > REGLET__JSON_VALUES) {
        wrong(r, "more values than the host takes");
        return NULL;
    }
    return reglet__arena_alloc(r->arena, sizeof(struct reglet__json));
}

static bool read_member(struct reader *r, struct reglet__json *member) {
    skip_space(r);
    if (!read_string(r, &member->key, &member->key_size, "expected a key in double quotes"))
        return false;
    skip_space(r);
    return skip(r, ':') ? read_value(r, member) : wrong(r, "expected ':'");
}

static bool read_container(struct reader *r, struct reglet__json *value, bool object) {
    const char *start = r->at++, close = object ? '}' : ']';
    struct reglet__json **link = &value->first;
    size_t count = 0;
    if (++r->depth > REGLET__JSON_DEPTH)
        return wrong(r, "nested deeper than the host takes");
    skip_space(r);
    if (*r->at != close) {
        do {
            struct reglet__json *item = new_value(r);
            if (!item || !(object ? read_member(r, item) : read_value(r, item)))
                return false;
            *link = item;
            link = &item->next;
            count++;
            skip_space(r);
        } while (skip(r, ','));
    }
    if (!skip(r, close))
        return wrong(r, object ? "expected ',' or '}'" : "expected ',' or ']'");
    r->depth--;
    value->type = object ? REGLET__JSON_OBJECT : REGLET__JSON_ARRAY;
    value->size = (uint32_t)(r->at - start);
    return !object || drop_duplicates(r, value, count);
}

static bool read_literal(struct reader *r, struct reglet__json *value, const char *word,
                         enum reglet__json_type type) {
    size_t length = strlen(word);
    if (strncmp(r->at, word, length) != 0) /* stops at the NUL that ends the text */
        return wrong(r, "expected a value");
    r->at += length;
    value->type = type;
    return true;
}

static bool read_value(struct reader *r, struct reglet__json *value) {
    skip_space(r);
    value->at = (uint32_t)(r->at - r->start);
    switch (*r->at) {
    case '{': return read_container(r, value, true);
    case '[': return read_container(r, value, false);
    case 't': return read_literal(r, value, "true", REGLET__JSON_TRUE);
    case 'f': return read_literal(r, value, "false", REGLET__JSON_FALSE);
    case 'n': return read_literal(r, value, "null", REGLET__JSON_NULL);
    case '"':
        value->type = REGLET__JSON_STRING;
        return read_string(r, &value->text, &value->size, "expected a value");
    default:
        if (*r->at == '-' || (*r->at >= '0' && *r->at <= '9'))
            return read_number(r, value);
        return wrong(r, "expected a value");
    }
}

/* Our own copy of the text, in valid UTF-8. */
static char *copy_text(struct reglet__arena *arena, const char *bytes, size_t *size) {
    if (reglet__utf8_valid(bytes, *size))
        return reglet__arena_copy(arena, bytes, *size);
    _cleanup_free_ char *repaired = malloc(reglet__utf8_repair_size(*size));
    if (!repaired)
        return NULL;
    *size = reglet__utf8_repair(bytes, *size, repaired);
    return reglet__arena_copy(arena, repaired, *size);
}

static reglet_status too_large(struct reglet__json_fault *fault, size_t size) {
    *fault =
        (struct reglet__json_fault){"larger than the host takes", (size_t)REGLET__MAX_RESULT_BYTES, size};
    return REGLET_ERR_BAD_OUTPUT;
}

reglet_status reglet__json_read(struct reglet__arena *arena, const char *bytes, size_t size,
                                struct reglet__json **out, struct reglet__json_fault *fault) {
    *fault = (struct reglet__json_fault){0};
    if (size > REGLET__MAX_RESULT_BYTES)
        return too_large(fault, size);
    char *text = copy_text(arena, bytes, &size);
    if (!text)
        return REGLET_ERR_NO_MEMORY;
    if (size > REGLET__MAX_RESULT_BYTES)
        return too_large(fault, size);
    fault->size = size;
    struct reader r = {.arena = arena, .start = text, .at = text, .end = text + size, .fault = fault};
    struct reglet__json *root = new_value(&r);
    bool good = root && read_value(&r, root);
    skip_space(&r);
    if (good && r.at != r.end)
        good = wrong(&r, "something behind the value");
    if (!good)
        return fault->what ? REGLET_ERR_BAD_OUTPUT : REGLET_ERR_NO_MEMORY;
    *out = root;
    return REGLET_OK;
}
