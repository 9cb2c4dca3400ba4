/* The members of a request, and of its response. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "host/request.h"
#include "util/cleanup.h"
#include "util/limits.h"
#include "util/text.h"

/* --- Reading --------------------------------------------------------------------------------------------- */

/* The first name of "a|b": what messages call the member. */
static int first_name(const char *key) {
    return (int)strcspn(key, "|");
}

const struct reglet__json *reglet__host_get(const struct reglet__host_request *request, const char *key) {
    char name[64];
    for (const char *at = key;; at++) {
        size_t size = strcspn(at, "|");
        snprintf(name, sizeof name, "%.*s", (int)size, at);
        const struct reglet__json *value = reglet__json_get(request->json, name);
        if (value && value->type != REGLET__JSON_NULL)
            return value;
        at += size;
        if (!*at)
            return NULL;
    }
}

static reglet_status should_be(struct reglet__host_request *request, const char *key, const char *what) {
    return reglet__host_fail(request, "validation", "EINVAL", "%.*s must be %s", first_name(key), key, what);
}

reglet_status reglet__host_get_string(struct reglet__host_request *request, const char *key, bool required,
                                      const char **out) {
    const struct reglet__json *value = reglet__host_get(request, key);
    if (!value && !required)
        return REGLET_OK;
    if (!value)
        return reglet__host_fail(request, "validation", "EINVAL", "%.*s is missing", first_name(key), key);
    if (value->type != REGLET__JSON_STRING || memchr(value->text, '\0', value->size))
        return should_be(request, key, "a string without NUL characters");
    *out = value->text;
    return REGLET_OK;
}

reglet_status reglet__host_get_bool(struct reglet__host_request *request, const char *key, bool *out) {
    const struct reglet__json *value = reglet__host_get(request, key);
    if (!value)
        return REGLET_OK;
    if (value->type != REGLET__JSON_TRUE && value->type != REGLET__JSON_FALSE)
        return should_be(request, key, "true or false");
    *out = value->type == REGLET__JSON_TRUE;
    return REGLET_OK;
}

reglet_status reglet__host_get_int(struct reglet__host_request *request, const char *key, int64_t low,
                                   int64_t high, int64_t *out) {
    const struct reglet__json *value = reglet__host_get(request, key);
    if (!value || reglet__json_int(value, low, high, out))
        return REGLET_OK;
    char what[96];
    if (high == INT64_MAX)
        snprintf(what, sizeof what, "a whole number from %lld on", (long long)low);
    else
        snprintf(what, sizeof what, "a whole number from %lld to %lld", (long long)low, (long long)high);
    return should_be(request, key, what);
}

reglet_status reglet__host_get_port(struct reglet__host_request *request, const char *key, uint16_t *out) {
    const struct reglet__json *value = reglet__host_get(request, key);
    if (!value)
        return reglet__host_fail(request, "validation", "EINVAL", "%.*s is missing", first_name(key), key);
    bool text = value->type == REGLET__JSON_STRING || value->type == REGLET__JSON_NUMBER;
    if (!text || reglet__endpoint_port(value->text, value->size, out))
        return should_be(request, key, "a port from 1 to 65535");
    return REGLET_OK;
}

/* EVP_DecodeBlock() takes padding anywhere and spaces around; what a guest wrote is checked first. */
static bool is_base64(const char *text, size_t size) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t padding = 0;
    while (padding < 2 && padding < size && text[size - 1 - padding] == '=')
        padding++;
    return size % 4 == 0 && !memchr(text, '\0', size) && strspn(text, alphabet) == size - padding;
}

reglet_status reglet__host_get_base64(struct reglet__host_request *request, const char *key,
                                      const void **data, size_t *size) {
    const struct reglet__json *value = reglet__host_get(request, key);
    if (!value)
        return REGLET_OK;
    if (value->type != REGLET__JSON_STRING || !is_base64(value->text, value->size))
        return should_be(request, key, "base64 (RFC 4648, padded)");
    unsigned char *out = reglet__arena_alloc(&request->arena, value->size / 4 * 3 + 1);
    if (!out)
        return REGLET_ERR_NO_MEMORY;
    int length = EVP_DecodeBlock(out, (const unsigned char *)value->text, (int)value->size);
    for (size_t i = 0; i < 2 && i < value->size; i++)
        length -= value->text[value->size - 1 - i] == '=';
    *data = out;
    *size = length > 0 ? (size_t)length : 0;
    return REGLET_OK;
}

reglet_status reglet__host_get_strings(struct reglet__host_request *request, const char *key,
                                       const char ***list, size_t *count) {
    const struct reglet__json *value = reglet__host_get(request, key);
    size_t total = 0;
    if (value && value->type != REGLET__JSON_ARRAY)
        return should_be(request, key, "a list of strings");
    REGLET__JSON_EACH (item, value) {
        if (item->type != REGLET__JSON_STRING || memchr(item->text, '\0', item->size))
            return should_be(request, key, "a list of strings without NUL characters");
        total++;
    }
    const char **items = reglet__arena_alloc(&request->arena, (total + 1) * sizeof *items);
    if (!items)
        return REGLET_ERR_NO_MEMORY;
    *list = items;
    *count = total;
    REGLET__JSON_EACH (item, value)
        *items++ = item->text;
    return REGLET_OK;
}

/* --- Writing --------------------------------------------------------------------------------------------- */

static reglet_status added(const struct reglet__json *member) {
    return member ? REGLET_OK : REGLET_ERR_NO_MEMORY;
}

reglet_status reglet__host_put_text(struct reglet__host_request *request, const char *key, const char *text,
                                    size_t size) {
    char *copy = reglet__arena_alloc(&request->arena, reglet__utf8_repair_size(size));
    if (!copy)
        return REGLET_ERR_NO_MEMORY;
    struct reglet__json value = {.type = REGLET__JSON_STRING, .text = copy};
    value.size = (uint32_t)reglet__utf8_repair(text, size, copy);
    return added(reglet__json_add(&request->arena, request->response, key, strlen(key), &value));
}

reglet_status reglet__host_put_string(struct reglet__host_request *request, const char *key,
                                      const char *text) {
    return reglet__host_put_text(request, key, text, strlen(text));
}

reglet_status reglet__host_put_bool(struct reglet__host_request *request, const char *key, bool value) {
    return added(reglet__json_add_literal(&request->arena, request->response, key,
                                          value ? REGLET__JSON_TRUE : REGLET__JSON_FALSE));
}

reglet_status reglet__host_put_int(struct reglet__host_request *request, const char *key, int64_t value) {
    char digits[REGLET__DECIMAL_SIZE];
    struct reglet__json number = {.type = REGLET__JSON_NUMBER,
                                  .size = (uint32_t)reglet__decimal(value, digits)};
    number.text = reglet__arena_copy(&request->arena, digits, number.size);
    if (!number.text)
        return REGLET_ERR_NO_MEMORY;
    return added(reglet__json_add(&request->arena, request->response, key, strlen(key), &number));
}

reglet_status reglet__host_put_base64(struct reglet__host_request *request, const char *key, const void *data,
                                      size_t size) {
    char *text = size < REGLET__MAX_RESPONSE_BYTES
                     ? reglet__arena_alloc(&request->arena, (size + 2) / 3 * 4 + 1)
                     : NULL;
    if (!text)
        return REGLET_ERR_NO_MEMORY;
    struct reglet__json value = {.type = REGLET__JSON_STRING, .text = text};
    value.size = (uint32_t)EVP_EncodeBlock((unsigned char *)text, data, (int)size);
    return added(reglet__json_add(&request->arena, request->response, key, strlen(key), &value));
}

reglet_status reglet__host_put_latency(struct reglet__host_request *request, int64_t since) {
    int64_t ms = (reglet__now() - since) / REGLET__NS_PER_MS;
    reglet_status status = reglet__host_put_int(request, "response_time_ms", ms);
    return status == REGLET_OK ? reglet__host_put_int(request, "latency_ms", ms) : status;
}
