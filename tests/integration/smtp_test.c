/* smtp_connect against mail servers on loopback, well behaved and not. */
#define _GNU_SOURCE
#include "tests/integration/network_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *greet(const char *server, const char *more) {
    return relay(plugin, "smtp_connect", "{'host': 'localhost', 'port': '%d', 'timeout_ms': 20000%s}",
                 servers_port(servers, server), more);
}

/* What the servers were told in their last session, with a space between commands: "EHLO localhost QUIT". */
static void expect_commands(const char *expected) {
    char told[512] = "", pointer[64], *log = servers_log(servers);
    for (int i = 0; i < 16; i++) {
        snprintf(pointer, sizeof pointer, "/smtp/%d/command", i);
        char *command = json_member(log, pointer);
        if (command)
            snprintf(told + strlen(told), sizeof told - strlen(told), "%s%s", i ? " " : "", command);
        free(command);
    }
    assert_string_equal(told, expected);
    free(log);
}

/* --- Servers that behave ---------------------------------------------------------------------------------- */

static void smtp_connect__banner_is_told(void **state) {
    (void)state;
    servers_reset(servers);
    char *response = greet("smtp", "");
    expect_member(response, "/connected", "true");
    expect_member(response, "/banner", "220 mail.example.test ESMTP tests");
    expect_member_contains(response, "/address", "localhost:");
    expect_member(response, "/tls", "false");
    expect_member(response, "/error", NULL);
    assert_int_equal(json_number(response, "/response_time_ms"), json_number(response, "/latency_ms"));
    free(response);
    expect_commands("EHLO localhost QUIT");
    response =
        relay(plugin, "smtp_connect", "{'host': 'localhost', 'port': %d}", servers_port(servers, "smtp"));
    expect_member(response, "/connected", "true");
    free(response);
}

static void smtp_connect__banner_of_several_lines_is_kept(void **state) {
    (void)state;
    char *response = greet("smtp_multi_line", "");
    expect_member(response, "/banner", "220 mail.example.test ESMTP\nsecond line\nthird line");
    expect_member(response, "/connected", "true");
    free(response);
}

static void smtp_connect__server_without_ehlo_is_greeted_the_old_way(void **state) {
    (void)state;
    servers_reset(servers);
    char *response = greet("smtp_no_ehlo", "");
    expect_member(response, "/connected", "true");
    free(response);
    expect_commands("EHLO localhost HELO localhost QUIT");
}

static void smtp_connect__slow_banner_is_waited_for(void **state) {
    (void)state;
    char *response = greet("smtp_slow", "");
    expect_member(response, "/connected", "true");
    free(response);
}

/* --- TLS -------------------------------------------------------------------------------------------------- */

static void smtp_connect__starttls_makes_the_rest_of_it_tls(void **state) {
    (void)state;
    servers_reset(servers);
    char *response = greet("smtp", ", 'starttls': true");
    expect_member(response, "/connected", "true");
    expect_member(response, "/tls", "true");
    expect_member(response, "/tls_version", "TLS 1.3");
    expect_member_contains(response, "/tls_cipher_suite", "TLS_AES_");
    expect_member(response, "/tls_server_name", "localhost");
    free(response);
    expect_commands("EHLO localhost STARTTLS EHLO localhost QUIT");
    char *log = servers_log(servers);
    expect_member(log, "/smtp/1/tls", "false");
    expect_member(log, "/smtp/2/tls", "true");
    free(log);
    response = greet("smtp", ", 'use_starttls': true");
    expect_member(response, "/tls", "true");
    free(response);
}

static void smtp_connect__tls_comes_first_where_it_is_asked(void **state) {
    (void)state;
    static const char *const requests[] = {", 'tls': true", ", 'use_tls': true",
                                           ", 'tls': true, 'starttls': true"};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        char *response = greet("smtps", requests[i]);
        expect_member(response, "/connected", "true");
        expect_member(response, "/tls", "true");
        expect_member(response, "/banner", "220 mail.example.test ESMTP tests");
        free(response);
    }
}

static void smtp_connect__certificates_are_verified(void **state) {
    (void)state;
    expect_error(greet("smtp_expired", ", 'starttls': true"), "network", "ECERT", "certificate has expired");
    expect_error(greet("smtp_wrong_name", ", 'starttls': true"), "network", "ECERT", "hostname mismatch");
    expect_error(greet("smtps_self_signed", ", 'tls': true"), "network", "ECERT", "self-signed certificate");
}

/* Somebody between us and the server can take STARTTLS out of its answer. */
static void smtp_connect__starttls_that_is_not_offered_is_an_error(void **state) {
    (void)state;
    servers_reset(servers);
    char *response = greet("smtp_no_starttls", ", 'starttls': true");
    expect_member(response, "/banner", "220 mail.example.test ESMTP tests");
    expect_error(response, "network", "ESTARTTLS", "does not offer STARTTLS");
    expect_commands("EHLO localhost QUIT");
    expect_error(greet("smtp_no_ehlo", ", 'starttls': true"), "network", "ESTARTTLS",
                 "does not offer STARTTLS");
}

static void smtp_connect__starttls_that_is_refused_is_an_error(void **state) {
    (void)state;
    servers_reset(servers);
    expect_error(greet("smtp_refuses_starttls", ", 'starttls': true"), "network", "ESTARTTLS",
                 "454 TLS is not available");
    expect_commands("EHLO localhost STARTTLS QUIT");
}

static void smtp_connect__plain_text_behind_the_answer_to_starttls_is_refused(void **state) {
    (void)state;
    expect_error(greet("smtp_injection", ", 'starttls': true"), "network", "EPROTO",
                 "plain text behind its answer to STARTTLS");
}

static void smtp_connect__plain_server_asked_by_tls_is_eproto(void **state) {
    (void)state;
    expect_error(greet("smtp", ", 'tls': true"), "network", "EPROTO", "TLS handshake");
}

/* --- Servers that do not behave --------------------------------------------------------------------------- */

static void smtp_connect__endless_replies_are_cut(void **state) {
    (void)state;
    expect_error(greet("smtp_endless_banner", ""), "network", "EPROTO", "a line that is too long");
    expect_error(greet("smtp_endless_lines", ""), "network", "EPROTO", "too many lines");
    expect_error(greet("smtp_endless_ehlo", ""), "network", "EPROTO", "too many lines");
}

static void smtp_connect__server_that_refuses_is_quoted(void **state) {
    (void)state;
    char *response = greet("smtp_554", "");
    expect_member(response, "/banner", "554 mail.example.test has no SMTP for you");
    expect_error(response, "network", "ESMTP",
                 "refuses the connection: 554 mail.example.test has no SMTP for you");
}

static void smtp_connect__other_protocols_are_eproto(void **state) {
    (void)state;
    expect_error(greet("smtp_garbage", ""), "network", "EPROTO", "is no mail server");
    expect_error(greet("tcp_greets", ""), "network", "EPROTO", "is no mail server");
}

static void smtp_connect__server_that_goes_away_is_econnreset(void **state) {
    (void)state;
    expect_error(greet("smtp_closes", ""), "network", "ECONNRESET", "closed the connection");
    expect_error(greet("tcp_closes", ""), "network", "ECONNRESET", "");
}

static void smtp_connect__banner_that_is_no_text_is_repaired(void **state) {
    (void)state;
    char *response = greet("smtp_binary_banner", "");
    expect_member(response, "/connected", "true");
    assert_null(strchr(response, '\x1b'));
    expect_member_contains(response, "/banner", "220 mail");
    free(response);
}

/* CR LF in the host would be a second command; nothing of the request is ever sent. */
static void smtp_connect__line_break_in_the_host_is_refused(void **state) {
    (void)state;
    char *response = relay(plugin, "smtp_connect", "{'host': 'localhost\\r\\nMAIL FROM:<a@b>', 'port': 25}");
    expect_member(response, "/error/type", "validation");
    free(response);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smtp_connect__banner_is_told),
        cmocka_unit_test(smtp_connect__banner_of_several_lines_is_kept),
        cmocka_unit_test(smtp_connect__server_without_ehlo_is_greeted_the_old_way),
        cmocka_unit_test(smtp_connect__slow_banner_is_waited_for),
        cmocka_unit_test(smtp_connect__starttls_makes_the_rest_of_it_tls),
        cmocka_unit_test(smtp_connect__tls_comes_first_where_it_is_asked),
        cmocka_unit_test(smtp_connect__certificates_are_verified),
        cmocka_unit_test(smtp_connect__starttls_that_is_not_offered_is_an_error),
        cmocka_unit_test(smtp_connect__starttls_that_is_refused_is_an_error),
        cmocka_unit_test(smtp_connect__plain_text_behind_the_answer_to_starttls_is_refused),
        cmocka_unit_test(smtp_connect__plain_server_asked_by_tls_is_eproto),
        cmocka_unit_test(smtp_connect__endless_replies_are_cut),
        cmocka_unit_test(smtp_connect__server_that_refuses_is_quoted),
        cmocka_unit_test(smtp_connect__other_protocols_are_eproto),
        cmocka_unit_test(smtp_connect__server_that_goes_away_is_econnreset),
        cmocka_unit_test(smtp_connect__banner_that_is_no_text_is_repaired),
        cmocka_unit_test(smtp_connect__line_break_in_the_host_is_refused),
    };
    return cmocka_run_group_tests(tests, network_set_up, network_tear_down);
}
