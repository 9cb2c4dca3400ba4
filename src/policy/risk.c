#include <stdio.h>
#include <string.h>

#include "policy/internal.h"
#include "util/cleanup.h"
#include "util/limits.h"

/* --- files --- */

/*
 * Names below a directory, as ordinary ones are and of several depths. A pattern that matches all of them takes in nearly
 * everything there, in whatever way that is written: `**`, `{etc,opt}` or `e*` before it, `[!.]*` behind it.
 */
static const char *const samples[] = {"ab/passwords/x", "network/if-up/a-b.c/Main_1",
                                      "u/v/w/shadow/id_rsa.pub/key"};

static const char *const whole_directories[] = {"", "/etc", "/root", "/home"};

/* Where programs, their libraries and settings are: who writes there decides what others run. */
static const char *const system_directories[] = {"/etc", "/bin",  "/boot", "/lib", "/lib64",
                                                 "/opt", "/root", "/sbin", "/usr", "/var/spool/cron"};

/* A glob with what its literal part stands for; "" is the root. */
struct area {
    const struct reglet__glob *glob;
    const char *root;
};

/* False for what is relative to a directory that is not known yet. */
static bool area_of(const struct reglet__files_rule *rule, struct area *out) {
    const char *root = rule->root ? rule->root : reglet__glob_literal(rule->glob);
    if (!rule->root && root[0] != '/' && !reglet__glob_starts_anywhere(rule->glob))
        return false;
    *out = (struct area){rule->glob, strcmp(root, "/") == 0 ? "" : root};
    return true;
}

/* What is left of `path` below `top`, without its slash; NULL when it does not lie there. */
static const char *below(const char *path, const char *top) {
    size_t size = strlen(top);
    if (strncmp(path, top, size) != 0 || (path[size] != '/' && path[size] != '\0'))
        return NULL;
    return path + size + (path[size] == '/');
}

static enum reglet__glob_match match(const struct area *area, const char *path) {
    const char *rest = below(path, area->root);
    if (!rest || reglet__glob_is_literal(area->glob))
        return REGLET__GLOB_NONE;
    size_t steps = REGLET__MAX_MATCH_STEPS;
    enum reglet__glob_match result = reglet__glob_match(area->glob, rest, strlen(rest), &steps);
    return steps > 0 ? result : REGLET__GLOB_COVERS; /* in doubt it is taken in */
}

static bool takes_in(const struct area *area, const char *directory) {
    char path[64];
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        snprintf(path, sizeof path, "%s/%s", directory, samples[i]);
        if (match(area, path) != REGLET__GLOB_COVERS)
            return false;
    }
    return true;
}

static bool reaches_into(const struct area *area, const char *directory) {
    return below(area->root, directory) || match(area, directory) != REGLET__GLOB_NONE;
}

static bool files_are_broad(const struct reglet__files_rule *rule) {
    struct area area;
    if (!area_of(rule, &area))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(whole_directories); i++) {
        if (takes_in(&area, whole_directories[i]))
            return true;
    }
    return false;
}

static reglet_risk files_risk(const struct reglet__files_rule *rule) {
    struct area area;
    if (!area_of(rule, &area))
        return REGLET_RISK_LOW;
    size_t count = rule->write ? ARRAY_LEN(system_directories) : 1; /* of reading, /etc alone */
    for (size_t i = 0; i < count; i++) {
        if (reaches_into(&area, system_directories[i]))
            return REGLET_RISK_MEDIUM;
    }
    return REGLET_RISK_LOW;
}

/* --- keys --- */

/* All keys of the store, which are the plugins' own, and not the machine's. */
static bool takes_in_all_keys(const struct reglet__keys_rule *rule) {
    const char *literal = reglet__glob_literal(rule->glob);
    struct area area = {rule->glob, ""};
    return (literal[0] == '\0' || strcmp(literal, "/") == 0) && takes_in(&area, "");
}

/* --- variables --- */

static const char *const credentials[] = {"AWS_", "AZURE_", "GCP_"};

static bool variables_are_broad(const struct reglet__variable_rule *rule) {
    for (size_t i = 0; i < ARRAY_LEN(credentials) && rule->prefix; i++) {
        if (rule->name.size <= strlen(credentials[i]) &&
            memcmp(rule->name.text, credentials[i], rule->name.size) == 0)
            return true;
    }
    return false;
}

/* --- commands --- */

static bool runs_anything(const char *path) {
    return reglet__program_of(reglet__command_name(path)) == REGLET__PROGRAM_ANYTHING;
}

static bool command_is_broad(const struct reglet__command_rule *rule) {
    switch (rule->form) {
    case REGLET__COMMAND_ANY: return true;
    case REGLET__COMMAND_FILE:
        return runs_anything(rule->path) || runs_anything(reglet__command_place(rule)) ||
               runs_anything(reglet__command_file(rule));
    case REGLET__COMMAND_NAME: return runs_anything(rule->text.text); /* the capability ends where it does */
    case REGLET__COMMAND_CHILDREN: break;
    }
    return false;
}

/* --- network --- */

static bool network_is_broad(const struct reglet__network_rule *rule) {
    bool any_host =
        rule->host == REGLET__HOST_ANY || (rule->host == REGLET__HOST_ADDRESS && rule->prefix == 0);
    return any_host && reglet__ports_include(rule, 1, UINT16_MAX);
}

/* --- all of them --- */

static bool is_broad(const struct reglet__capability *capability) {
    switch (capability->kind) {
    case REGLET__KIND_FS: return files_are_broad(&capability->rule.files);
    case REGLET__KIND_NETWORK: return network_is_broad(&capability->rule.network);
    case REGLET__KIND_ENV: return variables_are_broad(&capability->rule.variable);
    case REGLET__KIND_EXEC: return command_is_broad(&capability->rule.command);
    case REGLET__KIND_KV: return false;
    }
    return true;
}

reglet_risk reglet__capability_risk(const struct reglet__capability *capability) {
    if (is_broad(capability))
        return REGLET_RISK_HIGH;
    switch (capability->kind) {
    case REGLET__KIND_FS: return files_risk(&capability->rule.files);
    case REGLET__KIND_KV:
        return takes_in_all_keys(&capability->rule.keys) ? REGLET_RISK_MEDIUM : REGLET_RISK_LOW;
    case REGLET__KIND_ENV: return REGLET_RISK_LOW;
    case REGLET__KIND_NETWORK:
    case REGLET__KIND_EXEC: break;
    }
    return REGLET_RISK_MEDIUM;
}

bool reglet__capability_is_broad(const struct reglet__capability *capability, const char *const *patterns,
                                 size_t pattern_count) {
    for (size_t i = 0; i < pattern_count; i++) {
        if (strcmp(capability->text, patterns[i]) == 0)
            return true;
    }
    return is_broad(capability);
}
