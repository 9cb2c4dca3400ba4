/* What is told of decisions on files: one a request, at its end; of an open file when it is closed. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "tests/unit/wasi_fixture.h"

static void make_tree(struct world *world) {
    host_mkdir(world, "d");
    host_mkdir(world, "d/sub");
    host_mkdir(world, "e");
    host_write(world, "d/file", "0123456789");
    host_write(world, "e/secret", "secret");
    world_start(world);
    world->allowed.size = world->denials.size = 0;
}

/* Fails unless exactly this was allowed since the last time. */
static void expect_allowed(struct world *world, const char *lines) {
    assert_string_equal(world->allowed.size ? world->allowed.data : "", lines);
    world->allowed.size = 0;
}

static void grant_all_of_d(struct world *world) {
    make_tree(world);
    world_grant(world, "fs:read:$/d/**");
    world_grant(world, "fs:write:$/d/**");
}

static void file__is_told_when_it_is_closed_with_its_bytes(void **state) {
    struct world *world = *state;
    char text[16];
    uint32_t fd;
    grant_all_of_d(world);
    assert_int_equal(guest_open(world, ROOT, "$/d/file", 0, READ_RIGHTS | WRITE_RIGHTS, 0, &fd), 0);
    assert_int_equal(guest_read(world, fd, text, 5), 0);
    assert_int_equal(guest_write(world, fd, "abc"), 0);
    expect_allowed(world, "");
    assert_int_equal(CALL(world, fd_close, fd), 0);
    expect_allowed(world, "path_open fs:read /d/file in 4 out 0\npath_open fs:write /d/file in 0 out 3\n");
}

static void file__that_stays_open_is_told_when_the_call_ends(void **state) {
    struct world *world = *state;
    uint32_t fd;
    grant_all_of_d(world);
    assert_int_equal(guest_open(world, ROOT, "$/d/file", 0, READ_RIGHTS, 0, &fd), 0);
    expect_allowed(world, "");
    world_start(world);
    expect_allowed(world, "path_open fs:read /d/file in 0 out 0\n");
}

static void file__whose_number_another_one_takes_is_told(void **state) {
    struct world *world = *state;
    uint32_t first, second;
    grant_all_of_d(world);
    host_write(world, "d/other", "other");
    assert_int_equal(guest_open(world, ROOT, "$/d/file", 0, READ_RIGHTS, 0, &first), 0);
    assert_int_equal(guest_open(world, ROOT, "$/d/other", 0, READ_RIGHTS, 0, &second), 0);
    assert_int_equal(CALL(world, fd_renumber, second, first), 0);
    expect_allowed(world, "path_open fs:read /d/file in 0 out 0\n");
    assert_int_equal(CALL(world, fd_close, first), 0);
    expect_allowed(world, "path_open fs:read /d/other in 0 out 0\n");
}

static void file__that_is_made_is_told_once(void **state) {
    struct world *world = *state;
    uint32_t fd;
    grant_all_of_d(world);
    assert_int_equal(guest_open(world, ROOT, "$/d/new", WASI_OFLAG_CREAT, WRITE_RIGHTS, 0, &fd), 0);
    assert_int_equal(CALL(world, fd_close, fd), 0);
    expect_allowed(world, "path_open fs:write /d/new in 0 out 0\n");
}

static void file__that_is_not_there_is_told_as_allowed(void **state) {
    struct world *world = *state;
    uint32_t fd;
    grant_all_of_d(world);
    assert_int_equal(guest_open(world, ROOT, "$/d/none", 0, READ_RIGHTS, 0, &fd), WASI_ENOENT);
    expect_allowed(world, "path_open fs:read /d/none in 0 out 0\n");
}

static void steps_of_a_path__are_not_told(void **state) {
    struct world *world = *state;
    char text[16];
    grant_all_of_d(world);
    assert_int_equal(guest_read_path(world, "$/d/sub/../sub/../file", text, sizeof text), 0);
    expect_allowed(world, "path_open fs:read /d/file in 10 out 0\n");
}

static void list__is_told_once_and_not_for_its_entries(void **state) {
    struct world *world = *state;
    char names[256];
    uint32_t fd;
    grant_all_of_d(world);
    assert_int_equal(guest_open(world, ROOT, "$/d", WASI_OFLAG_DIRECTORY, WASI_RIGHT_FD_READDIR, 0, &fd), 0);
    assert_int_equal(guest_list(world, fd, 40, names, sizeof names), 0);
    assert_string_equal(names, ". .. file sub ");
    assert_int_equal(CALL(world, fd_close, fd), 0);
    expect_allowed(world, "path_open fs:look /d in 0 out 0\nfd_readdir fs:look /d in 0 out 0\n");
}

static void changes__are_told_with_every_path_they_are_about(void **state) {
    struct world *world = *state;
    char target[64];
    grant_all_of_d(world);
    assert_int_equal(guest_one(world, reglet__preview1_path_create_directory, "$/d/new"), 0);
    assert_int_equal(guest_one(world, reglet__preview1_path_remove_directory, "$/d/new"), 0);
    assert_int_equal(guest_rename(world, "$/d/file", "$/d/moved"), 0);
    assert_int_equal(guest_link(world, "$/d/moved", "$/d/linked"), 0);
    assert_int_equal(guest_symlink(world, "moved", "$/d/symlink"), 0);
    assert_int_equal(guest_readlink(world, "$/d/symlink", target, sizeof target), 0);
    assert_int_equal(guest_stat(world, "$/d/moved", true), 0);
    assert_int_equal(guest_one(world, reglet__preview1_path_unlink_file, "$/d/linked"), 0);
    uint32_t size = put_path(world, AT_PATH, "$/d/moved");
    assert_int_equal(
        CALL(world, path_filestat_set_times, ROOT, 0, AT_PATH, size, 0, 0, WASI_FSTFLAG_MTIM_NOW), 0);
    expect_allowed(world, "path_create_directory fs:write /d/new in 0 out 0\n"
                          "path_remove_directory fs:write /d/new in 0 out 0\n"
                          "path_rename fs:write /d/file in 0 out 0\n"
                          "path_rename fs:write /d/moved in 0 out 0\n"
                          "path_link fs:read /d/moved in 0 out 0\n"
                          "path_link fs:write /d/moved in 0 out 0\n"
                          "path_link fs:write /d/linked in 0 out 0\n"
                          "path_symlink fs:write /d/symlink in 0 out 0\n"
                          "path_readlink fs:look /d/symlink in 0 out 0\n"
                          "path_filestat_get fs:look /d/moved in 0 out 0\n"
                          "path_unlink_file fs:write /d/linked in 0 out 0\n"
                          "path_filestat_set_times fs:write /d/moved in 0 out 0\n");
}

static void truncation__is_told_as_writing(void **state) {
    struct world *world = *state;
    uint32_t fd;
    grant_all_of_d(world);
    assert_int_equal(guest_open(world, ROOT, "$/d/file", WASI_OFLAG_TRUNC, WRITE_RIGHTS, 0, &fd), 0);
    assert_int_equal(CALL(world, fd_filestat_set_times, fd, 0, 0, WASI_FSTFLAG_MTIM_NOW), 0);
    assert_int_equal(CALL(world, fd_close, fd), 0);
    expect_allowed(world, "fd_filestat_set_times fs:write /d/file in 0 out 0\n"
                          "path_open fs:write /d/file in 0 out 0\n");
}

static void every_function_on_a_path__tells_of_a_refusal(void **state) {
    struct world *world = *state;
    make_tree(world);
    char target[64];
    uint32_t fd, size = put_path(world, AT_PATH, "$/e/secret");
    const struct {
        const char *name;
        int error;
    } refused[] = {
        {"path_open", guest_open(world, ROOT, "$/e/secret", 0, READ_RIGHTS, 0, &fd)},
        {"path_filestat_get", guest_stat(world, "$/e/secret", true)},
        {"path_filestat_set_times",
         CALL(world, path_filestat_set_times, ROOT, 0, AT_PATH, size, 0, 0, WASI_FSTFLAG_MTIM_NOW)},
        {"path_create_directory", guest_one(world, reglet__preview1_path_create_directory, "$/e/new")},
        {"path_remove_directory", guest_one(world, reglet__preview1_path_remove_directory, "$/e")},
        {"path_unlink_file", guest_one(world, reglet__preview1_path_unlink_file, "$/e/secret")},
        {"path_rename", guest_rename(world, "$/e/secret", "$/e/moved")},
        {"path_link", guest_link(world, "$/e/secret", "$/e/linked")},
        {"path_symlink", guest_symlink(world, "secret", "$/e/symlink")},
        {"path_readlink", guest_readlink(world, "$/e/secret", target, sizeof target)},
    };
    size_t lines = 0;
    for (const char *at = world->denials.data; (at = strchr(at, '\n')); at++)
        lines++;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (refused[i].error != WASI_EACCES)
            fail_msg("%s answered %d", refused[i].name, refused[i].error);
    assert_int_equal(lines, ARRAY_LEN(refused));
    expect_allowed(world, "");
}

static void refusal__takes_back_what_was_allowed_on_the_same_path(void **state) {
    struct world *world = *state;
    make_tree(world);
    world_grant(world, "fs:read:$/d/**");
    assert_int_equal(guest_link(world, "$/d/file", "$/d/linked"), WASI_EACCES);
    expect_allowed(world, "");
    char expected[256];
    snprintf(expected, sizeof expected, "write %s/d/file|fs:write:%s/d/file|", world->top, world->top);
    assert_non_null(strstr(world->denials.data, expected));
}

static void environment__is_one_decision(void **state) {
    static const char *const variables[] = {"HOME=/root", "LANG=C", "SECRET=x"};
    struct world *world = *state;
    world->options.environment = variables;
    world->options.environment_count = ARRAY_LEN(variables);
    make_tree(world);
    world_grant(world, "env:LANG");
    assert_int_equal(CALL(world, environ_sizes_get, AT_RESULT, AT_STAT), 0);
    assert_int_equal(CALL(world, environ_get, AT_LIST, AT_BUFFER), 0);
    expect_allowed(world, "environ_sizes_get env 1 of 3 variables in 0 out 0\n");
}

static void many_decisions_of_one_request__are_all_told(void **state) {
    struct world *world = *state;
    enum { MANY = 3 * REGLET__REQUEST_DECISIONS };
    struct reglet__decisions *decisions = &world->decisions;
    size_t lines = 0;
    reglet__decisions_begin(decisions, "function");
    for (int i = 0; i < MANY; i++)
        reglet__decisions_add(decisions, &(struct reglet__decided){
                                             .kind = "kv:read", .asked = "a", .decision = {.allowed = true}});
    reglet__decisions_moved(decisions, 5, 0);
    reglet__decisions_end(decisions);
    for (const char *at = world->allowed.data; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, MANY);
    assert_string_equal(strrchr(world->allowed.data, 'f'), "function kv:read a in 5 out 0\n");
}

static void nobody__is_told_where_nobody_listens(void **state) {
    struct world *world = *state;
    char text[16];
    world->decisions.sink = (struct reglet__decided_sink){NULL, NULL, false};
    grant_all_of_d(world);
    assert_int_equal(guest_read_path(world, "$/d/file", text, sizeof text), 0);
    assert_int_equal(guest_read_path(world, "$/e/secret", text, sizeof text), WASI_EACCES);
    world->options.decisions = NULL;
    assert_int_equal(guest_read_path(world, "$/d/file", text, sizeof text), 0);
    assert_int_equal(guest_read_path(world, "$/e/secret", text, sizeof text), WASI_EACCES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        test(file__is_told_when_it_is_closed_with_its_bytes),
        test(file__that_stays_open_is_told_when_the_call_ends),
        test(file__whose_number_another_one_takes_is_told),
        test(file__that_is_made_is_told_once),
        test(file__that_is_not_there_is_told_as_allowed),
        test(steps_of_a_path__are_not_told),
        test(list__is_told_once_and_not_for_its_entries),
        test(changes__are_told_with_every_path_they_are_about),
        test(truncation__is_told_as_writing),
        test(every_function_on_a_path__tells_of_a_refusal),
        test(refusal__takes_back_what_was_allowed_on_the_same_path),
        test(environment__is_one_decision),
        test(many_decisions_of_one_request__are_all_told),
        test(nobody__is_told_where_nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
