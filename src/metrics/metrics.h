/*
 * metrics.h - what calls were, counted: by plugin while they run, collected when somebody asks.
 *
 * A call keeps a meter of its own, on its thread, and adds it to its plugin's numbers once, when it is over: no line of memory
 * goes back and forth between threads while guests run.
 */
#ifndef REGLET_METRICS_METRICS_H
#define REGLET_METRICS_METRICS_H

#include <reglet/metrics.h>
#include <stdatomic.h>

#include "engine/guest.h"

/* What the time of a call went into. */
enum reglet__phase {
    REGLET__PHASE_COMPILE,     /* a load: until there is code */
    REGLET__PHASE_INSTANTIATE, /* until the instance is there */
    REGLET__PHASE_GUEST,       /* the plugin's own code */
    REGLET__PHASE_HOST,        /* host functions, with what they have the guest allocate */
    REGLET__PHASE_COUNT
};

enum reglet__metered_bytes {
    REGLET__BYTES_NETWORK_IN,
    REGLET__BYTES_NETWORK_OUT,
    REGLET__BYTES_OUTPUT,   /* stdout and stderr */
    REGLET__BYTES_LOG,      /* requests to log_message */
    REGLET__BYTES_EVIDENCE, /* what the plugin answered */
    REGLET__BYTES_COUNT
};

enum {
    REGLET__METRIC_BUCKETS = 20,
    REGLET__METRIC_FUNCTIONS = 64, /* of WASI and the host; the last one stands for any more */
    REGLET__METRIC_OUTCOMES = 101  /* negated status codes, and behind them: evidence with status false */
};

struct reglet__histogram {
    atomic_uint_least64_t
        buckets[REGLET__METRIC_BUCKETS + 1]; /* the last one is of what is above all bounds */
    atomic_uint_least64_t sum_ns;
};

void reglet__histogram_add(struct reglet__histogram *histogram, int64_t ns);

/* The numbers of one plugin's name, for as long as the reglet_metrics that it is in. */
struct reglet__metrics {
    struct reglet__metrics *next;
    char *plugin;
    atomic_uint_least64_t calls[REGLET__METRIC_OUTCOMES];
    atomic_uint_least64_t host_calls[REGLET__METRIC_FUNCTIONS][2]; /* those that were served, those denied */
    atomic_uint_least64_t bytes[REGLET__BYTES_COUNT];
    struct reglet__histogram phases[REGLET__PHASE_COUNT];
};

struct reglet__metrics *reglet__metrics_new(const char *plugin); /* NULL without memory */
void reglet__metrics_free(struct reglet__metrics *metrics);      /* with all that follow it */

/* What one call does. Its thread's own. Begins as { .begun_ns = reglet__now() }. */
struct reglet__meter {
    int64_t begun_ns;       /* when the call had its turn */
    int64_t instantiate_ns; /* until its instance was there, without host functions */
    int64_t host_ns;        /* in host functions */
    bool denied;            /* something was, in the host function that runs */
    uint32_t host_calls[REGLET__METRIC_FUNCTIONS][2];
    uint64_t bytes[REGLET__BYTES_COUNT];
};

/* A host function of the call is done. `ns`: how long it took; 0 for one within another. */
void reglet__meter_host_call(struct reglet__meter *meter, const struct reglet__import *import, int64_t ns);
/* The instance is there. */
void reglet__meter_instantiated(struct reglet__meter *meter);
/* The call is over: adds it up. `failed`: there is evidence, with status false. */
void reglet__meter_end(const struct reglet__meter *meter, struct reglet__metrics *metrics,
                       reglet_status status, bool failed);

#endif
