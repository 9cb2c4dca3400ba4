/*
 * reglet/error.h - what went wrong, in one line, with a code.
 *
 * Every function that can fail takes `reglet_error **err` as its last argument. It may be NULL. It is written
 * only on failure, and then with a new error that the caller frees; what it held before is not freed. There
 * is no per-thread "last error".
 */
#ifndef REGLET_ERROR_H
#define REGLET_ERROR_H

#include <reglet/base.h>

REGLET_BEGIN_DECLS

/** An error. Immutable; may be read from any thread. */
typedef struct reglet_error reglet_error;

/** The part of the library that reported an error. */
typedef enum reglet_domain {
    REGLET_DOMAIN_RUNTIME = 0, /**< options, names, the life of objects */
    REGLET_DOMAIN_POLICY,      /**< capabilities and grants */
    REGLET_DOMAIN_ENGINE,      /**< compiling and running WebAssembly */
    REGLET_DOMAIN_PLUGIN,      /**< the plugin's own behaviour and answers */
    REGLET_DOMAIN_WASI,        /**< files, clocks and the rest of preview1 */
    REGLET_DOMAIN_CONFIG       /**< a plugin's config */
} reglet_domain;

/** The status code, as the failing function returned it. REGLET_OK for NULL. */
REGLET_API reglet_status reglet_error_code(const reglet_error *error);

/** The reporting part. */
REGLET_API reglet_domain reglet_error_domain(const reglet_error *error);

/** One line of UTF-8 without control characters: what was wrong, where, what would be right. Borrowed from
 * the error. */
REGLET_API const char *reglet_error_message(const reglet_error *error);

/** The errno behind the error, or 0. */
REGLET_API int reglet_error_errno(const reglet_error *error);

/** Where in a capability the error is: the byte offset from its start, or -1 when that does not apply. */
REGLET_API ptrdiff_t reglet_error_offset(const reglet_error *error);

/** Frees an error. NULL is allowed. */
REGLET_API void reglet_error_free(reglet_error *error);

REGLET_END_DECLS

#endif
