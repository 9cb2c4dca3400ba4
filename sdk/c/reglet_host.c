/*
 * reglet_host.c - the other half of reglet_host.h: each function as a request written and a response read.
 */
#include "reglet_host.h"

#include <stdlib.h>
#include <string.h>

#include "reglet_json.h"

/* Of the host's own functions a component imports each by itself (reglet_component.c): those that nothing calls are dropped. */
#ifdef PLUGIN_COMPONENT
#define COMPONENT_ASK(name, bytes, size, response_size) plugin__component_##name(bytes, size, response_size)
#define HOST_FUNCTION(name)                                                                                  \
    char *plugin__component_##name(const char *request, size_t size, size_t *response_size);                 \
    PLUGIN__FUNCTION(name, COMPONENT_ASK)
#else
#define HOST_FUNCTION(name) PLUGIN_HOST_FUNCTION(name)
#endif

/* ---- Errors -------------------------------------------------------------------------------------------------- */

static const plugin_error no_memory = {
    .type = "internal",
    .code = "SDK",
    .message = plugin__no_memory,
};

static const char *string_or(plugin_value object, const char *key, const char *fallback) {
    const char *text = plugin_string(object, key);
    return text ? text : fallback;
}

static const plugin_error *new_error(plugin_value json, const char *message) {
    plugin_error *error = plugin__keep(sizeof *error);
    if (!error)
        return &no_memory;
    *error = (plugin_error){
        .type = string_or(json, "type", "internal"),
        .code = string_or(json, "code", "UNKNOWN"),
        .message = string_or(json, "message", message),
        .is_timeout = plugin_bool(json, "is_timeout"),
        .is_not_found = plugin_bool(json, "is_not_found"),
        .json = json,
    };
    return error;
}

void plugin_fail_call(plugin_evidence *evidence, const plugin_error *error) {
    plugin_value json = error->json;
    if (evidence->error.size)
        return;
    if (json.text && plugin__type_of(json) == PLUGIN_OBJECT)
        plugin__put(&evidence->error, json.text, json.size);
    else
        plugin_fail(evidence, error->type, error->code, "%s", error->message);
}

/* ---- Requests and responses ---------------------------------------------------------------------------------- */

plugin_request *plugin_request_new(void) {
    static plugin_request nowhere; /* without memory: never sent, because the problem is noted */
    plugin_request *request = plugin__keep(sizeof *request);
    if (!request)
        request = &nowhere;
    *request = (plugin_request){.outermost = 1};
    plugin__begin(&request->data, NULL, '{', '}');
    return request;
}

const char *plugin__request_bytes(plugin_request *request, size_t *size) {
    while (request->data.depth > 0)
        plugin__end(&request->data);
    const char *bytes = plugin__finish(&request->data, size);
    if (!bytes)
        request->data = (struct json){0};
    return bytes;
}

plugin_value plugin__response(plugin_request *request, char *bytes, size_t size, const plugin_error **error) {
    bool sent = request->data.bytes != NULL;
    free(request->data.bytes);
    request->data = (struct json){0};
    plugin_value response =
        bytes && size <= PLUGIN_MAX_RESPONSE ? plugin_parse(bytes, size) : (plugin_value){0};
    plugin_value failure = plugin_json(response, "error");
    *error = NULL;
    if (!sent)
        *error = new_error((plugin_value){0}, plugin__problem ? plugin__problem : plugin__no_memory);
    else if (!response.text || plugin__type_of(response) != PLUGIN_OBJECT)
        *error = new_error((plugin_value){0}, "the host's answer is no JSON object");
    else if (failure.text)
        *error = new_error(failure, "the host did not say why");
    return response;
}

/* Members that are not set are not sent. */
static void put_string(plugin_request *request, const char *key, const char *text) {
    if (text)
        plugin_put_string(request, key, text);
}

static void put_strings(plugin_request *request, const char *key, const char *const *strings) {
    if (!strings)
        return;
    plugin_begin_array(request, key);
    for (; *strings; strings++)
        plugin_put_string(request, NULL, *strings);
    plugin_end(request);
}

static void put_timeout(plugin_request *request, int64_t timeout_ms) {
    if (timeout_ms <= 0)
        return;
    plugin_begin_object(request, "context");
    plugin_put_int(request, "timeout_ms", timeout_ms);
    plugin_end(request);
}

/* ---- Names --------------------------------------------------------------------------------------------------- */

HOST_FUNCTION(dns_lookup)

plugin_dns_response plugin_dns_lookup(const plugin_dns *dns) {
    plugin_dns_response response;
    plugin_request *request = plugin_request_new();
    put_string(request, "hostname", dns->hostname);
    put_string(request, "type", dns->type);
    put_string(request, "nameserver", dns->nameserver);
    put_timeout(request, dns->timeout_ms);
    response.json = plugin_call_dns_lookup(request, &response.error);
    response.records = plugin_json(response.json, "records");
    response.mx_records = plugin_json(response.json, "mx_records");
    return response;
}

/* ---- HTTP ---------------------------------------------------------------------------------------------------- */

HOST_FUNCTION(http_request)

static bool came_before(const plugin_header *headers, const plugin_header *header) {
    for (; headers < header; headers++)
        if (strcmp(headers->name, header->name) == 0)
            return true;
    return false;
}

/* {"name": ["value", "value"]}: values of one name come together. */
static void put_headers(plugin_request *request, const plugin_header *headers) {
    plugin_begin_object(request, "headers");
    for (const plugin_header *header = headers; header && header->name; header++) {
        if (came_before(headers, header))
            continue;
        plugin_begin_array(request, header->name);
        for (const plugin_header *same = header; same->name; same++)
            if (strcmp(same->name, header->name) == 0)
                plugin_put_string(request, NULL, same->value);
        plugin_end(request);
    }
    plugin_end(request);
}

plugin_http_response plugin_http_request(const plugin_http *http) {
    plugin_http_response response = {0};
    plugin_request *request = plugin_request_new();
    plugin_put_string(request, "method", http->method ? http->method : "GET");
    put_string(request, "url", http->url);
    put_headers(request, http->headers);
    if (http->body)
        plugin_put_base64(request, "body", http->body, http->body_size);
    put_timeout(request, http->timeout_ms);
    plugin_value json = response.json = plugin_call_http_request(request, &response.error);
    response.status_code = plugin_int(json, "status_code");
    response.headers = plugin_json(json, "headers");
    response.body = plugin_base64(json, "body", &response.body_size);
    if (!response.body)
        response.body = "";
    response.body_truncated = plugin_bool(json, "body_truncated");
    response.proto = plugin_string(json, "proto");
    response.latency_ms = plugin_int(json, "latency_ms");
    return response;
}

/* ---- Connections and mail ------------------------------------------------------------------------------------ */

HOST_FUNCTION(tcp_connect)
HOST_FUNCTION(smtp_connect)
HOST_FUNCTION(ssrf_check)

static plugin_request *new_connect(const plugin_target *target) {
    plugin_request *request = plugin_request_new();
    put_string(request, "host", target->host);
    plugin_put_int(request, "port", target->port);
    plugin_put_bool(request, "tls", target->tls);
    put_timeout(request, target->timeout_ms);
    return request;
}

static plugin_connection read_connection(plugin_value json, const plugin_error *error) {
    return (plugin_connection){
        .error = error,
        .json = json,
        .connected = plugin_bool(json, "connected"),
        .address = plugin_string(json, "address"),
        .remote_address = plugin_string(json, "remote_addr"),
        .local_address = plugin_string(json, "local_addr"),
        .banner = plugin_string(json, "banner"),
        .response_time_ms = plugin_int(json, "response_time_ms"),
        .tls = plugin_bool(json, "tls"),
        .tls_version = plugin_string(json, "tls_version"),
        .tls_cipher_suite = plugin_string(json, "tls_cipher_suite"),
        .tls_server_name = plugin_string(json, "tls_server_name"),
        .certificate_subject = plugin_string(json, "tls_cert_subject"),
        .certificate_issuer = plugin_string(json, "tls_cert_issuer"),
        .certificate_not_after = plugin_string(json, "tls_cert_not_after"),
    };
}

plugin_connection plugin_tcp_connect(const plugin_target *target) {
    const plugin_error *error;
    plugin_value json = plugin_call_tcp_connect(new_connect(target), &error);
    return read_connection(json, error);
}

plugin_connection plugin_smtp_connect(const plugin_target *target) {
    const plugin_error *error;
    plugin_request *request = new_connect(target);
    plugin_put_bool(request, "starttls", target->starttls);
    plugin_value json = plugin_call_smtp_connect(request, &error);
    return read_connection(json, error);
}

plugin_ssrf_response plugin_ssrf_check(const char *address) {
    plugin_ssrf_response response;
    plugin_request *request = plugin_request_new();
    put_string(request, "address", address);
    response.json = plugin_call_ssrf_check(request, &response.error);
    response.allowed = plugin_bool(response.json, "allowed");
    response.reason = plugin_string(response.json, "reason");
    response.resolved_ip = plugin_string(response.json, "resolved_ip");
    return response;
}

/* ---- Commands ------------------------------------------------------------------------------------------------ */

HOST_FUNCTION(exec_command)

static plugin_text read_text(plugin_value json, const char *key, const char *truncated) {
    plugin_text text = {.truncated = plugin_bool(json, truncated)};
    text.bytes = plugin_bytes(json, key, &text.size);
    return text.bytes ? text : (plugin_text){.bytes = ""};
}

plugin_command_response plugin_exec_command(const plugin_command *command) {
    plugin_command_response response;
    plugin_request *request = plugin_request_new();
    put_string(request, "command", command->command);
    put_strings(request, "args", command->args);
    put_string(request, "dir", command->dir);
    put_strings(request, "env", command->env);
    put_timeout(request, command->timeout_ms);
    plugin_value json = response.json = plugin_call_exec_command(request, &response.error);
    response.exit_code = plugin_int(json, "exit_code");
    response.signal = plugin_string(json, "signal");
    response.out = read_text(json, "stdout", "stdout_truncated");
    response.err = read_text(json, "stderr", "stderr_truncated");
    response.duration_ms = plugin_int(json, "duration_ms");
    response.is_timeout = plugin_bool(json, "is_timeout");
    return response;
}

/* ---- Files and the environment ------------------------------------------------------------------------------- */

HOST_FUNCTION(fs_stat)
HOST_FUNCTION(fs_read)
HOST_FUNCTION(fs_write)
HOST_FUNCTION(env_get)

static plugin_file send_stat(plugin_request *request) {
    enum { EXISTS, TYPE, SIZE, MODE, UID, GID, OWNER, GROUP, MOD_TIME, TARGET, READABLE, COUNT };
    static const char *const keys[] = {
        [EXISTS] = "exists",     [TYPE] = "type",     [SIZE] = "size",        [MODE] = "mode",
        [UID] = "uid",           [GID] = "gid",       [OWNER] = "owner",      [GROUP] = "group",
        [MOD_TIME] = "mod_time", [TARGET] = "target", [READABLE] = "readable"};
    const plugin_error *error;
    plugin_value values[COUNT];
    plugin_value json = plugin_call_fs_stat(request, &error);
    plugin__find_members(json, keys, values, COUNT);
    return (plugin_file){
        .error = error,
        .json = json,
        .exists = plugin_bool(values[EXISTS], NULL),
        .type = plugin_string(values[TYPE], NULL),
        .size = plugin_int(values[SIZE], NULL),
        .mode = plugin_string(values[MODE], NULL),
        .uid = plugin_int(values[UID], NULL),
        .gid = plugin_int(values[GID], NULL),
        .owner = plugin_string(values[OWNER], NULL),
        .group = plugin_string(values[GROUP], NULL),
        .mod_time = plugin_string(values[MOD_TIME], NULL),
        .target = plugin_string(values[TARGET], NULL),
        .readable = plugin_bool(values[READABLE], NULL),
    };
}

static plugin_request *new_stat(const char *path, bool follow) {
    plugin_request *request = plugin_request_new();
    put_string(request, "path", path);
    plugin_put_bool(request, "follow", follow);
    return request;
}

plugin_file plugin_fs_stat(const char *path, bool follow) {
    return send_stat(new_stat(path, follow));
}

plugin_file plugin_fs_examine(const char *path, bool follow) {
    plugin_request *request = new_stat(path, follow);
    plugin_put_bool(request, "readable", true);
    return send_stat(request);
}

plugin_content plugin_fs_read(const char *path, int64_t offset, int64_t max_bytes) {
    plugin_content content = {0};
    plugin_request *request = plugin_request_new();
    put_string(request, "path", path);
    if (offset)
        plugin_put_int(request, "offset", offset);
    if (max_bytes)
        plugin_put_int(request, "max_bytes", max_bytes);
    content.json = plugin_call_fs_read(request, &content.error);
    content.data = plugin_base64(content.json, "content", &content.data_size);
    if (!content.data)
        content.data = "";
    content.size = plugin_int(content.json, "size");
    content.truncated = plugin_bool(content.json, "truncated");
    return content;
}

const plugin_error *plugin_fs_pass(const char *path,
                                   bool (*take)(void *user_data, const void *bytes, size_t size),
                                   void *user_data) {
    enum { PIECE = 1 << 20 };
    int64_t offset = 0;
    for (bool more = true; more;) {
        void *mark = plugin__mark();
        plugin_content content = plugin_fs_read(path, offset, PIECE);
        if (content.error)
            return content.error;
        offset += (int64_t)content.data_size;
        more =
            (content.data_size == 0 || take(user_data, content.data, content.data_size)) && content.truncated;
        plugin__release(mark);
#ifdef __wasm__ /* natively the test has it */
        free((char *)(uintptr_t)content.json.text);
#endif
    }
    return NULL;
}

plugin_written plugin_fs_write(const char *path, const char *mode, const void *data, size_t size) {
    plugin_written written;
    plugin_request *request = plugin_request_new();
    put_string(request, "path", path);
    put_string(request, "mode", mode);
    plugin_put_base64(request, "content", data, size);
    written.json = plugin_call_fs_write(request, &written.error);
    written.written = plugin_int(written.json, "written");
    return written;
}

plugin_variable plugin_env_get(const char *name) {
    plugin_variable variable;
    plugin_request *request = plugin_request_new();
    put_string(request, "name", name);
    variable.json = plugin_call_env_get(request, &variable.error);
    variable.value = plugin_string(variable.json, "value");
    return variable;
}
