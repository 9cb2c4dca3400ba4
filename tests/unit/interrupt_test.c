#define _GNU_SOURCE
#include "tests/unit/test.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "util/interrupt.h"
#include "util/limits.h"

static reglet_cancel_token *new_token(void) {
    reglet_cancel_token *token = NULL;
    assert_int_equal(reglet_cancel_token_new(&token, NULL), REGLET_OK);
    return token;
}

static void wait__time_that_has_come_is_no_error(void **state) {
    (void)state;
    const struct reglet__interrupt interrupt = {REGLET__NEVER, NULL};
    int ready = -1;
    int64_t until = reglet__now() + 5 * REGLET__NS_PER_MS;
    assert_int_equal(reglet__interrupt_wait(&interrupt, NULL, 0, until, &ready), REGLET_OK);
    assert_int_equal(ready, 0);
    assert_true(reglet__now() >= until);
}

static void wait__deadline_ends_it(void **state) {
    (void)state;
    const struct reglet__interrupt interrupt = {reglet__deadline_after_ms(5), NULL};
    int ready = -1;
    assert_int_equal(reglet__interrupt_wait(&interrupt, NULL, 0, REGLET__NEVER, &ready), REGLET_ERR_TIMEOUT);
    assert_int_equal(ready, -1);
}

static void wait__descriptor_that_is_ready_is_told(void **state) {
    (void)state;
    int ends[2], ready = -1;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    const struct reglet__interrupt interrupt = {reglet__deadline_after_ms(1000), NULL};
    assert_int_equal(reglet__interrupt_wait(&interrupt, &fd, 1, REGLET__NEVER, &ready), REGLET_OK);
    assert_int_equal(ready, 1);
    assert_int_equal(fd.revents, POLLIN);
    close(ends[0]);
    close(ends[1]);
}

static void *cancel_soon(void *token) {
    usleep(5000);
    reglet_cancel_token_cancel(token);
    return NULL;
}

static void wait__cancel_from_another_thread_ends_it(void **state) {
    (void)state;
    reglet_cancel_token *token = new_token();
    const struct reglet__interrupt interrupt = {REGLET__NEVER, token};
    pthread_t thread;
    int ready = -1;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, token), 0);
    assert_int_equal(reglet__interrupt_wait(&interrupt, NULL, 0, REGLET__NEVER, &ready),
                     REGLET_ERR_CANCELLED);
    pthread_join(thread, NULL);
    reglet_cancel_token_unref(token);
}

static void wait__cancelled_before_it_began_does_not_wait(void **state) {
    (void)state;
    reglet_cancel_token *token = new_token();
    reglet_cancel_token_cancel(token);
    reglet_cancel_token_cancel(token);
    const struct reglet__interrupt interrupt = {REGLET__NEVER, token};
    int ready = -1;
    assert_int_equal(reglet__interrupt_wait(&interrupt, NULL, 0, REGLET__NEVER, &ready),
                     REGLET_ERR_CANCELLED);
    assert_true(reglet_cancel_token_is_cancelled(token));
    reglet_cancel_token_unref(token);
}

static void *cancel_now(void *token) {
    reglet_cancel_token_cancel(token);
    return NULL;
}

/* Token and waiter in a tight race, many times: a cancel between the flag and the event must not be lost. */
static void wait__cancel_is_never_lost(void **state) {
    (void)state;
    for (int i = 0; i < 300; i++) {
        reglet_cancel_token *token = new_token();
        const struct reglet__interrupt interrupt = {reglet__deadline_after_ms(5000), token};
        pthread_t thread;
        int ready = -1;
        assert_int_equal(pthread_create(&thread, NULL, cancel_now, token), 0);
        assert_int_equal(reglet__interrupt_wait(&interrupt, NULL, 0, REGLET__NEVER, &ready),
                         REGLET_ERR_CANCELLED);
        pthread_join(thread, NULL);
        reglet_cancel_token_unref(token);
    }
}

static void check__cancelled_wins_over_timeout(void **state) {
    (void)state;
    reglet_cancel_token *token = new_token();
    const struct reglet__interrupt interrupt = {1, token};
    assert_int_equal(reglet__interrupt_check(&interrupt), REGLET_ERR_TIMEOUT);
    reglet_cancel_token_cancel(token);
    assert_int_equal(reglet__interrupt_check(&interrupt), REGLET_ERR_CANCELLED);
    reglet_cancel_token_unref(token);
}

static void token__null_is_allowed(void **state) {
    (void)state;
    reglet_cancel_token_cancel(NULL);
    reglet_cancel_token_unref(NULL);
    assert_null(reglet_cancel_token_ref(NULL));
    assert_false(reglet_cancel_token_is_cancelled(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait__time_that_has_come_is_no_error),
        cmocka_unit_test(wait__deadline_ends_it),
        cmocka_unit_test(wait__descriptor_that_is_ready_is_told),
        cmocka_unit_test(wait__cancel_from_another_thread_ends_it),
        cmocka_unit_test(wait__cancelled_before_it_began_does_not_wait),
        cmocka_unit_test(wait__cancel_is_never_lost),
        cmocka_unit_test(check__cancelled_wins_over_timeout),
        cmocka_unit_test(token__null_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
