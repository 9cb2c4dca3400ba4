#define _GNU_SOURCE
/* Files of compiled code whose checksum holds, and whose notes on where and what everything is do not. */
#include "tests/unit/test.h"

#include <dirent.h>
#include <reglet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    FOOTER = 80,
    SUM = 16,
    NOTES = 4 * 8 + 8 * 16 + 14 * 8
}; /* at the end of the file; of them; before those */

struct file {
    char path[512];
    char *bytes;
    size_t size;
};

static void only_file(const char *directory, struct file *file) {
    DIR *names = opendir(directory);
    assert_non_null(names);
    for (struct dirent *name = readdir(names); name; name = readdir(names))
        if (name->d_name[0] != '.')
            snprintf(file->path, sizeof file->path, "%s/%s", directory, name->d_name);
    closedir(names);
    FILE *in = fopen(file->path, "r");
    assert_non_null(in);
    assert_int_equal(fseek(in, 0, SEEK_END), 0);
    file->size = (size_t)ftell(in);
    file->bytes = malloc(file->size);
    assert_non_null(file->bytes);
    rewind(in);
    assert_int_equal(fread(file->bytes, 1, file->size, in), file->size);
    fclose(in);
}

/* A new file in the place of the old one, whose last bytes are a checksum over all others. */
static void forge(const struct file *file, size_t word, uint64_t value) {
    char *bytes = malloc(file->size);
    XXH128_canonical_t sum;
    assert_non_null(bytes);
    memcpy(bytes, file->bytes, file->size);
    memcpy(bytes + file->size - FOOTER - NOTES + 8 * word, &value, sizeof value);
    XXH128_canonicalFromHash(&sum, XXH3_128bits(bytes, file->size - SUM));
    memcpy(bytes + file->size - SUM, sum.digest, SUM);
    unlink(file->path);
    FILE *out = fopen(file->path, "w");
    assert_non_null(out);
    assert_int_equal(fchmod(fileno(out), 0600), 0);
    assert_int_equal(fwrite(bytes, 1, file->size, out), file->size);
    assert_int_equal(fclose(out), 0);
    free(bytes);
}

/* Two calls: the first takes an image. What they answer is not to be known. */
static void use(const char *directory) {
    reglet_cache_options cache_options = REGLET_CACHE_OPTIONS_INIT;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    reglet_runtime *runtime = NULL;
    reglet_plugin *plugin = NULL;
    cache_options.directory = directory;
    options.cache_mode = REGLET_CACHE_OWN;
    options.compiler = REGLET_COMPILER_FAST;
    assert_int_equal(reglet_cache_new(&cache_options, &options.cache, NULL), REGLET_OK);
    assert_int_equal(reglet_runtime_new(&options, &runtime, NULL), REGLET_OK);
    reglet_status status = reglet_runtime_load_plugin_file(
        runtime, "counter", REGLET_GUEST_DIR "/counter.wasm", NULL, &plugin, NULL);
    assert_int_equal(status, REGLET_OK); /* compiled again, if need be */
    for (int i = 0; i < 2; i++) {
        reglet_result *result = NULL;
        reglet_plugin_observe(plugin, NULL, NULL, &result, NULL);
        reglet_result_free(result);
    }
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    reglet_cache_unref(options.cache);
}

static void files__notes_that_lie_end_nothing(void **state) {
    (void)state;
    char directory[] = "/tmp/reglet-notes-XXXXXX";
    struct file file;
    assert_non_null(mkdtemp(directory));
    use(directory);
    only_file(directory, &file);
    for (size_t word = 0; word < NOTES / 8; word++) {
        uint64_t true_value;
        memcpy(&true_value, file.bytes + file.size - FOOTER - NOTES + 8 * word, sizeof true_value);
        const uint64_t lies[] = {0,
                                 1,
                                 8,
                                 255,
                                 4096,
                                 UINT64_C(1) << 20,
                                 UINT64_C(1) << 47,
                                 UINT64_C(1) << 48,
                                 UINT64_MAX,
                                 UINT64_MAX - 7,
                                 true_value + 1,
                                 true_value - 1,
                                 true_value + 4096};
        for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
            forge(&file, word, lies[i]);
            use(directory);
        }
    }
    unlink(file.path);
    free(file.bytes);
    assert_int_equal(rmdir(directory), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(files__notes_that_lie_end_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
