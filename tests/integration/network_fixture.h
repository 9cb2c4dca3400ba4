/*
 * network_fixture.h - what the tests of connections share: all servers, and relay in a runtime that asks their nameserver and
 * trusts their authority.
 */
#ifndef REGLET_TESTS_INTEGRATION_NETWORK_FIXTURE_H
#define REGLET_TESTS_INTEGRATION_NETWORK_FIXTURE_H

#include "tests/integration/servers.h"

extern struct servers *servers;
extern reglet_plugin *plugin; /* relay */
extern struct events events;  /* of all runtimes made here */

/* Grants: every port, and private addresses. */
extern const char *const network_everywhere[];

/* cmocka's: starts the servers and loads relay, which may connect everywhere; ends both. */
int network_set_up(void **state);
int network_tear_down(void **state);

/* The same with servers and grants (up to a NULL) of the test's own. */
void network_start(struct servers *started, const char *const grants[]);

/* Another runtime with these grants, and relay in it: to be freed, the plugin first. Options, if they are to be others, are
 * made from network_options(). */
reglet_runtime_options network_options(void);
reglet_plugin *network_load(reglet_runtime **made, reglet_runtime_options options,
                            const char *const grants[]);

/* Calls a function for host and server, with more members of the request (", 'tls': true"). */
char *ask(const char *function, const char *host, const char *server, const char *more);

/* Fails unless the response is that error, and tells of no connection and no certificate. Frees it. */
void expect_error(char *response, const char *type, const char *code, const char *part);

#endif
