/*
 * Reads the first line as the URL of an http_request and the second as where a redirect leads from there.
 *
 * Whatever the input is: what is judged (scheme, host, port, path) is what libcurl reads from the URL that it is given, a
 * host that is a name stays one, and reading that URL again changes nothing.
 */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "fuzz/fuzz.h"
#include "host/http.h"

static char *part(CURLU *url, CURLUPart which, unsigned flags) {
    char *text = NULL;
    CURLUcode code = curl_url_get(url, which, &text, flags);
    REQUIRE(code == CURLUE_OK);
    return text;
}

static void require_host(const struct reglet__endpoint *judged, char *host) {
    char ip[REGLET__ADDRESS_TEXT];
    size_t size = strlen(host);
    if (host[0] == '[') {
        REQUIRE(host[size - 1] == ']');
        host[size - 1] = '\0';
        host++;
    }
    REQUIRE(strcmp(judged->name[0] ? judged->name : reglet__address_text(&judged->address, ip), host) == 0);
}

/* As a transfer reads its URL: more liberally than ours. */
static void require_same(const struct reglet__http_url *url) {
    const unsigned flags = CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME | CURLU_PATH_AS_IS;
    const struct reglet__endpoint *judged = &url->endpoint;
    CURLU *seen = curl_url();
    REQUIRE(seen && curl_url_set(seen, CURLUPART_URL, url->text, flags) == CURLUE_OK);
    char *scheme = part(seen, CURLUPART_SCHEME, 0), *host = part(seen, CURLUPART_HOST, 0);
    char *port = part(seen, CURLUPART_PORT, 0), *path = part(seen, CURLUPART_PATH, 0), *user = NULL;
    REQUIRE(strcmp(scheme, judged->scheme == REGLET__SCHEME_HTTPS ? "https" : "http") == 0);
    REQUIRE(strtoul(port, NULL, 10) == judged->port && judged->port != 0);
    REQUIRE(judged->path[0] == '/' && strcmp(path, judged->path) == 0);
    REQUIRE(!strstr(path, "/../") && !strstr(path, "/./") && !strcasestr(path, "/%2e%2e/"));
    REQUIRE(curl_url_get(seen, CURLUPART_USER, &user, 0) == CURLUE_NO_USER);
    REQUIRE(curl_url_get(seen, CURLUPART_ZONEID, &user, 0) == CURLUE_NO_ZONEID);
    require_host(judged, host);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_url_cleanup(seen);
}

static void require_stable(struct reglet__arena *arena, const struct reglet__http_url *url) {
    struct reglet__http_url again;
    const char *fault = NULL;
    if (strlen(url->text) > REGLET__MAX_URL)
        return; /* it grew by its port */
    REQUIRE(reglet__http_url_read(arena, url->text, &again, &fault) == REGLET_OK);
    REQUIRE(strcmp(again.text, url->text) == 0 && strcmp(again.endpoint.path, url->endpoint.path) == 0);
    REQUIRE(reglet__http_url_same_origin(&again, url));
}

static void check(struct reglet__arena *arena, const struct reglet__http_url *url) {
    for (const unsigned char *c = (const unsigned char *)url->text; *c; c++)
        REQUIRE(*c > ' ' && *c < 0x7F && *c != '\\');
    require_same(url);
    require_stable(arena, url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    char *text = reglet__arena_copy(&arena, data, size);
    REQUIRE(text);
    char *end = strchr(text, '\n');
    if (end)
        *end = '\0';
    struct reglet__http_url url, next;
    const char *fault = NULL;
    reglet_status status = reglet__http_url_read(&arena, text, &url, &fault);
    REQUIRE(status == REGLET_OK || (status == REGLET_ERR_INVALID_ARGUMENT && fault && *fault));
    if (status != REGLET_OK)
        return 0;
    check(&arena, &url);
    fault = NULL;
    status =
        end ? reglet__http_url_follow(&arena, &url, end + 1, &next, &fault) : REGLET_ERR_INVALID_ARGUMENT;
    REQUIRE(status == REGLET_OK || !end || (fault && *fault));
    if (status == REGLET_OK)
        check(&arena, &next);
    return 0;
}
