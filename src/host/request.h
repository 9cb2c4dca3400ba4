/*
 * request.h - one request of a plugin to a host function, from the packed JSON that comes in to the packed JSON that goes
 * out; and the guard: how a decision is asked for, told, and answered.
 *
 * A host function is a `serve` that reads members of the request, asks for decisions, acts, and adds members to the
 * response. Whatever ends it early it returns at once:
 *
 *     return reglet__host_fail(request, "network", "ECONNREFUSED", "…");       the response carries an error
 *     reglet__host_tell(request, &decision, &asked, NULL);                    it was allowed: told, and done
 *     return reglet__host_deny(request, &decision, &asked, grant);            it was denied: told, and an error
 *     return REGLET_ERR_TIMEOUT, …_CANCELLED, …_NO_MEMORY, …_IO               as a wait returned it
 */
#ifndef REGLET_HOST_REQUEST_H
#define REGLET_HOST_REQUEST_H

#include "abi/json.h"
#include "host/host.h"

/* One request being served, on the stack of the call's thread. */
struct reglet__host_request {
    struct reglet__host *host;
    struct reglet__guest *guest;
    struct reglet__arena arena;      /* lives until the response was written */
    const struct reglet__json *json; /* the request: an object */
    const char *bytes;               /* the same as it came, with a NUL behind it */
    size_t size;
    const char *request_id;             /* of its context, or the call's, or NULL */
    struct reglet__interrupt interrupt; /* the earliest of the call's deadline and the request's */
    int64_t started;                    /* reglet__now() */
    struct reglet__json *response;      /* an object; what `serve` adds to */
    bool is_question;                   /* it only asks what would be decided */
    bool ended;                         /* the call was ended by reglet__guest_stop(): nothing is answered */
};

/* A function's status when it is over and the response says so; passed on like any other that is not REGLET_OK. */
#define REGLET__HOST_ANSWERED ((reglet_status)1)

typedef reglet_status reglet__host_serve(struct reglet__host_request *request);

/*
 * The whole of a host function: copies the request out, parses it, works out its deadline, serves, and writes the response
 * into memory that the guest's `allocate` gives. True to go on with slots[0] set; false when the call ends: the call's own
 * deadline or token, no memory, or an `allocate` that fails (as the plugin's error).
 *
 * A status TIMEOUT of `serve` becomes an error of type timeout when only the request's deadline has passed.
 */
bool reglet__host_answer(struct reglet__guest *guest, union reglet__slot *slots, reglet__host_serve *serve);

/* Defines the import function NAME that serves with `static reglet_status serve_NAME(request)`, whose body follows. */
#define REGLET__HOST_FUNCTION(name)                                                                          \
    static reglet_status serve_##name(struct reglet__host_request *request);                                 \
    bool reglet__host_##name(struct reglet__guest *guest, union reglet__slot *slots) {                       \
        return reglet__host_answer(guest, slots, serve_##name);                                              \
    }                                                                                                        \
    static reglet_status serve_##name(struct reglet__host_request *request)

/* --- Reading the request ---------------------------------------------------------------------------------- */

/*
 * Members of the request. `key` may name two spellings, "tls|use_tls": the first that is there counts. Each returns
 * REGLET_OK, or answers with an error of type validation that names the member and what it should be. A member that is not
 * there, or null, leaves *out as it was, unless it is required.
 */
reglet_status reglet__host_get_string(struct reglet__host_request *request, const char *key, bool required,
                                      const char **out); /* without NULs in it; borrowed from the arena */
reglet_status reglet__host_get_bool(struct reglet__host_request *request, const char *key, bool *out);
reglet_status reglet__host_get_int(struct reglet__host_request *request, const char *key, int64_t low,
                                   int64_t high, int64_t *out);
reglet_status reglet__host_get_port(struct reglet__host_request *request, const char *key,
                                    uint16_t *out); /* required; a number, or a string of digits */
/* base64 (padded, RFC 4648) or null. *data is NULL when there is none; borrowed from the arena. */
reglet_status reglet__host_get_base64(struct reglet__host_request *request, const char *key,
                                      const void **data, size_t *size);
/* An array of strings. *list has *count items, and a NULL behind them; borrowed. */
reglet_status reglet__host_get_strings(struct reglet__host_request *request, const char *key,
                                       const char ***list, size_t *count);
const struct reglet__json *reglet__host_get(const struct reglet__host_request *request, const char *key);

/* --- Writing the response --------------------------------------------------------------------------------- */

/* Each adds a member (text is copied) and returns REGLET_OK or REGLET_ERR_NO_MEMORY. Text that is no UTF-8 is repaired. */
reglet_status reglet__host_put_string(struct reglet__host_request *request, const char *key,
                                      const char *text);
reglet_status reglet__host_put_text(struct reglet__host_request *request, const char *key, const char *text,
                                    size_t size);
reglet_status reglet__host_put_bool(struct reglet__host_request *request, const char *key, bool value);
reglet_status reglet__host_put_int(struct reglet__host_request *request, const char *key, int64_t value);
reglet_status reglet__host_put_base64(struct reglet__host_request *request, const char *key, const void *data,
                                      size_t size);
/* Adds milliseconds since `since` (reglet__now()) under both names that guests read: response_time_ms, latency_ms. */
reglet_status reglet__host_put_latency(struct reglet__host_request *request, int64_t since);

/* --- Errors ----------------------------------------------------------------------------------------------- */

/*
 * Replaces the response's `error` by {message, type, code}; what was put into the response stays. Returns
 * REGLET__HOST_ANSWERED, or REGLET_ERR_NO_MEMORY. The message becomes one clean line. docs/host-functions.md lists the types and
 * codes.
 */
reglet_status reglet__host_fail(struct reglet__host_request *request, const char *type, const char *code,
                                const char *format, ...) REGLET_PRINTF(4, 5);
/* The same with the flags is_timeout and is_not_found. */
reglet_status reglet__host_fail_timeout(struct reglet__host_request *request, const char *type,
                                        const char *format, ...) REGLET_PRINTF(3, 4); /* code ETIMEDOUT */
reglet_status reglet__host_fail_not_found(struct reglet__host_request *request, const char *type,
                                          const char *code, const char *format, ...) REGLET_PRINTF(4, 5);
/* The same for an errno of the host: its name is the code; `what` says what could not be done, "connect to a:443". */
reglet_status reglet__host_fail_errno(struct reglet__host_request *request, const char *type,
                                      int error_number, const char *format, ...) REGLET_PRINTF(4, 5);
/* "ECONNREFUSED"; "EIO" for a number that has no name. */
const char *reglet__errno_name(int error_number);

/* --- What ends the call ----------------------------------------------------------------------------------- */

/* Uses a quota of the call up. REGLET_OK, or REGLET__HOST_ANSWERED: there is not as much left, and the call ends. */
reglet_status reglet__host_take(struct reglet__host_request *request, enum reglet__quota quota, uint64_t n);

/*
 * What counts as bytes of the network: see docs/host-functions.md. These are called where the bytes move, by whatever moves them.
 * `received` comes after it; `may_send` before, and does not count; `sent` after. As above.
 */
reglet_status reglet__host_received(struct reglet__host_request *request, uint64_t n);
reglet_status reglet__host_may_send(struct reglet__host_request *request, uint64_t n);
reglet_status reglet__host_sent(struct reglet__host_request *request, uint64_t n);

/* Whether the request goes on: reglet__interrupt_check() under its deadline, or REGLET__HOST_ANSWERED once a quota ended it. */
reglet_status reglet__host_check(const struct reglet__host_request *request);

/* Waits as reglet__interrupt_wait() does, under the request's deadline. */
reglet_status reglet__host_wait(struct reglet__host_request *request, struct pollfd *fds, size_t count,
                                int64_t until, int *ready);

/* --- The guard -------------------------------------------------------------------------------------------- */

/* What a decision is about. */
struct reglet__host_asked {
    const char *kind;   /* of the capability: "network:outbound"; NULL: `what` is a whole capability */
    const char *what;   /* "a.example:443", "git" */
    const char *phrase; /* "connect to a.example:443": for the log, and for the plugin; allowed: not needed */
};

/* Tells of a decision, also where the request goes on without what was refused. `grant` would allow it; NULL: none, or it is
 * allowed. What moves after an allowed one, moves for it. */
void reglet__host_tell(struct reglet__host_request *request, const struct reglet__decision *decision,
                       const struct reglet__host_asked *asked, const char *grant);

/*
 * Tells of a refusal, and answers it: type "capability", code "EPERM", and a message that starts with "permission
 * denied", says what was asked (such as "connect to a.example:443") and names the grant that would allow it. `grant` may be
 * NULL. Returns as reglet__host_fail().
 */
reglet_status reglet__host_deny(struct reglet__host_request *request, const struct reglet__decision *decision,
                                const struct reglet__host_asked *asked, const char *grant);

/* Adds the capability that would allow it to the error that was answered: details.missing. Returns as reglet__host_fail(). */
reglet_status reglet__host_missing(struct reglet__host_request *request, const char *grant);

/* The same as reglet__host_deny() for an address that is refused as special: type "ssrf_protection", code "ESSRF"; `prefix` begins the message
 * ("SSRF protection" for http_request). */
reglet_status reglet__host_deny_address(struct reglet__host_request *request,
                                        const struct reglet__decision *decision,
                                        const struct reglet__host_asked *asked, const char *grant,
                                        const char *prefix);

/* An event of the library about this request, such as a header that was dropped. A call has so many of them. */
void reglet__host_say(const struct reglet__host_request *request, reglet_log_level level, const char *format,
                      ...) REGLET_PRINTF(3, 4);

#endif
