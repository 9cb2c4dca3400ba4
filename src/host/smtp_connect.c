/*
 * smtp_connect: greets a mail server as RFC 5321 has it, over TLS or with STARTTLS if that is asked, and says goodbye.
 *
 * Nothing of the request goes into what is sent: the commands are constants.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "host/functions.h"
#include "host/network.h"
#include "util/buf.h"

enum { MAX_REPLY_BYTES = REGLET__MAX_SMTP_LINE * REGLET__MAX_SMTP_LINES };

/* A conversation with a mail server. */
struct mail {
    struct reglet__host_request *request;
    struct reglet__connection *connection;
    bool in_step; /* the server's last reply was understood, so it can be told goodbye */
    size_t used;  /* bytes that were read and not yet taken */
    char buffer[REGLET__MAX_SMTP_LINE];
};

/* One reply: its code, and the text of its lines with a line break between them. */
struct reply {
    int code;
    struct reglet__buf text;
};

static void free_reply(struct reply *reply) {
    reglet__buf_free(&reply->text);
}
#define _cleanup_reply_ _cleanup_(free_reply)
#define REPLY_INIT                                                                                           \
    { .text = REGLET__BUF_INIT(MAX_REPLY_BYTES) }

static reglet_status fail_protocol(const struct mail *mail, const char *what) {
    return reglet__host_fail(mail->request, "network", "EPROTO", "%s is no mail server: %s",
                             mail->connection->remote, what);
}

/* --- Replies ---------------------------------------------------------------------------------------------- */

/* Takes one line out of the buffer, without its end, with a NUL. */
static reglet_status read_line(struct mail *mail, char line[REGLET__MAX_SMTP_LINE]) {
    char *end = NULL;
    while (!(end = memchr(mail->buffer, '\n', mail->used))) {
        size_t count = 0;
        if (mail->used == sizeof mail->buffer)
            return fail_protocol(mail, "it sent a line that is too long");
        reglet_status status =
            reglet__connection_read(mail->request, mail->connection, mail->buffer + mail->used,
                                    sizeof mail->buffer - mail->used, &count);
        if (status != REGLET_OK)
            return status;
        if (count == 0)
            return reglet__host_fail(mail->request, "network", "ECONNRESET", "%s closed the connection",
                                     mail->connection->remote);
        mail->used += count;
    }
    size_t size = (size_t)(end - mail->buffer), taken = size + 1;
    if (size > 0 && mail->buffer[size - 1] == '\r')
        size--;
    memcpy(line, mail->buffer, size);
    line[size] = '\0';
    mail->used -= taken;
    memmove(mail->buffer, mail->buffer + taken, mail->used);
    return REGLET_OK;
}

/* Three digits, and behind them nothing, a space (the last line) or a hyphen. -1: it is no line of a reply. */
static int reply_code(const char *line) {
    for (int i = 0; i < 3; i++)
        if (!isdigit((unsigned char)line[i]))
            return -1;
    if (line[3] != '\0' && line[3] != ' ' && line[3] != '-')
        return -1;
    return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

static reglet_status read_reply(struct mail *mail, struct reply *reply) {
    char line[REGLET__MAX_SMTP_LINE];
    mail->in_step = false;
    reglet__buf_clear(&reply->text);
    for (int lines = 0; lines < REGLET__MAX_SMTP_LINES; lines++) {
        reglet_status status = read_line(mail, line);
        if (status != REGLET_OK)
            return status;
        int code = reply_code(line);
        if (code < 0 || (lines > 0 && code != reply->code))
            return fail_protocol(mail, "it sent something else than a reply");
        reply->code = code;
        if (lines > 0)
            reglet__buf_append_text(&reply->text, "\n");
        if (reglet__buf_append_text(&reply->text, line[3] ? line + 4 : "") != REGLET_OK)
            return REGLET_ERR_NO_MEMORY;
        if (line[3] != '-') {
            mail->in_step = true;
            return REGLET_OK;
        }
    }
    return fail_protocol(mail, "its reply has too many lines");
}

static reglet_status fail_refused(const struct mail *mail, const char *code, const char *what,
                                  const struct reply *reply) {
    return reglet__host_fail(mail->request, "network", code, "%s refuses %s: %03d %.500s",
                             mail->connection->remote, what, reply->code, reply->text.data);
}

static reglet_status command(struct mail *mail, const char *text, struct reply *reply) {
    reglet_status status = reglet__connection_write(mail->request, mail->connection, text, strlen(text));
    return status == REGLET_OK ? read_reply(mail, reply) : status;
}

/* --- The conversation ------------------------------------------------------------------------------------- */

/* The greeting; the response has it as "220 text", with the text of further lines behind line breaks. */
static reglet_status read_greeting(struct mail *mail) {
    _cleanup_reply_ struct reply reply = REPLY_INIT;
    reglet_status status = read_reply(mail, &reply);
    if (status != REGLET_OK)
        return status;
    size_t size = reply.text.size + sizeof "220 ";
    char *banner = reglet__arena_alloc(&mail->request->arena, size);
    if (!banner)
        return REGLET_ERR_NO_MEMORY;
    int length = snprintf(banner, size, "%03d %s", reply.code, reply.text.data);
    status = reglet__host_put_text(mail->request, "banner", banner, (size_t)length);
    if (status == REGLET_OK && reply.code != 220)
        return fail_refused(mail, "ESMTP", "the connection", &reply);
    return status;
}

/* Whether a line of the reply to EHLO, behind the first one, is that keyword. */
static bool offers(const struct reply *reply, const char *keyword) {
    const char *line = strchr(reply->text.data, '\n');
    for (; line; line = strchr(line, '\n')) {
        size_t size = strcspn(++line, " \n");
        if (size == strlen(keyword) && strncasecmp(line, keyword, size) == 0)
            return true;
    }
    return false;
}

/* "localhost" tells the server nothing of this machine. A server that does not know EHLO is greeted the old way. */
static reglet_status say_hello(struct mail *mail, bool *starttls) {
    _cleanup_reply_ struct reply reply = REPLY_INIT;
    reglet_status status = command(mail, "EHLO localhost\r\n", &reply);
    *starttls = status == REGLET_OK && reply.code == 250 && offers(&reply, "STARTTLS");
    if (status == REGLET_OK && reply.code >= 500)
        status = command(mail, "HELO localhost\r\n", &reply);
    if (status == REGLET_OK && reply.code != 250)
        return fail_refused(mail, "ESMTP", "our hello", &reply);
    return status;
}

static reglet_status start_tls(struct mail *mail, const struct reglet__endpoint *endpoint) {
    _cleanup_reply_ struct reply reply = REPLY_INIT;
    reglet_status status = command(mail, "STARTTLS\r\n", &reply);
    if (status != REGLET_OK)
        return status;
    if (reply.code != 220)
        return fail_refused(mail, "ESTARTTLS", "STARTTLS", &reply);
    /* Whatever stands behind the answer came in plain: read later, it would pass for a reply made under TLS. */
    mail->in_step = false;
    if (mail->used > 0)
        return reglet__host_fail(mail->request, "network", "EPROTO",
                                 "%s sent plain text behind its answer to STARTTLS",
                                 mail->connection->remote);
    status = reglet__connection_start_tls(mail->request, endpoint, mail->connection);
    mail->in_step = status == REGLET_OK;
    return status;
}

static reglet_status converse(struct mail *mail, const struct reglet__endpoint *endpoint, bool starttls) {
    bool offered = false;
    reglet_status status = read_greeting(mail);
    if (status == REGLET_OK)
        status = say_hello(mail, &offered);
    if (status != REGLET_OK || !starttls)
        return status;
    if (!offered)
        return reglet__host_fail(mail->request, "network", "ESTARTTLS", "%s does not offer STARTTLS",
                                 mail->connection->remote);
    status = start_tls(mail, endpoint);
    return status == REGLET_OK ? say_hello(mail, &offered) : status;
}

/* QUIT, and a moment for the server's goodbye. Whatever becomes of it is no error: the answer is known already. */
static void say_goodbye(struct mail *mail) {
    _cleanup_reply_ struct reply reply = REPLY_INIT;
    struct reglet__host_request *request = mail->request;
    struct reglet__json *response = request->response, *aside = reglet__json_new_object(&request->arena);
    struct reglet__interrupt interrupt = request->interrupt;
    int64_t latest = reglet__deadline_after_ms(REGLET__SMTP_QUIT_MS);
    if (!mail->in_step || !aside)
        return;
    request->response = aside;
    if (latest < interrupt.deadline)
        request->interrupt.deadline = latest;
    (void)command(mail, "QUIT\r\n", &reply);
    request->interrupt = interrupt;
    request->response = response;
}

static reglet_status connect_and_talk(struct mail *mail) {
    struct reglet__host_request *request = mail->request;
    struct reglet__endpoint endpoint;
    struct reglet__target target;
    bool tls = false, starttls = false;
    reglet_status status = reglet__host_get_endpoint(request, &endpoint);
    if (status == REGLET_OK)
        status = reglet__host_get_bool(request, "tls|use_tls", &tls);
    if (status == REGLET_OK)
        status = reglet__host_get_bool(request, "starttls|use_starttls", &starttls);
    if (status == REGLET_OK)
        status = reglet__host_target(request, &endpoint, "permission denied", &target);
    if (status == REGLET_OK)
        status = reglet__connection_open(request, &target, mail->connection);
    if (status == REGLET_OK && tls)
        status = reglet__connection_start_tls(request, &endpoint, mail->connection);
    if (status == REGLET_OK) /* under TLS already, there is nothing left to start */
        status = converse(mail, &endpoint, starttls && !tls);
    return status == REGLET_OK ? reglet__connection_put_tls(request, mail->connection, &endpoint) : status;
}

REGLET__HOST_FUNCTION(smtp_connect) {
    _cleanup_connection_ struct reglet__connection connection = {.fd = -1};
    struct mail mail = {.request = request, .connection = &connection};
    reglet_status status = connect_and_talk(&mail);
    reglet_status put = reglet__host_put_bool(request, "connected", status == REGLET_OK);
    if (put == REGLET_OK)
        put = reglet__host_put_latency(request, request->started);
    if (put != REGLET_OK)
        return put;
    if (status == REGLET_OK || status == REGLET__HOST_ANSWERED)
        say_goodbye(&mail);
    return status;
}
