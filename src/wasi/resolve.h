/*
 * resolve.h - the one place where a path of a guest becomes an object that was judged.
 *
 * A path is resolved by the kernel into a descriptor that can do nothing (O_PATH); the kernel is asked for
 * that object's real path; the policy decides on it; and only then is that very object opened, changed or
 * shown, through the descriptor and never by its name again. What is to be created is judged as its parent's
 * real path and the last component, and is made in that parent.
 */
#ifndef REGLET_WASI_RESOLVE_H
#define REGLET_WASI_RESOLVE_H

#include "wasi/state.h"

/* What the process offers, see wasi.h. */
struct reglet__wasi_host {
    int proc_fd; /* /proc/self/fd */
    int root;    /* "/" */
    pid_t pid;   /* whose /proc/self/fd it is */
};

/* What is asked of a path: nothing but looking, or a set of these. */
enum { REGLET__WASI_LOOK = 0, REGLET__WASI_READ = 1 << 0, REGLET__WASI_WRITE = 1 << 1 };

/* How a path is looked up. */
enum {
    REGLET__WASI_FOLLOW = 1 << 0,  /* a symbolic link at the end is followed */
    REGLET__WASI_OPENING = 1 << 1, /* as reglet__wasi_access_to() has it */
};

/* An object that was looked at and judged. */
struct reglet__wasi_object {
    int fd; /* O_PATH; closed by reglet__wasi_object_close() */
    struct stat st;
    char path[REGLET__MAX_PATH]; /* real */
};

/* A name in a directory, judged: there may be something of that name or not. */
struct reglet__wasi_place {
    int parent; /* O_PATH; closed by reglet__wasi_place_close() */
    bool unrestricted;
    char name[REGLET__MAX_NAME + 1];    /* the last component */
    char spelled[REGLET__MAX_NAME + 2]; /* with the guest's trailing slash; the kernel knows what it means */
    char path[REGLET__MAX_PATH];        /* real path of the parent, and the name */
};

void reglet__wasi_object_close(struct reglet__wasi_object *object);
void reglet__wasi_place_close(struct reglet__wasi_place *place);
#define _cleanup_object_ _cleanup_(reglet__wasi_object_close)
#define _cleanup_place_  _cleanup_(reglet__wasi_place_close)

/* Copies a path in: 0, WASI_EFAULT, WASI_ENOENT (empty), WASI_ENAMETOOLONG, WASI_EINVAL (a NUL in it) or
 * WASI_EILSEQ (not UTF-8). */
int reglet__wasi_path_read(struct reglet__wasi *wasi, uint32_t address, uint32_t size,
                           char out[REGLET__MAX_PATH]);

/*
 * Looks up what `path` leads to from `directory` and judges it for `access`. 0; WASI_EACCES when it is
 * denied, the same whether it exists or not (then it was reported); otherwise why it cannot be had. May
 * change `path`.
 */
int reglet__wasi_look_up(struct reglet__wasi *wasi, const struct reglet__wasi_fd *directory, char *path,
                         unsigned access, unsigned flags, struct reglet__wasi_object *out);

/*
 * What is asked of an object of this type when `access` is. Opening a directory asks for a look only: it is
 * listed entry by entry. So does opening a symbolic link, which is refused, but not as a secret.
 */
unsigned reglet__wasi_access_to(mode_t mode, unsigned access, unsigned flags);

/* Looks up the parent of `path` and judges its last component for `access`, as above. */
int reglet__wasi_look_up_place(struct reglet__wasi *wasi, const struct reglet__wasi_fd *directory, char *path,
                               unsigned access, struct reglet__wasi_place *out);

/* Judges what a descriptor of the guest has open, anew, by its path of this moment. out->fd stays -1. */
int reglet__wasi_judge_fd(struct reglet__wasi *wasi, const struct reglet__wasi_fd *fd, unsigned access,
                          struct reglet__wasi_object *out);

/* How something is opened: as path_open() has it. */
struct reglet__wasi_mode {
    uint32_t oflags;
    uint64_t rights;
    uint32_t fdflags;
};

/* Opens what a path leads to, as path_open() does, but for the caller: *fd is the host's descriptor, O_PATH for a
 * directory. */
int reglet__wasi_open(struct reglet__wasi *wasi, const struct reglet__wasi_fd *directory, const char *path,
                      const struct reglet__wasi_mode *mode, int *fd);

/* Whether path_open() would open this very object for reading: it is opened, and closed again. May use the object up. */
bool reglet__wasi_can_read(struct reglet__wasi *wasi, const struct reglet__wasi_fd *directory,
                           struct reglet__wasi_object *object);

/* Opens the very object that an O_PATH descriptor holds: a descriptor, or -1 with errno. */
int reglet__wasi_reopen(struct reglet__wasi *wasi, int fd, int flags);

/* Sets the times of the very object that a descriptor holds, a symbolic link included: 0 or an errno. */
int reglet__wasi_set_times(struct reglet__wasi *wasi, int fd, const struct timespec times[2]);

/*
 * Judges a real path: 0, or WASI_EACCES, reported. `type`: the object's S_IFMT bits, or 0 when there is or
 * need be nothing. Nothing is asked below an unrestricted preopen: see reglet__wasi_judge_kept().
 */
int reglet__wasi_judge(struct reglet__wasi *wasi, bool unrestricted, unsigned access, const char *path,
                       mode_t type);

/* The same for looking at a directory that a path leaves by "..": only a refusal is told of. */
int reglet__wasi_judge_way(struct reglet__wasi *wasi, const char *path);

/*
 * Judges a real path below an unrestricted preopen, where everything is allowed but what the policy protects.
 * `by_name`: the name is to be made, moved or removed.
 */
int reglet__wasi_judge_kept(struct reglet__wasi *wasi, unsigned access, const char *path, bool by_name);

/* Reports a refusal for another reason than a missing grant, and returns WASI_EACCES. */
int reglet__wasi_refuse(struct reglet__wasi *wasi, unsigned access, const char *path, const char *reason);

/* Returns a decision as 0 or WASI_EACCES, reported as `access` to `path`. */
int reglet__wasi_obey(struct reglet__wasi *wasi, const struct reglet__decision *decision, unsigned access,
                      const char *path);

/* Writes the name of a descriptor below /proc/self/fd. */
void reglet__wasi_proc_name(int fd, char out[16]);

/* The real path of a descriptor as the kernel gives it now: 0, or an errno of the host. */
int reglet__wasi_real_path(const struct reglet__wasi_host *host, int fd, char out[REGLET__MAX_PATH]);

/*
 * Walks `path` from `base` as the kernel would, one component at a time, to learn what the guest may be told
 * (explain.c): WASI_EACCES, reported, where a directory that is left by ".." may not be looked at, or where
 * the object that is there, or would be there, may not be accessed; otherwise `why`, or what stopped the
 * walk. With `why` 0 only the ".." are judged: 0 when they pass, whether there is an object or not.
 */
int reglet__wasi_explain(struct reglet__wasi *wasi, int base, const char *path, unsigned access,
                         unsigned flags, int why);

#endif
