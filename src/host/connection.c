/* Connections: see network.h. Plain bytes here, TLS over them in connection_tls.c. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "host/connection.h"

/* --- Opening ---------------------------------------------------------------------------------------------- */

/* "10.0.0.1:80", "[::1]:80". */
static void write_address(const struct reglet__address *address, uint16_t port, char *out, size_t size) {
    char ip[REGLET__ADDRESS_TEXT];
    snprintf(out, size, address->is_ipv6 ? "[%s]:%u" : "%s:%u", reglet__address_text(address, ip), port);
}

static void write_sockaddr(const struct sockaddr_storage *from, char *out, size_t size) {
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct reglet__address address;
    if (from->ss_family == AF_INET6) {
        memcpy(&in6, from, sizeof in6);
        address = reglet__address_from_bytes(&in6.sin6_addr, true);
        write_address(&address, ntohs(in6.sin6_port), out, size);
    } else {
        memcpy(&in, from, sizeof in);
        address = reglet__address_from_bytes(&in.sin_addr, false);
        write_address(&address, ntohs(in.sin_port), out, size);
    }
}

/* Notes both ends and looks whether they are what they should be. Returns 0 or an errno. */
static int check_ends(struct reglet__connection *connection, const struct sockaddr_storage *judged) {
    struct sockaddr_storage local = {0}, remote = {0};
    socklen_t local_size = sizeof local, remote_size = sizeof remote;
    char expected[sizeof connection->remote];
    if (getsockname(connection->fd, (struct sockaddr *)&local, &local_size) != 0 ||
        getpeername(connection->fd, (struct sockaddr *)&remote, &remote_size) != 0)
        return errno;
    write_sockaddr(&local, connection->local, sizeof connection->local);
    write_sockaddr(&remote, connection->remote, sizeof connection->remote);
    write_sockaddr(judged, expected, sizeof expected);
    if (strcmp(connection->remote, expected) != 0)
        return ECONNABORTED;
    /* A socket whose own port happens to be the one asked for can connect to itself where nobody listens. */
    return strcmp(connection->local, connection->remote) == 0 ? ECONNREFUSED : 0;
}

/* Connects within the time until `until`. *error receives 0, or the errno of this address; anything but OK ends the
 * request. */
static reglet_status try_address(struct reglet__host_request *request, const struct sockaddr_storage *address,
                                 socklen_t size, int64_t until, struct reglet__connection *connection,
                                 int *error) {
    int one = 1, ready = 0;
    socklen_t error_size = sizeof *error;
    connection->fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *error = connection->fd < 0 ? errno : 0;
    if (*error == EMFILE || *error == ENFILE)
        return REGLET_ERR_IO;
    if (*error != 0)
        return REGLET_OK;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(connection->fd, (const struct sockaddr *)address, size) != 0 && errno != EINPROGRESS) {
        *error = errno;
        return REGLET_OK;
    }
    struct pollfd wait = {.fd = connection->fd, .events = POLLOUT};
    reglet_status status = reglet__host_wait(request, &wait, 1, until, &ready);
    if (status != REGLET_OK)
        return status;
    if (ready == 0)
        *error = ETIMEDOUT;
    else if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, error, &error_size) != 0)
        *error = errno;
    if (*error == 0)
        *error = check_ends(connection, address);
    return REGLET_OK;
}

/* One address that hangs leaves time for those behind it. The last one has all that is left. */
static int64_t share_of_time(const struct reglet__host_request *request, size_t left) {
    int64_t now = reglet__now(), share = REGLET__CONNECT_SHARE_MS * REGLET__NS_PER_MS;
    if (left <= 1)
        return REGLET__NEVER;
    if (request->interrupt.deadline == REGLET__NEVER)
        return now + REGLET__CONNECT_UNLIMITED_MS * REGLET__NS_PER_MS;
    int64_t fair = (request->interrupt.deadline - now) / (int64_t)left;
    return now + (fair > share ? fair : share);
}

static reglet_status fail_to_connect(struct reglet__host_request *request,
                                     const struct reglet__target *target,
                                     const struct reglet__address *address, int error) {
    char ip[REGLET__ADDRESS_TEXT];
    _cleanup_free_ char *place = reglet__endpoint_text(&target->endpoint);
    if (!place)
        return REGLET_ERR_NO_MEMORY;
    if (!target->endpoint.name[0])
        return reglet__host_fail_errno(request, "network", error, "connect to %s", place);
    return reglet__host_fail_errno(request, "network", error, "connect to %s (%s)", place,
                                   reglet__address_text(address, ip));
}

reglet_status reglet__connection_open(struct reglet__host_request *request,
                                      const struct reglet__target *target, struct reglet__connection *out) {
    int error = 0;
    for (size_t i = 0; i < target->address_count; i++) {
        _cleanup_connection_ struct reglet__connection connection = {.fd = -1};
        struct sockaddr_storage address;
        socklen_t size = reglet__address_sockaddr(&target->addresses[i], target->endpoint.port, &address);
        int64_t until = share_of_time(request, target->address_count - i);
        reglet_status status = try_address(request, &address, size, until, &connection, &error);
        if (status != REGLET_OK)
            return status;
        if (error == 0) {
            *out = connection;
            connection = (struct reglet__connection){.fd = -1};
            return REGLET_OK;
        }
    }
    return fail_to_connect(request, target, &target->addresses[target->address_count - 1], error);
}

void reglet__connection_close(struct reglet__connection *connection) {
    reglet__connection_end_tls(connection);
    if (connection->fd >= 0)
        close(take_fd(connection->fd));
}

/* --- Reading and writing ---------------------------------------------------------------------------------- */

reglet_status reglet__connection_wait(struct reglet__host_request *request,
                                      const struct reglet__connection *connection, short events) {
    struct pollfd wait = {.fd = connection->fd, .events = events};
    int ready = 0;
    return reglet__host_wait(request, &wait, 1, REGLET__NEVER, &ready);
}

/* What to do about a failed call on the socket: wait and try it again (OK), or give up. */
static reglet_status after_failure(struct reglet__host_request *request,
                                   const struct reglet__connection *connection, short events,
                                   const char *what) {
    if (errno == EINTR)
        return REGLET_OK;
    if (errno == EAGAIN)
        return reglet__connection_wait(request, connection, events);
    return reglet__host_fail_errno(request, "network", errno, "%s %s", what, connection->remote);
}

static reglet_status read_plain(struct reglet__host_request *request, struct reglet__connection *connection,
                                void *out, size_t size, size_t *count) {
    for (;;) {
        ssize_t n = recv(connection->fd, out, size, 0);
        if (n >= 0) {
            *count = (size_t)n;
            return reglet__host_received(request, *count);
        }
        reglet_status status = after_failure(request, connection, POLLIN, "read from");
        if (status != REGLET_OK)
            return status;
    }
}

/* MSG_NOSIGNAL: a peer that went away must not send SIGPIPE to the program around the library. */
static reglet_status write_plain(struct reglet__host_request *request, struct reglet__connection *connection,
                                 const void *data, size_t size, size_t *count) {
    for (;;) {
        ssize_t n = send(connection->fd, data, size, MSG_NOSIGNAL);
        if (n >= 0) {
            *count = (size_t)n;
            return reglet__host_sent(request, *count);
        }
        reglet_status status = after_failure(request, connection, POLLOUT, "write to");
        if (status != REGLET_OK)
            return status;
    }
}

/* The deadline is looked at each time: a peer that sends without a pause never makes us wait. */
reglet_status reglet__connection_read(struct reglet__host_request *request,
                                      struct reglet__connection *connection, void *out, size_t size,
                                      size_t *count) {
    reglet_status status = reglet__host_check(request);
    if (status != REGLET_OK)
        return status;
    if (connection->ssl)
        return reglet__connection_read_tls(request, connection, out, size, count);
    return read_plain(request, connection, out, size, count);
}

reglet_status reglet__connection_write(struct reglet__host_request *request,
                                       struct reglet__connection *connection, const void *data, size_t size) {
    const char *at = data;
    reglet_status status = reglet__host_may_send(request, size);
    while (size > 0 && status == REGLET_OK) {
        size_t count = 0;
        status = reglet__host_check(request);
        if (status == REGLET_OK && connection->ssl)
            status = reglet__connection_write_tls(request, connection, at, size, &count);
        else if (status == REGLET_OK)
            status = write_plain(request, connection, at, size, &count);
        at += count;
        size -= count;
    }
    return status;
}
