/*
 * buf.h - a growable buffer with a maximum. The first failure sticks, so a row of appends is checked once.
 */
#ifndef REGLET_UTIL_BUF_H
#define REGLET_UTIL_BUF_H

#include <reglet/base.h>
#include <stdarg.h>

#include "util/cleanup.h"

struct reglet__buf {
    char *data; /* NUL-terminated once anything was appended */
    size_t size;
    size_t capacity;
    size_t max; /* size never passes this */
    reglet_status
        status; /* REGLET_OK, REGLET_ERR_NO_MEMORY, or REGLET_ERR_RESULT_LIMIT when max would be passed */
};

#define REGLET__BUF_INIT(maximum)                                                                            \
    { .max = (maximum) }

reglet_status reglet__buf_append(struct reglet__buf *buf, const void *data, size_t size);
reglet_status reglet__buf_append_text(struct reglet__buf *buf, const char *text);
reglet_status reglet__buf_appendf(struct reglet__buf *buf, const char *format, ...) REGLET_PRINTF(2, 3);

/* Empties it and keeps the memory. */
void reglet__buf_clear(struct reglet__buf *buf);

/* Hands the memory out (free with free(); never NULL when status is OK) and leaves the buffer empty. NULL
 * after a failure. */
char *reglet__buf_take(struct reglet__buf *buf, size_t *size);

void reglet__buf_free(struct reglet__buf *buf);

#define _cleanup_buf_ _cleanup_(reglet__buf_free)

#endif
