#define _GNU_SOURCE
#include "batch_request.h"

#include "term.h"

#include <json-c/json.h>
#include <math.h>
#include <string.h>

/*
 * Cuts a line into its members and copies no value: an id is handed back as it came, however large a number it is, and
 * values go to reglet_config_parse(), which judges every byte of them under the library's limits. json-c, which would
 * build a tree of many times the line's size and round numbers, only decodes strings with escapes.
 */
struct cursor {
    const char *start, *at, *end;
    const char *expected; /* set when it stops */
};

struct slice {
    const char *text;
    size_t size;
};

static bool stop(struct cursor *c, const char *expected) {
    c->expected = expected;
    return false;
}

static void skip_space(struct cursor *c) {
    while (c->at < c->end && strchr(" \t\r", *c->at) && *c->at)
        c->at++;
}

static bool skip_char(struct cursor *c, char wanted, const char *expected) {
    skip_space(c);
    if (c->at == c->end || *c->at != wanted)
        return stop(c, expected);
    c->at++;
    return true;
}

static bool skip_string(struct cursor *c) {
    for (c->at++; c->at < c->end && *c->at != '"'; c->at++) {
        if ((unsigned char)*c->at < 0x20)
            return stop(c, "an escape instead of a control character");
        if (*c->at == '\\' && ++c->at == c->end)
            break;
    }
    if (c->at == c->end)
        return stop(c, "the end of a string");
    c->at++;
    return true;
}

/* An array or object: to where as many brackets were closed as opened. */
static bool skip_container(struct cursor *c) {
    size_t depth = 0;
    do {
        if (c->at == c->end)
            return stop(c, "the end of an array or object");
        if (*c->at == '"') {
            if (!skip_string(c))
                return false;
            continue;
        }
        depth += *c->at == '{' || *c->at == '[';
        depth -= *c->at == '}' || *c->at == ']';
        c->at++;
    } while (depth > 0);
    return true;
}

static bool skip_value(struct cursor *c, struct slice *out) {
    skip_space(c);
    out->text = c->at;
    bool good = true;
    if (c->at < c->end && *c->at == '"')
        good = skip_string(c);
    else if (c->at < c->end && (*c->at == '{' || *c->at == '['))
        good = skip_container(c);
    else
        while (c->at < c->end && *c->at && !strchr(" \t\r,:{}[]\"", *c->at))
            c->at++;
    out->size = (size_t)(c->at - out->text);
    return good && (out->size > 0 || stop(c, "a value"));
}

/* ---- values of members ---- */

static bool is_word(const struct slice *s, const char *word) {
    return s->size == strlen(word) && memcmp(s->text, word, s->size) == 0;
}

static const char *skip_digits(const char *at, const char *end) {
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* RFC 8259: no leading zero, digits on both sides of the point and behind the exponent. */
static bool is_number(const struct slice *s) {
    const char *at = s->text, *end = s->text + s->size;
    at += at < end && *at == '-';
    const char *digits = at;
    at = skip_digits(at, end);
    if (at == digits || (*digits == '0' && at > digits + 1))
        return false;
    if (at < end && *at == '.') {
        digits = ++at;
        if ((at = skip_digits(at, end)) == digits)
            return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        digits = at;
        if ((at = skip_digits(at, end)) == digits)
            return false;
    }
    return at == end;
}

/* NULL when it is no string; the caller frees. */
static char *decode_bytes(const struct slice *s, size_t *size) {
    if (s->size < 2 || *s->text != '"')
        return NULL;
    *size = s->size - 2;
    if (!memchr(s->text, '\\', s->size))
        return copy_text(s->text + 1, *size);
    struct json_tokener *parser = json_tokener_new();
    if (!parser)
        out_of_memory();
    json_tokener_set_flags(parser, JSON_TOKENER_STRICT);
    struct json_object *string = json_tokener_parse_ex(parser, s->text, (int)s->size);
    const char *text = string ? json_object_get_string(string) : NULL;
    *size = text ? (size_t)json_object_get_string_len(string) : 0;
    char *copy = text ? copy_text(text, *size) : NULL;
    json_object_put(string);
    json_tokener_free(parser);
    return copy;
}

/* The same for what is used as text: NULL for one with a NUL in it as well. */
static char *decode_string(const struct slice *s) {
    size_t size = 0;
    char *text = decode_bytes(s, &size);
    if (text && strlen(text) == size)
        return text;
    free(text);
    return NULL;
}

/* ---- members ---- */

static void note(struct batch_request *request, char *taken) {
    if (request->problem)
        free(taken); /* the first one counts */
    else
        request->problem = taken;
}

static void note_text(struct batch_request *request, const char *text) {
    note(request, copy_text(text, strlen(text)));
}

static void take_id(struct batch_request *request, const struct slice *value) {
    size_t size = 0;
    _cleanup_free_ char *text = decode_bytes(value, &size);
    if (!text && !is_number(value)) {
        note_text(request, "\"id\" should be a string or a number");
        return;
    }
    request->id = value->text;
    request->id_size = value->size;
}

static void take_plugin(struct batch_request *request, const struct slice *value) {
    request->plugin = decode_string(value);
    if (!request->plugin || !*request->plugin)
        note_text(request, "\"plugin\" should be a string, the path of a module");
}

static void take_values(struct batch_request *request, const struct slice *value) {
    if (*value->text != '{') {
        note_text(request, "\"values\" should be an object");
        return;
    }
    request->values = value->text;
    request->values_size = value->size;
}

/* Parts of a millisecond count as a whole one: none at all would be no limit. */
static bool read_seconds(const struct slice *value, int64_t *out_ms) {
    const double most = 8760.0 * 60 * 60 * 1000;
    if (!is_number(value))
        return false;
    _cleanup_free_ char *text = copy_text(value->text, value->size);
    double ms = ceil(strtod(text, NULL) * 1000);
    if (!(ms >= 1 && ms <= most))
        return false;
    *out_ms = (int64_t)ms;
    return true;
}

static void take_timeout(struct batch_request *request, const struct slice *value) {
    _cleanup_free_ char *text = decode_string(value);
    if (text ? !parse_duration(text, &request->timeout_ms) : !read_seconds(value, &request->timeout_ms))
        note_text(request,
                  "\"timeout\" should be a positive number of seconds, or " DURATION_FORM " as a string");
}

static const struct member {
    const char *name;
    void (*take)(struct batch_request *request, const struct slice *value);
} members[] = {{"id", take_id}, {"plugin", take_plugin}, {"values", take_values}, {"timeout", take_timeout}};

static void refuse_key(struct batch_request *request, const char *key) {
    const char *names[ARRAY_LEN(members)];
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        names[i] = members[i].name;
    const char *meant = key ? closest_word(key, names, ARRAY_LEN(names)) : NULL;
    _cleanup_free_ char *shown = term_clean_short(key ? key : "", key ? strlen(key) : 0);
    if (meant)
        note(request, format_text("unknown key \"%s\", did you mean \"%s\"?", shown, meant));
    else
        note(request,
             format_text("unknown key \"%s\"; a line has \"id\", \"plugin\", \"values\" and \"timeout\"",
                         shown));
}

static void take_member(struct batch_request *request, unsigned *seen, const struct slice *key,
                        const struct slice *value) {
    _cleanup_free_ char *name = decode_string(key);
    size_t i = 0;
    while (i < ARRAY_LEN(members) && !(name && strcmp(members[i].name, name) == 0))
        i++;
    if (i == ARRAY_LEN(members)) {
        refuse_key(request, name);
    } else if (*seen & 1u << i) {
        note(request, format_text("the key \"%s\" stands twice", name));
    } else {
        *seen |= 1u << i;
        if (!is_word(value, "null"))
            members[i].take(request, value);
    }
}

static bool read_member(struct cursor *c, struct batch_request *request, unsigned *seen) {
    struct slice key, value;
    skip_space(c);
    key.text = c->at;
    if (c->at == c->end || *c->at != '"')
        return stop(c, "a key in double quotes");
    if (!skip_string(c))
        return false;
    key.size = (size_t)(c->at - key.text);
    if (!skip_char(c, ':', "a colon") || !skip_value(c, &value))
        return false;
    take_member(request, seen, &key, &value);
    return true;
}

static bool read_object(struct cursor *c, struct batch_request *request) {
    unsigned seen = 0;
    if (!skip_char(c, '{', "an object"))
        return false;
    skip_space(c);
    if (c->at < c->end && *c->at == '}') {
        c->at++;
    } else {
        do {
            if (!read_member(c, request, &seen))
                return false;
            skip_space(c);
        } while (c->at < c->end && *c->at == ',' && c->at++);
        if (!skip_char(c, '}', "a comma or a closing brace"))
            return false;
    }
    skip_space(c);
    return c->at == c->end || stop(c, "nothing behind the object");
}

void batch_request_read(const char *text, size_t size, struct batch_request *out) {
    *out = (struct batch_request){0};
    struct cursor c = {.start = text, .at = text, .end = text + size};
    size_t valid = term_utf8_length(text, size);
    if (valid < size)
        note(out, format_text("byte %zu: expected UTF-8", valid + 1));
    else if (!read_object(&c, out))
        note(out, format_text("byte %zu: expected %s", (size_t)(c.at - c.start) + 1, c.expected));
    else if (!out->plugin)
        note_text(out, "\"plugin\" is missing: the path of a module");
}

void batch_request_clear(struct batch_request *request) {
    free(request->plugin);
    free(request->problem);
    *request = (struct batch_request){0};
}
