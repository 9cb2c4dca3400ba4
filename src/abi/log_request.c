#include <stdio.h>
#include <string.h>

#include "abi/abi.h"
#include "abi/json.h"
#include "abi/log_nested.h"
#include "util/limits.h"
#include "util/text.h"

/* A value for showing: a string cleaned, anything else as its JSON. "" for nothing, NULL without memory. */
static char *show(struct reglet__arena *arena, const struct reglet__json *value) {
    if (!value || value->type == REGLET__JSON_NULL)
        return reglet__arena_copy(arena, "", 0);
    if (value->type != REGLET__JSON_STRING)
        return reglet__json_print(arena, value, NULL);
    size_t room = reglet__clean_line_size(value->size);
    char *out = reglet__arena_alloc(arena, room);
    if (out)
        reglet__clean_line(value->text, value->size, out, room);
    return out;
}

/* "+2", "-4"; 0 for what is no number of that kind. */
static int read_offset(const char *text, size_t size) {
    enum { FARTHEST = 1000 };
    if (size < 2 || (text[0] != '+' && text[0] != '-'))
        return 0;
    int offset = 0;
    for (size_t i = 1; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        offset = offset * 10 + (text[i] - '0');
        if (offset > FARTHEST)
            offset = FARTHEST;
    }
    return text[0] == '-' ? -offset : offset;
}

/* A level as slog writes it: a name in any case, and perhaps an offset. INFO for what is none. */
static int read_level(const struct reglet__json *level) {
    static const struct {
        const char *name;
        int level;
    } names[] = {{"debug", REGLET_LOG_DEBUG},
                 {"info", REGLET_LOG_INFO},
                 {"warn", REGLET_LOG_WARN},
                 {"error", REGLET_LOG_ERROR}};
    if (!level || level->type != REGLET__JSON_STRING)
        return REGLET_LOG_INFO;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t length = strlen(names[i].name), same = 0;
        while (same < length && same < level->size && (level->text[same] | 0x20) == names[i].name[same])
            same++;
        bool ends = same == level->size || level->text[same] == '+' || level->text[same] == '-';
        if (same == length && ends)
            return names[i].level + read_offset(level->text + length, level->size - length);
    }
    return REGLET_LOG_INFO;
}

/* What a request is read into: what is only looked at, and what stays. */
struct reading {
    struct reglet__arena *scratch, *keep;
    const struct reglet__screen *screen; /* or NULL */
};

static bool read_attr(const struct reading *reading, const struct reglet__json *attr, reglet_log_attr *out) {
    struct reglet__arena *arena = reading->keep;
    if (reading->screen && reglet__log_nested_screen(reading->scratch, attr, reading->screen) != REGLET_OK)
        return false;
    const struct reglet__json *type = reglet__json_get(attr, "type");
    out->key = show(arena, reglet__json_get(attr, "key"));
    out->type = type ? show(arena, type) : "any";
    out->value = show(arena, reglet__json_get(attr, "value"));
    return out->key && out->type && out->value;
}

/* Tells that attributes were left out, in the place of the last one. */
static bool add_rest(struct reglet__arena *arena, size_t count, reglet_log_attr *out) {
    char text[32];
    int length = snprintf(text, sizeof text, "%zu", count);
    *out = (reglet_log_attr){.key = "attributes_left_out", .type = "uint64"};
    out->value = reglet__arena_copy(arena, text, (size_t)length);
    return out->value;
}

static bool read_attrs(const struct reading *reading, const struct reglet__json *list,
                       struct reglet__log_request *out) {
    struct reglet__arena *arena = reading->keep;
    size_t count = 0;
    if (!list || list->type != REGLET__JSON_ARRAY)
        return true;
    REGLET__JSON_EACH (attr, list)
        count++;
    size_t shown = count > REGLET__MAX_LOG_ATTRS ? REGLET__MAX_LOG_ATTRS - 1 : count;
    out->attrs = reglet__arena_alloc(arena, (shown + 1) * sizeof out->attrs[0]);
    if (!out->attrs)
        return false;
    REGLET__JSON_EACH (attr, list) {
        if (out->attr_count == shown)
            break;
        if (!read_attr(reading, attr, &out->attrs[out->attr_count++]))
            return false;
    }
    return shown == count || add_rest(arena, count - shown, &out->attrs[out->attr_count++]);
}

static bool read_request(const struct reading *reading, const struct reglet__json *root,
                         struct reglet__log_request *out) {
    struct reglet__arena *arena = reading->keep;
    const struct reglet__json *id = reglet__json_get(reglet__json_get(root, "context"), "request_id");
    bool has_id = id && id->type == REGLET__JSON_STRING && id->size > 0;
    out->level = read_level(reglet__json_get(root, "level"));
    out->message = show(arena, reglet__json_get(root, "message"));
    out->request_id = has_id ? show(arena, id) : NULL;
    return out->message && (out->request_id || !has_id) &&
           read_attrs(reading, reglet__json_get(root, "attrs"), out);
}

/* What is no request is the message itself, or what is said of it where it may not be shown. */
static bool read_raw(const struct reading *reading, const char *bytes, size_t size,
                     struct reglet__log_request *out) {
    struct reglet__arena *arena = reading->keep;
    char notice[96];
    if (reading->screen && reading->screen->paths) {
        size = (size_t)snprintf(notice, sizeof notice, "(a log request of %zu bytes that is no JSON object)",
                                size);
        bytes = notice;
    }
    size_t room = reglet__clean_line_size(size);
    out->level = REGLET_LOG_INFO;
    out->message = reglet__arena_alloc(arena, room);
    if (out->message)
        reglet__clean_line(bytes, size, out->message, room);
    return out->message;
}

reglet_status reglet__log_request_parse(const char *bytes, size_t size, const struct reglet__screen *screen,
                                        struct reglet__log_request *out) {
    _cleanup_arena_ struct reglet__arena scratch = {0}, keep = {0};
    const struct reading reading = {&scratch, &keep, screen};
    struct reglet__log_request request = {0};
    struct reglet__json_fault fault;
    struct reglet__json *root = NULL;
    reglet_status status = reglet__json_read(&scratch, bytes, size, &root, &fault);
    if (status == REGLET_ERR_NO_MEMORY)
        return status;
    bool good = status == REGLET_OK && root->type == REGLET__JSON_OBJECT
                    ? read_request(&reading, root, &request)
                    : read_raw(&reading, bytes, size, &request);
    if (!good)
        return REGLET_ERR_NO_MEMORY;
    request.memory = reglet__arena_take(&keep).blocks;
    *out = request;
    return REGLET_OK;
}

void reglet__log_request_free(struct reglet__log_request *request) {
    struct reglet__arena arena = {.blocks = request->memory};
    reglet__arena_free(&arena);
    *request = (struct reglet__log_request){0};
}
