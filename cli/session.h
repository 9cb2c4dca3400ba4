/*
 * session.h - from the command line and the configuration file to loaded plugins.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "audit.h"
#include "config_file.h"
#include "options.h"

/* One module, in a runtime of its own: a runtime's grants are for names that it knows when it is made, and what is wrong
 * with the grants of one name must not keep another from being loaded. */
struct loaded {
    reglet_runtime *runtime;
    reglet_plugin *plugin;
};

/* What holds for all modules of one command, and the module of a command that has one. */
struct session {
    struct config_file config;
    enum verbosity verbosity;
    reglet_cancel_token *cancel;     /* cancelled by the first Ctrl-C or SIGTERM */
    reglet_cache *cache;             /* of --cache-dir and --no-cache; NULL: the one in the usual place */
    reglet_redactor *redactor;       /* of the configuration; NULL: the library's own */
    struct string_list secret_files; /* that known values came from */
    reglet_metrics *metrics;         /* of --metrics; NULL: nobody asks */
    struct audit *audit;             /* NULL: nobody wants records */
    reglet_call_options call;
    struct loaded loaded;
    reglet_plugin *plugin; /* of `loaded` */
    bool pinned;           /* the configuration has the module's sha256 */
};

/*
 * Reads the configuration, makes the runtime and loads the module that the first operand names. From here on
 * Ctrl-C cancels. EXIT_OK; or EXIT_BAD_USAGE or EXIT_FAILED after one line on standard error, the latter with
 * *err. After any of them: session_close().
 */
int session_open(struct session *session, const struct options *options, reglet_error **err);
/* `code`, or EXIT_FAILED when something that was to be written is lost. */
int session_close(struct session *session, int code);

/* The same without a module, for a command that has many. */
int session_begin(struct session *session, const struct options *options, reglet_error **err);

/*
 * Loads one more module, with the grants of its name. EXIT_OK; or another code with *err, and nothing on standard error.
 * After either: loaded_clear(). Any thread.
 */
int session_load(const struct session *session, const struct options *options, const char *name,
                 const char *path, struct loaded *out, reglet_error **err);
void loaded_clear(struct loaded *loaded);

/* What level strict refuses: grants to a name that is not pinned. The library would say it too, but not where the pin
 * belongs and who knows it. NULL when nothing is missing; the caller frees. */
char *session_missing_pin(const struct session *session, const struct options *options, const char *name,
                          const char *path);

/* The file's name without directories and extension; the caller frees. */
char *session_default_name(const char *path);

/* An eventfd that the first Ctrl-C or SIGTERM makes readable; -1: none any more. */
void session_wake_on_signal(int fd);

/* Opens a session, has one piece of work done in it, and closes it. The exit code is the work's, or session_open()'s. */
int session_run(const struct options *options,
                int (*work)(const struct session *session, const struct options *options));

/* The cache of compiled code that the options mean. */
reglet_status cache_open(const struct options *options, reglet_cache **out, reglet_error **err);

#endif
