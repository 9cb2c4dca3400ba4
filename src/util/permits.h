/*
 * permits.h - how many may do something at once: a counting semaphore whose waits have a deadline and a cancel token.
 */
#ifndef REGLET_UTIL_PERMITS_H
#define REGLET_UTIL_PERMITS_H

#include <pthread.h>
#include <stdatomic.h>

#include "util/interrupt.h"

/*
 * Who waits is served first come, first served, and nobody overtakes. Taking a free permit, and giving one back for which
 * nobody waits, is one atomic operation: no lock, no system call, no allocation.
 */
struct reglet__permits {
    _Atomic int64_t balance; /* permits that are free; below 0: how many wait that were promised none yet */
    int64_t limit;
    pthread_mutex_t lock; /* for what follows, and for every change of a balance below 0 but a newcomer's */
    struct reglet__permit_waiter *first, *last;
    int64_t
        promised; /* given back for those who wait, but are not in the queue yet; then the queue is empty */
};

/* `limit` is 1 to INT64_MAX. */
void reglet__permits_init(struct reglet__permits *permits, int64_t limit);
/* When all permits are back. */
void reglet__permits_destroy(struct reglet__permits *permits);

/*
 * Takes a permit, to be given back with reglet__permits_give(). One that is free is taken whatever the deadline and the
 * token say; only waiting for one ends with REGLET_ERR_TIMEOUT, REGLET_ERR_CANCELLED, REGLET_ERR_IO (errno: no descriptor
 * is left to wait with) or REGLET_ERR_NO_MEMORY, and then none was taken.
 */
reglet_status reglet__permits_take(struct reglet__permits *permits,
                                   const struct reglet__interrupt *interrupt);
void reglet__permits_give(struct reglet__permits *permits);

#endif
