#include "sha256.h"

#include <stdio.h>
#include <string.h>

static uint32_t rotate_right(uint32_t value, int bits) {
    return value >> bits | value << (32 - bits);
}

static uint32_t load_be32(const unsigned char *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void store_be32(unsigned char *bytes, uint32_t value) {
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* The fractional parts of the cube roots of the first 64 primes. */
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* The message schedule: the block's 16 words, stretched to 64. */
static void expand(const unsigned char *block, uint32_t words[64]) {
    for (int i = 0; i < 16; i++)
        words[i] = load_be32(block + 4 * i);
    for (int i = 16; i < 64; i++) {
        uint32_t near = words[i - 2], far = words[i - 15];
        uint32_t small1 = rotate_right(near, 17) ^ rotate_right(near, 19) ^ near >> 10;
        uint32_t small0 = rotate_right(far, 7) ^ rotate_right(far, 18) ^ far >> 3;
        words[i] = small1 + words[i - 7] + small0 + words[i - 16];
    }
}

static void compress(uint32_t state[8], const unsigned char *block) {
    uint32_t words[64], v[8];
    expand(block, words);
    memcpy(v, state, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t big1 = rotate_right(v[4], 6) ^ rotate_right(v[4], 11) ^ rotate_right(v[4], 25);
        uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint32_t big0 = rotate_right(v[0], 2) ^ rotate_right(v[0], 13) ^ rotate_right(v[0], 22);
        uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        uint32_t first = v[7] + big1 + choice + round_constants[i] + words[i];
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += first;
        v[0] = first + big0 + majority;
    }
    for (int i = 0; i < 8; i++)
        state[i] += v[i];
}

void sha256_init(struct sha256 *hash) {
    /* The fractional parts of the square roots of the first eight primes. */
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(hash->state, start, sizeof start);
    hash->total = 0;
}

void sha256_update(struct sha256 *hash, const void *data, size_t size) {
    const unsigned char *bytes = data;
    size_t held = hash->total % SHA256_BLOCK;
    hash->total += size;
    if (held) {
        size_t missing = SHA256_BLOCK - held, taken = size < missing ? size : missing;
        memcpy(hash->block + held, bytes, taken);
        if (taken < missing)
            return;
        compress(hash->state, hash->block);
        bytes += taken;
        size -= taken;
    }
    for (; size >= SHA256_BLOCK; bytes += SHA256_BLOCK, size -= SHA256_BLOCK)
        compress(hash->state, bytes);
    if (size)
        memcpy(hash->block, bytes, size);
}

void sha256_final(struct sha256 *hash, unsigned char out[SHA256_SIZE]) {
    /* A bit 1, zeros up to the last 8 bytes of a block, the length in bits. */
    unsigned char padding[SHA256_BLOCK + 8] = {0x80};
    size_t held = hash->total % SHA256_BLOCK;
    size_t last_block = held < SHA256_BLOCK - 8 ? 0 : SHA256_BLOCK;
    size_t zeros_end = last_block + SHA256_BLOCK - 8 - held;
    uint64_t bits = hash->total * 8;
    store_be32(padding + zeros_end, (uint32_t)(bits >> 32));
    store_be32(padding + zeros_end + 4, (uint32_t)bits);
    sha256_update(hash, padding, zeros_end + 8);
    for (int i = 0; i < 8; i++)
        store_be32(out + 4 * i, hash->state[i]);
}

void sha256_final_text(struct sha256 *hash, char out[SHA256_TEXT_SIZE]) {
    unsigned char digest[SHA256_SIZE];
    sha256_final(hash, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}
