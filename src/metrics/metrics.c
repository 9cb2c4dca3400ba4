#define _GNU_SOURCE
#include "metrics/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "host/host.h"
#include "metrics/collect.h"
#include "util/clock.h"

static void add(atomic_uint_least64_t *number, uint64_t more) {
    if (more)
        atomic_fetch_add_explicit(number, more, memory_order_relaxed);
}

void reglet__histogram_add(struct reglet__histogram *histogram, int64_t ns) {
    uint64_t taken = ns > 0 ? (uint64_t)ns : 0;
    size_t bucket = 0;
    while (bucket < REGLET__METRIC_BUCKETS && taken > reglet__metric_bounds[bucket].ns)
        bucket++;
    add(&histogram->buckets[bucket], 1);
    add(&histogram->sum_ns, taken);
}

struct reglet__metrics *reglet__metrics_new(const char *plugin) {
    struct reglet__metrics *metrics = calloc(1, sizeof *metrics);
    char *name = metrics ? strdup(plugin) : NULL;
    if (!name) {
        free(metrics);
        return NULL;
    }
    metrics->plugin = name;
    return metrics;
}

void reglet__metrics_free(struct reglet__metrics *metrics) {
    while (metrics) {
        struct reglet__metrics *next = metrics->next;
        free(metrics->plugin);
        free(metrics);
        metrics = next;
    }
}

/* --- One call -------------------------------------------------------------------------------------------- */

static size_t function_index(const struct reglet__import *import) {
    uintptr_t at = (uintptr_t)import, wasi = (uintptr_t)reglet__wasi_imports,
              host = (uintptr_t)reglet__host_imports;
    size_t index = REGLET__METRIC_FUNCTIONS - 1;
    if (at - wasi < reglet__wasi_import_count * sizeof *import)
        index = (at - wasi) / sizeof *import;
    else if (at - host < reglet__host_import_count * sizeof *import)
        index = reglet__wasi_import_count + (at - host) / sizeof *import;
    return index < REGLET__METRIC_FUNCTIONS ? index : REGLET__METRIC_FUNCTIONS - 1;
}

const char *reglet__metric_function(size_t index) {
    const char *name = NULL;
    if (index < reglet__wasi_import_count)
        name = reglet__wasi_imports[index].name;
    else if (index - reglet__wasi_import_count < reglet__host_import_count)
        name = reglet__host_imports[index - reglet__wasi_import_count].name;
    return name ? name : "(embedder)";
}

void reglet__meter_host_call(struct reglet__meter *meter, const struct reglet__import *import, int64_t ns) {
    meter->host_calls[function_index(import)][meter->denied]++;
    meter->denied = false;
    meter->host_ns += ns;
}

void reglet__meter_instantiated(struct reglet__meter *meter) {
    meter->instantiate_ns = reglet__now() - meter->begun_ns - meter->host_ns;
}

void reglet__meter_end(const struct reglet__meter *meter, struct reglet__metrics *metrics,
                       reglet_status status, bool failed) {
    size_t outcome = failed ? REGLET__METRIC_OUTCOMES - 1 : (size_t)-status;
    int64_t all_ns = reglet__now() - meter->begun_ns;
    add(&metrics->calls[outcome], 1);
    reglet__histogram_add(&metrics->phases[REGLET__PHASE_INSTANTIATE], meter->instantiate_ns);
    reglet__histogram_add(&metrics->phases[REGLET__PHASE_GUEST],
                          all_ns - meter->instantiate_ns - meter->host_ns);
    reglet__histogram_add(&metrics->phases[REGLET__PHASE_HOST], meter->host_ns);
    for (size_t i = 0; i < REGLET__METRIC_FUNCTIONS; i++)
        for (size_t denied = 0; denied < 2; denied++)
            add(&metrics->host_calls[i][denied], meter->host_calls[i][denied]);
    for (size_t i = 0; i < REGLET__BYTES_COUNT; i++)
        add(&metrics->bytes[i], meter->bytes[i]);
}
