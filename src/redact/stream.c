/*
 * A text that comes in pieces. What was written is gathered and looked at as a whole; what goes out stays behind its last
 * REGLET_REDACT_HOLD_BYTES, so that a secret that began before the cut ends within what was seen:
 *
 *     | context | shown next ............... | held back |
 *     0         shown                        size - HOLD  size
 *
 * The context went out already. It is looked at again because a rule may look back: at the name before a value, at the
 * boundary of a word.
 */
#define _GNU_SOURCE
#include <string.h>

#include "redact/long_secret.h"
#include "redact/redact.h"
#include "util/cleanup.h"
#include "util/fail.h"
#include "util/limits.h"

enum {
    HOLD = REGLET_REDACT_HOLD_BYTES,
    GATHER = 2 * HOLD, /* looked at from here on: each look lets HOLD go, so that single bytes stay cheap */
    CONTEXT =
        REGLET__REDACT_LINE_BYTES, /* kept of what went out: as far as an exception for lines looks back */
    LEAST_ROOM = 4096,             /* most texts are shorter */
    MOST_ROOM = CONTEXT + 8 * HOLD /* the larger, the less is looked at twice */
};

struct reglet_redact_stream {
    reglet_redactor *redactor;
    reglet_redact_write_fn write;
    void *user_data;
    char *data;
    size_t size, room;
    size_t shown; /* the context: data[0..shown) */
    bool open; /* a longer secret has begun, whose beginning is in the context, and may not have ended yet */
    size_t known;          /* of what is held back, so much belongs to it for certain */
    reglet_status failure; /* holds until the text ends */
    struct reglet__redact_spans spans;
};

/* ---- memory: whatever was in it may be secret ---- */

static void wipe(char *data, size_t size) {
    if (data)
        explicit_bzero(data, size);
}

static void drop_all(struct reglet_redact_stream *stream) {
    wipe(stream->data, stream->size);
    stream->size = stream->shown = 0;
    stream->open = false;
}

static reglet_status fail(struct reglet_redact_stream *stream, reglet_status status) {
    drop_all(stream);
    stream->failure = status;
    return status;
}

/* realloc() would leave the text where it was. */
static bool make_room(struct reglet_redact_stream *stream, size_t size) {
    size_t room = stream->room ? stream->room : (size_t)LEAST_ROOM;
    while (room < size)
        room *= 2;
    if (room > MOST_ROOM)
        room = MOST_ROOM;
    if (room == stream->room)
        return true;
    char *data = malloc(room);
    if (!data)
        return false;
    if (stream->size > 0)
        memcpy(data, stream->data, stream->size);
    wipe(stream->data, stream->size);
    free(stream->data);
    stream->data = data;
    stream->room = room;
    return true;
}

/* Keeps data[from..to) as context, and what follows data[next..size). */
static void keep(struct reglet_redact_stream *stream, size_t from, size_t to, size_t next) {
    size_t context = to - from, rest = stream->size - next, size = context + rest;
    memmove(stream->data, stream->data + from, context);
    memmove(stream->data + context, stream->data + next, rest);
    wipe(stream->data + size, stream->size - size);
    stream->size = size;
    stream->shown = context;
}

/* ---- looking, and letting go ---- */

static reglet_status put(struct reglet_redact_stream *stream, size_t from, size_t to) {
    return from < to ? stream->write(stream->user_data, stream->data + from, to - from) : REGLET_OK;
}

static reglet_status put_replacement(struct reglet_redact_stream *stream,
                                     const struct reglet__redact_span *span, size_t from) {
    char text[REGLET__REDACT_REPLACEMENT_SIZE];
    size_t size = reglet__redact_replacement(stream->redactor, stream->data + from, span->end - from, text);
    reglet__redact_count(stream->redactor, span->rule, 1);
    return stream->write(stream->user_data, text, size);
}

/* Goes on with the open secret; false: it has not ended. */
static bool close_open(struct reglet_redact_stream *stream, size_t limit, bool last, size_t *end) {
    *end = reglet__long_secret_end(stream->data, stream->size, stream->shown + stream->known, &stream->spans);
    if (*end > limit && !last) {
        stream->known = *end - limit;
        keep(stream, 0, stream->shown, limit);
        return false;
    }
    stream->open = false;
    return true;
}

/* Writes what stands before `limit`, and every secret that begins there, to its end. */
static reglet_status let_go(struct reglet_redact_stream *stream, size_t limit, bool last) {
    size_t at = stream->shown;
    if (stream->open && !close_open(stream, limit, last, &at))
        return REGLET_OK;
    for (size_t i = 0; i < stream->spans.count && stream->spans.items[i].start < limit; i++) {
        const struct reglet__redact_span *span = &stream->spans.items[i];
        if (span->end <= at)
            continue;
        size_t start = span->start > at ? span->start : at;
        reglet_status status = put(stream, at, start);
        if (status == REGLET_OK)
            status = put_replacement(stream, span, start);
        if (status != REGLET_OK)
            return status;
        at = span->end;
        if (!last && reglet__long_secret_goes_on(span, limit, stream->size)) {
            size_t from, to;
            reglet__long_secret_beginning(span->start, limit, CONTEXT, &from, &to);
            stream->open = true;
            stream->known = span->end - limit;
            keep(stream, from, to, limit);
            return REGLET_OK;
        }
    }
    reglet_status status = put(stream, at, limit);
    at = at > limit ? at : limit;
    keep(stream, at > CONTEXT ? at - CONTEXT : 0, at, at);
    return status;
}

static reglet_status look(struct reglet_redact_stream *stream, bool last) {
    size_t limit = last ? stream->size : stream->size - HOLD;
    reglet_status status = reglet__redact_find(stream->redactor, stream->data, stream->size, &stream->spans);
    if (status == REGLET_OK)
        status = let_go(stream, limit, last);
    return status == REGLET_OK ? REGLET_OK : fail(stream, status);
}

/* ---- the public functions ---- */

reglet_status reglet_redact_stream_new(reglet_redactor *redactor, reglet_redact_write_fn write,
                                       void *user_data, reglet_redact_stream **out, reglet_error **err) {
    if (!redactor || !write || !out)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "a stream needs a redactor, a function to write to and a place to be put in");
    struct reglet_redact_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return reglet__fail_memory(err);
    stream->redactor = reglet_redactor_ref(redactor);
    stream->write = write;
    stream->user_data = user_data;
    *out = stream;
    return REGLET_OK;
}

reglet_status reglet_redact_stream_write(reglet_redact_stream *stream, const char *text, size_t size) {
    if (!stream || (!text && size > 0))
        return REGLET_ERR_INVALID_ARGUMENT;
    while (size > 0 && stream->failure == REGLET_OK) {
        size_t most = MOST_ROOM - stream->size, part = size < most ? size : most;
        if (!make_room(stream, stream->size + part))
            return fail(stream, REGLET_ERR_NO_MEMORY);
        memcpy(stream->data + stream->size, text, part);
        stream->size += part;
        text += part;
        size -= part;
        if (stream->size - stream->shown >= GATHER && (size == 0 || stream->size == MOST_ROOM))
            (void)look(stream, false); /* a failure is kept */
    }
    return stream->failure;
}

reglet_status reglet_redact_stream_end(reglet_redact_stream *stream) {
    if (!stream)
        return REGLET_ERR_INVALID_ARGUMENT;
    if (stream->failure == REGLET_OK && stream->size > stream->shown)
        (void)look(stream, true);
    reglet_status status = stream->failure;
    drop_all(stream);
    stream->failure = REGLET_OK;
    return status;
}

void reglet_redact_stream_free(reglet_redact_stream *stream) {
    if (!stream)
        return;
    drop_all(stream);
    free(stream->data);
    reglet__redact_spans_clear(&stream->spans);
    reglet_redactor_unref(stream->redactor);
    free(stream);
}
