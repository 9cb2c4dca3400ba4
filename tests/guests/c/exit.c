/* exit CODE - ends with that code; "abort" traps, "return" returns from main. */
#include <stdlib.h>
#include <string.h>

int main(int count, char **arguments) {
    const char *how = count > 1 ? arguments[1] : "0";
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "return") == 0)
        return 0;
    _Exit((int)strtol(how, NULL, 0));
}
