/*
 * log.h - everything on standard error: messages of the command itself, and the library's events.
 */
#ifndef CLI_LOG_H
#define CLI_LOG_H

#include <reglet.h>
#include <stdbool.h>

/* What of the library's events is shown. Errors always are. */
enum verbosity { QUIET, NORMAL, VERBOSE };

/* Lines of JSON from now on, or lines for people. */
void log_set_json(bool json);

/* One cleaned line, "reglet: " or "reglet COMMAND: " before it. */
void complain(const char *command, const char *format, ...) REGLET_PRINTF(2, 3);

/* The library's error as one line, its code's name behind it. */
void complain_error(const char *command, const reglet_error *error);
void complain_status(const char *command, reglet_status status, const char *message);

/* Called before every line, with stderr locked: what takes a line away that is drawn on the terminal. NULL: none. */
void log_set_wipe(void (*function)(void));

/* A reglet_log_fn. Its user data is the `enum verbosity` that it points to. */
void log_event(void *user_data, const reglet_log_event *event);

#endif
