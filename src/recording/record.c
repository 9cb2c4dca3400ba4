/* Recording: the call runs, and what it asked and was answered is taken down. */
#include "recording/internal.h"
#include "util/limits.h"

static bool end(struct reglet__guest *guest) {
    reglet__guest_stop(guest, REGLET_ERR_NO_MEMORY, "out of memory");
    return false;
}

/* --- What was answered ------------------------------------------------------------------------------------ */

static bool take_response(struct reglet__arena *arena, struct reglet__guest *guest, uint64_t packed,
                          struct reglet__json *out) {
    uint32_t address = (uint32_t)(packed >> 32), size = (uint32_t)packed;
    const char *bytes = reglet__guest_memory(guest, address, size);
    struct reglet__json *response = NULL;
    struct reglet__json_fault fault;
    reglet_status status =
        bytes ? reglet__json_read(arena, bytes, size, &response, &fault) : REGLET_ERR_BAD_OUTPUT;
    if (status == REGLET_ERR_NO_MEMORY)
        return false;
    if (status == REGLET_OK && reglet__value_fits(response))
        return reglet__json_add(arena, out, "response", strlen("response"), response);
    return reglet__value_add_bytes(arena, out, "response_text", bytes ? bytes : "", bytes ? size : 0);
}

static uint32_t used_of(struct reglet__guest *guest, const struct reglet__asked *asked) {
    const unsigned char *at = reglet__guest_memory(guest, asked->used_at, 4);
    return at ? at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24 : 0;
}

/* What lies in the buffers, as far as they were filled. NULL without memory. */
static char *collect(struct reglet__arena *arena, struct reglet__guest *guest,
                     const struct reglet__asked *asked, uint32_t used) {
    char *data = reglet__arena_alloc(arena, (size_t)used + 1);
    uint32_t done = 0;
    for (size_t i = 0; data && i < asked->span_count && done < used; i++) {
        struct reglet__span span = asked->spans[i];
        uint32_t part = span.size < used - done ? span.size : used - done;
        reglet__guest_read(guest, span.address, data + done, part);
        done += part;
    }
    return data;
}

static bool take_part(struct reglet__arena *arena, struct reglet__guest *guest,
                      const struct reglet__asked *asked, const struct reglet__part *part, uint32_t address,
                      struct reglet__json *out) {
    bool fills = part->kind == PART_BYTES || part->kind == PART_SCATTER || part->kind == PART_ENTRIES;
    if (part->kind == PART_FIELDS)
        return reglet__take_fields(arena, guest, address, part->layout, out);
    if (!fills)
        return true;
    _cleanup_arena_ struct reglet__arena scratch = {0};
    uint32_t used = used_of(guest, asked);
    char *data = used <= REGLET__MAX_RECORDING_BYTES ? collect(&scratch, guest, asked, used) : NULL;
    if (!data)
        return used > REGLET__MAX_RECORDING_BYTES; /* too much for any recording, which limit() says */
    if (part->kind == PART_ENTRIES)
        return reglet__entries_take(arena, (const unsigned char *)data, used, out);
    return reglet__value_add_bytes(arena, out, part->name, data, used);
}

static bool take_error(struct reglet__arena *arena, uint32_t error, struct reglet__json *out) {
    const char *name = reglet__preview1_errno_name(error);
    return name ? reglet__json_add_text(arena, out, "error", name) != NULL
                : reglet__json_add_text(arena, out, "error", "EIO") != NULL;
}

static bool take_answer(struct reglet__arena *arena, struct reglet__guest *guest,
                        const struct reglet__asked *asked, const union reglet__slot *slots,
                        struct reglet__json *out) {
    if (!asked->shape)
        return take_response(arena, guest, slots[0].u64, out);
    if (slots[0].u32)
        return take_error(arena, slots[0].u32, out);
    unsigned at = 0;
    for (const struct reglet__part *part = asked->shape->parts; part->kind != PART_END; part++) {
        if (!take_part(arena, guest, asked, part, asked->slots[at].u32, out))
            return false;
        at += reglet__part_slots(part->kind);
    }
    return reglet__series_take(arena, guest, asked, out);
}

/* Why the call of the plugin ended in there. */
static bool take_end(struct reglet__arena *arena, struct reglet__guest *guest, struct reglet__json *out) {
    const struct reglet__stop *stop = reglet__guest_stopped(guest);
    struct reglet__json end = {.type = REGLET__JSON_OBJECT};
    return reglet__json_add_text(arena, &end, "status", reglet_status_name(stop->status)) &&
           reglet__value_add_bytes(arena, &end, "message", stop->message, strlen(stop->message)) &&
           reglet__json_add(arena, out, "ended", strlen("ended"), &end);
}

/* --- The call --------------------------------------------------------------------------------------------- */

/* A plugin could fill all memory with what it is answered. */
static bool limit(struct reglet__guest *guest, reglet_recording *recording, const struct reglet__json *in,
                  const struct reglet__json *out) {
    recording->bytes += reglet__json_printed_size(in) + reglet__json_printed_size(out);
    if (recording->bytes <= REGLET__MAX_RECORDING_BYTES && recording->count <= REGLET__MAX_RECORDED_CALLS)
        return true;
    reglet__guest_stop(guest, REGLET_ERR_RESULT_LIMIT,
                       "the recording would have more than %zu MiB, or more than %d calls",
                       REGLET__MAX_RECORDING_BYTES >> 20, REGLET__MAX_RECORDED_CALLS);
    return false;
}

static uint32_t *strings_of(struct reglet__recorder *recorder, const struct reglet__shape *shape) {
    return &recorder->string_counts[shape->name[0] == 'e'];
}

static void note_strings(struct reglet__recorder *recorder, const struct reglet__shape *shape,
                         const struct reglet__json *out) {
    uint64_t count = 0;
    if (shape && shape->kind == SHAPE_STRING_SIZES &&
        reglet__value_get_u64(reglet__json_get(out, "count"), &count))
        *strings_of(recorder, shape) = (uint32_t)count;
}

/* The place in the recording is taken before: the function may call the guest, which calls others. */
static bool record(struct reglet__recorder *recorder, struct reglet__guest *guest,
                   struct reglet__asked *asked, union reglet__slot *slots) {
    reglet_recording *recording = recorder->recording;
    const struct reglet__import *import = asked->import;
    struct reglet__recorded call = {.shape = asked->shape, .in = asked->in};
    call.function = asked->shape ? asked->shape->name
                                 : reglet__arena_copy(&recording->arena, import->name, strlen(import->name));
    struct reglet__json *out = reglet__json_new_object(&recording->arena);
    size_t place = call.function && out ? reglet__recording_add(recording, &call) : SIZE_MAX;
    if (place == SIZE_MAX)
        return end(guest);
    recording->calls[place].out = out;
    bool goes_on = import->function(guest, slots);
    bool taken = goes_on ? take_answer(&recording->arena, guest, asked, slots, out)
                         : take_end(&recording->arena, guest, out);
    if (!taken)
        return end(guest);
    note_strings(recorder, asked->shape, out);
    return limit(guest, recording, asked->in, out) && goes_on;
}

bool reglet__record_call(void *user_data, struct reglet__guest *guest, const struct reglet__import *import,
                         union reglet__slot *slots) {
    struct reglet__recorder *recorder = user_data;
    const struct reglet__shape *shape = reglet__shape_of(import);
    struct reglet__descriptors descriptors = reglet__descriptors_of(shape, slots);
    struct reglet__asked asked;
    bool goes_on;
    if (!reglet__is_recorded(&recorder->streams, import, shape, slots)) {
        goes_on = import->function(guest, slots);
    } else {
        if (!reglet__ask(&recorder->recording->arena, guest, import, shape, slots, &asked))
            return end(guest);
        if (shape && shape->kind == SHAPE_STRINGS)
            asked.string_count = *strings_of(recorder, shape);
        goes_on = record(recorder, guest, &asked, slots);
    }
    if (goes_on)
        reglet__streams_note(&recorder->streams, shape, descriptors, slots[0].u32);
    return goes_on;
}
