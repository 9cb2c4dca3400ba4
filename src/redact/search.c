#define _GNU_SOURCE
#include "redact/search.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "util/limits.h"

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static char upper(char c) {
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool same_word(const char *text, const char *word, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (lower(text[i]) != lower(word[i]))
            return false;
    return true;
}

bool reglet__search_word(const char *text, size_t size, const char *word) {
    size_t length = strlen(word);
    if (length == 0 || length > size)
        return length == 0;
    char low = lower(word[0]), high = upper(word[0]);
    for (size_t i = 0, last = size - length; i <= last; i++)
        if ((text[i] == low || text[i] == high) && same_word(text + i, word, length))
            return true;
    return false;
}

double reglet__search_entropy(const char *text, size_t size) {
    size_t counts[256] = {0};
    double bits = 0;
    for (size_t i = 0; i < size; i++)
        counts[(unsigned char)text[i]]++;
    for (size_t c = 0; c < 256; c++)
        if (counts[c] > 0)
            bits -= (double)counts[c] * log2((double)counts[c] / (double)size);
    return size > 0 ? bits / (double)size : 0;
}

static const char dashes[] = "-----";
enum { DASHES = sizeof dashes - 1 };

static bool starts_with(const char *text, size_t size, size_t at, const char *prefix) {
    size_t length = strlen(prefix);
    return size - at >= length && memcmp(text + at, prefix, length) == 0;
}

/* Behind "-----END …-----"; 0 when there is none. */
static size_t armor_end(const char *text, size_t size, size_t from) {
    size_t limit = size - from > REGLET__REDACT_REACH_BYTES ? from + REGLET__REDACT_REACH_BYTES : size;
    for (size_t at = from;;) {
        const char *found = memmem(text + at, limit - at, dashes, DASHES);
        if (!found)
            return 0;
        at = (size_t)(found - text) + DASHES;
        if (starts_with(text, size, at, "BEGIN"))
            return 0;
        if (!starts_with(text, size, at, "END"))
            continue;
        const char *closing = memmem(text + at, limit - at < 128 ? limit - at : 128, dashes, DASHES);
        return closing ? (size_t)(closing - text) + DASHES : at + strlen("END");
    }
}

/* The length of a line break, plain or escaped once or twice, at `at`; 0 when there is none. */
static size_t line_break(const char *text, size_t size, size_t at) {
    size_t i = at;
    while (i < size && i - at < 3 && text[i] == '\\')
        i++;
    if (i == at)
        return at < size && (text[at] == '\n' || text[at] == '\r') ? 1 : 0;
    return i < size && (text[i] == 'n' || text[i] == 'r' || text[i] == 't') ? i + 1 - at : 0;
}

static bool is_base64(char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || (c && strchr("+/=_-", c));
}

static size_t skip_breaks(const char *text, size_t size, size_t at) {
    for (size_t length; at < size; at += length) {
        length = line_break(text, size, at);
        if (length == 0 && (text[at] == ' ' || text[at] == '\t'))
            length = 1;
        if (length == 0)
            break;
    }
    return at;
}

/* Behind the header line of an armor at `at`, as in "Proc-Type: 4,ENCRYPTED"; `at` when there is none. */
static size_t header_end(const char *text, size_t size, size_t at) {
    size_t i = at;
    while (i < size && i - at < 32 && ((lower(text[i]) >= 'a' && lower(text[i]) <= 'z') || text[i] == '-'))
        i++;
    if (i == at || !starts_with(text, size, i, ": "))
        return at;
    while (i < size && i - at < REGLET__REDACT_HEADER_BYTES && line_break(text, size, i) == 0)
        i++;
    return i;
}

size_t reglet__search_key_end(const char *text, size_t size, size_t from) {
    size_t end = armor_end(text, size, from);
    if (end > 0)
        return end;
    size_t at = skip_breaks(text, size, from);
    end = from;
    for (size_t next; (next = header_end(text, size, at)) != at; at = skip_breaks(text, size, next))
        end = next;
    for (; at < size && is_base64(text[at]); at = skip_breaks(text, size, at)) {
        while (at < size && is_base64(text[at]))
            at++;
        end = at;
    }
    return end;
}

static bool is_hmac(const char *text, size_t size, size_t at) {
    static const char prefix[] = "[hmac:";
    enum { PREFIX = sizeof prefix - 1, DIGITS = 32 };
    if (size - at < PREFIX + DIGITS + 1 || memcmp(text + at, prefix, PREFIX) != 0 ||
        text[at + PREFIX + DIGITS] != ']')
        return false;
    for (size_t i = at + PREFIX; i < at + PREFIX + DIGITS; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    return true;
}

bool reglet__search_marker(const char *text, size_t size, size_t start, size_t end, bool *hmac) {
    static const char redacted[] = "[REDACTED]";
    enum { REDACTED = sizeof redacted - 1, HMAC = 39 };
    if (end - start > HMAC)
        return false;
    size_t lowest = end > HMAC ? end - HMAC : 0;
    const char *found = memrchr(text + lowest, '[', start + (start < size) - lowest);
    if (!found)
        return false;
    size_t at = (size_t)(found - text);
    *hmac = is_hmac(text, size, at);
    return *hmac || (starts_with(text, size, at, redacted) && end <= at + REDACTED);
}
