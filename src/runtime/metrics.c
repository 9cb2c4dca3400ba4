/* The numbers of runtimes: which plugins, caches and redactors they are of, and how they are read. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "metrics/collect.h"
#include "redact/redact.h"
#include "runtime/cache.h"
#include "runtime/internal.h"
#include "util/cleanup.h"
#include "util/fail.h"

/* Something shared that counts by itself. */
struct counted {
    struct counted *next;
    reglet_cache *cache; /* either */
    reglet_redactor *redactor;
};

/* Names and what is counted only ever come, each at the head of its list. */
struct reglet_metrics {
    atomic_uint references;
    pthread_mutex_t lock;
    struct reglet__metrics *names;
    struct counted *counted;
};

reglet_status reglet_metrics_new(reglet_metrics **out, reglet_error **err) {
    reglet_metrics *metrics = out ? calloc(1, sizeof *metrics) : NULL;
    if (!metrics)
        return out ? reglet__fail_memory(err)
                   : reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                                  "metrics: out is NULL");
    atomic_init(&metrics->references, 1);
    pthread_mutex_init(&metrics->lock, NULL);
    *out = metrics;
    return REGLET_OK;
}

reglet_metrics *reglet_metrics_ref(reglet_metrics *metrics) {
    if (metrics)
        atomic_fetch_add_explicit(&metrics->references, 1, memory_order_relaxed);
    return metrics;
}

void reglet_metrics_unref(reglet_metrics *metrics) {
    if (!metrics || atomic_fetch_sub_explicit(&metrics->references, 1, memory_order_acq_rel) != 1)
        return;
    while (metrics->counted) {
        struct counted *counted = metrics->counted;
        metrics->counted = counted->next;
        reglet_cache_unref(counted->cache);
        reglet_redactor_unref(counted->redactor);
        free(counted);
    }
    reglet__metrics_free(metrics->names);
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

struct reglet__metrics *reglet__metrics_of(reglet_metrics *metrics, const char *plugin) {
    pthread_mutex_lock(&metrics->lock);
    struct reglet__metrics *numbers = metrics->names;
    while (numbers && strcmp(numbers->plugin, plugin) != 0)
        numbers = numbers->next;
    if (!numbers) {
        numbers = reglet__metrics_new(plugin);
        if (numbers) {
            numbers->next = metrics->names;
            metrics->names = numbers;
        }
    }
    pthread_mutex_unlock(&metrics->lock);
    return numbers;
}

/* --- What a runtime brings ------------------------------------------------------------------------------- */

static bool is_counted(const struct reglet_metrics *metrics, const struct counted *wanted) {
    for (const struct counted *at = metrics->counted; at; at = at->next)
        if (at->cache == wanted->cache && at->redactor == wanted->redactor)
            return true;
    return false;
}

/* Takes references of its own. */
static reglet_status count(struct reglet_metrics *metrics, struct counted what) {
    struct counted *fresh = malloc(sizeof *fresh);
    if (!fresh)
        return REGLET_ERR_NO_MEMORY;
    pthread_mutex_lock(&metrics->lock);
    bool known = is_counted(metrics, &what);
    if (!known) {
        *fresh = (struct counted){metrics->counted, reglet_cache_ref(what.cache),
                                  reglet_redactor_ref(what.redactor)};
        metrics->counted = fresh;
    }
    pthread_mutex_unlock(&metrics->lock);
    if (known)
        free(fresh);
    return REGLET_OK;
}

reglet_status reglet__take_metrics(const reglet_runtime_options *options, reglet_runtime *runtime,
                                   reglet_error **err) {
    runtime->metrics = reglet_metrics_ref(options->metrics);
    if (!runtime->metrics)
        return reglet_metrics_new(&runtime->metrics, err); /* nobody will ever read it */
    /* Without a redactor of its own it will have the default one, which need not be made for being counted. */
    reglet_status status = count(runtime->metrics, (struct counted){.cache = runtime->cache});
    if (status == REGLET_OK)
        status = count(runtime->metrics, (struct counted){.redactor = options->redactor});
    return status == REGLET_OK ? REGLET_OK : reglet__fail_memory(err);
}

/* --- Reading --------------------------------------------------------------------------------------------- */

/* What was read at one moment. */
struct reading {
    struct reglet__metric_sums *plugins;
    struct reglet__metric_rule *rules;
    size_t rule_count, rule_room;
    struct reglet__metric_totals totals;
};

static void reading_clear(struct reading *reading) {
    free(reading->plugins);
    free(reading->rules);
}

static int by_plugin(const void *left, const void *right) {
    const struct reglet__metric_sums *a = left, *b = right;
    return strcmp(a->plugin, b->plugin);
}

static reglet_status read_plugins(const struct reglet__metrics *names, struct reading *reading) {
    size_t count = 0, used = 0;
    for (const struct reglet__metrics *at = names; at; at = at->next)
        count++;
    reading->plugins = calloc(count + 1, sizeof *reading->plugins);
    if (!reading->plugins)
        return REGLET_ERR_NO_MEMORY;
    for (const struct reglet__metrics *at = names; at; at = at->next)
        reglet__metric_sums_take(&reading->plugins[used++], at);
    qsort(reading->plugins, used, sizeof *reading->plugins, by_plugin);
    reading->totals.plugins = reading->plugins;
    reading->totals.plugin_count = used;
    return REGLET_OK;
}

static void read_cache(const reglet_cache *cache, struct reading *reading) {
    for (size_t i = 0; i < ARRAY_LEN(reading->totals.cache_lookups); i++)
        reading->totals.cache_lookups[i] += atomic_load_explicit(&cache->lookups[i], memory_order_relaxed);
}

/* Several redactors may have a rule of the same name. */
static reglet_status add_rule(struct reading *reading, const char *rule, uint64_t redactions) {
    for (size_t i = 0; i < reading->rule_count; i++) {
        if (strcmp(reading->rules[i].rule, rule) != 0)
            continue;
        reading->rules[i].redactions += redactions;
        return REGLET_OK;
    }
    if (reading->rule_count == reading->rule_room) {
        size_t room = 2 * reading->rule_room + 16;
        struct reglet__metric_rule *larger = reallocarray(reading->rules, room, sizeof *larger);
        if (!larger)
            return REGLET_ERR_NO_MEMORY;
        reading->rules = larger;
        reading->rule_room = room;
    }
    reading->rules[reading->rule_count++] = (struct reglet__metric_rule){rule, redactions};
    return REGLET_OK;
}

static reglet_status read_rules(reglet_redactor *redactor, struct reading *reading) {
    reglet_status status = REGLET_OK;
    for (int32_t rule = REGLET__REDACT_RULE_SECRET;
         rule < (int32_t)reglet_redactor_rule_count(redactor) && status == REGLET_OK; rule++) {
        uint64_t redactions = reglet__redact_counted(redactor, rule);
        const char *name = rule == REGLET__REDACT_RULE_SECRET ? "(secret)"
                           : rule == REGLET__REDACT_RULE_PATH
                               ? "(path)"
                               : reglet_redactor_rule_id(redactor, (size_t)rule);
        if (redactions)
            status = add_rule(reading, name, redactions);
    }
    return status;
}

/* Rules' names are borrowed from redactors that the metrics, or the process, hold. */
static reglet_status read_redactor(reglet_redactor *redactor, struct reading *reading) {
    if (redactor)
        return read_rules(redactor, reading);
    reglet_status status = reglet__redactor_default(&redactor, NULL);
    if (status == REGLET_OK)
        status = read_rules(redactor, reading);
    reglet_redactor_unref(redactor);
    return status;
}

static reglet_status read_all(const reglet_metrics *metrics, struct reading *reading) {
    reglet_metrics *lockable = (reglet_metrics *)metrics;
    pthread_mutex_lock(&lockable->lock);
    const struct reglet__metrics *names = metrics->names;
    const struct counted *counted = metrics->counted;
    pthread_mutex_unlock(&lockable->lock);
    reglet_status status = read_plugins(names, reading);
    for (; counted && status == REGLET_OK; counted = counted->next) {
        if (counted->cache)
            read_cache(counted->cache, reading);
        else
            status = read_redactor(counted->redactor, reading);
    }
    struct reglet__memory_use use = reglet__memory_use();
    reading->totals.memories[0] = use.in_use;
    reading->totals.memories[1] = use.idle;
    reading->totals.memory_bytes_kept = use.kept_bytes;
    reading->totals.rules = reading->rules;
    reading->totals.rule_count = reading->rule_count;
    return status;
}

static reglet_status check(bool complete, reglet_error **err) {
    return complete ? REGLET_OK
                    : reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                                   "metrics: the metrics, the function or out is NULL");
}

reglet_status reglet_metrics_read(const reglet_metrics *metrics, reglet_metric_fn fn, void *user_data,
                                  reglet_error **err) {
    reglet_status status = check(metrics && fn, err);
    if (status != REGLET_OK)
        return status;
    struct reading reading = {0};
    status = read_all(metrics, &reading);
    if (status == REGLET_OK)
        status = reglet__metrics_hand_out(&reading.totals, fn, user_data);
    reading_clear(&reading);
    return status == REGLET_OK ? REGLET_OK : reglet__fail_memory(err);
}

reglet_status reglet_metrics_text(const reglet_metrics *metrics, char **out, size_t *out_size,
                                  reglet_error **err) {
    reglet_status status = check(metrics && out, err);
    if (status != REGLET_OK)
        return status;
    struct reading reading = {0};
    status = read_all(metrics, &reading);
    status = status == REGLET_OK ? reglet__metrics_text(&reading.totals, out, out_size, err)
                                 : reglet__fail_memory(err);
    reading_clear(&reading);
    return status;
}
