/*
 * interrupt.h - one deadline and one cancel token over everything a call does, and the one way to wait.
 */
#ifndef REGLET_UTIL_INTERRUPT_H
#define REGLET_UTIL_INTERRUPT_H

#include <poll.h>
#include <reglet/cancel.h>

#include "util/clock.h"

/* What can end a call from outside. Lives as long as the call; holds no reference of its own. */
struct reglet__interrupt {
    int64_t deadline;           /* reglet__now() time, or REGLET__NEVER */
    reglet_cancel_token *token; /* or NULL */
};

/* REGLET_OK, REGLET_ERR_CANCELLED or REGLET_ERR_TIMEOUT; cancelled wins. Costs one clock read at most. */
reglet_status reglet__interrupt_check(const struct reglet__interrupt *interrupt);

/*
 * Waits until one of the descriptors is ready, the time `until` has come (REGLET__NEVER: no such time), the
 * call's deadline has passed or its token is cancelled. Every wait in the library goes through here. Restarts
 * after signals.
 *
 * Returns REGLET_OK with *ready (how many descriptors have revents; 0: `until` has come), REGLET_ERR_TIMEOUT,
 * REGLET_ERR_CANCELLED, REGLET_ERR_IO (poll failed, or no descriptor was left for the token) or
 * REGLET_ERR_NO_MEMORY. `count` is at most REGLET__WAIT_MAX.
 */
reglet_status reglet__interrupt_wait(const struct reglet__interrupt *interrupt, struct pollfd *fds,
                                     size_t count, int64_t until, int *ready);

#endif
