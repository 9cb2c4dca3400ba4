#define _GNU_SOURCE
#include "host/dns.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/uio.h>

#include "util/cleanup.h"

/* ares_library_init() is not called: it is for Windows, and not safe in a process with other threads. */

/* Some questions being asked. */
struct reglet__asking {
    struct reglet__host_request *request;
    ares_channel channel;
    size_t open;        /* questions without a status */
    unsigned reads;     /* left until the deadline is looked at again */
    bool no_descriptor; /* a socket could not be made */
};

REGLET_DEFINE_CLEANUP(ares_channel, ares_destroy);

/* --- Sockets ---------------------------------------------------------------------------------------------
 *
 * c-ares's own would be close-on-exec a moment too late, and raise SIGPIPE. And it reads for as long as datagrams come: a
 * nameserver that never stops sending would hold the call beyond its deadline. */

static ares_socket_t open_socket(int family, int type, int protocol, void *user_data) {
    struct reglet__asking *asking = user_data;
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        asking->no_descriptor = true;
    return fd;
}

static int close_socket(ares_socket_t fd, void *user_data) {
    (void)user_data;
    return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *address, ares_socklen_t size,
                          void *user_data) {
    (void)user_data;
    return connect(fd, address, size);
}

static ares_ssize_t receive(ares_socket_t fd, void *out, size_t size, int flags, struct sockaddr *from,
                            ares_socklen_t *from_size, void *user_data) {
    struct reglet__asking *asking = user_data;
    if (asking->reads == 0) {
        errno = EAGAIN;
        return -1;
    }
    asking->reads--;
    ssize_t count = recvfrom(fd, out, size, flags, from, from_size);
    if (count <= 0 || reglet__host_received(asking->request, (uint64_t)count) == REGLET_OK)
        return count;
    errno = ECONNRESET;
    return -1;
}

static ares_ssize_t send_parts(ares_socket_t fd, const struct iovec *parts, int count, void *user_data) {
    const struct reglet__asking *asking = user_data;
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count};
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    if (reglet__host_may_send(asking->request, size) != REGLET_OK) {
        errno = EPIPE;
        return -1;
    }
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (sent > 0)
        (void)reglet__host_sent(asking->request, (uint64_t)sent);
    return sent;
}

static const struct ares_socket_functions socket_functions = {
    .asocket = open_socket,
    .aclose = close_socket,
    .aconnect = connect_socket,
    .arecvfrom = receive,
    .asendv = send_parts,
};

/* --- A channel ------------------------------------------------------------------------------------------- */

static reglet_status as_status(int status) {
    return status == ARES_SUCCESS ? REGLET_OK : status == ARES_ENOMEM ? REGLET_ERR_NO_MEMORY : REGLET_ERR_IO;
}

/*
 * Whatever is not given here c-ares reads from LOCALDOMAIN, RES_OPTIONS, /etc/resolv.conf, /etc/nsswitch.conf, or the host's
 * own name. `lookups`: "b" nameservers, "f" the hosts file.
 */
static reglet_status open_channel(const char *lookups, int flags, bool system_servers, ares_channel *out) {
    struct ares_options options = {.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | flags,
                                   .timeout = REGLET__DNS_TIMEOUT_MS,
                                   .tries = REGLET__DNS_TRIES,
                                   .ndots = 1,
                                   .lookups = (char *)(uintptr_t)lookups};
    int given = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_DOMAINS |
                ARES_OPT_LOOKUPS | ARES_OPT_SORTLIST | ARES_OPT_NOROTATE;
    return as_status(ares_init_options(out, &options, system_servers ? given : given | ARES_OPT_SERVERS));
}

static reglet_status use_servers(ares_channel channel, const struct reglet__nameservers *servers) {
    struct ares_addr_port_node nodes[REGLET__MAX_NAMESERVERS] = {0};
    for (size_t i = 0; i < servers->count; i++) {
        const struct reglet__address *address = &servers->list[i].address;
        nodes[i].family = address->is_ipv6 ? AF_INET6 : AF_INET;
        memcpy(&nodes[i].addr, address->bytes, address->is_ipv6 ? 16 : 4);
        nodes[i].udp_port = nodes[i].tcp_port = servers->list[i].port;
        nodes[i].next = i + 1 < servers->count ? &nodes[i + 1] : NULL;
    }
    return as_status(ares_set_servers_ports(channel, nodes));
}

/* Each of the system's nameservers costs time when it is silent, and descriptors: as elsewhere, the first few count. */
static reglet_status drop_excess_servers(ares_channel channel) {
    struct ares_addr_port_node *nodes = NULL, *last, *excess;
    int status = ares_get_servers_ports(channel, &nodes);
    if (status != ARES_SUCCESS)
        return as_status(status);
    last = nodes;
    for (int i = 1; last && i < REGLET__MAX_NAMESERVERS; i++)
        last = last->next;
    if (last && last->next) {
        excess = last->next;
        last->next = NULL;
        status = ares_set_servers_ports(channel, nodes);
        last->next = excess;
    }
    ares_free_data(nodes);
    return as_status(status);
}

/* --- Asking ---------------------------------------------------------------------------------------------- */

static void on_answer(void *arg, int status, int timeouts, unsigned char *answer, int size) {
    struct reglet__question *question = arg;
    struct reglet__asking *asking = take_ptr(question->asking);
    (void)timeouts;
    asking->open--;
    question->status = status;
    if (!answer)
        return;
    question->answer = (unsigned char *)reglet__arena_copy(&asking->request->arena, answer, (size_t)size);
    question->size = size;
    if (!question->answer)
        question->status = ARES_ENOMEM;
    else if (status == ARES_SUCCESS && (question->answer[3] & 0x0f) != ns_r_noerror)
        question->status = ARES_EBADRESP; /* a code that c-ares has no name for */
}

static int64_t next_timeout(ares_channel channel) {
    struct timeval left;
    if (!ares_timeout(channel, NULL, &left))
        return REGLET__NEVER;
    return reglet__now() + (int64_t)left.tv_sec * REGLET__NS_PER_S + (int64_t)left.tv_usec * 1000;
}

/* Waits for the sockets or for c-ares's next timeout, and has c-ares go on. */
static reglet_status step(struct reglet__asking *asking) {
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    struct pollfd fds[ARES_GETSOCK_MAXNUM];
    int wanted = ares_getsock(asking->channel, sockets, ARES_GETSOCK_MAXNUM), ready = 0;
    size_t count = 0;
    for (; count < ARES_GETSOCK_MAXNUM; count++) {
        bool read = ARES_GETSOCK_READABLE(wanted, count) != 0,
             write = ARES_GETSOCK_WRITABLE(wanted, count) != 0;
        if (!read && !write)
            break;
        fds[count] = (struct pollfd){.fd = sockets[count],
                                     .events = (short)((read ? POLLIN : 0) | (write ? POLLOUT : 0))};
    }
    reglet_status status =
        reglet__host_wait(asking->request, fds, count, next_timeout(asking->channel), &ready);
    if (status != REGLET_OK)
        return status;
    asking->reads = REGLET__DNS_READS;
    for (size_t i = 0; i < count; i++) {
        bool read = fds[i].revents & (POLLIN | POLLERR | POLLHUP), write = fds[i].revents & POLLOUT;
        if (read || write)
            ares_process_fd(asking->channel, read ? fds[i].fd : ARES_SOCKET_BAD,
                            write ? fds[i].fd : ARES_SOCKET_BAD);
    }
    if (ready == 0)
        ares_process_fd(asking->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    return REGLET_OK;
}

static reglet_status ask(struct reglet__host_request *request, const struct reglet__nameservers *servers,
                         int flags, const char *name, struct reglet__question *questions, size_t count) {
    struct reglet__asking asking = {.request = request, .open = count};
    /* Destroyed before `asking` and the questions are gone: it tells those that are open. */
    _cleanup_(ares_destroy_p)
    ares_channel channel = NULL;
    reglet_status status = open_channel("b", flags, servers->count == 0, &channel);
    if (status == REGLET_OK)
        status = servers->count > 0 ? use_servers(channel, servers) : drop_excess_servers(channel);
    if (status != REGLET_OK)
        return status;
    asking.channel = channel;
    ares_set_socket_functions(channel, &socket_functions, &asking);
    for (size_t i = 0; i < count; i++) {
        questions[i].asking = &asking;
        questions[i].answer = NULL;
        ares_query(channel, name, ns_c_in, (int)questions[i].type, on_answer, &questions[i]);
    }
    while (asking.open > 0 && !request->ended && status == REGLET_OK)
        status = step(&asking);
    if (request->ended) /* by its quota, for which c-ares has other explanations */
        return REGLET__HOST_ANSWERED;
    for (size_t i = 0; i < count && status == REGLET_OK; i++) {
        if (questions[i].status == ARES_ENOMEM)
            status = REGLET_ERR_NO_MEMORY;
        else if (questions[i].status == ARES_ECONNREFUSED && asking.no_descriptor)
            status = REGLET_ERR_IO;
    }
    return status;
}

/*
 * c-ares tries the next nameserver when one fails or refuses, which is wanted; but when all have, it says that none could be
 * reached. Then they are asked again, and what the first one says is taken.
 */
reglet_status reglet__dns_ask(struct reglet__host_request *request, const struct reglet__nameservers *servers,
                              const char *name, struct reglet__question *questions, size_t count) {
    reglet_status status = ask(request, servers, 0, name, questions, count);
    for (size_t i = 0; i < count && status == REGLET_OK; i++) {
        if (questions[i].status == ARES_ECONNREFUSED)
            status = ask(request, servers, ARES_FLAG_NOCHECKRESP, name, &questions[i], 1);
    }
    return status;
}

struct reglet__dns_outcome reglet__dns_outcome(int status) {
    static const struct {
        int status;
        struct reglet__dns_outcome outcome;
    } table[] = {
        {ARES_SUCCESS, {REGLET__DNS_FOUND, NULL, "found"}},
        {ARES_ENODATA, {REGLET__DNS_FOUND, NULL, "the name has no such records"}},
        {ARES_ENOTFOUND, {REGLET__DNS_NOT_FOUND, "ENOTFOUND", "no such name"}},
        {ARES_ETIMEOUT, {REGLET__DNS_TIMEOUT, "ETIMEDOUT", "no nameserver answered in time"}},
        {ARES_ESERVFAIL, {REGLET__DNS_FAILED, "ESERVFAIL", "the nameserver failed (SERVFAIL)"}},
        {ARES_EREFUSED, {REGLET__DNS_FAILED, "EREFUSED", "the nameserver refused to answer (REFUSED)"}},
        {ARES_EFORMERR, {REGLET__DNS_FAILED, "EFORMERR", "the nameserver did not understand (FORMERR)"}},
        {ARES_ENOTIMP, {REGLET__DNS_FAILED, "ENOTIMP", "the nameserver cannot answer that (NOTIMP)"}},
        {ARES_ECONNREFUSED, {REGLET__DNS_FAILED, "ECONNREFUSED", "no nameserver could be reached"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].status == status)
            return table[i].outcome;
    return (struct reglet__dns_outcome){REGLET__DNS_FAILED, "EBADRESP",
                                        "the nameserver's answer makes no sense"};
}

reglet_status reglet__dns_fail(struct reglet__host_request *request, const char *name,
                               const struct reglet__dns_outcome *outcome) {
    switch (outcome->kind) {
    case REGLET__DNS_FOUND: return REGLET_OK;
    case REGLET__DNS_NOT_FOUND:
        return reglet__host_fail_not_found(request, "network", outcome->code, "look up %s: %s", name,
                                           outcome->what);
    case REGLET__DNS_TIMEOUT:
        return reglet__host_fail_timeout(request, "network", "look up %s: %s", name, outcome->what);
    case REGLET__DNS_FAILED: break;
    }
    return reglet__host_fail(request, "network", outcome->code, "look up %s: %s", name, outcome->what);
}

/* --- Addresses ------------------------------------------------------------------------------------------- */

int reglet__dns_addresses(struct reglet__host_request *request, const struct reglet__question *question,
                          struct reglet__address *out, size_t room, size_t *count) {
    bool is_ipv6 = question->type == ns_t_aaaa;
    struct ares_addr6ttl *found6 = reglet__arena_alloc(&request->arena, room * sizeof *found6);
    struct ares_addrttl *found4 = (struct ares_addrttl *)found6; /* the smaller one */
    int found = (int)room, status = ARES_ENOMEM;
    *count = 0;
    if (!found6)
        return status;
    status = is_ipv6 ? ares_parse_aaaa_reply(question->answer, question->size, NULL, found6, &found)
                     : ares_parse_a_reply(question->answer, question->size, NULL, found4, &found);
    if (status == ARES_ENODATA)
        return ARES_SUCCESS;
    for (int i = 0; status == ARES_SUCCESS && i < found; i++)
        out[(*count)++] = reglet__address_from_bytes(
            is_ipv6 ? (const void *)&found6[i].ip6addr : (const void *)&found4[i].ipaddr, is_ipv6);
    return status;
}

/* --- The hosts file -------------------------------------------------------------------------------------- */

bool reglet__dns_is_localhost(const char *name) {
    static const char top[] = "localhost";
    size_t size = strlen(name), top_size = sizeof top - 1;
    return size >= top_size && strcmp(name + size - top_size, top) == 0 &&
           (size == top_size || name[size - top_size - 1] == '.');
}

struct hosts_entry {
    struct reglet__address *out;
    size_t room, count;
    int status;
};

static void on_hosts(void *arg, int status, int timeouts, struct ares_addrinfo *found) {
    struct hosts_entry *entry = arg;
    (void)timeouts;
    entry->status = status;
    if (!found)
        return;
    for (struct ares_addrinfo_node *node = found->nodes; node && entry->count < entry->room;
         node = node->ai_next) {
        bool is_ipv6 = node->ai_family == AF_INET6;
        const void *bytes = is_ipv6 ? (const void *)&((struct sockaddr_in6 *)(void *)node->ai_addr)->sin6_addr
                                    : (const void *)&((struct sockaddr_in *)(void *)node->ai_addr)->sin_addr;
        entry->out[entry->count++] = reglet__address_from_bytes(bytes, is_ipv6);
    }
    ares_freeaddrinfo(found);
}

/* c-ares takes a file that it cannot open for one without the name; and a nameserver is not to be asked about a name in it
 * just because there is no descriptor left. */
static reglet_status look_for_descriptor(void) {
    _cleanup_fd_ int fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
    return fd < 0 && (errno == EMFILE || errno == ENFILE) ? REGLET_ERR_IO : REGLET_OK;
}

reglet_status reglet__dns_hosts(const char *name, struct reglet__address *out, size_t room, size_t *count) {
    struct hosts_entry entry = {.out = out, .room = room};
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT};
    _cleanup_(ares_destroy_p)
    ares_channel channel = NULL;
    reglet_status status = look_for_descriptor();
    if (status == REGLET_OK)
        status = open_channel("f", 0, false, &channel);
    if (status != REGLET_OK)
        return status;
    ares_getaddrinfo(channel, name, NULL, &hints, on_hosts, &entry);
    if (entry.status == ARES_ENOMEM)
        return REGLET_ERR_NO_MEMORY;
    if (entry.count == 0 && reglet__dns_is_localhost(name) && room >= 2) {
        entry.out[entry.count++] =
            reglet__address_from_bytes(&(struct in_addr){htonl(INADDR_LOOPBACK)}, false);
        entry.out[entry.count++] = reglet__address_from_bytes(&in6addr_loopback, true);
    }
    *count = entry.count;
    return REGLET_OK;
}
