#define _GNU_SOURCE
/* The thread that makes calls look at their deadlines, and gives memory back. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "engine/memory.h"
#include "engine/ticker.h"

static _Atomic(struct reglet__ticker *) ticker;
static atomic_int looks, call_at; /* a call comes and goes while it looks for the nth time */

/* Nothing is left; by the time that it says so, a call may have left something. */
bool __wrap_reglet__memory_give_back(unsigned seconds);
bool __wrap_reglet__memory_give_back(unsigned seconds) {
    (void)seconds;
    if (atomic_fetch_add(&looks, 1) + 1 == atomic_load(&call_at)) {
        reglet__ticker_enter(ticker);
        reglet__ticker_leave(ticker);
    }
    return false;
}

static void tick(void *user_data) {
    atomic_fetch_add((atomic_int *)user_data, 1);
}

static void sleep_ms(long ms) {
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static bool comes_to(const atomic_int *counter, int number) {
    for (int i = 0; i < 300 && atomic_load(counter) < number; i++)
        sleep_ms(10);
    return atomic_load(counter) >= number;
}

static void sleep__call_that_ends_before_it_begins_is_not_missed(void **state) {
    (void)state;
    atomic_int ticks = 0;
    atomic_store(&call_at, 1);
    atomic_store(&ticker, reglet__ticker_new(tick, &ticks));
    assert_non_null(ticker);
    assert_true(comes_to(&looks, 2)); /* it looked again */
    int before = atomic_load(&looks);
    sleep_ms(500);
    assert_int_equal(atomic_load(&looks), before); /* and then slept for good */
    before = atomic_load(&ticks);
    reglet__ticker_enter(ticker);
    assert_true(comes_to(&ticks, before + 5));
    reglet__ticker_leave(ticker);
    reglet__ticker_free(ticker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleep__call_that_ends_before_it_begins_is_not_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
