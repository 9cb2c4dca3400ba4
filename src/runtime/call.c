#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "runtime/events.h"
#include "runtime/internal.h"
#include "util/cleanup.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/options.h"
#include "util/text.h"

/* The rooms' state of one call, on the stack of its thread. */
struct call {
    const struct call_setup *setup;
    struct reglet__quotas quotas;
    struct reglet__host host;
    struct reglet__wasi_options wasi_options; /* the room works on them as they are */
    struct reglet__wasi *wasi;
    struct reglet__guest *guest;
    const char **args; /* args[0] is the plugin's name */
    struct events events;
    struct reglet__decisions decisions;
    struct reglet__audit audit; /* without a callback: none */
    uint64_t denials;
};

/* --- Events of a call: see events.h ---------------------------------------------------------------------- */

static void host_said(void *user_data, reglet_log_event *event) {
    struct call *call = user_data;
    if (!event->request_id)
        event->request_id = call->host.request_id;
    reglet__events_add(&call->events, event);
}

static void line_written(void *user_data, int stream, const char *text, size_t size) {
    struct call *call = user_data;
    reglet__events_add_line(&call->events, stream, text, size);
}

/* Instances that are there for an image count nothing. */
static struct reglet__meter *meter_of(const struct call *call) {
    return call->setup->primes ? NULL : call->setup->visit->meter;
}

/* A guest can be refused as often as it likes, but is not written about without end; the audit has them all. */
static void log_denial(struct call *call, const struct reglet__decided *decided) {
    if (call->denials++ >= REGLET__MAX_DENIALS)
        return;
    _cleanup_free_ char *phrase = reglet__decided_phrase(decided);
    reglet__events_add_denial(&call->events, call->host.request_id, phrase ? phrase : "(out of memory)",
                              decided->grant, decided->decision.reason);
}

static void decided(void *user_data, const struct reglet__decided *decided) {
    struct call *call = user_data;
    if (!decided->decision.allowed && !decided->is_question) {
        log_denial(call, decided);
        if (meter_of(call))
            meter_of(call)->denied = true;
    }
    if (call->audit.write)
        reglet__audit_record(&call->audit, call->host.request_id, decided);
}

static void say_denials_left_out(struct call *call) {
    char line[96];
    reglet_log_event event = {.level = REGLET_LOG_WARN, .source = REGLET_LOG_HOST, .message = line};
    if (call->denials <= REGLET__MAX_DENIALS)
        return;
    snprintf(line, sizeof line, "%llu more requests were refused than are logged",
             (unsigned long long)(call->denials - REGLET__MAX_DENIALS));
    host_said(call, &event);
}

static void output_cut(void *user_data, const char *line) {
    reglet_log_event event = {.level = REGLET_LOG_WARN, .source = REGLET_LOG_HOST, .message = line};
    host_said(user_data, &event);
}

/* --- Surroundings ---------------------------------------------------------------------------------------- */

/* Of an instance that is there for an image nobody is told. */
static void open_decisions(struct call *call) {
    const struct reglet_plugin *plugin = call->setup->visit->plugin;
    const reglet_runtime *runtime = plugin->runtime;
    if (call->setup->primes)
        return;
    if (runtime->audit)
        reglet__audit_begin(&call->audit, runtime->audit, runtime->audit_user_data,
                            reglet__runtime_redactor(runtime), plugin->name);
    call->audit.observing = call->setup->observes;
    call->decisions.sink = (struct reglet__decided_sink){decided, call, runtime->audit != NULL};
}

static const char **make_args(const struct call_setup *setup, size_t *count) {
    size_t extra = setup->command ? setup->command->arg_count : 0;
    const char **args = calloc(extra + 1, sizeof *args);
    if (!args)
        return NULL;
    args[0] = setup->visit->plugin->name;
    for (size_t i = 0; i < extra; i++)
        args[i + 1] = setup->command->args[i];
    *count = extra + 1;
    return args;
}

/* All of them begin at zero. */
static void open_quotas(struct call *call) {
    const struct limits *limits = &call->setup->visit->plugin->runtime->limits;
    call->quotas = (struct reglet__quotas){.cut = output_cut, .user_data = call};
    memcpy(call->quotas.limits, limits->quotas, sizeof call->quotas.limits);
}

static reglet_status fail_to_open(const struct call *call, reglet_status status, reglet_error **err) {
    if (status == REGLET_ERR_FILE_LIMIT)
        return reglet__fail(
            err, status, REGLET_DOMAIN_RUNTIME,
            "the call would begin with more than %llu files open (max_open_files), with stdio and "
            "preopens",
            (unsigned long long)call->quotas.limits[REGLET__QUOTA_OPEN_FILES]);
    if (status == REGLET_ERR_IO)
        return reglet__fail(err, status, REGLET_DOMAIN_RUNTIME, "the host has no descriptor left");
    return reglet__fail_memory(err);
}

static reglet_status open_wasi(struct call *call) {
    const struct call_setup *setup = call->setup;
    const reglet_runtime *runtime = setup->visit->plugin->runtime;
    const reglet_command_options *command = setup->command;
    struct reglet__wasi_options *options = &call->wasi_options;
    *options = (struct reglet__wasi_options){
        .host = runtime->wasi_host,
        .host_missing = runtime->wasi_missing,
        .policy = setup->policy,
        .environment = (const char *const *)runtime->environment,
        .environment_count = runtime->environment_count,
        .root_preopen = !command || (setup->policy && reglet__policy_has(setup->policy, REGLET__KIND_FS)),
        .quotas = &call->quotas,
        .sink = {line_written, call},
        .decisions = &call->decisions,
    };
    if (command) {
        options->extra_environment = command->env;
        options->extra_environment_count = command->env_count;
        options->preopens = setup->preopens;
        options->preopen_count = command->preopen_count;
        options->inherit_stdio = command->inherit_stdio;
    }
    call->args = make_args(setup, &options->arg_count);
    if (!call->args)
        return REGLET_ERR_NO_MEMORY;
    options->args = call->args;
    return reglet__wasi_new(options, &call->wasi);
}

static void count_bytes(const struct call *call) {
    static const struct {
        enum reglet__metered_bytes bytes;
        enum reglet__quota quota;
    } pairs[] = {{REGLET__BYTES_NETWORK_IN, REGLET__QUOTA_NETWORK_IN_BYTES},
                 {REGLET__BYTES_NETWORK_OUT, REGLET__QUOTA_NETWORK_OUT_BYTES},
                 {REGLET__BYTES_OUTPUT, REGLET__QUOTA_OUTPUT_BYTES},
                 {REGLET__BYTES_LOG, REGLET__QUOTA_LOG_BYTES}};
    struct reglet__meter *meter = meter_of(call);
    for (size_t i = 0; meter && i < ARRAY_LEN(pairs); i++)
        meter->bytes[pairs[i].bytes] += call->quotas.used[pairs[i].quota];
}

static void close_call(struct call *call) {
    count_bytes(call);
    reglet__guest_free(call->guest);
    reglet__wasi_free(call->wasi);
    reglet__audit_end(&call->audit);
    say_denials_left_out(call);
    reglet__events_end(&call->events);
    free(call->args);
}

static void function_served(void *user_data, const struct reglet__import *import, int64_t ns) {
    const struct call *call = user_data;
    reglet__meter_host_call(call->setup->visit->meter, import, ns);
}

/* NULL: it initialises itself. */
static const struct start *start_of(const struct call_setup *setup) {
    bool may = setup->observes && !setup->visit->tap.call;
    return may && setup->visit->start.image ? &setup->visit->start : NULL;
}

/* Makes the instance, in which the module's start function has run. */
static reglet_status open_call(struct call *call, uint32_t *exit_code, reglet_error **err) {
    const reglet_runtime *runtime = call->setup->visit->plugin->runtime;
    const struct start *start = start_of(call->setup);
    reglet__events_init(&call->events, call->setup->visit, call->setup->primes);
    open_quotas(call);
    open_decisions(call);
    reglet_status opened = open_wasi(call);
    if (opened != REGLET_OK)
        return fail_to_open(call, opened, err);
    if (start)
        reglet__wasi_begin_with(call->wasi, &start->left);
    call->host = (struct reglet__host){
        .setup = runtime->host_setup,
        .policy = call->setup->policy ? call->setup->policy : runtime->nothing,
        .wasi = call->wasi,
        .plugin = call->setup->visit->plugin->name,
        .request_id = call->setup->visit->request_id,
        .environment = (const char *const *)runtime->environment,
        .environment_count = runtime->environment_count,
        .quotas = &call->quotas,
        .log = host_said,
        .decisions = &call->decisions,
        .user_data = call,
        .screen = {reglet__screen_attributes, (reglet_runtime *)(uintptr_t)runtime,
                   reglet__runtime_has_paths(runtime)},
    };
    const struct reglet__guest_options options = {
        .limits = {runtime->limits.memory, runtime->limits.table_elements},
        .interrupt = &call->setup->visit->interrupt,
        .image = start ? start->image : NULL,
        .primes = call->setup->primes,
        .ends_by_exit = call->setup->command != NULL,
        .tap = call->setup->observes ? call->setup->visit->tap : (struct reglet__tap){0},
        .states = {[REGLET__ROOM_WASI] = call->wasi, [REGLET__ROOM_HOST] = &call->host},
        .served = meter_of(call) ? function_served : NULL,
        .served_user_data = call,
    };
    reglet_status status =
        reglet__guest_new(call->setup->visit->module, &options, &call->guest, exit_code, err);
    if (meter_of(call))
        reglet__meter_instantiated(meter_of(call));
    return status;
}

/* --- The guest ABI --------------------------------------------------------------------------------------- */

static bool exports(const struct call *call, const char *name) {
    return reglet__module_export(call->setup->visit->module, name) != NULL;
}

static reglet_status run_if_exported(struct call *call, const char *name, uint32_t *exit_code,
                                     reglet_error **err) {
    union reglet__slot none = {0};
    return exports(call, name) ? reglet__guest_call(call->guest, name, &none, 0, exit_code, err) : REGLET_OK;
}

/* What an image has behind it already. */
static reglet_status initialize(struct call *call, uint32_t *exit_code, reglet_error **err) {
    const struct call_setup *setup = call->setup;
    if (start_of(setup))
        return REGLET_OK;
    reglet_status status = run_if_exported(call, "_start", exit_code, err);
    if (status == REGLET_OK)
        status = run_if_exported(call, "_initialize", exit_code, err);
    if (status == REGLET_OK && setup->observes && !setup->visit->tap.call)
        reglet__visit_initialised(setup->visit, call->guest);
    return status;
}

/* Reads a packed result: the address in the upper half, the size in the lower. */
static reglet_status fetch(struct call *call, const char *name, uint64_t packed, struct answer *answer,
                           reglet_error **err) {
    uint32_t address = (uint32_t)(packed >> 32), size = (uint32_t)packed;
    uint64_t most = call->setup->visit->plugin->runtime->limits.result_bytes;
    if (address == 0 || size == 0)
        return reglet__fail(err, REGLET_ERR_BAD_OUTPUT, REGLET_DOMAIN_PLUGIN,
                            "the plugin's %s returned nothing", name);
    if (size > most)
        return reglet__fail(err, REGLET_ERR_RESULT_LIMIT, REGLET_DOMAIN_PLUGIN,
                            "the plugin's %s returned %u bytes; at most %llu are read", name, size,
                            (unsigned long long)most);
    const void *bytes = reglet__guest_memory(call->guest, address, size);
    if (!bytes)
        return reglet__fail(err, REGLET_ERR_BAD_OUTPUT, REGLET_DOMAIN_PLUGIN,
                            "the plugin's %s returned %u bytes at %u, which lies outside its memory", name,
                            size, address);
    answer->bytes = malloc(size);
    if (!answer->bytes)
        return reglet__fail_memory(err);
    memcpy(answer->bytes, bytes, size);
    answer->size = size;
    return REGLET_OK;
}

/* `slots` has the input's address and size before it has the packed result. */
static reglet_status give_input(struct call *call, const char *input, uint32_t size,
                                union reglet__slot slots[2], uint32_t *exit_code, reglet_error **err) {
    slots[1].u32 = size;
    return input ? reglet__guest_give(call->guest, input, size, &slots[0].u32, exit_code, err) : REGLET_OK;
}

/* A component has nothing that is run before, and takes and gives its own types. */
static reglet_status ask_component(struct call *call, const char *name, const char *input, uint32_t size,
                                   struct answer *answer, uint32_t *exit_code, reglet_error **err) {
    uint64_t most = call->setup->visit->plugin->runtime->limits.result_bytes;
    reglet_status status =
        reglet__guest_ask(call->guest, name, input, size, &answer->bytes, &answer->size, exit_code, err);
    if (status != REGLET_OK || answer->size <= most)
        return status;
    free(take_ptr(answer->bytes));
    return reglet__fail(err, REGLET_ERR_RESULT_LIMIT, REGLET_DOMAIN_PLUGIN,
                        "the plugin's %s returned %zu bytes, as JSON; at most %llu are read", name,
                        answer->size, (unsigned long long)most);
}

static reglet_status run_export(struct call *call, const char *name, const char *input, uint32_t input_size,
                                struct answer *answer, uint32_t *exit_code, reglet_error **err) {
    reglet_status status = open_call(call, exit_code, err);
    if (status == REGLET_OK && reglet__module_interface(call->setup->visit->module))
        return ask_component(call, name, input, input_size, answer, exit_code, err);
    if (status == REGLET_OK)
        status = initialize(call, exit_code, err);
    union reglet__slot slots[2] = {{0}};
    size_t count = input ? 2 : 1;
    if (status == REGLET_OK)
        status = give_input(call, input, input_size, slots, exit_code, err);
    if (status == REGLET_OK)
        status = reglet__guest_call(call->guest, name, slots, count, exit_code, err);
    if (status == REGLET_OK)
        status = fetch(call, name, slots[0].u64, answer, err);
    return status;
}

/* The guest's memory goes with its instance, so its deallocate need not be called. */
reglet_status reglet__call_export(const struct call_setup *setup, const char *name, const char *input,
                                  size_t input_size, struct answer *answer, uint32_t *exit_code,
                                  reglet_error **err) {
    const struct reglet__module *module = setup->visit->module;
    bool needs_room = input && !reglet__module_interface(module);
    const char *missing = !reglet__module_export(module, name)                       ? name
                          : needs_room && !reglet__module_export(module, "allocate") ? "allocate"
                                                                                     : NULL;
    if (missing)
        return reglet__fail(err, REGLET_ERR_MISSING_EXPORT, REGLET_DOMAIN_PLUGIN,
                            "the plugin does not export \"%s\"; is it a reglet plugin?", missing);
    struct call call = {.setup = setup};
    reglet_status status = run_export(&call, name, input, (uint32_t)input_size, answer, exit_code, err);
    close_call(&call);
    return status;
}

reglet_status reglet__call_command(const struct call_setup *setup, uint32_t *exit_code, reglet_error **err) {
    if (reglet__module_interface(setup->visit->module))
        return reglet__fail(err, REGLET_ERR_MISSING_EXPORT, REGLET_DOMAIN_PLUGIN,
                            "the module is a component, and no WASI command; `reglet observe` runs it");
    if (!reglet__module_export(setup->visit->module, "_start"))
        return reglet__fail(err, REGLET_ERR_MISSING_EXPORT, REGLET_DOMAIN_PLUGIN,
                            "the module does not export \"_start\"; it is no WASI command");
    struct call call = {.setup = setup};
    union reglet__slot none = {0};
    reglet_status status = open_call(&call, exit_code, err);
    if (status == REGLET_OK)
        status = reglet__guest_call(call.guest, "_start", &none, 0, exit_code, err);
    close_call(&call);
    return status;
}

static bool fits(struct reglet__guest *guest) {
    struct reglet__image *image = NULL;
    bool taken = reglet__guest_image(guest, &image, NULL) == REGLET_OK;
    reglet__image_unref(image);
    return taken;
}

reglet_status reglet__call_initialise(const struct visit *visit, const struct reglet__policy *policy,
                                      struct initialised *out, reglet_error **err) {
    const struct call_setup setup = {.visit = visit, .policy = policy};
    struct call call = {.setup = &setup};
    uint32_t exit_code = 0;
    *out = (struct initialised){0};
    reglet_status status = open_call(&call, &exit_code, err);
    if (status == REGLET_OK)
        status = initialize(&call, &exit_code, err);
    if (call.guest)
        out->reached = reglet__guest_reached(call.guest);
    struct reglet__wasi_left left;
    out->half_a_line = status == REGLET_OK && !reglet__wasi_left(call.wasi, &left);
    out->fits = status == REGLET_OK && !out->reached && fits(call.guest);
    close_call(&call);
    return status;
}

/* --- Priming --------------------------------------------------------------------------------------------- */

static reglet_status deallocate(struct call *call, uint32_t address, uint32_t size) {
    union reglet__slot slots[2] = {{.u32 = address}, {.u32 = size}};
    return exports(call, "deallocate") ? reglet__guest_call(call->guest, "deallocate", slots, 2, NULL, NULL)
                                       : REGLET_OK;
}

/* One call as every host makes it: this instance lives on, so that what was allocated for the call is given back. */
static reglet_status prime_with(struct call *call, const char *name, const char *input) {
    union reglet__slot slots[2] = {{0}};
    struct answer answer = {0};
    if (!exports(call, name) || (input && !exports(call, "allocate")))
        return REGLET_OK;
    uint32_t size = input ? (uint32_t)strlen(input) : 0;
    reglet_status status = give_input(call, input, size, slots, NULL, NULL);
    uint32_t given = slots[0].u32;
    if (status == REGLET_OK)
        status = reglet__guest_call(call->guest, name, slots, input ? 2 : 1, NULL, NULL);
    uint64_t packed = slots[0].u64;
    if (status == REGLET_OK)
        status = fetch(call, name, packed, &answer, NULL);
    free(answer.bytes);
    if (status == REGLET_OK && input)
        status = deallocate(call, given, size);
    return status == REGLET_OK ? deallocate(call, (uint32_t)(packed >> 32), (uint32_t)packed) : status;
}

static reglet_status prime(struct call *call, struct start *primed) {
    static const struct {
        const char *name, *input;
    } first[] = {{"describe", NULL}, {"schema", NULL}, {"observe", "{}"}},
      second[] = {{"_manifest", NULL}, {"_schema", NULL}, {"schema", NULL}, {"_observe", "{}"}};
    bool is_first = call->setup->visit->version->generation == 1;
    size_t count = is_first ? ARRAY_LEN(first) : ARRAY_LEN(second);
    reglet_status status = open_call(call, NULL, NULL);
    for (size_t i = 0; i < count && status == REGLET_OK; i++)
        status = is_first ? prime_with(call, first[i].name, first[i].input)
                          : prime_with(call, second[i].name, second[i].input);
    if (status == REGLET_OK && !reglet__wasi_left(call->wasi, &primed->left))
        status = REGLET_ERR_UNSUPPORTED;
    return status == REGLET_OK ? reglet__guest_image(call->guest, &primed->image, NULL) : status;
}

reglet_status reglet__call_prime(const struct visit *visit, struct start *primed) {
    const struct reglet__policy *policy =
        NULL; /* for the environment: it is what the plugin finds in later calls */
    reglet_status status = reglet__visit_policy(visit, &policy, NULL);
    const struct call_setup setup = {.visit = visit, .policy = policy, .observes = true, .primes = true};
    struct call call = {.setup = &setup};
    if (status == REGLET_OK)
        status = prime(&call, primed);
    close_call(&call);
    return status;
}

/* --- Options --------------------------------------------------------------------------------------------- */

reglet_status reglet__call_begin(const reglet_runtime *runtime, const reglet_call_options *given,
                                 struct reglet__interrupt *interrupt, const char **request_id,
                                 reglet_error **err) {
    reglet_call_options options;
    if (!reglet__options_copy(&options, sizeof options, given))
        return reglet__fail_options(err, "call options", "REGLET_CALL_OPTIONS_INIT");
    if (options.timeout_ms < -1)
        return reglet__fail(
            err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
            "call options: timeout_ms is %lld; it may be -1 (none), 0 (the runtime's) or more",
            (long long)options.timeout_ms);
    if (!reglet__engine_thread_stack_suffices())
        return reglet__fail(
            err, REGLET_ERR_THREAD_STACK, REGLET_DOMAIN_RUNTIME,
            "this thread has less than %zu KiB of free stack, which a call needs; give it more",
            (REGLET__WASM_STACK_BYTES + REGLET__HOST_STACK_BYTES) >> 10);
    int64_t timeout = options.timeout_ms ? options.timeout_ms : runtime->limits.timeout_ms;
    *interrupt = (struct reglet__interrupt){reglet__deadline_after_ms(timeout), options.cancel};
    *request_id = options.request_id;
    return REGLET_OK;
}
