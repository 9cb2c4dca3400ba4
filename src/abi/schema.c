#include "abi/schema.h"

#include <stdio.h>
#include <string.h>

#include "abi/abi.h"
#include "abi/answer.h"
#include "util/fail.h"
#include "util/limits.h"

const reglet_schema *reglet__schema_ref(const reglet_schema *schema) {
    if (schema)
        atomic_fetch_add_explicit(&reglet__kept_schema(schema)->references, 1, memory_order_relaxed);
    return schema;
}

void reglet_schema_free(const reglet_schema *schema) {
    struct reglet__kept_schema *kept = reglet__kept_schema(schema);
    if (!kept || atomic_fetch_sub_explicit(&kept->references, 1, memory_order_acq_rel) != 1)
        return;
    struct reglet__arena arena = kept->arena; /* it holds the schema itself */
    reglet__arena_free(&arena);
}

/* References: generated schemas put the config's type under "$defs" and point at it from the root. */

/* What "#/$defs/Config" points at; NULL when it is not there, or not in this document. */
static const struct reglet__json *follow(const struct reglet__json *root,
                                         const struct reglet__json *reference) {
    const char *at = reference->text, *end = at + reference->size;
    if (at == end || *at++ != '#')
        return NULL;
    const struct reglet__json *target = root;
    while (target && at < end && *at == '/') {
        const char *segment = ++at;
        while (at < end && *at != '/')
            at++;
        const struct reglet__json *found = NULL;
        if (target->type == REGLET__JSON_OBJECT)
            REGLET__JSON_EACH (member, target)
                if (member->key_size == (size_t)(at - segment) &&
                    memcmp(member->key, segment, member->key_size) == 0)
                    found = member;
        target = found;
    }
    return at == end ? target : NULL;
}

/* A keyword of a subschema, or of what it refers to. A chain of references that is longer is taken for a loop. */
static const struct reglet__json *keyword(const struct reglet__json *root,
                                          const struct reglet__json *subschema, const char *key) {
    enum { MAX_REFERENCES = 16 };
    for (int i = 0; subschema && i <= MAX_REFERENCES; i++) {
        if (subschema->type != REGLET__JSON_OBJECT)
            return NULL;
        const struct reglet__json *value = reglet__json_get(subschema, key);
        if (value && value->type != REGLET__JSON_NULL)
            return value;
        const struct reglet__json *reference = reglet__json_get(subschema, "$ref");
        bool points = reference && reference->type == REGLET__JSON_STRING;
        subschema = points ? follow(root, reference) : NULL;
    }
    return NULL;
}

static reglet_status typed_keyword(const struct reglet__answer *answer, const struct reglet__json *root,
                                   const char *key, unsigned type, const struct reglet__json **out) {
    const struct reglet__json *value = keyword(root, root, key);
    if (value && !(1u << value->type & type)) {
        char what[32];
        snprintf(what, sizeof what, "\"%s\"", key);
        return reglet__answer_wrong_type(answer, what, type, value);
    }
    *out = value;
    return REGLET_OK;
}

/* Fields */

/* A type, or several joined by "|". */
static reglet_status read_type(const struct reglet__answer *answer, const struct reglet__json *type,
                               const char **out) {
    size_t size = 0;
    if (!type)
        return REGLET_OK;
    if (type->type == REGLET__JSON_STRING) {
        *out = reglet__c_string(answer->keep, type->text, type->size);
        return *out ? REGLET_OK : reglet__fail_memory(answer->err);
    }
    if (type->type != REGLET__JSON_ARRAY)
        return reglet__answer_wrong_type(answer, "\"type\" of a property", REGLET__IS_STRING, type);
    REGLET__JSON_EACH (item, type) {
        if (item->type != REGLET__JSON_STRING)
            return reglet__answer_wrong_type(answer, "an element of a property's \"type\"", REGLET__IS_STRING,
                                             item);
        size += item->size + 1;
    }
    _cleanup_free_ char *joined = malloc(size + 1);
    if (!joined)
        return reglet__fail_memory(answer->err);
    size = 0;
    REGLET__JSON_EACH (item, type) {
        if (size)
            joined[size++] = '|';
        memcpy(joined + size, item->text, item->size);
        size += item->size;
    }
    *out = reglet__c_string(answer->keep, joined, size);
    return *out ? REGLET_OK : reglet__fail_memory(answer->err);
}

static reglet_status read_field(const struct reglet__answer *answer, const struct reglet__json *root,
                                const struct reglet__json *property, reglet_field *out) {
    out->type = out->description = "";
    out->name = reglet__c_string(answer->keep, property->key, property->key_size);
    if (!out->name)
        return reglet__fail_memory(answer->err);
    reglet_status status = read_type(answer, keyword(root, property, "type"), &out->type);
    const struct reglet__json *description = keyword(root, property, "description");
    if (status != REGLET_OK || !description)
        return status;
    if (description->type != REGLET__JSON_STRING)
        return reglet__answer_wrong_type(answer, "\"description\" of a property", REGLET__IS_STRING,
                                         description);
    out->description = reglet__c_string(answer->keep, description->text, description->size);
    return out->description ? REGLET_OK : reglet__fail_memory(answer->err);
}

/* The fields as they are collected: properties first, then what is required and no property. */
struct fields {
    size_t count;
    reglet_field items[REGLET__MAX_FIELDS];
};

/* The next field, or NULL when there are as many as there may be. */
static reglet_field *add_field(struct fields *fields) {
    return fields->count < REGLET__MAX_FIELDS ? &fields->items[fields->count++] : NULL;
}

static reglet_status read_properties(const struct reglet__answer *answer, const struct reglet__json *root,
                                     struct fields *fields) {
    const struct reglet__json *properties = NULL;
    reglet_status status = typed_keyword(answer, root, "properties", REGLET__IS_OBJECT, &properties);
    REGLET__JSON_EACH (property, properties) {
        if (status != REGLET_OK)
            break;
        reglet_field *field = add_field(fields);
        if (!field)
            return reglet__answer_too_many(answer, "fields", REGLET__MAX_FIELDS);
        status = read_field(answer, root, property, field);
    }
    return status;
}

static reglet_status require(const struct reglet__answer *answer, struct fields *fields, const char *name) {
    for (size_t i = 0; i < fields->count; i++) {
        if (strcmp(fields->items[i].name, name) == 0) {
            fields->items[i].required = true;
            return REGLET_OK;
        }
    }
    reglet_field *field = add_field(fields);
    if (!field)
        return reglet__answer_too_many(answer, "fields", REGLET__MAX_FIELDS);
    *field = (reglet_field){.name = name, .type = "", .description = "", .required = true};
    return REGLET_OK;
}

static reglet_status read_required(const struct reglet__answer *answer, const struct reglet__json *root,
                                   struct fields *fields) {
    const struct reglet__json *required = NULL;
    size_t count = 0;
    reglet_status status = typed_keyword(answer, root, "required", REGLET__IS_ARRAY, &required);
    REGLET__JSON_EACH (item, required) {
        if (status != REGLET_OK)
            return status;
        if (++count >
            REGLET__MAX_FIELDS) /* the same name a million times would be looked for a million times */
            return reglet__answer_too_many(answer, "required fields", REGLET__MAX_FIELDS);
        if (item->type != REGLET__JSON_STRING)
            return reglet__answer_wrong_type(answer, "an element of \"required\"", REGLET__IS_STRING, item);
        const char *name = reglet__c_string(answer->keep, item->text, item->size);
        if (!name)
            return reglet__fail_memory(answer->err);
        status = require(answer, fields, name);
    }
    return status;
}

/* The whole */

static reglet_status read_fields(const struct reglet__answer *answer, struct reglet__arena *scratch,
                                 const struct reglet__json *root, struct reglet__kept_schema *schema) {
    struct fields *fields = reglet__arena_alloc(scratch, sizeof *fields);
    if (!fields)
        return reglet__fail_memory(answer->err);
    reglet_status status = read_properties(answer, root, fields);
    if (status == REGLET_OK)
        status = read_required(answer, root, fields);
    if (status != REGLET_OK)
        return status;
    size_t size = fields->count * sizeof fields->items[0];
    reglet_field *kept = reglet__arena_alloc(answer->keep, size);
    if (!kept)
        return reglet__fail_memory(answer->err);
    memcpy(kept, fields->items, size);
    schema->public.fields = kept;
    schema->public.field_count = fields->count;
    const struct reglet__json *additional = keyword(root, root, "additionalProperties");
    schema->closed =
        additional && additional->type == REGLET__JSON_FALSE && !keyword(root, root, "patternProperties");
    return REGLET_OK;
}

/* Makes the schema; `raw` is kept as it is. */
static reglet_status make(const struct reglet__answer *answer, struct reglet__arena *scratch,
                          const struct reglet__json *root, const char *raw, size_t raw_size,
                          const reglet_schema **out) {
    struct reglet__kept_schema *schema = reglet__arena_alloc(answer->keep, sizeof *schema);
    if (!schema)
        return reglet__fail_memory(answer->err);
    schema->public.struct_size = sizeof schema->public;
    schema->public.raw = reglet__arena_copy(answer->keep, raw, raw_size);
    schema->public.raw_size = raw_size;
    if (!schema->public.raw)
        return reglet__fail_memory(answer->err);
    reglet_status status = read_fields(answer, scratch, root, schema);
    if (status != REGLET_OK)
        return status;
    atomic_init(&schema->references, 1);
    schema->arena = reglet__arena_take(answer->keep);
    *out = &schema->public;
    return REGLET_OK;
}

reglet_status reglet__schema_parse(const char *bytes, size_t size, const reglet_schema **out,
                                   reglet_error **err) {
    _cleanup_arena_ struct reglet__arena scratch = {0}, keep = {0};
    struct reglet__answer answer = {.subject = "schema", .keep = &keep, .err = err};
    const struct reglet__json *root = NULL;
    reglet_status status = reglet__answer_read(&answer, &scratch, bytes, size, &root);
    if (status == REGLET_OK)
        status = reglet__answer_check_failure(&answer, root);
    return status == REGLET_OK ? make(&answer, &scratch, root, bytes, size, out) : status;
}

reglet_status reglet__schema_from_manifest(const char *bytes, size_t size, const reglet_schema **out,
                                           reglet_error **err) {
    _cleanup_arena_ struct reglet__arena scratch = {0}, keep = {0};
    struct reglet__answer answer = {.subject = "manifest", .keep = &keep, .err = err};
    const struct reglet__json *root = NULL, *schema = NULL;
    reglet_status status = reglet__answer_read(&answer, &scratch, bytes, size, &root);
    if (status == REGLET_OK)
        status = reglet__answer_check_failure(&answer, root);
    if (status == REGLET_OK)
        status = reglet__answer_get(&answer, root, "config_schema", REGLET__IS_OBJECT, &schema);
    if (status != REGLET_OK)
        return status;
    if (!schema) {
        *out = NULL;
        return REGLET_OK;
    }
    answer.subject = "config_schema";
    size_t printed_size = 0;
    char *printed = reglet__json_print(&scratch, schema, &printed_size);
    return printed ? make(&answer, &scratch, schema, printed, printed_size, out) : reglet__fail_memory(err);
}

/* --- Of fields -------------------------------------------------------------------------------------------- */

/* A JSON Schema while it is made. */
struct drawing {
    struct reglet__arena *arena;
    struct reglet__json *properties, **required;
};

/* Of a field that comes twice the last one counts, as of any member. */
static bool draw(struct drawing *drawing, const struct reglet__json *field) {
    struct reglet__arena *arena = drawing->arena;
    const struct reglet__json *name = reglet__json_get(field, "name"),
                              *type = reglet__json_get(field, "type"),
                              *required = reglet__json_get(field, "required"),
                              *description = reglet__json_get(field, "description");
    struct reglet__json *property = reglet__json_new_object(arena);
    if (!property || (type && type->size && !reglet__json_add(arena, property, "type", 4, type)) ||
        (description && description->size &&
         !reglet__json_add(arena, property, "description", strlen("description"), description)))
        return false;
    if (!reglet__json_add(arena, drawing->properties, name->text, name->size, property))
        return false;
    if (!required || required->type != REGLET__JSON_TRUE)
        return true;
    struct reglet__json *item = reglet__arena_alloc(arena, sizeof *item);
    if (!item)
        return false;
    *item = (struct reglet__json){.type = REGLET__JSON_STRING, .text = name->text, .size = name->size};
    *drawing->required = item;
    drawing->required = &item->next;
    return true;
}

/* NULL without memory. */
static char *schema_of(struct reglet__arena *arena, const struct reglet__json *fields, size_t *size) {
    struct reglet__json required = {.type = REGLET__JSON_ARRAY};
    struct reglet__json *schema = reglet__json_new_object(arena);
    struct drawing drawing = {arena, reglet__json_new_object(arena), &required.first};
    bool drawn = schema && drawing.properties;
    REGLET__JSON_EACH (field, fields)
        drawn = drawn && draw(&drawing, field);
    drawn = drawn &&
            reglet__json_add_text(arena, schema, "$schema", "https://json-schema.org/draft/2020-12/schema") &&
            reglet__json_add_text(arena, schema, "type", "object") &&
            reglet__json_add(arena, schema, "properties", strlen("properties"), drawing.properties) &&
            (!required.first || reglet__json_add(arena, schema, "required", strlen("required"), &required));
    return drawn ? reglet__json_print(arena, schema, size) : NULL;
}

reglet_status reglet__schema_from_fields(const char *bytes, size_t size, const reglet_schema **out,
                                         reglet_error **err) {
    _cleanup_arena_ struct reglet__arena scratch = {0}, keep = {0};
    struct reglet__answer answer = {.subject = "schema", .keep = &keep, .err = err};
    const struct reglet__json *root = NULL;
    reglet_status status = reglet__answer_read(&answer, &scratch, bytes, size, &root);
    if (status != REGLET_OK)
        return status;
    size_t printed_size = 0;
    char *printed = schema_of(&scratch, reglet__json_get(root, "fields"), &printed_size);
    return printed ? reglet__schema_parse(printed, printed_size, out, err) : reglet__fail_memory(err);
}
