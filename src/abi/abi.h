/*
 * abi.h - the guest ABI's data: what a plugin answers, turned into what the library hands out. Knows JSON;
 * knows no instance: bytes come in, objects go out.
 *
 * Every function takes `bytes` as the guest gave them: not NUL-terminated, possibly no UTF-8 (repaired to
 * U+FFFD), possibly no JSON. What is wrong is REGLET_ERR_BAD_OUTPUT with one line that says what and where.
 */
#ifndef REGLET_ABI_ABI_H
#define REGLET_ABI_ABI_H

#include <reglet/config.h>
#include <reglet/plugin.h>
#include <reglet/result.h>

/*
 * Descriptions are reference counted inside: the runtime keeps one and hands out others (ref); the public
 * reglet_description_free() gives one back. The same for schemas.
 */
reglet_status reglet__description_parse_v1(const char *bytes, size_t size, const reglet_description **out,
                                           reglet_error **err);
reglet_status reglet__description_parse_v2(const char *bytes, size_t size, const reglet_description **out,
                                           reglet_error **err);
const reglet_description *reglet__description_ref(const reglet_description *description);

/* `bytes` is the JSON Schema; kept as it came. An answer that is an evidence object with an error is
 * REGLET_ERR_PLUGIN. */
reglet_status reglet__schema_parse(const char *bytes, size_t size, const reglet_schema **out,
                                   reglet_error **err);
/* The schema inside a v2 manifest (config_schema). *out is NULL when the manifest has none. */
reglet_status reglet__schema_from_manifest(const char *bytes, size_t size, const reglet_schema **out,
                                           reglet_error **err);
/* Of a component: {"fields": [{name, type, required, description}]}; the JSON Schema is made of these. */
reglet_status reglet__schema_from_fields(const char *bytes, size_t size, const reglet_schema **out,
                                         reglet_error **err);
const reglet_schema *reglet__schema_ref(const reglet_schema *schema);

/* Required fields are there and have a type the schema allows. INVALID_CONFIG names the field and what it
 * should be. */
reglet_status reglet__schema_check(const reglet_schema *schema, const reglet_config *config,
                                   reglet_error **err);

/* The config as the guest gets it. Borrowed from the config; made once and kept while it does not change, so
   that observe does not render it again; safe to call from several threads at once on one config. */
reglet_status reglet__config_json(const reglet_config *config, const char **out, size_t *size);

/*
 * What evidence passes before it is shortened: replaces what may not leave, and adds how often to *replaced. NO_MEMORY. What
 * belongs to the form of evidence is held (enum reglet__json_hold). TIMEOUT and CANCELLED: there was no time for all of it.
 */
struct reglet__json;
struct reglet__arena;
struct reglet__screen {
    reglet_status (*replace)(void *user_data, struct reglet__arena *arena, struct reglet__json *evidence,
                             uint64_t *replaced);
    void *user_data;
    bool
        paths; /* it goes by where a value is, too: what has no structure may not be shown in place of what has */
};

/* An answer of observe, as evidence. `max_bytes`: evidence beyond it is shortened (UINT64_MAX: never). `screen`: NULL is none. */
reglet_status reglet__result_from_evidence_v1(const char *bytes, size_t size, uint64_t max_bytes,
                                              const struct reglet__screen *screen, reglet_result **out,
                                              reglet_error **err);
reglet_status reglet__result_from_evidence_v2(const char *bytes, size_t size, uint64_t max_bytes,
                                              const struct reglet__screen *screen, reglet_result **out,
                                              reglet_error **err);

/* A result without evidence. Takes the error over, in which so much was replaced. exit_code is kept for REGLET_ERR_EXIT. NULL
 * without memory. */
reglet_result *reglet__result_from_error(reglet_error *error, uint32_t exit_code, uint64_t redactions);

/* One log_message request, parsed. Strings are cleaned for showing (reglet__clean_line). */
struct reglet__log_request {
    int level;
    char *message;
    char *request_id; /* or NULL */
    reglet_log_attr *attrs;
    size_t attr_count;
    void *memory; /* what the above live in */
};
/*
 * A request that is no JSON is logged as it is, at INFO, so that nothing is lost: never fails but for memory. Of longer ones
 * than REGLET__MAX_LOG_REQUEST nothing is read: its end would cut a secret in half.
 *
 * `screen` (NULL: none) is given what is nested in attributes, as an object of their keys: groups, lists and objects, also those
 * that a string has as JSON. Groups ([{key, type, value}]) stand there as the object that they mean, and once more as they
 * are. With `screen->paths` a request that is no JSON is not shown: nobody can tell what of it a path names.
 */
reglet_status reglet__log_request_parse(const char *bytes, size_t size, const struct reglet__screen *screen,
                                        struct reglet__log_request *out);
void reglet__log_request_free(struct reglet__log_request *request);

#endif
