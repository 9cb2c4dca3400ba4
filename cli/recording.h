/*
 * recording.h - the files of --record and --replay.
 */
#ifndef CLI_RECORDING_H
#define CLI_RECORDING_H

#include "session.h"

/*
 * Reads what is replayed, or looks whether what is recorded can be written; both go into the session's call. EXIT_OK, or
 * EXIT_BAD_USAGE or EXIT_FAILED after one line on standard error.
 */
int recording_open(const struct options *options, struct session *session);

/* After a call, however it ended: writes what was recorded, all of it or nothing. EXIT_FAILED as above. */
int recording_write(const struct options *options, const struct session *session);

void recording_close(struct session *session);

#endif
