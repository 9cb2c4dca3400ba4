/* Every allocation of src/abi fails once: the answer is REGLET_ERR_NO_MEMORY, nothing leaks, outputs stay untouched. */
#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "abi/abi.h"
#include "abi/json.h"
#include "tests/unit/failing_memory.h"
#include "util/fail.h"

/* One operation. On success it frees what it made; on failure it checks that nothing was made. */
typedef reglet_status (*operation)(reglet_error **err);

static void assert_survives(operation run, reglet_status expected) {
    for (long n = 0;; n++) {
        reglet_error *error = NULL;
        memory_fail_at(n);
        reglet_status status = run(&error);
        if (!memory_has_failed()) {
            assert_int_equal(status, expected);
            assert_true(n > 0);
            reglet_error_free(error);
            return;
        }
        /* simdjson's parser has memory for strings that is never used: nobody misses it. */
        if (status == expected && memory_failed_for_an_array()) {
            reglet_error_free(error);
            continue;
        }
        /* Where only the error itself found no memory, the code is still the right one. */
        if (status != REGLET_ERR_NO_MEMORY && (status != expected || status == REGLET_OK))
            fail_msg("allocation %ld failed and the status is %s", n, reglet_status_name(status));
        assert_int_equal(reglet_error_code(error), REGLET_ERR_NO_MEMORY);
        reglet_error_free(error);
    }
}

static reglet_status describe(reglet_error **err) {
    static const char json[] =
        "{\"name\":\"n\\u0000\xFF\",\"version\":\"1\",\"sdk_version\":\"1\",\"min_host_version\":"
        "\"1\",\"name\":\"m\",\"capabilities\":[{\"kind\":\"fs\",\"pattern\":\"read:/x\"}]}";
    const reglet_description *out = NULL;
    reglet_status status = reglet__description_parse_v1(json, sizeof json - 1, &out, err);
    assert_true((status == REGLET_OK) == (out != NULL));
    reglet_description_free(out);
    return status;
}

static reglet_status manifest(reglet_error **err) {
    static const char json[] =
        "{\"name\":\"n\",\"services\":{\"s\":{\"operations\":[{\"name\":\"o\"}]}},\"capabilities\":{\"network\":{"
        "\"rules\":[{\"hosts\":[\"h\"],\"ports\":[\"1\"]}]},\"fs\":{\"rules\":[{\"read\":[\"/x\"]}]},\"kv\":{\"rules\":"
        "[{\"op\":\"read\",\"keys\":[\"k\"]}]}}}";
    const reglet_description *out = NULL;
    reglet_status status = reglet__description_parse_v2(json, sizeof json - 1, &out, err);
    assert_true((status == REGLET_OK) == (out != NULL));
    reglet_description_free(out);
    return status;
}

static reglet_status schema(reglet_error **err) {
    static const char json[] =
        "{\"$ref\":\"#/d/C\",\"d\":{\"C\":{\"properties\":{\"a\":{\"type\":[\"string\",\"null\"],"
        "\"description\":\"d\"}},\"required\":[\"a\",\"b\"]}}}";
    const reglet_schema *out = NULL;
    reglet_status status = reglet__schema_parse(json, sizeof json - 1, &out, err);
    assert_true((status == REGLET_OK) == (out != NULL));
    reglet_schema_free(out);
    return status;
}

static reglet_status schema_of_manifest(reglet_error **err) {
    static const char json[] = "{\"name\":\"\xFF\",\"config_schema\":{\"properties\":{\"a\":{}}}}";
    const reglet_schema *out = NULL;
    reglet_status status = reglet__schema_from_manifest(json, sizeof json - 1, &out, err);
    assert_true((status == REGLET_OK) == (out != NULL));
    reglet_schema_free(out);
    return status;
}

static reglet_status plugin_failure(reglet_error **err) {
    static const char json[] = "{\"status\":false,\"error\":{\"message\":\"m\"}}";
    const reglet_schema *out = NULL;
    return reglet__schema_parse(json, sizeof json - 1, &out, err);
}

static reglet_status no_json(reglet_error **err) {
    reglet_result *out = NULL;
    return reglet__result_from_evidence_v1("{", 1, UINT64_MAX, NULL, &out, err);
}

static reglet_status evidence(reglet_error **err) {
    static const char json[] =
        "{\"status\":false,\"error\":{\"message\":\"m\",\"is_timeout\":true,\"wrapped\":{\"message\":\"w\"},\"details\":"
        "{\"a\":1}},\"data\":{\"a\":\"b\",\"a\":[1]},\"raw\":\"r\"}";
    reglet_result *out = NULL;
    reglet_status status =
        reglet__result_from_evidence_v1(json, sizeof json - 1, UINT64_MAX, NULL, &out, err);
    assert_true((status == REGLET_OK) == (out != NULL));
    reglet_result_free(out);
    return status;
}

static reglet_status shortened_evidence(reglet_error **err) {
    static char json[20000] = "{\"status\":\"success\",\"message\":\"m\",\"data\":{\"long\":\"";
    size_t size = strlen(json);
    if (size < 10000) {
        memset(json + size, 'x', 15000);
        strcpy(json + size + 15000, "\",\"n\":[[],[],[]]}}");
    }
    reglet_result *out = NULL;
    reglet_status status = reglet__result_from_evidence_v2(json, strlen(json), 400, NULL, &out, err);
    assert_true((status == REGLET_OK) == (out != NULL));
    reglet_result_free(out);
    return status;
}

static reglet_status result_of_error(reglet_error **err) {
    reglet_error *why = NULL;
    reglet__fail(&why, REGLET_ERR_TRAP, REGLET_DOMAIN_ENGINE, "unreachable");
    reglet_result *result = reglet__result_from_error(why, 0, 0); /* frees it also when it fails */
    if (!result || reglet_result_error_code(result) == REGLET_ERR_NO_MEMORY) {
        reglet_result_free(result);
        return reglet__fail_memory(err);
    }
    reglet_result_free(result);
    return REGLET_OK;
}

static reglet_status build_config(reglet_config **out, reglet_error **err) {
    reglet_config *other = NULL;
    reglet_status status = reglet_config_parse("{\"a\":1,\"b\":[1,2]}", 17, out, err);
    if (status == REGLET_OK)
        status = reglet_config_set_string(*out, "c", "d", err);
    if (status == REGLET_OK)
        status = reglet_config_set_double(*out, "d", 0.5, err);
    if (status == REGLET_OK)
        status = reglet_config_set_json(*out, "e", "{\"f\":1}", 7, err);
    if (status == REGLET_OK)
        status = reglet_config_new(&other, err);
    if (status == REGLET_OK)
        status = reglet_config_merge(other, *out, err);
    reglet_config_free(other);
    return status;
}

static reglet_status config(reglet_error **err) {
    reglet_config *built = NULL;
    char *json = NULL;
    reglet_status status = build_config(&built, err);
    if (status == REGLET_OK)
        status = reglet_config_to_json(built, &json, NULL, err);
    reglet_free(json);
    reglet_config_free(built);
    return status;
}

static const reglet_schema *strict;

static reglet_status check_missing(reglet_error **err) {
    return reglet__schema_check(strict, NULL, err);
}

static reglet_status replace_first(void *user_data, struct reglet__arena *arena, struct reglet__json *value,
                                   uint64_t *replaced) {
    (void)user_data;
    struct reglet__json *inner = value->first->first;
    ++*replaced;
    inner->type = REGLET__JSON_STRING;
    inner->text = reglet__arena_copy(arena, "-", 1);
    inner->size = 1;
    return inner->text ? REGLET_OK : REGLET_ERR_NO_MEMORY;
}

static reglet_status log_request(reglet_error **err) {
    static const char json[] =
        "{\"level\":\"WARN\",\"message\":\"m\",\"context\":{\"request_id\":\"r\"},\"attrs\":[{"
        "\"key\":\"k\",\"type\":\"group\",\"value\":[1]},{\"key\":\"a.b\",\"type\":\"group\",\"value\":[{"
        "\"key\":\"k\",\"value\":\"v\"}]},{\"key\":\"j\",\"value\":\"[1]\"}]}";
    const struct reglet__screen screen = {.replace = replace_first};
    struct reglet__log_request request = {0};
    reglet_status status = reglet__log_request_parse(json, sizeof json - 1, &screen, &request);
    if (status != REGLET_OK) {
        assert_null(request.memory);
        return reglet__fail_memory(err);
    }
    reglet__log_request_free(&request);
    return status;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    assert_int_equal(reglet__schema_parse("{\"required\":[\"a\"]}", 18, &strict, NULL), REGLET_OK);
    assert_survives(describe, REGLET_OK);
    assert_survives(manifest, REGLET_OK);
    assert_survives(schema, REGLET_OK);
    assert_survives(schema_of_manifest, REGLET_OK);
    assert_survives(plugin_failure, REGLET_ERR_PLUGIN);
    assert_survives(no_json, REGLET_ERR_BAD_OUTPUT);
    assert_survives(evidence, REGLET_OK);
    assert_survives(shortened_evidence, REGLET_OK);
    assert_survives(result_of_error, REGLET_OK);
    assert_survives(config, REGLET_OK);
    assert_survives(check_missing, REGLET_ERR_INVALID_CONFIG);
    assert_survives(log_request, REGLET_OK);
    reglet_schema_free(strict);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
