/*
 * options.h - taking in option structures that grow at their end.
 */
#ifndef REGLET_UTIL_OPTIONS_H
#define REGLET_UTIL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * Copies `given`, which begins with its own size_t struct_size, into `out` of `size` bytes; what an older caller's
 * structure does not have is zero, and so is everything for NULL. False when struct_size is 0, or larger than this
 * library knows.
 */
static inline bool reglet__options_copy(void *out, size_t size, const void *given) {
    size_t given_size = 0;
    memset(out, 0, size);
    if (!given)
        return true;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size || given_size > size)
        return false;
    memcpy(out, given, given_size);
    return true;
}

/* The error for a structure that reglet__options_copy() refused. */
#define reglet__fail_options(err, what, macro)                                                               \
    reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,                                    \
                 what ": struct_size is not one this library knows; begin with " macro)

#endif
