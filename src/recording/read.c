/* Reading a recording: what is not as it is written is refused by its line. */
#define _GNU_SOURCE
#include <stdlib.h>

#include "recording/internal.h"
#include "util/clock.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/text.h"

/* The line that is read, and what is wrong with it. */
struct line {
    reglet_recording *recording;
    const char *text;
    size_t size, number;
    reglet_error **err;
};

static reglet_status wrong(const struct line *line, const char *what) {
    return reglet__fail(line->err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                        "recording: line %zu: %s", line->number, what);
}

static reglet_status read_object(const struct line *line, struct reglet__json **out) {
    struct reglet__json_fault fault;
    if (!reglet__utf8_valid(line->text, line->size))
        return wrong(line, "it is not UTF-8");
    reglet_status status = reglet__json_read(&line->recording->arena, line->text, line->size, out, &fault);
    if (status == REGLET_ERR_NO_MEMORY)
        return reglet__fail_memory(line->err);
    if (status != REGLET_OK)
        return reglet__fail(line->err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "recording: line %zu: not acceptable JSON: %s, at byte %zu of %zu", line->number,
                            fault.what, fault.at, fault.size);
    return (*out)->type == REGLET__JSON_OBJECT ? REGLET_OK : wrong(line, "it is no object");
}

static const char *get_text(const struct reglet__json *object, const char *key) {
    const struct reglet__json *value = reglet__json_get(object, key);
    bool is_text = value && value->type == REGLET__JSON_STRING && strlen(value->text) == value->size;
    return is_text ? value->text : NULL;
}

static bool is_object(const struct reglet__json *value) {
    return value && value->type == REGLET__JSON_OBJECT;
}

/* --- The first line --------------------------------------------------------------------------------------- */

static reglet_status read_head(const struct line *line) {
    reglet_recording *recording = line->recording;
    struct reglet__json *head = NULL;
    struct reglet__sha256 hash;
    uint64_t version = 0;
    reglet_status status = read_object(line, &head);
    if (status != REGLET_OK)
        return status;
    const struct reglet__json *redacted = reglet__json_get(head, "redacted");
    if (!reglet__value_get_u64(reglet__json_get(head, "reglet_recording"), &version))
        return wrong(line, "it does not begin a recording: \"reglet_recording\" is missing");
    if (version != REGLET__RECORDING_VERSION)
        return wrong(line, "a version of recordings that this library does not know; it knows 1");
    recording->plugin = get_text(head, "plugin");
    recording->module_sha256 = get_text(head, "module_sha256");
    recording->time = get_text(head, "time");
    recording->config = reglet__json_get(head, "config");
    recording->redacted = redacted && redacted->type == REGLET__JSON_TRUE;
    recording->begun = true;
    if (!recording->plugin)
        return wrong(line, "\"plugin\" should be a string");
    if (!recording->module_sha256 || !reglet__sha256_from_hex(recording->module_sha256, &hash))
        return wrong(line, "\"module_sha256\" should be 64 hexadecimal digits");
    if (!reglet__value_get_u64(reglet__json_get(head, "abi"), &recording->abi))
        return wrong(line, "\"abi\" should be a number");
    if (!is_object(recording->config))
        return wrong(line, "\"config\" should be an object");
    if (!recording->time ||
        !reglet__rfc3339_parse(recording->time, strlen(recording->time), &recording->time_ns))
        return wrong(line, "\"time\" should be an RFC 3339 time");
    return REGLET_OK;
}

/* --- The others ------------------------------------------------------------------------------------------- */

static bool holds_bytes(const struct reglet__json *value) {
    _cleanup_arena_ struct reglet__arena scratch = {0};
    const char *data;
    size_t size;
    return reglet__value_get_bytes(&scratch, value, &data, &size);
}

static bool holds_number(const struct reglet__json *object, const char *key) {
    uint64_t ignored;
    return reglet__value_get_u64(reglet__json_get(object, key), &ignored);
}

static reglet_status wrong_member(const struct line *line, const char *where, const char *name,
                                  const char *what) {
    return reglet__fail(line->err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                        "recording: line %zu: \"%s\" needs \"%s\", %s", line->number, where, name, what);
}

static reglet_status check_in(const struct line *line, const struct reglet__recorded *call) {
    for (const struct reglet__part *part = call->shape->parts; part->kind != PART_END; part++) {
        const struct reglet__json *value = part->name ? reglet__json_get(call->in, part->name) : NULL;
        bool is_text = part->kind == PART_TEXT || part->kind == PART_GATHER;
        if (part->kind == PART_NUMBER && !holds_number(call->in, part->name))
            return wrong_member(line, "in", part->name, "a number");
        /* Null, or nothing: what lay outside the guest's memory. */
        if (is_text && value && value->type != REGLET__JSON_NULL && value->type != REGLET__JSON_NUMBER &&
            !holds_bytes(value))
            return wrong_member(line, "in", part->name, "a string or base64");
    }
    return REGLET_OK;
}

static reglet_status check_entries(const struct line *line, const struct reglet__json *out) {
    const struct reglet__json *list = reglet__json_get(out, "entries"), *cut = reglet__json_get(out, "cut");
    if (!list || list->type != REGLET__JSON_ARRAY)
        return wrong_member(line, "out", "entries", "an array");
    REGLET__JSON_EACH (entry, list)
        if (!holds_number(entry, "next") || !holds_number(entry, "ino") || !holds_number(entry, "type") ||
            !holds_bytes(reglet__json_get(entry, "name")))
            return wrong(line, "an entry needs the numbers \"next\", \"ino\" and \"type\", and a \"name\"");
    return !cut || holds_bytes(cut) ? REGLET_OK : wrong_member(line, "out", "cut", "a string or base64");
}

static reglet_status check_out(const struct line *line, const struct reglet__recorded *call) {
    const char *error = get_text(call->out, "error");
    if (reglet__json_get(call->out, "error"))
        return error && reglet__preview1_errno_number(error) > 0
                   ? REGLET_OK
                   : wrong(line, "\"error\" should be the name of an error, such as \"ENOENT\"");
    for (const struct reglet__part *part = call->shape->parts; part->kind != PART_END; part++) {
        bool is_bytes = part->kind == PART_BYTES || part->kind == PART_SCATTER;
        if (part->kind == PART_FIELDS)
            for (const struct reglet__field *field = part->layout->fields; field->name; field++)
                if (!holds_number(call->out, field->name))
                    return wrong_member(line, "out", field->name, "a number");
        if (is_bytes && !holds_bytes(reglet__json_get(call->out, part->name)))
            return wrong_member(line, "out", part->name, "a string or base64");
        if (part->kind == PART_ENTRIES)
            return check_entries(line, call->out);
    }
    const char *what = reglet__series_check(call->shape, call->out);
    return what ? wrong(line, what) : REGLET_OK;
}

static reglet_status check_host(const struct line *line, const struct reglet__recorded *call) {
    const struct reglet__json *request = reglet__json_get(call->in, "request"),
                              *text = reglet__json_get(call->in, "request_text"),
                              *answer = reglet__json_get(call->out, "response_text");
    if (request ? !is_object(request) : text ? !holds_bytes(text) : !holds_number(call->in, "request_size"))
        return wrong_member(line, "in", "request", "an object");
    if (!reglet__json_get(call->out, "response") && !holds_bytes(answer))
        return wrong_member(line, "out", "response", "what the function answered");
    return REGLET_OK;
}

/* Whether a plugin's call can have ended in this way. */
static bool is_end(const char *name) {
    for (int status = REGLET_ERR_INTERNAL; name && status < REGLET_OK; status++)
        if (strcmp(name, reglet_status_name((reglet_status)status)) == 0)
            return strcmp(name, "unknown") != 0;
    return false;
}

static reglet_status check_call(const struct line *line, struct reglet__recorded *call) {
    static const char *const of_host[] = {"request", "request_text", "request_size"};
    const struct reglet__json *ended = reglet__json_get(call->out, "ended");
    bool is_host = false;
    for (size_t i = 0; i < ARRAY_LEN(of_host); i++)
        is_host = is_host || reglet__json_get(call->in, of_host[i]);
    call->shape = is_host ? NULL : reglet__shape_find(call->function);
    if (!is_host && (!call->shape || call->shape->kind == SHAPE_PASSES))
        return wrong(line, "\"function\" is none of WASI that is recorded, and \"in\" has no \"request\"");
    reglet_status status = is_host ? REGLET_OK : check_in(line, call);
    if (status != REGLET_OK)
        return status;
    if (ended)
        return is_end(get_text(ended, "status")) ? REGLET_OK
                                                 : wrong(line, "\"ended\" needs \"status\", a code's name");
    return is_host ? check_host(line, call) : check_out(line, call);
}

static reglet_status read_call(const struct line *line) {
    reglet_recording *recording = line->recording;
    struct reglet__json *object = NULL;
    uint64_t number = 0;
    reglet_status status = read_object(line, &object);
    if (status != REGLET_OK)
        return status;
    struct reglet__recorded call = {.function = get_text(object, "function"),
                                    .in = reglet__json_get(object, "in"),
                                    .out = reglet__json_get(object, "out")};
    if (recording->count == REGLET__MAX_RECORDED_CALLS)
        return wrong(line, "more calls than a recording may have");
    if (!reglet__value_get_u64(reglet__json_get(object, "n"), &number) || number != recording->count + 1)
        return reglet__fail(line->err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "recording: line %zu: \"n\" should be %zu: calls are numbered from 1",
                            line->number, recording->count + 1);
    if (!call.function || !is_object(call.in) || !is_object(call.out))
        return wrong(line, "\"function\" should be a string, \"in\" and \"out\" objects");
    status = check_call(line, &call);
    if (status == REGLET_OK && reglet__recording_add(recording, &call) == SIZE_MAX)
        return reglet__fail_memory(line->err);
    return status;
}

static reglet_status read_lines(struct line *line, const char *text, size_t size) {
    reglet_status status = REGLET_OK;
    for (const char *at = text, *end = text + size; at < end && status == REGLET_OK;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        line->text = at;
        line->size = (size_t)((stop ? stop : end) - at);
        line->number++;
        if (!stop)
            return wrong(line, "it has no end: the recording is cut off");
        status = line->number == 1 ? read_head(line) : read_call(line);
        at = stop + 1;
    }
    return status;
}

REGLET_DEFINE_CLEANUP(reglet_recording *, reglet_recording_free);

reglet_status reglet_recording_parse(const char *text, size_t size, reglet_recording **out,
                                     reglet_error **err) {
    if (!text || !out)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "recording: text or out is NULL");
    if (size == 0 || size > REGLET__MAX_RECORDING_TEXT)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "recording: %zu bytes; it should have 1 to %zu", size,
                            REGLET__MAX_RECORDING_TEXT);
    _cleanup_(reglet_recording_free_p)
    reglet_recording *recording = NULL;
    reglet_status status = reglet_recording_new(&recording, err);
    struct line line = {.recording = recording, .err = err};
    if (status == REGLET_OK)
        status = read_lines(&line, text, size);
    if (status == REGLET_OK)
        *out = take_ptr(recording);
    return status;
}
