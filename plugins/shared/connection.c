#include "connection.h"

#include <stdio.h>
#include <string.h>

bool connection_target(plugin_value config, plugin_evidence *evidence, plugin_target *target) {
    *target = (plugin_target){
        .host = plugin_string(config, "host"),
        .port = plugin_port(config, "port"),
        .tls = plugin_bool(config, "tls"),
        .timeout_ms = plugin_int(config, "timeout_ms"),
    };
    bool has_host = target->host[0] != '\0', has_time = target->timeout_ms > 0;
    if (!has_host)
        plugin_fail_field(evidence, "host", "must not be empty");
    if (!has_time)
        plugin_fail_field(evidence, "timeout_ms", "must be greater than 0");
    return has_host && has_time;
}

static void put_address(const plugin_target *target, plugin_evidence *evidence) {
    char text[300];
    bool bare_ipv6 = strchr(target->host, ':') && target->host[0] != '[';
    snprintf(text, sizeof text, bare_ipv6 ? "[%s]:%d" : "%s:%d", target->host, target->port);
    plugin_put_string(evidence, "address", text);
}

static void put_if_known(plugin_evidence *evidence, const char *key, const char *text) {
    if (text)
        plugin_put_string(evidence, key, text);
}

static void put_tls(const plugin_connection *connection, plugin_evidence *evidence) {
    plugin_put_string(evidence, "tls_version", connection->tls_version);
    plugin_put_string(evidence, "tls_cipher_suite", connection->tls_cipher_suite);
    plugin_put_string(evidence, "tls_server_name", connection->tls_server_name);
}

bool connection_put(const plugin_target *target, const plugin_connection *connection,
                    plugin_evidence *evidence) {
    const plugin_error *error = connection->error;
    put_address(target, evidence);
    plugin_put_bool(evidence, "connected", !error);
    if (error && strcmp(error->code, "ECONNREFUSED") == 0)
        plugin_put_string(evidence, "reason", error->message);
    else if (error)
        plugin_fail_call(evidence, error);
    if (error)
        return false;
    put_if_known(evidence, "remote_addr", connection->remote_address);
    put_if_known(evidence, "local_addr", connection->local_address);
    plugin_put_int(evidence, "response_time_ms", connection->response_time_ms);
    plugin_put_bool(evidence, "tls", connection->tls);
    if (connection->tls)
        put_tls(connection, evidence);
    return true;
}
