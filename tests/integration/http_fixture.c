#define _GNU_SOURCE
#include "tests/integration/http_fixture.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct http_fixture http;

/* --- Surroundings ----------------------------------------------------------------------------------------- */

static void write_file(const char *name, const char *text, const char *variable) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s", http.directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    if (variable)
        setenv(variable, path, 1);
}

static void remove_file(const char *name) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s", http.directory, name);
    unlink(path);
}

/* All proxies are the server http_other, all certificates those of `untrusted`. */
static void set_surroundings(void) {
    static const char *const proxies[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
                                          "HTTPS_PROXY", "all_proxy",  "ALL_PROXY"};
    char proxy[64];
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", servers_port(http.servers, "http_other"));
    for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++)
        setenv(proxies[i], proxy, 1);
    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    static const char *const authorities[] = {"CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"};
    for (size_t i = 0; i < sizeof authorities / sizeof *authorities; i++)
        setenv(authorities[i], servers_path(http.servers, "other_ca"), 1);
    setenv("HOME", http.directory, 1);
    setenv("CURL_HOME", http.directory, 1);
    write_file(".netrc", "default login ambient password secret\n", "NETRC");
    write_file(".curlrc", "header = \"X-Ambient: yes\"\ninsecure\n", NULL);
    write_file(
        "openssl.cnf",
        "openssl_conf = settings\n[settings]\nssl_conf = contexts\n[contexts]\nsystem_default = weak\n"
        "[weak]\nMinProtocol = TLSv1\nMaxProtocol = TLSv1.2\nCipherString = ALL:@SECLEVEL=0\nVerifyMode = None\n",
        "OPENSSL_CONF");
    snprintf(http.key_log, sizeof http.key_log, "%s/keys", http.directory);
    setenv("SSLKEYLOGFILE", http.key_log, 1);
}

reglet_plugin *http_granting(reglet_runtime **runtime, const char *const grants[]) {
    reglet_grant list[8];
    char nameserver[32];
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    for (; grants[options.grant_count]; options.grant_count++)
        list[options.grant_count] = (reglet_grant){"relay", grants[options.grant_count]};
    snprintf(nameserver, sizeof nameserver, "127.0.0.1:%d", servers_port(http.servers, "dns"));
    options.grants = list;
    options.nameservers = nameserver;
    options.ca_file = servers_path(http.servers, "ca");
    options.host_version = "9.8.7";
    options.max_evidence_bytes = -1;
    options.log = events_collect;
    options.log_user_data = &http.events;
    *runtime = new_runtime(&options);
    return load_guest(*runtime, "relay");
}

int http_set_up(void **state) {
    (void)state;
    static const char *const grants[] = {"network:outbound:1-65535", "network:outbound:private", NULL};
    snprintf(http.directory, sizeof http.directory, "/tmp/reglet-http-XXXXXX");
    assert_non_null(mkdtemp(http.directory));
    http.servers = servers_start();
    set_surroundings();
    events_init(&http.events);
    http.plugin = http_granting(&http.runtime, grants);
    return 0;
}

int http_tear_down(void **state) {
    (void)state;
    static const char *const files[] = {".netrc", ".curlrc", "openssl.cnf", "keys"};
    reglet_plugin_unref(http.plugin);
    reglet_runtime_free(http.runtime);
    events_free(&http.events);
    servers_stop(http.servers);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        remove_file(files[i]);
    rmdir(http.directory);
    return 0;
}

/* --- Requests and responses ------------------------------------------------------------------------------- */

const char *http_origin(const char *server) {
    static char texts[4][64];
    static size_t next;
    char *text = texts[next++ % 4];
    bool tls = strncmp(server, "https", 5) == 0 || strncmp(server, "http2", 5) == 0 ||
               strncmp(server, "tls", 3) == 0;
    snprintf(text, sizeof texts[0], "%s://localhost:%d", tls ? "https" : "http",
             servers_port(http.servers, server));
    return text;
}

char *http_get(const char *server, const char *path, const char *more) {
    return relay(http.plugin, "http_request", "{'url': '%s%s', 'timeout_ms': 20000%s}", http_origin(server),
                 path, more);
}

static int sextet(char c) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : 0;
}

char *http_body(const char *response, size_t *size) {
    expect_member(response, "/error", NULL);
    char *text = json_member(response, "/body");
    size_t length = text ? strlen(text) : 0, out = 0;
    char *body = malloc(length / 4 * 3 + 1);
    assert_non_null(body);
    assert_int_equal(length % 4, 0);
    for (size_t i = 0; i < length; i += 4) {
        unsigned bits = (unsigned)(sextet(text[i]) << 18 | sextet(text[i + 1]) << 12 |
                                   sextet(text[i + 2]) << 6 | sextet(text[i + 3]));
        body[out++] = (char)(bits >> 16);
        if (text[i + 2] != '=')
            body[out++] = (char)(bits >> 8);
        if (text[i + 3] != '=')
            body[out++] = (char)bits;
    }
    body[out] = '\0';
    if (size)
        *size = out;
    free(text);
    return body;
}

void http_expect_body(char *response, const char *expected) {
    char *body = http_body(response, NULL);
    assert_string_equal(body, expected);
    free(body);
    free(response);
}

void http_expect_error(char *response, const char *type, const char *code, const char *part) {
    expect_member(response, "/error/type", type);
    expect_member(response, "/error/code", code);
    expect_member_contains(response, "/error/message", part);
    free(response);
}

void http_expect_sent(const char *name, const char *value) {
    char *log = servers_log(http.servers);
    struct json_object *all = json_tokener_parse(log), *requests = NULL, *headers = NULL;
    json_object_object_get_ex(all, "requests", &requests);
    size_t count = json_object_array_length(requests);
    assert_true(count > 0);
    json_object_object_get_ex(json_object_array_get_idx(requests, count - 1), "headers", &headers);
    const char *found = NULL;
    for (size_t i = 0; i < json_object_array_length(headers) && !found; i++) {
        struct json_object *header = json_object_array_get_idx(headers, i);
        if (strcasecmp(json_object_get_string(json_object_array_get_idx(header, 0)), name) == 0)
            found = json_object_get_string(json_object_array_get_idx(header, 1));
    }
    if (value ? !found || strcmp(found, value) != 0 : found != NULL)
        fail_msg("%s was sent as %s, expected %s", name, found ? found : "nothing",
                 value ? value : "nothing");
    json_object_put(all);
    free(log);
}
