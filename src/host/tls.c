/*
 * What all TLS of the library has in common: certificates, and contexts that owe nothing to ambient settings.
 *
 * OpenSSL applies the process's openssl.cnf (OPENSSL_CONF) to every SSL_CTX, also in a library context of its own. So
 * reglet__tls_harden() puts every setting where it belongs that such a file can change for all contexts; certificates are
 * not among them. A store made in one library context serves an SSL_CTX of another: ours and those of the HTTP client
 * share one.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "host/tls.h"
#include "util/fail.h"

struct reglet__tls {
    pthread_mutex_t lock; /* over what is made on first use; once there, it does not change */
    OSSL_LIB_CTX *library;
    X509_STORE *store;
    SSL_CTX *context;
    BIO_METHOD *socket;
};

/* --- Certificates ----------------------------------------------------------------------------------------- */

static reglet_status read_ca_file(struct reglet__tls *tls, const char *path, reglet_error **err) {
    tls->store = X509_STORE_new();
    if (!tls->store)
        return reglet__fail_memory(err);
    ERR_clear_error();
    if (X509_STORE_load_file_ex(tls->store, path, tls->library, NULL) == 1)
        return REGLET_OK;
    unsigned long error = ERR_get_error();
    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(error))
        return reglet__fail_errno(err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME, ERR_GET_REASON(error),
                                  "ca_file %s: %s", path, reglet__errno_text(ERR_GET_REASON(error)));
    if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
        return reglet__fail_memory(err);
    return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                        "ca_file %s: no certificates in PEM form", path);
}

/* The places that OpenSSL was built with. Its own function for this would look at SSL_CERT_FILE and SSL_CERT_DIR. The
 * directory is looked into while verifying, by the hash of a name. */
static X509_STORE *system_store(OSSL_LIB_CTX *library) {
    const char *file = X509_get_default_cert_file(), *directory = X509_get_default_cert_dir();
    bool has_file = access(file, R_OK) == 0, has_directory = access(directory, R_OK | X_OK) == 0;
    X509_STORE *store = has_file || has_directory ? X509_STORE_new() : NULL;
    if (!store)
        return NULL;
    bool loaded = has_file && X509_STORE_load_file_ex(store, file, library, NULL) == 1;
    loaded = (has_directory && X509_STORE_load_path(store, directory) == 1) || loaded;
    ERR_clear_error();
    if (loaded)
        return store;
    X509_STORE_free(store);
    return NULL;
}

reglet_status reglet__tls_new(const char *ca_file, struct reglet__tls **out, reglet_error **err) {
    struct reglet__tls *tls = calloc(1, sizeof *tls);
    if (!tls || pthread_mutex_init(&tls->lock, NULL) != 0) {
        free(tls);
        return reglet__fail_memory(err);
    }
    reglet_status status = REGLET_OK;
    if (ca_file) {
        tls->library = OSSL_LIB_CTX_new();
        status = tls->library ? read_ca_file(tls, ca_file, err) : reglet__fail_memory(err);
    }
    if (status != REGLET_OK) {
        reglet__tls_free(tls);
        return status;
    }
    *out = tls;
    return REGLET_OK;
}

void reglet__tls_free(struct reglet__tls *tls) {
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->socket);
    X509_STORE_free(tls->store);
    OSSL_LIB_CTX_free(tls->library);
    pthread_mutex_destroy(&tls->lock);
    free(tls);
}

/* With the lock held. */
static X509_STORE *store_locked(struct reglet__tls *tls) {
    if (!tls->library)
        tls->library = OSSL_LIB_CTX_new();
    if (!tls->store && tls->library)
        tls->store = system_store(tls->library);
    return tls->store;
}

X509_STORE *reglet__tls_store(struct reglet__tls *tls) {
    pthread_mutex_lock(&tls->lock);
    X509_STORE *store = store_locked(tls);
    pthread_mutex_unlock(&tls->lock);
    return store;
}

/* --- Contexts --------------------------------------------------------------------------------------------- */

/* What a configuration file can set and what has no function to take it back. */
static bool set_algorithms(SSL_CTX *context) {
    return SSL_CTX_set_cipher_list(context, OSSL_default_cipher_list()) == 1 &&
           SSL_CTX_set_ciphersuites(context, OSSL_default_ciphersuites()) == 1 &&
           SSL_CTX_set1_groups_list(context, "X25519:P-256:X448:P-521:P-384") == 1 &&
           SSL_CTX_set1_sigalgs_list(context, "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448:"
                                              "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"
                                              "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"
                                              "RSA+SHA256:RSA+SHA384:RSA+SHA512") == 1;
}

/* A record's header comes before its content is looked at. */
static void count_record(struct reglet__host_request *request, bool sent, const unsigned char *header) {
    size_t size = SSL3_RT_HEADER_LENGTH + ((size_t)header[3] << 8 | header[4]);
    (void)(sent ? reglet__host_sent(request, size) : reglet__host_received(request, size));
}

/*
 * OpenSSL skips messages that carry nothing for as long as there are any, and libcurl frames of HTTP/2; a server that never
 * stops to send them holds both, past every deadline and quota. So both are looked at with each record and message that
 * comes, and the connection is taken for ended then.
 */
static void watch(int sent, int version, int type, const void *message, size_t size, SSL *ssl,
                  void *watching) {
    struct reglet__host_request *request = watching;
    (void)version;
    if (!request)
        return;
    if (type == SSL3_RT_HEADER && size == SSL3_RT_HEADER_LENGTH)
        count_record(request, sent, message);
    if (request->ended || (!sent && reglet__host_check(request) != REGLET_OK))
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

static bool harden(SSL_CTX *context, X509_STORE *store) {
    SSL_CTX_clear_options(context, SSL_CTX_get_options(context));
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                     SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
    /* 2: at least 112 bits of security, so no RSA below 2048 bits and no SHA-1 in signatures. */
    SSL_CTX_set_security_level(context, 2);
    SSL_CTX_set_keylog_callback(context, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_msg_callback(context, watch);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set1_cert_store(context, store);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, 0) == 1 && set_algorithms(context);
}

bool reglet__tls_harden(struct reglet__tls *tls, SSL_CTX *context, struct reglet__host_request *request) {
    X509_STORE *store = reglet__tls_store(tls);
    SSL_CTX_set_msg_callback_arg(context, request);
    return store && harden(context, store);
}

bool reglet__tls_expect(X509_VERIFY_PARAM *param, const struct reglet__endpoint *endpoint) {
    const struct reglet__address *address = &endpoint->address;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (endpoint->name[0])
        return X509_VERIFY_PARAM_set1_host(param, endpoint->name, 0) == 1;
    return X509_VERIFY_PARAM_set1_ip(param, address->bytes, address->is_ipv6 ? 16 : 4) == 1;
}

/* --- Sockets ---------------------------------------------------------------------------------------------- */

/* OpenSSL's own BIO for sockets writes with write(), which raises SIGPIPE in the program around the library when the peer
 * is gone. */
static int socket_of(BIO *bio) {
    return (int)(intptr_t)BIO_get_data(bio);
}

static int socket_write(BIO *bio, const char *data, int size) {
    BIO_clear_retry_flags(bio);
    ssize_t n = send(socket_of(bio), data, (size_t)size, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)n;
}

static int socket_read(BIO *bio, char *out, int size) {
    BIO_clear_retry_flags(bio);
    ssize_t n = recv(socket_of(bio), out, (size_t)size, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    if (n == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)n;
}

static long socket_control(BIO *bio, int command, long number, void *pointer) {
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *socket_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "reglet socket");
    if (method && BIO_meth_set_write(method, socket_write) && BIO_meth_set_read(method, socket_read) &&
        BIO_meth_set_ctrl(method, socket_control))
        return method;
    BIO_meth_free(method);
    return NULL;
}

static BIO *new_socket(const BIO_METHOD *method, int fd) {
    BIO *bio = BIO_new(method);
    if (bio) {
        BIO_set_data(bio, (void *)(intptr_t)fd);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* --- Sessions --------------------------------------------------------------------------------------------- */

/* One for all: it keeps nothing from one connection to the next. */
static SSL_CTX *get_context(struct reglet__tls *tls) {
    pthread_mutex_lock(&tls->lock);
    X509_STORE *store = store_locked(tls);
    if (!tls->context && store) {
        SSL_CTX *context = SSL_CTX_new_ex(tls->library, NULL, TLS_client_method());
        if (!tls->socket)
            tls->socket = socket_method();
        if (context && tls->socket && harden(context, store))
            tls->context = context;
        else
            SSL_CTX_free(context);
    }
    SSL_CTX *context = tls->context;
    pthread_mutex_unlock(&tls->lock);
    return context;
}

SSL *reglet__tls_session(struct reglet__tls *tls, int fd, struct reglet__host_request *request) {
    SSL_CTX *context = get_context(tls);
    SSL *ssl = context ? SSL_new(context) : NULL;
    BIO *bio = ssl ? new_socket(tls->socket, fd) : NULL;
    if (!bio) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_bio(ssl, bio, bio);
    SSL_set_msg_callback_arg(ssl, request);
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* Messages without data, of which a server can send any number, come back to us and so to the deadline. */
    SSL_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
    return ssl;
}
