/*
 * namespace.h - a network of the test's own, where public addresses are on loopback and nothing leads anywhere else.
 */
#ifndef REGLET_TESTS_INTEGRATION_NAMESPACE_H
#define REGLET_TESTS_INTEGRATION_NAMESPACE_H

#include <stdbool.h>

/* What main() returns where the machine allows no namespace; CTest counts it as skipped. */
enum { NAMESPACE_SKIPPED = 77 };

/*
 * Moves this process into a new network namespace whose loopback has these IPv4 and IPv6 addresses besides its own, up to a
 * NULL. To be called before there is any other thread. False, with a message on stderr, where that is not allowed.
 */
bool namespace_enter(const char *const addresses[]);

#endif
