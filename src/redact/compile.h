/*
 * compile.h - rules to a database of the matcher: at run time, and at build time by compile_rules.
 */
#ifndef REGLET_REDACT_COMPILE_H
#define REGLET_REDACT_COMPILE_H

#include <hs.h>

#include "redact/rule.h"

struct reglet__compile_fault {
    int rule; /* the index; below 0: all of them together */
    char message[256];
};

/* How long matches are: UINT32_MAX is without an end. INVALID_ARGUMENT with `fault`; NO_MEMORY. */
reglet_status reglet__compile_measure(const char *regex, uint32_t *shortest, uint32_t *longest,
                                      struct reglet__compile_fault *fault);

/* For this processor, or for `platform`. *out is NULL where there are no rules. INVALID_ARGUMENT with `fault`; NO_MEMORY. */
reglet_status reglet__compile_rules(const struct reglet__rule *rules, size_t count,
                                    const hs_platform_info_t *platform, hs_database_t **out,
                                    struct reglet__compile_fault *fault);

#endif
