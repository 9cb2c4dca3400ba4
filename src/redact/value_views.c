#define _GNU_SOURCE
#include "redact/value_views.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/limits.h"

enum { MAX_UTF8 = 4 }; /* bytes that one escape becomes at most */

static bool begins_escape(const struct reglet__view *view, unsigned char c) {
    if (view->escapes == REGLET__ESCAPES_JSON)
        return c == '\\';
    return c == '%' || (c == '+' && view->escapes == REGLET__ESCAPES_FORM);
}

/* Where something begins that may be an escape; NULL: nowhere. */
static const unsigned char *find_escape(const struct reglet__view *view, const unsigned char *from,
                                        size_t size) {
    if (view->escapes == REGLET__ESCAPES_JSON)
        return memchr(from, '\\', size);
    const unsigned char *percent = memchr(from, '%', size);
    if (view->escapes == REGLET__ESCAPES_URL)
        return percent;
    const unsigned char *plus = memchr(from, '+', percent ? (size_t)(percent - from) : size);
    return plus ? plus : percent;
}

reglet_status reglet__view_open(struct reglet__view *view, enum reglet__escapes escapes, const char *text,
                                size_t size, size_t reach) {
    *view = (struct reglet__view){.escapes = escapes,
                                  .text = (const unsigned char *)text,
                                  .text_size = size,
                                  .reach = reach,
                                  .next = size,
                                  .cut = SIZE_MAX};
    if (!find_escape(view, view->text, size))
        return REGLET_OK;
    /* The overlap of two pieces is less than half of one. */
    size_t room = REGLET__REDACT_VIEW_BYTES > 4 * reach ? REGLET__REDACT_VIEW_BYTES : 4 * reach;
    if (room > size)
        room = size;
    view->next = 0;
    view->room = room + MAX_UTF8;
    view->memory = malloc(view->room);
    view->places = calloc(view->room + 1, sizeof *view->places);
    view->bytes = view->memory;
    return view->memory && view->places ? REGLET_OK : REGLET_ERR_NO_MEMORY;
}

void reglet__view_close(struct reglet__view *view) {
    if (view->memory)
        explicit_bzero(view->memory, view->room);
    free(view->memory);
    free(view->places);
}

static int digit(unsigned char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `count` hexadecimal digits at `at`; below 0: they are none. */
static int32_t number(const struct reglet__view *view, size_t at, size_t count) {
    int32_t value = 0;
    if (view->text_size - at < count)
        return -1;
    for (size_t i = 0; i < count; i++) {
        int next = digit(view->text[at + i]);
        if (next < 0)
            return -1;
        value = value * 16 + next;
    }
    return value;
}

/* What one escape stands for, and how long it is. */
struct decoded {
    unsigned char bytes[MAX_UTF8];
    size_t count, length;
};

static void put_utf8(struct decoded *out, uint32_t c) {
    if (c < 0x80) {
        out->bytes[out->count++] = (unsigned char)c;
        return;
    }
    unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3; /* bytes that follow the first */
    static const unsigned char first[] = {0, 0xC0, 0xE0, 0xF0};
    out->bytes[out->count++] = (unsigned char)(first[more] | c >> 6 * more);
    while (more-- > 0)
        out->bytes[out->count++] = (unsigned char)(0x80 | (c >> 6 * more & 0x3F));
}

/* \uXXXX at `at`, and the second half of a pair behind it. */
static void decode_unicode(const struct reglet__view *view, size_t at, struct decoded *out) {
    int32_t c = number(view, at + 2, 4);
    if (c < 0) {
        out->bytes[out->count++] = 'u';
        return;
    }
    out->length = 6;
    size_t next = at + 6;
    if (c >= 0xD800 && c < 0xDC00 && view->text_size - next >= 6 && view->text[next] == '\\' &&
        view->text[next + 1] == 'u') {
        int32_t low = number(view, next + 2, 4);
        if (low >= 0xDC00 && low < 0xE000) {
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            out->length = 12;
        }
    }
    put_utf8(out, (uint32_t)c);
}

static void decode_backslash(const struct reglet__view *view, size_t at, struct decoded *out) {
    static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
    if (view->text_size - at < 2) {
        out->bytes[out->count++] = '\\';
        return;
    }
    unsigned char c = view->text[at + 1];
    out->length = 2;
    if (c == 'u') {
        decode_unicode(view, at, out);
        return;
    }
    const char *name = c ? strchr(names, c) : NULL;
    out->bytes[out->count++] = name ? (unsigned char)values[name - names] : c;
}

/* What stands at `at` in the text. */
static struct decoded decode(const struct reglet__view *view, size_t at) {
    struct decoded out = {.length = 1};
    unsigned char c = view->text[at];
    if (view->escapes == REGLET__ESCAPES_JSON && c == '\\') {
        decode_backslash(view, at, &out);
        return out;
    }
    int32_t value = view->escapes != REGLET__ESCAPES_JSON && c == '%' ? number(view, at + 1, 2) : -1;
    if (value >= 0)
        out.length = 3;
    else
        value = view->escapes == REGLET__ESCAPES_FORM && c == '+' ? ' ' : c;
    out.bytes[out.count++] = (unsigned char)value;
    return out;
}

/* Where the next piece begins: so far before an escape that what holds it can begin there. */
static bool find_start(const struct reglet__view *view, size_t *start) {
    if (view->cut != SIZE_MAX) {
        *start = view->cut;
        return true;
    }
    const unsigned char *found = find_escape(view, view->text + view->next, view->text_size - view->next);
    if (!found)
        return false;
    size_t at = (size_t)(found - view->text);
    *start = at - view->next > view->reach ? at - view->reach : view->next;
    return true;
}

bool reglet__view_next(struct reglet__view *view) {
    size_t at, size = 0, plain = 0; /* plain: bytes since the last escape */
    if (!find_start(view, &at))
        return false;
    while (at < view->text_size && size + MAX_UTF8 <= view->room && plain <= view->reach) {
        struct decoded piece = decode(view, at);
        /* A marker that begins no escape counts as one: the next piece would begin before it again, for ever. */
        plain = begins_escape(view, view->text[at]) ? 0 : plain + 1;
        for (size_t i = 0; i < piece.count; i++) {
            view->memory[size] = piece.bytes[i];
            view->places[size++] = at;
        }
        at += piece.length;
    }
    view->places[size] = at;
    view->size = size;
    bool full = at < view->text_size && plain <= view->reach;
    view->cut = full ? view->places[size - view->reach] : SIZE_MAX;
    view->next = at - plain; /* what holds the next escape may begin there */
    return true;
}

size_t reglet__view_start(const struct reglet__view *view, size_t at) {
    return view->places[at];
}

/* All bytes of one escape stand in one place: the end is where the next place is. */
size_t reglet__view_end(const struct reglet__view *view, size_t at) {
    if (at == 0)
        return view->places[0];
    size_t end = at;
    while (end < view->size && view->places[end] == view->places[at - 1])
        end++;
    return view->places[end];
}
