#define _GNU_SOURCE
#include "host/exec_find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "util/sys.h"
#include "wasi/resolve.h"

void reglet__exec_file_close(struct reglet__exec_file *file) {
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

/* --- Objects ---------------------------------------------------------------------------------------------- */

/* Opens for looking. Magic links (/proc/self/exe, /proc/1/root) are never followed: they are no names of files. */
static int open_object(int directory, const char *path, uint64_t flags) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags, .resolve = RESOLVE_NO_MAGICLINKS};
    return reglet__sys_openat2(directory, path, &how);
}

/* The real path of an object, which must be its name at this moment: not of one that was removed or cannot be reached. */
static int real_path(int fd, char out[REGLET__MAX_PATH]) {
    const struct reglet__wasi_host *host = NULL;
    struct stat held, named;
    if (reglet__wasi_host_get(&host, NULL) != REGLET_OK)
        return ENOSYS;
    int error = reglet__wasi_real_path(host, fd, out);
    if (error)
        return error;
    if (fstat(fd, &held) != 0 || fstatat(AT_FDCWD, out, &named, AT_SYMLINK_NOFOLLOW) != 0)
        return errno;
    return held.st_dev == named.st_dev && held.st_ino == named.st_ino ? 0 : ENOENT;
}

int reglet__exec_reopen(int fd) {
    const struct reglet__wasi_host *host = NULL;
    char name[16];
    if (reglet__wasi_host_get(&host, NULL) != REGLET_OK) {
        errno = ENOSYS;
        return -1;
    }
    reglet__wasi_proc_name(fd, name);
    return reglet__sys_openat(host->proc_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0);
}

/* --- Absolute paths --------------------------------------------------------------------------------------- */

/*
 * Copies an absolute path without ".", ".." and "//", by its text alone. The kernel would look at what stands before a
 * "..", and so tell whether /secret is there by whether /secret/../bin/ls is.
 */
static int tidy(const char *path, char out[REGLET__MAX_PATH]) {
    size_t size = 0;
    if (strlen(path) >= REGLET__MAX_PATH)
        return ENAMETOOLONG;
    while (*path) {
        size_t length = strcspn(path, "/");
        if (length == 2 && memcmp(path, "..", 2) == 0) {
            while (size > 0 && out[--size] != '/')
                continue;
        } else if (length > 1 || (length == 1 && *path != '.')) {
            out[size++] = '/';
            memcpy(out + size, path, length);
            size += length;
        }
        path += length + (path[length] == '/');
    }
    out[size] = '\0';
    return size > 0 ? 0 : EISDIR;
}

/* Splits "/a/b" into its directory and "b", which stays where it is. */
static const char *split(const char *path, char directory[REGLET__MAX_PATH]) {
    const char *name = strrchr(path, '/') + 1;
    size_t size = (size_t)(name - path);
    memcpy(directory, path, size);
    directory[size] = '\0';
    return name;
}

/* Puts the directory's real path before the name. */
static int place_of(int parent, const char *name, char out[REGLET__MAX_PATH]) {
    int error = real_path(parent, out);
    if (error)
        return error;
    size_t size = strcmp(out, "/") == 0 ? 0 : strlen(out);
    if (size + 1 + strlen(name) >= REGLET__MAX_PATH)
        return ENAMETOOLONG;
    out[size] = '/';
    strcpy(out + size + 1, name);
    return 0;
}

static int find_path(const char *asked, struct reglet__exec_file *out) {
    char path[REGLET__MAX_PATH], directory[REGLET__MAX_PATH];
    out->place[0] = out->file[0] = '\0';
    int error = tidy(asked, path);
    if (error)
        return error;
    strcpy(out->place, path);
    strcpy(out->file, path);
    const char *name = split(path, directory);
    _cleanup_fd_ int parent = open_object(AT_FDCWD, directory, O_DIRECTORY);
    if (parent < 0)
        return errno;
    error = place_of(parent, name, out->place);
    if (error) {
        strcpy(out->place, path);
        return error;
    }
    strcpy(out->file, out->place);
    _cleanup_fd_ int fd = open_object(parent, name, 0);
    if (fd < 0)
        return errno;
    error = real_path(fd, out->file);
    if (error) {
        strcpy(out->file, out->place);
        return error;
    }
    out->fd = take_fd(fd);
    return 0;
}

/* --- Bare names ------------------------------------------------------------------------------------------- */

static const char *find_variable(const char *name, const char *const *environment, size_t count) {
    size_t size = strlen(name);
    for (size_t i = 0; i < count; i++)
        if (strncmp(environment[i], name, size) == 0 && environment[i][size] == '=')
            return environment[i] + size + 1;
    return NULL;
}

static bool is_executable(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
           faccessat(fd, "", X_OK, AT_EACCESS | AT_EMPTY_PATH) == 0;
}

/* Entries that are empty or relative mean the working directory, where anybody may have put anything. */
static int find_name(const char *name, const char *search, struct reglet__exec_file *out) {
    char path[REGLET__MAX_PATH];
    for (const char *at = search; at && *at;) {
        size_t size = strcspn(at, ":");
        int length = *at == '/' ? snprintf(path, sizeof path, "%.*s/%s", (int)size, at, name) : 0;
        if (length > 0 && (size_t)length < sizeof path && find_path(path, out) == 0) {
            if (is_executable(out->fd))
                return 0;
            reglet__exec_file_close(out);
        }
        at += size + (at[size] == ':');
    }
    out->place[0] = out->file[0] = '\0';
    return ENOENT;
}

int reglet__exec_find(const char *asked, const char *const *environment, size_t count,
                      struct reglet__exec_file *out) {
    out->fd = -1;
    if (asked[0] != '/')
        return find_name(asked, find_variable("PATH", environment, count), out);
    int error = find_path(asked, out);
    return error || is_executable(out->fd) ? error : EACCES;
}

/* --- Grants ----------------------------------------------------------------------------------------------- */

/* The place and file of a program, or twice the directory of all that is in it. False when it stays as it is written. */
static bool resolve(const char *path, bool is_directory, struct reglet__exec_file *out) {
    if (!is_directory) {
        find_path(path, out);
        return out->place[0] != '\0';
    }
    _cleanup_fd_ int fd = open_object(AT_FDCWD, path, O_DIRECTORY);
    if (fd < 0 || real_path(fd, out->place) != 0)
        return false;
    strcpy(out->file, out->place);
    return true;
}

reglet_status reglet__exec_resolve_grant(struct reglet__capability *capability) {
    _cleanup_exec_file_ struct reglet__exec_file found = REGLET__EXEC_FILE_INIT;
    const char *path = reglet__capability_exec_path(capability);
    const char *text = reglet__capability_text(capability);
    bool is_directory = text[strlen(text) - 1] == '*';
    return path && resolve(path, is_directory, &found)
               ? reglet__capability_exec_resolve(capability, found.place, found.file)
               : REGLET_OK;
}

reglet_status reglet__exec_resolve_pin(struct reglet__command_pin *pin) {
    _cleanup_exec_file_ struct reglet__exec_file found = REGLET__EXEC_FILE_INIT;
    const char *path = reglet__command_pin_path(pin);
    return path && resolve(path, false, &found) ? reglet__command_pin_resolve(pin, found.place, found.file)
                                                : REGLET_OK;
}
