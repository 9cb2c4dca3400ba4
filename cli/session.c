#define _GNU_SOURCE
#include "session.h"

#include "command.h"
#include "redaction.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/*
 * Loading is bounded too, or a module made to compile for hours would need somebody to press Ctrl-C. It has a
 * time of its own because a cold compilation of a large module takes longer than most calls may.
 */
enum { LOAD_TIMEOUT_MS = 5 * 60 * 1000 };

static reglet_cancel_token *signalled; /* set once, before the handlers are installed */
static volatile sig_atomic_t wake_fd = -1;

/* The first signal cancels; the second one does what it would do to any program. */
static void cancel_on_signal(int number) {
    static volatile sig_atomic_t signals;
    if (signals++ > 0) {
        signal(number, SIG_DFL);
        raise(number);
    }
    reglet_cancel_token_cancel(signalled);
    int saved = errno;
    if (wake_fd >= 0)
        (void)!write(wake_fd, &(uint64_t){1}, sizeof(uint64_t)); /* full: whoever waits is woken already */
    errno = saved;
}

void session_wake_on_signal(int fd) {
    wake_fd = fd;
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

char *session_default_name(const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return copy_text(name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

static const struct config_plugin *plugin_config(const struct session *session, const char *name) {
    static const struct config_plugin nothing = {0};
    const struct config_plugin *plugin = config_file_plugin(&session->config, name);
    return plugin ? plugin : &nothing;
}

/* ---- the configuration ---- */

static int read_config(struct session *session, const struct options *options) {
    _cleanup_free_ char *message = NULL;
    if (!config_file_find(options->config_path, &session->config, &message)) {
        complain(options->command->name, "%s", message);
        return EXIT_BAD_USAGE;
    }
    for (size_t i = 0; i < session->config.warnings.count && session->verbosity != QUIET; i++)
        complain(NULL, "warn: %s", session->config.warnings.items[i]);
    return EXIT_OK;
}

static int make_redactor(struct session *session, const struct options *options) {
    _cleanup_free_ char *message = NULL;
    int code =
        redaction_make(&session->config, options, &session->redactor, &session->secret_files, &message);
    config_file_forget_secrets(&session->config);
    if (code != EXIT_OK)
        complain(options->command->name, "%s", message);
    return code;
}

static void warn_of_missing_pin(const struct session *session, const char *name) {
    const struct config_file *config = &session->config;
    const struct config_plugin *plugin = plugin_config(session, name);
    bool granted = plugin->capabilities.count + plugin->exec_pin_count > 0;
    if (granted && !plugin->sha256 && config->level == REGLET_SECURITY_STANDARD &&
        session->verbosity != QUIET)
        complain(
            NULL,
            "warn: %s:%zu:%zu: plugin \"%s\" has capabilities but no sha256: any module loaded under this "
            "name gets them",
            config->path, plugin->line, plugin->column, name);
}

char *session_missing_pin(const struct session *session, const struct options *options, const char *name,
                          const char *path) {
    const struct config_file *config = &session->config;
    const struct config_plugin *plugin = plugin_config(session, name);
    size_t granted = plugin->capabilities.count + plugin->exec_pin_count + options->grants.count;
    if (config->level != REGLET_SECURITY_STRICT || plugin->sha256 || granted == 0)
        return NULL;
    _cleanup_free_ char *word = shell_word(path);
    return format_text(
        "%s:%zu:%zu: security level strict grants only to pinned modules: plugin \"%s\" needs a sha256 "
        "below its name in \"plugins\"; 'reglet grants --suggest%s %s' prints it",
        config->path, plugin->name ? plugin->line : config->level_line,
        plugin->name ? plugin->column : config->level_column, name, *path == '-' ? " --" : "", word);
}

/* ---- the runtime ---- */

/*
 * The files that decide what plugins may do, also where there is none yet: a plugin that may write the home
 * directory must not write its own grants for the next call, nor whom that trusts.
 */
static void list_protected(const struct session *session, const struct options *options,
                           struct string_list *out) {
    static const char *const places[][2] = {{"XDG_CONFIG_HOME", "reglet"}, {"HOME", ".reglet"}};
    const char *const files[] = {session->config.path, options->record_path, options->replay_path,
                                 options->ca_file,     options->audit_path,  options->metrics_path};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        const char *directory = getenv(places[i][0]);
        if (directory && *directory == '/')
            string_list_add(out, format_text("%s/%s", directory, places[i][1]));
    }
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (files[i])
            string_list_add(out, copy_text(files[i], strlen(files[i])));
    /* Who writes a secret anew takes it out of what is redacted. Rule files the library protects by itself. */
    for (size_t i = 0; i < session->secret_files.count; i++)
        string_list_add(out,
                        copy_text(session->secret_files.items[i], strlen(session->secret_files.items[i])));
}

/* Relative to where the command was started, as every path on its line. */
static char *absolute_path(const char *path) {
    _cleanup_free_ char *here = *path == '/' ? NULL : getcwd(NULL, 0);
    return here ? format_text("%s/%s", here, path) : copy_text(path, strlen(path));
}

reglet_status cache_open(const struct options *options, reglet_cache **out, reglet_error **err) {
    _cleanup_free_ char *directory = options->cache_dir ? absolute_path(options->cache_dir) : NULL;
    reglet_cache_options how = REGLET_CACHE_OPTIONS_INIT;
    how.directory = directory;
    how.memory_only = options->no_cache;
    return reglet_cache_new(&how, out, err);
}

static int make_cache(struct session *session, const struct options *options, reglet_error **err) {
    if (!options->no_cache && !options->cache_dir)
        return EXIT_OK;
    reglet_status status = cache_open(options, &session->cache, err);
    return status == REGLET_OK                     ? EXIT_OK
           : status == REGLET_ERR_INVALID_ARGUMENT ? EXIT_BAD_USAGE
                                                   : EXIT_FAILED;
}

static void set_limits(reglet_runtime_options *runtime, const struct session *session,
                       const struct options *options) {
    const struct config_file *config = &session->config;
    config_apply_limits(config, runtime);
    runtime->memory_limit_mib =
        options->memory_limit_given ? options->memory_limit_mib : config->memory_limit_mib;
    runtime->default_timeout_ms = options->timeout_ms ? options->timeout_ms : config->timeout_ms;
    runtime->max_evidence_bytes = config->max_evidence_bytes;
    runtime->check_config = options->check;
    if (options->jobs)
        runtime->max_concurrent_calls = options->jobs;
    /* The one call of `observe` would leave an image that nobody uses. */
    bool one_call = options->command->bit == COMMAND_OBSERVE;
    runtime->image_max_calls = options->fresh_init || one_call ? -1 : 0;
    runtime->compiler = options->compiler;
    runtime->cache_mode = session->cache ? REGLET_CACHE_OWN : REGLET_CACHE_SHARED;
    runtime->cache = session->cache;
    runtime->redactor = session->redactor;
}

/* What belongs to the options of a runtime and is not needed beyond reglet_runtime_new(). */
struct lists {
    struct string_list protected;
    reglet_grant *grants;
    reglet_exec_pin *exec_pins;
    reglet_pin pin;
    char *nameservers;
};

static size_t add_grants(reglet_grant *grants, size_t count, const char *name,
                         const struct string_list *list) {
    for (size_t i = 0; i < list->count; i++)
        grants[count++] = (reglet_grant){.plugin = name, .capability = list->items[i]};
    return count;
}

static void set_grants(reglet_runtime_options *runtime, struct lists *lists, const struct session *session,
                       const struct options *options, const char *name) {
    const struct config_file *config = &session->config;
    const struct config_plugin *plugin = plugin_config(session, name);
    lists->grants = allocate((plugin->capabilities.count + options->grants.count) * sizeof *lists->grants);
    size_t count = add_grants(lists->grants, 0, name, &plugin->capabilities);
    runtime->grant_count = add_grants(lists->grants, count, name, &options->grants);
    runtime->grants = lists->grants;
    lists->exec_pins = allocate(plugin->exec_pin_count * sizeof *lists->exec_pins);
    for (size_t i = 0; i < plugin->exec_pin_count; i++)
        lists->exec_pins[i] = (reglet_exec_pin){.plugin = name,
                                                .command = plugin->exec_pins[i].command,
                                                .args = (const char *const *)plugin->exec_pins[i].args.items,
                                                .arg_count = plugin->exec_pins[i].args.count};
    runtime->exec_pins = lists->exec_pins;
    runtime->exec_pin_count = plugin->exec_pin_count;
    /* What is granted to every plugin applies where it declared that it wants it; a command declares nothing. */
    if (options->command->bit != COMMAND_RUN) {
        runtime->shared_grants = (const char *const *)config->shared_grants.items;
        runtime->shared_grant_count = config->shared_grants.count;
    }
    runtime->security_level = config->level;
    runtime->broad_patterns = (const char *const *)config->broad_patterns.items;
    runtime->broad_pattern_count = config->broad_patterns.count;
}

static char *join(const struct string_list *list) {
    char *text = list->count > 0 ? copy_text(list->items[0], strlen(list->items[0])) : NULL;
    for (size_t i = 1; i < list->count; i++) {
        char *longer = format_text("%s,%s", text, list->items[i]);
        free(text);
        text = longer;
    }
    return text;
}

static int make_runtime(const struct session *session, const struct options *options, const char *name,
                        const char *sha256, reglet_runtime **out, reglet_error **err) {
    struct lists lists = {.pin = {.plugin = name, .sha256 = sha256}};
    reglet_runtime_options runtime = REGLET_RUNTIME_OPTIONS_INIT;
    set_limits(&runtime, session, options);
    set_grants(&runtime, &lists, session, options, name);
    runtime.pins = &lists.pin;
    runtime.pin_count = sha256 != NULL;
    list_protected(session, options, &lists.protected);
    runtime.protected_paths = (const char *const *)lists.protected.items;
    runtime.protected_path_count = lists.protected.count;
    lists.nameservers = join(&options->nameservers);
    runtime.nameservers = lists.nameservers;
    runtime.ca_file = options->ca_file;
    runtime.audit = session->audit ? audit_record : NULL;
    runtime.audit_user_data = session->audit;
    runtime.log = log_event;
    runtime.log_user_data = (void *)&session->verbosity;
    runtime.metrics = session->metrics;
    reglet_status status = reglet_runtime_new(&runtime, out, err);
    string_list_clear(&lists.protected);
    free(lists.grants);
    free(lists.exec_pins);
    free(lists.nameservers);
    bool operators = status == REGLET_ERR_INVALID_GRANT || status == REGLET_ERR_INVALID_ARGUMENT ||
                     (status == REGLET_ERR_IO && options->ca_file);
    return status == REGLET_OK ? EXIT_OK : operators ? EXIT_BAD_USAGE : EXIT_FAILED;
}

static int load(const struct session *session, reglet_runtime *runtime, const char *name, const char *path,
                reglet_plugin **out, reglet_error **err) {
    reglet_load_options how = REGLET_LOAD_OPTIONS_INIT;
    how.timeout_ms = LOAD_TIMEOUT_MS;
    how.cancel = session->cancel;
    reglet_status status = reglet_runtime_load_plugin_file(runtime, name, path, &how, out, err);
    return status == REGLET_OK                     ? EXIT_OK
           : status == REGLET_ERR_INVALID_ARGUMENT ? EXIT_BAD_USAGE
                                                   : EXIT_FAILED;
}

static int load_pinned(const struct session *session, const struct options *options, const char *name,
                       const char *path, const char *sha256, struct loaded *out, reglet_error **err) {
    int code = make_runtime(session, options, name, sha256, &out->runtime, err);
    return code == EXIT_OK ? load(session, out->runtime, name, path, &out->plugin, err) : code;
}

int session_load(const struct session *session, const struct options *options, const char *name,
                 const char *path, struct loaded *out, reglet_error **err) {
    *out = (struct loaded){0};
    warn_of_missing_pin(session, name);
    return load_pinned(session, options, name, path, plugin_config(session, name)->sha256, out, err);
}

void loaded_clear(struct loaded *loaded) {
    reglet_plugin_unref(loaded->plugin);
    reglet_runtime_free(loaded->runtime);
    *loaded = (struct loaded){0};
}

/*
 * `grants` answers at level strict for a name that is not pinned yet as it would be once it is: it is the command that
 * prints what to pin. The module is described once without grants to learn its sha256.
 */
static int learn_sha256(const struct session *session, const struct options *options, const char *name,
                        char **out, reglet_error **err) {
    reglet_runtime_options bare = REGLET_RUNTIME_OPTIONS_INIT;
    struct loaded loaded = {0};
    const reglet_grants *grants = NULL;
    set_limits(&bare, session, options);
    int code = reglet_runtime_new(&bare, &loaded.runtime, err) == REGLET_OK ? EXIT_OK : EXIT_FAILED;
    if (code == EXIT_OK)
        code = load(session, loaded.runtime, name, options->operands.items[0], &loaded.plugin, err);
    if (code == EXIT_OK && reglet_plugin_grants(loaded.plugin, &session->call, &grants, err) != REGLET_OK)
        code = EXIT_FAILED;
    if (code == EXIT_OK)
        *out = copy_text(grants->sha256, strlen(grants->sha256));
    reglet_grants_free(grants);
    loaded_clear(&loaded);
    return code;
}

/* ---- the session ---- */

static int open_plugin(struct session *session, const struct options *options, reglet_error **err) {
    const char *path = options->operands.items[0];
    _cleanup_free_ char *fallback = session_default_name(path);
    const char *name = options->name ? options->name : fallback;
    session->pinned = plugin_config(session, name)->sha256 != NULL;
    _cleanup_free_ char *missing_pin = session_missing_pin(session, options, name, path);
    if (!missing_pin)
        return session_load(session, options, name, path, &session->loaded, err);
    if (options->command->bit != COMMAND_GRANTS) {
        complain(options->command->name, "%s", missing_pin);
        return EXIT_BAD_USAGE;
    }
    _cleanup_free_ char *learned = NULL;
    int code = learn_sha256(session, options, name, &learned, err);
    return code == EXIT_OK ? load_pinned(session, options, name, path, learned, &session->loaded, err) : code;
}

int session_begin(struct session *session, const struct options *options, reglet_error **err) {
    *session = (struct session){.verbosity = options->verbosity, .call = REGLET_CALL_OPTIONS_INIT};
    int code = read_config(session, options);
    if (code == EXIT_OK)
        code = make_redactor(session, options);
    if (code != EXIT_OK)
        return code;
    code = reglet_cancel_token_new(&session->cancel, err) == REGLET_OK ? EXIT_OK : EXIT_FAILED;
    if (code == EXIT_OK)
        code = make_cache(session, options, err);
    if (code == EXIT_OK)
        code = audit_open(options, &session->audit);
    if (session->audit)
        audit_cancels(session->audit, session->cancel);
    if (code == EXIT_OK && options->metrics_path)
        code = reglet_metrics_new(&session->metrics, err) == REGLET_OK ? EXIT_OK : EXIT_FAILED;
    if (code == EXIT_OK) {
        session->call.cancel = session->cancel;
        catch_signals(session->cancel);
    }
    if (code != EXIT_OK && *err)
        complain_error(options->command->name, *err);
    return code;
}

int session_open(struct session *session, const struct options *options, reglet_error **err) {
    int code = session_begin(session, options, err);
    if (code != EXIT_OK)
        return code;
    code = open_plugin(session, options, err);
    session->plugin = session->loaded.plugin;
    if (code != EXIT_OK && *err)
        complain_error(options->command->name, *err);
    return code;
}

int session_close(struct session *session, int code) {
    loaded_clear(&session->loaded);
    reglet_cache_unref(session->cache);
    reglet_redactor_unref(session->redactor);
    reglet_metrics_unref(session->metrics);
    reglet_cancel_token_unref(session->cancel);
    config_file_clear(&session->config);
    string_list_clear(&session->secret_files);
    return audit_close(session->audit, code);
}

int session_run(const struct options *options,
                int (*work)(const struct session *session, const struct options *options)) {
    _cleanup_error_ reglet_error *error = NULL;
    struct session session;
    int code = session_open(&session, options, &error);
    if (code == EXIT_OK)
        code = work(&session, options);
    return session_close(&session, code);
}
