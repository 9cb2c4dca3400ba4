#include "redact/json_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "util/buf.h"
#include "util/cleanup.h"
#include "util/text.h"

void reglet__redact_hit(struct reglet__redact_hits *hits, struct reglet__json *value,
                        enum reglet__redact_part part, size_t start, size_t end, int32_t rule) {
    if (hits->count == hits->room) {
        size_t room = hits->room ? hits->room * 2 : 16;
        struct reglet__redact_hit *items = realloc(hits->items, room * sizeof *items);
        if (!items) {
            hits->failed = true;
            return;
        }
        hits->items = items;
        hits->room = room;
    }
    if (start < end)
        hits->items[hits->count++] = (struct reglet__redact_hit){value, part, start, end, rule};
}

/* --- Replacing ------------------------------------------------------------------------------------------- */

static int compare_texts(const struct reglet__redact_hit *one, const struct reglet__redact_hit *other) {
    if (one->value != other->value)
        return (uintptr_t)one->value < (uintptr_t)other->value ? -1 : 1;
    return (int)one->part - (int)other->part;
}

static int compare_hits(const void *a, const void *b) {
    const struct reglet__redact_hit *one = a, *other = b;
    int order = compare_texts(one, other);
    return order ? order : one->start < other->start ? -1 : one->start > other->start;
}

/* One of those that overlap: the same place may have been found more than once. */
static void merge(struct reglet__redact_hits *hits) {
    size_t kept = 0;
    qsort(hits->items, hits->count, sizeof *hits->items, compare_hits);
    for (size_t i = 0; i < hits->count; i++) {
        struct reglet__redact_hit *last = kept ? &hits->items[kept - 1] : NULL, *hit = &hits->items[i];
        if (!last || compare_texts(last, hit) != 0 || hit->start >= last->end)
            hits->items[kept++] = *hit;
        else if (hit->end > last->end)
            last->end = hit->end;
    }
    hits->count = kept;
}

/* All hits of one text. */
static bool replace_text(reglet_redactor *redactor, struct reglet__arena *arena,
                         const struct reglet__redact_hit *hits, size_t count) {
    struct reglet__json *value = hits->value;
    bool key = hits->part == REGLET__PART_KEY;
    const char *text = key ? value->key : value->text;
    size_t size = key ? value->key_size : value->size, written = 0, length = 0;
    char with[REGLET__REDACT_REPLACEMENT_SIZE];
    char *out = reglet__arena_alloc(arena, size + count * sizeof with + 1);
    if (!out || size + count * sizeof with > UINT32_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct reglet__redact_hit *hit = &hits[i];
        memcpy(out + length, text + written, hit->start - written);
        length += hit->start - written;
        size_t added = reglet__redact_replacement(redactor, text + hit->start, hit->end - hit->start, with);
        memcpy(out + length, with, added);
        length += added;
        written = hit->end;
        reglet__redact_count(redactor, hit->rule, 1);
    }
    memcpy(out + length, text + written, size - written);
    length += size - written;
    if (key) {
        value->key = out;
        value->key_size = (uint32_t)length;
        value->renamed = true;
    } else {
        value->text = out;
        value->size = (uint32_t)length;
        value->type = REGLET__JSON_STRING;
    }
    return true;
}

/* --- Keys that became equal ------------------------------------------------------------------------------ */

/* The keys of one object. Open addressing; twice as many slots as keys. */
struct key {
    const struct reglet__json *member;
    size_t uses; /* as the beginning of numbered ones */
};

struct keys {
    struct key *slots;
    size_t mask;
};

/* Where it is, or belongs. The seed is not known to who chooses the keys. */
static struct key *find_key(const struct keys *keys, const char *text, size_t size) {
    size_t at = (size_t)XXH3_64bits_withSeed(text, size, (XXH64_hash_t)(uintptr_t)keys->slots);
    for (;; at++) {
        struct key *key = &keys->slots[at & keys->mask];
        if (!key->member || (key->member->key_size == size && memcmp(key->member->key, text, size) == 0))
            return key;
    }
}

/* Gives a renamed member a key that no other one has. */
static bool make_unique(struct keys *keys, struct reglet__arena *arena, struct reglet__json *member) {
    struct key *taken = find_key(keys, member->key, member->key_size), *key = taken;
    size_t room = member->key_size + REGLET__DECIMAL_SIZE + 2, size = 0;
    char *name = taken->member ? reglet__arena_alloc(arena, room) : NULL;
    if (taken->member && !name)
        return false;
    while (key->member) {
        memcpy(name, member->key, member->key_size);
        size = member->key_size +
               (size_t)snprintf(name + member->key_size, room - member->key_size, " %zu", ++taken->uses + 1);
        key = find_key(keys, name, size);
    }
    if (name) {
        member->key = name;
        member->key_size = (uint32_t)size;
    }
    key->member = member;
    return true;
}

static bool separate_keys(struct reglet__arena *arena, struct reglet__json *object, size_t count) {
    struct keys keys = {.mask = 3};
    while (keys.mask < 2 * count)
        keys.mask = keys.mask * 2 + 1;
    keys.slots = calloc(keys.mask + 1, sizeof *keys.slots);
    bool good = keys.slots;
    for (struct reglet__json *member = object->first; member && good; member = member->next)
        if (!member->renamed)
            find_key(&keys, member->key, member->key_size)->member = member;
    for (struct reglet__json *member = object->first; member && good; member = member->next)
        if (member->renamed)
            good = make_unique(&keys, arena, member);
    free(keys.slots);
    return good;
}

static bool separate_all(struct reglet__arena *arena, struct reglet__json *value) {
    size_t count = 0;
    bool renamed = false;
    for (struct reglet__json *item = reglet__json_first(value); item; item = item->next) {
        count++;
        renamed |= item->renamed;
        if (!separate_all(arena, item))
            return false;
    }
    return !renamed || separate_keys(arena, value, count);
}

/* --- The whole ------------------------------------------------------------------------------------------- */

reglet_status reglet__redact_hits_replace(reglet_redactor *redactor, struct reglet__arena *arena,
                                          struct reglet__json *root, struct reglet__redact_hits *hits,
                                          const struct reglet__interrupt *interrupt, uint64_t *replaced) {
    merge(hits);
    bool renames = false;
    for (size_t i = 0, end; i < hits->count; i = end) {
        for (end = i + 1; end < hits->count && compare_texts(&hits->items[i], &hits->items[end]) == 0; end++)
            ;
        renames |= hits->items[i].part == REGLET__PART_KEY;
        reglet_status status = interrupt ? reglet__interrupt_check(interrupt) : REGLET_OK;
        if (status != REGLET_OK)
            return status;
        if (!replace_text(redactor, arena, &hits->items[i], end - i))
            return REGLET_ERR_NO_MEMORY;
    }
    *replaced += hits->count;
    return !renames || separate_all(arena, root) ? REGLET_OK : REGLET_ERR_NO_MEMORY;
}
