/*
 * Reads the input as a recording.
 *
 * Whatever the input is: a refusal is one line that names a line; what was read is written as text that reads back and is
 * written as the same again; redacted, it reads back as well, has as many calls, and none of the known secret.
 */
#define _GNU_SOURCE
#include <reglet/recording.h>
#include <reglet/redactor.h>
#include <string.h>

#include "fuzz/fuzz.h"

static char *print(const reglet_recording *recording, size_t *size) {
    char *text = NULL;
    REQUIRE(reglet_recording_text(recording, NULL, &text, size, NULL) == REGLET_OK);
    return text;
}

/* Its text may be longer than a recording's may be, where secrets are shorter than what stands for them. */
static void check_redacted(const reglet_recording *recording) {
    static reglet_redactor *redactor;
    static const reglet_secret secret = {"hunter22", 8};
    reglet_redactor_options options = REGLET_REDACTOR_OPTIONS_INIT;
    options.secrets = &secret;
    options.secret_count = 1;
    REQUIRE(redactor || reglet_redactor_new(&options, &redactor, NULL) == REGLET_OK);
    reglet_recording *again = NULL;
    char *text = NULL;
    size_t size = 0;
    REQUIRE(reglet_recording_text(recording, redactor, &text, &size, NULL) == REGLET_OK);
    REQUIRE(!memmem(text, size, "hunter22", 8) && !memmem(text, size, "aHVudGVyMj", 10));
    REQUIRE(reglet_recording_parse(text, size, &again, NULL) == REGLET_OK);
    REQUIRE(reglet_recording_count(again) == reglet_recording_count(recording));
    free(text);
    reglet_recording_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    reglet_recording *recording = NULL, *again = NULL;
    reglet_error *error = NULL;
    reglet_status status = reglet_recording_parse((const char *)data, size, &recording, &error);
    if (status != REGLET_OK) {
        const char *message = reglet_error_message(error);
        REQUIRE(status == REGLET_ERR_INVALID_ARGUMENT && strncmp(message, "recording: ", 11) == 0);
        REQUIRE(size == 0 || strstr(message, "line "));
        reglet_error_free(error);
        return 0;
    }
    size_t first_size = 0, second_size = 0;
    char *first = print(recording, &first_size);
    REQUIRE(reglet_recording_parse(first, first_size, &again, NULL) == REGLET_OK);
    REQUIRE(reglet_recording_count(again) == reglet_recording_count(recording));
    char *second = print(again, &second_size);
    REQUIRE(first_size == second_size && memcmp(first, second, first_size) == 0);
    check_redacted(recording);
    free(first);
    free(second);
    reglet_recording_free(recording);
    reglet_recording_free(again);
    return 0;
}
