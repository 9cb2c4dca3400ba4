#define _GNU_SOURCE
#include <reglet/capability.h>
#include <stdlib.h>
#include <string.h>

#include "policy/internal.h"
#include "util/cleanup.h"
#include "util/fail.h"

/* --- the kinds --- */

static reglet_status parse_files(struct reglet__parse *parse, struct reglet__capability *capability) {
    struct reglet__files_rule *rule = &capability->rule.files;
    rule->write = reglet__parse_take(parse, "write:");
    if (!rule->write && !reglet__parse_take(parse, "read:"))
        return reglet__parse_refuse(parse, parse->at,
                                    "after \"fs:\" comes \"read:\" or \"write:\" and a path");
    return reglet__glob_parse(parse, &rule->glob);
}

static reglet_status parse_keys(struct reglet__parse *parse, struct reglet__capability *capability) {
    struct reglet__keys_rule *rule = &capability->rule.keys;
    bool both = reglet__parse_take(parse, "read-write:");
    rule->read = both || reglet__parse_take(parse, "read:");
    rule->write = both || (!rule->read && reglet__parse_take(parse, "write:"));
    if (!rule->read && !rule->write)
        return reglet__parse_refuse(
            parse, parse->at,
            "after \"kv:\" comes \"read:\", \"write:\" or \"read-write:\" and a pattern of keys");
    return reglet__glob_parse(parse, &rule->glob);
}

static reglet_status parse_network(struct reglet__parse *parse, struct reglet__capability *capability) {
    if (!reglet__parse_take(parse, "outbound:"))
        return reglet__parse_refuse(parse, parse->at,
                                    "after \"network:\" comes \"outbound:\" and ports, a host or a URL");
    return reglet__network_parse(parse, &capability->rule.network);
}

static bool in_name(char c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static reglet_status parse_variable(struct reglet__parse *parse, struct reglet__capability *capability) {
    struct reglet__variable_rule *rule = &capability->rule.variable;
    reglet_status status = reglet__parse_check_length(parse);
    if (status != REGLET_OK)
        return status;
    size_t start = parse->at;
    while (parse->at < parse->end && in_name(reglet__parse_peek(parse), parse->at == start))
        parse->at++;
    rule->name = (struct reglet__span){parse->text + start, parse->at - start};
    rule->prefix = reglet__parse_take(parse, "*");
    char found[REGLET__FOUND_SIZE];
    if (parse->at < parse->end)
        return reglet__parse_refuse(
            parse, parse->at,
            "a variable is NAME, NAME* or *, with letters, digits and '_' and no digit "
            "first; found %s",
            reglet__parse_found(parse, parse->at, found));
    return REGLET_OK;
}

/* Characters that would make a glob elsewhere: someone who writes them expects what a command does not do. */
static reglet_status check_command_characters(const struct reglet__parse *parse) {
    for (size_t i = parse->at; i < parse->end; i++) {
        if (strchr("*?[]{}\\", parse->text[i]))
            return reglet__parse_refuse(
                parse, i,
                "a command is no glob: '%c' cannot stand in it; \"/dir/*\" is every file "
                "of a directory and \"**\" every command",
                parse->text[i]);
    }
    return REGLET_OK;
}

static reglet_status check_command_path(const struct reglet__parse *parse) {
    for (size_t start = parse->at; start <= parse->end;) {
        struct reglet__parse segment = *parse;
        segment.at = start;
        size_t end = reglet__parse_find(&segment, '/'), size = end - start;
        if (size == 0)
            return reglet__parse_refuse(parse, start, "a segment of the path is empty; write /dir/program");
        if ((size == 1 || size == 2) && memcmp(parse->text + start, "..", size) == 0)
            return reglet__parse_refuse(parse, start,
                                        "\"%.*s\" is no segment of a command; write the path that "
                                        "is meant",
                                        (int)size, parse->text + start);
        start = end + 1;
    }
    return REGLET_OK;
}

static reglet_status check_bare_name(const struct reglet__parse *parse) {
    size_t slash = reglet__parse_find(parse, '/'), space = reglet__parse_find(parse, ' ');
    if (slash < parse->end)
        return reglet__parse_refuse(parse, parse->at,
                                    "a relative path; write a path from \"/\" on, or a bare "
                                    "name that is looked up on PATH");
    if (space < parse->end)
        return reglet__parse_refuse(parse, space, "arguments are no part of a command; write its name alone");
    return check_command_path(parse);
}

static reglet_status parse_command(struct reglet__parse *parse, struct reglet__capability *capability) {
    struct reglet__command_rule *rule = &capability->rule.command;
    rule->form = REGLET__COMMAND_ANY;
    reglet_status status = reglet__parse_check_length(parse);
    if (status != REGLET_OK || reglet__parse_rest_is(parse, "**"))
        return status;
    size_t start = parse->at;
    bool absolute = reglet__parse_take(parse, "/");
    bool children = absolute && parse->text[parse->end - 1] == '*' && parse->text[parse->end - 2] == '/';
    size_t end = children ? parse->end - 2 : parse->end;
    rule->form = children ? REGLET__COMMAND_CHILDREN : absolute ? REGLET__COMMAND_FILE : REGLET__COMMAND_NAME;
    rule->text = (struct reglet__span){parse->text + start, end - start};
    if (absolute) {
        rule->path = end > start ? strndup(parse->text + start, end - start) : strdup("/");
        if (!rule->path)
            return reglet__fail_memory(parse->err);
    }
    if (end < parse->at)
        return REGLET_OK; /* all files of the root directory: nothing is left to check */
    struct reglet__parse rest = *parse;
    rest.end = end;
    status = check_command_characters(&rest);
    if (status != REGLET_OK)
        return status;
    return absolute ? check_command_path(&rest) : check_bare_name(&rest);
}

/* --- what all have in common --- */

static const struct {
    const char *prefix;
    enum reglet__kind kind;
    reglet_status (*parse)(struct reglet__parse *parse, struct reglet__capability *capability);
} kinds[] = {
    {"fs:", REGLET__KIND_FS, parse_files},
    {"kv:", REGLET__KIND_KV, parse_keys},
    {"network:", REGLET__KIND_NETWORK, parse_network},
    {"env:", REGLET__KIND_ENV, parse_variable},
    {"exec:", REGLET__KIND_EXEC, parse_command},
};

static reglet_status parse_kind(struct reglet__parse *parse, struct reglet__capability *capability) {
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!reglet__parse_take(parse, kinds[i].prefix))
            continue;
        capability->kind = kinds[i].kind;
        reglet_status status = reglet__parse_check_characters(parse);
        return status == REGLET_OK ? kinds[i].parse(parse, capability) : status;
    }
    return reglet__parse_refuse(parse, 0, "a capability starts with fs:, kv:, network:, env: or exec:");
}

REGLET_DEFINE_CLEANUP(struct reglet__capability *, reglet__capability_free);

reglet_status reglet__capability_parse(const char *text, struct reglet__capability **out,
                                       reglet_error **err) {
    _cleanup_(reglet__capability_free_p)
    struct reglet__capability *capability = calloc(1, sizeof *capability);
    if (!capability)
        return reglet__fail_memory(err);
    atomic_init(&capability->references, 1);
    capability->text = strdup(text);
    if (!capability->text)
        return reglet__fail_memory(err);
    struct reglet__parse parse = {.text = capability->text, .end = strlen(text), .err = err};
    reglet_status status = parse_kind(&parse, capability);
    if (status == REGLET_OK)
        *out = take_ptr(capability);
    return status;
}

struct reglet__capability *reglet__capability_ref(struct reglet__capability *capability) {
    atomic_fetch_add_explicit(&capability->references, 1, memory_order_relaxed);
    return capability;
}

void reglet__capability_free(struct reglet__capability *capability) {
    if (!capability || atomic_fetch_sub_explicit(&capability->references, 1, memory_order_acq_rel) > 1)
        return;
    switch (capability->kind) {
    case REGLET__KIND_FS: reglet__files_clear(&capability->rule.files); break;
    case REGLET__KIND_KV: reglet__glob_free(capability->rule.keys.glob); break;
    case REGLET__KIND_NETWORK: reglet__network_clear(&capability->rule.network); break;
    case REGLET__KIND_EXEC: reglet__command_clear(&capability->rule.command); break;
    case REGLET__KIND_ENV: break;
    }
    free(capability->text);
    free(capability);
}

const char *reglet__capability_text(const struct reglet__capability *capability) {
    return capability->text;
}

enum reglet__kind reglet__capability_kind(const struct reglet__capability *capability) {
    return capability->kind;
}

static reglet_status refuse_null(reglet_error **err) {
    return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_POLICY,
                        "capability is NULL; give a text such as \"fs:read:/etc/hosts\"");
}

reglet_status reglet_capability_check(const char *text, reglet_error **err) {
    if (!text)
        return refuse_null(err);
    struct reglet__capability *capability = NULL;
    reglet_status status = reglet__capability_parse(text, &capability, err);
    reglet__capability_free(capability);
    return status;
}

const char *reglet_risk_name(reglet_risk risk) {
    switch (risk) {
    case REGLET_RISK_LOW: return "low";
    case REGLET_RISK_MEDIUM: return "medium";
    case REGLET_RISK_HIGH: break;
    }
    return "high";
}

reglet_status reglet_capability_explain(const char *text, reglet_risk *risk, char **sentence,
                                        reglet_error **err) {
    if (!text)
        return refuse_null(err);
    _cleanup_(reglet__capability_free_p)
    struct reglet__capability *capability = NULL;
    reglet_status status = reglet__capability_parse(text, &capability, err);
    if (status != REGLET_OK)
        return status;
    if (sentence) {
        char *made = reglet__capability_sentence(capability);
        if (!made)
            return reglet__fail_memory(err);
        *sentence = made;
    }
    if (risk)
        *risk = reglet__capability_risk(capability);
    return REGLET_OK;
}
