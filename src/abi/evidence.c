/* What observe answers, of either generation, made one: a tree with fixed keys, shortened where it is too large. */
#include <string.h>

#include "abi/abi.h"
#include "abi/answer.h"
#include "abi/result.h"
#include "util/clock.h"
#include "util/fail.h"

/* What reading evidence shares. */
struct evidence_reader {
    struct reglet__answer answer;
    struct reglet__arena *scratch;
    int generation;
};

/* A member as it is; false without memory. */
static bool add(struct evidence_reader *r, struct reglet__json *object, const char *key,
                const struct reglet__json *value) {
    static const struct reglet__json null = {.type = REGLET__JSON_NULL};
    struct reglet__json *member =
        reglet__json_add(r->scratch, object, key, strlen(key), value ? value : &null);
    if (member)
        member->hold = REGLET__HOLD_FORM;
    return member;
}

/* Gets an optional member of the error and adds it under its lower-case key. */
static reglet_status copy_optional(struct evidence_reader *r, const struct reglet__json *from,
                                   const char *key, unsigned types, struct reglet__json *to) {
    const struct reglet__json *value = NULL;
    reglet_status status = reglet__answer_get(&r->answer, from, key, types, &value);
    if (status != REGLET_OK || !value || value->type == REGLET__JSON_FALSE)
        return status;
    return add(r, to, key, value) ? REGLET_OK : reglet__fail_memory(r->answer.err);
}

static reglet_status copy_text(struct evidence_reader *r, const struct reglet__json *from, const char *key,
                               struct reglet__json *to) {
    static const struct reglet__json empty = {.text = "", .type = REGLET__JSON_STRING};
    const struct reglet__json *value = NULL;
    reglet_status status = reglet__answer_get(&r->answer, from, key, REGLET__IS_STRING, &value);
    if (status != REGLET_OK)
        return status;
    return add(r, to, key, value ? value : &empty) ? REGLET_OK : reglet__fail_memory(r->answer.err);
}

/* An error with its known keys in lower case; what it wraps as well. Nesting is bounded by the JSON reader. */
static reglet_status read_error(struct evidence_reader *r, const struct reglet__json *from,
                                struct reglet__json **out) {
    static const char *const texts[] = {"message", "type", "code"}, *const flags[] = {"is_timeout",
                                                                                      "is_not_found"};
    const struct reglet__json *wrapped = NULL;
    struct reglet__json *inner = NULL, *to = reglet__json_new_object(r->scratch);
    if (!to)
        return reglet__fail_memory(r->answer.err);
    reglet_status status = REGLET_OK;
    for (size_t i = 0; i < ARRAY_LEN(texts) && status == REGLET_OK; i++)
        status = copy_text(r, from, texts[i], to);
    for (size_t i = 0; i < ARRAY_LEN(flags) && status == REGLET_OK; i++)
        status = copy_optional(r, from, flags[i], REGLET__IS_BOOLEAN, to);
    if (status == REGLET_OK)
        status = reglet__answer_get(&r->answer, from, "wrapped", REGLET__IS_OBJECT, &wrapped);
    if (status == REGLET_OK && wrapped)
        status = read_error(r, wrapped, &inner);
    if (status == REGLET_OK && inner && !add(r, to, "wrapped", inner))
        status = reglet__fail_memory(r->answer.err);
    if (status == REGLET_OK)
        status = copy_optional(r, from, "details", REGLET__IS_OBJECT, to);
    if (status == REGLET_OK)
        status = copy_optional(r, from, "stack", REGLET__IS_STRING, to);
    if (status == REGLET_OK)
        *out = to;
    return status;
}

static reglet_status read_error_member(struct evidence_reader *r, const struct reglet__json *root,
                                       struct reglet__json **out) {
    const struct reglet__json *error = NULL;
    reglet_status status = reglet__answer_get(&r->answer, root, "error", REGLET__IS_OBJECT, &error);
    if (status != REGLET_OK || !error)
        return status;
    struct evidence_reader inner = *r;
    inner.answer.subject = "evidence, error";
    return read_error(&inner, error, out);
}

static reglet_status bad_status(struct evidence_reader *r, const char *what) {
    return reglet__fail(r->answer.err, REGLET_ERR_BAD_OUTPUT, REGLET_DOMAIN_PLUGIN, "%s: %s",
                        r->answer.subject, what);
}

/* v1: a boolean, v2: a word. It may be left out beside an error, and nowhere else: any object would be evidence. */
static reglet_status read_status(struct evidence_reader *r, const struct reglet__json *root, bool has_error,
                                 bool *out) {
    static const char words[] = "\"status\" must be success, failure or error";
    const struct reglet__json *value = NULL;
    reglet_status status = reglet__answer_get(
        &r->answer, root, "status", r->generation == 1 ? REGLET__IS_BOOLEAN : REGLET__IS_STRING, &value);
    if (status != REGLET_OK)
        return status;
    if (!value)
        return has_error ? (*out = false, REGLET_OK) : bad_status(r, "\"status\" is missing");
    if (r->generation == 1)
        *out = value->type == REGLET__JSON_TRUE;
    else if (reglet__json_text_is(value->text, value->size, "success"))
        *out = true;
    else if (reglet__json_text_is(value->text, value->size, "failure") ||
             reglet__json_text_is(value->text, value->size, "error"))
        *out = false;
    else
        return bad_status(r, words);
    return REGLET_OK;
}

/* The plugin's time, or the host's when it is missing, zero (as Go writes it) or no time. */
static reglet_status add_timestamp(struct evidence_reader *r, const struct reglet__json *root,
                                   struct reglet__json *to) {
    const struct reglet__json *value = NULL;
    reglet_status status = reglet__answer_get(&r->answer, root, "timestamp", REGLET__IS_STRING, &value);
    if (status != REGLET_OK)
        return status;
    char now[REGLET__RFC3339_SIZE];
    struct reglet__json host = {.type = REGLET__JSON_STRING};
    if (!value || !reglet__rfc3339_parse(value->text, value->size, NULL) ||
        reglet__json_text_is(value->text, value->size, "0001-01-01T00:00:00Z")) {
        host.size = (uint32_t)reglet__rfc3339_format(reglet__wall_clock(), now);
        host.text = reglet__arena_copy(r->scratch, now, host.size);
        if (!host.text)
            return reglet__fail_memory(r->answer.err);
        value = &host;
    }
    if (!add(r, to, "timestamp", value))
        return reglet__fail_memory(r->answer.err);
    reglet__json_get(to, "timestamp")->hold = REGLET__HOLD_ALL; /* it is known to be one */
    return REGLET_OK;
}

static reglet_status copy_member(struct evidence_reader *r, const struct reglet__json *root, const char *key,
                                 unsigned types, struct reglet__json *to) {
    const struct reglet__json *value = NULL;
    reglet_status status = reglet__answer_get(&r->answer, root, key, types, &value);
    if (status != REGLET_OK)
        return status;
    return add(r, to, key, value) ? REGLET_OK : reglet__fail_memory(r->answer.err);
}

/* The answer as evidence with all its keys, in the order in which they are handed out. */
static reglet_status read_evidence(struct evidence_reader *r, const struct reglet__json *root,
                                   struct reglet__json **out) {
    struct reglet__json *evidence = reglet__json_new_object(r->scratch), *error = NULL;
    bool succeeded = false;
    if (!evidence)
        return reglet__fail_memory(r->answer.err);
    reglet_status status = read_error_member(r, root, &error);
    if (status == REGLET_OK)
        status = read_status(r, root, error, &succeeded);
    if (status != REGLET_OK)
        return status;
    const struct reglet__json verdict = {.type = succeeded ? REGLET__JSON_TRUE : REGLET__JSON_FALSE};
    if (!add(r, evidence, "status", &verdict) || !add(r, evidence, "error", error))
        return reglet__fail_memory(r->answer.err);
    status = add_timestamp(r, root, evidence);
    if (status == REGLET_OK)
        status = copy_member(r, root, "data", REGLET__IS_OBJECT, evidence);
    if (status == REGLET_OK)
        status = copy_member(r, root, "raw", REGLET__IS_STRING, evidence);
    if (status == REGLET_OK)
        status = copy_optional(r, root, "message", REGLET__IS_STRING, evidence);
    if (status == REGLET_OK)
        *out = evidence;
    return status;
}

/* From the tree into the result */

static const char *keep_text(struct reglet__arena *keep, const struct reglet__json *object, const char *key) {
    const struct reglet__json *text = reglet__json_get(object, key);
    return text ? reglet__c_string(keep, text->text, text->size) : NULL;
}

static bool is_true(const struct reglet__json *object, const char *key) {
    const struct reglet__json *value = reglet__json_get(object, key);
    return value && value->type == REGLET__JSON_TRUE;
}

static bool keep_error(struct reglet__arena *keep, const struct reglet__json *error,
                       struct reglet_evidence *out) {
    if (error->type == REGLET__JSON_NULL)
        return true;
    out->has_error = true;
    out->error = (reglet_evidence_error){.struct_size = sizeof out->error,
                                         .message = keep_text(keep, error, "message"),
                                         .type = keep_text(keep, error, "type"),
                                         .code = keep_text(keep, error, "code"),
                                         .is_timeout = is_true(error, "is_timeout"),
                                         .is_not_found = is_true(error, "is_not_found"),
                                         .json = reglet__json_print(keep, error, NULL)};
    return out->error.message && out->error.type && out->error.code && out->error.json;
}

static bool keep_data(struct reglet__arena *keep, const struct reglet__json *printed,
                      struct reglet_evidence *out) {
    if (printed->type == REGLET__JSON_NULL)
        return true;
    out->data_json = reglet__arena_copy(keep, printed->text, printed->size);
    out->data_size = printed->size;
    return out->data_json;
}

static bool keep_raw(struct reglet__arena *keep, const struct reglet__json *raw,
                     struct reglet_evidence *out) {
    if (raw->type == REGLET__JSON_NULL)
        return true;
    out->raw = reglet__arena_copy(keep, raw->text, raw->size);
    out->raw_size = raw->size;
    return out->raw;
}

static bool keep_parts(struct reglet__arena *keep, const struct reglet__json *evidence,
                       struct reglet_evidence *out) {
    out->status = is_true(evidence, "status");
    out->truncated = reglet__json_get(reglet__json_get(evidence, "evidence_meta"), "truncated");
    out->timestamp = keep_text(keep, evidence, "timestamp");
    out->message = keep_text(keep, evidence, "message");
    return out->timestamp && (out->message || !reglet__json_get(evidence, "message")) &&
           keep_error(keep, reglet__json_get(evidence, "error"), out) &&
           keep_data(keep, reglet__json_get(evidence, "data"), out) &&
           keep_raw(keep, reglet__json_get(evidence, "raw"), out);
}

static reglet_result *make_result(struct evidence_reader *r, const struct reglet__json *evidence) {
    struct reglet__arena *keep = r->answer.keep;
    reglet_result *result = reglet__arena_alloc(keep, sizeof *result);
    struct reglet__json *outer = reglet__json_new_object(r->scratch);
    if (!result || !outer || !add(r, outer, "evidence", evidence) || !add(r, outer, "error", NULL) ||
        !keep_parts(keep, evidence, &result->evidence))
        return NULL;
    result->exit_code = -1;
    result->json = reglet__json_print(keep, outer, &result->json_size);
    if (!result->json)
        return NULL;
    result->arena = reglet__arena_take(keep);
    return result;
}

/* Data is most of the evidence: once it is printed in its place, its size is known and nothing prints it again. */
static bool print_data(struct reglet__arena *scratch, struct reglet__json *data) {
    size_t size = 0;
    if (data->type == REGLET__JSON_NULL)
        return true;
    const char *text = reglet__json_print(scratch, data, &size);
    data->type = REGLET__JSON_PRINTED;
    data->text = text;
    data->size = (uint32_t)size;
    return text;
}

/* Prints data, of evidence that is shortened before if it is too large. */
static bool fit(struct reglet__arena *scratch, struct reglet__json *evidence, uint64_t max_bytes) {
    struct reglet__json *data = reglet__json_get(evidence, "data"), whole = *data;
    if (!print_data(scratch, data))
        return false;
    size_t size = reglet__json_printed_size(evidence);
    if (size <= max_bytes)
        return true;
    *data = whole;
    return reglet__evidence_shorten(scratch, evidence, size, max_bytes) == REGLET_OK &&
           print_data(scratch, data);
}

/* What was replaced is said, so that a plugin's own "[REDACTED]" can be told from the library's. */
static reglet_status pass(struct reglet__arena *scratch, const struct reglet__screen *screen,
                          struct reglet__json *evidence, uint64_t *replaced) {
    struct reglet__json empty = {.type = REGLET__JSON_OBJECT}, *meta = NULL;
    reglet_status status =
        screen ? screen->replace(screen->user_data, scratch, evidence, replaced) : REGLET_OK;
    if (status != REGLET_OK || *replaced == 0)
        return status;
    meta = reglet__json_add(scratch, evidence, "evidence_meta", strlen("evidence_meta"), &empty);
    return meta && reglet__json_add_number(scratch, meta, "redactions", *replaced) ? REGLET_OK
                                                                                   : REGLET_ERR_NO_MEMORY;
}

static reglet_status out_of_time(reglet_status status, reglet_error **err) {
    return reglet__fail(
        err, status, REGLET_DOMAIN_PLUGIN, "%s while the plugin's evidence was searched for secrets",
        status == REGLET_ERR_TIMEOUT ? "the call's deadline passed" : "the call was cancelled");
}

static reglet_status parse(int generation, const char *bytes, size_t size, uint64_t max_bytes,
                           const struct reglet__screen *screen, reglet_result **out, reglet_error **err) {
    _cleanup_arena_ struct reglet__arena scratch = {0}, keep = {0};
    struct evidence_reader r = {
        .answer = {.subject = "evidence", .keep = &keep, .any_case = true, .err = err},
        .scratch = &scratch,
        .generation = generation};
    const struct reglet__json *root = NULL;
    struct reglet__json *evidence = NULL;
    reglet_status status = reglet__answer_read(&r.answer, &scratch, bytes, size, &root);
    if (status == REGLET_OK)
        status = read_evidence(&r, root, &evidence);
    if (status != REGLET_OK)
        return status;
    uint64_t replaced = 0;
    status = pass(&scratch, screen, evidence, &replaced);
    if (status == REGLET_ERR_TIMEOUT || status == REGLET_ERR_CANCELLED)
        return out_of_time(status, err);
    bool passed = status == REGLET_OK && fit(&scratch, evidence, max_bytes);
    reglet_result *result = passed ? make_result(&r, evidence) : NULL;
    if (!result)
        return reglet__fail_memory(err);
    result->redactions = replaced;
    *out = result;
    return REGLET_OK;
}

reglet_status reglet__result_from_evidence_v1(const char *bytes, size_t size, uint64_t max_bytes,
                                              const struct reglet__screen *screen, reglet_result **out,
                                              reglet_error **err) {
    return parse(1, bytes, size, max_bytes, screen, out, err);
}

reglet_status reglet__result_from_evidence_v2(const char *bytes, size_t size, uint64_t max_bytes,
                                              const struct reglet__screen *screen, reglet_result **out,
                                              reglet_error **err) {
    return parse(2, bytes, size, max_bytes, screen, out, err);
}
