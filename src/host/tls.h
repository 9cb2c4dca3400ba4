/*
 * tls.h - the context that connections of our own shake hands with. What others need of TLS is in network.h.
 */
#ifndef REGLET_HOST_TLS_H
#define REGLET_HOST_TLS_H

#include "host/network.h"

/* One hardened context for all connections of a runtime: it keeps nothing from one to the next. NULL when there is nothing
 * to verify against, or no memory. Borrowed. */
SSL_CTX *reglet__tls_context(struct reglet__tls *tls);

#endif
