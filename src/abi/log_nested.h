/*
 * log_nested.h - what is nested in an attribute of a log message, shown to a screen.
 */
#ifndef REGLET_ABI_LOG_NESTED_H
#define REGLET_ABI_LOG_NESTED_H

#include "abi/abi.h"
#include "abi/json.h"

/* Replaces what may not leave in one attribute's value, in place; what is new lives in the arena. NO_MEMORY. */
reglet_status reglet__log_nested_screen(struct reglet__arena *arena, const struct reglet__json *attr,
                                        const struct reglet__screen *screen);

#endif
