#define _GNU_SOURCE
#include "redact/exception.h"

#include <stdlib.h>
#include <string.h>

#include "redact/search.h"
#include "util/limits.h"

static size_t regex_count(const struct reglet__rule_exception *exception) {
    size_t count = 0;
    while (exception->regexes && exception->regexes[count])
        count++;
    return count;
}

reglet_status reglet__exceptions_init(struct reglet__exceptions *exceptions,
                                      const struct reglet__rule_exception *items, size_t count) {
    size_t patterns = 0;
    *exceptions = (struct reglet__exceptions){0};
    for (size_t i = 0; i < count; i++)
        patterns += regex_count(&items[i]);
    struct reglet__lazy_pattern *made = patterns > 0 ? calloc(patterns, sizeof *made) : NULL;
    if (patterns > 0 && !made)
        return REGLET_ERR_NO_MEMORY;
    *exceptions = (struct reglet__exceptions){items, count, made};
    for (size_t i = 0; i < count; i++)
        for (size_t r = 0, end = regex_count(&items[i]); r < end; r++)
            made++->regex = items[i].regexes[r];
    return REGLET_OK;
}

static size_t pattern_count(const struct reglet__exceptions *exceptions) {
    size_t count = 0;
    for (size_t i = 0; i < exceptions->count; i++)
        count += regex_count(&exceptions->items[i]);
    return count;
}

void reglet__exceptions_clear(struct reglet__exceptions *exceptions) {
    for (size_t i = 0, end = pattern_count(exceptions); i < end; i++)
        reglet__lazy_pattern_clear(&exceptions->patterns[i]);
    free(exceptions->patterns);
    *exceptions = (struct reglet__exceptions){0};
}

enum reglet__pattern_result reglet__exceptions_check(const struct reglet__exceptions *exceptions,
                                                     const char **regex,
                                                     char reason[REGLET__PATTERN_REASON_SIZE]) {
    enum reglet__pattern_result result = REGLET__PATTERN_YES;
    for (size_t i = 0, end = pattern_count(exceptions); i < end && result == REGLET__PATTERN_YES; i++) {
        struct reglet__pattern *pattern = NULL;
        *regex = exceptions->patterns[i].regex;
        result = reglet__pattern_new(*regex, &pattern, reason);
        reglet__pattern_free(pattern);
    }
    return result;
}

struct part {
    size_t start, end;
};

/* The line that a match is on, as far as it is looked at: a text may be one line of any length. */
static struct part line_around(const char *text, size_t size, const struct reglet__pattern_match *match) {
    size_t floor = match->start > REGLET__REDACT_LINE_BYTES ? match->start - REGLET__REDACT_LINE_BYTES : 0;
    size_t ceiling =
        size - match->end > REGLET__REDACT_LINE_BYTES ? match->end + REGLET__REDACT_LINE_BYTES : size;
    const char *before = memrchr(text + floor, '\n', match->start - floor);
    const char *after = memchr(text + match->end, '\n', ceiling - match->end);
    return (struct part){before ? (size_t)(before + 1 - text) : floor,
                         after ? (size_t)(after - text) : ceiling};
}

static struct part target_of(const struct reglet__rule_exception *exception, const char *text, size_t size,
                             const struct reglet__pattern_match *match) {
    if (exception->target == REGLET__EXCEPT_LINE)
        return line_around(text, size, match);
    if (exception->target == REGLET__EXCEPT_MATCH)
        return (struct part){match->start, match->end};
    return (struct part){match->secret_start, match->secret_end};
}

static enum reglet__pattern_result regexes_allow(struct reglet__lazy_pattern *patterns, size_t count,
                                                 const char *text, struct part part) {
    struct reglet__pattern_match match;
    enum reglet__pattern_result result = REGLET__PATTERN_NO;
    for (size_t i = 0; i < count && result == REGLET__PATTERN_NO; i++) {
        const struct reglet__pattern *pattern = reglet__lazy_pattern_get(&patterns[i]);
        if (!pattern)
            return REGLET__PATTERN_NO_MEMORY;
        size_t size = part.end - part.start;
        result = reglet__pattern_find(pattern, text + part.start, size, 0, size, 0, &match);
    }
    return result;
}

static bool words_allow(const char *const *words, const char *secret, size_t size) {
    for (; *words; words++)
        if (reglet__search_word(secret, size, *words))
            return true;
    return false;
}

static enum reglet__pattern_result allows(const struct reglet__rule_exception *exception,
                                          struct reglet__lazy_pattern *patterns, const char *text,
                                          size_t size, const struct reglet__pattern_match *match) {
    size_t count = regex_count(exception);
    bool has_words = exception->words && exception->words[0];
    if (count == 0 && !has_words)
        return REGLET__PATTERN_NO;
    if (has_words) {
        bool words = words_allow(exception->words, text + match->secret_start,
                                 match->secret_end - match->secret_start);
        if (count == 0 || words != exception->all)
            return words ? REGLET__PATTERN_YES : REGLET__PATTERN_NO;
    }
    return regexes_allow(patterns, count, text, target_of(exception, text, size, match));
}

enum reglet__pattern_result reglet__exceptions_allow(const struct reglet__exceptions *exceptions,
                                                     const char *text, size_t size,
                                                     const struct reglet__pattern_match *match) {
    enum reglet__pattern_result result = REGLET__PATTERN_NO;
    struct reglet__lazy_pattern *patterns = exceptions->patterns;
    for (size_t i = 0; i < exceptions->count && result == REGLET__PATTERN_NO; i++) {
        result = allows(&exceptions->items[i], patterns, text, size, match);
        patterns += regex_count(&exceptions->items[i]);
    }
    return result;
}
