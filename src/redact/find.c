/* Which parts of a text are secret: by rules and by known values, in order, without what is no secret any more. */
#include <string.h>

#include "redact/redactor.h"
#include "redact/search.h"

/* Scans begin looking for an idle one at a place of their thread's own, so that they seldom meet. */
static size_t own_place(void) {
    static _Thread_local char here;
    return (size_t)((uintptr_t)&here >> 12) % REGLET__REDACT_IDLE_SCANS;
}

static struct reglet__scan *take_scan(reglet_redactor *redactor) {
    for (size_t i = 0, at = own_place(); i < REGLET__REDACT_IDLE_SCANS;
         i++, at = (at + 1) % REGLET__REDACT_IDLE_SCANS) {
        if (!atomic_load_explicit(&redactor->idle[at], memory_order_relaxed))
            continue;
        struct reglet__scan *scan = atomic_exchange_explicit(&redactor->idle[at], NULL, memory_order_acquire);
        if (scan)
            return scan;
    }
    return reglet__scan_new(&redactor->plan);
}

static void give_back(reglet_redactor *redactor, struct reglet__scan *scan) {
    for (size_t i = 0, at = own_place(); i < REGLET__REDACT_IDLE_SCANS;
         i++, at = (at + 1) % REGLET__REDACT_IDLE_SCANS) {
        struct reglet__scan *none = NULL;
        if (atomic_compare_exchange_strong_explicit(&redactor->idle[at], &none, scan, memory_order_release,
                                                    memory_order_relaxed))
            return;
    }
    reglet__scan_free(scan);
}

void reglet__redactor_forget(reglet_redactor *redactor) {
    for (size_t i = 0; i < REGLET__REDACT_IDLE_SCANS; i++) {
        struct reglet__scan *scan = atomic_exchange_explicit(&redactor->idle[i], NULL, memory_order_acquire);
        if (!scan)
            continue;
        reglet__scan_forget_harmless(scan);
        give_back(redactor, scan);
    }
}

static reglet_status find_by_rules(reglet_redactor *redactor, const char *text, size_t size,
                                   struct reglet__redact_spans *spans,
                                   const struct reglet__interrupt *interrupt) {
    if (redactor->plan.count == 0)
        return REGLET_OK;
    struct reglet__scan *scan = take_scan(redactor);
    if (!scan)
        return REGLET_ERR_NO_MEMORY;
    reglet_status status = REGLET_OK;
    if (!reglet__scan_knows_harmless(scan, text, size)) {
        status = reglet__scan_text(scan, text, size, spans, interrupt);
        if (status == REGLET_OK && spans->count == 0) /* nor is a known value in it */
            reglet__scan_remember_harmless(scan, text, size);
    }
    give_back(redactor, scan);
    return status;
}

static reglet_status find_values(reglet_redactor *redactor, const char *text, size_t size,
                                 struct reglet__redact_spans *spans) {
    struct reglet__values *values = reglet__redactor_values(redactor);
    reglet_status status = values ? reglet__values_find(values, text, size, spans) : REGLET_OK;
    reglet__values_unref(values);
    return status;
}

/* What stands for a secret is none. A known value that somebody dressed up as a hash is one nevertheless. */
static void drop_markers(const char *text, size_t size, struct reglet__redact_spans *spans) {
    size_t kept = 0;
    for (size_t i = 0; i < spans->count; i++) {
        const struct reglet__redact_span *span = &spans->items[i];
        bool hmac = false;
        bool marker = reglet__search_marker(text, size, span->start, span->end, &hmac);
        if (!marker || (hmac && span->rule == REGLET__REDACT_RULE_SECRET))
            spans->items[kept++] = *span;
    }
    spans->count = kept;
}

reglet_status reglet__redact_find(reglet_redactor *redactor, const char *text, size_t size,
                                  struct reglet__redact_spans *spans) {
    return reglet__redact_find_within(redactor, text, size, spans, NULL);
}

reglet_status reglet__redact_find_within(reglet_redactor *redactor, const char *text, size_t size,
                                         struct reglet__redact_spans *spans,
                                         const struct reglet__interrupt *interrupt) {
    spans->count = 0;
    if (size == 0)
        return REGLET_OK;
    reglet_status status = find_values(redactor, text, size, spans);
    if (status == REGLET_OK)
        status = find_by_rules(redactor, text, size, spans, interrupt);
    if (status != REGLET_OK) {
        spans->count = 0;
        return status;
    }
    if (spans->count > 0) {
        drop_markers(text, size, spans);
        reglet__redact_spans_settle(spans);
    }
    return REGLET_OK;
}
