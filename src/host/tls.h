/*
 * tls.h - TLS for connections of our own. What others need of TLS is in network.h.
 */
#ifndef REGLET_HOST_TLS_H
#define REGLET_HOST_TLS_H

#include "host/network.h"

/*
 * TLS to be shaken hands with over a socket, in a hardened context that keeps nothing from one connection to the next. It
 * does not own the socket, and its writes raise no SIGPIPE. Its bytes count for `request`, which has to outlive it; once that
 * is over, it takes the connection for ended. NULL when there is nothing to verify against, no memory,
 * or (as OpenSSL's error queue then says) another reason.
 */
SSL *reglet__tls_session(struct reglet__tls *tls, int fd, struct reglet__host_request *request);

#endif
