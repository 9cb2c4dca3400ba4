#define _GNU_SOURCE
#include "engine/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/fail.h"
#include "util/tsan.h"

struct slot {
    struct reglet__image *image; /* referenced; NULL: zeroes */
    char *base;
    size_t reserved; /* addresses that can become memory */
    size_t guard;    /* behind them, never accessible */
    size_t size;     /* memory now */
};

static _Thread_local struct reglet__image *wish;

void reglet__memory_wish(struct reglet__image *image) {
    wish = image;
}

/* Not executable for good, where the kernel knows that (6.3); some are set up to refuse anything else. */
static int memory_file(void) {
    enum { NOEXEC_SEAL = 8 };
    int fd = memfd_create("reglet-image", MFD_CLOEXEC | MFD_ALLOW_SEALING | NOEXEC_SEAL);
    return fd >= 0 || errno != EINVAL ? fd : memfd_create("reglet-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

/* --- Images ----------------------------------------------------------------------------------------------- */

/* The kernel would end the process for a file that is larger than its limit (SIGXFSZ). */
size_t reglet__image_most(void) {
    struct rlimit files;
    bool less = getrlimit(RLIMIT_FSIZE, &files) == 0 && files.rlim_cur < REGLET__MAX_IMAGE_BYTES;
    return less ? (size_t)files.rlim_cur : REGLET__MAX_IMAGE_BYTES;
}

reglet_status reglet__image_new(size_t size, struct reglet__image **out, reglet_error **err) {
    struct reglet__image *image = calloc(1, sizeof *image);
    if (!image)
        return reglet__fail_memory(err);
    atomic_init(&image->references, 1);
    image->size = size;
    image->fd = memory_file();
    void *bytes = MAP_FAILED;
    if (image->fd >= 0 && ftruncate(image->fd, (off_t)size) == 0)
        bytes = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE, MAP_SHARED, image->fd, 0);
    if (bytes != MAP_FAILED) {
        image->bytes = bytes;
        *out = image;
        return REGLET_OK;
    }
    int reason = errno;
    reglet__image_unref(image);
    return reglet__fail_errno(err, reason == ENOMEM ? REGLET_ERR_NO_MEMORY : REGLET_ERR_IO,
                              REGLET_DOMAIN_ENGINE, reason, "no memory image can be made: %s",
                              reglet__errno_text(reason));
}

/* Nobody can write it any more: what instances share stays what it is, whatever happens to this process. */
reglet_status reglet__image_seal(struct reglet__image *image, reglet_error **err) {
    munmap(take_ptr(image->bytes), image->size ? image->size : 1);
    fcntl(image->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    void *bytes = mmap(NULL, image->size ? image->size : 1, PROT_READ, MAP_SHARED, image->fd, 0);
    if (bytes == MAP_FAILED)
        return reglet__fail(err, REGLET_ERR_NO_MEMORY, REGLET_DOMAIN_ENGINE,
                            "no addresses for a memory image");
    image->bytes = bytes;
    return REGLET_OK;
}

struct reglet__image *reglet__image_ref(struct reglet__image *image) {
    if (image)
        atomic_fetch_add_explicit(&image->references, 1, memory_order_relaxed);
    return image;
}

static void unmap(struct slot *slot) {
    munmap(slot->base, slot->reserved + slot->guard);
    free(slot);
}

/* Idle slots hold no reference: the last one who has an image frees them with it. */
void reglet__image_unref(struct reglet__image *image) {
    if (!image || atomic_fetch_sub_explicit(&image->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < REGLET__IDLE_SLOTS; i++) {
        struct slot *slot = atomic_load(&image->idle[i]);
        if (slot)
            unmap(slot);
    }
    if (image->bytes)
        munmap(image->bytes, image->size ? image->size : 1);
    if (image->fd >= 0)
        close(image->fd);
    free(image->globals);
    free(image);
}

/* --- What was written ------------------------------------------------------------------------------------- */

/* Of the kernel's interface since 6.7, which older headers do not have. */
struct page_range {
    uint64_t start, end, categories;
};
struct scan {
    uint64_t size, flags, start, end, walk_end, ranges, range_count, max_pages;
    uint64_t inverted, all_of, any_of, returned;
};
enum { PAGE_FILE = 1 << 2, PAGE_PRESENT = 1 << 3, PAGE_SWAPPED = 1 << 4 };
#define PAGEMAP_SCAN_ _IOWR('f', 16, struct scan)

static int pagemap = -1;
static pid_t pagemap_owner;

static void open_pagemap(void) {
    struct scan nothing = {.size = sizeof nothing};
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    struct page_range range;
    nothing.ranges = (uintptr_t)&range;
    nothing.range_count = 1;
    if (ioctl(fd, PAGEMAP_SCAN_, &nothing) < 0) {
        close(fd);
        return;
    }
    pagemap = fd;
    pagemap_owner = getpid();
}

bool reglet__memory_scans(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_pagemap);
    return pagemap >= 0 && pagemap_owner == getpid();
}

/*
 * Calls `take` for each range of [memory, memory + size) that is no longer what is mapped there: written, or, where nothing
 * is mapped, touched. False when the kernel does not say, or `take` had enough.
 */
static bool each_written(const char *memory, size_t size,
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
                            .inverted = PAGE_FILE,
                            .all_of = PAGE_FILE,
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

struct copying {
    char *to;
    const char *from;
    size_t left; /* bytes that may still be copied */
};

static bool copy_range(void *user_data, size_t offset, size_t size) {
    struct copying *copying = user_data;
    if (size > copying->left)
        return false;
    copying->left -= size;
    memcpy(copying->to + offset, copying->from + offset, size);
    return true;
}

/*
 * Copies back what is no longer the image's. Such pages stay with the slot: the next instance writes most of them again.
 * False when there are too many of them to keep, or the kernel does not say.
 */
static bool copy_back(const struct slot *slot) {
    struct copying copying = {slot->base, slot->image->bytes, REGLET__SLOT_KEPT_BYTES};
    return each_written(slot->base, slot->image->size, copy_range, &copying);
}

/* Page by page; in a blank file pages of zeroes stay holes, which take no memory. */
static void copy_all(char *to, const char *from, size_t size, bool blank) {
    enum { PAGE = 4096 };
    static const char zeroes[PAGE];
    for (size_t at = 0; at < size; at += PAGE)
        if (!blank || memcmp(from + at, zeroes, PAGE) != 0)
            memcpy(to + at, from + at, PAGE);
}

/* What is in a file, without its holes: reading those would fill them. False when the kernel does not say. */
static bool copy_data(char *to, const struct reglet__image *from) {
    for (off_t at = 0, size = (off_t)from->size; at < size;) {
        off_t start = lseek(from->fd, at, SEEK_DATA);
        if (start < 0)
            return errno == ENXIO; /* a hole to the end */
        off_t end = lseek(from->fd, start, SEEK_HOLE);
        if (end < 0)
            return false;
        memcpy(to + start, from->bytes + start, (size_t)(end - start));
        at = end;
    }
    return true;
}

void reglet__image_copy(struct reglet__image *image, const struct reglet__image *start, const char *memory) {
    struct copying copying = {image->bytes, memory, SIZE_MAX};
    bool scans = start && reglet__memory_scans();
    if (!scans || !copy_data(image->bytes, start) || !each_written(memory, image->size, copy_range, &copying))
        copy_all(image->bytes, memory, image->size, !scans);
}

/* Makes the memory the image again. False when the slot cannot be used any more. */
static bool restore(struct slot *slot) {
    size_t size = slot->image->size;
    if (slot->size > size &&
        mmap(slot->base + size, slot->size - size, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
        return false;
    slot->size = size;
    return copy_back(slot) || madvise(slot->base, size, MADV_DONTNEED) == 0;
}

/* --- Slots ------------------------------------------------------------------------------------------------ */

static struct slot *slot_new(struct reglet__image *image, size_t size, size_t reserved, size_t guard) {
    struct slot *slot = calloc(1, sizeof *slot);
    if (!slot)
        return NULL;
    *slot = (struct slot){image, NULL, reserved, guard, image ? image->size : size};
    void *base = mmap(NULL, reserved + guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        free(slot);
        return NULL;
    }
    slot->base = base;
    bool mapped = true;
    if (image && slot->size)
        mapped = mmap(base, slot->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE,
                      image->fd, 0) != MAP_FAILED;
    else if (slot->size)
        mapped = mprotect(base, slot->size, PROT_READ | PROT_WRITE) == 0;
    if (mapped)
        return slot;
    unmap(slot);
    return NULL;
}

static struct slot *slot_take(struct reglet__image *image) {
    for (size_t i = 0; image && i < REGLET__IDLE_SLOTS; i++) {
        if (!atomic_load_explicit(&image->idle[i], memory_order_relaxed))
            continue;
        struct slot *slot = atomic_exchange(&image->idle[i], NULL);
        if (slot)
            return slot;
    }
    return NULL;
}

/* Keeps the slot for the next instance, or gives it back to the kernel. */
static void slot_give(void *env) {
    struct slot *slot = env;
    struct reglet__image *image = slot->image;
    bool kept = false;
    if (image && restore(slot)) {
        reglet__tsan_release(slot->base);
        for (size_t i = 0; i < REGLET__IDLE_SLOTS && !kept; i++) {
            struct slot *none = NULL;
            kept = atomic_compare_exchange_strong(&image->idle[i], &none, slot);
        }
    }
    if (!kept)
        unmap(slot);
    reglet__image_unref(image);
}

/* --- What the engine sees ---------------------------------------------------------------------------------- */

static uint8_t *get_memory(void *env, size_t *size, size_t *capacity) {
    const struct slot *slot = env;
    *size = slot->size;
    *capacity = slot->reserved;
    return (uint8_t *)slot->base;
}

static wasmtime_error_t *grow_memory(void *env, size_t size) {
    struct slot *slot = env;
    if (size > slot->reserved)
        return wasmtime_error_new("the memory's addresses are used up");
    if (size > slot->size &&
        mprotect(slot->base + slot->size, size - slot->size, PROT_READ | PROT_WRITE) != 0)
        return wasmtime_error_new("the kernel has no memory");
    slot->size = size;
    return NULL;
}

static wasmtime_error_t *new_memory(void *env, const wasm_memorytype_t *type, size_t minimum, size_t maximum,
                                    size_t reserved, size_t guard, wasmtime_linear_memory_t *out) {
    (void)env, (void)type, (void)maximum;
    struct reglet__image *image = wish;
    /* Without its image, a memory whose data segments were taken out would be of zeroes, and look sound. */
    if (image && (image->size < minimum || image->size > reserved))
        return wasmtime_error_new("the image is of another memory");
    struct slot *slot = slot_take(image);
    if (slot)
        reglet__tsan_acquire(slot->base);
    else
        slot = slot_new(image, minimum, reserved, guard);
    if (!slot)
        return wasmtime_error_new("no room for a memory");
    reglet__image_ref(image);
    *out = (wasmtime_linear_memory_t){slot, get_memory, grow_memory, slot_give};
    return NULL;
}

void reglet__memory_configure(wasm_config_t *config) {
    reglet__memory_scans(); /* its descriptor is there before the first call */
    wasmtime_memory_creator_t creator = {.new_memory = new_memory};
    wasmtime_config_host_memory_creator_set(config, &creator);
    wasmtime_config_memory_init_cow_set(
        config, false); /* the engine maps images of its own only into memories of its own */
}
