/*
 * files.h - files by an absolute path, for callers that are not functions of preview1: judged and opened by the same code,
 * with the same answers and the same reports.
 *
 * All return 0, an errno of the host (EACCES when it is denied, whether the file exists or not: then it was reported), or
 * REGLET__WASI_ENDED when the call's deadline or token says so.
 */
#ifndef REGLET_WASI_FILES_H
#define REGLET_WASI_FILES_H

#include <sys/stat.h>

#include "wasi/wasi.h"

enum { REGLET__WASI_ENDED = -1 };

/* Opens a regular file for reading. */
int reglet__wasi_open_to_read(struct reglet__wasi *wasi, struct reglet__guest *guest, const char *path,
                              int *fd);

enum reglet__wasi_write { REGLET__WASI_CREATE, REGLET__WASI_TRUNCATE, REGLET__WASI_APPEND };

/*
 * Opens a regular file for writing. CREATE: it must not exist (EEXIST); TRUNCATE: it is made, or emptied; APPEND: it is
 * made, or what is written goes to its end.
 */
int reglet__wasi_open_to_write(struct reglet__wasi *wasi, struct reglet__guest *guest, const char *path,
                               enum reglet__wasi_write how, int *fd);

/* Looks at what is there. `target` receives where a symbolic link leads, when it is one that is not followed; else "". */
int reglet__wasi_stat(struct reglet__wasi *wasi, struct reglet__guest *guest, const char *path, bool follow,
                      struct stat *st, char target[4096]);

/*
 * What would be decided on reading (or writing, creating) a path, without opening it. Nothing is reported. REGLET_OK with
 * *out; REGLET_ERR_TIMEOUT, REGLET_ERR_CANCELLED; REGLET_ERR_UNSUPPORTED where files cannot be judged; REGLET_ERR_NO_MEMORY.
 */
reglet_status reglet__wasi_ask(const struct reglet__wasi_options *options,
                               const struct reglet__interrupt *interrupt, enum reglet__fs_access access,
                               const char *path, struct reglet__decision *out, reglet_error **err);

#endif
