/*
 * glob.h - patterns over "/"-separated paths: compiled once, matched without recursion in a bounded number of
 * steps.
 */
#ifndef REGLET_POLICY_GLOB_H
#define REGLET_POLICY_GLOB_H

#include "policy/parse.h"

struct reglet__glob;

/* Parses everything up to parse->end. REGLET_ERR_INVALID_GRANT, REGLET_ERR_NO_MEMORY. */
reglet_status reglet__glob_parse(struct reglet__parse *parse, struct reglet__glob **out);
/* Parses everything up to parse->end as one text in which "/", "." and ".." are nothing special; it may be empty. Only for
 * reglet__glob_match_text(). */
reglet_status reglet__glob_parse_text(struct reglet__parse *parse, struct reglet__glob **out);
void reglet__glob_free(struct reglet__glob *glob);

/* The segments before the first one with a wildcard, unescaped: "/etc", "/", "a/b", or "" when there is none. */
const char *reglet__glob_literal(const struct reglet__glob *glob);

/* Whether there is no wildcard: then the literal part is all. */
bool reglet__glob_is_literal(const struct reglet__glob *glob);

/* Whether it starts with the segment "**", and so is not relative to any directory. */
bool reglet__glob_starts_anywhere(const struct reglet__glob *glob);

/* Whether it ends in the segment "**": then it covers all below whatever it covers. */
bool reglet__glob_covers_below(const struct reglet__glob *glob);

enum reglet__glob_match {
    REGLET__GLOB_NONE,  /* neither the path nor anything below it matches */
    REGLET__GLOB_LEADS, /* something below the path may match */
    REGLET__GLOB_COVERS /* the path matches */
};

/*
 * Matches what comes after the literal part against `path`: segments without a leading "/", or "" for none.
 * `steps` is the work that may still be done, and is counted down; at 0 nothing matches any more.
 */
enum reglet__glob_match reglet__glob_match(const struct reglet__glob *glob, const char *path, size_t size,
                                           size_t *steps);

/* Whether all of `text` matches. `steps` as above. */
bool reglet__glob_match_text(const struct reglet__glob *glob, const char *text, size_t size, size_t *steps);

/*
 * The compiled form. Each segment is a small machine whose nodes are tried in ascending order: every move
 * that takes no character goes to a later node, so one pass over the live nodes takes all of them.
 */
enum reglet__glob_op {
    REGLET__GLOB_CHAR,    /* the code point `value` */
    REGLET__GLOB_ANY,     /* any one character */
    REGLET__GLOB_SET,     /* one of ranges[value] to ranges[value + count - 1] */
    REGLET__GLOB_NOT_SET, /* any character but those */
    REGLET__GLOB_STAR,    /* any characters, also none */
    REGLET__GLOB_FORK,    /* goes on at the next node and at node `value`: another alternative of braces */
    REGLET__GLOB_JUMP,    /* goes on at node `value`: behind the braces */
    REGLET__GLOB_END
};

struct reglet__glob_node {
    enum reglet__glob_op op;
    unsigned value; /* node numbers count from the segment's first */
    unsigned count;
};

struct reglet__glob_range {
    unsigned low, high;
};

struct reglet__glob_segment {
    bool any_depth;    /* "**" */
    size_t first_node; /* otherwise */
    size_t node_count;
};

struct reglet__glob {
    char *literal;
    struct reglet__glob_segment *segments; /* from the first one with a wildcard on */
    size_t segment_count;
    struct reglet__glob_node *nodes;
    size_t node_count;
    struct reglet__glob_range *ranges;
    size_t range_count;
};

#endif
