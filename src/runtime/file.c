#define _GNU_SOURCE
#include "runtime/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/fail.h"
#include "util/sys.h"

REGLET_DEFINE_CLEANUP(struct reglet__blob *, reglet__blob_unref);

static reglet_status cannot(const char *what, const char *path, int error_number, reglet_error **err) {
    return reglet__fail_errno(err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME, error_number, "%s cannot be %s: %s",
                              path, what, reglet__errno_text(error_number));
}

reglet_status reglet__module_file_open(const char *path, int *out, uint64_t *size, reglet_error **err) {
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. It changes nothing for a file. */
    _cleanup_fd_ int fd = reglet__sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    struct stat st;
    if (fd < 0)
        return cannot("opened", path, errno, err);
    if (fstat(fd, &st) != 0)
        return cannot("read", path, errno, err);
    if (S_ISDIR(st.st_mode))
        return cannot("read", path, EISDIR, err);
    if (!S_ISREG(st.st_mode))
        return reglet__fail(err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME,
                            "%s cannot be read: it is no regular file", path);
    *size = (uint64_t)st.st_size;
    *out = take_fd(fd);
    return REGLET_OK;
}

reglet_status reglet__module_file_hash(int fd, const char *path, uint64_t size, struct reglet__sha256 *out,
                                       reglet_error **err) {
    if (reglet__sha256_file(fd, size, out))
        return REGLET_OK;
    return errno ? cannot("read", path, errno, err) : reglet__fail_memory(err);
}

static bool read_all(int fd, struct reglet__blob *blob) {
    for (size_t at = 0; at < blob->size;) {
        ssize_t n = pread(fd, blob->bytes + at, blob->size - at, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

reglet_status reglet__module_file_read(int fd, uint64_t size, const struct reglet__sha256 *hash,
                                       struct reglet__blob **out, reglet_error **err) {
    _cleanup_(reglet__blob_unref_p)
    struct reglet__blob *blob = reglet__blob_new((size_t)size);
    struct reglet__sha256 found;
    if (!blob)
        return reglet__fail_memory(err);
    errno = 0;
    if (!read_all(fd, blob) && errno)
        return reglet__fail_errno(err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME, errno,
                                  "the module's file cannot be read: %s", reglet__errno_text(errno));
    if (!reglet__sha256(blob->bytes, blob->size, &found))
        return reglet__fail_memory(err);
    if (!reglet__sha256_equal(&found, hash))
        return reglet__fail(err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME,
                            "the module's file was changed while it was loaded");
    *out = take_ptr(blob);
    return REGLET_OK;
}
