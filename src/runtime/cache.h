/*
 * cache.h - compilations: started once for the same bytes, waited for under a deadline, kept for the next who
 * asks.
 */
#ifndef REGLET_RUNTIME_CACHE_H
#define REGLET_RUNTIME_CACHE_H

#include <reglet/cache.h>

#include "engine/engine.h"
#include "util/sha256.h"

/* The cache that runtimes share when they are given none. Takes a reference. */
reglet_status reglet__cache_shared(reglet_cache **out, reglet_error **err);

/* One that keeps nothing; for runtimes that want none. It runs on the shared one's engine. */
reglet_status reglet__cache_none(reglet_cache **out, reglet_error **err);

/* One compilation, running or done. Reference counted. */
struct reglet__compilation;

/* Finds or starts the compilation of these bytes (copied), in a thread of its own. */
reglet_status reglet__compilation_start(reglet_cache *cache, const struct reglet__sha256 *hash,
                                        const void *wasm, size_t size, struct reglet__compilation **out,
                                        reglet_error **err);

/*
 * Waits for its end; once for each start, and gives the reference back. REGLET_OK with a reference to the
 * module; what the compiler said; TIMEOUT or CANCELLED, when the compilation goes on: if nobody waits for it
 * any more when it ends, its result is thrown away.
 */
reglet_status reglet__compilation_wait(struct reglet__compilation *compilation,
                                       const struct reglet__interrupt *interrupt, struct reglet__module **out,
                                       reglet_error **err);

#endif
