/* All files of a store: which there are, and which have to go. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/store_internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/sys.h"

/* --- Names -------------------------------------------------------------------------------------------------- */

void reglet__code_name(const struct reglet__code_key *key, char out[REGLET__CODE_NAME_SIZE]) {
    char module[65];
    reglet__sha256_to_hex(&key->module, module);
    snprintf(out, REGLET__CODE_NAME_SIZE, "%s-%016" PRIx64 ".code", module, key->engine);
}

/* Only as it is written: no capitals, nothing before or behind. */
bool reglet__code_name_parse(const char *name, struct reglet__code_key *out) {
    char module[65], again[REGLET__CODE_NAME_SIZE];
    struct reglet__code_key key;
    if (strlen(name) != REGLET__CODE_NAME_SIZE - 1)
        return false;
    memcpy(module, name, 64);
    module[64] = '\0';
    if (!reglet__sha256_from_hex(module, &key.module))
        return false;
    key.engine = strtoull(name + 65, NULL, 16);
    reglet__code_name(&key, again);
    if (strcmp(name, again) != 0)
        return false;
    *out = key;
    return true;
}

static bool is_temporary(const char *name) {
    size_t prefix = strlen(REGLET__CODE_TEMPORARY);
    return strncmp(name, REGLET__CODE_TEMPORARY, prefix) == 0 && strlen(name) == prefix + 16 &&
           strspn(name + prefix, "0123456789abcdef") == 16;
}

bool reglet__store_unlink(const struct reglet__store *store, const char *name) {
    return unlinkat(store->directory, name, 0) == 0 || errno == ENOENT ||
           unlinkat(store->directory, name, AT_REMOVEDIR) == 0;
}

/* --- Looking through the directory -------------------------------------------------------------------------- */

struct entry {
    struct reglet__stored stored;
    bool is_file; /* otherwise something else has a file's name */
};

struct listing {
    struct entry *entries;
    size_t count, room;
    uint64_t removed_files, removed_bytes;
};

static void listing_free(struct listing *listing) {
    free(listing->entries);
}

static bool add(struct listing *listing, const struct entry *entry) {
    if (listing->count == listing->room) {
        size_t room = listing->room ? 2 * listing->room : 64;
        struct entry *grown = realloc(listing->entries, room * sizeof *grown);
        if (!grown)
            return false;
        listing->entries = grown;
        listing->room = room;
    }
    listing->entries[listing->count++] = *entry;
    return true;
}

static bool remove_name(const struct reglet__store *store, struct listing *listing, const char *name,
                        uint64_t bytes) {
    if (!reglet__store_unlink(store, name))
        return false;
    listing->removed_files++;
    listing->removed_bytes += bytes;
    return true;
}

static bool remove_entry(const struct reglet__store *store, struct listing *listing,
                         const struct entry *entry) {
    char name[REGLET__CODE_NAME_SIZE];
    reglet__code_name(&entry->stored.key, name);
    return remove_name(store, listing, name, entry->stored.bytes);
}

/* Some file systems keep times that do not fit. */
static int64_t milliseconds(const struct timespec *time) {
    const int64_t most = INT64_MAX / 4000;
    int64_t seconds = time->tv_sec > most ? most : time->tv_sec < -most ? -most : time->tv_sec;
    return seconds * 1000 + time->tv_nsec / REGLET__NS_PER_MS;
}

/* Anything else is not the store's. A file that vanished meanwhile was another process's to remove. False without memory. */
static bool look_at(const struct reglet__store *store, struct listing *listing, const char *name,
                    int64_t temporary_ms) {
    struct entry entry;
    struct stat file;
    bool temporary = is_temporary(name);
    if (!temporary && !reglet__code_name_parse(name, &entry.stored.key))
        return true;
    if (fstatat(store->directory, name, &file, AT_SYMLINK_NOFOLLOW) != 0)
        return true;
    entry.is_file = S_ISREG(file.st_mode);
    entry.stored.bytes = entry.is_file ? (uint64_t)file.st_size : 0;
    entry.stored.used_ms = milliseconds(&file.st_mtim);
    if (!temporary)
        return add(listing, &entry);
    int64_t age = reglet__wall_clock() / REGLET__NS_PER_MS - entry.stored.used_ms;
    if (age > temporary_ms || age < -temporary_ms) /* a clock that was set back must not keep one for years */
        remove_name(store, listing, name, entry.stored.bytes);
    return true;
}

static int used_last_first(const void *left, const void *right) {
    const struct entry *a = left, *b = right;
    return (a->stored.used_ms < b->stored.used_ms) - (a->stored.used_ms > b->stored.used_ms);
}

/*
 * Lists the files, the one used last first, and removes what was left half written more than `temporary_ms` ago. Of a
 * directory with more than REGLET__MAX_STORE_NAMES names the rest is not looked at.
 */
static reglet_status look_through(const struct reglet__store *store, int64_t temporary_ms,
                                  struct listing *listing, reglet_error **err) {
    int fd = reglet__sys_openat(store->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    _cleanup_closed_ DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    int error = directory ? 0 : errno;
    if (!directory && fd >= 0)
        close(fd);
    for (int i = 0; directory && i < REGLET__MAX_STORE_NAMES; i++) {
        errno = 0;
        const struct dirent *name = readdir(directory);
        if (!name) {
            error = errno;
            break;
        }
        if (!look_at(store, listing, name->d_name, temporary_ms))
            return reglet__fail_memory(err);
    }
    if (error == ENOMEM)
        return reglet__fail_memory(err);
    if (error)
        return reglet__fail_errno(err, REGLET_ERR_IO, REGLET_DOMAIN_ENGINE, error, "%s cannot be listed: %s",
                                  store->path, reglet__errno_text(error));
    if (listing->count)
        qsort(listing->entries, listing->count, sizeof *listing->entries, used_last_first);
    return REGLET_OK;
}

/* From the end of the list, so the least recently used first; one that cannot be removed goes on counting. */
static void keep_most(const struct reglet__store *store, struct listing *listing, uint64_t max_bytes) {
    uint64_t total = 0;
    for (size_t i = 0; i < listing->count; i++)
        total += listing->entries[i].stored.bytes;
    for (size_t i = listing->count; i-- > 0 && total > max_bytes;)
        if (listing->entries[i].is_file && remove_entry(store, listing, &listing->entries[i]))
            total -= listing->entries[i].stored.bytes;
}

/* --- What the store offers ---------------------------------------------------------------------------------- */

static bool same_key(const struct reglet__code_key *a, const struct reglet__code_key *b) {
    return a->engine == b->engine && reglet__sha256_equal(&a->module, &b->module);
}

void reglet__store_trim(const struct reglet__store *store, const struct reglet__code_key *newest) {
    const int64_t hour_ms = INT64_C(3600) * 1000; /* nothing is written for so long */
    _cleanup_(listing_free)
    struct listing listing = {0};
    if (look_through(store, hour_ms, &listing, NULL) != REGLET_OK)
        return;
    /* Times that are in the future, or set by hand, do not count against the one that was just put. */
    for (size_t i = 0; i < listing.count; i++)
        if (same_key(&listing.entries[i].stored.key, newest))
            listing.entries[i].stored.used_ms = INT64_MAX;
    if (listing.count)
        qsort(listing.entries, listing.count, sizeof *listing.entries, used_last_first);
    keep_most(store, &listing, store->max_bytes);
}

reglet_status reglet__store_list(struct reglet__store *store,
                                 bool (*each)(void *user_data, const struct reglet__stored *stored),
                                 void *user_data, reglet_error **err) {
    _cleanup_(listing_free)
    struct listing listing = {0};
    reglet_status status = look_through(store, INT64_MAX, &listing, err);
    for (size_t i = 0; status == REGLET_OK && i < listing.count; i++)
        if (listing.entries[i].is_file && !each(user_data, &listing.entries[i].stored))
            break;
    return status;
}

static enum reglet__code_state check(const struct reglet__store *store, const struct reglet__code_key *key) {
    struct reglet__code_file file = {.fd = -1};
    struct reglet__code_fault fault;
    enum reglet__code_state state = reglet__code_open(store->directory, key, &file, &fault);
    reglet__code_file_close(&file);
    return state;
}

/* Removes what is to be dropped and what is unusable. What cannot be opened at the moment stays. */
static reglet_status sift(const struct reglet__store *store, struct listing *listing,
                          bool (*drop)(void *user_data, const struct reglet__stored *stored), void *user_data,
                          reglet_error **err) {
    size_t kept = 0;
    for (size_t i = 0; i < listing->count; i++) {
        const struct entry entry = listing->entries[i];
        bool is_dropped = drop && entry.is_file && drop(user_data, &entry.stored);
        enum reglet__code_state state = is_dropped ? REGLET__CODE_UNUSABLE : check(store, &entry.stored.key);
        if (state == REGLET__CODE_NO_MEMORY)
            return reglet__fail_memory(err);
        bool is_gone = state == REGLET__CODE_NONE ||
                       (state == REGLET__CODE_UNUSABLE && remove_entry(store, listing, &entry));
        if (!is_gone)
            listing->entries[kept++] = entry;
    }
    listing->count = kept;
    return REGLET_OK;
}

reglet_status reglet__store_prune(struct reglet__store *store, uint64_t max_bytes,
                                  bool (*drop)(void *user_data, const struct reglet__stored *stored),
                                  void *user_data, uint64_t *files, uint64_t *bytes, reglet_error **err) {
    _cleanup_(listing_free)
    struct listing listing = {0};
    reglet_status status = look_through(store, -1, &listing, err);
    if (status == REGLET_OK)
        status = sift(store, &listing, drop, user_data, err);
    if (status != REGLET_OK)
        return status;
    keep_most(store, &listing, max_bytes);
    *files = listing.removed_files;
    *bytes = listing.removed_bytes;
    return REGLET_OK;
}
