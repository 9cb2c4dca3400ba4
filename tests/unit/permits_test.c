#define _GNU_SOURCE
#include "tests/unit/failing_memory.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "util/permits.h"
#include "util/sys.h"

/* --- System calls that fail, or during which something happens -------------------------------------------- */

static _Atomic int eventfd_errno;
static atomic_uint eventfd_calls;
/* Done once, on the thread that calls: before its descriptor is made, and before it waits. */
static void (*before_eventfd)(void);
static void (*before_ppoll)(void);

int __real_reglet__sys_eventfd(unsigned value, int flags);
int __wrap_reglet__sys_eventfd(unsigned value, int flags);
int __real_reglet__sys_ppoll(struct pollfd *fds, size_t count, const struct timespec *timeout);
int __wrap_reglet__sys_ppoll(struct pollfd *fds, size_t count, const struct timespec *timeout);

static void do_once(void (**what)(void)) {
    void (*now)(void) = *what;
    if (now) {
        *what = NULL;
        now();
    }
}

int __wrap_reglet__sys_eventfd(unsigned value, int flags) {
    atomic_fetch_add(&eventfd_calls, 1);
    do_once(&before_eventfd);
    errno = eventfd_errno;
    return errno ? -1 : __real_reglet__sys_eventfd(value, flags);
}

int __wrap_reglet__sys_ppoll(struct pollfd *fds, size_t count, const struct timespec *timeout) {
    do_once(&before_ppoll);
    return __real_reglet__sys_ppoll(fds, count, timeout);
}

/* --- Permits ---------------------------------------------------------------------------------------------- */

static const struct reglet__interrupt nothing_ends_it = {REGLET__NEVER, NULL};
static struct reglet__permits permits;
static reglet_cancel_token *token;

static int set_up(void **state) {
    (void)state;
    return reglet_cancel_token_new(&token, NULL);
}

static int tear_down(void **state) {
    (void)state;
    reglet_cancel_token_unref(token);
    return 0;
}

static void take(void) {
    assert_int_equal(reglet__permits_take(&permits, &nothing_ends_it), REGLET_OK);
}

static void give(void) {
    reglet__permits_give(&permits);
}

static reglet_status try_until_past(void) {
    const struct reglet__interrupt past = {1, NULL};
    return reglet__permits_take(&permits, &past);
}

/* No more and no fewer than there were, and nobody is remembered. */
static void expect_all_back(int64_t limit) {
    assert_int_equal(permits.balance, limit);
    assert_int_equal(permits.promised, 0);
    assert_null(permits.first);
    assert_null(permits.last);
    for (int64_t i = 0; i < limit; i++)
        take();
    assert_int_equal(try_until_past(), REGLET_ERR_TIMEOUT);
    for (int64_t i = 0; i < limit; i++)
        give();
    reglet__permits_destroy(&permits);
}

static void take__free_permit_needs_no_descriptor_and_no_memory(void **state) {
    (void)state;
    reglet__permits_init(&permits, 2);
    atomic_store(&eventfd_calls, 0);
    memory_fail_at(0);
    take();
    assert_int_equal(try_until_past(), REGLET_OK); /* its deadline is not looked at */
    give();
    give();
    assert_false(memory_has_failed());
    assert_int_equal(atomic_load(&eventfd_calls), 0);
    expect_all_back(2);
}

static void take__deadline_ends_the_wait(void **state) {
    (void)state;
    reglet__permits_init(&permits, 1);
    take();
    const struct reglet__interrupt soon = {reglet__deadline_after_ms(5), NULL};
    memory_fail_at(0);
    assert_int_equal(reglet__permits_take(&permits, &soon), REGLET_ERR_TIMEOUT);
    assert_false(memory_has_failed()); /* waiting takes no memory either */
    give();
    expect_all_back(1);
}

static void cancel(void) {
    reglet_cancel_token_cancel(token);
}

static void take__cancel_ends_the_wait(void **state) {
    (void)state;
    reglet__permits_init(&permits, 1);
    take();
    const struct reglet__interrupt interrupt = {REGLET__NEVER, token};
    before_ppoll = cancel;
    assert_int_equal(reglet__permits_take(&permits, &interrupt), REGLET_ERR_CANCELLED);
    give();
    expect_all_back(1);
}

static void take__permit_given_while_waiting_is_had(void **state) {
    (void)state;
    reglet__permits_init(&permits, 1);
    take();
    before_ppoll = give;
    take();
    assert_int_equal(permits.balance, 0);
    give();
    expect_all_back(1);
}

/* The moment at which who wants a permit has said so, but is not in the queue yet. */
static void take__permit_given_before_the_queue_is_entered_is_had(void **state) {
    (void)state;
    reglet__permits_init(&permits, 1);
    take();
    before_eventfd = give;
    take();
    give();
    expect_all_back(1);
}

static void take__promised_permit_needs_no_descriptor(void **state) {
    (void)state;
    reglet__permits_init(&permits, 1);
    take();
    before_eventfd = give;
    eventfd_errno = EMFILE;
    take();
    eventfd_errno = 0;
    give();
    expect_all_back(1);
}

static void give_and_cancel(void) {
    give();
    cancel();
}

static void take__permit_handed_to_a_waiter_that_gives_up_is_not_lost(void **state) {
    (void)state;
    reglet__permits_init(&permits, 1);
    take();
    const struct reglet__interrupt interrupt = {REGLET__NEVER, token};
    before_ppoll = give_and_cancel;
    assert_int_equal(reglet__permits_take(&permits, &interrupt), REGLET_ERR_CANCELLED);
    expect_all_back(1);
}

static void take__no_descriptor_to_wait_with_is_an_error(void **state) {
    (void)state;
    reglet__permits_init(&permits, 1);
    take();
    eventfd_errno = EMFILE;
    assert_int_equal(reglet__permits_take(&permits, &nothing_ends_it), REGLET_ERR_IO);
    assert_int_equal(errno, EMFILE);
    eventfd_errno = 0;
    give();
    expect_all_back(1);
}

static void no_more_descriptors(void) {
    eventfd_errno = ENFILE;
}

/* Its own descriptor is there, but not one for the token. */
static void token_without_descriptor(void) {
    before_eventfd = no_more_descriptors;
}

static void take__no_descriptor_for_the_token_is_an_error(void **state) {
    (void)state;
    reglet__permits_init(&permits, 1);
    take();
    const struct reglet__interrupt interrupt = {REGLET__NEVER, token};
    before_eventfd = token_without_descriptor;
    assert_int_equal(reglet__permits_take(&permits, &interrupt), REGLET_ERR_IO);
    assert_int_equal(errno, ENFILE);
    eventfd_errno = 0;
    give();
    expect_all_back(1);
}

static void take__unlimited_never_waits(void **state) {
    (void)state;
    reglet__permits_init(&permits, INT64_MAX);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(try_until_past(), REGLET_OK);
    for (int i = 0; i < 5000; i++)
        give();
    assert_int_equal(permits.balance, INT64_MAX);
    reglet__permits_destroy(&permits);
}

/* --- Threads ---------------------------------------------------------------------------------------------- */

enum { THREADS = 8, LIMIT = 3, ROUNDS = 5000 };

static atomic_int order[THREADS], served;

static void *take_in_turn(void *number) {
    if (reglet__permits_take(&permits, &nothing_ends_it) == REGLET_OK) {
        atomic_store(&order[atomic_fetch_add(&served, 1)], (int)(intptr_t)number);
        reglet__permits_give(&permits);
    }
    return NULL;
}

static const struct reglet__permit_waiter *last_in_queue(void) {
    pthread_mutex_lock(&permits.lock);
    const struct reglet__permit_waiter *last = permits.last;
    pthread_mutex_unlock(&permits.lock);
    return last;
}

static void take__is_first_come_first_served(void **state) {
    (void)state;
    reglet__permits_init(&permits, 1);
    atomic_store(&served, 0);
    pthread_t threads[THREADS];
    take();
    for (int i = 0; i < THREADS; i++) {
        const struct reglet__permit_waiter *before = last_in_queue();
        assert_int_equal(pthread_create(&threads[i], NULL, take_in_turn, (void *)(intptr_t)i), 0);
        while (last_in_queue() == before)
            sched_yield();
    }
    give();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(atomic_load(&order[i]), i);
    expect_all_back(1);
}

/* A permit that somebody waits for is never free: a newcomer that only tries finds none, as often as it likes. */
static void take__newcomer_does_not_overtake(void **state) {
    (void)state;
    reglet__permits_init(&permits, 1);
    pthread_t thread;
    take();
    assert_int_equal(pthread_create(&thread, NULL, take_in_turn, NULL), 0);
    while (!last_in_queue())
        sched_yield();
    for (int i = 0; i < 100; i++)
        assert_int_equal(try_until_past(), REGLET_ERR_TIMEOUT);
    atomic_store(&served, 0);
    give();
    take();
    assert_int_equal(atomic_load(&served), 1);
    pthread_join(thread, NULL);
    give();
    expect_all_back(1);
}

/* Each thread's token of the moment, which any other may cancel. */
static struct {
    pthread_mutex_t lock;
    reglet_cancel_token *token;
} current[THREADS];
static atomic_int inside;
static atomic_bool too_many, unexpected;
static atomic_uint outcomes[3]; /* taken, timeout, cancelled */

static void set_token(size_t self, reglet_cancel_token *fresh) {
    pthread_mutex_lock(&current[self].lock);
    reglet_cancel_token *old = current[self].token;
    current[self].token = fresh;
    pthread_mutex_unlock(&current[self].lock);
    reglet_cancel_token_unref(old);
}

static void cancel_one(size_t which) {
    pthread_mutex_lock(&current[which].lock);
    reglet_cancel_token_cancel(current[which].token);
    pthread_mutex_unlock(&current[which].lock);
}

static void use_permit(unsigned random) {
    if (atomic_fetch_add(&inside, 1) >= LIMIT)
        atomic_store(&too_many, true);
    cancel_one(random % THREADS);
    if (random & 64)
        sched_yield();
    atomic_fetch_sub(&inside, 1);
    reglet__permits_give(&permits);
}

/* A third of the waits can end by a token, a third by a deadline of up to 60 microseconds. */
static reglet_status take_somehow(size_t self, unsigned random) {
    struct reglet__interrupt interrupt = nothing_ends_it;
    reglet_cancel_token *fresh = NULL;
    if (random % 3 == 0 && reglet_cancel_token_new(&fresh, NULL) == REGLET_OK) {
        set_token(self, fresh);
        interrupt.token = fresh;
    } else if (random % 3 == 1) {
        interrupt.deadline = reglet__now() + random % 60000;
    }
    return reglet__permits_take(&permits, &interrupt);
}

static void *take_and_give(void *argument) {
    size_t self = (size_t)(intptr_t)argument;
    unsigned seed = (unsigned)self + 1;
    for (int i = 0; i < ROUNDS; i++) {
        unsigned random = (unsigned)rand_r(&seed);
        reglet_status status = take_somehow(self, random);
        if (status == REGLET_OK)
            use_permit(random >> 3);
        if (status == REGLET_OK || status == REGLET_ERR_TIMEOUT || status == REGLET_ERR_CANCELLED)
            atomic_fetch_add(&outcomes[status == REGLET_OK ? 0 : status == REGLET_ERR_TIMEOUT ? 1 : 2], 1);
        else
            atomic_store(&unexpected, true);
    }
    set_token(self, NULL);
    return NULL;
}

static void threads__that_give_up_at_random_leave_every_permit(void **state) {
    (void)state;
    reglet__permits_init(&permits, LIMIT);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_mutex_init(&current[i].lock, NULL);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, (void *)(intptr_t)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_mutex_destroy(&current[i].lock);
    assert_false(atomic_load(&too_many));
    assert_false(atomic_load(&unexpected));
    assert_int_equal(atomic_load(&outcomes[0]) + atomic_load(&outcomes[1]) + atomic_load(&outcomes[2]),
                     THREADS * ROUNDS);
    expect_all_back(LIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take__free_permit_needs_no_descriptor_and_no_memory),
        cmocka_unit_test(take__deadline_ends_the_wait),
        cmocka_unit_test_setup_teardown(take__cancel_ends_the_wait, set_up, tear_down),
        cmocka_unit_test(take__permit_given_while_waiting_is_had),
        cmocka_unit_test(take__permit_given_before_the_queue_is_entered_is_had),
        cmocka_unit_test(take__promised_permit_needs_no_descriptor),
        cmocka_unit_test_setup_teardown(take__permit_handed_to_a_waiter_that_gives_up_is_not_lost, set_up,
                                        tear_down),
        cmocka_unit_test(take__no_descriptor_to_wait_with_is_an_error),
        cmocka_unit_test_setup_teardown(take__no_descriptor_for_the_token_is_an_error, set_up, tear_down),
        cmocka_unit_test(take__unlimited_never_waits),
        cmocka_unit_test(take__is_first_come_first_served),
        cmocka_unit_test(take__newcomer_does_not_overtake),
        cmocka_unit_test(threads__that_give_up_at_random_leave_every_permit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
