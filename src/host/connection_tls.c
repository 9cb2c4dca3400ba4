/* TLS over a connection: the handshake with everything that is verified in it, reading, writing, and what to tell of it. */
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "host/connection.h"
#include "host/setup.h"
#include "host/tls.h"

/* --- Failing ---------------------------------------------------------------------------------------------- */

/* Why a certificate was refused: noted while it is verified, since a failed handshake keeps nothing of it. */
struct refusal {
    int error; /* X509_V_ERR_…; 0: not refused */
    char subject[256];
};

/* Always the verdict that OpenSSL came to. */
static int note_refusal(int verdict, X509_STORE_CTX *verifying) {
    SSL *ssl = X509_STORE_CTX_get_ex_data(verifying, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct refusal *refusal = ssl ? SSL_get_app_data(ssl) : NULL;
    X509 *certificate = X509_STORE_CTX_get_current_cert(verifying);
    if (verdict || !refusal || refusal->error)
        return verdict;
    refusal->error = X509_STORE_CTX_get_error(verifying);
    BIO *text = BIO_new(BIO_s_mem());
    if (certificate && text &&
        X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) > 0) {
        int size = BIO_read(text, refusal->subject, sizeof refusal->subject - 1);
        refusal->subject[size > 0 ? size : 0] = '\0';
    }
    BIO_free(text);
    return verdict;
}

/* What OpenSSL says about the last failure, and nothing of it left behind in the thread's queue. */
static const char *take_reason(void) {
    unsigned long error = ERR_peek_last_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    ERR_clear_error();
    return reason ? reason : "no reason is known";
}

/* After a call on `ssl` that returned `result`: waits for what it needs and returns OK, to try again; or ends the
 * request. `what` begins the message. */
static reglet_status after_failure(struct reglet__host_request *request,
                                   const struct reglet__connection *connection, SSL *ssl, int result,
                                   const char *what) {
    int error_number = errno, reason = SSL_get_error(ssl, result);
    reglet_status status = reglet__host_check(request);
    if (status != REGLET_OK) { /* what failed may be its end alone */
        ERR_clear_error();
        return status;
    }
    switch (reason) {
    case SSL_ERROR_WANT_READ: return reglet__connection_wait(request, connection, POLLIN);
    case SSL_ERROR_WANT_WRITE: return reglet__connection_wait(request, connection, POLLOUT);
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        if (error_number != 0)
            return reglet__host_fail_errno(request, "network", error_number, "%s %s", what,
                                           connection->remote);
        return reglet__host_fail(request, "network", "EPROTO", "%s %s: the connection ended", what,
                                 connection->remote);
    default: break;
    }
    return reglet__host_fail(request, "network", "EPROTO", "%s %s: %s", what, connection->remote,
                             take_reason());
}

/* --- The handshake ---------------------------------------------------------------------------------------- */

/* A name is sent along, an address never is (RFC 6066). */
static bool expect_peer(SSL *ssl, const struct reglet__endpoint *endpoint) {
    return reglet__tls_expect(SSL_get0_param(ssl), endpoint) &&
           (!endpoint->name[0] || SSL_set_tlsext_host_name(ssl, endpoint->name) == 1);
}

static reglet_status fail_certificate(struct reglet__host_request *request,
                                      const struct reglet__endpoint *endpoint,
                                      const struct refusal *refusal) {
    _cleanup_free_ char *place = reglet__endpoint_text(endpoint);
    if (!place)
        return REGLET_ERR_NO_MEMORY;
    return reglet__host_fail(request, "network", "ECERT", "TLS with %s: %s (the certificate of \"%s\")",
                             place, X509_verify_cert_error_string(refusal->error), refusal->subject);
}

static reglet_status shake_hands(struct reglet__host_request *request,
                                 const struct reglet__endpoint *endpoint,
                                 const struct reglet__connection *connection, SSL *ssl) {
    struct refusal refusal = {0};
    reglet_status status = REGLET_OK;
    SSL_set_app_data(ssl, &refusal);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, note_refusal);
    while (status == REGLET_OK) {
        ERR_clear_error();
        errno = 0;
        int result = SSL_connect(ssl);
        if (result == 1)
            break;
        if (refusal.error) {
            ERR_clear_error();
            status = fail_certificate(request, endpoint, &refusal);
        } else {
            status = after_failure(request, connection, ssl, result, "TLS handshake with");
        }
    }
    SSL_set_app_data(ssl, NULL);
    return status;
}

reglet_status reglet__connection_start_tls(struct reglet__host_request *request,
                                           const struct reglet__endpoint *endpoint,
                                           struct reglet__connection *connection) {
    struct reglet__tls *tls = request->host->setup->tls;
    if (!reglet__tls_store(tls))
        return reglet__host_fail(
            request, "config", "ECERT",
            "there are no certificates to verify a server with: neither %s nor %s can be read",
            X509_get_default_cert_file(), X509_get_default_cert_dir());
    SSL *ssl = reglet__tls_session(tls, connection->fd, request);
    if (!ssl || !expect_peer(ssl, endpoint)) {
        SSL_free(ssl);
        return reglet__host_fail(request, "internal", "EIO", "TLS cannot be set up: %s", take_reason());
    }
    reglet_status status = shake_hands(request, endpoint, connection, ssl);
    if (status == REGLET_OK)
        connection->ssl = ssl;
    else
        SSL_free(ssl);
    return status;
}

/* --- Reading and writing ---------------------------------------------------------------------------------- */

reglet_status reglet__connection_read_tls(struct reglet__host_request *request,
                                          struct reglet__connection *connection, void *out, size_t size,
                                          size_t *count) {
    for (;;) {
        ERR_clear_error();
        errno = 0;
        int result = SSL_read_ex(connection->ssl, out, size, count);
        if (result == 1)
            return REGLET_OK;
        *count = 0;
        if (SSL_get_error(connection->ssl, result) ==
            SSL_ERROR_ZERO_RETURN) /* of the server, or of the call */
            return reglet__host_check(request);
        reglet_status status = after_failure(request, connection, connection->ssl, result, "read from");
        if (status != REGLET_OK)
            return status;
    }
}

reglet_status reglet__connection_write_tls(struct reglet__host_request *request,
                                           struct reglet__connection *connection, const void *data,
                                           size_t size, size_t *count) {
    for (;;) {
        ERR_clear_error();
        errno = 0;
        int result = SSL_write_ex(connection->ssl, data, size, count);
        if (result == 1)
            return REGLET_OK;
        *count = 0;
        reglet_status status = after_failure(request, connection, connection->ssl, result, "write to");
        if (status != REGLET_OK)
            return status;
    }
}

void reglet__connection_end_tls(struct reglet__connection *connection) {
    if (!connection->ssl)
        return;
    SSL_shutdown(connection->ssl);
    ERR_clear_error();
    SSL_free(take_ptr(connection->ssl));
}

/* --- Telling of it ---------------------------------------------------------------------------------------- */

static const char *version_name(const SSL *ssl) {
    switch (SSL_version(ssl)) {
    case TLS1_2_VERSION: return "TLS 1.2";
    case TLS1_3_VERSION: return "TLS 1.3";
    default: return SSL_get_version(ssl);
    }
}

/* As RFC 2253 has it, but for characters beyond ASCII, which stay as they are. */
static reglet_status put_name(struct reglet__host_request *request, const char *key, const X509_NAME *name) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (!bio || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) {
        BIO_free(bio);
        ERR_clear_error();
        return REGLET_ERR_NO_MEMORY;
    }
    long size = BIO_get_mem_data(bio, &text);
    reglet_status status = reglet__host_put_text(request, key, text ? text : "", size > 0 ? (size_t)size : 0);
    BIO_free(bio);
    return status;
}

/* Not by way of nanoseconds since 1970, which end in 2262: a certificate without an end says 9999. */
static reglet_status put_end(struct reglet__host_request *request, const ASN1_TIME *time) {
    struct tm tm;
    char text[64];
    if (ASN1_TIME_to_tm(time, &tm) != 1) {
        ERR_clear_error();
        return REGLET_OK;
    }
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    reglet_status status = reglet__host_put_string(request, "tls_cert_not_after", text);
    return status == REGLET_OK ? reglet__host_put_string(request, "tls_cert_expiry", text) : status;
}

static reglet_status put_certificate(struct reglet__host_request *request, const SSL *ssl) {
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    if (!certificate)
        return REGLET_OK;
    reglet_status status = put_name(request, "tls_cert_subject", X509_get_subject_name(certificate));
    if (status == REGLET_OK)
        status = put_name(request, "tls_cert_issuer", X509_get_issuer_name(certificate));
    return status == REGLET_OK ? put_end(request, X509_get0_notAfter(certificate)) : status;
}

reglet_status reglet__connection_put_tls(struct reglet__host_request *request,
                                         const struct reglet__connection *connection,
                                         const struct reglet__endpoint *endpoint) {
    SSL *ssl = connection->ssl;
    char ip[REGLET__ADDRESS_TEXT];
    reglet_status status = reglet__host_put_bool(request, "tls", ssl != NULL);
    if (status != REGLET_OK || !ssl)
        return status;
    const char *suite = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl));
    status = reglet__host_put_string(request, "tls_version", version_name(ssl));
    if (status == REGLET_OK)
        status = reglet__host_put_string(request, "tls_cipher_suite", suite ? suite : "");
    if (status == REGLET_OK)
        status = reglet__host_put_string(request, "tls_server_name",
                                         endpoint->name[0] ? endpoint->name
                                                           : reglet__address_text(&endpoint->address, ip));
    return status == REGLET_OK ? put_certificate(request, ssl) : status;
}
