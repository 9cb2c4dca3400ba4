/*
 * collect.h - from the numbers of several runtimes to samples, each name and set of labels once.
 */
#ifndef REGLET_METRICS_COLLECT_H
#define REGLET_METRICS_COLLECT_H

#include "metrics/metrics.h"

/* Where the buckets of a histogram end, for machines and as it is written. */
struct reglet__metric_bound {
    uint64_t ns;
    const char *seconds;
};
extern const struct reglet__metric_bound reglet__metric_bounds[REGLET__METRIC_BUCKETS];

/* The name of a host function by its number in a meter. */
const char *reglet__metric_function(size_t index);

/* The same numbers, plain, at one moment. */
struct reglet__metric_sums {
    const char *plugin; /* borrowed */
    uint64_t calls[REGLET__METRIC_OUTCOMES];
    uint64_t host_calls[REGLET__METRIC_FUNCTIONS][2];
    uint64_t bytes[REGLET__BYTES_COUNT];
    struct {
        uint64_t buckets[REGLET__METRIC_BUCKETS + 1];
        uint64_t sum_ns;
    } phases[REGLET__PHASE_COUNT];
};

struct reglet__metric_rule {
    const char *rule;
    uint64_t redactions;
};

/* What there is to tell. */
struct reglet__metric_totals {
    const struct reglet__metric_sums *plugins;
    size_t plugin_count;
    const struct reglet__metric_rule *rules; /* those that replaced anything */
    size_t rule_count;
    uint64_t cache_lookups[3]; /* in memory, in a file, nowhere */
    uint64_t memories[2];      /* of instances, idle */
    uint64_t memory_bytes_kept;
};

void reglet__metric_sums_take(struct reglet__metric_sums *sums, const struct reglet__metrics *metrics);

/* One sample. Numbers are whole, and nanoseconds in histograms, so that no locale has a say in how they are written. */
struct reglet__metric_sample {
    const char *name, *help;
    reglet_metric_type type;
    reglet_metric_label labels[3];
    size_t label_count;
    uint64_t value;          /* histogram: the sum in nanoseconds */
    const uint64_t *buckets; /* histogram */
};

typedef reglet_status (*reglet__metric_sink)(void *user_data, const struct reglet__metric_sample *sample);

/* Hands every sample to the sink, family by family, until it answers something other than OK. */
reglet_status reglet__metrics_collect(const struct reglet__metric_totals *totals, reglet__metric_sink sink,
                                      void *user_data);

/* Prometheus' text format. NO_MEMORY. */
reglet_status reglet__metrics_text(const struct reglet__metric_totals *totals, char **out, size_t *out_size,
                                   reglet_error **err);

/* The public form. */
reglet_status reglet__metrics_hand_out(const struct reglet__metric_totals *totals, reglet_metric_fn fn,
                                       void *user_data);

#endif
