/* Headers of http_request: reading the plugin's, which of them are sent, and handing out a server's. */
#include <stdio.h>
#include <string.h>

#include "host/http.h"
#include "util/text.h"

/* --- Names ------------------------------------------------------------------------------------------------ */

static bool is_token_character(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

bool reglet__http_is_token(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (!is_token_character(text[i]))
            return false;
    }
    return size > 0;
}

void reglet__http_canonical(char *name) {
    bool starts_word = true;
    if (!reglet__http_is_token(name, strlen(name)))
        return;
    for (char *c = name; *c; c++) {
        if (starts_word && *c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
        else if (!starts_word && *c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
        starts_word = *c == '-';
    }
}

static bool is_one_of(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* Whoever sets these can make a server, or a proxy before it, see another request than was judged. */
bool reglet__http_header_is_ours(const char *name) {
    static const char *const names[] = {"Host",   "Content-Length", "Transfer-Encoding", "Connection",
                                        "Te",     "Keep-Alive",     "Trailer",           "Upgrade",
                                        "Expect", "Http2-Settings"};
    return is_one_of(name, names, ARRAY_LEN(names)) || strncmp(name, "Proxy-", strlen("Proxy-")) == 0;
}

/* A header that is not known to be harmless may be a credential, whatever its name is. */
bool reglet__http_header_stays_in_origin(const char *name) {
    static const char *const harmless[] = {
        "Accept",   "Accept-Charset", "Accept-Encoding",   "Accept-Language",     "Cache-Control",
        "If-Match", "If-Range",       "If-Modified-Since", "If-Unmodified-Since", "If-None-Match",
        "Pragma",   "Range",          "User-Agent"};
    return !is_one_of(name, harmless, ARRAY_LEN(harmless));
}

bool reglet__http_header_describes_body(const char *name) {
    return strncmp(name, "Content-", strlen("Content-")) == 0;
}

/* --- Reading the plugin's --------------------------------------------------------------------------------- */

/* Where headers are read to. */
struct reading {
    struct reglet__arena *arena;
    struct reglet__http_headers *out;
    char *fault;
};

static reglet_status refuse(const struct reading *reading, const struct reglet__json *member,
                            const char *what) {
    char name[96];
    reglet__clean_line(member->key, member->key_size, name, sizeof name);
    snprintf(reading->fault, REGLET__HTTP_FAULT_SIZE, "header \"%s\": %s", name, what);
    return REGLET_ERR_INVALID_ARGUMENT;
}

/* A line break in a value would start another header, or the body. */
static bool is_value(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && c != '\t') || c == 0x7F)
            return false;
    }
    return true;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static reglet_status add(const struct reading *reading, const struct reglet__json *member,
                         const struct reglet__json *value) {
    struct reglet__http_headers *out = reading->out;
    const char *text = value->text;
    size_t size = value->size;
    if (value->type != REGLET__JSON_STRING)
        return refuse(reading, member, "its value must be a string or a list of strings");
    if (!is_value(text, size))
        return refuse(reading, member, "line breaks and other control characters cannot stand in a value");
    for (; size > 0 && is_blank(text[0]); text++)
        size--;
    while (size > 0 && is_blank(text[size - 1]))
        size--;
    out->bytes += member->key_size + size;
    if (out->count == REGLET__MAX_HTTP_HEADERS)
        return refuse(reading, member, "there are more headers than a request may have");
    if (out->bytes > REGLET__MAX_HTTP_HEADER_BYTES)
        return refuse(reading, member, "the headers together are longer than a request's may be");
    char *name = reglet__arena_copy(reading->arena, member->key, member->key_size);
    char *copy = reglet__arena_copy(reading->arena, text, size);
    if (!name || !copy)
        return REGLET_ERR_NO_MEMORY;
    reglet__http_canonical(name);
    out->items[out->count++] = (struct reglet__http_header){name, copy};
    return REGLET_OK;
}

static reglet_status read_member(const struct reading *reading, const struct reglet__json *member) {
    reglet_status status = REGLET_OK;
    if (!reglet__http_is_token(member->key, member->key_size))
        return refuse(reading, member, "a name is letters, digits and !#$%&'*+-.^_`|~");
    if (member->type == REGLET__JSON_NULL)
        return REGLET_OK;
    if (member->type != REGLET__JSON_ARRAY)
        return add(reading, member, member);
    REGLET__JSON_EACH (value, member) {
        if ((status = add(reading, member, value)) != REGLET_OK)
            return status;
    }
    return REGLET_OK;
}

reglet_status reglet__http_headers_read(struct reglet__arena *arena, const struct reglet__json *json,
                                        struct reglet__http_headers *out,
                                        char fault[REGLET__HTTP_FAULT_SIZE]) {
    struct reading reading = {arena, out, fault};
    out->count = out->bytes = 0;
    if (json && json->type != REGLET__JSON_OBJECT && json->type != REGLET__JSON_NULL) {
        snprintf(fault, REGLET__HTTP_FAULT_SIZE, "headers must be an object, found %s",
                 reglet__json_type_name(json->type));
        return REGLET_ERR_INVALID_ARGUMENT;
    }
    REGLET__JSON_EACH (member, json) {
        reglet_status status = read_member(&reading, member);
        if (status != REGLET_OK)
            return status;
    }
    return REGLET_OK;
}

const char *reglet__http_headers_get(const struct reglet__http_headers *headers, const char *name) {
    for (size_t i = 0; i < headers->count; i++) {
        if (strcmp(headers->items[i].name, name) == 0)
            return headers->items[i].value;
    }
    return NULL;
}

void reglet__http_headers_drop(struct reglet__http_headers *headers, bool (*drop)(const char *name)) {
    size_t kept = 0;
    for (size_t i = 0; i < headers->count; i++) {
        if (!drop(headers->items[i].name))
            headers->items[kept++] = headers->items[i];
    }
    headers->count = kept;
}

/* --- Handing out a server's ------------------------------------------------------------------------------- */

static char *repaired(struct reglet__arena *arena, const char *text) {
    size_t size = strlen(text);
    char *copy = reglet__arena_alloc(arena, reglet__utf8_repair_size(size));
    if (copy)
        reglet__utf8_repair(text, size, copy);
    return copy;
}

bool reglet__http_headers_put(struct reglet__arena *arena, struct reglet__json *headers, const char *name,
                              const char *value) {
    char *key = repaired(arena, name), *text = repaired(arena, value);
    if (!key || !text)
        return false;
    reglet__http_canonical(key);
    struct reglet__json *list = reglet__json_get(headers, key);
    if (!list) {
        const struct reglet__json empty = {.type = REGLET__JSON_ARRAY};
        list = reglet__json_add(arena, headers, key, strlen(key), &empty);
    }
    const struct reglet__json item = {
        .text = text, .size = (uint32_t)strlen(text), .type = REGLET__JSON_STRING};
    return list && reglet__json_add(arena, list, NULL, 0, &item);
}
