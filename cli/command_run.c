#define _GNU_SOURCE
#include "command.h"
#include "session.h"

#include <string.h>

/* HOST or HOST:GUEST; the last colon divides them. Cuts the text in two. */
static reglet_preopen parse_dir(char *text) {
    reglet_preopen preopen = {.host_path = text};
    char *colon = strrchr(text, ':');
    if (colon) {
        *colon = '\0';
        preopen.guest_path = colon + 1;
    }
    return preopen;
}

static int run_module(const struct session *session, const struct options *options) {
    _cleanup_error_ reglet_error *error = NULL;
    _cleanup_free_ reglet_preopen *preopens = allocate(options->dirs.count * sizeof *preopens);
    for (size_t i = 0; i < options->dirs.count; i++)
        preopens[i] = parse_dir(options->dirs.items[i]);
    /* A tool may take its time: only --timeout ends it. */
    reglet_call_options call = session->call;
    call.timeout_ms = options->timeout_ms ? options->timeout_ms : -1;

    reglet_command_options command = REGLET_COMMAND_OPTIONS_INIT;
    command.call = &call;
    command.args = (const char *const *)options->operands.items + 1;
    command.arg_count = options->operands.count - 1;
    command.env = (const char *const *)options->env.items;
    command.env_count = options->env.count;
    command.preopens = preopens;
    command.preopen_count = options->dirs.count;
    command.inherit_stdio = true;
    uint32_t exit_code = 0;
    if (reglet_plugin_run_command(session->plugin, &command, &exit_code, &error) != REGLET_OK) {
        complain_error("run", error);
        return EXIT_FAILED;
    }
    return (int)(exit_code & 0xFF); /* as the system does with any program's */
}

static int run(const struct options *options) {
    return session_run(options, run_module);
}

const struct command command_run = {
    .name = "run",
    .bit = COMMAND_RUN,
    .synopsis = "MODULE.wasm [ARG]...",
    .summary = "run a WASI command under the same grants",
    .details = "Runs the _start of a module that was built for WASI, with the standard input,\n"
               "output and error of this command. What follows MODULE.wasm is passed to it,\n"
               "options too.\n"
               "With an fs grant it sees a root directory that holds what is granted.\n",
    .example = "  reglet run --grant 'fs:read:/etc/ssh/**' grep.wasm -r Port /etc/ssh\n"
               "\n"
               "Exits with the module's own code (its lowest 8 bits); with 3 when the module\n"
               "could not be loaded or did not end by itself (a message says so), with 2 for\n"
               "usage.\n",
    .operand = "MODULE.wasm",
    .further_operands = true,
    .stops_at_operand = true,
    .run = run,
};
