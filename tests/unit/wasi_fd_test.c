/* Descriptors: rights, numbers, flags, positions, buffers, and lists of directories. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/wasi_fixture.h"
#include "wasi/cookies.h"

static char content[8192];

static void make_tree(struct world *world) {
    host_mkdir(world, "d");
    host_mkdir(world, "d/sub");
    host_write(world, "d/file", "0123456789");
    host_write(world, "d/other", "other");
    world_grant(world, "fs:read:$/d/**");
    world_grant(world, "fs:write:$/d/**");
}

static uint32_t open_ok(struct world *world, const char *path, uint32_t oflags, uint64_t rights,
                        uint32_t fdflags) {
    uint32_t fd;
    assert_int_equal(guest_open(world, ROOT, path, oflags, rights, fdflags, &fd), 0);
    return fd;
}

/* --- rights --- */

static uint64_t rights_of(struct world *world, uint32_t fd) {
    assert_int_equal(CALL(world, fd_fdstat_get, fd, AT_STAT), 0);
    return result_u64(world, AT_STAT + WASI_FDSTAT_RIGHTS);
}

static void rights__only_shrink(void **state) {
    struct world *world = *state;
    make_tree(world);
    uint32_t fd = open_ok(world, "$/d/file", 0, WASI_RIGHTS_ALL, 0);
    uint64_t rights = rights_of(world, fd);
    assert_int_equal(CALL(world, fd_fdstat_set_rights, fd, rights & ~WASI_RIGHT_FD_WRITE, 0), 0);
    assert_int_equal(guest_write(world, fd, "x"), WASI_ENOTCAPABLE);
    assert_int_equal(CALL(world, fd_fdstat_set_rights, fd, rights, 0), WASI_ENOTCAPABLE);
    assert_int_equal(CALL(world, fd_fdstat_set_rights, fd, 0, 1), WASI_ENOTCAPABLE);
    assert_int_equal(guest_write(world, fd, "x"), WASI_ENOTCAPABLE);
    assert_int_equal(guest_read(world, fd, content, 11), 0);
    assert_string_equal(content, "0123456789");
}

static void rights__of_a_directory_bound_what_is_opened_through_it(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_tree(world);
    uint32_t size = put_path(world, AT_PATH, "$/d");
    assert_int_equal(CALL(world, path_open, ROOT, 0, AT_PATH, size, WASI_OFLAG_DIRECTORY, READ_RIGHTS,
                          WASI_RIGHT_FD_READ, 0, AT_RESULT),
                     0);
    uint32_t directory = result_u32(world);
    assert_int_equal(guest_open(world, directory, "file", 0, WASI_RIGHT_FD_READ, 0, &fd), 0);
    assert_int_equal(guest_open(world, directory, "file", 0, WASI_RIGHT_FD_WRITE, 0, &fd), WASI_ENOTCAPABLE);
    assert_string_equal(host_read(world, "d/file"), "0123456789");
}

/* The attack: the rights are refused, but the file is gone by then. */
static void rights__are_refused_before_anything_is_made_or_truncated(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_tree(world);
    uint32_t size = put_path(world, AT_PATH, "$/d");
    assert_int_equal(CALL(world, path_open, ROOT, 0, AT_PATH, size, WASI_OFLAG_DIRECTORY, WASI_RIGHTS_ALL,
                          WASI_RIGHT_FD_READ, 0, AT_RESULT),
                     0);
    uint32_t directory = result_u32(world);
    uint64_t rights = WASI_RIGHT_FD_READ | WASI_RIGHT_FD_WRITE;
    assert_int_equal(guest_open(world, directory, "file", WASI_OFLAG_TRUNC, rights, 0, &fd),
                     WASI_ENOTCAPABLE);
    assert_string_equal(host_read(world, "d/file"), "0123456789");
    assert_int_equal(guest_open(world, directory, "new", WASI_OFLAG_CREAT, rights, 0, &fd), WASI_ENOTCAPABLE);
    assert_false(host_exists(world, "d/new"));
}

static void rights__are_those_that_make_sense(void **state) {
    struct world *world = *state;
    make_tree(world);
    uint32_t directory = open_ok(world, "$/d", WASI_OFLAG_DIRECTORY, WASI_RIGHTS_ALL, 0);
    uint64_t no = WASI_RIGHT_FD_SEEK | WASI_RIGHT_FD_READ | WASI_RIGHT_FD_WRITE;
    assert_int_equal(rights_of(world, directory) & no, 0);
    assert_int_equal(CALL(world, fd_seek, directory, 0, WASI_WHENCE_SET, AT_RESULT), WASI_ENOTCAPABLE);
    assert_int_equal(guest_read(world, directory, content, 8), WASI_EISDIR);
}

static void rights__are_needed_on_the_directory_for_each_operation(void **state) {
    struct world *world = *state;
    make_tree(world);
    uint32_t size = put_path(world, AT_PATH, "d");
    uint64_t open = WASI_RIGHT_PATH_OPEN;
    world_start(world);
    assert_int_equal(CALL(world, fd_fdstat_set_rights, ROOT, open, 0), 0);
    assert_int_equal(CALL(world, path_create_directory, ROOT, AT_PATH, size), WASI_ENOTCAPABLE);
    assert_int_equal(CALL(world, path_filestat_get, ROOT, 0, AT_PATH, size, AT_STAT), WASI_ENOTCAPABLE);
    assert_int_equal(CALL(world, path_unlink_file, ROOT, AT_PATH, size), WASI_ENOTCAPABLE);
    assert_int_equal(CALL(world, path_open, ROOT, 0, AT_PATH, size, WASI_OFLAG_CREAT, 0, 0, 0, AT_RESULT),
                     WASI_ENOTCAPABLE);
    assert_int_equal(CALL(world, fd_readdir, ROOT, AT_BUFFER, 100, 0, AT_RESULT), WASI_ENOTCAPABLE);
}

/* --- numbers --- */

static void numbers__closed_ones_are_bad(void **state) {
    struct world *world = *state;
    make_tree(world);
    uint32_t fd = open_ok(world, "$/d/file", 0, WASI_RIGHTS_ALL, 0);
    assert_int_equal(CALL(world, fd_close, fd), 0);
    assert_int_equal(CALL(world, fd_close, fd), WASI_EBADF);
    assert_int_equal(guest_read(world, fd, content, 8), WASI_EBADF);
    assert_int_equal(CALL(world, fd_filestat_get, fd, AT_STAT), WASI_EBADF);
    assert_int_equal(CALL(world, fd_close, UINT32_MAX), WASI_EBADF);
    assert_int_equal(CALL(world, fd_prestat_get, 4, AT_STAT), WASI_EBADF);
}

static void numbers__renumber_moves_one_over_another(void **state) {
    struct world *world = *state;
    make_tree(world);
    uint32_t from = open_ok(world, "$/d/file", 0, READ_RIGHTS, 0);
    uint32_t to = open_ok(world, "$/d/other", 0, WRITE_RIGHTS, 0);
    assert_int_equal(CALL(world, fd_renumber, from, to), 0);
    assert_int_equal(guest_read(world, to, content, 11), 0);
    assert_string_equal(content, "0123456789");
    assert_int_equal(guest_write(world, to, "x"), WASI_ENOTCAPABLE);
    assert_int_equal(CALL(world, fd_close, from), WASI_EBADF);
    assert_int_equal(CALL(world, fd_renumber, to, from), WASI_EBADF);
    assert_int_equal(CALL(world, fd_renumber, to, 1u << 31), WASI_EBADF);
    assert_int_equal(CALL(world, fd_renumber, to, to), 0);
    assert_int_equal(CALL(world, fd_close, to), 0);
}

/* A preopen that was put elsewhere is judged as before, and stays one. */
static void numbers__a_moved_preopen_is_still_under_the_policy(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_tree(world);
    host_write(world, "secret", "secret");
    assert_int_equal(CALL(world, fd_renumber, ROOT, 0), 0);
    uint32_t size = put_path(world, AT_PATH, "$/secret");
    assert_int_equal(CALL(world, path_filestat_get, 0, 0, AT_PATH, size, AT_STAT), WASI_EACCES);
    assert_int_equal(guest_open(world, 0, "$/d/file", 0, READ_RIGHTS, 0, &fd), 0);
    assert_int_equal(guest_open(world, ROOT + 1, "$/d/file", 0, READ_RIGHTS, 0, &fd), WASI_EBADF);
}

static int open_descriptors(void) {
    int count = 0;
    _cleanup_closed_ DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory))
        count++;
    return count;
}

static void numbers__are_limited_and_nothing_leaks(void **state) {
    struct world *world = *state;
    uint32_t fd;
    make_tree(world);
    world_start(world);
    int before = open_descriptors();
    int count = 4;
    while (guest_open(world, ROOT, "$/d/file", 0, READ_RIGHTS, 0, &fd) == 0)
        count++;
    assert_int_equal(count, REGLET__DEFAULT_OPEN_FILES);
    assert_int_equal(guest_open(world, ROOT, "$/d/file", 0, READ_RIGHTS, 0, &fd), -1);
    assert_int_equal(world->guest->stop.status, REGLET_ERR_FILE_LIMIT);
    assert_string_equal(world->guest->stop.message,
                        "a_function passed max_open_files: more than 256 files open at once");
    world_start(world);
    assert_int_equal(open_descriptors(), before);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(guest_open(world, ROOT, "$/d/none", 0, READ_RIGHTS, 0, &fd), WASI_ENOENT);
        assert_int_equal(guest_open(world, ROOT, "$/e/none", 0, READ_RIGHTS, 0, &fd), WASI_EACCES);
        assert_int_equal(guest_open(world, ROOT, "$/d/sub/../file/", 0, READ_RIGHTS, 0, &fd), WASI_ENOTDIR);
        guest_rename(world, "$/d/sub", "$/e/sub");
        guest_link(world, "$/d/file", "$/e/file");
    }
    assert_int_equal(open_descriptors(), before);
}

static void numbers__a_bad_result_address_opens_nothing(void **state) {
    struct world *world = *state;
    make_tree(world);
    uint32_t size = put_path(world, AT_PATH, "$/d/new");
    assert_int_equal(
        CALL(world, path_open, ROOT, 0, AT_PATH, size, WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, 0, UINT32_MAX - 1),
        WASI_EFAULT);
    assert_false(host_exists(world, "d/new"));
}

static void prestat__is_asked_upwards_until_bad(void **state) {
    struct world *world = *state;
    make_tree(world);
    assert_int_equal(CALL(world, fd_prestat_get, 3, AT_STAT), 0);
    assert_int_equal(result_u64(world, AT_STAT), UINT64_C(1) << 32);
    assert_int_equal(CALL(world, fd_prestat_dir_name, 3, AT_STAT, 0), WASI_ENAMETOOLONG);
    assert_int_equal(CALL(world, fd_prestat_dir_name, 3, AT_STAT, 1), 0);
    assert_int_equal(world->guest->memory[AT_STAT], '/');
    assert_int_equal(CALL(world, fd_prestat_get, 4, AT_STAT), WASI_EBADF);
    assert_int_equal(CALL(world, fd_prestat_get, 0, AT_STAT), WASI_EBADF);
}

/* --- content --- */

static void io__append_writes_at_the_end_until_it_is_taken_off(void **state) {
    struct world *world = *state;
    make_tree(world);
    uint32_t fd = open_ok(world, "$/d/file", 0, WRITE_RIGHTS, WASI_FDFLAG_APPEND);
    assert_int_equal(CALL(world, fd_seek, fd, 0, WASI_WHENCE_SET, AT_RESULT), 0);
    assert_int_equal(guest_write(world, fd, "A"), 0);
    assert_string_equal(host_read(world, "d/file"), "0123456789A");
    assert_int_equal(CALL(world, fd_fdstat_set_flags, fd, WASI_FDFLAG_SYNC), WASI_ENOTSUP);
    assert_int_equal(CALL(world, fd_fdstat_set_flags, fd, 1 << 5), WASI_EINVAL);
    assert_int_equal(CALL(world, fd_fdstat_set_flags, fd, 0), 0);
    assert_int_equal(CALL(world, fd_seek, fd, 0, WASI_WHENCE_SET, AT_RESULT), 0);
    assert_int_equal(guest_write(world, fd, "B"), 0);
    assert_string_equal(host_read(world, "d/file"), "B123456789A");
}

static void io__positions(void **state) {
    struct world *world = *state;
    make_tree(world);
    uint32_t fd = open_ok(world, "$/d/file", 0, WASI_RIGHTS_ALL, 0);
    assert_int_equal(CALL(world, fd_seek, fd, (uint64_t)-3, WASI_WHENCE_END, AT_RESULT), 0);
    assert_int_equal(result_u64(world, AT_RESULT), 7);
    assert_int_equal(CALL(world, fd_tell, fd, AT_RESULT), 0);
    assert_int_equal(result_u64(world, AT_RESULT), 7);
    assert_int_equal(CALL(world, fd_seek, fd, (uint64_t)-20, WASI_WHENCE_CUR, AT_RESULT), WASI_EINVAL);
    assert_int_equal(CALL(world, fd_seek, fd, 0, 3, AT_RESULT), WASI_EINVAL);
    uint32_t list[4] = {AT_BUFFER, 2, AT_BUFFER + 2, 2};
    reglet__guest_write(world->guest, AT_LIST, list, sizeof list);
    assert_int_equal(CALL(world, fd_pread, fd, AT_LIST, 2, 4, AT_RESULT), 0);
    assert_int_equal(result_u32(world), 4);
    assert_memory_equal(world->guest->memory + AT_BUFFER, "4567", 4);
    assert_int_equal(CALL(world, fd_pread, fd, AT_LIST, 2, 9, AT_RESULT), 0);
    assert_int_equal(result_u32(world), 1);
    assert_int_equal(CALL(world, fd_pread, fd, AT_LIST, 2, UINT64_MAX, AT_RESULT), WASI_EINVAL);
    assert_int_equal(CALL(world, fd_pwrite, fd, AT_LIST, 1, 0, AT_RESULT), 0);
    assert_int_equal(CALL(world, fd_tell, fd, AT_RESULT), 0);
    assert_int_equal(result_u64(world, AT_RESULT), 7);
}

static void io__buffer_lists_are_checked(void **state) {
    struct world *world = *state;
    make_tree(world);
    uint32_t fd = open_ok(world, "$/d/file", 0, WASI_RIGHTS_ALL, 0);
    uint32_t outside[4] = {AT_BUFFER, 4, UINT32_MAX - 8, 32};
    reglet__guest_write(world->guest, AT_LIST, outside, sizeof outside);
    assert_int_equal(CALL(world, fd_read, fd, AT_LIST, 2, AT_RESULT), WASI_EFAULT);
    assert_int_equal(CALL(world, fd_write, fd, AT_LIST, 2, AT_RESULT), WASI_EFAULT);
    assert_int_equal(CALL(world, fd_read, fd, UINT32_MAX - 3, 1, AT_RESULT), WASI_EFAULT);
    assert_int_equal(CALL(world, fd_read, fd, AT_LIST, REGLET__MAX_IOVECS + 1, AT_RESULT), WASI_EINVAL);
    assert_int_equal(CALL(world, fd_read, fd, AT_LIST, UINT32_MAX, AT_RESULT), WASI_EINVAL);
    assert_int_equal(CALL(world, fd_write, fd, AT_LIST, 1, UINT32_MAX - 2), WASI_EFAULT);
    assert_string_equal(host_read(world, "d/file"), "0123456789");
}

/* 1,024 buffers of 4 MiB, all the same: 2^32 bytes would come out as none. */
static void io__totals_do_not_wrap(void **state) {
    struct world *world = *state;
    make_tree(world);
    uint32_t fd = open_ok(world, "$/d/file", 0, WASI_RIGHTS_ALL, 0);
    for (uint32_t i = 0; i < REGLET__MAX_IOVECS; i++) {
        uint32_t part[2] = {0, 1 << 22};
        reglet__guest_write(world->guest, AT_BUFFER + i * 8, part, sizeof part);
    }
    assert_int_equal(CALL(world, fd_write, fd, AT_BUFFER, REGLET__MAX_IOVECS, AT_RESULT), WASI_EINVAL);
    assert_string_equal(host_read(world, "d/file"), "0123456789");
}

static void io__large_transfers_are_whole(void **state) {
    struct world *world = *state;
    make_tree(world);
    uint32_t fd = open_ok(world, "$/d/big", WASI_OFLAG_CREAT, WASI_RIGHTS_ALL, 0);
    enum { PARTS = 200, PART = 17000 };
    for (uint32_t i = 0; i < PARTS; i++) {
        uint32_t part[2] = {AT_BUFFER + i * PART, PART};
        reglet__guest_write(world->guest, AT_LIST + i * 8, part, sizeof part);
        memset(world->guest->memory + AT_BUFFER + i * PART, (int)i, PART);
    }
    assert_int_equal(CALL(world, fd_write, fd, AT_LIST, PARTS, AT_RESULT), 0);
    assert_int_equal(result_u32(world), PARTS * PART);
    memset(world->guest->memory + AT_BUFFER, 0xFF, PARTS * PART);
    assert_int_equal(CALL(world, fd_pread, fd, AT_LIST, PARTS, 0, AT_RESULT), 0);
    assert_int_equal(result_u32(world), PARTS * PART);
    for (uint32_t i = 0; i < PARTS * PART; i += 997)
        assert_int_equal(world->guest->memory[AT_BUFFER + i], i / PART);
}

static void io__a_device_without_end_is_ended_by_the_deadline(void **state) {
    struct world *world = *state;
    world_grant(world, "fs:read:/dev/zero");
    uint32_t fd = open_ok(world, "dev/zero", 0, READ_RIGHTS, 0);
    for (uint32_t i = 0; i < 512; i++) {
        uint32_t part[2] = {0, 1 << 22};
        reglet__guest_write(world->guest, AT_BUFFER + i * 8, part, sizeof part);
    }
    world->guest->interrupt.deadline = 1;
    assert_int_equal(CALL(world, fd_read, fd, AT_BUFFER, 512, AT_RESULT), -1);
    assert_int_equal(world->guest->stop.status, REGLET_ERR_TIMEOUT);
}

static void file__sizes_and_space(void **state) {
    struct world *world = *state;
    make_tree(world);
    uint32_t fd = open_ok(world, "$/d/file", 0, WASI_RIGHTS_ALL, 0);
    assert_int_equal(CALL(world, fd_filestat_set_size, fd, 3), 0);
    assert_string_equal(host_read(world, "d/file"), "012");
    assert_int_equal(CALL(world, fd_filestat_set_size, fd, UINT64_MAX), WASI_EFBIG);
    assert_int_equal(CALL(world, fd_allocate, fd, 0, 0), WASI_EINVAL);
    assert_int_equal(CALL(world, fd_allocate, fd, UINT64_MAX, 1), WASI_EINVAL);
    assert_int_equal(CALL(world, fd_allocate, fd, 1, INT64_MAX), WASI_EFBIG);
    assert_int_equal(CALL(world, fd_allocate, fd, 0, 100), 0);
    assert_int_equal(CALL(world, fd_filestat_get, fd, AT_STAT), 0);
    assert_int_equal(result_u64(world, AT_STAT + WASI_FILESTAT_SIZE_FIELD), 100);
    assert_int_equal(world->guest->memory[AT_STAT + WASI_FILESTAT_TYPE], WASI_FILETYPE_REGULAR_FILE);
    assert_int_equal(CALL(world, fd_advise, fd, 0, 10, 3), 0);
    assert_int_equal(CALL(world, fd_advise, fd, 0, 10, 6), WASI_EINVAL);
    assert_int_equal(CALL(world, fd_sync, fd), 0);
    assert_int_equal(CALL(world, fd_datasync, fd), 0);
    assert_int_equal(CALL(world, fd_sync, open_ok(world, "$/d", 0, READ_RIGHTS, 0)), 0);
}

/* The attack: past the process's limit on the size of files, growing one raises SIGXFSZ, which kills it. */
static void file__growing_past_the_processs_limit_is_refused(void **state) {
    struct world *world = *state;
    enum { LIMIT = 8192 };
    struct rlimit before, limit;
    make_tree(world);
    uint32_t fd = open_ok(world, "$/d/file", 0, WASI_RIGHTS_ALL, 0);
    uint32_t end = open_ok(world, "$/d/other", 0, WASI_RIGHTS_ALL, WASI_FDFLAG_APPEND);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = LIMIT, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    uint32_t list[2] = {AT_BUFFER, LIMIT + 1};
    reglet__guest_write(world->guest, AT_LIST, list, sizeof list);
    int written = CALL(world, fd_write, fd, AT_LIST, 1, AT_RESULT);
    uint32_t size = result_u32(world);
    int more = CALL(world, fd_write, fd, AT_LIST, 1, AT_RESULT);
    int behind = CALL(world, fd_pwrite, fd, AT_LIST, 1, LIMIT + 1, AT_RESULT);
    int appended = CALL(world, fd_write, end, AT_LIST, 1, AT_RESULT);
    int appended_more = CALL(world, fd_pwrite, end, AT_LIST, 1, 0, AT_RESULT);
    int resized = CALL(world, fd_filestat_set_size, fd, LIMIT + 1);
    int allocated = CALL(world, fd_allocate, fd, LIMIT, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(written, 0);
    assert_int_equal(size, LIMIT);
    assert_int_equal(more, WASI_EFBIG);
    assert_int_equal(behind, WASI_EFBIG);
    assert_int_equal(appended, 0);
    assert_int_equal(appended_more, WASI_EFBIG);
    assert_int_equal(resized, WASI_EFBIG);
    assert_int_equal(allocated, WASI_EFBIG);
}

/* --- lists of directories --- */

static void list__shows_only_what_is_granted(void **state) {
    struct world *world = *state;
    host_mkdir(world, "d");
    host_mkdir(world, "d/way");
    host_mkdir(world, "d/closed");
    host_write(world, "d/granted", "");
    host_write(world, "d/secret", "");
    host_write(world, "d/way/file", "");
    host_write(world, "d/way/secret", "");
    host_symlink(world, "secret", "d/link");
    world_grant(world, "fs:read:$/d/granted");
    world_grant(world, "fs:read:$/d/way/file");
    uint32_t fd = open_ok(world, "$/d", WASI_OFLAG_DIRECTORY, READ_RIGHTS, 0);
    assert_int_equal(guest_list(world, fd, 4096, content, sizeof content), 0);
    assert_string_equal(content, ". .. granted way ");
    fd = open_ok(world, "$/d/way", 0, READ_RIGHTS, 0);
    assert_int_equal(guest_list(world, fd, 4096, content, sizeof content), 0);
    assert_string_equal(content, ". .. file ");
    fd = open_ok(world, ".", 0, READ_RIGHTS, 0);
    assert_int_equal(guest_list(world, fd, 4096, content, sizeof content), 0);
    assert_string_equal(content, ". .. tmp ");
    uint32_t none;
    assert_int_equal(guest_open(world, ROOT, "$/d/closed", 0, READ_RIGHTS, 0, &none), WASI_EACCES);
    assert_int_equal(guest_list(world, ROOT, 4096, content, sizeof content), 0);
    assert_string_equal(content, ". .. tmp ");
}

/* A file in the place of a directory on the way to a grant is none of it. */
static void list__hides_a_file_where_only_a_directory_would_lead_on(void **state) {
    struct world *world = *state;
    host_mkdir(world, "d");
    host_mkdir(world, "d/directory");
    host_write(world, "d/file", "");
    host_write(world, "d/match.conf", "");
    world_grant(world, "fs:read:$/d/**/*.conf");
    uint32_t fd = open_ok(world, "$/d", 0, READ_RIGHTS, 0);
    assert_int_equal(guest_list(world, fd, 4096, content, sizeof content), 0);
    assert_string_equal(content, ". .. directory match.conf ");
    assert_int_equal(guest_stat(world, "$/d/file", true), WASI_EACCES);
    assert_int_equal(guest_stat(world, "$/d/missing", true), WASI_EACCES);
}

static void list__cookies_hold_with_the_smallest_buffers(void **state) {
    struct world *world = *state;
    static const uint32_t steps[] = {50, 64, 100, 333, 4096, BUFFER_SIZE};
    char name[32], expected[8192] = ". .. ", part[32];
    host_mkdir(world, "d");
    host_write(world, "d/hidden", "");
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "d/granted%03d", i);
        host_write(world, name, "");
        snprintf(part, sizeof part, "granted%03d ", i);
        strcat(expected, part);
    }
    world_grant(world, "fs:read:$/d/granted*");
    uint32_t fd = open_ok(world, "$/d", 0, READ_RIGHTS, 0);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        assert_int_equal(guest_list(world, fd, steps[i], content, sizeof content), 0);
        assert_string_equal(content, expected);
    }
    assert_int_equal(CALL(world, fd_readdir, fd, AT_BUFFER, 100, UINT64_MAX, AT_RESULT), WASI_EINVAL);
    assert_int_equal(CALL(world, fd_readdir, fd, UINT32_MAX, 100, 0, AT_RESULT), WASI_EFAULT);
}

/* --- places in a directory: telldir() of wasi-libc is a long of 32 bits --- */

enum { PLACES = 100, WHOLE_ENTRY = WASI_DIRENT_SIZE + 255 };

struct place {
    char name[16]; /* of the entry that follows */
    uint64_t cookie;
};

/* Reads the one entry at a cookie: its name, and the cookie behind it. "" at the end. */
static uint64_t entry_at(struct world *world, uint32_t fd, uint64_t cookie, char name[16]) {
    uint32_t length = 0;
    memset(name, 0, 16);
    assert_int_equal(CALL(world, fd_readdir, fd, AT_BUFFER, WHOLE_ENTRY, cookie, AT_RESULT), 0);
    if (result_u32(world) == 0)
        return cookie;
    memcpy(&length, world->guest->memory + AT_BUFFER + WASI_DIRENT_NAMLEN, sizeof length);
    assert_in_range(length, 1, 15);
    memcpy(name, world->guest->memory + AT_BUFFER + WASI_DIRENT_SIZE, length);
    return result_u64(world, AT_BUFFER);
}

static uint32_t make_places(struct world *world, struct place places[PLACES + 2]) {
    char name[32];
    host_mkdir(world, "d");
    for (int i = 0; i < PLACES; i++) {
        snprintf(name, sizeof name, "d/%03d", i);
        host_write(world, name, "");
    }
    world_grant(world, "fs:read:$/d/**");
    uint32_t fd = open_ok(world, "$/d", 0, READ_RIGHTS, 0);
    for (uint64_t i = 0, cookie = 0; i < PLACES + 2; i++) {
        places[i].cookie = cookie;
        cookie = entry_at(world, fd, cookie, places[i].name);
    }
    return fd;
}

static void cookies__fit_into_31_bits_and_lead_back(void **state) {
    struct world *world = *state;
    struct place places[PLACES + 2];
    char name[16];
    uint32_t fd = make_places(world, places);
    for (size_t i = PLACES + 2; i-- > 0;) {
        assert_in_range(places[i].cookie, 0, INT32_MAX);
        entry_at(world, fd, places[i].cookie, name);
        assert_string_equal(name, places[i].name);
    }
}

static void cookies__stay_good_after_rewinding_and_when_entries_vanish(void **state) {
    struct world *world = *state;
    struct place places[PLACES + 2];
    char name[32];
    uint32_t fd = make_places(world, places);
    for (size_t i = 0; i < PLACES + 2; i += 2) {
        snprintf(name, sizeof name, "d/%.15s", places[i].name);
        if (places[i].name[0] != '.')
            unlink(host_path(world, name));
    }
    host_write(world, "d/new", "");
    for (uint32_t step = 50; step < 4096; step += 333)
        assert_int_equal(guest_list(world, fd, step, content, sizeof content), 0);
    for (size_t i = 1; i < PLACES + 2; i += 2) {
        entry_at(world, fd, places[i].cookie, name);
        assert_true(strcmp(name, places[i].name) == 0 || strcmp(name, "new") == 0);
    }
}

/* The attack: fill the host's memory by beginning anew, or with cookies that nobody gave. */
static void cookies__of_one_place_are_one_and_invented_ones_are_refused(void **state) {
    struct world *world = *state;
    struct place places[PLACES + 2];
    char name[16];
    uint32_t fd = make_places(world, places);
    for (int round = 0; round < 20; round++)
        for (uint64_t i = 0, cookie = 0; i < PLACES + 2; i++) {
            assert_int_equal(cookie, places[i].cookie);
            cookie = entry_at(world, fd, cookie, name);
        }
    static const uint64_t invented[] = {PLACES + 3, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(invented); i++)
        assert_int_equal(CALL(world, fd_readdir, fd, AT_BUFFER, 100, invented[i], AT_RESULT), WASI_EINVAL);
    assert_int_equal(CALL(world, fd_close, fd), 0);
    fd = open_ok(world, "$/d", 0, READ_RIGHTS, 0);
    assert_int_equal(CALL(world, fd_readdir, fd, AT_BUFFER, 100, 1, AT_RESULT), WASI_EINVAL);
}

static void cookies__are_limited(void **state) {
    (void)state;
    enum { LIMIT = 5000 };
    struct reglet__wasi_cookies cookies = {.count = 0};
    uint32_t cookie;
    for (int64_t i = 1; i <= LIMIT; i++) {
        assert_int_equal(reglet__wasi_cookies_give(&cookies, i << 32, LIMIT, &cookie), 0);
        assert_int_equal(cookie, i);
    }
    assert_int_equal(reglet__wasi_cookies_give(&cookies, 1, LIMIT, &cookie), WASI_EOVERFLOW);
    for (int64_t i = LIMIT; i > 0; i--) {
        assert_int_equal(reglet__wasi_cookies_give(&cookies, i << 32, LIMIT, &cookie), 0);
        assert_int_equal(cookie, i);
        assert_int_equal(reglet__wasi_cookies_position(&cookies, cookie), i << 32);
    }
    reglet__wasi_cookies_free(&cookies);
}

static void list__does_not_tell_the_inode_of_the_parent(void **state) {
    struct world *world = *state;
    struct stat st;
    make_tree(world);
    uint32_t fd = open_ok(world, "$/d", 0, READ_RIGHTS, 0);
    assert_int_equal(CALL(world, fd_readdir, fd, AT_BUFFER, BUFFER_SIZE, 0, AT_RESULT), 0);
    assert_int_equal(stat(world->top, &st), 0);
    for (uint32_t at = AT_BUFFER, end = AT_BUFFER + result_u32(world); at < end;) {
        assert_true(result_u64(world, at + WASI_DIRENT_INO) != st.st_ino);
        at += WASI_DIRENT_SIZE + (uint32_t)(result_u64(world, at + WASI_DIRENT_NAMLEN) & UINT32_MAX);
    }
}

static void list__leaves_out_names_that_are_not_utf8(void **state) {
    struct world *world = *state;
    make_tree(world);
    host_write(world, "d/sub/a\xff", "");
    host_write(world, "d/sub/b", "");
    uint32_t fd = open_ok(world, "$/d/sub", 0, READ_RIGHTS, 0);
    assert_int_equal(guest_list(world, fd, 4096, content, sizeof content), 0);
    assert_string_equal(content, ". .. b ");
}

static void list__of_a_file_is_refused(void **state) {
    struct world *world = *state;
    make_tree(world);
    uint32_t fd = open_ok(world, "$/d/file", 0, READ_RIGHTS, 0), none;
    assert_int_equal(CALL(world, fd_readdir, fd, AT_BUFFER, 100, 0, AT_RESULT), WASI_ENOTDIR);
    assert_int_equal(guest_open(world, fd, "x", 0, READ_RIGHTS, 0, &none), WASI_ENOTDIR);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        test(rights__only_shrink),
        test(rights__of_a_directory_bound_what_is_opened_through_it),
        test(rights__are_refused_before_anything_is_made_or_truncated),
        test(rights__are_those_that_make_sense),
        test(rights__are_needed_on_the_directory_for_each_operation),
        test(numbers__closed_ones_are_bad),
        test(numbers__renumber_moves_one_over_another),
        test(numbers__a_moved_preopen_is_still_under_the_policy),
        test(numbers__are_limited_and_nothing_leaks),
        test(numbers__a_bad_result_address_opens_nothing),
        test(prestat__is_asked_upwards_until_bad),
        test(io__append_writes_at_the_end_until_it_is_taken_off),
        test(io__positions),
        test(io__buffer_lists_are_checked),
        test(io__totals_do_not_wrap),
        test(io__large_transfers_are_whole),
        test(io__a_device_without_end_is_ended_by_the_deadline),
        test(file__sizes_and_space),
        test(file__growing_past_the_processs_limit_is_refused),
        test(list__shows_only_what_is_granted),
        test(list__hides_a_file_where_only_a_directory_would_lead_on),
        test(list__cookies_hold_with_the_smallest_buffers),
        test(cookies__fit_into_31_bits_and_lead_back),
        test(cookies__stay_good_after_rewinding_and_when_entries_vanish),
        test(cookies__of_one_place_are_one_and_invented_ones_are_refused),
        cmocka_unit_test(cookies__are_limited),
        test(list__does_not_tell_the_inode_of_the_parent),
        test(list__leaves_out_names_that_are_not_utf8),
        test(list__of_a_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
