/* Work in the background: one piece at a time, in order, and taken back before it begins. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>

#include "util/background.h"

enum { PIECES = 20 };

struct piece {
    struct reglet__background_work work;
    int number;
    bool holds;
};

static atomic_int running, most, ran;
static int order[PIECES];
static sem_t begun, go_on, done;

static void run(struct reglet__background_work *work) {
    const struct piece *piece =
        (const struct piece *)(const void *)((const char *)work - offsetof(struct piece, work));
    int now = atomic_fetch_add(&running, 1) + 1;
    if (now > atomic_load(&most))
        atomic_store(&most, now);
    if (piece->holds) {
        sem_post(&begun);
        sem_wait(&go_on);
    }
    order[atomic_fetch_add(&ran, 1)] = piece->number;
    atomic_fetch_sub(&running, 1);
    sem_post(&done);
}

static int begin(void **state) {
    (void)state;
    atomic_store(&most, 0);
    atomic_store(&ran, 0);
    return sem_init(&begun, 0, 0) | sem_init(&go_on, 0, 0) | sem_init(&done, 0, 0);
}

static void many__one_runs_at_a_time_in_the_order_in_which_they_came(void **state) {
    (void)state;
    static struct piece pieces[PIECES];
    for (int i = 0; i < PIECES; i++) {
        pieces[i] = (struct piece){.work.run = run, .number = i, .holds = i == 0};
        assert_int_equal(reglet__background_add(&pieces[i].work, 0), 0);
    }
    sem_wait(&begun);
    sem_post(&go_on);
    for (int i = 0; i < PIECES; i++)
        sem_wait(&done);
    assert_int_equal(atomic_load(&most), 1);
    for (int i = 0; i < PIECES; i++)
        assert_int_equal(order[i], i);
}

static void remove__what_has_not_begun_never_runs_and_what_runs_goes_on(void **state) {
    (void)state;
    static struct piece pieces[4];
    for (int i = 0; i < 4; i++) {
        pieces[i] = (struct piece){.work.run = run, .number = i, .holds = i == 0};
        assert_int_equal(reglet__background_add(&pieces[i].work, 0), 0);
    }
    sem_wait(&begun);
    assert_false(reglet__background_remove(&pieces[0].work));
    assert_true(reglet__background_remove(
        &pieces[3].work)); /* the last one: what is added next comes behind the one before */
    assert_true(reglet__background_remove(&pieces[1].work));
    assert_false(reglet__background_remove(&pieces[1].work));
    assert_int_equal(reglet__background_add(&pieces[1].work, 0), 0);
    sem_post(&go_on);
    for (int i = 0; i < 3; i++)
        sem_wait(&done);
    assert_int_equal(atomic_load(&ran), 3);
    assert_int_equal(order[1], 2);
    assert_int_equal(order[2], 1);
}

static void remove__all_that_waits_and_there_is_work_again_later(void **state) {
    (void)state;
    static struct piece late = {.work.run = run, .number = 7}, soon = {.work.run = run, .number = 8};
    assert_int_equal(reglet__background_add(&late.work, 60000), 0);
    assert_true(reglet__background_remove(&late.work));
    assert_int_equal(reglet__background_add(&soon.work, 1), 0);
    sem_wait(&done);
    assert_int_equal(order[0], 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(many__one_runs_at_a_time_in_the_order_in_which_they_came, begin),
        cmocka_unit_test_setup(remove__what_has_not_begun_never_runs_and_what_runs_goes_on, begin),
        cmocka_unit_test_setup(remove__all_that_waits_and_there_is_work_again_later, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
