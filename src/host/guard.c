/* Errors that a plugin can act on, and the guard: how a decision is told. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/request.h"
#include "util/cleanup.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/text.h"

/* --- Errors ---------------------------------------------------------------------------------------------- */

/* What an error says besides its message. */
struct kind {
    const char *type, *code;
    const char *flag; /* a member that is true, or NULL */
};

static bool add_clean_text(struct reglet__arena *arena, struct reglet__json *object, const char *key,
                           const char *text) {
    size_t size = strlen(text), room = reglet__clean_line_size(size);
    char *clean = reglet__arena_alloc(arena, room);
    if (!clean)
        return false;
    reglet__clean_line(text, size, clean, room);
    return reglet__json_add_text(arena, object, key, clean);
}

static reglet_status fail(struct reglet__host_request *request, const struct kind *kind, const char *format,
                          va_list args) REGLET_PRINTF(3, 0);
static reglet_status fail(struct reglet__host_request *request, const struct kind *kind, const char *format,
                          va_list args) {
    char message[REGLET__MAX_HOST_MESSAGE]; /* a longer one is cut */
    struct reglet__arena *arena = &request->arena;
    vsnprintf(message, sizeof message, format, args);
    struct reglet__json *error = reglet__json_new_object(arena);
    bool built = error && add_clean_text(arena, error, "message", message) &&
                 add_clean_text(arena, error, "type", kind->type) &&
                 add_clean_text(arena, error, "code", kind->code) &&
                 (!kind->flag || reglet__json_add_literal(arena, error, kind->flag, REGLET__JSON_TRUE));
    struct reglet__json *old = reglet__json_get(request->response, "error");
    if (built && old)
        old->first = error->first;
    else if (built)
        built = reglet__json_add(arena, request->response, "error", strlen("error"), error);
    return built ? REGLET__HOST_ANSWERED : REGLET_ERR_NO_MEMORY;
}

reglet_status reglet__host_fail(struct reglet__host_request *request, const char *type, const char *code,
                                const char *format, ...) {
    va_list args;
    va_start(args, format);
    reglet_status status = fail(request, &(struct kind){type, code, NULL}, format, args);
    va_end(args);
    return status;
}

reglet_status reglet__host_fail_timeout(struct reglet__host_request *request, const char *type,
                                        const char *format, ...) {
    va_list args;
    va_start(args, format);
    reglet_status status = fail(request, &(struct kind){type, "ETIMEDOUT", "is_timeout"}, format, args);
    va_end(args);
    return status;
}

reglet_status reglet__host_fail_not_found(struct reglet__host_request *request, const char *type,
                                          const char *code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    reglet_status status = fail(request, &(struct kind){type, code, "is_not_found"}, format, args);
    va_end(args);
    return status;
}

const char *reglet__errno_name(int error_number) {
    const char *name = strerrorname_np(error_number);
    return name && error_number != 0 ? name : "EIO";
}

reglet_status reglet__host_fail_errno(struct reglet__host_request *request, const char *type,
                                      int error_number, const char *format, ...) {
    char what[REGLET__MAX_HOST_MESSAGE / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (error_number == ETIMEDOUT)
        return reglet__host_fail_timeout(request, type, "%s: %s", what, reglet__errno_text(error_number));
    return reglet__host_fail(request, type, reglet__errno_name(error_number), "%s: %s", what,
                             reglet__errno_text(error_number));
}

/* --- What ends the call ----------------------------------------------------------------------------------- */

reglet_status reglet__host_take(struct reglet__host_request *request, enum reglet__quota quota, uint64_t n) {
    if (reglet__quota_take(request->host->quotas, request->guest, quota, n) == REGLET_OK)
        return REGLET_OK;
    request->ended = true;
    return REGLET__HOST_ANSWERED;
}

/* What else would have come nobody knows. */
reglet_status reglet__host_received(struct reglet__host_request *request, uint64_t n) {
    const struct reglet__quotas *quotas = request->host->quotas;
    reglet__decisions_moved(request->host->decisions, n, 0);
    reglet_status status = reglet__host_take(request, REGLET__QUOTA_NETWORK_IN_BYTES, n);
    if (status != REGLET_OK)
        reglet__quota_cut(
            quotas, "%llu bytes or more received over the network were cut off",
            (unsigned long long)(n - reglet__quota_left(quotas, REGLET__QUOTA_NETWORK_IN_BYTES)));
    return status;
}

reglet_status reglet__host_may_send(struct reglet__host_request *request, uint64_t n) {
    struct reglet__quotas *quotas = request->host->quotas;
    if (reglet__quota_check(quotas, request->guest, REGLET__QUOTA_NETWORK_OUT_BYTES, n) == REGLET_OK)
        return REGLET_OK;
    reglet__quota_cut(quotas, "%llu bytes that were to be sent over the network were cut off",
                      (unsigned long long)n);
    request->ended = true;
    return REGLET__HOST_ANSWERED;
}

reglet_status reglet__host_sent(struct reglet__host_request *request, uint64_t n) {
    reglet__decisions_moved(request->host->decisions, 0, n);
    return reglet__host_take(request, REGLET__QUOTA_NETWORK_OUT_BYTES, n);
}

reglet_status reglet__host_check(const struct reglet__host_request *request) {
    return request->ended ? REGLET__HOST_ANSWERED : reglet__interrupt_check(&request->interrupt);
}

reglet_status reglet__host_wait(struct reglet__host_request *request, struct pollfd *fds, size_t count,
                                int64_t until, int *ready) {
    return reglet__interrupt_wait(&request->interrupt, fds, count, until, ready);
}

/* --- The guard ------------------------------------------------------------------------------------------- */

void reglet__host_tell(struct reglet__host_request *request, const struct reglet__decision *decision,
                       const struct reglet__host_asked *asked, const char *grant) {
    char phrase[REGLET__MAX_HOST_MESSAGE]; /* a request may name something as large as itself */
    char what[REGLET__MAX_HOST_MESSAGE];
    struct reglet__decisions *decisions = request->host->decisions;
    if (!reglet__decisions_want(decisions, decision->allowed))
        return;
    snprintf(phrase, sizeof phrase, "%s", asked->phrase ? asked->phrase : asked->what);
    snprintf(what, sizeof what, "%s", asked->what);
    const struct reglet__decided decided = {.kind = asked->kind,
                                            .asked = what,
                                            .phrase = phrase,
                                            .grant = decision->for_good ? NULL : grant,
                                            .decision = *decision,
                                            .is_question = request->is_question};
    reglet__decisions_add(decisions, &decided);
}

/* For programs: the capability that is missing, which the message names for people. */
reglet_status reglet__host_missing(struct reglet__host_request *request, const char *grant) {
    struct reglet__arena *arena = &request->arena;
    struct reglet__json *error = reglet__json_get(request->response, "error"),
                        *details = reglet__json_new_object(arena);
    bool added = details && add_clean_text(arena, details, "missing", grant) &&
                 reglet__json_add(arena, error, "details", strlen("details"), details);
    return added ? REGLET__HOST_ANSWERED : REGLET_ERR_NO_MEMORY;
}

static reglet_status deny(struct reglet__host_request *request, const struct reglet__decision *decision,
                          const struct kind *kind, const char *prefix, const struct reglet__host_asked *asked,
                          const char *grant) {
    bool helps = grant && !decision->for_good;
    reglet__host_tell(request, decision, asked, grant);
    reglet_status status = reglet__host_fail(
        request, kind->type, kind->code, "%s: %s: %s%s%s", prefix, asked->phrase, decision->reason,
        helps ? "; a grant that would allow it: " : "", helps ? grant : "");
    return status == REGLET__HOST_ANSWERED && helps ? reglet__host_missing(request, grant) : status;
}

reglet_status reglet__host_deny(struct reglet__host_request *request, const struct reglet__decision *decision,
                                const struct reglet__host_asked *asked, const char *grant) {
    return deny(request, decision, &(struct kind){"capability", "EPERM", NULL}, "permission denied", asked,
                grant);
}

reglet_status reglet__host_deny_address(struct reglet__host_request *request,
                                        const struct reglet__decision *decision,
                                        const struct reglet__host_asked *asked, const char *grant,
                                        const char *prefix) {
    return deny(request, decision, &(struct kind){"ssrf_protection", "ESSRF", NULL}, prefix, asked, grant);
}

void reglet__host_say(const struct reglet__host_request *request, reglet_log_level level, const char *format,
                      ...) {
    struct reglet__host *host = request->host;
    char text[512], line[2048];
    va_list args;
    if (host->said >= REGLET__MAX_HOST_EVENTS)
        return;
    host->said++;
    va_start(args, format);
    reglet__format_line_va(text, sizeof text, format, args);
    va_end(args);
    reglet__clean_line(text, strlen(text), line, sizeof line);
    reglet_log_event event = {
        .level = level, .source = REGLET_LOG_HOST, .request_id = request->request_id, .message = line};
    host->log(host->user_data, &event);
}
