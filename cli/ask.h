/*
 * ask.h - `reglet grants --ask`: what would be decided, and by which rule.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "session.h"

/* Decides on every request and then prints. EXIT_OK when all would be allowed, EXIT_STATUS when one would be denied;
 * EXIT_BAD_USAGE or EXIT_FAILED after one line on standard error. */
int ask_all(const struct session *session, const struct options *options);

#endif
