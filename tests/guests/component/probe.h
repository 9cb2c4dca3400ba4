/*
 * probe.h - what guests share that are written on the bindings of tests/guests/wit/probe.wit, without the SDK: each value
 * goes and comes as WIT has it. Nothing is freed, for an instance has one call.
 */
#ifndef PROBE_H
#define PROBE_H

#include "bindings/probe.h" /* made by wit-bindgen */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef probe_string_t text_t;
typedef reglet_plugin_types_value_t value_t;

static inline text_t text(const char *bytes) {
    return (text_t){(uint8_t *)(uintptr_t)bytes, strlen(bytes)};
}

static inline bool is(text_t found, const char *expected) {
    return found.len == strlen(expected) && memcmp(found.ptr, expected, found.len) == 0;
}

/* What the bindings have in their place frees all of an answer, which here is not always from malloc(). */
#define KEEP(function)                                                                                       \
    __attribute__((export_name("cabi_post_reglet:plugin/plugin@1.1.0#" #function))) void                     \
        __wasm_export_exports_reglet_plugin_plugin_##function##_post_return(uint8_t *answer);                \
    void __wasm_export_exports_reglet_plugin_plugin_##function##_post_return(uint8_t *answer) {              \
        (void)answer;                                                                                        \
    }
KEEP(describe)
KEEP(schema)
KEEP(observe)

/* ---- The config ---------------------------------------------------------------------------------------------- */

static probe_list_tuple2_string_string_t config_values;

/* NULL where there is none. */
static inline text_t *configured(const char *name) {
    for (size_t i = 0; i < config_values.len; i++)
        if (is(config_values.ptr[i].f0, name))
            return &config_values.ptr[i].f1;
    return NULL;
}

static inline text_t config_text(const char *name) {
    text_t *value = configured(name);
    return value ? *value : text("");
}

static inline probe_option_string_t config_option(const char *name) {
    return (probe_option_string_t){configured(name) != NULL, config_text(name)};
}

static inline uint64_t config_number(const char *name) {
    text_t digits = config_text(name);
    uint64_t number = 0;
    for (size_t i = 0; i < digits.len; i++)
        number = number * 10 + (uint64_t)(digits.ptr[i] - '0');
    return number;
}

static inline probe_option_u64_t config_option_number(const char *name) {
    return (probe_option_u64_t){configured(name) != NULL, config_number(name)};
}

static inline bool config_is(const char *name, const char *expected) {
    return is(config_text(name), expected);
}

/* ---- The evidence -------------------------------------------------------------------------------------------- */

static reglet_plugin_types_list_tuple2_string_value_t found;

static inline void put(const char *name, value_t value) {
    found.ptr = realloc(found.ptr, (found.len + 1) * sizeof *found.ptr);
    found.ptr[found.len].f0 = text(name);
    found.ptr[found.len++].f1 = value;
}

static inline void put_text(const char *name, text_t value) {
    put(name, (value_t){.tag = REGLET_PLUGIN_TYPES_VALUE_STRING, .val.string = value});
}

static inline void put_option(const char *name, probe_option_string_t value) {
    if (value.is_some)
        put_text(name, value.val);
}

static inline void put_number(const char *name, uint64_t value) {
    put(name, (value_t){.tag = REGLET_PLUGIN_TYPES_VALUE_INT, .val.int_ = (int64_t)value});
}

static inline void put_float(const char *name, double value) {
    put(name, (value_t){.tag = REGLET_PLUGIN_TYPES_VALUE_FLOAT, .val.float_ = value});
}

static inline void put_bool(const char *name, bool value) {
    put(name, (value_t){.tag = REGLET_PLUGIN_TYPES_VALUE_BOOL, .val.bool_ = value});
}

static inline void put_json(const char *name, text_t value) {
    put(name, (value_t){.tag = REGLET_PLUGIN_TYPES_VALUE_JSON, .val.json = value});
}

static inline void put_texts(const char *name, const text_t *texts, size_t count) {
    value_t list = {.tag = REGLET_PLUGIN_TYPES_VALUE_LIST};
    list.val.list.ptr = calloc(count + 1, sizeof *list.val.list.ptr);
    list.val.list.len = count;
    for (size_t i = 0; i < count; i++) {
        list.val.list.ptr[i].tag = REGLET_PLUGIN_TYPES_ITEM_STRING;
        list.val.list.ptr[i].val.string = texts[i];
    }
    put(name, list);
}

static inline text_t joined(text_t first, const char *between, text_t second) {
    size_t size = strlen(between);
    text_t all = {malloc(first.len + size + second.len + 1), first.len + size + second.len};
    memcpy(all.ptr, first.ptr, first.len);
    memcpy(all.ptr + first.len, between, size);
    memcpy(all.ptr + first.len + size, second.ptr, second.len);
    return all;
}

#endif
