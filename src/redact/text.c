/* A text with everything secret in it replaced, and what stands in its place. */
#define _GNU_SOURCE
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "redact/redactor.h"
#include "util/fail.h"

enum { DIGEST_BYTES = 32, SHOWN_BYTES = 16 };

/* OpenSSL's own copies of the salt live as long as the context, and are wiped with it. */
static bool hmac(const struct reglet__redact_hash *hash, const void *secret, size_t size,
                 unsigned char digest[DIGEST_BYTES]) {
    char name[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                     OSSL_PARAM_construct_end()};
    size_t length = 0;
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(hash->mac);
    bool done = context && EVP_MAC_init(context, hash->salt, hash->salt_size, parameters) == 1 &&
                EVP_MAC_update(context, secret, size) == 1 &&
                EVP_MAC_final(context, digest, &length, DIGEST_BYTES) == 1 && length == DIGEST_BYTES;
    EVP_MAC_CTX_free(context);
    return done;
}

/* Of a known value the same in whatever form it was found. */
static bool hash_secret(reglet_redactor *redactor, const void *secret, size_t size,
                        unsigned char digest[DIGEST_BYTES]) {
    struct reglet__values *values = reglet__redactor_values(redactor);
    reglet_secret plain = {0};
    bool done = !values || reglet__values_identify(values, secret, size, &plain) == REGLET_OK;
    if (!plain.bytes)
        plain = (reglet_secret){secret, size};
    done = done && hmac(&redactor->hash, plain.bytes, plain.size, digest);
    reglet__values_unref(values);
    return done;
}

size_t reglet__redact_replacement(const reglet_redactor *redactor, const void *secret, size_t size,
                                  char out[REGLET__REDACT_REPLACEMENT_SIZE]) {
    static const char plain[] = "[REDACTED]", prefix[] = "[hmac:";
    unsigned char digest[DIGEST_BYTES];
    /* The set of known values is reference counted, and nothing else changes. */
    if (!redactor->hash.salt || !hash_secret((reglet_redactor *)redactor, secret, size, digest)) {
        memcpy(out, plain, sizeof plain);
        return sizeof plain - 1;
    }
    size_t at = sizeof prefix - 1;
    memcpy(out, prefix, at);
    for (size_t i = 0; i < SHOWN_BYTES; i++, at += 2)
        snprintf(out + at, 3, "%02x", digest[i]);
    memcpy(out + at, "]", 2);
    return at + 1;
}

/* All replacements have the same length; at most, should a hash fail. */
static size_t replaced_size(const reglet_redactor *redactor, size_t size,
                            const struct reglet__redact_spans *spans) {
    size_t each = redactor->hash.salt ? strlen("[hmac:]") + 2 * SHOWN_BYTES : strlen("[REDACTED]");
    for (size_t i = 0; i < spans->count; i++)
        size -= spans->items[i].end - spans->items[i].start;
    return size + spans->count * each;
}

/* Writes the text to `out`; how long it is. */
static size_t write_replaced(reglet_redactor *redactor, const char *text, size_t size,
                             const struct reglet__redact_spans *spans, char *out) {
    size_t from = 0, length = 0;
    for (size_t i = 0; i < spans->count; i++) {
        const struct reglet__redact_span *span = &spans->items[i];
        char replacement[REGLET__REDACT_REPLACEMENT_SIZE];
        memcpy(out + length, text + from, span->start - from);
        length += span->start - from;
        size_t added =
            reglet__redact_replacement(redactor, text + span->start, span->end - span->start, replacement);
        memcpy(out + length, replacement, added);
        length += added;
        from = span->end;
        reglet__redact_count(redactor, span->rule, 1);
    }
    memcpy(out + length, text + from, size - from);
    length += size - from;
    out[length] = '\0';
    return length;
}

reglet_status reglet__redact_text(reglet_redactor *redactor, const char *text, size_t size, char **out,
                                  size_t *out_size, struct reglet__redact_tally *tally) {
    _cleanup_spans_ struct reglet__redact_spans spans = {0};
    *out = NULL;
    reglet_status status = reglet__redact_find(redactor, text, size, &spans);
    if (status != REGLET_OK || spans.count == 0)
        return status;
    char *replaced = malloc(replaced_size(redactor, size, &spans) + 1);
    if (!replaced)
        return REGLET_ERR_NO_MEMORY;
    *out_size = write_replaced(redactor, text, size, &spans, replaced);
    *out = replaced;
    if (tally)
        tally->count += spans.count;
    return REGLET_OK;
}

static char *copy_of(const char *text, size_t size) {
    char *copy = size < SIZE_MAX ? malloc(size + 1) : NULL;
    if (copy && size > 0)
        memcpy(copy, text, size);
    if (copy)
        copy[size] = '\0';
    return copy;
}

reglet_status reglet_redactor_redact(reglet_redactor *redactor, const char *text, size_t size, char **out,
                                     size_t *out_size, reglet_error **err) {
    if (!redactor || (!text && size > 0) || !out)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "redacting needs a redactor, a text and a place for the result");
    char *redacted = NULL;
    size_t redacted_size = size;
    reglet_status status = reglet__redact_text(redactor, text, size, &redacted, &redacted_size, NULL);
    if (status == REGLET_ERR_INVALID_ARGUMENT)
        return reglet__fail(err, status, REGLET_DOMAIN_RUNTIME,
                            "the text has %zu bytes; what has 4 GiB and more has to come in pieces "
                            "(reglet_redact_stream_new)",
                            size);
    if (status == REGLET_OK && !redacted)
        redacted = copy_of(text, size);
    if (!redacted)
        return reglet__fail_memory(err);
    *out = redacted;
    if (out_size)
        *out_size = redacted_size;
    return REGLET_OK;
}
