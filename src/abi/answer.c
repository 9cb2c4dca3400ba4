#include "abi/answer.h"

#include <stdio.h>
#include <string.h>

#include "util/fail.h"

reglet_status reglet__answer_read(const struct reglet__answer *answer, struct reglet__arena *arena,
                                  const char *bytes, size_t size, const struct reglet__json **out) {
    struct reglet__json_fault fault;
    struct reglet__json *root = NULL;
    reglet_status status = reglet__json_read(arena, bytes, size, &root, &fault);
    if (status == REGLET_ERR_NO_MEMORY)
        return reglet__fail_memory(answer->err);
    if (status != REGLET_OK)
        return reglet__fail(answer->err, REGLET_ERR_BAD_OUTPUT, REGLET_DOMAIN_PLUGIN,
                            "%s: the answer is not acceptable JSON: %s, at byte %zu of %zu", answer->subject,
                            fault.what, fault.at, fault.size);
    if (root->type != REGLET__JSON_OBJECT)
        return reglet__answer_wrong_type(answer, "the answer", REGLET__IS_OBJECT, root);
    *out = root;
    return REGLET_OK;
}

/* The first of the keys that holds a string with something in it, or NULL. */
static const struct reglet__json *first_text(const struct reglet__json *object, const char *const keys[]) {
    for (; *keys; keys++) {
        const struct reglet__json *text = reglet__json_get_any_case(object, *keys);
        if (text && text->type == REGLET__JSON_STRING && text->size > 0)
            return text;
    }
    return NULL;
}

reglet_status reglet__answer_check_failure(const struct reglet__answer *answer,
                                           const struct reglet__json *root) {
    static const char *const in_error[] = {"message", "code", "type", NULL}, *const in_root[] = {"message",
                                                                                                 NULL};
    const struct reglet__json *status = reglet__json_get_any_case(root, "status");
    bool v1 = status && status->type == REGLET__JSON_FALSE;
    bool v2 = status && status->type == REGLET__JSON_STRING &&
              (reglet__json_text_is(status->text, status->size, "failure") ||
               reglet__json_text_is(status->text, status->size, "error"));
    if (!v1 && !v2)
        return REGLET_OK;
    const struct reglet__json *text = first_text(reglet__json_get_any_case(root, "error"), in_error);
    if (!text)
        text = first_text(root, in_root);
    if (!text)
        return reglet__fail(answer->err, REGLET_ERR_PLUGIN, REGLET_DOMAIN_PLUGIN,
                            "%s: the plugin reports a failure and does not say which", answer->subject);
    _cleanup_arena_ struct reglet__arena scratch = {0};
    char *message = reglet__c_string(&scratch, text->text, text->size);
    if (!message)
        return reglet__fail_memory(answer->err);
    return reglet__fail(answer->err, REGLET_ERR_PLUGIN, REGLET_DOMAIN_PLUGIN, "%s", message);
}

static const char *types_name(unsigned types) {
    return types == REGLET__IS_BOOLEAN  ? "a boolean"
           : types == REGLET__IS_STRING ? "a string"
           : types == REGLET__IS_ARRAY  ? "an array"
           : types == REGLET__IS_OBJECT ? "an object"
                                        : "of another type";
}

reglet_status reglet__answer_wrong_type(const struct reglet__answer *answer, const char *what, unsigned types,
                                        const struct reglet__json *value) {
    return reglet__fail(answer->err, REGLET_ERR_BAD_OUTPUT, REGLET_DOMAIN_PLUGIN, "%s: %s must be %s, not %s",
                        answer->subject, what, types_name(types), reglet__json_type_name(value->type));
}

reglet_status reglet__answer_too_many(const struct reglet__answer *answer, const char *what, size_t limit) {
    return reglet__fail(answer->err, REGLET_ERR_BAD_OUTPUT, REGLET_DOMAIN_PLUGIN, "%s: more than %zu %s",
                        answer->subject, limit, what);
}

reglet_status reglet__answer_get(const struct reglet__answer *answer, const struct reglet__json *object,
                                 const char *key, unsigned types, const struct reglet__json **out) {
    const struct reglet__json *value =
        answer->any_case ? reglet__json_get_any_case(object, key) : reglet__json_get(object, key);
    bool absent = !value || value->type == REGLET__JSON_NULL;
    if (!absent && !(1u << value->type & types)) {
        char what[64];
        snprintf(what, sizeof what, "\"%s\"", key);
        return reglet__answer_wrong_type(answer, what, types, value);
    }
    *out = absent ? NULL : value;
    return REGLET_OK;
}

reglet_status reglet__answer_text(const struct reglet__answer *answer, const struct reglet__json *object,
                                  const char *key, const char **out) {
    const struct reglet__json *value = NULL;
    reglet_status status = reglet__answer_get(answer, object, key, REGLET__IS_STRING, &value);
    if (status != REGLET_OK)
        return status;
    const char *text = value ? reglet__c_string(answer->keep, value->text, value->size) : "";
    if (!text)
        return reglet__fail_memory(answer->err);
    *out = text;
    return REGLET_OK;
}

reglet_status reglet__answer_flag(const struct reglet__answer *answer, const struct reglet__json *object,
                                  const char *key, bool *out) {
    const struct reglet__json *value = NULL;
    reglet_status status = reglet__answer_get(answer, object, key, REGLET__IS_BOOLEAN, &value);
    if (status == REGLET_OK)
        *out = value && value->type == REGLET__JSON_TRUE;
    return status;
}

char *reglet__c_string(struct reglet__arena *arena, const char *text, size_t size) {
    static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */
    size_t nuls = 0, written = 0;
    for (size_t i = 0; i < size; i++)
        nuls += text[i] == '\0';
    char *out = reglet__arena_alloc(arena, size + 2 * nuls + 1);
    for (size_t i = 0; out && i < size; i++) {
        if (text[i] != '\0') {
            out[written++] = text[i];
            continue;
        }
        memcpy(out + written, replacement, 3);
        written += 3;
    }
    return out;
}
