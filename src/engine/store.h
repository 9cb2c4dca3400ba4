/*
 * store.h - files of compiled code in one directory. Knows nothing of what is in them.
 *
 * The engine trusts such a file: who writes one runs code here. So a file is used only from a directory that belongs to this
 * user and that nobody else may write, when the file itself belongs to this user and is closed to all others, and after a
 * checksum over all of it held: the checksum is against damage, ownership against people. Everything is relative to a descriptor
 * of that directory, which is checked again each time.
 *
 * Nothing is in the way of this user's other programs. Whoever cuts a file short that is mapped ends the process that has it
 * mapped when it reaches there (SIGBUS), and whoever writes into it changes the code that runs: the store replaces files by new
 * ones and never writes into one that has its name; others should not either.
 *
 * Several processes may use one directory at once. A file appears whole, by rename, or not at all; whatever fails leaves the
 * caller without the file, never with a wrong one.
 */
#ifndef REGLET_ENGINE_STORE_H
#define REGLET_ENGINE_STORE_H

#include <reglet/error.h>
#include <sys/uio.h>

#include "util/sha256.h"

/* Which file: whose code, and made how. A file under another name than its own is no file. */
struct reglet__code_key {
    struct reglet__sha256 module; /* of the module's bytes */
    uint64_t engine; /* hash of the engine's version and settings, the compiler and the CPU's features */
};

/* Thread safe; its functions may be called from any number of threads. */
struct reglet__store;

/*
 * Opens the directory, and makes it (0700) with its parents where it is missing. Links on the way are followed where only this
 * user or root can have put them; the directory's own parent belongs to one of them. INVALID_ARGUMENT: the path is not absolute.
 * IO, with one line that says what is wrong with it (whose it is, who may write it, that it cannot be made) and what would be
 * right. NO_MEMORY. `max_bytes`: of all files together.
 */
reglet_status reglet__store_open(const char *directory, uint64_t max_bytes, struct reglet__store **out,
                                 reglet_error **err);
void reglet__store_free(struct reglet__store *store);

/* Whether code can be mapped from there. IO: not from a file system that is mounted noexec. */
reglet_status reglet__store_check_exec(const struct reglet__store *store, reglet_error **err);

/* The directory's absolute path, as it was given. Borrowed. */
const char *reglet__store_path(const struct reglet__store *store);

/* A file that was found: mapped for reading, whole and unaltered. */
struct reglet__code_file {
    int fd; /* open for reading; the content begins at offset 0, and something of the store's follows it */
    const void *bytes; /* the content, without what the store adds after it */
    size_t size;
    size_t mapped; /* the store's own */
};

/*
 * Finds a file and notes that it was used. OK with out->fd == -1: there is none. IO, with what is wrong, for one that is there
 * but cannot be used (damaged, somebody else's, a link, …): it is removed where that is possible, so that it can be replaced;
 * also when the directory may not be trusted any more. NO_MEMORY. `out` is untouched where the answer is not OK.
 */
reglet_status reglet__store_get(struct reglet__store *store, const struct reglet__code_key *key,
                                struct reglet__code_file *out, reglet_error **err);

/* Closes and unmaps, and sets fd to -1. */
void reglet__code_file_close(struct reglet__code_file *file);

/*
 * Puts a file there: written under a temporary name, synced, renamed. Replaces one of the same key. Afterwards the files used
 * least recently are removed until all together have at most max_bytes, and what was left half written more than an hour ago.
 * IO, and nothing changed: it cannot be written, or would be larger than max_bytes or RLIMIT_FSIZE. NO_MEMORY.
 */
reglet_status reglet__store_put(struct reglet__store *store, const struct reglet__code_key *key,
                                const struct iovec *parts, size_t part_count, reglet_error **err);

/* One file of the store, for lists. */
struct reglet__stored {
    struct reglet__code_key key;
    uint64_t bytes;
    int64_t used_ms; /* when it was used last, in milliseconds since 1970 */
};

/* Calls `each` for every file, the one used last first, until it returns false. IO, NO_MEMORY. */
reglet_status reglet__store_list(struct reglet__store *store,
                                 bool (*each)(void *user_data, const struct reglet__stored *stored),
                                 void *user_data, reglet_error **err);

/*
 * Removes what `drop` says (NULL: nothing), every file that cannot be used, what processes that were killed left half written
 * (and what others are writing just now: their put answers IO), and then the files used least recently until at most max_bytes
 * are left. Answers how many files and bytes went. What has no name of the store's is somebody else's and stays. IO, NO_MEMORY:
 * nothing is answered, and some may be gone.
 */
reglet_status reglet__store_prune(struct reglet__store *store, uint64_t max_bytes,
                                  bool (*drop)(void *user_data, const struct reglet__stored *stored),
                                  void *user_data, uint64_t *files, uint64_t *bytes, reglet_error **err);

#endif
