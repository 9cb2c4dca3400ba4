/*
 * reglet_plugin.c - the other half of reglet_plugin.h: the exports of the ABI, and JSON both ways.
 *
 * JSON is read and written here because no library can be had for the target from Debian, and a plugin should need
 * nothing but these two files. The reader is strict and keeps no tree: a config is checked once from end to end, and
 * looked through again for each key, which for the few hundred bytes of a config is cheaper than any tree.
 */
#include "reglet_plugin.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLUGIN_SDK_VERSION "c/0.1.0"

/* What went wrong inside the SDK. It becomes the answer, whatever else was built. */
static const char *problem;
static const char NO_MEMORY[] = "the plugin is out of memory";

static void note_problem(const char *text) {
    if (!problem)
        problem = text;
}

/* ---- Memory -------------------------------------------------------------------------------------------------- */

/* Strings handed to the plugin, linked so that nothing is lost: the instance ends before anybody could free them. */
struct kept {
    struct kept *next;
    char bytes[];
};
static struct kept *all_kept;

static char *keep(size_t size) {
    struct kept *kept = size <= PLUGIN_MAX_BYTES ? malloc(sizeof *kept + size) : NULL;
    if (!kept) {
        note_problem(NO_MEMORY);
        return NULL;
    }
    kept->next = all_kept;
    all_kept = kept;
    return kept->bytes;
}

/* ---- Reading JSON -------------------------------------------------------------------------------------------- */

struct cursor {
    const char *at;
    const char *end;
};

static bool skip_value(struct cursor *c, unsigned depth);

static void skip_space(struct cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
        c->at++;
}

/* The next character, or NUL at the end: no token of JSON starts or goes on with a NUL. */
static char peek(const struct cursor *c) {
    return c->at < c->end ? *c->at : '\0';
}

static bool take(struct cursor *c, char wanted) {
    skip_space(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static int hex_digit(char character) {
    if (character >= '0' && character <= '9')
        return character - '0';
    character = (char)(character | 0x20);
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

/* The four digits of a \u escape, or -1. */
static int32_t take_hex4(struct cursor *c) {
    int32_t value = 0;
    for (int i = 0; i < 4; i++, c->at++) {
        int digit = hex_digit(peek(c));
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static bool skip_string(struct cursor *c) {
    if (!take(c, '"'))
        return false;
    while (c->at < c->end && (unsigned char)*c->at >= 0x20) {
        char character = *c->at++;
        if (character == '"')
            return true;
        if (character != '\\')
            continue;
        char escape = peek(c);
        if (!escape || !strchr("\"\\/bfnrtu", escape))
            return false;
        c->at++;
        if (escape == 'u' && take_hex4(c) < 0)
            return false;
    }
    return false;
}

static bool skip_digits(struct cursor *c) {
    const char *start = c->at;
    while (peek(c) >= '0' && peek(c) <= '9')
        c->at++;
    return c->at > start;
}

static bool skip_number(struct cursor *c) {
    if (peek(c) == '-')
        c->at++;
    if (peek(c) == '0')
        c->at++;
    else if (!skip_digits(c))
        return false;
    if (peek(c) == '.') {
        c->at++;
        if (!skip_digits(c))
            return false;
    }
    if (peek(c) == 'e' || peek(c) == 'E') {
        c->at++;
        if (peek(c) == '+' || peek(c) == '-')
            c->at++;
        return skip_digits(c);
    }
    return true;
}

static bool skip_word(struct cursor *c, const char *word) {
    size_t size = strlen(word);
    if ((size_t)(c->end - c->at) < size || memcmp(c->at, word, size) != 0)
        return false;
    c->at += size;
    return true;
}

static bool skip_container(struct cursor *c, char open, char close, unsigned depth) {
    if (depth == PLUGIN_MAX_DEPTH || !take(c, open))
        return false;
    if (take(c, close))
        return true;
    do {
        if (open == '{' && !(skip_string(c) && take(c, ':')))
            return false;
        if (!skip_value(c, depth + 1))
            return false;
    } while (take(c, ','));
    return take(c, close);
}

static bool skip_value(struct cursor *c, unsigned depth) {
    skip_space(c);
    switch (peek(c)) {
    case '{': return skip_container(c, '{', '}', depth);
    case '[': return skip_container(c, '[', ']', depth);
    case '"': return skip_string(c);
    case 't': return skip_word(c, "true");
    case 'f': return skip_word(c, "false");
    case 'n': return skip_word(c, "null");
    default: return skip_number(c);
    }
}

static bool next_value(struct cursor *c, plugin_value *out) {
    skip_space(c);
    const char *start = c->at;
    if (!skip_value(c, 0))
        return false;
    *out = (plugin_value){start, (size_t)(c->at - start)};
    return true;
}

static size_t encode_utf8(uint32_t code, char out[4]) {
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(lead[size] | code);
    return size;
}

/* The code point of a \u escape and of the one after it, when the two are a surrogate pair; alone they are U+FFFD. */
static uint32_t take_code_point(struct cursor *c) {
    int32_t first = take_hex4(c);
    if (first < 0xD800 || first > 0xDFFF)
        return first < 0 ? 0xFFFD : (uint32_t)first;
    struct cursor ahead = *c;
    if (first > 0xDBFF || !skip_word(&ahead, "\\u"))
        return 0xFFFD;
    int32_t second = take_hex4(&ahead);
    if (second < 0xDC00 || second > 0xDFFF)
        return 0xFFFD;
    *c = ahead;
    return 0x10000 + (((uint32_t)first - 0xD800) << 10) + ((uint32_t)second - 0xDC00);
}

/* One character of a string that was skipped before, as 1 to 4 bytes; 0 at the closing quote. */
static size_t next_character(struct cursor *c, char out[4]) {
    if (c->at == c->end || *c->at == '"')
        return 0;
    out[0] = *c->at++;
    if (out[0] != '\\')
        return 1;
    out[0] = peek(c);
    c->at++;
    switch (out[0]) {
    case 'b': out[0] = '\b'; return 1;
    case 'f': out[0] = '\f'; return 1;
    case 'n': out[0] = '\n'; return 1;
    case 'r': out[0] = '\r'; return 1;
    case 't': out[0] = '\t'; return 1;
    case 'u': return encode_utf8(take_code_point(c), out);
    default: return 1;
    }
}

static struct cursor inside_string(plugin_value value) {
    return (struct cursor){value.text + 1, value.text + value.size};
}

static bool string_equals(plugin_value value, const char *text) {
    struct cursor c = inside_string(value);
    size_t left = strlen(text), size;
    char bytes[4];
    while ((size = next_character(&c, bytes)) > 0) {
        if (size > left || memcmp(text, bytes, size) != 0)
            return false;
        text += size;
        left -= size;
    }
    return left == 0;
}

/* The value of a key; the last one, when the key is there twice. */
static plugin_value find_member(plugin_value object, const char *key) {
    plugin_value found = {0}, name, value;
    if (!object.text)
        return found;
    struct cursor c = {object.text, object.text + object.size};
    if (!take(&c, '{'))
        return found;
    do {
        if (!next_value(&c, &name) || name.text[0] != '"' || !take(&c, ':') || !next_value(&c, &value))
            break;
        if (string_equals(name, key))
            found = value;
    } while (take(&c, ','));
    return found;
}

static bool is_absent(plugin_value value) {
    return !value.text || value.text[0] == 'n';
}

static bool parse_int(plugin_value value, int64_t *out) {
    char digits[24], *end;
    if (is_absent(value) || value.size >= sizeof digits)
        return false;
    memcpy(digits, value.text, value.size);
    digits[value.size] = '\0';
    errno = 0;
    long long number = strtoll(digits, &end, 10);
    if (errno || end == digits || *end)
        return false;
    *out = number;
    return true;
}

/* ---- The config ---------------------------------------------------------------------------------------------- */

/* The config of this observe: only its own keys have fallbacks, not those of objects inside it. */
static plugin_value whole_config;

static plugin_value fallback_of(const char *key) {
    for (const plugin_field *field = plugin.fields; field && field->name; field++)
        if (field->fallback && strcmp(field->name, key) == 0)
            return (plugin_value){field->fallback, strlen(field->fallback)};
    return (plugin_value){0};
}

plugin_value plugin_json(plugin_value object, const char *key) {
    plugin_value value = key ? find_member(object, key) : object;
    if (is_absent(value) && key && object.text && object.text == whole_config.text)
        value = fallback_of(key);
    return is_absent(value) ? (plugin_value){0} : value;
}

plugin_value plugin_item(plugin_value array, size_t index) {
    plugin_value value = {0};
    if (!array.text)
        return value;
    struct cursor c = {array.text, array.text + array.size};
    if (!take(&c, '['))
        return value;
    do {
        if (!next_value(&c, &value))
            break;
        if (index == 0)
            return value;
    } while (index-- > 0 && take(&c, ','));
    return (plugin_value){0};
}

const char *plugin_bytes(plugin_value object, const char *key, size_t *size) {
    plugin_value value = plugin_json(object, key);
    if (!value.text || value.text[0] != '"')
        return NULL;
    /* Decoded it is never longer than written, and the quotes leave room for the NUL. */
    char *out = keep(value.size);
    if (!out)
        return NULL;
    struct cursor c = inside_string(value);
    char bytes[4];
    size_t length = 0, step;
    while ((step = next_character(&c, bytes)) > 0) {
        memcpy(out + length, bytes, step);
        length += step;
    }
    out[length] = '\0';
    *size = length;
    return out;
}

const char *plugin_string(plugin_value object, const char *key) {
    size_t size;
    const char *text = plugin_bytes(object, key, &size);
    return text && strlen(text) == size ? text : NULL;
}

bool plugin_bool(plugin_value object, const char *key) {
    plugin_value value = plugin_json(object, key);
    return value.text && value.text[0] == 't';
}

int64_t plugin_int(plugin_value object, const char *key) {
    int64_t number;
    return parse_int(plugin_json(object, key), &number) ? number : 0;
}

static plugin_type type_of(plugin_value value) {
    switch (value.text[0]) {
    case '"': return PLUGIN_STRING;
    case 't':
    case 'f': return PLUGIN_BOOL;
    case '[': return PLUGIN_ARRAY;
    case '{': return PLUGIN_OBJECT;
    default: return PLUGIN_NUMBER;
    }
}

double plugin_number(plugin_value object, const char *key) {
    plugin_value value = plugin_json(object, key);
    char *digits = value.text && type_of(value) == PLUGIN_NUMBER ? keep(value.size + 1) : NULL;
    if (!digits)
        return 0;
    memcpy(digits, value.text, value.size);
    digits[value.size] = '\0';
    return strtod(digits, NULL);
}

/* ---- Writing JSON -------------------------------------------------------------------------------------------- */

struct json {
    char *bytes;
    size_t size;
    size_t capacity;
    size_t depth;
    char closers[PLUGIN_MAX_DEPTH];
    bool comma; /* the next value needs one before it */
};

/* Room for `size` more bytes, which the caller fills in; NULL when there is none. */
static char *reserve(struct json *json, size_t size) {
    if (size > PLUGIN_MAX_BYTES - json->size) {
        note_problem("the plugin's answer is larger than 32 MiB");
        return NULL;
    }
    if (!json->bytes || json->size + size > json->capacity) {
        size_t capacity = (json->size + size) * 2 + 64;
        char *bytes = realloc(json->bytes, capacity);
        if (!bytes) {
            note_problem(NO_MEMORY);
            return NULL;
        }
        json->bytes = bytes;
        json->capacity = capacity;
    }
    char *start = json->bytes + json->size;
    json->size += size;
    return start;
}

static void put(struct json *json, const char *text, size_t size) {
    char *out = size ? reserve(json, size) : NULL;
    if (out)
        memcpy(out, text, size);
}

static void put_text(struct json *json, const char *text) {
    put(json, text, strlen(text));
}

/* The size of the well-formed UTF-8 character at `text`, or 0. */
static size_t utf8_size(const unsigned char *text, size_t left) {
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = text[0] < 0x80 ? 1 : text[0] < 0xC0 ? 0 : text[0] < 0xE0 ? 2 : text[0] < 0xF0 ? 3 : 4;
    if (size < 2)
        return size;
    if (size > left || text[0] > 0xF4)
        return 0;
    uint32_t code = text[0] & (0x7FU >> size);
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3F);
    }
    bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code < lowest[size] || code > 0x10FFFF || surrogate ? 0 : size;
}

static void put_escaped(struct json *json, unsigned char character) {
    char text[8];
    if (character == '"' || character == '\\')
        snprintf(text, sizeof text, "\\%c", character);
    else
        snprintf(text, sizeof text, "\\u%04x", character);
    put_text(json, text);
}

static void put_string(struct json *json, const char *text, size_t size) {
    const unsigned char *at = (const unsigned char *)text, *end = at + size, *plain = at;
    put(json, "\"", 1);
    while (at < end) {
        size_t step = utf8_size(at, (size_t)(end - at));
        if (step > 1 || (step == 1 && *at >= 0x20 && *at != '"' && *at != '\\')) {
            at += step;
            continue;
        }
        put(json, (const char *)plain, (size_t)(at - plain));
        if (step)
            put_escaped(json, *at);
        else
            put_text(json, "\xEF\xBF\xBD");
        plain = ++at;
    }
    put(json, (const char *)plain, (size_t)(end - plain));
    put(json, "\"", 1);
}

/* What stands before a value: a comma, and in an object the key. */
static void put_key(struct json *json, const char *key) {
    bool in_object = json->depth && json->closers[json->depth - 1] == '}';
    if (json->depth && in_object != (key != NULL))
        note_problem(in_object ? "the plugin put a value without a key into an object"
                               : "the plugin put a value with a key into an array");
    if (json->comma)
        put(json, ",", 1);
    json->comma = true;
    if (key) {
        put_string(json, key, strlen(key));
        put(json, ":", 1);
    }
}

static void begin(struct json *json, const char *key, char open, char close) {
    put_key(json, key);
    if (json->depth == PLUGIN_MAX_DEPTH) {
        note_problem("the plugin nested its answer deeper than 64");
        return;
    }
    put(json, &open, 1);
    json->closers[json->depth++] = close;
    json->comma = false;
}

static void end(struct json *json) {
    put(json, &json->closers[--json->depth], 1);
    json->comma = true;
}

static void put_member(struct json *json, const char *key, const char *text) {
    put_key(json, key);
    put_string(json, text, strlen(text));
}

/* Hands the bytes over, or frees them and answers NULL. */
static char *finish(struct json *json, size_t *size) {
    if (problem || !json->size) {
        free(json->bytes);
        return NULL;
    }
    *size = json->size;
    return json->bytes;
}

/* ---- The evidence -------------------------------------------------------------------------------------------- */

struct plugin_evidence {
    struct json data; /* {"data":{…, and what follows it */
    struct json error;
    struct json raw;
    struct json complaints;     /* about the config, as one line */
    struct json complaints_map; /* the same, field by field */
};

void plugin_put_text(plugin_evidence *evidence, const char *key, const void *text, size_t size) {
    put_key(&evidence->data, key);
    put_string(&evidence->data, text, size);
}

void plugin_put_string(plugin_evidence *evidence, const char *key, const char *text) {
    if (text)
        plugin_put_text(evidence, key, text, strlen(text));
    else
        plugin_put_null(evidence, key);
}

void plugin_put_bool(plugin_evidence *evidence, const char *key, bool value) {
    put_key(&evidence->data, key);
    put_text(&evidence->data, value ? "true" : "false");
}

void plugin_put_null(plugin_evidence *evidence, const char *key) {
    put_key(&evidence->data, key);
    put_text(&evidence->data, "null");
}

void plugin_put_int(plugin_evidence *evidence, const char *key, int64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    put_key(&evidence->data, key);
    put_text(&evidence->data, text);
}

void plugin_put_number(plugin_evidence *evidence, const char *key, double value) {
    if (!isfinite(value)) {
        plugin_put_null(evidence, key);
        return;
    }
    /* The shortest text that reads back as the same number: 0.1 and not 0.10000000000000001. */
    char text[32];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    put_key(&evidence->data, key);
    put_text(&evidence->data, text);
}

void plugin_put_base64(plugin_evidence *evidence, const char *key, const void *bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = bytes;
    put_key(&evidence->data, key);
    put(&evidence->data, "\"", 1);
    char *out = reserve(&evidence->data, size <= PLUGIN_MAX_BYTES ? (size + 2) / 3 * 4 : size);
    if (!out)
        return;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t group = (uint32_t)in[i] << 16;
        group |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        group |= left > 2 ? in[i + 2] : 0;
        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = left > 1 ? digits[group >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[group & 63] : '=';
    }
    put(&evidence->data, "\"", 1);
}

void plugin_begin_object(plugin_evidence *evidence, const char *key) {
    begin(&evidence->data, key, '{', '}');
}

void plugin_begin_array(plugin_evidence *evidence, const char *key) {
    begin(&evidence->data, key, '[', ']');
}

void plugin_end(plugin_evidence *evidence) {
    /* The outermost two are the evidence and its data. */
    if (evidence->data.depth > 2)
        end(&evidence->data);
    else
        note_problem("the plugin ended more objects and arrays than it began");
}

void plugin_put_raw(plugin_evidence *evidence, const void *text, size_t size) {
    evidence->raw.size = 0;
    put_string(&evidence->raw, text, size);
}

/* The first failure is the cause; what fails after it follows from it. */
static bool begin_error(plugin_evidence *evidence, const char *type, const char *code) {
    if (evidence->error.size)
        return false;
    begin(&evidence->error, NULL, '{', '}');
    put_member(&evidence->error, "type", type);
    put_member(&evidence->error, "code", code);
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
    put_member(&evidence->error, "message", message);
    end(&evidence->error);
}

void plugin_fail_field(plugin_evidence *evidence, const char *field, const char *format, ...) {
    char message[PLUGIN_MAX_MESSAGE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    put_text(&evidence->complaints, evidence->complaints.size ? "; " : "config: ");
    put_text(&evidence->complaints, field);
    put_text(&evidence->complaints, " ");
    put_text(&evidence->complaints, message);
    if (!evidence->complaints_map.size)
        begin(&evidence->complaints_map, NULL, '{', '}');
    put_member(&evidence->complaints_map, field, message);
}

static void put_complaints(plugin_evidence *evidence) {
    if (!evidence->complaints.size || !begin_error(evidence, "config", "INVALID_CONFIG"))
        return;
    put_key(&evidence->error, "message");
    put_string(&evidence->error, evidence->complaints.bytes, evidence->complaints.size);
    end(&evidence->complaints_map);
    put_key(&evidence->error, "details");
    put(&evidence->error, evidence->complaints_map.bytes, evidence->complaints_map.size);
    end(&evidence->error);
}

/* A path as a grant is written: characters that mean something in a pattern stand for themselves after a "\". */
static const char *path_as_pattern(const char *path) {
    char *pattern = keep(strlen(path) * 2 + 1), *out = pattern;
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

/* The answer when there is no other: an error with the reason. */
static char *report_problem(size_t *size) {
    struct json json = {0};
    const char *reason = problem;
    problem = NULL;
    begin(&json, NULL, '{', '}');
    put_key(&json, "status");
    put_text(&json, "false");
    begin(&json, "error", '{', '}');
    put_member(&json, "type", "internal");
    put_member(&json, "code", "SDK");
    put_member(&json, "message", reason ? reason : NO_MEMORY);
    end(&json);
    end(&json);
    return finish(&json, size);
}

static char *answer(struct json *json, size_t *size) {
    char *bytes = finish(json, size);
    return bytes ? bytes : report_problem(size);
}

char *plugin__describe(size_t *size) {
    struct json json = {0};
    problem = NULL;
    begin(&json, NULL, '{', '}');
    put_member(&json, "name", plugin.name);
    put_member(&json, "version", plugin.version);
    put_member(&json, "description", plugin.description);
    put_member(&json, "sdk_version", PLUGIN_SDK_VERSION);
    begin(&json, "capabilities", '[', ']');
    for (const plugin_capability *wanted = plugin.capabilities; wanted && wanted->kind; wanted++) {
        begin(&json, NULL, '{', '}');
        put_member(&json, "kind", wanted->kind);
        put_member(&json, "pattern", wanted->pattern);
        end(&json);
    }
    end(&json);
    end(&json);
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
    begin(json, field->name, '{', '}');
    put_member(json, "type", types[field->type].name);
    if (field->description)
        put_member(json, "description", field->description);
    if (field->fallback) {
        put_key(json, "default");
        put_text(json, field->fallback);
    }
    end(json);
}

static void put_schema(struct json *json) {
    begin(json, NULL, '{', '}');
    put_member(json, "$schema", "https://json-schema.org/draft/2020-12/schema");
    put_member(json, "type", "object");
    begin(json, "properties", '{', '}');
    for (const plugin_field *field = plugin.fields; field && field->name; field++)
        put_field(json, field);
    end(json);
    begin(json, "required", '[', ']');
    for (const plugin_field *field = plugin.fields; field && field->name; field++)
        if (field->required)
            put_member(json, NULL, field->name);
    end(json);
    end(json);
}

char *plugin__schema(size_t *size) {
    struct json json = {0};
    problem = NULL;
    if (plugin.schema)
        put_text(&json, plugin.schema);
    else
        put_schema(&json);
    return answer(&json, size);
}

/* What is wrong with one field, as what it should be; NULL when nothing is. */
static const char *complaint(const plugin_field *field) {
    plugin_value value = plugin_json(whole_config, field->name);
    if (!value.text)
        return field->required ? "is required" : NULL;
    static char text[64];
    int64_t number;
    plugin_type type = type_of(value);
    bool right = type == (field->type == PLUGIN_INT ? PLUGIN_NUMBER : field->type);
    if (right && field->type == PLUGIN_INT && !parse_int(value, &number))
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
    struct cursor c = {text, text + size};
    whole_config = (plugin_value){0};
    bool good = size <= PLUGIN_MAX_BYTES && next_value(&c, &whole_config) && whole_config.text[0] == '{';
    skip_space(&c);
    if (good && c.at == c.end)
        return true;
    plugin_fail(evidence, "config", "INVALID_CONFIG", "config: it must be one JSON object, at most %d deep",
                PLUGIN_MAX_DEPTH);
    return false;
}

static char *finish_evidence(plugin_evidence *evidence, size_t *size) {
    struct json *json = &evidence->data;
    put_complaints(evidence);
    while (json->depth > 1)
        end(json);
    put_key(json, "status");
    put_text(json, evidence->error.size ? "false" : "true");
    if (evidence->error.size) {
        put_key(json, "error");
        put(json, evidence->error.bytes, evidence->error.size);
    }
    if (evidence->raw.size) {
        put_key(json, "raw");
        put(json, evidence->raw.bytes, evidence->raw.size);
    }
    end(json);
    free(evidence->error.bytes);
    free(evidence->raw.bytes);
    free(evidence->complaints.bytes);
    free(evidence->complaints_map.bytes);
    return answer(json, size);
}

char *plugin__observe(const char *config, size_t config_size, size_t *size) {
    plugin_evidence evidence = {0};
    problem = NULL;
    begin(&evidence.data, NULL, '{', '}');
    begin(&evidence.data, "data", '{', '}');
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
    begin(&json, NULL, '{', '}');
    put_member(&json, "level", names[level]);
    put_member(&json, "message", message);
    end(&json);
    plugin__log_sink(json.bytes, json.size);
    free(json.bytes);
}

/* ---- The ABI ------------------------------------------------------------------------------------------------- */

#ifdef __wasm__

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
