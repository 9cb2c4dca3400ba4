#define _GNU_SOURCE
#include "wasi/files.h"

#include <errno.h>
#include <fcntl.h>

#include "util/fail.h"
#include "util/sys.h"
#include "wasi/resolve.h"

enum { CHUNK = 1 << 20 }; /* between two looks at the deadline */

/* Every path here is absolute: it starts at the root whatever the directory is. */
static struct reglet__wasi_fd root_of(const struct reglet__wasi *wasi) {
    return (struct reglet__wasi_fd){.kind = REGLET__WASI_DIRECTORY,
                                    .host = wasi->options->host->root,
                                    .borrowed = true,
                                    .filetype = WASI_FILETYPE_DIRECTORY,
                                    .rights = WASI_RIGHTS_ALL,
                                    .inheriting = WASI_RIGHTS_ALL,
                                    .listing = -1};
}

/* What preview1 would answer, as an errno of the host. */
static int as_host_errno(int error) {
    enum { LAST_ERRNO = 133 };
    if (error == WASI_STOP)
        return REGLET__WASI_ENDED;
    for (int number = 0; number <= LAST_ERRNO; number++)
        if (reglet__wasi_errno(number) == error)
            return number;
    return error == WASI_ENOTCAPABLE ? EACCES : EIO;
}

/* Checks what every function here is given; a WASI errno. */
static int begin(struct reglet__wasi *wasi, struct reglet__guest *guest, const char *path,
                 char out[REGLET__MAX_PATH]) {
    size_t size = strlen(path);
    wasi->guest = guest;
    if (path[0] != '/')
        return WASI_EINVAL;
    if (size >= REGLET__MAX_PATH)
        return WASI_ENAMETOOLONG;
    if (!reglet__wasi_host_suffices(wasi))
        return WASI_ENOTSUP;
    memcpy(out, path, size + 1);
    return WASI_SUCCESS;
}

static int open_file(struct reglet__wasi *wasi, struct reglet__guest *guest, const char *path,
                     const struct reglet__wasi_mode *mode, int *fd) {
    char text[REGLET__MAX_PATH];
    int error = begin(wasi, guest, path, text);
    if (error)
        return as_host_errno(error);
    error = reglet__wasi_may_open(wasi);
    if (error)
        return as_host_errno(error);
    const struct reglet__wasi_fd root = root_of(wasi);
    _cleanup_fd_ int opened = -1;
    error = reglet__wasi_open(wasi, &root, text, mode, &opened);
    if (error)
        return as_host_errno(error);
    struct stat st;
    if (fstat(opened, &st) != 0)
        return errno;
    if (S_ISDIR(st.st_mode))
        return EISDIR;
    *fd = take_fd(opened);
    return 0;
}

int reglet__wasi_open_to_read(struct reglet__wasi *wasi, struct reglet__guest *guest, const char *path,
                              int *fd) {
    static const struct reglet__wasi_mode mode = {.rights = WASI_RIGHT_FD_READ};
    return open_file(wasi, guest, path, &mode, fd);
}

int reglet__wasi_open_to_write(struct reglet__wasi *wasi, struct reglet__guest *guest, const char *path,
                               enum reglet__wasi_write how, int *fd) {
    static const struct reglet__wasi_mode modes[] = {
        [REGLET__WASI_CREATE] = {WASI_OFLAG_CREAT | WASI_OFLAG_EXCL, WASI_RIGHT_FD_WRITE, 0},
        [REGLET__WASI_TRUNCATE] = {WASI_OFLAG_CREAT | WASI_OFLAG_TRUNC, WASI_RIGHT_FD_WRITE, 0},
        [REGLET__WASI_APPEND] = {WASI_OFLAG_CREAT, WASI_RIGHT_FD_WRITE, WASI_FDFLAG_APPEND}};
    return open_file(wasi, guest, path, &modes[how], fd);
}

int reglet__wasi_read_at(struct reglet__wasi *wasi, int fd, void *out, size_t size, uint64_t offset,
                         size_t *count) {
    *count = 0;
    while (*count < size) {
        if (reglet__wasi_check(wasi))
            return REGLET__WASI_ENDED;
        size_t wanted = size - *count < CHUNK ? size - *count : CHUNK;
        ssize_t got = pread(fd, (char *)out + *count, wanted, (off_t)(offset + *count));
        if (got < 0 && errno == ESPIPE) /* a device that can be read all the same */
            got = read(fd, (char *)out + *count, wanted);
        if (got < 0)
            return errno;
        if (got == 0)
            break;
        *count += (size_t)got;
        reglet__decisions_moved(wasi->options->decisions, (uint64_t)got, 0);
    }
    return 0;
}

int reglet__wasi_write_all(struct reglet__wasi *wasi, int fd, const void *data, size_t size, size_t *count) {
    struct stat st;
    *count = 0;
    if (fstat(fd, &st) != 0)
        return errno;
    uint64_t limit = reglet__wasi_file_size_limit(), end = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    while (*count < size) {
        if (reglet__wasi_check(wasi))
            return REGLET__WASI_ENDED;
        size_t wanted = size - *count < CHUNK ? size - *count : CHUNK;
        if (end + *count + wanted > limit)
            return EFBIG;
        ssize_t written = write(fd, (const char *)data + *count, wanted);
        if (written < 0)
            return errno;
        *count += (size_t)written;
        reglet__decisions_moved(wasi->options->decisions, 0, (uint64_t)written);
    }
    return 0;
}

int reglet__wasi_stat(struct reglet__wasi *wasi, struct reglet__guest *guest, const char *path, bool follow,
                      struct stat *st, char target[4096], bool *readable) {
    char text[REGLET__MAX_PATH];
    target[0] = '\0';
    int error = begin(wasi, guest, path, text);
    if (error)
        return as_host_errno(error);
    const struct reglet__wasi_fd root = root_of(wasi);
    _cleanup_object_ struct reglet__wasi_object object = {.fd = -1};
    error =
        reglet__wasi_look_up(wasi, &root, text, REGLET__WASI_LOOK, follow ? REGLET__WASI_FOLLOW : 0, &object);
    if (error)
        return as_host_errno(error);
    *st = object.st;
    if (S_ISDIR(st->st_mode)) { /* both would count entries that a list does not show */
        st->st_size = 0;
        st->st_nlink = 1;
    }
    if (readable)
        *readable =
            (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)) && reglet__wasi_can_read(wasi, &root, &object);
    if (!S_ISLNK(st->st_mode))
        return 0;
    ssize_t size = reglet__sys_readlinkat(object.fd, "", target, REGLET__MAX_PATH - 1);
    if (size < 0)
        return errno;
    target[size] = '\0';
    return 0;
}

/* --- Asking ----------------------------------------------------------------------------------------------- */

/* The last refusal, kept instead of told. */
struct refusal {
    char *grant;
    const char *reason; /* static */
    bool no_memory;
};

static void keep_refusal(void *user_data, const struct reglet__decided *decided) {
    struct refusal *refusal = user_data;
    free(refusal->grant);
    refusal->grant = decided->grant ? strdup(decided->grant) : NULL;
    refusal->no_memory = refusal->no_memory || !decided->texts || (decided->grant && !refusal->grant);
    refusal->reason = decided->decision.reason;
}

/* Judges what is there, or else the name in its directory; the real path that was judged goes to `real`. */
static int judge(struct reglet__wasi *wasi, enum reglet__fs_access access, const char *path,
                 char real[REGLET__MAX_PATH], bool *is_link) {
    unsigned wanted = access == REGLET__FS_WRITE ? REGLET__WASI_WRITE : REGLET__WASI_READ;
    const struct reglet__wasi_fd root = root_of(wasi);
    char text[REGLET__MAX_PATH];
    strcpy(text, path);
    _cleanup_object_ struct reglet__wasi_object object = {.fd = -1};
    int error = reglet__wasi_look_up(wasi, &root, text, wanted, REGLET__WASI_FOLLOW, &object);
    strcpy(real, object.fd >= 0 ? object.path : "");
    *is_link = object.fd >= 0 && S_ISLNK(object.st.st_mode);
    if (error != WASI_ENOENT)
        return error;
    _cleanup_place_ struct reglet__wasi_place place = {.parent = -1};
    strcpy(text, path);
    error = reglet__wasi_look_up_place(wasi, &root, text, wanted, &place);
    strcpy(real, place.path);
    return error;
}

reglet_status reglet__wasi_ask(const struct reglet__wasi_host *host, const struct reglet__policy *policy,
                               enum reglet__fs_access access, const char *path, struct reglet__decision *out,
                               char **grant, reglet_error **err) {
    struct refusal refusal = {0};
    struct reglet__decisions decisions = {.sink = {keep_refusal, &refusal, false}};
    const struct reglet__wasi_options options = {.host = host, .policy = policy, .decisions = &decisions};
    struct reglet__wasi wasi = {.options = &options};
    char text[REGLET__MAX_PATH], real[REGLET__MAX_PATH] = "";
    bool is_link = false;
    int error = begin(&wasi, NULL, path, text);
    if (error) {
        reglet__decisions_end(&decisions);
        return reglet__fail(err, error == WASI_ENOTSUP ? REGLET_ERR_UNSUPPORTED : REGLET_ERR_INVALID_ARGUMENT,
                            REGLET_DOMAIN_WASI,
                            error == WASI_ENOTSUP ? "files cannot be decided on here"
                                                  : "\"%s\" is no absolute path of at most 4095 bytes",
                            path);
    }
    error = judge(&wasi, access, text, real, &is_link);
    reglet__decisions_end(&decisions);
    *out = (struct reglet__decision){.reason = refusal.reason};
    if (error == WASI_SUCCESS)
        *out = reglet__policy_fs(policy, access, real, is_link);
    else if (!refusal.reason)
        out->reason = "it cannot be looked up on this file system";
    out->for_good = !out->allowed && !refusal.grant;
    if (refusal.no_memory) {
        free(refusal.grant);
        return reglet__fail_memory(err);
    }
    *grant = out->allowed ? NULL : take_ptr(refusal.grant);
    free(refusal.grant);
    return REGLET_OK;
}
