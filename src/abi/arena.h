/*
 * arena.h - memory that is given back all at once. What is parsed from one answer lives and dies together, and an
 * allocation that fails leaves nothing to clean up piece by piece.
 */
#ifndef REGLET_ABI_ARENA_H
#define REGLET_ABI_ARENA_H

#include <stddef.h>

#include "util/cleanup.h"

struct reglet__arena_block;

/* All zero is an empty arena. It may be copied: the copy takes over what the original held. */
struct reglet__arena {
    struct reglet__arena_block *blocks;
};

/* Zeroed memory, aligned for everything; NULL without memory. */
void *reglet__arena_alloc(struct reglet__arena *arena, size_t size);

/* A copy with a NUL behind it; NULL without memory. */
char *reglet__arena_copy(struct reglet__arena *arena, const void *data, size_t size);

/* Gives everything back; the arena is empty again. */
void reglet__arena_free(struct reglet__arena *arena);

#define _cleanup_arena_ _cleanup_(reglet__arena_free)

/* Hands the content out of a scope that would free it. */
static inline struct reglet__arena reglet__arena_take(struct reglet__arena *arena) {
    struct reglet__arena taken = *arena;
    arena->blocks = NULL;
    return taken;
}

#endif
