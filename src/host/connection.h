/*
 * connection.h - what connection.c and connection_tls.c share. What others need of connections is in network.h.
 */
#ifndef REGLET_HOST_CONNECTION_H
#define REGLET_HOST_CONNECTION_H

#include "host/network.h"

/* Waits until the socket is ready for `events`. */
reglet_status reglet__connection_wait(struct reglet__host_request *request,
                                      const struct reglet__connection *connection, short events);

/* Some bytes, at least one; a *count of 0 is the end when reading. */
reglet_status reglet__connection_read_tls(struct reglet__host_request *request,
                                          struct reglet__connection *connection, void *out, size_t size,
                                          size_t *count);
reglet_status reglet__connection_write_tls(struct reglet__host_request *request,
                                           struct reglet__connection *connection, const void *data,
                                           size_t size, size_t *count);

/* Says goodbye, if there is TLS, without waiting for the answer. */
void reglet__connection_end_tls(struct reglet__connection *connection);

#endif
