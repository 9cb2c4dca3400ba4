/*
 * redact.h - the redactor as the other rooms see it: what is secret in a text, and what stands in its place.
 *
 * Everything is built on two questions: which parts of a text are secret (reglet__redact_find), and what is written instead
 * (reglet__redact_replacement). Both are pure and may be asked from any thread.
 */
#ifndef REGLET_REDACT_REDACT_H
#define REGLET_REDACT_REDACT_H

#include <reglet/redactor.h>

#include "abi/json.h"
#include "util/interrupt.h"

/* Rules are numbered as reglet_redactor_rule_id() numbers them; behind them come these two. */
enum { REGLET__REDACT_RULE_PATH = -1, REGLET__REDACT_RULE_SECRET = -2 };

/* A part of a text that is secret. */
struct reglet__redact_span {
    size_t start, end; /* bytes */
    int32_t rule;      /* the first one that found it, or one of the above */
};

/* Parts in their order; none touches another. Zero is empty. */
struct reglet__redact_spans {
    struct reglet__redact_span *items;
    size_t count, room;
};

void reglet__redact_spans_clear(struct reglet__redact_spans *spans); /* frees */

/* The redactor with the built-in rules alone, made on first use and shared by the process. A new reference. */
reglet_status reglet__redactor_default(reglet_redactor **out, reglet_error **err);

/*
 * Finds what is secret, by rules, patterns and known values together, in time that is linear in `size`. `spans` is emptied
 * first and keeps its memory. NO_MEMORY: nothing may be shown of the text.
 */
reglet_status reglet__redact_find(reglet_redactor *redactor, const char *text, size_t size,
                                  struct reglet__redact_spans *spans);

/* The same; between two parts of the text it looks whether it should end: TIMEOUT, CANCELLED. `interrupt` may be NULL. */
reglet_status reglet__redact_find_within(reglet_redactor *redactor, const char *text, size_t size,
                                         struct reglet__redact_spans *spans,
                                         const struct reglet__interrupt *interrupt);

enum { REGLET__REDACT_REPLACEMENT_SIZE = 48 };

/* "[REDACTED]", or "[hmac:…]" of these bytes; its length. NUL-terminated. */
size_t reglet__redact_replacement(const reglet_redactor *redactor, const void *secret, size_t size,
                                  char out[REGLET__REDACT_REPLACEMENT_SIZE]);

/* Whether this processor can do it at all. UNSUPPORTED. */
reglet_status reglet__redact_supported(reglet_error **err);

/* The rule files that the redactor was made of: absolute, NULL-terminated; NULL: none. */
const char *const *reglet__redactor_files(const reglet_redactor *redactor);

/* Adds to the number of times that a rule replaced something; for metrics. */
void reglet__redact_count(reglet_redactor *redactor, int32_t rule, uint64_t times);
/* That number. `rule` as above. */
uint64_t reglet__redact_counted(const reglet_redactor *redactor, int32_t rule);

/* What was replaced in one answer or text, and what may end that early. */
struct reglet__redact_tally {
    uint64_t count;
    const struct reglet__interrupt *interrupt; /* looked at between parts; or NULL */
};

/*
 * A text with everything secret in it replaced. *out is NULL where there was nothing: then the text is as it should be;
 * else it is to be freed with free() and NUL-terminated. `tally` may be NULL. NO_MEMORY.
 */
reglet_status reglet__redact_text(reglet_redactor *redactor, const char *text, size_t size, char **out,
                                  size_t *out_size, struct reglet__redact_tally *tally);

/*
 * Replaces everything secret in a JSON value, in place: strings, numbers, keys, and, with `paths`, what stands under one of
 * the redactor's paths (which start at `value`). What is new lives in the arena. All texts are looked at together, each
 * after its key, as in `key="text"`, so that a rule which needs the name of what it looks at finds it. NO_MEMORY; TIMEOUT and CANCELLED where the tally has an
 * interrupt.
 */
reglet_status reglet__redact_json(reglet_redactor *redactor, struct reglet__arena *arena,
                                  struct reglet__json *value, bool paths, struct reglet__redact_tally *tally);

/* Whether one of the redactor's paths names a value of this name at the top: an attribute of a log message. */
bool reglet__redact_has_path(const reglet_redactor *redactor, const char *name);
bool reglet__redact_has_paths(const reglet_redactor *redactor); /* any */

#endif
