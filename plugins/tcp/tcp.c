/*
 * tcp - observes a port: whether it accepts connections, and with TLS what it negotiates and which certificate it shows.
 */
#define _GNU_SOURCE /* strptime, timegm */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../shared/connection.h"

enum { SECONDS_PER_DAY = 24 * 60 * 60 };

/* Of the versions that the host speaks. They sort as text. */
static const char *const versions[] = {"TLS 1.2", "TLS 1.3"};

static bool is_version(const char *text) {
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
        if (strcmp(text, versions[i]) == 0)
            return true;
    return false;
}

/* Whole days; negative when the certificate has expired. */
static void put_days_remaining(const char *not_after, plugin_evidence *evidence) {
    struct tm utc = {0};
    if (!not_after || !strptime(not_after, "%Y-%m-%dT%H:%M:%S", &utc))
        return;
    time_t left = timegm(&utc) - time(NULL);
    bool whole = left % SECONDS_PER_DAY == 0;
    plugin_put_int(evidence, "tls_cert_days_remaining", left / SECONDS_PER_DAY - (left < 0 && !whole));
}

static void put_certificate(const plugin_connection *connection, plugin_evidence *evidence) {
    plugin_put_string(evidence, "tls_cert_subject", connection->certificate_subject);
    plugin_put_string(evidence, "tls_cert_issuer", connection->certificate_issuer);
    plugin_put_string(evidence, "tls_cert_not_after", connection->certificate_not_after);
    put_days_remaining(connection->certificate_not_after, evidence);
}

static void put_expectation(const char *expected, const char *found, plugin_evidence *evidence) {
    bool failed = !found || strcmp(found, expected) < 0;
    plugin_put_bool(evidence, "expectation_failed", failed);
    if (!failed)
        return;
    char text[128];
    snprintf(text, sizeof text, "expected %s or newer, found %s", expected, found ? found : "none");
    plugin_put_string(evidence, "expectation_error", text);
}

static bool check_expected(const char *expected, bool tls, plugin_evidence *evidence) {
    if (expected && !is_version(expected))
        plugin_fail_field(evidence, "expected_tls_version", "must be \"TLS 1.2\" or \"TLS 1.3\"");
    else if (expected && !tls)
        plugin_fail_field(evidence, "expected_tls_version", "needs tls to be true");
    return !expected || (tls && is_version(expected));
}

static void observe(plugin_value config, plugin_evidence *evidence) {
    plugin_target target;
    const char *expected = plugin_string(config, "expected_tls_version");
    bool good = connection_target(config, evidence, &target);
    if (!check_expected(expected, target.tls, evidence) || !good)
        return;
    plugin_connection connection = plugin_tcp_connect(&target);
    bool connected = connection_put(&target, &connection, evidence);
    if (connected && connection.tls)
        put_certificate(&connection, evidence);
    if (expected && !connection.error)
        put_expectation(expected, connection.tls_version, evidence);
}

const plugin_info plugin = {
    .name = "tcp",
    .version = "1.0.0",
    .description = "Observes a port: whether it accepts connections, its TLS version and its certificate",
    .capabilities = (const plugin_capability[]){{"network", "outbound:*"}, {0}},
    .fields =
        (const plugin_field[]){
            CONNECTION_FIELDS,
            {.name = "expected_tls_version",
             .type = PLUGIN_STRING,
             .description = "The oldest version of TLS that is good enough: \"TLS 1.2\" or \"TLS 1.3\""},
            {0}},
    .observe = observe,
};
