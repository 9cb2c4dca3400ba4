#define _GNU_SOURCE
#include "engine/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/store_internal.h"
#include "util/cleanup.h"
#include "util/fail.h"
#include "util/sys.h"

/* --- The directory ------------------------------------------------------------------------------------------ */

/* On the way from the root to the directory. */
struct walk {
    const char *path;
    size_t done; /* bytes of the path, with the step that is being made */
    int at;      /* O_PATH */
};

REGLET_PRINTF(4, 5)
static reglet_status refuse(const struct walk *walk, int error_number, reglet_error **err, const char *format,
                            ...) {
    char why[256];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return reglet__fail_errno(err, REGLET_ERR_IO, REGLET_DOMAIN_ENGINE, error_number, "%.*s %s",
                              (int)walk->done, walk->path, why);
}

static bool is_trusted(const struct stat *file) {
    return file->st_uid == geteuid() || file->st_uid == 0;
}

/* Whether somebody else could have put a link into this directory, or another in its place. */
static bool others_may_put_links(const struct stat *directory) {
    return !is_trusted(directory) ||
           ((directory->st_mode & (S_IWGRP | S_IWOTH)) && !(directory->st_mode & S_ISVTX));
}

enum { DIRECTORY = O_PATH | O_DIRECTORY | O_CLOEXEC };

/* Opens what a link leads to. It may: `here`, the directory that it is in, is not one that others change. */
static reglet_status follow(const struct walk *walk, const struct stat *here, const char *name, int *next,
                            reglet_error **err) {
    struct stat link;
    if (fstatat(walk->at, name, &link, AT_SYMLINK_NOFOLLOW) != 0)
        return refuse(walk, errno, err, "cannot be looked at: %s", reglet__errno_text(errno));
    if (!S_ISLNK(link.st_mode))
        return refuse(walk, ENOTDIR, err, "is no directory: remove it, or name another");
    if (!is_trusted(&link) || others_may_put_links(here))
        return refuse(walk, 0, err, "is a link that another user can have put there: name what it leads to");
    *next = reglet__sys_openat(walk->at, name, DIRECTORY, 0);
    if (*next < 0)
        return refuse(walk, errno, err, "is a link that cannot be followed: %s; mend it, or name another",
                      reglet__errno_text(errno));
    return REGLET_OK;
}

/* Opens, or makes, the next directory. Whoever owns one can replace what is in it: so root, with the HOME of a user, leaves that
 * alone, and makes nothing there that the user would stumble over. */
static reglet_status step(struct walk *walk, const char *name, bool is_last, reglet_error **err) {
    struct stat here;
    if (reglet__sys_fstat(walk->at, &here) != 0)
        return refuse(walk, errno, err, "cannot be looked at: %s", reglet__errno_text(errno));
    _cleanup_fd_ int next = reglet__sys_openat(walk->at, name, DIRECTORY | O_NOFOLLOW, 0);
    bool is_missing = next < 0 && errno == ENOENT;
    if ((is_missing || is_last) && !is_trusted(&here))
        return refuse(walk, 0, err,
                      "is in a directory of user %u, and this process runs as user %u: name one of its own",
                      (unsigned)here.st_uid, (unsigned)geteuid());
    if (is_missing) {
        if (mkdirat(walk->at, name, 0700) != 0 && errno != EEXIST)
            return refuse(walk, errno, err, "cannot be made: %s; name a directory that can be",
                          reglet__errno_text(errno));
        next = reglet__sys_openat(walk->at, name, DIRECTORY | O_NOFOLLOW, 0);
    }
    reglet_status status = REGLET_OK;
    if (next < 0 && errno == ENOTDIR)
        status = follow(walk, &here, name, &next, err);
    else if (next < 0)
        status = refuse(walk, errno, err, "cannot be opened: %s; name a directory that can be",
                        reglet__errno_text(errno));
    if (status == REGLET_OK) {
        close(walk->at);
        walk->at = take_fd(next);
    }
    return status;
}

/*
 * Opens the directory with all that is missing on the way, step by step. What counts is the directory in the end, and that
 * this user or root chose it: a link is followed only where nobody else can have put it. Otherwise it could lead to a
 * directory of this user's in which there are files that came from somebody else.
 */
static reglet_status open_directory(const char *path, int *out, reglet_error **err) {
    struct walk walk = {path, 1, reglet__sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0)};
    _cleanup_free_ char *steps = strdup(path);
    reglet_status status = steps ? REGLET_OK : reglet__fail_memory(err);
    if (steps && walk.at < 0)
        status = refuse(&walk, errno, err, "cannot be opened: %s", reglet__errno_text(errno));
    char *rest = NULL, *name = steps ? strtok_r(steps, "/", &rest) : NULL;
    while (status == REGLET_OK && name) {
        walk.done = (size_t)(name - steps) + strlen(name);
        char *next = strtok_r(NULL, "/", &rest);
        status = step(&walk, name, !next, err);
        name = next;
    }
    if (status == REGLET_OK) {
        *out = reglet__sys_openat(walk.at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
        if (*out < 0)
            status = refuse(&walk, errno, err, "cannot be read: %s", reglet__errno_text(errno));
    }
    if (walk.at >= 0)
        close(walk.at);
    return status;
}

/* Access lists need no look of their own: what they give to others shows in the group's bits. */
static reglet_status check_directory(const struct reglet__store *store, reglet_error **err) {
    const struct walk walk = {store->path, strlen(store->path), store->directory};
    struct stat directory;
    if (reglet__sys_fstat(store->directory, &directory) != 0)
        return refuse(&walk, errno, err, "cannot be looked at: %s", reglet__errno_text(errno));
    if (directory.st_uid != geteuid())
        return refuse(&walk, 0, err,
                      "belongs to user %u, and this process runs as user %u: name a directory of its own",
                      (unsigned)directory.st_uid, (unsigned)geteuid());
    if (directory.st_mode & (S_IWGRP | S_IWOTH))
        return refuse(
            &walk, 0, err,
            "may be written by others (mode %04o): take that away (chmod go-w), or name another directory",
            (unsigned)directory.st_mode & 07777U);
    return REGLET_OK;
}

reglet_status reglet__store_open(const char *directory, uint64_t max_bytes, struct reglet__store **out,
                                 reglet_error **err) {
    if (directory[0] != '/')
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_ENGINE,
                            "\"%s\" is no absolute path: it should begin with /", directory);
    struct reglet__store *store = calloc(1, sizeof *store);
    if (!store)
        return reglet__fail_memory(err);
    *store = (struct reglet__store){-1, strdup(directory), max_bytes};
    reglet_status status = store->path ? REGLET_OK : reglet__fail_memory(err);
    if (status == REGLET_OK)
        status = open_directory(directory, &store->directory, err);
    if (status == REGLET_OK)
        status = check_directory(store, err);
    if (status == REGLET_OK)
        *out = take_ptr(store);
    reglet__store_free(store);
    return status;
}

reglet_status reglet__store_check_exec(const struct reglet__store *store, reglet_error **err) {
    const struct walk walk = {store->path, strlen(store->path), store->directory};
    struct statvfs system;
    if (reglet__sys_fstatvfs(store->directory, &system) != 0 || !(system.f_flag & ST_NOEXEC))
        return REGLET_OK;
    return refuse(&walk, 0, err,
                  "is on a file system that is mounted noexec: name a directory that code can run from");
}

void reglet__store_free(struct reglet__store *store) {
    if (!store)
        return;
    if (store->directory >= 0)
        close(store->directory);
    free(store->path);
    free(store);
}

const char *reglet__store_path(const struct reglet__store *store) {
    return store->path;
}

/* --- Getting ------------------------------------------------------------------------------------------------ */

/* The times say when it was used last; where they cannot be set (a read-only file system), it looks older than it is. */
static void note_use(int fd) {
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};
    reglet__sys_futimens(fd, times);
}

static reglet_status report(struct reglet__store *store, const struct reglet__code_key *key,
                            const struct reglet__code_fault *fault, bool is_removed, reglet_error **err) {
    char name[REGLET__CODE_NAME_SIZE];
    reglet__code_name(key, name);
    return reglet__fail_errno(err, REGLET_ERR_IO, REGLET_DOMAIN_ENGINE, fault->error_number, "%s/%s: %s%s",
                              store->path, name, fault->text, is_removed ? "; it was removed" : "");
}

reglet_status reglet__store_get(struct reglet__store *store, const struct reglet__code_key *key,
                                struct reglet__code_file *out, reglet_error **err) {
    struct reglet__code_file file = {.fd = -1};
    struct reglet__code_fault fault;
    reglet_status status = check_directory(store, err);
    if (status != REGLET_OK)
        return status;
    switch (reglet__code_open(store->directory, key, &file, &fault)) {
    case REGLET__CODE_SOUND: break;
    case REGLET__CODE_NONE: *out = file; return REGLET_OK;
    case REGLET__CODE_UNUSABLE: {
        char name[REGLET__CODE_NAME_SIZE];
        reglet__code_name(key, name);
        return report(store, key, &fault, reglet__store_unlink(store, name), err);
    }
    case REGLET__CODE_FAILED: return report(store, key, &fault, false, err);
    case REGLET__CODE_NO_MEMORY: return reglet__fail_memory(err);
    }
    void *bytes = mmap(NULL, file.mapped, PROT_READ, MAP_PRIVATE, file.fd, 0);
    if (bytes == MAP_FAILED) {
        fault.error_number = errno;
        snprintf(fault.text, sizeof fault.text, "it cannot be mapped: %s", reglet__errno_text(errno));
        close(file.fd);
        return report(store, key, &fault, false, err);
    }
    note_use(file.fd);
    file.bytes = bytes;
    *out = file;
    return REGLET_OK;
}

void reglet__code_file_close(struct reglet__code_file *file) {
    if (file->bytes)
        munmap((void *)(uintptr_t)file->bytes, file->mapped);
    if (file->fd >= 0)
        close(file->fd);
    *file = (struct reglet__code_file){.fd = -1};
}

/* --- Putting ------------------------------------------------------------------------------------------------ */

static reglet_status cannot_put(const struct reglet__store *store, int error_number, reglet_error **err) {
    if (error_number == ENOMEM)
        return reglet__fail_memory(err);
    return reglet__fail_errno(err, REGLET_ERR_IO, REGLET_DOMAIN_ENGINE, error_number,
                              "no file can be written to %s: %s", store->path,
                              reglet__errno_text(error_number));
}

/* The kernel would end the process for a file that is larger than its limit (SIGXFSZ). */
static reglet_status check_size(const struct reglet__store *store, uint64_t size, reglet_error **err) {
    struct rlimit files;
    if (size > store->max_bytes)
        return reglet__fail(err, REGLET_ERR_IO, REGLET_DOMAIN_ENGINE,
                            "a file would have %" PRIu64 " bytes, and all in %s together may have %" PRIu64
                            ": raise that limit to keep it",
                            size, store->path, store->max_bytes);
    if (getrlimit(RLIMIT_FSIZE, &files) == 0 && size > files.rlim_cur)
        return reglet__fail(err, REGLET_ERR_IO, REGLET_DOMAIN_ENGINE,
                            "a file would have %" PRIu64 " bytes, and this process may write %" PRIu64
                            " (RLIMIT_FSIZE): raise that limit to keep it",
                            size, (uint64_t)files.rlim_cur);
    return REGLET_OK;
}

enum { TEMPORARY_SIZE = sizeof REGLET__CODE_TEMPORARY + 16 };

/* Random, for a number of the process is one's own in each container that shares the directory. Returns 0 or an errno. */
static int make_temporary(const struct reglet__store *store, char name[TEMPORARY_SIZE], int *fd) {
    uint64_t random;
    if (reglet__sys_getrandom(&random, sizeof random) != sizeof random)
        return EIO;
    snprintf(name, TEMPORARY_SIZE, REGLET__CODE_TEMPORARY "%016" PRIx64, random);
    *fd =
        reglet__sys_openat(store->directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return *fd >= 0 ? 0 : errno;
}

reglet_status reglet__store_put(struct reglet__store *store, const struct reglet__code_key *key,
                                const struct iovec *parts, size_t part_count, reglet_error **err) {
    char temporary[TEMPORARY_SIZE], name[REGLET__CODE_NAME_SIZE];
    _cleanup_fd_ int fd = -1;
    reglet_status status = check_directory(store, err);
    if (status == REGLET_OK)
        status = check_size(store, reglet__code_size(parts, part_count), err);
    if (status != REGLET_OK)
        return status;
    int error = make_temporary(store, temporary, &fd);
    if (error)
        return cannot_put(store, error, err);
    reglet__code_name(key, name);
    error = reglet__code_write(fd, key, parts, part_count);
    if (!error && reglet__sys_renameat(store->directory, temporary, store->directory, name) != 0)
        error = errno;
    if (error) {
        unlinkat(store->directory, temporary, 0);
        return cannot_put(store, error, err);
    }
    reglet__sys_fsync(store->directory); /* where that fails, the file may be gone after a crash: no harm */
    reglet__store_trim(store, key);
    return REGLET_OK;
}
