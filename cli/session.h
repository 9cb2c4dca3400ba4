/*
 * session.h - from the command line and the configuration file to a loaded plugin.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "config_file.h"
#include "options.h"

/* One module, loaded, and how to call it. */
struct session {
    struct config_file config;
    enum verbosity verbosity;
    reglet_cancel_token *cancel; /* cancelled by the first Ctrl-C or SIGTERM */
    reglet_cache *cache;         /* of --cache-dir and --no-cache; NULL: the one in the usual place */
    reglet_runtime *runtime;
    reglet_plugin *plugin;
    bool pinned; /* the configuration has the module's sha256 */
    reglet_call_options call;
};

/*
 * Reads the configuration, makes the runtime and loads the module that the first operand names. From here on
 * Ctrl-C cancels. EXIT_OK; or EXIT_BAD_USAGE or EXIT_FAILED after one line on standard error, the latter with
 * *err. After any of them: session_close().
 */
int session_open(struct session *session, const struct options *options, reglet_error **err);
void session_close(struct session *session);

/* Opens a session, has one piece of work done in it, and closes it. The exit code is the work's, or session_open()'s. */
int session_run(const struct options *options,
                int (*work)(const struct session *session, const struct options *options));

#endif
