/*
 * A text in pieces. The input is a line of cuts (each byte is a part of the rest of the text, in 256ths) and the text, in which
 * bytes below 8 stand for so many kilobytes of nothing secret: a stream looks at nothing shorter than two of its bounds.
 *
 * What must hold: what comes out of the pieces is what comes out of the text as a whole, unless a secret is longer than the
 * bound; the known value is in neither.
 */
#define _GNU_SOURCE
#include <string.h>

#include "fuzz/fuzz.h"
#include "redact/redact.h"
#include "util/buf.h"

enum { MOST_TEXT = 256 * 1024, HOLD = REGLET_REDACT_HOLD_BYTES };

#define SECRET "hunter22"

static reglet_redactor *make(void) {
    static const reglet_secret secret = {SECRET, 8};
    static const char *const patterns[] = {"\\btok_([a-z]{4,12})\\b", "(?i)\\bpin[:=]\\s*([0-9]{4})(?:\\D|$)",
                                           "<<[a-z \\n]{0,500}>>"};
    reglet_redactor *redactor = NULL;
    reglet_redactor_options options = REGLET_REDACTOR_OPTIONS_INIT;
    options.no_builtin_rules = true;
    options.patterns = patterns;
    options.pattern_count = 3;
    options.secrets = &secret;
    options.secret_count = 1;
    REQUIRE(reglet_redactor_new(&options, &redactor, NULL) == REGLET_OK);
    return redactor;
}

static void spread(const uint8_t *data, size_t size, struct reglet__buf *text) {
    static const char words[] = "nothing to be seen here, 2024-11-23 level=info\n";
    for (size_t i = 0; i < size; i++) {
        size_t filler = data[i] < 8 ? (size_t)data[i] * 1024 : 0;
        if (filler == 0 && data[i] >= 8)
            reglet__buf_append(text, &data[i], 1);
        for (size_t at = 0; at < filler; at += sizeof words - 1)
            reglet__buf_append_text(text, words);
    }
}

static reglet_status collect(void *user_data, const char *text, size_t size) {
    return reglet__buf_append(user_data, text, size);
}

static void write_pieces(reglet_redact_stream *stream, const uint8_t *cuts, size_t count, const char *text,
                         size_t size) {
    for (size_t i = 0; i <= count; i++) {
        size_t part = i < count ? size * cuts[i] / 256 : size;
        REQUIRE(reglet_redact_stream_write(stream, text, part) == REGLET_OK);
        text += part;
        size -= part;
    }
}

/* Whether every secret is so short that it has to be found. */
static bool all_short(reglet_redactor *redactor, const char *text, size_t size) {
    struct reglet__redact_spans spans = {0};
    bool ok = true;
    REQUIRE(reglet__redact_find(redactor, text, size, &spans) == REGLET_OK);
    for (size_t i = 0; i < spans.count; i++)
        ok = ok && spans.items[i].end - spans.items[i].start <= HOLD;
    reglet__redact_spans_clear(&spans);
    return ok;
}

static void compare(reglet_redactor *redactor, const struct reglet__buf *text,
                    const struct reglet__buf *pieces) {
    char *whole = NULL;
    size_t size = 0;
    REQUIRE(reglet__redact_text(redactor, text->data, text->size, &whole, &size, NULL) == REGLET_OK);
    const char *expected = whole ? whole : text->data;
    size = whole ? size : text->size;
    if (all_short(redactor, text->data, text->size))
        REQUIRE(pieces->size == size && memcmp(pieces->data, expected, size) == 0);
    REQUIRE(!memmem(pieces->data, pieces->size, SECRET, 8) && !memmem(expected, size, SECRET, 8));
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static reglet_redactor *redactor;
    if (!redactor)
        redactor = make();
    const uint8_t *line = memchr(data, '\n', size);
    if (!line)
        return 0;
    size_t cuts = (size_t)(line - data);
    _cleanup_buf_ struct reglet__buf text = REGLET__BUF_INIT(MOST_TEXT),
                                     pieces = REGLET__BUF_INIT(4 * MOST_TEXT);
    spread(line + 1, size - cuts - 1, &text);
    if (text.status != REGLET_OK || text.size == 0)
        return 0;
    reglet_redact_stream *stream = NULL;
    REQUIRE(reglet_redact_stream_new(redactor, collect, &pieces, &stream, NULL) == REGLET_OK);
    write_pieces(stream, data, cuts, text.data, text.size);
    REQUIRE(reglet_redact_stream_end(stream) == REGLET_OK);
    reglet_redact_stream_free(stream);
    REQUIRE(pieces.size > 0);
    compare(redactor, &text, &pieces);
    return 0;
}
