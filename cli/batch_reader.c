#define _GNU_SOURCE
#include "batch_reader.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* BATCH_LINE: there are bytes in the buffer. */
static enum batch_read fill(struct batch_reader *reader) {
    for (;;) {
        struct pollfd fds[] = {{.fd = reader->fd, .events = POLLIN},
                               {.fd = reader->wake_fd, .events = POLLIN},
                               {.fd = reader->output_fd}};
        if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
            return BATCH_READ_FAILED;
        if (fds[1].revents)
            return BATCH_STOPPED;
        if (fds[2].revents & (POLLERR | POLLHUP))
            return BATCH_OUTPUT_GONE;
        if (!fds[0].revents)
            continue;
        ssize_t got = read(reader->fd, reader->buffer, sizeof reader->buffer);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        reader->at = 0;
        reader->end = got > 0 ? (size_t)got : 0;
        return got > 0 ? BATCH_LINE : got == 0 ? BATCH_END : BATCH_READ_FAILED;
    }
}

/* Appends, unless the line gets too long by it. */
static void append(struct batch_line *line, size_t *room, const char *text, size_t size) {
    if (!line->text)
        return;
    if (size > BATCH_MAX_LINE_BYTES - line->size) {
        free(line->text);
        line->text = NULL;
        line->size = 0;
        return;
    }
    if (line->size + size > *room) {
        while (line->size + size > *room)
            *room *= 2;
        line->text = grow(line->text, *room, 1);
    }
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

static bool is_blank(const struct batch_line *line) {
    for (size_t i = 0; i < line->size; i++)
        if (!strchr(" \t\r", line->text[i]) || !line->text[i])
            return false;
    return line->text;
}

/* To the next newline, or to the end of an input that has none there. */
static enum batch_read read_line(struct batch_reader *reader, struct batch_line *line) {
    size_t room = 256;
    const size_t before = line->input_bytes;
    line->size = 0;
    free(line->text);
    line->text = allocate(room);
    for (;;) {
        if (reader->at == reader->end) {
            enum batch_read read = fill(reader);
            if (read == BATCH_END && line->input_bytes > before)
                return BATCH_LINE;
            if (read != BATCH_LINE)
                return read;
        }
        const char *start = reader->buffer + reader->at;
        size_t left = reader->end - reader->at;
        const char *newline = memchr(start, '\n', left);
        size_t size = newline ? (size_t)(newline - start) : left;
        append(line, &room, start, size);
        line->input_bytes += size + (newline != NULL);
        reader->at += size + (newline != NULL);
        if (newline)
            return BATCH_LINE;
    }
}

enum batch_read batch_reader_next(struct batch_reader *reader, struct batch_line **out) {
    struct batch_line *line = allocate(sizeof *line);
    enum batch_read read;
    do {
        read = read_line(reader, line);
        line->number = ++reader->number;
    } while (read == BATCH_LINE && is_blank(line));
    if (read != BATCH_LINE) {
        batch_line_free(line);
        return read;
    }
    line->index = reader->index++;
    *out = line;
    return BATCH_LINE;
}
