#define _GNU_SOURCE
#include "tests/integration/namespace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* As in linux/ipv6.h, which cannot be included along with the C library's headers. */
struct address6_request {
    struct in6_addr address;
    uint32_t prefix;
    int interface;
};

static bool write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return written;
}

/* Whoever is not root may have a network of his own within a user namespace, where he is root. */
static bool unshare_network(void) {
    char map[64];
    uid_t uid = getuid();
    gid_t gid = getgid();
    if (unshare(CLONE_NEWNET) == 0)
        return true;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return false;
    snprintf(map, sizeof map, "0 %u 1", uid);
    bool mapped = write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "0 %u 1", gid);
    return mapped && write_file("/proc/self/gid_map", map);
}

static bool bring_up(int fd) {
    struct ifreq request = {.ifr_name = "lo"};
    if (ioctl(fd, SIOCGIFFLAGS, &request) != 0)
        return false;
    request.ifr_flags |= IFF_UP;
    return ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

static bool add_ipv4(int fd, const char *text, int number) {
    struct ifreq request = {0};
    struct sockaddr_in address = {.sin_family = AF_INET};
    snprintf(request.ifr_name, sizeof request.ifr_name, "lo:%d", number);
    if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
        return false;
    memcpy(&request.ifr_addr, &address, sizeof address);
    if (ioctl(fd, SIOCSIFADDR, &request) != 0)
        return false;
    memset(&address.sin_addr, 0xff, sizeof address.sin_addr);
    memcpy(&request.ifr_netmask, &address, sizeof address);
    return ioctl(fd, SIOCSIFNETMASK, &request) == 0;
}

static bool add_ipv6(const char *text) {
    struct address6_request request = {.prefix = 128, .interface = (int)if_nametoindex("lo")};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool added =
        fd >= 0 && inet_pton(AF_INET6, text, &request.address) == 1 && ioctl(fd, SIOCSIFADDR, &request) == 0;
    if (fd >= 0)
        close(fd);
    return added;
}

bool namespace_enter(const char *const addresses[]) {
    bool done = unshare_network();
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    done = done && fd >= 0 && bring_up(fd);
    for (int i = 0; done && addresses[i]; i++)
        done = strchr(addresses[i], ':') ? add_ipv6(addresses[i]) : add_ipv4(fd, addresses[i], i + 1);
    if (!done)
        fprintf(stderr, "skipped: no network namespace: %s\n", strerror(errno));
    if (fd >= 0)
        close(fd);
    return done;
}
