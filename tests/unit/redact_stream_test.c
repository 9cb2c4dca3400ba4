#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include <reglet/redactor.h>
#include <reglet/runtime.h>

#include "redact/redact.h"
#include "tests/unit/failing_memory.h"
#include "util/cleanup.h"

#define SECRET "correct-horse/battery+staple="
#define TOKEN  "key-ABCDEFGHIJKLMNOPQRST"

enum { HOLD = REGLET_REDACT_HOLD_BYTES };

/* ---- a redactor, and what comes out of its streams ---- */

static reglet_redactor *new_redactor(bool hashes) {
    static const char *const patterns[] = {
        "\\bkey-[A-Z]{20}\\b",                                 /* looks at what stands before and behind */
        "password *[=:] *\"?([^\\s\"]{4,200})",                /* a name before, a group */
        "-----BEGIN SEAL-----[A-Za-z0-9+/=\\s]*-----END SEAL", /* many lines */
        "\\beyJ[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+",
    };
    const reglet_secret secret = {SECRET, strlen(SECRET)};
    reglet_redactor_options options = REGLET_REDACTOR_OPTIONS_INIT;
    options.no_builtin_rules = true;
    options.patterns = patterns;
    options.pattern_count = ARRAY_LEN(patterns);
    options.secrets = &secret;
    options.secret_count = 1;
    options.hash_salt = hashes ? "0123456789abcdef" : NULL;
    options.hash_salt_size = hashes ? 16 : 0;
    reglet_redactor *redactor = NULL;
    reglet_error *error = NULL;
    if (reglet_redactor_new(&options, &redactor, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    return redactor;
}

struct output {
    char *text;
    size_t size, room;
    long fail_after; /* this many writes; below 0: never */
    bool keep;       /* false: counted alone */
};

static reglet_status collect(void *user_data, const char *text, size_t size) {
    struct output *output = user_data;
    if (output->fail_after == 0)
        return REGLET_ERR_IO;
    output->fail_after -= output->fail_after > 0;
    if (output->keep && output->size + size > output->room) {
        output->room = 2 * (output->size + size);
        output->text = realloc(output->text, output->room);
        assert_non_null(output->text);
    }
    if (output->keep)
        memcpy(output->text + output->size, text, size);
    output->size += size;
    return REGLET_OK;
}

static reglet_redact_stream *new_stream(reglet_redactor *redactor, struct output *output) {
    reglet_redact_stream *stream = NULL;
    assert_int_equal(reglet_redact_stream_new(redactor, collect, output, &stream, NULL), REGLET_OK);
    return stream;
}

static const struct output kept = {.fail_after = -1, .keep = true};

/* What comes out of pieces that end at `cuts`. */
static struct output redact_pieces(reglet_redactor *redactor, const char *text, size_t size,
                                   const size_t *cuts, size_t count) {
    struct output output = kept;
    reglet_redact_stream *stream = new_stream(redactor, &output);
    size_t at = 0;
    for (size_t i = 0; i <= count; i++) {
        size_t end = i < count ? cuts[i] : size;
        assert_int_equal(reglet_redact_stream_write(stream, text + at, end - at), REGLET_OK);
        at = end;
    }
    assert_int_equal(reglet_redact_stream_end(stream), REGLET_OK);
    reglet_redact_stream_free(stream);
    return output;
}

static struct output redact_whole(reglet_redactor *redactor, const char *text, size_t size) {
    struct output output = kept;
    assert_int_equal(reglet_redactor_redact(redactor, text, size, &output.text, &output.size, NULL),
                     REGLET_OK);
    return output;
}

static void require_same(const struct output *found, const struct output *expected) {
    size_t at = 0;
    while (at < found->size && at < expected->size && found->text[at] == expected->text[at])
        at++;
    if (at == found->size && at == expected->size)
        return;
    size_t from = at > 60 ? at - 60 : 0;
    fail_msg("differs at byte %zu: \"%.*s\", not \"%.*s\" (%zu bytes, not %zu)", at,
             (int)(found->size - from > 120 ? 120 : found->size - from), found->text + from,
             (int)(expected->size - from > 120 ? 120 : expected->size - from), expected->text + from,
             found->size, expected->size);
}

static void require_pieces_as_whole(reglet_redactor *redactor, const char *text, size_t size,
                                    const size_t *cuts, size_t count) {
    struct output whole = redact_whole(redactor, text, size);
    struct output pieces = redact_pieces(redactor, text, size, cuts, count);
    require_same(&pieces, &whole);
    free(whole.text);
    free(pieces.text);
}

/* Text that holds nothing secret. */
static void fill(char *out, size_t size) {
    static const char words[] = "nothing to be seen here, 2024-11-23 level=info\n";
    for (size_t i = 0; i < size; i++)
        out[i] = words[i % (sizeof words - 1)];
}

static bool holds(const struct output *output, const char *text) {
    return output->size > 0 && memmem(output->text, output->size, text, strlen(text));
}

/* ---- splits ---- */

static const char *const lines[] = {
    "a known value " SECRET " in a line\n",
    "a pattern " TOKEN " in a line\n",
    "its group alone: password = \"tr0ub4dor&3\" in a line\n",
    "touching: " SECRET TOKEN " and x" TOKEN ", which is none\n",
};

static void two_pieces__every_split_is_as_the_whole(void **state) {
    (void)state;
    reglet_redactor *redactor = new_redactor(false);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        for (size_t cut = 0; cut <= strlen(lines[i]); cut++)
            require_pieces_as_whole(redactor, lines[i], strlen(lines[i]), &cut, 1);
    struct output output = redact_whole(redactor, lines[0], strlen(lines[0]));
    assert_true(holds(&output, "a known value [REDACTED] in a line\n"));
    free(output.text);
    reglet_redactor_unref(redactor);
}

static void three_pieces__every_pair_of_splits_is_as_the_whole(void **state) {
    (void)state;
    reglet_redactor *redactor = new_redactor(false);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        size_t size = strlen(lines[i]);
        for (size_t first = 0; first <= size; first++)
            for (size_t second = first; second <= size; second++)
                require_pieces_as_whole(redactor, lines[i], size, (size_t[]){first, second}, 2);
    }
    reglet_redactor_unref(redactor);
}

/* Where the stream itself cuts: what is let go ends HOLD bytes before what was written. */
static void cut_of_the_stream__no_position_of_a_secret_is_cut(void **state) {
    (void)state;
    enum { SIZE = 5 * HOLD };
    reglet_redactor *redactor = new_redactor(false);
    _cleanup_free_ char *text = malloc(SIZE);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        size_t length = strlen(lines[i]);
        for (size_t before = HOLD - length - 1; before <= HOLD + 1; before++) {
            fill(text, SIZE);
            memcpy(text + before, lines[i], length);
            const size_t cuts[] = {2 * HOLD, 3 * HOLD};
            require_pieces_as_whole(redactor, text, SIZE, cuts, 2);
        }
    }
    reglet_redactor_unref(redactor);
}

static void single_bytes__a_long_text_is_as_the_whole(void **state) {
    (void)state;
    enum { SIZE = 64 * 1024 + 77 };
    reglet_redactor *redactor = new_redactor(false);
    _cleanup_free_ char *text = malloc(SIZE);
    _cleanup_free_ size_t *cuts = malloc(SIZE * sizeof *cuts);
    fill(text, SIZE);
    for (size_t at = 100, i = 0; at + 200 < SIZE; at += 1777, i++)
        memcpy(text + at, lines[i % ARRAY_LEN(lines)], strlen(lines[i % ARRAY_LEN(lines)]));
    for (size_t i = 0; i < SIZE; i++)
        cuts[i] = i;
    require_pieces_as_whole(redactor, text, SIZE, cuts, SIZE);
    reglet_redactor_unref(redactor);
}

/* ---- random texts ---- */

static uint64_t next_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* Secrets whole, cut, repeated and touching, between words, line breaks and bytes that are no text. */
static size_t random_text(uint64_t *state, char *out, size_t room) {
    static const char *const parts[] = {
        SECRET,
        TOKEN,
        "password=",
        "password: \"hunter2-hunter2\"",
        "key-",
        "ABCDEFGHIJ",
        "\n",
        " ",
        "\xff\xfe\xc3",
        "x",
        "-----BEGIN SEAL-----\nAAAA\nBBBB\n-----END SEAL",
        "-----BEGIN SEAL-----\n",
        "correct-horse/",
        "battery+staple=",
        "[REDACTED]",
        "lorem ipsum dolor sit amet ",
        "eyJhbGci.eyJzdWIi.c2ln",
        ".",
        "eyJ",
    };
    size_t size = 0;
    for (;;) {
        const char *part = parts[next_random(state) % ARRAY_LEN(parts)];
        if (size + strlen(part) > room)
            return size;
        memcpy(out + size, part, strlen(part));
        size += strlen(part);
        size_t filler = next_random(state) % 40 == 0 ? next_random(state) % 9000 : 0;
        if (size + filler < room) {
            fill(out + size, filler);
            size += filler;
        }
    }
}

static int by_size(const void *a, const void *b) {
    return *(const size_t *)a < *(const size_t *)b ? -1 : *(const size_t *)a > *(const size_t *)b;
}

static void random_texts__splits_give_what_the_whole_gives(void **state) {
    (void)state;
    enum { MOST = 100 * 1024, CUTS = 12 };
    reglet_redactor *redactor = new_redactor(false);
    _cleanup_free_ char *text = malloc(MOST);
    uint64_t seed = 20241123;
    for (int round = 0; round < 150; round++) {
        size_t size = random_text(&seed, text, 1 + next_random(&seed) % MOST), cuts[CUTS];
        for (size_t i = 0; i < CUTS; i++)
            cuts[i] = next_random(&seed) % (size + 1);
        qsort(cuts, CUTS, sizeof *cuts, by_size);
        require_pieces_as_whole(redactor, text, size, cuts, CUTS);
    }
    reglet_redactor_unref(redactor);
}

/* ---- secrets that are longer than what is held back ---- */

static size_t write_pieces(reglet_redact_stream *stream, const char *text, size_t size, size_t piece) {
    for (size_t at = 0; at < size; at += piece)
        assert_int_equal(reglet_redact_stream_write(stream, text + at, size - at < piece ? size - at : piece),
                         REGLET_OK);
    return size;
}

static void long_key__all_its_lines_are_replaced_and_nothing_behind_it(void **state) {
    (void)state;
    static const char begin[] = "before\n-----BEGIN "
                                "PRIVATE KEY-----\n",
                      line[] = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n",
                      end[] = "-----END PRIVATE KEY-----\nafter\n";
    reglet_redactor *redactor = NULL;
    assert_int_equal(reglet_redactor_new(NULL, &redactor, NULL), REGLET_OK);
    for (size_t piece = 1; piece < 100000; piece = piece * 7 + 1) {
        struct output output = kept;
        reglet_redact_stream *stream = new_stream(redactor, &output);
        write_pieces(stream, begin, strlen(begin), piece);
        for (int i = 0; i < 4000; i++) /* 132 KB */
            write_pieces(stream, line, strlen(line), piece);
        write_pieces(stream, end, strlen(end), piece);
        assert_int_equal(reglet_redact_stream_end(stream), REGLET_OK);
        assert_true(output.size >= 6 && memcmp(output.text, "before", 6) == 0);
        assert_false(holds(&output, "MIIE"));
        assert_true(holds(&output, "after\n"));
        free(output.text);
        reglet_redact_stream_free(stream);
    }
    reglet_redactor_unref(redactor);
}

static void long_token__goes_on_over_its_characters(void **state) {
    (void)state;
    reglet_redactor *redactor = new_redactor(false);
    struct output output = kept;
    reglet_redact_stream *stream = new_stream(redactor, &output);
    write_pieces(stream, "token eyJhbGci.eyJzdWIi.", 24, 24);
    for (int i = 0; i < 5000; i++)
        write_pieces(stream, "c2lnbmF0dXJl", 12, 5);
    write_pieces(stream, " and what follows, " TOKEN ".\n", 45, 45);
    assert_int_equal(reglet_redact_stream_end(stream), REGLET_OK);
    static const char expected[] = "token [REDACTED] and what follows, [REDACTED].\n";
    require_same(&output, &(struct output){.text = (char *)expected, .size = strlen(expected)});
    free(output.text);
    reglet_redact_stream_free(stream);
    reglet_redactor_unref(redactor);
}

/* ---- bounds ---- */

static void long_line__is_held_back_no_longer_than_the_bound(void **state) {
    (void)state;
    enum { PIECE = 1000, PIECES = 10 * 1000 };
    static const size_t pieces[] = {1, PIECE, PIECE * PIECES};
    reglet_redactor *redactor = new_redactor(false);
    _cleanup_free_ char *text = malloc(PIECE * PIECES);
    for (size_t i = 0; i < PIECE * PIECES; i++)
        text[i] = "some words, "[i % 12];
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct output output = {.fail_after = -1};
        reglet_redact_stream *stream = new_stream(redactor, &output);
        for (size_t at = 0; at < PIECE * PIECES; at += pieces[i]) {
            assert_int_equal(reglet_redact_stream_write(stream, text + at, pieces[i]), REGLET_OK);
            assert_true(at + pieces[i] - output.size < 2 * HOLD);
        }
        assert_int_equal(reglet_redact_stream_end(stream), REGLET_OK);
        assert_int_equal(output.size, PIECE * PIECES);
        reglet_redact_stream_free(stream);
    }
    reglet_redactor_unref(redactor);
}

static void any_bytes__pass_as_they_are(void **state) {
    (void)state;
    enum { SIZE = 50000 };
    reglet_redactor *redactor = new_redactor(false);
    _cleanup_free_ char *text = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (char)(i * 7 + i / 256);
    memcpy(text + 12345, "\xff\xc0" SECRET "\xed\xa0\x80", 2 + strlen(SECRET) + 3);
    struct output output = redact_pieces(redactor, text, SIZE, (size_t[]){12350, 20000}, 2);
    assert_int_equal(output.size, SIZE - strlen(SECRET) + strlen("[REDACTED]"));
    assert_memory_equal(output.text, text, 12347);
    assert_memory_equal(output.text + 12347, "[REDACTED]", 10);
    assert_memory_equal(output.text + 12357, text + 12347 + strlen(SECRET), output.size - 12357);
    free(output.text);
    reglet_redactor_unref(redactor);
}

static void hash_mode__a_split_secret_has_the_same_hash(void **state) {
    (void)state;
    reglet_redactor *redactor = new_redactor(true);
    for (size_t cut = 0; cut <= strlen(lines[0]); cut++)
        require_pieces_as_whole(redactor, lines[0], strlen(lines[0]), &cut, 1);
    struct output output = redact_pieces(redactor, lines[0], strlen(lines[0]), (size_t[]){20}, 1);
    assert_true(holds(&output, "a known value [hmac:"));
    free(output.text);
    reglet_redactor_unref(redactor);
}

static void replaced__is_counted_by_rule(void **state) {
    (void)state;
    reglet_redactor *redactor = new_redactor(false);
    struct output output = redact_pieces(redactor, SECRET " " TOKEN " " TOKEN,
                                         2 * strlen(TOKEN) + strlen(SECRET) + 2, (size_t[]){9}, 1);
    assert_int_equal(reglet_redactor_replaced(redactor, 0), 2);
    assert_int_equal(reglet_redactor_replaced(redactor, 1), 0);
    assert_int_equal(reglet_redactor_replaced(redactor, REGLET_REDACTOR_SECRETS), 1);
    assert_int_equal(reglet_redactor_replaced(redactor, REGLET_REDACTOR_PATHS), 0);
    assert_int_equal(reglet_redactor_replaced(redactor, 4), 0);
    free(output.text);
    reglet_redactor_unref(redactor);
}

/* ---- failures ---- */

static void failing_write__ends_the_text_and_not_the_stream(void **state) {
    (void)state;
    reglet_redactor *redactor = new_redactor(false);
    struct output output = {.fail_after = 0, .keep = true};
    reglet_redact_stream *stream = new_stream(redactor, &output);
    assert_int_equal(reglet_redact_stream_write(stream, SECRET, strlen(SECRET)), REGLET_OK);
    assert_int_equal(reglet_redact_stream_end(stream), REGLET_ERR_IO);
    assert_int_equal(output.size, 0);

    _cleanup_free_ char *text = malloc(3 * HOLD);
    fill(text, 3 * HOLD);
    assert_int_equal(reglet_redact_stream_write(stream, text, 3 * HOLD), REGLET_ERR_IO);
    assert_int_equal(reglet_redact_stream_write(stream, "more", 4), REGLET_ERR_IO);
    output.fail_after = -1;
    assert_int_equal(reglet_redact_stream_write(stream, "more", 4), REGLET_ERR_IO);
    assert_int_equal(reglet_redact_stream_end(stream), REGLET_ERR_IO);
    assert_int_equal(output.size, 0);

    assert_int_equal(reglet_redact_stream_write(stream, "another text", 12), REGLET_OK);
    assert_int_equal(reglet_redact_stream_end(stream), REGLET_OK);
    assert_int_equal(output.size, 12);
    assert_memory_equal(output.text, "another text", 12);
    reglet_redact_stream_free(stream);
    free(output.text);
    reglet_redactor_unref(redactor);
}

/* One allocation after the other fails; what was shown by then is redacted, and the beginning of what would have been. */
static void no_memory__nothing_is_shown_that_should_not_be(void **state) {
    (void)state;
    enum { SIZE = 4 * HOLD };
    reglet_redactor *redactor = new_redactor(false);
    static char text[SIZE];
    fill(text, SIZE);
    for (size_t at = 50; at + 200 < SIZE; at += 999)
        memcpy(text + at, lines[at % ARRAY_LEN(lines)], strlen(lines[at % ARRAY_LEN(lines)]));
    struct output whole = redact_whole(redactor, text, SIZE);
    bool failed = true;
    for (long n = 0; failed && n < 1000; n++) {
        struct output output = kept;
        output.room = 2 * SIZE; /* the test itself needs none */
        output.text = malloc(output.room);
        reglet_redact_stream *stream = new_stream(redactor, &output);
        memory_fail_at(n);
        reglet_status status = REGLET_OK;
        for (size_t at = 0; at < SIZE && status == REGLET_OK; at += 1000)
            status = reglet_redact_stream_write(stream, text + at, SIZE - at < 1000 ? SIZE - at : 1000);
        reglet_status last = reglet_redact_stream_end(stream);
        failed = memory_has_failed();
        assert_int_equal(last, status == REGLET_OK ? last : REGLET_ERR_NO_MEMORY);
        assert_true(output.size <= whole.size && memcmp(output.text, whole.text, output.size) == 0);
        assert_true(last != REGLET_OK || output.size == whole.size);
        reglet_redact_stream_free(stream);
        free(output.text);
    }
    assert_false(failed);
    free(whole.text);
    reglet_redactor_unref(redactor);
}

static void arguments__that_cannot_be_are_refused(void **state) {
    (void)state;
    reglet_redactor *redactor = new_redactor(false);
    reglet_redact_stream *stream = NULL;
    reglet_error *error = NULL;
    assert_int_equal(reglet_redact_stream_new(NULL, collect, NULL, &stream, &error),
                     REGLET_ERR_INVALID_ARGUMENT);
    assert_null(stream);
    reglet_error_free(error);
    assert_int_equal(reglet_redact_stream_new(redactor, NULL, NULL, &stream, NULL),
                     REGLET_ERR_INVALID_ARGUMENT);
    assert_int_equal(reglet_redact_stream_write(NULL, "x", 1), REGLET_ERR_INVALID_ARGUMENT);
    assert_int_equal(reglet_redact_stream_end(NULL), REGLET_ERR_INVALID_ARGUMENT);
    reglet_redact_stream_free(NULL);

    struct output output = kept;
    stream = new_stream(redactor, &output);
    reglet_redactor_unref(redactor); /* the stream has its own reference */
    assert_int_equal(reglet_redact_stream_write(stream, NULL, 1), REGLET_ERR_INVALID_ARGUMENT);
    assert_int_equal(reglet_redact_stream_write(stream, NULL, 0), REGLET_OK);
    assert_int_equal(reglet_redact_stream_end(stream), REGLET_OK);
    assert_int_equal(output.size, 0);
    reglet_redact_stream_free(stream);
}

/* ---- JSON as a whole ---- */

static void json__texts_keys_and_paths_are_replaced(void **state) {
    (void)state;
    static const char *const paths[] = {"pin", "items[*].code"};
    static const char text[] =
        "{\"pin\": 1234, \"list\": [\"" TOKEN "\"], \"items\": [{\"code\": {\"a\": 1}}], \"plain\": \"x\"}";
    reglet_redactor_options options = REGLET_REDACTOR_OPTIONS_INIT;
    options.no_builtin_rules = true;
    options.patterns = (const char *const[]){"\\bkey-[A-Z]{20}\\b"};
    options.pattern_count = 1;
    options.paths = paths;
    options.path_count = ARRAY_LEN(paths);
    reglet_redactor *redactor = NULL;
    assert_int_equal(reglet_redactor_new(&options, &redactor, NULL), REGLET_OK);
    char *out = NULL;
    size_t size = 0;
    assert_int_equal(reglet_redactor_redact_json(redactor, text, strlen(text), &out, &size, NULL), REGLET_OK);
    assert_string_equal(
        out, "{\"pin\":\"[REDACTED]\",\"list\":[\"[REDACTED]\"],\"items\":[{\"code\":\"[REDACTED]\"}],"
             "\"plain\":\"x\"}");
    assert_int_equal(size, strlen(out));
    reglet_free(out);
    reglet_redactor_unref(redactor);
}

static void json__what_is_none_is_refused_with_its_place(void **state) {
    (void)state;
    reglet_redactor *redactor = new_redactor(false);
    reglet_error *error = NULL;
    char *out = NULL;
    assert_int_equal(reglet_redactor_redact_json(redactor, "{\"a\": }", 7, &out, NULL, &error),
                     REGLET_ERR_INVALID_ARGUMENT);
    assert_null(out);
    assert_non_null(strstr(reglet_error_message(error), " at byte "));
    reglet_error_free(error);
    assert_int_equal(reglet_redactor_redact_json(NULL, "1", 1, &out, NULL, NULL),
                     REGLET_ERR_INVALID_ARGUMENT);
    reglet_redactor_unref(redactor);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_pieces__every_split_is_as_the_whole),
        cmocka_unit_test(three_pieces__every_pair_of_splits_is_as_the_whole),
        cmocka_unit_test(cut_of_the_stream__no_position_of_a_secret_is_cut),
        cmocka_unit_test(single_bytes__a_long_text_is_as_the_whole),
        cmocka_unit_test(random_texts__splits_give_what_the_whole_gives),
        cmocka_unit_test(long_key__all_its_lines_are_replaced_and_nothing_behind_it),
        cmocka_unit_test(long_token__goes_on_over_its_characters),
        cmocka_unit_test(long_line__is_held_back_no_longer_than_the_bound),
        cmocka_unit_test(any_bytes__pass_as_they_are),
        cmocka_unit_test(hash_mode__a_split_secret_has_the_same_hash),
        cmocka_unit_test(replaced__is_counted_by_rule),
        cmocka_unit_test(failing_write__ends_the_text_and_not_the_stream),
        cmocka_unit_test(no_memory__nothing_is_shown_that_should_not_be),
        cmocka_unit_test(arguments__that_cannot_be_are_refused),
        cmocka_unit_test(json__texts_keys_and_paths_are_replaced),
        cmocka_unit_test(json__what_is_none_is_refused_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
