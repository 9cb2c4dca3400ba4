#define _GNU_SOURCE
#include "engine/code.h"

#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "util/cleanup.h"
#include "util/fail.h"
#include "util/limits.h"

/* --- Which modules have images ----------------------------------------------------------------------------- */

static const char *const reasons[REGLET_ENGINE_REASONS] = {
    [REGLET_ENGINE_START_FUNCTION] = "it has a start function",
    [REGLET_ENGINE_MEMORY_IMPORTED] = "it imports its memory",
    [REGLET_ENGINE_TABLE_IMPORTED] = "it imports a table",
    [REGLET_ENGINE_MEMORY_SHARED] = "its memory is shared between threads",
    [REGLET_ENGINE_MEMORY_64] = "its memory has 64-bit addresses",
    [REGLET_ENGINE_MEMORY_SECOND] = "it has more than one memory",
    [REGLET_ENGINE_TABLES_CHANGE] = "it has an instruction that changes a table",
    [REGLET_ENGINE_SEGMENTS_COPIED] =
        "it has an instruction that copies or drops a data segment (memory.init, data.drop)",
    [REGLET_ENGINE_SEGMENT_PASSIVE] = "it has a passive data segment",
    [REGLET_ENGINE_SEGMENT_ADDRESS] = "it has a data segment whose address is not a constant",
    [REGLET_ENGINE_SEGMENT_OUTSIDE] = "a data segment lies outside its memory",
    [REGLET_ENGINE_NO_MEMORY] = "it has no memory",
    [REGLET_ENGINE_NO_EXPORTS] = "it exports nothing",
    [REGLET_ENGINE_EXPORT_NAME] =
        "it exports a name that begins with \"" REGLET__GLOBAL_PREFIX "\", which the host needs",
    [REGLET_ENGINE_GLOBAL_REFERENCE] = "it has a mutable global that holds no number",
    [REGLET_ENGINE_COMPONENT] = "it is a component, whose modules keep their globals to themselves",
};

/* Each call sets the globals, and pages that are only read become the image's own for good: neither is the guest's to choose. */
static const char *why_no_image(const struct reglet_engine_facts *facts) {
    if (facts->reason != REGLET_ENGINE_NO_REASON)
        return facts->reason < REGLET_ENGINE_REASONS ? reasons[facts->reason] : "it cannot be rewritten";
    if (facts->memory_pages > reglet__image_most() >> 16)
        return "its memory is larger than an image may be";
    return facts->mutable_globals > REGLET__MAX_IMAGE_GLOBALS
               ? "it has more mutable globals than an image may have"
               : NULL;
}

const char *reglet__code_no_image(const struct reglet__code *code) {
    if (code->rewritten) /* which each call asks, and why_no_image() asks the kernel */
        return NULL;
    const char *reason = why_no_image(&code->facts);
    return reason ? reason : "it cannot be rewritten";
}

/* --- What instances start from ----------------------------------------------------------------------------- */

/* What the data segments write, as the image of an instance that has done nothing yet. */
static reglet_status make_initial(struct reglet__code *code, const char *wasm,
                                  const struct reglet_engine_rewritten *rewritten, reglet_error **err) {
    reglet_status status = reglet__image_new((size_t)code->facts.memory_pages << 16, &code->initial, err);
    if (status != REGLET_OK)
        return status;
    for (size_t i = 0; i < rewritten->segment_count; i++) {
        const struct reglet_engine_segment *segment = &rewritten->segments[i];
        memcpy(code->initial->bytes + segment->address, wasm + segment->offset, segment->size);
    }
    return reglet__image_seal(code->initial, err);
}

/*
 * The memory of a module that has no image starts as zeroes, and the engine writes its data: but in slots that are used
 * again.
 */
static reglet_status make_empty(struct reglet__code *code, reglet_error **err) {
    const struct reglet_engine_facts *facts = &code->facts;
    bool plain = facts->memories == 1 && facts->reason != REGLET_ENGINE_MEMORY_IMPORTED;
    if (!plain || facts->memory_pages == 0 || facts->memory_pages > reglet__image_most() >> 16)
        return REGLET_OK;
    reglet_status status = reglet__image_new((size_t)facts->memory_pages << 16, &code->initial, err);
    return status == REGLET_OK ? reglet__image_seal(code->initial, err) : status;
}

/* Code of the same module by the other compiler, rewritten or not as this is, starts from the same. */
static bool share_initial(struct reglet__code *code, const struct reglet__code *sibling) {
    if (!sibling || sibling->rewritten != code->rewritten || !sibling->initial)
        return false;
    code->initial = reglet__image_ref(sibling->initial);
    return true;
}

bool reglet__is_component(const void *bytes, size_t size) {
    static const unsigned char magic[4] = {0, 'a', 's', 'm'}, layer[2] = {1, 0};
    return size >= 8 && memcmp(bytes, magic, sizeof magic) == 0 &&
           memcmp((const char *)bytes + 6, layer, sizeof layer) == 0;
}

/* --- Compiling --------------------------------------------------------------------------------------------- */

/*
 * Calls have three quarters of a processor that a compilation wants as well. Much lower, on a machine whose processors are all
 * busy with calls, it would not end: and they would stay on the slower code.
 */
enum { NICE = 5 };

static bool is_component(const struct reglet__code *code) {
    return code->facts.reason == REGLET_ENGINE_COMPONENT;
}

/* By the compiler that is noted in `out`. */
static wasmtime_error_t *compile_with(struct reglet__engine *engine, const void *wasm, size_t size,
                                      bool in_background, struct reglet__code *out) {
    wasm_engine_t *underneath = engine->compilers[out->compiler].engine;
    size_t threads = in_background ? engine->background_threads : 0;
    if (!underneath)
        return wasmtime_error_new("that compiler is not for this machine");
    return is_component(out)
               ? reglet_engine_component_new(underneath, wasm, size, threads, NICE, &out->component)
               : reglet_engine_module_new(underneath, wasm, size, threads, NICE, &out->module);
}

/* Which compilers are tried, in which order. */
struct order {
    enum reglet__compiler compilers[REGLET__COMPILERS];
    size_t count;
};

static struct order order_of(const struct reglet__compile_options *options) {
    enum reglet__compiler other = options->compiler == REGLET__FAST ? REGLET__OPTIMIZING : REGLET__FAST;
    return (struct order){{options->compiler, other}, options->other_too ? 2 : 1};
}

/* By the first compiler that takes these bytes. Where none does: what the last one says. */
static wasmtime_error_t *compile_bytes(struct reglet__engine *engine, const void *wasm, size_t size,
                                       const struct reglet__compile_options *options,
                                       struct reglet__code *out) {
    struct order order = order_of(options);
    wasmtime_error_t *error = NULL;
    for (size_t i = 0; i < order.count; i++) {
        if (error)
            wasmtime_error_delete(error);
        out->compiler = order.compilers[i];
        error = compile_with(engine, wasm, size, options->in_background, out);
        if (!error)
            break;
    }
    return error;
}

/* Why none of them took the module: because it is none, or else what the last compiler said. Takes that over. */
static reglet_status no_code(struct reglet__engine *engine, const void *wasm, size_t size,
                             wasmtime_error_t *said, reglet_error **err) {
    wasm_engine_t *any = engine->compilers[REGLET__OPTIMIZING].engine;
    wasmtime_error_t *error = wasmtime_module_validate(any, wasm, size);
    if (!error)
        return reglet__engine_fail(said, REGLET_ERR_INVALID_MODULE, "the module cannot be compiled", err);
    wasmtime_error_delete(said);
    return reglet__engine_fail(error, REGLET_ERR_INVALID_MODULE, "no valid WebAssembly module", err);
}

/* As it was rewritten, so that images can be taken of it. */
static bool compile_rewritten(struct reglet__engine *engine, const struct reglet_engine_rewritten *rewritten,
                              const struct reglet__compile_options *options, struct reglet__code *out) {
    if (why_no_image(&out->facts))
        return false;
    wasmtime_error_t *error = compile_bytes(engine, rewritten->wasm, rewritten->wasm_size, options, out);
    out->rewritten = !error;
    if (error)
        wasmtime_error_delete(error);
    return out->rewritten;
}

/* Rewritten, where an image can be taken of it; else as it came. */
static reglet_status compile(struct reglet__engine *engine, const void *wasm, size_t size,
                             const struct reglet__compile_options *options,
                             const struct reglet_engine_rewritten *rewritten, struct reglet__code *out,
                             reglet_error **err) {
    const struct reglet__code *sibling = options->sibling ? &options->sibling->code : NULL;
    if (compile_rewritten(engine, rewritten, options, out))
        return share_initial(out, sibling) ? REGLET_OK : make_initial(out, wasm, rewritten, err);
    wasmtime_error_t *error = compile_bytes(engine, wasm, size, options, out);
    if (error && is_component(out))
        return reglet__engine_fail(error, REGLET_ERR_INVALID_MODULE, "no valid WebAssembly component", err);
    if (error)
        return no_code(engine, wasm, size, error, err);
    return share_initial(out, sibling) ? REGLET_OK : make_empty(out, err);
}

reglet_status reglet__code_compile(struct reglet__engine *engine, const void *wasm, size_t size,
                                   const struct reglet__compile_options *options, struct reglet__code *out,
                                   reglet_error **err) {
    _cleanup_(reglet_engine_rewritten_free)
    struct reglet_engine_rewritten rewritten = {0};
    if (!reglet_engine_rewrite(wasm, size, &rewritten)) /* the compilers say whether it is a module */
        rewritten.facts = (struct reglet_engine_facts){
            .module_bytes = size,
            .reason = reglet__is_component(wasm, size) ? REGLET_ENGINE_COMPONENT : REGLET_ENGINE_REASONS};
    out->facts = rewritten.facts;
    if (!is_component(out) && out->facts.memories > REGLET__MAX_MEMORIES)
        return reglet__fail(err, REGLET_ERR_INVALID_MODULE, REGLET_DOMAIN_ENGINE,
                            "no valid WebAssembly module: it has %llu memories; a plugin has one",
                            (unsigned long long)out->facts.memories);
    return compile(engine, wasm, size, options, &rewritten, out, err);
}

/* --- Files ------------------------------------------------------------------------------------------------- */

/*
 * A file's content is the engine's, which is looked for at its beginning; after it, where a page of any size can begin, the data
 * that instances start from, range after range, which is mapped as it is; and these notes. The key holds for one version of the
 * engine, of the rewriting and of this format.
 */
enum { LARGEST_PAGE = 64 << 10 };

struct notes {
    uint64_t code_bytes;
    uint64_t rewritten;
    uint64_t range_count;
    struct image_range ranges[REGLET__IMAGE_RANGES];
    struct reglet_engine_facts facts;
};

static size_t rounded(size_t size) {
    return (size + LARGEST_PAGE - 1) & ~(size_t)(LARGEST_PAGE - 1);
}

static reglet_status not_ours(reglet_error **err) {
    return reglet__fail(err, REGLET_ERR_IO, REGLET_DOMAIN_ENGINE,
                        "a file of compiled code has another form than this version writes");
}

/* Whether the ranges lie in the memory, one behind the other, and the same in the file; and where they end there. */
static bool check_ranges(const struct notes *notes, uint64_t *data_end) {
    uint64_t end = 0;
    *data_end = rounded(notes->code_bytes);
    if (notes->range_count > REGLET__IMAGE_RANGES)
        return false;
    for (size_t i = 0; i < notes->range_count; i++) {
        const struct image_range *range = &notes->ranges[i];
        if (range->start < end || range->end < range->start || range->offset != *data_end)
            return false;
        end = range->end;
        *data_end += range->end - range->start;
    }
    return end <= notes->facts.memory_pages << 16;
}

/* Whether the parts of a file are where its notes say. */
static bool read_notes(const struct reglet__code_file *file, struct notes *notes) {
    uint64_t data_end = 0;
    if (file->size < sizeof *notes)
        return false;
    size_t before = file->size - sizeof *notes;
    memcpy(notes, (const char *)file->bytes + before, sizeof *notes);
    return notes->code_bytes <= before && notes->rewritten <= 1 &&
           (!notes->rewritten || !why_no_image(&notes->facts)) && check_ranges(notes, &data_end) &&
           data_end == before;
}

reglet_status reglet__code_map(struct reglet__engine *engine, enum reglet__compiler compiler,
                               const struct reglet__code_file *file, const struct reglet__code *sibling,
                               struct reglet__code *out, reglet_error **err) {
    struct notes notes;
    if (!engine->compilers[compiler].engine || !read_notes(file, &notes))
        return not_ours(err);
    out->compiler = compiler;
    out->from_file = true;
    out->facts = notes.facts;
    out->rewritten = notes.rewritten;
    wasm_engine_t *underneath = engine->compilers[compiler].engine;
    wasmtime_error_t *error = is_component(out)
                                  ? reglet_engine_component_map(underneath, file->fd, &out->component)
                                  : reglet_engine_module_map(underneath, file->fd, &out->module);
    if (error)
        return reglet__engine_fail(error, REGLET_ERR_IO, "compiled code cannot be loaded", err);
    if (share_initial(out, sibling))
        return REGLET_OK;
    return out->rewritten ? reglet__image_map(file->fd, (size_t)out->facts.memory_pages << 16, notes.ranges,
                                              notes.range_count, &out->initial, err)
                          : make_empty(out, err);
}

reglet_status reglet__code_save(const struct reglet__code *code, struct reglet__store *store,
                                const struct reglet__code_key *key, reglet_error **err) {
    static const char padding[LARGEST_PAGE];
    wasm_byte_vec_t bytes;
    wasmtime_error_t *error = code->component ? wasmtime_component_serialize(code->component, &bytes)
                                              : wasmtime_module_serialize(code->module, &bytes);
    if (error)
        return reglet__engine_fail(error, REGLET_ERR_IO, "compiled code cannot be kept", err);
    struct notes notes = {.code_bytes = bytes.size, .rewritten = code->rewritten, .facts = code->facts};
    struct iovec parts[REGLET__IMAGE_RANGES + 3] = {
        {bytes.data, bytes.size},
        {(void *)(uintptr_t)padding, rounded(bytes.size) - bytes.size},
    };
    size_t count = 2;
    if (code->rewritten) {
        const struct reglet__image *initial = code->initial;
        notes.range_count = initial->range_count;
        memcpy(notes.ranges, initial->ranges, sizeof notes.ranges);
        uint64_t offset = rounded(bytes.size);
        for (size_t i = 0; i < initial->range_count; i++) {
            struct image_range *range = &notes.ranges[i];
            range->offset = offset;
            offset += range->end - range->start;
            parts[count++] = (struct iovec){initial->bytes + range->start, range->end - range->start};
        }
    }
    parts[count++] = (struct iovec){&notes, sizeof notes};
    reglet_status status = reglet__store_put(store, key, parts, count, err);
    wasm_byte_vec_delete(&bytes);
    return status;
}

void reglet__code_clear(struct reglet__code *code) {
    if (code->module)
        wasmtime_module_delete(take_ptr(code->module));
    if (code->component)
        wasmtime_component_delete(take_ptr(code->component));
    reglet__image_unref(take_ptr(code->initial));
}
