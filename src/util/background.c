#define _GNU_SOURCE
#include "util/background.h"

#include <pthread.h>
#include <stddef.h>
#include <time.h>

#include "util/clock.h"
#include "util/thread.h"

/* The thread is there as long as there is work. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct reglet__background_work *first, *last;
    bool has_thread;
} background = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, NULL, false};

/* Under the lock. */
static bool take_out(const struct reglet__background_work *work) {
    struct reglet__background_work *before = NULL, **link = &background.first;
    while (*link && *link != work) {
        before = *link;
        link = &before->next;
    }
    if (!*link)
        return false;
    if (background.last == *link)
        background.last = before;
    *link = work->next;
    return true;
}

/* Waits until the time of the next piece has come. NULL: there is none, and the thread is gone. */
static struct reglet__background_work *next(void) {
    pthread_mutex_lock(&background.lock);
    while (background.first && background.first->not_before > reglet__now()) {
        int64_t until = background.first->not_before;
        const struct timespec at = {until / REGLET__NS_PER_S, until % REGLET__NS_PER_S};
        pthread_cond_clockwait(&background.changed, &background.lock, CLOCK_MONOTONIC, &at);
    }
    struct reglet__background_work *work = background.first;
    if (work && take_out(work))
        work->waits = false;
    background.has_thread = work != NULL;
    pthread_mutex_unlock(&background.lock);
    return work;
}

static void *run(void *nothing) {
    struct reglet__background_work *work;
    while ((work = next()))
        work->run(work);
    return nothing;
}

int reglet__background_add(struct reglet__background_work *work, int64_t delay_ms) {
    int error = 0;
    work->not_before = reglet__deadline_after_ms(delay_ms);
    work->next = NULL;
    pthread_mutex_lock(&background.lock);
    if (!background.has_thread)
        error = reglet__thread_start(NULL, "reglet-improve", run, NULL);
    if (!error) {
        background.has_thread = true;
        work->waits = true;
        *(background.last ? &background.last->next : &background.first) = work;
        background.last = work;
    }
    pthread_mutex_unlock(&background.lock);
    return error;
}

bool reglet__background_remove(struct reglet__background_work *work) {
    pthread_mutex_lock(&background.lock);
    bool removed = work->waits && take_out(work);
    if (removed) {
        work->waits = false;
        pthread_cond_signal(&background.changed);
    }
    pthread_mutex_unlock(&background.lock);
    return removed;
}
