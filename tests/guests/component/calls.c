/*
 * calls.c - calls one function of the host with arguments from its config, and tells every member of what came back, under the
 * names that WIT has. Bytes are told by their number, their sum and the first 64 of them in hexadecimal digits.
 *
 * Config: {"function": "fs-read", …}, the rest named as the parameters and members in WIT. Lists are lines.
 */
#include "component/probe.h"

typedef reglet_plugin_host_host_error_t host_error_t;

/* ---- Arguments ----------------------------------------------------------------------------------------------- */

static probe_list_u8_t config_bytes(const char *name) {
    text_t value = config_text(name);
    return (probe_list_u8_t){value.ptr, value.len};
}

/* Cuts at `by`; the last part has the rest. */
static size_t cut(text_t whole, char by, text_t *parts, size_t most) {
    size_t count = 0, from = 0;
    for (size_t i = 0; i <= whole.len && whole.len && count < most; i++)
        if (i == whole.len || (whole.ptr[i] == by && count + 1 < most)) {
            parts[count++] = (text_t){whole.ptr + from, i - from};
            from = i + 1;
        }
    return count;
}

enum { MOST = 64 };

static probe_list_string_t config_lines(const char *name) {
    static text_t lines[MOST];
    return (probe_list_string_t){lines, cut(config_text(name), '\n', lines, MOST)};
}

static probe_list_tuple2_string_string_t config_pairs(const char *name) {
    static text_t lines[MOST];
    static probe_tuple2_string_string_t pairs[MOST];
    size_t count = cut(config_text(name), '\n', lines, MOST);
    for (size_t i = 0; i < count; i++) {
        text_t sides[2] = {{0}};
        cut(lines[i], '=', sides, 2);
        pairs[i].f0 = sides[0];
        pairs[i].f1 = sides[1];
    }
    return (probe_list_tuple2_string_string_t){pairs, count};
}

static uint8_t config_one_of(const char *name, const char *const *names) {
    uint8_t number = 0;
    for (; names[number] && !config_is(name, names[number]); number++)
        ;
    return names[number] ? number : 0;
}

/* ---- Answers ------------------------------------------------------------------------------------------------- */

static void put_bytes(const char *name, probe_list_u8_t bytes) {
    static const char digits[] = "0123456789abcdef";
    size_t shown = bytes.len < MOST ? bytes.len : MOST;
    text_t hex = {malloc(2 * shown + 1), 2 * shown};
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes.len; i++)
        sum += bytes.ptr[i];
    for (size_t i = 0; i < shown; i++) {
        hex.ptr[2 * i] = (uint8_t)digits[bytes.ptr[i] >> 4];
        hex.ptr[2 * i + 1] = (uint8_t)digits[bytes.ptr[i] & 15];
    }
    put_text(name, hex);
    put_number("bytes", bytes.len);
    put_number("sum", sum);
}

static void put_pairs(const char *name, probe_list_tuple2_string_string_t pairs) {
    text_t *lines = calloc(pairs.len + 1, sizeof *lines);
    for (size_t i = 0; i < pairs.len; i++)
        lines[i] = joined(pairs.ptr[i].f0, ": ", pairs.ptr[i].f1);
    put_texts(name, lines, pairs.len);
}

static void put_error(const host_error_t *error) {
    static const char *const names[] = {"denied",  "timeout", "cancelled", "not-found",
                                        "network", "invalid", "limit",     "internal"};
    bool denied = error->tag == REGLET_PLUGIN_HOST_HOST_ERROR_DENIED;
    put_text("error", text(names[error->tag]));
    if (denied) {
        put_text("kind", error->val.denied.kind);
        put_text("code", error->val.denied.code);
        put_text("message", error->val.denied.message);
        put_option("missing", error->val.denied.missing);
    } else if (error->tag != REGLET_PLUGIN_HOST_HOST_ERROR_CANCELLED) {
        put_text("kind", error->val.internal.kind);
        put_text("code", error->val.internal.code);
        put_text("message", error->val.internal.message);
    }
}

static void put_connection(const reglet_plugin_host_connection_t *connection) {
    put_text("address", connection->address);
    put_option("remote-addr", connection->remote_addr);
    put_option("local-addr", connection->local_addr);
    put_number("response-time-ms", connection->response_time_ms);
    put_bool("tls", connection->tls.is_some);
    if (!connection->tls.is_some)
        return;
    put_text("version", connection->tls.val.version);
    put_text("cipher-suite", connection->tls.val.cipher_suite);
    put_text("server-name", connection->tls.val.server_name);
    put_option("cert-subject", connection->tls.val.cert_subject);
    put_option("cert-issuer", connection->tls.val.cert_issuer);
    put_option("cert-not-after", connection->tls.val.cert_not_after);
}

/* ---- The functions: each returns whether it has an answer ------------------------------------------------------ */

static bool fs_read(host_error_t *error) {
    text_t path = config_text("path");
    probe_option_u64_t most = config_option_number("max-bytes");
    reglet_plugin_host_file_content_t content;
    if (!reglet_plugin_host_fs_read(&path, config_number("offset"), most.is_some ? &most.val : NULL, &content,
                                    error))
        return false;
    put_bytes("content", content.content);
    put_number("size", content.size);
    put_bool("truncated", content.truncated);
    return true;
}

static bool fs_write(host_error_t *error) {
    static const char *const modes[] = {"create", "truncate", "append", NULL};
    text_t path = config_text("path");
    probe_list_u8_t content = config_bytes("content");
    uint64_t written = 0;
    if (!reglet_plugin_host_fs_write(&path, &content, config_one_of("mode", modes), &written, error))
        return false;
    put_number("written", written);
    return true;
}

static bool fs_stat(host_error_t *error) {
    static const char *const types[] = {"file",   "directory",    "symlink",          "fifo",
                                        "socket", "block-device", "character-device", "unknown"};
    text_t path = config_text("path");
    reglet_plugin_host_option_file_info_t info;
    if (!reglet_plugin_host_fs_stat(&path, config_is("follow", "true"), config_is("readable", "true"), &info,
                                    error))
        return false;
    put_bool("exists", info.is_some);
    if (!info.is_some)
        return true;
    put_text("type", text(types[info.val.type]));
    put_number("size", info.val.size);
    put_number("mode", info.val.mode);
    put_number("uid", info.val.uid);
    put_number("gid", info.val.gid);
    put_option("owner", info.val.owner);
    put_option("group", info.val.group);
    put_text("mod-time", info.val.mod_time);
    put_option("target", info.val.target);
    if (info.val.readable.is_some)
        put_bool("readable", info.val.readable.val);
    return true;
}

static bool env_get(host_error_t *error) {
    text_t name = config_text("name");
    probe_option_string_t value;
    if (!reglet_plugin_host_env_get(&name, &value, error))
        return false;
    put_bool("set", value.is_some);
    put_option("value", value);
    return true;
}

static bool exec_run(host_error_t *error) {
    reglet_plugin_host_command_t command = {.command = config_text("command"),
                                            .args = config_lines("args"),
                                            .dir = config_option("dir"),
                                            .env = config_pairs("env"),
                                            .timeout_ms = config_option_number("timeout-ms")};
    reglet_plugin_host_command_output_t output;
    if (!reglet_plugin_host_exec_run(&command, &output, error))
        return false;
    put_text("stdout", output.stdout_.len > 1000 ? (text_t){output.stdout_.ptr, 1000} : output.stdout_);
    put_number("stdout-bytes", output.stdout_.len);
    put_text("stderr", output.stderr_);
    put_bool("stdout-truncated", output.stdout_truncated);
    put_bool("stderr-truncated", output.stderr_truncated);
    put_number("exit-code", (uint64_t)(int64_t)output.exit_code);
    put_option("signal", output.signal);
    put_number("duration-ms", output.duration_ms);
    put_bool("is-timeout", output.is_timeout);
    return true;
}

static bool dns_lookup(host_error_t *error) {
    static const char *const types[] = {"a", "aaaa", "cname", "mx", "txt", "ns", NULL};
    reglet_plugin_host_dns_query_t query = {.hostname = config_text("hostname"),
                                            .type = config_one_of("type", types),
                                            .nameserver = config_option("nameserver"),
                                            .timeout_ms = config_option_number("timeout-ms")};
    reglet_plugin_host_dns_answer_t answer;
    if (!reglet_plugin_host_dns_lookup(&query, &answer, error))
        return false;
    put_texts("records", answer.records.ptr, answer.records.len);
    for (size_t i = 0; i < answer.mx_records.len; i++) {
        put_text("host", answer.mx_records.ptr[i].host);
        put_number("preference", answer.mx_records.ptr[i].preference);
    }
    put_number("mx-records", answer.mx_records.len);
    return true;
}

static bool http_request(host_error_t *error) {
    probe_option_u64_t most = config_option_number("max-redirects");
    reglet_plugin_host_http_call_t call = {
        .url = config_text("url"),
        .method = config_text("method"),
        .headers = config_pairs("headers"),
        .body = {configured("body") != NULL, config_bytes("body")},
        .follow_redirects = {configured("follow-redirects") != NULL, config_is("follow-redirects", "true")},
        .max_redirects = {most.is_some, (uint32_t)most.val},
        .timeout_ms = config_option_number("timeout-ms")};
    reglet_plugin_host_http_response_t response;
    if (!reglet_plugin_host_http_request(&call, &response, error))
        return false;
    put_number("status-code", response.status_code);
    put_pairs("headers", response.headers);
    put_bytes("body", response.body);
    put_bool("body-truncated", response.body_truncated);
    put_text("proto", response.proto);
    put_number("latency-ms", response.latency_ms);
    if (config_is("show", "body"))
        put_text("text", (text_t){response.body.ptr, response.body.len});
    return true;
}

static reglet_plugin_host_target_t target(void) {
    return (reglet_plugin_host_target_t){.host = config_text("host"),
                                         .port = (uint16_t)config_number("port"),
                                         .tls = config_is("tls", "true"),
                                         .timeout_ms = config_option_number("timeout-ms")};
}

static bool tcp_connect(host_error_t *error) {
    reglet_plugin_host_target_t asked = target();
    reglet_plugin_host_connection_t connection;
    if (!reglet_plugin_host_tcp_connect(&asked, &connection, error))
        return false;
    put_connection(&connection);
    return true;
}

static bool net_connect(host_error_t *error) {
    static const char *const ends[] = {"closed", "max-bytes", "deadline"};
    reglet_plugin_host_target_t asked = target();
    probe_list_u8_t data = config_bytes("data");
    probe_option_u64_t most = config_option_number("max-bytes");
    reglet_plugin_host_exchange_t exchange;
    if (!reglet_plugin_host_net_connect(&asked, &data, most.is_some ? &most.val : NULL, &exchange, error))
        return false;
    put_connection(&exchange.connection);
    put_bytes("data", exchange.data);
    put_text("end", text(ends[exchange.end]));
    return true;
}

static bool smtp_connect(host_error_t *error) {
    static const char *const securities[] = {"plain", "tls", "starttls", NULL};
    reglet_plugin_host_mail_server_t server = {.host = config_text("host"),
                                               .port = (uint16_t)config_number("port"),
                                               .security = config_one_of("security", securities),
                                               .timeout_ms = config_option_number("timeout-ms")};
    reglet_plugin_host_mail_greeting_t greeting;
    if (!reglet_plugin_host_smtp_connect(&server, &greeting, error))
        return false;
    put_connection(&greeting.connection);
    put_text("banner", greeting.banner);
    return true;
}

/* The name may have a NUL in it: "a%b". */
static bool call(host_error_t *error) {
    text_t name = config_text("name"), request = config_text("request"), response;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '%')
            name.ptr[i] = '\0';
    if (!reglet_plugin_host_call(&name, &request, &response, error))
        return false;
    put_json("response", response);
    return true;
}

static bool log_event(host_error_t *error) {
    static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
    text_t message = config_text("message");
    probe_list_tuple2_string_string_t attributes = config_pairs("attributes");
    (void)error;
    reglet_plugin_host_log(config_one_of("level", levels), &message, &attributes);
    return true;
}

/* ---- The plugin ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    bool (*call)(host_error_t *error);
} functions[] = {
    {"fs-read", fs_read},
    {"fs-write", fs_write},
    {"fs-stat", fs_stat},
    {"env-get", env_get},
    {"exec-run", exec_run},
    {"dns-lookup", dns_lookup},
    {"tcp-connect", tcp_connect},
    {"net-connect", net_connect},
    {"smtp-connect", smtp_connect},
    {"call", call},
    {"log", log_event},
    {"http-request", http_request},
};

void exports_reglet_plugin_plugin_describe(exports_reglet_plugin_plugin_plugin_info_t *out) {
    static reglet_plugin_types_capability_t capabilities[3];
    capabilities[0] = (reglet_plugin_types_capability_t){text("fs"), text("read:**")};
    capabilities[1] = (reglet_plugin_types_capability_t){text("network"), text("outbound:*")};
    capabilities[2] = (reglet_plugin_types_capability_t){text("no such"), text("\x1b[2J, \"quoted\"")};
    *out = (exports_reglet_plugin_plugin_plugin_info_t){
        text("calls"), text("1.2.3"), text("Calls the host: \xc3\xa9\xe2\x82\xac"), {capabilities, 3}};
}

void exports_reglet_plugin_plugin_schema(exports_reglet_plugin_plugin_config_schema_t *out) {
    static reglet_plugin_types_field_def_t fields[2];
    fields[0] = (reglet_plugin_types_field_def_t){text("function"), text("string"), true, text("Which")};
    fields[1] = (reglet_plugin_types_field_def_t){text("port"), text("integer"), false, text("")};
    out->fields.ptr = fields;
    out->fields.len = 2;
}

bool exports_reglet_plugin_plugin_observe(exports_reglet_plugin_plugin_config_t *config,
                                          exports_reglet_plugin_plugin_evidence_t *out,
                                          exports_reglet_plugin_plugin_error_t *failed) {
    host_error_t error;
    config_values = config->values;
    uint64_t times = configured("times") ? config_number("times") : 1;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (config_is("function", functions[i].name)) {
            for (uint64_t done = 1; done < times; done++) {
                functions[i].call(&error);
                found.len = 0;
            }
            if (!functions[i].call(&error))
                put_error(&error);
            *out = (exports_reglet_plugin_plugin_evidence_t){
                .status = true, .timestamp = text(""), .data = found};
            return true;
        }
    *failed =
        (exports_reglet_plugin_plugin_error_t){.code = text("ENOSYS"), .message = text("no such function")};
    return false;
}
