/* URLs of http_request: what is judged is what is sent to, and what two parsers read differently is refused. */
#include "tests/unit/test.h"

#include <string.h>

#include "host/http.h"

static reglet_status read_url(struct reglet__arena *arena, const char *text, struct reglet__http_url *out,
                              const char **fault) {
    memset(out, 0, sizeof *out);
    *fault = NULL;
    return reglet__http_url_read(arena, text, out, fault);
}

static void expect_text(const char *text, const char *expected) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__http_url url;
    const char *fault;
    if (read_url(&arena, text, &url, &fault) != REGLET_OK)
        fail_msg("%s: %s", text, fault);
    assert_string_equal(url.text, expected);
}

static void expect_refused(const char *text, const char *part) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__http_url url;
    const char *fault;
    if (read_url(&arena, text, &url, &fault) != REGLET_ERR_INVALID_ARGUMENT)
        fail_msg("%s was read as %s", text, url.text);
    if (!strstr(fault, part))
        fail_msg("%s: expected \"%s\", found \"%s\"", text, part, fault);
}

static void read__one_form_for_each_url(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected;
    } urls[] = {
        {"http://a.example", "http://a.example:80/"},
        {"HTTPS://A.Example./x?y=%20z#part", "https://a.example:443/x?y=%20z"},
        {"http://a.example:8080?q", "http://a.example:8080/?q"},
        {"http://a.example/?", "http://a.example:80/?"},
        {"http://127.0.0.1:80/a/../b/./c", "http://127.0.0.1:80/b/c"},
        {"http://[0:0::1]:81/", "http://[::1]:81/"},
        {"http://[::ffff:10.0.0.1]/", "http://10.0.0.1:80/"},
        {"http://a.example/file%2etxt/group%2Fname", "http://a.example:80/file%2etxt/group%2Fname"},
        {"http://a.example/../../../etc", "http://a.example:80/etc"},
        {"http://a.example/a...b/...", "http://a.example:80/a...b/..."},
        {"http://a.example/x?to=http://b.example/@:../", "http://a.example:80/x?to=http://b.example/@:../"},
        {"http://xn--bcher-kva.example/", "http://xn--bcher-kva.example:80/"},
    };
    for (size_t i = 0; i < ARRAY_LEN(urls); i++)
        expect_text(urls[i].text, urls[i].expected);
}

static void read__path_is_as_it_will_be_sent_without_query(void **state) {
    (void)state;
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__http_url url;
    const char *fault;
    assert_int_equal(read_url(&arena, "https://a.example/v1/../admin?x#y", &url, &fault), REGLET_OK);
    assert_string_equal(url.endpoint.path, "/admin");
    assert_int_equal(url.endpoint.scheme, REGLET__SCHEME_HTTPS);
    assert_int_equal(url.endpoint.port, 443);
    assert_string_equal(url.endpoint.name, "a.example");
}

static void read__only_http_and_https(void **state) {
    (void)state;
    static const char *const urls[] = {"file:///etc/passwd",
                                       "gopher://127.0.0.1:25/x",
                                       "ftp://a.example/",
                                       "dict://a.example/",
                                       "a.example",
                                       "//a.example/",
                                       "/path",
                                       "",
                                       "javascript:1",
                                       "http:a.example",
                                       "http:/a.example/",
                                       "htp://a.example/",
                                       "ws://a.example/"};
    for (size_t i = 0; i < ARRAY_LEN(urls); i++)
        expect_refused(urls[i], "starts with http:// or https://");
}

static void read__addresses_in_other_spellings_are_refused(void **state) {
    (void)state;
    static const char *const hosts[] = {"127.1",      "0177.0.0.1",      "2130706433",
                                        "0x7f.1",     "0x7f000001",      "127.0.0.1.",
                                        "127.0.0.01", "%31%32%37.0.0.1", "[fe80::1%25eth0]",
                                        "[::1%lo]",   "[::ffff:127.1]",  "127.0.0",
                                        "1.2.3.4.5",  "256.1.1.1",       "::1",
                                        "[::1",       "[v1.x]",          "[]"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        char url[64];
        snprintf(url, sizeof url, "http://%s/", hosts[i]);
        expect_refused(url, "");
    }
}

static void read__what_parsers_disagree_about_is_refused(void **state) {
    (void)state;
    expect_refused("http://a.example\\@b.example/", "backslash");
    expect_refused("http://a.example/\\..\\x", "backslash");
    expect_refused("http://a.example\t/", "control characters");
    expect_refused("http://a.ex\nample/", "control characters");
    expect_refused(" http://a.example/", "spaces");
    expect_refused("http://a.example/a b", "spaces");
    expect_refused("http://a.example/\x7f", "control characters");
    expect_refused("http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/", "ASCII"); /* fullwidth 127 */
    expect_refused("http://a\xe3\x80\x82"
                   "example/",
                   "ASCII"); /* ideographic full stop */
    expect_refused("http://b\xc3\xbc"
                   "cher.example/",
                   "xn--");
    expect_refused("http://user@a.example/", "no user");
    expect_refused("http://user:secret@a.example/", "no user");
    expect_refused("http://a.example:80@b.example/", "no user");
    expect_refused("http://@a.example/", "");
    expect_refused("http://a.ex%61mple/", "");
    expect_refused("http://a.example%00.b.example/", "");
    expect_refused("http://a.example%2fb/", "");
    expect_refused("http:///a.example/", "");
    expect_refused("http:////a.example/", "");
    expect_refused("http://a_b.example/", "");
    expect_refused("http://a..example/", "");
    expect_refused("http://-a.example/", "");
    expect_refused("http:///", "");
    expect_refused("http://?x", "");
    expect_refused("http://#a.example", "");
    expect_refused("http://:80/", "");
}

static void read__ports_are_digits_from_1_to_65535(void **state) {
    (void)state;
    static const char *const ports[] = {"0",  "65536", "+80", "-1", "080", "80a", "", "99999999999999999999",
                                        "8 0"};
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        char url[64];
        snprintf(url, sizeof url, "http://a.example:%s/", ports[i]);
        expect_refused(url, "");
    }
    expect_text("http://a.example:65535/", "http://a.example:65535/");
    expect_text("http://a.example:1", "http://a.example:1/");
}

/* A server that decodes before it looks for ".." would leave the path that the policy judged. */
static void read__escaped_dot_segments_are_refused(void **state) {
    (void)state;
    static const char *const paths[] = {
        "/v1/%2e%2e/admin",   "/v1/.%2E/admin",   "/v1/%2e./admin", "/v1/%2e/x",  "/v1/..%2fadmin",
        "/v1/%2e%2e%2Fadmin", "/v1%2f..%2fadmin", "/v1/..%5cadmin", "/v1/%2e%2e", "/%2e",
        "/v1/x%2f.."};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        char url[128];
        snprintf(url, sizeof url, "https://a.example%s", paths[i]);
        expect_refused(url, "segment");
    }
}

static void read__broken_escapes_are_refused(void **state) {
    (void)state;
    static const char *const paths[] = {"/%", "/100%", "/%2", "/%2x", "/%2e%%2e%2e/x", "/%g0", "/a%2/b"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        char url[128];
        snprintf(url, sizeof url, "https://a.example%s", paths[i]);
        expect_refused(url, "two hexadecimal digits");
    }
    expect_text("https://a.example/%25?%", "https://a.example:443/%25?%");
}

static void read__length_is_limited(void **state) {
    (void)state;
    char url[REGLET__MAX_URL + 2];
    memset(url, 'x', sizeof url);
    memcpy(url, "http://a.example/", strlen("http://a.example/"));
    url[REGLET__MAX_URL + 1] = '\0';
    expect_refused(url, "longer");
    url[REGLET__MAX_URL] = '\0';
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__http_url read;
    const char *fault;
    assert_int_equal(read_url(&arena, url, &read, &fault), REGLET_OK);
}

/* --- Redirects --------------------------------------------------------------------------------------------- */

static reglet_status follow(struct reglet__arena *arena, const char *location, struct reglet__http_url *out,
                            const char **fault) {
    struct reglet__http_url base;
    assert_int_equal(read_url(arena, "https://a.example:8443/v1/x?q=1", &base, fault), REGLET_OK);
    return reglet__http_url_follow(arena, &base, location, out, fault);
}

static void expect_followed(const char *location, const char *expected) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__http_url url;
    const char *fault;
    if (follow(&arena, location, &url, &fault) != REGLET_OK)
        fail_msg("%s: %s", location, fault);
    assert_string_equal(url.text, expected);
}

static void expect_not_followed(const char *location, const char *part) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__http_url url;
    const char *fault;
    if (follow(&arena, location, &url, &fault) != REGLET_ERR_INVALID_ARGUMENT)
        fail_msg("%s was followed to %s", location, url.text);
    if (!strstr(fault, part))
        fail_msg("%s: expected \"%s\", found \"%s\"", location, part, fault);
}

static void follow__relative_and_absolute(void **state) {
    (void)state;
    expect_followed("y", "https://a.example:8443/v1/y");
    expect_followed("/y?z", "https://a.example:8443/y?z");
    expect_followed("../y", "https://a.example:8443/y");
    expect_followed("?z", "https://a.example:8443/v1/x?z");
    expect_followed("//b.example/y", "https://b.example:443/y");
    expect_followed("http://b.example", "http://b.example:80/");
    expect_followed("HTTPS://A.example:8443/y#part", "https://a.example:8443/y");
}

static void follow__other_schemes_are_refused(void **state) {
    (void)state;
    static const char *const locations[] = {"file:///etc/passwd",
                                            "FILE:/etc/passwd",
                                            "gopher://127.0.0.1:25/_HELO",
                                            "ftp://a.example/",
                                            "data:text/plain,x",
                                            "javascript:alert(1)",
                                            "b.example:80/",
                                            "http:y",
                                            "https:/b.example/"};
    for (size_t i = 0; i < ARRAY_LEN(locations); i++)
        expect_not_followed(locations[i], "starts with http:// or https://");
}

static void follow__is_as_strict_as_reading(void **state) {
    (void)state;
    expect_not_followed("http://127.1/", "");
    expect_not_followed("//0x7f.1/", "");
    expect_not_followed("//user@b.example/", "no user");
    expect_not_followed("///b.example/", "");
    expect_not_followed("/\\b.example/", "backslash");
    expect_not_followed("\\\\b.example/", "backslash");
    expect_not_followed("/a b", "spaces");
    expect_not_followed("/%2e%2e/x", "segment");
    expect_not_followed("//[fe80::1%25lo]/", "");
}

static void same_origin__is_scheme_host_and_port(void **state) {
    (void)state;
    static const struct {
        const char *other;
        bool same;
    } urls[] = {{"https://a.example:8443/other?x", true}, {"https://A.EXAMPLE.:8443", true},
                {"http://a.example:8443/", false},        {"https://a.example/", false},
                {"https://b.a.example:8443/", false},     {"https://10.0.0.1:8443/", false}};
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__http_url base, other;
    const char *fault;
    assert_int_equal(read_url(&arena, "https://a.example:8443/v1", &base, &fault), REGLET_OK);
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        assert_int_equal(read_url(&arena, urls[i].other, &other, &fault), REGLET_OK);
        if (reglet__http_url_same_origin(&base, &other) != urls[i].same)
            fail_msg("%s", urls[i].other);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__one_form_for_each_url),
        cmocka_unit_test(read__path_is_as_it_will_be_sent_without_query),
        cmocka_unit_test(read__only_http_and_https),
        cmocka_unit_test(read__addresses_in_other_spellings_are_refused),
        cmocka_unit_test(read__what_parsers_disagree_about_is_refused),
        cmocka_unit_test(read__ports_are_digits_from_1_to_65535),
        cmocka_unit_test(read__escaped_dot_segments_are_refused),
        cmocka_unit_test(read__broken_escapes_are_refused),
        cmocka_unit_test(read__length_is_limited),
        cmocka_unit_test(follow__relative_and_absolute),
        cmocka_unit_test(follow__other_schemes_are_refused),
        cmocka_unit_test(follow__is_as_strict_as_reading),
        cmocka_unit_test(same_origin__is_scheme_host_and_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
