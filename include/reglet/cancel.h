/*
 * reglet/cancel.h - stopping a call from outside.
 */
#ifndef REGLET_CANCEL_H
#define REGLET_CANCEL_H

#include <reglet/error.h>

REGLET_BEGIN_DECLS

/**
 * A flag that is set once. Give one to a call (or to several) and cancel it from any thread, at any time:
 * before the call, during it, after it. Calls that hold it end with REGLET_ERR_CANCELLED within 10 ms,
 * whatever the guest is doing (computing, sleeping, reading; or a load is waiting for a compilation), plus at most
 * one bulk-memory instruction of the guest; no other call is touched. An answer that the guest has given is still read.
 */
typedef struct reglet_cancel_token reglet_cancel_token;

/**
 * Makes a token with one reference.
 *
 * @param out  receives the token; untouched on failure
 * @return REGLET_OK, REGLET_ERR_INVALID_ARGUMENT, REGLET_ERR_NO_MEMORY
 */
REGLET_API reglet_status reglet_cancel_token_new(reglet_cancel_token **out, reglet_error **err);

/** Takes one more reference; returns its argument. NULL is allowed. Any thread. */
REGLET_API reglet_cancel_token *reglet_cancel_token_ref(reglet_cancel_token *token);

/** Gives a reference back; the last one frees. A call holds its own while it runs. NULL is allowed. Any
 * thread. */
REGLET_API void reglet_cancel_token_unref(reglet_cancel_token *token);

/** Cancels. Safe from any thread and from a signal handler; doing it again does nothing. NULL is allowed. */
REGLET_API void reglet_cancel_token_cancel(reglet_cancel_token *token);

/** Whether it was cancelled. Any thread. */
REGLET_API bool reglet_cancel_token_is_cancelled(const reglet_cancel_token *token);

REGLET_END_DECLS

#endif
