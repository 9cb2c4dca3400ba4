#include "policy/glob.h"

#include <reglet/error.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"
#include "util/limits.h"

/* A pattern that is known to parse. */
static struct reglet__glob *compile(const char *pattern) {
    reglet_error *error = NULL;
    struct reglet__glob *glob = NULL;
    struct reglet__parse parse = {.text = pattern, .end = strlen(pattern), .err = &error};
    if (reglet__glob_parse(&parse, &glob) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    return glob;
}

static enum reglet__glob_match match_in(const char *pattern, const char *path, size_t *steps) {
    struct reglet__glob *glob = compile(pattern);
    enum reglet__glob_match match = reglet__glob_match(glob, path, strlen(path), steps);
    reglet__glob_free(glob);
    return match;
}

static enum reglet__glob_match match(const char *pattern, const char *path) {
    size_t steps = REGLET__MAX_MATCH_STEPS;
    return match_in(pattern, path, &steps);
}

#define assert_covers(pattern, path)   assert_match(pattern, path, REGLET__GLOB_COVERS, __LINE__)
#define assert_leads(pattern, path)    assert_match(pattern, path, REGLET__GLOB_LEADS, __LINE__)
#define assert_no_match(pattern, path) assert_match(pattern, path, REGLET__GLOB_NONE, __LINE__)

static void assert_match(const char *pattern, const char *path, enum reglet__glob_match expected, int line) {
    static const char *const names[] = {"nothing", "leads", "covers"};
    enum reglet__glob_match got = match(pattern, path);
    if (got != expected)
        fail_msg("line %d: \"%s\" against \"%s\": expected %s, got %s", line, pattern, path, names[expected],
                 names[got]);
}

/* --- parsing --- */

static void literal__is_what_comes_before_the_first_wildcard(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *literal;
        bool whole;
    } cases[] = {
        {"/", "/", true},
        {"/etc/hosts", "/etc/hosts", true},
        {"a/b", "a/b", true},
        {"/etc/**", "/etc", false},
        {"/etc/s*/x", "/etc", false},
        {"/**", "/", false},
        {"**", "", false},
        {"*.c", "", false},
        {"a/*.c", "a", false},
        {"/{a,b}/c", "/", false},
        {"/d/\\*\\[x", "/d/*[x", true},
        {"/d/a,b", "/d/a,b", true},
        {"/\\\\x/?", "/\\x", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reglet__glob *glob = compile(cases[i].pattern);
        assert_string_equal(reglet__glob_literal(glob), cases[i].literal);
        assert_int_equal(reglet__glob_is_literal(glob), cases[i].whole);
        reglet__glob_free(glob);
    }
}

static void starts_anywhere__only_with_two_stars_first(void **state) {
    (void)state;
    static const struct {
        const char *pattern;
        bool anywhere, below;
    } cases[] = {{"**", true, true},       {"**/x", true, false}, {"/**", false, true},
                 {"a/**", false, true},    {"*/**", false, true}, {"*", false, false},
                 {"/a/**/b", false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reglet__glob *glob = compile(cases[i].pattern);
        assert_int_equal(reglet__glob_starts_anywhere(glob), cases[i].anywhere);
        assert_int_equal(reglet__glob_covers_below(glob), cases[i].below);
        reglet__glob_free(glob);
    }
}

static void parse__malformed_globs_are_refused_at_the_character(void **state) {
    (void)state;
    static const struct {
        const char *pattern;
        ptrdiff_t offset;
    } cases[] = {
        {"//", 1},           {"/a//b", 3},    {"/a/", 3},   {"a/", 2},     {"//a", 1},
        {"/.", 1},           {"/..", 1},      {"./a", 0},   {"/a/./b", 3}, {"/a/../b", 3},
        {"/\\.\\./b", 1},    {"/a**", 2},     {"/**a", 1},  {"/a/***", 3}, {"/***/b", 1},
        {"/{a,**}", 4},      {"/[", 1},       {"/[a", 1},   {"/[a/b]", 1}, {"/[]", 1},
        {"/[!]", 1},         {"/[^]", 1},     {"/[]a]", 1}, {"/[z-a]", 2}, {"/[a[b]", 3},
        {"/[[:alpha:]]", 2}, {"/[a-c-e]", 5}, {"/[a\\", 3}, {"/]", 1},     {"/a]b", 2},
        {"/{", 1},           {"/{a", 1},      {"/{a,b", 1}, {"/{a/b}", 1}, {"/{}", 2},
        {"/{a,{b}}", 4},     {"/}", 1},       {"/a}b", 2},  {"/\\", 1},    {"/a\\/b", 2},
        {"/{a\\}", 1},       {"/é[", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reglet_error *error = NULL;
        struct reglet__glob *glob = NULL;
        struct reglet__parse parse = {
            .text = cases[i].pattern, .end = strlen(cases[i].pattern), .err = &error};
        if (reglet__glob_parse(&parse, &glob) != REGLET_ERR_INVALID_GRANT)
            fail_msg("\"%s\" was not refused", cases[i].pattern);
        assert_null(glob);
        if (reglet_error_offset(error) != cases[i].offset)
            fail_msg("\"%s\": expected offset %td, got %s", cases[i].pattern, cases[i].offset,
                     reglet_error_message(error));
        reglet_error_free(error);
    }
}

static void parse__longest_pattern_of_the_most_nodes_fits(void **state) {
    (void)state;
    char pattern[REGLET__MAX_PATTERN + 1];
    memset(pattern, ',', sizeof pattern);
    pattern[0] = '{';
    pattern[REGLET__MAX_PATTERN - 1] = '}';
    pattern[REGLET__MAX_PATTERN] = '\0';
    assert_no_match(pattern, "a");
}

/* --- one segment --- */

static void star__takes_any_characters_of_one_name(void **state) {
    (void)state;
    assert_covers("*", "a");
    assert_covers("*", ".hidden");
    assert_covers("*.txt", "a.txt");
    assert_covers("*.txt", ".txt");
    assert_covers("a*b*c", "abc");
    assert_covers("a*b*c", "a--b-b--c");
    assert_no_match("a*b*c", "a--c");
    assert_no_match("*.txt", "a.txt.gz");
    assert_no_match("*", "a/b");
}

static void question_mark__takes_one_character_not_one_byte(void **state) {
    (void)state;
    assert_covers("?", "a");
    assert_covers("?", "é");
    assert_covers("?", "😀");
    assert_covers("a?c", "a.c");
    assert_no_match("?", "ab");
    assert_covers("?", "\xFF");
    assert_no_match("?", "\xFF\xFE");
}

static void set__takes_one_of_its_characters(void **state) {
    (void)state;
    assert_covers("[abc]", "b");
    assert_no_match("[abc]", "d");
    assert_no_match("[abc]", "ab");
    assert_covers("x[0-9a-f]", "xe");
    assert_no_match("x[0-9a-f]", "xE");
    assert_covers("[!abc]", "d");
    assert_no_match("[!abc]", "a");
    assert_covers("[^a-z]", "A");
    assert_covers("[!a]", "\xFF");
    assert_covers("[a-]", "-");
    assert_covers("[-a]", "-");
    assert_covers("[a\\-z]", "-");
    assert_no_match("[a\\-z]", "b");
    assert_covers("[\\]]", "]");
    assert_covers("[\\[*?{]", "*");
    assert_covers("[à-é]", "ç");
    assert_covers("[a!]", "!");
}

static void braces__take_one_of_their_alternatives(void **state) {
    (void)state;
    assert_covers("{a,bc}", "a");
    assert_covers("{a,bc}", "bc");
    assert_no_match("{a,bc}", "abc");
    assert_no_match("{a,bc}", "{a,bc}");
    assert_covers("x{a}y", "xay");
    assert_covers("file{,.bak}", "file");
    assert_covers("file{,.bak}", "file.bak");
    assert_covers("{*.c,[mM]akefile,?}", "Makefile");
    assert_covers("{*.c,[mM]akefile,?}", "x.c");
    assert_covers("{*.c,[mM]akefile,?}", "x");
    assert_covers("{a,b}{c,d}*", "bcx");
    assert_no_match("{a,b}{c,d}*", "bb");
    assert_covers("{a\\,b,c}", "a,b");
    assert_covers("{[a,b],c}", ",");
    assert_covers("a,b?", "a,bc");
}

static void escape__takes_the_character_itself(void **state) {
    (void)state;
    assert_covers("\\**", "*x");
    assert_no_match("\\**", "xx");
    assert_covers("?\\?", "a?");
    assert_no_match("?\\?", "ab");
    assert_covers("*\\\\", "a\\");
    assert_covers("?\\a", "xa");
}

static void match__case_counts(void **state) {
    (void)state;
    assert_no_match("*.TXT", "a.txt");
    assert_no_match("[a-z]*", "Abc");
}

/* --- many segments --- */

static void two_stars__take_any_number_of_names(void **state) {
    (void)state;
    assert_covers("/**", "");
    assert_covers("/**", "a");
    assert_covers("/**", "a/.b/c");
    assert_covers("/**/x", "x");
    assert_covers("/**/x", "a/b/x");
    assert_covers("/**/x", "x/x/x");
    assert_covers("/**/*.c", "a/b/x.c");
    assert_covers("/**/a/*/b/**", "x/a/a/y/b/z");
    assert_covers("/**/a/**/b", "a/a/b/c/b");
    assert_covers("/*/**", "a");
    assert_covers("/**/**/**", "");
    assert_leads("/**/x", "x/y");
    assert_leads("/**/x", "");
    assert_leads("/*/**", "");
    assert_leads("/**/a/**/b", "c");
}

static void match__tells_what_leads_to_a_match(void **state) {
    (void)state;
    assert_leads("/*/x", "");
    assert_leads("/*/x", "a");
    assert_covers("/*/x", "a/x");
    assert_no_match("/*/x", "a/y");
    assert_no_match("/*/x", "a/x/z");
    assert_leads("/[ab]/c/?", "a/c");
    assert_no_match("/[ab]/c/?", "c");
    assert_no_match("/*", "a/b");
}

/* The plain definition, exponential and recursive: what the real one is held against. */
static bool reference(const char *const *segments, size_t segment_count, const char *const *names,
                      size_t name_count) {
    if (segment_count == 0)
        return name_count == 0;
    if (strcmp(segments[0], "**") == 0)
        return reference(segments + 1, segment_count - 1, names, name_count) ||
               (name_count > 0 && reference(segments, segment_count, names + 1, name_count - 1));
    return name_count > 0 && (segments[0][0] == '*' || strcmp(segments[0], names[0]) == 0) &&
           reference(segments + 1, segment_count - 1, names + 1, name_count - 1);
}

static void join(const char *const *parts, size_t count, char *out) {
    *out = '\0';
    for (size_t i = 0; i < count; i++) {
        strcat(out, i ? "/" : "");
        strcat(out, parts[i]);
    }
}

static void match__agrees_with_the_plain_definition(void **state) {
    (void)state;
    static const char *const kinds[] = {"a", "b", "*", "**"};
    enum { MOST = 4, PATTERNS = 4 * 4 * 4 * 4, PATHS = 32 };
    for (unsigned p = 0; p < PATTERNS; p++) {
        const char *segments[MOST + 1] = {"**"};
        for (unsigned i = 0; i < MOST; i++)
            segments[i + 1] = kinds[p >> 2 * i & 3];
        for (unsigned n = 1; n < PATHS; n++) {
            const char *names[MOST];
            size_t count = 0;
            for (unsigned bits = n; bits > 1; bits >>= 1) /* the highest bit marks the end */
                names[count++] = bits & 1 ? "a" : "b";
            char pattern[64], path[64];
            join(segments, MOST + 1, pattern);
            join(names, count, path);
            bool covers = reference(segments, MOST + 1, names, count);
            if ((match(pattern, path) == REGLET__GLOB_COVERS) != covers)
                fail_msg("\"%s\" against \"%s\": expected %d", pattern, path, covers);
        }
    }
}

/* --- attacks --- */

static size_t steps_of(const char *pattern, const char *path, enum reglet__glob_match expected) {
    size_t steps = SIZE_MAX / 2, before = steps;
    assert_int_equal(match_in(pattern, path, &steps), expected);
    return before - steps;
}

/* A matcher that goes back for every "**" needs more steps than there are atoms for this. */
static void steps__many_double_stars_against_a_long_path(void **state) {
    (void)state;
    char path[4000];
    for (size_t i = 0; i < sizeof path; i++)
        path[i] = i % 2 ? '/' : 'a';
    path[sizeof path - 1] = '\0';
    assert_in_range(steps_of("**/**/**/**", path, REGLET__GLOB_COVERS), 0, 10);
    assert_in_range(steps_of("**/a/**/a/**/a/**/b", path, REGLET__GLOB_LEADS), 0, 4 * sizeof path);
    assert_in_range(steps_of("**/a/a/a/a/a/a/a/b", path, REGLET__GLOB_LEADS), 0, 20 * sizeof path);
}

static void steps__many_stars_against_a_long_name(void **state) {
    (void)state;
    char name[4000];
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    const char *stars = "*a*a*a*a*a*a*a*a*a*b", *alternatives = "{a,aa}{a,aa}{a,aa}{a,aa}{a,aa}{a,aa}{*,a*}b";
    assert_in_range(steps_of(stars, name, REGLET__GLOB_NONE), 0, 2 * strlen(stars) * sizeof name);
    assert_in_range(steps_of(alternatives, name, REGLET__GLOB_NONE), 0,
                    2 * strlen(alternatives) * sizeof name);
}

static void steps__the_worst_pattern_stops_when_they_are_used_up(void **state) {
    (void)state;
    char pattern[REGLET__MAX_PATTERN + 1], path[REGLET__MAX_PATH];
    for (size_t i = 0; i < REGLET__MAX_PATTERN; i++)
        pattern[i] = i % 2 ? 'a' : '*';
    pattern[REGLET__MAX_PATTERN] = '\0';
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    size_t steps = 1000;
    assert_int_equal(match_in(pattern, path, &steps), REGLET__GLOB_NONE);
    assert_int_equal(steps, 0);
}

/* A match that is given up half-way must not look like one of the part that was read. */
static void steps__running_out_is_no_match(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"[ab]", "aa"},  {"{a,aa}", "aaa"},     {"?", "a"},   {"*a", "aaaa"}, {"**/x", "a/b/x"},
        {"**/x", "a/b"}, {"**/a/*/b", "a/a/b"}, {"*/b", "a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum reglet__glob_match expected = match(cases[i][0], cases[i][1]);
        size_t needed = steps_of(cases[i][0], cases[i][1], expected);
        for (size_t budget = 0; budget <= needed; budget++) {
            size_t steps = budget;
            assert_int_equal(match_in(cases[i][0], cases[i][1], &steps), REGLET__GLOB_NONE);
        }
        size_t steps = needed + 1;
        assert_int_equal(match_in(cases[i][0], cases[i][1], &steps), expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literal__is_what_comes_before_the_first_wildcard),
        cmocka_unit_test(starts_anywhere__only_with_two_stars_first),
        cmocka_unit_test(parse__malformed_globs_are_refused_at_the_character),
        cmocka_unit_test(parse__longest_pattern_of_the_most_nodes_fits),
        cmocka_unit_test(star__takes_any_characters_of_one_name),
        cmocka_unit_test(question_mark__takes_one_character_not_one_byte),
        cmocka_unit_test(set__takes_one_of_its_characters),
        cmocka_unit_test(braces__take_one_of_their_alternatives),
        cmocka_unit_test(escape__takes_the_character_itself),
        cmocka_unit_test(match__case_counts),
        cmocka_unit_test(two_stars__take_any_number_of_names),
        cmocka_unit_test(match__tells_what_leads_to_a_match),
        cmocka_unit_test(match__agrees_with_the_plain_definition),
        cmocka_unit_test(steps__many_double_stars_against_a_long_path),
        cmocka_unit_test(steps__many_stars_against_a_long_name),
        cmocka_unit_test(steps__the_worst_pattern_stops_when_they_are_used_up),
        cmocka_unit_test(steps__running_out_is_no_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
