/* mv FROM TO - rename, and nothing else: never a copy. */
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: mv FROM TO\n");
        return 2;
    }
    if (rename(arguments[1], arguments[2]) == 0)
        return EXIT_SUCCESS;
    perror(arguments[1]);
    return EXIT_FAILURE;
}
