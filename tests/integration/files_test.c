/* fs_read, fs_write, fs_stat and env_get: what they answer, and that they decide as the functions of WASI do. */
#define _GNU_SOURCE
#include "tests/integration/servers.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static reglet_runtime *runtime;
static reglet_plugin *plugin, *prober;
static struct events events;

/* A path in the directory of the test; valid for four calls. */
static const char *at(const char *name) {
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static void put(const char *name, const char *text) {
    FILE *file = fopen(at(name), "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void expect_text(const char *name, const char *expected) {
    struct bytes found = read_file(at(name));
    assert_int_equal(found.size, strlen(expected));
    assert_memory_equal(found.data, expected, found.size);
    free(found.data);
}

/* What may be read is in r/, what may be written in w/; both guests may. */
static int start(void **state) {
    (void)state;
    strcpy(directory, "/tmp/reglet-files-XXXXXX");
    assert_non_null(mkdtemp(directory));
    assert_int_equal(mkdir(at("r"), 0755), 0);
    assert_int_equal(mkdir(at("w"), 0755), 0);
    char read[96], write[96];
    snprintf(read, sizeof read, "fs:read:%s/r/**", directory);
    snprintf(write, sizeof write, "fs:write:%s/w/**", directory);
    const reglet_grant grants[] = {{"relay", read},
                                   {"relay", write},
                                   {"relay", "env:REGLET_TEST_*"},
                                   {"fsprobe", read},
                                   {"fsprobe", write}};
    setenv("REGLET_TEST_VALUE", "a=b", 1);
    setenv("REGLET_TEST_EMPTY", "", 1);
    unsetenv("REGLET_TEST_NONE");
    events_init(&events);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = grants;
    options.grant_count = sizeof grants / sizeof *grants;
    options.max_evidence_bytes = -1;
    options.log = events_collect;
    options.log_user_data = &events;
    runtime = new_runtime(&options);
    plugin = load_guest(runtime, "relay");
    prober = load_guest(runtime, "fsprobe");
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *place) {
    (void)st, (void)type, (void)place;
    return remove(path);
}

static int stop(void **state) {
    (void)state;
    reglet_plugin_unref(plugin);
    reglet_plugin_unref(prober);
    reglet_runtime_free(runtime);
    events_free(&events);
    return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- Reading ---------------------------------------------------------------------------------------------- */

static void fs_read__content_from_a_place_up_to_so_many_bytes(void **state) {
    (void)state;
    static const struct {
        const char *more, *content, *truncated;
    } cases[] = {{"", "Y29udGVudA==", "false"},
                 {", 'offset': 3, 'max_bytes': 2", "dGU=", "true"},
                 {", 'offset': 3, 'max_bytes': 4", "dGVudA==", "false"},
                 {", 'max_bytes': 7", "Y29udGVudA==", "false"},
                 {", 'max_bytes': 6", "Y29udGVu", "true"},
                 {", 'offset': 7", "", "false"},
                 {", 'offset': 100", "", "false"},
                 {", 'offset': 9000000000000000000", "", "false"},
                 {", 'offset': 6, 'max_bytes': null", "dA==", "false"}};
    put("r/f", "content");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *response = relay(plugin, "fs_read", "{'path': '%s'%s}", at("r/f"), cases[i].more);
        expect_member(response, "/content", cases[i].content);
        expect_member(response, "/truncated", cases[i].truncated);
        expect_member(response, "/size", "7");
        expect_member(response, "/error", NULL);
        free(response);
    }
}

static void fs_read__of_a_large_file_is_its_first_10_mib(void **state) {
    (void)state;
    put("r/large", "");
    assert_int_equal(truncate(at("r/large"), (off_t)1 << 40), 0);
    char *response = relay(plugin, "fs_read", "{'path': '%s'}", at("r/large"));
    char *content = json_member(response, "/content");
    assert_int_equal(strlen(content), ((10 << 20) + 2) / 3 * 4);
    expect_member(response, "/truncated", "true");
    expect_member(response, "/size", "1099511627776");
    free(content);
    free(response);
}

/* --- Writing ---------------------------------------------------------------------------------------------- */

static void expect_written(const char *mode, const char *content, const char *written, const char *code) {
    char *response =
        relay(plugin, "fs_write", "{'path': '%s', 'mode': '%s', 'content': '%s'}", at("w/f"), mode, content);
    expect_member(response, "/written", written);
    expect_member(response, "/error/code", code);
    free(response);
}

static void fs_write__creates_empties_and_appends(void **state) {
    (void)state;
    expect_written("create", "Zmlyc3Q=", "5", NULL);
    expect_text("w/f", "first");
    expect_written("create", "c2Vjb25k", NULL, "EEXIST");
    expect_text("w/f", "first");
    expect_written("append", "LW1vcmU=", "5", NULL);
    expect_text("w/f", "first-more");
    expect_written("truncate", "bmV3", "3", NULL);
    expect_text("w/f", "new");
    expect_written("truncate", "", "0", NULL);
    expect_text("w/f", "");
    assert_int_equal(unlink(at("w/f")), 0);
    expect_written("append", "YQ==", "1", NULL);
    expect_text("w/f", "a");
}

/* --- Looking ---------------------------------------------------------------------------------------------- */

static void fs_stat__tells_type_size_mode_owner_and_time(void **state) {
    (void)state;
    const struct timespec times[2] = {{981173106, 789000000}, {981173106, 789000000}};
    char number[24];
    put("r/f", "content");
    assert_int_equal(chmod(at("r/f"), 04750), 0);
    assert_int_equal(utimensat(AT_FDCWD, at("r/f"), times, 0), 0);
    char *response = relay(plugin, "fs_stat", "{'path': '%s'}", at("r/f"));
    expect_member(response, "/exists", "true");
    expect_member(response, "/type", "file");
    expect_member(response, "/size", "7");
    expect_member(response, "/mode", "4750");
    expect_member(response, "/mod_time", "2001-02-03T04:05:06.789000000Z");
    expect_member(response, "/target", NULL);
    snprintf(number, sizeof number, "%u", (unsigned)getuid());
    expect_member(response, "/uid", number);
    snprintf(number, sizeof number, "%u", (unsigned)getgid());
    expect_member(response, "/gid", number);
    if (getuid() == 0) {
        expect_member(response, "/owner", "root");
        expect_member(response, "/group", "root");
    }
    free(response);
    response = relay(plugin, "fs_stat", "{'path': '%s'}", at("r/missing"));
    expect_member(response, "/exists", "false");
    expect_member(response, "/type", NULL);
    expect_member(response, "/error", NULL);
    free(response);
}

static void fs_stat__of_a_link_is_what_it_leads_to_unless_not_followed(void **state) {
    (void)state;
    put("r/f", "content");
    assert_int_equal(symlink("f", at("r/l")), 0);
    char *response = relay(plugin, "fs_stat", "{'path': '%s'}", at("r/l"));
    expect_member(response, "/type", "file");
    expect_member(response, "/target", NULL);
    free(response);
    response = relay(plugin, "fs_stat", "{'path': '%s', 'follow': false}", at("r/l"));
    expect_member(response, "/type", "symlink");
    expect_member(response, "/target", "f");
    free(response);
    response = relay(plugin, "fs_stat", "{'path': '%s'}", at("r"));
    expect_member(response, "/type", "directory");
    free(response);
}

static void fs_stat__readable_is_what_could_be_opened_for_reading(void **state) {
    (void)state;
    static const struct {
        const char *name, *more, *readable;
        bool denied;
    } cases[] = {{"r/f", "", NULL, false},
                 {"r/f", ", 'readable': false", NULL, false},
                 {"r/f", ", 'readable': true", "true", false},
                 {"r", ", 'readable': true", "true", false},
                 {"r/fifo", ", 'readable': true", "false", false},
                 {"r/gone", ", 'readable': true, 'follow': false", "false", false},
                 {"r/missing", ", 'readable': true", NULL, false},
                 {"w/f", ", 'readable': true", "false", true}};
    put("r/f", "content");
    put("w/f", "content");
    assert_int_equal(mkfifo(at("r/fifo"), 0644), 0);
    assert_int_equal(symlink("missing", at("r/gone")), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char event[160] = "permission denied";
        const char *path = at(cases[i].name);
        char *response = relay(plugin, "fs_stat", "{'path': '%s'%s}", path, cases[i].more);
        expect_member(response, "/readable", cases[i].readable);
        expect_member(response, "/error", NULL);
        if (cases[i].denied)
            snprintf(event, sizeof event, "asked=read %s", path);
        assert_int_equal(events_contain(&events, event), cases[i].denied);
        free(response);
    }
}

/* --- Decisions -------------------------------------------------------------------------------------------- */

/* Whether a host function was allowed, and why not. */
static char *code_of(char *response) {
    char *code = json_member(response, "/error/code");
    free(response);
    return code ? code : strdup("OK");
}

/* The same question by WASI, whose paths start at the root. */
static char *wasi_code(const char *path, const char *more) {
    char config[512];
    snprintf(config, sizeof config, "{\"op\":\"open\",\"follow\":true,\"path\":\"%s\"%s}", path + 1, more);
    reglet_result *result = observe_json(prober, config, 0);
    char *code = json_member(reglet_result_json(result, NULL), "/evidence/data/errno");
    assert_non_null(code);
    reglet_result_free(result);
    return code;
}

static void make_tree(void) {
    put("r/f", "content");
    put("out", "secret");
    assert_int_equal(mkdir(at("r/d"), 0755), 0);
    assert_int_equal(mkfifo(at("r/fifo"), 0644), 0);
    static const char *const links[][2] = {
        {"f", "r/link-in"},           {"../out", "r/link-out"}, {"../nothing", "r/dangling-out"},
        {"nothing", "r/dangling-in"}, {"loop", "r/loop"},       {"../out", "w/link-out"},
        {"../made", "w/dangling-out"}};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        assert_int_equal(symlink(links[i][0], at(links[i][1])), 0);
}

static void expect_same(const char *path, char *ours, char *wasis, const char *expected) {
    if (strcmp(ours, wasis) != 0 || (expected && strcmp(ours, expected) != 0))
        fail_msg("%s: the host function says %s, WASI %s, expected %s", path, ours, wasis,
                 expected ? expected : "both the same");
    free(ours);
    free(wasis);
}

static void reading__is_decided_as_by_wasi(void **state) {
    (void)state;
    make_tree();
    static const struct {
        const char *path, *code;
    } cases[] = {{"r/f", "OK"},           {"r/../r/f", "OK"},       {"r//./f", "OK"},
                 {"r/d/../f", "OK"},      {"r/link-in", "OK"},      {"r/missing", "ENOENT"},
                 {"r/f/x", NULL},         {"r/link-out", "EACCES"}, {"r/dangling-out", "EACCES"},
                 {"r/dangling-in", NULL}, {"r/../out", "EACCES"},   {"out", "EACCES"},
                 {"missing", "EACCES"},   {"r/fifo", "EACCES"},     {"r/loop", NULL},
                 {"w/link-out", "EACCES"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = at(cases[i].path);
        char *ours = code_of(relay(plugin, "fs_read", "{'path': '%s'}", path));
        expect_same(path, ours, wasi_code(path, ""), cases[i].code);
    }
    static const char *const elsewhere[] = {"/proc/self/environ", "/proc/1/mem", "/dev/mem", "/etc/shadow",
                                            "/nowhere/at/all"};
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
        char *ours = code_of(relay(plugin, "fs_read", "{'path': '%s'}", elsewhere[i]));
        expect_same(elsewhere[i], ours, wasi_code(elsewhere[i], ""), "EACCES");
    }
}

static void writing__is_decided_as_by_wasi(void **state) {
    (void)state;
    make_tree();
    put("w/there", "");
    static const struct {
        const char *mode, *wasi;
    } modes[] = {{"create", ",\"access\":\"write\",\"oflags\":[\"creat\",\"excl\"]"},
                 {"truncate", ",\"access\":\"write\",\"oflags\":[\"creat\",\"trunc\"]"},
                 {"append", ",\"access\":\"write\",\"oflags\":[\"creat\"],\"fdflags\":[\"append\"]"}};
    static const char *const paths[] = {"w/new",   "w/there",    "w/../r/f",       "r/f",
                                        "r/new",   "w/link-out", "w/dangling-out", "out",
                                        "missing", "w/no/such",  "w/../w/new"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        for (size_t mode = 0; mode < sizeof modes / sizeof *modes; mode++) {
            const char *path = at(paths[i]);
            char *ours = code_of(relay(plugin, "fs_write", "{'path': '%s', 'mode': '%s', 'content': null}",
                                       path, modes[mode].mode));
            unlink(at("w/new"));
            char *wasis = wasi_code(path, modes[mode].wasi);
            unlink(at("w/new"));
            expect_same(path, ours, wasis, strncmp(paths[i], "w/", 2) != 0 ? "EACCES" : NULL);
        }
    expect_text("out", "secret");
    expect_text("r/f", "content");
    assert_int_not_equal(access(at("made"), F_OK), 0);
}

/* The plugin learns the same whether there is such a file; the operator what would allow it. */
static void denial__tells_the_plugin_eacces_and_the_log_the_grant(void **state) {
    (void)state;
    char grant[160];
    make_tree();
    static const char *const requests[][2] = {{"fs_read", "{'path': '%s'}"},
                                              {"fs_stat", "{'path': '%s'}"},
                                              {"fs_write", "{'path': '%s', 'mode': 'truncate'}"}};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        char request[256], *responses[2];
        static const char *const names[] = {"out", "non"};
        for (size_t n = 0; n < 2; n++) {
            snprintf(request, sizeof request, "%.*s%s%s", (int)(strchr(requests[i][1], '%') - requests[i][1]),
                     requests[i][1], at(names[n]), strchr(requests[i][1], '%') + 2);
            responses[n] = relay(plugin, requests[i][0], "%s", request);
            expect_member(responses[n], "/error/type", "capability");
            expect_member(responses[n], "/error/code", "EACCES");
            expect_member(responses[n], "/exists", NULL);
            assert_null(strstr(responses[n], "fs:"));
            snprintf(grant, sizeof grant, "grant=fs:%s:%s", i == 2 ? "write" : "read", at(names[n]));
            assert_true(events_contain(&events, grant));
        }
        char *name = strstr(responses[1], "/non");
        memcpy(name, "/out", 4);
        for (name = responses[1]; (name = strstr(name, "\\/non"));)
            memcpy(name, "\\/out", 5);
        assert_string_equal(responses[0], responses[1]);
        free(responses[0]);
        free(responses[1]);
    }
}

/* --- Variables -------------------------------------------------------------------------------------------- */

static void env_get__value_of_what_is_there_and_found_false_of_what_is_not(void **state) {
    (void)state;
    static const struct {
        const char *name, *found, *value;
    } cases[] = {{"REGLET_TEST_VALUE", "true", "a=b"},
                 {"REGLET_TEST_EMPTY", "true", ""},
                 {"REGLET_TEST_NONE", "false", NULL},
                 {"REGLET_TEST_", "false", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *response = relay(plugin, "env_get", "{'name': '%s'}", cases[i].name);
        expect_member(response, "/found", cases[i].found);
        expect_member(response, "/value", cases[i].value);
        expect_member(response, "/error", NULL);
        free(response);
    }
    static const char *const denied[] = {"reglet_test_value", "XREGLET_TEST_VALUE", "REGLET_TEST", "PATH"};
    for (size_t i = 0; i < sizeof denied / sizeof *denied; i++) {
        char *response = relay(plugin, "env_get", "{'name': '%s'}", denied[i]);
        expect_member(response, "/error/type", "capability");
        expect_member(response, "/found", NULL);
        free(response);
    }
}

/* The environment is the one that was there when the runtime was made. */
static void env_get__does_not_see_what_was_set_later(void **state) {
    (void)state;
    setenv("REGLET_TEST_NONE", "late", 1);
    setenv("REGLET_TEST_VALUE", "changed", 1);
    char *late = relay(plugin, "env_get", "{'name': 'REGLET_TEST_NONE'}");
    char *changed = relay(plugin, "env_get", "{'name': 'REGLET_TEST_VALUE'}");
    expect_member(late, "/found", "false");
    expect_member(changed, "/value", "a=b");
    free(late);
    free(changed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(fs_read__content_from_a_place_up_to_so_many_bytes),
        TEST(fs_read__of_a_large_file_is_its_first_10_mib),
        TEST(fs_write__creates_empties_and_appends),
        TEST(fs_stat__tells_type_size_mode_owner_and_time),
        TEST(fs_stat__of_a_link_is_what_it_leads_to_unless_not_followed),
        TEST(fs_stat__readable_is_what_could_be_opened_for_reading),
        TEST(reading__is_decided_as_by_wasi),
        TEST(writing__is_decided_as_by_wasi),
        TEST(denial__tells_the_plugin_eacces_and_the_log_the_grant),
        TEST(env_get__value_of_what_is_there_and_found_false_of_what_is_not),
        TEST(env_get__does_not_see_what_was_set_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
