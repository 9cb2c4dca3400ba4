/*
 * blob.h - bytes that several threads share, and that nobody changes once they do.
 */
#ifndef REGLET_UTIL_BLOB_H
#define REGLET_UTIL_BLOB_H

#include <stdatomic.h>
#include <stddef.h>

struct reglet__blob {
    atomic_uint references;
    size_t size;
    char *bytes;
};

/* With one reference, to be filled by the caller. NULL without memory. */
struct reglet__blob *reglet__blob_new(size_t size);
struct reglet__blob *reglet__blob_ref(struct reglet__blob *blob);
/* NULL is allowed. */
void reglet__blob_unref(struct reglet__blob *blob);

#endif
