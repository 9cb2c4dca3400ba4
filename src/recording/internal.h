/*
 * internal.h - what the files of this room share.
 */
#ifndef REGLET_RECORDING_INTERNAL_H
#define REGLET_RECORDING_INTERNAL_H

#include <string.h>

#include "recording/recording.h"

/* --- Values (value.c) ------------------------------------------------------------------------------------- */

/* Bytes are a string where they are UTF-8, or else {"base64": "…"}. False without memory. */
bool reglet__value_bytes(struct reglet__arena *arena, const void *data, size_t size,
                         struct reglet__json *out);
/* The bytes of such a value, which may be borrowed from it. False when it is none, or without memory. */
bool reglet__value_get_bytes(struct reglet__arena *arena, const struct reglet__json *value, const char **out,
                             size_t *size);
bool reglet__value_get_u64(const struct reglet__json *value, uint64_t *out);
bool reglet__value_add_bytes(struct reglet__arena *arena, struct reglet__json *object, const char *key,
                             const void *data, size_t size);
/* Base64 (RFC 4648, padded) and back; NULL without memory, or when it is no base64. */
char *reglet__base64_encode(struct reglet__arena *arena, const void *data, size_t size, size_t *out_size);
char *reglet__base64_decode(struct reglet__arena *arena, const char *text, size_t size, size_t *out_size);
/* A copy that shares nothing; NULL without memory. */
struct reglet__json *reglet__value_copy(struct reglet__arena *arena, const struct reglet__json *value);
/* Whether the value can be read again from within a line of a recording. */
bool reglet__value_fits(const struct reglet__json *value);
struct reglet__json *reglet__value_add_array(struct reglet__arena *arena, struct reglet__json *object,
                                             const char *key);
/* Appends; the new item, or NULL without memory. `link` begins as &array->first. */
struct reglet__json *reglet__value_append(struct reglet__arena *arena, struct reglet__json ***link,
                                          const struct reglet__json *value);

/* Members of requests and responses that hold bytes in base64. */
bool reglet__holds_base64(const struct reglet__json *member);

/* --- Comparing (same.c) ----------------------------------------------------------------------------------- */

/* Whether a question is the recorded one. Where that was redacted, what was replaced stands for anything. */
bool reglet__same_question(const reglet_recording *recording, const struct reglet__recorded *recorded,
                           const struct reglet__json *in);
/* Writes how two questions differ, for people: one line. */
void reglet__explain_difference(const struct reglet__recorded *recorded, const char *function,
                                const struct reglet__json *in, char *out, size_t size);

/* --- A call before it runs (asked.c) ---------------------------------------------------------------------- */

struct reglet__span {
    uint32_t address, size;
};

struct reglet__asked {
    const struct reglet__import *import;
    const struct reglet__shape *shape;
    union reglet__slot slots[REGLET__MAX_SLOTS]; /* as they came */
    struct reglet__json *in;
    /* Where an answer goes. */
    struct reglet__span *spans; /* buffers, as the list had them before the call */
    size_t span_count;
    uint32_t used_at;
    const unsigned char *subscriptions; /* of poll_oneoff, copied */
    uint32_t subscription_count;
    uint32_t string_count; /* that args_get and environ_get write */
};

/* Whether the call is to be recorded, or answered from a recording; else it is done as it is. */
bool reglet__is_recorded(const struct reglet__streams *streams, const struct reglet__import *import,
                         const struct reglet__shape *shape, const union reglet__slot *slots);
/* The row of an import; NULL for one of reglet_host. */
const struct reglet__shape *reglet__shape_of(const struct reglet__import *import);
/* The descriptors that a call is about; `to` of fd_renumber alone. */
struct reglet__descriptors {
    uint32_t fd, to;
};
struct reglet__descriptors reglet__descriptors_of(const struct reglet__shape *shape,
                                                  const union reglet__slot *slots);
/* After a call, with what it was answered (0: success): which streams are left. */
void reglet__streams_note(struct reglet__streams *streams, const struct reglet__shape *shape,
                          struct reglet__descriptors asked, uint32_t error);

/* Takes down what the call asks. False without memory. */
bool reglet__ask(struct reglet__arena *arena, struct reglet__guest *guest,
                 const struct reglet__import *import, const struct reglet__shape *shape,
                 const union reglet__slot *slots, struct reglet__asked *out);

/* --- Series (series.c) ------------------------------------------------------------------------------------ */

/* Takes down what a call of a series was answered; NULL without memory. */
bool reglet__series_take(struct reglet__arena *arena, struct reglet__guest *guest,
                         const struct reglet__asked *asked, struct reglet__json *out);
/* Answers from the series: an errno of preview1, or -1 without memory. */
int reglet__series_answer(struct reglet__replayer *replayer, struct reglet__arena *arena,
                          struct reglet__guest *guest, const struct reglet__asked *asked);
/* What is wrong with such an answer that was read; NULL: nothing. */
const char *reglet__series_check(const struct reglet__shape *shape, const struct reglet__json *out);

/* Writes a structure's fields; an errno of preview1. */
int reglet__put_fields(struct reglet__guest *guest, uint32_t address, const struct reglet__layout *layout,
                       const struct reglet__json *values);
bool reglet__take_fields(struct reglet__arena *arena, struct reglet__guest *guest, uint32_t address,
                         const struct reglet__layout *layout, struct reglet__json *out);

/* --- Redaction (hide.c) ----------------------------------------------------------------------------------- */

struct reglet__hiding;
/* Looks at what the calls read and wrote, as the streams that they are parts of. NULL without memory. */
struct reglet__hiding *reglet__hiding_new(const reglet_recording *recording, reglet_redactor *redactor);
void reglet__hiding_free(struct reglet__hiding *hiding);
/* A call's question and answer with everything secret replaced. NO_MEMORY. */
reglet_status reglet__hide(struct reglet__hiding *hiding, struct reglet__arena *arena, size_t call,
                           struct reglet__json **in, struct reglet__json **out);

/* Adds a call without an answer yet; its number, or SIZE_MAX without memory. */
size_t reglet__recording_add(reglet_recording *recording, const struct reglet__recorded *call);

/* Bytes of a directory's entries: {"next","ino","type","name"} and what was cut off. NULL without memory. */
bool reglet__entries_take(struct reglet__arena *arena, const unsigned char *data, uint32_t size,
                          struct reglet__json *out);
unsigned char *reglet__entries_print(struct reglet__arena *arena, const struct reglet__json *out,
                                     size_t *size);

#endif
