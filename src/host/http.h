/*
 * http.h - the parts of http_request: URLs, headers, one transfer, its body.
 */
#ifndef REGLET_HOST_HTTP_H
#define REGLET_HOST_HTTP_H

#include "host/network.h"
#include "util/buf.h"

/* --- URLs (http_url.c) ------------------------------------------------------------------------------------ */

/* A URL as it is judged, and as it is used: `text` is made of what was judged, so that nobody reads it differently. */
struct reglet__http_url {
    struct reglet__endpoint endpoint; /* with scheme and path */
    const char *text;                 /* "https://a.example:443/path?query" */
};

/*
 * Reads a URL strictly: http or https, a host as reglet__endpoint_host() has it and written that way, no user, no
 * whitespace, control characters, backslashes or bytes beyond ASCII; dot segments are worked out, escaped ones refused; the
 * fragment is dropped. REGLET_OK; REGLET_ERR_INVALID_ARGUMENT with a static sentence that says what was wrong;
 * REGLET_ERR_NO_MEMORY. The strings live in the arena.
 */
reglet_status reglet__http_url_read(struct reglet__arena *arena, const char *text,
                                    struct reglet__http_url *out, const char **fault);

/* The same for where a redirect leads to: a URL, or one relative to `base`. */
reglet_status reglet__http_url_follow(struct reglet__arena *arena, const struct reglet__http_url *base,
                                      const char *location, struct reglet__http_url *out, const char **fault);

/* Whether scheme, host and port are the same. */
bool reglet__http_url_same_origin(const struct reglet__http_url *a, const struct reglet__http_url *b);

/* --- Headers (http_headers.c) ----------------------------------------------------------------------------- */

struct reglet__http_header {
    const char *name; /* canonical: "Content-Type" */
    const char *value;
};

struct reglet__http_headers {
    struct reglet__http_header items[REGLET__MAX_HTTP_HEADERS];
    size_t count;
    size_t bytes;
};

/*
 * Reads {name: value} and {name: [values]}; `json` may be NULL. REGLET_OK; REGLET_ERR_INVALID_ARGUMENT with one line in
 * `fault` that names the header; REGLET_ERR_NO_MEMORY. The strings live in the arena.
 */
enum { REGLET__HTTP_FAULT_SIZE = 256 };
reglet_status reglet__http_headers_read(struct reglet__arena *arena, const struct reglet__json *json,
                                        struct reglet__http_headers *out,
                                        char fault[REGLET__HTTP_FAULT_SIZE]);

/* The first value of that (canonical) name, or NULL. */
const char *reglet__http_headers_get(const struct reglet__http_headers *headers, const char *name);

/* Removes what `drop` says. */
void reglet__http_headers_drop(struct reglet__http_headers *headers, bool (*drop)(const char *name));

/* Which headers: those of the connection and of framing, which are not the plugin's to set; those that may go along to
 * another origin; those that describe a body. Names are canonical. */
bool reglet__http_header_is_ours(const char *name);
bool reglet__http_header_stays_in_origin(const char *name);
bool reglet__http_header_describes_body(const char *name);

/* "content-type" becomes "Content-Type"; what is no name of a header stays as it is. */
void reglet__http_canonical(char *name);
bool reglet__http_is_token(const char *text, size_t size);

/* Adds a value to {name: [values]}, under the name's canonical form; both are copied, and repaired where they are no UTF-8.
 * False without memory. */
bool reglet__http_headers_put(struct reglet__arena *arena, struct reglet__json *headers, const char *name,
                              const char *value);

/* --- Bodies (http_body.c) --------------------------------------------------------------------------------- */

/* A response's body, decoded while it comes in, up to REGLET__MAX_BODY_BYTES of it. */
struct reglet__http_body {
    struct reglet__buf bytes;
    size_t received;             /* as it came */
    struct z_stream_s *inflater; /* NULL: taken as it comes */
    bool ended;                  /* the inflater's: a gzip member is over */
    bool truncated;              /* there was more */
    bool broken;                 /* no gzip */
    bool no_memory;
};

#define REGLET__HTTP_BODY_INIT                                                                               \
    { .bytes = REGLET__BUF_INIT(REGLET__MAX_BODY_BYTES) }

/* Before the first byte: what comes is gzip. */
void reglet__http_body_gunzip(struct reglet__http_body *body);
/* False when nothing more is wanted: one of the three flags above says why. */
bool reglet__http_body_add(struct reglet__http_body *body, const void *data, size_t size);
/* Whether what came is whole, as far as the body itself tells. */
bool reglet__http_body_is_whole(const struct reglet__http_body *body);
void reglet__http_body_free(struct reglet__http_body *body);

/* --- One transfer (http_transfer.c, http_drive.c) --------------------------------------------------------- */

/* What goes out. Everything is borrowed. */
struct reglet__http_hop {
    const char *method;
    const struct reglet__http_url *url;
    const struct reglet__target *target; /* of that URL: where it may connect to */
    const struct reglet__http_headers *headers;
    const char *user_agent;
    const void *body; /* or NULL */
    size_t body_size;
    bool gunzip; /* gzip is asked for, and decoded */
    bool follow; /* a redirect will be followed: its body is of no interest */
};

/* What came back, without 1xx responses and trailers. */
struct reglet__http_response {
    long status;
    const char *proto;            /* "HTTP/1.1", "HTTP/2.0" */
    struct reglet__json *headers; /* in the request's arena */
    const char *location;         /* the first one, in the arena; NULL: none, or empty */
    struct reglet__http_body body;
};

/* Whether a status is a redirect's that is followed: 301, 302, 303, 307, 308. */
bool reglet__http_is_redirect(long status);

/* One request and its response over a connection of their own, to an address of the target. Answers with an error. The
 * response is to be freed in any case, by reglet__http_body_free() on its body. */
reglet_status reglet__http_transfer(struct reglet__host_request *request, const struct reglet__http_hop *hop,
                                    struct reglet__http_response *out);

/* Runs a curl_easy handle until it is done, with its result in *code; or what a wait returned. */
reglet_status reglet__http_drive(struct reglet__host_request *request, void *easy, int *code);

#endif
