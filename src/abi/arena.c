#include "abi/arena.h"

#include <stdint.h>
#include <string.h>

/* Under AddressSanitizer each piece is an allocation of its own, so that reading past one is seen. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SEPARATE_PIECES 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SEPARATE_PIECES 1
#endif

#ifdef SEPARATE_PIECES
enum { FIRST_BLOCK = 0, LARGEST_BLOCK = 0 };
#else
enum { FIRST_BLOCK = 4000, LARGEST_BLOCK = 1 << 20 };
#endif

enum { ALIGNMENT = _Alignof(max_align_t) };

struct reglet__arena_block {
    struct reglet__arena_block *next;
    size_t used;
    size_t size;
    max_align_t data[];
};

static struct reglet__arena_block *add_block(struct reglet__arena *arena, size_t needed) {
    size_t size = arena->blocks ? arena->blocks->size * 2 : FIRST_BLOCK;
    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < needed)
        size = needed;
    struct reglet__arena_block *block = malloc(sizeof *block + size);
    if (!block)
        return NULL;
    *block = (struct reglet__arena_block){.next = arena->blocks, .size = size};
    return arena->blocks = block;
}

static void *take(struct reglet__arena *arena, size_t size) {
    if (size > SIZE_MAX / 4)
        return NULL;
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct reglet__arena_block *block = arena->blocks;
    if (!block || block->size - block->used < rounded)
        block = add_block(arena, rounded);
    if (!block)
        return NULL;
    void *memory = (char *)block->data + block->used;
    block->used += rounded;
    return memory;
}

void *reglet__arena_alloc(struct reglet__arena *arena, size_t size) {
    void *memory = take(arena, size);
    return memory ? memset(memory, 0, size) : NULL;
}

char *reglet__arena_copy(struct reglet__arena *arena, const void *data, size_t size) {
    char *copy = size < SIZE_MAX ? take(arena, size + 1) : NULL;
    if (!copy)
        return NULL;
    if (size)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

void reglet__arena_free(struct reglet__arena *arena) {
    while (arena->blocks) {
        struct reglet__arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}
