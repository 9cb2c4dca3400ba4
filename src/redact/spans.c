#include "redact/spans.h"

void reglet__redact_spans_clear(struct reglet__redact_spans *spans) {
    free(spans->items);
    *spans = (struct reglet__redact_spans){0};
}

reglet_status reglet__redact_spans_add(struct reglet__redact_spans *spans, size_t start, size_t end,
                                       int32_t rule) {
    struct reglet__redact_span *last = spans->count > 0 ? &spans->items[spans->count - 1] : NULL;
    if (last && last->rule == rule && start >= last->start && start <= last->end) {
        last->end = end > last->end ? end : last->end;
        return REGLET_OK;
    }
    if (spans->count == spans->room) {
        size_t room = spans->room ? 2 * spans->room : 16;
        struct reglet__redact_span *items = realloc(spans->items, room * sizeof *items);
        if (!items)
            return REGLET_ERR_NO_MEMORY;
        spans->items = items;
        spans->room = room;
    }
    spans->items[spans->count++] = (struct reglet__redact_span){start, end, rule};
    return REGLET_OK;
}

/* Known values come before rules, rules in the order of their numbers: what is most particular names the part. */
static int compare(const void *a, const void *b) {
    const struct reglet__redact_span *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->end != y->end)
        return x->end > y->end ? -1 : 1;
    return x->rule < y->rule ? -1 : x->rule > y->rule;
}

void reglet__redact_spans_settle(struct reglet__redact_spans *spans) {
    size_t kept = 0;
    if (spans->count > 1)
        qsort(spans->items, spans->count, sizeof *spans->items, compare);
    for (size_t i = 0; i < spans->count; i++) {
        struct reglet__redact_span *last = kept > 0 ? &spans->items[kept - 1] : NULL;
        const struct reglet__redact_span *next = &spans->items[i];
        if (last && next->start <= last->end)
            last->end = next->end > last->end ? next->end : last->end;
        else
            spans->items[kept++] = *next;
    }
    spans->count = kept;
}
