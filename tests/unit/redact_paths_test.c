/* Redaction paths: what they match, and what is no path. */
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redact/paths.h"
#include "util/limits.h"

static struct reglet__redact_paths *paths_of(const char *const *texts, size_t count) {
    struct reglet__redact_paths *paths = NULL;
    reglet_error *error = NULL;
    if (reglet__redact_paths_new(texts, count, &paths, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    return paths;
}

/* A place as "name/name/#2": each step by itself. */
static bool matches_all(const struct reglet__redact_paths *paths, const char *place) {
    uint64_t places[2][(REGLET__MAX_REDACT_PATH_SEGMENTS + 63) / 64], *from = NULL;
    bool named = false;
    for (unsigned turn = 0; place; turn ^= 1) {
        size_t size = strcspn(place, "/");
        named = place[0] == '#' ? reglet__redact_paths_enter_index(
                                      paths, from, (size_t)strtoul(place + 1, NULL, 10), places[turn])
                                : reglet__redact_paths_enter(paths, from, place, size, places[turn]);
        from = places[turn];
        place = place[size] ? place + size + 1 : NULL;
    }
    return named;
}

static bool matches(const char *path, const char *place) {
    struct reglet__redact_paths *paths = paths_of(&path, 1);
    bool named = matches_all(paths, place);
    reglet__redact_paths_free(paths);
    return named;
}

static void path__matches_the_last_names_of_a_place(void **state) {
    (void)state;
    assert_true(matches("password", "password"));
    assert_true(matches("password", "user/password"));
    assert_true(matches("password", "users/#3/password"));
    assert_true(matches("db.password", "a/db/password"));
    assert_false(matches("db.password", "db/a/password"));
    assert_false(matches("password", "password/of"));
}

static void path__names_match_as_a_whole_and_in_any_case(void **state) {
    (void)state;
    assert_true(matches("password", "Password"));
    assert_true(matches("PassWord", "PASSWORD"));
    assert_false(matches("password", "db_password"));
    assert_false(matches("password", "password2"));
    assert_false(matches("pass", "password"));
    assert_false(matches("\303\204", "\303\244")); /* only ASCII has case here */
}

static void path__star_is_one_name_or_index(void **state) {
    (void)state;
    assert_true(matches("db.credentials.*", "db/credentials/user"));
    assert_true(matches("db.credentials.*", "x/db/credentials/#0"));
    assert_false(matches("db.credentials.*", "db/credentials"));
    assert_false(matches("db.credentials.*", "db/credentials/a/b"));
    assert_true(matches("a.*.c", "a/b/c"));
    assert_true(matches("a.*.c", "a/#1/c"));
    assert_false(matches("a.*.c", "a/c"));
    assert_false(matches("a.*.c", "a/b/b/c"));
    assert_true(matches("*", "anything"));
}

static void path__index_is_no_name(void **state) {
    (void)state;
    assert_true(matches("list[2]", "list/#2"));
    assert_false(matches("list[2]", "list/#3"));
    assert_false(matches("list[2]", "list/2"));
    assert_false(matches("list.2", "list/#2"));
    assert_true(matches("list.2", "list/2"));
    assert_true(matches("items[*].token", "items/#7/token"));
    assert_false(matches("items[*].token", "items/x/token"));
    assert_false(matches("items[*].token", "items/token"));
    assert_true(matches("[*][0]", "a/#5/#0"));
}

static void path__quoted_names_may_hold_anything(void **state) {
    (void)state;
    assert_true(matches("[\"db.example\"].token", "x/db.example/token"));
    assert_false(matches("[\"db.example\"].token", "db/example/token"));
    assert_true(matches("a[\"*\"]", "a/*"));
    assert_false(matches("a[\"*\"]", "a/b"));
    assert_true(matches("[\"a\\\"b\\\\\"]", "a\"b\\"));
    assert_true(matches("[\"\"]", ""));
}

static void paths__do_not_run_into_each_other(void **state) {
    (void)state;
    const char *const texts[] = {"a.b", "c.d", "e"};
    struct reglet__redact_paths *paths = paths_of(texts, 3);
    assert_true(matches_all(paths, "a/b"));
    assert_true(matches_all(paths, "a/b/c/d"));
    assert_true(matches_all(paths, "a/b/e"));
    assert_false(matches_all(paths, "a/b/c"));
    assert_false(matches_all(paths, "b/d"));
    assert_false(matches_all(paths, "a/d"));
    reglet__redact_paths_free(paths);
}

static void paths__thousands_match_as_one_does(void **state) {
    (void)state;
    enum { COUNT = REGLET__MAX_REDACT_PATH_SEGMENTS / 4 };
    static char texts[COUNT][32];
    static const char *list[COUNT];
    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "a.n%d.*[%d]", i, i);
        list[i] = texts[i];
    }
    struct reglet__redact_paths *paths = paths_of(list, COUNT);
    for (int i = 0; i < COUNT; i++) {
        char place[64];
        snprintf(place, sizeof place, "x/a/n%d/y/#%d", i, i);
        assert_true(matches_all(paths, place));
        snprintf(place, sizeof place, "x/a/n%d/y/#%d", i, i + 1);
        assert_false(matches_all(paths, place));
    }
    reglet__redact_paths_free(paths);
}

static void attribute__is_matched_by_its_name_or_the_names_between_its_dots(void **state) {
    (void)state;
    const char *const texts[] = {"db.password", "[\"a.b\"]", "token"};
    struct reglet__redact_paths *paths = paths_of(texts, 3);
    assert_true(reglet__redact_paths_name(paths, "token"));
    assert_true(reglet__redact_paths_name(paths, "user.Token"));
    assert_true(reglet__redact_paths_name(paths, "x.db.password"));
    assert_true(reglet__redact_paths_name(paths, "a.b"));
    assert_false(reglet__redact_paths_name(paths, "password"));
    assert_false(reglet__redact_paths_name(paths, "token.of"));
    assert_false(reglet__redact_paths_name(paths, ""));
    reglet__redact_paths_free(paths);
}

static void bad_path__is_refused_with_its_character(void **state) {
    (void)state;
    static const struct {
        const char *path;
        ptrdiff_t at;
        const char *message;
    } bad[] = {
        {"", 0, "a path has at least one name"},
        {"a..b", 2, "a name belongs here"},
        {".a", 0, "a name belongs here"},
        {"a.", 2, "a name belongs here"},
        {"a[", 2, "a number, * or a quoted name belongs here"},
        {"a[]", 2, "a number, * or a quoted name belongs here"},
        {"a[-1]", 2, "a number, * or a quoted name belongs here"},
        {"a[1", 3, "\"]\" belongs here"},
        {"a[01]", 2, "an index has no leading zero"},
        {"a[99999999999999999999]", 2, "no list has so many elements"},
        {"a[*", 3, "\"]\" belongs here"},
        {"a[1]b", 4, "\".\", \"[\" or the end belongs here"},
        {"a*", 1, "in a name this has to be quoted, as in [\"a*b\"]"},
        {"*a", 1, "* stands for a whole name"},
        {"**", 1, "* stands for a whole name"},
        {"a\"b", 1, "in a name this has to be quoted"},
        {"a]", 1, "in a name this has to be quoted"},
        {"[\"a", 3, "a quoted name ends with \"]"},
        {"[\"a\"", 4, "a quoted name ends with \"]"},
        {"[\"\\n\"]", 3, "behind \\ in a quoted name only \" or \\ may stand"},
        {"$.a", 0, "a path matches at any depth; leave \"$\" out"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct reglet__redact_paths *paths = NULL;
        reglet_error *error = NULL;
        assert_int_equal(reglet__redact_paths_new(&bad[i].path, 1, &paths, &error),
                         REGLET_ERR_INVALID_ARGUMENT);
        assert_null(paths);
        if (!strstr(reglet_error_message(error), bad[i].message) || reglet_error_offset(error) != bad[i].at)
            fail_msg("%s: \"%s\" at %td", bad[i].path, reglet_error_message(error),
                     reglet_error_offset(error));
        reglet_error_free(error);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path__matches_the_last_names_of_a_place),
        cmocka_unit_test(path__names_match_as_a_whole_and_in_any_case),
        cmocka_unit_test(path__star_is_one_name_or_index),
        cmocka_unit_test(path__index_is_no_name),
        cmocka_unit_test(path__quoted_names_may_hold_anything),
        cmocka_unit_test(paths__do_not_run_into_each_other),
        cmocka_unit_test(paths__thousands_match_as_one_does),
        cmocka_unit_test(attribute__is_matched_by_its_name_or_the_names_between_its_dots),
        cmocka_unit_test(bad_path__is_refused_with_its_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
