/*
 * shape.h - what the parameters of each function of preview1 mean: which are asked, and where an answer goes. A recording has
 * what a call asked and what it was answered, by name, and never an address: those of a plugin that was built again differ.
 */
#ifndef REGLET_RECORDING_SHAPE_H
#define REGLET_RECORDING_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reglet__part_kind {
    PART_END = 0,
    PART_NUMBER, /* one parameter, asked */
    PART_SKIP,   /* one parameter that is neither asked nor answered */
    PART_TEXT,   /* address and size: bytes that are asked */
    PART_GATHER, /* address and length of a list of buffers: bytes that are asked */
    /* Answers: */
    PART_FIELDS,  /* address of a structure */
    PART_BYTES,   /* address and size of a buffer, of which PART_USED says how much is filled */
    PART_ENTRIES, /* the same, filled with the entries of a directory */
    PART_SCATTER, /* address and length of a list of buffers, filled as PART_USED says */
    PART_USED     /* address of a 32-bit size */
};

/* A number in a structure. */
struct reglet__field {
    const char *name;
    uint8_t offset, size;
};

struct reglet__layout {
    size_t size;
    struct reglet__field fields[9]; /* the last one has no name */
};

struct reglet__part {
    enum reglet__part_kind kind;
    const char *name;
    const struct reglet__layout *layout; /* FIELDS */
};

enum reglet__shape_kind {
    SHAPE_PASSES,   /* tells nothing of the outside: not recorded, and done in a replay as well */
    SHAPE_IN_ORDER, /* recorded, and has to be asked again in the same order */
    /* Series: answered one after the other, however many are asked for. */
    SHAPE_CLOCK,
    SHAPE_RANDOM,
    SHAPE_STRINGS,      /* args_get, environ_get */
    SHAPE_STRING_SIZES, /* args_sizes_get, environ_sizes_get */
    SHAPE_POLL
};

enum { REGLET__MAX_PARTS = 10, REGLET__MAX_SLOTS = 10 };

struct reglet__shape {
    const char *name;
    enum reglet__shape_kind kind;
    struct reglet__part parts[REGLET__MAX_PARTS];
    bool of_descriptor; /* the first parameter is one: passes on stdin, stdout and stderr */
};

/* All 46, by no particular order. */
extern const struct reglet__shape reglet__shapes[];
extern const size_t reglet__shape_count;

/* NULL for an unknown name. */
const struct reglet__shape *reglet__shape_find(const char *name);

/* Parameters that a part takes. */
unsigned reglet__part_slots(enum reglet__part_kind kind);

/* "ENOENT", or NULL for a number that is none; and back, -1 for a name that is none. */
const char *reglet__preview1_errno_name(uint32_t number);
int reglet__preview1_errno_number(const char *name);

#endif
