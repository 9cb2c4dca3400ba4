/*
 * guest.h - one instance of a module during one call, as the host functions see it.
 *
 * The rooms above include this and never the engine's own headers. A guest belongs to one call on one thread.
 */
#ifndef REGLET_ENGINE_GUEST_H
#define REGLET_ENGINE_GUEST_H

#include <reglet/error.h>

#include "util/interrupt.h"

/* One argument or result of a host function, as the engine lays it out (16 bytes). */
union reglet__slot {
    int32_t i32;
    uint32_t u32;
    int64_t i64;
    uint64_t u64;
    float f32;
    double f64;
    unsigned char v128[16];
};

/* Whose per-call state a host function works on. */
enum reglet__room { REGLET__ROOM_WASI, REGLET__ROOM_HOST, REGLET__ROOM_COUNT };

/* Why the host ended the call from inside a host function. */
struct reglet__stop {
    reglet_status status; /* REGLET_OK: it did not */
    uint32_t exit_code;   /* with REGLET_ERR_EXIT */
    char message[1200];   /* one line; may be empty for TIMEOUT and CANCELLED */
};

struct reglet__guest; /* the engine's; see engine.h for its life */

/* The state that the runtime gave this call for a room. */
void *reglet__guest_state(struct reglet__guest *guest, enum reglet__room room);

/* The call's deadline and token: every wait of a host function goes through reglet__interrupt_wait() with it.
 */
const struct reglet__interrupt *reglet__guest_interrupt(struct reglet__guest *guest);

/*
 * `size` bytes of guest memory at `address`, or NULL when any of them lies outside (or there is no memory).
 * This is the one function that checks an offset and a length. Copy out at once and never hold the pointer
 * across anything that can run guest code: it grows and moves.
 */
void *reglet__guest_memory(struct reglet__guest *guest, uint32_t address, uint64_t size);

/* Copies in or out; false when any byte lies outside. */
bool reglet__guest_read(struct reglet__guest *guest, uint32_t address, void *out, uint32_t size);
bool reglet__guest_write(struct reglet__guest *guest, uint32_t address, const void *data, uint32_t size);

/* Little-endian numbers; false when any byte lies outside. */
bool reglet__guest_write_u32(struct reglet__guest *guest, uint32_t address, uint32_t value);
bool reglet__guest_write_u64(struct reglet__guest *guest, uint32_t address, uint64_t value);

/*
 * Has the guest allocate room and copies the data there; runs guest code. BAD_OUTPUT (allocate lies), MISSING_EXPORT, or why
 * allocate did not return, as reglet__guest_call() has it.
 */
reglet_status reglet__guest_give(struct reglet__guest *guest, const void *data, uint32_t size,
                                 uint32_t *address, uint32_t *exit_code, reglet_error **err);

/* Why the host ended the call, as far as it did; status REGLET_OK: it did not. */
const struct reglet__stop *reglet__guest_stopped(const struct reglet__guest *guest);

/* While a host function runs: the name by which the guest imported it. */
const char *reglet__guest_imported_name(const struct reglet__guest *guest);

/* Notes why the call ends; the host function then returns false. The first reason stays. */
void reglet__guest_stop(struct reglet__guest *guest, reglet_status status, const char *format, ...)
    REGLET_PRINTF(3, 4);
void reglet__guest_exit(struct reglet__guest *guest, uint32_t exit_code);

/*
 * A host function. Arguments come in slots[0…]; the result, if there is one, goes to slots[0]. It returns
 * true to go on, or false after reglet__guest_stop() to end the call. It may call exports of the guest (the
 * response's allocate).
 */
typedef bool (*reglet__host_function)(struct reglet__guest *guest, union reglet__slot *slots);

/* What a call of a host function means for an image that is taken after it. */
enum reglet__effect {
    REGLET__REACHES_OUT =
        0,           /* it acts on something, or answers what may be different the next time: no image */
    REGLET__DRAWS,   /* random bytes. An image may hold what initialising drew, not what a call did */
    REGLET__STAYS_IN /* every call is answered anew, and nothing is left behind that an image does not have */
};

/*
 * What a module can import. A signature is "params->results" in letters: i = i32, I = i64, f = f32, F = f64. Without a name
 * it is every name of that module that no other import has; whoever loads the module checks those, by
 * reglet__module_open_import().
 */
struct reglet__import {
    const char *module;
    const char *name;      /* or NULL */
    const char *signature; /* such as "iiI->i" or "I->" */
    reglet__host_function function;
    enum reglet__effect effect;
};

/*
 * What stands between a guest and everything that it imports: called instead of the function, which it may call. NULL: there
 * is nothing between.
 */
struct reglet__tap {
    bool (*call)(void *user_data, struct reglet__guest *guest, const struct reglet__import *import,
                 union reglet__slot *slots);
    void *user_data;
};

#endif
