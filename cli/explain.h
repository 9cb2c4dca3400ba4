/*
 * explain.h - what one call asked for and got: `reglet observe --explain` and `--learn`.
 */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "audit.h"
#include "session.h"

/* A table of the decisions of the last call. */
void explain_decisions(const struct audit *audit, FILE *out);

/*
 * The lines for the configuration file that would allow what the last call was refused, on standard output, for a person to
 * review. EXIT_OK; or EXIT_FAILED after one line on standard error.
 */
int learn_grants(const struct session *session);

#endif
