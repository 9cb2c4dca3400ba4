/*
 * Redaction of a recording. What is secret in a question is replaced as everywhere; a replay takes anything in its place
 * (same.c). In an answer that the plugin takes by its size, what stands in its place has the same length, so that every size,
 * position and length that was told stays true: "[REDACTED]****". What was read and written in pieces is looked at as the
 * streams that it is, because a secret may be split over them.
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include "recording/internal.h"
#include "redact/redact.h"
#include "util/limits.h"

/* Some bytes that a call read or wrote, and where they are in what it read or wrote. */
struct piece {
    size_t call;
    bool written;     /* else read */
    bool appended;    /* fs_write, behind what was written before */
    uint64_t stream;  /* which time a file was opened; 0: by its path */
    const char *path; /* fs_read, fs_write */
    uint64_t offset;
    char *data; /* as it will be shown: in the arena */
    size_t size;
};

struct reglet__hiding {
    const reglet_recording *recording;
    reglet_redactor *redactor;
    struct reglet__arena arena;
    struct piece *pieces; /* in the order of calls, once all was looked at */
    size_t count, room;
};

/* --- Finding and replacing -------------------------------------------------------------------------------- */

/*
 * What was found in a text, and how far a walk over the text's pieces came: each looks only at what lies in it. What stands
 * for a span is made once, for it may lie in a million pieces, and a hash is of the whole span.
 */
struct found {
    const char *text;
    struct reglet__redact_spans spans;
    size_t next;   /* the first span that ends behind the last piece */
    size_t marked; /* of which span the marker is, plus 1 */
    size_t marker_size;
    char marker[REGLET__REDACT_REPLACEMENT_SIZE];
};

static void clear(struct found *found) {
    reglet__redact_spans_clear(&found->spans);
}

static reglet_status find(const struct reglet__hiding *hiding, const char *text, size_t size,
                          struct found *found) {
    found->text = text;
    return size ? reglet__redact_find(hiding->redactor, text, size, &found->spans) : REGLET_OK;
}

static void mark(const struct reglet__hiding *hiding, struct found *found, size_t i) {
    const struct reglet__redact_span *span = &found->spans.items[i];
    if (found->marked == i + 1)
        return;
    found->marked = i + 1;
    found->marker_size = reglet__redact_replacement(hiding->redactor, found->text + span->start,
                                                    span->end - span->start, found->marker);
}

/* The spans in [at, at + size), from found->next on. */
static size_t spans_in(struct found *found, size_t at, size_t size) {
    size_t count = 0;
    while (found->next < found->spans.count && found->spans.items[found->next].end <= at)
        found->next++;
    while (found->next + count < found->spans.count &&
           found->spans.items[found->next + count].start < at + size)
        count++;
    return count;
}

/* Replaces in place what is secret of [at, at + size), so that its length stays. */
static void cover(const struct reglet__hiding *hiding, struct found *found, size_t at, char *data,
                  size_t size) {
    size_t count = spans_in(found, at, size);
    for (size_t k = found->next; k < found->next + count; k++) {
        const struct reglet__redact_span *span = &found->spans.items[k];
        size_t from = span->start > at ? span->start : at, to = span->end < at + size ? span->end : at + size;
        mark(hiding, found, k);
        for (size_t i = from; i < to; i++)
            data[i - at] = i - span->start < found->marker_size ? found->marker[i - span->start] : '*';
    }
}

/* What of a written piece is secret: in it, the replacement stands in full, for a replay to know it. */
static reglet_status replace_written(struct reglet__hiding *hiding, struct found *found, size_t at,
                                     struct piece *piece) {
    size_t count = spans_in(found, at, piece->size), size = 0, taken = 0, end = at + piece->size;
    if (count == 0)
        return REGLET_OK;
    char *data = reglet__arena_alloc(&hiding->arena, piece->size + count * sizeof found->marker + 1);
    if (!data)
        return REGLET_ERR_NO_MEMORY;
    for (size_t k = found->next; k < found->next + count; k++) {
        const struct reglet__redact_span *span = &found->spans.items[k];
        size_t from = span->start > at ? span->start - at : 0,
               to = span->end < end ? span->end - at : piece->size;
        memcpy(data + size, piece->data + taken, from - taken);
        size += from - taken;
        mark(hiding, found, k);
        memcpy(data + size, found->marker, found->marker_size);
        size += found->marker_size;
        taken = to;
    }
    memcpy(data + size, piece->data + taken, piece->size - taken);
    piece->size = size + piece->size - taken;
    piece->data = data;
    return REGLET_OK;
}

/* Pieces that follow each other, as one text. */
static reglet_status look_at_run(struct reglet__hiding *hiding, struct piece *run, size_t count) {
    _cleanup_arena_ struct reglet__arena scratch = {0};
    _cleanup_(clear)
    struct found found = {0};
    size_t total = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        total += run[i].size;
    char *text = reglet__arena_alloc(&scratch, total + 1);
    for (size_t i = 0; text && i < count; at += run[i++].size)
        memcpy(text + at, run[i].data, run[i].size);
    reglet_status status = text ? find(hiding, text, total, &found) : REGLET_ERR_NO_MEMORY;
    at = 0;
    for (size_t i = 0; status == REGLET_OK && found.spans.count && i < count; i++) {
        size_t size = run[i].size;
        if (run[i].written)
            status = replace_written(hiding, &found, at, &run[i]);
        else
            cover(hiding, &found, at, run[i].data, size);
        at += size;
    }
    return status;
}

static bool same_stream(const struct piece *a, const struct piece *b) {
    return a->written == b->written && a->stream == b->stream && strcmp(a->path, b->path) == 0;
}

static reglet_status look_at_runs(struct reglet__hiding *hiding, bool written) {
    struct piece *pieces = hiding->pieces;
    reglet_status status = REGLET_OK;
    for (size_t i = 0, n; status == REGLET_OK && i < hiding->count; i += n) {
        uint64_t end = pieces[i].offset + pieces[i].size;
        for (n = 1; i + n < hiding->count && same_stream(&pieces[i], &pieces[i + n]) &&
                    (pieces[i + n].offset == end || pieces[i + n].appended);
             n++)
            end += pieces[i + n].size;
        if (!pieces[i].written || written)
            status = look_at_run(hiding, pieces + i, n);
    }
    return status;
}

/* --- What was read and written ---------------------------------------------------------------------------- */

static int compare(size_t a, size_t b) {
    return (a > b) - (a < b);
}

static int by_stream(const struct piece *a, const struct piece *b) {
    int order = a->written - b->written;
    if (!order)
        order = (a->stream > b->stream) - (a->stream < b->stream);
    return order ? order : strcmp(a->path, b->path);
}

static int in_order_of_calls(const void *left, const void *right) {
    const struct piece *a = left, *b = right;
    int order = by_stream(a, b);
    return order ? order : compare(a->call, b->call);
}

static int in_order_of_places(const void *left, const void *right) {
    const struct piece *a = left, *b = right;
    int order = by_stream(a, b);
    if (!order)
        order = (a->offset > b->offset) - (a->offset < b->offset);
    return order ? order : compare(a->call, b->call);
}

static int by_call(const void *left, const void *right) {
    return compare(((const struct piece *)left)->call, ((const struct piece *)right)->call);
}

static bool add_piece(struct reglet__hiding *hiding, const struct piece *piece, const void *data,
                      size_t size) {
    if (hiding->count == hiding->room) {
        size_t room = hiding->room ? hiding->room * 2 : 64;
        struct piece *pieces = realloc(hiding->pieces, room * sizeof *pieces);
        if (!pieces)
            return false;
        hiding->pieces = pieces;
        hiding->room = room;
    }
    struct piece *added = &hiding->pieces[hiding->count];
    *added = *piece;
    added->path = piece->path ? piece->path : "";
    added->size = size;
    added->data = reglet__arena_copy(&hiding->arena, data, size);
    hiding->count += added->data != NULL;
    return added->data;
}

/* An open file: where it stands. */
struct open_file {
    uint64_t fd, stream, at;
};
struct open_files {
    struct open_file all[REGLET__MAX_OPEN_FILES];
    size_t next; /* the oldest of a recording that nobody made */
    uint64_t streams;
};

static struct open_file *file_of(struct open_files *files, uint64_t fd) {
    for (size_t i = 0; i < REGLET__MAX_OPEN_FILES; i++)
        if (files->all[i].stream && files->all[i].fd == fd)
            return &files->all[i];
    files->next = (files->next + 1) % REGLET__MAX_OPEN_FILES;
    files->all[files->next] = (struct open_file){.fd = fd, .stream = ++files->streams};
    return &files->all[files->next];
}

static uint64_t member(const struct reglet__json *object, const char *key) {
    uint64_t value = 0;
    reglet__value_get_u64(reglet__json_get(object, key), &value);
    return value;
}

static bool succeeded(const struct reglet__recorded *call) {
    return call->out && !reglet__json_get(call->out, "error") && !reglet__json_get(call->out, "ended");
}

static bool note_bytes(struct reglet__hiding *hiding, struct open_file *file, size_t index,
                       const struct reglet__json *holder, bool written) {
    const struct reglet__json *value = reglet__json_get(holder, "data"),
                              *offset = reglet__json_get(hiding->recording->calls[index].in, "offset");
    struct piece piece = {.call = index, .written = written, .stream = file->stream, .offset = file->at};
    const char *data;
    size_t size;
    if (offset)
        reglet__value_get_u64(offset, &piece.offset);
    if (!value || !reglet__value_get_bytes(&hiding->arena, value, &data, &size))
        return true;
    if (!offset)
        file->at += size;
    return add_piece(hiding, &piece, data, size);
}

/* The number of the one is the file of the other from here on. */
static void move_file(struct open_files *files, struct open_file *file, uint64_t to) {
    const struct open_file moved = *file;
    if (to == moved.fd)
        return;
    *file = (struct open_file){.fd = moved.fd, .stream = ++files->streams};
    *file_of(files, to) = (struct open_file){.fd = to, .stream = moved.stream, .at = moved.at};
}

/* Follows what is open and where it stands. */
static bool note_wasi(struct reglet__hiding *hiding, struct open_files *files, size_t index) {
    const struct reglet__recorded *call = &hiding->recording->calls[index];
    const char *name = call->function;
    if (strncmp(name, "fd_", 3) != 0 && strcmp(name, "path_open") != 0)
        return true;
    bool opens = strcmp(name, "path_open") == 0;
    uint64_t fd, value;
    if (!reglet__value_get_u64(reglet__json_get(opens ? call->out : call->in, "fd"), &fd))
        return true; /* it was not opened */
    struct open_file *file = file_of(files, fd);
    if (opens || (strcmp(name, "fd_close") == 0 && succeeded(call)))
        *file = (struct open_file){.fd = fd, .stream = ++files->streams};
    else if (strcmp(name, "fd_renumber") == 0 && succeeded(call))
        move_file(files, file, member(call->in, "to"));
    else if (strcmp(name, "fd_seek") == 0 &&
             reglet__value_get_u64(reglet__json_get(call->out, "offset"), &value))
        file->at = value;
    else if (strcmp(name, "fd_read") == 0 || strcmp(name, "fd_pread") == 0)
        return note_bytes(hiding, file, index, call->out, false);
    else if (strcmp(name, "fd_write") == 0 || strcmp(name, "fd_pwrite") == 0)
        return note_bytes(hiding, file, index, call->in, true);
    return true;
}

static bool note_content(struct reglet__hiding *hiding, const struct piece *piece,
                         const struct reglet__json *path, const struct reglet__json *content) {
    struct piece noted = *piece;
    size_t size = 0;
    if (!path || path->type != REGLET__JSON_STRING || !content || content->type != REGLET__JSON_STRING)
        return true;
    noted.path = path->text;
    const char *data = reglet__base64_decode(&hiding->arena, content->text, content->size, &size);
    return !data || add_piece(hiding, &noted, data, size);
}

static bool note_fs_read(struct reglet__hiding *hiding, size_t index) {
    const struct reglet__recorded *call = &hiding->recording->calls[index];
    const struct reglet__json *request = reglet__json_get(call->in, "request");
    const struct piece piece = {.call = index, .offset = member(request, "offset")};
    return note_content(hiding, &piece, reglet__json_get(request, "path"),
                        reglet__json_get(reglet__json_get(call->out, "response"), "content"));
}

static bool note_fs_write(struct reglet__hiding *hiding, size_t index) {
    const struct reglet__json *request = reglet__json_get(hiding->recording->calls[index].in, "request"),
                              *mode = reglet__json_get(request, "mode");
    const struct piece piece = {.call = index,
                                .written = true,
                                .appended = mode && mode->type == REGLET__JSON_STRING &&
                                            reglet__json_text_is(mode->text, mode->size, "append")};
    return note_content(hiding, &piece, reglet__json_get(request, "path"),
                        reglet__json_get(request, "content"));
}

/* Twice: as it came, and as it lies in the file. */
static reglet_status look(struct reglet__hiding *hiding) {
    struct open_files *files = calloc(1, sizeof *files);
    bool noted = files != NULL;
    for (size_t i = 0; noted && i < hiding->recording->count; i++) {
        const struct reglet__recorded *call = &hiding->recording->calls[i];
        noted = call->shape                               ? note_wasi(hiding, files, i)
                : strcmp(call->function, "fs_read") == 0  ? note_fs_read(hiding, i)
                : strcmp(call->function, "fs_write") == 0 ? note_fs_write(hiding, i)
                                                          : true;
    }
    free(files);
    if (!noted)
        return REGLET_ERR_NO_MEMORY;
    if (hiding->count == 0)
        return REGLET_OK;
    qsort(hiding->pieces, hiding->count, sizeof *hiding->pieces, in_order_of_calls);
    reglet_status status = look_at_runs(hiding, true);
    qsort(hiding->pieces, hiding->count, sizeof *hiding->pieces, in_order_of_places);
    if (status == REGLET_OK)
        status = look_at_runs(hiding, false);
    qsort(hiding->pieces, hiding->count, sizeof *hiding->pieces, by_call);
    return status;
}

struct reglet__hiding *reglet__hiding_new(const reglet_recording *recording, reglet_redactor *redactor) {
    struct reglet__hiding *hiding = calloc(1, sizeof *hiding);
    if (!hiding)
        return NULL;
    *hiding = (struct reglet__hiding){.recording = recording, .redactor = redactor};
    if (look(hiding) == REGLET_OK)
        return hiding;
    reglet__hiding_free(hiding);
    return NULL;
}

void reglet__hiding_free(struct reglet__hiding *hiding) {
    if (!hiding)
        return;
    reglet__arena_free(&hiding->arena);
    free(hiding->pieces);
    free(hiding);
}

/* --- One call --------------------------------------------------------------------------------------------- */

enum how { REPLACED, SAME_LENGTH };

/* New bytes for some; in the arena. */
static reglet_status hide_bytes(struct reglet__hiding *hiding, struct reglet__arena *arena, enum how how,
                                const char **data, size_t *size) {
    if (how == SAME_LENGTH) {
        _cleanup_(clear)
        struct found found = {0};
        reglet_status status = find(hiding, *data, *size, &found);
        char *copy = status == REGLET_OK ? reglet__arena_copy(arena, *data, *size) : NULL;
        if (copy)
            cover(hiding, &found, 0, copy, *size);
        *data = copy;
        return copy ? REGLET_OK : REGLET_ERR_NO_MEMORY;
    }
    _cleanup_free_ char *replaced = NULL;
    size_t replaced_size = 0;
    if (*size &&
        reglet__redact_text(hiding->redactor, *data, *size, &replaced, &replaced_size, NULL) != REGLET_OK)
        return REGLET_ERR_NO_MEMORY;
    if (replaced) {
        *data = reglet__arena_copy(arena, replaced, replaced_size);
        *size = replaced_size;
    }
    return *data ? REGLET_OK : REGLET_ERR_NO_MEMORY;
}

static void put_value(struct reglet__json *into, const struct reglet__json *value) {
    struct reglet__json was = *into;
    *into = *value;
    into->key = was.key;
    into->key_size = was.key_size;
    into->next = was.next;
}

/* A value of bytes, as recorded. */
static reglet_status hide_value(struct reglet__hiding *hiding, struct reglet__arena *arena, enum how how,
                                struct reglet__json *value) {
    struct reglet__json hidden;
    const char *data;
    size_t size;
    if (!value || !reglet__value_get_bytes(arena, value, &data, &size))
        return REGLET_OK;
    reglet_status status = hide_bytes(hiding, arena, how, &data, &size);
    if (status == REGLET_OK && !reglet__value_bytes(arena, data, size, &hidden))
        status = REGLET_ERR_NO_MEMORY;
    if (status == REGLET_OK)
        put_value(value, &hidden);
    return status;
}

static reglet_status hide_base64(struct reglet__hiding *hiding, struct reglet__arena *arena, enum how how,
                                 struct reglet__json *value) {
    size_t size = 0, shown = 0;
    const char *data = reglet__base64_decode(arena, value->text, value->size, &size);
    if (!data)
        return hide_value(hiding, arena, how, value);
    reglet_status status = hide_bytes(hiding, arena, how, &data, &size);
    const char *text = status == REGLET_OK ? reglet__base64_encode(arena, data, size, &shown) : NULL;
    if (!text)
        return REGLET_ERR_NO_MEMORY;
    value->text = text;
    value->size = (uint32_t)shown;
    return REGLET_OK;
}

/* The piece of a call that was looked at as part of a stream. */
static const struct piece *piece_of(const struct reglet__hiding *hiding, size_t call) {
    const struct piece wanted = {.call = call};
    return hiding->count ? bsearch(&wanted, hiding->pieces, hiding->count, sizeof wanted, by_call) : NULL;
}

/* Members in base64 by their content; the rest with the redactor's paths, which would see noise in those. */
static reglet_status hide_json(struct reglet__hiding *hiding, struct reglet__arena *arena, enum how how,
                               const struct piece *piece, struct reglet__json *object) {
    reglet_status status = REGLET_OK;
    for (struct reglet__json *item = reglet__json_first(object); item && status == REGLET_OK;
         item = item->next) {
        if (!item->key || !reglet__holds_base64(item))
            continue;
        size_t size = item->size;
        if (piece && !(item->text = reglet__base64_encode(arena, piece->data, piece->size, &size)))
            return REGLET_ERR_NO_MEMORY;
        item->size = (uint32_t)size;
        status = hide_base64(hiding, arena, how, item);
        item->type = REGLET__JSON_PRINTED; /* as the redactor leaves it alone */
    }
    if (status == REGLET_OK)
        status = reglet__redact_json(hiding->redactor, arena, object, true, NULL);
    for (struct reglet__json *item = reglet__json_first(object); item; item = item->next)
        if (item->type == REGLET__JSON_PRINTED)
            item->type = REGLET__JSON_STRING;
    return status;
}

static reglet_status hide_host(struct reglet__hiding *hiding, struct reglet__arena *arena,
                               const struct piece *piece, struct reglet__json *in, struct reglet__json *out) {
    struct reglet__json *request = reglet__json_get(in, "request"),
                        *response = reglet__json_get(out, "response");
    const struct piece *asked = piece && piece->written ? piece : NULL;
    reglet_status status = request ? hide_json(hiding, arena, REPLACED, asked, request) : REGLET_OK;
    if (status == REGLET_OK && response)
        status = hide_json(hiding, arena, SAME_LENGTH, asked ? NULL : piece, response);
    if (status == REGLET_OK)
        status = hide_value(hiding, arena, REPLACED, reglet__json_get(in, "request_text"));
    return status == REGLET_OK ? hide_value(hiding, arena, REPLACED, reglet__json_get(out, "response_text"))
                               : status;
}

/* The last entry of a list that did not fit: of its name nothing is told. */
static reglet_status hide_cut(struct reglet__arena *arena, struct reglet__json *cut) {
    enum { DIRENT_SIZE = 24 };
    struct reglet__json hidden;
    const char *data;
    size_t size;
    if (!cut || !reglet__value_get_bytes(arena, cut, &data, &size))
        return REGLET_OK;
    char *copy = reglet__arena_copy(arena, data, size);
    if (copy && size > DIRENT_SIZE)
        memset(copy + DIRENT_SIZE, '*', size - DIRENT_SIZE);
    if (!copy || !reglet__value_bytes(arena, copy, size, &hidden))
        return REGLET_ERR_NO_MEMORY;
    put_value(cut, &hidden);
    return REGLET_OK;
}

static reglet_status hide_list(struct reglet__hiding *hiding, struct reglet__arena *arena,
                               struct reglet__json *list, const char *name) {
    reglet_status status = REGLET_OK;
    for (struct reglet__json *item = reglet__json_first(list); item && status == REGLET_OK; item = item->next)
        status = hide_value(hiding, arena, SAME_LENGTH, name ? reglet__json_get(item, name) : item);
    return status;
}

static reglet_status hide_wasi(struct reglet__hiding *hiding, struct reglet__arena *arena,
                               const struct piece *piece, struct reglet__json *in, struct reglet__json *out) {
    reglet_status status = REGLET_OK;
    struct reglet__json hidden;
    struct reglet__json *streamed = piece ? reglet__json_get(piece->written ? in : out, "data") : NULL;
    if (streamed && !reglet__value_bytes(arena, piece->data, piece->size, &hidden))
        return REGLET_ERR_NO_MEMORY;
    if (streamed)
        put_value(streamed, &hidden);
    for (struct reglet__json *item = reglet__json_first(in); item && status == REGLET_OK; item = item->next)
        if (item != streamed)
            status = hide_value(hiding, arena, REPLACED, item);
    for (struct reglet__json *item = reglet__json_first(out); item && status == REGLET_OK; item = item->next)
        if (item != streamed && !reglet__json_text_is(item->key, item->key_size, "cut"))
            status = hide_value(hiding, arena, SAME_LENGTH, item);
    if (status == REGLET_OK)
        status = hide_cut(arena, reglet__json_get(out, "cut"));
    if (status == REGLET_OK)
        status = hide_list(hiding, arena, reglet__json_get(out, "entries"), "name");
    return status == REGLET_OK ? hide_list(hiding, arena, reglet__json_get(out, "list"), NULL) : status;
}

reglet_status reglet__hide(struct reglet__hiding *hiding, struct reglet__arena *arena, size_t call,
                           struct reglet__json **in, struct reglet__json **out) {
    const struct reglet__recorded *recorded = &hiding->recording->calls[call];
    struct reglet__json *asked = reglet__value_copy(arena, recorded->in),
                        *answered = reglet__value_copy(arena, recorded->out);
    if (!asked || !answered)
        return REGLET_ERR_NO_MEMORY;
    reglet_status status =
        (recorded->shape ? hide_wasi : hide_host)(hiding, arena, piece_of(hiding, call), asked, answered);
    if (status == REGLET_OK)
        status = hide_value(hiding, arena, REPLACED,
                            reglet__json_get(reglet__json_get(answered, "ended"), "message"));
    *in = asked;
    *out = answered;
    return status;
}
