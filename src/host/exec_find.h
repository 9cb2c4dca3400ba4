/*
 * exec_find.h - from the spelling of a command to its place and its file, and to the file itself, held by a descriptor.
 */
#ifndef REGLET_HOST_EXEC_FIND_H
#define REGLET_HOST_EXEC_FIND_H

#include "policy/policy.h"
#include "util/cleanup.h"
#include "util/limits.h"

/* What a spelling leads to. */
struct reglet__exec_file {
    int fd; /* O_PATH: the very file that is judged, and then run; -1 when there is none */
    char place[REGLET__MAX_PATH]; /* real path of its directory, and its last component */
    char file[REGLET__MAX_PATH];  /* real path of the file */
};

#define REGLET__EXEC_FILE_INIT                                                                               \
    { .fd = -1 }
void reglet__exec_file_close(struct reglet__exec_file *file);
#define _cleanup_exec_file_ _cleanup_(reglet__exec_file_close)

/*
 * Looks for a command: an absolute path, or a bare name on the PATH of `environment` ("NAME=value"). 0, or an errno of the
 * host: EACCES for what is there and is no file that may be executed. What is not there has a place and a file as well, those that it would have: so that a decision can be made about it
 * all the same, and whether it exists is told only to those who could run it. They are "" for a bare name that is not
 * found.
 */
int reglet__exec_find(const char *asked, const char *const *environment, size_t count,
                      struct reglet__exec_file *out);

/* Opens the very file that `fd` holds for reading: a descriptor, or -1 with errno. */
int reglet__exec_reopen(int fd);

/*
 * Puts what a grant or pin names at this moment into it. What does not exist stays as it is written. REGLET_ERR_NO_MEMORY.
 */
reglet_status reglet__exec_resolve_grant(struct reglet__capability *capability);
reglet_status reglet__exec_resolve_pin(struct reglet__command_pin *pin);

#endif
