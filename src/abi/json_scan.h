/*
 * json_scan.h - the grammar of RFC 8259 and the host's limits, token by token, without memory: what is wrong with a text, and
 * where.
 */
#ifndef REGLET_ABI_JSON_SCAN_H
#define REGLET_ABI_JSON_SCAN_H

#include "abi/json.h"

/* Whether a text in UTF-8 is JSON that the host takes; else *fault says what it found first. */
bool reglet__json_scan(const char *text, size_t size, struct reglet__json_fault *fault);

/* What is wrong with a number, and at which byte of it; or NULL. `text` has one byte, which is a minus or a digit, or more. */
const char *reglet__json_number_fault(const char *text, size_t size, size_t *at);

#endif
