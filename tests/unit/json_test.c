/* The JSON reader against what a hostile guest may send, and the writer. */
#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/json_scan.h"
#include "util/limits.h"

/* Reads and prints again; "<what> at N" when it is no JSON. Freed by the caller. */
static char *reprint(const char *bytes, size_t size) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__json_fault fault;
    struct reglet__json *root = NULL;
    char text[256];
    reglet_status status = reglet__json_read(&arena, bytes, size, &root, &fault);
    if (status != REGLET_OK) {
        snprintf(text, sizeof text, "%s at %zu", fault.what ? fault.what : "no memory", fault.at);
        return strdup(text);
    }
    return strdup(reglet__json_print(&arena, root, NULL));
}

static void assert_reads_n(const char *bytes, size_t size, const char *expected) {
    char *actual = reprint(bytes, size);
    assert_string_equal(actual, expected);
    free(actual);
}

static void assert_reads(const char *bytes, const char *expected) {
    assert_reads_n(bytes, strlen(bytes), expected);
}

static void read__every_kind_of_value_comes_back(void **state) {
    (void)state;
    assert_reads(" {\"a\" : [1, -2.50, 1E+5, true, false, null, \"x\"] , \"b\":{} , \"c\":[ ]}\r\n\t",
                 "{\"a\":[1,-2.50,1E+5,true,false,null,\"x\"],\"b\":{},\"c\":[]}");
}

static void read__numbers_keep_their_text(void **state) {
    (void)state;
    assert_reads("[0.1,1.0,100,1e999,-0,-0.0,0.10000000000000000555,1E5]",
                 "[0.1,1.0,100,1e999,0,-0.0,0.10000000000000000555,1E5]"); /* the integer -0 is 0 */
}

static void read__integers_of_64_bits_pass_and_larger_ones_are_refused_where_they_stand(void **state) {
    (void)state;
    assert_reads("[18446744073709551615,-9223372036854775808]",
                 "[18446744073709551615,-9223372036854775808]");
    assert_reads("[18446744073709551616]", "an integer that does not fit into 64 bits at 1");
    assert_reads("[-9223372036854775809]", "an integer that does not fit into 64 bits at 1");
    assert_reads("{\"a\":100000000000000000000000}", "an integer that does not fit into 64 bits at 5");
}

static void assert_none_is_read(const char *const texts[], size_t count) {
    for (size_t i = 0; i < count; i++) {
        char *actual = reprint(texts[i], strlen(texts[i]));
        if (!strstr(actual, " at "))
            fail_msg("\"%s\" was read as %s", texts[i], actual);
        free(actual);
    }
}

static void read__what_is_not_in_the_rfc_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",           " ",        "NaN",           "[NaN]",   "Infinity", "-Infinity", "'a'",
        "{'a':1}",    "// x\n1",  "/**/1",         "1 2",     "{} x",     "[1,]",      "[,1]",
        "{\"a\":1,}", "{a:1}",    "{\"a\" 1}",     "[1 2]",   "01",       "-01",       "+1",
        ".5",         "1.",       "1.e5",          "1e",      "1e+",      "-",         "0x10",
        "tru",        "TRUE",     "nul",           "nullx",   "[",        "{",         "\"",
        "\"\\",       "[1",       "{\"a\":",       "\"\\u12", "{\"a",     "\"\\q\"",   "\"\\u12g4\"",
        "\"a\nb\"",   "\"\x01\"", "\xEF\xBB\xBF{}"};
    assert_none_is_read(bad, ARRAY_LEN(bad));
}

static void read__what_other_readers_take_even_when_strict_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "[00]",        "[-01]",    "[1.]",    "[1.e5]",       "[-NaN]",   "[nan]",      "[Infinity]",
        "[-Infinity]", "{'a':1 }", "[1,'a']", "{\"a\tb\":1}", "[\"\n\"]", "[\"\\\n\"]", "[-]",
        "[1]]",        "]",        "[1}",     "\v1",          "[1\f]",    "1\v",        "{\"a\":1}/"};
    assert_none_is_read(bad, ARRAY_LEN(bad));
}

static void read__a_nul_byte_between_values_ends_nothing(void **state) {
    (void)state;
    assert_reads_n("{}\0{}", 5, "expected a value at 2");
    assert_reads_n("[1,\0]", 5, "expected a value at 3");
    assert_reads_n("1\0", 2, "expected a digit at 1");
    assert_reads_n("-1.5e5\0}", 8, "expected a digit at 6");
    assert_reads_n("true\0}", 6, "expected a value at 0");
    assert_reads_n("\"a\0b\"", 5, "a raw control character in a string at 2");
    assert_reads_n("\0", 1, "expected a value at 0");
}

static void read__strings_keep_nul(void **state) {
    (void)state;
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__json_fault fault;
    struct reglet__json *root = NULL;
    const char text[] = "{\"s\":\"a\\u0000b\"}";
    assert_int_equal(reglet__json_read(&arena, text, strlen(text), &root, &fault), REGLET_OK);
    assert_int_equal(root->first->size, 3);
    assert_memory_equal(root->first->text, "a\0b", 4);
    assert_reads(text, text);
}

/* A reader that cuts the key would find "status" there. */
static void read__a_key_with_nul_cannot_pass_for_another(void **state) {
    (void)state;
    assert_reads("{\"status\\u0000x\":1}", "a NUL character in a key at 8");
    assert_reads("{\"\\u0000\" \t:1}", "a NUL character in a key at 2");
    assert_reads("{\"\\ud800\\u0000\":1}", "a NUL character in a key at 8");
    assert_reads("{\"\\\\u0000\":1}", "{\"\\\\u0000\":1}");
}

static void read__escapes_become_characters(void **state) {
    (void)state;
    assert_reads("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e4\\u20AC\\ud83d\\ude00\"",
                 "\"\\\"\\\\/\\b\\f\\n\\r\\tA\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"");
}

static void read__lone_surrogates_and_invalid_utf8_become_replacement_characters(void **state) {
    (void)state;
#define FFFD "\xEF\xBF\xBD"
    assert_reads("\"\\ud800\"", "\"" FFFD "\"");
    assert_reads("\"\\ud800\\u0041\"", "\"" FFFD "A\"");
    assert_reads("\"\\ud800\\ud800\\udc00\"", "\"" FFFD "\xF0\x90\x80\x80\"");
    assert_reads("\"\\udc00x\"", "\"" FFFD "x\"");
    assert_reads("\"\\ud800\\n\"", "\"" FFFD "\\n\"");
    assert_reads("{\"\xFF\":\"a\xC3\"}", "{\"" FFFD "\":\"a" FFFD "\"}");
    assert_reads("\"\xED\xA0\x80\"", "\"" FFFD FFFD FFFD "\"");
#undef FFFD
}

static void read__of_duplicate_keys_the_last_one_stays(void **state) {
    (void)state;
    assert_reads("{\"a\":1,\"b\":2,\"a\":{\"c\":3,\"c\":4},\"A\":5,\"\\u0061\":6}",
                 "{\"a\":6,\"b\":2,\"A\":5}");
    assert_reads("{\"\":1,\"\":2}", "{\"\":2}");
}

static void read__of_many_members_the_last_of_each_key_stays_where_the_first_was(void **state) {
    (void)state;
    char text[8000] = "{", expected[8000] = "{";
    size_t size = 1, expected_size = 1;
    for (int i = 0; i < 300; i++)
        size += (size_t)sprintf(text + size, "%s\"k%d\":%d", i ? "," : "", i % 100, i);
    for (int i = 0; i < 100; i++)
        expected_size += (size_t)sprintf(expected + expected_size, "%s\"k%d\":%d", i ? "," : "", i, 200 + i);
    strcpy(text + size, "}");
    strcpy(expected + expected_size, "}");
    assert_reads(text, expected);
}

/* What is large is scanned before it is read, what is small only when it was refused: that is not to be seen. */
static void read__a_fault_is_the_same_in_a_large_text(void **state) {
    (void)state;
    static const char *const bad[] = {"1,]",  "\"\\q\"]", "{\"a\":01}]", "\"\n\"]", "{\"\\u0000\":1}]", "[}]",
                                      "nul]", "1"};
    enum { SPACE = 100000 };
    static char text[SPACE + 20];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char expected[256], small[64];
        snprintf(small, sizeof small, "[%s", bad[i]);
        char *told = reprint(small, strlen(small));
        unsigned long at = strtoul(strrchr(told, ' '), NULL, 10);
        snprintf(expected, sizeof expected, "%.*s %lu", (int)(strrchr(told, ' ') - told), told, at + SPACE);
        free(told);
        memset(text, ' ', SPACE);
        strcpy(text + SPACE, small);
        assert_reads(text, expected);
    }
}

/* The reader refuses exactly what the scan can explain. Texts are damaged at random, always the same ones. */
static void read__and_the_scan_agree(void **state) {
    (void)state;
    static const char sound[] =
        "{\"a\":[1,-2.5e+3,\"x\\u00e4\\n\",{\"b\":null,\"\":[true,false]}],\"c\":\"\\ud83d\\ude00\"} ";
    static const char pieces[] = "{}[]:,\"\\u0019aeE+-. \n\tntf\x01";
    unsigned random = 1, good = 0;
    for (int i = 0; i < 50000; i++) {
        char text[sizeof sound];
        memcpy(text, sound, sizeof text);
        for (unsigned changes = 1 + (random >> 20) % 3; changes > 0; changes--) {
            random = random * 1664525 + 1013904223;
            text[(random >> 8) % (sizeof sound - 1)] = pieces[(random >> 20) % (sizeof pieces - 1)];
        }
        _cleanup_arena_ struct reglet__arena arena = {0};
        struct reglet__json_fault fault;
        struct reglet__json *root = NULL;
        bool scanned = reglet__json_scan(text, sizeof text - 1, &fault);
        bool read = reglet__json_read(&arena, text, sizeof text - 1, &root, &fault) == REGLET_OK;
        if (scanned != read)
            fail_msg("%s is %s, and the scan %s", text, read ? "read" : "refused",
                     scanned ? "takes it" : "does not");
        good += read;
    }
    assert_in_range(good, 500, 49500);
}

/* `count` times `piece`, between `head` and `tail`. */
static char *repeated(const char *head, const char *piece, size_t count, const char *tail, size_t *size) {
    size_t head_size = strlen(head), piece_size = strlen(piece);
    char *text = malloc(head_size + count * piece_size + strlen(tail) + 1);
    assert_non_null(text);
    memcpy(text, head, head_size + 1);
    for (size_t i = 0; i < count; i++)
        memcpy(text + head_size + i * piece_size, piece, piece_size + 1);
    strcpy(text + head_size + count * piece_size, tail);
    *size = strlen(text);
    return text;
}

static void read__nesting_up_to_the_limit_and_no_deeper(void **state) {
    (void)state;
    size_t size;
    char text[2 * REGLET__JSON_DEPTH + 3];
    memset(text, '[', REGLET__JSON_DEPTH);
    memset(text + REGLET__JSON_DEPTH, ']', REGLET__JSON_DEPTH);
    text[2 * REGLET__JSON_DEPTH] = '\0';
    assert_reads(text, text);
    char *deep = repeated("", "[", 64 << 20, "", &size);
    assert_reads_n(deep, size, "nested deeper than the host takes at 100");
    free(deep);
    deep = repeated("", "{\"a\":", 100000, "", &size);
    assert_reads_n(deep, size, "nested deeper than the host takes at 500");
    free(deep);
}

static void read__many_values_up_to_the_limit_and_no_more(void **state) {
    (void)state;
    size_t size;
    char *flood = repeated("[", "0,", (32 << 20) - 2, "0]", &size);
    assert_reads_n(flood, size, "more values than the host takes at 1999999");
    free(flood);
    flood = repeated("[", "{},", REGLET__JSON_VALUES - 1, "{}]", &size);
    assert_reads_n(flood, size, "more values than the host takes at 2999998");
    free(flood);
    flood = repeated("[", "0,", REGLET__JSON_VALUES - 2, "0]", &size); /* the array is a value as well */
    assert_reads_n(flood, size, flood);
    free(flood);
}

/* Three bytes of a guest's would become more than 800 of the host's. */
static void read__a_flood_of_objects_is_refused_before_memory_is_spent(void **state) {
    (void)state;
    size_t size;
    char *flood = repeated("[", "{},", REGLET__JSON_VALUES - 2, "{}]", &size);
    assert_reads_n(flood, size, "more objects and values than the host takes at 2999998");
    free(flood);
    flood = repeated("[", "{},", 400000, "{}]", &size);
    assert_reads_n(flood, size, flood);
    free(flood);
}

static void read__one_string_may_fill_the_largest_answer(void **state) {
    (void)state;
    size_t size;
    char *text = repeated("\"", "x", (size_t)REGLET__MAX_RESULT_BYTES - 2, "\"", &size);
    assert_reads_n(text, size, text);
    free(text);
}

static void read__a_text_that_replacing_makes_too_large_is_refused(void **state) {
    (void)state;
    size_t size;
    char *text = repeated("\"", "\xFF", 30 << 20, "\"", &size);
    assert_reads_n(text, size, "larger than the host takes at 67108864");
    free(text);
}

static void read__a_million_equal_keys_end_soon(void **state) {
    (void)state;
    size_t size;
    char *text = repeated("{", "\"k\":1,", 900000, "\"k\":2}", &size);
    assert_reads_n(text, size, "{\"k\":2}");
    free(text);
}

static void print__what_steers_a_terminal_is_escaped_and_comes_back(void **state) {
    (void)state;
    const char *text = "\"\x1B]52;c;\x07\xC2\x9B\x7F\xE2\x80\xAE\xE2\x80\xA8\"";
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__json string = {
        .text = text + 1, .size = (uint32_t)strlen(text) - 2, .type = REGLET__JSON_STRING};
    char *printed = reglet__json_print(&arena, &string, NULL);
    assert_string_equal(printed, "\"\\u001b]52;c;\\u0007\\u009b\\u007f\\u202e\\u2028\"");
    struct reglet__json *again = NULL;
    struct reglet__json_fault fault;
    assert_int_equal(reglet__json_read(&arena, printed, strlen(printed), &again, &fault), REGLET_OK);
    assert_int_equal(again->size, string.size);
    assert_memory_equal(again->text, string.text, string.size);
}

static void prefix__never_cuts_a_character_or_an_escape(void **state) {
    (void)state;
    const char *text = "a\xE2\x82\xAC\x01"
                       "b"; /* 1, 3 and, as an escape, 6 bytes */
    assert_int_equal(reglet__json_prefix(text, strlen(text), 0), 0);
    assert_int_equal(reglet__json_prefix(text, strlen(text), 3), 1);
    assert_int_equal(reglet__json_prefix(text, strlen(text), 4), 4);
    assert_int_equal(reglet__json_prefix(text, strlen(text), 9), 4);
    assert_int_equal(reglet__json_prefix(text, strlen(text), 10), 5);
    assert_int_equal(reglet__json_prefix(text, strlen(text), 99), 6);
}

static void get_any_case__the_last_match_wins(void **state) {
    (void)state;
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__json_fault fault;
    struct reglet__json *root = NULL;
    const char *text = "{\"Status\":1,\"STATUS\":2,\"status_\":3,\"statu\":4}";
    assert_int_equal(reglet__json_read(&arena, text, strlen(text), &root, &fault), REGLET_OK);
    const struct reglet__json *found = reglet__json_get_any_case(root, "status");
    assert_non_null(found);
    assert_int_equal(found->text[0], '2');
    assert_null(reglet__json_get(root, "status"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__every_kind_of_value_comes_back),
        cmocka_unit_test(read__numbers_keep_their_text),
        cmocka_unit_test(read__integers_of_64_bits_pass_and_larger_ones_are_refused_where_they_stand),
        cmocka_unit_test(read__what_is_not_in_the_rfc_is_refused),
        cmocka_unit_test(read__what_other_readers_take_even_when_strict_is_refused),
        cmocka_unit_test(read__a_nul_byte_between_values_ends_nothing),
        cmocka_unit_test(read__strings_keep_nul),
        cmocka_unit_test(read__a_key_with_nul_cannot_pass_for_another),
        cmocka_unit_test(read__escapes_become_characters),
        cmocka_unit_test(read__lone_surrogates_and_invalid_utf8_become_replacement_characters),
        cmocka_unit_test(read__of_duplicate_keys_the_last_one_stays),
        cmocka_unit_test(read__of_many_members_the_last_of_each_key_stays_where_the_first_was),
        cmocka_unit_test(read__a_fault_is_the_same_in_a_large_text),
        cmocka_unit_test(read__and_the_scan_agree),
        cmocka_unit_test(read__nesting_up_to_the_limit_and_no_deeper),
        cmocka_unit_test(read__many_values_up_to_the_limit_and_no_more),
        cmocka_unit_test(read__a_flood_of_objects_is_refused_before_memory_is_spent),
        cmocka_unit_test(read__one_string_may_fill_the_largest_answer),
        cmocka_unit_test(read__a_text_that_replacing_makes_too_large_is_refused),
        cmocka_unit_test(read__a_million_equal_keys_end_soon),
        cmocka_unit_test(print__what_steers_a_terminal_is_escaped_and_comes_back),
        cmocka_unit_test(prefix__never_cuts_a_character_or_an_escape),
        cmocka_unit_test(get_any_case__the_last_match_wins),
    };
    /* simdjson would ask for it, and read nothing any more. */
    setenv("SIMDJSON_FORCE_IMPLEMENTATION", "none", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
