/*
 * reglet/runtime.h - a runtime: grants, limits, and the plugins loaded under them.
 */
#ifndef REGLET_RUNTIME_H
#define REGLET_RUNTIME_H

#include <reglet/audit.h>
#include <reglet/cache.h>
#include <reglet/cancel.h>
#include <reglet/capability.h>
#include <reglet/host_function.h>
#include <reglet/log.h>
#include <reglet/metrics.h>
#include <reglet/redactor.h>

REGLET_BEGIN_DECLS

/** A runtime. Every function on it may be called from any thread, but for reglet_runtime_free(). */
typedef struct reglet_runtime reglet_runtime;

/** A loaded plugin; see reglet/plugin.h. */
typedef struct reglet_plugin reglet_plugin;

/** One capability granted to one plugin. */
typedef struct reglet_grant {
    const char *plugin;     /**< the name under which the plugin is loaded */
    const char *capability; /**< such as "fs:read:/etc/hosts" */
} reglet_grant;

/** The only module that may be loaded under a name. */
typedef struct reglet_pin {
    const char *plugin; /**< the name */
    const char *sha256; /**< SHA-256 of the module's bytes, 64 hexadecimal digits */
} reglet_pin;

/** A command that a plugin may run with these arguments and no others. */
typedef struct reglet_exec_pin {
    const char *plugin;      /**< the name under which the plugin is loaded */
    const char *command;     /**< an absolute path or a bare name, as after "exec:" */
    const char *const *args; /**< one glob for each argument, in which "/" is a character like any other */
    size_t arg_count;        /**< the command gets exactly as many */
} reglet_exec_pin;

/**
 * Checks that a pin parses, as reglet_runtime_new() will demand of every one. Its `plugin` is not looked at.
 *
 * @param wrong_arg  receives, with REGLET_ERR_INVALID_GRANT, the index of the argument that is wrong, or arg_count when it is
 *                   the command; may be NULL
 * @return REGLET_OK; REGLET_ERR_INVALID_GRANT, with the offending character's offset in that argument or in "exec:" and the
 *         command; REGLET_ERR_INVALID_ARGUMENT (NULL where a text is required); REGLET_ERR_NO_MEMORY
 *
 * Does no I/O. Any thread.
 */
REGLET_API reglet_status reglet_exec_pin_check(const reglet_exec_pin *pin, size_t *wrong_arg,
                                               reglet_error **err);

/** How much a runtime demands of grants. */
typedef enum reglet_security_level {
    REGLET_SECURITY_STANDARD = 0, /**< a broad grant is a warning */
    REGLET_SECURITY_STRICT, /**< a request must match a grant and a declaration; broad grants are refused, and so are
                                       grants to a plugin whose module is not pinned */
    REGLET_SECURITY_PERMISSIVE /**< nothing is said of broad grants */
} reglet_security_level;

/** Which compiler translates plugins to machine code. */
typedef enum reglet_compiler {
    REGLET_COMPILER_AUTO =
        0, /**< the fast one first, so that the first call answers soon; the optimising one in the
                                  background, from 20 ms after the first observation on. Later calls change over by
                                  themselves; reglet_plugin_optimize() waits for it. Optimised code that the cache has
                                  is taken at once */
    REGLET_COMPILER_FAST,      /**< the fast one: code in a fraction of the time, which runs slower */
    REGLET_COMPILER_OPTIMIZING /**< the optimising one: loading takes as long as it takes */
} reglet_compiler;

/** Which compilation cache a runtime uses. */
typedef enum reglet_cache_mode {
    REGLET_CACHE_SHARED = 0, /**< the one that all runtimes of this process share */
    REGLET_CACHE_OWN,        /**< the one in `cache` */
    REGLET_CACHE_NONE        /**< none: nothing is kept in memory or in files, each load compiles */
} reglet_cache_mode;

/**
 * Options of a runtime. All zero (but struct_size) is valid and safe: nothing is granted, every limit has its
 * default. Everything is copied; nothing needs to live longer than the call.
 */
typedef struct reglet_runtime_options {
    size_t struct_size; /**< sizeof(reglet_runtime_options); REGLET_RUNTIME_OPTIONS_INIT sets it */

    /** Version of the embedding program, kept for host functions that will tell it. NULL: the library's. */
    const char *host_version;

    const reglet_grant *grants; /**< capabilities granted by name; they apply as they are */
    size_t grant_count;
    const char *const *shared_grants; /**< capabilities for every plugin; each applies to a request only where
                                           the plugin also declared a capability that covers the request */
    size_t shared_grant_count;
    const reglet_pin *pins; /**< modules pinned to names */
    size_t pin_count;

    /** Linear memory of one instance in MiB. 0: 256. -1: unlimited (4096, what wasm32 can address). 1 to
       4096: as given, with a warning event below 64. Anything else is refused. */
    int64_t memory_limit_mib;

    /** Zero is the shared one, which keeps compiled code in files of the user's cache directory: see reglet_cache_options. */
    reglet_cache_mode cache_mode;
    reglet_cache *cache; /**< for REGLET_CACHE_OWN; the runtime takes its own reference */

    /** Time for a call that sets none, in milliseconds. 0: 30000. -1: no deadline. */
    int64_t default_timeout_ms;

    reglet_log_fn log; /**< receives events; NULL: they are dropped */
    void *log_user_data;

    /** Absolute directory that relative grants start from; NULL: the process's current one, read once. */
    const char *working_directory;

    /** Evidence larger than this many bytes of JSON is shortened and marked. 0: 1 MiB. -1: never shortened.
     */
    int64_t max_evidence_bytes;
    /** Bytes read from a guest as one answer. 0: 64 MiB, which is also the most. */
    int64_t max_result_bytes;
    /** Bytes that one call may write to stdout and stderr together. 0: 1 MiB. -1: unlimited. Passing it ends the call with
     * REGLET_ERR_OUTPUT_LIMIT. */
    int64_t max_output_bytes;
    /** Elements of all tables of one instance together. 0: 1,000,000. */
    int64_t max_table_elements;

    /** Check a config's required fields and their types against the plugin's schema before observe. */
    bool check_config;

    /** Files and directories of the embedding program's own that no grant and no preopen reaches, such as its configuration and its
        keys; a directory with everything below it. They need not exist. Symbolic links are resolved once, and are
        protected themselves. The directory of the runtime's cache and this user's default one are protected always. */
    const char *const *protected_paths;
    size_t protected_path_count;

    reglet_security_level security_level;
    /** More capabilities that count as broad: a grant that is spelled like one of these. INVALID_GRANT for one that
        is none. */
    const char *const *broad_patterns;
    size_t broad_pattern_count;

    /** Commands with pinned arguments. A pin grants its command to the plugin with these arguments; whatever else is
     * granted, that command runs only with arguments that one of its pins has. */
    const reglet_exec_pin *exec_pins;
    size_t exec_pin_count;

    /** Certificates (PEM) that TLS servers are verified against, instead of the system's; read once. NULL: the system's.
     * Environment variables that name others are ignored. */
    const char *ca_file;

    /** The resolver to ask instead of the system's, as "address:port" or several with commas between. NULL: what
     * /etc/resolv.conf names. */
    const char *nameservers;

    /** Functions of the embedding program that plugins may import. */
    const reglet_host_function *host_functions;
    size_t host_function_count;

    /** What a plugin does in `_initialize` (and in `_start`, which runs before it) is done once, by the first observation,
     * and kept as an image of its memory and globals, from which the instances of later ones start, copy on write. This is
     * how long one may serve, in milliseconds; the next observation makes another. 0: 60000. Random numbers that a plugin
     * drew while it initialised (the seeds of its hash tables, of a generator of its own) stay the same as long; those that
     * it asks for during a call are always new. An image belongs to one module under one name in one runtime, whose grants
     * and environment never change: no other runtime starts from it. See also reglet_plugin_renew_image(). */
    int64_t image_max_age_ms;
    /** How many calls may start from one image. 0: 100,000. -1: no images at all, each instance initialises itself. A plugin
     * that reaches outside while it initialises has none anyway, nor has a module that reglet_plugin_inspect() gives a
     * reason for. */
    int64_t image_max_calls;
    /** Before an image is taken, have the plugin describe itself, give its schema and observe with an empty config, so that
     * what it sets up on first use is in the image. The image is used only if none of that asked for anything outside
     * (reaching is refused before it is tried), drew random numbers, or failed; of what it logs nobody hears. It takes half
     * of the time that the call which takes the image has left at the most, and no more than a second. A plugin can tell:
     * whatever its first call leaves in its memory, a count, a cache, half a line of output, every later call finds. Off
     * unless you know that yours do not mind. */
    bool prime_images;

    /** Which compiler. What the first one does not take is left to the other one, whichever this is; a module that is none is
     * REGLET_ERR_INVALID_MODULE. */
    reglet_compiler compiler;

    /** Calls on this runtime's plugins that run at once. 0: 1000. -1: unlimited. A call beyond them waits, first come, first
     * served, until its deadline passes or its token is cancelled; then nothing of the plugin ran, and the message says so.
     * Plugins that were closed meanwhile answer REGLET_ERR_CLOSED. What is kept of a plugin (description, schema) is had
     * without waiting. A call from inside a callback of another one, on the same thread, never waits and is not counted. A
     * callback that has another thread call, and waits for that, does wait: with a deadline, or it may be for ever. */
    int64_t max_concurrent_calls;

    /** What stands between the plugins and every exit: evidence, errors, logs, output, audit. The runtime takes its own
     * reference. NULL: one with the built-in rules. */
    reglet_redactor *redactor;

    /** Quotas of one call, besides max_result_bytes, max_output_bytes and max_evidence_bytes. -1: unlimited, but for files.
     * Passing one ends the call with the code that is named, and a message that names the function, the option and the limit;
     * what was cut off is said in a warning event, with how much it was. Each instance begins with nothing used: a call that
     * starts from an image is not charged for what initialising used, and the call that initialises is. */
    int64_t max_log_messages; /**< calls of log_message. 0: 10,000. REGLET_ERR_LOG_LIMIT */
    int64_t max_log_bytes;    /**< bytes in them. 0: 1 MiB. REGLET_ERR_LOG_LIMIT */
    int64_t
        max_host_calls; /**< calls of host functions other than log_message. 0: 100,000. REGLET_ERR_HOST_CALL_LIMIT */
    int64_t
        max_network_in_bytes; /**< bytes received by host functions; docs/host-functions.md says what counts. 0: 256
                                 MiB. REGLET_ERR_NETWORK_LIMIT */
    int64_t max_network_out_bytes; /**< bytes sent by them. 0: 64 MiB. REGLET_ERR_NETWORK_LIMIT */
    int64_t max_commands;          /**< commands run. 0: 1,000. REGLET_ERR_COMMAND_LIMIT */
    int64_t
        max_open_files; /**< files open at once, with stdio and preopens; 1 to 4096. 0: 256. REGLET_ERR_FILE_LIMIT */

    reglet_audit_fn audit; /**< receives a record of every decision; NULL: nobody does */
    void *audit_user_data;

    /** Where the runtime counts; several may count in one. It takes its own reference. NULL: nowhere. */
    reglet_metrics *metrics;
} reglet_runtime_options;

#define REGLET_RUNTIME_OPTIONS_INIT REGLET_STRUCT_INIT(reglet_runtime_options)

/**
 * Makes a runtime. Parses every grant, resolves the symbolic links in their literal parts, and copies the
 * process's environment, which plugins see only as far as it is granted, and as it was at this moment. The PATH in it is
 * where bare names of commands are found.
 *
 * @param options  NULL is the same as all zero
 * @param out      receives the runtime, to be freed with reglet_runtime_free(); untouched on failure
 * @return REGLET_OK; REGLET_ERR_INVALID_GRANT (which grant, of which plugin, at which character);
 *         REGLET_ERR_INVALID_ARGUMENT (which option, and what it may be); REGLET_ERR_UNSUPPORTED (the
 *         processor, or the engine; on x86-64 redaction needs SSE4.2);
 *         REGLET_ERR_IO (no descriptor is left); REGLET_ERR_NO_MEMORY
 */
REGLET_API reglet_status reglet_runtime_new(const reglet_runtime_options *options, reglet_runtime **out,
                                            reglet_error **err);

/**
 * Closes every plugin, waits for the calls in flight (cancel them first if they may take long) and until no thread of its
 * cache reads a module or reads or writes a file of compiled code (compilers are not waited for), and frees. Plugins that
 * the caller still holds stay valid objects that answer REGLET_ERR_CLOSED. Results and tokens live on. No other thread may
 * use the runtime object during or after this call. Not from a callback. NULL is allowed.
 */
REGLET_API void reglet_runtime_free(reglet_runtime *runtime);

/** Options of a load. All zero (but struct_size) is the default; NULL as well. */
typedef struct reglet_load_options {
    size_t struct_size;          /**< sizeof(reglet_load_options); REGLET_LOAD_OPTIONS_INIT sets it */
    int64_t timeout_ms;          /**< for this load, in milliseconds. 0 or -1: none */
    reglet_cancel_token *cancel; /**< cancels this load; NULL: none */
    int64_t max_module_bytes;    /**< larger modules are refused. 0: 128 MiB. -1: unlimited */
} reglet_load_options;

#define REGLET_LOAD_OPTIONS_INIT REGLET_STRUCT_INIT(reglet_load_options)

/**
 * Loads a plugin under a name: compiles the bytes, and checks imports and exports. Once a name is loaded, the same bytes
 * answer the same plugin. Several threads may load at once; the same name is compiled once, different names side by side. A
 * load that is given up (deadline, token) leaves a compilation that goes on in a thread of the library; its code is thrown
 * away, but for the file that the cache keeps of it. Code that the cache has is not compiled again.
 *
 * @param name     1 to 255 bytes of UTF-8 without control characters and "/"
 * @param wasm     the module; copied
 * @param out      receives a reference, to be given back with reglet_plugin_unref(); untouched on failure
 * @return REGLET_OK; REGLET_ERR_NAME_TAKEN (other bytes: see reglet_runtime_replace_plugin());
 *         REGLET_ERR_INVALID_MODULE; REGLET_ERR_UNKNOWN_IMPORT; REGLET_ERR_SIGNATURE; REGLET_ERR_MODULE_SIZE;
 *         REGLET_ERR_PIN_MISMATCH; REGLET_ERR_TIMEOUT; REGLET_ERR_CANCELLED; REGLET_ERR_INVALID_ARGUMENT;
 *         REGLET_ERR_IO (no descriptor is left to wait with); REGLET_ERR_NO_MEMORY
 */
REGLET_API reglet_status reglet_runtime_load_plugin(reglet_runtime *runtime, const char *name,
                                                    const void *wasm, size_t wasm_size,
                                                    const reglet_load_options *options, reglet_plugin **out,
                                                    reglet_error **err);

/**
 * Loads from a file; otherwise as reglet_runtime_load_plugin(). It is read for its hash, and once more where it has to be
 * compiled: a file that has other bytes by then is REGLET_ERR_IO, never another module. So are one that cannot be opened or
 * read, with the path and errno, and what is no regular file.
 */
REGLET_API reglet_status reglet_runtime_load_plugin_file(reglet_runtime *runtime, const char *name,
                                                         const char *path, const reglet_load_options *options,
                                                         reglet_plugin **out, reglet_error **err);

/**
 * Puts other bytes under a name that is loaded. Handles that exist answer from the new module from now on;
 * calls in flight finish on the old one. On failure the old one stays.
 *
 * @return as reglet_runtime_load_plugin(), but REGLET_ERR_NOT_LOADED instead of REGLET_ERR_NAME_TAKEN, and
 *         REGLET_ERR_CLOSED when the plugin was closed meanwhile
 */
REGLET_API reglet_status reglet_runtime_replace_plugin(reglet_runtime *runtime, const char *name,
                                                       const void *wasm, size_t wasm_size,
                                                       const reglet_load_options *options,
                                                       reglet_error **err);

/**
 * Finds a loaded plugin.
 *
 * @param out  receives a reference, to be given back with reglet_plugin_unref(); untouched on failure
 * @return REGLET_OK, REGLET_ERR_NOT_LOADED, REGLET_ERR_INVALID_ARGUMENT
 */
REGLET_API reglet_status reglet_runtime_get_plugin(reglet_runtime *runtime, const char *name,
                                                   reglet_plugin **out, reglet_error **err);

/**
 * The raw JSON Schema of a loaded plugin's config, as reglet_schema has it.
 *
 * @param out       receives the bytes and a NUL that is not counted, to be freed with reglet_free();
 * untouched on failure
 * @param out_size  receives their number; may be NULL
 * @return REGLET_OK, REGLET_ERR_NOT_LOADED, and whatever reglet_plugin_schema() returns
 */
REGLET_API reglet_status reglet_runtime_plugin_schema(reglet_runtime *runtime, const char *name, char **out,
                                                      size_t *out_size, reglet_error **err);

/** Frees memory that a function of this library handed over with these words. NULL is allowed. */
REGLET_API void reglet_free(void *memory);

REGLET_END_DECLS

#endif
