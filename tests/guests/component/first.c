/*
 * first.c - a component of reglet:plugin@1.0.0, which has no host: it answers its config, and each case of each type.
 *
 * Config: {"do": "answer" | "fail" | "refuse"}
 */
#include "bindings/first.h" /* made by wit-bindgen */

#include <string.h>

typedef first_string_t text_t;
typedef reglet_plugin_types_value_t value_t;
typedef reglet_plugin_types_item_t item_t;
typedef reglet_plugin_types_scalar_t scalar_t;

static text_t text(const char *bytes) {
    return (text_t){(uint8_t *)(uintptr_t)bytes, strlen(bytes)};
}

/* What the bindings have in their place frees all of an answer, which here is not from malloc(). */
#define KEEP(function)                                                                                       \
    __attribute__((export_name("cabi_post_reglet:plugin/plugin@1.0.0#" #function))) void                     \
        __wasm_export_exports_reglet_plugin_plugin_##function##_post_return(uint8_t *answer);                \
    void __wasm_export_exports_reglet_plugin_plugin_##function##_post_return(uint8_t *answer) {              \
        (void)answer;                                                                                        \
    }
KEEP(describe)
KEEP(schema)
KEEP(observe)

/* ---- What is answered ---------------------------------------------------------------------------------------- */

enum { MOST = 64 };
static first_tuple2_string_string_t no_config;
static reglet_plugin_types_tuple2_string_value_t found[MOST];
static size_t count;

static void put(const char *name, value_t value) {
    if (count < MOST) {
        found[count].f0 = text(name);
        found[count++].f1 = value;
    }
}

static void put_all_cases(void) {
    static scalar_t scalars[] = {{.tag = REGLET_PLUGIN_TYPES_SCALAR_INT, .val.int_ = -1},
                                 {.tag = REGLET_PLUGIN_TYPES_SCALAR_FLOAT, .val.float_ = 0.25},
                                 {.tag = REGLET_PLUGIN_TYPES_SCALAR_BOOL, .val.bool_ = false},
                                 {.tag = REGLET_PLUGIN_TYPES_SCALAR_STRING}};
    static item_t items[] = {{.tag = REGLET_PLUGIN_TYPES_ITEM_INT, .val.int_ = INT64_MIN},
                             {.tag = REGLET_PLUGIN_TYPES_ITEM_FLOAT, .val.float_ = 1e300},
                             {.tag = REGLET_PLUGIN_TYPES_ITEM_BOOL, .val.bool_ = true},
                             {.tag = REGLET_PLUGIN_TYPES_ITEM_STRING},
                             {.tag = REGLET_PLUGIN_TYPES_ITEM_LIST}};
    scalars[3].val.string = text("s");
    items[3].val.string = text("i");
    items[4].val.list.ptr = scalars;
    items[4].val.list.len = 4;
    value_t list = {.tag = REGLET_PLUGIN_TYPES_VALUE_LIST};
    put("empty", list);
    list.val.list.ptr = items;
    list.val.list.len = 5;
    put("list", list);
    put("string", (value_t){.tag = REGLET_PLUGIN_TYPES_VALUE_STRING, .val.string = {(uint8_t *)"a\0b", 3}});
    put("int", (value_t){.tag = REGLET_PLUGIN_TYPES_VALUE_INT, .val.int_ = INT64_MAX});
    put("float", (value_t){.tag = REGLET_PLUGIN_TYPES_VALUE_FLOAT, .val.float_ = 0.1});
    put("whole", (value_t){.tag = REGLET_PLUGIN_TYPES_VALUE_FLOAT, .val.float_ = 2});
    put("bool", (value_t){.tag = REGLET_PLUGIN_TYPES_VALUE_BOOL, .val.bool_ = true});
}

/* ---- The plugin ---------------------------------------------------------------------------------------------- */

void exports_reglet_plugin_plugin_describe(exports_reglet_plugin_plugin_plugin_info_t *out) {
    static reglet_plugin_types_capability_t capability;
    capability = (reglet_plugin_types_capability_t){text("fs"), text("read:/etc/hosts")};
    *out = (exports_reglet_plugin_plugin_plugin_info_t){
        text("first"), text("0.1.0"), text("The first"), {&capability, 1}};
}

void exports_reglet_plugin_plugin_schema(exports_reglet_plugin_plugin_config_schema_t *out) {
    static reglet_plugin_types_field_def_t field;
    field = (reglet_plugin_types_field_def_t){text("do"), text("string"), true, text("What")};
    *out = (exports_reglet_plugin_plugin_config_schema_t){{&field, 1}};
}

bool exports_reglet_plugin_plugin_observe(exports_reglet_plugin_plugin_config_t *config,
                                          exports_reglet_plugin_plugin_evidence_t *out,
                                          exports_reglet_plugin_plugin_error_t *failed) {
    first_tuple2_string_string_t *what = config->values.len ? &config->values.ptr[0] : &no_config;
    bool fails = what->f1.len == 4 && memcmp(what->f1.ptr, "fail", 4) == 0;
    if (what->f1.len == 6 && memcmp(what->f1.ptr, "refuse", 6) == 0) {
        *failed = (exports_reglet_plugin_plugin_error_t){text("E2"), text("refused")};
        return false;
    }
    for (size_t i = 0; i < config->values.len && i < MOST / 2; i++) {
        found[count].f0 = config->values.ptr[i].f0;
        found[count++].f1 =
            (value_t){.tag = REGLET_PLUGIN_TYPES_VALUE_STRING, .val.string = config->values.ptr[i].f1};
    }
    put_all_cases();
    *out = (exports_reglet_plugin_plugin_evidence_t){
        .status = !fails,
        .error = {fails, {text("E1"), text("failed")}},
        .timestamp = text("2026-01-31T12:00:00.123456789+01:00"),
        .data = {found, count},
        .raw = {true, text("raw")},
    };
    return true;
}
