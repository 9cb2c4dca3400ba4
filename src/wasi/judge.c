/* The policy's part of resolving: one decision on one real path, and its report when it is no. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "util/text.h"
#include "wasi/resolve.h"

static const char *verb(unsigned access) {
    if (access & REGLET__WASI_WRITE)
        return "write";
    return access & REGLET__WASI_READ ? "read" : "look at";
}

static enum reglet__fs_access as_asked(unsigned access) {
    if (access & REGLET__WASI_WRITE)
        return REGLET__FS_WRITE;
    return access & REGLET__WASI_READ ? REGLET__FS_READ : REGLET__FS_LOOK;
}

/* Tells the sink. A guest can be refused as often as it likes, but is not written about without end. */
static void report(struct reglet__wasi *wasi, unsigned access, const char *path, const char *reason,
                   const char *grant) {
    const struct reglet__wasi_sink *sink = &wasi->options->sink;
    if (!sink->denied || wasi->denials >= REGLET__MAX_DENIALS)
        return;
    wasi->denials++;
    char asked[REGLET__MAX_PATH + 16], clean[REGLET__MAX_PATH * 4];
    int size = snprintf(asked, sizeof asked, "%s %s", verb(access), path);
    reglet__clean_line(asked, (size_t)size, clean, sizeof clean);
    sink->denied(sink->user_data, clean, grant, reason);
}

int reglet__wasi_refuse(struct reglet__wasi *wasi, unsigned access, const char *path, const char *reason) {
    report(wasi, access, path, reason, NULL);
    return WASI_EACCES;
}

/* Denied for want of a grant: the report names the one that would allow it. */
static int deny(struct reglet__wasi *wasi, unsigned access, const char *path, const char *reason) {
    _cleanup_free_ char *grant = reglet__policy_fs_suggest(as_asked(access), path);
    report(wasi, access, path, reason, grant);
    return WASI_EACCES;
}

bool reglet__wasi_is_kept(const struct reglet__wasi_host *host, const struct reglet__policy *policy, int fd) {
    char path[REGLET__MAX_PATH];
    return host && reglet__wasi_real_path(host, fd, path) == 0 &&
           reglet__policy_protects(policy, path, false);
}

int reglet__wasi_judge_kept(struct reglet__wasi *wasi, unsigned access, const char *path, bool by_name) {
    const struct reglet__policy *policy = wasi->options->policy;
    if (!policy || !reglet__policy_protects(policy, path, by_name))
        return WASI_SUCCESS;
    return reglet__wasi_refuse(wasi, access, path,
                               reglet__policy_protects(policy, path, false)
                                   ? "it is the host's own, also below a preopened directory"
                                   : "it holds files of the host's own, also below a preopened directory");
}

int reglet__wasi_obey(struct reglet__wasi *wasi, const struct reglet__decision *decision, unsigned access,
                      const char *path) {
    if (decision->allowed)
        return WASI_SUCCESS;
    return decision->for_good ? reglet__wasi_refuse(wasi, access, path, decision->reason)
                              : deny(wasi, access, path, decision->reason);
}

/*
 * Whether the path is this process's own directory in /proc, or below it: through mem, it is our memory. Each
 * thread has one as well, /proc/<tid>, which no list of /proc shows.
 */
static bool is_own_process(const struct reglet__wasi *wasi, const char *path) {
    static const char proc[] = "/proc/";
    char task[32];
    if (strncmp(path, proc, sizeof proc - 1) != 0)
        return false;
    const char *number = path + sizeof proc - 1;
    size_t digits = strspn(number, "0123456789");
    if (digits == 0 || (number[digits] != '/' && number[digits] != '\0'))
        return false;
    int size = snprintf(task, sizeof task, "../task/%.*s", (int)digits, number);
    return (size_t)size >= sizeof task || faccessat(wasi->options->host->proc_fd, task, F_OK, 0) == 0 ||
           errno != ENOENT;
}

static int judge_one(struct reglet__wasi *wasi, unsigned access, const char *path, mode_t type) {
    struct reglet__decision decision =
        reglet__policy_fs(wasi->options->policy, as_asked(access), path, S_ISLNK(type));
    if (decision.allowed && decision.way && !S_ISDIR(type))
        return deny(wasi, access, path, "only directories on the way to a grant can be looked at");
    return reglet__wasi_obey(wasi, &decision, access, path);
}

int reglet__wasi_judge(struct reglet__wasi *wasi, bool unrestricted, unsigned access, const char *path,
                       mode_t type) {
    if (unrestricted)
        return WASI_SUCCESS;
    if (!wasi->options->policy)
        return deny(wasi, access, path, "nothing is granted");
    if (is_own_process(wasi, path))
        return reglet__wasi_refuse(wasi, access, path, "a process's own directory in /proc is never granted");
    if (!reglet__utf8_valid(path, strlen(path)))
        return reglet__wasi_refuse(wasi, access, path, "the path is not UTF-8");
    int error = WASI_SUCCESS;
    if (access == REGLET__WASI_LOOK || access & REGLET__WASI_READ)
        error = judge_one(wasi, access & REGLET__WASI_READ, path, type);
    if (!error && access & REGLET__WASI_WRITE)
        error = judge_one(wasi, REGLET__WASI_WRITE, path, type);
    return error;
}
