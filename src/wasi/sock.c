/* Sockets: there are none. Network access is a host function's, where the policy sees host and port. */
#define _GNU_SOURCE
#include "wasi/state.h"

static int refuse(struct reglet__wasi *wasi, uint32_t number) {
    struct reglet__wasi_fd *fd;
    int error = reglet__wasi_fd_get(wasi, number, 0, &fd);
    if (error)
        return error;
    return fd->filetype == WASI_FILETYPE_SOCKET_STREAM ? WASI_ENOTSUP : WASI_ENOTSOCK;
}

WASI_FUNCTION(sock_accept) {
    return refuse(wasi, args[0].u32);
}

WASI_FUNCTION(sock_recv) {
    return refuse(wasi, args[0].u32);
}

WASI_FUNCTION(sock_send) {
    return refuse(wasi, args[0].u32);
}

WASI_FUNCTION(sock_shutdown) {
    return refuse(wasi, args[0].u32);
}
