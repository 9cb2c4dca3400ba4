/*
 * Looks for secrets in the input, with the built-in rules, two patterns and two known values.
 *
 * Whatever the input is: what is found lies in it, in order and apart; where it was replaced, no known value is left; and the
 * input over and over takes time in proportion.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuzz/fuzz.h"
#include "redact/redact.h"
#include "util/cleanup.h"

static const reglet_secret secrets[] = {{"hunter22", 8}, {"p\"a/s s\xC3\xA9", 9}};

static reglet_redactor *make(void) {
    static const char *const patterns[] = {"tok_([a-z]{4,12})", "(?i)\\bpin[:=]\\s*([0-9]{4})(?:\\D|$)"};
    reglet_redactor *redactor = NULL;
    reglet_redactor_options options = REGLET_REDACTOR_OPTIONS_INIT;
    options.patterns = patterns;
    options.pattern_count = 2;
    options.secrets = secrets;
    options.secret_count = 2;
    REQUIRE(reglet_redactor_new(&options, &redactor, NULL) == REGLET_OK);
    return redactor;
}

static void check_spans(const struct reglet__redact_spans *spans, size_t size, int32_t rules) {
    for (size_t i = 0; i < spans->count; i++) {
        const struct reglet__redact_span *span = &spans->items[i];
        REQUIRE(span->start < span->end && span->end <= size);
        REQUIRE(i == 0 || span->start > spans->items[i - 1].end);
        REQUIRE(span->rule < rules && span->rule >= REGLET__REDACT_RULE_SECRET);
    }
}

static void check_replaced(reglet_redactor *redactor, const char *text, size_t size) {
    _cleanup_free_ char *once = NULL;
    size_t once_size = 0;
    REQUIRE(reglet__redact_text(redactor, text, size, &once, &once_size, NULL) == REGLET_OK);
    if (!once)
        return;
    for (size_t i = 0; i < 2; i++)
        REQUIRE(!memmem(once, once_size, secrets[i].bytes, secrets[i].size));
    REQUIRE(!memmem(once, once_size, "68756e7465723232", 16) && !memmem(once, once_size, "aHVudGVyMj", 10));
}

static double time_of(reglet_redactor *redactor, const char *text, size_t size) {
    struct reglet__redact_spans spans = {0};
    struct timespec begun, ended;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun);
    REQUIRE(reglet__redact_find(redactor, text, size, &spans) == REGLET_OK);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended);
    reglet__redact_spans_clear(&spans);
    return (double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) / 1e9;
}

/* Four times as long: four times the time, and what a busy machine adds. */
static void check_time(reglet_redactor *redactor, const char *piece, size_t size) {
    enum { LONG = 128 << 10 };
    _cleanup_free_ char *text = malloc(LONG);
    REQUIRE(text);
    for (size_t at = 0; at < LONG; at += size)
        memcpy(text + at, piece, size < LONG - at ? size : LONG - at);
    double most = 10 * time_of(redactor, text, LONG / 4) + 0.05;
    bool good = false;
    for (int attempt = 0; attempt < 3 && !good; attempt++)
        good = time_of(redactor, text, LONG) <= most;
    REQUIRE(good);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static reglet_redactor *redactor;
    if (!redactor)
        redactor = make();
    struct reglet__redact_spans spans = {0};
    REQUIRE(reglet__redact_find(redactor, (const char *)data, size, &spans) == REGLET_OK);
    check_spans(&spans, size, (int32_t)reglet_redactor_rule_count(redactor));
    if (spans.count > 0)
        check_replaced(redactor, (const char *)data, size);
    reglet__redact_spans_clear(&spans);
    if (size > 0 && size <= 1024)
        check_time(redactor, (const char *)data, size);
    return 0;
}
