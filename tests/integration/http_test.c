/* http_request as plugins depend on it, against real servers. Attacks stand in http_attack_test.c. */
#define _GNU_SOURCE
#include "tests/integration/http_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- A request and its response --------------------------------------------------------------------------- */

static void get__status_headers_body_and_protocol(void **state) {
    (void)state;
    char *response = http_get("http", "/hello", "");
    expect_member(response, "/status_code", "200");
    expect_member(response, "/proto", "HTTP/1.1");
    expect_member(response, "/headers/X-Twice", "[\"one\",\"two\"]");
    expect_member(response, "/headers/X-Lower-Case", "[\"yes\"]");
    expect_member(response, "/headers/Content-Type", "[\"text\\/plain; charset=utf-8\"]");
    expect_member(response, "/body_truncated", NULL);
    assert_true(json_number(response, "/latency_ms") >= 0);
    http_expect_body(response, "hello\n");
}

static void get__http2_where_the_server_speaks_it(void **state) {
    (void)state;
    char *response = http_get("http2", "/hello", "");
    expect_member(response, "/proto", "HTTP/2.0");
    expect_member(response, "/headers/X-Lower-Case", "[\"yes\"]");
    expect_member(response, "/headers/X-Twice", "[\"one\",\"two\"]");
    http_expect_body(response, "hello\n");
    response = http_get("https", "/hello", "");
    expect_member(response, "/proto", "HTTP/1.1");
    http_expect_body(response, "hello\n");
}

static void get__ipv4_and_ipv6_by_address_and_names_by_dns(void **state) {
    (void)state;
    static const char *const hosts[] = {"127.0.0.1",
                                        "loopback.example.test",
                                        "LOOPBACK.example.test.",
                                        "dual.example.test",
                                        "second.example.test",
                                        "[::1]",
                                        "loopback6.example.test"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        bool ipv6 = i >= 5;
        if (ipv6 && access("/proc/net/if_inet6", R_OK) != 0)
            continue;
        http_expect_body(relay(http.plugin, "http_request",
                               "{'url': 'http://%s:%d/hello', 'timeout_ms': 10000}", hosts[i],
                               servers_port(http.servers, "http")),
                         "hello\n");
    }
}

static void status__any_is_a_response_and_no_error(void **state) {
    (void)state;
    static const char *const paths[] = {"/status/204", "/status/304", "/status/404", "/status/500",
                                        "/status/599"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char *response = http_get("http", paths[i], "");
        expect_member(response, "/error", NULL);
        expect_member(response, "/status_code", paths[i] + strlen("/status/"));
        free(response);
    }
}

static void response__only_the_final_one_without_trailers(void **state) {
    (void)state;
    char *response = http_get("http", "/early-hints", "");
    expect_member(response, "/headers", "{\"Content-Length\":[\"6\"],\"X-Final\":[\"yes\"]}");
    http_expect_body(response, "final\n");
    response = http_get("http", "/trailers", "");
    expect_member(response, "/headers/X-Sum", NULL);
    http_expect_body(response, "body\n");
    http_expect_body(http_get("http", "/chunked", ""), "first second third\n");
    http_expect_body(http_get("http", "/no-length", ""), "until the end\n");
}

static void method__any_token_and_a_body_with_any(void **state) {
    (void)state;
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PROPFIND", "X-Own_1"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        char more[128];
        snprintf(more, sizeof more, ", 'method': '%s', 'body': 'Ym9keQA='", methods[i]);
        char *response = http_get(i % 2 ? "http2" : "http", "/echo", more);
        char *body = http_body(response, NULL);
        expect_member(body, "/method", methods[i]);
        expect_member(body, "/body", "Ym9keQA=");
        free(body);
        free(response);
        http_expect_sent("Content-Type", NULL);
        http_expect_sent("Content-Length", "5");
    }
}

static void method__without_a_body_sends_none(void **state) {
    (void)state;
    free(http_get("http", "/echo", ", 'method': 'POST'"));
    http_expect_sent("Content-Length", "0");
    free(http_get("http", "/echo", ", 'method': 'DELETE', 'body': null"));
    http_expect_sent("Content-Length", NULL);
    free(http_get("http", "/echo", ", 'method': '', 'body': '', 'headers': null")); /* Go's zero values */
    http_expect_sent("Content-Length", NULL);
    char *response = http_get("http", "/hello", ", 'method': 'HEAD'");
    expect_member(response, "/headers/Content-Length", "[\"6\"]");
    http_expect_body(response, "");
}

#if defined __x86_64__
#define USER_AGENT "Reglet/9.8.7 (linux/amd64)"
#else
#define USER_AGENT "Reglet/9.8.7 (linux/arm64)"
#endif

static void headers__both_spellings_and_none_of_the_clients_own(void **state) {
    (void)state;
    free(http_get("http", "/echo", ", 'headers': {'x-one': 'a', 'X-List': ['b', 'c'], 'X-Empty': ''}"));
    http_expect_sent("X-One", "a");
    http_expect_sent("X-List", "b");
    http_expect_sent("X-Empty", "");
    http_expect_sent("Accept", NULL);
    http_expect_sent("Accept-Encoding", "gzip");
    http_expect_sent("Expect", NULL);
    http_expect_sent("Referer", NULL);
    http_expect_sent("User-Agent", USER_AGENT);
    free(http_get("http2", "/echo", ", 'headers': {'user-agent': ['own/1']}"));
    http_expect_sent("User-Agent", USER_AGENT " own/1");
}

/* --- Compression ------------------------------------------------------------------------------------------ */

static void gzip__is_decoded_and_no_longer_told_of(void **state) {
    (void)state;
    static const char *const servers[] = {"http", "http2"};
    for (size_t i = 0; i < 2; i++) {
        size_t size = 0;
        char *response = http_get(servers[i], "/gzip?n=100000", ""), *body = http_body(response, &size);
        expect_member(response, "/headers/Content-Encoding", NULL);
        expect_member(response, "/headers/Content-Length", NULL);
        assert_int_equal(size, 100000);
        assert_int_equal(strspn(body, "a"), 100000);
        free(body);
        free(response);
    }
}

static void gzip__stays_as_it_is_for_a_plugin_that_asked_itself(void **state) {
    (void)state;
    char *response = http_get("http", "/gzip", ", 'headers': {'accept-encoding': 'gzip'}");
    char *body = http_body(response, NULL);
    expect_member(response, "/headers/Content-Encoding", "[\"gzip\"]");
    assert_int_equal((unsigned char)body[0], 0x1F);
    free(body);
    free(response);
    free(http_get("http", "/echo", ", 'headers': {'range': 'bytes=0-1'}"));
    http_expect_sent("Accept-Encoding", NULL);
}

static void encoding__other_than_gzip_stays_as_it_is(void **state) {
    (void)state;
    char *response = http_get("http", "/unknown-encoding", "");
    expect_member(response, "/headers/Content-Encoding", "[\"x-unheard-of\"]");
    http_expect_body(response, "as it is\n");
    response = http_get("http", "/deflate?n=1000", "");
    expect_member(response, "/headers/Content-Encoding", "[\"deflate\"]");
    char *body = http_body(response, NULL);
    assert_int_equal(body[0], 0x78);
    free(body);
    free(response);
}

/* --- Redirects -------------------------------------------------------------------------------------------- */

static void redirect__changes_the_method_as_browsers_do(void **state) {
    (void)state;
    static const struct {
        int code;
        const char *method, *expected, *body;
    } cases[] = {{301, "POST", "GET", ""},
                 {302, "PUT", "GET", ""},
                 {303, "DELETE", "GET", ""},
                 {307, "POST", "POST", "Ym9keQ=="},
                 {308, "PUT", "PUT", "Ym9keQ=="}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[64], more[160];
        snprintf(path, sizeof path, "/redirect?to=/echo&code=%d", cases[i].code);
        snprintf(more, sizeof more,
                 ", 'method': '%s', 'body': 'Ym9keQ==', 'headers': {'Content-Type': 'text/x', 'X-Keep': 'k'}",
                 cases[i].method);
        char *response = http_get("http", path, more), *body = http_body(response, NULL);
        expect_member(body, "/method", cases[i].expected);
        expect_member(body, "/body", cases[i].body);
        http_expect_sent("X-Keep", "k");
        http_expect_sent("Content-Type", cases[i].body[0] ? "text/x" : NULL);
        http_expect_sent("Referer", NULL);
        free(body);
        free(response);
    }
    char *response = http_get("http", "/redirect?to=/hello", ", 'method': 'HEAD'");
    expect_member(response, "/status_code", "200");
    http_expect_body(response, "");
}

static void redirect__is_relative_to_the_url(void **state) {
    (void)state;
    static const char *const locations[] = {"hello", "./x/../hello", "/hello?q", "//localhost:%d/hello",
                                            "http://127.0.0.1:%d/hello"};
    for (size_t i = 0; i < sizeof locations / sizeof *locations; i++) {
        char location[96], path[160];
        snprintf(location, sizeof location, "%s", locations[i]);
        char *port = strstr(location, "%d");
        if (port)
            snprintf(port, sizeof location - (size_t)(port - location), "%d/hello",
                     servers_port(http.servers, "http"));
        snprintf(path, sizeof path, "/location-raw?value=%s", location);
        http_expect_body(http_get("http", path, ""), "hello\n");
    }
}

static void redirect__ten_are_followed_and_no_more(void **state) {
    (void)state;
    http_expect_body(http_get("http", "/redirect-loop?n=10", ""), "the end\n");
    servers_reset(http.servers);
    http_expect_error(http_get("http", "/redirect-loop?n=11", ""), "network", "EREDIRECT",
                      "stopped after 10 redirects");
    assert_int_equal(servers_connections(http.servers, "http"), 11);
    http_expect_error(http_get("http", "/redirect-loop", ", 'max_redirects': 1000"), "network", "EREDIRECT",
                      "stopped after 10 redirects");
    http_expect_body(http_get("http", "/redirect-loop?n=2", ", 'max_redirects': 2"), "the end\n");
    http_expect_error(http_get("http", "/redirect-loop?n=3", ", 'max_redirects': 2"), "network", "EREDIRECT",
                      "stopped after 2 redirects");
    http_expect_error(http_get("http", "/redirect-loop?n=1", ", 'max_redirects': 0"), "network", "EREDIRECT",
                      "stopped after 0 redirects");
}

static void redirect__is_the_response_where_it_is_not_followed(void **state) {
    (void)state;
    char *response = http_get("http", "/redirect?to=/hello", ", 'follow_redirects': false");
    expect_member(response, "/status_code", "302");
    expect_member(response, "/headers/Location", "[\"\\/hello\"]");
    http_expect_body(response, "moved\n");
    static const char *const paths[] = {"/redirect", "/location-raw?value=", "/redirect?to=/hello&code=300",
                                        "/redirect?to=/hello&code=304", "/redirect?to=/hello&code=305"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        response = http_get("http", paths[i], "");
        expect_member(response, "/error", NULL);
        assert_int_equal(json_number(response, "/status_code") / 100, 3);
        free(response);
    }
}

static void redirect__body_of_one_is_not_waited_for(void **state) {
    (void)state;
    http_expect_body(http_get("http", "/redirect?to=/hello&endless=1", ""), "hello\n");
}

/* --- Validation ------------------------------------------------------------------------------------------- */

static void validation__names_the_member(void **state) {
    (void)state;
    static const struct {
        const char *request, *part;
    } cases[] = {{"{}", "url"},
                 {"{\"url\":1}", "url"},
                 {"{\"url\":\"http://localhost/\",\"method\":7}", "method"},
                 {"{\"url\":\"http://localhost/\",\"method\":\"G E T\"}", "method"},
                 {"{\"url\":\"http://localhost/\",\"method\":\"GET\\r\\nX: y\"}", "method"},
                 {"{\"url\":\"http://localhost/\",\"method\":\"CONNECT\"}", "CONNECT is not allowed"},
                 {"{\"url\":\"http://localhost/\",\"method\":\"Trace\"}", "TRACE is not allowed"},
                 {"{\"url\":\"http://localhost/\",\"headers\":[]}", "headers"},
                 {"{\"url\":\"http://localhost/\",\"headers\":{\"A\":{}}}", "\"A\""},
                 {"{\"url\":\"http://localhost/\",\"body\":\"%%%\"}", "body"},
                 {"{\"url\":\"http://localhost/\",\"method\":\"HEAD\",\"body\":\"YQ==\"}", "body"},
                 {"{\"url\":\"http://localhost/\",\"max_redirects\":-1}", "max_redirects"},
                 {"{\"url\":\"http://localhost/\",\"follow_redirects\":\"no\"}", "follow_redirects"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reglet_result *result = relay_observe(http.plugin, "http_request", cases[i].request, 10000);
        const reglet_evidence *evidence = reglet_result_evidence(result);
        size_t size = 0;
        const char *raw = evidence ? reglet_evidence_raw(evidence, &size) : NULL;
        assert_non_null(raw);
        http_expect_error(strndup(raw, size), "validation", "EINVAL", cases[i].part);
        reglet_result_free(result);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get__status_headers_body_and_protocol),
        cmocka_unit_test(get__http2_where_the_server_speaks_it),
        cmocka_unit_test(get__ipv4_and_ipv6_by_address_and_names_by_dns),
        cmocka_unit_test(status__any_is_a_response_and_no_error),
        cmocka_unit_test(response__only_the_final_one_without_trailers),
        cmocka_unit_test(method__any_token_and_a_body_with_any),
        cmocka_unit_test(method__without_a_body_sends_none),
        cmocka_unit_test(headers__both_spellings_and_none_of_the_clients_own),
        cmocka_unit_test(gzip__is_decoded_and_no_longer_told_of),
        cmocka_unit_test(gzip__stays_as_it_is_for_a_plugin_that_asked_itself),
        cmocka_unit_test(encoding__other_than_gzip_stays_as_it_is),
        cmocka_unit_test(redirect__changes_the_method_as_browsers_do),
        cmocka_unit_test(redirect__is_relative_to_the_url),
        cmocka_unit_test(redirect__ten_are_followed_and_no_more),
        cmocka_unit_test(redirect__is_the_response_where_it_is_not_followed),
        cmocka_unit_test(redirect__body_of_one_is_not_waited_for),
        cmocka_unit_test(validation__names_the_member),
    };
    return cmocka_run_group_tests(tests, http_set_up, http_tear_down);
}
