#define _GNU_SOURCE
/* Two compilers, and compiled code in files: cold starts, changing over, and files that cannot be trusted. */
#include "support.h"

#include "src/util/variant.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- Caches in folders of their own ------------------------------------------------------------------------ */

struct folder {
    char path[64];
    char cache[80];
};

static int make_folder(void **state) {
    struct folder *folder = calloc(1, sizeof *folder);
    assert_non_null(folder);
    strcpy(folder->path, "/tmp/reglet-code-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    snprintf(folder->cache, sizeof folder->cache, "%s/cache", folder->path);
    *state = folder;
    return 0;
}

static int remove_folder(void **state) {
    struct folder *folder = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s 2>/dev/null", folder->path);
    int failed = system(command); /* code that was being made in the background may just be written */
    for (int tries = 0; failed && tries < 100; tries++) {
        usleep(20000);
        failed = system(command);
    }
    free(folder);
    return failed;
}

/* A cache and a runtime as a new process would make them. */
struct host {
    reglet_cache *cache;
    reglet_runtime *runtime;
    struct events events;
};

static void open_host(struct host *host, const char *directory, reglet_compiler compiler) {
    reglet_cache_options cache = REGLET_CACHE_OPTIONS_INIT;
    cache.directory = directory;
    assert_int_equal(reglet_cache_new(&cache, &host->cache, NULL), REGLET_OK);
    events_init(&host->events);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.cache_mode = REGLET_CACHE_OWN;
    options.cache = host->cache;
    options.compiler = compiler;
    options.log = events_collect;
    options.log_user_data = &host->events;
    host->runtime = new_runtime(&options);
}

static void close_host(struct host *host) {
    reglet_runtime_free(host->runtime);
    reglet_cache_unref(host->cache);
    events_free(&host->events);
}

/* Which code a plugin runs: "fast", "fast from disk", "optimizing", … */
static const char *code_of(reglet_plugin *plugin) {
    static char text[64];
    const reglet_inspection *inspection = NULL;
    assert_int_equal(reglet_plugin_inspect(plugin, NULL, &inspection, NULL), REGLET_OK);
    snprintf(text, sizeof text, "%s%s", inspection->compiler, inspection->from_disk ? " from disk" : "");
    reglet_inspection_free(inspection);
    return text;
}

static const char *code_in_new_host(const struct folder *folder, reglet_compiler compiler,
                                    const char *guest) {
    struct host host;
    open_host(&host, folder->cache, compiler);
    reglet_plugin *plugin = load_guest(host.runtime, guest);
    const char *code = code_of(plugin);
    reglet_plugin_unref(plugin);
    close_host(&host);
    return code;
}

static bool count_entry(void *user_data, const reglet_cache_entry *entry) {
    assert_int_equal(strlen(entry->sha256), 64);
    assert_true(entry->bytes > 0);
    assert_true(entry->used_ms > 0);
    ++*(size_t *)user_data;
    return true;
}

static size_t entries(const struct folder *folder) {
    struct host host;
    size_t count = 0;
    open_host(&host, folder->cache, REGLET_COMPILER_AUTO);
    assert_int_equal(reglet_cache_list(host.cache, count_entry, &count, NULL), REGLET_OK);
    close_host(&host);
    return count;
}

/* The only file of the cache. */
static void only_file(const struct folder *folder, char *out, size_t size) {
    DIR *dir = opendir(folder->cache);
    assert_non_null(dir);
    size_t count = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        if (entry->d_name[0] != '.') {
            snprintf(out, size, "%s/%s", folder->cache, entry->d_name);
            count++;
        }
    closedir(dir);
    assert_int_equal(count, 1);
}

/* Where one compiler alone is forced, there is nothing to change over. */
static void needs_both_compilers(void) {
    if (REGLET__FAST_COMPILER || REGLET__OPTIMIZING_COMPILER)
        skip();
}

/* --- Two compilers ----------------------------------------------------------------------------------------- */

static void expect_changes_over(const struct folder *folder, const char *guest, const char *answer) {
    needs_both_compilers();
    struct host host;
    open_host(&host, folder->cache, REGLET_COMPILER_AUTO);
    reglet_plugin *plugin = load_guest(host.runtime, guest);
    assert_string_equal(code_of(plugin), "fast");
    expect_evidence(observe_json(plugin, NULL, 0), answer);
    reglet_error *error = NULL;
    EXPECT(reglet_plugin_optimize(plugin, NULL, &error), REGLET_OK, error);
    assert_string_equal(code_of(plugin), "optimizing");
    for (int i = 0; i < 3; i++)
        expect_evidence(observe_json(plugin, NULL, 0), answer);
    reglet_plugin_unref(plugin);
    close_host(&host);
}

static void auto__answers_on_the_fast_compiler_and_changes_over_by_itself(void **state) {
    expect_changes_over(*state, "counter", "\"calls\":1");
}

static void auto__components_change_over_too(void **state) {
    expect_changes_over(*state, "first.component", "\"raw\":\"raw\"");
}

/* Calls go on while it changes over, and nothing of one compiler's code reaches an instance of the other's. */
static void auto__calls_in_flight_change_over(void **state) {
    needs_both_compilers();
    struct folder *folder = *state;
    struct host host;
    open_host(&host, folder->cache, REGLET_COMPILER_AUTO);
    reglet_plugin *plugin = load_guest(host.runtime, "counter");
    size_t calls = 0;
    do {
        expect_evidence(observe_json(plugin, NULL, 0), "\"calls\":1");
    } while (strcmp(code_of(plugin), "optimizing") != 0 && ++calls < 100000);
    assert_string_equal(code_of(plugin), "optimizing");
    expect_evidence(observe_json(plugin, NULL, 0), "\"calls\":1");
    reglet_plugin_unref(plugin);
    close_host(&host);
}

/* The compiler has a processor for a second or more; calls do not wait for it. */
static void auto__calls_go_on_while_code_is_optimised(void **state) {
    needs_both_compilers();
    struct folder *folder = *state;
    struct host host;
    open_host(&host, folder->cache, REGLET_COMPILER_AUTO);
    reglet_plugin *plugin = load_guest(host.runtime, "go_v1");
    reglet_result_free(observe_json(plugin, NULL, 0)); /* with it, the optimising begins */
    size_t calls = 0; /* more would only keep the compiler from its processor */
    for (bool fast = true; fast && calls < 500; calls++) {
        reglet_result *result = observe_json(plugin, NULL, 0);
        assert_int_equal(reglet_result_error_code(result), REGLET_OK);
        reglet_result_free(result);
        if (calls % 100 == 99) /* it takes longer than a call */
            fast = strcmp(code_of(plugin), "fast") == 0;
    }
    assert_true(calls > 100);
    reglet_error *error = NULL;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = -1;
    EXPECT(reglet_plugin_optimize(plugin, &call, &error), REGLET_OK, error);
    assert_string_equal(code_of(plugin), "optimizing");
    reglet_plugin_unref(plugin);
    close_host(&host);
}

static void optimize__needs_no_call_before_it(void **state) {
    needs_both_compilers();
    struct folder *folder = *state;
    struct host host;
    open_host(&host, folder->cache, REGLET_COMPILER_AUTO);
    reglet_plugin *plugin = load_guest(host.runtime, "counter");
    reglet_error *error = NULL;
    EXPECT(reglet_plugin_optimize(plugin, NULL, &error), REGLET_OK, error);
    EXPECT(reglet_plugin_optimize(plugin, NULL, &error), REGLET_OK, error);
    assert_string_equal(code_of(plugin), "optimizing");
    reglet_plugin_unref(plugin);
    close_host(&host);
}

static void optimize__ends_at_its_deadline_and_token(void **state) {
    needs_both_compilers();
    struct folder *folder = *state;
    struct host host;
    open_host(&host, folder->cache, REGLET_COMPILER_AUTO);
    reglet_plugin *plugin = load_guest(host.runtime, "slow_compile"); /* minutes, for the optimising one */
    reglet_error *error = NULL;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = 50;
    EXPECT(reglet_plugin_optimize(plugin, &call, &error), REGLET_ERR_TIMEOUT, error);
    call.timeout_ms = 0;
    assert_int_equal(reglet_cancel_token_new(&call.cancel, NULL), REGLET_OK);
    reglet_cancel_token_cancel(call.cancel);
    error = NULL;
    EXPECT(reglet_plugin_optimize(plugin, &call, &error), REGLET_ERR_CANCELLED, error);
    assert_string_equal(code_of(plugin), "fast");
    reglet_cancel_token_unref(call.cancel);
    reglet_plugin_unref(plugin);
    close_host(&host); /* does not wait for the compiler */
}

static void optimize__is_refused_where_the_fast_compiler_was_chosen(void **state) {
    struct folder *folder = *state;
    struct host host;
    open_host(&host, folder->cache, REGLET_COMPILER_FAST);
    reglet_plugin *plugin = load_guest(host.runtime, "counter");
    expect_evidence(observe_json(plugin, NULL, 0), "\"calls\":1");
    assert_string_equal(code_of(plugin), "fast");
    reglet_error *error = NULL;
    EXPECT(reglet_plugin_optimize(plugin, NULL, &error), REGLET_ERR_INVALID_ARGUMENT, error);
    reglet_plugin_unref(plugin);
    close_host(&host);
}

static void optimizing__is_used_from_the_first_call(void **state) {
    assert_string_equal(code_in_new_host(*state, REGLET_COMPILER_OPTIMIZING, "counter"), "optimizing");
}

static void fast__leaves_what_it_does_not_take_to_the_other(void **state) {
    struct folder *folder = *state;
    struct host host;
    open_host(&host, folder->cache, REGLET_COMPILER_FAST);
    reglet_plugin *plugin = load_guest(host.runtime, "tail_call");
    assert_string_equal(code_of(plugin), "optimizing");
    expect_evidence(observe_json(plugin, NULL, 0), "\"data\":{\"a\":1}");
    reglet_plugin_unref(plugin);
    close_host(&host);
}

static void runtime__unknown_compiler_is_refused(void **state) {
    (void)state;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    reglet_runtime *runtime = NULL;
    reglet_error *error = NULL;
    options.compiler = (reglet_compiler)3;
    reglet_status status = reglet_runtime_new(&options, &runtime, &error);
    assert_non_null(strstr(reglet_error_message(error), "compiler is 3"));
    expect_status(status, REGLET_ERR_INVALID_ARGUMENT, error, "reglet_runtime_new");
}

/* --- Code in files ----------------------------------------------------------------------------------------- */

static void files__the_next_process_does_not_compile(void **state) {
    needs_both_compilers();
    struct folder *folder = *state;
    static const char *const guests[] = {"file", "file.component"};
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(code_in_new_host(folder, REGLET_COMPILER_AUTO, guests[i]), "fast");
        assert_string_equal(code_in_new_host(folder, REGLET_COMPILER_AUTO, guests[i]), "fast from disk");
        assert_string_equal(code_in_new_host(folder, REGLET_COMPILER_OPTIMIZING, guests[i]), "optimizing");
        assert_string_equal(code_in_new_host(folder, REGLET_COMPILER_AUTO, guests[i]),
                            "optimizing from disk");
        assert_string_equal(code_in_new_host(folder, REGLET_COMPILER_FAST, guests[i]), "fast from disk");
        assert_int_equal(entries(folder), 2 * (i + 1));
    }
    struct stat st;
    assert_int_equal(stat(folder->cache, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static bool is_mapped(const char *path) {
    char line[1024];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps))
        found = found || strstr(line, path);
    fclose(maps);
    return found;
}

static void expect_mapped(const struct folder *folder, const char *guest, const char *answer) {
    struct host host;
    char path[512];
    code_in_new_host(folder, REGLET_COMPILER_OPTIMIZING, guest);
    only_file(folder, path, sizeof path);
    assert_false(is_mapped(path));
    open_host(&host, folder->cache, REGLET_COMPILER_OPTIMIZING);
    reglet_plugin *plugin = load_guest(host.runtime, guest);
    assert_string_equal(code_of(plugin), "optimizing from disk");
    assert_true(is_mapped(path));
    expect_evidence(observe_json(plugin, NULL, 0), answer);
    reglet_plugin_unref(plugin);
    close_host(&host);
}

static void files__are_mapped_and_not_read(void **state) {
    expect_mapped(*state, "counter", "\"calls\":1");
}

static void files__of_components_are_mapped_and_not_read(void **state) {
    expect_mapped(*state, "first.component", "\"raw\":\"raw\"");
}

static void files__code_from_them_does_the_same(void **state) {
    struct folder *folder = *state;
    static const char *const guests[] = {"counter", "tail_call", "image_counter", "first.component"};
    static const char *const answers[] = {"\"calls\":1", "\"a\":1", "\"word\":\"abcd\"", "\"raw\":\"raw\""};
    for (size_t i = 0; i < 2 * sizeof guests / sizeof *guests; i++) {
        struct host host;
        const char *guest = guests[i / 2];
        if (REGLET__PRIME && strcmp(guest, "image_counter") == 0)
            continue; /* it counts, and finds the call that primed it */
        open_host(&host, folder->cache, REGLET_COMPILER_AUTO);
        reglet_plugin *plugin = load_guest(host.runtime, guest);
        for (int call = 0; call < 3; call++)
            expect_evidence(observe_json(plugin, "{\"path\":\"/\"}", 0), answers[i / 2]);
        assert_false(events_contain(&host.events, "compiled code"));
        reglet_plugin_unref(plugin);
        close_host(&host);
    }
}

/* Writes a byte somewhere in the cache's only file, or cuts it there. */
static void damage(const struct folder *folder, off_t at, bool cut) {
    char path[512];
    only_file(folder, path, sizeof path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    unsigned char byte = 0;
    if (cut) {
        assert_int_equal(ftruncate(fd, at), 0);
    } else {
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
}

static void expect_compiled_again(const struct folder *folder, const char *guest, const char *answer) {
    for (int i = 0; i < 6; i++) {
        code_in_new_host(folder, REGLET_COMPILER_FAST, guest);
        damage(folder, i < 3 ? 64 + 1000 * i : 100 * i, i >= 3);
        struct host host;
        open_host(&host, folder->cache, REGLET_COMPILER_FAST);
        reglet_plugin *plugin = load_guest(host.runtime, guest);
        assert_string_equal(code_of(plugin), "fast");
        expect_evidence(observe_json(plugin, NULL, 0), answer);
        assert_true(events_contain(&host.events, "cache of compiled code: "));
        reglet_plugin_unref(plugin);
        close_host(&host);
        assert_string_equal(code_in_new_host(folder, REGLET_COMPILER_FAST, guest), "fast from disk");
    }
}

static void files__damaged_code_is_compiled_again_and_replaced(void **state) {
    expect_compiled_again(*state, "counter", "\"calls\":1");
}

static void files__damaged_code_of_a_component_is_compiled_again_and_replaced(void **state) {
    expect_compiled_again(*state, "first.component", "\"raw\":\"raw\"");
}

/* Code that others wrote would run with all rights of this process. */
static void files__directory_that_others_may_write_is_not_used(void **state) {
    struct folder *folder = *state;
    code_in_new_host(folder, REGLET_COMPILER_FAST, "counter");
    assert_int_equal(chmod(folder->cache, 0770), 0);
    struct host host;
    open_host(&host, folder->cache, REGLET_COMPILER_FAST);
    reglet_plugin *plugin = load_guest(host.runtime, "counter");
    assert_string_equal(code_of(plugin), "fast");
    assert_true(events_contain(&host.events, "cache of compiled code: "));
    reglet_plugin_unref(plugin);
    close_host(&host);
}

static void files__directory_that_cannot_be_made_costs_only_the_file(void **state) {
    struct folder *folder = *state;
    int fd = open(folder->cache, O_CREAT | O_WRONLY | O_CLOEXEC, 0600); /* a file is in its place */
    assert_true(fd >= 0);
    close(fd);
    struct host host;
    open_host(&host, folder->cache, REGLET_COMPILER_AUTO);
    reglet_plugin *plugin = load_guest(host.runtime, "counter");
    expect_evidence(observe_json(plugin, NULL, 0), "\"calls\":1");
    assert_true(events_contain(&host.events, "cache of compiled code: "));
    reglet_plugin_unref(plugin);
    close_host(&host);
}

/* A plugin that may write everything must not write what later runs as machine code. */
static bool any_file_holds(const struct folder *folder, const char *text) {
    bool found = false;
    DIR *dir = opendir(folder->cache);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char path[sizeof folder->cache + sizeof entry->d_name];
        if (entry->d_type != DT_REG)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder->cache, entry->d_name);
        struct bytes file = read_file(path);
        found |= memmem(file.data, file.size, text, strlen(text)) != NULL;
        free(file.data);
    }
    closedir(dir);
    return found;
}

/* What a plugin read while it initialised may be a secret of this host: it is in its image, in memory, and nowhere else. */
static void files__hold_the_modules_data_and_nothing_of_an_image(void **state) {
    static const char secret[] = "what-only-initialising-knows";
    struct folder *folder = *state;
    struct host host;
    assert_int_equal(setenv("IMAGE_A", secret, 1), 0);
    open_host(&host, folder->cache, REGLET_COMPILER_AUTO);
    reglet_runtime *runtime = host.runtime;
    const reglet_grant grant = {"image_reads_variable", "env:IMAGE_A"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.cache_mode = REGLET_CACHE_OWN;
    options.cache = host.cache;
    options.grants = &grant;
    options.grant_count = 1;
    host.runtime = new_runtime(&options);
    reglet_runtime_free(runtime);
    reglet_plugin *plugin = load_guest(host.runtime, "image_reads_variable");
    for (int i = 0; i < 3; i++)
        expect_evidence(observe_json(plugin, NULL, 0), "\"word\":\"what\"");
    reglet_plugin_optimize(plugin, NULL, NULL); /* where there are two compilers */
    expect_evidence(observe_json(plugin, NULL, 0), "\"word\":\"what\"");
    reglet_plugin_unref(plugin);
    close_host(&host);
    assert_true(any_file_holds(folder, "\"level\":\"INFO\""));
    assert_false(any_file_holds(folder, secret));
}

static void files__no_grant_reaches_them(void **state) {
    struct folder *folder = *state;
    code_in_new_host(folder, REGLET_COMPILER_AUTO, "file");
    char path[512], config[640];
    only_file(folder, path, sizeof path);
    reglet_cache_options cache = REGLET_CACHE_OPTIONS_INIT;
    cache.directory = folder->cache;
    const reglet_grant grant = {"file", "fs:read:/**"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.cache_mode = REGLET_CACHE_OWN;
    assert_int_equal(reglet_cache_new(&cache, &options.cache, NULL), REGLET_OK);
    options.grants = &grant;
    options.grant_count = 1;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "file");
    snprintf(config, sizeof config, "{\"path\":\"%s\"}", path);
    expect_evidence(observe_json(plugin, config, 0), "permission denied");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    reglet_cache_unref(options.cache);
}

static void cache__memory_only_keeps_no_files(void **state) {
    (void)state;
    reglet_cache_options options = REGLET_CACHE_OPTIONS_INIT;
    options.memory_only = true;
    reglet_cache *cache = NULL;
    assert_int_equal(reglet_cache_new(&options, &cache, NULL), REGLET_OK);
    assert_null(reglet_cache_directory(cache));
    size_t count = 0;
    assert_int_equal(reglet_cache_list(cache, count_entry, &count, NULL), REGLET_OK);
    assert_int_equal(count, 0);
    reglet_cache_unref(cache);
}

static void cache__relative_directory_is_refused(void **state) {
    (void)state;
    reglet_cache_options options = REGLET_CACHE_OPTIONS_INIT;
    options.directory = "cache";
    reglet_cache *cache = NULL;
    reglet_error *error = NULL;
    reglet_status status = reglet_cache_new(&options, &cache, &error);
    assert_string_equal(reglet_error_message(error),
                        "cache options: directory is \"cache\"; it must be an absolute path");
    expect_status(status, REGLET_ERR_INVALID_ARGUMENT, error, "reglet_cache_new");
}

static void cache__prune_removes_what_it_is_told(void **state) {
    struct folder *folder = *state;
    code_in_new_host(folder, REGLET_COMPILER_FAST, "counter");
    code_in_new_host(folder, REGLET_COMPILER_FAST, "file");
    struct host host;
    open_host(&host, folder->cache, REGLET_COMPILER_FAST);
    reglet_cache_prune_options options = REGLET_CACHE_PRUNE_OPTIONS_INIT;
    reglet_cache_pruned pruned = {9, 9};
    assert_int_equal(reglet_cache_prune(host.cache, NULL, &pruned, NULL), REGLET_OK);
    assert_int_equal(pruned.files, 0);
    options.max_age_ms = 3600 * 1000;
    assert_int_equal(reglet_cache_prune(host.cache, &options, &pruned, NULL), REGLET_OK);
    assert_int_equal(pruned.files, 0);
    options.all = true;
    assert_int_equal(reglet_cache_prune(host.cache, &options, &pruned, NULL), REGLET_OK);
    assert_int_equal(pruned.files, 2);
    assert_true(pruned.bytes > 0);
    close_host(&host);
    assert_int_equal(entries(folder), 0);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        in_folder(auto__answers_on_the_fast_compiler_and_changes_over_by_itself),
        in_folder(auto__components_change_over_too),
        in_folder(auto__calls_in_flight_change_over),
        in_folder(auto__calls_go_on_while_code_is_optimised),
        in_folder(optimize__needs_no_call_before_it),
        in_folder(optimize__is_refused_where_the_fast_compiler_was_chosen),
        in_folder(optimizing__is_used_from_the_first_call),
        in_folder(fast__leaves_what_it_does_not_take_to_the_other),
        cmocka_unit_test(runtime__unknown_compiler_is_refused),
        in_folder(files__the_next_process_does_not_compile),
        in_folder(files__are_mapped_and_not_read),
        in_folder(files__of_components_are_mapped_and_not_read),
        in_folder(files__code_from_them_does_the_same),
        in_folder(files__damaged_code_is_compiled_again_and_replaced),
        in_folder(files__damaged_code_of_a_component_is_compiled_again_and_replaced),
        in_folder(files__directory_that_others_may_write_is_not_used),
        in_folder(files__directory_that_cannot_be_made_costs_only_the_file),
        in_folder(files__hold_the_modules_data_and_nothing_of_an_image),
        in_folder(files__no_grant_reaches_them),
        cmocka_unit_test(cache__memory_only_keeps_no_files),
        cmocka_unit_test(cache__relative_directory_is_refused),
        in_folder(cache__prune_removes_what_it_is_told),
        in_folder(optimize__ends_at_its_deadline_and_token), /* what it leaves compiles on: it comes last */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
