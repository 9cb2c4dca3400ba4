/*
 * command.h - what a command is. Each command_*.c defines one.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "options.h"

struct command {
    const char *name;
    unsigned bit;          /* its bit in option_spec.commands */
    const char *synopsis;  /* after "reglet NAME [OPTION]... " */
    const char *summary;   /* one line for `reglet help` */
    const char *details;   /* paragraphs for `reglet NAME --help`, before the options */
    const char *example;   /* after them */
    const char *operand;   /* what the first operand is called, or NULL when there may be none */
    bool further_operands; /* whether more may follow */
    bool stops_at_operand; /* options end at the first operand: what follows belongs to a module */
    int (*run)(const struct options *options);
};

enum {
    COMMAND_DESCRIBE = 1,
    COMMAND_SCHEMA = 2,
    COMMAND_OBSERVE = 4,
    COMMAND_RUN = 8,
    COMMAND_VERSION = 16,
    COMMAND_HELP = 32,
    COMMAND_GRANTS = 64,
    COMMAND_BATCH = 128,
    COMMAND_INSPECT = 256,
    COMMAND_CACHE = 512,
    COMMAND_REDACT = 1024,
    COMMAND_WIT = 2048,
    COMMAND_NEW = 4096,
    /* All that call one plugin, and all that load modules. */
    COMMAND_PLUGINS = COMMAND_DESCRIBE | COMMAND_SCHEMA | COMMAND_INSPECT | COMMAND_GRANTS | COMMAND_OBSERVE,
    COMMAND_MODULES = COMMAND_PLUGINS | COMMAND_BATCH | COMMAND_RUN
};

extern const struct command command_describe, command_schema, command_inspect, command_grants,
    command_observe, command_batch, command_run, command_redact, command_cache, command_new, command_wit,
    command_version, command_help;

/* All of them, in the order of `reglet help`; NULL at the end. */
extern const struct command *const commands[];

/* NULL for an unknown name. */
const struct command *command_find(const char *name);

/* An unknown command, with a guess what was meant: one line on standard error; returns EXIT_BAD_USAGE. */
int command_unknown(const char *name);

/* What `reglet COMMAND --help` prints. */
void command_print_help(const struct command *command);

#endif
