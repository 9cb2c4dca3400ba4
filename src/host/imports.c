#include "host/functions.h"
#include "host/host.h"
#include "util/cleanup.h"

#define REQUEST(name, function)                                                                              \
    { "reglet_host", name, "I->I", reglet__host_##function, REGLET__REACHES_OUT }

const struct reglet__import reglet__host_imports[] = {
    REQUEST("dns_lookup", dns_lookup),
    REQUEST("env_get", env_get),
    REQUEST("exec_command", exec_command),
    REQUEST("exec_run", exec_command),
    REQUEST("fs_read", fs_read),
    REQUEST("fs_stat", fs_stat),
    REQUEST("fs_write", fs_write),
    REQUEST("http_request", http_request),
    {"reglet_host", "log_message", "I->", reglet__host_log_message, REGLET__STAYS_IN},
    REQUEST("net_connect", net_connect),
    REQUEST("smtp_connect", smtp_connect),
    REQUEST("ssrf_check", ssrf_check),
    REQUEST("tcp_connect", tcp_connect),
    REQUEST(NULL, custom),
};
const size_t reglet__host_import_count = ARRAY_LEN(reglet__host_imports);
