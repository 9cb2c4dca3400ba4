/* http_request against hostile plugins, servers and surroundings: each attack, and the exact refusal. */
#define _GNU_SOURCE
#include "tests/integration/http_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODY_LIMIT (10 << 20)

/* The request as it is, at a plugin under other grants. */
static char *request(reglet_plugin *plugin, const char *url, const char *more) {
    return relay(plugin, "http_request", "{'url': '%s', 'timeout_ms': 20000%s}", url, more);
}

static const char *url_of(const char *server, const char *path) {
    static char text[512];
    snprintf(text, sizeof text, "%s%s", http_origin(server), path);
    return text;
}

static int open_descriptors(void) {
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* --- What the plugin asks for ------------------------------------------------------------------------------ */

static void url__other_spellings_of_loopback_reach_nobody(void **state) {
    (void)state;
    static const char *const hosts[] = {"127.1",
                                        "0177.0.0.1",
                                        "2130706433",
                                        "0x7f.1",
                                        "%31%32%37.0.0.1",
                                        "[::1%25lo]",
                                        "user@127.0.0.1",
                                        "127.0.0.1%2f@a.example",
                                        "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1",
                                        "127.0.0.1\\\\@a.example",
                                        "127.0.0.1\\t",
                                        "127.0.0.1 "};
    servers_reset(http.servers);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char url[128];
        snprintf(url, sizeof url, "http://%s:%d/hello", hosts[i], servers_port(http.servers, "http"));
        http_expect_error(request(http.plugin, url, ""), "validation", "EINVAL", "url \"");
    }
    http_expect_error(request(http.plugin, "file:///etc/passwd", ""), "validation", "EINVAL",
                      "starts with http://");
    http_expect_error(request(http.plugin, "gopher://127.0.0.1:25/x", ""), "validation", "EINVAL",
                      "starts with http://");
    assert_int_equal(servers_connections(http.servers, "http"), 0);
}

static void headers__of_framing_and_connection_are_dropped_and_logged(void **state) {
    (void)state;
    static const char *const names[] = {"Keep-Alive",      "TE", "Trailer", "Upgrade", "Proxy-Authorization",
                                        "Proxy-Connection"};
    free(http_get(
        "http", "/echo",
        ", 'method': 'POST', 'body': 'YWJj', 'headers': {'Host': 'b.example', 'content-length': '1',"
        " 'Transfer-Encoding': 'chunked', 'connection': 'X-Kept', 'keep-alive': 'a', 'te': 'trailers', 'trailer': 'x',"
        " 'Upgrade': 'h2c', 'Expect': '100-continue', 'proxy-authorization': 'Basic YTpi',"
        " 'Proxy-Connection': 'a', 'X-Kept': 'yes'}"));
    char host[32];
    snprintf(host, sizeof host, "localhost:%d", servers_port(http.servers, "http"));
    http_expect_sent("Host", host);
    http_expect_sent("Content-Length", "3");
    http_expect_sent("Transfer-Encoding", NULL);
    http_expect_sent("Connection", NULL);
    http_expect_sent("Expect", NULL);
    http_expect_sent("X-Kept", "yes");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        http_expect_sent(names[i], NULL);
    assert_true(events_contain(
        &http.events, "http_request: header Transfer-Encoding is not the plugin's to set: not sent"));
    assert_true(
        events_contain(&http.events, "http_request: header Host is not the plugin's to set: not sent"));
}

static void headers__line_breaks_are_refused_before_anything_is_sent(void **state) {
    (void)state;
    servers_reset(http.servers);
    http_expect_error(http_get("http", "/echo", ", 'headers': {'X-A': 'b\\r\\nX-B: c'}"), "validation",
                      "EINVAL", "header \"X-A\": line breaks");
    http_expect_error(http_get("http", "/echo", ", 'headers': {'X-A': ['b', 'c\\n']}"), "validation",
                      "EINVAL", "header \"X-A\": line breaks");
    http_expect_error(http_get("http", "/echo", ", 'headers': {'X-A\\r\\nX-B': 'c'}"), "validation", "EINVAL",
                      "a name is letters");
    http_expect_error(http_get("http", "/echo", ", 'method': 'GET / HTTP/1.1\\r\\nX-A:'"), "validation",
                      "EINVAL", "method");
    assert_int_equal(servers_connections(http.servers, "http"), 0);
}

/* --- What is granted --------------------------------------------------------------------------------------- */

static void denied__without_a_grant_nothing_is_looked_up_or_connected(void **state) {
    (void)state;
    static const char *const grants[] = {"network:outbound:a.example:443", NULL};
    reglet_runtime *runtime;
    reglet_plugin *plugin = http_granting(&runtime, grants);
    char url[96], grant[96];
    int port = servers_port(http.servers, "http");
    servers_reset(http.servers);
    snprintf(url, sizeof url, "http://loopback.example.test:%d/hello", port);
    snprintf(grant, sizeof grant, "network:outbound:loopback.example.test:%d", port);
    char *response = request(plugin, url, "");
    expect_member_contains(response, "/error/message", "permission denied: ");
    http_expect_error(response, "capability", "EPERM", grant);
    assert_int_equal(servers_queries(http.servers, "loopback.example.test."), 0);
    assert_int_equal(servers_queries(http.servers, "loopback.example.test"), 0);
    assert_int_equal(servers_connections(http.servers, "http"), 0);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void ssrf__private_addresses_need_private(void **state) {
    (void)state;
    static const char *const grants[] = {"network:outbound:*", NULL};
    static const char *const hosts[] = {"127.0.0.1",
                                        "[::1]",
                                        "10.0.0.1",
                                        "169.254.169.254",
                                        "[::ffff:127.0.0.1]",
                                        "0.0.0.0",
                                        "[64:ff9b::7f00:1]",
                                        "loopback.example.test",
                                        "private.example.test",
                                        "metadata.example.test"};
    reglet_runtime *runtime;
    reglet_plugin *plugin = http_granting(&runtime, grants);
    servers_reset(http.servers);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char url[96];
        snprintf(url, sizeof url, "http://%s:%d/hello", hosts[i], servers_port(http.servers, "http"));
        char *response = request(plugin, url, "");
        char *message = json_member(response, "/error/message");
        if (!message || strncmp(message, "SSRF protection: ", strlen("SSRF protection: ")) != 0)
            fail_msg("%s: %s", hosts[i], response);
        free(message);
        http_expect_error(response, "ssrf_protection", "ESSRF", "");
    }
    assert_int_equal(servers_connections(http.servers, "http"), 0);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* A name is asked for once: what a second answer says does not matter. */
static void resolve__once_for_the_check_and_the_connection(void **state) {
    (void)state;
    char url[96];
    servers_reset(http.servers);
    snprintf(url, sizeof url, "http://second.example.test:%d/hello", servers_port(http.servers, "http"));
    http_expect_body(request(http.plugin, url, ""), "hello\n");
    char *log = servers_log(http.servers);
    struct json_object *all = json_tokener_parse(log), *queries = NULL;
    json_object_object_get_ex(all, "queries", &queries);
    assert_int_equal(json_object_array_length(queries), 2); /* A and AAAA */
    json_object_put(all);
    free(log);
}

static void url_rule__holds_for_path_and_scheme_of_each_hop(void **state) {
    (void)state;
    char rule[96], path[256];
    snprintf(rule, sizeof rule, "network:outbound:%s/redirect", http_origin("http"));
    const char *const grants[] = {rule, "network:outbound:private", NULL};
    reglet_runtime *runtime;
    reglet_plugin *plugin = http_granting(&runtime, grants);
    http_expect_error(request(plugin, url_of("http", "/hello"), ""), "capability", "EPERM",
                      "permission denied");
    http_expect_error(request(plugin, url_of("http", "/redirect-loop?n=1"), ""), "capability", "EPERM",
                      "permission denied");
    http_expect_error(request(plugin, url_of("http", "/redirect/../hello"), ""), "capability", "EPERM",
                      "permission denied");
    http_expect_error(request(plugin, url_of("http", "/redirect/%2e%2e/hello"), ""), "validation", "EINVAL",
                      "segment");
    servers_reset(http.servers);
    http_expect_error(request(plugin, url_of("http", "/redirect?to=/hello"), ""), "capability", "EPERM",
                      "permission denied");
    snprintf(path, sizeof path, "/redirect?to=%s/redirect", http_origin("http_other"));
    http_expect_error(request(plugin, url_of("http", path), ""), "capability", "EPERM", "permission denied");
    snprintf(path, sizeof path, "/redirect?to=%s/redirect", http_origin("https"));
    http_expect_error(request(plugin, url_of("http", path), ""), "capability", "EPERM", "permission denied");
    assert_int_equal(servers_connections(http.servers, "http"), 3);
    assert_int_equal(servers_connections(http.servers, "http_other"), 0);
    assert_int_equal(servers_connections(http.servers, "https"), 0);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* --- Redirects --------------------------------------------------------------------------------------------- */

static void redirect__to_what_is_not_granted_is_denied(void **state) {
    (void)state;
    char grant[64], path[256];
    snprintf(grant, sizeof grant, "network:outbound:127.0.0.1:%d", servers_port(http.servers, "http"));
    const char *const grants[] = {grant, "network:outbound:127.0.0.2:80", NULL};
    static const char *const targets[] = {"http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:22/",
                                          "http://metadata.example.test/", "https://127.0.0.2/"};
    reglet_runtime *runtime;
    reglet_plugin *plugin = http_granting(&runtime, grants);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        snprintf(path, sizeof path, "http://127.0.0.1:%d/redirect?to=%s", servers_port(http.servers, "http"),
                 targets[i]);
        http_expect_error(request(plugin, path, ""), "capability", "EPERM", "permission denied: connect to ");
    }
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void redirect__to_a_private_address_is_refused(void **state) {
    (void)state;
    char address[64], any[64], url[160];
    int port = servers_port(http.servers, "http");
    snprintf(address, sizeof address, "network:outbound:127.0.0.1:%d", port);
    snprintf(any, sizeof any, "network:outbound:%d", port);
    const char *const grants[] = {address, any, NULL};
    reglet_runtime *runtime;
    reglet_plugin *plugin = http_granting(&runtime, grants);
    static const char *const targets[] = {"127.0.0.2", "[::1]", "10.0.0.1", "169.254.169.254",
                                          "private.example.test"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        snprintf(url, sizeof url, "http://127.0.0.1:%d/redirect?to=http://%s:%d/", port, targets[i], port);
        http_expect_error(request(plugin, url, ""), "ssrf_protection", "ESSRF", "SSRF protection: ");
    }
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void redirect__to_other_schemes_and_spellings_is_refused(void **state) {
    (void)state;
    static const char *const locations[] = {"file:///etc/passwd",
                                            "gopher://127.0.0.1:25/_HELO",
                                            "ftp://127.0.0.1/",
                                            "dict://127.0.0.1:11211/stat",
                                            "data:text/plain,x",
                                            "http://127.1/",
                                            "//0x7f.1/",
                                            "http://user:pass@localhost/",
                                            "http://localhost%09/",
                                            "/%5c%5clocalhost",
                                            "/%255c..%255c/%252e%252e/x"};
    for (size_t i = 0; i < sizeof locations / sizeof *locations; i++) {
        char path[256];
        snprintf(path, sizeof path, "/location-raw?value=%s", locations[i]);
        http_expect_error(http_get("http", path, ""), "network", "EREDIRECT", "refused: ");
    }
}

static void redirect__headers_of_the_plugin_do_not_go_to_another_origin(void **state) {
    (void)state;
    static const char more[] = ", 'headers': {'Authorization': 'Bearer a', 'Cookie': 'b=c', 'X-Api-Key': 'd',"
                               " 'Proxy-X': 'e', 'Accept': 'text/x', 'User-Agent': 'own'}";
    static const char *const others[] = {"http_other", "https"}; /* another port; another scheme as well */
    char path[160];
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(path, sizeof path, "/redirect?to=%s/echo", http_origin(others[i]));
        free(http_get("http", path, more));
        http_expect_sent("Authorization", NULL);
        http_expect_sent("Cookie", NULL);
        http_expect_sent("X-Api-Key", NULL);
        http_expect_sent("Accept", "text/x");
    }
    /* Another name of the same server is another origin too. */
    snprintf(path, sizeof path, "/redirect?to=http://127.0.0.1:%d/echo", servers_port(http.servers, "http"));
    free(http_get("http", path, more));
    http_expect_sent("Authorization", NULL);
    free(http_get("http", "/redirect?to=/echo", more));
    http_expect_sent("Authorization", "Bearer a");
    http_expect_sent("X-Api-Key", "d");
}

/* Once left, an origin does not get back what was dropped on the way. */
static void redirect__there_and_back_again_without_credentials(void **state) {
    (void)state;
    char path[320];
    snprintf(path, sizeof path, "/redirect?to=%s/redirect%%3Fto=%s/echo", http_origin("http_other"),
             http_origin("http"));
    free(http_get("http", path, ", 'headers': {'X-Api-Key': 'd'}"));
    http_expect_sent("X-Api-Key", NULL);
}

static void redirect__a_body_does_not_go_to_another_origin(void **state) {
    (void)state;
    static const int codes[] = {307, 308};
    servers_reset(http.servers);
    for (size_t i = 0; i < 2; i++) {
        char path[160];
        snprintf(path, sizeof path, "/redirect?to=%s/echo&code=%d", http_origin("http_other"), codes[i]);
        http_expect_error(http_get("http", path, ", 'method': 'POST', 'body': 'c2VjcmV0'"), "network",
                          "EREDIRECT", "redirect refused: it would send the body to another origin");
    }
    assert_int_equal(servers_connections(http.servers, "http_other"), 0);
}

/* --- What the server answers ------------------------------------------------------------------------------- */

static void expect_truncated(char *response) {
    size_t size = 0;
    char *body = http_body(response, &size);
    expect_member(response, "/status_code", "200");
    expect_member(response, "/body_truncated", "true");
    assert_int_equal(size, BODY_LIMIT);
    free(body);
    free(response);
}

static void body__is_cut_at_the_limit_also_inflated(void **state) {
    (void)state;
    needs_no_second_thread();
    expect_truncated(http_get("http", "/endless", ""));
    expect_truncated(http_get("http2", "/endless", ""));
    expect_truncated(http_get("http", "/bomb", ""));
    expect_truncated(http_get("http2", "/bomb", ""));
    expect_truncated(http_get("http", "/big?n=10485761", ""));
    char *response = http_get("http", "/big?n=10485760", "");
    expect_member(response, "/body_truncated", NULL);
    free(response);
}

/* Two codings were never asked for: the bytes are the plugin's to make sense of. */
static void body__bomb_in_two_layers_is_not_inflated(void **state) {
    (void)state;
    char *response = http_get("http", "/bomb?layers=2", "");
    size_t size = 0;
    char *body = http_body(response, &size);
    assert_true(size < 1 << 20);
    expect_member(response, "/headers/Content-Encoding", "[\"gzip, gzip\"]");
    free(body);
    free(response);
}

static void headers__too_long_or_too_many_are_refused(void **state) {
    (void)state;
    static const char *const paths[] = {"/huge-header",         "/huge-header?n=200000", "/many-headers",
                                        "/many-headers?n=1001", "/endless-headers",      "/endless-hints"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        http_expect_error(http_get("http", paths[i], ""), "network", "EMSGSIZE",
                          "the response's headers are too long");
    http_expect_error(http_get("http", "/endless-trailers", ""), "network", "EMSGSIZE",
                      "headers are too long");
    /* Over HTTP/2 libcurl gives such a stream up without telling; what ends it is the deadline. */
    char *response = http_get("http2", "/huge-header", ", 'timeout_ms': 1000");
    expect_member(response, "/status_code", NULL);
    assert_non_null(strstr(response, "\"error\""));
    free(response);
    response = http_get("http", "/many-headers?n=900", "");
    expect_member(response, "/headers/X-Many-899", "[\"value\"]");
    free(response);
}

static void lies__are_network_errors(void **state) {
    (void)state;
    static const struct {
        const char *path, *code;
    } cases[] = {{"/lies-long", "EPARTIAL"},
                 {"/close", "EPARTIAL"},
                 {"/bad-chunk", "EPROTO"},
                 {"/garbage", "EPROTO"},
                 {"/http09", "EPROTO"},
                 {"/bad-gzip?how=garbage", "EPROTO"},
                 {"/bad-gzip?how=checksum", "EPROTO"},
                 {"/bad-gzip?how=truncated", "EPARTIAL"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *response = http_get("http", cases[i].path, "");
        expect_member(response, "/status_code", NULL);
        http_expect_error(response, "network", cases[i].code, "");
    }
    http_expect_body(http_get("http", "/lies-short", ""), "long");
}

static void connect__refused_and_unheard_of(void **state) {
    (void)state;
    http_expect_error(http_get("closed", "/", ""), "network", "ECONNREFUSED", "");
    char *response = request(http.plugin, "http://missing.example.test/", "");
    expect_member(response, "/error/is_not_found", "true");
    http_expect_error(response, "network", "ENOTFOUND", "missing.example.test");
}

/* An errno of the network would send people looking for the server's fault. */
static void connect__without_a_descriptor_it_is_the_host_that_fails(void **state) {
    (void)state;
    static const char *const servers[] = {"http", "https"};
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        free(http_get(servers[i], "/hello", "")); /* what is opened once and kept is open now */
        int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
        few = (struct rlimit){.rlim_cur = (rlim_t)lowest, .rlim_max = before.rlim_max};
        close(lowest);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        char *response = http_get(servers[i], "/hello", "");
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        http_expect_error(response, "internal", "EIO", "no descriptor left");
    }
}

/* A program that takes SIGPIPE for its end is not ended by a server that hangs up. */
static void send__to_a_server_that_closes_raises_no_signal(void **state) {
    (void)state;
    needs_no_second_thread();
    size_t size = 4 << 20;
    char *more = malloc(size + 64);
    assert_non_null(more);
    int length = sprintf(more, ", 'method': 'POST', 'body': '");
    memset(more + length, 'A', size);
    strcpy(more + (size_t)length + size, "'");
    static const char *const servers[] = {"tcp_closes", "tcp_resets", "http", "https"};
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        char *response = http_get(servers[i], "/close", more);
        expect_member(response, "/error/type", "network");
        free(response);
    }
    free(more);
}

/* --- TLS --------------------------------------------------------------------------------------------------- */

static void tls__certificates_that_do_not_hold(void **state) {
    (void)state;
    static const char *const servers[] = {"https_expired", "https_self_signed", "https_untrusted",
                                          "https_wrong_name", "tls_common_name_only"};
    servers_reset(http.servers);
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        char path[128];
        http_expect_error(http_get(servers[i], "/hello", ""), "network", "ECERT", "certificate");
        snprintf(path, sizeof path, "/redirect?to=%s/hello", http_origin(servers[i]));
        http_expect_error(http_get("http", path, ""), "network", "ECERT", "certificate");
    }
    char *log = servers_log(http.servers), *requests = json_member(log, "/requests");
    assert_null(strstr(requests, "https_")); /* no request was sent before the certificate was judged */
    free(requests);
    free(log);
}

static void tls__old_versions_and_nonsense(void **state) {
    (void)state;
    http_expect_error(http_get("tls_1_1", "/", ""), "network", "EPROTO", "");
    http_expect_error(http_get("tls_garbage", "/", ""), "network", "EPROTO", "");
    char *response = http_get("tls_closes", "/", "");
    expect_member(response, "/error/type", "network");
    free(response);
}

static void tls__without_certificates_of_the_servers_nothing_is_trusted(void **state) {
    (void)state;
    static const reglet_grant grants[] = {{"relay", "network:outbound:1-65535"},
                                          {"relay", "network:outbound:private"}};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = grants;
    options.grant_count = 2;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "relay");
    /* The environment's variables name the certificate that signed this one. */
    http_expect_error(request(plugin, url_of("https_untrusted", "/hello"), ""), "network", "ECERT", "");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* --- Nothing shared, nothing from surroundings -------------------------------------------------------------- */

static void shared__no_connection_session_or_cookie(void **state) {
    (void)state;
    static const char *const servers[] = {"http", "https", "http2"};
    servers_reset(http.servers);
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        free(http_get(servers[i], "/cookie", ""));
        free(http_get(servers[i], "/echo", ""));
        http_expect_sent("Cookie", NULL);
        free(http_get(servers[i], "/redirect?to=/echo", ""));
        http_expect_sent("Cookie", NULL);
        assert_int_equal(servers_connections(http.servers, servers[i]), 4);
    }
    char *log = servers_log(http.servers);
    assert_non_null(strstr(log, "\"resumed\": false"));
    assert_null(strstr(log, "\"resumed\": true"));
    free(log);
}

static void shared__no_alternative_service_and_no_hsts(void **state) {
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "/altsvc?value=h2=%%22localhost:%d%%22",
             servers_port(http.servers, "http_other"));
    servers_reset(http.servers);
    free(http_get("https", path, ""));
    free(http_get("http2", path, ""));
    free(http_get("https", "/hsts", ""));
    http_expect_body(http_get("https", "/hello", ""), "hello\n");
    http_expect_body(http_get("http2", "/hello", ""), "hello\n");
    http_expect_body(http_get("http", "/hello", ""), "hello\n");
    assert_int_equal(servers_connections(http.servers, "http_other"), 0);
}

/* Every test here runs in these surroundings; see http_fixture.c. */
static void surroundings__are_ignored(void **state) {
    (void)state;
    struct stat about;
    servers_reset(http.servers);
    http_expect_body(http_get("http", "/hello", ""), "hello\n");
    http_expect_sent("Authorization", NULL);
    http_expect_sent("X-Ambient", NULL);
    http_expect_body(http_get("https", "/hello", ""), "hello\n");
    http_expect_sent("Authorization", NULL);
    char *log = servers_log(http.servers);
    assert_non_null(strstr(log, "TLSv1.3")); /* the configuration file says 1.2 at most */
    free(log);
    assert_int_equal(servers_connections(http.servers, "http_other"), 0);
    http_expect_error(http_get("https_untrusted", "/hello", ""), "network", "ECERT", "");
    if (stat(http.key_log, &about) == 0)
        assert_int_equal(about.st_size, 0); /* no secret was written */
}

/* --- Deadlines, cancelling, many at once -------------------------------------------------------------------- */

static void deadline__of_the_request_is_an_answer(void **state) {
    (void)state;
    static const char *const places[][2] = {{"http", "/slow?ms=60000"},
                                            {"http", "/headers-drip"},
                                            {"http", "/drip"},
                                            {"http2", "/drip"},
                                            {"full", "/"},
                                            {"tls_silent", "/"},
                                            {"tcp_silent", "/"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char url[96];
        snprintf(url, sizeof url, "%s%s", http_origin(places[i][0]), places[i][1]);
        int64_t begin = now_ms();
        char *response = relay(http.plugin, "http_request", "{'url': '%s', 'timeout_ms': 200}", url);
        expect_member(response, "/error/is_timeout", "true");
        http_expect_error(response, "timeout", "ETIMEDOUT", "");
        assert_true(now_ms() - begin < 5000);
    }
}

/* The attack: what carries nothing keeps libcurl, or OpenSSL below it, busy for as long as more of it is there. */
static void deadline__holds_while_the_server_floods(void **state) {
    (void)state;
    static const char *const servers[] = {"tls_requests_hello", "http2_updates", "http2_goodbyes"};
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        int64_t began_ms = now_ms();
        http_expect_error(http_get(servers[i], "/", ", 'context': {'timeout_ms': 300}"), "timeout",
                          "ETIMEDOUT", "deadline");
        assert_in_range(now_ms() - began_ms, 300, 5000);
    }
}

static void deadline__of_the_call_ends_it(void **state) {
    (void)state;
    char text[160];
    snprintf(text, sizeof text, "{\"url\":\"%s/headers-drip\"}", http_origin("http"));
    expect_plugin_error(relay_observe(http.plugin, "http_request", text, 300), REGLET_ERR_TIMEOUT,
                        "deadline");
}

/* A call in a thread. */
struct caller {
    pthread_t thread;
    char config[256];
    reglet_cancel_token *token;
    int64_t timeout_ms;
    reglet_result *result;
};

static void *run_caller(void *argument) {
    struct caller *caller = argument;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    reglet_config *config = NULL;
    call.cancel = caller->token;
    call.timeout_ms = caller->timeout_ms;
    reglet_config_parse(caller->config, strlen(caller->config), &config, NULL);
    reglet_plugin_observe(http.plugin, config, &call, &caller->result, NULL);
    reglet_config_free(config);
    return NULL;
}

static void start_caller(struct caller *caller, const char *server, const char *path) {
    snprintf(caller->config, sizeof caller->config,
             "{\"function\":\"http_request\",\"request\":{\"url\":\"%s%s\"}}", http_origin(server), path);
    assert_int_equal(pthread_create(&caller->thread, NULL, run_caller, caller), 0);
}

static void cancel__in_the_middle_of_a_body(void **state) {
    (void)state;
    static const char *const servers[] = {"http", "https", "http2"};
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        struct caller caller = {.timeout_ms = 60000};
        servers_reset(http.servers);
        assert_int_equal(reglet_cancel_token_new(&caller.token, NULL), REGLET_OK);
        start_caller(&caller, servers[i], "/drip?ms=20");
        for (int tries = 0; tries < 500; tries++) { /* until the server has the request */
            char *log = servers_log(http.servers);
            bool asked = strstr(log, "/drip") != NULL;
            free(log);
            if (asked)
                break;
            usleep(20000);
        }
        int64_t begin = now_ms();
        reglet_cancel_token_cancel(caller.token);
        pthread_join(caller.thread, NULL);
        assert_true(now_ms() - begin < 5000);
        expect_plugin_error(caller.result, REGLET_ERR_CANCELLED, "cancelled");
        reglet_cancel_token_unref(caller.token);
    }
}

static void parallel__each_has_its_own_connection_and_leaves_nothing(void **state) {
    (void)state;
    struct caller callers[20];
    http_expect_body(http_get("http", "/hello", ""), "hello\n");
    servers_reset(http.servers);
    int before = open_descriptors();
    for (size_t i = 0; i < 20; i++) {
        callers[i] = (struct caller){.timeout_ms = 60000};
        start_caller(&callers[i], i % 2 ? "http2" : "http", "/slow?ms=300");
    }
    for (size_t i = 0; i < 20; i++) {
        pthread_join(callers[i].thread, NULL);
        expect_evidence(callers[i].result, "status_code\\\":200");
    }
    assert_int_equal(servers_connections(http.servers, "http"), 10);
    assert_int_equal(servers_connections(http.servers, "http2"), 10);
    assert_int_equal(open_descriptors(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url__other_spellings_of_loopback_reach_nobody),
        cmocka_unit_test(headers__of_framing_and_connection_are_dropped_and_logged),
        cmocka_unit_test(headers__line_breaks_are_refused_before_anything_is_sent),
        cmocka_unit_test(denied__without_a_grant_nothing_is_looked_up_or_connected),
        cmocka_unit_test(ssrf__private_addresses_need_private),
        cmocka_unit_test(resolve__once_for_the_check_and_the_connection),
        cmocka_unit_test(url_rule__holds_for_path_and_scheme_of_each_hop),
        cmocka_unit_test(redirect__to_what_is_not_granted_is_denied),
        cmocka_unit_test(redirect__to_a_private_address_is_refused),
        cmocka_unit_test(redirect__to_other_schemes_and_spellings_is_refused),
        cmocka_unit_test(redirect__headers_of_the_plugin_do_not_go_to_another_origin),
        cmocka_unit_test(redirect__there_and_back_again_without_credentials),
        cmocka_unit_test(redirect__a_body_does_not_go_to_another_origin),
        cmocka_unit_test(body__is_cut_at_the_limit_also_inflated),
        cmocka_unit_test(body__bomb_in_two_layers_is_not_inflated),
        cmocka_unit_test(headers__too_long_or_too_many_are_refused),
        cmocka_unit_test(lies__are_network_errors),
        cmocka_unit_test(connect__refused_and_unheard_of),
        cmocka_unit_test(connect__without_a_descriptor_it_is_the_host_that_fails),
        cmocka_unit_test(send__to_a_server_that_closes_raises_no_signal),
        cmocka_unit_test(tls__certificates_that_do_not_hold),
        cmocka_unit_test(tls__old_versions_and_nonsense),
        cmocka_unit_test(tls__without_certificates_of_the_servers_nothing_is_trusted),
        cmocka_unit_test(shared__no_connection_session_or_cookie),
        cmocka_unit_test(shared__no_alternative_service_and_no_hsts),
        cmocka_unit_test(surroundings__are_ignored),
        cmocka_unit_test(deadline__of_the_request_is_an_answer),
        cmocka_unit_test(deadline__holds_while_the_server_floods),
        cmocka_unit_test(deadline__of_the_call_ends_it),
        cmocka_unit_test(cancel__in_the_middle_of_a_body),
        cmocka_unit_test(parallel__each_has_its_own_connection_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, http_set_up, http_tear_down);
}
