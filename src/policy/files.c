#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "policy/internal.h"
#include "util/buf.h"
#include "util/cleanup.h"
#include "util/limits.h"
#include "util/text.h"

/* --- paths --- */

/* Where "/" is the empty path, every path is its parent, a "/" and a name. */
static size_t path_size(const char *path) {
    return path[1] == '\0' ? 0 : strlen(path);
}

/* Whether `path` is `top` or lies below it. Both are absolute; "" and "/" are the root. */
static bool is_at_or_below(const char *path, const char *top) {
    size_t size = top[0] == '\0' || top[1] == '\0' ? 0 : strlen(top);
    return strncmp(path, top, size) == 0 && (path[size] == '\0' || path[size] == '/');
}

/* Whether a path could be the kernel's real path: absolute, every segment a name. */
static bool is_real_path(const char *path) {
    if (path[0] != '/')
        return false;
    if (path[1] == '\0')
        return true;
    for (const char *name = path; *name == '/';) {
        size_t size = strcspn(++name, "/");
        if (size == 0 || (size <= 2 && strncmp(name, "..", size) == 0))
            return false;
        name += size;
    }
    return true;
}

/* --- where grants do not reach --- */

static const char *const harmless_devices[] = {"/dev/null", "/dev/zero", "/dev/urandom"};

enum zone {
    ZONE_OPEN,
    ZONE_KERNEL,  /* /proc and /sys: exact grants only */
    ZONE_DEVICES, /* /dev: nothing but the harmless devices */
    ZONE_SELF     /* the host's own memory, environment and descriptors: nothing at all */
};

static enum zone zone_of(const char *path) {
    for (size_t i = 0; i < ARRAY_LEN(harmless_devices); i++) {
        if (strcmp(path, harmless_devices[i]) == 0)
            return ZONE_OPEN;
    }
    if (is_at_or_below(path, "/proc/self") || is_at_or_below(path, "/proc/thread-self"))
        return ZONE_SELF;
    if (is_at_or_below(path, "/proc") || is_at_or_below(path, "/sys"))
        return ZONE_KERNEL;
    return is_at_or_below(path, "/dev") ? ZONE_DEVICES : ZONE_OPEN;
}

static bool is_protected(const struct reglet__policy *policy, const char *path) {
    for (size_t i = 0; i < policy->protected_count; i++) {
        if (is_at_or_below(path, policy->protected_paths[i]))
            return true;
    }
    return false;
}

/* Moving or removing a directory would move or remove what is protected below it. */
static bool holds_protected(const struct reglet__policy *policy, const char *path) {
    for (size_t i = 0; i < policy->protected_count; i++) {
        if (is_at_or_below(policy->protected_paths[i], path))
            return true;
    }
    return false;
}

reglet_status reglet__policy_protect(struct reglet__policy *policy, const char *path) {
    if (!is_real_path(path))
        return REGLET_ERR_INVALID_ARGUMENT;
    char **paths = realloc(policy->protected_paths, (policy->protected_count + 1) * sizeof *paths);
    if (!paths)
        return REGLET_ERR_NO_MEMORY;
    policy->protected_paths = paths;
    paths[policy->protected_count] = strdup(path);
    if (!paths[policy->protected_count])
        return REGLET_ERR_NO_MEMORY;
    policy->protected_count++;
    return REGLET_OK;
}

bool reglet__policy_protects(const struct reglet__policy *policy, const char *path, bool by_name) {
    return !is_real_path(path) || is_protected(policy, path) || (by_name && holds_protected(policy, path));
}

/* --- the literal part --- */

const char *reglet__capability_fs_literal(const struct reglet__capability *capability, bool *whole) {
    const struct reglet__glob *glob = capability->rule.files.glob;
    *whole = reglet__glob_is_literal(glob);
    return reglet__glob_starts_anywhere(glob) ? "/" : reglet__glob_literal(glob);
}

static void clear_root(struct reglet__files_rule *rule) {
    free(rule->root);
    rule->root = NULL;
    for (size_t i = 0; i < rule->link_count; i++)
        free(rule->links[i]);
    free(rule->links);
    rule->links = NULL;
    rule->link_count = 0;
}

void reglet__files_clear(struct reglet__files_rule *rule) {
    clear_root(rule);
    reglet__glob_free(rule->glob);
}

/* Whether a literal part lies where its capability could not match anything. */
static bool is_out_of_reach(const char *literal, bool exact) {
    enum zone zone = zone_of(literal);
    if (zone == ZONE_DEVICES)
        return exact || strcmp(literal, "/dev") != 0;
    return zone == ZONE_SELF || (zone == ZONE_KERNEL && !exact);
}

/*
 * Resolving /proc/self (or /dev/stdin, which leads there) leaves no trace of it in the result: so the literal
 * part as it was written, and the links on the way, count as much.
 */
static bool is_closed(const struct reglet__files_rule *rule, const char *literal, const char *const *links,
                      size_t link_count) {
    bool exact = reglet__glob_is_literal(rule->glob);
    for (size_t i = 0; i < link_count; i++) {
        if (zone_of(links[i]) == ZONE_SELF)
            return true;
    }
    return is_out_of_reach(reglet__glob_literal(rule->glob), exact) || is_out_of_reach(literal, exact);
}

reglet_status reglet__capability_fs_resolve(struct reglet__capability *capability, const char *literal,
                                            const char *const *links, size_t link_count) {
    struct reglet__files_rule *rule = &capability->rule.files;
    if (!is_real_path(literal))
        return REGLET_ERR_INVALID_ARGUMENT;
    for (size_t i = 0; i < link_count; i++) {
        if (!is_real_path(links[i]))
            return REGLET_ERR_INVALID_ARGUMENT;
    }
    clear_root(rule); /* on failure nothing matches */
    _cleanup_free_ char *root = strdup(path_size(literal) > 0 ? literal : "");
    rule->links = link_count > 0 ? calloc(link_count, sizeof *rule->links) : NULL;
    if (!root || (link_count > 0 && !rule->links))
        return REGLET_ERR_NO_MEMORY;
    for (; rule->link_count < link_count; rule->link_count++) {
        rule->links[rule->link_count] = strdup(links[rule->link_count]);
        if (!rule->links[rule->link_count])
            return REGLET_ERR_NO_MEMORY;
    }
    rule->closed = is_closed(rule, literal, links, link_count);
    rule->root = take_ptr(root);
    return REGLET_OK;
}

/* --- matching --- */

struct request {
    enum reglet__fs_access access;
    const char *path;
    const char *second_path; /* a symbolic link's target, else NULL */
    bool is_symlink;
    enum zone zone;
    size_t *steps; /* what all globs together may still cost */
};

/* The pattern alone, without zones and links. */
static enum reglet__glob_match match_pattern(const struct reglet__files_rule *rule, const char *path,
                                             size_t *steps) {
    bool exact = reglet__glob_is_literal(rule->glob);
    if (is_at_or_below(path, rule->root)) {
        size_t root_size = strlen(rule->root), size = path_size(path);
        const char *rest = size > root_size ? path + root_size + 1 : "";
        if (exact)
            return size == root_size ? REGLET__GLOB_COVERS : REGLET__GLOB_NONE;
        return reglet__glob_match(rule->glob, rest, strlen(rest), steps);
    }
    return is_at_or_below(rule->root, path) ? REGLET__GLOB_LEADS : REGLET__GLOB_NONE;
}

static bool reaches_a_device(const struct reglet__files_rule *rule, size_t *steps) {
    for (size_t i = 0; i < ARRAY_LEN(harmless_devices); i++) {
        if (match_pattern(rule, harmless_devices[i], steps) == REGLET__GLOB_COVERS)
            return true;
    }
    return false;
}

static enum reglet__glob_match match_path(const struct reglet__files_rule *rule,
                                          const struct request *request) {
    if (!rule->root || rule->closed)
        return REGLET__GLOB_NONE;
    bool exact = reglet__glob_is_literal(rule->glob);
    if (exact || request->zone == ZONE_OPEN)
        return match_pattern(rule, request->path, request->steps);
    if (strcmp(request->path, "/dev") == 0 && reaches_a_device(rule, request->steps))
        return REGLET__GLOB_LEADS;
    return REGLET__GLOB_NONE;
}

static bool leads_to_link(const struct reglet__files_rule *rule, const char *path) {
    for (size_t i = 0; i < rule->link_count; i++) {
        if (is_at_or_below(rule->links[i], path) && strcmp(rule->links[i], path) != 0)
            return true;
    }
    return false;
}

static bool is_granted_link(const struct reglet__files_rule *rule, const char *path) {
    for (size_t i = 0; i < rule->link_count; i++) {
        if (strcmp(rule->links[i], path) == 0)
            return true;
    }
    return false;
}

/* Whether a grant and a declaration are about the same access: a look needs one that either of them has. */
static bool agree(const struct reglet__capability *a, const struct reglet__capability *b) {
    return a->rule.files.write == b->rule.files.write;
}

static bool allows_access(const struct reglet__files_rule *rule, enum reglet__fs_access access) {
    return access == REGLET__FS_LOOK || rule->write == (access == REGLET__FS_WRITE);
}

/* A link inside a glob grant is an entry of it. An exact grant is about what its links led to when the
 * runtime was made: a link that stands there now is none of them, unless it was recorded. */
static bool covers_symlink(const struct reglet__files_rule *rule, const struct request *request) {
    if (request->access == REGLET__FS_READ || !rule->root || rule->closed)
        return false;
    if (request->access == REGLET__FS_LOOK && is_granted_link(rule, request->path))
        return true;
    return !reglet__glob_is_literal(rule->glob) && match_path(rule, request) == REGLET__GLOB_COVERS;
}

static bool covers_path(const struct reglet__capability *capability, const struct reglet__capability *partner,
                        const void *data) {
    const struct request *request = data;
    const struct reglet__files_rule *rule = &capability->rule.files;
    if ((partner && !agree(capability, partner)) || !allows_access(rule, request->access))
        return false;
    return request->is_symlink ? covers_symlink(rule, request)
                               : match_path(rule, request) == REGLET__GLOB_COVERS;
}

/* Whether two patterns can have a path in common; yes in doubt, when both have wildcards. */
static bool overlap(const struct reglet__files_rule *a, const struct reglet__files_rule *b, size_t *steps) {
    const char *a_root = a->root[0] ? a->root : "/", *b_root = b->root[0] ? b->root : "/";
    if (reglet__glob_is_literal(a->glob))
        return match_pattern(b, a_root, steps) == REGLET__GLOB_COVERS;
    if (reglet__glob_is_literal(b->glob))
        return match_pattern(a, b_root, steps) == REGLET__GLOB_COVERS;
    return is_at_or_below(a_root, b_root) || is_at_or_below(b_root, a_root);
}

/* Whether something granted lies at or below the path. */
static bool leads_on(const struct reglet__capability *capability, const struct reglet__capability *partner,
                     const void *data) {
    const struct request *request = data;
    const struct reglet__files_rule *rule = &capability->rule.files;
    bool way = match_path(rule, request) != REGLET__GLOB_NONE ||
               (rule->root && !rule->closed && leads_to_link(rule, request->path));
    if (!way || !partner)
        return way;
    return agree(capability, partner) && overlap(rule, &partner->rule.files, request->steps);
}

/* --- decisions --- */

static struct reglet__decision deny_for_good(const char *reason) {
    return (struct reglet__decision){.reason = reason, .for_good = true};
}

/* What no grant can change. */
static const char *never_because(const struct reglet__policy *policy, const struct request *request) {
    if (!is_real_path(request->path))
        return "it is not a real path";
    if (request->zone == ZONE_SELF)
        return "/proc/self and /proc/thread-self are never granted";
    if (is_protected(policy, request->path))
        return "it is the host's own";
    if (request->access == REGLET__FS_WRITE && holds_protected(policy, request->path))
        return "it holds files of the host's own";
    if (request->is_symlink && request->access == REGLET__FS_READ)
        return "a symbolic link has no content; what it leads to is decided for itself";
    return NULL;
}

static const char too_costly[] = "matching the patterns takes too long for this path";

static const char *denied_because(const struct request *request, const char *reason) {
    if (*request->steps == 0)
        return too_costly;
    if (request->zone == ZONE_KERNEL)
        return "no pattern with a wildcard reaches /proc and /sys, and no grant names it";
    if (request->zone == ZONE_DEVICES)
        return "of /dev only null, zero and urandom can be granted";
    return reason;
}

static struct reglet__decision decide(const struct reglet__policy *policy, struct request *request,
                                      reglet__covers *covers) {
    request->zone = zone_of(request->path);
    const char *never = never_because(policy, request);
    if (never)
        return deny_for_good(never);
    size_t steps = REGLET__MAX_MATCH_STEPS;
    request->steps = &steps;
    struct reglet__decision decision = reglet__policy_decide(policy, REGLET__KIND_FS, covers, request);
    if (!decision.allowed) {
        decision.reason = denied_because(request, decision.reason);
        decision.for_good = request->zone == ZONE_DEVICES;
    }
    request->steps = NULL;
    return decision;
}

struct reglet__decision reglet__policy_fs(const struct reglet__policy *policy, enum reglet__fs_access access,
                                          const char *path, bool is_symlink) {
    struct request request = {.access = access, .path = path, .is_symlink = is_symlink};
    struct reglet__decision decision = decide(policy, &request, covers_path);
    if (decision.allowed || access != REGLET__FS_LOOK || is_symlink)
        return decision;
    decision = decide(policy, &request, leads_on);
    decision.way = decision.allowed;
    return decision;
}

static bool covers_tree(const struct reglet__capability *capability, const struct reglet__capability *partner,
                        const void *data) {
    return reglet__glob_covers_below(capability->rule.files.glob) && covers_path(capability, partner, data);
}

struct reglet__decision reglet__policy_fs_tree(const struct reglet__policy *policy, const char *path) {
    struct request request = {.access = REGLET__FS_WRITE, .path = path};
    return decide(policy, &request, covers_tree);
}

/* Whether something at or below the path may be read. */
static bool reads_below(const struct reglet__capability *capability, const struct reglet__capability *partner,
                        const void *data) {
    return !capability->rule.files.write && leads_on(capability, partner, data);
}

static bool writes_below(const struct reglet__capability *capability,
                         const struct reglet__capability *partner, const void *data) {
    return capability->rule.files.write && leads_on(capability, partner, data);
}

bool reglet__policy_fs_writes_below(const struct reglet__policy *policy, const char *directory) {
    struct request request = {.access = REGLET__FS_LOOK, .path = directory};
    struct reglet__decision decision = decide(policy, &request, writes_below);
    return decision.allowed || decision.reason == too_costly;
}

bool reglet__policy_fs_reveals(const struct reglet__policy *policy, const char *from, const char *to,
                               bool is_directory) {
    struct request before = {.access = REGLET__FS_READ, .path = from};
    struct request after = {.access = REGLET__FS_READ, .path = to};
    if (to) {
        struct reglet__decision there = decide(policy, &after, is_directory ? reads_below : covers_path);
        if (!there.allowed && there.reason != too_costly)
            return false;
    }
    return !decide(policy, &before, is_directory ? covers_tree : covers_path).allowed;
}

static bool covers_both_ends(const struct reglet__capability *capability,
                             const struct reglet__capability *partner, const void *data) {
    struct request target = *(const struct request *)data;
    target.path = target.second_path;
    target.zone = zone_of(target.path);
    return covers_path(capability, partner, data) && covers_path(capability, partner, &target);
}

struct reglet__decision reglet__policy_fs_symlink(const struct reglet__policy *policy, const char *link,
                                                  const char *target) {
    struct request request = {
        .access = REGLET__FS_WRITE, .path = link, .second_path = target, .is_symlink = true};
    if (!is_real_path(target))
        return deny_for_good("its target is not a real path");
    if (is_protected(policy, target))
        return deny_for_good("its target is the host's own");
    struct reglet__decision decision = decide(policy, &request, covers_both_ends);
    if (!decision.allowed && reglet__policy_fs(policy, REGLET__FS_WRITE, link, true).allowed)
        decision.reason = "its target lies outside the grant that the link would be in";
    return decision;
}

/* --- suggesting --- */

static bool is_special(unsigned c) {
    return c < 0x80 && strchr("*?[]{}\\", (int)c) != NULL;
}

/* One character of a path as a pattern spells it. */
static void append_character(struct reglet__buf *buf, const char *text, size_t size, unsigned c) {
    if (size == 0 || c < 0x20 || (c >= 0x7F && c <= 0x9F)) {
        reglet__buf_append_text(buf, "?");
        return;
    }
    if (is_special(c))
        reglet__buf_append_text(buf, "\\");
    reglet__buf_append(buf, text, size);
}

char *reglet__policy_fs_suggest(enum reglet__fs_access access, const char *path) {
    enum zone zone = zone_of(path);
    if (!is_real_path(path) || zone == ZONE_SELF || zone == ZONE_DEVICES)
        return NULL;
    const char *prefix = access == REGLET__FS_WRITE ? "fs:write:" : "fs:read:";
    _cleanup_buf_ struct reglet__buf buf = REGLET__BUF_INIT(strlen(prefix) + REGLET__MAX_PATTERN);
    reglet__buf_append_text(&buf, prefix);
    for (size_t size = strlen(path), i = 0; i < size;) {
        unsigned c = 0;
        size_t length = reglet__utf8_decode(path + i, size - i, &c);
        append_character(&buf, path + i, length, c);
        i += length ? length : 1;
    }
    return reglet__buf_take(&buf, NULL);
}
