/*
 * reglet_component.c - the exports and imports of a plugin that is built as a component (-DPLUGIN_COMPONENT), on the bindings that
 * are made of wit/plugin-1.1.0.wit. Inside, the SDK speaks the JSON of modules: here it becomes the types of WIT, and back.
 *
 * What the component model frees is allocated by itself; all the rest lives as long as the instance.
 */
#include <stdlib.h>
#include <string.h>

#include "bindings/reglet_plugin.h" /* made by wit-bindgen */
#include "reglet_host.h"
#include "reglet_json.h"

typedef reglet_plugin_string_t text_t;
typedef reglet_plugin_option_string_t option_text_t;

/* ---- No descriptors ------------------------------------------------------------------------------------------ */

/*
 * Formatting a text drags standard error into wasi-libc's part of a module, and with it these imports of WASI, which a component
 * would have to import in another form. Here they find no descriptor. A plugin that calls more of WASI does not link.
 */
#define NO_DESCRIPTOR(name, ...)                                                                             \
    int32_t __imported_wasi_snapshot_preview1_##name(__VA_ARGS__);                                           \
    int32_t __imported_wasi_snapshot_preview1_##name(__VA_ARGS__) {                                          \
        return 8; /* EBADF */                                                                                \
    }
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunused-parameter"
NO_DESCRIPTOR(fd_close, int32_t fd)
NO_DESCRIPTOR(fd_seek, int32_t fd, int64_t offset, int32_t whence, int32_t out)
NO_DESCRIPTOR(fd_write, int32_t fd, int32_t parts, int32_t count, int32_t out)
#pragma clang diagnostic pop

/* ---- From JSON ----------------------------------------------------------------------------------------------- */

/* A copy that the component model may free. */
static text_t owned(const char *bytes, size_t size) {
    text_t text;
    reglet_plugin_string_dup_n(&text, bytes ? bytes : "", bytes ? size : 0);
    return text;
}

static text_t owned_member(plugin_value object, const char *key) {
    size_t size = 0;
    const char *bytes = plugin_bytes(object, key, &size);
    return owned(bytes, size);
}

static text_t borrowed(plugin_value object, const char *key) {
    text_t text = {0};
    const char *bytes = plugin_bytes(object, key, &text.len);
    text.ptr = (uint8_t *)(uintptr_t)(bytes ? bytes : "");
    return text;
}

static option_text_t option_borrowed(plugin_value object, const char *key) {
    return (option_text_t){plugin_json(object, key).text != NULL, borrowed(object, key)};
}

static reglet_plugin_option_u64_t option_int(plugin_value object, const char *key) {
    int64_t number = plugin_int(object, key);
    return (reglet_plugin_option_u64_t){number > 0, (uint64_t)number};
}

static reglet_plugin_option_u64_t timeout_of(plugin_value request) {
    return option_int(plugin_json(request, "context"), "timeout_ms");
}

static size_t count(plugin_value array) {
    size_t items = 0;
    while (plugin__next(&array, NULL).text)
        items++;
    return items;
}

static bool is_whole(plugin_value number) {
    int64_t out;
    return !memchr(number.text, '.', number.size) && !memchr(number.text, 'e', number.size) &&
           !memchr(number.text, 'E', number.size) && plugin__parse_int(number, &out);
}

/* Anything that a variant has no case for, or a case that would not keep it as it is, travels as JSON. */
static reglet_plugin_types_value_t value_of(plugin_value value) {
    reglet_plugin_types_value_t out = {.tag = REGLET_PLUGIN_TYPES_VALUE_JSON};
    plugin_type type = *value.text == 'n' ? PLUGIN_OBJECT : plugin__type_of(value);
    if (type == PLUGIN_STRING) {
        out.tag = REGLET_PLUGIN_TYPES_VALUE_STRING;
        out.val.string = owned_member(value, NULL);
    } else if (type == PLUGIN_BOOL) {
        out.tag = REGLET_PLUGIN_TYPES_VALUE_BOOL;
        out.val.bool_ = plugin_bool(value, NULL);
    } else if (type == PLUGIN_NUMBER && is_whole(value)) {
        out.tag = REGLET_PLUGIN_TYPES_VALUE_INT;
        out.val.int_ = plugin_int(value, NULL);
    } else {
        out.val.json = owned(value.text, value.size);
    }
    return out;
}

static reglet_plugin_option_bool_t option_bool(plugin_value object, const char *key) {
    return (reglet_plugin_option_bool_t){plugin_json(object, key).text != NULL, plugin_bool(object, key)};
}

static reglet_plugin_types_error_t error_of(plugin_value error) {
    plugin_value details = plugin_json(error, "details");
    return (reglet_plugin_types_error_t){
        .code = owned_member(error, "code"),
        .message = owned_member(error, "message"),
        .kind = {true, owned_member(error, "type")},
        .is_timeout = option_bool(error, "is_timeout"),
        .is_not_found = option_bool(error, "is_not_found"),
        .details = {details.text != NULL, owned(details.text, details.size)},
    };
}

/* ---- Exports ------------------------------------------------------------------------------------------------- */

void exports_reglet_plugin_plugin_describe(exports_reglet_plugin_plugin_plugin_info_t *out) {
    size_t wanted = 0;
    while (plugin.capabilities && plugin.capabilities[wanted].kind)
        wanted++;
    out->name = owned(plugin.name, strlen(plugin.name));
    out->version = owned(plugin.version, strlen(plugin.version));
    out->description = owned(plugin.description, strlen(plugin.description));
    out->capabilities.ptr = wanted ? calloc(wanted, sizeof *out->capabilities.ptr) : NULL;
    out->capabilities.len = out->capabilities.ptr ? wanted : 0;
    for (size_t i = 0; i < out->capabilities.len; i++) {
        const plugin_capability *capability = &plugin.capabilities[i];
        out->capabilities.ptr[i].kind = owned(capability->kind, strlen(capability->kind));
        out->capabilities.ptr[i].pattern = owned(capability->pattern, strlen(capability->pattern));
    }
}

static const char *type_name(plugin_type type) {
    static const char *const names[] = {
        [PLUGIN_STRING] = "string", [PLUGIN_BOOL] = "boolean", [PLUGIN_INT] = "integer",
        [PLUGIN_NUMBER] = "number", [PLUGIN_ARRAY] = "array",  [PLUGIN_OBJECT] = "object",
        [PLUGIN_PORT] = "integer"};
    return names[type];
}

void exports_reglet_plugin_plugin_schema(exports_reglet_plugin_plugin_config_schema_t *out) {
    size_t fields = 0;
    while (plugin.fields && plugin.fields[fields].name)
        fields++;
    out->fields.ptr = fields ? calloc(fields, sizeof *out->fields.ptr) : NULL;
    out->fields.len = out->fields.ptr ? fields : 0;
    for (size_t i = 0; i < out->fields.len; i++) {
        const plugin_field *field = &plugin.fields[i];
        const char *type = type_name(field->type),
                   *description = field->description ? field->description : "";
        out->fields.ptr[i].name = owned(field->name, strlen(field->name));
        out->fields.ptr[i].field_type = owned(type, strlen(type));
        out->fields.ptr[i].required = field->required;
        out->fields.ptr[i].description = owned(description, strlen(description));
    }
}

/* Whether a field's text is the value itself. Of one that is not listed nobody knows. */
static bool is_string(text_t name) {
    for (const plugin_field *field = plugin.fields; field && field->name; field++)
        if (strlen(field->name) == name.len && memcmp(field->name, name.ptr, name.len) == 0)
            return field->type == PLUGIN_STRING;
    return true;
}

static char *config_text(const reglet_plugin_list_tuple2_string_string_t *values, size_t *size) {
    struct json json = {0};
    plugin__begin(&json, NULL, '{', '}');
    for (size_t i = 0; i < values->len; i++) {
        text_t name = values->ptr[i].f0, value = values->ptr[i].f1;
        const char *text = (const char *)value.ptr;
        char *key = plugin__keep(name.len + 1);
        if (!key)
            break;
        memcpy(key, name.ptr, name.len);
        key[name.len] = '\0';
        plugin__put_key(&json, key);
        if (!is_string(name) && plugin_parse(text, value.len).text)
            plugin__put(&json, text, value.len);
        else
            plugin__put_string(&json, text, value.len);
        json.comma = true;
    }
    plugin__end(&json);
    return plugin__finish(&json, size);
}

static void put_data(plugin_value data, reglet_plugin_types_list_tuple2_string_value_t *out) {
    plugin_value rest = data, name = {0};
    size_t members = 0;
    while (plugin__next(&rest, &name).text)
        members++;
    out->ptr = members ? calloc(members, sizeof *out->ptr) : NULL;
    out->len = out->ptr ? members : 0;
    rest = data;
    for (size_t i = 0; i < out->len; i++) {
        plugin_value value = plugin__next(&rest, &name);
        out->ptr[i].f0 = owned_member(name, NULL);
        out->ptr[i].f1 = value_of(value);
    }
}

bool exports_reglet_plugin_plugin_observe(exports_reglet_plugin_plugin_config_t *config,
                                          exports_reglet_plugin_plugin_evidence_t *out,
                                          exports_reglet_plugin_plugin_error_t *failed) {
    enum { STATUS, ERROR, DATA, RAW, COUNT };
    static const char *const keys[] = {
        [STATUS] = "status", [ERROR] = "error", [DATA] = "data", [RAW] = "raw"};
    plugin_value values[COUNT];
    size_t config_size = 0, size = 0;
    char *text = config_text(&config->values, &config_size);
    const char *answer = plugin__observe(text ? text : "", config_size, &size);
    plugin_value evidence = {answer, size}; /* as the SDK wrote it */
    if (!answer) {
        *failed = error_of((plugin_value){0});
        return false;
    }
    plugin__find_members(evidence, keys, values, COUNT);
    memset(out, 0, sizeof *out);
    out->status = plugin_bool(values[STATUS], NULL);
    out->timestamp = owned("", 0);
    out->error.is_some = values[ERROR].text != NULL;
    if (out->error.is_some)
        out->error.val = error_of(values[ERROR]);
    out->raw.is_some = values[RAW].text != NULL;
    out->raw.val = owned_member(values[RAW], NULL);
    put_data(values[DATA], &out->data);
    return true;
}

/* ---- To JSON ------------------------------------------------------------------------------------------------- */

static void begin(plugin_request *response) {
    *response = (plugin_request){.outermost = 1};
    plugin__begin(&response->data, NULL, '{', '}');
}

static char *end(plugin_request *response, size_t *size) {
    return (char *)(uintptr_t)plugin__request_bytes(response, size);
}

static void put(plugin_request *response, const char *key, text_t text) {
    plugin_put_text(response, key, text.ptr, text.len);
}

static void put_option(plugin_request *response, const char *key, option_text_t text) {
    if (text.is_some)
        put(response, key, text.val);
}

static void put_pairs(plugin_request *response, const char *key,
                      const reglet_plugin_list_tuple2_string_string_t *pairs) {
    plugin_begin_object(response, key);
    for (size_t i = 0; i < pairs->len; i++) {
        text_t name = pairs->ptr[i].f0;
        char *text = plugin__keep(name.len + 1);
        bool again = i > 0 && pairs->ptr[i - 1].f0.len == name.len &&
                     memcmp(pairs->ptr[i - 1].f0.ptr, name.ptr, name.len) == 0;
        if (!text)
            break;
        memcpy(text, name.ptr, name.len);
        text[name.len] = '\0';
        if (!again && i > 0)
            plugin_end(response);
        if (!again)
            plugin_begin_array(response, text);
        put(response, NULL, pairs->ptr[i].f1);
    }
    if (pairs->len > 0)
        plugin_end(response);
    plugin_end(response);
}

/* An error as JSON has it. */
static char *put_error(const reglet_plugin_host_host_error_t *error, size_t *size) {
    static const reglet_plugin_host_failure_t cancelled = {.kind = {(uint8_t *)"execution", 9},
                                                           .code = {(uint8_t *)"ECANCELED", 9},
                                                           .message = {(uint8_t *)"cancelled", 9}};
    bool denied = error->tag == REGLET_PLUGIN_HOST_HOST_ERROR_DENIED;
    /* A denial begins as a failure does, and all failures are the same member. */
    const reglet_plugin_host_failure_t *failure =
        error->tag == REGLET_PLUGIN_HOST_HOST_ERROR_CANCELLED ? &cancelled : &error->val.timeout;
    plugin_request response;
    begin(&response);
    plugin_begin_object(&response, "error");
    put(&response, "message", denied ? error->val.denied.message : failure->message);
    put(&response, "type", denied ? error->val.denied.kind : failure->kind);
    put(&response, "code", denied ? error->val.denied.code : failure->code);
    if (error->tag == REGLET_PLUGIN_HOST_HOST_ERROR_TIMEOUT)
        plugin_put_bool(&response, "is_timeout", true);
    if (error->tag == REGLET_PLUGIN_HOST_HOST_ERROR_NOT_FOUND)
        plugin_put_bool(&response, "is_not_found", true);
    if (denied && error->val.denied.missing.is_some) {
        plugin_begin_object(&response, "details");
        put(&response, "missing", error->val.denied.missing.val);
        plugin_end(&response);
    }
    plugin_end(&response);
    return end(&response, size);
}

static void put_connection(plugin_request *response, const reglet_plugin_host_connection_t *connection) {
    plugin_put_bool(response, "connected", true);
    put(response, "address", connection->address);
    put_option(response, "remote_addr", connection->remote_addr);
    put_option(response, "local_addr", connection->local_addr);
    plugin_put_int(response, "response_time_ms", (int64_t)connection->response_time_ms);
    plugin_put_bool(response, "tls", connection->tls.is_some);
    if (!connection->tls.is_some)
        return;
    put(response, "tls_version", connection->tls.val.version);
    put(response, "tls_cipher_suite", connection->tls.val.cipher_suite);
    put(response, "tls_server_name", connection->tls.val.server_name);
    put_option(response, "tls_cert_subject", connection->tls.val.cert_subject);
    put_option(response, "tls_cert_issuer", connection->tls.val.cert_issuer);
    put_option(response, "tls_cert_not_after", connection->tls.val.cert_not_after);
}

/* ---- Imports: each takes and answers what the function of a module does --------------------------------------- */

#define COMPONENT_FUNCTION(name)                                                                             \
    char *plugin__component_##name(const char *bytes, size_t bytes_size, size_t *size);                      \
    char *plugin__component_##name(const char *bytes, size_t bytes_size, size_t *size)

COMPONENT_FUNCTION(fs_stat) {
    static const char *const types[] = {"file",   "directory",    "symlink",          "fifo",
                                        "socket", "block_device", "character_device", "unknown"};
    plugin_value request = plugin_parse(bytes, bytes_size);
    text_t path = borrowed(request, "path");
    reglet_plugin_host_option_file_info_t found;
    reglet_plugin_host_host_error_t error;
    plugin_request response;
    bool readable = plugin_bool(request, "readable");
    if (!reglet_plugin_host_fs_stat(&path, plugin_bool(request, "follow"), readable, &found, &error))
        return put_error(&error, size);
    begin(&response);
    plugin_put_bool(&response, "exists", found.is_some);
    if (found.is_some) {
        const reglet_plugin_host_file_info_t *info = &found.val;
        char mode[5] = {(char)('0' + (info->mode >> 9 & 7)), (char)('0' + (info->mode >> 6 & 7)),
                        (char)('0' + (info->mode >> 3 & 7)), (char)('0' + (info->mode & 7)), '\0'};
        plugin_put_string(&response, "type", types[info->type]);
        plugin_put_int(&response, "size", (int64_t)info->size);
        plugin_put_string(&response, "mode", mode);
        plugin_put_int(&response, "uid", info->uid);
        plugin_put_int(&response, "gid", info->gid);
        put(&response, "mod_time", info->mod_time);
        put_option(&response, "owner", info->owner);
        put_option(&response, "group", info->group);
        put_option(&response, "target", info->target);
        if (info->readable.is_some)
            plugin_put_bool(&response, "readable", info->readable.val);
    }
    return end(&response, size);
}

COMPONENT_FUNCTION(fs_read) {
    plugin_value request = plugin_parse(bytes, bytes_size);
    text_t path = borrowed(request, "path");
    reglet_plugin_option_u64_t most = option_int(request, "max_bytes");
    reglet_plugin_host_file_content_t content;
    reglet_plugin_host_host_error_t error;
    plugin_request response;
    uint64_t offset = (uint64_t)plugin_int(request, "offset");
    if (!reglet_plugin_host_fs_read(&path, offset, most.is_some ? &most.val : NULL, &content, &error))
        return put_error(&error, size);
    begin(&response);
    plugin_put_base64(&response, "content", content.content.ptr, content.content.len);
    plugin_put_int(&response, "size", (int64_t)content.size);
    plugin_put_bool(&response, "truncated", content.truncated);
    reglet_plugin_host_file_content_free(&content); /* files are read piece by piece */
    return end(&response, size);
}

COMPONENT_FUNCTION(fs_write) {
    static const char *const modes[] = {"create", "truncate", "append"};
    plugin_value request = plugin_parse(bytes, bytes_size);
    text_t path = borrowed(request, "path");
    const char *mode = plugin_string(request, "mode");
    size_t length = 0;
    const char *data = plugin_base64(request, "content", &length);
    reglet_plugin_list_u8_t content = {(uint8_t *)(uintptr_t)data, length};
    reglet_plugin_host_host_error_t error;
    plugin_request response;
    uint64_t written = 0;
    uint8_t number = 0;
    while (mode && number < 2 && strcmp(mode, modes[number]) != 0)
        number++;
    if (!reglet_plugin_host_fs_write(&path, &content, number, &written, &error))
        return put_error(&error, size);
    begin(&response);
    plugin_put_int(&response, "written", (int64_t)written);
    return end(&response, size);
}

COMPONENT_FUNCTION(env_get) {
    plugin_value request = plugin_parse(bytes, bytes_size);
    text_t name = borrowed(request, "name");
    option_text_t value;
    reglet_plugin_host_host_error_t error;
    plugin_request response;
    if (!reglet_plugin_host_env_get(&name, &value, &error))
        return put_error(&error, size);
    begin(&response);
    plugin_put_bool(&response, "found", value.is_some);
    put_option(&response, "value", value);
    return end(&response, size);
}

static reglet_plugin_list_string_t strings(plugin_value array) {
    reglet_plugin_list_string_t list = {.len = count(array)};
    list.ptr = plugin__keep((list.len + 1) * sizeof *list.ptr);
    for (size_t i = 0; list.ptr && i < list.len; i++)
        list.ptr[i] = borrowed(plugin__next(&array, NULL), NULL);
    list.len = list.ptr ? list.len : 0;
    return list;
}

/* "NAME=value" in two. */
static reglet_plugin_list_tuple2_string_string_t assignments(plugin_value array) {
    reglet_plugin_list_string_t list = strings(array);
    reglet_plugin_list_tuple2_string_string_t pairs = {.len = list.len};
    pairs.ptr = plugin__keep((list.len + 1) * sizeof *pairs.ptr);
    for (size_t i = 0; pairs.ptr && i < list.len; i++) {
        uint8_t *equals = memchr(list.ptr[i].ptr, '=', list.ptr[i].len);
        size_t name = equals ? (size_t)(equals - list.ptr[i].ptr) : list.ptr[i].len;
        size_t skipped = equals ? name + 1 : name;
        pairs.ptr[i].f0 = (text_t){list.ptr[i].ptr, name};
        pairs.ptr[i].f1 = (text_t){list.ptr[i].ptr + skipped, list.ptr[i].len - skipped};
    }
    pairs.len = pairs.ptr ? pairs.len : 0;
    return pairs;
}

COMPONENT_FUNCTION(exec_command) {
    plugin_value request = plugin_parse(bytes, bytes_size);
    reglet_plugin_host_command_t command = {
        .command = borrowed(request, "command"),
        .args = strings(plugin_json(request, "args")),
        .dir = option_borrowed(request, "dir"),
        .env = assignments(plugin_json(request, "env")),
        .timeout_ms = timeout_of(request),
    };
    reglet_plugin_host_command_output_t output;
    reglet_plugin_host_host_error_t error;
    plugin_request response;
    if (!reglet_plugin_host_exec_run(&command, &output, &error))
        return put_error(&error, size);
    begin(&response);
    put(&response, "stdout", output.stdout_);
    put(&response, "stderr", output.stderr_);
    plugin_put_bool(&response, "stdout_truncated", output.stdout_truncated);
    plugin_put_bool(&response, "stderr_truncated", output.stderr_truncated);
    plugin_put_int(&response, "exit_code", output.exit_code);
    put_option(&response, "signal", output.signal);
    plugin_put_int(&response, "duration_ms", (int64_t)output.duration_ms);
    plugin_put_bool(&response, "is_timeout", output.is_timeout);
    return end(&response, size);
}

COMPONENT_FUNCTION(dns_lookup) {
    static const char *const types[] = {"A", "AAAA", "CNAME", "MX", "TXT", "NS"};
    plugin_value request = plugin_parse(bytes, bytes_size);
    reglet_plugin_host_dns_query_t query = {
        .hostname = borrowed(request, "hostname"),
        .nameserver = option_borrowed(request, "nameserver"),
        .timeout_ms = timeout_of(request),
    };
    const char *type = plugin_string(request, "type");
    reglet_plugin_host_dns_answer_t answer;
    reglet_plugin_host_host_error_t error;
    plugin_request response;
    while (type && query.type < 5 && strcmp(type, types[query.type]) != 0)
        query.type++;
    if (!reglet_plugin_host_dns_lookup(&query, &answer, &error))
        return put_error(&error, size);
    begin(&response);
    plugin_begin_array(&response, "records");
    for (size_t i = 0; i < answer.records.len; i++)
        put(&response, NULL, answer.records.ptr[i]);
    plugin_end(&response);
    plugin_begin_array(&response, "mx_records");
    for (size_t i = 0; i < answer.mx_records.len; i++) {
        plugin_begin_object(&response, NULL);
        put(&response, "host", answer.mx_records.ptr[i].host);
        plugin_put_int(&response, "pref", answer.mx_records.ptr[i].preference);
        plugin_end(&response);
    }
    plugin_end(&response);
    return end(&response, size);
}

/* {"name": ["value", …], …}, as pairs. */
static reglet_plugin_list_tuple2_string_string_t headers_of(plugin_value object) {
    reglet_plugin_list_tuple2_string_string_t pairs = {0};
    plugin_value rest = object, name = {0}, values, value;
    size_t total = 0;
    while ((values = plugin__next(&rest, &name)).text)
        total += count(values);
    pairs.ptr = plugin__keep((total + 1) * sizeof *pairs.ptr);
    rest = object;
    while (pairs.ptr && (values = plugin__next(&rest, &name)).text)
        while ((value = plugin__next(&values, NULL)).text) {
            pairs.ptr[pairs.len].f0 = borrowed(name, NULL);
            pairs.ptr[pairs.len++].f1 = borrowed(value, NULL);
        }
    return pairs;
}

COMPONENT_FUNCTION(http_request) {
    plugin_value request = plugin_parse(bytes, bytes_size);
    size_t body_size = 0;
    const char *body = plugin_base64(request, "body", &body_size);
    reglet_plugin_host_http_call_t call = {
        .url = borrowed(request, "url"),
        .method = borrowed(request, "method"),
        .headers = headers_of(plugin_json(request, "headers")),
        .body = {body != NULL, {(uint8_t *)(uintptr_t)body, body_size}},
        .timeout_ms = timeout_of(request),
    };
    reglet_plugin_host_http_response_t answer;
    reglet_plugin_host_host_error_t error;
    plugin_request response;
    if (!reglet_plugin_host_http_request(&call, &answer, &error))
        return put_error(&error, size);
    begin(&response);
    plugin_put_int(&response, "status_code", answer.status_code);
    put_pairs(&response, "headers", &answer.headers);
    plugin_put_base64(&response, "body", answer.body.ptr, answer.body.len);
    plugin_put_bool(&response, "body_truncated", answer.body_truncated);
    put(&response, "proto", answer.proto);
    plugin_put_int(&response, "latency_ms", (int64_t)answer.latency_ms);
    return end(&response, size);
}

COMPONENT_FUNCTION(tcp_connect) {
    plugin_value request = plugin_parse(bytes, bytes_size);
    reglet_plugin_host_target_t target = {
        .host = borrowed(request, "host"),
        .port = plugin_port(request, "port"),
        .tls = plugin_bool(request, "tls"),
        .timeout_ms = timeout_of(request),
    };
    reglet_plugin_host_connection_t connection;
    reglet_plugin_host_host_error_t error;
    plugin_request response;
    if (!reglet_plugin_host_tcp_connect(&target, &connection, &error))
        return put_error(&error, size);
    begin(&response);
    put_connection(&response, &connection);
    return end(&response, size);
}

COMPONENT_FUNCTION(smtp_connect) {
    plugin_value request = plugin_parse(bytes, bytes_size);
    reglet_plugin_host_mail_server_t server = {
        .host = borrowed(request, "host"),
        .port = plugin_port(request, "port"),
        .security = plugin_bool(request, "tls")        ? REGLET_PLUGIN_HOST_MAIL_SECURITY_TLS
                    : plugin_bool(request, "starttls") ? REGLET_PLUGIN_HOST_MAIL_SECURITY_STARTTLS
                                                       : REGLET_PLUGIN_HOST_MAIL_SECURITY_PLAIN,
        .timeout_ms = timeout_of(request),
    };
    reglet_plugin_host_mail_greeting_t greeting;
    reglet_plugin_host_host_error_t error;
    plugin_request response;
    if (!reglet_plugin_host_smtp_connect(&server, &greeting, &error))
        return put_error(&error, size);
    begin(&response);
    put_connection(&response, &greeting.connection);
    put(&response, "banner", greeting.banner);
    return end(&response, size);
}

/* A question that WIT has no function for. */
COMPONENT_FUNCTION(ssrf_check) {
    plugin_request response;
    (void)bytes, (void)bytes_size;
    begin(&response);
    plugin_begin_object(&response, "error");
    plugin_put_string(&response, "type", "internal");
    plugin_put_string(&response, "code", "ENOSYS");
    plugin_put_string(&response, "message", "components have no ssrf_check");
    plugin_end(&response);
    return end(&response, size);
}

char *plugin__call(const char *function, const char *bytes, size_t bytes_size, size_t *size) {
    text_t name = {(uint8_t *)(uintptr_t)function, strlen(function)},
           request = {(uint8_t *)(uintptr_t)bytes, bytes_size}, response;
    reglet_plugin_host_host_error_t error;
    if (!reglet_plugin_host_call(&name, &request, &response, &error))
        return put_error(&error, size);
    *size = response.len;
    return (char *)response.ptr;
}

void plugin__log_sink(const char *bytes, size_t bytes_size) {
    static const char *const levels[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    plugin_value event = plugin_parse(bytes, bytes_size);
    text_t message = borrowed(event, "message");
    const char *level = plugin_string(event, "level");
    reglet_plugin_list_tuple2_string_string_t attributes = {0};
    uint8_t number = 0;
    while (level && number < 3 && strcmp(level, levels[number]) != 0)
        number++;
    reglet_plugin_host_log(number, &message, &attributes);
}
