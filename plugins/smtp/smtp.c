/*
 * smtp - observes a mail server: whether it greets, how, and whether it speaks TLS.
 */
#include "../shared/connection.h"

static void observe(plugin_value config, plugin_evidence *evidence) {
    plugin_target target;
    bool good = connection_target(config, evidence, &target);
    target.starttls = plugin_bool(config, "starttls");
    if (target.tls && target.starttls)
        plugin_fail_field(evidence, "starttls", "cannot be combined with tls");
    else if (good) {
        plugin_connection connection = plugin_smtp_connect(&target);
        if (connection_put(&target, &connection, evidence))
            plugin_put_string(evidence, "banner", connection.banner);
    }
}

const plugin_info plugin = {
    .name = "smtp",
    .version = "1.0.0",
    .description = "Observes a mail server: its greeting, and its TLS",
    .capabilities = (const plugin_capability[]){{"network", "outbound:25,465,587"}, {0}},
    .fields = (const plugin_field[]){CONNECTION_FIELDS,
                                     {.name = "starttls",
                                      .type = PLUGIN_BOOL,
                                      .fallback = "false",
                                      .description = "Change to TLS by STARTTLS; a server that does not "
                                                     "offer it is a failure"},
                                     {0}},
    .observe = observe,
};
