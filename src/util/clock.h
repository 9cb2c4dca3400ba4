/*
 * clock.h - time in nanoseconds, and RFC 3339.
 */
#ifndef REGLET_UTIL_CLOCK_H
#define REGLET_UTIL_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGLET__NS_PER_MS INT64_C(1000000)
#define REGLET__NS_PER_S  INT64_C(1000000000)

/* A deadline that never comes. */
#define REGLET__NEVER INT64_MAX

/* CLOCK_MONOTONIC; deadlines are in this time. */
int64_t reglet__now(void);

/* CLOCK_REALTIME, since 1970. */
int64_t reglet__wall_clock(void);

/* now + ms, or REGLET__NEVER when ms < 0 or the sum overflows. */
int64_t reglet__deadline_after_ms(int64_t milliseconds);

enum { REGLET__RFC3339_SIZE = 40 };

/* Writes UTC such as "2026-01-02T03:04:05.123456789Z" (no fraction when it is 0); returns its length. */
size_t reglet__rfc3339_format(int64_t wall_clock_ns, char out[REGLET__RFC3339_SIZE]);

/*
 * Reads an RFC 3339 date-time: calendar-valid, fraction of 1 to 9 digits, "Z" or an offset. `wall_clock_ns` receives it as
 * reglet__wall_clock() counts, the nearest that int64_t holds; may be NULL.
 */
bool reglet__rfc3339_parse(const char *text, size_t size, int64_t *wall_clock_ns);

#endif
