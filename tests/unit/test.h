/*
 * test.h - cmocka with what it wants included before it.
 */
#ifndef REGLET_TESTS_UNIT_TEST_H
#define REGLET_TESTS_UNIT_TEST_H

/* cmocka.h needs these four first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Megabytes that one thread reads byte by byte: ThreadSanitizer has nothing to find there, and takes many times as long. */
static inline void needs_no_second_thread(void) {
#ifdef __SANITIZE_THREAD__
    skip();
#endif
}

#endif
