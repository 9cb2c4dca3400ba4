/* poll_oneoff: clocks and descriptors, in one wait that the call's deadline and token end as well. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util/clock.h"
#include "wasi/state.h"

/* One subscription, and what has become of it. */
struct interest {
    uint64_t userdata;
    uint8_t type;
    bool ready;
    int error;
    int64_t until;  /* a clock: when, in reglet__now() time */
    int poll;       /* a descriptor: its index in what is waited for, or -1 */
    uint64_t bytes; /* that can be read or written */
    bool hangup;
};

struct interests {
    struct interest all[REGLET__MAX_SUBSCRIPTIONS];
    size_t count;
    struct pollfd fds[REGLET__MAX_SUBSCRIPTIONS];
    size_t fd_count;
    int64_t until; /* the wait ends then */
};

/* When a clock's time has come, on our clock. A jump of the wall clock during the wait is not followed. */
static int64_t moment(uint32_t id, uint64_t timeout, bool absolute) {
    int64_t now = reglet__now();
    if (timeout > INT64_MAX)
        return REGLET__NEVER;
    int64_t wait = (int64_t)timeout;
    if (absolute)
        wait -= id == WASI_CLOCK_REALTIME ? reglet__wall_clock() : now;
    if (wait < 0)
        wait = 0;
    return wait > REGLET__NEVER - now ? REGLET__NEVER : now + wait;
}

static void take_clock(const unsigned char *in, struct interest *interest) {
    uint32_t id = (uint32_t)reglet__wasi_take(in + WASI_SUBSCRIPTION_CLOCK_ID, 4);
    uint64_t timeout = reglet__wasi_take(in + WASI_SUBSCRIPTION_TIMEOUT, 8);
    uint64_t flags = reglet__wasi_take(in + WASI_SUBSCRIPTION_FLAGS, 2);
    if (id == WASI_CLOCK_REALTIME || id == WASI_CLOCK_MONOTONIC)
        interest->until = moment(id, timeout, flags & WASI_SUBSCRIPTION_ABSTIME);
    else
        interest->error = WASI_EINVAL;
}

/* What a file still has; a device that never ends has 1 byte at least. */
static uint64_t bytes_left(const struct reglet__wasi_fd *fd) {
    struct stat st;
    if (fstat(fd->host, &st) != 0 || !S_ISREG(st.st_mode))
        return 1;
    off_t at = lseek(fd->host, 0, SEEK_CUR);
    return at >= 0 && st.st_size > at ? (uint64_t)(st.st_size - at) : 0;
}

static void take_fd_interest(struct reglet__wasi *wasi, const unsigned char *in, struct interests *interests,
                             struct interest *interest) {
    struct reglet__wasi_fd *fd;
    bool write = interest->type == WASI_EVENT_FD_WRITE;
    uint64_t rights = WASI_RIGHT_POLL_FD_READWRITE | (write ? WASI_RIGHT_FD_WRITE : WASI_RIGHT_FD_READ);
    uint32_t number = (uint32_t)reglet__wasi_take(in + WASI_SUBSCRIPTION_FD, 4);
    interest->error = reglet__wasi_fd_get(wasi, number, rights, &fd);
    if (interest->error)
        return;
    if (fd->kind == REGLET__WASI_INHERITED) {
        interest->poll = (int)interests->fd_count;
        interests->fds[interests->fd_count++] =
            (struct pollfd){.fd = fd->host, .events = write ? POLLOUT : POLLIN};
        return;
    }
    interest->ready = true;
    interest->hangup = fd->kind == REGLET__WASI_EMPTY;
    interest->bytes = fd->kind == REGLET__WASI_FILE && !write ? bytes_left(fd) : write;
}

static void take_interest(struct reglet__wasi *wasi, const unsigned char *in, struct interests *interests) {
    struct interest *interest = &interests->all[interests->count++];
    *interest = (struct interest){.userdata = reglet__wasi_take(in, 8),
                                  .type = in[WASI_SUBSCRIPTION_TAG],
                                  .until = REGLET__NEVER,
                                  .poll = -1};
    if (interest->type == WASI_EVENT_CLOCK)
        take_clock(in, interest);
    else
        take_fd_interest(wasi, in, interests, interest);
    if (interest->error || interest->ready)
        interests->until = 0; /* there is an answer already: only look at the others */
    else if (interest->until < interests->until)
        interests->until = interest->until;
}

static int take_interests(struct reglet__wasi *wasi, uint32_t address, uint32_t count,
                          struct interests *out) {
    if (count == 0 || count > REGLET__MAX_SUBSCRIPTIONS)
        return WASI_EINVAL;
    const unsigned char *in =
        reglet__guest_memory(wasi->guest, address, (uint64_t)count * WASI_SUBSCRIPTION_SIZE);
    if (!in)
        return WASI_EFAULT;
    for (uint32_t i = 0; i < count; i++) {
        if (in[i * WASI_SUBSCRIPTION_SIZE + WASI_SUBSCRIPTION_TAG] > WASI_EVENT_FD_WRITE)
            return WASI_EINVAL;
        take_interest(wasi, in + i * WASI_SUBSCRIPTION_SIZE, out);
    }
    return WASI_SUCCESS;
}

/* After the wait: whether this one has happened. */
static bool has_happened(const struct interests *interests, struct interest *interest, int64_t now) {
    if (interest->error || interest->ready)
        return true;
    if (interest->poll < 0)
        return interest->until <= now;
    const struct pollfd *fd = &interests->fds[interest->poll];
    int waiting = 0;
    if (!fd->revents)
        return false;
    if (interest->type == WASI_EVENT_FD_WRITE)
        interest->bytes = 1;
    else if (ioctl(fd->fd, FIONREAD, &waiting) == 0 && waiting > 0)
        interest->bytes = (uint64_t)waiting;
    interest->hangup = fd->revents & POLLHUP;
    return true;
}

static void put_event(unsigned char *out, const struct interest *interest) {
    memset(out, 0, WASI_EVENT_SIZE);
    reglet__wasi_put(out, interest->userdata, 8);
    reglet__wasi_put(out + WASI_EVENT_ERROR, (uint64_t)interest->error, 2);
    out[WASI_EVENT_TYPE] = interest->type;
    reglet__wasi_put(out + WASI_EVENT_NBYTES, interest->bytes, 8);
    reglet__wasi_put(out + WASI_EVENT_FLAGS, interest->hangup ? WASI_EVENT_HANGUP : 0, 2);
}

WASI_FUNCTION(poll_oneoff) {
    struct interests interests = {.until = REGLET__NEVER};
    int error = take_interests(wasi, args[0].u32, args[2].u32, &interests);
    if (error)
        return error;
    unsigned char *out = reglet__guest_memory(wasi->guest, args[1].u32, interests.count * WASI_EVENT_SIZE);
    if (!out || !reglet__wasi_writable(wasi, args[3].u32, 4))
        return WASI_EFAULT;
    error = reglet__wasi_wait(wasi, interests.fds, interests.fd_count, interests.until);
    if (error)
        return error;
    int64_t now = reglet__now();
    uint32_t happened = 0;
    for (size_t i = 0; i < interests.count; i++)
        if (has_happened(&interests, &interests.all[i], now))
            put_event(out + happened++ * WASI_EVENT_SIZE, &interests.all[i]);
    reglet__guest_write_u32(wasi->guest, args[3].u32, happened);
    return WASI_SUCCESS;
}
