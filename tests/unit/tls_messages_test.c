/* Messages of TLS that carry nothing, from a server that never stops to send them. */
#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <errno.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/tls.h"

enum { MANY = 20000 }; /* messages; beyond any limit, and still an end */

static EVP_PKEY *key;
static X509 *certificate;
static struct reglet__tls *tls;

/* --- The server ------------------------------------------------------------------------------------------- */

struct server {
    pthread_t thread;
    int fd;
    int version;
    int (*send)(SSL *ssl); /* 1 when it was sent */
    atomic_int sent;
};

static int send_ticket(SSL *ssl) {
    return SSL_new_session_ticket(ssl) == 1 ? SSL_do_handshake(ssl) : 0;
}

static int send_key_update(SSL *ssl) {
    return SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 ? SSL_do_handshake(ssl) : 0;
}

/* A HelloRequest, as TLS 1.2 has it. */
static int ask_for_another_handshake(SSL *ssl) {
    return SSL_renegotiate(ssl) == 1 ? SSL_do_handshake(ssl) : 0;
}

static void *serve(void *argument) {
    struct server *server = argument;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    SSL_CTX_set_min_proto_version(context, server->version);
    SSL_CTX_set_max_proto_version(context, server->version);
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, server->fd);
    if (SSL_accept(ssl) == 1) {
        while (server->sent < MANY && server->send(ssl) == 1)
            server->sent++;
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(server->fd);
    return NULL;
}

/* --- The client ------------------------------------------------------------------------------------------- */

/* Reads until there is an end that is not a pause between two messages. Returns how many pauses there were. */
static int read_to_the_end(SSL *ssl) {
    char byte;
    size_t count;
    int pauses = 0, result;
    while ((result = SSL_read_ex(ssl, &byte, 1, &count)) != 1 &&
           SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ)
        pauses++;
    assert_int_equal(result, 0);
    return pauses;
}

static void expect_end(int version, int (*send)(SSL *ssl), long mode) {
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct server server = {.fd = pair[1], .version = version, .send = send};
    assert_int_equal(pthread_create(&server.thread, NULL, serve, &server), 0);
    SSL *ssl = reglet__tls_session(tls, pair[0]);
    assert_non_null(ssl);
    SSL_set_mode(ssl, mode);
    assert_int_equal(SSL_connect(ssl), 1);
    assert_in_range(read_to_the_end(ssl), 0, REGLET__MAX_TLS_MESSAGES + 1);
    int sent = server.sent; /* also what waits in the socket */
    SSL_free(ssl);
    close(pair[0]);
    pthread_join(server.thread, NULL);
    assert_in_range(sent, 1, MANY - 1);
}

static void messages__without_end_end_the_connection(void **state) {
    (void)state;
    expect_end(TLS1_3_VERSION, send_ticket, 0);
    expect_end(TLS1_3_VERSION, send_key_update, 0);
}

/* As libcurl reads: OpenSSL goes on by itself for as long as there are messages, past every deadline. */
static void messages__without_end_do_not_hold_who_reads_on(void **state) {
    (void)state;
    expect_end(TLS1_3_VERSION, send_ticket, SSL_MODE_AUTO_RETRY);
    expect_end(TLS1_3_VERSION, send_key_update, SSL_MODE_AUTO_RETRY);
    expect_end(TLS1_2_VERSION, ask_for_another_handshake, SSL_MODE_AUTO_RETRY);
}

/* --- A certificate, and who trusts it --------------------------------------------------------------------- */

static int start(void **state) {
    (void)state;
    static const unsigned char name[] = "localhost";
    char path[] = "/tmp/reglet-tls-XXXXXX";
    signal(SIGPIPE, SIG_IGN); /* the server's */
    key = EVP_EC_gen("P-256");
    certificate = X509_new();
    assert_true(key && certificate);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, name, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    fclose(file);
    assert_int_equal(reglet__tls_new(path, &tls, NULL), REGLET_OK);
    unlink(path);
    return 0;
}

static int stop(void **state) {
    (void)state;
    reglet__tls_free(tls);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages__without_end_end_the_connection),
        cmocka_unit_test(messages__without_end_do_not_hold_who_reads_on),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
