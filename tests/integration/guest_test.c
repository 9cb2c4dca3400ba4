/* What plugin authors are promised: the examples of docs/writing-plugins.md, libc as it is, and calls made one by one. */
#define _GNU_SOURCE
#include "tests/integration/support.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- A directory for each test ---------------------------------------------------------------------------- */

static char directory[64];

static int make_directory(void **state) {
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/reglet-guest-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int remove_directory(void **state) {
    (void)state;
    return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *below(const char *name) {
    static char paths[4][128];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Observes with a guest of that name, under one grant below the test's directory, and expects a part of the result. */
static void expect_with(const char *guest, const char *kind, const char *pattern, const char *config,
                        const char *part) {
    char grant[256];
    snprintf(grant, sizeof grant, "%s:%s%s", kind, directory, pattern);
    reglet_runtime *runtime = new_runtime_granting(guest, grant);
    reglet_plugin *plugin = load_guest(runtime, guest);
    expect_evidence(observe_json(plugin, config, 0), part);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* {"path": <path><rest>: the rest begins inside the string. */
static const char *with_path(const char *path, const char *rest) {
    static char config[1024];
    snprintf(config, sizeof config, "{\"path\":\"%s%s", path, rest);
    return config;
}

/* --- The examples of the docs ----------------------------------------------------------------------------- */

static void docs__example_in_c_observes(void **state) {
    (void)state;
    const struct timespec old[2] = {{time(NULL) - 36 * 3600, 0}, {time(NULL) - 36 * 3600, 0}};
    write_file(below("dump"), "backup");
    expect_with("backup_age", "fs:read", "/dump", with_path(below("dump"), "\"}"), "\"fresh\":true");
    assert_int_equal(utimensat(AT_FDCWD, below("dump"), old, 0), 0);
    expect_with("backup_age", "fs:read", "/dump", with_path(below("dump"), "\"}"), "\"fresh\":false");
    expect_with("backup_age", "fs:read", "/other", with_path(below("dump"), "\"}"),
                "it needs the grant fs:read:/tmp/reglet-guest-");
}

#ifdef REGLET_HAVE_GO
static void docs__example_in_go_observes(void **state) {
    (void)state;
    write_file(below("passwd"), "root:x:0:0:root:/root:/bin/sh\nbin:x:2:2:bin:/bin:/usr/sbin/nologin\n");
    expect_with("login_users", "fs:read", "/passwd", with_path(below("passwd"), "\"}"),
                "{\"count\":1,\"users\":[\"root\"]}");
}
#endif

/* --- A C library as it is --------------------------------------------------------------------------------- */

static void libc__works_as_programs_expect(void **state) {
    (void)state;
    static const char *const checks[] = {"fopen modes",
                                         "descriptors",
                                         "directories",
                                         "telldir and seekdir",
                                         "a large directory",
                                         "names and links",
                                         "times",
                                         "waiting",
                                         "random"};
    struct events events;
    events_init(&events);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.log = events_collect;
    options.log_user_data = &events;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "libc_check");
    const reglet_preopen preopen = {directory, "/"};
    const char *const root = "/";
    reglet_command_options command = REGLET_COMMAND_OPTIONS_INIT;
    command.args = &root;
    command.arg_count = 1;
    command.preopens = &preopen;
    command.preopen_count = 1;
    uint32_t exit_code = 0;
    reglet_error *error = NULL;
    EXPECT(reglet_plugin_run_command(plugin, &command, &exit_code, &error), REGLET_OK, error);
    if (exit_code != 0)
        fail_msg("%u checks failed: %s", exit_code, events.text);
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        char line[64];
        snprintf(line, sizeof line, "%s: ok", checks[i]);
        if (!events_contain(&events, line))
            fail_msg("%s is wrong: %s", checks[i], events.text);
    }
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    events_free(&events);
}

/* --- Files, call by call ---------------------------------------------------------------------------------- */

static void fsprobe__leak_of_descriptors_ends_at_the_limit(void **state) {
    (void)state;
    write_file(below("f"), "x");
    char grant[256];
    snprintf(grant, sizeof grant, "fs:read:%s/**", directory);
    reglet_runtime *runtime = new_runtime_granting("fsprobe", grant);
    reglet_plugin *plugin = load_guest(runtime, "fsprobe");
    for (int call = 0; call < 3; call++)
        expect_plugin_error(
            observe_json(plugin, with_path(below("f"), "\",\"op\":\"open\",\"repeat\":10000}"), 0),
            REGLET_ERR_FILE_LIMIT, "path_open passed max_open_files: more than 256 files open at once");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void fsprobe__what_exists_and_what_does_not_are_denied_alike(void **state) {
    (void)state;
    static const char *const operations[] = {"open",   "read_file", "stat",  "readlink",
                                             "unlink", "rmdir",     "mkdir", "utimens"};
    write_file(below("secret"), "x");
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        char config[512], expected[128];
        snprintf(config, sizeof config,
                 "{\"steps\":[{\"op\":\"%s\",\"path\":\"%s\"},{\"op\":\"%s\",\"path\":\"%s\"}]}",
                 operations[i], below("secret"), operations[i], below("nothing"));
        snprintf(expected, sizeof expected,
                 "[{\"op\":\"%s\",\"errno\":\"EACCES\",\"errno_number\":2},"
                 "{\"op\":\"%s\",\"errno\":\"EACCES\",\"errno_number\":2}]",
                 operations[i], operations[i]);
        expect_with("fsprobe", "fs:read", "/granted", config, expected);
    }
    assert_int_equal(access(below("secret"), F_OK), 0);
}

static void fsprobe__nul_in_a_path_never_opens_what_stands_before_it(void **state) {
    (void)state;
    write_file(below("f"), "x");
    expect_with("fsprobe", "fs:read", "/**", with_path(below("f"), "\\u0000x\",\"op\":\"open\"}"),
                "\"errno\":\"EINVAL\"");
}

static void fsprobe__hard_link_of_a_readable_file_is_not_written_through(void **state) {
    (void)state;
    write_file(below("readable"), "kept");
    assert_int_equal(mkdir(below("w"), 0755), 0);
    char config[1024];
    snprintf(
        config, sizeof config,
        "{\"steps\":[{\"op\":\"link\",\"path\":\"%s\",\"path2\":\"%s\"},"
        "{\"op\":\"write_file\",\"path\":\"%s\",\"access\":\"write\",\"oflags\":[\"trunc\"],\"text\":\"gone\"}]}",
        below("readable"), below("w/link"), below("w/link"));
    expect_with("fsprobe", "fs:write", "/w/**", config, "{\"op\":\"link\",\"errno\":\"EACCES\"");
    struct bytes bytes = read_file(below("readable"));
    assert_int_equal(bytes.size, 4);
    assert_memory_equal(bytes.data, "kept", 4);
    free(bytes.data);
}

/* --- What the embedding program keeps to itself ------------------------------------------------------------ */

/* A broad write grant around the program's own files: neither they nor a link on the way to them can be touched. */
static void fsprobe__protected_path_and_the_links_that_lead_to_it_stay(void **state) {
    (void)state;
    char config[1024], own[160], grant[128];
    assert_int_equal(mkdir(below("real"), 0755), 0);
    write_file(below("real/key"), "kept");
    assert_int_equal(symlink("real", below("link")), 0);
    snprintf(own, sizeof own, "%s", below("link/key"));
    snprintf(grant, sizeof grant, "fs:write:%s/**", directory);
    const reglet_grant grants[] = {{"fsprobe", grant}};
    const char *const paths[] = {own};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = grants;
    options.grant_count = 1;
    options.protected_paths = paths;
    options.protected_path_count = 1;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "fsprobe");
    static const char *const tries[][2] = {
        {"unlink", "real/key"}, {"unlink", "link"}, {"unlink", "link/key"}};
    for (size_t i = 0; i < 3; i++) {
        snprintf(config, sizeof config, "{\"op\":\"%s\",\"path\":\"%s\"}", tries[i][0], below(tries[i][1]));
        expect_evidence(observe_json(plugin, config, 0), "EACCES");
    }
    snprintf(config, sizeof config, "{\"op\":\"rename\",\"path\":\"%s\",\"path2\":\"%s\"}", below("real"),
             below("gone"));
    expect_evidence(observe_json(plugin, config, 0), "EACCES");
    assert_int_equal(access(own, R_OK), 0);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    const char *const empty[] = {""};
    options.protected_paths = empty;
    reglet_error *error = NULL;
    runtime = NULL;
    EXPECT(reglet_runtime_new(&options, &runtime, &error), REGLET_ERR_INVALID_ARGUMENT, error);
}

/* --- The target swapped while it is being opened ---------------------------------------------------------- */

struct swapper {
    bool active;
    char file[128], spare[128];
};

static void *swap(void *argument) {
    struct swapper *swapper = argument;
    while (__atomic_load_n(&swapper->active, __ATOMIC_RELAXED)) {
        if (symlink("../secret", swapper->spare) == 0)
            rename(swapper->spare, swapper->file);
        int fd = open(swapper->spare, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (fd >= 0 && close(fd) == 0)
            rename(swapper->spare, swapper->file);
    }
    return NULL;
}

static void fsprobe__file_swapped_for_a_link_while_opened_leaks_nothing(void **state) {
    (void)state;
    struct swapper swapper = {.active = true};
    pthread_t thread;
    assert_int_equal(mkdir(below("d"), 0755), 0);
    write_file(below("secret"), "forbidden fruit");
    snprintf(swapper.file, sizeof swapper.file, "%s", below("d/f"));
    snprintf(swapper.spare, sizeof swapper.spare, "%s", below("d/spare"));
    assert_int_equal(pthread_create(&thread, NULL, swap, &swapper), 0);
    expect_with("fsprobe", "fs:read", "/d/**",
                with_path(swapper.file, "\",\"op\":\"read_file\",\"follow\":true,\"repeat\":5000,"
                                        "\"forbidden\":\"forbidden\"}"),
                "\"leaked\":0");
    __atomic_store_n(&swapper.active, false, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(docs__example_in_c_observes),
#ifdef REGLET_HAVE_GO
        TEST(docs__example_in_go_observes),
#endif
        TEST(libc__works_as_programs_expect),
        TEST(fsprobe__leak_of_descriptors_ends_at_the_limit),
        TEST(fsprobe__what_exists_and_what_does_not_are_denied_alike),
        TEST(fsprobe__nul_in_a_path_never_opens_what_stands_before_it),
        TEST(fsprobe__hard_link_of_a_readable_file_is_not_written_through),
        TEST(fsprobe__protected_path_and_the_links_that_lead_to_it_stay),
        TEST(fsprobe__file_swapped_for_a_link_while_opened_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
