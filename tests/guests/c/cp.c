/* cp FROM TO - a file's bytes into another, which is made or emptied. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int copy(int from, int to) {
    char buffer[65536];
    ssize_t size;
    while ((size = read(from, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, step; done < size; done += step)
            if ((step = write(to, buffer + done, (size_t)(size - done))) < 0)
                return -1;
    return (int)size;
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: cp FROM TO\n");
        return 2;
    }
    int from = open(arguments[1], O_RDONLY);
    if (from < 0) {
        perror(arguments[1]);
        return EXIT_FAILURE;
    }
    int to = open(arguments[2], O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (to < 0 || copy(from, to) != 0 || close(to) != 0) {
        perror(arguments[2]);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
