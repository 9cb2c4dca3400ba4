#define _GNU_SOURCE
#include "runtime/compilation.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/file.h"
#include "util/background.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/event.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/thread.h"

/* What is said once, of each kind the first. */
enum notice { ABOUT_FILES, ABOUT_OPTIMISING, NOTICES };

/*
 * Belongs to its users, to its threads while they run, and to the cache's list. A thread makes the first code (`first`); when
 * that came from the fast compiler, and has answered, a second thread makes better code (`improved`): one for the process, which takes
 * one compilation after the other, so that many plugins do not keep all processors; or one of its own, where somebody waits for it.
 */
struct reglet__compilation {
    atomic_uint references;
    atomic_uint users;
    reglet_cache *cache; /* users and threads hold references to it */
    struct reglet__sha256 hash;
    reglet_compiler choice;
    struct reglet__blob *wasm; /* the module, while a thread may still need it; or … */
    int fd;                    /* … where it can be read; -1: nowhere, any more */
    size_t size;

    struct reglet__event first, improved;
    atomic_bool has_first, has_improved; /* what the events say, at no cost */
    atomic_bool improving;               /* it was asked for, or is not to be had */
    atomic_bool urgent;                  /* somebody waits for it */
    struct reglet__background_work turn; /* while it waits for its turn, it is referenced as by a thread */

    pthread_mutex_t lock;          /* guards the rest */
    struct reglet__module *module; /* the best code there is, or … */
    reglet_status status;          /* … why there is none … */
    char *message;                 /* … in words */
    reglet_status improved_status; /* the same of the better code */
    char *improved_message;
    char *notices[NOTICES];
    atomic_bool has_notice;
};

static struct reglet__compilation *compilation_ref(struct reglet__compilation *compilation) {
    atomic_fetch_add_explicit(&compilation->references, 1, memory_order_relaxed);
    return compilation;
}

/* Nobody will need the module any more. */
static void forget_source(struct reglet__compilation *compilation) {
    reglet__blob_unref(take_ptr(compilation->wasm));
    if (compilation->fd >= 0)
        close(take_fd(compilation->fd));
}

void reglet__compilation_unref(struct reglet__compilation *compilation) {
    if (!compilation || atomic_fetch_sub_explicit(&compilation->references, 1, memory_order_acq_rel) != 1)
        return;
    reglet__module_unref(compilation->module);
    reglet__event_clear(&compilation->first);
    reglet__event_clear(&compilation->improved);
    pthread_mutex_destroy(&compilation->lock);
    forget_source(compilation);
    free(compilation->message);
    free(compilation->improved_message);
    for (size_t i = 0; i < NOTICES; i++)
        free(compilation->notices[i]);
    free(compilation);
}
REGLET_DEFINE_CLEANUP(struct reglet__compilation *, reglet__compilation_unref);

/* It is not its turn any more, if it was to come. Under the cache's lock. The references go back with end_turn(), without the lock. */
static bool take_turn_back(struct reglet__compilation *compilation) {
    if (!reglet__background_remove(&compilation->turn))
        return false;
    atomic_store(&compilation->improving, false); /* whoever needs it can ask again */
    return true;
}

/* What a thread holds, or a turn that waits for one. */
static void hold(struct reglet__compilation *compilation) {
    reglet_cache_ref(compilation->cache);
    compilation_ref(compilation);
}

static void let_go(struct reglet__compilation *compilation) {
    reglet_cache *cache = compilation->cache;
    reglet__compilation_unref(compilation);
    reglet_cache_unref(cache);
}

/* The last user takes a turn back that has not come: what nobody uses need not wait for it in memory. */
void reglet__compilation_leave(struct reglet__compilation *compilation) {
    if (!compilation || atomic_fetch_sub(&compilation->users, 1) != 1 ||
        !atomic_load(&compilation->improving))
        return;
    pthread_mutex_lock(&compilation->cache->lock);
    bool taken = atomic_load(&compilation->users) == 0 && take_turn_back(compilation);
    pthread_mutex_unlock(&compilation->cache->lock);
    if (taken)
        let_go(compilation);
}

bool reglet__compilation_is_idle(const struct reglet__compilation *compilation) {
    return atomic_load(&compilation->users) == 0 && atomic_load(&compilation->has_first);
}

static reglet_status take_source(struct reglet__compilation *compilation,
                                 const struct reglet__module_source *source, reglet_error **err) {
    if (source->fd >= 0) {
        compilation->fd = fcntl(source->fd, F_DUPFD_CLOEXEC, 0);
        return compilation->fd >= 0
                   ? REGLET_OK
                   : reglet__fail_errno(err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME, errno,
                                        "no descriptor for the module's file: %s", reglet__errno_text(errno));
    }
    compilation->wasm = reglet__blob_new(source->size);
    if (!compilation->wasm)
        return reglet__fail_memory(err);
    if (source->size)
        memcpy(compilation->wasm->bytes, source->wasm, source->size);
    return REGLET_OK;
}

static reglet_status compilation_new(reglet_cache *cache, const struct reglet__sha256 *hash,
                                     reglet_compiler choice, const struct reglet__module_source *source,
                                     struct reglet__compilation **out, reglet_error **err) {
    struct reglet__compilation *compilation = calloc(1, sizeof *compilation);
    if (!compilation)
        return reglet__fail_memory(err);
    atomic_init(&compilation->references, 1);
    pthread_mutex_init(&compilation->lock, NULL);
    reglet__event_init(&compilation->first);
    reglet__event_init(&compilation->improved);
    compilation->cache = cache;
    compilation->hash = *hash;
    compilation->choice = choice;
    compilation->size = source->size;
    compilation->fd = -1;
    reglet_status status = take_source(compilation, source, err);
    if (status == REGLET_OK)
        *out = compilation;
    else
        reglet__compilation_unref(compilation);
    return status;
}

/* --- What is said once ------------------------------------------------------------------------------------- */

/* What went wrong; calls work without it. */
static void note_error(struct reglet__compilation *compilation, enum notice kind, const reglet_error *error) {
    static const char *const about[] = {"cache of compiled code",
                                        "no optimised code, calls stay as they are"};
    pthread_mutex_lock(&compilation->lock);
    char **notice = &compilation->notices[kind];
    if (!*notice && asprintf(notice, "%s: %s", about[kind], reglet_error_message(error)) < 0)
        *notice = NULL;
    if (*notice)
        atomic_store(&compilation->has_notice, true);
    pthread_mutex_unlock(&compilation->lock);
}

/* The same of files. Takes the error over; NULL is allowed. */
static void note(struct reglet__compilation *compilation, reglet_error *error) {
    if (error)
        note_error(compilation, ABOUT_FILES, error);
    reglet_error_free(error);
}

char *reglet__compilation_notice(struct reglet__compilation *compilation) {
    if (!atomic_load_explicit(&compilation->has_notice, memory_order_relaxed))
        return NULL;
    pthread_mutex_lock(&compilation->lock);
    bool of_files = compilation->notices[ABOUT_FILES];
    char *notice = take_ptr(compilation->notices[of_files ? ABOUT_FILES : ABOUT_OPTIMISING]);
    atomic_store(&compilation->has_notice, of_files && compilation->notices[ABOUT_OPTIMISING]);
    pthread_mutex_unlock(&compilation->lock);
    return notice;
}

/* --- Code from files, and to them -------------------------------------------------------------------------- */

static struct reglet__code_key key_of(const struct reglet__compilation *compilation,
                                      enum reglet__compiler compiler) {
    return (struct reglet__code_key){compilation->hash,
                                     reglet__engine_compatibility(compilation->cache->engine, compiler)};
}

static struct reglet__store *get_store(struct reglet__compilation *compilation) {
    reglet_error *error = NULL;
    struct reglet__store *store = reglet__cache_store(compilation->cache, &error);
    note(compilation, error);
    return store;
}

/* Whatever is wrong with a file, the module is compiled again, and that replaces it: where it was for want of descriptors, it stays. */
static struct reglet__module *map_file(struct reglet__compilation *compilation,
                                       enum reglet__compiler compiler, const struct reglet__module *sibling) {
    struct reglet__store *store = get_store(compilation);
    struct reglet__code_key key = key_of(compilation, compiler);
    struct reglet__code_file file = {.fd = -1};
    struct reglet__module *module = NULL;
    reglet_error *error = NULL;
    if (store && reglet__store_get(store, &key, &file, &error) == REGLET_OK && file.fd >= 0) {
        reglet__module_map(compilation->cache->engine, compiler, &file, sibling, &module, &error);
        reglet__code_file_close(&file);
    }
    note(compilation, error);
    return module;
}

/* Whether there will be a file of it; if so, writing has begun. */
static bool begin_saving(struct reglet__compilation *compilation, const struct reglet__module *module) {
    if (!module || reglet__module_is_from_file(module) || !get_store(compilation))
        return false;
    reglet__cache_begin_work(compilation->cache);
    return true;
}

static void save(struct reglet__compilation *compilation, struct reglet__module *module) {
    struct reglet__code_key key = key_of(compilation, reglet__module_compiler(module));
    reglet_error *error = NULL;
    reglet__module_save(module, get_store(compilation), &key, &error);
    note(compilation, error);
    reglet__cache_end_work(compilation->cache);
}

/* --- Code from the compilers ------------------------------------------------------------------------------- */

/* In work that began before: until the module is read, which uses OpenSSL. */
static reglet_status compile(struct reglet__compilation *compilation,
                             const struct reglet__compile_options *options, struct reglet__module **out,
                             reglet_error **err) {
    reglet_status status = REGLET_OK;
    if (!compilation->wasm)
        status = reglet__module_file_read(compilation->fd, compilation->size, &compilation->hash,
                                          &compilation->wasm, err);
    reglet__cache_end_work(compilation->cache);
    return status == REGLET_OK ? reglet__module_compile(compilation->cache->engine, compilation->wasm->bytes,
                                                        compilation->size, options, out, err)
                               : status;
}

/* --- The first code ---------------------------------------------------------------------------------------- */

/* Files first: optimised code, if it may be and is there. In work that began before the thread did. */
static reglet_status get_code(struct reglet__compilation *compilation, struct reglet__module **out,
                              reglet_error **err) {
    bool optimised = compilation->choice != REGLET_COMPILER_FAST,
         fast = compilation->choice != REGLET_COMPILER_OPTIMIZING;
    *out = optimised ? map_file(compilation, REGLET__OPTIMIZING, NULL) : NULL;
    if (!*out && fast)
        *out = map_file(compilation, REGLET__FAST, NULL);
    atomic_fetch_add_explicit(&compilation->cache->lookups[*out ? 1 : 2], 1, memory_order_relaxed);
    if (*out) {
        reglet__cache_end_work(compilation->cache);
        return REGLET_OK;
    }
    const struct reglet__compile_options options = {.compiler = fast ? REGLET__FAST : REGLET__OPTIMIZING,
                                                    .other_too = true};
    return compile(compilation, &options, out, err);
}

static bool may_improve(const struct reglet__compilation *compilation, const struct reglet__module *module) {
    return module && compilation->choice == REGLET_COMPILER_AUTO &&
           reglet__module_compiler(module) == REGLET__FAST;
}

/* Takes the compilation out of the list, if it is there; returns whether it was. Under the cache's lock. */
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

/* Makes the outcome known. What failed, or what everybody gave up, is not kept. Takes the module over. */
static void finish_first(struct reglet__compilation *compilation, struct reglet__module *module,
                         reglet_status status, const reglet_error *error) {
    reglet_cache *cache = compilation->cache;
    bool improves = may_improve(compilation, module);
    if (!improves)
        forget_source(compilation);
    else if (compilation->fd >= 0)
        reglet__blob_unref(take_ptr(compilation->wasm)); /* it can be read again */
    atomic_store(&compilation->improving, !improves);
    pthread_mutex_lock(&compilation->lock);
    compilation->module = module;
    compilation->status = status;
    compilation->message = error ? strdup(reglet_error_message(error)) : NULL;
    pthread_mutex_unlock(&compilation->lock);

    pthread_mutex_lock(&cache->lock);
    bool keep = status == REGLET_OK && cache->idle_max > 0 && atomic_load(&compilation->users) > 0;
    bool listed = !keep && remove_entry(cache, compilation);
    atomic_store(&compilation->has_first, true);
    pthread_mutex_unlock(&cache->lock);
    reglet__event_set(&compilation->first);
    if (listed)
        reglet__compilation_unref(compilation);
}

static void *make_first(void *argument) {
    struct reglet__compilation *compilation = argument;
    struct reglet__module *module = NULL;
    reglet_error *error = NULL;
    reglet_status status = get_code(compilation, &module, &error);
    /* Who waits goes on before the file is written, but does not end the process before it is. */
    bool saves = begin_saving(compilation, module);
    struct reglet__module *saved = saves ? reglet__module_ref(module) : NULL;
    finish_first(compilation, module, status, error);
    if (saves)
        save(compilation, saved);
    reglet__module_unref(saved);
    reglet_error_free(error);
    let_go(compilation);
    return NULL;
}

/* Starts a thread, which holds a reference to the compilation and one to the cache. Returns an errno. */
static int start(struct reglet__compilation *compilation, const char *name, void *(*run)(void *)) {
    hold(compilation);
    int error = reglet__thread_start(NULL, name, run, compilation);
    if (error)
        let_go(compilation);
    return error;
}

/* --- Finding it -------------------------------------------------------------------------------------------- */

/* Under the cache's lock. What is found comes first in the list. */
static struct reglet__compilation *find(reglet_cache *cache, const struct reglet__sha256 *hash,
                                        reglet_compiler choice) {
    for (struct entry **at = &cache->entries; *at; at = &(*at)->next) {
        struct entry *entry = *at;
        if (!reglet__sha256_equal(&entry->compilation->hash, hash) || entry->compilation->choice != choice)
            continue;
        *at = entry->next;
        entry->next = cache->entries;
        cache->entries = entry;
        return entry->compilation;
    }
    return NULL;
}

/* Drops the modules that nobody uses, but for those used last. Under the cache's lock. */
static void drop_idle(reglet_cache *cache) {
    size_t idle = 0;
    for (struct entry **at = &cache->entries; *at;) {
        struct entry *entry = *at;
        if (reglet__compilation_is_idle(entry->compilation) && ++idle > cache->idle_max) {
            *at = entry->next;
            reglet__compilation_unref(entry->compilation);
            free(entry);
        } else {
            at = &entry->next;
        }
    }
}

/* Under the cache's lock. */
static reglet_status find_or_start(reglet_cache *cache, const struct reglet__sha256 *hash,
                                   reglet_compiler choice, const struct reglet__module_source *source,
                                   struct reglet__compilation **out, reglet_error **err) {
    struct reglet__compilation *known = find(cache, hash, choice);
    if (known) {
        atomic_fetch_add_explicit(&cache->lookups[0], 1, memory_order_relaxed);
        *out = compilation_ref(known);
        return REGLET_OK;
    }
    _cleanup_(reglet__compilation_unref_p)
    struct reglet__compilation *compilation = NULL;
    _cleanup_free_ struct entry *entry = malloc(sizeof *entry);
    if (!entry)
        return reglet__fail_memory(err);
    reglet_status status = compilation_new(cache, hash, choice, source, &compilation, err);
    if (status != REGLET_OK)
        return status;
    int error = start(compilation, "reglet-compile", make_first);
    cache->busy += error == 0; /* the thread will say when that is over */
    if (error)
        return reglet__fail_errno(err, REGLET_ERR_NO_MEMORY, REGLET_DOMAIN_RUNTIME, error,
                                  "no thread can be started to compile the module: %s",
                                  reglet__errno_text(error));
    *entry = (struct entry){cache->entries, compilation_ref(compilation)};
    cache->entries = take_ptr(entry);
    drop_idle(cache);
    *out = take_ptr(compilation);
    return REGLET_OK;
}

reglet_status reglet__compilation_start(reglet_cache *cache, const struct reglet__sha256 *hash,
                                        reglet_compiler choice, const struct reglet__module_source *source,
                                        struct reglet__compilation **out, reglet_error **err) {
    pthread_mutex_lock(&cache->lock);
    reglet_status status = find_or_start(cache, hash, choice, source, out, err);
    /* Using begins here, so that a compilation that ends at once still finds somebody who wants it. */
    if (status == REGLET_OK)
        atomic_fetch_add(&(*out)->users, 1);
    pthread_mutex_unlock(&cache->lock);
    return status;
}

/* --- Waiting for it ---------------------------------------------------------------------------------------- */

/* `what` as in "load", `done` as in "compiled". */
static reglet_status given_up(reglet_status status, int error_number, const char *what, const char *done,
                              reglet_error **err) {
    switch (status) {
    case REGLET_ERR_TIMEOUT:
        return reglet__fail(err, status, REGLET_DOMAIN_RUNTIME,
                            "the %s's deadline passed while the module was %s", what, done);
    case REGLET_ERR_CANCELLED:
        return reglet__fail(err, status, REGLET_DOMAIN_RUNTIME,
                            "the %s was cancelled while the module was %s", what, done);
    case REGLET_ERR_IO:
        return reglet__fail_errno(err, status, REGLET_DOMAIN_RUNTIME, error_number,
                                  "no descriptor to wait for the compilation with: %s",
                                  reglet__errno_text(error_number));
    default: return reglet__fail_memory(err);
    }
}

reglet_status reglet__compilation_wait(struct reglet__compilation *compilation,
                                       const struct reglet__interrupt *interrupt, struct reglet__module **out,
                                       reglet_error **err) {
    reglet_status status = reglet__event_wait(&compilation->first, interrupt);
    if (status != REGLET_OK)
        return given_up(status, errno, "load", "compiled", err);
    pthread_mutex_lock(&compilation->lock);
    status = compilation->status;
    if (status == REGLET_OK)
        *out = reglet__module_ref(compilation->module);
    else if (compilation->message)
        reglet__fail(err, status, REGLET_DOMAIN_ENGINE, "%s", compilation->message);
    else
        status = reglet__fail_memory(err);
    pthread_mutex_unlock(&compilation->lock);
    return status;
}

/* --- Better code ------------------------------------------------------------------------------------------- */

static void finish_improved(struct reglet__compilation *compilation, struct reglet__module *module,
                            reglet_status status, const reglet_error *error) {
    struct reglet__module *old = NULL;
    forget_source(compilation);
    if (!module && error)
        note_error(compilation, ABOUT_OPTIMISING, error);
    pthread_mutex_lock(&compilation->lock);
    if (module) {
        old = compilation->module;
        compilation->module = module;
    }
    compilation->improved_status = status;
    compilation->improved_message = error ? strdup(reglet_error_message(error)) : NULL;
    pthread_mutex_unlock(&compilation->lock);
    atomic_store(&compilation->has_improved, true);
    reglet__event_set(&compilation->improved);
    reglet__module_unref(old);
}

/*
 * Whether it is worth it. A process that makes one call and ends has gone on by then, with what was answered, and every plugin
 * is closed: nothing has begun. Else work has.
 */
static bool begin_improving(struct reglet__compilation *compilation) {
    pthread_mutex_lock(&compilation->cache->lock);
    bool wanted = atomic_load(&compilation->users) > 0;
    compilation->cache->busy += wanted;
    if (!wanted)
        atomic_store(&compilation->improving, false); /* whoever loads it again can ask again */
    pthread_mutex_unlock(&compilation->cache->lock);
    return wanted;
}

static void improve(struct reglet__compilation *compilation) {
    const struct reglet__module *first = compilation->module; /* this thread alone changes it */
    const struct reglet__compile_options options = {
        .compiler = REGLET__OPTIMIZING, .in_background = true, .sibling = first};
    reglet_error *error = NULL;
    reglet_status status = REGLET_OK;
    struct reglet__module *module = map_file(compilation, REGLET__OPTIMIZING, first);
    if (module)
        reglet__cache_end_work(compilation->cache);
    else
        status = compile(compilation, &options, &module, &error);
    bool saves = begin_saving(compilation, module);
    struct reglet__module *saved = saves ? reglet__module_ref(module) : NULL;
    finish_improved(compilation, module, status, error);
    if (saves)
        save(compilation, saved);
    reglet__module_unref(saved);
    reglet_error_free(error);
}

static void *make_improved(void *argument) {
    struct reglet__compilation *compilation = argument;
    if (begin_improving(compilation))
        improve(compilation);
    let_go(compilation);
    return NULL;
}

static void make_improved_in_turn(struct reglet__background_work *turn) {
    make_improved((char *)turn - offsetof(struct reglet__compilation, turn));
}

static int wait_for_turn(struct reglet__compilation *compilation) {
    hold(compilation);
    compilation->turn.run = make_improved_in_turn;
    int error = reglet__background_add(&compilation->turn, REGLET__IMPROVE_AFTER_MS);
    if (error)
        let_go(compilation);
    return error;
}

/* Under the lock under which users come: a user who finds it asked for can wait, for a thread is there and will see the user. */
bool reglet__compilation_improve(struct reglet__compilation *compilation) {
    if (atomic_load_explicit(&compilation->improving, memory_order_relaxed))
        return true;
    pthread_mutex_lock(&compilation->cache->lock);
    if (!atomic_load(&compilation->improving)) {
        int error = atomic_load(&compilation->urgent) ? start(compilation, "reglet-optimize", make_improved)
                                                      : wait_for_turn(compilation);
        atomic_store(&compilation->improving, error == 0);
    }
    bool improving = atomic_load(&compilation->improving); /* if not, the next call tries again */
    pthread_mutex_unlock(&compilation->cache->lock);
    return improving;
}

bool reglet__compilation_is_improving(struct reglet__compilation *compilation) {
    pthread_mutex_lock(&compilation->lock);
    bool could = may_improve(compilation, compilation->module);
    pthread_mutex_unlock(&compilation->lock);
    return could && atomic_load(&compilation->improving) && !atomic_load(&compilation->has_improved);
}

struct reglet__module *reglet__compilation_better(struct reglet__compilation *compilation,
                                                  const struct reglet__module *current) {
    if (!atomic_load_explicit(&compilation->has_improved, memory_order_acquire) ||
        reglet__module_compiler(current) == REGLET__OPTIMIZING)
        return NULL;
    pthread_mutex_lock(&compilation->lock);
    struct reglet__module *better =
        compilation->module == current ? NULL : reglet__module_ref(compilation->module);
    pthread_mutex_unlock(&compilation->lock);
    return better;
}

/* From now on somebody waits: it need not wait for its turn. */
static void hurry(struct reglet__compilation *compilation) {
    pthread_mutex_lock(&compilation->cache->lock);
    atomic_store(&compilation->urgent, true);
    bool taken = take_turn_back(compilation);
    pthread_mutex_unlock(&compilation->cache->lock);
    if (taken)
        let_go(compilation);
}

/* Who is a user of something that is there already. Under the lock under which a thread looks for users. */
static void enter(struct reglet__compilation *compilation) {
    pthread_mutex_lock(&compilation->cache->lock);
    atomic_fetch_add(&compilation->users, 1);
    pthread_mutex_unlock(&compilation->cache->lock);
}

static reglet_status wait_for_improved(struct reglet__compilation *compilation,
                                       const struct reglet__interrupt *interrupt, reglet_error **err) {
    hurry(compilation);
    if (!reglet__compilation_improve(compilation))
        return reglet__fail(err, REGLET_ERR_NO_MEMORY, REGLET_DOMAIN_RUNTIME,
                            "no thread can be started to optimise the module");
    reglet_status status = reglet__event_wait(&compilation->improved, interrupt);
    if (status != REGLET_OK)
        return given_up(status, errno, "call", "optimised", err);
    pthread_mutex_lock(&compilation->lock);
    status = compilation->improved_status;
    if (status != REGLET_OK && compilation->improved_message)
        reglet__fail(err, status, REGLET_DOMAIN_ENGINE, "%s", compilation->improved_message);
    else if (status != REGLET_OK)
        status = reglet__fail_memory(err);
    pthread_mutex_unlock(&compilation->lock);
    return status;
}

reglet_status reglet__compilation_wait_improved(struct reglet__compilation *compilation,
                                                const struct reglet__interrupt *interrupt,
                                                reglet_error **err) {
    reglet_status status;
    pthread_mutex_lock(&compilation->lock);
    bool optimised = reglet__module_compiler(compilation->module) == REGLET__OPTIMIZING;
    pthread_mutex_unlock(&compilation->lock);
    if (optimised)
        return REGLET_OK;
    if (compilation->choice == REGLET_COMPILER_FAST)
        return reglet__fail(
            err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
            "the runtime's compiler is REGLET_COMPILER_FAST: there will be no optimised code");
    if (compilation->choice == REGLET_COMPILER_OPTIMIZING)
        return reglet__fail(err, REGLET_ERR_INVALID_MODULE, REGLET_DOMAIN_ENGINE,
                            "the optimising compiler does not take the module");
    enter(compilation); /* its plugin may be closed meanwhile */
    status = wait_for_improved(compilation, interrupt, err);
    reglet__compilation_leave(compilation);
    return status;
}
