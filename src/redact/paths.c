/*
 * All paths are one automaton, which has a bit for each segment ("shift and"): a segment has matched when it fits the step just
 * made and the segment before it had matched one step above. The first segment of a path may match anywhere, which makes it
 * a match of the last names of a place.
 */
#include "redact/paths.h"

#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/text.h"

/* One segment of a path. */
struct segment {
    enum { NAME, INDEX, ANY, ANY_INDEX } kind;
    bool begins; /* a path */
    char *name;  /* NAME: in lower case */
    size_t size;
    size_t index; /* INDEX */
};

/* A name or an index that some path has, and the segments that fit it. */
struct row {
    const struct segment *step;
    uint64_t *fits; /* with those that fit every name, or every index */
};

struct reglet__redact_paths {
    struct segment *segments; /* of all paths, one after the other */
    size_t count, words;
    uint64_t *first, *last;         /* segments that begin, that end a path */
    uint64_t *any_name, *any_index; /* segments that fit each name, each index */
    struct row *rows;               /* in the order of compare_steps() */
    size_t row_count;
};

/* --- Reading --------------------------------------------------------------------------------------------- */

enum { WORDS_MAX = (REGLET__MAX_REDACT_PATH_SEGMENTS + 63) / 64 };

struct reader {
    const char *path, *at;
    struct reglet__redact_paths *paths;
    reglet_error **err;
};

static reglet_status fail_at(const struct reader *r, const char *at, const char *what) {
    size_t offset = (size_t)(at - r->path);
    return reglet__fail_at(r->err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME, offset,
                           "redaction path \"%s\", character at byte %zu: %s", r->path, offset, what);
}

static reglet_status add(struct reader *r, struct segment segment) {
    struct reglet__redact_paths *paths = r->paths;
    if (paths->count == REGLET__MAX_REDACT_PATH_SEGMENTS) {
        free(segment.name);
        return reglet__fail(r->err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "redaction path \"%s\": all paths together may have %d names and indexes",
                            r->path, REGLET__MAX_REDACT_PATH_SEGMENTS);
    }
    segment.begins = r->at == r->path;
    paths->segments[paths->count++] = segment;
    return REGLET_OK;
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static reglet_status add_name(struct reader *r, const char *text, size_t size) {
    struct segment segment = {.kind = NAME, .size = size, .name = malloc(size + 1)};
    if (!segment.name)
        return reglet__fail_memory(r->err);
    for (size_t i = 0; i < size; i++)
        segment.name[i] = lower(text[i]);
    segment.name[size] = '\0';
    return add(r, segment);
}

/* A name as it is, or "*". */
static reglet_status read_name(struct reader *r) {
    size_t size = strcspn(r->at, ".[]*\"");
    const char *end = r->at + size;
    if (size == 0 && *end == '*') {
        if (end[1] && end[1] != '.' && end[1] != '[')
            return fail_at(r, end + 1, "* stands for a whole name; \".\", \"[\" or the end belongs here");
        reglet_status status = add(r, (struct segment){.kind = ANY});
        r->at = end + 1;
        return status;
    }
    if (*end && *end != '.' && *end != '[')
        return fail_at(r, end, "in a name this has to be quoted, as in [\"a*b\"]");
    if (size == 0)
        return fail_at(r, end, "a name belongs here, as in user.password");
    if (r->at == r->path && size == 1 && *r->at == '$' && *end)
        return fail_at(r, r->at, "a path matches at any depth; leave \"$\" out");
    reglet_status status = add_name(r, r->at, size);
    r->at = end;
    return status;
}

/* Behind [": up to "], with \" and \\ for the two characters that would end it. */
static reglet_status read_quoted(struct reader *r) {
    const char *from = r->at + 2, *at = from;
    _cleanup_free_ char *name = malloc(strlen(from) + 1);
    if (!name)
        return reglet__fail_memory(r->err);
    size_t size = 0;
    for (; *at && *at != '"'; at++) {
        if (*at == '\\' && *++at != '"' && *at != '\\')
            return fail_at(r, at, "behind \\ in a quoted name only \" or \\ may stand");
        name[size++] = *at;
    }
    if (*at != '"' || at[1] != ']')
        return fail_at(r, *at ? at + 1 : at, "a quoted name ends with \"]");
    reglet_status status = add_name(r, name, size);
    r->at = at + 2;
    return status;
}

static reglet_status read_index(struct reader *r) {
    const char *at = r->at + 1;
    struct segment segment = {.kind = INDEX};
    if (*at == '*') {
        segment.kind = ANY_INDEX;
        at++;
    } else {
        const char *digits = at;
        for (; *at >= '0' && *at <= '9' && at - digits < 10; at++)
            segment.index = segment.index * 10 + (size_t)(*at - '0');
        if (at == digits)
            return fail_at(r, at, "a number, * or a quoted name belongs here, as in [2], [*] or [\"a.b\"]");
        if (*digits == '0' && at - digits > 1)
            return fail_at(r, digits, "an index has no leading zero");
        if (segment.index > REGLET__JSON_VALUES)
            return fail_at(r, digits, "no list has so many elements");
    }
    if (*at != ']')
        return fail_at(r, at, "\"]\" belongs here");
    reglet_status status = add(r, segment);
    r->at = at + 1;
    return status;
}

static reglet_status read_path(struct reader *r, const char *path) {
    r->path = r->at = path;
    if (!*path)
        return fail_at(r, path, "a path has at least one name, as in password");
    size_t size = strlen(path);
    if (!reglet__utf8_valid(path, size))
        return reglet__fail(r->err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "redaction path \"%s\" is no UTF-8: no name could match it", path);
    reglet_status status = REGLET_OK;
    while (status == REGLET_OK && (*r->at || r->at == path)) {
        if (*r->at == '[') {
            status = r->at[1] == '"' ? read_quoted(r) : read_index(r);
        } else {
            if (r->at != path) {
                if (*r->at != '.')
                    return fail_at(r, r->at, "\".\", \"[\" or the end belongs here");
                r->at++;
            }
            status = read_name(r);
        }
    }
    return status;
}

/* --- Making the automaton -------------------------------------------------------------------------------- */

static void set(uint64_t *bits, size_t i) {
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Names before indexes; shorter names first, so that a plugin's long one costs nothing. */
static int compare_steps(const char *name, size_t size, size_t index, const struct segment *to) {
    if (!name || !to->name)
        return name ? -1 : to->name ? 1 : index < to->index ? -1 : index > to->index;
    if (size != to->size)
        return size < to->size ? -1 : 1;
    for (size_t i = 0; i < size; i++)
        if (lower(name[i]) != to->name[i])
            return (unsigned char)lower(name[i]) < (unsigned char)to->name[i] ? -1 : 1;
    return 0;
}

static int compare_rows(const void *a, const void *b) {
    const struct row *row = a, *to = b;
    return compare_steps(row->step->name, row->step->size, row->step->index, to->step);
}

static const struct row *find_row(const struct reglet__redact_paths *paths, const char *name, size_t size,
                                  size_t index) {
    size_t low = 0, high = paths->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_steps(name, size, index, paths->rows[middle].step);
        if (order == 0)
            return &paths->rows[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static bool make_sets(struct reglet__redact_paths *paths) {
    uint64_t **sets[] = {&paths->first, &paths->last, &paths->any_name, &paths->any_index};
    paths->words = (paths->count + 63) / 64;
    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        if (!(*sets[i] = calloc(paths->words + 1, sizeof **sets[i])))
            return false;
    for (size_t i = 0; i < paths->count; i++) {
        const struct segment *segment = &paths->segments[i];
        if (segment->begins)
            set(paths->first, i);
        if (i + 1 == paths->count || segment[1].begins)
            set(paths->last, i);
        if (segment->kind == ANY)
            set(paths->any_name, i);
        if (segment->kind == ANY || segment->kind == ANY_INDEX)
            set(paths->any_index, i);
    }
    return true;
}

static bool make_rows(struct reglet__redact_paths *paths) {
    paths->rows = calloc(paths->count + 1, sizeof *paths->rows);
    if (!paths->rows)
        return false;
    size_t all = 0;
    for (size_t i = 0; i < paths->count; i++)
        if (paths->segments[i].kind == NAME || paths->segments[i].kind == INDEX)
            paths->rows[all++].step = &paths->segments[i];
    qsort(paths->rows, all, sizeof *paths->rows, compare_rows);
    for (size_t i = 0; i < all; i++)
        if (i == 0 || compare_rows(&paths->rows[i], &paths->rows[paths->row_count - 1]) != 0)
            paths->rows[paths->row_count++] = paths->rows[i];
    for (size_t i = 0; i < paths->row_count; i++) {
        const uint64_t *any = paths->rows[i].step->name ? paths->any_name : paths->any_index;
        paths->rows[i].fits = calloc(paths->words + 1, sizeof *any);
        if (!paths->rows[i].fits)
            return false;
        memcpy(paths->rows[i].fits, any, paths->words * sizeof *any);
    }
    for (size_t i = 0; i < paths->count; i++) {
        const struct segment *segment = &paths->segments[i];
        if (segment->kind == NAME || segment->kind == INDEX)
            set(find_row(paths, segment->name, segment->size, segment->index)->fits, i);
    }
    return true;
}

void reglet__redact_paths_free(struct reglet__redact_paths *paths) {
    if (!paths)
        return;
    for (size_t i = 0; i < paths->row_count; i++)
        free(paths->rows[i].fits);
    for (size_t i = 0; i < paths->count; i++)
        free(paths->segments[i].name);
    free(paths->rows);
    free(paths->first);
    free(paths->last);
    free(paths->any_name);
    free(paths->any_index);
    free(paths->segments);
    free(paths);
}
REGLET_DEFINE_CLEANUP(struct reglet__redact_paths *, reglet__redact_paths_free);

reglet_status reglet__redact_paths_new(const char *const *texts, size_t count,
                                       struct reglet__redact_paths **out, reglet_error **err) {
    _cleanup_(reglet__redact_paths_free_p)
    struct reglet__redact_paths *paths = calloc(1, sizeof *paths);
    if (!paths || !(paths->segments = calloc(REGLET__MAX_REDACT_PATH_SEGMENTS, sizeof *paths->segments)))
        return reglet__fail_memory(err);
    for (size_t i = 0; i < count; i++) {
        struct reader reader = {.paths = paths, .err = err};
        if (!texts[i])
            return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                                "redaction path %zu is NULL", i);
        reglet_status status = read_path(&reader, texts[i]);
        if (status != REGLET_OK)
            return status;
    }
    if (!make_sets(paths) || !make_rows(paths))
        return reglet__fail_memory(err);
    *out = take_ptr(paths);
    return REGLET_OK;
}

/* --- Matching -------------------------------------------------------------------------------------------- */

size_t reglet__redact_paths_words(const struct reglet__redact_paths *paths) {
    return paths->words;
}

static bool step(const struct reglet__redact_paths *paths, const uint64_t *from, const uint64_t *fits,
                 uint64_t *to) {
    uint64_t carry = 0, ends = 0;
    for (size_t i = 0; i < paths->words; i++) {
        uint64_t before = from ? from[i] : 0;
        /* What ended a path is followed by the beginning of another one, which is always open anyway. */
        to[i] = (before << 1 | carry | paths->first[i]) & fits[i];
        carry = before >> 63;
        ends |= to[i] & paths->last[i];
    }
    return ends != 0;
}

bool reglet__redact_paths_enter(const struct reglet__redact_paths *paths, const uint64_t *from,
                                const char *name, size_t size, uint64_t *to) {
    const struct row *row = find_row(paths, name, size, 0);
    return step(paths, from, row ? row->fits : paths->any_name, to);
}

bool reglet__redact_paths_enter_index(const struct reglet__redact_paths *paths, const uint64_t *from,
                                      size_t index, uint64_t *to) {
    const struct row *row = find_row(paths, NULL, 0, index);
    return step(paths, from, row ? row->fits : paths->any_index, to);
}

bool reglet__redact_paths_name(const struct reglet__redact_paths *paths, const char *name) {
    uint64_t places[2][WORDS_MAX];
    size_t size = strlen(name), at = 0;
    if (reglet__redact_paths_enter(paths, NULL, name, size, places[0]))
        return true;
    const uint64_t *from = NULL;
    for (unsigned turn = 0;; turn ^= 1) {
        size_t length = strcspn(name + at, ".");
        bool ends = reglet__redact_paths_enter(paths, from, name + at, length, places[turn]);
        at += length;
        if (!name[at])
            return ends;
        at++;
        from = places[turn];
    }
}
