#define _GNU_SOURCE
#include "redact/scan.h"

#include <string.h>

#include "redact/search.h"
#include "util/limits.h"

enum { KEYWORD_UNKNOWN, KEYWORD_PRESENT, KEYWORD_ABSENT };

/* Part of the text in which matches of one rule lie. */
struct region {
    size_t from, to;
    uint32_t rule; /* index in the set */
};

/* What one scan knows of one rule. */
struct progress {
    size_t region; /* the last one, counted from 1; 0: none yet */
    size_t done;   /* up to where the text was searched */
    char keyword;
};

struct reglet__scan {
    const struct reglet__scan_plan *plan;
    hs_scratch_t *scratch;
    struct progress *progress; /* of the rules of the set that is scanned */
    struct region *regions;
    size_t count, room;
};

/* Of one set in one text. */
struct pass {
    struct reglet__scan *scan;
    const struct reglet__scan_rules *rules;
    const char *text;
    size_t size;
    struct reglet__redact_spans *spans;
};

void reglet__scan_free(struct reglet__scan *scan) {
    if (!scan)
        return;
    hs_free_scratch(scan->scratch);
    free(scan->progress);
    free(scan->regions);
    free(scan);
}

struct reglet__scan *reglet__scan_new(const struct reglet__scan_plan *plan) {
    struct reglet__scan *scan = calloc(1, sizeof *scan);
    size_t rules = 1;
    bool done = scan != NULL;
    for (size_t i = 0; i < plan->count && done; i++) {
        const hs_database_t *database = NULL;
        done = reglet__ruleset_database(plan->rules[i].set, &database) == REGLET_OK;
        if (done && database)
            done = hs_alloc_scratch(database, &scan->scratch) == HS_SUCCESS;
        if (plan->rules[i].set->count > rules)
            rules = plan->rules[i].set->count;
    }
    if (done) {
        scan->plan = plan;
        scan->progress = calloc(rules, sizeof *scan->progress);
    }
    if (done && scan->progress)
        return scan;
    reglet__scan_free(scan);
    return NULL;
}

static int32_t number_of(const struct reglet__scan_rules *rules, size_t rule) {
    return rules->numbers ? rules->numbers[rule] : rules->first + (int32_t)rule;
}

static struct region *add_region(struct reglet__scan *scan) {
    if (scan->count == scan->room) {
        size_t room = scan->room ? 2 * scan->room : 64;
        struct region *regions = realloc(scan->regions, room * sizeof *regions);
        if (!regions)
            return NULL;
        scan->regions = regions;
        scan->room = room;
    }
    return &scan->regions[scan->count++];
}

/* Bytes that a match of a rule may have, as far as matches are looked for. */
static size_t reach_of(const struct reglet__ruleset_entry *entry) {
    size_t width = entry->width;
    return width == REGLET__RULE_UNBOUNDED || width > REGLET__REDACT_REACH_BYTES ? REGLET__REDACT_REACH_BYTES
                                                                                 : width;
}

/* A match of a rule ends here. Ends come in order, but for those that depend on the end of the text. */
static int on_end(unsigned rule, unsigned long long from, unsigned long long to, unsigned flags,
                  void *context) {
    struct pass *pass = context;
    struct progress *progress = &pass->scan->progress[rule];
    size_t width = reach_of(&pass->rules->set->entries[rule]), end = (size_t)to;
    (void)from, (void)flags;
    size_t start = end > width ? end - width : 0;
    if (progress->region > 0) {
        struct region *last = &pass->scan->regions[progress->region - 1];
        if (start <= last->to) {
            last->from = start < last->from ? start : last->from;
            last->to = end > last->to ? end : last->to;
            return 0;
        }
    } else if (number_of(pass->rules, rule) < 0) {
        return 0;
    }
    struct region *region = add_region(pass->scan);
    if (!region)
        return 1;
    *region = (struct region){start, end, rule};
    progress->region = pass->scan->count;
    return 0;
}

/* Most rules' keywords are part of what they match: the region is looked at first, the text once. */
static bool has_keyword(const struct pass *pass, const struct region *region) {
    const char *const *keywords = pass->rules->set->entries[region->rule].rule->keywords;
    struct progress *progress = &pass->scan->progress[region->rule];
    if (!keywords || !keywords[0])
        return true;
    bool present = progress->keyword == KEYWORD_PRESENT;
    for (size_t i = 0; progress->keyword == KEYWORD_UNKNOWN && keywords[i] && !present; i++)
        present = reglet__search_word(pass->text + region->from, region->to - region->from, keywords[i]);
    for (size_t i = 0; progress->keyword == KEYWORD_UNKNOWN && keywords[i] && !present; i++)
        present = reglet__search_word(pass->text, pass->size, keywords[i]);
    progress->keyword = present ? KEYWORD_PRESENT : KEYWORD_ABSENT;
    return present;
}

/*
 * The next match in a region. It is looked for in a window that grows, so that a match costs in proportion to its length even
 * where a pattern has to look far ahead to rule something longer out. A match is one when the window would have held the longest
 * that can begin there, or before: what is optional at its end is not cut off, and no longer one before it is missed. Looking so
 * far ahead of every match is what a region has `ahead` bytes for. When they are used up, it is full of beginnings that
 * no text has by chance, and all that is left of it is taken for secret: the work stays linear, and nothing is shown.
 */
static enum reglet__pattern_result find_next(const struct pass *pass, const struct reglet__pattern *pattern,
                                             const struct region *region, size_t from, size_t *ahead,
                                             struct reglet__pattern_match *match) {
    const struct reglet__ruleset_entry *entry = &pass->rules->set->entries[region->rule];
    for (size_t window = REGLET__REDACT_WINDOW_BYTES;;) {
        bool all = region->to - from <= window;
        size_t to = all ? region->to : from + window;
        enum reglet__pattern_result result =
            reglet__pattern_find(pattern, pass->text, pass->size, from, to, entry->rule->group, match);
        if (all || result == REGLET__PATTERN_NO_MEMORY)
            return result;
        size_t needed =
            result == REGLET__PATTERN_YES ? match->start - from + reach_of(entry) + 1 : 2 * window;
        if (needed <= window)
            return result;
        if (result == REGLET__PATTERN_YES && needed - window > *ahead) {
            match->end = match->secret_end = region->to;
            return result;
        }
        *ahead -= result == REGLET__PATTERN_YES ? needed - window : 0;
        window = needed;
    }
}

/* Whether a match is a secret: as random as its rule asks for, and nobody's exception. */
static enum reglet__pattern_result is_secret(const struct pass *pass,
                                             const struct reglet__ruleset_entry *entry,
                                             const struct reglet__pattern_match *match) {
    size_t length = match->secret_end - match->secret_start;
    if (entry->rule->entropy > 0 &&
        reglet__search_entropy(pass->text + match->secret_start, length) < entry->rule->entropy)
        return REGLET__PATTERN_NO;
    enum reglet__pattern_result allowed =
        reglet__exceptions_allow(&entry->exceptions, pass->text, pass->size, match);
    if (allowed == REGLET__PATTERN_NO)
        allowed = reglet__exceptions_allow(&pass->scan->plan->exceptions, pass->text, pass->size, match);
    if (allowed == REGLET__PATTERN_NO_MEMORY)
        return allowed;
    return allowed == REGLET__PATTERN_YES ? REGLET__PATTERN_NO : REGLET__PATTERN_YES;
}

/* What ends one secret may begin the next: the search goes on behind the secret, unless that is far from the match's end. */
static size_t next_start(const struct reglet__pattern_match *match) {
    size_t next = match->end > REGLET__REDACT_OVERLAP_BYTES ? match->end - REGLET__REDACT_OVERLAP_BYTES : 0;
    if (next < match->secret_end)
        next = match->secret_end;
    return next > match->start ? next : match->start + 1;
}

static reglet_status search_region(const struct pass *pass, const struct region *region,
                                   const struct reglet__pattern *pattern) {
    const struct reglet__ruleset_entry *entry = &pass->rules->set->entries[region->rule];
    struct progress *progress = &pass->scan->progress[region->rule];
    struct reglet__pattern_match match;
    enum reglet__pattern_result found = REGLET__PATTERN_NO;
    size_t at = region->from > progress->done ? region->from : progress->done;
    size_t ahead = (region->to - region->from) * REGLET__REDACT_AHEAD_TIMES;
    for (; at < region->to; at = at < progress->done ? progress->done : at) {
        found = find_next(pass, pattern, region, at, &ahead, &match);
        if (found != REGLET__PATTERN_YES)
            break;
        at = next_start(&match);
        found = is_secret(pass, entry, &match);
        if (found == REGLET__PATTERN_NO)
            continue;
        if (found == REGLET__PATTERN_NO_MEMORY)
            break;
        size_t end = match.secret_end;
        if (entry->rule->runs_on)
            progress->done = end = reglet__search_key_end(pass->text, pass->size, end);
        if (reglet__redact_spans_add(pass->spans, match.secret_start, end,
                                     number_of(pass->rules, region->rule)) != REGLET_OK)
            return REGLET_ERR_NO_MEMORY;
    }
    if (found == REGLET__PATTERN_NO_MEMORY)
        return REGLET_ERR_NO_MEMORY;
    progress->done = progress->done > region->to ? progress->done : region->to;
    return REGLET_OK;
}

static reglet_status search_regions(const struct pass *pass) {
    reglet_status status = REGLET_OK;
    for (size_t i = 0; i < pass->scan->count && status == REGLET_OK; i++) {
        const struct region *region = &pass->scan->regions[i];
        if (!has_keyword(pass, region))
            continue;
        const struct reglet__pattern *pattern =
            reglet__lazy_pattern_get(&pass->rules->set->entries[region->rule].pattern);
        status = pattern ? search_region(pass, region, pattern) : REGLET_ERR_NO_MEMORY;
    }
    return status;
}

static void forget(struct reglet__scan *scan) {
    for (size_t i = 0; i < scan->count; i++)
        scan->progress[scan->regions[i].rule] = (struct progress){0};
    scan->count = 0;
}

static reglet_status scan_set(const struct pass *pass) {
    const hs_database_t *database = NULL;
    reglet_status status = reglet__ruleset_database(pass->rules->set, &database);
    if (status != REGLET_OK || !database)
        return status;
    hs_error_t error =
        hs_scan(database, pass->text, (unsigned)pass->size, 0, pass->scan->scratch, on_end, (void *)pass);
    status = error == HS_SUCCESS ? search_regions(pass) : REGLET_ERR_NO_MEMORY;
    forget(pass->scan);
    return status;
}

reglet_status reglet__scan_text(struct reglet__scan *scan, const char *text, size_t size,
                                struct reglet__redact_spans *spans) {
    reglet_status status = REGLET_OK;
    if (size > UINT32_MAX)
        return REGLET_ERR_INVALID_ARGUMENT;
    for (size_t i = 0; i < scan->plan->count && status == REGLET_OK; i++)
        status = scan_set(&(struct pass){scan, &scan->plan->rules[i], text, size, spans});
    return status;
}
