/*
 * config_file.h - the operator's configuration file. docs/configuration.md describes every key.
 */
#ifndef CLI_CONFIG_FILE_H
#define CLI_CONFIG_FILE_H

#include "util.h"

/* What `plugins: {NAME: …}` says of one plugin. */
struct config_plugin {
    char *name;
    char *sha256; /* 64 hexadecimal digits, or NULL */
    struct string_list capabilities;
    size_t line, column;
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
    struct string_list warnings; /* with file, line and column */
    struct string_list alarms;   /* warnings that also --quiet must not hide: less safe than was asked for */
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

const struct config_plugin *config_file_plugin(const struct config_file *config, const char *name);
void config_file_clear(struct config_file *config);

#endif
