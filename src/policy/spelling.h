/*
 * spelling.h - the one way in which names, addresses, ports and paths may be written, for rules and for what plugins ask.
 *
 * Whatever two parsers could read differently is refused, so that what is judged is what is connected to.
 */
#ifndef REGLET_POLICY_SPELLING_H
#define REGLET_POLICY_SPELLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REGLET__HOST_NAME_SIZE = 254 }; /* 253 characters and a NUL */

/* What is wrong with a text. */
struct reglet__misspelling {
    const char *what; /* static: what would be right; NULL: nothing is wrong */
    size_t at;        /* the offset of the character */
    bool character;   /* it is this character that cannot stand there */
};

/* A name of A-labels: in lower case and without the dot at its end in `out`, which is undefined on failure. */
struct reglet__misspelling reglet__spell_name(const char *text, size_t size,
                                              char out[REGLET__HOST_NAME_SIZE]);

/* The same for a name that is only looked up: its labels may hold '_' (_dmarc.example.com), which no host's do. */
struct reglet__misspelling reglet__spell_query(const char *text, size_t size,
                                               char out[REGLET__HOST_NAME_SIZE]);

/* Whether the last label is a number in a spelling that some resolver would take for (part of) an address. */
bool reglet__ends_in_a_number(const char *text, size_t size);

/* Four decimal numbers, or what RFC 4291 has for IPv6, without brackets and zone: its 4 or 16 bytes. NULL, or what was
 * wrong. */
const char *reglet__spell_address(const char *text, size_t size, bool is_ipv6, unsigned char out[16]);

/* Digits only, no sign, space or leading zero, 1 to 65535. NULL, or what was wrong; then *out is as it was. */
const char *reglet__spell_port(const char *text, size_t size, uint16_t *out);

/*
 * The path of a URL, "" or from its "/" on, in which no server can see other segments than we do: no empty, "." or ".."
 * segment, also not before a ';', and no escaped dot, slash, backslash, semicolon, percent sign or control character.
 */
struct reglet__misspelling reglet__spell_path(const char *text, size_t size);

/* Whether `path` is `top` or lies below it at a "/": "/v1" is above "/v1" and "/v1/x", not "/v10"; "" and "/" are above
 * everything. Escapes are compared by what they stand for. False for a path that reglet__spell_path() refuses. */
bool reglet__path_is_below(const char *path, size_t path_size, const char *top, size_t top_size);

#endif
