/*
 * internal.h - what the files of this room share: the runtime, a plugin, a version of its module, one call.
 *
 * Locks, in the order in which they may be held: runtime, plugin, cache, compilation. The observe path takes the plugin's once,
 * for a few instructions: to find the version it runs on. A version can be replaced and a plugin closed at any
 * moment, so "which one, and I am using it" must be one step; without hazard pointers or the like, that is a lock.
 *
 * It takes others where something is not as it was in the call before: the plugin's again to look for an image and to leave one,
 * the cache's to ask for optimised code, the compilation's (with the plugin's held) to change over to it or to hear what went
 * wrong, that of the permits where calls wait for one, the runtime's while that is being freed.
 */
#ifndef REGLET_RUNTIME_INTERNAL_H
#define REGLET_RUNTIME_INTERNAL_H

#include <pthread.h>
#include <reglet/command.h>
#include <stdatomic.h>

#include "abi/json.h"
#include "engine/engine.h"
#include "host/host.h"
#include "metrics/metrics.h"
#include "policy/policy.h"
#include "runtime/compilation.h"
#include "util/permits.h"
#include "util/sha256.h"
#include "wasi/wasi.h"

/* --- Runtime --------------------------------------------------------------------------------------------- */

struct grant {
    char *plugin; /* NULL: shared by all */
    struct reglet__capability *capability;
};

struct pin {
    char *plugin;
    struct reglet__sha256 hash;
};

struct exec_pin {
    char *plugin;
    struct reglet__command_pin *pin;
};

struct limits {
    uint64_t memory;
    uint64_t table_elements;
    uint64_t result_bytes;
    uint64_t evidence_bytes;
    uint64_t quotas[REGLET__QUOTA_COUNT]; /* of one call */
    int64_t timeout_ms;                   /* -1: none */
    uint64_t image_age_ms;
    uint64_t image_calls; /* 0: no images */
    bool prime_images;
    int64_t concurrent_calls;
};

/* All but the calls and the list of plugins is read only once the runtime is made. */
struct reglet_runtime {
    atomic_uint references; /* the owner's, and one for each plugin object */
    reglet_cache *cache;
    reglet_compiler compiler;
    struct reglet__host_setup *host_setup;
    char *working_directory;
    struct grant *grants;
    size_t grant_count;
    struct pin *pins;
    size_t pin_count;
    struct exec_pin *exec_pins;
    size_t exec_pin_count;
    reglet_security_level security_level;
    char **broad_patterns;
    size_t broad_pattern_count;
    struct reglet__policy *nothing; /* grants nothing */
    char **protected_paths;         /* real paths, and the links that were given */
    size_t protected_path_count;
    char **environment; /* "NAME=value", as it was when the runtime was made */
    size_t environment_count;
    const struct reglet__wasi_host *wasi_host; /* NULL: no file access, and … */
    char *wasi_missing;                        /* … why */
    struct limits limits;
    bool check_config;
    reglet_log_fn log;
    void *log_user_data;
    _Atomic(reglet_redactor *) redactor; /* referenced; NULL: the default one, when it is needed */
    reglet_audit_fn audit;               /* or NULL */
    void *audit_user_data;

    struct reglet__permits permits; /* to run guest code: max_concurrent_calls */
    atomic_uint calls; /* in flight, those that wait with them; also on plugins that are closed already */
    atomic_bool freeing;
    pthread_cond_t idle; /* with `lock`, once it is being freed: there is no call */
    pthread_mutex_t lock;
    reglet_plugin *plugins;  /* by `next`; each holds a reference */
    reglet_metrics *metrics; /* never NULL: one of its own where nobody asks */
};

void reglet__runtime_unref(reglet_runtime *runtime);

/* Takes grants, pins and the security level from the options, and checks that they go together. */
reglet_status reglet__take_grants(const reglet_runtime_options *options, reglet_runtime *runtime,
                                  reglet_error **err);
void reglet__free_grants(reglet_runtime *runtime);
void reglet__warn_of_broad_grants(const reglet_runtime *runtime);

/* Resolves what a capability names in the file system, as it is now: paths of files and of commands. */
reglet_status reglet__resolve_capability(struct reglet__capability *capability, const char *working_directory,
                                         reglet_error **err);

/* Resolves and copies the option protected_paths. */
reglet_status reglet__take_protected_paths(const reglet_runtime_options *options, reglet_runtime *runtime,
                                           reglet_error **err);

/* Whether a plugin can have this name; `where` begins the message. */
reglet_status reglet__check_name(const char *name, const char *where, reglet_error **err);

/* --- What may leave: see screen.c ------------------------------------------------------------------------ */

/* Borrowed from the runtime. NULL without memory: then nothing of a guest's may be shown. */
reglet_redactor *reglet__runtime_redactor(const reglet_runtime *runtime);

/* A text as it may be shown: itself, or *out, which is to be freed. */
const char *reglet__screen_text(const reglet_runtime *runtime, const char *text, char **out);

/* An error that may quote what a guest said: its message, redacted. Returns how many secrets it had. NULL is allowed. */
uint64_t reglet__screen_error(const reglet_runtime *runtime, reglet_error *error);

/* What evidence passes; see abi.h. user_data is the visit. */
reglet_status reglet__screen_evidence(void *user_data, struct reglet__arena *arena,
                                      struct reglet__json *evidence, uint64_t *replaced);

/* What is nested in attributes of log messages passes this one; user_data is the runtime. NO_MEMORY. */
reglet_status reglet__screen_attributes(void *user_data, struct reglet__arena *arena,
                                        struct reglet__json *attributes, uint64_t *replaced);

/* Whether something is secret for where it is. */
bool reglet__runtime_has_paths(const reglet_runtime *runtime);

/* What a guest says of itself, as JSON: redacted in place of the answer where something is secret. NO_MEMORY, TIMEOUT,
 * CANCELLED. */
struct answer;
struct visit;
reglet_status reglet__screen_answer(const struct visit *visit, struct answer *answer);

/* Sends an event; fills in what is the same for all. */
void reglet__runtime_log(const reglet_runtime *runtime, reglet_log_event *event);

/* An event of the library itself. */
void reglet__runtime_say(const reglet_runtime *runtime, reglet_log_level level, const char *plugin,
                         const char *format, ...) REGLET_PRINTF(4, 5);

/* Says what went wrong with files of compiled code, or in optimising it, if something did. */
void reglet__say_notice(const reglet_runtime *runtime, const char *plugin,
                        struct reglet__compilation *compilation);

/* Removes a plugin from the list, if it is there, and gives the list's reference back. */
void reglet__runtime_forget(reglet_runtime *runtime, reglet_plugin *plugin);

/* --- Plugin ---------------------------------------------------------------------------------------------- */

/* What an instance starts from that does not initialise itself. */
struct start {
    struct reglet__image *image; /* referenced, or NULL */
    struct reglet__wasi_left left;
};

/*
 * What instances of a version start from, once one has initialised: see image.c. Guarded by the plugin's lock, but for what is
 * atomic.
 */
struct kept_image {
    struct start start;
    int64_t until;
    uint64_t calls_left;
    uint64_t renewals;               /* how often somebody asked for a new one */
    atomic_bool taking;              /* an instance takes one */
    atomic_bool refused;             /* there will be none */
    atomic_int_least64_t not_before; /* when the next one may be tried to take */
    atomic_bool said;                /* that one could not be taken */
    atomic_bool unprimed;            /* or none that is primed */
};

/* One module under a name. Immutable, but for what is learned from the plugin once and then kept. Reference counted. */
struct version {
    atomic_uint references;
    struct reglet__compilation *compilation; /* of which this is a user, until its plugin is closed */
    atomic_bool left;
    struct reglet__module *module; /* its code, as far as a call has seen; guarded by the plugin's lock */
    struct reglet__sha256 hash;
    int generation; /* of the ABI, 1 or 2 */
    _Atomic(const reglet_description *) description;
    _Atomic(const reglet_schema *) schema;
    _Atomic(struct reglet__policy *) policy;
    struct kept_image kept;
};

struct reglet_plugin {
    atomic_uint references;
    char *name;
    reglet_runtime *runtime; /* referenced */
    reglet_plugin *next;     /* guarded by the runtime's lock */

    struct reglet__metrics *metrics; /* of its name, the runtime's */

    pthread_mutex_t lock;
    struct version *version;
    atomic_bool closed; /* set under the lock */
};

/*
 * Takes the compilation, as its user, and the module over. Refuses exports whose signature is not the ABI's, and imports that
 * this runtime's embedder does not provide.
 */
reglet_status reglet__version_new(const reglet_runtime *runtime, struct reglet__compilation *compilation,
                                  struct reglet__module *module, const struct reglet__sha256 *hash,
                                  struct version **out, reglet_error **err);
void reglet__version_unref(struct version *version);
/* No call will begin on it any more: nothing need be made better for it. */
void reglet__version_leave(struct version *version);
/* Whether a declaration stands for everything of its kind: a bare "*" or "**". */
bool reglet__declares_all(const reglet_declared_capability *declared);

/* Takes the version over. */
reglet_status reglet__plugin_new(reglet_runtime *runtime, const char *name, struct version *version,
                                 reglet_plugin **out, reglet_error **err);
/* Takes the version over; the old one goes when its last call ends. CLOSED. */
reglet_status reglet__plugin_replace(reglet_plugin *plugin, struct version *version, reglet_error **err);
bool reglet__plugin_has_hash(reglet_plugin *plugin, const struct reglet__sha256 *hash);

/* One call in flight: which version it runs on, and what can end it. */
struct visit {
    reglet_plugin *plugin;              /* referenced, and with it the runtime */
    struct version *version;            /* referenced */
    struct reglet__module *module;      /* referenced: the code that this call runs */
    struct reglet__interrupt interrupt; /* the token is referenced */
    bool nested;                        /* begun in a callback of another call */
    bool has_permit;                    /* which visit_end() gives back */
    struct start start;                 /* without an image the instance initialises itself */
    uint64_t renewals;                  /* of the kept image, when this visit began */
    const char *request_id;             /* the caller's, or NULL */
    struct reglet__tap tap;             /* records or replays what is observed; all zero: neither */
    uint32_t *exit_code;                /* where an exit's code goes, one of describe's too; or NULL */
    struct reglet__meter *meter;        /* of a call that counts; or NULL */
};

enum visit_kind {
    VISIT_RUNS, /* will run guest code */
    VISIT_ASKS  /* may find all that it asks for kept of an earlier visit */
};

/*
 * Checks the call's options, starts its clock and counts it in: reglet_runtime_free() waits for visit_end(), which is called
 * on the same thread. A visit that runs guest code waits for its permit first, and then runs on what is there by then: it
 * finds the plugin closed, replaced, or with an image that another call left.
 * INVALID_ARGUMENT, THREAD_STACK, CLOSED, and what reglet__permit_take() returns.
 */
reglet_status reglet__visit_begin(reglet_plugin *plugin, const reglet_call_options *options,
                                  enum visit_kind kind, struct visit *visit, reglet_error **err);
/*
 * Ends a call that returns `status`, and screens what it says. It may give back the last reference to the plugin, which the
 * call has to be done with. Returns `status`.
 */
reglet_status reglet__visit_end(struct visit *visit, reglet_status status, reglet_error **err);

/*
 * Before guest code runs: waits for a permit. *taken is whether one is to be given back: a nested visit takes none, for what
 * it waited for might be the call that it is part of. TIMEOUT, CANCELLED, IO, NO_MEMORY.
 */
reglet_status reglet__permit_take(const struct visit *visit, bool *taken, reglet_error **err);

/* What is kept of a version, or made now, which may run the plugin. Borrowed from the version. */
reglet_status reglet__visit_description(const struct visit *visit, const reglet_description **out,
                                        reglet_error **err);
reglet_status reglet__visit_schema(const struct visit *visit, const reglet_schema **out, reglet_error **err);
reglet_status reglet__visit_policy(const struct visit *visit, const struct reglet__policy **out,
                                   reglet_error **err);
/* Whether the module can say what it is: a command cannot. */
bool reglet__visit_describes(const struct visit *visit);

/* --- Metrics --------------------------------------------------------------------------------------------- */

/* Takes the option, and what else the runtime has that counts: after its cache. NO_MEMORY. */
reglet_status reglet__take_metrics(const reglet_runtime_options *options, reglet_runtime *runtime,
                                   reglet_error **err);

/* The numbers of a plugin's name, which are there from its first load on. NULL without memory. */
struct reglet__metrics *reglet__metrics_of(reglet_metrics *metrics, const char *plugin);

/* --- Images ---------------------------------------------------------------------------------------------- */

/*
 * Under the plugin's lock: gives a visit what it starts from, if there is such a thing. An image that has served its time is
 * in `expired`, to be given back without the lock: that may unmap much.
 */
void reglet__kept_image_take(struct visit *visit, struct reglet__image **expired);

/* After an instance of this call has initialised, and before it does anything else: may take an image of it. */
void reglet__visit_initialised(const struct visit *visit, struct reglet__guest *guest);

void reglet__kept_image_clear(struct kept_image *kept);

/* --- Call ------------------------------------------------------------------------------------------------ */

/* Checks the options of a call and makes its deadline; NULL options are the defaults. */
reglet_status reglet__call_begin(const reglet_runtime *runtime, const reglet_call_options *given,
                                 struct reglet__interrupt *interrupt, const char **request_id,
                                 reglet_error **err);

/* What one call is, before it runs. */
struct call_setup {
    const struct visit *visit;
    const struct reglet__policy *policy;         /* NULL: nothing is granted */
    bool observes;                               /* starts from the image, and may give one */
    bool primes;                                 /* is there for an image alone: nobody hears of it */
    const reglet_command_options *command;       /* NULL: a plugin */
    const struct reglet__wasi_preopen *preopens; /* of a command */
};

/* An answer of the guest, copied out of its memory. */
struct answer {
    char *bytes;
    size_t size;
};

/*
 * Runs one exported function of the ABI in a fresh instance: _start and _initialize, then, with an input, allocate and a
 * copy of it, then the function. The answer is to be freed with free().
 */
reglet_status reglet__call_export(const struct call_setup *setup, const char *name, const char *input,
                                  size_t input_size, struct answer *answer, uint32_t *exit_code,
                                  reglet_error **err);

/* What initialising said about images. */
struct initialised {
    const char *reached; /* as reglet__guest_reached() has it, also after a failure; the version's */
    bool half_a_line;    /* it wrote one and did not end it */
    bool fits;           /* an image could be taken, as far as memory goes */
};

/* Initialises an instance under the policy, and throws it away. */
reglet_status reglet__call_initialise(const struct visit *visit, const struct reglet__policy *policy,
                                      struct initialised *out, reglet_error **err);

/*
 * Starts an instance from an image, and has it describe itself, give its schema and observe with an empty config. `primed`
 * receives what later instances can start from. UNSUPPORTED when it reached out, or whatever ended it.
 */
reglet_status reglet__call_prime(const struct visit *visit, struct start *primed);

/* Runs _start of a command. EXIT with its code is an error here too. */
reglet_status reglet__call_command(const struct call_setup *setup, uint32_t *exit_code, reglet_error **err);

#endif
