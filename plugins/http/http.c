/*
 * http - observes what a URL answers: status, headers, and the body by its size, hash and beginning.
 */
#define _GNU_SOURCE /* memmem */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../shared/sha256.h"
#include "reglet_host.h"

/* Escaped in JSON it stays below what evidence may hold. */
enum { MAX_PREVIEW = 256 << 10 };

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

/* ---- The config ---------------------------------------------------------------------------------------------- */

static const char *find_method(const char *text) {
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcasecmp(text, methods[i]) == 0)
            return methods[i];
    return NULL;
}

static bool is_web_url(const char *url) {
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

/* Appends the header once for each of its values: a string, or a list of strings. False for anything else. */
static bool add_header(plugin_header **next, const char *name, plugin_value value) {
    const char *text = plugin_string(value, NULL);
    const char *const *texts = text ? (const char *const[]){text, NULL} : plugin_strings(value, NULL);
    for (; texts && *texts; texts++)
        *(*next)++ = (plugin_header){name, *texts};
    return texts != NULL;
}

/* The config's headers as the SDK wants them; NULL when one makes no sense. */
static const plugin_header *read_headers(plugin_value headers) {
    /* There are fewer values than characters. */
    plugin_header *list = calloc(headers.size + 1, sizeof *list), *next = list;
    const char *name;
    for (size_t i = 0; list && plugin_member(headers, i, &name).text; i++) {
        plugin_value value = plugin_member(headers, i, &name);
        if (!name || !add_header(&next, name, value))
            return NULL;
    }
    return list;
}

static bool read_config(plugin_value config, plugin_http *request, plugin_evidence *evidence) {
    int64_t status = plugin_int(config, "expected_status"),
            preview = plugin_int(config, "body_preview_length");
    const char *body = plugin_bytes(config, "body", &request->body_size);
    request->url = plugin_string(config, "url");
    request->method = find_method(plugin_string(config, "method"));
    request->headers = read_headers(plugin_json(config, "headers"));
    request->body = request->body_size ? body : NULL;
    bool good_url = is_web_url(request->url), good_preview = preview >= -1;
    bool good_status = !plugin_json(config, "expected_status").text || (status >= 100 && status <= 599);
    if (!good_url)
        plugin_fail_field(evidence, "url", "must begin with http:// or https://");
    if (!request->method)
        plugin_fail_field(evidence, "method", "must be one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    if (!request->headers)
        plugin_fail_field(evidence, "headers", "must be an object of strings, or of lists of strings");
    if (!good_status)
        plugin_fail_field(evidence, "expected_status", "must be 100 to 599");
    if (!good_preview)
        plugin_fail_field(evidence, "body_preview_length", "must be -1 (all), 0 (none) or a number of bytes");
    return good_url && request->method && request->headers && good_status && good_preview;
}

/* ---- The response -------------------------------------------------------------------------------------------- */

static void put_hash(const plugin_http_response *response, plugin_evidence *evidence) {
    struct sha256 hash;
    char text[SHA256_TEXT_SIZE];
    sha256_init(&hash);
    sha256_update(&hash, response->body, response->body_size);
    sha256_final_text(&hash, text);
    plugin_put_string(evidence, "body_sha256", text);
}

static void put_preview(const plugin_http_response *response, int64_t wanted, plugin_evidence *evidence) {
    size_t size = wanted < 0 || wanted > MAX_PREVIEW ? MAX_PREVIEW : (size_t)wanted;
    if (size > response->body_size)
        size = response->body_size;
    /* Not in the middle of a character. */
    while (size < response->body_size && size > 0 && (response->body[size] & 0xC0) == 0x80)
        size--;
    if (wanted != 0)
        plugin_put_text(evidence, "body_preview", response->body, size);
}

static void put_response(const plugin_http_response *response, plugin_evidence *evidence) {
    plugin_put_int(evidence, "status_code", response->status_code);
    plugin_put_string(evidence, "protocol", response->proto);
    plugin_put_int(evidence, "response_time_ms", response->latency_ms);
    plugin_put_json(evidence, "headers", response->headers);
    plugin_put_int(evidence, "body_size", (int64_t)response->body_size);
    plugin_put_bool(evidence, "body_truncated", response->body_truncated);
    put_hash(response, evidence);
}

/* That something else was expected is no failure of the observation: it is what was observed. */
static void put_expectations(plugin_value config, const plugin_http_response *response,
                             plugin_evidence *evidence) {
    plugin_value status = plugin_json(config, "expected_status");
    size_t size = 0;
    const char *part = plugin_bytes(config, "expected_body_contains", &size);
    bool wrong_status = status.text && plugin_int(status, NULL) != response->status_code;
    bool wrong_body = part && !memmem(response->body, response->body_size, part, size);
    if (!status.text && !part)
        return;
    char status_error[64] = "", text[160];
    if (wrong_status)
        snprintf(status_error, sizeof status_error, "expected status %lld, found %lld",
                 (long long)plugin_int(status, NULL), (long long)response->status_code);
    snprintf(text, sizeof text, "%s%s%s", status_error, wrong_status && wrong_body ? "; " : "",
             wrong_body ? "the body does not contain the expected text" : "");
    plugin_put_bool(evidence, "expectation_failed", wrong_status || wrong_body);
    if (wrong_status || wrong_body)
        plugin_put_string(evidence, "expectation_error", text);
}

static void observe(plugin_value config, plugin_evidence *evidence) {
    plugin_http request = {0};
    if (!read_config(config, &request, evidence))
        return;
    plugin_put_string(evidence, "url", request.url);
    plugin_put_string(evidence, "method", request.method);
    plugin_http_response response = plugin_http_request(&request);
    if (response.error) {
        plugin_fail_call(evidence, response.error);
        return;
    }
    put_response(&response, evidence);
    put_preview(&response, plugin_int(config, "body_preview_length"), evidence);
    put_expectations(config, &response, evidence);
}

const plugin_info plugin = {
    .name = "http",
    .version = "1.0.0",
    .description = "Observes what a URL answers: status, headers and body",
    .capabilities = (const plugin_capability[]){{"network", "outbound:80,443"}, {0}},
    .fields =
        (const plugin_field[]){
            {.name = "url",
             .type = PLUGIN_STRING,
             .required = true,
             .description = "http:// or https:// URL"},
            {.name = "method",
             .type = PLUGIN_STRING,
             .fallback = "\"GET\"",
             .description = "GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS"},
            {.name = "headers",
             .type = PLUGIN_OBJECT,
             .description = "Headers to send: each a string, or a list of strings"},
            {.name = "body", .type = PLUGIN_STRING, .description = "Body to send"},
            {.name = "expected_status", .type = PLUGIN_INT, .description = "Status code that is expected"},
            {.name = "expected_body_contains",
             .type = PLUGIN_STRING,
             .description = "Text that is expected in the body"},
            {.name = "body_preview_length",
             .type = PLUGIN_INT,
             .fallback = "200",
             .description = "Bytes of the body to put into the evidence: 0 none, -1 all, up to 256 KiB"},
            {0}},
    .observe = observe,
};
