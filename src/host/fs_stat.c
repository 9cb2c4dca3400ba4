/* fs_stat: {path, follow?, readable?} -> {exists, type, size, mode, uid, gid, owner?, group?, mod_time, target?, readable?} */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>

#include "host/accounts.h"
#include "host/files.h"
#include "host/functions.h"
#include "util/clock.h"
#include "util/limits.h"
#include "wasi/files.h"

static reglet_status put_names(struct reglet__host_request *request, const struct stat *st) {
    char name[REGLET__MAX_ACCOUNT_NAME];
    reglet_status status = REGLET_OK;
    if (reglet__account_of_user(st->st_uid, name))
        status = reglet__host_put_string(request, "owner", name);
    if (status == REGLET_OK && reglet__account_of_group(st->st_gid, name))
        status = reglet__host_put_string(request, "group", name);
    return status;
}

static const char *type_name(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG: return "file";
    case S_IFDIR: return "directory";
    case S_IFLNK: return "symlink";
    case S_IFIFO: return "fifo";
    case S_IFSOCK: return "socket";
    case S_IFBLK: return "block_device";
    case S_IFCHR: return "character_device";
    default: return "unknown";
    }
}

/* A file system can hold times that nanoseconds in 64 bits cannot. */
static int64_t nanoseconds(const struct timespec *time) {
    int64_t sum = 0;
    if (__builtin_mul_overflow((int64_t)time->tv_sec, REGLET__NS_PER_S, &sum) ||
        __builtin_add_overflow(sum, (int64_t)time->tv_nsec, &sum))
        return time->tv_sec < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

static reglet_status put_stat(struct reglet__host_request *request, const struct stat *st) {
    char mode[16], time[REGLET__RFC3339_SIZE];
    snprintf(mode, sizeof mode, "%04o", (unsigned)st->st_mode & 07777U);
    reglet__rfc3339_format(nanoseconds(&st->st_mtim), time);
    reglet_status status = reglet__host_put_string(request, "type", type_name(st->st_mode));
    if (status == REGLET_OK)
        status = reglet__host_put_int(request, "size", st->st_size);
    if (status == REGLET_OK)
        status = reglet__host_put_string(request, "mode", mode);
    if (status == REGLET_OK)
        status = reglet__host_put_int(request, "uid", st->st_uid);
    if (status == REGLET_OK)
        status = reglet__host_put_int(request, "gid", st->st_gid);
    if (status == REGLET_OK)
        status = reglet__host_put_string(request, "mod_time", time);
    return status == REGLET_OK ? put_names(request, st) : status;
}

REGLET__HOST_FUNCTION(fs_stat) {
    const char *path = NULL;
    bool follow = true, wants_readable = false, readable = false;
    struct stat st;
    char target[REGLET__MAX_PATH];
    reglet_status status = reglet__host_get_string(request, "path", true, &path);
    if (status == REGLET_OK)
        status = reglet__host_get_bool(request, "follow", &follow);
    if (status == REGLET_OK)
        status = reglet__host_get_bool(request, "readable", &wants_readable);
    if (status != REGLET_OK)
        return status;
    int error = reglet__wasi_stat(request->host->wasi, request->guest, path, follow, &st, target,
                                  wants_readable ? &readable : NULL);
    if (error == ENOENT || error == ENOTDIR)
        return reglet__host_put_bool(request, "exists", false);
    if (error)
        return reglet__host_fail_file(request, "look at", path, error);
    status = reglet__host_put_bool(request, "exists", true);
    if (status == REGLET_OK)
        status = put_stat(request, &st);
    if (status == REGLET_OK && target[0])
        status = reglet__host_put_string(request, "target", target);
    if (status == REGLET_OK && wants_readable)
        status = reglet__host_put_bool(request, "readable", readable);
    return status;
}
