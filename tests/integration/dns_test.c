/*
 * dns_lookup and the names of connections, against the DNS server of tests/servers. Everything here runs in an environment
 * that tries to lead c-ares astray: see poison_environment().
 */
#define _GNU_SOURCE
#include "tests/integration/servers.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct servers *servers;
static char nameserver[64]; /* "127.0.0.1:PORT" */

/* Slack for a loaded machine. */
enum { SLACK_MS = 1000 };

/* --- Runtimes -------------------------------------------------------------------------------------------- */

/* A plugin under these grants (up to a NULL), in a runtime whose nameserver is the test's. */
struct asker {
    reglet_runtime *runtime;
    reglet_plugin *plugin;
    struct events events;
};

static void asker_open(struct asker *asker, const char *const *capabilities, const char *nameservers) {
    reglet_grant grants[8];
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    for (; capabilities[options.grant_count]; options.grant_count++)
        grants[options.grant_count] = (reglet_grant){"relay", capabilities[options.grant_count]};
    options.grants = grants;
    options.nameservers = nameservers;
    options.log = events_collect;
    options.log_user_data = &asker->events;
    events_init(&asker->events);
    asker->runtime = new_runtime(&options);
    asker->plugin = load_guest(asker->runtime, "relay");
    servers_reset(servers);
}
#define GRANTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void asker_close(struct asker *asker) {
    reglet_plugin_unref(asker->plugin);
    reglet_runtime_free(asker->runtime);
    events_free(&asker->events);
}

/* The response to one lookup by a plugin that may look up everything. */
static char *look_up(const char *hostname, const char *type) {
    struct asker asker;
    asker_open(&asker, GRANTS("network:outbound:53"), nameserver);
    char *response = relay(asker.plugin, "dns_lookup", "{'hostname':'%s','type':'%s'}", hostname, type);
    asker_close(&asker);
    return response;
}

static void expect_records(const char *hostname, const char *type, const char *records) {
    char *response = look_up(hostname, type);
    expect_member(response, "/error", NULL);
    expect_member(response, "/records", records);
    free(response);
}

static void expect_error(const char *hostname, const char *type, const char *error_type, const char *code) {
    char *response = look_up(hostname, type);
    expect_member(response, "/error/type", error_type);
    expect_member(response, "/error/code", code);
    free(response);
}

/* --- Records --------------------------------------------------------------------------------------------- */

static void a__of_a_name_is_its_addresses(void **state) {
    (void)state;
    expect_records("single.example.test", "A", "[\"93.184.216.34\"]");
    expect_records("single6.example.test", "AAAA", "[\"2606:2800:21f:cb07:6820:80da:af6b:8b2c\"]");
}

static void a__upper_case_and_a_dot_at_the_end_are_the_same_name(void **state) {
    (void)state;
    expect_records("SINGLE.Example.test.", "A", "[\"93.184.216.34\"]");
}

static void a__private_addresses_are_told(void **state) {
    (void)state;
    expect_records("metadata.example.test", "A", "[\"169.254.169.254\"]");
}

static void a__a_name_without_that_family_has_no_records(void **state) {
    (void)state;
    expect_records("single.example.test", "AAAA", "[]");
    expect_records("nodata.example.test", "A", "[]");
    char *response = look_up("nodata.example.test", "MX");
    expect_member(response, "/error", NULL);
    expect_member(response, "/records", "[]");
    expect_member(response, "/mx_records", "[]");
    free(response);
}

static void a__a_record_of_another_name_is_left_out(void **state) {
    (void)state;
    expect_records("other-owner.example.test", "A", "[]");
    expect_records("additional.example.test", "A", "[\"93.184.216.34\"]");
}

static void a__a_loop_of_aliases_ends(void **state) {
    (void)state;
    expect_records("loop.example.test", "A", "[]");
}

static void a__two_hundred_addresses_come_over_tcp(void **state) {
    (void)state;
    char *response = look_up("huge.example.test", "A");
    expect_member(response, "/error", NULL);
    char *last = json_member(response, "/records/199"), *more = json_member(response, "/records/200");
    assert_non_null(last);
    assert_null(more);
    assert_int_equal(servers_connections(servers, "dns"), 1);
    free(last);
    free(response);
}

static void a__what_udp_truncates_is_asked_over_tcp(void **state) {
    (void)state;
    expect_records("truncated.example.test", "A", "[\"93.184.216.34\"]");
    assert_int_equal(servers_connections(servers, "dns"), 1);
}

static void cname__of_an_alias_is_the_end_of_the_chain(void **state) {
    (void)state;
    expect_records("alias.example.test", "CNAME", "[\"loopback.example.test.\"]");
    expect_records("chain.example.test", "CNAME", "[\"loopback.example.test.\"]");
    expect_records("dangling.example.test", "CNAME", "[\"nowhere.example.test.\"]");
}

static void cname__of_a_name_without_one_is_the_name(void **state) {
    (void)state;
    expect_records("single.example.test", "CNAME", "[\"single.example.test.\"]");
    expect_records("single6.example.test", "CNAME", "[\"single6.example.test.\"]");
    expect_records("nodata.example.test", "CNAME", "[\"nodata.example.test.\"]");
}

static void cname__a_loop_ends(void **state) {
    (void)state;
    char *response = look_up("loop.example.test", "CNAME");
    expect_member(response, "/error", NULL);
    expect_member_contains(response, "/records/0", "example.test.");
    free(response);
}

static void cname__a_target_that_is_no_host_name_is_told_with_escapes(void **state) {
    (void)state;
    expect_records("odd.example.test", "CNAME", "[\"we\\\\.ird\\\\000\\\\\\\"\\\\032name.example.test.\"]");
}

static void mx__is_sorted_by_preference(void **state) {
    (void)state;
    char *response = look_up("example.test", "MX");
    expect_member(response, "/error", NULL);
    expect_member(response, "/records", "[]");
    expect_member(response, "/mx_records/0/pref", "10");
    expect_member(response, "/mx_records/1/pref", "10");
    expect_member(response, "/mx_records/2", "{\"host\":\"b.example.test.\",\"pref\":20}");
    expect_member(response, "/mx_records/3", "{\"host\":\"c.example.test.\",\"pref\":30}");
    free(response);
    response = look_up("null-mx.example.test", "MX");
    expect_member(response, "/mx_records", "[{\"host\":\".\",\"pref\":0}]");
    free(response);
}

static void ns__names_end_in_a_dot(void **state) {
    (void)state;
    char *response = look_up("example.test", "NS");
    expect_member_contains(response, "/records", "\"ns1.example.test.\"");
    expect_member_contains(response, "/records", "\"ns2.example.test.\"");
    free(response);
}

static void txt__strings_of_a_record_are_joined(void **state) {
    (void)state;
    char *response = look_up("example.test", "TXT");
    expect_member_contains(response, "/records", "\"v=spf1 -all\"");
    expect_member_contains(response, "/records", "\"one\"");
    free(response);
}

static void txt__bytes_that_are_no_text_are_replaced(void **state) {
    (void)state;
    char *response = look_up("text.example.test", "TXT");
    expect_member(response, "/error", NULL);
    expect_member_contains(response, "/records", "\"one two three\"");
    expect_member_contains(response, "/records", "\"gr\u00fcn\"");
    expect_member_contains(response, "/records", "\"\\u0000\\u0001\uFFFD\"");
    expect_member_contains(response, "/records", "\"\"");
    free(response);
}

/* --- Errors ---------------------------------------------------------------------------------------------- */

static void errors__a_name_that_does_not_exist_is_not_found(void **state) {
    (void)state;
    char *response = look_up("nowhere.example.test", "A");
    expect_member(response, "/error/type", "network");
    expect_member(response, "/error/code", "ENOTFOUND");
    expect_member(response, "/error/is_not_found", "true");
    expect_member(response, "/error/is_timeout", NULL);
    free(response);
    expect_error("dangling.example.test", "A", "network", "ENOTFOUND");
    expect_error("nowhere.example.test", "CNAME", "network", "ENOTFOUND");
}

static void errors__the_code_of_the_nameserver_is_told(void **state) {
    (void)state;
    expect_error("servfail.example.test", "A", "network", "ESERVFAIL");
    expect_error("refused.example.test", "MX", "network", "EREFUSED");
    expect_error("formerr.example.test", "TXT", "network", "EFORMERR");
}

static void errors__no_nameserver_is_there(void **state) {
    (void)state;
    struct asker asker;
    asker_open(&asker, GRANTS("network:outbound:53"), "127.0.0.1:1");
    char *response = relay(asker.plugin, "dns_lookup", "{'hostname':'example.test','type':'A'}");
    expect_member(response, "/error/code", "ECONNREFUSED");
    free(response);
    asker_close(&asker);
}

static void errors__a_silent_nameserver_is_a_timeout_of_its_own(void **state) {
    (void)state;
    int64_t began_ms = now_ms();
    char *response = look_up("silent.example.test", "A");
    expect_member(response, "/error/type", "network");
    expect_member(response, "/error/code", "ETIMEDOUT");
    expect_member(response, "/error/is_timeout", "true");
    free(response);
    /* 2 s, then 4 s; RES_OPTIONS wants nine tries. */
    assert_in_range(now_ms() - began_ms, 5900, 6000 + SLACK_MS);
    assert_int_equal(servers_queries(servers, "silent.example.test"), 2);
}

/* The attack: answers that somebody else could have sent. None of them is taken. */
static void errors__answers_to_other_questions_are_not_taken(void **state) {
    (void)state;
    static const char *const names[] = {"wrong-id.example.test", "other-name.example.test",
                                        "garbage.example.test", "truncated-silent.example.test"};
    struct asker asker;
    asker_open(&asker, GRANTS("network:outbound:53"), nameserver);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *response =
            relay(asker.plugin, "dns_lookup", "{'hostname':'%s','type':'A','timeout_ms':300}", names[i]);
        expect_member(response, "/error/type", "timeout");
        expect_member(response, "/error/is_timeout", "true");
        expect_member(response, "/records", NULL);
        free(response);
        assert_int_equal(servers_queries(servers, names[i]) > 0, true);
    }
    asker_close(&asker);
}

static void errors__requests_that_make_no_sense(void **state) {
    (void)state;
    static const char *const requests[] = {
        "{'type':'A'}",
        "{'hostname':'example.test'}",
        "{'hostname':'example.test','type':''}",
        "{'hostname':'example.test','type':'a'}",
        "{'hostname':'example.test','type':'ANY'}",
        "{'hostname':'example.test','type':1}",
        "{'hostname':'','type':'A'}",
        "{'hostname':'.','type':'A'}",
        "{'hostname':'a..b','type':'A'}",
        "{'hostname':'-a.example.test','type':'A'}",
        "{'hostname':'user@example.test','type':'A'}",
        "{'hostname':'http://example.test','type':'A'}",
        "{'hostname':'example.test:53','type':'A'}",
        "{'hostname':'ex ample.test','type':'A'}",
        "{'hostname':'ex\\u0000ample.test','type':'A'}",
        "{'hostname':'b\u00fccher.example.test','type':'A'}",
        "{'hostname':'0177.0.0.1','type':'A'}",
        "{'hostname':'2130706433','type':'A'}",
        "{'hostname':'0x7f.1','type':'A'}",
        "{'hostname':'127.0.0.1','type':'MX'}",
        "{'hostname':'example.test','type':'A','nameserver':'a b'}",
        "{'hostname':'example.test','type':'A','nameserver':'127.0.0.1:0'}",
        "{'hostname':'example.test','type':'A','nameserver':'127.0.0.1:65536'}",
        "{'hostname':'example.test','type':'A','nameserver':53}",
    };
    struct asker asker;
    asker_open(&asker, GRANTS("network:outbound:*", "network:outbound:private"), nameserver);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        char *response = relay(asker.plugin, "dns_lookup", "%s", requests[i]);
        char *type = json_member(response, "/error/type");
        if (!type || strcmp(type, "validation") != 0)
            fail_msg("%s: %s", requests[i], response);
        free(type);
        free(response);
    }
    assert_int_equal(servers_queries(servers, "example.test"), 0);
    asker_close(&asker);
}

/* --- Decisions ------------------------------------------------------------------------------------------- */

static void expect_denied(const char *const *capabilities, const char *hostname, const char *grant) {
    struct asker asker;
    asker_open(&asker, capabilities, nameserver);
    char *response = relay(asker.plugin, "dns_lookup", "{'hostname':'%s','type':'TXT'}", hostname);
    expect_member(response, "/error/type", "capability");
    expect_member_contains(response, "/error/message", "permission denied: look up ");
    expect_member_contains(response, "/error/message", grant);
    assert_true(events_contain(&asker.events, grant));
    free(response);
    asker_close(&asker);
    char *log = servers_log(servers);
    expect_member(log, "/queries", "[]");
    free(log);
}

static void decision__without_a_grant_no_query_leaves(void **state) {
    (void)state;
    const char *const grant = "network:outbound:example.test:53";
    expect_denied(GRANTS("env:HOME"), "example.test", grant);
    expect_denied(GRANTS("network:outbound:443"), "example.test", grant);
    expect_denied(GRANTS("network:outbound:example.test:443"), "example.test", grant);
    expect_denied(GRANTS("network:outbound:*.example.test:53"), "example.test", grant);
    expect_denied(GRANTS("network:outbound:https://example.test"), "example.test", grant);
    expect_denied(GRANTS("network:outbound:private"), "example.test", grant);
    expect_denied(GRANTS("network:outbound:example.test:53"), "evilexample.test",
                  "network:outbound:evilexample.test:53");
    expect_denied(GRANTS("network:outbound:example.test:53"), "_dmarc.example.test",
                  "network:outbound:*.example.test:53");
}

static void decision__a_rule_for_the_name_or_any_host_at_port_53_allows(void **state) {
    (void)state;
    static const char *const grants[] = {"network:outbound:single.example.test:53", "network:outbound:53",
                                         "network:outbound:single.example.test",    "network:outbound:*",
                                         "network:outbound:*.example.test:53",      "network:outbound:1-100"};
    for (size_t i = 0; i < sizeof grants / sizeof *grants; i++) {
        struct asker asker;
        asker_open(&asker, GRANTS(grants[i]), nameserver);
        char *response = relay(asker.plugin, "dns_lookup", "{'hostname':'single.example.test','type':'A'}");
        expect_member(response, "/records", "[\"93.184.216.34\"]");
        free(response);
        asker_close(&asker);
    }
}

static void decision__names_with_underscores_can_be_looked_up(void **state) {
    (void)state;
    struct asker asker;
    asker_open(&asker, GRANTS("network:outbound:*.example.test:53"), nameserver);
    char *response = relay(asker.plugin, "dns_lookup", "{'hostname':'_dmarc.example.test','type':'TXT'}");
    expect_member(response, "/error/code", "ENOTFOUND");
    assert_int_equal(servers_queries(servers, "_dmarc.example.test"), 1);
    free(response);
    asker_close(&asker);
}

/* --- A nameserver of the plugin's own -------------------------------------------------------------------- */

static char *ask_nameserver(const char *const *capabilities, const char *place, const char *system) {
    struct asker asker;
    asker_open(&asker, capabilities, system);
    char *response = relay(asker.plugin, "dns_lookup",
                           "{'hostname':'single.example.test','type':'A','nameserver':'%s'}", place);
    asker_close(&asker);
    return response;
}

static void nameserver__a_granted_one_is_asked(void **state) {
    (void)state;
    char grant[96];
    snprintf(grant, sizeof grant, "network:outbound:%s", nameserver);
    /* The system's would not answer. */
    char *response = ask_nameserver(GRANTS(grant), nameserver, "127.0.0.1:1");
    expect_member(response, "/records", "[\"93.184.216.34\"]");
    free(response);
}

static void nameserver__is_a_connection_that_needs_a_grant(void **state) {
    (void)state;
    char grant[96];
    snprintf(grant, sizeof grant, "network:outbound:%s", nameserver);
    char *response = ask_nameserver(GRANTS("network:outbound:53"), nameserver, nameserver);
    expect_member(response, "/error/type", "capability");
    expect_member_contains(response, "/error/message", grant);
    assert_int_equal(servers_queries(servers, "single.example.test"), 0);
    free(response);
}

static void nameserver__a_private_address_is_refused(void **state) {
    (void)state;
    char *response = ask_nameserver(GRANTS("network:outbound:*"), nameserver, nameserver);
    expect_member(response, "/error/type", "ssrf_protection");
    free(response);
    char place[96];
    snprintf(place, sizeof place, "mixed-loopback.example.test:%d", servers_port(servers, "dns"));
    char grant[128];
    snprintf(grant, sizeof grant, "network:outbound:loopback.example.test:%d", servers_port(servers, "dns"));
    snprintf(place, sizeof place, "loopback.example.test:%d", servers_port(servers, "dns"));
    response = ask_nameserver(GRANTS(grant), place, nameserver);
    expect_member(response, "/error/type", "ssrf_protection");
    assert_int_equal(servers_queries(servers, "single.example.test"), 0);
    free(response);
}

static void nameserver__by_name_is_resolved_by_the_system(void **state) {
    (void)state;
    char place[96], grant[128];
    snprintf(place, sizeof place, "loopback.example.test:%d", servers_port(servers, "dns"));
    snprintf(grant, sizeof grant, "network:outbound:%s", place);
    char *response = ask_nameserver(GRANTS(grant, "network:outbound:private"), place, nameserver);
    expect_member(response, "/records", "[\"93.184.216.34\"]");
    free(response);
}

/* The attack: the hosts file read by way of a nameserver that knows nothing of it. */
static void nameserver__does_not_open_the_hosts_file(void **state) {
    (void)state;
    char grant[96], name[256] = "";
    snprintf(grant, sizeof grant, "network:outbound:%s", nameserver);
    gethostname(name, sizeof name - 1);
    struct asker asker;
    asker_open(&asker, GRANTS(grant), nameserver);
    char *response =
        relay(asker.plugin, "dns_lookup", "{'hostname':'%s','type':'A','nameserver':'%s'}", name, nameserver);
    expect_member(response, "/error/code", "ENOTFOUND");
    free(response);
    asker_close(&asker);
}

/* The attack: a plugin's own nameserver decides where the name of a connection leads. */
static void nameserver__has_no_say_in_connections(void **state) {
    (void)state;
    char request[256];
    struct asker asker;
    /* The system's nameserver is not there: whoever has an address has it from the plugin's. */
    asker_open(&asker, GRANTS("network:outbound:*", "network:outbound:private"), "127.0.0.1:1");
    char *response = relay(asker.plugin, "dns_lookup",
                           "{'hostname':'loopback.example.test','type':'A','nameserver':'%s'}", nameserver);
    expect_member(response, "/records", "[\"127.0.0.1\"]");
    free(response);
    static const char *const requests[][2] = {
        {"tcp_connect", "{'host':'loopback.example.test','port':%d,'nameserver':'%s'}"},
        {"smtp_connect", "{'host':'loopback.example.test','port':%d,'nameserver':'%s'}"},
        {"http_request", "{'url':'http://loopback.example.test:%d/','nameserver':'%s'}"}};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        const char *port = strstr(requests[i][1], "%d"), *place = strstr(requests[i][1], "%s");
        snprintf(request, sizeof request, "%.*s%d%.*s%s%s", (int)(port - requests[i][1]), requests[i][1],
                 servers_port(servers, "http"), (int)(place - port - 2), port + 2, nameserver, place + 2);
        response = relay(asker.plugin, requests[i][0], "%s", request);
        expect_member(response, "/error/code", "ECONNREFUSED");
        expect_member_contains(response, "/error/message", "look up loopback.example.test");
        free(response);
    }
    assert_int_equal(servers_queries(servers, "loopback.example.test"), 1);
    assert_int_equal(servers_connections(servers, "http"), 0);
    asker_close(&asker);
}

/* Go plugins send what they did not set as well. */
static void nameserver__that_is_empty_is_the_systems(void **state) {
    (void)state;
    char *response = ask_nameserver(GRANTS("network:outbound:53"), "", nameserver);
    expect_member(response, "/records", "[\"93.184.216.34\"]");
    free(response);
}

/* --- What needs no nameserver ---------------------------------------------------------------------------- */

static void local__an_address_is_its_own_answer(void **state) {
    (void)state;
    expect_records("192.0.2.1", "A", "[\"192.0.2.1\"]");
    expect_records("192.0.2.1", "AAAA", "[]");
    expect_records("2001:DB8::1", "AAAA", "[\"2001:db8::1\"]");
    struct asker asker;
    asker_open(&asker, GRANTS("network:outbound:443"), nameserver);
    char *response = relay(asker.plugin, "dns_lookup", "{'hostname':'192.0.2.1','type':'A'}");
    expect_member(response, "/error/type", "capability");
    free(response);
    asker_close(&asker);
}

static void local__localhost_is_never_asked_about(void **state) {
    (void)state;
    char *response = look_up("localhost", "A");
    expect_member_contains(response, "/records", "\"127.0.0.1\"");
    free(response);
    expect_records("db.localhost", "A", "[\"127.0.0.1\"]");
    expect_records("db.localhost", "AAAA", "[\"::1\"]");
    expect_records("db.LOCALHOST.", "TXT", "[]");
    expect_records("db.localhost", "CNAME", "[\"db.localhost.\"]");
    expect_error("notlocalhost", "A", "network", "ENOTFOUND");
    char *log = servers_log(servers);
    expect_member(log, "/queries/0/name", "notlocalhost");
    free(log);
}

static void local__onion_names_do_not_leave(void **state) {
    (void)state;
    expect_error("secret.onion", "A", "network", "ENOTFOUND");
    char *log = servers_log(servers);
    expect_member(log, "/queries", "[]");
    free(log);
}

/* --- Ambient settings ------------------------------------------------------------------------------------ */

static char aliases_path[] = "/tmp/dns_test-aliases-XXXXXX", hosts_path[] = "/tmp/dns_test-hosts-XXXXXX";

static void write_temporary(char *path, const char *text) {
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
    close(fd);
}

static void poison_environment(void) {
    write_temporary(aliases_path, "aliased loopback.example.test\nnotexample loopback.example.test\n");
    write_temporary(hosts_path, "127.0.0.9 poisoned.example.test single.example.test\n");
    setenv("HOSTALIASES", aliases_path, 1);
    setenv("CARES_HOSTS", hosts_path, 1);
    setenv("LOCALDOMAIN", "example.test", 1);
    setenv("RES_OPTIONS", "ndots:15 retrans:1 retry:9 timeout:1 attempts:9 rotate", 1);
}

static void ambient__hostaliases_does_not_count(void **state) {
    (void)state;
    expect_error("aliased", "A", "network", "ENOTFOUND");
    assert_int_equal(servers_queries(servers, "loopback.example.test"), 0);
    assert_int_equal(servers_queries(servers, "aliased"), 1);
}

static void ambient__cares_hosts_does_not_count(void **state) {
    (void)state;
    expect_error("poisoned.example.test", "A", "network", "ENOTFOUND");
    expect_records("single.example.test", "A", "[\"93.184.216.34\"]");
}

static void ambient__search_domains_do_not_count(void **state) {
    (void)state;
    expect_error("single", "A", "network", "ENOTFOUND");
    assert_int_equal(servers_queries(servers, "single.example.test"), 0);
    assert_int_equal(servers_queries(servers, "single"), 1);
}

/* --- Names of connections -------------------------------------------------------------------------------- */

static void connect__a_name_that_has_no_address_says_why(void **state) {
    (void)state;
    static const struct {
        const char *name, *code, *is_not_found;
    } cases[] = {{"nowhere.example.test", "ENOTFOUND", "true"},  {"nodata.example.test", "ENOTFOUND", "true"},
                 {"loop.example.test", "ENOTFOUND", "true"},     {"servfail.example.test", "ESERVFAIL", NULL},
                 {"refused.example.test", "EREFUSED", NULL},     {"formerr.example.test", "EFORMERR", NULL},
                 {"dangling.example.test", "ENOTFOUND", "true"}, {"secret.onion", "ENOTFOUND", "true"}};
    struct asker asker;
    asker_open(&asker, GRANTS("network:outbound:*", "network:outbound:private"), nameserver);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *response = relay(asker.plugin, "tcp_connect", "{'host':'%s','port':'443'}", cases[i].name);
        expect_member(response, "/error/type", "network");
        expect_member(response, "/error/code", cases[i].code);
        expect_member(response, "/error/is_not_found", cases[i].is_not_found);
        free(response);
    }
    asker_close(&asker);
}

/* What one call learned is not there for the next, of the same plugin or another. */
static void answers__are_asked_for_again_each_time(void **state) {
    (void)state;
    struct asker asker;
    asker_open(&asker, GRANTS("network:outbound:*", "network:outbound:private"), nameserver);
    for (int times = 1; times <= 3; times++) {
        free(relay(asker.plugin, "dns_lookup", "{'hostname':'single.example.test','type':'A'}"));
        assert_int_equal(servers_queries(servers, "single.example.test"), times);
    }
    static const char *const requests[][2] = {{"tcp_connect", "{'host':'loopback.example.test','port':1}"},
                                              {"smtp_connect", "{'host':'loopback.example.test','port':1}"},
                                              {"http_request", "{'url':'http://loopback.example.test:1/'}"}};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        char *response = relay(asker.plugin, requests[i][0], "%s", requests[i][1]);
        expect_member(response, "/error/code", "ECONNREFUSED");
        expect_member_contains(response, "/error/message", "Connection refused");
        free(response);
        /* A and AAAA. */
        assert_int_equal(servers_queries(servers, "loopback.example.test"), 2 * (int)(i + 1));
    }
    asker_close(&asker);
}

/* --- Deadlines, cancelling, and hostile nameservers ------------------------------------------------------ */

struct caller {
    pthread_t thread;
    reglet_plugin *plugin;
    const char *request;
    reglet_cancel_token *token;
    int64_t timeout_ms;
    reglet_result *result;
    int64_t ended_ms;
};

static void *call_in_thread(void *argument) {
    struct caller *caller = argument;
    char config[512];
    reglet_config *values = NULL;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = caller->timeout_ms;
    call.cancel = caller->token;
    snprintf(config, sizeof config, "{\"function\":\"dns_lookup\",\"request\":%s}", caller->request);
    if (reglet_config_parse(config, strlen(config), &values, NULL) == REGLET_OK)
        reglet_plugin_observe(caller->plugin, values, &call, &caller->result, NULL);
    reglet_config_free(values);
    caller->ended_ms = now_ms();
    return NULL;
}

static const char silent[] = "{\"hostname\":\"silent.example.test\",\"type\":\"A\"}";

static void wait_for_query(const char *name) {
    for (int i = 0; i < 500 && servers_queries(servers, name) == 0; i++)
        usleep(10000);
    assert_true(servers_queries(servers, name) > 0);
}

static void cancel__stops_a_lookup_and_no_sibling(void **state) {
    (void)state;
    struct asker asker;
    asker_open(&asker, GRANTS("network:outbound:53"), nameserver);
    struct caller cancelled = {.plugin = asker.plugin, .request = silent, .timeout_ms = 20000};
    struct caller sibling = {.plugin = asker.plugin,
                             .request = "{\"hostname\":\"slow.example.test\",\"type\":\"A\"}",
                             .timeout_ms = 20000};
    assert_int_equal(reglet_cancel_token_new(&cancelled.token, NULL), REGLET_OK);
    assert_int_equal(pthread_create(&cancelled.thread, NULL, call_in_thread, &cancelled), 0);
    wait_for_query("silent.example.test");
    assert_int_equal(pthread_create(&sibling.thread, NULL, call_in_thread, &sibling), 0);
    wait_for_query("slow.example.test");
    int64_t cancelled_ms = now_ms();
    reglet_cancel_token_cancel(cancelled.token);
    pthread_join(cancelled.thread, NULL);
    pthread_join(sibling.thread, NULL);
    assert_in_range(cancelled.ended_ms - cancelled_ms, 0, SLACK_MS);
    expect_plugin_error(cancelled.result, REGLET_ERR_CANCELLED, "cancelled");
    expect_evidence(sibling.result, "93.184.216.34");
    reglet_cancel_token_unref(cancelled.token);
    asker_close(&asker);
}

static void deadline__of_the_call_stops_a_lookup(void **state) {
    (void)state;
    struct asker asker;
    asker_open(&asker, GRANTS("network:outbound:53"), nameserver);
    struct caller caller = {.plugin = asker.plugin, .request = silent, .timeout_ms = 300};
    int64_t began_ms = now_ms();
    call_in_thread(&caller);
    assert_in_range(caller.ended_ms - began_ms, 290, 300 + SLACK_MS);
    expect_plugin_error(caller.result, REGLET_ERR_TIMEOUT, "");
    asker_close(&asker);
}

static void deadline__of_the_request_is_an_error_of_the_response(void **state) {
    (void)state;
    struct asker asker;
    asker_open(&asker, GRANTS("network:outbound:53"), nameserver);
    int64_t began_ms = now_ms();
    char *response = relay(asker.plugin, "dns_lookup",
                           "{'hostname':'silent.example.test','type':'A','context':{'timeout_ms':200}}");
    assert_in_range(now_ms() - began_ms, 190, 200 + SLACK_MS);
    expect_member(response, "/error/type", "timeout");
    expect_member(response, "/error/is_timeout", "true");
    free(response);
    asker_close(&asker);
}

static void deadline__of_the_request_ends_the_lookup_of_a_connection(void **state) {
    (void)state;
    static const char *const requests[][2] = {
        {"tcp_connect", "{'host':'silent.example.test','port':1,'timeout_ms':200}"},
        {"net_connect", "{'host':'silent.example.test','port':1,'timeout_ms':200}"},
        {"smtp_connect", "{'host':'silent.example.test','port':1,'timeout_ms':200}"},
        {"http_request", "{'url':'http://silent.example.test/','timeout_ms':200}"},
        {"ssrf_check", "{'address':'silent.example.test:1','timeout_ms':200}"}};
    struct asker asker;
    asker_open(&asker, GRANTS("network:outbound:*"), nameserver);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        int64_t began_ms = now_ms();
        char *response = relay(asker.plugin, requests[i][0], "%s", requests[i][1]);
        assert_in_range(now_ms() - began_ms, 190, 200 + SLACK_MS);
        expect_member(response, "/error/type", "timeout");
        expect_member(response, "/error/code", "ETIMEDOUT");
        expect_member(response, "/error/is_timeout", "true");
        free(response);
    }
    asker_close(&asker);
}

enum habit { FLOODS, TRUNCATES_AND_RESETS, CUTS_RECORDS };

/* A nameserver of the worst kind, in a thread. */
struct hostile {
    pthread_t thread;
    int udp, tcp;
    char place[64];
    enum habit habit;
    atomic_bool stop;
};

static void reset_one_connection(int listener) {
    const struct linger at_once = {.l_onoff = 1};
    int connection = accept(listener, NULL, NULL);
    if (connection < 0)
        return;
    setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(connection);
}

/* Turns a query into a response, with room for what the header promises and does not keep. */
static void respond(struct hostile *hostile, unsigned char *query) {
    query[2] |= 0x80;
    if (hostile->habit == FLOODS)
        query[0] ^= 0xff; /* another id */
    else if (hostile->habit == TRUNCATES_AND_RESETS)
        query[2] |= 0x02;
    else
        query[7] = 1; /* one record, which is not there */
}

static void *be_hostile(void *argument) {
    struct hostile *hostile = argument;
    unsigned char message[512];
    struct sockaddr_in client;
    struct sockaddr *from = (struct sockaddr *)&client;
    socklen_t size = sizeof client;
    ssize_t length = -1;
    while (!atomic_load(&hostile->stop)) {
        ssize_t received = recvfrom(hostile->udp, message, sizeof message, MSG_DONTWAIT, from, &size);
        if (received > 12) {
            length = received;
            respond(hostile, message);
        }
        if (length > 0)
            sendto(hostile->udp, message, (size_t)length, 0, from, size);
        if (hostile->habit == FLOODS && length > 0)
            continue;
        length = -1;
        reset_one_connection(hostile->tcp);
        usleep(1000);
    }
    return NULL;
}

static void hostile_start(struct hostile *hostile, enum habit habit) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    hostile->habit = habit;
    hostile->tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    hostile->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(hostile->tcp, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(hostile->tcp, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(hostile->tcp, 8), 0);
    assert_int_equal(bind(hostile->udp, (struct sockaddr *)&address, size), 0);
    snprintf(hostile->place, sizeof hostile->place, "127.0.0.1:%d", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&hostile->thread, NULL, be_hostile, hostile), 0);
}

static void hostile_stop(struct hostile *hostile) {
    atomic_store(&hostile->stop, true);
    pthread_join(hostile->thread, NULL);
    close(hostile->udp);
    close(hostile->tcp);
}

/* The attack: datagrams that never stop keep the reader reading. */
static void hostile__a_flood_does_not_hold_the_call(void **state) {
    (void)state;
    struct hostile hostile = {0};
    struct asker asker;
    char request[256];
    hostile_start(&hostile, FLOODS);
    asker_open(&asker, GRANTS("network:outbound:*", "network:outbound:private"), nameserver);
    snprintf(request, sizeof request,
             "{\"hostname\":\"a.example.test\",\"type\":\"A\",\"nameserver\":\"%s\"}", hostile.place);
    struct caller caller = {.plugin = asker.plugin, .request = request, .timeout_ms = 300};
    int64_t began_ms = now_ms();
    call_in_thread(&caller);
    assert_in_range(caller.ended_ms - began_ms, 290, 300 + SLACK_MS);
    expect_plugin_error(caller.result, REGLET_ERR_TIMEOUT, "");
    asker_close(&asker);
    hostile_stop(&hostile);
}

/* The attack: a connection that is reset while the query is written raises SIGPIPE. */
static void hostile__a_reset_connection_is_an_error(void **state) {
    (void)state;
    struct hostile hostile = {0};
    hostile_start(&hostile, TRUNCATES_AND_RESETS);
    for (int i = 0; i < 10; i++) {
        char *response = ask_nameserver(GRANTS("network:outbound:*", "network:outbound:private"),
                                        hostile.place, nameserver);
        expect_member(response, "/error/type", "network");
        expect_member(response, "/error/code", "ECONNREFUSED");
        free(response);
    }
    hostile_stop(&hostile);
}

static void hostile__records_that_are_cut_off_are_nonsense(void **state) {
    (void)state;
    struct hostile hostile = {0};
    hostile_start(&hostile, CUTS_RECORDS);
    static const char *const types[] = {"A", "AAAA", "CNAME", "MX", "TXT", "NS"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct asker asker;
        asker_open(&asker, GRANTS("network:outbound:*", "network:outbound:private"), nameserver);
        char *response =
            relay(asker.plugin, "dns_lookup", "{'hostname':'a.test','type':'%s','nameserver':'%s'}", types[i],
                  hostile.place);
        expect_member(response, "/error/type", "network");
        expect_member(response, "/error/code", "EBADRESP");
        free(response);
        asker_close(&asker);
    }
    hostile_stop(&hostile);
}

/* --- Descriptors ----------------------------------------------------------------------------------------- */

static int count_descriptors(void) {
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void descriptors__are_back_whatever_happened(void **state) {
    (void)state;
    static const char *const names[] = {"single", "nowhere",          "servfail", "truncated",
                                        "huge",   "truncated-silent", "silent"};
    struct asker asker;
    asker_open(&asker, GRANTS("network:outbound:53"), nameserver);
    free(relay(asker.plugin, "dns_lookup", "{'hostname':'single.example.test','type':'A'}"));
    int before = count_descriptors(); /* with the image that the first call left */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        free(relay(asker.plugin, "dns_lookup", "{'hostname':'%s.example.test','type':'A','timeout_ms':300}",
                   names[i]));
    assert_int_equal(count_descriptors(), before);
    asker_close(&asker);
}

static void descriptors__none_left_is_an_error(void **state) {
    (void)state;
    struct asker asker;
    struct rlimit normal, none;
    asker_open(&asker, GRANTS("network:outbound:53"), nameserver);
    free(relay(asker.plugin, "dns_lookup", "{'hostname':'single.example.test','type':'A'}"));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &normal), 0);
    none = normal;
    none.rlim_cur = 3; /* what is open stays open */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    char *response = relay(asker.plugin, "dns_lookup", "{'hostname':'single.example.test','type':'A'}");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &normal), 0);
    expect_member(response, "/error/type", "internal");
    expect_member_contains(response, "/error/message", "no descriptor left");
    free(response);
    asker_close(&asker);
}

/* --- The option ------------------------------------------------------------------------------------------ */

static void option__nameservers_are_addresses(void **state) {
    (void)state;
    static const char *const wrong[] = {"",
                                        "localhost:53",
                                        "127.0.0.1:0",
                                        "127.0.0.1:53,",
                                        "127.1:53",
                                        "127.0.0.1:53 ",
                                        "::1:53:",
                                        ",",
                                        "127.0.0.1:",
                                        "127.0.0.1:100000",
                                        "1.1.1.1,2.2.2.2,3.3.3.3,4.4.4.4"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
        reglet_runtime *runtime = NULL;
        reglet_error *error = NULL;
        options.nameservers = wrong[i];
        if (reglet_runtime_new(&options, &runtime, &error) != REGLET_ERR_INVALID_ARGUMENT)
            fail_msg("\"%s\" was taken", wrong[i]);
        assert_non_null(strstr(reglet_error_message(error), "nameserver"));
        reglet_error_free(error);
    }
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.nameservers = "127.0.0.1,[::1]:53,192.0.2.1:5353";
    reglet_runtime_free(new_runtime(&options));
}

static void option__a_nameserver_that_fails_is_followed_by_the_next(void **state) {
    (void)state;
    char list[96];
    struct asker asker;
    snprintf(list, sizeof list, "127.0.0.1:1,%s", nameserver);
    asker_open(&asker, GRANTS("network:outbound:53"), list);
    char *response = relay(asker.plugin, "dns_lookup", "{'hostname':'single.example.test','type':'A'}");
    expect_member(response, "/records", "[\"93.184.216.34\"]");
    free(response);
    asker_close(&asker);
}

/* --- All of it ------------------------------------------------------------------------------------------- */

static int start(void **state) {
    (void)state;
    servers = servers_start();
    snprintf(nameserver, sizeof nameserver, "127.0.0.1:%d", servers_port(servers, "dns"));
    return 0;
}

static int stop(void **state) {
    (void)state;
    servers_stop(servers);
    unlink(aliases_path);
    unlink(hosts_path);
    return 0;
}

int main(void) {
    poison_environment();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a__of_a_name_is_its_addresses),
        cmocka_unit_test(a__upper_case_and_a_dot_at_the_end_are_the_same_name),
        cmocka_unit_test(a__private_addresses_are_told),
        cmocka_unit_test(a__a_name_without_that_family_has_no_records),
        cmocka_unit_test(a__a_record_of_another_name_is_left_out),
        cmocka_unit_test(a__a_loop_of_aliases_ends),
        cmocka_unit_test(a__two_hundred_addresses_come_over_tcp),
        cmocka_unit_test(a__what_udp_truncates_is_asked_over_tcp),
        cmocka_unit_test(cname__of_an_alias_is_the_end_of_the_chain),
        cmocka_unit_test(cname__of_a_name_without_one_is_the_name),
        cmocka_unit_test(cname__a_loop_ends),
        cmocka_unit_test(cname__a_target_that_is_no_host_name_is_told_with_escapes),
        cmocka_unit_test(mx__is_sorted_by_preference),
        cmocka_unit_test(ns__names_end_in_a_dot),
        cmocka_unit_test(txt__strings_of_a_record_are_joined),
        cmocka_unit_test(txt__bytes_that_are_no_text_are_replaced),
        cmocka_unit_test(errors__a_name_that_does_not_exist_is_not_found),
        cmocka_unit_test(errors__the_code_of_the_nameserver_is_told),
        cmocka_unit_test(errors__no_nameserver_is_there),
        cmocka_unit_test(errors__a_silent_nameserver_is_a_timeout_of_its_own),
        cmocka_unit_test(errors__answers_to_other_questions_are_not_taken),
        cmocka_unit_test(errors__requests_that_make_no_sense),
        cmocka_unit_test(decision__without_a_grant_no_query_leaves),
        cmocka_unit_test(decision__a_rule_for_the_name_or_any_host_at_port_53_allows),
        cmocka_unit_test(decision__names_with_underscores_can_be_looked_up),
        cmocka_unit_test(nameserver__a_granted_one_is_asked),
        cmocka_unit_test(nameserver__is_a_connection_that_needs_a_grant),
        cmocka_unit_test(nameserver__a_private_address_is_refused),
        cmocka_unit_test(nameserver__by_name_is_resolved_by_the_system),
        cmocka_unit_test(nameserver__does_not_open_the_hosts_file),
        cmocka_unit_test(nameserver__has_no_say_in_connections),
        cmocka_unit_test(nameserver__that_is_empty_is_the_systems),
        cmocka_unit_test(local__an_address_is_its_own_answer),
        cmocka_unit_test(local__localhost_is_never_asked_about),
        cmocka_unit_test(local__onion_names_do_not_leave),
        cmocka_unit_test(ambient__hostaliases_does_not_count),
        cmocka_unit_test(ambient__cares_hosts_does_not_count),
        cmocka_unit_test(ambient__search_domains_do_not_count),
        cmocka_unit_test(connect__a_name_that_has_no_address_says_why),
        cmocka_unit_test(answers__are_asked_for_again_each_time),
        cmocka_unit_test(cancel__stops_a_lookup_and_no_sibling),
        cmocka_unit_test(deadline__of_the_call_stops_a_lookup),
        cmocka_unit_test(deadline__of_the_request_is_an_error_of_the_response),
        cmocka_unit_test(deadline__of_the_request_ends_the_lookup_of_a_connection),
        cmocka_unit_test(hostile__a_flood_does_not_hold_the_call),
        cmocka_unit_test(hostile__a_reset_connection_is_an_error),
        cmocka_unit_test(hostile__records_that_are_cut_off_are_nonsense),
        cmocka_unit_test(descriptors__are_back_whatever_happened),
        cmocka_unit_test(descriptors__none_left_is_an_error),
        cmocka_unit_test(option__nameservers_are_addresses),
        cmocka_unit_test(option__a_nameserver_that_fails_is_followed_by_the_next),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
