/*
 * reglet/cache.h - compiled modules, shared by runtimes.
 */
#ifndef REGLET_CACHE_H
#define REGLET_CACHE_H

#include <reglet/error.h>

REGLET_BEGIN_DECLS

/**
 * Compiled modules, kept in memory under the SHA-256 of their bytes, so that the same bytes are compiled once however many
 * runtimes and names load them (once for each value of a runtime's option `compiler`); and in files of a directory, so that
 * later processes need not compile them either. A file has the code and the initial data of one module by one compiler.
 * Code that is in use is shared, and so is that data, copy on write; never what a plugin writes, grants or results. In
 * memory a module in use is always kept; when a load adds one, of those that no plugin uses any more all but the 16 used
 * last go.
 */
typedef struct reglet_cache reglet_cache;

/** Options of a cache. All zero (but struct_size) is the default; NULL as well. Everything is copied. */
typedef struct reglet_cache_options {
    size_t struct_size; /**< sizeof(reglet_cache_options); REGLET_CACHE_OPTIONS_INIT sets it */
    /** Absolute directory of the code files, made with mode 0700, and its parents too, by the first load when it is missing.
     * NULL: $XDG_CACHE_HOME/reglet, else $HOME/.cache/reglet; a variable that is no absolute path does not count, and without
     * either no files are kept. Files are used only from a directory that belongs to this user (the effective one) and that
     * nobody else may write; otherwise the cache works in memory alone, and a log event of the runtime that loads first
     * says why. */
    const char *directory;
    bool memory_only; /**< no files at all */
    /** Bytes of all code files together; when one is added, those used least recently are removed until all fit, and one
     * that is larger by itself is not kept. 0: 2 GiB. -1: unlimited. */
    int64_t max_bytes;
} reglet_cache_options;

#define REGLET_CACHE_OPTIONS_INIT REGLET_STRUCT_INIT(reglet_cache_options)

/**
 * Makes a cache of the caller's own, with one reference. Runtimes that are given none share one cache per
 * process, which has all options at their defaults.
 *
 * @param options  NULL is the same as all zero
 * @param out      receives the cache; untouched on failure
 * @return REGLET_OK; REGLET_ERR_INVALID_ARGUMENT (which option, and what it may be); REGLET_ERR_NO_MEMORY (also: no thread
 *         can be started); REGLET_ERR_UNSUPPORTED (the engine cannot run here; the message has its words)
 *
 * The directory is not looked at yet. Any thread.
 */
REGLET_API reglet_status reglet_cache_new(const reglet_cache_options *options, reglet_cache **out,
                                          reglet_error **err);

/** The directory of its code files, also when it is not there; NULL when it keeps none. Borrowed. Any thread. */
REGLET_API const char *reglet_cache_directory(const reglet_cache *cache);

/** Takes one more reference; returns its argument. NULL is allowed. Any thread. */
REGLET_API reglet_cache *reglet_cache_ref(reglet_cache *cache);

/** Gives a reference back; a runtime holds its own. The last one frees. NULL is allowed. Any thread. */
REGLET_API void reglet_cache_unref(reglet_cache *cache);

/** One file of compiled code. */
typedef struct reglet_cache_entry {
    size_t struct_size; /**< size of the structure that the library filled in */
    const char *sha256; /**< of the module, 64 hexadecimal digits */
    const char
        *compiler;   /**< "fast", "optimizing", or "" for code that is of another version, settings or CPU */
    uint64_t bytes;  /**< of the file */
    int64_t used_ms; /**< when it was used last, in milliseconds since 1970 */
} reglet_cache_entry;

/** Called for each file, on the thread that asked; the entry is valid during the call. Returns whether to go on. */
typedef bool (*reglet_cache_entry_fn)(void *user_data, const reglet_cache_entry *entry);

/**
 * Tells of every file, the one used last first, by name and size: whether it is sound is not looked at. A directory that is
 * not there has none and is not made; nor has a cache that keeps no files. Of a directory with more than 100,000 names the
 * rest is not looked at.
 *
 * @return REGLET_OK; REGLET_ERR_IO (the directory cannot be used, and why); REGLET_ERR_INVALID_ARGUMENT (`cache` or `each` is
 *         NULL); REGLET_ERR_NO_MEMORY
 *
 * Any thread.
 */
REGLET_API reglet_status reglet_cache_list(reglet_cache *cache, reglet_cache_entry_fn each, void *user_data,
                                           reglet_error **err);

/** What is removed. All zero (but struct_size) is the default; NULL as well. */
typedef struct reglet_cache_prune_options {
    size_t struct_size; /**< sizeof(reglet_cache_prune_options); REGLET_CACHE_PRUNE_OPTIONS_INIT sets it */
    bool all;           /**< every file */
    int64_t max_age_ms; /**< files that were not used for longer. 0: however long */
    int64_t
        max_bytes; /**< of those that stay; the files used least recently go. 0: as the cache has it. -1: unlimited */
} reglet_cache_prune_options;

#define REGLET_CACHE_PRUNE_OPTIONS_INIT REGLET_STRUCT_INIT(reglet_cache_prune_options)

/** What was removed. */
typedef struct reglet_cache_pruned {
    uint64_t files;
    uint64_t bytes;
} reglet_cache_pruned;

/**
 * Removes files that this version cannot use (damaged, of another version, other settings or another CPU, half written),
 * and what the options say. What another process is just writing is half written as well: that process goes on without its
 * file. Code that a process runs stays with it. Files under names that are none of the cache's stay.
 *
 * @param out  receives what was removed; may be NULL; untouched on failure, when some may be gone already
 * @return as reglet_cache_list(); REGLET_ERR_INVALID_ARGUMENT also for the options
 *
 * Any thread.
 */
REGLET_API reglet_status reglet_cache_prune(reglet_cache *cache, const reglet_cache_prune_options *options,
                                            reglet_cache_pruned *out, reglet_error **err);

REGLET_END_DECLS

#endif
