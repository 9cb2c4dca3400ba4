/*
 * thread.h - threads of the library: they block every signal, so that none of the program's handlers runs on
 * them.
 */
#ifndef REGLET_UTIL_THREAD_H
#define REGLET_UTIL_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* Starts a thread; a detached one when `thread` is NULL. Returns 0 or an errno. The caller's own mask is
 * untouched. */
int reglet__thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *argument);

/* Makes a condition variable that waits by CLOCK_MONOTONIC. Returns 0 or an errno. */
int reglet__cond_init(pthread_cond_t *cond);

#endif
