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

#endif
