/*
 * A command for WASI with a few habits of real ones: what it is asked for stands in its arguments.
 *
 *     echo TEXT…      env      cat [FILE]      ls DIRECTORY      write FILE TEXT      complain TEXT      exit CODE
 *     trap            spin     mv FROM TO       ln FROM TO        rm FILE             rmdir DIRECTORY     mkdir DIRECTORY
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static int fail(const char *what) {
    fprintf(stderr, "tool: %s: %s\n", what, strerror(errno));
    return 1;
}

static int echo(char **texts) {
    for (; *texts; texts++)
        puts(*texts);
    return 0;
}

static int cat(const char *path) {
    FILE *file = path ? fopen(path, "r") : stdin;
    char chunk[512];
    size_t size;
    if (!file)
        return fail(path);
    while ((size = fread(chunk, 1, sizeof chunk, file)) > 0)
        if (fwrite(chunk, 1, size, stdout) != size)
            return fail("standard output");
    return fclose(file);
}

static int ls(const char *path) {
    DIR *directory = opendir(path);
    if (!directory)
        return fail(path);
    for (struct dirent *entry; (entry = readdir(directory));)
        puts(entry->d_name);
    return closedir(directory);
}

static int write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    if (!file)
        return fail(path);
    fputs(text, file);
    return fclose(file);
}

/* The verbs that are one call: -1 when it is none of them. */
static int change(const char *verb, const char *path, const char *second) {
    int result;
    if (strcmp(verb, "mv") == 0 && second)
        result = rename(path, second);
    else if (strcmp(verb, "ln") == 0 && second)
        result = link(path, second);
    else if (strcmp(verb, "rm") == 0)
        result = unlink(path);
    else if (strcmp(verb, "rmdir") == 0)
        result = rmdir(path);
    else if (strcmp(verb, "mkdir") == 0)
        result = mkdir(path, 0777);
    else
        return -1;
    return result == 0 ? 0 : fail(verb);
}

int main(int argc, char **argv) {
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "echo") == 0)
        return echo(argv + 2);
    if (strcmp(verb, "env") == 0)
        return echo(environ);
    if (strcmp(verb, "cat") == 0)
        return cat(argv[2]);
    if (strcmp(verb, "ls") == 0 && argc == 3)
        return ls(argv[2]);
    if (strcmp(verb, "write") == 0 && argc == 4)
        return write_file(argv[2], argv[3]);
    if (strcmp(verb, "complain") == 0 && argc == 3)
        return fprintf(stderr, "%s\n", argv[2]) < 0;
    if (strcmp(verb, "exit") == 0 && argc == 3)
        exit(atoi(argv[2]));
    if (strcmp(verb, "trap") == 0)
        __builtin_trap();
    if (strcmp(verb, "spin") == 0)
        for (volatile unsigned turns = 0;; turns++)
            ;
    int code = argc > 2 ? change(verb, argv[2], argv[3]) : -1;
    if (code >= 0)
        return code;
    fprintf(stderr, "tool: what is \"%s\"?\n", verb);
    return 64;
}
