/*
 * options.h - the arguments of a command line. One table holds every option: parsing, `--help` and the check
 * which command takes it all read that table.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "log.h"
#include "util.h"

struct command;

enum { MAX_JOBS = 1024 };

enum format { FORMAT_DEFAULT, FORMAT_JSON, FORMAT_TABLE };

/* All strings are those of argv, or owned by the lists. */
struct options {
    const struct command *command;
    bool help;
    const char *name;
    const char *config_path;
    const char *ca_file;
    struct string_list nameservers;
    struct string_list grants;
    struct string_list asks; /* requests to decide on */
    bool suggest;
    struct string_list values; /* files, "-" for standard input */
    struct string_list env;    /* NAME=VALUE */
    struct string_list dirs;   /* HOST or HOST:GUEST */
    int64_t timeout_ms;        /* 0: not given */
    bool memory_limit_given;
    int64_t memory_limit_mib;
    bool fresh_init;
    reglet_compiler compiler;
    const char *cache_dir; /* NULL: the usual place */
    bool no_cache;
    int64_t older_than_ms; /* 0: not given, as max_size */
    int64_t max_size;      /* in bytes */
    enum format format;
    bool check;
    const char *record_path, *replay_path; /* of observe; NULL: neither */
    bool record_secrets;
    int64_t jobs; /* of batch; 0: not given */
    bool ordered;
    const char *audit_path;             /* NULL: no audit file */
    bool explain, learn;                /* of observe */
    bool logs_json;                     /* standard error has objects only */
    const char *metrics_path;           /* of batch; NULL: none is written */
    struct string_list patterns, paths; /* of redact, as the following */
    struct string_list secret_variables, secret_files;
    const char *rules_file;
    bool list_rules;
    bool json;
    const char *language; /* of new; NULL: not given */
    enum verbosity verbosity;
    struct string_list operands; /* for a command that stops at its first operand, everything after it too */
};

/*
 * Reads the command line: options anywhere, before or after the command and its operands. EXIT_OK, or
 * EXIT_BAD_USAGE after one line on standard error. Everything that can be judged without a file is judged
 * here.
 */
int options_parse(int argc, char **argv, struct options *out);
void options_clear(struct options *options);

/* `--format`, or else a table on a terminal and JSON otherwise. */
enum format options_format(const struct options *options);

/* The lines about options for `reglet COMMAND --help`. */
void options_print_help(const struct command *command, FILE *out);

/* One line on standard error that ends in a pointer to --help. Returns EXIT_BAD_USAGE. */
int bad_usage(const struct command *command, const char *format, ...) REGLET_PRINTF(2, 3);

#endif
