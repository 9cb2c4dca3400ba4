/*
 * host.h - the module "reglet_host": functions that a plugin can call beside WASI, and their state in one
 * call.
 */
#ifndef REGLET_HOST_HOST_H
#define REGLET_HOST_HOST_H

#include <reglet/log.h>

#include "engine/guest.h"

/* All functions of the module "reglet_host", for the engine. */
extern const struct reglet__import reglet__host_imports[];
extern const size_t reglet__host_import_count;

/* What the functions of one call share. The call fills it in and owns it. */
struct reglet__host {
    uint64_t log_bytes;     /* written by log_message so far */
    uint64_t max_log_bytes; /* passing it stops the call with OUTPUT_LIMIT; UINT64_MAX: unlimited */

    /* An event of the plugin: level, message, request id and attributes are filled in. Called on the call's
     * thread. */
    void (*log)(void *user_data, reglet_log_event *event);
    void *user_data;
};

#endif
