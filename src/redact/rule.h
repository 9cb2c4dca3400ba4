/*
 * rule.h - a rule: what a secret of one sort looks like. Built in, from a rule file, or a pattern of the operator's.
 */
#ifndef REGLET_REDACT_RULE_H
#define REGLET_REDACT_RULE_H

#include <reglet/error.h>

/* What looks like a secret and is none. It holds when a regex or a word says so; with `all`, when both sorts that there are do. */
struct reglet__rule_exception {
    const char *const *regexes; /* NULL-terminated; or NULL */
    const char *const *words; /* NULL-terminated: what the secret contains, without regard to case; or NULL */
    enum { REGLET__EXCEPT_SECRET, REGLET__EXCEPT_MATCH, REGLET__EXCEPT_LINE } target; /* of the regexes */
    bool all;
};

struct reglet__rule {
    const char *id;
    const char *regex; /* RE2's syntax, as far as Vectorscan takes it too; byte by byte */
    const char *const
        *keywords;  /* NULL-terminated: one of them has to be in the text, without regard to case; or NULL */
    unsigned group; /* the group that is the secret; 0: the first one that took part, else the match */
    double entropy; /* bits per byte that the secret has at least; 0: any */
    bool runs_on;   /* what follows belongs to it as far as it is Base64, armor and white space: keys */
    const struct reglet__rule_exception *exceptions;
    size_t exception_count;
};

/* The rules for well-known credentials. */
extern const struct reglet__rule reglet__builtin_rules[];
extern const size_t reglet__builtin_rule_count;

/* The rules of a file. Everything in it lives as long as it does. */
struct reglet__rule_file {
    const struct reglet__rule *rules;
    size_t count;
    const struct reglet__rule_exception *exceptions; /* for every rule, also built-in ones */
    size_t exception_count;
    const char *const *files;    /* NULL-terminated: what was read, absolute; or NULL */
    const char *const *disabled; /* NULL-terminated identifiers of built-in rules that do not hold; or NULL */
    void *memory;
};

/*
 * Reads a rule file in gitleaks' TOML format. What says where a text comes from (paths, commits) has no meaning here: rules
 * that have nothing else are left out. INVALID_ARGUMENT: the file, line and what is wrong there, or the rule that has no
 * sense; IO, also where others may write a file: they would decide what is secret; NO_MEMORY. Afterwards: reglet__rule_file_clear().
 */
reglet_status reglet__rule_file_read(const char *path, struct reglet__rule_file *out, reglet_error **err);
/* The same from memory; `name` is for messages, and where further files are looked for. */
reglet_status reglet__rule_file_parse(const char *name, const char *text, size_t size,
                                      struct reglet__rule_file *out, reglet_error **err);
void reglet__rule_file_clear(struct reglet__rule_file *file);

#endif
