#include "host/files.h"

#include <errno.h>
#include <string.h>

#include "util/cleanup.h"
#include "wasi/files.h"

/* Named as the plugin asked for it: where the path leads to it is not told. */
static reglet_status deny(struct reglet__host_request *request, const char *verb, const char *path) {
    enum reglet__fs_access access = strcmp(verb, "write") == 0 ? REGLET__FS_WRITE : REGLET__FS_READ;
    _cleanup_free_ char *grant = reglet__policy_fs_suggest(access, path);
    reglet_status status =
        reglet__host_fail(request, "capability", "EACCES", "permission denied: %s %s", verb, path);
    return status == REGLET__HOST_ANSWERED && grant ? reglet__host_missing(request, grant) : status;
}

reglet_status reglet__host_fail_file(struct reglet__host_request *request, const char *verb, const char *path,
                                     int error) {
    if (path[0] != '/')
        return reglet__host_fail(request, "validation", "EINVAL", "path must be absolute, not \"%s\"", path);
    switch (error) {
    case REGLET__WASI_ENDED: request->ended = true; return REGLET__HOST_ANSWERED;
    case EACCES: return deny(request, verb, path);
    case ENOENT:
    case ENOTDIR:
        return reglet__host_fail_not_found(request, "execution", reglet__errno_name(error),
                                           "cannot %s %s: it does not exist", verb, path);
    default: return reglet__host_fail_errno(request, "execution", error, "cannot %s %s", verb, path);
    }
}
