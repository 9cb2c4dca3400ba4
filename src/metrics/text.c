/* Prometheus' text format, version 0.0.4. */
#include <string.h>

#include "metrics/collect.h"
#include "util/buf.h"
#include "util/fail.h"
#include "util/text.h"

/* Metrics of a process that runs a thousand plugins have some 20 MB. */
enum { MAX_TEXT_BYTES = 256 << 20 };

struct writer {
    struct reglet__buf text;
    const char *family; /* the one whose samples come */
};

static void family(struct writer *w, const struct reglet__metric_sample *sample) {
    static const char *const types[] = {"counter", "gauge", "histogram"};
    if (w->family && strcmp(w->family, sample->name) == 0)
        return;
    w->family = sample->name;
    reglet__buf_appendf(&w->text, "# HELP %s %s\n# TYPE %s %s\n", sample->name, sample->help, sample->name,
                        types[sample->type]);
}

/* What would steer a terminal is escaped as everywhere; then a backslash or quote as the format wants it. */
static void label_value(struct writer *w, const char *value) {
    _cleanup_free_ char *clean = reglet__clean_line_dup(value, strlen(value));
    if (!clean) {
        w->text.status = REGLET_ERR_NO_MEMORY;
        return;
    }
    for (const char *at = clean; *at; at++) {
        if (*at == '\\' || *at == '"')
            reglet__buf_append(&w->text, "\\", 1);
        reglet__buf_append(&w->text, at, 1);
    }
}

static void labels(struct writer *w, const struct reglet__metric_sample *sample, const char *bound) {
    if (sample->label_count == 0 && !bound)
        return;
    for (size_t i = 0; i < sample->label_count; i++) {
        reglet__buf_appendf(&w->text, "%s%s=\"", i == 0 ? "{" : ",", sample->labels[i].name);
        label_value(w, sample->labels[i].value);
        reglet__buf_append(&w->text, "\"", 1);
    }
    if (bound)
        reglet__buf_appendf(&w->text, "%sle=\"%s\"", sample->label_count == 0 ? "{" : ",", bound);
    reglet__buf_append(&w->text, "}", 1);
}

static void line(struct writer *w, const struct reglet__metric_sample *sample, const char *suffix,
                 const char *bound, uint64_t value) {
    reglet__buf_appendf(&w->text, "%s%s", sample->name, suffix);
    labels(w, sample, bound);
    reglet__buf_appendf(&w->text, " %llu\n", (unsigned long long)value);
}

static void histogram(struct writer *w, const struct reglet__metric_sample *sample) {
    uint64_t count = 0;
    for (size_t i = 0; i < REGLET__METRIC_BUCKETS; i++)
        line(w, sample, "_bucket", reglet__metric_bounds[i].seconds, count += sample->buckets[i]);
    count += sample->buckets[REGLET__METRIC_BUCKETS];
    line(w, sample, "_bucket", "+Inf", count);
    reglet__buf_appendf(&w->text, "%s_sum", sample->name);
    labels(w, sample, NULL);
    reglet__buf_appendf(&w->text, " %llu.%09llu\n", (unsigned long long)(sample->value / 1000000000),
                        (unsigned long long)(sample->value % 1000000000));
    line(w, sample, "_count", NULL, count);
}

static reglet_status write_sample(void *user_data, const struct reglet__metric_sample *sample) {
    struct writer *w = user_data;
    family(w, sample);
    if (sample->type == REGLET_METRIC_HISTOGRAM)
        histogram(w, sample);
    else
        line(w, sample, "", NULL, sample->value);
    return w->text.status;
}

reglet_status reglet__metrics_text(const struct reglet__metric_totals *totals, char **out, size_t *out_size,
                                   reglet_error **err) {
    struct writer w = {.text = REGLET__BUF_INIT(MAX_TEXT_BYTES)};
    size_t size = 0;
    reglet_status status = reglet__metrics_collect(totals, write_sample, &w);
    char *text = status == REGLET_OK ? reglet__buf_take(&w.text, &size) : NULL;
    reglet__buf_free(&w.text);
    if (!text)
        return reglet__fail_memory(err);
    *out = text;
    if (out_size)
        *out_size = size;
    return REGLET_OK;
}
