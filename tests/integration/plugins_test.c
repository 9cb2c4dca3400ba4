/* The plugins that come with reglet, against real servers, programs and files: what they answer, when they are denied, and
 * what they say about a config that makes no sense. */
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

static int start_servers(void **state) {
    (void)state;
    events_init(&events);
    servers = servers_start();
    return 0;
}

static int stop_servers(void **state) {
    (void)state;
    servers_stop(servers);
    events_free(&events);
    return 0;
}

#define PORT(name) servers_port(servers, name)

/* --- Observing -------------------------------------------------------------------------------------------- */

static const char *const nothing[] = {NULL};
static const char *const network[] = {"network:outbound:*", "network:outbound:private", NULL};

static reglet_runtime *runtime_with(const char *plugin, const char *const grants[]) {
    reglet_grant given[8];
    char nameserver[32];
    size_t count = 0;
    for (; grants[count]; count++) {
        assert_true(count < sizeof given / sizeof *given);
        given[count] = (reglet_grant){plugin, grants[count]};
    }
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = given;
    options.grant_count = count;
    options.ca_file = servers_path(servers, "ca");
    snprintf(nameserver, sizeof nameserver, "127.0.0.1:%d", PORT("dns"));
    options.nameservers = nameserver;
    options.log = events_collect;
    options.log_user_data = &events;
    return new_runtime(&options);
}

/* Observes with a config in JSON, made as by printf; single quotes become double ones. Returns the result as JSON. */
static char *observe(const char *name, const char *const grants[], const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static char *observe(const char *name, const char *const grants[], const char *format, ...) {
    char *config = NULL;
    va_list arguments;
    va_start(arguments, format);
    assert_true(vasprintf(&config, format, arguments) >= 0);
    va_end(arguments);
    for (char *quote = config; (quote = strchr(quote, '\'')); quote++)
        *quote = '"';
    reglet_runtime *runtime = runtime_with(name, grants);
    reglet_plugin *plugin = load_guest(runtime, name);
    reglet_result *result = observe_json(plugin, config, 20000);
    char *json = strdup(reglet_result_json(result, NULL));
    reglet_result_free(result);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    free(config);
    return json;
}

/* Fails unless a member of the evidence is as expected; those of data are meant when the pointer does not say more. */
static void expect_data(const char *json, const char *key, const char *expected) {
    char pointer[128];
    snprintf(pointer, sizeof pointer, "/evidence/data/%s", key);
    expect_member(json, pointer, expected);
}

static void expect_failure(char *json, const char *type, const char *code, const char *part) {
    expect_member(json, "/evidence/status", "false");
    expect_member(json, "/evidence/error/type", type);
    expect_member(json, "/evidence/error/code", code);
    expect_member_contains(json, "/evidence/error/message", part);
    free(json);
}

/* What each field is told about a value that it cannot take. */
struct complaint {
    const char *field, *value, *message;
};

/* Tries them one by one on a config that is good otherwise: `good` is its members. */
static void expect_complaints(const char *plugin, const char *good, const struct complaint *complaints) {
    for (; complaints->field; complaints++) {
        char pointer[128];
        snprintf(pointer, sizeof pointer, "/evidence/error/details/%s", complaints->field);
        char *json = observe(plugin, nothing, "{%s,'%s':%s}", good, complaints->field, complaints->value);
        expect_member(json, "/evidence/error/code", "INVALID_CONFIG");
        expect_member(json, pointer, complaints->message);
        expect_member(json, "/evidence/data", "{}");
        free(json);
    }
}

/* --- http ------------------------------------------------------------------------------------------------- */

static void http__answer_is_status_headers_and_body(void **state) {
    (void)state;
    char *json = observe("http", network, "{'url':'http://127.0.0.1:%d/hello'}", PORT("http"));
    expect_member(json, "/evidence/status", "true");
    expect_data(json, "status_code", "200");
    expect_data(json, "protocol", "HTTP/1.1");
    expect_data(json, "headers/X-Twice/1", "two");
    expect_data(json, "body_size", "6");
    expect_data(json, "body_preview", "hello\n");
    expect_data(json, "body_sha256", "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
    expect_data(json, "expectation_failed", NULL);
    free(json);
}

static void http__sends_method_headers_and_body_as_configured(void **state) {
    (void)state;
    char *json =
        observe("http", network,
                "{'url':'http://127.0.0.1:%d/echo','method':'post','headers':{'X-One':'1','X-Two':['2','3']},"
                "'body':'hi','body_preview_length':-1}",
                PORT("http"));
    char *echo = json_member(json, "/evidence/data/body_preview");
    assert_non_null(echo);
    expect_member(echo, "/method", "POST");
    expect_member(echo, "/body", "aGk=");
    expect_member_contains(echo, "/headers", "[\"X-One\",\"1\"],[\"X-Two\",\"2\"],[\"X-Two\",\"3\"]");
    free(echo);
    free(json);
}

static void http__unmet_expectation_is_an_observation_that_says_so(void **state) {
    (void)state;
    static const char config[] =
        "{'url':'http://127.0.0.1:%d/status/503','expected_status':%d,'expected_body_contains':'%s'}";
    char *json = observe("http", network, config, PORT("http"), 503, "status 50");
    expect_data(json, "expectation_failed", "false");
    expect_data(json, "expectation_error", NULL);
    free(json);
    json = observe("http", network, config, PORT("http"), 200, "status 50");
    expect_member(json, "/evidence/status", "true");
    expect_data(json, "expectation_failed", "true");
    expect_data(json, "expectation_error", "expected status 200, found 503");
    free(json);
    json = observe("http", network, config, PORT("http"), 200, "elsewhere");
    expect_data(json, "expectation_error",
                "expected status 200, found 503; the body does not contain the expected text");
    free(json);
}

static void http__preview_is_cut_where_it_was_asked_for(void **state) {
    (void)state;
    static const char config[] = "{'url':'http://127.0.0.1:%d/hello','body_preview_length':%d}";
    char *json = observe("http", network, config, PORT("http"), 0);
    expect_data(json, "body_preview", NULL);
    expect_data(json, "body_size", "6");
    free(json);
    json = observe("http", network, config, PORT("http"), 3);
    expect_data(json, "body_preview", "hel");
    free(json);
}

static void http__body_beyond_the_hosts_limit_is_marked(void **state) {
    (void)state;
    char *json = observe("http", network, "{'url':'http://127.0.0.1:%d/big?n=11000000'}", PORT("http"));
    expect_data(json, "body_truncated", "true");
    expect_data(json, "body_size", "10485760");
    free(json);
}

static void http__tls_is_verified_against_the_runtimes_own_authority(void **state) {
    (void)state;
    char *json = observe("http", network, "{'url':'https://localhost:%d/hello'}", PORT("https"));
    expect_data(json, "status_code", "200");
    free(json);
    json = observe("http", network, "{'url':'https://localhost:%d/hello'}", PORT("https_expired"));
    expect_failure(json, "network", "ECERT", "");
}

static void http__refused_connection_answers_nothing(void **state) {
    (void)state;
    char *json = observe("http", network, "{'url':'http://127.0.0.1:%d/'}", PORT("closed"));
    expect_data(json, "status_code", NULL);
    expect_failure(json, "network", "ECONNREFUSED", "");
}

static void http__denial_names_the_grant(void **state) {
    (void)state;
    static const char *const public_only[] = {"network:outbound:*", NULL};
    char grant[64];
    snprintf(grant, sizeof grant, "network:outbound:127.0.0.1:%d", PORT("http"));
    char *json = observe("http", nothing, "{'url':'http://127.0.0.1:%d/hello'}", PORT("http"));
    expect_failure(json, "capability", "EPERM", grant);
    json = observe("http", public_only, "{'url':'http://127.0.0.1:%d/hello'}", PORT("http"));
    expect_failure(json, "ssrf_protection", "ESSRF", "network:outbound:private");
    const char *const that[] = {grant, NULL};
    json = observe("http", that, "{'url':'http://127.0.0.1:%d/hello'}", PORT("http"));
    expect_data(json, "status_code", "200");
    free(json);
}

static void http__each_field_says_what_is_wrong_with_it(void **state) {
    (void)state;
    static const struct complaint complaints[] = {
        {"url", "'ftp://a/'", "must begin with http:// or https://"},
        {"url", "null", "is required"},
        {"method", "'BREW'", "must be one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
        {"headers", "{'A':1}", "must be an object of strings, or of lists of strings"},
        {"headers", "{'A':['b',null]}", "must be an object of strings, or of lists of strings"},
        {"expected_status", "99", "must be 100 to 599"},
        {"expected_status", "'200'", "must be an integer, not a string"},
        {"expected_body_contains", "[]", "must be a string, not an array"},
        {"body_preview_length", "-2", "must be -1 (all), 0 (none) or a number of bytes"},
        {0}};
    expect_complaints("http", "'url':'http://a/'", complaints);
}

/* --- dns -------------------------------------------------------------------------------------------------- */

static void dns__records_of_each_type_are_listed(void **state) {
    (void)state;
    char *json = observe("dns", network, "{'hostname':'dual.example.test','record_type':'aaaa'}");
    expect_member(json, "/evidence/status", "true");
    expect_data(json, "record_type", "AAAA");
    expect_data(json, "records", "[\"::1\"]");
    expect_data(json, "record_count", "1");
    free(json);
    json = observe("dns", network,
                   "{'hostname':'example.test','record_type':'MX','nameserver':'127.0.0.1:%d'}", PORT("dns"));
    expect_data(json, "mx_records/2/pref", "20");
    expect_data(json, "mx_records/2/host", "b.example.test.");
    expect_data(json, "record_count", "4");
    free(json);
}

static void dns__name_that_does_not_exist_is_an_answer_and_silence_is_none(void **state) {
    (void)state;
    char *json = observe("dns", network, "{'hostname':'nobody.example.test'}");
    expect_member(json, "/evidence/status", "true");
    expect_data(json, "is_not_found", "true");
    expect_data(json, "records", "[]");
    free(json);
    json = observe("dns", network, "{'hostname':'nodata.example.test'}");
    expect_data(json, "is_not_found", "false");
    expect_data(json, "record_count", "0");
    free(json);
    json = observe("dns", network, "{'hostname':'servfail.example.test'}");
    expect_data(json, "is_not_found", "false");
    expect_failure(json, "network", "ESERVFAIL", "servfail.example.test");
}

static void dns__denial_names_the_grant(void **state) {
    (void)state;
    char grant[64];
    snprintf(grant, sizeof grant, "network:outbound:127.0.0.1:%d", PORT("dns"));
    char *json =
        observe("dns", nothing, "{'hostname':'example.test','nameserver':'127.0.0.1:%d'}", PORT("dns"));
    expect_failure(json, "capability", "EPERM", grant);
    json = observe("dns", nothing, "{'hostname':'example.test'}");
    expect_failure(json, "capability", "EPERM", "network:outbound:example.test:53");
}

static void dns__each_field_says_what_is_wrong_with_it(void **state) {
    (void)state;
    static const struct complaint complaints[] = {
        {"hostname", "''", "must not be empty"},
        {"hostname", "5", "must be a string, not a number"},
        {"record_type", "'SOA'", "must be one of A, AAAA, CNAME, MX, TXT, NS"},
        {"nameserver", "'9.9.9.9'", "must be host:port, such as 9.9.9.9:53"},
        {"nameserver", "':53'", "must be host:port, such as 9.9.9.9:53"},
        {0}};
    expect_complaints("dns", "'hostname':'a.example'", complaints);
}

/* --- tcp -------------------------------------------------------------------------------------------------- */

static void tcp__open_port_is_connected_and_a_closed_one_is_not(void **state) {
    (void)state;
    char address[32];
    char *json = observe("tcp", network, "{'host':'127.0.0.1','port':%d}", PORT("tcp"));
    snprintf(address, sizeof address, "127.0.0.1:%d", PORT("tcp"));
    expect_member(json, "/evidence/status", "true");
    expect_data(json, "connected", "true");
    expect_data(json, "address", address);
    expect_data(json, "remote_addr", address);
    expect_data(json, "tls", "false");
    free(json);
    json = observe("tcp", network, "{'host':'127.0.0.1','port':'%d'}", PORT("closed"));
    expect_member(json, "/evidence/status", "true");
    expect_data(json, "connected", "false");
    expect_member_contains(json, "/evidence/data/reason", "Connection refused");
    free(json);
}

static void tcp__port_that_says_nothing_is_no_answer(void **state) {
    (void)state;
    char *json = observe("tcp", network, "{'host':'127.0.0.1','port':%d,'timeout_ms':100}", PORT("full"));
    expect_data(json, "connected", "false");
    expect_member(json, "/evidence/error/is_timeout", "true");
    expect_failure(json, "timeout", "ETIMEDOUT", "");
}

static void tcp__certificate_is_described_with_the_days_it_has_left(void **state) {
    (void)state;
    char *json = observe("tcp", network, "{'host':'localhost','port':%d,'tls':true}", PORT("tls_1_2"));
    expect_data(json, "tls", "true");
    expect_data(json, "tls_version", "TLS 1.2");
    expect_data(json, "tls_server_name", "localhost");
    expect_data(json, "tls_cert_issuer", "CN=Test CA,O=Tests\\, Inc.");
    expect_data(json, "tls_cert_days_remaining", "29");
    free(json);
    json = observe("tcp", network, "{'host':'localhost','port':%d,'tls':true}", PORT("tls_expired"));
    expect_failure(json, "network", "ECERT", "expired");
}

static void tcp__expected_version_is_the_oldest_that_is_good_enough(void **state) {
    (void)state;
    static const char config[] =
        "{'host':'localhost','port':%d,'tls':true,'expected_tls_version':'TLS 1.%d'}";
    char *json = observe("tcp", network, config, PORT("tls_1_3"), 2);
    expect_data(json, "expectation_failed", "false");
    free(json);
    json = observe("tcp", network, config, PORT("tls_1_2"), 3);
    expect_member(json, "/evidence/status", "true");
    expect_data(json, "expectation_failed", "true");
    expect_data(json, "expectation_error", "expected TLS 1.3 or newer, found TLS 1.2");
    free(json);
}

static void tcp__denial_names_the_grant(void **state) {
    (void)state;
    char *json = observe("tcp", nothing, "{'host':'localhost','port':22}");
    expect_data(json, "connected", "false");
    expect_failure(json, "capability", "EPERM", "network:outbound:localhost:22");
}

static void tcp__each_field_says_what_is_wrong_with_it(void **state) {
    (void)state;
    static const struct complaint complaints[] = {
        {"host", "''", "must not be empty"},
        {"port", "0", "must be a port, 1 to 65535"},
        {"port", "'http'", "must be a port, 1 to 65535"},
        {"port", "null", "is required"},
        {"tls", "'yes'", "must be true or false, not a string"},
        {"timeout_ms", "0", "must be greater than 0"},
        {"expected_tls_version", "'TLS 1.2'", "needs tls to be true"},
        {"expected_tls_version", "'SSL 3'", "must be \"TLS 1.2\" or \"TLS 1.3\""},
        {0}};
    expect_complaints("tcp", "'host':'a.example','port':443", complaints);
}

/* --- smtp ------------------------------------------------------------------------------------------------- */

static void smtp__greeting_and_tls_are_told(void **state) {
    (void)state;
    char *json = observe("smtp", network, "{'host':'localhost','port':%d}", PORT("smtp"));
    expect_member(json, "/evidence/status", "true");
    expect_data(json, "connected", "true");
    expect_data(json, "tls", "false");
    expect_member_contains(json, "/evidence/data/banner", "220 ");
    free(json);
    json = observe("smtp", network, "{'host':'localhost','port':%d,'starttls':true}", PORT("smtp"));
    expect_data(json, "tls", "true");
    expect_member_contains(json, "/evidence/data/tls_version", "TLS 1.");
    free(json);
    json = observe("smtp", network, "{'host':'localhost','port':%d,'tls':true}", PORT("smtps"));
    expect_data(json, "tls", "true");
    free(json);
}

static void smtp__refused_port_is_an_answer_and_missing_starttls_is_a_failure(void **state) {
    (void)state;
    char *json = observe("smtp", network, "{'host':'127.0.0.1','port':%d}", PORT("closed"));
    expect_member(json, "/evidence/status", "true");
    expect_data(json, "connected", "false");
    free(json);
    json =
        observe("smtp", network, "{'host':'localhost','port':%d,'starttls':true}", PORT("smtp_no_starttls"));
    expect_failure(json, "network", "ESTARTTLS", "does not offer STARTTLS");
}

static void smtp__denial_names_the_grant(void **state) {
    (void)state;
    char *json = observe("smtp", nothing, "{'host':'mail.example','port':'25'}");
    expect_failure(json, "capability", "EPERM", "network:outbound:mail.example:25");
}

static void smtp__each_field_says_what_is_wrong_with_it(void **state) {
    (void)state;
    static const struct complaint complaints[] = {{"host", "''", "must not be empty"},
                                                  {"port", "65536", "must be a port, 1 to 65535"},
                                                  {"timeout_ms", "-1", "must be greater than 0"},
                                                  {"starttls", "true", "cannot be combined with tls"},
                                                  {0}};
    expect_complaints("smtp", "'host':'a.example','port':25,'tls':true", complaints);
}

/* --- command ---------------------------------------------------------------------------------------------- */

static const char *const commands[] = {"exec:/bin/ls", "exec:/bin/sleep", "exec:/bin/sh", NULL};

static void command__output_and_exit_code_are_told(void **state) {
    (void)state;
    char *json =
        observe("command", commands, "{'command':'/bin/sh','args':['-c','echo out; echo err >&2; exit 3']}");
    expect_member(json, "/evidence/status", "true");
    expect_data(json, "exit_code", "3");
    expect_data(json, "stdout", "out\n");
    expect_data(json, "stderr", "err\n");
    expect_data(json, "is_timeout", "false");
    free(json);
    json = observe("command", commands, "{'command':'/bin/sh','args':['-c','pwd'],'dir':'/usr'}");
    expect_data(json, "stdout", "/usr\n");
    free(json);
}

static void command__that_does_not_end_by_itself_is_a_failure_with_what_it_printed(void **state) {
    (void)state;
    char *json = observe("command", commands,
                         "{'command':'/bin/sh','args':['-c','echo early; sleep 60'],'timeout':0.3}");
    expect_data(json, "is_timeout", "true");
    expect_data(json, "exit_code", "-1");
    expect_data(json, "stdout", "early\n");
    expect_failure(json, "timeout", "ETIMEDOUT", "ran out of time");
    json = observe("command", commands, "{'command':'/bin/sh','args':['-c','kill -9 $$']}");
    expect_data(json, "exit_code", "-1");
    expect_failure(json, "exec", "ESIGNAL", "by SIGKILL");
}

static void command__long_output_is_cut_and_marked(void **state) {
    (void)state;
    char *json = observe("command", commands, "{'command':'/bin/sh','args':['-c','yes | head -c 300000']}");
    expect_data(json, "stdout_truncated", "true");
    expect_data(json, "stderr_truncated", "false");
    char *text = json_member(json, "/evidence/data/stdout");
    assert_int_equal(strlen(text), 256 << 10);
    free(text);
    free(json);
}

static void command__denial_names_the_grant(void **state) {
    (void)state;
    char *json = observe("command", commands, "{'command':'/bin/true'}");
    expect_data(json, "exit_code", NULL);
    expect_failure(json, "capability", "EPERM", "exec:/bin/true");
}

static void command__each_field_says_what_is_wrong_with_it(void **state) {
    (void)state;
    static const struct complaint complaints[] = {
        {"command", "''", "must be an absolute path, or a name without /"},
        {"command", "'./run'", "must be an absolute path, or a name without /"},
        {"args", "'-l'", "must be an array, not a string"},
        {"args", "['-l',5]", "must be a list of strings"},
        {"dir", "'here'", "must be an absolute path"},
        {"timeout", "0", "must be greater than 0 and at most 86400 seconds"},
        {"timeout", "'5s'", "must be a number, not a string"},
        {0}};
    expect_complaints("command", "'command':'/bin/ls'", complaints);
}

/* --- file ------------------------------------------------------------------------------------------------- */

static void file__owner_and_permissions_are_told(void **state) {
    (void)state;
    char directory[] = "/tmp/reglet-plugins-XXXXXX", path[64], link_path[64], grant[80], number[24];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/f", directory);
    snprintf(link_path, sizeof link_path, "%s/l", directory);
    snprintf(grant, sizeof grant, "fs:read:%s/**", directory);
    snprintf(number, sizeof number, "%u", (unsigned)getuid());
    const char *const grants[] = {grant, NULL};
    fclose(fopen(path, "w"));
    assert_int_equal(symlink("f", link_path), 0);
    static const struct {
        mode_t mode;
        const char *octal, *text;
    } modes[] = {{0644, "0644", "-rw-r--r--"}, {04751, "4751", "-rwsr-x--x"}, {03000, "3000", "------S--T"}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(chmod(path, modes[i].mode), 0);
        char *json = observe("file", grants, "{'path':'%s'}", i ? link_path : path);
        expect_member(json, "/evidence/status", "true");
        expect_data(json, "mode", modes[i].octal);
        expect_data(json, "permissions", modes[i].text);
        expect_data(json, "uid", number);
        free(json);
    }
    char *json = observe("file", grants, "{'path':'%s'}", directory);
    expect_data(json, "permissions", "drwx------");
    free(json);
    json = observe("file", nothing, "{'path':'%s'}", path);
    expect_failure(json, "capability", "EACCES", path);
    assert_true(unlink(path) == 0 && unlink(link_path) == 0 && rmdir(directory) == 0);
}

/* --- All of them ------------------------------------------------------------------------------------------ */

/* Whether a module has the import reglet_host.NAME: both names follow their lengths. */
static bool imports(const struct bytes *module, const char *name) {
    char entry[64];
    int size = snprintf(entry, sizeof entry, "\x0Breglet_host%c%s", (int)strlen(name), name);
    return memmem(module->data, module->size, entry, (size_t)size) != NULL;
}

static void all__import_the_functions_that_they_use_and_no_other(void **state) {
    (void)state;
    static const char *const functions[] = {
        "dns_lookup",   "env_get",     "exec_command", "exec_run",     "fs_read",    "fs_stat",    "fs_write",
        "http_request", "log_message", "net_connect",  "smtp_connect", "ssrf_check", "tcp_connect"};
    static const char *const plugins[][2] = {{"command", "exec_command"}, {"dns", "dns_lookup"},
                                             {"file", "fs_stat"},         {"http", "http_request"},
                                             {"smtp", "smtp_connect"},    {"tcp", "tcp_connect"}};
    for (size_t i = 0; i < sizeof plugins / sizeof *plugins; i++) {
        struct bytes module = read_guest(plugins[i][0]);
        for (size_t j = 0; j < sizeof functions / sizeof *functions; j++)
            if (imports(&module, functions[j]) != (strcmp(functions[j], plugins[i][1]) == 0))
                fail_msg("%s and %s", plugins[i][0], functions[j]);
        free(module.data);
    }
}

/* --- The example of the docs ------------------------------------------------------------------------------ */

static void docs__example_with_a_function_of_the_host_observes(void **state) {
    (void)state;
    char *json = observe("service_health", network, "{'url':'http://127.0.0.1:%d/echo'}", PORT("http"));
    expect_data(json, "healthy", "true");
    expect_data(json, "version", "HTTP/1.1");
    free(json);
    json = observe("service_health", nothing, "{'url':'https://api.example.com/health'}");
    expect_failure(json, "capability", "EPERM", "network:outbound:api.example.com:443");
}

/* --- Go --------------------------------------------------------------------------------------------------- */

#ifdef REGLET_HAVE_GO
static char *observe_calls(const char *const grants[], const char *directory) {
    return observe(
        "go_calls", grants,
        "{'host':'127.0.0.1','tcp_port':'%d','smtp_port':'%d','url':'http://127.0.0.1:%d/echo','command':"
        "'/bin/echo','hostname':'loopback.example.test','nameserver':'127.0.0.1:%d','directory':'%s',"
        "'variable':'REGLET_TEST_CALLS'}",
        PORT("tcp"), PORT("smtp"), PORT("http"), PORT("dns"), directory);
}

static void go_calls__every_function_answers_as_the_fields_sdk_expects(void **state) {
    (void)state;
    char directory[] = "/tmp/reglet-plugins-XXXXXX", written[64], files[2][80];
    assert_non_null(mkdtemp(directory));
    snprintf(written, sizeof written, "%s/written", directory);
    snprintf(files[0], sizeof files[0], "fs:read:%s/**", directory);
    snprintf(files[1], sizeof files[1], "fs:write:%s/**", directory);
    setenv("REGLET_TEST_CALLS", "value", 1);
    const char *const grants[] = {"network:outbound:*",
                                  "network:outbound:private",
                                  "exec:/bin/echo",
                                  "env:REGLET_TEST_CALLS",
                                  files[0],
                                  files[1],
                                  NULL};
    char *json = observe_calls(grants, directory);
    expect_member(json, "/evidence/status", "true");
    expect_data(json, "dns_lookup/records/0", "127.0.0.1");
    expect_data(json, "http_request/status_code", "200");
    expect_data(json, "http_request/headers/Content-Type/0", "application/json");
    expect_data(json, "tcp_connect/connected", "true");
    expect_member_contains(json, "/evidence/data/smtp_connect/banner", "220 ");
    expect_data(json, "net_connect/data", "ZWNobw==");
    expect_data(json, "ssrf_check/allowed", "true");
    expect_data(json, "exec_command/stdout", "a b c\n");
    expect_data(json, "exec_run/exit_code", "0");
    expect_data(json, "fs_write/written", "7");
    expect_data(json, "fs_read/content", "dGU=");
    expect_data(json, "fs_stat/size", "7");
    expect_data(json, "env_get/value", "value");
    expect_data(json, "getenv", "value");
    free(json);
    assert_true(events_contain(&events, "plugin|go_calls||asked for everything|functions=12"));
    assert_true(unlink(written) == 0 && rmdir(directory) == 0);
}

static void go_calls__every_function_is_denied_without_a_grant(void **state) {
    (void)state;
    static const char *const functions[] = {"dns_lookup",  "http_request", "tcp_connect", "smtp_connect",
                                            "net_connect", "exec_command", "exec_run",    "fs_write",
                                            "fs_read",     "fs_stat",      "env_get"};
    char *json = observe_calls(nothing, "/tmp");
    assert_true(
        events_contain(&events, "denial|go_calls|go-request|permission denied|asked=connect to 127.0.0.1:"));
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        char pointer[96];
        snprintf(pointer, sizeof pointer, "/evidence/data/%s/error/type", functions[i]);
        expect_member(json, pointer, "capability");
    }
    expect_data(json, "ssrf_check/allowed", "false");
    expect_data(json, "getenv", "");
    free(json);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http__answer_is_status_headers_and_body),
        cmocka_unit_test(http__sends_method_headers_and_body_as_configured),
        cmocka_unit_test(http__unmet_expectation_is_an_observation_that_says_so),
        cmocka_unit_test(http__preview_is_cut_where_it_was_asked_for),
        cmocka_unit_test(http__body_beyond_the_hosts_limit_is_marked),
        cmocka_unit_test(http__tls_is_verified_against_the_runtimes_own_authority),
        cmocka_unit_test(http__refused_connection_answers_nothing),
        cmocka_unit_test(http__denial_names_the_grant),
        cmocka_unit_test(http__each_field_says_what_is_wrong_with_it),
        cmocka_unit_test(dns__records_of_each_type_are_listed),
        cmocka_unit_test(dns__name_that_does_not_exist_is_an_answer_and_silence_is_none),
        cmocka_unit_test(dns__denial_names_the_grant),
        cmocka_unit_test(dns__each_field_says_what_is_wrong_with_it),
        cmocka_unit_test(tcp__open_port_is_connected_and_a_closed_one_is_not),
        cmocka_unit_test(tcp__port_that_says_nothing_is_no_answer),
        cmocka_unit_test(tcp__certificate_is_described_with_the_days_it_has_left),
        cmocka_unit_test(tcp__expected_version_is_the_oldest_that_is_good_enough),
        cmocka_unit_test(tcp__denial_names_the_grant),
        cmocka_unit_test(tcp__each_field_says_what_is_wrong_with_it),
        cmocka_unit_test(smtp__greeting_and_tls_are_told),
        cmocka_unit_test(smtp__refused_port_is_an_answer_and_missing_starttls_is_a_failure),
        cmocka_unit_test(smtp__denial_names_the_grant),
        cmocka_unit_test(smtp__each_field_says_what_is_wrong_with_it),
        cmocka_unit_test(command__output_and_exit_code_are_told),
        cmocka_unit_test(command__that_does_not_end_by_itself_is_a_failure_with_what_it_printed),
        cmocka_unit_test(command__long_output_is_cut_and_marked),
        cmocka_unit_test(command__denial_names_the_grant),
        cmocka_unit_test(command__each_field_says_what_is_wrong_with_it),
        cmocka_unit_test(file__owner_and_permissions_are_told),
        cmocka_unit_test(all__import_the_functions_that_they_use_and_no_other),
        cmocka_unit_test(docs__example_with_a_function_of_the_host_observes),
#ifdef REGLET_HAVE_GO
        cmocka_unit_test(go_calls__every_function_answers_as_the_fields_sdk_expects),
        cmocka_unit_test(go_calls__every_function_is_denied_without_a_grant),
#endif
    };
    return cmocka_run_group_tests(tests, start_servers, stop_servers);
}
