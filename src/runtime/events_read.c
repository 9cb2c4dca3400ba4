/*
 * What is secret in the texts of one stream. A rule finds a key by what stands before it; a secret may be split over any number
 * of lines, messages and attributes: so the same texts are read in several ways, and what one of them finds is replaced.
 */
#include <string.h>

#include "redact/long_secret.h"
#include "redact/spans.h"
#include "runtime/events.h"
#include "util/cleanup.h"

/* Each way leaves out texts that may stand between the parts of a secret. */
static const struct {
    unsigned kinds;
    bool separated; /* as lines, attributes as key="value"; else one behind the other */
} readings[EVENT_READINGS] = {
    {TEXT_MESSAGE | TEXT_KEY | TEXT_VALUE | TEXT_TYPE | TEXT_ID, true},
    {TEXT_MESSAGE | TEXT_KEY | TEXT_VALUE, false},
    {TEXT_MESSAGE | TEXT_VALUE, false},
    {TEXT_MESSAGE, false},
    {TEXT_VALUE, false},
};

/* Where a text stands in a reading, and where in all texts of all events, one behind the other. */
struct place {
    size_t start, size, in_all;
};

struct look {
    reglet_redactor *redactor;
    struct event *const *events;
    size_t all, count;                 /* of them, so many go out now */
    struct event_context *context;     /* or NULL */
    struct reglet__redact_spans found; /* in all texts; of one reading after the other, then in order */
    struct reglet__redact_spans spans; /* of one reading */
    struct reglet__buf flat;
    struct place *places;
    size_t place_count;
    size_t before, limit,
        seen; /* in flat: where texts begin, where those end that go out, where the last one ends */
};

static void clear(struct look *look) {
    reglet__redact_spans_clear(&look->found);
    reglet__redact_spans_clear(&look->spans);
    reglet__buf_free(&look->flat);
    free(look->places);
}

static bool reads(int reading, const struct event_text *text) {
    return (readings[reading].kinds & text->kind) && !text->secret;
}

/* Writes a text as a reading has it; returns where in the buffer it begins. */
static size_t put(int reading, const struct event_text *text, struct reglet__buf *out) {
    bool separated = readings[reading].separated, value = text->kind == TEXT_VALUE;
    if (separated && value)
        reglet__buf_append(out, "=\"", 2);
    size_t start = out->size;
    reglet__buf_append(out, text->text, text->size);
    if (separated && text->kind != TEXT_KEY)
        reglet__buf_append(out, value ? "\"\n" : "\n", value ? 2 : 1);
    return start;
}

static reglet_status write_flat(struct look *look, int reading) {
    reglet__buf_clear(&look->flat);
    look->place_count = 0;
    const struct reglet__buf *before = look->context ? &look->context->before[reading].text : NULL;
    if (before && before->size)
        reglet__buf_append(&look->flat, before->data, before->size);
    look->before = look->seen = look->flat.size;
    size_t in_all = 0;
    for (size_t i = 0; i < look->all; i++) {
        const struct event *event = look->events[i];
        if (i == look->count)
            look->limit = look->flat.size;
        for (size_t k = 0; k < event->text_count; in_all += event->texts[k++].size)
            if (reads(reading, &event->texts[k]))
                look->places[look->place_count++] =
                    (struct place){put(reading, &event->texts[k], &look->flat), event->texts[k].size, in_all};
    }
    if (look->count == look->all)
        look->limit = look->flat.size;
    if (look->place_count)
        look->seen = look->places[look->place_count - 1].start + look->places[look->place_count - 1].size;
    return look->flat.status;
}

/* The parts of a reading's spans that are in texts. Both are in order. */
static reglet_status keep_found(struct look *look) {
    reglet_status status = REGLET_OK;
    for (size_t i = 0, first = 0; i < look->spans.count && status == REGLET_OK; i++) {
        const struct reglet__redact_span *span = &look->spans.items[i];
        while (first < look->place_count &&
               look->places[first].start + look->places[first].size <= span->start)
            first++;
        for (size_t k = first; k < look->place_count && status == REGLET_OK; k++) {
            const struct place *place = &look->places[k];
            if (place->start >= span->end)
                break;
            size_t start = span->start > place->start ? span->start - place->start : 0;
            size_t end = span->end - place->start < place->size ? span->end - place->start : place->size;
            if (start < end)
                status = reglet__redact_spans_add(&look->found, place->in_all + start, place->in_all + end,
                                                  span->rule);
        }
    }
    return status;
}

/* --- What goes on from what is out ----------------------------------------------------------------------- */

/* Keeps flat[from..to) as what is out. */
static reglet_status keep_before(struct look *look, struct event_before *before, size_t from, size_t to) {
    before->text.max = SIZE_MAX / 2;
    reglet__buf_clear(&before->text);
    return reglet__buf_append(&before->text, look->flat.data + from, to - from);
}

/* What follows belongs to a secret that began before; where in flat it ends. */
static reglet_status go_on(struct look *look, struct event_before *before, size_t *end) {
    size_t certain = look->before + before->known;
    *end = before->open ? reglet__long_secret_end(look->flat.data, look->flat.size, certain, &look->spans)
                        : certain;
    reglet_status status = *end > look->before
                               ? reglet__redact_spans_add(&look->spans, look->before, *end, before->rule)
                               : REGLET_OK;
    reglet__redact_spans_settle(&look->spans);
    return status;
}

/* What of a reading stays for what follows: what is out last, or the beginning of a secret that goes on. */
static reglet_status remember(struct look *look, struct event_before *before, size_t end) {
    if (before->open && end > look->limit) {
        before->known = end - look->limit;
        return REGLET_OK;
    }
    *before = (struct event_before){.text = before->text};
    for (size_t i = 0; i < look->spans.count && look->spans.items[i].start < look->limit; i++) {
        const struct reglet__redact_span *span = &look->spans.items[i];
        if (span->end > look->limit) {
            before->known = span->end - look->limit;
            before->rule = span->rule;
        }
        if (reglet__long_secret_goes_on(span, look->limit, look->seen)) {
            size_t from, to;
            before->open = true;
            before->rule = span->rule;
            reglet__long_secret_beginning(span->start, look->limit, REGLET_REDACT_HOLD_BYTES, &from, &to);
            return keep_before(look, before, from, to);
        }
    }
    size_t most = REGLET_REDACT_HOLD_BYTES;
    return keep_before(look, before, look->limit > most ? look->limit - most : 0, look->limit);
}

/* --- All readings ---------------------------------------------------------------------------------------- */

/* The first reading has all that one text alone can have. */
static reglet_status read_one(struct look *look, int reading) {
    struct event_before *before = look->context ? &look->context->before[reading] : NULL;
    size_t end = 0;
    reglet_status status = write_flat(look, reading);
    if (status != REGLET_OK || look->place_count == 0)
        return status;
    look->spans.count = 0;
    if (reading == 0 || look->place_count > 1 || (before && before->text.size))
        status = reglet__redact_find(look->redactor, look->flat.data, look->flat.size, &look->spans);
    if (status == REGLET_OK && before && (before->open || before->known))
        status = go_on(look, before, &end);
    if (status == REGLET_OK)
        status = keep_found(look);
    if (status == REGLET_OK && before && !look->context->ends)
        status = remember(look, before, end);
    return status;
}

static reglet_status read_all(struct look *look) {
    reglet_status status = REGLET_OK;
    for (int reading = 0; reading < EVENT_READINGS && status == REGLET_OK; reading++)
        status = read_one(look, reading);
    return status;
}

/* Writes a text with its part of what was found replaced. `at` is where it begins in all texts. */
static reglet_status replace(struct look *look, size_t *next, size_t at, struct event_text *text) {
    char with[REGLET__REDACT_REPLACEMENT_SIZE];
    struct reglet__redact_span *spans = look->found.items;
    struct reglet__redact_span whole = {at, at + text->size, REGLET__REDACT_RULE_PATH};
    size_t count = look->found.count, written = 0, end = at + text->size;
    struct reglet__buf out = REGLET__BUF_INIT(SIZE_MAX / 2);
    size_t none = 0;
    if (text->secret) {
        spans = &whole;
        count = 1;
        next = &none;
    }
    while (*next < count && spans[*next].start < end) {
        struct reglet__redact_span *span = &spans[*next];
        size_t from = span->start - at, to = (span->end < end ? span->end : end) - at;
        reglet__buf_append(&out, text->text + written, from - written);
        reglet__buf_append(&out, with,
                           reglet__redact_replacement(look->redactor, text->text + from, to - from, with));
        reglet__redact_count(look->redactor, span->rule, 1);
        written = to;
        if (span->end > end) { /* the rest is of the next text */
            span->start = end;
            break;
        }
        ++*next;
    }
    if (written == 0)
        return REGLET_OK;
    reglet__buf_append(&out, text->text + written, text->size - written);
    reglet_status status = out.status;
    text->replaced = reglet__buf_take(&out, &text->size);
    reglet__buf_free(&out);
    return status;
}

static reglet_status finish(struct look *look, size_t count) {
    reglet_status status = REGLET_OK;
    size_t next = 0, at = 0;
    for (size_t i = 0; i < count && status == REGLET_OK; i++) {
        struct event *event = look->events[i];
        for (size_t k = 0; k < event->text_count && status == REGLET_OK; k++) {
            size_t size = event->texts[k].size;
            status = replace(look, &next, at, &event->texts[k]);
            at += size;
        }
    }
    return status;
}

reglet_status reglet__events_redact(reglet_redactor *redactor, struct event *const *events, size_t all,
                                    size_t count, struct event_context *context) {
    _cleanup_(clear)
    struct look look = {.redactor = redactor,
                        .events = events,
                        .all = all,
                        .count = count,
                        .context = context,
                        .flat = REGLET__BUF_INIT(SIZE_MAX / 2)};
    size_t texts = 0;
    for (size_t i = 0; i < all; i++)
        texts += events[i]->text_count;
    look.places = calloc(texts + 1, sizeof *look.places);
    reglet_status status = look.places ? read_all(&look) : REGLET_ERR_NO_MEMORY;
    reglet__redact_spans_settle(&look.found);
    if (status == REGLET_OK)
        status = finish(&look, count);
    if (status != REGLET_OK && context)
        context->lost = true;
    return status;
}

void reglet__event_context_clear(struct event_context *context) {
    for (int reading = 0; reading < EVENT_READINGS; reading++)
        reglet__buf_free(&context->before[reading].text);
}
