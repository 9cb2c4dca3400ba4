#define _GNU_SOURCE
#include "explain.h"

#include "command.h"
#include "suggest.h"
#include "table.h"
#include "term.h"

#include <string.h>

/* ---- --explain ---- */

/* The columns that can be long come last: on a narrow terminal they run over its edge, and the others stay aligned. */
static void add_row(struct table *table, const struct audited *audited) {
    _cleanup_free_ char *time = audited->duration_ns < 1000000
                                    ? format_text("%lld us", (long long)(audited->duration_ns / 1000))
                                    : format_text("%.1f ms", (double)audited->duration_ns / 1e6);
    _cleanup_free_ char *in = size_text(audited->bytes_in);
    _cleanup_free_ char *out = size_text(audited->bytes_out);
    _cleanup_free_ char *asked = format_text("%s:%s", audited->kind, audited->asked);
    const char *by = audited->allowed ? audited->rule : audited->reason;
    table_add_text(table, audited->allowed ? "granted" : "denied");
    table_add_text(table, time);
    table_add_text(table, audited->bytes_in ? in : "-");
    table_add_text(table, audited->bytes_out ? out : "-");
    table_add_text(table, audited->function);
    table_add_text(table, asked);
    table_add_text(table, by ? by : "-");
}

void explain_decisions(const struct audit *audit, FILE *out) {
    static const char *const heads[] = {"DECISION", "TIME", "IN", "OUT", "FUNCTION", "ASKED", "BY"};
    struct table table = {.columns = ARRAY_LEN(heads)};
    size_t count;
    uint64_t left_out;
    const struct audited *audited = audit_kept(audit, &count, &left_out);
    for (size_t i = 0; i < ARRAY_LEN(heads); i++)
        table_add_text(&table, heads[i]);
    for (size_t i = 0; i < count; i++)
        add_row(&table, &audited[i]);
    if (count > 0)
        table_print(&table, out);
    else
        fputs("It asked for nothing outside.\n", out);
    if (left_out > 0)
        fprintf(out, "%llu more decisions are not shown; --audit FILE has all of them.\n",
                (unsigned long long)left_out);
    table_clear(&table);
}

/* ---- --learn ---- */

/*
 * Why a grant that would have allowed a request cannot be pasted: what was redacted, and what cannot be shown, is not in the
 * text, which would name something else. NULL: it can be.
 */
static const char *why_not_written(const char *grant) {
    static const char *const replaced[] = {"[REDACTED]", "[hmac:"};
    for (size_t i = 0; i < ARRAY_LEN(replaced); i++)
        if (strstr(grant, replaced[i]))
            return "a part of it was redacted";
    bool is_file = strncmp(grant, "fs:", 3) == 0;
    for (const char *at = grant; is_file && *at; at++) {
        if (*at == '?')
            return "it has characters that a grant cannot have";
        if (*at == '\\' && (!at[1] || !strchr("\\*?[]{},", *++at)))
            return "it has characters that cannot be shown";
    }
    _cleanup_free_ char *clean = term_clean(grant, strlen(grant));
    if (!is_file && strchr(grant, '\\'))
        return "it has characters that cannot be shown";
    return strcmp(clean, grant) == 0 && reglet_capability_check(grant, NULL) == REGLET_OK
               ? NULL
               : "it has characters that a grant cannot have";
}

/* One line of the answer, and all that it is for. */
struct lesson {
    const char *key;   /* the grant; or what was asked, where none would allow it */
    const char *grant; /* NULL: none */
    char *comment;
};

static int compare(const void *a, const void *b) {
    const struct lesson *one = a, *other = b;
    if (!one->grant != !other->grant)
        return one->grant ? -1 : 1;
    int order = strcmp(one->key, other->key);
    return order ? order : strcmp(one->comment, other->comment);
}

static bool is_refused_broad(const struct session *session, const char *grant, reglet_risk *risk,
                             char **sentence) {
    if (reglet_capability_explain(grant, risk, sentence, NULL) != REGLET_OK)
        return false;
    return *risk == REGLET_RISK_HIGH && session->config.level == REGLET_SECURITY_STRICT;
}

static struct lesson lesson_of(const struct session *session, const struct audited *audited) {
    const char *grant = audited->grant;
    if (!grant)
        return (struct lesson){audited->asked, NULL,
                               format_text("No grant allows %s: %s:%s: %s", audited->function, audited->kind,
                                           audited->asked, audited->reason)};
    const char *problem = why_not_written(grant);
    if (problem)
        return (struct lesson){
            grant, NULL,
            format_text("Cannot be written (%s): %s asked for %s", problem, audited->function, grant)};
    reglet_risk risk = REGLET_RISK_LOW;
    char *sentence = NULL;
    bool refused = is_refused_broad(session, grant, &risk, &sentence);
    char *comment = refused ? format_text("Broad, which level strict refuses: %s: %s", grant, sentence)
                    : risk == REGLET_RISK_HIGH ? format_text("%s; risk high: %s", audited->function, sentence)
                                               : format_text("%s", audited->function);
    reglet_free(sentence);
    return (struct lesson){grant, refused ? NULL : grant, comment};
}

/* Those that are the same but for what they are for become one; returns how many are left. */
static size_t unite(struct lesson *lessons, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct lesson *last = kept > 0 ? &lessons[kept - 1] : NULL;
        bool same_grant =
            last && last->grant && lessons[i].grant && strcmp(last->grant, lessons[i].grant) == 0;
        bool same_comment = last && strcmp(last->comment, lessons[i].comment) == 0;
        if (same_grant && !same_comment) {
            char *both = format_text("%s, %s", last->comment, lessons[i].comment);
            free(last->comment);
            last->comment = both;
        }
        if (same_grant || (same_comment && !last->grant && !lessons[i].grant))
            free(lessons[i].comment);
        else
            lessons[kept++] = lessons[i];
    }
    return kept;
}

static void print_lessons(const struct session *session, const char *sha256, struct lesson *lessons,
                          size_t count) {
    struct suggested *items = allocate(count * sizeof *items);
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct suggested){lessons[i].grant, lessons[i].comment};
        any = any || lessons[i].grant;
    }
    puts(any ? "# Would have allowed what was refused. Review each line; after adding them, run it again."
             : "# Nothing was refused that a line here would allow.");
    for (size_t i = 0; i < count && !any; i++) {
        _cleanup_free_ char *clean = term_clean_short(lessons[i].comment, strlen(lessons[i].comment));
        printf("# %s\n", clean);
    }
    _cleanup_free_ char *yaml =
        any ? suggest_yaml(reglet_plugin_name(session->plugin), sha256, items, count) : NULL;
    if (yaml)
        fputs(yaml, stdout);
    free(items);
}

int learn_grants(const struct session *session) {
    _cleanup_error_ reglet_error *error = NULL;
    const reglet_grants *grants = NULL;
    size_t count, learned = 0;
    uint64_t left_out;
    const struct audited *audited = audit_kept(session->audit, &count, &left_out);
    struct lesson *lessons = allocate(count * sizeof *lessons);
    for (size_t i = 0; i < count; i++)
        if (!audited[i].allowed)
            lessons[learned++] = lesson_of(session, &audited[i]);
    qsort(lessons, learned, sizeof *lessons, compare);
    learned = unite(lessons, learned);
    int code = EXIT_OK;
    if (reglet_plugin_grants(session->plugin, &session->call, &grants, &error) != REGLET_OK) {
        complain_error("observe", error);
        code = EXIT_FAILED;
    } else {
        print_lessons(session, grants->sha256, lessons, learned);
    }
    if (left_out > 0)
        complain("observe",
                 "--learn: %llu more decisions were not looked at; add these lines and run it again",
                 (unsigned long long)left_out);
    reglet_grants_free(grants);
    for (size_t i = 0; i < learned; i++)
        free(lessons[i].comment);
    free(lessons);
    return code;
}
