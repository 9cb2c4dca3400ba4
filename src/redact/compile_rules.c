/*
 * compile_rules.c - at build time: compiles the built-in rules and writes the database as C, so that no process has to.
 *
 *     compile_rules OUTPUT.c
 *
 * The database is for any processor of this architecture that the matcher runs on.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redact/compile.h"

static int fail(const struct reglet__compile_fault *fault) {
    const char *id = fault->rule >= 0 ? reglet__builtin_rules[fault->rule].id : "all of them";
    fprintf(stderr, "compile_rules: %s: %s\n", id, fault->message[0] ? fault->message : "out of memory");
    return EXIT_FAILURE;
}

static int write_widths(FILE *out) {
    fputs("static const uint32_t widths[] = {", out);
    for (size_t i = 0; i < reglet__builtin_rule_count; i++) {
        struct reglet__compile_fault fault = {.rule = (int)i};
        uint32_t shortest = 0, longest = 0;
        if (reglet__compile_measure(reglet__builtin_rules[i].regex, &shortest, &longest, &fault) != REGLET_OK)
            return fail(&fault);
        fprintf(out, "%" PRIu32 "u,%c", longest, i % 16 == 15 ? '\n' : ' ');
    }
    fputs("0u};\n\n", out);
    return EXIT_SUCCESS;
}

/* In words of 8 bytes, which compile faster than single ones, and are aligned. */
static int write_bytes(FILE *out, const char *bytes, size_t size) {
    fputs("static const uint64_t words[] = {\n", out);
    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, size - i < sizeof word ? size - i : sizeof word);
        fprintf(out, "0x%" PRIx64 "u,%c", word, i % 64 == 56 ? '\n' : ' ');
    }
    fprintf(
        out,
        "};\n\nconst struct reglet__rule_database reglet__builtin_database = {(const char *)words, %zu, widths};\n",
        size);
    return EXIT_SUCCESS;
}

static int write_all(FILE *out, const char *bytes, size_t size) {
    fputs("/* Written by compile_rules. */\n#include \"redact/ruleset.h\"\n\n"
          "extern const struct reglet__rule_database reglet__builtin_database;\n\n",
          out);
    if (write_widths(out) != EXIT_SUCCESS || write_bytes(out, bytes, size) != EXIT_SUCCESS)
        return EXIT_FAILURE;
    return fflush(out) == 0 && !ferror(out) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
    static const hs_platform_info_t generic = {.tune = HS_TUNE_FAMILY_GENERIC};
    hs_database_t *database = NULL;
    struct reglet__compile_fault fault = {.rule = -1};
    char *bytes = NULL;
    size_t size = 0;
    FILE *out = argc == 2 ? fopen(argv[1], "w") : NULL;
    if (!out) {
        fputs("usage: compile_rules OUTPUT.c\n", stderr);
        return EXIT_FAILURE;
    }
    if (reglet__compile_rules(reglet__builtin_rules, reglet__builtin_rule_count, &generic, &database,
                              &fault) != REGLET_OK)
        return fail(&fault);
    if (hs_serialize_database(database, &bytes, &size) != HS_SUCCESS)
        return fail(&fault);
    int code = write_all(out, bytes, size);
    free(bytes);
    hs_free_database(database);
    return fclose(out) == 0 ? code : EXIT_FAILURE;
}
