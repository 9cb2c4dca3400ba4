/*
 * tape.h - one observation that is recorded, or answered from a recording.
 */
#ifndef REGLET_RUNTIME_TAPE_H
#define REGLET_RUNTIME_TAPE_H

#include "recording/recording.h"
#include "runtime/internal.h"

struct tape {
    reglet_recording *record;       /* or NULL */
    const reglet_recording *replay; /* or NULL */
    struct reglet__recorder recorder;
    struct reglet__replayer replayer;
    char *config; /* the recorded one */
};

/* What the call's options say: neither, or one of both. INVALID_ARGUMENT. */
reglet_status reglet__tape_take(const reglet_call_options *options, struct tape *tape, reglet_error **err);

/* Before the plugin runs. Without a config (NULL), *config becomes the recorded one. INVALID_ARGUMENT, NO_MEMORY. */
reglet_status reglet__tape_begin(struct tape *tape, struct visit *visit, const char **config, size_t *size,
                                 reglet_error **err);

/* After it ran. `status`: how that ended. Tells what it did not ask for any more. */
void reglet__tape_end(struct tape *tape, struct visit *visit, reglet_status status);

#endif
