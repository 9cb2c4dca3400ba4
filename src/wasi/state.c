#define _GNU_SOURCE
#include "wasi/state.h"

#include <errno.h>
#include <fcntl.h>

#include "util/sys.h"
#include "wasi/resolve.h"

#define FILE_RIGHTS                                                                                          \
    (WASI_RIGHT_FD_DATASYNC | WASI_RIGHT_FD_READ | WASI_RIGHT_FD_SEEK | WASI_RIGHT_FD_FDSTAT_SET_FLAGS |     \
     WASI_RIGHT_FD_SYNC | WASI_RIGHT_FD_TELL | WASI_RIGHT_FD_WRITE | WASI_RIGHT_FD_ADVISE |                  \
     WASI_RIGHT_FD_ALLOCATE | WASI_RIGHT_FD_FILESTAT_GET | WASI_RIGHT_FD_FILESTAT_SET_SIZE |                 \
     WASI_RIGHT_FD_FILESTAT_SET_TIMES | WASI_RIGHT_POLL_FD_READWRITE)

#define DIRECTORY_RIGHTS                                                                                     \
    (WASI_RIGHT_FD_FDSTAT_SET_FLAGS | WASI_RIGHT_FD_SYNC | WASI_RIGHT_FD_DATASYNC |                          \
     WASI_RIGHT_PATH_CREATE_DIRECTORY | WASI_RIGHT_PATH_CREATE_FILE | WASI_RIGHT_PATH_LINK_SOURCE |          \
     WASI_RIGHT_PATH_LINK_TARGET | WASI_RIGHT_PATH_OPEN | WASI_RIGHT_FD_READDIR | WASI_RIGHT_PATH_READLINK | \
     WASI_RIGHT_PATH_RENAME_SOURCE | WASI_RIGHT_PATH_RENAME_TARGET | WASI_RIGHT_PATH_FILESTAT_GET |          \
     WASI_RIGHT_PATH_FILESTAT_SET_SIZE | WASI_RIGHT_PATH_FILESTAT_SET_TIMES | WASI_RIGHT_FD_FILESTAT_GET |   \
     WASI_RIGHT_FD_FILESTAT_SET_TIMES | WASI_RIGHT_PATH_SYMLINK | WASI_RIGHT_PATH_REMOVE_DIRECTORY |         \
     WASI_RIGHT_PATH_UNLINK_FILE)

/* Without SEEK and TELL: by that, libc knows a terminal, and writes line by line. */
#define STREAM_RIGHTS                                                                                        \
    (WASI_RIGHT_FD_FDSTAT_SET_FLAGS | WASI_RIGHT_FD_FILESTAT_GET | WASI_RIGHT_POLL_FD_READWRITE)

uint64_t reglet__wasi_rights_of(uint8_t filetype) {
    switch (filetype) {
    case WASI_FILETYPE_DIRECTORY: return DIRECTORY_RIGHTS;
    case WASI_FILETYPE_REGULAR_FILE: return FILE_RIGHTS;
    default: return STREAM_RIGHTS | WASI_RIGHT_FD_READ | WASI_RIGHT_FD_WRITE;
    }
}

uint8_t reglet__wasi_filetype(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFBLK: return WASI_FILETYPE_BLOCK_DEVICE;
    case S_IFCHR: return WASI_FILETYPE_CHARACTER_DEVICE;
    case S_IFDIR: return WASI_FILETYPE_DIRECTORY;
    case S_IFREG: return WASI_FILETYPE_REGULAR_FILE;
    case S_IFLNK: return WASI_FILETYPE_SYMBOLIC_LINK;
    case S_IFSOCK: return WASI_FILETYPE_SOCKET_STREAM;
    default: return WASI_FILETYPE_UNKNOWN;
    }
}

bool reglet__wasi_run(struct reglet__guest *guest, union reglet__slot *slots, const char *name,
                      reglet__wasi_function *function) {
    struct reglet__wasi *wasi = reglet__guest_state(guest, REGLET__ROOM_WASI);
    wasi->guest = guest;
    reglet__decisions_begin(wasi->options->decisions, name);
    int error = function(wasi, slots);
    reglet__decisions_end(wasi->options->decisions);
    if (error == WASI_STOP)
        return false;
    slots[0].u64 = (uint32_t)error;
    return true;
}

int reglet__wasi_stop(struct reglet__wasi *wasi, reglet_status status) {
    reglet__guest_stop(wasi->guest, status, "%s", "");
    return WASI_STOP;
}

int reglet__wasi_check(struct reglet__wasi *wasi) {
    if (!wasi->guest)
        return 0;
    reglet_status status = reglet__interrupt_check(reglet__guest_interrupt(wasi->guest));
    return status == REGLET_OK ? 0 : reglet__wasi_stop(wasi, status);
}

int reglet__wasi_wait(struct reglet__wasi *wasi, struct pollfd *fds, size_t count, int64_t until) {
    int ready = 0;
    reglet_status status =
        reglet__interrupt_wait(reglet__guest_interrupt(wasi->guest), fds, count, until, &ready);
    switch (status) {
    case REGLET_OK: return WASI_SUCCESS;
    case REGLET_ERR_NO_MEMORY: return WASI_ENOMEM;
    case REGLET_ERR_TIMEOUT:
    case REGLET_ERR_CANCELLED: return reglet__wasi_stop(wasi, status);
    default: return WASI_EIO;
    }
}

int reglet__wasi_fd_get(struct reglet__wasi *wasi, uint32_t number, uint64_t rights,
                        struct reglet__wasi_fd **out) {
    if (number >= wasi->fd_count || wasi->fds[number].kind == REGLET__WASI_CLOSED)
        return WASI_EBADF;
    if (rights & ~wasi->fds[number].rights)
        return WASI_ENOTCAPABLE;
    *out = &wasi->fds[number];
    return WASI_SUCCESS;
}

bool reglet__wasi_host_suffices(struct reglet__wasi *wasi) {
    const struct reglet__wasi_options *options = wasi->options;
    /* In a forked child the held /proc/self/fd is still the parent's: its descriptors are not ours. */
    if (options->host && options->host->pid == getpid())
        return true;
    const struct reglet__decided refused = {
        .kind = "fs",
        .asked = "files",
        .phrase = "access to files",
        .decision = {.reason = options->host_missing ? options->host_missing
                                                     : "this process cannot decide on files",
                     .for_good = true}};
    if (!wasi->host_missing_said)
        reglet__decisions_add(options->decisions, &refused);
    wasi->host_missing_said = true;
    return false;
}

int reglet__wasi_directory_get(struct reglet__wasi *wasi, uint32_t number, uint64_t rights,
                               struct reglet__wasi_fd **out) {
    struct reglet__wasi_fd *fd;
    int error = reglet__wasi_fd_get(wasi, number, 0, &fd);
    if (error)
        return error;
    if (fd->kind != REGLET__WASI_DIRECTORY)
        return WASI_ENOTDIR;
    if (rights & ~fd->rights)
        return WASI_ENOTCAPABLE;
    if (!reglet__wasi_host_suffices(wasi))
        return WASI_ENOTSUP;
    *out = fd;
    return WASI_SUCCESS;
}

/* Makes room for descriptors up to `number`. */
static bool reserve(struct reglet__wasi *wasi, size_t number) {
    if (number < wasi->fd_count)
        return true;
    size_t count = wasi->fd_count ? wasi->fd_count : 4;
    while (count <= number)
        count *= 2;
    struct reglet__wasi_fd *fds = realloc(wasi->fds, count * sizeof *fds);
    if (!fds)
        return false;
    for (size_t i = wasi->fd_count; i < count; i++)
        fds[i] = (struct reglet__wasi_fd){.host = -1, .listing = -1};
    wasi->fds = fds;
    wasi->fd_count = count;
    return true;
}

int reglet__wasi_may_open(struct reglet__wasi *wasi) {
    size_t open = 0;
    for (size_t i = 0; i < wasi->fd_count; i++)
        open += wasi->fds[i].kind != REGLET__WASI_CLOSED;
    reglet_status status =
        reglet__quota_check(wasi->options->quotas, wasi->guest, REGLET__QUOTA_OPEN_FILES, open + 1);
    return status == REGLET_OK ? WASI_SUCCESS : WASI_STOP;
}

int reglet__wasi_fd_free_number(struct reglet__wasi *wasi, uint32_t *out) {
    int error = reglet__wasi_may_open(wasi);
    if (error)
        return error;
    size_t number = 0;
    while (number < wasi->fd_count && wasi->fds[number].kind != REGLET__WASI_CLOSED)
        number++;
    if (!reserve(wasi, number))
        return WASI_ENOMEM;
    *out = (uint32_t)number;
    return WASI_SUCCESS;
}

void reglet__wasi_fd_close(struct reglet__wasi *wasi, struct reglet__wasi_fd *fd) {
    reglet__decisions_close(wasi->options->decisions, fd->kept, fd->bytes_in, fd->bytes_out);
    if (fd->listing >= 0)
        close(fd->listing);
    if (fd->host >= 0 && !fd->borrowed)
        close(fd->host);
    reglet__wasi_cookies_free(&fd->cookies);
    free(fd->preopen);
    *fd = (struct reglet__wasi_fd){.host = -1, .listing = -1};
}

/* stdin, stdout and stderr of a plugin. */
static void add_streams(struct reglet__wasi *wasi) {
    for (int i = 0; i < 3; i++) {
        wasi->fds[i].kind = i == 0 ? REGLET__WASI_EMPTY : REGLET__WASI_LINES;
        wasi->fds[i].stream = i;
        wasi->fds[i].filetype = WASI_FILETYPE_CHARACTER_DEVICE;
        wasi->fds[i].rights = STREAM_RIGHTS | (i == 0 ? WASI_RIGHT_FD_READ : WASI_RIGHT_FD_WRITE);
    }
}

/* Descriptors 0, 1 and 2 of the process, as far as they are open and do what they are for. */
static void inherit_streams(struct reglet__wasi *wasi) {
    for (int i = 0; i < 3; i++) {
        struct stat st;
        int mode = fcntl(i, F_GETFL);
        if (mode < 0 || fstat(i, &st) != 0)
            continue;
        uint64_t rights = i == 0 ? WASI_RIGHT_FD_READ : WASI_RIGHT_FD_WRITE;
        if (S_ISREG(st.st_mode))
            rights |= WASI_RIGHT_FD_SEEK | WASI_RIGHT_FD_TELL;
        wasi->fds[i] = (struct reglet__wasi_fd){.kind = REGLET__WASI_INHERITED,
                                                .host = i,
                                                .borrowed = true,
                                                .listing = -1,
                                                .filetype = reglet__wasi_filetype(st.st_mode),
                                                .flags = mode & O_APPEND ? WASI_FDFLAG_APPEND : 0,
                                                .rights = STREAM_RIGHTS | rights};
    }
}

/* A directory that the guest finds open. `host` is -1 where the process cannot decide on files. */
static reglet_status add_preopen(struct reglet__wasi *wasi, size_t number, int host, bool borrowed,
                                 const char *guest_path, bool unrestricted) {
    char *name = strdup(guest_path);
    if (!name || !reserve(wasi, number)) {
        free(name);
        if (host >= 0 && !borrowed)
            close(host);
        return REGLET_ERR_NO_MEMORY;
    }
    wasi->fds[number] = (struct reglet__wasi_fd){.kind = REGLET__WASI_DIRECTORY,
                                                 .host = host,
                                                 .borrowed = borrowed,
                                                 .unrestricted = unrestricted,
                                                 .filetype = WASI_FILETYPE_DIRECTORY,
                                                 .rights = DIRECTORY_RIGHTS,
                                                 .inheriting = WASI_RIGHTS_ALL,
                                                 .listing = -1,
                                                 .preopen = name};
    return REGLET_OK;
}

static reglet_status add_preopens(struct reglet__wasi *wasi) {
    const struct reglet__wasi_options *options = wasi->options;
    size_t number = 3;
    if (number + options->root_preopen + options->preopen_count >
        reglet__quota_left(options->quotas, REGLET__QUOTA_OPEN_FILES))
        return REGLET_ERR_FILE_LIMIT;
    if (options->root_preopen) {
        int root = options->host ? options->host->root : -1;
        reglet_status status = add_preopen(wasi, number++, root, true, "/", false);
        if (status != REGLET_OK)
            return status;
    }
    for (size_t i = 0; i < options->preopen_count; i++) {
        const struct reglet__wasi_preopen *preopen = &options->preopens[i];
        int host = fcntl(preopen->fd, F_DUPFD_CLOEXEC, 3);
        if (host < 0)
            return REGLET_ERR_IO;
        reglet_status status =
            add_preopen(wasi, number++, host, false, preopen->guest_path, preopen->unrestricted);
        if (status != REGLET_OK)
            return status;
    }
    return REGLET_OK;
}

REGLET_DEFINE_CLEANUP(struct reglet__wasi *, reglet__wasi_free);

reglet_status reglet__wasi_new(const struct reglet__wasi_options *options, struct reglet__wasi **out) {
    _cleanup_(reglet__wasi_free_p)
    struct reglet__wasi *wasi = calloc(1, sizeof *wasi);
    if (!wasi)
        return REGLET_ERR_NO_MEMORY;
    wasi->options = options;
    wasi->lines[0].max = wasi->lines[1].max = REGLET__MAX_LOG_LINE;
    if (!reserve(wasi, 3))
        return REGLET_ERR_NO_MEMORY;
    if (options->inherit_stdio)
        inherit_streams(wasi);
    else
        add_streams(wasi);
    reglet_status status = add_preopens(wasi);
    if (status == REGLET_OK)
        *out = take_ptr(wasi);
    return status;
}

bool reglet__wasi_left(const struct reglet__wasi *wasi, struct reglet__wasi_left *out) {
    for (size_t i = 0; i < ARRAY_LEN(out->flags) && i < wasi->fd_count; i++)
        out->flags[i] = wasi->fds[i].flags;
    return wasi->lines[0].size == 0 && wasi->lines[1].size == 0;
}

void reglet__wasi_begin_with(struct reglet__wasi *wasi, const struct reglet__wasi_left *left) {
    for (size_t i = 0; i < ARRAY_LEN(left->flags) && i < wasi->fd_count; i++)
        wasi->fds[i].flags = left->flags[i];
}

void reglet__wasi_free(struct reglet__wasi *wasi) {
    if (!wasi)
        return;
    reglet__wasi_flush(wasi);
    for (size_t i = 0; i < wasi->fd_count; i++)
        reglet__wasi_fd_close(wasi, &wasi->fds[i]);
    for (size_t i = 0; i < ARRAY_LEN(wasi->lines); i++)
        reglet__buf_free(&wasi->lines[i]);
    free(wasi->environment);
    free(wasi->fds);
    free(wasi);
}
