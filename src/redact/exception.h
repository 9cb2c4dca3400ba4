/*
 * exception.h - what looks like a secret and is none.
 */
#ifndef REGLET_REDACT_EXCEPTION_H
#define REGLET_REDACT_EXCEPTION_H

#include "redact/lazy_pattern.h"
#include "redact/rule.h"

/* The exceptions of one rule, or those that hold for every rule. */
struct reglet__exceptions {
    const struct reglet__rule_exception *items; /* borrowed */
    size_t count;
    struct reglet__lazy_pattern *patterns; /* of all of them, in their order */
};

/* NO_MEMORY. Zero is empty, and is what is left without memory. */
reglet_status reglet__exceptions_init(struct reglet__exceptions *exceptions,
                                      const struct reglet__rule_exception *items, size_t count);
void reglet__exceptions_clear(struct reglet__exceptions *exceptions);

/* Whether the regexes are some. NO: `regex` is the one that is none, and `reason` says why. */
enum reglet__pattern_result reglet__exceptions_check(const struct reglet__exceptions *exceptions,
                                                     const char **regex,
                                                     char reason[REGLET__PATTERN_REASON_SIZE]);

/* Whether one of them lets a match in a text through. */
enum reglet__pattern_result reglet__exceptions_allow(const struct reglet__exceptions *exceptions,
                                                     const char *text, size_t size,
                                                     const struct reglet__pattern_match *match);

#endif
