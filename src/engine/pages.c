#define _GNU_SOURCE
#include "engine/pages.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

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

static int pagemap = -1;
static pid_t pagemap_owner;

static void open_pagemap(void) {
    struct page_range range;
    struct scan nothing = {.size = sizeof nothing, .ranges = (uintptr_t)&range, .range_count = 1};
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (ioctl(fd, PAGEMAP_SCAN_, &nothing) < 0) {
        close(fd);
        return;
    }
    pagemap = fd;
    pagemap_owner = getpid();
}

bool reglet__memory_scans(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (REGLET__NO_SCAN)
        return false;
    pthread_once(&once, open_pagemap);
    return pagemap >= 0 && pagemap_owner == getpid();
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
        int found = ioctl(pagemap, PAGEMAP_SCAN_, &scan);
        if (found < 0 || scan.walk_end <= at)
            return false;
        for (int i = 0; i < found; i++)
            if (!take(user_data, (size_t)(ranges[i].start - base), (size_t)(ranges[i].end - ranges[i].start)))
                return false;
        at = scan.walk_end;
    }
    return true;
}
