/*
 * batch_request.h - reads one line of a batch: {"id", "plugin", "values", "timeout"}.
 */
#ifndef CLI_BATCH_REQUEST_H
#define CLI_BATCH_REQUEST_H

#include "batch_line.h"

/* Reads a line's text, which `out` then points into. What is wrong is in out->problem. */
void batch_request_read(const char *text, size_t size, struct batch_request *out);
void batch_request_clear(struct batch_request *request);

#endif
