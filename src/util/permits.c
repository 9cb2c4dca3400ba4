#define _GNU_SOURCE
#include "util/permits.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/eventfd.h>

#include "util/cleanup.h"
#include "util/sys.h"

/*
 * The balance is the limit less all who have a permit and all who want one. A newcomer takes one off first and only then
 * looks: where nothing was left it owes a place in the queue, and whoever gives a permit back sees by the sign that it has
 * to be handed over. So a permit that somebody waits for is never free, and cannot be snatched.
 */
struct reglet__permit_waiter {
    struct reglet__permit_waiter *previous, *next;
    int event; /* becomes readable when the permit is handed over */
    bool has_permit;
};

void reglet__permits_init(struct reglet__permits *permits, int64_t limit) {
    *permits = (struct reglet__permits){.limit = limit};
    atomic_init(&permits->balance, limit);
    pthread_mutex_init(&permits->lock, NULL);
}

void reglet__permits_destroy(struct reglet__permits *permits) {
    pthread_mutex_destroy(&permits->lock);
}

/* --- The queue, under the lock ---------------------------------------------------------------------------- */

static void append(struct reglet__permits *permits, struct reglet__permit_waiter *waiter) {
    waiter->previous = permits->last;
    *(permits->last ? &permits->last->next : &permits->first) = waiter;
    permits->last = waiter;
}

static void remove_waiter(struct reglet__permits *permits, struct reglet__permit_waiter *waiter) {
    *(waiter->previous ? &waiter->previous->next : &permits->first) = waiter->next;
    *(waiter->next ? &waiter->next->previous : &permits->last) = waiter->previous;
}

static void hand_over(struct reglet__permits *permits) {
    struct reglet__permit_waiter *waiter = permits->first;
    if (!waiter) {
        permits->promised++;
        return;
    }
    remove_waiter(permits, waiter);
    waiter->has_permit = true;
    const uint64_t one = 1;
    ssize_t ignored = write(waiter->event, &one, sizeof one);
    (void)ignored; /* the first write to an event counter cannot fail */
}

/* Whether the waiter has a permit at once. Otherwise it is in the queue, or, having nothing to wait with, out of it all. */
static bool enter_queue(struct reglet__permits *permits, struct reglet__permit_waiter *waiter) {
    if (permits->promised > 0) {
        permits->promised--;
        return true;
    }
    if (waiter->event >= 0)
        append(permits, waiter);
    else
        atomic_fetch_add(&permits->balance, 1);
    return false;
}

/* --- Taking and giving ------------------------------------------------------------------------------------ */

/* Answers whether it came too late: the waiter has a permit. */
static bool leave_queue(struct reglet__permits *permits, struct reglet__permit_waiter *waiter) {
    pthread_mutex_lock(&permits->lock);
    bool has_permit = waiter->has_permit;
    if (!has_permit) {
        remove_waiter(permits, waiter);
        atomic_fetch_add(&permits->balance, 1);
    }
    pthread_mutex_unlock(&permits->lock);
    return has_permit;
}

static reglet_status wait_for_permit(struct reglet__permits *permits,
                                     const struct reglet__interrupt *interrupt) {
    _cleanup_fd_ int event = reglet__sys_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int reason = errno;
    struct reglet__permit_waiter waiter = {.event = event};
    pthread_mutex_lock(&permits->lock);
    bool has_permit = enter_queue(permits, &waiter);
    pthread_mutex_unlock(&permits->lock);
    if (has_permit)
        return REGLET_OK;
    if (event < 0) {
        errno = reason;
        return REGLET_ERR_IO;
    }
    struct pollfd handed_over = {.fd = event, .events = POLLIN};
    int ready = 0;
    reglet_status status = reglet__interrupt_wait(interrupt, &handed_over, 1, REGLET__NEVER, &ready);
    reason = errno;
    /* The lock also keeps the descriptor open until whoever handed the permit over has written to it. */
    has_permit = leave_queue(permits, &waiter);
    if (has_permit && status != REGLET_OK)
        reglet__permits_give(permits);
    errno = reason;
    return has_permit || status != REGLET_OK ? status
                                             : REGLET_ERR_IO; /* somebody else closed the descriptor */
}

reglet_status reglet__permits_take(struct reglet__permits *permits,
                                   const struct reglet__interrupt *interrupt) {
    return atomic_fetch_sub(&permits->balance, 1) > 0 ? REGLET_OK : wait_for_permit(permits, interrupt);
}

void reglet__permits_give(struct reglet__permits *permits) {
    int64_t balance = atomic_load(&permits->balance);
    while (balance >= 0)
        if (atomic_compare_exchange_weak(&permits->balance, &balance, balance + 1))
            return;
    /* Whoever gives up waiting does so under the lock too: what is seen here of the balance and of the queue fits together. */
    pthread_mutex_lock(&permits->lock);
    if (atomic_fetch_add(&permits->balance, 1) < 0)
        hand_over(permits);
    pthread_mutex_unlock(&permits->lock);
}
