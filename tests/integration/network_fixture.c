#define _GNU_SOURCE
#include "tests/integration/network_fixture.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_GRANTS = 8 };

static reglet_runtime *runtime;
struct servers *servers;
reglet_plugin *plugin;
struct events events;

const char *const network_everywhere[] = {"network:outbound:1-65535", "network:outbound:private", NULL};

int network_set_up(void **state) {
    (void)state;
    network_start(servers_start(), network_everywhere);
    return 0;
}

int network_tear_down(void **state) {
    (void)state;
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    servers_stop(servers);
    events_free(&events);
    return 0;
}

void network_start(struct servers *started, const char *const grants[]) {
    servers = started;
    events_init(&events);
    plugin = network_load(&runtime, network_options(), grants);
}

reglet_runtime_options network_options(void) {
    static char nameserver[32];
    snprintf(nameserver, sizeof nameserver, "127.0.0.1:%d", servers_port(servers, "dns"));
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.nameservers = nameserver;
    options.ca_file = servers_path(servers, "ca");
    options.log = events_collect;
    options.log_user_data = &events;
    return options;
}

reglet_plugin *network_load(reglet_runtime **made, reglet_runtime_options options,
                            const char *const grants[]) {
    reglet_grant list[MAX_GRANTS];
    for (; grants[options.grant_count]; options.grant_count++) {
        assert_in_range(options.grant_count, 0, MAX_GRANTS - 1);
        list[options.grant_count] = (reglet_grant){"relay", grants[options.grant_count]};
    }
    options.grants = list;
    *made = new_runtime(&options);
    return load_guest(*made, "relay");
}

char *ask(const char *function, const char *host, const char *server, const char *more) {
    return relay(plugin, function, "{'host': '%s', 'port': '%d'%s}", host, servers_port(servers, server),
                 more);
}

void expect_error(char *response, const char *type, const char *code, const char *part) {
    expect_member(response, "/error/type", type);
    expect_member(response, "/error/code", code);
    expect_member_contains(response, "/error/message", part);
    expect_member(response, "/connected", "false");
    expect_member(response, "/tls_cert_subject", NULL);
    free(response);
}
