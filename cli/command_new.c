#define _GNU_SOURCE
#include "command.h"
#include "templates.h"
#include "util.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_NAME = 64 };

static const struct {
    const char *name;
    const char *needs; /* to build it */
} languages[] = {{"c", "clang for wasm32-wasi"}, {"go", "Go 1.24"}, {"js", "npm"}, {"python", "pip"}};

/* It becomes the name of a folder, of a module and of a package, each of which takes fewer characters than the other. */
static bool is_name(const char *text) {
    size_t size = strlen(text);
    if (size == 0 || size > MAX_NAME || !isalpha((unsigned char)*text) || text[size - 1] == '-')
        return false;
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '-')
            return false;
    return true;
}

/* ---- What is written ---- */

static void put_line(FILE *file, const char *line, const char *name) {
    static const char mark[] = "@NAME@";
    for (const char *at; (at = strstr(line, mark)); line = at + sizeof mark - 1) {
        fwrite(line, 1, (size_t)(at - line), file);
        fputs(name, file);
    }
    fputs(line, file);
}

/* The folders that a path leads through, below `folder`. */
static bool make_folders(int folder, const char *path) {
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        _cleanup_free_ char *parent = copy_text(path, (size_t)(slash - path));
        if (mkdirat(folder, parent, 0777) != 0 && errno != EEXIST)
            return false;
    }
    return true;
}

/* False with errno. */
static bool write_file(int folder, const char *path, const char *const *lines, const char *name) {
    if (!make_folders(folder, path))
        return false;
    int fd = openat(folder, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    for (; *lines; lines++)
        put_line(file, *lines, name);
    bool failed = ferror(file) != 0;
    return fclose(file) == 0 && !failed;
}

static int write_files(const struct command *command, int folder, const char *language, const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(template_files); i++) {
        if (strcmp(template_files[i].language, language) != 0)
            continue;
        if (!write_file(folder, template_files[i].path, template_files[i].lines, name)) {
            complain(command->name, "cannot write %s/%s: %s", name, template_files[i].path, strerror(errno));
            return EXIT_FAILED;
        }
    }
    return EXIT_OK;
}

/* ---- The command ---- */

static int unknown_language(const struct options *options) {
    const char *names[ARRAY_LEN(languages)];
    _cleanup_free_ char *all = copy_text("", 0);
    for (size_t i = 0; i < ARRAY_LEN(languages); i++) {
        names[i] = languages[i].name;
        char *more = format_text("%s%s%s", all, *all ? ", " : "", names[i]);
        free(all);
        all = more;
    }
    if (!options->language)
        return bad_usage(options->command, "--lang is missing; there are %s", all);
    const char *meant = closest_word(options->language, names, ARRAY_LEN(names));
    if (meant)
        return bad_usage(options->command, "there is nothing for the language \"%s\", did you mean \"%s\"?",
                         options->language, meant);
    return bad_usage(options->command, "there is nothing for the language \"%s\"; there are %s",
                     options->language, all);
}

static int write_folder(const struct options *options, const char *name, size_t language) {
    if (mkdir(name, 0777) != 0) {
        complain(options->command->name, "cannot make the folder %s: %s", name,
                 errno == EEXIST ? "there is something of that name, and nothing is written over"
                                 : strerror(errno));
        return EXIT_FAILED;
    }
    int folder = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) {
        complain(options->command->name, "cannot open the folder %s: %s", name, strerror(errno));
        return EXIT_FAILED;
    }
    int result = write_files(options->command, folder, languages[language].name, name);
    close(folder);
    if (result == EXIT_OK)
        printf("%s is a plugin. Build and test it (that takes %s):\n  cd %s && make test\n", name,
               languages[language].needs, name);
    return result;
}

static int run(const struct options *options) {
    const char *name = options->operands.items[0];
    if (!is_name(name))
        return bad_usage(options->command,
                         "a plugin's name is 1 to %d letters, digits and \"-\", and begins with a letter and "
                         "does not end in \"-\", not \"%s\"",
                         MAX_NAME, name);
    for (size_t i = 0; i < ARRAY_LEN(languages); i++)
        if (options->language && strcmp(options->language, languages[i].name) == 0)
            return write_folder(options, name, i);
    return unknown_language(options);
}

const struct command command_new = {
    .name = "new",
    .bit = COMMAND_NEW,
    .synopsis = "--lang c|go|js|python NAME",
    .summary = "a folder with a plugin to begin with",
    .details = "Makes the folder NAME with a plugin that says whether a file has a certain line:\n"
               "its source, a Makefile that builds it, and a test. In C and Go it is a module,\n"
               "in JavaScript and Python a component; the one in C can be built as either.\n",
    .example = "  reglet new --lang c my-plugin && make -C my-plugin test\n",
    .operand = "NAME",
    .run = run,
};
