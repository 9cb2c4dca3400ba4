/*
 * scan.h - one pass over a text for all rules together.
 *
 * The matcher reports where matches of a rule end. From the ends and the rule's width follow the regions of the text in
 * which its matches lie; regions of one rule never overlap, so its pattern is tried on no byte much more than once.
 */
#ifndef REGLET_REDACT_SCAN_H
#define REGLET_REDACT_SCAN_H

#include "redact/ruleset.h"
#include "redact/spans.h"

/* Rules as one redactor sees them. */
struct reglet__scan_rules {
    struct reglet__ruleset *set;
    const int32_t *numbers; /* of each rule, below 0: it does not hold; NULL: `first` and up */
    int32_t first;
};

enum { REGLET__SCAN_SETS = 2 };

struct reglet__scan_plan {
    struct reglet__scan_rules rules[REGLET__SCAN_SETS];
    size_t count;
    struct reglet__exceptions exceptions; /* for every rule */
};

/* What one scan works in; one thread at a time. */
struct reglet__scan;

/* NULL without memory. The plan has to outlive it. */
struct reglet__scan *reglet__scan_new(const struct reglet__scan_plan *plan);
void reglet__scan_free(struct reglet__scan *scan);

/*
 * Texts in which nothing was found: what is said again a moment later (the same file is looked at, opened and read; nothing
 * changed since the last observation) need not be searched again. Short ones, and the last few.
 */
bool reglet__scan_knows_harmless(const struct reglet__scan *scan, const char *text, size_t size);
void reglet__scan_remember_harmless(struct reglet__scan *scan, const char *text, size_t size);
void reglet__scan_forget_harmless(struct reglet__scan *scan); /* wipes them */

/* Adds what the rules find; in no order. INVALID_ARGUMENT: a text of 4 GiB and more; NO_MEMORY. */
reglet_status reglet__scan_text(struct reglet__scan *scan, const char *text, size_t size,
                                struct reglet__redact_spans *spans,
                                const struct reglet__interrupt *interrupt);

#endif
