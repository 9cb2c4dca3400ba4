/*
 * cleanup.h - scope-bound cleanup, and handing things out of a scope.
 *
 *     _cleanup_fd_ int fd = -1;
 *     _cleanup_free_ char *text = strdup(...);
 *     return take_ptr(text);
 */
#ifndef REGLET_UTIL_CLEANUP_H
#define REGLET_UTIL_CLEANUP_H

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

/* Defines `static inline void function##_p(type *p)`, which calls function(*p) when *p is not NULL. */
#define REGLET_DEFINE_CLEANUP(type, function)                                                                \
    static inline void function##_p(type *p) {                                                               \
        if (*p)                                                                                              \
            function(*p);                                                                                    \
    }                                                                                                        \
    struct reglet__semicolon

static inline void reglet__free_p(void *p) {
    free(*(void **)p);
}
static inline void reglet__close_p(const int *fd) {
    if (*fd >= 0)
        close(*fd);
}
static inline int reglet__take_fd(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}

REGLET_DEFINE_CLEANUP(DIR *, closedir);

#define _cleanup_free_   _cleanup_(reglet__free_p)
#define _cleanup_fd_     _cleanup_(reglet__close_p)
#define _cleanup_closed_ _cleanup_(closedir_p)

#define take_ptr(pointer)                                                                                    \
    (__extension__({                                                                                         \
        __typeof__(pointer) taken_ = (pointer);                                                              \
        (pointer) = NULL;                                                                                    \
        taken_;                                                                                              \
    }))
#define take_fd(fd) reglet__take_fd(&(fd))

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#endif
