/*
 * Names by the system's own configuration: /etc/resolv.conf and /etc/hosts are this test's, in namespaces of its own, where
 * the DNS server of tests/servers has port 53. Skipped where the kernel allows no namespaces.
 */
#define _GNU_SOURCE
#include "tests/integration/servers.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SKIPPED = 77, SLACK_MS = 1000 };

static struct servers *servers;

/* --- The machine that the test sees ---------------------------------------------------------------------- */

/* Everything but the nameserver is to be ignored. */
static const char resolv_conf[] = "# comment\n"
                                  "domain example.test\n"
                                  "search example.test org\n"
                                  "options ndots:15 timeout:1 attempts:9 use-vc rotate\n"
                                  "sortlist 127.0.0.0/8\n"
                                  "lookup bind\n"
                                  "nameserver 127.0.0.1\n";

static const char hosts[] = "127.0.0.1 localhost\n"
                            "::1 localhost ip6-localhost\n"
                            "10.1.2.3 db.internal db # the database\n"
                            "fd00::3 db.internal\n"
                            "10.1.2.4 DB.internal\n"
                            "192.0.2.7 single.example.test\n"
                            "10.9.9.9 tunnel.localhost\n"
                            "127.0.0.1 web.internal\n"
                            "not-an-address broken.internal\n"
                            "999.1.1.1 broken.internal\n";

static const char nsswitch[] = "hosts: dns [NOTFOUND=return] files\n";

static bool write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return written;
}

/* A file of our own in the place of another, in this mount namespace. */
static bool put_over(const char *path, const char *text) {
    char own[] = "/tmp/dns_system_test-XXXXXX";
    int fd = mkstemp(own);
    if (fd < 0)
        return false;
    close(fd);
    bool done = write_file(own, text) && mount(own, path, NULL, MS_BIND, NULL) == 0;
    unlink(own);
    return done;
}

static bool raise_loopback(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool done = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    if (fd >= 0)
        close(fd);
    return done;
}

/* Root in namespaces of its own: of users too, where this process is not root already. */
static bool enter_namespaces(void) {
    char map[64];
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0)
            return false;
        snprintf(map, sizeof map, "0 %u 1\n", uid);
        if (!write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", map))
            return false;
        snprintf(map, sizeof map, "0 %u 1\n", gid);
        if (!write_file("/proc/self/gid_map", map))
            return false;
    }
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && raise_loopback() &&
           put_over("/etc/resolv.conf", resolv_conf) && put_over("/etc/hosts", hosts) &&
           (access("/etc/nsswitch.conf", F_OK) != 0 || put_over("/etc/nsswitch.conf", nsswitch));
}

/* Another resolv.conf, for one test. */
static void set_resolv_conf(const char *text) {
    assert_true(write_file("/etc/resolv.conf", text));
}

/* --- One plugin under some grants ------------------------------------------------------------------------ */

static char *ask(const char *grant, const char *request) {
    const reglet_grant grants[] = {{"relay", grant}, {"relay", "network:outbound:private"}};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = grants;
    options.grant_count = 2;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "relay");
    servers_reset(servers);
    char *response = relay(plugin, "dns_lookup", "%s", request);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    return response;
}

static void expect_records(const char *hostname, const char *type, const char *records) {
    char request[256];
    snprintf(request, sizeof request, "{'hostname':'%s','type':'%s'}", hostname, type);
    char *response = ask("network:outbound:53", request);
    expect_member(response, "/error", NULL);
    expect_member(response, "/records", records);
    free(response);
}

static void expect_code(const char *hostname, const char *type, const char *code) {
    char request[256];
    snprintf(request, sizeof request, "{'hostname':'%s','type':'%s'}", hostname, type);
    char *response = ask("network:outbound:53", request);
    expect_member(response, "/error/code", code);
    free(response);
}

static void expect_no_query(void) {
    char *log = servers_log(servers);
    expect_member(log, "/queries", "[]");
    free(log);
}

/* --- Tests ----------------------------------------------------------------------------------------------- */

static void resolv_conf__its_nameserver_is_asked(void **state) {
    (void)state;
    expect_records("several.example.test", "A", "[\"93.184.216.34\",\"93.184.216.35\",\"93.184.216.36\"]");
}

static void resolv_conf__search_domains_and_options_do_not_count(void **state) {
    (void)state;
    expect_code("alias", "A", "ENOTFOUND");
    assert_int_equal(servers_queries(servers, "alias.example.test"), 0);
    assert_int_equal(servers_queries(servers, "alias"), 1);
    assert_int_equal(servers_connections(servers, "dns"), 0); /* use-vc */
    int64_t began_ms = now_ms();
    expect_code("silent.example.test", "A", "ETIMEDOUT");
    assert_in_range(now_ms() - began_ms, 5900, 6000 + SLACK_MS);
    assert_int_equal(servers_queries(servers, "silent.example.test"), 2);
}

static void resolv_conf__the_first_three_nameservers_count(void **state) {
    (void)state;
    set_resolv_conf(
        "nameserver 127.0.0.2\nnameserver 127.0.0.3\nnameserver 127.0.0.1\n"); /* nobody is at two */
    expect_records("www.example.org", "A", "[\"93.184.216.34\"]");
    set_resolv_conf(
        "nameserver 127.0.0.2\nnameserver 127.0.0.3\nnameserver 127.0.0.4\nnameserver 127.0.0.1\n");
    expect_code("www.example.org", "A", "ECONNREFUSED");
    set_resolv_conf(resolv_conf);
}

static void resolv_conf__without_one_this_machine_is_asked(void **state) {
    (void)state;
    set_resolv_conf("search example.test\n");
    expect_records("www.example.org", "A", "[\"93.184.216.34\"]");
    set_resolv_conf(resolv_conf);
}

static void hosts__addresses_come_from_there_and_no_query_leaves(void **state) {
    (void)state;
    expect_records("db.internal", "A", "[\"10.1.2.3\",\"10.1.2.4\"]");
    expect_no_query();
    expect_records("DB.Internal.", "AAAA", "[\"fd00::3\"]");
    expect_no_query();
    expect_records("single.example.test", "A", "[\"192.0.2.7\"]"); /* the nameserver knows another */
    expect_no_query();
}

static void hosts__a_name_without_that_family_has_no_records(void **state) {
    (void)state;
    expect_records("db", "AAAA", "[]");
    expect_no_query();
}

static void hosts__say_nothing_about_other_types(void **state) {
    (void)state;
    expect_code("db.internal", "TXT", "ENOTFOUND");
    assert_int_equal(servers_queries(servers, "db.internal"), 1);
}

static void hosts__lines_that_make_no_sense_are_skipped(void **state) {
    (void)state;
    expect_code("broken.internal", "A", "ENOTFOUND");
    expect_code("comment", "A", "ENOTFOUND");
}

static void hosts__have_the_word_on_localhost(void **state) {
    (void)state;
    expect_records("localhost", "A", "[\"127.0.0.1\"]");
    expect_records("localhost", "AAAA", "[\"::1\"]");
    expect_records("tunnel.localhost", "A", "[\"10.9.9.9\"]");
    expect_records("other.localhost", "A", "[\"127.0.0.1\"]");
    expect_no_query();
}

static void hosts__names_in_them_can_be_connected_to(void **state) {
    (void)state;
    char grant[64];
    snprintf(grant, sizeof grant, "network:outbound:web.internal:%d", servers_port(servers, "http"));
    const reglet_grant grants[] = {{"relay", grant}, {"relay", "network:outbound:private"}};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = grants;
    options.grant_count = 2;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "relay");
    servers_reset(servers);
    char *response =
        relay(plugin, "tcp_connect", "{'host':'web.internal','port':'%d'}", servers_port(servers, "http"));
    expect_member(response, "/connected", "true");
    expect_no_query();
    free(response);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

static void nameserver__without_a_port_is_asked_at_53(void **state) {
    (void)state;
    char *response = ask("network:outbound:127.0.0.1:53",
                         "{'hostname':'www.example.org','type':'A','nameserver':'127.0.0.1'}");
    expect_member(response, "/records", "[\"93.184.216.34\"]");
    free(response);
}

/* The attack: the hosts file read by way of a nameserver that knows nothing of it. */
static void nameserver__of_its_own_does_not_open_the_hosts_file(void **state) {
    (void)state;
    static const char request[] = "{'hostname':'db.internal','type':'A','nameserver':'127.0.0.1:53'}";
    char *response = ask("network:outbound:127.0.0.1:53", request);
    expect_member(response, "/error/code", "ENOTFOUND");
    assert_int_equal(servers_queries(servers, "db.internal"), 1);
    free(response);
    /* With a grant to look the name up, it is as without a nameserver. */
    response = ask("network:outbound:53", request);
    expect_member(response, "/records", "[\"10.1.2.3\",\"10.1.2.4\"]");
    free(response);
}

static int start(void **state) {
    (void)state;
    static const char *const arguments[] = {"--port", "dns=53", NULL};
    servers = servers_start_with(arguments);
    return 0;
}

static int stop(void **state) {
    (void)state;
    servers_stop(servers);
    return 0;
}

int main(void) {
    if (!enter_namespaces()) {
        printf("skipped: this machine allows no namespaces of its own to a test (%s)\n", strerror(errno));
        return SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resolv_conf__its_nameserver_is_asked),
        cmocka_unit_test(resolv_conf__search_domains_and_options_do_not_count),
        cmocka_unit_test(resolv_conf__the_first_three_nameservers_count),
        cmocka_unit_test(resolv_conf__without_one_this_machine_is_asked),
        cmocka_unit_test(hosts__addresses_come_from_there_and_no_query_leaves),
        cmocka_unit_test(hosts__a_name_without_that_family_has_no_records),
        cmocka_unit_test(hosts__say_nothing_about_other_types),
        cmocka_unit_test(hosts__lines_that_make_no_sense_are_skipped),
        cmocka_unit_test(hosts__have_the_word_on_localhost),
        cmocka_unit_test(hosts__names_in_them_can_be_connected_to),
        cmocka_unit_test(nameserver__without_a_port_is_asked_at_53),
        cmocka_unit_test(nameserver__of_its_own_does_not_open_the_hosts_file),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
