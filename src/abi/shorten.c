#include <inttypes.h>
#include <string.h>

#include "abi/result.h"

static const char marker[] = "…[truncated]";
enum { MARKER_SIZE = sizeof marker - 1 };

/* The strings that may be cut, with the bytes that each has as text without its quotes. */
struct strings {
    size_t count;
    struct reglet__json **values;
    size_t *sizes;
    size_t total;
};

static size_t count_strings(const struct reglet__json *value) {
    size_t count = value->type == REGLET__JSON_STRING;
    REGLET__JSON_EACH (item, value)
        count += count_strings(item);
    return count;
}

static void collect(struct strings *strings, struct reglet__json *value) {
    if (value->type == REGLET__JSON_STRING) {
        size_t size = reglet__json_printed_size(value) - strlen("\"\"");
        strings->values[strings->count] = value;
        strings->sizes[strings->count++] = size;
        strings->total += size;
    }
    for (struct reglet__json *item = reglet__json_first(value); item; item = item->next)
        collect(strings, item);
}

/* All but what the host itself put there. */
static bool may_be_cut(const struct reglet__json *member) {
    return !reglet__json_text_is(member->key, member->key_size, "timestamp") &&
           !reglet__json_text_is(member->key, member->key_size, "evidence_meta");
}

static bool find_strings(struct reglet__arena *arena, struct reglet__json *evidence,
                         struct strings *strings) {
    size_t count = count_strings(evidence);
    *strings = (struct strings){.values = reglet__arena_alloc(arena, count * sizeof(struct reglet__json *)),
                                .sizes = reglet__arena_alloc(arena, count * sizeof(size_t))};
    if (!strings->values || !strings->sizes)
        return false;
    for (struct reglet__json *member = evidence->first; member; member = member->next)
        if (may_be_cut(member))
            collect(strings, member);
    return true;
}

/* Bytes of all strings when those longer than level and marker together are cut to that. */
static size_t size_at(const struct strings *strings, size_t level) {
    size_t size = 0;
    for (size_t i = 0; i < strings->count; i++)
        size += strings->sizes[i] > level + MARKER_SIZE ? level + MARKER_SIZE : strings->sizes[i];
    return size;
}

/* The highest level at which the strings fit into `room`; false when they do not even at 0. */
static bool find_level(const struct strings *strings, size_t room, size_t *level) {
    if (size_at(strings, 0) > room)
        return false;
    size_t low = 0, high = room;
    while (low < high) {
        size_t middle = high - (high - low) / 2;
        if (size_at(strings, middle) <= room)
            low = middle;
        else
            high = middle - 1;
    }
    *level = low;
    return true;
}

static bool cut(struct reglet__arena *arena, const struct strings *strings, size_t level) {
    for (size_t i = 0; i < strings->count; i++) {
        struct reglet__json *value = strings->values[i];
        if (strings->sizes[i] <= level + MARKER_SIZE)
            continue;
        size_t kept = reglet__json_prefix(value->text, value->size, level);
        char *text = reglet__arena_alloc(arena, kept + MARKER_SIZE + 1);
        if (!text)
            return false;
        memcpy(text, value->text, kept);
        memcpy(text + kept, marker, MARKER_SIZE);
        value->text = text;
        value->size = (uint32_t)(kept + MARKER_SIZE);
    }
    return true;
}

static void leave_out(struct reglet__json *object, const char *key) {
    struct reglet__json *member = reglet__json_get(object, key);
    if (member)
        member->type = REGLET__JSON_NULL;
}

/* What is left out besides cutting strings, step by step, and how evidence_meta says so. */
static const char *const reasons[] = {
    "larger than the limit: the longest strings are cut",
    "larger than the limit: data is left out, and the longest strings are cut",
    "larger than the limit: data and raw are left out, and the longest strings are cut",
    "larger than the limit: data, raw and the error's details are left out, and the longest strings are cut",
};

static void take_step(size_t step, struct reglet__json *evidence) {
    struct reglet__json *error = reglet__json_get(evidence, "error");
    if (step == 1)
        leave_out(evidence, "data");
    if (step == 2)
        leave_out(evidence, "raw");
    if (step == 3) {
        leave_out(error, "wrapped");
        leave_out(error, "details");
        leave_out(error, "stack");
    }
}

/* Returns the reason's string, which the steps rewrite; NULL without memory. */
static struct reglet__json *add_meta(struct reglet__arena *arena, struct reglet__json *evidence,
                                     size_t original_size, uint64_t max_bytes) {
    struct reglet__json empty = {.type = REGLET__JSON_OBJECT};
    struct reglet__json *meta = reglet__json_get(evidence, "evidence_meta");
    if (!meta) /* what was replaced may be said there already */
        meta = reglet__json_add(arena, evidence, "evidence_meta", strlen("evidence_meta"), &empty);
    if (!meta || !reglet__json_add_literal(arena, meta, "truncated", REGLET__JSON_TRUE) ||
        !reglet__json_add_number(arena, meta, "original_size_bytes", original_size) ||
        !reglet__json_add_number(arena, meta, "truncated_at_bytes", max_bytes))
        return NULL;
    return reglet__json_add_text(arena, meta, "reason", "");
}

reglet_status reglet__evidence_shorten(struct reglet__arena *arena, struct reglet__json *evidence,
                                       size_t original_size, uint64_t max_bytes) {
    struct reglet__json *reason = add_meta(arena, evidence, original_size, max_bytes);
    struct strings strings;
    size_t level = 0;
    if (!reason)
        return REGLET_ERR_NO_MEMORY;
    for (size_t step = 0; step < sizeof reasons / sizeof reasons[0]; step++) {
        take_step(step, evidence);
        reason->text = reasons[step];
        reason->size = (uint32_t)strlen(reasons[step]);
        if (!find_strings(arena, evidence, &strings))
            return REGLET_ERR_NO_MEMORY;
        size_t fixed = reglet__json_printed_size(evidence) - strings.total;
        if (fixed <= max_bytes && find_level(&strings, (size_t)(max_bytes - fixed), &level))
            break;
    }
    return cut(arena, &strings, level) ? REGLET_OK : REGLET_ERR_NO_MEMORY;
}
