#define _GNU_SOURCE
#include "util/blob.h"

#include <stdlib.h>
#include <sys/mman.h>

/* In pages of 2 MiB, where the kernel gives them: filling 4 KiB at a time costs more than reading the file. */
static char *allocate(size_t size) {
    static const size_t huge = (size_t)2 << 20;
    if (size < 2 * huge)
        return malloc(size ? size : 1);
    size_t rounded = (size + huge - 1) & ~(huge - 1);
    char *bytes = rounded >= size ? aligned_alloc(huge, rounded) : NULL;
    if (bytes)
        madvise(bytes, size & ~(huge - 1), MADV_HUGEPAGE);
    return bytes;
}

struct reglet__blob *reglet__blob_new(size_t size) {
    struct reglet__blob *blob = calloc(1, sizeof *blob);
    if (!blob)
        return NULL;
    blob->bytes = allocate(size);
    if (!blob->bytes) {
        free(blob);
        return NULL;
    }
    atomic_init(&blob->references, 1);
    blob->size = size;
    return blob;
}

struct reglet__blob *reglet__blob_ref(struct reglet__blob *blob) {
    atomic_fetch_add_explicit(&blob->references, 1, memory_order_relaxed);
    return blob;
}

void reglet__blob_unref(struct reglet__blob *blob) {
    if (!blob || atomic_fetch_sub_explicit(&blob->references, 1, memory_order_acq_rel) != 1)
        return;
    free(blob->bytes);
    free(blob);
}
