/*
 * reglet/base.h - what every other header needs: symbol visibility, version, status codes.
 */
#ifndef REGLET_BASE_H
#define REGLET_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define REGLET_API              __attribute__((visibility("default")))
#define REGLET_PRINTF(fmt, arg) __attribute__((format(printf, fmt, arg)))
#else
#define REGLET_API
#define REGLET_PRINTF(fmt, arg)
#endif

/* REGLET_STRUCT_INIT: only struct_size is set, in words that no compiler warns about. */
#ifdef __cplusplus
#define REGLET_BEGIN_DECLS extern "C" {
#define REGLET_END_DECLS   }
#define REGLET_STRUCT_INIT(type)                                                                             \
    []() -> type {                                                                                           \
        type init = {};                                                                                      \
        init.struct_size = sizeof(type);                                                                     \
        return init;                                                                                         \
    }()
#else
#define REGLET_BEGIN_DECLS
#define REGLET_END_DECLS
#define REGLET_STRUCT_INIT(type)                                                                             \
    { .struct_size = sizeof(type) }
#endif

/** Version of the headers. The library's own is reglet_version(); REGLET_ABI_VERSION is the SONAME's number. */
#define REGLET_VERSION_MAJOR  0
#define REGLET_VERSION_MINOR  1
#define REGLET_VERSION_PATCH  0
#define REGLET_VERSION_STRING "0.1.0"
#define REGLET_ABI_VERSION    0

REGLET_BEGIN_DECLS

/**
 * What every function that can fail returns: 0, or one of these negative codes. The values never change
 * meaning; new ones are added at the end. reglet_status_name() gives the stable lower-case name that the
 * command line and JSON results use.
 */
typedef enum reglet_status {
    REGLET_OK = 0,

    /* The caller's side. */
    REGLET_ERR_INVALID_ARGUMENT =
        -1,                    /**< NULL where an object is required, a bad option value, a bad struct_size */
    REGLET_ERR_NO_MEMORY = -2, /**< the host is out of memory */
    REGLET_ERR_INVALID_GRANT = -3, /**< a capability does not parse; the message points at the character */
    REGLET_ERR_INVALID_CONFIG =
        -4, /**< the plugin's config is not a JSON object, or not what its schema asks for */
    REGLET_ERR_IO =
        -5, /**< a file or directory of the host could not be used, or no descriptor is left; errno,
                                       where there is one, is in the error */
    REGLET_ERR_UNSUPPORTED = -6,  /**< this system lacks what is needed; the message names it */
    REGLET_ERR_THREAD_STACK = -7, /**< the calling thread's stack is too small for a call; nothing was run */
    REGLET_ERR_CLOSED = -8,       /**< the plugin or its runtime was closed */

    /* Loading. */
    REGLET_ERR_NOT_LOADED = -20,     /**< no plugin of that name is loaded */
    REGLET_ERR_NAME_TAKEN = -21,     /**< that name is loaded with other bytes */
    REGLET_ERR_INVALID_MODULE = -22, /**< the bytes are no WebAssembly module or component that validates */
    REGLET_ERR_UNKNOWN_IMPORT =
        -23, /**< the module imports what the host does not provide; the message names it */
    REGLET_ERR_SIGNATURE = -24,    /**< an import or export has another signature; the message has both */
    REGLET_ERR_MODULE_SIZE = -25,  /**< the module is larger than the limit */
    REGLET_ERR_PIN_MISMATCH = -26, /**< the module's SHA-256 is not the one its grants are pinned to */

    /* A call that ran, and did not end properly. */
    REGLET_ERR_MISSING_EXPORT = -40, /**< the module does not export what was called */
    REGLET_ERR_TRAP = -41,           /**< the guest trapped */
    REGLET_ERR_EXIT = -42,           /**< the guest called proc_exit; the message has its code */
    REGLET_ERR_TIMEOUT = -43,        /**< the call's deadline passed */
    REGLET_ERR_CANCELLED = -44,      /**< the call's token was cancelled */
    REGLET_ERR_BAD_OUTPUT =
        -45, /**< the guest's answer is outside its memory, not JSON, or not of the right shape */
    REGLET_ERR_PLUGIN = -46, /**< the plugin answered with an error of its own (describe, schema) */
    REGLET_ERR_DENIED =
        -47, /**< a capability was missing where that ends the call; or what was asked for is what no
                                    grant reaches (a preopened directory) */

    REGLET_ERR_REPLAY = -48, /**< the plugin went another way than the recording that is replayed */

    /* Limits. */
    REGLET_ERR_MEMORY_LIMIT = -60, /**< the guest wanted more memory than it may have */
    REGLET_ERR_TABLE_LIMIT = -61,  /**< the guest wanted more table elements than it may have */
    REGLET_ERR_STACK_LIMIT = -62,  /**< the guest's call stack is exhausted */
    REGLET_ERR_RESULT_LIMIT = -63, /**< the guest's answer is larger than the host will read */
    REGLET_ERR_OUTPUT_LIMIT = -64, /**< the guest wrote more to stdout and stderr than it may */
    REGLET_ERR_LOG_LIMIT = -65,    /**< the guest logged more messages, or more bytes in them, than it may */
    REGLET_ERR_HOST_CALL_LIMIT = -66, /**< the guest called host functions more often than it may */
    REGLET_ERR_NETWORK_LIMIT =
        -67, /**< the guest received, or sent, more bytes over the network than it may */
    REGLET_ERR_COMMAND_LIMIT = -68, /**< the guest ran more commands than it may */
    REGLET_ERR_FILE_LIMIT = -69,    /**< the guest had more files open at once than it may */

    REGLET_ERR_INTERNAL = -99 /**< a bug in this library or its engine; please report it */
} reglet_status;

/** The code's stable name, such as "timeout" or "memory_limit"; "unknown" for a value that is none. Never
 * NULL. */
REGLET_API const char *reglet_status_name(reglet_status status);

/** The library's version, such as "0.1.0". Static storage. Any thread. */
REGLET_API const char *reglet_version(void);

/** The engine and its version, such as "wasmtime 48.0.8". Static storage. Any thread. */
REGLET_API const char *reglet_engine_version(void);

/**
 * Whether the kernel says which pages of a plugin's memory a call has written (PAGEMAP_SCAN, Linux 6.7 or newer, through
 * /proc/self/pagemap). Where it does not, all of them are given back after each call and made anew for the next one: calls
 * answer the same, but take longer, and threads wait for each other in the kernel. The answer stays the same for the life
 * of the process. Any thread.
 */
REGLET_API bool reglet_engine_scans_memory(void);

REGLET_END_DECLS

#endif
