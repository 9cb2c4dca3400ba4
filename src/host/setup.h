/*
 * setup.h - what a runtime has for its host functions, as the files of this room see it.
 */
#ifndef REGLET_HOST_SETUP_H
#define REGLET_HOST_SETUP_H

#include "host/network.h"

struct reglet__host_setup {
    char *host_version;
    struct reglet__tls *tls;
    struct reglet__nameservers *nameservers;
    reglet_host_function *functions; /* names and kinds are copies */
    size_t function_count;
};

/* The embedder's function of this name, or NULL. */
const reglet_host_function *reglet__host_setup_find(const struct reglet__host_setup *setup, const char *name);

#endif
