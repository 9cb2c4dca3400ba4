/*
 * base64.h - looking into texts that are Base64 of something, of either alphabet, padded or not.
 */
#ifndef REGLET_REDACT_BASE64_H
#define REGLET_REDACT_BASE64_H

#include "util/buf.h"

/* The bytes that a text stands for; 0 for one that is no Base64, or too short to be looked into. */
size_t reglet__base64_decoded_size(const char *text, size_t size);

/* Decodes such a text. */
void reglet__base64_append(struct reglet__buf *out, const char *text, size_t size);

#endif
