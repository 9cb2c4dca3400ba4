#include <string.h>

#include "policy/glob.h"
#include "util/limits.h"
#include "util/text.h"

enum {
    WORD_BITS = 64,
    MAX_NODES = 2 * REGLET__MAX_PATTERN + 1, /* of one segment: glob_parse.c makes no more */
    MAX_WORDS = (MAX_NODES + WORD_BITS - 1) / WORD_BITS,
    NOT_UTF8 = 0x110000 /* plus the byte: no pattern names such a character, but "?" and "*" take it */
};

/* The nodes that are live between two characters. */
struct live {
    uint64_t words[MAX_WORDS];
};

static void add(struct live *live, size_t number) {
    live->words[number / WORD_BITS] |= UINT64_C(1) << number % WORD_BITS;
}

static bool has(const struct live *live, size_t number) {
    return live->words[number / WORD_BITS] >> number % WORD_BITS & 1;
}

static bool spend(size_t *steps, size_t amount) {
    *steps = *steps > amount ? *steps - amount : 0;
    return *steps > 0;
}

static bool in_ranges(const struct reglet__glob_range *ranges, size_t count, unsigned character) {
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].low <= character && character <= ranges[i].high)
            return true;
    }
    return false;
}

/* Moves from one node over one character: to `now` without taking it, to `next` by taking it. */
static void move(const struct reglet__glob *glob, const struct reglet__glob_node *node, size_t number,
                 unsigned character, struct live *now, struct live *next) {
    bool takes = false;
    switch (node->op) {
    case REGLET__GLOB_CHAR: takes = node->value == character; break;
    case REGLET__GLOB_ANY: takes = true; break;
    case REGLET__GLOB_SET: takes = in_ranges(glob->ranges + node->value, node->count, character); break;
    case REGLET__GLOB_NOT_SET: takes = !in_ranges(glob->ranges + node->value, node->count, character); break;
    case REGLET__GLOB_STAR:
        add(now, number + 1);
        add(next, number);
        break;
    case REGLET__GLOB_FORK:
        add(now, number + 1);
        add(now, node->value);
        break;
    case REGLET__GLOB_JUMP: add(now, node->value); break;
    case REGLET__GLOB_END: break;
    }
    if (takes)
        add(next, number + 1);
}

static size_t word_count(const struct reglet__glob_segment *segment) {
    return (segment->node_count + WORD_BITS - 1) / WORD_BITS;
}

static void clear(struct live *live, size_t words) {
    memset(live->words, 0, words * sizeof live->words[0]);
}

static bool is_empty(const struct live *live, size_t words) {
    for (size_t i = 0; i < words; i++) {
        if (live->words[i])
            return false;
    }
    return true;
}

/* Takes every move of the live nodes. Moves within `now` only go forward, so one ascending pass finds all. */
static void step(const struct reglet__glob *glob, const struct reglet__glob_segment *segment,
                 unsigned character, struct live *now, struct live *next, size_t *steps) {
    const struct reglet__glob_node *nodes = glob->nodes + segment->first_node;
    size_t words = word_count(segment);
    clear(next, words);
    spend(steps, words);
    for (size_t word = 0; word < words; word++) {
        uint64_t seen = 0;
        for (uint64_t left; (left = now->words[word] & ~seen) != 0;) {
            size_t number = word * WORD_BITS + (size_t)__builtin_ctzll(left);
            seen |= left & -left;
            if (!spend(steps, 1 + nodes[number].count))
                return;
            move(glob, &nodes[number], number, character, now, next);
        }
    }
}

static size_t decode(const char *text, size_t size, unsigned *character) {
    size_t length = reglet__utf8_decode(text, size, character);
    if (length > 0)
        return length;
    *character = NOT_UTF8 + (unsigned char)text[0];
    return 1;
}

static bool segment_matches(const struct reglet__glob *glob, const struct reglet__glob_segment *segment,
                            const char *name, size_t size, size_t *steps) {
    struct live sets[2], *now = &sets[0], *next = &sets[1];
    size_t words = word_count(segment);
    clear(now, words);
    add(now, 0);
    for (size_t i = 0; i<size && * steps> 0;) {
        unsigned character;
        i += decode(name + i, size - i, &character);
        step(glob, segment, character, now, next, steps);
        if (is_empty(next, words))
            return false;
        struct live *swap = now;
        now = next;
        next = swap;
    }
    step(glob, segment, 0, now, next, steps); /* the moves that take nothing; what takes one ends in `next` */
    return *steps > 0 && has(now, segment->node_count - 1);
}

static size_t name_size(const char *path, size_t size) {
    const char *slash = memchr(path, '/', size);
    return slash ? (size_t)(slash - path) : size;
}

/* The offset of the name after the one at `at`. */
static size_t next_name(const char *path, size_t size, size_t at) {
    size_t end = at + name_size(path + at, size - at);
    return end < size ? end + 1 : size;
}

/*
 * A segment other than "**" matches exactly one name. So when a name does not match, only the last "**" needs
 * to be tried again, one name longer: what came before it has its earliest match, and that is never worse.
 */
enum reglet__glob_match reglet__glob_match(const struct reglet__glob *glob, const char *path, size_t size,
                                           size_t *steps) {
    size_t segment = 0, at = 0;
    size_t after_any = 0, any_from = 0; /* the segment after the last "**" (0: none), and the name it is at */
    while (at < size) {
        const struct reglet__glob_segment *wanted =
            segment < glob->segment_count ? &glob->segments[segment] : NULL;
        if (wanted && wanted->any_depth) {
            after_any = ++segment;
            any_from = at;
            if (segment == glob->segment_count)
                return REGLET__GLOB_COVERS;
        } else if (wanted &&
                   segment_matches(glob, wanted, path + at, name_size(path + at, size - at), steps)) {
            segment++;
            at = next_name(path, size, at);
        } else if (after_any && *steps > 0) {
            any_from = at = next_name(path, size, any_from);
            segment = after_any;
        } else {
            return REGLET__GLOB_NONE;
        }
    }
    while (segment < glob->segment_count && glob->segments[segment].any_depth)
        segment++;
    return segment == glob->segment_count ? REGLET__GLOB_COVERS : REGLET__GLOB_LEADS;
}

bool reglet__glob_match_text(const struct reglet__glob *glob, const char *text, size_t size, size_t *steps) {
    const struct reglet__glob_segment *segment = &glob->segments[0];
    bool anything = segment->node_count == 2 && glob->nodes[segment->first_node].op == REGLET__GLOB_STAR;
    return anything || segment_matches(glob, segment, text, size, steps);
}

const char *reglet__glob_literal(const struct reglet__glob *glob) {
    return glob->literal;
}

bool reglet__glob_is_literal(const struct reglet__glob *glob) {
    return glob->segment_count == 0;
}

bool reglet__glob_starts_anywhere(const struct reglet__glob *glob) {
    return glob->literal[0] == '\0' && glob->segment_count > 0 && glob->segments[0].any_depth;
}

bool reglet__glob_covers_below(const struct reglet__glob *glob) {
    return glob->segment_count > 0 && glob->segments[glob->segment_count - 1].any_depth;
}
