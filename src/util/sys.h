/*
 * sys.h - system calls that can fail in ways a test wants to see. Thin: they do what their namesakes do, and
 * set errno.
 */
#ifndef REGLET_UTIL_SYS_H
#define REGLET_UTIL_SYS_H

#include <linux/openat2.h>
#include <poll.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <time.h>

int reglet__sys_openat2(int dir, const char *path, const struct open_how *how);
int reglet__sys_openat(int dir, const char *path, int flags, mode_t mode);
int reglet__sys_fstat(int fd, struct stat *out);
int reglet__sys_fstatvfs(int fd, struct statvfs *out);
ssize_t reglet__sys_pread(int fd, void *out, size_t size, off_t offset);
ssize_t reglet__sys_write(int fd, const void *data, size_t size);
int reglet__sys_fsync(int fd);
int reglet__sys_renameat(int from, const char *old_path, int to, const char *new_path);
int reglet__sys_futimens(int fd, const struct timespec times[2]);
ssize_t reglet__sys_readlinkat(int dir, const char *path, char *out, size_t size);
int reglet__sys_eventfd(unsigned value, int flags);
int reglet__sys_ppoll(struct pollfd *fds, size_t count, const struct timespec *timeout);
ssize_t reglet__sys_getrandom(void *out, size_t size);
int reglet__sys_mlock(const void *memory, size_t size);
int reglet__sys_pipe2(int ends[2], int flags);
int reglet__sys_socketpair(int domain, int type, int ends[2]);
/* fork() without handlers (pthread_atfork), and of a child that ends without a signal and is waited for by its descriptor
 * alone, or with __WALL. */
pid_t reglet__sys_fork_unseen(int *pidfd);

#endif
