#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "policy/internal.h"
#include "util/buf.h"
#include "util/cleanup.h"
#include "util/limits.h"
#include "util/text.h"

/* --- rules --- */

void reglet__command_clear(struct reglet__command_rule *rule) {
    free(rule->path);
    free(rule->place);
    free(rule->file);
}

const char *reglet__command_place(const struct reglet__command_rule *rule) {
    return rule->place ? rule->place : rule->path;
}

const char *reglet__command_file(const struct reglet__command_rule *rule) {
    return rule->file ? rule->file : rule->path;
}

const char *reglet__command_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *reglet__capability_exec_path(const struct reglet__capability *capability) {
    return capability->rule.command.path;
}

reglet_status reglet__capability_exec_resolve(struct reglet__capability *capability, const char *place,
                                              const char *file) {
    struct reglet__command_rule *rule = &capability->rule.command;
    _cleanup_free_ char *new_place = strdup(place);
    _cleanup_free_ char *new_file = strdup(file);
    if (!new_place || !new_file)
        return REGLET_ERR_NO_MEMORY;
    free(rule->place);
    free(rule->file);
    rule->place = take_ptr(new_place);
    rule->file = take_ptr(new_file);
    return REGLET_OK;
}

/* --- matching --- */

static bool is_child(const char *path, const char *directory) {
    size_t size = strcmp(directory, "/") == 0 ? 0 : strlen(directory);
    const char *slash = strrchr(path, '/');
    return slash && (size_t)(slash - path) == size && memcmp(path, directory, size) == 0;
}

static bool is_file(const struct reglet__command_rule *rule, const struct reglet__command_request *request) {
    return request->asked[0] == '/' && strcmp(request->place, reglet__command_place(rule)) == 0 &&
           strcmp(request->file, reglet__command_file(rule)) == 0;
}

static bool is_in_directory(const struct reglet__command_rule *rule,
                            const struct reglet__command_request *request) {
    return request->asked[0] == '/' && is_child(request->place, reglet__command_place(rule)) &&
           is_child(request->file, reglet__command_file(rule));
}

/* Whether it is known for running others by any of its names: a link named `ls` may lead to busybox, and busybox does what
 * the link's name says. */
static bool runs_programs(const struct reglet__command_request *request) {
    return reglet__runs_programs(reglet__command_name(request->asked)) ||
           reglet__runs_programs(reglet__command_name(request->place)) ||
           reglet__runs_programs(reglet__command_name(request->file));
}

static bool is_named(const struct reglet__command_rule *rule, const char *asked) {
    return strlen(asked) == rule->text.size && memcmp(asked, rule->text.text, rule->text.size) == 0;
}

bool reglet__command_covers(const struct reglet__capability *capability,
                            const struct reglet__capability *partner, const void *data) {
    (void)partner;
    const struct reglet__command_rule *rule = &capability->rule.command;
    const struct reglet__command_request *request = data;
    switch (rule->form) {
    case REGLET__COMMAND_ANY: return true;
    case REGLET__COMMAND_FILE: return is_file(rule, request);
    case REGLET__COMMAND_CHILDREN: return is_in_directory(rule, request) && !runs_programs(request);
    case REGLET__COMMAND_NAME: return is_named(rule, request->asked);
    }
    return false;
}

/* A directory's grant that would have covered it, were it not known for running others. */
static bool nearly_covers(const struct reglet__capability *capability,
                          const struct reglet__capability *partner, const void *data) {
    (void)partner;
    return capability->rule.command.form == REGLET__COMMAND_CHILDREN &&
           is_in_directory(&capability->rule.command, data);
}

/* Whether a rule could cover what is asked for like this. A link may lead from any directory to any other, but a file that
 * is granted keeps its last component. */
static bool may_cover(const struct reglet__capability *capability, const struct reglet__capability *partner,
                      const void *data) {
    (void)partner;
    const struct reglet__command_rule *rule = &capability->rule.command;
    const char *asked = data;
    const char *name = reglet__command_name(asked);
    switch (rule->form) {
    case REGLET__COMMAND_ANY: return true;
    case REGLET__COMMAND_FILE:
        return asked[0] == '/' && strcmp(name, reglet__command_name(reglet__command_place(rule))) == 0;
    case REGLET__COMMAND_CHILDREN: return asked[0] == '/' && !reglet__runs_programs(name);
    case REGLET__COMMAND_NAME: return is_named(rule, asked);
    }
    return false;
}

/* --- deciding --- */

static struct reglet__decision deny_for_good(const char *reason) {
    return (struct reglet__decision){.reason = reason, .for_good = true};
}

/* What no grant can change. */
static const char *never_because(const char *asked) {
    size_t size = strlen(asked);
    if (size == 0)
        return "a command has a name";
    if (size >= REGLET__MAX_PATH)
        return "its name is longer than any path";
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)asked[i] < 0x20 || asked[i] == 0x7F)
            return "a control character stands in its name";
    }
    if (asked[0] != '/' && strchr(asked, '/'))
        return "it is a relative path; write an absolute one, or a bare name that is looked up on the PATH";
    const char *name = reglet__command_name(asked);
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return "it names a directory and no program";
    return NULL;
}

struct reglet__decision reglet__policy_exec_spelling(const struct reglet__policy *policy, const char *asked) {
    const char *never = never_because(asked);
    if (never)
        return deny_for_good(never);
    for (size_t i = 0; i < policy->pins.count; i++) {
        const struct reglet__command_pin *pin = policy->pins.items[i];
        struct reglet__decision decision =
            reglet__policy_decide_alone(policy, reglet__command_pin_command(pin), may_cover, asked);
        decision.rule = reglet__command_pin_text(pin);
        if (decision.allowed)
            return decision;
    }
    return reglet__policy_decide(policy, REGLET__KIND_EXEC, may_cover, asked);
}

/* A plugin that may write a program decides what it does: under anything but "**", which grants that already, it would have
 * granted itself more than was granted. */
static bool may_be_rewritten(const struct reglet__policy *policy,
                             const struct reglet__command_request *request) {
    return reglet__policy_fs(policy, REGLET__FS_WRITE, request->place, false).allowed ||
           reglet__policy_fs(policy, REGLET__FS_WRITE, request->file, false).allowed;
}

static bool covers_everything(const struct reglet__capability *capability,
                              const struct reglet__capability *partner, const void *data) {
    (void)partner;
    (void)data;
    return capability->rule.command.form == REGLET__COMMAND_ANY;
}

static const char rewritable[] =
    "the plugin may write this program itself, and so only exec:** lets it run it";

static struct reglet__decision decide_by_grants(const struct reglet__policy *policy,
                                                const struct reglet__command_request *request) {
    struct reglet__decision decision =
        reglet__policy_decide(policy, REGLET__KIND_EXEC, reglet__command_covers, request);
    if (decision.allowed && may_be_rewritten(policy, request)) {
        decision = reglet__policy_decide(policy, REGLET__KIND_EXEC, covers_everything, request);
        return decision.allowed ? decision : deny_for_good(rewritable);
    }
    if (!decision.allowed && runs_programs(request) &&
        reglet__policy_decide(policy, REGLET__KIND_EXEC, nearly_covers, request).allowed)
        decision.reason =
            "it can run other programs, and so only a grant of exactly this command covers it, not one of "
            "its directory";
    return decision;
}

static bool is_pinned(const struct reglet__policy *policy, const struct reglet__command_request *request) {
    for (size_t i = 0; i < policy->pins.count; i++) {
        if (reglet__command_pin_holds(policy->pins.items[i], request))
            return true;
    }
    return false;
}

/* A pin that has these arguments grants the command by its own spelling; by another one, the grants have to. */
static struct reglet__decision decide_by_pins(const struct reglet__policy *policy,
                                              const struct reglet__command_request *request) {
    struct reglet__decision decision =
        deny_for_good("its arguments are pinned, and no pin has the arguments that it would get");
    if (may_be_rewritten(policy, request))
        return deny_for_good("its arguments are pinned, and the plugin may write this program itself");
    for (size_t i = 0; i < policy->pins.count && !decision.allowed; i++) {
        const struct reglet__command_pin *pin = policy->pins.items[i];
        if (!reglet__command_pin_holds(pin, request) || !reglet__command_pin_matches(pin, request))
            continue;
        const struct reglet__capability *command = reglet__command_pin_command(pin);
        decision = reglet__command_covers(command, NULL, request)
                       ? reglet__policy_decide_alone(policy, command, reglet__command_covers, request)
                       : decide_by_grants(policy, request);
        if (decision.rule == command->text)
            decision.rule = reglet__command_pin_text(pin);
    }
    return decision;
}

struct reglet__decision reglet__policy_exec(const struct reglet__policy *policy,
                                            const struct reglet__command_request *request) {
    const char *never = never_because(request->asked);
    if (never)
        return deny_for_good(never);
    return is_pinned(policy, request) ? decide_by_pins(policy, request) : decide_by_grants(policy, request);
}

/* --- suggesting --- */

/* Appends an absolute path without ".", ".." and "//", as far as that can be told without looking. */
static void append_path(struct reglet__buf *buf, const char *path) {
    size_t prefix = buf->size;
    for (const char *name = path; *name != '\0';) {
        size_t size = strcspn(name, "/");
        if (size == 2 && memcmp(name, "..", 2) == 0) {
            while (buf->size > prefix && buf->data[--buf->size] != '/')
                continue;
        } else if (size > 0 && !(size == 1 && name[0] == '.')) {
            reglet__buf_append_text(buf, "/");
            reglet__buf_append(buf, name, size);
        }
        name += size + (name[size] == '/');
    }
}

/* Whether it can be granted as it stands there: a path may hold what no capability can spell. */
static bool grants_one_command(const char *text) {
    struct reglet__capability *capability = NULL;
    if (!text || reglet__capability_parse(text, &capability, NULL) != REGLET_OK)
        return false;
    enum reglet__command form = capability->rule.command.form;
    reglet__capability_free(capability);
    return form == REGLET__COMMAND_FILE || form == REGLET__COMMAND_NAME;
}

char *reglet__policy_exec_suggest(const struct reglet__command_request *request) {
    static const char prefix[] = "exec:";
    if (never_because(request->asked))
        return NULL;
    _cleanup_buf_ struct reglet__buf buf = REGLET__BUF_INIT(strlen(prefix) + REGLET__MAX_PATH);
    reglet__buf_append_text(&buf, prefix);
    if (request->asked[0] != '/')
        reglet__buf_append_text(&buf, request->asked);
    else
        append_path(&buf, request->place ? request->place : request->asked);
    _cleanup_free_ char *text = reglet__buf_take(&buf, NULL);
    return grants_one_command(text) ? take_ptr(text) : NULL;
}
