/* What dns.c does with sockets, and for how long: socket(), sendmsg(), recvfrom() and ppoll() are this test's. */
#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host/dns.h"

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_recvfrom(int fd, void *out, size_t size, int flags, struct sockaddr *from,
                        socklen_t *from_size);
int __wrap_reglet__sys_ppoll(struct pollfd *fds, size_t count, const struct timespec *timeout);

static struct {
    int socket_errno; /* no socket can be made, for this reason */
    unsigned sockets, messages, reads, most_reads;
} seen;

int __wrap_socket(int family, int type, int protocol) {
    assert_true(type & SOCK_CLOEXEC);
    assert_true(type & SOCK_NONBLOCK);
    seen.sockets++;
    errno = seen.socket_errno;
    return seen.socket_errno ? -1 : __real_socket(family, type, protocol);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags) {
    assert_true(flags & MSG_NOSIGNAL);
    seen.messages++;
    return __real_sendmsg(fd, message, flags);
}

/* There is always one more datagram, up to a bound that no reader of ours should come near. */
ssize_t __wrap_recvfrom(int fd, void *out, size_t size, int flags, struct sockaddr *from,
                        socklen_t *from_size) {
    (void)fd;
    (void)flags;
    (void)from;
    (void)from_size;
    if (++seen.reads > seen.most_reads)
        seen.most_reads = seen.reads;
    if (seen.reads > 100 * REGLET__DNS_READS) {
        errno = EAGAIN;
        return -1;
    }
    memset(out, 0, size < 12 ? size : 12);
    return 12;
}

/* There is always something to read. */
int __wrap_reglet__sys_ppoll(struct pollfd *fds, size_t count, const struct timespec *timeout) {
    (void)timeout;
    seen.reads = 0;
    for (size_t i = 0; i < count; i++)
        fds[i].revents = POLLIN;
    return (int)count;
}

static reglet_status ask(struct reglet__question *question) {
    const struct reglet__nameservers servers = {.list = {{.address = {.bytes = {127, 0, 0, 1}}, .port = 9}},
                                                .count = 1};
    struct reglet__quotas quotas;
    memset(&quotas, 0, sizeof quotas);
    memset(quotas.limits, 0xff, sizeof quotas.limits); /* unlimited */
    struct reglet__host host = {.quotas = &quotas};
    struct reglet__host_request request = {
        .host = &host,
        .interrupt = {.deadline = reglet__deadline_after_ms(100)},
    };
    reglet_status status = reglet__dns_ask(&request, &servers, "a.test", question, 1);
    reglet__arena_free(&request.arena);
    return status;
}

/* The attack: datagrams that never stop keep c-ares reading, past every deadline. */
static void flood__the_deadline_is_looked_at_between_reads(void **state) {
    (void)state;
    struct reglet__question question = {.type = ns_t_a};
    assert_int_equal(ask(&question), REGLET_ERR_TIMEOUT);
    assert_int_equal(seen.most_reads, REGLET__DNS_READS);
    assert_true(seen.sockets > 0);
    assert_true(seen.messages > 0);
}

static void sockets__without_a_descriptor_it_is_the_host_that_fails(void **state) {
    (void)state;
    struct reglet__question question = {.type = ns_t_a};
    seen.socket_errno = EMFILE;
    assert_int_equal(ask(&question), REGLET_ERR_IO);
    seen.socket_errno = EAFNOSUPPORT;
    assert_int_equal(ask(&question), REGLET_OK);
    assert_string_equal(reglet__dns_outcome(question.status).code, "ECONNREFUSED");
}

/* The attack: with no descriptor left, a name that the hosts file has looks like one that it does not have. */
static void hosts__without_a_descriptor_it_is_the_host_that_fails(void **state) {
    (void)state;
    struct reglet__address found[2];
    size_t count = 0;
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    few = (struct rlimit){.rlim_cur = (rlim_t)lowest, .rlim_max = before.rlim_max};
    close(lowest);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    reglet_status status = reglet__dns_hosts("a.test", found, 2, &count);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, REGLET_ERR_IO);
}

static int forget(void **state) {
    (void)state;
    memset(&seen, 0, sizeof seen);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(flood__the_deadline_is_looked_at_between_reads, forget),
        cmocka_unit_test_setup(sockets__without_a_descriptor_it_is_the_host_that_fails, forget),
        cmocka_unit_test_setup(hosts__without_a_descriptor_it_is_the_host_that_fails, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
