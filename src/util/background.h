/*
 * background.h - work that nobody waits for: one piece at a time in the process, in the order in which it came.
 */
#ifndef REGLET_UTIL_BACKGROUND_H
#define REGLET_UTIL_BACKGROUND_H

#include <stdbool.h>
#include <stdint.h>

/* One piece, a part of what it is done for. All zero but `run` before it is added. */
struct reglet__background_work {
    void (*run)(struct reglet__background_work *work); /* it is in no list any more, and may be freed */
    struct reglet__background_work *next;
    int64_t not_before;
    bool waits;
};

/*
 * Has it run on a thread of the library, `delay_ms` from now or later. It may be added again once it runs, or was taken back. Returns 0, or
 * an errno: no thread can be started.
 */
int reglet__background_add(struct reglet__background_work *work, int64_t delay_ms);

/* Takes back what has not begun. False: it was never added, runs, or has run. */
bool reglet__background_remove(struct reglet__background_work *work);

#endif
