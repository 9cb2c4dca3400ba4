#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <reglet.h>
#include <stdatomic.h>
#include <string.h>

#include "engine/memory.h"
#include "engine/pages.h"
#include "util/variant.h"

/*
 * Images where the kernel does not say what was written: never, as before Linux 6.7 ("none" as the argument), or not every
 * time. Calls are as isolated as ever.
 */

static bool never;
static atomic_uint scans, refused;

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);

/* The first one asks whether there is such a thing. */
int __wrap_ioctl(int fd, unsigned long request, void *argument) {
    unsigned count = atomic_fetch_add(&scans, 1);
    if (!never && count % 3 != 1)
        return __real_ioctl(fd, request, argument);
    atomic_fetch_add(&refused, 1);
    errno = ENOTTY;
    return -1;
}

/* The guest's work is most of it, and sanitizers do not look at that. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CALLS = 20 };
#else
enum { CALLS = 50 };
#endif

static void *scribble(void *plugin) {
    for (int i = 0; i < CALLS; i++) {
        reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
        call.timeout_ms = 100;
        reglet_result *result = NULL;
        assert_int_equal(reglet_plugin_observe(plugin, NULL, &call, &result, NULL), REGLET_OK);
        /* What the guest answers when it finds what another call wrote. */
        if (reglet_result_error_code(result) == REGLET_ERR_BAD_OUTPUT)
            fail_msg("found traces: %s", reglet_result_error_message(result));
        reglet_result_free(result);
    }
    return NULL;
}

static void image__isolates_calls_without_the_kernels_help(void **state) {
    (void)state;
    if (REGLET__NO_SCAN)
        skip(); /* nobody asks the kernel, so it has nothing to refuse */
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.image_max_calls = 9;
    reglet_runtime *runtime = NULL;
    reglet_plugin *plugin = NULL;
    assert_int_equal(reglet_runtime_new(&options, &runtime, NULL), REGLET_OK);
    assert_int_equal(reglet_runtime_load_plugin_file(runtime, "scribble", REGLET_GUEST_DIR "/scribble.wasm",
                                                     NULL, &plugin, NULL),
                     REGLET_OK);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, scribble, plugin), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    if (never)
        assert_false(reglet__memory_scans());
    assert_in_range(atomic_load(&refused), 1, UINT32_MAX);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* What an instance cleared is not taken from the image that it started from. */
static void copy__that_ends_in_the_middle_begins_anew(void **state) {
    (void)state;
    enum { SIZE = 65536 };
    static char memory[SIZE];
    struct reglet__image *start = NULL, *image = NULL;
    for (int i = 0; i < 3; i++) { /* one of three scans is refused */
        assert_int_equal(reglet__image_new(SIZE, &start, NULL), REGLET_OK);
        memset(start->bytes, 'x', SIZE);
        assert_int_equal(reglet__image_seal(start, NULL), REGLET_OK);
        assert_int_equal(reglet__image_new(SIZE, &image, NULL), REGLET_OK);
        memset(memory, 0, SIZE);
        reglet__image_copy(image, start, memory);
        assert_memory_equal(image->bytes, memory, SIZE);
        reglet__image_unref(image);
        reglet__image_unref(start);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image__isolates_calls_without_the_kernels_help),
        cmocka_unit_test(copy__that_ends_in_the_middle_begins_anew),
    };
    never = argc > 1 && strcmp(argv[1], "none") == 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
