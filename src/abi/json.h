/*
 * json.h - JSON: one strict reader for what guests and operators give, one writer for what the library hands out.
 *
 * simdjson reads, and what it refuses json_scan.h explains. Besides what RFC 8259 refuses, integers beyond 64 bits are
 * refused, and keys with a NUL. It is liberal only where nothing can be lost: invalid UTF-8 and lone surrogate escapes
 * become U+FFFD, and of members with the same key the last value stays. Nesting and the numbers of values, objects and
 * arrays are limited before memory is spent on them. Numbers keep their text, but for -0, which becomes 0.
 *
 * The writer's text is one line of ASCII-safe controls: what could steer a terminal (control characters,
 * bidirectional marks, line separators) is written as a \u escape, which loses nothing.
 */
#ifndef REGLET_ABI_JSON_H
#define REGLET_ABI_JSON_H

#include <reglet/base.h>

#include "abi/arena.h"

enum reglet__json_type {
    REGLET__JSON_NULL,
    REGLET__JSON_FALSE,
    REGLET__JSON_TRUE,
    REGLET__JSON_NUMBER,
    REGLET__JSON_STRING,
    REGLET__JSON_ARRAY,
    REGLET__JSON_OBJECT,
    REGLET__JSON_PRINTED /* only where something is built: `text` is a value that was printed already */
};

/* One value. Lives in the arena that it was read into; strings and keys are NUL-terminated and may hold NULs too. */
struct reglet__json {
    const char *key; /* of an object's member, else NULL */
    union {
        const char *text;           /* string: decoded; number: as it was written */
        struct reglet__json *first; /* array, object: the first value in it, or NULL */
    };
    struct reglet__json *next; /* the next value of the same array or object, or NULL */
    uint32_t key_size;
    uint32_t size; /* string, number: bytes of `text` */
    enum reglet__json_type type;
    uint8_t hold; /* enum reglet__json_hold */
    bool renamed; /* its key is no longer the one that was read */
};

/* What of a value stays as it is when secrets in it are replaced. */
enum reglet__json_hold {
    REGLET__HOLD_NONE, /* nothing */
    REGLET__HOLD_FORM, /* its key, and that it is an object, a list, null or a boolean: the library's own form */
    REGLET__HOLD_ALL /* all of it */
};

/* Why a text is no JSON: what was wrong or expected, and at which byte of how many. */
struct reglet__json_fault {
    const char *what;
    size_t at;
    size_t size;
};

/* REGLET_OK, REGLET_ERR_BAD_OUTPUT with *fault, or REGLET_ERR_NO_MEMORY. */
reglet_status reglet__json_read(struct reglet__arena *arena, const char *bytes, size_t size,
                                struct reglet__json **out, struct reglet__json_fault *fault);

/* The member of that name, or NULL; also when `object` is NULL or no object. */
struct reglet__json *reglet__json_get(const struct reglet__json *object, const char *key);

/* The same without regard to (ASCII) case; the last one that matches. */
const struct reglet__json *reglet__json_get_any_case(const struct reglet__json *object, const char *key);

/* The first value in an array or object; NULL when it is empty, something else, or NULL. */
struct reglet__json *reglet__json_first(const struct reglet__json *parent);

#define REGLET__JSON_EACH(item, parent)                                                                      \
    for (const struct reglet__json *item = reglet__json_first(parent); item; item = item->next)

/* A whole number from `low` to `high`, also when it is written with a fraction of zeros or an exponent; false otherwise. */
bool reglet__json_int(const struct reglet__json *value, int64_t low, int64_t high, int64_t *out);

/* "a string", "an object", …: for messages. */
const char *reglet__json_type_name(enum reglet__json_type type);

/* Whether text and size are that NUL-terminated string. */
bool reglet__json_text_is(const char *text, size_t size, const char *string);

/*
 * Building. A value is copied into the object under a key that is borrowed; what the value holds is shared. They
 * return the new member, or NULL without memory.
 */
struct reglet__json *reglet__json_new_object(struct reglet__arena *arena);
struct reglet__json *reglet__json_add(struct reglet__arena *arena, struct reglet__json *object,
                                      const char *key, size_t key_size, const struct reglet__json *value);
struct reglet__json *reglet__json_add_text(struct reglet__arena *arena, struct reglet__json *object,
                                           const char *key, const char *text);
struct reglet__json *reglet__json_add_number(struct reglet__arena *arena, struct reglet__json *object,
                                             const char *key, uint64_t number);
struct reglet__json *reglet__json_add_literal(struct reglet__arena *arena, struct reglet__json *object,
                                              const char *key, enum reglet__json_type literal);

/* The value as text, NUL-terminated; NULL without memory. `size` may be NULL. */
char *reglet__json_print(struct reglet__arena *arena, const struct reglet__json *value, size_t *size);

/* Bytes that the value has as text. */
size_t reglet__json_printed_size(const struct reglet__json *value);

/* Bytes of a string's longest prefix of whole characters that needs at most `room` bytes as text (without quotes). */
size_t reglet__json_prefix(const char *text, size_t size, size_t room);

#endif
