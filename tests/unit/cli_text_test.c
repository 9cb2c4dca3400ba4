#define _GNU_SOURCE
#include "tests/unit/test.h"

#include "cli/log.h"
#include "cli/table.h"
#include "cli/term.h"
#include "cli/util.h"

#include <string.h>
#include <unistd.h>

/* ---- term ---- */

static void assert_clean(const char *text, size_t size, const char *expected) {
    _cleanup_free_ char *clean = term_clean(text, size);
    assert_string_equal(clean, expected);
}

static void clean__terminal_escapes_become_visible(void **state) {
    (void)state;
    static const char clipboard[] = "a\x1b]52;c;eA==\x07", c1[] = "\xC2\x9B"
                                                                  "31m";
    assert_clean(clipboard, sizeof clipboard - 1, "a\\x1b]52;c;eA==\\x07");
    assert_clean(c1, sizeof c1 - 1, "\\x9b31m");
    assert_clean("one\r\ntwo\tb\0c\x7f", 12, "one\\r\\ntwo\\tb\\x00c");
}

static void clean__bidirectional_and_invisible_marks_become_visible(void **state) {
    (void)state;
    static const char reversed[] = "gpj.\xE2\x80\xAE"
                                   "exe";
    static const char tag[] = "a\xF3\xA0\x81\x81"
                              "b";
    assert_clean(reversed, sizeof reversed - 1, "gpj.\\u202eexe");
    assert_clean(tag, sizeof tag - 1, "a\\U000e0041b");
    assert_clean("\xE2\x81\xA6\xEF\xBB\xBF", 6, "\\u2066\\ufeff");
}

static void clean__other_writing_stays_and_bad_utf8_does_not(void **state) {
    (void)state;
    assert_clean("Grüße 漢字", strlen("Grüße 漢字"), "Grüße 漢字");
    assert_clean("\xFF\xC0\xAF\xE2\x82", 5, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

static char *json_string(const char *text) {
    char *json = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&json, &size);
    term_write_json_string(out, text);
    fclose(out);
    return json;
}

static void json_string__is_quoted_and_escaped(void **state) {
    (void)state;
    _cleanup_free_ char *json = json_string("a\"b\\c\n\x1b\xE2\x80\xAE\xF3\xA0\x81\x81");
    assert_string_equal(json, "\"a\\\"b\\\\c\\u000a\\u001b\\u202e\\udb40\\udc41\"");
}

/* ---- table ---- */

static char *print(struct table *table) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    table_print(table, out);
    fclose(out);
    table_clear(table);
    return text;
}

static void table__columns_are_aligned_without_spaces_at_the_end(void **state) {
    (void)state;
    struct table table = {.columns = 3};
    static const char *const cells[] = {"größe", "1", "x", "n", "", "", "", "22", ""};
    for (size_t i = 0; i < ARRAY_LEN(cells); i++)
        table_add_text(&table, cells[i]);
    _cleanup_free_ char *text = print(&table);
    assert_string_equal(text, "größe  1   x\nn\n       22\n");
}

static void table__long_values_are_shortened_between_characters(void **state) {
    (void)state;
    struct table table = {.columns = 1};
    char long_value[1002];
    for (size_t i = 0; i < 1000; i += 2)
        memcpy(long_value + 1 + i, "é", 2);
    long_value[0] = 'a';
    table_add(&table, long_value, 1001);
    _cleanup_free_ char *text = print(&table);
    assert_non_null(strstr(text, "éé… (1001 bytes)\n"));
    assert_null(strstr(text, "\xEF\xBF\xBD"));
}

static void table__lines_of_text_stand_below_each_other(void **state) {
    (void)state;
    struct table table = {.columns = 2};
    static const char raw[] = "one\n\x1b[2Jtwo\n\nfour";
    table_add_lines(&table, "raw", raw, sizeof raw - 1);
    _cleanup_free_ char *text = print(&table);
    assert_string_equal(text, "raw  one\n     \\x1b[2Jtwo\n\n     four\n");
}

static void table__members_keep_their_digits_and_strings_lose_their_quotes(void **state) {
    (void)state;
    struct table table = {.columns = 2};
    static const char json[] =
        "{\"big\":18446744073709551615,\"f\":1.10,\"o\":{\"a\":[1,\"}/\\\"\"]},\"l\":[{},[]],"
        "\"s\":\"x,y:\\\"}\",\"t\":true,\"n\":null}";
    table_add_members(&table, json, sizeof json - 1);
    _cleanup_free_ char *text = print(&table);
    assert_string_equal(text, "  big  18446744073709551615\n  f    1.10\n  o    {\"a\":[1,\"}/\\\"\"]}\n"
                              "  l    [{},[]]\n  s    x,y:\"}\n  t    true\n  n    null\n");
}

static void table__members_cannot_steer_the_terminal_and_nul_is_no_end(void **state) {
    (void)state;
    struct table table = {.columns = 2};
    static const char json[] = "{\"\\u001b[2J\":\"a\\u0000b\\u001b\",\"n\":{\"\\u202e\":1}}";
    table_add_members(&table, json, sizeof json - 1);
    _cleanup_free_ char *text = print(&table);
    assert_string_equal(text, "  \\x1b[2J  a\\x00b\\x1b\n  n        {\"\\u202e\":1}\n");
}

static void table__evidence_nested_as_deep_as_the_library_allows_is_shown(void **state) {
    (void)state;
    struct table table = {.columns = 2};
    char json[300] = "{\"a\":";
    memset(json + 5, '[', 99);
    memset(json + 104, ']', 99);
    strcpy(json + 203, "}");
    table_add_members(&table, json, strlen(json));
    _cleanup_free_ char *text = print(&table);
    assert_non_null(strstr(text, "[[[]]]"));
}

/* ---- log ---- */

/* What log_event() writes to standard error. */
static char *logged(enum verbosity verbosity, const reglet_log_event *event) {
    char path[] = "/tmp/reglet-log-XXXXXX";
    int file = mkstemp(path), saved = dup(STDERR_FILENO);
    unlink(path);
    fflush(stderr);
    dup2(file, STDERR_FILENO);
    log_event(&verbosity, event);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    char *text = NULL;
    size_t size = 0;
    lseek(file, 0, SEEK_SET);
    read_all(file, 4096, &text, &size);
    close(file);
    return text;
}

static void log__a_denial_names_the_grant_as_one_shell_word(void **state) {
    (void)state;
    const reglet_log_attr attrs[] = {{"asked", "string", "read /x"},
                                     {"grant", "string", "fs:read:/a;rm -r '~'"}};
    const reglet_log_event event = {
        .source = REGLET_LOG_DENIAL, .plugin = "p", .message = "denied", .attrs = attrs, .attr_count = 2};
    _cleanup_free_ char *text = logged(NORMAL, &event);
    assert_string_equal(
        text, "reglet: denied: p: read /x (grant it with --grant 'fs:read:/a;rm -r '\\''~'\\''')\n");
}

static void log__a_denial_that_no_grant_lifts_gives_the_reason(void **state) {
    (void)state;
    const reglet_log_attr attrs[] = {{"asked", "string", "read /proc/self/mem"},
                                     {"reason", "string", "never granted"}};
    const reglet_log_event event = {
        .source = REGLET_LOG_DENIAL, .plugin = "p", .message = "denied", .attrs = attrs, .attr_count = 2};
    _cleanup_free_ char *text = logged(NORMAL, &event);
    assert_string_equal(text, "reglet: denied: p: read /proc/self/mem (never granted)\n");
}

static void log__a_plugin_cannot_forge_lines_or_escapes(void **state) {
    (void)state;
    const reglet_log_attr attrs[] = {{"k\n", "string", "v w\x1b[2J"}};
    const reglet_log_event event = {.source = REGLET_LOG_PLUGIN,
                                    .level = 2,
                                    .plugin = "p",
                                    .message = "x\nreglet: all is well\x1b[A",
                                    .attrs = attrs,
                                    .attr_count = 1};
    _cleanup_free_ char *text = logged(NORMAL, &event);
    assert_string_equal(text, "[p] INFO+2 x\\nreglet: all is well\\x1b[A k\\n=\"v w\\x1b[2J\"\n");
}

static void log__quiet_shows_errors_only_and_verbose_all(void **state) {
    (void)state;
    static const struct {
        enum verbosity verbosity;
        reglet_log_source source;
        int level;
        const char *expected;
    } cases[] = {
        {QUIET, REGLET_LOG_HOST, REGLET_LOG_WARN, ""},
        {QUIET, REGLET_LOG_HOST, REGLET_LOG_ERROR, "reglet: error: m\n"},
        {QUIET, REGLET_LOG_PLUGIN, REGLET_LOG_ERROR, ""},
        {QUIET, REGLET_LOG_DENIAL, REGLET_LOG_WARN, ""},
        {NORMAL, REGLET_LOG_HOST, REGLET_LOG_DEBUG, ""},
        {NORMAL, REGLET_LOG_STDERR, REGLET_LOG_WARN, "[] stderr: m\n"},
        {VERBOSE, REGLET_LOG_HOST, REGLET_LOG_DEBUG, "reglet: debug: m\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const reglet_log_event event = {.source = cases[i].source, .level = cases[i].level, .message = "m"};
        _cleanup_free_ char *text = logged(cases[i].verbosity, &event);
        assert_string_equal(text, cases[i].expected);
    }
}

/* ---- numbers ---- */

static void duration__is_a_positive_number_and_a_unit(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* 0: refused */
    } cases[] = {
        {"500ms", 500},
        {"5s", 5000},
        {"2m", 120000},
        {"1h", 3600000},
        {"8760h", 31536000000},
        {"8761h", 0},
        {"5", 0},
        {"s", 0},
        {"", 0},
        {"0s", 0},
        {"-1s", 0},
        {"+1s", 0},
        {"1.5s", 0},
        {"5 s", 0},
        {" 5s", 0},
        {"5s ", 0},
        {"05s", 0},
        {"0x5s", 0},
        {"5S", 0},
        {"1m30s", 0},
        {"5sec", 0},
        {"5ns", 0},
        {"9223372036854775807ms", 0},
        {"9223372036854775808ms", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = 0;
        if (parse_duration(cases[i].text, &ms) != (cases[i].ms != 0))
            fail_msg("\"%s\" is %s", cases[i].text, cases[i].ms ? "refused" : "accepted");
        assert_int_equal(ms, cases[i].ms);
    }
}

static void guess__near_words_only(void **state) {
    (void)state;
    static const char *const words[] = {"capabilities", "timeout", "kind"};
    assert_string_equal(closest_word("capabilites", words, 3), "capabilities");
    assert_string_equal(closest_word("time-out", words, 3), "timeout");
    assert_string_equal(closest_word("kin", words, 3), "kind");
    assert_null(closest_word("zebra", words, 3));
    assert_null(closest_word("", words, 3));
    assert_null(closest_word("a-word-much-longer-than-any-key-of-the-table", words, 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean__terminal_escapes_become_visible),
        cmocka_unit_test(clean__bidirectional_and_invisible_marks_become_visible),
        cmocka_unit_test(clean__other_writing_stays_and_bad_utf8_does_not),
        cmocka_unit_test(json_string__is_quoted_and_escaped),
        cmocka_unit_test(table__columns_are_aligned_without_spaces_at_the_end),
        cmocka_unit_test(table__long_values_are_shortened_between_characters),
        cmocka_unit_test(table__lines_of_text_stand_below_each_other),
        cmocka_unit_test(table__members_keep_their_digits_and_strings_lose_their_quotes),
        cmocka_unit_test(table__members_cannot_steer_the_terminal_and_nul_is_no_end),
        cmocka_unit_test(table__evidence_nested_as_deep_as_the_library_allows_is_shown),
        cmocka_unit_test(log__a_denial_names_the_grant_as_one_shell_word),
        cmocka_unit_test(log__a_denial_that_no_grant_lifts_gives_the_reason),
        cmocka_unit_test(log__a_plugin_cannot_forge_lines_or_escapes),
        cmocka_unit_test(log__quiet_shows_errors_only_and_verbose_all),
        cmocka_unit_test(duration__is_a_positive_number_and_a_unit),
        cmocka_unit_test(guess__near_words_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
