/* Quotas of one call: at its limit a call passes, one beyond it ends with the quota's own code, and what was cut off is said. */
#define _GNU_SOURCE
#include "tests/integration/network_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char *const grants[] = {"network:outbound:1-65535",
                                     "network:outbound:private",
                                     "env:*",
                                     "exec:/usr/bin/true",
                                     "fs:read:/**",
                                     NULL};

static char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *text(const char *format, ...) {
    static char out[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(out, sizeof out, format, args);
    va_end(args);
    return out;
}

/* Observes with relay (or another guest, granted to read all files) under these options. */
static reglet_result *observe_under(reglet_runtime_options options, const char *guest, const char *config) {
    reglet_runtime *runtime = NULL;
    reglet_plugin *loaded = NULL;
    const reglet_grant all_files[] = {{guest, "fs:read:/**"}};
    if (strcmp(guest, "relay") == 0) {
        loaded = network_load(&runtime, options, grants);
    } else {
        options.grants = all_files;
        options.grant_count = 1;
        runtime = new_runtime(&options);
        loaded = load_guest(runtime, guest);
    }
    reglet_result *result = observe_json(loaded, config, 0);
    reglet_plugin_unref(loaded);
    reglet_runtime_free(runtime);
    return result;
}

static void expect_passes(reglet_runtime_options options, const char *guest, const char *config) {
    reglet_result *result = observe_under(options, guest, config);
    if (reglet_result_error_code(result) != REGLET_OK)
        fail_msg("%s", reglet_result_error_message(result));
    reglet_result_free(result);
}

static void expect_ends(reglet_runtime_options options, const char *guest, const char *config,
                        reglet_status code, const char *line) {
    reglet_result *result = observe_under(options, guest, config);
    if (reglet_result_error_code(result) == REGLET_OK)
        fail_msg("passed, instead of: %s", line);
    assert_string_equal(reglet_result_error_message(result), line);
    assert_int_equal(reglet_result_error_code(result), code);
    reglet_result_free(result);
}

static char *repeated(const char *function, const char *request, int times) {
    return text("{\"function\":\"%s\",\"times\":%d,\"request\":%s}", function, times, request);
}

static char *to_server(const char *function, const char *server, const char *more) {
    return text("{\"function\":\"%s\",\"request\":{\"host\":\"127.0.0.1\",\"port\":%d%s}}", function,
                servers_port(servers, server), more);
}

static char *to_url(const char *scheme, const char *path) {
    return text("{\"function\":\"http_request\",\"request\":{\"url\":\"%s://127.0.0.1:%d%s\"}}", scheme,
                servers_port(servers, scheme), path);
}

static void expect_said(const char *line) {
    if (!events_contain(&events, line))
        fail_msg("nobody said \"%s\", but: %s", line, events.text);
}

/* --- Options ---------------------------------------------------------------------------------------------- */

static void option__that_is_out_of_range_is_named_with_what_it_may_be(void **state) {
    (void)state;
    static const struct {
        size_t at;
        int64_t given;
        const char *message;
    } bad[] = {
#define AT(option) offsetof(reglet_runtime_options, option)
        {AT(max_output_bytes), -2, "max_output_bytes is -2; it may be 0 (1048576), -1 (unlimited) or 1 to "},
        {AT(max_log_messages), -2, "max_log_messages is -2; it may be 0 (10000), -1 (unlimited) or 1 to "},
        {AT(max_log_bytes), -2, "max_log_bytes is -2; it may be 0 (1048576), -1 (unlimited) or 1 to "},
        {AT(max_host_calls), -2, "max_host_calls is -2; it may be 0 (100000), -1 (unlimited) or 1 to "},
        {AT(max_network_in_bytes), -2,
         "max_network_in_bytes is -2; it may be 0 (268435456), -1 (unlimited) or 1 to "},
        {AT(max_network_out_bytes), -2,
         "max_network_out_bytes is -2; it may be 0 (67108864), -1 (unlimited) or 1 to "},
        {AT(max_commands), -2, "max_commands is -2; it may be 0 (1000), -1 (unlimited) or 1 to "},
        {AT(max_open_files), -1, "max_open_files is -1; it may be 0 (256) or 1 to 4096"},
        {AT(max_open_files), 4097, "max_open_files is 4097; it may be 0 (256) or 1 to 4096"},
#undef AT
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
        reglet_runtime *runtime = NULL;
        reglet_error *error = NULL;
        memcpy((char *)&options + bad[i].at, &bad[i].given, sizeof bad[i].given);
        assert_int_equal(reglet_runtime_new(&options, &runtime, &error), REGLET_ERR_INVALID_ARGUMENT);
        if (!strstr(reglet_error_message(error), bad[i].message))
            fail_msg("%s", reglet_error_message(error));
        reglet_error_free(error);
    }
}

static void option__minus_one_is_no_limit(void **state) {
    (void)state;
    reglet_runtime_options options = network_options();
    options.max_output_bytes = options.max_log_messages = options.max_log_bytes = -1;
    options.max_host_calls = options.max_network_in_bytes = options.max_network_out_bytes = -1;
    options.max_commands = -1;
    expect_passes(options, "relay", repeated("env_get", "{\"name\":\"PATH\"}", 100001));
    expect_passes(options, "relay", to_server("net_connect", "tcp_greets", ",\"data\":\"aGVsbG8=\""));
}

/* --- Output and logs -------------------------------------------------------------------------------------- */

static void output__what_is_beyond_the_limit_is_cut_off_and_said(void **state) {
    (void)state;
    reglet_runtime_options options = network_options();
    options.max_output_bytes = 5000;
    expect_ends(options, "flood_stdout", NULL, REGLET_ERR_OUTPUT_LIMIT,
                "fd_write passed max_output_bytes: more than 5000 bytes written to stdout and stderr");
    expect_said("host|flood_stdout||3192 bytes written to stdout were cut off");
    expect_ends(options, "flood_stderr", NULL, REGLET_ERR_OUTPUT_LIMIT,
                "fd_write passed max_output_bytes: more than 5000 bytes written to stdout and stderr");
    expect_said("host|flood_stderr||3192 bytes written to stderr were cut off");
}

static size_t count_said(const char *part) {
    size_t count = 0;
    for (const char *at = events.text; at && (at = strstr(at, part)); at++)
        count++;
    return count;
}

static void log__as_many_messages_as_the_limit_are_told_and_one_more_ends_the_call(void **state) {
    (void)state;
    reglet_runtime_options options = network_options();
    options.max_log_messages = 7;
    expect_ends(options, "flood_log", NULL, REGLET_ERR_LOG_LIMIT,
                "log_message passed max_log_messages: more than 7 messages logged");
    assert_int_equal(count_said("|look at me|"), 7);
    expect_said("host|flood_log||a log message of 40 bytes was cut off");
}

static void log__as_many_bytes_as_the_limit_are_told_and_one_more_ends_the_call(void **state) {
    (void)state;
    reglet_runtime_options options = network_options();
    size_t before = count_said("|look at me|");
    options.max_log_bytes = 3 * 40;
    expect_ends(options, "flood_log", NULL, REGLET_ERR_LOG_LIMIT,
                "log_message passed max_log_bytes: more than 120 bytes logged");
    assert_int_equal(count_said("|look at me|") - before, 3);
}

/* --- Host calls and commands ------------------------------------------------------------------------------ */

static void host_calls__at_the_limit_pass_and_one_more_ends_the_call(void **state) {
    (void)state;
    reglet_runtime_options options = network_options();
    options.max_host_calls = 5;
    expect_passes(options, "relay", repeated("env_get", "{\"name\":\"PATH\"}", 5));
    expect_ends(options, "relay", repeated("env_get", "{\"name\":\"PATH\"}", 6), REGLET_ERR_HOST_CALL_LIMIT,
                "env_get passed max_host_calls: more than 5 calls of host functions");
}

static void host_calls__without_end_end_at_the_default(void **state) {
    (void)state;
    expect_ends(network_options(), "relay", repeated("env_get", "{\"name\":\"PATH\"}", 2000000000),
                REGLET_ERR_HOST_CALL_LIMIT,
                "env_get passed max_host_calls: more than 100000 calls of host functions");
}

/* Also where the second and third start from the image of the first. */
static void host_calls__begin_anew_in_each_call(void **state) {
    (void)state;
    reglet_runtime_options options = network_options();
    reglet_runtime *runtime = NULL;
    options.max_host_calls = 5;
    reglet_plugin *loaded = network_load(&runtime, options, grants);
    for (int i = 0; i < 3; i++)
        expect_evidence(observe_json(loaded, repeated("env_get", "{\"name\":\"PATH\"}", 5), 0),
                        "\"status\":true");
    reglet_plugin_unref(loaded);
    reglet_runtime_free(runtime);
}

static void commands__at_the_limit_pass_and_one_more_ends_the_call(void **state) {
    (void)state;
    reglet_runtime_options options = network_options();
    options.max_commands = 2;
    expect_passes(options, "relay", repeated("exec_command", "{\"command\":\"/usr/bin/true\"}", 2));
    expect_ends(options, "relay", repeated("exec_run", "{\"command\":\"/usr/bin/true\"}", 3),
                REGLET_ERR_COMMAND_LIMIT, "exec_run passed max_commands: more than 2 commands run");
}

static void commands__that_are_denied_do_not_count(void **state) {
    (void)state;
    reglet_runtime_options options = network_options();
    options.max_commands = 1;
    expect_passes(options, "relay", repeated("exec_run", "{\"command\":\"/usr/bin/false\"}", 20));
}

/* --- Files ------------------------------------------------------------------------------------------------ */

static char *open_files(int times) {
    return text("{\"op\":\"open\",\"path\":\"etc/passwd\",\"repeat\":%d}", times);
}

static void files__at_the_limit_are_open_and_one_more_ends_the_call(void **state) {
    (void)state;
    reglet_runtime_options options = network_options();
    options.max_open_files = 10; /* stdin, stdout, stderr, the root, and six */
    expect_passes(options, "fsprobe", open_files(6));
    expect_ends(options, "fsprobe", open_files(7), REGLET_ERR_FILE_LIMIT,
                "path_open passed max_open_files: more than 10 files open at once");
}

static void files__without_end_end_at_the_default(void **state) {
    (void)state;
    reglet_runtime_options options = network_options();
    expect_ends(options, "fsprobe", open_files(1000000), REGLET_ERR_FILE_LIMIT,
                "path_open passed max_open_files: more than 256 files open at once");
}

static void files__that_a_host_function_opens_count_while_it_does(void **state) {
    (void)state;
    reglet_runtime_options options = network_options();
    options.max_open_files = 5;
    expect_passes(options, "relay", repeated("fs_read", "{\"path\":\"/etc/passwd\"}", 20));
    options.max_open_files = 4;
    expect_ends(options, "relay", repeated("fs_read", "{\"path\":\"/etc/passwd\"}", 1), REGLET_ERR_FILE_LIMIT,
                "fs_read passed max_open_files: more than 4 files open at once");
}

static void files__fewer_than_a_call_begins_with_are_refused_as_that(void **state) {
    (void)state;
    reglet_runtime_options options = network_options();
    options.max_open_files = 3;
    expect_ends(options, "relay", repeated("env_get", "{\"name\":\"PATH\"}", 1), REGLET_ERR_FILE_LIMIT,
                "the call would begin with more than 3 files open (max_open_files), with stdio and preopens");
}

/* --- The network ------------------------------------------------------------------------------------------ */

static void received__at_the_limit_passes_and_one_byte_more_ends_the_call(void **state) {
    (void)state;
    reglet_runtime_options options = network_options();
    options.max_network_in_bytes = 6; /* "hello" and a line break */
    expect_passes(options, "relay", to_server("net_connect", "tcp_greets", ""));
    options.max_network_in_bytes = 5;
    expect_ends(options, "relay", to_server("net_connect", "tcp_greets", ""), REGLET_ERR_NETWORK_LIMIT,
                "net_connect passed max_network_in_bytes: more than 5 bytes received over the network");
    expect_said("host|relay||1 bytes or more received over the network were cut off");
}

static void sent__at_the_limit_passes_and_one_byte_more_ends_the_call(void **state) {
    (void)state;
    reglet_runtime_options options = network_options();
    options.max_network_out_bytes = 5;
    static const char hello[] = ",\"data\":\"aGVsbG8=\",\"max_bytes\":5";
    expect_passes(options, "relay", to_server("net_connect", "tcp", hello));
    options.max_network_out_bytes = 4;
    expect_ends(options, "relay", to_server("net_connect", "tcp", hello), REGLET_ERR_NETWORK_LIMIT,
                "net_connect passed max_network_out_bytes: more than 4 bytes sent over the network");
    expect_said("host|relay||5 bytes that were to be sent over the network were cut off");
}

static void every_function__that_receives_is_stopped(void **state) {
    (void)state;
    enum { LIMIT = 20 };
    static const char line[] = "%s passed max_network_in_bytes: more than %d bytes received over the network";
    const struct {
        const char *function;
        char *config;
    } calls[] = {
        {"net_connect", strdup(to_server("net_connect", "tcp_endless", ""))},
        {"net_connect", strdup(to_server("net_connect", "tls_greets", ",\"tls\":true"))},
        {"tcp_connect", strdup(to_server("tcp_connect", "tls", ",\"tls\":true"))},
        {"smtp_connect", strdup(to_server("smtp_connect", "smtp_endless_lines", ""))},
        {"smtp_connect", strdup(to_server("smtp_connect", "smtps", ",\"tls\":true"))},
        {"http_request", strdup(to_url("http", "/hello"))},
        {"http_request", strdup(to_url("https", "/hello"))},
        {"dns_lookup", strdup(repeated("dns_lookup", "{\"hostname\":\"example.test\",\"type\":\"TXT\"}", 1))},
        {"tcp_connect", strdup(repeated("tcp_connect", "{\"host\":\"several.example.test\",\"port\":1}", 1))},
    };
    reglet_runtime_options options = network_options();
    options.max_network_in_bytes = LIMIT;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        expect_ends(options, "relay", calls[i].config, REGLET_ERR_NETWORK_LIMIT,
                    text(line, calls[i].function, LIMIT));
        free(calls[i].config);
    }
}

static void every_function__that_sends_is_stopped(void **state) {
    (void)state;
    static const char line[] = "%s passed max_network_out_bytes: more than 10 bytes sent over the network";
    const struct {
        const char *function;
        char *config;
    } calls[] = {
        {"tcp_connect", strdup(to_server("tcp_connect", "tls", ",\"tls\":true"))},
        {"smtp_connect", strdup(to_server("smtp_connect", "smtp", ""))},
        {"http_request", strdup(to_url("http", "/hello"))},
        {"http_request", strdup(to_url("https", "/hello"))},
        {"dns_lookup", strdup(repeated("dns_lookup", "{\"hostname\":\"example.test\",\"type\":\"TXT\"}", 1))},
    };
    reglet_runtime_options options = network_options();
    options.max_network_out_bytes = 10;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        expect_ends(options, "relay", calls[i].config, REGLET_ERR_NETWORK_LIMIT,
                    text(line, calls[i].function));
        free(calls[i].config);
    }
}

static long peak_kib(void) {
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* Bodies without end, and 10 GB in 10 MB: the call ends where the quota says, and little of it was ever in memory. */
static void server__that_sends_without_end_is_left_at_the_limit(void **state) {
    (void)state;
    reglet_runtime_options options = network_options();
    options.max_network_in_bytes = 1 << 20;
    char *const configs[] = {strdup(to_url("http", "/endless")), strdup(to_url("https", "/endless")),
                             strdup(to_server("net_connect", "tcp_endless", ",\"max_bytes\":10485760"))};
    static const char *const functions[] = {"http_request", "http_request", "net_connect"};
    expect_passes(options, "relay", to_url("http", "/hello")); /* what is loaded once */
    long before = peak_kib();
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        expect_ends(options, "relay", configs[i], REGLET_ERR_NETWORK_LIMIT,
                    text("%s passed max_network_in_bytes: more than 1048576 bytes received over the network",
                         functions[i]));
        free(configs[i]);
    }
    assert_true(peak_kib() - before < 64L << 10 || REGLET_SANITIZED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(option__that_is_out_of_range_is_named_with_what_it_may_be),
        cmocka_unit_test(option__minus_one_is_no_limit),
        cmocka_unit_test(output__what_is_beyond_the_limit_is_cut_off_and_said),
        cmocka_unit_test(log__as_many_messages_as_the_limit_are_told_and_one_more_ends_the_call),
        cmocka_unit_test(log__as_many_bytes_as_the_limit_are_told_and_one_more_ends_the_call),
        cmocka_unit_test(host_calls__at_the_limit_pass_and_one_more_ends_the_call),
        cmocka_unit_test(host_calls__without_end_end_at_the_default),
        cmocka_unit_test(host_calls__begin_anew_in_each_call),
        cmocka_unit_test(commands__at_the_limit_pass_and_one_more_ends_the_call),
        cmocka_unit_test(commands__that_are_denied_do_not_count),
        cmocka_unit_test(files__at_the_limit_are_open_and_one_more_ends_the_call),
        cmocka_unit_test(files__without_end_end_at_the_default),
        cmocka_unit_test(files__that_a_host_function_opens_count_while_it_does),
        cmocka_unit_test(files__fewer_than_a_call_begins_with_are_refused_as_that),
        cmocka_unit_test(received__at_the_limit_passes_and_one_byte_more_ends_the_call),
        cmocka_unit_test(sent__at_the_limit_passes_and_one_byte_more_ends_the_call),
        cmocka_unit_test(every_function__that_receives_is_stopped),
        cmocka_unit_test(every_function__that_sends_is_stopped),
        cmocka_unit_test(server__that_sends_without_end_is_left_at_the_limit),
    };
    return cmocka_run_group_tests(tests, network_set_up, network_tear_down);
}
