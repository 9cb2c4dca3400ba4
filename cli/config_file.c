/* Where the configuration file is, and whose it may be; config_keys.c reads what it says. */
#define _GNU_SOURCE
#include "config_file.h"

#include "yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whoever can write the configuration decides what plugins may do. */
static bool check_trust(const char *path, int fd, char **message) {
    struct stat st;
    if (fstat(fd, &st) < 0)
        *message = format_text("cannot look at %s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        *message = format_text("%s is not a regular file", path);
    else if (st.st_uid != geteuid() && st.st_uid != 0)
        *message = format_text("%s belongs to another user (uid %lu): it would decide what plugins may do; "
                               "copy it, or chown it to yourself",
                               path, (unsigned long)st.st_uid);
    else if (st.st_mode & (S_IWGRP | S_IWOTH))
        *message = format_text("%s can be written by others (mode %04o): run chmod go-w on it", path,
                               (unsigned)(st.st_mode & 07777));
    return *message == NULL;
}

/* O_NONBLOCK: a FIFO in place of the file must not block the opening. */
static int open_config(const char *path) {
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* Whoever else can read it knows the secrets, and can try values until one has the hash that was shown. */
static void warn_of_readers(const char *path, int fd, struct config_file *config) {
    const struct config_redaction *redaction = &config->redaction;
    struct stat st;
    if ((redaction->local_secrets.count > 0 || redaction->salt.text) && fstat(fd, &st) == 0 &&
        (st.st_mode & (S_IRGRP | S_IROTH)))
        string_list_add(&config->warnings,
                        format_text("%s holds %s and can be read by others (mode %04o): run chmod go-r on it",
                                    path, redaction->local_secrets.count > 0 ? "secrets" : "a salt",
                                    (unsigned)(st.st_mode & 07777)));
}

static bool read_opened(const char *path, int fd, struct config_file *out, char **message) {
    char *text = NULL;
    size_t size;
    *message = NULL;
    if (!check_trust(path, fd, message))
        return false;
    if (!read_all(fd, YAML_MAX_BYTES, &text, &size)) {
        *message = errno == EFBIG ? format_text("%s is larger than 1 MiB", path)
                                  : format_text("cannot read %s: %s", path, strerror(errno));
        return false;
    }
    bool ok = config_file_parse(path, text, size, out, message);
    free_secret(text, size);
    if (ok)
        warn_of_readers(path, fd, out);
    return ok;
}

bool config_file_read(const char *path, struct config_file *out, char **message) {
    int fd = open_config(path);
    if (fd < 0) {
        *message = format_text("cannot open %s: %s", path, strerror(errno));
        return false;
    }
    bool ok = read_opened(path, fd, out, message);
    close(fd);
    return ok;
}

/* NULL where the variable does not name a place: the base directory rules ignore relative paths. */
static char *path_below(const char *variable, const char *rest) {
    const char *directory = getenv(variable);
    return directory && *directory == '/' ? format_text("%s/%s", directory, rest) : NULL;
}

bool config_file_find(const char *given, struct config_file *out, char **message) {
    if (given)
        return config_file_read(given, out, message);
    _cleanup_free_ char *xdg = path_below("XDG_CONFIG_HOME", "reglet/config.yaml");
    _cleanup_free_ char *home = path_below("HOME", ".reglet/config.yaml");
    const char *candidates[] = {xdg, home};
    for (size_t i = 0; i < ARRAY_LEN(candidates); i++) {
        struct stat st;
        /* Only a file that is not there is passed over; one that cannot be read, or a link that leads nowhere,
         * is an error. */
        if (candidates[i] && (lstat(candidates[i], &st) == 0 || (errno != ENOENT && errno != ENOTDIR)))
            return config_file_read(candidates[i], out, message);
    }
    return true;
}

const struct config_plugin *config_file_plugin(const struct config_file *config, const char *name) {
    for (size_t i = 0; i < config->plugin_count; i++)
        if (strcmp(config->plugins[i].name, name) == 0)
            return &config->plugins[i];
    return NULL;
}

static void clear_plugin(struct config_plugin *plugin) {
    for (size_t i = 0; i < plugin->exec_pin_count; i++) {
        free(plugin->exec_pins[i].command);
        string_list_clear(&plugin->exec_pins[i].args);
    }
    free(plugin->exec_pins);
    free(plugin->name);
    free(plugin->sha256);
    string_list_clear(&plugin->capabilities);
}

static void clear_text(struct config_text *text) {
    if (text->text)
        free_secret(text->text, strlen(text->text));
}

static void forget_text(struct config_text *text) {
    if (text->text)
        explicit_bzero(text->text, strlen(text->text));
}

void config_file_forget_secrets(struct config_file *config) {
    struct config_texts *secrets = &config->redaction.local_secrets;
    for (size_t i = 0; i < secrets->count; i++)
        forget_text(&secrets->items[i]);
    forget_text(&config->redaction.salt);
}

static void clear_texts(struct config_texts *texts) {
    for (size_t i = 0; i < texts->count; i++)
        clear_text(&texts->items[i]);
    free(texts->items);
}

static void clear_redaction(struct config_redaction *redaction) {
    clear_texts(&redaction->patterns);
    clear_texts(&redaction->paths);
    clear_texts(&redaction->local_secrets);
    clear_texts(&redaction->secret_variables);
    clear_texts(&redaction->secret_files);
    clear_text(&redaction->rules_file);
    clear_text(&redaction->salt);
}

void config_file_clear(struct config_file *config) {
    for (size_t i = 0; i < config->plugin_count; i++)
        clear_plugin(&config->plugins[i]);
    free(config->plugins);
    free(config->path);
    string_list_clear(&config->shared_grants);
    string_list_clear(&config->warnings);
    string_list_clear(&config->broad_patterns);
    clear_redaction(&config->redaction);
    *config = (struct config_file){0};
}
