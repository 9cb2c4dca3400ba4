/*
 * compilation.h - the code of one module in a cache: made once for the same bytes, waited for under a deadline, and made better
 * in the background once it has answered.
 */
#ifndef REGLET_RUNTIME_COMPILATION_H
#define REGLET_RUNTIME_COMPILATION_H

#include <reglet/runtime.h>

#include "runtime/cache.h"
#include "util/sha256.h"

/* Reference counted. Those who use it hold references of a kind of their own: code that nobody uses can be dropped. */
struct reglet__compilation;

/* Where a module's bytes are. */
struct reglet__module_source {
    const void *wasm;
    size_t size;
    int fd; /* of a file that has them; -1: `wasm` */
};

/*
 * Finds or starts the compilation of a module, in a thread of its own; or takes code that an earlier process left in a file. The
 * caller becomes a user. The source is the caller's: bytes are copied, a descriptor is duplicated, if they are needed.
 */
reglet_status reglet__compilation_start(reglet_cache *cache, const struct reglet__sha256 *hash,
                                        reglet_compiler choice, const struct reglet__module_source *source,
                                        struct reglet__compilation **out, reglet_error **err);

/* A user is gone; its reference stays. NULL is allowed. */
void reglet__compilation_leave(struct reglet__compilation *compilation);

/*
 * Waits until there is code. REGLET_OK with a reference to the module; what the compiler said; TIMEOUT or CANCELLED, when the
 * compilation goes on: if nobody uses it any more when it ends, its result is thrown away.
 */
reglet_status reglet__compilation_wait(struct reglet__compilation *compilation,
                                       const struct reglet__interrupt *interrupt, struct reglet__module **out,
                                       reglet_error **err);

/*
 * Has optimised code made in the background, if there is none and nobody has asked for it yet; false when no thread can be
 * started. Cheap when it has been asked.
 */
bool reglet__compilation_improve(struct reglet__compilation *compilation);

/* Better code than `current`, with a reference, if there is some by now; else NULL. Cheap. */
struct reglet__module *reglet__compilation_better(struct reglet__compilation *compilation,
                                                  const struct reglet__module *current);

/* Whether optimised code is being made. */
bool reglet__compilation_is_improving(struct reglet__compilation *compilation);

/* Waits until the optimised code is there, and has it made. What the compiler said, TIMEOUT, CANCELLED, … */
reglet_status reglet__compilation_wait_improved(struct reglet__compilation *compilation,
                                                const struct reglet__interrupt *interrupt,
                                                reglet_error **err);

/* What went wrong with files or in optimising meanwhile, each once, to be freed; or NULL. Cheap when there is nothing. */
char *reglet__compilation_notice(struct reglet__compilation *compilation);

/* For the cache's list, under its lock. */
bool reglet__compilation_is_idle(const struct reglet__compilation *compilation);
void reglet__compilation_unref(struct reglet__compilation *compilation);

#endif
