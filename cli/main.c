/*
 * main.c - the command `reglet`.
 */
#define _GNU_SOURCE
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/*
 * A standard descriptor that was closed would go to the next file that is opened, which results would then be
 * written into. The wrong direction makes every use of the stand-in fail, as one of the closed descriptor
 * would.
 */
static bool open_standard_descriptors(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}

/* A result that could not be written is no result. A reader that went away knows it: nothing to say. */
static int close_stdout(int code) {
    errno = 0;
    bool failed = ferror(stdout) != 0;
    failed = fflush(stdout) != 0 || failed;
    if (!failed)
        return code;
    if (errno != EPIPE)
        complain(NULL, "cannot write the output: %s", errno ? strerror(errno) : "input/output error");
    return EXIT_FAILED;
}

static int run_command(const struct options *options) {
    if (!options->help)
        return options->command->run(options);
    command_print_help(options->command);
    return EXIT_OK;
}

int main(int argc, char **argv) {
    if (!open_standard_descriptors())
        return EXIT_FAILED;
    signal(SIGPIPE, SIG_IGN); /* a broken pipe is seen as EPIPE, by a module under `run` as well */
    struct options options;
    int code = options_parse(argc, argv, &options);
    if (code == EXIT_OK)
        code = close_stdout(run_command(&options));
    options_clear(&options);
    return code;
}
