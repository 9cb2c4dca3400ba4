/* A preopen of the operator's own: everything below it, nothing beside it. And the literal part of grants. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/wasi_fixture.h"

static char content[4096];

/* Descriptor 3 is the directory "in"; "out" lies beside it. */
static struct reglet__wasi_preopen preopen;

static void open_preopen(struct world *world, const char *path) {
    preopen = (struct reglet__wasi_preopen){.guest_path = "/work", .unrestricted = true};
    preopen.fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(preopen.fd >= 0);
    world->options.root_preopen = false;
    world->options.preopens = &preopen;
    world->options.preopen_count = 1;
    world_start(world);
    close(preopen.fd);
}

static void make_tree(struct world *world) {
    host_mkdir(world, "in");
    host_mkdir(world, "in/sub");
    host_write(world, "in/file", "inside");
    host_mkdir(world, "out");
    host_write(world, "out/secret", "secret");
    open_preopen(world, host_path(world, "in"));
}

#define READ(path) guest_read_path(world, path, content, sizeof content)

static void preopen__all_below_it_may_be_read_and_written(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_tree(world);
    assert_int_equal(READ("file"), 0);
    assert_string_equal(content, "inside");
    assert_int_equal(READ("sub/.././/sub/../file"), 0);
    assert_int_equal(READ("missing"), WASI_ENOENT);
    assert_int_equal(guest_open(world, ROOT, "new", WASI_OFLAG_CREAT, WASI_RIGHTS_ALL, 0, &fd), 0);
    assert_int_equal(guest_write(world, fd, "written"), 0);
    assert_string_equal(host_read(world, "in/new"), "written");
    assert_int_equal(guest_rename(world, "new", "sub/moved"), 0);
    assert_int_equal(guest_link(world, "sub/moved", "hard"), 0);
    assert_int_equal(guest_symlink(world, "sub/moved", "soft"), 0);
    assert_int_equal(READ("soft"), 0);
    assert_int_equal(guest_readlink(world, "soft", content, sizeof content), 0);
    assert_int_equal(guest_link(world, "soft", "soft2"), 0);
    assert_int_equal(guest_rename(world, "sub", "renamed"), 0);
    assert_int_equal(guest_one(world, reglet__preview1_path_unlink_file, "hard"), 0);
    assert_int_equal(guest_one(world, reglet__preview1_path_create_directory, "made"), 0);
    assert_int_equal(guest_one(world, reglet__preview1_path_remove_directory, "made"), 0);
    assert_int_equal(guest_list(world, ROOT, 100, content, sizeof content), 0);
    assert_string_equal(content, ". .. file renamed soft soft2 ");
    assert_int_equal(world->denials.size, 0);
}

static void preopen__nothing_beside_it_is_reached(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_tree(world);
    host_symlink(world, "../out", "in/way");
    host_symlink(world, "$/out/secret", "in/absolute");
    static const char *const paths[] = {"..",          "../out/secret",      "sub/../../out/secret",
                                        "/etc/passwd", "way/secret",         "absolute",
                                        "../in/file",  "../../../etc/passwd"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        assert_int_equal(READ(paths[i]), WASI_EPERM);
        assert_int_equal(guest_stat(world, paths[i], true), WASI_EPERM);
    }
    assert_int_equal(guest_open(world, ROOT, "../out/x", WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd), WASI_EPERM);
    assert_int_equal(guest_rename(world, "file", "../out/x"), WASI_EPERM);
    assert_int_equal(guest_rename(world, "way/secret", "x"), WASI_EPERM);
    assert_int_equal(guest_link(world, "way/secret", "x"), WASI_EPERM);
    assert_int_equal(guest_link(world, "file", "way/x"), WASI_EPERM);
    assert_int_equal(guest_symlink(world, "/etc/passwd", "x"), WASI_EPERM);
    assert_int_equal(guest_one(world, reglet__preview1_path_unlink_file, "way/secret"), WASI_EPERM);
    assert_int_equal(guest_one(world, reglet__preview1_path_create_directory, "way/x"), WASI_EPERM);
    assert_int_equal(guest_one(world, reglet__preview1_path_remove_directory, ".."), WASI_ENOTEMPTY);
    assert_true(host_exists(world, "out/secret") && !host_exists(world, "out/x"));
}

static void preopen__fifos_and_the_processs_memory_are_not_opened(void **state) {
    struct world *world = *state;
    make_tree(world);
    assert_int_equal(mkfifo(host_path(world, "in/fifo"), 0600), 0);
    assert_int_equal(READ("fifo"), WASI_EACCES);
    open_preopen(world, "/");
    assert_int_equal(READ("proc/self/mem"), WASI_EACCES);
    assert_int_equal(READ("proc/version"), WASI_EACCES);
    assert_int_equal(READ("dev/full"), WASI_EACCES);
    assert_int_equal(READ("dev/null"), 0);
    assert_int_equal(READ("etc/passwd"), 0);
}

static void preopen__dangling_links_are_not_created_through(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_tree(world);
    host_symlink(world, "../out/planted", "in/out");
    host_symlink(world, "planted", "in/inside");
    assert_int_equal(guest_open(world, ROOT, "out", WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd), WASI_EPERM);
    assert_int_equal(guest_open(world, ROOT, "inside", WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd), WASI_ELOOP);
    assert_false(host_exists(world, "out/planted") || host_exists(world, "in/planted"));
}

static void preopen__mixes_with_the_policys_root(void **state) {
    struct world *world = *state;
    uint32_t fd;
    host_mkdir(world, "in");
    host_write(world, "in/file", "inside");
    host_write(world, "secret", "secret");
    preopen = (struct reglet__wasi_preopen){.guest_path = "/in", .unrestricted = true};
    preopen.fd = open(host_path(world, "in"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    world->options.preopens = &preopen;
    world->options.preopen_count = 1;
    world_start(world);
    close(preopen.fd);
    assert_int_equal(guest_open(world, ROOT + 1, "file", 0, READ_RIGHTS, 0, &fd), 0);
    assert_int_equal(READ("$/in/file"), WASI_EACCES);
    assert_int_equal(CALL(world, fd_prestat_get, 4, AT_STAT), 0);
    assert_int_equal(CALL(world, fd_prestat_dir_name, 4, AT_STAT, 3), 0);
    assert_memory_equal(world->guest->memory + AT_STAT, "/in", 3);
    uint32_t size = put_path(world, AT_PATH, "$/secret"), other = put_path(world, AT_OTHER_PATH, "x");
    assert_int_equal(CALL(world, path_link, ROOT, 0, AT_PATH, size, ROOT + 1, AT_OTHER_PATH, other),
                     WASI_EACCES);
    assert_int_equal(CALL(world, path_rename, ROOT, AT_PATH, size, ROOT + 1, AT_OTHER_PATH, other),
                     WASI_EACCES);
}

/* --- what is the host's own --- */

/* "in/a/own" with a file is protected, and so is "in/later/own", which is not there. */
static void make_kept_tree(struct world *world) {
    static const char *const kept[] = {"in/a/own", "in/later/own"};
    host_mkdir(world, "in");
    host_mkdir(world, "in/a");
    host_mkdir(world, "in/a/own");
    host_mkdir(world, "in/dir");
    host_write(world, "in/a/own/code", "code");
    host_write(world, "in/a/file", "inside");
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        assert_int_equal(reglet__policy_protect(world->policy, host_path(world, kept[i])), REGLET_OK);
    open_preopen(world, host_path(world, "in"));
}

#define ONE(function, path) guest_one(world, reglet__preview1_##function, path)

static void kept__is_neither_looked_at_nor_opened_nor_listed(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_kept_tree(world);
    host_symlink(world, "a/own/code", "in/link");
    static const char *const paths[] = {"a/own", "a/own/code", "a/../a/own/./code", "link"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        assert_int_equal(READ(paths[i]), WASI_EACCES);
        assert_int_equal(guest_stat(world, paths[i], true), WASI_EACCES);
        assert_int_equal(guest_open(world, ROOT, paths[i], WASI_OFLAG_TRUNC, WRITE_RIGHTS, 0, &fd),
                         WASI_EACCES);
        assert_int_equal(guest_open(world, ROOT, paths[i], 0, WASI_RIGHTS_ALL, 0, &fd), WASI_EACCES);
        assert_int_equal(guest_open(world, ROOT, paths[i], WASI_OFLAG_DIRECTORY, READ_RIGHTS, 0, &fd),
                         WASI_EACCES);
    }
    assert_string_equal(host_read(world, "in/a/own/code"), "code");
    assert_int_equal(guest_open(world, ROOT, "a", WASI_OFLAG_DIRECTORY, READ_RIGHTS, 0, &fd), 0);
    assert_int_equal(guest_list(world, fd, 100, content, sizeof content), 0);
    assert_string_equal(content, ". .. file ");
    assert_non_null(strstr(world->denials.data,
                           "/in/a/own/code||it is the host's own, also below a preopened directory\n"));
}

static void kept__nothing_is_made_in_it_removed_or_moved(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_kept_tree(world);
    assert_int_equal(guest_open(world, ROOT, "a/own/new", WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd),
                     WASI_EACCES);
    assert_int_equal(ONE(path_create_directory, "a/own/new"), WASI_EACCES);
    assert_int_equal(ONE(path_unlink_file, "a/own/code"), WASI_EACCES);
    assert_int_equal(ONE(path_remove_directory, "a/own"), WASI_EACCES);
    assert_int_equal(guest_symlink(world, "../file", "a/own/new"), WASI_EACCES);
    assert_int_equal(guest_link(world, "a/own/code", "hard"), WASI_EACCES);
    assert_int_equal(guest_link(world, "a/file", "a/own/new"), WASI_EACCES);
    assert_int_equal(guest_rename(world, "a/own/code", "out"), WASI_EACCES);
    assert_int_equal(guest_rename(world, "a/file", "a/own/code"), WASI_EACCES);
    assert_int_equal(guest_rename(world, "a/own", "moved"), WASI_EACCES);
    assert_int_equal(guest_rename(world, "dir", "a/own"), WASI_EACCES);
    assert_string_equal(host_read(world, "in/a/own/code"), "code");
    assert_false(host_exists(world, "in/a/own/new") || host_exists(world, "in/hard"));
}

/* Another directory in the place of one that leads to it would be taken for it. */
static void kept__what_holds_it_stays_where_it_is(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_kept_tree(world);
    assert_int_equal(guest_rename(world, "a", "moved"), WASI_EACCES);
    assert_non_null(strstr(world->denials.data,
                           "/in/a||it holds files of the host's own, also below a preopened directory\n"));
    assert_int_equal(guest_rename(world, "dir", "a"), WASI_EACCES);
    assert_int_equal(guest_rename(world, "dir", "dir/../a/"), WASI_EACCES);
    assert_int_equal(ONE(path_remove_directory, "a"), WASI_EACCES);
    assert_int_equal(guest_rename(world, "dir", "later"), WASI_EACCES);
    assert_int_equal(guest_symlink(world, "dir", "later"), WASI_EACCES);
    assert_int_equal(guest_open(world, ROOT, "later", WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd), WASI_EACCES);
    assert_true(host_exists(world, "in/a/own/code") && host_exists(world, "in/dir"));
    assert_false(host_exists(world, "in/later"));
}

static void kept__all_beside_it_goes_on(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_kept_tree(world);
    assert_int_equal(READ("a/file"), 0);
    assert_int_equal(guest_stat(world, "a", true), 0);
    uint32_t size = put_path(world, AT_PATH, "a");
    assert_int_equal(CALL(world, path_filestat_set_times, ROOT, 0, AT_PATH, size, 0, 1, WASI_FSTFLAG_MTIM),
                     0);
    assert_int_equal(guest_rename(world, "a/file", "dir/file"), 0);
    assert_int_equal(guest_link(world, "dir/file", "a/own2"), 0);
    assert_int_equal(guest_rename(world, "dir", "a/dir"), 0);
    assert_int_equal(ONE(path_create_directory, "a/ow"), 0);
    assert_int_equal(guest_open(world, ROOT, "a/new (deleted)", WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd), 0);
    assert_int_equal(READ("a/new (deleted)"), 0);
    assert_int_equal(world->denials.size, 0);
}

static void kept__an_unlinked_file_goes_on_working(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_kept_tree(world);
    assert_int_equal(guest_open(world, ROOT, "temporary", WASI_OFLAG_CREAT, WASI_RIGHTS_ALL, 0, &fd), 0);
    assert_int_equal(ONE(path_unlink_file, "temporary"), 0);
    assert_int_equal(guest_write(world, fd, "text"), 0);
    assert_int_equal(CALL(world, fd_filestat_set_times, fd, 0, 1, WASI_FSTFLAG_MTIM), 0);
    assert_int_equal(guest_open(world, ROOT, "dir", WASI_OFLAG_DIRECTORY, READ_RIGHTS, 0, &fd), 0);
    assert_int_equal(ONE(path_remove_directory, "dir"), 0);
    assert_int_equal(guest_list(world, fd, 100, content, sizeof content),
                     WASI_ENOENT); /* the kernel: nothing is in it any more */
    assert_int_equal(world->denials.size, 0);
}

/* What the kernel marks as deleted may be there all the same, on file systems that are shared. */
static void kept__the_mark_of_deleted_opens_nothing(void **state) {
    struct world *world = *state;
    make_kept_tree(world);
    host_write(world, "in/a/own (deleted)", "text");
    assert_int_equal(READ("a/own (deleted)"), WASI_EACCES);
}

static void kept__a_path_that_cannot_be_learned_is_refused(void **state) {
    struct world *world = *state;
    char name[201];
    make_kept_tree(world);
    memset(name, 'd', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    int at = open(host_path(world, "in/dir"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (int depth = 0; depth < 21; depth++) { /* 4,200 bytes */
        assert_int_equal(mkdirat(at, name, 0700), 0);
        int next = openat(at, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        close(at);
        at = next;
    }
    preopen = (struct reglet__wasi_preopen){.fd = at, .guest_path = "/work", .unrestricted = true};
    world_start(world);
    close(at);
    assert_int_equal(guest_stat(world, ".", true), WASI_EACCES);
    assert_int_equal(ONE(path_create_directory, "new"), WASI_EACCES);
    assert_non_null(strstr(world->denials.data, "(no path)"));
}

static void kept__is_told_of_a_directory_before_it_is_preopened(void **state) {
    struct world *world = *state;
    static const struct {
        const char *path;
        bool kept;
    } directories[] = {{"in", false}, {"in/a", false}, {"in/a/own", true}, {"in/way", true}};
    make_kept_tree(world);
    host_symlink(world, "a/own", "in/way");
    for (size_t i = 0; i < ARRAY_LEN(directories); i++) {
        int fd = open(host_path(world, directories[i].path), O_PATH | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(reglet__wasi_is_kept(world->options.host, world->policy, fd), directories[i].kept);
        close(fd);
    }
}

/* --- the literal part of grants --- */

static void grant__goes_through_the_links_that_are_there(void **state) {
    struct world *world = *state;
    host_mkdir(world, "real");
    host_mkdir(world, "real/sub");
    host_write(world, "real/sub/file", "granted");
    host_symlink(world, "real", "one");
    host_symlink(world, "one/sub", "two");
    host_symlink(world, "../two/../sub/file", "real/last");
    world_grant(world, "fs:read:$/two/**");
    assert_int_equal(READ("$/two/file"), 0);
    assert_int_equal(READ("$/real/sub/file"), 0);
    assert_int_equal(guest_readlink(world, "$/two", content, sizeof content), 0);
    assert_int_equal(guest_readlink(world, "$/one", content, sizeof content), 0);
    assert_int_equal(guest_readlink(world, "$/real/last", content, sizeof content), WASI_EACCES);
}

static void grant__of_a_link_is_one_of_what_it_leads_to(void **state) {
    struct world *world = *state;
    host_mkdir(world, "real");
    host_write(world, "real/file", "granted");
    host_write(world, "real/other", "secret");
    host_symlink(world, "real/file", "link");
    world_grant(world, "fs:read:$/link");
    assert_int_equal(READ("$/link"), 0);
    assert_string_equal(content, "granted");
    assert_int_equal(READ("$/real/other"), WASI_EACCES);
}

static void grant__of_what_does_not_exist_stays_as_it_is_written(void **state) {
    struct world *world = *state;
    host_mkdir(world, "real");
    host_symlink(world, "real", "link");
    world_grant(world, "fs:read:$/link/later/file");
    assert_int_equal(READ("$/link/later/file"), WASI_ENOENT);
    host_mkdir(world, "real/later");
    host_write(world, "real/later/file", "granted");
    assert_int_equal(READ("$/link/later/file"), 0);
}

static void grant__through_a_loop_matches_nothing_that_is_there(void **state) {
    struct world *world = *state;
    host_symlink(world, "loop", "loop");
    world_grant(world, "fs:read:$/loop/x");
    assert_int_equal(READ("$/loop/x"), WASI_ELOOP);
    assert_int_equal(READ("$/other"), WASI_EACCES);
}

static reglet_status resolve(const char *text, const char *working_directory) {
    struct reglet__capability *capability;
    reglet_error *error = NULL;
    assert_int_equal(reglet__capability_parse(text, &capability, NULL), REGLET_OK);
    reglet_status status = reglet__wasi_resolve_grant(capability, working_directory, &error);
    assert_int_equal(error != NULL, status != REGLET_OK);
    reglet_error_free(error);
    reglet__capability_free(capability);
    return status;
}

static void grant__too_long_once_resolved_is_refused(void **state) {
    struct world *world = *state;
    char grant[4000] = "fs:read:", directory[400];
    (void)world;
    for (size_t length = strlen(grant); length + 2 < sizeof grant; length += 2)
        strcpy(grant + length, length % 200 ? "/a" : "/b");
    memset(directory, 'd', sizeof directory);
    directory[0] = '/';
    directory[sizeof directory - 1] = '\0';
    assert_int_equal(resolve(grant, "/"), REGLET_OK);
    memmove(grant + 8, grant + 9, strlen(grant + 8));
    assert_int_equal(resolve(grant, directory), REGLET_ERR_INVALID_GRANT);
}

static void grant__relative_is_taken_from_the_working_directory(void **state) {
    struct world *world = *state;
    struct reglet__capability *capability;
    host_mkdir(world, "here");
    host_write(world, "here/file", "granted");
    assert_int_equal(reglet__capability_parse("fs:read:here/*", &capability, NULL), REGLET_OK);
    assert_int_equal(reglet__wasi_resolve_grant(capability, world->top, NULL), REGLET_OK);
    assert_int_equal(reglet__policy_grant(world->policy, capability), REGLET_OK);
    assert_int_equal(READ("$/here/file"), 0);
    assert_int_equal(READ("$/here"), WASI_EISDIR);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        test(preopen__all_below_it_may_be_read_and_written),
        test(preopen__nothing_beside_it_is_reached),
        test(preopen__fifos_and_the_processs_memory_are_not_opened),
        test(preopen__dangling_links_are_not_created_through),
        test(preopen__mixes_with_the_policys_root),
        test(kept__is_neither_looked_at_nor_opened_nor_listed),
        test(kept__nothing_is_made_in_it_removed_or_moved),
        test(kept__what_holds_it_stays_where_it_is),
        test(kept__all_beside_it_goes_on),
        test(kept__an_unlinked_file_goes_on_working),
        test(kept__the_mark_of_deleted_opens_nothing),
        test(kept__a_path_that_cannot_be_learned_is_refused),
        test(kept__is_told_of_a_directory_before_it_is_preopened),
        test(grant__goes_through_the_links_that_are_there),
        test(grant__of_a_link_is_one_of_what_it_leads_to),
        test(grant__of_what_does_not_exist_stays_as_it_is_written),
        test(grant__through_a_loop_matches_nothing_that_is_there),
        test(grant__too_long_once_resolved_is_refused),
        test(grant__relative_is_taken_from_the_working_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
