/* ls [DIRECTORY]… - one line an entry: type, size, modification time, name, and where a link leads. */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char letter(mode_t mode) {
    return S_ISDIR(mode) ? 'd' : S_ISLNK(mode) ? 'l' : S_ISREG(mode) ? '-' : '?';
}

static int print_entry(int dir, const char *name) {
    struct stat status;
    struct tm utc;
    char time_text[32] = "", target[4096];
    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        perror(name);
        return 1;
    }
    if (gmtime_r(&status.st_mtim.tv_sec, &utc))
        strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    printf("%c %10lld %s %s", letter(status.st_mode), (long long)status.st_size, time_text, name);
    if (S_ISLNK(status.st_mode)) {
        ssize_t size = readlinkat(dir, name, target, sizeof target);
        printf(" -> %.*s", (int)(size > 0 ? size : 0), target);
    }
    putchar('\n');
    return 0;
}

static int compare(const void *one, const void *other) {
    return strcmp(*(char *const *)one, *(char *const *)other);
}

static int list(const char *path) {
    static char *names[65536];
    size_t count = 0;
    int failures = 0;
    DIR *dir = opendir(path);
    if (!dir) {
        perror(path);
        return 1;
    }
    for (struct dirent *entry; count < sizeof names / sizeof *names && (entry = readdir(dir)) != NULL;)
        if (!(names[count++] = strdup(entry->d_name)))
            abort();
    qsort(names, count, sizeof *names, compare);
    for (size_t i = 0; i < count; i++) {
        failures += print_entry(dirfd(dir), names[i]);
        free(names[i]);
    }
    closedir(dir);
    return failures;
}

int main(int count, char **arguments) {
    int failures = count < 2 ? list(".") : 0;
    for (int i = 1; i < count; i++)
        failures += list(arguments[i]);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
