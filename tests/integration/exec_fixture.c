#define _GNU_SOURCE
#include "tests/integration/exec_fixture.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATHS = 8, MAX_GRANTS = 8 };

static char directory[64];
static reglet_runtime *runtime;
reglet_plugin *plugin;
struct events events;

static void drop_runtime(void) {
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    if (runtime)
        events_free(&events);
    plugin = NULL;
    runtime = NULL;
}

int exec_set_up(void **state) {
    (void)state;
    strcpy(directory, "/tmp/reglet-exec-XXXXXX");
    assert_non_null(mkdtemp(directory));
    chmod(directory, 0755);
    put_probe("probe");
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk) {
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

int exec_tear_down(void **state) {
    (void)state;
    drop_runtime();
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

const char *in_dir(const char *name) {
    static _Thread_local char paths[PATHS][4096];
    static _Thread_local unsigned next;
    char *path = paths[next++ % PATHS];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static void put(const char *name, int mode, const char *data, size_t size) {
    FILE *file = fopen(in_dir(name), "we");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
    assert_int_equal(chmod(in_dir(name), (mode_t)mode), 0);
}

void put_probe(const char *name) {
    struct bytes probe = read_file(REGLET_COMMAND_PROBE);
    put(name, 0755, probe.data, probe.size);
    free(probe.data);
}

void put_file(const char *name, int mode, const char *text) {
    put(name, mode, text, strlen(text));
}

/* Replaces each "@" by the directory. */
static char *expand(const char *text) {
    char *out = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&out, &size);
    for (; *text; text++)
        *text == '@' ? fputs(directory, file) : fputc(*text, file);
    fclose(file);
    return out;
}

static void make(reglet_runtime_options *options, const char *capability, va_list more) {
    reglet_grant grants[MAX_GRANTS];
    char *texts[MAX_GRANTS];
    size_t count = 0;
    drop_runtime();
    for (; capability; capability = va_arg(more, const char *)) {
        texts[count] = expand(capability);
        grants[count] = (reglet_grant){"relay", texts[count]};
        count++;
    }
    events_init(&events);
    options->grants = grants;
    options->grant_count = count;
    options->log = events_collect;
    options->log_user_data = &events;
    options->max_evidence_bytes = -1;
    runtime = new_runtime(options);
    plugin = load_guest(runtime, "relay");
    while (count > 0)
        free(texts[--count]);
}

void grant(const char *capability, ...) {
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    va_list more;
    va_start(more, capability);
    make(&options, capability, more);
    va_end(more);
}

void grant_with(reglet_runtime_options *options, const char *capability, ...) {
    va_list more;
    va_start(more, capability);
    make(options, capability, more);
    va_end(more);
}

char *run(const char *name, const char *args, const char *more) {
    const char *command = name[0] == '/' ? name : name[0] == '!' ? name + 1 : in_dir(name);
    return relay(plugin, "exec_command", "{'command':'%s','args':[%s]%s%s}", command, args, *more ? "," : "",
                 more);
}

void expect_run(const char *name, const char *args, const char *pointer, const char *expected) {
    char *response = run(name, args, "");
    expect_member(response, pointer, expected);
    free(response);
}

void expect_denied(const char *name, const char *part) {
    char *response = run(name, "", "");
    expect_member(response, "/error/type", "capability");
    expect_member(response, "/error/code", "EPERM");
    expect_member_contains(response, "/error/message", "permission denied");
    expect_member_contains(response, "/error/message", part);
    expect_member(response, "/stdout", NULL);
    free(response);
}

unsigned running(void) {
    unsigned count = 0;
    DIR *dir = opendir("/proc");
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[300], program[4096];
        snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
        ssize_t size = readlink(path, program, sizeof program);
        count += size > 0 && strncmp(program, directory, strlen(directory)) == 0;
    }
    closedir(dir);
    return count;
}

unsigned descriptors(void) {
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}
