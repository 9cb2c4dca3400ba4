/*
 * suggest.h - lines for the configuration file, from names and capabilities that nobody vouches for.
 */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

#include "util.h"

/* One capability of a suggestion. */
struct suggested {
    const char *capability; /* NULL: only a comment */
    const char *comment;    /* stands above it; NULL: none */
};

/*
 * A YAML document: `plugins:` with this name, its sha256 and these capabilities. What was given as a capability, and nothing
 * else, is one when the document is read; comments are one line each. The caller frees.
 */
char *suggest_yaml(const char *name, const char *sha256, const struct suggested *items, size_t count);

#endif
