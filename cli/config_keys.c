/* What the keys of the configuration file mean. */
#define _GNU_SOURCE
#include "config_keys.h"

#include <string.h>

/* The longest plugin name that the library takes. */
enum { MAX_PLUGIN_NAME = 255 };

/* ---- numbers ---- */

bool config_read_integer(struct yaml_reader *reader, const yaml_node_t *value, const char *what,
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
    if (!config_read_integer(reader, value, what, form, &config->memory_limit_mib))
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
    if (!config_read_integer(reader, value, what, form, &bytes))
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

/* ---- security ---- */

const char *security_level_name(reglet_security_level level) {
    return level == REGLET_SECURITY_STRICT       ? "strict"
           : level == REGLET_SECURITY_PERMISSIVE ? "permissive"
                                                 : "standard";
}

static bool read_level(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                       void *target) {
    static const reglet_security_level levels[] = {REGLET_SECURITY_STRICT, REGLET_SECURITY_STANDARD,
                                                   REGLET_SECURITY_PERMISSIVE};
    (void)key;
    struct config_file *config = target;
    const char *text;
    if (!yaml_text(reader, value, "\"level\"", &text))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (strcmp(text, security_level_name(levels[i])) != 0)
            continue;
        config->level = levels[i];
        config->level_line = value->start_mark.line + 1;
        config->level_column = value->start_mark.column + 1;
        return true;
    }
    return yaml_fail(reader, value, "\"level\" should be strict, standard or permissive, not \"%s\"", text);
}

/* Each has to parse: one that does not would never be spelled like a grant, and warn of nothing. */
static bool read_broad_patterns(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                                void *target) {
    (void)key;
    struct config_file *config = target;
    struct yaml_key each = {"a capability", read_capability};
    return yaml_read_list(reader, value, "\"custom_broad_patterns\"", each, &config->broad_patterns);
}

static bool read_security(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                          void *target) {
    (void)key;
    static const struct yaml_key keys[] = {{"level", read_level},
                                           {"custom_broad_patterns", read_broad_patterns}};
    return yaml_read_mapping(reader, value, "\"security\"", keys, ARRAY_LEN(keys), target);
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

/* Where one entry of "exec" stands in the file. */
struct exec_text {
    const yaml_node_t *path, *args;
};

static bool read_exec_path(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                           void *target) {
    (void)key;
    return read_node(reader, value, "\"path\"", &((struct exec_text *)target)->path);
}

static bool read_exec_args(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                           void *target) {
    (void)reader, (void)key;
    ((struct exec_text *)target)->args = value;
    return true;
}

static bool read_arg(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                     void *target) {
    (void)key;
    const char *text;
    if (!yaml_text(reader, value, "an argument", &text))
        return false;
    string_list_add(target, copy_text(text, strlen(text)));
    return true;
}

static bool check_exec_pin(struct yaml_reader *reader, struct exec_text at,
                           const struct config_exec_pin *pin) {
    _cleanup_error_ reglet_error *error = NULL;
    const reglet_exec_pin given = {
        .command = pin->command, .args = (const char *const *)pin->args.items, .arg_count = pin->args.count};
    size_t wrong = pin->args.count;
    if (reglet_exec_pin_check(&given, &wrong, &error) == REGLET_OK)
        return true;
    size_t offset = reglet_error_offset(error) < 0 ? 0 : (size_t)reglet_error_offset(error);
    if (wrong < pin->args.count)
        return fail_in_scalar(reader, yaml_node(reader, at.args->data.sequence.items.start[wrong]), offset,
                              reglet_error_message(error));
    size_t before = strlen("exec:"); /* which the library puts in front of a command */
    return fail_in_scalar(reader, at.path, offset < before ? 0 : offset - before,
                          reglet_error_message(error));
}

static bool read_exec_pin(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                          void *target) {
    (void)key;
    static const struct yaml_key keys[] = {{"path", read_exec_path}, {"args", read_exec_args}};
    static const struct yaml_key each = {"an argument", read_arg};
    struct config_plugin *plugin = ((struct plugin_target *)target)->plugin;
    struct exec_text at = {0};
    if (!yaml_read_mapping(reader, value, "an entry of \"exec\"", keys, ARRAY_LEN(keys), &at))
        return false;
    if (!at.path || !at.args)
        return yaml_fail(reader, value,
                         "an entry of \"exec\" needs \"path\" and \"args\" ([]: it gets no arguments)");
    const char *command = (const char *)at.path->data.scalar.value;
    plugin->exec_pins = grow(plugin->exec_pins, plugin->exec_pin_count + 1, sizeof *plugin->exec_pins);
    struct config_exec_pin *pin = &plugin->exec_pins[plugin->exec_pin_count++];
    *pin = (struct config_exec_pin){.command = copy_text(command, strlen(command))};
    return yaml_read_list(reader, at.args, "\"args\"", each, &pin->args) && check_exec_pin(reader, at, pin);
}

static bool read_exec(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                      void *target) {
    (void)key;
    struct yaml_key each = {"an entry of \"exec\"", read_exec_pin};
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
        {"limits", config_read_limits},
        {"security", read_security},
        {"redaction", config_read_redaction},
        {"sensitive_data", config_read_sensitive_data},
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
