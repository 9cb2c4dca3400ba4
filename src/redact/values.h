/*
 * values.h - known values: secrets that were named, looked for in every form that they are likely to be written in.
 *
 * Forms: as they are, in hexadecimal (either case), in UTF-16 of both byte orders, and in base64 of both alphabets at any
 * offset: there as far as the characters depend on the secret alone. All of it is looked for in the text as it is, and in
 * the text with JSON's and with URLs' escapes taken out.
 *
 * A set never changes. It lives, with all that was derived from the secrets, in locked memory, and nothing of it is given to
 * a library or left on the stack.
 */
#ifndef REGLET_REDACT_VALUES_H
#define REGLET_REDACT_VALUES_H

#include "redact/redact.h"

enum { REGLET__VALUE_BYTES_MIN = 4 };

struct reglet__values;

/*
 * A set of the values of `old`, which may be NULL, and more. Those that are known already are not added again. What `old` was
 * given and what is given here is copied. IO: memory cannot be locked; NO_MEMORY.
 */
reglet_status reglet__values_new(const struct reglet__values *old, const reglet_secret *secrets, size_t count,
                                 struct reglet__values **out, reglet_error **err);
struct reglet__values *reglet__values_ref(struct reglet__values *values);
void reglet__values_unref(struct reglet__values *values); /* NULL is allowed */

/* Adds every place where a value stands; in no order. NO_MEMORY. */
reglet_status reglet__values_find(const struct reglet__values *values, const char *text, size_t size,
                                  struct reglet__redact_spans *spans);

/* The value that all of a text is a form of; its bytes are NULL when there is none. Valid as long as the set is. NO_MEMORY. */
reglet_status reglet__values_identify(const struct reglet__values *values, const char *text, size_t size,
                                      reglet_secret *out);

#endif
