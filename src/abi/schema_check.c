#include <string.h>

#include "abi/abi.h"
#include "abi/json.h"
#include "abi/schema.h"
#include "util/buf.h"
#include "util/fail.h"

/* JSON Schema counts 1, 1.0 and 1.5e3 as integers: no digit but 0 is left behind the point. */
static bool is_integer(const char *text, size_t size) {
    size_t i = 0, fraction = 0, exponent = 0;
    bool negative = false;
    while (i < size && text[i] != '.' && text[i] != 'e' && text[i] != 'E')
        i++;
    if (i < size && text[i] == '.')
        for (size_t digit = 1; ++i < size && text[i] != 'e' && text[i] != 'E'; digit++)
            if (text[i] != '0')
                fraction = digit;
    for (; i < size; i++) {
        negative = negative || text[i] == '-';
        if (text[i] >= '0' && text[i] <= '9' && exponent < size)
            exponent = exponent * 10 + (size_t)(text[i] - '0');
    }
    return negative ? fraction == 0 && exponent == 0 : fraction <= exponent;
}

/* Whether the value is of the type that is written from `name` to `end`. A type that JSON Schema does not have is
 * not checked: the plugin knows what it means. */
static bool is_of_type(const struct reglet__json *value, const char *name, size_t size) {
    static const struct {
        const char *name;
        enum reglet__json_type type, or_type;
    } types[] = {{"string", REGLET__JSON_STRING, REGLET__JSON_STRING},
                 {"number", REGLET__JSON_NUMBER, REGLET__JSON_NUMBER},
                 {"integer", REGLET__JSON_NUMBER, REGLET__JSON_NUMBER},
                 {"boolean", REGLET__JSON_FALSE, REGLET__JSON_TRUE},
                 {"array", REGLET__JSON_ARRAY, REGLET__JSON_ARRAY},
                 {"object", REGLET__JSON_OBJECT, REGLET__JSON_OBJECT},
                 {"null", REGLET__JSON_NULL, REGLET__JSON_NULL}};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!reglet__json_text_is(name, size, types[i].name))
            continue;
        bool same = value->type == types[i].type || value->type == types[i].or_type;
        bool whole = strcmp(types[i].name, "integer") != 0;
        return same && (whole || is_integer(value->text, value->size));
    }
    return true;
}

static bool type_allows(const char *types, const struct reglet__json *value) {
    if (types[0] == '\0')
        return true;
    for (const char *at = types;; at++) {
        size_t size = strcspn(at, "|");
        if (is_of_type(value, at, size))
            return true;
        at += size;
        if (*at == '\0')
            return false;
    }
}

static reglet_status check_missing(const reglet_schema *schema, const struct reglet__json *config,
                                   reglet_error **err) {
    enum { MESSAGE_MAX = 2048 }; /* what does not fit is left out: the first ones help most */
    _cleanup_buf_ struct reglet__buf list = REGLET__BUF_INIT(MESSAGE_MAX);
    bool missing = false;
    for (size_t i = 0; i < schema->field_count; i++) {
        const reglet_field *field = &schema->fields[i];
        if (!field->required || reglet__json_get(config, field->name))
            continue;
        reglet__buf_appendf(&list, "%s\"%s\" (%s)", missing ? ", " : "", field->name,
                            field->type[0] ? field->type : "any type");
        missing = true;
    }
    if (!missing)
        return REGLET_OK;
    if (list.status == REGLET_ERR_NO_MEMORY)
        return reglet__fail_memory(err);
    return reglet__fail(err, REGLET_ERR_INVALID_CONFIG, REGLET_DOMAIN_CONFIG,
                        "config: required and missing: %s%s", list.data ? list.data : "",
                        list.status == REGLET_OK ? "" : ", …");
}

static reglet_status check_types(const reglet_schema *schema, const struct reglet__json *config,
                                 reglet_error **err) {
    for (size_t i = 0; i < schema->field_count; i++) {
        const reglet_field *field = &schema->fields[i];
        const struct reglet__json *value = reglet__json_get(config, field->name);
        if (value && !type_allows(field->type, value))
            return reglet__fail(err, REGLET_ERR_INVALID_CONFIG, REGLET_DOMAIN_CONFIG,
                                "config: \"%s\" must be of type %s, not %s", field->name, field->type,
                                reglet__json_type_name(value->type));
    }
    return REGLET_OK;
}

static bool has_field(const reglet_schema *schema, const struct reglet__json *member) {
    for (size_t i = 0; i < schema->field_count; i++)
        if (reglet__json_text_is(member->key, member->key_size, schema->fields[i].name))
            return true;
    return false;
}

static reglet_status check_unknown(const reglet_schema *schema, const struct reglet__json *config,
                                   reglet_error **err) {
    REGLET__JSON_EACH (member, config)
        if (!has_field(schema, member))
            return reglet__fail(err, REGLET_ERR_INVALID_CONFIG, REGLET_DOMAIN_CONFIG,
                                "config: \"%s\" is no field of the plugin's schema, which allows no others",
                                member->key);
    return REGLET_OK;
}

reglet_status reglet__schema_check(const reglet_schema *schema, const reglet_config *config,
                                   reglet_error **err) {
    _cleanup_arena_ struct reglet__arena scratch = {0};
    struct reglet__json_fault fault;
    struct reglet__json *root = NULL;
    const char *json = NULL;
    size_t size = 0;
    if (!schema)
        return REGLET_OK;
    reglet_status status = reglet__config_json(config, &json, &size);
    if (status == REGLET_OK)
        status = reglet__json_read(&scratch, json, size, &root, &fault);
    if (status == REGLET_ERR_NO_MEMORY)
        return reglet__fail_memory(err);
    if (status != REGLET_OK)
        return reglet__fail(err, REGLET_ERR_INTERNAL, REGLET_DOMAIN_CONFIG, "config: cannot be read back");
    status = check_missing(schema, root, err);
    if (status == REGLET_OK)
        status = check_types(schema, root, err);
    if (status == REGLET_OK && reglet__kept_schema(schema)->closed)
        status = check_unknown(schema, root, err);
    return status;
}
