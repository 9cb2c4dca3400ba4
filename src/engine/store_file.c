/* One file of code: content from offset 0 on, where the engine looks for it, zeroes up to a multiple of 8, a footer. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "engine/store_internal.h"
#include "util/cleanup.h"
#include "util/fail.h"
#include "util/sys.h"

enum { FORMAT = 1, ALIGNMENT = 8, READ_AT_ONCE = 64 << 10 };

/* In this machine's byte order: another's is another format. */
struct footer {
    char magic[8];
    uint64_t format;
    uint64_t content;            /* bytes */
    struct reglet__code_key key; /* so that a file under another's name is noticed */
    unsigned char sum[16];       /* XXH3, 128 bits, of all bytes of the file before it */
};
_Static_assert(sizeof(struct footer) == 80 && sizeof(struct footer) % ALIGNMENT == 0, "no padding inside");

static const char magic[8] = {'r', 'e', 'g', 'l', 'c', 'o', 'd', 'e'};

REGLET_DEFINE_CLEANUP(XXH3_state_t *, XXH3_freeState);

static uint64_t padded(uint64_t content) {
    return (content + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static XXH3_state_t *sum_new(void) {
    XXH3_state_t *sum = XXH3_createState();
    if (sum)
        XXH3_128bits_reset(sum);
    return sum;
}

static void sum_end(const XXH3_state_t *sum, unsigned char out[16]) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(sum));
    memcpy(out, canonical.digest, sizeof canonical.digest);
}

/* --- Writing ------------------------------------------------------------------------------------------------ */

uint64_t reglet__code_size(const struct iovec *parts, size_t part_count) {
    uint64_t content = 0;
    for (size_t i = 0; i < part_count; i++)
        content += parts[i].iov_len;
    return padded(content) + sizeof(struct footer);
}

/* Returns 0 or an errno. */
static int write_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t written = reglet__sys_write(fd, data, size);
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        } else if (written == 0 || errno != EINTR) {
            return written == 0 ? EIO : errno;
        }
    }
    return 0;
}

static int write_summed(int fd, XXH3_state_t *sum, const void *data, size_t size) {
    XXH3_128bits_update(sum, data, size);
    return write_all(fd, data, size);
}

int reglet__code_write(int fd, const struct reglet__code_key *key, const struct iovec *parts,
                       size_t part_count) {
    static const char zeroes[ALIGNMENT];
    struct footer footer = {.format = FORMAT, .key = *key};
    memcpy(footer.magic, magic, sizeof magic);
    _cleanup_(XXH3_freeState_p)
    XXH3_state_t *sum = sum_new();
    int error = sum ? 0 : ENOMEM;
    for (size_t i = 0; i < part_count && !error; i++) {
        error = write_summed(fd, sum, parts[i].iov_base, parts[i].iov_len);
        footer.content += parts[i].iov_len;
    }
    if (!error)
        error = write_summed(fd, sum, zeroes, (size_t)(padded(footer.content) - footer.content));
    if (error)
        return error;
    XXH3_128bits_update(sum, &footer, offsetof(struct footer, sum));
    sum_end(sum, footer.sum);
    error = write_all(fd, (const char *)&footer, sizeof footer);
    return error || reglet__sys_fsync(fd) == 0 ? error : errno;
}

/* --- Checking ----------------------------------------------------------------------------------------------- */

REGLET_PRINTF(2, 3)
static enum reglet__code_state unusable(struct reglet__code_fault *fault, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fault->error_number = 0;
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    return REGLET__CODE_UNUSABLE;
}

static enum reglet__code_state failed(struct reglet__code_fault *fault, const char *what, int error_number) {
    unusable(fault, "it cannot be %s: %s", what, reglet__errno_text(error_number));
    fault->error_number = error_number;
    return REGLET__CODE_FAILED;
}

/* Without following a link, and without waiting for the other end of a FIFO. */
static enum reglet__code_state open_name(int directory, const char *name, int *fd,
                                         struct reglet__code_fault *fault) {
    *fd = reglet__sys_openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
    if (*fd >= 0)
        return REGLET__CODE_SOUND;
    if (errno == ENOENT)
        return REGLET__CODE_NONE;
    if (errno == ELOOP)
        return unusable(fault, "it is a symbolic link");
    if (errno == ENXIO)
        return unusable(fault, "it is no regular file");
    return failed(fault, "opened", errno);
}

/*
 * Group and others may not even read: what was unpacked, checked out or downloaded into a directory is usually readable, and
 * so never taken for what the store wrote. Other hard links are no reason to refuse: they give nobody a way to write that the
 * owner and mode of the file do not give, and backups make them.
 */
static enum reglet__code_state check_owner(const struct stat *file, struct reglet__code_fault *fault) {
    if (!S_ISREG(file->st_mode))
        return unusable(fault, "it is no regular file");
    if (file->st_uid != geteuid())
        return unusable(fault, "it belongs to user %u, and this process runs as user %u",
                        (unsigned)file->st_uid, (unsigned)geteuid());
    if (file->st_mode & (S_IRWXG | S_IRWXO))
        return unusable(fault, "it is open to others (mode %04o, should be 0600)",
                        (unsigned)file->st_mode & 07777U);
    return REGLET__CODE_SOUND;
}

/* Returns `size`, less where the file ends, or -1 with errno. */
static ssize_t read_at(int fd, void *out, size_t size, uint64_t offset) {
    size_t done = 0;
    while (done < size) {
        ssize_t got = reglet__sys_pread(fd, (char *)out + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno != EINTR)
            return -1;
        if (got == 0)
            break;
        done += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)done;
}

/* A disk that cannot be read back, or a file that somebody cut short meanwhile. */
static enum reglet__code_state cannot_read(ssize_t got, struct reglet__code_fault *fault) {
    return got < 0 ? unusable(fault, "it cannot be read: %s", reglet__errno_text(errno))
                   : unusable(fault, "it became shorter while it was read");
}

static enum reglet__code_state check_footer(int fd, uint64_t size, const struct reglet__code_key *key,
                                            struct footer *footer, struct reglet__code_fault *fault) {
    if (size < sizeof *footer)
        return unusable(fault, "it ends before its footer: it was cut short");
    ssize_t got = read_at(fd, footer, sizeof *footer, size - sizeof *footer);
    if (got != sizeof *footer)
        return cannot_read(got, fault);
    if (memcmp(footer->magic, magic, sizeof magic) != 0)
        return unusable(fault, "it does not end in a footer: it was cut short, or is something else");
    if (footer->format != FORMAT)
        return unusable(fault, "its format is %llu, and this is %d", (unsigned long long)footer->format,
                        FORMAT);
    if (footer->content > size || padded(footer->content) + sizeof *footer != size)
        return unusable(fault, "it has %llu bytes, which are not those that its footer speaks of",
                        (unsigned long long)size);
    if (!reglet__sha256_equal(&footer->key.module, &key->module) || footer->key.engine != key->engine)
        return unusable(fault, "it holds the code of another module, or for another engine");
    return REGLET__CODE_SOUND;
}

/*
 * Reads instead of looking through a mapping: where the user cuts the file short at this moment, that is a short answer here
 * and would be a SIGBUS there.
 */
static enum reglet__code_state check_sum(int fd, uint64_t size, const struct footer *footer,
                                         struct reglet__code_fault *fault) {
    unsigned char sum[sizeof footer->sum];
    uint64_t end = size - sizeof sum;
    _cleanup_(XXH3_freeState_p)
    XXH3_state_t *state = sum_new();
    _cleanup_free_ char *bytes = malloc(READ_AT_ONCE);
    if (!state || !bytes)
        return REGLET__CODE_NO_MEMORY;
    for (uint64_t at = 0; at < end;) {
        size_t wanted = end - at < READ_AT_ONCE ? (size_t)(end - at) : READ_AT_ONCE;
        ssize_t got = read_at(fd, bytes, wanted, at);
        if (got != (ssize_t)wanted)
            return cannot_read(got, fault);
        XXH3_128bits_update(state, bytes, wanted);
        at += wanted;
    }
    sum_end(state, sum);
    if (memcmp(sum, footer->sum, sizeof sum) != 0)
        return unusable(fault, "it is damaged: its checksum is another");
    return REGLET__CODE_SOUND;
}

enum reglet__code_state reglet__code_open(int directory, const struct reglet__code_key *key,
                                          struct reglet__code_file *out, struct reglet__code_fault *fault) {
    char name[REGLET__CODE_NAME_SIZE];
    struct footer footer;
    struct stat file;
    _cleanup_fd_ int fd = -1;
    reglet__code_name(key, name);
    enum reglet__code_state state = open_name(directory, name, &fd, fault);
    if (state != REGLET__CODE_SOUND)
        return state;
    if (reglet__sys_fstat(fd, &file) != 0)
        return failed(fault, "looked at", errno);
    state = check_owner(&file, fault);
    uint64_t size = (uint64_t)file.st_size;
    if (state == REGLET__CODE_SOUND)
        state = check_footer(fd, size, key, &footer, fault);
    if (state == REGLET__CODE_SOUND)
        state = check_sum(fd, size, &footer, fault);
    if (state == REGLET__CODE_SOUND)
        *out = (struct reglet__code_file){take_fd(fd), NULL, (size_t)footer.content, (size_t)size};
    return state;
}
