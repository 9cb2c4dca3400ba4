#include "metrics/collect.h"

#include "util/cleanup.h"

const struct reglet__metric_bound reglet__metric_bounds[REGLET__METRIC_BUCKETS] = {
    {UINT64_C(10000), "1e-05"},    {UINT64_C(25000), "2.5e-05"},  {UINT64_C(50000), "5e-05"},
    {UINT64_C(100000), "0.0001"},  {UINT64_C(250000), "0.00025"}, {UINT64_C(500000), "0.0005"},
    {UINT64_C(1000000), "0.001"},  {UINT64_C(2500000), "0.0025"}, {UINT64_C(5000000), "0.005"},
    {UINT64_C(10000000), "0.01"},  {UINT64_C(25000000), "0.025"}, {UINT64_C(50000000), "0.05"},
    {UINT64_C(100000000), "0.1"},  {UINT64_C(250000000), "0.25"}, {UINT64_C(500000000), "0.5"},
    {UINT64_C(1000000000), "1"},   {UINT64_C(2500000000), "2.5"}, {UINT64_C(5000000000), "5"},
    {UINT64_C(10000000000), "10"}, {UINT64_C(30000000000), "30"}};

static uint64_t get(const atomic_uint_least64_t *number) {
    return atomic_load_explicit(number, memory_order_relaxed);
}

void reglet__metric_sums_take(struct reglet__metric_sums *sums, const struct reglet__metrics *metrics) {
    sums->plugin = metrics->plugin;
    for (size_t i = 0; i < REGLET__METRIC_OUTCOMES; i++)
        sums->calls[i] = get(&metrics->calls[i]);
    for (size_t i = 0; i < REGLET__METRIC_FUNCTIONS; i++)
        for (size_t denied = 0; denied < 2; denied++)
            sums->host_calls[i][denied] = get(&metrics->host_calls[i][denied]);
    for (size_t i = 0; i < REGLET__BYTES_COUNT; i++)
        sums->bytes[i] = get(&metrics->bytes[i]);
    for (size_t phase = 0; phase < REGLET__PHASE_COUNT; phase++) {
        for (size_t i = 0; i <= REGLET__METRIC_BUCKETS; i++)
            sums->phases[phase].buckets[i] = get(&metrics->phases[phase].buckets[i]);
        sums->phases[phase].sum_ns = get(&metrics->phases[phase].sum_ns);
    }
}

/* --- Families -------------------------------------------------------------------------------------------- */

/* What handing out shares: the first answer of the sink that is not OK stays. */
struct collector {
    const struct reglet__metric_totals *totals;
    reglet__metric_sink sink;
    void *user_data;
    reglet_status status;
};

static void emit(struct collector *c, const struct reglet__metric_sample *sample) {
    if (c->status == REGLET_OK)
        c->status = c->sink(c->user_data, sample);
}

static const char *outcome_name(size_t outcome) {
    if (outcome == REGLET__METRIC_OUTCOMES - 1)
        return "failure";
    return outcome == 0 ? "success" : reglet_status_name((reglet_status)(-(int)outcome));
}

static void calls(struct collector *c, const struct reglet__metric_sums *sums) {
    for (size_t i = 0; i < REGLET__METRIC_OUTCOMES; i++)
        if (sums->calls[i])
            emit(
                c,
                &(struct reglet__metric_sample){
                    .name = "reglet_calls_total",
                    .help =
                        "Calls of plugins, by outcome: success and failure are evidence, every other one is why there is none.",
                    .labels = {{"plugin", sums->plugin}, {"outcome", outcome_name(i)}},
                    .label_count = 2,
                    .value = sums->calls[i]});
}

static void durations(struct collector *c, const struct reglet__metric_sums *sums) {
    static const char *const phases[] = {"compile", "instantiate", "guest", "host"};
    for (size_t i = 0; i < REGLET__PHASE_COUNT; i++)
        emit(c,
             &(struct reglet__metric_sample){.name = "reglet_duration_seconds",
                                             .help = "What the time of loads (compile) and calls went into.",
                                             .type = REGLET_METRIC_HISTOGRAM,
                                             .labels = {{"plugin", sums->plugin}, {"phase", phases[i]}},
                                             .label_count = 2,
                                             .value = sums->phases[i].sum_ns,
                                             .buckets = sums->phases[i].buckets});
}

static void host_calls(struct collector *c, const struct reglet__metric_sums *sums) {
    static const char *const decisions[] = {"served", "denied"};
    for (size_t i = 0; i < REGLET__METRIC_FUNCTIONS; i++)
        for (size_t denied = 0; denied < 2; denied++)
            if (sums->host_calls[i][denied])
                emit(c, &(struct reglet__metric_sample){.name = "reglet_host_calls_total",
                                                        .help = "Calls of host functions by plugins.",
                                                        .labels = {{"plugin", sums->plugin},
                                                                   {"function", reglet__metric_function(i)},
                                                                   {"decision", decisions[denied]}},
                                                        .label_count = 3,
                                                        .value = sums->host_calls[i][denied]});
}

static void denials(struct collector *c, const struct reglet__metric_sums *sums) {
    uint64_t count = 0;
    for (size_t i = 0; i < REGLET__METRIC_FUNCTIONS; i++)
        count += sums->host_calls[i][1];
    emit(c, &(struct reglet__metric_sample){.name = "reglet_denials_total",
                                            .help = "Calls of host functions in which something was denied.",
                                            .labels = {{"plugin", sums->plugin}},
                                            .label_count = 1,
                                            .value = count});
}

static void bytes(struct collector *c, const struct reglet__metric_sums *sums) {
    static const char *const what[] = {"network_in", "network_out", "output", "log", "evidence"};
    for (size_t i = 0; i < REGLET__BYTES_COUNT; i++)
        emit(
            c,
            &(struct reglet__metric_sample){
                .name = "reglet_bytes_total",
                .help =
                    "Bytes that plugins moved: over the network, to stdout and stderr, to the log, as answers.",
                .labels = {{"plugin", sums->plugin}, {"what", what[i]}},
                .label_count = 2,
                .value = sums->bytes[i]});
}

static void redactions(struct collector *c) {
    for (size_t i = 0; i < c->totals->rule_count; i++)
        emit(c, &(struct reglet__metric_sample){
                    .name = "reglet_redactions_total",
                    .help = "Secrets that were replaced, by the rule that found them.",
                    .labels = {{"rule", c->totals->rules[i].rule}},
                    .label_count = 1,
                    .value = c->totals->rules[i].redactions});
}

static void cache_lookups(struct collector *c) {
    static const char *const results[] = {"memory", "file", "miss"};
    for (size_t i = 0; i < ARRAY_LEN(results); i++)
        emit(c, &(struct reglet__metric_sample){
                    .name = "reglet_cache_lookups_total",
                    .help = "Where compiled code was found: in memory, in a file, or nowhere.",
                    .labels = {{"result", results[i]}},
                    .label_count = 1,
                    .value = c->totals->cache_lookups[i]});
}

static void pool(struct collector *c) {
    static const char *const states[] = {"in_use", "idle"};
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        emit(c, &(struct reglet__metric_sample){.name = "reglet_memories",
                                                .help = "Linear memories of this process, by state.",
                                                .type = REGLET_METRIC_GAUGE,
                                                .labels = {{"state", states[i]}},
                                                .label_count = 1,
                                                .value = c->totals->memories[i]});
    emit(c, &(struct reglet__metric_sample){.name = "reglet_memory_kept_bytes",
                                            .help = "Bytes of written pages that idle memories keep.",
                                            .type = REGLET_METRIC_GAUGE,
                                            .value = c->totals->memory_bytes_kept});
}

reglet_status reglet__metrics_collect(const struct reglet__metric_totals *totals, reglet__metric_sink sink,
                                      void *user_data) {
    static void (*const families[])(struct collector *, const struct reglet__metric_sums *) = {
        calls, durations, host_calls, denials, bytes};
    struct collector c = {.totals = totals, .sink = sink, .user_data = user_data};
    for (size_t family = 0; family < ARRAY_LEN(families); family++)
        for (size_t i = 0; i < totals->plugin_count; i++)
            families[family](&c, &totals->plugins[i]);
    redactions(&c);
    cache_lookups(&c);
    pool(&c);
    return c.status;
}

/* --- The public form ------------------------------------------------------------------------------------- */

struct hand_out {
    reglet_metric_fn fn;
    void *user_data;
};

static reglet_status hand_out(void *user_data, const struct reglet__metric_sample *sample) {
    const struct hand_out *to = user_data;
    double bounds[REGLET__METRIC_BUCKETS];
    reglet_metric metric = {.struct_size = sizeof metric,
                            .name = sample->name,
                            .help = sample->help,
                            .type = sample->type,
                            .labels = sample->labels,
                            .label_count = sample->label_count,
                            .value = (double)sample->value};
    if (sample->type == REGLET_METRIC_HISTOGRAM) {
        for (size_t i = 0; i < REGLET__METRIC_BUCKETS; i++)
            bounds[i] = (double)reglet__metric_bounds[i].ns / 1e9;
        metric.value = (double)sample->value / 1e9;
        metric.bounds = bounds;
        metric.bound_count = REGLET__METRIC_BUCKETS;
        metric.bucket_counts = sample->buckets;
        for (size_t i = 0; i <= REGLET__METRIC_BUCKETS; i++)
            metric.count += sample->buckets[i];
    }
    to->fn(to->user_data, &metric);
    return REGLET_OK;
}

reglet_status reglet__metrics_hand_out(const struct reglet__metric_totals *totals, reglet_metric_fn fn,
                                       void *user_data) {
    struct hand_out to = {fn, user_data};
    return reglet__metrics_collect(totals, hand_out, &to);
}
