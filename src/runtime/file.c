#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "runtime/internal.h"
#include "util/cleanup.h"
#include "util/fail.h"
#include "util/sys.h"

REGLET_DEFINE_CLEANUP(struct reglet__blob *, reglet__blob_unref);

static reglet_status cannot(const char *what, const char *path, int error_number, reglet_error **err) {
    return reglet__fail_errno(err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME, error_number, "%s cannot be %s: %s",
                              path, what, reglet__errno_text(error_number));
}

/* As many bytes as the file had; one that grows or shrinks meanwhile is being written by somebody. */
static reglet_status read_all(int fd, const char *path, struct reglet__blob *blob, reglet_error **err) {
    size_t size = 0;
    char more = 0;
    for (;;) {
        bool full = size == blob->size;
        ssize_t n = full ? read(fd, &more, 1) : read(fd, blob->bytes + size, blob->size - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cannot("read", path, errno, err);
        if (full != (n == 0))
            return reglet__fail(err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME,
                                "%s cannot be read: its size changed meanwhile", path);
        if (n == 0)
            return REGLET_OK;
        size += (size_t)n;
    }
}

reglet_status reglet__module_file_read(const char *path, uint64_t most, struct reglet__blob **out,
                                       uint64_t *size, reglet_error **err) {
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
    if (*size > most)
        return REGLET_OK;
    _cleanup_(reglet__blob_unref_p)
    struct reglet__blob *blob = reglet__blob_new((size_t)*size);
    if (!blob)
        return reglet__fail_memory(err);
    reglet_status status = read_all(fd, path, blob, err);
    if (status == REGLET_OK)
        *out = take_ptr(blob);
    return status;
}
