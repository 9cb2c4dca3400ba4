/*
 * redactor.h - a redactor as the files of this room see it.
 */
#ifndef REGLET_REDACT_REDACTOR_H
#define REGLET_REDACT_REDACTOR_H

#include <openssl/types.h>
#include <pthread.h>

#include "redact/paths.h"
#include "redact/scan.h"
#include "redact/values.h"
#include "util/limits.h"

/* HMAC-SHA256 with the operator's salt. */
struct reglet__redact_hash {
    void *salt; /* locked; NULL: secrets are replaced by "[REDACTED]" */
    size_t salt_size;
    OSSL_LIB_CTX *context; /* of our own: the default one reads what the environment names */
    EVP_MAC *mac;
};

/* Known values: a set that is replaced as a whole. The lock is held to take or to change the pointer, and no longer. */
struct reglet__redact_values {
    pthread_mutex_t lock;
    _Atomic(struct reglet__values *) current; /* NULL: none */
    pthread_mutex_t adding;                   /* held while a new set is made */
};

struct reglet_redactor {
    atomic_uint references;
    struct reglet__scan_plan plan;
    struct reglet__ruleset *own; /* of the rule file and the patterns */
    struct reglet__rule_file file;
    struct reglet__rule *own_rules; /* those of the file, then the patterns */
    char **texts;                   /* of the patterns: id and regex in turn */
    size_t pattern_count;
    int32_t *builtin_numbers;          /* of built-in rules, below 0: does not hold */
    const struct reglet__rule **rules; /* by number */
    size_t rule_count;
    _Atomic(uint64_t) *counts;          /* by number, then those of paths and of known values */
    struct reglet__redact_paths *paths; /* NULL: none */
    struct reglet__redact_values values;
    struct reglet__redact_hash hash;
    _Atomic(struct reglet__scan *) idle[REGLET__REDACT_IDLE_SCANS];
};

/* The known values of this moment, as a reference; NULL: none. */
struct reglet__values *reglet__redactor_values(reglet_redactor *redactor);

/* Forgets the texts in which nothing was found: what is a known value from now on may be in one. */
void reglet__redactor_forget(reglet_redactor *redactor);

#endif
