#include "abi/json_scan.h"

#include <string.h>

#include "util/limits.h"

enum next { A_VALUE, A_VALUE_OR_THE_END, A_KEY, A_KEY_OR_THE_END, A_COLON, A_COMMA_OR_THE_END };

struct scan {
    const char *start;
    const char *at;
    const char *end;
    struct reglet__json_fault *fault;
    size_t values; /* also those that are containers */
    size_t containers;
    unsigned depth;
    enum next next;
    bool in_object[REGLET__JSON_DEPTH + 1]; /* by depth; false is an array */
};

/* Notes the fault. Always false, so that a scanning function ends with it. */
static bool wrong(const struct scan *s, const char *what, const char *at) {
    *s->fault = (struct reglet__json_fault){what, (size_t)(at - s->start), (size_t)(s->end - s->start)};
    return false;
}

static bool unexpected(const struct scan *s, const char *at) {
    return wrong(s, at < s->end ? "unexpected character" : "unexpected end of data", at);
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

static bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void skip_space(struct scan *s) {
    while (s->at < s->end && is_space(*s->at))
        s->at++;
}

/* A value begins there. */
static bool begin_value(struct scan *s, const char *at) {
    if (s->next != A_VALUE && s->next != A_VALUE_OR_THE_END)
        return unexpected(s, at);
    s->next = A_COMMA_OR_THE_END;
    return ++s->values <= REGLET__JSON_VALUES || wrong(s, "more values than the host takes", at);
}

static bool scan_escape(struct scan *s) {
    size_t digits = 0;
    if (++s->at == s->end || !*s->at || !strchr("\"\\/bfnrtu", *s->at))
        return unexpected(s, s->at);
    while (*s->at == 'u' && digits < 4 && digits + 1 < (size_t)(s->end - s->at) && is_hex(s->at[digits + 1]))
        digits++;
    if (*s->at == 'u' && digits < 4)
        return unexpected(s, s->at + 1 + digits);
    s->at += digits;
    return true;
}

/* A key with a NUL could pass for another one, wherever it is read as a C string. */
static bool scan_string(struct scan *s) {
    const char *start = s->at++, *nul = NULL;
    bool is_key = s->next == A_KEY || s->next == A_KEY_OR_THE_END;
    for (; s->at < s->end && *s->at != '"'; s->at++) {
        if ((unsigned char)*s->at < 0x20)
            return wrong(s, "a raw control character in a string", s->at);
        if (s->end - s->at >= 6 && memcmp(s->at, "\\u0000", 6) == 0)
            nul = s->at;
        if (*s->at == '\\' && !scan_escape(s))
            return false;
    }
    if (s->at == s->end)
        return unexpected(s, s->at);
    s->at++;
    if (!is_key)
        return begin_value(s, start);
    s->next = A_COLON;
    return !nul || wrong(s, "a NUL character in a key", nul);
}

/* One that does not fit would silently become another one in most that read what is printed. */
static bool integer_fits(const char *digits, size_t count, bool negative) {
    const char *most = negative ? "9223372036854775808" : "18446744073709551615";
    size_t most_count = strlen(most);
    return count < most_count || (count == most_count && memcmp(digits, most, count) <= 0);
}

static size_t digits_from(const char *text, size_t size, size_t at) {
    size_t end = at;
    while (end < size && is_digit(text[end]))
        end++;
    return end;
}

const char *reglet__json_number_fault(const char *text, size_t size, size_t *at) {
    size_t first = *text == '-', end = digits_from(text, size, first), behind = end;
    *at = first;
    if (end == first)
        return "expected a digit";
    *at = 0;
    if (end - first > 1 && text[first] == '0')
        return "a number with a leading zero";
    if (end == size)
        return integer_fits(text + first, end - first, first) ? NULL
                                                              : "an integer that does not fit into 64 bits";
    if (text[end] == '.') {
        behind = digits_from(text, size, *at = end + 1);
        if (behind == *at)
            return "expected a digit behind the decimal point";
    }
    if (behind < size && (text[behind] == 'e' || text[behind] == 'E')) {
        *at = behind + 1;
        *at += *at < size && (text[*at] == '+' || text[*at] == '-');
        end = *at;
        behind = digits_from(text, size, end);
        if (behind == end)
            return "expected a digit";
    }
    *at = behind;
    return behind == size ? NULL : "expected a digit";
}

/* Whatever is no string and no punctuation. */
static bool scan_word(struct scan *s) {
    const char *start = s->at;
    size_t at = 0;
    while (s->at < s->end && !is_space(*s->at) && !is_mark(*s->at))
        s->at++;
    size_t size = (size_t)(s->at - start);
    bool known = reglet__json_text_is(start, size, "true") || reglet__json_text_is(start, size, "false") ||
                 reglet__json_text_is(start, size, "null");
    if (known || (*start != '-' && !is_digit(*start)))
        return known ? begin_value(s, start) : wrong(s, "expected a value", start);
    if (!begin_value(s, start))
        return false;
    const char *what = reglet__json_number_fault(start, size, &at);
    return !what || wrong(s, what, start + at);
}

static bool scan_open(struct scan *s) {
    bool is_object = *s->at == '{';
    if (!begin_value(s, s->at))
        return false;
    if (++s->depth > REGLET__JSON_DEPTH)
        return wrong(s, "nested deeper than the host takes", s->at);
    s->containers++;
    s->in_object[s->depth] = is_object;
    s->next = is_object ? A_KEY_OR_THE_END : A_VALUE_OR_THE_END;
    s->at++;
    return true;
}

static bool scan_close(struct scan *s) {
    bool is_object = *s->at == '}';
    enum next empty = is_object ? A_KEY_OR_THE_END : A_VALUE_OR_THE_END;
    if (s->depth == 0 || s->in_object[s->depth] != is_object ||
        (s->next != A_COMMA_OR_THE_END && s->next != empty))
        return unexpected(s, s->at);
    s->depth--;
    s->next = A_COMMA_OR_THE_END;
    s->at++;
    return true;
}

static bool scan_separator(struct scan *s) {
    bool is_comma = *s->at == ',';
    if (is_comma ? s->depth == 0 || s->next != A_COMMA_OR_THE_END : s->next != A_COLON)
        return unexpected(s, s->at);
    s->next = is_comma && s->in_object[s->depth] ? A_KEY : A_VALUE;
    s->at++;
    return true;
}

bool reglet__json_scan(const char *text, size_t size, struct reglet__json_fault *fault) {
    struct scan s = {.start = text, .at = text, .end = text + size, .fault = fault};
    for (skip_space(&s); s.at < s.end; skip_space(&s)) {
        bool good = true;
        switch (*s.at) {
        case '{':
        case '[': good = scan_open(&s); break;
        case '}':
        case ']': good = scan_close(&s); break;
        case ':':
        case ',': good = scan_separator(&s); break;
        case '"': good = scan_string(&s); break;
        default: good = scan_word(&s);
        }
        if (!good)
            return false;
    }
    if (s.depth > 0 || s.next != A_COMMA_OR_THE_END)
        return unexpected(&s, s.end);
    return s.containers <= REGLET__JSON_CONTAINERS ||
           wrong(&s, "more objects and values than the host takes", s.end);
}
