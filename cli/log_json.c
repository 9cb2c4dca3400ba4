/* Lines of JSON on standard error, for programs that collect logs. */
#define _GNU_SOURCE
#include "log_json.h"

#include "term.h"

#include <string.h>
#include <time.h>

static const char *const sources[] = {[REGLET_LOG_HOST] = "host",
                                      [REGLET_LOG_PLUGIN] = "plugin",
                                      [REGLET_LOG_STDOUT] = "stdout",
                                      [REGLET_LOG_STDERR] = "stderr",
                                      [REGLET_LOG_DENIAL] = "denial"};

static void put_time(FILE *out, int64_t time_ns) {
    time_t seconds = (time_t)(time_ns / 1000000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    fprintf(out, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%09dZ\"", utc.tm_year + 1900, utc.tm_mon + 1,
            utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, (int)(time_ns % 1000000000));
}

/* Whole numbers and truth values keep their types; whatever else a plugin says is a string. */
static bool is_literal(const reglet_log_attr *attr, const char *type, const char *value) {
    if (strcmp(type, "bool") == 0)
        return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
    if (strcmp(type, "int64") != 0 && strcmp(type, "uint64") != 0)
        return false;
    const char *digits = attr->value + (*value == '-');
    size_t count = strspn(digits, "0123456789");
    return count > 0 && count <= 20 && digits[count] == '\0' && (digits[0] != '0' || count == 1);
}

static void put_attributes(FILE *out, const reglet_log_event *event) {
    fputs(",\"attrs\":{", out);
    for (size_t i = 0; i < event->attr_count; i++) {
        const reglet_log_attr *attr = &event->attrs[i];
        const char *value = attr->value ? attr->value : "";
        if (i > 0)
            putc(',', out);
        term_write_json_string(out, attr->key ? attr->key : "");
        putc(':', out);
        if (is_literal(attr, attr->type ? attr->type : "", value))
            fputs(value, out);
        else
            term_write_json_string(out, value);
    }
    putc('}', out);
}

static void put_event(FILE *out, const reglet_log_event *event, const char *level) {
    bool known = (size_t)event->source < ARRAY_LEN(sources);
    put_time(out, event->time_ns);
    term_write_json_member(out, "level", level);
    term_write_json_member(out, "source", known ? sources[event->source] : "unknown");
    if (event->plugin)
        term_write_json_member(out, "plugin", event->plugin);
    if (event->request_id)
        term_write_json_member(out, "request_id", event->request_id);
    term_write_json_member(out, "message", event->message);
    if (event->attr_count)
        put_attributes(out, event);
    putc('}', out);
}

char *log_json_event(const reglet_log_event *event, const char *level) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        out_of_memory();
    put_event(out, event, level);
    if (fclose(out) != 0)
        out_of_memory();
    return text;
}

char *log_json_message(const char *command, const char *message) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const reglet_log_attr attr = {"command", "string", command};
    const reglet_log_event event = {.source = REGLET_LOG_HOST,
                                    .message = message,
                                    .attrs = &attr,
                                    .attr_count = command ? 1 : 0,
                                    .time_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec};
    return log_json_event(&event, "ERROR");
}
