/* Functions on a descriptor as such: its flags, rights, number and name. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>

#include "wasi/state.h"

WASI_FUNCTION(fd_close) {
    struct reglet__wasi_fd *fd;
    int error = reglet__wasi_fd_get(wasi, args[0].u32, 0, &fd);
    if (!error)
        reglet__wasi_fd_close(wasi, fd);
    return error;
}

/* Both have to be open: a number that the guest did not get from us is not a place to put a descriptor. */
WASI_FUNCTION(fd_renumber) {
    struct reglet__wasi_fd *from, *to;
    int error = reglet__wasi_fd_get(wasi, args[0].u32, 0, &from);
    if (!error)
        error = reglet__wasi_fd_get(wasi, args[1].u32, 0, &to);
    if (error || from == to)
        return error;
    reglet__wasi_fd_close(wasi, to);
    *to = *from;
    *from = (struct reglet__wasi_fd){.host = -1, .listing = -1};
    return WASI_SUCCESS;
}

WASI_FUNCTION(fd_fdstat_get) {
    struct reglet__wasi_fd *fd;
    int error = reglet__wasi_fd_get(wasi, args[0].u32, 0, &fd);
    if (error)
        return error;
    unsigned char out[WASI_FDSTAT_SIZE] = {fd->filetype};
    reglet__wasi_put(out + WASI_FDSTAT_FLAGS, fd->flags, 2);
    reglet__wasi_put(out + WASI_FDSTAT_RIGHTS, fd->rights, 8);
    reglet__wasi_put(out + WASI_FDSTAT_INHERITING, fd->inheriting, 8);
    return reglet__guest_write(wasi->guest, args[1].u32, out, sizeof out) ? WASI_SUCCESS : WASI_EFAULT;
}

WASI_FUNCTION(fd_fdstat_set_flags) {
    struct reglet__wasi_fd *fd;
    int error = reglet__wasi_fd_get(wasi, args[0].u32, WASI_RIGHT_FD_FDSTAT_SET_FLAGS, &fd);
    uint32_t flags = args[1].u32, changed;
    if (error)
        return error;
    if (flags & ~(uint32_t)WASI_FDFLAGS_ALL)
        return WASI_EINVAL;
    changed = flags ^ fd->flags;
    if (changed & (WASI_FDFLAG_DSYNC | WASI_FDFLAG_RSYNC | WASI_FDFLAG_SYNC))
        return WASI_ENOTSUP; /* the kernel cannot change these on an open file */
    /* The flags of descriptors 0 to 2 belong to whoever started the process as well: theirs stay. */
    if (changed & WASI_FDFLAG_APPEND && fd->kind == REGLET__WASI_INHERITED)
        return WASI_ENOTSUP;
    if (changed & WASI_FDFLAG_APPEND && fd->kind == REGLET__WASI_FILE) {
        int mode = fcntl(fd->host, F_GETFL);
        mode = flags & WASI_FDFLAG_APPEND ? mode | O_APPEND : mode & ~O_APPEND;
        if (fcntl(fd->host, F_SETFL, mode) != 0)
            return reglet__wasi_errno(errno);
    }
    fd->flags = (uint16_t)flags;
    return WASI_SUCCESS;
}

WASI_FUNCTION(fd_fdstat_set_rights) {
    struct reglet__wasi_fd *fd;
    int error = reglet__wasi_fd_get(wasi, args[0].u32, args[1].u64, &fd);
    if (error)
        return error;
    if (args[2].u64 & ~fd->inheriting)
        return WASI_ENOTCAPABLE;
    fd->rights = args[1].u64;
    fd->inheriting = args[2].u64;
    return WASI_SUCCESS;
}

/* libc and Go ask from descriptor 3 upwards until they are told EBADF. */
static int preopen_get(struct reglet__wasi *wasi, uint32_t number, const char **out) {
    struct reglet__wasi_fd *fd;
    int error = reglet__wasi_fd_get(wasi, number, 0, &fd);
    if (!error && !fd->preopen)
        error = WASI_EBADF;
    if (!error)
        *out = fd->preopen;
    return error;
}

WASI_FUNCTION(fd_prestat_get) {
    const char *name;
    int error = preopen_get(wasi, args[0].u32, &name);
    if (error)
        return error;
    unsigned char out[WASI_PRESTAT_SIZE] = {0};
    reglet__wasi_put(out + WASI_PRESTAT_NAMLEN, strlen(name), 4);
    return reglet__guest_write(wasi->guest, args[1].u32, out, sizeof out) ? WASI_SUCCESS : WASI_EFAULT;
}

WASI_FUNCTION(fd_prestat_dir_name) {
    const char *name;
    int error = preopen_get(wasi, args[0].u32, &name);
    if (error)
        return error;
    size_t length = strlen(name);
    if (args[2].u32 < length)
        return WASI_ENAMETOOLONG;
    return reglet__guest_write(wasi->guest, args[1].u32, name, (uint32_t)length) ? WASI_SUCCESS : WASI_EFAULT;
}
