#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/vfs.h>

#include "util/fail.h"
#include "util/sys.h"
#include "wasi/resolve.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct reglet__wasi_host host = {.proc_fd = -1, .root = -1};

/* Opens a descriptor above 2: in a process without stdio it would become a command's stdin. */
static int open_high(const char *path, int flags) {
    _cleanup_fd_ int fd = reglet__sys_openat(AT_FDCWD, path, flags | O_CLOEXEC, 0);
    return fd < 0 || fd > 2 ? take_fd(fd) : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* A shortage passes: a runtime that took it for a lack of the system would refuse files for all its life. */
static bool is_shortage(int error) {
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}

static reglet_status short_of(int error, reglet_error **err) {
    return reglet__fail_errno(err, error == ENOMEM ? REGLET_ERR_NO_MEMORY : REGLET_ERR_IO, REGLET_DOMAIN_WASI,
                              error, "files cannot be judged without descriptors of our own: %s",
                              reglet__errno_text(error));
}

static reglet_status open_proc(int *out, reglet_error **err) {
    _cleanup_fd_ int fd = open_high("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    if (fd < 0 && is_shortage(errno))
        return short_of(errno, err);
    if (fd < 0)
        return reglet__fail_errno(err, REGLET_ERR_UNSUPPORTED, REGLET_DOMAIN_WASI, errno,
                                  "no access to files: /proc/self/fd cannot be opened: %s; mount /proc",
                                  reglet__errno_text(errno));
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0 || fs.f_type != PROC_SUPER_MAGIC)
        return reglet__fail(err, REGLET_ERR_UNSUPPORTED, REGLET_DOMAIN_WASI,
                            "no access to files: what is at /proc is not procfs");
    *out = take_fd(fd);
    return REGLET_OK;
}

static reglet_status open_root(int *out, reglet_error **err) {
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
    _cleanup_fd_ int tried = reglet__sys_openat2(AT_FDCWD, "/", &how);
    if (tried < 0 && is_shortage(errno))
        return short_of(errno, err);
    if (tried < 0)
        return reglet__fail_errno(err, REGLET_ERR_UNSUPPORTED, REGLET_DOMAIN_WASI, errno,
                                  "no access to files: openat2 does not work: %s; it needs Linux 5.6 and a "
                                  "system call filter that lets it through",
                                  reglet__errno_text(errno));
    _cleanup_fd_ int fd = open_high("/", O_PATH | O_DIRECTORY);
    if (fd < 0 && is_shortage(errno))
        return short_of(errno, err);
    if (fd < 0)
        return reglet__fail_errno(err, REGLET_ERR_UNSUPPORTED, REGLET_DOMAIN_WASI, errno,
                                  "no access to files: / cannot be opened: %s", reglet__errno_text(errno));
    *out = take_fd(fd);
    return REGLET_OK;
}

/* Fills the host in: all of it, or nothing, so that a later call may try again. */
static reglet_status make(reglet_error **err) {
    _cleanup_fd_ int proc_fd = -1;
    _cleanup_fd_ int root = -1;
    reglet_status status = open_proc(&proc_fd, err);
    if (status == REGLET_OK)
        status = open_root(&root, err);
    if (status != REGLET_OK)
        return status;
    struct reglet__wasi_host made = {.proc_fd = proc_fd, .root = root, .pid = getpid()};
    char path[REGLET__MAX_PATH];
    if (reglet__wasi_real_path(&made, proc_fd, path) != 0)
        return reglet__fail(err, REGLET_ERR_UNSUPPORTED, REGLET_DOMAIN_WASI,
                            "no access to files: /proc does not tell the path of a descriptor");
    take_fd(proc_fd);
    take_fd(root);
    host = made;
    return REGLET_OK;
}

reglet_status reglet__wasi_host_get(const struct reglet__wasi_host **out, reglet_error **err) {
    pthread_mutex_lock(&lock);
    reglet_status status = host.proc_fd >= 0 ? REGLET_OK : make(err);
    pthread_mutex_unlock(&lock);
    if (status == REGLET_OK)
        *out = &host;
    return status;
}
