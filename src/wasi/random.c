#define _GNU_SOURCE
#include <errno.h>

#include "util/sys.h"
#include "wasi/state.h"

enum { STEP = 64 << 10 }; /* bytes of one system call: between two of them the call can be ended */

WASI_FUNCTION(random_get) {
    unsigned char *at = reglet__guest_memory(wasi->guest, args[0].u32, args[1].u32);
    uint32_t left = args[1].u32;
    int error = at ? WASI_SUCCESS : WASI_EFAULT;
    while (left && !error) {
        ssize_t got = reglet__sys_getrandom(at, left < STEP ? left : STEP);
        if (got < 0 && errno != EINTR)
            return reglet__wasi_errno(errno);
        at += got > 0 ? got : 0;
        left -= got > 0 ? (uint32_t)got : 0;
        error = reglet__wasi_check(wasi);
    }
    return error;
}
