/* Making a redactor of its options, its life, its counters. */
#define _GNU_SOURCE
#include "redact/redactor.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "util/fail.h"
#include "util/options.h"
#include "util/secret.h"

enum { SALT_BYTES_MIN = 16, PATHS = 0, SECRETS = 1, OTHERS = 2 /* counters behind those of the rules */ };

reglet_redactor *reglet_redactor_ref(reglet_redactor *redactor) {
    if (redactor)
        atomic_fetch_add_explicit(&redactor->references, 1, memory_order_relaxed);
    return redactor;
}

static void free_patterns(reglet_redactor *redactor) {
    for (size_t i = 0; redactor->texts && i < 2 * redactor->pattern_count; i++)
        free(redactor->texts[i]);
    free(redactor->texts);
}

static void free_redactor(reglet_redactor *redactor) {
    for (size_t i = 0; i < REGLET__REDACT_IDLE_SCANS; i++)
        reglet__scan_free(atomic_load_explicit(&redactor->idle[i], memory_order_relaxed));
    reglet__ruleset_free(redactor->own);
    reglet__exceptions_clear(&redactor->plan.exceptions);
    free_patterns(redactor);
    free(redactor->own_rules);
    free(redactor->builtin_numbers);
    free(redactor->rules);
    free((void *)redactor->counts);
    reglet__rule_file_clear(&redactor->file);
    reglet__redact_paths_free(redactor->paths);
    reglet__values_unref(atomic_load_explicit(&redactor->values.current, memory_order_relaxed));
    pthread_mutex_destroy(&redactor->values.lock);
    pthread_mutex_destroy(&redactor->values.adding);
    reglet__secret_free(redactor->hash.salt, redactor->hash.salt_size);
    EVP_MAC_free(redactor->hash.mac);
    OSSL_LIB_CTX_free(redactor->hash.context);
    free(redactor);
}

void reglet_redactor_unref(reglet_redactor *redactor) {
    if (redactor && atomic_fetch_sub_explicit(&redactor->references, 1, memory_order_acq_rel) == 1)
        free_redactor(redactor);
}

REGLET_DEFINE_CLEANUP(reglet_redactor *, reglet_redactor_unref);

static reglet_redactor *allocate(void) {
    reglet_redactor *redactor = calloc(1, sizeof *redactor);
    if (!redactor)
        return NULL;
    atomic_init(&redactor->references, 1);
    pthread_mutex_init(&redactor->values.lock, NULL);
    pthread_mutex_init(&redactor->values.adding, NULL);
    return redactor;
}

static reglet_status invalid(reglet_error **err, const char *what) {
    return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME, "%s", what);
}

/* ---- rules ---- */

static bool listed(const char *const *list, const char *id) {
    for (; list && *list; list++)
        if (strcmp(*list, id) == 0)
            return true;
    return false;
}

/* A rule of the file takes the place of a built-in one of the same name. */
static bool holds(const reglet_redactor *redactor, const struct reglet__rule *builtin) {
    for (size_t i = 0; i < redactor->file.count; i++)
        if (strcmp(redactor->file.rules[i].id, builtin->id) == 0)
            return false;
    return !listed(redactor->file.disabled, builtin->id);
}

static reglet_status copy_patterns(reglet_redactor *redactor, const reglet_redactor_options *options,
                                   reglet_error **err) {
    size_t own = redactor->file.count + options->pattern_count;
    redactor->own_rules = calloc(own + 1, sizeof *redactor->own_rules);
    redactor->texts = calloc(2 * options->pattern_count + 1, sizeof *redactor->texts);
    if (!redactor->own_rules || !redactor->texts)
        return reglet__fail_memory(err);
    if (redactor->file.count > 0)
        memcpy(redactor->own_rules, redactor->file.rules, redactor->file.count * sizeof *redactor->own_rules);
    for (size_t i = 0; i < options->pattern_count; i++) {
        char id[32];
        if (!options->patterns[i])
            return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                                "pattern %zu is NULL", i + 1);
        snprintf(id, sizeof id, "pattern-%zu", i + 1);
        char **texts = &redactor->texts[2 * redactor->pattern_count++];
        texts[0] = strdup(id);
        texts[1] = strdup(options->patterns[i]);
        if (!texts[0] || !texts[1])
            return reglet__fail_memory(err);
        redactor->own_rules[redactor->file.count + i] =
            (struct reglet__rule){.id = texts[0], .regex = texts[1]};
    }
    return REGLET_OK;
}

static void name_rule(const struct reglet__rule *rule, size_t index, char *out, size_t size) {
    (void)index;
    if (strncmp(rule->id, "pattern-", 8) == 0)
        snprintf(out, size, "pattern %s `%.200s`", rule->id + 8, rule->regex);
    else
        snprintf(out, size, "rule %s `%.200s`", rule->id, rule->regex);
}

static reglet_status add_builtin(reglet_redactor *redactor, reglet_error **err) {
    struct reglet__ruleset *set = NULL;
    reglet_status status = reglet__ruleset_builtin(&set, err);
    if (status != REGLET_OK)
        return status;
    redactor->builtin_numbers = calloc(set->count + 1, sizeof *redactor->builtin_numbers);
    if (!redactor->builtin_numbers)
        return reglet__fail_memory(err);
    for (size_t i = 0; i < set->count; i++) {
        bool kept = holds(redactor, set->entries[i].rule);
        redactor->builtin_numbers[i] = kept ? (int32_t)redactor->rule_count : -1;
        if (kept)
            redactor->rules[redactor->rule_count++] = set->entries[i].rule;
    }
    redactor->plan.rules[redactor->plan.count++] =
        (struct reglet__scan_rules){.set = set, .numbers = redactor->builtin_numbers};
    return REGLET_OK;
}

static reglet_status add_own(reglet_redactor *redactor, size_t count, reglet_error **err) {
    if (count == 0)
        return REGLET_OK;
    reglet_status status =
        reglet__ruleset_new(redactor->own_rules, count, NULL, name_rule, &redactor->own, err);
    if (status != REGLET_OK)
        return status;
    redactor->plan.rules[redactor->plan.count++] =
        (struct reglet__scan_rules){.set = redactor->own, .first = (int32_t)redactor->rule_count};
    for (size_t i = 0; i < count; i++)
        redactor->rules[redactor->rule_count++] = &redactor->own_rules[i];
    return REGLET_OK;
}

/* The exceptions of the file that hold for every rule. */
static reglet_status add_exceptions(reglet_redactor *redactor, const char *name, reglet_error **err) {
    struct reglet__exceptions *exceptions = &redactor->plan.exceptions;
    const char *regex = NULL;
    char reason[REGLET__PATTERN_REASON_SIZE];
    if (reglet__exceptions_init(exceptions, redactor->file.exceptions, redactor->file.exception_count) !=
        REGLET_OK)
        return reglet__fail_memory(err);
    switch (reglet__exceptions_check(exceptions, &regex, reason)) {
    case REGLET__PATTERN_YES: return REGLET_OK;
    case REGLET__PATTERN_NO:
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "%s: exception for every rule `%.200s`: %s", name, regex, reason);
    case REGLET__PATTERN_NO_MEMORY: break;
    }
    return reglet__fail_memory(err);
}

static reglet_status set_rules(reglet_redactor *redactor, const reglet_redactor_options *options,
                               reglet_error **err) {
    reglet_status status = REGLET_OK;
    if (options->rules_file)
        status = reglet__rule_file_read(options->rules_file, &redactor->file, err);
    if (status == REGLET_OK)
        status = add_exceptions(redactor, options->rules_file, err);
    if (status == REGLET_OK)
        status = copy_patterns(redactor, options, err);
    if (status != REGLET_OK)
        return status;
    size_t own = redactor->file.count + options->pattern_count;
    redactor->rules = calloc(reglet__builtin_rule_count + own + 1, sizeof *redactor->rules);
    if (!redactor->rules)
        return reglet__fail_memory(err);
    if (!options->no_builtin_rules)
        status = add_builtin(redactor, err);
    if (status == REGLET_OK)
        status = add_own(redactor, own, err);
    if (status != REGLET_OK)
        return status;
    redactor->counts = calloc(redactor->rule_count + OTHERS, sizeof *redactor->counts);
    return redactor->counts ? REGLET_OK : reglet__fail_memory(err);
}

/* ---- secrets ---- */

static reglet_status check_secret(const void *bytes, size_t size, const char *name, reglet_error **err) {
    if (bytes && size >= REGLET__VALUE_BYTES_MIN)
        return REGLET_OK;
    return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                        "%s has %zu bytes; %d are needed, or it would be found everywhere", name,
                        bytes ? size : 0, REGLET__VALUE_BYTES_MIN);
}

struct reglet__values *reglet__redactor_values(reglet_redactor *redactor) {
    struct reglet__redact_values *values = &redactor->values;
    if (!atomic_load_explicit(&values->current, memory_order_acquire))
        return NULL;
    pthread_mutex_lock(&values->lock);
    struct reglet__values *current =
        reglet__values_ref(atomic_load_explicit(&values->current, memory_order_relaxed));
    pthread_mutex_unlock(&values->lock);
    return current;
}

static reglet_status add_values(reglet_redactor *redactor, const reglet_secret *secrets, size_t count,
                                reglet_error **err) {
    struct reglet__redact_values *values = &redactor->values;
    struct reglet__values *next = NULL;
    pthread_mutex_lock(&values->adding);
    struct reglet__values *last = atomic_load_explicit(&values->current, memory_order_relaxed);
    reglet_status status = reglet__values_new(last, secrets, count, &next, err);
    if (status == REGLET_OK) {
        pthread_mutex_lock(&values->lock);
        atomic_store_explicit(&values->current, next, memory_order_release);
        pthread_mutex_unlock(&values->lock);
        reglet__values_unref(last);
    }
    pthread_mutex_unlock(&values->adding);
    if (status == REGLET_OK)
        reglet__redactor_forget(redactor);
    return status;
}

reglet_status reglet_redactor_add_secret(reglet_redactor *redactor, const void *bytes, size_t size,
                                         reglet_error **err) {
    if (!redactor)
        return invalid(err, "a secret is added to a redactor, and that is NULL");
    reglet_status status = check_secret(bytes, size, "the secret", err);
    return status == REGLET_OK ? add_values(redactor, &(reglet_secret){bytes, size}, 1, err) : status;
}

static reglet_status set_values(reglet_redactor *redactor, const reglet_redactor_options *options,
                                reglet_error **err) {
    reglet_status status = REGLET_OK;
    for (size_t i = 0; i < options->secret_count && status == REGLET_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "secret %zu", i + 1);
        status = check_secret(options->secrets[i].bytes, options->secrets[i].size, name, err);
    }
    if (status == REGLET_OK && options->secret_count > 0)
        status = add_values(redactor, options->secrets, options->secret_count, err);
    return status;
}

static reglet_status set_hash(reglet_redactor *redactor, const reglet_redactor_options *options,
                              reglet_error **err) {
    struct reglet__redact_hash *hash = &redactor->hash;
    if (!options->hash_salt && options->hash_salt_size == 0)
        return REGLET_OK;
    if (!options->hash_salt || options->hash_salt_size < SALT_BYTES_MIN)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "the salt of the hash has %zu bytes; %d are needed, or hashes could be guessed",
                            options->hash_salt ? options->hash_salt_size : 0, SALT_BYTES_MIN);
    hash->context = OSSL_LIB_CTX_new();
    hash->mac = hash->context ? EVP_MAC_fetch(hash->context, "HMAC", NULL) : NULL;
    if (!hash->mac)
        return reglet__fail_memory(err);
    reglet_status status = reglet__secret_new(options->hash_salt_size, &hash->salt, err);
    if (status != REGLET_OK)
        return status;
    hash->salt_size = options->hash_salt_size;
    memcpy(hash->salt, options->hash_salt, hash->salt_size);
    return REGLET_OK;
}

/* ---- making one ---- */

static reglet_status check_lists(const reglet_redactor_options *options, reglet_error **err) {
    if (options->pattern_count > 0 && !options->patterns)
        return invalid(err, "patterns is NULL, and pattern_count is not 0");
    if (options->path_count > 0 && !options->paths)
        return invalid(err, "paths is NULL, and path_count is not 0");
    if (options->secret_count > 0 && !options->secrets)
        return invalid(err, "secrets is NULL, and secret_count is not 0");
    if (options->pattern_count > REGLET__MAX_REDACT_PATTERNS)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "there are %zu patterns, and there can be %d", options->pattern_count,
                            REGLET__MAX_REDACT_PATTERNS);
    return REGLET_OK;
}

static reglet_status fill(reglet_redactor *redactor, const reglet_redactor_options *options,
                          reglet_error **err) {
    reglet_status status = check_lists(options, err);
    if (status == REGLET_OK)
        status = set_rules(redactor, options, err);
    if (status == REGLET_OK && options->path_count > 0)
        status = reglet__redact_paths_new(options->paths, options->path_count, &redactor->paths, err);
    if (status == REGLET_OK)
        status = set_values(redactor, options, err);
    if (status == REGLET_OK)
        status = set_hash(redactor, options, err);
    return status;
}

reglet_status reglet_redactor_new(const reglet_redactor_options *given, reglet_redactor **out,
                                  reglet_error **err) {
    reglet_redactor_options options;
    if (!out)
        return invalid(err, "a redactor needs a place for the result");
    if (!reglet__options_copy(&options, sizeof options, given))
        return reglet__fail_options(err, "redactor options", "REGLET_REDACTOR_OPTIONS_INIT");
    _cleanup_(reglet_redactor_unref_p)
    reglet_redactor *redactor = allocate();
    if (!redactor)
        return reglet__fail_memory(err);
    reglet_status status = fill(redactor, &options, err);
    if (status == REGLET_OK)
        *out = take_ptr(redactor);
    return status;
}

reglet_status reglet__redactor_default(reglet_redactor **out, reglet_error **err) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static reglet_redactor *shared; /* as long as the process */
    reglet_status status = REGLET_OK;
    pthread_mutex_lock(&lock);
    if (!shared)
        status = reglet_redactor_new(NULL, &shared, err);
    if (status == REGLET_OK)
        *out = reglet_redactor_ref(shared);
    pthread_mutex_unlock(&lock);
    return status;
}

const char *const *reglet__redactor_files(const reglet_redactor *redactor) {
    return redactor->file.files;
}

/* ---- rules and counters, by number ---- */

size_t reglet_redactor_rule_count(const reglet_redactor *redactor) {
    return redactor ? redactor->rule_count : 0;
}

const char *reglet_redactor_rule_id(const reglet_redactor *redactor, size_t index) {
    return redactor && index < redactor->rule_count ? redactor->rules[index]->id : NULL;
}

static _Atomic(uint64_t) *counter(const reglet_redactor *redactor, int32_t rule) {
    if (rule == REGLET__REDACT_RULE_PATH)
        return &redactor->counts[redactor->rule_count + PATHS];
    if (rule == REGLET__REDACT_RULE_SECRET)
        return &redactor->counts[redactor->rule_count + SECRETS];
    return rule >= 0 && (size_t)rule < redactor->rule_count ? &redactor->counts[rule] : NULL;
}

void reglet__redact_count(reglet_redactor *redactor, int32_t rule, uint64_t times) {
    _Atomic(uint64_t) *count = counter(redactor, rule);
    if (count)
        atomic_fetch_add_explicit(count, times, memory_order_relaxed);
}

uint64_t reglet__redact_counted(const reglet_redactor *redactor, int32_t rule) {
    _Atomic(uint64_t) *count = counter(redactor, rule);
    return count ? atomic_load_explicit(count, memory_order_relaxed) : 0;
}

uint64_t reglet_redactor_replaced(const reglet_redactor *redactor, size_t index) {
    if (!redactor)
        return 0;
    if (index == REGLET_REDACTOR_PATHS)
        return reglet__redact_counted(redactor, REGLET__REDACT_RULE_PATH);
    if (index == REGLET_REDACTOR_SECRETS)
        return reglet__redact_counted(redactor, REGLET__REDACT_RULE_SECRET);
    return index < redactor->rule_count ? reglet__redact_counted(redactor, (int32_t)index) : 0;
}
