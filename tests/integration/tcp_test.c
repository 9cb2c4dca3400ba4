/* tcp_connect, net_connect and ssrf_check against real servers on loopback; TLS has its own file, tls_test.c. */
#define _GNU_SOURCE
#include "tests/integration/network_fixture.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_ipv6(void) {
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool there = fd >= 0 && bind(fd, (struct sockaddr *)&loopback, sizeof loopback) == 0;
    if (fd >= 0)
        close(fd);
    return there;
}

/* --- Connecting ------------------------------------------------------------------------------------------- */

static void tcp_connect__open_port_is_connected(void **state) {
    (void)state;
    char expected[32];
    snprintf(expected, sizeof expected, "127.0.0.1:%d", servers_port(servers, "tcp"));
    char *response = ask("tcp_connect", "127.0.0.1", "tcp", "");
    expect_member(response, "/connected", "true");
    expect_member(response, "/address", expected);
    expect_member(response, "/remote_addr", expected);
    expect_member_contains(response, "/local_addr", "127.0.0.1:");
    expect_member(response, "/tls", "false");
    expect_member(response, "/tls_version", NULL);
    expect_member(response, "/error", NULL);
    assert_true(json_number(response, "/response_time_ms") >= 0);
    assert_int_equal(json_number(response, "/response_time_ms"), json_number(response, "/latency_ms"));
    free(response);
}

static void tcp_connect__port_is_a_number_or_a_string(void **state) {
    (void)state;
    char *response = relay(plugin, "tcp_connect", "{'host': 'localhost', 'port': %d, 'use_tls': false}",
                           servers_port(servers, "tcp"));
    expect_member(response, "/connected", "true");
    expect_member_contains(response, "/address", "localhost:");
    free(response);
}

static void tcp_connect__ipv6_address_with_and_without_brackets(void **state) {
    (void)state;
    if (!has_ipv6()) {
        print_message("skipped: this machine has no IPv6\n");
        skip();
    }
    char expected[32];
    static const char *const spellings[] = {"::1", "[::1]", "0:0:0:0:0:0:0:1", "loopback6.example.test"};
    snprintf(expected, sizeof expected, "[::1]:%d", servers_port(servers, "tcp"));
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        char *response = ask("tcp_connect", spellings[i], "tcp", "");
        expect_member(response, "/connected", "true");
        expect_member(response, "/remote_addr", expected);
        free(response);
    }
}

static void tcp_connect__refused_port_is_econnrefused(void **state) {
    (void)state;
    expect_error(ask("tcp_connect", "127.0.0.1", "closed", ""), "network", "ECONNREFUSED",
                 "connect to 127.0.0.1:");
}

static void tcp_connect__server_that_hangs_up_at_once_was_connected(void **state) {
    (void)state;
    char *response = ask("tcp_connect", "127.0.0.1", "tcp_closes", "");
    expect_member(response, "/connected", "true");
    free(response);
}

/* --- Several addresses ------------------------------------------------------------------------------------ */

static void tcp_connect__second_address_is_tried_when_the_first_refuses(void **state) {
    (void)state;
    char *response = ask("tcp_connect", "second.example.test", "tcp", "");
    expect_member(response, "/connected", "true");
    expect_member_contains(response, "/remote_addr", "127.0.0.1:");
    free(response);
}

static void tcp_connect__error_names_the_last_address(void **state) {
    (void)state;
    expect_error(ask("tcp_connect", "second.example.test", "closed", ""), "network", "ECONNREFUSED",
                 "(127.0.0.1)");
}

static int listener_at(const char *ip, uint16_t port, int backlog) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(inet_pton(AF_INET, ip, &address.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static uint16_t port_of(int fd) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

static int fill_queue(const char *ip, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(inet_pton(AF_INET, ip, &address.sin_addr), 1);
    (void)connect(fd, (struct sockaddr *)&address, sizeof address);
    return fd;
}

/* second.example.test is 127.0.0.2, whose queue is full so that the kernel answers nobody, and 127.0.0.1. */
static void tcp_connect__address_that_hangs_leaves_time_for_the_next(void **state) {
    (void)state;
    int good = listener_at("127.0.0.1", 0, 8);
    uint16_t port = port_of(good);
    int hangs = listener_at("127.0.0.2", port, 0);
    int filler = fill_queue("127.0.0.2", port);
    char *response =
        relay(plugin, "tcp_connect", "{'host': 'second.example.test', 'port': %u, 'timeout_ms': 4000}", port);
    expect_member(response, "/connected", "true");
    expect_member_contains(response, "/remote_addr", "127.0.0.1:");
    assert_in_range(json_number(response, "/latency_ms"), 250, 3900);
    free(response);
    close(filler);
    close(hangs);
    close(good);
}

/* --- Names ------------------------------------------------------------------------------------------------ */

static void tcp_connect__name_that_does_not_exist_is_not_found(void **state) {
    (void)state;
    static const char *const names[] = {"nothing.example.test", "nodata.example.test",
                                        "dangling.example.test"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *response = ask("tcp_connect", names[i], "tcp", "");
        expect_member(response, "/error/is_not_found", "true");
        expect_error(response, "network", "ENOTFOUND", names[i]);
    }
}

static void tcp_connect__name_that_cannot_be_resolved_is_another_error(void **state) {
    (void)state;
    char *response = ask("tcp_connect", "servfail.example.test", "tcp", "");
    expect_member(response, "/error/is_not_found", NULL);
    expect_error(response, "network", "ESERVFAIL", "servfail.example.test");
}

static void tcp_connect__nameserver_that_keeps_silent_holds_nobody_beyond_the_deadline(void **state) {
    (void)state;
    char *response = ask("tcp_connect", "silent.example.test", "tcp", ", 'timeout_ms': 200");
    expect_member(response, "/error/is_timeout", "true");
    expect_error(response, "timeout", "ETIMEDOUT", "deadline");
}

/* Each is another machine, or another spelling of this one, to some parser. */
static void tcp_connect__host_that_could_be_read_differently_is_refused(void **state) {
    (void)state;
    static const char *const hosts[] = {"0177.0.0.1",
                                        "2130706433",
                                        "0x7f.1",
                                        "127.1",
                                        "user@localhost",
                                        "local host",
                                        "localhost/x",
                                        "",
                                        "[::ffff:127.0.0.1",
                                        "fe80::1%lo",
                                        "b\\u00fccher.example",
                                        "a..b",
                                        "127.0.0.1:80",
                                        "localhost\\r\\nX: y"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        expect_error(ask("tcp_connect", hosts[i], "tcp", ""), "validation", "EINVAL", "host");
}

static void tcp_connect__port_is_read_strictly(void **state) {
    (void)state;
    static const char *const ports[] = {"0",    "65536",    "-1",   "1.5",     "\"80 \"", "\"+80\"",
                                        "\"\"", "\"http\"", "true", "\"080\"", "[80]"};
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
        expect_error(relay(plugin, "tcp_connect", "{'host': 'localhost', 'port': %s}", ports[i]),
                     "validation", "EINVAL", "port must be");
}

/* --- The guard -------------------------------------------------------------------------------------------- */

static void with_grant(const char *grant, void (*check)(reglet_plugin *)) {
    reglet_runtime *other;
    reglet_plugin *guest = network_load(&other, network_options(), (const char *const[]){grant, NULL});
    check(guest);
    reglet_plugin_unref(guest);
    reglet_runtime_free(other);
}

static void check_nothing_is_asked(reglet_plugin *guest) {
    static const char *const functions[] = {"tcp_connect", "net_connect", "smtp_connect"};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        char *response = relay(guest, functions[i], "{'host': 'hop7.example.test', 'port': 81}");
        expect_member_contains(response, "/error/message", "network:outbound:hop7.example.test:81");
        expect_error(response, "capability", "EPERM", "permission denied: connect to hop7.example.test:81");
    }
    char *response = relay(guest, "ssrf_check", "{'address': 'hop7.example.test:81'}");
    expect_member(response, "/allowed", "false");
    expect_member(response, "/error", NULL);
    free(response);
}

static void guard__nothing_leaves_for_a_host_that_no_rule_allows(void **state) {
    (void)state;
    with_grant("network:outbound:80", check_nothing_is_asked);
    assert_int_equal(servers_queries(servers, "hop7.example.test"), 0);
    assert_true(events_contain(&events, "connect to hop7.example.test:81"));
}

static void check_private_is_refused(reglet_plugin *guest) {
    static const char *const hosts[] = {"127.0.0.1",
                                        "localhost",
                                        "loopback.example.test",
                                        "alias.example.test",
                                        "10.0.0.1",
                                        "169.254.169.254",
                                        "::1",
                                        "::ffff:127.0.0.1",
                                        "64:ff9b::7f00:1",
                                        "mapped.example.test",
                                        "metadata.example.test",
                                        "private.example.test"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char *response = relay(guest, "tcp_connect", "{'host': '%s', 'port': %d}", hosts[i],
                               servers_port(servers, "tcp_silent"));
        expect_error(response, "ssrf_protection", "ESSRF", "permission denied: connect to ");
    }
}

static void guard__special_addresses_are_refused_without_a_grant_for_them(void **state) {
    (void)state;
    with_grant("network:outbound:*", check_private_is_refused);
    assert_int_equal(servers_connections(servers, "tcp_silent"), 0);
}

static void guard__link_local_and_metadata_stay_refused_with_private(void **state) {
    (void)state;
    static const char *const hosts[] = {"169.254.169.254", "metadata.example.test",   "fe80::1", "224.0.0.1",
                                        "0.0.0.0",         "unspecified.example.test"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        expect_error(ask("tcp_connect", hosts[i], "tcp", ""), "ssrf_protection", "ESSRF",
                     "permission denied");
}

static void ssrf_check__says_what_would_be_decided(void **state) {
    (void)state;
    static const struct {
        const char *address, *allowed, *ip, *reason;
    } cases[] = {
        {"127.0.0.1:1", "true", "127.0.0.1", NULL},
        {"[::1]:443", "true", "::1", NULL},
        {"mixed.example.test:443", "true", "10.0.0.1", NULL},
        {"single.example.test:443", "true", "93.184.216.34", NULL},
        {"metadata.example.test:80", "false", "169.254.169.254", "link-local"},
        {"169.254.169.254:80", "false", "169.254.169.254", "link-local"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *response = relay(plugin, "ssrf_check", "{'address': '%s'}", cases[i].address);
        expect_member(response, "/allowed", cases[i].allowed);
        expect_member(response, "/resolved_ip", cases[i].ip);
        expect_member(response, "/error", NULL);
        if (cases[i].reason)
            expect_member_contains(response, "/reason", cases[i].reason);
        free(response);
    }
}

static void check_public_address_remains(reglet_plugin *guest) {
    char *response = relay(guest, "ssrf_check", "{'address': 'mixed.example.test:443'}");
    expect_member(response, "/allowed", "true");
    expect_member(response, "/resolved_ip", "93.184.216.34");
    free(response);
    response = relay(guest, "ssrf_check", "{'address': 'private.example.test:443'}");
    expect_member(response, "/allowed", "false");
    expect_member_contains(response, "/reason", "network:outbound:private");
    free(response);
}

static void ssrf_check__private_addresses_of_a_name_are_left_out(void **state) {
    (void)state;
    with_grant("network:outbound:443", check_public_address_remains);
}

static void ssrf_check__needs_host_and_port(void **state) {
    (void)state;
    static const char *const addresses[] = {"localhost", "localhost:",  ":80",
                                            "::1:80",    "localhost:0", "a:1:2"};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        char *response = relay(plugin, "ssrf_check", "{'address': '%s'}", addresses[i]);
        expect_member(response, "/error/type", "validation");
        free(response);
    }
}

/* --- Exchanging bytes ------------------------------------------------------------------------------------- */

static void net_connect__sends_and_reads_up_to_max_bytes(void **state) {
    (void)state;
    char *response = ask("net_connect", "127.0.0.1", "tcp", ", 'data': 'aGVsbG8K', 'max_bytes': 5");
    expect_member(response, "/connected", "true");
    expect_member(response, "/data", "aGVsbG8=");
    expect_member(response, "/data_end", "max_bytes");
    free(response);
}

static void net_connect__reads_until_the_server_ends(void **state) {
    (void)state;
    char *response = ask("net_connect", "127.0.0.1", "tcp_greets", "");
    expect_member_contains(response, "/data", "aGVsbG8");
    expect_member(response, "/data_end", "closed");
    free(response);
}

static void net_connect__server_that_says_no_more_is_answered_at_the_requests_deadline(void **state) {
    (void)state;
    char *response = ask("net_connect", "127.0.0.1", "tcp", ", 'data': 'aGVsbG8K', 'timeout_ms': 200");
    expect_member(response, "/data", "aGVsbG8K");
    expect_member(response, "/data_end", "deadline");
    expect_member(response, "/error", NULL);
    free(response);
}

static void net_connect__server_that_never_ends_is_read_up_to_the_limit(void **state) {
    (void)state;
    char *response = ask("net_connect", "127.0.0.1", "tcp_endless", "");
    char *data = json_member(response, "/data");
    assert_int_equal(strlen(data), (65536 + 2) / 3 * 4);
    expect_member(response, "/data_end", "max_bytes");
    free(data);
    free(response);
}

static void net_connect__max_bytes_has_a_limit(void **state) {
    (void)state;
    static const char *const sizes[] = {"-1", "10485761", "'many'"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *response =
            relay(plugin, "net_connect", "{'host': 'localhost', 'port': 1, 'max_bytes': %s}", sizes[i]);
        expect_member(response, "/error/type", "validation");
        free(response);
    }
}

/* Both are gone while we write, after a reset and after an end. The default action of SIGPIPE would end this process. */
static void net_connect__server_that_goes_away_while_we_write_is_an_error_and_no_signal(void **state) {
    (void)state;
    static const char *const gone[] = {"tcp_resets", "tcp_closes"};
    size_t size = 4 << 20;
    char *data = malloc(size + 1);
    assert_non_null(data);
    memset(data, 'A', size);
    data[size] = '\0';
    for (size_t i = 0; i < 2; i++) {
        char *response = relay(plugin, "net_connect", "{'host': '127.0.0.1', 'port': %d, 'data': '%s'}",
                               servers_port(servers, gone[i]), data);
        char *code = json_member(response, "/error/code");
        assert_true(code && (strcmp(code, "ECONNRESET") == 0 || strcmp(code, "EPIPE") == 0));
        free(code);
        free(response);
    }
    free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_connect__open_port_is_connected),
        cmocka_unit_test(tcp_connect__port_is_a_number_or_a_string),
        cmocka_unit_test(tcp_connect__ipv6_address_with_and_without_brackets),
        cmocka_unit_test(tcp_connect__refused_port_is_econnrefused),
        cmocka_unit_test(tcp_connect__server_that_hangs_up_at_once_was_connected),
        cmocka_unit_test(tcp_connect__second_address_is_tried_when_the_first_refuses),
        cmocka_unit_test(tcp_connect__error_names_the_last_address),
        cmocka_unit_test(tcp_connect__address_that_hangs_leaves_time_for_the_next),
        cmocka_unit_test(tcp_connect__name_that_does_not_exist_is_not_found),
        cmocka_unit_test(tcp_connect__name_that_cannot_be_resolved_is_another_error),
        cmocka_unit_test(tcp_connect__nameserver_that_keeps_silent_holds_nobody_beyond_the_deadline),
        cmocka_unit_test(tcp_connect__host_that_could_be_read_differently_is_refused),
        cmocka_unit_test(tcp_connect__port_is_read_strictly),
        cmocka_unit_test(guard__nothing_leaves_for_a_host_that_no_rule_allows),
        cmocka_unit_test(guard__special_addresses_are_refused_without_a_grant_for_them),
        cmocka_unit_test(guard__link_local_and_metadata_stay_refused_with_private),
        cmocka_unit_test(ssrf_check__says_what_would_be_decided),
        cmocka_unit_test(ssrf_check__private_addresses_of_a_name_are_left_out),
        cmocka_unit_test(ssrf_check__needs_host_and_port),
        cmocka_unit_test(net_connect__sends_and_reads_up_to_max_bytes),
        cmocka_unit_test(net_connect__reads_until_the_server_ends),
        cmocka_unit_test(net_connect__server_that_says_no_more_is_answered_at_the_requests_deadline),
        cmocka_unit_test(net_connect__server_that_never_ends_is_read_up_to_the_limit),
        cmocka_unit_test(net_connect__max_bytes_has_a_limit),
        cmocka_unit_test(net_connect__server_that_goes_away_while_we_write_is_an_error_and_no_signal),
    };
    return cmocka_run_group_tests(tests, network_set_up, network_tear_down);
}
