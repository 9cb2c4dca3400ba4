/*
 * teller.c - says what its config has, in every way in which a plugin can say something.
 *
 * Config: {"steps": [{"stdout": "text"}, {"stderr": "text"}, {"stdout_base64": "bytes"}, {"log": {request}}, {"open": "/path"},
 * {"http": {request}}, {"flood": n}, …], "then": "trap" | "exit" | "loop" | "answer"}. Texts are written as they are, without a
 * line break.
 */
#include "reglet_plugin.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMPORT(name) __attribute__((import_module("reglet_host"), import_name(#name))) extern
IMPORT(log_message) void log_message(uint64_t request);
IMPORT(http_request) uint64_t http_request(uint64_t request);

static uint64_t pack(const char *text, size_t size) {
    return (uint64_t)(uintptr_t)text << 32 | (uint32_t)size;
}

static void write_all(int fd, const char *text, size_t size) {
    if (text && write(fd, text, size) < 0)
        abort();
}

/* Ten letters at a time, ten a line. */
static void flood(int64_t bytes) {
    for (; bytes > 0; bytes -= 11)
        write_all(STDOUT_FILENO, "aaaaaaaaaa\n", 11);
}

static void take_step(plugin_value step) {
    size_t size = 0;
    const char *text = plugin_bytes(step, "stdout", &size);
    write_all(STDOUT_FILENO, text, size);
    text = plugin_bytes(step, "stderr", &size);
    write_all(STDERR_FILENO, text, size);
    text = plugin_base64(step, "stdout_base64", &size);
    write_all(STDOUT_FILENO, text, size);
    plugin_value request = plugin_json(step, "log");
    if (request.text)
        log_message(pack(request.text, request.size));
    request = plugin_json(step, "http");
    if (request.text)
        http_request(pack(request.text, request.size));
    text = plugin_string(step, "open");
    int fd = text ? open(text, O_RDONLY) : -1;
    if (fd >= 0)
        close(fd);
    flood(plugin_int(step, "flood"));
}

static void observe(plugin_value config, plugin_evidence *evidence) {
    plugin_value steps = plugin_json(config, "steps");
    for (size_t i = 0; plugin_item(steps, i).text; i++)
        take_step(plugin_item(steps, i));
    const char *then = plugin_string(config, "then");
    if (then && strcmp(then, "trap") == 0)
        __builtin_trap();
    if (then && strcmp(then, "exit") == 0)
        _Exit(3);
    for (volatile bool loops = then && strcmp(then, "loop") == 0; loops;)
        ;
    plugin_put_bool(evidence, "told", true);
}

const plugin_info plugin = {
    .name = "teller",
    .version = "1.0.0",
    .description = "Says what it is told",
    .capabilities = (const plugin_capability[]){{"fs", "read:**"}, {0}},
    .fields =
        (const plugin_field[]){{.name = "steps", .type = PLUGIN_ARRAY, .description = "what to say"}, {0}},
    .observe = observe,
};
