/*
 * events.h - what happens during one call and is told: in order, redacted, and held back as long as a secret may be split over
 * several of them.
 *
 * A plugin speaks in three streams: log messages, standard output, standard error. What it says is held back until
 * REGLET_REDACT_HOLD_BYTES more of the same stream came (at most twice as many: several events are looked at together), or the
 * call is over. All texts of a stream that are held are looked at as one, in several readings (events_read.c). An event goes
 * out when all before it are out. What went out stays as context for what follows, so that the second half of a secret is
 * replaced even where the first one had to go because too much waited.
 */
#ifndef REGLET_RUNTIME_EVENTS_H
#define REGLET_RUNTIME_EVENTS_H

#include <reglet/log.h>

#include "redact/redact.h"
#include "util/buf.h"

struct reglet_runtime;
struct visit;

/* --- One event ------------------------------------------------------------------------------------------- */

/* What a text of an event is: a set of these makes a reading. */
enum event_text_kind { TEXT_MESSAGE = 1, TEXT_KEY = 2, TEXT_VALUE = 4, TEXT_TYPE = 8, TEXT_ID = 16 };

struct event_text {
    const char *text;
    size_t size;
    const char **shown; /* where what is shown of it belongs: in the event's `public` or `attrs` */
    char *replaced;     /* what is shown, where that is another text; owned */
    enum event_text_kind kind;
    bool secret; /* all of it: one of the redactor's paths names it */
};

enum event_stream { STREAM_LOG, STREAM_STDOUT, STREAM_STDERR, STREAM_COUNT, NO_STREAM = STREAM_COUNT };

struct event {
    struct event *next;
    reglet_log_event public;
    enum event_stream stream;
    bool ready; /* redacted */
    size_t size;
    reglet_log_attr *attrs;
    size_t text_count;
    struct event_text texts[];
};

/* --- The texts of a stream ------------------------------------------------------------------------------- */

enum { EVENT_READINGS = 5 };

/* The end of what is out, as a reading has it. */
struct event_before {
    struct reglet__buf text;
    size_t known; /* so much of what follows belongs to a secret that began there */
    bool open;    /* and that may go on: its beginning is in the text, its middle no more */
    int32_t rule; /* which found it */
};

struct event_context {
    struct event_before before[EVENT_READINGS];
    bool lost; /* there was no memory for it: nothing more can be shown */
    bool ends; /* nothing follows: there is no need for one */
};

/*
 * Looks at the texts of these events together, behind their context, and sets what is shown of the first `count` of them,
 * which become context (NULL: there is none). NO_MEMORY: nothing may be shown of them.
 */
reglet_status reglet__events_redact(reglet_redactor *redactor, struct event *const *events, size_t all,
                                    size_t count, struct event_context *context);
void reglet__event_context_clear(struct event_context *context);

/* --- The events of a call -------------------------------------------------------------------------------- */

/* Belongs to the call's thread. All zero is none, and takes none. */
struct events {
    const struct visit *visit;
    bool silent; /* nobody hears of it */
    struct event *first, **last;
    size_t count, bytes;       /* that wait */
    size_t held[STREAM_COUNT]; /* bytes that are not yet ready */
    struct event_context contexts[STREAM_COUNT];
};

void reglet__events_init(struct events *events, const struct visit *visit, bool silent);

/*
 * An event: copied. Its texts are clean, or plain texts of the library. Where there is no memory for it, it is told as lost, in
 * its place.
 */
void reglet__events_add(struct events *events, const reglet_log_event *event);
/* A line of standard output (1) or error (2): raw bytes, without the line break. */
void reglet__events_add_line(struct events *events, int stream, const char *text, size_t size);
/* A refusal. `request_id` and `grant` may be NULL. */
void reglet__events_add_denial(struct events *events, const char *request_id, const char *asked,
                               const char *grant, const char *reason);

/* Sends what is left, and frees. */
void reglet__events_end(struct events *events);

#endif
