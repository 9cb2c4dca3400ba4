/*
 * result.h - a result and its evidence, as evidence.c and result.c fill them and the getters read them.
 */
#ifndef REGLET_ABI_RESULT_H
#define REGLET_ABI_RESULT_H

#include <reglet/result.h>

#include "abi/json.h"

/* Optional parts are NULL. */
struct reglet_evidence {
    bool status;
    bool truncated;
    bool has_error;
    reglet_evidence_error error;
    const char *timestamp;
    const char *data_json;
    size_t data_size;
    const char *raw;
    size_t raw_size;
    const char *message;
};

struct reglet_result {
    struct reglet__arena arena; /* everything but `error` lives in it, the result as well */
    reglet_error *error;        /* NULL: there is evidence */
    int64_t exit_code;
    uint64_t redactions;
    struct reglet_evidence evidence;
    const char *json;
    size_t json_size;
};

/*
 * Shortens evidence (an object with the members error, data, raw and perhaps message) until its text has at most
 * `max_bytes`: strings are cut, the longest ones first; then data, raw and the details of the error are left out, in
 * this order. Adds evidence_meta. What is left with a limit smaller than that passes it. NO_MEMORY.
 */
reglet_status reglet__evidence_shorten(struct reglet__arena *arena, struct reglet__json *evidence,
                                       size_t original_size, uint64_t max_bytes);

#endif
