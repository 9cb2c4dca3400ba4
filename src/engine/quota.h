/*
 * quota.h - what one call may use up: counters with a limit, for all rooms whose functions a guest calls.
 *
 * Each call has its own, which begin at zero: also a call from inside another one, and one that starts from an image, whatever
 * initialising had used. Passing one ends the call, with a code that names the quota.
 */
#ifndef REGLET_ENGINE_QUOTA_H
#define REGLET_ENGINE_QUOTA_H

#include "engine/guest.h"

enum reglet__quota {
    REGLET__QUOTA_OUTPUT_BYTES, /* written to stdout and stderr */
    REGLET__QUOTA_LOG_MESSAGES,
    REGLET__QUOTA_LOG_BYTES,
    REGLET__QUOTA_HOST_CALLS, /* of functions of "reglet_host" but log_message */
    REGLET__QUOTA_NETWORK_IN_BYTES,
    REGLET__QUOTA_NETWORK_OUT_BYTES,
    REGLET__QUOTA_COMMANDS,
    REGLET__QUOTA_OPEN_FILES, /* open now, not ever: asked for with reglet__quota_check(), and never used up */
    REGLET__QUOTA_COUNT
};

struct reglet__quotas {
    uint64_t limits[REGLET__QUOTA_COUNT]; /* UINT64_MAX: unlimited */
    uint64_t used[REGLET__QUOTA_COUNT];   /* never more than the limit */
    /* One line that says what was cut off, and how much it was. */
    void (*cut)(void *user_data, const char *line);
    void *user_data;
};

/*
 * Uses `n` up: REGLET_OK. Or there is not as much left: nothing is used, the call is stopped with the quota's code and the
 * name of the function that the guest called, and that code is returned.
 */
reglet_status reglet__quota_take(struct reglet__quotas *quotas, struct reglet__guest *guest,
                                 enum reglet__quota quota, uint64_t n);

/* The same without using it up. */
reglet_status reglet__quota_check(struct reglet__quotas *quotas, struct reglet__guest *guest,
                                  enum reglet__quota quota, uint64_t n);

uint64_t reglet__quota_left(const struct reglet__quotas *quotas, enum reglet__quota quota);

/* Says what was cut off. */
void reglet__quota_cut(const struct reglet__quotas *quotas, const char *format, ...) REGLET_PRINTF(2, 3);

#endif
