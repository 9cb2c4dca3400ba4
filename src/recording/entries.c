/* The entries of a directory, as fd_readdir writes them one behind the other, and the last one as far as it fits. */
#include "recording/internal.h"
#include "wasi/preview1.h"

static uint64_t take_number(const unsigned char *at, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static bool take_entry(struct reglet__arena *arena, const unsigned char *at, uint64_t name_size,
                       struct reglet__json *out) {
    return reglet__json_add_number(arena, out, "next", take_number(at, 8)) &&
           reglet__json_add_number(arena, out, "ino", take_number(at + WASI_DIRENT_INO, 8)) &&
           reglet__json_add_number(arena, out, "type", at[WASI_DIRENT_TYPE]) &&
           reglet__value_add_bytes(arena, out, "name", at + WASI_DIRENT_SIZE, name_size);
}

bool reglet__entries_take(struct reglet__arena *arena, const unsigned char *data, uint32_t size,
                          struct reglet__json *out) {
    struct reglet__json *list = reglet__value_add_array(arena, out, "entries");
    struct reglet__json **link = list ? &list->first : NULL;
    uint32_t at = 0;
    while (list && size - at >= WASI_DIRENT_SIZE) {
        uint64_t name_size = take_number(data + at + WASI_DIRENT_NAMLEN, 4);
        struct reglet__json entry = {.type = REGLET__JSON_OBJECT};
        if (name_size > size - at - WASI_DIRENT_SIZE)
            break;
        if (!take_entry(arena, data + at, name_size, &entry) || !reglet__value_append(arena, &link, &entry))
            return false;
        at += WASI_DIRENT_SIZE + (uint32_t)name_size;
    }
    return list && (at == size || reglet__value_add_bytes(arena, out, "cut", data + at, size - at));
}

static void put_number(unsigned char *at, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t member(const struct reglet__json *object, const char *key) {
    uint64_t value = 0;
    reglet__value_get_u64(reglet__json_get(object, key), &value);
    return value;
}

unsigned char *reglet__entries_print(struct reglet__arena *arena, const struct reglet__json *out,
                                     size_t *size) {
    const struct reglet__json *list = reglet__json_get(out, "entries"), *cut = reglet__json_get(out, "cut");
    const char *name, *rest = "";
    size_t name_size, rest_size = 0, total = 0;
    REGLET__JSON_EACH (entry, list) {
        if (!reglet__value_get_bytes(arena, reglet__json_get(entry, "name"), &name, &name_size))
            return NULL;
        total += WASI_DIRENT_SIZE + name_size;
    }
    if (cut && !reglet__value_get_bytes(arena, cut, &rest, &rest_size))
        return NULL;
    unsigned char *data = reglet__arena_alloc(arena, total + rest_size + 1), *at = data;
    REGLET__JSON_EACH (entry, list) {
        if (!data || !reglet__value_get_bytes(arena, reglet__json_get(entry, "name"), &name, &name_size))
            return NULL;
        put_number(at, member(entry, "next"), 8);
        put_number(at + WASI_DIRENT_INO, member(entry, "ino"), 8);
        put_number(at + WASI_DIRENT_NAMLEN, name_size, 4);
        at[WASI_DIRENT_TYPE] = (unsigned char)member(entry, "type");
        memcpy(at + WASI_DIRENT_SIZE, name, name_size);
        at += WASI_DIRENT_SIZE + name_size;
    }
    if (data)
        memcpy(at, rest, rest_size);
    *size = total + rest_size;
    return data;
}
