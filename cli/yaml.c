#define _GNU_SOURCE
#include "yaml.h"

#include "util.h"

#include <string.h>

/* Takes the text. The first failure is the one that is reported. */
static bool fail(struct yaml_reader *reader, size_t line, size_t column, char *taken) {
    _cleanup_free_ char *text = taken;
    if (!reader->message)
        reader->message = format_text("%s:%zu:%zu: %s", reader->path, line, column, text);
    return false;
}

bool yaml_fail_at(struct yaml_reader *reader, size_t line, size_t column, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = format_text_va(format, args);
    va_end(args);
    return fail(reader, line, column, text);
}

bool yaml_fail(struct yaml_reader *reader, const yaml_node_t *node, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = format_text_va(format, args);
    va_end(args);
    return fail(reader, node->start_mark.line + 1, node->start_mark.column + 1, text);
}

static bool fail_syntax(struct yaml_reader *reader, const yaml_parser_t *parser) {
    const char *problem = parser->problem ? parser->problem : "not readable as YAML";
    if (parser->error == YAML_MEMORY_ERROR)
        out_of_memory();
    if (parser->error == YAML_READER_ERROR)
        return yaml_fail_at(reader, 1, 1, "%s at byte %zu", problem, parser->problem_offset);
    return yaml_fail_at(reader, parser->problem_mark.line + 1, parser->problem_mark.column + 1, "%s%s%s",
                        problem, parser->context ? " " : "", parser->context ? parser->context : "");
}

static void start_parser(yaml_parser_t *parser, const char *text, size_t size) {
    if (!yaml_parser_initialize(parser))
        out_of_memory();
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)text, size);
}

struct census {
    size_t documents, nodes, anchors, depth;
};

static const char *count_event(const yaml_event_t *event, struct census *census) {
    bool opens = event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT;
    bool closes = event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT;
    bool anchored = (event->type == YAML_SCALAR_EVENT && event->data.scalar.anchor) ||
                    (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.anchor) ||
                    (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.anchor);
    census->documents += event->type == YAML_DOCUMENT_START_EVENT;
    census->nodes += opens || event->type == YAML_SCALAR_EVENT || event->type == YAML_ALIAS_EVENT;
    census->anchors += anchored;
    census->depth += opens;
    census->depth -= closes;
    return census->documents > 1                    ? "a second document; there may be one"
           : census->nodes > YAML_MAX_NODES         ? "too many values (50000 at most)"
           : census->anchors > YAML_MAX_ANCHORS     ? "too many anchors (100 at most)"
           : census->depth > (size_t)YAML_MAX_DEPTH ? "nested too deeply (32 levels at most)"
                                                    : NULL;
}

/* Before a tree is built: the events one by one, so that a hostile file costs no more than its own length. */
static bool check_size(struct yaml_reader *reader, const char *text, size_t size) {
    yaml_parser_t parser;
    struct census census = {0};
    bool ok = true, done = false;
    start_parser(&parser, text, size);
    while (ok && !done) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            ok = fail_syntax(reader, &parser);
            break;
        }
        const char *problem = count_event(&event, &census);
        if (problem)
            ok = yaml_fail_at(reader, event.start_mark.line + 1, event.start_mark.column + 1, "%s", problem);
        done = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_SCALAR_EVENT)
            explicit_bzero(event.data.scalar.value, event.data.scalar.length);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return ok;
}

bool yaml_reader_open(struct yaml_reader *reader, const char *path, const char *text, size_t size) {
    *reader = (struct yaml_reader){.path = path};
    if (size > YAML_MAX_BYTES)
        return yaml_fail_at(reader, 1, 1, "the file is larger than 1 MiB");
    if (!check_size(reader, text, size))
        return false;
    yaml_parser_t parser;
    start_parser(&parser, text, size);
    bool ok = yaml_parser_load(&parser, &reader->document);
    if (!ok)
        fail_syntax(reader, &parser);
    yaml_parser_delete(&parser);
    return ok;
}

/* A configuration may hold secrets. */
static void wipe_scalars(yaml_document_t *document) {
    for (yaml_node_t *node = document->nodes.start; node < document->nodes.top; node++)
        if (node->type == YAML_SCALAR_NODE)
            explicit_bzero(node->data.scalar.value, node->data.scalar.length);
}

void yaml_reader_close(struct yaml_reader *reader) {
    wipe_scalars(&reader->document);
    yaml_document_delete(&reader->document);
    free(reader->message);
    reader->message = NULL;
}

const yaml_node_t *yaml_root(struct yaml_reader *reader) {
    return yaml_document_get_root_node(&reader->document);
}

const yaml_node_t *yaml_node(struct yaml_reader *reader, int index) {
    return yaml_document_get_node(&reader->document, index);
}

char *yaml_describe(const yaml_node_t *node) {
    if (node->type == YAML_SEQUENCE_NODE)
        return format_text("a list");
    if (node->type == YAML_MAPPING_NODE)
        return format_text("a mapping");
    if (yaml_is_null(node))
        return format_text("nothing");
    return format_text("\"%s\"", (const char *)node->data.scalar.value);
}

bool yaml_is_null(const yaml_node_t *node) {
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    const char *text = (const char *)node->data.scalar.value;
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < ARRAY_LEN(nulls); i++)
        if (strcmp(text, nulls[i]) == 0)
            return true;
    return false;
}

static bool fail_type(struct yaml_reader *reader, const yaml_node_t *node, const char *what,
                      const char *type) {
    _cleanup_free_ char *found = yaml_describe(node);
    return yaml_fail(reader, node, "%s should be %s, not %s", what, type, found);
}

/* Every node passes here once for each time it is looked at. */
static bool visit(struct yaml_reader *reader, const yaml_node_t *node) {
    static const char *const usual[] = {YAML_STR_TAG, YAML_SEQ_TAG, YAML_MAP_TAG};
    if (++reader->visits > YAML_MAX_VISITS)
        return yaml_fail(reader, node, "aliases make this file too large (%d values at most)",
                         YAML_MAX_VISITS);
    for (size_t i = 0; i < ARRAY_LEN(usual); i++)
        if (strcmp((const char *)node->tag, usual[i]) == 0)
            return true;
    return yaml_fail(reader, node, "the tag %s is not understood here", (const char *)node->tag);
}

bool yaml_text(struct yaml_reader *reader, const yaml_node_t *node, const char *what, const char **out) {
    if (!visit(reader, node))
        return false;
    if (node->type != YAML_SCALAR_NODE || yaml_is_null(node))
        return fail_type(reader, node, what, "text");
    const char *text = (const char *)node->data.scalar.value;
    if (strlen(text) != node->data.scalar.length)
        return yaml_fail(reader, node, "%s contains a NUL character", what);
    *out = text;
    return true;
}

static bool is_empty(const yaml_node_t *node) {
    return !node || yaml_is_null(node);
}

static bool check_mapping(struct yaml_reader *reader, const yaml_node_t *node, const char *what) {
    if (!visit(reader, node))
        return false;
    return node->type == YAML_MAPPING_NODE || fail_type(reader, node, what, "a mapping");
}

static bool fail_unknown_key(struct yaml_reader *reader, const yaml_node_t *node, const char *name,
                             const char *what, const struct yaml_key *keys, size_t count) {
    const char *names[32];
    for (size_t i = 0; i < count; i++)
        names[i] = keys[i].name;
    const char *meant = closest_word(name, names, count);
    if (meant)
        return yaml_fail(reader, node, "unknown key \"%s\" in %s; did you mean \"%s\"?", name, what, meant);
    return yaml_fail(reader, node, "unknown key \"%s\" in %s", name, what);
}

static bool fail_duplicate(struct yaml_reader *reader, const yaml_node_t *key, const char *name,
                           const yaml_node_t *first) {
    return yaml_fail(reader, key, "the key \"%s\" is here twice, first in line %zu", name,
                     first->start_mark.line + 1);
}

bool yaml_read_mapping(struct yaml_reader *reader, const yaml_node_t *node, const char *what,
                       const struct yaml_key *keys, size_t count, void *target) {
    const yaml_node_t *seen[32] = {0};
    if (is_empty(node))
        return true;
    if (!check_mapping(reader, node, what))
        return false;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
         pair++) {
        const yaml_node_t *key = yaml_node(reader, pair->key);
        const char *name = NULL;
        size_t i = 0;
        if (!yaml_text(reader, key, "a key", &name))
            return false;
        while (i < count && strcmp(keys[i].name, name) != 0)
            i++;
        if (i == count)
            return fail_unknown_key(reader, key, name, what, keys, count);
        if (seen[i])
            return fail_duplicate(reader, key, name, seen[i]);
        seen[i] = key;
        if (!keys[i].read(reader, key, yaml_node(reader, pair->value), target))
            return false;
    }
    return true;
}

bool yaml_read_names(struct yaml_reader *reader, const yaml_node_t *node, const char *what,
                     struct yaml_key each, void *target) {
    if (is_empty(node))
        return true;
    if (!check_mapping(reader, node, what))
        return false;
    const yaml_node_pair_t *first = node->data.mapping.pairs.start, *end = node->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = first; pair < end; pair++) {
        const yaml_node_t *key = yaml_node(reader, pair->key);
        const char *name = NULL;
        if (!yaml_text(reader, key, each.name, &name))
            return false;
        for (const yaml_node_pair_t *before = first; before < pair; before++) {
            const yaml_node_t *earlier = yaml_node(reader, before->key);
            if (strcmp(name, (const char *)earlier->data.scalar.value) == 0)
                return fail_duplicate(reader, key, name, earlier);
        }
        if (!each.read(reader, key, yaml_node(reader, pair->value), target))
            return false;
    }
    return true;
}

bool yaml_read_list(struct yaml_reader *reader, const yaml_node_t *node, const char *what,
                    struct yaml_key each, void *target) {
    if (is_empty(node))
        return true;
    if (!visit(reader, node))
        return false;
    if (node->type != YAML_SEQUENCE_NODE)
        return fail_type(reader, node, what, "a list");
    for (const yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top;
         item++) {
        const yaml_node_t *value = yaml_node(reader, *item);
        if (!each.read(reader, value, value, target))
            return false;
    }
    return true;
}
