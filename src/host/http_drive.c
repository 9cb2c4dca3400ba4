/*
 * Runs a libcurl transfer by the library's one way to wait. libcurl says which sockets it wants to hear of and when it wants
 * to be called at the latest; it never waits itself.
 */
#include <curl/curl.h>
#include <string.h>

#include "host/http.h"

REGLET_DEFINE_CLEANUP(CURLM *, curl_multi_cleanup);

struct drive {
    struct pollfd fds[REGLET__HTTP_SOCKETS];
    size_t count;
    int64_t wake; /* when libcurl wants to be called, or REGLET__NEVER */
};

static short poll_events(int what) {
    return (short)((what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0));
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *unused) {
    (void)easy;
    (void)unused;
    struct drive *drive = user;
    size_t i = 0;
    while (i < drive->count && drive->fds[i].fd != fd)
        i++;
    if (what == CURL_POLL_REMOVE) {
        if (i < drive->count)
            drive->fds[i] = drive->fds[--drive->count];
        return 0;
    }
    if (i == REGLET__HTTP_SOCKETS)
        return -1;
    drive->fds[i] = (struct pollfd){.fd = fd, .events = poll_events(what)};
    drive->count += i == drive->count;
    return 0;
}

static int on_timer(CURLM *multi, long milliseconds, void *user) {
    (void)multi;
    struct drive *drive = user;
    drive->wake = milliseconds < 0 ? REGLET__NEVER : reglet__deadline_after_ms(milliseconds);
    return 0;
}

static int curl_events(short revents) {
    return (revents & (POLLIN | POLLHUP) ? CURL_CSELECT_IN : 0) | (revents & POLLOUT ? CURL_CSELECT_OUT : 0) |
           (revents & (POLLERR | POLLNVAL) ? CURL_CSELECT_ERR : 0);
}

/* Tells libcurl what happened; what it wants next may change with every call. */
static CURLMcode act(CURLM *multi, struct drive *drive, const struct pollfd *fds, size_t count,
                     int *running) {
    CURLMcode code = CURLM_OK;
    for (size_t i = 0; i < count && code == CURLM_OK; i++) {
        if (fds[i].revents)
            code = curl_multi_socket_action(multi, fds[i].fd, curl_events(fds[i].revents), running);
    }
    if (code == CURLM_OK && reglet__now() >= drive->wake) {
        drive->wake = REGLET__NEVER;
        code = curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, running);
    }
    return code;
}

static reglet_status run(struct reglet__host_request *request, CURLM *multi, struct drive *drive) {
    int running = 1, ready = 0;
    CURLMcode code = curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    while (code == CURLM_OK && running > 0) {
        struct pollfd fds[REGLET__HTTP_SOCKETS];
        size_t count = drive->count;
        memcpy(fds, drive->fds, sizeof fds);
        reglet_status status = reglet__host_wait(request, fds, count, drive->wake, &ready);
        if (status != REGLET_OK)
            return status;
        code = act(multi, drive, fds, count, &running);
    }
    return code == CURLM_OK ? REGLET_OK : code == CURLM_OUT_OF_MEMORY ? REGLET_ERR_NO_MEMORY : REGLET_ERR_IO;
}

static bool set_up(CURLM *multi, struct drive *drive) {
    return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, drive) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERDATA, drive) == CURLM_OK;
}

/* A multi handle holds connections, sessions and names; so each transfer has its own. */
reglet_status reglet__http_drive(struct reglet__host_request *request, void *easy, int *code) {
    struct drive drive = {.wake = REGLET__NEVER};
    _cleanup_(curl_multi_cleanup_p)
    CURLM *multi = curl_multi_init();
    if (!multi || !set_up(multi, &drive) || curl_multi_add_handle(multi, easy) != CURLM_OK)
        return REGLET_ERR_NO_MEMORY;
    reglet_status status = run(request, multi, &drive);
    int left;
    const CURLMsg *message = status == REGLET_OK ? curl_multi_info_read(multi, &left) : NULL;
    if (status == REGLET_OK)
        *code = message ? (int)message->data.result : (int)CURLE_FAILED_INIT;
    curl_multi_remove_handle(multi, easy);
    return status;
}
