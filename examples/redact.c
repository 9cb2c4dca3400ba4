/*
 * Copies standard input to standard output with secrets replaced, as they would be in all that plugins give: by the built-in
 * rules, a pattern, and a known value, the variable APP_TOKEN. A runtime takes the same redactor (`redactor` of its options).
 */
#include <reglet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static reglet_status write_out(void *user_data, const char *text, size_t size) {
    return fwrite(text, 1, size, user_data) == size ? REGLET_OK : REGLET_ERR_IO;
}

static reglet_status copy(reglet_redact_stream *stream) {
    char piece[4096];
    size_t size;
    reglet_status status = REGLET_OK;
    while (status == REGLET_OK && (size = fread(piece, 1, sizeof piece, stdin)) > 0)
        status = reglet_redact_stream_write(stream, piece, size); /* a secret may be split over pieces */
    return status == REGLET_OK ? reglet_redact_stream_end(stream) : status;
}

int main(void) {
    static const char *const patterns[] = {"ticket-([0-9]+)"};
    const char *token = getenv("APP_TOKEN");
    reglet_redactor_options options = REGLET_REDACTOR_OPTIONS_INIT;
    options.patterns = patterns;
    options.pattern_count = 1;

    reglet_redactor *redactor = NULL;
    reglet_redact_stream *stream = NULL;
    reglet_error *error = NULL;
    reglet_status status = reglet_redactor_new(&options, &redactor, &error);
    if (status == REGLET_OK && token) /* also later, while runtimes use the redactor */
        status = reglet_redactor_add_secret(redactor, token, strlen(token), &error);
    if (status == REGLET_OK)
        status = reglet_redact_stream_new(redactor, write_out, stdout, &stream, &error);
    if (status == REGLET_OK)
        status = copy(stream);
    if (status != REGLET_OK)
        fprintf(stderr, "%s\n", error ? reglet_error_message(error) : reglet_status_name(status));

    reglet_redact_stream_free(stream);
    reglet_redactor_unref(redactor);
    reglet_error_free(error);
    return status != REGLET_OK;
}
