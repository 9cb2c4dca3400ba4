/* The store where the system fails, is slow, or kills; and several processes and threads at once. */
#define _GNU_SOURCE
#include "tests/unit/store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/pages.h"
#include "runtime/cache.h"
#include "tests/unit/failing_memory.h"
#include "util/sys.h"

enum call { OPENAT, PREAD, WRITE, FSYNC, RENAMEAT, FUTIMENS, GETRANDOM, CALLS };

/* What becomes of a call: from the nth on it fails, or the process dies in it. */
static struct {
    atomic_int left;
    int error;
    bool kills;
} faults[CALLS];
static bool in_bits;      /* reads and writes do a few bytes at a time, and are interrupted in between */
static bool without_disk; /* fsync does nothing: the tests of many files take too long otherwise */
static const char *cut_at_read; /* that file is cut short before its first byte is read again */

static void reset(void) {
    for (size_t i = 0; i < CALLS; i++) {
        atomic_store(&faults[i].left, -1);
        faults[i].kills = false;
    }
    in_bits = false;
    without_disk = false;
    cut_at_read = NULL;
}

static void fail_from(enum call call, int n, int error) {
    faults[call].error = error;
    atomic_store(&faults[call].left, n);
}

static bool fails(enum call call) {
    int left = atomic_load(&faults[call].left);
    if (left > 0)
        atomic_fetch_sub(&faults[call].left, 1);
    if (left == 0 && faults[call].kills)
        kill(getpid(), SIGKILL);
    errno = left == 0 ? faults[call].error : errno;
    return left == 0;
}

static bool interrupts(size_t *size) {
    static atomic_uint calls;
    if (!in_bits)
        return false;
    if (*size > 100)
        *size = 100;
    errno = EINTR;
    return atomic_fetch_add(&calls, 1) % 3 == 0;
}

int __real_reglet__sys_openat(int dir, const char *path, int flags, mode_t mode);
ssize_t __real_reglet__sys_pread(int fd, void *out, size_t size, off_t offset);
ssize_t __real_reglet__sys_write(int fd, const void *data, size_t size);
int __real_reglet__sys_fsync(int fd);
int __real_reglet__sys_renameat(int from, const char *old_path, int to, const char *new_path);
int __real_reglet__sys_futimens(int fd, const struct timespec times[2]);
ssize_t __real_reglet__sys_getrandom(void *out, size_t size);
int __wrap_reglet__sys_openat(int dir, const char *path, int flags, mode_t mode);
ssize_t __wrap_reglet__sys_pread(int fd, void *out, size_t size, off_t offset);
ssize_t __wrap_reglet__sys_write(int fd, const void *data, size_t size);
int __wrap_reglet__sys_fsync(int fd);
int __wrap_reglet__sys_renameat(int from, const char *old_path, int to, const char *new_path);
int __wrap_reglet__sys_futimens(int fd, const struct timespec times[2]);
ssize_t __wrap_reglet__sys_getrandom(void *out, size_t size);

int __wrap_reglet__sys_openat(int dir, const char *path, int flags, mode_t mode) {
    return fails(OPENAT) ? -1 : __real_reglet__sys_openat(dir, path, flags, mode);
}
ssize_t __wrap_reglet__sys_pread(int fd, void *out, size_t size, off_t offset) {
    if (fails(PREAD) || interrupts(&size))
        return -1;
    if (cut_at_read && offset == 0)
        assert_int_equal(truncate(cut_at_read, 100), 0);
    return __real_reglet__sys_pread(fd, out, size, offset);
}
ssize_t __wrap_reglet__sys_write(int fd, const void *data, size_t size) {
    return fails(WRITE) || interrupts(&size) ? -1 : __real_reglet__sys_write(fd, data, size);
}
int __wrap_reglet__sys_fsync(int fd) {
    if (fails(FSYNC))
        return -1;
    return without_disk ? 0 : __real_reglet__sys_fsync(fd);
}
int __wrap_reglet__sys_renameat(int from, const char *old_path, int to, const char *new_path) {
    return fails(RENAMEAT) ? -1 : __real_reglet__sys_renameat(from, old_path, to, new_path);
}
int __wrap_reglet__sys_futimens(int fd, const struct timespec times[2]) {
    return fails(FUTIMENS) ? -1 : __real_reglet__sys_futimens(fd, times);
}
ssize_t __wrap_reglet__sys_getrandom(void *out, size_t size) {
    return fails(GETRANDOM) ? -1 : __real_reglet__sys_getrandom(out, size);
}

static int setup(void **state) {
    reset();
    return place_setup(state);
}

static int teardown(void **state) {
    reset();
    return place_teardown(state);
}

/* --- Putting ------------------------------------------------------------------------------------------------ */

static void put_fails(struct place *place, enum call call, int n, int error_number, const char *why) {
    struct reglet__code_key old = key_of(1, 1), new = key_of(2, 2);
    const struct reglet__code_key *keys[] = {&old, &new};
    char message[256];
    snprintf(message, sizeof message, "no file can be written to %s: %s", place->directory, why);
    put_ok(place, &old, 1001, 1);
    for (size_t i = 0; i < 2; i++) {
        reglet_error *error = NULL;
        fail_from(call, n, error_number);
        reglet_status status = put(place, keys[i], 2001, 2, &error);
        reset();
        assert_int_equal(reglet_error_errno(error), error_number);
        expect_error(status, REGLET_ERR_IO, &error, message);
        assert_int_equal(count_names(place), 1);
        get_finds(place, &old, 1001, 1);
        get_finds_none(place, &new);
    }
}

/* The content's first part is written first, then its second and its third, the padding and the footer. */
static void put__full_disk_leaves_what_was_there(void **state) {
    for (int n = 0; n < 4; n++)
        put_fails(*state, WRITE, n, ENOSPC, "No space left on device");
    put_fails(*state, WRITE, 1, EDQUOT, "Disk quota exceeded");
    put_fails(*state, FSYNC, 0, EIO, "Input/output error");
}

static void put__read_only_directory_leaves_what_was_there(void **state) {
    put_fails(*state, OPENAT, 0, EROFS, "Read-only file system");
    put_fails(*state, OPENAT, 0, EACCES, "Permission denied");
    put_fails(*state, RENAMEAT, 0, EROFS, "Read-only file system");
    put_fails(*state, GETRANDOM, 0, EIO, "Input/output error");
}

static void put__directory_that_cannot_be_synced_is_no_failure(void **state) {
    struct reglet__code_key key = key_of(1, 1);
    fail_from(FSYNC, 1, EINVAL);
    put_ok(*state, &key, 100, 1);
    get_finds(*state, &key, 100, 1);
}

static void put__directory_that_cannot_be_listed_is_no_failure(void **state) {
    struct reglet__code_key key = key_of(1, 1);
    fail_from(OPENAT, 1, EMFILE);
    put_ok(*state, &key, 100, 1);
    reset();
    get_finds(*state, &key, 100, 1);
}

static void put__directory_that_was_removed_is_one_line(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    reglet_error *error = NULL;
    char message[256];
    assert_int_equal(rmdir(place->directory), 0);
    get_finds_none(place, &key);
    snprintf(message, sizeof message, "no file can be written to %s: No such file or directory",
             place->directory);
    reglet_status status = put(place, &key, 10, 1, &error);
    expect_error(status, REGLET_ERR_IO, &error, message);
}

static void put_and_get__short_and_interrupted_calls_are_continued(void **state) {
    struct reglet__code_key key = key_of(1, 1);
    in_bits = true;
    put_ok(*state, &key, 10007, 1);
    get_finds(*state, &key, 10007, 1);
    in_bits = false;
    get_finds(*state, &key, 10007, 1);
}

/* The kernel's answer to writing beyond that limit is SIGXFSZ, which ends the process. */
static void put__file_beyond_the_limit_of_the_process_is_refused(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    struct rlimit before, low;
    reglet_error *error = NULL;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = before;
    low.rlim_cur = 1087;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    reglet_status status = put(place, &key, 1008, 1, &error);
    reglet_status fits = put(place, &key, 1000, 2, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    expect_error(status, REGLET_ERR_IO, &error,
                 "a file would have 1088 bytes, and this process may write 1087 (RLIMIT_FSIZE): "
                 "raise that limit to keep it");
    assert_int_equal(fits, REGLET_OK);
    get_finds(place, &key, 1000, 2);
}

/* --- Getting ------------------------------------------------------------------------------------------------ */

static void get__file_that_cannot_be_opened_now_stays(void **state) {
    struct reglet__code_key key = key_of(1, 1);
    static const struct {
        int error_number;
        const char *why;
    } reasons[] = {{EMFILE, "it cannot be opened: Too many open files"},
                   {EACCES, "it cannot be opened: Permission denied"},
                   {EINTR, "it cannot be opened: Interrupted system call"}};
    put_ok(*state, &key, 100, 1);
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        fail_from(OPENAT, 0, reasons[i].error_number);
        get_is_refused(*state, &key, reasons[i].why);
        reset();
        get_finds(*state, &key, 100, 1);
    }
}

static void get__file_that_cannot_be_read_is_removed(void **state) {
    struct reglet__code_key key = key_of(1, 1);
    for (int n = 0; n < 3; n++) { /* the footer, and the rest in two steps */
        put_ok(*state, &key, 100000, 1);
        fail_from(PREAD, n, EIO);
        get_is_refused(*state, &key, "it cannot be read: Input/output error; it was removed");
        reset();
        get_finds_none(*state, &key);
    }
}

/* By another program of this user: through a mapping it would be a SIGBUS. */
static void get__file_that_is_cut_short_while_it_is_read_is_refused(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    put_ok(place, &key, 200000, 1);
    cut_at_read = file_of(place, &key);
    get_is_refused(place, &key, "it became shorter while it was read; it was removed");
    reset();
    get_finds_none(place, &key);
}

static void get__read_only_file_system_is_no_failure(void **state) {
    struct reglet__code_key key = key_of(1, 1);
    put_ok(*state, &key, 100, 1);
    fail_from(FUTIMENS, 0, EROFS);
    get_finds(*state, &key, 100, 1);
}

static void open__directory_that_cannot_be_opened_is_one_line(void **state) {
    struct place *place = *state;
    struct reglet__store *store = NULL;
    reglet_error *error = NULL;
    char message[256];
    fail_from(OPENAT, 0, EMFILE);
    reglet_status status = reglet__store_open(place->directory, 0, &store, &error);
    expect_error(status, REGLET_ERR_IO, &error, "/ cannot be opened: Too many open files");
    snprintf(message, sizeof message, "%s cannot be opened: Permission denied; name a directory that can be",
             place->directory);
    fail_from(OPENAT, 3, EACCES);
    status = reglet__store_open(place->directory, 0, &store, &error);
    expect_error(status, REGLET_ERR_IO, &error, message);
    snprintf(message, sizeof message, "%s cannot be read: Too many open files", place->directory);
    fail_from(OPENAT, 4, EMFILE);
    status = reglet__store_open(place->directory, 0, &store, &error);
    expect_error(status, REGLET_ERR_IO, &error, message);
    assert_null(store);
}

static struct reglet__store *ask(reglet_cache *cache, bool is_told) {
    reglet_error *error = NULL;
    struct reglet__store *store = reglet__cache_store(cache, &error);
    assert_int_equal(error != NULL, is_told);
    reglet_error_free(error);
    return store;
}

/* What passes is tried again a second later, and was told once; what does not is not tried again. */
static void cache__that_lacked_descriptors_has_files_later(void **state) {
    struct place *place = *state;
    const struct timespec until_then = {.tv_sec = 1, .tv_nsec = 100000000};
    static const int errors[] = {EMFILE, EACCES};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        reglet_cache_options options = REGLET_CACHE_OPTIONS_INIT;
        reglet_cache *cache = NULL;
        options.directory = place->directory;
        assert_int_equal(reglet_cache_new(&options, &cache, NULL), REGLET_OK);
        fail_from(OPENAT, 0, errors[i]);
        assert_null(ask(cache, true));
        nanosleep(&until_then, NULL);
        assert_null(ask(cache, false)); /* still, and not told again */
        reset();
        nanosleep(&until_then, NULL);
        assert_int_equal(ask(cache, false) != NULL, errors[i] == EMFILE);
        reglet_cache_unref(cache);
    }
}

/* The page map in which written pages are looked for. */
static void pages__that_could_not_be_looked_for_are_later(void **state) {
    (void)state;
    const struct timespec until_then = {.tv_sec = 1, .tv_nsec = 100000000};
    fail_from(OPENAT, 0, EMFILE);
    assert_false(reglet__memory_scans());
    reset();
    nanosleep(&until_then, NULL);
    bool scans = reglet__memory_scans();
    fail_from(OPENAT, 0, EMFILE);
    assert_int_equal(reglet__memory_scans(), scans); /* it is not opened again */
    reset();
    if (!scans)
        skip(); /* this kernel does not say it, or this build does not ask */
}

static bool never_called(void *user_data, const struct reglet__stored *stored) {
    (void)user_data, (void)stored;
    fail_msg("there is a file");
    return false;
}

static void list_and_prune__directory_that_cannot_be_opened_is_one_line(void **state) {
    struct place *place = *state;
    reglet_error *error = NULL;
    uint64_t files = 77, bytes = 77;
    char message[256];
    snprintf(message, sizeof message, "%s cannot be listed: Too many open files", place->directory);
    fail_from(OPENAT, 0, EMFILE);
    reglet_status status = reglet__store_list(place->store, never_called, NULL, &error);
    expect_error(status, REGLET_ERR_IO, &error, message);
    status = reglet__store_prune(place->store, 0, never_called, NULL, &files, &bytes, &error);
    expect_error(status, REGLET_ERR_IO, &error, message);
    assert_int_equal(files, 77);
}

/* --- Memory ------------------------------------------------------------------------------------------------- */

static bool count_stored(void *user_data, const struct reglet__stored *stored) {
    (void)stored;
    ++*(int *)user_data;
    return true;
}

static reglet_status everything(const char *directory, reglet_error **err) {
    struct reglet__code_key key = key_of(1, 1);
    struct reglet__store *store = NULL;
    struct reglet__code_file file = {.fd = -1};
    char code[] = "code";
    const struct iovec part = {code, 4};
    uint64_t files, bytes;
    int count = 0;
    reglet_status status = reglet__store_open(directory, UINT64_MAX, &store, err);
    if (status == REGLET_OK)
        status = reglet__store_put(store, &key, &part, 1, err);
    if (status == REGLET_OK)
        status = reglet__store_get(store, &key, &file, err);
    reglet__code_file_close(&file);
    if (status == REGLET_OK)
        status = reglet__store_list(store, count_stored, &count, err);
    if (status == REGLET_OK)
        status = reglet__store_prune(store, 0, NULL, NULL, &files, &bytes, err);
    reglet__store_free(store);
    return status;
}

static void everything__without_memory_says_so(void **state) {
    struct place *place = *state;
    bool one_failed = true;
    int n = 0;
    for (; one_failed; n++) {
        reglet_error *error = NULL;
        memory_fail_at(n);
        reglet_status status = everything(place->directory, &error);
        one_failed = memory_has_failed();
        if (status != REGLET_OK && (status != REGLET_ERR_NO_MEMORY || !one_failed))
            fail_msg("allocation %d: %s", n, reglet_error_message(error));
        reglet_error_free(error);
    }
    assert_true(n > 5);
}

/* --- Others at the same time -------------------------------------------------------------------------------- */

/* Where it was killed: while the content is written, in the middle of the footer, before and after it has its name. */
static void put__killed_in_the_middle_leaves_nothing_that_is_used(void **state) {
    static const struct {
        enum call call;
        int n;
        bool is_there;
    } moments[] = {{WRITE, 0, false}, {WRITE, 1, false},    {WRITE, 2, false}, {WRITE, 3, false},
                   {FSYNC, 0, false}, {RENAMEAT, 0, false}, {FSYNC, 1, true}};
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        int status;
        uint64_t files, bytes;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            faults[moments[i].call].kills = true;
            fail_from(moments[i].call, moments[i].n, 0);
            put(place, &key, 1001, 1, NULL);
            _exit(1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        assert_int_equal(count_names(place), 1);
        if (moments[i].is_there)
            get_finds(place, &key, 1001, 1);
        else
            get_finds_none(place, &key);
        assert_int_equal(reglet__store_prune(place->store, 0, NULL, NULL, &files, &bytes, NULL), REGLET_OK);
        assert_int_equal(files, 1);
        assert_int_equal(count_names(place), 0);
    }
}

enum { ROUNDS = 300 };

/* Puts one of two contents, of different sizes, and gets what is there: one of both, whole, or none. */
static int put_and_get(struct place *place, unsigned seed) {
    struct reglet__code_key key = key_of(1, 1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned which = (seed + i) % 2;
        struct reglet__code_file file;
        if (put(place, &key, which ? 90001 : 50000, which, NULL) != REGLET_OK)
            return 1;
        if (reglet__store_get(place->store, &key, &file, NULL) != REGLET_OK)
            return 2;
        if (file.fd >= 0 && file.size != 90001 && file.size != 50000)
            return 3;
        if (file.fd >= 0 && !is_content(file.bytes, file.size, file.size == 90001))
            return 4;
        reglet__code_file_close(&file);
        if (i % 10 == 0)
            unlink(file_of(place, &key));
    }
    return 0;
}

static void put_and_get__by_several_processes_are_whole_or_none(void **state) {
    struct place *place = *state;
    pid_t children[3];
    without_disk = true;
    for (unsigned i = 0; i < 3; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            _exit(put_and_get(place, i));
    }
    for (size_t i = 0; i < 3; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_true(count_names(place) <= 1);
}

static void *as_thread(void *place) {
    return (void *)(uintptr_t)put_and_get(place, 1);
}

static void put_and_get__by_several_threads_are_whole_or_none(void **state) {
    pthread_t threads[3];
    without_disk = true;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, as_thread, *state), 0);
    for (size_t i = 0; i < 3; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_PLACE(pages__that_could_not_be_looked_for_are_later), /* before there is an engine */
        IN_PLACE(put__full_disk_leaves_what_was_there),
        IN_PLACE(put__read_only_directory_leaves_what_was_there),
        IN_PLACE(put__directory_that_cannot_be_synced_is_no_failure),
        IN_PLACE(put__directory_that_cannot_be_listed_is_no_failure),
        IN_PLACE(put__directory_that_was_removed_is_one_line),
        IN_PLACE(put_and_get__short_and_interrupted_calls_are_continued),
        IN_PLACE(put__file_beyond_the_limit_of_the_process_is_refused),
        IN_PLACE(get__file_that_cannot_be_opened_now_stays),
        IN_PLACE(get__file_that_cannot_be_read_is_removed),
        IN_PLACE(get__file_that_is_cut_short_while_it_is_read_is_refused),
        IN_PLACE(get__read_only_file_system_is_no_failure),
        IN_PLACE(open__directory_that_cannot_be_opened_is_one_line),
        IN_PLACE(cache__that_lacked_descriptors_has_files_later),
        IN_PLACE(list_and_prune__directory_that_cannot_be_opened_is_one_line),
        IN_PLACE(everything__without_memory_says_so),
        IN_PLACE(put__killed_in_the_middle_leaves_nothing_that_is_used),
        IN_PLACE(put_and_get__by_several_processes_are_whole_or_none),
        IN_PLACE(put_and_get__by_several_threads_are_whole_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
