/*
 * reglet/log.h - everything the library has to say while it works. It prints nothing itself.
 */
#ifndef REGLET_LOG_H
#define REGLET_LOG_H

#include <reglet/base.h>

REGLET_BEGIN_DECLS

/** Severity, with the numbers of Go's slog, so that "INFO+2" is 2. */
typedef enum reglet_log_level {
    REGLET_LOG_DEBUG = -4,
    REGLET_LOG_INFO = 0,
    REGLET_LOG_WARN = 4,
    REGLET_LOG_ERROR = 8
} reglet_log_level;

/** Where an event comes from. New sources may be added: ignore what you do not know. */
typedef enum reglet_log_source {
    REGLET_LOG_HOST = 0, /**< the library itself: a warning about an option, a plugin that was replaced, … */
    REGLET_LOG_PLUGIN,   /**< the plugin called log_message */
    REGLET_LOG_STDOUT,   /**< a line that the plugin wrote to its standard output */
    REGLET_LOG_STDERR,   /**< a line that the plugin wrote to its standard error */
    REGLET_LOG_DENIAL    /**< the policy refused something; attributes "asked", "grant" and "reason" */
} reglet_log_source;

/** One attribute. `type` is as the plugin sent it: string, int64, uint64, bool, float64, time, duration,
 * error, json, group, any. */
typedef struct reglet_log_attr {
    const char *key;
    const char *type;
    const char *value;
} reglet_log_attr;

/**
 * One event. All pointers are valid during the callback only. Strings are UTF-8, NUL-terminated, and without
 * control characters other than tab (a plugin cannot write escape sequences to your terminal through them).
 */
typedef struct reglet_log_event {
    size_t struct_size;       /**< size of the structure that the library filled in */
    int level;                /**< a reglet_log_level, or a number between two of them */
    reglet_log_source source; /**< who speaks */
    const char *plugin;       /**< the plugin's name, or NULL when no plugin is concerned */
    const char *request_id;   /**< the call's request id, or the plugin's own, or NULL */
    const char *message;      /**< one line */
    const reglet_log_attr *attrs;
    size_t attr_count;
    int64_t time_ns; /**< when it happened, in nanoseconds since 1970 (UTC) */
} reglet_log_event;

/**
 * Receives events, redacted. What a plugin says (log_message, standard output and error) is held back until
 * REGLET_REDACT_HOLD_BYTES more of the same came, at most twice as many, or the call is over, because a secret may be split over
 * several lines; and no longer than 1000 events or 256 KiB wait. Events of one call come in the order in which they happened,
 * at `time_ns`. Called on the thread on which the event happens, by several threads at once when several
 * calls run at once; must not call back into the same runtime's load, replace, close or free functions. It
 * counts against the call's deadline but cannot be interrupted by it.
 */
typedef void (*reglet_log_fn)(void *user_data, const reglet_log_event *event);

REGLET_END_DECLS

#endif
