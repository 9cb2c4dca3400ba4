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

/* One function, how it is asked for something outside (NULL: it reaches nothing outside), and the grant that is named. */
struct attempt {
    const char *name;
    const char *request;
    const char *grant;
};

static const struct attempt host_attempts[] = {
    {"dns_lookup", "{\"hostname\":\"localhost\",\"type\":\"A\"}", "network:outbound:localhost:53"},
    {"env_get", "{\"name\":\"PATH\"}", "env:PATH"},
    {"exec_command", "{\"command\":\"/bin/true\"}", "exec:/bin/true"},
    {"exec_run", "{\"command\":\"true\"}", "exec:true"},
    {"fs_read", "{\"path\":\"/etc/passwd\"}", "fs:read:/etc/passwd"},
    {"fs_stat", "{\"path\":\"/etc/passwd\"}", "fs:read:/etc/passwd"},
    {"fs_write", "{\"path\":\"/tmp/reglet-refused\",\"content\":\"\",\"mode\":\"create\"}",
     "fs:write:/tmp/reglet-refused"},
    {"http_request", "{\"method\":\"GET\",\"url\":\"http://127.0.0.1:1/\"}", "network:outbound:127.0.0.1:1"},
    {"log_message", NULL, NULL},
    {"net_connect", "{\"host\":\"127.0.0.1\",\"port\":1}", "network:outbound:127.0.0.1:1"},
    {"smtp_connect", "{\"host\":\"127.0.0.1\",\"port\":\"1\"}", "network:outbound:127.0.0.1:1"},
    {"ssrf_check", "{\"address\":\"127.0.0.1:1\"}", "network:outbound:127.0.0.1:1"},
    {"tcp_connect", "{\"host\":\"127.0.0.1\",\"port\":\"1\"}", "network:outbound:127.0.0.1:1"},
};

static const struct attempt wasi_attempts[] = {
    {"args_get", NULL, NULL},
    {"args_sizes_get", NULL, NULL},
    {"environ_get", NULL, NULL}, /* granted variables alone are there */
    {"environ_sizes_get", NULL, NULL},
    {"clock_res_get", NULL, NULL},
    {"clock_time_get", NULL, NULL},
    {"fd_advise", NULL, NULL}, /* fd_… work on what was opened */
    {"fd_allocate", NULL, NULL},
    {"fd_close", NULL, NULL},
    {"fd_datasync", NULL, NULL},
    {"fd_fdstat_get", NULL, NULL},
    {"fd_fdstat_set_flags", NULL, NULL},
    {"fd_fdstat_set_rights", NULL, NULL},
    {"fd_filestat_get", NULL, NULL}, /* the root may be looked at, without what is in it */
    {"fd_filestat_set_size", "{\"op\":\"truncate\",\"fd\":3}", NULL},
    {"fd_filestat_set_times", "{\"op\":\"futimens\",\"fd\":3}", NULL},
    {"fd_pread", NULL, NULL},
    {"fd_prestat_get", NULL, NULL},
    {"fd_prestat_dir_name", NULL, NULL},
    {"fd_pwrite", NULL, NULL},
    {"fd_read", NULL, NULL},
    {"fd_readdir", "{\"op\":\"readdir\",\"fd\":3}", NULL},
    {"fd_renumber", NULL, NULL},
    {"fd_seek", NULL, NULL},
    {"fd_sync", NULL, NULL},
    {"fd_tell", NULL, NULL},
    {"fd_write", NULL, NULL},
    {"path_create_directory", "{\"op\":\"mkdir\",\"path\":\"tmp/reglet-refused\"}", NULL},
    {"path_filestat_get", "{\"op\":\"stat\",\"path\":\"etc/passwd\"}", NULL},
    {"path_filestat_set_times", "{\"op\":\"utimens\",\"path\":\"etc/passwd\"}", NULL},
    {"path_link", "{\"op\":\"link\",\"path\":\"etc/passwd\",\"path2\":\"tmp/reglet-refused\"}", NULL},
    {"path_open", "{\"op\":\"open\",\"path\":\"etc/passwd\"}", NULL},
    {"path_readlink", "{\"op\":\"readlink\",\"path\":\"etc/mtab\"}", NULL},
    {"path_remove_directory", "{\"op\":\"rmdir\",\"path\":\"tmp/reglet-refused\"}", NULL},
    {"path_rename", "{\"op\":\"rename\",\"path\":\"etc/passwd\",\"path2\":\"tmp/reglet-refused\"}", NULL},
    {"path_symlink", "{\"op\":\"symlink\",\"path\":\"x\",\"path2\":\"tmp/reglet-refused\"}", NULL},
    {"path_unlink_file", "{\"op\":\"unlink\",\"path\":\"etc/passwd\"}", NULL},
    {"poll_oneoff", NULL, NULL},
    {"proc_exit", NULL, NULL},
    {"proc_raise", NULL, NULL},
    {"random_get", NULL, NULL},
    {"sched_yield", NULL, NULL},
    {"sock_accept", NULL, NULL}, /* there are no sockets */
    {"sock_recv", NULL, NULL},
    {"sock_send", NULL, NULL},
    {"sock_shutdown", NULL, NULL},
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

/* The grant that the last denial names to the operator. */
static char told[512];

static void remember_grant(void *user_data, const reglet_log_event *event) {
    (void)user_data;
    for (size_t i = 0; i < event->attr_count && event->source == REGLET_LOG_DENIAL; i++)
        if (strcmp(event->attrs[i].key, "grant") == 0)
            snprintf(told, sizeof told, "%s", event->attrs[i].value);
}

static reglet_runtime *runtime_without_grants(void) {
    reglet_runtime *runtime = NULL;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.log = remember_grant;
    assert_int_equal(reglet_runtime_new(&options, &runtime, NULL), REGLET_OK);
    return runtime;
}

/* Whether JSON within JSON holds the text, whose slashes are escaped or not. */
static bool is_named(const char *json, const char *text) {
    char *plain = strdup(json), *to = plain;
    for (const char *from = json; *from; from++)
        if (*from != '\\')
            *to++ = *from;
    *to = '\0';
    bool found = strstr(plain, text);
    free(plain);
    return found;
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
        told[0] = '\0';
        char *json = observe(plugin, config);
        bool refused = strstr(json, "\\\"type\\\":\\\"capability\\\"") && strstr(json, "permission denied");
        if (strcmp(attempt->name, "ssrf_check") == 0) /* its answer is the decision */
            refused = strstr(json, "\\\"allowed\\\":false");
        else if (strcmp(told, attempt->grant) != 0)
            fail_msg("%s: the operator is told of \"%s\"", attempt->name, told);
        /* Of files the plugin learns nothing more. */
        if (!refused || is_named(json, attempt->grant) == (strncmp(attempt->name, "fs_", 3) == 0))
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
