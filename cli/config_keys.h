/*
 * config_keys.h - readers of single keys of the configuration file, where these are many enough for a file of their own.
 */
#ifndef CLI_CONFIG_KEYS_H
#define CLI_CONFIG_KEYS_H

#include "config_file.h"
#include "yaml.h"

/* "redaction" and "sensitive_data". The target is the struct config_file. */
bool config_read_redaction(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                           void *target);
bool config_read_sensitive_data(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                                void *target);

/* "limits". The same. */
bool config_read_limits(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                        void *target);

/* A number; `form` says what it should be. */
bool config_read_integer(struct yaml_reader *reader, const yaml_node_t *value, const char *what,
                         const char *form, int64_t *out);

#endif
