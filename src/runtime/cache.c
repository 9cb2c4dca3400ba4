#define _GNU_SOURCE
#include "runtime/cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "host/host.h"
#include "util/cleanup.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/options.h"
#include "util/sys.h"
#include "util/thread.h"
#include "wasi/wasi.h"

/*
 * A compilation belongs to whoever waits for it, to its thread while that runs, and to the cache's list. The
 * fields below `lock` are guarded by it; `finished` becomes readable when it is done.
 */
struct reglet__compilation {
    atomic_uint references;
    reglet_cache *cache; /* referenced while the thread runs */
    struct reglet__sha256 hash;
    void *wasm; /* the thread's input */
    size_t size;
    int finished; /* eventfd; -1 once it is done and the last who waited is gone */

    pthread_mutex_t lock;
    bool done;
    unsigned waiters;
    struct reglet__module *module; /* the result, or … */
    reglet_status status;
    char *message; /* … why there is none */
};

struct entry {
    struct entry *next; /* used last comes first */
    struct reglet__compilation *compilation;
};

struct reglet_cache {
    atomic_uint references;
    struct reglet__engine *engine;
    pthread_mutex_t lock; /* guards the list; never held while something is compiled */
    struct entry *entries;
    size_t idle_max; /* modules kept though nobody uses them; 0: none is kept, in use or not */
};

static struct reglet__compilation *compilation_ref(struct reglet__compilation *compilation) {
    atomic_fetch_add_explicit(&compilation->references, 1, memory_order_relaxed);
    return compilation;
}

static void compilation_unref(struct reglet__compilation *compilation) {
    if (!compilation || atomic_fetch_sub_explicit(&compilation->references, 1, memory_order_acq_rel) != 1)
        return;
    reglet__module_unref(compilation->module);
    if (compilation->finished >= 0)
        close(compilation->finished);
    pthread_mutex_destroy(&compilation->lock);
    free(compilation->wasm);
    free(compilation->message);
    free(compilation);
}
REGLET_DEFINE_CLEANUP(struct reglet__compilation *, compilation_unref);

/* --- The cache
 * ----------------------------------------------------------------------------------------------- */

/* Takes the engine over, also when it fails. */
static reglet_status cache_new(struct reglet__engine *engine, size_t idle_max, reglet_cache **out,
                               reglet_error **err) {
    reglet_cache *cache = calloc(1, sizeof *cache);
    if (!cache) {
        reglet__engine_unref(engine);
        return reglet__fail_memory(err);
    }
    atomic_init(&cache->references, 1);
    pthread_mutex_init(&cache->lock, NULL);
    cache->engine = engine;
    cache->idle_max = idle_max;
    *out = cache;
    return REGLET_OK;
}

reglet_status reglet_cache_new(const reglet_cache_options *options, reglet_cache **out, reglet_error **err) {
    reglet_cache_options known;
    if (!out)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME, "cache: out is NULL");
    if (!reglet__options_copy(&known, sizeof known, options))
        return reglet__fail_options(err, "cache options", "REGLET_CACHE_OPTIONS_INIT");
    const struct reglet__import *const tables[] = {reglet__wasi_imports, reglet__host_imports};
    const size_t counts[] = {reglet__wasi_import_count, reglet__host_import_count};
    struct reglet__engine *engine = NULL;
    reglet_status status = reglet__engine_new(tables, counts, ARRAY_LEN(tables), &engine, err);
    return status == REGLET_OK ? cache_new(engine, REGLET__IDLE_MODULES, out, err) : status;
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
        compilation_unref(entry->compilation);
        free(entry);
    }
    reglet__engine_unref(cache->engine);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

reglet_status reglet__cache_shared(reglet_cache **out, reglet_error **err) {
    /* Made on first use and never freed: its engine's threads live as long as the process. */
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
    reglet_cache *shared = NULL;
    reglet_status status = reglet__cache_shared(&shared, err);
    if (status != REGLET_OK)
        return status;
    status = cache_new(reglet__engine_ref(shared->engine), 0, out, err);
    reglet_cache_unref(shared);
    return status;
}

/* --- Its list, under its lock
 * -------------------------------------------------------------------------------- */

static struct reglet__compilation *find(reglet_cache *cache, const struct reglet__sha256 *hash) {
    for (struct entry **at = &cache->entries; *at; at = &(*at)->next) {
        struct entry *entry = *at;
        if (!reglet__sha256_equal(&entry->compilation->hash, hash))
            continue;
        *at = entry->next;
        entry->next = cache->entries;
        cache->entries = entry;
        return entry->compilation;
    }
    return NULL;
}

/* Takes the compilation out of the list, if it is there; returns whether it was. */
static bool remove_entry(reglet_cache *cache, const struct reglet__compilation *compilation) {
    for (struct entry **at = &cache->entries; *at; at = &(*at)->next) {
        struct entry *entry = *at;
        if (entry->compilation != compilation)
            continue;
        *at = entry->next;
        free(entry);
        return true;
    }
    return false;
}

static bool is_idle(struct reglet__compilation *compilation) {
    pthread_mutex_lock(&compilation->lock);
    bool idle = compilation->done && compilation->waiters == 0 && compilation->module &&
                !reglet__module_is_shared(compilation->module);
    pthread_mutex_unlock(&compilation->lock);
    return idle;
}

/* Drops the modules that nobody uses, but for those used last. */
static void drop_idle(reglet_cache *cache) {
    size_t idle = 0;
    for (struct entry **at = &cache->entries; *at;) {
        struct entry *entry = *at;
        if (is_idle(entry->compilation) && ++idle > cache->idle_max) {
            *at = entry->next;
            compilation_unref(entry->compilation);
            free(entry);
        } else {
            at = &entry->next;
        }
    }
}

/* --- A compilation
 * ------------------------------------------------------------------------------------------- */

static reglet_status compilation_new(const struct reglet__sha256 *hash, const void *wasm, size_t size,
                                     struct reglet__compilation **out, reglet_error **err) {
    _cleanup_(compilation_unref_p)
    struct reglet__compilation *compilation = calloc(1, sizeof *compilation);
    if (!compilation)
        return reglet__fail_memory(err);
    atomic_init(&compilation->references, 1);
    pthread_mutex_init(&compilation->lock, NULL);
    compilation->hash = *hash;
    compilation->size = size;
    compilation->finished = reglet__sys_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (compilation->finished < 0)
        return reglet__fail_errno(err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME, errno,
                                  "no descriptor to wait for the compilation with: %s",
                                  reglet__errno_text(errno));
    compilation->wasm = malloc(size ? size : 1);
    if (!compilation->wasm)
        return reglet__fail_memory(err);
    if (size)
        memcpy(compilation->wasm, wasm, size);
    *out = take_ptr(compilation);
    return REGLET_OK;
}

/* Says how it ended, and answers whether anybody still waited for that: whoever did may be gone a moment later. */
static bool finish(struct reglet__compilation *compilation, struct reglet__module *module,
                   reglet_status status, const reglet_error *error) {
    const uint64_t one = 1;
    pthread_mutex_lock(&compilation->lock);
    compilation->done = true;
    compilation->module = module;
    compilation->status = status;
    compilation->message = error ? strdup(reglet_error_message(error)) : NULL;
    ssize_t ignored = write(compilation->finished, &one, sizeof one);
    (void)ignored; /* the first write to an event counter cannot fail */
    bool wanted = compilation->waiters > 0;
    pthread_mutex_unlock(&compilation->lock);
    return wanted;
}

static void *compile(void *argument) {
    struct reglet__compilation *compilation = argument;
    reglet_cache *cache = take_ptr(compilation->cache);
    struct reglet__module *module = NULL;
    reglet_error *error = NULL;
    const struct reglet__compile_options options = {REGLET__OPTIMIZING, .other_too = true};
    reglet_status status = reglet__module_compile(cache->engine, compilation->wasm, compilation->size,
                                                  &options, &module, &error);
    free(take_ptr(compilation->wasm));

    /* What failed, or what everybody gave up, is not kept. */
    pthread_mutex_lock(&cache->lock);
    bool keep = finish(compilation, module, status, error) && status == REGLET_OK && cache->idle_max > 0;
    bool listed = !keep && remove_entry(cache, compilation);
    pthread_mutex_unlock(&cache->lock);

    if (listed)
        compilation_unref(compilation);
    reglet_error_free(error);
    compilation_unref(compilation);
    reglet_cache_unref(cache);
    return NULL;
}

/* Starts the thread, which holds a reference to the compilation and one to the cache. */
static reglet_status start(reglet_cache *cache, struct reglet__compilation *compilation, reglet_error **err) {
    compilation->cache = reglet_cache_ref(cache);
    int error = reglet__thread_start(NULL, "reglet-compile", compile, compilation_ref(compilation));
    if (error == 0)
        return REGLET_OK;
    reglet_cache_unref(take_ptr(compilation->cache));
    compilation_unref(compilation);
    return reglet__fail_errno(err, REGLET_ERR_NO_MEMORY, REGLET_DOMAIN_RUNTIME, error,
                              "no thread can be started to compile the module: %s",
                              reglet__errno_text(error));
}

/* Under the cache's lock. */
static reglet_status find_or_start(reglet_cache *cache, const struct reglet__sha256 *hash, const void *wasm,
                                   size_t size, struct reglet__compilation **out, reglet_error **err) {
    struct reglet__compilation *known = find(cache, hash);
    if (known) {
        *out = compilation_ref(known);
        return REGLET_OK;
    }
    _cleanup_(compilation_unref_p)
    struct reglet__compilation *compilation = NULL;
    _cleanup_free_ struct entry *entry = malloc(sizeof *entry);
    if (!entry)
        return reglet__fail_memory(err);
    reglet_status status = compilation_new(hash, wasm, size, &compilation, err);
    if (status == REGLET_OK)
        status = start(cache, compilation, err);
    if (status != REGLET_OK)
        return status;
    *entry = (struct entry){cache->entries, compilation_ref(compilation)};
    cache->entries = take_ptr(entry);
    drop_idle(cache);
    *out = take_ptr(compilation);
    return REGLET_OK;
}

/* Waiting begins here, so that a compilation that ends at once still finds somebody who wants it. */
reglet_status reglet__compilation_start(reglet_cache *cache, const struct reglet__sha256 *hash,
                                        const void *wasm, size_t size, struct reglet__compilation **out,
                                        reglet_error **err) {
    pthread_mutex_lock(&cache->lock);
    struct reglet__compilation *compilation = NULL;
    reglet_status status = find_or_start(cache, hash, wasm, size, &compilation, err);
    if (status == REGLET_OK) {
        pthread_mutex_lock(&compilation->lock);
        compilation->waiters++;
        pthread_mutex_unlock(&compilation->lock);
        *out = compilation;
    }
    pthread_mutex_unlock(&cache->lock);
    return status;
}

static reglet_status result(const struct reglet__compilation *compilation, struct reglet__module **out,
                            reglet_error **err) {
    if (compilation->status == REGLET_OK) {
        *out = reglet__module_ref(compilation->module);
        return REGLET_OK;
    }
    if (!compilation->message)
        return reglet__fail_memory(err);
    return reglet__fail(err, compilation->status, REGLET_DOMAIN_ENGINE, "%s", compilation->message);
}

static reglet_status given_up(reglet_status status, reglet_error **err) {
    const char *why =
        status == REGLET_ERR_TIMEOUT     ? "the load's deadline passed while the module was compiled"
        : status == REGLET_ERR_CANCELLED ? "the load was cancelled while the module was compiled"
                                         : "waiting for the compilation failed";
    return reglet__fail(err, status, REGLET_DOMAIN_RUNTIME, "%s", why);
}

reglet_status reglet__compilation_wait(struct reglet__compilation *compilation,
                                       const struct reglet__interrupt *interrupt, struct reglet__module **out,
                                       reglet_error **err) {
    pthread_mutex_lock(&compilation->lock);
    bool done = compilation->done;
    struct pollfd finished = {.fd = compilation->finished, .events = POLLIN};
    pthread_mutex_unlock(&compilation->lock);
    int ready = 0;
    reglet_status status =
        done ? REGLET_OK : reglet__interrupt_wait(interrupt, &finished, 1, REGLET__NEVER, &ready);
    pthread_mutex_lock(&compilation->lock);
    if (--compilation->waiters == 0 && compilation->done && compilation->finished >= 0)
        close(take_fd(compilation->finished));
    status = status == REGLET_OK ? result(compilation, out, err) : given_up(status, err);
    pthread_mutex_unlock(&compilation->lock);
    compilation_unref(compilation);
    return status;
}
