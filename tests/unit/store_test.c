/* Which directories and files the store trusts, and which it keeps. */
#define _GNU_SOURCE
#include "tests/unit/store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>
#include <xxhash.h>

#include "util/sys.h"

enum { FOOTER = 80, CONTENT_AT = 16, SUM = 16 }; /* bytes of a footer, and in it */

/* A file, told by its inode, that is somebody else's. */
static ino_t foreign;
static const uid_t STRANGER = 4711;

int __real_reglet__sys_fstat(int fd, struct stat *out);
int __wrap_reglet__sys_fstat(int fd, struct stat *out);

int __wrap_reglet__sys_fstat(int fd, struct stat *out) {
    int result = __real_reglet__sys_fstat(fd, out);
    if (result == 0 && foreign && out->st_ino == foreign)
        out->st_uid = STRANGER;
    return result;
}

/* Whether every file system is mounted noexec. */
static bool is_noexec;

int __real_reglet__sys_fstatvfs(int fd, struct statvfs *out);
int __wrap_reglet__sys_fstatvfs(int fd, struct statvfs *out);

int __wrap_reglet__sys_fstatvfs(int fd, struct statvfs *out) {
    int result = __real_reglet__sys_fstatvfs(fd, out);
    if (is_noexec)
        out->f_flag |= ST_NOEXEC;
    return result;
}

static void give_away(const char *path) {
    struct stat file;
    assert_int_equal(lstat(path, &file), 0);
    foreign = file.st_ino;
}

static int setup(void **state) {
    foreign = 0;
    return place_setup(state);
}

/* --- Files -------------------------------------------------------------------------------------------------- */

static void get__finds_what_was_put(void **state) {
    struct place *place = *state;
    static const size_t sizes[] = {0, 1, 7, 8, 9, 4096, 65535, 65536, 65537, 1000003};
    struct reglet__code_key key = key_of(0xab, 0x1234);
    get_finds_none(place, &key);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        put_ok(place, &key, sizes[i], i);
        get_finds(place, &key, sizes[i], i);
    }
    struct reglet__code_key other = key_of(0xab, 0x1235);
    get_finds_none(place, &other);
    assert_int_equal(count_names(place), 1);
}

static void put__file_begins_with_the_content_and_is_closed_to_others(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(0x0f, 0xfedc);
    put_ok(place, &key, 101, 1);
    const char *path = in_directory(
        place, "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f-000000000000fedc.code");
    struct stat file;
    size_t size;
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode, S_IFREG | 0600);
    char *bytes = read_whole(path, &size);
    assert_int_equal(size, 104 + FOOTER);
    assert_true(is_content(bytes, 101, 1));
    free(bytes);
}

static void get__file_that_is_replaced_stays_what_it_was(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    struct reglet__code_file file;
    put_ok(place, &key, 5000, 1);
    assert_int_equal(reglet__store_get(place->store, &key, &file, NULL), REGLET_OK);
    put_ok(place, &key, 300, 2);
    assert_true(is_content(file.bytes, 5000, 1));
    unlink(file_of(place, &key));
    assert_true(is_content(file.bytes, 5000, 1));
    assert_int_equal(fcntl(file.fd, F_GETFD), FD_CLOEXEC);
    reglet__code_file_close(&file);
    get_finds_none(place, &key);
    unlink(file_of(place, &key));
}

static void check_exec__file_system_mounted_noexec_is_refused(void **state) {
    struct place *place = *state;
    reglet_error *error = NULL;
    char message[512];
    assert_int_equal(reglet__store_check_exec(place->store, NULL), REGLET_OK);
    is_noexec = true;
    reglet_status status = reglet__store_check_exec(place->store, &error);
    is_noexec = false;
    snprintf(message, sizeof message,
             "%s is on a file system that is mounted noexec: name a directory that code can run from",
             place->directory);
    expect_error(status, REGLET_ERR_IO, &error, message);
}

/* --- The directory ------------------------------------------------------------------------------------------ */

static void open_is_refused(const char *path, const char *shown, const char *why) {
    struct reglet__store *store = NULL;
    reglet_error *error = NULL;
    char message[512];
    snprintf(message, sizeof message, "%s %s", shown, why);
    expect_error(reglet__store_open(path, UINT64_MAX, &store, &error), REGLET_ERR_IO, &error, message);
    assert_null(store);
}

static void open_works(const char *path) {
    struct reglet__store *store = NULL;
    reglet_error *error = NULL;
    if (reglet__store_open(path, UINT64_MAX, &store, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    assert_string_equal(reglet__store_path(store), path);
    reglet__store_free(store);
}

static void open__relative_path_is_invalid(void **state) {
    (void)state;
    static const char *const paths[] = {"cache", "", "./cache"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct reglet__store *store = NULL;
        reglet_error *error = NULL;
        char message[128];
        snprintf(message, sizeof message, "\"%s\" is no absolute path: it should begin with /", paths[i]);
        expect_error(reglet__store_open(paths[i], 0, &store, &error), REGLET_ERR_INVALID_ARGUMENT, &error,
                     message);
    }
}

static void open__makes_what_is_missing_for_this_user_alone(void **state) {
    struct place *place = *state;
    static const char *const made[] = {"a", "a/b", "a/b/c"};
    mode_t before = umask(0);
    open_works(in_root(place, "a//b/c/"));
    umask(before);
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        struct stat directory;
        assert_int_equal(stat(in_root(place, made[i]), &directory), 0);
        assert_int_equal(directory.st_mode & 07777, 0700);
    }
}

static void open__directory_that_others_may_write_is_refused(void **state) {
    struct place *place = *state;
    static const mode_t open_to_others[] = {0770, 0720, 0777, 0702, 01777};
    for (size_t i = 0; i < sizeof open_to_others / sizeof *open_to_others; i++) {
        char why[128];
        snprintf(
            why, sizeof why,
            "may be written by others (mode %04o): take that away (chmod go-w), or name another directory",
            (unsigned)open_to_others[i]);
        assert_int_equal(chmod(place->directory, open_to_others[i]), 0);
        open_is_refused(place->directory, place->directory, why);
    }
    assert_int_equal(chmod(place->directory, 0755), 0);
    open_works(place->directory);
}

static const char *runs_as(const char *before, uid_t owner, const char *after) {
    static char text[256];
    snprintf(text, sizeof text, "%s user %u, and this process runs as user %u: name %s", before,
             (unsigned)owner, (unsigned)geteuid(), after);
    return text;
}

static void open__directory_of_another_user_is_refused(void **state) {
    struct place *place = *state;
    give_away(place->directory);
    open_is_refused(place->directory, place->directory,
                    runs_as("belongs to", STRANGER, "a directory of its own"));
}

/* root with the HOME of a user: a directory that root makes there is the user's to replace. */
static void open__in_a_directory_of_another_user_nothing_is_made_or_used(void **state) {
    struct place *place = *state;
    const char *why = runs_as("is in a directory of", STRANGER, "one of its own");
    give_away(place->root);
    open_is_refused(in_root(place, "new/reglet"), in_root(place, "new"), why);
    assert_int_equal(access(in_root(place, "new"), F_OK), -1);
    open_is_refused(place->directory, place->directory, why);
    assert_int_equal(mkdir(in_root(place, "cache/deeper"), 0700), 0);
    open_works(in_root(place, "cache/deeper"));
}

static void open__link_of_this_user_is_followed(void **state) {
    struct place *place = *state;
    assert_int_equal(mkdir(in_root(place, "disk"), 0700), 0);
    assert_int_equal(symlink("disk", in_root(place, "dotcache")), 0);
    open_works(in_root(place, "dotcache/reglet"));
    assert_int_equal(access(in_root(place, "disk/reglet"), F_OK), 0);
    assert_int_equal(symlink(in_root(place, "disk/reglet"), in_root(place, "direct")), 0);
    open_works(in_root(place, "direct"));
    assert_int_equal(chmod(in_root(place, "disk/reglet"), 0777), 0);
    open_is_refused(
        in_root(place, "direct"), in_root(place, "direct"),
        "may be written by others (mode 0777): take that away (chmod go-w), or name another directory");
}

/* It would lead to a directory of this user's in which there is a file that somebody else gave them. */
static void open__link_that_others_can_replace_is_refused(void **state) {
    struct place *place = *state;
    static const char why[] = "is a link that another user can have put there: name what it leads to";
    assert_int_equal(mkdir(in_root(place, "open"), 0700), 0);
    assert_int_equal(symlink("../cache", in_root(place, "open/link")), 0);
    open_works(in_root(place, "open/link"));
    assert_int_equal(chmod(in_root(place, "open"), 0777), 0);
    open_is_refused(in_root(place, "open/link"), in_root(place, "open/link"), why);
    open_is_refused(in_root(place, "open/link/more"), in_root(place, "open/link"), why);
    assert_int_equal(chmod(in_root(place, "open"), 01777), 0);
    open_works(in_root(place, "open/link"));
    give_away(in_root(place, "open"));
    open_is_refused(in_root(place, "open/link/more"), in_root(place, "open/link"), why);
    foreign = 0;
    if (lchown(in_root(place, "open/link"), STRANGER, STRANGER) == 0) /* as root */
        open_is_refused(in_root(place, "open/link"), in_root(place, "open/link"), why);
}

static void open__what_is_no_directory_is_refused(void **state) {
    struct place *place = *state;
    write_whole(in_root(place, "file"), "x", 1, 0600);
    open_is_refused(in_root(place, "file/reglet"), in_root(place, "file"),
                    "is no directory: remove it, or name another");
    open_is_refused(in_root(place, "file"), in_root(place, "file"),
                    "is no directory: remove it, or name another");
    assert_int_equal(symlink("nowhere", in_root(place, "dangling")), 0);
    open_is_refused(in_root(place, "dangling/reglet"), in_root(place, "dangling"),
                    "is a link that cannot be followed: No such file or directory; mend it, or name another");
    assert_int_equal(symlink("loop", in_root(place, "loop")), 0);
    open_is_refused(
        in_root(place, "loop"), in_root(place, "loop"),
        "is a link that cannot be followed: Too many levels of symbolic links; mend it, or name another");
}

static void get_and_put__directory_that_was_opened_to_others_later_is_refused(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    struct reglet__code_file file;
    reglet_error *error = NULL;
    char message[512];
    put_ok(place, &key, 10, 1);
    assert_int_equal(chmod(place->directory, 0777), 0);
    snprintf(message, sizeof message,
             "%s may be written by others (mode 0777): take that away (chmod go-w), or name "
             "another directory",
             place->directory);
    expect_error(reglet__store_get(place->store, &key, &file, &error), REGLET_ERR_IO, &error, message);
    expect_error(put(place, &key, 10, 2, &error), REGLET_ERR_IO, &error, message);
    assert_int_equal(chmod(place->directory, 0700), 0);
    get_finds(place, &key, 10, 1);
}

/* --- Files that are not what they should be ------------------------------------------------------------------- */

/* Refused once, gone afterwards, and there is room for another. */
static void is_refused_and_replaced(struct place *place, const char *why) {
    struct reglet__code_key key = key_of(1, 1);
    char text[256];
    snprintf(text, sizeof text, "%s; it was removed", why);
    get_is_refused(place, &key, text);
    get_finds_none(place, &key);
    assert_int_equal(count_names(place), 0);
    put_ok(place, &key, 10, 1);
    get_finds(place, &key, 10, 1);
}

static void get__what_is_no_regular_file_is_refused(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    char path[256];
    snprintf(path, sizeof path, "%s", file_of(place, &key));

    put_ok(place, &key, 10, 1);
    assert_int_equal(rename(path, in_root(place, "sound")), 0);
    assert_int_equal(symlink(in_root(place, "sound"), path), 0);
    is_refused_and_replaced(place, "it is a symbolic link");

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    is_refused_and_replaced(place, "it is no regular file");

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    is_refused_and_replaced(place, "it is no regular file");

    assert_int_equal(unlink(path), 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char cwd[256];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_int_equal(chdir(place->directory), 0); /* the path is longer than an address */
    snprintf(address.sun_path, sizeof address.sun_path, "%s", strrchr(path, '/') + 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(chdir(cwd), 0);
    is_refused_and_replaced(place, "it is no regular file");
    close(fd);

    assert_int_equal(unlink(path), 0);
    if (mknod(path, S_IFCHR | 0600, makedev(1, 3)) == 0) /* as root: /dev/null */
        is_refused_and_replaced(place, "it is no regular file");
}

static void get__directory_that_is_not_empty_stays_and_is_never_used(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    reglet_error *error = NULL;
    char message[256];
    assert_int_equal(mkdir(file_of(place, &key), 0700), 0);
    char inside[512];
    snprintf(inside, sizeof inside, "%s/x", file_of(place, &key));
    write_whole(inside, "x", 1, 0600);
    get_is_refused(place, &key, "it is no regular file");
    snprintf(message, sizeof message, "no file can be written to %s: Is a directory", place->directory);
    expect_error(put(place, &key, 10, 1, &error), REGLET_ERR_IO, &error, message);
    assert_int_equal(count_names(place), 1);
}

static void get__file_that_is_open_to_others_is_refused(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    static const mode_t modes[] = {0620, 0602, 0640, 0604, 0644, 0666, 0610};
    put_ok(place, &key, 10, 1);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        char why[64];
        snprintf(why, sizeof why, "it is open to others (mode %04o, should be 0600)", (unsigned)modes[i]);
        assert_int_equal(chmod(file_of(place, &key), modes[i]), 0);
        is_refused_and_replaced(place, why);
    }
}

/* With a checksum that holds: anybody can compute one. */
static void get__file_of_another_user_is_refused(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    char why[128];
    snprintf(why, sizeof why, "it belongs to user %u, and this process runs as user %u", (unsigned)STRANGER,
             (unsigned)geteuid());
    put_ok(place, &key, 10, 1);
    give_away(file_of(place, &key));
    char refused[256];
    snprintf(refused, sizeof refused, "%s; it was removed", why);
    get_is_refused(place, &key, refused);
    foreign = 0;
    put_ok(place, &key, 10, 1);
    if (chown(file_of(place, &key), STRANGER, STRANGER) == 0) /* as root */
        is_refused_and_replaced(place, why);
}

static void get__file_with_another_hard_link_is_used(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    put_ok(place, &key, 10, 1);
    assert_int_equal(link(file_of(place, &key), in_root(place, "backup")), 0);
    get_finds(place, &key, 10, 1);
}

static void get__file_that_was_cut_short_is_refused(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    put_ok(place, &key, 1000, 1);
    static const char no_footer[] = "it does not end in a footer: it was cut short, or is something else";
    static const char too_short[] = "it ends before its footer: it was cut short";
    for (off_t size = 1000 + FOOTER - 1; size > 0; size -= 13) {
        put_ok(place, &key, 1000, 1);
        assert_int_equal(truncate(file_of(place, &key), size), 0);
        is_refused_and_replaced(place, size < FOOTER ? too_short : no_footer);
    }
    assert_int_equal(truncate(file_of(place, &key), 0), 0);
    is_refused_and_replaced(place, too_short);
}

static void get__file_with_one_bit_flipped_anywhere_is_refused(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    size_t size;
    put_ok(place, &key, 1001, 1); /* with padding */
    char *bytes = read_whole(file_of(place, &key), &size);
    assert_int_equal(size, 1008 + FOOTER);
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= (char)(1 << i % 8);
        write_whole(file_of(place, &key), bytes, size, 0600);
        bytes[i] ^= (char)(1 << i % 8);
        if (i < 1008 || i >= size - SUM) {
            get_is_refused(place, &key, "it is damaged: its checksum is another; it was removed");
        } else {
            struct reglet__code_file file;
            if (reglet__store_get(place->store, &key, &file, NULL) != REGLET_ERR_IO)
                fail_msg("byte %zu", i);
        }
        assert_int_equal(count_names(place), 0);
    }
    write_whole(file_of(place, &key), bytes, size, 0600);
    get_finds(place, &key, 1001, 1);
    free(bytes);
}

static void get__file_that_goes_on_after_its_footer_is_refused(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    size_t size;
    put_ok(place, &key, 16, 1);
    char *bytes = read_whole(file_of(place, &key), &size);
    char *twice = calloc(2, size);
    assert_non_null(twice);
    memcpy(twice, bytes, size);
    write_whole(file_of(place, &key), twice, size + 8, 0600);
    is_refused_and_replaced(place, "it does not end in a footer: it was cut short, or is something else");
    memcpy(twice + size, bytes, size); /* a whole file behind another */
    write_whole(file_of(place, &key), twice, 2 * size, 0600);
    is_refused_and_replaced(place, "it has 192 bytes, which are not those that its footer speaks of");
    free(twice);
    free(bytes);
}

/* Rewrites 8 bytes of the footer, and the checksum so that it holds. */
static void forge(struct place *place, const struct reglet__code_key *key, size_t at, uint64_t value) {
    size_t size;
    char *bytes = read_whole(file_of(place, key), &size);
    memcpy(bytes + size - FOOTER + at, &value, sizeof value);
    XXH128_canonical_t sum;
    XXH128_canonicalFromHash(&sum, XXH3_128bits(bytes, size - SUM));
    memcpy(bytes + size - SUM, &sum, SUM);
    write_whole(file_of(place, key), bytes, size, 0600);
    free(bytes);
}

static void get__footer_that_says_something_else_is_refused(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    static const uint64_t sizes[] = {0, 8, 24, 1 << 20, INT64_MAX, UINT64_MAX, UINT64_MAX - FOOTER - 7};
    put_ok(place, &key, 10, 1);
    forge(place, &key, 8, 2);
    is_refused_and_replaced(place, "its format is 2, and this is 1");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        forge(place, &key, CONTENT_AT, sizes[i]);
        is_refused_and_replaced(place, "it has 96 bytes, which are not those that its footer speaks of");
    }
    forge(place, &key, CONTENT_AT, 10); /* what is there: forging does not spoil a file by itself */
    get_finds(place, &key, 10, 1);
}

static void get__right_file_under_the_name_of_another_is_refused(void **state) {
    struct place *place = *state;
    const struct reglet__code_key key = key_of(1, 1);
    const struct reglet__code_key others[] = {key_of(2, 1), key_of(1, 2)};
    for (size_t i = 0; i < 2; i++) {
        put_ok(place, &others[i], 10, 1);
        assert_int_equal(rename(file_of(place, &others[i]), file_of(place, &key)), 0);
        is_refused_and_replaced(place, "it holds the code of another module, or for another engine");
    }
}

/* --- Which files are kept ----------------------------------------------------------------------------------- */

static void set_time(const char *path, time_t seconds_ago) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = now.tv_sec - seconds_ago}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void put__removes_what_was_used_least_recently(void **state) {
    struct place *place = *state;
    struct reglet__code_key keys[6];
    place_limit(place, 4 * (1000 + FOOTER));
    for (unsigned char i = 0; i < 4; i++) {
        keys[i] = key_of(i, i);
        put_ok(place, &keys[i], 1000, i);
        set_time(file_of(place, &keys[i]), 100 - i);
    }
    assert_int_equal(count_names(place), 4);
    get_finds(place, &keys[0], 1000, 0); /* the oldest is used, and no longer the least recent */
    keys[4] = key_of(4, 4);
    put_ok(place, &keys[4], 1000, 4);
    get_finds_none(place, &keys[1]);
    keys[5] = key_of(5, 5);
    put_ok(place, &keys[5], 1500, 5);
    get_finds_none(place, &keys[2]);
    get_finds_none(place, &keys[3]);
    get_finds(place, &keys[0], 1000, 0);
    get_finds(place, &keys[4], 1000, 4);
    get_finds(place, &keys[5], 1500, 5);
}

static void put__what_was_just_put_stays_whatever_the_clock_says(void **state) {
    struct place *place = *state;
    struct reglet__code_key old = key_of(1, 1), new = key_of(2, 2);
    place_limit(place, 1500 + FOOTER);
    put_ok(place, &old, 1000, 1);
    set_time(file_of(place, &old), -100000);
    put_ok(place, &new, 1000, 2);
    get_finds(place, &new, 1000, 2);
    get_finds_none(place, &old);
}

static void put__file_larger_than_all_may_be_is_refused(void **state) {
    struct place *place = *state;
    struct reglet__code_key old = key_of(1, 1), key = key_of(2, 2);
    reglet_error *error = NULL;
    char message[256];
    place_limit(place, 1000 + FOOTER);
    put_ok(place, &old, 1000, 1);
    snprintf(message, sizeof message,
             "a file would have 1088 bytes, and all in %s together may have 1080: raise that "
             "limit to keep it",
             place->directory);
    expect_error(put(place, &key, 1001, 1, &error), REGLET_ERR_IO, &error, message);
    get_finds_none(place, &key);
    get_finds(place, &old, 1000, 1);
}

static void put__removes_old_temporary_files_and_nothing_of_others(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    static const char *const others[] = {
        ".tmp-x",
        ".tmp-0123456789abcdeF",
        ".tmp-0123456789abcdef0",
        "notes",
        "new\nline",
        "x.code",
        "ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB-0000000000000001.code",
        "0101010101010101010101010101010101010101010101010101010101010101-0000000000000001.code~",
        "0101010101010101010101010101010101010101010101010101010101010101_0000000000000001.code",
        "0101010101010101010101010101010101010101010101010101010101010101-000000000000000g.code",
        "0101010101010101010101010101010101010101010101010101010101010101-+000000000000001.code"};
    size_t other_count = sizeof others / sizeof *others;
    for (size_t i = 0; i < other_count; i++) {
        write_whole(in_directory(place, others[i]), "x", 1, 0600);
        set_time(in_directory(place, others[i]), 100000);
    }
    assert_int_equal(mkdir(in_directory(place, "folder"), 0700), 0);
    write_whole(in_directory(place, ".tmp-0000000000000001"), "x", 1, 0600);
    write_whole(in_directory(place, ".tmp-0000000000000002"), "x", 1, 0600);
    write_whole(in_directory(place, ".tmp-0000000000000003"), "x", 1, 0600);
    set_time(in_directory(place, ".tmp-0000000000000002"), 3700);
    set_time(in_directory(place, ".tmp-0000000000000003"), -3700);
    put_ok(place, &key, 10, 1);
    assert_int_equal(access(in_directory(place, ".tmp-0000000000000001"), F_OK), 0);
    assert_int_equal(count_names(place), other_count + 3);

    uint64_t files = 77, bytes = 77;
    assert_int_equal(reglet__store_prune(place->store, 0, NULL, NULL, &files, &bytes, NULL), REGLET_OK);
    assert_int_equal(files, 2);
    assert_int_equal(bytes, 1 + 16 + FOOTER);
    assert_int_equal(count_names(place), other_count + 1);
}

struct listed {
    size_t count, stop_at;
    struct reglet__stored files[8];
};

static bool note_listed(void *user_data, const struct reglet__stored *stored) {
    struct listed *listed = user_data;
    assert_true(listed->count < 8);
    listed->files[listed->count++] = *stored;
    return listed->count != listed->stop_at;
}

static void list__is_in_the_order_of_use(void **state) {
    struct place *place = *state;
    struct listed listed = {0}, first = {.stop_at = 1};
    for (unsigned char i = 0; i < 3; i++) {
        struct reglet__code_key key = key_of(i, i + 100);
        put_ok(place, &key, 8 * i, i);
        set_time(file_of(place, &key), (i + 1) % 3 * 10);
    }
    struct reglet__code_key no_file = key_of(9, 9);
    assert_int_equal(symlink("/etc/passwd", file_of(place, &no_file)), 0);
    assert_int_equal(reglet__store_list(place->store, note_listed, &listed, NULL), REGLET_OK);
    static const unsigned char order[] = {2, 0, 1};
    assert_int_equal(listed.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(listed.files[i].key.module.bytes[31], order[i]);
        assert_int_equal(listed.files[i].key.engine, order[i] + 100);
        assert_int_equal(listed.files[i].bytes, 8 * order[i] + FOOTER);
    }
    assert_int_equal(listed.files[0].used_ms - listed.files[2].used_ms, 20000);
    assert_int_equal(reglet__store_list(place->store, note_listed, &first, NULL), REGLET_OK);
    assert_int_equal(first.count, 1);
}

static void list__thousands_of_names_are_no_trouble(void **state) {
    struct place *place = *state;
    struct reglet__code_key key = key_of(1, 1);
    struct listed listed = {0};
    char name[32];
    put_ok(place, &key, 10, 1);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "%d", i);
        write_whole(in_directory(place, name), "", 0, 0600);
    }
    assert_int_equal(reglet__store_list(place->store, note_listed, &listed, NULL), REGLET_OK);
    assert_int_equal(listed.count, 1);
}

static bool is_of_module_3(void *user_data, const struct reglet__stored *stored) {
    ++*(int *)user_data;
    return stored->key.module.bytes[0] == 3;
}

static void prune__removes_what_is_said_what_is_damaged_and_what_is_too_much(void **state) {
    struct place *place = *state;
    struct reglet__code_key keys[8];
    uint64_t files, bytes;
    int asked = 0;
    for (unsigned char i = 0; i < 6; i++) {
        keys[i] = key_of(i, i);
        put_ok(place, &keys[i], 1000, i);
        set_time(file_of(place, &keys[i]), 100 - i);
    }
    assert_int_equal(truncate(file_of(place, &keys[4]), 500), 0);
    keys[7] = key_of(7, 7);
    assert_int_equal(symlink("/etc/passwd", file_of(place, &keys[7])), 0);
    assert_int_equal(reglet__store_prune(place->store, 3 * (1000 + FOOTER) - 1, is_of_module_3, &asked,
                                         &files, &bytes, NULL),
                     REGLET_OK);
    assert_int_equal(asked, 6);
    assert_int_equal(files, 5); /* the one that is said, the damaged, the link, the two oldest */
    assert_int_equal(bytes, 3 * (1000 + FOOTER) + 500);
    assert_int_equal(count_names(place), 2);
    get_finds(place, &keys[5], 1000, 5);
    get_finds(place, &keys[2], 1000, 2);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, place_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_PLACE(get__finds_what_was_put),
        IN_PLACE(put__file_begins_with_the_content_and_is_closed_to_others),
        IN_PLACE(get__file_that_is_replaced_stays_what_it_was),
        IN_PLACE(check_exec__file_system_mounted_noexec_is_refused),
        IN_PLACE(open__relative_path_is_invalid),
        IN_PLACE(open__makes_what_is_missing_for_this_user_alone),
        IN_PLACE(open__directory_that_others_may_write_is_refused),
        IN_PLACE(open__directory_of_another_user_is_refused),
        IN_PLACE(open__in_a_directory_of_another_user_nothing_is_made_or_used),
        IN_PLACE(open__link_of_this_user_is_followed),
        IN_PLACE(open__link_that_others_can_replace_is_refused),
        IN_PLACE(open__what_is_no_directory_is_refused),
        IN_PLACE(get_and_put__directory_that_was_opened_to_others_later_is_refused),
        IN_PLACE(get__what_is_no_regular_file_is_refused),
        IN_PLACE(get__directory_that_is_not_empty_stays_and_is_never_used),
        IN_PLACE(get__file_that_is_open_to_others_is_refused),
        IN_PLACE(get__file_of_another_user_is_refused),
        IN_PLACE(get__file_with_another_hard_link_is_used),
        IN_PLACE(get__file_that_was_cut_short_is_refused),
        IN_PLACE(get__file_with_one_bit_flipped_anywhere_is_refused),
        IN_PLACE(get__file_that_goes_on_after_its_footer_is_refused),
        IN_PLACE(get__footer_that_says_something_else_is_refused),
        IN_PLACE(get__right_file_under_the_name_of_another_is_refused),
        IN_PLACE(put__removes_what_was_used_least_recently),
        IN_PLACE(put__what_was_just_put_stays_whatever_the_clock_says),
        IN_PLACE(put__file_larger_than_all_may_be_is_refused),
        IN_PLACE(put__removes_old_temporary_files_and_nothing_of_others),
        IN_PLACE(list__is_in_the_order_of_use),
        IN_PLACE(list__thousands_of_names_are_no_trouble),
        IN_PLACE(prune__removes_what_is_said_what_is_damaged_and_what_is_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
