#define _GNU_SOURCE
#include <reglet/runtime.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/file.h"
#include "runtime/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/options.h"

/* --- Plugins by name ------------------------------------------------------------------------------------- */

/* Under the lock. Borrowed from the list. */
static reglet_plugin *find(const reglet_runtime *runtime, const char *name) {
    reglet_plugin *plugin = runtime->plugins;
    while (plugin && strcmp(plugin->name, name) != 0)
        plugin = plugin->next;
    return plugin;
}

void reglet__runtime_forget(reglet_runtime *runtime, reglet_plugin *plugin) {
    pthread_mutex_lock(&runtime->lock);
    reglet_plugin **at = &runtime->plugins;
    while (*at && *at != plugin)
        at = &(*at)->next;
    bool listed = *at != NULL;
    if (listed)
        *at = plugin->next;
    pthread_mutex_unlock(&runtime->lock);
    if (listed)
        reglet_plugin_unref(plugin);
}

static reglet_status not_loaded(const char *name, reglet_error **err) {
    return reglet__fail(err, REGLET_ERR_NOT_LOADED, REGLET_DOMAIN_RUNTIME, "no plugin \"%s\" is loaded",
                        name);
}

reglet_status reglet_runtime_get_plugin(reglet_runtime *runtime, const char *name, reglet_plugin **out,
                                        reglet_error **err) {
    if (!runtime || !name || !out)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "get_plugin: runtime, name or out is NULL");
    pthread_mutex_lock(&runtime->lock);
    reglet_plugin *plugin = reglet_plugin_ref(find(runtime, name));
    pthread_mutex_unlock(&runtime->lock);
    if (!plugin)
        return not_loaded(name, err);
    *out = plugin;
    return REGLET_OK;
}

reglet_status reglet_runtime_plugin_schema(reglet_runtime *runtime, const char *name, char **out,
                                           size_t *out_size, reglet_error **err) {
    if (!out)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "plugin_schema: out is NULL");
    reglet_plugin *plugin = NULL;
    reglet_status status = reglet_runtime_get_plugin(runtime, name, &plugin, err);
    if (status != REGLET_OK)
        return status;
    const reglet_schema *schema = NULL;
    status = reglet_plugin_schema(plugin, NULL, &schema, err);
    reglet_plugin_unref(plugin);
    if (status != REGLET_OK)
        return status;
    char *copy = malloc(schema->raw_size + 1);
    if (copy) {
        memcpy(copy, schema->raw, schema->raw_size + 1);
        *out = copy;
        if (out_size)
            *out_size = schema->raw_size;
    }
    reglet_schema_free(schema);
    return copy ? REGLET_OK : reglet__fail_memory(err);
}

/* --- Loading --------------------------------------------------------------------------------------------- */

/* One load or replacement, checked. */
struct load {
    reglet_runtime *runtime;
    const char *name;
    const char *path; /* of the file that it is in; NULL: the caller has the bytes */
    struct reglet__module_source source;
    struct reglet__sha256 hash;
    struct reglet__interrupt interrupt;
    uint64_t max_bytes;
};

static reglet_status load_options(struct load *load, const reglet_load_options *given, reglet_error **err) {
    reglet_load_options options;
    if (!reglet__options_copy(&options, sizeof options, given))
        return reglet__fail_options(err, "load options", "REGLET_LOAD_OPTIONS_INIT");
    if (options.timeout_ms < -1 || options.max_module_bytes < -1)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "load options: timeout_ms and max_module_bytes may be -1, 0 or more");
    load->max_bytes = options.max_module_bytes == -1  ? UINT64_MAX
                      : options.max_module_bytes == 0 ? (uint64_t)REGLET__DEFAULT_MODULE_BYTES
                                                      : (uint64_t)options.max_module_bytes;
    load->interrupt = (struct reglet__interrupt){
        reglet__deadline_after_ms(options.timeout_ms ? options.timeout_ms : -1), options.cancel};
    return REGLET_OK;
}

static reglet_status check_size(const struct load *load, uint64_t size, reglet_error **err) {
    if (size <= load->max_bytes)
        return REGLET_OK;
    return reglet__fail(err, REGLET_ERR_MODULE_SIZE, REGLET_DOMAIN_RUNTIME,
                        "plugin \"%s\": the module has %llu bytes; at most %llu are loaded", load->name,
                        (unsigned long long)size, (unsigned long long)load->max_bytes);
}

static reglet_status take_bytes(struct load *load, reglet_error **err) {
    reglet_status status = check_size(load, load->source.size, err);
    if (status == REGLET_OK && !reglet__sha256(load->source.wasm, load->source.size, &load->hash))
        status = reglet__fail_memory(err);
    return status;
}

static reglet_status open_file(struct load *load, reglet_error **err) {
    uint64_t size = 0;
    reglet_status status = reglet__module_file_open(load->path, &load->source.fd, &size, err);
    if (status == REGLET_OK)
        status = check_size(load, size, err);
    load->source.size = (size_t)size;
    return status == REGLET_OK ? reglet__module_file_hash(load->source.fd, load->path, size, &load->hash, err)
                               : status;
}

static reglet_status check_pin(const struct load *load, reglet_error **err) {
    for (size_t i = 0; i < load->runtime->pin_count; i++) {
        const struct pin *pin = &load->runtime->pins[i];
        if (strcmp(pin->plugin, load->name) != 0 || reglet__sha256_equal(&pin->hash, &load->hash))
            continue;
        char pinned[65], found[65];
        reglet__sha256_to_hex(&pin->hash, pinned);
        reglet__sha256_to_hex(&load->hash, found);
        return reglet__fail(err, REGLET_ERR_PIN_MISMATCH, REGLET_DOMAIN_RUNTIME,
                            "plugin \"%s\" is pinned to the module with SHA-256 %s; this one has %s",
                            load->name, pinned, found);
    }
    return REGLET_OK;
}

static reglet_status load_begin(struct load *load, const reglet_load_options *options, reglet_error **err) {
    if (!load->runtime || (!load->source.wasm && load->source.size && !load->path))
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "load: runtime or wasm is NULL");
    reglet_status status = reglet__check_name(load->name, "load", err);
    if (status == REGLET_OK)
        status = load_options(load, options, err);
    if (status == REGLET_OK)
        status = load->path ? open_file(load, err) : take_bytes(load, err);
    return status == REGLET_OK ? check_pin(load, err) : status;
}

static void drop(struct reglet__compilation *compilation) {
    reglet__compilation_leave(compilation);
    reglet__compilation_unref(compilation);
}

static void count_compile_time(const struct load *load, int64_t ns) {
    struct reglet__metrics *metrics = reglet__metrics_of(load->runtime->metrics, load->name);
    if (metrics) /* without memory, the load is about to fail for it */
        reglet__histogram_add(&metrics->phases[REGLET__PHASE_COMPILE], ns);
}

/* Compiles, or waits for who compiles the same bytes, and makes a version of it. Messages name the plugin. */
static reglet_status compile(struct load *load, struct version **out, reglet_error **err) {
    struct reglet__compilation *compilation = NULL;
    struct reglet__module *module = NULL;
    reglet_error *error = NULL;
    reglet_status status = reglet__interrupt_check(&load->interrupt);
    if (status != REGLET_OK)
        return reglet__fail(err, status, REGLET_DOMAIN_RUNTIME,
                            "plugin \"%s\": the load was given up before it began", load->name);
    reglet_cancel_token_ref(load->interrupt.token);
    int64_t begun = reglet__now();
    status = reglet__compilation_start(load->runtime->cache, &load->hash, load->runtime->compiler,
                                       &load->source, &compilation, &error);
    if (status == REGLET_OK)
        status = reglet__compilation_wait(compilation, &load->interrupt, &module, &error);
    if (status == REGLET_OK)
        count_compile_time(load, reglet__now() - begun);
    if (status == REGLET_OK)
        status = reglet__version_new(load->runtime, take_ptr(compilation), module, &load->hash, out, &error);
    else
        drop(compilation);
    if (status == REGLET_OK)
        reglet__say_notice(load->runtime, load->name, (*out)->compilation);
    reglet__screen_error(load->runtime, error); /* it quotes names of the module's */
    if (status != REGLET_OK)
        reglet__fail_errno(err, status, reglet_error_domain(error), reglet_error_errno(error),
                           "plugin \"%s\": %s", load->name, reglet_error_message(error));
    reglet_error_free(error);
    reglet_cancel_token_unref(load->interrupt.token);
    return status;
}

static reglet_status name_taken(const char *name, reglet_error **err) {
    return reglet__fail(
        err, REGLET_ERR_NAME_TAKEN, REGLET_DOMAIN_RUNTIME,
        "plugin \"%s\" is loaded already, from other bytes; replace it, or load these under another name",
        name);
}

/* The plugin that has the name already: OK with a reference, or NULL; NAME_TAKEN when its bytes are others. */
static reglet_status known_plugin(const struct load *load, reglet_plugin **out, reglet_error **err) {
    pthread_mutex_lock(&load->runtime->lock);
    reglet_plugin *plugin = find(load->runtime, load->name);
    bool same = plugin && reglet__plugin_has_hash(plugin, &load->hash);
    *out = same ? reglet_plugin_ref(plugin) : NULL;
    pthread_mutex_unlock(&load->runtime->lock);
    return plugin && !same ? name_taken(load->name, err) : REGLET_OK;
}

/* Lists the new plugin, unless another thread has loaded the name meanwhile: then that one is the answer. */
static reglet_status publish(const struct load *load, reglet_plugin *fresh, reglet_plugin **out,
                             reglet_error **err) {
    pthread_mutex_lock(&load->runtime->lock);
    reglet_plugin *known = find(load->runtime, load->name);
    bool same = known && reglet__plugin_has_hash(known, &load->hash);
    if (!known) {
        fresh->next = load->runtime->plugins;
        load->runtime->plugins = reglet_plugin_ref(fresh);
    }
    if (!known || same)
        *out = reglet_plugin_ref(known ? known : fresh);
    pthread_mutex_unlock(&load->runtime->lock);
    return known && !same ? name_taken(load->name, err) : REGLET_OK;
}

static reglet_status load_plugin(struct load *load, const reglet_load_options *options, reglet_plugin **out,
                                 reglet_error **err) {
    if (!out)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME, "load: out is NULL");
    reglet_status status = load_begin(load, options, err);
    reglet_plugin *plugin = NULL;
    if (status == REGLET_OK)
        status = known_plugin(load, &plugin, err);
    if (status != REGLET_OK)
        return status;
    if (plugin) {
        *out = plugin;
        return REGLET_OK;
    }
    struct version *version = NULL;
    status = compile(load, &version, err);
    if (status == REGLET_OK)
        status = reglet__plugin_new(load->runtime, load->name, version, &plugin, err);
    if (status != REGLET_OK)
        return status;
    status = publish(load, plugin, out, err);
    reglet_plugin_unref(plugin);
    return status;
}

reglet_status reglet_runtime_load_plugin(reglet_runtime *runtime, const char *name, const void *wasm,
                                         size_t wasm_size, const reglet_load_options *options,
                                         reglet_plugin **out, reglet_error **err) {
    struct load load = {.runtime = runtime, .name = name, .source = {wasm, wasm_size, -1}};
    return load_plugin(&load, options, out, err);
}

reglet_status reglet_runtime_load_plugin_file(reglet_runtime *runtime, const char *name, const char *path,
                                              const reglet_load_options *options, reglet_plugin **out,
                                              reglet_error **err) {
    if (!path)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME, "load: path is NULL");
    struct load load = {.runtime = runtime, .name = name, .path = path, .source = {.fd = -1}};
    reglet_status status = load_plugin(&load, options, out, err);
    if (load.source.fd >= 0)
        close(load.source.fd);
    return status;
}

reglet_status reglet_runtime_replace_plugin(reglet_runtime *runtime, const char *name, const void *wasm,
                                            size_t wasm_size, const reglet_load_options *options,
                                            reglet_error **err) {
    struct load load = {.runtime = runtime, .name = name, .source = {wasm, wasm_size, -1}};
    reglet_plugin *plugin = NULL;
    reglet_status status = load_begin(&load, options, err);
    if (status == REGLET_OK)
        status = reglet_runtime_get_plugin(runtime, name, &plugin, err);
    if (status != REGLET_OK)
        return status;
    struct version *version = NULL;
    status = compile(&load, &version, err);
    if (status == REGLET_OK)
        status = reglet__plugin_replace(plugin, version, err);
    if (status == REGLET_OK)
        reglet__runtime_say(runtime, REGLET_LOG_INFO, name, "the plugin was replaced");
    reglet_plugin_unref(plugin);
    return status;
}
