/* http_request: what is asked, each hop of a redirect through the whole guard, and what is answered. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "host/functions.h"
#include "host/http.h"
#include "host/setup.h"

struct http_request {
    const char *method;
    struct reglet__http_url url;
    struct reglet__http_headers headers;
    const char *user_agent;
    const void *body;
    size_t body_size;
    bool follow;
    int64_t redirects, max_redirects; /* followed so far, and at most */
};

/* --- What is asked ---------------------------------------------------------------------------------------- */

static reglet_status read_method(struct reglet__host_request *request, struct http_request *http) {
    static const char *const refused[] = {"CONNECT", "TRACE"};
    const char *method = "GET";
    reglet_status status = reglet__host_get_string(request, "method", false, &method);
    if (status != REGLET_OK)
        return status;
    http->method = *method ? method : "GET";
    size_t size = strlen(http->method);
    if (size > REGLET__MAX_HTTP_METHOD || !reglet__http_is_token(http->method, size))
        return reglet__host_fail(request, "validation", "EINVAL",
                                 "method must be 1 to %d letters, such as GET", (int)REGLET__MAX_HTTP_METHOD);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (strcasecmp(http->method, refused[i]) == 0)
            return reglet__host_fail(request, "validation", "EINVAL", "method %s is not allowed", refused[i]);
    }
    return REGLET_OK;
}

static reglet_status read_url(struct reglet__host_request *request, struct http_request *http) {
    const char *url = NULL, *fault = NULL;
    reglet_status status = reglet__host_get_string(request, "url", true, &url);
    if (status == REGLET_OK)
        status = reglet__http_url_read(&request->arena, url, &http->url, &fault);
    if (status == REGLET_ERR_INVALID_ARGUMENT)
        return reglet__host_fail(request, "validation", "EINVAL", "url \"%.300s\": %s", url, fault);
    return status;
}

static reglet_status read_headers(struct reglet__host_request *request, struct http_request *http) {
    char fault[REGLET__HTTP_FAULT_SIZE];
    reglet_status status = reglet__http_headers_read(&request->arena, reglet__host_get(request, "headers"),
                                                     &http->headers, fault);
    if (status == REGLET_ERR_INVALID_ARGUMENT)
        return reglet__host_fail(request, "validation", "EINVAL", "%s", fault);
    for (size_t i = 0; i < http->headers.count; i++) {
        if (reglet__http_header_is_ours(http->headers.items[i].name))
            reglet__host_say(request, REGLET_LOG_WARN,
                             "http_request: header %s is not the plugin's to set: not sent",
                             http->headers.items[i].name);
    }
    reglet__http_headers_drop(&http->headers, reglet__http_header_is_ours);
    return status;
}

static reglet_status read_body(struct reglet__host_request *request, struct http_request *http) {
    reglet_status status = reglet__host_get_base64(request, "body", &http->body, &http->body_size);
    if (status == REGLET_OK && http->body_size > 0 && strcmp(http->method, "HEAD") == 0)
        return reglet__host_fail(request, "validation", "EINVAL", "body: a HEAD request has none");
    return status;
}

#if defined __x86_64__
#define PLATFORM "linux/amd64"
#elif defined __aarch64__
#define PLATFORM "linux/arm64"
#else
#define PLATFORM "linux"
#endif

/* Ours in front, so that a plugin can add to it and not pass for something else. */
static reglet_status make_user_agent(struct reglet__host_request *request, struct http_request *http) {
    const char *version = request->host->setup->host_version;
    const char *own = reglet__http_headers_get(&http->headers, "User-Agent");
    size_t room = sizeof "Reglet/ (" PLATFORM ") " + strlen(version) + (own ? strlen(own) : 0);
    char *text = reglet__arena_alloc(&request->arena, room);
    if (!text)
        return REGLET_ERR_NO_MEMORY;
    snprintf(text, room, "Reglet/%s (" PLATFORM ")%s%s", version, own && *own ? " " : "", own ? own : "");
    http->user_agent = text;
    return REGLET_OK;
}

static reglet_status read_request(struct reglet__host_request *request, struct http_request *http) {
    reglet_status status = read_method(request, http);
    if (status == REGLET_OK)
        status = read_url(request, http);
    if (status == REGLET_OK)
        status = read_headers(request, http);
    if (status == REGLET_OK)
        status = read_body(request, http);
    if (status == REGLET_OK)
        status = reglet__host_get_bool(request, "follow_redirects", &http->follow);
    if (status == REGLET_OK)
        status = reglet__host_get_int(request, "max_redirects", 0, INT32_MAX, &http->max_redirects);
    if (http->max_redirects > REGLET__MAX_HTTP_REDIRECTS)
        http->max_redirects = REGLET__MAX_HTTP_REDIRECTS;
    return status == REGLET_OK ? make_user_agent(request, http) : status;
}

/* --- Redirects -------------------------------------------------------------------------------------------- */

/* 301, 302 and 303 become GET (HEAD stays); 307 and 308 repeat the request as it is. */
static void change_method(struct http_request *http, long status) {
    if (status == 307 || status == 308)
        return;
    if (strcmp(http->method, "HEAD") != 0)
        http->method = "GET";
    http->body = NULL;
    http->body_size = 0;
    reglet__http_headers_drop(&http->headers, reglet__http_header_describes_body);
}

/* The next request, where the response leads to. What the plugin meant for one origin does not go to another. */
static reglet_status redirect(struct reglet__host_request *request, struct http_request *http,
                              const struct reglet__http_response *response) {
    struct reglet__http_url next;
    const char *fault = NULL;
    if (http->redirects++ == http->max_redirects)
        return reglet__host_fail(request, "network", "EREDIRECT", "stopped after %d redirects",
                                 (int)http->max_redirects);
    reglet_status status =
        reglet__http_url_follow(&request->arena, &http->url, response->location, &next, &fault);
    if (status == REGLET_ERR_INVALID_ARGUMENT)
        return reglet__host_fail(request, "network", "EREDIRECT", "redirect to \"%.300s\" refused: %s",
                                 response->location, fault);
    if (status != REGLET_OK)
        return status;
    change_method(http, response->status);
    if (!reglet__http_url_same_origin(&http->url, &next)) {
        if (http->body_size > 0)
            return reglet__host_fail(request, "network", "EREDIRECT",
                                     "redirect refused: it would send the body to another origin");
        reglet__http_headers_drop(&http->headers, reglet__http_header_stays_in_origin);
    }
    http->url = next;
    return REGLET_OK;
}

/* --- What is answered ------------------------------------------------------------------------------------- */

static reglet_status answer(struct reglet__host_request *request, const struct http_request *http,
                            const struct reglet__http_response *response) {
    reglet_status status = reglet__host_put_int(request, "status_code", response->status);
    if (status == REGLET_OK)
        status = reglet__host_put_string(request, "proto", response->proto);
    if (status == REGLET_OK)
        status = reglet__host_put_string(request, "url", http->url.text);
    if (status == REGLET_OK && !reglet__json_add(&request->arena, request->response, "headers",
                                                 strlen("headers"), response->headers))
        status = REGLET_ERR_NO_MEMORY;
    if (status == REGLET_OK)
        status =
            reglet__host_put_base64(request, "body", response->body.bytes.data, response->body.bytes.size);
    if (status == REGLET_OK && response->body.truncated)
        status = reglet__host_put_bool(request, "body_truncated", true);
    return status == REGLET_OK ? reglet__host_put_latency(request, request->started) : status;
}

/* Decides, connects and transfers. *done: it was answered, and not redirected. */
static reglet_status serve_hop(struct reglet__host_request *request, struct http_request *http, bool *done) {
    struct reglet__target target;
    reglet_status status = reglet__host_target(request, &http->url.endpoint, "SSRF protection", &target);
    if (status != REGLET_OK)
        return status;
    const struct reglet__http_hop hop = {
        .method = http->method,
        .url = &http->url,
        .target = &target,
        .headers = &http->headers,
        .user_agent = http->user_agent,
        .body = http->body,
        .body_size = http->body_size,
        /* A part of a gzip file is none, and a HEAD is about what would be sent to the plugin itself. */
        .gunzip = !reglet__http_headers_get(&http->headers, "Accept-Encoding") &&
                  !reglet__http_headers_get(&http->headers, "Range") && strcmp(http->method, "HEAD") != 0,
        .follow = http->follow,
    };
    struct reglet__http_response response = {.body = REGLET__HTTP_BODY_INIT};
    status = reglet__http_transfer(request, &hop, &response);
    *done = !(http->follow && reglet__http_is_redirect(response.status) && response.location);
    if (status == REGLET_OK)
        status = *done ? answer(request, http, &response) : redirect(request, http, &response);
    reglet__http_body_free(&response.body);
    return status;
}

REGLET__HOST_FUNCTION(http_request) {
    struct http_request http = {.follow = true, .max_redirects = REGLET__MAX_HTTP_REDIRECTS};
    reglet_status status = read_request(request, &http);
    for (bool done = false; status == REGLET_OK && !done;)
        status = serve_hop(request, &http, &done);
    return status;
}
