/* Functions of the embedding program: the policy is asked before they are, and what they answer goes out like any other. */
#include <reglet/host_function.h>
#include <string.h>

#include "host/functions.h"
#include "host/setup.h"
#include "util/cleanup.h"
#include "util/limits.h"

/* One thing that a request asks for. */
struct asked {
    struct asked *next;
    const char *capability; /* "kv:read:a" */
};

struct reglet_host_call {
    struct reglet__host_request *request;
    const reglet_host_function *function;
    struct asked *first, **last;
    const char *response; /* or NULL */
    size_t response_size;
    bool asking; /* the function says what it asks for; later it would not be decided on */
    bool failed; /* the response carries an error */
};

/* --- What a function may use ------------------------------------------------------------------------------ */

const char *reglet_host_call_request(const reglet_host_call *call, size_t *size) {
    if (size)
        *size = call->request->size;
    return call->request->bytes;
}

const char *reglet_host_call_plugin(const reglet_host_call *call) {
    return call->request->host->plugin;
}

const char *reglet_host_call_request_id(const reglet_host_call *call) {
    return call->request->request_id;
}

int64_t reglet_host_call_time_left_ms(const reglet_host_call *call) {
    int64_t deadline = call->request->interrupt.deadline, now = reglet__now();
    if (deadline == REGLET__NEVER)
        return -1;
    return deadline > now ? (deadline - now) / REGLET__NS_PER_MS : 0;
}

reglet_status reglet_host_call_check(const reglet_host_call *call) {
    return reglet__interrupt_check(&call->request->interrupt);
}

reglet_status reglet_host_call_wait(const reglet_host_call *call, int fd, short events, int64_t ms) {
    struct pollfd wanted = {.fd = fd, .events = events};
    int ready = 0;
    return reglet__host_wait(call->request, &wanted, fd >= 0, reglet__deadline_after_ms(ms), &ready);
}

reglet_status reglet_host_call_ask(reglet_host_call *call, const char *what) {
    if (!call->asking)
        return REGLET_ERR_INVALID_ARGUMENT;
    struct reglet__arena *arena = &call->request->arena;
    const char *kind = call->function->kind;
    size_t kind_size = strlen(kind), what_size = strlen(what);
    struct asked *asked = reglet__arena_alloc(arena, sizeof *asked);
    char *text = reglet__arena_alloc(arena, kind_size + what_size + 2);
    if (!asked || !text)
        return REGLET_ERR_NO_MEMORY;
    memcpy(text, kind, kind_size);
    text[kind_size] = ':';
    memcpy(text + kind_size + 1, what, what_size);
    asked->capability = text;
    *call->last = asked;
    call->last = &asked->next;
    return REGLET_OK;
}

reglet_status reglet_host_call_respond(reglet_host_call *call, const char *json, size_t size) {
    if (size > REGLET__MAX_RESPONSE_BYTES)
        return REGLET_ERR_RESULT_LIMIT;
    const char *copy = reglet__arena_copy(&call->request->arena, json, size);
    if (!copy)
        return REGLET_ERR_NO_MEMORY;
    call->response = copy;
    call->response_size = size;
    return REGLET_OK;
}

reglet_status reglet_host_call_fail(reglet_host_call *call, const char *type, const char *code,
                                    const char *message) {
    reglet_status status =
        reglet__host_fail(call->request, type && *type ? type : "internal", code && *code ? code : "EIO",
                          "%s", message && *message ? message : "the host function failed");
    call->failed = true;
    return status == REGLET__HOST_ANSWERED ? REGLET_OK : status;
}

/* --- Serving ---------------------------------------------------------------------------------------------- */

/* Whatever else a callback returns ends the plugin's call. */
static reglet_status ended(struct reglet_host_call *call, reglet_status status) {
    if (status == REGLET_OK || status == REGLET_ERR_TIMEOUT || status == REGLET_ERR_CANCELLED ||
        status == REGLET_ERR_NO_MEMORY)
        return status;
    if (status > 0)
        status = REGLET_ERR_INTERNAL;
    reglet__guest_stop(call->request->guest, status, "the host function %s ended the call: %s",
                       call->function->name, reglet_status_name(status));
    call->request->ended = true;
    return status;
}

/* An ask that is no capability is the embedder's mistake: refused, and told where it can be mended. */
static reglet_status decide(struct reglet__host_request *request, const char *asked) {
    struct reglet__decision decision = {0};
    reglet_error *error = NULL;
    reglet_status status = reglet__policy_ask(request->host->policy, asked, &decision, &error);
    const struct reglet__host_asked what = {NULL, asked, asked};
    if (status == REGLET_OK && !decision.allowed)
        status = reglet__host_deny(request, &decision, &what, asked);
    else if (status == REGLET_OK)
        reglet__host_tell(request, &decision, &what, NULL);
    else if (status == REGLET_ERR_INVALID_GRANT)
        status = reglet__host_fail(request, "validation", "EINVAL",
                                   "the request asks for nothing that can be granted: %s",
                                   reglet_error_message(error));
    reglet_error_free(error);
    return status;
}

static reglet_status ask(struct reglet_host_call *call) {
    if (!call->function->kind)
        return REGLET_OK;
    call->asking = true;
    reglet_status status = ended(call, call->function->ask(call->function->user_data, call));
    call->asking = false;
    if (status != REGLET_OK || call->failed)
        return status == REGLET_OK ? REGLET__HOST_ANSWERED : status;
    if (!call->first) {
        static const struct reglet__decision nothing = {.reason = "the host cannot tell what it asks for",
                                                        .for_good = true};
        const struct reglet__host_asked what = {call->function->kind, call->function->name,
                                                call->function->name};
        return reglet__host_deny(call->request, &nothing, &what, NULL);
    }
    for (const struct asked *asked = call->first; asked && status == REGLET_OK; asked = asked->next)
        status = decide(call->request, asked->capability);
    return status;
}

/* The response becomes the answer as it is, once it is known to be JSON. */
static reglet_status take_response(struct reglet_host_call *call) {
    struct reglet__host_request *request = call->request;
    struct reglet__json *value = NULL;
    struct reglet__json_fault fault;
    if (!call->response)
        return reglet__host_fail(request, "internal", "EIO", "the host function %s answered nothing",
                                 call->function->name);
    reglet_status status =
        reglet__json_read(&request->arena, call->response, call->response_size, &value, &fault);
    if (status == REGLET_ERR_NO_MEMORY)
        return status;
    if (status != REGLET_OK)
        return reglet__host_fail(request, "internal", "EIO", "the host function %s answered no JSON: %s",
                                 call->function->name, fault.what);
    request->response = value;
    return REGLET_OK;
}

REGLET__HOST_FUNCTION(custom) {
    const char *name = reglet__guest_imported_name(request->guest);
    struct reglet_host_call call = {.request = request};
    call.last = &call.first;
    call.function = reglet__host_setup_find(request->host->setup, name);
    if (!call.function)
        return reglet__host_fail(request, "internal", "ENOSYS", "this host has no function %s", name);
    reglet_status status = ask(&call);
    if (status == REGLET_OK)
        status = ended(&call, call.function->serve(call.function->user_data, &call));
    if (status != REGLET_OK)
        return status;
    return call.failed ? REGLET__HOST_ANSWERED : take_response(&call);
}
