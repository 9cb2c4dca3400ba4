/*
 * connection.h - what the plugins that connect have in common: the target in their config, and what came of it.
 */
#ifndef REGLET_PLUGINS_CONNECTION_H
#define REGLET_PLUGINS_CONNECTION_H

#include "reglet_host.h"

/* Members of the table of fields. */
#define CONNECTION_FIELDS                                                                                    \
    {.name = "host", .type = PLUGIN_STRING, .required = true, .description = "Host name or IP address"},     \
        {.name = "port", .type = PLUGIN_PORT, .required = true, .description = "Port"},                      \
        {.name = "tls",                                                                                      \
         .type = PLUGIN_BOOL,                                                                                \
         .fallback = "false",                                                                                \
         .description = "Speak TLS from the first byte"},                                                    \
    {                                                                                                        \
        .name = "timeout_ms", .type = PLUGIN_INT, .fallback = "5000",                                        \
        .description = "How long to wait, in milliseconds"                                                   \
    }

/* Reads these fields, and says what is wrong with them: then false. */
bool connection_target(plugin_value config, plugin_evidence *evidence, plugin_target *target);

/*
 * Puts what a connection came to. A port that refuses is an answer: `connected` is false. What else went wrong is a
 * failure of the observation. True when there is a connection to say more about.
 */
bool connection_put(const plugin_target *target, const plugin_connection *connection,
                    plugin_evidence *evidence);

#endif
