/*
 * file - observes one file: what it is, whose it is, and if wanted what is in it.
 */
#define _POSIX_C_SOURCE 200809L /* lstat */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../shared/sha256.h"
#include "reglet_host.h"

/* In base64 it stays below the 1 MiB of evidence that a host keeps by default. */
enum { MAX_CONTENT = 512 << 10 };

static bool is_a(const plugin_file *file, const char *type) {
    return file->type && strcmp(file->type, type) == 0;
}

/* With nanoseconds always, which the host leaves out when there are none. */
static void put_mod_time(const plugin_file *file, plugin_evidence *evidence) {
    char text[64];
    const char *time = file->mod_time;
    if (time && !strchr(time, '.') && strlen(time) < sizeof text - strlen(".000000000")) {
        snprintf(text, sizeof text, "%.*s.000000000Z", (int)strcspn(time, "Z"), time);
        time = text;
    }
    plugin_put_string(evidence, "mod_time", time);
}

static char type_letter(const char *type) {
    static const struct {
        const char *type;
        char letter;
    } letters[] = {{"directory", 'd'}, {"symlink", 'l'},      {"fifo", 'p'},
                   {"socket", 's'},    {"block_device", 'b'}, {"character_device", 'c'}};
    for (size_t i = 0; type && i < sizeof letters / sizeof *letters; i++)
        if (strcmp(type, letters[i].type) == 0)
            return letters[i].letter;
    return '-';
}

/* As ls prints them: "-rw-r--r--". */
static void put_permissions(const plugin_file *file, plugin_evidence *evidence) {
    char text[] = "-rwxrwxrwx";
    unsigned mode = (unsigned)strtoul(file->mode, NULL, 8);
    text[0] = type_letter(file->type);
    for (int i = 0; i < 9; i++)
        if (!(mode & 0400U >> i))
            text[1 + i] = '-';
    for (int i = 0; i < 3; i++) /* set-user-ID, set-group-ID, sticky */
        if (mode & 04000U >> i) {
            char *execute = &text[3 + 3 * i];
            *execute = *execute == 'x' ? "sst"[i] : "SST"[i];
        }
    plugin_put_string(evidence, "permissions", text);
}

static void put_owner(const plugin_file *file, plugin_evidence *evidence) {
    plugin_put_string(evidence, "mode", file->mode);
    if (file->mode)
        put_permissions(file, evidence);
    plugin_put_int(evidence, "uid", file->uid);
    plugin_put_int(evidence, "gid", file->gid);
    plugin_put_string(evidence, "owner", file->owner);
    plugin_put_string(evidence, "group", file->group);
}

/* What is wanted of the content, of one pass over the file, so that content and hash are of the same bytes. */
struct wanted {
    bool content, hash;
    struct sha256 sum;
    size_t kept;
    unsigned char bytes[MAX_CONTENT + 1]; /* one more tells whether there are more */
};

/* False: no more is wanted. */
static bool take(void *user_data, const void *bytes, size_t size) {
    struct wanted *wanted = user_data;
    size_t room = sizeof wanted->bytes - wanted->kept, kept = size < room ? size : room;
    memcpy(wanted->bytes + wanted->kept, bytes, kept);
    wanted->kept += kept;
    if (wanted->hash)
        sha256_update(&wanted->sum, bytes, size);
    return wanted->hash || wanted->kept < sizeof wanted->bytes;
}

static void put_content(struct wanted *wanted, plugin_evidence *evidence) {
    if (wanted->content) {
        size_t size = wanted->kept < MAX_CONTENT ? wanted->kept : MAX_CONTENT;
        plugin_put_base64(evidence, "content_b64", wanted->bytes, size);
        plugin_put_string(evidence, "encoding", "base64");
        plugin_put_bool(evidence, "content_truncated", wanted->kept > MAX_CONTENT);
    }
    if (wanted->hash) {
        char text[SHA256_TEXT_SIZE];
        sha256_final_text(&wanted->sum, text);
        plugin_put_string(evidence, "sha256", text);
    }
}

#ifdef PLUGIN_COMPONENT /* without files of WASI, which a component has not: by the host's functions alone */

/* 0: the host did not name an errno. */
static int errno_of(const plugin_error *error) {
    enum { MOST = 128 };
    int number = 1;
    while (number < MOST && strcmp(plugin_errno_name(number), error->code) != 0)
        number++;
    return number < MOST && strcmp(error->type, "validation") != 0 ? number : 0;
}

/* In the words of a module, which has the errno of WASI. */
static void fail(const plugin_error *error, const char *path, plugin_evidence *evidence) {
    int number = errno_of(error);
    if (number)
        plugin_fail_file(evidence, "read", path, number);
    else
        plugin_fail_call(evidence, error);
}

static bool read_file(const char *path, struct wanted *wanted, plugin_evidence *evidence) {
    const plugin_error *error = plugin_fs_pass(path, take, wanted);
    if (error)
        fail(error, path, evidence);
    return !error;
}

#else

/* Of a denial nothing more is to be learned. What else went wrong has a number that WASI tells. */
static void fail(const plugin_error *error, const char *path, plugin_evidence *evidence) {
    struct stat status;
    if (strcmp(error->code, "EACCES") == 0)
        plugin_fail_file(evidence, "read", path, EACCES);
    else if (lstat(path, &status) != 0)
        plugin_fail_file(evidence, "read", path, errno);
    else
        plugin_fail_call(evidence, error);
}

static bool read_file(const char *path, struct wanted *wanted, plugin_evidence *evidence) {
    static unsigned char piece[64 << 10];
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    ssize_t got = fd;
    while (got >= 0) {
        got = read(fd, piece, sizeof piece);
        if (got <= 0 || !take(wanted, piece, (size_t)got))
            break;
    }
    if (got < 0)
        plugin_fail_file(evidence, "read", path, errno);
    if (fd >= 0)
        close(fd);
    return got >= 0;
}

#endif

static void observe_content(const char *path, bool want_content, bool want_hash, plugin_evidence *evidence) {
    static struct wanted wanted;
    wanted.content = want_content;
    wanted.hash = want_hash;
    sha256_init(&wanted.sum);
    if (read_file(path, &wanted, evidence))
        put_content(&wanted, evidence);
}

/*
 * WASI does not tell who owns a file and who may do what: the host does, and all the rest with it. Anything else than files
 * and directories may act on being opened, or never end.
 */
static void observe(plugin_value config, plugin_evidence *evidence) {
    const char *path = plugin_string(config, "path");
    bool want_content = plugin_bool(config, "read_content"), want_hash = plugin_bool(config, "hash");
    if (path[0] != '/') {
        plugin_fail_field(evidence, "path", "must be an absolute path");
        return;
    }
    plugin_put_string(evidence, "path", path);
    plugin_file file = plugin_fs_examine(path, false);
    if (file.error) {
        fail(file.error, path, evidence);
        return;
    }
    plugin_put_bool(evidence, "exists", file.exists);
    if (!file.exists)
        return;
    bool is_link = is_a(&file, "symlink");
    plugin_put_bool(evidence, "is_symlink", is_link);
    if (is_link) {
        /* A link that leads nowhere, or where nothing is granted, is described itself. */
        plugin_file target = plugin_fs_examine(path, true);
        plugin_put_string(evidence, "symlink_target", file.target);
        if (!target.error && target.exists)
            file = target;
    }
    plugin_put_bool(evidence, "is_dir", is_a(&file, "directory"));
    plugin_put_int(evidence, "size", file.size);
    put_mod_time(&file, evidence);
    put_owner(&file, evidence);
    plugin_put_bool(evidence, "readable", file.readable);
    if ((want_content || want_hash) && !is_a(&file, "file") && !is_a(&file, "symlink"))
        plugin_fail(evidence, "validation", "NOT_A_FILE", "cannot read %s: it is no regular file", path);
    else if (want_content || want_hash)
        observe_content(path, want_content, want_hash, evidence);
}

const plugin_info plugin = {
    .name = "file",
    .version = "1.0.0",
    .description =
        "Observes a file: whether it exists, its kind, size, time, owner and permissions, and if wanted its "
        "content and hash",
    .capabilities = (const plugin_capability[]){{"fs", "read:**"}, {0}},
    .fields =
        (const plugin_field[]){{.name = "path",
                                .type = PLUGIN_STRING,
                                .required = true,
                                .description = "Absolute path of the file"},
                               {.name = "read_content",
                                .type = PLUGIN_BOOL,
                                .fallback = "false",
                                .description = "Put the content into the evidence, in base64, up to 512 KiB"},
                               {.name = "hash",
                                .type = PLUGIN_BOOL,
                                .fallback = "false",
                                .description = "Put the SHA-256 of the whole content into the evidence"},
                               {0}},
    .observe = observe,
};
