/*
 * relay.c - calls one host function with one request, and answers with what came back.
 *
 * Config: {"function": "tcp_connect", "request": {…}, "text": "…", "times": n}. `text` is sent in place of `request`, as it
 * is, for requests that are no JSON. The response is the evidence's raw text.
 */
#include "reglet_plugin.h"

#include <stdlib.h>
#include <string.h>

#define IMPORT(name)                                                                                         \
    __attribute__((import_module("reglet_host"), import_name(#name))) extern uint64_t name(uint64_t request)

IMPORT(dns_lookup);
IMPORT(env_get);
IMPORT(exec_command);
IMPORT(exec_run);
IMPORT(fs_read);
IMPORT(fs_stat);
IMPORT(fs_write);
IMPORT(http_request);
IMPORT(net_connect);
IMPORT(smtp_connect);
IMPORT(ssrf_check);
IMPORT(tcp_connect);

static uint64_t call(const char *function, uint64_t request) {
#define TRY(name)                                                                                            \
    if (strcmp(function, #name) == 0)                                                                        \
    return name(request)
    TRY(dns_lookup);
    TRY(env_get);
    TRY(exec_command);
    TRY(exec_run);
    TRY(fs_read);
    TRY(fs_stat);
    TRY(fs_write);
    TRY(http_request);
    TRY(net_connect);
    TRY(smtp_connect);
    TRY(ssrf_check);
    TRY(tcp_connect);
#undef TRY
    abort();
}

static void observe(plugin_value config, plugin_evidence *evidence) {
    plugin_value request = plugin_json(config, "request");
    size_t size = request.size;
    const char *bytes = request.text;
    if (!bytes)
        bytes = plugin_bytes(config, "text", &size);
    uint64_t packed = (uint64_t)(uintptr_t)bytes << 32 | (uint32_t)size, answer = 0;
    int64_t times = plugin_int(config, "times");
    for (int64_t i = 0; i < times || i == 0; i++) {
        answer = call(plugin_string(config, "function"), packed);
        if (i + 1 < times)
            free((void *)(uintptr_t)(answer >> 32));
    }
    if (answer == 0)
        plugin_fail(evidence, "internal", "EIO", "the host answered nothing");
    else
        plugin_put_raw(evidence, (const void *)(uintptr_t)(answer >> 32), (uint32_t)answer);
}

const plugin_info plugin = {
    .name = "relay",
    .version = "1.0.0",
    .description = "Calls one host function",
    .capabilities = (const plugin_capability[]){{"fs", "read:**"},
                                                {"fs", "write:**"},
                                                {"network", "outbound:*"},
                                                {"network", "outbound:private"},
                                                {"env", "*"},
                                                {"exec", "**"},
                                                {0}},
    .fields = (const plugin_field[]){{.name = "function", .type = PLUGIN_STRING, .required = true}, {0}},
    .observe = observe,
};
