#include <stdlib.h>
#include <string.h>

#include "tests/unit/policy_fixture.h"

/* --- policies --- */

/* A grant of a path that was a link when the runtime was made. */
static struct reglet__policy *resolved(const char *text, const char *place, const char *file) {
    struct reglet__policy *policy = policy_new();
    struct reglet__capability *capability = parse(text);
    assert_int_equal(reglet__capability_exec_resolve(capability, place, file), REGLET_OK);
    assert_int_equal(reglet__policy_grant(policy, capability), REGLET_OK);
    return policy;
}

/* --- asking --- */

static struct reglet__decision decide(const struct reglet__policy *policy, const char *asked,
                                      const char *place, const char *file) {
    struct reglet__command_request request = {.asked = asked, .place = place, .file = file};
    return reglet__policy_exec(policy, &request);
}

static void assert_decision(int line, struct reglet__decision decision, const char *asked, bool expected) {
    if (decision.allowed != expected)
        fail_msg("line %d: %s: expected %s, got %s (%s)", line, asked, expected ? "allowed" : "denied",
                 decision.allowed ? "allowed" : "denied", decision.allowed ? decision.rule : decision.reason);
    if (decision.allowed ? !decision.rule || decision.reason : decision.rule || !decision.reason)
        fail_msg("line %d: %s: a decision has a rule when allowed, else a reason", line, asked);
}
#define assert_command(policy, asked, place, file, expected)                                                 \
    assert_decision(__LINE__, decide(policy, asked, place, file), asked, expected)
/* A program that no link leads to. */
#define assert_plain(policy, path, expected) assert_command(policy, path, path, path, expected)
#define assert_spelling(policy, asked, expected)                                                             \
    assert_decision(__LINE__, reglet__policy_exec_spelling(policy, asked), asked, expected)

/* --- who is covered --- */

static void exec__without_a_grant_nothing_runs(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    assert_false(reglet__policy_has(policy, REGLET__KIND_EXEC));
    assert_plain(policy, "/usr/bin/git", false);
    assert_spelling(policy, "/usr/bin/git", false);
    assert_spelling(policy, "git", false);
    assert_string_equal(decide(policy, "/bin/ls", "/bin/ls", "/bin/ls").reason, "no grant covers it");
    reglet__policy_free(policy);
}

static void path_grant__is_that_file_by_any_spelling_of_its_place(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("exec:/usr/bin/git");
    assert_plain(policy, "/usr/bin/git", true);
    assert_command(policy, "/usr/bin/../bin/git", "/usr/bin/git", "/usr/bin/git", true);
    assert_command(policy, "//usr/./bin//git", "/usr/bin/git", "/usr/bin/git", true);
    assert_string_equal(decide(policy, "/usr/bin/git", "/usr/bin/git", "/usr/bin/git").rule,
                        "exec:/usr/bin/git");
    assert_plain(policy, "/usr/bin/gitk", false);
    assert_plain(policy, "/usr/bin/git/x", false);
    reglet__policy_free(policy);
}

static void path_grant__is_not_its_bare_name(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("exec:/usr/bin/git");
    assert_spelling(policy, "git", false);
    assert_command(policy, "git", "/usr/bin/git", "/usr/bin/git", false);
    reglet__policy_free(policy);
}

static void path_grant__a_link_from_elsewhere_to_the_file_is_denied(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("exec:/usr/bin/git");
    assert_spelling(policy, "/tmp/git", true); /* its directory may turn out to be /usr/bin */
    assert_command(policy, "/tmp/git", "/tmp/git", "/usr/bin/git", false);
    reglet__policy_free(policy);
}

static void path_grant__of_a_link_is_what_it_led_to_at_the_start(void **state) {
    (void)state;
    struct reglet__policy *policy = resolved("exec:/usr/bin/pager", "/usr/bin/pager", "/opt/page/page");
    assert_command(policy, "/usr/bin/pager", "/usr/bin/pager", "/opt/page/page", true);
    assert_command(policy, "/usr/bin/pager", "/usr/bin/pager", "/tmp/evil", false);
    assert_command(policy, "/usr/bin/pager", "/usr/bin/pager", "/usr/bin/pager", false);
    assert_plain(policy, "/opt/page/page", false);
    reglet__policy_free(policy);
}

static void path_grant__below_a_linked_directory_is_its_real_place(void **state) {
    (void)state;
    struct reglet__policy *policy = resolved("exec:/bin/git", "/usr/bin/git", "/usr/bin/git");
    assert_command(policy, "/bin/git", "/usr/bin/git", "/usr/bin/git", true);
    assert_plain(policy, "/usr/bin/git", true);
    assert_plain(policy, "/bin/git", false);
    reglet__policy_free(policy);
}

static void directory_grant__is_what_lies_directly_in_it(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("exec:/bin/*");
    assert_plain(policy, "/bin/ls", true);
    assert_plain(policy, "/bin/x/y", false);
    assert_plain(policy, "/bin", false);
    assert_plain(policy, "/sbin/ls", false);
    assert_plain(policy, "/bin2/ls", false);
    assert_command(policy, "ls", "/bin/ls", "/bin/ls", false);         /* by its name it was not granted */
    assert_command(policy, "/bin/ls", "/bin/ls", "/opt/ls/ls", false); /* a link out of it */
    assert_command(policy, "/opt/ls", "/opt/ls", "/bin/ls", false);    /* a link into it */
    reglet__policy_free(policy);
}

static void directory_grant__of_the_root_is_no_more_than_its_files(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("exec:/*");
    assert_plain(policy, "/init-me", true);
    assert_plain(policy, "/bin/ls", false);
    reglet__policy_free(policy);
}

static void directory_grant__of_a_link_is_the_real_directory(void **state) {
    (void)state;
    struct reglet__policy *policy = resolved("exec:/bin/*", "/usr/bin", "/usr/bin");
    assert_command(policy, "/bin/ls", "/usr/bin/ls", "/usr/bin/ls", true);
    assert_plain(policy, "/bin/ls", false);
    reglet__policy_free(policy);
}

static void name_grant__is_that_name_and_no_path(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("exec:git");
    assert_spelling(policy, "git", true);
    assert_command(policy, "git", "/usr/bin/git", "/usr/bin/git", true);
    assert_spelling(policy, "/usr/bin/git", false);
    assert_plain(policy, "/usr/bin/git", false);
    assert_spelling(policy, "gitk", false);
    assert_spelling(policy, "gi", false);
    assert_spelling(policy, "./git", false);
    reglet__policy_free(policy);
}

static void everything_grant__is_everything(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("exec:**");
    assert_spelling(policy, "sh", true);
    assert_plain(policy, "/bin/sh", true);
    assert_command(policy, "env", "/usr/bin/env", "/usr/bin/env", true);
    assert_command(policy, "/tmp/git", "/tmp/git", "/usr/bin/git", true);
    reglet__policy_free(policy);
}

static void spelling__that_is_no_command_is_denied_for_good(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("exec:**");
    static const char *const none[] = {"",  "./git", "../git", "a/b",     "git/",  ".",           "..",
                                       "/", "/bin/", "/bin/.", "/bin/..", "gi\nt", "/bin/\x1bls", "git\x7f"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        struct reglet__decision decision = reglet__policy_exec_spelling(policy, none[i]);
        assert_decision(__LINE__, decision, none[i], false);
        assert_true(decision.for_good);
        assert_command(policy, none[i], "/bin/ls", "/bin/ls", false);
    }
    char *endless = malloc(100001);
    memset(endless, 'a', 100000);
    endless[100000] = '\0';
    assert_spelling(policy, endless, false);
    free(endless);
    reglet__policy_free(policy);
}

static void spelling__is_denied_before_looking_where_no_rule_could_allow_it(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("exec:/usr/bin/git");
    assert_spelling(policy, "/usr/bin/git", true);
    assert_spelling(policy, "/usr/bin/../bin/git", true);
    assert_spelling(policy, "/etc/shadow", false);
    reglet__policy_free(policy);
    policy = granted("exec:/opt/tools/*");
    assert_spelling(policy, "/opt/tools/x", true);
    assert_spelling(policy, "/link/to/tools/x", true);
    assert_spelling(policy, "/opt/tools/sh", false);
    assert_spelling(policy, "x", false);
    reglet__policy_free(policy);
}

/* --- programs that run programs --- */

static void known_programs__of_each_group_in_each_version(void **state) {
    (void)state;
    static const char *const known[] = {
        "sh",
        "bash",
        "dash",
        "zsh",
        "ksh",
        "mksh",
        "fish",
        "csh",
        "tcsh",
        "rbash",
        "bash5",
        "bash-static",
        "ksh93",
        "-sh",
        "busybox",
        "toybox",
        "busybox.nosuid",
        "python",
        "python3",
        "python3.11",
        "python3.11-config",
        "python3.11-dbg",
        "pypy3",
        "perl",
        "perl5.36.0",
        "perl5.36-x86_64-linux-gnu",
        "ruby3.1",
        "node",
        "node-18",
        "nodejs",
        "deno",
        "bun",
        "php",
        "php8.2",
        "lua5.4",
        "luajit",
        "tclsh8.6",
        "wish",
        "expect",
        "awk",
        "gawk",
        "mawk",
        "nawk",
        "original-awk",
        "java",
        "R",
        "Rscript",
        "julia",
        "octave-cli",
        "ghc",
        "runghc",
        "guile-3.0",
        "racket",
        "sbcl",
        "clisp",
        "erl",
        "escript",
        "elixir",
        "pwsh",
        "osascript",
        "mono",
        "dotnet",
        "m4",
        "env",
        "xargs",
        "find",
        "nice",
        "ionice",
        "chrt",
        "timeout",
        "sudo",
        "su",
        "doas",
        "pkexec",
        "runuser",
        "setpriv",
        "capsh",
        "setsid",
        "nohup",
        "stdbuf",
        "time",
        "watch",
        "parallel",
        "script",
        "unshare",
        "nsenter",
        "chroot",
        "bwrap",
        "firejail",
        "docker",
        "docker-compose",
        "podman",
        "systemd-run",
        "at",
        "crontab",
        "tmux",
        "screen",
        "flock",
        "taskset",
        "numactl",
        "run-parts",
        "start-stop-daemon",
        "faketime",
        "fakeroot",
        "qemu-x86_64-static",
        "wine64",
        "linux32",
        "ld.so",
        "ld-linux.so.2",
        "ld-linux-x86-64.so.2",
        "ld-linux-aarch64.so.1",
        "ld-musl-x86_64.so.1",
        "ld-2.36.so",
        "ld64.so.2",
        "ldd",
        "strace",
        "ltrace",
        "gdb",
        "gdb-multiarch",
        "valgrind",
        "ed",
        "ex",
        "vi",
        "vim",
        "vim.basic",
        "nvim",
        "emacs-28.2",
        "sed",
        "make",
        "gmake",
        "gcc",
        "gcc-12",
        "x86_64-linux-gnu-gcc-12",
        "clang-14",
        "g++",
        "c++",
        "cargo",
        "npm",
        "go",
        "ssh",
        "ssh-keygen",
        "scp",
        "sftp",
        "rsync",
        "socat",
        "nc.openbsd",
        "curl",
        "kubectl",
        "git",
        "git-lfs",
        "tar",
        "zip",
        "less",
        "more",
        "man",
        "openssl",
        "busctl",
        "sqlite3",
        "psql",
        "apt-get",
        "agetty",
        "lli-14",
        "luit",
        "lxc-attach",
        "systemd-socket-activate",
        "msgexec",
        "dbus-send",
        "gdbus",
        "troff",
        "exim4",
        "javac",
        "insmod",
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!reglet__runs_programs(known[i]))
            fail_msg("%s runs programs", known[i]);
    }
}

static void known_programs__what_only_starts_like_one_is_none(void **state) {
    (void)state;
    static const char *const plain[] = {
        "ls",   "cat",    "df",      "shred",       "sha256sum", "envsubst", "gzip",   "lsblk",
        "ps",   "uname",  "id",      "timedatectl", "nodeinfo",  "findmnt",  "sshd_x", "node_exporter",
        "ping", "uptime", "makedev", "editcap",     "Sh"};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (reglet__runs_programs(plain[i]))
            fail_msg("%s is not known for running programs", plain[i]);
    }
}

static void known_programs__a_name_that_no_file_has_is_taken_for_one(void **state) {
    (void)state;
    char name[1001];
    memset(name, 'x', 1000);
    name[1000] = '\0';
    assert_true(reglet__runs_programs(name));
}

static void directory_grant__runs_no_program_that_runs_programs(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("exec:/bin/*");
    assert_plain(policy, "/bin/sh", false);
    assert_plain(policy, "/bin/env", false);
    assert_plain(policy, "/bin/python3.11", false);
    assert_command(policy, "/bin/report", "/bin/report", "/bin/bash", false); /* a shell behind a link */
    assert_command(policy, "/bin/awk", "/bin/awk", "/bin/interpret", false);  /* a link named as one */
    assert_command(policy, "/x/../bin/ls", "/bin/ls", "/bin/busybox", false);
    assert_string_equal(
        decide(policy, "/bin/sh", "/bin/sh", "/bin/sh").reason,
        "it can run other programs, and so only a grant of exactly this command covers it, not one of "
        "its directory");
    reglet__policy_free(policy);
}

static void exact_grant__runs_a_shell_by_that_spelling_alone(void **state) {
    (void)state;
    struct reglet__policy *policy = resolved("exec:/bin/sh", "/usr/bin/sh", "/usr/bin/dash");
    assert_command(policy, "/bin/sh", "/usr/bin/sh", "/usr/bin/dash", true);
    assert_command(policy, "sh", "/usr/bin/sh", "/usr/bin/dash", false);
    assert_plain(policy, "/usr/bin/dash", false);
    reglet__policy_free(policy);
    policy = granted("exec:sh");
    assert_command(policy, "sh", "/usr/bin/sh", "/usr/bin/dash", true);
    assert_plain(policy, "/bin/sh", false);
    reglet__policy_free(policy);
}

/* --- programs that the plugin may write --- */

static void writable_program__is_not_run_by_a_grant_of_it(void **state) {
    (void)state;
    static const char *const grants[] = {"exec:/d/tool", "exec:/d/*", "exec:tool"};
    for (size_t i = 0; i < 3; i++) {
        struct reglet__policy *policy = granted(grants[i]);
        const char *asked = i == 2 ? "tool" : "/d/tool";
        assert_command(policy, asked, "/d/tool", "/d/tool", true);
        add(policy, GRANT, "fs:write:/d/**");
        assert_command(policy, asked, "/d/tool", "/d/tool", false);
        struct reglet__decision decision = decide(policy, asked, "/d/tool", "/d/tool");
        assert_string_equal(decision.reason,
                            "the plugin may write this program itself, and so only exec:** lets it run it");
        assert_true(decision.for_good);
        reglet__policy_free(policy);
    }
}

static void writable_program__is_one_whose_link_can_be_replaced(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("exec:tool");
    add(policy, GRANT, "fs:write:/d/*");
    assert_command(policy, "tool", "/d/tool", "/usr/lib/tool", false);
    assert_command(policy, "tool", "/usr/lib/tool", "/d/tool", false);
    assert_command(policy, "tool", "/usr/lib/tool", "/usr/lib/tool", true);
    reglet__policy_free(policy);
}

static void writable_program__runs_where_everything_does(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("exec:/d/tool");
    add(policy, GRANT, "fs:write:/d/**");
    add(policy, GRANT, "exec:**");
    assert_plain(policy, "/d/tool", true);
    assert_string_equal(decide(policy, "/d/tool", "/d/tool", "/d/tool").rule, "exec:**");
    reglet__policy_free(policy);
}

/* --- declarations --- */

static void shared_grant__needs_a_declaration_of_that_command(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    add(policy, SHARE, "exec:/opt/tools/*");
    add(policy, DECLARE, "exec:/opt/tools/a");
    assert_spelling(policy, "/opt/tools/a", true);
    assert_spelling(policy, "/opt/tools/b", false);
    assert_plain(policy, "/opt/tools/a", true);
    assert_plain(policy, "/opt/tools/b", false);
    reglet__policy_free(policy);
}

static void strict__needs_a_declaration_for_every_grant(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("exec:/usr/bin/df");
    reglet__policy_set_strict(policy, true);
    assert_plain(policy, "/usr/bin/df", false);
    assert_spelling(policy, "/usr/bin/df", false);
    add(policy, DECLARE, "exec:/usr/bin/df");
    assert_plain(policy, "/usr/bin/df", true);
    assert_spelling(policy, "/usr/bin/df", true);
    reglet__policy_free(policy);
}

/* --- suggestions --- */

static void assert_suggested(int line, const char *asked, const char *place, const char *expected) {
    struct reglet__command_request request = {.asked = asked, .place = place, .file = place};
    char *text = reglet__policy_exec_suggest(&request);
    if (!text != !expected || (text && expected && strcmp(text, expected) != 0))
        fail_msg("line %d: %s: expected %s, got %s", line, asked, expected ? expected : "none",
                 text ? text : "none");
    free(text);
}

static void suggestion__is_the_grant_of_that_command(void **state) {
    (void)state;
    assert_suggested(__LINE__, "git", "/usr/bin/git", "exec:git");
    assert_suggested(__LINE__, "git", NULL, "exec:git");
    assert_suggested(__LINE__, "/bin/git", "/usr/bin/git", "exec:/usr/bin/git");
    assert_suggested(__LINE__, "/usr/bin/git", NULL, "exec:/usr/bin/git");
    assert_suggested(__LINE__, "//usr/./lib/../bin//git", NULL, "exec:/usr/bin/git");
    assert_suggested(__LINE__, "/../../git", NULL, "exec:/git");
}

static void suggestion__is_none_where_no_grant_would_help(void **state) {
    (void)state;
    assert_suggested(__LINE__, "./git", NULL, NULL);
    assert_suggested(__LINE__, "", NULL, NULL);
    assert_suggested(__LINE__, "*", NULL, NULL);
    assert_suggested(__LINE__, "**", NULL, NULL);
    assert_suggested(__LINE__, "/bin/*", NULL, NULL);
    assert_suggested(__LINE__, "/bin/a\nexec:**", NULL, NULL);
    assert_suggested(__LINE__, "two words", NULL, NULL);
    assert_suggested(__LINE__, "/bin/\xff", NULL, NULL);
}

static void suggestion__allows_what_it_was_made_for(void **state) {
    (void)state;
    static const char *const asked[] = {"git", "/usr/bin/git", "/opt/a b/c,d"};
    for (size_t i = 0; i < 3; i++) {
        struct reglet__command_request request = {.asked = asked[i], .place = asked[i], .file = asked[i]};
        char *text = reglet__policy_exec_suggest(&request);
        struct reglet__policy *policy = granted(text);
        assert_plain(policy, asked[i], true);
        reglet__policy_free(policy);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exec__without_a_grant_nothing_runs),
        cmocka_unit_test(path_grant__is_that_file_by_any_spelling_of_its_place),
        cmocka_unit_test(path_grant__is_not_its_bare_name),
        cmocka_unit_test(path_grant__a_link_from_elsewhere_to_the_file_is_denied),
        cmocka_unit_test(path_grant__of_a_link_is_what_it_led_to_at_the_start),
        cmocka_unit_test(path_grant__below_a_linked_directory_is_its_real_place),
        cmocka_unit_test(directory_grant__is_what_lies_directly_in_it),
        cmocka_unit_test(directory_grant__of_the_root_is_no_more_than_its_files),
        cmocka_unit_test(directory_grant__of_a_link_is_the_real_directory),
        cmocka_unit_test(name_grant__is_that_name_and_no_path),
        cmocka_unit_test(everything_grant__is_everything),
        cmocka_unit_test(spelling__that_is_no_command_is_denied_for_good),
        cmocka_unit_test(spelling__is_denied_before_looking_where_no_rule_could_allow_it),
        cmocka_unit_test(known_programs__of_each_group_in_each_version),
        cmocka_unit_test(known_programs__what_only_starts_like_one_is_none),
        cmocka_unit_test(known_programs__a_name_that_no_file_has_is_taken_for_one),
        cmocka_unit_test(directory_grant__runs_no_program_that_runs_programs),
        cmocka_unit_test(exact_grant__runs_a_shell_by_that_spelling_alone),
        cmocka_unit_test(writable_program__is_not_run_by_a_grant_of_it),
        cmocka_unit_test(writable_program__is_one_whose_link_can_be_replaced),
        cmocka_unit_test(writable_program__runs_where_everything_does),
        cmocka_unit_test(shared_grant__needs_a_declaration_of_that_command),
        cmocka_unit_test(strict__needs_a_declaration_for_every_grant),
        cmocka_unit_test(suggestion__is_the_grant_of_that_command),
        cmocka_unit_test(suggestion__is_none_where_no_grant_would_help),
        cmocka_unit_test(suggestion__allows_what_it_was_made_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
