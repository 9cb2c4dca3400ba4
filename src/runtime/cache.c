#define _GNU_SOURCE
#include "runtime/cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/host.h"
#include "runtime/compilation.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/options.h"
#include "util/thread.h"
#include "wasi/wasi.h"

/* --- The engine, one for the process ----------------------------------------------------------------------- */

/* Made on first use and never freed: its threads live as long as the process. */
static reglet_status get_engine(struct reglet__engine **out, reglet_error **err) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct reglet__engine *engine;
    const struct reglet__import *const tables[] = {reglet__wasi_imports, reglet__host_imports};
    const size_t counts[] = {reglet__wasi_import_count, reglet__host_import_count};
    pthread_mutex_lock(&lock);
    reglet_status status =
        engine ? REGLET_OK : reglet__engine_new(tables, counts, ARRAY_LEN(tables), &engine, err);
    if (status == REGLET_OK)
        *out = reglet__engine_ref(engine);
    pthread_mutex_unlock(&lock);
    return status;
}

/* --- The cache --------------------------------------------------------------------------------------------- */

/* Takes the directory over, also when it fails. */
static reglet_status cache_new(size_t idle_max, char *directory, uint64_t max_bytes, reglet_cache **out,
                               reglet_error **err) {
    struct reglet__engine *engine = NULL;
    reglet_status status = get_engine(&engine, err);
    reglet_cache *cache = status == REGLET_OK ? calloc(1, sizeof *cache) : NULL;
    if (!cache || reglet__cond_init(&cache->calm) != 0) {
        free(cache);
        free(directory);
        reglet__engine_unref(engine);
        return status == REGLET_OK ? reglet__fail_memory(err) : status;
    }
    atomic_init(&cache->references, 1);
    pthread_mutex_init(&cache->lock, NULL);
    pthread_mutex_init(&cache->store_lock, NULL);
    cache->engine = engine;
    cache->idle_max = idle_max;
    cache->directory = directory;
    cache->max_bytes = max_bytes;
    *out = cache;
    return REGLET_OK;
}

/* A program with more rights than its user does not ask the environment. */
reglet_status reglet__cache_default_directory(char **out) {
    const char *cache = secure_getenv("XDG_CACHE_HOME"), *home = secure_getenv("HOME");
    int size = 0;
    if (cache && cache[0] == '/')
        size = asprintf(out, "%s/reglet", cache);
    else if (home && home[0] == '/')
        size = asprintf(out, "%s/.cache/reglet", home);
    if (size >= 0)
        return REGLET_OK;
    *out = NULL;
    return REGLET_ERR_NO_MEMORY;
}

static reglet_status choose_directory(const reglet_cache_options *options, char **out, reglet_error **err) {
    if (options->memory_only)
        return REGLET_OK;
    if (!options->directory)
        return reglet__cache_default_directory(out) == REGLET_OK ? REGLET_OK : reglet__fail_memory(err);
    if (options->directory[0] != '/')
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "cache options: directory is \"%s\"; it must be an absolute path",
                            options->directory);
    *out = strdup(options->directory);
    return *out ? REGLET_OK : reglet__fail_memory(err);
}

reglet_status reglet_cache_new(const reglet_cache_options *options, reglet_cache **out, reglet_error **err) {
    reglet_cache_options known;
    if (!out)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME, "cache: out is NULL");
    if (!reglet__options_copy(&known, sizeof known, options))
        return reglet__fail_options(err, "cache options", "REGLET_CACHE_OPTIONS_INIT");
    if (known.max_bytes < -1)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "cache options: max_bytes is %lld; it may be 0 (%lld), -1 (unlimited) or more",
                            (long long)known.max_bytes, (long long)REGLET__DEFAULT_CACHE_BYTES);
    char *directory = NULL;
    reglet_status status = choose_directory(&known, &directory, err);
    if (status != REGLET_OK)
        return status;
    uint64_t most = known.max_bytes == -1  ? UINT64_MAX
                    : known.max_bytes == 0 ? (uint64_t)REGLET__DEFAULT_CACHE_BYTES
                                           : (uint64_t)known.max_bytes;
    return cache_new(REGLET__IDLE_MODULES, directory, most, out, err);
}

reglet_cache *reglet_cache_ref(reglet_cache *cache) {
    if (cache)
        atomic_fetch_add_explicit(&cache->references, 1, memory_order_relaxed);
    return cache;
}

void reglet_cache_unref(reglet_cache *cache) {
    if (!cache || atomic_fetch_sub_explicit(&cache->references, 1, memory_order_acq_rel) != 1)
        return;
    while (cache->entries) {
        struct entry *entry = cache->entries;
        cache->entries = entry->next;
        reglet__compilation_unref(entry->compilation);
        free(entry);
    }
    reglet__store_free(cache->store);
    reglet__engine_unref(cache->engine);
    pthread_cond_destroy(&cache->calm);
    pthread_mutex_destroy(&cache->store_lock);
    pthread_mutex_destroy(&cache->lock);
    free(cache->directory);
    free(cache);
}

reglet_status reglet__cache_shared(reglet_cache **out, reglet_error **err) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static reglet_cache *shared;
    pthread_mutex_lock(&lock);
    reglet_status status = shared ? REGLET_OK : reglet_cache_new(NULL, &shared, err);
    if (status == REGLET_OK)
        *out = reglet_cache_ref(shared);
    pthread_mutex_unlock(&lock);
    return status;
}

reglet_status reglet__cache_none(reglet_cache **out, reglet_error **err) {
    return cache_new(0, NULL, 0, out, err);
}

const char *reglet_cache_directory(const reglet_cache *cache) {
    return cache ? cache->directory : NULL;
}

/* --- Its files --------------------------------------------------------------------------------------------- */

/* What failed for want of descriptors or memory is tried again; the first failure is told. */
static void open_store(reglet_cache *cache, reglet_error **err) {
    reglet_error *error = NULL;
    reglet_status status = reglet__store_open(cache->directory, cache->max_bytes, &cache->store, &error);
    if (status == REGLET_OK && (status = reglet__store_check_exec(cache->store, &error)) != REGLET_OK)
        reglet__store_free(take_ptr(cache->store));
    if (status == REGLET_OK)
        return;
    cache->store_refused =
        status != REGLET_ERR_NO_MEMORY && !reglet__errno_may_pass(reglet_error_errno(error));
    cache->store_not_before = reglet__deadline_after_ms(REGLET__TRY_AGAIN_MS);
    if (cache->store_failed || !err)
        reglet_error_free(error);
    else
        *err = error;
    cache->store_failed = true;
}

struct reglet__store *reglet__cache_store(reglet_cache *cache, reglet_error **err) {
    if (!cache->directory)
        return NULL;
    pthread_mutex_lock(&cache->store_lock);
    if (!cache->store && !cache->store_refused && reglet__now() >= cache->store_not_before)
        open_store(cache, err);
    struct reglet__store *store = cache->store;
    pthread_mutex_unlock(&cache->store_lock);
    return store;
}

void reglet__cache_begin_work(reglet_cache *cache) {
    pthread_mutex_lock(&cache->lock);
    cache->busy++;
    pthread_mutex_unlock(&cache->lock);
}

void reglet__cache_end_work(reglet_cache *cache) {
    pthread_mutex_lock(&cache->lock);
    if (--cache->busy == 0)
        pthread_cond_broadcast(&cache->calm);
    pthread_mutex_unlock(&cache->lock);
}

void reglet__cache_settle(reglet_cache *cache) {
    pthread_mutex_lock(&cache->lock);
    while (cache->busy > 0)
        pthread_cond_wait(&cache->calm, &cache->lock);
    pthread_mutex_unlock(&cache->lock);
}

/* --- Looking into it --------------------------------------------------------------------------------------- */

static const char *compiler_of(const reglet_cache *cache, const struct reglet__stored *stored) {
    static const char *const names[REGLET__COMPILERS] = {"fast", "optimizing"};
    for (size_t i = 0; i < REGLET__COMPILERS; i++)
        if (stored->key.engine == reglet__engine_compatibility(cache->engine, (enum reglet__compiler)i))
            return names[i];
    return "";
}

/* Nothing is made where nothing is: *out is NULL then. Opened anew, so that each question has its own answer. */
static reglet_status open_existing(const reglet_cache *cache, struct reglet__store **out,
                                   reglet_error **err) {
    if (!cache)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME, "cache: it is NULL");
    if (!cache->directory || (access(cache->directory, F_OK) != 0 && errno == ENOENT))
        return REGLET_OK;
    return reglet__store_open(cache->directory, cache->max_bytes, out, err);
}

struct listing {
    const reglet_cache *cache;
    reglet_cache_entry_fn each;
    void *user_data;
};

static bool list_one(void *user_data, const struct reglet__stored *stored) {
    const struct listing *listing = user_data;
    char sha256[65];
    reglet__sha256_to_hex(&stored->key.module, sha256);
    const reglet_cache_entry entry = {sizeof entry, sha256, compiler_of(listing->cache, stored),
                                      stored->bytes, stored->used_ms};
    return listing->each(listing->user_data, &entry);
}

reglet_status reglet_cache_list(reglet_cache *cache, reglet_cache_entry_fn each, void *user_data,
                                reglet_error **err) {
    struct reglet__store *store = NULL;
    struct listing listing = {cache, each, user_data};
    if (!each)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME, "cache: each is NULL");
    reglet_status status = open_existing(cache, &store, err);
    if (status == REGLET_OK && store)
        status = reglet__store_list(store, list_one, &listing, err);
    reglet__store_free(store);
    return status;
}

struct pruning {
    const reglet_cache *cache;
    reglet_cache_prune_options options;
    int64_t now_ms;
};

static bool drop_one(void *user_data, const struct reglet__stored *stored) {
    const struct pruning *pruning = user_data;
    int64_t age = pruning->now_ms - stored->used_ms;
    return pruning->options.all || !*compiler_of(pruning->cache, stored) ||
           (pruning->options.max_age_ms && age > pruning->options.max_age_ms);
}

reglet_status reglet_cache_prune(reglet_cache *cache, const reglet_cache_prune_options *options,
                                 reglet_cache_pruned *out, reglet_error **err) {
    struct pruning pruning = {.cache = cache};
    struct timespec now;
    if (!reglet__options_copy(&pruning.options, sizeof pruning.options, options))
        return reglet__fail_options(err, "cache prune options", "REGLET_CACHE_PRUNE_OPTIONS_INIT");
    if (pruning.options.max_age_ms < 0 || pruning.options.max_bytes < -1)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "cache prune options: max_age_ms may be 0 or more, and max_bytes -1, 0 or more");
    struct reglet__store *store = NULL;
    reglet_cache_pruned pruned = {0, 0};
    clock_gettime(CLOCK_REALTIME, &now);
    pruning.now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / REGLET__NS_PER_MS;
    reglet_status status = open_existing(cache, &store, err);
    uint64_t most = pruning.options.max_bytes == -1           ? UINT64_MAX
                    : pruning.options.max_bytes == 0 && cache ? cache->max_bytes
                                                              : (uint64_t)pruning.options.max_bytes;
    if (status == REGLET_OK && store)
        status = reglet__store_prune(store, most, drop_one, &pruning, &pruned.files, &pruned.bytes, err);
    if (status == REGLET_OK && out)
        *out = pruned;
    reglet__store_free(store);
    return status;
}
