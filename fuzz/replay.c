/* Calls a fuzz target once with each file of the directories that are given. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "util/cleanup.h"

enum { INPUT_MAX = 1 << 20 };

static int cannot(const char *what, const char *path) {
    fprintf(stderr, "cannot %s %s: %s\n", what, path, strerror(errno));
    return -1;
}

static int replay_file(int directory, const char *name) {
    _cleanup_fd_ int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    _cleanup_free_ uint8_t *data = malloc(INPUT_MAX);
    size_t size = 0;
    if (fd < 0 || !data)
        return cannot("open", name);
    for (ssize_t count = 1; count > 0 && size < INPUT_MAX; size += (size_t)count) {
        count = read(fd, data + size, INPUT_MAX - size);
        if (count < 0)
            return cannot("read", name);
    }
    /* Of exactly the right size, so that AddressSanitizer sees a read past the end. */
    uint8_t *exact = realloc(data, size ? size : 1);
    if (!exact)
        return cannot("read", name);
    data = exact;
    LLVMFuzzerTestOneInput(data, size);
    return 1;
}

/* Returns how many files there were, or -1. */
static int replay_directory(const char *path) {
    _cleanup_closed_ DIR *directory = opendir(path);
    if (!directory)
        return cannot("open", path);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.')
            continue;
        int replayed = replay_file(dirfd(directory), entry->d_name);
        if (replayed < 0)
            return -1;
        count += replayed;
    }
    return count;
}

int main(int argc, char **argv) {
    int count = 0;
    for (int i = 1; i < argc; i++) {
        int replayed = replay_directory(argv[i]);
        if (replayed < 0)
            return 1;
        count += replayed;
    }
    printf("%d inputs\n", count);
    return count == 0; /* a corpus that is not found is no success */
}
