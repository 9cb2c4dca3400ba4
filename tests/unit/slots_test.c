#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <reglet.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engine/memory.h"
#include "engine/pages.h"
#include "util/variant.h"

#ifdef REGLET_SANITIZED
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* Slots and images as the kernel sees them: mappings, memory, files. */

/* --- What the kernel is made to answer --------------------------------------------------------------------- */

static atomic_bool an_hour_later, seals_fail, no_descriptor;
static atomic_int maps_fail; /* the next so many */

int __real_clock_gettime(clockid_t id, struct timespec *out);
int __wrap_clock_gettime(clockid_t id, struct timespec *out);
int __wrap_clock_gettime(clockid_t id, struct timespec *out) {
    int result = __real_clock_gettime(id, out);
    if (id == CLOCK_MONOTONIC_COARSE && atomic_load(&an_hour_later))
        out->tv_sec += 3600;
    return result;
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, long argument);
int __wrap_fcntl(int fd, int command, long argument) {
    if (command != F_ADD_SEALS || !atomic_load(&seals_fail))
        return __real_fcntl(fd, command, argument);
    errno = EPERM;
    return -1;
}

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags) {
    if (!atomic_load(&no_descriptor))
        return __real_memfd_create(name, flags);
    errno = EMFILE;
    return -1;
}

/* Nothing else maps as much at once. */
enum { SLOT_BYTES = 1 << 30 };
static atomic_size_t slots;

void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    if (size < SLOT_BYTES)
        return __real_mmap(address, size, protection, flags, fd, offset);
    if (atomic_load(&maps_fail) > 0) {
        atomic_fetch_sub(&maps_fail, 1);
        errno = ENOMEM;
        return MAP_FAILED;
    }
    atomic_fetch_add(&slots, 1);
    return __real_mmap(address, size, protection, flags, fd, offset);
}

int __real_munmap(void *address, size_t size);
int __wrap_munmap(void *address, size_t size);
int __wrap_munmap(void *address, size_t size) {
    atomic_fetch_sub(&slots, size >= SLOT_BYTES);
    return __real_munmap(address, size);
}

/* --- A plugin ---------------------------------------------------------------------------------------------- */

static atomic_int initialised, warned;

static void heard(void *user_data, const reglet_log_event *event) {
    (void)user_data;
    atomic_fetch_add(&initialised, strcmp(event->message, "initialised") == 0);
    atomic_fetch_add(&warned, strstr(event->message, "no image can be taken now") != NULL);
}

struct world {
    reglet_runtime *runtime;
    reglet_plugin *plugin;
    reglet_config *config;
};

static void begin(struct world *world, const char *path, const char *name, const char *config) {
    const reglet_grant grant = {name, "fs:read:/etc/hosts"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = &grant;
    options.grant_count = 1;
    options.compiler = REGLET_COMPILER_FAST;
    options.log = heard;
    char file[512];
    snprintf(file, sizeof file, "%s/%s.wasm", path, name);
    assert_int_equal(reglet_runtime_new(&options, &world->runtime, NULL), REGLET_OK);
    assert_int_equal(reglet_runtime_load_plugin_file(world->runtime, name, file, NULL, &world->plugin, NULL),
                     REGLET_OK);
    assert_int_equal(reglet_config_parse(config, strlen(config), &world->config, NULL), REGLET_OK);
}

static void end(struct world *world) {
    reglet_config_free(world->config);
    reglet_plugin_unref(world->plugin);
    reglet_runtime_free(world->runtime);
}

static reglet_status observe(const struct world *world, int64_t timeout_ms) {
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    reglet_result *result = NULL;
    call.timeout_ms = timeout_ms;
    reglet_status status = reglet_plugin_observe(world->plugin, world->config, &call, &result, NULL);
    if (status == REGLET_OK)
        status = reglet_result_error_code(result);
    reglet_result_free(result);
    return status;
}

/* --- What is mapped ---------------------------------------------------------------------------------------- */

static size_t count_maps(void) {
    FILE *maps = fopen("/proc/self/maps", "re");
    size_t count = 0;
    assert_non_null(maps);
    for (int byte = getc(maps); byte != EOF; byte = getc(maps))
        count += byte == '\n';
    fclose(maps);
    return count;
}

/* Bytes of all images together. */
static size_t image_bytes(void) {
    size_t bytes = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        char target[64] = "";
        struct stat st;
        if (readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1) > 0 &&
            strstr(target, "memfd:reglet-image") && fstat(atoi(entry->d_name), &st) == 0)
            bytes += (size_t)st.st_blocks * 512;
    }
    closedir(directory);
    return bytes;
}

static size_t private_bytes(void) {
    FILE *rollup = fopen("/proc/self/smaps_rollup", "re");
    char line[256];
    size_t kib = 0, total = 0;
    assert_non_null(rollup);
    while (fgets(line, sizeof line, rollup))
        if (sscanf(line, "Private_Dirty: %zu", &kib) == 1)
            total = kib << 10;
    fclose(rollup);
    return total;
}

/* --- The tests --------------------------------------------------------------------------------------------- */

/* From here on, this thread is refused whatever changes a mapping. */
static void refuse_mappings(void) {
    struct sock_filter refuse[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_munmap, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
    };
    const struct sock_fprog program = {sizeof refuse / sizeof *refuse, refuse};
    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
    assert_ptr_equal(__real_mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), MAP_FAILED);
}

static void *call_1000_times(void *world) {
    for (int i = 0; i < 100; i++)
        assert_int_equal(observe(world, 0), REGLET_OK);
    size_t before = count_maps();
    refuse_mappings();
    for (int i = 0; i < 1000; i++)
        assert_int_equal(observe(world, 0), REGLET_OK);
    assert_in_range(count_maps(), 0, before);
    return NULL;
}

static void calls__in_the_steady_state_change_no_mapping(void **state) {
    (void)state;
    if (SANITIZED || REGLET__NO_IMAGES || !reglet__memory_scans())
        skip();
    static const struct {
        const char *path, *name;
    } plugins[] = {{REGLET_PLUGIN_DIR, "file"},
                   {REGLET_GUEST_DIR, "counter"}, /* has no image */
#ifdef REGLET_HAVE_GO
                   {REGLET_GUEST_DIR, "go_big"}
#endif
    };
    for (size_t i = 0; i < sizeof plugins / sizeof *plugins; i++) {
        struct world world;
        pthread_t thread;
        begin(&world, plugins[i].path, plugins[i].name, "{\"path\":\"/etc/hosts\"}");
        assert_int_equal(pthread_create(&thread, NULL, call_1000_times, &world), 0);
        pthread_join(thread, NULL);
        end(&world);
    }
}

/* Pages of zeroes that are read are nobody's: neither the image's, which all instances share, nor the slot's. */
static void memory__that_is_only_read_takes_none(void **state) {
    (void)state;
    enum { MOST = 16 << 20 };
    struct world world;
    if (REGLET__PRIME) /* the guest traps where an earlier call was, as the priming one is */
        skip();
    size_t others = image_bytes();
    begin(&world, REGLET_GUEST_DIR, "image_reads_all", "{}");
    assert_int_equal(observe(&world, 0), REGLET_OK);
    size_t images = image_bytes(), private = private_bytes();
    for (int i = 0; i < 5; i++)
        assert_int_equal(observe(&world, 0), REGLET_OK);
    if (REGLET__NO_IMAGES) { /* then there need be none that reading could fill */
        assert_in_range(image_bytes(), 0, images);
    } else {
        assert_in_range(image_bytes(), 1, images);
        assert_in_range(images - others, 1, 1 << 20);
    }
    if (!SANITIZED)
        assert_in_range(private_bytes(), 0, private + MOST);
    end(&world);
}

static void *sleep_for_a_while(void *world) {
    assert_int_equal(observe(world, 1000), REGLET_ERR_TIMEOUT);
    return NULL;
}

enum { MOST_THREADS = 300 };

static void run_at_once(struct world *world, size_t count) {
    static pthread_t threads[MOST_THREADS];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 2 << 20);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], &attributes, sleep_for_a_while, world), 0);
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_attr_destroy(&attributes);
}

static void slots__that_idle_are_so_many_at_most_and_given_back(void **state) {
    (void)state;
    struct world world;
    begin(&world, REGLET_GUEST_DIR, "sleep_forever", "{}");
    reglet__memory_give_back(0);
    assert_int_equal(atomic_load(&slots), 0);
    run_at_once(&world, MOST_THREADS);
    assert_in_range(atomic_load(&slots), 2, REGLET__IDLE_SLOTS);
    assert_true(reglet__memory_give_back(REGLET__IDLE_SLOT_SECONDS)); /* not yet */
    assert_in_range(atomic_load(&slots), 2, REGLET__IDLE_SLOTS);
    atomic_store(&an_hour_later, true);
    for (int i = 0; i < 600 && atomic_load(&slots); i++) /* by the thread that ticks, which sleeps by now */
        poll(NULL, 0, 100);
    atomic_store(&an_hour_later, false);
    assert_int_equal(atomic_load(&slots), 0);
    assert_false(reglet__memory_give_back(REGLET__IDLE_SLOT_SECONDS));
    end(&world);
}

/* Each call writes 3 MiB, which one slot may keep, and 60 of them may not. */
static void slots__that_idle_keep_so_much_memory_together(void **state) {
    (void)state;
    enum { CALLS = 60, WRITTEN = 3 << 20, MOST = 16 << 20 };
    struct world world;
    if (SANITIZED || REGLET__PRIME || !reglet__memory_scans())
        skip();
    begin(&world, REGLET_GUEST_DIR, "image_fills", "{}");
    for (int round = 0; round < 2; round++) { /* and as much again, once it was given back */
        reglet__memory_give_back(0);
        size_t before = private_bytes();
        run_at_once(&world, CALLS);
        size_t kept = private_bytes() - before, all = atomic_load(&slots) * WRITTEN;
        assert_in_range(kept, (all < REGLET__KEPT_BYTES ? all : REGLET__KEPT_BYTES - WRITTEN) / 2,
                        REGLET__KEPT_BYTES + MOST);
    }
    end(&world);
}

static void slots__that_idle_make_room_where_addresses_are_short(void **state) {
    (void)state;
    if (REGLET__NO_IMAGES)
        skip(); /* those of the tests before idle on, with modules that the cache keeps */
    struct world one, other;
    begin(&one, REGLET_PLUGIN_DIR, "file", "{\"path\":\"/etc/hosts\"}");
    begin(&other, REGLET_GUEST_DIR, "counter", "{}");
    assert_int_equal(observe(&one, 0), REGLET_OK);
    assert_in_range(atomic_load(&slots), 1, 4);
    atomic_store(&maps_fail, 1);
    assert_int_equal(observe(&other, 0), REGLET_OK);
    assert_int_equal(atomic_load(&maps_fail), 0);
    assert_int_equal(atomic_load(&slots), 1);
    atomic_store(&maps_fail, 2);
    reglet__memory_give_back(0);
    assert_int_equal(observe(&other, 0), REGLET_ERR_NO_MEMORY);
    assert_int_equal(observe(&other, 0), REGLET_OK);
    end(&other);
    end(&one);
}

static void image__that_cannot_be_sealed_is_not_used(void **state) {
    (void)state;
    struct world world;
    begin(&world, REGLET_GUEST_DIR, "image_counter", "{}");
    atomic_store(&seals_fail, true);
    for (int i = 0; i < 3; i++)
        assert_int_equal(observe(&world, 0), REGLET_OK);
    struct reglet__image *image = NULL;
    reglet_error *error = NULL;
    assert_int_equal(reglet__image_new(65536, &image, NULL), REGLET_OK);
    assert_int_equal(reglet__image_seal(image, &error), REGLET_ERR_IO);
    assert_string_equal(reglet_error_message(error),
                        "a memory image cannot be sealed: Operation not permitted");
    atomic_store(&seals_fail, false);
    reglet_error_free(error);
    reglet__image_unref(image);
    end(&world);
}

/* Without a descriptor for a moment, a plugin has no image for a second, and one after that. */
static void image__that_could_not_be_taken_for_want_of_descriptors_is_taken_later(void **state) {
    (void)state;
    if (REGLET__NO_IMAGES)
        skip();
    struct world world;
    begin(&world, REGLET_GUEST_DIR, "image_counter", "{}");
    atomic_store(&initialised, 0);
    atomic_store(&warned, 0);
    atomic_store(&no_descriptor, true);
    for (int i = 0; i < 3; i++)
        assert_int_equal(observe(&world, 0), REGLET_OK);
    assert_int_equal(atomic_load(&initialised), 3);
    assert_int_equal(atomic_load(&warned), 1);
    atomic_store(&no_descriptor, false);
    const struct timespec until_then = {.tv_sec = 1, .tv_nsec = 100000000};
    nanosleep(&until_then, NULL);
    atomic_store(&initialised, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(observe(&world, 0), REGLET_OK);
    assert_int_equal(atomic_load(&initialised), 1);
    end(&world);
}

static wasmtime_memory_creator_t creator;

void __real_wasmtime_config_host_memory_creator_set(wasm_config_t *config, wasmtime_memory_creator_t *given);
void __wrap_wasmtime_config_host_memory_creator_set(wasm_config_t *config, wasmtime_memory_creator_t *given);
void __wrap_wasmtime_config_host_memory_creator_set(wasm_config_t *config, wasmtime_memory_creator_t *given) {
    creator = *given;
    __real_wasmtime_config_host_memory_creator_set(config, given);
}

/* Code that was compiled for more addresses would reach behind the slot. */
static void slot__of_fewer_addresses_is_not_used_for_more(void **state) {
    (void)state;
    enum { SIZE = 65536, FEW = 1 << 20, MANY = 1 << 24 };
    struct reglet__image *image = NULL;
    wasmtime_linear_memory_t memory;
    size_t size = 0, capacity = 0;
    struct world world;
    begin(&world, REGLET_GUEST_DIR, "image_counter", "{}"); /* makes the engine, if it is not there yet */
    assert_int_equal(reglet__image_new(SIZE, &image, NULL), REGLET_OK);
    assert_int_equal(reglet__image_seal(image, NULL), REGLET_OK);
    for (size_t addresses = FEW; addresses <= MANY; addresses *= 16) {
        reglet__memory_wish(image);
        assert_null(creator.new_memory(creator.env, NULL, SIZE, MANY, addresses, SIZE, &memory));
        reglet__memory_wish(NULL);
        memory.get_memory(memory.env, &size, &capacity);
        assert_int_equal(capacity, addresses);
        memory.finalizer(memory.env);
    }
    reglet__image_unref(image);
    end(&world);
}

/* What a slot maps of an image: the data, and of the zeroes between as little as so few mappings can. */
static void image__leaves_its_widest_gaps_out(void **state) {
    (void)state;
    enum { PAGE = 4096, PAGES = 256, COUNT = REGLET__IMAGE_RANGES + 4 };
    static char memory[PAGES * PAGE];
    struct reglet__image *image = NULL;
    assert_int_equal(reglet__image_new(sizeof memory, &image, NULL), REGLET_OK);
    for (size_t i = 0, page = 1; i < COUNT;
         i++, page += i < 6 ? 2 : 20) /* five narrow gaps, the others wide */
        image->bytes[page * PAGE + 7] = memory[page * PAGE + 7] = 'x';
    assert_int_equal(reglet__image_seal(image, NULL), REGLET_OK);
    assert_int_equal(image->range_count, REGLET__IMAGE_RANGES);
    assert_int_equal(image->ranges[0].start, PAGE);
    for (size_t i = 0, mapped = 0; i < image->range_count; i++) {
        mapped += image->ranges[i].end - image->ranges[i].start;
        assert_in_range(mapped, PAGE, (COUNT + 5) * PAGE);
        if (i > 0)
            assert_in_range(image->ranges[i].start, image->ranges[i - 1].end + PAGE, sizeof memory);
    }
    static char restored[sizeof memory];
    memset(restored, 'y', sizeof restored);
    reglet__image_restore(image, restored, 0, 3 * PAGE);
    reglet__image_restore(image, restored, 3 * PAGE, sizeof restored);
    assert_memory_equal(restored, memory, sizeof memory);
    reglet__image_unref(image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls__in_the_steady_state_change_no_mapping),
        cmocka_unit_test(memory__that_is_only_read_takes_none),
        cmocka_unit_test(slots__that_idle_are_so_many_at_most_and_given_back),
        cmocka_unit_test(slots__that_idle_keep_so_much_memory_together),
        cmocka_unit_test(slots__that_idle_make_room_where_addresses_are_short),
        cmocka_unit_test(image__that_cannot_be_sealed_is_not_used),
        cmocka_unit_test(image__that_could_not_be_taken_for_want_of_descriptors_is_taken_later),
        cmocka_unit_test(slot__of_fewer_addresses_is_not_used_for_more),
        cmocka_unit_test(image__leaves_its_widest_gaps_out),
    };
    /* The allocator's own mappings are not what is looked for. */
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
