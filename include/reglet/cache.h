/*
 * reglet/cache.h - compiled modules, shared by runtimes.
 */
#ifndef REGLET_CACHE_H
#define REGLET_CACHE_H

#include <reglet/error.h>

REGLET_BEGIN_DECLS

/**
 * Compiled modules, kept in memory under the SHA-256 of their bytes, so that the same bytes are compiled once
 * however many runtimes and names load them; and in files of a directory, so that later processes need not compile them
 * either. Only code is shared: never memory, grants or results. In memory a module in use is always kept; of those that no
 * plugin uses any more the 16 used last.
 */
typedef struct reglet_cache reglet_cache;

/** Options of a cache. All zero (but struct_size) is the default; NULL as well. Everything is copied. */
typedef struct reglet_cache_options {
    size_t struct_size; /**< sizeof(reglet_cache_options); REGLET_CACHE_OPTIONS_INIT sets it */
    /** Absolute directory of the code files, made with mode 0700 when it is missing. NULL: $XDG_CACHE_HOME/reglet, else
     * $HOME/.cache/reglet; without either no files are kept. Files are used only from a directory that belongs to this user
     * and that nobody else may write; otherwise the cache works in memory alone, and a log event of the runtime says why. */
    const char *directory;
    bool memory_only; /**< no files at all */
    /** Bytes of all code files together; beyond it those used least recently are removed. 0: 2 GiB. -1: unlimited. */
    int64_t max_bytes;
} reglet_cache_options;

#define REGLET_CACHE_OPTIONS_INIT REGLET_STRUCT_INIT(reglet_cache_options)

/**
 * Makes a cache of the caller's own, with one reference. Runtimes that are given none share one cache per
 * process, which has all options at their defaults.
 *
 * @param options  NULL is the same as all zero
 * @param out      receives the cache; untouched on failure
 * @return REGLET_OK, REGLET_ERR_INVALID_ARGUMENT, REGLET_ERR_NO_MEMORY, REGLET_ERR_UNSUPPORTED (the engine
 *         cannot run here; the message has its words)
 */
REGLET_API reglet_status reglet_cache_new(const reglet_cache_options *options, reglet_cache **out,
                                          reglet_error **err);

/** Takes one more reference; returns its argument. NULL is allowed. Any thread. */
REGLET_API reglet_cache *reglet_cache_ref(reglet_cache *cache);

/** Gives a reference back; a runtime holds its own. The last one frees. NULL is allowed. Any thread. */
REGLET_API void reglet_cache_unref(reglet_cache *cache);

REGLET_END_DECLS

#endif
