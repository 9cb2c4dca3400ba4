/*
 * A response's body. zlib decodes gzip here, and libcurl nothing: it would decode whatever coding a server names, asked for
 * or not, and refuse one that it does not know.
 */
#include <string.h>
#include <zlib.h>

#include "host/http.h"

enum { GZIP_WINDOW = 16 + MAX_WBITS, PIECE = 16384 };

/* Keeps what fits; false when that was not all. */
static bool keep(struct reglet__http_body *body, const void *data, size_t size) {
    size_t room = body->bytes.max - body->bytes.size;
    body->truncated = size > room;
    if (reglet__buf_append(&body->bytes, data, size < room ? size : room) != REGLET_OK)
        body->no_memory = true;
    return !body->truncated && !body->no_memory;
}

void reglet__http_body_gunzip(struct reglet__http_body *body) {
    body->inflater = calloc(1, sizeof *body->inflater);
    if (!body->inflater || inflateInit2(body->inflater, GZIP_WINDOW) != Z_OK)
        body->no_memory = true;
}

/* One step: a piece of output at most. A gzip file may have several members, one after the other. */
static bool inflate_piece(struct reglet__http_body *body) {
    z_stream *stream = body->inflater;
    unsigned char piece[PIECE];
    stream->next_out = piece;
    stream->avail_out = sizeof piece;
    if (body->ended && inflateReset(stream) != Z_OK)
        return false;
    int result = inflate(stream, Z_NO_FLUSH);
    body->ended = result == Z_STREAM_END;
    body->no_memory = result == Z_MEM_ERROR;
    body->broken = result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR && !body->no_memory;
    if (body->broken || body->no_memory)
        return false;
    return keep(body, piece, sizeof piece - stream->avail_out);
}

/* What is left in the inflater when the input is used up comes out too: it stops short of a full piece then. */
static bool inflate_all(struct reglet__http_body *body, const void *data, size_t size) {
    z_stream *stream = body->inflater;
    stream->next_in = (unsigned char *)(uintptr_t)data; /* zlib does not write there */
    stream->avail_in = (uInt)size;
    do {
        if (!inflate_piece(body))
            return false;
    } while (stream->avail_in > 0 || (stream->avail_out == 0 && !body->ended));
    return true;
}

bool reglet__http_body_add(struct reglet__http_body *body, const void *data, size_t size) {
    if (body->no_memory || body->truncated || body->broken)
        return false;
    if (size == 0)
        return true;
    body->received += size;
    if (!body->inflater)
        return keep(body, data, size);
    if (body->received > REGLET__MAX_BODY_BYTES) { /* also when it inflates to nothing */
        body->truncated = true;
        return false;
    }
    return inflate_all(body, data, size);
}

bool reglet__http_body_is_whole(const struct reglet__http_body *body) {
    return body->truncated || !body->inflater || body->ended;
}

void reglet__http_body_free(struct reglet__http_body *body) {
    if (body->inflater)
        inflateEnd(body->inflater);
    free(body->inflater);
    body->inflater = NULL;
    reglet__buf_free(&body->bytes);
}
