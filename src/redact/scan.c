#define _GNU_SOURCE
#include "redact/scan.h"

#include <string.h>

#include "redact/search.h"
#include "util/cleanup.h"
#include "util/limits.h"

enum { KEYWORD_UNKNOWN, KEYWORD_PRESENT, KEYWORD_ABSENT };

/* Neighbouring places at which matches of one rule end. */
struct ends {
    size_t from, to; /* both included */
    size_t next;     /* in its region, counted from 1; 0: the last */
};

/* Part of the text in which matches of one rule lie. */
struct region {
    size_t from, to;
    size_t first_ends, last_ends; /* counted from 1 */
    uint32_t rule;                /* index in the set */
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
    struct ends *ends;
    size_t ends_count, ends_room;
    size_t forgotten_next;
    struct {
        size_t size; /* 0: none */
        char text[REGLET__REDACT_HARMLESS_BYTES];
    } harmless[REGLET__REDACT_HARMLESS_TEXTS];
};

/* Of one set in one text. */
struct pass {
    struct reglet__scan *scan;
    const struct reglet__scan_rules *rules;
    const char *text;
    size_t size;
    struct reglet__redact_spans *spans;
    const struct reglet__interrupt *interrupt; /* or NULL */
    reglet_status *stopped;                    /* why the matcher was, where that is not for memory */
    unsigned *matches;                         /* since the interrupt was looked at */
};

void reglet__scan_free(struct reglet__scan *scan) {
    if (!scan)
        return;
    reglet__scan_forget_harmless(scan);
    hs_free_scratch(scan->scratch);
    free(scan->progress);
    free(scan->regions);
    free(scan->ends);
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

bool reglet__scan_knows_harmless(const struct reglet__scan *scan, const char *text, size_t size) {
    for (size_t i = 0; i < ARRAY_LEN(scan->harmless); i++)
        if (scan->harmless[i].size == size && memcmp(scan->harmless[i].text, text, size) == 0)
            return true;
    return false;
}

void reglet__scan_remember_harmless(struct reglet__scan *scan, const char *text, size_t size) {
    if (size > sizeof scan->harmless[0].text)
        return;
    memcpy(scan->harmless[scan->forgotten_next].text, text, size);
    scan->harmless[scan->forgotten_next].size = size;
    scan->forgotten_next = (scan->forgotten_next + 1) % ARRAY_LEN(scan->harmless);
}

void reglet__scan_forget_harmless(struct reglet__scan *scan) {
    explicit_bzero(scan->harmless, sizeof scan->harmless);
}

static int32_t number_of(const struct reglet__scan_rules *rules, size_t rule) {
    return rules->numbers ? rules->numbers[rule] : rules->first + (int32_t)rule;
}

/* One more item in a list of `count`, for which there was `room`. */
static bool make_room(void **items, size_t size, size_t count, size_t *room) {
    if (count < *room)
        return true;
    size_t more = *room ? 2 * *room : 64;
    void *larger = realloc(*items, more * size);
    if (!larger)
        return false;
    *items = larger;
    *room = more;
    return true;
}

static struct region *add_region(struct reglet__scan *scan) {
    void *regions = scan->regions;
    bool done = make_room(&regions, sizeof *scan->regions, scan->count, &scan->room);
    scan->regions = regions;
    return done ? &scan->regions[scan->count++] : NULL;
}

/* Those that come late, at the end of the text, stretch the last ones: nobody minds a place at which no match ends. */
static bool add_end(struct reglet__scan *scan, struct region *region, size_t end) {
    struct ends *last = region->last_ends > 0 ? &scan->ends[region->last_ends - 1] : NULL;
    if (last && end <= last->to + 1) {
        last->from = end < last->from ? end : last->from;
        last->to = end > last->to ? end : last->to;
        return true;
    }
    void *ends = scan->ends;
    bool done = make_room(&ends, sizeof *scan->ends, scan->ends_count, &scan->ends_room);
    scan->ends = ends;
    if (!done)
        return false;
    scan->ends[scan->ends_count++] = (struct ends){end, end, 0};
    if (last)
        scan->ends[region->last_ends - 1].next = scan->ends_count;
    else
        region->first_ends = scan->ends_count;
    region->last_ends = scan->ends_count;
    return true;
}

/* A clock is read every so many matches: these are many, and quickly told. */
static bool must_stop(const struct pass *pass) {
    enum { SELDOM = 256 };
    if (!pass->interrupt || ++*pass->matches % SELDOM != 0)
        return false;
    *pass->stopped = reglet__interrupt_check(pass->interrupt);
    return *pass->stopped != REGLET_OK;
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
    if (must_stop(pass))
        return 1;
    size_t start = end > width ? end - width : 0;
    if (progress->region > 0) {
        struct region *last = &pass->scan->regions[progress->region - 1];
        if (start <= last->to) {
            last->from = start < last->from ? start : last->from;
            last->to = end > last->to ? end : last->to;
            return !add_end(pass->scan, last, end);
        }
    } else if (number_of(pass->rules, rule) < 0) {
        return 0;
    }
    struct region *region = add_region(pass->scan);
    if (!region)
        return 1;
    *region = (struct region){.from = start, .to = end, .rule = rule};
    progress->region = pass->scan->count;
    return !add_end(pass->scan, region, end);
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
 * Up to where a longer match that begins where `match` does may end. So many ends ahead are looked at, and as far as the match is
 * long: however many matches there are, each part of the text is looked at for that many of them only, and the work stays linear.
 */
static size_t look_ahead(const struct pass *pass, const struct region *region,
                         const struct reglet__pattern_match *match, size_t *cursor) {
    const struct ends *all = pass->scan->ends;
    size_t most = match->start + reach_of(&pass->rules->set->entries[region->rule]);
    size_t length = match->end - match->start, to = match->end, count = 0;
    while (*cursor > 0 && all[*cursor - 1].to + REGLET__REDACT_OVERLAP_BYTES <= match->end)
        *cursor = all[*cursor - 1].next;
    for (size_t i = *cursor; i > 0 && all[i - 1].from <= most; i = all[i - 1].next) {
        const struct ends *ends = &all[i - 1];
        if (ends->to <= match->end)
            continue;
        size_t first = ends->from > to ? ends->from : to + 1, last = ends->to < most ? ends->to : most;
        bool near = first <= match->end + length;
        if (count >= REGLET__REDACT_ENDS_AHEAD && !near)
            break;
        size_t enough =
            count < REGLET__REDACT_ENDS_AHEAD ? first + (REGLET__REDACT_ENDS_AHEAD - count) : first;
        if (near && enough < match->end + length)
            enough = match->end + length;
        count += last - first + 1;
        to = last < enough ? last : enough;
    }
    return to;
}

/*
 * The next match in a region. It is looked for in a window that grows, so that a match costs in proportion to its length even
 * where a pattern has to look far ahead to rule something longer out; and once more where a longer one may end, so that what is
 * optional at its end is not cut off.
 */
static enum reglet__pattern_result find_next(const struct pass *pass, const struct reglet__pattern *pattern,
                                             const struct region *region, size_t from, size_t *cursor,
                                             struct reglet__pattern_match *match) {
    unsigned group = pass->rules->set->entries[region->rule].rule->group;
    for (size_t window = REGLET__REDACT_WINDOW_BYTES;;) {
        bool all = region->to - from <= window;
        size_t to = all ? region->to : from + window;
        enum reglet__pattern_result result =
            reglet__pattern_find(pattern, pass->text, pass->size, from, to, group, match);
        if (all || result == REGLET__PATTERN_NO_MEMORY)
            return result;
        size_t needed = 2 * window;
        if (result == REGLET__PATTERN_YES)
            needed = look_ahead(pass, region, match, cursor) - from;
        if (needed <= window)
            return result;
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
    size_t cursor = region->first_ends; /* the ends that are still ahead */
    for (; at < region->to; at = at < progress->done ? progress->done : at) {
        reglet_status status = pass->interrupt ? reglet__interrupt_check(pass->interrupt) : REGLET_OK;
        if (status != REGLET_OK)
            return status;
        found = find_next(pass, pattern, region, at, &cursor, &match);
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
    scan->count = scan->ends_count = 0;
}

static reglet_status scan_set(const struct pass *pass) {
    const hs_database_t *database = NULL;
    reglet_status status = reglet__ruleset_database(pass->rules->set, &database);
    if (status != REGLET_OK || !database)
        return status;
    hs_error_t error =
        hs_scan(database, pass->text, (unsigned)pass->size, 0, pass->scan->scratch, on_end, (void *)pass);
    status = error == HS_SUCCESS           ? search_regions(pass)
             : *pass->stopped != REGLET_OK ? *pass->stopped
                                           : REGLET_ERR_NO_MEMORY;
    forget(pass->scan);
    return status;
}

reglet_status reglet__scan_text(struct reglet__scan *scan, const char *text, size_t size,
                                struct reglet__redact_spans *spans,
                                const struct reglet__interrupt *interrupt) {
    reglet_status status = REGLET_OK, stopped = REGLET_OK;
    unsigned matches = 0;
    if (size > UINT32_MAX)
        return REGLET_ERR_INVALID_ARGUMENT;
    if (size <= REGLET__REDACT_REACH_BYTES)
        interrupt = NULL; /* no clock needs to be read for what is over at once */
    for (size_t i = 0; i < scan->plan->count && status == REGLET_OK; i++) {
        status = interrupt ? reglet__interrupt_check(interrupt) : REGLET_OK;
        if (status == REGLET_OK)
            status = scan_set(&(struct pass){.scan = scan,
                                             .rules = &scan->plan->rules[i],
                                             .text = text,
                                             .size = size,
                                             .spans = spans,
                                             .interrupt = interrupt,
                                             .stopped = &stopped,
                                             .matches = &matches});
    }
    return status;
}
