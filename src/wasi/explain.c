/*
 * What may a guest be told of a path that could not be opened, or that goes up by ".."? The kernel's errno
 * tells what exists. So the path is walked again, up to the place where it stops, and what would be there is
 * judged like an object: only of what is granted is the errno told.
 *
 * Nothing that is opened here is handed out: symbolic links are followed without the kernel's own protection.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>

#include "util/sys.h"
#include "wasi/resolve.h"

enum { MAX_LINKS = 40 /* as the kernel */ };

struct walk {
    struct reglet__wasi *wasi;
    unsigned access;
    unsigned flags;
    int why; /* why the kernel refused; 0: it was not asked yet, and only the way up is judged */
    int links;
    int at;                          /* O_PATH: where it stands */
    char *rest;                      /* what is left, in text */
    char text[2 * REGLET__MAX_PATH]; /* at its end, so that a link's target fits before it */
};

/* Takes the next component off; NULL at the end. */
static char *next_component(char **rest) {
    char *name = *rest + strspn(*rest, "/");
    if (!*name)
        return NULL;
    char *end = name + strcspn(name, "/");
    *rest = end;
    if (*end) {
        *end = '\0';
        *rest = end + 1;
    }
    return name;
}

static bool at_end(const char *rest) {
    return rest[strspn(rest, "/")] == '\0';
}

static int real_path(struct walk *walk, char out[REGLET__MAX_PATH]) {
    if (reglet__wasi_real_path(walk->wasi->options->host, walk->at, out) == 0)
        return WASI_SUCCESS;
    return reglet__wasi_refuse(walk->wasi, walk->access, "(no path)", "the directory has no path any more");
}

/* A directory that ".." leaves must be one that may be looked at: otherwise its existence would be told. */
static int judge_way_up(struct walk *walk, const char *path) {
    return reglet__wasi_judge_way(walk->wasi, path);
}

static int judge_way_up_here(struct walk *walk) {
    char path[REGLET__MAX_PATH];
    int error = real_path(walk, path);
    return error ? error : judge_way_up(walk, path);
}

/* Appends a component to a path that does not exist. */
static int append(struct walk *walk, char path[REGLET__MAX_PATH], const char *name) {
    size_t length = strlen(path);
    if (strcmp(name, ".") == 0)
        return WASI_SUCCESS;
    if (strcmp(name, "..") == 0) {
        int error = judge_way_up(walk, path);
        char *slash = strrchr(path, '/');
        slash[slash == path] = '\0';
        return error;
    }
    if (length + 1 + strlen(name) >= REGLET__MAX_PATH)
        return WASI_ENAMETOOLONG;
    snprintf(path + length, REGLET__MAX_PATH - length, "%s%s", length > 1 ? "/" : "", name);
    return WASI_SUCCESS;
}

/* The walk stops at `name`, for `why`: judges what would be there if it did not. */
static int stop_at(struct walk *walk, char *name, int why) {
    char path[REGLET__MAX_PATH];
    int error = real_path(walk, path);
    for (; name && !error; name = next_component(&walk->rest))
        error = append(walk, path, name);
    if (error == WASI_ENAMETOOLONG)
        return reglet__wasi_refuse(walk->wasi, walk->access, path, "the path is too long to be judged");
    if (error || walk->why == 0)
        return error;
    error = reglet__wasi_judge(walk->wasi, false, walk->access, path, 0);
    return error ? error : reglet__wasi_errno(why);
}

/*
 * Why a path cannot go on through a file. That it is one may be told only to who may look at it: otherwise a
 * name behind "**" would tell of every file below d that it is there.
 */
static int through_file(struct walk *walk, const char *name) {
    char path[REGLET__MAX_PATH];
    int error = real_path(walk, path);
    if (!error)
        error = append(walk, path, name);
    const struct reglet__policy *policy = walk->wasi->options->policy;
    if (error || !policy)
        return ENOENT;
    struct reglet__decision decision = reglet__policy_fs(policy, REGLET__FS_LOOK, path, false);
    return decision.allowed && !decision.way ? ENOTDIR : ENOENT;
}

static bool is_procfs(int fd) {
    struct statfs fs;
    return fstatfs(fd, &fs) != 0 || fs.f_type == PROC_SUPER_MAGIC;
}

static int move_to(struct walk *walk, int fd) {
    if (fd < 0)
        return reglet__wasi_errno(errno);
    close(walk->at);
    walk->at = fd;
    return WASI_SUCCESS;
}

/* Puts the target of a symbolic link in front of what is left. */
static int follow(struct walk *walk, int link, char *name, bool *on) {
    char target[REGLET__MAX_PATH];
    ssize_t size = reglet__sys_readlinkat(link, "", target, sizeof target);
    /* A link in procfs may lead where its text does not: to a descriptor, or to another root. */
    if (size <= 0 || size >= REGLET__MAX_PATH || walk->links++ >= MAX_LINKS || is_procfs(link))
        return stop_at(walk, name, ELOOP);
    size_t needed = (size_t)size + 1;
    if ((size_t)(walk->rest - walk->text) < needed)
        return stop_at(walk, name, ENAMETOOLONG);
    walk->rest -= needed;
    memcpy(walk->rest, target, (size_t)size);
    walk->rest[size] = '/';
    *on = true;
    if (target[0] != '/')
        return WASI_SUCCESS;
    return move_to(
        walk, reglet__sys_openat(walk->wasi->options->host->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0));
}

/* The walk got to the end: there is an object now, or the kernel refused for a reason of its own. */
static int arrive(struct walk *walk, mode_t type) {
    if (walk->why == 0)
        return WASI_SUCCESS;
    char path[REGLET__MAX_PATH];
    int error = real_path(walk, path);
    unsigned access = reglet__wasi_access_to(type, walk->access, walk->flags);
    if (!error)
        error = reglet__wasi_judge(walk->wasi, false, access, path, type);
    return error ? error : reglet__wasi_errno(walk->why);
}

/* Goes one component on. Clears *on when the walk is over; then the answer is what it returns. */
static int step(struct walk *walk, char *name, bool *on) {
    *on = false;
    int error = strcmp(name, "..") == 0 ? judge_way_up_here(walk) : WASI_SUCCESS;
    if (error)
        return error;
    _cleanup_fd_ int next = reglet__sys_openat(walk->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    struct stat st;
    if (next < 0 || fstat(next, &st) != 0)
        return stop_at(walk, name, errno);
    bool last = at_end(walk->rest);
    if (S_ISLNK(st.st_mode) && (!last || walk->flags & REGLET__WASI_FOLLOW))
        return follow(walk, next, name, on);
    if (!last && !S_ISDIR(st.st_mode))
        return stop_at(walk, name, through_file(walk, name));
    *on = !last;
    error = move_to(walk, take_fd(next));
    return error || !last ? error : arrive(walk, st.st_mode & S_IFMT);
}

int reglet__wasi_explain(struct reglet__wasi *wasi, int base, const char *path, unsigned access,
                         unsigned flags, int why) {
    struct walk walk = {.wasi = wasi, .access = access, .flags = flags, .why = why};
    size_t size = strlen(path) + 1;
    walk.rest = walk.text + sizeof walk.text - size;
    memcpy(walk.rest, path, size);
    walk.at = reglet__sys_openat(base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (walk.at < 0)
        return WASI_EACCES;
    bool on = true;
    int error = WASI_SUCCESS;
    while (on && !error) {
        char *name = next_component(&walk.rest);
        on = name != NULL;
        error = reglet__wasi_check(wasi);
        if (!error) /* without a name, a link to "/" was the last one */
            error = name ? step(&walk, name, &on) : arrive(&walk, S_IFDIR);
    }
    close(walk.at);
    return error;
}
