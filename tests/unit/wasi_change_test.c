/* Attacks by changing what is there: removing, renaming, linking, making, and setting times. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/wasi_fixture.h"

/* d may be read and written, r only read, w only written, e neither. */
static void make_tree(struct world *world) {
    static const char *const directories[] = {"d", "d/sub", "r", "w", "e"};
    for (size_t i = 0; i < ARRAY_LEN(directories); i++)
        host_mkdir(world, directories[i]);
    host_write(world, "d/file", "d");
    host_write(world, "d/sub/file", "sub");
    host_write(world, "r/file", "r");
    host_write(world, "w/file", "w");
    host_write(world, "e/file", "e");
    world_grant(world, "fs:read:$/d/**");
    world_grant(world, "fs:write:$/d/**");
    world_grant(world, "fs:read:$/r/**");
    world_grant(world, "fs:write:$/w/**");
}

#define UNLINK(path) guest_one(world, reglet__preview1_path_unlink_file, path)
#define RMDIR(path)  guest_one(world, reglet__preview1_path_remove_directory, path)
#define MKDIR(path)  guest_one(world, reglet__preview1_path_create_directory, path)

static void unlink__needs_write(void **state) {
    struct world *world = *state;
    make_tree(world);
    assert_int_equal(UNLINK("$/r/file"), WASI_EACCES);
    assert_int_equal(UNLINK("$/e/file"), WASI_EACCES);
    assert_int_equal(UNLINK("$/d/../e/file"), WASI_EACCES);
    assert_true(host_exists(world, "r/file") && host_exists(world, "e/file"));
    assert_int_equal(UNLINK("$/d/file"), 0);
    assert_int_equal(UNLINK("$/d/file"), WASI_ENOENT);
    assert_int_equal(UNLINK("$/d/sub"), WASI_EISDIR);
    assert_int_equal(UNLINK("$/d/sub/file/"), WASI_ENOTDIR);
    assert_true(host_exists(world, "d/sub/file"));
}

static void unlink__takes_the_link_and_not_what_it_leads_to(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_symlink(world, "$/e/file", "d/link");
    assert_int_equal(UNLINK("$/d/link"), 0);
    assert_false(host_exists(world, "d/link"));
    assert_true(host_exists(world, "e/file"));
}

static void unlink__through_a_link_in_the_middle_is_denied(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_symlink(world, "$/e", "d/way");
    assert_int_equal(UNLINK("$/d/way/file"), WASI_EACCES);
    assert_true(host_exists(world, "e/file"));
}

static void directories__are_made_and_removed_with_write(void **state) {
    struct world *world = *state;
    make_tree(world);
    assert_int_equal(MKDIR("$/d/new"), 0);
    assert_int_equal(MKDIR("$/d/new"), WASI_EEXIST);
    assert_int_equal(MKDIR("$/d/new/deep/"), 0);
    assert_int_equal(MKDIR("$/d/none/deep"), WASI_ENOENT);
    assert_int_equal(MKDIR("$/e/new"), WASI_EACCES);
    assert_int_equal(MKDIR("$/r/new"), WASI_EACCES);
    assert_int_equal(RMDIR("$/d/new"), WASI_ENOTEMPTY);
    assert_int_equal(RMDIR("$/d/new/deep"), 0);
    assert_int_equal(RMDIR("$/d/new/"), 0);
    assert_int_equal(RMDIR("$/d/file"), WASI_ENOTDIR);
    assert_int_equal(RMDIR("$/e"), WASI_EACCES);
}

static void directories__dots_name_nothing_that_can_be_changed(void **state) {
    struct world *world = *state;
    make_tree(world);
    assert_int_equal(MKDIR("$/d/."), WASI_EEXIST);
    assert_int_equal(RMDIR("$/d/sub/."), WASI_EINVAL);
    assert_int_equal(RMDIR("$/d/sub/.."), WASI_ENOTEMPTY);
    assert_int_equal(UNLINK("$/d/sub/."), WASI_EISDIR);
    assert_int_equal(guest_rename(world, "$/d/sub/.", "$/d/sub/x"), WASI_EBUSY);
    assert_int_equal(RMDIR("$/d/.."), WASI_EACCES);
    assert_int_equal(MKDIR("/"), WASI_EACCES);
}

/* The attack: "x/.." is there if x is, though nobody may look at x. */
static void directories__dotdot_at_the_end_does_not_tell_what_exists(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_mkdir(world, "plain");
    host_mkdir(world, "plain/secret");
    world_grant(world, "fs:write:$/plain");
    assert_int_equal(MKDIR("$/plain/secret/.."), WASI_EACCES);
    assert_int_equal(MKDIR("$/plain/none/.."), WASI_EACCES);
    assert_int_equal(RMDIR("$/plain/secret/../"), WASI_EACCES);
    assert_int_equal(RMDIR("$/plain/none/../"), WASI_EACCES);
    assert_int_equal(MKDIR("$/plain"), WASI_EEXIST);
}

/* The attack: write does not imply read, but what is renamed to where it may be read could be read. */
static void rename__to_where_it_could_be_read_needs_read(void **state) {
    struct world *world = *state;
    char content[64];
    host_mkdir(world, "drop");
    host_mkdir(world, "drop/box");
    host_mkdir(world, "drop/open");
    host_write(world, "drop/box/secret", "secret");
    world_grant(world, "fs:write:$/drop/**");
    world_grant(world, "fs:read:$/drop/open/**");
    assert_int_equal(guest_read_path(world, "$/drop/box/secret", content, sizeof content), WASI_EACCES);
    assert_int_equal(guest_rename(world, "$/drop/box/secret", "$/drop/open/secret"), WASI_EACCES);
    assert_int_equal(guest_rename(world, "$/drop/box", "$/drop/open"), WASI_EACCES);
    assert_int_equal(guest_link(world, "$/drop/box/secret", "$/drop/open/secret"), WASI_EACCES);
    assert_true(host_exists(world, "drop/box/secret"));
    assert_int_equal(guest_rename(world, "$/drop/box/secret", "$/drop/box/other"), 0);
    assert_int_equal(guest_rename(world, "$/drop/box", "$/drop/box2"), 0);
    host_write(world, "drop/open/mine", "mine");
    assert_int_equal(guest_rename(world, "$/drop/open/mine", "$/drop/box2/mine"), 0);
}

static void rename__needs_write_at_both_ends(void **state) {
    struct world *world = *state;
    make_tree(world);
    assert_int_equal(guest_rename(world, "$/d/file", "$/e/x"), WASI_EACCES);
    assert_int_equal(guest_rename(world, "$/d/file", "$/r/x"), WASI_EACCES);
    assert_int_equal(guest_rename(world, "$/e/file", "$/d/x"), WASI_EACCES);
    assert_int_equal(guest_rename(world, "$/r/file", "$/d/x"), WASI_EACCES);
    assert_int_equal(guest_rename(world, "$/d/file", "$/d/../e/file"), WASI_EACCES);
    assert_string_equal(host_read(world, "e/file"), "e");
    assert_int_equal(guest_rename(world, "$/d/file", "$/w/file"), 0);
    assert_string_equal(host_read(world, "w/file"), "d");
    assert_int_equal(guest_rename(world, "$/d/missing", "$/d/x"), WASI_ENOENT);
}

/* The attack: carry a directory whose content is not granted to where it is. */
static void rename__a_directory_across_rules_is_denied(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_mkdir(world, "flat");
    host_mkdir(world, "flat/sub");
    host_write(world, "flat/sub/secret", "secret");
    world_grant(world, "fs:write:$/flat/*");
    assert_int_equal(guest_rename(world, "$/flat/sub", "$/d/sub2"), WASI_EACCES);
    assert_int_equal(guest_rename(world, "$/d/sub", "$/flat/sub2"), WASI_EACCES);
    assert_true(host_exists(world, "flat/sub/secret"));
    assert_int_equal(guest_rename(world, "$/d/sub/", "$/d/moved"), 0);
    assert_true(host_exists(world, "d/moved/file"));
}

/* The attack: a link that stays inside when it is made, and leads out once its directory is moved up. */
static void rename__a_directory_into_another_is_refused_for_the_links_in_it(void **state) {
    struct world *world = *state;
    make_tree(world);
    assert_int_equal(MKDIR("$/d/sub/deep"), 0);
    assert_int_equal(guest_symlink(world, "../../file", "$/d/sub/deep/link"), 0);
    assert_int_equal(guest_rename(world, "$/d/sub/deep", "$/d/deep"), WASI_EXDEV);
    assert_int_equal(guest_rename(world, "$/d/sub", "$/w/sub"), WASI_EXDEV);
    assert_int_equal(guest_rename(world, "$/d/sub/deep", "$/d/sub/./other"), 0);
    assert_true(host_exists(world, "d/sub/other/link"));
}

struct swapper {
    char file[128], link[128];
    atomic_bool stop;
};

static void *swap(void *argument) {
    struct swapper *swapper = argument;
    for (int i = 0; i < 200000 && !atomic_load(&swapper->stop); i++)
        renameat2(AT_FDCWD, swapper->file, AT_FDCWD, swapper->link, RENAME_EXCHANGE);
    return NULL;
}

/* The attack: another call puts a link in the place of the file that was judged. */
static void rename__a_link_swapped_in_does_not_stay_where_it_leads_out(void **state) {
    struct world *world = *state;
    struct swapper swapper = {.stop = false};
    struct stat st;
    make_tree(world);
    host_symlink(world, "../file", "d/sub/link");
    strcpy(swapper.file, host_path(world, "d/sub/file"));
    strcpy(swapper.link, host_path(world, "d/sub/link"));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, swap, &swapper), 0);
    for (int i = 0; i < 5000; i++) {
        int error = guest_rename(world, "$/d/sub/file", "$/d/moved");
        bool there = lstat(host_path(world, "d/moved"), &st) == 0;
        assert_false(there && S_ISLNK(st.st_mode));
        if (!error)
            assert_int_equal(guest_rename(world, "$/d/moved", "$/d/sub/file"), 0);
        else if (!host_exists(world, "d/sub/link") || !host_exists(world, "d/sub/file"))
            break; /* the link went: the race was there, and was found out */
    }
    atomic_store(&swapper.stop, true);
    pthread_join(thread, NULL);
}

static void rename__a_directory_with_the_hosts_own_files_is_denied(void **state) {
    struct world *world = *state;
    char own[128];
    make_tree(world);
    snprintf(own, sizeof own, "%s/d/sub/cache", world->top);
    host_mkdir(world, "d/sub/cache");
    assert_int_equal(reglet__policy_protect(world->policy, own), REGLET_OK);
    assert_int_equal(guest_rename(world, "$/d/sub", "$/d/moved"), WASI_EACCES);
    assert_int_equal(RMDIR("$/d/sub/cache"), WASI_EACCES);
    assert_int_equal(MKDIR("$/d/sub/cache/x"), WASI_EACCES);
}

/* A relative link leads elsewhere from another place. */
static void rename__a_symlink_that_would_lead_out_is_denied(void **state) {
    struct world *world = *state;
    make_tree(world);
    assert_int_equal(guest_symlink(world, "../file", "$/d/sub/link"), 0);
    assert_int_equal(guest_rename(world, "$/d/sub/link", "$/d/link"), WASI_EACCES);
    assert_int_equal(guest_rename(world, "$/d/sub/link", "$/d/sub/other"), 0);
    host_symlink(world, "$/e/file", "d/planted");
    assert_int_equal(guest_rename(world, "$/d/planted", "$/d/moved"), WASI_EACCES);
}

static void link__needs_read_and_write_on_the_source(void **state) {
    struct world *world = *state;
    make_tree(world);
    assert_int_equal(guest_link(world, "$/r/file", "$/d/x"), WASI_EACCES);
    assert_int_equal(guest_link(world, "$/w/file", "$/d/x"), WASI_EACCES);
    assert_int_equal(guest_link(world, "$/e/file", "$/d/x"), WASI_EACCES);
    assert_int_equal(guest_link(world, "etc/passwd", "$/d/x"), WASI_EACCES);
    assert_int_equal(guest_link(world, "$/d/file", "$/e/x"), WASI_EACCES);
    assert_int_equal(guest_link(world, "$/d/file", "$/r/x"), WASI_EACCES);
    assert_false(host_exists(world, "d/x") || host_exists(world, "e/x") || host_exists(world, "r/x"));
    assert_int_equal(guest_link(world, "$/d/file", "$/w/x"), 0);
    assert_string_equal(host_read(world, "w/x"), "d");
    assert_int_equal(guest_link(world, "$/d/file", "$/w/x"), WASI_EEXIST);
    assert_int_equal(guest_link(world, "$/d/sub", "$/d/x"), WASI_EPERM);
    assert_int_equal(guest_link(world, "$/d/file", "$/d/x/"), WASI_ENOENT);
}

static void link__of_a_symlink_is_denied(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_symlink(world, "$/e/file", "d/link");
    assert_int_equal(guest_link(world, "$/d/link", "$/d/x"), WASI_EACCES);
    uint32_t size = put_path(world, AT_PATH, "$/d/link"), other = put_path(world, AT_OTHER_PATH, "$/d/x");
    assert_int_equal(
        CALL(world, path_link, ROOT, WASI_LOOKUP_SYMLINK_FOLLOW, AT_PATH, size, ROOT, AT_OTHER_PATH, other),
        WASI_EACCES);
    assert_false(host_exists(world, "d/x"));
}

static void symlink__is_made_only_inside_a_write_grant_and_stays_there(void **state) {
    struct world *world = *state;
    make_tree(world);
    static const char *const refused[] = {
        "/etc/passwd", "../e/file", "../../etc/passwd",       "sub/../../e/file", "sub/../file",
        "../w/file",   "..",        "../../../../../../../.."};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        assert_int_equal(guest_symlink(world, refused[i], "$/d/link"), WASI_EACCES);
    assert_int_equal(guest_symlink(world, "file", "$/e/link"), WASI_EACCES);
    assert_int_equal(guest_symlink(world, "file", "$/r/link"), WASI_EACCES);
    assert_false(host_exists(world, "d/link") || host_exists(world, "e/link") ||
                 host_exists(world, "r/link"));
    assert_int_equal(guest_symlink(world, "sub/file", "$/d/link"), 0);
    assert_int_equal(guest_symlink(world, "./../file", "$/d/sub/up"), 0);
    assert_int_equal(guest_symlink(world, "x", "$/d/link"), WASI_EEXIST);
    assert_int_equal(guest_symlink(world, "x", "$/d/new/"), WASI_ENOENT);
    assert_int_equal(guest_symlink(world, "", "$/d/new"), WASI_ENOENT);
}

/* --- times and sizes --- */

static int set_times(struct world *world, const char *path, uint32_t lookup, uint32_t flags) {
    uint32_t size = put_path(world, AT_PATH, path);
    return CALL(world, path_filestat_set_times, ROOT, lookup, AT_PATH, size, 1000000000, 2000000001, flags);
}

static struct timespec modified(struct world *world, const char *path) {
    struct stat st;
    assert_int_equal(lstat(host_path(world, path), &st), 0);
    return st.st_mtim;
}

static void set_times__needs_write(void **state) {
    struct world *world = *state;
    uint32_t both = WASI_FSTFLAG_ATIM | WASI_FSTFLAG_MTIM;
    make_tree(world);
    assert_int_equal(set_times(world, "$/r/file", 0, both), WASI_EACCES);
    assert_int_equal(set_times(world, "$/e/file", 0, both), WASI_EACCES);
    assert_int_equal(set_times(world, "$/w/file", 0, both), 0);
    assert_int_equal(modified(world, "w/file").tv_sec, 2);
    assert_int_equal(modified(world, "w/file").tv_nsec, 1);
    assert_int_equal(set_times(world, "$/w/file", 0, both | WASI_FSTFLAG_MTIM_NOW), WASI_EINVAL);
    assert_int_equal(set_times(world, "$/w/file", 0, 1 << 4), WASI_EINVAL);
    assert_int_equal(set_times(world, "$/w/file", 0, WASI_FSTFLAG_MTIM_NOW), 0);
    assert_true(modified(world, "w/file").tv_sec > 1000000);
    assert_int_equal(set_times(world, "$/d/sub", 0, WASI_FSTFLAG_MTIM), 0);
    assert_int_equal(modified(world, "d/sub").tv_sec, 2);
}

static void set_times__of_a_link_leaves_what_it_leads_to(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_symlink(world, "file", "d/link");
    host_symlink(world, "$/e/file", "d/out");
    time_t before = modified(world, "d/file").tv_sec;
    assert_int_equal(set_times(world, "$/d/link", 0, WASI_FSTFLAG_MTIM), 0);
    assert_int_equal(modified(world, "d/link").tv_sec, 2);
    assert_int_equal(modified(world, "d/file").tv_sec, before);
    assert_int_equal(set_times(world, "$/d/link", WASI_LOOKUP_SYMLINK_FOLLOW, WASI_FSTFLAG_MTIM), 0);
    assert_int_equal(modified(world, "d/file").tv_sec, 2);
    assert_int_equal(set_times(world, "$/d/out", WASI_LOOKUP_SYMLINK_FOLLOW, WASI_FSTFLAG_MTIM), WASI_EACCES);
}

/* The kernel would let the owner of the file do it. */
static void set_times__through_a_read_descriptor_is_denied(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_tree(world);
    time_t before = modified(world, "r/file").tv_sec;
    assert_int_equal(guest_open(world, ROOT, "$/r/file", 0, READ_RIGHTS, 0, &fd), 0);
    assert_int_equal(CALL(world, fd_filestat_set_times, fd, 0, 2000000001, WASI_FSTFLAG_MTIM), WASI_EACCES);
    assert_int_equal(modified(world, "r/file").tv_sec, before);
    assert_int_equal(guest_open(world, ROOT, "$/r", WASI_OFLAG_DIRECTORY, READ_RIGHTS, 0, &fd), 0);
    assert_int_equal(CALL(world, fd_filestat_set_times, fd, 0, 2000000001, WASI_FSTFLAG_MTIM), WASI_EACCES);
    assert_int_equal(guest_open(world, ROOT, "$/d/file", 0, READ_RIGHTS, 0, &fd), 0);
    assert_int_equal(CALL(world, fd_filestat_set_times, fd, 0, 2000000001, WASI_FSTFLAG_MTIM), 0);
    assert_int_equal(modified(world, "d/file").tv_sec, 2);
}

static void set_size__through_a_read_descriptor_is_refused(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_tree(world);
    assert_int_equal(guest_open(world, ROOT, "$/r/file", 0, READ_RIGHTS, 0, &fd), 0);
    assert_int_equal(CALL(world, fd_filestat_set_size, fd, 0), WASI_ENOTCAPABLE);
    assert_int_equal(CALL(world, fd_allocate, fd, 0, 100), WASI_ENOTCAPABLE);
    assert_string_equal(host_read(world, "r/file"), "r");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        test(unlink__needs_write),
        test(unlink__takes_the_link_and_not_what_it_leads_to),
        test(unlink__through_a_link_in_the_middle_is_denied),
        test(directories__are_made_and_removed_with_write),
        test(directories__dots_name_nothing_that_can_be_changed),
        test(directories__dotdot_at_the_end_does_not_tell_what_exists),
        test(rename__to_where_it_could_be_read_needs_read),
        test(rename__needs_write_at_both_ends),
        test(rename__a_directory_across_rules_is_denied),
        test(rename__a_directory_into_another_is_refused_for_the_links_in_it),
        test(rename__a_link_swapped_in_does_not_stay_where_it_leads_out),
        test(rename__a_directory_with_the_hosts_own_files_is_denied),
        test(rename__a_symlink_that_would_lead_out_is_denied),
        test(link__needs_read_and_write_on_the_source),
        test(link__of_a_symlink_is_denied),
        test(symlink__is_made_only_inside_a_write_grant_and_stays_there),
        test(set_times__needs_write),
        test(set_times__of_a_link_leaves_what_it_leads_to),
        test(set_times__through_a_read_descriptor_is_denied),
        test(set_size__through_a_read_descriptor_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
