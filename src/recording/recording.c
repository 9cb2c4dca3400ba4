/* Recordings as objects, and as text. */
#define _GNU_SOURCE
#include <stdlib.h>

#include "recording/internal.h"
#include "redact/redact.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/fail.h"
#include "util/limits.h"

static reglet_status bad_argument(reglet_error **err, const char *what) {
    return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME, "recording: %s", what);
}

reglet_status reglet_recording_new(reglet_recording **out, reglet_error **err) {
    if (!out)
        return bad_argument(err, "out is NULL");
    reglet_recording *recording = calloc(1, sizeof *recording);
    if (!recording)
        return reglet__fail_memory(err);
    *out = recording;
    return REGLET_OK;
}

void reglet_recording_free(reglet_recording *recording) {
    if (!recording)
        return;
    reglet__arena_free(&recording->arena);
    free(recording->calls);
    free(recording);
}

size_t reglet_recording_count(const reglet_recording *recording) {
    return recording ? recording->count : 0;
}

/* --- Taking down ------------------------------------------------------------------------------------------ */

reglet_status reglet__recording_begin(reglet_recording *recording, const struct reglet__recording_head *head,
                                      reglet_error **err) {
    struct reglet__arena *arena = &recording->arena;
    struct reglet__json_fault fault;
    char hex[65], time[REGLET__RFC3339_SIZE];
    if (recording->begun)
        return bad_argument(err, "it holds a call already; each takes one");
    recording->time_ns = reglet__wall_clock();
    reglet__rfc3339_format(recording->time_ns, time);
    reglet__sha256_to_hex(head->module, hex);
    recording->plugin = reglet__arena_copy(arena, head->plugin, strlen(head->plugin));
    recording->module_sha256 = reglet__arena_copy(arena, hex, strlen(hex));
    recording->time = reglet__arena_copy(arena, time, strlen(time));
    recording->abi = (uint64_t)head->abi;
    if (!recording->plugin || !recording->module_sha256 || !recording->time ||
        reglet__json_read(arena, head->config, head->config_size, &recording->config, &fault) != REGLET_OK)
        return reglet__fail_memory(err); /* a config is JSON */
    recording->begun = true;
    return REGLET_OK;
}

size_t reglet__recording_add(reglet_recording *recording, const struct reglet__recorded *call) {
    if (recording->count == recording->room) {
        size_t room = recording->room ? recording->room * 2 : 64;
        struct reglet__recorded *calls = realloc(recording->calls, room * sizeof *calls);
        if (!calls)
            return SIZE_MAX;
        recording->calls = calls;
        recording->room = room;
    }
    recording->calls[recording->count] = *call;
    return recording->count++;
}

char *reglet__recording_config(const reglet_recording *recording, size_t *size) {
    _cleanup_arena_ struct reglet__arena scratch = {0};
    char *text = reglet__json_print(&scratch, recording->config, size);
    return text ? strdup(text) : NULL; /* what is printed holds no NUL */
}

/* --- As text ---------------------------------------------------------------------------------------------- */

static bool add(struct reglet__arena *arena, struct reglet__json *line, const char *key,
                const struct reglet__json *value) {
    return reglet__json_add(arena, line, key, strlen(key), value);
}

static reglet_status append_line(struct reglet__buf *buf, struct reglet__arena *arena,
                                 const struct reglet__json *line) {
    size_t size = 0;
    const char *text = reglet__json_print(arena, line, &size);
    if (!text)
        return REGLET_ERR_NO_MEMORY;
    reglet__buf_append(buf, text, size);
    return reglet__buf_append(buf, "\n", 1);
}

static reglet_status append_head(struct reglet__buf *buf, const reglet_recording *recording,
                                 reglet_redactor *redactor) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__json *line = reglet__json_new_object(&arena);
    struct reglet__json *config = reglet__value_copy(&arena, recording->config);
    if (!line || !config)
        return REGLET_ERR_NO_MEMORY;
    if (redactor && reglet__redact_json(redactor, &arena, config, true, NULL) != REGLET_OK)
        return REGLET_ERR_NO_MEMORY;
    bool redacted = redactor || recording->redacted;
    bool built =
        reglet__json_add_number(&arena, line, "reglet_recording", REGLET__RECORDING_VERSION) &&
        reglet__json_add_text(&arena, line, "plugin", recording->plugin) &&
        reglet__json_add_text(&arena, line, "module_sha256", recording->module_sha256) &&
        reglet__json_add_number(&arena, line, "abi", recording->abi) && add(&arena, line, "config", config) &&
        reglet__json_add_text(&arena, line, "time", recording->time) &&
        reglet__json_add_literal(&arena, line, "redacted", redacted ? REGLET__JSON_TRUE : REGLET__JSON_FALSE);
    return built ? append_line(buf, &arena, line) : REGLET_ERR_NO_MEMORY;
}

static reglet_status append_call(struct reglet__buf *buf, const reglet_recording *recording, size_t index,
                                 struct reglet__hiding *hiding) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    const struct reglet__recorded *call = &recording->calls[index];
    struct reglet__json *in = call->in, *out = call->out;
    struct reglet__json *line = reglet__json_new_object(&arena);
    reglet_status status = hiding ? reglet__hide(hiding, &arena, index, &in, &out) : REGLET_OK;
    if (status != REGLET_OK)
        return status;
    bool built = line && reglet__json_add_number(&arena, line, "n", index + 1) &&
                 reglet__json_add_text(&arena, line, "function", call->function) &&
                 add(&arena, line, "in", in) && add(&arena, line, "out", out);
    return built ? append_line(buf, &arena, line) : REGLET_ERR_NO_MEMORY;
}

static reglet_status print(const reglet_recording *recording, reglet_redactor *redactor,
                           struct reglet__buf *buf) {
    struct reglet__hiding *hiding = redactor ? reglet__hiding_new(recording, redactor) : NULL;
    reglet_status status = redactor && !hiding ? REGLET_ERR_NO_MEMORY : REGLET_OK;
    if (status == REGLET_OK)
        status = append_head(buf, recording, redactor);
    for (size_t i = 0; status == REGLET_OK && i < recording->count; i++)
        status = append_call(buf, recording, i, hiding);
    reglet__hiding_free(hiding);
    return status;
}

reglet_status reglet_recording_text(const reglet_recording *recording, reglet_redactor *redactor, char **out,
                                    size_t *out_size, reglet_error **err) {
    if (!recording || !out || !recording->begun)
        return bad_argument(err, recording && out ? "there is none: no call was recorded"
                                                  : "recording or out is NULL");
    _cleanup_buf_ struct reglet__buf buf = REGLET__BUF_INIT(REGLET__MAX_RECORDING_TEXT);
    size_t size = 0;
    reglet_status status = print(recording, redactor, &buf);
    char *text = status == REGLET_OK ? reglet__buf_take(&buf, &size) : NULL;
    if (status == REGLET_ERR_RESULT_LIMIT)
        return reglet__fail(err, status, REGLET_DOMAIN_RUNTIME, "the recording has more than %zu MiB as text",
                            REGLET__MAX_RECORDING_TEXT >> 20);
    if (!text)
        return reglet__fail_memory(err);
    *out = text;
    if (out_size)
        *out_size = size;
    return REGLET_OK;
}
