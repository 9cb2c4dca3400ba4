/*
 * state.h - what one call has: its descriptors, its streams, and how a function of preview1 is written.
 */
#ifndef REGLET_WASI_STATE_H
#define REGLET_WASI_STATE_H

#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "util/buf.h"
#include "util/limits.h"
#include "wasi/cookies.h"
#include "wasi/functions.h"
#include "wasi/preview1.h"
#include "wasi/wasi.h"

/* What a function answers, besides an errno of preview1: the call ends here. */
enum { WASI_STOP = -1 };

enum reglet__wasi_kind {
    REGLET__WASI_CLOSED,
    REGLET__WASI_FILE,      /* opened by the guest for reading or writing */
    REGLET__WASI_DIRECTORY, /* a preopen, or opened by the guest; the host's descriptor is O_PATH */
    REGLET__WASI_EMPTY,     /* stdin of a plugin: always at its end */
    REGLET__WASI_LINES,     /* stdout or stderr of a plugin */
    REGLET__WASI_INHERITED  /* descriptor 0, 1 or 2 of the process */
};

/* One descriptor of the guest. */
struct reglet__wasi_fd {
    enum reglet__wasi_kind kind;
    int host;            /* the host's descriptor, or -1 */
    bool borrowed;       /* `host` is not closed with it */
    bool unrestricted;   /* a preopen of the operator's, or opened below one: no grant is needed */
    uint8_t filetype;    /* enum wasi_filetype */
    uint16_t flags;      /* WASI_FDFLAG_… */
    uint64_t rights;     /* what may be done with it; only ever shrinks */
    uint64_t inheriting; /* what may be done with what is opened through it */
    int stream;          /* LINES: 1 or 2 */
    int listing;         /* DIRECTORY: opened for reading by the first fd_readdir, or -1 */
    struct reglet__wasi_cookies cookies; /* of `listing` */
    uint64_t bytes_in, bytes_out;        /* FILE: read and written so far */
    struct reglet__kept_decisions *kept; /* FILE: the decisions that opened it, told when it is closed */
    char *preopen;                       /* the guest's name for a preopen, or NULL */
};

struct reglet__wasi {
    const struct reglet__wasi_options *options;
    struct reglet__guest *guest; /* the one that is calling; NULL when only a decision is wanted */
    struct reglet__wasi_fd *fds;
    size_t fd_count;
    struct reglet__buf lines[2]; /* the unfinished lines of stdout and stderr */
    const char **environment;    /* what the policy lets through; made when it is first asked for */
    size_t environment_count;
    bool host_missing_said;
};

/* Runs one function and answers with its errno; defined by WASI_FUNCTION. */
typedef int reglet__wasi_function(struct reglet__wasi *wasi, const union reglet__slot *args);
bool reglet__wasi_run(struct reglet__guest *guest, union reglet__slot *slots, const char *name,
                      reglet__wasi_function *function);

/* Opens the definition of a function of preview1: `{ body }` follows, and returns an errno or WASI_STOP. */
#define WASI_FUNCTION(name)                                                                                  \
    static int do_##name(struct reglet__wasi *wasi, const union reglet__slot *args);                         \
    bool reglet__preview1_##name(struct reglet__guest *guest, union reglet__slot *slots) {                   \
        return reglet__wasi_run(guest, slots, #name, do_##name);                                             \
    }                                                                                                        \
    static int do_##name(struct reglet__wasi *wasi, const union reglet__slot *args)

/* Ends the call for `status` and returns WASI_STOP. */
int reglet__wasi_stop(struct reglet__wasi *wasi, reglet_status status);

/* 0, or WASI_STOP when the call's deadline or token says so. For loops that a guest can make long. */
int reglet__wasi_check(struct reglet__wasi *wasi);

/* Waits as reglet__interrupt_wait() does; 0, an errno, or WASI_STOP. */
int reglet__wasi_wait(struct reglet__wasi *wasi, struct pollfd *fds, size_t count, int64_t until);

/* The host's errno in numbers of preview1. */
int reglet__wasi_errno(int host_errno);

/* Whether a result of `size` bytes can be written there: asked before anything is done. */
static inline bool reglet__wasi_writable(struct reglet__wasi *wasi, uint32_t address, uint32_t size) {
    return reglet__guest_memory(wasi->guest, address, size) != NULL;
}

/*
 * The descriptor with a number: 0, WASI_EBADF, or WASI_ENOTCAPABLE when it lacks one of `rights`. Valid until
 * the next descriptor is made.
 */
int reglet__wasi_fd_get(struct reglet__wasi *wasi, uint32_t number, uint64_t rights,
                        struct reglet__wasi_fd **out);

/* Whether the host can decide on files. When it cannot, that is said once a call. */
bool reglet__wasi_host_suffices(struct reglet__wasi *wasi);

/* The same for a directory that paths start at; also WASI_ENOTDIR, and WASI_ENOTSUP where the host cannot. */
int reglet__wasi_directory_get(struct reglet__wasi *wasi, uint32_t number, uint64_t rights,
                               struct reglet__wasi_fd **out);

/* Whether the guest may have one more file open: 0, or WASI_STOP. */
int reglet__wasi_may_open(struct reglet__wasi *wasi);

/* The lowest free number, made if need be, for one more file; WASI_ENOMEM, or WASI_STOP. */
int reglet__wasi_fd_free_number(struct reglet__wasi *wasi, uint32_t *out);

void reglet__wasi_fd_close(struct reglet__wasi *wasi, struct reglet__wasi_fd *fd);

/* Rights that make sense on a file of this type. */
uint64_t reglet__wasi_rights_of(uint8_t filetype);

uint8_t reglet__wasi_filetype(mode_t mode);

/* Puts `total` bytes into lines and hands finished ones out: 0, WASI_ENOMEM, or WASI_STOP at the limit. */
int reglet__wasi_write_lines(struct reglet__wasi *wasi, int stream, const struct iovec *parts, size_t count,
                             size_t total);

/*
 * Writes a stat in preview1's layout: 0 or WASI_EFAULT. What a directory's size and number of links are is
 * told below an unrestricted preopen only: they count entries that a list would not show.
 */
int reglet__wasi_put_filestat(struct reglet__wasi *wasi, uint32_t address, const struct stat *st,
                              bool unrestricted);

/* How large the process lets a file become: growing it further would raise SIGXFSZ, which ends the process. */
uint64_t reglet__wasi_file_size_limit(void);

/* The two times of utimensat() from arguments of a guest: 0 or WASI_EINVAL. */
int reglet__wasi_times(uint64_t atim, uint64_t mtim, uint32_t flags, struct timespec out[2]);

/* Little-endian fields of a structure. */
static inline void reglet__wasi_put(unsigned char *at, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}
static inline uint64_t reglet__wasi_take(const unsigned char *at, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

#endif
