/*
 * json_members.h - looking into JSON that the library has checked, without changing a digit of its numbers.
 */
#ifndef CLI_JSON_MEMBERS_H
#define CLI_JSON_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

/* A piece of JSON text. */
struct json_text {
    const char *text;
    size_t size;
};

/* Takes the next `"name": value` of an object; `rest` starts out as the whole object. False at its end. */
bool json_next_member(struct json_text *rest, struct json_text *name, struct json_text *value);

/* What people read: a string without quotes and escapes, anything else as it is. The caller frees. */
char *json_readable(struct json_text value, size_t *out_size);

#endif
