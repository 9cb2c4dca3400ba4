/*
 * reglet/recording.h - what one observation asked of the host and what it was answered, kept, and answered again.
 *
 * So that a plugin can be tried against what it once saw, without the network, the files and the commands of that machine.
 */
#ifndef REGLET_RECORDING_H
#define REGLET_RECORDING_H

#include <reglet/redactor.h>

REGLET_BEGIN_DECLS

/** A recording: see `record` and `replay` of reglet_call_options. One that is no longer recorded into may be replayed by
 * several threads at once. */
typedef struct reglet_recording reglet_recording;

/** Makes an empty recording. REGLET_OK, REGLET_ERR_INVALID_ARGUMENT, REGLET_ERR_NO_MEMORY. */
REGLET_API reglet_status reglet_recording_new(reglet_recording **out, reglet_error **err);

/**
 * Reads a recording that reglet_recording_text() gave.
 *
 * @return REGLET_OK; REGLET_ERR_INVALID_ARGUMENT (the line, and what is wrong in it; a version that this library does not
 *         know); REGLET_ERR_NO_MEMORY
 */
REGLET_API reglet_status reglet_recording_parse(const char *text, size_t size, reglet_recording **out,
                                                reglet_error **err);

/**
 * The recording as text: JSON lines, of which the first one says what was recorded. It holds what the plugin was answered,
 * which is whatever it may see of the machine: redact it before it goes anywhere.
 *
 * @param redactor  replaces secrets in it; NULL: it is as it is
 * @param out       receives the text and a NUL that is not counted, to be freed with reglet_free(); untouched on failure
 * @return REGLET_OK; REGLET_ERR_INVALID_ARGUMENT; REGLET_ERR_NO_MEMORY
 */
REGLET_API reglet_status reglet_recording_text(const reglet_recording *recording, reglet_redactor *redactor,
                                               char **out, size_t *out_size, reglet_error **err);

/** How many calls of host functions it has. */
REGLET_API size_t reglet_recording_count(const reglet_recording *recording);

/** Frees. No call may record into it or replay it any more. NULL is allowed. */
REGLET_API void reglet_recording_free(reglet_recording *recording);

REGLET_END_DECLS

#endif
