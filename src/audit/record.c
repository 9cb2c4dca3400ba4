/* From a decision to a record: all texts of a record are searched for secrets at once. */
#include <stdatomic.h>
#include <string.h>

#include "audit/audit.h"
#include "util/clock.h"
#include "util/text.h"

/* A text of the record: where it goes, and where it stands in the raw ones and in those that are shown. */
struct text {
    const char **out;
    const char *raw;
    size_t start, end;
    size_t shown;
};

enum { TEXTS = 4 };

static const char lost[] = "(lost: out of memory)";

void reglet__audit_begin(struct reglet__audit *audit, reglet_audit_fn write, void *user_data,
                         reglet_redactor *redactor, const char *plugin) {
    static atomic_uint_least64_t calls;
    *audit = (struct reglet__audit){.write = write,
                                    .user_data = user_data,
                                    .redactor = redactor,
                                    .plugin = plugin,
                                    .call = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) + 1,
                                    .raw = REGLET__BUF_INIT(SIZE_MAX / 2),
                                    .shown = REGLET__BUF_INIT(SIZE_MAX / 2)};
}

void reglet__audit_end(struct reglet__audit *audit) {
    reglet__buf_free(&audit->raw);
    reglet__buf_free(&audit->shown);
    reglet__redact_spans_clear(&audit->spans);
}

/* --- Texts ------------------------------------------------------------------------------------------------ */

static bool is_plain(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (text[i] < 0x20 || text[i] > 0x7E) /* where char is signed, what is no ASCII is below */
            return false;
    return true;
}

static void show_clean(struct reglet__buf *shown, const char *text, size_t size) {
    if (is_plain(text, size)) {
        reglet__buf_append(shown, text, size);
        return;
    }
    _cleanup_free_ char *clean = reglet__clean_line_dup(text, size);
    reglet__buf_append_text(shown, clean ? clean : lost);
}

static void show_replacement(struct reglet__audit *audit, const struct reglet__redact_span *span) {
    char text[REGLET__REDACT_REPLACEMENT_SIZE];
    size_t size = reglet__redact_replacement(audit->redactor, audit->raw.data + span->start,
                                             span->end - span->start, text);
    reglet__buf_append(&audit->shown, text, size);
}

/* What is not secret of one text, and replacements for what is. `first`: the first part that ends behind its start. */
static void show(struct reglet__audit *audit, struct text *text, size_t *first) {
    const struct reglet__redact_spans *spans = &audit->spans;
    const char *raw = audit->raw.data;
    size_t at = text->start;
    while (*first < spans->count && spans->items[*first].end <= text->start)
        ++*first;
    text->shown = audit->shown.size;
    for (size_t i = *first; i < spans->count && spans->items[i].start < text->end; i++) {
        const struct reglet__redact_span *span = &spans->items[i];
        if (span->start > at)
            show_clean(&audit->shown, raw + at, span->start - at);
        show_replacement(audit, span);
        at = span->end < text->end ? span->end : text->end;
    }
    show_clean(&audit->shown, raw + at, text->end - at);
    reglet__buf_append(&audit->shown, "", 1);
}

/* Puts all texts behind each other: a secret that is in one of them, or goes over several, is found in one search. */
static bool find(struct reglet__audit *audit, struct text texts[TEXTS]) {
    reglet__buf_clear(&audit->raw);
    for (size_t i = 0; i < TEXTS; i++) {
        if (!texts[i].raw)
            continue;
        texts[i].start = audit->raw.size;
        reglet__buf_append_text(&audit->raw, texts[i].raw);
        texts[i].end = audit->raw.size;
        reglet__buf_append(&audit->raw, "\n", 1);
    }
    return audit->redactor && audit->raw.status == REGLET_OK &&
           reglet__redact_find(audit->redactor, audit->raw.data, audit->raw.size, &audit->spans) == REGLET_OK;
}

static void count(struct reglet__audit *audit) {
    for (size_t i = 0; i < audit->spans.count; i++)
        reglet__redact_count(audit->redactor, audit->spans.items[i].rule, 1);
}

static void redact(struct reglet__audit *audit, struct text texts[TEXTS]) {
    size_t first = 0;
    bool found = find(audit, texts);
    reglet__buf_clear(&audit->shown);
    for (size_t i = 0; i < TEXTS && found; i++)
        if (texts[i].raw)
            show(audit, &texts[i], &first);
    if (found)
        count(audit);
    bool complete = found && audit->shown.status == REGLET_OK;
    for (size_t i = 0; i < TEXTS; i++)
        if (texts[i].raw)
            *texts[i].out = complete ? audit->shown.data + texts[i].shown : lost;
    audit->raw.status = audit->shown.status = REGLET_OK; /* there may be memory for the next one */
}

/* --- Records ---------------------------------------------------------------------------------------------- */

/* Takes the kind off a capability: "kv:read:a" is "a" of the kind "kv:read". */
static const char *split(const char **capability) {
    static const char *const kinds[] = {
        "network:outbound", "kv:read-write", "kv:read", "kv:write", "env", "exec", "fs:read", "fs:write"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        size_t size = strlen(kinds[i]);
        if (strncmp(*capability, kinds[i], size) == 0 && (*capability)[size] == ':') {
            *capability += size + 1;
            return kinds[i];
        }
    }
    return "";
}

void reglet__audit_record(struct reglet__audit *audit, const char *request_id,
                          const struct reglet__decided *decided) {
    const char *asked = decided->asked, *kind = decided->kind ? decided->kind : split(&asked);
    reglet_audit_record record = {.struct_size = sizeof record,
                                  .time_ns = reglet__wall_clock() - (reglet__now() - decided->started),
                                  .plugin = audit->plugin,
                                  .call = audit->call,
                                  .number = ++audit->number,
                                  .function = decided->function,
                                  .kind = kind,
                                  .allowed = decided->decision.allowed,
                                  .reason = decided->decision.reason,
                                  .duration_ns = decided->duration_ns,
                                  .bytes_in = decided->bytes_in,
                                  .bytes_out = decided->bytes_out,
                                  .observing = audit->observing};
    struct text texts[TEXTS] = {{.out = &record.request_id, .raw = request_id},
                                {.out = &record.asked, .raw = asked},
                                {.out = &record.rule, .raw = decided->decision.rule},
                                {.out = &record.grant, .raw = decided->grant}};
    redact(audit, texts);
    audit->write(audit->user_data, &record);
}
