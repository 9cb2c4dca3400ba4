#define _GNU_SOURCE
#include <string.h>

#include "wasi/state.h"

static void hand_out(struct reglet__wasi *wasi, int stream) {
    struct reglet__buf *line = &wasi->lines[stream - 1];
    const struct reglet__wasi_sink *sink = &wasi->options->sink;
    if (sink->line)
        sink->line(sink->user_data, stream, line->data ? line->data : "", line->size);
    reglet__buf_clear(line);
}

void reglet__wasi_flush(struct reglet__wasi *wasi) {
    for (int stream = 1; stream <= 2; stream++)
        if (wasi->lines[stream - 1].size)
            hand_out(wasi, stream);
}

/* Takes bytes without a line break; a line that is full goes out when there is more of it. */
static int extend(struct reglet__wasi *wasi, int stream, const char *data, size_t size) {
    struct reglet__buf *line = &wasi->lines[stream - 1];
    while (size) {
        if (line->size == line->max)
            hand_out(wasi, stream);
        size_t part = line->max - line->size < size ? line->max - line->size : size;
        if (reglet__buf_append(line, data, part) != REGLET_OK) {
            line->status = REGLET_OK; /* what is there stays, and the guest may try again */
            return WASI_ENOMEM;
        }
        data += part;
        size -= part;
    }
    return WASI_SUCCESS;
}

int reglet__wasi_write_lines(struct reglet__wasi *wasi, int stream, const char *data, size_t size) {
    uint64_t left = wasi->options->max_output_bytes - wasi->output_bytes;
    size_t taken = size < left ? size : (size_t)left;
    wasi->output_bytes += taken;
    for (const char *at = data, *end = data + taken; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        int error = extend(wasi, stream, at, (size_t)((stop ? stop : end) - at));
        if (error)
            return error;
        if (stop)
            hand_out(wasi, stream);
        at = stop ? stop + 1 : end;
    }
    if (taken == size)
        return WASI_SUCCESS;
    reglet__guest_stop(wasi->guest, REGLET_ERR_OUTPUT_LIMIT,
                       "more than %llu bytes were written to stdout and stderr",
                       (unsigned long long)wasi->options->max_output_bytes);
    return WASI_STOP;
}
