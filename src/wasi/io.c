/* Reading, writing and seeking. Guest memory is handed to the kernel itself: no guest code runs meanwhile. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <sys/uio.h>

#include "wasi/state.h"

enum {
    STEP = 1 << 20, /* bytes of one system call: between two of them the call can be ended */
    STEP_PARTS = 64
};

/* A guest's list of buffers, checked. */
struct buffers {
    struct iovec parts[REGLET__MAX_IOVECS];
    size_t count;
    uint32_t total;
};

static int take_buffers(struct reglet__wasi *wasi, uint32_t address, uint32_t count, struct buffers *out) {
    if (count > REGLET__MAX_IOVECS)
        return WASI_EINVAL;
    const unsigned char *list = reglet__guest_memory(wasi->guest, address, (uint64_t)count * WASI_IOVEC_SIZE);
    if (!list)
        return WASI_EFAULT;
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t base = (uint32_t)reglet__wasi_take(list + i * WASI_IOVEC_SIZE, 4);
        uint32_t size = (uint32_t)reglet__wasi_take(list + i * WASI_IOVEC_SIZE + 4, 4);
        void *memory = reglet__guest_memory(wasi->guest, base, size);
        if (!memory)
            return WASI_EFAULT;
        out->parts[i] = (struct iovec){.iov_base = memory, .iov_len = size};
        total += size;
    }
    if (total > UINT32_MAX)
        return WASI_EINVAL;
    out->count = count;
    out->total = (uint32_t)total;
    return WASI_SUCCESS;
}

/* The buffers from byte `skip` on, as far as one system call goes; returns how many bytes. */
static size_t window(const struct buffers *buffers, size_t skip, size_t most, struct iovec out[STEP_PARTS],
                     int *count) {
    size_t left = most;
    *count = 0;
    for (size_t i = 0; i < buffers->count && *count < STEP_PARTS && left; i++) {
        struct iovec part = buffers->parts[i];
        if (skip >= part.iov_len) {
            skip -= part.iov_len;
            continue;
        }
        part.iov_base = (char *)part.iov_base + skip;
        part.iov_len = part.iov_len - skip < left ? part.iov_len - skip : left;
        skip = 0;
        left -= part.iov_len;
        out[(*count)++] = part;
    }
    return most - left;
}

/* One read or write: at an offset, or at the file's own position when that is negative. */
static ssize_t transfer_once(const struct reglet__wasi_fd *fd, bool write, const struct iovec *parts,
                             int count, off_t offset) {
    if (offset >= 0)
        return write ? pwritev(fd->host, parts, count, offset) : preadv(fd->host, parts, count, offset);
    return write ? writev(fd->host, parts, count) : readv(fd->host, parts, count);
}

/* Whether a write of one byte would go past the limit on the size of files. */
static bool is_full(const struct reglet__wasi_fd *fd, off_t offset) {
    uint64_t limit = reglet__wasi_file_size_limit();
    if (limit >= INT64_MAX)
        return false;
    struct stat st;
    if (fstat(fd->host, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    off_t at = fd->flags & WASI_FDFLAG_APPEND ? st.st_size : offset;
    if (at < 0)
        at = lseek(fd->host, 0, SEEK_CUR);
    return at < 0 || (uint64_t)at >= limit;
}

/* Waits until an inherited descriptor can be read or written. It may be anything, so it may block. */
static int await(struct reglet__wasi *wasi, const struct reglet__wasi_fd *fd, bool write) {
    struct pollfd poll = {.fd = fd->host, .events = write ? POLLOUT : POLLIN};
    bool nonblock = fd->flags & WASI_FDFLAG_NONBLOCK;
    int error = reglet__wasi_wait(wasi, &poll, 1, nonblock ? 0 : REGLET__NEVER);
    if (error)
        return error;
    if (!poll.revents)
        return WASI_EAGAIN;
    /* Nobody reads: writing would raise SIGPIPE in the embedder's process. */
    return write && poll.revents & (POLLERR | POLLNVAL) ? WASI_EPIPE : WASI_SUCCESS;
}

/*
 * Moves up to all of the buffers, ending early at the end of a file, at an error after the first byte, and
 * when a stream has no more for now. *done is what was moved.
 */
static int transfer(struct reglet__wasi *wasi, const struct reglet__wasi_fd *fd, bool write,
                    const struct buffers *buffers, off_t offset, uint32_t *done) {
    bool stream = fd->kind == REGLET__WASI_INHERITED && fd->filetype != WASI_FILETYPE_REGULAR_FILE;
    /* When a pipe says it can be written, that is good for PIPE_BUF bytes; more could block. */
    size_t step = stream && write ? PIPE_BUF : STEP;
    *done = 0;
    do {
        int error = stream ? await(wasi, fd, write) : reglet__wasi_check(wasi);
        if (error)
            return *done && error != WASI_STOP ? WASI_SUCCESS : error;
        off_t at = offset < 0 ? offset : offset + *done;
        if (write && is_full(fd, at))
            return *done ? WASI_SUCCESS : WASI_EFBIG;
        struct iovec parts[STEP_PARTS];
        int count;
        size_t size = window(buffers, *done, step, parts, &count);
        ssize_t moved = transfer_once(fd, write, parts, count, at);
        if (moved < 0 && (errno == EINTR || (errno == EAGAIN && stream)))
            continue;
        if (moved < 0)
            return *done ? WASI_SUCCESS : reglet__wasi_errno(errno);
        *done += (uint32_t)moved;
        if (moved == 0 || (!write && (stream || (size_t)moved < size)))
            break;
    } while (*done < buffers->total);
    return WASI_SUCCESS;
}

/* The four functions: `offset` is negative for those that use the file's position. */
static int read_or_write(struct reglet__wasi *wasi, uint32_t number, bool write, uint32_t list,
                         uint32_t count, off_t offset, uint32_t result) {
    struct reglet__wasi_fd *fd;
    uint64_t rights = write ? WASI_RIGHT_FD_WRITE : WASI_RIGHT_FD_READ;
    if (offset >= 0)
        rights |= WASI_RIGHT_FD_SEEK;
    int error = reglet__wasi_fd_get(wasi, number, 0, &fd);
    if (error)
        return error;
    if (fd->kind == REGLET__WASI_DIRECTORY)
        return WASI_EISDIR; /* no rights either, but this is what programs know */
    if (rights & ~fd->rights)
        return WASI_ENOTCAPABLE;
    struct buffers buffers;
    error = take_buffers(wasi, list, count, &buffers);
    if (error)
        return error;
    if (!reglet__wasi_writable(wasi, result, 4))
        return WASI_EFAULT;
    uint32_t done = 0;
    if (fd->kind == REGLET__WASI_LINES)
        error =
            reglet__wasi_write_lines(wasi, fd->stream, buffers.parts, buffers.count, done = buffers.total);
    else if (fd->kind != REGLET__WASI_EMPTY)
        error = transfer(wasi, fd, write, &buffers, offset, &done);
    *(write ? &fd->bytes_out : &fd->bytes_in) += done;
    if (!error)
        reglet__guest_write_u32(wasi->guest, result, done);
    return error;
}

WASI_FUNCTION(fd_read) {
    return read_or_write(wasi, args[0].u32, false, args[1].u32, args[2].u32, -1, args[3].u32);
}

WASI_FUNCTION(fd_write) {
    return read_or_write(wasi, args[0].u32, true, args[1].u32, args[2].u32, -1, args[3].u32);
}

WASI_FUNCTION(fd_pread) {
    if (args[3].u64 > INT64_MAX - UINT32_MAX)
        return WASI_EINVAL;
    return read_or_write(wasi, args[0].u32, false, args[1].u32, args[2].u32, args[3].i64, args[4].u32);
}

WASI_FUNCTION(fd_pwrite) {
    if (args[3].u64 > INT64_MAX - UINT32_MAX)
        return WASI_EINVAL;
    return read_or_write(wasi, args[0].u32, true, args[1].u32, args[2].u32, args[3].i64, args[4].u32);
}

static int seek(struct reglet__wasi *wasi, const struct reglet__wasi_fd *fd, int64_t offset, int whence,
                uint32_t result) {
    if (!reglet__wasi_writable(wasi, result, 8))
        return WASI_EFAULT;
    if (fd->host < 0)
        return WASI_ESPIPE;
    off_t at = lseek(fd->host, offset, whence);
    if (at < 0)
        return reglet__wasi_errno(errno);
    reglet__guest_write_u64(wasi->guest, result, (uint64_t)at);
    return WASI_SUCCESS;
}

/* The right to seek includes the right to know where one is. */
static int tellable(struct reglet__wasi *wasi, uint32_t number, struct reglet__wasi_fd **out) {
    int error = reglet__wasi_fd_get(wasi, number, 0, out);
    bool may = !error && (*out)->rights & (WASI_RIGHT_FD_SEEK | WASI_RIGHT_FD_TELL);
    return error || may ? error : WASI_ENOTCAPABLE;
}

WASI_FUNCTION(fd_seek) {
    static const int whence[] = {
        [WASI_WHENCE_SET] = SEEK_SET, [WASI_WHENCE_CUR] = SEEK_CUR, [WASI_WHENCE_END] = SEEK_END};
    struct reglet__wasi_fd *fd;
    bool tells = args[1].i64 == 0 && args[2].u32 == WASI_WHENCE_CUR;
    int error = tells ? tellable(wasi, args[0].u32, &fd)
                      : reglet__wasi_fd_get(wasi, args[0].u32, WASI_RIGHT_FD_SEEK, &fd);
    if (error)
        return error;
    if (args[2].u32 >= ARRAY_LEN(whence))
        return WASI_EINVAL;
    return seek(wasi, fd, args[1].i64, whence[args[2].u32], args[3].u32);
}

WASI_FUNCTION(fd_tell) {
    struct reglet__wasi_fd *fd;
    int error = tellable(wasi, args[0].u32, &fd);
    return error ? error : seek(wasi, fd, 0, SEEK_CUR, args[1].u32);
}
