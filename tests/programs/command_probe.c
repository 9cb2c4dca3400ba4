/*
 * command_probe.c - a command that shows what it was given, and one that does what commands should not.
 *
 *     args | environment | descriptors | state     prints what it has
 *     exit N | die N                               ends so
 *     bytes                                        prints what is no UTF-8
 *     flood N                                      writes N bytes to stdout and as many to stderr, both at once
 *     stay                                         ignores every signal that can be, says "ready", and does not end
 *     tree stay|leave [FILE]                       starts processes that leave its group, its session, and itself; says
 *                                                  "ready", makes the file, and stays or ends
 *     orphans N                                    starts N processes, each of whose parents has ended
 *     multiply                                     becomes many, none in the group of another, that do not end
 *     keeper N                                     sends that signal to its parent, and does not end
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void stay(void) {
    for (int number = 1; number < 65; number++)
        signal(number, SIG_IGN);
    for (;;)
        pause();
}

static void say_ready(const char *path) {
    puts("ready");
    fflush(stdout);
    if (path)
        close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
}

/* A fork that fails ends everything, rather than leaving somebody to wait for who never came. */
static pid_t fork_or_end(void) {
    pid_t pid = fork();
    if (pid < 0) {
        perror("fork");
        exit(99);
    }
    return pid;
}

static void print_lines(char **lines) {
    for (; *lines; lines++)
        puts(*lines);
}

static void print_descriptors(void) {
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        char target[4096];
        ssize_t size = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        if (size <= 0 || atoi(entry->d_name) == dirfd(dir))
            continue;
        target[size] = '\0';
        printf("%s=%s;", entry->d_name, target);
    }
    closedir(dir);
}

static void print_status_lines(void) {
    static const char *const wanted[] = {"SigBlk", "SigIgn", "SigCgt", "NoNewPrivs", "Uid"};
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
            if (strncmp(line, wanted[i], strlen(wanted[i])) == 0)
                fputs(line, stdout);
    fclose(file);
}

static void print_state(void) {
    char directory[4096];
    struct rlimit core;
    mode_t mask = umask(0);
    getrlimit(RLIMIT_CORE, &core);
    printf("cwd=%s\n", getcwd(directory, sizeof directory) ? directory : "?");
    printf("umask=%03o\n", (unsigned)mask);
    printf("core=%llu\n", (unsigned long long)core.rlim_max);
    printf("leads its group: %s\n", getpgrp() == getpid() ? "yes" : "no");
    printf("terminal: %s\n", open("/dev/tty", O_RDWR) < 0 ? strerrorname_np(errno) : "yes");
    printf("bytes on stdin: %zd\n", read(0, directory, sizeof directory));
    print_status_lines();
}

/* Writes to whichever stream has room, so that a reader of one alone would never see the end. */
static void flood(size_t size) {
    static char chunk[65536];
    size_t left[2] = {size, size};
    memset(chunk, 'x', sizeof chunk);
    fcntl(1, F_SETFL, O_NONBLOCK);
    fcntl(2, F_SETFL, O_NONBLOCK);
    while (left[0] > 0 || left[1] > 0) {
        struct pollfd fds[2] = {{left[0] ? 1 : -1, POLLOUT, 0}, {left[1] ? 2 : -1, POLLOUT, 0}};
        poll(fds, 2, -1);
        for (int i = 0; i < 2; i++) {
            ssize_t written =
                fds[i].revents ? write(i + 1, chunk, left[i] < sizeof chunk ? left[i] : sizeof chunk) : 0;
            left[i] -= written > 0 ? (size_t)written : 0;
        }
    }
}

/* A child in the group; one in a session of its own; one whose parent is gone; and one that is both. */
static void start_tree(const char *path) {
    int ready[2];
    char byte = 0;
    if (pipe(ready) != 0)
        exit(99);
    for (int kind = 0; kind < 4; kind++) {
        if (fork_or_end() != 0)
            continue;
        if (kind & 1)
            setsid();
        if (kind & 2 && fork_or_end() != 0)
            _exit(0);
        if (write(ready[1], &byte, 1) != 1)
            _exit(99);
        stay();
    }
    for (int i = 0; i < 4; i++)
        if (read(ready[0], &byte, 1) != 1)
            exit(99);
    say_ready(path);
}

static void make_orphans(int count) {
    for (int i = 0; i < count; i++) {
        pid_t parent = fork_or_end();
        if (parent == 0) {
            fork_or_end();
            _exit(0);
        }
        waitpid(parent, NULL, 0);
    }
    print_status_lines();
}

/* 64 processes, each in a session of its own. */
static void multiply(void) {
    for (int generation = 0; generation < 6; generation++) {
        fork_or_end();
        setsid();
    }
    stay();
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    const char *value = argc > 2 ? argv[2] : "";
    if (strcmp(mode, "args") == 0)
        print_lines(argv);
    else if (strcmp(mode, "environment") == 0)
        print_lines(environ);
    else if (strcmp(mode, "descriptors") == 0)
        print_descriptors();
    else if (strcmp(mode, "state") == 0)
        print_state();
    else if (strcmp(mode, "exit") == 0)
        return atoi(value);
    else if (strcmp(mode, "die") == 0)
        kill(getpid(), atoi(value));
    else if (strcmp(mode, "bytes") == 0)
        fputs("a\xff"
              "b\xc3",
              stdout);
    else if (strcmp(mode, "flood") == 0)
        flood((size_t)atol(value));
    else if (strcmp(mode, "tree") == 0)
        start_tree(argc > 3 ? argv[3] : NULL);
    else if (strcmp(mode, "orphans") == 0)
        make_orphans(atoi(value));
    else if (strcmp(mode, "multiply") == 0)
        multiply();
    else if (strcmp(mode, "stay") == 0)
        say_ready(NULL);
    else if (strcmp(mode, "keeper") == 0) {
        say_ready(NULL);
        kill(getppid(), atoi(value));
    } else
        puts("good");
    if (strcmp(mode, "stay") == 0 || strcmp(value, "stay") == 0 || strcmp(mode, "keeper") == 0)
        stay();
    return 0;
}
