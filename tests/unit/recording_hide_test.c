/* What is secret in a recording, wherever it is: redacted when it is written as text. */
#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <reglet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/buf.h"

#define SECRET "correct-horse-battery"
#define FIRST  "correct-ho"
#define SECOND "rse-battery"
/* The same in base64. */
#define B64_SECRET "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"
#define B64_FIRST  "Y29ycmVjdC1obw=="
#define B64_SECOND "cnNlLWJhdHRlcnk="
#define HEAD                                                                                                 \
    "{\"reglet_recording\":1,\"plugin\":\"p\",\"module_sha256\":"                                            \
    "\"abababababababababababababababababababababababababababababababab\",\"abi\":1,\"config\":%s,"          \
    "\"time\":\"2026-01-02T03:04:05Z\",\"redacted\":false}\n"

static reglet_redactor *new_redactor(const char *salt) {
    static const char *const paths[] = {"pin"};
    static const reglet_secret secrets[] = {{SECRET, sizeof SECRET - 1}};
    reglet_redactor_options options = REGLET_REDACTOR_OPTIONS_INIT;
    reglet_redactor *redactor = NULL;
    options.secrets = secrets;
    options.secret_count = 1;
    options.paths = paths;
    options.path_count = 1;
    options.hash_salt = salt;
    options.hash_salt_size = salt ? strlen(salt) : 0;
    assert_int_equal(reglet_redactor_new(&options, &redactor, NULL), REGLET_OK);
    return redactor;
}

static char *hidden(const char *text, size_t size, reglet_redactor *redactor) {
    reglet_recording *recording = NULL, *again = NULL;
    reglet_error *error = NULL;
    char *out = NULL;
    size_t out_size = 0;
    if (reglet_recording_parse(text, size, &recording, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    assert_int_equal(reglet_recording_text(recording, redactor, &out, &out_size, NULL), REGLET_OK);
    assert_int_equal(reglet_recording_parse(out, out_size, &again, NULL), REGLET_OK);
    reglet_recording_free(recording);
    reglet_recording_free(again);
    return out;
}

/* Recordings with these calls: the text has all of `shown`, and nothing of the secret. */
static void expect_with(const char *salt, const char *config, const char *const *calls, size_t count,
                        const char *const *shown) {
    char text[4096];
    int at = snprintf(text, sizeof text, HEAD, config);
    for (size_t i = 0; i < count; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "{\"n\":%zu,%s}\n", i + 1, calls[i]);
    reglet_redactor *redactor = new_redactor(salt);
    char *out = hidden(text, (size_t)at, redactor);
    static const char *const gone[] = {SECRET, FIRST, SECOND, B64_SECRET, B64_FIRST, B64_SECOND, "hunter2"};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        if (strstr(out, gone[i]))
            fail_msg("%s is in %s", gone[i], out);
    for (size_t i = 0; shown[i]; i++)
        if (!strstr(out, shown[i]))
            fail_msg("%s is not in %s", shown[i], out);
    reglet_free(out);
    reglet_redactor_unref(redactor);
}

#define CALLS(...)               ((const char *const[]){__VA_ARGS__})
#define COUNT(...)               (sizeof CALLS(__VA_ARGS__) / sizeof(char *))
#define SHOWN(...)               ((const char *const[]){__VA_ARGS__, NULL})
#define EXPECT_SHOWN(shown, ...) expect_with(NULL, "{}", CALLS(__VA_ARGS__), COUNT(__VA_ARGS__), shown)

#define READ(fd, data) "\"function\":\"fd_read\",\"in\":{\"fd\":" #fd "},\"out\":{\"data\":\"" data "\"}"
#define WRITE(fd, data)                                                                                      \
    "\"function\":\"fd_write\",\"in\":{\"fd\":" #fd ",\"data\":\"" data "\"},\"out\":{\"size\":1}"
#define FS_WRITE(mode, content)                                                                              \
    "\"function\":\"fs_write\",\"in\":{\"request\":{\"path\":\"/x\",\"content\":\"" content                  \
    "\",\"mode\":\"" mode "\"}},\"out\":{\"response\":{\"written\":10}}"

static void head__config_is_redacted(void **state) {
    (void)state;
    expect_with(NULL, "{\"a\":\"x " SECRET "\",\"pin\":\"hunter2\",\"" SECRET "\":1}", NULL, 0,
                SHOWN("\"a\":\"x [REDACTED]\"", "\"pin\":\"[REDACTED]\""));
}

static void calls__every_place_of_a_secret(void **state) {
    (void)state;
    EXPECT_SHOWN(SHOWN("a [REDACTED]*********** b"), READ(4, "a " SECRET " b"));
    EXPECT_SHOWN(SHOWN("a [REDACTED] b"), WRITE(4, "a " SECRET " b"));
    EXPECT_SHOWN(SHOWN("\"path\":\"etc/[REDACTED]\""),
                 "\"function\":\"path_open\",\"in\":{\"fd\":3,\"lookup\":1,\"path\":\"etc/" SECRET
                 "\",\"oflags\":0,\"rights\":2,\"inheriting\":0,\"fdflags\":0},\"out\":{\"fd\":4}");
    EXPECT_SHOWN(SHOWN("\"A=[REDACTED]***********\""),
                 "\"function\":\"environ_sizes_get\",\"in\":{},\"out\":{\"count\":1,\"size\":24}",
                 "\"function\":\"environ_get\",\"in\":{},\"out\":{\"list\":[\"A=" SECRET "\"]}");
    EXPECT_SHOWN(SHOWN("\"name\":\"[REDACTED]***********\""),
                 "\"function\":\"fd_readdir\",\"in\":{\"fd\":4,\"cookie\":0},\"out\":{\"entries\":[{"
                 "\"next\":1,\"ino\":7,\"type\":4,\"name\":\"" SECRET "\"}]}");
    EXPECT_SHOWN(SHOWN("\"body\":\"W1JFREFDVEVEXSoqKioqKioqKioq\"", "\"body\":\"W1JFREFDVEVEXQ==\""),
                 "\"function\":\"http_request\",\"in\":{\"request\":{\"url\":\"https://" SECRET
                 ".example/\",\"body\":\"" B64_SECRET "\"}},\"out\":{\"response\":{\"status_code\":200,"
                 "\"headers\":{\"X\":[\"" SECRET "\"]},\"body\":\"" B64_SECRET "\"}}");
    EXPECT_SHOWN(SHOWN("\"content\":\"W1JFREFDVEVEXSoqKioqKioqKioq\""),
                 "\"function\":\"fs_read\",\"in\":{\"request\":{\"path\":\"/" SECRET "\"}},\"out\":{"
                 "\"response\":{\"content\":\"" B64_SECRET "\",\"eof\":true}}");
    EXPECT_SHOWN(SHOWN("\"stdout\":\"o [REDACTED]\"", "\"stderr\":\"e [REDACTED]\""),
                 "\"function\":\"exec_command\",\"in\":{\"request\":{\"command\":\"" SECRET
                 "\",\"args\":[\"--token\",\"" SECRET "\"]}},\"out\":{\"response\":{\"stdout\":\"o " SECRET
                 "\",\"stderr\":\"e " SECRET "\",\"exit_code\":0}}");
    EXPECT_SHOWN(SHOWN("\"pin\":\"[REDACTED]\""),
                 "\"function\":\"kv\",\"in\":{\"request\":{\"pin\":\"hunter2\"}},"
                 "\"out\":{\"response\":{\"a\":{\"pin\":[\"hunter2\"]}}}");
    EXPECT_SHOWN(SHOWN("t [REDACTED]", "r [REDACTED]\""),
                 "\"function\":\"kv\",\"in\":{\"request_text\":\"t " SECRET
                 "\"},\"out\":{\"response_text\":\"r " SECRET "\"}");
    EXPECT_SHOWN(SHOWN("\"message\":\"m [REDACTED]\""),
                 "\"function\":\"kv\",\"in\":{\"request\":{}},\"out\":{\"ended\":{\"status\":\"trap\","
                 "\"message\":\"m " SECRET "\"}}");
}

static void calls__hash_mode(void **state) {
    (void)state;
    expect_with("0123456789abcdef", "{\"a\":\"" SECRET "\"}", CALLS(READ(4, SECRET), WRITE(5, SECRET)), 2,
                SHOWN("\"a\":\"[hmac:", "\"data\":\"[hmac:"));
}

static void streams__a_secret_split_over_calls(void **state) {
    (void)state;
    EXPECT_SHOWN(SHOWN("\"a [REDACTED]**\"", "\"********* b\""), READ(4, "a " FIRST "rs"),
                 READ(4, "e-battery b"), READ(4, ""));
    EXPECT_SHOWN(SHOWN("\"[REDACTED]\"", "\"[REDACTED] b\""), WRITE(4, FIRST), WRITE(4, SECOND " b"));
    /* Other calls in between, also ones that failed, leave the stream where it is. */
    EXPECT_SHOWN(SHOWN("\"[REDACTED]\"", "\"***********\""), READ(4, FIRST),
                 "\"function\":\"fd_seek\",\"in\":{\"fd\":4,\"offset\":1,\"whence\":9},\"out\":{\"error\":"
                 "\"EINVAL\"}",
                 "\"function\":\"fd_close\",\"in\":{\"fd\":5},\"out\":{\"error\":\"EBADF\"}",
                 READ(4, SECOND));
    EXPECT_SHOWN(SHOWN("\"[REDACTED]\"", "\"***********\""), READ(4, FIRST),
                 "\"function\":\"fd_renumber\",\"in\":{\"fd\":4,\"to\":7},\"out\":{}", READ(7, SECOND));
    EXPECT_SHOWN(SHOWN("\"[REDACTED]\"", "\"***********\""), READ(4, FIRST),
                 "\"function\":\"fd_renumber\",\"in\":{\"fd\":4,\"to\":7},\"out\":{\"error\":\"EBADF\"}",
                 READ(4, SECOND));
    EXPECT_SHOWN(SHOWN("\"content\":\"W1JFREFDVEVEXQ==\""), FS_WRITE("append", B64_FIRST),
                 FS_WRITE("append", B64_SECOND));
    EXPECT_SHOWN(SHOWN("\"content\":\"W1JFREFDVEVEXQ==\""), FS_WRITE("create", B64_FIRST),
                 "\"function\":\"fs_stat\",\"in\":{\"request\":{\"path\":\"/x\"}},\"out\":{\"response\":{}}",
                 FS_WRITE("append", B64_SECOND));
}

/* What is not one stream is not read as one. */
static void streams__others_are_apart(void **state) {
    (void)state;
    char text[2048];
    static const char *const calls[][3] = {
        {READ(4, FIRST), "\"function\":\"fd_renumber\",\"in\":{\"fd\":4,\"to\":7},\"out\":{}",
         READ(4, SECOND)},
        {FS_WRITE("append", B64_FIRST),
         "\"function\":\"fs_stat\",\"in\":{\"request\":{}},\"out\":{\"response\":{}}",
         FS_WRITE("truncate", B64_SECOND)}};
    reglet_redactor *redactor = new_redactor(NULL);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int at = snprintf(text, sizeof text, HEAD, "{}");
        for (size_t k = 0; k < 3; k++)
            at += snprintf(text + at, sizeof text - (size_t)at, "{\"n\":%zu,%s}\n", k + 1, calls[i][k]);
        char *out = hidden(text, (size_t)at, redactor);
        assert_null(strstr(out, "REDACTED"));
        assert_null(strstr(out, "W1JFR"));
        reglet_free(out);
    }
    reglet_redactor_unref(redactor);
}

/* --- Time ------------------------------------------------------------------------------------------------ */

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One file read in pieces of 26 bytes, with a secret in each of them, or one long one over all of them. */
static double time_of(size_t pieces, bool one_secret, const char *function) {
    struct reglet__buf text = REGLET__BUF_INIT(SIZE_MAX / 2);
    char line[256];
    reglet__buf_append(&text, line, (size_t)snprintf(line, sizeof line, HEAD, "{}"));
    bool write = strcmp(function, "fd_write") == 0;
    for (size_t i = 0; i < pieces; i++) {
        const char *data = one_secret
                               ? i ? "QUFBQUFBQUFBQUFBQUFBQUFBQUFB\\n" : "-----BEGIN PRIVATE KEY-----\\n"
                               : SECRET " abc\\n";
        int size = write ? snprintf(line, sizeof line,
                                    "{\"n\":%zu,\"function\":\"fd_write\",\"in\":{\"fd\":4,\"data\":\"%s\"},"
                                    "\"out\":{\"size\":26}}\n",
                                    i + 1, data)
                         : snprintf(line, sizeof line,
                                    "{\"n\":%zu,\"function\":\"fd_read\",\"in\":{\"fd\":4},\"out\":{\"data\":"
                                    "\"%s\"}}\n",
                                    i + 1, data);
        reglet__buf_append(&text, line, (size_t)size);
    }
    assert_int_equal(text.status, REGLET_OK);
    reglet_redactor *redactor = new_redactor("0123456789abcdef");
    reglet_recording *recording = NULL;
    assert_int_equal(reglet_recording_parse(text.data, text.size, &recording, NULL), REGLET_OK);
    double begun = seconds();
    char *out = NULL;
    assert_int_equal(reglet_recording_text(recording, redactor, &out, NULL, NULL), REGLET_OK);
    double took = seconds() - begun;
    reglet_free(out);
    reglet_recording_free(recording);
    reglet_redactor_unref(redactor);
    reglet__buf_free(&text);
    return took;
}

static void time__grows_with_the_pieces_and_no_faster(void **state) {
    (void)state;
    static const struct {
        const char *function;
        bool one_secret;
    } cases[] = {{"fd_read", false}, {"fd_write", false}, {"fd_read", true}, {"fd_write", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double ratio = 1e9;
        for (int attempt = 0; attempt < 3 && ratio > 8; attempt++)
            ratio = time_of(8000, cases[i].one_secret, cases[i].function) /
                    time_of(2000, cases[i].one_secret, cases[i].function);
        if (ratio > 8) /* 4 is linear, 16 is quadratic */
            fail_msg("%s, case %zu: 4 times as many pieces take %.1f times as long", cases[i].function, i,
                     ratio);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head__config_is_redacted),
        cmocka_unit_test(calls__every_place_of_a_secret),
        cmocka_unit_test(calls__hash_mode),
        cmocka_unit_test(streams__a_secret_split_over_calls),
        cmocka_unit_test(streams__others_are_apart),
        cmocka_unit_test(time__grows_with_the_pieces_and_no_faster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
