#include "util/sha256.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

bool reglet__sha256(const void *data, size_t size, struct reglet__sha256 *out) {
    OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();
    EVP_MD *digest = context ? EVP_MD_fetch(context, "SHA256", NULL) : NULL;
    bool done = digest && EVP_Digest(data, size, out->bytes, NULL, digest, NULL) == 1;
    EVP_MD_free(digest);
    OSSL_LIB_CTX_free(context);
    return done;
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
