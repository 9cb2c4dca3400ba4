/* Calls that wait for the network: the deadline of the call, that of the request, and cancelling from another thread. */
#define _GNU_SOURCE
#include "tests/integration/network_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *function, *server, *more;
} slow[] = {
    {"tcp_connect", "full", ""},
    {"tcp_connect", "tls_silent", ", \"tls\": true"},
    {"net_connect", "tcp_silent", ""},
    {"net_connect", "tcp_silent", ", \"data\": \"%s\""},
    {"smtp_connect", "smtp_silent", ""},
    {"smtp_connect", "smtp_drip", ""},
    {"smtp_connect", "tls_silent", ", \"tls\": true"},
};
enum { SLOW = sizeof slow / sizeof *slow, SLACK_MS = 1000 };

/* 9 MB of data where a request is to be stuck while it writes. */
static char *slow_request(size_t i) {
    char *request = NULL, *more = strdup(slow[i].more), *hole = strstr(more, "%s");
    if (hole) {
        char *data = calloc(1, (12 << 20) + 1);
        memset(data, 'A', 12 << 20);
        *hole = '\0';
        assert_true(asprintf(&request, "{\"host\": \"127.0.0.1\", \"port\": %d%s%s\"}",
                             servers_port(servers, slow[i].server), more, data) > 0);
        free(data);
    } else {
        assert_true(asprintf(&request, "{\"host\": \"127.0.0.1\", \"port\": %d%s}",
                             servers_port(servers, slow[i].server), more) > 0);
    }
    free(more);
    return request;
}

static void deadline__of_the_call_ends_every_wait(void **state) {
    (void)state;
    for (size_t i = 0; i < SLOW; i++) {
        char *request = slow_request(i);
        int64_t started = now_ms();
        expect_plugin_error(relay_observe(plugin, slow[i].function, request, 1000), REGLET_ERR_TIMEOUT,
                            "deadline");
        assert_true(now_ms() - started < 1000 + 10 * SLACK_MS);
        free(request);
    }
}

static void deadline__of_the_request_is_an_error_that_the_plugin_sees(void **state) {
    (void)state;
    static const char *const deadlines[] = {"'timeout_ms': 100", "'context': {'timeout_ms': 100}",
                                            "'context': {'deadline': '2020-01-01T00:00:00Z'}"};
    static const char *const hanging[][2] = {
        {"tcp_connect", "full"}, {"tcp_connect", "tls_silent"}, {"smtp_connect", "tls_silent"}};
    for (size_t i = 0; i < 3; i++) {
        char *response = relay(plugin, hanging[i][0], "{'host': '127.0.0.1', 'port': %d, 'tls': true, %s}",
                               servers_port(servers, hanging[i][1]), deadlines[i]);
        expect_member(response, "/error/type", "timeout");
        expect_member(response, "/error/code", "ETIMEDOUT");
        expect_member(response, "/error/is_timeout", "true");
        free(response);
    }
}

/* The wall clock, `ms` from now, as a request writes it. */
static const char *time_in(int64_t ms) {
    static char text[40];
    char seconds[24];
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t at = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + ms;
    time_t whole = (time_t)(at / 1000);
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", gmtime_r(&whole, &parts));
    snprintf(text, sizeof text, "%s.%03dZ", seconds, (int)(at % 1000));
    return text;
}

/* Of the call's deadline and the three that a request can have, the earliest counts. */
static void deadline__is_the_earliest_of_all(void **state) {
    (void)state;
    enum { SOON = 200, LATE = 60000 };
    for (int earliest = 0; earliest < 4; earliest++) {
        char request[256];
        snprintf(request, sizeof request,
                 "{\"host\":\"127.0.0.1\",\"port\":%d,\"timeout_ms\":%d,\"context\":{\"timeout_ms\":%d,"
                 "\"deadline\":\"%s\"}}",
                 servers_port(servers, "full"), earliest == 0 ? SOON : LATE, earliest == 1 ? SOON : LATE,
                 time_in(earliest == 2 ? SOON : LATE));
        int64_t started = now_ms();
        reglet_result *result = relay_observe(plugin, "tcp_connect", request, earliest == 3 ? SOON : LATE);
        assert_in_range(now_ms() - started, SOON - 10, SOON + 10 * SLACK_MS);
        if (earliest == 3)
            expect_plugin_error(result, REGLET_ERR_TIMEOUT, "deadline");
        else
            expect_evidence(result, "\\\"type\\\":\\\"timeout\\\",\\\"code\\\":\\\"ETIMEDOUT\\\"");
    }
}

struct caller {
    pthread_t thread;
    reglet_cancel_token *token;
    size_t which;
    int64_t ended_ms;
    reglet_result *result;
};

static void *call_in_thread(void *argument) {
    struct caller *caller = argument;
    char *request = slow_request(caller->which), *config = NULL;
    assert_true(asprintf(&config, "{\"function\": \"%s\", \"request\": %s}", slow[caller->which].function,
                         request) > 0);
    reglet_config *values = NULL;
    EXPECT(reglet_config_parse(config, strlen(config), &values, NULL), REGLET_OK, NULL);
    reglet_call_options options = REGLET_CALL_OPTIONS_INIT;
    options.cancel = caller->token;
    EXPECT(reglet_plugin_observe(plugin, values, &options, &caller->result, NULL), REGLET_OK, NULL);
    caller->ended_ms = now_ms();
    reglet_config_free(values);
    free(config);
    free(request);
    return NULL;
}

/* Whether this process has a connection, or is about to, to that port. */
static bool is_connecting_to(int port) {
    char line[256], wanted[32];
    bool found = false;
    FILE *table = fopen("/proc/self/net/tcp", "re");
    assert_non_null(table);
    snprintf(wanted, sizeof wanted, " 0100007F:%04X 0", (unsigned)port);
    while (!found && fgets(line, sizeof line, table)) {
        const char *remote = strstr(line, wanted);
        found = remote && (remote[strlen(wanted)] == '1' || remote[strlen(wanted)] == '2');
    }
    fclose(table);
    return found;
}

static void cancel__ends_every_wait_from_another_thread(void **state) {
    (void)state;
    for (size_t i = 0; i < SLOW; i++) {
        struct caller caller = {.which = i};
        assert_int_equal(reglet_cancel_token_new(&caller.token, NULL), REGLET_OK);
        assert_int_equal(pthread_create(&caller.thread, NULL, call_in_thread, &caller), 0);
        for (int tries = 0; tries < 2000 && !is_connecting_to(servers_port(servers, slow[i].server)); tries++)
            usleep(1000);
        int64_t cancelled = now_ms();
        reglet_cancel_token_cancel(caller.token);
        pthread_join(caller.thread, NULL);
        assert_true(caller.ended_ms - cancelled < SLACK_MS);
        expect_plugin_error(caller.result, REGLET_ERR_CANCELLED, "cancelled");
        reglet_cancel_token_unref(caller.token);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadline__of_the_call_ends_every_wait),
        cmocka_unit_test(deadline__of_the_request_is_an_error_that_the_plugin_sees),
        cmocka_unit_test(deadline__is_the_earliest_of_all),
        cmocka_unit_test(cancel__ends_every_wait_from_another_thread),
    };
    return cmocka_run_group_tests(tests, network_set_up, network_tear_down);
}
