/*
 * Slots: made, taken, given, and given back to the kernel.
 *
 * What many calls do at once, to take a slot and to give it, takes no lock: one exchange with a place that the thread is
 * likely to have for itself. What maps and unmaps counts, and may lock.
 */
#define _GNU_SOURCE
#include "engine/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "engine/engine.h"
#include "engine/pages.h"
#include "util/tsan.h"

struct slot {
    struct reglet__image *image; /* referenced while an instance has the slot; NULL: zeroes */
    struct slot_place *place;    /* where it will be when it is idle; NULL: there was none */
    char *base;
    size_t reserved; /* addresses that can become memory */
    size_t guard;    /* behind them, never accessible */
    size_t size;     /* memory now */
    size_t kept;     /* bytes of pages that it had when it was last idle, of those that all slots may keep */
};

static struct slot in_use;
#define SLOT_IN_USE (&in_use)

static atomic_uint slots_with_place; /* in the process */
static atomic_size_t bytes_kept;     /* by all of these */

static pthread_mutex_t images_lock = PTHREAD_MUTEX_INITIALIZER;
static struct reglet__image *images; /* all of them */

static _Thread_local struct reglet__image *wish;

void reglet__memory_wish(struct reglet__image *image) {
    wish = image;
}

/* --- Places ----------------------------------------------------------------------------------------------- */

/* Each thread looks from a place of its own on: what it gives it finds again, warm, and no other thread's cache has it. */
static struct slot_place *place_at(struct reglet__image *image, size_t index) {
    enum { CACHE_LINE = 64 };
    static atomic_size_t threads;
    static _Thread_local size_t thread; /* counted from 1 */
    if (thread == 0)
        thread = 1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed);
    size_t first = thread * (CACHE_LINE / sizeof(struct slot_place));
    return &image->places[(first + index) % REGLET__IDLE_SLOTS];
}

/* A place for a slot that has none. NULL: there are as many as may be idle. */
static struct slot_place *place_claim(struct reglet__image *image) {
    if (atomic_fetch_add(&slots_with_place, 1) < REGLET__IDLE_SLOTS) {
        for (size_t i = 0; i < REGLET__IDLE_SLOTS; i++) {
            struct slot_place *place = place_at(image, i);
            struct slot *nobody = NULL;
            if (!atomic_compare_exchange_strong(&place->slot, &nobody, SLOT_IN_USE))
                continue;
            atomic_fetch_add(&image->slots, 1);
            return place;
        }
    }
    atomic_fetch_sub(&slots_with_place, 1);
    return NULL;
}

/*
 * Counts what a slot keeps while it is idle. False: all slots together would keep too much. In the steady state a slot keeps what
 * it kept before, and no call waits for a counter that all threads change.
 */
static bool slot_keeps(struct slot *slot, size_t bytes) {
    size_t before = slot->kept;
    slot->kept = bytes;
    if (bytes == before)
        return true;
    size_t others = atomic_fetch_add_explicit(&bytes_kept, bytes - before, memory_order_relaxed) - before;
    return bytes < before || others + bytes <= REGLET__KEPT_BYTES;
}

/* Whoever calls this has the slot. */
static void place_leave(struct reglet__image *image, struct slot *slot) {
    if (!slot->place)
        return;
    slot_keeps(slot, 0);
    atomic_store(&slot->place->slot, NULL);
    slot->place = NULL;
    atomic_fetch_sub(&image->slots, 1);
    atomic_fetch_sub(&slots_with_place, 1);
}

/*
 * The idle slot at a place. It may have been in use meanwhile, or be another one at the same address: whatever is there when
 * the exchange succeeds is idle, and nobody looks into a slot before.
 */
static struct slot *place_take(struct slot_place *place) {
    struct slot *slot = atomic_load_explicit(&place->slot, memory_order_relaxed);
    if (slot && slot != SLOT_IN_USE && atomic_compare_exchange_strong(&place->slot, &slot, SLOT_IN_USE))
        return slot;
    return NULL;
}

static unsigned seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (unsigned)now.tv_sec;
}

/* --- Slots ------------------------------------------------------------------------------------------------ */

static void slot_free(struct slot *slot) {
    munmap(slot->base, slot->reserved + slot->guard);
    free(slot);
}

static bool map_image(const struct slot *slot) {
    if (mprotect(slot->base, slot->size, PROT_READ | PROT_WRITE) != 0)
        return false;
    /* A page that is written is written again by the next instance: 4 KiB to clear, not 2 MiB. */
    madvise(slot->base, slot->size, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < slot->image->range_count; i++) {
        const struct image_range *range = &slot->image->ranges[i];
        if (mmap(slot->base + range->start, range->end - range->start, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, slot->image->fd,
                 (off_t)range->offset) == MAP_FAILED)
            return false;
    }
    return true;
}

static struct slot *slot_new(struct reglet__image *image, size_t size, size_t reserved, size_t guard) {
    struct slot *slot = calloc(1, sizeof *slot);
    if (!slot)
        return NULL;
    void *base = mmap(NULL, reserved + guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        free(slot);
        return NULL;
    }
    *slot = (struct slot){.image = image,
                          .base = base,
                          .reserved = reserved,
                          .guard = guard,
                          .size = image ? image->size : size};
    if (slot->size == 0 || (image ? map_image(slot) : mprotect(base, size, PROT_READ | PROT_WRITE) == 0))
        return slot;
    slot_free(slot);
    return NULL;
}

static struct slot *slot_take(struct reglet__image *image) {
    if (!image || atomic_load_explicit(&image->slots, memory_order_relaxed) == 0)
        return NULL;
    for (size_t i = 0; i < REGLET__IDLE_SLOTS; i++) {
        struct slot *slot = place_take(place_at(image, i));
        if (slot)
            return slot;
    }
    return NULL;
}

struct restoring {
    const struct slot *slot;
    size_t left; /* bytes that may still be restored */
};

static bool restore_range(void *user_data, size_t offset, size_t size) {
    struct restoring *restoring = user_data;
    if (size > restoring->left)
        return false;
    restoring->left -= size;
    reglet__image_restore(restoring->slot->image, restoring->slot->base, offset, offset + size);
    return true;
}

/*
 * Makes the memory the image again. What was written stays with the slot, restored: the next instance writes most of it
 * again. Where that is too much to keep, for this slot or for all, or the kernel does not say what it is, all of it is thrown
 * away. False when the slot cannot be used any more.
 */
static bool slot_restore(struct slot *slot) {
    size_t size = slot->image->size;
    if (slot->size > size &&
        mmap(slot->base + size, slot->size - size, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
        return false;
    slot->size = size;
    struct restoring restoring = {slot, REGLET__SLOT_KEPT_BYTES};
    if (reglet__pages_written(slot->base, size, restore_range, &restoring) &&
        slot_keeps(slot, REGLET__SLOT_KEPT_BYTES - restoring.left))
        return true;
    slot_keeps(slot, 0);
    return madvise(slot->base, size, MADV_DONTNEED) == 0;
}

/* Keeps the slot for the next instance, or gives it back to the kernel. */
static void slot_give(void *env) {
    struct slot *slot = env;
    struct reglet__image *image = slot->image;
    if (image && !slot->place)
        slot->place = place_claim(image);
    if (slot->place && slot_restore(slot)) {
        reglet__tsan_release(slot->base);
        struct slot_place *place = slot->place;
        atomic_store_explicit(&place->given, seconds_now(), memory_order_relaxed);
        atomic_store(&place->slot, slot); /* from here on it is somebody else's */
    } else {
        place_leave(image, slot);
        slot_free(slot);
    }
    reglet__image_unref(image);
}

/* --- All images ------------------------------------------------------------------------------------------- */

void reglet__memory_add(struct reglet__image *image) {
    pthread_mutex_lock(&images_lock);
    image->next = images;
    if (images)
        images->previous = image;
    images = image;
    pthread_mutex_unlock(&images_lock);
}

void reglet__memory_remove(struct reglet__image *image) {
    pthread_mutex_lock(&images_lock);
    *(image->previous ? &image->previous->next : &images) = image->next;
    if (image->next)
        image->next->previous = image->previous;
    pthread_mutex_unlock(&images_lock);
    for (size_t i = 0; i < REGLET__IDLE_SLOTS && atomic_load(&image->slots); i++) {
        struct slot *slot = place_take(&image->places[i]);
        if (!slot)
            continue;
        place_leave(image, slot);
        slot_free(slot);
    }
}

enum { BATCH = 64 }; /* slots that are unmapped between two looks: nobody waits for that */

static size_t collect_unused(struct slot *out[BATCH], unsigned seconds) {
    size_t count = 0;
    unsigned now = seconds_now();
    pthread_mutex_lock(&images_lock);
    for (struct reglet__image *image = images; image; image = image->next) {
        if (atomic_load(&image->slots) == 0)
            continue;
        for (size_t i = 0; i < REGLET__IDLE_SLOTS && count < BATCH; i++) {
            struct slot_place *place = &image->places[i];
            if (now - atomic_load_explicit(&place->given, memory_order_relaxed) < seconds)
                continue;
            struct slot *slot = place_take(place);
            if (!slot)
                continue;
            place_leave(image, slot);
            out[count++] = slot;
        }
    }
    pthread_mutex_unlock(&images_lock);
    return count;
}

bool reglet__memory_give_back(unsigned seconds) {
    struct slot *unused[BATCH];
    size_t count = 0;
    do {
        count = collect_unused(unused, seconds);
        for (size_t i = 0; i < count; i++)
            slot_free(unused[i]);
    } while (count == BATCH);
    return atomic_load(&slots_with_place) > 0;
}

struct reglet__memory_use reglet__memory_use(void) {
    struct reglet__memory_use use = {.kept_bytes = atomic_load(&bytes_kept)};
    pthread_mutex_lock(&images_lock);
    for (struct reglet__image *image = images; image; image = image->next)
        for (size_t i = 0; atomic_load(&image->slots) && i < REGLET__IDLE_SLOTS; i++) {
            const struct slot *slot = atomic_load_explicit(&image->places[i].slot, memory_order_relaxed);
            use.in_use += slot == SLOT_IN_USE;
            use.idle += slot && slot != SLOT_IN_USE;
        }
    pthread_mutex_unlock(&images_lock);
    return use;
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
    if (slot && (slot->reserved != reserved ||
                 slot->guard != guard)) { /* code checks no bound that it was told is there */
        place_leave(image, slot);
        slot_free(slot);
        slot = NULL;
    }
    if (slot)
        reglet__tsan_acquire(slot->base);
    else
        slot = slot_new(image, minimum, reserved, guard);
    if (!slot) { /* no call fails for what is only kept */
        reglet__memory_give_back(0);
        slot = slot_new(image, minimum, reserved, guard);
    }
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
