/*
 * wasi.h - wasi_snapshot_preview1 under a policy: the functions, and the state of one call.
 */
#ifndef REGLET_WASI_WASI_H
#define REGLET_WASI_WASI_H

#include "audit/decisions.h"
#include "engine/guest.h"
#include "engine/quota.h"
#include "policy/policy.h"

/* All functions of the module "wasi_snapshot_preview1", for the engine. */
extern const struct reglet__import reglet__wasi_imports[];
extern const size_t reglet__wasi_import_count;

/*
 * What the process offers for deciding on files: an open /proc/self/fd and a working openat2. Made once per
 * process. REGLET_ERR_UNSUPPORTED, with one clear message, where the kernel or a missing /proc does not allow
 * it; REGLET_ERR_IO or REGLET_ERR_NO_MEMORY where it only failed this time.
 */
struct reglet__wasi_host;
reglet_status reglet__wasi_host_get(const struct reglet__wasi_host **out, reglet_error **err);

/*
 * Resolves the symbolic links in the literal part of an fs capability against the file system as it is now,
 * relative ones from `working_directory` (absolute), and puts the result into the capability. What does not
 * exist stays as it is written. Never fails on what the file system holds; REGLET_ERR_NO_MEMORY,
 * REGLET_ERR_INVALID_GRANT (too long).
 */
reglet_status reglet__wasi_resolve_grant(struct reglet__capability *capability, const char *working_directory,
                                         reglet_error **err);

/*
 * Calls `found` with every symbolic link that a path goes through, and then with where it leads, as above: both are what
 * has to be held on to if the path is to go on meaning the same. INVALID_ARGUMENT (too long), or what `found` answered.
 */
reglet_status reglet__wasi_resolve_path(const char *path, const char *working_directory,
                                        reglet_status (*found)(void *user_data, const char *path),
                                        void *user_data);

/* Where lines go. Called on the call's thread. */
struct reglet__wasi_sink {
    /* One line from stdout (1) or stderr (2), without its line break, raw bytes. */
    void (*line)(void *user_data, int stream, const char *text, size_t size);
    void *user_data;
};

struct reglet__wasi_preopen {
    int fd;                 /* an O_PATH or O_DIRECTORY descriptor; duplicated */
    const char *guest_path; /* copied */
    bool unrestricted; /* all below it may be read and written but what the policy protects (command's own
                               preopen); else the policy decides */
};

/* Whether a directory is at or below what the policy protects, so that it must not be preopened. What cannot be told is
 * told of everything below it: that is refused. */
bool reglet__wasi_is_kept(const struct reglet__wasi_host *host, const struct reglet__policy *policy, int fd);

struct reglet__wasi_options {
    const struct reglet__wasi_host *host; /* NULL: no file access at all, `host_missing` says why */
    const char *host_missing;
    const struct reglet__policy *policy; /* NULL: nothing is granted */
    const char *const *args;             /* args[0] is the name */
    size_t arg_count;
    const char *const *environment; /* the runtime's copy, "NAME=value": filtered by the policy */
    size_t environment_count;
    const char *const
        *extra_environment; /* given to this call, not filtered; wins over the same name in `environment` */
    size_t extra_environment_count;
    bool root_preopen; /* a "/" held by the policy */
    const struct reglet__wasi_preopen *preopens;
    size_t preopen_count;
    bool inherit_stdio;
    struct reglet__quotas *quotas; /* the call's: output and open files */
    struct reglet__wasi_sink sink;
    struct reglet__decisions *decisions; /* the call's; NULL: nobody is told of any */
};

struct reglet__wasi;

/* Makes the state of one call. `options` and what it points to must outlive it, but for what says it is
 * copied. NO_MEMORY, IO (no descriptor is left), FILE_LIMIT (it would begin with more files than may be open). */
reglet_status reglet__wasi_new(const struct reglet__wasi_options *options, struct reglet__wasi **out);

/* What a guest can leave behind in the state of its call without reaching out: flags of what every call begins with. */
struct reglet__wasi_left {
    uint16_t flags[4]; /* of stdin, stdout, stderr and the root */
};

/* False: it left more, a line of output that has no end yet. */
bool reglet__wasi_left(const struct reglet__wasi *wasi, struct reglet__wasi_left *out);
/* Has a new call, which begins with the root, begin where that was left. */
void reglet__wasi_begin_with(struct reglet__wasi *wasi, const struct reglet__wasi_left *left);

/* Hands out the last, unfinished line of stdout and stderr. Done by reglet__wasi_free() as well. */
void reglet__wasi_flush(struct reglet__wasi *wasi);

/* Closes everything that the call opened. */
void reglet__wasi_free(struct reglet__wasi *wasi);

#endif
