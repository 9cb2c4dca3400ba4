/* Paths taken through the symbolic links that are there when a runtime is made: the literal parts of fs grants first of all. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>

#include "util/fail.h"
#include "util/sys.h"
#include "wasi/resolve.h"

enum { MAX_LINKS = 40 /* as the kernel */ };

struct grant {
    char path[REGLET__MAX_PATH];     /* resolved so far; "" is the root */
    char rest[2 * REGLET__MAX_PATH]; /* what is left */
    char *links[MAX_LINKS];          /* symbolic links that were passed */
    size_t link_count;
    bool missing; /* what comes next does not exist, or cannot be looked at: it stays as it is written */
};

static void free_links(struct grant *grant) {
    for (size_t i = 0; i < grant->link_count; i++)
        free(grant->links[i]);
}

static reglet_status too_long(const struct reglet__capability *capability, reglet_error **err) {
    return reglet__fail(err, REGLET_ERR_INVALID_GRANT, REGLET_DOMAIN_WASI,
                        "%s: the path is longer than %d bytes once its symbolic links are resolved",
                        reglet__capability_text(capability), REGLET__MAX_PATH - 1);
}

/* Takes the first component off `rest`. */
static void next_component(struct grant *grant, char out[2 * REGLET__MAX_PATH]) {
    char *at = grant->rest + strspn(grant->rest, "/");
    size_t size = strcspn(at, "/");
    memcpy(out, at, size);
    out[size] = '\0';
    memmove(grant->rest, at + size, strlen(at + size) + 1);
}

/* Links in /proc are left alone: /proc/self would become this process, and is never granted. */
static bool is_link(struct grant *grant, const char *path) {
    struct stat st;
    if (grant->missing || strncmp(path, "/proc/", 6) == 0)
        return false;
    if (fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        grant->missing = true;
        return false;
    }
    return S_ISLNK(st.st_mode);
}

/* Notes a link and puts its target in front of what is left. False when it cannot be followed. */
static bool follow(struct grant *grant, const char *path, reglet_status *status) {
    char target[REGLET__MAX_PATH], rest[2 * REGLET__MAX_PATH];
    ssize_t size = reglet__sys_readlinkat(AT_FDCWD, path, target, sizeof target);
    if (size <= 0 || size >= REGLET__MAX_PATH || grant->link_count == MAX_LINKS)
        return false;
    target[size] = '\0';
    char *link = strdup(path);
    if (!link) {
        *status = REGLET_ERR_NO_MEMORY;
        return false;
    }
    grant->links[grant->link_count++] = link;
    int length = snprintf(rest, sizeof rest, "%s/%s", target, grant->rest);
    if ((size_t)length >= sizeof rest) {
        *status = REGLET_ERR_INVALID_GRANT;
        return false;
    }
    strcpy(grant->rest, rest);
    if (target[0] == '/')
        grant->path[0] = '\0';
    return true;
}

/* Goes one component on. */
static reglet_status step(struct grant *grant, const char *name) {
    char path[2 * REGLET__MAX_PATH];
    reglet_status status = REGLET_OK;
    if (strcmp(name, ".") == 0)
        return REGLET_OK;
    if (strcmp(name, "..") == 0) {
        char *slash = strrchr(grant->path, '/');
        if (slash)
            *slash = '\0';
        return REGLET_OK;
    }
    int length = snprintf(path, sizeof path, "%s/%s", grant->path, name);
    if (length >= REGLET__MAX_PATH)
        return REGLET_ERR_INVALID_GRANT;
    if (is_link(grant, path)) {
        if (follow(grant, path, &status) || status != REGLET_OK)
            return status;
        grant->missing = true; /* a loop: what leads into it is as good as missing */
    }
    strcpy(grant->path, path);
    return REGLET_OK;
}

static reglet_status walk(struct grant *grant) {
    reglet_status status = REGLET_OK;
    char name[2 * REGLET__MAX_PATH];
    while (status == REGLET_OK && grant->rest[strspn(grant->rest, "/")]) {
        next_component(grant, name);
        status = step(grant, name);
    }
    return status;
}

/* Fills `grant` in, whose links the caller frees. INVALID_GRANT: the path is too long. */
static reglet_status resolve(struct grant *grant, const char *path, const char *working_directory) {
    int length =
        snprintf(grant->rest, sizeof grant->rest, "%s/%s", *path == '/' ? "" : working_directory, path);
    return length >= REGLET__MAX_PATH ? REGLET_ERR_INVALID_GRANT : walk(grant);
}

reglet_status reglet__wasi_resolve_grant(struct reglet__capability *capability, const char *working_directory,
                                         reglet_error **err) {
    bool whole;
    struct grant grant = {.link_count = 0};
    reglet_status status =
        resolve(&grant, reglet__capability_fs_literal(capability, &whole), working_directory);
    if (status == REGLET_OK)
        status = reglet__capability_fs_resolve(capability, *grant.path ? grant.path : "/",
                                               (const char *const *)grant.links, grant.link_count);
    free_links(&grant);
    if (status == REGLET_ERR_INVALID_GRANT)
        return too_long(capability, err);
    if (status == REGLET_ERR_NO_MEMORY)
        return reglet__fail_memory(err);
    return status == REGLET_OK ? status
                               : reglet__fail(err, status, REGLET_DOMAIN_WASI, "%s: cannot be resolved",
                                              reglet__capability_text(capability));
}

reglet_status reglet__wasi_resolve_path(const char *path, const char *working_directory,
                                        reglet_status (*found)(void *user_data, const char *path),
                                        void *user_data) {
    struct grant grant = {.link_count = 0};
    reglet_status status = resolve(&grant, path, working_directory);
    for (size_t i = 0; i < grant.link_count && status == REGLET_OK; i++)
        status = found(user_data, grant.links[i]);
    if (status == REGLET_OK)
        status = found(user_data, *grant.path ? grant.path : "/");
    free_links(&grant);
    return status == REGLET_ERR_INVALID_GRANT ? REGLET_ERR_INVALID_ARGUMENT : status;
}
