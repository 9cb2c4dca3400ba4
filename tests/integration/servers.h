/*
 * servers.h - the servers of tests/servers for tests in C, and the guest `relay` that talks to them.
 *
 * Whatever goes wrong here fails the test.
 */
#ifndef REGLET_TESTS_INTEGRATION_SERVERS_H
#define REGLET_TESTS_INTEGRATION_SERVERS_H

#include "tests/integration/support.h"

/* Starts all servers; they end with servers_stop(), or with this process. */
struct servers *servers_start(void);

/* The same with arguments for servers.py, up to a NULL: "--address", "10.0.0.1", NULL. */
struct servers *servers_start_with(const char *const arguments[]);
void servers_stop(struct servers *servers); /* NULL: nothing */

/* The port of a server, such as "http"; tests/servers/README.md has the names. */
int servers_port(const struct servers *servers, const char *name);

/* A file that the servers made: "ca", "other_ca", "self_signed_ca". Lives as long as the servers. */
const char *servers_path(const struct servers *servers, const char *name);

/* What reached the servers since they started or were reset, as JSON. To be freed. */
char *servers_log(const struct servers *servers);
/* The same once it has a member, such as "/tls/1/resumed", which a server notes when its side is through; fails the test if it
 * does not come. */
char *servers_log_with(const struct servers *servers, const char *pointer);
void servers_reset(const struct servers *servers);

/* How many connections (for "dns": over TCP) a server took, and how often a name was asked for. */
int servers_connections(const struct servers *servers, const char *name);
int servers_queries(const struct servers *servers, const char *name);

/*
 * Calls a host function through the guest `relay` with a request in JSON, made as by printf; single quotes become double
 * ones, for the sake of reading. Returns the response, to be freed. A response beyond the runtime's max_evidence_bytes fails
 * the test.
 */
char *relay(reglet_plugin *plugin, const char *function, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for calls that may end with a plugin error, with the request as it is. Never NULL. */
reglet_result *relay_observe(reglet_plugin *plugin, const char *function, const char *request,
                             int64_t timeout_ms);

/* The member of a JSON text that a JSON pointer ("/error/code", "/records/0") leads to: a string as it is, anything else as
 * JSON. NULL, if there is none or it is null. To be freed. */
char *json_member(const char *json, const char *pointer);

/* Fails unless that member is as expected (NULL: missing or null). */
void expect_member(const char *json, const char *pointer, const char *expected);

/* Fails unless that member holds `part`. */
void expect_member_contains(const char *json, const char *pointer, const char *part);

/* A member that is a number; fails if it is missing or no number. */
int64_t json_number(const char *json, const char *pointer);

#endif
