/* What a call asks, taken down before it runs: by name and by content, never by address. */
#include "recording/internal.h"
#include "util/cleanup.h"
#include "util/limits.h"
#include "wasi/preview1.h"

enum { STREAMS = 3 };

const struct reglet__shape *reglet__shape_of(const struct reglet__import *import) {
    return strcmp(import->module, "reglet_host") == 0 ? NULL : reglet__shape_find(import->name);
}

bool reglet__is_recorded(const struct reglet__streams *streams, const struct reglet__import *import,
                         const struct reglet__shape *shape, const union reglet__slot *slots) {
    if (!shape)
        return strcmp(import->name, "log_message") != 0; /* it is not answered */
    if (shape->of_descriptor && slots[0].u32 < STREAMS && !streams->gone[slots[0].u32])
        return strcmp(shape->name, "fd_renumber") == 0 &&
               (slots[1].u32 >= STREAMS || streams->gone[slots[1].u32]);
    return shape->kind != SHAPE_PASSES;
}

static bool renumbers(const struct reglet__shape *shape) {
    return strcmp(shape->name, "fd_renumber") == 0;
}

struct reglet__descriptors reglet__descriptors_of(const struct reglet__shape *shape,
                                                  const union reglet__slot *slots) {
    if (!shape || !shape->of_descriptor)
        return (struct reglet__descriptors){0};
    return (struct reglet__descriptors){slots[0].u32, renumbers(shape) ? slots[1].u32 : slots[0].u32};
}

void reglet__streams_note(struct reglet__streams *streams, const struct reglet__shape *shape,
                          struct reglet__descriptors asked, uint32_t error) {
    if (!shape || error || !shape->of_descriptor)
        return;
    bool moves = renumbers(shape) && asked.fd != asked.to;
    if (moves && asked.to < STREAMS)
        streams->gone[asked.to] = asked.fd >= STREAMS || streams->gone[asked.fd];
    if (asked.fd < STREAMS && (moves || strcmp(shape->name, "fd_close") == 0))
        streams->gone[asked.fd] = true;
}

/* --- Of the module reglet_host ---------------------------------------------------------------------------- */

/* A request that is no JSON object is recorded as the bytes that it is; one that the host will not read, by its size. */
static bool ask_host(struct reglet__arena *arena, struct reglet__guest *guest, uint64_t packed,
                     struct reglet__json *in) {
    uint32_t address = (uint32_t)(packed >> 32), size = (uint32_t)packed;
    const char *bytes = size <= REGLET__MAX_REQUEST_BYTES ? reglet__guest_memory(guest, address, size) : NULL;
    struct reglet__json_fault fault;
    struct reglet__json *request = NULL;
    if (!bytes)
        return reglet__json_add_number(arena, in, "request_size", size);
    reglet_status status = reglet__json_read(arena, bytes, size, &request, &fault);
    if (status == REGLET_ERR_NO_MEMORY)
        return false;
    if (status == REGLET_OK && request->type == REGLET__JSON_OBJECT && reglet__value_fits(request))
        return reglet__json_add(arena, in, "request", strlen("request"), request);
    return reglet__value_add_bytes(arena, in, "request_text", bytes, size);
}

/* --- Of preview1 ------------------------------------------------------------------------------------------ */

static uint32_t number_at(const unsigned char *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* The list of buffers, which the call itself may overwrite. What lies outside memory the function will refuse. */
static bool take_spans(struct reglet__arena *arena, struct reglet__guest *guest, uint32_t list,
                       uint32_t count, struct reglet__asked *out) {
    const unsigned char *at = count <= REGLET__MAX_IOVECS
                                  ? reglet__guest_memory(guest, list, (uint64_t)count * WASI_IOVEC_SIZE)
                                  : NULL;
    if (!at)
        return true;
    out->spans = reglet__arena_alloc(arena, (count + 1) * sizeof *out->spans);
    for (uint32_t i = 0; out->spans && i < count; i++, at += WASI_IOVEC_SIZE)
        out->spans[out->span_count++] = (struct reglet__span){number_at(at), number_at(at + 4)};
    return out->spans;
}

/* What the buffers hold, as one text; of more than a recording may have nothing, for then it ends here anyway. */
static bool ask_gathered(struct reglet__arena *arena, struct reglet__guest *guest, const char *name,
                         struct reglet__asked *asked) {
    uint64_t total = 0, at = 0;
    for (size_t i = 0; i < asked->span_count; i++)
        total += asked->spans[i].size;
    if (total > REGLET__MAX_RECORDING_BYTES)
        return reglet__json_add_number(arena, asked->in, name, total);
    char *data = reglet__arena_alloc(arena, total + 1);
    for (size_t i = 0; data && i < asked->span_count; at += asked->spans[i++].size)
        if (!reglet__guest_read(guest, asked->spans[i].address, data + at, asked->spans[i].size))
            return true; /* the answer is EFAULT */
    return data && reglet__value_add_bytes(arena, asked->in, name, data, total);
}

/* Longer paths than there are, and those outside memory, are refused by the function: they are not taken down. */
static bool ask_text(struct reglet__arena *arena, struct reglet__guest *guest, const char *name,
                     const union reglet__slot *slots, struct reglet__json *in) {
    const char *text =
        slots[1].u32 <= REGLET__MAX_PATH ? reglet__guest_memory(guest, slots[0].u32, slots[1].u32) : NULL;
    return text ? reglet__value_add_bytes(arena, in, name, text, slots[1].u32)
                : reglet__json_add_literal(arena, in, name, REGLET__JSON_NULL) != NULL;
}

static bool ask_part(struct reglet__arena *arena, struct reglet__guest *guest,
                     const struct reglet__part *part, const union reglet__slot *slots, char type,
                     struct reglet__asked *asked) {
    struct reglet__json *in = asked->in;
    switch (part->kind) {
    case PART_NUMBER:
        return reglet__json_add_number(arena, in, part->name, type == 'I' ? slots->u64 : slots->u32);
    case PART_TEXT: return ask_text(arena, guest, part->name, slots, in);
    case PART_GATHER:
        return take_spans(arena, guest, slots[0].u32, slots[1].u32, asked) &&
               ask_gathered(arena, guest, part->name, asked);
    case PART_SCATTER: return take_spans(arena, guest, slots[0].u32, slots[1].u32, asked);
    case PART_BYTES:
    case PART_ENTRIES:
        asked->spans = reglet__arena_alloc(arena, sizeof *asked->spans);
        asked->span_count = asked->spans != NULL;
        if (asked->spans)
            *asked->spans = (struct reglet__span){slots[0].u32, slots[1].u32};
        return asked->spans;
    case PART_USED: asked->used_at = slots->u32; return true;
    default: return true;
    }
}

/* What is waited for. The guest's own numbers for the subscriptions may be addresses: their places stand for them. */
static bool ask_poll(struct reglet__arena *arena, struct reglet__guest *guest, struct reglet__asked *asked) {
    uint32_t count = asked->slots[2].u32;
    uint64_t size = (uint64_t)count * WASI_SUBSCRIPTION_SIZE;
    const unsigned char *at =
        count <= REGLET__MAX_SUBSCRIPTIONS ? reglet__guest_memory(guest, asked->slots[0].u32, size) : NULL;
    struct reglet__json *list = reglet__value_add_array(arena, asked->in, "subscriptions");
    if (!list || !at)
        return list;
    asked->subscriptions = at = (const void *)reglet__arena_copy(arena, at, size);
    asked->subscription_count = at ? count : 0;
    struct reglet__json **link = &list->first;
    for (uint32_t i = 0; at && i < count; i++, at += WASI_SUBSCRIPTION_SIZE) {
        static const char *const names[] = {"clock", "read", "write"};
        struct reglet__json item = {.type = REGLET__JSON_OBJECT};
        unsigned char tag = at[WASI_SUBSCRIPTION_TAG];
        const unsigned char *timeout = at + WASI_SUBSCRIPTION_TIMEOUT;
        bool built = tag >= ARRAY_LEN(names) ||
                     reglet__json_add_number(arena, &item, names[tag], number_at(at + WASI_SUBSCRIPTION_FD));
        if (built && tag == WASI_EVENT_CLOCK)
            built = reglet__json_add_number(arena, &item, "timeout",
                                            number_at(timeout) | (uint64_t)number_at(timeout + 4) << 32) &&
                    reglet__json_add_number(arena, &item, "flags", at[WASI_SUBSCRIPTION_FLAGS]);
        if (!built || !reglet__value_append(arena, &link, &item))
            return false;
    }
    return at;
}

static unsigned parameter_count(const char *signature) {
    return (unsigned)(strchr(signature, '-') - signature);
}

bool reglet__ask(struct reglet__arena *arena, struct reglet__guest *guest,
                 const struct reglet__import *import, const struct reglet__shape *shape,
                 const union reglet__slot *slots, struct reglet__asked *out) {
    unsigned count = parameter_count(import->signature), at = 0;
    *out = (struct reglet__asked){.import = import, .shape = shape, .in = reglet__json_new_object(arena)};
    memcpy(out->slots, slots, count * sizeof *slots);
    if (!out->in || !shape)
        return out->in && ask_host(arena, guest, slots[0].u64, out->in);
    if (shape->kind == SHAPE_POLL)
        return ask_poll(arena, guest, out);
    for (const struct reglet__part *part = shape->parts; part->kind != PART_END; part++) {
        if (!ask_part(arena, guest, part, slots + at, import->signature[at], out))
            return false;
        at += reglet__part_slots(part->kind);
    }
    return true;
}
