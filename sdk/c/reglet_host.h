/*
 * reglet_host.h - what the host does for a plugin that was granted it: names, connections, HTTP, mail, commands, files
 * and the environment.
 *
 *     plugin_http_response response = plugin_http_request(&(plugin_http){.url = "https://example.org/"});
 *     if (response.error)
 *         plugin_fail_call(evidence, response.error);
 *     else
 *         plugin_put_int(evidence, "status_code", response.status_code);
 *
 * Each function asks the host once and waits. Members of a request that are 0 or NULL are not sent. Members of a response
 * that the host did not send are 0 or NULL; `json` is all of it. Everything lives as long as the instance.
 *
 * A plugin imports only the functions that it uses, and reaches nothing but what it was granted: what was denied comes
 * back as an error of type "capability" whose message names the grant.
 */
#ifndef REGLET_PLUGIN_HOST_H
#define REGLET_PLUGIN_HOST_H

#include "reglet_plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Failed calls -------------------------------------------------------------------------------------------- */

/* Why the host did not do it. docs/host-functions.md lists types and codes. No string is NULL. */
typedef struct plugin_error {
    const char *type; /* "network", "timeout", "capability", "ssrf_protection", "validation", … */
    const char *code; /* "ECONNREFUSED", "ETIMEDOUT", "ENOTFOUND", "ECERT", … */
    const char *message;
    bool is_timeout;
    bool is_not_found;
    plugin_value json; /* as the host gave it */
} plugin_error;

/* Makes it the failure of the observation, unchanged. */
void plugin_fail_call(plugin_evidence *evidence, const plugin_error *error);

/* ---- Names --------------------------------------------------------------------------------------------------- */

typedef struct plugin_dns {
    const char *hostname;
    const char *type;       /* "A", "AAAA", "CNAME", "MX", "TXT" or "NS" */
    const char *nameserver; /* "host:port"; NULL: the host's own */
    int64_t timeout_ms;     /* 0, here and below: until the deadline of the observation */
} plugin_dns;

typedef struct plugin_dns_response {
    const plugin_error *error; /* NULL, here and below: it worked */
    plugin_value json;
    plugin_value records; /* an array of strings; none, when the name exists without records of that type */
    plugin_value mx_records; /* an array of {"host", "pref"} */
} plugin_dns_response;

plugin_dns_response plugin_dns_lookup(const plugin_dns *request);

/* ---- HTTP ---------------------------------------------------------------------------------------------------- */

typedef struct plugin_header {
    const char *name;
    const char *value;
} plugin_header;

typedef struct plugin_http {
    const char *url;
    const char *method;           /* NULL: "GET" */
    const plugin_header *headers; /* ends with {0}; a name may come more than once */
    const void *body;
    size_t body_size;
    int64_t timeout_ms;
} plugin_http;

typedef struct plugin_http_response {
    const plugin_error *error;
    plugin_value json;
    int64_t status_code;
    plugin_value headers; /* an object of arrays of strings: {"Content-Type": ["text/html"]} */
    const char *body;     /* with a NUL behind it */
    size_t body_size;
    bool body_truncated;
    const char *proto; /* "HTTP/1.1" */
    int64_t latency_ms;
} plugin_http_response;

/* Any status code is a response: only what brought none is an error. */
plugin_http_response plugin_http_request(const plugin_http *request);

/* ---- Connections and mail ------------------------------------------------------------------------------------ */

typedef struct plugin_target {
    const char *host;
    uint16_t port;
    bool tls;
    bool starttls; /* plugin_smtp_connect() only */
    int64_t timeout_ms;
} plugin_target;

typedef struct plugin_connection {
    const plugin_error *error;
    plugin_value json;
    bool connected;
    const char *address; /* host and port as they were asked for */
    const char *remote_address;
    const char *local_address;
    const char *banner; /* plugin_smtp_connect() only: "220 mail.example.org ESMTP" */
    int64_t response_time_ms;
    bool tls;
    const char *tls_version; /* "TLS 1.3" */
    const char *tls_cipher_suite;
    const char *tls_server_name;
    const char *certificate_subject; /* the certificate: plugin_tcp_connect() only */
    const char *certificate_issuer;
    const char *certificate_not_after; /* RFC 3339 */
} plugin_connection;

/* Connects, shakes hands if wanted, and closes again. */
plugin_connection plugin_tcp_connect(const plugin_target *target);
plugin_connection plugin_smtp_connect(const plugin_target *target);

/* Whether an address such as "example.org:443" may be connected to, without doing so. */
typedef struct plugin_ssrf_response {
    const plugin_error *error;
    plugin_value json;
    bool allowed;
    const char *reason;
    const char *resolved_ip;
} plugin_ssrf_response;

plugin_ssrf_response plugin_ssrf_check(const char *address);

/* ---- Commands ------------------------------------------------------------------------------------------------ */

typedef struct plugin_command {
    const char *command;     /* an absolute path, or a bare name; no shell is involved */
    const char *const *args; /* without the command itself; ends with NULL */
    const char *dir;         /* NULL: / */
    const char *const *env;  /* "NAME=value", all that the command sees; ends with NULL */
    int64_t timeout_ms;
} plugin_command;

typedef struct plugin_text {
    const char *bytes; /* UTF-8, with a NUL behind it */
    size_t size;
    bool truncated;
} plugin_text;

typedef struct plugin_command_response {
    const plugin_error *error;
    plugin_value json;
    int64_t exit_code;  /* -1: it ran out of time, or a signal ended it */
    const char *signal; /* "SIGKILL"; NULL: none */
    plugin_text out;
    plugin_text err;
    int64_t duration_ms;
    bool is_timeout;
} plugin_command_response;

/* Any exit code is a response, and so is a timeout. */
plugin_command_response plugin_exec_command(const plugin_command *command);

/* ---- Files and the environment ------------------------------------------------------------------------------- */

/* What libc cannot tell in a sandbox: mode and owner. */
typedef struct plugin_file {
    const plugin_error *error;
    plugin_value json;
    bool exists;
    const char *type; /* "file", "directory", "symlink", … */
    int64_t size;
    const char *mode; /* "0644" */
    int64_t uid;
    int64_t gid;
    const char *owner; /* NULL: the number has no name */
    const char *group;
    const char *mod_time; /* RFC 3339 */
    const char *target;   /* of a symlink */
    bool readable;        /* only plugin_fs_examine() tells */
} plugin_file;

/* Of a link itself, unless `follow`. */
plugin_file plugin_fs_stat(const char *path, bool follow);
/* The same, and whether it is a file or a directory that could be opened for reading. */
plugin_file plugin_fs_examine(const char *path, bool follow);

typedef struct plugin_content {
    const plugin_error *error;
    plugin_value json;
    const char *data; /* with a NUL behind it */
    size_t data_size;
    int64_t size; /* of the file */
    bool truncated;
} plugin_content;

/* From `offset` on, at most `max_bytes` (0: the host's own limit). */
plugin_content plugin_fs_read(const char *path, int64_t offset, int64_t max_bytes);
/* Hands a file over from its beginning, a MiB or less at a time, and keeps nothing of it; ends when `take` returns false. */
const plugin_error *plugin_fs_pass(const char *path,
                                   bool (*take)(void *user_data, const void *bytes, size_t size),
                                   void *user_data);

typedef struct plugin_written {
    const plugin_error *error;
    plugin_value json;
    int64_t written;
} plugin_written;

/* `mode` is "create", "truncate" or "append". */
plugin_written plugin_fs_write(const char *path, const char *mode, const void *data, size_t size);

typedef struct plugin_variable {
    const plugin_error *error;
    plugin_value json;
    const char *value; /* NULL: it is not set */
} plugin_variable;

plugin_variable plugin_env_get(const char *name);

/* ---- Any other function -------------------------------------------------------------------------------------- */

/* A request under way: a JSON object that plugin_put_…() and plugin_begin_…() write to as they do to evidence. */
typedef struct plugin_writer plugin_request;

plugin_request *plugin_request_new(void);

/*
 * Defines plugin_call_NAME(), which sends a request to the function NAME of the host: one of the program that embeds it, or
 * one of those above with members that are not in its structure. The response is an object; when it has an `error`, *error
 * is that, otherwise NULL. A request can be sent once.
 *
 *     PLUGIN_HOST_FUNCTION(kv_get)
 *
 *     plugin_request *request = plugin_request_new();
 *     plugin_put_string(request, "key", "color");
 *     plugin_value response = plugin_call_kv_get(request, &error);
 */
#define PLUGIN_HOST_FUNCTION(name)                                                                           \
    PLUGIN__IMPORT(name)                                                                                     \
    PLUGIN__FUNCTION(name, PLUGIN__ASK)

/* ---- Behind that --------------------------------------------------------------------------------------------- */

const char *plugin__request_bytes(plugin_request *request, size_t *size);
plugin_value plugin__response(plugin_request *request, char *bytes, size_t size, const plugin_error **error);

#define PLUGIN__FUNCTION(name, ask)                                                                          \
    static plugin_value plugin_call_##name(plugin_request *request, const plugin_error **error) {            \
        size_t size_ = 0, answer_size_ = 0;                                                                  \
        const char *bytes_ = plugin__request_bytes(request, &size_);                                         \
        char *answer_ = bytes_ ? ask(name, bytes_, size_, &answer_size_) : NULL;                             \
        return plugin__response(request, answer_, answer_size_, error);                                      \
    }

#if defined PLUGIN_COMPONENT

/* A function of the embedding program is asked by its name: in WIT there is no import for it. */
char *plugin__call(const char *function, const char *request, size_t size, size_t *response_size);
#define PLUGIN__IMPORT(name)
#define PLUGIN__ASK(name, bytes, size, response_size) plugin__call(#name, bytes, size, response_size)

#elif defined __wasm__

/* Called from one function only: the linker drops the import with it when nothing calls that. */
#define PLUGIN__IMPORT(name)                                                                                 \
    __attribute__((import_module("reglet_host"), import_name(#name)))                                        \
    uint64_t plugin__host_##name(uint64_t request);
#define PLUGIN__ASK(name, bytes, size, response_size)                                                        \
    plugin__unpack(plugin__host_##name((uint64_t)(uintptr_t)(bytes) << 32 | (uint32_t)(size)), response_size)

static inline char *plugin__unpack(uint64_t packed, size_t *size) {
    *size = (uint32_t)packed;
    return (char *)(uintptr_t)(packed >> 32);
}

#else

/* For tests that run a plugin as native code: the host, which natively the test is. The test keeps the response. */
char *plugin__ask(const char *function, const char *request, size_t size, size_t *response_size);
#define PLUGIN__IMPORT(name)
#define PLUGIN__ASK(name, bytes, size, response_size) plugin__ask(#name, bytes, size, response_size)

#endif

#ifdef __cplusplus
}
#endif

#endif
