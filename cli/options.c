#define _GNU_SOURCE
#include "options.h"

#include "command.h"

#include <getopt.h>
#include <string.h>
#include <unistd.h>

enum option_id {
    OPT_NAME = 256, /* beyond every character, which getopt_long uses for short options */
    OPT_GRANT,
    OPT_CONFIG,
    OPT_CA_FILE,
    OPT_NAMESERVER,
    OPT_TIMEOUT,
    OPT_MEMORY_LIMIT,
    OPT_FRESH_INIT,
    OPT_COMPILER,
    OPT_CACHE_DIR,
    OPT_NO_CACHE,
    OPT_OLDER_THAN,
    OPT_MAX_SIZE,
    OPT_FORMAT,
    OPT_VALUES,
    OPT_CHECK,
    OPT_RECORD,
    OPT_RECORD_SECRETS,
    OPT_REPLAY,
    OPT_AUDIT,
    OPT_EXPLAIN,
    OPT_LEARN,
    OPT_ASK,
    OPT_SUGGEST,
    OPT_ENV,
    OPT_DIR,
    OPT_JOBS,
    OPT_ORDERED,
    OPT_PATTERN,
    OPT_PATH,
    OPT_SECRET_ENV,
    OPT_SECRET_FILE,
    OPT_RULES_FILE,
    OPT_LIST_RULES,
    OPT_JSON,
    OPT_METRICS,
    OPT_LOG_FORMAT,
    OPT_LANG,
    OPT_QUIET,
    OPT_VERBOSE,
    OPT_HELP,
    OPT_VERSION
};

static const struct option_spec {
    enum option_id id;
    const char *name;
    char letter; /* or 0 */
    const char *argument;
    unsigned commands;
    const char *help; /* lines of at most 50 columns */
} specs[] = {
    {OPT_GRANT, "grant", 0, "CAPABILITY", COMMAND_MODULES,
     "let it reach this, such as fs:read:/etc/hosts;\nmay be given again"},
    {OPT_VALUES, "values", 0, "FILE", COMMAND_OBSERVE,
     "a JSON object with values for the config, - for\nstandard input; KEY=VALUE wins over it"},
    {OPT_CHECK, "check", 0, NULL, COMMAND_OBSERVE | COMMAND_BATCH,
     "check the config against the schema first"},
    {OPT_RECORD, "record", 0, "FILE", COMMAND_OBSERVE,
     "keep what it asks of the host, and the answers, with\nsecrets replaced"},
    {OPT_RECORD_SECRETS, "record-secrets", 0, NULL, COMMAND_OBSERVE, "keep secrets in it as they are"},
    {OPT_REPLAY, "replay", 0, "FILE", COMMAND_OBSERVE,
     "answer from such a file, and touch nothing; without\nKEY=VALUE it has the recorded config"},
    {OPT_AUDIT, "audit", 0, "FILE", COMMAND_MODULES,
     "add a line of JSON to FILE for every decision on what\nit asked for"},
    {OPT_EXPLAIN, "explain", 0, NULL, COMMAND_OBSERVE,
     "after the result, a table of what it asked for and\ngot, on standard error"},
    {OPT_LEARN, "learn", 0, NULL, COMMAND_OBSERVE,
     "instead of the evidence, print the lines for the\nconfiguration file that would allow what was refused"},
    {OPT_JOBS, "jobs", 'j', "N", COMMAND_BATCH,
     "lines to run at once, 1 to 1024 (default: as many as\nthere are processors)"},
    {OPT_ORDERED, "ordered", 0, NULL, COMMAND_BATCH, "results in the order of the input"},
    {OPT_ASK, "ask", 0, "REQUEST", COMMAND_GRANTS,
     "say what would be decided on this, such as\nnetwork:outbound:example.org:443; may be given\nagain"},
    {OPT_SUGGEST, "suggest", 0, NULL, COMMAND_GRANTS,
     "print the lines for the configuration file that\nwould grant what is missing"},
    {OPT_ENV, "env", 0, "NAME=VALUE", COMMAND_RUN, "set a variable for it; may be given again"},
    {OPT_DIR, "dir", 0, "HOST[:GUEST]", COMMAND_RUN,
     "let it read and write below the directory HOST,\nwhich it sees as GUEST; may be given again"},
    {OPT_PATTERN, "pattern", 0, "REGEX", COMMAND_REDACT,
     "replace what this regular expression matches, or its\nfirst group; may be given again"},
    {OPT_PATH, "path", 0, "PATH", COMMAND_REDACT,
     "with --json: replace what stands under this path,\nsuch as password or db.credentials.*; may be given\nagain"},
    {OPT_SECRET_ENV, "secret-env", 0, "NAME", COMMAND_REDACT,
     "replace the value of this variable; may be given\nagain"},
    {OPT_SECRET_FILE, "secret-file", 0, "FILE", COMMAND_REDACT,
     "replace what is in this file, without the newline at\nits end; may be given again"},
    {OPT_RULES_FILE, "rules-file", 0, "FILE", COMMAND_REDACT,
     "take rules of a file in gitleaks' format besides, not\nthose of the file that the configuration names"},
    {OPT_JSON, "json", 0, NULL, COMMAND_REDACT,
     "the input is JSON, one value or one on each line, and\nso is the output; paths apply as well"},
    {OPT_LIST_RULES, "list-rules", 0, NULL, COMMAND_REDACT, "print the identifiers of all rules, and end"},
    {OPT_NAME, "name", 0, "NAME", COMMAND_MODULES & ~COMMAND_BATCH,
     "its name for grants and logs (default: the file's\nname without extension)"},
    {OPT_CONFIG, "config", 0, "FILE", COMMAND_MODULES | COMMAND_REDACT,
     "this configuration file (default: reglet/config.yaml\nin $XDG_CONFIG_HOME, or else "
     "~/.reglet/config.yaml)"},
    {OPT_CA_FILE, "ca-file", 0, "FILE", COMMAND_MODULES,
     "verify TLS servers against these certificates (PEM),\nnot the system's"},
    {OPT_NAMESERVER, "nameserver", 0, "ADDRESS:PORT", COMMAND_MODULES,
     "ask this resolver, not the system's; may be given\nagain"},
    {OPT_TIMEOUT, "timeout", 0, "DURATION", COMMAND_MODULES, "stop it after 500ms, 5s, 2m, 1h"},
    {OPT_MEMORY_LIMIT, "memory-limit", 0, "MIB", COMMAND_MODULES,
     "its memory in MiB, 1 to 4096; -1: unlimited\n(default: 256)"},
    {OPT_FRESH_INIT, "fresh-init", 0, NULL, COMMAND_PLUGINS | COMMAND_BATCH,
     "have every call initialise the plugin, none start\nfrom an image of what that left"},
    {OPT_COMPILER, "compiler", 0, "COMPILER", COMMAND_MODULES,
     "fast (to compile), optimizing, or auto: the fast one\nfor the first answer, then the other (default: auto)"},
    {OPT_CACHE_DIR, "cache-dir", 0, "DIR", COMMAND_MODULES | COMMAND_CACHE,
     "keep compiled code here (default: reglet in\n$XDG_CACHE_HOME, or else in ~/.cache)"},
    {OPT_NO_CACHE, "no-cache", 0, NULL, COMMAND_MODULES,
     "compile anew; neither look for compiled code nor\nkeep it"},
    {OPT_OLDER_THAN, "older-than", 0, "DURATION", COMMAND_CACHE, "prune: what was not used for so long"},
    {OPT_MAX_SIZE, "max-size", 0, "SIZE", COMMAND_CACHE,
     "prune: what was used least recently, until at most\nso many bytes are left, such as 500M (default: 2G)"},
    {OPT_FORMAT, "format", 0, "json|table",
     COMMAND_PLUGINS | COMMAND_CACHE | COMMAND_REDACT | COMMAND_VERSION,
     "how to print (default: table on a terminal, json\notherwise; schema: as it is; version: table)"},
    {OPT_METRICS, "metrics", 0, "FILE", COMMAND_BATCH,
     "at the end, replace this file by what was counted,\nin Prometheus' text format"},
    {OPT_LOG_FORMAT, "log-format", 0, "json|text", COMMAND_MODULES,
     "how messages on standard error are written\n(default: text)"},
    {OPT_LANG, "lang", 0, "LANGUAGE", COMMAND_NEW, "c, go, js or python"},
    {OPT_QUIET, "quiet", 'q', NULL, COMMAND_MODULES | COMMAND_REDACT, "only results and errors"},
    {OPT_VERBOSE, "verbose", 'v', NULL, COMMAND_MODULES | COMMAND_REDACT,
     "debug messages too; redact: in the end, what was\nreplaced"},
    {OPT_HELP, "help", 'h', NULL, ~0u, "this text"},
    {OPT_VERSION, "version", 'V', NULL, COMMAND_VERSION, "the same as the command"},
};

int bad_usage(const struct command *command, const char *format, ...) {
    va_list args;
    va_start(args, format);
    _cleanup_free_ char *text = format_text_va(format, args);
    va_end(args);
    const char *name = command ? command->name : NULL;
    complain(name, "%s; see 'reglet%s%s --help'", text, name ? " " : "", name ? name : "");
    return EXIT_BAD_USAGE;
}

/* ---- values of options ---- */

static int set_grant(struct options *options, const char *value) {
    _cleanup_error_ reglet_error *error = NULL;
    if (reglet_capability_check(value, &error) != REGLET_OK)
        return bad_usage(options->command, "--grant %s: %s", value, reglet_error_message(error));
    string_list_add(&options->grants, copy_text(value, strlen(value)));
    return EXIT_OK;
}

static int set_timeout(struct options *options, const char *value) {
    if (!parse_duration(value, &options->timeout_ms))
        return bad_usage(options->command, "--timeout should be " DURATION_FORM ", not \"%s\"", value);
    return EXIT_OK;
}

static int set_memory_limit(struct options *options, const char *value) {
    int64_t mib;
    if (!parse_integer(value, &mib) || mib < -1 || mib > 4096)
        return bad_usage(
            options->command,
            "--memory-limit should be 1 to 4096 (MiB), 0 (the default, 256) or -1 (unlimited), not "
            "\"%s\"",
            value);
    options->memory_limit_given = true;
    options->memory_limit_mib = mib;
    return EXIT_OK;
}

static int set_compiler(struct options *options, const char *value) {
    static const char *const names[] = {[REGLET_COMPILER_AUTO] = "auto",
                                        [REGLET_COMPILER_FAST] = "fast",
                                        [REGLET_COMPILER_OPTIMIZING] = "optimizing"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(value, names[i]) == 0) {
            options->compiler = (reglet_compiler)i;
            return EXIT_OK;
        }
    }
    return bad_usage(options->command, "--compiler should be auto, fast or optimizing, not \"%s\"", value);
}

static int set_cache_dir(struct options *options, const char *value) {
    if (*value == '\0')
        return bad_usage(options->command, "--cache-dir should be a directory, not \"\"");
    options->cache_dir = value;
    return EXIT_OK;
}

static int set_older_than(struct options *options, const char *value) {
    if (!parse_duration(value, &options->older_than_ms))
        return bad_usage(options->command, "--older-than should be " DURATION_FORM ", not \"%s\"", value);
    return EXIT_OK;
}

static int set_max_size(struct options *options, const char *value) {
    if (!parse_size(value, &options->max_size))
        return bad_usage(options->command, "--max-size should be " SIZE_FORM ", not \"%s\"", value);
    return EXIT_OK;
}

static int set_jobs(struct options *options, const char *value) {
    if (!parse_integer(value, &options->jobs) || options->jobs < 1 || options->jobs > MAX_JOBS)
        return bad_usage(options->command, "--jobs should be 1 to %d, not \"%s\"", MAX_JOBS, value);
    return EXIT_OK;
}

static int set_format(struct options *options, const char *value) {
    if (strcmp(value, "json") == 0)
        options->format = FORMAT_JSON;
    else if (strcmp(value, "table") == 0)
        options->format = FORMAT_TABLE;
    else
        return bad_usage(options->command, "--format should be json or table, not \"%s\"", value);
    return EXIT_OK;
}

static int set_log_format(const struct options *options, const char *value) {
    bool json = strcmp(value, "json") == 0;
    if (!json && strcmp(value, "text") != 0)
        return bad_usage(options->command, "--log-format should be json or text, not \"%s\"", value);
    log_set_json(json);
    return EXIT_OK;
}

static int set_env(struct options *options, const char *value) {
    const char *equals = strchr(value, '=');
    if (!equals || equals == value)
        return bad_usage(options->command, "--env should be NAME=VALUE, not \"%s\"", value);
    string_list_add(&options->env, copy_text(value, strlen(value)));
    return EXIT_OK;
}

static int set_dir(struct options *options, const char *value) {
    const char *colon = strrchr(value, ':');
    if (*value == '\0' || colon == value || (colon && colon[1] == '\0'))
        return bad_usage(options->command, "--dir should be HOST or HOST:GUEST, not \"%s\"", value);
    string_list_add(&options->dirs, copy_text(value, strlen(value)));
    return EXIT_OK;
}

static int set_option(struct options *options, enum option_id id, const char *value) {
    switch (id) {
    case OPT_NAME: options->name = value; break;
    case OPT_CONFIG: options->config_path = value; break;
    case OPT_GRANT: return set_grant(options, value);
    case OPT_CA_FILE: options->ca_file = value; break;
    case OPT_NAMESERVER: string_list_add(&options->nameservers, copy_text(value, strlen(value))); break;
    case OPT_TIMEOUT: return set_timeout(options, value);
    case OPT_MEMORY_LIMIT: return set_memory_limit(options, value);
    case OPT_FRESH_INIT: options->fresh_init = true; break;
    case OPT_COMPILER: return set_compiler(options, value);
    case OPT_CACHE_DIR: return set_cache_dir(options, value);
    case OPT_NO_CACHE: options->no_cache = true; break;
    case OPT_OLDER_THAN: return set_older_than(options, value);
    case OPT_MAX_SIZE: return set_max_size(options, value);
    case OPT_FORMAT: return set_format(options, value);
    case OPT_VALUES: string_list_add(&options->values, copy_text(value, strlen(value))); break;
    case OPT_CHECK: options->check = true; break;
    case OPT_RECORD: options->record_path = value; break;
    case OPT_RECORD_SECRETS: options->record_secrets = true; break;
    case OPT_REPLAY: options->replay_path = value; break;
    case OPT_AUDIT: options->audit_path = value; break;
    case OPT_EXPLAIN: options->explain = true; break;
    case OPT_LEARN: options->learn = true; break;
    case OPT_ASK: string_list_add(&options->asks, copy_text(value, strlen(value))); break;
    case OPT_SUGGEST: options->suggest = true; break;
    case OPT_ENV: return set_env(options, value);
    case OPT_DIR: return set_dir(options, value);
    case OPT_JOBS: return set_jobs(options, value);
    case OPT_ORDERED: options->ordered = true; break;
    case OPT_PATTERN: string_list_add(&options->patterns, copy_text(value, strlen(value))); break;
    case OPT_PATH: string_list_add(&options->paths, copy_text(value, strlen(value))); break;
    case OPT_SECRET_ENV: string_list_add(&options->secret_variables, copy_text(value, strlen(value))); break;
    case OPT_SECRET_FILE: string_list_add(&options->secret_files, copy_text(value, strlen(value))); break;
    case OPT_RULES_FILE: options->rules_file = value; break;
    case OPT_LIST_RULES: options->list_rules = true; break;
    case OPT_JSON: options->json = true; break;
    case OPT_METRICS: options->metrics_path = value; break;
    case OPT_LOG_FORMAT:
        options->logs_json = strcmp(value, "json") == 0;
        return set_log_format(options, value);
    case OPT_LANG: options->language = value; break;
    case OPT_QUIET: options->verbosity = QUIET; break;
    case OPT_VERBOSE: options->verbosity = VERBOSE; break;
    case OPT_HELP: options->help = true; break;
    case OPT_VERSION: options->command = options->command ? options->command : &command_version; break;
    }
    return EXIT_OK;
}

/* ---- the command line ---- */

static const struct option_spec *find_spec(int id) {
    for (size_t i = 0; i < ARRAY_LEN(specs); i++)
        if ((int)specs[i].id == id || (specs[i].letter && specs[i].letter == id))
            return &specs[i];
    return NULL;
}

/* The first operand is the command. Returns whether options may still follow. */
static bool take_operand(struct options *options, const char *word, int *result) {
    if (!options->command) {
        options->command = command_find(word);
        if (!options->command)
            *result = command_unknown(word);
        return true;
    }
    string_list_add(&options->operands, copy_text(word, strlen(word)));
    return !options->command->stops_at_operand;
}

static int refuse_option(const struct options *options, int problem, char **argv) {
    const struct option_spec *spec = find_spec(optopt);
    const char *word = argv[optind - 1];
    if (!spec && optopt)
        return bad_usage(options->command, "unknown option -%c", optopt);
    if (!spec)
        return bad_usage(options->command, "unknown option %.*s", (int)strcspn(word, "="), word);
    if (problem == ':')
        return bad_usage(options->command, "--%s needs a value: --%s %s", spec->name, spec->name,
                         spec->argument);
    return bad_usage(options->command, "--%s takes no value", spec->name);
}

static int check_commands(const struct options *options, uint64_t seen) {
    for (size_t i = 0; i < ARRAY_LEN(specs); i++)
        if ((seen & UINT64_C(1) << i) && !(specs[i].commands & options->command->bit))
            return bad_usage(options->command, "unknown option --%s", specs[i].name);
    return EXIT_OK;
}

static int check_recording(const struct options *options) {
    if (options->record_path && options->replay_path)
        return bad_usage(options->command, "--record and --replay do not go together");
    if (options->record_secrets && !options->record_path)
        return bad_usage(options->command, "--record-secrets goes with --record");
    if ((options->record_path && !*options->record_path) || (options->replay_path && !*options->replay_path))
        return bad_usage(options->command, "--record and --replay should be a file, not \"\"");
    return EXIT_OK;
}

static int check_together(const struct options *options) {
    if (options->suggest && options->asks.count > 0)
        return bad_usage(options->command, "--suggest and --ask do not go together");
    if (options->suggest && options->format != FORMAT_DEFAULT)
        return bad_usage(options->command, "--suggest prints YAML; --format does not go with it");
    if (options->explain && options->logs_json)
        return bad_usage(options->command, "--explain prints a table; --log-format json does not go with it");
    if (options->learn && options->format != FORMAT_DEFAULT)
        return bad_usage(options->command, "--learn prints YAML; --format does not go with it");
    if (options->audit_path && !*options->audit_path)
        return bad_usage(options->command, "--audit should be a file, not \"\"");
    if (options->no_cache && options->cache_dir)
        return bad_usage(options->command, "--no-cache and --cache-dir do not go together");
    if (options->list_rules && (options->json || options->operands.count > 0))
        return bad_usage(options->command, "--list-rules reads nothing: neither files nor --json go with it");
    if (options->command->bit == COMMAND_REDACT && options->format != FORMAT_DEFAULT && !options->list_rules)
        return bad_usage(options->command, "--format is for --list-rules");
    if (options->paths.count > 0 && !options->json)
        return bad_usage(options->command, "--path needs --json: only JSON has paths");
    return EXIT_OK;
}

static int check_operands(const struct options *options) {
    const struct command *command = options->command;
    size_t count = options->operands.count,
           most = command->further_operands ? SIZE_MAX : command->operand != NULL;
    if (options->help)
        return EXIT_OK;
    if (count == 0 && command->operand)
        return bad_usage(command, "%s is missing", command->operand);
    if (count > most)
        return bad_usage(command, "\"%s\" is one argument too many", options->operands.items[most]);
    return EXIT_OK;
}

/*
 * The leading "-" makes getopt_long hand out operands in their place, as 1: nothing is moved, whatever
 * POSIXLY_CORRECT says, and `run` can stop at its module. ":" tells a missing value from an unknown option.
 */
static int parse_words(int argc, char **argv, struct options *options, uint64_t *seen) {
    struct option table[ARRAY_LEN(specs) + 1] = {{0}};
    for (size_t i = 0; i < ARRAY_LEN(specs); i++)
        table[i] = (struct option){specs[i].name, specs[i].argument ? required_argument : no_argument, NULL,
                                   (int)specs[i].id};
    int result = EXIT_OK, id;
    bool options_may_follow = true;
    opterr = 0;
    while (result == EXIT_OK && options_may_follow &&
           (id = getopt_long(argc, argv, "-:j:qvhV", table, NULL)) != -1) {
        const struct option_spec *spec = find_spec(id);
        if (id == 1) {
            options_may_follow = take_operand(options, optarg, &result);
        } else if (!spec) {
            result = refuse_option(options, id, argv);
        } else {
            *seen |= UINT64_C(1) << (spec - specs);
            result = set_option(options, spec->id, optarg);
        }
    }
    for (int i = optind; result == EXIT_OK && i < argc; i++)
        take_operand(options, argv[i], &result);
    return result;
}

int options_parse(int argc, char **argv, struct options *out) {
    *out = (struct options){.verbosity = NORMAL};
    uint64_t seen = 0;
    int result = parse_words(argc, argv, out, &seen);
    if (result != EXIT_OK)
        return result;
    if (!out->command && out->help)
        out->command = &command_help;
    if (!out->command)
        return bad_usage(NULL, "a command is missing");
    result = check_commands(out, seen);
    if (result == EXIT_OK)
        result = check_together(out);
    if (result == EXIT_OK)
        result = check_recording(out);
    return result == EXIT_OK ? check_operands(out) : result;
}

void options_clear(struct options *options) {
    string_list_clear(&options->grants);
    string_list_clear(&options->nameservers);
    string_list_clear(&options->asks);
    string_list_clear(&options->values);
    string_list_clear(&options->env);
    string_list_clear(&options->dirs);
    string_list_clear(&options->patterns);
    string_list_clear(&options->paths);
    string_list_clear(&options->secret_variables);
    string_list_clear(&options->secret_files);
    string_list_clear(&options->operands);
}

enum format options_format(const struct options *options) {
    if (options->format != FORMAT_DEFAULT)
        return options->format;
    return isatty(STDOUT_FILENO) ? FORMAT_TABLE : FORMAT_JSON;
}

/* ---- help ---- */

static void print_option(const struct option_spec *spec, FILE *out) {
    enum { COLUMN = 27 };
    int width = spec->letter ? fprintf(out, "  -%c, --%s", spec->letter, spec->name)
                             : fprintf(out, "      --%s", spec->name);
    if (spec->argument)
        width += fprintf(out, " %s", spec->argument);
    if (width >= COLUMN) {
        putc('\n', out);
        width = 0;
    }
    fprintf(out, "%*s", COLUMN - width, "");
    for (const char *c = spec->help; *c; c++) {
        putc(*c, out);
        if (*c == '\n')
            fprintf(out, "%*s", COLUMN, "");
    }
    putc('\n', out);
}

void options_print_help(const struct command *command, FILE *out) {
    for (size_t i = 0; i < ARRAY_LEN(specs); i++)
        if (specs[i].commands & command->bit)
            print_option(&specs[i], out);
}
