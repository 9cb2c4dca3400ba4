#define _GNU_SOURCE
#include "metrics_file.h"

#include "log.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool metrics_file_check(const char *command, const char *path) {
    struct stat file;
    if (lstat(path, &file) != 0 ? errno == ENOENT : S_ISREG(file.st_mode))
        return true;
    complain(command, "--metrics: %s is no regular file; it would be replaced by one", path);
    return false;
}

static bool write_all(int fd, const char *text, size_t size) {
    while (size) {
        ssize_t written = write(fd, text, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        text += written;
        size -= (size_t)written;
    }
    return true;
}

/* One that is there was left by a command that was killed and had the same number: it is nobody's. */
static int open_temporary(const char *path) {
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = open(path, flags, 0666);
    if (fd < 0 && errno == EEXIST && unlink(path) == 0)
        fd = open(path, flags, 0666);
    return fd;
}

bool metrics_file_write(const char *command, const char *path, const reglet_metrics *metrics) {
    _cleanup_error_ reglet_error *error = NULL;
    char *text = NULL;
    size_t size = 0;
    if (reglet_metrics_text(metrics, &text, &size, &error) != REGLET_OK) {
        complain_error(command, error);
        return false;
    }
    _cleanup_free_ char *temporary = format_text("%s.%ld.tmp", path, (long)getpid());
    int fd = open_temporary(temporary);
    bool ok = fd >= 0 && write_all(fd, text, size) && fsync(fd) == 0 && rename(temporary, path) == 0;
    if (!ok) {
        complain(command, "--metrics: cannot write %s: %s", path, strerror(errno));
        if (fd >= 0)
            unlink(temporary);
    }
    if (fd >= 0)
        close(fd);
    reglet_free(text);
    return ok;
}
