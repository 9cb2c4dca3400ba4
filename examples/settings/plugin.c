/* Reads one key of the store that the embedding program provides, and counts how often that was done. */
#include "reglet_host.h"

PLUGIN_HOST_FUNCTION(kv_get)
PLUGIN_HOST_FUNCTION(kv_set)

static void observe(plugin_value config, plugin_evidence *evidence) {
    const char *key = plugin_string(config, "key");
    const plugin_error *error = NULL;
    plugin_request *request = plugin_request_new();
    plugin_put_string(request, "key", key);
    plugin_value answer = plugin_call_kv_get(request, &error);
    if (error) {
        plugin_fail_call(evidence, error);
        return;
    }
    plugin_put_bool(evidence, "found", plugin_bool(answer, "found"));
    plugin_put_string(evidence, "value", plugin_string(answer, "value"));

    request = plugin_request_new();
    plugin_put_string(request, "key", "seen/last");
    plugin_put_string(request, "value", key);
    plugin_call_kv_set(request, &error);
    if (error)
        plugin_fail_call(evidence, error);
}

const plugin_info plugin = {
    .name = "settings",
    .version = "1.0.0",
    .description = "Reads one setting of the program that runs it",
    .capabilities = (const plugin_capability[]){{"kv", "read:settings/**"}, {"kv", "write:seen/**"}, {0}},
    .fields = (const plugin_field[]){{.name = "key", .type = PLUGIN_STRING, .required = true}, {0}},
    .observe = observe,
};
