#include <string.h>

#include "policy/internal.h"
#include "util/buf.h"
#include "util/limits.h"
#include "util/text.h"

enum { SENTENCE_MAX = 4 * REGLET__MAX_PATTERN }; /* ports take the most: "1-2," becomes "1 to 2, " */

static void append_span(struct reglet__buf *buf, struct reglet__span span) {
    reglet__buf_append(buf, span.text, span.size);
}

/* --- files and keys --- */

/* The pattern as it was written: what comes after "kind:access:". */
static const char *pattern_of(const struct reglet__capability *capability) {
    return strchr(strchr(capability->text, ':') + 1, ':') + 1;
}

/* Whether a glob is one wildcard segment behind its literal part: "**" for `depth`, else "*". */
static bool is_wildcard(const struct reglet__glob *glob, bool depth) {
    if (glob->segment_count != 1 || glob->segments[0].any_depth != depth)
        return false;
    return depth || (glob->segments[0].node_count == 2 &&
                     glob->nodes[glob->segments[0].first_node].op == REGLET__GLOB_STAR);
}

/* "the file /etc/hosts", "every key", "the files that match /srv/x.*": `what` is "file" or "key". */
static void append_paths(struct reglet__buf *buf, const struct reglet__capability *capability,
                         const struct reglet__glob *glob, const char *what) {
    const char *literal = reglet__glob_literal(glob);
    bool whole = literal[0] == '\0' || strcmp(literal, "/") == 0;
    if (reglet__glob_is_literal(glob))
        reglet__buf_appendf(buf, "the %s %s", what, literal);
    else if (is_wildcard(glob, true) && whole)
        reglet__buf_appendf(buf, "every %s", what);
    else if (is_wildcard(glob, true))
        reglet__buf_appendf(buf, "every %s below %s", what, literal);
    else if (is_wildcard(glob, false) && literal[0] != '\0')
        reglet__buf_appendf(buf, "every %s directly in %s", what, literal);
    else
        reglet__buf_appendf(buf, "the %ss that match %s", what, pattern_of(capability));
}

static void append_files(struct reglet__buf *buf, const struct reglet__capability *capability) {
    const struct reglet__files_rule *rule = &capability->rule.files;
    reglet__buf_append_text(buf, rule->write ? "Create, change and remove " : "Read ");
    append_paths(buf, capability, rule->glob, "file");
    if (pattern_of(capability)[0] != '/' && !reglet__glob_starts_anywhere(rule->glob))
        reglet__buf_append_text(buf, " in the working directory");
}

static void append_keys(struct reglet__buf *buf, const struct reglet__capability *capability) {
    const struct reglet__keys_rule *rule = &capability->rule.keys;
    reglet__buf_append_text(buf, rule->read && rule->write ? "Read and write "
                                 : rule->write             ? "Write "
                                                           : "Read ");
    append_paths(buf, capability, rule->glob, "key");
    reglet__buf_append_text(buf, " of the store");
}

/* --- network --- */

static void append_ports(struct reglet__buf *buf, const struct reglet__network_rule *rule) {
    bool one = rule->port_count == 1 && rule->ports[0].low == rule->ports[0].high;
    reglet__buf_append_text(buf, rule->port_count == 0 ? " at any port" : one ? " at port " : " at ports ");
    for (size_t i = 0; i < rule->port_count; i++) {
        const char *joint = i == 0 ? "" : i + 1 == rule->port_count ? " and " : ", ";
        reglet__buf_appendf(buf, "%s%u", joint, rule->ports[i].low);
        if (rule->ports[i].high > rule->ports[i].low)
            reglet__buf_appendf(buf, " to %u", rule->ports[i].high);
    }
}

static void append_address(struct reglet__buf *buf, const struct reglet__network_rule *rule) {
    struct reglet__address address = reglet__address_from_bytes(rule->address, rule->is_ipv6);
    char text[REGLET__ADDRESS_TEXT];
    reglet__address_text(&address, text);
    if (rule->prefix == (rule->is_ipv6 ? 128u : 32u))
        reglet__buf_appendf(buf, "the address %s", text);
    else
        reglet__buf_appendf(buf, "every address in %s/%u", text, rule->prefix);
}

static void append_host(struct reglet__buf *buf, const struct reglet__network_rule *rule) {
    switch (rule->host) {
    case REGLET__HOST_NAME: reglet__buf_append_text(buf, rule->name); break;
    case REGLET__HOST_BELOW: reglet__buf_appendf(buf, "every host below %s", rule->name); break;
    case REGLET__HOST_ADDRESS: append_address(buf, rule); break;
    case REGLET__HOST_ANY:
    case REGLET__HOST_PRIVATE: reglet__buf_append_text(buf, "any host"); break;
    }
}

/* Whether the rule names what it opens by address. A range that is not wholly special opens what is public in it. */
static bool opens_private(const struct reglet__network_rule *rule) {
    if (rule->host != REGLET__HOST_ADDRESS)
        return false;
    struct reglet__address address = reglet__address_from_bytes(rule->address, rule->is_ipv6);
    const struct reglet__special_range *range = reglet__address_special(&address);
    return rule->prefix == (rule->is_ipv6 ? 128u : 32u) || (range && rule->prefix >= range->prefix);
}

static void append_network(struct reglet__buf *buf, const struct reglet__capability *capability) {
    const struct reglet__network_rule *rule = &capability->rule.network;
    if (rule->host == REGLET__HOST_PRIVATE) {
        reglet__buf_append_text(
            buf, "Connect to private addresses too, this machine's own among them, wherever another "
                 "grant allows host and port");
        return;
    }
    if (rule->scheme != REGLET__SCHEME_NONE) {
        reglet__buf_appendf(buf, "Send HTTP requests to %s and everything below it", pattern_of(capability));
    } else {
        reglet__buf_append_text(buf, "Connect to ");
        append_host(buf, rule);
        append_ports(buf, rule);
    }
    if (!opens_private(rule))
        reglet__buf_append_text(buf, ", but not to private addresses");
}

/* --- variables and commands --- */

static void append_variables(struct reglet__buf *buf, const struct reglet__capability *capability) {
    const struct reglet__variable_rule *rule = &capability->rule.variable;
    if (rule->prefix && rule->name.size == 0) {
        reglet__buf_append_text(buf, "Read every environment variable");
        return;
    }
    reglet__buf_append_text(buf, rule->prefix ? "Read the environment variables that start with "
                                              : "Read the environment variable ");
    append_span(buf, rule->name);
}

static void append_command(struct reglet__buf *buf, const struct reglet__capability *capability) {
    const struct reglet__command_rule *rule = &capability->rule.command;
    switch (rule->form) {
    case REGLET__COMMAND_ANY:
        reglet__buf_append_text(buf, "Run every command with any arguments, shells included");
        return;
    case REGLET__COMMAND_CHILDREN:
        reglet__buf_appendf(
            buf,
            "Run every program directly in %s with any arguments, except shells, interpreters and "
            "programs that run others",
            rule->path);
        return;
    case REGLET__COMMAND_FILE:
    case REGLET__COMMAND_NAME: break;
    }
    reglet__buf_append_text(buf, "Run ");
    append_span(buf, rule->text);
    if (rule->form == REGLET__COMMAND_NAME)
        reglet__buf_append_text(buf, ", as it is found on the PATH,");
    reglet__buf_append_text(buf, " with any arguments");
    if (reglet__capability_risk(capability) == REGLET_RISK_HIGH)
        reglet__buf_append_text(buf, ", and with it every other program");
}

char *reglet__capability_sentence(const struct reglet__capability *capability) {
    static void (*const appenders[])(struct reglet__buf *, const struct reglet__capability *) = {
        [REGLET__KIND_FS] = append_files,      [REGLET__KIND_NETWORK] = append_network,
        [REGLET__KIND_ENV] = append_variables, [REGLET__KIND_EXEC] = append_command,
        [REGLET__KIND_KV] = append_keys,
    };
    _cleanup_buf_ struct reglet__buf buf = REGLET__BUF_INIT(SENTENCE_MAX);
    appenders[capability->kind](&buf, capability);
    reglet__buf_append_text(&buf, ".");
    /* A capability holds no control characters; marks that turn the direction of text it may. */
    return buf.status == REGLET_OK ? reglet__clean_line_dup(buf.data, buf.size) : NULL;
}
