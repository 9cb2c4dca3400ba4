/*
 * pages.h - which pages of a private mapping are no longer what was mapped: the kernel knows, since Linux 6.7.
 */
#ifndef REGLET_ENGINE_PAGES_H
#define REGLET_ENGINE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the kernel says so (PAGEMAP_SCAN). Opens what it is asked through, and keeps that open. */
bool reglet__memory_scans(void);

/*
 * Calls `take` for each range of [memory, memory + size) that was written. False when the kernel does not say, or `take` had
 * enough; some ranges may have been taken by then.
 */
bool reglet__pages_written(const char *memory, size_t size,
                           bool (*take)(void *user_data, size_t offset, size_t size), void *user_data);

#endif
