#include "batch_queue.h"

#include "batch_request.h"

static void free_request(struct batch_line *line) {
    if (line->request)
        batch_request_clear(line->request);
    free(line->request);
    free(line->text);
    line->request = NULL;
    line->text = NULL;
}

void batch_line_free(struct batch_line *line) {
    free_request(line);
    free(line->result);
    free(line);
}

void batch_queue_init(struct batch_queue *queue, size_t max_lines) {
    *queue = (struct batch_queue){.max_lines = max_lines};
    queue->last = &queue->first;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->work, NULL);
    pthread_cond_init(&queue->room, NULL);
}

void batch_queue_destroy(struct batch_queue *queue) {
    pthread_cond_destroy(&queue->room);
    pthread_cond_destroy(&queue->work);
    pthread_mutex_destroy(&queue->lock);
}

static bool is_full(const struct batch_queue *queue) {
    return queue->lines >= queue->max_lines || queue->bytes >= BATCH_MAX_HELD_BYTES;
}

/* Reading goes on when half is free, not line by line: each time a thread would have to be woken. */
static bool is_half_empty(const struct batch_queue *queue) {
    return queue->lines <= queue->max_lines / 2 && queue->bytes <= BATCH_MAX_HELD_BYTES / 2;
}

void batch_queue_put(struct batch_queue *queue, struct batch_line *line) {
    pthread_mutex_lock(&queue->lock);
    if (is_full(queue))
        while (!is_half_empty(queue))
            pthread_cond_wait(&queue->room, &queue->lock);
    line->held_bytes = line->size;
    queue->lines++;
    queue->bytes += line->held_bytes;
    line->next = NULL;
    *queue->last = line;
    queue->last = &line->next;
    pthread_cond_signal(&queue->work);
    pthread_mutex_unlock(&queue->lock);
}

void batch_queue_close(struct batch_queue *queue) {
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->work);
    pthread_mutex_unlock(&queue->lock);
}

struct batch_line *batch_queue_get(struct batch_queue *queue) {
    pthread_mutex_lock(&queue->lock);
    while (!queue->first && !(queue->closed && queue->lines == 0))
        pthread_cond_wait(&queue->work, &queue->lock);
    struct batch_line *line = queue->first;
    if (line)
        queue->first = line->next;
    if (!queue->first)
        queue->last = &queue->first;
    pthread_mutex_unlock(&queue->lock);
    return line;
}

void batch_queue_give_back(struct batch_queue *queue, struct batch_line *lines) {
    if (!lines)
        return;
    struct batch_line *end = lines;
    while (end->next)
        end = end->next;
    pthread_mutex_lock(&queue->lock);
    end->next = queue->first;
    if (!queue->first)
        queue->last = &end->next;
    queue->first = lines;
    pthread_cond_broadcast(&queue->work);
    pthread_mutex_unlock(&queue->lock);
}

static void wake_reader(struct batch_queue *queue) {
    if (is_half_empty(queue))
        pthread_cond_signal(&queue->room);
}

void batch_queue_hold_result(struct batch_queue *queue, struct batch_line *line) {
    free_request(line);
    pthread_mutex_lock(&queue->lock);
    queue->bytes += line->result_size - line->held_bytes;
    line->held_bytes = line->result_size;
    wake_reader(queue);
    pthread_mutex_unlock(&queue->lock);
}

void batch_queue_finish(struct batch_queue *queue, struct batch_line *line) {
    pthread_mutex_lock(&queue->lock);
    queue->lines--;
    queue->bytes -= line->held_bytes;
    wake_reader(queue);
    if (queue->closed && queue->lines == 0)
        pthread_cond_broadcast(&queue->work);
    pthread_mutex_unlock(&queue->lock);
    batch_line_free(line);
}
