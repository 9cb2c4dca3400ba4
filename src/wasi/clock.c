#define _GNU_SOURCE
#include <errno.h>
#include <time.h>

#include "util/clock.h"
#include "wasi/state.h"

/* The two clocks there are. Processor time is none: it would tell of other plugins on the same thread. */
static bool clock_of(uint32_t id, clockid_t *out) {
    if (id != WASI_CLOCK_REALTIME && id != WASI_CLOCK_MONOTONIC)
        return false;
    *out = id == WASI_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
    return true;
}

static int put_time(struct reglet__wasi *wasi, uint32_t address, const struct timespec *ts) {
    uint64_t ns = (uint64_t)ts->tv_sec * (uint64_t)REGLET__NS_PER_S + (uint64_t)ts->tv_nsec;
    return reglet__guest_write_u64(wasi->guest, address, ns) ? WASI_SUCCESS : WASI_EFAULT;
}

WASI_FUNCTION(clock_res_get) {
    clockid_t id;
    struct timespec ts;
    if (!clock_of(args[0].u32, &id))
        return WASI_EINVAL;
    return clock_getres(id, &ts) == 0 ? put_time(wasi, args[1].u32, &ts) : reglet__wasi_errno(errno);
}

WASI_FUNCTION(clock_time_get) {
    clockid_t id;
    struct timespec ts;
    if (!clock_of(args[0].u32, &id))
        return WASI_EINVAL;
    return clock_gettime(id, &ts) == 0 ? put_time(wasi, args[2].u32, &ts) : reglet__wasi_errno(errno);
}
