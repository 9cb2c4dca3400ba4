#define _GNU_SOURCE
#include <string.h>

#include "policy/internal.h"
#include "util/cleanup.h"
#include "util/fail.h"

REGLET_DEFINE_CLEANUP(struct reglet__capability *, reglet__capability_free);

/* A request that was parsed as a capability, to be decided if it is about one thing alone. */
struct asked {
    const struct reglet__policy *policy;
    const struct reglet__capability *capability;
    struct reglet__parse parse; /* to refuse it at a character; `at` is where the pattern starts */
    struct reglet__decision decision;
};

static reglet_status decide(struct asked *asked, struct reglet__decision decision) {
    asked->decision = decision;
    return REGLET_OK;
}

/* The offset of the first of these characters behind `from`, or the end. */
static size_t find_any(const struct asked *asked, size_t from, const char *characters) {
    return from + strcspn(asked->parse.text + from, characters);
}

/* --- network --- */

static reglet_status check_host(const struct asked *asked, const struct reglet__network_rule *rule) {
    const struct reglet__parse *parse = &asked->parse;
    switch (rule->host) {
    case REGLET__HOST_ANY:
        return reglet__parse_refuse(parse, parse->at, "it names no host; ask for one, as in example.org:443");
    case REGLET__HOST_PRIVATE:
        return reglet__parse_refuse(parse, parse->at,
                                    "\"private\" is no host; ask for one, as in 10.0.0.1:443");
    case REGLET__HOST_BELOW:
        return reglet__parse_refuse(parse, parse->at,
                                    "it names many hosts; ask for one, as in a.example.org:443");
    case REGLET__HOST_ADDRESS:
        if (rule->prefix < (rule->is_ipv6 ? 128u : 32u))
            return reglet__parse_refuse(parse, find_any(asked, parse->at, "/"),
                                        "it names a range of addresses; ask for one, as in 10.0.0.1:443");
        break;
    case REGLET__HOST_NAME: break;
    }
    return REGLET_OK;
}

static reglet_status check_port(const struct asked *asked, const struct reglet__network_rule *rule) {
    const struct reglet__parse *parse = &asked->parse;
    if (rule->scheme != REGLET__SCHEME_NONE)
        return REGLET_OK;
    const char *colon = memrchr(parse->text, ':', parse->end);
    if (rule->port_count == 0) {
        bool star = parse->text[parse->end - 1] == '*';
        return reglet__parse_refuse(parse, parse->end - star, "ask for one port, as in example.org:443");
    }
    if (rule->port_count > 1 || rule->ports[0].low != rule->ports[0].high)
        return reglet__parse_refuse(parse, find_any(asked, (size_t)(colon - parse->text), ",-"),
                                    "it names several ports; ask for one");
    return REGLET_OK;
}

static reglet_status ask_network(struct asked *asked) {
    const struct reglet__network_rule *rule = &asked->capability->rule.network;
    reglet_status status = check_host(asked, rule);
    if (status == REGLET_OK)
        status = check_port(asked, rule);
    if (status != REGLET_OK)
        return status;
    struct reglet__endpoint endpoint = {
        .port = rule->ports[0].low,
        .scheme = rule->scheme,
        .path = rule->path.text /* the capability ends where it does */
    };
    if (rule->host == REGLET__HOST_ADDRESS) {
        endpoint.address = reglet__address_from_bytes(rule->address, rule->is_ipv6);
        return decide(asked, reglet__policy_address(asked->policy, &endpoint, &endpoint.address));
    }
    memcpy(endpoint.name, rule->name, sizeof endpoint.name);
    return decide(asked, reglet__policy_connect(asked->policy, &endpoint));
}

/* --- the other kinds --- */

static reglet_status ask_variable(struct asked *asked) {
    if (asked->capability->rule.variable.prefix)
        return reglet__parse_refuse(&asked->parse, find_any(asked, asked->parse.at, "*"),
                                    "it names many variables; ask for one");
    return decide(asked, reglet__policy_env(asked->policy, asked->parse.text + asked->parse.at));
}

/* The first character that stands for others; there is one. */
static size_t find_wildcard(const struct asked *asked) {
    size_t at = find_any(asked, asked->parse.at, "*?[{\\");
    while (asked->parse.text[at] == '\\')
        at = find_any(asked, at + 2, "*?[{\\");
    return at;
}

static reglet_status ask_key(struct asked *asked) {
    const struct reglet__keys_rule *rule = &asked->capability->rule.keys;
    if (rule->read && rule->write)
        return reglet__parse_refuse(&asked->parse, strlen("kv:"), "ask for \"read:\" or for \"write:\"");
    if (!reglet__glob_is_literal(rule->glob))
        return reglet__parse_refuse(
            &asked->parse, find_wildcard(asked),
            "it names many keys; ask for one, with a \"\\\" before a character that is meant as it is");
    return decide(asked, reglet__policy_kv(asked->policy, rule->write, reglet__glob_literal(rule->glob)));
}

static reglet_status ask_command(struct asked *asked) {
    const struct reglet__parse *parse = &asked->parse;
    enum reglet__command form = asked->capability->rule.command.form;
    if (form == REGLET__COMMAND_ANY || form == REGLET__COMMAND_CHILDREN)
        return reglet__parse_refuse(parse, find_any(asked, parse->at, "*"),
                                    "it names many commands; ask for one");
    const char *command = parse->text + parse->at;
    struct reglet__command_request request = {.asked = command, .place = command, .file = command};
    return decide(asked, reglet__policy_exec(asked->policy, &request));
}

/* --- all of them --- */

static reglet_status ask(struct asked *asked) {
    static const struct {
        const char *prefix; /* up to the pattern */
        reglet_status (*ask)(struct asked *asked);
    } kinds[] = {
        {"network:outbound:", ask_network}, {"env:", ask_variable}, {"exec:", ask_command},
        {"kv:read-write:", ask_key},        {"kv:read:", ask_key},  {"kv:write:", ask_key},
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (reglet__parse_take(&asked->parse, kinds[i].prefix))
            return kinds[i].ask(asked);
    }
    return reglet__parse_refuse(&asked->parse, 0, "what is asked of a file is decided on its real path");
}

reglet_status reglet__policy_ask(const struct reglet__policy *policy, const char *request,
                                 struct reglet__decision *out, reglet_error **err) {
    _cleanup_(reglet__capability_free_p)
    struct reglet__capability *capability = NULL;
    reglet_status status = reglet__capability_parse(request, &capability, err);
    if (status != REGLET_OK)
        return status;
    struct asked asked = {.policy = policy, .capability = capability};
    asked.parse = (struct reglet__parse){.text = capability->text, .end = strlen(request), .err = err};
    status = ask(&asked);
    if (status == REGLET_OK)
        *out = asked.decision;
    return status;
}
