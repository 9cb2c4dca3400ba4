#define _GNU_SOURCE
#include "tests/unit/store_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

#include "engine/store_internal.h"

int place_setup(void **state) {
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    strcpy(place->root, "/tmp/reglet-store-XXXXXX");
    assert_non_null(mkdtemp(place->root));
    snprintf(place->directory, sizeof place->directory, "%s/cache", place->root);
    *state = place;
    place_limit(place, UINT64_MAX);
    return 0;
}

static int remove_one(const char *path, const struct stat *file, int kind, struct FTW *where) {
    (void)file, (void)kind, (void)where;
    return remove(path);
}

int place_teardown(void **state) {
    struct place *place = *state;
    reglet__store_free(place->store);
    nftw(place->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(place);
    return 0;
}

static const char *join(const char *directory, const char *name) {
    static _Thread_local char paths[10][512];
    static _Thread_local unsigned next;
    char *path = paths[next++ % 10];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

const char *in_root(const struct place *place, const char *name) {
    return join(place->root, name);
}

const char *in_directory(const struct place *place, const char *name) {
    return join(place->directory, name);
}

void place_limit(struct place *place, uint64_t max_bytes) {
    reglet_error *error = NULL;
    reglet__store_free(place->store);
    place->store = NULL;
    if (reglet__store_open(place->directory, max_bytes, &place->store, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
}

struct reglet__code_key key_of(unsigned char module, uint64_t engine) {
    struct reglet__code_key key = {.engine = engine};
    memset(key.module.bytes, module, sizeof key.module.bytes);
    return key;
}

const char *file_of(const struct place *place, const struct reglet__code_key *key) {
    char name[REGLET__CODE_NAME_SIZE];
    reglet__code_name(key, name);
    return in_directory(place, name);
}

static unsigned char byte_at(size_t at, unsigned seed) {
    return (unsigned char)((at + 1) * (seed + 1) * 2654435761U >> 11);
}

bool is_content(const void *bytes, size_t size, unsigned seed) {
    for (size_t i = 0; i < size; i++)
        if (((const unsigned char *)bytes)[i] != byte_at(i, seed))
            return false;
    return true;
}

/* In three parts, one of them empty. */
reglet_status put(struct place *place, const struct reglet__code_key *key, size_t size, unsigned seed,
                  reglet_error **err) {
    unsigned char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(i, seed);
    const struct iovec parts[] = {{bytes, size / 3}, {NULL, 0}, {bytes + size / 3, size - size / 3}};
    reglet_status status = reglet__store_put(place->store, key, parts, 3, err);
    free(bytes);
    return status;
}

void put_ok(struct place *place, const struct reglet__code_key *key, size_t size, unsigned seed) {
    reglet_error *error = NULL;
    if (put(place, key, size, seed, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
}

void get_finds(struct place *place, const struct reglet__code_key *key, size_t size, unsigned seed) {
    struct reglet__code_file file = {.fd = -1};
    reglet_error *error = NULL;
    if (reglet__store_get(place->store, key, &file, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    assert_true(file.fd >= 0);
    assert_int_equal(file.size, size);
    assert_true(is_content(file.bytes, size, seed));
    reglet__code_file_close(&file);
    assert_int_equal(file.fd, -1);
}

void get_finds_none(struct place *place, const struct reglet__code_key *key) {
    struct reglet__code_file file = {.fd = 77};
    reglet_error *error = NULL;
    if (reglet__store_get(place->store, key, &file, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    assert_int_equal(file.fd, -1);
    assert_null(file.bytes);
}

void get_is_refused(struct place *place, const struct reglet__code_key *key, const char *why) {
    char message[512];
    struct reglet__code_file file = {.fd = 77};
    reglet_error *error = NULL;
    snprintf(message, sizeof message, "%s: %s", file_of(place, key), why);
    expect_error(reglet__store_get(place->store, key, &file, &error), REGLET_ERR_IO, &error, message);
    assert_int_equal(file.fd, 77);
}

void expect_error(reglet_status status, reglet_status expected, reglet_error **error, const char *message) {
    assert_string_equal(reglet_error_message(*error), message);
    assert_int_equal(status, expected);
    assert_int_equal(reglet_error_code(*error), expected);
    assert_int_equal(reglet_error_domain(*error), REGLET_DOMAIN_ENGINE);
    reglet_error_free(*error);
    *error = NULL;
}

char *read_whole(const char *path, size_t *size) {
    struct stat file;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &file), 0);
    *size = (size_t)file.st_size;
    char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, *size), *size);
    close(fd);
    return bytes;
}

void write_whole(const char *path, const void *bytes, size_t size, mode_t mode) {
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

size_t count_names(const struct place *place) {
    size_t count = 0;
    DIR *directory = opendir(place->directory);
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count - 2;
}
