#define _GNU_SOURCE
#include <reglet/config.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "abi/abi.h"
#include "abi/json.h"
#include "util/buf.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/text.h"

/*
 * A config is its JSON text and nothing else: always one valid object, each key once. A change makes a new text and
 * then swaps it in, so calls that read at the same time need no lock, and one that fails changes nothing.
 */
struct reglet_config {
    char *json;
    size_t size;
};

REGLET_DEFINE_CLEANUP(reglet_config *, reglet_config_free);
#define _cleanup_config_ _cleanup_(reglet_config_free_p)

static reglet_status bad_argument(reglet_error **err, const char *what) {
    return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_CONFIG, "config: %s", what);
}

/* Reads what an operator gave. Unlike a plugin's answer it is refused when it is not UTF-8. */
static reglet_status read_json(struct reglet__arena *arena, const char *what, const char *json, size_t size,
                               struct reglet__json **out, reglet_error **err) {
    struct reglet__json_fault fault;
    if (size > REGLET__MAX_CONFIG_BYTES)
        return reglet__fail(err, REGLET_ERR_INVALID_CONFIG, REGLET_DOMAIN_CONFIG,
                            "%s: %zu bytes are more than a config may have (%zu)", what, size,
                            REGLET__MAX_CONFIG_BYTES);
    if (!reglet__utf8_valid(json, size))
        return reglet__fail(err, REGLET_ERR_INVALID_CONFIG, REGLET_DOMAIN_CONFIG, "%s: the text is not UTF-8",
                            what);
    reglet_status status = reglet__json_read(arena, json, size, out, &fault);
    if (status == REGLET_ERR_NO_MEMORY)
        return reglet__fail_memory(err);
    if (status != REGLET_OK)
        return reglet__fail(err, REGLET_ERR_INVALID_CONFIG, REGLET_DOMAIN_CONFIG,
                            "%s: not acceptable JSON: %s, at byte %zu of %zu", what, fault.what, fault.at,
                            fault.size);
    return REGLET_OK;
}

/* The members of both objects as one text; of members with the same key the reader keeps the last. */
static char *join(struct reglet__arena *arena, const reglet_config *config, const char *object,
                  size_t *size) {
    bool empty = config->size == strlen("{}");
    char *joined = reglet__arena_alloc(arena, config->size + *size);
    if (!joined)
        return NULL;
    memcpy(joined, config->json, config->size);
    size_t written = empty ? 1 : config->size; /* an object that has members: its brace becomes the comma */
    if (!empty)
        joined[config->size - 1] = ',';
    memcpy(joined + written, object + 1, *size - 1);
    *size = written + *size - 1;
    return joined;
}

/* Swaps in what the config shall be. */
static reglet_status replace(reglet_config *config, const struct reglet__json *object, reglet_error **err) {
    _cleanup_arena_ struct reglet__arena scratch = {0};
    size_t size = reglet__json_printed_size(object);
    if (size > REGLET__MAX_CONFIG_BYTES)
        return reglet__fail(err, REGLET_ERR_INVALID_CONFIG, REGLET_DOMAIN_CONFIG,
                            "config: %zu bytes are more than a config may have (%zu)", size,
                            REGLET__MAX_CONFIG_BYTES);
    char *printed = reglet__json_print(&scratch, object, NULL);
    char *json = printed ? strdup(printed) : NULL; /* what is printed holds no NUL */
    if (!json)
        return reglet__fail_memory(err);
    free(config->json);
    config->json = json;
    config->size = size;
    return REGLET_OK;
}

/* Puts the members of an object (printed by us) into the config. */
static reglet_status absorb(reglet_config *config, const char *object, size_t size, reglet_error **err) {
    _cleanup_arena_ struct reglet__arena scratch = {0};
    struct reglet__json_fault fault;
    struct reglet__json *root = NULL;
    if (reglet__json_text_is(object, size, "{}"))
        return REGLET_OK;
    char *joined = join(&scratch, config, object, &size);
    reglet_status status =
        joined ? reglet__json_read(&scratch, joined, size, &root, &fault) : REGLET_ERR_NO_MEMORY;
    if (status == REGLET_ERR_NO_MEMORY)
        return reglet__fail_memory(err);
    if (status != REGLET_OK) /* both were good by themselves: only a limit can be passed */
        return reglet__fail(err, REGLET_ERR_INVALID_CONFIG, REGLET_DOMAIN_CONFIG, "config: %s", fault.what);
    return replace(config, root, err);
}

/* Making and freeing */

reglet_status reglet_config_new(reglet_config **out, reglet_error **err) {
    if (!out)
        return bad_argument(err, "out is NULL");
    _cleanup_config_ reglet_config *config = calloc(1, sizeof *config);
    if (!config || !(config->json = strdup("{}")))
        return reglet__fail_memory(err);
    config->size = strlen(config->json);
    *out = take_ptr(config);
    return REGLET_OK;
}

void reglet_config_free(reglet_config *config) {
    if (!config)
        return;
    free(config->json);
    free(config);
}

reglet_status reglet_config_parse(const char *json, size_t json_size, reglet_config **out,
                                  reglet_error **err) {
    if (!json || !out)
        return bad_argument(err, "json or out is NULL");
    _cleanup_arena_ struct reglet__arena scratch = {0};
    _cleanup_config_ reglet_config *config = NULL;
    struct reglet__json *root = NULL;
    reglet_status status = read_json(&scratch, "config", json, json_size, &root, err);
    if (status != REGLET_OK)
        return status;
    if (root->type != REGLET__JSON_OBJECT)
        return reglet__fail(err, REGLET_ERR_INVALID_CONFIG, REGLET_DOMAIN_CONFIG,
                            "config: it must be a JSON object, not %s", reglet__json_type_name(root->type));
    status = reglet_config_new(&config, err);
    if (status == REGLET_OK)
        status = replace(config, root, err);
    if (status == REGLET_OK)
        *out = take_ptr(config);
    return status;
}

/* Setting */

static reglet_status set(reglet_config *config, const char *key, const struct reglet__json *value,
                         reglet_error **err) {
    if (!config || !key)
        return bad_argument(err, "config or key is NULL");
    if (!reglet__utf8_valid(key, strlen(key)))
        return bad_argument(err, "the key is not UTF-8");
    if (strlen(key) > REGLET__MAX_CONFIG_BYTES)
        return bad_argument(err, "the key is longer than a config may be");
    _cleanup_arena_ struct reglet__arena scratch = {0};
    size_t size = 0;
    struct reglet__json *object = reglet__json_new_object(&scratch);
    char *printed = object && reglet__json_add(&scratch, object, key, strlen(key), value)
                        ? reglet__json_print(&scratch, object, &size)
                        : NULL;
    return printed ? absorb(config, printed, size, err) : reglet__fail_memory(err);
}

reglet_status reglet_config_set_string(reglet_config *config, const char *key, const char *value,
                                       reglet_error **err) {
    if (!value)
        return bad_argument(err, "the value is NULL");
    size_t size = strlen(value);
    if (size > REGLET__MAX_CONFIG_BYTES)
        return bad_argument(err, "the value is longer than a config may be");
    if (!reglet__utf8_valid(value, size))
        return bad_argument(err, "the value is not UTF-8");
    struct reglet__json string = {.text = value, .size = (uint32_t)size, .type = REGLET__JSON_STRING};
    return set(config, key, &string, err);
}

static reglet_status set_number(reglet_config *config, const char *key, const char *text,
                                reglet_error **err) {
    struct reglet__json number = {.text = text, .size = (uint32_t)strlen(text), .type = REGLET__JSON_NUMBER};
    return set(config, key, &number, err);
}

reglet_status reglet_config_set_int(reglet_config *config, const char *key, int64_t value,
                                    reglet_error **err) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    return set_number(config, key, text, err);
}

/* The shortest text that reads back as the same number, with a point whatever the process's locale uses. */
static void print_double(double value, char *out, size_t size) {
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, value);
        double again = strtod(out, NULL);
        if (memcmp(&again, &value, sizeof value) == 0)
            break;
    }
    size_t start = strspn(out, "-0123456789"), point = strcspn(out + start, "0123456789e");
    if (point == 0)
        return;
    memmove(out + start + 1, out + start + point, strlen(out + start + point) + 1);
    out[start] = '.';
}

reglet_status reglet_config_set_double(reglet_config *config, const char *key, double value,
                                       reglet_error **err) {
    if (!isfinite(value))
        return bad_argument(err, "JSON has no number that is not finite");
    char text[64];
    print_double(value, text, sizeof text);
    return set_number(config, key, text, err);
}

reglet_status reglet_config_set_bool(reglet_config *config, const char *key, bool value, reglet_error **err) {
    struct reglet__json boolean = {.type = value ? REGLET__JSON_TRUE : REGLET__JSON_FALSE};
    return set(config, key, &boolean, err);
}

reglet_status reglet_config_set_json(reglet_config *config, const char *key, const char *json,
                                     size_t json_size, reglet_error **err) {
    if (!key || !json)
        return bad_argument(err, "key or json is NULL");
    _cleanup_arena_ struct reglet__arena scratch = {0};
    struct reglet__json *value = NULL;
    char what[128];
    snprintf(what, sizeof what, "config: \"%.80s\"", key);
    reglet_status status = read_json(&scratch, what, json, json_size, &value, err);
    return status == REGLET_OK ? set(config, key, value, err) : status;
}

reglet_status reglet_config_merge(reglet_config *config, const reglet_config *other, reglet_error **err) {
    if (!config || !other)
        return bad_argument(err, "config or other is NULL");
    return absorb(config, other->json, other->size, err);
}

/* Reading */

reglet_status reglet__config_json(const reglet_config *config, const char **out, size_t *size) {
    *out = config ? config->json : "{}";
    *size = config ? config->size : strlen("{}");
    return REGLET_OK;
}

reglet_status reglet_config_to_json(const reglet_config *config, char **out, size_t *out_size,
                                    reglet_error **err) {
    if (!config || !out)
        return bad_argument(err, "config or out is NULL");
    char *copy = malloc(config->size + 1);
    if (!copy)
        return reglet__fail_memory(err);
    memcpy(copy, config->json, config->size + 1);
    *out = copy;
    if (out_size)
        *out_size = config->size;
    return REGLET_OK;
}
