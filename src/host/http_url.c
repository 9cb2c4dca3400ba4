/*
 * URLs of http_request. libcurl's parser reads them, in front of it stands what no two parsers agree about, and behind it
 * the policy's own reading of hosts and ports. What is sent to is made of what was judged.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "host/http.h"

REGLET_DEFINE_CLEANUP(CURLU *, curl_url_cleanup);
REGLET_DEFINE_CLEANUP(char *, curl_free);
#define _cleanup_url_  _cleanup_(curl_url_cleanup_p)
#define _cleanup_part_ _cleanup_(curl_free_p)

static reglet_status refuse(const char **fault, const char *what) {
    *fault = what;
    return REGLET_ERR_INVALID_ARGUMENT;
}

static reglet_status refuse_code(const char **fault, CURLUcode code) {
    if (code == CURLUE_OUT_OF_MEMORY)
        return REGLET_ERR_NO_MEMORY;
    return refuse(fault, code == CURLUE_USER_NOT_ALLOWED ? "a URL here has no user and no password"
                                                         : curl_url_strerror(code));
}

/* --- Before parsing --------------------------------------------------------------------------------------- */

/* A tab or a line break that one parser drops, a backslash that another takes for a slash, a fullwidth digit. */
static const char *forbidden_character(const char *text) {
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c <= ' ' || *c == 0x7F)
            return "spaces and control characters cannot stand in a URL; write them as %XX";
        if (*c == '\\')
            return "a backslash cannot stand in a URL; write it as %5C";
        if (*c >= 0x80)
            return "a URL is ASCII: write other characters as %XX, and a host name of another script as xn--…";
    }
    return NULL;
}

static enum reglet__scheme scheme_of(const char *text, size_t *size) {
    static const struct {
        const char *prefix;
        enum reglet__scheme scheme;
    } schemes[] = {{"http://", REGLET__SCHEME_HTTP}, {"https://", REGLET__SCHEME_HTTPS}};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        *size = strlen(schemes[i].prefix);
        if (strncasecmp(text, schemes[i].prefix, *size) == 0)
            return schemes[i].scheme;
    }
    return REGLET__SCHEME_NONE;
}

/* --- After parsing ---------------------------------------------------------------------------------------- */

/*
 * libcurl takes 127.1, 0x7f.1 and %31 in a host for what they might mean, and drops zone ids. So the policy reads what is
 * written, and that must be what libcurl read.
 */
static const char *read_authority(const char *written, const char *host, const char *port,
                                  struct reglet__endpoint *out) {
    struct reglet__endpoint seen = *out;
    size_t size = strcspn(written, "/?#");
    const char *wrong =
        port ? reglet__endpoint_parse(written, size, out) : reglet__endpoint_host(written, size, out);
    if (!wrong)
        wrong = reglet__endpoint_host(host, strlen(host), &seen);
    if (!wrong && port)
        wrong = reglet__endpoint_port(port, strlen(port), &seen.port);
    if (wrong)
        return wrong;
    if (!port)
        out->port = seen.port = out->scheme == REGLET__SCHEME_HTTPS ? 443 : 80;
    bool same = strcmp(out->name, seen.name) == 0 && out->port == seen.port &&
                out->address.is_ipv6 == seen.address.is_ipv6 &&
                memcmp(out->address.bytes, seen.address.bytes, sizeof seen.address.bytes) == 0;
    return same ? NULL : "the host cannot be read in one way only";
}

/* A "%" that is no escape is one to some servers, together with what follows. */
static bool has_broken_escape(const char *path) {
    static const char hex[] = "0123456789abcdefABCDEF";
    for (const char *at = strchr(path, '%'); at; at = strchr(at + 1, '%')) {
        if (strspn(at + 1, hex) < 2)
            return true;
    }
    return false;
}

/* The dot or slash that "%2e", "%2f" and "%5c" are to some servers; else the character itself. */
static char unescaped(const char **at) {
    static const struct {
        const char *escape;
        char meaning;
    } escapes[] = {{"%2e", '.'}, {"%2f", '/'}, {"%5c", '/'}};
    for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
        if (strncasecmp(*at, escapes[i].escape, 3) == 0) {
            *at += 3;
            return escapes[i].meaning;
        }
    }
    return *(*at)++;
}

/* Whether a server that decodes first and looks for "." and ".." then would leave the path that was judged. */
static bool has_dot_segments(const char *path) {
    size_t dots = 0, others = 0;
    while (*path) {
        char c = unescaped(&path);
        bool ends = c == '/';
        if (ends && others == 0 && (dots == 1 || dots == 2))
            return true;
        dots = ends ? 0 : dots + (c == '.');
        others = ends ? 0 : others + (c != '.');
    }
    return others == 0 && (dots == 1 || dots == 2);
}

static bool rebuild(struct reglet__arena *arena, struct reglet__http_url *url, const char *query) {
    char ip[REGLET__ADDRESS_TEXT];
    const struct reglet__endpoint *to = &url->endpoint;
    const char *scheme = to->scheme == REGLET__SCHEME_HTTPS ? "https" : "http";
    const char *host = to->name[0] ? to->name : reglet__address_text(&to->address, ip);
    bool brackets = !to->name[0] && to->address.is_ipv6;
    size_t room = strlen(host) + strlen(to->path) + (query ? strlen(query) : 0) + sizeof "https://[]:65535?";
    char *text = reglet__arena_alloc(arena, room);
    if (text)
        snprintf(text, room, "%s://%s%s%s:%u%s%s%s", scheme, brackets ? "[" : "", host, brackets ? "]" : "",
                 (unsigned)to->port, to->path, query ? "?" : "", query ? query : "");
    url->text = text;
    return text != NULL;
}

static reglet_status read_parts(struct reglet__arena *arena, CURLU *parsed, const char *written,
                                struct reglet__http_url *url, const char **fault) {
    _cleanup_part_ char *host = NULL, *port = NULL, *path = NULL, *query = NULL;
    CURLUcode code = curl_url_get(parsed, CURLUPART_HOST, &host, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parsed, CURLUPART_PATH, &path, 0);
    if (code == CURLUE_OK && (code = curl_url_get(parsed, CURLUPART_PORT, &port, 0)) == CURLUE_NO_PORT)
        code = CURLUE_OK;
    if (code == CURLUE_OK && (code = curl_url_get(parsed, CURLUPART_QUERY, &query, 0)) == CURLUE_NO_QUERY)
        code = CURLUE_OK;
    if (code != CURLUE_OK)
        return refuse_code(fault, code);
    const char *wrong = read_authority(written, host, port, &url->endpoint);
    if (wrong)
        return refuse(fault, wrong);
    if (has_broken_escape(path))
        return refuse(fault, "in a path '%' is followed by two hexadecimal digits; write %25 for itself");
    if (has_dot_segments(path))
        return refuse(fault, "the path has an escaped \".\" or \"..\" segment; write the path that is meant");
    url->endpoint.path = reglet__arena_copy(arena, path, strlen(path));
    return url->endpoint.path && rebuild(arena, url, query) ? REGLET_OK : REGLET_ERR_NO_MEMORY;
}

reglet_status reglet__http_url_read(struct reglet__arena *arena, const char *text,
                                    struct reglet__http_url *out, const char **fault) {
    if (strlen(text) > REGLET__MAX_URL)
        return refuse(fault, "it is longer than a URL may be");
    const char *forbidden = forbidden_character(text);
    if (forbidden)
        return refuse(fault, forbidden);
    size_t scheme_size;
    struct reglet__http_url url = {.endpoint.scheme = scheme_of(text, &scheme_size)};
    if (url.endpoint.scheme == REGLET__SCHEME_NONE)
        return refuse(fault, "a URL here starts with http:// or https://");
    _cleanup_url_ CURLU *parsed = curl_url();
    if (!parsed)
        return REGLET_ERR_NO_MEMORY;
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, text, CURLU_DISALLOW_USER);
    if (code != CURLUE_OK)
        return refuse_code(fault, code);
    reglet_status status = read_parts(arena, parsed, text + scheme_size, &url, fault);
    if (status == REGLET_OK)
        *out = url;
    return status;
}

/* --- Redirects -------------------------------------------------------------------------------------------- */

/* "name:" in front, as RFC 3986 has it: then it is no relative reference, whatever follows. */
static bool has_scheme(const char *location) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.";
    size_t size = strspn(location, letters);
    return size > 0 && location[size] == ':';
}

/* "//host/path": the scheme of the base with it. */
static reglet_status follow_authority(struct reglet__arena *arena, const struct reglet__http_url *base,
                                      const char *location, struct reglet__http_url *out,
                                      const char **fault) {
    size_t room = strlen(location) + sizeof "https:";
    char *text = reglet__arena_alloc(arena, room);
    if (!text)
        return REGLET_ERR_NO_MEMORY;
    snprintf(text, room, "%s:%s", base->endpoint.scheme == REGLET__SCHEME_HTTPS ? "https" : "http", location);
    return reglet__http_url_read(arena, text, out, fault);
}

reglet_status reglet__http_url_follow(struct reglet__arena *arena, const struct reglet__http_url *base,
                                      const char *location, struct reglet__http_url *out,
                                      const char **fault) {
    if (strlen(location) > REGLET__MAX_URL)
        return refuse(fault, "it is longer than a URL may be");
    const char *forbidden = forbidden_character(location);
    if (forbidden)
        return refuse(fault, forbidden);
    if (has_scheme(location))
        return reglet__http_url_read(arena, location, out, fault);
    if (strncmp(location, "//", 2) == 0)
        return follow_authority(arena, base, location, out, fault);
    _cleanup_url_ CURLU *parsed = curl_url();
    _cleanup_part_ char *text = NULL;
    if (!parsed)
        return REGLET_ERR_NO_MEMORY;
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, base->text, CURLU_DISALLOW_USER);
    if (code == CURLUE_OK)
        code = curl_url_set(parsed, CURLUPART_URL, location, CURLU_DISALLOW_USER);
    if (code == CURLUE_OK)
        code = curl_url_get(parsed, CURLUPART_URL, &text, 0);
    return code == CURLUE_OK ? reglet__http_url_read(arena, text, out, fault) : refuse_code(fault, code);
}

bool reglet__http_url_same_origin(const struct reglet__http_url *a, const struct reglet__http_url *b) {
    const struct reglet__endpoint *x = &a->endpoint, *y = &b->endpoint;
    return x->scheme == y->scheme && x->port == y->port && strcmp(x->name, y->name) == 0 &&
           x->address.is_ipv6 == y->address.is_ipv6 &&
           memcmp(x->address.bytes, y->address.bytes, sizeof x->address.bytes) == 0;
}
