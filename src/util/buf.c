#include "util/buf.h"

#include <stdio.h>
#include <string.h>

static reglet_status reserve(struct reglet__buf *buf, size_t more) {
    if (buf->status != REGLET_OK)
        return buf->status;
    if (more > buf->max || buf->size > buf->max - more)
        return buf->status = REGLET_ERR_RESULT_LIMIT;
    size_t needed = buf->size + more + 1;
    if (needed <= buf->capacity)
        return REGLET_OK;
    size_t capacity = buf->capacity ? buf->capacity : 64;
    while (capacity < needed)
        capacity += capacity / 2 + 1;
    char *data = realloc(buf->data, capacity);
    if (!data)
        return buf->status = REGLET_ERR_NO_MEMORY;
    buf->data = data;
    buf->capacity = capacity;
    return REGLET_OK;
}

reglet_status reglet__buf_append(struct reglet__buf *buf, const void *data, size_t size) {
    if (reserve(buf, size) != REGLET_OK)
        return buf->status;
    if (size)
        memcpy(buf->data + buf->size, data, size);
    buf->size += size;
    buf->data[buf->size] = '\0';
    return REGLET_OK;
}

reglet_status reglet__buf_append_text(struct reglet__buf *buf, const char *text) {
    return reglet__buf_append(buf, text, strlen(text));
}

reglet_status reglet__buf_appendf(struct reglet__buf *buf, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length < 0)
        buf->status = REGLET_ERR_NO_MEMORY;
    else if (reserve(buf, (size_t)length) == REGLET_OK) {
        vsnprintf(buf->data + buf->size, (size_t)length + 1, format, again);
        buf->size += (size_t)length;
    }
    va_end(again);
    va_end(args);
    return buf->status;
}

void reglet__buf_clear(struct reglet__buf *buf) {
    buf->size = 0;
    buf->status = REGLET_OK;
    if (buf->data)
        buf->data[0] = '\0';
}

char *reglet__buf_take(struct reglet__buf *buf, size_t *size) {
    if (reserve(buf, 0) != REGLET_OK)
        return NULL;
    buf->data[buf->size] = '\0';
    if (size)
        *size = buf->size;
    char *data = take_ptr(buf->data);
    buf->size = buf->capacity = 0;
    return data;
}

void reglet__buf_free(struct reglet__buf *buf) {
    free(buf->data);
    buf->data = NULL;
    buf->size = buf->capacity = 0;
}
