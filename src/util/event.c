#define _GNU_SOURCE
#include "util/event.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/sys.h"

void reglet__event_init(struct reglet__event *event) {
    *event = (struct reglet__event){.fd = -1};
    pthread_mutex_init(&event->lock, NULL);
}

void reglet__event_clear(struct reglet__event *event) {
    pthread_mutex_destroy(&event->lock);
}

void reglet__event_set(struct reglet__event *event) {
    const uint64_t one = 1;
    pthread_mutex_lock(&event->lock);
    event->happened = true;
    if (event->fd >= 0) {
        ssize_t ignored = write(event->fd, &one, sizeof one);
        (void)ignored; /* the first write to an event counter cannot fail */
    }
    pthread_mutex_unlock(&event->lock);
}

/* Under the lock: whether there is something to wait for, and with what. */
static reglet_status begin(struct reglet__event *event, struct pollfd *out) {
    if (event->fd < 0)
        event->fd = reglet__sys_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event->fd < 0)
        return REGLET_ERR_IO;
    event->waiters++;
    *out = (struct pollfd){.fd = event->fd, .events = POLLIN};
    return REGLET_OK;
}

reglet_status reglet__event_wait(struct reglet__event *event, const struct reglet__interrupt *interrupt) {
    struct pollfd happened;
    pthread_mutex_lock(&event->lock);
    bool done = event->happened;
    reglet_status status = done ? REGLET_OK : begin(event, &happened);
    pthread_mutex_unlock(&event->lock);
    if (done || status != REGLET_OK)
        return status;
    int ready = 0;
    status = reglet__interrupt_wait(interrupt, &happened, 1, REGLET__NEVER, &ready);
    pthread_mutex_lock(&event->lock);
    if (--event->waiters == 0)
        close(take_fd(event->fd));
    bool happened_by_now = event->happened;
    pthread_mutex_unlock(&event->lock);
    if (status != REGLET_OK || happened_by_now)
        return status;
    errno = EBADF; /* somebody else closed the descriptor */
    return REGLET_ERR_IO;
}
