/*
 * TLS of tcp_connect and net_connect. With the argument "weak" all of it runs under an OPENSSL_CONF that would allow old
 * versions, weak keys, another authority and servers that nobody verified: nothing may change.
 */
#define _GNU_SOURCE
#include "tests/integration/network_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char key_log[64];
static bool weak;

/* Settings of a process: the test's own authority is the one that they trust, and a certificate is there to be shown. */
static void weaken(void) {
    char path[256];
    snprintf(path, sizeof path, "%s/openssl.cnf", servers_path(servers, "directory"));
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(
        file,
        "openssl_conf = settings\n[settings]\nssl_conf = contexts\n[contexts]\nsystem_default = weak\n[weak]\n"
        "MinProtocol = TLSv1\nMaxProtocol = TLSv1.2\nCipherString = ALL:@SECLEVEL=0\nVerifyMode = None\n"
        "SignatureAlgorithms = RSA+SHA1:ECDSA+SHA1:ECDSA+SHA256\nGroups = P-521\n"
        "Options = UnsafeLegacyRenegotiation,Compression\nVerifyCAFile = %s\nChainCAFile = %s\n"
        "Certificate = %s/good.pem\nPrivateKey = %s/good.pem\n",
        servers_path(servers, "ca"), servers_path(servers, "ca"), servers_path(servers, "directory"),
        servers_path(servers, "directory"));
    assert_int_equal(fclose(file), 0);
    setenv("OPENSSL_CONF", path, 1);
}

/* The variables are those that other programs and libraries heed; set before anything uses OpenSSL. */
static int start(void **state) {
    (void)state;
    servers = servers_start();
    snprintf(key_log, sizeof key_log, "/tmp/reglet-keylog-%d", (int)getpid());
    setenv("SSLKEYLOGFILE", key_log, 1);
    setenv("SSL_CERT_FILE", servers_path(servers, "ca"), 1);
    setenv("SSL_CERT_DIR", servers_path(servers, "directory"), 1);
    if (weak)
        weaken();
    network_start(servers, network_everywhere);
    return 0;
}

static char *connect_to(const char *host, const char *server) {
    return ask("tcp_connect", host, server, ", 'tls': true, 'timeout_ms': 10000");
}

/* --- What is told ----------------------------------------------------------------------------------------- */

static void tls__tells_version_cipher_and_certificate(void **state) {
    (void)state;
    char *response = connect_to("localhost", "tls");
    expect_member(response, "/connected", "true");
    expect_member(response, "/tls", "true");
    expect_member(response, "/tls_version", "TLS 1.3");
    expect_member_contains(response, "/tls_cipher_suite", "TLS_AES_");
    expect_member(response, "/tls_server_name", "localhost");
    expect_member(response, "/tls_cert_subject", "CN=localhost,O=Tests\\, Inc.");
    expect_member(response, "/tls_cert_issuer", "CN=Test CA,O=Tests\\, Inc.");
    char *end = json_member(response, "/tls_cert_not_after");
    assert_int_equal(strlen(end), strlen("2026-01-02T03:04:05Z"));
    assert_int_equal(end[strlen(end) - 1], 'Z');
    expect_member(response, "/tls_cert_expiry", end);
    free(end);
    free(response);
}

/* The newer plugins' spelling of the request; the response is the same. */
static void tls__is_asked_for_by_either_name(void **state) {
    (void)state;
    static const char *const functions[] = {"tcp_connect", "net_connect"};
    for (size_t i = 0; i < 2; i++) {
        char *response = relay(plugin, functions[i],
                               "{'host': 'localhost', 'port': '%d', 'use_tls': true, "
                               "'max_bytes': 1, 'timeout_ms': 1000}",
                               servers_port(servers, "tls_greets"));
        expect_member(response, "/connected", "true");
        expect_member(response, "/tls", "true");
        expect_member_contains(response, "/tls_version", "TLS 1.");
        expect_member_contains(response, "/tls_cert_expiry", "Z");
        expect_member_contains(response, "/tls_cert_not_after", "Z");
        free(response);
    }
}

static void tls__version_1_2_is_spelled_as_people_write_it(void **state) {
    (void)state;
    char *response = connect_to("localhost", "tls_1_2");
    expect_member(response, "/tls_version", "TLS 1.2");
    expect_member_contains(response, "/tls_cipher_suite", "TLS_ECDHE_ECDSA_WITH_");
    free(response);
}

static void tls__certificate_is_for_addresses_too(void **state) {
    (void)state;
    char *response = connect_to("127.0.0.1", "tls");
    expect_member(response, "/connected", "true");
    expect_member(response, "/tls_server_name", "127.0.0.1");
    free(response);
}

static void tls__wildcard_is_for_one_label(void **state) {
    (void)state;
    char *response = connect_to("loopback.example.test", "tls");
    expect_member(response, "/connected", "true");
    free(response);
    expect_error(connect_to("127-0-0-1.ip.example.test", "tls"), "network", "ECERT", "hostname mismatch");
}

static void tls__name_is_sent_and_an_address_is_not(void **state) {
    (void)state;
    servers_reset(servers);
    free(connect_to("localhost", "tls_1_3"));
    free(connect_to("127.0.0.1", "tls_1_3"));
    char *log = servers_log_with(servers, "/tls/1/resumed");
    expect_member(log, "/tls/0/server_name", "localhost");
    expect_member(log, "/tls/1/server_name", NULL);
    expect_member(log, "/tls/1/resumed", "false");
    free(log);
}

/* --- What is refused -------------------------------------------------------------------------------------- */

static void tls__certificate_that_does_not_hold_is_ecert_with_the_reason(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"tls_expired", "certificate has expired"},
                                           {"tls_not_yet_valid", "certificate is not yet valid"},
                                           {"tls_self_signed", "self-signed certificate"},
                                           {"tls_untrusted", "unable to get local issuer certificate"},
                                           {"tls_wrong_name", "hostname mismatch"},
                                           {"tls_common_name_only", "hostname mismatch"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *response = connect_to("localhost", cases[i][0]);
        expect_member_contains(response, "/error/message", "CN=localhost");
        expect_error(response, "network", "ECERT", cases[i][1]);
    }
    expect_error(connect_to("127.0.0.1", "tls_wrong_name"), "network", "ECERT", "IP address mismatch");
}

static void tls__version_1_1_is_refused(void **state) {
    (void)state;
    expect_error(connect_to("localhost", "tls_1_1"), "network", "EPROTO", "TLS handshake with 127.0.0.1:");
}

static void tls__server_that_speaks_something_else_is_eproto(void **state) {
    (void)state;
    expect_error(connect_to("localhost", "tls_garbage"), "network", "EPROTO", "wrong version number");
    expect_error(connect_to("localhost", "tls_closes"), "network", "EPROTO", "TLS handshake with 127.0.0.1:");
    expect_error(connect_to("localhost", "tcp"), "network", "EPROTO", "TLS handshake with 127.0.0.1:");
}

/* The attack: a client that skips messages for as long as there are any is held beyond its deadline. */
static void tls__messages_without_end_end_at_the_deadline(void **state) {
    (void)state;
    int64_t began_ms = now_ms();
    expect_error(relay(plugin, "tcp_connect",
                       "{'host': 'localhost', 'port': %d, 'tls': true, 'timeout_ms': 300}",
                       servers_port(servers, "tls_requests_hello")),
                 "timeout", "ETIMEDOUT", "deadline");
    assert_in_range(now_ms() - began_ms, 300, 5000);
}

static void tls__end_without_goodbye_is_told_apart_from_an_end(void **state) {
    (void)state;
    char *response = relay(plugin, "net_connect", "{'host': 'localhost', 'port': %d, 'tls': true}",
                           servers_port(servers, "tls_greets"));
    expect_member(response, "/data", "aGVsbG8K");
    expect_member(response, "/data_end", "closed");
    expect_member(response, "/error", NULL);
    free(response);
    response = relay(plugin, "net_connect", "{'host': 'localhost', 'port': %d, 'use_tls': true}",
                     servers_port(servers, "tls_cut"));
    expect_member(response, "/data", "aGVsbG8K");
    expect_member(response, "/data_end", "error");
    expect_member(response, "/error/code", "EPROTO");
    free(response);
}

static void tls__exchanges_bytes(void **state) {
    (void)state;
    char *response =
        relay(plugin, "net_connect",
              "{'host': 'localhost', 'port': %d, 'tls': true, 'data': 'aGVsbG8K', 'max_bytes': 6}",
              servers_port(servers, "tls"));
    expect_member(response, "/data", "aGVsbG8K");
    expect_member(response, "/data_end", "max_bytes");
    free(response);
}

/* --- Certificates and ambient settings -------------------------------------------------------------------- */

/* What a plugin is told of localhost in a runtime with another ca_file. */
static char *connect_trusting(const char *ca_file, const char *server) {
    reglet_runtime *other;
    reglet_runtime_options options = network_options();
    options.ca_file = ca_file;
    reglet_plugin *guest = network_load(&other, options, network_everywhere);
    char *response = relay(guest, "tcp_connect", "{'host': 'localhost', 'port': %d, 'tls': true}",
                           servers_port(servers, server));
    reglet_plugin_unref(guest);
    reglet_runtime_free(other);
    return response;
}

/* SSL_CERT_FILE names the tests' authority, and is not heeded. */
static void tls__system_store_is_read_without_the_environment(void **state) {
    (void)state;
    expect_error(connect_trusting(NULL, "tls"), "network", "ECERT", "certificate");
}

static void tls__self_signed_certificate_can_be_the_ca_file(void **state) {
    (void)state;
    char *response = connect_trusting(servers_path(servers, "self_signed_ca"), "tls_self_signed");
    expect_member(response, "/connected", "true");
    free(response);
}

static void tls__ca_file_that_is_none_refuses_the_runtime(void **state) {
    (void)state;
    const struct {
        const char *path, *message;
        reglet_status status;
    } cases[] = {
        {"/nonexistent/ca.pem", "ca_file /nonexistent/ca.pem: No such file or directory", REGLET_ERR_IO},
        {"/dev/null", "ca_file /dev/null: no certificates in PEM form", REGLET_ERR_INVALID_ARGUMENT},
        {"/etc", "ca_file /etc: no certificates in PEM form", REGLET_ERR_INVALID_ARGUMENT},
        {guest_path("relay"), "no certificates in PEM form", REGLET_ERR_INVALID_ARGUMENT}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
        reglet_runtime *none = NULL;
        reglet_error *error = NULL;
        options.ca_file = cases[i].path;
        assert_int_equal(reglet_runtime_new(&options, &none, &error), cases[i].status);
        assert_null(none);
        assert_non_null(strstr(reglet_error_message(error), cases[i].message));
        reglet_error_free(error);
    }
}

/* Last: after every handshake above. */
static void tls__keys_are_not_logged(void **state) {
    (void)state;
    assert_int_not_equal(access(key_log, F_OK), 0);
}

int main(int argc, char **argv) {
    weak = argc > 1 && strcmp(argv[1], "weak") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls__tells_version_cipher_and_certificate),
        cmocka_unit_test(tls__is_asked_for_by_either_name),
        cmocka_unit_test(tls__version_1_2_is_spelled_as_people_write_it),
        cmocka_unit_test(tls__certificate_is_for_addresses_too),
        cmocka_unit_test(tls__wildcard_is_for_one_label),
        cmocka_unit_test(tls__name_is_sent_and_an_address_is_not),
        cmocka_unit_test(tls__certificate_that_does_not_hold_is_ecert_with_the_reason),
        cmocka_unit_test(tls__version_1_1_is_refused),
        cmocka_unit_test(tls__server_that_speaks_something_else_is_eproto),
        cmocka_unit_test(tls__messages_without_end_end_at_the_deadline),
        cmocka_unit_test(tls__end_without_goodbye_is_told_apart_from_an_end),
        cmocka_unit_test(tls__exchanges_bytes),
        cmocka_unit_test(tls__system_store_is_read_without_the_environment),
        cmocka_unit_test(tls__self_signed_certificate_can_be_the_ca_file),
        cmocka_unit_test(tls__ca_file_that_is_none_refuses_the_runtime),
        cmocka_unit_test(tls__keys_are_not_logged),
    };
    return cmocka_run_group_tests(tests, start, network_tear_down);
}
