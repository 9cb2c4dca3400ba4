#include "recording/shape.h"

#include <string.h>

#include "util/cleanup.h"
#include "wasi/preview1.h"

static const struct reglet__layout filestat = {WASI_FILESTAT_SIZE,
                                               {{"dev", 0, 8},
                                                {"ino", WASI_FILESTAT_INO, 8},
                                                {"type", WASI_FILESTAT_TYPE, 1},
                                                {"nlink", WASI_FILESTAT_NLINK, 8},
                                                {"size", WASI_FILESTAT_SIZE_FIELD, 8},
                                                {"atim", WASI_FILESTAT_ATIM, 8},
                                                {"mtim", WASI_FILESTAT_MTIM, 8},
                                                {"ctim", WASI_FILESTAT_CTIM, 8}}},
                                   fdstat = {WASI_FDSTAT_SIZE,
                                             {{"type", 0, 1},
                                              {"flags", WASI_FDSTAT_FLAGS, 2},
                                              {"rights", WASI_FDSTAT_RIGHTS, 8},
                                              {"inheriting", WASI_FDSTAT_INHERITING, 8}}},
                                   descriptor = {4, {{"fd", 0, 4}}}, offset = {8, {{"offset", 0, 8}}},
                                   written = {4, {{"size", 0, 4}}}, time = {8, {{"time", 0, 8}}};

/* clang-format off */
#define NUMBER(name)   {PART_NUMBER, name, NULL}
#define SKIP           {PART_SKIP, NULL, NULL}
#define TEXT(name)     {PART_TEXT, name, NULL}
#define GATHER(name)   {PART_GATHER, name, NULL}
#define FIELDS(layout) {PART_FIELDS, NULL, &(layout)}
#define BYTES(name)    {PART_BYTES, name, NULL}
#define ENTRIES        {PART_ENTRIES, "entries", NULL}
#define SCATTER        {PART_SCATTER, "data", NULL}
#define USED           {PART_USED, NULL, NULL}
#define PASSES(name)         {name, SHAPE_PASSES, {{PART_END, NULL, NULL}}, false}
#define SERIES(name, kind)   {name, SHAPE_##kind, {{PART_END, NULL, NULL}}, false}
#define ON_FD(name, ...)     {name, SHAPE_IN_ORDER, {NUMBER("fd"), __VA_ARGS__}, true}
#define ON_PATH(name, ...)   {name, SHAPE_IN_ORDER, {__VA_ARGS__}, false}

const struct reglet__shape reglet__shapes[] = {
    SERIES("args_get", STRINGS),
    SERIES("args_sizes_get", STRING_SIZES),
    SERIES("environ_get", STRINGS),
    SERIES("environ_sizes_get", STRING_SIZES),
    {"clock_res_get", SHAPE_CLOCK, {NUMBER("id"), FIELDS(time)}, false},
    {"clock_time_get", SHAPE_CLOCK, {NUMBER("id"), SKIP, FIELDS(time)}, false},
    SERIES("random_get", RANDOM),
    SERIES("poll_oneoff", POLL),

    ON_FD("fd_advise", NUMBER("offset"), NUMBER("size"), NUMBER("advice")),
    ON_FD("fd_allocate", NUMBER("offset"), NUMBER("size")),
    {"fd_close", SHAPE_IN_ORDER, {NUMBER("fd")}, true},
    {"fd_datasync", SHAPE_IN_ORDER, {NUMBER("fd")}, true},
    ON_FD("fd_fdstat_get", FIELDS(fdstat)),
    ON_FD("fd_fdstat_set_flags", NUMBER("flags")),
    ON_FD("fd_fdstat_set_rights", NUMBER("rights"), NUMBER("inheriting")),
    ON_FD("fd_filestat_get", FIELDS(filestat)),
    ON_FD("fd_filestat_set_size", NUMBER("size")),
    ON_FD("fd_filestat_set_times", NUMBER("atim"), NUMBER("mtim"), NUMBER("flags")),
    ON_FD("fd_pread", SCATTER, NUMBER("offset"), USED),
    ON_FD("fd_pwrite", GATHER("data"), NUMBER("offset"), FIELDS(written)),
    ON_FD("fd_read", SCATTER, USED),
    ON_FD("fd_readdir", ENTRIES, NUMBER("cookie"), USED),
    ON_FD("fd_renumber", NUMBER("to")),
    ON_FD("fd_seek", NUMBER("offset"), NUMBER("whence"), FIELDS(offset)),
    {"fd_sync", SHAPE_IN_ORDER, {NUMBER("fd")}, true},
    ON_FD("fd_tell", FIELDS(offset)),
    ON_FD("fd_write", GATHER("data"), FIELDS(written)),

    ON_PATH("path_create_directory", NUMBER("fd"), TEXT("path")),
    ON_PATH("path_filestat_get", NUMBER("fd"), NUMBER("lookup"), TEXT("path"), FIELDS(filestat)),
    ON_PATH("path_filestat_set_times", NUMBER("fd"), NUMBER("lookup"), TEXT("path"), NUMBER("atim"), NUMBER("mtim"),
            NUMBER("flags")),
    ON_PATH("path_link", NUMBER("fd"), NUMBER("lookup"), TEXT("path"), NUMBER("to_fd"), TEXT("to")),
    ON_PATH("path_open", NUMBER("fd"), NUMBER("lookup"), TEXT("path"), NUMBER("oflags"), NUMBER("rights"),
            NUMBER("inheriting"), NUMBER("fdflags"), FIELDS(descriptor)),
    ON_PATH("path_readlink", NUMBER("fd"), TEXT("path"), BYTES("target"), USED),
    ON_PATH("path_remove_directory", NUMBER("fd"), TEXT("path")),
    ON_PATH("path_rename", NUMBER("fd"), TEXT("path"), NUMBER("to_fd"), TEXT("to")),
    ON_PATH("path_symlink", TEXT("target"), NUMBER("fd"), TEXT("path")),
    ON_PATH("path_unlink_file", NUMBER("fd"), TEXT("path")),

    /* What is preopened is the same in every call; sockets there are none. */
    PASSES("fd_prestat_get"), PASSES("fd_prestat_dir_name"), PASSES("proc_exit"), PASSES("proc_raise"),
    PASSES("sched_yield"), PASSES("sock_accept"), PASSES("sock_recv"), PASSES("sock_send"), PASSES("sock_shutdown"),
};
/* clang-format on */
const size_t reglet__shape_count = ARRAY_LEN(reglet__shapes);

const struct reglet__shape *reglet__shape_find(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(reglet__shapes); i++)
        if (strcmp(reglet__shapes[i].name, name) == 0)
            return &reglet__shapes[i];
    return NULL;
}

unsigned reglet__part_slots(enum reglet__part_kind kind) {
    switch (kind) {
    case PART_END: return 0;
    case PART_NUMBER:
    case PART_SKIP:
    case PART_FIELDS:
    case PART_USED: return 1;
    default: return 2;
    }
}

#define NAME(name) [WASI_##name] = #name
static const char *const errno_names[] = {
    NAME(E2BIG),   NAME(EACCES),     NAME(EAGAIN),   NAME(EBADF),   NAME(EBUSY),  NAME(EDQUOT),
    NAME(EEXIST),  NAME(EFAULT),     NAME(EFBIG),    NAME(EILSEQ),  NAME(EINTR),  NAME(EINVAL),
    NAME(EIO),     NAME(EISDIR),     NAME(ELOOP),    NAME(EMFILE),  NAME(EMLINK), NAME(ENAMETOOLONG),
    NAME(ENFILE),  NAME(ENODEV),     NAME(ENOENT),   NAME(ENOMEM),  NAME(ENOSPC), NAME(ENOSYS),
    NAME(ENOTDIR), NAME(ENOTEMPTY),  NAME(ENOTSOCK), NAME(ENOTSUP), NAME(ENXIO),  NAME(EOVERFLOW),
    NAME(EPERM),   NAME(EPIPE),      NAME(EROFS),    NAME(ESPIPE),  NAME(ESTALE), NAME(ETXTBSY),
    NAME(EXDEV),   NAME(ENOTCAPABLE)};

const char *reglet__preview1_errno_name(uint32_t number) {
    return number < ARRAY_LEN(errno_names) ? errno_names[number] : NULL;
}

int reglet__preview1_errno_number(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(errno_names); i++)
        if (errno_names[i] && strcmp(errno_names[i], name) == 0)
            return (int)i;
    return -1;
}
