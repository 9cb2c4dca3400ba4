/*
 * batch_output.h - results on standard output: whole lines, each in one write, on request in the order of the input.
 */
#ifndef CLI_BATCH_OUTPUT_H
#define CLI_BATCH_OUTPUT_H

#include "batch_queue.h"

#include <stdatomic.h>

struct batch_output {
    struct batch_queue *queue;
    bool ordered;
    bool on_terminal;
    pthread_mutex_t lock;
    uint64_t next;               /* ordered: whose turn it is */
    struct batch_line **waiting; /* ordered: by index, modulo the queue's max_lines */
    _Atomic int error;           /* an errno: nothing more is written */
    atomic_ullong ran, failed, input_bytes;
};

void batch_output_init(struct batch_output *output, struct batch_queue *queue, bool ordered);
void batch_output_destroy(struct batch_output *output);

/* Writes a line's result, now or when those before it were, and is done with the line. False once the output is broken. */
bool batch_output_take(struct batch_output *output, struct batch_line *line);

#endif
