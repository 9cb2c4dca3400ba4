/*
 * host.h - the module "reglet_host": functions that a plugin can call beside WASI, as the runtime sees them: the functions,
 * what they need of a runtime, and their state in one call.
 */
#ifndef REGLET_HOST_HOST_H
#define REGLET_HOST_HOST_H

#include <reglet/host_function.h>
#include <reglet/log.h>

#include "abi/abi.h"
#include "engine/guest.h"
#include "engine/quota.h"
#include "policy/policy.h"
#include "wasi/wasi.h"

/* All functions of the module "reglet_host", for the engine. The last entry has no name: it serves every other name with
 * the signature of a request, which is how functions of embedders are called. */
extern const struct reglet__import reglet__host_imports[];
extern const size_t reglet__host_import_count;

/* --- Of a runtime ---------------------------------------------------------------------------------------- */

struct reglet__host_setup_options {
    const char *host_version;              /* copied */
    const char *ca_file;                   /* or NULL; read now */
    const char *nameservers;               /* or NULL */
    const reglet_host_function *functions; /* copied */
    size_t function_count;
};

/*
 * What a runtime has for its host functions: certificates, nameservers, the embedder's functions. Made once, immutable (what
 * is made on first use is so behind a lock), used by all calls at once.
 */
struct reglet__host_setup;

/*
 * Takes every function's user data over: also when it fails it frees each of them once. INVALID_ARGUMENT (an option, with
 * what it may be), IO (ca_file), NO_MEMORY.
 */
reglet_status reglet__host_setup_new(const struct reglet__host_setup_options *options,
                                     struct reglet__host_setup **out, reglet_error **err);
void reglet__host_setup_free(struct reglet__host_setup *setup);

/* Frees the user data of functions that no setup took over. */
void reglet__host_functions_free(const reglet_host_function *functions, size_t count);

/* Whether the embedder gave a function of this name. */
bool reglet__host_setup_has(const struct reglet__host_setup *setup, const char *name);

/* --- Of one call ----------------------------------------------------------------------------------------- */

/* What the functions of one call share. The call fills it in and owns it. */
struct reglet__host {
    struct reglet__host_setup *setup;
    const struct reglet__policy *policy; /* never NULL: one without grants where nothing is granted */
    struct reglet__wasi *wasi;           /* the same call's: files are decided there */
    const char *plugin;
    const char *request_id; /* of the request that is being served, else the caller's; or NULL */
    const char *const
        *environment; /* "NAME=value", as it was when the runtime was made: env_get, and the PATH */
    size_t environment_count;

    struct reglet__quotas *quotas; /* the call's */
    unsigned said;                 /* events of the library about this call's requests so far */
    bool answering;                /* the guest's allocate runs */

    /* An event: level, source, message, request id (of the request, or NULL) and attributes are filled in. Called on the
     * call's thread. */
    void (*log)(void *user_data, reglet_log_event *event);
    void *user_data;
    struct reglet__screen screen;        /* what is nested in attributes of log messages passes it */
    struct reglet__decisions *decisions; /* the call's; NULL: nobody is told of any */
};

#endif
