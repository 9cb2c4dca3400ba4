/* What a plugin may run: by the spelling, by the file, and by what the file is. Each test tries a way around a grant. */
#define _GNU_SOURCE
#include "tests/integration/exec_fixture.h"

#include <elf.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- Spellings and files ---------------------------------------------------------------------------------- */

static void grant_of_a_path__runs_that_file(void **state) {
    (void)state;
    grant("exec:@/probe", NULL);
    expect_run("probe", "", "/stdout", "good\n");
    expect_run("probe", "", "/exit_code", "0");
    char spelled[128];
    snprintf(spelled, sizeof spelled, "%s/../%s", in_dir("x"), strrchr(in_dir("probe"), '/') + 1);
    expect_run(spelled, "", "/stdout", "good\n");
}

static void no_grant__is_denied_with_the_one_that_would_allow_it(void **state) {
    (void)state;
    grant(NULL, NULL);
    expect_denied("probe", "a grant that would allow it: exec:/tmp/reglet-exec-");
    expect_denied("!git", "a grant that would allow it: exec:git");
    assert_true(events_contain(&events, "denial|relay||permission denied|"));
    assert_true(events_contain(&events, "grant=exec:git"));
}

static void relative_path__is_denied_whatever_is_granted(void **state) {
    (void)state;
    grant("exec:**", NULL);
    expect_denied("!./probe", "relative");
    expect_denied("!a/probe", "relative");
    expect_denied("!", "");
    expect_denied("/", "");
    expect_denied("/usr/bin/", "");
    expect_denied("/usr/bin/..", "");
}

static void denial__is_the_same_whether_the_file_exists_or_not(void **state) {
    (void)state;
    grant("exec:@/other", NULL);
    char *exists = run("probe", "", "");
    assert_int_equal(unlink(in_dir("probe")), 0);
    char *missing = run("probe", "", "");
    char *elsewhere = run("probe", "", "'dir':'/nonexistent'"); /* nor whether that is there */
    assert_string_equal(exists, missing);
    assert_string_equal(exists, elsewhere);
    expect_member(exists, "/error/code", "EPERM");
    free(exists);
    free(missing);
    free(elsewhere);
}

static void missing_program__is_told_to_who_could_run_it(void **state) {
    (void)state;
    grant("exec:@/other", "exec:@/d/*", "exec:nowhere-to-be-found", NULL);
    expect_run("other", "", "/error/code", "ENOENT");
    expect_run("other", "", "/error/is_not_found", "true");
    expect_run("other", "", "/error/type", "exec");
    expect_run("d/x", "", "/error/code", "ENOENT");
    expect_run("!nowhere-to-be-found", "", "/error/code", "ENOENT");
}

/* Whether /secret is there must not be told by whether /secret/../probe is. */
static void dotdot__tells_nothing_about_what_it_leads_through(void **state) {
    (void)state;
    grant("exec:@/probe", NULL);
    expect_run("secret/../probe", "", "/stdout", "good\n");
    assert_int_equal(mkdir(in_dir("secret"), 0700), 0);
    expect_run("secret/../probe", "", "/stdout", "good\n");
}

static void link_to_another_program__is_not_what_was_granted(void **state) {
    (void)state;
    put_probe("granted");
    grant("exec:@/granted", "exec:@/d/*", NULL);
    assert_int_equal(unlink(in_dir("granted")), 0);
    assert_int_equal(symlink(in_dir("probe"), in_dir("granted")), 0);
    expect_denied("granted", "");
    assert_int_equal(mkdir(in_dir("d"), 0755), 0);
    assert_int_equal(symlink(in_dir("probe"), in_dir("d/link")), 0);
    expect_denied("d/link", "");
}

static void link_to_a_granted_program__is_another_command(void **state) {
    (void)state;
    grant("exec:@/probe", NULL);
    assert_int_equal(symlink(in_dir("probe"), in_dir("alias")), 0);
    expect_denied("alias", "");
}

static void granted_link__runs_what_it_led_to_when_the_runtime_was_made(void **state) {
    (void)state;
    put_probe("other");
    assert_int_equal(symlink("probe", in_dir("link")), 0);
    grant("exec:@/link", NULL);
    expect_run("link", "", "/stdout", "good\n");
    assert_int_equal(unlink(in_dir("link")), 0);
    assert_int_equal(symlink("other", in_dir("link")), 0);
    expect_denied("link", "");
}

static void magic_links__are_no_names_of_programs(void **state) {
    (void)state;
    grant("exec:**", NULL);
    expect_run("/proc/self/exe", "", "/error/code", "ELOOP");
    expect_run("/proc/self/root/bin/ls", "", "/error/code", "ELOOP");
    expect_run("/proc/self/fd/0", "", "/error/code", "ELOOP");
}

/* --- Bare names ------------------------------------------------------------------------------------------- */

/* Makes the runtime under another PATH. */
static void grant_on_path(const char *path, const char *capability) {
    char *before = strdup(getenv("PATH"));
    setenv("PATH", path, 1);
    grant(capability, NULL);
    setenv("PATH", before, 1);
    free(before);
}

static void bare_name__is_found_on_the_path_of_the_runtime(void **state) {
    (void)state;
    char path[300];
    snprintf(path, sizeof path, "/nonexistent:%s", in_dir("."));
    grant_on_path(path, "exec:probe");
    expect_run("!probe", "", "/stdout", "good\n");
    expect_run("!probe", "'args'", "/stdout", "probe\nargs\n");
    expect_denied("probe", "");
    expect_denied("!./probe", "");
    grant("exec:probe", NULL);
    expect_run("!probe", "", "/error/code", "ENOENT");
}

/* An empty or relative entry means the working directory. */
static void path_entries__that_are_no_absolute_directories_are_skipped(void **state) {
    (void)state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(in_dir(".")), 0);
    static const char *const paths[] = {"", ":", "::/nonexistent", ".:", "./:..", "../tmp:"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        grant_on_path(paths[i], "exec:probe");
        expect_run("!probe", "", "/error/code", "ENOENT");
    }
    assert_int_equal(chdir(before), 0);
}

static void path_search__passes_over_what_cannot_be_executed(void **state) {
    (void)state;
    char path[600];
    assert_int_equal(mkdir(in_dir("first"), 0755), 0);
    assert_int_equal(mkdir(in_dir("second"), 0755), 0);
    assert_int_equal(mkdir(in_dir("second/probe"), 0755), 0);
    put_file("first/probe", 0644, "no program");
    snprintf(path, sizeof path, "%s:%s:%s", in_dir("first"), in_dir("second"), in_dir("."));
    grant_on_path(path, "exec:probe");
    expect_run("!probe", "", "/stdout", "good\n");
}

/* --- Who else can change a program ------------------------------------------------------------------------ */

static void program_that_the_plugin_may_write__is_denied(void **state) {
    (void)state;
    grant("exec:@/probe", "fs:write:@/**", NULL);
    expect_denied("probe", "may write this program");
    grant("exec:**", "fs:write:@/**", NULL);
    expect_run("probe", "", "/stdout", "good\n");
}

static atomic_bool swapping;

/* Puts a link to one, then to the other program in the place of `link`, over and over. */
static void *swap(void *unused) {
    (void)unused;
    for (unsigned i = 0; atomic_load(&swapping); i++) {
        unlink(in_dir("new"));
        if (symlink(i & 1 ? "probe" : "evil", in_dir("new")) == 0)
            rename(in_dir("new"), in_dir("link"));
    }
    return NULL;
}

static void program_swapped_between_check_and_run__never_runs_the_other(void **state) {
    (void)state;
    pthread_t thread;
    unsigned ran = 0, denied = 0;
    put_file("evil", 0755, "#!/bin/sh\necho evil\n");
    assert_int_equal(symlink("probe", in_dir("link")), 0);
    grant("exec:@/link", "exec:/bin/sh", NULL);
    atomic_store(&swapping, true);
    assert_int_equal(pthread_create(&thread, NULL, swap, NULL), 0);
    for (int i = 0; i < 300; i++) {
        char *response = run("link", "", "");
        char *output = json_member(response, "/stdout");
        if (output)
            assert_string_equal(output, "good\n");
        else
            expect_member(response, "/error/type", "capability");
        output ? ran++ : denied++;
        free(output);
        free(response);
    }
    atomic_store(&swapping, false);
    pthread_join(thread, NULL);
    assert_int_equal(ran + denied, 300);
}

/* --- What runs other programs ----------------------------------------------------------------------------- */

static void directory_grant__runs_neither_shells_nor_what_runs_programs(void **state) {
    (void)state;
    static const char *const names[] = {"sh",   "bash",       "env",  "xargs",   "find", "nice", "timeout",
                                        "sudo", "python3.11", "perl", "busybox", "awk",  "ssh"};
    grant("exec:@/*", NULL);
    expect_run("probe", "", "/stdout", "good\n");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        put_probe(names[i]);
        expect_denied(names[i], "");
        char link[64];
        snprintf(link, sizeof link, "as-%s", names[i]);
        assert_int_equal(symlink(names[i], in_dir(link)), 0);
        expect_denied(link, "");
    }
    grant("exec:@/env", NULL);
    expect_run("env", "", "/stdout", "good\n");
}

static void pinned_arguments__are_the_only_ones(void **state) {
    (void)state;
    const char *const args[] = {"args", "--name=*"};
    char *command = strdup(in_dir("probe"));
    const reglet_exec_pin pin = {"relay", command, args, 2};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.exec_pins = &pin;
    options.exec_pin_count = 1;
    grant_with(&options, "exec:@/probe", NULL);
    expect_run("probe", "'args','--name=x'", "/exit_code", "0");
    expect_run("probe", "'args'", "/error/type", "capability");
    expect_run("probe", "'args','--name=x','-rf'", "/error/type", "capability");
    expect_run("probe", "'args','--other'", "/error/type", "capability");
    free(command);
}

/* --- What the file is ------------------------------------------------------------------------------------- */

static void script__runs_only_if_its_interpreter_may(void **state) {
    (void)state;
    put_file("script", 0755, "#!/bin/sh\necho \"$1\" \"$#\" \"${0##*/}\"\n");
    grant("exec:@/script", NULL);
    expect_denied("script", "run /bin/sh, the interpreter of");
    grant("exec:@/script", "exec:/bin/sh", NULL);
    expect_run("script", "'a','b c'", "/stdout", "a 2 3\n");
    grant("exec:@/script", "exec:/bin/*", NULL);
    expect_denied("script", "run /bin/sh, the interpreter of");
    grant("exec:/bin/sh", NULL);
    expect_denied("script", "");
}

/* The interpreter is judged with the arguments that it would get. */
static void interpreter_with_pinned_arguments__runs_no_other_script(void **state) {
    (void)state;
    put_file("script", 0755, "#!/bin/sh\necho ran\n");
    put_file("other", 0755, "#!/bin/sh\necho ran\n");
    char *script = strdup(in_dir("script"));
    const char *const args[] = {script};
    const reglet_exec_pin pin = {"relay", "/bin/sh", args, 1};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.exec_pins = &pin;
    options.exec_pin_count = 1;
    grant_with(&options, "exec:@/script", "exec:@/other", NULL);
    expect_run("script", "", "/stdout", "ran\n");
    expect_denied("other", "arguments");
    free(script);
}

static void script_of_env__needs_env_and_what_env_would_run(void **state) {
    (void)state;
    put_file("script", 0755, "#!/usr/bin/env sh\necho ran\n");
    grant("exec:@/script", "exec:sh", NULL);
    expect_denied("script", "run /usr/bin/env, the interpreter of");
    grant("exec:@/script", "exec:/usr/bin/env", NULL);
    expect_denied("script", "run sh, the interpreter of");
    grant("exec:@/script", "exec:/usr/bin/env", "exec:sh", NULL);
    expect_run("script", "", "/stdout", "ran\n");
    static const char *const lines[] = {"#!/usr/bin/env -S sh -c id\n", "#!/usr/bin/env A=b sh\n",
                                        "#!/usr/bin/env\n", "#!/usr/bin/env ./sh\n", "#!/usr/bin/env -\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        put_file("script", 0755, lines[i]);
        expect_run("script", "", "/error/code", "ENOEXEC");
    }
}

static void file_that_is_no_program__is_never_given_to_a_shell(void **state) {
    (void)state;
    char line[400], long_line[300];
    memset(long_line, 'x', sizeof long_line - 1);
    long_line[sizeof long_line - 1] = '\0';
    const Elf64_Ehdr foreign = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT}};
    snprintf(line, sizeof line, "#!/bin/sh %s\n", long_line);
    const char *const texts[] = {"echo ran\n", "",         "#",  "#!", "#!\n",   "#! \t \n",
                                 "#!sh\n",     "#!./sh\n", "MZ", line, "\177ELF"};
    grant("exec:**", NULL);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put_file("file", 0755, texts[i]);
        expect_run("file", "", "/error/code", "ENOEXEC");
    }
    FILE *file = fopen(in_dir("file"), "we");
    assert_non_null(file);
    assert_int_equal(fwrite(&foreign, sizeof foreign, 1, file), 1);
    fclose(file);
    expect_run("file", "", "/error/code", "ENOEXEC");
    put_file("inner", 0755, "#!/bin/sh\necho ran\n");
    snprintf(line, sizeof line, "#!%s\n", in_dir("inner"));
    put_file("file", 0755, line);
    expect_run("file", "", "/error/code", "ENOEXEC");
}

static void what_cannot_be_executed__is_refused_and_not_waited_for(void **state) {
    (void)state;
    grant("exec:@/*", NULL);
    put_file("data", 0644, "#!/bin/sh\n");
    assert_int_equal(mkdir(in_dir("dir"), 0755), 0);
    assert_int_equal(mkfifo(in_dir("fifo"), 0755), 0);
    expect_run("data", "", "/error/code", "EACCES");
    expect_run("dir", "", "/error/code", "EACCES");
    expect_run("fifo", "", "/error/code", "EACCES");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, exec_set_up, exec_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(grant_of_a_path__runs_that_file),
        TEST(no_grant__is_denied_with_the_one_that_would_allow_it),
        TEST(relative_path__is_denied_whatever_is_granted),
        TEST(denial__is_the_same_whether_the_file_exists_or_not),
        TEST(missing_program__is_told_to_who_could_run_it),
        TEST(dotdot__tells_nothing_about_what_it_leads_through),
        TEST(link_to_another_program__is_not_what_was_granted),
        TEST(link_to_a_granted_program__is_another_command),
        TEST(granted_link__runs_what_it_led_to_when_the_runtime_was_made),
        TEST(magic_links__are_no_names_of_programs),
        TEST(bare_name__is_found_on_the_path_of_the_runtime),
        TEST(path_entries__that_are_no_absolute_directories_are_skipped),
        TEST(path_search__passes_over_what_cannot_be_executed),
        TEST(program_that_the_plugin_may_write__is_denied),
        TEST(program_swapped_between_check_and_run__never_runs_the_other),
        TEST(directory_grant__runs_neither_shells_nor_what_runs_programs),
        TEST(pinned_arguments__are_the_only_ones),
        TEST(script__runs_only_if_its_interpreter_may),
        TEST(interpreter_with_pinned_arguments__runs_no_other_script),
        TEST(script_of_env__needs_env_and_what_env_would_run),
        TEST(file_that_is_no_program__is_never_given_to_a_shell),
        TEST(what_cannot_be_executed__is_refused_and_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
