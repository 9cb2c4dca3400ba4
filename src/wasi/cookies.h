/*
 * cookies.h - places in a directory, as numbers that fit into a guest's 32-bit long.
 *
 * A file system's own positions can take all 64 bits (ext4: a hash), and telldir() of a C library for wasm32
 * has 31. So every position that was told is remembered for as long as the directory is open, and the guest
 * gets its number. The same position has the same number, however often the list is begun anew.
 */
#ifndef REGLET_WASI_COOKIES_H
#define REGLET_WASI_COOKIES_H

#include <stddef.h>
#include <stdint.h>

/* The positions of one open directory. All zero: none. */
struct reglet__wasi_cookies {
    int64_t *positions; /* cookie n stands for positions[n - 1]; 0 is the start */
    uint32_t *slots;    /* cookies by the hash of their position, twice as many slots; 0: free */
    size_t count;
    size_t capacity; /* of `positions`: a power of two, or 0 */
};

void reglet__wasi_cookies_free(struct reglet__wasi_cookies *cookies);

/* The cookie of a position: 0, WASI_ENOMEM, or WASI_EOVERFLOW when it is one more than `limit`. */
int reglet__wasi_cookies_give(struct reglet__wasi_cookies *cookies, int64_t position, size_t limit,
                              uint32_t *out);

/* Where a cookie leads, or -1 when it was never given. */
int64_t reglet__wasi_cookies_position(const struct reglet__wasi_cookies *cookies, uint64_t cookie);

#endif
