/*
 * wasi_fixture.h - preview1 without an engine: a guest that is an array, in a directory of its own.
 */
#ifndef REGLET_TESTS_UNIT_WASI_FIXTURE_H
#define REGLET_TESTS_UNIT_WASI_FIXTURE_H

#include "engine/guest.h"
#include "tests/unit/test.h"
#include "util/buf.h"
#include "util/limits.h"
#include "wasi/functions.h"
#include "wasi/preview1.h"
#include "wasi/wasi.h"

/* What the engine would be. */
struct reglet__guest {
    unsigned char memory[1 << 22];
    void *state;
    struct reglet__interrupt interrupt;
    struct reglet__stop stop;
};

/* Where tests put things in guest memory. */
enum {
    AT_RESULT = 64,
    AT_STAT = 128,
    AT_LIST = 256,
    AT_PATH = 4096,
    AT_OTHER_PATH = 16384,
    AT_BUFFER = 65536,
    BUFFER_SIZE = 1 << 16
};

/* The root that the policy holds is descriptor 3. */
enum { ROOT = 3 };

struct world {
    char top[64]; /* a temporary directory's real path */
    struct reglet__policy *policy;
    struct reglet__wasi_options options;
    struct reglet__quotas quotas;
    struct reglet__wasi *wasi;
    struct reglet__guest *guest;
    struct reglet__buf lines;   /* "1:text\n" for each line on stdout, "2:…" on stderr */
    struct reglet__buf denials; /* "asked|grant|reason\n" for each */
    struct reglet__buf
        allowed; /* "path_open fs:read /d/file in 8 out 0\n" for each, without the directory's own path */
    struct reglet__decisions decisions;
};

/* For cmocka: a temporary directory with nothing in it, and a policy with no grants. */
int world_setup(void **state);
int world_teardown(void **state);

/* Grants a capability; in it, "$" stands for the temporary directory. */
void world_grant(struct world *world, const char *capability);

/* Starts a call, ending the one before it. Done by the first function below if the test has not. */
void world_start(struct world *world);

/* On the host, in the temporary directory. */
const char *host_path(struct world *world, const char *path);
void host_mkdir(struct world *world, const char *path);
void host_write(struct world *world, const char *path, const char *content);
void host_symlink(struct world *world, const char *target, const char *path);
char *host_read(struct world *world, const char *path); /* "" when it is not there; static */
bool host_exists(struct world *world, const char *path);

/* Calls a function of preview1 with up to nine arguments: its errno, or -1 when it ended the call. */
int call(struct world *world, reglet__host_function function, const uint64_t args[9]);
#define CALL(world, name, ...) call(world, reglet__preview1_##name, (const uint64_t[9]){__VA_ARGS__})

/* Paths of the guest: "$" stands for the temporary directory without its first slash. */
uint32_t put_path(struct world *world, uint32_t address, const char *path);
int guest_open(struct world *world, uint32_t directory, const char *path, uint32_t oflags, uint64_t rights,
               uint32_t fdflags, uint32_t *fd);
int guest_read_path(struct world *world, const char *path, char *out, size_t size);
int guest_stat(struct world *world, const char *path, bool follow);
int guest_one(struct world *world, reglet__host_function function, const char *path);
int guest_rename(struct world *world, const char *from, const char *to);
int guest_link(struct world *world, const char *from, const char *to);
int guest_symlink(struct world *world, const char *target, const char *path);
int guest_readlink(struct world *world, const char *path, char *out, size_t size);
int guest_write(struct world *world, uint32_t fd, const char *text);
int guest_read(struct world *world, uint32_t fd, char *out, size_t size);
/* Names in a directory, sorted, each with a blank behind it; read in steps of `step` bytes. */
int guest_list(struct world *world, uint32_t fd, uint32_t step, char *out, size_t size);

uint32_t result_u32(struct world *world);
uint64_t result_u64(struct world *world, uint32_t address);

/* What a C library asks for. */
#define READ_RIGHTS  (WASI_RIGHTS_ALL & ~(WASI_RIGHT_FD_WRITE | WASI_RIGHT_FD_ALLOCATE))
#define WRITE_RIGHTS (WASI_RIGHTS_ALL & ~(WASI_RIGHT_FD_READ | WASI_RIGHT_FD_READDIR))

#define test(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

#endif
