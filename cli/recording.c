#define _GNU_SOURCE
#include "recording.h"

#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than the library writes. */
enum { MAX_RECORDING_BYTES = 256 * 1024 * 1024 };

static int complain_of(const char *option, const char *path, const char *what, int code) {
    complain("observe", "%s %s: %s", option, path, what);
    return code;
}

/* ---- replay ---- */

static int read_replay(const char *path, const reglet_recording **out) {
    _cleanup_error_ reglet_error *error = NULL;
    _cleanup_free_ char *text = NULL;
    reglet_recording *recording = NULL;
    size_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    bool read = fd >= 0 && read_all(fd, MAX_RECORDING_BYTES, &text, &size);
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (!read)
        return complain_of("--replay", path, strerror(saved), EXIT_BAD_USAGE);
    if (reglet_recording_parse(text, size, &recording, &error) != REGLET_OK)
        return complain_of("--replay", path, reglet_error_message(error), EXIT_BAD_USAGE);
    *out = recording;
    return EXIT_OK;
}

/* ---- record ---- */

/* What stands there may be replaced when it is a file; a link or a device is nobody's old recording. */
static int check_target(const char *path) {
    struct stat st;
    _cleanup_free_ char *directory = copy_text(path, strlen(path));
    char *slash = strrchr(directory, '/');
    if (slash)
        slash[slash == directory] = '\0';
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return complain_of("--record", path, "it is there, and no regular file", EXIT_BAD_USAGE);
    if (faccessat(AT_FDCWD, slash ? directory : ".", W_OK | X_OK, AT_EACCESS) != 0)
        return complain_of("--record", path, strerror(errno), EXIT_BAD_USAGE);
    return EXIT_OK;
}

static bool write_all(int fd, const char *text, size_t size) {
    while (size > 0) {
        ssize_t written = write(fd, text, size);
        if (written < 0 && errno != EINTR)
            return false;
        text += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

/* mkostemp() makes a file that was not there, readable by this user alone; its name is then the recording's. */
static bool write_file(const char *path, const char *text, size_t size) {
    _cleanup_free_ char *name = format_text("%s.XXXXXX", path);
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        return false;
    bool written = write_all(fd, text, size) && fsync(fd) == 0;
    written = close(fd) == 0 && written && rename(name, path) == 0;
    int saved = errno;
    if (!written)
        unlink(name);
    errno = saved;
    return written;
}

/* Without a redactor of the configuration the library's own rules are it. */
static reglet_status text_of(const struct options *options, const struct session *session, char **out,
                             size_t *size, reglet_error **err) {
    reglet_redactor *redactor = options->record_secrets ? NULL : reglet_redactor_ref(session->redactor);
    reglet_status status = REGLET_OK;
    if (!redactor && !options->record_secrets)
        status = reglet_redactor_new(NULL, &redactor, err);
    if (status == REGLET_OK)
        status = reglet_recording_text(session->call.record, redactor, out, size, err);
    reglet_redactor_unref(redactor);
    return status;
}

int recording_write(const struct options *options, const struct session *session) {
    if (!session->call.record)
        return EXIT_OK;
    int code = EXIT_OK;
    _cleanup_error_ reglet_error *error = NULL;
    char *text = NULL;
    size_t size = 0;
    if (text_of(options, session, &text, &size, &error) != REGLET_OK)
        return complain_of("--record", options->record_path, reglet_error_message(error), EXIT_FAILED);
    if (!write_file(options->record_path, text, size))
        code = complain_of("--record", options->record_path, strerror(errno), EXIT_FAILED);
    reglet_free(text);
    return code;
}

int recording_open(const struct options *options, struct session *session) {
    _cleanup_error_ reglet_error *error = NULL;
    if (options->replay_path)
        return read_replay(options->replay_path, &session->call.replay);
    if (!options->record_path)
        return EXIT_OK;
    int code = check_target(options->record_path);
    if (code == EXIT_OK && reglet_recording_new(&session->call.record, &error) != REGLET_OK) {
        complain_error("observe", error);
        code = EXIT_FAILED;
    }
    return code;
}

void recording_close(struct session *session) {
    reglet_recording_free(session->call.record);
    reglet_recording_free((reglet_recording *)session->call.replay);
    session->call.record = NULL;
    session->call.replay = NULL;
}
