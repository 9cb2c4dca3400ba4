#define _GNU_SOURCE
#include "engine/ticker.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "engine/memory.h"
#include "util/clock.h"
#include "util/limits.h"
#include "util/thread.h"

enum {
    LINGER_TICKS =
        50, /* without a call before the thread goes to sleep: calls in quick succession find it awake */
    LOOK_MS = REGLET__IDLE_SLOT_SECONDS * 500, /* between two looks for memories that nobody uses */
    LOOK_TICKS = LOOK_MS / REGLET__TICK_MS
};

/*
 * `calls` and `asleep` are a pair: a call counts itself and then looks whether the thread sleeps; the thread
 * says that it sleeps and then looks whether a call counts. Both orders are sequentially consistent, so one
 * of the two sees the other. A call that begins after that wakes the thread also when it is over again before the thread waits: it
 * may have left a memory to give back, which the thread did not see.
 */
struct reglet__ticker {
    atomic_uint calls;
    atomic_bool asleep;
    atomic_bool stop;
    bool woken;
    pthread_mutex_t lock; /* for `woken`; held only to fall asleep and to wake */
    pthread_cond_t wake;
    pthread_t thread;
    void (*tick)(void *user_data);
    void *user_data;
};

/* False: LOOK_MS have passed before there was one. With the lock. */
static bool wait_for_a_call(struct reglet__ticker *ticker, bool for_ever) {
    int64_t until = reglet__deadline_after_ms(LOOK_MS);
    struct timespec end = {until / REGLET__NS_PER_S, until % REGLET__NS_PER_S};
    int error = 0;
    while (!ticker->woken && !atomic_load(&ticker->stop) && error != ETIMEDOUT)
        error = for_ever ? pthread_cond_wait(&ticker->wake, &ticker->lock)
                         : pthread_cond_timedwait(&ticker->wake, &ticker->lock, &end);
    return error != ETIMEDOUT;
}

/* Wakes up now and then only as long as there is something to give back. */
static void sleep_until_called(struct reglet__ticker *ticker) {
    bool called = false;
    atomic_store(&ticker->asleep, true);
    while (!called && atomic_load(&ticker->calls) == 0) {
        bool kept = reglet__memory_give_back(REGLET__IDLE_SLOT_SECONDS);
        pthread_mutex_lock(&ticker->lock);
        called = wait_for_a_call(ticker, !kept);
        pthread_mutex_unlock(&ticker->lock);
    }
    pthread_mutex_lock(&ticker->lock);
    atomic_store(&ticker->asleep, false);
    ticker->woken = false;
    pthread_mutex_unlock(&ticker->lock);
}

static void *run(void *argument) {
    struct reglet__ticker *ticker = argument;
    const struct timespec period = {.tv_nsec = REGLET__TICK_MS * REGLET__NS_PER_MS};
    int idle = 0;
    unsigned ticks = 0;
    while (!atomic_load(&ticker->stop)) {
        idle = atomic_load(&ticker->calls) ? 0 : idle + 1;
        if (idle > LINGER_TICKS) {
            sleep_until_called(ticker);
            idle = 0;
        }
        clock_nanosleep(CLOCK_MONOTONIC, 0, &period, NULL);
        ticker->tick(ticker->user_data);
        if (++ticks % LOOK_TICKS == 0)
            reglet__memory_give_back(REGLET__IDLE_SLOT_SECONDS);
    }
    return NULL;
}

struct reglet__ticker *reglet__ticker_new(void (*tick)(void *user_data), void *user_data) {
    struct reglet__ticker *ticker = calloc(1, sizeof *ticker);
    if (!ticker)
        return NULL;
    ticker->tick = tick;
    ticker->user_data = user_data;
    pthread_mutex_init(&ticker->lock, NULL);
    if (reglet__cond_init(&ticker->wake) == 0) {
        if (reglet__thread_start(&ticker->thread, "reglet-tick", run, ticker) == 0)
            return ticker;
        pthread_cond_destroy(&ticker->wake);
    }
    pthread_mutex_destroy(&ticker->lock);
    free(ticker);
    return NULL;
}

static void wake(struct reglet__ticker *ticker) {
    pthread_mutex_lock(&ticker->lock);
    ticker->woken = true;
    pthread_cond_signal(&ticker->wake);
    pthread_mutex_unlock(&ticker->lock);
}

void reglet__ticker_free(struct reglet__ticker *ticker) {
    if (!ticker)
        return;
    atomic_store(&ticker->stop, true);
    wake(ticker);
    pthread_join(ticker->thread, NULL);
    pthread_cond_destroy(&ticker->wake);
    pthread_mutex_destroy(&ticker->lock);
    free(ticker);
}

void reglet__ticker_enter(struct reglet__ticker *ticker) {
    atomic_fetch_add(&ticker->calls, 1);
    if (atomic_load(&ticker->asleep))
        wake(ticker);
}

void reglet__ticker_leave(struct reglet__ticker *ticker) {
    atomic_fetch_sub(&ticker->calls, 1);
}
