/*
 * yaml.h - one YAML document with limits, and the place of every node in it.
 */
#ifndef CLI_YAML_H
#define CLI_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

enum {
    YAML_MAX_BYTES = 1024 * 1024,
    YAML_MAX_NODES = 50000,
    YAML_MAX_DEPTH = 32,
    YAML_MAX_ANCHORS = 100,  /* libyaml compares each new one with all others */
    YAML_MAX_VISITS = 100000 /* an alias counts each time it is followed: a bomb stops here */
};

/* A document that is being read. The first failure stays in `message`, with file, line and column. */
struct yaml_reader {
    const char *path; /* as it appears in messages */
    yaml_document_t document;
    size_t visits;
    char *message;
};

/* Parses all of `text`. `path` must outlive the reader. After true or false: yaml_reader_close(). */
bool yaml_reader_open(struct yaml_reader *reader, const char *path, const char *text, size_t size);
void yaml_reader_close(struct yaml_reader *reader);

/* NULL for a file without content. */
const yaml_node_t *yaml_root(struct yaml_reader *reader);
const yaml_node_t *yaml_node(struct yaml_reader *reader, int index);

/* Puts the message together and returns false. */
bool yaml_fail(struct yaml_reader *reader, const yaml_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool yaml_fail_at(struct yaml_reader *reader, size_t line, size_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* "a list", "a mapping", "text \"x\"": for messages. The caller frees. */
char *yaml_describe(const yaml_node_t *node);

/* Nothing was written: an empty plain scalar, ~ or null. */
bool yaml_is_null(const yaml_node_t *node);

/* Text without NUL. A null, a list or a mapping is an error that says what `what` should be. */
bool yaml_text(struct yaml_reader *reader, const yaml_node_t *node, const char *what, const char **out);

/* A key that a mapping may have, and who reads its value. */
struct yaml_key {
    const char *name;
    bool (*read)(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value, void *target);
};

/*
 * Reads a mapping: an unknown key (with a guess what was meant), a key twice, or something that is no mapping
 * is an error. A null is an empty one. `what`: "the configuration". At most 32 keys.
 */
bool yaml_read_mapping(struct yaml_reader *reader, const yaml_node_t *node, const char *what,
                       const struct yaml_key *keys, size_t count, void *target);

/* Reads a mapping with any keys (each once) by one function. */
bool yaml_read_names(struct yaml_reader *reader, const yaml_node_t *node, const char *what,
                     struct yaml_key each, void *target);

/* Reads a list by one function for its items, whose `key` is the item itself. A null is an empty list. */
bool yaml_read_list(struct yaml_reader *reader, const yaml_node_t *node, const char *what,
                    struct yaml_key each, void *target);

#endif
