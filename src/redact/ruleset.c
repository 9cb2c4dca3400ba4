#define _GNU_SOURCE
#include "redact/ruleset.h"

#include <stdio.h>
#include <string.h>

#include "redact/compile.h"
#include "redact/redact.h"
#include "util/cleanup.h"
#include "util/fail.h"

extern const struct reglet__rule_database reglet__builtin_database;

void reglet__ruleset_free(struct reglet__ruleset *set) {
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++) {
        reglet__lazy_pattern_clear(&set->entries[i].pattern);
        reglet__exceptions_clear(&set->entries[i].exceptions);
    }
    hs_free_database(atomic_load_explicit(&set->database, memory_order_relaxed));
    pthread_mutex_destroy(&set->lock);
    free(set->entries);
    free(set);
}

REGLET_DEFINE_CLEANUP(struct reglet__ruleset *, reglet__ruleset_free);

static struct reglet__ruleset *allocate(const struct reglet__rule *rules, size_t count) {
    _cleanup_(reglet__ruleset_free_p)
    struct reglet__ruleset *set = calloc(1, sizeof *set);
    if (!set)
        return NULL;
    pthread_mutex_init(&set->lock, NULL);
    set->entries = calloc(count ? count : 1, sizeof *set->entries);
    if (!set->entries)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct reglet__ruleset_entry *entry = &set->entries[set->count++];
        entry->rule = &rules[i];
        entry->pattern.regex = rules[i].regex;
        if (reglet__exceptions_init(&entry->exceptions, rules[i].exceptions, rules[i].exception_count) !=
            REGLET_OK)
            return NULL;
    }
    return take_ptr(set);
}

struct making {
    struct reglet__ruleset *set;
    reglet__ruleset_name_fn name;
    reglet_error **err;
};

static reglet_status refuse(const struct making *making, size_t index, const char *reason) {
    char name[512];
    making->name(making->set->entries[index].rule, index, name, sizeof name);
    return reglet__fail(making->err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME, "%s: %s", name,
                        reason);
}

/* RE2 is asked first: what it says is easier to understand, and it knows fewer constructs. */
static reglet_status check_pattern(const struct making *making, size_t index) {
    const struct reglet__rule *rule = making->set->entries[index].rule;
    struct reglet__pattern *pattern = NULL;
    char reason[REGLET__PATTERN_REASON_SIZE];
    enum reglet__pattern_result result = reglet__pattern_new(rule->regex, &pattern, reason);
    if (result == REGLET__PATTERN_NO_MEMORY)
        return reglet__fail_memory(making->err);
    if (result == REGLET__PATTERN_NO)
        return refuse(making, index, reason);
    unsigned groups = reglet__pattern_groups(pattern);
    reglet__pattern_free(pattern);
    if (rule->group <= groups)
        return REGLET_OK;
    snprintf(reason, sizeof reason, "group %u is the secret, and it has %u", rule->group, groups);
    return refuse(making, index, reason);
}

static reglet_status check_exceptions(const struct making *making, size_t index) {
    char reason[REGLET__PATTERN_REASON_SIZE], message[2 * REGLET__PATTERN_REASON_SIZE];
    const char *regex = NULL;
    switch (reglet__exceptions_check(&making->set->entries[index].exceptions, &regex, reason)) {
    case REGLET__PATTERN_YES: return REGLET_OK;
    case REGLET__PATTERN_NO:
        snprintf(message, sizeof message, "exception `%.200s`: %s", regex, reason);
        return refuse(making, index, message);
    case REGLET__PATTERN_NO_MEMORY: break;
    }
    return reglet__fail_memory(making->err);
}

static reglet_status measure(const struct making *making, size_t index) {
    struct reglet__ruleset_entry *entry = &making->set->entries[index];
    struct reglet__compile_fault fault = {0};
    uint32_t shortest = 0;
    reglet_status status = reglet__compile_measure(entry->rule->regex, &shortest, &entry->width, &fault);
    if (status == REGLET_ERR_NO_MEMORY)
        return reglet__fail_memory(making->err);
    if (status != REGLET_OK)
        return refuse(making, index, fault.message);
    return shortest > 0 ? REGLET_OK
                        : refuse(making, index, "it can match the empty text, which is everywhere");
}

static reglet_status compile(const struct making *making, const struct reglet__rule *rules) {
    struct reglet__ruleset *set = making->set;
    hs_database_t *database = NULL;
    struct reglet__compile_fault fault = {0};
    reglet_status status = reglet__compile_rules(rules, set->count, NULL, &database, &fault);
    atomic_init(&set->database, database);
    if (status == REGLET_ERR_NO_MEMORY)
        return reglet__fail_memory(making->err);
    if (status != REGLET_OK && fault.rule >= 0)
        return refuse(making, (size_t)fault.rule, fault.message);
    if (status != REGLET_OK)
        return reglet__fail(making->err, status, REGLET_DOMAIN_RUNTIME, "the rules and patterns together: %s",
                            fault.message);
    return REGLET_OK;
}

static reglet_status make(const struct making *making, const struct reglet__rule *rules) {
    reglet_status status = REGLET_OK;
    for (size_t i = 0; i < making->set->count && status == REGLET_OK; i++) {
        status = check_pattern(making, i);
        if (status == REGLET_OK)
            status = check_exceptions(making, i);
        if (status == REGLET_OK)
            status = measure(making, i);
    }
    return status == REGLET_OK ? compile(making, rules) : status;
}

reglet_status reglet__redact_supported(reglet_error **err) {
    if (hs_valid_platform() == HS_SUCCESS)
        return REGLET_OK;
    return reglet__fail(
        err, REGLET_ERR_UNSUPPORTED, REGLET_DOMAIN_RUNTIME,
        "redaction needs a processor with the instructions of the Vectorscan library (x86-64: SSE4.2)");
}

reglet_status reglet__ruleset_new(const struct reglet__rule *rules, size_t count,
                                  const struct reglet__rule_database *built, reglet__ruleset_name_fn name,
                                  struct reglet__ruleset **out, reglet_error **err) {
    reglet_status supported = reglet__redact_supported(err);
    if (supported != REGLET_OK)
        return supported;
    _cleanup_(reglet__ruleset_free_p)
    struct reglet__ruleset *set = allocate(rules, count);
    if (!set)
        return reglet__fail_memory(err);
    set->built = built;
    for (size_t i = 0; built && i < count; i++)
        set->entries[i].width = built->widths[i];
    reglet_status status = REGLET_OK;
    if (!built)
        status = make(&(struct making){set, name, err}, rules);
    if (status == REGLET_OK)
        *out = take_ptr(set);
    return status;
}

/* What was built is of the library of that time, and for any processor; another library wants it compiled by itself. */
static reglet_status open_built(struct reglet__ruleset *set, hs_database_t **out) {
    if (hs_deserialize_database(set->built->bytes, set->built->size, out) == HS_SUCCESS)
        return REGLET_OK;
    struct reglet__compile_fault fault = {0};
    reglet_status status = reglet__compile_rules(set->entries[0].rule, set->count, NULL, out, &fault);
    return status == REGLET_OK ? REGLET_OK : REGLET_ERR_NO_MEMORY;
}

reglet_status reglet__ruleset_database(struct reglet__ruleset *set, const hs_database_t **out) {
    reglet_status status = REGLET_OK;
    hs_database_t *database = atomic_load_explicit(&set->database, memory_order_acquire);
    if (!database && set->built && set->count > 0) {
        pthread_mutex_lock(&set->lock);
        database = atomic_load_explicit(&set->database, memory_order_relaxed);
        if (!database)
            status = open_built(set, &database);
        if (status == REGLET_OK)
            atomic_store_explicit(&set->database, database, memory_order_release);
        pthread_mutex_unlock(&set->lock);
    }
    *out = database;
    return status;
}

reglet_status reglet__ruleset_builtin(struct reglet__ruleset **out, reglet_error **err) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct reglet__ruleset *set;
    reglet_status status = REGLET_OK;
    pthread_mutex_lock(&lock);
    if (!set)
        status = reglet__ruleset_new(reglet__builtin_rules, reglet__builtin_rule_count,
                                     &reglet__builtin_database, NULL, &set, err);
    if (status == REGLET_OK)
        *out = set;
    pthread_mutex_unlock(&lock);
    return status;
}
