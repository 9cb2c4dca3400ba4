/* Every built-in rule finds its sample wherever it stands, and nothing else; no rule fires on texts without secrets. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "redact/scan.h"
#include "tests/unit/harmless.h"
#include "tests/unit/test.h"
#include "util/cleanup.h"

struct example {
    const char *id, *source, *before, *secret, *after, *near_miss;
};

#define WORDS(...)                                                     0
#define SAMPLE(before, secret, after)                                  before, secret, after
#define RULE(id, source, words, entropy, regex, sample, near_miss)     {id, source, sample, near_miss},
#define KEY_RULE(id, source, words, entropy, regex, sample, near_miss) {id, source, sample, near_miss},
#define EXCEPT_RULE(id, source, words, entropy, regex, excepted, sample, near_miss)                          \
    {id, source, sample, near_miss},
static const struct example examples[] = {
#include "redact/rules/all.h"
};

/* The built-in rules as the library has them; one of them alone, or all together. */
struct finder {
    struct reglet__scan_plan plan;
    struct reglet__scan *scan;
    struct reglet__redact_spans spans;
    int32_t numbers[ARRAY_LEN(examples)];
};

static void finder_open(struct finder *finder) {
    reglet_error *error = NULL;
    struct reglet__ruleset *set = NULL;
    if (reglet__ruleset_builtin(&set, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    finder->plan =
        (struct reglet__scan_plan){.rules = {{.set = set, .numbers = finder->numbers}}, .count = 1};
    finder->scan = reglet__scan_new(&finder->plan);
    assert_non_null(finder->scan);
}

static void finder_close(struct finder *finder) {
    reglet__scan_free(finder->scan);
    reglet__redact_spans_clear(&finder->spans);
}

static void use_only(struct finder *finder, size_t rule) {
    for (size_t i = 0; i < ARRAY_LEN(examples); i++)
        finder->numbers[i] = i == rule ? (int32_t)i : -1;
}

static void use_all(struct finder *finder) {
    for (size_t i = 0; i < ARRAY_LEN(examples); i++)
        finder->numbers[i] = (int32_t)i;
}

static const struct reglet__redact_spans *find(struct finder *finder, const char *text) {
    finder->spans.count = 0;
    assert_int_equal(reglet__scan_text(finder->scan, text, strlen(text), &finder->spans, NULL), REGLET_OK);
    return &finder->spans;
}

/* --- the table --- */

static void rules__are_at_least_150(void **state) {
    (void)state;
    assert_true(reglet__builtin_rule_count >= 150);
    assert_int_equal(reglet__builtin_rule_count, ARRAY_LEN(examples));
}

static bool is_kebab_case(const char *id) {
    size_t length = strlen(id);
    return length > 2 && length <= 48 && strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == length &&
           id[0] != '-' && id[length - 1] != '-' && !strstr(id, "--");
}

static void rules__have_identifiers_of_their_own(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        if (!is_kebab_case(examples[i].id))
            fail_msg("%s is no identifier", examples[i].id);
        assert_string_equal(examples[i].id, reglet__builtin_rules[i].id);
        for (size_t j = 0; j < i; j++)
            if (strcmp(examples[i].id, examples[j].id) == 0)
                fail_msg("%s is there twice", examples[i].id);
    }
}

static void rules__name_their_source_and_a_keyword_of_their_sample(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        const struct example *example = &examples[i];
        _cleanup_free_ char *sample = NULL;
        assert_true(asprintf(&sample, "%s%s%s", example->before, example->secret, example->after) > 0);
        bool found = false;
        for (const char *const *word = reglet__builtin_rules[i].keywords; *word; word++)
            found = found || strcasestr(sample, *word);
        if (!found || strlen(example->source) < 8)
            fail_msg("%s: a keyword that its sample has not, or no source", example->id);
    }
}

/* --- samples --- */

/* As JSON has it: the line breaks and quotes of a sample escaped. */
static char *json_escaped(const char *text) {
    char *out = malloc(2 * strlen(text) + 1), *end = out;
    assert_non_null(out);
    for (; *text; text++) {
        if (*text == '\n' || *text == '"' || *text == '\\')
            *end++ = '\\';
        *end++ = *text == '\n' ? 'n' : *text;
    }
    *end = '\0';
    return out;
}

static void assert_found(struct finder *finder, const struct example *example, const char *prefix,
                         const char *suffix, bool json) {
    _cleanup_free_ char *before = json ? json_escaped(example->before) : strdup(example->before);
    _cleanup_free_ char *secret = json ? json_escaped(example->secret) : strdup(example->secret);
    _cleanup_free_ char *after = json ? json_escaped(example->after) : strdup(example->after);
    _cleanup_free_ char *text = NULL;
    assert_true(before && secret && after &&
                asprintf(&text, "%s%s%s%s%s", prefix, before, secret, after, suffix) > 0);
    const struct reglet__redact_spans *spans = find(finder, text);
    size_t start = strlen(prefix) + strlen(before), end = start + strlen(secret);
    if (spans->count != 1)
        fail_msg("%s: %zu are found in: %s", example->id, spans->count, text);
    if (spans->items[0].start != start || spans->items[0].end != end)
        fail_msg("%s: %zu-%zu is found, not %zu-%zu, in: %s", example->id, spans->items[0].start,
                 spans->items[0].end, start, end, text);
}

static void rules__find_exactly_the_secret_wherever_it_stands(void **state) {
    struct finder *finder = *state;
    static const char *const around[][2] = {
        {"", ""},     {"log line: ", ", next"}, {"", " at the start"}, {"at the end ", ""},
        {"key=", ""}, {"key=", "\nnext=1"},     {"first line\n", "\n"}};
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        use_only(finder, i);
        for (size_t a = 0; a < ARRAY_LEN(around); a++)
            assert_found(finder, &examples[i], around[a][0], around[a][1], false);
        assert_found(finder, &examples[i], "{\"k\":\"", "\"}", true);
        assert_found(finder, &examples[i], "{\"k\":\"first line\\n", "\\n\"}", true);
    }
}

static void rules__pass_over_what_is_nearly_one(void **state) {
    struct finder *finder = *state;
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        use_only(finder, i);
        if (find(finder, examples[i].near_miss)->count != 0)
            fail_msg("%s: is found in: %s", examples[i].id, examples[i].near_miss);
    }
}

/* A token of the right form inside a longer one is something else. */
static void rules__do_not_fire_inside_a_longer_word(void **state) {
    struct finder *finder = *state;
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        const struct example *example = &examples[i];
        if (*example->before || reglet__builtin_rules[i].runs_on ||
            !strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ", example->secret[0]))
            continue;
        _cleanup_free_ char *text = NULL;
        assert_true(asprintf(&text, "abcdefg%s", example->secret) > 0);
        use_only(finder, i);
        if (find(finder, text)->count != 0)
            fail_msg("%s: is found in: %s", example->id, text);
    }
}

/* --- all of them --- */

static void rules__together_find_every_sample(void **state) {
    struct finder *finder = *state;
    use_all(finder);
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        const struct example *example = &examples[i];
        _cleanup_free_ char *text = NULL;
        assert_true(asprintf(&text, "%s%s%s", example->before, example->secret, example->after) > 0);
        bool found = false;
        const struct reglet__redact_spans *spans = find(finder, text);
        for (size_t s = 0; s < spans->count; s++)
            found = found || spans->items[s].rule == (int32_t)i;
        if (!found)
            fail_msg("%s: is not found in: %s", example->id, text);
    }
}

static void rules__leave_harmless_texts_alone(void **state) {
    struct finder *finder = *state;
    use_all(finder);
    for (size_t i = 0; i < ARRAY_LEN(harmless_texts); i++) {
        const struct reglet__redact_spans *spans = find(finder, harmless_texts[i]);
        if (spans->count == 0)
            continue;
        const struct reglet__redact_span *span = &spans->items[0];
        fail_msg("%s: is found in harmless text %zu: %.*s", reglet__builtin_rules[span->rule].id, i,
                 (int)(span->end - span->start), harmless_texts[i] + span->start);
    }
}

static void rules__find_passwords_in_the_forms_that_configuration_has(void **state) {
    struct finder *finder = *state;
    use_all(finder);
    static const char *const texts[] = {"password=hunter2!",
                                        "password: hunter2!",
                                        "passwd = 'hunter2!'",
                                        "\"passwd\": \"hunter2!\"",
                                        "DB_PASSWORD=hunter2!",
                                        "export PGPASSWORD=\"hunter2!\"",
                                        "spring.datasource.password=hunter2!",
                                        "dbPassword := \"hunter2!\"",
                                        "'password' => 'hunter2!',",
                                        "$cfg['password'] = 'hunter2!';",
                                        "{\\\"password\\\":\\\"hunter2!\\\"}",
                                        "<password>hunter2!</password>",
                                        "passphrase: hunter2!",
                                        "MYSQL_PWD=x; DB_PWD=hunter2!"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const struct reglet__redact_spans *spans = find(finder, texts[i]);
        bool found = false;
        for (size_t s = 0; s < spans->count; s++)
            found = found || (spans->items[s].end - spans->items[s].start == strlen("hunter2!") &&
                              strncmp(texts[i] + spans->items[s].start, "hunter2!", strlen("hunter2!")) == 0);
        if (!found)
            fail_msg("the password is not found in: %s", texts[i]);
    }
}

static int open_finder(void **state) {
    static struct finder finder;
    finder_open(&finder);
    *state = &finder;
    return 0;
}

static int close_finder(void **state) {
    finder_close(*state);
    return 0;
}

/* --- time --- */

static double time_of(struct finder *finder, const char *piece, size_t size) {
    size_t length = strlen(piece);
    char *text = malloc(size + 1);
    assert_non_null(text);
    for (size_t i = 0; i < size; i++)
        text[i] = piece[i % length];
    text[size] = '\0';
    struct timespec begun, ended;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun);
    find(finder, text);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended);
    free(text);
    return (double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) / 1e9;
}

/* Four times the text may take some four times as long; sixteen times is what a quadratic search takes. */
static void assert_linear(struct finder *finder, const char *id, const char *piece) {
    enum { SIZE = 16 << 10 };
    double one = 0, four = 0;
    for (int attempt = 0; attempt < 4; attempt++) {
        one = time_of(finder, piece, SIZE);
        four = time_of(finder, piece, 4 * SIZE);
        if (four <= 8 * one + 0.002)
            return;
    }
    fail_msg("%s: \"%s\" over and over takes %.1f ms, four times as much %.1f ms", id, piece, one * 1e3,
             four * 1e3);
}

/* What a rule finds, what it nearly finds, and what it begins with, without an end. */
static void rules__take_linear_time_on_texts_made_for_them(void **state) {
    struct finder *finder = *state;
    needs_no_second_thread(); /* and no time of ThreadSanitizer's own */
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        const struct example *example = &examples[i];
        const char *word = reglet__builtin_rules[i].keywords[0];
        size_t half = strlen(example->secret) / 2;
        char *pieces[6];
        assert_true(asprintf(&pieces[0], "%s%s%s", example->before, example->secret, example->after) > 0);
        assert_true(asprintf(&pieces[1], "%s", example->near_miss) > 0);
        assert_true(asprintf(&pieces[2], "%s%.*s", example->before, (int)half, example->secret) > 0);
        assert_true(asprintf(&pieces[3], "%s", word) > 0);
        assert_true(asprintf(&pieces[4], "%s=", word) > 0);
        assert_true(asprintf(&pieces[5], "%s: \"", word) > 0);
        use_only(finder, i);
        for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
            assert_linear(finder, example->id, pieces[k]);
            free(pieces[k]);
        }
    }
    use_all(finder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules__are_at_least_150),
        cmocka_unit_test(rules__have_identifiers_of_their_own),
        cmocka_unit_test(rules__name_their_source_and_a_keyword_of_their_sample),
        cmocka_unit_test(rules__find_exactly_the_secret_wherever_it_stands),
        cmocka_unit_test(rules__take_linear_time_on_texts_made_for_them),
        cmocka_unit_test(rules__pass_over_what_is_nearly_one),
        cmocka_unit_test(rules__do_not_fire_inside_a_longer_word),
        cmocka_unit_test(rules__together_find_every_sample),
        cmocka_unit_test(rules__leave_harmless_texts_alone),
        cmocka_unit_test(rules__find_passwords_in_the_forms_that_configuration_has),
    };
    return cmocka_run_group_tests(tests, open_finder, close_finder);
}
