/* The queue of one call's events. */
#define _GNU_SOURCE
#include "runtime/events.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/internal.h"
#include "util/clock.h"
#include "util/limits.h"
#include "util/text.h"

void reglet__events_init(struct events *events, const struct visit *visit, bool silent) {
    *events = (struct events){.visit = visit, .silent = silent || !visit->plugin->runtime->log};
    events->last = &events->first;
}

/* --- Making an event ------------------------------------------------------------------------------------- */

/* An event that is being copied: its memory was counted before. */
struct copy {
    struct event *event;
    char *room;
};

static const char *keep(struct copy *copy, const char *text, size_t size) {
    char *kept = copy->room;
    memcpy(kept, text, size);
    kept[size] = '\0';
    copy->room += size + 1;
    return kept;
}

/* *shown is the text that was given, and becomes the copy. */
static void keep_text(struct copy *copy, const char **shown, size_t size, enum event_text_kind kind) {
    struct event *event = copy->event;
    *shown = keep(copy, *shown, size);
    event->texts[event->text_count++] =
        (struct event_text){.text = *shown, .size = size, .shown = shown, .kind = kind};
    event->size += size;
}

static void keep_attr(struct copy *copy, reglet_log_attr *attr, reglet_redactor *redactor) {
    static const char none[] = "";
    attr->key = attr->key ? attr->key : none;
    attr->value = attr->value ? attr->value : none;
    attr->type = attr->type ? attr->type : none;
    bool secret =
        copy->event->stream == STREAM_LOG && redactor && reglet__redact_has_path(redactor, attr->key);
    keep_text(copy, &attr->key, strlen(attr->key), TEXT_KEY);
    keep_text(copy, &attr->value, strlen(attr->value), TEXT_VALUE);
    copy->event->texts[copy->event->text_count - 1].secret = secret;
    keep_text(copy, &attr->type, strlen(attr->type), TEXT_TYPE);
}

static size_t attrs_size(const reglet_log_event *event) {
    size_t size = event->attr_count * sizeof *event->attrs;
    for (size_t i = 0; i < event->attr_count; i++) {
        const reglet_log_attr *attr = &event->attrs[i];
        size += (attr->key ? strlen(attr->key) : 0) + (attr->value ? strlen(attr->value) : 0) +
                (attr->type ? strlen(attr->type) : 0) + 3;
    }
    return size;
}

/* NULL without memory. An id of the caller's stays as it is: it outlives the visit, and is no text of the plugin's. */
static struct event *copy_event(const struct events *events, const reglet_log_event *given,
                                size_t message_size, enum event_stream stream) {
    size_t texts = 2 + 3 * given->attr_count;
    bool own_id = given->request_id && given->request_id != events->visit->request_id;
    size_t id_size = own_id ? strlen(given->request_id) : 0;
    size_t fixed = sizeof(struct event) + texts * sizeof(struct event_text);
    struct event *event = malloc(fixed + attrs_size(given) + message_size + id_size + 2);
    if (!event)
        return NULL;
    *event = (struct event){.public = *given, .stream = stream, .attrs = (void *)((char *)event + fixed)};
    struct copy copy = {event, (char *)(event->attrs + given->attr_count)};
    reglet_redactor *redactor =
        given->attr_count ? reglet__runtime_redactor(events->visit->plugin->runtime) : NULL;
    keep_text(&copy, &event->public.message, message_size, TEXT_MESSAGE);
    if (given->attr_count)
        memcpy(event->attrs, given->attrs, given->attr_count * sizeof *event->attrs);
    for (size_t i = 0; i < given->attr_count; i++)
        keep_attr(&copy, &event->attrs[i], redactor);
    if (own_id)
        keep_text(&copy, &event->public.request_id, id_size, TEXT_ID);
    event->public.attrs = event->attrs;
    return event;
}

static void free_event(struct event *event) {
    for (size_t i = 0; i < event->text_count; i++)
        free(event->texts[i].replaced);
    free(event);
}

/* --- Redacting ------------------------------------------------------------------------------------------- */

/* Nothing of the event's text can be shown: only that there was one. */
static void lose(reglet_log_event *event) {
    event->message = event->source == REGLET_LOG_STDOUT || event->source == REGLET_LOG_STDERR
                         ? "(a line was lost: out of memory)"
                         : "(an event was lost: out of memory)";
    event->attr_count = 0;
    event->request_id = NULL;
}

/* Lines were raw until here. */
static bool show(struct event *event) {
    bool line = event->stream == STREAM_STDOUT || event->stream == STREAM_STDERR;
    for (size_t i = 0; i < event->text_count; i++) {
        struct event_text *text = &event->texts[i];
        if (line && text->kind == TEXT_MESSAGE) {
            char *clean = reglet__clean_line_dup(text->replaced ? text->replaced : text->text, text->size);
            if (!clean)
                return false;
            free(text->replaced);
            text->replaced = clean;
        }
        if (text->replaced)
            *text->shown = text->replaced;
    }
    return true;
}

/* The first `count` of the stream's events are ready then, in any case. */
static void redact(struct events *events, struct event *const *list, size_t all, size_t count,
                   struct event_context *context) {
    reglet_redactor *redactor = reglet__runtime_redactor(events->visit->plugin->runtime);
    bool good = redactor && !(context && context->lost) &&
                reglet__events_redact(redactor, list, all, count, context) == REGLET_OK;
    for (size_t i = 0; i < count; i++) {
        if (!good || !show(list[i]))
            lose(&list[i]->public);
        list[i]->ready = true;
        if (list[i]->stream != NO_STREAM)
            events->held[list[i]->stream] -= list[i]->size;
    }
}

/* Makes those of a stream ready behind which there is so much more text. */
static void redact_stream(struct events *events, enum event_stream stream, size_t behind) {
    struct event *list[REGLET__MAX_HELD_EVENTS + 1];
    size_t all = 0, count = 0, left = events->held[stream];
    for (struct event *event = events->first; event; event = event->next) {
        if (event->stream != stream || event->ready)
            continue;
        list[all++] = event;
        left -= event->size;
        if (left >= behind)
            count = all;
    }
    if (count)
        redact(events, list, all, count, &events->contexts[stream]);
}

static void redact_all(struct events *events) {
    for (int stream = 0; stream < STREAM_COUNT; stream++)
        redact_stream(events, (enum event_stream)stream, 0);
}

/* --- Sending --------------------------------------------------------------------------------------------- */

static void send(struct events *events, reglet_log_event *event) {
    event->plugin = events->visit->plugin->name;
    reglet__runtime_log(events->visit->plugin->runtime, event);
}

/* The callback may make calls of its own, but each has a queue of its own. */
static void send_ready(struct events *events) {
    while (events->first && events->first->ready) {
        struct event *event = events->first;
        events->first = event->next;
        if (!events->first)
            events->last = &events->first;
        events->count--;
        events->bytes -= event->size;
        send(events, &event->public);
        free_event(event);
    }
}

static void add(struct events *events, const reglet_log_event *given, size_t message_size,
                enum event_stream stream) {
    reglet_log_event event = *given;
    event.time_ns = reglet__wall_clock();
    struct event *copy = copy_event(events, &event, message_size, stream);
    if (!copy) {
        redact_all(events);
        send_ready(events);
        lose(&event);
        send(events, &event);
        return;
    }
    *events->last = copy;
    events->last = &copy->next;
    events->count++;
    events->bytes += copy->size;
    if (stream == NO_STREAM)
        redact(events, &copy, 1, 1, NULL);
    else if ((events->held[stream] += copy->size) >= 2 * REGLET_REDACT_HOLD_BYTES)
        redact_stream(events, stream, REGLET_REDACT_HOLD_BYTES);
    if (events->count >= REGLET__MAX_HELD_EVENTS || events->bytes >= REGLET__MAX_HELD_BYTES)
        redact_all(events);
    send_ready(events);
}

void reglet__events_add(struct events *events, const reglet_log_event *event) {
    if (!events->visit || events->silent)
        return;
    const char *message = event->message ? event->message : "";
    reglet_log_event given = *event;
    given.message = message;
    add(events, &given, strlen(message), event->source == REGLET_LOG_PLUGIN ? STREAM_LOG : NO_STREAM);
}

void reglet__events_add_line(struct events *events, int stream, const char *text, size_t size) {
    bool is_error = stream == STDERR_FILENO;
    if (!events->visit || events->silent)
        return;
    const reglet_log_event event = {.level = is_error ? REGLET_LOG_WARN : REGLET_LOG_INFO,
                                    .source = is_error ? REGLET_LOG_STDERR : REGLET_LOG_STDOUT,
                                    .request_id = events->visit->request_id,
                                    .message = text};
    add(events, &event, size, is_error ? STREAM_STDERR : STREAM_STDOUT);
}

void reglet__events_add_denial(struct events *events, const char *request_id, const char *asked,
                               const char *grant, const char *reason) {
    if (!events->visit || events->silent)
        return;
    _cleanup_free_ char *clean_asked = reglet__clean_line_dup(asked, strlen(asked));
    _cleanup_free_ char *clean_grant = grant ? reglet__clean_line_dup(grant, strlen(grant)) : NULL;
    const reglet_log_attr attrs[] = {{"asked", "string", clean_asked ? clean_asked : ""},
                                     {"reason", "string", reason ? reason : ""},
                                     {"grant", "string", clean_grant}};
    const reglet_log_event event = {.level = REGLET_LOG_WARN,
                                    .source = REGLET_LOG_DENIAL,
                                    .request_id = request_id,
                                    .message = "permission denied",
                                    .attrs = attrs,
                                    .attr_count = clean_grant ? 3 : 2};
    reglet__events_add(events, &event);
}

void reglet__events_end(struct events *events) {
    if (!events->visit)
        return;
    for (int stream = 0; stream < STREAM_COUNT; stream++)
        events->contexts[stream].ends = true;
    redact_all(events);
    send_ready(events);
    for (int stream = 0; stream < STREAM_COUNT; stream++)
        reglet__event_context_clear(&events->contexts[stream]);
    events->visit = NULL;
}
