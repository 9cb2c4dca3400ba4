#define _GNU_SOURCE
#include "tests/integration/servers.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How requests reach host functions and responses the guest, and functions of the embedding program. */

/* --- Requests -------------------------------------------------------------------------------------------- */

static void expect_response(const char *config, const char *part) {
    reglet_runtime *runtime = new_runtime_granting("relay", "env:HOME");
    reglet_plugin *plugin = load_guest(runtime, "relay");
    expect_evidence(observe_json(plugin, config, 0), part);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void request__that_is_no_json_is_a_validation_error(void **state) {
    (void)state;
    expect_response("{\"function\":\"env_get\",\"text\":\"{'name': \"}", "the request is no JSON");
    expect_response("{\"function\":\"env_get\",\"text\":\"[1]\"}",
                    "the request must be an object, not an array");
    expect_response("{\"function\":\"env_get\",\"text\":\"\"}", "the request is no JSON");
    expect_response("{\"function\":\"env_get\",\"text\":\"{} x\"}", "the request is no JSON");
}

static void request__members_of_another_type_are_named(void **state) {
    (void)state;
    expect_response("{\"function\":\"env_get\",\"request\":{}}", "name is missing");
    expect_response("{\"function\":\"env_get\",\"request\":{\"name\":null}}", "name is missing");
    expect_response("{\"function\":\"env_get\",\"request\":{\"name\":7}}", "name must be a string");
    expect_response("{\"function\":\"env_get\",\"request\":{\"name\":\"HOME\\u0000X\"}}", "without NUL");
    expect_response("{\"function\":\"fs_read\",\"request\":{\"path\":\"/x\",\"offset\":-1}}",
                    "offset must be");
    expect_response("{\"function\":\"fs_read\",\"request\":{\"path\":\"/x\",\"max_bytes\":1e40}}",
                    "max_bytes must be a whole number from 1 to 10485760");
    expect_response(
        "{\"function\":\"fs_write\",\"request\":{\"path\":\"/x\",\"content\":\"a\",\"mode\":\"append\"}}",
        "content must be base64");
    expect_response(
        "{\"function\":\"fs_write\",\"request\":{\"path\":\"/x\",\"content\":\"\",\"mode\":\"a\"}}",
        "mode must be create, truncate or append");
    expect_response("{\"function\":\"tcp_connect\",\"request\":{\"host\":\"a\",\"port\":\"+80\"}}", "port");
    expect_response("{\"function\":\"tcp_connect\",\"request\":{\"host\":\"a\",\"port\":65536}}", "port");
    expect_response("{\"function\":\"exec_command\",\"request\":{\"command\":\"/bin/x\",\"args\":[1]}}",
                    "args must be a list of strings");
}

static void request__nested_beyond_the_limit_is_refused(void **state) {
    (void)state;
    char config[8192] = "{\"function\":\"env_get\",\"text\":\"";
    size_t length = strlen(config);
    memset(config + length, '[', 4000);
    strcpy(config + length + 4000, "\"}");
    expect_response(config, "the request is no JSON");
}

static void request__context_bounds_it(void **state) {
    (void)state;
    static const char *const in_time[] = {
        "{}",
        "{\"deadline\":null}",
        "{\"deadline\":\"0001-01-01T00:00:00Z\",\"Canceled\":false}",
        "{\"deadline\":\"9999-12-31T23:59:59Z\",\"timeout_ms\":60000,\"request_id\":\"r\"}",
        "{\"timeout_ms\":0}",
        "{\"timeout_ms\":-1}",
    };
    char config[512];
    for (size_t i = 0; i < sizeof in_time / sizeof *in_time; i++) {
        snprintf(config, sizeof config,
                 "{\"function\":\"env_get\",\"request\":{\"name\":\"HOME\",\"context\":%s}}", in_time[i]);
        expect_response(config, "\\\"found\\\":true");
    }
    expect_response("{\"function\":\"env_get\",\"request\":{\"name\":\"HOME\",\"context\":{\"deadline\":"
                    "\"2020-01-01T00:00:00Z\"}}}",
                    "\\\"code\\\":\\\"ETIMEDOUT\\\",\\\"is_timeout\\\":true");
    expect_response(
        "{\"function\":\"env_get\",\"request\":{\"name\":\"HOME\",\"context\":{\"Canceled\":true}}}",
        "ECANCELED");
    expect_response(
        "{\"function\":\"env_get\",\"request\":{\"name\":\"HOME\",\"context\":{\"canceled\":true}}}",
        "ECANCELED");
    expect_response(
        "{\"function\":\"env_get\",\"request\":{\"name\":\"HOME\",\"context\":{\"deadline\":\"soon\"}}}",
        "context.deadline must be an RFC 3339 time");
    expect_response("{\"function\":\"env_get\",\"request\":{\"name\":\"HOME\",\"timeout_ms\":\"5\"}}",
                    "timeout_ms must be a whole number");
}

/* --- Denials ---------------------------------------------------------------------------------------------- */

/* Functions of every kind that denies, each asked for `name` in the place where a name fits; single quotes are double ones. */
static const char *const denied_requests[][2] = {
    {"env_get", "{'name':'%s','context':{'request_id':'%s'}}"},
    {"fs_read", "{'path':'/nowhere/%s','context':{'request_id':'%s'}}"},
    {"fs_stat", "{'path':'/nowhere/%s','context':{'request_id':'%s'}}"},
    {"fs_write", "{'path':'/nowhere/%s','mode':'create','context':{'request_id':'%s'}}"},
    {"exec_command", "{'command':'/nowhere/%s','context':{'request_id':'%s'}}"},
    {"dns_lookup", "{'hostname':'%s.example','type':'A','context':{'request_id':'%s'}}"},
    {"tcp_connect", "{'host':'%s.example','port':1,'context':{'request_id':'%s'}}"},
    {"smtp_connect", "{'host':'%s.example','port':1,'context':{'request_id':'%s'}}"},
    {"http_request", "{'url':'http://%s.example/','context':{'request_id':'%s'}}"},
};
enum { DENIED_REQUESTS = sizeof denied_requests / sizeof *denied_requests };

/* The response to each of them, by a plugin that is granted nothing; `check` sees it. */
static void each_denied(const char *name, const char *id, struct events *events,
                        void (*check)(size_t which, const char *response)) {
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.log = events_collect;
    options.log_user_data = events;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "relay");
    for (size_t i = 0; i < DENIED_REQUESTS; i++) {
        char request[256];
        const char *format = denied_requests[i][1], *hole = strstr(format, "%s"),
                   *second = strstr(hole + 2, "%s");
        snprintf(request, sizeof request, "%.*s%s%.*s%s%s", (int)(hole - format), format, name,
                 (int)(second - hole - 2), hole + 2, id, second + 2);
        char *response = relay(plugin, denied_requests[i][0], "%s", request);
        check(i, response);
        free(response);
    }
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void expect_capability(size_t which, const char *response) {
    (void)which;
    expect_member(response, "/error/type", "capability");
    expect_member_contains(response, "/error/message", "permission denied");
}

static void denial__has_the_request_id_of_its_context(void **state) {
    (void)state;
    struct events events;
    events_init(&events);
    each_denied("A", "from-the-plugin", &events, expect_capability);
    size_t found = 0;
    for (const char *at = events.text; (at = strstr(at, "denial|relay|from-the-plugin|permission denied|"));
         at++)
        found++;
    assert_int_equal(found, DENIED_REQUESTS);
    each_denied("A", "\\u001b[2J\\n", &events, expect_capability);
    assert_true(events_contain(&events, "denial|relay|\\x1b[2J\\n|permission denied|"));
    assert_null(strchr(events.text, '\x1b'));
    events_free(&events);
}

/* What a host's name may not hold is no denial, and is quoted all the same. */
static void expect_shown(size_t which, const char *response) {
    static const char *const marks[] = {"\x1b", "\n", "\xc2\x9b", "\xe2\x80\xae"};
    char *message = json_member(response, "/error/message");
    assert_non_null(message);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strstr(message, marks[i]))
            fail_msg("%s: %s", denied_requests[which][0], message);
    if (!strstr(message, "\\x1b]52;c;aGk=\\x07\\n\\x9b31m\\u202e"))
        fail_msg("%s: %s", denied_requests[which][0], message);
    free(message);
}

static void denial__of_a_name_that_steers_a_terminal_shows_it(void **state) {
    (void)state;
    struct events events;
    events_init(&events);
    each_denied("\\u001b]52;c;aGk=\\u0007\\n\\u009b31m\\u202e", "r", &events, expect_shown);
    assert_null(strchr(events.text, '\x1b'));
    assert_null(strstr(events.text, "\xc2\x9b"));
    assert_null(strstr(events.text, "\xe2\x80\xae"));
    assert_true(events_contain(&events, "\\x1b]52;c;aGk=\\x07\\n\\x9b31m\\u202e"));
    events_free(&events);
}

/* --- What the log can be made to hold ---------------------------------------------------------------------- */

/* Observes relay, which is granted nothing, with a config to be freed. */
static void relay_with(char *config, struct events *events) {
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.log = events_collect;
    options.log_user_data = events;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "relay");
    reglet_result_free(observe_json(plugin, config, 0));
    free(config);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* A config for relay in which "%s" is `count` times `letter`. */
static char *config_with_many(const char *format, char letter, size_t count) {
    char *many = calloc(1, count + 1), *config = NULL;
    assert_non_null(many);
    memset(many, letter, count);
    const char *hole = strstr(format, "%s");
    assert_true(asprintf(&config, "%.*s%s%s", (int)(hole - format), format, many, hole + 2) >= 0);
    free(many);
    return config;
}

static void log__headers_that_are_dropped_cannot_flood_it(void **state) {
    (void)state;
    struct events events;
    events_init(&events);
    relay_with(
        strdup("{\"function\":\"http_request\",\"times\":600,\"request\":{\"url\":\"http://a.example/\","
               "\"headers\":{\"Host\":[\"a\",\"b\",\"c\"]}}}"),
        &events);
    size_t found = 0;
    for (const char *at = events.text; (at = strstr(at, "is not the plugin's to set")); at++)
        found++;
    assert_int_equal(found, 1000);
    events_free(&events);
}

static void log__long_request_id_is_cut(void **state) {
    (void)state;
    struct events events;
    events_init(&events);
    relay_with(config_with_many(
                   "{\"function\":\"http_request\",\"request\":{\"url\":\"http://a.example/\",\"headers\":{"
                   "\"Host\":\"a\"},\"context\":{\"request_id\":\"%s\"}}}",
                   'i', 1 << 20),
               &events);
    const char *id = strstr(events.text, "|iii");
    assert_non_null(id);
    assert_int_equal(strspn(id + 1, "i"), 256);
    assert_true(events.size < 8192);
    events_free(&events);
}

static void log__denial_of_a_long_command_is_cut(void **state) {
    (void)state;
    struct events events;
    events_init(&events);
    relay_with(
        config_with_many("{\"function\":\"exec_command\",\"request\":{\"command\":\"/%s\"}}", 'c', 1 << 20),
        &events);
    assert_true(events_contain(&events, "permission denied|asked=run /ccc"));
    assert_true(events.size < 16384);
    events_free(&events);
}

/* --- Where requests lie and responses go ------------------------------------------------------------------ */

static void observe_guest(const char *guest, reglet_status status, const char *part) {
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.memory_limit_mib = 64;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, guest);
    reglet_result *result = observe_json(plugin, NULL, 300);
    if (status == REGLET_OK)
        expect_evidence(result, part);
    else
        expect_plugin_error(result, status, part);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void request__anywhere_in_memory_or_outside_is_answered(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"response_taken", "\"type\":\"capability\",\"code\":\"EPERM\""},
        {"request_outside", "\"type\":\"validation\",\"code\":\"EFAULT\""},
        {"request_wraps", "\"type\":\"validation\",\"code\":\"EFAULT\""},
        {"request_huge", "\"type\":\"validation\",\"code\":\"EMSGSIZE\""},
        {"request_nothing", "\"type\":\"validation\",\"code\":\"EINVAL\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        observe_guest(cases[i][0], REGLET_OK, cases[i][1]);
}

static void response__that_does_not_fit_ends_the_call_and_says_so(void **state) {
    (void)state;
    observe_guest("response_zero", REGLET_ERR_BAD_OUTPUT, "does not fit: the plugin's allocate returned 0");
    observe_guest("response_outside", REGLET_ERR_BAD_OUTPUT, "which lies outside its memory");
    observe_guest("response_trap", REGLET_ERR_TRAP, "does not fit: the plugin trapped: unreachable");
    observe_guest("response_grow", REGLET_ERR_MEMORY_LIMIT, "does not fit: the plugin wanted");
    observe_guest("response_exit", REGLET_ERR_EXIT, "exited with code 7");
    observe_guest("response_loop", REGLET_ERR_TIMEOUT, "deadline");
    observe_guest("response_asks", REGLET_ERR_BAD_OUTPUT, "allocate called a host function");
}

/* --- Functions of the embedding program -------------------------------------------------------------------- */

/* What a function of the tests does, and what became of it. */
struct custom {
    const char *asks[3];
    const char *response; /* NULL: none */
    const char *fails;    /* a message, or NULL */
    reglet_status status;
    int64_t waits_ms;
    int asked, served, freed;
    int64_t time_left_ms;
    char request[64], plugin[64], request_id[64];
};

static reglet_status custom_ask(void *user_data, reglet_host_call *call) {
    struct custom *custom = user_data;
    custom->asked++;
    reglet_status status = REGLET_OK;
    for (size_t i = 0; i < 3 && custom->asks[i] && status == REGLET_OK; i++)
        status = reglet_host_call_ask(call, custom->asks[i]);
    return status;
}

static reglet_status custom_serve(void *user_data, reglet_host_call *call) {
    struct custom *custom = user_data;
    size_t size = 0;
    custom->served++;
    custom->time_left_ms = reglet_host_call_time_left_ms(call);
    snprintf(custom->request, sizeof custom->request, "%s", reglet_host_call_request(call, &size));
    assert_int_equal(size, strlen(custom->request));
    snprintf(custom->plugin, sizeof custom->plugin, "%s", reglet_host_call_plugin(call));
    const char *id = reglet_host_call_request_id(call);
    snprintf(custom->request_id, sizeof custom->request_id, "%s", id ? id : "(none)");
    reglet_status status = REGLET_OK;
    if (custom->waits_ms)
        status = reglet_host_call_wait(call, -1, 0, custom->waits_ms);
    if (status == REGLET_OK && custom->response)
        status = reglet_host_call_respond(call, custom->response, strlen(custom->response));
    if (status == REGLET_OK && custom->fails)
        status = reglet_host_call_fail(call, "execution", "EBUSY", custom->fails);
    return status == REGLET_OK ? custom->status : status;
}

static void custom_free(void *user_data) {
    ((struct custom *)user_data)->freed++;
}

static reglet_host_function custom_function(struct custom *custom, const char *name, const char *kind) {
    reglet_host_function function = REGLET_HOST_FUNCTION_INIT;
    function.name = name;
    function.kind = kind;
    function.ask = kind ? custom_ask : NULL;
    function.serve = custom_serve;
    function.user_data = custom;
    function.free_user_data = custom_free;
    return function;
}

/* Observes the guest that asks "echo", in a runtime that has it and a grant. */
static reglet_status try_echo(struct custom *custom, const char *kind, const char *granted,
                              int64_t timeout_ms, struct events *events, reglet_result **result,
                              reglet_error **error) {
    const reglet_host_function function = custom_function(custom, "echo", kind);
    const reglet_grant grant = {"custom_echo", granted};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.host_functions = &function;
    options.host_function_count = 1;
    options.grants = &grant;
    options.grant_count = granted != NULL;
    options.log = events ? events_collect : NULL;
    options.log_user_data = events;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "custom_echo");
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = timeout_ms;
    call.request_id = "r-1";
    reglet_status status = reglet_plugin_observe(plugin, NULL, &call, result, error);
    reglet_plugin_unref(plugin);
    assert_int_equal(custom->freed, 0);
    reglet_runtime_free(runtime);
    assert_int_equal(custom->freed, 1);
    return status;
}

static reglet_result *observe_echo(struct custom *custom, const char *kind, const char *granted,
                                   int64_t timeout_ms, struct events *events) {
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    EXPECT(try_echo(custom, kind, granted, timeout_ms, events, &result, &error), REGLET_OK, error);
    return result;
}

static void host_function__sees_the_request_and_answers(void **state) {
    (void)state;
    struct custom custom = {.asks = {"read:a"}, .response = "{\"status\":true,\"data\":{\"a\":1}}"};
    expect_evidence(observe_echo(&custom, "kv", "kv:read:*", 5000, NULL), "\"data\":{\"a\":1}");
    assert_int_equal(custom.asked, 1);
    assert_int_equal(custom.served, 1);
    assert_string_equal(custom.request, "{\"name\":\"HOME\"}");
    assert_string_equal(custom.plugin, "custom_echo");
    assert_string_equal(custom.request_id, "r-1");
    assert_in_range(custom.time_left_ms, 1, 5000);
}

static void host_function__denied_is_never_served_and_reported(void **state) {
    (void)state;
    struct events events;
    events_init(&events);
    struct custom custom = {.asks = {"read:a"}, .response = "{}"};
    expect_evidence(
        observe_echo(&custom, "kv", NULL, 0, &events),
        "\"message\":\"permission denied: kv:read:a: no grant covers it; a grant that would allow it: "
        "kv:read:a\",\"type\":\"capability\",\"code\":\"EPERM\"");
    assert_int_equal(custom.asked, 1);
    assert_int_equal(custom.served, 0);
    assert_true(events_contain(&events, "denial|custom_echo|r-1|permission denied|asked=kv:read:a"));
    assert_true(events_contain(&events, "grant=kv:read:a"));
    events_free(&events);
}

static void host_function__everything_it_asks_for_must_be_allowed(void **state) {
    (void)state;
    struct custom custom = {.asks = {"read:a", "write:b"}, .response = "{}"};
    expect_evidence(observe_echo(&custom, "kv", "kv:read:**", 0, NULL), "allow it: kv:write:b");
    assert_int_equal(custom.served, 0);
    custom = (struct custom){.asks = {"read:a", "write:b"}, .response = "{}"};
    reglet_result_free(observe_echo(&custom, "kv", "kv:read-write:**", 0, NULL));
    assert_int_equal(custom.served, 1);
}

static void host_function__that_asks_for_nothing_or_nonsense_is_refused(void **state) {
    (void)state;
    struct custom nothing = {.response = "{}"};
    expect_evidence(observe_echo(&nothing, "kv", "kv:read-write:**", 0, NULL),
                    "permission denied: echo: the host cannot tell what it asks for");
    assert_int_equal(nothing.served, 0);
    static const char *const asks[] = {"read", "read:*", "read:../a", "read:a\x1b[2J", "look:a", ""};
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        struct custom nonsense = {.asks = {asks[i]}, .response = "{}"};
        reglet_result *result = observe_echo(&nonsense, "kv", "kv:read-write:**", 0, NULL);
        assert_null(strchr(reglet_result_json(result, NULL), '\x1b'));
        expect_evidence(result, "\"type\":\"validation\",\"code\":\"EINVAL\"");
        assert_int_equal(nonsense.served, 0);
    }
}

static void host_function__without_a_kind_needs_no_grant(void **state) {
    (void)state;
    struct custom custom = {.response = "{\"status\":true}"};
    expect_evidence(observe_echo(&custom, NULL, NULL, 0, NULL), "\"status\":true");
    assert_int_equal(custom.served, 1);
}

static void host_function__waits_no_longer_than_the_call(void **state) {
    (void)state;
    struct custom custom = {.response = "{}", .waits_ms = 60000};
    int64_t before = now_ms();
    expect_plugin_error(observe_echo(&custom, NULL, NULL, 100, NULL), REGLET_ERR_TIMEOUT, "deadline");
    assert_true(now_ms() - before < 10000);
}

static atomic_bool in_function;

/* Waits for nothing, as long as it may; what it is told then. */
static reglet_status wait_for_nothing(void *user_data, reglet_host_call *call) {
    assert_int_equal(reglet_host_call_check(call), REGLET_OK);
    assert_int_equal(reglet_host_call_time_left_ms(call), -1);
    atomic_store(&in_function, true);
    reglet_status status = reglet_host_call_wait(call, -1, 0, -1);
    assert_int_equal(reglet_host_call_check(call), REGLET_ERR_CANCELLED);
    *(int *)user_data = (int)status;
    return status;
}

static void *cancel_in_function(void *token) {
    for (int tries = 0; tries < 10000 && !atomic_load(&in_function); tries++)
        usleep(1000);
    reglet_cancel_token_cancel(token);
    return NULL;
}

static void host_function__is_told_that_its_call_was_cancelled(void **state) {
    (void)state;
    int told = 0;
    pthread_t thread;
    reglet_host_function function = REGLET_HOST_FUNCTION_INIT;
    function.name = "echo";
    function.serve = wait_for_nothing;
    function.user_data = &told;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.host_functions = &function;
    options.host_function_count = 1;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "custom_echo");
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    reglet_result *result = NULL;
    call.timeout_ms = -1;
    assert_int_equal(reglet_cancel_token_new(&call.cancel, NULL), REGLET_OK);
    assert_int_equal(pthread_create(&thread, NULL, cancel_in_function, call.cancel), 0);
    assert_int_equal(reglet_plugin_observe(plugin, NULL, &call, &result, NULL), REGLET_OK);
    pthread_join(thread, NULL);
    assert_int_equal(told, REGLET_ERR_CANCELLED);
    expect_plugin_error(result, REGLET_ERR_CANCELLED, "cancelled");
    reglet_cancel_token_unref(call.cancel);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* The host's own trouble is a failure of the call, and no result of the plugin. */
static void host_function__other_statuses_end_the_call(void **state) {
    (void)state;
    static const struct {
        reglet_status returned, expected;
    } cases[] = {{REGLET_ERR_IO, REGLET_ERR_IO}, {(reglet_status)1, REGLET_ERR_INTERNAL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct custom custom = {.status = cases[i].returned};
        reglet_result *result = NULL;
        reglet_error *error = NULL;
        reglet_status status = try_echo(&custom, NULL, NULL, 0, NULL, &result, &error);
        assert_non_null(strstr(reglet_error_message(error), "the host function echo ended the call"));
        expect_status(status, cases[i].expected, error, "echo");
        assert_null(result);
    }
}

static void host_function__bad_answers_become_errors(void **state) {
    (void)state;
    struct custom none = {0}, no_json = {.response = "{"}, fails = {.fails = "busy\nnow"},
                  silent = {.fails = ""};
    expect_evidence(observe_echo(&none, NULL, NULL, 0, NULL), "\"type\":\"internal\",\"code\":\"EIO\"");
    expect_evidence(observe_echo(&no_json, NULL, NULL, 0, NULL), "the host function echo answered no JSON");
    expect_evidence(observe_echo(&fails, NULL, NULL, 0, NULL),
                    "\"message\":\"busy\\\\nnow\",\"type\":\"execution\",\"code\":\"EBUSY\"");
    expect_evidence(observe_echo(&silent, NULL, NULL, 0, NULL), "\"message\":\"the host function failed\"");
}

static reglet_status respond_too_much(void *user_data, reglet_host_call *call) {
    (void)user_data;
    size_t size = ((size_t)128 << 20) + 1;
    char *response = malloc(size);
    assert_non_null(response);
    memset(response, ' ', size);
    reglet_status status = reglet_host_call_respond(call, response, size);
    free(response);
    return status;
}

static void host_function__response_of_more_than_128_mib_ends_the_call(void **state) {
    (void)state;
    struct custom custom = {0};
    reglet_host_function function = custom_function(&custom, "echo", NULL);
    function.serve = respond_too_much;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.host_functions = &function;
    options.host_function_count = 1;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "custom_echo");
    expect_plugin_error(observe_json(plugin, NULL, 0), REGLET_ERR_RESULT_LIMIT,
                        "the host function echo ended the call");
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static reglet_status ask_while_serving(void *user_data, reglet_host_call *call) {
    (void)user_data;
    return reglet_host_call_ask(call, "read:a");
}

/* Nothing would decide on it: what the function went on to do would pass for allowed. */
static void host_function__that_asks_while_it_serves_ends_the_call(void **state) {
    (void)state;
    static const char *const kinds[] = {NULL, "kv"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct custom custom = {.asks = {"read:a"}};
        reglet_host_function function = custom_function(&custom, "echo", kinds[i]);
        function.serve = ask_while_serving;
        const reglet_grant grant = {"custom_echo", "kv:read:a"};
        reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
        options.host_functions = &function;
        options.host_function_count = 1;
        options.grants = &grant;
        options.grant_count = 1;
        reglet_runtime *runtime = new_runtime(&options);
        reglet_plugin *plugin = load_guest(runtime, "custom_echo");
        reglet_result *result = NULL;
        reglet_error *error = NULL;
        reglet_status status = reglet_plugin_observe(plugin, NULL, NULL, &result, &error);
        assert_non_null(error);
        assert_non_null(strstr(reglet_error_message(error), "the host function echo ended the call"));
        expect_status(status, REGLET_ERR_INVALID_ARGUMENT, error, "echo");
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
    }
}

/* A denial names what was asked and the grant in full, also where both are as long as they may be. */
static void host_function__denied_names_a_long_grant_whole(void **state) {
    (void)state;
    enum { KEY = 4000 };
    char asks[16 + KEY] = "read:";
    memset(asks + strlen(asks), 'k', KEY);
    struct custom custom = {.asks = {asks}};
    reglet_result *result = observe_echo(&custom, "kv", NULL, 0, NULL);
    const char *named = strstr(reglet_result_json(result, NULL), "allow it: kv:read:");
    assert_non_null(named);
    assert_int_equal(strspn(named + strlen("allow it: kv:read:"), "k"), KEY);
    reglet_result_free(result);
}

static void load__a_function_that_this_runtime_lacks_is_refused_by_name(void **state) {
    (void)state;
    struct custom custom = {.response = "{}"};
    reglet_result_free(
        observe_echo(&custom, NULL, NULL, 0, NULL)); /* the module is in the shared cache now */
    reglet_runtime *runtime = new_runtime(NULL);
    struct bytes wasm = read_guest("custom_echo");
    reglet_plugin *plugin = NULL;
    reglet_error *error = NULL;
    reglet_status status =
        reglet_runtime_load_plugin(runtime, "p", wasm.data, wasm.size, NULL, &plugin, &error);
    assert_non_null(strstr(reglet_error_message(error), "imports the function \"echo\""));
    expect_status(status, REGLET_ERR_UNKNOWN_IMPORT, error, "load");
    free(wasm.data);
    reglet_runtime_free(runtime);
}

static void expect_refused(reglet_host_function function, const char *part) {
    struct custom *custom = function.user_data;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.host_functions = &function;
    options.host_function_count = 1;
    reglet_runtime *runtime = NULL;
    reglet_error *error = NULL;
    int freed = custom->freed;
    reglet_status status = reglet_runtime_new(&options, &runtime, &error);
    assert_non_null(error);
    if (!strstr(reglet_error_message(error), part))
        fail_msg("expected \"%s\" in \"%s\"", part, reglet_error_message(error));
    expect_status(status, REGLET_ERR_INVALID_ARGUMENT, error, "runtime");
    assert_null(runtime);
    assert_int_equal(custom->freed, freed + 1);
}

static void runtime__a_function_that_is_not_well_made_is_refused(void **state) {
    (void)state;
    struct custom custom = {0};
    expect_refused(custom_function(&custom, "", NULL), "its name must be");
    expect_refused(custom_function(&custom, NULL, NULL), "its name must be");
    expect_refused(custom_function(&custom, "a-b", NULL), "its name must be");
    expect_refused(custom_function(&custom, "http_request", NULL), "has a function of that name itself");
    expect_refused(custom_function(&custom, "log_message", NULL), "has a function of that name itself");
    expect_refused(custom_function(&custom, "f", "fs"), "its kind must be");
    expect_refused(custom_function(&custom, "f", "Kv"), "its kind must be");
    reglet_host_function function = custom_function(&custom, "f", NULL);
    function.serve = NULL;
    expect_refused(function, "no serve callback");
    function = custom_function(&custom, "f", "kv");
    function.ask = NULL;
    expect_refused(function, "no ask callback");
    function = custom_function(&custom, "f", NULL);
    function.ask = custom_ask;
    expect_refused(function, "but no kind");
}

static void runtime__two_functions_of_one_name_are_refused_and_both_freed(void **state) {
    (void)state;
    struct custom first = {0}, second = {0};
    const reglet_host_function functions[] = {custom_function(&first, "f", NULL),
                                              custom_function(&second, "f", NULL)};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.host_functions = functions;
    options.host_function_count = 2;
    reglet_runtime *runtime = NULL;
    EXPECT(reglet_runtime_new(&options, &runtime, NULL), REGLET_ERR_INVALID_ARGUMENT, NULL);
    assert_int_equal(first.freed, 1);
    assert_int_equal(second.freed, 1);
}

static void runtime__that_cannot_be_made_frees_its_functions(void **state) {
    (void)state;
    struct custom custom = {0};
    const reglet_host_function function = custom_function(&custom, "f", NULL);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.host_functions = &function;
    options.host_function_count = 1;
    options.memory_limit_mib = -7;
    reglet_runtime *runtime = NULL;
    EXPECT(reglet_runtime_new(&options, &runtime, NULL), REGLET_ERR_INVALID_ARGUMENT, NULL);
    assert_int_equal(custom.freed, 1);
}

static void runtime__without_a_place_for_it_frees_its_functions(void **state) {
    (void)state;
    struct custom custom = {0};
    const reglet_host_function function = custom_function(&custom, "f", NULL);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.host_functions = &function;
    options.host_function_count = 1;
    EXPECT(reglet_runtime_new(&options, NULL, NULL), REGLET_ERR_INVALID_ARGUMENT, NULL);
    assert_int_equal(custom.freed, 1);
}

/* A size that makes no sense must not lead out of the array. */
static void runtime__functions_of_another_size_are_refused(void **state) {
    (void)state;
    struct custom first = {0}, second = {0};
    reglet_host_function functions[] = {custom_function(&first, "f", NULL),
                                        custom_function(&second, "g", NULL)};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.host_functions = functions;
    options.host_function_count = 2;
    static const size_t sizes[] = {0, 3, SIZE_MAX / 2, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        reglet_runtime *runtime = NULL;
        functions[0].struct_size = sizes[i];
        EXPECT(reglet_runtime_new(&options, &runtime, NULL), REGLET_ERR_INVALID_ARGUMENT, NULL);
        functions[0].struct_size = sizeof functions[0];
        functions[1].struct_size = sizes[i];
        EXPECT(reglet_runtime_new(&options, &runtime, NULL), REGLET_ERR_INVALID_ARGUMENT, NULL);
        assert_int_equal(first.freed, i + 1); /* known the second time only */
    }
    assert_int_equal(second.freed, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request__that_is_no_json_is_a_validation_error),
        cmocka_unit_test(request__members_of_another_type_are_named),
        cmocka_unit_test(request__nested_beyond_the_limit_is_refused),
        cmocka_unit_test(request__context_bounds_it),
        cmocka_unit_test(denial__has_the_request_id_of_its_context),
        cmocka_unit_test(denial__of_a_name_that_steers_a_terminal_shows_it),
        cmocka_unit_test(log__headers_that_are_dropped_cannot_flood_it),
        cmocka_unit_test(log__long_request_id_is_cut),
        cmocka_unit_test(log__denial_of_a_long_command_is_cut),
        cmocka_unit_test(request__anywhere_in_memory_or_outside_is_answered),
        cmocka_unit_test(response__that_does_not_fit_ends_the_call_and_says_so),
        cmocka_unit_test(host_function__sees_the_request_and_answers),
        cmocka_unit_test(host_function__denied_is_never_served_and_reported),
        cmocka_unit_test(host_function__everything_it_asks_for_must_be_allowed),
        cmocka_unit_test(host_function__that_asks_for_nothing_or_nonsense_is_refused),
        cmocka_unit_test(host_function__without_a_kind_needs_no_grant),
        cmocka_unit_test(host_function__waits_no_longer_than_the_call),
        cmocka_unit_test(host_function__is_told_that_its_call_was_cancelled),
        cmocka_unit_test(host_function__other_statuses_end_the_call),
        cmocka_unit_test(host_function__bad_answers_become_errors),
        cmocka_unit_test(host_function__response_of_more_than_128_mib_ends_the_call),
        cmocka_unit_test(host_function__that_asks_while_it_serves_ends_the_call),
        cmocka_unit_test(host_function__denied_names_a_long_grant_whole),
        cmocka_unit_test(load__a_function_that_this_runtime_lacks_is_refused_by_name),
        cmocka_unit_test(runtime__a_function_that_is_not_well_made_is_refused),
        cmocka_unit_test(runtime__two_functions_of_one_name_are_refused_and_both_freed),
        cmocka_unit_test(runtime__that_cannot_be_made_frees_its_functions),
        cmocka_unit_test(runtime__without_a_place_for_it_frees_its_functions),
        cmocka_unit_test(runtime__functions_of_another_size_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
