/*
 * One HTTP request and its response, by libcurl with everything switched off that it would take from its surroundings or
 * share: each transfer has handles, a connection and names of its own.
 */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "host/http.h"
#include "host/setup.h"

REGLET_DEFINE_CLEANUP(CURL *, curl_easy_cleanup);
#define _cleanup_easy_ _cleanup_(curl_easy_cleanup_p)

struct transfer {
    struct reglet__host_request *request;
    const struct reglet__http_hop *hop;
    struct reglet__http_response *response;
    CURL *easy;
    struct curl_slist *headers, *resolve;
    size_t header_bytes, header_lines; /* of all that came, with 1xx responses and trailers */
    bool headers_ended;                /* the final ones */
    bool headers_too_long;
    bool enough;        /* a redirect that will be followed */
    bool no_descriptor; /* a socket could not be made */
    char error[CURL_ERROR_SIZE];
};

bool reglet__http_is_redirect(long status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* --- What comes in ---------------------------------------------------------------------------------------- */

/* libcurl 7.88 takes the end of the line for the value of a header that has none. */
static const char *value_of(const struct curl_header *header) {
    return header->value[strspn(header->value, "\r\n")] ? header->value : "";
}

/* A header of the final response, the first of that name; NULL if there is none. */
static const char *header(CURL *easy, const char *name, size_t *amount) {
    struct curl_header *found = NULL;
    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK)
        return NULL;
    if (amount)
        *amount = found->amount;
    return value_of(found);
}

static bool has_location(CURL *easy) {
    const char *location = header(easy, "Location", NULL);
    return location && *location;
}

static void end_headers(struct transfer *transfer) {
    long status = 0;
    size_t codings = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200)
        return;
    transfer->headers_ended = true;
    transfer->enough =
        transfer->hop->follow && reglet__http_is_redirect(status) && has_location(transfer->easy);
    const char *coding = header(transfer->easy, "Content-Encoding", &codings);
    if (transfer->hop->gunzip && coding && codings == 1 && strcasecmp(coding, "gzip") == 0)
        reglet__http_body_gunzip(&transfer->response->body);
}

/* By TLS the records are counted, with all that is in them. */
static bool is_plain(const struct transfer *transfer) {
    return transfer->hop->url->endpoint.scheme == REGLET__SCHEME_HTTP;
}

static bool count_received(const struct transfer *transfer, size_t count) {
    return !is_plain(transfer) || reglet__host_received(transfer->request, count) == REGLET_OK;
}

/* One line, also the empty one at the end. Anything but `count` ends the transfer. */
static size_t on_header(char *line, size_t one, size_t count, void *user) {
    (void)one;
    struct transfer *transfer = user;
    if (!count_received(transfer, count))
        return 0;
    transfer->header_bytes += count;
    if (transfer->header_bytes > REGLET__MAX_HTTP_RESPONSE_HEADER_BYTES ||
        ++transfer->header_lines > REGLET__MAX_HTTP_RESPONSE_HEADERS) {
        transfer->headers_too_long = true;
        return 0;
    }
    if ((line[0] == '\r' || line[0] == '\n') && !transfer->headers_ended)
        end_headers(transfer);
    return transfer->enough ? 0 : count;
}

static size_t on_body(char *data, size_t one, size_t count, void *user) {
    (void)one;
    struct transfer *transfer = user;
    if (!count_received(transfer, count))
        return 0;
    return reglet__http_body_add(&transfer->response->body, data, count) ? count : 0;
}

/* --- Where it may connect to ------------------------------------------------------------------------------ */

static bool is_target(const struct reglet__target *target, const struct curl_sockaddr *to) {
    struct sockaddr_storage judged;
    for (size_t i = 0; i < target->address_count; i++) {
        socklen_t size = reglet__address_sockaddr(&target->addresses[i], target->endpoint.port, &judged);
        const struct sockaddr_in *in = (const void *)&to->addr;
        const struct sockaddr_in6 *in6 = (const void *)&to->addr;
        if (to->family != judged.ss_family || to->addrlen < size)
            continue;
        if (to->family == AF_INET) {
            const struct sockaddr_in *known = (const void *)&judged;
            if (in->sin_port == known->sin_port && in->sin_addr.s_addr == known->sin_addr.s_addr)
                return true;
        } else {
            const struct sockaddr_in6 *known = (const void *)&judged;
            if (in6->sin6_port == known->sin6_port && in6->sin6_scope_id == 0 &&
                memcmp(&in6->sin6_addr, &known->sin6_addr, sizeof known->sin6_addr) == 0)
                return true;
        }
    }
    return false;
}

/* The last word: wherever libcurl has an address from, it gets a socket for a judged one alone. */
static curl_socket_t on_socket(void *user, curlsocktype purpose, struct curl_sockaddr *to) {
    struct transfer *transfer = user;
    if (purpose != CURLSOCKTYPE_IPCXN || !is_target(transfer->hop->target, to)) {
        errno = EACCES;
        return CURL_SOCKET_BAD;
    }
    int fd = socket(to->family, to->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->protocol);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        transfer->no_descriptor = true;
    return fd;
}

/* "a.example:443:192.0.2.1,[2001:db8::1]": libcurl looks no name up. */
static bool pin_addresses(struct transfer *transfer) {
    const struct reglet__target *target = transfer->hop->target;
    _cleanup_buf_ struct reglet__buf entry = REGLET__BUF_INIT(SIZE_MAX / 2);
    if (!target->endpoint.name[0])
        return true;
    reglet__buf_appendf(&entry, "%s:%u:", target->endpoint.name, (unsigned)target->endpoint.port);
    for (size_t i = 0; i < target->address_count; i++) {
        char ip[REGLET__ADDRESS_TEXT];
        bool is_ipv6 = target->addresses[i].is_ipv6;
        reglet__buf_appendf(&entry, "%s%s%s%s", i ? "," : "", is_ipv6 ? "[" : "",
                            reglet__address_text(&target->addresses[i], ip), is_ipv6 ? "]" : "");
    }
    if (entry.status == REGLET_OK)
        transfer->resolve = curl_slist_append(NULL, entry.data);
    return transfer->resolve != NULL;
}

/*
 * libcurl 7.88 and later fills and flags the context's own store while it shakes hands, after this function. That one is
 * an empty one of this context; the shared one, which many threads use, is for verifying alone and out of its reach.
 * Whom the certificate is for it looks at too, and would settle for the subject's common name.
 */
static CURLcode on_tls(CURL *easy, void *context, void *user) {
    (void)easy;
    const struct transfer *transfer = user;
    struct reglet__tls *tls = transfer->request->host->setup->tls;
    X509_STORE *shared = reglet__tls_store(tls), *own = shared ? X509_STORE_new() : NULL;
    if (!own || !reglet__tls_harden(tls, context, transfer->request) ||
        SSL_CTX_set1_verify_cert_store(context, shared) != 1 ||
        !reglet__tls_expect(SSL_CTX_get0_param(context), &transfer->hop->target->endpoint)) {
        X509_STORE_free(own);
        return CURLE_SSL_CACERT_BADFILE;
    }
    SSL_CTX_set_cert_store(context, own);
    return CURLE_OK;
}

/* --- What goes out ---------------------------------------------------------------------------------------- */

static bool add_header(struct transfer *transfer, const char *name, const char *separator,
                       const char *value) {
    _cleanup_buf_ struct reglet__buf line = REGLET__BUF_INIT(SIZE_MAX / 2);
    if (reglet__buf_appendf(&line, "%s%s%s", name, separator, value) != REGLET_OK)
        return false;
    struct curl_slist *longer = curl_slist_append(transfer->headers, line.data);
    if (longer)
        transfer->headers = longer;
    return longer != NULL;
}

/* libcurl sends "Name: value", nothing for "Name:", and a header without value for "Name;". */
static bool make_headers(struct transfer *transfer) {
    const struct reglet__http_headers *headers = transfer->hop->headers;
    bool made = add_header(transfer, "User-Agent", ": ", transfer->hop->user_agent) &&
                add_header(transfer, "Expect", ":", "") && /* no waiting for a 100 */
                (!transfer->hop->gunzip || add_header(transfer, "Accept-Encoding", ": ", "gzip"));
    for (size_t i = 0; i < headers->count && made; i++) {
        const struct reglet__http_header *item = &headers->items[i];
        if (strcmp(item->name, "User-Agent") != 0)
            made = add_header(transfer, item->name, item->value[0] ? ": " : ";", item->value);
    }
    /* Its own defaults. */
    static const char *const defaults[] = {"Accept", "Content-Type"};
    for (size_t i = 0; i < ARRAY_LEN(defaults) && made; i++)
        made = reglet__http_headers_get(headers, defaults[i]) || add_header(transfer, defaults[i], ":", "");
    return made;
}

/* Each goes on where the one before went well. */
#define SET(easy, code, option, value)                                                                       \
    do {                                                                                                     \
        if ((code) == CURLE_OK)                                                                              \
            (code) = curl_easy_setopt((easy), (option), (value));                                            \
    } while (0)

/* Nothing from surroundings, nothing kept, nothing shared. Off already, and only by being asked for: cookies, Alt-Svc, HSTS,
 * DNS over HTTPS, UNIX sockets, server push. */
static CURLcode isolate(CURL *easy) {
    CURLcode code = CURLE_OK;
    SET(easy, code, CURLOPT_NOSIGNAL, 1L);
    SET(easy, code, CURLOPT_NOPROGRESS, 1L);
    SET(easy, code, CURLOPT_VERBOSE, 0L);
    SET(easy, code, CURLOPT_PROXY, "");
    SET(easy, code, CURLOPT_NOPROXY, "*");
    SET(easy, code, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(easy, code, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(easy, code, CURLOPT_FOLLOWLOCATION, 0L);
    SET(easy, code, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(easy, code, CURLOPT_PATH_AS_IS, 1L);
    SET(easy, code, CURLOPT_HTTP09_ALLOWED, 0L);
    SET(easy, code, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(easy, code, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    SET(easy, code, CURLOPT_FRESH_CONNECT, 1L);
    SET(easy, code, CURLOPT_FORBID_REUSE, 1L);
    SET(easy, code, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    SET(easy, code, CURLOPT_CA_CACHE_TIMEOUT, 0L);
    SET(easy, code, CURLOPT_CAINFO, NULL);
    SET(easy, code, CURLOPT_CAPATH, NULL);
    SET(easy, code, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(easy, code, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(easy, code, CURLOPT_SSL_VERIFYHOST, 2L);
    return code;
}

/* libcurl divides the time for connecting among the addresses; so it has to know how much there is. */
static long connect_milliseconds(const struct transfer *transfer) {
    int64_t deadline = transfer->request->interrupt.deadline;
    int64_t left = deadline == REGLET__NEVER ? 0 : (deadline - reglet__now()) / REGLET__NS_PER_MS;
    return deadline == REGLET__NEVER ? 0 : left < 1 ? 1 : left > INT32_MAX ? INT32_MAX : (long)left;
}

static CURLcode connect_callbacks(struct transfer *transfer) {
    CURL *easy = transfer->easy;
    CURLcode code = CURLE_OK;
    SET(easy, code, CURLOPT_ERRORBUFFER, transfer->error);
    SET(easy, code, CURLOPT_CONNECTTIMEOUT_MS, connect_milliseconds(transfer));
    SET(easy, code, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    SET(easy, code, CURLOPT_OPENSOCKETDATA, transfer);
    SET(easy, code, CURLOPT_SSL_CTX_FUNCTION, on_tls);
    SET(easy, code, CURLOPT_SSL_CTX_DATA, transfer);
    SET(easy, code, CURLOPT_HEADERFUNCTION, on_header);
    SET(easy, code, CURLOPT_HEADERDATA, transfer);
    SET(easy, code, CURLOPT_WRITEFUNCTION, on_body);
    SET(easy, code, CURLOPT_WRITEDATA, transfer);
    return code;
}

/* Methods of which servers expect a body say that theirs is empty. */
static bool sends_body(const struct reglet__http_hop *hop) {
    return hop->body_size > 0 || strcmp(hop->method, "POST") == 0 || strcmp(hop->method, "PUT") == 0 ||
           strcmp(hop->method, "PATCH") == 0;
}

static CURLcode set_request(struct transfer *transfer) {
    const struct reglet__http_hop *hop = transfer->hop;
    CURL *easy = transfer->easy;
    CURLcode code = CURLE_OK;
    SET(easy, code, CURLOPT_URL, hop->url->text);
    SET(easy, code, CURLOPT_HTTPHEADER, transfer->headers);
    SET(easy, code, CURLOPT_RESOLVE, transfer->resolve);
    if (strcmp(hop->method, "HEAD") == 0) {
        SET(easy, code, CURLOPT_NOBODY, 1L);
        return code;
    }
    if (sends_body(hop)) {
        SET(easy, code, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)hop->body_size);
        SET(easy, code, CURLOPT_POSTFIELDS, hop->body ? hop->body : "");
    }
    SET(easy, code, CURLOPT_CUSTOMREQUEST, hop->method);
    return code;
}

/* --- What it came to -------------------------------------------------------------------------------------- */

/* libcurl 7.88 has no other code for a header line that is longer than it takes (100 KB). */
static bool is_long_line(const struct transfer *transfer, CURLcode code) {
    curl_off_t sent = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &sent);
    return code == CURLE_OUT_OF_MEMORY && sent > 0 && !transfer->headers_ended;
}

static const char *code_name(CURLcode code) {
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION: return "ECERT"; /* also another name than the certificate's */
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING: return "EPARTIAL";
    default: return "EPROTO";
    }
}

static reglet_status fail(struct transfer *transfer, CURLcode code, const char *where) {
    struct reglet__host_request *request = transfer->request;
    const char *reason = transfer->error[0] ? transfer->error : curl_easy_strerror(code);
    long number = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
    if (transfer->headers_too_long || is_long_line(transfer, code))
        return reglet__host_fail(request, "network", "EMSGSIZE", "%s: the response's headers are too long",
                                 where);
    if (code == CURLE_OUT_OF_MEMORY || transfer->response->body.no_memory)
        return REGLET_ERR_NO_MEMORY;
    if (code == CURLE_COULDNT_CONNECT && transfer->no_descriptor)
        return REGLET_ERR_IO;
    if (transfer->response->body.broken)
        return reglet__host_fail(request, "network", "EPROTO", "%s: the body is said to be gzip and is not",
                                 where);
    if (code == CURLE_SSL_CACERT_BADFILE) /* on_tls() found none */
        return reglet__host_fail(request, "config", "ECERT",
                                 "%s: there are no certificates to verify a server with", where);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return reglet__host_fail_timeout(request, "timeout", "%s: %s", where, reason);
    bool has_errno = code == CURLE_COULDNT_CONNECT || code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR;
    if (has_errno && number != 0)
        return reglet__host_fail_errno(request, "network", (int)number, "%s", where);
    return reglet__host_fail(request, "network", code_name(code), "%s: %s", where, reason);
}

static const char *proto_name(CURL *easy) {
    long version = 0;
    curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
    return version == CURL_HTTP_VERSION_2_0   ? "HTTP/2.0"
           : version == CURL_HTTP_VERSION_1_0 ? "HTTP/1.0"
                                              : "HTTP/1.1";
}

/* What the headers say of a body that is no longer encoded. */
static bool is_outdated(const struct transfer *transfer, const char *name) {
    return transfer->response->body.inflater && transfer->response->body.received > 0 &&
           (strcasecmp(name, "Content-Encoding") == 0 || strcasecmp(name, "Content-Length") == 0);
}

static reglet_status take_response(struct transfer *transfer) {
    struct reglet__http_response *out = transfer->response;
    struct reglet__arena *arena = &transfer->request->arena;
    const char *location = header(transfer->easy, "Location", NULL);
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &out->status);
    out->proto = proto_name(transfer->easy);
    out->headers = reglet__json_new_object(arena);
    if (!out->headers)
        return REGLET_ERR_NO_MEMORY;
    if (location && *location && !(out->location = reglet__arena_copy(arena, location, strlen(location))))
        return REGLET_ERR_NO_MEMORY;
    for (struct curl_header *item = NULL;
         (item = curl_easy_nextheader(transfer->easy, CURLH_HEADER, -1, item));) {
        if (!is_outdated(transfer, item->name) &&
            !reglet__http_headers_put(arena, out->headers, item->name, value_of(item)))
            return REGLET_ERR_NO_MEMORY;
    }
    return REGLET_OK;
}

static reglet_status finish(struct transfer *transfer, CURLcode code) {
    char where[512];
    const struct reglet__http_hop *hop = transfer->hop;
    const struct reglet__http_body *body = &transfer->response->body;
    snprintf(where, sizeof where, "%s %.*s", hop->method, (int)strcspn(hop->url->text, "?"), hop->url->text);
    bool stopped = code == CURLE_WRITE_ERROR && (transfer->enough || body->truncated);
    if (code != CURLE_OK && !stopped)
        return fail(transfer, code, where);
    if (body->received > 0 && !transfer->enough && !reglet__http_body_is_whole(body))
        return reglet__host_fail(transfer->request, "network", "EPARTIAL", "%s: the gzip body ends too early",
                                 where);
    return take_response(transfer);
}

/* --- A transfer ------------------------------------------------------------------------------------------- */

static CURLcode initialised;

static void initialise(void) {
    initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* libcurl says only afterwards what it wrote before the body. */
static void count_sent(const struct transfer *transfer) {
    long head = 0;
    curl_off_t body = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &head);
    curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &body);
    if (is_plain(transfer))
        (void)reglet__host_sent(transfer->request, (uint64_t)head + (uint64_t)body);
}

static reglet_status run(struct transfer *transfer) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (pthread_once(&once, initialise) != 0 || initialised != CURLE_OK)
        return reglet__host_fail(transfer->request, "internal", "ENOSYS", "libcurl cannot be initialised");
    _cleanup_easy_ CURL *easy = transfer->easy = curl_easy_init();
    if (!easy || !pin_addresses(transfer) || !make_headers(transfer))
        return REGLET_ERR_NO_MEMORY;
    CURLcode code = isolate(easy);
    if (code == CURLE_OK)
        code = connect_callbacks(transfer);
    if (code == CURLE_OK)
        code = set_request(transfer);
    if (code == CURLE_OUT_OF_MEMORY)
        return REGLET_ERR_NO_MEMORY;
    if (code != CURLE_OK) /* a libcurl without OpenSSL, or without what must be switched off */
        return reglet__host_fail(transfer->request, "internal", "ENOSYS", "libcurl: %s",
                                 curl_easy_strerror(code));
    int result = CURLE_FAILED_INIT;
    reglet_status status =
        reglet__host_may_send(transfer->request, transfer->hop->headers->bytes + transfer->hop->body_size);
    if (status != REGLET_OK)
        return status;
    status = reglet__http_drive(transfer->request, easy, &result);
    count_sent(transfer);
    if (status == REGLET_OK) /* at its end the server seems to have closed: that is no end of a body */
        status = reglet__host_check(transfer->request);
    if (status == REGLET_OK)
        status = finish(transfer, (CURLcode)result);
    ERR_clear_error(); /* libcurl leaves what went wrong in the thread's queue */
    return status;
}

reglet_status reglet__http_transfer(struct reglet__host_request *request, const struct reglet__http_hop *hop,
                                    struct reglet__http_response *out) {
    struct transfer transfer = {.request = request, .hop = hop, .response = out};
    reglet_status status = run(&transfer);
    curl_slist_free_all(transfer.headers);
    curl_slist_free_all(transfer.resolve);
    return status;
}
