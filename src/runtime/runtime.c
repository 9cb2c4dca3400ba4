#define _GNU_SOURCE
#include <reglet/runtime.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/pages.h"
#include "redact/redact.h"
#include "runtime/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/options.h"
#include "util/text.h"
#include "util/variant.h"

const char *reglet_engine_version(void) {
    return reglet__engine_version();
}

bool reglet_engine_scans_memory(void) {
    return reglet__memory_scans();
}

/* --- Events ---------------------------------------------------------------------------------------------- */

void reglet__runtime_log(const reglet_runtime *runtime, reglet_log_event *event) {
    event->struct_size = sizeof *event;
    if (runtime->log)
        runtime->log(runtime->log_user_data, event);
}

void reglet__runtime_say(const reglet_runtime *runtime, reglet_log_level level, const char *plugin,
                         const char *format, ...) {
    char text[512], line[2048];
    va_list args;
    if (!runtime->log)
        return;
    va_start(args, format);
    reglet__format_line_va(text, sizeof text, format, args);
    va_end(args);
    reglet__clean_line(text, strlen(text), line, sizeof line);
    _cleanup_free_ char *shown = NULL;
    reglet_log_event event = {.level = level,
                              .source = REGLET_LOG_HOST,
                              .plugin = plugin,
                              .message = reglet__screen_text(runtime, line, &shown),
                              .time_ns = reglet__wall_clock()};
    reglet__runtime_log(runtime, &event);
}

void reglet__say_notice(const reglet_runtime *runtime, const char *plugin,
                        struct reglet__compilation *compilation) {
    _cleanup_free_ char *notice = reglet__compilation_notice(compilation);
    if (notice)
        reglet__runtime_say(runtime, REGLET_LOG_WARN, plugin, "%s", notice);
}

/* --- Options --------------------------------------------------------------------------------------------- */

/* One numeric option: its name, what was given, and what it may be. */
static reglet_status number_option(const char *name, int64_t given, int64_t fallback, int64_t most,
                                   bool may_be_unlimited, uint64_t *out, reglet_error **err) {
    if (given == 0)
        *out = (uint64_t)fallback;
    else if (given == -1 && may_be_unlimited)
        *out = UINT64_MAX;
    else if (given > 0 && given <= most)
        *out = (uint64_t)given;
    else
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "runtime options: %s is %lld; it may be 0 (%lld)%s or 1 to %lld", name,
                            (long long)given, (long long)fallback, may_be_unlimited ? ", -1 (unlimited)" : "",
                            (long long)most);
    return REGLET_OK;
}

static reglet_status take_quotas(const reglet_runtime_options *options, uint64_t quotas[REGLET__QUOTA_COUNT],
                                 reglet_error **err) {
    const struct {
        enum reglet__quota quota;
        const char *name;
        int64_t given, fallback;
    } counters[] = {
        {REGLET__QUOTA_OUTPUT_BYTES, "max_output_bytes", options->max_output_bytes,
         REGLET__DEFAULT_OUTPUT_BYTES},
        {REGLET__QUOTA_LOG_MESSAGES, "max_log_messages", options->max_log_messages,
         REGLET__DEFAULT_LOG_MESSAGES},
        {REGLET__QUOTA_LOG_BYTES, "max_log_bytes", options->max_log_bytes, REGLET__DEFAULT_LOG_BYTES},
        {REGLET__QUOTA_HOST_CALLS, "max_host_calls", options->max_host_calls, REGLET__DEFAULT_HOST_CALLS},
        {REGLET__QUOTA_NETWORK_IN_BYTES, "max_network_in_bytes", options->max_network_in_bytes,
         REGLET__DEFAULT_NETWORK_IN},
        {REGLET__QUOTA_NETWORK_OUT_BYTES, "max_network_out_bytes", options->max_network_out_bytes,
         REGLET__DEFAULT_NETWORK_OUT},
        {REGLET__QUOTA_COMMANDS, "max_commands", options->max_commands, REGLET__DEFAULT_COMMANDS},
    };
    reglet_status status =
        number_option("max_open_files", options->max_open_files, REGLET__DEFAULT_OPEN_FILES,
                      REGLET__MAX_OPEN_FILES, false, &quotas[REGLET__QUOTA_OPEN_FILES], err);
    for (size_t i = 0; i < ARRAY_LEN(counters) && status == REGLET_OK; i++)
        status = number_option(counters[i].name, counters[i].given, counters[i].fallback, INT64_MAX, true,
                               &quotas[counters[i].quota], err);
    return status;
}

static reglet_status take_limits(const reglet_runtime_options *options, struct limits *limits,
                                 reglet_error **err) {
    uint64_t mib = 0, timeout = 0, calls = 0;
    reglet_status status = number_option("memory_limit_mib", options->memory_limit_mib,
                                         REGLET__DEFAULT_MEMORY_MIB, REGLET__MAX_MEMORY_MIB, true, &mib, err);
    if (status == REGLET_OK)
        status = number_option("default_timeout_ms", options->default_timeout_ms, REGLET__DEFAULT_TIMEOUT_MS,
                               INT64_MAX, true, &timeout, err);
    if (status == REGLET_OK)
        status = number_option("max_evidence_bytes", options->max_evidence_bytes,
                               REGLET__DEFAULT_EVIDENCE_BYTES, INT64_MAX, true, &limits->evidence_bytes, err);
    if (status == REGLET_OK)
        status = number_option("max_result_bytes", options->max_result_bytes, REGLET__MAX_RESULT_BYTES,
                               REGLET__MAX_RESULT_BYTES, false, &limits->result_bytes, err);
    if (status == REGLET_OK)
        status = take_quotas(options, limits->quotas, err);
    if (status == REGLET_OK)
        status =
            number_option("max_table_elements", options->max_table_elements, REGLET__DEFAULT_TABLE_ELEMENTS,
                          UINT32_MAX, false, &limits->table_elements, err);
    if (status == REGLET_OK)
        status = number_option("image_max_age_ms", options->image_max_age_ms, REGLET__DEFAULT_IMAGE_AGE_MS,
                               INT64_MAX, false, &limits->image_age_ms, err);
    if (status == REGLET_OK)
        status = number_option("image_max_calls", options->image_max_calls, REGLET__DEFAULT_IMAGE_CALLS,
                               INT64_MAX, true, &limits->image_calls, err);
    if (status == REGLET_OK)
        status = number_option("max_concurrent_calls", options->max_concurrent_calls,
                               REGLET__DEFAULT_CONCURRENT_CALLS, INT64_MAX, true, &calls, err);
    if (limits->image_calls == UINT64_MAX /* -1 */ || REGLET__NO_IMAGES)
        limits->image_calls = 0;
    limits->prime_images = options->prime_images || REGLET__PRIME;
    limits->concurrent_calls = calls > INT64_MAX ? INT64_MAX : (int64_t)calls; /* nobody can have as many */
    limits->memory = (mib == UINT64_MAX ? (uint64_t)REGLET__MAX_MEMORY_MIB : mib) << 20;
    limits->timeout_ms = timeout == UINT64_MAX ? -1 : (int64_t)timeout;
    return status;
}

static reglet_status take_strings(const reglet_runtime_options *options, reglet_runtime *runtime,
                                  reglet_error **err) {
    const char *directory = options->working_directory;
    if (directory && directory[0] != '/')
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "runtime options: working_directory is \"%s\"; it must be an absolute path",
                            directory);
    runtime->working_directory = directory ? strdup(directory) : getcwd(NULL, 0);
    if (!runtime->working_directory && !directory && errno != ENOMEM)
        runtime->working_directory =
            strdup("/"); /* the current directory is gone: relative grants start from the root */
    return runtime->working_directory ? REGLET_OK : reglet__fail_memory(err);
}

static reglet_status take_environment(reglet_runtime *runtime, reglet_error **err) {
    size_t count = 0;
    while (environ && environ[count])
        count++;
    runtime->environment = calloc(count ? count : 1, sizeof *runtime->environment);
    if (!runtime->environment)
        return reglet__fail_memory(err);
    for (size_t i = 0; i < count; i++, runtime->environment_count++)
        if (!(runtime->environment[i] = strdup(environ[i])))
            return reglet__fail_memory(err);
    return REGLET_OK;
}

reglet_status reglet__check_name(const char *name, const char *where, reglet_error **err) {
    size_t size = name ? strlen(name) : 0;
    const char *wrong = size == 0                         ? "empty"
                        : size > REGLET__MAX_NAME         ? "longer than 255 bytes"
                        : !reglet__utf8_valid(name, size) ? "no UTF-8"
                        : strchr(name, '/')               ? "with a \"/\" in it"
                                                          : NULL;
    for (size_t i = 0; i < size && !wrong; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7F)
            wrong = "with a control character in it";
    if (!wrong)
        return REGLET_OK;
    return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                        "%s: the plugin's name is %s", where, wrong);
}

static reglet_status take_cache(const reglet_runtime_options *options, reglet_runtime *runtime,
                                reglet_error **err) {
    if ((unsigned)options->compiler > REGLET_COMPILER_OPTIMIZING)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "runtime options: compiler is %d, which is none of REGLET_COMPILER_…",
                            (int)options->compiler);
    runtime->compiler = options->compiler != REGLET_COMPILER_AUTO ? options->compiler
                        : REGLET__FAST_COMPILER                   ? REGLET_COMPILER_FAST
                        : REGLET__OPTIMIZING_COMPILER             ? REGLET_COMPILER_OPTIMIZING
                                                                  : REGLET_COMPILER_AUTO;
    switch (options->cache_mode) {
    case REGLET_CACHE_SHARED: return reglet__cache_shared(&runtime->cache, err);
    case REGLET_CACHE_NONE: return reglet__cache_none(&runtime->cache, err);
    case REGLET_CACHE_OWN: break;
    default:
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "runtime options: cache_mode is %d, which is none of REGLET_CACHE_…",
                            (int)options->cache_mode);
    }
    if (!options->cache)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "runtime options: cache_mode is REGLET_CACHE_OWN but cache is NULL");
    runtime->cache = reglet_cache_ref(options->cache);
    return REGLET_OK;
}

static reglet_status take_host_functions(const reglet_runtime_options *options, reglet_runtime *runtime,
                                         reglet_error **err) {
    const struct reglet__host_setup_options setup = {
        .host_version = options->host_version ? options->host_version : REGLET_VERSION_STRING,
        .ca_file = options->ca_file,
        .nameservers = options->nameservers,
        .functions = options->host_functions,
        .function_count = options->host_function_count,
    };
    return reglet__host_setup_new(&setup, &runtime->host_setup, err);
}

/* Without openat2 or procfs a runtime still serves plugins that need no files. */
static reglet_status find_wasi_host(reglet_runtime *runtime, reglet_error **err) {
    reglet_error *error = NULL;
    reglet_status status = reglet__wasi_host_get(&runtime->wasi_host, &error);
    if (status == REGLET_ERR_UNSUPPORTED) {
        runtime->wasi_host = NULL;
        runtime->wasi_missing = strdup(reglet_error_message(error));
        status = runtime->wasi_missing ? REGLET_OK : reglet__fail_memory(err);
    } else if (status != REGLET_OK) {
        reglet__fail_errno(err, status, REGLET_DOMAIN_WASI, reglet_error_errno(error), "%s",
                           reglet_error_message(error));
    }
    reglet_error_free(error);
    return status;
}

/* --- The life of a runtime ------------------------------------------------------------------------------- */

void reglet__runtime_unref(reglet_runtime *runtime) {
    if (!runtime || atomic_fetch_sub_explicit(&runtime->references, 1, memory_order_acq_rel) != 1)
        return;
    reglet__free_grants(runtime);
    for (size_t i = 0; i < runtime->protected_path_count; i++)
        free(runtime->protected_paths[i]);
    for (size_t i = 0; i < runtime->environment_count; i++)
        free(runtime->environment[i]);
    free(runtime->protected_paths);
    free(runtime->environment);
    reglet__host_setup_free(runtime->host_setup);
    reglet_metrics_unref(runtime->metrics);
    free(runtime->working_directory);
    free(runtime->wasi_missing);
    reglet_cache_unref(runtime->cache);
    reglet_redactor_unref(atomic_load(&runtime->redactor));
    reglet__permits_destroy(&runtime->permits);
    pthread_cond_destroy(&runtime->idle);
    pthread_mutex_destroy(&runtime->lock);
    free(runtime);
}
REGLET_DEFINE_CLEANUP(reglet_runtime *, reglet__runtime_unref);

static reglet_status configure(reglet_runtime *runtime, const reglet_runtime_options *options,
                               reglet_error **err) {
    static reglet_status (*const steps[])(const reglet_runtime_options *, reglet_runtime *,
                                          reglet_error **) = {
        take_strings, reglet__take_grants, take_cache, reglet__take_metrics, reglet__take_protected_paths};
    /* First of all: it takes over what belongs to the functions of the embedder. */
    reglet_status status = take_host_functions(options, runtime, err);
    /* Said now: a call could only say that nothing of it can be shown. */
    if (status == REGLET_OK)
        status = reglet__redact_supported(err);
    if (status == REGLET_OK)
        status = take_limits(options, &runtime->limits, err);
    for (size_t i = 0; i < ARRAY_LEN(steps) && status == REGLET_OK; i++)
        status = steps[i](options, runtime, err);
    if (status == REGLET_OK)
        status = take_environment(runtime, err);
    if (status == REGLET_OK)
        status = find_wasi_host(runtime, err);
    reglet__permits_init(&runtime->permits, runtime->limits.concurrent_calls);
    atomic_init(&runtime->redactor, reglet_redactor_ref(options->redactor));
    runtime->check_config = options->check_config;
    runtime->log = options->log;
    runtime->log_user_data = options->log_user_data;
    runtime->audit = options->audit;
    runtime->audit_user_data = options->audit_user_data;
    return status;
}

static void warn(const reglet_runtime *runtime, const reglet_runtime_options *options) {
    if (options->memory_limit_mib > 0 && options->memory_limit_mib < REGLET__LOW_MEMORY_MIB)
        reglet__runtime_say(runtime, REGLET_LOG_WARN, NULL,
                            "memory_limit_mib is %lld: below %lld plugins written in Go may not start",
                            (long long)options->memory_limit_mib, (long long)REGLET__LOW_MEMORY_MIB);
    if (runtime->security_level == REGLET_SECURITY_STANDARD)
        reglet__warn_of_broad_grants(runtime);
    if (runtime->wasi_missing)
        reglet__runtime_say(runtime, REGLET_LOG_WARN, NULL, "plugins get no file access: %s",
                            runtime->wasi_missing);
}

reglet_status reglet_runtime_new(const reglet_runtime_options *options, reglet_runtime **out,
                                 reglet_error **err) {
    reglet_runtime_options known;
    if (!reglet__options_copy(&known, sizeof known, options))
        return reglet__fail_options(err, "runtime options", "REGLET_RUNTIME_OPTIONS_INIT");
    if (!known.host_functions)
        known.host_function_count = 0;
    _cleanup_(reglet__runtime_unref_p)
    reglet_runtime *runtime = out ? calloc(1, sizeof *runtime) : NULL;
    if (!runtime) {
        reglet__host_functions_free(known.host_functions, known.host_function_count);
        return out ? reglet__fail_memory(err)
                   : reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                                  "runtime: out is NULL");
    }
    atomic_init(&runtime->references, 1);
    pthread_mutex_init(&runtime->lock, NULL);
    pthread_cond_init(&runtime->idle, NULL);
    reglet_status status = configure(runtime, &known, err);
    if (status != REGLET_OK)
        return status;
    warn(runtime, &known);
    *out = take_ptr(runtime);
    return REGLET_OK;
}

void reglet_runtime_free(reglet_runtime *runtime) {
    if (!runtime)
        return;
    for (;;) {
        pthread_mutex_lock(&runtime->lock);
        reglet_plugin *plugin = reglet_plugin_ref(runtime->plugins);
        pthread_mutex_unlock(&runtime->lock);
        if (!plugin)
            break;
        reglet_plugin_close(plugin);
        reglet_plugin_unref(plugin);
    }
    /* Calls on plugins that were closed before are waited for as well: the log callback's user data may go next. */
    atomic_store(&runtime->freeing, true);
    pthread_mutex_lock(&runtime->lock);
    while (atomic_load(&runtime->calls))
        pthread_cond_wait(&runtime->idle, &runtime->lock);
    pthread_mutex_unlock(&runtime->lock);
    reglet__cache_settle(runtime->cache);
    reglet__runtime_unref(runtime);
}
