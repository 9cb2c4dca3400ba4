#define _GNU_SOURCE
#include "audit.h"

#include "command.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct audit {
    const char *command;
    const char *path; /* NULL: no file */
    int fd;
    atomic_int error; /* errno of the first line that was lost */
    reglet_cancel_token *cancel;
    bool keeps;
    pthread_mutex_t lock; /* of what is kept */
    struct audited *kept;
    size_t count, room;
    uint64_t left_out;
};

/* ---- the file ---- */

static int refuse(const struct options *options, const char *path, const char *why) {
    complain(options->command->name, "--audit: cannot write %s: %s", path, why);
    return EXIT_BAD_USAGE;
}

/* Waits for one that looks, which takes it microseconds, but for no stranger's lock. */
static void join_writers(int fd) {
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int tries = 0; flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK && tries < 100; tries++)
        nanosleep(&pause, NULL);
}

/*
 * A line that a full disk cut off must not have the next one behind it. While others write, the last byte may be the middle of a
 * line that they are at: so each process that writes holds a shared lock, and only one that is alone looks. On a file system
 * without locks each one looks.
 */
static bool end_last_line(int fd) {
    struct stat file;
    char last = '\n';
    bool alone = flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    if (alone && (fstat(fd, &file) != 0 || (file.st_size > 0 && pread(fd, &last, 1, file.st_size - 1) < 0)))
        return false;
    if (last != '\n' && write(fd, "\n", 1) != 1)
        return false;
    join_writers(fd);
    return true;
}

/* O_NONBLOCK: a FIFO is refused and not waited for. */
static int open_file(const struct options *options, struct audit *audit) {
    const char *path = options->audit_path;
    struct stat file;
    if (strcmp(path, "-") == 0)
        return refuse(options, path, "standard output has the results; name a file");
    audit->fd =
        open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (audit->fd < 0)
        return refuse(options, path, errno == ELOOP ? "it is a symbolic link" : strerror(errno));
    if (fstat(audit->fd, &file) != 0)
        return refuse(options, path, strerror(errno));
    if (!S_ISREG(file.st_mode))
        return refuse(options, path, "it is no regular file");
    return end_last_line(audit->fd) ? EXIT_OK : refuse(options, path, strerror(errno));
}

/* What it tells of was done; nothing more is: the calls end. */
static void lose(struct audit *audit, int error) {
    int none = 0;
    if (!atomic_compare_exchange_strong(&audit->error, &none, error))
        return;
    complain(audit->command, "--audit: cannot write %s: %s; no call goes on without its record", audit->path,
             strerror(error));
    reglet_cancel_token_cancel(audit->cancel);
}

/* One write for a line: under O_APPEND, lines of several threads and processes do not mix. */
static void write_line(struct audit *audit, const reglet_audit_record *record) {
    char *line = NULL;
    size_t size = 0;
    if (atomic_load(&audit->error)) /* after a line that was cut off nothing may follow */
        return;
    if (reglet_audit_record_json(record, &line, &size, NULL) != REGLET_OK)
        out_of_memory();
    line[size] = '\n';
    ssize_t written = write(audit->fd, line, size + 1);
    if (written != (ssize_t)size + 1)
        lose(audit, written < 0 ? errno : ENOSPC);
    reglet_free(line);
}

/* ---- what is kept ---- */

static char *copy(const char *text) {
    return text ? copy_text(text, strlen(text)) : NULL;
}

static void keep(struct audit *audit, const reglet_audit_record *record) {
    pthread_mutex_lock(&audit->lock);
    if (audit->count == AUDIT_KEPT) {
        audit->left_out++;
        pthread_mutex_unlock(&audit->lock);
        return;
    }
    if (audit->count == audit->room) {
        audit->room = audit->room ? 2 * audit->room : 64;
        audit->kept = grow(audit->kept, audit->room, sizeof *audit->kept);
    }
    audit->kept[audit->count++] = (struct audited){.function = copy(record->function),
                                                   .kind = copy(record->kind),
                                                   .asked = copy(record->asked),
                                                   .allowed = record->allowed,
                                                   .rule = copy(record->rule),
                                                   .reason = copy(record->reason),
                                                   .grant = copy(record->grant),
                                                   .duration_ns = record->duration_ns,
                                                   .bytes_in = record->bytes_in,
                                                   .bytes_out = record->bytes_out};
    pthread_mutex_unlock(&audit->lock);
}

static void clear(struct audited *audited) {
    char *const texts[] = {audited->function, audited->kind,   audited->asked,
                           audited->rule,     audited->reason, audited->grant};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
}

const struct audited *audit_kept(const struct audit *audit, size_t *count, uint64_t *left_out) {
    *count = audit->count;
    *left_out = audit->left_out;
    return audit->kept;
}

/* ---- both ---- */

int audit_open(const struct options *options, struct audit **out) {
    bool keeps = options->explain || options->learn;
    *out = NULL;
    if (!options->audit_path && !keeps)
        return EXIT_OK;
    struct audit *audit = allocate(sizeof *audit);
    *audit = (struct audit){
        .command = options->command->name, .path = options->audit_path, .fd = -1, .keeps = keeps};
    pthread_mutex_init(&audit->lock, NULL);
    int code = options->audit_path ? open_file(options, audit) : EXIT_OK;
    if (code == EXIT_OK)
        *out = audit;
    else
        audit_close(audit, code);
    return code;
}

void audit_cancels(struct audit *audit, reglet_cancel_token *token) {
    audit->cancel = reglet_cancel_token_ref(token);
}

void audit_record(void *user_data, const reglet_audit_record *record) {
    struct audit *audit = user_data;
    if (audit->fd >= 0)
        write_line(audit, record);
    if (audit->keeps && record->observing)
        keep(audit, record);
}

int audit_close(struct audit *audit, int code) {
    if (!audit)
        return code;
    if (atomic_load(&audit->error))
        code = EXIT_FAILED;
    if (audit->fd >= 0)
        close(audit->fd);
    for (size_t i = 0; i < audit->count; i++)
        clear(&audit->kept[i]);
    free(audit->kept);
    reglet_cancel_token_unref(audit->cancel);
    pthread_mutex_destroy(&audit->lock);
    free(audit);
    return code;
}
