/*
 * Nothing can be learned of what is denied: two guests make the same calls, chosen at random, in two directories
 * that differ only in things that are not granted. Every answer has to be the same in both. Removing directories is
 * left out: one that may be removed tells by ENOTEMPTY that there is something in it.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/unit/wasi_fixture.h"

enum { CALLS = 4000, MAX_PATH = 128, LIST_SIZE = 512, DIRECTORIES = 6 };

/* What exists in the first directory alone. Below "d", only files: a pattern with "**" shows directories. */
static const char *const secrets[] = {"s", "d/s", "d/sub/s", "p/s", "w/sub/s", "m/s", "m/x/s"};

static const char *const grants[] = {"fs:read:$/d/file", "fs:read:$/d/**/name", "fs:write:$/d/**/name",
                                     "fs:write:$/w/*",   "fs:read:$/w/file",    "fs:read:$/e/**",
                                     "fs:write:$/e/**",  "fs:write:$/p",        "fs:read:$/m/x/file"};

static const char *const names[] = {".",   "..", "",  "d", "s", "s", "file", "name",
                                    "sub", "w",  "e", "x", "l", "p", "m"};

/* A pair of worlds, the descriptors of the same directories in both, and what comes next at random. */
struct twins {
    struct world *worlds[2];
    uint32_t directories[2][DIRECTORIES];
    uint64_t random;
};

struct answer {
    int error;
    unsigned char type;
    uint64_t counts[2]; /* links and size */
    char list[LIST_SIZE];
};

/* One call: its number below, and what it is given. */
struct attempt {
    unsigned what, directory, other, oflags, follow, rights;
    char path[MAX_PATH], other_path[MAX_PATH];
};

static unsigned pick(struct twins *twins, size_t count) {
    twins->random = twins->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((twins->random >> 33) % count);
}

static void pick_path(struct twins *twins, char out[MAX_PATH]) {
    size_t used = (size_t)snprintf(out, MAX_PATH, "%s", pick(twins, 4) ? "$/" : "");
    for (unsigned left = 1 + pick(twins, 5); left; left--)
        used += (size_t)snprintf(out + used, MAX_PATH - used, "%s%s", names[pick(twins, ARRAY_LEN(names))],
                                 left > 1 || pick(twins, 6) == 0 ? "/" : "");
}

static void stat_answer(struct world *world, struct answer *answer) {
    answer->type = world->guest->memory[AT_STAT + WASI_FILESTAT_TYPE];
    answer->counts[0] = result_u64(world, AT_STAT + WASI_FILESTAT_NLINK);
    answer->counts[1] = result_u64(world, AT_STAT + WASI_FILESTAT_SIZE_FIELD);
}

/* What can be learned from an open descriptor. */
static void look_inside(struct world *world, uint32_t fd, struct answer *answer) {
    if (CALL(world, fd_filestat_get, fd, AT_STAT) == 0)
        stat_answer(world, answer);
    if (answer->type == WASI_FILETYPE_DIRECTORY)
        guest_list(world, fd, 4096, answer->list,
                   sizeof answer->list);     /* without the right to, it is empty */
    if (strstr(answer->list, "reglet-wasi")) /* above: there are the two directories themselves */
        answer->list[0] = '\0';
    assert_int_equal(CALL(world, fd_close, fd), 0);
}

static struct answer make(struct world *world, const uint32_t *directories, const struct attempt *attempt) {
    static const uint64_t rights[] = {READ_RIGHTS, WRITE_RIGHTS, WASI_RIGHTS_ALL};
    struct answer answer = {.error = 0};
    uint64_t fd = directories[attempt->directory], other_fd = directories[attempt->other];
    uint32_t size = put_path(world, AT_PATH, attempt->path);
    uint32_t other = put_path(world, AT_OTHER_PATH, attempt->other_path);
    switch (attempt->what) {
    case 0:
        answer.error = CALL(world, path_open, fd, attempt->follow, AT_PATH, size, attempt->oflags,
                            rights[attempt->rights], WASI_RIGHTS_ALL, 0, AT_RESULT);
        if (!answer.error)
            look_inside(world, result_u32(world), &answer);
        break;
    case 1:
        answer.error = CALL(world, path_filestat_get, fd, attempt->follow, AT_PATH, size, AT_STAT);
        if (!answer.error)
            stat_answer(world, &answer);
        break;
    case 2: answer.error = CALL(world, path_readlink, fd, AT_PATH, size, AT_BUFFER, 100, AT_RESULT); break;
    case 3: answer.error = CALL(world, path_create_directory, fd, AT_PATH, size); break;
    case 4: answer.error = CALL(world, path_unlink_file, fd, AT_PATH, size); break;
    case 5: answer.error = CALL(world, path_rename, fd, AT_PATH, size, other_fd, AT_OTHER_PATH, other); break;
    case 6:
        answer.error =
            CALL(world, path_link, fd, attempt->follow, AT_PATH, size, other_fd, AT_OTHER_PATH, other);
        break;
    case 7:
        if (attempt->path[0] != '$')
            answer.error = CALL(world, path_symlink, AT_PATH, size, fd, AT_OTHER_PATH, other);
        break;
    default:
        answer.error =
            CALL(world, path_filestat_set_times, fd, attempt->follow, AT_PATH, size, 1, 2, WASI_FSTFLAG_MTIM);
    }
    return answer;
}

static void put_secrets(struct world *world, unsigned type) {
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        if (type == S_IFREG || strncmp(secrets[i], "d/", 2) == 0)
            host_write(world, secrets[i], "secret");
        else if (type == S_IFDIR)
            host_mkdir(world, secrets[i]);
        else if (type == S_IFLNK)
            host_symlink(world, "/etc", secrets[i]);
        else
            assert_int_equal(mkfifo(host_path(world, secrets[i]), 0644), 0);
    }
}

static void put_tree(struct world *world) {
    static const char *const directories[] = {"d", "d/sub", "e", "e/sub", "w", "w/sub", "p", "m", "m/x"};
    static const char *const files[] = {"d/file", "d/sub/name", "e/file", "w/file"};
    for (size_t i = 0; i < ARRAY_LEN(directories); i++)
        host_mkdir(world, directories[i]);
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        host_write(world, files[i], "content");
    host_symlink(world, "../e/file", "e/sub/l");
    for (size_t i = 0; i < ARRAY_LEN(grants); i++)
        world_grant(world, grants[i]);
}

static void start(struct twins *twins, unsigned type) {
    static const char *const directories[DIRECTORIES] = {"/", "$/d", "$/w", "$/e", "$/m", "$/m/x"};
    for (int i = 0; i < 2; i++) {
        void *world;
        assert_int_equal(world_setup(&world), 0);
        twins->worlds[i] = world;
        put_tree(world);
        if (i == 0)
            put_secrets(world, type);
        for (size_t k = 0; k < DIRECTORIES; k++)
            assert_int_equal(guest_open(world, ROOT, directories[k], WASI_OFLAG_DIRECTORY, READ_RIGHTS, 0,
                                        &twins->directories[i][k]),
                             0);
    }
}

static void compare_calls(struct twins *twins) {
    for (int i = 0; i < CALLS; i++) {
        struct attempt attempt = {pick(twins, 9),
                                  pick(twins, DIRECTORIES),
                                  pick(twins, DIRECTORIES),
                                  pick(twins, 16),
                                  pick(twins, 2),
                                  pick(twins, 3),
                                  "",
                                  ""};
        pick_path(twins, attempt.path);
        pick_path(twins, attempt.other_path);
        struct answer with = make(twins->worlds[0], twins->directories[0], &attempt);
        struct answer without = make(twins->worlds[1], twins->directories[1], &attempt);
        if (with.error != without.error || with.type != without.type ||
            memcmp(with.counts, without.counts, sizeof with.counts) != 0 ||
            strcmp(with.list, without.list) != 0)
            fail_msg("call %u of \"%s\", \"%s\" (oflags %u): %d %s with a secret, %d %s without",
                     attempt.what, attempt.path, attempt.other_path, attempt.oflags, with.error, with.list,
                     without.error, without.list);
    }
}

static void secrets__are_not_told_and_not_touched(void **state) {
    static const unsigned types[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO};
    (void)state;
    for (unsigned round = 0; round < 2 * ARRAY_LEN(types); round++) {
        struct twins twins = {.random = round + 1};
        start(&twins, types[round % ARRAY_LEN(types)]);
        compare_calls(&twins);
        for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
            assert_true(host_exists(twins.worlds[0], secrets[i]));
            assert_false(host_exists(twins.worlds[1], secrets[i]));
            if (types[round % ARRAY_LEN(types)] == S_IFREG)
                assert_string_equal(host_read(twins.worlds[0], secrets[i]), "secret");
        }
        for (int i = 0; i < 2; i++) {
            void *world = twins.worlds[i];
            world_teardown(&world);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(secrets__are_not_told_and_not_touched)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
