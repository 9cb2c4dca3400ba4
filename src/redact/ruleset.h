/*
 * ruleset.h - rules that are looked for together: one database of the matcher for all of them, and for each the pattern
 * that says exactly what it found.
 */
#ifndef REGLET_REDACT_RULESET_H
#define REGLET_REDACT_RULESET_H

#include <hs.h>
#include <pthread.h>

#include "redact/exception.h"

/* How many bytes a match of a rule has at most; unbounded is this. */
#define REGLET__RULE_UNBOUNDED UINT32_MAX

/* A database as `compile_rules` writes it at build time, with the width of each rule. */
struct reglet__rule_database {
    const char *bytes;
    size_t size;
    const uint32_t *widths;
};

struct reglet__ruleset_entry {
    const struct reglet__rule *rule;
    uint32_t width;
    struct reglet__lazy_pattern pattern;
    struct reglet__exceptions exceptions;
};

struct reglet__ruleset {
    struct reglet__ruleset_entry *entries;
    size_t count;
    const struct reglet__rule_database *built; /* NULL: compiled when the set is made */
    pthread_mutex_t lock;
    _Atomic(hs_database_t *) database;
};

/* Names a rule in a message: "rule `id`", or "pattern 2 `(?=x)`". */
typedef void (*reglet__ruleset_name_fn)(const struct reglet__rule *rule, size_t index, char *out,
                                        size_t size);

/*
 * Makes a set of rules, which have to outlive it. INVALID_ARGUMENT: a rule, by `name`, that a matcher does not take;
 * UNSUPPORTED: the processor; NO_MEMORY. With `built` nothing is checked and nothing compiled: those rules were.
 */
reglet_status reglet__ruleset_new(const struct reglet__rule *rules, size_t count,
                                  const struct reglet__rule_database *built, reglet__ruleset_name_fn name,
                                  struct reglet__ruleset **out, reglet_error **err);
void reglet__ruleset_free(struct reglet__ruleset *set);

/* The database, opened on first use. NO_MEMORY. */
reglet_status reglet__ruleset_database(struct reglet__ruleset *set, const hs_database_t **out);

/* The set of the built-in rules: made on first use, there once in a process, and never freed. UNSUPPORTED, NO_MEMORY. */
reglet_status reglet__ruleset_builtin(struct reglet__ruleset **out, reglet_error **err);

#endif
