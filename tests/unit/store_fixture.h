/*
 * store_fixture.h - a store in a directory of its own, and what a file of it looks like from outside.
 */
#ifndef REGLET_TESTS_UNIT_STORE_FIXTURE_H
#define REGLET_TESTS_UNIT_STORE_FIXTURE_H

#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/store.h"

struct place {
    char root[64];       /* removed in the end, with all in it */
    char directory[128]; /* the store's: root/cache */
    struct reglet__store *store;
};

/* For cmocka: *state is a place whose store has no limit. */
int place_setup(void **state);
int place_teardown(void **state);

/* root/name or directory/name; good until the tenth call after it. */
const char *in_root(const struct place *place, const char *name);
const char *in_directory(const struct place *place, const char *name);

/* Opens the store again, with a limit. */
void place_limit(struct place *place, uint64_t max_bytes);

struct reglet__code_key key_of(unsigned char module, uint64_t engine);

/* The path of a key's file. */
const char *file_of(const struct place *place, const struct reglet__code_key *key);

/* Puts `size` bytes that depend on `seed`. */
reglet_status put(struct place *place, const struct reglet__code_key *key, size_t size, unsigned seed,
                  reglet_error **err);
void put_ok(struct place *place, const struct reglet__code_key *key, size_t size, unsigned seed);

/* Whether that is what the bytes are. */
bool is_content(const void *bytes, size_t size, unsigned seed);

/* What a get answers. */
void get_finds(struct place *place, const struct reglet__code_key *key, size_t size, unsigned seed);
void get_finds_none(struct place *place, const struct reglet__code_key *key);
void get_is_refused(struct place *place, const struct reglet__code_key *key, const char *why);

/* Frees the error. By its address: which argument is evaluated first, nobody knows. */
void expect_error(reglet_status status, reglet_status expected, reglet_error **error, const char *message);

char *read_whole(const char *path, size_t *size);
void write_whole(const char *path, const void *bytes, size_t size, mode_t mode);

/* How many names there are in the store's directory. */
size_t count_names(const struct place *place);

#endif
