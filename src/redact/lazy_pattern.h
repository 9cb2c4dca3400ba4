/*
 * lazy_pattern.h - a pattern that is made when it is first needed, by whichever thread that is. Most rules never are.
 */
#ifndef REGLET_REDACT_LAZY_PATTERN_H
#define REGLET_REDACT_LAZY_PATTERN_H

#include <stdatomic.h>

#include "redact/pattern.h"

struct reglet__lazy_pattern {
    const char *regex; /* known to be one */
    _Atomic(struct reglet__pattern *) made;
};

/* NULL without memory. */
static inline const struct reglet__pattern *reglet__lazy_pattern_get(struct reglet__lazy_pattern *lazy) {
    struct reglet__pattern *pattern = atomic_load_explicit(&lazy->made, memory_order_acquire);
    if (pattern)
        return pattern;
    char reason[REGLET__PATTERN_REASON_SIZE];
    if (reglet__pattern_new(lazy->regex, &pattern, reason) != REGLET__PATTERN_YES)
        return NULL;
    struct reglet__pattern *other = NULL;
    if (atomic_compare_exchange_strong_explicit(&lazy->made, &other, pattern, memory_order_acq_rel,
                                                memory_order_acquire))
        return pattern;
    reglet__pattern_free(pattern);
    return other;
}

static inline void reglet__lazy_pattern_clear(struct reglet__lazy_pattern *lazy) {
    reglet__pattern_free(atomic_load_explicit(&lazy->made, memory_order_relaxed));
}

#endif
