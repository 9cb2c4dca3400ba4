/*
 * text.h - UTF-8 that may be shown: replacing what is invalid, and what would drive a terminal.
 */
#ifndef REGLET_UTIL_TEXT_H
#define REGLET_UTIL_TEXT_H

#include <reglet/base.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes one code point; returns its length in bytes, or 0 when the bytes at `text` are not valid UTF-8. */
size_t reglet__utf8_decode(const char *text, size_t size, unsigned *code_point);

/* Whether all of `text` is valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool reglet__utf8_valid(const char *text, size_t size);

/* Bytes that reglet__utf8_repair() may write for `size` bytes of input, with the NUL. */
size_t reglet__utf8_repair_size(size_t size);

/* Copies, each invalid byte becoming U+FFFD; NUL-terminates; returns the length. `out` holds repair_size
 * bytes. */
size_t reglet__utf8_repair(const char *text, size_t size, char *out);

/* Whether a code point would drive a terminal: control characters but tab, bidirectional marks, line separators. */
bool reglet__steers_a_terminal(unsigned code_point);

/* Bytes that reglet__clean_line() may write for `size` bytes of input, with the NUL. */
size_t reglet__clean_line_size(size_t size);

/*
 * Copies as one line that is safe to show: invalid UTF-8 becomes U+FFFD; line breaks, other control
 * characters (C0 but tab, DEL, C1), bidirectional marks and line separators become visible escapes (\n, \x1b,
 * \u202e). NUL-terminates and returns the length. Never writes more than `out_size` bytes; `out_size` >= 1.
 */
size_t reglet__clean_line(const char *text, size_t size, char *out, size_t out_size);

/* A new cleaned copy; NULL without memory. */
char *reglet__clean_line_dup(const char *text, size_t size);

/*
 * Formats a line that quotes what others gave. What does not fit is left out from its last space on: half a secret at the end of
 * a line that was cut would not be known for one.
 */
void reglet__format_line(char *out, size_t size, const char *format, ...) REGLET_PRINTF(3, 4);
void reglet__format_line_va(char *out, size_t size, const char *format, va_list args) REGLET_PRINTF(3, 0);

/* Writes a number in decimal digits, with a NUL behind them; returns their length. */
enum { REGLET__DECIMAL_SIZE = 21 };
size_t reglet__decimal(int64_t value, char out[REGLET__DECIMAL_SIZE]);
size_t reglet__decimal_unsigned(uint64_t value, char out[REGLET__DECIMAL_SIZE]);

#endif
