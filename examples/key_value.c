/*
 * Gives plugins a key-value store of the program's own, under kv:read: and kv:write: grants.
 *
 * A store needs three things: what a request asks for (so that the policy can decide), how it is served once it is allowed,
 * and how the store goes when the runtime does. Nothing here checks permissions: a request that was denied never arrives.
 */
#include <json-c/json.h>
#include <pthread.h>
#include <reglet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Shared by both functions, and so counted. Calls come from any thread. */
struct store {
    pthread_mutex_t lock;
    struct json_object *values;
    int users;
};

static void store_unref(void *user_data) {
    struct store *store = user_data;
    if (--store->users > 0) /* a runtime frees its functions one after another */
        return;
    json_object_put(store->values);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

/* The request as JSON; NULL after an error was answered. */
static struct json_object *parse(reglet_host_call *call) {
    struct json_object *request = json_tokener_parse(reglet_host_call_request(call, NULL));
    struct json_object *key = NULL;
    if (json_object_object_get_ex(request, "key", &key) && json_object_is_type(key, json_type_string))
        return request;
    json_object_put(request);
    reglet_host_call_fail(call, "validation", "EINVAL", "key must be a string");
    return NULL;
}

static const char *text(struct json_object *request, const char *member) {
    struct json_object *value = NULL;
    json_object_object_get_ex(request, member, &value);
    return json_object_get_string(value);
}

/* "read:a" or "write:a": with the function's kind, a capability that asks for one thing. */
static reglet_status ask_for(reglet_host_call *call, const char *verb) {
    struct json_object *request = parse(call);
    if (!request)
        return REGLET_OK;
    char what[1024];
    int size = snprintf(what, sizeof what, "%s:%s", verb, text(request, "key"));
    reglet_status status = (size_t)size < sizeof what
                               ? reglet_host_call_ask(call, what)
                               : reglet_host_call_fail(call, "validation", "EINVAL", "key is too long");
    json_object_put(request);
    return status;
}

static reglet_status ask_to_read(void *user_data, reglet_host_call *call) {
    (void)user_data;
    return ask_for(call, "read");
}

static reglet_status ask_to_write(void *user_data, reglet_host_call *call) {
    (void)user_data;
    return ask_for(call, "write");
}

static reglet_status respond(reglet_host_call *call, struct json_object *answer) {
    const char *json = json_object_to_json_string(answer);
    reglet_status status = reglet_host_call_respond(call, json, strlen(json));
    json_object_put(answer);
    return status;
}

/* {key} -> {found, value} */
static reglet_status get(void *user_data, reglet_host_call *call) {
    struct store *store = user_data;
    struct json_object *request = parse(call), *value = NULL, *answer = json_object_new_object();
    pthread_mutex_lock(&store->lock);
    bool found = json_object_object_get_ex(store->values, text(request, "key"), &value);
    json_object_object_add(answer, "found", json_object_new_boolean(found));
    if (found)
        json_object_object_add(answer, "value", json_object_new_string(json_object_get_string(value)));
    pthread_mutex_unlock(&store->lock);
    json_object_put(request);
    return respond(call, answer);
}

/* {key, value} -> {} */
static reglet_status set(void *user_data, reglet_host_call *call) {
    struct store *store = user_data;
    struct json_object *request = parse(call);
    const char *value = text(request, "value");
    pthread_mutex_lock(&store->lock);
    json_object_object_add(store->values, text(request, "key"), json_object_new_string(value ? value : ""));
    pthread_mutex_unlock(&store->lock);
    json_object_put(request);
    return respond(call, json_object_new_object());
}

static struct store *store_new(void) {
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return NULL;
    pthread_mutex_init(&store->lock, NULL);
    store->values = json_object_new_object();
    store->users = 2;
    json_object_object_add(store->values, "settings/color", json_object_new_string("green"));
    json_object_object_add(store->values, "secrets/token", json_object_new_string("hunter2"));
    return store;
}

static void observe(reglet_plugin *plugin, const char *key) {
    reglet_config *config = NULL;
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    if (reglet_config_new(&config, &error) || reglet_config_set_string(config, "key", key, &error) ||
        reglet_plugin_observe(plugin, config, NULL, &result, &error))
        fprintf(stderr, "%s\n", reglet_error_message(error));
    else
        puts(reglet_result_json(result, NULL));
    reglet_error_free(error);
    reglet_result_free(result);
    reglet_config_free(config);
}

int main(int argc, char **argv) {
    struct store *store = store_new();
    if (!store)
        return 1;
    reglet_host_function functions[2] = {REGLET_HOST_FUNCTION_INIT, REGLET_HOST_FUNCTION_INIT};
    functions[0].name = "kv_get";
    functions[0].kind = "kv";
    functions[0].ask = ask_to_read;
    functions[0].serve = get;
    functions[0].user_data = store;
    functions[0].free_user_data = store_unref;
    functions[1] = functions[0];
    functions[1].name = "kv_set";
    functions[1].ask = ask_to_write;
    functions[1].serve = set;

    const reglet_grant grants[] = {{"settings", "kv:read:settings/*"}, {"settings", "kv:write:seen/**"}};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = grants;
    options.grant_count = 2;
    options.host_functions = functions;
    options.host_function_count = 2;

    reglet_runtime *runtime = NULL;
    reglet_plugin *plugin = NULL;
    reglet_error *error = NULL;
    bool loaded = !reglet_runtime_new(&options, &runtime, &error) &&
                  !reglet_runtime_load_plugin_file(runtime, "settings", argc > 1 ? argv[1] : "settings.wasm",
                                                   NULL, &plugin, &error);
    if (loaded) {
        observe(plugin, "settings/color");
        observe(plugin,
                "secrets/token"); /* denied: the grant that would allow it is in the evidence's error */
    } else {
        fprintf(stderr, "%s\n", reglet_error_message(error));
    }
    reglet_error_free(error);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    return !loaded;
}
