#include "command.h"

#include <string.h>

const struct command *const commands[] = {&command_describe, &command_schema,
                                          &command_inspect,  &command_grants,
                                          &command_observe,  &command_batch,
                                          &command_run,      &command_redact,
                                          &command_cache,    &command_new,
                                          &command_wit,      &command_version,
                                          &command_help,     NULL};

const struct command *command_find(const char *name) {
    for (const struct command *const *command = commands; *command; command++)
        if (strcmp((*command)->name, name) == 0)
            return *command;
    return NULL;
}

int command_unknown(const char *name) {
    const char *names[16];
    size_t count = 0;
    for (; commands[count]; count++)
        names[count] = commands[count]->name;
    const char *meant = closest_word(name, names, count);
    if (meant)
        return bad_usage(NULL, "unknown command \"%s\", did you mean \"%s\"?", name, meant);
    return bad_usage(NULL, "unknown command \"%s\"", name);
}

static void print_overview(void) {
    fputs("Usage: reglet COMMAND [OPTION]... [ARGUMENT]...\n"
          "\n"
          "Runs plugins that you do not trust, under capabilities that you grant.\n"
          "\n"
          "Commands:\n",
          stdout);
    for (const struct command *const *command = commands; *command; command++)
        printf("  %-10s %s\n", (*command)->name, (*command)->summary);
    fputs("\n"
          "Example:\n"
          "  reglet observe file.wasm path=/etc/hosts --grant fs:read:/etc/hosts\n"
          "\n"
          "'reglet COMMAND --help' explains a command and its options.\n",
          stdout);
}

void command_print_help(const struct command *command) {
    if (command == &command_help) {
        print_overview();
        return;
    }
    printf("Usage: reglet %s [OPTION]... %s\n\n%s\nOptions:\n", command->name, command->synopsis,
           command->details);
    options_print_help(command, stdout);
    printf("\nExample:\n%s", command->example);
}

static int run(const struct options *options) {
    const struct command *command = &command_help;
    if (options->operands.count > 1)
        return bad_usage(&command_help, "\"%s\" is one argument too many", options->operands.items[1]);
    if (options->operands.count == 1) {
        command = command_find(options->operands.items[0]);
        if (!command)
            return command_unknown(options->operands.items[0]);
    }
    command_print_help(command);
    return EXIT_OK;
}

const struct command command_help = {
    .name = "help",
    .bit = COMMAND_HELP,
    .synopsis = "[COMMAND]",
    .summary = "this text, or a command's",
    .details = "",
    .example = "",
    .further_operands = true,
    .run = run,
};
