/*
 * reglet/metrics.h - what a runtime did, in numbers: counters, gauges and histograms under Prometheus' conventions.
 */
#ifndef REGLET_METRICS_H
#define REGLET_METRICS_H

#include <reglet/runtime.h>

REGLET_BEGIN_DECLS

/** What a number means. */
typedef enum reglet_metric_type {
    REGLET_METRIC_COUNTER = 0, /**< only ever grows */
    REGLET_METRIC_GAUGE,       /**< what is now */
    REGLET_METRIC_HISTOGRAM    /**< how often something took how long */
} reglet_metric_type;

/** One label of a sample. */
typedef struct reglet_metric_label {
    const char *name;
    const char *value;
} reglet_metric_label;

/** One sample. All pointers are valid during the callback only. */
typedef struct reglet_metric {
    size_t struct_size; /**< size of the structure that the library filled in */
    const char *name;   /**< such as "reglet_calls_total" */
    const char *help;   /**< one sentence */
    reglet_metric_type type;
    const reglet_metric_label *labels;
    size_t label_count;
    double value; /**< counter, gauge; of a histogram the sum (seconds) */
    /* histogram */
    const double *bounds; /**< upper bounds of the buckets in seconds, without infinity */
    const uint64_t *
        bucket_counts; /**< bound_count + 1 numbers: what fell into each (not cumulative), the last one above */
    size_t bound_count;
    uint64_t count;
} reglet_metric;

/** Receives samples; those of one name come one after another. */
typedef void (*reglet_metric_fn)(void *user_data, const reglet_metric *metric);

/**
 * Hands every sample of a runtime to `fn`, on this thread. What calls add meanwhile may be in one sample and not yet in
 * another. docs/metrics.md lists them.
 *
 * @return REGLET_OK; REGLET_ERR_INVALID_ARGUMENT; REGLET_ERR_NO_MEMORY
 */
REGLET_API reglet_status reglet_runtime_metrics(reglet_runtime *runtime, reglet_metric_fn fn, void *user_data,
                                                reglet_error **err);

/**
 * The samples of several runtimes, added up, in Prometheus' text format (0.0.4).
 *
 * @param runtimes  `count` of them
 * @param out       receives the text and a NUL that is not counted, to be freed with reglet_free(); untouched on failure
 * @return as above
 */
REGLET_API reglet_status reglet_metrics_text(reglet_runtime *const *runtimes, size_t count, char **out,
                                             size_t *out_size, reglet_error **err);

REGLET_END_DECLS

#endif
