/* fs_write: {path, content (base64), mode: "create" | "truncate" | "append"} -> {written} */
#include <string.h>

#include "host/files.h"
#include "host/functions.h"
#include "util/cleanup.h"
#include "wasi/files.h"

static reglet_status read_mode(struct reglet__host_request *request, enum reglet__wasi_write *out) {
    static const char *const modes[] = {[REGLET__WASI_CREATE] = "create",
                                        [REGLET__WASI_TRUNCATE] = "truncate",
                                        [REGLET__WASI_APPEND] = "append"};
    const char *mode = NULL;
    reglet_status status = reglet__host_get_string(request, "mode", true, &mode);
    if (status != REGLET_OK)
        return status;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (strcmp(modes[i], mode) == 0) {
            *out = (enum reglet__wasi_write)i;
            return REGLET_OK;
        }
    return reglet__host_fail(request, "validation", "EINVAL", "mode must be create, truncate or append");
}

REGLET__HOST_FUNCTION(fs_write) {
    struct reglet__wasi *wasi = request->host->wasi;
    const char *path = NULL;
    const void *content = NULL;
    size_t size = 0, written = 0;
    enum reglet__wasi_write how = REGLET__WASI_CREATE;
    _cleanup_fd_ int fd = -1;
    reglet_status status = reglet__host_get_string(request, "path", true, &path);
    if (status == REGLET_OK)
        status = reglet__host_get_base64(request, "content", &content, &size);
    if (status == REGLET_OK)
        status = read_mode(request, &how);
    if (status != REGLET_OK)
        return status;
    int error = reglet__wasi_open_to_write(wasi, request->guest, path, how, &fd);
    if (!error)
        error = reglet__wasi_write_all(wasi, fd, content, size, &written);
    if (error == 0 || written > 0) /* a write that stopped half way tells how far it came */
        status = reglet__host_put_int(request, "written", (int64_t)written);
    return error && status == REGLET_OK ? reglet__host_fail_file(request, "write", path, error) : status;
}
