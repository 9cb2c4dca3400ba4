/*
 * event.h - something that happens once, and is waited for under an interrupt.
 */
#ifndef REGLET_UTIL_EVENT_H
#define REGLET_UTIL_EVENT_H

#include <pthread.h>

#include "util/interrupt.h"

/* Holds a descriptor only while somebody waits. */
struct reglet__event {
    pthread_mutex_t lock;
    bool happened;
    unsigned waiters;
    int fd; /* eventfd, or -1 */
};

void reglet__event_init(struct reglet__event *event);
/* Nobody may wait for it any more. */
void reglet__event_clear(struct reglet__event *event);

void reglet__event_set(struct reglet__event *event);

/* OK: it happened. TIMEOUT, CANCELLED, IO (no descriptor is left to wait with; errno says why), NO_MEMORY. */
reglet_status reglet__event_wait(struct reglet__event *event, const struct reglet__interrupt *interrupt);

#endif
