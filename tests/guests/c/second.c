/* second.c - makes a plugin on the SDK one of the second generation, beside what the SDK exports. */
#include "reglet_json.h"

static uint64_t pack(struct json *json) {
    size_t size = 0;
    const char *bytes = plugin__finish(json, &size);
    return (uint64_t)(uintptr_t)bytes << 32 | size;
}

static void put_value(struct json *json, const char *key, plugin_value value) {
    if (!value.text)
        return;
    plugin__put_key(json, key);
    plugin__put(json, value.text, value.size);
    json->comma = true;
}

__attribute__((export_name("_manifest"))) uint64_t manifest(void);
uint64_t manifest(void) {
    static const char capabilities[] =
        "{\"fs\":{\"rules\":[{\"read\":[\"/**\"]}]},\"env\":{\"vars\":[\"HOME\"]}}";
    size_t size = 0, schema_size = 0;
    const char *description = plugin__describe(&size), *schema = plugin__schema(&schema_size);
    plugin_value told = plugin_parse(description, size);
    struct json json = {0};
    plugin__begin(&json, NULL, '{', '}');
    plugin__put_member(&json, "name", plugin_string(told, "name"));
    plugin__put_member(&json, "version", plugin_string(told, "version"));
    plugin__put_member(&json, "description", plugin_string(told, "description"));
    put_value(&json, "config_schema", plugin_parse(schema, schema_size));
    put_value(&json, "capabilities", plugin_parse(capabilities, sizeof capabilities - 1));
    plugin__end(&json);
    return pack(&json);
}

__attribute__((export_name("_observe"))) uint64_t observe_second(const char *config, size_t config_size);
uint64_t observe_second(const char *config, size_t config_size) {
    size_t size = 0;
    const char *bytes = plugin__observe(config, config_size, &size);
    plugin_value first = plugin_parse(bytes, size);
    struct json json = {0};
    plugin__begin(&json, NULL, '{', '}');
    plugin__put_member(&json, "status", plugin_bool(first, "status") ? "success" : "failure");
    put_value(&json, "data", plugin_json(first, "data"));
    put_value(&json, "error", plugin_json(first, "error"));
    plugin__end(&json);
    return pack(&json);
}
