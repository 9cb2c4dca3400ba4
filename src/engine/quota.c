#include "engine/quota.h"

#include <stdarg.h>
#include <stdio.h>

/* In words: "fd_write passed max_output_bytes: more than 1024 bytes written to stdout and stderr". */
static const struct {
    reglet_status status;
    const char *option, *what;
} facts[] = {
    [REGLET__QUOTA_OUTPUT_BYTES] = {REGLET_ERR_OUTPUT_LIMIT, "max_output_bytes",
                                    "bytes written to stdout and stderr"},
    [REGLET__QUOTA_LOG_MESSAGES] = {REGLET_ERR_LOG_LIMIT, "max_log_messages", "messages logged"},
    [REGLET__QUOTA_LOG_BYTES] = {REGLET_ERR_LOG_LIMIT, "max_log_bytes", "bytes logged"},
    [REGLET__QUOTA_HOST_CALLS] = {REGLET_ERR_HOST_CALL_LIMIT, "max_host_calls", "calls of host functions"},
    [REGLET__QUOTA_NETWORK_IN_BYTES] = {REGLET_ERR_NETWORK_LIMIT, "max_network_in_bytes",
                                        "bytes received over the network"},
    [REGLET__QUOTA_NETWORK_OUT_BYTES] = {REGLET_ERR_NETWORK_LIMIT, "max_network_out_bytes",
                                         "bytes sent over the network"},
    [REGLET__QUOTA_COMMANDS] = {REGLET_ERR_COMMAND_LIMIT, "max_commands", "commands run"},
    [REGLET__QUOTA_OPEN_FILES] = {REGLET_ERR_FILE_LIMIT, "max_open_files", "files open at once"},
};

uint64_t reglet__quota_left(const struct reglet__quotas *quotas, enum reglet__quota quota) {
    return quotas->limits[quota] - quotas->used[quota];
}

reglet_status reglet__quota_check(struct reglet__quotas *quotas, struct reglet__guest *guest,
                                  enum reglet__quota quota, uint64_t n) {
    if (n <= reglet__quota_left(quotas, quota))
        return REGLET_OK;
    reglet__guest_stop(guest, facts[quota].status, "%s passed %s: more than %llu %s",
                       reglet__guest_imported_name(guest), facts[quota].option,
                       (unsigned long long)quotas->limits[quota], facts[quota].what);
    return facts[quota].status;
}

reglet_status reglet__quota_take(struct reglet__quotas *quotas, struct reglet__guest *guest,
                                 enum reglet__quota quota, uint64_t n) {
    reglet_status status = reglet__quota_check(quotas, guest, quota, n);
    if (status == REGLET_OK)
        quotas->used[quota] += n;
    return status;
}

void reglet__quota_cut(const struct reglet__quotas *quotas, const char *format, ...) {
    char line[256];
    va_list args;
    if (!quotas->cut)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    quotas->cut(quotas->user_data, line);
}
