/*
 * store_internal.h - what the store's own files share: what is in one file of code, and how files are called.
 */
#ifndef REGLET_ENGINE_STORE_INTERNAL_H
#define REGLET_ENGINE_STORE_INTERNAL_H

#include "engine/store.h"

/* Never changes, so that neither threads nor a process that forks need a lock. */
struct reglet__store {
    int directory;
    char *path;
    uint64_t max_bytes;
};

/* --- Names: 64 digits of the module, "-", 16 digits of the engine, ".code" (store_list.c) ------------------- */

enum { REGLET__CODE_NAME_SIZE = 64 + 1 + 16 + sizeof ".code" };

void reglet__code_name(const struct reglet__code_key *key, char out[REGLET__CODE_NAME_SIZE]);
bool reglet__code_name_parse(const char *name, struct reglet__code_key *out);

/* What a file is called while it is written: this, and 16 digits. */
#define REGLET__CODE_TEMPORARY ".tmp-"

/* --- One file (store_file.c) -------------------------------------------------------------------------------- */

/* What is wrong with a file: the end of a message that began with its name. */
struct reglet__code_fault {
    int error_number; /* 0: nothing that the system said */
    char text[160];
};

enum reglet__code_state {
    REGLET__CODE_SOUND,
    REGLET__CODE_NONE,     /* there is no such file */
    REGLET__CODE_UNUSABLE, /* and never will be: it should go */
    REGLET__CODE_FAILED,   /* it could not be looked at, this time */
    REGLET__CODE_NO_MEMORY
};

/* Opens a file and checks all of it: whose it is, what it says about itself, its checksum. On SOUND `out` has everything but
 * the mapping; otherwise it is untouched, and `fault` says why. */
enum reglet__code_state reglet__code_open(int directory, const struct reglet__code_key *key,
                                          struct reglet__code_file *out, struct reglet__code_fault *fault);

/* Bytes of the file that the parts make. */
uint64_t reglet__code_size(const struct iovec *parts, size_t part_count);

/* Writes and syncs the whole file. Returns 0 or an errno. */
int reglet__code_write(int fd, const struct reglet__code_key *key, const struct iovec *parts,
                       size_t part_count);

/* --- All files (store_list.c) -------------------------------------------------------------------------------- */

/* Removes a name, be it a file's or that of an empty directory. */
bool reglet__store_unlink(const struct reglet__store *store, const char *name);

/* Removes the files used least recently, `newest` being the last of all to go, and what was left half written long ago. */
void reglet__store_trim(const struct reglet__store *store, const struct reglet__code_key *newest);

#endif
