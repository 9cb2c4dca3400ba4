/*
 * Takes the input for each kind of answer that a guest can give, and for a config.
 *
 * Whatever the input is: a refusal is one line; what is handed out is JSON that reads back to the same text and cannot
 * steer a terminal; evidence stays within its limit.
 */
#define _GNU_SOURCE
#include <string.h>

#include "abi/abi.h"
#include "abi/json_scan.h"
#include "fuzz/fuzz.h"
#include "util/clock.h"
#include "util/text.h"

static void require_clean(const char *text, size_t size) {
    REQUIRE(reglet__utf8_valid(text, size));
    for (size_t i = 0, length; i < size; i += length) {
        unsigned c = 0;
        length = reglet__utf8_decode(text + i, size - i, &c);
        REQUIRE(length > 0 && !reglet__steers_a_terminal(c));
    }
}

/* What we print reads back, and is printed as the same again. */
static void require_json(const char *json, size_t size) {
    struct reglet__arena arena = {0};
    struct reglet__json_fault fault;
    struct reglet__json *root = NULL;
    size_t again_size = 0;
    require_clean(json, size);
    REQUIRE(reglet__json_read(&arena, json, size, &root, &fault) == REGLET_OK);
    const char *again = reglet__json_print(&arena, root, &again_size);
    REQUIRE(again && again_size == size && memcmp(again, json, size) == 0);
    reglet__arena_free(&arena);
}

/* What is refused can be explained, and nothing else. */
static void require_agreement(const char *bytes, size_t size) {
    struct reglet__arena arena = {0};
    struct reglet__json_fault fault;
    struct reglet__json *root = NULL;
    reglet_status status = reglet__json_read(&arena, bytes, size, &root, &fault);
    REQUIRE(status == REGLET_OK || (status == REGLET_ERR_BAD_OUTPUT && fault.what && fault.at <= fault.size));
    REQUIRE(!reglet__utf8_valid(bytes, size) ||
            reglet__json_scan(bytes, size, &fault) == (status == REGLET_OK));
    reglet__arena_free(&arena);
}

static void require_refusal(reglet_status status, reglet_error *error, reglet_status other) {
    const char *message = reglet_error_message(error);
    REQUIRE(status == REGLET_ERR_BAD_OUTPUT || status == other);
    REQUIRE(reglet_error_code(error) == status && *message);
    require_clean(message, strlen(message));
    reglet_error_free(error);
}

static void description(const char *bytes, size_t size, bool v2) {
    const reglet_description *d = NULL;
    reglet_error *error = NULL;
    reglet_status status =
        (v2 ? reglet__description_parse_v2 : reglet__description_parse_v1)(bytes, size, &d, &error);
    if (status != REGLET_OK) {
        require_refusal(status, error, REGLET_ERR_PLUGIN);
        return;
    }
    const char *json = reglet_description_json(d);
    require_json(json, strlen(json));
    REQUIRE(d->name && d->version && d->description && d->sdk_version && d->min_host_version);
    for (size_t i = 0; i < d->capability_count; i++)
        REQUIRE(reglet__utf8_valid(d->capabilities[i].pattern, strlen(d->capabilities[i].pattern)));
    for (size_t i = 0; i < d->service_count; i++)
        for (size_t k = 0; k < d->services[i].operation_count; k++)
            require_json(d->services[i].operations[k].json, strlen(d->services[i].operations[k].json));
    reglet_description_free(d);
}

static void schema(const char *bytes, size_t size, const reglet_config *config) {
    const reglet_schema *s = NULL;
    reglet_error *error = NULL;
    reglet_status status = reglet__schema_parse(bytes, size, &s, &error);
    if (status != REGLET_OK) {
        require_refusal(status, error, REGLET_ERR_PLUGIN);
        return;
    }
    REQUIRE(s->raw_size == size && memcmp(s->raw, bytes, size) == 0);
    for (size_t i = 0; i < s->field_count; i++)
        REQUIRE(s->fields[i].name && s->fields[i].type && s->fields[i].description);
    status = reglet__schema_check(s, config, &error);
    REQUIRE(status == REGLET_OK || status == REGLET_ERR_INVALID_CONFIG);
    reglet_error_free(error);
    reglet_schema_free(s);
}

static void schema_of_manifest(const char *bytes, size_t size) {
    const reglet_schema *s = NULL;
    reglet_error *error = NULL;
    reglet_status status = reglet__schema_from_manifest(bytes, size, &s, &error);
    if (status != REGLET_OK) {
        require_refusal(status, error, REGLET_ERR_PLUGIN);
        return;
    }
    REQUIRE(!s || (s->raw[0] == '{' && s->raw[s->raw_size - 1] == '}'));
    reglet_schema_free(s);
}

static void evidence(const char *bytes, size_t size, bool v2, uint64_t max_bytes) {
    static const char head[] = "{\"evidence\":", tail[] = ",\"error\":null}";
    enum { HEAD = sizeof head - 1, TAIL = sizeof tail - 1, SKELETON = 600 };
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    size_t json_size = 0, part_size = 0;
    reglet_status status = (v2 ? reglet__result_from_evidence_v2 : reglet__result_from_evidence_v1)(
        bytes, size, max_bytes, NULL, &result, &error);
    if (status != REGLET_OK) {
        require_refusal(status, error, REGLET_ERR_BAD_OUTPUT);
        return;
    }
    const char *json = reglet_result_json(result, &json_size);
    const reglet_evidence *e = reglet_result_evidence(result);
    REQUIRE(strlen(json) == json_size && strncmp(json, head, HEAD) == 0);
    REQUIRE(strcmp(json + json_size - TAIL, tail) == 0);
    require_json(json + HEAD,
                 json_size - HEAD - TAIL); /* the frame may be one level more than the reader takes */
    REQUIRE(max_bytes < SKELETON || json_size - HEAD - TAIL <= max_bytes);
    REQUIRE(!reglet_evidence_truncated(e) || strstr(json, ",\"evidence_meta\":{\"truncated\":true,"));
    REQUIRE(reglet__rfc3339_parse(reglet_evidence_timestamp(e), strlen(reglet_evidence_timestamp(e)), NULL));
    const char *data = reglet_evidence_data_json(e, &part_size);
    if (data)
        require_json(data, part_size);
    if (reglet_evidence_get_error(e))
        require_json(reglet_evidence_get_error(e)->json, strlen(reglet_evidence_get_error(e)->json));
    const char *raw = reglet_evidence_raw(e, &part_size);
    REQUIRE(!raw || reglet__utf8_valid(raw, part_size));
    reglet_result_free(result);
}

static void log_request(const char *bytes, size_t size) {
    struct reglet__log_request request;
    REQUIRE(reglet__log_request_parse(bytes, size, NULL, &request) == REGLET_OK);
    require_clean(request.message, strlen(request.message));
    for (size_t i = 0; i < request.attr_count; i++) {
        require_clean(request.attrs[i].key, strlen(request.attrs[i].key));
        require_clean(request.attrs[i].type, strlen(request.attrs[i].type));
        require_clean(request.attrs[i].value, strlen(request.attrs[i].value));
    }
    reglet__log_request_free(&request);
}

/* NULL when it is none. */
static reglet_config *parse_config(const char *bytes, size_t size) {
    reglet_config *config = NULL;
    reglet_error *error = NULL;
    const char *json = NULL;
    size_t json_size = 0;
    reglet_status status = reglet_config_parse(bytes, size, &config, &error);
    if (status != REGLET_OK) {
        require_refusal(status, error, REGLET_ERR_INVALID_CONFIG);
        return NULL;
    }
    reglet__config_json(config, &json, &json_size);
    require_json(json, json_size);
    return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *bytes = (const char *)data;
    require_agreement(bytes, size);
    reglet_config *config = parse_config(bytes, size);
    description(bytes, size, false);
    description(bytes, size, true);
    schema(bytes, size, config);
    schema_of_manifest(bytes, size);
    evidence(bytes, size, false, UINT64_MAX);
    evidence(bytes, size, false, 600 + size / 2);
    evidence(bytes, size, true, 600);
    evidence(bytes, size, true, size % 100);
    log_request(bytes, size);
    reglet_config_free(config);
    return 0;
}
