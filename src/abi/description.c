#include "abi/description.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "abi/abi.h"
#include "util/fail.h"

/* A description with what it lives in. The public part comes first: a pointer to one is a pointer to the other. */
struct described {
    reglet_description public;
    atomic_uint references;
    struct reglet__arena arena;
    const char *json;
};

static struct described *whole(const reglet_description *description) {
    return (struct described *)(uintptr_t)description;
}

const reglet_description *reglet__description_ref(const reglet_description *description) {
    if (description)
        atomic_fetch_add_explicit(&whole(description)->references, 1, memory_order_relaxed);
    return description;
}

void reglet_description_free(const reglet_description *description) {
    if (!description ||
        atomic_fetch_sub_explicit(&whole(description)->references, 1, memory_order_acq_rel) != 1)
        return;
    struct reglet__arena arena = whole(description)->arena; /* it holds the description itself */
    reglet__arena_free(&arena);
}

const char *reglet_description_json(const reglet_description *description) {
    return description ? whole(description)->json : NULL;
}

/* Reading */

reglet_status reglet__declare(const struct reglet__answer *answer, struct reglet__declarations *list,
                              const char *kind, const char *pattern) {
    if (list->count == REGLET__MAX_CAPABILITIES)
        return reglet__answer_too_many(answer, "capabilities", REGLET__MAX_CAPABILITIES);
    list->items[list->count++] = (reglet_declared_capability){kind, pattern};
    return REGLET_OK;
}

static reglet_status read_capabilities(const struct reglet__answer *answer, const struct reglet__json *root,
                                       struct reglet__declarations *list) {
    const struct reglet__json *capabilities = NULL;
    reglet_status status = reglet__answer_get(answer, root, "capabilities", REGLET__IS_ARRAY, &capabilities);
    REGLET__JSON_EACH (item, capabilities) {
        if (status != REGLET_OK)
            break;
        char subject[64];
        snprintf(subject, sizeof subject, "%s, capability %zu", answer->subject, list->count + 1);
        struct reglet__answer one = *answer;
        one.subject = subject;
        if (item->type != REGLET__JSON_OBJECT)
            return reglet__answer_wrong_type(&one, "it", REGLET__IS_OBJECT, item);
        const char *kind = "", *pattern = "";
        status = reglet__answer_text(&one, item, "kind", &kind);
        if (status == REGLET_OK)
            status = reglet__answer_text(&one, item, "pattern", &pattern);
        if (status == REGLET_OK)
            status = reglet__declare(answer, list, kind, pattern);
    }
    return status;
}

static reglet_status read_texts(const struct reglet__answer *answer, const struct reglet__json *root,
                                reglet_description *out) {
    const struct {
        const char *key, **field;
    } texts[] = {{"name", &out->name},
                 {"version", &out->version},
                 {"description", &out->description},
                 {"sdk_version", &out->sdk_version},
                 {"min_host_version", &out->min_host_version}};
    reglet_status status = REGLET_OK;
    for (size_t i = 0; i < ARRAY_LEN(texts) && status == REGLET_OK; i++)
        status = reglet__answer_text(answer, root, texts[i].key, texts[i].field);
    return status;
}

static reglet_status keep_capabilities(const struct reglet__answer *answer,
                                       const struct reglet__declarations *list, reglet_description *out) {
    size_t size = list->count * sizeof list->items[0];
    reglet_declared_capability *copy = reglet__arena_alloc(answer->keep, size);
    if (!copy)
        return reglet__fail_memory(answer->err);
    memcpy(copy, list->items, size);
    out->capabilities = copy;
    out->capability_count = list->count;
    return REGLET_OK;
}

/* Writing */

static bool add_capabilities(struct reglet__arena *arena, struct reglet__json *object,
                             const reglet_description *d) {
    struct reglet__json array = {.type = REGLET__JSON_ARRAY}, **link = &array.first;
    for (size_t i = 0; i < d->capability_count; i++) {
        struct reglet__json *item = reglet__json_new_object(arena);
        if (!item || !reglet__json_add_text(arena, item, "kind", d->capabilities[i].kind) ||
            !reglet__json_add_text(arena, item, "pattern", d->capabilities[i].pattern))
            return false;
        *link = item;
        link = &item->next;
    }
    return reglet__json_add(arena, object, "capabilities", strlen("capabilities"), &array);
}

/* The optional keys appear only where the plugin gave them. */
static const char *print(struct reglet__arena *keep, struct reglet__arena *scratch,
                         const reglet_description *d, const struct reglet__json *services) {
    struct reglet__json *o = reglet__json_new_object(scratch);
    bool good = o && reglet__json_add_text(scratch, o, "name", d->name) &&
                reglet__json_add_text(scratch, o, "version", d->version) &&
                reglet__json_add_text(scratch, o, "description", d->description) &&
                add_capabilities(scratch, o, d);
    if (good && d->sdk_version[0])
        good = reglet__json_add_text(scratch, o, "sdk_version", d->sdk_version);
    if (good && d->min_host_version[0])
        good = reglet__json_add_text(scratch, o, "min_host_version", d->min_host_version);
    if (good && reglet__json_first(services))
        good = reglet__json_add(scratch, o, "services", strlen("services"), services);
    return good ? reglet__json_print(keep, o, NULL) : NULL;
}

static reglet_status read_generation(int generation, const struct reglet__answer *answer,
                                     struct reglet__arena *scratch, const struct reglet__json *root,
                                     struct described *d) {
    struct reglet__declarations *list = reglet__arena_alloc(scratch, sizeof *list);
    if (!list)
        return reglet__fail_memory(answer->err);
    reglet_status status = read_texts(answer, root, &d->public);
    if (status == REGLET_OK && generation == 1)
        status = read_capabilities(answer, root, list);
    if (status == REGLET_OK && generation == 2)
        status = reglet__manifest_capabilities(answer, root, list);
    if (status == REGLET_OK && generation == 2)
        status = reglet__manifest_services(answer, root, &d->public);
    if (status == REGLET_OK)
        status = keep_capabilities(answer, list, &d->public);
    if (status != REGLET_OK)
        return status;
    d->json =
        print(answer->keep, scratch, &d->public, generation == 2 ? reglet__json_get(root, "services") : NULL);
    return d->json ? REGLET_OK : reglet__fail_memory(answer->err);
}

static reglet_status parse(int generation, const char *subject, const char *bytes, size_t size,
                           const reglet_description **out, reglet_error **err) {
    _cleanup_arena_ struct reglet__arena scratch = {0}, keep = {0};
    struct reglet__answer answer = {.subject = subject, .keep = &keep, .err = err};
    const struct reglet__json *root = NULL;
    reglet_status status = reglet__answer_read(&answer, &scratch, bytes, size, &root);
    if (status == REGLET_OK)
        status = reglet__answer_check_failure(&answer, root);
    if (status != REGLET_OK)
        return status;
    struct described *d = reglet__arena_alloc(&keep, sizeof *d);
    if (!d)
        return reglet__fail_memory(err);
    d->public.struct_size = sizeof d->public;
    d->public.abi_generation = generation;
    status = read_generation(generation, &answer, &scratch, root, d);
    if (status != REGLET_OK)
        return status;
    atomic_init(&d->references, 1);
    d->arena = reglet__arena_take(&keep);
    *out = &d->public;
    return REGLET_OK;
}

reglet_status reglet__description_parse_v1(const char *bytes, size_t size, const reglet_description **out,
                                           reglet_error **err) {
    return parse(1, "describe", bytes, size, out, err);
}

reglet_status reglet__description_parse_v2(const char *bytes, size_t size, const reglet_description **out,
                                           reglet_error **err) {
    return parse(2, "manifest", bytes, size, out, err);
}
