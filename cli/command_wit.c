#include "command.h"
#include "util.h"
#include "wit.h"

#include <string.h>

static const struct {
    const char *version;
    const char *const *lines; /* NULL at the end */
} interfaces[] = {{"1.1.0", wit_1_1_0}, {"1.0.0", wit_1_0_0}};

static int run(const struct options *options) {
    if (options->operands.count > 1)
        return bad_usage(options->command, "\"%s\" is one argument too many", options->operands.items[1]);
    const char *wanted = options->operands.count > 0 ? options->operands.items[0] : interfaces[0].version;
    for (size_t i = 0; i < ARRAY_LEN(interfaces); i++) {
        if (strcmp(interfaces[i].version, wanted) != 0)
            continue;
        for (const char *const *line = interfaces[i].lines; *line; line++)
            fputs(*line, stdout);
        return EXIT_OK;
    }
    return bad_usage(options->command, "there is no version \"%s\" of the interface; there are %s and %s",
                     wanted, interfaces[0].version, interfaces[1].version);
}

const struct command command_wit = {
    .name = "wit",
    .bit = COMMAND_WIT,
    .synopsis = "[VERSION]",
    .summary = "the interface of plugins that are components, in WIT",
    .details = "Prints the package reglet:plugin, which a component is built from: the world\n"
               "reglet-plugin, what it exports, and the functions of the host. VERSION is 1.1.0\n"
               "(the default) or 1.0.0, which has no functions of the host.\n",
    .example = "  reglet wit > wit/plugin.wit\n",
    .further_operands = true,
    .run = run,
};
