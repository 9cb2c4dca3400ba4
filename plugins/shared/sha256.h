/*
 * sha256.h - SHA-256 (FIPS 180-4) for the guest: Debian has no library with it for this target, and the host lends none.
 */
#ifndef REGLET_PLUGINS_SHA256_H
#define REGLET_PLUGINS_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BLOCK = 64, SHA256_SIZE = 32, SHA256_TEXT_SIZE = 65 };

struct sha256 {
    uint32_t state[8];
    uint64_t total; /* bytes so far */
    unsigned char block[SHA256_BLOCK];
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t size);
void sha256_final(struct sha256 *hash, unsigned char out[SHA256_SIZE]);
void sha256_final_text(struct sha256 *hash, char out[SHA256_TEXT_SIZE]); /* in hexadecimal */

#endif
