/*
 * reglet_plugin.h - write a plugin in C: say what it is, what config it takes, and observe.
 *
 *     #include "reglet_plugin.h"
 *
 *     static void observe(plugin_value config, plugin_evidence *evidence) {
 *         plugin_put_string(evidence, "greeting", plugin_string(config, "greeting"));
 *     }
 *
 *     const plugin_info plugin = {
 *         .name = "hello",
 *         .version = "1.0.0",
 *         .description = "Greets",
 *         .fields = (const plugin_field[]){
 *             {.name = "greeting", .type = PLUGIN_STRING, .description = "What to say", .fallback = "\"hi\""},
 *             {0}},
 *         .observe = observe,
 *     };
 *
 * Compile it together with the sources beside this header; docs/writing-plugins.md has the command. What the host does for
 * a plugin (names, connections, HTTP, commands, files, environment) is in reglet_host.h. Nothing needs to be freed: every
 * observe runs in an instance of its own, which is thrown away. What goes wrong inside these functions (no memory, a
 * value nested too deep) is kept, and becomes the error of the evidence.
 */
#ifndef REGLET_PLUGIN_SDK_H
#define REGLET_PLUGIN_SDK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PLUGIN_PRINTF(text, arguments) __attribute__((format(printf, text, arguments)))

enum {
    PLUGIN_MAX_BYTES = 32 << 20,    /* of the config, of the evidence and of a request as JSON */
    PLUGIN_MAX_RESPONSE = 64 << 20, /* of what the host answers, as JSON */
    PLUGIN_MAX_DEPTH = 64,          /* nesting of each of them */
    PLUGIN_MAX_MESSAGE = 8192       /* bytes of a failure's or a log line's message; longer ones are cut */
};

/* A JSON value of the config or of a response: all of it, or a part. A value that is not there has text NULL. */
typedef struct plugin_value {
    const char *text; /* JSON, not NUL-terminated, known to be well-formed */
    size_t size;
} plugin_value;

/* The evidence under way. */
typedef struct plugin_writer plugin_evidence;

/* ---- What the plugin is -------------------------------------------------------------------------------------- */

typedef enum plugin_type {
    PLUGIN_STRING = 1,
    PLUGIN_BOOL,
    PLUGIN_INT,
    PLUGIN_NUMBER,
    PLUGIN_ARRAY,
    PLUGIN_OBJECT,
    PLUGIN_PORT /* 1 to 65535, as a number or as a string of digits */
} plugin_type;

/* One field of the config. The JSON Schema is made of these, and every config is checked against them first. */
typedef struct plugin_field {
    const char *name;
    plugin_type type;
    const char *description;
    const char *fallback; /* the default, as JSON; NULL: none */
    bool required;
} plugin_field;

/* What the plugin wants to be granted, such as {"fs", "read:**"}. */
typedef struct plugin_capability {
    const char *kind;
    const char *pattern;
} plugin_capability;

typedef struct plugin_info {
    const char *name;
    const char *version;
    const char *description;
    const plugin_capability *capabilities; /* ends with {0}; NULL: none */
    const plugin_field *fields;            /* ends with {0}; NULL: none */
    const char *schema; /* a JSON Schema that says more than `fields` can; NULL: of `fields` */
    void (*observe)(plugin_value config, plugin_evidence *evidence);
} plugin_info;

/* The plugin defines this one. */
extern const plugin_info plugin;

/* ---- Reading the config, and what the host answers ----------------------------------------------------------- */

/*
 * The value of a key. When the config does not have it (or has null), the `fallback` of the field of that name; when
 * there is none either, or the value has another type: NULL, false, 0. With key NULL: the value itself, for the items
 * of arrays. Strings are UTF-8 and live as long as the instance.
 */
const char *plugin_string(plugin_value object,
                          const char *key); /* NULL as well when it holds a NUL character */
const char *plugin_bytes(plugin_value object, const char *key, size_t *size); /* it may hold NUL characters */
bool plugin_bool(plugin_value object, const char *key);
int64_t plugin_int(plugin_value object,
                   const char *key); /* 0 as well when it does not fit, or has a fraction */
double plugin_number(plugin_value object, const char *key);
uint16_t plugin_port(plugin_value object, const char *key);
/* The bytes of a string in base64, with a NUL behind them; NULL when it is none. */
const char *plugin_base64(plugin_value object, const char *key, size_t *size);
/* An array of strings, with a NULL behind them; NULL when it is none. */
const char *const *plugin_strings(plugin_value object, const char *key);

/* A part, such as a nested object; and as JSON text. Text NULL when it is not there. */
plugin_value plugin_json(plugin_value object, const char *key);
/* The item of an array, counted from 0. Text NULL past the end. */
plugin_value plugin_item(plugin_value array, size_t index);
/* The same for an object: the value, and *name the key. */
plugin_value plugin_member(plugin_value object, size_t index, const char **name);
/* One JSON value that a text is; it must outlive the value. Text NULL when it is not JSON. */
plugin_value plugin_parse(const char *text, size_t size);

/* ---- Building the evidence ----------------------------------------------------------------------------------- */

/*
 * Each adds one value to `data`, under a key, or with key NULL as an item of the array that is open. Bytes that are no
 * UTF-8 become U+FFFD; numbers that JSON cannot hold (NaN, infinity) and a string NULL become null.
 */
void plugin_put_string(plugin_evidence *evidence, const char *key, const char *text);
void plugin_put_text(plugin_evidence *evidence, const char *key, const void *text, size_t size);
void plugin_put_bool(plugin_evidence *evidence, const char *key, bool value);
void plugin_put_int(plugin_evidence *evidence, const char *key, int64_t value);
void plugin_put_number(plugin_evidence *evidence, const char *key, double value);
void plugin_put_null(plugin_evidence *evidence, const char *key);
void plugin_put_base64(plugin_evidence *evidence, const char *key, const void *bytes, size_t size);
void plugin_put_json(plugin_evidence *evidence, const char *key, plugin_value value); /* as it is; or null */

/* Open an object or an array; what follows goes into it, until plugin_end(). What is left open is closed at the end. */
void plugin_begin_object(plugin_evidence *evidence, const char *key);
void plugin_begin_array(plugin_evidence *evidence, const char *key);
void plugin_end(plugin_evidence *evidence);

/* Unstructured evidence, beside data. */
void plugin_put_raw(plugin_evidence *evidence, const void *text, size_t size);

/*
 * Says that the observation failed: status false, with an error. The first failure is the one that is reported; data
 * that was put is kept. `type` is one of network, timeout, config, capability, validation, execution, internal.
 */
void plugin_fail(plugin_evidence *evidence, const char *type, const char *code, const char *format, ...)
    PLUGIN_PRINTF(4, 5);

/*
 * Says what is wrong with a field of the config, such as "must be an absolute path"; once for each field. All of them
 * become one failure of type config, with the fields one by one in its details.
 */
void plugin_fail_field(plugin_evidence *evidence, const char *field, const char *format, ...)
    PLUGIN_PRINTF(3, 4);

/*
 * Says that a file could not be worked on. `access` is "read" or "write", `error` an errno. When the host
 * denied it (EACCES) the type is capability, and the message names the grant that would allow it.
 */
void plugin_fail_file(plugin_evidence *evidence, const char *access, const char *path, int error);

/* The name of an errno, such as "ENOENT". Never NULL. */
const char *plugin_errno_name(int error);

/* ---- Logging ------------------------------------------------------------------------------------------------- */

typedef enum plugin_level { PLUGIN_DEBUG, PLUGIN_INFO, PLUGIN_WARN, PLUGIN_ERROR } plugin_level;

/* One line to the host's log. A plugin that never calls this does not import the host's log either. */
void plugin_log(plugin_level level, const char *format, ...) PLUGIN_PRINTF(2, 3);

/* ---- For tests that run a plugin as native code -------------------------------------------------------------- */

/* What the exports answer, to be freed with free(); NULL without memory. */
char *plugin__describe(size_t *size);
char *plugin__schema(size_t *size);
char *plugin__observe(const char *config, size_t config_size, size_t *size);
/* What plugin_log() hands to the host, which natively the test is. */
void plugin__log_sink(const char *request, size_t size);

#ifdef __cplusplus
}
#endif

#endif
