/*
 * Series: clocks, random numbers, arguments, environment, waiting. Each is a sequence of its own, so that a plugin that looks
 * at the clock once more than it did is no other plugin. What comes behind the end of a series is made up, always the same:
 * a clock goes on by a millisecond each time, bytes come from a generator that the recorded ones seed, strings stay what they
 * were, and whatever is waited for first has happened.
 */
#include "recording/internal.h"
#include "util/cleanup.h"
#include "util/limits.h"
#include "wasi/preview1.h"

enum { CLOCK_STEP_NS = 1000000, BLOCK = sizeof(struct reglet__sha256) };

/* --- Structures ------------------------------------------------------------------------------------------- */

static uint64_t take_number(const unsigned char *at, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static void put_number(unsigned char *at, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

bool reglet__take_fields(struct reglet__arena *arena, struct reglet__guest *guest, uint32_t address,
                         const struct reglet__layout *layout, struct reglet__json *out) {
    const unsigned char *at = reglet__guest_memory(guest, address, layout->size);
    for (const struct reglet__field *field = layout->fields; at && field->name; field++)
        if (!reglet__json_add_number(arena, out, field->name, take_number(at + field->offset, field->size)))
            return false;
    return true;
}

int reglet__put_fields(struct reglet__guest *guest, uint32_t address, const struct reglet__layout *layout,
                       const struct reglet__json *values) {
    unsigned char structure[WASI_FILESTAT_SIZE] = {0};
    for (const struct reglet__field *field = layout->fields; field->name; field++) {
        uint64_t value = 0;
        reglet__value_get_u64(reglet__json_get(values, field->name), &value);
        put_number(structure + field->offset, value, field->size);
    }
    bool written = reglet__guest_write(guest, address, structure, (uint32_t)layout->size);
    return written ? WASI_SUCCESS : WASI_EFAULT;
}

/* --- Taking down ------------------------------------------------------------------------------------------ */

static uint32_t number_in_guest(struct reglet__guest *guest, uint32_t address) {
    unsigned char bytes[4] = {0};
    reglet__guest_read(guest, address, bytes, sizeof bytes);
    return (uint32_t)take_number(bytes, sizeof bytes);
}

/* They stand one behind the other, each with its NUL. */
static bool take_strings(struct reglet__arena *arena, struct reglet__guest *guest,
                         const struct reglet__asked *asked, struct reglet__json *out) {
    struct reglet__json *list = reglet__value_add_array(arena, out, "list");
    struct reglet__json **link = list ? &list->first : NULL;
    uint32_t text = asked->slots[1].u32;
    for (uint32_t i = 0; list && i < asked->string_count; i++) {
        const char *string = reglet__guest_memory(guest, text, 1);
        struct reglet__json value;
        uint64_t size = 0;
        while (string && string[size])
            string = reglet__guest_memory(guest, text, ++size + 1);
        if (!string)
            break;
        if (!reglet__value_bytes(arena, string, size, &value) || !reglet__value_append(arena, &link, &value))
            return false;
        text += (uint32_t)size + 1;
    }
    return list;
}

static bool take_event(struct reglet__arena *arena, const struct reglet__asked *asked,
                       const unsigned char *event, struct reglet__json *out) {
    const unsigned char *subscription = asked->subscriptions;
    uint32_t place = 0;
    while (place < asked->subscription_count &&
           (memcmp(subscription, event, 8) != 0 ||
            subscription[WASI_SUBSCRIPTION_TAG] != event[WASI_EVENT_TYPE])) {
        subscription += WASI_SUBSCRIPTION_SIZE;
        place++;
    }
    return reglet__json_add_number(arena, out, "subscription", place) &&
           reglet__json_add_number(arena, out, "error", take_number(event + WASI_EVENT_ERROR, 2)) &&
           reglet__json_add_number(arena, out, "bytes", take_number(event + WASI_EVENT_NBYTES, 8)) &&
           reglet__json_add_number(arena, out, "flags", take_number(event + WASI_EVENT_FLAGS, 2));
}

static bool take_events(struct reglet__arena *arena, struct reglet__guest *guest,
                        const struct reglet__asked *asked, struct reglet__json *out) {
    uint32_t count = number_in_guest(guest, asked->slots[3].u32);
    const unsigned char *at =
        reglet__guest_memory(guest, asked->slots[1].u32, (uint64_t)count * WASI_EVENT_SIZE);
    struct reglet__json *list = reglet__value_add_array(arena, out, "events");
    struct reglet__json **link = list ? &list->first : NULL;
    for (uint32_t i = 0; at && list && i < count && i < asked->subscription_count;
         i++, at += WASI_EVENT_SIZE) {
        struct reglet__json event = {.type = REGLET__JSON_OBJECT};
        if (!take_event(arena, asked, at, &event) || !reglet__value_append(arena, &link, &event))
            return false;
    }
    return list;
}

bool reglet__series_take(struct reglet__arena *arena, struct reglet__guest *guest,
                         const struct reglet__asked *asked, struct reglet__json *out) {
    const union reglet__slot *slots = asked->slots;
    const void *random;
    switch (asked->shape->kind) {
    case SHAPE_RANDOM:
        random = reglet__guest_memory(guest, slots[0].u32, slots[1].u32);
        return random && reglet__value_add_bytes(arena, out, "data", random, slots[1].u32);
    case SHAPE_STRING_SIZES:
        return reglet__json_add_number(arena, out, "count", number_in_guest(guest, slots[0].u32)) &&
               reglet__json_add_number(arena, out, "size", number_in_guest(guest, slots[1].u32));
    case SHAPE_STRINGS: return take_strings(arena, guest, asked, out);
    case SHAPE_POLL: return take_events(arena, guest, asked, out);
    default: return true;
    }
}

/* --- What was read ---------------------------------------------------------------------------------------- */

static bool is_u64(const struct reglet__json *object, const char *key) {
    uint64_t ignored;
    return reglet__value_get_u64(reglet__json_get(object, key), &ignored);
}

static bool is_bytes(const struct reglet__json *value) {
    _cleanup_arena_ struct reglet__arena scratch = {0};
    const char *data;
    size_t size;
    return reglet__value_get_bytes(&scratch, value, &data, &size);
}

static bool is_list(const struct reglet__json *value) {
    return value && value->type == REGLET__JSON_ARRAY;
}

const char *reglet__series_check(const struct reglet__shape *shape, const struct reglet__json *out) {
    const struct reglet__json *list = reglet__json_get(out, "list"),
                              *events = reglet__json_get(out, "events");
    switch (shape->kind) {
    case SHAPE_CLOCK: return is_u64(out, "time") ? NULL : "\"out\" needs \"time\", a number";
    case SHAPE_RANDOM:
        return is_bytes(reglet__json_get(out, "data")) ? NULL : "\"out\" needs \"data\", a string or base64";
    case SHAPE_STRING_SIZES:
        return is_u64(out, "count") && is_u64(out, "size")
                   ? NULL
                   : "\"out\" needs the numbers \"count\" and \"size\"";
    case SHAPE_STRINGS:
        REGLET__JSON_EACH (item, list)
            if (!is_bytes(item))
                return "\"list\" may have strings and base64 only";
        return is_list(list) ? NULL : "\"out\" needs \"list\", an array";
    case SHAPE_POLL:
        REGLET__JSON_EACH (item, events)
            if (!is_u64(item, "subscription") || !is_u64(item, "error") || !is_u64(item, "bytes") ||
                !is_u64(item, "flags"))
                return "an event needs the numbers \"subscription\", \"error\", \"bytes\" and \"flags\"";
        return is_list(events) ? NULL : "\"out\" needs \"events\", an array";
    default: return NULL;
    }
}

/* --- Answering -------------------------------------------------------------------------------------------- */

/* The next call of the series, or NULL behind its end; *last: the latest there was. */
static const struct reglet__recorded *next_of(struct reglet__replayer *replayer,
                                              const struct reglet__shape *shape, uint64_t id,
                                              const struct reglet__recorded **last) {
    const reglet_recording *recording = replayer->recording;
    size_t s = 0;
    while (s < replayer->series_count && (replayer->series[s].shape != shape || replayer->series[s].id != id))
        s++;
    if (s == replayer->series_count) {
        replayer->series[s].shape = shape;
        replayer->series[s].id = id;
        replayer->series_count++;
    }
    *last = replayer->series[s].last;
    for (size_t *i = &replayer->series[s].next; *i < recording->count;) {
        const struct reglet__recorded *call = &recording->calls[(*i)++];
        uint64_t its_id = 0;
        if (call->shape != shape)
            continue;
        reglet__value_get_u64(reglet__json_get(call->in, "id"), &its_id);
        if (its_id != id)
            continue;
        replayer->ended = reglet__json_get(call->out, "ended");
        return replayer->series[s].last = call;
    }
    return NULL;
}

static int error_of(const struct reglet__recorded *call) {
    const struct reglet__json *error = call ? reglet__json_get(call->out, "error") : NULL;
    return error ? reglet__preview1_errno_number(error->text) : WASI_SUCCESS;
}

static int answer_clock(struct reglet__replayer *replayer, struct reglet__guest *guest,
                        const struct reglet__asked *asked) {
    const struct reglet__recorded *last;
    uint64_t id = asked->slots[0].u32, time = 0;
    bool tells = strcmp(asked->shape->name, "clock_time_get") == 0;
    if (id >= REGLET__CLOCKS)
        return WASI_EINVAL;
    const struct reglet__recorded *call = next_of(replayer, asked->shape, id, &last);
    if (error_of(call) || replayer->ended)
        return error_of(call);
    if (call)
        reglet__value_get_u64(reglet__json_get(call->out, "time"), &time);
    else if (tells)
        time = replayer->clocks[id] + CLOCK_STEP_NS;
    else
        time = 1;
    if (tells)
        replayer->clocks[id] = time;
    unsigned char bytes[8];
    put_number(bytes, time, sizeof bytes);
    bool written = reglet__guest_write(guest, asked->slots[tells ? 2 : 1].u32, bytes, sizeof bytes);
    return written ? WASI_SUCCESS : WASI_EFAULT;
}

/* The generator: the hash of the hash before, which began as the module's. */
static int make_up_random(struct reglet__replayer *replayer, unsigned char *at, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (replayer->random_left == 0) {
            struct reglet__sha256 next;
            if (!reglet__sha256(&replayer->random, sizeof replayer->random, &next))
                return -1;
            replayer->random = next;
            replayer->random_left = BLOCK / 2; /* the other half is never told */
        }
        at[i] = replayer->random.bytes[--replayer->random_left];
    }
    return WASI_SUCCESS;
}

/* The recorded bytes as one sequence, in whatever portions they are asked for. */
static int answer_random(struct reglet__replayer *replayer, struct reglet__arena *arena,
                         struct reglet__guest *guest, const struct reglet__asked *asked) {
    uint32_t size = asked->slots[1].u32, done = 0;
    unsigned char *at = reglet__guest_memory(guest, asked->slots[0].u32, size);
    if (!at)
        return WASI_EFAULT;
    while (done < size) {
        const struct reglet__recorded *last, *call = NULL;
        const char *data = "";
        size_t there = 0;
        if (replayer->random_call)
            call = replayer->random_call;
        else
            call = replayer->random_call = next_of(replayer, asked->shape, 0, &last);
        if (!call)
            return make_up_random(replayer, at + done, size - done);
        if (error_of(call) && done == 0) {
            replayer->random_call = NULL;
            return error_of(call);
        }
        if (replayer->ended)
            return WASI_SUCCESS;
        if (!error_of(call) &&
            !reglet__value_get_bytes(arena, reglet__json_get(call->out, "data"), &data, &there))
            return -1;
        size_t left = there - replayer->random_at, part = left < size - done ? left : size - done;
        memcpy(at + done, data + replayer->random_at, part);
        done += (uint32_t)part;
        replayer->random_at += part;
        if (part == left) {
            replayer->random_call = NULL;
            replayer->random_at = 0;
        }
    }
    return WASI_SUCCESS;
}

static bool write_u32(struct reglet__guest *guest, uint64_t address, uint32_t value) {
    return address <= UINT32_MAX && reglet__guest_write_u32(guest, (uint32_t)address, value);
}

static int answer_sizes(struct reglet__guest *guest, const struct reglet__asked *asked,
                        const struct reglet__recorded *call) {
    uint64_t count = 0, size = 0;
    if (call) {
        reglet__value_get_u64(reglet__json_get(call->out, "count"), &count);
        reglet__value_get_u64(reglet__json_get(call->out, "size"), &size);
    }
    bool written = write_u32(guest, asked->slots[0].u32, (uint32_t)count) &&
                   write_u32(guest, asked->slots[1].u32, (uint32_t)size);
    return written ? WASI_SUCCESS : WASI_EFAULT;
}

static int answer_strings(struct reglet__arena *arena, struct reglet__guest *guest,
                          const struct reglet__asked *asked, const struct reglet__recorded *call) {
    uint64_t pointer = asked->slots[0].u32, text = asked->slots[1].u32;
    if (!call)
        return WASI_SUCCESS;
    REGLET__JSON_EACH (item, reglet__json_get(call->out, "list")) {
        const char *data;
        size_t size;
        if (!reglet__value_get_bytes(arena, item, &data, &size))
            return -1;
        if (text > UINT32_MAX || !write_u32(guest, pointer, (uint32_t)text) ||
            !reglet__guest_write(guest, (uint32_t)text, data, (uint32_t)size) ||
            !reglet__guest_memory(guest, (uint32_t)text, (uint64_t)size + 1))
            return WASI_EFAULT;
        *(char *)reglet__guest_memory(guest, (uint32_t)(text + size), 1) = '\0';
        pointer += 4;
        text += size + 1;
    }
    return WASI_SUCCESS;
}

static uint64_t member_u64(const struct reglet__json *object, const char *key) {
    uint64_t value = 0;
    reglet__value_get_u64(reglet__json_get(object, key), &value);
    return value;
}

static void put_event(unsigned char *out, const unsigned char *subscription,
                      const struct reglet__json *event) {
    memset(out, 0, WASI_EVENT_SIZE);
    memcpy(out, subscription, 8);
    out[WASI_EVENT_TYPE] = subscription[WASI_SUBSCRIPTION_TAG];
    put_number(out + WASI_EVENT_ERROR, member_u64(event, "error"), 2);
    put_number(out + WASI_EVENT_NBYTES, member_u64(event, "bytes"), 8);
    put_number(out + WASI_EVENT_FLAGS, member_u64(event, "flags"), 2);
}

/* Behind the end of the series: a descriptor is ready; of clocks alone, the one that is first. */
static uint32_t first_to_happen(const struct reglet__asked *asked) {
    uint32_t first = 0;
    uint64_t soonest = UINT64_MAX;
    for (uint32_t i = 0; i < asked->subscription_count; i++) {
        const unsigned char *at = asked->subscriptions + (size_t)i * WASI_SUBSCRIPTION_SIZE;
        if (at[WASI_SUBSCRIPTION_TAG] != WASI_EVENT_CLOCK)
            return i;
        uint64_t timeout = take_number(at + WASI_SUBSCRIPTION_TIMEOUT, 8);
        if (timeout < soonest) {
            soonest = timeout;
            first = i;
        }
    }
    return first;
}

/* Nobody sleeps. */
static int answer_poll(struct reglet__guest *guest, const struct reglet__asked *asked,
                       const struct reglet__recorded *call) {
    unsigned char *out = reglet__guest_memory(guest, asked->slots[1].u32,
                                              (uint64_t)asked->subscription_count * WASI_EVENT_SIZE);
    uint32_t count = 0;
    if (asked->subscription_count == 0)
        return WASI_EINVAL;
    if (!out || !reglet__guest_memory(guest, asked->slots[3].u32, 4))
        return WASI_EFAULT;
    REGLET__JSON_EACH (event, call ? reglet__json_get(call->out, "events") : NULL) {
        uint64_t place = member_u64(event, "subscription");
        if (place < asked->subscription_count && count < asked->subscription_count)
            put_event(out + (size_t)count++ * WASI_EVENT_SIZE,
                      asked->subscriptions + place * WASI_SUBSCRIPTION_SIZE, event);
    }
    if (count == 0)
        put_event(out + (size_t)count++ * WASI_EVENT_SIZE,
                  asked->subscriptions + (size_t)first_to_happen(asked) * WASI_SUBSCRIPTION_SIZE, NULL);
    reglet__guest_write_u32(guest, asked->slots[3].u32, count);
    return WASI_SUCCESS;
}

int reglet__series_answer(struct reglet__replayer *replayer, struct reglet__arena *arena,
                          struct reglet__guest *guest, const struct reglet__asked *asked) {
    const struct reglet__recorded *last, *call;
    enum reglet__shape_kind kind = asked->shape->kind;
    if (kind == SHAPE_CLOCK)
        return answer_clock(replayer, guest, asked);
    if (kind == SHAPE_RANDOM)
        return answer_random(replayer, arena, guest, asked);
    call = next_of(replayer, asked->shape, 0, &last);
    if (error_of(call) || replayer->ended)
        return error_of(call);
    if (kind == SHAPE_POLL)
        return answer_poll(guest, asked, call);
    call = call ? call : last;
    return kind == SHAPE_STRINGS ? answer_strings(arena, guest, asked, call)
                                 : answer_sizes(guest, asked, call);
}
