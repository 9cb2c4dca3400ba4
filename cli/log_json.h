/*
 * log_json.h - what is said on standard error, as one JSON object in a line: time, level, source, plugin, request_id, message,
 * attrs.
 */
#ifndef CLI_LOG_JSON_H
#define CLI_LOG_JSON_H

#include "util.h"

/* To be freed. `level` as slog spells it. */
char *log_json_event(const reglet_log_event *event, const char *level);

/* A message of the command itself. `command` may be NULL. To be freed. */
char *log_json_message(const char *command, const char *message);

#endif
