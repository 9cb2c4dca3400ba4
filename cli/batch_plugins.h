/*
 * batch_plugins.h - the plugins of a batch: each loaded once, whatever number of lines wants it at the same time.
 */
#ifndef CLI_BATCH_PLUGINS_H
#define CLI_BATCH_PLUGINS_H

#include "batch_queue.h"
#include "session.h"

/* Beyond it, or where there are descriptors for fewer, the one that was used longest ago is unloaded, unless all are in use. */
enum { BATCH_MAX_PLUGINS = 1000 };

struct batch_plugin;

struct batch_plugins {
    const struct session *session;
    const struct options *options;
    struct batch_queue *queue;
    pthread_mutex_t lock;
    struct batch_plugin **items; /* by name */
    size_t count, most;
    uint64_t uses;
};

void batch_plugins_init(struct batch_plugins *plugins, const struct session *session,
                        const struct options *options, struct batch_queue *queue);
void batch_plugins_destroy(struct batch_plugins *plugins);

/* Why a line did not get what it wants. */
struct batch_failure {
    reglet_status status;
    char *message; /* the caller frees */
};

/*
 * The plugin of a line's request. BATCH_PARKED: another thread loads it; the line is the queue's again once that is done,
 * so that this thread can go on with lines of other plugins. BATCH_FOUND: to be given back with batch_plugins_release().
 */
enum batch_found { BATCH_FOUND, BATCH_PARKED, BATCH_NOT_LOADED };
enum batch_found batch_plugins_find(struct batch_plugins *plugins, struct batch_line *line,
                                    struct batch_plugin **out, struct batch_failure *failure);
reglet_plugin *batch_plugin_handle(const struct batch_plugin *plugin);
void batch_plugins_release(struct batch_plugins *plugins, struct batch_plugin *plugin);

#endif
