#include "host/files.h"

#include <errno.h>

#include "wasi/files.h"

reglet_status reglet__host_fail_file(struct reglet__host_request *request, const char *verb, const char *path,
                                     int error) {
    if (path[0] != '/')
        return reglet__host_fail(request, "validation", "EINVAL", "path must be absolute, not \"%s\"", path);
    switch (error) {
    case REGLET__WASI_ENDED: request->ended = true; return REGLET__HOST_ANSWERED;
    case EACCES:
        return reglet__host_fail(request, "capability", "EACCES", "permission denied: %s %s", verb, path);
    case ENOENT:
    case ENOTDIR:
        return reglet__host_fail_not_found(request, "execution", reglet__errno_name(error),
                                           "cannot %s %s: it does not exist", verb, path);
    default: return reglet__host_fail_errno(request, "execution", error, "cannot %s %s", verb, path);
    }
}
