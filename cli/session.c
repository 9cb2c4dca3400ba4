#define _GNU_SOURCE
#include "session.h"

#include "command.h"

#include <signal.h>
#include <string.h>

/*
 * Loading is bounded too, or a module made to compile for hours would need somebody to press Ctrl-C. It has a
 * time of its own because a cold compilation of a large module takes longer than most calls may.
 */
enum { LOAD_TIMEOUT_MS = 5 * 60 * 1000 };

static reglet_cancel_token *signalled; /* set once, before the handlers are installed */

/* The first signal cancels; the second one does what it would do to any program. */
static void cancel_on_signal(int number) {
    static volatile sig_atomic_t signals;
    if (signals++ > 0) {
        signal(number, SIG_DFL);
        raise(number);
    }
    reglet_cancel_token_cancel(signalled);
}

static void catch_signals(reglet_cancel_token *token) {
    static const int numbers[] = {SIGINT, SIGTERM};
    const struct sigaction action = {.sa_handler = cancel_on_signal};
    struct sigaction old;
    signalled = reglet_cancel_token_ref(token);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        /* What starts a program in the background ignores Ctrl-C for it; that stays. */
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    }
}

/* The file's name without directories and extension. */
static char *default_name(const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return copy_text(name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

static int read_config(struct session *session, const struct options *options, const char *name) {
    _cleanup_free_ char *message = NULL;
    if (!config_file_find(options->config_path, &session->config, &message)) {
        complain(options->command->name, "%s", message);
        return EXIT_BAD_USAGE;
    }
    const struct config_file *config = &session->config;
    for (size_t i = 0; i < config->alarms.count; i++)
        complain(NULL, "warn: %s", config->alarms.items[i]);
    if (session->verbosity == QUIET)
        return EXIT_OK;
    for (size_t i = 0; i < config->warnings.count; i++)
        complain(NULL, "warn: %s", config->warnings.items[i]);
    const struct config_plugin *plugin = config_file_plugin(config, name);
    if (plugin && plugin->capabilities.count > 0 && !plugin->sha256)
        complain(
            NULL,
            "warn: %s:%zu:%zu: plugin \"%s\" has capabilities but no sha256: any module loaded under this "
            "name gets them",
            config->path, plugin->line, plugin->column, name);
    return EXIT_OK;
}

static size_t add_grants(reglet_grant *grants, size_t count, const char *name,
                         const struct string_list *list) {
    for (size_t i = 0; i < list->count; i++)
        grants[count++] = (reglet_grant){.plugin = name, .capability = list->items[i]};
    return count;
}

/*
 * The files that decide what plugins may do, also where there is none yet: a plugin that may write the home
 * directory must not write its own grants for the next call.
 */
static void list_protected(const struct session *session, struct string_list *out) {
    static const char *const places[][2] = {{"XDG_CONFIG_HOME", "reglet"}, {"HOME", ".reglet"}};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        const char *directory = getenv(places[i][0]);
        if (directory && *directory == '/')
            string_list_add(out, format_text("%s/%s", directory, places[i][1]));
    }
    if (session->config.path)
        string_list_add(out, copy_text(session->config.path, strlen(session->config.path)));
}

static int make_runtime(struct session *session, const struct options *options, const char *name,
                        reglet_error **err) {
    static const struct config_plugin nothing = {0};
    const struct config_file *config = &session->config;
    const struct config_plugin *plugin = config_file_plugin(config, name);
    plugin = plugin ? plugin : &nothing;
    _cleanup_free_ reglet_grant *grants =
        allocate((plugin->capabilities.count + options->grants.count) * sizeof *grants);
    size_t grant_count = add_grants(grants, 0, name, &plugin->capabilities);
    grant_count = add_grants(grants, grant_count, name, &options->grants);
    const reglet_pin pin = {.plugin = name, .sha256 = plugin->sha256};

    struct string_list protected = {0};
    list_protected(session, &protected);

    reglet_runtime_options runtime = REGLET_RUNTIME_OPTIONS_INIT;
    runtime.grants = grants;
    runtime.grant_count = grant_count;
    runtime.pins = &pin;
    runtime.pin_count = plugin->sha256 != NULL;
    /* What is granted to every plugin applies where it declared that it wants it; a command declares nothing. */
    if (options->command->bit != COMMAND_RUN) {
        runtime.shared_grants = (const char *const *)config->shared_grants.items;
        runtime.shared_grant_count = config->shared_grants.count;
    }
    runtime.memory_limit_mib =
        options->memory_limit_given ? options->memory_limit_mib : config->memory_limit_mib;
    runtime.default_timeout_ms = options->timeout_ms ? options->timeout_ms : config->timeout_ms;
    runtime.max_evidence_bytes = config->max_evidence_bytes;
    runtime.check_config = options->check;
    runtime.protected_paths = (const char *const *)protected.items;
    runtime.protected_path_count = protected.count;
    runtime.log = log_event;
    runtime.log_user_data = &session->verbosity;
    reglet_status status = reglet_runtime_new(&runtime, &session->runtime, err);
    string_list_clear(&protected);
    bool operators = status == REGLET_ERR_INVALID_GRANT || status == REGLET_ERR_INVALID_ARGUMENT;
    return status == REGLET_OK ? EXIT_OK : operators ? EXIT_BAD_USAGE : EXIT_FAILED;
}

static int load(struct session *session, const struct options *options, const char *name,
                reglet_error **err) {
    reglet_load_options how = REGLET_LOAD_OPTIONS_INIT;
    how.timeout_ms = LOAD_TIMEOUT_MS;
    how.cancel = session->cancel;
    reglet_status status = reglet_runtime_load_plugin_file(session->runtime, name, options->operands.items[0],
                                                           &how, &session->plugin, err);
    return status == REGLET_OK                     ? EXIT_OK
           : status == REGLET_ERR_INVALID_ARGUMENT ? EXIT_BAD_USAGE
                                                   : EXIT_FAILED;
}

int session_open(struct session *session, const struct options *options, reglet_error **err) {
    *session = (struct session){.verbosity = options->verbosity, .call = REGLET_CALL_OPTIONS_INIT};
    _cleanup_free_ char *fallback = default_name(options->operands.items[0]);
    const char *name = options->name ? options->name : fallback;
    int code = read_config(session, options, name);
    if (code != EXIT_OK)
        return code;
    code = reglet_cancel_token_new(&session->cancel, err) == REGLET_OK ? EXIT_OK : EXIT_FAILED;
    if (code == EXIT_OK) {
        session->call.cancel = session->cancel;
        catch_signals(session->cancel);
        code = make_runtime(session, options, name, err);
    }
    if (code == EXIT_OK)
        code = load(session, options, name, err);
    if (code != EXIT_OK)
        complain_error(options->command->name, *err);
    return code;
}

void session_close(struct session *session) {
    reglet_plugin_unref(session->plugin);
    reglet_runtime_free(session->runtime);
    reglet_cancel_token_unref(session->cancel);
    config_file_clear(&session->config);
}

int session_run(const struct options *options,
                int (*work)(const struct session *session, const struct options *options)) {
    _cleanup_error_ reglet_error *error = NULL;
    struct session session;
    int code = session_open(&session, options, &error);
    if (code == EXIT_OK)
        code = work(&session, options);
    session_close(&session);
    return code;
}
