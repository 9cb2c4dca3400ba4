/*
 * spans.h - collecting parts of a text in any order, and putting them in order.
 */
#ifndef REGLET_REDACT_SPANS_H
#define REGLET_REDACT_SPANS_H

#include "redact/redact.h"
#include "util/cleanup.h"

static inline void reglet__redact_spans_clear_p(struct reglet__redact_spans *spans) {
    reglet__redact_spans_clear(spans);
}
#define _cleanup_spans_ _cleanup_(reglet__redact_spans_clear_p)

/* NO_MEMORY. A part that touches the one added last, of the same rule and behind it, becomes one with it. */
reglet_status reglet__redact_spans_add(struct reglet__redact_spans *spans, size_t start, size_t end,
                                       int32_t rule);

/* Sorts them, and makes one of those that overlap or touch: it is of the rule that begins first, or reaches furthest. */
void reglet__redact_spans_settle(struct reglet__redact_spans *spans);

#endif
