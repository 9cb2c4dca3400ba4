#define _GNU_SOURCE
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/policy_fixture.h"
#include "util/limits.h"

/* --- making policies --- */

/* One granted fs capability whose literal part was resolved to something else, through links. */
static struct reglet__policy *resolved(const char *text, const char *literal, const char *const *links,
                                       size_t link_count) {
    struct reglet__policy *policy = policy_new();
    struct reglet__capability *capability = NULL;
    assert_int_equal(reglet__capability_parse(text, &capability, NULL), REGLET_OK);
    assert_int_equal(reglet__capability_fs_resolve(capability, literal, links, link_count), REGLET_OK);
    assert_int_equal(reglet__policy_grant(policy, capability), REGLET_OK);
    return policy;
}

/* --- asking --- */

static const enum reglet__fs_access R = REGLET__FS_READ, W = REGLET__FS_WRITE, L = REGLET__FS_LOOK;

enum answer { DENY, ALLOW, WAY };

static void assert_answer(int line, const struct reglet__policy *policy, enum reglet__fs_access access,
                          const char *path, bool is_symlink, enum answer expected) {
    static const char *const accesses[] = {
        [REGLET__FS_READ] = "read", [REGLET__FS_WRITE] = "write", [REGLET__FS_LOOK] = "look at"};
    static const char *const answers[] = {"denied", "allowed", "allowed as a way"};
    struct reglet__decision decision = reglet__policy_fs(policy, access, path, is_symlink);
    enum answer got = !decision.allowed ? DENY : decision.way ? WAY : ALLOW;
    if (got != expected)
        fail_msg("line %d: %s %s%s: expected %s, got %s (%s)", line, accesses[access],
                 is_symlink ? "link " : "", path, answers[expected], answers[got],
                 decision.allowed ? decision.rule : decision.reason);
    if (decision.allowed ? !decision.rule || decision.reason : decision.rule || !decision.reason)
        fail_msg("line %d: %s: a decision has a rule when allowed, else a reason", line, path);
}
#define assert_fs(policy, access, path, expected)                                                            \
    assert_answer(__LINE__, policy, access, path, false, expected)
#define assert_link(policy, access, path, expected)                                                          \
    assert_answer(__LINE__, policy, access, path, true, expected)

/* Whether a list would have it, as a link or as anything else. */
static bool shows(const struct reglet__policy *policy, const char *path) {
    return reglet__policy_fs(policy, REGLET__FS_LOOK, path, false).allowed ||
           reglet__policy_fs(policy, REGLET__FS_LOOK, path, true).allowed;
}

static void assert_reason(const struct reglet__decision decision, const char *words) {
    assert_false(decision.allowed);
    if (!strstr(decision.reason, words))
        fail_msg("expected \"%s\" in the reason, got \"%s\"", words, decision.reason);
}

/* --- files: the vectors --- */

static void fs__nothing_is_granted_by_default(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    assert_false(reglet__policy_has(policy, REGLET__KIND_FS));
    assert_fs(policy, R, "/etc/hosts", DENY);
    assert_fs(policy, L, "/", DENY);
    assert_fs(policy, L, "/dev/null", DENY);
    assert_false(shows(policy, "/etc"));
    reglet__policy_free(policy);
}

static void fs__a_plain_path_is_that_file_alone(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:/etc/hosts");
    assert_fs(policy, R, "/etc/hosts", ALLOW);
    assert_fs(policy, L, "/etc/hosts", ALLOW);
    assert_fs(policy, R, "/etc/shadow", DENY);
    assert_fs(policy, R, "/etc/host", DENY);
    assert_fs(policy, R, "/etc/hosts2", DENY);
    assert_fs(policy, R, "/etc/Hosts", DENY);
    assert_fs(policy, R, "/etc", DENY);
    assert_fs(policy, R, "/etc/hosts/x", DENY);
    assert_fs(policy, R, "/x/etc/hosts", DENY);
    assert_fs(policy, W, "/etc/hosts", DENY);
    assert_fs(policy, L, "/etc/shadow", DENY);
    reglet__policy_free(policy);
}

static void fs__above_a_grant_only_what_leads_to_it_is_shown(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:/etc/hosts");
    assert_fs(policy, L, "/", WAY);
    assert_fs(policy, L, "/etc", WAY);
    assert_fs(policy, R, "/", DENY);
    assert_fs(policy, W, "/etc", DENY);
    assert_true(shows(policy, "/etc"));
    assert_false(shows(policy, "/et"));
    assert_false(shows(policy, "/usr"));
    assert_true(shows(policy, "/etc/hosts"));
    assert_false(shows(policy, "/etc/shadow"));
    reglet__policy_free(policy);
}

static void fs__a_directory_alone_can_be_listed_but_shows_nothing(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:/d");
    assert_fs(policy, L, "/d", ALLOW);
    assert_fs(policy, L, "/d/a", DENY);
    assert_false(shows(policy, "/d/a"));
    add(policy, GRANT, "fs:read:/d/a");
    assert_true(shows(policy, "/d/a"));
    assert_false(shows(policy, "/d/b"));
    reglet__policy_free(policy);
}

static void fs__a_star_is_the_children(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:/d/*");
    assert_fs(policy, R, "/d/a", ALLOW);
    assert_fs(policy, R, "/d/a/b", DENY);
    assert_fs(policy, R, "/d/.h", ALLOW);
    assert_fs(policy, R, "/d", DENY);
    assert_fs(policy, L, "/d", WAY);
    assert_fs(policy, L, "/d/a/b", DENY);
    assert_fs(policy, R, "/da", DENY);
    assert_true(shows(policy, "/d/.h"));
    reglet__policy_free(policy);
}

static void fs__two_stars_are_the_directory_and_all_below(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:/d/**");
    assert_fs(policy, R, "/d", ALLOW);
    assert_fs(policy, R, "/d/a", ALLOW);
    assert_fs(policy, R, "/d/.a/b/c", ALLOW);
    assert_fs(policy, R, "/dd", DENY);
    assert_fs(policy, R, "/", DENY);
    assert_fs(policy, L, "/", WAY);
    assert_fs(policy, W, "/d/a", DENY);
    reglet__policy_free(policy);
}

static void fs__wildcards_in_the_middle_show_the_way(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:/home/*/.ssh/*.pub");
    assert_fs(policy, R, "/home/a/.ssh/id.pub", ALLOW);
    assert_fs(policy, R, "/home/a/.ssh/id", DENY);
    assert_fs(policy, L, "/home/a/.ssh/id", DENY);
    assert_fs(policy, L, "/home/a/.ssh", WAY);
    assert_fs(policy, L, "/home/a", WAY);
    assert_fs(policy, L, "/home/a/doc", DENY);
    assert_true(shows(policy, "/home/b"));
    assert_false(shows(policy, "/home/b/.profile"));
    reglet__policy_free(policy);
}

static void fs__write_and_read_do_not_imply_each_other(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:write:/d/**");
    assert_fs(policy, W, "/d/x", ALLOW);
    assert_fs(policy, R, "/d/x", DENY);
    assert_fs(policy, L, "/d/x", ALLOW);
    assert_fs(policy, W, "/e/x", DENY);
    assert_fs(policy, R, "/etc/shadow", DENY);
    reglet__policy_free(policy);
    policy = granted("fs:read:/d/**");
    assert_fs(policy, R, "/d/x", ALLOW);
    assert_fs(policy, W, "/d/x", DENY);
    reglet__policy_free(policy);
}

static void fs__a_leading_double_star_is_not_relative(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:**");
    assert_fs(policy, R, "/etc/passwd", ALLOW);
    assert_fs(policy, R, "/", ALLOW);
    reglet__policy_free(policy);
    policy = granted("fs:read:**/*.txt");
    assert_fs(policy, R, "/a/b/c.txt", ALLOW);
    assert_fs(policy, R, "/c.txt", ALLOW);
    assert_fs(policy, R, "/c.pem", DENY);
    reglet__policy_free(policy);
}

static void fs__relative_patterns_start_where_the_caller_says(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:*.csv");
    add(policy, GRANT, "fs:read:notes");
    add(policy, GRANT, "fs:read:data/**");
    assert_fs(policy, R, "/base/a.csv", ALLOW);
    assert_fs(policy, R, "/base/notes", ALLOW);
    assert_fs(policy, R, "/base/data/x/y", ALLOW);
    assert_fs(policy, R, "/a.csv", DENY);
    assert_fs(policy, R, "/notes", DENY);
    reglet__policy_free(policy);
}

static void fs__root_alone_is_root_alone(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:/");
    assert_fs(policy, L, "/", ALLOW);
    assert_fs(policy, L, "/etc", DENY);
    reglet__policy_free(policy);
    policy = granted("fs:read:/*");
    assert_fs(policy, R, "/vmlinuz", ALLOW);
    assert_fs(policy, R, "/etc/passwd", DENY);
    assert_fs(policy, L, "/", WAY);
    reglet__policy_free(policy);
}

static void fs__an_escaped_star_is_a_file_named_star(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:/d/\\*");
    assert_fs(policy, R, "/d/*", ALLOW);
    assert_fs(policy, R, "/d/a", DENY);
    reglet__policy_free(policy);
}

static void fs__the_rule_that_allowed_is_named(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:/a");
    add(policy, GRANT, "fs:read:/b/*");
    assert_string_equal(reglet__policy_fs(policy, REGLET__FS_READ, "/b/x", false).rule, "fs:read:/b/*");
    assert_string_equal(reglet__policy_fs(policy, REGLET__FS_LOOK, "/", false).rule, "fs:read:/a");
    assert_reason(reglet__policy_fs(policy, REGLET__FS_READ, "/c", false), "no grant covers it");
    reglet__policy_free(policy);
}

/* --- files: attacks --- */

static void fs__a_path_the_kernel_would_not_give_is_denied(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:/d/**");
    static const char *const paths[] = {
        "",     "d/x", "/d/../etc",         "/d/./x",    "/d//x", "//d/x", "/d/x/", "/d/..",
        "/d/.", ".",   "(unreachable)/d/x", "socket:[1]"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        for (int access = REGLET__FS_READ; access <= REGLET__FS_LOOK; access++)
            assert_answer(__LINE__, policy, (enum reglet__fs_access)access, paths[i], false, DENY);
    }
    assert_fs(policy, R, "/d/...", ALLOW);
    assert_fs(policy, R, "/d/..a", ALLOW);
    reglet__policy_free(policy);
}

static void fs__an_unresolved_grant_matches_nothing(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    struct reglet__capability *capability = NULL;
    assert_int_equal(reglet__capability_parse("fs:read:/etc/hosts", &capability, NULL), REGLET_OK);
    assert_int_equal(reglet__policy_grant(policy, capability), REGLET_OK);
    assert_fs(policy, R, "/etc/hosts", DENY);
    assert_fs(policy, L, "/", DENY);
    assert_link(policy, L, "/etc/hosts", DENY);
    reglet__policy_free(policy);
}

static void fs_resolve__only_real_paths_are_taken(void **state) {
    (void)state;
    struct reglet__capability *capability = NULL;
    assert_int_equal(reglet__capability_parse("fs:read:a", &capability, NULL), REGLET_OK);
    static const char *const wrong[] = {"", "a", "/a/", "/a/../b", "//a", "/./a"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(reglet__capability_fs_resolve(capability, wrong[i], NULL, 0),
                         REGLET_ERR_INVALID_ARGUMENT);
        assert_int_equal(reglet__capability_fs_resolve(capability, "/a", &wrong[i], 1),
                         REGLET_ERR_INVALID_ARGUMENT);
    }
    reglet__capability_free(capability);
}

static void fs__no_glob_reaches_proc_sys_and_dev(void **state) {
    (void)state;
    static const char *const globs[] = {
        "fs:read:/**",      "fs:read:**",      "fs:read:/*/**",  "fs:read:/{proc,sys,dev}/**",
        "fs:read:/proc/**", "fs:read:/proc/*", "fs:read:/sys/**"};
    static const char *const paths[] = {"/proc",    "/proc/self/environ", "/proc/1/environ", "/proc/cpuinfo",
                                        "/sys",     "/sys/kernel/x",      "/dev/mem",        "/dev/shm/x",
                                        "/dev/sda", "/dev/nullx"};
    for (size_t i = 0; i < sizeof globs / sizeof globs[0]; i++) {
        struct reglet__policy *policy = granted(globs[i]);
        for (size_t k = 0; k < sizeof paths / sizeof paths[0]; k++) {
            assert_fs(policy, R, paths[k], DENY);
            assert_fs(policy, L, paths[k], DENY);
            assert_link(policy, L, paths[k], DENY);
            assert_false(shows(policy, paths[k]));
        }
        reglet__policy_free(policy);
    }
    struct reglet__policy *policy = granted("fs:read:/proc/**");
    add(policy, GRANT, "fs:read:/sys/*");
    assert_fs(policy, L, "/", DENY);
    reglet__policy_free(policy);
    policy = granted("fs:read:/**");
    assert_fs(policy, R, "/etc/passwd", ALLOW);
    assert_fs(policy, R, "/process", ALLOW);
    assert_fs(policy, R, "/home/proc/x", ALLOW);
    assert_reason(reglet__policy_fs(policy, REGLET__FS_READ, "/proc/cpuinfo", false), "wildcard");
    reglet__policy_free(policy);
}

static void fs__harmless_devices_need_a_grant_and_take_a_glob(void **state) {
    (void)state;
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/urandom"};
    struct reglet__policy *policy = granted("fs:read:/**");
    for (size_t i = 0; i < 3; i++) {
        assert_fs(policy, R, devices[i], ALLOW);
        assert_fs(policy, W, devices[i], DENY);
        assert_true(shows(policy, devices[i]));
    }
    assert_fs(policy, L, "/dev", WAY);
    assert_fs(policy, L, "/dev/random", DENY);
    reglet__policy_free(policy);
    policy = granted("fs:write:/dev/null");
    assert_fs(policy, W, "/dev/null", ALLOW);
    assert_fs(policy, L, "/dev", WAY);
    assert_fs(policy, W, "/dev/zero", DENY);
    reglet__policy_free(policy);
    policy = granted("fs:read:/dev/s*");
    assert_fs(policy, L, "/dev", DENY);
    assert_fs(policy, R, "/dev/sda", DENY);
    reglet__policy_free(policy);
}

static void fs__other_devices_cannot_be_granted_at_all(void **state) {
    (void)state;
    static const char *const grants[] = {"fs:read:/dev/mem", "fs:read:/dev/shm/**", "fs:read:/dev"};
    static const char *const paths[] = {"/dev/mem", "/dev/shm/x", "/dev"};
    for (size_t i = 0; i < 3; i++) {
        struct reglet__policy *policy = granted(grants[i]);
        assert_fs(policy, R, paths[i], DENY);
        assert_fs(policy, L, "/dev", DENY);
        assert_fs(policy, L, "/", DENY);
        assert_reason(reglet__policy_fs(policy, REGLET__FS_READ, paths[i], false), "of /dev only");
        reglet__policy_free(policy);
    }
}

static void fs__an_exact_grant_reaches_proc_and_sys(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:/proc/cpuinfo");
    add(policy, GRANT, "fs:read:/sys/class/net/eth0/address");
    assert_fs(policy, R, "/proc/cpuinfo", ALLOW);
    assert_fs(policy, R, "/sys/class/net/eth0/address", ALLOW);
    assert_fs(policy, L, "/proc", WAY);
    assert_fs(policy, L, "/sys/class", WAY);
    assert_fs(policy, R, "/proc/meminfo", DENY);
    assert_fs(policy, W, "/proc/cpuinfo", DENY);
    assert_false(shows(policy, "/proc/1"));
    reglet__policy_free(policy);
}

static void fs__proc_self_is_never_granted(void **state) {
    (void)state;
    static const char *const paths[] = {"/proc/self/environ", "/proc/self/mem", "/proc/thread-self/mem",
                                        "/proc/self"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char text[64] = "fs:read:";
        struct reglet__policy *policy = granted(strcat(text, paths[i]));
        assert_fs(policy, R, paths[i], DENY);
        assert_fs(policy, L, "/proc", DENY);
        assert_reason(reglet__policy_fs(policy, REGLET__FS_READ, paths[i], false), "never granted");
        reglet__policy_free(policy);
    }
}

/* The kernel resolves /proc/self to a number, so a grant that was written with it arrives as another path. */
static void fs__proc_self_is_not_granted_by_what_it_resolves_to(void **state) {
    (void)state;
    struct reglet__policy *policy = resolved("fs:read:/proc/self/environ", "/proc/4711/environ", NULL, 0);
    assert_fs(policy, R, "/proc/4711/environ", DENY);
    reglet__policy_free(policy);
    const char *const links[] = {"/home/me/env", "/proc/self"};
    policy = resolved("fs:read:/home/me/env", "/proc/4711/environ", links, 2);
    assert_fs(policy, R, "/proc/4711/environ", DENY);
    assert_link(policy, L, "/home/me/env", DENY);
    reglet__policy_free(policy);
    policy = resolved("fs:read:/dev/stdin", "/home/me/secret", NULL, 0);
    assert_fs(policy, R, "/home/me/secret", DENY);
    reglet__policy_free(policy);
}

static void fs__protected_paths_are_matched_by_nothing(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:/home/**");
    add(policy, GRANT, "fs:write:/home/**");
    add(policy, GRANT, "fs:read:/home/me/.reglet/config.yaml");
    add(policy, GRANT, "fs:read:/proc/4711/environ");
    assert_int_equal(reglet__policy_protect(policy, "/home/me/.reglet"), REGLET_OK);
    assert_int_equal(reglet__policy_protect(policy, "/proc/4711"), REGLET_OK);
    static const char *const paths[] = {"/home/me/.reglet", "/home/me/.reglet/config.yaml",
                                        "/home/me/.reglet/cache/x", "/proc/4711/environ"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        for (int access = REGLET__FS_READ; access <= REGLET__FS_LOOK; access++)
            assert_answer(__LINE__, policy, (enum reglet__fs_access)access, paths[i], false, DENY);
        assert_link(policy, L, paths[i], DENY);
        assert_false(shows(policy, paths[i]));
    }
    assert_fs(policy, R, "/home/me/.reglet2", ALLOW);
    assert_fs(policy, R, "/home/me/x", ALLOW);
    assert_reason(reglet__policy_fs(policy, REGLET__FS_READ, paths[1], false), "the host's own");
    assert_true(reglet__policy_fs(policy, REGLET__FS_READ, paths[1], false).for_good);
    assert_true(reglet__policy_fs(policy, REGLET__FS_READ, "/dev/mem", false).for_good);
    assert_false(reglet__policy_fs(policy, REGLET__FS_WRITE, "/etc/hosts", false).for_good);
    reglet__policy_free(policy);
}

/* Renaming /home/me/.config would take what is protected below it out of protection. */
static void fs__a_directory_above_a_protected_path_cannot_be_moved(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:write:/home/**");
    assert_int_equal(reglet__policy_protect(policy, "/home/me/.config/reglet"), REGLET_OK);
    assert_fs(policy, W, "/home/me/.config", DENY);
    assert_fs(policy, W, "/home/me", DENY);
    assert_fs(policy, W, "/home/me/.config/other", ALLOW);
    assert_fs(policy, L, "/home/me/.config", ALLOW);
    assert_false(reglet__policy_fs_tree(policy, "/home/me/.config").allowed);
    assert_true(reglet__policy_fs_tree(policy, "/home/me/other").allowed);
    assert_int_equal(reglet__policy_protect(policy, "relative"), REGLET_ERR_INVALID_ARGUMENT);
    reglet__policy_free(policy);
}

/* What a command's preopened directories, which need no grant, ask. */
static void fs_protects__what_is_protected_and_the_names_that_hold_it(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:write:/**");
    assert_false(reglet__policy_protects(policy, "/home/me/.cache/reglet", true));
    assert_int_equal(reglet__policy_protect(policy, "/home/me/.cache/reglet"), REGLET_OK);
    assert_true(reglet__policy_protects(policy, "/home/me/.cache/reglet", false));
    assert_true(reglet__policy_protects(policy, "/home/me/.cache/reglet/x.code", false));
    static const char *const holding[] = {"/", "/home", "/home/me", "/home/me/.cache"};
    for (size_t i = 0; i < sizeof holding / sizeof *holding; i++) {
        assert_false(reglet__policy_protects(policy, holding[i], false));
        assert_true(reglet__policy_protects(policy, holding[i], true));
    }
    assert_false(reglet__policy_protects(policy, "/home/me/.cache/reglet2", true));
    assert_false(reglet__policy_protects(policy, "/home/me/.cach", true));
    assert_true(reglet__policy_protects(policy, "home", false)); /* no real path: nobody can tell */
    assert_true(reglet__policy_protects(policy, "/home/../x", false));
    reglet__policy_free(policy);
}

/* A directory moved under a grant of children would take grandchildren along that nobody granted. */
static void fs_tree__needs_one_write_grant_for_all_below(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:write:/d/*");
    add(policy, GRANT, "fs:read:/e/**");
    assert_fs(policy, W, "/d/a", ALLOW);
    assert_false(reglet__policy_fs_tree(policy, "/d/a").allowed);
    assert_false(reglet__policy_fs_tree(policy, "/e/a").allowed);
    add(policy, GRANT, "fs:write:/d/**");
    assert_true(reglet__policy_fs_tree(policy, "/d/a").allowed);
    reglet__policy_free(policy);
}

/* The attack: rename what may only be written to where it may be read. */
static void fs_reveals__what_becomes_readable_by_its_new_name(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:write:/d/**");
    assert_false(reglet__policy_fs_reveals(policy, "/d/a", "/d/b", false));
    assert_false(reglet__policy_fs_reveals(policy, "/d/a", "/d/b", true));
    assert_true(reglet__policy_fs_reveals(policy, "/d/a", NULL, false));
    add(policy, GRANT, "fs:read:/d/b/x");
    assert_false(reglet__policy_fs_reveals(policy, "/d/a", "/d/b", false));
    assert_true(reglet__policy_fs_reveals(policy, "/d/a", "/d/b", true));
    assert_true(reglet__policy_fs_reveals(policy, "/d/a", "/d/b/x", false));
    add(policy, GRANT, "fs:read:/d/a");
    assert_false(reglet__policy_fs_reveals(policy, "/d/a", "/d/b/x", false));
    assert_true(reglet__policy_fs_reveals(policy, "/d/a", "/d/b", true));
    add(policy, GRANT, "fs:read:/d/a/**");
    assert_false(reglet__policy_fs_reveals(policy, "/d/a", "/d/b", true));
    assert_false(reglet__policy_fs_reveals(policy, "/d/a", NULL, true));
    reglet__policy_free(policy);
}

/* A plugin that was given a costly pattern cannot hold the host up with it: it is denied, and the reason says so. */
static void fs__a_pattern_that_costs_too_much_is_denied(void **state) {
    (void)state;
    char pattern[9 + REGLET__MAX_PATTERN + 1] = "fs:read:/", path[REGLET__MAX_PATH];
    for (size_t i = 9; i < 9 + REGLET__MAX_PATTERN - 2; i++)
        pattern[i] = i % 2 ? '*' : 'a';
    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    struct reglet__policy *policy = granted(pattern);
    assert_reason(reglet__policy_fs(policy, REGLET__FS_READ, path, false), "too long");
    assert_false(shows(policy, path));
    reglet__policy_free(policy);
}

static void fs__bytes_that_are_no_text_are_matched_by_wildcards_only(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:/d/*");
    assert_fs(policy, R, "/d/\xFF\xFE", ALLOW);
    assert_fs(policy, R, "/d/a\nb", ALLOW);
    assert_fs(policy, R, "/\xFF", DENY);
    reglet__policy_free(policy);
}

/* --- files: symbolic links --- */

static void fs__links_in_the_literal_part_are_replaced_and_can_be_looked_at(void **state) {
    (void)state;
    const char *const links[] = {"/var/run"};
    struct reglet__policy *policy = resolved("fs:read:/var/run/x.pid", "/run/x.pid", links, 1);
    assert_fs(policy, R, "/run/x.pid", ALLOW);
    assert_fs(policy, R, "/var/run/x.pid", DENY);
    assert_link(policy, L, "/var/run", ALLOW);
    assert_link(policy, R, "/var/run", DENY);
    assert_link(policy, W, "/var/run", DENY);
    assert_link(policy, L, "/var/lock", DENY);
    assert_fs(policy, L, "/var/run", DENY);
    assert_fs(policy, L, "/var", WAY);
    assert_fs(policy, L, "/run", WAY);
    assert_true(shows(policy, "/var"));
    assert_true(shows(policy, "/var/run"));
    assert_false(shows(policy, "/var/lock"));
    assert_fs(policy, L, "/var/run/x.pid", DENY);
    reglet__policy_free(policy);
}

static void fs__a_link_inside_a_glob_is_looked_at_but_widens_nothing(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:/d/**");
    assert_link(policy, L, "/d/l", ALLOW);
    assert_reason(reglet__policy_fs(policy, REGLET__FS_READ, "/d/l", true), "no content");
    assert_link(policy, W, "/d/l", DENY);
    assert_link(policy, L, "/e/l", DENY);
    assert_link(policy, L, "/etc", DENY);
    assert_fs(policy, R, "/etc/passwd", DENY); /* what /d/l leads to is asked under its own path */
    reglet__policy_free(policy);
    policy = granted("fs:write:/d/**");
    assert_link(policy, W, "/d/l", ALLOW);
    assert_link(policy, R, "/d/l", DENY);
    reglet__policy_free(policy);
}

/* The file that was granted was replaced by a link later: it is not what was resolved when the grant was made. */
static void fs__a_link_in_the_place_of_a_granted_file_is_denied(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:/d/file");
    add(policy, GRANT, "fs:write:/d/file");
    assert_link(policy, L, "/d/file", DENY);
    assert_link(policy, R, "/d/file", DENY);
    assert_link(policy, W, "/d/file", DENY);
    reglet__policy_free(policy);
}

static void fs__a_link_is_no_way(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:read:/d/*/x");
    assert_fs(policy, L, "/d/a", WAY);
    assert_link(policy, L, "/d/a", DENY);
    assert_link(policy, L, "/d", DENY);
    reglet__policy_free(policy);
}

static void fs_symlink__both_ends_lie_in_one_write_grant(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("fs:write:/d/**");
    add(policy, GRANT, "fs:write:/e/**");
    add(policy, GRANT, "fs:read:/etc/**");
    assert_true(reglet__policy_fs_symlink(policy, "/d/l", "/d/x/y").allowed);
    assert_reason(reglet__policy_fs_symlink(policy, "/d/l", "/e/x"), "target lies outside");
    assert_reason(reglet__policy_fs_symlink(policy, "/d/l", "/etc/shadow"), "target lies outside");
    assert_reason(reglet__policy_fs_symlink(policy, "/d/l", "/"), "target lies outside");
    assert_reason(reglet__policy_fs_symlink(policy, "/etc/l", "/etc/x"), "no grant covers");
    assert_reason(reglet__policy_fs_symlink(policy, "/d/l", "x"), "not a real path");
    assert_reason(reglet__policy_fs_symlink(policy, "/d/l", "/d/../etc"), "not a real path");
    assert_int_equal(reglet__policy_protect(policy, "/d/own"), REGLET_OK);
    assert_reason(reglet__policy_fs_symlink(policy, "/d/l", "/d/own/x"), "the host's own");
    assert_reason(reglet__policy_fs_symlink(policy, "/d/own/l", "/d/x"), "the host's own");
    reglet__policy_free(policy);
    policy = granted("fs:write:/**");
    assert_reason(reglet__policy_fs_symlink(policy, "/d/l", "/proc/self/mem"), "target lies outside");
    assert_reason(reglet__policy_fs_symlink(policy, "/d/l", "/dev/sda"), "target lies outside");
    reglet__policy_free(policy);
}

/* --- who is granted --- */

static void shared__a_declaration_must_cover_the_same_request(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    add(policy, SHARE, "fs:read:/etc/**");
    assert_fs(policy, R, "/etc/hosts", DENY);
    assert_reason(reglet__policy_fs(policy, REGLET__FS_READ, "/etc/hosts", false), "does not declare it");
    add(policy, DECLARE, "fs:read:/etc/hosts");
    assert_fs(policy, R, "/etc/hosts", ALLOW);
    assert_string_equal(reglet__policy_fs(policy, REGLET__FS_READ, "/etc/hosts", false).rule,
                        "fs:read:/etc/**");
    assert_fs(policy, R, "/etc/passwd", DENY);
    assert_fs(policy, L, "/etc", WAY);
    assert_false(shows(policy, "/etc/passwd"));
    assert_true(shows(policy, "/etc/hosts"));
    reglet__policy_free(policy);
}

static void shared__a_declaration_alone_grants_nothing(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    add(policy, DECLARE, "fs:read:/**");
    assert_int_equal(reglet__policy_declare_all(policy, REGLET__KIND_FS), REGLET_OK);
    assert_fs(policy, R, "/etc/hosts", DENY);
    assert_fs(policy, L, "/", DENY);
    assert_false(reglet__policy_has(policy, REGLET__KIND_FS));
    reglet__policy_free(policy);
}

static void shared__reading_declared_is_not_writing_granted(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    add(policy, SHARE, "fs:write:/d/**");
    add(policy, DECLARE, "fs:read:/d/**");
    for (int access = REGLET__FS_READ; access <= REGLET__FS_LOOK; access++)
        assert_answer(__LINE__, policy, (enum reglet__fs_access)access, "/d/x", false, DENY);
    assert_fs(policy, L, "/", DENY);
    reglet__policy_free(policy);
}

/* What nobody granted and declared together must not be told, not even that it exists. */
static void shared__a_way_leads_to_something_granted_and_declared(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    add(policy, SHARE, "fs:read:/a/b/x");
    add(policy, SHARE, "fs:read:/c/**");
    add(policy, DECLARE, "fs:read:/a/b/y");
    add(policy, DECLARE, "fs:read:/d/**");
    assert_fs(policy, L, "/a", DENY);
    assert_fs(policy, L, "/", DENY);
    add(policy, DECLARE, "fs:read:/c/e/*");
    assert_fs(policy, L, "/", WAY);
    assert_fs(policy, L, "/c", WAY);
    assert_fs(policy, L, "/a", DENY);
    assert_fs(policy, R, "/c/e/f", ALLOW);
    assert_fs(policy, R, "/c/f", DENY);
    reglet__policy_free(policy);
}

static void shared__a_bare_star_declares_all_of_its_kind(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    add(policy, SHARE, "fs:read:/etc/*");
    add(policy, SHARE, "env:AWS_*");
    assert_int_equal(reglet__policy_declare_all(policy, REGLET__KIND_FS), REGLET_OK);
    assert_fs(policy, R, "/etc/hosts", ALLOW);
    assert_fs(policy, R, "/usr/x", DENY);
    assert_fs(policy, L, "/", WAY);
    assert_false(reglet__policy_env(policy, "AWS_REGION").allowed);
    reglet__policy_free(policy);
}

static void shared__symlinks_and_trees_need_a_declaration_too(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    add(policy, SHARE, "fs:write:/d/**");
    add(policy, DECLARE, "fs:write:/d/a/**");
    add(policy, DECLARE, "fs:write:/d/b/*");
    assert_true(reglet__policy_fs_symlink(policy, "/d/a/l", "/d/a/x").allowed);
    assert_false(reglet__policy_fs_symlink(policy, "/d/a/l", "/d/b/x").allowed);
    assert_true(reglet__policy_fs_tree(policy, "/d/a/x").allowed);
    assert_false(reglet__policy_fs_tree(policy, "/d/b/x").allowed);
    reglet__policy_free(policy);
}

static void has__asks_for_grants_of_a_kind(void **state) {
    (void)state;
    struct reglet__policy *policy = granted("env:HOME");
    add(policy, SHARE, "network:outbound:443");
    assert_true(reglet__policy_has(policy, REGLET__KIND_ENV));
    assert_true(reglet__policy_has(policy, REGLET__KIND_NETWORK));
    assert_false(reglet__policy_has(policy, REGLET__KIND_FS));
    assert_false(reglet__policy_has(policy, REGLET__KIND_EXEC));
    reglet__policy_free(policy);
}

static void grant__one_capability_serves_several_policies(void **state) {
    (void)state;
    struct reglet__capability *capability = NULL;
    assert_int_equal(reglet__capability_parse("env:HOME", &capability, NULL), REGLET_OK);
    struct reglet__policy *first = policy_new(), *second = policy_new();
    assert_int_equal(reglet__policy_grant(first, reglet__capability_ref(capability)), REGLET_OK);
    assert_int_equal(reglet__policy_grant(second, capability), REGLET_OK);
    reglet__policy_free(first);
    assert_true(reglet__policy_env(second, "HOME").allowed);
    reglet__policy_free(second);
}

/* --- environment --- */

static void env__is_matched_exactly_by_prefix_or_all(void **state) {
    (void)state;
    static const struct {
        const char *grant, *name;
        bool allowed;
    } cases[] = {
        {"env:AWS_*", "AWS_REGION", true}, {"env:AWS_*", "AWS_", true}, {"env:AWS_*", "aws_region", false},
        {"env:AWS_*", "XAWS_", false},     {"env:AWS_*", "AWS", false}, {"env:HOME", "HOME", true},
        {"env:HOME", "HOME2", false},      {"env:HOME", "HOM", false},  {"env:HOME", "home", false},
        {"env:HOME", "", false},           {"env:*", "ANYTHING", true}, {"fs:read:/**", "HOME", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reglet__policy *policy = granted(cases[i].grant);
        struct reglet__decision decision = reglet__policy_env(policy, cases[i].name);
        if (decision.allowed != cases[i].allowed)
            fail_msg("%s under %s: expected %d", cases[i].name, cases[i].grant, cases[i].allowed);
        if (decision.allowed)
            assert_string_equal(decision.rule, cases[i].grant);
        else
            assert_reason(decision, "no grant covers it");
        reglet__policy_free(policy);
    }
}

static void env__a_shared_grant_needs_a_declaration(void **state) {
    (void)state;
    struct reglet__policy *policy = policy_new();
    add(policy, SHARE, "env:AWS_*");
    add(policy, DECLARE, "env:AWS_REGION");
    assert_true(reglet__policy_env(policy, "AWS_REGION").allowed);
    assert_reason(reglet__policy_env(policy, "AWS_SECRET"), "does not declare it");
    assert_int_equal(reglet__policy_declare_all(policy, REGLET__KIND_ENV), REGLET_OK);
    assert_true(reglet__policy_env(policy, "AWS_SECRET").allowed);
    reglet__policy_free(policy);
}

/* --- suggestions --- */

static void suggest__names_the_grant_that_would_help(void **state) {
    (void)state;
    static const struct {
        enum reglet__fs_access access;
        const char *path, *expected;
    } cases[] = {
        {REGLET__FS_READ, "/etc/hosts", "fs:read:/etc/hosts"},
        {REGLET__FS_LOOK, "/", "fs:read:/"},
        {REGLET__FS_WRITE, "/tmp/é", "fs:write:/tmp/é"},
        {REGLET__FS_READ, "/d/*", "fs:read:/d/\\*"},
        {REGLET__FS_READ, "/d/{a,b}[c]?\\", "fs:read:/d/\\{a,b\\}\\[c\\]\\?\\\\"},
        {REGLET__FS_READ, "/d/a\n- kind: exec\x1b\xFF", "fs:read:/d/a?- kind: exec??"},
        {REGLET__FS_READ, "/proc/cpuinfo", "fs:read:/proc/cpuinfo"},
        {REGLET__FS_READ, "/dev/null", "fs:read:/dev/null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *suggested = reglet__policy_fs_suggest(cases[i].access, cases[i].path);
        assert_non_null(suggested);
        assert_string_equal(suggested, cases[i].expected);
        struct reglet__policy *policy = granted(suggested);
        assert_fs(policy, cases[i].access, cases[i].path, ALLOW);
        reglet__policy_free(policy);
        free(suggested);
    }
}

static void suggest__stays_silent_where_no_grant_helps(void **state) {
    (void)state;
    char path[REGLET__MAX_PATH];
    memset(path, '*', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0'; /* too long once it is escaped */
    const char *const paths[] = {"/proc/self/mem", "/dev/sda", "relative", "/a/../b", path};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_null(reglet__policy_fs_suggest(REGLET__FS_READ, paths[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fs__nothing_is_granted_by_default),
        cmocka_unit_test(fs__a_plain_path_is_that_file_alone),
        cmocka_unit_test(fs__above_a_grant_only_what_leads_to_it_is_shown),
        cmocka_unit_test(fs__a_directory_alone_can_be_listed_but_shows_nothing),
        cmocka_unit_test(fs__a_star_is_the_children),
        cmocka_unit_test(fs__two_stars_are_the_directory_and_all_below),
        cmocka_unit_test(fs__wildcards_in_the_middle_show_the_way),
        cmocka_unit_test(fs__write_and_read_do_not_imply_each_other),
        cmocka_unit_test(fs__a_leading_double_star_is_not_relative),
        cmocka_unit_test(fs__relative_patterns_start_where_the_caller_says),
        cmocka_unit_test(fs__root_alone_is_root_alone),
        cmocka_unit_test(fs__an_escaped_star_is_a_file_named_star),
        cmocka_unit_test(fs__the_rule_that_allowed_is_named),
        cmocka_unit_test(fs__a_path_the_kernel_would_not_give_is_denied),
        cmocka_unit_test(fs__an_unresolved_grant_matches_nothing),
        cmocka_unit_test(fs_resolve__only_real_paths_are_taken),
        cmocka_unit_test(fs__no_glob_reaches_proc_sys_and_dev),
        cmocka_unit_test(fs__harmless_devices_need_a_grant_and_take_a_glob),
        cmocka_unit_test(fs__other_devices_cannot_be_granted_at_all),
        cmocka_unit_test(fs__an_exact_grant_reaches_proc_and_sys),
        cmocka_unit_test(fs__proc_self_is_never_granted),
        cmocka_unit_test(fs__proc_self_is_not_granted_by_what_it_resolves_to),
        cmocka_unit_test(fs__protected_paths_are_matched_by_nothing),
        cmocka_unit_test(fs__a_directory_above_a_protected_path_cannot_be_moved),
        cmocka_unit_test(fs_protects__what_is_protected_and_the_names_that_hold_it),
        cmocka_unit_test(fs_tree__needs_one_write_grant_for_all_below),
        cmocka_unit_test(fs_reveals__what_becomes_readable_by_its_new_name),
        cmocka_unit_test(fs__a_pattern_that_costs_too_much_is_denied),
        cmocka_unit_test(fs__bytes_that_are_no_text_are_matched_by_wildcards_only),
        cmocka_unit_test(fs__links_in_the_literal_part_are_replaced_and_can_be_looked_at),
        cmocka_unit_test(fs__a_link_inside_a_glob_is_looked_at_but_widens_nothing),
        cmocka_unit_test(fs__a_link_in_the_place_of_a_granted_file_is_denied),
        cmocka_unit_test(fs__a_link_is_no_way),
        cmocka_unit_test(fs_symlink__both_ends_lie_in_one_write_grant),
        cmocka_unit_test(shared__a_declaration_must_cover_the_same_request),
        cmocka_unit_test(shared__a_declaration_alone_grants_nothing),
        cmocka_unit_test(shared__reading_declared_is_not_writing_granted),
        cmocka_unit_test(shared__a_way_leads_to_something_granted_and_declared),
        cmocka_unit_test(shared__a_bare_star_declares_all_of_its_kind),
        cmocka_unit_test(shared__symlinks_and_trees_need_a_declaration_too),
        cmocka_unit_test(has__asks_for_grants_of_a_kind),
        cmocka_unit_test(grant__one_capability_serves_several_policies),
        cmocka_unit_test(env__is_matched_exactly_by_prefix_or_all),
        cmocka_unit_test(env__a_shared_grant_needs_a_declaration),
        cmocka_unit_test(suggest__names_the_grant_that_would_help),
        cmocka_unit_test(suggest__stays_silent_where_no_grant_helps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
