#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <errno.h>
#include <reglet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/failing_memory.h"
#include "util/sys.h"

/* --- Allocations of ours that fail ----------------------------------------------------------------------- */

static void ignore_event(void *user_data, const reglet_log_event *event) {
    (void)user_data;
    (void)event;
}

/* A function of an embedding program. */
static reglet_status ask_for_a(void *user_data, reglet_host_call *call) {
    (void)user_data;
    return reglet_host_call_ask(call, "read:a");
}
static reglet_status answer_one(void *user_data, reglet_host_call *call) {
    static const char response[] = "{\"status\":true,\"data\":{\"a\":1}}";
    (void)user_data;
    return reglet_host_call_respond(call, response, strlen(response));
}
static void count_freed(void *user_data) {
    ++*(int *)user_data;
}

/* An observation: of which plugin, with what config, and a part of the evidence when there is memory. */
struct way {
    const char *name, *file, *config, *evidence;
};
enum { JSON_SIZE = 4096 };

/* Returns the first failure, or the code of the plugin error. */
static reglet_status observe(reglet_plugin *plugin, const struct way *way, char *json, reglet_error **error) {
    reglet_config *config = NULL;
    reglet_result *result = NULL;
    reglet_status status = reglet_config_parse(way->config, strlen(way->config), &config, error);
    if (status == REGLET_OK)
        status = reglet_plugin_observe(plugin, config, NULL, &result, error);
    if (status == REGLET_OK)
        status = reglet_result_error_code(result);
    if (status == REGLET_OK)
        snprintf(json, JSON_SIZE, "%s", reglet_result_json(result, NULL));
    reglet_result_free(result);
    reglet_config_free(config);
    return status;
}

static reglet_status make_runtime(const struct way *way, int *freed, reglet_runtime **runtime,
                                  reglet_error **error) {
    static const reglet_grant grants[] = {{"file", "fs:read:/etc/hosts"},
                                          {"relay", "env:PATH"},
                                          {"relay", "exec:/bin/echo"},
                                          {"custom_echo", "kv:read:*"}};
    static const char *const args[] = {"a*"};
    static const reglet_exec_pin exec_pin = {"relay", "/bin/cat", args, 1};
    const char *const shared[] = {"env:REGLET_*"};
    bool describes_itself = strcmp(way->name, "custom_echo") != 0; /* a guest with no more than observe */
    reglet_host_function function = REGLET_HOST_FUNCTION_INIT;
    function.name = "echo";
    function.kind = "kv";
    function.ask = ask_for_a;
    function.serve = answer_one;
    function.user_data = freed;
    function.free_user_data = count_freed;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = grants;
    options.grant_count = sizeof grants / sizeof *grants;
    options.shared_grants = shared;
    options.shared_grant_count = describes_itself;
    options.exec_pins = &exec_pin;
    options.exec_pin_count = 1;
    options.broad_patterns = shared;
    options.broad_pattern_count = 1;
    options.host_functions = &function;
    options.host_function_count = 1;
    options.log = ignore_event;
    options.check_config = describes_itself;
    return reglet_runtime_new(&options, runtime, error);
}

/* Everything from a runtime to evidence. */
static reglet_status whole_way(const struct way *way, char *json, reglet_error **error) {
    int freed = 0;
    reglet_runtime *runtime = NULL;
    reglet_plugin *plugin = NULL;
    reglet_status status = make_runtime(way, &freed, &runtime, error);
    if (status == REGLET_OK)
        status = reglet_runtime_load_plugin_file(runtime, way->name, way->file, NULL, &plugin, error);
    if (status == REGLET_OK)
        status = observe(plugin, way, json, error);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    assert_int_equal(freed, 1);
    return status;
}

/* One allocation after the other fails: on the whole way, or with a plugin in the observation alone. */
static void walk(const struct way *way, reglet_plugin *plugin) {
    int failed_at = 0;
    char json[JSON_SIZE] = "";
    for (bool one_failed = true; one_failed; failed_at++) {
        reglet_error *error = NULL;
        memory_fail_at(failed_at);
        reglet_status status = plugin ? observe(plugin, way, json, &error) : whole_way(way, json, &error);
        one_failed = memory_has_failed();
        /* Where only the text of an event, or the grant that a denial suggests, is lost, the call goes on. */
        if (status != REGLET_OK && (status != REGLET_ERR_NO_MEMORY || !one_failed))
            fail_msg("%s, allocation %d: %s (%s)", way->config, failed_at, reglet_status_name(status),
                     reglet_error_message(error));
        reglet_error_free(error);
    }
    assert_true(failed_at > 10); /* it was walked at all */
    if (!strstr(json, way->evidence))
        fail_msg("expected \"%s\" in %s", way->evidence, json);
}

static void whole_way__every_allocation_may_fail(void **state) {
    (void)state;
    static const struct way ways[] = {
        {"file", REGLET_FILE_PLUGIN, "{\"path\":\"/etc/shadow\"}", "\"status\":false"},
        {"custom_echo", REGLET_GUEST_DIR "/custom_echo.wasm", "{}", "\"data\":{\"a\":1}"},
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        walk(&ways[i], NULL);
}

#define RELAY(function, request)                                                                             \
    "relay", REGLET_GUEST_DIR "/relay.wasm", "{\"function\":\"" function "\",\"request\":" request "}"

static void host_functions__every_allocation_may_fail(void **state) {
    (void)state;
    static const struct way ways[] = {
        {RELAY("env_get", "{\"name\":\"PATH\",\"context\":{\"request_id\":\"r\"}}"), "\\\"found\\\":true"},
        {RELAY("tcp_connect", "{\"host\":\"a.example\",\"port\":443}"), "network:outbound:a.example:443"},
        {RELAY("http_request",
               "{\"url\":\"http://a.example/\",\"headers\":{\"Host\":[\"b\"]},\"body\":\"eA==\"}"),
         "network:outbound:a.example:80"},
        {RELAY("dns_lookup", "{\"hostname\":\"a.example\",\"type\":\"A\"}"), "network:outbound:a.example:53"},
        {RELAY("exec_command", "{\"command\":\"/bin/ls\",\"args\":[\"a\"],\"env\":[\"A=b\"]}"),
         "exec:/bin/ls"},
        {RELAY("exec_command",
               "{\"command\":\"/bin/echo\",\"args\":[\"said\"],\"env\":[\"A=b\",\"PATH=c\"]}"),
         "said"},
        {RELAY("fs_read", "{\"path\":\"/etc/shadow\"}"), "permission denied"},
        {RELAY("ssrf_check", "{\"address\":\"10.0.0.1:1\"}"), "\\\"allowed\\\":false"},
    };
    int freed = 0;
    reglet_runtime *runtime = NULL;
    reglet_plugin *plugin = NULL;
    assert_int_equal(make_runtime(&ways[0], &freed, &runtime, NULL), REGLET_OK);
    assert_int_equal(
        reglet_runtime_load_plugin_file(runtime, ways[0].name, ways[0].file, NULL, &plugin, NULL), REGLET_OK);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        walk(&ways[i], plugin);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    assert_int_equal(freed, 1);
}

#undef RELAY

/* Each kind of question, what a plugin is granted, and what its module is made of. */
static reglet_status question(reglet_plugin *plugin, size_t which) {
    static const char *const requests[] = {"exec:/bin/echo", "exec:cat", "fs:read:/etc/hosts", "env:A",
                                           "network:outbound:10.0.0.1:443"};
    const reglet_grants *grants = NULL;
    const reglet_decision *decision = NULL;
    const reglet_inspection *inspection = NULL;
    enum { ASKED = sizeof requests / sizeof *requests };
    reglet_status status = which == ASKED ? reglet_plugin_grants(plugin, NULL, &grants, NULL)
                           : which == ASKED + 1
                               ? reglet_plugin_inspect(plugin, NULL, &inspection, NULL)
                               : reglet_plugin_ask(plugin, requests[which], NULL, &decision, NULL);
    reglet_grants_free(grants);
    reglet_decision_free(decision);
    reglet_inspection_free(inspection);
    return status;
}

static void questions__every_allocation_may_fail(void **state) {
    (void)state;
    static const struct way way = {"relay", REGLET_GUEST_DIR "/relay.wasm", "{}", ""};
    int freed = 0;
    reglet_runtime *runtime = NULL;
    reglet_plugin *plugin = NULL;
    assert_int_equal(make_runtime(&way, &freed, &runtime, NULL), REGLET_OK);
    assert_int_equal(reglet_runtime_load_plugin_file(runtime, way.name, way.file, NULL, &plugin, NULL),
                     REGLET_OK);
    for (size_t which = 0; which <= 6; which++) {
        bool one_failed = true;
        for (int failed_at = 0; one_failed; failed_at++) {
            memory_fail_at(failed_at);
            reglet_status status = question(plugin, which);
            one_failed = memory_has_failed();
            if (status != REGLET_OK && (status != REGLET_ERR_NO_MEMORY || !one_failed))
                fail_msg("question %zu, allocation %d: %s", which, failed_at, reglet_status_name(status));
        }
    }
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    assert_int_equal(freed, 1);
}

/* --- System calls that fail ------------------------------------------------------------------------------ */

static int openat2_errno, eventfd_errno, readlink_errno;

int __real_reglet__sys_openat2(int dir, const char *path, const struct open_how *how);
int __real_reglet__sys_eventfd(unsigned value, int flags);
ssize_t __real_reglet__sys_readlinkat(int dir, const char *path, char *out, size_t size);
int __wrap_reglet__sys_openat2(int dir, const char *path, const struct open_how *how);
int __wrap_reglet__sys_eventfd(unsigned value, int flags);
ssize_t __wrap_reglet__sys_readlinkat(int dir, const char *path, char *out, size_t size);

int __wrap_reglet__sys_openat2(int dir, const char *path, const struct open_how *how) {
    if (!openat2_errno)
        return __real_reglet__sys_openat2(dir, path, how);
    errno = openat2_errno;
    return -1;
}
int __wrap_reglet__sys_eventfd(unsigned value, int flags) {
    if (!eventfd_errno)
        return __real_reglet__sys_eventfd(value, flags);
    errno = eventfd_errno;
    return -1;
}
ssize_t __wrap_reglet__sys_readlinkat(int dir, const char *path, char *out, size_t size) {
    if (!readlink_errno)
        return __real_reglet__sys_readlinkat(dir, path, out, size);
    errno = readlink_errno;
    return -1;
}

static int platform_error;
int __real_hs_valid_platform(void);
int __wrap_hs_valid_platform(void);

int __wrap_hs_valid_platform(void) {
    return platform_error ? platform_error : __real_hs_valid_platform();
}

/* Without the instructions nothing could be shown, and a call could not say why. */
static void runtime__processor_that_cannot_redact_is_named(void **state) {
    (void)state;
    enum { HS_ARCH_ERROR = -11 };
    reglet_runtime *runtime = NULL;
    reglet_error *error = NULL;
    platform_error = HS_ARCH_ERROR;
    assert_int_equal(reglet_runtime_new(NULL, &runtime, &error), REGLET_ERR_UNSUPPORTED);
    assert_non_null(strstr(reglet_error_message(error), "SSE4.2"));
    assert_null(runtime);
    reglet_error_free(error);
    platform_error = 0;
}

static void observe_hosts(char *json, size_t size) {
    const reglet_grant grant = {"file", "fs:read:/etc/hosts"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = &grant;
    options.grant_count = 1;
    reglet_runtime *runtime = NULL;
    reglet_plugin *plugin = NULL;
    reglet_config *config = NULL;
    reglet_result *result = NULL;
    assert_int_equal(reglet_runtime_new(&options, &runtime, NULL), REGLET_OK);
    assert_int_equal(
        reglet_runtime_load_plugin_file(runtime, "file", REGLET_FILE_PLUGIN, NULL, &plugin, NULL), REGLET_OK);
    assert_int_equal(reglet_config_new(&config, NULL), REGLET_OK);
    assert_int_equal(reglet_config_set_string(config, "path", "/etc/hosts", NULL), REGLET_OK);
    assert_int_equal(reglet_plugin_observe(plugin, config, NULL, &result, NULL), REGLET_OK);
    snprintf(json, size, "%s", reglet_result_json(result, NULL));
    reglet_result_free(result);
    reglet_config_free(config);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* Comes first: what the process needs for files is opened once, and kept. */
static void runtime__no_descriptor_left_is_an_error_and_may_pass(void **state) {
    (void)state;
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){3, before.rlim_max};
    reglet_runtime *runtime = NULL;
    reglet_error *error = NULL;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    reglet_status status = reglet_runtime_new(NULL, &runtime, &error);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_string_equal(reglet_status_name(status), "io");
    assert_int_equal(reglet_error_errno(error), EMFILE);
    assert_null(runtime);
    reglet_error_free(error);
    char json[4096];
    observe_hosts(json, sizeof json);
    assert_non_null(strstr(json, "\"status\":true"));
}

/* Without a way to ask the kernel what was opened, a granted file is refused: never fall back to path strings. */
static void files__kernel_that_cannot_resolve_refuses(void **state) {
    (void)state;
    char json[4096];
    observe_hosts(json, sizeof json);
    assert_non_null(strstr(json, "\"status\":true"));
    static const int errors[] = {ENOSYS, EPERM, EINVAL, EMFILE};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        openat2_errno = errors[i];
        observe_hosts(json, sizeof json);
        openat2_errno = 0;
        assert_non_null(strstr(json, "\"status\":false"));
        assert_null(strstr(json, "\"size\""));
    }
    readlink_errno = ENOENT;
    observe_hosts(json, sizeof json);
    readlink_errno = 0;
    assert_non_null(strstr(json, "\"status\":false"));
    assert_null(strstr(json, "\"size\""));
}

static void load__no_descriptor_left_is_an_error(void **state) {
    (void)state;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.cache_mode = REGLET_CACHE_NONE;
    reglet_runtime *runtime = NULL;
    reglet_plugin *plugin = NULL;
    reglet_error *error = NULL;
    assert_int_equal(reglet_runtime_new(&options, &runtime, NULL), REGLET_OK);
    eventfd_errno = EMFILE;
    assert_int_not_equal(
        reglet_runtime_load_plugin_file(runtime, "file", REGLET_FILE_PLUGIN, NULL, &plugin, &error),
        REGLET_OK);
    eventfd_errno = 0;
    assert_null(plugin);
    assert_non_null(error);
    reglet_error_free(error);
    reglet_runtime_free(runtime);
}

/* --- Compiled code in files, with allocations and descriptors that fail -------------------------------------- */

/* What a process does with a plugin: on code by the fast compiler first, then by the other one; or on what is in the files. */
static reglet_status one_process(const char *directory, reglet_error **error) {
    reglet_cache_options cache_options = REGLET_CACHE_OPTIONS_INIT;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    reglet_runtime *runtime = NULL;
    reglet_plugin *plugin = NULL;
    reglet_result *result = NULL;
    cache_options.directory = directory;
    options.cache_mode = REGLET_CACHE_OWN;
    options.log = ignore_event;
    call.timeout_ms = 20000; /* nothing takes so long, unless it was forgotten */
    reglet_status status = reglet_cache_new(&cache_options, &options.cache, error);
    if (status == REGLET_OK)
        status = reglet_runtime_new(&options, &runtime, error);
    if (status == REGLET_OK)
        status = reglet_runtime_load_plugin_file(runtime, "counter", REGLET_GUEST_DIR "/counter.wasm", NULL,
                                                 &plugin, error);
    for (int i = 0; i < 2 && status == REGLET_OK; i++) {
        status = reglet_plugin_observe(plugin, NULL, &call, &result, error);
        if (status == REGLET_OK)
            status = reglet_result_error_code(result);
        reglet_result_free(result);
        result = NULL;
        if (status == REGLET_OK)
            status = reglet_plugin_optimize(plugin, &call, error);
    }
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    reglet_cache_unref(options.cache);
    return status;
}

static void empty(const char *directory) {
    reglet_cache_options options = REGLET_CACHE_OPTIONS_INIT;
    reglet_cache_prune_options all = REGLET_CACHE_PRUNE_OPTIONS_INIT;
    reglet_cache *cache = NULL;
    options.directory = directory;
    all.all = true;
    assert_int_equal(reglet_cache_new(&options, &cache, NULL), REGLET_OK);
    assert_int_equal(reglet_cache_prune(cache, &all, NULL, NULL), REGLET_OK);
    reglet_cache_unref(cache);
}

static void code_in_files__every_allocation_may_fail(void **state) {
    (void)state;
    char directory[] = "/tmp/reglet-fault-XXXXXX";
    assert_non_null(mkdtemp(directory));
    for (int known = 0; known < 2; known++) {
        int failed_at = 0;
        for (bool one_failed = true; one_failed; failed_at++) {
            reglet_error *error = NULL;
            empty(directory);
            if (known)
                assert_int_equal(one_process(directory, NULL), REGLET_OK);
            memory_fail_at(failed_at);
            reglet_status status = one_process(directory, &error);
            one_failed = memory_has_failed();
            if (status != REGLET_OK && (status != REGLET_ERR_NO_MEMORY || !one_failed))
                fail_msg("allocation %d: %s (%s)", failed_at, reglet_status_name(status),
                         reglet_error_message(error));
            reglet_error_free(error);
        }
        assert_true(failed_at > 10);
    }
    empty(directory);
    assert_int_equal(rmdir(directory), 0);
}

/* Nothing is lost for ever: what has no descriptor fails, or goes without the file. */
static void code_in_files__every_descriptor_may_be_the_last(void **state) {
    (void)state;
    char directory[] = "/tmp/reglet-fault-XXXXXX";
    assert_non_null(mkdtemp(directory));
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int failures = 0;
    for (rlim_t most = 3; most < 40; most++) {
        const struct rlimit few = {most, before.rlim_max};
        reglet_error *error = NULL;
        empty(directory);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        reglet_status first = one_process(directory, &error), second = one_process(directory, NULL);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (first != REGLET_OK && first != REGLET_ERR_IO && first != REGLET_ERR_NO_MEMORY)
            fail_msg("%d descriptors: %s (%s)", (int)most, reglet_status_name(first),
                     reglet_error_message(error));
        /* A thread that the first has left behind may still hold a descriptor that the second would need. */
        assert_true(second == REGLET_OK || second == REGLET_ERR_IO || second == REGLET_ERR_NO_MEMORY);
        failures += first != REGLET_OK;
        reglet_error_free(error);
    }
    assert_true(failures > 0);
    assert_int_equal(one_process(directory, NULL), REGLET_OK);
    empty(directory);
    assert_int_equal(rmdir(directory), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runtime__processor_that_cannot_redact_is_named),
        cmocka_unit_test(runtime__no_descriptor_left_is_an_error_and_may_pass),
        cmocka_unit_test(files__kernel_that_cannot_resolve_refuses),
        cmocka_unit_test(load__no_descriptor_left_is_an_error),
        cmocka_unit_test(whole_way__every_allocation_may_fail),
        cmocka_unit_test(code_in_files__every_allocation_may_fail),
        cmocka_unit_test(code_in_files__every_descriptor_may_be_the_last),
        cmocka_unit_test(host_functions__every_allocation_may_fail),
        cmocka_unit_test(questions__every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
