/*
 * command - observes what a command prints and how it ends.
 */
#include <string.h>

#include "reglet_host.h"

/* Of stdout and of stderr: escaped in JSON both stay far below what evidence may hold. */
enum { MAX_OUTPUT = 256 << 10, MAX_SECONDS = 24 * 60 * 60 };

static void put_output(const char *key, const char *truncated, const plugin_text *text,
                       plugin_evidence *evidence) {
    size_t size = text->size < MAX_OUTPUT ? text->size : MAX_OUTPUT;
    /* Not in the middle of a character. */
    while (size < text->size && size > 0 && (text->bytes[size] & 0xC0) == 0x80)
        size--;
    plugin_put_text(evidence, key, text->bytes, size);
    plugin_put_bool(evidence, truncated, text->truncated || size < text->size);
}

static void put_request(const plugin_command *command, plugin_evidence *evidence) {
    plugin_put_string(evidence, "command", command->command);
    plugin_begin_array(evidence, "args");
    for (const char *const *argument = command->args; argument && *argument; argument++)
        plugin_put_string(evidence, NULL, *argument);
    plugin_end(evidence);
}

/* Any exit code is an answer; a command that did not end by itself has given none. */
static void put_response(const plugin_command_response *response, plugin_evidence *evidence) {
    plugin_put_int(evidence, "exit_code", response->exit_code);
    put_output("stdout", "stdout_truncated", &response->out, evidence);
    put_output("stderr", "stderr_truncated", &response->err, evidence);
    plugin_put_int(evidence, "duration_ms", response->duration_ms);
    plugin_put_bool(evidence, "is_timeout", response->is_timeout);
    if (response->is_timeout)
        plugin_fail(evidence, "timeout", "ETIMEDOUT", "the command was ended because it ran out of time");
    else if (response->exit_code < 0)
        plugin_fail(evidence, "exec", "ESIGNAL", "the command was ended by %s",
                    response->signal ? response->signal : "a signal");
}

/* True when every field makes sense; what does not has been said. */
static bool check(plugin_value config, const plugin_command *command, double seconds,
                  plugin_evidence *evidence) {
    bool bare = !strchr(command->command, '/') && command->command[0] != '\0';
    bool good_command = bare || command->command[0] == '/';
    bool good_args = command->args || !plugin_json(config, "args").text;
    bool good_dir = !command->dir || command->dir[0] == '/';
    bool good_time = seconds > 0 && seconds <= MAX_SECONDS;
    if (!good_command)
        plugin_fail_field(evidence, "command", "must be an absolute path, or a name without /");
    if (!good_args)
        plugin_fail_field(evidence, "args", "must be a list of strings");
    if (!good_dir)
        plugin_fail_field(evidence, "dir", "must be an absolute path");
    if (!good_time)
        plugin_fail_field(evidence, "timeout", "must be greater than 0 and at most %d seconds", MAX_SECONDS);
    return good_command && good_args && good_dir && good_time;
}

static void observe(plugin_value config, plugin_evidence *evidence) {
    double seconds = plugin_number(config, "timeout");
    plugin_command command = {
        .command = plugin_string(config, "command"),
        .args = plugin_strings(config, "args"),
        .dir = plugin_string(config, "dir"),
    };
    if (!check(config, &command, seconds, evidence))
        return;
    command.timeout_ms = (int64_t)(seconds * 1000 + 0.5);
    if (command.timeout_ms == 0)
        command.timeout_ms = 1;
    plugin_command_response response = plugin_exec_command(&command);
    put_request(&command, evidence);
    if (response.error)
        plugin_fail_call(evidence, response.error);
    else
        put_response(&response, evidence);
}

const plugin_info plugin = {
    .name = "command",
    .version = "1.0.0",
    .description = "Observes what a command prints, and its exit code",
    .capabilities = (const plugin_capability[]){{"exec", "**"}, {0}},
    .fields =
        (const plugin_field[]){
            {.name = "command",
             .type = PLUGIN_STRING,
             .required = true,
             .description = "Absolute path, or a name; no shell is involved"},
            {.name = "args", .type = PLUGIN_ARRAY, .description = "Its arguments, strings"},
            {.name = "dir",
             .type = PLUGIN_STRING,
             .fallback = "\"/\"",
             .description = "Absolute path of the directory to run in"},
            {.name = "timeout",
             .type = PLUGIN_NUMBER,
             .fallback = "30",
             .description = "How long it may take, in seconds"},
            {0}},
    .observe = observe,
};
