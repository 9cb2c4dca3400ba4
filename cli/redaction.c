#define _GNU_SOURCE
#include "redaction.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* What a pattern, path, file or variable was given by; `line` is 0 on the command line. */
struct source {
    const char *text;
    const char *file; /* or the option */
    size_t line, column;
};
struct sources {
    struct source *items;
    size_t count;
};

/* The bytes of files are this file's own and wiped; those of variables and of the configuration are borrowed. */
struct secrets {
    reglet_secret *items;
    size_t count;
    reglet_secret *owned;
    size_t owned_count;
};

/* Everything that a redactor is made of, each thing with its place. */
struct parts {
    struct sources patterns, paths, variables, files, local_secrets;
    struct source rules_file; /* text NULL: none */
    struct secrets secrets;
    const struct config_redaction *config;
};

static void add_source(struct sources *list, struct source source) {
    list->items = grow(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = source;
}

static void add_texts(struct sources *list, const struct config_texts *texts, const char *file) {
    for (size_t i = 0; i < texts->count; i++)
        add_source(list,
                   (struct source){texts->items[i].text, file, texts->items[i].line, texts->items[i].column});
}

static void add_options(struct sources *list, const struct string_list *values, const char *option) {
    for (size_t i = 0; i < values->count; i++)
        add_source(list, (struct source){.text = values->items[i], .file = option});
}

static void collect(struct parts *parts, const struct config_file *config, const struct options *options) {
    const struct config_redaction *redaction = &config->redaction;
    parts->config = redaction;
    add_texts(&parts->patterns, &redaction->patterns, config->path);
    add_texts(&parts->paths, &redaction->paths, config->path);
    add_texts(&parts->variables, &redaction->secret_variables, config->path);
    add_texts(&parts->files, &redaction->secret_files, config->path);
    add_texts(&parts->local_secrets, &redaction->local_secrets, config->path);
    add_options(&parts->patterns, &options->patterns, "--pattern");
    add_options(&parts->paths, &options->paths, "--path");
    add_options(&parts->variables, &options->secret_variables, "--secret-env");
    add_options(&parts->files, &options->secret_files, "--secret-file");
    if (options->rules_file)
        parts->rules_file = (struct source){.text = options->rules_file, .file = "--rules-file"};
    else if (redaction->rules_file.text)
        parts->rules_file = (struct source){redaction->rules_file.text, config->path,
                                            redaction->rules_file.line, redaction->rules_file.column};
}

static void clear_parts(struct parts *parts) {
    for (size_t i = 0; i < parts->secrets.owned_count; i++)
        free_secret((void *)parts->secrets.owned[i].bytes, parts->secrets.owned[i].size);
    free(parts->secrets.owned);
    free(parts->secrets.items);
    free(parts->patterns.items);
    free(parts->paths.items);
    free(parts->variables.items);
    free(parts->files.items);
    free(parts->local_secrets.items);
}

/* ---- what is wrong, and where ---- */

static int wrong(const struct source *source, char **message, const char *format, ...) REGLET_PRINTF(3, 4);
static int wrong(const struct source *source, char **message, const char *format, ...) {
    va_list args;
    va_start(args, format);
    _cleanup_free_ char *text = format_text_va(format, args);
    va_end(args);
    *message = source->line > 0
                   ? format_text("%s:%zu:%zu: %s", source->file, source->line, source->column, text)
                   : format_text("%s: %s", source->file, text);
    return EXIT_BAD_USAGE;
}

/* What the file names starts from where the file is; what the command line names, from here. */
static char *resolve(const struct source *source) {
    const char *slash = source->line > 0 ? strrchr(source->file, '/') : NULL;
    if (*source->text == '/' || !slash)
        return copy_text(source->text, strlen(source->text));
    return format_text("%.*s/%s", (int)(slash - source->file), source->file, source->text);
}

/* ---- known secrets ---- */

static void add_secret(struct secrets *secrets, const void *bytes, size_t size) {
    secrets->items = grow(secrets->items, secrets->count + 1, sizeof *secrets->items);
    secrets->items[secrets->count++] = (reglet_secret){bytes, size};
}

static int check_size(const struct source *source, const char *what, size_t size, char **message) {
    if (size >= CONFIG_LEAST_SECRET && size <= CONFIG_LONGEST_SECRET)
        return EXIT_OK;
    return wrong(source, message, "a secret should have %d to %d bytes; %s has %zu", CONFIG_LEAST_SECRET,
                 CONFIG_LONGEST_SECRET, what, size);
}

/* A secret that is not there is an error: nobody would notice that it is not replaced. */
static int add_variable(struct secrets *secrets, const struct source *source, char **message) {
    const char *value = getenv(source->text);
    if (!value)
        return wrong(source, message, "the variable %s, which should hold a secret, is not set",
                     source->text);
    _cleanup_free_ char *what = format_text("the variable %s", source->text);
    int code = check_size(source, what, strlen(value), message);
    if (code == EXIT_OK)
        add_secret(secrets, value, strlen(value));
    return code;
}

/* An editor ends the last line; the secret is what stands before that. */
static size_t without_newline(const char *text, size_t size) {
    size -= size > 0 && text[size - 1] == '\n';
    return size - (size > 0 && text[size - 1] == '\r');
}

static int add_bytes_of(struct secrets *secrets, const struct source *source, const char *path, int fd,
                        char **message) {
    char *text = NULL;
    size_t size;
    if (!read_all(fd, CONFIG_LONGEST_SECRET + 2, &text, &size)) {
        if (errno == EFBIG)
            return wrong(source, message, "a secret should have %d to %d bytes; %s has more",
                         CONFIG_LEAST_SECRET, CONFIG_LONGEST_SECRET, path);
        return wrong(source, message, "cannot read the secret in %s: %s", path, strerror(errno));
    }
    secrets->owned = grow(secrets->owned, secrets->owned_count + 1, sizeof *secrets->owned);
    secrets->owned[secrets->owned_count++] = (reglet_secret){text, size};
    size = without_newline(text, size);
    int code = check_size(source, path, size, message);
    if (code == EXIT_OK)
        add_secret(secrets, text, size);
    return code;
}

static int add_file(struct secrets *secrets, const struct source *source, char **message) {
    _cleanup_free_ char *path = resolve(source);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return wrong(source, message, "cannot open %s, which should hold a secret: %s", path,
                     strerror(errno));
    int code = add_bytes_of(secrets, source, path, fd, message);
    close(fd);
    return code;
}

static int find_secrets(struct parts *parts, char **message) {
    struct secrets *secrets = &parts->secrets;
    int code = EXIT_OK;
    for (size_t i = 0; i < parts->local_secrets.count; i++)
        add_secret(secrets, parts->local_secrets.items[i].text, strlen(parts->local_secrets.items[i].text));
    for (size_t i = 0; code == EXIT_OK && i < parts->variables.count; i++)
        code = add_variable(secrets, &parts->variables.items[i], message);
    for (size_t i = 0; code == EXIT_OK && i < parts->files.count; i++)
        code = add_file(secrets, &parts->files.items[i], message);
    return code;
}

/* ---- the redactor ---- */

/* False, with the message at its place, where the options cannot be had; they are one thing alone, to learn whose fault it is. */
static bool stands_alone(const reglet_redactor_options *alone, const struct source *source, char **message) {
    _cleanup_error_ reglet_error *error = NULL;
    reglet_redactor *redactor = NULL;
    if (reglet_redactor_new(alone, &redactor, &error) == REGLET_OK) {
        reglet_redactor_unref(redactor);
        return true;
    }
    wrong(source, message, "%s", reglet_error_message(error));
    return false;
}

/* The library names what is wrong by number; people look for it by line. */
static int blame(const struct parts *parts, const reglet_error *error, char **message) {
    bool ok = true;
    reglet_redactor_options alone = REGLET_REDACTOR_OPTIONS_INIT;
    alone.no_builtin_rules = true;
    alone.pattern_count = 1;
    for (size_t i = 0; ok && i < parts->patterns.count; i++) {
        alone.patterns = &parts->patterns.items[i].text;
        ok = stands_alone(&alone, &parts->patterns.items[i], message);
    }
    alone.pattern_count = 0;
    alone.path_count = 1;
    for (size_t i = 0; ok && i < parts->paths.count; i++) {
        alone.paths = &parts->paths.items[i].text;
        ok = stands_alone(&alone, &parts->paths.items[i], message);
    }
    alone.path_count = 0;
    _cleanup_free_ char *rules = parts->rules_file.text ? resolve(&parts->rules_file) : NULL;
    alone.rules_file = rules;
    if (ok && rules)
        ok = stands_alone(&alone, &parts->rules_file, message);
    if (!ok)
        return EXIT_BAD_USAGE;
    *message =
        format_text("%s [%s]", reglet_error_message(error), reglet_status_name(reglet_error_code(error)));
    return reglet_error_code(error) == REGLET_ERR_INVALID_ARGUMENT ? EXIT_BAD_USAGE : EXIT_FAILED;
}

static const char **texts_of(const struct sources *sources) {
    const char **texts = allocate(sources->count * sizeof *texts);
    for (size_t i = 0; i < sources->count; i++)
        texts[i] = sources->items[i].text;
    return texts;
}

static int make(const struct parts *parts, reglet_redactor **out, char **message) {
    _cleanup_error_ reglet_error *error = NULL;
    _cleanup_free_ const char **patterns = texts_of(&parts->patterns);
    _cleanup_free_ const char **paths = texts_of(&parts->paths);
    _cleanup_free_ char *rules = parts->rules_file.text ? resolve(&parts->rules_file) : NULL;
    reglet_redactor_options options = REGLET_REDACTOR_OPTIONS_INIT;
    options.patterns = patterns;
    options.pattern_count = parts->patterns.count;
    options.paths = paths;
    options.path_count = parts->paths.count;
    options.secrets = parts->secrets.items;
    options.secret_count = parts->secrets.count;
    options.rules_file = rules;
    options.no_builtin_rules = parts->config->no_builtin_rules;
    if (parts->config->hashes) {
        options.hash_salt = parts->config->salt.text;
        options.hash_salt_size = strlen(parts->config->salt.text);
    }
    if (reglet_redactor_new(&options, out, &error) == REGLET_OK)
        return EXIT_OK;
    return blame(parts, error, message);
}

/* Nothing but the built-in rules: the library has a redactor for that, which the whole process shares. */
static bool is_default(const struct parts *parts) {
    return parts->patterns.count + parts->paths.count + parts->secrets.count == 0 &&
           !parts->rules_file.text && !parts->config->no_builtin_rules && !parts->config->hashes;
}

int redaction_make(const struct config_file *config, const struct options *options, reglet_redactor **out,
                   struct string_list *secret_files, char **message) {
    struct parts parts = {0};
    collect(&parts, config, options);
    int code = find_secrets(&parts, message);
    if (code == EXIT_OK && !is_default(&parts))
        code = make(&parts, out, message);
    for (size_t i = 0; secret_files && i < parts.files.count; i++)
        string_list_add(secret_files, resolve(&parts.files.items[i]));
    clear_parts(&parts);
    return code;
}
