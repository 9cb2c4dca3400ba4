/*
 * secret.h - memory for what must not get out: never swapped to disk, not in core dumps, wiped before it is given back.
 */
#ifndef REGLET_UTIL_SECRET_H
#define REGLET_UTIL_SECRET_H

#include <reglet/error.h>

/* Zeroed, in whole pages of its own. IO: it cannot be locked (RLIMIT_MEMLOCK), errno is in the error; NO_MEMORY. */
reglet_status reglet__secret_new(size_t size, void **out, reglet_error **err);

/* Wipes and frees; `size` as it was asked for. NULL is allowed. */
void reglet__secret_free(void *memory, size_t size);

#endif
