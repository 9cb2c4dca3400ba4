/*
 * reglet_json.c - JSON both ways: a value of the config or of a response read by key, and a text written value by value.
 *
 * JSON is read and written here because no library can be had for the target from Debian, and a plugin should need
 * nothing but this folder. The reader is strict and keeps no tree: a text is checked once from end to end, and looked
 * through again for each key, which for the few hundred bytes of a config or a response is cheaper than any tree.
 */
#include "reglet_json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE64_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

const char *plugin__problem;
const char plugin__no_memory[] = "the plugin is out of memory";

void plugin__note_problem(const char *text) {
    if (!plugin__problem)
        plugin__problem = text;
}

/* ---- Memory -------------------------------------------------------------------------------------------------- */

/* What is handed to the plugin, linked so that nothing is lost: the instance ends before anybody could free it. */
struct kept {
    struct kept *next;
    _Alignas(8) char bytes[];
};
static struct kept *all_kept;

void *plugin__keep(size_t size) {
    struct kept *kept = size <= PLUGIN_MAX_RESPONSE ? malloc(sizeof *kept + size) : NULL;
    if (!kept) {
        plugin__note_problem(plugin__no_memory);
        return NULL;
    }
    kept->next = all_kept;
    all_kept = kept;
    return kept->bytes;
}

void *plugin__mark(void) {
    return all_kept;
}

void plugin__release(void *mark) {
    while (all_kept && all_kept != mark) {
        struct kept *kept = all_kept;
        all_kept = kept->next;
        free(kept);
    }
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

/* Whether a byte of a string stands for itself. */
static bool is_plain(char character) {
    return (unsigned char)character >= 0x20 && character != '"' && character != '\\';
}

/* The first byte from `at` on that does not stand for itself. */
static const char *skip_plain(const char *at, const char *end) {
    while (at < end && is_plain(*at))
        at++;
    return at;
}

static bool skip_string(struct cursor *c) {
    if (!take(c, '"'))
        return false;
    for (c->at = skip_plain(c->at, c->end); c->at < c->end; c->at = skip_plain(c->at, c->end)) {
        char character = *c->at++;
        if (character != '\\')
            return character == '"';
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

plugin_value plugin_parse(const char *text, size_t size) {
    struct cursor c = {text, text + size};
    plugin_value value = {0};
    bool good = next_value(&c, &value);
    skip_space(&c);
    return good && c.at == c.end ? value : (plugin_value){0};
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
    if (*c.at != '\\' && *c.at != (*text ? *text : '"')) /* nearly always */
        return false;
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

/* Of a key that is there twice, the last value counts. */
void plugin__find_members(plugin_value object, const char *const *keys, plugin_value *values, size_t count) {
    memset(values, 0, count * sizeof *values);
    struct cursor c = {object.text, object.text + object.size};
    if (!object.text || !take(&c, '{'))
        return;
    plugin_value name, value;
    do {
        if (!next_value(&c, &name) || name.text[0] != '"' || !take(&c, ':') || !next_value(&c, &value))
            break;
        for (size_t i = 0; i < count; i++)
            if (string_equals(name, keys[i]))
                values[i] = value;
    } while (take(&c, ','));
}

static plugin_value find_member(plugin_value object, const char *key) {
    plugin_value found;
    plugin__find_members(object, &key, &found, 1);
    return found;
}

static bool is_absent(plugin_value value) {
    return !value.text || value.text[0] == 'n';
}

bool plugin__parse_int(plugin_value value, int64_t *out) {
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

/* ---- Values by key and index --------------------------------------------------------------------------------- */

plugin_value plugin_json(plugin_value object, const char *key) {
    plugin_value value = key ? find_member(object, key) : object;
    if (is_absent(value) && key && object.text)
        value = plugin__fallback(object, key);
    return is_absent(value) ? (plugin_value){0} : value;
}

/* What stands at an index of an array, or of an object, where *name is its key. */
static plugin_value value_at(plugin_value container, char open, size_t index, plugin_value *name) {
    plugin_value value = {0};
    if (!container.text)
        return value;
    struct cursor c = {container.text, container.text + container.size};
    if (!take(&c, open))
        return value;
    do {
        if (open == '{' && !(next_value(&c, name) && take(&c, ':')))
            break;
        if (!next_value(&c, &value))
            break;
        if (index == 0)
            return value;
    } while (index-- > 0 && take(&c, ','));
    return (plugin_value){0};
}

plugin_value plugin__next(plugin_value *rest, plugin_value *name) {
    plugin_value value = {0};
    struct cursor c = {rest->text, rest->text ? rest->text + rest->size : NULL};
    bool more = c.at && (take(&c, name ? '{' : '[') || take(&c, ','));
    if (more && name)
        more = next_value(&c, name) && take(&c, ':');
    if (!more || !next_value(&c, &value))
        value = (plugin_value){0};
    *rest = (plugin_value){value.text ? c.at : NULL, (size_t)(c.end - c.at)};
    return value;
}

plugin_value plugin_item(plugin_value array, size_t index) {
    return value_at(array, '[', index, NULL);
}

plugin_value plugin_member(plugin_value object, size_t index, const char **name) {
    plugin_value key = {0}, value = value_at(object, '{', index, &key);
    *name = value.text ? plugin_string(key, NULL) : NULL;
    return value;
}

const char *plugin_bytes(plugin_value object, const char *key, size_t *size) {
    plugin_value value = plugin_json(object, key);
    if (!value.text || value.text[0] != '"')
        return NULL;
    /* Decoded it is never longer than written, and the quotes leave room for the NUL. */
    char *out = plugin__keep(value.size);
    if (!out)
        return NULL;
    struct cursor c = inside_string(value);
    char bytes[4];
    size_t length = 0, step;
    do {
        size_t plain = (size_t)(skip_plain(c.at, c.end) - c.at);
        memcpy(out + length, c.at, plain);
        c.at += plain;
        step = next_character(&c, bytes);
        memcpy(out + length + plain, bytes, step);
        length += plain + step;
    } while (step > 0);
    out[length] = '\0';
    *size = length;
    return out;
}

const char *plugin_string(plugin_value object, const char *key) {
    size_t size;
    const char *text = plugin_bytes(object, key, &size);
    return text && strlen(text) == size ? text : NULL;
}

const char *const *plugin_strings(plugin_value object, const char *key) {
    plugin_value array = plugin_json(object, key), item;
    size_t count = 0;
    while (plugin_item(array, count).text)
        count++;
    const char **strings =
        array.text && array.text[0] == '[' ? plugin__keep((count + 1) * sizeof *strings) : NULL;
    if (!strings)
        return NULL;
    for (size_t i = 0; (item = plugin_item(array, i)).text; i++) {
        strings[i] = plugin_string(item, NULL);
        if (!strings[i])
            return NULL;
    }
    strings[count] = NULL;
    return strings;
}

static int base64_digit(char character) {
    static const char digits[] = BASE64_DIGITS;
    const char *at = character ? strchr(digits, character) : NULL;
    return at ? (int)(at - digits) : -1;
}

const char *plugin_base64(plugin_value object, const char *key, size_t *size) {
    size_t length, kept = 0, digits = 0;
    const char *text = plugin_bytes(object, key, &length);
    unsigned char *out = text && length % 4 == 0 ? plugin__keep(length / 4 * 3 + 1) : NULL;
    if (!out)
        return NULL;
    uint32_t bits = 0;
    for (; digits < length && text[digits] != '='; digits++) {
        int digit = base64_digit(text[digits]);
        if (digit < 0)
            return NULL;
        bits = bits << 6 | (uint32_t)digit;
        if (digits % 4 > 0)
            out[kept++] = (unsigned char)(bits >> (6 - 2 * (digits % 4)));
    }
    /* What is left is padding: one or two of it. */
    if (length - digits > 2 || (length - digits == 2 && text[digits + 1] != '='))
        return NULL;
    out[kept] = '\0';
    *size = kept;
    return (const char *)out;
}

bool plugin_bool(plugin_value object, const char *key) {
    plugin_value value = plugin_json(object, key);
    return value.text && value.text[0] == 't';
}

int64_t plugin_int(plugin_value object, const char *key) {
    int64_t number;
    return plugin__parse_int(plugin_json(object, key), &number) ? number : 0;
}

plugin_type plugin__type_of(plugin_value value) {
    switch (value.text[0]) {
    case '"': return PLUGIN_STRING;
    case 't':
    case 'f': return PLUGIN_BOOL;
    case '[': return PLUGIN_ARRAY;
    case '{': return PLUGIN_OBJECT;
    default: return PLUGIN_NUMBER;
    }
}

uint16_t plugin_port(plugin_value object, const char *key) {
    plugin_value value = plugin_json(object, key);
    const char *digits = plugin_string(value, NULL);
    int64_t number = 0;
    if (digits && (digits[0] == '0' || digits[strspn(digits, "0123456789")] != '\0'))
        return 0;
    if (digits)
        value = (plugin_value){digits, strlen(digits)};
    return plugin__parse_int(value, &number) && number > 0 && number <= UINT16_MAX ? (uint16_t)number : 0;
}

double plugin_number(plugin_value object, const char *key) {
    plugin_value value = plugin_json(object, key);
    char *digits =
        value.text && plugin__type_of(value) == PLUGIN_NUMBER ? plugin__keep(value.size + 1) : NULL;
    if (!digits)
        return 0;
    memcpy(digits, value.text, value.size);
    digits[value.size] = '\0';
    return strtod(digits, NULL);
}

/* ---- Writing JSON -------------------------------------------------------------------------------------------- */

/* Room for `size` more bytes, which the caller fills in; NULL when there is none. */
static char *reserve(struct json *json, size_t size) {
    if (size > PLUGIN_MAX_BYTES - json->size) {
        plugin__note_problem("the plugin wrote more than 32 MiB of JSON");
        return NULL;
    }
    if (!json->bytes || json->size + size > json->capacity) {
        size_t capacity = (json->size + size) * 2 + 64;
        char *bytes = realloc(json->bytes, capacity);
        if (!bytes) {
            plugin__note_problem(plugin__no_memory);
            return NULL;
        }
        json->bytes = bytes;
        json->capacity = capacity;
    }
    char *start = json->bytes + json->size;
    json->size += size;
    return start;
}

void plugin__put(struct json *json, const char *text, size_t size) {
    char *out = size ? reserve(json, size) : NULL;
    if (out)
        memcpy(out, text, size);
}

void plugin__put_text(struct json *json, const char *text) {
    plugin__put(json, text, strlen(text));
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
    plugin__put_text(json, text);
}

void plugin__put_string(struct json *json, const char *text, size_t size) {
    const unsigned char *at = (const unsigned char *)text, *end = at + size, *plain = at;
    plugin__put(json, "\"", 1);
    while (at < end) {
        if (*at < 0x80 && is_plain((char)*at)) { /* nearly always */
            at++;
            continue;
        }
        size_t step = utf8_size(at, (size_t)(end - at));
        if (step > 1) {
            at += step;
            continue;
        }
        plugin__put(json, (const char *)plain, (size_t)(at - plain));
        if (step)
            put_escaped(json, *at);
        else
            plugin__put_text(json, "\xEF\xBF\xBD");
        plain = ++at;
    }
    plugin__put(json, (const char *)plain, (size_t)(end - plain));
    plugin__put(json, "\"", 1);
}

void plugin__put_key(struct json *json, const char *key) {
    bool in_object = json->depth && json->closers[json->depth - 1] == '}';
    if (json->depth && in_object != (key != NULL))
        plugin__note_problem(in_object ? "the plugin put a value without a key into an object"
                                       : "the plugin put a value with a key into an array");
    if (json->comma)
        plugin__put(json, ",", 1);
    json->comma = true;
    if (key) {
        plugin__put_string(json, key, strlen(key));
        plugin__put(json, ":", 1);
    }
}

void plugin__begin(struct json *json, const char *key, char open, char close) {
    plugin__put_key(json, key);
    if (json->depth == PLUGIN_MAX_DEPTH) {
        plugin__note_problem("the plugin nested its JSON deeper than 64");
        return;
    }
    plugin__put(json, &open, 1);
    json->closers[json->depth++] = close;
    json->comma = false;
}

void plugin__end(struct json *json) {
    plugin__put(json, &json->closers[--json->depth], 1);
    json->comma = true;
}

void plugin__put_member(struct json *json, const char *key, const char *text) {
    plugin__put_key(json, key);
    plugin__put_string(json, text, strlen(text));
}

char *plugin__finish(struct json *json, size_t *size) {
    if (plugin__problem || !json->size) {
        free(json->bytes);
        return NULL;
    }
    *size = json->size;
    return json->bytes;
}

/* ---- The values of a writer ---------------------------------------------------------------------------------- */

void plugin_put_text(plugin_evidence *evidence, const char *key, const void *text, size_t size) {
    plugin__put_key(&evidence->data, key);
    plugin__put_string(&evidence->data, text, size);
}

void plugin_put_string(plugin_evidence *evidence, const char *key, const char *text) {
    if (text)
        plugin_put_text(evidence, key, text, strlen(text));
    else
        plugin_put_null(evidence, key);
}

void plugin_put_bool(plugin_evidence *evidence, const char *key, bool value) {
    plugin__put_key(&evidence->data, key);
    plugin__put_text(&evidence->data, value ? "true" : "false");
}

void plugin_put_null(plugin_evidence *evidence, const char *key) {
    plugin__put_key(&evidence->data, key);
    plugin__put_text(&evidence->data, "null");
}

void plugin_put_int(plugin_evidence *evidence, const char *key, int64_t value) {
    char text[24], *end = text + sizeof text, *at = end;
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        *--at = '-';
    plugin__put_key(&evidence->data, key);
    plugin__put(&evidence->data, at, (size_t)(end - at));
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
    plugin__put_key(&evidence->data, key);
    plugin__put_text(&evidence->data, text);
}

void plugin_put_base64(plugin_evidence *evidence, const char *key, const void *bytes, size_t size) {
    static const char digits[] = BASE64_DIGITS;
    const unsigned char *in = bytes;
    plugin__put_key(&evidence->data, key);
    plugin__put(&evidence->data, "\"", 1);
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
    plugin__put(&evidence->data, "\"", 1);
}

void plugin_put_json(plugin_evidence *evidence, const char *key, plugin_value value) {
    plugin__put_key(&evidence->data, key);
    plugin__put(&evidence->data, value.text ? value.text : "null", value.text ? value.size : 4);
}

void plugin_begin_object(plugin_evidence *evidence, const char *key) {
    plugin__begin(&evidence->data, key, '{', '}');
}

void plugin_begin_array(plugin_evidence *evidence, const char *key) {
    plugin__begin(&evidence->data, key, '[', ']');
}

void plugin_end(plugin_evidence *evidence) {
    if (evidence->data.depth > evidence->outermost)
        plugin__end(&evidence->data);
    else
        plugin__note_problem("the plugin ended more objects and arrays than it began");
}

void plugin_put_raw(plugin_evidence *evidence, const void *text, size_t size) {
    evidence->raw.size = 0;
    plugin__put_string(&evidence->raw, text, size);
}
