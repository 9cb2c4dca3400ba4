/*
 * search.h - small questions about a piece of text.
 */
#ifndef REGLET_REDACT_SEARCH_H
#define REGLET_REDACT_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a text holds a word, without regard to ASCII case. */
bool reglet__search_word(const char *text, size_t size, const char *word);

/* Shannon's entropy of the bytes, in bits per byte: 0 of "aaaa", 8 of all 256 bytes once. */
double reglet__search_entropy(const char *text, size_t size);

/*
 * How far a key goes on behind `from`: to the end of "-----END …-----" where there is one before the next "-----BEGIN" and
 * within REGLET__REDACT_REACH_BYTES; else over the headers of its armor, and all Base64, white space and escaped line
 * breaks (\n, \\n) that follow.
 */
size_t reglet__search_key_end(const char *text, size_t size, size_t from);

/* Whether [start, end) lies within "[REDACTED]" or "[hmac:…]", which stay as they are. `*hmac` says which. */
bool reglet__search_marker(const char *text, size_t size, size_t start, size_t end, bool *hmac);

#endif
