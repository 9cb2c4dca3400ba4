/*
 * description.h - what the two generations of descriptions share.
 */
#ifndef REGLET_ABI_DESCRIPTION_H
#define REGLET_ABI_DESCRIPTION_H

#include <reglet/plugin.h>

#include "abi/answer.h"
#include "util/limits.h"

/* The capabilities that a description declares, while it is read. */
struct reglet__declarations {
    size_t count;
    reglet_declared_capability items[REGLET__MAX_CAPABILITIES];
};

/* Adds one; both texts are in the answer's `keep`. BAD_OUTPUT beyond the limit. */
reglet_status reglet__declare(const struct reglet__answer *answer, struct reglet__declarations *list,
                              const char *kind, const char *pattern);

/* What stands in a v2 manifest and in no v1 description. BAD_OUTPUT, NO_MEMORY. */
reglet_status reglet__manifest_capabilities(const struct reglet__answer *answer,
                                            const struct reglet__json *manifest,
                                            struct reglet__declarations *list);
reglet_status reglet__manifest_services(const struct reglet__answer *answer,
                                        const struct reglet__json *manifest, reglet_description *description);

#endif
