#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "util/sys.h"
#include "wasi/resolve.h"

enum { CREATE_TRIES = 8 };

/* What the guest asked for. */
struct wish {
    const struct reglet__wasi_fd *directory;
    uint32_t oflags;
    uint64_t rights;
    uint64_t inheriting;
    uint32_t fdflags;
    unsigned access;
    unsigned look_up;
};

/* What it gets: `host` is -1 until something is open. */
struct opened {
    int host;
    uint8_t filetype;
    bool directory;
};

static bool may_write(const struct wish *wish) {
    return wish->rights & (WASI_RIGHT_FD_WRITE | WASI_RIGHT_FD_ALLOCATE);
}

/* What the policy is asked. Go wants FD_FILESTAT_SET_SIZE even when it only reads; alone it means nothing. */
static unsigned access_of(const struct wish *wish) {
    unsigned access = 0;
    if (wish->rights & WASI_RIGHT_FD_READ || !may_write(wish))
        access |= REGLET__WASI_READ;
    if (may_write(wish) || wish->oflags & WASI_OFLAG_TRUNC)
        access |= REGLET__WASI_WRITE;
    return access;
}

static int open_flags(const struct wish *wish) {
    int flags = O_RDONLY;
    if (may_write(wish))
        flags = wish->access & REGLET__WASI_READ ? O_RDWR : O_WRONLY;
    flags |= wish->fdflags & WASI_FDFLAG_APPEND ? O_APPEND : 0;
    flags |= wish->fdflags & WASI_FDFLAG_DSYNC ? O_DSYNC : 0;
    flags |= wish->fdflags & (WASI_FDFLAG_SYNC | WASI_FDFLAG_RSYNC) ? O_SYNC : 0;
    return flags | O_NONBLOCK; /* a file that is leased would be waited for */
}

static bool is_harmless_device(const struct stat *st) {
    enum { MEMORY = 1, NULL_DEVICE = 3, ZERO = 5, URANDOM = 9 };
    unsigned number = minor(st->st_rdev);
    return S_ISCHR(st->st_mode) && major(st->st_rdev) == MEMORY &&
           (number == NULL_DEVICE || number == ZERO || number == URANDOM);
}

/* The rights that were asked for and make sense on a file of this type. */
static uint64_t rights_on(const struct wish *wish, uint8_t filetype) {
    uint64_t rights = wish->rights & reglet__wasi_rights_of(filetype);
    return may_write(wish) ? rights : rights & ~WASI_RIGHT_FD_FILESTAT_SET_SIZE;
}

/* Whether the directory passes them on: asked before anything is made or truncated. */
static bool passes_on(const struct wish *wish, uint8_t filetype) {
    return !(rights_on(wish, filetype) & ~wish->directory->inheriting);
}

/* Opens an object that was judged, if it is of a kind that may be opened. Only here is anything truncated. */
static int open_object(struct reglet__wasi *wasi, const struct wish *wish, struct reglet__wasi_object *object,
                       struct opened *out) {
    mode_t mode = object->st.st_mode;
    out->filetype = reglet__wasi_filetype(mode);
    if (S_ISLNK(mode))
        return WASI_ELOOP;
    if (S_ISDIR(mode)) {
        bool listed = wish->oflags & WASI_OFLAG_DIRECTORY || !may_write(wish);
        if (!listed || wish->oflags & (WASI_OFLAG_CREAT | WASI_OFLAG_TRUNC))
            return WASI_EISDIR;
        if (!passes_on(wish, out->filetype))
            return WASI_ENOTCAPABLE;
        out->directory = true;
        out->host = take_fd(object->fd);
        return WASI_SUCCESS;
    }
    if (wish->oflags & WASI_OFLAG_DIRECTORY)
        return WASI_ENOTDIR;
    /* Opening a FIFO waits; opening a device or a socket can do anything. */
    if (!S_ISREG(mode) && !is_harmless_device(&object->st))
        return reglet__wasi_refuse(wasi, wish->access, object->path,
                                   "FIFOs, sockets and devices are never opened");
    if (!passes_on(wish, out->filetype))
        return WASI_ENOTCAPABLE;
    int truncate = wish->oflags & WASI_OFLAG_TRUNC ? O_TRUNC : 0;
    out->host = reglet__wasi_reopen(wasi, object->fd, open_flags(wish) | truncate);
    return out->host >= 0 ? WASI_SUCCESS : reglet__wasi_errno(errno);
}

static int open_existing(struct reglet__wasi *wasi, const struct wish *wish, const char *path,
                         struct opened *out) {
    char text[REGLET__MAX_PATH];
    strcpy(text, path);
    _cleanup_object_ struct reglet__wasi_object object = {.fd = -1};
    int error = reglet__wasi_look_up(wasi, wish->directory, text, wish->access, wish->look_up, &object);
    return error ? error : open_object(wasi, wish, &object, out);
}

/*
 * Makes a file that is not there yet. The parent could be moved between the decision and the making, so the
 * file's path is looked at once more: a guest never gets a descriptor for one that was made elsewhere.
 */
static int create(struct reglet__wasi *wasi, const struct wish *wish, const char *path, struct opened *out) {
    char text[REGLET__MAX_PATH], real[REGLET__MAX_PATH];
    strcpy(text, path);
    _cleanup_place_ struct reglet__wasi_place place = {.parent = -1};
    unsigned access = wish->access | REGLET__WASI_WRITE;
    int error = reglet__wasi_look_up_place(wasi, wish->directory, text, access, &place);
    if (error)
        return error;
    out->filetype = WASI_FILETYPE_REGULAR_FILE;
    if (!passes_on(wish, out->filetype))
        return WASI_ENOTCAPABLE;
    int flags = open_flags(wish) | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC;
    struct open_how how = {.flags = (unsigned)flags,
                           .mode = 0666,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    _cleanup_fd_ int fd = reglet__sys_openat2(place.parent, place.spelled, &how);
    if (fd < 0)
        return reglet__wasi_errno(errno);
    if (reglet__wasi_real_path(wasi->options->host, fd, real) != 0 || strcmp(real, place.path) != 0)
        return reglet__wasi_refuse(wasi, access, place.path, "its directory was moved just now");
    out->host = take_fd(fd);
    return WASI_SUCCESS;
}

/* Whether the last component is a link: what it leads to does not exist, and is not made through it. */
static bool is_link(struct reglet__wasi *wasi, const struct wish *wish, const char *path) {
    char text[REGLET__MAX_PATH];
    strcpy(text, path);
    _cleanup_object_ struct reglet__wasi_object object = {.fd = -1};
    int error = reglet__wasi_look_up(wasi, wish->directory, text, REGLET__WASI_LOOK, 0, &object);
    return !error && S_ISLNK(object.st.st_mode);
}

static int open_or_create(struct reglet__wasi *wasi, const struct wish *wish, const char *path,
                          struct opened *out) {
    if (!(wish->oflags & WASI_OFLAG_CREAT))
        return open_existing(wasi, wish, path, out);
    if (wish->oflags & WASI_OFLAG_EXCL)
        return create(wasi, wish, path, out);
    int error = WASI_EEXIST;
    for (int tries = 0; error == WASI_EEXIST && tries < CREATE_TRIES; tries++) {
        error = open_existing(wasi, wish, path, out);
        if (error == WASI_ENOENT)
            error = create(wasi, wish, path, out);
        if (error == WASI_EEXIST && is_link(wasi, wish, path))
            return WASI_ELOOP;
    }
    return error;
}

/* Puts what was opened into the table. */
static void install(struct reglet__wasi *wasi, const struct wish *wish, const struct opened *opened,
                    uint32_t number) {
    wasi->fds[number] = (struct reglet__wasi_fd){
        .kind = opened->directory ? REGLET__WASI_DIRECTORY : REGLET__WASI_FILE,
        .host = opened->host,
        .unrestricted = wish->directory->unrestricted,
        .filetype = opened->filetype,
        .flags = opened->directory ? 0 : (uint16_t)wish->fdflags,
        .rights = rights_on(wish, opened->filetype),
        .inheriting = wish->inheriting & wish->directory->inheriting,
        .listing = -1,
        .kept = opened->directory ? NULL : reglet__decisions_keep(wasi->options->decisions)};
}

static uint64_t rights_needed(uint32_t oflags) {
    uint64_t needed = WASI_RIGHT_PATH_OPEN;
    needed |= oflags & WASI_OFLAG_CREAT ? WASI_RIGHT_PATH_CREATE_FILE : 0;
    needed |= oflags & WASI_OFLAG_TRUNC ? WASI_RIGHT_PATH_FILESTAT_SET_SIZE : 0;
    return needed;
}

WASI_FUNCTION(path_open) {
    struct wish wish = {.oflags = args[4].u32,
                        .rights = args[5].u64 & WASI_RIGHTS_ALL,
                        .inheriting = args[6].u64 & WASI_RIGHTS_ALL,
                        .fdflags = args[7].u32,
                        .look_up = REGLET__WASI_OPENING};
    bool contradicts = wish.oflags & WASI_OFLAG_CREAT && wish.oflags & WASI_OFLAG_DIRECTORY;
    if (wish.oflags & ~(uint32_t)WASI_OFLAGS_ALL || wish.fdflags & ~(uint32_t)WASI_FDFLAGS_ALL || contradicts)
        return WASI_EINVAL;
    if (args[1].u32 & WASI_LOOKUP_SYMLINK_FOLLOW)
        wish.look_up |= REGLET__WASI_FOLLOW;
    wish.access = access_of(&wish);
    uint32_t number;
    struct reglet__wasi_fd *directory;
    char path[REGLET__MAX_PATH];
    int error = reglet__wasi_fd_free_number(wasi, &number); /* first: it can move the table */
    if (!error)
        error = reglet__wasi_directory_get(wasi, args[0].u32, rights_needed(wish.oflags), &directory);
    if (!error)
        error = reglet__wasi_path_read(wasi, args[2].u32, args[3].u32, path);
    if (!error && !reglet__wasi_writable(wasi, args[8].u32, 4))
        error = WASI_EFAULT;
    if (error)
        return error;
    wish.directory = directory;
    struct opened opened = {.host = -1};
    error = open_or_create(wasi, &wish, path, &opened);
    if (error)
        return error;
    install(wasi, &wish, &opened, number);
    reglet__guest_write_u32(wasi->guest, args[8].u32, number);
    return WASI_SUCCESS;
}

bool reglet__wasi_can_read(struct reglet__wasi *wasi, const struct reglet__wasi_fd *directory,
                           struct reglet__wasi_object *object) {
    struct wish wish = {
        .directory = directory, .rights = WASI_RIGHT_FD_READ, .look_up = REGLET__WASI_OPENING};
    wish.access = access_of(&wish);
    struct opened opened = {.host = -1};
    mode_t mode = object->st.st_mode;
    int error = reglet__wasi_judge(wasi, directory->unrestricted,
                                   reglet__wasi_access_to(mode, wish.access, wish.look_up), object->path,
                                   mode & S_IFMT);
    if (!error)
        error = open_object(wasi, &wish, object, &opened);
    if (opened.host >= 0)
        close(opened.host);
    return !error;
}

int reglet__wasi_open(struct reglet__wasi *wasi, const struct reglet__wasi_fd *directory, const char *path,
                      const struct reglet__wasi_mode *mode, int *fd) {
    struct wish wish = {.directory = directory,
                        .oflags = mode->oflags,
                        .rights = mode->rights,
                        .fdflags = mode->fdflags,
                        .look_up = REGLET__WASI_OPENING | REGLET__WASI_FOLLOW};
    wish.access = access_of(&wish);
    struct opened opened = {.host = -1};
    int error = open_or_create(wasi, &wish, path, &opened);
    if (!error)
        *fd = opened.host;
    return error;
}
