#include "wasi/cookies.h"

#include <stdlib.h>

#include "util/cleanup.h"
#include "wasi/preview1.h"

enum { FIRST_CAPACITY = 32 };

void reglet__wasi_cookies_free(struct reglet__wasi_cookies *cookies) {
    free(cookies->positions);
    free(cookies->slots);
    *cookies = (struct reglet__wasi_cookies){.count = 0};
}

/* The slot that holds a position's cookie, or the free one where it belongs. One half is always free. */
static uint32_t *slot_of(const struct reglet__wasi_cookies *cookies, int64_t position) {
    size_t mask = 2 * cookies->capacity - 1;
    /* Positions count up, or are a hash in their upper bits: multiplied, the middle depends on all of them. */
    size_t at = (size_t)(((uint64_t)position * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & mask;
    while (cookies->slots[at] && cookies->positions[cookies->slots[at] - 1] != position)
        at = (at + 1) & mask;
    return &cookies->slots[at];
}

static int grow(struct reglet__wasi_cookies *cookies) {
    size_t capacity = cookies->capacity ? 2 * cookies->capacity : FIRST_CAPACITY;
    _cleanup_free_ uint32_t *slots = calloc(2 * capacity, sizeof *slots);
    int64_t *positions = slots ? realloc(cookies->positions, capacity * sizeof *positions) : NULL;
    if (!positions)
        return WASI_ENOMEM;
    free(cookies->slots);
    cookies->positions = positions;
    cookies->slots = take_ptr(slots);
    cookies->capacity = capacity;
    for (size_t i = 0; i < cookies->count; i++)
        *slot_of(cookies, positions[i]) = (uint32_t)(i + 1);
    return WASI_SUCCESS;
}

int reglet__wasi_cookies_give(struct reglet__wasi_cookies *cookies, int64_t position, size_t limit,
                              uint32_t *out) {
    *out = cookies->capacity ? *slot_of(cookies, position) : 0;
    if (*out)
        return WASI_SUCCESS;
    if (cookies->count >= limit)
        return WASI_EOVERFLOW;
    int error = cookies->count == cookies->capacity ? grow(cookies) : WASI_SUCCESS;
    if (error)
        return error;
    uint32_t *slot = slot_of(cookies, position);
    cookies->positions[cookies->count++] = position;
    *slot = *out = (uint32_t)cookies->count;
    return WASI_SUCCESS;
}

int64_t reglet__wasi_cookies_position(const struct reglet__wasi_cookies *cookies, uint64_t cookie) {
    if (cookie == 0)
        return 0;
    return cookie <= cookies->count ? cookies->positions[cookie - 1] : -1;
}
