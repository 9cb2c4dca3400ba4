#define _GNU_SOURCE
#include "command.h"
#include "table.h"
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* File access is decided on descriptors: by openat2, and by the real path that /proc/self/fd has of each. */
static const char *missing_of_kernel(void) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC};
    long fd = syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof how);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return "openat2 is missing (Linux 5.6 or newer, and no filter that refuses it): plugins reach no file";
    if (fd >= 0)
        close((int)fd);
    if (access("/proc/self/fd", R_OK | X_OK) != 0)
        return "/proc is not mounted: plugins reach no file";
    return NULL;
}

/* Making a cache starts the engine. NULL, or why it cannot run here; the caller frees. */
static char *missing_of_engine(void) {
    _cleanup_error_ reglet_error *error = NULL;
    reglet_cache *cache = NULL;
    if (reglet_cache_new(NULL, &cache, &error) != REGLET_OK)
        return format_text("%s", reglet_error_message(error));
    reglet_cache_unref(cache);
    return NULL;
}

/* Slower is no lack: whatever runs here runs the same. */
static const char *images_text(void) {
    return reglet_engine_scans_memory() ? "restored page by page after each call"
                                        : "restored the slower way: the kernel does not say which pages a "
                                          "call wrote (Linux 6.7 or newer does, through /proc)";
}

static void print_json(const char *kernel, const char *problem) {
    const char *const fields[][2] = {{"version", reglet_version()},
                                     {"engine", reglet_engine_version()},
                                     {"kernel", kernel},
                                     {"problem", problem}};
    printf("{\"supported\":%s", problem ? "false" : "true");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        term_write_json_member(stdout, fields[i][0], fields[i][1]);
    printf(",\"scans_memory\":%s}\n", reglet_engine_scans_memory() ? "true" : "false");
}

static void print_table(const char *kernel, const char *problem) {
    struct table table = {.columns = 2};
    table_add_row(&table, "reglet", reglet_version());
    table_add_row(&table, "engine", reglet_engine_version());
    table_add_row(&table, "kernel", kernel);
    table_add_row(&table, "images", images_text());
    table_add_row(&table, "support", problem ? problem : "everything that is needed is here");
    table_print(&table, stdout);
    table_clear(&table);
}

static int run(const struct options *options) {
    struct utsname system = {0};
    uname(&system);
    _cleanup_free_ char *kernel = format_text("%s %s %s", system.sysname, system.release, system.machine);
    _cleanup_free_ char *engine_problem = missing_of_engine();
    const char *problem = engine_problem ? engine_problem : missing_of_kernel();
    if (options->format == FORMAT_JSON)
        print_json(kernel, problem);
    else
        print_table(kernel, problem);
    return problem ? EXIT_FAILED : EXIT_OK;
}

const struct command command_version = {
    .name = "version",
    .bit = COMMAND_VERSION,
    .synopsis = "",
    .summary = "versions, and whether this system has what is needed",
    .details = "Prints the versions of reglet and its engine, whether plugins start the fast or\n"
               "the slower way here, and whether this system has what is needed. Exits with 3\n"
               "when it has not.\n",
    .example = "  reglet version --format json\n",
    .run = run,
};
