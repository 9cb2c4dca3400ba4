/* What a file is, what its first line means, and which variables a command may have. */
#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/exec_environment.h"
#include "host/exec_script.h"

/* --- Kinds ------------------------------------------------------------------------------------------------ */

static void kind__of_this_program_is_program(void **state) {
    (void)state;
    char head[REGLET__EXEC_HEAD];
    FILE *self = fopen("/proc/self/exe", "re");
    assert_non_null(self);
    assert_int_equal(fread(head, 1, sizeof head, self), sizeof head);
    fclose(self);
    assert_int_equal(reglet__exec_kind(head, sizeof head), REGLET__EXEC_PROGRAM);
    static const size_t offsets[] = {EI_CLASS, EI_DATA, offsetof(Elf64_Ehdr, e_type),
                                     offsetof(Elf64_Ehdr, e_machine)};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        char changed[REGLET__EXEC_HEAD];
        memcpy(changed, head, sizeof head);
        changed[offsets[i]] = 0x55;
        assert_int_equal(reglet__exec_kind(changed, sizeof changed), REGLET__EXEC_FOREIGN);
    }
    for (size_t size = 4; size < sizeof(Elf64_Ehdr); size++)
        assert_int_equal(reglet__exec_kind(head, size), REGLET__EXEC_FOREIGN);
    for (size_t size = 0; size < 4; size++)
        assert_int_equal(reglet__exec_kind(head, size), REGLET__EXEC_OTHER);
}

static void kind__of_text_is_told_by_its_first_two_bytes(void **state) {
    (void)state;
    assert_int_equal(reglet__exec_kind("#!", 2), REGLET__EXEC_SCRIPT);
    assert_int_equal(reglet__exec_kind("#!/bin/sh\n", 10), REGLET__EXEC_SCRIPT);
    assert_int_equal(reglet__exec_kind("#", 1), REGLET__EXEC_OTHER);
    assert_int_equal(reglet__exec_kind(" #!/bin/sh", 10), REGLET__EXEC_OTHER);
    assert_int_equal(reglet__exec_kind("echo\n", 5), REGLET__EXEC_OTHER);
    assert_int_equal(reglet__exec_kind("", 0), REGLET__EXEC_OTHER);
}

/* --- First lines ------------------------------------------------------------------------------------------ */

/* From memory of exactly that size, for the sanitizers. */
static const char *parse(const char *text, size_t size, struct reglet__exec_script *out) {
    char *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, text, size);
    const char *wrong = reglet__exec_script_parse(copy, size, out);
    free(copy);
    return wrong;
}

static void expect_line(const char *text, const char *interpreter, const char *argument) {
    struct reglet__exec_script script;
    const char *wrong = parse(text, strlen(text), &script);
    if (wrong)
        fail_msg("%s: %s", text, wrong);
    assert_string_equal(script.interpreter, interpreter);
    if (!argument)
        assert_null(script.argument);
    else
        assert_string_equal(script.argument, argument);
}

static void expect_wrong(const char *text, size_t size, const char *part) {
    struct reglet__exec_script script;
    const char *wrong = parse(text, size, &script);
    assert_non_null(wrong);
    assert_non_null(strstr(wrong, part));
}

static void script__line_is_split_as_the_kernel_splits_it(void **state) {
    (void)state;
    expect_line("#!/bin/sh", "/bin/sh", NULL);
    expect_line("#!/bin/sh\n", "/bin/sh", NULL);
    expect_line("#! \t/bin/sh \t\nrest -x", "/bin/sh", NULL);
    expect_line("#!/bin/sh -e", "/bin/sh", "-e");
    expect_line("#!/usr/bin/env -S a b\tc  \n", "/usr/bin/env", "-S a b\tc");
    expect_line("#!/bin/sh\r\n", "/bin/sh\r", NULL);
    expect_line("#!/bin/sh  #!\n", "/bin/sh", "#!");
}

static void script__without_an_absolute_interpreter_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"#!",     "#!\n",          "#! \t \n",    "#!sh\n",
                                        "#!./sh", "#!\n/bin/sh\n", "#! #!/bin/sh"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_wrong(texts[i], strlen(texts[i]), "absolute");
}

static void script__line_with_a_nul_is_refused(void **state) {
    (void)state;
    expect_wrong("#!/bin/sh\0-x\n", 13, "NUL");
    expect_wrong("#!\0", 3, "NUL");
}

/* The kernel would cut it, and run the interpreter with half an argument. */
static void script__line_that_is_too_long_is_refused(void **state) {
    (void)state;
    char text[REGLET__EXEC_HEAD];
    memset(text, 'x', sizeof text);
    memcpy(text, "#!/bin/sh ", 10);
    expect_wrong(text, sizeof text, "longer than 255 bytes");
    struct reglet__exec_script script;
    text[sizeof text - 1] = '\n';
    assert_null(parse(text, sizeof text, &script));
    assert_int_equal(strlen(script.argument), sizeof text - 11);
    assert_null(parse(text, sizeof text - 1, &script));
}

/* --- Variables -------------------------------------------------------------------------------------------- */

static void table__is_sorted_and_no_entry_covers_another(void **state) {
    (void)state;
    size_t count;
    const char *const *names = reglet__exec_dangerous(&count);
    assert_true(count > 100);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i - 1], names[i]) >= 0)
            fail_msg("%s stands before %s", names[i - 1], names[i]);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            size_t size = strlen(names[i]) - 1;
            if (i != j && names[i][size] == '*' && strncmp(names[i], names[j], size) == 0)
                fail_msg("%s covers %s", names[i], names[j]);
        }
}

static bool is_dangerous(const char *name) {
    return reglet__exec_is_dangerous(name, strlen(name));
}

static void variables__that_change_what_runs_are_dangerous(void **state) {
    (void)state;
    static const char *const names[] = {"LD_PRELOAD",
                                        "LD_",
                                        "LD_LIBRARY_PATH",
                                        "LD_AUDIT",
                                        "GLIBC_TUNABLES",
                                        "MALLOC_CHECK_",
                                        "GCONV_PATH",
                                        "BASH_ENV",
                                        "BASH_FUNC_ls%%",
                                        "ENV",
                                        "IFS",
                                        "PATH",
                                        "SHELLOPTS",
                                        "PS4",
                                        "GIT_SSH_COMMAND",
                                        "GIT_DIR",
                                        "PYTHONPATH",
                                        "PYTHONSTARTUP",
                                        "NODE_OPTIONS",
                                        "PERL5OPT",
                                        "RUBYOPT",
                                        "JAVA_TOOL_OPTIONS",
                                        "_JAVA_OPTIONS",
                                        "EDITOR",
                                        "PAGER",
                                        "LESSOPEN",
                                        "SSH_ASKPASS",
                                        "HOSTALIASES",
                                        "RES_OPTIONS",
                                        "LOCALDOMAIN",
                                        "HTTP_PROXY",
                                        "http_proxy",
                                        "Https_Proxy",
                                        "SSLKEYLOGFILE",
                                        "OPENSSL_CONF",
                                        "DBUS_SESSION_BUS_ADDRESS",
                                        "HOME",
                                        "XDG_CONFIG_HOME",
                                        "KUBECONFIG",
                                        "MAKEFLAGS",
                                        "RUSTC_WRAPPER",
                                        "GOFLAGS",
                                        "TAR_OPTIONS",
                                        "TERMINFO",
                                        "LOCPATH",
                                        "NLSPATH",
                                        "ld_preload",
                                        "ASAN_OPTIONS",
                                        "TMPDIR",
                                        "LANGUAGE",
                                        "XTABLES_LIBDIR",
                                        "TC_LIB_DIR",
                                        "MTR_PACKET",
                                        "NMAPDIR",
                                        "ZIP",
                                        "CLOUDSDK_PYTHON",
                                        "MODPROBE_OPTIONS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!is_dangerous(names[i]))
            fail_msg("%s is let through", names[i]);
}

static void variables__that_merely_begin_alike_are_not(void **state) {
    (void)state;
    static const char *const names[] = {"LANG",    "LC_ALL", "TZ",         "TERM",        "USER",
                                        "LC_TIME", "PATHS",  "MYPATH",     "ENVIRONMENT", "PGPASSWORD",
                                        "A",       "CCX",    "XLD_PRELOAD"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_dangerous(names[i]))
            fail_msg("%s is dropped", names[i]);
}

static void note(void *dropped, const char *name, size_t size) {
    strncat(dropped, name, size);
    strcat(dropped, " ");
}

static void filter__keeps_each_name_once_with_its_last_value(void **state) {
    (void)state;
    char dropped[100] = "";
    const char *variables[] = {"A=1", "LD_PRELOAD=x", "AB=2", "A=", "PATH=/", "A=3=4", NULL};
    assert_int_equal(reglet__exec_filter(variables, 6, note, dropped), 2);
    assert_string_equal(variables[0], "AB=2");
    assert_string_equal(variables[1], "A=3=4");
    assert_null(variables[2]);
    assert_string_equal(dropped, "LD_PRELOAD PATH ");
}

static void name_size__is_zero_without_a_name(void **state) {
    (void)state;
    assert_int_equal(reglet__exec_name_size("A=1"), 1);
    assert_int_equal(reglet__exec_name_size("ABC="), 3);
    assert_int_equal(reglet__exec_name_size("=x"), 0);
    assert_int_equal(reglet__exec_name_size("A"), 0);
    assert_int_equal(reglet__exec_name_size(""), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kind__of_this_program_is_program),
        cmocka_unit_test(kind__of_text_is_told_by_its_first_two_bytes),
        cmocka_unit_test(script__line_is_split_as_the_kernel_splits_it),
        cmocka_unit_test(script__without_an_absolute_interpreter_is_refused),
        cmocka_unit_test(script__line_with_a_nul_is_refused),
        cmocka_unit_test(script__line_that_is_too_long_is_refused),
        cmocka_unit_test(table__is_sorted_and_no_entry_covers_another),
        cmocka_unit_test(variables__that_change_what_runs_are_dangerous),
        cmocka_unit_test(variables__that_merely_begin_alike_are_not),
        cmocka_unit_test(filter__keeps_each_name_once_with_its_last_value),
        cmocka_unit_test(name_size__is_zero_without_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
