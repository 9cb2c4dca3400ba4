/*
 * dns - observes the records of a name.
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include <string.h>
#include <strings.h>
#include <time.h>

#include "reglet_host.h"

static const char *const record_types[] = {"A", "AAAA", "CNAME", "MX", "TXT", "NS"};

/* The type as the host spells it, or NULL. */
static const char *find_type(const char *text) {
    for (size_t i = 0; i < sizeof record_types / sizeof *record_types; i++)
        if (strcasecmp(text, record_types[i]) == 0)
            return record_types[i];
    return NULL;
}

static bool has_host_and_port(const char *nameserver) {
    const char *colon = strrchr(nameserver, ':');
    return colon && colon > nameserver && colon[1] >= '1' && colon[1] <= '9';
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void put_records(const char *key, plugin_value records, plugin_evidence *evidence) {
    int64_t count = 0;
    plugin_begin_array(evidence, key);
    for (plugin_value record; (record = plugin_item(records, (size_t)count)).text; count++)
        plugin_put_json(evidence, NULL, record);
    plugin_end(evidence);
    plugin_put_int(evidence, "record_count", count);
}

/* That a name does not exist is an answer; that nobody answered is a failure. */
static void put_answer(const plugin_dns *request, const plugin_dns_response *response,
                       plugin_evidence *evidence) {
    const plugin_error *error = response->error;
    plugin_put_bool(evidence, "is_timeout", error && error->is_timeout);
    plugin_put_bool(evidence, "is_not_found", error && error->is_not_found);
    if (error && !error->is_not_found) {
        plugin_fail_call(evidence, error);
        return;
    }
    bool mail = strcmp(request->type, "MX") == 0;
    put_records(mail ? "mx_records" : "records", mail ? response->mx_records : response->records, evidence);
}

static void observe(plugin_value config, plugin_evidence *evidence) {
    plugin_dns request = {
        .hostname = plugin_string(config, "hostname"),
        .type = find_type(plugin_string(config, "record_type")),
        .nameserver = plugin_string(config, "nameserver"),
    };
    bool good_name = request.hostname[0] != '\0';
    bool good_server = !request.nameserver || has_host_and_port(request.nameserver);
    if (!good_name)
        plugin_fail_field(evidence, "hostname", "must not be empty");
    if (!request.type)
        plugin_fail_field(evidence, "record_type", "must be one of A, AAAA, CNAME, MX, TXT, NS");
    if (!good_server)
        plugin_fail_field(evidence, "nameserver", "must be host:port, such as 9.9.9.9:53");
    if (!good_name || !request.type || !good_server)
        return;
    int64_t start = now_ms();
    plugin_dns_response response = plugin_dns_lookup(&request);
    plugin_put_string(evidence, "hostname", request.hostname);
    plugin_put_string(evidence, "record_type", request.type);
    plugin_put_string(evidence, "nameserver", request.nameserver ? request.nameserver : "the host's own");
    plugin_put_int(evidence, "query_time_ms", now_ms() - start);
    put_answer(&request, &response, evidence);
}

const plugin_info plugin = {
    .name = "dns",
    .version = "1.0.0",
    .description = "Observes the DNS records of a name",
    .capabilities = (const plugin_capability[]){{"network", "outbound:53"}, {0}},
    .fields = (const plugin_field[]){{.name = "hostname",
                                      .type = PLUGIN_STRING,
                                      .required = true,
                                      .description = "The name to look up"},
                                     {.name = "record_type",
                                      .type = PLUGIN_STRING,
                                      .fallback = "\"A\"",
                                      .description = "A, AAAA, CNAME, MX, TXT or NS"},
                                     {.name = "nameserver",
                                      .type = PLUGIN_STRING,
                                      .description =
                                          "Whom to ask, as host:port; without it the host's own nameservers"},
                                     {0}},
    .observe = observe,
};
