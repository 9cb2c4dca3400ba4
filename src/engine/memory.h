/*
 * memory.h - linear memories of our own: the images that they start from, and the slots that are used again.
 *
 * A slot is a range of addresses in which one instance has its memory. Where the image holds data, it is a private mapping of
 * the image, so that what an instance writes is its own; where the image is zero, it is memory of the slot's own, so that
 * nothing that an instance reads or writes can make the image larger. When the instance is gone, the pages that it wrote are
 * made what they were, and the slot is as good as new: in the steady state no call changes a mapping.
 */
#ifndef REGLET_ENGINE_MEMORY_H
#define REGLET_ENGINE_MEMORY_H

#include <reglet/error.h>
#include <reglet_engine.h>
#include <stdatomic.h>

#include "util/limits.h"

/* --- Images ----------------------------------------------------------------------------------------------- */

/* Bytes of the memory from `start` to before `end`, of whole pages, and where they are in the image's file. */
struct image_range {
    size_t start, end;
    uint64_t offset;
};

/* Where a slot is when it is idle: the same place for all its life. */
struct slot_place {
    _Atomic(struct slot *) slot; /* NULL: nobody's; SLOT_IN_USE: an instance has it */
    atomic_uint given;           /* when it came back, in seconds */
};

/* What memory and globals of fresh instances are. Immutable once it is sealed; reference counted. */
struct reglet__image {
    atomic_uint references;
    int fd; /* a file in memory that nobody can write; or one of compiled code */
    bool is_code;
    size_t size;             /* of the memory */
    char *bytes;             /* the content, mapped; for writing until it is sealed */
    wasmtime_val_t *globals; /* numbers; none: the module's own */
    size_t global_count;
    struct image_range ranges[REGLET__IMAGE_RANGES]; /* ascending: zeroes are outside, holes may be inside */
    size_t range_count;

    struct reglet__image *previous, *next; /* of all images: memory.c */
    atomic_uint slots;                     /* places that a slot has */
    struct slot_place places[REGLET__IDLE_SLOTS];
};

/* Bytes that an image may have in this process. */
size_t reglet__image_most(void);
/* An image of zeroes that can be written, no larger than that. NO_MEMORY, IO. */
reglet_status reglet__image_new(size_t size, struct reglet__image **out, reglet_error **err);
/* An image whose data is in a file of compiled code, from now on. `ranges` as below. NO_MEMORY, IO. */
reglet_status reglet__image_map(int fd, size_t size, const struct image_range *ranges, size_t range_count,
                                struct reglet__image **out, reglet_error **err);
/* Writes the memory of an instance that started from `start` (NULL: from zeroes) into a new image. False: it cannot. */
bool reglet__image_copy(struct reglet__image *image, const struct reglet__image *start, const char *memory);
/* Ends the writing, for good. IO, NO_MEMORY. */
reglet_status reglet__image_seal(struct reglet__image *image, reglet_error **err);
struct reglet__image *reglet__image_ref(struct reglet__image *image);
void reglet__image_unref(struct reglet__image *image);

/* Writes what a fresh instance has from `at` to before `end` into its memory at `memory`. */
void reglet__image_restore(const struct reglet__image *image, char *memory, size_t at, size_t end);

/* --- Slots ------------------------------------------------------------------------------------------------ */

/* Has an engine take its memories from here. */
void reglet__memory_configure(wasm_config_t *config);

/* The image from which the next memory that this thread makes starts; NULL: from zeroes. Borrowed. */
void reglet__memory_wish(struct reglet__image *image);

/* Gives the idle slots that nobody used for so long back to the kernel. False: there is none left, used or not. */
bool reglet__memory_give_back(unsigned seconds);

/* An image comes, or goes with its slots. */
void reglet__memory_add(struct reglet__image *image);
void reglet__memory_remove(struct reglet__image *image);

#endif
