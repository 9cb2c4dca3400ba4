/*
 * batch_queue.h - lines that wait for a worker, and how many may be in hand at once: read, and not yet written out.
 */
#ifndef CLI_BATCH_QUEUE_H
#define CLI_BATCH_QUEUE_H

#include "batch_line.h"

#include <pthread.h>

/* Lines and results in hand; beyond it nothing more is read. What calls in flight need comes on top. */
#define BATCH_MAX_HELD_BYTES ((size_t)64 << 20)

struct batch_queue {
    pthread_mutex_t lock;
    pthread_cond_t work; /* there is a line, or there will be none */
    pthread_cond_t room;
    struct batch_line *first, **last;
    size_t lines, bytes; /* in hand, whether they wait or not */
    size_t max_lines;
    bool closed; /* no more will be put */
};

void batch_queue_init(struct batch_queue *queue, size_t max_lines);
void batch_queue_destroy(struct batch_queue *queue);

/* Adds a line at the end; waits while too much is in hand. */
void batch_queue_put(struct batch_queue *queue, struct batch_line *line);
/* No more lines will be put. */
void batch_queue_close(struct batch_queue *queue);

/* The next line; NULL when there will be none, not even one that is given back. */
struct batch_line *batch_queue_get(struct batch_queue *queue);
/* Puts lines that were got (a list by `next`) back, before all others. */
void batch_queue_give_back(struct batch_queue *queue, struct batch_line *lines);

/* A line whose result waits for its turn no longer needs its text. */
void batch_queue_hold_result(struct batch_queue *queue, struct batch_line *line);
/* A line that is done: frees it. */
void batch_queue_finish(struct batch_queue *queue, struct batch_line *line);

#endif
