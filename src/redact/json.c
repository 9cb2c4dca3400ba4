/*
 * What is secret in a JSON value. All its texts are written into one flat text, which is searched once; then the same walk finds
 * the texts again that what was found lies in.
 *
 *     {"db": {"password": "x", "ports": [1, 2]}}    db
 *                                                   password="x"
 *                                                   ports
 *                                                   ports="1"
 *                                                   ports="2"
 *                                                   1
 *                                                   2
 *
 * Each text stands after its key, because rules look for that; the elements of an array after the array's, and once more one
 * below the other, because a private key may be given as lines. A string that is Base64 of something, as evidence often
 * carries the contents of files, stands there decoded as well: rules do not look through Base64, and so what nearly every
 * plugin says of a file would pass by them. (Known values are found in Base64 by the search itself, also in part of a text.)
 */
#include <stdlib.h>
#include <string.h>

#include "redact/base64.h"
#include "redact/json_parts.h"
#include "redact/redactor.h"
#include "redact/spans.h"
#include "util/buf.h"

struct walk {
    reglet_redactor *redactor;
    const struct reglet__interrupt *interrupt; /* or NULL */
    struct reglet__arena *arena;
    bool maps;               /* the second time: finds hits */
    struct reglet__buf flat; /* the first time: is written */
    size_t at;               /* in the flat text */
    struct reglet__redact_spans spans;
    size_t next; /* the first span that ends behind `at` */
    struct reglet__redact_hits hits;
};

static void clear(struct walk *walk) {
    reglet__buf_free(&walk->flat);
    reglet__redact_spans_clear(&walk->spans);
    free(walk->hits.items);
}

/* --- The walk -------------------------------------------------------------------------------------------- */

/* What belongs to no value. */
static void put_glue(struct walk *walk, const char *text, size_t size) {
    if (!walk->maps)
        reglet__buf_append(&walk->flat, text, size);
    walk->at += size;
}

/* A value's text. Spans that end behind `reach` are not its own. */
static void put_text(struct walk *walk, struct reglet__json *value, enum reglet__redact_part part,
                     const char *text, size_t size, size_t reach) {
    size_t at = walk->at;
    put_glue(walk, text, size);
    while (walk->next < walk->spans.count && walk->spans.items[walk->next].end <= at)
        walk->next++;
    for (size_t i = walk->next; i < walk->spans.count && walk->spans.items[i].start < at + size; i++) {
        const struct reglet__redact_span *span = &walk->spans.items[i];
        size_t start = span->start > at ? span->start - at : 0;
        size_t end = span->end < at + size ? span->end - at : size;
        if (span->end <= reach)
            reglet__redact_hit(&walk->hits, value, part, start, end, span->rule);
    }
}

/* What is found in the decoded text is replaced in the text itself, in groups of four characters for three bytes. */
static void put_decoded(struct walk *walk, struct reglet__json *value) {
    size_t size = reglet__base64_decoded_size(value->text, value->size), at = walk->at;
    if (size == 0)
        return;
    if (!walk->maps)
        reglet__base64_append(&walk->flat, value->text, value->size);
    walk->at += size;
    for (size_t i = walk->next; i < walk->spans.count && walk->spans.items[i].start < at + size; i++) {
        const struct reglet__redact_span *span = &walk->spans.items[i];
        if (span->end <= at)
            continue;
        size_t start = (span->start > at ? span->start - at : 0) / 3 * 4;
        size_t end = ((span->end < at + size ? span->end - at : size) + 2) / 3 * 4;
        reglet__redact_hit(&walk->hits, value, REGLET__PART_TEXT, start,
                           end < value->size ? end : value->size, span->rule);
    }
    put_glue(walk, "\n", 1);
}

static bool is_text(const struct reglet__json *value) {
    return value->type == REGLET__JSON_STRING || value->type == REGLET__JSON_NUMBER;
}

/* What stands behind a key. What was found in key and text together, such as password="x", is in the text. */
static void put_value(struct walk *walk, struct reglet__json *value) {
    put_glue(walk, "=\"", 2);
    put_text(walk, value, REGLET__PART_TEXT, value->text, value->size, SIZE_MAX);
    put_glue(walk, "\"\n", 2);
    if (value->type == REGLET__JSON_STRING)
        put_decoded(walk, value);
}

static void put_members(struct walk *walk, struct reglet__json *object);
static void put_elements(struct walk *walk, struct reglet__json *array, const char *key, size_t key_size);

static void put_inner(struct walk *walk, struct reglet__json *value, const char *key, size_t key_size) {
    if (value->type == REGLET__JSON_OBJECT)
        put_members(walk, value);
    else if (value->type == REGLET__JSON_ARRAY)
        put_elements(walk, value, key, key_size);
}

static void put_members(struct walk *walk, struct reglet__json *object) {
    for (struct reglet__json *member = object->first; member; member = member->next) {
        bool shown = is_text(member) && member->hold != REGLET__HOLD_ALL;
        size_t reach = shown ? walk->at + member->key_size + 2 : SIZE_MAX;
        if (member->hold == REGLET__HOLD_NONE || !member->key_size)
            put_text(walk, member, REGLET__PART_KEY, member->key, member->key_size, reach);
        else
            put_glue(walk, member->key, member->key_size);
        if (shown)
            put_value(walk, member);
        else
            put_glue(walk, "\n", 1);
        if (member->hold != REGLET__HOLD_ALL)
            put_inner(walk, member, member->key, member->key_size);
    }
}

static void put_elements(struct walk *walk, struct reglet__json *array, const char *key, size_t key_size) {
    size_t texts = 0;
    /* The end of a long key: a million elements would repeat all of it. */
    if (key_size > REGLET__REDACT_KEY_BYTES) {
        key += key_size - REGLET__REDACT_KEY_BYTES;
        key_size = REGLET__REDACT_KEY_BYTES;
    }
    for (struct reglet__json *item = array->first; item; item = item->next) {
        if (item->hold == REGLET__HOLD_ALL)
            continue;
        if (is_text(item)) {
            texts++;
            put_glue(walk, key, key_size);
            put_value(walk, item);
        }
        put_inner(walk, item, key, key_size);
    }
    for (struct reglet__json *item = array->first; item && texts > 1; item = item->next) {
        if (item->hold == REGLET__HOLD_ALL || !is_text(item))
            continue;
        put_text(walk, item, REGLET__PART_TEXT, item->text, item->size, SIZE_MAX);
        put_glue(walk, "\n", 1);
    }
}

static void walk_all(struct walk *walk, struct reglet__json *value) {
    walk->at = 0;
    if (is_text(value) && value->hold != REGLET__HOLD_ALL)
        put_value(walk, value);
    else
        put_inner(walk, value, "", 0);
}

/* --- Paths ----------------------------------------------------------------------------------------------- */

struct descent {
    struct walk *walk;
    const struct reglet__redact_paths *paths;
    uint64_t *places; /* one for each level */
    size_t words;
    uint64_t replaced;
    bool failed;
};

static size_t depth_of(const struct reglet__json *value) {
    size_t depth = 0;
    REGLET__JSON_EACH (item, value) {
        size_t below = depth_of(item);
        depth = below > depth ? below : depth;
    }
    return depth + 1;
}

/* All of a value, whatever it is; of what has a fixed form, all that is in it. */
static void replace_whole(struct descent *descent, struct reglet__json *value) {
    reglet_redactor *redactor = descent->walk->redactor;
    struct reglet__arena *arena = descent->walk->arena;
    bool has_text = is_text(value);
    if (value->hold == REGLET__HOLD_ALL || (value->hold == REGLET__HOLD_FORM && !has_text)) {
        if (value->hold == REGLET__HOLD_FORM)
            for (struct reglet__json *item = reglet__json_first(value); item; item = item->next)
                replace_whole(descent, item);
        return;
    }
    char with[REGLET__REDACT_REPLACEMENT_SIZE];
    const char *text = has_text ? value->text : "";
    size_t size = has_text ? value->size : 0;
    if (!has_text && redactor->hash.salt && !(text = reglet__json_print(arena, value, &size))) {
        descent->failed = true;
        return;
    }
    value->size = (uint32_t)reglet__redact_replacement(redactor, text, size, with);
    value->text = reglet__arena_copy(arena, with, value->size);
    value->type = REGLET__JSON_STRING;
    value->hold = REGLET__HOLD_ALL;
    descent->failed |= !value->text;
    descent->replaced++;
}

static void descend(struct descent *descent, struct reglet__json *parent, size_t level) {
    const uint64_t *from = level ? descent->places + (level - 1) * descent->words : NULL;
    uint64_t *to = descent->places + level * descent->words;
    size_t index = 0;
    for (struct reglet__json *item = reglet__json_first(parent); item && !descent->failed;
         item = item->next) {
        bool named = parent->type == REGLET__JSON_OBJECT
                         ? reglet__redact_paths_enter(descent->paths, from, item->key, item->key_size, to)
                         : reglet__redact_paths_enter_index(descent->paths, from, index++, to);
        if (named)
            replace_whole(descent, item);
        if (item->hold != REGLET__HOLD_ALL)
            descend(descent, item, level + 1);
    }
}

static reglet_status replace_paths(struct walk *walk, struct reglet__json *value, uint64_t *replaced) {
    struct descent descent = {.walk = walk, .paths = walk->redactor->paths};
    descent.words = reglet__redact_paths_words(descent.paths);
    descent.places = calloc(depth_of(value) * descent.words + 1, sizeof *descent.places);
    if (!descent.places)
        return REGLET_ERR_NO_MEMORY;
    descend(&descent, value, 0);
    free(descent.places);
    reglet__redact_count(walk->redactor, REGLET__REDACT_RULE_PATH, descent.replaced);
    *replaced += descent.replaced;
    return descent.failed ? REGLET_ERR_NO_MEMORY : REGLET_OK;
}

/* --- The whole ------------------------------------------------------------------------------------------- */

static reglet_status find(struct walk *walk, struct reglet__json *value) {
    enum { SMALL_EVIDENCE = 2048 }; /* is most, and then nothing has to grow */
    walk->flat.data = malloc(SMALL_EVIDENCE);
    walk->flat.capacity = walk->flat.data ? SMALL_EVIDENCE : 0;
    walk_all(walk, value);
    if (walk->flat.status != REGLET_OK)
        return REGLET_ERR_NO_MEMORY;
    if (walk->flat.size == 0)
        return REGLET_OK;
    reglet_status status = reglet__redact_find_within(walk->redactor, walk->flat.data, walk->flat.size,
                                                      &walk->spans, walk->interrupt);
    if (status != REGLET_OK || walk->spans.count == 0)
        return status;
    walk->maps = true;
    walk_all(walk, value);
    return walk->hits.failed ? REGLET_ERR_NO_MEMORY : REGLET_OK;
}

reglet_status reglet__redact_json(reglet_redactor *redactor, struct reglet__arena *arena,
                                  struct reglet__json *value, bool paths,
                                  struct reglet__redact_tally *tally) {
    _cleanup_(clear)
    struct walk walk = {.redactor = redactor,
                        .interrupt = tally ? tally->interrupt : NULL,
                        .arena = arena,
                        .flat = REGLET__BUF_INIT(SIZE_MAX / 2)};
    uint64_t replaced = 0;
    reglet_status status = paths && redactor->paths ? replace_paths(&walk, value, &replaced) : REGLET_OK;
    if (status == REGLET_OK)
        status = find(&walk, value);
    if (status == REGLET_OK && walk.hits.count)
        status = reglet__redact_hits_replace(redactor, arena, value, &walk.hits, walk.interrupt, &replaced);
    if (status == REGLET_OK && tally)
        tally->count += replaced;
    return status;
}

bool reglet__redact_has_path(const reglet_redactor *redactor, const char *name) {
    return redactor->paths && reglet__redact_paths_name(redactor->paths, name);
}

bool reglet__redact_has_paths(const reglet_redactor *redactor) {
    return redactor->paths != NULL;
}
