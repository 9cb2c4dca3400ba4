/* Images: files in memory that nobody can write any more. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/memory.h"
#include "engine/pages.h"
#include "util/cleanup.h"
#include "util/fail.h"

enum { PAGE = 4096 };

/* --- The life of an image --------------------------------------------------------------------------------- */

/* Not executable for good, where the kernel knows that (6.3); some are set up to refuse anything else. */
static int memory_file(void) {
    enum { NOEXEC_SEAL = 8 };
    int fd = memfd_create("reglet-image", MFD_CLOEXEC | MFD_ALLOW_SEALING | NOEXEC_SEAL);
    return fd >= 0 || errno != EINVAL ? fd : memfd_create("reglet-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

/* The kernel would end the process for a file that is larger than its limit (SIGXFSZ). */
size_t reglet__image_most(void) {
    struct rlimit files;
    bool less = getrlimit(RLIMIT_FSIZE, &files) == 0 && files.rlim_cur < REGLET__MAX_IMAGE_BYTES;
    return less ? (size_t)files.rlim_cur : REGLET__MAX_IMAGE_BYTES;
}

static size_t mapped_size(const struct reglet__image *image) {
    return image->size ? image->size : 1;
}

reglet_status reglet__image_new(size_t size, struct reglet__image **out, reglet_error **err) {
    struct reglet__image *image = calloc(1, sizeof *image);
    if (!image)
        return reglet__fail_memory(err);
    atomic_init(&image->references, 1);
    image->size = size;
    image->fd = memory_file();
    reglet__memory_add(image);
    void *bytes = MAP_FAILED;
    if (image->fd >= 0 && ftruncate(image->fd, (off_t)size) == 0)
        bytes = mmap(NULL, mapped_size(image), PROT_READ | PROT_WRITE, MAP_SHARED, image->fd, 0);
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

static bool map_ranges(struct reglet__image *image) {
    void *bytes =
        mmap(NULL, mapped_size(image), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED)
        return false;
    image->bytes = bytes;
    for (size_t i = 0; i < image->range_count; i++) {
        const struct image_range *range = &image->ranges[i];
        if (mmap(image->bytes + range->start, range->end - range->start, PROT_READ, MAP_PRIVATE | MAP_FIXED,
                 image->fd, (off_t)range->offset) == MAP_FAILED)
            return false;
    }
    return true;
}

reglet_status reglet__image_map(int fd, size_t size, const struct image_range *ranges, size_t range_count,
                                struct reglet__image **out, reglet_error **err) {
    struct reglet__image *image = calloc(1, sizeof *image);
    if (!image)
        return reglet__fail_memory(err);
    atomic_init(&image->references, 1);
    image->size = size;
    image->is_code = true;
    image->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    image->range_count = range_count;
    memcpy(image->ranges, ranges, range_count * sizeof *ranges);
    reglet__memory_add(image);
    if (image->fd >= 0 && map_ranges(image)) {
        *out = image;
        return REGLET_OK;
    }
    int reason = errno;
    reglet__image_unref(image);
    return reglet__fail_errno(err, reason == ENOMEM ? REGLET_ERR_NO_MEMORY : REGLET_ERR_IO,
                              REGLET_DOMAIN_ENGINE, reason, "no memory image can be mapped: %s",
                              reglet__errno_text(reason));
}

struct reglet__image *reglet__image_ref(struct reglet__image *image) {
    if (image)
        atomic_fetch_add_explicit(&image->references, 1, memory_order_relaxed);
    return image;
}

/* Idle slots hold no reference: the last one who has an image frees them with it. */
void reglet__image_unref(struct reglet__image *image) {
    if (!image || atomic_fetch_sub_explicit(&image->references, 1, memory_order_acq_rel) != 1)
        return;
    reglet__memory_remove(image);
    if (image->bytes)
        munmap(image->bytes, mapped_size(image));
    if (image->fd >= 0)
        close(image->fd);
    free(image->globals);
    free(image);
}

/* --- Sealing ---------------------------------------------------------------------------------------------- */

/* Keeps the widest gaps: what is between two ranges is a mapping more in each slot. */
static void add_range(struct reglet__image *image, size_t start, size_t end) {
    struct image_range *ranges = image->ranges;
    size_t count = image->range_count;
    if (count < REGLET__IMAGE_RANGES) {
        ranges[image->range_count++] = (struct image_range){start, end, start};
        return;
    }
    size_t narrowest = count - 1, gap = start - ranges[count - 1].end; /* behind which range it is */
    for (size_t i = 0; i + 1 < count; i++) {
        if (ranges[i + 1].start - ranges[i].end < gap) {
            narrowest = i;
            gap = ranges[i + 1].start - ranges[i].end;
        }
    }
    if (narrowest == count - 1) {
        ranges[narrowest].end = end;
        return;
    }
    ranges[narrowest].end = ranges[narrowest + 1].end;
    memmove(&ranges[narrowest + 1], &ranges[narrowest + 2], (count - narrowest - 2) * sizeof *ranges);
    ranges[count - 1] = (struct image_range){start, end, start};
}

/*
 * Where the image has data, without the holes of a file in memory: reading those would fill them. False when the kernel does
 * not say.
 */
static bool each_data(const struct reglet__image *image,
                      void (*take)(void *user_data, size_t start, size_t end), void *user_data) {
    for (size_t i = 0; image->is_code && i < image->range_count; i++)
        take(user_data, image->ranges[i].start, image->ranges[i].end);
    if (image->is_code)
        return true;
    for (off_t at = 0, size = (off_t)image->size; at < size;) {
        off_t start = lseek(image->fd, at, SEEK_DATA);
        if (start < 0)
            return errno == ENXIO; /* a hole to the end */
        at = lseek(image->fd, start, SEEK_HOLE);
        if (at < 0)
            return false;
        take(user_data, (size_t)start, (size_t)at);
    }
    return true;
}

static void take_range(void *user_data, size_t start, size_t end) {
    add_range(user_data, start, end);
}

/* While a process that was forked off this one has not ended or called exec, it has the mapping for writing as well. */
static bool add_seals(int fd) {
    enum { FUTURE_WRITE = 16 }; /* F_SEAL_FUTURE_WRITE, Linux 5.1 */
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    return fcntl(fd, F_ADD_SEALS, seals | F_SEAL_WRITE) == 0 ||
           (errno == EBUSY && fcntl(fd, F_ADD_SEALS, seals | FUTURE_WRITE) == 0);
}

/* Nobody can write it any more: what instances share stays what it is, whatever happens to this process. */
reglet_status reglet__image_seal(struct reglet__image *image, reglet_error **err) {
    munmap(take_ptr(image->bytes), mapped_size(image));
    if (!add_seals(image->fd))
        return reglet__fail_errno(err, REGLET_ERR_IO, REGLET_DOMAIN_ENGINE, errno,
                                  "a memory image cannot be sealed: %s", reglet__errno_text(errno));
    if (!each_data(image, take_range, image)) {
        image->ranges[0] = (struct image_range){0, image->size, 0};
        image->range_count = image->size > 0;
    }
    /* Not shared: kernels before 6.7 do not map a sealed file so, not even for reading. */
    void *bytes = mmap(NULL, mapped_size(image), PROT_READ, MAP_PRIVATE, image->fd, 0);
    if (bytes == MAP_FAILED)
        return reglet__fail_errno(err, REGLET_ERR_NO_MEMORY, REGLET_DOMAIN_ENGINE, errno,
                                  "no addresses for a memory image");
    image->bytes = bytes;
    return REGLET_OK;
}

/* --- Copying ---------------------------------------------------------------------------------------------- */

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

void reglet__image_restore(const struct reglet__image *image, char *memory, size_t at, size_t end) {
    for (size_t i = 0; i < image->range_count && at < end; i++) {
        const struct image_range *range = &image->ranges[i];
        if (at < range->start) {
            size_t zeroes = least(end, range->start) - at;
            memset(memory + at, 0, zeroes);
            at += zeroes;
        }
        if (at < end && at < range->end) {
            size_t data = least(end, range->end) - at;
            memcpy(memory + at, image->bytes + at, data);
            at += data;
        }
    }
    memset(memory + at, 0, end - at);
}

struct copying {
    char *to;
    const char *from;
};

static void copy_data(void *user_data, size_t start, size_t end) {
    const struct copying *copying = user_data;
    memcpy(copying->to + start, copying->from + start, end - start);
}

static bool copy_written(void *user_data, size_t offset, size_t size) {
    copy_data(user_data, offset, offset + size);
    return true;
}

/* Page by page: those of zeroes stay holes, which take no memory. The file may have been written before. */
static bool copy_all(struct reglet__image *image, const char *from) {
    static const char zeroes[PAGE];
    if (ftruncate(image->fd, 0) != 0 || ftruncate(image->fd, (off_t)image->size) != 0)
        return false;
    for (size_t at = 0; at < image->size; at += PAGE)
        if (memcmp(from + at, zeroes, PAGE) != 0)
            memcpy(image->bytes + at, from + at, PAGE);
    return true;
}

bool reglet__image_copy(struct reglet__image *image, const struct reglet__image *start, const char *memory) {
    struct copying began = {image->bytes, start ? start->bytes : NULL}, now = {image->bytes, memory};
    return (reglet__memory_scans() && (!start || each_data(start, copy_data, &began)) &&
            reglet__pages_written(memory, image->size, copy_written, &now)) ||
           copy_all(image, memory);
}
