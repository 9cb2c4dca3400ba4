/*
 * Reads the input as a rule file, of a directory that is not there.
 *
 * Whatever the input is: a refusal is one line that names the file; rules that are handed out have an identifier and a regex,
 * and no exception lets everything through.
 */
#define _GNU_SOURCE
#include <string.h>

#include "fuzz/fuzz.h"
#include "redact/rule.h"

static void check_texts(const char *const *texts) {
    REQUIRE(!texts || texts[0]);
    for (; texts && *texts; texts++)
        REQUIRE(**texts);
}

static void check_exceptions(const struct reglet__rule_exception *exceptions, size_t count) {
    for (size_t i = 0; i < count; i++) {
        REQUIRE(exceptions[i].regexes || exceptions[i].words);
        check_texts(exceptions[i].regexes);
        check_texts(exceptions[i].words);
    }
}

static void check_file(const struct reglet__rule_file *file) {
    for (size_t i = 0; i < file->count; i++) {
        const struct reglet__rule *rule = &file->rules[i];
        REQUIRE(*rule->id && *rule->regex);
        REQUIRE(rule->entropy >= 0 && rule->entropy <= 8);
        check_texts(rule->keywords);
        check_exceptions(rule->exceptions, rule->exception_count);
    }
    check_exceptions(file->exceptions, file->exception_count);
    check_texts(file->disabled);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reglet__rule_file file;
    reglet_error *error = NULL;
    reglet_status status =
        reglet__rule_file_parse("/nonexistent/rules.toml", (const char *)data, size, &file, &error);
    if (status == REGLET_OK) {
        check_file(&file);
        reglet__rule_file_clear(&file);
        return 0;
    }
    REQUIRE(status == REGLET_ERR_INVALID_ARGUMENT || status == REGLET_ERR_IO);
    REQUIRE(strstr(reglet_error_message(error), "rule") && !strchr(reglet_error_message(error), '\n'));
    reglet_error_free(error);
    return 0;
}
