/* The policy's part of resolving: one decision on one real path, and who is told of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "util/text.h"
#include "wasi/resolve.h"

static enum reglet__fs_access as_asked(unsigned access) {
    if (access & REGLET__WASI_WRITE)
        return REGLET__FS_WRITE;
    return access & REGLET__WASI_READ ? REGLET__FS_READ : REGLET__FS_LOOK;
}

/* Tells of a decision; of several on one path in one request, the last of each kind counts, and a refusal alone. */
static void tell(struct reglet__wasi *wasi, unsigned access, const char *path,
                 const struct reglet__decision *decision, const char *grant) {
    static const char *const kinds[] = {
        [REGLET__FS_READ] = "fs:read", [REGLET__FS_WRITE] = "fs:write", [REGLET__FS_LOOK] = "fs:look"};
    struct reglet__decisions *decisions = wasi->options->decisions;
    const struct reglet__decided decided = {
        .kind = kinds[as_asked(access)], .asked = path, .decision = *decision, .grant = grant};
    if (!reglet__decisions_want(decisions, decision->allowed))
        return;
    reglet__decisions_drop(decisions, decision->allowed ? decided.kind : NULL, path);
    reglet__decisions_add(decisions, &decided);
}

/* What is allowed without a grant, below a directory that was given as a whole. */
static void tell_unrestricted(struct reglet__wasi *wasi, unsigned access, const char *path) {
    static const struct reglet__decision given = {.allowed = true, .rule = "a preopened directory"};
    if (access == REGLET__WASI_LOOK || access & REGLET__WASI_READ)
        tell(wasi, access & REGLET__WASI_READ, path, &given, NULL);
    if (access & REGLET__WASI_WRITE)
        tell(wasi, REGLET__WASI_WRITE, path, &given, NULL);
}

int reglet__wasi_refuse(struct reglet__wasi *wasi, unsigned access, const char *path, const char *reason) {
    const struct reglet__decision decision = {.reason = reason, .for_good = true};
    tell(wasi, access, path, &decision, NULL);
    return WASI_EACCES;
}

/* Denied for want of a grant: what is told names the one that would allow it. */
static int deny(struct reglet__wasi *wasi, unsigned access, const char *path, const char *reason) {
    const struct reglet__decision decision = {.reason = reason};
    if (!reglet__decisions_want(wasi->options->decisions, false))
        return WASI_EACCES;
    _cleanup_free_ char *grant = reglet__policy_fs_suggest(as_asked(access), path);
    tell(wasi, access, path, &decision, grant);
    return WASI_EACCES;
}

bool reglet__wasi_is_kept(const struct reglet__wasi_host *host, const struct reglet__policy *policy, int fd) {
    char path[REGLET__MAX_PATH];
    return host && reglet__wasi_real_path(host, fd, path) == 0 &&
           reglet__policy_protects(policy, path, false);
}

int reglet__wasi_judge_kept(struct reglet__wasi *wasi, unsigned access, const char *path, bool by_name) {
    const struct reglet__policy *policy = wasi->options->policy;
    if (!policy || !reglet__policy_protects(policy, path, by_name)) {
        tell_unrestricted(wasi, access, path);
        return WASI_SUCCESS;
    }
    return reglet__wasi_refuse(wasi, access, path,
                               reglet__policy_protects(policy, path, false)
                                   ? "it is the host's own, also below a preopened directory"
                                   : "it holds files of the host's own, also below a preopened directory");
}

int reglet__wasi_obey(struct reglet__wasi *wasi, const struct reglet__decision *decision, unsigned access,
                      const char *path) {
    if (decision->allowed) {
        tell(wasi, access, path, decision, NULL);
        return WASI_SUCCESS;
    }
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

/* What holds for every access: 0, or WASI_EACCES. */
static int judge_path(struct reglet__wasi *wasi, unsigned access, const char *path) {
    if (!wasi->options->policy)
        return deny(wasi, access, path, "nothing is granted");
    if (is_own_process(wasi, path))
        return reglet__wasi_refuse(wasi, access, path, "a process's own directory in /proc is never granted");
    if (!reglet__utf8_valid(path, strlen(path)))
        return reglet__wasi_refuse(wasi, access, path, "the path is not UTF-8");
    return WASI_SUCCESS;
}

/* The policy's answer; that a look leads on to a grant is none for what is no directory. */
static struct reglet__decision decide(const struct reglet__wasi *wasi, unsigned access, const char *path,
                                      mode_t type) {
    struct reglet__decision decision =
        reglet__policy_fs(wasi->options->policy, as_asked(access), path, S_ISLNK(type));
    if (decision.allowed && decision.way && !S_ISDIR(type))
        return (struct reglet__decision){.reason = "only directories on the way to a grant can be looked at"};
    return decision;
}

static int judge_one(struct reglet__wasi *wasi, unsigned access, const char *path, mode_t type) {
    struct reglet__decision decision = decide(wasi, access, path, type);
    return reglet__wasi_obey(wasi, &decision, access, path);
}

int reglet__wasi_judge(struct reglet__wasi *wasi, bool unrestricted, unsigned access, const char *path,
                       mode_t type) {
    if (unrestricted)
        return WASI_SUCCESS;
    int error = judge_path(wasi, access, path);
    if (!error && (access == REGLET__WASI_LOOK || access & REGLET__WASI_READ))
        error = judge_one(wasi, access & REGLET__WASI_READ, path, type);
    if (!error && access & REGLET__WASI_WRITE)
        error = judge_one(wasi, REGLET__WASI_WRITE, path, type);
    return error;
}

int reglet__wasi_judge_way(struct reglet__wasi *wasi, const char *path) {
    int error = judge_path(wasi, REGLET__WASI_LOOK, path);
    if (error)
        return error;
    struct reglet__decision decision = decide(wasi, REGLET__WASI_LOOK, path, S_IFDIR);
    return decision.allowed ? WASI_SUCCESS : reglet__wasi_obey(wasi, &decision, REGLET__WASI_LOOK, path);
}
