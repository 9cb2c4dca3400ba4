/* env [ARGUMENT]… - the arguments and the environment, each on a line of its own. */
#include <stdio.h>

extern char **environ;

int main(int count, char **arguments) {
    for (int i = 0; i < count; i++)
        printf("argv[%d]=%s\n", i, arguments[i]);
    for (char **variable = environ; *variable; variable++)
        puts(*variable);
    return 0;
}
