#define _GNU_SOURCE
#include "util/thread.h"

#include <signal.h>
#include <time.h>

#include "util/limits.h"

int reglet__thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *argument) {
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error)
        return error;
    sigset_t every;
    sigfillset(&every);
    pthread_t started;
    error = pthread_attr_setsigmask_np(&attributes, &every);
    /* The default is the program's, and may be too small for the compiler. */
    if (!error)
        error = pthread_attr_setstacksize(&attributes, REGLET__THREAD_STACK_BYTES);
    if (!error && !thread)
        error = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (!error)
        error = pthread_create(&started, &attributes, run, argument);
    pthread_attr_destroy(&attributes);
    if (error)
        return error;
    if (thread) {
        pthread_setname_np(started, name); /* a detached one may be gone already */
        *thread = started;
    }
    return 0;
}

int reglet__cond_init(pthread_cond_t *cond) {
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (error)
        return error;
    error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (!error)
        error = pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
    return error;
}
