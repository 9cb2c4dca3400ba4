/*
 * long_secret.h - secrets that are longer than what is held back of a text in pieces. Their end has not been seen when their
 * beginning goes out; so the beginning is kept as context for what follows, and their middle is not.
 */
#ifndef REGLET_REDACT_LONG_SECRET_H
#define REGLET_REDACT_LONG_SECRET_H

#include "redact/redact.h"

/*
 * Whether a part that was found goes on behind `limit`, up to which the text goes out; `seen` is where its known part ends. One
 * that is not longer than REGLET_REDACT_HOLD_BYTES ends where it seems to.
 */
bool reglet__long_secret_goes_on(const struct reglet__redact_span *span, size_t limit, size_t seen);

/*
 * How far it goes: data[..certain) belongs to it, and then what a rule takes for more of it behind its beginning (the next lines
 * of a key), and characters of a token.
 */
size_t reglet__long_secret_end(const char *data, size_t size, size_t certain,
                               const struct reglet__redact_spans *spans);

/* What of data[0..limit) is kept of one that begins at `start`: what stands before it and its beginning, `most` bytes. */
void reglet__long_secret_beginning(size_t start, size_t limit, size_t most, size_t *from, size_t *to);

#endif
