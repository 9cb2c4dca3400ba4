/*
 * consumer.c - what a program that embeds the library does, in the common subset of C11 and C++17: load a
 * plugin, observe a file that is granted, and be refused one that is not.
 */
#include <reglet.h>

#include <stdio.h>
#include <string.h>

static int fail(const char *what, reglet_error *err) {
    fprintf(stderr, "consumer: %s: %s\n", what, reglet_error_message(err));
    reglet_error_free(err);
    return 1;
}

static int observe(reglet_plugin *plugin, const char *path, bool expected) {
    reglet_config *config = NULL;
    reglet_result *result = NULL;
    reglet_error *err = NULL;

    if (reglet_config_new(&config, &err) || reglet_config_set_string(config, "path", path, &err))
        return fail("config", err);
    if (reglet_plugin_observe(plugin, config, NULL, &result, &err))
        return fail("observe", err);

    const reglet_evidence *evidence = reglet_result_evidence(result);
    int failed = !evidence || reglet_evidence_status(evidence) != expected;
    printf("%s: %s\n", path, reglet_result_json(result, NULL));
    reglet_result_free(result);
    reglet_config_free(config);
    return failed;
}

int main(int argc, char **argv) {
    if (argc != 2 || strcmp(reglet_version(), REGLET_VERSION_STRING) != 0) {
        fprintf(stderr, "usage: consumer file.wasm, with the library that its headers are of\n");
        return 2;
    }
    reglet_grant grant = {"file", "fs:read:/etc/hosts"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = &grant;
    options.grant_count = 1;

    reglet_runtime *runtime = NULL;
    reglet_plugin *plugin = NULL;
    reglet_error *err = NULL;
    if (reglet_runtime_new(&options, &runtime, &err))
        return fail("runtime", err);
    if (reglet_runtime_load_plugin_file(runtime, "file", argv[1], NULL, &plugin, &err))
        return fail("load", err);
    int failed = observe(plugin, "/etc/hosts", true) | observe(plugin, "/etc/shadow", false);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    return failed;
}
