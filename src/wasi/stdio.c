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

static int write_part(struct reglet__wasi *wasi, int stream, const char *data, size_t size) {
    for (const char *at = data, *end = data + size; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        int error = extend(wasi, stream, at, (size_t)((stop ? stop : end) - at));
        if (error)
            return error;
        if (stop)
            hand_out(wasi, stream);
        at = stop ? stop + 1 : end;
    }
    return WASI_SUCCESS;
}

int reglet__wasi_write_lines(struct reglet__wasi *wasi, int stream, const struct iovec *parts, size_t count,
                             size_t total) {
    struct reglet__quotas *quotas = wasi->options->quotas;
    uint64_t left = reglet__quota_left(quotas, REGLET__QUOTA_OUTPUT_BYTES);
    size_t fits = total < left ? total : (size_t)left, cut = total - fits;
    reglet__quota_take(quotas, wasi->guest, REGLET__QUOTA_OUTPUT_BYTES, fits);
    for (size_t i = 0; i < count && fits > 0; i++) {
        size_t size = parts[i].iov_len < fits ? parts[i].iov_len : fits;
        int error = write_part(wasi, stream, parts[i].iov_base, size);
        if (error)
            return error;
        fits -= size;
    }
    if (reglet__quota_check(quotas, wasi->guest, REGLET__QUOTA_OUTPUT_BYTES, cut) == REGLET_OK)
        return WASI_SUCCESS;
    reglet__wasi_flush(wasi); /* what was cut off is said behind what was not */
    reglet__quota_cut(quotas, "%zu bytes written to %s were cut off", cut, stream == 1 ? "stdout" : "stderr");
    return WASI_STOP;
}
