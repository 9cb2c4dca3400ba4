#define _GNU_SOURCE
#include "log.h"

#include "log_json.h"
#include "term.h"
#include "util.h"

#include <string.h>

static void (*wipe)(void); /* both set while nobody else writes */
static bool as_json;

void log_set_json(bool json) {
    as_json = json;
}

void log_set_wipe(void (*function)(void)) {
    wipe = function;
}

/* One write for a line, so that lines of several threads do not mix. Takes the text. */
static void write_line(char *taken) {
    _cleanup_free_ char *text = taken;
    _cleanup_free_ char *clean = term_clean(text, strlen(text));
    _cleanup_free_ char *line = format_text("%s\n", clean);
    flockfile(stderr);
    if (wipe)
        wipe();
    fputs(line, stderr);
    funlockfile(stderr);
}

void complain(const char *command, const char *format, ...) {
    va_list args;
    va_start(args, format);
    _cleanup_free_ char *text = format_text_va(format, args);
    va_end(args);
    write_line(as_json ? log_json_message(command, text)
                       : format_text("reglet%s%s: %s", command ? " " : "", command ? command : "", text));
}

void complain_status(const char *command, reglet_status status, const char *message) {
    if (status == REGLET_ERR_CANCELLED)
        complain(command, "cancelled");
    else
        complain(command, "%s [%s]", message, reglet_status_name(status));
}

void complain_error(const char *command, const reglet_error *error) {
    complain_status(command, reglet_error_code(error), reglet_error_message(error));
}

static const char *level_name(int level) {
    return level < REGLET_LOG_INFO    ? "debug"
           : level < REGLET_LOG_WARN  ? "info"
           : level < REGLET_LOG_ERROR ? "warn"
                                      : "error";
}

static const char *attribute(const reglet_log_event *event, const char *key) {
    for (size_t i = 0; i < event->attr_count; i++)
        if (event->attrs[i].key && strcmp(event->attrs[i].key, key) == 0)
            return event->attrs[i].value;
    return NULL;
}

static const char *plugin_name(const reglet_log_event *event) {
    return event->plugin ? event->plugin : "";
}

static void write_denial(const reglet_log_event *event) {
    const char *plugin = plugin_name(event);
    const char *asked = attribute(event, "asked"), *grant = attribute(event, "grant");
    const char *reason = attribute(event, "reason");
    if (!asked)
        asked = event->message;
    if (grant && *grant) {
        _cleanup_free_ char *word = shell_word(grant);
        write_line(format_text("reglet: denied: %s: %s (grant it with --grant %s)", plugin, asked, word));
    } else {
        write_line(
            format_text("reglet: denied: %s: %s (%s)", plugin, asked, reason ? reason : "never allowed"));
    }
}

static char *format_attributes(const reglet_log_event *event) {
    char *text = copy_text("", 0);
    for (size_t i = 0; i < event->attr_count; i++) {
        const char *key = event->attrs[i].key ? event->attrs[i].key : "";
        const char *value = event->attrs[i].value ? event->attrs[i].value : "";
        const char *quote = is_plain_word(value) ? "" : "\"";
        char *longer = format_text("%s %s=%s%s%s", text, key, quote, value, quote);
        free(text);
        text = longer;
    }
    return text;
}

/* slog's spelling: between two levels it is the lower one and the difference. */
static char *slog_level(int level) {
    int base = level < REGLET_LOG_INFO    ? REGLET_LOG_DEBUG
               : level < REGLET_LOG_WARN  ? REGLET_LOG_INFO
               : level < REGLET_LOG_ERROR ? REGLET_LOG_WARN
                                          : REGLET_LOG_ERROR;
    const char *name = base == REGLET_LOG_DEBUG  ? "DEBUG"
                       : base == REGLET_LOG_INFO ? "INFO"
                       : base == REGLET_LOG_WARN ? "WARN"
                                                 : "ERROR";
    return level == base ? copy_text(name, strlen(name)) : format_text("%s%+d", name, level - base);
}

static void write_plugin_log(const reglet_log_event *event) {
    _cleanup_free_ char *level = slog_level(event->level);
    _cleanup_free_ char *attributes = format_attributes(event);
    write_line(format_text("[%s] %s %s%s", plugin_name(event), level, event->message, attributes));
}

static void write_host_event(const reglet_log_event *event) {
    _cleanup_free_ char *attributes = format_attributes(event);
    const char *plugin = plugin_name(event);
    write_line(format_text("reglet: %s: %s%s%s%s", level_name(event->level), plugin, *plugin ? ": " : "",
                           event->message, attributes));
}

static void write_output(const reglet_log_event *event, const char *stream) {
    write_line(format_text("[%s] %s: %s", plugin_name(event), stream, event->message));
}

static bool is_shown(const reglet_log_event *event, enum verbosity verbosity) {
    if (verbosity == QUIET)
        return event->source == REGLET_LOG_HOST && event->level >= REGLET_LOG_ERROR;
    return verbosity == VERBOSE || event->level >= REGLET_LOG_INFO || event->source == REGLET_LOG_DENIAL;
}

void log_event(void *user_data, const reglet_log_event *event) {
    const enum verbosity *verbosity = user_data;
    if (!is_shown(event, *verbosity))
        return;
    if (as_json) {
        _cleanup_free_ char *level = slog_level(event->level);
        write_line(log_json_event(event, level));
        return;
    }
    switch (event->source) {
    case REGLET_LOG_HOST: write_host_event(event); break;
    case REGLET_LOG_PLUGIN: write_plugin_log(event); break;
    case REGLET_LOG_STDOUT: write_output(event, "stdout"); break;
    case REGLET_LOG_STDERR: write_output(event, "stderr"); break;
    case REGLET_LOG_DENIAL: write_denial(event); break;
    }
}
