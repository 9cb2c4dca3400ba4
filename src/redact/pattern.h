/*
 * pattern.h - one regular expression, matched in linear time. RE2 behind a C interface; no exception leaves it.
 */
#ifndef REGLET_REDACT_PATTERN_H
#define REGLET_REDACT_PATTERN_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct reglet__pattern;

enum reglet__pattern_result {
    REGLET__PATTERN_NO_MEMORY = -1,
    REGLET__PATTERN_NO = 0, /* does not match; is none */
    REGLET__PATTERN_YES = 1
};

/* Makes a pattern that goes byte by byte. NO: `reason` says in one line why not. */
enum { REGLET__PATTERN_REASON_SIZE = 256 };
enum reglet__pattern_result reglet__pattern_new(const char *regex, struct reglet__pattern **out,
                                                char reason[REGLET__PATTERN_REASON_SIZE]);
void reglet__pattern_free(struct reglet__pattern *pattern);

struct reglet__pattern_match {
    size_t start, end;
    size_t secret_start, secret_end; /* the group that was asked for; the match when that took no part */
};

/*
 * The leftmost match within [from, to); what lies around is seen by \b, ^ and $. `group` as in struct reglet__rule: 0 is the
 * first one that took part and is not empty.
 */
enum reglet__pattern_result reglet__pattern_find(const struct reglet__pattern *pattern, const char *text,
                                                 size_t size, size_t from, size_t to, unsigned group,
                                                 struct reglet__pattern_match *out);

/* How many groups it has. */
unsigned reglet__pattern_groups(const struct reglet__pattern *pattern);

#ifdef __cplusplus
}
#endif

#endif
