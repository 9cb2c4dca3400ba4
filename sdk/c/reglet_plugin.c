/*
 * reglet_plugin.c - the other half of reglet_plugin.h: the evidence, and the exports of the ABI.
 */
#include "reglet_json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLUGIN_SDK_VERSION "c/0.1.0"

/* ---- The evidence -------------------------------------------------------------------------------------------- */
/* The first failure is the cause; what fails after it follows from it. */
static bool begin_error(plugin_evidence *evidence, const char *type, const char *code) {
    if (evidence->error.size)
        return false;
    plugin__begin(&evidence->error, NULL, '{', '}');
    plugin__put_member(&evidence->error, "type", type);
    plugin__put_member(&evidence->error, "code", code);
    return true;
}

void plugin_fail(plugin_evidence *evidence, const char *type, const char *code, const char *format, ...) {
    char message[PLUGIN_MAX_MESSAGE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (!begin_error(evidence, type, code))
        return;
    plugin__put_member(&evidence->error, "message", message);
    plugin__end(&evidence->error);
}

void plugin_fail_field(plugin_evidence *evidence, const char *field, const char *format, ...) {
    char message[PLUGIN_MAX_MESSAGE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    plugin__put_text(&evidence->complaints, evidence->complaints.size ? "; " : "config: ");
    plugin__put_text(&evidence->complaints, field);
    plugin__put_text(&evidence->complaints, " ");
    plugin__put_text(&evidence->complaints, message);
    if (!evidence->complaints_map.size)
        plugin__begin(&evidence->complaints_map, NULL, '{', '}');
    plugin__put_member(&evidence->complaints_map, field, message);
}

static void put_complaints(plugin_evidence *evidence) {
    if (!evidence->complaints.size || !begin_error(evidence, "config", "INVALID_CONFIG"))
        return;
    plugin__put_key(&evidence->error, "message");
    plugin__put_string(&evidence->error, evidence->complaints.bytes, evidence->complaints.size);
    plugin__end(&evidence->complaints_map);
    plugin__put_key(&evidence->error, "details");
    plugin__put(&evidence->error, evidence->complaints_map.bytes, evidence->complaints_map.size);
    plugin__end(&evidence->error);
}

/* A path as a grant is written: characters that mean something in a pattern stand for themselves after a "\". */
static const char *path_as_pattern(const char *path) {
    char *pattern = plugin__keep(strlen(path) * 2 + 1), *out = pattern;
    if (!pattern)
        return path;
    for (; *path; path++) {
        if (strchr("*?[]{}\\", *path))
            *out++ = '\\';
        *out++ = *path;
    }
    *out = '\0';
    return pattern;
}

/* Also when the host offers no files at all: wasi-libc then finds no directory to start from. */
static bool is_denial(int error) {
#ifdef ENOTCAPABLE
    return error == EACCES || error == ENOTCAPABLE;
#else
    return error == EACCES;
#endif
}

void plugin_fail_file(plugin_evidence *evidence, const char *access, const char *path, int error) {
    if (is_denial(error))
        plugin_fail(evidence, "capability", "EACCES",
                    "permission denied: cannot %s %s; it needs the grant fs:%s:%s", access, path, access,
                    path_as_pattern(path));
    else
        plugin_fail(evidence, "execution", plugin_errno_name(error), "cannot %s %s: %s", access, path,
                    strerror(error));
}

const char *plugin_errno_name(int error) {
    static const struct {
        int value;
        const char *name;
    } names[] = {
#define NAME(value) {value, #value}
        {0, "OK"},         NAME(E2BIG),  NAME(EACCES),    NAME(EAGAIN),       NAME(EBADF),     NAME(EBUSY),
        NAME(ECANCELED),   NAME(EDQUOT), NAME(EEXIST),    NAME(EFAULT),       NAME(EFBIG),     NAME(EILSEQ),
        NAME(EINTR),       NAME(EINVAL), NAME(EIO),       NAME(EISDIR),       NAME(ELOOP),     NAME(EMFILE),
        NAME(EMLINK),      NAME(ENFILE), NAME(ENODEV),    NAME(ENAMETOOLONG), NAME(ENOENT),    NAME(ENOMEM),
        NAME(ENOSPC),      NAME(ENOSYS), NAME(ENXIO),     NAME(ENOTDIR),      NAME(ENOTEMPTY), NAME(ENOTSOCK),
        NAME(ENOTSUP),     NAME(ENOTTY), NAME(EPERM),     NAME(EOVERFLOW),    NAME(EPIPE),     NAME(EROFS),
        NAME(ESPIPE),      NAME(ESTALE), NAME(ETIMEDOUT), NAME(ETXTBSY),      NAME(EXDEV),
#ifdef ENOTCAPABLE
        NAME(ENOTCAPABLE),
#endif
#undef NAME
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].value == error)
            return names[i].name;
    return "UNKNOWN";
}

/* ---- describe, schema, observe ------------------------------------------------------------------------------- */

/* The config of this observe: only its own keys have fallbacks, not those of objects inside it. */
static plugin_value whole_config;

plugin_value plugin__fallback(plugin_value object, const char *key) {
    if (object.text != whole_config.text)
        return (plugin_value){0};
    for (const plugin_field *field = plugin.fields; field && field->name; field++)
        if (field->fallback && strcmp(field->name, key) == 0)
            return (plugin_value){field->fallback, strlen(field->fallback)};
    return (plugin_value){0};
}

/* The answer when there is no other: an error with the reason. */
static char *report_problem(size_t *size) {
    struct json json = {0};
    const char *reason = plugin__problem;
    plugin__problem = NULL;
    plugin__begin(&json, NULL, '{', '}');
    plugin__put_key(&json, "status");
    plugin__put_text(&json, "false");
    plugin__begin(&json, "error", '{', '}');
    plugin__put_member(&json, "type", "internal");
    plugin__put_member(&json, "code", "SDK");
    plugin__put_member(&json, "message", reason ? reason : plugin__no_memory);
    plugin__end(&json);
    plugin__end(&json);
    return plugin__finish(&json, size);
}

static char *answer(struct json *json, size_t *size) {
    char *bytes = plugin__finish(json, size);
    return bytes ? bytes : report_problem(size);
}

char *plugin__describe(size_t *size) {
    struct json json = {0};
    plugin__problem = NULL;
    plugin__begin(&json, NULL, '{', '}');
    plugin__put_member(&json, "name", plugin.name);
    plugin__put_member(&json, "version", plugin.version);
    plugin__put_member(&json, "description", plugin.description);
    plugin__put_member(&json, "sdk_version", PLUGIN_SDK_VERSION);
    plugin__begin(&json, "capabilities", '[', ']');
    for (const plugin_capability *wanted = plugin.capabilities; wanted && wanted->kind; wanted++) {
        plugin__begin(&json, NULL, '{', '}');
        plugin__put_member(&json, "kind", wanted->kind);
        plugin__put_member(&json, "pattern", wanted->pattern);
        plugin__end(&json);
    }
    plugin__end(&json);
    plugin__end(&json);
    return answer(&json, size);
}

/* As the schema spells them, and with an article for messages. */
static const struct {
    const char *name;
    const char *phrase;
} types[] = {
    [PLUGIN_STRING] = {"string", "a string"}, [PLUGIN_BOOL] = {"boolean", "true or false"},
    [PLUGIN_INT] = {"integer", "an integer"}, [PLUGIN_NUMBER] = {"number", "a number"},
    [PLUGIN_ARRAY] = {"array", "an array"},   [PLUGIN_OBJECT] = {"object", "an object"},
};

static void put_field(struct json *json, const plugin_field *field) {
    plugin__begin(json, field->name, '{', '}');
    if (field->type == PLUGIN_PORT) {
        plugin__put_key(json, "type");
        plugin__put_text(json, "[\"integer\",\"string\"]");
    } else {
        plugin__put_member(json, "type", types[field->type].name);
    }
    if (field->description)
        plugin__put_member(json, "description", field->description);
    if (field->fallback) {
        plugin__put_key(json, "default");
        plugin__put_text(json, field->fallback);
    }
    plugin__end(json);
}

static void put_schema(struct json *json) {
    plugin__begin(json, NULL, '{', '}');
    plugin__put_member(json, "$schema", "https://json-schema.org/draft/2020-12/schema");
    plugin__put_member(json, "type", "object");
    plugin__begin(json, "properties", '{', '}');
    for (const plugin_field *field = plugin.fields; field && field->name; field++)
        put_field(json, field);
    plugin__end(json);
    plugin__begin(json, "required", '[', ']');
    for (const plugin_field *field = plugin.fields; field && field->name; field++)
        if (field->required)
            plugin__put_member(json, NULL, field->name);
    plugin__end(json);
    plugin__end(json);
}

char *plugin__schema(size_t *size) {
    struct json json = {0};
    plugin__problem = NULL;
    if (plugin.schema)
        plugin__put_text(&json, plugin.schema);
    else
        put_schema(&json);
    return answer(&json, size);
}

/* What is wrong with one field, as what it should be; NULL when nothing is. */
static const char *complaint(const plugin_field *field) {
    plugin_value value = plugin_json(whole_config, field->name);
    if (!value.text)
        return field->required ? "is required" : NULL;
    if (field->type == PLUGIN_PORT)
        return plugin_port(value, NULL) ? NULL : "must be a port, 1 to 65535";
    static char text[64];
    int64_t number;
    plugin_type type = plugin__type_of(value);
    bool right = type == (field->type == PLUGIN_INT ? PLUGIN_NUMBER : field->type);
    if (right && field->type == PLUGIN_INT && !plugin__parse_int(value, &number))
        return "must be an integer of 64 bits";
    if (right && type == PLUGIN_STRING && !plugin_string(whole_config, field->name))
        return "must not hold a NUL character";
    if (right)
        return NULL;
    snprintf(text, sizeof text, "must be %s, not %s", types[field->type].phrase, types[type].phrase);
    return text;
}

/* Looks at every field, so that one run tells the operator all that is wrong. */
static void check_config(plugin_evidence *evidence) {
    for (const plugin_field *field = plugin.fields; field && field->name; field++) {
        const char *wrong = complaint(field);
        if (wrong)
            plugin_fail_field(evidence, field->name, "%s", wrong);
    }
}

static bool parse_config(const char *text, size_t size, plugin_evidence *evidence) {
    whole_config = size <= PLUGIN_MAX_BYTES ? plugin_parse(text, size) : (plugin_value){0};
    if (whole_config.text && whole_config.text[0] == '{')
        return true;
    plugin_fail(evidence, "config", "INVALID_CONFIG", "config: it must be one JSON object, at most %d deep",
                PLUGIN_MAX_DEPTH);
    return false;
}

static char *finish_evidence(plugin_evidence *evidence, size_t *size) {
    struct json *json = &evidence->data;
    put_complaints(evidence);
    while (json->depth > 1)
        plugin__end(json);
    plugin__put_key(json, "status");
    plugin__put_text(json, evidence->error.size ? "false" : "true");
    if (evidence->error.size) {
        plugin__put_key(json, "error");
        plugin__put(json, evidence->error.bytes, evidence->error.size);
    }
    if (evidence->raw.size) {
        plugin__put_key(json, "raw");
        plugin__put(json, evidence->raw.bytes, evidence->raw.size);
    }
    plugin__end(json);
    free(evidence->error.bytes);
    free(evidence->raw.bytes);
    free(evidence->complaints.bytes);
    free(evidence->complaints_map.bytes);
    return answer(json, size);
}

char *plugin__observe(const char *config, size_t config_size, size_t *size) {
    plugin_evidence evidence = {.outermost = 2}; /* itself, and its data */
    plugin__problem = NULL;
    plugin__begin(&evidence.data, NULL, '{', '}');
    plugin__begin(&evidence.data, "data", '{', '}');
    if (parse_config(config, config_size, &evidence))
        check_config(&evidence);
    if (!evidence.error.size && !evidence.complaints.size)
        plugin.observe(whole_config, &evidence);
    return finish_evidence(&evidence, size);
}

/* ---- Logging ------------------------------------------------------------------------------------------------- */

void plugin_log(plugin_level level, const char *format, ...) {
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    char message[PLUGIN_MAX_MESSAGE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    struct json json = {0};
    plugin__begin(&json, NULL, '{', '}');
    plugin__put_member(&json, "level", names[level]);
    plugin__put_member(&json, "message", message);
    plugin__end(&json);
    plugin__log_sink(json.bytes, json.size);
    free(json.bytes);
}

/* ---- The ABI ------------------------------------------------------------------------------------------------- */

#if defined __wasm__ && !defined PLUGIN_COMPONENT

/* Only the exported names are the ABI's; in C they would stand in the way of the plugin's own. */
#define EXPORT(name) __attribute__((export_name(name)))

static uint64_t pack(const char *bytes, size_t size) {
    return (uint64_t)(uintptr_t)bytes << 32 | (bytes ? size : 0);
}

/* Called from one function only: the linker drops the import with it when nothing logs. */
__attribute__((import_module("reglet_host"), import_name("log_message"))) void
plugin__log_message(uint64_t request);

void plugin__log_sink(const char *request, size_t size) {
    plugin__log_message(pack(request, size));
}

EXPORT("allocate") void *plugin__export_allocate(size_t size);
void *plugin__export_allocate(size_t size) {
    /* Nothing is still something: address 0 would read as a failure. */
    return size <= 2 * (size_t)PLUGIN_MAX_BYTES ? malloc(size ? size : 1) : NULL;
}

EXPORT("deallocate") void plugin__export_deallocate(void *memory, size_t size);
void plugin__export_deallocate(void *memory, size_t size) {
    (void)size;
    free(memory);
}

EXPORT("describe") uint64_t plugin__export_describe(void);
uint64_t plugin__export_describe(void) {
    size_t size = 0;
    char *bytes = plugin__describe(&size);
    return pack(bytes, size);
}

EXPORT("schema") uint64_t plugin__export_schema(void);
uint64_t plugin__export_schema(void) {
    size_t size = 0;
    char *bytes = plugin__schema(&size);
    return pack(bytes, size);
}

EXPORT("observe") uint64_t plugin__export_observe(const char *config, size_t config_size);
uint64_t plugin__export_observe(const char *config, size_t config_size) {
    size_t size = 0;
    char *bytes = plugin__observe(config, config_size, &size);
    return pack(bytes, size);
}

#endif
