/*
 * batch_reader.h - lines of an input that may be endless, and may pause.
 */
#ifndef CLI_BATCH_READER_H
#define CLI_BATCH_READER_H

#include "batch_line.h"

enum { BATCH_READ_BYTES = 64 * 1024 };

struct batch_reader {
    int fd;
    int wake_fd;   /* readable: stop */
    int output_fd; /* a reader of it that goes away is noticed here too, while no line comes */
    uint64_t number;
    uint64_t index;
    char buffer[BATCH_READ_BYTES];
    size_t at, end;
};

/* BATCH_STOPPED: wake_fd is readable. BATCH_OUTPUT_GONE: nobody reads the output any more. BATCH_READ_FAILED: errno. */
enum batch_read { BATCH_LINE, BATCH_END, BATCH_STOPPED, BATCH_OUTPUT_GONE, BATCH_READ_FAILED };

/* The next line that is not blank. Of one that is too long no more is kept than that it was there. */
enum batch_read batch_reader_next(struct batch_reader *reader, struct batch_line **out);

#endif
