/*
 * reglet/result.h - what an observation gave: evidence, or an error of the plugin, never mixed up.
 */
#ifndef REGLET_RESULT_H
#define REGLET_RESULT_H

#include <reglet/error.h>

REGLET_BEGIN_DECLS

/** The result of one observe. Immutable; may be read from any thread. Everything it hands out is borrowed
 * from it. */
typedef struct reglet_result reglet_result;

/** Evidence: the plugin ran and answered, with yes or with no. Part of its result. */
typedef struct reglet_evidence reglet_evidence;

/** A failure that the plugin itself reports inside its evidence. Text that it left out is "". */
typedef struct reglet_evidence_error {
    size_t struct_size;
    const char *message;
    const char *type; /**< such as "network", "config", "capability" */
    const char *code;
    bool is_timeout;
    bool is_not_found;
    const char *json; /**< the whole error as JSON, with wrapped, details and stack */
} reglet_evidence_error;

/** The evidence, or NULL when the plugin gave none: then there is a plugin error. */
REGLET_API const reglet_evidence *reglet_result_evidence(const reglet_result *result);

/** REGLET_OK when there is evidence; otherwise why the plugin gave none: trap, timeout, a limit, … */
REGLET_API reglet_status reglet_result_error_code(const reglet_result *result);

/** The plugin error's one-line message, or NULL when there is evidence. */
REGLET_API const char *reglet_result_error_message(const reglet_result *result);

/** The guest's own exit code when reglet_result_error_code() is REGLET_ERR_EXIT, else -1. */
REGLET_API int64_t reglet_result_exit_code(const reglet_result *result);

/**
 * How many secrets were replaced in the evidence, or in the plugin error's message: each is one "[REDACTED]" or "[hmac:…]". One
 * that the plugin wrote itself is not counted.
 */
REGLET_API uint64_t reglet_result_redactions(const reglet_result *result);

/**
 * The whole result as one JSON object on one line: {"evidence": {…} | null, "error": {"code", "message"} |
 * null}. Evidence has status, error, timestamp, data, raw; message where the plugin sent one; evidence_meta
 * where it was shortened, or where secrets were replaced ({"redactions": n}). NUL-terminated.
 *
 * @param size  receives the length without the NUL; may be NULL
 */
REGLET_API const char *reglet_result_json(const reglet_result *result, size_t *size);

/** Did the observation succeed? */
REGLET_API bool reglet_evidence_status(const reglet_evidence *evidence);

/** The failure the plugin reports, or NULL. */
REGLET_API const reglet_evidence_error *reglet_evidence_get_error(const reglet_evidence *evidence);

/** RFC 3339, up to nanoseconds; the host's own clock when the plugin set none. */
REGLET_API const char *reglet_evidence_timestamp(const reglet_evidence *evidence);

/** Structured evidence as JSON (an object), or NULL. Numbers keep the plugin's text. */
REGLET_API const char *reglet_evidence_data_json(const reglet_evidence *evidence, size_t *size);

/** Unstructured evidence, or NULL. It may hold NUL bytes: use the size. */
REGLET_API const char *reglet_evidence_raw(const reglet_evidence *evidence, size_t *size);

/** The plugin's message beside its status (second ABI generation), or NULL. */
REGLET_API const char *reglet_evidence_message(const reglet_evidence *evidence);

/** Whether it was shortened to the runtime's max_evidence_bytes. */
REGLET_API bool reglet_evidence_truncated(const reglet_evidence *evidence);

/** Frees a result with its evidence. NULL is allowed. Any thread. */
REGLET_API void reglet_result_free(reglet_result *result);

REGLET_END_DECLS

#endif
