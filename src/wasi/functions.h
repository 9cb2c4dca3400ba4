/*
 * functions.h - every function of wasi_snapshot_preview1, its signature, and whether it is repeatable (engine/guest.h), once.
 *
 * fd_write and fd_fdstat_set_flags are, because nothing but stdio is open before something was opened, which is not.
 */
#ifndef REGLET_WASI_FUNCTIONS_H
#define REGLET_WASI_FUNCTIONS_H

#include "engine/guest.h"

#define WASI_FUNCTIONS(X)                                                                                    \
    X(args_get, "ii->i", true)                                                                               \
    X(args_sizes_get, "ii->i", true)                                                                         \
    X(environ_get, "ii->i", true)                                                                            \
    X(environ_sizes_get, "ii->i", true)                                                                      \
    X(clock_res_get, "ii->i", true)                                                                          \
    X(clock_time_get, "iIi->i", true)                                                                        \
    X(fd_advise, "iIIi->i", false)                                                                           \
    X(fd_allocate, "iII->i", false)                                                                          \
    X(fd_close, "i->i", false)                                                                               \
    X(fd_datasync, "i->i", false)                                                                            \
    X(fd_fdstat_get, "ii->i", true)                                                                          \
    X(fd_fdstat_set_flags, "ii->i", true)                                                                    \
    X(fd_fdstat_set_rights, "iII->i", false)                                                                 \
    X(fd_filestat_get, "ii->i", false)                                                                       \
    X(fd_filestat_set_size, "iI->i", false)                                                                  \
    X(fd_filestat_set_times, "iIIi->i", false)                                                               \
    X(fd_pread, "iiiIi->i", false)                                                                           \
    X(fd_prestat_get, "ii->i", true)                                                                         \
    X(fd_prestat_dir_name, "iii->i", true)                                                                   \
    X(fd_pwrite, "iiiIi->i", false)                                                                          \
    X(fd_read, "iiii->i", false)                                                                             \
    X(fd_readdir, "iiiIi->i", false)                                                                         \
    X(fd_renumber, "ii->i", false)                                                                           \
    X(fd_seek, "iIii->i", false)                                                                             \
    X(fd_sync, "i->i", false)                                                                                \
    X(fd_tell, "ii->i", false)                                                                               \
    X(fd_write, "iiii->i", true)                                                                             \
    X(path_create_directory, "iii->i", false)                                                                \
    X(path_filestat_get, "iiiii->i", false)                                                                  \
    X(path_filestat_set_times, "iiiiIIi->i", false)                                                          \
    X(path_link, "iiiiiii->i", false)                                                                        \
    X(path_open, "iiiiiIIii->i", false)                                                                      \
    X(path_readlink, "iiiiii->i", false)                                                                     \
    X(path_remove_directory, "iii->i", false)                                                                \
    X(path_rename, "iiiiii->i", false)                                                                       \
    X(path_symlink, "iiiii->i", false)                                                                       \
    X(path_unlink_file, "iii->i", false)                                                                     \
    X(poll_oneoff, "iiii->i", false)                                                                         \
    X(proc_exit, "i->", false)                                                                               \
    X(proc_raise, "i->i", false)                                                                             \
    X(random_get, "ii->i", true)                                                                             \
    X(sched_yield, "->i", true)                                                                              \
    X(sock_accept, "iii->i", false)                                                                          \
    X(sock_recv, "iiiiii->i", false)                                                                         \
    X(sock_send, "iiiii->i", false)                                                                          \
    X(sock_shutdown, "ii->i", false)

#define WASI_DECLARE(name, signature, repeatable)                                                            \
    bool reglet__preview1_##name(struct reglet__guest *guest, union reglet__slot *slots);
WASI_FUNCTIONS(WASI_DECLARE)
#undef WASI_DECLARE

#endif
