#define _GNU_SOURCE
#include <sched.h>

#include "wasi/state.h"

WASI_FUNCTION(proc_exit) {
    reglet__guest_exit(wasi->guest, args[0].u32);
    return WASI_STOP;
}

/* There is no process to signal, and later versions of WASI have no such function. */
WASI_FUNCTION(proc_raise) {
    (void)wasi;
    (void)args;
    return WASI_ENOTSUP;
}

WASI_FUNCTION(sched_yield) {
    (void)args;
    sched_yield();
    return reglet__wasi_check(wasi);
}
