/* The guest SDK, compiled for the host: its JSON against json-c, and every allocation failing once. */
#define _GNU_SOURCE /* strndupa */
#include "tests/unit/test.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/shared/sha256.h"
#include "sdk/c/reglet_host.h"

/* Allocations of the SDK go through these (--wrap); the one that is counted down to fails. */
static long fail_at = -1;
void *__real_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool fails_now(void) {
    return fail_at >= 0 && fail_at-- == 0;
}

void *__wrap_malloc(size_t size) {
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *memory, size_t size) {
    return fails_now() ? NULL : __real_realloc(memory, size);
}

static char logged[256];

void plugin__log_sink(const char *request, size_t size) {
    snprintf(logged, sizeof logged, "%.*s", (int)size, request);
}

/* The host: what it was asked last, and what it answers; NULL: nothing. */
static char asked[2048];
static const char *response;

char *plugin__ask(const char *function, const char *request, size_t size, size_t *response_size) {
    static char bytes[2048];
    snprintf(asked, sizeof asked, "%s %.*s", function, (int)size, request);
    *response_size = response ? strlen(response) : 0;
    return response ? strcpy(bytes, response) : NULL;
}

/* What the plugin under test does; each test sets its own. */
static void (*body)(plugin_value config, plugin_evidence *evidence);

static void observe(plugin_value config, plugin_evidence *evidence) {
    if (body)
        body(config, evidence);
}

const plugin_info plugin = {
    .name = "test",
    .version = "0.1.0",
    .description = "A \"test\"",
    .capabilities = (const plugin_capability[]){{"fs", "read:**"}, {"env", "HOME"}, {0}},
    .fields =
        (const plugin_field[]){
            {.name = "name", .type = PLUGIN_STRING, .description = "A name", .required = true},
            {.name = "count", .type = PLUGIN_INT, .fallback = "3"},
            {.name = "deep", .type = PLUGIN_BOOL, .fallback = "true"},
            {.name = "list", .type = PLUGIN_ARRAY},
            {.name = "map", .type = PLUGIN_OBJECT},
            {.name = "ratio", .type = PLUGIN_NUMBER, .fallback = "0.5"},
            {.name = "port", .type = PLUGIN_PORT, .fallback = "25"},
            {0}},
    .observe = observe,
};

/* The answer of one observe, parsed by a library. The test fails when it does not parse. */
static json_object *answer(const char *config, void (*with)(plugin_value, plugin_evidence *)) {
    size_t size = 0;
    body = with;
    char *bytes = plugin__observe(config, strlen(config), &size);
    assert_non_null(bytes);
    json_tokener *tokener = json_tokener_new_ex(PLUGIN_MAX_DEPTH + 8);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    json_object *parsed = json_tokener_parse_ex(tokener, bytes, (int)size);
    if (json_tokener_get_error(tokener) != json_tokener_success)
        fail_msg("not JSON: %.*s", (int)size, bytes);
    assert_int_equal(json_tokener_get_parse_end(tokener), size);
    json_tokener_free(tokener);
    free(bytes);
    return parsed;
}

/* A path such as "error/details/name" into an answer, as plain text ("" when it is not there). */
static const char *text_at(json_object *answered, const char *path) {
    char copy[128], *rest = copy, *name;
    snprintf(copy, sizeof copy, "%s", path);
    while (answered && (name = strtok_r(rest, "/", &rest)) != NULL)
        answered = json_object_is_type(answered, json_type_array)
                       ? json_object_array_get_idx(answered, strtoul(name, NULL, 10))
                       : json_object_object_get(answered, name);
    if (!answered)
        return "";
    return json_object_is_type(answered, json_type_string)
               ? json_object_get_string(answered)
               : json_object_to_json_string_ext(answered,
                                                JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

static void expect(const char *config, void (*with)(plugin_value, plugin_evidence *), const char *path,
                   const char *expected) {
    json_object *answered = answer(config, with);
    assert_string_equal(text_at(answered, path), expected);
    json_object_put(answered);
}

#define NAMED(rest) "{\"name\":\"n\"" rest "}"

/* ---- Reading ---- */

static void put_name(plugin_value config, plugin_evidence *evidence) {
    size_t size = 0;
    const char *name = plugin_bytes(config, "name", &size);
    plugin_put_text(evidence, "name", name, size);
}

static void string__escapes_and_surrogate_pairs_are_decoded(void **state) {
    (void)state;
    expect("{\"name\":\"a\\n\\t\\\"\\\\\\/\\u00e9\\ud83d\\ude00z\"}", put_name, "data/name",
           "a\n\t\"\\/\xC3\xA9\xF0\x9F\x98\x80z");
}

static void string__lone_surrogates_become_replacement_characters(void **state) {
    (void)state;
    expect("{\"name\":\"\\ud83dx\\ude00\\ud83d\\u0041\"}", put_name, "data/name",
           "\xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBD"
           "A");
}

static void string__invalid_utf8_becomes_replacement_characters(void **state) {
    (void)state;
    /* A lone continuation, an overlong "/", a surrogate, beyond U+10FFFF, cut off at the end. */
    expect("{\"name\":\"\x80 \xC0\xAF \xED\xA0\x80 \xF4\x90\x80\x80 \xE2\x82\"}", put_name, "data/name",
           "\xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD "
           "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD");
}

static void put_nul(plugin_value config, plugin_evidence *evidence) {
    plugin_value map = plugin_json(config, "map");
    size_t size = 0;
    const char *text = plugin_bytes(map, "nul", &size);
    plugin_put_int(evidence, "size", (int64_t)size);
    plugin_put_text(evidence, "text", text, size);
    plugin_put_bool(evidence, "as_c_string", plugin_string(map, "nul") != NULL);
}

static void string__nul_character_is_kept_as_bytes_and_refused_as_c_string(void **state) {
    (void)state;
    json_object *answered = answer(NAMED(",\"map\":{\"nul\":\"a\\u0000b\"}"), put_nul);
    assert_string_equal(text_at(answered, "data/size"), "3");
    assert_string_equal(text_at(answered, "data/as_c_string"), "false");
    json_object *text = json_object_object_get(json_object_object_get(answered, "data"), "text");
    assert_int_equal(json_object_get_string_len(text), 3);
    json_object_put(answered);
}

static void put_values(plugin_value config, plugin_evidence *evidence) {
    plugin_put_int(evidence, "count", plugin_int(config, "count"));
    plugin_put_bool(evidence, "deep", plugin_bool(config, "deep"));
    plugin_put_number(evidence, "ratio", plugin_number(config, "ratio"));
    plugin_value map = plugin_json(config, "map"), list = plugin_json(config, "list");
    plugin_put_string(evidence, "nested", plugin_string(plugin_json(map, "b"), "c"));
    plugin_put_int(evidence, "map_count", plugin_int(map, "count"));
    plugin_put_string(evidence, "third", plugin_string(plugin_item(list, 2), NULL));
    plugin_put_bool(evidence, "fourth", plugin_item(list, 3).text != NULL);
    plugin_put_text(evidence, "json", map.text ? map.text : "", map.size);
}

static void values__are_read_by_key_and_index(void **state) {
    (void)state;
    json_object *answered = answer(NAMED(", \"count\" : -9223372036854775808,\n\"deep\":false,\"ratio\":1e3,"
                                         "\"map\":{\"b\":{\"c\":\"d\"}},\"list\":[1,[],\"three\"]"),
                                   put_values);
    assert_string_equal(text_at(answered, "data/count"), "-9223372036854775808");
    assert_string_equal(text_at(answered, "data/deep"), "false");
    assert_string_equal(text_at(answered, "data/ratio"), "1000");
    assert_string_equal(text_at(answered, "data/nested"), "d");
    assert_string_equal(text_at(answered, "data/third"), "three");
    assert_string_equal(text_at(answered, "data/fourth"), "false");
    assert_string_equal(text_at(answered, "data/json"), "{\"b\":{\"c\":\"d\"}}");
    json_object_put(answered);
}

static void values__missing_and_null_answer_the_fields_fallback(void **state) {
    (void)state;
    json_object *answered = answer(NAMED(",\"deep\":null,\"map\":{}"), put_values);
    assert_string_equal(text_at(answered, "data/count"), "3");
    assert_string_equal(text_at(answered, "data/deep"), "true");
    assert_string_equal(text_at(answered, "data/ratio"), "0.5");
    assert_string_equal(text_at(answered, "data/map_count"),
                        "0"); /* fallbacks are for the config's own keys */
    assert_string_equal(text_at(answered, "data/nested"), "");
    json_object_put(answered);
}

static void key__matches_however_it_is_escaped_and_the_last_one_counts(void **state) {
    (void)state;
    expect("{\"name\":\"first\",\"na\\u006de\":\"last\",\"nam\":\"x\",\"names\":\"y\"}", put_name,
           "data/name", "last");
}

static void config__that_is_no_json_object_is_a_failure_and_observe_does_not_run(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      " ",
                                      "null",
                                      "[]",
                                      "\"x\"",
                                      "5",
                                      "{",
                                      "{\"name\"",
                                      "{\"name\":",
                                      "{\"name\":\"n\"",
                                      "{\"name\":\"n\",}",
                                      "{,}",
                                      "{\"name\":\"n\"} x",
                                      "{\"name\":\"n\"}}",
                                      "{name:1}",
                                      "{\"name\":'n'}",
                                      "{\"name\":\"n\n\"}",
                                      "{\"name\":\"\\x\"}",
                                      "{\"name\":\"\\u12g4\"}",
                                      "{\"name\":\"\\u12",
                                      "{\"name\":\"\\",
                                      "{\"name\":01}",
                                      "{\"name\":+1}",
                                      "{\"name\":1.}",
                                      "{\"name\":.5}",
                                      "{\"name\":1e}",
                                      "{\"name\":-}",
                                      "{\"name\":tru}",
                                      "{\"name\":nullx}",
                                      "{\"name\":[1,]}",
                                      "{\"name\":[1 2]}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_object *answered = answer(bad[i], put_name);
        if (strcmp(text_at(answered, "error/type"), "config") != 0)
            fail_msg("%s was accepted", bad[i]);
        assert_string_equal(text_at(answered, "data"), "{}");
        json_object_put(answered);
    }
}

static void config__every_prefix_of_a_good_one_is_refused_within_its_bounds(void **state) {
    (void)state;
    const char *good = NAMED(",\"map\":{\"a\":[1,-2.5e+3,true,false,null,\"\\ud83d\\ude00\"]}");
    for (size_t size = 0; size < strlen(good); size++) {
        /* A copy of its own, so that a leak checker sees a byte read past the end. */
        char *copy = malloc(size ? size : 1);
        memcpy(copy, good, size);
        size_t answer_size = 0;
        body = put_name;
        char *bytes = plugin__observe(copy, size, &answer_size);
        assert_non_null(strstr(bytes, "INVALID_CONFIG"));
        free(bytes);
        free(copy);
    }
}

static void config__nested_too_deep_is_refused(void **state) {
    (void)state;
    char *deep = malloc(200100);
    strcpy(deep, "{\"name\":\"n\",\"list\":");
    memset(deep + strlen(deep), '[', 200000);
    deep[200000] = '\0';
    expect(deep, put_name, "error/code", "INVALID_CONFIG");
    free(deep);
}

static void config__one_message_for_each_wrong_field(void **state) {
    (void)state;
    json_object *answered =
        answer("{\"count\":1.5,\"deep\":\"yes\",\"list\":{},\"map\":[],\"ratio\":true}", put_name);
    assert_string_equal(text_at(answered, "status"), "false");
    assert_string_equal(text_at(answered, "error/type"), "config");
    assert_string_equal(text_at(answered, "error/details/name"), "is required");
    assert_string_equal(text_at(answered, "error/details/count"), "must be an integer of 64 bits");
    assert_string_equal(text_at(answered, "error/details/deep"), "must be true or false, not a string");
    assert_string_equal(text_at(answered, "error/details/list"), "must be an array, not an object");
    assert_string_equal(text_at(answered, "error/details/map"), "must be an object, not an array");
    assert_string_equal(text_at(answered, "error/details/ratio"), "must be a number, not true or false");
    json_object_put(answered);
    expect("{\"name\":5}", put_name, "error/message", "config: name must be a string, not a number");
    expect("{\"name\":\"\\u0000\"}", put_name, "error/message", "config: name must not hold a NUL character");
    expect(NAMED(",\"count\":9223372036854775808"), put_name, "error/details/count",
           "must be an integer of 64 bits");
}

static void put_ports(plugin_value config, plugin_evidence *evidence) {
    plugin_put_int(evidence, "port", plugin_port(config, "port"));
}

static void port__is_a_number_or_its_digits_and_nothing_else(void **state) {
    (void)state;
    expect(NAMED(), put_ports, "data/port", "25");
    expect(NAMED(",\"port\":65535"), put_ports, "data/port", "65535");
    expect(NAMED(",\"port\":\"443\""), put_ports, "data/port", "443");
    static const char *const bad[] = {"0",       "65536",   "-1",      "1.5",          "true",    "[]",
                                      "\"\"",    "\"0\"",   "\"080\"", "\"65536\"",    "\" 80\"", "\"80 \"",
                                      "\"+80\"", "\"8e1\"", "\"-80\"", "\"80\\u0000\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char config[128];
        snprintf(config, sizeof config, NAMED(",\"port\":%s"), bad[i]);
        expect(config, put_ports, "error/details/port", "must be a port, 1 to 65535");
    }
}

static void put_members(plugin_value config, plugin_evidence *evidence) {
    plugin_value map = plugin_json(config, "map"), value;
    const char *name;
    plugin_begin_array(evidence, "members");
    for (size_t i = 0; (value = plugin_member(map, i, &name)).text; i++) {
        plugin_put_string(evidence, NULL, name);
        plugin_put_json(evidence, NULL, value);
    }
    plugin_put_json(evidence, NULL, plugin_member(plugin_json(config, "name"), 0, &name));
    plugin_put_bool(evidence, NULL, name != NULL);
}

static void members__are_read_in_order_with_their_names(void **state) {
    (void)state;
    expect(NAMED(",\"map\":{\"a\\n\":[1], \"b\" : {\"c\":2},\"\":3}"), put_members, "data/members",
           "[\"a\\n\",[1],\"b\",{\"c\":2},\"\",3,null,false]");
    expect(NAMED(",\"map\":{}"), put_members, "data/members", "[null,false]");
    expect(NAMED(), put_members, "data/members", "[null,false]");
}

static void put_list(plugin_value config, plugin_evidence *evidence) {
    const char *const *strings = plugin_strings(config, "list");
    plugin_put_bool(evidence, "good", strings != NULL);
    plugin_begin_array(evidence, "list");
    for (; strings && *strings; strings++)
        plugin_put_string(evidence, NULL, *strings);
}

static void strings__are_an_array_of_strings_and_nothing_else(void **state) {
    (void)state;
    expect(NAMED(",\"list\":[\"a\",\"\",\"\\u00e9\"]"), put_list, "data/list", "[\"a\",\"\",\"\xC3\xA9\"]");
    expect(NAMED(",\"list\":[]"), put_list, "data/good", "true");
    static const char *const bad[] = {"[1]", "[\"a\",null]", "[\"a\\u0000\"]", "null"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char config[128];
        snprintf(config, sizeof config, NAMED(",\"list\":%s"), bad[i]);
        expect(config, put_list, "data/good", "false");
    }
}

static void put_decoded(plugin_value config, plugin_evidence *evidence) {
    plugin_value list = plugin_json(config, "list"), item;
    plugin_begin_array(evidence, "list");
    for (size_t i = 0, size = 0; (item = plugin_item(list, i)).text; i++) {
        const char *bytes = plugin_base64(item, NULL, &size);
        if (bytes) {
            assert_int_equal(bytes[size], '\0');
            plugin_put_base64(evidence, NULL, bytes, size);
        } else {
            plugin_put_null(evidence, NULL);
        }
    }
}

static void base64__is_decoded_to_the_bytes_it_was_made_of(void **state) {
    (void)state;
    const char *good = "[\"\",\"/w==\",\"/+4=\",\"/+4h\",\"/+4hfg==\",\"AAAA\"]";
    char config[256];
    snprintf(config, sizeof config, NAMED(",\"list\":%s"), good);
    expect(config, put_decoded, "data/list", good);
    expect(
        NAMED(",\"list\":[\"/\",\"/w=\",\"/===\",\"====\",\"/w==/w==\",\"/w=A\",\"/w-_\",\"/ w=\",5,null]"),
        put_decoded, "data/list", "[null,null,null,null,null,null,null,null,null,null]");
}

/* ---- Writing ---- */

static void put_all(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    plugin_put_text(evidence, "control\n", "\x01\x1F\x7F\0\"\\", 6);
    plugin_put_string(evidence, "none", NULL);
    plugin_put_number(evidence, "tenth", 0.1);
    plugin_put_number(evidence, "nan", NAN);
    plugin_put_int(evidence, "least", INT64_MIN);
    plugin_begin_object(evidence, "object");
    plugin_begin_array(evidence, "array");
    plugin_put_int(evidence, NULL, 1);
    plugin_put_null(evidence, NULL);
    plugin_begin_array(evidence, NULL);
    plugin_end(evidence);
    plugin_end(evidence);
    plugin_put_bool(evidence, "after", true);
    plugin_put_raw(evidence, "r\0w", 3);
}

static void evidence__of_every_kind_is_json_that_a_library_reads_back(void **state) {
    (void)state;
    json_object *answered = answer(NAMED(), put_all);
    json_object *control = json_object_object_get(json_object_object_get(answered, "data"), "control\n");
    assert_int_equal(json_object_get_string_len(control), 6);
    assert_memory_equal(json_object_get_string(control), "\x01\x1F\x7F\0\"\\", 6);
    assert_string_equal(text_at(answered, "data/tenth"), "0.1");
    assert_string_equal(text_at(answered, "data/least"), "-9223372036854775808");
    assert_string_equal(text_at(answered, "data/object"), "{\"array\":[1,null,[]],\"after\":true}");
    assert_int_equal(json_object_get_string_len(json_object_object_get(answered, "raw")), 3);
    assert_string_equal(text_at(answered, "status"), "true");
    json_object_put(answered);
}

static void put_base64s(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    plugin_begin_array(evidence, "b");
    for (size_t size = 0; size <= 4; size++)
        plugin_put_base64(evidence, NULL, "\xFF\xEE!~", size);
}

static void base64__every_remainder_is_padded(void **state) {
    (void)state;
    expect(NAMED(), put_base64s, "data/b", "[\"\",\"/w==\",\"/+4=\",\"/+4h\",\"/+4hfg==\"]");
}

static void fail_twice(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    plugin_put_int(evidence, "before", 1);
    plugin_fail(evidence, "execution", "ONE", "first \"%d\"", 1);
    plugin_fail(evidence, "execution", "TWO", "second");
}

static void fail__the_first_one_is_reported_and_data_is_kept(void **state) {
    (void)state;
    json_object *answered = answer(NAMED(), fail_twice);
    assert_string_equal(text_at(answered, "status"), "false");
    assert_string_equal(text_at(answered, "error/code"), "ONE");
    assert_string_equal(text_at(answered, "error/message"), "first \"1\"");
    assert_string_equal(text_at(answered, "data/before"), "1");
    json_object_put(answered);
}

static void fail_long(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    static char text[2 * PLUGIN_MAX_MESSAGE];
    memset(text, 'x', sizeof text - 1);
    plugin_fail(evidence, "execution", "LONG", "%s", text);
}

static void fail__a_message_that_is_too_long_is_cut(void **state) {
    (void)state;
    json_object *answered = answer(NAMED(), fail_long);
    assert_int_equal(strlen(text_at(answered, "error/message")), PLUGIN_MAX_MESSAGE - 1);
    json_object_put(answered);
}

static void fail_denied(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    plugin_fail_file(evidence, "read", "/d/[a]*", EACCES);
}

static void fail_file__a_denial_names_the_grant_as_it_would_be_written(void **state) {
    (void)state;
    expect(NAMED(), fail_denied, "error/type", "capability");
    expect(NAMED(), fail_denied, "error/code", "EACCES");
    expect(NAMED(), fail_denied, "error/message",
           "permission denied: cannot read /d/[a]*; it needs the grant fs:read:/d/\\[a\\]\\*");
}

static void nest_100(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    plugin_begin_array(evidence, "deep");
    for (int i = 0; i < 100; i++)
        plugin_begin_array(evidence, NULL);
    for (int i = 0; i < 200; i++)
        plugin_end(evidence);
}

static void key_in_array(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    plugin_begin_array(evidence, "a");
    plugin_put_int(evidence, "key", 1);
}

static void no_key_in_object(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    plugin_put_int(evidence, NULL, 1);
}

static void end_too_often(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    plugin_end(evidence);
}

static void put_40_mib(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    char *huge = calloc(1, 40 << 20);
    plugin_put_base64(evidence, "huge", huge, 40 << 20);
    free(huge);
}

static void misuse__becomes_an_error_that_says_what_it_was(void **state) {
    (void)state;
    expect(NAMED(), nest_100, "error/message", "the plugin nested its JSON deeper than 64");
    expect(NAMED(), key_in_array, "error/message", "the plugin put a value with a key into an array");
    expect(NAMED(), no_key_in_object, "error/message", "the plugin put a value without a key into an object");
    expect(NAMED(), end_too_often, "error/message", "the plugin ended more objects and arrays than it began");
    expect(NAMED(), put_40_mib, "error/message", "the plugin wrote more than 32 MiB of JSON");
    expect(NAMED(), put_all, "status", "true"); /* and the next observe is not affected */
}

/* ---- Functions of the host ---- */

static void ask_dns(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    plugin_dns_response answered = plugin_dns_lookup(&(plugin_dns){
        .hostname = "a.example", .type = "MX", .nameserver = "127.0.0.1:53", .timeout_ms = 250});
    assert_null(answered.error);
    plugin_put_json(evidence, "records", answered.records);
    plugin_put_json(evidence, "mx", answered.mx_records);
}

static void call__dns_lookup_sends_what_is_set_and_reads_lists(void **state) {
    (void)state;
    response = "{\"records\":[],\"mx_records\":[{\"host\":\"m.\",\"pref\":10}]}";
    expect(NAMED(), ask_dns, "data", "{\"records\":[],\"mx\":[{\"host\":\"m.\",\"pref\":10}]}");
    assert_string_equal(asked, "dns_lookup {\"hostname\":\"a.example\",\"type\":\"MX\","
                               "\"nameserver\":\"127.0.0.1:53\",\"context\":{\"timeout_ms\":250}}");
}

static void ask_http(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    const plugin_header headers[] = {{"Accept", "a"}, {"X-Id", "1"}, {"Accept", "b"}, {0}};
    plugin_http_response answered = plugin_http_request(
        &(plugin_http){.url = "http://a/", .headers = headers, .body = "\xFF", .body_size = 1});
    assert_null(answered.error);
    assert_int_equal(answered.status_code, 204);
    assert_true(answered.body_truncated);
    assert_string_equal(answered.proto, "HTTP/2.0");
    plugin_put_text(evidence, "body", answered.body, answered.body_size);
    plugin_put_json(evidence, "headers", answered.headers);
}

static void call__http_request_groups_headers_and_decodes_the_body(void **state) {
    (void)state;
    response = "{\"status_code\":204,\"headers\":{\"A\":[\"b\"]},\"body\":\"aGk=\",\"body_truncated\":true,"
               "\"proto\":\"HTTP/2.0\"}";
    expect(NAMED(), ask_http, "data", "{\"body\":\"hi\",\"headers\":{\"A\":[\"b\"]}}");
    assert_string_equal(asked, "http_request {\"method\":\"GET\",\"url\":\"http://a/\","
                               "\"headers\":{\"Accept\":[\"a\",\"b\"],\"X-Id\":[\"1\"]},\"body\":\"/w==\"}");
}

static void ask_connect(plugin_value config, plugin_evidence *evidence) {
    plugin_target target = {.host = "a.example", .port = 465, .tls = true, .starttls = true};
    plugin_connection mail = plugin_smtp_connect(&target);
    assert_true(mail.connected && mail.tls);
    plugin_put_string(evidence, "banner", mail.banner);
    if (plugin_bool(config, "deep")) {
        plugin_connection plain = plugin_tcp_connect(&target);
        plugin_put_string(evidence, "subject", plain.certificate_subject);
    }
}

static void call__connections_are_read_into_one_structure(void **state) {
    (void)state;
    response = "{\"connected\":true,\"tls\":true,\"banner\":\"220 hi\",\"tls_cert_subject\":\"CN=a\"}";
    expect(NAMED(), ask_connect, "data", "{\"banner\":\"220 hi\",\"subject\":\"CN=a\"}");
    assert_string_equal(asked, "tcp_connect {\"host\":\"a.example\",\"port\":465,\"tls\":true}");
    expect(NAMED(",\"deep\":false"), ask_connect, "data", "{\"banner\":\"220 hi\"}");
    assert_string_equal(asked,
                        "smtp_connect {\"host\":\"a.example\",\"port\":465,\"tls\":true,\"starttls\":true}");
}

static void ask_exec(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    plugin_command_response answered =
        plugin_exec_command(&(plugin_command){.command = "/bin/x",
                                              .args = (const char *const[]){"-a", "", NULL},
                                              .dir = "/d",
                                              .env = (const char *const[]){"A=b", NULL},
                                              .timeout_ms = 1});
    assert_null(answered.error);
    assert_true(answered.is_timeout && answered.out.truncated && !answered.err.truncated);
    assert_string_equal(answered.signal, "SIGKILL");
    plugin_put_int(evidence, "exit_code", answered.exit_code);
    plugin_put_text(evidence, "out", answered.out.bytes, answered.out.size);
    plugin_put_text(evidence, "err", answered.err.bytes, answered.err.size);
}

static void call__exec_command_keeps_bytes_and_how_it_ended(void **state) {
    (void)state;
    response =
        "{\"stdout\":\"a\\nb\",\"exit_code\":-1,\"signal\":\"SIGKILL\",\"is_timeout\":true,\"stdout_truncated\":true}";
    expect(NAMED(), ask_exec, "data", "{\"exit_code\":-1,\"out\":\"a\\nb\",\"err\":\"\"}");
    assert_string_equal(asked, "exec_command {\"command\":\"/bin/x\",\"args\":[\"-a\",\"\"],\"dir\":\"/d\","
                               "\"env\":[\"A=b\"],\"context\":{\"timeout_ms\":1}}");
}

static void ask_files(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    plugin_file file = plugin_fs_stat("/f", true);
    assert_string_equal(asked, "fs_stat {\"path\":\"/f\",\"follow\":true}");
    assert_true(file.exists && !file.owner && !file.readable);
    plugin_put_string(evidence, "mode", file.mode);
    assert_true(plugin_fs_examine("/f", false).exists);
    assert_string_equal(asked, "fs_stat {\"path\":\"/f\",\"follow\":false,\"readable\":true}");
    plugin_content content = plugin_fs_read("/f", 7, 0);
    assert_string_equal(asked, "fs_read {\"path\":\"/f\",\"offset\":7}");
    plugin_put_text(evidence, "content", content.data, content.data_size);
    plugin_put_int(evidence, "written", plugin_fs_write("/f", "append", "ab", 2).written);
    assert_string_equal(asked, "fs_write {\"path\":\"/f\",\"mode\":\"append\",\"content\":\"YWI=\"}");
    plugin_put_string(evidence, "value", plugin_env_get("N").value);
    assert_string_equal(asked, "env_get {\"name\":\"N\"}");
    plugin_put_bool(evidence, "allowed", plugin_ssrf_check("a:1").allowed);
    assert_string_equal(asked, "ssrf_check {\"address\":\"a:1\"}");
}

static void call__files_and_environment_are_one_call_each(void **state) {
    (void)state;
    response =
        "{\"exists\":true,\"mode\":\"0644\",\"content\":\"aGk=\",\"size\":9,\"written\":2,\"value\":\"v\","
        "\"allowed\":true}";
    expect(NAMED(), ask_files, "data",
           "{\"mode\":\"0644\",\"content\":\"hi\",\"written\":2,\"value\":\"v\",\"allowed\":true}");
}

static void ask_and_fail(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    plugin_target target = {.host = "a", .port = 1};
    plugin_connection connection = plugin_tcp_connect(&target);
    assert_non_null(connection.error);
    assert_false(connection.connected);
    plugin_put_string(evidence, "code", connection.error->code);
    plugin_put_bool(evidence, "is_timeout", connection.error->is_timeout);
    plugin_put_bool(evidence, "is_not_found", connection.error->is_not_found);
    plugin_fail_call(evidence, connection.error);
    plugin_fail(evidence, "internal", "LATER", "not the first");
}

static void call__that_failed_is_passed_on_unchanged(void **state) {
    (void)state;
    response = "{\"error\":{\"message\":\"no \\\"a\\\"\",\"type\":\"network\",\"code\":\"ENOTFOUND\","
               "\"is_not_found\":true,\"details\":{\"x\":[1]}}}";
    json_object *answered = answer(NAMED(), ask_and_fail);
    assert_string_equal(text_at(answered, "data"),
                        "{\"code\":\"ENOTFOUND\",\"is_timeout\":false,\"is_not_found\":true}");
    assert_string_equal(text_at(answered, "error"),
                        "{\"message\":\"no \\\"a\\\"\",\"type\":\"network\",\"code\":\"ENOTFOUND\","
                        "\"is_not_found\":true,\"details\":{\"x\":[1]}}");
    assert_string_equal(text_at(answered, "status"), "false");
    json_object_put(answered);
}

static void call__that_came_to_nothing_sensible_is_an_error(void **state) {
    (void)state;
    static const char *const bad[] = {NULL, "", "null", "[]", "{", "{\"connected\":true}}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        response = bad[i];
        expect(NAMED(), ask_and_fail, "error/message", "the host's answer is no JSON object");
    }
    response = "{\"error\":\"odd\"}";
    expect(NAMED(), ask_and_fail, "error/message", "the host did not say why");
    expect(NAMED(), ask_and_fail, "data/code", "UNKNOWN");
    response = "{\"error\":null,\"connected\":true,\"tls\":true}";
    expect(NAMED(), ask_connect, "status", "true");
}

PLUGIN_HOST_FUNCTION(kv_get)

static void ask_kv(plugin_value config, plugin_evidence *evidence) {
    const plugin_error *error;
    plugin_request *request = plugin_request_new();
    plugin_put_string(request, "key", plugin_string(config, "name"));
    plugin_begin_array(request, "open");
    if (plugin_bool(config, "deep"))
        plugin_put_int(request, NULL, 1);
    else
        plugin_put_int(request, "key in an array", 1);
    plugin_put_json(evidence, "value", plugin_json(plugin_call_kv_get(request, &error), "value"));
    plugin_put_string(evidence, "error", error ? error->message : NULL);
}

static void call__of_an_embedders_function_is_one_line(void **state) {
    (void)state;
    response = "{\"value\":\"v\"}";
    expect(NAMED(), ask_kv, "data", "{\"value\":\"v\",\"error\":null}");
    assert_string_equal(asked, "kv_get {\"key\":\"n\",\"open\":[1]}");
}

static void call__with_a_request_that_makes_no_sense_is_not_sent(void **state) {
    (void)state;
    asked[0] = '\0';
    expect(NAMED(",\"deep\":false"), ask_kv, "error/message",
           "the plugin put a value with a key into an array");
    assert_string_equal(asked, "");
}

/* ---- The whole ---- */

static void put_everything(plugin_value config, plugin_evidence *evidence) {
    put_name(config, evidence);
    put_values(config, evidence);
    put_all(config, evidence);
    ask_kv(config, evidence);
    const plugin_header headers[] = {{"Accept", "a"}, {0}};
    plugin_http_response answered = plugin_http_request(
        &(plugin_http){.url = "http://a/", .headers = headers, .body = "b", .body_size = 1});
    if (answered.error)
        plugin_fail_call(evidence, answered.error);
    fail_denied(config, evidence);
}

static void memory__whichever_allocation_fails_the_answer_says_so_or_there_is_none(void **state) {
    (void)state;
    const char *config = NAMED(",\"list\":[1,2,\"three\"],\"map\":{\"b\":{\"c\":\"d\"}}");
    bool failed = true;
    for (long nth = 0; failed; nth++) {
        size_t size = 0;
        body = put_everything;
        response = "{\"value\":1,\"body\":\"aGk=\",\"error\":{\"code\":\"E\"}}";
        fail_at = nth;
        char *bytes = plugin__observe(config, strlen(config), &size);
        failed = fail_at < 0;
        fail_at = -1;
        if (failed && bytes)
            assert_non_null(strstr(bytes, "out of memory"));
        free(bytes);
        assert_true(nth < 1000);
    }
}

static void describe__and_schema_are_made_of_the_table(void **state) {
    (void)state;
    size_t size = 0;
    char *bytes = plugin__describe(&size);
    assert_string_equal(
        strndupa(bytes, size),
        "{\"name\":\"test\",\"version\":\"0.1.0\",\"description\":\"A \\\"test\\\"\",\"sdk_version\":\"c/0.1.0\","
        "\"capabilities\":[{\"kind\":\"fs\",\"pattern\":\"read:**\"},{\"kind\":\"env\",\"pattern\":\"HOME\"}]}");
    free(bytes);
    bytes = plugin__schema(&size);
    json_object *schema = json_tokener_parse(strndupa(bytes, size));
    free(bytes);
    assert_string_equal(text_at(schema, "$schema"), "https://json-schema.org/draft/2020-12/schema");
    assert_string_equal(text_at(schema, "required"), "[\"name\"]");
    assert_string_equal(text_at(schema, "properties/port/type"), "[\"integer\",\"string\"]");
    assert_string_equal(text_at(schema, "properties/count"), "{\"type\":\"integer\",\"default\":3}");
    assert_string_equal(text_at(schema, "properties/name"),
                        "{\"type\":\"string\",\"description\":\"A name\"}");
    json_object_put(schema);
}

static void log__a_line_is_a_request_of_the_abi(void **state) {
    (void)state;
    plugin_log(PLUGIN_WARN, "took %d \"ms\"", 5);
    assert_string_equal(logged, "{\"level\":\"WARN\",\"message\":\"took 5 \\\"ms\\\"\"}");
}

static void errno_name__is_the_name_and_never_null(void **state) {
    (void)state;
    assert_string_equal(plugin_errno_name(ENOENT), "ENOENT");
    assert_string_equal(plugin_errno_name(-7), "UNKNOWN");
}

/* FIPS 180-4's examples, and each length around a block, in one piece and byte by byte. */
static void hex_of(const void *data, size_t size, size_t step, char out[65]) {
    struct sha256 hash;
    unsigned char digest[SHA256_SIZE];
    sha256_init(&hash);
    for (size_t i = 0; i < size; i += step)
        sha256_update(&hash, (const char *)data + i, size - i < step ? size - i : step);
    sha256_final(&hash, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void sha256__matches_the_published_examples(void **state) {
    (void)state;
    char text[65];
    hex_of("", 0, 1, text);
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hex_of("abc", 3, 3, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hex_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, 56, text);
    assert_string_equal(text, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void sha256__does_not_depend_on_how_the_bytes_are_cut(void **state) {
    (void)state;
    static const char data[200] = "some bytes and zeros";
    for (size_t size = 0; size <= sizeof data; size++) {
        char whole[65], bytewise[65], odd[65];
        hex_of(data, size, 200, whole);
        hex_of(data, size, 1, bytewise);
        hex_of(data, size, 63, odd);
        assert_string_equal(whole, bytewise);
        assert_string_equal(whole, odd);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(string__escapes_and_surrogate_pairs_are_decoded),
        cmocka_unit_test(string__lone_surrogates_become_replacement_characters),
        cmocka_unit_test(string__invalid_utf8_becomes_replacement_characters),
        cmocka_unit_test(string__nul_character_is_kept_as_bytes_and_refused_as_c_string),
        cmocka_unit_test(values__are_read_by_key_and_index),
        cmocka_unit_test(values__missing_and_null_answer_the_fields_fallback),
        cmocka_unit_test(key__matches_however_it_is_escaped_and_the_last_one_counts),
        cmocka_unit_test(config__that_is_no_json_object_is_a_failure_and_observe_does_not_run),
        cmocka_unit_test(config__every_prefix_of_a_good_one_is_refused_within_its_bounds),
        cmocka_unit_test(config__nested_too_deep_is_refused),
        cmocka_unit_test(config__one_message_for_each_wrong_field),
        cmocka_unit_test(port__is_a_number_or_its_digits_and_nothing_else),
        cmocka_unit_test(members__are_read_in_order_with_their_names),
        cmocka_unit_test(strings__are_an_array_of_strings_and_nothing_else),
        cmocka_unit_test(base64__is_decoded_to_the_bytes_it_was_made_of),
        cmocka_unit_test(evidence__of_every_kind_is_json_that_a_library_reads_back),
        cmocka_unit_test(base64__every_remainder_is_padded),
        cmocka_unit_test(fail__the_first_one_is_reported_and_data_is_kept),
        cmocka_unit_test(fail__a_message_that_is_too_long_is_cut),
        cmocka_unit_test(fail_file__a_denial_names_the_grant_as_it_would_be_written),
        cmocka_unit_test(misuse__becomes_an_error_that_says_what_it_was),
        cmocka_unit_test(call__dns_lookup_sends_what_is_set_and_reads_lists),
        cmocka_unit_test(call__http_request_groups_headers_and_decodes_the_body),
        cmocka_unit_test(call__connections_are_read_into_one_structure),
        cmocka_unit_test(call__exec_command_keeps_bytes_and_how_it_ended),
        cmocka_unit_test(call__files_and_environment_are_one_call_each),
        cmocka_unit_test(call__that_failed_is_passed_on_unchanged),
        cmocka_unit_test(call__that_came_to_nothing_sensible_is_an_error),
        cmocka_unit_test(call__of_an_embedders_function_is_one_line),
        cmocka_unit_test(call__with_a_request_that_makes_no_sense_is_not_sent),
        cmocka_unit_test(memory__whichever_allocation_fails_the_answer_says_so_or_there_is_none),
        cmocka_unit_test(describe__and_schema_are_made_of_the_table),
        cmocka_unit_test(log__a_line_is_a_request_of_the_abi),
        cmocka_unit_test(errno_name__is_the_name_and_never_null),
        cmocka_unit_test(sha256__matches_the_published_examples),
        cmocka_unit_test(sha256__does_not_depend_on_how_the_bytes_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
