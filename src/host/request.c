#include "host/request.h"

#include <string.h>

#include "util/cleanup.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/text.h"

REGLET_DEFINE_CLEANUP(reglet_error *, reglet_error_free);
#define _cleanup_error_ _cleanup_(reglet_error_free_p)

/* --- What comes in --------------------------------------------------------------------------------------- */

/* Copies the request out of the guest: parsing it later cannot be disturbed by what the guest does. */
static reglet_status copy_request(struct reglet__host_request *request, uint64_t packed) {
    uint32_t address = (uint32_t)(packed >> 32), size = (uint32_t)packed;
    if (size > REGLET__MAX_REQUEST_BYTES)
        return reglet__host_fail(request, "validation", "EMSGSIZE",
                                 "the request has %u bytes; it may have %u", size, REGLET__MAX_REQUEST_BYTES);
    const char *bytes = reglet__guest_memory(request->guest, address, size);
    if (!bytes)
        return reglet__host_fail(request, "validation", "EFAULT",
                                 "the request of %u bytes at %u lies outside memory", size, address);
    request->bytes = reglet__arena_copy(&request->arena, bytes, size);
    request->size = size;
    return request->bytes ? REGLET_OK : REGLET_ERR_NO_MEMORY;
}

static reglet_status parse_request(struct reglet__host_request *request) {
    struct reglet__json *root = NULL;
    struct reglet__json_fault fault;
    reglet_status status = reglet__json_read(&request->arena, request->bytes, request->size, &root, &fault);
    if (status == REGLET_ERR_NO_MEMORY)
        return status;
    if (status != REGLET_OK)
        return reglet__host_fail(request, "validation", "EINVAL",
                                 "the request is no JSON: %s at byte %zu of %zu", fault.what, fault.at,
                                 fault.size);
    if (root->type != REGLET__JSON_OBJECT)
        return reglet__host_fail(request, "validation", "EINVAL", "the request must be an object, not %s",
                                 reglet__json_type_name(root->type));
    request->json = root;
    return REGLET_OK;
}

/* --- The request's deadline ------------------------------------------------------------------------------ */

static void end_by(struct reglet__host_request *request, int64_t deadline) {
    if (deadline < request->interrupt.deadline)
        request->interrupt.deadline = deadline;
}

/* Milliseconds from now; 0 and less are no timeout, as Go writes one that was not set. */
static reglet_status read_timeout(struct reglet__host_request *request, const struct reglet__json *value) {
    int64_t ms = 0;
    if (!value || value->type == REGLET__JSON_NULL)
        return REGLET_OK;
    if (!reglet__json_int(value, INT64_MIN, INT64_MAX, &ms))
        return reglet__host_fail(request, "validation", "EINVAL",
                                 "timeout_ms must be a whole number of milliseconds");
    if (ms > 0)
        end_by(request, reglet__deadline_after_ms(ms));
    return REGLET_OK;
}

/* A point in time by the wall clock, which the guest reads too. Go's zero time is none. */
static reglet_status read_deadline(struct reglet__host_request *request, const struct reglet__json *value) {
    int64_t wall = 0;
    if (!value || value->type == REGLET__JSON_NULL)
        return REGLET_OK;
    if (value->type != REGLET__JSON_STRING || !reglet__rfc3339_parse(value->text, value->size, &wall))
        return reglet__host_fail(request, "validation", "EINVAL",
                                 "context.deadline must be an RFC 3339 time");
    int64_t left = 0, now = reglet__now();
    if (wall == INT64_MIN || __builtin_sub_overflow(wall, reglet__wall_clock(), &left))
        return REGLET_OK;
    end_by(request, left > REGLET__NEVER - now ? REGLET__NEVER : now + left);
    return REGLET_OK;
}

static reglet_status read_context(struct reglet__host_request *request) {
    const struct reglet__json *context = reglet__json_get(request->json, "context");
    const struct reglet__json *canceled = reglet__json_get_any_case(context, "canceled");
    const struct reglet__json *id = reglet__json_get(context, "request_id");
    if (id && id->type == REGLET__JSON_STRING && id->size > 0) {
        char *clean = reglet__arena_alloc(&request->arena, REGLET__MAX_REQUEST_ID + 1);
        if (!clean)
            return REGLET_ERR_NO_MEMORY;
        reglet__clean_line(id->text, id->size, clean, REGLET__MAX_REQUEST_ID + 1);
        request->request_id = request->host->request_id = clean;
    }
    reglet_status status = read_timeout(request, reglet__json_get(request->json, "timeout_ms"));
    if (status == REGLET_OK)
        status = read_timeout(request, reglet__json_get(context, "timeout_ms"));
    if (status == REGLET_OK)
        status = read_deadline(request, reglet__json_get(context, "deadline"));
    if (status == REGLET_OK && canceled && canceled->type == REGLET__JSON_TRUE)
        status = reglet__host_fail(request, "execution", "ECANCELED", "the plugin had cancelled the request");
    return status;
}

/* --- What goes out --------------------------------------------------------------------------------------- */

/* Ends the call; an end that was noted already stays. */
static bool stop(struct reglet__host_request *request, reglet_status status) {
    reglet__guest_stop(request->guest, status, "%s",
                       status == REGLET_ERR_NO_MEMORY                                   ? "out of memory"
                       : status == REGLET_ERR_TIMEOUT || status == REGLET_ERR_CANCELLED ? ""
                                                                                        : "the host failed");
    return false;
}

/* A deadline that passed ends the call, or this request alone: the call knows which, and whether it was cancelled too. */
static reglet_status sort_out(struct reglet__host_request *request, reglet_status status) {
    if (status == REGLET_ERR_TIMEOUT) {
        status = reglet__interrupt_check(reglet__guest_interrupt(request->guest));
        if (status == REGLET_OK)
            status = reglet__host_fail_timeout(request, "timeout", "the request's deadline passed");
    }
    if (status == REGLET_ERR_IO)
        status = reglet__host_fail(request, "internal", "EIO", "the host has no descriptor left");
    return status == REGLET__HOST_ANSWERED ? REGLET_OK : status;
}

/* Why a response could not be handed over is the plugin's error: it may be its memory limit. */
static bool give(struct reglet__host_request *request, union reglet__slot *slots, const char *text,
                 size_t size) {
    _cleanup_error_ reglet_error *error = NULL;
    uint32_t address = 0, exit_code = 0;
    request->host->answering = true;
    reglet_status status =
        reglet__guest_give(request->guest, text, (uint32_t)size, &address, &exit_code, &error);
    request->host->answering = false;
    if (status == REGLET_ERR_TIMEOUT || status == REGLET_ERR_CANCELLED || status == REGLET_ERR_EXIT)
        return false; /* noted, as it happened */
    if (status != REGLET_OK) {
        reglet__guest_stop(request->guest, status, "a host function's response of %zu bytes does not fit: %s",
                           size, reglet_error_message(error));
        return false;
    }
    slots[0].u64 = (uint64_t)address << 32 | (uint32_t)size;
    return true;
}

static bool respond(struct reglet__host_request *request, union reglet__slot *slots) {
    size_t size = 0;
    char *text = reglet__json_print(&request->arena, request->response, &size);
    if (!text)
        return stop(request, REGLET_ERR_NO_MEMORY);
    if (size > REGLET__MAX_RESPONSE_BYTES) {
        reglet__guest_stop(request->guest, REGLET_ERR_RESULT_LIMIT,
                           "a host function's response of %zu bytes is larger than any may be", size);
        return false;
    }
    return give(request, slots, text, size);
}

static reglet_status run(struct reglet__host_request *request, uint64_t packed, reglet__host_serve *serve) {
    request->response = reglet__json_new_object(&request->arena);
    if (!request->response)
        return REGLET_ERR_NO_MEMORY;
    reglet_status status = copy_request(request, packed);
    if (status == REGLET_OK)
        status = parse_request(request);
    if (status == REGLET_OK)
        status = read_context(request);
    if (status == REGLET_OK)
        status = reglet__host_check(request);
    return status == REGLET_OK ? serve(request) : status;
}

bool reglet__host_answer(struct reglet__guest *guest, union reglet__slot *slots, reglet__host_serve *serve) {
    struct reglet__host *host = reglet__guest_state(guest, REGLET__ROOM_HOST);
    struct reglet__host_request request = {.host = host,
                                           .guest = guest,
                                           .request_id = host->request_id,
                                           .interrupt = *reglet__guest_interrupt(guest),
                                           .started = reglet__now()};
    if (host->answering) { /* each level would hold a request and a response of its own */
        reglet__guest_stop(guest, REGLET_ERR_BAD_OUTPUT, "the plugin's allocate called a host function");
        return false;
    }
    if (reglet__quota_take(host->quotas, guest, REGLET__QUOTA_HOST_CALLS, 1) != REGLET_OK)
        return false;
    const char *callers_id = host->request_id;
    reglet__decisions_begin(host->decisions, reglet__guest_imported_name(guest));
    reglet_status status = run(&request, slots[0].u64, serve);
    reglet__decisions_end(host->decisions); /* before the guest's allocate runs, which may ask for more */
    host->request_id = callers_id;
    if (!request.ended)
        status = sort_out(&request, status);
    bool go_on = request.ended         ? false
                 : status == REGLET_OK ? respond(&request, slots)
                                       : stop(&request, status);
    reglet__arena_free(&request.arena);
    return go_on;
}
