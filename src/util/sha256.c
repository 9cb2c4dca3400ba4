#define _GNU_SOURCE
#include "util/sha256.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In a context of its own: what a program sets in OpenSSL's default one changes nothing here. */
static bool hash(bool (*feed)(EVP_MD_CTX *state, const void *from, uint64_t size), const void *from,
                 uint64_t size, struct reglet__sha256 *out) {
    OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();
    EVP_MD *digest = context ? EVP_MD_fetch(context, "SHA256", NULL) : NULL;
    EVP_MD_CTX *state = digest ? EVP_MD_CTX_new() : NULL;
    errno = 0;
    bool done = state && EVP_DigestInit_ex2(state, digest, NULL) == 1 && feed(state, from, size) &&
                EVP_DigestFinal_ex(state, out->bytes, NULL) == 1;
    EVP_MD_CTX_free(state);
    EVP_MD_free(digest);
    OSSL_LIB_CTX_free(context);
    return done;
}

static bool feed_bytes(EVP_MD_CTX *state, const void *bytes, uint64_t size) {
    return EVP_DigestUpdate(state, bytes, (size_t)size) == 1;
}

bool reglet__sha256(const void *data, size_t size, struct reglet__sha256 *out) {
    return hash(feed_bytes, data, size, out);
}

/* In pieces that stay in the processor's cache. */
static bool feed_file(EVP_MD_CTX *state, const void *from, uint64_t size) {
    enum { PIECE = 256 << 10 };
    int fd = *(const int *)from;
    char *piece = malloc(PIECE);
    bool done = piece != NULL;
    for (uint64_t at = 0; done && at < size;) {
        size_t wanted = size - at < PIECE ? (size_t)(size - at) : PIECE;
        ssize_t n = pread(fd, piece, wanted, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO; /* it has become shorter */
        done = n > 0 && EVP_DigestUpdate(state, piece, (size_t)n) == 1;
        at += n > 0 ? (uint64_t)n : 0;
    }
    free(piece);
    return done;
}

bool reglet__sha256_file(int fd, uint64_t size, struct reglet__sha256 *out) {
    return hash(feed_file, &fd, size, out);
}

bool reglet__sha256_equal(const struct reglet__sha256 *a, const struct reglet__sha256 *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void reglet__sha256_to_hex(const struct reglet__sha256 *hash, char out[65]) {
    for (size_t i = 0; i < sizeof hash->bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", hash->bytes[i]);
}

static int digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool reglet__sha256_from_hex(const char *text, struct reglet__sha256 *out) {
    if (strlen(text) != 64)
        return false;
    for (size_t i = 0; i < sizeof out->bytes; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out->bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
