/*
 * json_parts.h - parts of a JSON value's texts that are secret, and replacing them.
 */
#ifndef REGLET_REDACT_JSON_PARTS_H
#define REGLET_REDACT_JSON_PARTS_H

#include "redact/redact.h"

enum reglet__redact_part { REGLET__PART_KEY, REGLET__PART_TEXT };

struct reglet__redact_hit {
    struct reglet__json *value;
    enum reglet__redact_part part; /* which text of the value */
    size_t start, end;
    int32_t rule;
};

struct reglet__redact_hits {
    struct reglet__redact_hit *items;
    size_t count, room;
    bool failed; /* there was no memory for one */
};

void reglet__redact_hit(struct reglet__redact_hits *hits, struct reglet__json *value,
                        enum reglet__redact_part part, size_t start, size_t end, int32_t rule);

/*
 * Replaces them all in `root`; a number becomes a string. Keys of one object that become equal, to each other or to one that
 * is there, get numbers: "[REDACTED]", "[REDACTED] 2". NO_MEMORY; TIMEOUT and CANCELLED by the interrupt, which may be NULL.
 */
reglet_status reglet__redact_hits_replace(reglet_redactor *redactor, struct reglet__arena *arena,
                                          struct reglet__json *root, struct reglet__redact_hits *hits,
                                          const struct reglet__interrupt *interrupt, uint64_t *replaced);

#endif
