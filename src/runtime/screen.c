/* What of a guest's leaves by way of the runtime: errors, and what a plugin says of itself. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "redact/redact.h"
#include "runtime/internal.h"
#include "util/fail.h"

/* Made when it is needed: a runtime that only loads need not wait for it. */
reglet_redactor *reglet__runtime_redactor(const reglet_runtime *runtime) {
    _Atomic(reglet_redactor *) *kept = &((reglet_runtime *)(uintptr_t)runtime)->redactor;
    reglet_redactor *redactor = atomic_load_explicit(kept, memory_order_acquire), *known = NULL;
    if (redactor || reglet__redactor_default(&redactor, NULL) != REGLET_OK)
        return redactor;
    if (atomic_compare_exchange_strong(kept, &known, redactor))
        return redactor;
    reglet_redactor_unref(redactor);
    return known;
}

static const char *screen(const reglet_runtime *runtime, const char *text, char **out,
                          struct reglet__redact_tally *tally) {
    reglet_redactor *redactor = reglet__runtime_redactor(runtime);
    size_t size = 0;
    if (!redactor || reglet__redact_text(redactor, text, strlen(text), out, &size, tally) != REGLET_OK)
        return "(lost: out of memory)";
    return *out ? *out : text;
}

const char *reglet__screen_text(const reglet_runtime *runtime, const char *text, char **out) {
    return screen(runtime, text, out, NULL);
}

uint64_t reglet__screen_error(const reglet_runtime *runtime, reglet_error *error) {
    struct reglet__redact_tally tally = {0};
    _cleanup_free_ char *out = NULL;
    if (!error)
        return 0;
    const char *message = reglet_error_message(error), *shown = screen(runtime, message, &out, &tally);
    if (shown != message)
        reglet__error_reword(error, shown);
    return tally.count;
}

reglet_status reglet__screen_evidence(void *user_data, struct reglet__arena *arena,
                                      struct reglet__json *evidence, uint64_t *replaced) {
    const struct visit *visit = user_data;
    struct reglet__redact_tally tally = {.interrupt = &visit->interrupt};
    reglet_redactor *redactor = reglet__runtime_redactor(visit->plugin->runtime);
    reglet_status status =
        redactor ? reglet__redact_json(redactor, arena, evidence, true, &tally) : REGLET_ERR_NO_MEMORY;
    *replaced += tally.count;
    return status;
}

/* A request is small: nothing waits for it long. */
reglet_status reglet__screen_attributes(void *user_data, struct reglet__arena *arena,
                                        struct reglet__json *attributes, uint64_t *replaced) {
    reglet_redactor *redactor = reglet__runtime_redactor(user_data);
    (void)replaced; /* of the call's evidence alone */
    return redactor ? reglet__redact_json(redactor, arena, attributes, true, NULL) : REGLET_ERR_NO_MEMORY;
}

/* One that is made when it is needed has none. */
bool reglet__runtime_has_paths(const reglet_runtime *runtime) {
    const reglet_redactor *redactor =
        atomic_load_explicit(&((reglet_runtime *)(uintptr_t)runtime)->redactor, memory_order_acquire);
    return redactor && reglet__redact_has_paths(redactor);
}

/* Paths are for what a plugin found, not for what it is: a schema names "password" as a field. */
reglet_status reglet__screen_answer(const struct visit *visit, struct answer *answer) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__redact_tally tally = {.interrupt = &visit->interrupt};
    struct reglet__json_fault fault;
    struct reglet__json *value = NULL;
    reglet_redactor *redactor = reglet__runtime_redactor(visit->plugin->runtime);
    if (!redactor)
        return REGLET_ERR_NO_MEMORY;
    reglet_status status = reglet__json_read(&arena, answer->bytes, answer->size, &value, &fault);
    if (status == REGLET_ERR_BAD_OUTPUT)
        return REGLET_OK; /* who reads it says what is wrong */
    if (status == REGLET_OK)
        status = reglet__redact_json(redactor, &arena, value, false, &tally);
    if (status != REGLET_OK || tally.count == 0)
        return status;
    size_t size = 0;
    char *printed = reglet__json_print(&arena, value, &size), *copy = printed ? malloc(size) : NULL;
    if (!copy)
        return REGLET_ERR_NO_MEMORY;
    memcpy(copy, printed, size);
    free(answer->bytes);
    *answer = (struct answer){copy, size};
    return REGLET_OK;
}
