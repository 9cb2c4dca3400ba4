/*
 * inspection.h - an inspection and the memory it lives in.
 */
#ifndef REGLET_ABI_INSPECTION_H
#define REGLET_ABI_INSPECTION_H

#include <reglet/inspect.h>

#include "abi/arena.h"

/* The public part comes first: a pointer to one is a pointer to the other. */
struct reglet__inspected {
    reglet_inspection public;
    struct reglet__arena arena; /* holds all its texts and lists, but not this structure */
    const char *json;
};

/* All empty; NULL without memory. */
struct reglet__inspected *reglet__inspected_new(void);

/* Prints the JSON, once all else is filled in. False without memory. */
bool reglet__inspected_print(struct reglet__inspected *inspected);

#endif
