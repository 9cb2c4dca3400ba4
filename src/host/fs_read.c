/* fs_read: {path, offset?, max_bytes?} -> {content (base64), size, truncated} */
#include <errno.h>

#include "host/files.h"
#include "host/functions.h"
#include "util/cleanup.h"
#include "util/limits.h"
#include "wasi/files.h"

/* What is asked of the file. */
struct wish {
    const char *path;
    int64_t offset;
    int64_t max_bytes;
};

static reglet_status read_wish(struct reglet__host_request *request, struct wish *wish) {
    reglet_status status = reglet__host_get_string(request, "path", true, &wish->path);
    if (status == REGLET_OK)
        status = reglet__host_get_int(request, "offset", 0, INT64_MAX - 2 * (int64_t)REGLET__MAX_BODY_BYTES,
                                      &wish->offset);
    if (status == REGLET_OK)
        status =
            reglet__host_get_int(request, "max_bytes", 1, (int64_t)REGLET__MAX_BODY_BYTES, &wish->max_bytes);
    return status;
}

/* The file's size is told as it is now; one of procfs, which has none, counts what was read. */
static reglet_status answer(struct reglet__host_request *request, const struct wish *wish,
                            const struct stat *st, const char *content, size_t count) {
    size_t shown = count < (size_t)wish->max_bytes ? count : (size_t)wish->max_bytes;
    int64_t end = count > 0 ? wish->offset + (int64_t)count : 0;
    int64_t size = st->st_size > end ? st->st_size : end;
    reglet_status status = reglet__host_put_base64(request, "content", content, shown);
    if (status == REGLET_OK)
        status = reglet__host_put_int(request, "size", size);
    if (status == REGLET_OK)
        status = reglet__host_put_bool(request, "truncated", shown < count);
    return status;
}

REGLET__HOST_FUNCTION(fs_read) {
    struct reglet__wasi *wasi = request->host->wasi;
    struct wish wish = {.max_bytes = (int64_t)REGLET__MAX_BODY_BYTES};
    _cleanup_fd_ int fd = -1;
    struct stat st;
    reglet_status status = read_wish(request, &wish);
    if (status != REGLET_OK)
        return status;
    int error = reglet__wasi_open_to_read(wasi, request->guest, wish.path, &fd);
    if (!error && fstat(fd, &st) != 0)
        error = errno;
    if (error)
        return reglet__host_fail_file(request, "read", wish.path, error);
    /* One byte more tells whether there is more; a small file takes no more memory than it needs. */
    uint64_t left = S_ISREG(st.st_mode) && st.st_size > wish.offset ? (uint64_t)(st.st_size - wish.offset)
                                                                    : (uint64_t)wish.max_bytes;
    size_t room = (left < (uint64_t)wish.max_bytes ? (size_t)left : (size_t)wish.max_bytes) + 1, count = 0;
    _cleanup_free_ char *content = malloc(room);
    if (!content)
        return REGLET_ERR_NO_MEMORY;
    error = reglet__wasi_read_at(wasi, fd, content, room, (uint64_t)wish.offset, &count);
    if (error)
        return reglet__host_fail_file(request, "read", wish.path, error);
    return answer(request, &wish, &st, content, count);
}
