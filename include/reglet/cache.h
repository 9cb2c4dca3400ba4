/*
 * reglet/cache.h - compiled modules, shared by runtimes.
 */
#ifndef REGLET_CACHE_H
#define REGLET_CACHE_H

#include <reglet/error.h>

REGLET_BEGIN_DECLS

/**
 * Compiled modules, kept in memory under the SHA-256 of their bytes, so that the same bytes are compiled once
 * however many runtimes and names load them. Only code is shared: never memory, grants or results. A module
 * in use is always kept; of those that no plugin uses any more the 16 used last.
 */
typedef struct reglet_cache reglet_cache;

/**
 * Makes a cache of the caller's own, with one reference. Runtimes that are given none share one cache per
 * process.
 *
 * @param out  receives the cache; untouched on failure
 * @return REGLET_OK, REGLET_ERR_INVALID_ARGUMENT, REGLET_ERR_NO_MEMORY, REGLET_ERR_UNSUPPORTED (the engine
 *         cannot run here; the message has its words)
 */
REGLET_API reglet_status reglet_cache_new(reglet_cache **out, reglet_error **err);

/** Takes one more reference; returns its argument. NULL is allowed. Any thread. */
REGLET_API reglet_cache *reglet_cache_ref(reglet_cache *cache);

/** Gives a reference back; a runtime holds its own. The last one frees. NULL is allowed. Any thread. */
REGLET_API void reglet_cache_unref(reglet_cache *cache);

REGLET_END_DECLS

#endif
