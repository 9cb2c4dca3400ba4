/* describe and the second generation's manifest: one structure for both. */
#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/abi.h"

typedef reglet_status (*parser)(const char *, size_t, const reglet_description **, reglet_error **);

static const parser v1 = reglet__description_parse_v1, v2 = reglet__description_parse_v2;

static const reglet_description *parsed(parser parse, const char *json) {
    const reglet_description *description = NULL;
    reglet_error *error = NULL;
    if (parse(json, strlen(json), &description, &error) != REGLET_OK)
        fail_msg("%s: %s", json, reglet_error_message(error));
    return description;
}

static void assert_refused(parser parse, const char *json, reglet_status code, const char *message) {
    const reglet_description *description = NULL;
    reglet_error *error = NULL;
    assert_int_equal(parse(json, strlen(json), &description, &error), code);
    assert_null(description);
    assert_string_equal(reglet_error_message(error), message);
    reglet_error_free(error);
}

static void assert_json(parser parse, const char *json, const char *expected) {
    const reglet_description *description = parsed(parse, json);
    assert_string_equal(reglet_description_json(description), expected);
    reglet_description_free(description);
}

static void v1__everything_is_read(void **state) {
    (void)state;
    const reglet_description *d = parsed(
        v1, "{\"name\":\"file\",\"version\":\"1.0\",\"description\":\"reads\",\"sdk_version\":\"0.3\","
            "\"min_host_version\":\"0.2.0\",\"future\":{},\"capabilities\":[{\"kind\":\"fs\",\"pattern\":"
            "\"read:**\"},{\"kind\":\"network:dns\",\"pattern\":\"\"},{\"kind\":\"exec\"}]}");
    assert_int_equal(d->struct_size, sizeof *d);
    assert_int_equal(d->abi_generation, 1);
    assert_string_equal(d->name, "file");
    assert_string_equal(d->min_host_version, "0.2.0");
    assert_int_equal(d->capability_count, 3);
    assert_string_equal(d->capabilities[0].kind, "fs");
    assert_string_equal(d->capabilities[0].pattern, "read:**");
    assert_string_equal(d->capabilities[1].kind, "network:dns");
    assert_string_equal(d->capabilities[2].pattern, "");
    assert_int_equal(d->service_count, 0);
    assert_string_equal(
        reglet_description_json(d),
        "{\"name\":\"file\",\"version\":\"1.0\",\"description\":\"reads\",\"capabilities\":["
        "{\"kind\":\"fs\",\"pattern\":\"read:**\"},{\"kind\":\"network:dns\",\"pattern\":\"\"},"
        "{\"kind\":\"exec\",\"pattern\":\"\"}],\"sdk_version\":\"0.3\",\"min_host_version\":\"0.2.0\"}");
    reglet_description_free(d);
}

static void v1__what_is_left_out_is_empty(void **state) {
    (void)state;
    const char *expected = "{\"name\":\"\",\"version\":\"\",\"description\":\"\",\"capabilities\":[]}";
    assert_json(v1, "{}", expected);
    assert_json(v1, "{\"name\":null,\"capabilities\":null}", expected);
}

static void v1__a_name_with_nul_is_not_cut_there(void **state) {
    (void)state;
    const reglet_description *d = parsed(v1, "{\"name\":\"trusted\\u0000evil\xFF\"}");
    assert_string_equal(d->name, "trusted\xEF\xBF\xBD"
                                 "evil\xEF\xBF\xBD");
    reglet_description_free(d);
}

static void v1__wrong_types_are_named(void **state) {
    (void)state;
    assert_refused(v1, "{\"name\":1}", REGLET_ERR_BAD_OUTPUT,
                   "describe: \"name\" must be a string, not a number");
    assert_refused(v1, "{\"capabilities\":{}}", REGLET_ERR_BAD_OUTPUT,
                   "describe: \"capabilities\" must be an array, not an object");
    assert_refused(v1, "{\"capabilities\":[{},\"x\"]}", REGLET_ERR_BAD_OUTPUT,
                   "describe, capability 2: it must be an object, not a string");
    assert_refused(v1, "{\"capabilities\":[{\"kind\":[]}]}", REGLET_ERR_BAD_OUTPUT,
                   "describe, capability 1: \"kind\" must be a string, not an array");
}

static void v1__a_failure_inside_the_plugin_is_its_error(void **state) {
    (void)state;
    assert_refused(v1, "{\"Status\":false,\"Error\":{\"Message\":\"broken\"}}", REGLET_ERR_PLUGIN, "broken");
    assert_refused(v2, "{\"status\":\"failure\",\"error\":{\"code\":\"E1\"}}", REGLET_ERR_PLUGIN, "E1");
}

static char *flood(const char *head, const char *piece, size_t count, const char *tail) {
    size_t size = strlen(head) + count * (strlen(piece) + 1) + strlen(tail) + 1;
    char *text = malloc(size), *at = text;
    assert_non_null(text);
    at = stpcpy(at, head);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(stpcpy(at, i ? "," : ""), piece);
    strcpy(at, tail);
    return text;
}

static void floods_of_declarations_are_refused(void **state) {
    (void)state;
    char *json = flood("{\"capabilities\":[", "{}", 1001, "]}");
    assert_refused(v1, json, REGLET_ERR_BAD_OUTPUT, "describe: more than 1000 capabilities");
    free(json);
    json = flood("{\"capabilities\":[", "{}", 1000, "]}");
    reglet_description_free(parsed(v1, json));
    free(json);
    json = flood("{\"services\":{\"s\":{\"operations\":[", "{}", 1001, "]}}}");
    assert_refused(v2, json, REGLET_ERR_BAD_OUTPUT, "manifest, service \"s\": more than 1000 operations");
    free(json);
}

/* 100,000 hosts times 100,000 ports are ten thousand million capabilities. */
static void v2__a_product_of_hosts_and_ports_is_bounded(void **state) {
    (void)state;
    char *hosts =
        flood("{\"capabilities\":{\"network\":{\"rules\":[{\"hosts\":[", "\"h\"", 100000, "],\"ports\":[");
    char *json = flood(hosts, "\"1\"", 100000, "]}]}}}");
    assert_refused(v2, json, REGLET_ERR_BAD_OUTPUT, "manifest, network rule: more than 1000 capabilities");
    free(hosts);
    free(json);
}

static void v2__the_grant_set_becomes_the_same_list(void **state) {
    (void)state;
    assert_json(
        v2,
        "{\"name\":\"n\",\"capabilities\":{\"network\":{\"rules\":[{\"hosts\":[\"a.example\",\"*\",\"::1\","
        "\"[::1]\"],\"ports\":[\"443\",\"8000-9000\",\"*\"]}]},\"fs\":{\"rules\":[{\"read\":[\"/etc/**\"],"
        "\"write\":[\"/tmp/x\"]},{\"read\":null}]},\"env\":{\"vars\":[\"HOME\"]},\"exec\":{\"commands\":"
        "[\"git\"]},\"kv\":{\"rules\":[{\"op\":\"read-write\",\"keys\":[\"a/*\"]}]}}}",
        "{\"name\":\"n\",\"version\":\"\",\"description\":\"\",\"capabilities\":["
        "{\"kind\":\"network\",\"pattern\":\"outbound:a.example:443\"},"
        "{\"kind\":\"network\",\"pattern\":\"outbound:a.example:8000-9000\"},"
        "{\"kind\":\"network\",\"pattern\":\"outbound:a.example\"},"
        "{\"kind\":\"network\",\"pattern\":\"outbound:443\"},"
        "{\"kind\":\"network\",\"pattern\":\"outbound:8000-9000\"},"
        "{\"kind\":\"network\",\"pattern\":\"outbound:*\"},"
        "{\"kind\":\"network\",\"pattern\":\"outbound:[::1]:443\"},"
        "{\"kind\":\"network\",\"pattern\":\"outbound:[::1]:8000-9000\"},"
        "{\"kind\":\"network\",\"pattern\":\"outbound:[::1]\"},"
        "{\"kind\":\"network\",\"pattern\":\"outbound:[::1]:443\"},"
        "{\"kind\":\"network\",\"pattern\":\"outbound:[::1]:8000-9000\"},"
        "{\"kind\":\"network\",\"pattern\":\"outbound:[::1]\"},"
        "{\"kind\":\"fs\",\"pattern\":\"read:/etc/**\"},{\"kind\":\"fs\",\"pattern\":\"write:/tmp/x\"},"
        "{\"kind\":\"env\",\"pattern\":\"HOME\"},{\"kind\":\"exec\",\"pattern\":\"git\"},"
        "{\"kind\":\"kv\",\"pattern\":\"read-write:a/*\"}]}");
}

static void v2__empty_grants_declare_nothing(void **state) {
    (void)state;
    const char *expected = "{\"name\":\"\",\"version\":\"\",\"description\":\"\",\"capabilities\":[]}";
    assert_json(v2, "{}", expected);
    assert_json(v2, "{\"capabilities\":null,\"services\":null}", expected);
    assert_json(
        v2,
        "{\"capabilities\":{\"network\":{\"rules\":[{\"hosts\":[\"a\"]},{\"ports\":[\"1\"]}]},\"fs\":null,"
        "\"env\":{\"vars\":null},\"exec\":{}},\"services\":{}}",
        expected);
}

static void v2__wrong_types_are_named(void **state) {
    (void)state;
    assert_refused(v2, "{\"capabilities\":[]}", REGLET_ERR_BAD_OUTPUT,
                   "manifest: \"capabilities\" must be an object, not an array");
    assert_refused(v2, "{\"capabilities\":{\"network\":{\"rules\":[{\"hosts\":[\"a\"],\"ports\":[80]}]}}}",
                   REGLET_ERR_BAD_OUTPUT,
                   "manifest, network rule: an element of \"ports\" must be a string, not a number");
    assert_refused(v2, "{\"capabilities\":{\"fs\":{\"rules\":[\"/etc\"]}}}", REGLET_ERR_BAD_OUTPUT,
                   "manifest, fs rule: it must be an object, not a string");
    assert_refused(v2, "{\"capabilities\":{\"kv\":{\"rules\":[{\"op\":\"all\",\"keys\":[\"*\"]}]}}}",
                   REGLET_ERR_BAD_OUTPUT,
                   "manifest, kv rule: \"op\" must be read, write or read-write, not \"all\"");
    assert_refused(v2, "{\"services\":{\"s\":[]}}", REGLET_ERR_BAD_OUTPUT,
                   "manifest, service \"s\": it must be an object, not an array");
    assert_refused(v2, "{\"services\":{\"s\":{\"operations\":[1]}}}", REGLET_ERR_BAD_OUTPUT,
                   "manifest, service \"s\": an operation must be an object, not a number");
}

static void v2__services_and_operations(void **state) {
    (void)state;
    const reglet_description *d = parsed(
        v2,
        "{\"services\":{\"dns\":{\"name\":\"dns\",\"description\":\"looks up\",\"operations\":[{\"name\":\"resolve\","
        "\"description\":\"d\",\"input_fields\":[\"host\"],\"examples\":[{\"input\":{\"n\":1.0}}]},{\"name\":\"x\"}]},"
        "\"empty\":{}}}");
    assert_int_equal(d->abi_generation, 2);
    assert_int_equal(d->service_count, 2);
    assert_string_equal(d->services[0].name, "dns");
    assert_string_equal(d->services[0].description, "looks up");
    assert_int_equal(d->services[0].operation_count, 2);
    assert_string_equal(d->services[0].operations[0].name, "resolve");
    assert_string_equal(
        d->services[0].operations[0].json,
        "{\"name\":\"resolve\",\"description\":\"d\",\"input_fields\":[\"host\"],\"examples\":[{"
        "\"input\":{\"n\":1.0}}]}");
    assert_string_equal(d->services[0].operations[1].description, "");
    assert_string_equal(d->services[1].name, "empty");
    assert_int_equal(d->services[1].operation_count, 0);
    assert_non_null(strstr(reglet_description_json(d), "\"services\":{\"dns\":{\"name\":\"dns\""));
    reglet_description_free(d);
}

static void free__counts_references(void **state) {
    (void)state;
    const reglet_description *d = parsed(v1, "{\"name\":\"n\"}");
    assert_ptr_equal(reglet__description_ref(d), d);
    reglet_description_free(d);
    assert_string_equal(d->name, "n");
    reglet_description_free(d);
    reglet_description_free(NULL);
    assert_null(reglet__description_ref(NULL));
    assert_null(reglet_description_json(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v1__everything_is_read),
        cmocka_unit_test(v1__what_is_left_out_is_empty),
        cmocka_unit_test(v1__a_name_with_nul_is_not_cut_there),
        cmocka_unit_test(v1__wrong_types_are_named),
        cmocka_unit_test(v1__a_failure_inside_the_plugin_is_its_error),
        cmocka_unit_test(floods_of_declarations_are_refused),
        cmocka_unit_test(v2__a_product_of_hosts_and_ports_is_bounded),
        cmocka_unit_test(v2__the_grant_set_becomes_the_same_list),
        cmocka_unit_test(v2__empty_grants_declare_nothing),
        cmocka_unit_test(v2__wrong_types_are_named),
        cmocka_unit_test(v2__services_and_operations),
        cmocka_unit_test(free__counts_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
