/*
 * schema.h - a schema with what it lives in: read by schema.c, held against configs by schema_check.c.
 */
#ifndef REGLET_ABI_SCHEMA_H
#define REGLET_ABI_SCHEMA_H

#include <reglet/plugin.h>
#include <stdatomic.h>

#include "abi/arena.h"

/* The public part comes first: a pointer to one is a pointer to the other. */
struct reglet__kept_schema {
    reglet_schema public;
    atomic_uint references;
    struct reglet__arena arena;
    bool closed; /* fields that it does not name are not allowed */
};

static inline struct reglet__kept_schema *reglet__kept_schema(const reglet_schema *schema) {
    return (struct reglet__kept_schema *)(uintptr_t)schema;
}

#endif
