/* Headers of http_request, and the decoding of bodies. */
#include "tests/unit/test.h"

#include <string.h>
#include <zlib.h>

#include "host/http.h"

static reglet_status read_headers(struct reglet__arena *arena, const char *json,
                                  struct reglet__http_headers *out, char fault[REGLET__HTTP_FAULT_SIZE]) {
    struct reglet__json *value = NULL;
    struct reglet__json_fault json_fault;
    assert_int_equal(reglet__json_read(arena, json, strlen(json), &value, &json_fault), REGLET_OK);
    return reglet__http_headers_read(arena, value, out, fault);
}

/* Headers as lines, each with "|" behind it. */
static void expect_headers(const char *json, const char *expected) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    _cleanup_buf_ struct reglet__buf lines = REGLET__BUF_INIT(4096);
    struct reglet__http_headers headers;
    char fault[REGLET__HTTP_FAULT_SIZE];
    if (read_headers(&arena, json, &headers, fault) != REGLET_OK)
        fail_msg("%s: %s", json, fault);
    reglet__buf_append_text(&lines, "");
    for (size_t i = 0; i < headers.count; i++)
        reglet__buf_appendf(&lines, "%s: %s|", headers.items[i].name, headers.items[i].value);
    assert_string_equal(lines.data, expected);
}

static void expect_fault(const char *json, const char *expected) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__http_headers headers;
    char fault[REGLET__HTTP_FAULT_SIZE] = "";
    assert_int_equal(read_headers(&arena, json, &headers, fault), REGLET_ERR_INVALID_ARGUMENT);
    assert_string_equal(fault, expected);
}

static void read__values_and_lists_of_values(void **state) {
    (void)state;
    expect_headers("{}", "");
    expect_headers("null", "");
    expect_headers("{\"accept\":\"a\",\"X-LIST\":[\"1\",\"2\"],\"x-none\":null,\"x-empty\":[]}",
                   "Accept: a|X-List: 1|X-List: 2|");
    expect_headers("{\"x-a\":\"  spaced \\t\",\"X-A\":\"\"}", "X-A: spaced|X-A: |");
    expect_headers("{\"x_y.z\":\"b\\u00fccher\"}", "X_y.z: b\xc3\xbc"
                                                   "cher|");
}

static void read__line_breaks_are_refused_by_name(void **state) {
    (void)state;
    static const char value[] = "line breaks and other control characters cannot stand in a value";
    static const char name[] = "a name is letters, digits and !#$%&'*+-.^_`|~";
    char expected[256];
    snprintf(expected, sizeof expected, "header \"X-A\": %s", value);
    expect_fault("{\"X-A\":\"b\\r\\nX-B: c\"}", expected);
    expect_fault("{\"X-A\":[\"fine\",\"b\\nc\"]}", expected);
    expect_fault("{\"X-A\":\"b\\u0000c\"}", expected);
    expect_fault("{\"X-A\":\"b\\u007fc\"}", expected);
    snprintf(expected, sizeof expected, "header \"X-A\\r\\nX-B\": %s", name);
    expect_fault("{\"X-A\\r\\nX-B\":\"c\"}", expected);
    snprintf(expected, sizeof expected, "header \"X-A:\": %s", name);
    expect_fault("{\"X-A:\":\"c\"}", expected);
    snprintf(expected, sizeof expected, "header \"X A\": %s", name);
    expect_fault("{\"X A\":\"c\"}", expected);
    snprintf(expected, sizeof expected, "header \"\": %s", name);
    expect_fault("{\"\":\"c\"}", expected);
    snprintf(expected, sizeof expected, "header \"Host;\": %s", name);
    expect_fault("{\"Host;\":\"c\"}", expected);
}

static void read__other_types_are_refused(void **state) {
    (void)state;
    expect_fault("{\"X-A\":1}", "header \"X-A\": its value must be a string or a list of strings");
    expect_fault("{\"X-A\":[[\"b\"]]}", "header \"X-A\": its value must be a string or a list of strings");
    expect_fault("[]", "headers must be an object, found an array");
}

static void read__number_and_size_are_limited(void **state) {
    (void)state;
    _cleanup_buf_ struct reglet__buf json = REGLET__BUF_INIT(1 << 20);
    reglet__buf_append_text(&json, "{\"X-A\":[\"b\"");
    for (int i = 1; i < REGLET__MAX_HTTP_HEADERS; i++)
        reglet__buf_append_text(&json, ",\"b\"");
    reglet__buf_append_text(&json, ",\"one more\"]}");
    expect_fault(json.data, "header \"X-A\": there are more headers than a request may have");
    reglet__buf_clear(&json);
    reglet__buf_append_text(&json, "{\"X-A\":\"");
    for (int i = 0; i < REGLET__MAX_HTTP_HEADER_BYTES; i += 8)
        reglet__buf_append_text(&json, "12345678");
    reglet__buf_append_text(&json, "\"}");
    expect_fault(json.data, "header \"X-A\": the headers together are longer than a request's may be");
}

static void drop__framing_and_connection_are_not_the_plugins(void **state) {
    (void)state;
    static const char *const names[] = {"Host",
                                        "host",
                                        "CONTENT-LENGTH",
                                        "Transfer-Encoding",
                                        "connection",
                                        "Keep-Alive",
                                        "proxy-authorization",
                                        "trailer",
                                        "Expect",
                                        "te",
                                        "Upgrade",
                                        "HTTP2-Settings",
                                        "Proxy-Connection"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char name[64];
        snprintf(name, sizeof name, "%s", names[i]);
        reglet__http_canonical(name);
        if (!reglet__http_header_is_ours(name))
            fail_msg("%s", names[i]);
    }
    assert_false(reglet__http_header_is_ours("X-Host"));
    assert_false(reglet__http_header_is_ours("Authorization"));
}

static void drop__only_harmless_headers_go_to_another_origin(void **state) {
    (void)state;
    static const char *const stay[] = {"Authorization", "Cookie",     "X-Api-Key",
                                       "Api-Key",       "X-Anything", "If-Secret"};
    static const char *const go[] = {"Accept", "Accept-Encoding", "User-Agent", "Range", "If-None-Match"};
    for (size_t i = 0; i < ARRAY_LEN(stay); i++)
        assert_true(reglet__http_header_stays_in_origin(stay[i]));
    for (size_t i = 0; i < ARRAY_LEN(go); i++)
        assert_false(reglet__http_header_stays_in_origin(go[i]));
}

static void put__canonical_names_values_in_order(void **state) {
    (void)state;
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__json *headers = reglet__json_new_object(&arena);
    assert_true(reglet__http_headers_put(&arena, headers, "set-cookie", "a"));
    assert_true(reglet__http_headers_put(&arena, headers, "ETAG", "b"));
    assert_true(reglet__http_headers_put(&arena, headers, "Set-COOKIE", "c\xff"));
    assert_true(reglet__http_headers_put(&arena, headers, "not a name", "d"));
    assert_string_equal(reglet__json_print(&arena, headers, NULL),
                        "{\"Set-Cookie\":[\"a\",\"c\xef\xbf\xbd\"],\"Etag\":[\"b\"],\"not a name\":[\"d\"]}");
}

/* --- Bodies ------------------------------------------------------------------------------------------------ */

struct gzip {
    unsigned char *data;
    size_t size;
};

static struct gzip compress_bytes(size_t size) {
    z_stream stream = {0};
    unsigned char *input = calloc(1, size ? size : 1);
    struct gzip out = {malloc(size + 1024), 0};
    assert_non_null(input);
    assert_non_null(out.data);
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = input;
    stream.avail_in = (uInt)size;
    stream.next_out = out.data;
    stream.avail_out = (uInt)(size + 1024);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.size = stream.total_out;
    deflateEnd(&stream);
    free(input);
    return out;
}

/* Adds in pieces of `step`; returns the last answer. */
static bool add(struct reglet__http_body *body, const struct gzip *from, size_t size, size_t step) {
    bool more = true;
    for (size_t at = 0; at < size && more; at += step)
        more = reglet__http_body_add(body, from->data + at, size - at < step ? size - at : step);
    return more;
}

static void body__gzip_is_decoded_in_any_pieces(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 200000}, steps[] = {1, 7, 100000};
    for (size_t i = 0; i < ARRAY_LEN(sizes) * ARRAY_LEN(steps); i++) {
        size_t size = sizes[i / ARRAY_LEN(steps)];
        struct gzip gzip = compress_bytes(size);
        struct reglet__http_body body = REGLET__HTTP_BODY_INIT;
        reglet__http_body_gunzip(&body);
        assert_true(add(&body, &gzip, gzip.size, steps[i % ARRAY_LEN(steps)]));
        assert_true(reglet__http_body_is_whole(&body));
        assert_int_equal(body.bytes.size, size);
        reglet__http_body_free(&body);
        free(gzip.data);
    }
}

static void body__gzip_of_several_members(void **state) {
    (void)state;
    struct gzip gzip = compress_bytes(1000);
    struct reglet__http_body body = REGLET__HTTP_BODY_INIT;
    reglet__http_body_gunzip(&body);
    assert_true(add(&body, &gzip, gzip.size, 100000));
    assert_true(add(&body, &gzip, gzip.size, 3));
    assert_true(reglet__http_body_is_whole(&body));
    assert_int_equal(body.bytes.size, 2000);
    reglet__http_body_free(&body);
    free(gzip.data);
}

static void body__gzip_cut_short_is_not_whole(void **state) {
    (void)state;
    struct gzip gzip = compress_bytes(1000);
    struct reglet__http_body body = REGLET__HTTP_BODY_INIT;
    reglet__http_body_gunzip(&body);
    assert_true(add(&body, &gzip, gzip.size - 1, 5));
    assert_false(reglet__http_body_is_whole(&body));
    reglet__http_body_free(&body);
    free(gzip.data);
}

static void body__what_is_no_gzip_is_broken(void **state) {
    (void)state;
    struct reglet__http_body body = REGLET__HTTP_BODY_INIT;
    reglet__http_body_gunzip(&body);
    assert_false(reglet__http_body_add(&body, "this is no gzip", 15));
    assert_true(body.broken);
    assert_false(reglet__http_body_add(&body, "more", 4));
    reglet__http_body_free(&body);
}

static void body__bomb_stops_at_the_limit(void **state) {
    (void)state;
    struct gzip gzip = compress_bytes((size_t)64 << 20);
    struct reglet__http_body body = REGLET__HTTP_BODY_INIT;
    reglet__http_body_gunzip(&body);
    assert_false(add(&body, &gzip, gzip.size, 16384));
    assert_true(body.truncated);
    assert_true(reglet__http_body_is_whole(&body));
    assert_int_equal(body.bytes.size, REGLET__MAX_BODY_BYTES);
    reglet__http_body_free(&body);
    free(gzip.data);
}

/* Members without content, for ever: nothing comes out, and it ends all the same. */
static void body__gzip_of_nothing_without_end_stops(void **state) {
    (void)state;
    struct gzip gzip = compress_bytes(0);
    struct reglet__http_body body = REGLET__HTTP_BODY_INIT;
    size_t rounds = 0;
    reglet__http_body_gunzip(&body);
    while (reglet__http_body_add(&body, gzip.data, gzip.size))
        assert_true(++rounds <= REGLET__MAX_BODY_BYTES);
    assert_true(body.truncated);
    assert_int_equal(body.bytes.size, 0);
    reglet__http_body_free(&body);
    free(gzip.data);
}

static void body__exactly_the_limit_is_not_truncated(void **state) {
    (void)state;
    char *all = calloc(1, REGLET__MAX_BODY_BYTES);
    struct reglet__http_body body = REGLET__HTTP_BODY_INIT;
    assert_non_null(all);
    assert_true(reglet__http_body_add(&body, all, REGLET__MAX_BODY_BYTES));
    assert_false(body.truncated);
    assert_false(reglet__http_body_add(&body, "x", 1));
    assert_true(body.truncated);
    reglet__http_body_free(&body);
    free(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__values_and_lists_of_values),
        cmocka_unit_test(read__line_breaks_are_refused_by_name),
        cmocka_unit_test(read__other_types_are_refused),
        cmocka_unit_test(read__number_and_size_are_limited),
        cmocka_unit_test(drop__framing_and_connection_are_not_the_plugins),
        cmocka_unit_test(drop__only_harmless_headers_go_to_another_origin),
        cmocka_unit_test(put__canonical_names_values_in_order),
        cmocka_unit_test(body__gzip_is_decoded_in_any_pieces),
        cmocka_unit_test(body__gzip_of_several_members),
        cmocka_unit_test(body__gzip_cut_short_is_not_whole),
        cmocka_unit_test(body__what_is_no_gzip_is_broken),
        cmocka_unit_test(body__bomb_stops_at_the_limit),
        cmocka_unit_test(body__gzip_of_nothing_without_end_stops),
        cmocka_unit_test(body__exactly_the_limit_is_not_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
