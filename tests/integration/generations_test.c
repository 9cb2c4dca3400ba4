/* One plugin in three forms (a module of each generation, and a component) behaves the same in each, case by case. */
#define _GNU_SOURCE
#include "tests/integration/support.h"

#include "tests/integration/servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct form {
    const char *guest;
    int generation;
    bool has_raw; /* evidence of the second generation has none */
} forms[] = {{"behaves", 1, true}, {"behaves_v2", 2, false}, {"behaves.component", 1, true}};

enum { FORMS = sizeof forms / sizeof *forms };

/* --- A folder with files, and a runtime --------------------------------------------------------------------- */

static char folder[64];
static struct events events;

static const char *in_folder(const char *name) {
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int set_up(void **state) {
    (void)state;
    strcpy(folder, "/tmp/reglet-forms-XXXXXX");
    assert_non_null(mkdtemp(folder));
    FILE *file = fopen(in_folder("file"), "we");
    assert_non_null(file);
    fputs("0123456789", file);
    fclose(file);
    chmod(in_folder("file"), 0640);
    setenv("REGLET_FORMS", "a value", 1);
    events_init(&events);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    remove(in_folder("file"));
    rmdir(folder);
    events_free(&events);
    return 0;
}

static reglet_plugin *load(reglet_runtime *runtime, const struct form *form) {
    reglet_plugin *plugin = NULL;
    reglet_error *error = NULL;
    reglet_status status =
        reglet_runtime_load_plugin_file(runtime, "behaves", guest_path(form->guest), NULL, &plugin, &error);
    expect_status(status, REGLET_OK, error, form->guest);
    return plugin;
}

/* Text where "@" stands for the folder and "'" for a double quote. */
static char *expand(const char *text) {
    char *out = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&out, &size);
    for (; *text; text++)
        if (*text == '@')
            fputs(folder, stream);
        else
            fputc(*text == '\'' ? '"' : *text, stream);
    fclose(stream);
    return out;
}

/* --- Cases: what is observed ---------------------------------------------------------------------------------- */

struct expectation {
    const char *config;
    reglet_status status; /* REGLET_OK: evidence */
    const char *status_of_evidence, *error,
        *data; /* exactly as JSON; or of a plugin error, `error` is part of the message */
};

/* Without what each call has its own: the time. */
static void check(const struct expectation *expected, const struct form *form, const char *json) {
    char *found_error = json_member(json, "/evidence/error"),
         *found_data = json_member(json, "/evidence/data");
    char *error = expected->error ? expand(expected->error) : NULL, *data = expand(expected->data);
    bool same = (found_error && error ? strcmp(found_error, error) == 0 : found_error == error) &&
                found_data && strcmp(found_data, data) == 0;
    if (!same)
        fail_msg("%s: %s: expected error %s and data %s, found %s", form->guest, expected->config, error,
                 data, json);
    expect_member(json, "/evidence/status", expected->status_of_evidence);
    expect_member(json, "/error", NULL);
    free(found_error);
    free(found_data);
    free(error);
    free(data);
}

static void check_end(const struct expectation *expected, const struct form *form, reglet_result *result) {
    if (reglet_result_error_code(result) != expected->status)
        fail_msg("%s: %s: expected %s, found %s", form->guest, expected->config,
                 reglet_status_name(expected->status), reglet_result_json(result, NULL));
    if (expected->status == REGLET_OK)
        check(expected, form, reglet_result_json(result, NULL));
    else if (!strstr(reglet_result_error_message(result), expected->error))
        fail_msg("%s: %s: expected a message with \"%s\", found %s", form->guest, expected->config,
                 expected->error, reglet_result_json(result, NULL));
}

static void observe_in_all_forms(const reglet_runtime_options *options, const struct expectation *cases,
                                 size_t count, int64_t timeout_ms) {
    for (size_t f = 0; f < FORMS; f++) {
        reglet_runtime *runtime = new_runtime(options);
        reglet_plugin *plugin = load(runtime, &forms[f]);
        for (size_t i = 0; i < count; i++) {
            char *config = expand(cases[i].config);
            reglet_result *result = observe_json(plugin, config, timeout_ms);
            check_end(&cases[i], &forms[f], result);
            reglet_result_free(result);
            free(config);
        }
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
    }
}

#define OBSERVE(options, cases, timeout_ms)                                                                  \
    observe_in_all_forms(options, cases, sizeof(cases) / sizeof *(cases), timeout_ms)

#define READ(integer, number, flag, port, item)                                                              \
    "'read':{'integer':" integer ",'number':" number ",'flag':" flag ",'port':" port ",'item':" item "}}"
#define NOTHING_READ READ("0", "0", "false", "0", "null")

static void config__values_of_each_type_arrive(void **state) {
    (void)state;
    static const struct expectation cases[] = {
        {"{'do':'echo','text':'x','integer':5,'number':0.5,'flag':true,'list':['a','b'],'object':{'a':[1]}}",
         REGLET_OK, "true", NULL,
         "{'text':'x','integer':5,'number':0.5,'flag':true,'list':['a','b'],'object':{'a':[1]}," READ(
             "5", "0.5", "true", "0", "'b'")},
        {"{'do':'echo','text':null,'integer':null,'list':null}", REGLET_OK, "true", NULL, "{" NOTHING_READ},
        {"{'do':'echo','text':''}", REGLET_OK, "true", NULL, "{'text':''," NOTHING_READ},
        {"{'do':'echo','text':'true'}", REGLET_OK, "true", NULL, "{'text':'true'," NOTHING_READ},
        {"{'do':'echo','text':'null'}", REGLET_OK, "true", NULL, "{'text':'null'," NOTHING_READ},
        {"{'do':'echo','text':'[1]'}", REGLET_OK, "true", NULL, "{'text':'[1]'," NOTHING_READ},
        {"{'do':'echo','text':'\\'x\\\\'}", REGLET_OK, "true", NULL, "{'text':'\\'x\\\\'," NOTHING_READ},
        {"{'do':'echo','text':'\\u001b\\ud834\\udd1e\\n'}", REGLET_OK, "true", NULL,
         "{'text':'\\u001b\xf0\x9d\x84\x9e\\n'," NOTHING_READ},
        {"{'do':'echo','integer':-9223372036854775808}", REGLET_OK, "true", NULL,
         "{'integer':-9223372036854775808," READ("-9223372036854775808", "0", "false", "0", "null")},
        {"{'do':'echo','integer':9223372036854775807}", REGLET_OK, "true", NULL,
         "{'integer':9223372036854775807," READ("9223372036854775807", "0", "false", "0", "null")},
        {"{'do':'echo','number':-1.5e-7}", REGLET_OK, "true", NULL,
         "{'number':-1.5e-7," READ("0", "-1.5e-07", "false", "0", "null")},
        {"{'do':'echo','flag':false}", REGLET_OK, "true", NULL, "{'flag':false," NOTHING_READ},
        {"{'do':'echo','list':[],'object':{}}", REGLET_OK, "true", NULL,
         "{'list':[],'object':{}," NOTHING_READ},
        {"{'do':'echo','list':[1,'two',[3,[4,{'a':null}]],true]}", REGLET_OK, "true", NULL,
         "{'list':[1,'two',[3,[4,{'a':null}]],true]," READ("0", "0", "false", "0", "'two'")},
        {"{'do':'echo','port':65535}", REGLET_OK, "true", NULL, "{" READ("0", "0", "false", "65535", "null")},
        {"{'do':'echo','port':'8080'}", REGLET_OK, "true", NULL, "{" READ("0", "0", "false", "8080", "null")},
    };
    OBSERVE(NULL, cases, 0);
}

#define COMPLAINT(field, text)                                                                               \
    "{'message':'config: " field " " text "','type':'config','code':'INVALID_CONFIG','details':{'" field     \
    "':'" text "'}}"

static void config__that_makes_no_sense_is_complained_about(void **state) {
    (void)state;
    static const struct expectation cases[] = {
        {"{}", REGLET_OK, "false", COMPLAINT("do", "is required"), "{}"},
        {"{'do':null}", REGLET_OK, "false", COMPLAINT("do", "is required"), "{}"},
        {"{'do':'echo','integer':'x'}", REGLET_OK, "false",
         COMPLAINT("integer", "must be an integer, not a string"), "{}"},
        {"{'do':'echo','integer':1.5}", REGLET_OK, "false",
         COMPLAINT("integer", "must be an integer of 64 bits"), "{}"},
        {"{'do':'echo','integer':9223372036854775808}", REGLET_OK, "false",
         COMPLAINT("integer", "must be an integer of 64 bits"), "{}"},
        {"{'do':'echo','text':'a\\u0000b'}", REGLET_OK, "false",
         COMPLAINT("text", "must not hold a NUL character"), "{}"},
        {"{'do':'echo','flag':1}", REGLET_OK, "false",
         COMPLAINT("flag", "must be true or false, not a number"), "{}"},
        {"{'do':'echo','list':'a'}", REGLET_OK, "false", COMPLAINT("list", "must be an array, not a string"),
         "{}"},
        {"{'do':'echo','list':{}}", REGLET_OK, "false", COMPLAINT("list", "must be an array, not an object"),
         "{}"},
        {"{'do':'echo','object':[]}", REGLET_OK, "false",
         COMPLAINT("object", "must be an object, not an array"), "{}"},
        {"{'do':'echo','port':0}", REGLET_OK, "false", COMPLAINT("port", "must be a port, 1 to 65535"), "{}"},
        {"{'do':'complain'}", REGLET_OK, "false",
         "{'message':'config: text is not nice; list is too short','type':'config','code':'INVALID_CONFIG','details':{'text'"
         ":'is not nice','list':'is too short'}}",
         "{}"},
    };
    OBSERVE(NULL, cases, 0);
}

/* In WIT every value is a text: a number where a text is wanted is that text, and the other way round. */
static void config__what_is_text_to_a_component_is_taken_by_the_fields_type(void **state) {
    (void)state;
    static const struct {
        const char *config, *data;
    } cases[] = {
        {"{\"do\":\"echo\",\"text\":5}", "{\"text\":\"5\""},
        {"{\"do\":\"echo\",\"text\":[1, 2]}", "{\"text\":\"[1,2]\""},
        {"{\"do\":\"echo\",\"integer\":\"5\"}", "{\"integer\":5"},
        {"{\"do\":\"echo\",\"list\":\"[1]\"}", "{\"list\":[1]"},
    };
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *module = load_guest(runtime, "behaves"),
                  *component = load_guest(runtime, "behaves.component");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_evidence(observe_json(component, cases[i].config, 0), cases[i].data);
        expect_evidence(observe_json(module, cases[i].config, 0), "INVALID_CONFIG");
    }
    reglet_plugin_unref(module);
    reglet_plugin_unref(component);
    reglet_runtime_free(runtime);
}

static void evidence__data_of_every_kind_is_the_same(void **state) {
    (void)state;
    static const struct expectation cases[] = {
        {"{'do':'data'}", REGLET_OK, "true", NULL,
         "{'string':'s','null_string':null,'bool':true,'int':-9223372036854775808,'most':9223372036854775807,'number':0.1,"
         "'whole':3,'small':4.94065645841247e-324,'large':1.7976931348623157e+308,'none':null,'null':null,'json':{'deep':[["
         "[[1,2.50,{'a':null}]]]],'big':18446744073709551615},'list':[1,'two',[false]],'object':{'a':'b'},'empty':[]}"},
        {"{'do':'odd_text'}", REGLET_OK, "true", NULL,
         "{'text':'\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\\u0000\\u0001\\u001b\\n\\'\\\\\xef\xbf\xbd.','\xc3\xa9\xe2\x82"
         "\xac':'key'}"},
        {"{'do':'same_keys'}", REGLET_OK, "true", NULL, "{'a':3,'b':2}"},
        {"{'do':'nothing'}", REGLET_OK, "true", NULL, "{}"},
        {"{'do':'fail'}", REGLET_OK, "false",
         "{'message':'it did not work: \xe2\x82\xac','type':'execution','code':'E7'}", "{'kept':1}"},
    };
    OBSERVE(NULL, cases, 0);
}

static void evidence__raw_text_is_beside_data(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMS; f++) {
        if (!forms[f].has_raw)
            continue;
        reglet_runtime *runtime = new_runtime(NULL);
        reglet_plugin *plugin = load(runtime, &forms[f]);
        expect_evidence(observe_json(plugin, "{\"do\":\"raw\",\"text\":\"r\\n\\u20ac\"}", 0),
                        "\"data\":{},\"raw\":\"r\\n\xe2\x82\xac\"");
        expect_evidence(observe_json(plugin, "{\"do\":\"nothing\"}", 0), "\"data\":{},\"raw\":null");
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
    }
}

/* --- Cases: limits, and how a call ends -------------------------------------------------------------------------- */

static void evidence__beyond_its_limit_is_shortened(void **state) {
    (void)state;
    char *first = NULL;
    for (size_t f = 0; f < FORMS; f++) {
        reglet_runtime *runtime = new_runtime(NULL);
        reglet_plugin *plugin = load(runtime, &forms[f]);
        reglet_result *result = observe_json(plugin, "{\"do\":\"large\",\"integer\":2097152}", 0);
        assert_true(reglet_evidence_truncated(reglet_result_evidence(result)));
        char *data = json_member(reglet_result_json(result, NULL), "/evidence/data");
        assert_true(data && strlen(data) > 900000 && strlen(data) <= 1048576);
        if (first && forms[f].generation == 1)
            assert_string_equal(data, first);
        expect_member(reglet_result_json(result, NULL), "/evidence/evidence_meta/truncated", "true");
        if (!first)
            first = strdup(data);
        free(data);
        reglet_result_free(result);
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
    }
    free(first);
}

static void limits__end_a_call_the_same_way(void **state) {
    (void)state;
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    static const reglet_grant grant = {"behaves", "env:REGLET_*"};
    static const struct expectation cases[] = {
        {"{'do':'grow'}", REGLET_ERR_MEMORY_LIMIT, NULL, "it may have 64 MiB", NULL},
        {"{'do':'large','integer':20000}", REGLET_ERR_RESULT_LIMIT, NULL, "at most 10000 are read", NULL},
        {"{'do':'recurse'}", REGLET_ERR_STACK_LIMIT, NULL, "call stack", NULL},
        {"{'do':'flood'}", REGLET_ERR_LOG_LIMIT, NULL,
         "log_message passed max_log_messages: more than 10000 messages logged", NULL},
        {"{'do':'ask_often','integer':20}", REGLET_OK, "true", NULL, "{'times':20}"},
        {"{'do':'ask_often','integer':21}", REGLET_ERR_HOST_CALL_LIMIT, NULL, "env_get passed max_host_calls",
         NULL},
        {"{'do':'trap'}", REGLET_ERR_TRAP, NULL, "unreachable", NULL},
    };
    options.grants = &grant;
    options.grant_count = 1;
    options.memory_limit_mib = 64;
    options.max_result_bytes = 10000;
    options.max_host_calls = 20;
    OBSERVE(&options, cases, 20000);
    static const struct expectation loops[] = {{"{'do':'loop'}", REGLET_ERR_TIMEOUT, NULL, "deadline", NULL}};
    OBSERVE(NULL, loops, 50);
}

static void *cancel_soon(void *token) {
    usleep(50000);
    reglet_cancel_token_cancel(token);
    return NULL;
}

static void cancel__ends_a_loop(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMS; f++) {
        reglet_runtime *runtime = new_runtime(NULL);
        reglet_plugin *plugin = load(runtime, &forms[f]);
        reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
        reglet_config *config = NULL;
        reglet_result *result = NULL;
        pthread_t thread;
        assert_int_equal(reglet_config_parse("{\"do\":\"loop\"}", 13, &config, NULL), REGLET_OK);
        assert_int_equal(reglet_cancel_token_new(&call.cancel, NULL), REGLET_OK);
        assert_int_equal(pthread_create(&thread, NULL, cancel_soon, call.cancel), 0);
        assert_int_equal(reglet_plugin_observe(plugin, config, &call, &result, NULL), REGLET_OK);
        pthread_join(thread, NULL);
        expect_plugin_error(result, REGLET_ERR_CANCELLED, "cancelled");
        reglet_cancel_token_unref(call.cancel);
        reglet_config_free(config);
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
    }
}

/* --- Cases: what it is, and what it takes ------------------------------------------------------------------------- */

static void describe__name_version_and_wishes(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMS; f++) {
        reglet_runtime *runtime = new_runtime(NULL);
        reglet_plugin *plugin = load(runtime, &forms[f]);
        const reglet_description *description = NULL;
        reglet_error *error = NULL;
        EXPECT(reglet_plugin_describe(plugin, NULL, &description, &error), REGLET_OK, error);
        assert_string_equal(description->name, "behaves");
        assert_string_equal(description->version, "1.2.3");
        assert_string_equal(description->description, "Does as it is told: \xc3\xa9");
        const char *json = reglet_description_json(description);
        expect_member(json, "/capabilities/0/pattern", "read:/**");
        expect_member(json, "/capabilities/1/kind", "env");
        expect_member(json, "/capabilities/1/pattern", "HOME");
        reglet_description_free(description);
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
    }
}

static void schema__fields_are_the_same(void **state) {
    (void)state;
    static const char *const types[] = {"string",  "string", "integer", "number",
                                        "boolean", "array",  "object"};
    static const char *const names[] = {"do", "text", "integer", "number", "flag", "list", "object", "port"};
    for (size_t f = 0; f < FORMS; f++) {
        reglet_runtime *runtime = new_runtime(NULL);
        reglet_plugin *plugin = load(runtime, &forms[f]);
        const reglet_schema *schema = NULL;
        reglet_error *error = NULL;
        EXPECT(reglet_plugin_schema(plugin, NULL, &schema, &error), REGLET_OK, error);
        assert_int_equal(schema->field_count, sizeof names / sizeof *names);
        for (size_t i = 0; i < schema->field_count; i++) {
            assert_string_equal(schema->fields[i].name, names[i]);
            assert_int_equal(schema->fields[i].required, i == 0);
            if (i < sizeof types / sizeof *types)
                assert_string_equal(schema->fields[i].type, types[i]);
        }
        assert_string_equal(schema->fields[0].description, "What to do");
        reglet_schema_free(schema);
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
    }
}

static void check_config__is_held_against_the_schema(void **state) {
    (void)state;
    static const struct {
        const char *config, *part; /* NULL: it is good */
    } cases[] = {{"{}", "\"do\" (string)"},
                 {"{\"do\":5}", "do"},
                 {"{\"do\":\"nothing\",\"list\":5}", "list"},
                 {"{\"do\":\"nothing\",\"list\":[5]}", NULL}};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.check_config = true;
    for (size_t f = 0; f < FORMS; f++) {
        reglet_runtime *runtime = new_runtime(&options);
        reglet_plugin *plugin = load(runtime, &forms[f]);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            reglet_config *config = NULL;
            reglet_result *result = NULL;
            reglet_error *error = NULL;
            assert_int_equal(reglet_config_parse(cases[i].config, strlen(cases[i].config), &config, NULL),
                             REGLET_OK);
            reglet_status status = reglet_plugin_observe(plugin, config, NULL, &result, &error);
            assert_int_equal(status, cases[i].part ? REGLET_ERR_INVALID_CONFIG : REGLET_OK);
            if (cases[i].part)
                assert_non_null(strstr(reglet_error_message(error), cases[i].part));
            else
                expect_evidence(result, "\"status\":true");
            reglet_error_free(error);
            reglet_config_free(config);
        }
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
    }
}

static void inspect__tells_what_it_asks_of_the_host(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMS; f++) {
        reglet_runtime *runtime = new_runtime(NULL);
        reglet_plugin *plugin = load(runtime, &forms[f]);
        const reglet_inspection *inspection = NULL;
        reglet_error *error = NULL;
        bool reads = false, component = strstr(forms[f].guest, "component") != NULL;
        EXPECT(reglet_plugin_inspect(plugin, NULL, &inspection, &error), REGLET_OK, error);
        assert_int_equal(inspection->abi_generation, forms[f].generation);
        for (size_t i = 0; i < inspection->import_count; i++)
            reads |= strcmp(inspection->imports[i].name, component ? "fs-read" : "fs_read") == 0;
        assert_true(reads);
        assert_int_equal(inspection->interface != NULL, component);
        assert_true(inspection->machine_code_bytes > 0);
        reglet_inspection_free(inspection);
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
    }
}

/* --- Cases: what it says and asks for ------------------------------------------------------------------------------ */

/* Of what happened in the first form; the others have to be the same. */
static void expect_same_in_all_forms(const char *what, char *first[1], char *found, const struct form *form) {
    if (!*first)
        *first = strdup(found);
    else if (strcmp(*first, found) != 0)
        fail_msg("%s: %s: expected\n%s\nfound\n%s", form->guest, what, *first, found);
}

static void log__events_are_the_same(void **state) {
    (void)state;
    char *first = NULL;
    for (size_t f = 0; f < FORMS; f++) {
        struct events said;
        events_init(&said);
        reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
        options.log = events_collect;
        options.log_user_data = &said;
        reglet_runtime *runtime = new_runtime(&options);
        reglet_plugin *plugin = load(runtime, &forms[f]);
        expect_evidence(observe_json(plugin, "{\"do\":\"say\",\"text\":\"it\"}", 0), "\"status\":true");
        assert_true(events_contain(&said, "plugin|behaves||info: it|\n"));
        assert_true(events_contain(&said, "error\\n\\x1b[2J"));
        expect_same_in_all_forms("log", &first, said.text, &forms[f]);
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
        events_free(&said);
    }
    free(first);
}

static void host__what_is_granted_is_had(void **state) {
    (void)state;
    char read[128];
    snprintf(read, sizeof read, "fs:read:%s/**", folder);
    const reglet_grant grants[] = {{"behaves", read}, {"behaves", "env:REGLET_*"}, {"behaves", "exec:echo"}};
    static const struct expectation cases[] = {
        {"{'do':'stat','text':'@/file'}", REGLET_OK, "true", NULL,
         "{'exists':true,'type':'file','size':10,'mode':'0640'}"},
        {"{'do':'stat','text':'@/nothing'}", REGLET_OK, "true", NULL,
         "{'exists':false,'type':null,'size':0,'mode':null}"},
        {"{'do':'read','text':'@/file'}", REGLET_OK, "true", NULL, "{'content':'123','truncated':true}"},
        {"{'do':'env','text':'REGLET_FORMS'}", REGLET_OK, "true", NULL, "{'value':'a value'}"},
        {"{'do':'env','text':'REGLET_NOBODY'}", REGLET_OK, "true", NULL, "{'value':null}"},
        {"{'do':'run','text':'echo'}", REGLET_OK, "true", NULL, "{'out':'one two words\\n','exit_code':0}"},
    };
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = grants;
    options.grant_count = 3;
    OBSERVE(&options, cases, 0);
}

/* What the plugin is told of a refusal, in all forms the same; and what the log and the audit have of it. */
static char *audited;

static void audit(void *user_data, const reglet_audit_record *record) {
    char *grown = NULL;
    (void)user_data;
    /* A module asks exec_command, and a component exec_run, which are the same. */
    const char *function = strcmp(record->function, "exec_command") == 0 ? "exec_run" : record->function;
    assert_true(asprintf(&grown, "%s%s|%s|%s|%d|%s|%s|%s|%llu|%llu\n", audited ? audited : "", function,
                         record->kind, record->asked, record->allowed, record->rule ? record->rule : "-",
                         record->reason ? record->reason : "-", record->grant ? record->grant : "-",
                         (unsigned long long)record->bytes_in, (unsigned long long)record->bytes_out) > 0);
    free(audited);
    audited = grown;
}

static void host__what_is_not_granted_is_refused_logged_and_audited(void **state) {
    (void)state;
    static const char *const configs[] = {"{'do':'stat','text':'@/file'}",
                                          "{'do':'read','text':'@/file'}",
                                          "{'do':'read','text':'/etc/shadow'}",
                                          "{'do':'env','text':'HOME'}",
                                          "{'do':'env','text':'REGLET_FORMS'}",
                                          "{'do':'run','text':'/bin/echo'}",
                                          "{'do':'connect','text':'example.org','port':443}",
                                          "{'do':'connect','text':'127.0.0.1','port':1}"};
    static const reglet_grant grants[] = {{"behaves", "env:REGLET_*"}, {"behaves", "network:outbound:1"}};
    enum { CONFIGS = sizeof configs / sizeof *configs };
    char *evidence[CONFIGS] = {0}, *first_audit = NULL, *first_log = NULL;
    for (size_t f = 0; f < FORMS; f++) {
        struct events said;
        events_init(&said);
        reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
        options.grants = grants;
        options.grant_count = 2;
        options.audit = audit;
        options.log = events_collect;
        options.log_user_data = &said;
        reglet_runtime *runtime = new_runtime(&options);
        reglet_plugin *plugin = load(runtime, &forms[f]);
        for (size_t i = 0; i < CONFIGS; i++) {
            char *config = expand(configs[i]);
            reglet_result *result = observe_json(plugin, config, 0);
            const char *json = reglet_result_json(result, NULL);
            /* The grant that is missing is in the details, where a module may not have it for a file; see the host-error. */
            char *message = json_member(json, "/evidence/error/message"),
                 *type = json_member(json, "/evidence/error/type"),
                 *code = json_member(json, "/evidence/error/code"),
                 *value = json_member(json, "/evidence/data"), *all = NULL;
            assert_true(asprintf(&all, "%s|%s|%s|%s", type, code, message, value) > 0);
            expect_same_in_all_forms(configs[i], &evidence[i], all, &forms[f]);
            free(message);
            free(type);
            free(code);
            free(value);
            free(all);
            free(config);
            reglet_result_free(result);
        }
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
        expect_same_in_all_forms("audit", &first_audit, audited, &forms[f]);
        expect_same_in_all_forms("log", &first_log, said.text, &forms[f]);
        free(audited);
        audited = NULL;
        events_free(&said);
    }
    assert_non_null(strstr(evidence[0], "capability|"));
    assert_non_null(strstr(evidence[3], "capability|EPERM|permission denied"));
    assert_non_null(strstr(evidence[4], "{\"value\":\"a value\"}"));
    assert_non_null(strstr(evidence[7], "ssrf_protection|ESSRF|"));
    assert_non_null(strstr(first_audit, "env_get|env|HOME|0|-|no grant covers it|env:HOME|0|0\n"));
    assert_non_null(strstr(first_audit, "fs_read|fs:read|/etc/shadow|0|"));
    assert_non_null(strstr(first_log, "denial|behaves||"));
    for (size_t i = 0; i < CONFIGS; i++)
        free(evidence[i]);
    free(first_audit);
    free(first_log);
}

static void recording__answers_again_what_was_answered(void **state) {
    (void)state;
    char read[128];
    snprintf(read, sizeof read, "fs:read:%s/**", folder);
    for (size_t f = 0; f < FORMS; f++) {
        reglet_runtime *runtime = new_runtime_granting("behaves", read), *bare = new_runtime(NULL);
        reglet_plugin *plugin = load(runtime, &forms[f]), *again = load(bare, &forms[f]);
        reglet_recording *recording = NULL;
        reglet_config *config = NULL;
        reglet_result *result = NULL;
        reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
        char *text = expand("{'do':'read','text':'@/file'}");
        assert_int_equal(reglet_recording_new(&recording, NULL), REGLET_OK);
        assert_int_equal(reglet_config_parse(text, strlen(text), &config, NULL), REGLET_OK);
        call.record = recording;
        assert_int_equal(reglet_plugin_observe(plugin, config, &call, &result, NULL), REGLET_OK);
        expect_evidence(result, "\"content\":\"123\"");
        call.record = NULL;
        call.replay = recording;
        assert_int_equal(reglet_plugin_observe(again, NULL, &call, &result, NULL), REGLET_OK);
        expect_evidence(result, "\"content\":\"123\"");
        free(text);
        reglet_config_free(config);
        text = expand("{'do':'env','text':'HOME'}");
        assert_int_equal(reglet_config_parse(text, strlen(text), &config, NULL), REGLET_OK);
        assert_int_equal(reglet_plugin_observe(again, config, &call, &result, NULL), REGLET_OK);
        expect_plugin_error(result, REGLET_ERR_REPLAY, "env_get");
        free(text);
        reglet_config_free(config);
        reglet_recording_free(recording);
        reglet_plugin_unref(plugin);
        reglet_plugin_unref(again);
        reglet_runtime_free(runtime);
        reglet_runtime_free(bare);
    }
}

/* --- Cases that need guests of their own --------------------------------------------------------------------------- */

/* What is written to standard output and standard error comes line by line, and the rest of a line at the end. */
static void output__comes_by_lines(void **state) {
    (void)state;
    static const struct {
        const char *guest, *config;
    } cases[] = {
        {"teller",
         "{\"steps\":[{\"stdout\":\"half \"},{\"stderr\":\"on stderr\\n\"},{\"stdout\":\"a line\\nno end\"}]}"},
        {"attacks.component", "{\"do\":\"speak\"}"}};
    for (size_t i = 0; i < 2; i++) {
        struct events said;
        events_init(&said);
        reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
        options.log = events_collect;
        options.log_user_data = &said;
        reglet_runtime *runtime = new_runtime(&options);
        reglet_plugin *plugin = NULL;
        EXPECT(reglet_runtime_load_plugin_file(runtime, "p", guest_path(cases[i].guest), NULL, &plugin, NULL),
               REGLET_OK, NULL);
        expect_evidence(observe_json(plugin, cases[i].config, 0), "\"status\":true");
        assert_string_equal(said.text, "stderr|p||on stderr|\nstdout|p||half a line|\nstdout|p||no end|\n");
        reglet_plugin_unref(plugin);
        reglet_runtime_free(runtime);
        events_free(&said);
    }
}

static void exit__is_told_with_its_code(void **state) {
    (void)state;
    static const struct {
        const char *guest, *config;
        uint32_t code;
    } cases[] = {{"exit_0", "{}", 0},
                 {"exit_3", "{}", 3},
                 {"attacks.component", "{\"do\":\"exit_0\"}", 0},
                 {"attacks.component", "{\"do\":\"exit_1\"}", 1},
                 {"attacks.component", "{\"do\":\"exit_42\"}", 42},
                 {"attacks.component", "{\"do\":\"exit_of_libc\"}", 1}};
    reglet_runtime *runtime = new_runtime(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reglet_plugin *plugin = load_guest(runtime, cases[i].guest);
        reglet_result *result = observe_json(plugin, cases[i].config, 0);
        assert_int_equal(reglet_result_exit_code(result), cases[i].code);
        expect_plugin_error(result, REGLET_ERR_EXIT, "exit");
        reglet_plugin_unref(plugin);
    }
    reglet_runtime_free(runtime);
}

static void timestamp__of_the_plugin_is_kept_if_it_is_one(void **state) {
    (void)state;
    static const struct {
        const char *given, *found; /* NULL: the host's */
    } cases[] = {{"", NULL},
                 {"0001-01-01T00:00:00Z", NULL},
                 {"yesterday", NULL},
                 {"2026-02-30T12:00:00Z", NULL},
                 {"2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"},
                 {"2026-01-31T12:00:00.123456789+01:00", "2026-01-31T12:00:00.123456789+01:00"}};
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "attacks.component");
    char config[128];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(config, sizeof config, "{\"timestamp\":\"%s\"}", cases[i].given);
        reglet_result *result = observe_json(plugin, config, 0);
        char *found = json_member(reglet_result_json(result, NULL), "/evidence/timestamp");
        assert_non_null(found);
        if (cases[i].found)
            assert_string_equal(found, cases[i].found);
        else
            assert_true(strncmp(found, "20", 2) == 0 && strcmp(found, cases[i].given) != 0);
        free(found);
        reglet_result_free(result);
    }
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

/* The field's own version of the interface: no host, errors of a code and a message. */
static void first_version__has_each_case_of_its_types(void **state) {
    (void)state;
    reglet_runtime *runtime = new_runtime(NULL);
    reglet_plugin *plugin = load_guest(runtime, "first.component");
    const reglet_description *description = NULL;
    const reglet_schema *schema = NULL;
    static const char cases[] =
        "\"empty\":[],\"list\":[-9223372036854775808,1e+300,true,\"i\",[-1,0.25,false,\"s\"]],\"string\":\"a\\u0000b\","
        "\"int\":9223372036854775807,\"float\":0.1,\"whole\":2.0,\"bool\":true}";
    reglet_result *result = observe_json(
        plugin, "{\"do\":\"answer\",\"n\":8080,\"t\":true,\"l\":[1, {\"a\":null}],\"x\":null,\"s\":\"8080\"}",
        0);
    const char *json = reglet_result_json(result, NULL);
    char *data = json_member(json, "/evidence/data"), *expected = NULL;
    assert_true(
        asprintf(
            &expected,
            "{\"do\":\"answer\",\"n\":\"8080\",\"t\":\"true\",\"l\":\"[1,{\\\"a\\\":null}]\",\"s\":\"8080\",%s",
            cases) > 0);
    assert_string_equal(data, expected);
    expect_member(json, "/evidence/timestamp", "2026-01-31T12:00:00.123456789+01:00");
    expect_member(json, "/evidence/raw", "raw");
    expect_member(json, "/evidence/error", NULL);
    reglet_result_free(result);
    expect_evidence(observe_json(plugin, "{\"do\":\"fail\"}", 0),
                    "{\"status\":false,\"error\":{\"message\":\"failed\",\"type\":\"\",\"code\":\"E1\"}");
    expect_evidence(observe_json(plugin, "{\"do\":\"refuse\"}", 0), "\"message\":\"refused\"");
    expect_evidence(observe_json(plugin, NULL, 0), "\"status\":true");
    EXPECT(reglet_plugin_describe(plugin, NULL, &description, NULL), REGLET_OK, NULL);
    assert_string_equal(
        reglet_description_json(description),
        "{\"name\":\"first\",\"version\":\"0.1.0\",\"description\":\"The first\",\"capabilities\":[{\"kind\":"
        "\"fs\",\"pattern\":\"read:/etc/hosts\"}]}");
    EXPECT(reglet_plugin_schema(plugin, NULL, &schema, NULL), REGLET_OK, NULL);
    assert_int_equal(schema->field_count, 1);
    assert_string_equal(schema->fields[0].name, "do");
    reglet_description_free(description);
    reglet_schema_free(schema);
    free(data);
    free(expected);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config__values_of_each_type_arrive),
        cmocka_unit_test(config__that_makes_no_sense_is_complained_about),
        cmocka_unit_test(config__what_is_text_to_a_component_is_taken_by_the_fields_type),
        cmocka_unit_test(evidence__data_of_every_kind_is_the_same),
        cmocka_unit_test(evidence__raw_text_is_beside_data),
        cmocka_unit_test(evidence__beyond_its_limit_is_shortened),
        cmocka_unit_test(limits__end_a_call_the_same_way),
        cmocka_unit_test(cancel__ends_a_loop),
        cmocka_unit_test(describe__name_version_and_wishes),
        cmocka_unit_test(schema__fields_are_the_same),
        cmocka_unit_test(check_config__is_held_against_the_schema),
        cmocka_unit_test(inspect__tells_what_it_asks_of_the_host),
        cmocka_unit_test(log__events_are_the_same),
        cmocka_unit_test(host__what_is_granted_is_had),
        cmocka_unit_test(host__what_is_not_granted_is_refused_logged_and_audited),
        cmocka_unit_test(recording__answers_again_what_was_answered),
        cmocka_unit_test(output__comes_by_lines),
        cmocka_unit_test(exit__is_told_with_its_code),
        cmocka_unit_test(timestamp__of_the_plugin_is_kept_if_it_is_one),
        cmocka_unit_test(first_version__has_each_case_of_its_types),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
