#define _GNU_SOURCE
#include "engine/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/sys.h"
#include "util/variant.h"

/* Of the kernel's interface, which older headers do not have. */
struct page_range {
    uint64_t start, end, categories;
};
struct scan {
    uint64_t size, flags, start, end, walk_end, ranges, range_count, max_pages;
    uint64_t inverted, all_of, any_of, returned;
};
enum { PAGE_FILE = 1 << 2, PAGE_PRESENT = 1 << 3, PAGE_SWAPPED = 1 << 4, PAGE_ZERO = 1 << 5 };
#define PAGEMAP_SCAN_ _IOWR('f', 16, struct scan)

enum { NOT_OPEN = -1, NONE = -2 };
static atomic_int pagemap = NOT_OPEN; /* a descriptor; NONE for good */
static pid_t pagemap_owner;

static int open_pagemap(void) {
    struct page_range range;
    struct scan nothing = {.size = sizeof nothing, .ranges = (uintptr_t)&range, .range_count = 1};
    int fd = reglet__sys_openat(AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0 && ioctl(fd, PAGEMAP_SCAN_, &nothing) >= 0)
        return fd;
    int found = reglet__errno_may_pass(errno) ? NOT_OPEN : NONE;
    if (fd >= 0)
        close(fd);
    return found;
}

/* Where it fails for want of descriptors or memory, it is tried again later. */
static int try_to_open(void) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static int64_t not_before;
    pthread_mutex_lock(&lock);
    int fd = atomic_load(&pagemap);
    if (fd == NOT_OPEN && reglet__now() >= not_before) {
        fd = open_pagemap();
        pagemap_owner = getpid();
        not_before = reglet__deadline_after_ms(REGLET__TRY_AGAIN_MS);
        atomic_store(&pagemap, fd);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

bool reglet__memory_scans(void) {
    if (REGLET__NO_SCAN)
        return false;
    int fd = atomic_load_explicit(&pagemap, memory_order_acquire);
    if (fd == NOT_OPEN)
        fd = try_to_open();
    return fd >= 0 && pagemap_owner == getpid();
}

/* What is there and belongs to no file was written; but for the one page of zeroes that is shared by all that only read. */
bool reglet__pages_written(const char *memory, size_t size,
                           bool (*take)(void *user_data, size_t offset, size_t size), void *user_data) {
    enum { RANGES = 128 };
    struct page_range ranges[RANGES];
    uint64_t base = (uintptr_t)memory, end = base + size;
    if (!reglet__memory_scans())
        return false;
    for (uint64_t at = base; at < end;) {
        struct scan scan = {.size = sizeof scan,
                            .start = at,
                            .end = end,
                            .ranges = (uintptr_t)ranges,
                            .range_count = RANGES,
                            .inverted = PAGE_FILE | PAGE_ZERO,
                            .all_of = PAGE_FILE | PAGE_ZERO,
                            .any_of = PAGE_PRESENT | PAGE_SWAPPED,
                            .returned = PAGE_PRESENT};
        int found = ioctl(atomic_load_explicit(&pagemap, memory_order_relaxed), PAGEMAP_SCAN_, &scan);
        if (found < 0 || scan.walk_end <= at)
            return false;
        for (int i = 0; i < found; i++)
            if (!take(user_data, (size_t)(ranges[i].start - base), (size_t)(ranges[i].end - ranges[i].start)))
                return false;
        at = scan.walk_end;
    }
    return true;
}
