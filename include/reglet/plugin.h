/*
 * reglet/plugin.h - a loaded plugin: what it says of itself, and one observation.
 */
#ifndef REGLET_PLUGIN_H
#define REGLET_PLUGIN_H

#include <reglet/config.h>
#include <reglet/recording.h>
#include <reglet/result.h>
#include <reglet/runtime.h>

REGLET_BEGIN_DECLS

/** How one call is run. All zero (but struct_size) is the default; NULL as well. */
typedef struct reglet_call_options {
    size_t struct_size; /**< sizeof(reglet_call_options); REGLET_CALL_OPTIONS_INIT sets it */
    int64_t
        timeout_ms; /**< wall-clock time for the whole call, in milliseconds. 0: the runtime's. -1: none */
    reglet_cancel_token *cancel; /**< cancels this call; NULL: none */
    const char *request_id;      /**< appears in the log events of this call; NULL: none */

    /** observe only. Receives every call of a host function and its answer; NULL: nothing is recorded. It takes one call, and
     * another is REGLET_ERR_INVALID_ARGUMENT, as is `replay` beside it. A call that would put more than 64 MiB or 1,000,000
     * calls into it ends with REGLET_ERR_RESULT_LIMIT. */
    reglet_recording *record;
    /** observe only. Host functions answer from this recording and nothing outside is touched; NULL: they do their work. The
     * policy is not asked: what was denied is denied again. Without a config (NULL) the plugin gets the recorded one. A
     * plugin that asks for something else than what comes next in it ends with REGLET_ERR_REPLAY. */
    const reglet_recording *replay;
} reglet_call_options;

#define REGLET_CALL_OPTIONS_INIT REGLET_STRUCT_INIT(reglet_call_options)

/** Takes one more reference; returns its argument. NULL is allowed. Any thread. */
REGLET_API reglet_plugin *reglet_plugin_ref(reglet_plugin *plugin);

/** Gives a reference back. The plugin stays loaded in its runtime. NULL is allowed. Any thread. */
REGLET_API void reglet_plugin_unref(reglet_plugin *plugin);

/**
 * Unloads: the name becomes free in the runtime, calls in flight finish, later ones on this object answer
 * REGLET_ERR_CLOSED. Does not give back the caller's reference. Closing again does nothing. Any thread.
 */
REGLET_API void reglet_plugin_close(reglet_plugin *plugin);

/** The name under which it was loaded. Borrowed from the plugin. */
REGLET_API const char *reglet_plugin_name(const reglet_plugin *plugin);

/** A capability as the plugin wrote it: it may be one that does not parse. */
typedef struct reglet_declared_capability {
    const char *kind;
    const char *pattern;
} reglet_declared_capability;

/** One operation of a service (second ABI generation). Text that the plugin left out is "". */
typedef struct reglet_operation {
    const char *name;
    const char *description;
    const char *json; /**< the whole operation as JSON, with input_fields, output_schema and examples */
} reglet_operation;

/** A service (second ABI generation). */
typedef struct reglet_service {
    const char *name;
    const char *description;
    const reglet_operation *operations;
    size_t operation_count;
} reglet_service;

/** What a plugin says of itself. The same for both ABI generations. Text that it left out is "". */
typedef struct reglet_description {
    size_t struct_size; /**< size of the structure that the library filled in */
    const char *name;
    const char *version;
    const char *description;
    const char *sdk_version;
    const char *min_host_version; /**< informative: never enforced */
    const reglet_declared_capability *capabilities;
    size_t capability_count;
    const reglet_service *services; /**< none for the first generation */
    size_t service_count;
    int abi_generation; /**< 1 or 2 */
} reglet_description;

/**
 * Asks the plugin what it is. It runs with no grants at all; the first answer is kept, for as long as the module
 * is loaded.
 *
 * @param call  for the case that it has to run; may be NULL
 * @param out   receives the description, to be freed with reglet_description_free(); it outlives plugin and
 *              runtime; untouched on failure
 * @return REGLET_OK; REGLET_ERR_PLUGIN with the plugin's own message; any code of "a call that ran" or
 * "limits" (base.h); REGLET_ERR_CLOSED; REGLET_ERR_THREAD_STACK; REGLET_ERR_INVALID_ARGUMENT;
 * REGLET_ERR_NO_MEMORY; REGLET_ERR_IO (no descriptor is left to wait with for its turn)
 */
REGLET_API reglet_status reglet_plugin_describe(reglet_plugin *plugin, const reglet_call_options *call,
                                                const reglet_description **out, reglet_error **err);

/** The description as one JSON object (name, version, description, capabilities, …). Borrowed from it. */
REGLET_API const char *reglet_description_json(const reglet_description *description);

/** Frees. NULL is allowed. Any thread. */
REGLET_API void reglet_description_free(const reglet_description *description);

/** One field of a plugin's config, derived from its JSON Schema. */
typedef struct reglet_field {
    const char *name;
    const char *type; /**< a JSON Schema type, several joined by "|", or "" when the schema names none */
    const char *description;
    bool required;
} reglet_field;

/** The schema of a plugin's config. */
typedef struct reglet_schema {
    size_t struct_size;
    /** The JSON Schema, NUL-terminated: byte for byte as the plugin gave it; one inside a manifest is printed again. */
    const char *raw;
    size_t raw_size;
    const reglet_field *fields;
    size_t field_count;
} reglet_schema;

/**
 * Asks the plugin for the schema of its config. It runs with no grants at all; the first answer is kept.
 *
 * @param out  receives the schema, to be freed with reglet_schema_free(); it outlives plugin and runtime
 * @return as reglet_plugin_describe()
 */
REGLET_API reglet_status reglet_plugin_schema(reglet_plugin *plugin, const reglet_call_options *call,
                                              const reglet_schema **out, reglet_error **err);

/** Frees. NULL is allowed. Any thread. */
REGLET_API void reglet_schema_free(const reglet_schema *schema);

/**
 * Waits until the optimising compiler's code is there, and in use by all calls that begin after it returns; has it made
 * when no observation has asked for it yet. At once when the plugin runs on such code already. Runs nothing of the plugin,
 * and waits for no turn (max_concurrent_calls).
 *
 * @param call  deadline and token of the waiting; the compilation goes on without it. NULL: the runtime's defaults, so 30 s
 *              unless default_timeout_ms says otherwise, which a large module can take longer than
 * @return REGLET_OK; REGLET_ERR_INVALID_MODULE (the optimising compiler does not take the module: the plugin stays on the
 *         code it has); REGLET_ERR_TIMEOUT; REGLET_ERR_CANCELLED; REGLET_ERR_CLOSED; REGLET_ERR_INVALID_ARGUMENT (also when
 *         the runtime's compiler is REGLET_COMPILER_FAST); REGLET_ERR_THREAD_STACK; REGLET_ERR_IO (the file that it was
 *         loaded from has other bytes by now or cannot be read, and the plugin stays on the code it has; or no descriptor
 *         is left to wait with); REGLET_ERR_NO_MEMORY
 *
 * A compilation that failed is not tried again while the module is loaded. Any thread.
 */
REGLET_API reglet_status reglet_plugin_optimize(reglet_plugin *plugin, const reglet_call_options *call,
                                                reglet_error **err);

/**
 * Observes, in a fresh instance: nothing that an earlier or a concurrent call did to the plugin's state is
 * visible. The plugin reaches what is granted to its name, and nothing else.
 *
 * Whatever goes wrong once the plugin was started (a trap, the deadline, a limit, an answer that is no
 * evidence) is no failure of this function: it is in the result, as the plugin error. So are REGLET_ERR_TIMEOUT
 * and REGLET_ERR_CANCELLED also where the call still waited to begin (max_concurrent_calls): a caller finds them
 * in one place.
 *
 * @param config  NULL: an empty object. Read only; may be shared between threads during the call
 * @param call    NULL: defaults
 * @param out     receives the result, to be freed with reglet_result_free(); it outlives plugin and runtime;
 *                untouched on failure
 * @return REGLET_OK; REGLET_ERR_INVALID_CONFIG (with check_config: the field's name and what it should be);
 *         REGLET_ERR_CLOSED; REGLET_ERR_THREAD_STACK; REGLET_ERR_INVALID_ARGUMENT; REGLET_ERR_NO_MEMORY;
 *         REGLET_ERR_IO (it has to wait to begin, and no descriptor is left for that)
 *
 * Any thread; any number of calls at once, of which max_concurrent_calls of the runtime run.
 */
REGLET_API reglet_status reglet_plugin_observe(reglet_plugin *plugin, const reglet_config *config,
                                               const reglet_call_options *call, reglet_result **out,
                                               reglet_error **err);

/**
 * Has later observations start anew: the next one that begins initialises its instance itself, and what that leaves is the
 * image that those after it start from. Calls in flight keep what they started from; an image that one of them is just
 * taking is not used. For a program that knows that what a plugin read or drew while it initialised should not serve any
 * longer. Where no image could be taken, or none that is primed, the next observation tries again. Does nothing where
 * images are turned off. NULL is allowed. Any thread.
 */
REGLET_API void reglet_plugin_renew_image(reglet_plugin *plugin);

REGLET_END_DECLS

#endif
