/*
 * internal.h - a parsed capability and a policy, as the files of this room see them.
 */
#ifndef REGLET_POLICY_INTERNAL_H
#define REGLET_POLICY_INTERNAL_H

#include <stdatomic.h>

#include "policy/glob.h"
#include "policy/network.h"
#include "policy/policy.h"

enum { REGLET__KIND_COUNT = REGLET__KIND_KV + 1 };

struct reglet__files_rule {
    bool write;
    struct reglet__glob *glob;
    char *root;   /* the literal part once it is resolved, "" for "/"; NULL until then: matches nothing */
    bool closed;  /* lies where no capability of its form reaches; see files.c */
    char **links; /* symbolic links that the literal part went through */
    size_t link_count;
};

struct reglet__keys_rule {
    bool read, write;
    struct reglet__glob *glob;
};

struct reglet__variable_rule {
    struct reglet__span name;
    bool prefix; /* "NAME*"; "*" is the prefix "" */
};

enum reglet__command {
    REGLET__COMMAND_ANY,      /* "**" */
    REGLET__COMMAND_FILE,     /* `text` is an absolute path */
    REGLET__COMMAND_CHILDREN, /* `text` is a directory, "" for "/" */
    REGLET__COMMAND_NAME      /* `text` is a name without "/" */
};

struct reglet__command_rule {
    enum reglet__command form;
    struct reglet__span text;
};

struct reglet__capability {
    atomic_size_t references;
    enum reglet__kind kind;
    char *text; /* as written; spans point into it */
    union {
        struct reglet__files_rule files;
        struct reglet__keys_rule keys;
        struct reglet__network_rule network;
        struct reglet__variable_rule variable;
        struct reglet__command_rule command;
    } rule;
};

struct reglet__capability_list {
    struct reglet__capability **items;
    size_t count;
};

struct reglet__policy {
    struct reglet__capability_list granted[REGLET__KIND_COUNT];
    struct reglet__capability_list shared[REGLET__KIND_COUNT];
    struct reglet__capability_list declared[REGLET__KIND_COUNT];
    bool declared_all[REGLET__KIND_COUNT];
    char **protected_paths;
    size_t protected_count;
};

/*
 * Whether a capability covers a request. `partner` is NULL, or, when `capability` is a declaration, the
 * shared grant that it has to agree with.
 */
typedef bool reglet__covers(const struct reglet__capability *capability,
                            const struct reglet__capability *partner, const void *request);

/* The one place where "who is granted" is decided: a grant, or a shared grant together with a declaration. */
struct reglet__decision reglet__policy_decide(const struct reglet__policy *policy, enum reglet__kind kind,
                                              reglet__covers *covers, const void *request);

void reglet__files_clear(struct reglet__files_rule *rule);

#endif
