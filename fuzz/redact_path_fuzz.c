/*
 * Reads the first line as a redaction path and the rest as where a value is, names with dots between.
 *
 * Whatever the input is: a path is refused with its character, or it matches what it is written as, where that is names alone; and
 * what it matches does not depend on other paths.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "redact/paths.h"
#include "util/cleanup.h"
#include "util/limits.h"

static struct reglet__redact_paths *read_paths(const char *const *texts, size_t count) {
    struct reglet__redact_paths *paths = NULL;
    reglet_error *error = NULL;
    reglet_status status = reglet__redact_paths_new(texts, count, &paths, &error);
    REQUIRE(status == REGLET_OK ? paths && !error
                                : status == REGLET_ERR_INVALID_ARGUMENT && !paths &&
                                      reglet_error_offset(error) <= (ptrdiff_t)strlen(texts[0]));
    reglet_error_free(error);
    return paths;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_free_ char *text = malloc(size + 1);
    REQUIRE(text);
    memcpy(text, data, size);
    text[size] = '\0';
    char *end = strchr(text, '\n'), empty[] = "";
    const char *name = end ? end + 1 : empty;
    if (end)
        *end = '\0';
    const char *const path[] = {text}, *const both[] = {text, "secret"};
    struct reglet__redact_paths *paths = read_paths(path, 1);
    if (!paths)
        return 0;
    bool plain = !strpbrk(text, "[]*\"");
    REQUIRE(!plain || reglet__redact_paths_name(paths, text));
    bool matches = reglet__redact_paths_name(paths, name);
    reglet__redact_paths_free(paths);
    paths = read_paths(both, 2);
    if (!paths)
        return 0;
    REQUIRE(!matches || reglet__redact_paths_name(paths, name));
    REQUIRE(reglet__redact_paths_name(paths, "Secret") && reglet__redact_paths_name(paths, "a.secret"));
    reglet__redact_paths_free(paths);
    return 0;
}
