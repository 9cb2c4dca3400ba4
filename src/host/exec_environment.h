/*
 * exec_environment.h - what a plugin may put into the environment of a command: anything but what is known to change what
 * some program loads or runs.
 */
#ifndef REGLET_HOST_EXEC_ENVIRONMENT_H
#define REGLET_HOST_EXEC_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a variable of this name is dropped; in capitals or not, since programs differ (http_proxy, HTTP_PROXY). */
bool reglet__exec_is_dangerous(const char *name, size_t size);

/* The table: names, and prefixes with a '*' behind them, sorted. */
const char *const *reglet__exec_dangerous(size_t *count);

/* Bytes of the name in "NAME=value"; 0 when there is none. */
size_t reglet__exec_name_size(const char *variable);

/*
 * Leaves in "NAME=value" what may be set, each name once, with its last value, and a NULL behind them; returns how many.
 * `variables` has room for it. Calls `dropped` with each name that may not.
 */
size_t reglet__exec_filter(const char **variables, size_t count,
                           void (*dropped)(void *user_data, const char *name, size_t size), void *user_data);

#endif
