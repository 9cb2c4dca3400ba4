/*
 * reglet/metrics.h - what runtimes did, in numbers: counters, gauges and histograms under Prometheus' conventions.
 */
#ifndef REGLET_METRICS_H
#define REGLET_METRICS_H

#include <reglet/error.h>

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

/** The numbers of one or more runtimes (option `metrics`). Reference counted; from any thread. */
typedef struct reglet_metrics reglet_metrics;

/** Makes one without numbers; to be given back with reglet_metrics_unref(). REGLET_OK, REGLET_ERR_INVALID_ARGUMENT (out is
 * NULL), REGLET_ERR_NO_MEMORY. */
REGLET_API reglet_status reglet_metrics_new(reglet_metrics **out, reglet_error **err);

/** Takes another reference. NULL is allowed. Returns its argument. */
REGLET_API reglet_metrics *reglet_metrics_ref(reglet_metrics *metrics);

/** Gives a reference back; the last one frees. NULL is allowed. */
REGLET_API void reglet_metrics_unref(reglet_metrics *metrics);

/**
 * Hands every sample to `fn`, on this thread. What calls add meanwhile may be in one sample and not yet in another.
 * docs/metrics.md lists them.
 *
 * @return REGLET_OK; REGLET_ERR_INVALID_ARGUMENT; REGLET_ERR_NO_MEMORY
 */
REGLET_API reglet_status reglet_metrics_read(const reglet_metrics *metrics, reglet_metric_fn fn,
                                             void *user_data, reglet_error **err);

/**
 * The same in Prometheus' text format (0.0.4).
 *
 * @param out       receives the text and a NUL that is not counted, to be freed with reglet_free(); untouched on failure
 * @param out_size  receives its number of bytes; may be NULL
 * @return as above
 */
REGLET_API reglet_status reglet_metrics_text(const reglet_metrics *metrics, char **out, size_t *out_size,
                                             reglet_error **err);

REGLET_END_DECLS

#endif
