#define _GNU_SOURCE
#include "batch_plugins.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* One name. Its file is the first one of that name that a line named. */
struct batch_plugin {
    char *name;
    char *path;
    struct stat file;
    bool file_known;
    enum { LOADING, LOADED, FAILED } state;
    struct loaded loaded;
    struct batch_failure failure;
    struct batch_line *parked, **parked_end; /* lines that wait while it is LOADING */
    size_t users;
    uint64_t last_use;
};

/*
 * How many plugins there is room for: each holds descriptors (reglet.h says which), and so do calls. The soft limit is raised as far as that
 * takes, where the hard one allows: commands that plugins run have the new one as well, so it is no more than that.
 */
static size_t room_for_plugins(size_t jobs) {
    enum { A_PLUGIN = 5, A_JOB = 32, THE_REST = 64 };
    rlim_t others = THE_REST + A_JOB * (rlim_t)jobs, wanted = others + A_PLUGIN * (rlim_t)BATCH_MAX_PLUGINS;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return 1;
    if (files.rlim_cur < wanted) {
        const struct rlimit raised = {wanted < files.rlim_max ? wanted : files.rlim_max, files.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            files = raised;
    }
    if (files.rlim_cur >= wanted)
        return BATCH_MAX_PLUGINS;
    return files.rlim_cur < others + A_PLUGIN ? 1 : (size_t)((files.rlim_cur - others) / A_PLUGIN);
}

void batch_plugins_init(struct batch_plugins *plugins, const struct session *session,
                        const struct options *options, struct batch_queue *queue) {
    *plugins = (struct batch_plugins){.session = session, .options = options, .queue = queue};
    plugins->most = room_for_plugins((size_t)options->jobs);
    pthread_mutex_init(&plugins->lock, NULL);
}

static void plugin_free(struct batch_plugin *plugin) {
    if (!plugin)
        return;
    loaded_clear(&plugin->loaded);
    free(plugin->failure.message);
    free(plugin->name);
    free(plugin->path);
    free(plugin);
}

void batch_plugins_destroy(struct batch_plugins *plugins) {
    for (size_t i = 0; i < plugins->count; i++)
        plugin_free(plugins->items[i]);
    free(plugins->items);
    pthread_mutex_destroy(&plugins->lock);
}

/* ---- the list, under the lock ---- */

/* Where a name is, or where it belongs. */
static size_t place_of(const struct batch_plugins *plugins, const char *name, bool *there) {
    size_t low = 0, high = plugins->count;
    *there = false;
    while (low < high && !*there) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, plugins->items[middle]->name);
        *there = order == 0;
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return high;
}

static struct batch_plugin *take_out(struct batch_plugins *plugins, size_t at) {
    struct batch_plugin *plugin = plugins->items[at];
    plugins->count--;
    memmove(plugins->items + at, plugins->items + at + 1, (plugins->count - at) * sizeof *plugins->items);
    return plugin;
}

static struct batch_plugin *take_out_oldest(struct batch_plugins *plugins) {
    size_t oldest = plugins->count;
    for (size_t i = 0; i < plugins->count; i++) {
        const struct batch_plugin *plugin = plugins->items[i];
        bool idle = plugin->state != LOADING && plugin->users == 0;
        if (idle && (oldest == plugins->count || plugin->last_use < plugins->items[oldest]->last_use))
            oldest = i;
    }
    return oldest < plugins->count ? take_out(plugins, oldest) : NULL;
}

static struct batch_plugin *insert(struct batch_plugins *plugins, size_t at, const char *name,
                                   const char *path) {
    struct batch_plugin *plugin = allocate(sizeof *plugin);
    plugin->parked_end = &plugin->parked;
    plugin->name = copy_text(name, strlen(name));
    plugin->path = copy_text(path, strlen(path));
    plugin->file_known = stat(path, &plugin->file) == 0;
    plugins->items = grow(plugins->items, plugins->count + 1, sizeof *plugins->items);
    memmove(plugins->items + at + 1, plugins->items + at, (plugins->count - at) * sizeof *plugins->items);
    plugins->items[at] = plugin;
    plugins->count++;
    return plugin;
}

/* Another spelling of the path, or another link to the file, is the same plugin. */
static bool is_its_file(const struct batch_plugin *plugin, const char *path) {
    struct stat file;
    return strcmp(plugin->path, path) == 0 ||
           (plugin->file_known && stat(path, &file) == 0 && file.st_dev == plugin->file.st_dev &&
            file.st_ino == plugin->file.st_ino);
}

/* ---- loading ---- */

/* Without the lock: nobody else looks at what is being loaded. */
static bool load(const struct batch_plugins *plugins, struct batch_plugin *plugin) {
    _cleanup_error_ reglet_error *error = NULL;
    char *missing_pin = session_missing_pin(plugins->session, plugins->options, plugin->name, plugin->path);
    if (missing_pin) {
        plugin->failure = (struct batch_failure){REGLET_ERR_INVALID_GRANT, missing_pin};
        return false;
    }
    if (session_load(plugins->session, plugins->options, plugin->name, plugin->path, &plugin->loaded,
                     &error) == EXIT_OK)
        return true;
    loaded_clear(&plugin->loaded);
    plugin->failure.status = reglet_error_code(error);
    plugin->failure.message =
        format_text("%s", error ? reglet_error_message(error) : "it could not be loaded");
    return false;
}

static void load_new(struct batch_plugins *plugins, struct batch_plugin *plugin) {
    struct batch_plugin *evicted = plugins->count > plugins->most ? take_out_oldest(plugins) : NULL;
    pthread_mutex_unlock(&plugins->lock);
    plugin_free(evicted);
    bool loaded = load(plugins, plugin);
    pthread_mutex_lock(&plugins->lock);
    plugin->state = loaded ? LOADED : FAILED;
    batch_queue_give_back(plugins->queue, plugin->parked);
    plugin->parked = NULL;
}

/* A file that cannot be read may appear later; looking for it costs little. Every other failure stays what it is. */
static void forget_unreadable(struct batch_plugins *plugins, struct batch_plugin *plugin) {
    bool there;
    size_t at = place_of(plugins, plugin->name, &there);
    if (plugin->failure.status == REGLET_ERR_IO && there)
        plugin_free(take_out(plugins, at));
}

static enum batch_found refuse(struct batch_failure *failure, reglet_status status, char *taken) {
    *failure = (struct batch_failure){status, taken};
    return BATCH_NOT_LOADED;
}

static enum batch_found find(struct batch_plugins *plugins, struct batch_line *line, const char *name,
                             struct batch_plugin **out, struct batch_failure *failure) {
    const char *path = line->request->plugin;
    bool there;
    size_t at = place_of(plugins, name, &there);
    struct batch_plugin *plugin = there ? plugins->items[at] : insert(plugins, at, name, path);
    if (!is_its_file(plugin, path))
        return refuse(
            failure, REGLET_ERR_NAME_TAKEN,
            format_text("\"%s\" would be the plugin \"%s\", which is \"%s\" in this batch; grants go by "
                        "name, so two files need two names",
                        path, name, plugin->path));
    if (!there) {
        load_new(plugins, plugin);
    } else if (plugin->state == LOADING) {
        line->next = NULL;
        *plugin->parked_end = line;
        plugin->parked_end = &line->next;
        return BATCH_PARKED;
    }
    plugin->last_use = ++plugins->uses;
    if (plugin->state == FAILED) {
        enum batch_found result =
            refuse(failure, plugin->failure.status, format_text("%s", plugin->failure.message));
        forget_unreadable(plugins, plugin);
        return result;
    }
    plugin->users++;
    *out = plugin;
    return BATCH_FOUND;
}

enum batch_found batch_plugins_find(struct batch_plugins *plugins, struct batch_line *line,
                                    struct batch_plugin **out, struct batch_failure *failure) {
    _cleanup_free_ char *name = session_default_name(line->request->plugin);
    pthread_mutex_lock(&plugins->lock);
    enum batch_found found = find(plugins, line, name, out, failure);
    pthread_mutex_unlock(&plugins->lock);
    return found;
}

reglet_plugin *batch_plugin_handle(const struct batch_plugin *plugin) {
    return plugin->loaded.plugin;
}

void batch_plugins_release(struct batch_plugins *plugins, struct batch_plugin *plugin) {
    pthread_mutex_lock(&plugins->lock);
    plugin->users--;
    pthread_mutex_unlock(&plugins->lock);
}
