/*
 * policy_fixture.h - policies made of capabilities in text. What cannot be parsed fails the test.
 */
#ifndef REGLET_TESTS_UNIT_POLICY_FIXTURE_H
#define REGLET_TESTS_UNIT_POLICY_FIXTURE_H

#include "policy/policy.h"
#include "tests/unit/test.h"

enum how { GRANT, SHARE, DECLARE };

/* A capability; one of files is resolved as if no symbolic link were there and relative paths started at /base. */
struct reglet__capability *parse(const char *text);

/* A policy with nothing in it, and with one grant. */
struct reglet__policy *policy_new(void);
struct reglet__policy *granted(const char *text);

void add(struct reglet__policy *policy, enum how how, const char *text);

#endif
