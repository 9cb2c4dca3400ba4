/*
 * reglet/host_function.h - functions of the embedding program that plugins may call, under the same policy as the library's
 * own.
 *
 * A plugin imports such a function from the module "reglet_host", with one packed i64 in (a request in its memory) and one
 * packed i64 out (the response, which the library writes into memory that the plugin allocates). Requests and responses are
 * JSON objects by convention; the library looks into a request only for `context` (a deadline, a request id).
 *
 * Before the function is called, the library asks it what the request is about, has the policy decide on that, and reports a
 * refusal to the plugin and to the log. The function never sees a request that was denied.
 */
#ifndef REGLET_HOST_FUNCTION_H
#define REGLET_HOST_FUNCTION_H

#include <reglet/cancel.h>
#include <reglet/error.h>

REGLET_BEGIN_DECLS

/** One call of a host function. Valid during the callback only, on its thread. */
typedef struct reglet_host_call reglet_host_call;

/** The request's bytes as the plugin wrote them, followed by a NUL that is not counted. Borrowed. */
REGLET_API const char *reglet_host_call_request(const reglet_host_call *call, size_t *size);

/** The name under which the calling plugin is loaded. Borrowed. */
REGLET_API const char *reglet_host_call_plugin(const reglet_host_call *call);

/** The request id of the observation, or the plugin's own, or NULL. Borrowed. */
REGLET_API const char *reglet_host_call_request_id(const reglet_host_call *call);

/** Milliseconds until the earliest deadline of the observation and the request; 0 when it has passed, -1 when there is
 * none. */
REGLET_API int64_t reglet_host_call_time_left_ms(const reglet_host_call *call);

/** REGLET_OK, or REGLET_ERR_CANCELLED or REGLET_ERR_TIMEOUT: then the function should return it at once. A function that
 * waits asks this, or polls reglet_host_call_wait(). */
REGLET_API reglet_status reglet_host_call_check(const reglet_host_call *call);

/**
 * Waits until a descriptor is ready, the call's deadline has passed or its token is cancelled.
 *
 * @param fd      to wait for; -1: none, only time passes
 * @param events  POLLIN, POLLOUT
 * @param ms      the longest wait, in milliseconds; -1: as long as the call may take
 * @return REGLET_OK (ready, or the time is over), REGLET_ERR_CANCELLED, REGLET_ERR_TIMEOUT, REGLET_ERR_IO,
 *         REGLET_ERR_NO_MEMORY
 */
REGLET_API reglet_status reglet_host_call_wait(const reglet_host_call *call, int fd, short events,
                                               int64_t ms);

/** Adds something that the request asks for: in `ask` only. `what` is what follows the kind in a capability, and one thing:
 * "read:settings/a" for the kind "kv". REGLET_ERR_NO_MEMORY; REGLET_ERR_INVALID_ARGUMENT (in `serve`, where nothing would
 * be decided on it). */
REGLET_API reglet_status reglet_host_call_ask(reglet_host_call *call, const char *what);

/** The response: copied; given again, it replaces the former. REGLET_ERR_NO_MEMORY; REGLET_ERR_RESULT_LIMIT (more than
 * 128 MiB). */
REGLET_API reglet_status reglet_host_call_respond(reglet_host_call *call, const char *json, size_t size);

/**
 * Answers with an error that the plugin can act on, instead of a response: `{"error": {type, code, message}}`.
 *
 * @param type     one of "network", "timeout", "config", "validation", "execution", "internal"; NULL or "": "internal"
 * @param code     such as "ENOENT"; NULL or "": "EIO"
 * @param message  one line; control characters are made visible. NULL or "": that the function failed
 */
REGLET_API reglet_status reglet_host_call_fail(reglet_host_call *call, const char *type, const char *code,
                                               const char *message);

/** A function of the embedding program. All zero but name and serve is valid: it needs no capability. */
typedef struct reglet_host_function {
    size_t struct_size; /**< sizeof(reglet_host_function); REGLET_HOST_FUNCTION_INIT sets it */

    /** What plugins import: letters, digits and '_', 1 to 64 of them, and none of the library's own names. */
    const char *name;

    /** The kind of capability that decides ("kv", "network", "env", "exec"; files have functions of their own); NULL: the
     * function needs none, and `ask` is not called. The decision is on what is asked alone: which addresses a host name
     * has, and which file a command leads to, is not looked up. */
    const char *kind;

    /**
     * Says what a request asks for, by reglet_host_call_ask() or, for a request that makes no sense,
     * reglet_host_call_fail(). All that it names must be allowed. A request for which it names nothing is refused.
     * Does nothing else: the request is not allowed yet.
     */
    reglet_status (*ask)(void *user_data, reglet_host_call *call);

    /**
     * Serves a request that is allowed: reglet_host_call_respond() or reglet_host_call_fail(), then REGLET_OK. Any other
     * status ends the plugin's call with it (REGLET_ERR_TIMEOUT and REGLET_ERR_CANCELLED as what they are). Called on the
     * thread of the observation, on several at once when several observations run.
     */
    reglet_status (*serve)(void *user_data, reglet_host_call *call);

    void *user_data;
    void (*free_user_data)(
        void *user_data); /**< called once, when the runtime is gone or could not be made; or NULL */
} reglet_host_function;

#define REGLET_HOST_FUNCTION_INIT REGLET_STRUCT_INIT(reglet_host_function)

REGLET_END_DECLS

#endif
