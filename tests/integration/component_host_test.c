/* Every function of the host, called by a component against the real thing: each member of each answer, and each host-error. */
#define _GNU_SOURCE
#include "tests/integration/servers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct servers *servers;
static struct events events;
static char folder[64];
static reglet_runtime *runtimes[3];
static reglet_plugin *plugins[3]; /* with all grants; without any; without private addresses */
enum { GRANTED, DENIED, PUBLIC };

#define PORT(name) servers_port(servers, name)

/* --- Functions of the embedding program --------------------------------------------------------------------- */

static reglet_status ask_key(void *user_data, reglet_host_call *call) {
    (void)user_data;
    return reglet_host_call_ask(call, "read:color");
}

static reglet_status serve(void *user_data, reglet_host_call *call) {
    size_t size = 0;
    const char *request = reglet_host_call_request(call, &size), *answer = user_data;
    if (strcmp(answer, "fail") == 0)
        return reglet_host_call_fail(call, "network", "ECONNRESET", "it broke");
    return answer[0] ? reglet_host_call_respond(call, answer, strlen(answer))
                     : reglet_host_call_respond(call, request, size);
}

static const struct {
    const char *name, *kind, *answer;
} functions[] = {
    {"echo", NULL, ""},
    {"kv_get", "kv", "{\"value\":\"red\"}"},
    {"failing", NULL, "fail"},
    {"odd_error", NULL, "{\"error\":\"a text\"}"},
    {"short_error", NULL, "{\"error\":{\"message\":\"only this\"}}"},
    {"array", NULL, "[1,2]"},
};

enum { FUNCTIONS = sizeof functions / sizeof *functions };

/* --- The runtimes ---------------------------------------------------------------------------------------------- */

static void make(int which, const char *const capabilities[]) {
    static const char name[] = "calls";
    char texts[16][128], nameserver[32];
    reglet_grant grants[16];
    reglet_host_function served[FUNCTIONS];
    size_t count = 0;
    for (; capabilities[count]; count++) {
        const char *at = strchr(capabilities[count], '@');
        snprintf(texts[count], sizeof texts[0], "%.*s%s%s", at ? (int)(at - capabilities[count]) : 100,
                 capabilities[count], at ? folder : "", at ? at + 1 : "");
        grants[count] = (reglet_grant){name, texts[count]};
    }
    for (size_t i = 0; i < FUNCTIONS; i++) {
        served[i] = (reglet_host_function)REGLET_HOST_FUNCTION_INIT;
        served[i].name = functions[i].name;
        served[i].kind = functions[i].kind;
        served[i].ask = functions[i].kind ? ask_key : NULL;
        served[i].serve = serve;
        served[i].user_data = (void *)(uintptr_t)functions[i].answer;
    }
    snprintf(nameserver, sizeof nameserver, "127.0.0.1:%d", PORT("dns"));
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = grants;
    options.grant_count = count;
    options.ca_file = servers_path(servers, "ca");
    options.nameservers = nameserver;
    options.host_functions = served;
    options.host_function_count = FUNCTIONS;
    options.log = events_collect;
    options.log_user_data = &events;
    runtimes[which] = new_runtime(&options);
    reglet_error *error = NULL;
    reglet_status status = reglet_runtime_load_plugin_file(
        runtimes[which], name, guest_path("calls.component"), NULL, &plugins[which], &error);
    expect_status(status, REGLET_OK, error, name);
}

static const char *in_folder(const char *name) {
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int set_up(void **state) {
    (void)state;
    static const char *const all[] = {
        "fs:read:@/**",       "fs:write:@/out*",          "env:REGLET_*",    "exec:/bin/echo",
        "exec:/bin/sh",       "exec:/bin/sleep",          "exec:/nowhere/x", "exec:seq",
        "network:outbound:*", "network:outbound:private", "kv:read:*",       NULL};
    static const char *const none[] = {NULL}, *const outside[] = {"network:outbound:*", NULL};
    strcpy(folder, "/tmp/reglet-calls-XXXXXX");
    assert_non_null(mkdtemp(folder));
    FILE *file = fopen(in_folder("file"), "we");
    assert_non_null(file);
    fwrite("\0\xff"
           "23456789",
           1, 10, file);
    fclose(file);
    assert_int_equal(chmod(in_folder("file"), 0640), 0);
    assert_int_equal(symlink("file", in_folder("link")), 0);
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    assert_int_equal(mkdir(in_folder("folder"), 0755), 0);
    setenv("REGLET_CALLS", "a \xe2\x82\xac", 1);
    unsetenv("REGLET_NOBODY");
    events_init(&events);
    servers = servers_start();
    make(GRANTED, all);
    make(DENIED, none);
    make(PUBLIC, outside);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        reglet_plugin_unref(plugins[i]);
        reglet_runtime_free(runtimes[i]);
    }
    servers_stop(servers);
    events_free(&events);
    static const char *const names[] = {"file", "link", "fifo", "folder", "out", "out2", "large"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove(in_folder(names[i]));
    rmdir(folder);
    return 0;
}

/* --- Calling ------------------------------------------------------------------------------------------------------ */

/* Calls with a config made as by printf: "@" is the folder, single quotes are double ones. What came back, to be freed. */
static char *call(int which, const char *format, ...) __attribute__((format(printf, 2, 3)));
static char *call(int which, const char *format, ...) {
    char *given = NULL, *config = NULL;
    size_t size = 0;
    va_list arguments;
    va_start(arguments, format);
    assert_true(vasprintf(&given, format, arguments) >= 0);
    va_end(arguments);
    FILE *stream = open_memstream(&config, &size);
    for (const char *at = given; *at; at++)
        if (*at == '@')
            fputs(folder, stream);
        else
            fputc(*at == '\'' ? '"' : *at, stream);
    fclose(stream);
    reglet_result *result = observe_json(plugins[which], config, 30000);
    char *data = json_member(reglet_result_json(result, NULL), "/evidence/data");
    if (!data)
        fail_msg("%s: %s", config, reglet_result_json(result, NULL));
    reglet_result_free(result);
    free(given);
    free(config);
    return data;
}

/* Pairs of a member and its text, up to a NULL: NULL as a text is that it is not there, "*" that it is. Frees. */
static void expect(char *json, ...) __attribute__((sentinel));
static void expect(char *json, ...) {
    va_list arguments;
    va_start(arguments, json);
    for (const char *name = va_arg(arguments, const char *); name; name = va_arg(arguments, const char *)) {
        const char *text = va_arg(arguments, const char *);
        char pointer[128];
        snprintf(pointer, sizeof pointer, "/%s", name);
        if (text && strcmp(text, "*") == 0)
            expect_member_contains(json, pointer, "");
        else
            expect_member(json, pointer, text);
    }
    va_end(arguments);
    free(json);
}

#define NONE ((const char *)NULL) /* the member is not there */
#define END  ((const char *)NULL)

/* --- Files -------------------------------------------------------------------------------------------------------- */

static void fs_read__content_size_and_truncated(void **state) {
    (void)state;
    expect(call(GRANTED, "{'function':'fs-read','path':'@/file'}"), "content", "00ff3233343536373839",
           "bytes", "10", "size", "10", "truncated", "false", "error", NONE, END);
    expect(call(GRANTED, "{'function':'fs-read','path':'@/file','offset':1,'max-bytes':3}"), "content",
           "ff3233", "size", "10", "truncated", "true", END);
    expect(call(GRANTED, "{'function':'fs-read','path':'@/file','offset':10}"), "bytes", "0", "size", "10",
           "truncated", "false", END);
    expect(call(GRANTED, "{'function':'fs-read','path':'@/file','offset':9,'max-bytes':1}"), "content", "39",
           "truncated", "false", END);
    FILE *file = fopen(in_folder("large"), "we");
    for (int i = 0; i < (10 << 20) + 1; i++)
        fputc(1, file);
    fclose(file);
    expect(call(GRANTED, "{'function':'fs-read','path':'@/large'}"), "bytes", "10485760", "sum", "10485760",
           "size", "10485761", "truncated", "true", END);
}

static void fs_read__errors(void **state) {
    (void)state;
    char missing[128];
    snprintf(missing, sizeof missing, "fs:read:%s/file", folder);
    expect(call(DENIED, "{'function':'fs-read','path':'@/file'}"), "error", "denied", "kind", "capability",
           "code", "EACCES", "message", "*", "missing", missing, END);
    snprintf(missing, sizeof missing, "fs:read:%s/a\\*\\[b\\]\\{c\\}\\?\\\\", folder);
    expect(call(DENIED, "{'function':'fs-read','path':'@/a*[b]{c}?\\\\'}"), "error", "denied", "missing",
           missing, END);
    expect(call(GRANTED, "{'function':'fs-read','path':'@/nothing'}"), "error", "not-found", "kind",
           "execution", "code", "ENOENT", "message", "*", "missing", NONE, END);
    expect(call(GRANTED, "{'function':'fs-read','path':'@/folder'}"), "error", "internal", "kind",
           "execution", "code", "EISDIR", END);
    expect(call(GRANTED, "{'function':'fs-read','path':'@/file','max-bytes':0}"), "error", "invalid", "kind",
           "validation", "code", "EINVAL", END);
    expect(call(GRANTED, "{'function':'fs-read','path':''}"), "error", "invalid", END);
    expect(call(GRANTED, "{'function':'fs-read','path':'@/file','offset':18446744073709551615}"), "error",
           "invalid", END);
}

static void fs_write__modes_and_errors(void **state) {
    (void)state;
    char missing[128];
    snprintf(missing, sizeof missing, "fs:write:%s/file", folder);
    expect(call(GRANTED, "{'function':'fs-write','path':'@/out','content':'\\u20ac','mode':'create'}"),
           "written", "3", "error", NONE, END);
    expect(call(GRANTED, "{'function':'fs-write','path':'@/out','content':'x','mode':'create'}"), "error",
           "internal", "code", "EEXIST", END);
    expect(call(GRANTED, "{'function':'fs-write','path':'@/out','content':'ab','mode':'append'}"), "written",
           "2", END);
    expect(call(GRANTED, "{'function':'fs-read','path':'@/out'}"), "content", "e282ac6162", END);
    expect(call(GRANTED, "{'function':'fs-write','path':'@/out','content':'','mode':'truncate'}"), "written",
           "0", END);
    expect(call(GRANTED, "{'function':'fs-stat','path':'@/out'}"), "size", "0", END);
    expect(call(GRANTED, "{'function':'fs-write','path':'@/file','content':'x','mode':'append'}"), "error",
           "denied", "kind", "capability", "code", "EACCES", "missing", missing, END);
}

static void fs_stat__each_kind_of_file(void **state) {
    (void)state;
    char uid[16], missing[128];
    snprintf(uid, sizeof uid, "%u", getuid());
    expect(call(GRANTED, "{'function':'fs-stat','path':'@/file','readable':true}"), "exists", "true", "type",
           "file", "size", "10", "mode", "416", "uid", uid, "gid", "*", "owner", getuid() == 0 ? "root" : "*",
           "group", "*", "mod-time", "*", "target", NONE, "readable", "true", END);
    expect(call(GRANTED, "{'function':'fs-stat','path':'@/file'}"), "readable", NONE, END);
    expect(call(GRANTED, "{'function':'fs-stat','path':'@/link'}"), "type", "symlink", "target", "file", END);
    expect(call(GRANTED, "{'function':'fs-stat','path':'@/link','follow':true}"), "type", "file", "target",
           NONE, "size", "10", END);
    expect(call(GRANTED, "{'function':'fs-stat','path':'@/fifo','readable':true}"), "type", "fifo", "mode",
           "384", "readable", "false", END);
    expect(call(GRANTED, "{'function':'fs-stat','path':'@/folder'}"), "type", "directory", "mode", "493",
           END);
    expect(call(GRANTED, "{'function':'fs-stat','path':'@/nothing'}"), "exists", "false", "type", NONE, END);
    snprintf(missing, sizeof missing, "fs:read:%s/file", folder);
    expect(call(DENIED, "{'function':'fs-stat','path':'@/file'}"), "error", "denied", "missing", missing,
           END);
}

/* --- Environment and commands -------------------------------------------------------------------------------------- */

static void env_get__set_unset_and_denied(void **state) {
    (void)state;
    expect(call(GRANTED, "{'function':'env-get','name':'REGLET_CALLS'}"), "set", "true", "value",
           "a \xe2\x82\xac", END);
    expect(call(GRANTED, "{'function':'env-get','name':'REGLET_NOBODY'}"), "set", "false", "value", NONE,
           "error", NONE, END);
    expect(
        call(DENIED, "{'function':'env-get','name':'HOME'}"), "error", "denied", "kind", "capability", "code",
        "EPERM", "missing", "env:HOME", "message",
        "permission denied: read the environment variable HOME: no grant covers it; a grant that would allow it: env:HOME",
        END);
    expect(call(GRANTED, "{'function':'env-get','name':'a=b'}"), "error", "invalid", "kind", "validation",
           END);
}

static void exec_run__each_member(void **state) {
    (void)state;
    expect(call(GRANTED, "{'function':'exec-run','command':'/bin/echo','args':'a\\nb c'}"), "stdout",
           "a b c\n", "stderr", "", "stdout-truncated", "false", "stderr-truncated", "false", "exit-code",
           "0", "signal", NONE, "duration-ms", "*", "is-timeout", "false", END);
    expect(call(GRANTED,
                "{'function':'exec-run','command':'/bin/sh','args':'-c\\npwd; echo $A $B >&2; exit 7',"
                "'dir':'@/folder','env':'A=1\\nB=x=y'}"),
           "stdout", in_folder("folder\n"), "stderr", "1 x=y\n", "exit-code", "7", END);
    expect(call(GRANTED, "{'function':'exec-run','command':'/bin/sh','args':'-c\\nkill -9 $$'}"), "exit-code",
           "-1", "signal", "SIGKILL", END);
    expect(call(GRANTED, "{'function':'exec-run','command':'/bin/sleep','args':'60','timeout-ms':100}"),
           "exit-code", "-1", "is-timeout", "true", END);
    expect(call(GRANTED, "{'function':'exec-run','command':'seq','args':'2000000'}"), "stdout-bytes",
           "10485760", "stdout-truncated", "true", "stderr-truncated", "false", END);
}

static void exec_run__errors(void **state) {
    (void)state;
    expect(call(DENIED, "{'function':'exec-run','command':'/bin/echo'}"), "error", "denied", "kind",
           "capability", "code", "EPERM", "missing", "exec:/bin/echo", END);
    expect(call(GRANTED, "{'function':'exec-run','command':'/nowhere/x'}"), "error", "not-found", "kind",
           "exec", "code", "ENOENT", END);
    expect(call(GRANTED, "{'function':'exec-run','command':'/bin/echo','dir':'@/nothing'}"), "error",
           "not-found", END);
    expect(call(GRANTED, "{'function':'exec-run','command':'/bin/echo','dir':'relative'}"), "error",
           "invalid", END);
    expect(call(GRANTED, "{'function':'exec-run','command':''}"), "error", "denied", "missing", NONE, END);
}

/* --- Network ------------------------------------------------------------------------------------------------------- */

static void dns_lookup__each_type(void **state) {
    (void)state;
    expect(call(GRANTED, "{'function':'dns-lookup','hostname':'dual.example.test','type':'a'}"), "records",
           "[\"127.0.0.1\"]", "mx-records", "0", END);
    expect(call(GRANTED, "{'function':'dns-lookup','hostname':'dual.example.test','type':'aaaa'}"), "records",
           "[\"::1\"]", END);
    expect(call(GRANTED, "{'function':'dns-lookup','hostname':'alias.example.test','type':'cname'}"),
           "records/0", "*", END);
    expect(call(GRANTED,
                "{'function':'dns-lookup','hostname':'example.test','type':'mx','nameserver':'127.0.0.1:%d'}",
                PORT("dns")),
           "mx-records", "4", "host", "*", "preference", "*", END);
    expect(call(GRANTED, "{'function':'dns-lookup','hostname':'example.test','type':'txt'}"), "records/0",
           "*", END);
    expect(call(GRANTED, "{'function':'dns-lookup','hostname':'example.test','type':'ns'}"), "records/0", "*",
           END);
    expect(call(GRANTED, "{'function':'dns-lookup','hostname':'nodata.example.test','type':'a'}"), "records",
           "[]", END);
    expect(call(GRANTED, "{'function':'dns-lookup','hostname':'nobody.example.test','type':'a'}"), "error",
           "not-found", "kind", "network", "code", "ENOTFOUND", END);
    expect(call(GRANTED, "{'function':'dns-lookup','hostname':'servfail.example.test','type':'a'}"), "error",
           "network", "code", "ESERVFAIL", END);
    expect(call(GRANTED,
                "{'function':'dns-lookup','hostname':'silent.example.test','type':'a','timeout-ms':100}"),
           "error", "timeout", "code", "ETIMEDOUT", END);
    expect(call(GRANTED, "{'function':'dns-lookup','hostname':'','type':'a'}"), "error", "invalid", END);
    expect(call(DENIED, "{'function':'dns-lookup','hostname':'example.test','type':'a'}"), "error", "denied",
           "missing", "network:outbound:example.test:53", END);
}

static void http_request__each_member(void **state) {
    (void)state;
    int port = PORT("http");
    char *json = call(GRANTED, "{'function':'http-request','url':'http://127.0.0.1:%d/hello'}", port);
    expect_member_contains(json, "/headers", "\"X-Twice: one\",\"X-Twice: two\"");
    expect(json, "status-code", "200", "body", "68656c6c6f0a", "body-truncated", "false", "proto", "HTTP/1.1",
           "latency-ms", "*", END);
    json = call(
        GRANTED,
        "{'function':'http-request','url':'http://127.0.0.1:%d/echo?q=1','method':'PUT','headers':'X-A=1\\nX-B=2\\n"
        "X-A=3','body':'hi','show':'body'}",
        port);
    char *echo = json_member(json, "/text");
    expect_member(echo, "/method", "PUT");
    expect_member(echo, "/body", "aGk=");
    expect_member_contains(echo, "/headers", "[\"X-A\",\"1\"],[\"X-A\",\"3\"],[\"X-B\",\"2\"]");
    free(echo);
    free(json);
    expect(call(GRANTED, "{'function':'http-request','url':'http://127.0.0.1:%d/redirect?to=/hello'}", port),
           "status-code", "200", END);
    expect(
        call(
            GRANTED,
            "{'function':'http-request','url':'http://127.0.0.1:%d/redirect?to=/hello','follow-redirects':false}",
            port),
        "status-code", "302", END);
    expect(call(GRANTED,
                "{'function':'http-request','url':'http://127.0.0.1:%d/redirect-loop?n=3','max-redirects':2}",
                port),
           "error", "network", "code", "EREDIRECT", END);
    expect(call(GRANTED, "{'function':'http-request','url':'http://127.0.0.1:%d/gzip?n=1000'}", port),
           "bytes", "1000", END);
    expect(call(GRANTED, "{'function':'http-request','url':'http://127.0.0.1:%d/big?n=11000000'}", port),
           "bytes", "10485760", "body-truncated", "true", END);
    expect(call(GRANTED, "{'function':'http-request','url':'https://localhost:%d/hello'}", PORT("https")),
           "status-code", "200", END);
}

static void http_request__errors(void **state) {
    (void)state;
    int port = PORT("http");
    char missing[64];
    snprintf(missing, sizeof missing, "network:outbound:127.0.0.1:%d", port);
    expect(call(DENIED, "{'function':'http-request','url':'http://127.0.0.1:%d/hello'}", port), "error",
           "denied", "kind", "capability", "code", "EPERM", "missing", missing, END);
    expect(call(PUBLIC, "{'function':'http-request','url':'http://127.0.0.1:%d/hello'}", port), "error",
           "denied", "kind", "ssrf_protection", "code", "ESSRF", "missing", "network:outbound:private", END);
    expect(call(GRANTED,
                "{'function':'http-request','url':'http://127.0.0.1:%d/slow?ms=5000','timeout-ms':100}",
                port),
           "error", "timeout", "code", "ETIMEDOUT", END);
    expect(call(GRANTED, "{'function':'http-request','url':'http://127.0.0.1:%d/'}", PORT("closed")), "error",
           "network", "code", "ECONNREFUSED", END);
    expect(call(GRANTED, "{'function':'http-request','url':'http://nobody.example.test/'}"), "error",
           "not-found", "code", "ENOTFOUND", END);
    expect(call(GRANTED, "{'function':'http-request','url':'ftp://a/'}"), "error", "invalid", "kind",
           "validation", END);
    expect(
        call(GRANTED, "{'function':'http-request','url':'http://127.0.0.1:%d/huge-header?n=2000000'}", port),
        "error", "limit", "code", "EMSGSIZE", END);
    expect(call(GRANTED, "{'function':'http-request','url':'https://localhost:%d/hello'}",
                PORT("https_expired")),
           "error", "network", "code", "ECERT", END);
}

static void connections__each_member(void **state) {
    (void)state;
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%d", PORT("tcp"));
    expect(call(GRANTED, "{'function':'tcp-connect','host':'127.0.0.1','port':%d}", PORT("tcp")), "address",
           address, "remote-addr", address, "local-addr", "*", "response-time-ms", "*", "tls", "false",
           "version", NONE, END);
    expect(
        call(GRANTED, "{'function':'tcp-connect','host':'localhost','port':%d,'tls':true}", PORT("tls_1_3")),
        "tls", "true", "version", "TLS 1.3", "cipher-suite", "*", "server-name", "localhost", "cert-subject",
        "CN=localhost,O=Tests\\, Inc.", "cert-issuer", "CN=Test CA,O=Tests\\, Inc.", "cert-not-after", "*",
        END);
    expect(call(GRANTED, "{'function':'tcp-connect','host':'127.0.0.1','port':%d,'timeout-ms':100}",
                PORT("full")),
           "error", "timeout", END);
    expect(call(GRANTED, "{'function':'tcp-connect','host':'127.0.0.1','port':%d}", PORT("closed")), "error",
           "network", "code", "ECONNREFUSED", END);
    expect(call(GRANTED, "{'function':'net-connect','host':'127.0.0.1','port':%d}", PORT("tcp_greets")),
           "data", "68656c6c6f0a", "bytes", "6", "end", "closed", "tls", "false", END);
    expect(call(GRANTED,
                "{'function':'net-connect','host':'127.0.0.1','port':%d,'data':'abcdef','max-bytes':3}",
                PORT("tcp")),
           "data", "616263", "end", "max-bytes", END);
    expect(call(GRANTED,
                "{'function':'net-connect','host':'127.0.0.1','port':%d,'data':'ab','timeout-ms':200}",
                PORT("tcp")),
           "data", "6162", "end", "deadline", END);
    expect(call(GRANTED, "{'function':'net-connect','host':'localhost','port':%d,'tls':true}",
                PORT("tls_greets")),
           "data", "68656c6c6f0a", "end", "closed", "tls", "true", "version", "*", END);
    expect(call(DENIED, "{'function':'net-connect','host':'a.example','port':1}"), "error", "denied",
           "missing", "network:outbound:a.example:1", END);
}

static void smtp_connect__each_security(void **state) {
    (void)state;
    expect(call(GRANTED, "{'function':'smtp-connect','host':'localhost','port':%d,'security':'plain'}",
                PORT("smtp")),
           "banner", "220 mail.example.test ESMTP tests", "tls", "false", "address", "*", END);
    expect(call(GRANTED, "{'function':'smtp-connect','host':'localhost','port':%d,'security':'starttls'}",
                PORT("smtp")),
           "banner", "220 mail.example.test ESMTP tests", "tls", "true", "version", "*", "server-name",
           "localhost", END);
    expect(call(GRANTED, "{'function':'smtp-connect','host':'localhost','port':%d,'security':'tls'}",
                PORT("smtps")),
           "tls", "true", "banner", "*", END);
    expect(call(GRANTED, "{'function':'smtp-connect','host':'localhost','port':%d,'security':'starttls'}",
                PORT("smtp_no_starttls")),
           "error", "network", "code", "ESTARTTLS", END);
    expect(call(GRANTED, "{'function':'smtp-connect','host':'localhost','port':%d,'timeout-ms':100}",
                PORT("smtp_silent")),
           "error", "timeout", END);
}

/* --- The embedding program's, and the log ---------------------------------------------------------------------------- */

static void call__reaches_the_embedder_under_its_grants_and_nobody_else(void **state) {
    (void)state;
    /* The library's own are under other names: by these they would be asked without the types, or twice. */
    static const char *const others[] = {"env_get",    "fs_read",      "fs_write",     "fs_stat",
                                         "exec_run",   "exec_command", "http_request", "log_message",
                                         "dns_lookup", "tcp_connect",  "net_connect",  "smtp_connect",
                                         "ssrf_check", "env-get",      "nobody",       "",
                                         "echo%x",     "ECHO"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        expect(call(GRANTED, "{'function':'call','name':'%s','request':'{\\'name\\':\\'REGLET_CALLS\\'}'}",
                    others[i]),
               "error", "not-found", "code", "ENOSYS", "response", NONE, END);
}

static char *embedded(int which, const char *name) {
    return call(which, "{'function':'call','name':'%s','request':'{}'}", name);
}

static void call__answers_and_errors_of_the_embedder(void **state) {
    (void)state;
    expect(embedded(GRANTED, "kv_get"), "response/value", "red", END);
    expect(embedded(DENIED, "kv_get"), "error", "denied", "kind", "capability", "missing", "kv:read:color",
           END);
    expect(embedded(GRANTED, "failing"), "error", "network", "kind", "network", "code", "ECONNRESET",
           "message", "it broke", END);
    expect(embedded(GRANTED, "odd_error"), "response/error", "a text", END);
    expect(embedded(GRANTED, "short_error"), "error", "internal", "kind", "", "message", "only this", END);
    expect(embedded(GRANTED, "array"), "response", "[1,2]", END);
    expect(call(GRANTED,
                "{\"function\":\"call\",\"name\":\"echo\",\"request\":\"{\\\"a\\\":[1,\\\"\\u20ac\\\"]}\"}"),
           "response/a/1", "\xe2\x82\xac", END);
    expect(call(GRANTED, "{'function':'call','name':'echo','request':'no JSON'}"), "error", "invalid", "code",
           "EINVAL", END);
    expect(call(GRANTED, "{'function':'call','name':'echo','request':'[]'}"), "error", "invalid", END);
    expect(
        call(
            GRANTED,
            "{\"function\":\"call\",\"name\":\"echo\",\"request\":\"{\\\"context\\\":{\\\"canceled\\\":true}}\"}"),
        "error", "cancelled", "code", NONE, END);
}

static void log__levels_and_attributes(void **state) {
    (void)state;
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    for (size_t i = 0; i < 4; i++)
        free(call(DENIED,
                  "{'function':'log','level':'%s','message':'said at %s','attributes':'a=1\\nb=\\u20ac'}",
                  levels[i], levels[i]));
    assert_true(events_contain(&events, "plugin|calls||said at debug|a=1 b=\xe2\x82\xac"));
    assert_true(events_contain(&events, "plugin|calls||said at error|a=1 b=\xe2\x82\xac"));
}

static void describe_and_schema__each_member(void **state) {
    (void)state;
    const reglet_description *description = NULL;
    const reglet_schema *schema = NULL;
    assert_int_equal(reglet_plugin_describe(plugins[DENIED], NULL, &description, NULL), REGLET_OK);
    assert_string_equal(
        reglet_description_json(description),
        "{\"name\":\"calls\",\"version\":\"1.2.3\",\"description\":\"Calls the host: "
        "\xc3\xa9\xe2\x82\xac\",\"capabilities\":[{\"kind\":\"fs\",\"pattern\":\"read:**\"},{\"kind\":"
        "\"network\",\"pattern\":\"outbound:*\"},{\"kind\":\"no such\",\"pattern\":\"\\u001b[2J, "
        "\\\"quoted\\\"\"}]}");
    assert_int_equal(reglet_plugin_schema(plugins[DENIED], NULL, &schema, NULL), REGLET_OK);
    assert_int_equal(schema->field_count, 2);
    assert_string_equal(schema->fields[0].name, "function");
    assert_string_equal(schema->fields[0].type, "string");
    assert_string_equal(schema->fields[0].description, "Which");
    assert_true(schema->fields[0].required);
    assert_string_equal(schema->fields[1].type, "integer");
    assert_false(schema->fields[1].required);
    reglet_description_free(description);
    reglet_schema_free(schema);
    /* An error in place of evidence. */
    expect_evidence(
        observe_json(plugins[DENIED], "{\"function\":\"none\"}", 0),
        "{\"status\":false,\"error\":{\"message\":\"no such function\",\"type\":\"\",\"code\":\"ENOSYS\"}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fs_read__content_size_and_truncated),
        cmocka_unit_test(fs_read__errors),
        cmocka_unit_test(fs_write__modes_and_errors),
        cmocka_unit_test(fs_stat__each_kind_of_file),
        cmocka_unit_test(env_get__set_unset_and_denied),
        cmocka_unit_test(exec_run__each_member),
        cmocka_unit_test(exec_run__errors),
        cmocka_unit_test(dns_lookup__each_type),
        cmocka_unit_test(http_request__each_member),
        cmocka_unit_test(http_request__errors),
        cmocka_unit_test(connections__each_member),
        cmocka_unit_test(smtp_connect__each_security),
        cmocka_unit_test(call__reaches_the_embedder_under_its_grants_and_nobody_else),
        cmocka_unit_test(call__answers_and_errors_of_the_embedder),
        cmocka_unit_test(log__levels_and_attributes),
        cmocka_unit_test(describe_and_schema__each_member),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
