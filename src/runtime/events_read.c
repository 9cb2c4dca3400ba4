/*
 * What is secret in the texts of one stream. A rule finds a key by what stands before it; a secret may be split over any number
 * of lines, messages and attributes: so the same texts are read in several ways, and what one of them finds is replaced.
 */
#include <string.h>

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
    size_t all;
    struct event_context *context;     /* or NULL */
    struct reglet__redact_spans found; /* in all texts; of one reading after the other, then in order */
    struct reglet__redact_spans spans; /* of one reading */
    struct reglet__buf flat;
    struct place *places;
    size_t place_count;
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
    const struct reglet__buf *before = look->context ? &look->context->before[reading] : NULL;
    if (before && before->size)
        reglet__buf_append(&look->flat, before->data, before->size);
    size_t in_all = 0;
    for (size_t i = 0; i < look->all; i++) {
        const struct event *event = look->events[i];
        for (size_t k = 0; k < event->text_count; in_all += event->texts[k++].size)
            if (reads(reading, &event->texts[k]))
                look->places[look->place_count++] =
                    (struct place){put(reading, &event->texts[k], &look->flat), event->texts[k].size, in_all};
    }
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

/* The first reading has all that one text alone can have. */
static reglet_status read_all(struct look *look) {
    reglet_status status = REGLET_OK;
    for (int reading = 0; reading < EVENT_READINGS && status == REGLET_OK; reading++) {
        bool continues = look->context && look->context->before[reading].size;
        status = write_flat(look, reading);
        if (status != REGLET_OK || look->place_count == 0 ||
            (reading > 0 && look->place_count == 1 && !continues))
            continue;
        status = reglet__redact_find(look->redactor, look->flat.data, look->flat.size, &look->spans);
        if (status == REGLET_OK)
            status = keep_found(look);
    }
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

static reglet_status remember(struct event_context *context, const struct event *event) {
    for (int reading = 0; reading < EVENT_READINGS; reading++) {
        struct reglet__buf *before = &context->before[reading];
        before->max = SIZE_MAX / 2;
        for (size_t i = 0; i < event->text_count; i++)
            if (reads(reading, &event->texts[i]))
                put(reading, &event->texts[i], before);
        if (before->status != REGLET_OK)
            return before->status;
        if (before->size > 2 * REGLET_REDACT_HOLD_BYTES) {
            memmove(before->data, before->data + before->size - REGLET_REDACT_HOLD_BYTES,
                    REGLET_REDACT_HOLD_BYTES);
            before->size = REGLET_REDACT_HOLD_BYTES;
        }
    }
    return REGLET_OK;
}

static reglet_status finish(struct look *look, size_t count) {
    reglet_status status = REGLET_OK;
    size_t next = 0, at = 0;
    for (size_t i = 0; i < count && status == REGLET_OK; i++) {
        struct event *event = look->events[i];
        if (look->context)
            status = remember(look->context, event);
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
        reglet__buf_free(&context->before[reading]);
}
