/*
 * functions.h - every function of wasi_snapshot_preview1, its signature, and its effect (engine/guest.h), once.
 *
 * Before something was opened, which reaches out, there are only the streams and the root. So fd_write is output, which comes
 * out once, and fd_fdstat_set_flags leaves what reglet__wasi_left() finds.
 */
#ifndef REGLET_WASI_FUNCTIONS_H
#define REGLET_WASI_FUNCTIONS_H

#include "engine/guest.h"

#define WASI_FUNCTIONS(X)                                                                                    \
    X(args_get, "ii->i", STAYS_IN)                                                                           \
    X(args_sizes_get, "ii->i", STAYS_IN)                                                                     \
    X(environ_get, "ii->i", STAYS_IN)                                                                        \
    X(environ_sizes_get, "ii->i", STAYS_IN)                                                                  \
    X(clock_res_get, "ii->i", STAYS_IN)                                                                      \
    X(clock_time_get, "iIi->i", STAYS_IN)                                                                    \
    X(fd_advise, "iIIi->i", REACHES_OUT)                                                                     \
    X(fd_allocate, "iII->i", REACHES_OUT)                                                                    \
    X(fd_close, "i->i", REACHES_OUT)                                                                         \
    X(fd_datasync, "i->i", REACHES_OUT)                                                                      \
    X(fd_fdstat_get, "ii->i", STAYS_IN)                                                                      \
    X(fd_fdstat_set_flags, "ii->i", STAYS_IN)                                                                \
    X(fd_fdstat_set_rights, "iII->i", REACHES_OUT)                                                           \
    X(fd_filestat_get, "ii->i", REACHES_OUT)                                                                 \
    X(fd_filestat_set_size, "iI->i", REACHES_OUT)                                                            \
    X(fd_filestat_set_times, "iIIi->i", REACHES_OUT)                                                         \
    X(fd_pread, "iiiIi->i", REACHES_OUT)                                                                     \
    X(fd_prestat_get, "ii->i", STAYS_IN)                                                                     \
    X(fd_prestat_dir_name, "iii->i", STAYS_IN)                                                               \
    X(fd_pwrite, "iiiIi->i", REACHES_OUT)                                                                    \
    X(fd_read, "iiii->i", REACHES_OUT)                                                                       \
    X(fd_readdir, "iiiIi->i", REACHES_OUT)                                                                   \
    X(fd_renumber, "ii->i", REACHES_OUT)                                                                     \
    X(fd_seek, "iIii->i", REACHES_OUT)                                                                       \
    X(fd_sync, "i->i", REACHES_OUT)                                                                          \
    X(fd_tell, "ii->i", REACHES_OUT)                                                                         \
    X(fd_write, "iiii->i", STAYS_IN)                                                                         \
    X(path_create_directory, "iii->i", REACHES_OUT)                                                          \
    X(path_filestat_get, "iiiii->i", REACHES_OUT)                                                            \
    X(path_filestat_set_times, "iiiiIIi->i", REACHES_OUT)                                                    \
    X(path_link, "iiiiiii->i", REACHES_OUT)                                                                  \
    X(path_open, "iiiiiIIii->i", REACHES_OUT)                                                                \
    X(path_readlink, "iiiiii->i", REACHES_OUT)                                                               \
    X(path_remove_directory, "iii->i", REACHES_OUT)                                                          \
    X(path_rename, "iiiiii->i", REACHES_OUT)                                                                 \
    X(path_symlink, "iiiii->i", REACHES_OUT)                                                                 \
    X(path_unlink_file, "iii->i", REACHES_OUT)                                                               \
    X(poll_oneoff, "iiii->i", REACHES_OUT)                                                                   \
    X(proc_exit, "i->", REACHES_OUT)                                                                         \
    X(proc_raise, "i->i", REACHES_OUT)                                                                       \
    X(random_get, "ii->i", DRAWS)                                                                            \
    X(sched_yield, "->i", STAYS_IN)                                                                          \
    X(sock_accept, "iii->i", REACHES_OUT)                                                                    \
    X(sock_recv, "iiiiii->i", REACHES_OUT)                                                                   \
    X(sock_send, "iiiii->i", REACHES_OUT)                                                                    \
    X(sock_shutdown, "ii->i", REACHES_OUT)

#define WASI_DECLARE(name, signature, effect)                                                                \
    bool reglet__preview1_##name(struct reglet__guest *guest, union reglet__slot *slots);
WASI_FUNCTIONS(WASI_DECLARE)
#undef WASI_DECLARE

#endif
