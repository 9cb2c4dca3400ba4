/*
 * term.h - what may be shown. Evidence, descriptions, logs and names come from plugins and files that nobody
 * vouches for; an escape sequence or a bidirectional mark in them would rewrite what the operator sees.
 */
#ifndef CLI_TERM_H
#define CLI_TERM_H

#include <stdio.h>

/*
 * A copy as one line: control characters (C0, DEL, C1), bidirectional and invisible marks, line separators
 * become visible escapes (\n, \x1b, \u202e); invalid UTF-8 becomes U+FFFD.
 */
char *term_clean(const char *text, size_t size);

/* The same of a long text's beginning, which says that it is one. */
char *term_clean_short(const char *text, size_t size);

/* How many bytes at the beginning are UTF-8. */
size_t term_utf8_length(const char *text, size_t size);

/* Writes text that is to stay as it is (JSON) on `out`. Only a terminal gets the same characters as JSON
 * escapes (\u001b), which mean the same; line breaks and tabs stay. */
void term_write_json(FILE *out, const char *json, size_t size);

/* The same for an `out` that is shown on a terminal later. */
void term_write_json_escaped(FILE *out, const char *json, size_t size);

/* Writes a JSON string, with its quotes. Safe on a terminal. */
void term_write_json_string(FILE *out, const char *text);

/* A comma, the key (which needs no escapes) and the text as a JSON string, or null. */
void term_write_json_member(FILE *out, const char *key, const char *text);

/* How many columns clean text takes, as far as characters are one column wide. */
size_t term_width(const char *text);

#endif
