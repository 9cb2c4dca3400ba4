/* What the runtimes of a process have to tell in numbers: which plugins, rules and caches there are. */
#include <stdlib.h>
#include <string.h>

#include "metrics/collect.h"
#include "runtime/cache.h"
#include "runtime/internal.h"
#include "util/cleanup.h"
#include "util/fail.h"

struct reglet__metrics *reglet__runtime_metrics_of(reglet_runtime *runtime, const char *plugin) {
    pthread_mutex_lock(&runtime->lock);
    struct reglet__metrics *metrics = runtime->metrics;
    while (metrics && strcmp(metrics->plugin, plugin) != 0)
        metrics = metrics->next;
    if (!metrics) {
        metrics = reglet__metrics_new(plugin);
        if (metrics) {
            metrics->next = runtime->metrics;
            runtime->metrics = metrics;
        }
    }
    pthread_mutex_unlock(&runtime->lock);
    return metrics;
}

/* --- Adding up ------------------------------------------------------------------------------------------- */

/* The lists grow by one pass that counts; the second one fills them. What is shared counts once. */
struct gathered {
    struct reglet__metric_sums *plugins;
    size_t plugin_count, plugin_room;
    struct reglet__metric_rule *rules;
    size_t rule_count, rule_room;
    struct reglet__metric_totals totals;
};

static void gathered_clear(struct gathered *g) {
    free(g->plugins);
    free(g->rules);
}

static size_t count_names(reglet_runtime *runtime) {
    size_t count = 0;
    pthread_mutex_lock(&runtime->lock);
    for (const struct reglet__metrics *at = runtime->metrics; at; at = at->next)
        count++;
    pthread_mutex_unlock(&runtime->lock);
    return count;
}

static int by_plugin(const void *left, const void *right) {
    const struct reglet__metrics *const *a = left, *const *b = right;
    return strcmp((*a)->plugin, (*b)->plugin);
}

/* Every name of every runtime, in the order of names. Numbers of a name are never freed before their runtime is. */
static reglet_status list_names(reglet_runtime *const *runtimes, size_t count,
                                const struct reglet__metrics ***out, size_t *out_count) {
    size_t room = 0, used = 0;
    for (size_t i = 0; i < count; i++)
        room += count_names(runtimes[i]);
    const struct reglet__metrics **list = malloc((room + 1) * sizeof(void *));
    if (!list)
        return REGLET_ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        pthread_mutex_lock(&runtimes[i]->lock);
        for (const struct reglet__metrics *at = runtimes[i]->metrics; at && used < room; at = at->next)
            list[used++] = at;
        pthread_mutex_unlock(&runtimes[i]->lock);
    }
    qsort(list, used, sizeof(void *), by_plugin);
    *out = list;
    *out_count = used;
    return REGLET_OK;
}

static reglet_status gather_plugins(reglet_runtime *const *runtimes, size_t count, struct gathered *g) {
    const struct reglet__metrics **list = NULL;
    size_t used = 0;
    reglet_status status = list_names(runtimes, count, &list, &used);
    g->plugins = status == REGLET_OK ? calloc(used + 1, sizeof *g->plugins) : NULL;
    for (size_t i = 0; g->plugins && i < used; i++) {
        struct reglet__metric_sums *last = g->plugin_count ? &g->plugins[g->plugin_count - 1] : NULL;
        if (!last || strcmp(last->plugin, list[i]->plugin) != 0) {
            last = &g->plugins[g->plugin_count++];
            last->plugin = list[i]->plugin;
        }
        reglet__metric_sums_add(last, list[i]);
    }
    free(list);
    return g->plugins ? REGLET_OK : REGLET_ERR_NO_MEMORY;
}

static void gather_cache(reglet_runtime *const *runtimes, size_t index, struct gathered *g) {
    reglet_cache *cache = runtimes[index]->cache;
    for (size_t i = 0; i < index; i++)
        if (runtimes[i]->cache == cache)
            return;
    for (size_t i = 0; i < ARRAY_LEN(g->totals.cache_lookups); i++)
        g->totals.cache_lookups[i] += atomic_load_explicit(&cache->lookups[i], memory_order_relaxed);
}

static reglet_status gather(reglet_runtime *const *runtimes, size_t count, struct gathered *g) {
    reglet_status status = gather_plugins(runtimes, count, g);
    if (status != REGLET_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        gather_cache(runtimes, i, g);
        g->totals.calls_in_flight += atomic_load(&runtimes[i]->calls);
    }
    struct reglet__memory_use use = reglet__memory_use();
    g->totals.memories[0] = use.in_use;
    g->totals.memories[1] = use.idle;
    g->totals.memory_bytes_kept = use.kept_bytes;
    g->totals.plugins = g->plugins;
    g->totals.plugin_count = g->plugin_count;
    g->totals.rules = g->rules;
    g->totals.rule_count = g->rule_count;
    return REGLET_OK;
}

static reglet_status check(reglet_runtime *const *runtimes, size_t count, bool complete, reglet_error **err) {
    for (size_t i = 0; i < count && complete && runtimes; i++)
        complete = runtimes[i];
    return complete && (runtimes || count == 0)
               ? REGLET_OK
               : reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                              "metrics: a runtime, the function or out is NULL");
}

reglet_status reglet_runtime_metrics(reglet_runtime *runtime, reglet_metric_fn fn, void *user_data,
                                     reglet_error **err) {
    reglet_status status = check(&runtime, 1, fn, err);
    if (status != REGLET_OK)
        return status;
    struct gathered g = {0};
    status = gather(&runtime, 1, &g);
    if (status == REGLET_OK)
        status = reglet__metrics_hand_out(&g.totals, fn, user_data);
    gathered_clear(&g);
    return status == REGLET_OK ? REGLET_OK : reglet__fail_memory(err);
}

reglet_status reglet_metrics_text(reglet_runtime *const *runtimes, size_t count, char **out, size_t *out_size,
                                  reglet_error **err) {
    reglet_status status = check(runtimes, count, out, err);
    if (status != REGLET_OK)
        return status;
    struct gathered g = {0};
    status = gather(runtimes, count, &g);
    status =
        status == REGLET_OK ? reglet__metrics_text(&g.totals, out, out_size, err) : reglet__fail_memory(err);
    gathered_clear(&g);
    return status;
}
