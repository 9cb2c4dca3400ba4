/*
 * behaves.c - a plugin that is built in every form there is, and has to behave the same in each.
 *
 * Config: {"do": "echo" | "data" | …}, see the table at the end.
 */
#include "reglet_host.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- What it answers ----------------------------------------------------------------------------------------- */

/* Its config as it came, and as it is read. */
static void echo(plugin_value config, plugin_evidence *evidence) {
    static const char *const keys[] = {"text", "integer", "number", "flag", "list", "object"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        plugin_value value = plugin_json(config, keys[i]);
        if (value.text)
            plugin_put_json(evidence, keys[i], value);
    }
    plugin_begin_object(evidence, "read");
    plugin_put_int(evidence, "integer", plugin_int(config, "integer"));
    plugin_put_number(evidence, "number", plugin_number(config, "number"));
    plugin_put_bool(evidence, "flag", plugin_bool(config, "flag"));
    plugin_put_int(evidence, "port", plugin_port(config, "port"));
    plugin_put_string(evidence, "item", plugin_string(plugin_item(plugin_json(config, "list"), 1), NULL));
}

static void data(plugin_value config, plugin_evidence *evidence) {
    static const char json[] = "{\"deep\":[[[[1,2.50,{\"a\":null}]]]],\"big\":18446744073709551615}";
    (void)config;
    plugin_put_string(evidence, "string", "s");
    plugin_put_string(evidence, "null_string", NULL);
    plugin_put_bool(evidence, "bool", true);
    plugin_put_int(evidence, "int", INT64_MIN);
    plugin_put_int(evidence, "most", INT64_MAX);
    plugin_put_number(evidence, "number", 0.1);
    plugin_put_number(evidence, "whole", 3);
    plugin_put_number(evidence, "small", 5e-324);
    plugin_put_number(evidence, "large", 1.7976931348623157e308);
    plugin_put_number(evidence, "none", __builtin_nan(""));
    plugin_put_null(evidence, "null");
    plugin_put_json(evidence, "json", plugin_parse(json, sizeof json - 1));
    plugin_begin_array(evidence, "list");
    plugin_put_int(evidence, NULL, 1);
    plugin_put_string(evidence, NULL, "two");
    plugin_begin_array(evidence, NULL);
    plugin_put_bool(evidence, NULL, false);
    plugin_end(evidence);
    plugin_end(evidence);
    plugin_begin_object(evidence, "object");
    plugin_put_string(evidence, "a", "b");
    plugin_end(evidence);
    plugin_begin_array(evidence, "empty");
}

/* Text that is not plain: é, €, 𝄞, a NUL, controls, quotes, and bytes that are no UTF-8. */
static void odd_text(plugin_value config, plugin_evidence *evidence) {
    static const char text[] = "\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\0\x01\x1b\n\"\\\xff.";
    (void)config;
    plugin_put_text(evidence, "text", text, sizeof text - 1);
    plugin_put_string(evidence, "\xc3\xa9\xe2\x82\xac", "key");
}

static void same_keys(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    plugin_put_int(evidence, "a", 1);
    plugin_put_int(evidence, "b", 2);
    plugin_put_int(evidence, "a", 3);
}

static void raw(plugin_value config, plugin_evidence *evidence) {
    size_t size = 0;
    const char *text = plugin_bytes(config, "text", &size);
    plugin_put_raw(evidence, text, size);
}

static void fail(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    plugin_put_int(evidence, "kept", 1);
    plugin_fail(evidence, "execution", "E7", "it %s", "did not work: \xe2\x82\xac");
}

static void complain(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    plugin_fail_field(evidence, "text", "is not nice");
    plugin_fail_field(evidence, "list", "is too short");
}

static void large(plugin_value config, plugin_evidence *evidence) {
    size_t size = (size_t)plugin_int(config, "integer");
    char *text = malloc(size + 1);
    if (!text)
        return;
    memset(text, 'a', size);
    plugin_put_text(evidence, "large", text, size);
    plugin_put_int(evidence, "small", 1);
}

/* ---- How it ends --------------------------------------------------------------------------------------------- */

static void grow(plugin_value config, plugin_evidence *evidence) {
    (void)config, (void)evidence;
    while (__builtin_wasm_memory_grow(0, 16) != (size_t)-1)
        ;
    __builtin_trap();
}

static void loop(plugin_value config, plugin_evidence *evidence) {
    (void)config, (void)evidence;
    for (volatile bool again = true; again;)
        ;
}

static void trap(plugin_value config, plugin_evidence *evidence) {
    (void)config, (void)evidence;
    __builtin_trap();
}

/* On the engine's stack alone: the one that C has in memory would run out first. */
static int64_t deeper(int64_t depth) {
    if (depth == INT64_MAX)
        return 0;
    int64_t below = deeper(depth + 1);
    __asm__ volatile("" : "+r"(below));
    return below + depth;
}

static void recurse(plugin_value config, plugin_evidence *evidence) {
    (void)config;
    plugin_put_int(evidence, "depth", deeper(0));
}

/* ---- What it says -------------------------------------------------------------------------------------------- */

static void say(plugin_value config, plugin_evidence *evidence) {
    (void)evidence;
    plugin_log(PLUGIN_DEBUG, "debug");
    plugin_log(PLUGIN_INFO, "info: %s", plugin_string(config, "text"));
    plugin_log(PLUGIN_WARN, "warn");
    plugin_log(PLUGIN_ERROR, "error\n\x1b[2J");
}

static void flood(plugin_value config, plugin_evidence *evidence) {
    (void)config, (void)evidence;
    for (;;)
        plugin_log(PLUGIN_INFO, "again");
}

/* ---- What it asks the host for ------------------------------------------------------------------------------- */

static void stat_file(plugin_value config, plugin_evidence *evidence) {
    plugin_file file = plugin_fs_stat(plugin_string(config, "text"), true);
    if (file.error) {
        plugin_fail_call(evidence, file.error);
        return;
    }
    plugin_put_bool(evidence, "exists", file.exists);
    plugin_put_string(evidence, "type", file.type);
    plugin_put_int(evidence, "size", file.size);
    plugin_put_string(evidence, "mode", file.mode);
}

static void read_file(plugin_value config, plugin_evidence *evidence) {
    plugin_content content = plugin_fs_read(plugin_string(config, "text"), 1, 3);
    if (content.error) {
        plugin_fail_call(evidence, content.error);
        return;
    }
    plugin_put_text(evidence, "content", content.data, content.data_size);
    plugin_put_bool(evidence, "truncated", content.truncated);
}

static void read_variable(plugin_value config, plugin_evidence *evidence) {
    plugin_variable variable = plugin_env_get(plugin_string(config, "text"));
    if (variable.error)
        plugin_fail_call(evidence, variable.error);
    else
        plugin_put_string(evidence, "value", variable.value);
}

static void run(plugin_value config, plugin_evidence *evidence) {
    static const char *const arguments[] = {"one", "two words", NULL};
    plugin_command_response response =
        plugin_exec_command(&(plugin_command){.command = plugin_string(config, "text"), .args = arguments});
    if (response.error) {
        plugin_fail_call(evidence, response.error);
        return;
    }
    plugin_put_text(evidence, "out", response.out.bytes, response.out.size);
    plugin_put_int(evidence, "exit_code", response.exit_code);
}

static void connect_to(plugin_value config, plugin_evidence *evidence) {
    plugin_connection connection = plugin_tcp_connect(
        &(plugin_target){.host = plugin_string(config, "text"), .port = plugin_port(config, "port")});
    if (connection.error)
        plugin_fail_call(evidence, connection.error);
    else
        plugin_put_bool(evidence, "connected", connection.connected);
}

static void ask_often(plugin_value config, plugin_evidence *evidence) {
    int64_t times = plugin_int(config, "integer");
    for (int64_t i = 0; i < times; i++)
        plugin_env_get("REGLET_NOBODY");
    plugin_put_int(evidence, "times", times);
}

/* ---- The plugin ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*act)(plugin_value config, plugin_evidence *evidence);
} acts[] = {
    {"ask_often", ask_often},
    {"complain", complain},
    {"connect", connect_to},
    {"data", data},
    {"echo", echo},
    {"env", read_variable},
    {"fail", fail},
    {"flood", flood},
    {"grow", grow},
    {"large", large},
    {"loop", loop},
    {"odd_text", odd_text},
    {"raw", raw},
    {"read", read_file},
    {"recurse", recurse},
    {"run", run},
    {"same_keys", same_keys},
    {"say", say},
    {"stat", stat_file},
    {"trap", trap},
};

static void observe(plugin_value config, plugin_evidence *evidence) {
    const char *what = plugin_string(config, "do");
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (strcmp(what, acts[i].name) == 0)
            acts[i].act(config, evidence);
}

const plugin_info plugin = {
    .name = "behaves",
    .version = "1.2.3",
    .description = "Does as it is told: \xc3\xa9",
    .capabilities = (const plugin_capability[]){{"fs", "read:/**"}, {"env", "HOME"}, {0}},
    .fields =
        (const plugin_field[]){
            {.name = "do", .type = PLUGIN_STRING, .description = "What to do", .required = true},
            {.name = "text", .type = PLUGIN_STRING, .description = "A text"},
            {.name = "integer", .type = PLUGIN_INT},
            {.name = "number", .type = PLUGIN_NUMBER},
            {.name = "flag", .type = PLUGIN_BOOL},
            {.name = "list", .type = PLUGIN_ARRAY},
            {.name = "object", .type = PLUGIN_OBJECT},
            {.name = "port", .type = PLUGIN_PORT},
            {0}},
    .observe = observe,
};
