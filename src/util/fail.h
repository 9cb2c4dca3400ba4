/*
 * fail.h - making the error that a failing function hands out.
 */
#ifndef REGLET_UTIL_FAIL_H
#define REGLET_UTIL_FAIL_H

#include <reglet/error.h>

/*
 * Writes a new error to *err (when err is not NULL) and returns the code, so that a function ends with
 * `return reglet__fail(err, …)`. The message is cut at 4 KiB, between words, and cleaned: one line, UTF-8, no control
 * characters, so guest data may be quoted in it. Without memory *err becomes a static error.
 */
reglet_status reglet__fail(reglet_error **err, reglet_status code, reglet_domain domain, const char *format,
                           ...) REGLET_PRINTF(4, 5);

/* The same with an errno (put it into the message by %s and strerrordesc_np yourself). */
reglet_status reglet__fail_errno(reglet_error **err, reglet_status code, reglet_domain domain,
                                 int error_number, const char *format, ...) REGLET_PRINTF(5, 6);

/* The same with the byte offset of a character in a capability. */
reglet_status reglet__fail_at(reglet_error **err, reglet_status code, reglet_domain domain, size_t offset,
                              const char *format, ...) REGLET_PRINTF(5, 6);

/* Out of memory: REGLET_ERR_NO_MEMORY with a static error. */
reglet_status reglet__fail_memory(reglet_error **err);

/* Puts another message in place of an error's; without memory one that says so. */
void reglet__error_reword(reglet_error *error, const char *message);

/* Whether a failure is for want of descriptors or memory at this moment, so that trying again later makes sense. */
bool reglet__errno_may_pass(int error_number);

/* strerrordesc_np, never NULL. Thread safe, and the same in every locale. */
const char *reglet__errno_text(int error_number);

#endif
