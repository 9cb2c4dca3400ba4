#include "abi/result.h"

#include <string.h>

#include "abi/abi.h"

static bool add_error(struct reglet__arena *arena, struct reglet__json *outer, const reglet_error *error) {
    struct reglet__json empty = {.type = REGLET__JSON_OBJECT};
    struct reglet__json *object = reglet__json_add(arena, outer, "error", strlen("error"), &empty);
    return object &&
           reglet__json_add_text(arena, object, "code", reglet_status_name(reglet_error_code(error))) &&
           reglet__json_add_text(arena, object, "message", reglet_error_message(error));
}

reglet_result *reglet__result_from_error(reglet_error *error, uint32_t exit_code, uint64_t redactions) {
    _cleanup_arena_ struct reglet__arena scratch = {0}, keep = {0};
    reglet_result *result = reglet__arena_alloc(&keep, sizeof *result);
    struct reglet__json *outer = reglet__json_new_object(&scratch);
    if (result && outer && reglet__json_add_literal(&scratch, outer, "evidence", REGLET__JSON_NULL) &&
        add_error(&scratch, outer, error))
        result->json = reglet__json_print(&keep, outer, &result->json_size);
    if (!result || !result->json) {
        reglet_error_free(error);
        return NULL;
    }
    result->error = error;
    result->redactions = redactions;
    result->exit_code = reglet_error_code(error) == REGLET_ERR_EXIT ? (int64_t)exit_code : -1;
    result->arena = reglet__arena_take(&keep);
    return result;
}

void reglet_result_free(reglet_result *result) {
    if (!result)
        return;
    reglet_error_free(result->error);
    struct reglet__arena arena = result->arena; /* it holds the result itself */
    reglet__arena_free(&arena);
}

const reglet_evidence *reglet_result_evidence(const reglet_result *result) {
    return result && !result->error ? &result->evidence : NULL;
}

reglet_status reglet_result_error_code(const reglet_result *result) {
    return result ? reglet_error_code(result->error) : REGLET_ERR_INVALID_ARGUMENT;
}

const char *reglet_result_error_message(const reglet_result *result) {
    return result && result->error ? reglet_error_message(result->error) : NULL;
}

int64_t reglet_result_exit_code(const reglet_result *result) {
    return result ? result->exit_code : -1;
}

uint64_t reglet_result_redactions(const reglet_result *result) {
    return result ? result->redactions : 0;
}

static const char *with_size(const char *text, size_t text_size, size_t *size) {
    if (size)
        *size = text_size;
    return text;
}

const char *reglet_result_json(const reglet_result *result, size_t *size) {
    return result ? with_size(result->json, result->json_size, size) : with_size(NULL, 0, size);
}

bool reglet_evidence_status(const reglet_evidence *evidence) {
    return evidence && evidence->status;
}

const reglet_evidence_error *reglet_evidence_get_error(const reglet_evidence *evidence) {
    return evidence && evidence->has_error ? &evidence->error : NULL;
}

const char *reglet_evidence_timestamp(const reglet_evidence *evidence) {
    return evidence ? evidence->timestamp : NULL;
}

const char *reglet_evidence_data_json(const reglet_evidence *evidence, size_t *size) {
    return evidence ? with_size(evidence->data_json, evidence->data_size, size) : with_size(NULL, 0, size);
}

const char *reglet_evidence_raw(const reglet_evidence *evidence, size_t *size) {
    return evidence ? with_size(evidence->raw, evidence->raw_size, size) : with_size(NULL, 0, size);
}

const char *reglet_evidence_message(const reglet_evidence *evidence) {
    return evidence ? evidence->message : NULL;
}

bool reglet_evidence_truncated(const reglet_evidence *evidence) {
    return evidence && evidence->truncated;
}
