/* What a module is made of, and whether calls of its plugin start from an image. */
#define _GNU_SOURCE
#include "engine/inspect.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "abi/answer.h"
#include "abi/inspection.h"
#include "runtime/internal.h"
#include "util/buf.h"
#include "util/fail.h"
#include "util/limits.h"

REGLET_DEFINE_CLEANUP(reglet_error *, reglet_error_free);

static const char *keep(struct reglet__inspected *inspected, const char *text) {
    return text ? reglet__arena_copy(&inspected->arena, text, strlen(text)) : NULL;
}

/* --- Lists ------------------------------------------------------------------------------------------------ */

/* How many of them are listed: an inspection is no larger than its reader needs. */
static size_t listed(const struct reglet__external *external) {
    return external->count < REGLET__MAX_INSPECTED ? external->count : (size_t)REGLET__MAX_INSPECTED;
}

static const char *provider(const struct reglet__external *import) {
    static const char wasi[] = "wasi_snapshot_preview1";
    static const char package[] = "wasi:"; /* of the interfaces that a component imports */
    bool is_wasi =
        (import->module_size == strlen(wasi) && memcmp(import->module, wasi, import->module_size) == 0) ||
        (import->module_size > strlen(package) && memcmp(import->module, package, strlen(package)) == 0);
    return is_wasi ? "wasi" : import->open ? "embedder" : "host";
}

static bool take_import(void *user_data, const struct reglet__external *external) {
    struct reglet__inspected *inspected = user_data;
    reglet_inspection *out = &inspected->public;
    if (external->index == 0) {
        out->imports = reglet__arena_alloc(&inspected->arena, listed(external) * sizeof *out->imports);
        out->imports_left_out = external->count - listed(external);
    }
    if (!out->imports || external->index >= listed(external))
        return out->imports != NULL;
    reglet_inspected_import *import = (reglet_inspected_import *)(uintptr_t)&out->imports[external->index];
    import->module = reglet__c_string(&inspected->arena, external->module, external->module_size);
    import->name = reglet__c_string(&inspected->arena, external->name, external->name_size);
    import->type = keep(inspected, external->type ? external->type : external->kind);
    import->provider = provider(external);
    out->import_count++;
    return import->module && import->name && import->type;
}

static bool take_export(void *user_data, const struct reglet__external *external) {
    struct reglet__inspected *inspected = user_data;
    reglet_inspection *out = &inspected->public;
    if (external->index == 0) {
        out->exports = reglet__arena_alloc(&inspected->arena, listed(external) * sizeof *out->exports);
        out->exports_left_out = external->count - listed(external);
    }
    if (!out->exports || external->index >= listed(external))
        return out->exports != NULL;
    reglet_inspected_export *export = (reglet_inspected_export *)(uintptr_t)&out->exports[external->index];
    export->name = reglet__c_string(&inspected->arena, external->name, external->name_size);
    export->interface = external->module_size
                            ? reglet__c_string(&inspected->arena, external->module, external->module_size)
                            : NULL;
    export->kind = external->kind;
    export->type = keep(inspected, external->type);
    out->export_count++;
    return export->name && (export->type || !external->type);
}

/* --- Numbers ---------------------------------------------------------------------------------------------- */

static bool exports_any(const struct reglet__module *module, const char *const names[]) {
    for (; *names; names++)
        if (reglet__module_export(module, *names))
            return true;
    return false;
}

static int generation(const struct visit *visit) {
    static const char *const names[] = {"describe", "schema", "observe", "_manifest", "_observe", NULL};
    return exports_any(visit->module, names) ? visit->version->generation : 0;
}

static void take_facts(const struct reglet__module *module, reglet_inspection *out) {
    struct reglet__module_facts facts;
    reglet__module_facts(module, &facts);
    out->module_bytes = facts.module_bytes;
    out->custom_bytes = facts.custom_bytes;
    out->has_memory = facts.has_memory;
    out->memory_bytes = facts.memory_bytes;
    out->memory_max_bytes = facts.memory_max_bytes;
    out->table_count = facts.tables;
    out->table_elements = facts.table_elements;
    out->function_count = facts.functions;
    out->code_bytes = facts.code_bytes;
    out->global_count = facts.globals;
    out->mutable_global_count = facts.mutable_globals;
    out->data_segment_count = facts.data_segments;
    out->data_bytes = facts.data_bytes;
    out->compiler = reglet__module_compiler(module) == REGLET__FAST ? "fast" : "optimizing";
    out->machine_code_bytes = reglet__module_code_bytes(module);
    out->from_disk = reglet__module_is_from_file(module);
}

/* --- Images ----------------------------------------------------------------------------------------------- */

static bool refuse_image(struct reglet__inspected *inspected, const char *format, ...) REGLET_PRINTF(2, 3);
static bool refuse_image(struct reglet__inspected *inspected, const char *format, ...) {
    char *reason = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&reason, format, args);
    va_end(args);
    if (length < 0)
        return false;
    inspected->public.no_image = keep(inspected, reason);
    free(reason);
    return inspected->public.no_image != NULL;
}

/* What the plugin did is what was asked for; what the caller or this host did is a failure. */
static bool is_found(reglet_status status) {
    return status == REGLET_OK || (status <= REGLET_ERR_MISSING_EXPORT && status != REGLET_ERR_CANCELLED &&
                                   status != REGLET_ERR_INTERNAL);
}

/* What an image depends on besides the module: what the plugin does while it initialises. */
static reglet_status try_image(const struct visit *visit, struct reglet__inspected *inspected,
                               reglet_error **err) {
    _cleanup_(reglet_error_free_p)
    reglet_error *error = NULL;
    struct initialised found = {0};
    const struct reglet__policy *policy = NULL;
    reglet_status status = reglet__visit_policy(visit, &policy, &error);
    if (status == REGLET_OK)
        status = reglet__call_initialise(visit, policy, &found, &error);
    bool good = true;
    if (!is_found(status)) {
        if (err)
            *err = take_ptr(error);
        return status;
    }
    if (found.reached)
        good = refuse_image(inspected, "it called %s while it initialised", found.reached);
    else if (status != REGLET_OK)
        good = refuse_image(inspected, "it did not initialise: %s", reglet_error_message(error));
    else if (found.half_a_line)
        good = refuse_image(inspected, "it wrote half a line while it initialised");
    else if (!found.fits)
        good = refuse_image(inspected, "it takes more memory than there is, or than an image may have");
    inspected->public.starts_from_image = good && !inspected->public.no_image;
    return good ? REGLET_OK : reglet__fail_memory(err);
}

static reglet_status take_image(const struct visit *visit, struct reglet__inspected *inspected,
                                reglet_error **err) {
    const char *observe = visit->version->generation == 1 ? "observe" : "_observe";
    const char *reason = reglet__module_no_image(visit->module);
    bool good = true;
    if (!reglet__module_export(visit->module, observe))
        good = refuse_image(inspected, "it does not export \"%s\"", observe);
    else if (visit->plugin->runtime->limits.image_calls == 0)
        good = refuse_image(inspected, "images are turned off");
    else if (reason)
        good = refuse_image(inspected, "%s", reason);
    else
        return try_image(visit, inspected, err);
    return good ? REGLET_OK : reglet__fail_memory(err);
}

/* --- Secrets ---------------------------------------------------------------------------------------------- */

/* Names are the module's, and so is a message that quotes it. */
static bool screen(const struct visit *visit, struct reglet__inspected *inspected, const char **text) {
    char *out = NULL;
    const char *shown = *text ? reglet__screen_text(visit->plugin->runtime, *text, &out) : NULL;
    if (shown != *text)
        *text = keep(inspected, shown);
    free(out);
    return *text || !shown;
}

static bool screen_all(const struct visit *visit, struct reglet__inspected *inspected) {
    reglet_inspection *public = &inspected->public;
    bool good = screen(visit, inspected, &public->no_image);
    for (size_t i = 0; i < public->import_count && good; i++) {
        reglet_inspected_import *import = (reglet_inspected_import *)(uintptr_t) & public->imports[i];
        good = screen(visit, inspected, &import->module) && screen(visit, inspected, &import->name);
    }
    for (size_t i = 0; i < public->export_count && good; i++) {
        reglet_inspected_export *export = (reglet_inspected_export *)(uintptr_t) & public->exports[i];
        good = screen(visit, inspected, &export->name);
    }
    return good;
}

/* --- The whole -------------------------------------------------------------------------------------------- */

static reglet_status inspect(const struct visit *visit, struct reglet__inspected *inspected,
                             reglet_error **err) {
    const struct reglet__module *module = visit->module;
    reglet_inspection *out = &inspected->public;
    char hash[65];
    reglet__sha256_to_hex(&visit->version->hash, hash);
    out->name = keep(inspected, visit->plugin->name);
    out->sha256 = keep(inspected, hash);
    out->abi_generation = generation(visit);
    out->interface = reglet__module_interface(module);
    take_facts(module, out);
    if (!out->name || !out->sha256 ||
        reglet__module_each_import(module, take_import, inspected) != REGLET_OK ||
        reglet__module_each_export(module, take_export, inspected) != REGLET_OK)
        return reglet__fail_memory(err);
    reglet_status status = take_image(visit, inspected, err);
    if (status == REGLET_OK && (!screen_all(visit, inspected) || !reglet__inspected_print(inspected)))
        status = reglet__fail_memory(err);
    return status;
}

reglet_status reglet_plugin_inspect(reglet_plugin *plugin, const reglet_call_options *call,
                                    const reglet_inspection **out, reglet_error **err) {
    if (!plugin || !out)
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "inspect: plugin or out is NULL");
    struct visit visit;
    reglet_status status = reglet__visit_begin(plugin, call, VISIT_RUNS, &visit, err);
    if (status != REGLET_OK)
        return status;
    struct reglet__inspected *inspected = reglet__inspected_new();
    status = inspected ? inspect(&visit, inspected, err) : reglet__fail_memory(err);
    reglet__visit_end(&visit, status, err);
    if (status == REGLET_OK)
        *out = &inspected->public;
    else if (inspected)
        reglet_inspection_free(&inspected->public);
    return status;
}
