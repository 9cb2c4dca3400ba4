/*
 * config_file.h - the operator's configuration file. docs/configuration.md describes every key.
 */
#ifndef CLI_CONFIG_FILE_H
#define CLI_CONFIG_FILE_H

#include "util.h"

/* A command with the only arguments that it may have. */
struct config_exec_pin {
    char *command;
    struct string_list args; /* globs */
};

/* What `plugins: {NAME: …}` says of one plugin. */
struct config_plugin {
    char *name;
    char *sha256; /* 64 hexadecimal digits, or NULL */
    struct string_list capabilities;
    struct config_exec_pin *exec_pins;
    size_t exec_pin_count;
    size_t line, column;
};

/* A text, and where it stands in the file. */
struct config_text {
    char *text; /* or NULL */
    size_t line, column;
};
struct config_texts {
    struct config_text *items;
    size_t count;
};

/* A shorter secret would be found everywhere, a longer one might pass a stream in pieces. */
enum { CONFIG_LEAST_SECRET = 4, CONFIG_LONGEST_SECRET = REGLET_REDACT_HOLD_BYTES };

/* What "redaction" and "sensitive_data" say. */
struct config_redaction {
    struct config_texts patterns, paths;
    struct config_text
        rules_file; /* as secret_files, from the directory of the configuration file unless absolute */
    bool no_builtin_rules;
    bool hashes;
    struct config_text salt; /* may be there without `hashes` */
    struct config_texts local_secrets, secret_variables, secret_files;
};

/* All zero: no file. The numbers are those of reglet_runtime_options, where 0 is the default. */
struct config_file {
    char *path; /* NULL: none was found */
    struct string_list shared_grants;
    struct config_plugin *plugins;
    size_t plugin_count;
    int64_t memory_limit_mib;
    int64_t max_evidence_bytes;
    int64_t timeout_ms;
    reglet_runtime_options limits; /* what "limits" says; of no use but for config_apply_limits() */
    reglet_security_level level;
    size_t level_line, level_column; /* 0: the file does not say */
    struct string_list broad_patterns;
    struct config_redaction redaction;
    struct string_list warnings; /* with file, line and column */
};

/*
 * Reads the file: `given` (what --config names) or else $XDG_CONFIG_HOME/reglet/config.yaml, or else
 * ~/.reglet/config.yaml; without any of them `out` stays all zero. False with one line in *message, to be
 * freed: what is wrong, where, and what would be right.
 */
bool config_file_find(const char *given, struct config_file *out, char **message);

/* Reads one file. It must belong to this user or to root, and nobody else may be able to write it. */
bool config_file_read(const char *path, struct config_file *out, char **message);

/* Reads text; `path` stands in messages. */
bool config_file_parse(const char *path, const char *text, size_t size, struct config_file *out,
                       char **message);

/* "strict", "standard", "permissive". */
const char *security_level_name(reglet_security_level level);

/* Puts what "limits" says into the options, and nothing else. */
void config_apply_limits(const struct config_file *config, reglet_runtime_options *options);

/* Wipes the known values and the salt: whoever needs them has them by now. Texts are empty then. */
void config_file_forget_secrets(struct config_file *config);

const struct config_plugin *config_file_plugin(const struct config_file *config, const char *name);
void config_file_clear(struct config_file *config);

#endif
