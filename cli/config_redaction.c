/* The keys "redaction" and "sensitive_data". No message quotes a secret or a salt. */
#define _GNU_SOURCE
#include "config_keys.h"

#include <string.h>

enum { LEAST_SALT = 16 };

static void set_text(struct config_text *out, const yaml_node_t *node, const char *text) {
    *out = (struct config_text){.text = copy_text(text, strlen(text)),
                                .line = node->start_mark.line + 1,
                                .column = node->start_mark.column + 1};
}

static void add_text(struct config_texts *list, const yaml_node_t *node, const char *text) {
    list->items = grow(list->items, list->count + 1, sizeof *list->items);
    set_text(&list->items[list->count++], node, text);
}

/* ---- redaction ---- */

static bool read_pattern(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                         void *target) {
    (void)key;
    const char *text;
    if (!yaml_text(reader, value, "a pattern", &text))
        return false;
    if (*text == '\0')
        return yaml_fail(reader, value, "a pattern should be a regular expression, not \"\"");
    add_text(target, value, text);
    return true;
}

static bool read_patterns(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                          void *target) {
    (void)key;
    struct config_redaction *redaction = target;
    struct yaml_key each = {"a pattern", read_pattern};
    return yaml_read_list(reader, value, "\"patterns\"", each, &redaction->patterns);
}

static bool read_path(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                      void *target) {
    (void)key;
    const char *text;
    if (!yaml_text(reader, value, "a path", &text))
        return false;
    if (*text == '\0')
        return yaml_fail(reader, value, "a path should be like password or db.credentials.*, not \"\"");
    add_text(target, value, text);
    return true;
}

static bool read_paths(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                       void *target) {
    (void)key;
    struct config_redaction *redaction = target;
    struct yaml_key each = {"a path", read_path};
    return yaml_read_list(reader, value, "\"paths\"", each, &redaction->paths);
}

static bool read_bool(struct yaml_reader *reader, const yaml_node_t *value, const char *what, bool *out) {
    const char *text;
    bool quoted = value->type == YAML_SCALAR_NODE && value->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (!yaml_text(reader, value, what, &text))
        return false;
    *out = strcmp(text, "true") == 0;
    if (quoted || (!*out && strcmp(text, "false") != 0))
        return yaml_fail(reader, value, "%s should be true or false, not \"%s\"", what, text);
    return true;
}

static bool read_enabled(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                         void *target) {
    (void)key;
    struct config_redaction *redaction = target;
    return read_bool(reader, value, "\"enabled\"", &redaction->hashes);
}

static bool read_salt(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                      void *target) {
    (void)key;
    struct config_redaction *redaction = target;
    const char *text;
    if (!yaml_text(reader, value, "\"salt\"", &text))
        return false;
    set_text(&redaction->salt, value, text);
    return true;
}

/* A salt that could be guessed would let hashes be turned back into what they stand for. */
static bool read_hash_mode(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                           void *target) {
    static const struct yaml_key keys[] = {{"enabled", read_enabled}, {"salt", read_salt}};
    struct config_redaction *redaction = target;
    if (!yaml_read_mapping(reader, value, "\"hash_mode\"", keys, ARRAY_LEN(keys), target))
        return false;
    if (!redaction->hashes)
        return true;
    if (!redaction->salt.text)
        return yaml_fail(reader, key, "\"hash_mode\" needs a \"salt\" of %d bytes or more", LEAST_SALT);
    size_t size = strlen(redaction->salt.text);
    if (size < LEAST_SALT)
        return yaml_fail_at(reader, redaction->salt.line, redaction->salt.column,
                            "\"salt\" should have %d bytes or more, not %zu", LEAST_SALT, size);
    return true;
}

static bool read_rules_file(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                            void *target) {
    (void)key;
    struct config_redaction *redaction = target;
    const char *text;
    if (!yaml_text(reader, value, "\"rules_file\"", &text))
        return false;
    if (*text == '\0')
        return yaml_fail(reader, value, "\"rules_file\" should be a file, not \"\"");
    set_text(&redaction->rules_file, value, text);
    return true;
}

static bool read_disable_gitleaks(struct yaml_reader *reader, const yaml_node_t *key,
                                  const yaml_node_t *value, void *target) {
    (void)key;
    struct config_redaction *redaction = target;
    return read_bool(reader, value, "\"disable_gitleaks\"", &redaction->no_builtin_rules);
}

bool config_read_redaction(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                           void *target) {
    (void)key;
    static const struct yaml_key keys[] = {{"patterns", read_patterns},
                                           {"paths", read_paths},
                                           {"hash_mode", read_hash_mode},
                                           {"rules_file", read_rules_file},
                                           {"disable_gitleaks", read_disable_gitleaks}};
    struct config_file *config = target;
    return yaml_read_mapping(reader, value, "\"redaction\"", keys, ARRAY_LEN(keys), &config->redaction);
}

/* ---- sensitive_data ---- */

static bool read_local_secret(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                              void *target) {
    (void)key;
    const char *text;
    if (!yaml_text(reader, value, "a secret", &text))
        return false;
    size_t size = strlen(text);
    if (size < CONFIG_LEAST_SECRET || size > CONFIG_LONGEST_SECRET)
        return yaml_fail(reader, value, "a secret should have %d to %d bytes, not %zu", CONFIG_LEAST_SECRET,
                         CONFIG_LONGEST_SECRET, size);
    add_text(target, value, text);
    return true;
}

static bool read_variable(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                          void *target) {
    (void)key;
    const char *text;
    if (!yaml_text(reader, value, "the name of a variable", &text))
        return false;
    if (*text == '\0' || strchr(text, '='))
        return yaml_fail(reader, value, "\"%s\" is no name of a variable", text);
    add_text(target, value, text);
    return true;
}

static bool read_secret_file(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                             void *target) {
    (void)key;
    const char *text;
    if (!yaml_text(reader, value, "a file", &text))
        return false;
    if (*text == '\0')
        return yaml_fail(reader, value, "a file should have a name, not \"\"");
    add_text(target, value, text);
    return true;
}

/* A list, or a mapping whose keys say what each is for. */
static bool read_either(struct yaml_reader *reader, const yaml_node_t *value, const char *what,
                        struct yaml_key each, struct config_texts *out) {
    if (value->type == YAML_SCALAR_NODE && !yaml_is_null(value)) /* not quoted: it may be the secret */
        return yaml_fail(reader, value, "%s should be a list or a mapping", what);
    if (value->type != YAML_MAPPING_NODE)
        return yaml_read_list(reader, value, what, each, out);
    each.name = "a secret's name";
    return yaml_read_names(reader, value, what, each, out);
}

static bool read_local(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                       void *target) {
    (void)key;
    struct config_redaction *redaction = target;
    struct yaml_key each = {"a secret", read_local_secret};
    return read_either(reader, value, "\"local\"", each, &redaction->local_secrets);
}

static bool read_env(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                     void *target) {
    (void)key;
    struct config_redaction *redaction = target;
    struct yaml_key each = {"the name of a variable", read_variable};
    return read_either(reader, value, "\"env\"", each, &redaction->secret_variables);
}

static bool read_files(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                       void *target) {
    (void)key;
    struct config_redaction *redaction = target;
    struct yaml_key each = {"a file", read_secret_file};
    return read_either(reader, value, "\"files\"", each, &redaction->secret_files);
}

static bool read_secrets(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                         void *target) {
    (void)key;
    static const struct yaml_key keys[] = {{"local", read_local}, {"env", read_env}, {"files", read_files}};
    return yaml_read_mapping(reader, value, "\"secrets\"", keys, ARRAY_LEN(keys), target);
}

bool config_read_sensitive_data(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                                void *target) {
    (void)key;
    static const struct yaml_key keys[] = {{"secrets", read_secrets}};
    struct config_file *config = target;
    return yaml_read_mapping(reader, value, "\"sensitive_data\"", keys, ARRAY_LEN(keys), &config->redaction);
}
