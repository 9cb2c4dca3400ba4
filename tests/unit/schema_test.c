/* A schema's fields, and configs held against it. */
#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/abi.h"

static const reglet_schema *parsed(const char *json) {
    const reglet_schema *schema = NULL;
    reglet_error *error = NULL;
    if (reglet__schema_parse(json, strlen(json), &schema, &error) != REGLET_OK)
        fail_msg("%s: %s", json, reglet_error_message(error));
    return schema;
}

static void assert_refused(const char *json, reglet_status code, const char *message) {
    const reglet_schema *schema = NULL;
    reglet_error *error = NULL;
    assert_int_equal(reglet__schema_parse(json, strlen(json), &schema, &error), code);
    assert_null(schema);
    assert_string_equal(reglet_error_message(error), message);
    reglet_error_free(error);
}

/* "name:type:description:required;" of every field */
static void assert_fields(const reglet_schema *schema, const char *expected) {
    char text[1024] = "";
    for (size_t i = 0; i < schema->field_count; i++) {
        const reglet_field *f = &schema->fields[i];
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s:%s:%s:%d;", f->name, f->type, f->description,
                 f->required);
    }
    assert_string_equal(text, expected);
}

static void parse__fields_are_derived_and_the_raw_bytes_stay(void **state) {
    (void)state;
    const char *json =
        " {\"type\": \"object\", \"properties\": {\"path\": {\"type\": \"string\", \"description\": "
        "\"a \\u00e4\"}, \"n\": {\"type\": [\"integer\", \"null\"]}, \"any\": true},\n"
        "\"required\": [\"path\", \"ghost\"]} ";
    const reglet_schema *schema = parsed(json);
    assert_int_equal(schema->struct_size, sizeof(reglet_schema));
    assert_int_equal(schema->raw_size, strlen(json));
    assert_string_equal(schema->raw, json);
    assert_fields(schema, "path:string:a ä:1;n:integer|null::0;any:::0;ghost:::1;");
    reglet_schema_free(schema);
}

static void parse__raw_bytes_stay_also_where_they_are_no_utf8(void **state) {
    (void)state;
    const reglet_schema *schema = parsed("{\"title\":\"\xFF\"}");
    assert_string_equal(schema->raw, "{\"title\":\"\xFF\"}");
    assert_fields(schema, "");
    reglet_schema_free(schema);
}

static void parse__references_of_generated_schemas_are_followed(void **state) {
    (void)state;
    const reglet_schema *schema = parsed(
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$ref\":\"#/$defs/Config\",\"$defs\":{"
        "\"Config\":{\"properties\":{\"host\":{\"type\":\"string\"},\"port\":{\"$ref\":\"#/$defs/Port\","
        "\"description\":\"own\"}},\"additionalProperties\":false,\"required\":[\"host\"]},"
        "\"Port\":{\"type\":\"integer\",\"description\":\"theirs\"}}}");
    assert_fields(schema, "host:string::1;port:integer:own:0;");
    reglet_schema_free(schema);
}

static void parse__references_that_loop_or_lead_nowhere_end(void **state) {
    (void)state;
    static const char *const json[] = {
        "{\"$ref\":\"#\"}",
        "{\"$ref\":\"#/$defs/A\",\"$defs\":{\"A\":{\"$ref\":\"#/$defs/B\"},\"B\":{\"$ref\":\"#/$defs/A\"}}}",
        "{\"$ref\":\"#/$defs/None\"}",
        "{\"$ref\":\"https://example.com/schema\"}",
        "{\"$ref\":\"#/$defs/A/\",\"$defs\":{\"A\":1}}",
        "{\"$ref\":\"\"}",
        "{\"$ref\":7}",
        "{\"properties\":null,\"required\":null}",
    };
    for (size_t i = 0; i < sizeof json / sizeof json[0]; i++) {
        const reglet_schema *schema = parsed(json[i]);
        assert_fields(schema, "");
        reglet_schema_free(schema);
    }
}

static void parse__wrong_types_are_named(void **state) {
    (void)state;
    assert_refused("true", REGLET_ERR_BAD_OUTPUT, "schema: the answer must be an object, not a boolean");
    assert_refused("{\"properties\":[]}", REGLET_ERR_BAD_OUTPUT,
                   "schema: \"properties\" must be an object, not an array");
    assert_refused("{\"required\":true}", REGLET_ERR_BAD_OUTPUT,
                   "schema: \"required\" must be an array, not a boolean");
    assert_refused("{\"required\":[1]}", REGLET_ERR_BAD_OUTPUT,
                   "schema: an element of \"required\" must be a string, not a number");
    assert_refused("{\"properties\":{\"a\":{\"type\":7}}}", REGLET_ERR_BAD_OUTPUT,
                   "schema: \"type\" of a property must be a string, not a number");
}

static void parse__a_failure_inside_the_plugin_is_its_error(void **state) {
    (void)state;
    assert_refused("{\"Status\":false,\"Error\":{\"Message\":\"no schema\\ntoday\"}}", REGLET_ERR_PLUGIN,
                   "no schema\\ntoday");
    assert_refused("{\"status\":\"error\",\"message\":\"m\"}", REGLET_ERR_PLUGIN, "m");
    assert_refused("{\"status\":false,\"error\":null}", REGLET_ERR_PLUGIN,
                   "schema: the plugin reports a failure and does not say which");
}

/* `head`, then `count` numbers with `before` and `after` around each, then `tail`. */
static char *series(const char *head, const char *before, const char *after, size_t count, const char *tail) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    fputs(head, out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s%s%zu%s", i ? "," : "", before, i, after);
    fputs(tail, out);
    fclose(out);
    return text;
}

static void parse__a_flood_of_fields_is_refused(void **state) {
    (void)state;
    char *json = series("{\"properties\":{", "\"f", "\":{}", 1001, "}}");
    assert_refused(json, REGLET_ERR_BAD_OUTPUT, "schema: more than 1000 fields");
    free(json);
    json = series("{\"properties\":{\"p\":{}},\"required\":[", "\"f", "\"", 1000, "]}");
    assert_refused(json, REGLET_ERR_BAD_OUTPUT, "schema: more than 1000 fields");
    free(json);
    json = series("{\"required\":[", "\"same\",\"x", "\"", 1000, "]}");
    assert_refused(json, REGLET_ERR_BAD_OUTPUT, "schema: more than 1000 required fields");
    free(json);
}

static void free__counts_references(void **state) {
    (void)state;
    const reglet_schema *schema = parsed("{}");
    assert_ptr_equal(reglet__schema_ref(schema), schema);
    reglet_schema_free(schema);
    assert_string_equal(schema->raw, "{}");
    reglet_schema_free(schema);
    reglet_schema_free(NULL);
    assert_null(reglet__schema_ref(NULL));
}

/* The schema of a manifest */

static void from_manifest__is_the_value_printed_again(void **state) {
    (void)state;
    const char *json =
        "{\"name\":\"n\",\"config_schema\": {\"properties\" : {\"a\":{\"type\":\"string\"}} } ,\"x\":1}";
    const reglet_schema *schema = NULL;
    assert_int_equal(reglet__schema_from_manifest(json, strlen(json), &schema, NULL), REGLET_OK);
    assert_string_equal(schema->raw, "{\"properties\":{\"a\":{\"type\":\"string\"}}}");
    assert_int_equal(schema->raw_size, strlen(schema->raw));
    assert_fields(schema, "a:string::0;");
    reglet_schema_free(schema);
    json = "{\"name\":\"\xFF\",\"config_schema\": {\"title\" : \"t\"}}";
    assert_int_equal(reglet__schema_from_manifest(json, strlen(json), &schema, NULL), REGLET_OK);
    assert_string_equal(schema->raw, "{\"title\":\"t\"}");
    reglet_schema_free(schema);
}

static void from_manifest__none_is_null(void **state) {
    (void)state;
    static const reglet_schema other;
    const reglet_schema *schema = &other;
    reglet_error *error = NULL;
    assert_int_equal(reglet__schema_from_manifest("{}", 2, &schema, &error), REGLET_OK);
    assert_null(schema);
    const char *json = "{\"config_schema\":\"{}\"}";
    assert_int_equal(reglet__schema_from_manifest(json, strlen(json), &schema, &error),
                     REGLET_ERR_BAD_OUTPUT);
    assert_string_equal(reglet_error_message(error),
                        "manifest: \"config_schema\" must be an object, not a string");
    reglet_error_free(error);
}

/* Checking */

static void assert_check(const char *schema_json, const char *config_json, const char *message) {
    const reglet_schema *schema = parsed(schema_json);
    reglet_config *config = NULL;
    reglet_error *error = NULL;
    assert_int_equal(reglet_config_parse(config_json, strlen(config_json), &config, NULL), REGLET_OK);
    reglet_status status = reglet__schema_check(schema, config, &error);
    assert_string_equal(reglet_error_message(error), message);
    assert_int_equal(status, message[0] ? REGLET_ERR_INVALID_CONFIG : REGLET_OK);
    reglet_error_free(error);
    reglet_config_free(config);
    reglet_schema_free(schema);
}

static void check__every_missing_field_is_named(void **state) {
    (void)state;
    const char *schema = "{\"properties\":{\"path\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\"}},"
                         "\"required\":[\"path\",\"n\",\"x\"]}";
    assert_check(schema, "{}",
                 "config: required and missing: \"path\" (string), \"n\" (integer), \"x\" (any type)");
    assert_check(schema, "{\"path\":\"p\",\"x\":null}", "config: required and missing: \"n\" (integer)");
    assert_check(schema, "{\"path\":\"p\",\"x\":null,\"n\":1,\"more\":1}", "");
}

static void check__types(void **state) {
    (void)state;
    static const struct {
        const char *type, *good, *bad;
    } cases[] = {
        {"\"string\"", "\"1\"", "1"},
        {"\"integer\"", "1", "1.5"},
        {"\"integer\"", "-18", "\"1\""},
        {"\"integer\"", "1.0", "1.01"},
        {"\"integer\"", "1.5e3", "1e-1"},
        {"\"integer\"", "1E2", "1.234e2"},
        {"\"number\"", "1.5", "\"1.5\""},
        {"\"boolean\"", "false", "0"},
        {"\"boolean\"", "true", "\"true\""},
        {"\"array\"", "[]", "{}"},
        {"\"object\"", "{}", "[]"},
        {"\"null\"", "null", "0"},
        {"[\"string\",\"null\"]", "null", "1"},
        {"[\"integer\",\"string\"]", "\"x\"", "1.5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char schema[256], config[64];
        snprintf(schema, sizeof schema, "{\"properties\":{\"f\":{\"type\":%s}}}", cases[i].type);
        snprintf(config, sizeof config, "{\"f\":%s}", cases[i].good);
        assert_check(schema, config, "");
        snprintf(config, sizeof config, "{\"f\":%s}", cases[i].bad);
        const reglet_schema *parsed_schema = parsed(schema);
        reglet_config *parsed_config = NULL;
        assert_int_equal(reglet_config_parse(config, strlen(config), &parsed_config, NULL), REGLET_OK);
        if (reglet__schema_check(parsed_schema, parsed_config, NULL) != REGLET_ERR_INVALID_CONFIG)
            fail_msg("%s was taken as %s", config, cases[i].type);
        reglet_config_free(parsed_config);
        reglet_schema_free(parsed_schema);
    }
}

static void check__the_message_says_what_it_should_be(void **state) {
    (void)state;
    assert_check("{\"properties\":{\"port\":{\"type\":[\"integer\",\"null\"]}}}", "{\"port\":\"80\"}",
                 "config: \"port\" must be of type integer|null, not a string");
}

static void check__unknown_fields_are_refused_only_by_a_closed_schema(void **state) {
    (void)state;
    assert_check("{\"properties\":{\"a\":{}}}", "{\"b\":1}", "");
    assert_check("{\"properties\":{\"a\":{}},\"additionalProperties\":true}", "{\"b\":1}", "");
    assert_check(
        "{\"properties\":{\"a\":{}},\"additionalProperties\":false,\"patternProperties\":{\"^b\":{}}}",
        "{\"b\":1}", "");
    assert_check("{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1,\"b\":1}",
                 "config: \"b\" is no field of the plugin's schema, which allows no others");
    assert_check("{\"$ref\":\"#/$defs/C\",\"$defs\":{\"C\":{\"additionalProperties\":false}}}", "{\"b\":1}",
                 "config: \"b\" is no field of the plugin's schema, which allows no others");
}

static void check__no_config_is_an_empty_one(void **state) {
    (void)state;
    const reglet_schema *schema = parsed("{\"required\":[\"a\"]}");
    assert_int_equal(reglet__schema_check(schema, NULL, NULL), REGLET_ERR_INVALID_CONFIG);
    assert_int_equal(reglet__schema_check(NULL, NULL, NULL), REGLET_OK);
    reglet_schema_free(schema);
}

static void check__a_thousand_missing_fields_are_one_short_line(void **state) {
    (void)state;
    char *json = series("{\"required\":[", "\"a_rather_long_name_for_a_field_", "\"", 1000, "]}");
    const reglet_schema *schema = parsed(json);
    reglet_error *error = NULL;
    assert_int_equal(reglet__schema_check(schema, NULL, &error), REGLET_ERR_INVALID_CONFIG);
    assert_in_range(strlen(reglet_error_message(error)), 100, 2200);
    assert_non_null(strstr(reglet_error_message(error), ", …"));
    reglet_error_free(error);
    reglet_schema_free(schema);
    free(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__fields_are_derived_and_the_raw_bytes_stay),
        cmocka_unit_test(parse__raw_bytes_stay_also_where_they_are_no_utf8),
        cmocka_unit_test(parse__references_of_generated_schemas_are_followed),
        cmocka_unit_test(parse__references_that_loop_or_lead_nowhere_end),
        cmocka_unit_test(parse__wrong_types_are_named),
        cmocka_unit_test(parse__a_failure_inside_the_plugin_is_its_error),
        cmocka_unit_test(parse__a_flood_of_fields_is_refused),
        cmocka_unit_test(free__counts_references),
        cmocka_unit_test(from_manifest__is_the_value_printed_again),
        cmocka_unit_test(from_manifest__none_is_null),
        cmocka_unit_test(check__every_missing_field_is_named),
        cmocka_unit_test(check__types),
        cmocka_unit_test(check__the_message_says_what_it_should_be),
        cmocka_unit_test(check__unknown_fields_are_refused_only_by_a_closed_schema),
        cmocka_unit_test(check__no_config_is_an_empty_one),
        cmocka_unit_test(check__a_thousand_missing_fields_are_one_short_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
