#define _GNU_SOURCE
#include "config_file.h"

#include "yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The longest plugin name that the library takes. */
enum { MAX_PLUGIN_NAME = 255 };

static void warn(struct yaml_reader *reader, const yaml_node_t *key, const char *what,
                 struct string_list *where) {
    string_list_add(where, format_text("%s:%zu:%zu: %s", reader->path, key->start_mark.line + 1,
                                       key->start_mark.column + 1, what));
}

/* ---- keys that are known, and without effect until their feature exists ---- */

static bool read_anything(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                          void *target) {
    (void)reader, (void)key, (void)value, (void)target;
    return true;
}

static bool read_hash_mode(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                           void *target) {
    (void)key;
    static const struct yaml_key keys[] = {{"enabled", read_anything}, {"salt", read_anything}};
    return yaml_read_mapping(reader, value, "\"hash_mode\"", keys, ARRAY_LEN(keys), target);
}

static bool read_redaction(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                           void *target) {
    static const struct yaml_key keys[] = {{"patterns", read_anything},
                                           {"paths", read_anything},
                                           {"hash_mode", read_hash_mode},
                                           {"disable_gitleaks", read_anything}};
    struct config_file *config = target;
    warn(reader, key, "\"redaction\" is not implemented yet and has no effect", &config->warnings);
    return yaml_read_mapping(reader, value, "\"redaction\"", keys, ARRAY_LEN(keys), target);
}

static bool read_secrets(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                         void *target) {
    (void)key;
    static const struct yaml_key keys[] = {
        {"local", read_anything}, {"env", read_anything}, {"files", read_anything}};
    return yaml_read_mapping(reader, value, "\"secrets\"", keys, ARRAY_LEN(keys), target);
}

static bool read_sensitive_data(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                                void *target) {
    static const struct yaml_key keys[] = {{"secrets", read_secrets}};
    struct config_file *config = target;
    warn(reader, key, "\"sensitive_data\" is not implemented yet and has no effect", &config->warnings);
    return yaml_read_mapping(reader, value, "\"sensitive_data\"", keys, ARRAY_LEN(keys), target);
}

static bool read_level(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                       void *target) {
    struct config_file *config = target;
    const char *level;
    if (!yaml_text(reader, value, "\"level\"", &level))
        return false;
    if (strcmp(level, "strict") == 0)
        warn(reader, key, "security level strict is not implemented yet: plugins run at level standard",
             &config->alarms);
    else if (strcmp(level, "permissive") == 0)
        warn(reader, key, "security level permissive is not implemented yet: plugins run at level standard",
             &config->warnings);
    else if (strcmp(level, "standard") != 0)
        return yaml_fail(reader, value, "\"level\" should be strict, standard or permissive, not \"%s\"",
                         level);
    return true;
}

static bool read_broad_patterns(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                                void *target) {
    (void)value;
    struct config_file *config = target;
    warn(reader, key, "\"custom_broad_patterns\" is not implemented yet and has no effect",
         &config->warnings);
    return true;
}

static bool read_security(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                          void *target) {
    (void)key;
    static const struct yaml_key keys[] = {{"level", read_level},
                                           {"custom_broad_patterns", read_broad_patterns}};
    return yaml_read_mapping(reader, value, "\"security\"", keys, ARRAY_LEN(keys), target);
}

/* ---- numbers ---- */

static bool read_integer(struct yaml_reader *reader, const yaml_node_t *value, const char *what,
                         const char *form, int64_t *out) {
    const char *text;
    bool quoted = value->type == YAML_SCALAR_NODE && value->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (!yaml_text(reader, value, what, &text))
        return false;
    if (quoted || !parse_integer(text, out))
        return yaml_fail(reader, value, "%s should be %s, not \"%s\"", what, form, text);
    return true;
}

static bool read_memory_limit(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                              void *target) {
    (void)key;
    static const char what[] = "\"wasm_memory_limit_mb\"";
    static const char form[] = "1 to 4096, 0 (the default, 256) or -1 (unlimited)";
    struct config_file *config = target;
    if (!read_integer(reader, value, what, form, &config->memory_limit_mib))
        return false;
    if (config->memory_limit_mib < -1 || config->memory_limit_mib > 4096)
        return yaml_fail(reader, value, "%s should be %s, not %lld", what, form,
                         (long long)config->memory_limit_mib);
    return true;
}

/* In the file 0 means that evidence is never shortened; in the library's options that is -1. */
static bool read_max_evidence(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                              void *target) {
    (void)key;
    static const char what[] = "\"max_evidence_size_bytes\"";
    static const char form[] = "a number of bytes, or 0 (evidence is never shortened)";
    struct config_file *config = target;
    int64_t bytes = 0;
    if (!read_integer(reader, value, what, form, &bytes))
        return false;
    if (bytes < 0)
        return yaml_fail(reader, value, "%s should be %s, not %lld", what, form, (long long)bytes);
    config->max_evidence_bytes = bytes == 0 ? -1 : bytes;
    return true;
}

static bool read_timeout(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                         void *target) {
    (void)key;
    struct config_file *config = target;
    const char *text;
    if (!yaml_text(reader, value, "\"timeout\"", &text))
        return false;
    if (!parse_duration(text, &config->timeout_ms))
        return yaml_fail(reader, value, "\"timeout\" should be " DURATION_FORM ", not \"%s\"", text);
    return true;
}

/* ---- capabilities ---- */

/* Where the characters of a capability stand in the file. */
struct capability_text {
    const yaml_node_t *kind, *pattern; /* the same node when it is written as one text */
};

/* The column of the byte `offset` of a plain scalar on one line; the scalar's own start for any other. */
static bool fail_in_scalar(struct yaml_reader *reader, const yaml_node_t *node, size_t offset,
                           const char *problem) {
    size_t column = node->start_mark.column + 1;
    bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && node->start_mark.line == node->end_mark.line)
        for (size_t i = 0; i < offset && i < node->data.scalar.length; i++)
            column += (node->data.scalar.value[i] & 0xC0) != 0x80;
    return yaml_fail_at(reader, node->start_mark.line + 1, column, "%s", problem);
}

static bool add_capability(struct yaml_reader *reader, struct capability_text at, struct string_list *list,
                           char *taken) {
    _cleanup_error_ reglet_error *error = NULL;
    string_list_add(list, taken);
    if (reglet_capability_check(taken, &error) == REGLET_OK)
        return true;
    size_t offset = reglet_error_offset(error) < 0 ? 0 : (size_t)reglet_error_offset(error);
    size_t before = at.kind == at.pattern ? 0 : at.kind->data.scalar.length + 1;
    bool in_pattern = offset >= before;
    return fail_in_scalar(reader, in_pattern ? at.pattern : at.kind, in_pattern ? offset - before : offset,
                          reglet_error_message(error));
}

static bool read_node(struct yaml_reader *reader, const yaml_node_t *value, const char *what,
                      const yaml_node_t **out) {
    const char *ignored;
    *out = value;
    return yaml_text(reader, value, what, &ignored);
}

static bool read_kind(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                      void *target) {
    (void)key;
    return read_node(reader, value, "\"kind\"", &((struct capability_text *)target)->kind);
}

static bool read_pattern(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                         void *target) {
    (void)key;
    return read_node(reader, value, "\"pattern\"", &((struct capability_text *)target)->pattern);
}

static bool read_capability(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                            void *target) {
    (void)key;
    static const struct yaml_key keys[] = {{"kind", read_kind}, {"pattern", read_pattern}};
    if (value->type == YAML_SCALAR_NODE) {
        const char *text;
        if (!yaml_text(reader, value, "a capability", &text))
            return false;
        return add_capability(reader, (struct capability_text){value, value}, target,
                              copy_text(text, strlen(text)));
    }
    struct capability_text at = {0};
    if (!yaml_read_mapping(reader, value, "a capability", keys, ARRAY_LEN(keys), &at))
        return false;
    if (!at.kind || !at.pattern)
        return yaml_fail(reader, value, "a capability needs \"kind\" and \"pattern\"");
    return add_capability(
        reader, at, target,
        format_text("%s:%s", (char *)at.kind->data.scalar.value, (char *)at.pattern->data.scalar.value));
}

static bool read_shared_grants(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                               void *target) {
    (void)key;
    struct config_file *config = target;
    struct yaml_key each = {"a capability", read_capability};
    return yaml_read_list(reader, value, "\"capabilities\"", each, &config->shared_grants);
}

/* ---- plugins ---- */

/* What read_plugin() hands to the readers of one plugin's keys. */
struct plugin_target {
    struct config_file *config;
    struct config_plugin *plugin;
};

static bool read_sha256(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                        void *target) {
    (void)key;
    struct config_plugin *plugin = ((struct plugin_target *)target)->plugin;
    const char *text;
    if (!yaml_text(reader, value, "\"sha256\"", &text))
        return false;
    if (strlen(text) != 64 || strspn(text, "0123456789abcdefABCDEF") != 64)
        return yaml_fail(reader, value,
                         "\"sha256\" should be 64 hexadecimal digits, as sha256sum prints them");
    plugin->sha256 = copy_text(text, 64);
    return true;
}

static bool read_plugin_capabilities(struct yaml_reader *reader, const yaml_node_t *key,
                                     const yaml_node_t *value, void *target) {
    (void)key;
    struct config_plugin *plugin = ((struct plugin_target *)target)->plugin;
    struct yaml_key each = {"a capability", read_capability};
    return yaml_read_list(reader, value, "\"capabilities\"", each, &plugin->capabilities);
}

static bool read_exec_pin(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                          void *target) {
    (void)key;
    static const struct yaml_key keys[] = {{"path", read_anything}, {"args", read_anything}};
    return yaml_read_mapping(reader, value, "an entry of \"exec\"", keys, ARRAY_LEN(keys), target);
}

static bool read_exec(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                      void *target) {
    struct config_file *config = ((struct plugin_target *)target)->config;
    struct yaml_key each = {"an entry of \"exec\"", read_exec_pin};
    warn(reader, key, "\"exec\" is not implemented yet and has no effect: no plugin can run commands",
         &config->warnings);
    return yaml_read_list(reader, value, "\"exec\"", each, target);
}

static bool read_plugin(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                        void *target) {
    static const struct yaml_key keys[] = {
        {"sha256", read_sha256}, {"capabilities", read_plugin_capabilities}, {"exec", read_exec}};
    struct config_file *config = target;
    const char *name = (const char *)key->data.scalar.value;
    if (*name == '\0' || strchr(name, '/') || strlen(name) > MAX_PLUGIN_NAME)
        return yaml_fail(reader, key, "a plugin's name should be 1 to 255 bytes without \"/\"");
    config->plugins = grow(config->plugins, config->plugin_count + 1, sizeof *config->plugins);
    struct config_plugin *plugin = &config->plugins[config->plugin_count++];
    *plugin = (struct config_plugin){.name = copy_text(name, strlen(name)),
                                     .line = key->start_mark.line + 1,
                                     .column = key->start_mark.column + 1};
    _cleanup_free_ char *what = format_text("plugin \"%s\"", name);
    struct plugin_target each = {config, plugin};
    return yaml_read_mapping(reader, value, what, keys, ARRAY_LEN(keys), &each);
}

static bool read_plugins(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                         void *target) {
    (void)key;
    struct yaml_key each = {"a plugin's name", read_plugin};
    return yaml_read_names(reader, value, "\"plugins\"", each, target);
}

/* ---- the file ---- */

bool config_file_parse(const char *path, const char *text, size_t size, struct config_file *out,
                       char **message) {
    static const struct yaml_key keys[] = {
        {"capabilities", read_shared_grants},
        {"plugins", read_plugins},
        {"timeout", read_timeout},
        {"wasm_memory_limit_mb", read_memory_limit},
        {"max_evidence_size_bytes", read_max_evidence},
        {"security", read_security},
        {"redaction", read_redaction},
        {"sensitive_data", read_sensitive_data},
    };
    struct config_file config = {.path = copy_text(path, strlen(path))};
    struct yaml_reader reader;
    bool ok =
        yaml_reader_open(&reader, path, text, size) &&
        yaml_read_mapping(&reader, yaml_root(&reader), "the configuration", keys, ARRAY_LEN(keys), &config);
    if (ok) {
        *out = config;
    } else {
        *message = reader.message;
        reader.message = NULL;
        config_file_clear(&config);
    }
    yaml_reader_close(&reader);
    return ok;
}

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

static bool read_opened(const char *path, int fd, struct config_file *out, char **message) {
    _cleanup_free_ char *text = NULL;
    size_t size;
    *message = NULL;
    if (!check_trust(path, fd, message))
        return false;
    if (!read_all(fd, YAML_MAX_BYTES, &text, &size)) {
        *message = errno == EFBIG ? format_text("%s is larger than 1 MiB", path)
                                  : format_text("cannot read %s: %s", path, strerror(errno));
        return false;
    }
    return config_file_parse(path, text, size, out, message);
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

void config_file_clear(struct config_file *config) {
    for (size_t i = 0; i < config->plugin_count; i++) {
        free(config->plugins[i].name);
        free(config->plugins[i].sha256);
        string_list_clear(&config->plugins[i].capabilities);
    }
    free(config->plugins);
    free(config->path);
    string_list_clear(&config->shared_grants);
    string_list_clear(&config->warnings);
    string_list_clear(&config->alarms);
    *config = (struct config_file){0};
}
