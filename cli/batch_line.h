/*
 * batch_line.h - one line of a batch, on its way from the input to the output. One thread has it at a time.
 */
#ifndef CLI_BATCH_LINE_H
#define CLI_BATCH_LINE_H

#include "util.h"

/* A call with a larger config is refused by the library, so a longer line is no request. */
#define BATCH_MAX_LINE_BYTES ((size_t)16 << 20)

/* What a line asks for. `id` and `values` are JSON as it stands in the line's text, NULL when missing or null. */
struct batch_request {
    const char *id; /* a string or a number */
    size_t id_size;
    const char *values; /* begins like an object; the library reads the rest */
    size_t values_size;
    char *plugin;       /* a path */
    int64_t timeout_ms; /* 0: not given */
    char *problem;      /* why the line is no request, or NULL; what could be read of it stands above */
};

struct batch_line {
    uint64_t number; /* in the input, from 1 */
    uint64_t index;  /* among those that get a result, from 0 */
    char *text;      /* NULL: longer than BATCH_MAX_LINE_BYTES */
    size_t size;
    size_t input_bytes;            /* with its end, and blank lines before it */
    struct batch_request *request; /* NULL until it was read */
    char *result;                  /* with its newline */
    size_t result_size;
    bool failed;
    size_t held_bytes; /* what the queue counts for it */
    struct batch_line *next;
};

void batch_line_free(struct batch_line *line);

#endif
