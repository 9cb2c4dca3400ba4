#include "batch_output.h"

#include "batch_progress.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

void batch_output_init(struct batch_output *output, struct batch_queue *queue, bool ordered) {
    *output = (struct batch_output){.queue = queue, .ordered = ordered};
    output->on_terminal = isatty(STDOUT_FILENO);
    output->waiting = allocate(ordered ? queue->max_lines * sizeof *output->waiting : 0);
    pthread_mutex_init(&output->lock, NULL);
}

void batch_output_destroy(struct batch_output *output) {
    pthread_mutex_destroy(&output->lock);
    free(output->waiting);
}

/* Past what a pipe takes at once; also where somebody else made the descriptor non-blocking. An errno, or 0. */
static int write_all(const char *text, size_t size) {
    while (size > 0) {
        ssize_t written = write(STDOUT_FILENO, text, size);
        if (written >= 0) {
            text += written;
            size -= (size_t)written;
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

static void write_result(struct batch_output *output, struct batch_line *line) {
    if (output->on_terminal)
        batch_progress_hide();
    if (!output->error)
        output->error = write_all(line->result, line->result_size);
    if (output->on_terminal)
        batch_progress_show();
    *(line->failed ? &output->failed : &output->ran) += 1;
    output->input_bytes += line->input_bytes;
    batch_queue_finish(output->queue, line);
}

/* No more than max_lines are in hand, so none is beyond the end of `waiting`. */
static void write_in_order(struct batch_output *output, struct batch_line *line) {
    const size_t places = output->queue->max_lines;
    if (line->index != output->next) {
        batch_queue_hold_result(output->queue, line);
        output->waiting[line->index % places] = line;
        return;
    }
    while (line) {
        write_result(output, line);
        struct batch_line **next = &output->waiting[++output->next % places];
        line = *next;
        *next = NULL;
    }
}

bool batch_output_take(struct batch_output *output, struct batch_line *line) {
    pthread_mutex_lock(&output->lock);
    if (output->ordered)
        write_in_order(output, line);
    else
        write_result(output, line);
    bool good = output->error == 0;
    pthread_mutex_unlock(&output->lock);
    return good;
}
