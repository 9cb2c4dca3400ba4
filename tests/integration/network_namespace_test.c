/*
 * Connections where loopback has public addresses: names with several, names that change, and addresses that lead nowhere.
 * In a network namespace of its own; skipped where the machine allows none.
 */
#define _GNU_SOURCE
#include "tests/integration/namespace.h"
#include "tests/integration/network_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PUBLIC6 "2606:2800:21f:cb07:6820:80da:af6b:8b2c"

static int start(void **state) {
    (void)state;
    /* The server "tcp4" listens at the first address alone. */
    static const char *const arguments[] = {"--address", "93.184.216.35", "--address", "93.184.216.34",
                                            "--address", PUBLIC6,         "--address", "10.0.0.1",
                                            "--address", "127.0.0.1",     NULL};
    static const char *const grants[] = {"network:outbound:1-65535", NULL};
    network_start(servers_start_with(arguments), grants);
    return 0;
}

static int forget(void **state) {
    (void)state;
    servers_reset(servers);
    return 0;
}

static void expect_connected(char *response, const char *address, const char *server) {
    char expected[64];
    snprintf(expected, sizeof expected, "%s:%d", address, servers_port(servers, server));
    expect_member(response, "/connected", "true");
    expect_member(response, "/remote_addr", expected);
    free(response);
}

static void tcp_connect__private_address_of_a_name_is_left_out(void **state) {
    (void)state;
    expect_connected(ask("tcp_connect", "mixed.example.test", "tcp", ""), "93.184.216.34", "tcp");
    char *log = servers_log(servers);
    expect_member(log, "/accepted/0/address", "93.184.216.34");
    expect_member(log, "/accepted/1", NULL);
    free(log);
    assert_true(events_contain(&events, "(10.0.0.1)"));
    assert_true(events_contain(&events, "(192.168.1.1)"));
}

/* Public to the check, this machine to whoever asks again. */
static void tcp_connect__name_that_changes_after_the_check_reaches_nobody(void **state) {
    (void)state;
    char *response =
        relay(plugin, "ssrf_check", "{'address': 'flip.example.test:%d'}", servers_port(servers, "tcp"));
    expect_member(response, "/allowed", "true");
    expect_member(response, "/resolved_ip", "93.184.216.34");
    free(response);
    static const char *const functions[] = {"tcp_connect", "net_connect", "smtp_connect"};
    for (size_t i = 0; i < 3; i++)
        expect_error(ask(functions[i], "flip.example.test", "tcp", ""), "ssrf_protection", "ESSRF",
                     "permission denied");
    assert_int_equal(servers_connections(servers, "tcp"), 0);
}

/* One look at the name serves the check and the connection. */
static void tcp_connect__name_is_not_looked_up_again_to_connect(void **state) {
    (void)state;
    expect_connected(ask("tcp_connect", "flip.example.test", "tcp", ""), "93.184.216.34", "tcp");
    assert_int_equal(servers_connections(servers, "tcp"), 1);
}

static char *fetch(const char *host, const char *path) {
    return relay(plugin, "http_request", "{'url': 'http://%s:%d%s', 'timeout_ms': 10000}", host,
                 servers_port(servers, "http"), path);
}

/* The only connection was to the public address. */
static void expect_public_alone(void) {
    char *log = servers_log(servers);
    expect_member(log, "/accepted/0/address", "93.184.216.34");
    expect_member(log, "/accepted/1", NULL);
    free(log);
}

static void http_request__private_address_of_a_name_is_left_out(void **state) {
    (void)state;
    char *response = fetch("mixed.example.test", "/hello");
    expect_member(response, "/status_code", "200");
    free(response);
    expect_public_alone();
}

/* Its first answer is public, and every other one this machine. */
static void http_request__name_that_changes_reaches_nobody_else(void **state) {
    (void)state;
    char *response = fetch("flip.example.test", "/hello");
    expect_member(response, "/status_code", "200");
    free(response);
    response = fetch("flip.example.test", "/hello");
    expect_member_contains(response, "/error/message", "SSRF protection");
    expect_member(response, "/error/code", "ESSRF");
    free(response);
    expect_public_alone();
}

/* A hop to the same name is looked up and judged again. */
static void http_request__name_that_changes_between_two_hops_reaches_nobody_else(void **state) {
    (void)state;
    char *response = fetch("flip.example.test", "/redirect?to=/hello");
    expect_member(response, "/error/type", "ssrf_protection");
    expect_member(response, "/error/code", "ESSRF");
    expect_member(response, "/status_code", NULL);
    free(response);
    expect_public_alone();
}

static void tcp_connect__addresses_are_tried_in_order(void **state) {
    (void)state;
    expect_connected(ask("tcp_connect", "several.example.test", "tcp4", ""), "93.184.216.35", "tcp4");
}

static void tcp_connect__reaches_public_ipv6(void **state) {
    (void)state;
    expect_connected(ask("tcp_connect", "single6.example.test", "tcp", ""), "[" PUBLIC6 "]", "tcp");
    expect_connected(ask("tcp_connect", PUBLIC6, "tls", ", 'tls': true"), "[" PUBLIC6 "]", "tls");
}

static void tcp_connect__network_without_a_route_is_enetunreach(void **state) {
    (void)state;
    expect_error(ask("tcp_connect", "8.8.8.8", "tcp", ""), "network", "ENETUNREACH", "connect to ");
    expect_error(ask("tcp_connect", "8-8-8-8.ip.example.test", "tcp", ""), "network", "ENETUNREACH",
                 "connect to ");
}

static void tcp_connect__special_addresses_that_listen_are_not_reached(void **state) {
    (void)state;
    static const char *const hosts[] = {"10.0.0.1",        "127.0.0.1",      "10-0-0-1.ip.example.test",
                                        "::ffff:10.0.0.1", "64:ff9b::a00:1", "private.example.test"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        expect_error(ask("tcp_connect", hosts[i], "tcp", ""), "ssrf_protection", "ESSRF",
                     "permission denied");
    assert_int_equal(servers_connections(servers, "tcp"), 0);
}

static bool use_ports(const char *range) {
    int fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, range, strlen(range)) == (ssize_t)strlen(range);
    if (fd >= 0)
        close(fd);
    return written;
}

/* With one port to choose from, a socket that connects to it where nobody listens connects to itself. */
static void tcp_connect__socket_that_meets_itself_is_econnrefused(void **state) {
    (void)state;
    if (!use_ports("50000 50000")) {
        print_message("skipped: the range of ports cannot be set\n");
        skip();
    }
    char *response =
        relay(plugin, "tcp_connect", "{'host': '93.184.216.34', 'port': 50000, 'timeout_ms': 10000}");
    assert_true(use_ports("32768 60999"));
    expect_error(response, "network", "ECONNREFUSED", "connect to ");
}

int main(void) {
    static const char *const addresses[] = {"93.184.216.34", "93.184.216.35", "10.0.0.1", PUBLIC6, NULL};
    if (!namespace_enter(addresses))
        return NAMESPACE_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(tcp_connect__private_address_of_a_name_is_left_out, forget),
        cmocka_unit_test_setup(tcp_connect__name_that_changes_after_the_check_reaches_nobody, forget),
        cmocka_unit_test_setup(tcp_connect__name_is_not_looked_up_again_to_connect, forget),
        cmocka_unit_test_setup(http_request__private_address_of_a_name_is_left_out, forget),
        cmocka_unit_test_setup(http_request__name_that_changes_reaches_nobody_else, forget),
        cmocka_unit_test_setup(http_request__name_that_changes_between_two_hops_reaches_nobody_else, forget),
        cmocka_unit_test_setup(tcp_connect__addresses_are_tried_in_order, forget),
        cmocka_unit_test_setup(tcp_connect__reaches_public_ipv6, forget),
        cmocka_unit_test_setup(tcp_connect__network_without_a_route_is_enetunreach, forget),
        cmocka_unit_test_setup(tcp_connect__special_addresses_that_listen_are_not_reached, forget),
        cmocka_unit_test_setup(tcp_connect__socket_that_meets_itself_is_econnrefused, forget),
    };
    return cmocka_run_group_tests(tests, start, network_tear_down);
}
