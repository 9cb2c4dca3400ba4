#define _GNU_SOURCE
#include "tests/integration/servers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <json-c/json_pointer.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define MAX_ARGUMENTS 16

struct servers {
    pid_t pid;
    int input;                /* closing it ends them */
    struct json_object *told; /* their one line */
};

/* --- Starting and stopping -------------------------------------------------------------------------------- */

static pid_t spawn(const char *const arguments[], int input, int output) {
    const char *argv[MAX_ARGUMENTS] = {REGLET_SYSTEM_PYTHON, "-B", REGLET_SERVERS};
    for (size_t i = 3; arguments && arguments[i - 3]; i++) {
        assert_true(i < MAX_ARGUMENTS - 1);
        argv[i] = arguments[i - 3];
    }
    posix_spawn_file_actions_t actions;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    pid_t pid = -1;
    int failed = posix_spawn(&pid, argv[0], &actions, NULL, (char **)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed)
        fail_msg("%s cannot be started: %s", argv[0], strerror(failed));
    return pid;
}

static struct json_object *read_line(int descriptor) {
    FILE *stream = fdopen(descriptor, "r");
    char *line = NULL;
    size_t room = 0;
    if (getline(&line, &room, stream) < 0)
        fail_msg("%s did not start; does scripts/bootstrap.sh check find all packages?", REGLET_SERVERS);
    struct json_object *value = json_tokener_parse(line);
    assert_non_null(value);
    free(line);
    fclose(stream);
    return value;
}

struct servers *servers_start(void) {
    return servers_start_with(NULL);
}

struct servers *servers_start_with(const char *const arguments[]) {
    int to[2], from[2];
    struct servers *servers = calloc(1, sizeof *servers);
    assert_non_null(servers);
    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    servers->pid = spawn(arguments, to[0], from[1]);
    close(to[0]);
    close(from[1]);
    servers->input = to[1];
    servers->told = read_line(from[0]);
    return servers;
}

void servers_stop(struct servers *servers) {
    if (!servers)
        return;
    close(servers->input);
    while (waitpid(servers->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    json_object_put(servers->told);
    free(servers);
}

static struct json_object *told(const struct servers *servers, const char *kind, const char *name) {
    struct json_object *all = NULL, *found = NULL;
    if (!json_object_object_get_ex(servers->told, kind, &all) ||
        !json_object_object_get_ex(all, name, &found))
        fail_msg("there is no \"%s\" among the %s of the servers", name, kind);
    return found;
}

int servers_port(const struct servers *servers, const char *name) {
    return json_object_get_int(told(servers, "ports", name));
}

const char *servers_path(const struct servers *servers, const char *name) {
    return json_object_get_string(told(servers, "paths", name));
}

/* --- What reached them ------------------------------------------------------------------------------------ */

static FILE *connect_to_control(const struct servers *servers) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)servers_port(servers, "control")),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0)
        fail_msg("the servers do not answer: %s", strerror(errno));
    return fdopen(descriptor, "r+");
}

/* The body of the answer to a request without one. */
static char *ask_control(const struct servers *servers, const char *request) {
    FILE *stream = connect_to_control(servers);
    fprintf(stream, "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", request);
    fflush(stream);
    char *line = NULL, *body = NULL;
    size_t room = 0, size = 0;
    if (getline(&line, &room, stream) < 0 || !strstr(line, " 200 "))
        fail_msg("%s: %s", request, line ? line : "no answer");
    while (getline(&line, &room, stream) > 2) {
    }
    if (getdelim(&body, &size, '\0', stream) < 0) {
        free(body);
        body = strdup("");
    }
    free(line);
    fclose(stream);
    return body;
}

char *servers_log(const struct servers *servers) {
    return ask_control(servers, "GET /log");
}

char *servers_log_with(const struct servers *servers, const char *pointer) {
    enum { TRIES = 500, PAUSE_MS = 20 };
    for (int tries = 0; tries < TRIES; tries++) {
        char *log = servers_log(servers), *member = json_member(log, pointer);
        bool there = member != NULL;
        free(member);
        if (there)
            return log;
        free(log);
        poll(NULL, 0, PAUSE_MS);
    }
    fail_msg("the servers' log never had %s", pointer);
    return NULL;
}

void servers_reset(const struct servers *servers) {
    free(ask_control(servers, "POST /reset"));
}

/* log[kind][name], or -1. */
static int counted(const struct servers *servers, const char *kind, const char *name) {
    char *log = servers_log(servers);
    struct json_object *all = json_tokener_parse(log), *of_kind = NULL, *found = NULL;
    json_object_object_get_ex(all, kind, &of_kind);
    int count = json_object_object_get_ex(of_kind, name, &found) ? json_object_get_int(found) : -1;
    json_object_put(all);
    free(log);
    return count;
}

int servers_connections(const struct servers *servers, const char *name) {
    int count = counted(servers, "connections", name);
    if (count < 0)
        fail_msg("no server \"%s\" counts connections", name);
    return count;
}

int servers_queries(const struct servers *servers, const char *name) {
    int count = counted(servers, "dns", name);
    return count < 0 ? 0 : count;
}

/* --- The guest that calls --------------------------------------------------------------------------------- */

static struct json_object *parsed(const char *json) {
    enum json_tokener_error error = json_tokener_success;
    struct json_object *value = json_tokener_parse_verbose(json, &error);
    if (error != json_tokener_success)
        fail_msg("%s: %s", json_tokener_error_desc(error), json);
    return value;
}

static char *config_of(const char *function, const char *request) {
    struct json_object *config = json_object_new_object();
    json_object_object_add(config, "function", json_object_new_string(function));
    json_object_object_add(config, "request", parsed(request));
    char *text = strdup(json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN));
    json_object_put(config);
    return text;
}

reglet_result *relay_observe(reglet_plugin *plugin, const char *function, const char *request,
                             int64_t timeout_ms) {
    char *config = config_of(function, request);
    reglet_result *result = observe_json(plugin, config, timeout_ms);
    free(config);
    return result;
}

/* The whole of raw, or the test fails. Frees the result. */
static char *take_response(reglet_result *result) {
    const reglet_evidence *evidence = reglet_result_evidence(result);
    size_t size = 0;
    const char *raw = evidence ? reglet_evidence_raw(evidence, &size) : NULL;
    if (!raw || reglet_evidence_truncated(evidence))
        fail_msg("no response, or not all of it: %.1000s", reglet_result_json(result, NULL));
    char *response = strndup(raw, size);
    assert_non_null(response);
    reglet_result_free(result);
    return response;
}

char *relay(reglet_plugin *plugin, const char *function, const char *format, ...) {
    char *request = NULL;
    va_list arguments;
    va_start(arguments, format);
    assert_true(vasprintf(&request, format, arguments) >= 0);
    va_end(arguments);
    for (char *quote = request; (quote = strchr(quote, '\'')); quote++)
        *quote = '"';
    char *response = take_response(relay_observe(plugin, function, request, 0));
    free(request);
    return response;
}

/* --- Reading JSON ----------------------------------------------------------------------------------------- */

char *json_member(const char *json, const char *pointer) {
    struct json_object *all = parsed(json), *found = NULL;
    char *text = NULL;
    if (json_pointer_get(all, pointer, &found) == 0 && found)
        text = strdup(json_object_is_type(found, json_type_string)
                          ? json_object_get_string(found)
                          : json_object_to_json_string_ext(found, JSON_C_TO_STRING_PLAIN));
    json_object_put(all);
    return text;
}

void expect_member(const char *json, const char *pointer, const char *expected) {
    char *found = json_member(json, pointer);
    bool same = found && expected ? strcmp(found, expected) == 0 : !found && !expected;
    if (!same)
        fail_msg("%s is %s, expected %s, in %s", pointer, found ? found : "missing",
                 expected ? expected : "it missing", json);
    free(found);
}

void expect_member_contains(const char *json, const char *pointer, const char *part) {
    char *found = json_member(json, pointer);
    if (!found || !strstr(found, part))
        fail_msg("%s is %s, expected \"%s\" in it, in %s", pointer, found ? found : "missing", part, json);
    free(found);
}

int64_t json_number(const char *json, const char *pointer) {
    char *found = json_member(json, pointer), *end = found;
    int64_t number = found ? strtoll(found, &end, 10) : 0;
    if (end == found || *end)
        fail_msg("%s is %s, expected a number, in %s", pointer, found ? found : "missing", json);
    free(found);
    return number;
}
