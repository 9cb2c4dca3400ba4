/*
 * sha256.h - SHA-256 of bytes, by OpenSSL in a context of its own: no configuration file or environment of
 * the process has a say.
 */
#ifndef REGLET_UTIL_SHA256_H
#define REGLET_UTIL_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reglet__sha256 {
    unsigned char bytes[32];
};

/* False when OpenSSL has no memory (or no SHA-256). */
bool reglet__sha256(const void *data, size_t size, struct reglet__sha256 *out);

/* Of the first `size` bytes of a file. False too when it has fewer, or cannot be read: then errno is not 0. */
bool reglet__sha256_file(int fd, uint64_t size, struct reglet__sha256 *out);

bool reglet__sha256_equal(const struct reglet__sha256 *a, const struct reglet__sha256 *b);

/* 64 lower-case digits and a NUL. */
void reglet__sha256_to_hex(const struct reglet__sha256 *hash, char out[65]);

/* Takes 64 hexadecimal digits in either case; false for anything else. */
bool reglet__sha256_from_hex(const char *text, struct reglet__sha256 *out);

#endif
