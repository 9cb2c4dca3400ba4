/*
 * An attribute can be a tree: a group, which slog's wire form spells [{"key","type","value"}, …], an object, a list, or any of
 * these as JSON in a string. A screen goes by names, and would see none where a name is the value of "key", or part of a
 * string. So it is given a copy in which each name stands where names stand, and what it replaced there is put back where it
 * came from. The value's own form stays.
 */
#include "abi/log_nested.h"

#include <string.h>

/* A value of the copy, and where it came from. */
struct link {
    struct link *next;
    struct reglet__json *copy;
    struct reglet__json *from;
    struct reglet__json *key;    /* of a group's element: the string that names it; else NULL */
    struct reglet__json *parsed; /* `from` is a string with this in it; else NULL */
    struct link *before;         /* the last one that was made before those of what is in it */
    size_t changes;              /* of this one and all before it */
};

struct tree {
    struct reglet__arena *arena;
    bool groups; /* are copied as what they mean */
    bool has_group;
    bool failed;
    struct link *first, *last;
};

static bool is_container(const struct reglet__json *value) {
    return value->type == REGLET__JSON_ARRAY || value->type == REGLET__JSON_OBJECT;
}

static bool is_group_member(const struct reglet__json *member) {
    static const char *const names[] = {"key", "type", "value"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (reglet__json_text_is(member->key, member->key_size, names[i]))
            return true;
    return false;
}

static bool is_group(const struct reglet__json *value) {
    if (value->type != REGLET__JSON_ARRAY)
        return false;
    REGLET__JSON_EACH (item, value) {
        const struct reglet__json *key = reglet__json_get(item, "key");
        if (!key || key->type != REGLET__JSON_STRING)
            return false;
        REGLET__JSON_EACH (member, item)
            if (!is_group_member(member))
                return false;
    }
    return reglet__json_first(value) != NULL;
}

/* What a string has in it, where that is an object or a list; else NULL. */
static struct reglet__json *parse(struct tree *tree, const struct reglet__json *value) {
    struct reglet__json_fault fault;
    struct reglet__json *parsed = NULL;
    size_t at = 0;
    if (value->type != REGLET__JSON_STRING)
        return NULL;
    while (at < value->size && strchr(" \t\r\n", value->text[at]) && value->text[at])
        at++;
    if (at == value->size || (value->text[at] != '{' && value->text[at] != '['))
        return NULL;
    reglet_status status = reglet__json_read(tree->arena, value->text, value->size, &parsed, &fault);
    tree->failed |= status == REGLET_ERR_NO_MEMORY;
    return status == REGLET_OK ? parsed : NULL;
}

static void add_link(struct tree *tree, const struct link *made) {
    struct link *link = reglet__arena_alloc(tree->arena, sizeof *link);
    if (!link) {
        tree->failed = true;
        return;
    }
    *link = *made;
    if (tree->last)
        tree->last->next = link;
    else
        tree->first = link;
    tree->last = link;
}

static struct reglet__json *copy_value(struct tree *tree, struct reglet__json *value,
                                       struct reglet__json *key);

static struct reglet__json *copy_item(struct tree *tree, struct reglet__json *item, bool of_group) {
    struct reglet__json *key = of_group ? reglet__json_get(item, "key") : NULL;
    struct reglet__json *value = of_group ? reglet__json_get(item, "value") : item;
    struct reglet__json *copy = value ? copy_value(tree, value, key) : NULL;
    if (copy && key) {
        copy->key = key->text;
        copy->key_size = key->size;
    }
    return copy;
}

static void copy_items(struct tree *tree, const struct reglet__json *value, struct reglet__json *copy) {
    bool group = is_group(value);
    tree->has_group |= group;
    group = group && tree->groups;
    struct reglet__json **next = &copy->first;
    copy->first = NULL;
    if (group)
        copy->type = REGLET__JSON_OBJECT;
    for (struct reglet__json *item = value->first; item && !tree->failed; item = item->next) {
        *next = copy_item(tree, item, group);
        if (*next)
            next = &(*next)->next;
    }
}

/* As deep as the reader takes nesting; a string in a string needs twice as many escapes. */
static struct reglet__json *copy_value(struct tree *tree, struct reglet__json *value,
                                       struct reglet__json *key) {
    struct reglet__json *copy = reglet__arena_alloc(tree->arena, sizeof *copy);
    if (!copy) {
        tree->failed = true;
        return NULL;
    }
    struct link link = {.copy = copy, .from = value, .key = key, .before = tree->last};
    link.parsed = parse(tree, value);
    const struct reglet__json *shape = link.parsed ? link.parsed : value;
    *copy = *shape;
    copy->key = value->key;
    copy->key_size = value->key_size;
    copy->hold = value->hold;
    copy->renamed = false;
    copy->next = NULL;
    if (is_container(shape))
        copy_items(tree, shape, copy);
    add_link(tree, &link);
    return copy;
}

/* Whether something is another text now. */
static bool put_back(struct tree *tree, const struct link *link, bool inner) {
    struct reglet__json *from = link->from;
    const struct reglet__json *copy = link->copy;
    bool other =
        copy->type == REGLET__JSON_STRING && (from->type != REGLET__JSON_STRING || from->text != copy->text);
    if (other) {
        from->type = copy->type;
        from->text = copy->text;
        from->size = copy->size;
        from->hold = copy->hold;
    } else if (inner && link->parsed) {
        size_t size = 0;
        from->text = reglet__json_print(tree->arena, link->parsed, &size);
        from->size = (uint32_t)size;
        tree->failed |= !from->text;
    }
    if (copy->renamed && link->key) {
        link->key->text = copy->key;
        link->key->size = copy->key_size;
    } else if (copy->renamed) {
        from->key = copy->key;
        from->key_size = copy->key_size;
    }
    return other || copy->renamed;
}

static void put_all_back(struct tree *tree) {
    size_t changes = 0;
    for (struct link *link = tree->first; link && !tree->failed; link = link->next) {
        bool inner = changes > (link->before ? link->before->changes : 0);
        changes += put_back(tree, link, inner);
        link->changes = changes;
    }
}

/* So many of the last names between the dots of a key; a path has fewer. */
enum { NAMES = 32 };

static void skip_names(const char **name, size_t *size) {
    size_t dots = 0;
    for (size_t at = *size; at > 0; at--)
        if ((*name)[at - 1] == '.' && ++dots == NAMES) {
            *name += at;
            *size -= at;
            return;
        }
}

/* The object to show to the screen: the value under the attribute's key, and, of db.user, under user under db as well. */
static struct reglet__json *under_key(struct tree *tree, const struct reglet__json *key,
                                      const struct reglet__json *value) {
    struct reglet__json *root = reglet__json_new_object(tree->arena), *parent = root;
    bool named = key && key->type == REGLET__JSON_STRING;
    const char *name = named ? key->text : "";
    size_t size = named ? key->size : 0;
    struct reglet__json *member = root ? reglet__json_add(tree->arena, root, name, size, value) : NULL;
    skip_names(&name, &size);
    for (const char *dot; member && (dot = memchr(name, '.', size)); name = dot + 1) {
        const struct reglet__json object = {.type = REGLET__JSON_OBJECT};
        size_t length = (size_t)(dot - name);
        parent = reglet__json_add(tree->arena, parent, name, length, &object);
        if (!parent)
            return NULL;
        parent->hold = REGLET__HOLD_FORM;
        size -= length + 1;
    }
    if (member && parent != root)
        member = reglet__json_add(tree->arena, parent, name, size, value);
    return member ? root : NULL;
}

/* The value as a whole is the log's: it knows the attribute's name. */
static reglet_status screen_once(struct tree *tree, const struct reglet__json *attr,
                                 const struct reglet__screen *screen) {
    uint64_t replaced = 0;
    struct reglet__json *value = reglet__json_get(attr, "value");
    struct reglet__json *copy = copy_value(tree, value, NULL);
    if (!copy || tree->failed)
        return REGLET_ERR_NO_MEMORY;
    if (!is_container(copy))
        return REGLET_OK;
    copy->hold = REGLET__HOLD_FORM;
    struct reglet__json *root = under_key(tree, reglet__json_get(attr, "key"), copy);
    reglet_status status =
        root ? screen->replace(screen->user_data, tree->arena, root, &replaced) : REGLET_ERR_NO_MEMORY;
    copy->hold = REGLET__HOLD_NONE;
    if (status == REGLET_OK)
        put_all_back(tree);
    return tree->failed ? REGLET_ERR_NO_MEMORY : status;
}

reglet_status reglet__log_nested_screen(struct reglet__arena *arena, const struct reglet__json *attr,
                                        const struct reglet__screen *screen) {
    struct tree plain = {.arena = arena}, groups = {.arena = arena, .groups = true};
    const struct reglet__json *value = reglet__json_get(attr, "value");
    if (!value || (!is_container(value) && value->type != REGLET__JSON_STRING))
        return REGLET_OK;
    reglet_status status = screen_once(&plain, attr, screen);
    if (status == REGLET_OK && plain.has_group)
        status = screen_once(&groups, attr, screen);
    return status;
}
