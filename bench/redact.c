#define _POSIX_C_SOURCE 200809L
/*
 * What redact.py measures: the built-in rules on a file, as often as it says.
 *
 *   redact_bench rules       the rules as JSON lines: id, regex, keywords
 *   redact_bench FILE N      redacts the file N times; a line for each: seconds, and how many bytes it has afterwards
 *
 * redact/main.go takes the same words, with the file of rules before them.
 */
#include <reglet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "redact/rule.h"

static double now_seconds(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int fail(reglet_error *error) {
    fprintf(stderr, "redact_bench: %s\n", error ? reglet_error_message(error) : "cannot read the file");
    reglet_error_free(error);
    return 1;
}

static void print_string(const char *text) {
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            printf("\\u%04x", *text);
        else
            putchar(*text);
    }
    putchar('"');
}

static void print_rules(void) {
    for (size_t i = 0; i < reglet__builtin_rule_count; i++) {
        const struct reglet__rule *rule = &reglet__builtin_rules[i];
        printf("{\"id\":\"%s\",\"regex\":", rule->id);
        print_string(rule->regex);
        printf(",\"keywords\":[");
        for (size_t k = 0; rule->keywords && rule->keywords[k]; k++) {
            if (k > 0)
                putchar(',');
            print_string(rule->keywords[k]);
        }
        printf("]}\n");
    }
}

static char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        return NULL;
    *size = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*size + 1);
    if (text && fread(text, 1, *size, file) != *size) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

static int redact(const char *path, int times) {
    reglet_error *error = NULL;
    reglet_redactor *redactor = NULL;
    size_t size = 0;
    char *text = read_file(path, &size);
    if (!text || reglet_redactor_new(NULL, &redactor, &error)) {
        free(text);
        return fail(error);
    }
    for (int i = 0; i < times && !error; i++) {
        char *out = NULL;
        size_t out_size = 0;
        double began = now_seconds();
        reglet_redactor_redact(redactor, text, size, &out, &out_size, &error);
        printf("%.6f %zu\n", now_seconds() - began, out_size);
        reglet_free(out);
    }
    free(text);
    reglet_redactor_unref(redactor);
    return error ? fail(error) : 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "rules") == 0) {
        print_rules();
        return 0;
    }
    if (argc == 3)
        return redact(argv[1], atoi(argv[2]));
    fprintf(stderr, "usage: redact_bench rules | FILE N\n");
    return 2;
}
