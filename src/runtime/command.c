#define _GNU_SOURCE
#include <reglet/command.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fail.h"
#include "util/options.h"
#include "util/sys.h"

static void close_preopens(struct reglet__wasi_preopen *preopens, size_t count) {
    for (size_t i = 0; preopens && i < count; i++)
        if (preopens[i].fd >= 0)
            close(preopens[i].fd);
    free(preopens);
}

static reglet_status open_preopen(const struct visit *visit, const struct reglet__policy *policy,
                                  const reglet_preopen *preopen, struct reglet__wasi_preopen *out,
                                  reglet_error **err) {
    out->guest_path = preopen->guest_path ? preopen->guest_path : preopen->host_path;
    out->unrestricted = true;
    out->fd = reglet__sys_openat(AT_FDCWD, preopen->host_path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (out->fd < 0)
        return reglet__fail_errno(err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME, errno,
                                  "the directory %s cannot be opened: %s", preopen->host_path,
                                  reglet__errno_text(errno));
    if (reglet__wasi_is_kept(visit->plugin->runtime->wasi_host, policy, out->fd))
        return reglet__fail(err, REGLET_ERR_DENIED, REGLET_DOMAIN_RUNTIME,
                            "the directory %s is the host's own and cannot be given to a command",
                            preopen->host_path);
    return REGLET_OK;
}

static reglet_status open_preopens(const struct visit *visit, const struct reglet__policy *policy,
                                   const reglet_command_options *options,
                                   struct reglet__wasi_preopen *preopens, reglet_error **err) {
    for (size_t i = 0; i < options->preopen_count; i++)
        preopens[i].fd = -1;
    for (size_t i = 0; i < options->preopen_count; i++) {
        if (!options->preopens[i].host_path)
            return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                                "command options: preopen %zu has no host_path", i);
        reglet_status status = open_preopen(visit, policy, &options->preopens[i], &preopens[i], err);
        if (status != REGLET_OK)
            return status;
    }
    return REGLET_OK;
}

/* A module that exits while it describes itself has not run as a command: its exit code must not pass for one. */
static reglet_status find_policy(const struct visit *visit, const struct reglet__policy **out,
                                 reglet_error **err) {
    reglet_error *error = NULL;
    reglet_status status = reglet__visit_policy(visit, out, &error);
    if (status == REGLET_ERR_EXIT) {
        status = reglet__fail(err, REGLET_ERR_PLUGIN, REGLET_DOMAIN_PLUGIN, "while it described itself: %s",
                              reglet_error_message(error));
        reglet_error_free(error);
    } else if (status != REGLET_OK) {
        *err = error;
    }
    return status;
}

static reglet_status run(const struct visit *visit, const reglet_command_options *options,
                         uint32_t *exit_code, reglet_error **err) {
    const struct reglet__policy *policy = NULL;
    reglet_status status = find_policy(visit, &policy, err);
    if (status != REGLET_OK)
        return status;
    size_t count = options->preopen_count;
    struct reglet__wasi_preopen *preopens = calloc(count ? count : 1, sizeof *preopens);
    if (!preopens)
        return reglet__fail_memory(err);
    status = open_preopens(visit, policy, options, preopens, err);
    if (status == REGLET_OK) {
        const struct call_setup setup = {
            .visit = visit, .policy = policy, .command = options, .preopens = preopens};
        status = reglet__call_command(&setup, exit_code, err);
    }
    close_preopens(preopens, count);
    return status;
}

static reglet_status check_lists(const reglet_command_options *options, reglet_error **err) {
    const char *missing = options->arg_count && !options->args           ? "args"
                          : options->env_count && !options->env          ? "env"
                          : options->preopen_count && !options->preopens ? "preopens"
                                                                         : NULL;
    if (missing)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "command options: %s is NULL but its count is not 0", missing);
    for (size_t i = 0; i < options->env_count; i++) {
        const char *equals = options->env[i] ? strchr(options->env[i], '=') : NULL;
        if (!equals || equals == options->env[i])
            return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                                "command options: env entry %zu is not NAME=value", i);
    }
    return REGLET_OK;
}

/* A command ends by itself when _start returns or when it calls proc_exit; both are success here. */
static reglet_status run_to_exit(const struct visit *visit, const reglet_command_options *options,
                                 uint32_t *out_exit_code, reglet_error **err) {
    reglet_error *error = NULL;
    uint32_t exit_code = 0;
    reglet_status status = run(visit, options, &exit_code, &error);
    if (status == REGLET_OK || status == REGLET_ERR_EXIT) {
        *out_exit_code = exit_code;
        reglet_error_free(error);
        return REGLET_OK;
    }
    if (err)
        *err = error;
    else
        reglet_error_free(error);
    return status;
}

reglet_status reglet_plugin_run_command(reglet_plugin *plugin, const reglet_command_options *given,
                                        uint32_t *out_exit_code, reglet_error **err) {
    reglet_command_options options;
    if (!plugin || !out_exit_code)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "run_command: plugin or out_exit_code is NULL");
    if (!reglet__options_copy(&options, sizeof options, given))
        return reglet__fail_options(err, "command options", "REGLET_COMMAND_OPTIONS_INIT");
    reglet_status status = check_lists(&options, err);
    struct visit visit;
    if (status == REGLET_OK)
        status = reglet__visit_begin(plugin, options.call, VISIT_RUNS, &visit, err);
    if (status != REGLET_OK)
        return status;
    struct reglet__meter meter = {.begun_ns = reglet__now()};
    visit.meter = &meter;
    status = run_to_exit(&visit, &options, out_exit_code, err);
    reglet__meter_end(&meter, plugin->metrics, status, status == REGLET_OK && *out_exit_code != 0);
    return reglet__visit_end(&visit, status, err);
}
