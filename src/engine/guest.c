#define _GNU_SOURCE
#include "engine/guest.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/text.h"
#include "util/tsan.h"

_Static_assert(sizeof(union reglet__slot) == sizeof(wasmtime_val_raw_t), "a slot is the engine's raw value");

/* --- What host functions see
 * --------------------------------------------------------------------------------- */

void *reglet__guest_state(struct reglet__guest *guest, enum reglet__room room) {
    return guest->options.states[room];
}

const struct reglet__interrupt *reglet__guest_interrupt(struct reglet__guest *guest) {
    return guest->options.interrupt;
}

/* The memory is found once. While the start function runs there is no instance yet, only the caller. */
static bool find_memory(struct reglet__guest *guest) {
    static const char name[] = "memory";
    wasmtime_extern_t item;
    bool found = false;
    if (guest->has_memory)
        return true;
    if (guest->instantiated && !guest->module->linked)
        found = wasmtime_instance_export_get(guest->context, &guest->instance, name, sizeof name - 1, &item);
    else if (guest->caller)
        found = wasmtime_caller_export_get(guest->caller, name, sizeof name - 1, &item);
    if (!found)
        return false;
    if (item.kind == WASMTIME_EXTERN_MEMORY) {
        guest->memory = item.of.memory;
        guest->has_memory = true;
        /* The kernel gave this range to the instance, perhaps after another thread's instance gave it back. */
        reglet__tsan_acquire(wasmtime_memory_data(guest->context, &guest->memory));
    }
    wasmtime_extern_delete(&item);
    return guest->has_memory;
}

void *reglet__guest_memory(struct reglet__guest *guest, uint32_t address, uint64_t size) {
    if (guest->module->linked)
        return reglet__component_memory(guest, address, size);
    if (!find_memory(guest))
        return NULL;
    uint64_t available = wasmtime_memory_data_size(guest->context, &guest->memory);
    if (address > available || size > available - address)
        return NULL;
    return wasmtime_memory_data(guest->context, &guest->memory) + address;
}

bool reglet__guest_read(struct reglet__guest *guest, uint32_t address, void *out, uint32_t size) {
    const void *from = reglet__guest_memory(guest, address, size);
    if (from && size)
        memcpy(out, from, size);
    return from != NULL;
}

bool reglet__guest_write(struct reglet__guest *guest, uint32_t address, const void *data, uint32_t size) {
    void *to = reglet__guest_memory(guest, address, size);
    if (to && size)
        memcpy(to, data, size);
    return to != NULL;
}

bool reglet__guest_write_u32(struct reglet__guest *guest, uint32_t address, uint32_t value) {
    uint32_t little = htole32(value);
    return reglet__guest_write(guest, address, &little, sizeof little);
}

bool reglet__guest_write_u64(struct reglet__guest *guest, uint32_t address, uint64_t value) {
    uint64_t little = htole64(value);
    return reglet__guest_write(guest, address, &little, sizeof little);
}

void reglet__guest_stop(struct reglet__guest *guest, reglet_status status, const char *format, ...) {
    if (guest->stop.status != REGLET_OK)
        return;
    guest->stop.status = status;
    va_list args;
    va_start(args, format);
    reglet__format_line_va(guest->stop.message, sizeof guest->stop.message, format, args);
    va_end(args);
}

void reglet__guest_exit(struct reglet__guest *guest, uint32_t exit_code) {
    if (guest->stop.status == REGLET_OK)
        guest->stop.exit_code = exit_code;
    reglet__guest_stop(guest, REGLET_ERR_EXIT, "the plugin exited with code %u", exit_code);
}

const struct reglet__stop *reglet__guest_stopped(const struct reglet__guest *guest) {
    return &guest->stop;
}

const char *reglet__guest_imported_name(const struct reglet__guest *guest) {
    return guest->import->name;
}

/* Notes a call after which there is no image. False: the instance was there for an image only. */
static bool may_reach(struct reglet__guest *guest, const struct reglet__import *import) {
    bool primes = guest->options.primes;
    if (guest->module->linked)
        return true;
    if (import->effect >= (primes ? REGLET__STAYS_IN : REGLET__DRAWS))
        return true;
    if (!guest->reached)
        guest->reached = import->name;
    if (primes)
        reglet__guest_stop(guest, REGLET_ERR_UNSUPPORTED, "it called %s", import->name);
    return !primes;
}

static bool run_import(struct reglet__guest *guest, const struct reglet__import *import,
                       union reglet__slot *slots) {
    const struct reglet__tap *tap = &guest->options.tap;
    if (__builtin_expect(tap->call != NULL, false))
        return tap->call(tap->user_data, guest, import, slots);
    return import->function(guest, slots);
}

bool reglet__guest_serve(struct reglet__guest *guest, wasmtime_caller_t *caller,
                         const struct reglet__import *import, union reglet__slot *slots) {
    /* A host function may call the guest, which calls a host function. */
    wasmtime_caller_t *outer = guest->caller;
    const struct reglet__import *outer_import = guest->import;
    bool measures = guest->options.served && !outer_import;
    int64_t begun = measures ? reglet__now() : 0;
    guest->caller = caller;
    guest->import = import;
    bool go_on = may_reach(guest, import) && run_import(guest, import, slots);
    guest->caller = outer;
    guest->import = outer_import;
    if (guest->options.served)
        guest->options.served(guest->options.served_user_data, import, measures ? reglet__now() - begun : 0);
    return go_on;
}

wasm_trap_t *reglet__guest_trampoline(void *environment, wasmtime_caller_t *caller,
                                      wasmtime_val_raw_t *values, size_t count) {
    (void)count;
    static const char text[] = "ended by the host";
    struct reglet__guest *guest = wasmtime_context_get_data(wasmtime_caller_context(caller));
    return reglet__guest_serve(guest, caller, environment, (union reglet__slot *)values)
               ? NULL
               : wasmtime_trap_new(text, sizeof text - 1);
}

/* --- Why a call ended
 * ---------------------------------------------------------------------------------------- */

static const char *trap_text(wasmtime_trap_code_t code) {
    switch (code) {
    case WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS: return "memory access out of bounds";
    case WASMTIME_TRAP_CODE_HEAP_MISALIGNED: return "misaligned atomic access";
    case WASMTIME_TRAP_CODE_TABLE_OUT_OF_BOUNDS: return "table access out of bounds";
    case WASMTIME_TRAP_CODE_INDIRECT_CALL_TO_NULL: return "call of a null function";
    case WASMTIME_TRAP_CODE_BAD_SIGNATURE: return "indirect call with another signature";
    case WASMTIME_TRAP_CODE_INTEGER_OVERFLOW: return "integer overflow";
    case WASMTIME_TRAP_CODE_INTEGER_DIVISION_BY_ZERO: return "integer division by zero";
    case WASMTIME_TRAP_CODE_BAD_CONVERSION_TO_INTEGER: return "conversion of a number that is no integer";
    case WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED: return "unreachable code reached";
    default: return "trap";
    }
}

/* The innermost guest function that has a name, as " in NAME". */
static void where(const wasm_trap_t *trap, char *out, size_t size) {
    out[0] = '\0';
    wasm_frame_vec_t frames;
    wasm_trap_trace(trap, &frames);
    for (size_t i = 0; i < frames.size && !out[0]; i++) {
        const wasm_name_t *name = wasmtime_frame_func_name(frames.data[i]);
        if (name && name->size)
            snprintf(out, size, " in %.*s", (int)name->size, name->data);
    }
    wasm_frame_vec_delete(&frames);
}

static reglet_status trapped(wasm_trap_t *trap, reglet_error **err) {
    wasmtime_trap_code_t code;
    if (!wasmtime_trap_code(trap, &code))
        return reglet__fail(err, REGLET_ERR_TRAP, REGLET_DOMAIN_PLUGIN, "the plugin trapped");
    if (code == WASMTIME_TRAP_CODE_STACK_OVERFLOW)
        return reglet__fail(err, REGLET_ERR_STACK_LIMIT, REGLET_DOMAIN_PLUGIN,
                            "the plugin used up its call stack of %zu KiB", REGLET__WASM_STACK_BYTES >> 10);
    char frame[256];
    where(trap, frame, sizeof frame);
    return reglet__fail(err, REGLET_ERR_TRAP, REGLET_DOMAIN_PLUGIN, "the plugin trapped: %s%s",
                        trap_text(code), frame);
}

static reglet_status stopped(const struct reglet__guest *guest, uint32_t *exit_code, reglet_error **err) {
    const struct reglet__stop *stop = &guest->stop;
    const char *message = stop->message[0]                       ? stop->message
                          : stop->status == REGLET_ERR_TIMEOUT   ? "the call's deadline passed"
                          : stop->status == REGLET_ERR_CANCELLED ? "the call was cancelled"
                                                                 : "the call was ended by the host";
    if (exit_code)
        *exit_code = stop->exit_code;
    return reglet__fail(err, stop->status, REGLET_DOMAIN_PLUGIN, "%s", message);
}

/*
 * Whether this end can be what a refused growth led to. A guest that gets no memory ends by an abort, a wild access or an
 * exit code of its own; arithmetic, and a stack that is used up, have causes of their own.
 */
static bool may_follow_a_refusal(const wasm_trap_t *trap) {
    wasmtime_trap_code_t code;
    if (!trap || !wasmtime_trap_code(trap, &code))
        return true;
    switch (code) {
    case WASMTIME_TRAP_CODE_STACK_OVERFLOW:
    case WASMTIME_TRAP_CODE_INTEGER_OVERFLOW:
    case WASMTIME_TRAP_CODE_INTEGER_DIVISION_BY_ZERO:
    case WASMTIME_TRAP_CODE_BAD_CONVERSION_TO_INTEGER: return false;
    default: return true;
    }
}

/*
 * The one place that tells why guest code did not return. What the host noted wins: the engine reports it as
 * just another error. A refused growth comes next, when it can have led there.
 */
reglet_status reglet__guest_ended(struct reglet__guest *guest, wasmtime_error_t *error, wasm_trap_t *trap,
                                  uint32_t *exit_code, reglet_error **err) {
    const struct reglet_engine_limits *limits = &guest->limits;
    bool refusal_led_here = may_follow_a_refusal(trap);
    bool exited = guest->stop.status == REGLET_ERR_EXIT;
    bool exited_well = exited && (guest->stop.exit_code == 0 || guest->options.ends_by_exit);
    bool host_ended = guest->stop.status != REGLET_OK && !exited;
    reglet_status status;
    if (host_ended || exited_well)
        status = stopped(guest, exit_code, err);
    else if (refusal_led_here && limits->refused_memory_bytes)
        status = reglet__fail(err, REGLET_ERR_MEMORY_LIMIT, REGLET_DOMAIN_PLUGIN,
                              "the plugin wanted %llu MiB of memory; it may have %llu MiB",
                              (unsigned long long)((limits->refused_memory_bytes + 0xFFFFF) >> 20),
                              (unsigned long long)(limits->memory_bytes >> 20));
    else if (refusal_led_here && limits->refused_table_elements)
        status = reglet__fail(err, REGLET_ERR_TABLE_LIMIT, REGLET_DOMAIN_PLUGIN,
                              "the plugin wanted %llu table elements; it may have %llu",
                              (unsigned long long)limits->refused_table_elements,
                              (unsigned long long)limits->table_elements);
    else if (exited)
        status = stopped(guest, exit_code, err);
    else if (trap)
        status = trapped(trap, err);
    else if (guest->instantiated)
        status = reglet__engine_fail(take_ptr(error), REGLET_ERR_INTERNAL, "the engine failed", err);
    else /* a module that was linked lacks only room: 4 GiB of addresses for its memory */
        status = reglet__engine_fail(take_ptr(error), REGLET_ERR_NO_MEMORY, "no room for an instance", err);
    if (error)
        wasmtime_error_delete(error);
    if (trap)
        wasm_trap_delete(trap);
    return status;
}

/* --- The life of an instance
 * --------------------------------------------------------------------------------- */

static wasmtime_error_t *look_at_interrupt(wasmtime_context_t *context, void *data, uint64_t *delta,
                                           wasmtime_update_deadline_kind_t *kind) {
    (void)context;
    struct reglet__guest *guest = data;
    reglet_status status = reglet__interrupt_check(guest->options.interrupt);
    if (status == REGLET_OK) {
        *delta = 1;
        *kind = WASMTIME_UPDATE_DEADLINE_CONTINUE;
        return NULL;
    }
    reglet__guest_stop(guest, status, "%s", "");
    return wasmtime_error_new("interrupted");
}

void reglet__guest_free(struct reglet__guest *guest) {
    if (!guest)
        return;
    if (guest->has_memory)
        reglet__tsan_release(wasmtime_memory_data(guest->context, &guest->memory));
    reglet__component_end(guest);
    if (guest->store)
        wasmtime_store_delete(guest->store);
    reglet__ticker_leave(guest->module->engine->ticker);
    reglet__module_unref(guest->module);
    free(guest);
}
REGLET_DEFINE_CLEANUP(struct reglet__guest *, reglet__guest_free);

static struct reglet__guest *prepare(struct reglet__module *module,
                                     const struct reglet__guest_options *options) {
    struct reglet__guest *guest = calloc(1, sizeof *guest);
    if (!guest)
        return NULL;
    guest->module = reglet__module_ref(module);
    guest->options = *options;
    guest->limits = (struct reglet_engine_limits){
        .memory_bytes = options->limits.memory,
        .table_elements = options->limits.table_elements,
        .instances = module->linked ? REGLET__MAX_COMPONENT_INSTANCES : 1,
        .memories = module->linked ? REGLET__MAX_COMPONENT_MEMORIES : REGLET__MAX_MEMORIES,
        .tables = REGLET__MAX_TABLES,
        .handed_over_bytes = REGLET__MAX_HANDED_OVER_BYTES,
    };
    reglet__ticker_enter(module->engine->ticker);
    guest->store = wasmtime_store_new(module->engine->compilers[module->code.compiler].engine, guest, NULL);
    guest->context = wasmtime_store_context(guest->store);
    reglet_engine_store_limits(guest->store, &guest->limits);
    wasmtime_store_epoch_deadline_callback(guest->store, look_at_interrupt, guest, NULL);
    wasmtime_context_set_epoch_deadline(guest->context, 1);
    return guest;
}

/* --- Images ----------------------------------------------------------------------------------------------- */

static bool find_global(struct reglet__guest *guest, size_t number, wasmtime_global_t *out) {
    char name[REGLET__GLOBAL_NAME_SIZE];
    wasmtime_extern_t item;
    int size = snprintf(name, sizeof name, REGLET__GLOBAL_PREFIX "%zu", number);
    if (!wasmtime_instance_export_get(guest->context, &guest->instance, name, (size_t)size, &item))
        return false;
    bool found = item.kind == WASMTIME_EXTERN_GLOBAL;
    if (found)
        *out = item.of.global;
    wasmtime_extern_delete(&item);
    return found;
}

static bool set_globals(struct reglet__guest *guest, const struct reglet__image *image) {
    wasmtime_global_t global;
    for (size_t i = 0; i < image->global_count; i++) {
        if (!find_global(guest, i, &global))
            return false;
        wasmtime_error_t *error = wasmtime_global_set(guest->context, &global, &image->globals[i]);
        if (error) {
            wasmtime_error_delete(error);
            return false;
        }
    }
    return true;
}

static bool get_globals(struct reglet__guest *guest, struct reglet__image *image) {
    wasmtime_global_t global;
    size_t count = (size_t)guest->module->code.facts.mutable_globals;
    image->globals = calloc(count ? count : 1, sizeof *image->globals);
    for (size_t i = 0; image->globals && i < count; i++) {
        if (!find_global(guest, i, &global))
            return false;
        wasmtime_global_get(guest->context, &global, &image->globals[i]);
        image->global_count++;
    }
    return image->globals;
}

reglet_status reglet__guest_image(struct reglet__guest *guest, struct reglet__image **out,
                                  reglet_error **err) {
    if (!find_memory(guest))
        return reglet__fail(err, REGLET_ERR_INTERNAL, REGLET_DOMAIN_ENGINE, "an instance without memory");
    size_t size = wasmtime_memory_data_size(guest->context, &guest->memory);
    struct reglet__image *image = NULL;
    if (size > reglet__image_most())
        return reglet__fail(err, REGLET_ERR_MEMORY_LIMIT, REGLET_DOMAIN_ENGINE, "its memory is too large");
    reglet_status status = reglet__image_new(size, &image, err);
    if (status != REGLET_OK)
        return status;
    const struct reglet__image *start =
        guest->options.image ? guest->options.image : guest->module->code.initial;
    const char *memory = (const char *)wasmtime_memory_data(guest->context, &guest->memory);
    if (!reglet__image_copy(image, start, memory) || !get_globals(guest, image))
        status = reglet__fail_memory(err);
    if (status == REGLET_OK)
        status = reglet__image_seal(image, err);
    if (status == REGLET_OK)
        *out = image;
    else
        reglet__image_unref(image);
    return status;
}

const char *reglet__guest_reached(const struct reglet__guest *guest) {
    return guest->reached;
}

reglet_status reglet__guest_new(struct reglet__module *module, const struct reglet__guest_options *options,
                                struct reglet__guest **out, uint32_t *exit_code, reglet_error **err) {
    _cleanup_(reglet__guest_free_p)
    struct reglet__guest *guest = prepare(module, options);
    if (!guest)
        return reglet__fail_memory(err);
    reglet_status status = reglet__interrupt_check(options->interrupt);
    if (status != REGLET_OK) {
        reglet__guest_stop(guest, status, "%s", "");
        return stopped(guest, exit_code, err);
    }
    if (module->linked) {
        status = reglet__component_start(guest, exit_code, err);
        if (status == REGLET_OK)
            *out = take_ptr(guest);
        return status;
    }
    wasm_trap_t *trap = NULL;
    reglet__memory_wish(options->image ? options->image : module->code.initial);
    wasmtime_error_t *error =
        wasmtime_instance_pre_instantiate(module->pre, guest->context, &guest->instance, &trap);
    reglet__memory_wish(NULL);
    if (error || trap)
        return reglet__guest_ended(guest, error, trap, exit_code, err);
    guest->instantiated = true;
    if (options->image && !set_globals(guest, options->image))
        return reglet__fail(err, REGLET_ERR_INTERNAL, REGLET_DOMAIN_ENGINE,
                            "an image has globals that its module has not");
    *out = take_ptr(guest);
    return REGLET_OK;
}

reglet_status reglet__guest_call(struct reglet__guest *guest, const char *name, union reglet__slot *slots,
                                 size_t count, uint32_t *exit_code, reglet_error **err) {
    wasmtime_extern_t item;
    /* Inside a host function there is a caller, also while the start function runs and there is no instance yet. */
    bool found = guest->caller ? wasmtime_caller_export_get(guest->caller, name, strlen(name), &item)
                               : wasmtime_instance_export_get(guest->context, &guest->instance, name,
                                                              strlen(name), &item);
    if (!found)
        return reglet__fail(err, REGLET_ERR_MISSING_EXPORT, REGLET_DOMAIN_PLUGIN,
                            "the plugin does not export \"%s\"", name);
    if (item.kind != WASMTIME_EXTERN_FUNC) {
        wasmtime_extern_delete(&item);
        return reglet__fail(err, REGLET_ERR_MISSING_EXPORT, REGLET_DOMAIN_PLUGIN,
                            "the plugin exports \"%s\", but not as a function", name);
    }
    wasm_trap_t *trap = NULL;
    wasmtime_error_t *error = wasmtime_func_call_unchecked(guest->context, &item.of.func,
                                                           (wasmtime_val_raw_t *)slots, count, &trap);
    return error || trap ? reglet__guest_ended(guest, error, trap, exit_code, err) : REGLET_OK;
}

reglet_status reglet__guest_give(struct reglet__guest *guest, const void *data, uint32_t size,
                                 uint32_t *address, uint32_t *exit_code, reglet_error **err) {
    if (guest->module->linked)
        return reglet__component_give(guest, data, size, address, err);
    union reglet__slot slot = {.u32 = size};
    reglet_status status = reglet__guest_call(guest, "allocate", &slot, 1, exit_code, err);
    if (status != REGLET_OK)
        return status;
    if (slot.u32 == 0)
        return reglet__fail(err, REGLET_ERR_BAD_OUTPUT, REGLET_DOMAIN_PLUGIN,
                            "the plugin's allocate returned 0 for %u bytes", size);
    if (!reglet__guest_write(guest, slot.u32, data, size))
        return reglet__fail(err, REGLET_ERR_BAD_OUTPUT, REGLET_DOMAIN_PLUGIN,
                            "the plugin's allocate returned %u for %u bytes, which lies outside its memory",
                            slot.u32, size);
    *address = slot.u32;
    return REGLET_OK;
}
