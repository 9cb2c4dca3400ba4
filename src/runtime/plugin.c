#define _GNU_SOURCE
#include <reglet/plugin.h>
#include <stdlib.h>
#include <string.h>

#include "abi/abi.h"
#include "runtime/internal.h"
#include "util/cleanup.h"
#include "util/fail.h"

REGLET_DEFINE_CLEANUP(reglet_error *, reglet_error_free);
#define _cleanup_error_ _cleanup_(reglet_error_free_p)

/* --- The plugin object ----------------------------------------------------------------------------------- */

reglet_status reglet__plugin_new(reglet_runtime *runtime, const char *name, struct version *version,
                                 reglet_plugin **out, reglet_error **err) {
    reglet_plugin *plugin = calloc(1, sizeof *plugin);
    char *copy = plugin ? strdup(name) : NULL;
    if (!copy) {
        free(plugin);
        reglet__version_unref(version);
        return reglet__fail_memory(err);
    }
    atomic_init(&plugin->references, 1);
    atomic_fetch_add(&runtime->references, 1);
    plugin->runtime = runtime;
    plugin->name = copy;
    plugin->version = version;
    pthread_mutex_init(&plugin->lock, NULL);
    *out = plugin;
    return REGLET_OK;
}

reglet_plugin *reglet_plugin_ref(reglet_plugin *plugin) {
    if (plugin)
        atomic_fetch_add_explicit(&plugin->references, 1, memory_order_relaxed);
    return plugin;
}

void reglet_plugin_unref(reglet_plugin *plugin) {
    if (!plugin || atomic_fetch_sub_explicit(&plugin->references, 1, memory_order_acq_rel) != 1)
        return;
    reglet__version_unref(plugin->version);
    pthread_mutex_destroy(&plugin->lock);
    reglet__runtime_unref(plugin->runtime);
    free(plugin->name);
    free(plugin);
}

const char *reglet_plugin_name(const reglet_plugin *plugin) {
    return plugin ? plugin->name : "";
}

reglet_status reglet__plugin_replace(reglet_plugin *plugin, struct version *version, reglet_error **err) {
    pthread_mutex_lock(&plugin->lock);
    bool closed = plugin->closed;
    struct version *old = closed ? version : plugin->version;
    if (!closed)
        plugin->version = version;
    pthread_mutex_unlock(&plugin->lock);
    reglet__version_unref(old);
    return closed ? reglet__fail(err, REGLET_ERR_CLOSED, REGLET_DOMAIN_RUNTIME, "plugin \"%s\" was closed",
                                 plugin->name)
                  : REGLET_OK;
}

bool reglet__plugin_has_hash(reglet_plugin *plugin, const struct reglet__sha256 *hash) {
    pthread_mutex_lock(&plugin->lock);
    bool same = reglet__sha256_equal(&plugin->version->hash, hash);
    pthread_mutex_unlock(&plugin->lock);
    return same;
}

void reglet_plugin_close(reglet_plugin *plugin) {
    if (!plugin)
        return;
    pthread_mutex_lock(&plugin->lock);
    plugin->closed = true;
    pthread_mutex_unlock(&plugin->lock);
    reglet__runtime_forget(plugin->runtime, plugin);
}

static reglet_status enter(reglet_plugin *plugin, struct version **out, struct reglet__image **image,
                           reglet_error **err) {
    struct reglet__image *expired = NULL;
    pthread_mutex_lock(&plugin->lock);
    bool closed = plugin->closed;
    if (!closed) {
        atomic_fetch_add(&plugin->runtime->calls, 1);
        *out = plugin->version;
        atomic_fetch_add_explicit(&plugin->version->references, 1, memory_order_relaxed);
        *image = reglet__kept_image(plugin->version, &expired);
    }
    pthread_mutex_unlock(&plugin->lock);
    reglet__image_unref(expired);
    if (!closed)
        return REGLET_OK;
    return reglet__fail(err, REGLET_ERR_CLOSED, REGLET_DOMAIN_RUNTIME, "plugin \"%s\" was closed",
                        plugin->name);
}

reglet_status reglet__visit_begin(reglet_plugin *plugin, const reglet_call_options *options,
                                  struct visit *visit, reglet_error **err) {
    reglet_status status =
        reglet__call_begin(plugin->runtime, options, &visit->interrupt, &visit->request_id, err);
    if (status == REGLET_OK)
        status = enter(plugin, &visit->version, &visit->image, err);
    if (status != REGLET_OK)
        return status;
    visit->plugin = reglet_plugin_ref(plugin);
    visit->exit_code = NULL;
    reglet_cancel_token_ref(visit->interrupt.token);
    return REGLET_OK;
}

void reglet__visit_end(struct visit *visit) {
    reglet_runtime *runtime = visit->plugin->runtime;
    reglet_cancel_token_unref(visit->interrupt.token);
    reglet__image_unref(visit->image);
    reglet__version_unref(visit->version);
    if (atomic_fetch_sub(&runtime->calls, 1) == 1) {
        pthread_mutex_lock(&runtime->lock);
        pthread_cond_signal(&runtime->idle);
        pthread_mutex_unlock(&runtime->lock);
    }
    reglet_plugin_unref(visit->plugin);
}

/* --- Public calls ---------------------------------------------------------------------------------------- */

static reglet_status null_argument(const char *function, reglet_error **err) {
    return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME, "%s: plugin or out is NULL",
                        function);
}

reglet_status reglet_plugin_describe(reglet_plugin *plugin, const reglet_call_options *call,
                                     const reglet_description **out, reglet_error **err) {
    if (!plugin || !out)
        return null_argument("describe", err);
    struct visit visit;
    reglet_status status = reglet__visit_begin(plugin, call, &visit, err);
    if (status != REGLET_OK)
        return status;
    const reglet_description *kept = NULL;
    status = reglet__visit_description(&visit, &kept, err);
    if (status == REGLET_OK)
        *out = reglet__description_ref(kept);
    reglet__visit_end(&visit);
    return status;
}

reglet_status reglet_plugin_schema(reglet_plugin *plugin, const reglet_call_options *call,
                                   const reglet_schema **out, reglet_error **err) {
    if (!plugin || !out)
        return null_argument("schema", err);
    struct visit visit;
    reglet_status status = reglet__visit_begin(plugin, call, &visit, err);
    if (status != REGLET_OK)
        return status;
    const reglet_schema *kept = NULL;
    status = reglet__visit_schema(&visit, &kept, err);
    if (status == REGLET_OK)
        *out = reglet__schema_ref(kept);
    reglet__visit_end(&visit);
    return status;
}

/* Runs observe and turns whatever comes of it into a result. */
static reglet_status run_observe(const struct visit *visit, const char *config, size_t size,
                                 reglet_result **out, reglet_error **err) {
    const struct reglet__policy *policy = NULL;
    reglet_status status = reglet__visit_policy(visit, &policy, err);
    if (status != REGLET_OK)
        return status;
    const struct call_setup setup = {.visit = visit, .policy = policy, .observes = true};
    struct answer answer = {0};
    bool first = visit->version->generation == 1;
    status = reglet__call_export(&setup, first ? "observe" : "_observe", config, size, &answer,
                                 visit->exit_code, err);
    if (status != REGLET_OK)
        return status;
    uint64_t most = visit->plugin->runtime->limits.evidence_bytes;
    status = first ? reglet__result_from_evidence_v1(answer.bytes, answer.size, most, out, err)
                   : reglet__result_from_evidence_v2(answer.bytes, answer.size, most, out, err);
    free(answer.bytes);
    return status;
}

static reglet_status check_config(const struct visit *visit, const reglet_config *config,
                                  reglet_error **err) {
    const reglet_schema *schema = NULL;
    reglet_status status = reglet__visit_schema(visit, &schema, err);
    return status == REGLET_OK ? reglet__schema_check(schema, config, err) : status;
}

/* What the plugin did is a result; what the caller or this host did is a failure. */
static bool is_plugins_doing(reglet_status status) {
    return status <= REGLET_ERR_MISSING_EXPORT && status != REGLET_ERR_INTERNAL;
}

static reglet_status observe(struct visit *visit, const reglet_config *config, reglet_result **out,
                             reglet_error **err) {
    const char *json = "{}";
    size_t size = 2;
    if (config && reglet__config_json(config, &json, &size) != REGLET_OK)
        return reglet__fail_memory(err);
    _cleanup_error_ reglet_error *error = NULL;
    uint32_t exit_code = 0;
    visit->exit_code = &exit_code;
    reglet_status status =
        visit->plugin->runtime->check_config ? check_config(visit, config, &error) : REGLET_OK;
    if (status == REGLET_OK)
        status = run_observe(visit, json, size, out, &error);
    if (status == REGLET_OK)
        return REGLET_OK;
    if (!is_plugins_doing(status)) {
        if (err)
            *err = take_ptr(error);
        return status;
    }
    reglet_result *result = reglet__result_from_error(take_ptr(error), exit_code);
    if (!result)
        return reglet__fail_memory(err);
    *out = result;
    return REGLET_OK;
}

reglet_status reglet_plugin_observe(reglet_plugin *plugin, const reglet_config *config,
                                    const reglet_call_options *call, reglet_result **out,
                                    reglet_error **err) {
    if (!plugin || !out)
        return null_argument("observe", err);
    struct visit visit;
    reglet_status status = reglet__visit_begin(plugin, call, &visit, err);
    if (status != REGLET_OK)
        return status;
    status = observe(&visit, config, out, err);
    reglet__visit_end(&visit);
    return status;
}
