/*
 * libc_check DIRECTORY - what programs expect of a C library, on the host's preview1: each check prints its name and "ok" or
 * what was wrong. The directory must be empty, and may be written to. Exit code: the number of failures.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#undef lseek /* a macro in wasi-libc, which hides the call under test from some of its uses */

static int failures;

#define CHECK(condition) check((condition), #condition, __LINE__)

static void check(int holds, const char *what, int line) {
    if (holds)
        return;
    failures++;
    printf("  line %d: %s (errno %d, %s)\n", line, what, errno, strerror(errno));
}

/* Whether a file's whole content is `expected`. */
static int holds(const char *path, const char *expected) {
    char content[256] = {0};
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    size_t size = fread(content, 1, sizeof content - 1, file);
    fclose(file);
    return size == strlen(expected) && memcmp(content, expected, size) == 0;
}

static int write_with(const char *path, const char *mode, const char *text) {
    FILE *file = fopen(path, mode);
    if (!file)
        return -1;
    int result = fputs(text, file);
    return fclose(file) == 0 ? result : -1;
}

static void check_fopen_modes(void) {
    CHECK(fopen("modes", "r") == NULL && errno == ENOENT);
    CHECK(write_with("modes", "w", "one") >= 0 && holds("modes", "one"));
    CHECK(write_with("modes", "a", "two") >= 0 && holds("modes", "onetwo"));
    CHECK(write_with("modes", "r+", "ON") >= 0 && holds("modes", "ONetwo"));
    CHECK(fopen("modes", "wx") == NULL && errno == EEXIST);
    CHECK(write_with("modes", "w+", "new") >= 0 && holds("modes", "new"));
    FILE *file = fopen("modes", "a+");
    char start[4] = {0};
    CHECK(file && fseek(file, 0, SEEK_SET) == 0 && fread(start, 1, 3, file) == 3 &&
          strcmp(start, "new") == 0);
    CHECK(file && fseek(file, 0, SEEK_SET) == 0 && fputs("er", file) >= 0 && fclose(file) == 0);
    CHECK(holds("modes", "newer"));
    file = fopen("modes", "r");
    CHECK(file && (fputs("no", file) < 0 || fflush(file) != 0));
    if (file)
        fclose(file);
    CHECK(unlink("modes") == 0);
}

static void check_descriptors(void) {
    int fd = open("fd", O_RDWR | O_CREAT | O_EXCL, 0600);
    char buffer[16] = {0};
    CHECK(fd >= 0);
    CHECK(open("fd", O_WRONLY | O_CREAT | O_EXCL, 0600) == -1 && errno == EEXIST);
    CHECK(write(fd, "0123456789", 10) == 10);
    CHECK(lseek(fd, -4, SEEK_END) == 6 && read(fd, buffer, 16) == 4 && strcmp(buffer, "6789") == 0);
    CHECK(read(fd, buffer, 16) == 0);
    CHECK(pread(fd, buffer, 2, 3) == 2 && memcmp(buffer, "34", 2) == 0 && lseek(fd, 0, SEEK_CUR) == 10);
    CHECK(pwrite(fd, "xy", 2, 1) == 2 && lseek(fd, 0, SEEK_CUR) == 10);
    CHECK(lseek(fd, -1, SEEK_SET) == -1 && errno == EINVAL);
    CHECK(lseek(fd, 20, SEEK_SET) == 20 && write(fd, "z", 1) == 1);
    struct stat status;
    CHECK(fstat(fd, &status) == 0 && status.st_size == 21 && S_ISREG(status.st_mode));
    CHECK(ftruncate(fd, 3) == 0 && holds("fd", "0xy"));
    CHECK(ftruncate(fd, 5) == 0 && fstat(fd, &status) == 0 && status.st_size == 5);
    CHECK(posix_fallocate(fd, 0, 100) == 0 && fstat(fd, &status) == 0 && status.st_size == 100);
    CHECK(fsync(fd) == 0 && fdatasync(fd) == 0);
    CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
    CHECK(fcntl(fd, F_SETFL, O_APPEND) == 0 && (fcntl(fd, F_GETFL) & O_APPEND));
    CHECK(close(fd) == 0 && close(fd) == -1 && errno == EBADF);
    CHECK(read(fd, buffer, 1) == -1 && errno == EBADF);
    fd = open("fd", O_RDONLY);
    CHECK(write(fd, "x", 1) == -1 && (errno == EBADF || errno == ENOTCAPABLE));
    CHECK(close(fd) == 0 && unlink("fd") == 0);
}

/* Every entry but "." and "..", which a host may answer or not. */
static struct dirent *next_entry(DIR *dir) {
    struct dirent *entry;
    do {
        entry = readdir(dir);
    } while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry;
}

static void check_directories(void) {
    CHECK(mkdir("dir", 0755) == 0 && mkdir("dir", 0755) == -1 && errno == EEXIST);
    CHECK(write_with("dir/a", "w", "a") >= 0 && write_with("dir/b", "w", "b") >= 0 &&
          write_with("dir/c", "w", "c") >= 0);
    CHECK(mkdir("dir/sub", 0755) == 0);
    CHECK(rmdir("dir") == -1 && errno == ENOTEMPTY);
    CHECK(unlink("dir/sub") == -1 && (errno == EISDIR || errno == EPERM));
    CHECK(rmdir("dir/a") == -1 && errno == ENOTDIR);
    DIR *dir = opendir("dir");
    CHECK(dir != NULL);
    int count = 0;
    for (struct dirent *entry; dir && (entry = next_entry(dir)) != NULL; count++)
        CHECK(strcmp(entry->d_name, "sub") == 0 ? entry->d_type == DT_DIR : entry->d_type == DT_REG);
    CHECK(count == 4);
    if (dir) {
        rewinddir(dir);
        CHECK(next_entry(dir) != NULL && closedir(dir) == 0);
    }
    CHECK(unlink("dir/a") == 0 && unlink("dir/b") == 0 && unlink("dir/c") == 0 && rmdir("dir/sub") == 0);
    CHECK(rmdir("dir") == 0);
    CHECK(opendir("dir") == NULL && errno == ENOENT);
}

/* Places in a directory are longs, of 32 bits here: a host whose cookies are longer loses them on the way. */
static void check_seekdir(void) {
    char names[4][16] = {{0}}, path[32];
    long places[4] = {0};
    CHECK(mkdir("seek", 0755) == 0);
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "seek/%c", 'a' + i);
        CHECK(write_with(path, "w", "x") >= 0);
    }
    DIR *dir = opendir("seek");
    CHECK(dir != NULL);
    for (int i = 0; dir && i < 4; i++) {
        places[i] = telldir(dir);
        struct dirent *entry = next_entry(dir);
        snprintf(names[i], sizeof names[i], "%s", entry ? entry->d_name : "");
    }
    for (int i = 3; dir && i >= 0; i--) {
        seekdir(dir, places[i]);
        struct dirent *entry = next_entry(dir);
        CHECK(entry && strcmp(entry->d_name, names[i]) == 0);
    }
    if (dir)
        closedir(dir);
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "seek/%c", 'a' + i);
        CHECK(unlink(path) == 0);
    }
    CHECK(rmdir("seek") == 0);
}

/* More entries than one call of the host answers. */
static void check_large_directory(void) {
    enum { COUNT = 500 };
    char name[64];
    static int seen[COUNT];
    int extra = 0, number;
    CHECK(mkdir("large", 0755) == 0);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "large/an entry with a rather long name %d", i);
        CHECK(write_with(name, "w", "") >= 0);
    }
    DIR *dir = opendir("large");
    for (struct dirent *entry; dir && (entry = next_entry(dir)) != NULL;)
        if (sscanf(entry->d_name, "an entry with a rather long name %d", &number) == 1 && number < COUNT)
            seen[number]++;
        else
            extra++;
    if (dir)
        closedir(dir);
    CHECK(extra == 0);
    for (int i = 0; i < COUNT; i++) {
        CHECK(seen[i] == 1);
        snprintf(name, sizeof name, "large/an entry with a rather long name %d", i);
        CHECK(unlink(name) == 0);
    }
    CHECK(rmdir("large") == 0);
}

static void check_names(void) {
    struct stat one, other;
    char target[64] = {0};
    CHECK(write_with("one", "w", "1") >= 0 && write_with("two", "w", "22") >= 0);
    CHECK(rename("one", "two") == 0 && holds("two", "1"));
    CHECK(stat("one", &one) == -1 && errno == ENOENT);
    CHECK(rename("one", "three") == -1 && errno == ENOENT);
    CHECK(link("two", "hard") == 0 && stat("two", &one) == 0 && stat("hard", &other) == 0);
    CHECK(one.st_ino == other.st_ino && one.st_nlink == 2);
    CHECK(symlink("two", "soft") == 0 && readlink("soft", target, sizeof target) == 3 &&
          strcmp(target, "two") == 0);
    CHECK(lstat("soft", &other) == 0 && S_ISLNK(other.st_mode));
    CHECK(stat("soft", &other) == 0 && S_ISREG(other.st_mode) && other.st_ino == one.st_ino);
    CHECK(open("soft", O_RDONLY | O_NOFOLLOW) == -1 && errno == ELOOP);
    CHECK(open("two", O_RDONLY | O_DIRECTORY) == -1 && errno == ENOTDIR);
    CHECK(open("two/below", O_RDONLY) == -1 && errno == ENOTDIR);
    CHECK(symlink("loop", "loop") == 0 && open("loop", O_RDONLY) == -1 && errno == ELOOP);
    CHECK(access("two", R_OK) == 0 && access("none", F_OK) == -1);
    CHECK(unlink("loop") == 0 && unlink("soft") == 0 && unlink("hard") == 0 && unlink("two") == 0);
}

static void check_times(void) {
    struct stat status;
    const struct timespec times[2] = {{1000000000, 0}, {1234567890, 500000000}};
    CHECK(write_with("times", "w", "t") >= 0);
    CHECK(utimensat(AT_FDCWD, "times", times, 0) == 0 && stat("times", &status) == 0);
    CHECK(status.st_mtim.tv_sec == 1234567890 && status.st_mtim.tv_nsec == 500000000);
    CHECK(status.st_atim.tv_sec == 1000000000);
    /* wasi-libc knows UTIME_OMIT in the first of the two only. */
    const struct timespec omit[2] = {{0, UTIME_OMIT}, {5, 0}};
    int fd = open("times", O_RDWR);
    CHECK(futimens(fd, omit) == 0 && fstat(fd, &status) == 0);
    CHECK(status.st_atim.tv_sec == 1000000000 && status.st_mtim.tv_sec == 5);
    CHECK(close(fd) == 0 && unlink("times") == 0);
}

static long elapsed_ms(const struct timespec *since) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long)((now.tv_sec - since->tv_sec) * 1000) + (now.tv_nsec - since->tv_nsec) / 1000000;
}

static void check_waiting(void) {
    struct timespec start, resolution;
    CHECK(clock_getres(CLOCK_MONOTONIC, &resolution) == 0 && resolution.tv_sec == 0);
    CHECK(clock_gettime(CLOCK_REALTIME, &start) == 0 && start.tv_sec > 1700000000);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &start) == 0);
    const struct timespec nap = {0, 30000000};
    CHECK(nanosleep(&nap, NULL) == 0 && elapsed_ms(&start) >= 29 && elapsed_ms(&start) < 5000);
    int fd = open("ready", O_RDWR | O_CREAT, 0644);
    struct pollfd waiting = {fd, POLLIN | POLLOUT, 0};
    CHECK(poll(&waiting, 1, 1000) == 1 && (waiting.revents & POLLOUT));
    fd_set writable;
    FD_ZERO(&writable);
    FD_SET(fd, &writable);
    struct timeval second = {1, 0}, blink = {0, 20000};
    CHECK(select(fd + 1, NULL, &writable, NULL, &second) == 1 && FD_ISSET(fd, &writable));
    clock_gettime(CLOCK_MONOTONIC, &start);
    CHECK(select(0, NULL, NULL, NULL, &blink) == 0 && elapsed_ms(&start) >= 19);
    CHECK(close(fd) == 0 && unlink("ready") == 0);
}

static void check_random(void) {
    unsigned char one[32] = {0}, other[32] = {0};
    CHECK(getentropy(one, sizeof one) == 0 && getentropy(other, sizeof other) == 0);
    CHECK(memcmp(one, other, sizeof one) != 0);
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(void);
    } checks[] = {
        {"fopen modes", check_fopen_modes},
        {"descriptors", check_descriptors},
        {"directories", check_directories},
        {"telldir and seekdir", check_seekdir},
        {"a large directory", check_large_directory},
        {"names and links", check_names},
        {"times", check_times},
        {"waiting", check_waiting},
        {"random", check_random},
    };
    if (count != 2 || chdir(arguments[1]) != 0) {
        fprintf(stderr, "usage: libc_check DIRECTORY (empty, and writable)\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        int before = failures;
        checks[i].run();
        printf("%s: %s\n", checks[i].name, failures == before ? "ok" : "wrong");
    }
    return failures;
}
