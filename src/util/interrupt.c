#define _GNU_SOURCE
#include "util/interrupt.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

#include "util/cleanup.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/sys.h"

/*
 * The event descriptor exists only once something has waited on the token: most calls never do. It is
 * published by compare-and-swap, and whoever publishes it looks at the flag again, so a cancel between the
 * two is not lost.
 */
struct reglet_cancel_token {
    atomic_uint references;
    atomic_bool cancelled;
    atomic_int event; /* eventfd, or -1 */
};

reglet_status reglet_cancel_token_new(reglet_cancel_token **out, reglet_error **err) {
    if (!out)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "cancel token: out is NULL");
    reglet_cancel_token *token = malloc(sizeof *token);
    if (!token)
        return reglet__fail_memory(err);
    atomic_init(&token->references, 1);
    atomic_init(&token->cancelled, false);
    atomic_init(&token->event, -1);
    *out = token;
    return REGLET_OK;
}

reglet_cancel_token *reglet_cancel_token_ref(reglet_cancel_token *token) {
    if (token)
        atomic_fetch_add_explicit(&token->references, 1, memory_order_relaxed);
    return token;
}

void reglet_cancel_token_unref(reglet_cancel_token *token) {
    if (!token || atomic_fetch_sub_explicit(&token->references, 1, memory_order_acq_rel) != 1)
        return;
    int event = atomic_load(&token->event);
    if (event >= 0)
        close(event);
    free(token);
}

static void signal_event(int event) {
    int saved = errno; /* a signal handler may be the caller */
    uint64_t one = 1;
    ssize_t ignored = write(event, &one, sizeof one);
    (void)ignored; /* it fails only when the counter is full, and then the descriptor is readable already */
    errno = saved;
}

void reglet_cancel_token_cancel(reglet_cancel_token *token) {
    if (!token)
        return;
    atomic_store(&token->cancelled, true);
    int event = atomic_load(&token->event);
    if (event >= 0)
        signal_event(event);
}

bool reglet_cancel_token_is_cancelled(const reglet_cancel_token *token) {
    return token && atomic_load(&token->cancelled);
}

/* The token's event descriptor, made on first use; -1 with errno when there is none to be had. */
static int token_event(reglet_cancel_token *token) {
    int event = atomic_load(&token->event);
    if (event >= 0)
        return event;
    _cleanup_fd_ int fresh = reglet__sys_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fresh < 0)
        return -1;
    int expected = -1;
    if (!atomic_compare_exchange_strong(&token->event, &expected, fresh))
        return expected;
    event = take_fd(fresh);
    if (atomic_load(&token->cancelled))
        signal_event(event);
    return event;
}

reglet_status reglet__interrupt_check(const struct reglet__interrupt *interrupt) {
    if (reglet_cancel_token_is_cancelled(interrupt->token))
        return REGLET_ERR_CANCELLED;
    if (interrupt->deadline != REGLET__NEVER && reglet__now() >= interrupt->deadline)
        return REGLET_ERR_TIMEOUT;
    return REGLET_OK;
}

static struct timespec *time_left(int64_t until, struct timespec *ts) {
    if (until == REGLET__NEVER)
        return NULL;
    int64_t left = until - reglet__now();
    if (left < 0)
        left = 0;
    *ts = (struct timespec){.tv_sec = left / REGLET__NS_PER_S, .tv_nsec = left % REGLET__NS_PER_S};
    return ts;
}

reglet_status reglet__interrupt_wait(const struct reglet__interrupt *interrupt, struct pollfd *fds,
                                     size_t count, int64_t until, int *ready) {
    struct pollfd all[REGLET__WAIT_MAX + 1];
    if (count > REGLET__WAIT_MAX)
        return REGLET_ERR_INTERNAL;
    if (count)
        memcpy(all, fds, count * sizeof *fds);
    size_t total = count;
    if (interrupt->token) {
        int event = token_event(interrupt->token);
        if (event < 0)
            return REGLET_ERR_IO;
        all[total++] = (struct pollfd){.fd = event, .events = POLLIN};
    }
    int64_t wake = until < interrupt->deadline ? until : interrupt->deadline;
    for (;;) {
        struct timespec ts;
        int n = reglet__sys_ppoll(all, total, time_left(wake, &ts));
        if (n < 0 && errno != EINTR)
            return errno == ENOMEM ? REGLET_ERR_NO_MEMORY : REGLET_ERR_IO;
        reglet_status status = reglet__interrupt_check(interrupt);
        if (status != REGLET_OK)
            return status;
        if (n < 0 || (n == 0 && reglet__now() < wake))
            continue;
        if (count)
            memcpy(fds, all, count * sizeof *fds);
        *ready = n;
        return REGLET_OK;
    }
}
