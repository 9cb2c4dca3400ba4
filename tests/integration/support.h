/*
 * support.h - what the integration tests share. They use the public headers only.
 */
#ifndef REGLET_TESTS_INTEGRATION_SUPPORT_H
#define REGLET_TESTS_INTEGRATION_SUPPORT_H

#include "tests/unit/test.h"

#include <pthread.h>
#include <reglet.h>

/* A file's bytes; fails the test when it cannot be read. */
struct bytes {
    char *data;
    size_t size;
};
struct bytes read_file(const char *path);

/* A guest that the build made, such as "counter"; "file", "http", … are the plugins. "file.component" is the component. */
struct bytes read_guest(const char *name);
const char *guest_path(const char *name);

/* The events of a runtime, as lines "source|plugin|request|message|key=value …". Thread safe. */
struct events {
    pthread_mutex_t lock;
    char *text;
    size_t size;
    size_t count;
};
void events_init(struct events *events);
void events_free(struct events *events);
void events_collect(void *user_data, const reglet_log_event *event); /* a reglet_log_fn */
bool events_contain(struct events *events, const char *part);

/* A runtime with options, or defaults for NULL; fails the test when it cannot be made. */
reglet_runtime *new_runtime(const reglet_runtime_options *options);

/* A runtime that grants `capability` to the plugin `name`. */
reglet_runtime *new_runtime_granting(const char *name, const char *capability);

/* Loads a guest under its own name; fails the test when it cannot be loaded. */
reglet_plugin *load_guest(reglet_runtime *runtime, const char *name);

/* Observes with a config given as JSON (NULL: none), within `timeout_ms` (0: the default). Never NULL. */
reglet_result *observe_json(reglet_plugin *plugin, const char *config, int64_t timeout_ms);

/* Fails with both names and the message when the status is another. Frees the error. */
void expect_status(reglet_status found, reglet_status expected, reglet_error *error, const char *what);
#define EXPECT(call, expected, error)                                                                        \
    do {                                                                                                     \
        reglet_status status_ = (call);                                                                      \
        expect_status(status_, (expected), (error), #call);                                                  \
    } while (0)

/* Fails unless the result's plugin error has this code and its message holds `part`. Frees the result. */
void expect_plugin_error(reglet_result *result, reglet_status code, const char *part);

/* Fails unless the result has evidence and its JSON holds `part`. Frees the result. */
void expect_evidence(reglet_result *result, const char *part);

int64_t now_ms(void);

#endif
