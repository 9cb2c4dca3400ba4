#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/internal.h"

reglet_status reglet__policy_new(struct reglet__policy **out) {
    struct reglet__policy *policy = calloc(1, sizeof *policy);
    if (!policy)
        return REGLET_ERR_NO_MEMORY;
    *out = policy;
    return REGLET_OK;
}

static void clear(struct reglet__capability_list *list) {
    for (size_t i = 0; i < list->count; i++)
        reglet__capability_free(list->items[i]);
    free(list->items);
}

void reglet__policy_free(struct reglet__policy *policy) {
    if (!policy)
        return;
    for (size_t kind = 0; kind < REGLET__KIND_COUNT; kind++) {
        clear(&policy->granted[kind]);
        clear(&policy->shared[kind]);
        clear(&policy->declared[kind]);
    }
    for (size_t i = 0; i < policy->protected_count; i++)
        free(policy->protected_paths[i]);
    free(policy->protected_paths);
    reglet__command_pins_clear(&policy->pins);
    free(policy);
}

static reglet_status add(struct reglet__capability_list *lists, struct reglet__capability *capability) {
    struct reglet__capability_list *list = &lists[capability->kind];
    size_t size = (list->count + 1) * sizeof *list->items; /* NOLINT(bugprone-sizeof-expression): pointers */
    struct reglet__capability **items = realloc(list->items, size);
    if (!items) {
        reglet__capability_free(capability);
        return REGLET_ERR_NO_MEMORY;
    }
    list->items = items;
    list->items[list->count++] = capability;
    return REGLET_OK;
}

reglet_status reglet__policy_grant(struct reglet__policy *policy, struct reglet__capability *capability) {
    return add(policy->granted, capability);
}

reglet_status reglet__policy_share(struct reglet__policy *policy, struct reglet__capability *capability) {
    return add(policy->shared, capability);
}

reglet_status reglet__policy_declare(struct reglet__policy *policy, struct reglet__capability *capability) {
    return add(policy->declared, capability);
}

reglet_status reglet__policy_declare_all(struct reglet__policy *policy, enum reglet__kind kind) {
    policy->declared_all[kind] = true;
    return REGLET_OK;
}

bool reglet__policy_has(const struct reglet__policy *policy, enum reglet__kind kind) {
    if (kind == REGLET__KIND_EXEC && policy->pins.count > 0)
        return true;
    return policy->granted[kind].count > 0 || policy->shared[kind].count > 0;
}

/* --- deciding --- */

static const struct reglet__capability *find(const struct reglet__capability_list *list,
                                             const struct reglet__capability *partner, reglet__covers *covers,
                                             const void *request) {
    for (size_t i = 0; i < list->count; i++) {
        if (covers(list->items[i], partner, request))
            return list->items[i];
    }
    return NULL;
}

const char reglet__not_granted[] = "no grant covers it";

static bool is_declared(const struct reglet__policy *policy, const struct reglet__capability *rule,
                        reglet__covers *covers, const void *request) {
    return policy->declared_all[rule->kind] ||
           find(&policy->declared[rule->kind], rule, covers, request) != NULL;
}

/* Adds to a decision what one grant says, unless it allows already. `undeclared`: the reason to deny what is not declared;
 * NULL: it need not be. */
static void consult(struct reglet__decision *decision, const struct reglet__policy *policy,
                    const struct reglet__capability *grant, const char *undeclared, reglet__covers *covers,
                    const void *request) {
    if (decision->allowed || !covers(grant, NULL, request))
        return;
    if (undeclared && !is_declared(policy, grant, covers, request))
        decision->reason = undeclared;
    else
        *decision = (struct reglet__decision){.allowed = true, .rule = grant->text};
}

static const char *strict_reason(const struct reglet__policy *policy) {
    return policy->strict ? "it is granted, and at level strict the plugin must declare it too" : NULL;
}

struct reglet__decision reglet__policy_decide(const struct reglet__policy *policy, enum reglet__kind kind,
                                              reglet__covers *covers, const void *request) {
    struct reglet__decision decision = {.reason = reglet__not_granted};
    const struct reglet__capability_list *granted = &policy->granted[kind], *shared = &policy->shared[kind];
    for (size_t i = 0; i < granted->count; i++)
        consult(&decision, policy, granted->items[i], strict_reason(policy), covers, request);
    for (size_t i = 0; i < shared->count; i++)
        consult(&decision, policy, shared->items[i],
                "it is granted to every plugin that declares it, and this one does not declare it", covers,
                request);
    return decision;
}

struct reglet__decision reglet__policy_decide_alone(const struct reglet__policy *policy,
                                                    const struct reglet__capability *grant,
                                                    reglet__covers *covers, const void *request) {
    struct reglet__decision decision = {.reason = reglet__not_granted};
    consult(&decision, policy, grant, strict_reason(policy), covers, request);
    return decision;
}

void reglet__policy_set_strict(struct reglet__policy *policy, bool strict) {
    policy->strict = strict;
}

/* --- variables --- */

static bool covers_variable(const struct reglet__capability *capability,
                            const struct reglet__capability *partner, const void *request) {
    (void)partner;
    const struct reglet__variable_rule *rule = &capability->rule.variable;
    const char *name = request;
    size_t size = strlen(name);
    return (rule->prefix ? size >= rule->name.size : size == rule->name.size) &&
           memcmp(name, rule->name.text, rule->name.size) == 0;
}

struct reglet__decision reglet__policy_env(const struct reglet__policy *policy, const char *name) {
    return reglet__policy_decide(policy, REGLET__KIND_ENV, covers_variable, name);
}

char *reglet__policy_env_suggest(const char *name) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    size_t size = strspn(name, letters);
    if (size == 0 || name[size] || (name[0] >= '0' && name[0] <= '9'))
        return NULL;
    char *text = NULL;
    return asprintf(&text, "env:%s", name) < 0 ? NULL : text;
}
