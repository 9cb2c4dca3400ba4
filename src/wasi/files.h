/*
 * files.h - files by an absolute path, for callers that are not functions of preview1: resolved, judged, opened and reported
 * by the same code.
 *
 * All but reglet__wasi_ask() return 0, an errno of the host (EACCES when it is denied, whether the file exists or not), or
 * REGLET__WASI_ENDED: the call's deadline, its token or its quota of open files ended it, which was noted.
 */
#ifndef REGLET_WASI_FILES_H
#define REGLET_WASI_FILES_H

#include <sys/stat.h>

#include "wasi/wasi.h"

enum { REGLET__WASI_ENDED = -1 };

/* Opens a file for reading. */
int reglet__wasi_open_to_read(struct reglet__wasi *wasi, struct reglet__guest *guest, const char *path,
                              int *fd);

enum reglet__wasi_write { REGLET__WASI_CREATE, REGLET__WASI_TRUNCATE, REGLET__WASI_APPEND };

/*
 * Opens a file for writing. CREATE: it must not exist (EEXIST); TRUNCATE: it is made, or emptied; APPEND: it is made, or
 * what is written goes to its end.
 */
int reglet__wasi_open_to_write(struct reglet__wasi *wasi, struct reglet__guest *guest, const char *path,
                               enum reglet__wasi_write how, int *fd);

/* Reads from `offset` on until `size` bytes are there or the file ends. */
int reglet__wasi_read_at(struct reglet__wasi *wasi, int fd, void *out, size_t size, uint64_t offset,
                         size_t *count);

/* Writes all, where the descriptor stands. EFBIG where the process may not let a file grow that far; *count is what was
 * written, also then. */
int reglet__wasi_write_all(struct reglet__wasi *wasi, int fd, const void *data, size_t size, size_t *count);

/*
 * Looks at what is there. A directory's size and links are told as preview1 tells them. `target` receives where a symbolic
 * link leads, when it is one and not followed; else "". `readable`, unless it is NULL: whether it is a file or a directory
 * that can be opened for reading, which is judged, and reported, as if it were.
 */
int reglet__wasi_stat(struct reglet__wasi *wasi, struct reglet__guest *guest, const char *path, bool follow,
                      struct stat *st, char target[4096], bool *readable);

/*
 * What would be decided on reading a file, or writing or making it; nothing is opened or reported. *grant: what would allow
 * it, or NULL; to be freed with free(). UNSUPPORTED where files cannot be judged at all; INVALID_ARGUMENT for a path that
 * is none; NO_MEMORY.
 */
reglet_status reglet__wasi_ask(const struct reglet__wasi_host *host, const struct reglet__policy *policy,
                               enum reglet__fs_access access, const char *path, struct reglet__decision *out,
                               char **grant, reglet_error **err);

#endif
