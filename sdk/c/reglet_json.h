/*
 * reglet_json.h - what the sources of the SDK share: memory, and JSON being written. Plugins do not include it.
 */
#ifndef REGLET_JSON_H
#define REGLET_JSON_H

#include "reglet_plugin.h"

/* What went wrong inside the SDK, first things first. It becomes the answer, whatever else was built. */
extern const char *plugin__problem;
extern const char plugin__no_memory[];
void plugin__note_problem(const char *text);

/* Memory that lives as long as the instance; NULL, and a problem, without memory. */
void *plugin__keep(size_t size);
/* Gives back what was kept since a mark. */
void *plugin__mark(void);
void plugin__release(void *mark);

/* ---- Reading ------------------------------------------------------------------------------------------------- */

plugin_type plugin__type_of(plugin_value value); /* of a value that is there, and not null */
bool plugin__parse_int(plugin_value value, int64_t *out);
/* The values of several keys, in one pass; text NULL where there is none. */
void plugin__find_members(plugin_value object, const char *const *keys, plugin_value *values, size_t count);
/* Goes through an array, or with `name` through an object: *rest begins as all of it. Text NULL past the end. */
plugin_value plugin__next(plugin_value *rest, plugin_value *name);
/* The fallback of a field, when `object` is the config of this observe; else text NULL. */
plugin_value plugin__fallback(plugin_value object, const char *key);

/* ---- Writing ------------------------------------------------------------------------------------------------- */

/* A text under way. What cannot be written becomes the problem. */
struct json {
    char *bytes;
    size_t size;
    size_t capacity;
    size_t depth;
    char closers[PLUGIN_MAX_DEPTH];
    bool comma; /* the next value needs one before it */
};

void plugin__put(struct json *json, const char *text, size_t size);
void plugin__put_text(struct json *json, const char *text);
void plugin__put_string(struct json *json, const char *text, size_t size);
/* What stands before a value: a comma, and in an object the key. */
void plugin__put_key(struct json *json, const char *key);
void plugin__put_member(struct json *json, const char *key, const char *text);
void plugin__begin(struct json *json, const char *key, char open, char close);
void plugin__end(struct json *json);
/* Hands the bytes over, or frees them and answers NULL. */
char *plugin__finish(struct json *json, size_t *size);

/* What plugin_put_…() writes to: the evidence, or a request. */
struct plugin_writer {
    struct json data; /* {"data":{…, and what follows it; of a request, all of it */
    size_t outermost; /* how many of its objects the plugin did not begin */
    struct json error;
    struct json raw;
    struct json complaints;     /* about the config, as one line */
    struct json complaints_map; /* the same, field by field */
};

#endif
