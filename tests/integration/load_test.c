#define _GNU_SOURCE
#include "tests/integration/support.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static reglet_status load_bytes(reglet_runtime *runtime, const char *name, const void *bytes, size_t size,
                                reglet_error **error) {
    reglet_plugin *plugin = NULL;
    reglet_status status = reglet_runtime_load_plugin(runtime, name, bytes, size, NULL, &plugin, error);
    reglet_plugin_unref(plugin);
    return status;
}

static void expect_refused(const void *bytes, size_t size, reglet_status code, const char *part) {
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_error *error = NULL;
    reglet_status status = load_bytes(runtime, "p", bytes, size, &error);
    if (status != code || !strstr(reglet_error_message(error), part))
        fail_msg("expected %s with \"%s\", found %s: %s", reglet_status_name(code), part,
                 reglet_status_name(status), reglet_error_message(error));
    assert_null(strchr(reglet_error_message(error), '\n'));
    reglet_error_free(error);
    reglet_runtime_free(runtime);
}

static void expect_guest_refused(const char *name, reglet_status code, const char *part) {
    struct bytes bytes = read_guest(name);
    expect_refused(bytes.data, bytes.size, code, part);
    free(bytes.data);
}

/* --- Files that are no plugin ---------------------------------------------------------------------------- */

static void load__empty_file_is_refused(void **state) {
    (void)state;
    expect_refused("", 0, REGLET_ERR_INVALID_MODULE, "empty");
}

static void load__truncated_module_is_refused(void **state) {
    (void)state;
    struct bytes bytes = read_guest("file");
    for (size_t size = 1; size < bytes.size; size = size * 3 + 1)
        expect_refused(bytes.data, size, REGLET_ERR_INVALID_MODULE, "module");
    free(bytes.data);
}

static void load__random_bytes_are_refused(void **state) {
    (void)state;
    char bytes[4096];
    unsigned seed = 1;
    for (size_t i = 0; i < sizeof bytes; i++) {
        seed = seed * 1103515245 + 12345;
        bytes[i] = (char)(seed >> 16);
    }
    expect_refused(bytes, sizeof bytes, REGLET_ERR_INVALID_MODULE, "header");
    memcpy(bytes, "\0asm\1\0\0\0", 8);
    expect_refused(bytes, sizeof bytes, REGLET_ERR_INVALID_MODULE, "no valid WebAssembly module");
}

static void load__text_is_refused(void **state) {
    (void)state;
    expect_refused("(module)", 8, REGLET_ERR_INVALID_MODULE, "wat2wasm");
    expect_refused("#!/bin/sh\n", 10, REGLET_ERR_INVALID_MODULE, "header");
}

static void load__native_code_is_refused(void **state) {
    (void)state;
    struct bytes self = read_file("/proc/self/exe");
    expect_refused(self.data, self.size, REGLET_ERR_INVALID_MODULE, "native code");
    free(self.data);
}

static void load__component_that_is_no_plugin_is_refused_with_what_it_exports(void **state) {
    (void)state;
    expect_refused("\0asm\x0d\0\1\0", 8, REGLET_ERR_MISSING_EXPORT,
                   "the component exports nothing; a plugin exports \"reglet:plugin/plugin@1.1.0\"");
}

/* An export that takes a typed function reference, which the engine's C API has no plain name for. */
static void load__types_beyond_the_abi_are_no_reason_to_abort(void **state) {
    (void)state;
    static const unsigned char module[] = {
        0,    'a', 's', 'm',  1,   0,   0,    0,                 /* header */
        1,    9,   2,   0x60, 0,   0,   0x60, 1,   0x63, 0,   0, /* types: () -> (), (ref null 0) -> () */
        3,    2,   1,   1,                                       /* one function of the second type */
        7,    11,  1,   7,    'o', 'b', 's',  'e', 'r',  'v', 'e', 0, 0, /* exported as observe */
        0x0a, 4,   1,   2,    0,   0x0b};
    expect_refused(module, sizeof module, REGLET_ERR_SIGNATURE, "as (reference) -> ()");
}

static void load__file_errors_name_the_path(void **state) {
    (void)state;
    static const char *const paths[] = {"/nonexistent/x.wasm", "/", "/dev/null"};
    static const int errors[] = {ENOENT, EISDIR, 0};
    reglet_runtime *runtime = new_runtime(NULL);
    for (size_t i = 0; i < 3; i++) {
        reglet_plugin *plugin = NULL;
        reglet_error *error = NULL;
        reglet_status status = reglet_runtime_load_plugin_file(runtime, "p", paths[i], NULL, &plugin, &error);
        assert_non_null(strstr(reglet_error_message(error), paths[i]));
        assert_int_equal(reglet_error_errno(error), errors[i]);
        expect_status(status, REGLET_ERR_IO, error, paths[i]);
        assert_null(plugin);
    }
    reglet_runtime_free(runtime);
}

/* A FIFO given as a plugin must not make the load wait for a writer. */
static void load__fifo_is_not_waited_for(void **state) {
    (void)state;
    char path[] = "/tmp/reglet-fifo-XXXXXX";
    int fd = mkstemp(path);
    close(fd);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = NULL;
    reglet_error *error = NULL;
    reglet_status status = reglet_runtime_load_plugin_file(runtime, "p", path, NULL, &plugin, &error);
    expect_status(status, REGLET_ERR_IO, error, path);
    unlink(path);
    reglet_runtime_free(runtime);
}

/* --- Imports and exports --------------------------------------------------------------------------------- */

static void load__unknown_import_is_refused_by_name(void **state) {
    (void)state;
    expect_guest_refused("unknown_import", REGLET_ERR_UNKNOWN_IMPORT, "which this host does not provide");
}

static void load__import_with_another_signature_shows_both(void **state) {
    (void)state;
    expect_guest_refused("import_wrong_signature", REGLET_ERR_SIGNATURE, "this host provides (i64) -> ()");
}

static void load__export_with_another_signature_shows_both(void **state) {
    (void)state;
    expect_guest_refused("wrong_signature", REGLET_ERR_SIGNATURE, "the plugin ABI has (i32, i32) -> (i64)");
}

/* --- Names ----------------------------------------------------------------------------------------------- */

static void load__same_bytes_answer_the_same_plugin(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *first = load_guest(runtime, "counter"), *second = load_guest(runtime, "counter"),
                  *found = NULL;
    assert_ptr_equal(first, second);
    assert_int_equal(reglet_runtime_get_plugin(runtime, "counter", &found, NULL), REGLET_OK);
    assert_ptr_equal(found, first);
    assert_string_equal(reglet_plugin_name(found), "counter");
    reglet_plugin_unref(first);
    reglet_plugin_unref(second);
    reglet_plugin_unref(found);
    reglet_runtime_free(runtime);
}

static void load__other_bytes_under_a_name_are_refused(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "counter");
    struct bytes other = read_guest("file");
    reglet_error *error = NULL;
    reglet_status status = load_bytes(runtime, "counter", other.data, other.size, &error);
    expect_status(status, REGLET_ERR_NAME_TAKEN, error, "load");
    free(other.data);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void load__names_that_would_confuse_are_refused(void **state) {
    (void)state;
    char longest[300];
    memset(longest, 'n', sizeof longest);
    longest[256] = '\0';
    const char *const names[] = {"", "a/b", "a\nb", "a\x7f", "\xff", longest};
    struct bytes bytes = read_guest("counter");
    reglet_runtime *runtime = new_runtime(NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        reglet_error *error = NULL;
        reglet_status status = load_bytes(runtime, names[i], bytes.data, bytes.size, &error);
        expect_status(status, REGLET_ERR_INVALID_ARGUMENT, error, names[i]);
    }
    free(bytes.data);
    reglet_runtime_free(runtime);
}

static void get_plugin__that_is_not_loaded_says_so(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = NULL;
    char *schema = NULL;
    reglet_error *error = NULL;
    EXPECT(reglet_runtime_get_plugin(runtime, "x", &plugin, &error), REGLET_ERR_NOT_LOADED, error);
    error = NULL;
    EXPECT(reglet_runtime_plugin_schema(runtime, "x", &schema, NULL, &error), REGLET_ERR_NOT_LOADED, error);
    assert_null(plugin);
    assert_null(schema);
    reglet_runtime_free(runtime);
}

static void plugin_schema__is_the_plugins_bytes(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "file");
    const reglet_schema *schema = NULL;
    char *raw = NULL;
    size_t size = 0;
    assert_int_equal(reglet_runtime_plugin_schema(runtime, "file", &raw, &size, NULL), REGLET_OK);
    assert_int_equal(reglet_plugin_schema(plugin, NULL, &schema, NULL), REGLET_OK);
    assert_int_equal(size, schema->raw_size);
    assert_memory_equal(raw, schema->raw, size);
    reglet_schema_free(schema);
    reglet_free(raw);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* --- Limits of a load ------------------------------------------------------------------------------------ */

static void load__module_over_the_size_limit_is_refused(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    struct bytes bytes = read_guest("counter");
    reglet_load_options options = REGLET_LOAD_OPTIONS_INIT;
    options.max_module_bytes = (int64_t)bytes.size - 1;
    reglet_plugin *plugin = NULL;
    reglet_error *error = NULL;
    EXPECT(reglet_runtime_load_plugin(runtime, "p", bytes.data, bytes.size, &options, &plugin, &error),
           REGLET_ERR_MODULE_SIZE, error);
    error = NULL;
    EXPECT(reglet_runtime_load_plugin_file(runtime, "p", guest_path("counter"), &options, &plugin, &error),
           REGLET_ERR_MODULE_SIZE, error);
    options.max_module_bytes++;
    error = NULL;
    EXPECT(reglet_runtime_load_plugin(runtime, "p", bytes.data, bytes.size, &options, &plugin, &error),
           REGLET_OK, error);
    reglet_plugin_unref(plugin);
    free(bytes.data);
    reglet_runtime_free(runtime);
}

static void load__deadline_holds_while_it_compiles(void **state) {
    (void)state;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.cache_mode = REGLET_CACHE_NONE;
    reglet_runtime *runtime = new_runtime(&options);
    struct bytes bytes = read_guest("go_v1");
    reglet_load_options load = REGLET_LOAD_OPTIONS_INIT;
    load.timeout_ms = 20;
    reglet_plugin *plugin = NULL;
    reglet_error *error = NULL;
    int64_t begin = now_ms();
    EXPECT(reglet_runtime_load_plugin(runtime, "p", bytes.data, bytes.size, &load, &plugin, &error),
           REGLET_ERR_TIMEOUT, error);
    assert_true(now_ms() - begin < 1000);
    assert_null(plugin);
    /* What was given up does not stand in the way of the next attempt. */
    error = NULL;
    EXPECT(reglet_runtime_load_plugin(runtime, "p", bytes.data, bytes.size, NULL, &plugin, &error), REGLET_OK,
           error);
    reglet_plugin_unref(plugin);
    free(bytes.data);
    reglet_runtime_free(runtime);
}

static void *cancel_soon(void *token) {
    usleep(20000);
    reglet_cancel_token_cancel(token);
    return NULL;
}

static void load__cancel_holds_while_it_compiles(void **state) {
    (void)state;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.cache_mode = REGLET_CACHE_NONE;
    reglet_runtime *runtime = new_runtime(&options);
    struct bytes bytes = read_guest("go_v1");
    reglet_load_options load = REGLET_LOAD_OPTIONS_INIT;
    assert_int_equal(reglet_cancel_token_new(&load.cancel, NULL), REGLET_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, load.cancel), 0);
    reglet_plugin *plugin = NULL;
    reglet_error *error = NULL;
    EXPECT(reglet_runtime_load_plugin(runtime, "p", bytes.data, bytes.size, &load, &plugin, &error),
           REGLET_ERR_CANCELLED, error);
    pthread_join(thread, NULL);
    reglet_cancel_token_unref(load.cancel);
    free(bytes.data);
    reglet_runtime_free(runtime); /* while the compilation still goes on */
}

/* --- Pins ------------------------------------------------------------------------------------------------ */

/* A plugin file that borrows another's name gets nothing of what is granted to that name. */
static void load__module_that_borrows_a_pinned_name_is_refused(void **state) {
    (void)state;
    const reglet_pin pin = {"counter", "0000000000000000000000000000000000000000000000000000000000000000"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.pins = &pin;
    options.pin_count = 1;
    reglet_runtime *runtime = new_runtime(&options);
    struct bytes bytes = read_guest("counter");
    reglet_error *error = NULL;
    reglet_status status = load_bytes(runtime, "counter", bytes.data, bytes.size, &error);
    expect_status(status, REGLET_ERR_PIN_MISMATCH, error, "pinned");
    error = NULL;
    status = load_bytes(runtime, "another", bytes.data, bytes.size, &error);
    expect_status(status, REGLET_OK, error, "not pinned");
    free(bytes.data);
    reglet_runtime_free(runtime);
}

/* --- Replacing ------------------------------------------------------------------------------------------- */

static void replace__handles_answer_from_the_new_module(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime_granting("p", "fs:read:/etc/hosts");
    struct bytes first = read_guest("counter"), second = read_guest("file");
    reglet_plugin *plugin = NULL;
    reglet_error *error = NULL;
    EXPECT(reglet_runtime_load_plugin(runtime, "p", first.data, first.size, NULL, &plugin, &error), REGLET_OK,
           error);
    error = NULL;
    EXPECT(reglet_runtime_replace_plugin(runtime, "p", second.data, second.size, NULL, &error), REGLET_OK,
           error);
    expect_evidence(observe_json(plugin, "{\"path\":\"/etc/hosts\"}", 0), "\"exists\":true");
    error = NULL;
    EXPECT(reglet_runtime_replace_plugin(runtime, "p", "junk", 4, NULL, &error), REGLET_ERR_INVALID_MODULE,
           error);
    expect_evidence(observe_json(plugin, "{\"path\":\"/etc/hosts\"}", 0), "\"exists\":true");
    error = NULL;
    EXPECT(reglet_runtime_replace_plugin(runtime, "q", second.data, second.size, NULL, &error),
           REGLET_ERR_NOT_LOADED, error);
    free(first.data);
    free(second.data);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

struct caller {
    reglet_plugin *plugin;
    reglet_result *result;
};

static void *observe_in_thread(void *argument) {
    struct caller *caller = argument;
    caller->result = observe_json(caller->plugin, NULL, 600);
    return NULL;
}

static void replace__calls_in_flight_finish_on_the_old_module(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    struct bytes old = read_guest("sleep_forever"), new = read_guest("counter");
    struct caller caller = {0};
    reglet_error *error = NULL;
    EXPECT(reglet_runtime_load_plugin(runtime, "p", old.data, old.size, NULL, &caller.plugin, &error),
           REGLET_OK, error);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, observe_in_thread, &caller), 0);
    usleep(100000);
    error = NULL;
    EXPECT(reglet_runtime_replace_plugin(runtime, "p", new.data, new.size, NULL, &error), REGLET_OK, error);
    expect_evidence(observe_json(caller.plugin, NULL, 0), "\"calls\":1");
    pthread_join(thread, NULL);
    expect_plugin_error(caller.result, REGLET_ERR_TIMEOUT, "deadline"); /* it slept on, in the old one */
    free(old.data);
    free(new.data);
    reglet_plugin_unref(caller.plugin);
    reglet_runtime_free(runtime);
}

/* --- Many threads ---------------------------------------------------------------------------------------- */

struct loader {
    reglet_runtime *runtime;
    struct bytes bytes;
    char name[16];
    reglet_plugin *plugin;
    reglet_cancel_token *token;
    reglet_status status;
};

static void *load_in_thread(void *argument) {
    struct loader *loader = argument;
    reglet_runtime_load_plugin(loader->runtime, loader->name, loader->bytes.data, loader->bytes.size, NULL,
                               &loader->plugin, NULL);
    return NULL;
}

static void load_with_threads(bool same_name) {
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.cache_mode = REGLET_CACHE_NONE;
    reglet_runtime *runtime = new_runtime(&options);
    struct bytes bytes = read_guest("file");
    struct loader loaders[8];
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) {
        loaders[i] = (struct loader){.runtime = runtime, .bytes = bytes};
        snprintf(loaders[i].name, sizeof loaders[i].name, "p%d", same_name ? 0 : i);
        assert_int_equal(pthread_create(&threads[i], NULL, load_in_thread, &loaders[i]), 0);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 8; i++) {
        assert_non_null(loaders[i].plugin);
        if (same_name)
            assert_ptr_equal(loaders[i].plugin, loaders[0].plugin);
        else if (i)
            assert_ptr_not_equal(loaders[i].plugin, loaders[0].plugin);
        reglet_plugin_unref(loaders[i].plugin);
    }
    free(bytes.data);
    reglet_runtime_free(runtime);
}

static void load__threads_with_one_name_get_one_plugin(void **state) {
    (void)state;
    load_with_threads(true);
}

static void load__threads_with_different_names_get_their_own(void **state) {
    (void)state;
    load_with_threads(false);
}

/* --- A module that takes minutes to compile ---------------------------------------------------------------- */

/* By the compiler that does not take it easy, and kept nowhere. */
static reglet_runtime *slow_runtime(void) {
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.compiler = REGLET_COMPILER_OPTIMIZING;
    options.cache_mode = REGLET_CACHE_NONE;
    return new_runtime(&options);
}

/* What is given up here still compiles when the process ends; so these come last. */
static void load__minutes_of_compiling_end_at_the_deadline(void **state) {
    (void)state;
    reglet_runtime *runtime = slow_runtime();
    reglet_load_options load = REGLET_LOAD_OPTIONS_INIT;
    load.timeout_ms = 200;
    reglet_plugin *plugin = NULL;
    reglet_error *error = NULL;
    int64_t begin = now_ms();
    EXPECT(reglet_runtime_load_plugin_file(runtime, "p", guest_path("slow_compile"), &load, &plugin, &error),
           REGLET_ERR_TIMEOUT, error);
    assert_in_range(now_ms() - begin, 200, 1000);
    assert_null(plugin);
    reglet_runtime_free(runtime);
}

/* Modules that take minutes, more of them than processors, and given up already: the next load gets its share. */
static void load__slow_modules_do_not_keep_others_waiting(void **state) {
    (void)state;
    reglet_load_options load = REGLET_LOAD_OPTIONS_INIT;
    load.timeout_ms = 50;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    for (long i = 0; i <= processors; i++) {
        reglet_runtime *runtime = slow_runtime();
        reglet_plugin *plugin = NULL;
        reglet_error *error = NULL;
        EXPECT(reglet_runtime_load_plugin_file(runtime, "slow", guest_path("slow_compile"), &load, &plugin,
                                               &error),
               REGLET_ERR_TIMEOUT, error);
        reglet_runtime_free(runtime);
    }
    reglet_runtime *runtime = slow_runtime();
    reglet_plugin *plugin = NULL;
    reglet_error *error = NULL;
    load.timeout_ms = 20000;
    EXPECT(reglet_runtime_load_plugin_file(runtime, "counter", guest_path("counter"), &load, &plugin, &error),
           REGLET_OK, error);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void *load_slowly(void *argument) {
    struct loader *loader = argument;
    reglet_load_options load = REGLET_LOAD_OPTIONS_INIT;
    load.cancel = loader->token;
    loader->status = reglet_runtime_load_plugin_file(loader->runtime, "slow", guest_path("slow_compile"),
                                                     &load, &loader->plugin, NULL);
    return NULL;
}

/* The compiler's threads are shared: with one processor, one such module holds up every other. */
static void load__different_names_compile_side_by_side(void **state) {
    (void)state;
    cpu_set_t processors;
    assert_int_equal(sched_getaffinity(0, sizeof processors, &processors), 0);
    if (CPU_COUNT(&processors) < 2)
        skip();
    struct loader slow = {.runtime = slow_runtime(), .status = REGLET_OK};
    assert_int_equal(reglet_cancel_token_new(&slow.token, NULL), REGLET_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, load_slowly, &slow), 0);
    usleep(100000);
    reglet_plugin_unref(load_guest(slow.runtime, "file"));
    reglet_cancel_token_cancel(slow.token); /* it is still at it */
    pthread_join(thread, NULL);
    assert_int_equal(slow.status, REGLET_ERR_CANCELLED);
    reglet_cancel_token_unref(slow.token);
    reglet_runtime_free(slow.runtime);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load__empty_file_is_refused),
        cmocka_unit_test(load__truncated_module_is_refused),
        cmocka_unit_test(load__random_bytes_are_refused),
        cmocka_unit_test(load__text_is_refused),
        cmocka_unit_test(load__native_code_is_refused),
        cmocka_unit_test(load__component_that_is_no_plugin_is_refused_with_what_it_exports),
        cmocka_unit_test(load__types_beyond_the_abi_are_no_reason_to_abort),
        cmocka_unit_test(load__file_errors_name_the_path),
        cmocka_unit_test(load__fifo_is_not_waited_for),
        cmocka_unit_test(load__unknown_import_is_refused_by_name),
        cmocka_unit_test(load__import_with_another_signature_shows_both),
        cmocka_unit_test(load__export_with_another_signature_shows_both),
        cmocka_unit_test(load__same_bytes_answer_the_same_plugin),
        cmocka_unit_test(load__other_bytes_under_a_name_are_refused),
        cmocka_unit_test(load__names_that_would_confuse_are_refused),
        cmocka_unit_test(get_plugin__that_is_not_loaded_says_so),
        cmocka_unit_test(plugin_schema__is_the_plugins_bytes),
        cmocka_unit_test(load__module_over_the_size_limit_is_refused),
        cmocka_unit_test(load__deadline_holds_while_it_compiles),
        cmocka_unit_test(load__cancel_holds_while_it_compiles),
        cmocka_unit_test(load__module_that_borrows_a_pinned_name_is_refused),
        cmocka_unit_test(replace__handles_answer_from_the_new_module),
        cmocka_unit_test(replace__calls_in_flight_finish_on_the_old_module),
        cmocka_unit_test(load__threads_with_one_name_get_one_plugin),
        cmocka_unit_test(load__threads_with_different_names_get_their_own),
        cmocka_unit_test(load__different_names_compile_side_by_side),
        cmocka_unit_test(load__minutes_of_compiling_end_at_the_deadline),
        cmocka_unit_test(load__slow_modules_do_not_keep_others_waiting), /* last: they go on compiling */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
