/*
 * reglet/audit.h - what plugins asked for, and what they got: one record for every decision.
 */
#ifndef REGLET_AUDIT_H
#define REGLET_AUDIT_H

#include <reglet/error.h>

REGLET_BEGIN_DECLS

/**
 * One decision. All pointers are valid during the callback only. Texts are UTF-8, NUL-terminated, redacted, and without
 * control characters other than tab. What does not apply is NULL or 0.
 */
typedef struct reglet_audit_record {
    size_t struct_size;     /**< size of the structure that the library filled in */
    int64_t time_ns;        /**< when it was decided, in nanoseconds since 1970 (UTC) */
    const char *plugin;     /**< the plugin's name */
    const char *request_id; /**< the call's request id, or the request's own */
    uint64_t call;   /**< the call: numbered from 1 in this process, one number for each instance that ran */
    uint64_t number; /**< the decision: numbered from 1 within its call */
    const char *function; /**< what the plugin called: "path_open", "tcp_connect", … */
    const char
        *kind; /**< "fs:read", "fs:write", "fs:look", "network:outbound", "env", "exec", "kv:read", … */
    const char *asked;   /**< the path, host and port, URL, name or command */
    bool allowed;        /**< the decision */
    const char *rule;    /**< allowed: the capability that decided, as it was granted */
    const char *reason;  /**< denied: why */
    const char *grant;   /**< denied: the narrowest capability that would have allowed it; NULL: none would */
    int64_t duration_ns; /**< how long serving the request took, in nanoseconds */
    uint64_t
        bytes_in; /**< bytes that the plugin received by it: of a file, a connection, a command's output */
    uint64_t bytes_out; /**< bytes that the plugin sent by it */
    bool observing;     /**< an observation asked; else the plugin was asked about itself, or a command ran */
} reglet_audit_record;

/**
 * Receives records. Called on the thread that makes the call, by several threads at once when several calls run at once;
 * what is true for reglet_log_fn is true here. A record of a file comes when the plugin closes the file or the call ends,
 * because only then it is known how much was read; every other one when the request was served.
 */
typedef void (*reglet_audit_fn)(void *user_data, const reglet_audit_record *record);

/**
 * A record as one JSON object on one line, without a line break: what `reglet --audit` writes.
 *
 * @param out       receives the text and a NUL that is not counted, to be freed with reglet_free(); untouched on failure
 * @param out_size  receives its number of bytes; may be NULL
 * @return REGLET_OK; REGLET_ERR_INVALID_ARGUMENT; REGLET_ERR_NO_MEMORY
 *
 * Any thread.
 */
REGLET_API reglet_status reglet_audit_record_json(const reglet_audit_record *record, char **out,
                                                  size_t *out_size, reglet_error **err);

REGLET_END_DECLS

#endif
