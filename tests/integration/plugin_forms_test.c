/* The plugins that come with reglet are built as modules and as components: whatever they are asked, both answer the same. */
#define _GNU_SOURCE
#include "tests/integration/servers.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct servers *servers;
static char folder[64];
static int64_t timeout_ms = 20000;

#define PORT(name) servers_port(servers, name)

static const char *in_folder(const char *name) {
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *text, size_t size, mode_t mode) {
    FILE *file = fopen(in_folder(name), "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    fclose(file);
    assert_int_equal(chmod(in_folder(name), mode), 0);
}

static int set_up(void **state) {
    (void)state;
    enum { LARGE = 3 << 20 };
    strcpy(folder, "/tmp/reglet-twins-XXXXXX");
    assert_non_null(mkdtemp(folder));
    put("text", "a text\n", 7, 0640);
    put("empty", "", 0, 0600);
    put("binary",
        "\0\xff\xfe"
        "abc",
        6, 0644);
    put("odd *[name]", "x", 1, 0644);
    char *large = malloc(LARGE);
    assert_non_null(large);
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char)('a' + i % 26);
    put("large", large, LARGE, 0644);
    free(large);
    assert_int_equal(symlink("text", in_folder("link")), 0);
    assert_int_equal(symlink("/etc/shadow", in_folder("link_out")), 0);
    assert_int_equal(symlink("nowhere", in_folder("dangling")), 0);
    assert_int_equal(mkdir(in_folder("folder"), 0755), 0);
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    servers = servers_start();
    return 0;
}

static void unload(void);

static int tear_down(void **state) {
    (void)state;
    unload();
    static const char *const names[] = {"text", "empty",    "binary",   "odd *[name]", "large",
                                        "link", "link_out", "dangling", "folder",      "fifo"};
    servers_stop(servers);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove(in_folder(names[i]));
    rmdir(folder);
    return 0;
}

/* --- Observing with both ------------------------------------------------------------------------------------- */

/* What differs from call to call: times, and the port of our side. */
static void drop_times(struct json_object *value) {
    static const char *const names[] = {"timestamp",  "latency_ms", "response_time_ms", "duration_ms",
                                        "local_addr", "Date",       "query_time_ms"};
    if (json_object_is_type(value, json_type_array))
        for (size_t i = 0; i < json_object_array_length(value); i++)
            drop_times(json_object_array_get_idx(value, i));
    if (!json_object_is_type(value, json_type_object))
        return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        json_object_object_del(value, names[i]);
    json_object_object_foreach(value, key, member) {
        (void)key;
        drop_times(member);
    }
}

/* What was loaded, to be used again: a plugin under some grants, in both forms. */
static struct loaded {
    const char *name;
    const char *const *grants;
    reglet_runtime *runtimes[2];
    reglet_plugin *plugins[2];
} loaded[16];

static void load(struct loaded *both, int form) {
    reglet_grant given[8];
    char nameserver[32], guest[64];
    size_t count = 0;
    for (; both->grants[count]; count++)
        given[count] = (reglet_grant){both->name, both->grants[count]};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = given;
    options.grant_count = count;
    options.ca_file = servers_path(servers, "ca");
    snprintf(nameserver, sizeof nameserver, "127.0.0.1:%d", PORT("dns"));
    options.nameservers = nameserver;
    both->runtimes[form] = new_runtime(&options);
    reglet_error *error = NULL;
    snprintf(guest, sizeof guest, "%s%s", both->name, form ? ".component" : "");
    reglet_status status = reglet_runtime_load_plugin_file(
        both->runtimes[form], both->name, guest_path(guest), NULL, &both->plugins[form], &error);
    expect_status(status, REGLET_OK, error, guest);
}

static struct loaded *find(const char *name, const char *const grants[]) {
    struct loaded *both = loaded;
    while (both->name && (strcmp(both->name, name) != 0 || both->grants != grants))
        both++;
    assert_true(both < loaded + sizeof loaded / sizeof *loaded - 1);
    if (!both->name) {
        both->name = name;
        both->grants = grants;
        load(both, 0);
        load(both, 1);
    }
    return both;
}

static void unload(void) {
    for (struct loaded *both = loaded; both->name; both++)
        for (int form = 0; form < 2; form++) {
            reglet_plugin_unref(both->plugins[form]);
            reglet_runtime_free(both->runtimes[form]);
        }
}

static char *observe(reglet_plugin *plugin, const char *config) {
    reglet_result *result = observe_json(plugin, config, timeout_ms);
    struct json_object *all = json_tokener_parse(reglet_result_json(result, NULL));
    drop_times(all);
    char *text =
        strdup(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(all);
    reglet_result_free(result);
    return text;
}

/* Fails unless both answer the same, with `part` in it. "@" in the config stands for the folder, "'" for a double quote. */
static void expect_same(const char *plugin, const char *const grants[], const char *part, const char *format,
                        ...) __attribute__((format(printf, 4, 5)));
static void expect_same(const char *plugin, const char *const grants[], const char *part, const char *format,
                        ...) {
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
    struct loaded *both = find(plugin, grants);
    char *module = observe(both->plugins[0], config), *component = observe(both->plugins[1], config);
    if (strcmp(module, component) != 0)
        fail_msg("%s %s:\nthe module answers\n%.2000s\nthe component\n%.2000s", plugin, config, module,
                 component);
    if (!strstr(module, part))
        fail_msg("%s %s: expected \"%s\", found %.2000s", plugin, config, part, module);
    free(module);
    free(component);
    free(given);
    free(config);
}

static const char *const nothing[] = {NULL};
static const char *const outside[] = {"network:outbound:*", NULL};
static const char *const network[] = {"network:outbound:*", "network:outbound:private", NULL};

/* --- file ------------------------------------------------------------------------------------------------------ */

static void file__answers_the_same(void **state) {
    (void)state;
    static char all[128];
    static const char *const grants[] = {all, NULL};
    snprintf(all, sizeof all, "fs:read:%s/**", folder);
    static const char *const names[] = {"text",     "empty", "binary",  "odd *[name]",
                                        "large",    "link",  "folder",  "link_out",
                                        "dangling", "fifo",  "nowhere", "text/below"};
    static const char *const more[] = {"", ",'read_content':true", ",'hash':true",
                                       ",'read_content':true,'hash':true"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t m = 0; m < sizeof more / sizeof *more; m++) {
            expect_same("file", grants, "\"evidence\":{", "{'path':'@/%s'%s}", names[i], more[m]);
            if (m == 0)
                expect_same("file", nothing, "\"type\":\"capability\"", "{'path':'@/%s'%s}", names[i],
                            more[m]);
        }
    expect_same("file", grants, "\"size\":3145728", "{'path':'@/large','read_content':true,'hash':true}");
    expect_same("file", grants, "capability", "{'path':'/etc/shadow'}");
    expect_same("file", grants, "INVALID_CONFIG", "{'path':'relative'}");
    expect_same("file", grants, "INVALID_CONFIG", "{}");
    expect_same("file", grants, "INVALID_CONFIG", "{'path':'@/text','hash':'perhaps'}");
}

/* --- http ------------------------------------------------------------------------------------------------------ */

static void http__answers_the_same(void **state) {
    (void)state;
    static const char *const paths[] = {
        "/hello",
        "/status/503",
        "/redirect?to=/hello",
        "/redirect?to=/hello&code=307",
        "/redirect-loop",
        "/gzip?n=100000",
        "/deflate?n=1000",
        "/bad-gzip?how=garbage",
        "/chunked",
        "/no-length",
        "/cookie",
        "/auth",
        "/lies-long",
        "/close",
        "/garbage",
        "/big?n=11000000",
        "/huge-header?n=2000000",
        "/raw?bytes=HTTP/1.1%%20200%%20OK%%0d%%0aContent-Length:%%206%%0d%%0a%%0d%%0a%%00%%ff%%fe%%c3%%a9%%0a"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        expect_same("http", network, "\"evidence\":{",
                    "{'url':'http://127.0.0.1:%d%s','body_preview_length':-1}", PORT("http"), paths[i]);
    expect_same("http", network, "X-One",
                "{'url':'http://127.0.0.1:%d/echo','method':'post','headers':{'X-One':'1',"
                "'X-Two':['2','3']},'body':'\\u00e9','body_preview_length':-1}",
                PORT("http"));
    expect_same("http", network, "expectation_error",
                "{'url':'http://127.0.0.1:%d/hello','expected_status':404,"
                "'expected_body_contains':'bye'}",
                PORT("http"));
    expect_same("http", network, "\"status_code\":200", "{'url':'https://localhost:%d/hello'}",
                PORT("https"));
    expect_same("http", network, "ECERT", "{'url':'https://localhost:%d/hello'}", PORT("https_expired"));
    expect_same("http", network, "ECONNREFUSED", "{'url':'http://127.0.0.1:%d/'}", PORT("closed"));
    timeout_ms = 150;
    expect_same("http", network, "\"code\":\"timeout\"", "{'url':'http://127.0.0.1:%d/slow?ms=5000'}",
                PORT("http"));
    timeout_ms = 20000;
    expect_same("http", network, "ENOTFOUND", "{'url':'http://nobody.example.test/'}");
    expect_same("http", nothing, "network:outbound:127.0.0.1:", "{'url':'http://127.0.0.1:%d/hello'}",
                PORT("http"));
    expect_same("http", outside, "ESSRF", "{'url':'http://127.0.0.1:%d/hello'}", PORT("http"));
    expect_same("http", nothing, "INVALID_CONFIG", "{'url':'ftp://a/','method':'BREW','headers':{'A':1}}");
}

/* --- dns, tcp, smtp, command -------------------------------------------------------------------------------------- */

static void dns__answers_the_same(void **state) {
    (void)state;
    static const char *const types[] = {"A", "AAAA", "CNAME", "MX", "TXT", "NS"};
    static const char *const hosts[] = {"example.test", "text.example.test", "alias.example.test",
                                        "nobody.example.test", "servfail.example.test"};
    for (size_t h = 0; h < sizeof hosts / sizeof *hosts; h++)
        for (size_t t = 0; t < sizeof types / sizeof *types; t++)
            expect_same("dns", network, "\"evidence\":{", "{'hostname':'%s','record_type':'%s'}", hosts[h],
                        types[t]);
    expect_same("dns", network, "b.example.test.",
                "{'hostname':'example.test','record_type':'MX','nameserver':'127.0.0.1:%d'}", PORT("dns"));
    expect_same("dns", nothing, "network:outbound:example.test:53", "{'hostname':'example.test'}");
    expect_same("dns", network, "INVALID_CONFIG", "{'hostname':'','record_type':'SOA'}");
}

static void tcp_and_smtp__answer_the_same(void **state) {
    (void)state;
    expect_same("tcp", network, "\"connected\":true", "{'host':'127.0.0.1','port':%d}", PORT("tcp"));
    expect_same("tcp", network, "\"connected\":false", "{'host':'127.0.0.1','port':'%d'}", PORT("closed"));
    expect_same("tcp", network, "is_timeout", "{'host':'127.0.0.1','port':%d,'timeout_ms':100}",
                PORT("full"));
    expect_same("tcp", network, "TLS 1.2", "{'host':'localhost','port':%d,'tls':true}", PORT("tls_1_2"));
    expect_same("tcp", network, "ECERT", "{'host':'localhost','port':%d,'tls':true}", PORT("tls_expired"));
    expect_same("tcp", nothing, "network:outbound:a.example:80", "{'host':'a.example','port':80}");
    expect_same("smtp", network, "220 mail.example.test", "{'host':'localhost','port':%d}", PORT("smtp"));
    expect_same("smtp", network, "TLS 1.", "{'host':'localhost','port':%d,'starttls':true}", PORT("smtp"));
    expect_same("smtp", network, "TLS 1.", "{'host':'localhost','port':%d,'tls':true}", PORT("smtps"));
    expect_same("smtp", network, "ESTARTTLS", "{'host':'localhost','port':%d,'starttls':true}",
                PORT("smtp_no_starttls"));
    expect_same("smtp", network, "\"evidence\":{", "{'host':'localhost','port':%d}",
                PORT("smtp_binary_banner"));
}

static void command__answers_the_same(void **state) {
    (void)state;
    static const char *const grants[] = {"exec:/bin/sh", "exec:/bin/echo", "exec:/nowhere/x", NULL};
    expect_same("command", grants, "a b", "{'command':'/bin/echo','args':['a b','c']}");
    expect_same(
        "command", grants, "\"exit_code\":7",
        "{'command':'/bin/sh','args':['-c','pwd; echo $A; printf \\\\377 >&2; exit 7'],'dir':'/tmp','env':{'A':'x=y'}}");
    expect_same("command", grants, "ENOENT", "{'command':'/nowhere/x'}");
    expect_same("command", grants, "exec:/bin/ls", "{'command':'/bin/ls'}");
    expect_same("command", grants, "SIGKILL", "{'command':'/bin/sh','args':['-c','kill -9 $$']}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file__answers_the_same),    cmocka_unit_test(http__answers_the_same),
        cmocka_unit_test(dns__answers_the_same),     cmocka_unit_test(tcp_and_smtp__answer_the_same),
        cmocka_unit_test(command__answers_the_same),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
