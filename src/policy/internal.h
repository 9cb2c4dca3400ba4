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
    char *path;         /* to be resolved: of a file or a directory; else NULL */
    char *place, *file; /* what `path` is compared by once it was resolved; before, NULL, it is itself */
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

/* Owned by the policy. */
struct reglet__command_pins {
    struct reglet__command_pin **items;
    size_t count;
};

struct reglet__policy {
    struct reglet__capability_list granted[REGLET__KIND_COUNT];
    struct reglet__capability_list shared[REGLET__KIND_COUNT];
    struct reglet__capability_list declared[REGLET__KIND_COUNT];
    bool declared_all[REGLET__KIND_COUNT];
    char **protected_paths;
    size_t protected_count;
    struct reglet__command_pins pins;
    bool strict;
};

/*
 * Whether a capability covers a request. `partner` is NULL, or, when `capability` is a declaration, the
 * shared grant that it has to agree with.
 */
typedef bool reglet__covers(const struct reglet__capability *capability,
                            const struct reglet__capability *partner, const void *request);

/* The one place where "who is granted" is decided: a grant, or a shared grant together with a declaration; at level
 * strict, any grant together with one. */
struct reglet__decision reglet__policy_decide(const struct reglet__policy *policy, enum reglet__kind kind,
                                              reglet__covers *covers, const void *request);

/* The reason of a decision when no grant covers the request; compared by its place. */
extern const char reglet__not_granted[];

/* The same by one grant that stands in no list: a pinned command. */
struct reglet__decision reglet__policy_decide_alone(const struct reglet__policy *policy,
                                                    const struct reglet__capability *grant,
                                                    reglet__covers *covers, const void *request);

void reglet__files_clear(struct reglet__files_rule *rule);
/* Whether something at or below a directory may be written; yes in doubt. */
bool reglet__policy_fs_writes_below(const struct reglet__policy *policy, const char *directory);

/* Whether a network rule allows every port from `low` to `high`. */
bool reglet__ports_include(const struct reglet__network_rule *rule, unsigned low, unsigned high);

/* --- commands --- */

void reglet__command_clear(struct reglet__command_rule *rule);

/* Whether a rule covers a request, a struct reglet__command_request. */
reglet__covers reglet__command_covers;

/* The path of a file or directory rule: its text, or what that was resolved to. */
const char *reglet__command_place(const struct reglet__command_rule *rule);
const char *reglet__command_file(const struct reglet__command_rule *rule);

/* The last component of a path; the whole of a bare name. */
const char *reglet__command_name(const char *path);

/* A pin's command; its form is a file or a name. */
const struct reglet__capability *reglet__command_pin_command(const struct reglet__command_pin *pin);

/* Whether a pin is about this command, by whatever name it comes: then pins decide on its arguments. */
bool reglet__command_pin_holds(const struct reglet__command_pin *pin,
                               const struct reglet__command_request *request);

/* Whether the arguments are those of the pin. */
bool reglet__command_pin_matches(const struct reglet__command_pin *pin,
                                 const struct reglet__command_request *request);

void reglet__command_pins_clear(struct reglet__command_pins *pins);

/* What a program can do with other programs, by its file name. */
enum reglet__program {
    REGLET__PROGRAM_PLAIN,   /* nothing that is known */
    REGLET__PROGRAM_CALLS,   /* it has an option, a file or a command that makes it run others */
    REGLET__PROGRAM_ANYTHING /* it is made for running what it is told: a shell, an interpreter, a runner */
};

enum reglet__program reglet__program_of(const char *file_name);

#endif
