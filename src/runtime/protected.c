#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/internal.h"
#include "util/cleanup.h"
#include "util/fail.h"

static char *real_path(const char *path);

/* The real path of the directory above, and the last name as it is: a link itself, or what does not exist yet. */
static char *below_real_parent(const char *path) {
    _cleanup_free_ char *parent = strdup(path);
    if (!parent)
        return NULL;
    size_t size = strlen(parent);
    while (size > 1 && parent[size - 1] == '/')
        parent[--size] = '\0';
    char *slash = strrchr(parent, '/'), *name = slash + 1;
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        errno = EINVAL;
        return NULL;
    }
    *slash = '\0';
    _cleanup_free_ char *above = real_path(slash == parent ? "/" : parent);
    char *joined = NULL;
    if (!above || asprintf(&joined, "%s/%s", strcmp(above, "/") == 0 ? "" : above, name) < 0)
        return NULL;
    return joined;
}

/* NULL with errno: ENOMEM, or EINVAL for a name that cannot be resolved because what is above it does not exist. */
static char *real_path(const char *path) {
    char *real = realpath(path, NULL);
    return real || errno == ENOMEM ? real : below_real_parent(path);
}

/* The link as well as what it leads to: a plugin must not put another in its place. */
static bool protect(reglet_runtime *runtime, const char *path) {
    _cleanup_free_ char *absolute = NULL;
    const char *directory = path[0] == '/' ? "" : runtime->working_directory;
    if (asprintf(&absolute, "%s/%s", directory, path) < 0) {
        absolute = NULL;
        errno = ENOMEM;
        return false;
    }
    char *(*const views[])(const char *) = {below_real_parent, real_path};
    for (size_t i = 0; i < ARRAY_LEN(views); i++) {
        char *view = views[i](absolute);
        if (!view)
            return false;
        runtime->protected_paths[runtime->protected_path_count++] = view;
    }
    return true;
}

reglet_status reglet__take_protected_paths(const reglet_runtime_options *options, reglet_runtime *runtime,
                                           reglet_error **err) {
    size_t count = options->protected_path_count;
    if (count && !options->protected_paths)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "runtime options: protected_paths is NULL but its count is not 0");
    runtime->protected_paths = calloc(count ? count : 1, 2 * sizeof *runtime->protected_paths);
    if (!runtime->protected_paths)
        return reglet__fail_memory(err);
    for (size_t i = 0; i < count; i++) {
        const char *path = options->protected_paths[i];
        if (path && *path && protect(runtime, path))
            continue;
        if (path && *path && errno == ENOMEM)
            return reglet__fail_memory(err);
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "runtime options: protected path %zu (\"%s\") should name a file or a directory, "
                            "without \".\" or \"..\" at its end",
                            i, path ? path : "");
    }
    return REGLET_OK;
}
