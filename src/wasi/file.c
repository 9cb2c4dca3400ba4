/* Functions on what a descriptor has open: size, times, space, and getting it to the disk. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>

#include "util/clock.h"
#include "wasi/resolve.h"

/* One fallocate() is one uninterruptible system call: so much at once. */
#define ALLOCATE_STEP (INT64_C(64) << 20)

static uint64_t nanoseconds(struct timespec ts) {
    return ts.tv_sec < 0 ? 0 : (uint64_t)ts.tv_sec * (uint64_t)REGLET__NS_PER_S + (uint64_t)ts.tv_nsec;
}

int reglet__wasi_put_filestat(struct reglet__wasi *wasi, uint32_t address, const struct stat *st,
                              bool unrestricted) {
    unsigned char out[WASI_FILESTAT_SIZE] = {0};
    bool counts = S_ISDIR(st->st_mode) && !unrestricted;
    reglet__wasi_put(out, st->st_dev, 8);
    reglet__wasi_put(out + WASI_FILESTAT_INO, st->st_ino, 8);
    out[WASI_FILESTAT_TYPE] = reglet__wasi_filetype(st->st_mode);
    reglet__wasi_put(out + WASI_FILESTAT_NLINK, counts ? 1 : st->st_nlink, 8);
    reglet__wasi_put(out + WASI_FILESTAT_SIZE_FIELD, counts ? 0 : (uint64_t)st->st_size, 8);
    reglet__wasi_put(out + WASI_FILESTAT_ATIM, nanoseconds(st->st_atim), 8);
    reglet__wasi_put(out + WASI_FILESTAT_MTIM, nanoseconds(st->st_mtim), 8);
    reglet__wasi_put(out + WASI_FILESTAT_CTIM, nanoseconds(st->st_ctim), 8);
    return reglet__guest_write(wasi->guest, address, out, sizeof out) ? WASI_SUCCESS : WASI_EFAULT;
}

static struct timespec one_time(uint64_t ns, bool set, bool now) {
    if (now)
        return (struct timespec){.tv_nsec = UTIME_NOW};
    if (!set)
        return (struct timespec){.tv_nsec = UTIME_OMIT};
    return (struct timespec){.tv_sec = (time_t)(ns / (uint64_t)REGLET__NS_PER_S),
                             .tv_nsec = (long)(ns % (uint64_t)REGLET__NS_PER_S)};
}

int reglet__wasi_times(uint64_t atim, uint64_t mtim, uint32_t flags, struct timespec out[2]) {
    bool atim_twice = flags & WASI_FSTFLAG_ATIM && flags & WASI_FSTFLAG_ATIM_NOW;
    bool mtim_twice = flags & WASI_FSTFLAG_MTIM && flags & WASI_FSTFLAG_MTIM_NOW;
    if (flags & ~(uint32_t)WASI_FSTFLAGS_ALL || atim_twice || mtim_twice)
        return WASI_EINVAL;
    out[0] = one_time(atim, flags & WASI_FSTFLAG_ATIM, flags & WASI_FSTFLAG_ATIM_NOW);
    out[1] = one_time(mtim, flags & WASI_FSTFLAG_MTIM, flags & WASI_FSTFLAG_MTIM_NOW);
    return WASI_SUCCESS;
}

WASI_FUNCTION(fd_filestat_get) {
    struct reglet__wasi_fd *fd;
    int error = reglet__wasi_fd_get(wasi, args[0].u32, WASI_RIGHT_FD_FILESTAT_GET, &fd);
    if (error)
        return error;
    struct stat st = {.st_mode = S_IFCHR};
    if (fd->kind == REGLET__WASI_DIRECTORY && fd->host < 0)
        return WASI_ENOTSUP;
    if (fd->host >= 0 && fstat(fd->host, &st) != 0)
        return reglet__wasi_errno(errno);
    return reglet__wasi_put_filestat(wasi, args[1].u32, &st, fd->unrestricted);
}

/* A regular file or device that was opened through a path. */
static int file_get(struct reglet__wasi *wasi, uint32_t number, uint64_t rights,
                    struct reglet__wasi_fd **out) {
    int error = reglet__wasi_fd_get(wasi, number, rights, out);
    return error || (*out)->kind == REGLET__WASI_FILE ? error : WASI_EBADF;
}

uint64_t reglet__wasi_file_size_limit(void) {
    struct rlimit limit;
    bool known = getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    return known ? limit.rlim_cur : INT64_MAX;
}

WASI_FUNCTION(fd_filestat_set_size) {
    struct reglet__wasi_fd *fd;
    int error = file_get(wasi, args[0].u32, WASI_RIGHT_FD_FILESTAT_SET_SIZE, &fd);
    if (error)
        return error;
    if (args[1].u64 > INT64_MAX || args[1].u64 > reglet__wasi_file_size_limit())
        return WASI_EFBIG;
    return ftruncate(fd->host, (off_t)args[1].u64) == 0 ? WASI_SUCCESS : reglet__wasi_errno(errno);
}

/* The kernel lets an owner set times through a descriptor that only reads, so the object is judged anew. */
WASI_FUNCTION(fd_filestat_set_times) {
    struct reglet__wasi_fd *fd;
    struct timespec times[2];
    int error = reglet__wasi_fd_get(wasi, args[0].u32, WASI_RIGHT_FD_FILESTAT_SET_TIMES, &fd);
    if (!error)
        error = reglet__wasi_times(args[1].u64, args[2].u64, args[3].u32, times);
    if (error)
        return error;
    if (fd->kind == REGLET__WASI_DIRECTORY)
        error = reglet__wasi_directory_get(wasi, args[0].u32, 0, &fd);
    struct reglet__wasi_object object;
    if (!error)
        error = reglet__wasi_judge_fd(wasi, fd, REGLET__WASI_WRITE, &object);
    return error ? error : reglet__wasi_set_times(wasi, fd->host, times);
}

WASI_FUNCTION(fd_advise) {
    static const int advice[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
                                 POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE};
    struct reglet__wasi_fd *fd;
    int error = file_get(wasi, args[0].u32, WASI_RIGHT_FD_ADVISE, &fd);
    if (error)
        return error;
    if (args[1].u64 > INT64_MAX || args[2].u64 > INT64_MAX || args[3].u32 >= ARRAY_LEN(advice))
        return WASI_EINVAL;
    return reglet__wasi_errno(
        posix_fadvise(fd->host, (off_t)args[1].u64, (off_t)args[2].u64, advice[args[3].u32]));
}

WASI_FUNCTION(fd_allocate) {
    struct reglet__wasi_fd *fd;
    int error = file_get(wasi, args[0].u32, WASI_RIGHT_FD_ALLOCATE, &fd);
    if (error)
        return error;
    if (args[2].u64 == 0 || args[1].u64 > INT64_MAX || args[2].u64 > INT64_MAX)
        return WASI_EINVAL;
    if (args[2].u64 > INT64_MAX - args[1].u64 || args[1].u64 + args[2].u64 > reglet__wasi_file_size_limit())
        return WASI_EFBIG;
    off_t at = (off_t)args[1].u64, end = at + (off_t)args[2].u64;
    while (at < end && !error) {
        off_t part = end - at < ALLOCATE_STEP ? end - at : ALLOCATE_STEP;
        if (fallocate(fd->host, 0, at, part) != 0)
            return reglet__wasi_errno(errno);
        at += part;
        error = reglet__wasi_check(wasi);
    }
    return error;
}

/* A directory is held by a descriptor that can do nothing, so one that can is opened for the moment. */
static int sync_directory(struct reglet__wasi *wasi, uint32_t number) {
    struct reglet__wasi_fd *fd;
    int error = reglet__wasi_directory_get(wasi, number, 0, &fd);
    if (error)
        return error;
    _cleanup_fd_ int open = reglet__wasi_reopen(wasi, fd->host, O_RDONLY | O_DIRECTORY);
    return open >= 0 && fsync(open) == 0 ? WASI_SUCCESS : reglet__wasi_errno(errno);
}

static int sync_fd(struct reglet__wasi *wasi, uint32_t number, uint64_t right, int (*sync)(int)) {
    struct reglet__wasi_fd *fd;
    int error = reglet__wasi_fd_get(wasi, number, right, &fd);
    if (error)
        return error;
    if (fd->kind == REGLET__WASI_DIRECTORY)
        return sync_directory(wasi, number);
    if (fd->kind != REGLET__WASI_FILE)
        return WASI_EINVAL;
    return sync(fd->host) == 0 ? WASI_SUCCESS : reglet__wasi_errno(errno);
}

WASI_FUNCTION(fd_sync) {
    return sync_fd(wasi, args[0].u32, WASI_RIGHT_FD_SYNC, fsync);
}

WASI_FUNCTION(fd_datasync) {
    return sync_fd(wasi, args[0].u32, WASI_RIGHT_FD_DATASYNC, fdatasync);
}
