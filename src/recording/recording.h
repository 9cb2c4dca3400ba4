/*
 * recording.h - recordings inside the library: what one observation asked and was answered, and the tap (engine/guest.h)
 * that takes it down or answers from it.
 */
#ifndef REGLET_RECORDING_RECORDING_H
#define REGLET_RECORDING_RECORDING_H

#include <reglet/recording.h>

#include "abi/json.h"
#include "engine/guest.h"
#include "recording/shape.h"
#include "util/sha256.h"

/* One call of a host function. */
struct reglet__recorded {
    const char *function;
    const struct reglet__shape *shape; /* NULL: it is of the module reglet_host */
    struct reglet__json *in, *out;     /* objects; `out` is NULL while the function runs */
};

struct reglet_recording {
    struct reglet__arena arena; /* everything below lives in it, but the list */
    bool begun;
    const char *plugin, *module_sha256, *time;
    int64_t time_ns;
    uint64_t abi;
    struct reglet__json *config; /* an object */
    bool redacted;               /* what was secret has been replaced, in questions too */
    struct reglet__recorded *calls;
    size_t count, room;
    size_t bytes; /* as text, nearly */
};

/* What the first line says. INVALID_ARGUMENT: it holds a call already; NO_MEMORY. */
struct reglet__recording_head {
    const char *plugin;
    const struct reglet__sha256 *module;
    int abi;
    const char *config; /* JSON */
    size_t config_size;
};
reglet_status reglet__recording_begin(reglet_recording *recording, const struct reglet__recording_head *head,
                                      reglet_error **err);

/* The recorded config, as the plugin gets it; NULL without memory. To be freed with free(). */
char *reglet__recording_config(const reglet_recording *recording, size_t *size);

/* --- During a call: user data of the tap, on the call's thread ------------------------------------------- */

/* Which of the guest's descriptors 0 to 2 are its streams still: what it does with those is no matter of recordings. */
struct reglet__streams {
    bool gone[3];
};

struct reglet__recorder {
    reglet_recording *recording;
    uint32_t string_counts[2]; /* of arguments and environment, as the guest was told */
    struct reglet__streams streams;
};
bool reglet__record_call(void *recorder, struct reglet__guest *guest, const struct reglet__import *import,
                         union reglet__slot *slots);

enum { REGLET__RECORDING_VERSION = 1 };
enum { REGLET__CLOCKS = 2, REGLET__SERIES_MAX = 8 };

struct reglet__replayer {
    const reglet_recording *recording;
    struct reglet__streams streams;
    size_t next;                      /* call that has to be asked in order */
    size_t asked;                     /* of those */
    bool giving;                      /* the guest's allocate runs */
    const struct reglet__json *ended; /* of a series: the plugin's call ends as it did there */
    struct {
        const struct reglet__shape *shape;
        uint64_t id; /* of a clock */
        size_t next; /* call to look at */
        const struct reglet__recorded *last;
    } series[REGLET__SERIES_MAX];
    size_t series_count;
    uint64_t clocks[REGLET__CLOCKS];            /* what each said last */
    const struct reglet__recorded *random_call; /* whose bytes are being handed out; NULL: the next one */
    size_t random_at;                           /* and how many were */
    struct reglet__sha256 random;               /* the generator behind the end, and bytes left of it */
    size_t random_left;
};
void reglet__replay_begin(struct reglet__replayer *replayer, const reglet_recording *recording);
bool reglet__replay_call(void *replayer, struct reglet__guest *guest, const struct reglet__import *import,
                         union reglet__slot *slots);
/* Calls in order that the recording has and the plugin did not ask for; *total: that it has. */
size_t reglet__replay_left(const struct reglet__replayer *replayer, size_t *total);

#endif
