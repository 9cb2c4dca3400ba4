/* Observes /etc/hosts with the file plugin, under a grant for that file alone. */
#include <reglet.h>
#include <stdio.h>

int main(int argc, char **argv) {
    const reglet_grant grant = {"file", "fs:read:/etc/hosts"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = &grant;
    options.grant_count = 1;

    reglet_runtime *runtime = NULL;
    reglet_plugin *plugin = NULL;
    reglet_config *config = NULL;
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    if (reglet_runtime_new(&options, &runtime, &error) ||
        reglet_runtime_load_plugin_file(runtime, "file", argc > 1 ? argv[1] : "file.wasm", NULL, &plugin,
                                        &error) ||
        reglet_config_new(&config, &error) ||
        reglet_config_set_string(config, "path", "/etc/hosts", &error) ||
        reglet_plugin_observe(plugin, config, NULL, &result, &error))
        fprintf(stderr, "%s\n", reglet_error_message(error));
    else
        puts(reglet_result_json(result, NULL));

    int failed = result == NULL;
    reglet_error_free(error);
    reglet_result_free(result);
    reglet_config_free(config);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    return failed;
}
