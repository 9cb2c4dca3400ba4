/* tcp_connect: whether something listens, and what its certificate says. net_connect: the same, and an exchange of bytes. */
#include "host/functions.h"
#include "host/network.h"
#include "util/buf.h"

/* Connects as the request says. */
static reglet_status dial(struct reglet__host_request *request, struct reglet__connection *connection) {
    struct reglet__endpoint endpoint;
    struct reglet__target target;
    bool tls = false;
    reglet_status status = reglet__host_get_endpoint(request, &endpoint);
    if (status == REGLET_OK)
        status = reglet__host_get_bool(request, "tls|use_tls", &tls);
    if (status == REGLET_OK)
        status = reglet__host_target(request, &endpoint, "permission denied", &target);
    if (status == REGLET_OK)
        status = reglet__connection_open(request, &target, connection);
    if (status == REGLET_OK)
        status = reglet__host_put_string(request, "remote_addr", connection->remote);
    if (status == REGLET_OK)
        status = reglet__host_put_string(request, "local_addr", connection->local);
    if (status == REGLET_OK && tls)
        status = reglet__connection_start_tls(request, &endpoint, connection);
    return status == REGLET_OK ? reglet__connection_put_tls(request, connection, &endpoint) : status;
}

/* The same, and what the response says however it went: connected only when TLS, where it was asked for, stands too. */
static reglet_status connect_as_asked(struct reglet__host_request *request,
                                      struct reglet__connection *connection) {
    reglet_status status = dial(request, connection);
    reglet_status put = reglet__host_put_bool(request, "connected", status == REGLET_OK);
    if (put == REGLET_OK)
        put = reglet__host_put_latency(request, request->started);
    return put == REGLET_OK ? status : put;
}

REGLET__HOST_FUNCTION(tcp_connect) {
    _cleanup_connection_ struct reglet__connection connection = {.fd = -1};
    return connect_as_asked(request, &connection);
}

/* Whether the request's deadline is over and the call's is not. */
static bool only_the_request_ended(const struct reglet__host_request *request, reglet_status status) {
    return status == REGLET_ERR_TIMEOUT &&
           reglet__interrupt_check(reglet__guest_interrupt(request->guest)) == REGLET_OK;
}

/*
 * Reads until the peer ends, `in` is full, or the request's own deadline: who talks to a server that keeps its connections
 * open cannot know when it has said all. What came until then is the answer, and *end says why there is no more.
 */
static reglet_status read_until_end(struct reglet__host_request *request,
                                    struct reglet__connection *connection, struct reglet__buf *in,
                                    const char **end) {
    char chunk[16384];
    while (in->size < in->max) {
        size_t room = in->max - in->size, count = 0;
        reglet_status status = reglet__connection_read(request, connection, chunk,
                                                       room < sizeof chunk ? room : sizeof chunk, &count);
        if (only_the_request_ended(request, status)) {
            *end = "deadline";
            return REGLET_OK;
        }
        if (status != REGLET_OK)
            return status;
        if (count == 0) {
            *end = "closed";
            return REGLET_OK;
        }
        if (reglet__buf_append(in, chunk, count) != REGLET_OK)
            return REGLET_ERR_NO_MEMORY;
    }
    *end = "max_bytes";
    return REGLET_OK;
}

REGLET__HOST_FUNCTION(net_connect) {
    _cleanup_connection_ struct reglet__connection connection = {.fd = -1};
    const void *data = NULL;
    const char *end = "error";
    size_t size = 0;
    int64_t max = REGLET__DEFAULT_NET_BYTES;
    reglet_status status = reglet__host_get_base64(request, "data", &data, &size);
    if (status == REGLET_OK)
        status = reglet__host_get_int(request, "max_bytes", 0, REGLET__MAX_BODY_BYTES, &max);
    if (status == REGLET_OK)
        status = connect_as_asked(request, &connection);
    if (status == REGLET_OK)
        status = reglet__connection_write(request, &connection, data, size);
    if (status != REGLET_OK)
        return status;

    _cleanup_buf_ struct reglet__buf in = REGLET__BUF_INIT((size_t)max);
    status = read_until_end(request, &connection, &in, &end);
    reglet_status put = reglet__host_put_base64(request, "data", in.data, in.size);
    if (put == REGLET_OK)
        put = reglet__host_put_string(request, "data_end", end);
    return put == REGLET_OK ? status : put;
}
