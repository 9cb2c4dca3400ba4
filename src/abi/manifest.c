/* The second generation's manifest: its grant set as declared capabilities, and its services. */
#include <stdio.h>
#include <string.h>

#include "abi/description.h"
#include "util/fail.h"

/* Lists of strings in the grant set */

static reglet_status get_strings(const struct reglet__answer *answer, const struct reglet__json *object,
                                 const char *key, const struct reglet__json **out) {
    reglet_status status = reglet__answer_get(answer, object, key, REGLET__IS_ARRAY, out);
    if (status != REGLET_OK)
        return status;
    char what[64];
    snprintf(what, sizeof what, "an element of \"%s\"", key);
    REGLET__JSON_EACH (item, *out)
        if (item->type != REGLET__JSON_STRING)
            return reglet__answer_wrong_type(answer, what, REGLET__IS_STRING, item);
    return REGLET_OK;
}

static reglet_status declare_text(const struct reglet__answer *answer, struct reglet__declarations *list,
                                  const char *kind, const char *prefix, const struct reglet__json *text) {
    char *rest = reglet__c_string(answer->keep, text->text, text->size);
    if (!rest)
        return reglet__fail_memory(answer->err);
    size_t size = strlen(prefix) + strlen(rest) + 1;
    char *pattern = reglet__arena_alloc(answer->keep, size);
    if (!pattern)
        return reglet__fail_memory(answer->err);
    snprintf(pattern, size, "%s%s", prefix, rest);
    return reglet__declare(answer, list, kind, pattern);
}

static reglet_status declare_strings(const struct reglet__answer *answer, struct reglet__declarations *list,
                                     const char *kind, const char *prefix, const struct reglet__json *object,
                                     const char *key) {
    const struct reglet__json *strings = NULL;
    reglet_status status = get_strings(answer, object, key, &strings);
    if (status != REGLET_OK)
        return status;
    REGLET__JSON_EACH (text, strings) {
        status = declare_text(answer, list, kind, prefix, text);
        if (status != REGLET_OK)
            return status;
    }
    return REGLET_OK;
}

/* The rules of the grant set's kinds */

/* As people would write it: `*` and no port where everything is meant, an IPv6 address in brackets. */
static reglet_status declare_endpoint(const struct reglet__answer *answer, struct reglet__declarations *list,
                                      const struct reglet__json *host, const struct reglet__json *port) {
    const char *h = reglet__c_string(answer->keep, host->text, host->size);
    const char *p = reglet__c_string(answer->keep, port->text, port->size);
    if (!h || !p)
        return reglet__fail_memory(answer->err);
    bool any_host = strcmp(h, "*") == 0, any_port = strcmp(p, "*") == 0;
    bool ipv6 = strchr(h, ':') && h[0] != '[';
    size_t size = strlen(h) + strlen(p) + sizeof "outbound:[]:";
    char *pattern = reglet__arena_alloc(answer->keep, size);
    if (!pattern)
        return reglet__fail_memory(answer->err);
    if (any_host)
        snprintf(pattern, size, "outbound:%s", p);
    else
        snprintf(pattern, size, "outbound:%s%s%s%s%s", ipv6 ? "[" : "", h, ipv6 ? "]" : "",
                 any_port ? "" : ":", any_port ? "" : p);
    return reglet__declare(answer, list, "network", pattern);
}

static reglet_status read_network_rule(const struct reglet__answer *answer, const struct reglet__json *rule,
                                       struct reglet__declarations *list) {
    const struct reglet__json *hosts = NULL, *ports = NULL;
    reglet_status status = get_strings(answer, rule, "hosts", &hosts);
    if (status == REGLET_OK)
        status = get_strings(answer, rule, "ports", &ports);
    if (status != REGLET_OK)
        return status;
    REGLET__JSON_EACH (host, hosts) {
        REGLET__JSON_EACH (port, ports) {
            status = declare_endpoint(answer, list, host, port);
            if (status != REGLET_OK)
                return status;
        }
    }
    return REGLET_OK;
}

static reglet_status read_fs_rule(const struct reglet__answer *answer, const struct reglet__json *rule,
                                  struct reglet__declarations *list) {
    reglet_status status = declare_strings(answer, list, "fs", "read:", rule, "read");
    return status == REGLET_OK ? declare_strings(answer, list, "fs", "write:", rule, "write") : status;
}

static reglet_status read_kv_rule(const struct reglet__answer *answer, const struct reglet__json *rule,
                                  struct reglet__declarations *list) {
    const char *op = "";
    reglet_status status = reglet__answer_text(answer, rule, "op", &op);
    if (status != REGLET_OK)
        return status;
    if (strcmp(op, "read") != 0 && strcmp(op, "write") != 0 && strcmp(op, "read-write") != 0)
        return reglet__fail(answer->err, REGLET_ERR_BAD_OUTPUT, REGLET_DOMAIN_PLUGIN,
                            "%s: \"op\" must be read, write or read-write, not \"%s\"", answer->subject, op);
    char prefix[sizeof "read-write:"];
    snprintf(prefix, sizeof prefix, "%s:", op);
    return declare_strings(answer, list, "kv", prefix, rule, "keys");
}

/* Kinds with a list of rules, and how one rule is read. */
static const struct rule_kind {
    const char *kind;
    const char *subject;
    reglet_status (*read)(const struct reglet__answer *answer, const struct reglet__json *rule,
                          struct reglet__declarations *list);
} network_rules = {"network", "manifest, network rule", read_network_rule},
  fs_rules = {"fs", "manifest, fs rule", read_fs_rule}, kv_rules = {"kv", "manifest, kv rule", read_kv_rule};

static reglet_status read_rules(const struct reglet__answer *answer, const struct reglet__json *grants,
                                const struct rule_kind *kind, struct reglet__declarations *list) {
    const struct reglet__json *holder = NULL, *rules = NULL;
    reglet_status status = reglet__answer_get(answer, grants, kind->kind, REGLET__IS_OBJECT, &holder);
    struct reglet__answer one = *answer;
    one.subject = kind->subject;
    if (status == REGLET_OK)
        status = reglet__answer_get(&one, holder, "rules", REGLET__IS_ARRAY, &rules);
    REGLET__JSON_EACH (rule, rules) {
        if (status != REGLET_OK)
            break;
        if (rule->type != REGLET__JSON_OBJECT)
            return reglet__answer_wrong_type(&one, "it", REGLET__IS_OBJECT, rule);
        status = kind->read(&one, rule, list);
    }
    return status;
}

static reglet_status read_list(const struct reglet__answer *answer, const struct reglet__json *grants,
                               const char *kind, const char *key, struct reglet__declarations *list) {
    const struct reglet__json *holder = NULL;
    reglet_status status = reglet__answer_get(answer, grants, kind, REGLET__IS_OBJECT, &holder);
    return status == REGLET_OK ? declare_strings(answer, list, kind, "", holder, key) : status;
}

reglet_status reglet__manifest_capabilities(const struct reglet__answer *answer,
                                            const struct reglet__json *manifest,
                                            struct reglet__declarations *list) {
    const struct reglet__json *grants = NULL;
    reglet_status status = reglet__answer_get(answer, manifest, "capabilities", REGLET__IS_OBJECT, &grants);
    if (status == REGLET_OK)
        status = read_rules(answer, grants, &network_rules, list);
    if (status == REGLET_OK)
        status = read_rules(answer, grants, &fs_rules, list);
    if (status == REGLET_OK)
        status = read_list(answer, grants, "env", "vars", list);
    if (status == REGLET_OK)
        status = read_list(answer, grants, "exec", "commands", list);
    if (status == REGLET_OK)
        status = read_rules(answer, grants, &kv_rules, list);
    return status;
}

/* Services */

static size_t count_items(const struct reglet__json *parent) {
    size_t count = 0;
    REGLET__JSON_EACH (item, parent)
        count++;
    return count;
}

static reglet_status read_operation(const struct reglet__answer *answer, const struct reglet__json *value,
                                    reglet_operation *out) {
    if (value->type != REGLET__JSON_OBJECT)
        return reglet__answer_wrong_type(answer, "an operation", REGLET__IS_OBJECT, value);
    reglet_status status = reglet__answer_text(answer, value, "name", &out->name);
    if (status == REGLET_OK)
        status = reglet__answer_text(answer, value, "description", &out->description);
    if (status != REGLET_OK)
        return status;
    out->json = reglet__json_print(answer->keep, value, NULL);
    return out->json ? REGLET_OK : reglet__fail_memory(answer->err);
}

static reglet_status read_operations(const struct reglet__answer *answer, const struct reglet__json *service,
                                     reglet_service *out) {
    const struct reglet__json *list = NULL;
    reglet_status status = reglet__answer_get(answer, service, "operations", REGLET__IS_ARRAY, &list);
    size_t count = count_items(list);
    if (status != REGLET_OK)
        return status;
    if (count > REGLET__MAX_SERVICES)
        return reglet__answer_too_many(answer, "operations", REGLET__MAX_SERVICES);
    reglet_operation *operations = reglet__arena_alloc(answer->keep, count * sizeof *operations);
    if (!operations)
        return reglet__fail_memory(answer->err);
    out->operations = operations;
    REGLET__JSON_EACH (item, list) {
        status = read_operation(answer, item, &operations[out->operation_count++]);
        if (status != REGLET_OK)
            return status;
    }
    return REGLET_OK;
}

/* The key is the service's name: it is what calls will name. */
static reglet_status read_service(const struct reglet__answer *answer, const struct reglet__json *value,
                                  reglet_service *out) {
    struct reglet__answer one = *answer;
    out->name = reglet__c_string(answer->keep, value->key, value->key_size);
    if (!out->name)
        return reglet__fail_memory(answer->err);
    char subject[128];
    snprintf(subject, sizeof subject, "%s, service \"%.64s\"", answer->subject, out->name);
    one.subject = subject;
    if (value->type != REGLET__JSON_OBJECT)
        return reglet__answer_wrong_type(&one, "it", REGLET__IS_OBJECT, value);
    reglet_status status = reglet__answer_text(&one, value, "description", &out->description);
    return status == REGLET_OK ? read_operations(&one, value, out) : status;
}

reglet_status reglet__manifest_services(const struct reglet__answer *answer,
                                        const struct reglet__json *manifest,
                                        reglet_description *description) {
    const struct reglet__json *list = NULL;
    reglet_status status = reglet__answer_get(answer, manifest, "services", REGLET__IS_OBJECT, &list);
    size_t count = count_items(list);
    if (status != REGLET_OK)
        return status;
    if (count > REGLET__MAX_SERVICES)
        return reglet__answer_too_many(answer, "services", REGLET__MAX_SERVICES);
    reglet_service *services = reglet__arena_alloc(answer->keep, count * sizeof *services);
    if (!services)
        return reglet__fail_memory(answer->err);
    description->services = services;
    REGLET__JSON_EACH (item, list) {
        status = read_service(answer, item, &services[description->service_count++]);
        if (status != REGLET_OK)
            return status;
    }
    return REGLET_OK;
}
