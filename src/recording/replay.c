/*
 * Replaying: nothing is done, and nobody is asked for leave; what comes next in the recording is the answer, denials and
 * failures with it. Memory of the guest is checked as ever: a recording is no more trusted than a plugin.
 */
#include "recording/internal.h"
#include "util/cleanup.h"
#include "util/limits.h"
#include "wasi/preview1.h"

REGLET_DEFINE_CLEANUP(reglet_error *, reglet_error_free);

void reglet__replay_begin(struct reglet__replayer *replayer, const reglet_recording *recording) {
    *replayer = (struct reglet__replayer){.recording = recording};
    replayer->clocks[WASI_CLOCK_REALTIME] = (uint64_t)recording->time_ns;
    reglet__sha256_from_hex(recording->module_sha256, &replayer->random);
}

static bool is_in_order(const struct reglet__recorded *call) {
    return !call->shape || call->shape->kind == SHAPE_IN_ORDER;
}

size_t reglet__replay_left(const struct reglet__replayer *replayer, size_t *total) {
    const reglet_recording *recording = replayer->recording;
    *total = 0;
    for (size_t i = 0; i < recording->count; i++)
        *total += is_in_order(&recording->calls[i]);
    return *total - replayer->asked;
}

static bool end(struct reglet__guest *guest) {
    reglet__guest_stop(guest, REGLET_ERR_NO_MEMORY, "out of memory");
    return false;
}

static bool diverge(struct reglet__replayer *replayer, struct reglet__guest *guest,
                    const struct reglet__asked *asked, const struct reglet__recorded *next) {
    char difference[1024];
    size_t number = next ? (size_t)(next - replayer->recording->calls) + 1 : replayer->recording->count + 1;
    const char *function = asked->shape ? asked->shape->name : asked->import->name;
    reglet__explain_difference(next, function, asked->in, difference, sizeof difference);
    reglet__guest_stop(guest, REGLET_ERR_REPLAY, "call %zu: the plugin asked %s", number, difference);
    return false;
}

static bool does_not_fit(struct reglet__replayer *replayer, struct reglet__guest *guest,
                         const struct reglet__recorded *call, size_t size, uint64_t room) {
    reglet__guest_stop(guest, REGLET_ERR_REPLAY,
                       "call %zu: the recording answers %s with %zu bytes, the plugin has room for %llu",
                       (size_t)(call - replayer->recording->calls) + 1, call->function, size,
                       (unsigned long long)room);
    return false;
}

/* --- Answers ---------------------------------------------------------------------------------------------- */

static reglet_status status_of(const char *name) {
    for (int status = REGLET_ERR_INTERNAL; status < REGLET_OK; status++)
        if (strcmp(reglet_status_name((reglet_status)status), name) == 0)
            return (reglet_status)status;
    return REGLET_ERR_INTERNAL;
}

static bool end_as_recorded(struct reglet__guest *guest, const struct reglet__json *ended) {
    const struct reglet__json *status = reglet__json_get(ended, "status"),
                              *message = reglet__json_get(ended, "message");
    bool said = message && message->type == REGLET__JSON_STRING;
    reglet__guest_stop(guest, status_of(status->text), "%s", said ? message->text : "");
    return false;
}

/* Runs the guest's allocate, as the function that is not run would have. */
static bool give(struct reglet__replayer *replayer, struct reglet__guest *guest, const char *data,
                 size_t size, union reglet__slot *slots) {
    _cleanup_(reglet_error_free_p)
    reglet_error *error = NULL;
    uint32_t address = 0, exit_code = 0;
    if (replayer->giving || size > REGLET__MAX_RESPONSE_BYTES) {
        reglet__guest_stop(guest, REGLET_ERR_BAD_OUTPUT, "%s",
                           replayer->giving ? "the plugin's allocate called a host function"
                                            : "a recorded response is larger than any may be");
        return false;
    }
    replayer->giving = true;
    reglet_status status = reglet__guest_give(guest, data, (uint32_t)size, &address, &exit_code, &error);
    replayer->giving = false;
    if (status != REGLET_OK) {
        reglet__guest_stop(guest, status, "a host function's response of %zu bytes does not fit: %s", size,
                           reglet_error_message(error));
        return false;
    }
    slots[0].u64 = (uint64_t)address << 32 | (uint32_t)size;
    return true;
}

static bool answer_host(struct reglet__replayer *replayer, struct reglet__arena *arena,
                        struct reglet__guest *guest, const struct reglet__recorded *call,
                        union reglet__slot *slots) {
    const struct reglet__json *response = reglet__json_get(call->out, "response"),
                              *text = reglet__json_get(call->out, "response_text");
    const char *data = NULL;
    size_t size = 0;
    if (response)
        data = reglet__json_print(arena, response, &size);
    else if (!reglet__value_get_bytes(arena, text, &data, &size))
        data = NULL;
    return data ? give(replayer, guest, data, size, slots) : end(guest);
}

/* The bytes of a part that fills buffers. */
static bool bytes_of(struct reglet__arena *arena, const struct reglet__part *part,
                     const struct reglet__recorded *call, const char **data, size_t *size) {
    if (part->kind == PART_ENTRIES) {
        *data = (const char *)reglet__entries_print(arena, call->out, size);
        return *data;
    }
    return reglet__value_get_bytes(arena, reglet__json_get(call->out, part->name), data, size);
}

static uint64_t room_of(const struct reglet__asked *asked) {
    uint64_t room = 0;
    for (size_t i = 0; i < asked->span_count; i++)
        room += asked->spans[i].size;
    return room;
}

static int scatter(struct reglet__guest *guest, const struct reglet__asked *asked, const char *data,
                   size_t size) {
    size_t done = 0;
    for (size_t i = 0; i < asked->span_count && done < size; i++) {
        struct reglet__span span = asked->spans[i];
        uint32_t part = span.size < size - done ? span.size : (uint32_t)(size - done);
        if (!reglet__guest_write(guest, span.address, data + done, part))
            return WASI_EFAULT;
        done += part;
    }
    return reglet__guest_write_u32(guest, asked->used_at, (uint32_t)size) ? WASI_SUCCESS : WASI_EFAULT;
}

static bool answer_in_order(struct reglet__replayer *replayer, struct reglet__arena *arena,
                            struct reglet__guest *guest, const struct reglet__asked *asked,
                            const struct reglet__recorded *call, union reglet__slot *slots) {
    const struct reglet__json *failed = reglet__json_get(call->out, "error");
    int error = failed ? reglet__preview1_errno_number(failed->text) : WASI_SUCCESS;
    unsigned at = 0;
    for (const struct reglet__part *part = call->shape->parts; !error && part->kind != PART_END; part++) {
        const char *data;
        size_t size;
        bool fills = part->kind == PART_BYTES || part->kind == PART_SCATTER || part->kind == PART_ENTRIES;
        if (part->kind == PART_FIELDS)
            error = reglet__put_fields(guest, asked->slots[at].u32, part->layout, call->out);
        if (fills) {
            if (!bytes_of(arena, part, call, &data, &size))
                return end(guest);
            if (size > room_of(asked))
                return does_not_fit(replayer, guest, call, size, room_of(asked));
            error = scatter(guest, asked, data, size);
        }
        at += reglet__part_slots(part->kind);
    }
    slots[0].u64 = (uint32_t)error;
    return true;
}

/* --- The call --------------------------------------------------------------------------------------------- */

/* The next call that has to be asked for; NULL: there is none. */
static const struct reglet__recorded *next_in_order(struct reglet__replayer *replayer) {
    const reglet_recording *recording = replayer->recording;
    while (replayer->next < recording->count && !is_in_order(&recording->calls[replayer->next]))
        replayer->next++;
    return replayer->next < recording->count ? &recording->calls[replayer->next] : NULL;
}

static bool is_next(const struct reglet__replayer *replayer, const struct reglet__recorded *next,
                    const struct reglet__asked *asked) {
    if (!next || next->shape != asked->shape)
        return false;
    return (asked->shape || strcmp(next->function, asked->import->name) == 0) &&
           reglet__same_question(replayer->recording, next, asked->in);
}

static bool replay(struct reglet__replayer *replayer, struct reglet__arena *arena,
                   struct reglet__guest *guest, const struct reglet__asked *asked,
                   union reglet__slot *slots) {
    if (asked->shape && asked->shape->kind != SHAPE_IN_ORDER) {
        int error = reglet__series_answer(replayer, arena, guest, asked);
        if (replayer->ended)
            return end_as_recorded(guest, replayer->ended);
        slots[0].u64 = (uint32_t)error;
        return error >= 0 || end(guest);
    }
    const struct reglet__recorded *next = next_in_order(replayer);
    if (!is_next(replayer, next, asked))
        return diverge(replayer, guest, asked, next);
    replayer->next++;
    replayer->asked++;
    const struct reglet__json *ended = reglet__json_get(next->out, "ended");
    if (ended)
        return end_as_recorded(guest, ended);
    return asked->shape ? answer_in_order(replayer, arena, guest, asked, next, slots)
                        : answer_host(replayer, arena, guest, next, slots);
}

bool reglet__replay_call(void *user_data, struct reglet__guest *guest, const struct reglet__import *import,
                         union reglet__slot *slots) {
    struct reglet__replayer *replayer = user_data;
    const struct reglet__shape *shape = reglet__shape_of(import);
    struct reglet__descriptors descriptors = reglet__descriptors_of(shape, slots);
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__asked asked;
    bool goes_on;
    if (!reglet__is_recorded(&replayer->streams, import, shape, slots))
        goes_on = import->function(guest, slots);
    else
        goes_on = reglet__ask(&arena, guest, import, shape, slots, &asked)
                      ? replay(replayer, &arena, guest, &asked, slots)
                      : end(guest);
    if (goes_on)
        reglet__streams_note(&replayer->streams, shape, descriptors, slots[0].u32);
    return goes_on;
}
