/*
 * ticker.h - makes guest code look at its deadline and token, every REGLET__TICK_MS while calls are in flight; and gives
 * memories back that nobody used for REGLET__IDLE_SLOT_SECONDS, after which it sleeps until there is a call.
 */
#ifndef REGLET_ENGINE_TICKER_H
#define REGLET_ENGINE_TICKER_H

struct reglet__ticker;

/* `tick` is called on the ticker's thread. Returns NULL without memory or threads. */
struct reglet__ticker *reglet__ticker_new(void (*tick)(void *user_data), void *user_data);

/* Waits for the thread's end. NULL is allowed. */
void reglet__ticker_free(struct reglet__ticker *ticker);

/* A call begins or ends. Cheap: no lock and no system call unless the thread sleeps. */
void reglet__ticker_enter(struct reglet__ticker *ticker);
void reglet__ticker_leave(struct reglet__ticker *ticker);

#endif
