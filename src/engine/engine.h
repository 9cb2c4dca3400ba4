/*
 * engine.h - compiling and running modules. The only room that knows which engine is underneath.
 */
#ifndef REGLET_ENGINE_ENGINE_H
#define REGLET_ENGINE_ENGINE_H

#include "engine/guest.h"
#include "engine/store.h"

/* The engine with its settings, host functions and ticker. Reference counted, thread safe. */
struct reglet__engine;

/* `imports`: everything a module may import; static tables. */
reglet_status reglet__engine_new(const struct reglet__import *const tables[], const size_t counts[],
                                 size_t table_count, struct reglet__engine **out, reglet_error **err);
struct reglet__engine *reglet__engine_ref(struct reglet__engine *engine);
void reglet__engine_unref(struct reglet__engine *engine);

/* The compilers: one takes a fraction of the time, the other makes code that runs faster. */
enum reglet__compiler { REGLET__FAST, REGLET__OPTIMIZING, REGLET__COMPILERS };

/* The engine's part of the key of a compiler's files. */
uint64_t reglet__engine_compatibility(const struct reglet__engine *engine, enum reglet__compiler compiler);

/* How a module is compiled. */
struct reglet__compile_options {
    enum reglet__compiler compiler;
    bool other_too;     /* what it does not take, the other one may */
    bool in_background; /* on half of the CPUs */
    const struct reglet__module
        *sibling; /* of the same bytes, which can share what instances start from; or NULL */
};

/* Machine code of a module whose imports are known to be there. Reference counted, thread safe. */
struct reglet__module;

/*
 * Takes as long as the compiler takes: cannot be interrupted. INVALID_MODULE, UNKNOWN_IMPORT, SIGNATURE,
 * NO_MEMORY.
 */
reglet_status reglet__module_compile(struct reglet__engine *engine, const void *wasm, size_t size,
                                     const struct reglet__compile_options *options,
                                     struct reglet__module **out, reglet_error **err);

/* The same from a file that reglet__module_save() wrote for the same module and compiler. IO: it is of another form. */
reglet_status reglet__module_map(struct reglet__engine *engine, enum reglet__compiler compiler,
                                 const struct reglet__code_file *file, const struct reglet__module *sibling,
                                 struct reglet__module **out, reglet_error **err);

/* Keeps the code in a file. IO, NO_MEMORY. */
reglet_status reglet__module_save(const struct reglet__module *module, struct reglet__store *store,
                                  const struct reglet__code_key *key, reglet_error **err);

/* Which code a module is. */
enum reglet__compiler reglet__module_compiler(const struct reglet__module *module);
bool reglet__module_is_from_file(const struct reglet__module *module);
size_t reglet__module_code_bytes(const struct reglet__module *module);

struct reglet__module *reglet__module_ref(struct reglet__module *module);
void reglet__module_unref(struct reglet__module *module);
/*
 * Looks an export up. Returns its signature ("ii->I") when it is a function whose types are all numbers;
 * "memory", "global", "table" or "other" when it is something else; NULL when there is none. Borrowed from
 * the module.
 */
const char *reglet__module_export(const struct reglet__module *module, const char *name);

/* The interface that a component exports, such as "reglet:plugin/plugin@1.1.0"; NULL: it is a core module. Static. Its functions are
 * found by reglet__module_export() with the signatures that they would have in a module. */
const char *reglet__module_interface(const struct reglet__module *module);

/* The imports, counted from 0, that only an import without a name provides; NULL past the last. */
const char *reglet__module_open_import(const struct reglet__module *module, size_t index);

/* A signature for people, such as "(i32, i32) -> (i64)"; "a memory" for what is no function. */
void reglet__signature_text(const char *signature, char *out, size_t size);

/*
 * An image: memory and globals of an instance at one moment, from which others start. Copy on write: nothing that an
 * instance does reaches another one or the image. Reference counted, immutable, thread safe.
 */
struct reglet__image;
struct reglet__image *reglet__image_ref(struct reglet__image *image); /* NULL is allowed, as below */
void reglet__image_unref(struct reglet__image *image);

/* Why no image can be taken of the module's instances, as in "it has a start function"; NULL: one can. Static. */
const char *reglet__module_no_image(const struct reglet__module *module);

/* Takes an image of an instance in which nothing runs. NO_MEMORY, IO, MEMORY_LIMIT. */
reglet_status reglet__guest_image(struct reglet__guest *guest, struct reglet__image **out,
                                  reglet_error **err);

/* The first import that the instance called and whose effect an image would not have; NULL: none. Static, or the
 * module's. */
const char *reglet__guest_reached(const struct reglet__guest *guest);

/* Limits on one instance. Memory in bytes; tables in elements of all tables together. */
struct reglet__guest_limits {
    uint64_t memory;
    uint64_t table_elements;
};

/* What a call needs of its surroundings; lives as long as the guest. */
struct reglet__guest_options {
    struct reglet__guest_limits limits;
    const struct reglet__interrupt *interrupt;
    struct reglet__image *image; /* of the same module; NULL: as the module says. Borrowed */
    bool primes;                 /* ends before it calls anything but what STAYS_IN */
    bool ends_by_exit;           /* a command: an exit is its end, whatever it was refused before */
    struct reglet__tap tap;      /* between the guest and what it imports */
    void *states[REGLET__ROOM_COUNT];
    /* Told of every host function that was called, with how long it took; 0 for one that another one led to. NULL: nobody. */
    void (*served)(void *user_data, const struct reglet__import *import, int64_t ns);
    void *served_user_data;
};

/*
 * Makes a fresh instance. Runs the module's start function, if it has one, under the interrupt. On failure
 * the guest is gone and *err says why: TRAP, EXIT, TIMEOUT, CANCELLED, a limit, NO_MEMORY, or what a host
 * function stopped with.
 */
reglet_status reglet__guest_new(struct reglet__module *module, const struct reglet__guest_options *options,
                                struct reglet__guest **out, uint32_t *exit_code, reglet_error **err);
void reglet__guest_free(struct reglet__guest *guest);

/*
 * Calls an exported function. `slots` holds the arguments and receives the results; the caller has checked
 * the signature with reglet__module_export(). MISSING_EXPORT, and as reglet__guest_new(); EXIT with
 * *exit_code.
 */
reglet_status reglet__guest_call(struct reglet__guest *guest, const char *name, union reglet__slot *slots,
                                 size_t count, uint32_t *exit_code, reglet_error **err);

/*
 * Calls a function of a component's interface: "describe", "schema", or "observe" with a config, a JSON object. It answers as the
 * export of a module does, in JSON, but for schema: {"fields": [{name, type, required, description}]}. *text is to be freed with
 * free(). As reglet__guest_call(), and BAD_OUTPUT, RESULT_LIMIT.
 */
reglet_status reglet__guest_ask(struct reglet__guest *guest, const char *name, const char *config,
                                size_t config_size, char **text, size_t *size, uint32_t *exit_code,
                                reglet_error **err);

/* Linear memories that the process has for instances again and again (those beyond REGLET__IDLE_SLOTS are not among them),
 * and the pages that the idle ones keep. */
struct reglet__memory_use {
    unsigned in_use, idle;
    size_t kept_bytes;
};
struct reglet__memory_use reglet__memory_use(void);

/* Whether the calling thread has stack enough for a call. */
bool reglet__engine_thread_stack_suffices(void);

const char *reglet__engine_version(void);

#endif
