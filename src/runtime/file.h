/*
 * file.h - a module's file. Its hash says which module it is, and may be all that is needed: code that was compiled before is
 * found by it. Whoever needs the bytes reads them into memory, where nobody can change them, and compares the hash.
 */
#ifndef REGLET_RUNTIME_FILE_H
#define REGLET_RUNTIME_FILE_H

#include <reglet/error.h>

#include "util/blob.h"
#include "util/sha256.h"

/* Opens a regular file. IO. */
reglet_status reglet__module_file_open(const char *path, int *fd, uint64_t *size, reglet_error **err);

/* IO; NO_MEMORY. */
reglet_status reglet__module_file_hash(int fd, const char *path, uint64_t size, struct reglet__sha256 *out,
                                       reglet_error **err);

/* The bytes that had this hash. IO: also when the file has others by now. NO_MEMORY. */
reglet_status reglet__module_file_read(int fd, uint64_t size, const struct reglet__sha256 *hash,
                                       struct reglet__blob **out, reglet_error **err);

#endif
