/* Attacks on opening and looking: a guest under a policy asks for what it was not granted. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/wasi_fixture.h"

static char content[256];

/* A granted directory d, a directory e that is not, and a file in each. */
static void make_tree(struct world *world) {
    host_mkdir(world, "d");
    host_mkdir(world, "d/sub");
    host_write(world, "d/file", "granted");
    host_mkdir(world, "e");
    host_write(world, "e/secret", "secret");
}

#define READ(path) guest_read_path(world, path, content, sizeof content)

static void path_open__granted_file_is_read(void **state) {
    struct world *world = *state;
    make_tree(world);
    world_grant(world, "fs:read:$/d/file");
    assert_int_equal(READ("$/d/file"), 0);
    assert_string_equal(content, "granted");
}

static void path_open__neighbour_of_a_granted_file_is_denied(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_write(world, "d/shadow", "secret");
    world_grant(world, "fs:read:$/d/file");
    assert_int_equal(READ("$/d/shadow"), WASI_EACCES);
    assert_int_equal(READ("$/d/fil"), WASI_EACCES);
    assert_int_equal(READ("$/d/file/x"), WASI_EACCES);
}

static void path_open__without_any_grant_is_denied(void **state) {
    struct world *world = *state;
    make_tree(world);
    world->options.policy = NULL;
    assert_int_equal(READ("$/d/file"), WASI_EACCES);
    assert_int_equal(READ("/etc/passwd"), WASI_EACCES);
}

static void path_open__a_denial_is_reported_with_the_grant_that_would_allow_it(void **state) {
    struct world *world = *state;
    char expected[256];
    make_tree(world);
    assert_int_equal(READ("$/e/secret"), WASI_EACCES);
    snprintf(expected, sizeof expected, "read %s/e/secret|fs:read:%s/e/secret|", world->top, world->top);
    assert_non_null(strstr(world->denials.data, expected));
}

static void path_open__every_denial_is_told(void **state) {
    struct world *world = *state;
    size_t lines = 0;
    for (int i = 0; i < REGLET__MAX_DENIALS + 50; i++)
        assert_int_equal(READ("etc/shadow"), WASI_EACCES);
    for (const char *at = world->denials.data; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, REGLET__MAX_DENIALS + 50);
}

static void path_open__dotdot_dots_and_slashes_lead_to_what_they_lead_to(void **state) {
    struct world *world = *state;
    make_tree(world);
    world_grant(world, "fs:read:$/d/**");
    assert_int_equal(READ("$/d/sub/../file"), 0);
    assert_int_equal(READ("//$//d/.///file"), 0);
    assert_int_equal(READ("/$/d/file"), 0);
    assert_string_equal(content, "granted");
}

static void path_open__dotdot_is_denied(void **state) {
    struct world *world = *state;
    make_tree(world);
    world_grant(world, "fs:read:$/d/**");
    assert_int_equal(READ("$/d/../e/secret"), WASI_EACCES);
    assert_int_equal(READ("$/d/sub/../../e/secret"), WASI_EACCES);
    assert_int_equal(READ("../../../../../../etc/passwd"), WASI_EACCES);
}

static void path_open__dotdot_out_of_a_directory_descriptor_is_denied(void **state) {
    struct world *world = *state;
    uint32_t directory, fd;
    make_tree(world);
    world_grant(world, "fs:read:$/d/**");
    assert_int_equal(guest_open(world, ROOT, "$/d", WASI_OFLAG_DIRECTORY, READ_RIGHTS, 0, &directory), 0);
    assert_int_equal(guest_open(world, directory, "file", 0, READ_RIGHTS, 0, &fd), 0);
    assert_int_equal(guest_open(world, directory, "../e/secret", 0, READ_RIGHTS, 0, &fd), WASI_EACCES);
    assert_int_equal(guest_open(world, directory, "../../../etc/passwd", 0, READ_RIGHTS, 0, &fd),
                     WASI_EACCES);
}

/* "e/hidden/../../d/file" would tell by success whether e/hidden exists. */
static void path_open__dotdot_does_not_tell_what_exists(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_mkdir(world, "e/hidden");
    world_grant(world, "fs:read:$/d/**");
    assert_int_equal(READ("$/e/hidden/../../d/file"), WASI_EACCES);
    assert_int_equal(READ("$/e/missing/../../d/file"), WASI_EACCES);
    assert_int_equal(READ("$/e/secret/../../d/file"), WASI_EACCES);
}

static void path_open__denied_answers_the_same_whether_it_exists_or_not(void **state) {
    struct world *world = *state;
    static const char *const paths[] = {"$/e/secret", "$/e/missing",   "$/e/secret/x",
                                        "$/e",        "$/e/missing/x", "$/missing"};
    make_tree(world);
    host_symlink(world, "$/e/loop", "e/loop");
    world_grant(world, "fs:read:$/d/file");
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        assert_int_equal(READ(paths[i]), WASI_EACCES);
        assert_int_equal(guest_stat(world, paths[i], true), WASI_EACCES);
        assert_int_equal(guest_stat(world, paths[i], false), WASI_EACCES);
        assert_int_equal(guest_readlink(world, paths[i], content, sizeof content), WASI_EACCES);
        assert_int_equal(guest_one(world, reglet__preview1_path_unlink_file, paths[i]), WASI_EACCES);
        assert_int_equal(guest_one(world, reglet__preview1_path_remove_directory, paths[i]), WASI_EACCES);
        assert_int_equal(guest_one(world, reglet__preview1_path_create_directory, paths[i]), WASI_EACCES);
    }
    assert_int_equal(READ("$/e/loop"), WASI_EACCES);
    assert_int_equal(READ("$/e/loop/x"), WASI_EACCES);
}

/* The attack: names below a file, granted by a wildcard before them, ask of any file whether it is there. */
static void path_open__a_name_below_a_file_does_not_tell_that_it_is_one(void **state) {
    struct world *world = *state;
    uint32_t fd;
    host_mkdir(world, "d");
    host_write(world, "d/secret", "");
    host_write(world, "d/open", "");
    world_grant(world, "fs:read:$/d/**/name");
    world_grant(world, "fs:write:$/d/**/name");
    world_grant(world, "fs:read:$/d/open");
    static const char *const paths[] = {"$/d/secret/name", "$/d/none/name", "$/d/secret/x/name",
                                        "$/d/none/x/name"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        assert_int_equal(guest_stat(world, paths[i], true), WASI_ENOENT);
        assert_int_equal(guest_open(world, ROOT, paths[i], 0, READ_RIGHTS, 0, &fd), WASI_ENOENT);
        assert_int_equal(guest_open(world, ROOT, paths[i], WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd),
                         WASI_ENOENT);
        assert_int_equal(guest_one(world, reglet__preview1_path_create_directory, paths[i]), WASI_ENOENT);
    }
    assert_int_equal(guest_stat(world, "$/d/open/name", true), WASI_ENOTDIR);
}

/* The attack: a directory's size and links count entries that a list does not show. */
static void stat__a_directory_does_not_count_its_entries(void **state) {
    struct world *world = *state;
    uint32_t fd;
    host_mkdir(world, "d");
    host_mkdir(world, "d/secret");
    host_write(world, "d/file", "content");
    world_grant(world, "fs:read:$/d/file");
    for (int seen = 0; seen < 2; seen++) {
        assert_int_equal(guest_stat(world, "$/d", true), 0);
        if (seen) {
            assert_int_equal(guest_open(world, ROOT, "$/d", 0, READ_RIGHTS, 0, &fd), 0);
            assert_int_equal(CALL(world, fd_filestat_get, fd, AT_STAT), 0);
        }
        assert_int_equal(result_u64(world, AT_STAT + WASI_FILESTAT_NLINK), 1);
        assert_int_equal(result_u64(world, AT_STAT + WASI_FILESTAT_SIZE_FIELD), 0);
    }
    assert_int_equal(guest_stat(world, "$/d/file", true), 0);
    assert_int_equal(result_u64(world, AT_STAT + WASI_FILESTAT_SIZE_FIELD), 7);
}

static void path_open__missing_inside_a_grant_is_told(void **state) {
    struct world *world = *state;
    make_tree(world);
    world_grant(world, "fs:read:$/d/**");
    world_grant(world, "fs:read:$/e/granted");
    assert_int_equal(READ("$/d/missing"), WASI_ENOENT);
    assert_int_equal(READ("$/d/missing/deep"), WASI_ENOENT);
    assert_int_equal(READ("$/d/file/x"), WASI_ENOTDIR);
    assert_int_equal(READ("$/e/granted"), WASI_ENOENT);
    assert_int_equal(guest_stat(world, "$/d/missing", true), WASI_ENOENT);
}

static void path_open__trailing_slash_wants_a_directory(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_tree(world);
    world_grant(world, "fs:read:$/d/**");
    assert_int_equal(READ("$/d/file/"), WASI_ENOTDIR);
    assert_int_equal(READ("$/d/file//"), WASI_ENOTDIR);
    assert_int_equal(READ("$/e/secret/"), WASI_EACCES);
    assert_int_equal(guest_open(world, ROOT, "$/d/sub//", 0, READ_RIGHTS, 0, &fd), 0);
}

static void path_open__empty_over_long_and_malformed_paths_are_refused(void **state) {
    struct world *world = *state;
    char path[REGLET__MAX_PATH + 1];
    world_grant(world, "fs:read:**");
    assert_int_equal(READ(""), WASI_ENOENT);
    memset(path, 'a', sizeof path);
    path[REGLET__MAX_PATH] = '\0';
    assert_int_equal(READ(path), WASI_ENAMETOOLONG);
    path[REGLET__MAX_PATH - 1] = '\0'; /* one component, longer than any name */
    assert_int_equal(READ(path), WASI_EACCES);
    path[300] = '\0';
    assert_int_equal(READ(path), WASI_ENAMETOOLONG);
    assert_int_equal(READ("etc/\xff"), WASI_EILSEQ);
    assert_true(reglet__guest_write(world->guest, AT_PATH, "etc/hosts\0x", 11));
    assert_int_equal(CALL(world, path_filestat_get, ROOT, 0, AT_PATH, 11, AT_STAT), WASI_EINVAL);
    assert_int_equal(CALL(world, path_filestat_get, ROOT, 0, UINT32_MAX - 2, 11, AT_STAT), WASI_EFAULT);
}

static void path_open__case_is_as_the_host_has_it(void **state) {
    struct world *world = *state;
    make_tree(world);
    world_grant(world, "fs:read:$/d/file");
    assert_int_equal(READ("$/D/file"), WASI_EACCES);
    assert_int_equal(READ("$/d/FILE"), WASI_EACCES);
}

static void symlink__out_of_the_grant_is_denied(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_symlink(world, "$/e/secret", "d/out");
    host_symlink(world, "../e", "d/middle");
    world_grant(world, "fs:read:$/d/**");
    assert_int_equal(READ("$/d/out"), WASI_EACCES);
    assert_int_equal(READ("$/d/middle/secret"), WASI_EACCES);
    assert_int_equal(READ("$/d/middle/missing"), WASI_EACCES);
    assert_int_equal(guest_stat(world, "$/d/out", true), WASI_EACCES);
    assert_int_equal(guest_stat(world, "$/d/out", false), 0);
}

static void symlink__inside_the_grant_is_followed(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_symlink(world, "$/d/file", "d/sub/absolute");
    host_symlink(world, "../file", "d/sub/relative");
    world_grant(world, "fs:read:$/d/**");
    assert_int_equal(READ("$/d/sub/absolute"), 0);
    assert_int_equal(READ("$/d/sub/relative"), 0);
    assert_string_equal(content, "granted");
}

static void symlink__into_the_grant_is_judged_by_where_it_leads(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_symlink(world, "$/d/file", "e/in");
    world_grant(world, "fs:read:$/d/**");
    assert_int_equal(READ("$/e/in"), 0);
    assert_int_equal(guest_stat(world, "$/e/in", false), WASI_EACCES);
}

static void symlink__dangling_out_of_the_grant_does_not_tell(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_symlink(world, "$/e/secret", "d/exists");
    host_symlink(world, "$/e/missing", "d/missing");
    host_symlink(world, "$/e/missing/deep", "d/deep");
    host_symlink(world, "nothing", "d/inside");
    world_grant(world, "fs:read:$/d/**");
    assert_int_equal(READ("$/d/exists"), WASI_EACCES);
    assert_int_equal(READ("$/d/missing"), WASI_EACCES);
    assert_int_equal(READ("$/d/deep"), WASI_EACCES);
    assert_int_equal(READ("$/d/inside"), WASI_ENOENT);
}

static void symlink__loops_end(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_symlink(world, "loop", "d/loop");
    host_symlink(world, "b", "d/a");
    host_symlink(world, "a", "d/b");
    world_grant(world, "fs:read:$/d/**");
    assert_int_equal(READ("$/d/loop"), WASI_ELOOP);
    assert_int_equal(READ("$/d/a/x"), WASI_ELOOP);
}

static void symlink__readlink_tells_only_of_links_inside_a_grant(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_symlink(world, "../e/secret", "d/link");
    host_symlink(world, "secret", "e/link");
    world_grant(world, "fs:read:$/d/**");
    assert_int_equal(guest_readlink(world, "$/d/link", content, sizeof content), 0);
    assert_string_equal(content, "../e/secret");
    assert_int_equal(guest_readlink(world, "$/d/link", content, 4), 0);
    assert_string_equal(content, "../");
    assert_int_equal(guest_readlink(world, "$/d/file", content, sizeof content), WASI_EINVAL);
    assert_int_equal(guest_readlink(world, "$/e/link", content, sizeof content), WASI_EACCES);
    assert_int_equal(guest_readlink(world, "proc/self", content, sizeof content), WASI_EACCES);
}

static void symlink__not_followed_is_not_opened(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_symlink(world, "file", "d/link");
    world_grant(world, "fs:read:$/d/**");
    uint32_t size = put_path(world, AT_PATH, "$/d/link");
    assert_int_equal(CALL(world, path_open, ROOT, 0, AT_PATH, size, 0, READ_RIGHTS, 0, 0, AT_RESULT),
                     WASI_ELOOP);
}

static void symlink__the_last_component_is_never_created_through(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_tree(world);
    host_symlink(world, "$/e/planted", "d/out");
    host_symlink(world, "planted", "d/inside");
    world_grant(world, "fs:write:$/d/**");
    assert_int_equal(guest_open(world, ROOT, "$/d/out", WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd), WASI_EACCES);
    assert_int_equal(guest_open(world, ROOT, "$/d/inside", WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd),
                     WASI_ELOOP);
    assert_false(host_exists(world, "e/planted"));
    assert_false(host_exists(world, "d/planted"));
}

static void symlink__in_a_grant_that_leads_elsewhere_later_is_denied(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_symlink(world, "d", "way");
    world_grant(world, "fs:read:$/way/file");
    assert_int_equal(READ("$/way/file"), 0);
    assert_int_equal(READ("$/d/file"), 0);
    assert_int_equal(guest_readlink(world, "$/way", content, sizeof content), 0);
    assert_int_equal(unlink(host_path(world, "way")), 0);
    host_write(world, "e/file", "secret");
    host_symlink(world, "e", "way");
    assert_int_equal(READ("$/way/file"), WASI_EACCES);
}

static void hard_link__inside_the_grant_is_the_operators(void **state) {
    struct world *world = *state;
    char from[512];
    make_tree(world);
    strcpy(from, host_path(world, "e/secret"));
    assert_int_equal(link(from, host_path(world, "d/hard")), 0);
    world_grant(world, "fs:read:$/d/**");
    assert_int_equal(READ("$/d/hard"), 0);
    assert_int_equal(READ("$/e/secret"), WASI_EACCES);
}

/* --- what acts on being opened --- */

static void path_open__a_fifo_is_not_waited_for(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_tree(world);
    assert_int_equal(mkfifo(host_path(world, "d/fifo"), 0600), 0);
    assert_int_equal(mkfifo(host_path(world, "e/fifo"), 0600), 0);
    world_grant(world, "fs:read:$/d/**");
    world_grant(world, "fs:write:$/d/**");
    assert_int_equal(READ("$/d/fifo"), WASI_EACCES);
    assert_int_equal(guest_open(world, ROOT, "$/d/fifo", 0, WRITE_RIGHTS, 0, &fd), WASI_EACCES);
    assert_int_equal(READ("$/e/fifo"), WASI_EACCES);
}

static void path_open__a_socket_is_not_opened(void **state) {
    struct world *world = *state;
    make_tree(world);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", host_path(world, "d/socket"));
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    world_grant(world, "fs:read:$/d/**");
    assert_int_equal(READ("$/d/socket"), WASI_EACCES);
}

static void path_open__devices_are_closed_but_three(void **state) {
    struct world *world = *state;
    world_grant(world, "fs:read:/**");
    world_grant(world, "fs:write:/**");
    assert_int_equal(READ("dev/null"), 0);
    assert_string_equal(content, "");
    assert_int_equal(READ("dev/zero"), 0);
    assert_int_equal(READ("dev/urandom"), 0);
    assert_int_equal(READ("dev/tty"), WASI_EACCES);
    assert_int_equal(READ("dev/full"), WASI_EACCES);
    assert_int_equal(READ("dev/mem"), WASI_EACCES);
}

/*
 * The attack, on a host that runs as root: what may be written to /dev/null may also put a file in its place. Asked
 * with calls that do nothing where it is not refused.
 */
static void path_open__a_granted_device_cannot_be_replaced(void **state) {
    struct world *world = *state;
    uint32_t fd;
    host_mkdir(world, "d");
    world_grant(world, "fs:write:/dev/null");
    world_grant(world, "fs:write:$/d/**");
    assert_int_equal(guest_open(world, ROOT, "dev/null", WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd), 0);
    assert_int_equal(guest_write(world, fd, "gone"), 0);
    assert_int_equal(guest_one(world, reglet__preview1_path_create_directory, "dev/null"), WASI_EACCES);
    assert_int_equal(guest_one(world, reglet__preview1_path_remove_directory, "dev/null"), WASI_EACCES);
    assert_int_equal(guest_rename(world, "$/d/missing", "dev/null"), WASI_EACCES);
    assert_int_equal(
        guest_open(world, ROOT, "dev/null", WASI_OFLAG_CREAT | WASI_OFLAG_EXCL, WRITE_RIGHTS, 0, &fd),
        WASI_EACCES);
}

/* The attack: patterns made to cost, and a path that makes them be matched a thousand times in one call. */
static void path_open__a_long_way_up_and_down_is_ended_by_the_deadline(void **state) {
    struct world *world = *state;
    char path[4000] = "";
    make_tree(world);
    world_grant(world, "fs:read:$/d/**");
    for (int i = 0; i < 300; i++)
        strcat(path, "tmp/../");
    world_start(world);
    world->guest->interrupt.deadline = 1;
    assert_int_equal(READ(path), -1);
    assert_int_equal(world->guest->stop.status, REGLET_ERR_TIMEOUT);
}

static void path_open__proc_and_dev_fd_are_denied_under_every_glob(void **state) {
    struct world *world = *state;
    char path[64];
    world_grant(world, "fs:read:/**");
    world_grant(world, "fs:read:**");
    world_grant(world, "fs:write:/**");
    static const char *const paths[] = {"proc/self/environ",
                                        "proc/self/mem",
                                        "proc/self/fd/0",
                                        "proc/thread-self/environ",
                                        "proc/self/root/etc/passwd",
                                        "proc/self/cwd",
                                        "proc/1/environ",
                                        "proc/version",
                                        "dev/fd/0",
                                        "dev/stdin",
                                        "sys/kernel"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        assert_int_equal(READ(paths[i]), WASI_EACCES);
    snprintf(path, sizeof path, "proc/%d/mem", (int)getpid());
    assert_int_equal(READ(path), WASI_EACCES);
}

static void path_open__an_exact_grant_below_proc_is_good_but_never_for_oneself(void **state) {
    struct world *world = *state;
    char grant[64];
    world_grant(world, "fs:read:/proc/version");
    world_grant(world, "fs:read:/proc/self/environ");
    snprintf(grant, sizeof grant, "fs:read:/proc/%d/environ", (int)getpid());
    world_grant(world, grant);
    assert_int_equal(READ("proc/version"), 0);
    assert_int_equal(READ("proc/self/environ"), WASI_EACCES);
    assert_int_equal(READ(grant + strlen("fs:read:/")), WASI_EACCES);
}

struct reader {
    struct world *world;
    int answer;
};

static void *read_own_memory(void *argument) {
    struct reader *reader = argument;
    struct world *world = reader->world;
    char grant[64];
    snprintf(grant, sizeof grant, "fs:read:/proc/%ld/environ", syscall(SYS_gettid));
    world_grant(world, grant);
    reader->answer = READ(grant + strlen("fs:read:/"));
    return NULL;
}

/* The attack: a thread's own directory is not listed in /proc, and shows the same memory as the process's. */
static void path_open__an_exact_grant_of_a_threads_directory_is_never_for_oneself(void **state) {
    struct reader reader = {.world = *state};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_own_memory, &reader), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(reader.answer, WASI_EACCES);
}

/* --- changing what may only be read --- */

static void path_open__creat_trunc_append_and_excl_on_a_read_grant_leave_the_file(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_tree(world);
    world_grant(world, "fs:read:$/d/**");
    static const uint32_t oflags[] = {WASI_OFLAG_TRUNC, WASI_OFLAG_CREAT | WASI_OFLAG_TRUNC,
                                      WASI_OFLAG_CREAT | WASI_OFLAG_EXCL};
    for (size_t i = 0; i < ARRAY_LEN(oflags); i++) {
        assert_int_equal(guest_open(world, ROOT, "$/d/file", oflags[i], READ_RIGHTS, 0, &fd), WASI_EACCES);
        assert_int_equal(guest_open(world, ROOT, "$/d/file", oflags[i], WRITE_RIGHTS, 0, &fd), WASI_EACCES);
    }
    assert_int_equal(guest_open(world, ROOT, "$/d/file", 0, WRITE_RIGHTS, WASI_FDFLAG_APPEND, &fd),
                     WASI_EACCES);
    assert_int_equal(guest_open(world, ROOT, "$/d/new", WASI_OFLAG_CREAT, READ_RIGHTS, 0, &fd), WASI_EACCES);
    assert_false(host_exists(world, "d/new"));
    assert_string_equal(host_read(world, "d/file"), "granted");
    assert_int_equal(guest_open(world, ROOT, "$/d/file", WASI_OFLAG_CREAT, READ_RIGHTS, 0, &fd), 0);
}

static void path_open__write_does_not_imply_read(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_tree(world);
    world_grant(world, "fs:write:$/d/**");
    assert_int_equal(READ("$/d/file"), WASI_EACCES);
    assert_int_equal(guest_open(world, ROOT, "$/d/x", WASI_OFLAG_CREAT, WASI_RIGHTS_ALL, 0, &fd),
                     WASI_EACCES);
    assert_false(host_exists(world, "d/x"));
    assert_int_equal(guest_open(world, ROOT, "$/d/x", WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd), 0);
    assert_int_equal(guest_write(world, fd, "written"), 0);
    assert_int_equal(guest_read(world, fd, content, sizeof content), WASI_ENOTCAPABLE);
    assert_int_equal(READ("$/d/x"), WASI_EACCES);
    assert_string_equal(host_read(world, "d/x"), "written");
}

static void path_open__creating_is_judged_by_the_parent_and_the_name(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_tree(world);
    host_symlink(world, "../e", "d/way_out");
    world_grant(world, "fs:write:$/d/**");
    static const char *const outside[] = {"$/e/new", "$/d/../e/new", "$/d/way_out/new", "$/new"};
    for (size_t i = 0; i < ARRAY_LEN(outside); i++)
        assert_int_equal(guest_open(world, ROOT, outside[i], WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd),
                         WASI_EACCES);
    assert_false(host_exists(world, "e/new"));
    assert_false(host_exists(world, "new"));
    uint32_t excl = WASI_OFLAG_CREAT | WASI_OFLAG_EXCL;
    assert_int_equal(guest_open(world, ROOT, "$/d/sub/../new", excl, WRITE_RIGHTS, 0, &fd), 0);
    assert_int_equal(guest_open(world, ROOT, "$/d/new", excl, WRITE_RIGHTS, 0, &fd), WASI_EEXIST);
    assert_int_equal(guest_open(world, ROOT, "$/d/new/", WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd),
                     WASI_ENOTDIR);
    assert_int_equal(guest_open(world, ROOT, "$/d/sub", WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd), WASI_EISDIR);
    assert_true(host_exists(world, "d/new"));
}

static void path_open__go_reads_though_it_asks_for_set_size(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_tree(world);
    world_grant(world, "fs:read:$/d/file");
    assert_int_equal(
        guest_open(world, ROOT, "$/d/file", 0, READ_RIGHTS | WASI_RIGHT_FD_FILESTAT_SET_SIZE, 0, &fd), 0);
    assert_int_equal(CALL(world, fd_filestat_set_size, fd, 0), WASI_ENOTCAPABLE);
    assert_string_equal(host_read(world, "d/file"), "granted");
}

/* --- the ground moves --- */

static void path_open__a_deleted_directory_has_no_path(void **state) {
    struct world *world = *state;
    uint32_t directory, fd;
    make_tree(world);
    world_grant(world, "fs:read:$/d/**");
    world_grant(world, "fs:write:$/d/**");
    assert_int_equal(guest_open(world, ROOT, "$/d/sub", WASI_OFLAG_DIRECTORY, READ_RIGHTS, 0, &directory), 0);
    assert_int_equal(rmdir(host_path(world, "d/sub")), 0);
    assert_int_equal(guest_open(world, directory, ".", 0, READ_RIGHTS, 0, &fd), WASI_EACCES);
    assert_int_equal(guest_open(world, directory, "x", WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd), WASI_EACCES);
    assert_int_equal(guest_list(world, directory, 4096, content, sizeof content), WASI_EACCES);
}

/* Reached step by step: the kernel opens it, and cannot say any more where it is. */
static void path_open__a_path_too_long_for_the_kernel_to_tell_is_denied(void **state) {
    struct world *world = *state;
    char name[201];
    uint32_t directory = ROOT, next;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    make_tree(world);
    world_grant(world, "fs:read:$/d/**");
    int at = open(host_path(world, "d"), O_PATH | O_CLOEXEC), status = 0;
    assert_int_equal(guest_open(world, ROOT, "$/d", WASI_OFLAG_DIRECTORY, READ_RIGHTS, 0, &directory), 0);
    for (unsigned depth = 1; depth <= 25; depth++) {
        assert_int_equal(mkdirat(at, name, 0755), 0);
        int deeper = openat(at, name, O_PATH | O_CLOEXEC);
        close(at);
        at = deeper;
        if (status != 0)
            continue;
        status = guest_open(world, directory, name, WASI_OFLAG_DIRECTORY, READ_RIGHTS, 0, &next);
        if (status == 0)
            directory = next;
        else
            assert_in_range(depth, 4000 / sizeof name, 4096 / sizeof name + 1);
    }
    for (unsigned depth = 25; depth > 0; depth--) { /* no path is short enough to remove it by */
        int up = openat(at, "..", O_PATH | O_CLOEXEC);
        assert_int_equal(unlinkat(up, name, AT_REMOVEDIR), 0);
        close(at);
        at = up;
    }
    close(at);
    assert_int_equal(status, WASI_EACCES);
}

static void path_open__a_name_that_ends_in_deleted_is_one_when_it_is_there(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_write(world, "d/x (deleted)", "odd");
    world_grant(world, "fs:read:$/d/**");
    assert_int_equal(READ("$/d/x (deleted)"), 0);
    assert_string_equal(content, "odd");
}

static void path_open__a_directory_that_was_moved_is_judged_where_it_is(void **state) {
    struct world *world = *state;
    uint32_t directory, fd;
    char from[512];
    make_tree(world);
    host_write(world, "d/sub/file", "moved");
    world_grant(world, "fs:read:$/d/**");
    assert_int_equal(guest_open(world, ROOT, "$/d/sub", WASI_OFLAG_DIRECTORY, READ_RIGHTS, 0, &directory), 0);
    assert_int_equal(guest_open(world, directory, "file", 0, READ_RIGHTS, 0, &fd), 0);
    strcpy(from, host_path(world, "d/sub"));
    assert_int_equal(rename(from, host_path(world, "e/sub")), 0);
    assert_int_equal(guest_open(world, directory, "file", 0, READ_RIGHTS, 0, &fd), WASI_EACCES);
    assert_int_equal(guest_list(world, directory, 4096, content, sizeof content), WASI_EACCES);
}

struct swapper {
    char granted[128], secret[128], spare[128];
    atomic_bool stop;
};

/* Puts a link to the secret, then the granted file, under one name, over and over. */
static void *swap(void *argument) {
    struct swapper *swapper = argument;
    for (int i = 0; i < 200000 && !atomic_load(&swapper->stop); i++)
        renameat2(AT_FDCWD, swapper->granted, AT_FDCWD, swapper->spare, RENAME_EXCHANGE);
    return NULL;
}

static void path_open__swapped_while_being_opened_never_gives_what_is_outside(void **state) {
    struct world *world = *state;
    struct swapper swapper = {.stop = false};
    make_tree(world);
    host_symlink(world, "$/e/secret", "d/spare");
    strcpy(swapper.granted, host_path(world, "d/file"));
    strcpy(swapper.spare, host_path(world, "d/spare"));
    world_grant(world, "fs:read:$/d/**");
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, swap, &swapper), 0);
    for (int i = 0; i < 20000; i++) {
        int error = READ("$/d/file");
        if (error == 0)
            assert_string_equal(content, "granted");
        else
            assert_int_equal(error, WASI_EACCES);
    }
    atomic_store(&swapper.stop, true);
    pthread_join(thread, NULL);
}

static void path_open__a_parent_swapped_while_creating_never_gives_a_file_outside(void **state) {
    struct world *world = *state;
    struct swapper swapper = {.stop = false};
    uint32_t fd;
    make_tree(world);
    host_symlink(world, "$/e", "d/spare");
    strcpy(swapper.granted, host_path(world, "d/sub"));
    strcpy(swapper.spare, host_path(world, "d/spare"));
    world_grant(world, "fs:write:$/d/**");
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, swap, &swapper), 0);
    for (int i = 0; i < 5000; i++) {
        int error = guest_open(world, ROOT, "$/d/sub/new", WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd);
        if (error == 0)
            assert_int_equal(CALL(world, fd_close, fd), 0);
        guest_one(world, reglet__preview1_path_unlink_file, "$/d/sub/new");
    }
    atomic_store(&swapper.stop, true);
    pthread_join(thread, NULL);
    assert_false(host_exists(world, "e/new"));
    assert_true(host_exists(world, "e/secret"));
}

static void host__without_it_files_are_refused_and_that_is_said_once(void **state) {
    struct world *world = *state;
    make_tree(world);
    world_grant(world, "fs:read:**");
    world->options.host = NULL;
    world->options.host_missing = "no access to files: openat2 does not work";
    assert_int_equal(READ("$/d/file"), WASI_ENOTSUP);
    assert_int_equal(guest_stat(world, "$/d/file", true), WASI_ENOTSUP);
    assert_string_equal(world->denials.data, "access to files||no access to files: openat2 does not work\n");
    assert_int_equal(CALL(world, clock_time_get, 0, 0, AT_RESULT), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        test(path_open__granted_file_is_read),
        test(path_open__neighbour_of_a_granted_file_is_denied),
        test(path_open__without_any_grant_is_denied),
        test(path_open__a_denial_is_reported_with_the_grant_that_would_allow_it),
        test(path_open__every_denial_is_told),
        test(path_open__dotdot_dots_and_slashes_lead_to_what_they_lead_to),
        test(path_open__dotdot_is_denied),
        test(path_open__dotdot_out_of_a_directory_descriptor_is_denied),
        test(path_open__dotdot_does_not_tell_what_exists),
        test(path_open__denied_answers_the_same_whether_it_exists_or_not),
        test(path_open__a_name_below_a_file_does_not_tell_that_it_is_one),
        test(stat__a_directory_does_not_count_its_entries),
        test(path_open__missing_inside_a_grant_is_told),
        test(path_open__trailing_slash_wants_a_directory),
        test(path_open__empty_over_long_and_malformed_paths_are_refused),
        test(path_open__case_is_as_the_host_has_it),
        test(symlink__out_of_the_grant_is_denied),
        test(symlink__inside_the_grant_is_followed),
        test(symlink__into_the_grant_is_judged_by_where_it_leads),
        test(symlink__dangling_out_of_the_grant_does_not_tell),
        test(symlink__loops_end),
        test(symlink__readlink_tells_only_of_links_inside_a_grant),
        test(symlink__not_followed_is_not_opened),
        test(symlink__the_last_component_is_never_created_through),
        test(symlink__in_a_grant_that_leads_elsewhere_later_is_denied),
        test(hard_link__inside_the_grant_is_the_operators),
        test(path_open__a_fifo_is_not_waited_for),
        test(path_open__a_socket_is_not_opened),
        test(path_open__devices_are_closed_but_three),
        test(path_open__a_granted_device_cannot_be_replaced),
        test(path_open__a_long_way_up_and_down_is_ended_by_the_deadline),
        test(path_open__proc_and_dev_fd_are_denied_under_every_glob),
        test(path_open__an_exact_grant_below_proc_is_good_but_never_for_oneself),
        test(path_open__an_exact_grant_of_a_threads_directory_is_never_for_oneself),
        test(path_open__creat_trunc_append_and_excl_on_a_read_grant_leave_the_file),
        test(path_open__write_does_not_imply_read),
        test(path_open__creating_is_judged_by_the_parent_and_the_name),
        test(path_open__go_reads_though_it_asks_for_set_size),
        test(path_open__a_deleted_directory_has_no_path),
        test(path_open__a_path_too_long_for_the_kernel_to_tell_is_denied),
        test(path_open__a_name_that_ends_in_deleted_is_one_when_it_is_there),
        test(path_open__a_directory_that_was_moved_is_judged_where_it_is),
        test(path_open__swapped_while_being_opened_never_gives_what_is_outside),
        test(path_open__a_parent_swapped_while_creating_never_gives_a_file_outside),
        test(host__without_it_files_are_refused_and_that_is_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
