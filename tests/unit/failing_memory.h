/*
 * failing_memory.h - one allocation of the code under test fails. For targets of reglet_fail_memory() in CMakeLists.txt.
 */
#ifndef REGLET_TESTS_UNIT_FAILING_MEMORY_H
#define REGLET_TESTS_UNIT_FAILING_MEMORY_H

#include <stdbool.h>

/* The nth allocation from now fails, counted from 0, on whichever thread; none after it. */
void memory_fail_at(long n);

/* From now on none fails. Whether one has failed since memory_fail_at(). */
bool memory_has_failed(void);

/* Whether what failed was an array of C++'s. */
bool memory_failed_for_an_array(void);

#endif
