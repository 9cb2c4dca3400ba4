/*
 * batch_progress.h - a line on a terminal that says how far a batch is. It gives way to every other line there.
 */
#ifndef CLI_BATCH_PROGRESS_H
#define CLI_BATCH_PROGRESS_H

#include "batch_output.h"

/* Begins to draw, if standard error is a terminal; `input_bytes` is 0 when nobody knows how long the input is. */
void batch_progress_start(const struct batch_output *output, uint64_t input_bytes);
/* Wipes it, for good. Harmless when it never began. */
void batch_progress_stop(void);

/* Around a write to the terminal that does not go through stderr. */
void batch_progress_hide(void);
void batch_progress_show(void);

/* Seconds since an earlier value of it. */
double batch_clock(void);

#endif
