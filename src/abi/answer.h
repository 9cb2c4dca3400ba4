/*
 * answer.h - reading a guest's answer: JSON of the right shape, or one line that says which key is wrong.
 */
#ifndef REGLET_ABI_ANSWER_H
#define REGLET_ABI_ANSWER_H

#include <reglet/error.h>

#include "abi/json.h"

/* What the reading functions share. */
struct reglet__answer {
    const char *subject;        /* "evidence", "describe, capability 3": opens every message */
    struct reglet__arena *keep; /* where text that is handed out is copied to */
    bool any_case;              /* keys are matched without regard to case */
    reglet_error **err;
};

/* A set of types: the values of enum reglet__json_type as bits. */
enum {
    REGLET__IS_BOOLEAN = 1 << REGLET__JSON_FALSE | 1 << REGLET__JSON_TRUE,
    REGLET__IS_STRING = 1 << REGLET__JSON_STRING,
    REGLET__IS_ARRAY = 1 << REGLET__JSON_ARRAY,
    REGLET__IS_OBJECT = 1 << REGLET__JSON_OBJECT
};

/* Reads the whole answer, which must be an object. BAD_OUTPUT, NO_MEMORY. */
reglet_status reglet__answer_read(const struct reglet__answer *answer, struct reglet__arena *arena,
                                  const char *bytes, size_t size, const struct reglet__json **out);

/* REGLET_ERR_PLUGIN when the answer to describe or schema is a failure in the form of evidence. */
reglet_status reglet__answer_check_failure(const struct reglet__answer *answer,
                                           const struct reglet__json *root);

/* REGLET_ERR_BAD_OUTPUT: "SUBJECT: WHAT must be A STRING, not NULL". */
reglet_status reglet__answer_wrong_type(const struct reglet__answer *answer, const char *what, unsigned types,
                                        const struct reglet__json *value);

/* REGLET_ERR_BAD_OUTPUT: more of something than the limit allows. */
reglet_status reglet__answer_too_many(const struct reglet__answer *answer, const char *what, size_t limit);

/* The member, or NULL when it is missing or null. BAD_OUTPUT when it has another type. */
reglet_status reglet__answer_get(const struct reglet__answer *answer, const struct reglet__json *object,
                                 const char *key, unsigned types, const struct reglet__json **out);

/* A string member as a C string in `keep`; "" when it is missing or null. BAD_OUTPUT, NO_MEMORY. */
reglet_status reglet__answer_text(const struct reglet__answer *answer, const struct reglet__json *object,
                                  const char *key, const char **out);

/* A boolean member; false when it is missing or null. BAD_OUTPUT. */
reglet_status reglet__answer_flag(const struct reglet__answer *answer, const struct reglet__json *object,
                                  const char *key, bool *out);

/* A copy fit for a C string: each NUL becomes U+FFFD. NULL without memory. */
char *reglet__c_string(struct reglet__arena *arena, const char *text, size_t size);

#endif
