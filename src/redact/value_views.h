/*
 * value_views.h - a text with its escapes taken out, piece by piece, and where each byte of a piece stood in the text.
 *
 * Only what lies around escapes is decoded: elsewhere the text is what it is. A piece begins and ends so far from the nearest
 * escape, or overlaps the next one so far, that whatever has `reach` bytes or fewer and holds an escape is in one of them.
 */
#ifndef REGLET_REDACT_VALUE_VIEWS_H
#define REGLET_REDACT_VALUE_VIEWS_H

#include <reglet/base.h>
#include <stdbool.h>

enum reglet__escapes {
    REGLET__ESCAPES_JSON, /* \n \" \/ \u00e9, and a backslash before anything else stands for that */
    REGLET__ESCAPES_URL,  /* %2F in either case */
    REGLET__ESCAPES_FORM  /* the same, and + for a space */
};

struct reglet__view {
    const unsigned char *bytes; /* of this piece, decoded */
    size_t size;

    enum reglet__escapes escapes;
    const unsigned char *text;
    size_t text_size, reach;
    size_t next; /* in the text: up to where there is no further escape, and the next piece may begin */
    size_t cut;  /* in the text: where the next piece has to begin; SIZE_MAX: where its first escape says */
    unsigned char *memory; /* wiped when it is given back */
    size_t *places;        /* in the text, of each byte; and one behind the last */
    size_t room;
};

/* NO_MEMORY. Afterwards, also without memory: reglet__view_close(). */
reglet_status reglet__view_open(struct reglet__view *view, enum reglet__escapes escapes, const char *text,
                                size_t size, size_t reach);
void reglet__view_close(struct reglet__view *view);

/* Decodes the next piece; false: there is none. */
bool reglet__view_next(struct reglet__view *view);

/* Where the byte `at` of a piece begins in the text, and where a part of the piece that ends before `at` ends in it. */
size_t reglet__view_start(const struct reglet__view *view, size_t at);
size_t reglet__view_end(const struct reglet__view *view, size_t at);

#endif
