/* cat [FILE]… - files, or without any stdin, to stdout. */
#include <stdio.h>
#include <stdlib.h>

static int copy(FILE *from, const char *name) {
    char buffer[65536];
    size_t size;
    while ((size = fread(buffer, 1, sizeof buffer, from)) > 0)
        if (fwrite(buffer, 1, size, stdout) != size) {
            perror("stdout");
            return 1;
        }
    if (!ferror(from))
        return 0;
    perror(name);
    return 1;
}

int main(int count, char **arguments) {
    int failures = count < 2 ? copy(stdin, "stdin") : 0;
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(arguments[i], "rb");
        if (!file) {
            perror(arguments[i]);
            failures++;
            continue;
        }
        failures += copy(file, arguments[i]);
        fclose(file);
    }
    return failures || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
