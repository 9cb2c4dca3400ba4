/*
 * reglet/redactor.h - what may leave: secrets are found in everything that plugins give, and replaced.
 *
 * A redactor stands between plugins and every exit of a runtime: evidence, errors, logs, standard output and error, audit
 * records, recordings. A runtime that is given none has the library's own rules. It finds
 *   - what the rules for well-known credentials describe (built in, or of a rule file),
 *   - what the operator's own patterns match,
 *   - what stands under the operator's paths in structured evidence and in the attributes of log messages,
 *   - known values: secrets that were named, plain, JSON-escaped, URL-encoded, in base64 at any offset, in hexadecimal and in
 *     UTF-16.
 * It is no defence against a plugin that wants to disguise a secret (reversed, encrypted, one letter a line): what such a
 * plugin may read must not be granted to it.
 */
#ifndef REGLET_REDACTOR_H
#define REGLET_REDACTOR_H

#include <reglet/error.h>

REGLET_BEGIN_DECLS

/** A redactor. Reference counted. Every function on it may be called from any thread. */
typedef struct reglet_redactor reglet_redactor;

/** A secret that is known. Copied into memory that is locked, kept out of core dumps, and wiped when it is freed. */
typedef struct reglet_secret {
    const void *bytes; /**< 4 bytes or more, or it would be found everywhere */
    size_t size;
} reglet_secret;

/** Options of a redactor. All zero (but struct_size) is the built-in rules, and "[REDACTED]". Everything is copied. */
typedef struct reglet_redactor_options {
    size_t struct_size; /**< sizeof(reglet_redactor_options); REGLET_REDACTOR_OPTIONS_INIT sets it */

    /** Regular expressions, in the syntax of RE2 as far as the matcher takes it (no look-around, no back references). The
     * first group is what is replaced; without one, the whole match. */
    const char *const *patterns;
    size_t pattern_count;

    /** Paths whose values are replaced as a whole, whatever they are: "password" (under any parent), "db.credentials.*",
     * "items[*].token", "list[2]". Names are compared without regard to (ASCII) case. */
    const char *const *paths;
    size_t path_count;

    const reglet_secret *secrets; /**< known values */
    size_t secret_count;

    /** A rule file in gitleaks' TOML format, read now; NULL: none. */
    const char *rules_file;
    bool no_builtin_rules; /**< without the rules for well-known credentials */

    /** Replaces a secret by "[hmac:" and 32 hexadecimal digits (HMAC-SHA256 with this salt, cut to 16 bytes) and "]", so that
     * equal secrets stay comparable. NULL: "[REDACTED]". At least 16 bytes. Kept like a known value. */
    const void *hash_salt;
    size_t hash_salt_size;
} reglet_redactor_options;

#define REGLET_REDACTOR_OPTIONS_INIT REGLET_STRUCT_INIT(reglet_redactor_options)

/**
 * Makes a redactor.
 *
 * @param options  NULL is the same as all zero
 * @param out      receives a reference, to be given back with reglet_redactor_unref(); untouched on failure
 * @return REGLET_OK; REGLET_ERR_INVALID_ARGUMENT (a pattern, path, rule, secret or salt, by number or name, and what is wrong
 *         with it); REGLET_ERR_IO (the rule file cannot be read; memory cannot be locked: errno is in the error);
 *         REGLET_ERR_NO_MEMORY
 */
REGLET_API reglet_status reglet_redactor_new(const reglet_redactor_options *options, reglet_redactor **out,
                                             reglet_error **err);

/** Takes another reference. NULL is allowed. Returns its argument. */
REGLET_API reglet_redactor *reglet_redactor_ref(reglet_redactor *redactor);

/** Gives a reference back; the last one frees. NULL is allowed. */
REGLET_API void reglet_redactor_unref(reglet_redactor *redactor);

/**
 * Adds a known value, which is found from now on, also by runtimes that have the redactor already.
 *
 * @return REGLET_OK; REGLET_ERR_INVALID_ARGUMENT (NULL, fewer than 4 bytes); REGLET_ERR_IO (memory cannot be locked);
 *         REGLET_ERR_NO_MEMORY
 */
REGLET_API reglet_status reglet_redactor_add_secret(reglet_redactor *redactor, const void *bytes, size_t size,
                                                    reglet_error **err);

/** How many rules the redactor has: built-in ones, those of the rule file, and patterns. */
REGLET_API size_t reglet_redactor_rule_count(const reglet_redactor *redactor);

/** A rule's identifier: "aws-access-key-id", "pattern-1"; NULL for an index that is too large. Borrowed from the redactor. */
REGLET_API const char *reglet_redactor_rule_id(const reglet_redactor *redactor, size_t index);

/**
 * Replaces every secret in a text, which may hold any bytes.
 *
 * @param out       receives the text and a NUL that is not counted, to be freed with reglet_free(); untouched on failure
 * @param out_size  receives its number of bytes; may be NULL
 * @return REGLET_OK; REGLET_ERR_INVALID_ARGUMENT; REGLET_ERR_NO_MEMORY
 */
REGLET_API reglet_status reglet_redactor_redact(reglet_redactor *redactor, const char *text, size_t size,
                                                char **out, size_t *out_size, reglet_error **err);

/**
 * The same for one JSON value: strings, numbers and keys are looked at, and what stands under one of the redactor's paths is
 * replaced as a whole. What comes out is JSON on one line, and cannot steer a terminal.
 *
 * @return REGLET_OK; REGLET_ERR_INVALID_ARGUMENT (the text is no JSON: what was wrong, and at which byte);
 *         REGLET_ERR_NO_MEMORY
 */
REGLET_API reglet_status reglet_redactor_redact_json(reglet_redactor *redactor, const char *text, size_t size,
                                                     char **out, size_t *out_size, reglet_error **err);

/** In place of a rule's index: what stood under a path, and known values. */
#define REGLET_REDACTOR_PATHS   ((size_t)-1)
#define REGLET_REDACTOR_SECRETS ((size_t)-2)

/** How often a rule has made the redactor replace something, since it was made; 0 for an index that is too large. */
REGLET_API uint64_t reglet_redactor_replaced(const reglet_redactor *redactor, size_t index);

/** A text that comes in pieces. One thread at a time. */
typedef struct reglet_redact_stream reglet_redact_stream;

/** Receives redacted text. Anything but REGLET_OK ends the stream and is what the function that called it returns. */
typedef reglet_status (*reglet_redact_write_fn)(void *user_data, const char *text, size_t size);

/**
 * Begins a text that comes in pieces. However a secret is split over them, it is found, if it has at most
 * REGLET_REDACT_HOLD_BYTES; of a longer one what goes on without a break is replaced as well.
 *
 * @param write  receives the text, redacted and in order; called by _write() and _end()
 * @param out    receives the stream; untouched on failure
 * @return REGLET_OK; REGLET_ERR_INVALID_ARGUMENT; REGLET_ERR_NO_MEMORY
 */
REGLET_API reglet_status reglet_redact_stream_new(reglet_redactor *redactor, reglet_redact_write_fn write,
                                                  void *user_data, reglet_redact_stream **out,
                                                  reglet_error **err);

/** How long a secret may be, in bytes, to be found however it is split. A stream holds back fewer than twice as many, until
 * more text comes or it ends. */
#define REGLET_REDACT_HOLD_BYTES 8192

/** Adds a piece. REGLET_OK; what `write` answered; REGLET_ERR_NO_MEMORY (what was held back is lost, never shown). */
REGLET_API reglet_status reglet_redact_stream_write(reglet_redact_stream *stream, const char *text,
                                                    size_t size);

/** Writes what is still held back, and ends the text; the stream can take another one. As _write(). */
REGLET_API reglet_status reglet_redact_stream_end(reglet_redact_stream *stream);

/** Frees a stream, and what it holds back with it. NULL is allowed. */
REGLET_API void reglet_redact_stream_free(reglet_redact_stream *stream);

REGLET_END_DECLS

#endif
