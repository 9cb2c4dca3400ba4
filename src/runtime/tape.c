#include "runtime/tape.h"

#include <stdlib.h>

#include "util/fail.h"
#include "util/options.h"

reglet_status reglet__tape_take(const reglet_call_options *given, struct tape *tape, reglet_error **err) {
    reglet_call_options options;
    *tape = (struct tape){0};
    if (!reglet__options_copy(&options, sizeof options, given))
        return REGLET_OK; /* which the visit says */
    tape->record = options.record;
    tape->replay = options.replay;
    if (options.record && options.replay)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "call options: record and replay do not go together");
    if (options.replay && !options.replay->begun)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "call options: replay holds no call");
    return REGLET_OK;
}

static reglet_status begin_recording(struct tape *tape, struct visit *visit, const char *config, size_t size,
                                     reglet_error **err) {
    const struct reglet__recording_head head = {.plugin = visit->plugin->name,
                                                .module = &visit->version->hash,
                                                .abi = visit->version->generation,
                                                .config = config,
                                                .config_size = size};
    tape->recorder.recording = tape->record;
    visit->tap = (struct reglet__tap){reglet__record_call, &tape->recorder};
    return reglet__recording_begin(tape->record, &head, err);
}

reglet_status reglet__tape_begin(struct tape *tape, struct visit *visit, const char **config, size_t *size,
                                 reglet_error **err) {
    if (tape->replay) {
        reglet__replay_begin(&tape->replayer, tape->replay);
        visit->tap = (struct reglet__tap){reglet__replay_call, &tape->replayer};
        tape->config = *config ? NULL : reglet__recording_config(tape->replay, size);
        if (!*config && !tape->config)
            return reglet__fail_memory(err);
        *config = *config ? *config : tape->config;
    }
    if (!*config) {
        *config = "{}";
        *size = 2;
    }
    return tape->record ? begin_recording(tape, visit, *config, *size, err) : REGLET_OK;
}

void reglet__tape_end(struct tape *tape, struct visit *visit, reglet_status status) {
    size_t total = 0, left = tape->replay ? reglet__replay_left(&tape->replayer, &total) : 0;
    if (left > 0 && status != REGLET_ERR_REPLAY)
        reglet__runtime_say(visit->plugin->runtime, REGLET_LOG_WARN, visit->plugin->name,
                            "replay: the plugin asked %zu of the %zu calls that the recording has in order",
                            total - left, total);
    visit->tap = (struct reglet__tap){0};
    free(tape->config);
}
