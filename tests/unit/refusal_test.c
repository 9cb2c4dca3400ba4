#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <reglet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"
#include "util/cleanup.h"
#include "wasi/wasi.h"

/*
 * Every function that a guest can import, without a grant. What reaches outside is asked for something that is there, and
 * has to be refused; the tables here have to name every function there is.
 */

/* One function, and how it is asked for something outside; NULL: it reaches nothing outside. */
struct attempt {
    const char *name;
    const char *request;
};

static const struct attempt host_attempts[] = {
    {"dns_lookup", "{\"hostname\":\"localhost\",\"type\":\"A\"}"},
    {"env_get", "{\"name\":\"PATH\"}"},
    {"exec_command", "{\"command\":\"/bin/true\"}"},
    {"exec_run", "{\"command\":\"true\"}"},
    {"fs_read", "{\"path\":\"/etc/passwd\"}"},
    {"fs_stat", "{\"path\":\"/etc/passwd\"}"},
    {"fs_write", "{\"path\":\"/tmp/reglet-refused\",\"content\":\"\",\"mode\":\"create\"}"},
    {"http_request", "{\"method\":\"GET\",\"url\":\"http://127.0.0.1:1/\"}"},
    {"log_message", NULL},
    {"net_connect", "{\"host\":\"127.0.0.1\",\"port\":1}"},
    {"smtp_connect", "{\"host\":\"127.0.0.1\",\"port\":\"1\"}"},
    {"ssrf_check", "{\"address\":\"127.0.0.1:1\"}"},
    {"tcp_connect", "{\"host\":\"127.0.0.1\",\"port\":\"1\"}"},
};

static const struct attempt wasi_attempts[] = {
    {"args_get", NULL},
    {"args_sizes_get", NULL},
    {"environ_get", NULL}, /* granted variables alone are there */
    {"environ_sizes_get", NULL},
    {"clock_res_get", NULL},
    {"clock_time_get", NULL},
    {"fd_advise", NULL}, /* fd_… work on what was opened */
    {"fd_allocate", NULL},
    {"fd_close", NULL},
    {"fd_datasync", NULL},
    {"fd_fdstat_get", NULL},
    {"fd_fdstat_set_flags", NULL},
    {"fd_fdstat_set_rights", NULL},
    {"fd_filestat_get", NULL}, /* the root may be looked at, without what is in it */
    {"fd_filestat_set_size", "{\"op\":\"truncate\",\"fd\":3}"},
    {"fd_filestat_set_times", "{\"op\":\"futimens\",\"fd\":3}"},
    {"fd_pread", NULL},
    {"fd_prestat_get", NULL},
    {"fd_prestat_dir_name", NULL},
    {"fd_pwrite", NULL},
    {"fd_read", NULL},
    {"fd_readdir", "{\"op\":\"readdir\",\"fd\":3}"},
    {"fd_renumber", NULL},
    {"fd_seek", NULL},
    {"fd_sync", NULL},
    {"fd_tell", NULL},
    {"fd_write", NULL},
    {"path_create_directory", "{\"op\":\"mkdir\",\"path\":\"tmp/reglet-refused\"}"},
    {"path_filestat_get", "{\"op\":\"stat\",\"path\":\"etc/passwd\"}"},
    {"path_filestat_set_times", "{\"op\":\"utimens\",\"path\":\"etc/passwd\"}"},
    {"path_link", "{\"op\":\"link\",\"path\":\"etc/passwd\",\"path2\":\"tmp/reglet-refused\"}"},
    {"path_open", "{\"op\":\"open\",\"path\":\"etc/passwd\"}"},
    {"path_readlink", "{\"op\":\"readlink\",\"path\":\"etc/mtab\"}"},
    {"path_remove_directory", "{\"op\":\"rmdir\",\"path\":\"tmp/reglet-refused\"}"},
    {"path_rename", "{\"op\":\"rename\",\"path\":\"etc/passwd\",\"path2\":\"tmp/reglet-refused\"}"},
    {"path_symlink", "{\"op\":\"symlink\",\"path\":\"x\",\"path2\":\"tmp/reglet-refused\"}"},
    {"path_unlink_file", "{\"op\":\"unlink\",\"path\":\"etc/passwd\"}"},
    {"poll_oneoff", NULL},
    {"proc_exit", NULL},
    {"proc_raise", NULL},
    {"random_get", NULL},
    {"sched_yield", NULL},
    {"sock_accept", NULL}, /* there are no sockets */
    {"sock_recv", NULL},
    {"sock_send", NULL},
    {"sock_shutdown", NULL},
};

/* --- The walk ---------------------------------------------------------------------------------------------- */

static void expect_all_named(const struct reglet__import *imports, size_t count,
                             const struct attempt *attempts, size_t attempt_count) {
    for (size_t i = 0; i < count; i++) {
        bool named = !imports[i].name; /* the embedder's: tests/integration/host_test.c */
        for (size_t j = 0; j < attempt_count && !named; j++)
            named = strcmp(imports[i].name, attempts[j].name) == 0;
        if (!named)
            fail_msg("%s is not named here: say what it must not reach without a grant", imports[i].name);
    }
}

static reglet_plugin *load(reglet_runtime *runtime, const char *name) {
    char path[512];
    reglet_plugin *plugin = NULL;
    snprintf(path, sizeof path, REGLET_GUEST_DIR "/%s.wasm", name);
    assert_int_equal(reglet_runtime_load_plugin_file(runtime, name, path, NULL, &plugin, NULL), REGLET_OK);
    return plugin;
}

/* What the guest answers, as JSON. */
static char *observe(reglet_plugin *plugin, const char *config) {
    reglet_config *parsed = NULL;
    reglet_result *result = NULL;
    assert_int_equal(reglet_config_parse(config, strlen(config), &parsed, NULL), REGLET_OK);
    assert_int_equal(reglet_plugin_observe(plugin, parsed, NULL, &result, NULL), REGLET_OK);
    char *json = strdup(reglet_result_json(result, NULL));
    reglet_result_free(result);
    reglet_config_free(parsed);
    return json;
}

static reglet_runtime *runtime_without_grants(void) {
    reglet_runtime *runtime = NULL;
    assert_int_equal(reglet_runtime_new(NULL, &runtime, NULL), REGLET_OK);
    return runtime;
}

static void host_functions__without_a_grant_are_all_refused(void **state) {
    (void)state;
    expect_all_named(reglet__host_imports, reglet__host_import_count, host_attempts,
                     ARRAY_LEN(host_attempts));
    reglet_runtime *runtime = runtime_without_grants();
    reglet_plugin *plugin = load(runtime, "relay");
    for (size_t i = 0; i < ARRAY_LEN(host_attempts); i++) {
        const struct attempt *attempt = &host_attempts[i];
        if (!attempt->request)
            continue;
        char config[512];
        snprintf(config, sizeof config, "{\"function\":\"%s\",\"request\":%s}", attempt->name,
                 attempt->request);
        char *json = observe(plugin, config);
        bool refused = strstr(json, "\\\"type\\\":\\\"capability\\\"") && strstr(json, "permission denied");
        if (strcmp(attempt->name, "ssrf_check") == 0) /* its answer is the decision */
            refused = strstr(json, "\\\"allowed\\\":false");
        if (!refused)
            fail_msg("%s was not refused: %s", attempt->name, json);
        free(json);
    }
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    assert_int_not_equal(access("/tmp/reglet-refused", F_OK), 0);
}

static void wasi_functions__without_a_grant_reach_nothing(void **state) {
    (void)state;
    expect_all_named(reglet__wasi_imports, reglet__wasi_import_count, wasi_attempts,
                     ARRAY_LEN(wasi_attempts));
    reglet_runtime *runtime = runtime_without_grants();
    reglet_plugin *plugin = load(runtime, "fsprobe");
    for (size_t i = 0; i < ARRAY_LEN(wasi_attempts); i++) {
        const struct attempt *attempt = &wasi_attempts[i];
        if (!attempt->request)
            continue;
        char *json = observe(plugin, attempt->request);
        bool refused = strstr(json, "\"errno\":\"EACCES\"") || strstr(json, "\"errno\":\"ENOTCAPABLE\"");
        if (strcmp(attempt->name, "fd_readdir") == 0) /* the root is listed, and nothing in it */
            refused = refused || (strstr(json, "\"..\"") && !strstr(json, "etc"));
        if (!refused)
            fail_msg("%s was not refused: %s", attempt->name, json);
        free(json);
    }
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    assert_int_not_equal(access("/tmp/reglet-refused", F_OK), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_functions__without_a_grant_are_all_refused),
        cmocka_unit_test(wasi_functions__without_a_grant_reach_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
