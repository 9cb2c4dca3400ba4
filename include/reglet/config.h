/*
 * reglet/config.h - the config that a plugin observes under: one JSON object.
 */
#ifndef REGLET_CONFIG_H
#define REGLET_CONFIG_H

#include <reglet/error.h>

REGLET_BEGIN_DECLS

/**
 * A plugin's config. Not synchronised: build it on one thread, then any number of calls on any threads may
 * read it at once. Setting a field again replaces it.
 *
 * The setters return REGLET_OK; REGLET_ERR_INVALID_ARGUMENT (NULL, a key or string that is not UTF-8, a
 * number that is not finite); REGLET_ERR_INVALID_CONFIG (the config would have more than 16 MiB or 1,000,000
 * values); REGLET_ERR_NO_MEMORY. On failure the config is as it was.
 */
typedef struct reglet_config reglet_config;

/** Makes an empty config, to be freed with reglet_config_free(). REGLET_ERR_NO_MEMORY. */
REGLET_API reglet_status reglet_config_new(reglet_config **out, reglet_error **err);

/**
 * Makes a config from a JSON object. Numbers keep their text.
 *
 * @param json  UTF-8, need not be NUL-terminated
 * @return REGLET_OK, REGLET_ERR_INVALID_CONFIG (where it stops being JSON, or that it is no object),
 *         REGLET_ERR_INVALID_ARGUMENT, REGLET_ERR_NO_MEMORY
 */
REGLET_API reglet_status reglet_config_parse(const char *json, size_t json_size, reglet_config **out,
                                             reglet_error **err);

REGLET_API reglet_status reglet_config_set_string(reglet_config *config, const char *key, const char *value,
                                                  reglet_error **err);
REGLET_API reglet_status reglet_config_set_int(reglet_config *config, const char *key, int64_t value,
                                               reglet_error **err);
REGLET_API reglet_status reglet_config_set_double(reglet_config *config, const char *key, double value,
                                                  reglet_error **err);
REGLET_API reglet_status reglet_config_set_bool(reglet_config *config, const char *key, bool value,
                                                reglet_error **err);
/** Any JSON value, given as text. Also REGLET_ERR_INVALID_CONFIG when it is no JSON. */
REGLET_API reglet_status reglet_config_set_json(reglet_config *config, const char *key, const char *json,
                                                size_t json_size, reglet_error **err);

/** Puts every field of `other` into `config`; those of `other` win. On failure `config` is as it was. */
REGLET_API reglet_status reglet_config_merge(reglet_config *config, const reglet_config *other,
                                             reglet_error **err);

/**
 * The config as the plugin will get it: one JSON object.
 *
 * @param out  receives NUL-terminated text, to be freed with reglet_free(); untouched on failure
 */
REGLET_API reglet_status reglet_config_to_json(const reglet_config *config, char **out, size_t *out_size,
                                               reglet_error **err);

/** Frees. NULL is allowed. */
REGLET_API void reglet_config_free(reglet_config *config);

REGLET_END_DECLS

#endif
