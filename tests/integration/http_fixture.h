/*
 * http_fixture.h - what the tests of http_request share: servers, a runtime that grants every port and private addresses,
 * and a process whose surroundings are as unhelpful as they can be.
 */
#ifndef REGLET_TESTS_INTEGRATION_HTTP_FIXTURE_H
#define REGLET_TESTS_INTEGRATION_HTTP_FIXTURE_H

#include "tests/integration/servers.h"

struct http_fixture {
    struct servers *servers;
    struct events events;
    reglet_runtime *runtime;
    reglet_plugin *plugin; /* relay */
    char directory[64];    /* of the files that the environment names */
    char key_log[128];     /* SSLKEYLOGFILE */
};
extern struct http_fixture http;

/* Starts the servers, sets every variable that an HTTP client might heed (proxies, .netrc, certificates, key log,
 * OPENSSL_CONF) and makes the runtime; takes all of it down. For cmocka_run_group_tests(). */
int http_set_up(void **state);
int http_tear_down(void **state);

/* A runtime with these grants to the guest relay, up to a NULL; the plugin in it. */
reglet_plugin *http_granting(reglet_runtime **runtime, const char *const grants[]);

/* "http://localhost:PORT" of a server ("https…" by TLS). In one of a few static buffers. */
const char *http_origin(const char *server);

/* GET of a path at a server, with more members of the request or "". Returns the response. */
char *http_get(const char *server, const char *path, const char *more);

/* The response's body, decoded; fails on an error. To be freed. */
char *http_body(const char *response, size_t *size);

/* Each frees the response. */
void http_expect_body(char *response, const char *expected);
void http_expect_error(char *response, const char *type, const char *code, const char *part);

/* Fails unless the server's last request had that header (NULL: none of that name, in any case). */
void http_expect_sent(const char *name, const char *value);

#endif
