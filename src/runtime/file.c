#define _GNU_SOURCE
#include <reglet/runtime.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/options.h"
#include "util/sys.h"

static reglet_status cannot(const char *what, const char *path, int error_number, reglet_error **err) {
    return reglet__fail_errno(err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME, error_number, "%s cannot be %s: %s",
                              path, what, reglet__errno_text(error_number));
}

/* Reads to the end, or to one byte more than `most`, which is enough to know that it is too much. */
static reglet_status read_all(int fd, const char *path, size_t most, char **out, size_t *out_size,
                              reglet_error **err) {
    _cleanup_free_ char *bytes = NULL;
    size_t size = 0, capacity = 0;
    while (size <= most) {
        if (size == capacity) {
            capacity = capacity ? capacity * 2 : 256 * 1024;
            if (capacity > most + 1)
                capacity = most + 1;
            char *grown = realloc(bytes, capacity);
            if (!grown)
                return reglet__fail_memory(err);
            bytes = grown;
        }
        ssize_t n = read(fd, bytes + size, capacity - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cannot("read", path, errno, err);
        if (n == 0)
            break;
        size += (size_t)n;
    }
    *out = take_ptr(bytes);
    *out_size = size;
    return REGLET_OK;
}

static reglet_status read_file(const char *path, size_t most, char **out, size_t *out_size,
                               reglet_error **err) {
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. It changes nothing for a file. */
    _cleanup_fd_ int fd = reglet__sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    struct stat status;
    if (fd < 0)
        return cannot("opened", path, errno, err);
    if (fstat(fd, &status) != 0)
        return cannot("read", path, errno, err);
    if (S_ISDIR(status.st_mode))
        return cannot("read", path, EISDIR, err);
    if (!S_ISREG(status.st_mode))
        return reglet__fail(err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME,
                            "%s cannot be read: it is no regular file", path);
    return read_all(fd, path, most, out, out_size, err);
}

reglet_status reglet_runtime_load_plugin_file(reglet_runtime *runtime, const char *name, const char *path,
                                              const reglet_load_options *given, reglet_plugin **out,
                                              reglet_error **err) {
    if (!path)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME, "load: path is NULL");
    reglet_load_options options;
    if (!reglet__options_copy(&options, sizeof options, given))
        return reglet__fail_options(err, "load options", "REGLET_LOAD_OPTIONS_INIT");
    size_t most = options.max_module_bytes > 0     ? (size_t)options.max_module_bytes
                  : options.max_module_bytes == -1 ? SIZE_MAX / 4
                                                   : (size_t)REGLET__DEFAULT_MODULE_BYTES;
    _cleanup_free_ char *bytes = NULL;
    size_t size = 0;
    reglet_status status = read_file(path, most, &bytes, &size, err);
    return status == REGLET_OK ? reglet_runtime_load_plugin(runtime, name, bytes, size, given, out, err)
                               : status;
}
