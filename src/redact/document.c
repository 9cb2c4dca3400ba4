/* A JSON text as a whole: read, redacted by texts and by paths, printed. */
#define _GNU_SOURCE
#include <string.h>

#include "redact/redact.h"
#include "util/fail.h"

static reglet_status fail_json(reglet_error **err, const struct reglet__json_fault *fault) {
    return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                        "the text is not JSON: %s at byte %zu of %zu", fault->what, fault->at, fault->size);
}

static reglet_status redact(reglet_redactor *redactor, struct reglet__arena *arena, const char *text,
                            size_t size, char **out, size_t *out_size, reglet_error **err) {
    struct reglet__json *value = NULL;
    struct reglet__json_fault fault = {0};
    reglet_status status = reglet__json_read(arena, text, size, &value, &fault);
    if (status == REGLET_ERR_BAD_OUTPUT)
        return fail_json(err, &fault);
    if (status == REGLET_OK)
        status = reglet__redact_json(redactor, arena, value, true, NULL);
    size_t printed_size = 0;
    const char *printed = status == REGLET_OK ? reglet__json_print(arena, value, &printed_size) : NULL;
    char *copy = printed ? malloc(printed_size + 1) : NULL;
    if (!copy)
        return reglet__fail_memory(err);
    memcpy(copy, printed, printed_size + 1);
    *out = copy;
    if (out_size)
        *out_size = printed_size;
    return REGLET_OK;
}

reglet_status reglet_redactor_redact_json(reglet_redactor *redactor, const char *text, size_t size,
                                          char **out, size_t *out_size, reglet_error **err) {
    if (!redactor || !text || !out)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "redacting JSON needs a redactor, a text and a place for the result");
    _cleanup_arena_ struct reglet__arena arena = {NULL};
    return redact(redactor, &arena, text, size, out, out_size, err);
}
