#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "util/text.h"
#include "wasi/resolve.h"

enum { CHUNK = 8192 };

/* What of the guest's buffer is filled, and whose entries they are. */
struct list {
    unsigned char *out;
    uint32_t size;
    uint32_t used;
    int listing; /* the directory, opened for reading */
    struct reglet__wasi_cookies *cookies;
    size_t cookie_limit;
    const struct reglet__policy *policy;
    bool unrestricted;                 /* every entry is shown but what the policy protects */
    char path[REGLET__MAX_PATH + 256]; /* the directory's real path and a slash */
    size_t path_size;
};

static uint8_t filetype(unsigned char type) {
    return reglet__wasi_filetype((mode_t)DTTOIF(type));
}

static bool is_dots(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* An entry's type; some file systems leave it to be asked for. */
static unsigned char type_of(int listing, const struct dirent64 *entry) {
    struct stat st;
    if (entry->d_type != DT_UNKNOWN || fstatat(listing, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return entry->d_type;
    return (unsigned char)IFTODT(st.st_mode);
}

/* Whether the policy lets an entry be seen: a file is not, where only directories lead on to a grant. */
static bool is_granted(const struct list *list, unsigned char type) {
    if (!list->policy || list->unrestricted)
        return list->unrestricted &&
               !(list->policy && reglet__policy_protects(list->policy, list->path, false));
    struct reglet__decision decision =
        reglet__policy_fs(list->policy, REGLET__FS_LOOK, list->path, type == DT_LNK);
    return decision.allowed && (!decision.way || type == DT_DIR);
}

/* A name that is not UTF-8 cannot be spoken of in preview1, so it is left out. */
static bool is_shown(struct list *list, const struct dirent64 *entry, unsigned char type) {
    size_t size = strlen(entry->d_name);
    if (is_dots(entry->d_name))
        return true;
    if (!reglet__utf8_valid(entry->d_name, size))
        return false;
    if (list->path_size + size >= sizeof list->path)
        return false;
    memcpy(list->path + list->path_size, entry->d_name, size + 1);
    return is_granted(list, type);
}

/* As much as fits: an entry that is cut off tells the guest that there is more. */
static void put_bytes(struct list *list, const void *data, size_t size) {
    size_t part = size < list->size - list->used ? size : list->size - list->used;
    memcpy(list->out + list->used, data, part);
    list->used += (uint32_t)part;
}

static int put_entry(struct list *list, const struct dirent64 *entry, unsigned char type) {
    unsigned char head[WASI_DIRENT_SIZE] = {0};
    uint32_t cookie;
    int error = reglet__wasi_cookies_give(list->cookies, entry->d_off, list->cookie_limit, &cookie);
    if (error)
        return error;
    size_t length = strlen(entry->d_name);
    /* The inode of ".." belongs to a directory that may not be looked at; 0 is "ask if you need it". */
    uint64_t inode = strcmp(entry->d_name, "..") == 0 ? 0 : entry->d_ino;
    reglet__wasi_put(head, cookie, 8);
    reglet__wasi_put(head + WASI_DIRENT_INO, inode, 8);
    reglet__wasi_put(head + WASI_DIRENT_NAMLEN, length, 4);
    head[WASI_DIRENT_TYPE] = filetype(type);
    put_bytes(list, head, sizeof head);
    put_bytes(list, entry->d_name, length);
    return WASI_SUCCESS;
}

/* Deciding on an entry can take a while, with patterns made for that: so each is a step that can be ended. */
static int take_entry(struct reglet__wasi *wasi, struct list *list, const struct dirent64 *entry) {
    int error = reglet__wasi_check(wasi);
    if (error)
        return error;
    unsigned char type = type_of(list->listing, entry);
    return is_shown(list, entry, type) ? put_entry(list, entry, type) : WASI_SUCCESS;
}

/* Fills the buffer, or gets to the end: only a buffer that is not full says "that is all" to libc and Go. */
static int fill(struct reglet__wasi *wasi, struct list *list) {
    _Alignas(struct dirent64) char chunk[CHUNK];
    int error = WASI_SUCCESS;
    while (!error && list->used < list->size) {
        ssize_t size = getdents64(list->listing, chunk, sizeof chunk);
        if (size < 0)
            return reglet__wasi_errno(errno);
        if (size == 0)
            break;
        for (ssize_t at = 0; !error && at < size && list->used < list->size;) {
            const struct dirent64 *entry = (const void *)(chunk + at);
            error = take_entry(wasi, list, entry);
            at += entry->d_reclen;
        }
    }
    return error;
}

/* How many cookies a directory may have, for all that the call's directories have at once to be bounded. */
static size_t cookie_limit(const struct reglet__wasi *wasi, const struct reglet__wasi_fd *fd) {
    size_t others = 0;
    for (size_t i = 0; i < wasi->fd_count; i++)
        others += &wasi->fds[i] == fd ? 0 : wasi->fds[i].cookies.count;
    return REGLET__MAX_COOKIES - others;
}

/* Judges the directory by where it is now, and opens it for reading if it is not yet. */
static int begin(struct reglet__wasi *wasi, struct reglet__wasi_fd *fd, struct list *list) {
    struct reglet__wasi_object object;
    int error = reglet__wasi_judge_fd(wasi, fd, REGLET__WASI_LOOK, &object);
    if (error)
        return error;
    if (fd->listing >= 0) /* it goes on with a list that was told of when it began */
        reglet__decisions_drop(wasi->options->decisions, "fs:look", object.path);
    list->policy = wasi->options->policy;
    list->unrestricted = fd->unrestricted;
    list->path_size = (size_t)snprintf(list->path, sizeof list->path, "%s%s", object.path,
                                       strcmp(object.path, "/") == 0 ? "" : "/");
    if (fd->listing < 0)
        fd->listing = reglet__wasi_reopen(wasi, fd->host, O_RDONLY | O_DIRECTORY);
    if (fd->listing < 0)
        return reglet__wasi_errno(errno);
    list->listing = fd->listing;
    list->cookies = &fd->cookies;
    list->cookie_limit = cookie_limit(wasi, fd);
    return WASI_SUCCESS;
}

/* Cookies stand for the file system's own positions, so they stay good while entries come and go. */
WASI_FUNCTION(fd_readdir) {
    struct reglet__wasi_fd *fd;
    int error = reglet__wasi_directory_get(wasi, args[0].u32, WASI_RIGHT_FD_READDIR, &fd);
    if (error)
        return error;
    struct list list = {.out = reglet__guest_memory(wasi->guest, args[1].u32, args[2].u32),
                        .size = args[2].u32};
    if (!list.out || !reglet__wasi_writable(wasi, args[4].u32, 4))
        return WASI_EFAULT;
    error = begin(wasi, fd, &list);
    if (error)
        return error;
    int64_t position = reglet__wasi_cookies_position(&fd->cookies, args[3].u64);
    if (position < 0 || lseek(fd->listing, position, SEEK_SET) < 0)
        return WASI_EINVAL;
    error = fill(wasi, &list);
    if (!error)
        reglet__guest_write_u32(wasi->guest, args[4].u32, list.used);
    return error;
}
