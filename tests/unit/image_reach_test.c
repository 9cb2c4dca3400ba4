#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <string.h>

#include "host/host.h"
#include "runtime/internal.h"
#include "util/buf.h"
#include "util/cleanup.h"
#include "util/variant.h"
#include "wasi/wasi.h"

/* A plugin that calls one function while it initialises: whether later instances start from an image of that. */

/* Everything else that there is keeps the plain way. */
static const char *const may_be_called[] = {
    "args_get",       "args_sizes_get", "environ_get",    "environ_sizes_get",   "clock_res_get",
    "clock_time_get", "fd_fdstat_get",  "fd_prestat_get", "fd_prestat_dir_name", "fd_fdstat_set_flags",
    "fd_write",       "random_get",     "sched_yield",    "log_message",
};

/* --- A module, byte by byte -------------------------------------------------------------------------------- */

static void add(struct reglet__buf *module, const void *bytes, size_t size) {
    assert_int_equal(reglet__buf_append(module, bytes, size), REGLET_OK);
}

static void add_byte(struct reglet__buf *module, size_t byte) {
    assert_in_range(byte, 0, 127); /* one byte of LEB128 */
    add(module, (char[]){(char)byte}, 1);
}

static void add_name(struct reglet__buf *module, const char *name) {
    add_byte(module, strlen(name));
    add(module, name, strlen(name));
}

static void add_section(struct reglet__buf *module, size_t id, struct reglet__buf *content) {
    add_byte(module, id);
    add_byte(module, content->size);
    add(module, content->data, content->size);
    reglet__buf_clear(content);
}

static void add_types(struct reglet__buf *out, const char *letters, size_t count) {
    add_byte(out, count);
    for (size_t i = 0; i < count; i++)
        add(out, letters[i] == 'i' ? "\x7f" : "\x7e", 1);
}

static void add_export(struct reglet__buf *out, const char *name, size_t kind, size_t index) {
    add_name(out, name);
    add_byte(out, kind);
    add_byte(out, index);
}

/* (call 0) with a zero for each argument, and without its result. */
static void add_initialize(struct reglet__buf *out, const char *signature) {
    size_t arguments = (size_t)(strchr(signature, '-') - signature);
    bool answers = signature[arguments + 2];
    add_byte(out, 1 + 2 * arguments + 2 + answers + 1);
    add_byte(out, 0); /* locals */
    for (size_t i = 0; i < arguments; i++)
        add(out, signature[i] == 'i' ? "\x41\0" : "\x42\0", 2);
    add(out, "\x10\0", 2);
    if (answers)
        add(out, "\x1a", 1);
    add(out, "\x0b", 1);
}

static void make_module(const struct reglet__import *import, struct reglet__buf *module) {
    struct reglet__buf part = {.max = 4096};
    const char *arrow = strchr(import->signature, '-');
    add(module, "\0asm\1\0\0\0", 8);
    add(&part, "\4\x60", 2); /* types: the import's, () -> (), (i32) -> (i32), (i32, i32) -> (i64) */
    add_types(&part, import->signature, (size_t)(arrow - import->signature));
    add_types(&part, arrow + 2, strlen(arrow + 2));
    add(&part, "\x60\0\0\x60\1\x7f\1\x7f\x60\2\x7f\x7f\1\x7e", 14);
    add_section(module, 1, &part);
    add_byte(&part, 1);
    add_name(&part, import->module);
    add_name(&part, import->name);
    add(&part, "\0\0", 2);
    add_section(module, 2, &part);
    add(&part, "\3\1\2\3", 4);
    add_section(module, 3, &part);
    add(&part, "\1\0\1", 3);
    add_section(module, 5, &part);
    add_byte(&part, 4);
    add_export(&part, "memory", 2, 0);
    add_export(&part, "_initialize", 0, 1);
    add_export(&part, "allocate", 0, 2);
    add_export(&part, "observe", 0, 3);
    add_section(module, 7, &part);
    add_byte(&part, 3);
    add_initialize(&part, import->signature);
    add(&part, "\4\0\x41\1\x0b\4\0\x42\0\x0b", 10); /* allocate answers 1; observe 0 */
    add_section(module, 10, &part);
    reglet__buf_free(&part);
}

/* --- The walk ---------------------------------------------------------------------------------------------- */

static bool leaves_an_image(const struct reglet__import *import) {
    struct reglet__buf module = {.max = 4096};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    reglet_runtime *runtime = NULL;
    reglet_plugin *plugin = NULL;
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    options.compiler = REGLET_COMPILER_FAST;
    make_module(import, &module);
    assert_int_equal(reglet_runtime_new(&options, &runtime, NULL), REGLET_OK);
    if (reglet_runtime_load_plugin(runtime, "reach", module.data, module.size, NULL, &plugin, &error))
        fail_msg("%s: %s", import->name, reglet_error_message(error));
    assert_int_equal(reglet_plugin_observe(plugin, NULL, NULL, &result, NULL), REGLET_OK);
    bool has = plugin->version->kept.start.image;
    reglet_result_free(result);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    reglet__buf_free(&module);
    return has;
}

static void walk(const struct reglet__import *imports, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bool may = false;
        if (!imports[i].name) /* the embedder's: it reaches wherever the embedder reaches */
            continue;
        for (size_t j = 0; j < ARRAY_LEN(may_be_called); j++)
            may = may || strcmp(may_be_called[j], imports[i].name) == 0;
        if (leaves_an_image(&imports[i]) != (may && !REGLET__NO_IMAGES))
            fail_msg("%s: %s", imports[i].name, may ? "there is no image" : "there is an image");
    }
}

static void initialising__leaves_an_image_unless_it_reaches_out(void **state) {
    (void)state;
    walk(reglet__wasi_imports, reglet__wasi_import_count);
    walk(reglet__host_imports, reglet__host_import_count);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(initialising__leaves_an_image_unless_it_reaches_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
