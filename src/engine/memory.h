/*
 * memory.h - linear memories of our own: the images that they start from, and the slots that are used again.
 *
 * A slot is a range of addresses in which one instance has its memory. Its first pages are a private mapping of the image,
 * so that what an instance writes is its own. When the instance is gone, the pages that it wrote are copied back from the
 * image, and the slot is as good as new: in the steady state no call changes a mapping.
 */
#ifndef REGLET_ENGINE_MEMORY_H
#define REGLET_ENGINE_MEMORY_H

#include <reglet/error.h>
#include <reglet_engine.h>
#include <stdatomic.h>

#include "util/limits.h"

struct slot;

/* What memory and globals of fresh instances are. Immutable once it is sealed; reference counted. */
struct reglet__image {
    atomic_uint references;
    int fd;                  /* memfd */
    size_t size;             /* of the memory */
    char *bytes;             /* the content, mapped; for writing until it is sealed */
    wasmtime_val_t *globals; /* numbers; none: the module's own */
    size_t global_count;
    _Atomic(struct slot *) idle[REGLET__IDLE_SLOTS];
};

/* Bytes that an image may have in this process. */
size_t reglet__image_most(void);
/* An image of zeroes that can be written, no larger than that. NO_MEMORY, IO. */
reglet_status reglet__image_new(size_t size, struct reglet__image **out, reglet_error **err);
/* Writes the memory of an instance that started from `start` (NULL: from zeroes). */
void reglet__image_copy(struct reglet__image *image, const struct reglet__image *start, const char *memory);
/* Ends the writing. IO. */
reglet_status reglet__image_seal(struct reglet__image *image, reglet_error **err);
struct reglet__image *reglet__image_ref(struct reglet__image *image);
void reglet__image_unref(struct reglet__image *image);

/* Has an engine take its memories from here. */
void reglet__memory_configure(wasm_config_t *config);

/* The image from which the next memory that this thread makes starts; NULL: from zeroes. Borrowed. */
void reglet__memory_wish(struct reglet__image *image);

/* Whether what was written is found by the kernel (PAGEMAP_SCAN, Linux 6.7); otherwise mappings are thrown away. */
bool reglet__memory_scans(void);

#endif
