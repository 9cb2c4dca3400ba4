/* Messages of TLS that carry nothing, from a server that never stops to send them: who reads is not held beyond the deadline. */
#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <errno.h>
#include <openssl/pem.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/tls.h"

enum { MANY = 1000000 }; /* messages: seconds of reading */

static EVP_PKEY *key;
static X509 *certificate;
static struct reglet__tls *tls;

/* --- The server ------------------------------------------------------------------------------------------- */

struct server {
    pthread_t thread;
    int fd;
    int (*send)(SSL *ssl); /* 1 when it was sent */
    atomic_int sent;
};

static int send_ticket(SSL *ssl) {
    return SSL_new_session_ticket(ssl) == 1 ? SSL_do_handshake(ssl) : 0;
}

static int send_key_update(SSL *ssl) {
    return SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 ? SSL_do_handshake(ssl) : 0;
}

/* OpenSSL does not mind that nobody is left to take a ticket. */
static bool is_open(int fd) {
    struct pollfd peer = {.fd = fd};
    return poll(&peer, 1, 0) == 0 || !(peer.revents & (POLLHUP | POLLERR));
}

static void *serve(void *argument) {
    struct server *server = argument;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, server->fd);
    if (SSL_accept(ssl) == 1) {
        while (server->sent < MANY && is_open(server->fd) && server->send(ssl) == 1)
            server->sent++;
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(server->fd);
    return NULL;
}

/* --- The client ------------------------------------------------------------------------------------------- */

/* OpenSSL reads on by itself, as it does for libcurl, for as long as there are messages. */
static void expect_end(int (*send)(SSL *ssl)) {
    int pair[2];
    char byte;
    size_t count;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct server server = {.fd = pair[1], .send = send};
    assert_int_equal(pthread_create(&server.thread, NULL, serve, &server), 0);
    struct reglet__quotas quotas;
    memset(&quotas, 0, sizeof quotas);
    memset(quotas.limits, 0xff, sizeof quotas.limits); /* unlimited */
    struct reglet__host host = {.quotas = &quotas};
    struct reglet__host_request request = {.host = &host, .interrupt.deadline = REGLET__NEVER};
    SSL *ssl = reglet__tls_session(tls, pair[0], &request);
    assert_non_null(ssl);
    SSL_set_mode(ssl, SSL_MODE_AUTO_RETRY);
    assert_int_equal(SSL_connect(ssl), 1);
    request.interrupt.deadline = reglet__deadline_after_ms(50);
    assert_int_equal(SSL_read_ex(ssl, &byte, 1, &count), 0);
    int sent = server.sent;
    assert_true(reglet__now() >= request.interrupt.deadline);
    SSL_free(ssl);
    close(pair[0]);
    pthread_join(server.thread, NULL);
    assert_in_range(sent, 1, MANY - 1);
}

static void read__tickets_without_end_end_at_the_deadline(void **state) {
    (void)state;
    expect_end(send_ticket);
}

static void read__new_keys_without_end_end_at_the_deadline(void **state) {
    (void)state;
    expect_end(send_key_update);
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
        cmocka_unit_test(read__tickets_without_end_end_at_the_deadline),
        cmocka_unit_test(read__new_keys_without_end_end_at_the_deadline),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
