#define _GNU_SOURCE
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "recording/internal.h"
#include "util/limits.h"
#include "util/text.h"

char *reglet__base64_encode(struct reglet__arena *arena, const void *data, size_t size, size_t *out_size) {
    char *text =
        size < REGLET__MAX_RESPONSE_BYTES ? reglet__arena_alloc(arena, (size + 2) / 3 * 4 + 1) : NULL;
    if (text)
        *out_size = (size_t)EVP_EncodeBlock((unsigned char *)text, data, (int)size);
    return text;
}

static bool is_base64(const char *text, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t padding = size && text[size - 1] == '=' ? (text[size - 2] == '=') + 1U : 0;
    return strspn(text, digits) == size - padding;
}

char *reglet__base64_decode(struct reglet__arena *arena, const char *text, size_t size, size_t *out_size) {
    if (size % 4 || size > INT32_MAX || !is_base64(text, size))
        return NULL;
    char *data = reglet__arena_alloc(arena, size / 4 * 3 + 1);
    if (!data || EVP_DecodeBlock((unsigned char *)data, (const unsigned char *)text, (int)size) < 0)
        return NULL;
    size_t padding = size && text[size - 1] == '=' ? (text[size - 2] == '=') + 1U : 0;
    *out_size = size / 4 * 3 - padding;
    return data;
}

bool reglet__value_bytes(struct reglet__arena *arena, const void *data, size_t size,
                         struct reglet__json *out) {
    size_t shown = size;
    bool is_text = reglet__utf8_valid(data, size);
    const char *text =
        is_text ? reglet__arena_copy(arena, data, size) : reglet__base64_encode(arena, data, size, &shown);
    struct reglet__json string = {.text = text, .size = (uint32_t)shown, .type = REGLET__JSON_STRING};
    if (!text || shown > UINT32_MAX)
        return false;
    *out = string;
    if (is_text)
        return true;
    *out = (struct reglet__json){.type = REGLET__JSON_OBJECT};
    return reglet__json_add(arena, out, "base64", strlen("base64"), &string);
}

bool reglet__value_get_bytes(struct reglet__arena *arena, const struct reglet__json *value, const char **out,
                             size_t *size) {
    const struct reglet__json *base64 = reglet__json_get(value, "base64");
    if (value && value->type == REGLET__JSON_STRING) {
        *out = value->text;
        *size = value->size;
        return true;
    }
    if (!base64 || base64->type != REGLET__JSON_STRING)
        return false;
    *out = reglet__base64_decode(arena, base64->text, base64->size, size);
    return *out;
}

bool reglet__value_get_u64(const struct reglet__json *value, uint64_t *out) {
    if (!value || value->type != REGLET__JSON_NUMBER || value->size > 20 ||
        strspn(value->text, "0123456789") != value->size)
        return false;
    errno = 0;
    *out = strtoull(value->text, NULL, 10);
    return errno == 0;
}

bool reglet__value_add_bytes(struct reglet__arena *arena, struct reglet__json *object, const char *key,
                             const void *data, size_t size) {
    struct reglet__json value;
    return reglet__value_bytes(arena, data, size, &value) &&
           reglet__json_add(arena, object, key, strlen(key), &value);
}

struct reglet__json *reglet__value_add_array(struct reglet__arena *arena, struct reglet__json *object,
                                             const char *key) {
    const struct reglet__json empty = {.type = REGLET__JSON_ARRAY};
    return reglet__json_add(arena, object, key, strlen(key), &empty);
}

struct reglet__json *reglet__value_append(struct reglet__arena *arena, struct reglet__json ***link,
                                          const struct reglet__json *value) {
    struct reglet__json *item = reglet__arena_alloc(arena, sizeof *item);
    if (!item)
        return NULL;
    *item = *value;
    item->key = NULL;
    item->next = NULL;
    **link = item;
    *link = &item->next;
    return item;
}

/* Nesting is bounded by the reader's limit. */
static bool copy_into(struct reglet__arena *arena, const struct reglet__json *value,
                      struct reglet__json *out) {
    *out = *value;
    out->next = NULL;
    if (value->key && !(out->key = reglet__arena_copy(arena, value->key, value->key_size)))
        return false;
    if (value->type != REGLET__JSON_ARRAY && value->type != REGLET__JSON_OBJECT)
        return !value->text || (out->text = reglet__arena_copy(arena, value->text, value->size));
    struct reglet__json **link = &out->first;
    *link = NULL;
    REGLET__JSON_EACH (item, value) {
        struct reglet__json *copy = reglet__arena_alloc(arena, sizeof *copy);
        if (!copy || !copy_into(arena, item, copy))
            return false;
        *link = copy;
        link = &copy->next;
    }
    return true;
}

struct reglet__json *reglet__value_copy(struct reglet__arena *arena, const struct reglet__json *value) {
    struct reglet__json *copy = reglet__arena_alloc(arena, sizeof *copy);
    return copy && copy_into(arena, value, copy) ? copy : NULL;
}

static bool fits(const struct reglet__json *value, unsigned depth, size_t *values) {
    if (depth > REGLET__JSON_DEPTH - REGLET__RECORDING_DEPTH || ++*values > REGLET__RECORDING_VALUES)
        return false;
    REGLET__JSON_EACH (item, value)
        if (!fits(item, depth + 1, values))
            return false;
    return true;
}

bool reglet__value_fits(const struct reglet__json *value) {
    size_t values = 0;
    return fits(value, 1, &values);
}

bool reglet__holds_base64(const struct reglet__json *member) {
    static const char *const names[] = {"body", "content", "data"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (member->type == REGLET__JSON_STRING &&
            reglet__json_text_is(member->key, member->key_size, names[i]))
            return true;
    return false;
}
