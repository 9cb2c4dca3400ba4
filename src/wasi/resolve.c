#define _GNU_SOURCE
#include "wasi/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "util/sys.h"
#include "util/text.h"

enum { BENEATH_TRIES = 64 };

void reglet__wasi_object_close(struct reglet__wasi_object *object) {
    if (object->fd >= 0)
        close(object->fd);
    object->fd = -1;
}

void reglet__wasi_place_close(struct reglet__wasi_place *place) {
    if (place->parent >= 0)
        close(place->parent);
    place->parent = -1;
}

int reglet__wasi_path_read(struct reglet__wasi *wasi, uint32_t address, uint32_t size,
                           char out[REGLET__MAX_PATH]) {
    if (!reglet__guest_memory(wasi->guest, address, size))
        return WASI_EFAULT;
    if (size == 0)
        return WASI_ENOENT;
    if (size >= REGLET__MAX_PATH)
        return WASI_ENAMETOOLONG;
    reglet__guest_read(wasi->guest, address, out, size);
    out[size] = '\0';
    if (memchr(out, '\0', size))
        return WASI_EINVAL;
    return reglet__utf8_valid(out, size) ? WASI_SUCCESS : WASI_EILSEQ;
}

void reglet__wasi_proc_name(int fd, char out[16]) {
    char digits[REGLET__DECIMAL_SIZE];
    memcpy(out, digits, reglet__decimal(fd, digits) + 1); /* an int has at most 11 */
}

int reglet__wasi_real_path(const struct reglet__wasi_host *host, int fd, char out[REGLET__MAX_PATH]) {
    char name[16];
    reglet__wasi_proc_name(fd, name);
    ssize_t size = reglet__sys_readlinkat(host->proc_fd, name, out, REGLET__MAX_PATH);
    if (size < 0)
        return errno;
    if (size >= REGLET__MAX_PATH)
        return ENAMETOOLONG;
    out[size] = '\0';
    return out[0] == '/' ? 0 : ENOENT; /* "(unreachable)…", "pipe:[1]" */
}

int reglet__wasi_reopen(struct reglet__wasi *wasi, int fd, int flags) {
    char name[16];
    reglet__wasi_proc_name(fd, name);
    return reglet__sys_openat(wasi->options->host->proc_fd, name, flags | O_CLOEXEC | O_NOCTTY, 0);
}

/* Where a path ends in " (deleted)": NULL if it does not. */
static char *mark_of(char *path) {
    static const char mark[] = " (deleted)";
    size_t length = strlen(path), mark_length = sizeof mark - 1;
    char *at = length < mark_length ? NULL : path + length - mark_length;
    return at && strcmp(at, mark) == 0 ? at : NULL;
}

/* Whether a path that ends in " (deleted)" is the name of this object, and not the kernel's remark on it. */
static bool still_there(char *path, const struct stat *st) {
    if (!mark_of(path))
        return true;
    struct stat now;
    return fstatat(AT_FDCWD, path, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_dev == st->st_dev &&
           now.st_ino == st->st_ino;
}

/*
 * procfs is refused below an unrestricted preopen, and, for the policy's own root, wherever it is mounted
 * besides /proc: a glob over such a mount would take in this process's memory. It has no device below it, which
 * the number of its device says as well: the major one is 0.
 */
static bool is_hidden_procfs(int fd, const struct stat *st, bool unrestricted, const char *path) {
    struct statfs fs;
    if (major(st->st_dev) != 0)
        return false;
    if (fstatfs(fd, &fs) != 0)
        return true;
    return fs.f_type == PROC_SUPER_MAGIC &&
           (unrestricted || (strncmp(path, "/proc/", 6) != 0 && strcmp(path, "/proc") != 0));
}

unsigned reglet__wasi_access_to(mode_t mode, unsigned access, unsigned flags) {
    bool has_no_content = S_ISDIR(mode) || S_ISLNK(mode);
    return flags & REGLET__WASI_OPENING && has_no_content ? REGLET__WASI_LOOK : access;
}

/* Where nobody can decide: the path of an object cannot be learned, or it has none any more. */
static int refuse_without_path(struct reglet__wasi *wasi, unsigned access, const char *what) {
    return reglet__wasi_refuse(wasi, access, "(no path)", what);
}

/* Puts a name behind its parent's path; "." is the parent itself, ".." the one above. */
static bool join(char path[REGLET__MAX_PATH], const char *name) {
    size_t length = strlen(path);
    if (strcmp(name, ".") == 0)
        return true;
    if (strcmp(name, "..") == 0) {
        char *slash = strrchr(path, '/');
        slash[slash == path] = '\0';
        return true;
    }
    if (length + 1 + strlen(name) >= REGLET__MAX_PATH)
        return false;
    snprintf(path + length, REGLET__MAX_PATH - length, "%s%s", length > 1 ? "/" : "", name);
    return true;
}

static int judge_kept_path(struct reglet__wasi *wasi, unsigned access, char path[REGLET__MAX_PATH],
                           const char *name) {
    if (name && !join(path, name))
        return reglet__wasi_refuse(wasi, access, path, "the path is too long to be judged");
    return reglet__wasi_judge_kept(wasi, access, path, name != NULL);
}

/*
 * Judges below an unrestricted preopen: an object's path, or a name in a directory, which is then put behind its path.
 * A file that was unlinked while it is open goes on working. Whether " (deleted)" is the kernel's remark or a part of the
 * name does not matter: neither path may be protected. (On some file systems the remark is made on what the kernel
 * only forgot, so it does not prove that the object is gone.)
 */
static int judge_kept(struct reglet__wasi *wasi, unsigned access, char path[REGLET__MAX_PATH],
                      const char *name) {
    char bare[REGLET__MAX_PATH];
    strcpy(bare, path);
    char *mark = mark_of(bare);
    if (mark)
        *mark = '\0';
    int error = judge_kept_path(wasi, access, path, name);
    return error || !mark ? error : judge_kept_path(wasi, access, bare, name);
}

/* Learns what a descriptor holds and judges it. */
static int judge_object(struct reglet__wasi *wasi, int fd, bool unrestricted, unsigned access, unsigned flags,
                        struct reglet__wasi_object *out) {
    out->path[0] = '\0';
    if (fstat(fd, &out->st) != 0)
        return reglet__wasi_errno(errno);
    if (reglet__wasi_real_path(wasi->options->host, fd, out->path) != 0 ||
        (!unrestricted && !still_there(out->path, &out->st)))
        return refuse_without_path(wasi, access, "the object has no path, or none any more");
    if (is_hidden_procfs(fd, &out->st, unrestricted, out->path))
        return reglet__wasi_refuse(wasi, access, out->path,
                                   "procfs is opened at /proc and by exact grants only");
    access = reglet__wasi_access_to(out->st.st_mode, access, flags);
    if (unrestricted)
        return judge_kept(wasi, access, out->path, NULL);
    return reglet__wasi_judge(wasi, false, access, out->path, out->st.st_mode & S_IFMT);
}

int reglet__wasi_judge_fd(struct reglet__wasi *wasi, const struct reglet__wasi_fd *fd, unsigned access,
                          struct reglet__wasi_object *out) {
    out->fd = -1;
    return judge_object(wasi, fd->host, fd->unrestricted, access, 0, out);
}

/* Whether ".." is one of the components. */
static bool has_dotdot(const char *path) {
    for (const char *at = strstr(path, ".."); at; at = strstr(at + 1, ".."))
        if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == '\0'))
            return true;
    return false;
}

/* Cuts slashes off the end; whether there were any. */
static bool cut_slashes(char *path) {
    size_t length = strlen(path), cut = length;
    while (cut > 1 && path[cut - 1] == '/')
        cut--;
    path[cut] = '\0';
    return cut < length;
}

/*
 * Where a path starts, and what is left of it. For the policy an absolute path is one from the host's root:
 * it decides on that as on any other. Below an unrestricted preopen it leads out, as preview1 has it.
 */
static int start_of(struct reglet__wasi *wasi, const struct reglet__wasi_fd *directory, char **path,
                    int *base) {
    *base = directory->host;
    if (**path != '/')
        return WASI_SUCCESS;
    if (directory->unrestricted)
        return WASI_EPERM;
    *base = wasi->options->host->root;
    while (**path == '/')
        (*path)++;
    if (!**path)
        *--*path = '.'; /* there was a slash */
    return WASI_SUCCESS;
}

/* Below an unrestricted preopen, the kernel keeps the path in. */
static int open_beneath(int base, const char *path, uint64_t flags, int *out) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    for (int tries = 0; tries < BENEATH_TRIES; tries++) {
        *out = reglet__sys_openat2(base, path, &how);
        if (*out >= 0)
            return WASI_SUCCESS;
        if (errno != EAGAIN) /* something was renamed just while ".." was resolved */
            return errno == EXDEV ? WASI_EPERM : reglet__wasi_errno(errno);
    }
    return WASI_EAGAIN;
}

/* Opens what a path leads to, for looking. `whole` is what the guest asked for, of which it may be a part. */
static int open_path(struct reglet__wasi *wasi, const struct reglet__wasi_fd *directory, int base,
                     const char *path, uint64_t open_flags, const char *whole, unsigned access,
                     unsigned flags, int *out) {
    if (directory->unrestricted)
        return open_beneath(base, path, open_flags, out);
    if (has_dotdot(path)) {
        /* "secret/../granted" succeeds only if there is a secret: so that must be looked at, too. */
        int error = reglet__wasi_explain(wasi, base, path, access, flags, 0);
        if (error)
            return error;
    }
    struct open_how how = {.flags = O_PATH | O_CLOEXEC | open_flags, .resolve = RESOLVE_NO_MAGICLINKS};
    *out = reglet__sys_openat2(base, path, &how);
    return *out >= 0 ? WASI_SUCCESS : reglet__wasi_explain(wasi, base, whole, access, flags, errno);
}

int reglet__wasi_look_up(struct reglet__wasi *wasi, const struct reglet__wasi_fd *directory, char *path,
                         unsigned access, unsigned flags, struct reglet__wasi_object *out) {
    out->fd = -1;
    int base;
    bool slash = cut_slashes(path);
    int error = start_of(wasi, directory, &path, &base);
    if (error)
        return error;
    if (slash)
        flags |= REGLET__WASI_FOLLOW;
    _cleanup_fd_ int fd = -1;
    error = open_path(wasi, directory, base, path, flags & REGLET__WASI_FOLLOW ? 0 : O_NOFOLLOW, path, access,
                      flags, &fd);
    if (!error)
        error = judge_object(wasi, fd, directory->unrestricted, access, flags, out);
    if (!error && slash && !S_ISDIR(out->st.st_mode))
        error = WASI_ENOTDIR;
    if (!error)
        out->fd = take_fd(fd);
    return error;
}

/* The three devices that can be granted are to be opened: what grants that is not about their names in /dev. */
static bool is_name_of_device(const char *path) {
    static const char devices[] = "/dev/";
    return strncmp(path, devices, sizeof devices - 1) == 0;
}

/* Judges the name in the parent that was opened. */
static int judge_place(struct reglet__wasi *wasi, unsigned access, const char *name,
                       struct reglet__wasi_place *place) {
    struct stat st;
    if (fstat(place->parent, &st) != 0 ||
        reglet__wasi_real_path(wasi->options->host, place->parent, place->path) != 0 ||
        (!place->unrestricted && !still_there(place->path, &st)))
        return refuse_without_path(wasi, access, "the directory has no path, or none any more");
    if (place->unrestricted)
        return judge_kept(wasi, access, place->path, name);
    int error = WASI_SUCCESS;
    if (strcmp(name, "..") == 0) /* "secret/.." would tell that there is a secret, as in open_path() */
        error = reglet__wasi_judge_way(wasi, place->path);
    if (!error && !join(place->path, name))
        return reglet__wasi_refuse(wasi, access, place->path, "the path is too long to be judged");
    if (!error && is_name_of_device(place->path))
        return reglet__wasi_refuse(wasi, access, place->path, "nothing is made, removed or renamed in /dev");
    return error ? error : reglet__wasi_judge(wasi, false, access, place->path, 0);
}

int reglet__wasi_look_up_place(struct reglet__wasi *wasi, const struct reglet__wasi_fd *directory, char *path,
                               unsigned access, struct reglet__wasi_place *out) {
    *out = (struct reglet__wasi_place){.parent = -1, .unrestricted = directory->unrestricted};
    int base;
    bool slash = cut_slashes(path);
    int error = start_of(wasi, directory, &path, &base);
    if (error)
        return error;
    char whole[REGLET__MAX_PATH];
    strcpy(whole, path);
    char *last = strrchr(path, '/');
    const char *name = last ? last + 1 : path;
    if (last)
        *last = '\0'; /* what is before it is not empty: start_of() took leading slashes */
    error = open_path(wasi, directory, base, last ? path : ".", O_DIRECTORY, whole, access, 0, &out->parent);
    if (!error)
        error = judge_place(wasi, access, name, out);
    if (error)
        return error;
    if (strlen(name) > REGLET__MAX_NAME)
        return WASI_ENAMETOOLONG;
    snprintf(out->name, sizeof out->name, "%s", name);
    snprintf(out->spelled, sizeof out->spelled, "%s%s", name, slash ? "/" : "");
    return WASI_SUCCESS;
}
