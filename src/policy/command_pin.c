#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/internal.h"
#include "util/buf.h"
#include "util/cleanup.h"
#include "util/fail.h"
#include "util/limits.h"

struct reglet__command_pin {
    atomic_size_t references;
    struct reglet__capability *command; /* "exec:" and the command */
    char *text;                         /* with the arguments, for people */
    struct reglet__glob **args;
    size_t arg_count;
};

REGLET_DEFINE_CLEANUP(struct reglet__command_pin *, reglet__command_pin_free);

/* --- parsing --- */

static reglet_status parse_command(struct reglet__command_pin *pin, const char *command, reglet_error **err) {
    _cleanup_free_ char *text = NULL;
    if (asprintf(&text, "exec:%s", command) < 0)
        return reglet__fail_memory(err);
    reglet_status status = reglet__capability_parse(text, &pin->command, err);
    if (status != REGLET_OK)
        return status;
    enum reglet__command form = pin->command->rule.command.form;
    if (form == REGLET__COMMAND_FILE || form == REGLET__COMMAND_NAME)
        return REGLET_OK;
    return reglet__fail(err, REGLET_ERR_INVALID_GRANT, REGLET_DOMAIN_POLICY,
                        "arguments cannot be pinned for \"%s\"; name one program, by its path or a bare name",
                        command);
}

static reglet_status parse_arg(struct reglet__command_pin *pin, const char *arg, reglet_error **err) {
    struct reglet__parse parse = {.text = arg, .end = strlen(arg), .err = err, .what = "pinned argument"};
    reglet_status status = reglet__parse_check_characters(&parse);
    if (status == REGLET_OK)
        status = reglet__glob_parse_text(&parse, &pin->args[pin->arg_count]);
    pin->arg_count += status == REGLET_OK;
    return status;
}

/* In quotes where it would look like several, or like none. */
static const char *quote_for(const char *arg) {
    return *arg == '\0' || strpbrk(arg, " ,[]\"") ? "\"" : "";
}

static reglet_status describe(struct reglet__command_pin *pin, const char *const *args, size_t arg_count) {
    size_t longest = REGLET__MAX_PATTERN + strlen("exec: []\"\"");
    _cleanup_buf_ struct reglet__buf buf = REGLET__BUF_INIT((arg_count + 1) * longest);
    reglet__buf_appendf(&buf, "%s [", pin->command->text);
    for (size_t i = 0; i < arg_count; i++)
        reglet__buf_appendf(&buf, "%s%s%s%s", i > 0 ? ", " : "", quote_for(args[i]), args[i],
                            quote_for(args[i]));
    reglet__buf_append_text(&buf, "]");
    pin->text = reglet__buf_take(&buf, NULL);
    return pin->text ? REGLET_OK : REGLET_ERR_NO_MEMORY;
}

reglet_status reglet__command_pin_parse(const char *command, const char *const *args, size_t arg_count,
                                        struct reglet__command_pin **out, reglet_error **err) {
    _cleanup_(reglet__command_pin_free_p)
    struct reglet__command_pin *pin = calloc(1, sizeof *pin);
    if (!pin)
        return reglet__fail_memory(err);
    atomic_init(&pin->references, 1);
    reglet_status status = parse_command(pin, command, err);
    if (status != REGLET_OK)
        return status;
    pin->args = calloc(arg_count + 1, sizeof *pin->args);
    if (!pin->args)
        return reglet__fail_memory(err);
    for (size_t i = 0; i < arg_count && status == REGLET_OK; i++)
        status = parse_arg(pin, args[i], err);
    if (status != REGLET_OK)
        return status;
    if (describe(pin, args, arg_count) != REGLET_OK)
        return reglet__fail_memory(err);
    *out = take_ptr(pin);
    return REGLET_OK;
}

void reglet__command_pin_free(struct reglet__command_pin *pin) {
    if (!pin || atomic_fetch_sub_explicit(&pin->references, 1, memory_order_acq_rel) > 1)
        return;
    reglet__capability_free(pin->command);
    for (size_t i = 0; i < pin->arg_count; i++)
        reglet__glob_free(pin->args[i]);
    free(pin->args);
    free(pin->text);
    free(pin);
}

struct reglet__command_pin *reglet__command_pin_ref(struct reglet__command_pin *pin) {
    atomic_fetch_add_explicit(&pin->references, 1, memory_order_relaxed);
    return pin;
}

const char *reglet__command_pin_path(const struct reglet__command_pin *pin) {
    return reglet__capability_exec_path(pin->command);
}

reglet_status reglet__command_pin_resolve(struct reglet__command_pin *pin, const char *place,
                                          const char *file) {
    return reglet__capability_exec_resolve(pin->command, place, file);
}

const struct reglet__capability *reglet__command_pin_command(const struct reglet__command_pin *pin) {
    return pin->command;
}

const char *reglet__command_pin_text(const struct reglet__command_pin *pin) {
    return pin->text;
}

static bool is_one_text(const struct reglet__glob *glob) {
    for (size_t i = 0; i < glob->node_count; i++) {
        if (glob->nodes[i].op != REGLET__GLOB_CHAR && glob->nodes[i].op != REGLET__GLOB_END)
            return false;
    }
    return true;
}

reglet_risk reglet__command_pin_risk(const struct reglet__command_pin *pin) {
    bool exact = true;
    for (size_t i = 0; i < pin->arg_count; i++)
        exact = exact && is_one_text(pin->args[i]);
    return exact ? REGLET_RISK_MEDIUM : reglet__capability_risk(pin->command);
}

/* --- matching --- */

/* A bare name stands for whatever program has it, in any directory and behind any link. */
static bool has_name(const struct reglet__command_rule *rule, const char *path) {
    const char *name = reglet__command_name(path);
    return strlen(name) == rule->text.size && memcmp(name, rule->text.text, rule->text.size) == 0;
}

bool reglet__command_pin_holds(const struct reglet__command_pin *pin,
                               const struct reglet__command_request *request) {
    const struct reglet__command_rule *rule = &pin->command->rule.command;
    if (rule->form == REGLET__COMMAND_NAME &&
        (has_name(rule, request->asked) || has_name(rule, request->place) || has_name(rule, request->file)))
        return true;
    const char *place = reglet__command_place(rule), *file = reglet__command_file(rule);
    return place && file && (strcmp(request->place, place) == 0 || strcmp(request->file, file) == 0);
}

bool reglet__command_pin_matches(const struct reglet__command_pin *pin,
                                 const struct reglet__command_request *request) {
    if (request->arg_count != pin->arg_count)
        return false;
    for (size_t i = 0; i < pin->arg_count; i++) {
        size_t steps = REGLET__MAX_MATCH_STEPS;
        if (!reglet__glob_match_text(pin->args[i], request->args[i], strlen(request->args[i]), &steps))
            return false;
    }
    return true;
}

/* --- the pins of a policy --- */

void reglet__command_pins_clear(struct reglet__command_pins *pins) {
    for (size_t i = 0; i < pins->count; i++)
        reglet__command_pin_free(pins->items[i]);
    free(pins->items);
}

reglet_status reglet__policy_pin_command(struct reglet__policy *policy, struct reglet__command_pin *pin) {
    struct reglet__command_pins *pins = &policy->pins;
    size_t size = (pins->count + 1) * sizeof *pins->items; /* NOLINT(bugprone-sizeof-expression): pointers */
    struct reglet__command_pin **items = realloc(pins->items, size);
    if (!items) {
        reglet__command_pin_free(pin);
        return REGLET_ERR_NO_MEMORY;
    }
    pins->items = items;
    items[pins->count++] = pin;
    return REGLET_OK;
}
