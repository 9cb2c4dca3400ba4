#define _GNU_SOURCE
#include "engine/engine.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/memory.h"
#include "util/cleanup.h"
#include "util/fail.h"
#include "util/limits.h"

reglet_status reglet__engine_fail(wasmtime_error_t *error, reglet_status code, const char *what,
                                  reglet_error **err) {
    wasm_name_t text;
    wasmtime_error_message(error, &text);
    wasmtime_error_delete(error);
    /* "first line\n\nCaused by:\n    0: second\n    1: third" becomes "first line; 0: second; 1: third". */
    size_t written = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '\n') {
            text.data[written++] = text.data[i];
            continue;
        }
        while (i + 1 < text.size && (text.data[i + 1] == '\n' || text.data[i + 1] == ' '))
            i++;
        static const char cause[] = "Caused by:";
        if (text.size - i > sizeof cause && memcmp(text.data + i + 1, cause, sizeof cause - 1) == 0) {
            i += sizeof cause - 1;
            while (i + 1 < text.size && (text.data[i + 1] == '\n' || text.data[i + 1] == ' '))
                i++;
        }
        if (written && i + 1 < text.size) {
            text.data[written++] = ';';
            text.data[written++] = ' ';
        }
    }
    reglet__fail(err, code, REGLET_DOMAIN_ENGINE, "%s: %.*s", what, (int)written, text.data);
    wasm_name_delete(&text);
    return code;
}

static wasm_config_t *settings(enum reglet__compiler compiler) {
    wasm_config_t *config = wasm_config_new();
    if (!config)
        return NULL;
    wasmtime_config_strategy_set(config, compiler == REGLET__FAST ? WASMTIME_STRATEGY_WINCH
                                                                  : WASMTIME_STRATEGY_CRANELIFT);
    if (compiler == REGLET__FAST) {
        /* Cranelift makes what leads into and out of the module, for thousands of functions. */
        wasmtime_config_cranelift_opt_level_set(config, WASMTIME_OPT_LEVEL_NONE);
        wasmtime_config_cranelift_regalloc_algorithm_set(config, WASMTIME_REGALLOC_SINGLE_PASS);
    }
    wasmtime_config_epoch_interruption_set(config, true);
    wasmtime_config_max_wasm_stack_set(config, REGLET__WASM_STACK_BYTES);
    /* The ABI is one 32-bit memory; what else the engine can do only widens what a plugin can attack. Several memories in one module
     * the engine needs for what it puts between the modules of a component; a plugin's module with more than one is refused. */
    wasmtime_config_wasm_memory64_set(config, false);
    wasmtime_config_wasm_multi_memory_set(config, true);
    reglet__memory_configure(config);
    /* Saves registering every module with the system's unwinder, which takes a lock for the whole process. */
    wasmtime_config_native_unwind_info_set(config, false);
    return config;
}

static wasm_valkind_t kind_of(char letter) {
    switch (letter) {
    case 'I': return WASM_I64;
    case 'f': return WASM_F32;
    case 'F': return WASM_F64;
    default: return WASM_I32;
    }
}

static void value_types(const char *letters, size_t count, wasm_valtype_vec_t *out) {
    wasm_valtype_vec_new_uninitialized(out, count);
    for (size_t i = 0; i < count; i++)
        out->data[i] = wasm_valtype_new(kind_of(letters[i]));
}

static wasm_functype_t *function_type(const char *signature) {
    const char *arrow = strstr(signature, "->");
    wasm_valtype_vec_t parameters, results;
    value_types(signature, (size_t)(arrow - signature), &parameters);
    value_types(arrow + 2, strlen(arrow + 2), &results);
    return wasm_functype_new(&parameters, &results);
}

reglet_status reglet__linker_define(wasmtime_linker_t *linker, const struct reglet__import *import,
                                    reglet_error **err) {
    wasm_functype_t *type = function_type(import->signature);
    wasmtime_error_t *error = wasmtime_linker_define_func_unchecked(
        linker, import->module, strlen(import->module), import->name, strlen(import->name), type,
        reglet__guest_trampoline, (void *)(uintptr_t)import, NULL);
    wasm_functype_delete(type);
    return error ? reglet__engine_fail(error, REGLET_ERR_INTERNAL, import->name, err) : REGLET_OK;
}

static void tick(void *user_data) {
    struct reglet__engine *engine = user_data;
    for (size_t i = 0; i < REGLET__COMPILERS; i++)
        if (engine->compilers[i].engine)
            wasmtime_engine_increment_epoch(engine->compilers[i].engine);
}

static void engine_free(struct reglet__engine *engine) {
    reglet__ticker_free(engine->ticker);
    for (size_t i = 0; i < REGLET__COMPILERS; i++) {
        if (engine->compilers[i].linker)
            wasmtime_linker_delete(engine->compilers[i].linker);
        if (engine->compilers[i].engine)
            wasm_engine_delete(engine->compilers[i].engine);
    }
    free(engine);
}
REGLET_DEFINE_CLEANUP(struct reglet__engine *, engine_free);

static reglet_status define_imports(const struct reglet__engine *engine, wasmtime_linker_t *linker,
                                    reglet_error **err) {
    for (size_t t = 0; t < engine->table_count; t++) {
        const struct import_table *table = &engine->tables[t];
        for (size_t i = 0; i < table->count; i++) {
            reglet_status status =
                table->imports[i].name ? reglet__linker_define(linker, &table->imports[i], err) : REGLET_OK;
            if (status != REGLET_OK)
                return status;
        }
    }
    return REGLET_OK;
}

static reglet_status make_compiler(struct reglet__engine *engine, enum reglet__compiler which,
                                   reglet_error **err) {
    struct compiler *compiler = &engine->compilers[which];
    wasm_config_t *config = settings(which);
    if (!config)
        return reglet__fail_memory(err);
    wasmtime_error_t *error = reglet_engine_new(config, &compiler->engine);
    if (error)
        return reglet__engine_fail(error, REGLET_ERR_UNSUPPORTED, "the engine cannot run here", err);
    compiler->compatibility = reglet_engine_compatibility(compiler->engine) + REGLET__CODE_FORMAT;
    compiler->linker = wasmtime_linker_new(compiler->engine);
    return define_imports(engine, compiler->linker, err);
}

/* Half of those this process may use: the calls need the others. */
static size_t background_threads(void) {
    cpu_set_t cpus;
    int count = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    return count > 2 ? (size_t)count / 2 : 1;
}

reglet_status reglet__engine_new(const struct reglet__import *const tables[], const size_t counts[],
                                 size_t table_count, struct reglet__engine **out, reglet_error **err) {
    _cleanup_(engine_free_p)
    struct reglet__engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return reglet__fail_memory(err);
    atomic_init(&engine->references, 1);
    engine->background_threads = background_threads();
    for (size_t t = 0; t < table_count; t++)
        engine->tables[engine->table_count++] = (struct import_table){tables[t], counts[t]};
    reglet_status status = make_compiler(engine, REGLET__OPTIMIZING, err);
    if (status == REGLET_OK && make_compiler(engine, REGLET__FAST, NULL) == REGLET_ERR_NO_MEMORY)
        status = reglet__fail_memory(err); /* it is not for every machine: the other one is enough */
    if (status != REGLET_OK)
        return status;
    engine->ticker = reglet__ticker_new(tick, engine);
    if (!engine->ticker)
        return reglet__fail(err, REGLET_ERR_NO_MEMORY, REGLET_DOMAIN_ENGINE,
                            "no thread can be started for the engine");
    *out = take_ptr(engine);
    return REGLET_OK;
}

uint64_t reglet__engine_compatibility(const struct reglet__engine *engine, enum reglet__compiler compiler) {
    return engine->compilers[compiler].compatibility;
}

struct reglet__engine *reglet__engine_ref(struct reglet__engine *engine) {
    atomic_fetch_add_explicit(&engine->references, 1, memory_order_relaxed);
    return engine;
}

void reglet__engine_unref(struct reglet__engine *engine) {
    if (engine && atomic_fetch_sub_explicit(&engine->references, 1, memory_order_acq_rel) == 1)
        engine_free(engine);
}

/* The lowest address of this thread's stack. Asked once per thread: for the main thread libc reads a file of
 * procfs. */
static _Thread_local char *stack_low, *stack_high;

static bool find_stack(void) {
    if (stack_low)
        return true;
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return false;
    void *low = NULL;
    size_t size = 0;
    bool found = pthread_attr_getstack(&attributes, &low, &size) == 0;
    pthread_attr_destroy(&attributes);
    if (found) {
        stack_low = low;
        stack_high = stack_low + size;
    }
    return found;
}

bool reglet__engine_thread_stack_suffices(void) {
    const char *here = __builtin_frame_address(0);
    /* On a stack that is not the thread's own (a coroutine's) nobody can tell how much is left. */
    if (!find_stack() || here < stack_low || here > stack_high)
        return false;
    return (size_t)(here - stack_low) >= REGLET__WASM_STACK_BYTES + REGLET__HOST_STACK_BYTES;
}

const char *reglet__engine_version(void) {
    return reglet_engine_crate_version();
}
