/*
 * metrics_file.h - `--metrics FILE`: what a command did, for Prometheus' textfile collector.
 */
#ifndef CLI_METRICS_FILE_H
#define CLI_METRICS_FILE_H

#include <reglet.h>
#include <stdbool.h>

/* Whether the file can be replaced by another one: it is a regular file, or there is none. Else one line on standard error. */
bool metrics_file_check(const char *command, const char *path);

/* Replaces the file as a whole, so that no reader finds half of it. False after one line on standard error. */
bool metrics_file_write(const char *command, const char *path, const reglet_metrics *metrics);

#endif
