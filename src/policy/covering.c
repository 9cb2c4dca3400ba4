/*
 * Whether a grant certainly covers all that a declaration asks for. For people who compare the two: a "yes" is a promise,
 * and where it would take more than a comparison of their forms the answer is "no".
 */
#include <string.h>

#include "policy/internal.h"

/* --- files and keys --- */

/* Whether `path` is `top` or lies below it; "" and "/" are above everything. */
static bool is_at_or_below(const char *path, const char *top) {
    size_t size = strcmp(top, "/") == 0 ? 0 : strlen(top);
    return strncmp(path, top, size) == 0 && (size == 0 || path[size] == '\0' || path[size] == '/');
}

/* Whether a glob is its literal part and "**", and so covers each path there. */
static bool is_tree(const struct reglet__glob *glob) {
    return glob->segment_count == 1 && glob->segments[0].any_depth;
}

static bool files_cover(const struct reglet__files_rule *grant, const struct reglet__files_rule *declared) {
    return is_tree(grant->glob) && grant->write == declared->write && grant->root && declared->root &&
           !grant->closed && !declared->closed && !reglet__glob_is_literal(declared->glob) &&
           is_at_or_below(declared->root, grant->root);
}

static bool keys_cover(const struct reglet__keys_rule *grant, const struct reglet__keys_rule *declared) {
    if (!is_tree(grant->glob) || declared->read > grant->read || declared->write > grant->write)
        return false;
    const char *top = reglet__glob_literal(grant->glob);
    return reglet__glob_starts_anywhere(grant->glob) ||
           (!reglet__glob_starts_anywhere(declared->glob) &&
            is_at_or_below(reglet__glob_literal(declared->glob), top) &&
            (reglet__glob_literal(declared->glob)[0] == '/') == (top[0] == '/'));
}

/* --- network --- */

bool reglet__ports_include(const struct reglet__network_rule *rule, unsigned low, unsigned high) {
    for (unsigned next = low; next <= high && rule->port_count > 0;) {
        unsigned reached = next;
        for (size_t i = 0; i < rule->port_count; i++) {
            if (rule->ports[i].low <= next && rule->ports[i].high >= reached)
                reached = rule->ports[i].high + 1u;
        }
        if (reached == next)
            return false;
        next = reached;
    }
    return true;
}

static bool ports_cover(const struct reglet__network_rule *grant,
                        const struct reglet__network_rule *declared) {
    if (declared->port_count == 0)
        return reglet__ports_include(grant, 1, UINT16_MAX);
    for (size_t i = 0; i < declared->port_count; i++) {
        if (!reglet__ports_include(grant, declared->ports[i].low, declared->ports[i].high))
            return false;
    }
    return true;
}

static bool is_one_address(const struct reglet__network_rule *rule) {
    return rule->prefix == (rule->is_ipv6 ? 128u : 32u);
}

/* A range opens the special addresses in which it lies wholly. What the declaration would open as a grant, the grant has to
 * open as well; and a rule of any host opens none. */
static bool opens_as_much(const struct reglet__network_rule *grant,
                          const struct reglet__network_rule *declared) {
    struct reglet__address address = reglet__address_from_bytes(declared->address, declared->is_ipv6);
    struct reglet__special specials[REGLET__MAX_SPECIALS];
    size_t count = reglet__address_specials(&address, specials);
    if (grant->host == REGLET__HOST_ANY)
        return count == 0 && is_one_address(declared);
    for (size_t i = 0; i < count; i++) {
        unsigned needed = specials[i].range->prefix;
        if (reglet__special_bits(&specials[i], declared->prefix) >= needed &&
            reglet__special_bits(&specials[i], grant->prefix) < needed)
            return false;
    }
    return true;
}

static bool is_range_within(const struct reglet__network_rule *grant,
                            const struct reglet__network_rule *declared) {
    struct reglet__address first = reglet__address_from_bytes(declared->address, declared->is_ipv6);
    return grant->is_ipv6 == declared->is_ipv6 && grant->prefix <= declared->prefix &&
           reglet__address_is_in(&first, grant->address, grant->is_ipv6, grant->prefix);
}

/* Whether a name has at least one label before `top`, or with `itself` none. */
static bool is_name_below(const char *name, const char *top, bool itself) {
    size_t size = strlen(name), top_size = strlen(top);
    if (size == top_size)
        return itself && strcmp(name, top) == 0;
    return size > top_size && name[size - top_size - 1] == '.' && strcmp(name + size - top_size, top) == 0;
}

static bool host_covers(const struct reglet__network_rule *grant,
                        const struct reglet__network_rule *declared) {
    switch (declared->host) {
    case REGLET__HOST_PRIVATE: return false; /* nothing but itself */
    case REGLET__HOST_ANY: return grant->host == REGLET__HOST_ANY;
    case REGLET__HOST_NAME:
        return grant->host == REGLET__HOST_ANY ||
               (grant->host == REGLET__HOST_NAME && strcmp(declared->name, grant->name) == 0) ||
               (grant->host == REGLET__HOST_BELOW && is_name_below(declared->name, grant->name, false));
    case REGLET__HOST_BELOW:
        return grant->host == REGLET__HOST_ANY ||
               (grant->host == REGLET__HOST_BELOW && is_name_below(declared->name, grant->name, true));
    case REGLET__HOST_ADDRESS:
        return (grant->host == REGLET__HOST_ANY ||
                (grant->host == REGLET__HOST_ADDRESS && is_range_within(grant, declared))) &&
               opens_as_much(grant, declared);
    }
    return false;
}

static bool url_covers(const struct reglet__network_rule *grant,
                       const struct reglet__network_rule *declared) {
    return grant->scheme == REGLET__SCHEME_NONE ||
           (grant->scheme == declared->scheme &&
            reglet__path_is_below(declared->path.text, declared->path.size, grant->path.text,
                                  grant->path.size));
}

static bool network_covers(const struct reglet__network_rule *grant,
                           const struct reglet__network_rule *declared) {
    return host_covers(grant, declared) && ports_cover(grant, declared) && url_covers(grant, declared);
}

/* --- variables and commands --- */

static bool variables_cover(const struct reglet__variable_rule *grant,
                            const struct reglet__variable_rule *declared) {
    if (!grant->prefix && (declared->prefix || declared->name.size != grant->name.size))
        return false;
    return declared->name.size >= grant->name.size &&
           memcmp(declared->name.text, grant->name.text, grant->name.size) == 0;
}

static bool commands_cover(const struct reglet__command_rule *grant,
                           const struct reglet__command_rule *declared) {
    if (grant->form == REGLET__COMMAND_ANY)
        return true;
    return grant->form == REGLET__COMMAND_CHILDREN && declared->form == REGLET__COMMAND_CHILDREN &&
           strcmp(reglet__command_place(grant), reglet__command_place(declared)) == 0;
}

/* --- all of them --- */

static bool covers(const struct reglet__capability *grant, const struct reglet__capability *declared) {
    if (strcmp(grant->text, declared->text) == 0)
        return true;
    switch (declared->kind) {
    case REGLET__KIND_FS: return files_cover(&grant->rule.files, &declared->rule.files);
    case REGLET__KIND_NETWORK: return network_covers(&grant->rule.network, &declared->rule.network);
    case REGLET__KIND_ENV: return variables_cover(&grant->rule.variable, &declared->rule.variable);
    case REGLET__KIND_EXEC: return commands_cover(&grant->rule.command, &declared->rule.command);
    case REGLET__KIND_KV: return keys_cover(&grant->rule.keys, &declared->rule.keys);
    }
    return false;
}

static const char *find(const struct reglet__capability_list *list,
                        const struct reglet__capability *declared) {
    for (size_t i = 0; i < list->count; i++) {
        if (covers(list->items[i], declared))
            return list->items[i]->text;
    }
    return NULL;
}

/* A shared grant covers what is declared because it is declared. */
static const char *find_rule(const struct reglet__policy *policy, const struct reglet__capability *declared) {
    const char *rule = find(&policy->granted[declared->kind], declared);
    return rule ? rule : find(&policy->shared[declared->kind], declared);
}

/* What names one thing is decided as a request for it. */

static const char *files_rule(const struct reglet__policy *policy,
                              const struct reglet__capability *declared) {
    const struct reglet__files_rule *rule = &declared->rule.files;
    if (!rule->root || rule->closed)
        return NULL;
    const char *root = rule->root[0] ? rule->root : "/";
    enum reglet__fs_access access = rule->write ? REGLET__FS_WRITE : REGLET__FS_READ;
    if (reglet__glob_is_literal(rule->glob))
        return reglet__policy_fs(policy, access, root, false).rule;
    bool is_hosts_own = reglet__policy_fs(policy, REGLET__FS_READ, root, false).for_good;
    return is_hosts_own ? NULL : find_rule(policy, declared);
}

static const char *keys_rule(const struct reglet__policy *policy, const struct reglet__capability *declared) {
    const struct reglet__keys_rule *rule = &declared->rule.keys;
    if (!reglet__glob_is_literal(rule->glob))
        return find_rule(policy, declared);
    const char *key = reglet__glob_literal(rule->glob);
    struct reglet__decision read = reglet__policy_kv(policy, false, key);
    struct reglet__decision write = reglet__policy_kv(policy, true, key);
    if ((rule->read && !read.allowed) || (rule->write && !write.allowed))
        return NULL;
    return rule->write ? write.rule : read.rule;
}

/* Pinned arguments take away what a grant gives, and so does what the plugin may write. */
static const char *directory_rule(const struct reglet__policy *policy,
                                  const struct reglet__capability *declared) {
    const char *directory = reglet__command_place(&declared->rule.command);
    bool is_whole = policy->pins.count == 0 && !reglet__policy_fs_writes_below(policy, directory);
    return is_whole ? find_rule(policy, declared) : NULL;
}

/* Of the pins none may be about the command; and one whose file is not known may be any. */
static const char *command_rule(const struct reglet__policy *policy,
                                const struct reglet__capability *declared) {
    const struct reglet__command_rule *rule = &declared->rule.command;
    if (rule->form == REGLET__COMMAND_CHILDREN)
        return directory_rule(policy, declared);
    if (rule->form != REGLET__COMMAND_FILE)
        return policy->pins.count == 0 ? find_rule(policy, declared) : NULL;
    struct reglet__command_request request = {
        .asked = rule->path, .place = reglet__command_place(rule), .file = reglet__command_file(rule)};
    for (size_t i = 0; i < policy->pins.count; i++) {
        if (reglet__command_pin_holds(policy->pins.items[i], &request))
            return NULL;
    }
    return reglet__policy_exec(policy, &request).rule;
}

const char *reglet__policy_covering(const struct reglet__policy *policy,
                                    const struct reglet__capability *declared) {
    switch (declared->kind) {
    case REGLET__KIND_FS: return files_rule(policy, declared);
    case REGLET__KIND_KV: return keys_rule(policy, declared);
    case REGLET__KIND_EXEC: return command_rule(policy, declared);
    case REGLET__KIND_NETWORK:
    case REGLET__KIND_ENV: break;
    }
    return find_rule(policy, declared);
}
