/*
 * libyaml decides how each text is quoted and escaped. It writes no comments, so the document is put together from documents
 * of its own, one for the plugin and one for each capability: each capability is one line of it.
 */
#define _GNU_SOURCE
#include "suggest.h"

#include "term.h"

#include <string.h>
#include <yaml.h>

static int write_bytes(void *out, unsigned char *bytes, size_t size) {
    return fwrite(bytes, 1, size, out) == size;
}

/* Takes the document's content over. */
static void emit(FILE *out, yaml_document_t *document, bool unicode) {
    yaml_emitter_t emitter;
    if (!yaml_emitter_initialize(&emitter))
        out_of_memory();
    yaml_emitter_set_output(&emitter, write_bytes, out);
    yaml_emitter_set_unicode(&emitter, unicode);
    yaml_emitter_set_width(&emitter, -1);
    if (!yaml_emitter_dump(&emitter, document) || !yaml_emitter_close(&emitter))
        out_of_memory(); /* what goes in is valid UTF-8 */
    yaml_emitter_delete(&emitter);
}

static void start(yaml_document_t *document) {
    if (!yaml_document_initialize(document, NULL, NULL, NULL, 1, 1))
        out_of_memory();
}

static int need(int node) {
    if (node == 0)
        out_of_memory();
    return node;
}

static int add_text(yaml_document_t *document, const char *text, yaml_scalar_style_t style) {
    return need(
        yaml_document_add_scalar(document, NULL, (const yaml_char_t *)text, (int)strlen(text), style));
}

static int add_mapping(yaml_document_t *document) {
    return need(yaml_document_add_mapping(document, NULL, YAML_BLOCK_MAPPING_STYLE));
}

static void add_pair(yaml_document_t *document, int mapping, int key, int value) {
    need(yaml_document_append_mapping_pair(document, mapping, key, value));
}

/* Other letters than ASCII stay readable, but for what is escaped on a terminal as well. */
static bool is_shown_as_it_is(const char *text) {
    _cleanup_free_ char *clean = term_clean(text, strlen(text));
    return strcmp(clean, text) == 0;
}

/* Whether it is the same text for every reader of YAML without quotes: not `null`, `on`, `22:22` or `1e3`. */
static bool is_plain_name(const char *name) {
    static const char *const others[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char more[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-";
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (strcasecmp(name, others[i]) == 0)
            return false;
    return *name && strchr(letters, *name) && name[strspn(name, more)] == '\0';
}

/* "plugins:", the name below it, and the sha256 below that; what follows has four columns before it. */
static void write_plugin(FILE *out, const char *name, const char *sha256) {
    yaml_document_t document;
    start(&document);
    int root = add_mapping(&document), plugins = add_mapping(&document), plugin = add_mapping(&document);
    add_pair(&document, root, add_text(&document, "plugins", YAML_PLAIN_SCALAR_STYLE), plugins);
    yaml_scalar_style_t style =
        is_plain_name(name) ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    add_pair(&document, plugins, add_text(&document, name, style), plugin);
    add_pair(&document, plugin, add_text(&document, "sha256", YAML_PLAIN_SCALAR_STYLE),
             add_text(&document, sha256, YAML_PLAIN_SCALAR_STYLE));
    emit(out, &document, is_shown_as_it_is(name));
}

/* "- " and the capability, which begins with its kind and so is text for every reader. */
static void write_capability(FILE *out, const char *capability) {
    yaml_document_t document;
    start(&document);
    int list = need(yaml_document_add_sequence(&document, NULL, YAML_BLOCK_SEQUENCE_STYLE));
    need(yaml_document_append_sequence_item(&document, list,
                                            add_text(&document, capability, YAML_PLAIN_SCALAR_STYLE)));
    emit(out, &document, is_shown_as_it_is(capability));
}

static void write_comment(FILE *out, const char *text) {
    _cleanup_free_ char *clean = term_clean_short(text, strlen(text));
    fprintf(out, "      # %s\n", clean);
}

static void write_item(FILE *out, const struct suggested *item) {
    if (item->comment)
        write_comment(out, item->comment);
    if (!item->capability)
        return;
    fputs("      ", out);
    write_capability(out, item->capability);
}

char *suggest_yaml(const char *name, const char *sha256, const struct suggested *items, size_t count) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        out_of_memory();
    write_plugin(out, name, sha256);
    if (count > 0)
        fputs("    capabilities:\n", out);
    for (size_t i = 0; i < count; i++)
        write_item(out, &items[i]);
    if (fclose(out) != 0)
        out_of_memory();
    return text;
}
