/* Does a file have a certain line? */
#include "reglet_host.h"

#include <string.h>

static void observe(plugin_value config, plugin_evidence *evidence) {
    const char *wanted = plugin_string(config, "line");
    plugin_content file = plugin_fs_read(plugin_string(config, "path"), 0, 0);
    if (file.error) {
        plugin_fail_call(evidence, file.error);
        return;
    }
    bool found = false;
    int lines = 0;
    for (const char *at = file.data; at < file.data + file.data_size; lines++) {
        size_t length = strcspn(at, "\n");
        found = found || (length == strlen(wanted) && memcmp(at, wanted, length) == 0);
        at += length + 1;
    }
    plugin_put_bool(evidence, "found", found);
    plugin_put_int(evidence, "lines", lines);
}

const plugin_info plugin = {
    .name = "@NAME@",
    .version = "0.1.0",
    .description = "Says whether a file has a certain line",
    .capabilities = (const plugin_capability[]){{"fs", "read:/etc/**"}, {0}},
    .fields =
        (const plugin_field[]){
            {.name = "path", .type = PLUGIN_STRING, .required = true, .description = "The file"},
            {.name = "line", .type = PLUGIN_STRING, .required = true, .description = "What to look for"},
            {0}},
    .observe = observe,
};
