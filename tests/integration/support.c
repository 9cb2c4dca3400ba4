#define _GNU_SOURCE
#include "tests/integration/support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bytes read_file(const char *path) {
    struct bytes bytes = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be opened", path);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    bytes.data = malloc((size_t)size + 1);
    assert_non_null(bytes.data);
    bytes.size = fread(bytes.data, 1, (size_t)size, file);
    bytes.data[bytes.size] = '\0';
    fclose(file);
    return bytes;
}

const char *guest_path(const char *name) {
    static _Thread_local char path[4096];
    static const char *const plugins[] = {"command", "dns", "file", "http", "smtp", "tcp"};
    bool plugin = false;
    for (size_t i = 0; i < sizeof plugins / sizeof *plugins; i++)
        plugin |= strncmp(name, plugins[i], strlen(plugins[i])) == 0 &&
                  (!name[strlen(plugins[i])] || name[strlen(plugins[i])] == '.');
    snprintf(path, sizeof path, "%s/%s.wasm", plugin ? REGLET_PLUGIN_DIR : REGLET_GUEST_DIR, name);
    return path;
}

struct bytes read_guest(const char *name) {
    return read_file(guest_path(name));
}

void events_init(struct events *events) {
    *events = (struct events){.lock = PTHREAD_MUTEX_INITIALIZER};
}

void events_free(struct events *events) {
    free(events->text);
    pthread_mutex_destroy(&events->lock);
}

void events_collect(void *user_data, const reglet_log_event *event) {
    static const char *const sources[] = {"host", "plugin", "stdout", "stderr", "denial"};
    struct events *events = user_data;
    pthread_mutex_lock(&events->lock);
    char *grown = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&grown, &size);
    fprintf(out, "%s%s|%s|%s|%s|", events->text ? events->text : "", sources[event->source],
            event->plugin ? event->plugin : "", event->request_id ? event->request_id : "", event->message);
    for (size_t i = 0; i < event->attr_count; i++)
        fprintf(out, "%s=%s ", event->attrs[i].key, event->attrs[i].value);
    fputc('\n', out);
    fclose(out);
    free(events->text);
    events->text = grown;
    events->size = size;
    events->count++;
    pthread_mutex_unlock(&events->lock);
}

bool events_contain(struct events *events, const char *part) {
    pthread_mutex_lock(&events->lock);
    bool found = events->text && strstr(events->text, part);
    pthread_mutex_unlock(&events->lock);
    return found;
}

void expect_status(reglet_status found, reglet_status expected, reglet_error *error, const char *what) {
    if (found != expected)
        fail_msg("%s: %s (%s), expected %s", what, reglet_status_name(found), reglet_error_message(error),
                 reglet_status_name(expected));
    if (expected == REGLET_OK)
        assert_null(error);
    reglet_error_free(error);
}

/*
 * The engine takes over the signals of faults once in a process; cmocka takes them over again before each test. So each
 * test gives them back to the engine, as a program must that installs handlers of its own and does not chain.
 */
static void give_signals_to_the_engine(void) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static const int signals[] = {SIGSEGV, SIGILL, SIGFPE};
    static struct sigaction engines[sizeof signals / sizeof *signals];
    static bool known;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], known ? &engines[i] : NULL, known ? NULL : &engines[i]);
    known = true;
    pthread_mutex_unlock(&lock);
}

reglet_runtime *new_runtime(const reglet_runtime_options *options) {
    reglet_runtime *runtime = NULL;
    reglet_error *error = NULL;
    reglet_status status = reglet_runtime_new(options, &runtime, &error);
    expect_status(status, REGLET_OK, error, "reglet_runtime_new");
    give_signals_to_the_engine();
    return runtime;
}

reglet_runtime *new_runtime_granting(const char *name, const char *capability) {
    const reglet_grant grant = {name, capability};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = &grant;
    options.grant_count = 1;
    return new_runtime(&options);
}

reglet_plugin *load_guest(reglet_runtime *runtime, const char *name) {
    reglet_plugin *plugin = NULL;
    reglet_error *error = NULL;
    reglet_status status =
        reglet_runtime_load_plugin_file(runtime, name, guest_path(name), NULL, &plugin, &error);
    expect_status(status, REGLET_OK, error, name);
    return plugin;
}

reglet_result *observe_json(reglet_plugin *plugin, const char *config, int64_t timeout_ms) {
    reglet_config *values = NULL;
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = timeout_ms;
    if (config) {
        reglet_status parsed = reglet_config_parse(config, strlen(config), &values, &error);
        expect_status(parsed, REGLET_OK, error, config);
    }
    reglet_status status = reglet_plugin_observe(plugin, values, &call, &result, &error);
    expect_status(status, REGLET_OK, error, "reglet_plugin_observe");
    reglet_config_free(values);
    return result;
}

void expect_plugin_error(reglet_result *result, reglet_status code, const char *part) {
    if (reglet_result_error_code(result) != code)
        fail_msg("expected %s, found %s", reglet_status_name(code), reglet_result_json(result, NULL));
    assert_null(reglet_result_evidence(result));
    if (!strstr(reglet_result_error_message(result), part))
        fail_msg("expected a message with \"%s\", found \"%s\"", part, reglet_result_error_message(result));
    reglet_result_free(result);
}

void expect_evidence(reglet_result *result, const char *part) {
    const char *json = reglet_result_json(result, NULL);
    if (!reglet_result_evidence(result) || !strstr(json, part))
        fail_msg("expected evidence with %s, found %s", part, json);
    reglet_result_free(result);
}

int64_t now_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
