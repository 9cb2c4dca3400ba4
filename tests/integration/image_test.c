#define _GNU_SOURCE
#include "tests/integration/support.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "src/util/variant.h"

/*
 * Instances that start from an image: they are as if each had initialised itself. The guests set two counters to 3 and log
 * once while they initialise; observe adds one to each, and fails where it finds what another instance wrote.
 */

/* Where images are turned off for good, each call initialises. */
enum { IMAGES = !REGLET__NO_IMAGES };

static const char fresh[] = "\"data\":{\"memory\":4,\"global\":4,\"word\":\"abcd\"}";

struct world {
    struct events events;
    reglet_runtime *runtime;
    reglet_plugin *plugin;
    bool primes;
};

static void begin(struct world *world, const char *guest, int64_t max_calls, int64_t max_age_ms) {
    events_init(&world->events);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.log = events_collect;
    options.log_user_data = &world->events;
    options.image_max_calls = max_calls;
    options.image_max_age_ms = max_age_ms;
    options.prime_images = world->primes;
    world->runtime = new_runtime(&options);
    world->plugin = load_guest(world->runtime, guest);
}

static void end(struct world *world) {
    reglet_plugin_unref(world->plugin);
    reglet_runtime_free(world->runtime);
    events_free(&world->events);
}

static size_t count_events(struct world *world, const char *message) {
    size_t count = 0;
    pthread_mutex_lock(&world->events.lock);
    for (const char *at = world->events.text; at && (at = strstr(at, message)); at++)
        count++;
    pthread_mutex_unlock(&world->events.lock);
    return count;
}

static size_t initialised(struct world *world) {
    return count_events(world, "initialised");
}

/* With images that often; of so many calls. */
static void expect_initialised(struct world *world, size_t times, size_t calls) {
    assert_int_equal(initialised(world), IMAGES ? times : calls);
}

static void observe_times(struct world *world, int times) {
    for (int i = 0; i < times; i++)
        expect_evidence(observe_json(world->plugin, NULL, 0), fresh);
}

static void image__every_call_starts_where_initialising_ended(void **state) {
    (void)state;
    struct world world = {0};
    begin(&world, "image_counter", 0, 0);
    observe_times(&world, 50);
    expect_initialised(&world, 1, 50);
    end(&world);
}

static void *observe_200(void *argument) {
    observe_times(argument, 200);
    return NULL;
}

static void image__threads_share_nothing_that_was_written(void **state) {
    (void)state;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    struct world world = {0};
    begin(&world, "image_counter", 0, 0);
    observe_times(&world, 1); /* while it leaves an image behind, others would go the plain way */
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, observe_200, &world), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    expect_initialised(&world, 1, THREADS * 200 + 1);
    end(&world);
}

/* Nobody is told: such a plugin works as ever. */
static void image__of_a_plugin_whose_state_it_would_not_hold_is_not_used(void **state) {
    (void)state;
    static const char *const guests[] = {"image_reaches_outside", "image_changes_tables",
                                         "image_start_function",  "image_many_globals",
                                         "image_large_memory",    "image_half_a_line"};
    for (size_t i = 0; i < sizeof guests / sizeof *guests; i++) {
        struct world world = {0};
        begin(&world, guests[i], 0, 0);
        observe_times(&world, 5);
        if (initialised(&world) != 5)
            fail_msg("%s initialised %zu times", guests[i], initialised(&world));
        end(&world);
    }
}

static void image__of_a_plugin_that_reads_clock_and_random_is_used(void **state) {
    (void)state;
    struct world world = {0};
    begin(&world, "image_reads_clock", 0, 0);
    observe_times(&world, 5);
    expect_initialised(&world, 1, 5);
    end(&world);
}

/* Only what was drawn before the image was taken is the same for all. */
static void image__randomness_of_a_call_is_its_own(void **state) {
    (void)state;
    enum { CALLS = 8 };
    struct world world = {0};
    char words[CALLS][5];
    size_t same = 0;
    begin(&world, "image_draws", 0, 0);
    for (size_t i = 0; i < CALLS; i++) {
        reglet_result *result = observe_json(world.plugin, NULL, 0);
        const char *word = strstr(reglet_result_json(result, NULL), "\"word\":\"");
        assert_non_null(word);
        snprintf(words[i], sizeof words[i], "%.4s", word + strlen("\"word\":\""));
        for (size_t k = 0; k < i; k++)
            same += strcmp(words[i], words[k]) == 0;
        reglet_result_free(result);
    }
    assert_in_range(same, 0, 1); /* of 28 pairs; two words are the same once in 65,536 times */
    expect_initialised(&world, 1, CALLS);
    end(&world);
}

static void image__keeps_the_flags_that_initialising_set(void **state) {
    (void)state;
    struct world world = {0};
    begin(&world, "image_sets_flags", 0, 0);
    observe_times(&world, 5);
    expect_initialised(&world, 1, 5);
    end(&world);
}

/* The guest traps when a time is before one that it read earlier, perhaps on another thread and in an image. */
static void *observe_20(void *world) {
    observe_times(world, 20);
    return NULL;
}

static void image__never_has_the_monotonic_clock_run_backwards(void **state) {
    (void)state;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    struct world world = {0};
    begin(&world, "image_clock_goes_on", 3, 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, observe_20, &world), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(initialised(&world), 2, THREADS * 20);
    end(&world);
}

static reglet_plugin *load_granted(const char *variable, reglet_runtime **runtime) {
    *runtime = new_runtime_granting("image_reads_variable", variable);
    return load_guest(*runtime, "image_reads_variable");
}

struct limited {
    int64_t mib;
    reglet_runtime *runtime;
    reglet_plugin *plugin;
};

static void *observe_limited(void *argument) {
    const struct limited *limited = argument;
    for (int i = 0; i < 20; i++) {
        reglet_result *result = observe_json(limited->plugin, NULL, 0);
        if (limited->mib < 192)
            expect_plugin_error(result, REGLET_ERR_MEMORY_LIMIT, "memory");
        else
            expect_evidence(result, "\"memory\":4");
    }
    return NULL;
}

/* The limit is the runtime's: code, images and idle memories of the same module do not bring another one's along. */
static void image__memory_limits_of_two_runtimes_hold_at_the_same_time(void **state) {
    (void)state;
    struct limited limited[2] = {{.mib = 64}, {.mib = 256}};
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
        options.memory_limit_mib = limited[i].mib;
        limited[i].runtime = new_runtime(&options);
        limited[i].plugin = load_guest(limited[i].runtime, "image_large_memory");
        assert_int_equal(pthread_create(&threads[i], NULL, observe_limited, &limited[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        reglet_plugin_unref(limited[i].plugin);
        reglet_runtime_free(limited[i].runtime);
    }
}

/* The same module under the same name, and the compiled code is shared; what it read while it initialised is not. */
static void image__of_one_runtime_is_not_anothers(void **state) {
    (void)state;
    reglet_runtime *runtimes[2];
    assert_int_equal(setenv("IMAGE_A", "aaaa", 1) | setenv("IMAGE_B", "bbbb", 1), 0);
    reglet_plugin *a = load_granted("env:IMAGE_A", &runtimes[0]),
                  *b = load_granted("env:IMAGE_B", &runtimes[1]);
    for (int i = 0; i < 3; i++) {
        expect_evidence(observe_json(a, NULL, 0), "\"word\":\"aaaa\"");
        expect_evidence(observe_json(b, NULL, 0), "\"word\":\"bbbb\"");
    }
    reglet_plugin_unref(a);
    reglet_plugin_unref(b);
    reglet_runtime_free(runtimes[0]);
    reglet_runtime_free(runtimes[1]);
}

static void image__can_be_turned_off(void **state) {
    (void)state;
    struct world world = {0};
    begin(&world, "image_counter", -1, 0);
    observe_times(&world, 5);
    assert_int_equal(initialised(&world), 5);
    end(&world);
}

static void image__serves_so_many_calls_and_is_made_anew(void **state) {
    (void)state;
    struct world world = {0};
    begin(&world, "image_counter", 3, 0);
    observe_times(&world, 10); /* the 1st, the 5th and the 9th initialise */
    expect_initialised(&world, 3, 10);
    end(&world);
}

static void image__is_made_anew_on_request(void **state) {
    (void)state;
    struct world world = {0};
    begin(&world, "image_counter", 0, 0);
    for (int i = 0; i < 3; i++) {
        observe_times(&world, 5);
        expect_initialised(&world, (size_t)i + 1, (size_t)i * 5 + 5);
        reglet_plugin_renew_image(world.plugin);
    }
    reglet_plugin_renew_image(NULL);
    end(&world);
}

/* Calls in flight keep the one that they started from. */
static void image__is_made_anew_while_others_call(void **state) {
    (void)state;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    struct world world = {0};
    begin(&world, "image_counter", 10, 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, observe_200, &world), 0);
    for (size_t i = 0; i < 100; i++)
        reglet_plugin_renew_image(world.plugin);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(initialised(&world), THREADS * 200 / 11, THREADS * 200);
    end(&world);
}

static void image__serves_so_long_and_is_made_anew(void **state) {
    (void)state;
    struct world world = {0};
    begin(&world, "image_counter", 0, 1);
    for (int i = 0; i < 1000 && initialised(&world) < 3; i++) {
        observe_times(&world, 1);
        poll(NULL, 0, 2);
    }
    assert_in_range(initialised(&world), 3, 1000);
    end(&world);
}

static void image__belongs_to_one_module(void **state) {
    (void)state;
    struct world world = {0};
    begin(&world, "image_counter", 0, 0);
    observe_times(&world, 3);
    struct bytes wasm = read_guest("counter");
    EXPECT(reglet_runtime_replace_plugin(world.runtime, "image_counter", wasm.data, wasm.size, NULL, NULL),
           REGLET_OK, NULL);
    free(wasm.data);
    for (int i = 0; i < 3; i++)
        expect_evidence(observe_json(world.plugin, NULL, 0), "\"calls\":1");
    end(&world);
}

/* Whoever traps, is stopped or passes a limit leaves a slot as clean as anybody. */
static void image__slot_of_a_call_that_failed_is_clean(void **state) {
    (void)state;
    struct world world = {0};
    begin(&world, "image_traps", 0, 0);
    for (int i = 0; i < 20; i++)
        expect_plugin_error(observe_json(world.plugin, NULL, 0), REGLET_ERR_TRAP, "unreachable");
    expect_initialised(&world, 1, 20);
    end(&world);
}

/* Random places, more than a slot keeps, in memory that grows, and every way to end: the guest says whose traces it finds. */
static void *scribble(void *argument) {
    const struct world *world = argument;
    const int calls =
        REGLET_SANITIZED ? 20 : 60; /* the guest's work is most of it, and sanitizers do not look at that */
    for (int i = 0; i < calls; i++) {
        reglet_result *result = observe_json(world->plugin, NULL, 100);
        reglet_status status = reglet_result_error_code(result);
        if (status != REGLET_OK && status != REGLET_ERR_TRAP && status != REGLET_ERR_MEMORY_LIMIT &&
            status != REGLET_ERR_TIMEOUT)
            fail_msg("found traces: %s", reglet_result_error_message(result));
        reglet_result_free(result);
    }
    return NULL;
}

static void image__nothing_of_another_call_is_found(void **state) {
    (void)state;
    enum { THREADS = 8 };
    static const int64_t max_calls[] = {0, 5};
    for (size_t i = 0; i < sizeof max_calls / sizeof *max_calls; i++) {
        pthread_t threads[THREADS];
        struct world world = {0};
        begin(&world, "scribble", max_calls[i], 0);
        for (size_t t = 0; t < THREADS; t++)
            assert_int_equal(pthread_create(&threads[t], NULL, scribble, &world), 0);
        for (size_t t = 0; t < THREADS; t++)
            pthread_join(threads[t], NULL);
        end(&world);
    }
}

/* What is mapped, and which descriptors are open: as lines of /proc/self/maps and entries of /proc/self/fd. */
static void count_resources(size_t *mappings, size_t *descriptors) {
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    *mappings = *descriptors = 0;
    for (int byte = getc(maps); byte != EOF; byte = getc(maps))
        *mappings += byte == '\n';
    fclose(maps);
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory))
        ++*descriptors;
    closedir(directory);
}

static void load_and_observe(int times) {
    for (int i = 0; i < times; i++) {
        struct world world = {0};
        begin(&world, "image_counter", 2, 0);
        observe_times(&world, 4);
        end(&world);
    }
}

static void image__leaves_no_mapping_and_no_descriptor_behind(void **state) {
    (void)state;
    size_t mappings, descriptors, mappings_later, descriptors_later;
    load_and_observe(20); /* what the process makes once */
    count_resources(&mappings, &descriptors);
    load_and_observe(100);
    count_resources(&mappings_later, &descriptors_later);
    assert_int_equal(descriptors_later, descriptors);
    assert_in_range(mappings_later, 0, mappings + 20); /* the allocator's own */
}

/* Without that limit in mind, the kernel would end the process. */
static void image__larger_than_files_may_be_is_not_made(void **state) {
    (void)state;
    struct rlimit whole, little;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &whole), 0);
    little = (struct rlimit){10000, whole.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    struct world world = {0};
    begin(&world, "image_counter", 0, 0);
    observe_times(&world, 3);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &whole), 0);
    assert_int_equal(initialised(&world), 3);
    end(&world);
}

/* --- Priming ----------------------------------------------------------------------------------------------- */

static void begin_primed(struct world *world, const char *guest) {
    world->primes = true;
    begin(world, guest, 0, 0);
}

/* A plugin can tell, as the option says: of five calls, all but the first find what the priming one left. */
static void priming__leaves_what_a_first_call_leaves_and_nobody_hears_of_it(void **state) {
    (void)state;
    struct world world = {0};
    begin_primed(&world, "prime_counter");
    for (int i = 0; i < 5; i++)
        expect_evidence(observe_json(world.plugin, NULL, 0), i == 0 || !IMAGES
                                                                 ? "{\"calls\":\"A\",\"freed\":\"@\"}"
                                                                 : "{\"calls\":\"B\",\"freed\":\"D\"}");
    expect_initialised(&world, 1, 5);
    assert_int_equal(count_events(&world, "observed..."), 5);
    assert_int_equal(count_events(&world, "described.."), 0);
    end(&world);
}

/* The image is then what initialising left, and no more. */
static void priming__that_reaches_out_draws_or_fails_leaves_no_trace(void **state) {
    (void)state;
    static const char *const guests[] = {"prime_reaches_outside", "prime_draws", "prime_traps",
                                         "prime_loops"};
    for (size_t i = 0; i < sizeof guests / sizeof *guests; i++) {
        struct world world = {0};
        begin_primed(&world, guests[i]);
        for (int call = 0; call < 5; call++)
            expect_evidence(observe_json(world.plugin, "{\"a\":1}", 0), "{\"calls\":\"A\",\"freed\":\"@\"}");
        expect_initialised(&world, 1, 5);
        assert_int_equal(count_events(&world, "observed..."), 5);
        assert_false(events_contain(&world.events, "denied"));
        end(&world);
    }
}

/* Half of the time is the call's own. */
static void priming__does_not_take_the_calls_time(void **state) {
    (void)state;
    struct world world = {0};
    begin_primed(&world, "prime_loops");
    expect_evidence(observe_json(world.plugin, "{\"a\":1}", 2000), "{\"calls\":\"A\"");
    end(&world);
}

static void options__of_images_are_checked(void **state) {
    (void)state;
    reglet_runtime *runtime = NULL;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.image_max_age_ms = -1;
    EXPECT(reglet_runtime_new(&options, &runtime, NULL), REGLET_ERR_INVALID_ARGUMENT, NULL);
    options.image_max_age_ms = 0;
    options.image_max_calls = -2;
    EXPECT(reglet_runtime_new(&options, &runtime, NULL), REGLET_ERR_INVALID_ARGUMENT, NULL);
    assert_null(runtime);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image__every_call_starts_where_initialising_ended),
        cmocka_unit_test(image__threads_share_nothing_that_was_written),
        cmocka_unit_test(image__of_a_plugin_whose_state_it_would_not_hold_is_not_used),
        cmocka_unit_test(image__of_a_plugin_that_reads_clock_and_random_is_used),
        cmocka_unit_test(image__randomness_of_a_call_is_its_own),
        cmocka_unit_test(image__keeps_the_flags_that_initialising_set),
        cmocka_unit_test(image__never_has_the_monotonic_clock_run_backwards),
        cmocka_unit_test(image__of_one_runtime_is_not_anothers),
        cmocka_unit_test(image__memory_limits_of_two_runtimes_hold_at_the_same_time),
        cmocka_unit_test(image__can_be_turned_off),
        cmocka_unit_test(image__serves_so_many_calls_and_is_made_anew),
        cmocka_unit_test(image__is_made_anew_on_request),
        cmocka_unit_test(image__is_made_anew_while_others_call),
        cmocka_unit_test(image__serves_so_long_and_is_made_anew),
        cmocka_unit_test(image__belongs_to_one_module),
        cmocka_unit_test(image__slot_of_a_call_that_failed_is_clean),
        cmocka_unit_test(image__nothing_of_another_call_is_found),
        cmocka_unit_test(image__leaves_no_mapping_and_no_descriptor_behind),
        cmocka_unit_test(image__larger_than_files_may_be_is_not_made),
        cmocka_unit_test(options__of_images_are_checked),
    };
    const struct CMUnitTest primed[] = {
        cmocka_unit_test(priming__leaves_what_a_first_call_leaves_and_nobody_hears_of_it),
        cmocka_unit_test(priming__that_reaches_out_draws_or_fails_leaves_no_trace),
        cmocka_unit_test(priming__does_not_take_the_calls_time),
    };
    int failed = cmocka_run_group_tests(primed, NULL, NULL);
    if (REGLET__PRIME) /* the others' guests find what priming left, as they must */
        return failed;
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
