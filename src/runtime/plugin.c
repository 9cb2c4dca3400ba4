#define _GNU_SOURCE
#include <reglet/plugin.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/abi.h"
#include "runtime/internal.h"
#include "runtime/tape.h"
#include "util/clock.h"
#include "util/fail.h"

/* --- The plugin object ----------------------------------------------------------------------------------- */

reglet_status reglet__plugin_new(reglet_runtime *runtime, const char *name, struct version *version,
                                 reglet_plugin **out, reglet_error **err) {
    reglet_plugin *plugin = calloc(1, sizeof *plugin);
    char *copy = plugin ? strdup(name) : NULL;
    struct reglet__metrics *metrics = copy ? reglet__metrics_of(runtime->metrics, name) : NULL;
    if (!metrics) {
        free(copy);
        free(plugin);
        reglet__version_unref(version);
        return reglet__fail_memory(err);
    }
    atomic_init(&plugin->references, 1);
    atomic_fetch_add(&runtime->references, 1);
    plugin->runtime = runtime;
    plugin->name = copy;
    plugin->metrics = metrics;
    plugin->version = version;
    pthread_mutex_init(&plugin->lock, NULL);
    atomic_init(&plugin->closed, false);
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

static reglet_status fail_closed(const reglet_plugin *plugin, reglet_error **err) {
    return reglet__fail(err, REGLET_ERR_CLOSED, REGLET_DOMAIN_RUNTIME, "plugin \"%s\" was closed",
                        plugin->name);
}

reglet_status reglet__plugin_replace(reglet_plugin *plugin, struct version *version, reglet_error **err) {
    pthread_mutex_lock(&plugin->lock);
    bool closed = atomic_load(&plugin->closed);
    struct version *old = closed ? version : plugin->version;
    if (!closed)
        plugin->version = version;
    pthread_mutex_unlock(&plugin->lock);
    reglet__version_unref(old);
    return closed ? fail_closed(plugin, err) : REGLET_OK;
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
    atomic_store(&plugin->closed, true);
    reglet__version_leave(plugin->version);
    pthread_mutex_unlock(&plugin->lock);
    reglet__runtime_forget(plugin->runtime, plugin);
}

/* --- Visits ---------------------------------------------------------------------------------------------- */

/* Visits that this thread is in, on plugins of any runtime: one within the other, by way of callbacks. */
static _Thread_local unsigned depth;

static reglet_status fail_waiting(const struct visit *visit, reglet_status status, int reason,
                                  reglet_error **err) {
    long long limit = visit->plugin->runtime->limits.concurrent_calls;
    if (status == REGLET_ERR_NO_MEMORY)
        return reglet__fail_memory(err);
    if (status == REGLET_ERR_IO)
        return reglet__fail_errno(
            err, status, REGLET_DOMAIN_RUNTIME, reason,
            "as many calls run as max_concurrent_calls allows, and no descriptor is left to wait with: %s",
            reglet__errno_text(reason));
    return reglet__fail(err, status, REGLET_DOMAIN_RUNTIME,
                        "%s while it waited: %lld %s running, which is all that max_concurrent_calls allows",
                        status == REGLET_ERR_TIMEOUT ? "the call's deadline passed"
                                                     : "the call was cancelled",
                        limit, limit == 1 ? "call is" : "calls are");
}

reglet_status reglet__permit_take(const struct visit *visit, bool *taken, reglet_error **err) {
    if (visit->nested)
        return REGLET_OK;
    reglet_status status = reglet__permits_take(&visit->plugin->runtime->permits, &visit->interrupt);
    if (status != REGLET_OK)
        return fail_waiting(visit, status, errno, err);
    *taken = true;
    return REGLET_OK;
}

/* Under the lock: takes what this call runs on. An image is of the module as it was rewritten, by whichever compiler. */
static void take_version(struct visit *visit, struct version *version, struct reglet__module **replaced,
                         struct reglet__image **expired) {
    struct reglet__module *better = reglet__compilation_better(version->compilation, version->module);
    if (better) {
        *replaced = version->module;
        version->module = better;
    }
    visit->version = version;
    atomic_fetch_add_explicit(&version->references, 1, memory_order_relaxed);
    visit->module = reglet__module_ref(version->module);
    if (!reglet__module_no_image(version->module))
        reglet__kept_image_take(visit, expired);
}

static reglet_status enter(struct visit *visit, reglet_error **err) {
    reglet_plugin *plugin = visit->plugin;
    struct reglet__module *replaced = NULL;
    struct reglet__image *expired = NULL;
    pthread_mutex_lock(&plugin->lock);
    bool closed = atomic_load(&plugin->closed);
    if (!closed)
        take_version(visit, plugin->version, &replaced, &expired);
    pthread_mutex_unlock(&plugin->lock);
    reglet__module_unref(replaced);
    reglet__image_unref(expired);
    if (closed)
        return fail_closed(plugin, err);
    reglet__say_notice(plugin->runtime, plugin->name, visit->version->compilation);
    return REGLET_OK;
}

static void leave(struct visit *visit) {
    reglet_runtime *runtime = visit->plugin->runtime;
    if (visit->has_permit)
        reglet__permits_give(&runtime->permits);
    depth--;
    reglet_cancel_token_unref(visit->interrupt.token);
    reglet__image_unref(visit->start.image);
    reglet__module_unref(visit->module);
    reglet__version_unref(visit->version);
    /* A call counts itself out and then looks; who frees says so and then counts: one of the two sees the other. */
    if (atomic_fetch_sub(&runtime->calls, 1) == 1 && atomic_load(&runtime->freeing)) {
        pthread_mutex_lock(&runtime->lock);
        pthread_cond_signal(&runtime->idle);
        pthread_mutex_unlock(&runtime->lock);
    }
    reglet_plugin_unref(visit->plugin);
}

reglet_status reglet__visit_begin(reglet_plugin *plugin, const reglet_call_options *options,
                                  enum visit_kind kind, struct visit *visit, reglet_error **err) {
    *visit = (struct visit){0};
    reglet_status status =
        reglet__call_begin(plugin->runtime, options, &visit->interrupt, &visit->request_id, err);
    if (status != REGLET_OK)
        return status;
    visit->plugin = reglet_plugin_ref(plugin);
    reglet_cancel_token_ref(visit->interrupt.token);
    visit->nested = depth++ > 0;
    /* Before it looks whether the plugin is closed: reglet_runtime_free() closes first, and then waits. */
    atomic_fetch_add(&plugin->runtime->calls, 1);
    if (atomic_load(&plugin->closed)) /* it need not wait to learn that */
        status = fail_closed(plugin, err);
    if (status == REGLET_OK && kind == VISIT_RUNS)
        status = reglet__permit_take(visit, &visit->has_permit, err);
    if (status == REGLET_OK)
        status = enter(visit, err);
    if (status != REGLET_OK)
        leave(visit);
    return status;
}

reglet_status reglet__visit_end(struct visit *visit, reglet_status status, reglet_error **err) {
    if (status != REGLET_OK && err)
        reglet__screen_error(visit->plugin->runtime, *err);
    leave(visit);
    return status;
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
    reglet_status status = reglet__visit_begin(plugin, call, VISIT_ASKS, &visit, err);
    if (status != REGLET_OK)
        return status;
    const reglet_description *kept = NULL;
    status = reglet__visit_description(&visit, &kept, err);
    if (status == REGLET_OK)
        *out = reglet__description_ref(kept);
    return reglet__visit_end(&visit, status, err);
}

reglet_status reglet_plugin_schema(reglet_plugin *plugin, const reglet_call_options *call,
                                   const reglet_schema **out, reglet_error **err) {
    if (!plugin || !out)
        return null_argument("schema", err);
    struct visit visit;
    reglet_status status = reglet__visit_begin(plugin, call, VISIT_ASKS, &visit, err);
    if (status != REGLET_OK)
        return status;
    const reglet_schema *kept = NULL;
    status = reglet__visit_schema(&visit, &kept, err);
    if (status == REGLET_OK)
        *out = reglet__schema_ref(kept);
    return reglet__visit_end(&visit, status, err);
}

/* Runs observe and turns whatever comes of it into a result. */
static reglet_status run_observe(const struct visit *visit, const char *config, size_t size, bool replays,
                                 reglet_result **out, reglet_error **err) {
    const struct reglet__policy *policy = NULL; /* a replay grants nothing, for it reaches nothing */
    reglet_status status = replays ? REGLET_OK : reglet__visit_policy(visit, &policy, err);
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
    visit->meter->bytes[REGLET__BYTES_EVIDENCE] += answer.size;
    const struct reglet__screen screen = {.replace = reglet__screen_evidence,
                                          .user_data = (void *)(uintptr_t)visit};
    status = first ? reglet__result_from_evidence_v1(answer.bytes, answer.size, most, &screen, out, err)
                   : reglet__result_from_evidence_v2(answer.bytes, answer.size, most, &screen, out, err);
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

static reglet_status observe(struct visit *visit, const reglet_config *config, struct tape *tape,
                             reglet_result **out, reglet_error **err) {
    const char *json = NULL;
    size_t size = 0;
    if (config && reglet__config_json(config, &json, &size) != REGLET_OK)
        return reglet__fail_memory(err);
    reglet_status status =
        visit->plugin->runtime->check_config ? check_config(visit, config, err) : REGLET_OK;
    if (status != REGLET_OK)
        return status;
    status = reglet__tape_begin(tape, visit, &json, &size, err);
    if (status == REGLET_OK)
        status = run_observe(visit, json, size, tape->replay, out, err);
    reglet__tape_end(tape, visit, status);
    return status;
}

/* One deadline and one token end a call, also while it waits to begin: what they do is in the result in any case. */
static reglet_status conclude(reglet_status status, reglet_error *error, uint64_t redactions,
                              uint32_t exit_code, reglet_result **out, reglet_error **err) {
    if (!is_plugins_doing(status)) {
        if (err)
            *err = error;
        else
            reglet_error_free(error);
        return status;
    }
    reglet_result *result = reglet__result_from_error(error, exit_code, redactions);
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
    struct tape tape;
    reglet_error *error = NULL;
    uint32_t exit_code = 0;
    uint64_t redactions = 0;
    reglet_status status = reglet__tape_take(call, &tape, &error);
    if (status == REGLET_OK)
        status = reglet__visit_begin(plugin, call, VISIT_RUNS, &visit, &error);
    if (status == REGLET_OK) {
        struct reglet__meter meter = {.begun_ns = reglet__now()};
        reglet_result *result = NULL;
        visit.exit_code = &exit_code;
        visit.meter = &meter;
        status = observe(&visit, config, &tape, &result, &error);
        reglet__meter_end(&meter, plugin->metrics, status,
                          result && !reglet_evidence_status(reglet_result_evidence(result)));
        if (result)
            *out = result;
        reglet__compilation_improve(visit.version->compilation);
        redactions = reglet__screen_error(plugin->runtime, error);
        reglet__visit_end(&visit, status, NULL); /* which may have been all that the plugin was kept for */
    }
    return status == REGLET_OK ? REGLET_OK : conclude(status, error, redactions, exit_code, out, err);
}

reglet_status reglet_plugin_optimize(reglet_plugin *plugin, const reglet_call_options *call,
                                     reglet_error **err) {
    if (!plugin)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "optimize: plugin is NULL");
    struct visit visit;
    reglet_status status = reglet__visit_begin(plugin, call, VISIT_ASKS, &visit, err);
    if (status != REGLET_OK)
        return status;
    status = reglet__compilation_wait_improved(visit.version->compilation, &visit.interrupt, err);
    return reglet__visit_end(&visit, status, err);
}
