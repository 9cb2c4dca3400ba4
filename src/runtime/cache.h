/*
 * cache.h - what the compilations of a cache share: the engine, the list of them, the files.
 */
#ifndef REGLET_RUNTIME_CACHE_H
#define REGLET_RUNTIME_CACHE_H

#include <pthread.h>
#include <reglet/cache.h>
#include <stdatomic.h>

#include "engine/engine.h"

struct reglet__compilation;

struct entry {
    struct entry *next; /* used last comes first */
    struct reglet__compilation *compilation;
};

struct reglet_cache {
    atomic_uint references;
    struct reglet__engine *engine;
    pthread_mutex_t lock; /* guards the list and `busy`; never held while something is compiled or written */
    struct entry *entries;
    size_t idle_max; /* modules kept though nobody uses them; 0: none is kept, in use or not */

    char *directory; /* of the files, or NULL: there are none */
    uint64_t max_bytes;
    pthread_mutex_t store_lock;  /* guards the next four; may be held while `lock` is not */
    struct reglet__store *store; /* opened when it is first needed, and never closed before the cache is */
    bool store_refused;          /* it cannot be used, whatever comes */
    bool store_failed;           /* it could not be, once, and that was told */
    int64_t store_not_before;    /* when it may be tried again */
    atomic_uint_least64_t lookups[3]; /* of code: found in memory, found in a file, not found */
    unsigned busy;                    /* threads in work that a process must not end in */
    pthread_cond_t calm;
};

/* The cache that runtimes share when they are given none. Takes a reference. */
reglet_status reglet__cache_shared(reglet_cache **out, reglet_error **err);

/* One that keeps nothing, not in files either; for runtimes that want none. */
reglet_status reglet__cache_none(reglet_cache **out, reglet_error **err);

/* Where this user's caches are by default, to be freed; NULL when nobody says so. NO_MEMORY. */
reglet_status reglet__cache_default_directory(char **out);

/* Its files; NULL: there are none, or not now. The first time that they cannot be used, *err says why. */
struct reglet__store *reglet__cache_store(reglet_cache *cache, reglet_error **err);

/*
 * Around what a thread of the library should end before the process does: writing a file, or it was compiled for nothing; and
 * whatever uses OpenSSL, which takes itself apart when a process ends.
 */
void reglet__cache_begin_work(reglet_cache *cache);
void reglet__cache_end_work(reglet_cache *cache);

/* Waits until there is no such work. Compiling is none: it can be abandoned at any moment. */
void reglet__cache_settle(reglet_cache *cache);

#endif
