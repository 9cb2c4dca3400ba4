/* Functions on a path but path_open: each looks up, is judged, and acts on the descriptor it then holds. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "util/sys.h"
#include "wasi/resolve.h"

/* A directory's descriptor, and a path from it, as most functions take them. */
static int start(struct reglet__wasi *wasi, uint32_t number, uint64_t right, uint32_t address, uint32_t size,
                 struct reglet__wasi_fd **directory, char path[REGLET__MAX_PATH]) {
    int error = reglet__wasi_directory_get(wasi, number, right, directory);
    return error ? error : reglet__wasi_path_read(wasi, address, size, path);
}

/* What the path leads to, judged. */
static int find(struct reglet__wasi *wasi, uint32_t number, uint64_t right, uint32_t address, uint32_t size,
                unsigned access, uint32_t lookup, struct reglet__wasi_object *out) {
    struct reglet__wasi_fd *directory;
    char path[REGLET__MAX_PATH];
    int error = start(wasi, number, right, address, size, &directory, path);
    unsigned flags = lookup & WASI_LOOKUP_SYMLINK_FOLLOW ? REGLET__WASI_FOLLOW : 0;
    return error ? error : reglet__wasi_look_up(wasi, directory, path, access, flags, out);
}

/* The place that the path names, judged for writing. */
static int find_place(struct reglet__wasi *wasi, uint32_t number, uint64_t right, uint32_t address,
                      uint32_t size, struct reglet__wasi_place *out) {
    struct reglet__wasi_fd *directory;
    char path[REGLET__MAX_PATH];
    int error = start(wasi, number, right, address, size, &directory, path);
    return error ? error : reglet__wasi_look_up_place(wasi, directory, path, REGLET__WASI_WRITE, out);
}

static int as_errno(int result) {
    return result == 0 ? WASI_SUCCESS : reglet__wasi_errno(errno);
}

WASI_FUNCTION(path_create_directory) {
    _cleanup_place_ struct reglet__wasi_place place = {.parent = -1};
    int error =
        find_place(wasi, args[0].u32, WASI_RIGHT_PATH_CREATE_DIRECTORY, args[1].u32, args[2].u32, &place);
    return error ? error : as_errno(mkdirat(place.parent, place.spelled, 0777));
}

WASI_FUNCTION(path_remove_directory) {
    _cleanup_place_ struct reglet__wasi_place place = {.parent = -1};
    int error =
        find_place(wasi, args[0].u32, WASI_RIGHT_PATH_REMOVE_DIRECTORY, args[1].u32, args[2].u32, &place);
    return error ? error : as_errno(unlinkat(place.parent, place.spelled, AT_REMOVEDIR));
}

WASI_FUNCTION(path_unlink_file) {
    _cleanup_place_ struct reglet__wasi_place place = {.parent = -1};
    int error = find_place(wasi, args[0].u32, WASI_RIGHT_PATH_UNLINK_FILE, args[1].u32, args[2].u32, &place);
    return error ? error : as_errno(unlinkat(place.parent, place.spelled, 0));
}

WASI_FUNCTION(path_filestat_get) {
    _cleanup_object_ struct reglet__wasi_object object = {.fd = -1};
    int error = find(wasi, args[0].u32, WASI_RIGHT_PATH_FILESTAT_GET, args[2].u32, args[3].u32,
                     REGLET__WASI_LOOK, args[1].u32, &object);
    return error ? error
                 : reglet__wasi_put_filestat(wasi, args[4].u32, &object.st,
                                             wasi->fds[args[0].u32].unrestricted);
}

int reglet__wasi_set_times(struct reglet__wasi *wasi, int fd, const struct timespec times[2]) {
    char name[16];
    reglet__wasi_proc_name(fd, name);
    return as_errno(utimensat(wasi->options->host->proc_fd, name, times, 0));
}

WASI_FUNCTION(path_filestat_set_times) {
    struct timespec times[2];
    int error = reglet__wasi_times(args[4].u64, args[5].u64, args[6].u32, times);
    if (error)
        return error;
    _cleanup_object_ struct reglet__wasi_object object = {.fd = -1};
    error = find(wasi, args[0].u32, WASI_RIGHT_PATH_FILESTAT_SET_TIMES, args[2].u32, args[3].u32,
                 REGLET__WASI_WRITE, args[1].u32, &object);
    return error ? error : reglet__wasi_set_times(wasi, object.fd, times);
}

WASI_FUNCTION(path_readlink) {
    _cleanup_object_ struct reglet__wasi_object object = {.fd = -1};
    int error = find(wasi, args[0].u32, WASI_RIGHT_PATH_READLINK, args[1].u32, args[2].u32, REGLET__WASI_LOOK,
                     0, &object);
    if (error)
        return error;
    if (!S_ISLNK(object.st.st_mode))
        return WASI_EINVAL;
    if (!reglet__wasi_writable(wasi, args[3].u32, args[4].u32) ||
        !reglet__wasi_writable(wasi, args[5].u32, 4))
        return WASI_EFAULT;
    char target[REGLET__MAX_PATH];
    ssize_t size = reglet__sys_readlinkat(object.fd, "", target, sizeof target);
    if (size < 0)
        return reglet__wasi_errno(errno);
    uint32_t shown = (uint64_t)size < args[4].u32 ? (uint32_t)size : args[4].u32;
    reglet__guest_write(wasi->guest, args[3].u32, target, shown);
    reglet__guest_write_u32(wasi->guest, args[5].u32, shown);
    return WASI_SUCCESS;
}

/*
 * The source is linked through the descriptor that was judged, so that what is linked cannot be swapped. A
 * link to a symbolic link would be that link in another place, leading elsewhere: for the policy it is none.
 */
static int link_object(struct reglet__wasi *wasi, const struct reglet__wasi_object *source, bool unrestricted,
                       const struct reglet__wasi_place *target) {
    char name[16];
    if (S_ISLNK(source->st.st_mode) && !(unrestricted && target->unrestricted))
        return reglet__wasi_refuse(wasi, REGLET__WASI_WRITE, target->path,
                                   "a symbolic link cannot be linked into another place");
    reglet__wasi_proc_name(source->fd, name);
    return as_errno(
        linkat(wasi->options->host->proc_fd, name, target->parent, target->spelled, AT_SYMLINK_FOLLOW));
}

WASI_FUNCTION(path_link) {
    _cleanup_object_ struct reglet__wasi_object source = {.fd = -1};
    _cleanup_place_ struct reglet__wasi_place target = {.parent = -1};
    int error = find(wasi, args[0].u32, WASI_RIGHT_PATH_LINK_SOURCE, args[2].u32, args[3].u32,
                     REGLET__WASI_READ | REGLET__WASI_WRITE, args[1].u32, &source);
    if (!error)
        error = find_place(wasi, args[4].u32, WASI_RIGHT_PATH_LINK_TARGET, args[5].u32, args[6].u32, &target);
    return error ? error : link_object(wasi, &source, wasi->fds[args[0].u32].unrestricted, &target);
}

/*
 * Where a relative target leads from a place, worked out in text. It may climb at its start only: behind a
 * name, ".." would ask the kernel whether that name exists, and might not undo it.
 */
static bool target_path(const char *place, const char *target, char out[REGLET__MAX_PATH]) {
    strcpy(out, place);
    *strrchr(out, '/') = '\0';
    bool named = false;
    while (*target) {
        size_t size = strcspn(target, "/");
        bool up = size == 2 && memcmp(target, "..", 2) == 0;
        if (up && (named || !*out))
            return false;
        if (up)
            *strrchr(out, '/') = '\0';
        else if (size && !(size == 1 && *target == '.')) {
            size_t length = strlen(out);
            if (length + 1 + size >= REGLET__MAX_PATH)
                return false;
            snprintf(out + length, REGLET__MAX_PATH - length, "/%.*s", (int)size, target);
            named = true;
        }
        target += size + (target[size] == '/');
    }
    if (!*out)
        strcpy(out, "/");
    return true;
}

/* Whether a symbolic link with this target may be at this place. */
static int judge_symlink(struct reglet__wasi *wasi, const struct reglet__wasi_place *place,
                         const char *target) {
    char path[REGLET__MAX_PATH];
    if (place->unrestricted)
        return *target == '/' ? WASI_EPERM : WASI_SUCCESS;
    if (*target == '/' || !target_path(place->path, target, path))
        return reglet__wasi_refuse(wasi, REGLET__WASI_WRITE, place->path,
                                   "a symbolic link must be relative and stay inside its grant");
    struct reglet__decision decision = reglet__policy_fs_symlink(wasi->options->policy, place->path, path);
    return reglet__wasi_obey(wasi, &decision, REGLET__WASI_WRITE, place->path);
}

WASI_FUNCTION(path_symlink) {
    char target[REGLET__MAX_PATH];
    _cleanup_place_ struct reglet__wasi_place place = {.parent = -1};
    int error = reglet__wasi_path_read(wasi, args[0].u32, args[1].u32, target);
    if (!error)
        error = find_place(wasi, args[2].u32, WASI_RIGHT_PATH_SYMLINK, args[3].u32, args[4].u32, &place);
    if (!error)
        error = judge_symlink(wasi, &place, target);
    return error ? error : as_errno(symlinkat(target, place.parent, place.spelled));
}

/* A directory takes everything in it along, granted or not: so all of it has to be granted, at both ends. */
static int judge_tree(struct reglet__wasi *wasi, const struct reglet__wasi_place *place) {
    if (place->unrestricted)
        return WASI_SUCCESS;
    struct reglet__decision decision = reglet__policy_fs_tree(wasi->options->policy, place->path);
    return reglet__wasi_obey(wasi, &decision, REGLET__WASI_WRITE, place->path);
}

/* A symbolic link that is moved leads elsewhere: it has to be one that could be made there. */
static int judge_link_moved_to(struct reglet__wasi *wasi, const struct reglet__wasi_place *from,
                               const struct reglet__wasi_place *to) {
    char target[REGLET__MAX_PATH];
    ssize_t size = reglet__sys_readlinkat(from->parent, from->name, target, sizeof target);
    if (size < 0)
        return errno == EINVAL ? WASI_SUCCESS : reglet__wasi_errno(errno); /* it is no link */
    if (size >= REGLET__MAX_PATH)
        return WASI_ENAMETOOLONG;
    target[size] = '\0';
    return judge_symlink(wasi, to, target);
}

static bool is_same_directory(int a, int b) {
    struct stat one, other;
    return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

/*
 * A directory takes the links in it along, and from another parent their ".." would lead elsewhere, out of
 * the grant as well. So it moves only within its parent; else the answer is that of another file system, and
 * programs that can, copy.
 */
static int judge_directory_move(struct reglet__wasi *wasi, const struct reglet__wasi_place *from,
                                const struct reglet__wasi_place *to) {
    int error = judge_tree(wasi, from);
    if (!error)
        error = judge_tree(wasi, to);
    if (!error && !is_same_directory(from->parent, to->parent))
        error = WASI_EXDEV;
    return error;
}

/* Write does not imply read, so what is moved must not become readable by being elsewhere. */
static int judge_reading(struct reglet__wasi *wasi, const struct reglet__wasi_place *from,
                         const struct reglet__wasi_place *to, mode_t type) {
    if (from->unrestricted || S_ISLNK(type))
        return WASI_SUCCESS;
    const char *end = to->unrestricted ? NULL : to->path;
    if (!reglet__policy_fs_reveals(wasi->options->policy, from->path, end, S_ISDIR(type)))
        return WASI_SUCCESS;
    return reglet__wasi_refuse(wasi, REGLET__WASI_READ, from->path,
                               "renamed, it could be read, and it may not be read where it is");
}

static int judge_move(struct reglet__wasi *wasi, const struct reglet__wasi_place *from,
                      const struct reglet__wasi_place *to) {
    struct stat st;
    if (from->unrestricted && to->unrestricted)
        return WASI_SUCCESS;
    if (fstatat(from->parent, from->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return reglet__wasi_errno(errno);
    int error = judge_reading(wasi, from, to, st.st_mode & S_IFMT);
    if (error)
        return error;
    return S_ISDIR(st.st_mode) ? judge_directory_move(wasi, from, to) : judge_link_moved_to(wasi, from, to);
}

/*
 * The name is what is moved, and another call can have put a link there since it was judged. If such a link
 * has come to where it could not be made, it goes again.
 */
static int judge_moved(struct reglet__wasi *wasi, const struct reglet__wasi_place *to) {
    int error = to->unrestricted ? WASI_SUCCESS : judge_link_moved_to(wasi, to, to);
    if (error == WASI_EACCES)
        unlinkat(to->parent, to->name, 0);
    return error == WASI_EACCES ? error : WASI_SUCCESS;
}

WASI_FUNCTION(path_rename) {
    _cleanup_place_ struct reglet__wasi_place from = {.parent = -1};
    _cleanup_place_ struct reglet__wasi_place to = {.parent = -1};
    int error = find_place(wasi, args[0].u32, WASI_RIGHT_PATH_RENAME_SOURCE, args[1].u32, args[2].u32, &from);
    if (!error)
        error = find_place(wasi, args[3].u32, WASI_RIGHT_PATH_RENAME_TARGET, args[4].u32, args[5].u32, &to);
    if (!error)
        error = judge_move(wasi, &from, &to);
    if (!error)
        error = as_errno(renameat(from.parent, from.spelled, to.parent, to.spelled));
    return error ? error : judge_moved(wasi, &to);
}
