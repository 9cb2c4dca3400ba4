/*
 * fsprobe - makes the file calls that its config lists, one by one and as they are: no library stands between the config
 * and the host, so that paths may hold NUL bytes and flags any nonsense.
 *
 *     {"op": "open", "path": "etc/hosts"}
 *     {"steps": [{"op": "open", "path": "d", "oflags": ["directory"]}, {"op": "readdir", "from": 0}]}
 *
 * Each step answers {"op", "errno": "OK" or a name, and what the call gave}. A step's fields: `op`, one of the table at
 * the end; `path`, `path2`; `fd`, `fd2` (descriptors, 3 when not given, the first preopen) or `from`, `from2` (the step
 * that opened them); `text`, `size`, `offset`, `access` (read, write, both, none), `rights`, `oflags`, `fdflags`,
 * `follow`. With `repeat` a step is done that often, and says how often each errno came, and how often what was read
 * contained `forbidden`.
 */
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

#include "reglet_plugin.h"

enum { MAX_STEPS = 64, MAX_TEXT = 65536, FIRST_PREOPEN = 3, ERRNO_COUNT = 77 };

/* The calls that take a path, with its length: wasi-libc's own stop at a NUL. */
#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(name)))
WASI("path_open")
int32_t raw_open(int32_t fd, uint32_t follow, const char *path, size_t size, uint32_t oflags, uint64_t rights,
                 uint64_t inheriting, uint32_t fdflags, int32_t *out);
WASI("path_filestat_get")
int32_t raw_stat(int32_t fd, uint32_t follow, const char *path, size_t size, __wasi_filestat_t *out);
WASI("path_filestat_set_times")
int32_t raw_utimens(int32_t fd, uint32_t follow, const char *path, size_t size, uint64_t accessed,
                    uint64_t modified, uint32_t flags);
WASI("path_rename")
int32_t raw_rename(int32_t fd, const char *path, size_t size, int32_t fd2, const char *path2, size_t size2);
WASI("path_link")
int32_t raw_link(int32_t fd, uint32_t follow, const char *path, size_t size, int32_t fd2, const char *path2,
                 size_t size2);
WASI("path_symlink")
int32_t raw_symlink(const char *target, size_t size, int32_t fd, const char *path, size_t size2);
WASI("path_readlink")
int32_t raw_readlink(int32_t fd, const char *path, size_t size, char *out, size_t out_size, size_t *used);
WASI("path_unlink_file") int32_t raw_unlink(int32_t fd, const char *path, size_t size);
WASI("path_create_directory") int32_t raw_mkdir(int32_t fd, const char *path, size_t size);
WASI("path_remove_directory") int32_t raw_rmdir(int32_t fd, const char *path, size_t size);

struct path {
    const char *text;
    size_t size;
};

/* One step, as it was asked. */
struct step {
    plugin_value config;
    struct path path, path2;
    int32_t fd, fd2;
    uint64_t size, offset;
    uint32_t follow;
};

/* What one call gave. */
struct outcome {
    int32_t fd; /* -1: none */
    const char *number_name;
    uint64_t number;
    const char *text_name;
    size_t text_size;
    bool has_stat, has_fdstat, is_listing;
    __wasi_filestat_t stat;
    __wasi_fdstat_t fdstat;
    char text[MAX_TEXT];
};

typedef int32_t (*operation)(const struct step *step, struct outcome *out);

/* Descriptors that earlier steps opened. */
static int32_t opened[MAX_STEPS];

/* ---- What is asked ------------------------------------------------------------------------------------------- */

struct name_bit {
    const char *name;
    uint32_t bit;
};

/* The bits of an array of names, such as ["creat", "trunc"]; of a number as it is. */
static uint32_t bits_of(plugin_value config, const char *key, const struct name_bit *names, size_t count) {
    plugin_value list = plugin_json(config, key);
    uint32_t bits = (uint32_t)plugin_int(config, key);
    for (size_t i = 0; plugin_item(list, i).text; i++)
        for (size_t n = 0; n < count; n++)
            if (strcmp(plugin_string(plugin_item(list, i), NULL), names[n].name) == 0)
                bits |= names[n].bit;
    return bits;
}

static uint32_t oflags_of(plugin_value config) {
    static const struct name_bit names[] = {{"creat", __WASI_OFLAGS_CREAT},
                                            {"directory", __WASI_OFLAGS_DIRECTORY},
                                            {"excl", __WASI_OFLAGS_EXCL},
                                            {"trunc", __WASI_OFLAGS_TRUNC}};
    return bits_of(config, "oflags", names, sizeof names / sizeof *names);
}

static uint32_t fdflags_of(plugin_value config) {
    static const struct name_bit names[] = {{"append", __WASI_FDFLAGS_APPEND},
                                            {"dsync", __WASI_FDFLAGS_DSYNC},
                                            {"nonblock", __WASI_FDFLAGS_NONBLOCK},
                                            {"rsync", __WASI_FDFLAGS_RSYNC},
                                            {"sync", __WASI_FDFLAGS_SYNC}};
    return bits_of(config, "fdflags", names, sizeof names / sizeof *names);
}

static uint64_t rights_of(plugin_value config) {
    static const uint64_t look = __WASI_RIGHTS_FD_FILESTAT_GET | __WASI_RIGHTS_FD_SEEK |
                                 __WASI_RIGHTS_FD_TELL | __WASI_RIGHTS_PATH_OPEN |
                                 __WASI_RIGHTS_PATH_FILESTAT_GET | __WASI_RIGHTS_PATH_READLINK;
    static const uint64_t read = __WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_READDIR;
    static const uint64_t write = __WASI_RIGHTS_FD_WRITE | __WASI_RIGHTS_FD_ALLOCATE |
                                  __WASI_RIGHTS_FD_FILESTAT_SET_SIZE | __WASI_RIGHTS_FD_FILESTAT_SET_TIMES;
    const char *access = plugin_string(config, "access");
    if (plugin_json(config, "rights").text)
        return (uint64_t)plugin_int(config, "rights");
    if (!access || strcmp(access, "read") == 0)
        return look | read;
    if (strcmp(access, "write") == 0)
        return look | write;
    return strcmp(access, "both") == 0 ? look | read | write : look;
}

static struct path path_of(plugin_value config, const char *key) {
    struct path path = {"", 0};
    const char *text = plugin_bytes(config, key, &path.size);
    if (text)
        path.text = text;
    return path;
}

static int32_t fd_of(plugin_value config, const char *fd, const char *from) {
    if (plugin_json(config, from).text)
        return opened[(uint64_t)plugin_int(config, from) % MAX_STEPS];
    return plugin_json(config, fd).text ? (int32_t)plugin_int(config, fd) : FIRST_PREOPEN;
}

static struct step step_of(plugin_value config) {
    return (struct step){.config = config,
                         .path = path_of(config, "path"),
                         .path2 = path_of(config, "path2"),
                         .fd = fd_of(config, "fd", "from"),
                         .fd2 = fd_of(config, "fd2", "from2"),
                         .size = (uint64_t)plugin_int(config, "size"),
                         .offset = (uint64_t)plugin_int(config, "offset"),
                         .follow = plugin_bool(config, "follow") ? __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW : 0};
}

/* ---- The calls ----------------------------------------------------------------------------------------------- */

static int32_t do_open(const struct step *step, struct outcome *out) {
    uint64_t rights = rights_of(step->config);
    return raw_open(step->fd, step->follow, step->path.text, step->path.size, oflags_of(step->config), rights,
                    rights, fdflags_of(step->config), &out->fd);
}

static int32_t do_close(const struct step *step, struct outcome *out) {
    (void)out;
    return __wasi_fd_close(step->fd);
}

static size_t wanted(const struct step *step) {
    return step->size && step->size < MAX_TEXT ? (size_t)step->size : MAX_TEXT;
}

static int32_t do_read(const struct step *step, struct outcome *out) {
    const __wasi_iovec_t vector = {(uint8_t *)out->text, wanted(step)};
    out->text_name = "content";
    return __wasi_fd_read(step->fd, &vector, 1, &out->text_size);
}

static int32_t do_pread(const struct step *step, struct outcome *out) {
    const __wasi_iovec_t vector = {(uint8_t *)out->text, wanted(step)};
    out->text_name = "content";
    return __wasi_fd_pread(step->fd, &vector, 1, step->offset, &out->text_size);
}

static int32_t do_write(const struct step *step, struct outcome *out) {
    struct path text = path_of(step->config, "text");
    const __wasi_ciovec_t vector = {(const uint8_t *)text.text, text.size};
    size_t written = 0;
    int32_t error = __wasi_fd_write(step->fd, &vector, 1, &written);
    out->number_name = "written";
    out->number = written;
    return error;
}

static int32_t do_pwrite(const struct step *step, struct outcome *out) {
    struct path text = path_of(step->config, "text");
    const __wasi_ciovec_t vector = {(const uint8_t *)text.text, text.size};
    size_t written = 0;
    int32_t error = __wasi_fd_pwrite(step->fd, &vector, 1, step->offset, &written);
    out->number_name = "written";
    out->number = written;
    return error;
}

/* open, one call on it, close: what a plugin does with a path. */
static int32_t on_opened(const struct step *step, struct outcome *out, operation then) {
    struct step inner = *step;
    int32_t error = do_open(step, out);
    if (error)
        return error;
    inner.fd = out->fd;
    error = then(&inner, out);
    int32_t close_error = __wasi_fd_close(out->fd);
    out->fd = -1;
    return error ? error : close_error;
}

static int32_t do_read_file(const struct step *step, struct outcome *out) {
    return on_opened(step, out, do_read);
}

static int32_t do_write_file(const struct step *step, struct outcome *out) {
    return on_opened(step, out, do_write);
}

static int32_t do_open_close(const struct step *step, struct outcome *out) {
    int32_t error = do_open(step, out);
    if (!error)
        error = __wasi_fd_close(out->fd);
    out->fd = -1;
    return error;
}

static int32_t do_readdir(const struct step *step, struct outcome *out) {
    out->is_listing = true;
    return __wasi_fd_readdir(step->fd, (uint8_t *)out->text, wanted(step), step->offset, &out->text_size);
}

static int32_t do_list(const struct step *step, struct outcome *out) {
    return on_opened(step, out, do_readdir);
}

static int32_t do_stat(const struct step *step, struct outcome *out) {
    out->has_stat = true;
    return raw_stat(step->fd, step->follow, step->path.text, step->path.size, &out->stat);
}

static int32_t do_fstat(const struct step *step, struct outcome *out) {
    out->has_stat = true;
    return __wasi_fd_filestat_get(step->fd, &out->stat);
}

static int32_t do_utimens(const struct step *step, struct outcome *out) {
    (void)out;
    return raw_utimens(step->fd, step->follow, step->path.text, step->path.size, step->offset, step->offset,
                       __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_MTIM);
}

static int32_t do_futimens(const struct step *step, struct outcome *out) {
    (void)out;
    return __wasi_fd_filestat_set_times(step->fd, step->offset, step->offset,
                                        __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_MTIM);
}

static int32_t do_rename(const struct step *step, struct outcome *out) {
    (void)out;
    return raw_rename(step->fd, step->path.text, step->path.size, step->fd2, step->path2.text,
                      step->path2.size);
}

static int32_t do_link(const struct step *step, struct outcome *out) {
    (void)out;
    return raw_link(step->fd, step->follow, step->path.text, step->path.size, step->fd2, step->path2.text,
                    step->path2.size);
}

/* `path` is where the link leads, `path2` the link. */
static int32_t do_symlink(const struct step *step, struct outcome *out) {
    (void)out;
    return raw_symlink(step->path.text, step->path.size, step->fd, step->path2.text, step->path2.size);
}

static int32_t do_readlink(const struct step *step, struct outcome *out) {
    out->text_name = "target";
    return raw_readlink(step->fd, step->path.text, step->path.size, out->text, wanted(step), &out->text_size);
}

static int32_t do_unlink(const struct step *step, struct outcome *out) {
    (void)out;
    return raw_unlink(step->fd, step->path.text, step->path.size);
}

static int32_t do_mkdir(const struct step *step, struct outcome *out) {
    (void)out;
    return raw_mkdir(step->fd, step->path.text, step->path.size);
}

static int32_t do_rmdir(const struct step *step, struct outcome *out) {
    (void)out;
    return raw_rmdir(step->fd, step->path.text, step->path.size);
}

static int32_t do_truncate(const struct step *step, struct outcome *out) {
    (void)out;
    return __wasi_fd_filestat_set_size(step->fd, step->size);
}

static int32_t do_allocate(const struct step *step, struct outcome *out) {
    (void)out;
    return __wasi_fd_allocate(step->fd, step->offset, step->size);
}

static int32_t do_seek(const struct step *step, struct outcome *out) {
    out->number_name = "position";
    return __wasi_fd_seek(step->fd, (int64_t)step->offset, (uint8_t)plugin_int(step->config, "whence"),
                          &out->number);
}

static int32_t do_sync(const struct step *step, struct outcome *out) {
    (void)out;
    return __wasi_fd_sync(step->fd);
}

/* `fd2` becomes what `fd` was. */
static int32_t do_renumber(const struct step *step, struct outcome *out) {
    (void)out;
    return __wasi_fd_renumber(step->fd, step->fd2);
}

static int32_t do_fdstat(const struct step *step, struct outcome *out) {
    out->has_fdstat = true;
    return __wasi_fd_fdstat_get(step->fd, &out->fdstat);
}

static int32_t do_set_rights(const struct step *step, struct outcome *out) {
    (void)out;
    uint64_t rights = rights_of(step->config);
    return __wasi_fd_fdstat_set_rights(step->fd, rights, rights);
}

static int32_t do_set_flags(const struct step *step, struct outcome *out) {
    (void)out;
    return __wasi_fd_fdstat_set_flags(step->fd, (uint16_t)fdflags_of(step->config));
}

static int32_t do_prestat(const struct step *step, struct outcome *out) {
    __wasi_prestat_t prestat;
    int32_t error = __wasi_fd_prestat_get(step->fd, &prestat);
    if (error)
        return error;
    out->text_name = "name";
    out->text_size = prestat.u.dir.pr_name_len < MAX_TEXT ? prestat.u.dir.pr_name_len : 0;
    return __wasi_fd_prestat_dir_name(step->fd, (uint8_t *)out->text, out->text_size);
}

static int32_t do_sock_shutdown(const struct step *step, struct outcome *out) {
    (void)out;
    return __wasi_sock_shutdown(step->fd, __WASI_SDFLAGS_RD | __WASI_SDFLAGS_WR);
}

static const struct {
    const char *name;
    operation run;
} operations[] = {
    {"open", do_open},
    {"close", do_close},
    {"open_close", do_open_close},
    {"read", do_read},
    {"pread", do_pread},
    {"write", do_write},
    {"pwrite", do_pwrite},
    {"read_file", do_read_file},
    {"write_file", do_write_file},
    {"readdir", do_readdir},
    {"list", do_list},
    {"stat", do_stat},
    {"fstat", do_fstat},
    {"utimens", do_utimens},
    {"futimens", do_futimens},
    {"rename", do_rename},
    {"link", do_link},
    {"symlink", do_symlink},
    {"readlink", do_readlink},
    {"unlink", do_unlink},
    {"mkdir", do_mkdir},
    {"rmdir", do_rmdir},
    {"truncate", do_truncate},
    {"allocate", do_allocate},
    {"seek", do_seek},
    {"sync", do_sync},
    {"renumber", do_renumber},
    {"fdstat", do_fdstat},
    {"set_rights", do_set_rights},
    {"set_flags", do_set_flags},
    {"prestat", do_prestat},
    {"sock_shutdown", do_sock_shutdown},
};

/* ---- What is answered ---------------------------------------------------------------------------------------- */

static void put_listing(plugin_evidence *evidence, const struct outcome *out) {
    static const char *const types[] = {"unknown", "block",  "character", "directory",
                                        "file",    "socket", "socket",    "symlink"};
    plugin_begin_array(evidence, "entries");
    for (size_t at = 0; at + sizeof(__wasi_dirent_t) <= out->text_size;) {
        __wasi_dirent_t entry;
        memcpy(&entry, out->text + at, sizeof entry);
        at += sizeof entry;
        if (entry.d_namlen > out->text_size - at)
            break; /* cut off at the end of the buffer */
        plugin_begin_object(evidence, NULL);
        plugin_put_text(evidence, "name", out->text + at, entry.d_namlen);
        plugin_put_string(evidence, "type", entry.d_type < 8 ? types[entry.d_type] : "invalid");
        plugin_put_int(evidence, "inode", (int64_t)entry.d_ino);
        plugin_put_int(evidence, "next", (int64_t)entry.d_next);
        plugin_end(evidence);
        at += entry.d_namlen;
    }
    plugin_end(evidence);
}

static void put_stat(plugin_evidence *evidence, const __wasi_filestat_t *stat) {
    plugin_put_int(evidence, "type", stat->filetype);
    plugin_put_int(evidence, "size", (int64_t)stat->size);
    plugin_put_int(evidence, "device", (int64_t)stat->dev);
    plugin_put_int(evidence, "inode", (int64_t)stat->ino);
    plugin_put_int(evidence, "links", (int64_t)stat->nlink);
    plugin_put_int(evidence, "modified", (int64_t)stat->mtim);
}

static void put_outcome(plugin_evidence *evidence, int32_t error, const struct outcome *out) {
    plugin_put_string(evidence, "errno", plugin_errno_name(error));
    plugin_put_int(evidence, "errno_number", error);
    if (error)
        return;
    if (out->fd >= 0)
        plugin_put_int(evidence, "fd", out->fd);
    if (out->number_name)
        plugin_put_int(evidence, out->number_name, (int64_t)out->number);
    if (out->text_name) {
        plugin_put_text(evidence, out->text_name, out->text, out->text_size);
        plugin_put_int(evidence, "bytes", (int64_t)out->text_size);
    }
    if (out->is_listing)
        put_listing(evidence, out);
    if (out->has_stat)
        put_stat(evidence, &out->stat);
    if (out->has_fdstat) {
        plugin_put_int(evidence, "type", out->fdstat.fs_filetype);
        plugin_put_int(evidence, "flags", out->fdstat.fs_flags);
        plugin_put_int(evidence, "rights", (int64_t)out->fdstat.fs_rights_base);
        plugin_put_int(evidence, "inheriting", (int64_t)out->fdstat.fs_rights_inheriting);
    }
}

static bool contains(const struct outcome *out, struct path part) {
    for (size_t at = 0; part.size && at + part.size <= out->text_size; at++)
        if (memcmp(out->text + at, part.text, part.size) == 0)
            return true;
    return false;
}

/* Counts what came of it: one call among a million that gets through is what an attack on timing needs. */
static void repeat(operation run, const struct step *step, int64_t times, struct outcome *out,
                   plugin_evidence *evidence) {
    struct path forbidden = path_of(step->config, "forbidden");
    int64_t counts[ERRNO_COUNT] = {0}, leaked = 0;
    for (int64_t i = 0; i < times; i++) {
        out->text_size = 0;
        counts[(uint32_t)run(step, out) % ERRNO_COUNT]++;
        leaked += contains(out, forbidden);
    }
    plugin_put_int(evidence, "leaked", leaked);
    plugin_begin_object(evidence, "counts");
    for (int i = 0; i < ERRNO_COUNT; i++)
        if (counts[i])
            plugin_put_int(evidence, plugin_errno_name(i), counts[i]);
    plugin_end(evidence);
}

static operation operation_named(const char *name) {
    for (size_t i = 0; name && i < sizeof operations / sizeof *operations; i++)
        if (strcmp(operations[i].name, name) == 0)
            return operations[i].run;
    return NULL;
}

static bool run_step(plugin_value config, size_t index, plugin_evidence *evidence) {
    static struct outcome out;
    const char *name = plugin_string(config, "op");
    operation run = operation_named(name);
    if (!run) {
        plugin_fail(evidence, "config", "UNKNOWN_OP", "step %zu: op %s is none", index,
                    name ? name : "(not given)");
        return false;
    }
    struct step step = step_of(config);
    int64_t times = plugin_int(config, "repeat");
    memset(&out, 0, sizeof out);
    out.fd = -1;
    plugin_put_string(evidence, "op", name);
    if (times > 0)
        repeat(run, &step, times, &out, evidence);
    else
        put_outcome(evidence, run(&step, &out), &out);
    opened[index % MAX_STEPS] = out.fd;
    return true;
}

static void observe(plugin_value config, plugin_evidence *evidence) {
    plugin_value steps = plugin_json(config, "steps"), step;
    if (!steps.text) {
        run_step(config, 0, evidence);
        return;
    }
    plugin_begin_array(evidence, "steps");
    for (size_t i = 0; (step = plugin_item(steps, i)).text; i++) {
        plugin_begin_object(evidence, NULL);
        if (!run_step(step, i, evidence))
            return;
        plugin_end(evidence);
    }
}

const plugin_info plugin = {
    .name = "fsprobe",
    .version = "1.0.0",
    .description = "Makes the file calls that it is told to",
    .capabilities = (const plugin_capability[]){{"fs", "read:**"}, {"fs", "write:**"}, {0}},
    .fields =
        (const plugin_field[]){
            {.name = "op", .type = PLUGIN_STRING, .description = "The call, when there is only one"},
            {.name = "steps",
             .type = PLUGIN_ARRAY,
             .description = "Several calls, each an object with an op"},
            {0}},
    .observe = observe,
};
